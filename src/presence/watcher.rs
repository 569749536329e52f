//! The watcher: what it knows of presentities, and what changes.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;

use super::package::subscriber_profile;
use super::protection::{Guard, Refused, authority_of};
use super::signer::Names;
use super::watcher_events::{PresenceChange, WatcherEvent, WatcherOutput};
use crate::engine::wall_clock::WallClock;
use crate::engine::{ClientTransaction, Entropy, ServerTransaction, Timestamp};
use crate::event::Protection;
use crate::event::{
    Account, Backlog, Failure, Identity, NotifiedBody, NotifiedState, NotifierKey, OpeningKey,
    OpeningOutcome, OwnSubscriptionInfo, OwnSubscriptionKey, OwnSubscriptionPhase, RequestContext,
    SrvRecord, SubscribeError, SubscribeOrder, Subscriber, SubscriberConfig, SubscriberEvent,
    SubscriberOutput,
};
use crate::pidf::{Presence, ReadOptions, Staleness};
use crate::sip::{Reason, RequestRef, ResponseRef, Uri};

/// Settings of a watcher.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WatcherConfig {
    /// Those of its subscriptions.
    pub subscriber: SubscriberConfig,
    /// Which URI of a presentity is used when several are known.
    pub preference: UriPreference,
    /// How documents are read. Its charset and default entity are not used: those of each NOTIFY
    /// are.
    pub read: ReadOptions,
    /// What becomes of outdated documents.
    pub outdated: OutdatedDocuments,
    /// How documents have to be protected, where an order does not say; what is less is told as
    /// [`WatcherEvent::Unprotected`] and left aside. With anything but [`Protection::None`] the host opens
    /// bodies, be [`opens_bodies`](SubscriberConfig::opens_bodies) set or not.
    ///
    /// A document that has to be signed is believed when the authority of the presentity's domain, or the
    /// presentity itself, has signed it with a certificate that is trusted (RFC 3856 section 6.7). It has
    /// to name the presentity and to bear a timestamp, and one that is older than what is known is not
    /// taken, whichever dialog it comes in, unless its signature says that it was made later (section
    /// 9.4).
    pub protection: Protection,
    /// How long ago a document may have been signed where signatures are demanded, by what the signature
    /// says; one that does not say it is refused then, and so are all until
    /// [`set_wall_clock`](Watcher::set_wall_clock) has told the time of day. Default: no bound.
    pub max_signature_age: Option<Duration>,
}

/// Which URI of a presentity is used when a pres URI and one of SIP are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum UriPreference {
    /// The SIP or SIPS URI, which every proxy knows how to route.
    #[default]
    Sip,
    /// The pres URI (RFC 3856 section 5).
    Pres,
}

/// What becomes of a document whose timestamps are older than those that are known (RFC 3856 section
/// 9.4).
///
/// Within one dialog CSeq tells what is newer, and timestamps are not looked at: a document that lost its
/// newest tuple has older ones. This is about the first document of another dialog, which may have been
/// recorded and sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OutdatedDocuments {
    /// It is told of and left aside, and so are outdated tuples of others; the notifier is asked for the
    /// state once more, and taken at its word.
    #[default]
    Refuse,
    /// It is taken.
    Take,
}

/// What is to be watched.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WatchOrder<'a> {
    /// On whose behalf; it needs a Contact.
    pub account: &'a Account,
    /// A URI of the presentity: sip, sips or pres.
    pub uri: &'a str,
    /// Another one of the same presentity, if it is known.
    pub also: Option<&'a str>,
    /// The seconds to ask for; nothing leaves it to the settings.
    pub expires: Option<u32>,
    /// Media type and octets of a body, such as a filter (RFC 4660).
    pub body: Option<(&'a str, Bytes)>,
    /// How documents have to be protected; nothing leaves it to the settings. The host has to
    /// [open bodies](SubscriberConfig::opens_bodies) for any to come that are.
    pub protection: Option<Protection>,
}

impl<'a> WatchOrder<'a> {
    /// An order without anything special.
    pub fn new(account: &'a Account, uri: &'a str) -> Self {
        Self {
            account,
            uri,
            also: None,
            expires: None,
            body: None,
            protection: None,
        }
    }
}

/// Watches presentities (RFC 3856 section 4): one, or a list of as many as there are buddies.
///
/// It is driven as the crate's front page shows. Each presentity has its subscription, which is kept
/// alive and made anew by the rules of RFC 6665, and its document, the one of the newest NOTIFY that had
/// one. Before the first nothing is known, which is not the same as closed.
///
/// What a NOTIFY brings is taken when [`poll_output`](Self::poll_output) comes to it.
///
/// ```
/// use presentity::engine::Timestamp;
/// use presentity::event::Account;
/// use presentity::presence::{WatchOrder, Watcher, WatcherConfig, WatcherOutput};
///
/// # let mut counter = 0u8;
/// // In earnest: the operating system's generator.
/// let entropy = move |buffer: &mut [u8]| {
/// #   buffer.iter_mut().for_each(|byte| { counter = counter.wrapping_add(97); *byte = counter });
/// };
/// let mut watcher = Watcher::new(WatcherConfig::default(), entropy);
/// let now = Timestamp::from_secs(0);
/// let account = Account::new("sip:ana@example.com")?.with_contact("sip:ana@192.0.2.7")?;
/// let key = watcher.watch(now, WatchOrder::new(&account, "sip:bob@example.com"))?;
///
/// let Some(WatcherOutput::Send(request)) = watcher.poll_output() else { unreachable!() };
/// assert_eq!((request.method(), request.uri()), ("SUBSCRIBE", "sip:bob@example.com"));
/// assert_eq!(watcher.presence(key), None);
/// // NOTIFYs come in with `handle_request`; in the end:
/// watcher.end(now, key)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Watcher {
    subscriber: Subscriber,
    preference: UriPreference,
    outdated: OutdatedDocuments,
    protection: Protection,
    max_signature_age: Option<Duration>,
    read: ReadOptions,
    /// Never walked through.
    known: HashMap<OwnSubscriptionKey, Known>,
    /// Tells documents that came before by their octets, so that nobody can make two of them alike.
    fingerprints: RandomState,
    clock: WallClock,
    now: Timestamp,
    /// What one NOTIFY led to, beside the first.
    more: VecDeque<WatcherEvent>,
}

/// What is known of a presentity.
#[derive(Debug, Default)]
struct Known {
    /// Kept here since a fetch is over before its document is read.
    resource: Box<str>,
    state: Option<NotifiedState>,
    document: Option<Arc<Presence>>,
    /// Of the octets that the document was read from; nothing when a part of them was left aside.
    fingerprint: Option<u64>,
    /// Who sent the document that is known.
    notifier: Option<NotifierKey>,
    /// Who sent the last one, be it taken or not.
    heard: Option<NotifierKey>,
    guard: Guard,
}

/// How much is known of a presentity, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct WatchInfo<'a> {
    /// The subscription.
    pub subscription: OwnSubscriptionInfo<'a>,
    /// The document; nothing while nothing is known.
    pub presence: Option<&'a Presence>,
    /// Whether the notifier that now has the subscription has sent it, and nothing since that was not
    /// believed. If not it may be out of date.
    pub is_current: bool,
}

impl Known {
    fn of(resource: &str, guard: Guard) -> Self {
        Self {
            resource: resource.into(),
            guard,
            ..Self::default()
        }
    }
}

impl Watcher {
    /// A watcher with the application's source of unguessable bytes.
    pub fn new(config: WatcherConfig, entropy: impl Entropy + Send + 'static) -> Self {
        let mut subscriber = config.subscriber;
        subscriber.opens_bodies |= config.protection != Protection::None;
        Self {
            subscriber: Subscriber::new(subscriber_profile(), subscriber, entropy),
            preference: config.preference,
            outdated: config.outdated,
            protection: config.protection,
            max_signature_age: config.max_signature_age,
            read: config.read,
            known: HashMap::new(),
            fingerprints: RandomState::new(),
            clock: WallClock::default(),
            now: Timestamp::ZERO,
            more: VecDeque::new(),
        }
    }

    /// Says what time of day it is. From then on a document with a time to come does not make those
    /// that follow it look outdated. To be said again when the clock was set.
    pub fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) {
        self.clock.set(now, utc);
    }

    /// Watches a presentity until [`end`](Self::end).
    ///
    /// # Errors
    /// When the order cannot be carried out; nothing has happened then.
    pub fn watch(
        &mut self,
        now: Timestamp,
        order: WatchOrder<'_>,
    ) -> Result<OwnSubscriptionKey, SubscribeError> {
        let guard = self.guard(&order);
        let order = self.choose(order)?;
        let known = Known::of(order.resource, guard);
        let key = self.subscriber.subscribe(now, order)?;
        self.known.insert(key, known);
        Ok(key)
    }

    /// Asks for the state of a presentity once; [`WatcherEvent::Over`] ends it. What was learnt is told
    /// by [`WatcherEvent::Changed`] before.
    ///
    /// # Errors
    /// When the order cannot be carried out; nothing has happened then.
    pub fn fetch(
        &mut self,
        now: Timestamp,
        order: WatchOrder<'_>,
    ) -> Result<OwnSubscriptionKey, SubscribeError> {
        let guard = self.guard(&order);
        let order = self.choose(order)?;
        let known = Known::of(order.resource, guard);
        let key = self.subscriber.fetch(now, order)?;
        self.known.insert(key, known);
        Ok(key)
    }

    /// See [`Subscriber::request_state`].
    pub fn request_state(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> bool {
        self.subscriber.request_state(now, key)
    }

    /// See [`Subscriber::end`].
    ///
    /// # Errors
    /// [`SubscribeError::Unknown`].
    pub fn end(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> Result<(), SubscribeError> {
        self.subscriber.end(now, key)
    }

    /// See [`Subscriber::renew`].
    pub fn renew(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> bool {
        self.subscriber.renew(now, key)
    }

    /// See [`Subscriber::set_account`].
    ///
    /// # Errors
    /// When the account cannot be used; the one before stays.
    pub fn set_account(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        account: &Account,
    ) -> Result<(), SubscribeError> {
        self.subscriber.set_account(now, key, account)
    }

    /// See [`Subscriber::abandon`].
    pub fn abandon(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> bool {
        self.known.remove(&key);
        self.subscriber.abandon(now, key)
    }

    /// See [`Subscriber::provide_targets`].
    pub fn provide_targets(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        records: &[SrvRecord],
    ) -> bool {
        self.subscriber.provide_targets(now, key, records)
    }

    /// See [`Subscriber::decline_targets`].
    pub fn decline_targets(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> bool {
        self.subscriber.decline_targets(now, key)
    }

    /// The document of a presentity; nothing while nothing is known of it.
    pub fn presence(&self, key: OwnSubscriptionKey) -> Option<&Presence> {
        self.known.get(&key)?.document.as_deref()
    }

    /// What is known of a presentity, and how.
    pub fn presentity(&self, key: OwnSubscriptionKey) -> Option<WatchInfo<'_>> {
        let subscription = self.subscriber.subscription(key)?;
        Some(self.info(subscription))
    }

    /// All presentities, in an order that depends on nothing but the calls made.
    pub fn presentities(&self) -> impl Iterator<Item = WatchInfo<'_>> {
        let subscriptions = self.subscriber.subscriptions();
        subscriptions.map(|subscription| self.info(subscription))
    }

    fn info<'a>(&'a self, subscription: OwnSubscriptionInfo<'a>) -> WatchInfo<'a> {
        let known = self.known.get(&subscription.key);
        let held = matches!(subscription.phase, OwnSubscriptionPhase::Held(_));
        WatchInfo {
            subscription,
            presence: known.and_then(|known| known.document.as_deref()),
            is_current: held
                && known
                    .is_some_and(|known| known.notifier.is_some() && known.notifier == known.heard),
        }
    }

    /// See [`Subscriber::accepts`].
    pub fn accepts(&self, request: &RequestRef<'_>) -> bool {
        self.subscriber.accepts(request)
    }

    /// See [`Subscriber::owns`].
    pub fn owns(&self, request: &RequestRef<'_>) -> bool {
        self.subscriber.owns(request)
    }

    /// See [`Subscriber::allow`].
    pub fn allow(&self) -> &'static str {
        self.subscriber.allow()
    }

    /// See [`Subscriber::handle_request`].
    ///
    /// # Errors
    /// [`Backlog`] when nothing happened and the host answers 503 itself.
    pub fn handle_request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Backlog> {
        self.now = self.now.max(now);
        self.subscriber
            .handle_request(now, transaction, request, context)
    }

    /// See [`Subscriber::handle_response`].
    pub fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.subscriber.handle_response(now, transaction, response);
    }

    /// See [`Subscriber::handle_failure`].
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        failure: Failure,
    ) {
        self.subscriber.handle_failure(now, transaction, failure);
    }

    /// See [`Subscriber::provide_credentials`].
    pub fn provide_credentials(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        value: &str,
    ) -> bool {
        self.subscriber.provide_credentials(now, transaction, value)
    }

    /// See [`Subscriber::decline_credentials`].
    pub fn decline_credentials(&mut self, now: Timestamp, transaction: ClientTransaction) -> bool {
        self.subscriber.decline_credentials(now, transaction)
    }

    /// See [`Subscriber::complete_opening`].
    pub fn complete_opening(
        &mut self,
        now: Timestamp,
        key: OpeningKey,
        outcome: OpeningOutcome,
    ) -> bool {
        self.now = self.now.max(now);
        self.subscriber.complete_opening(now, key, outcome)
    }

    /// See [`Subscriber::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.subscriber.handle_timeout(now);
    }

    /// See [`Subscriber::poll_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.subscriber.poll_timeout()
    }

    /// See [`Subscriber::occupancy`]; the last entry is documents and what else is known.
    pub fn occupancy(&self) -> [usize; 8] {
        let [
            subscriptions,
            attempts,
            dialogs,
            open,
            timers,
            outputs,
            openings,
        ] = self.subscriber.occupancy();
        let outputs = outputs + self.more.len();
        let known = self.known.len();
        [
            subscriptions,
            attempts,
            dialogs,
            open,
            timers,
            outputs,
            openings,
            known,
        ]
    }

    /// The number by which its transactions are told apart.
    pub(crate) fn role(&self) -> u8 {
        self.subscriber.role()
    }

    /// See [`Subscriber::stray_outcomes`].
    pub fn stray_outcomes(&self) -> u64 {
        self.subscriber.stray_outcomes()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    pub fn poll_output(&mut self) -> Option<WatcherOutput> {
        loop {
            if let Some(event) = self.more.pop_front() {
                return Some(WatcherOutput::Event(event));
            }
            match self.subscriber.poll_output()? {
                SubscriberOutput::Respond(response) => {
                    return Some(WatcherOutput::Respond(response));
                }
                SubscriberOutput::Send(request) => return Some(WatcherOutput::Send(request)),
                SubscriberOutput::NeedCredentials(need) => {
                    return Some(WatcherOutput::NeedCredentials(need));
                }
                SubscriberOutput::Resolve(resolve) => return Some(WatcherOutput::Resolve(resolve)),
                SubscriberOutput::Open(opening) => return Some(WatcherOutput::Open(opening)),
                SubscriberOutput::Event(event) => self.heed(event),
            }
        }
    }

    /// What is demanded of the documents of a presentity that is to be watched.
    fn guard(&self, order: &WatchOrder<'_>) -> Guard {
        let protection = order.protection.unwrap_or(self.protection);
        let uris = [Some(order.uri), order.also];
        Guard::new(protection, Names::of(uris.into_iter().flatten()))
    }

    /// One URI of several, by the preference (RFC 3856 section 5).
    fn choose<'a>(&self, order: WatchOrder<'a>) -> Result<SubscribeOrder<'a>, SubscribeError> {
        let mut chosen: Option<(&str, bool)> = None;
        for text in [Some(order.uri), order.also].into_iter().flatten() {
            let preferred = match (Uri::parse(text), self.preference) {
                (Ok(Uri::Sip(_)), preference) => preference == UriPreference::Sip,
                (Ok(Uri::Pres(_)), preference) => preference == UriPreference::Pres,
                _ => {
                    let text = text.to_owned();
                    return Err(SubscribeError::Resource { text });
                }
            };
            if chosen.is_none_or(|(_, already)| preferred && !already) {
                chosen = Some((text, preferred));
            }
        }
        let uri = chosen.map_or(order.uri, |(uri, _)| uri);
        let mut subscribe = SubscribeOrder::new(order.account, uri);
        subscribe.expires = order.expires;
        subscribe.body = order.body;
        Ok(subscribe)
    }

    fn heed(&mut self, event: SubscriberEvent) {
        match event {
            SubscriberEvent::Notified {
                key,
                notifier,
                state,
                sender,
                body,
                ..
            } => {
                let Some(known) = self.known.get_mut(&key) else {
                    return;
                };
                if known.state != Some(state) {
                    known.state = Some(state);
                    if state != NotifiedState::Terminated {
                        self.more.push_back(WatcherEvent::State { key, state });
                    }
                }
                if let Some(body) = body {
                    self.take(key, notifier, sender, body);
                }
            }
            // Nobody asks for it here.
            SubscriberEvent::Prolonged { .. } => {}
            SubscriberEvent::BodyRefused { key, body } => {
                self.more.push_back(WatcherEvent::BodyRefused { key, body });
            }
            SubscriberEvent::Ended {
                key, end, retry_in, ..
            } => {
                // What will not change again stays known (RFC 6665 section 4.1.3).
                if retry_in.is_none() && end.reason() != Some(Reason::Invariant) {
                    self.forget(key);
                }
                if let Some(known) = self.known.get_mut(&key) {
                    known.state = None;
                    known.heard = None;
                }
                let ended = WatcherEvent::Ended { key, end, retry_in };
                self.more.push_back(ended);
            }
            SubscriberEvent::Failed {
                key,
                is_refresh,
                failure,
                retry_in,
            } => {
                if retry_in.is_none() {
                    self.forget(key);
                }
                self.more.push_back(WatcherEvent::Failed {
                    key,
                    is_refresh,
                    failure,
                    retry_in,
                });
            }
            SubscriberEvent::Delayed { key, retry_in } => {
                self.more.push_back(WatcherEvent::Delayed { key, retry_in });
            }
            SubscriberEvent::Over {
                key,
                was_fetch,
                confirmed,
            } => {
                self.known.remove(&key);
                self.more.push_back(WatcherEvent::Over {
                    key,
                    was_fetch,
                    confirmed,
                });
            }
        }
    }

    /// Nothing is known of a presentity that may not be watched any more.
    fn forget(&mut self, key: OwnSubscriptionKey) {
        if let Some(known) = self.known.get_mut(&key)
            && let Some(before) = known.document.take()
        {
            known.notifier = None;
            self.more.push_back(WatcherEvent::Changed(PresenceChange {
                key,
                before: Some(before),
                after: None,
                sender: Identity::nobody(),
                signed_by: Vec::new(),
                authority: None,
                is_encrypted: false,
            }));
        }
    }

    /// A document has come.
    fn take(
        &mut self,
        key: OwnSubscriptionKey,
        notifier: Option<NotifierKey>,
        sender: Identity,
        body: NotifiedBody,
    ) {
        let Some(known) = self.known.get_mut(&key) else {
            return;
        };
        let heard = core::mem::replace(&mut known.heard, notifier);
        let is_first = notifier.is_none() || heard != notifier;
        let utc = self.clock.at(self.now);
        let vetted = match known.guard.vet(&body, self.max_signature_age, utc) {
            Ok(vetted) => vetted,
            Err(why) => {
                known.notifier = None;
                self.more.push_back(WatcherEvent::Unprotected { key, why });
                return;
            }
        };
        let is_strict = known.guard.is_strict();
        let fingerprint = self.fingerprints.hash_one((&body.bytes[..], &body.charset));
        if known.document.is_some() && known.fingerprint == Some(fingerprint) && !is_strict {
            known.notifier = notifier;
            return;
        }
        self.read.charset.clone_from(&body.charset);
        // What is signed says itself whom it is about.
        if is_strict {
            self.read.default_entity = None;
        } else {
            let entity = self.read.default_entity.get_or_insert_default();
            entity.clear();
            entity.push_str(&known.resource);
        }
        let mut document = match Presence::read_with(&body.bytes, &self.read) {
            Ok((document, _)) => document,
            Err(error) => {
                self.more.push_back(WatcherEvent::Unreadable { key, error });
                return;
            }
        };
        let mut is_whole = true;
        if is_strict {
            match known.guard.admit(vetted, &mut document, utc) {
                Ok(whole) => is_whole = whole,
                Err(refused) => {
                    known.notifier = None;
                    self.more.push_back(match refused {
                        Refused::Unprotected(why) => WatcherEvent::Unprotected { key, why },
                        Refused::Outdated(outdated) => WatcherEvent::Outdated { key, outdated },
                    });
                    return;
                }
            }
        } else if let Some(before) = known.document.as_deref()
            && is_first
            && self.outdated == OutdatedDocuments::Refuse
        {
            let mut staleness = Staleness::default();
            let known_already = staleness.admit(&mut before.clone(), utc).is_ok();
            if known_already {
                match staleness.admit(&mut document, utc) {
                    Ok(left_aside) => is_whole = left_aside.is_empty(),
                    Err(outdated) => {
                        self.more
                            .push_back(WatcherEvent::Outdated { key, outdated });
                        self.subscriber.request_state(self.now, key);
                        return;
                    }
                }
            }
        }
        // What was left aside is taken when the notifier says it again, as it is asked to.
        known.fingerprint = is_whole.then_some(fingerprint);
        if is_whole {
            known.notifier = notifier;
        } else if !is_strict {
            self.subscriber.request_state(self.now, key);
        }
        let same = known.document.as_deref();
        if same.is_some_and(|before| before.difference(&document).is_empty()) {
            return;
        }
        let after = Arc::new(document);
        let before = known.document.replace(Arc::clone(&after));
        self.more.push_back(WatcherEvent::Changed(PresenceChange {
            key,
            before,
            after: Some(after),
            sender,
            authority: authority_of(&known.guard.names, &body.signers).map(|it| it.1),
            signed_by: body.signers,
            is_encrypted: body.is_encrypted,
        }));
    }
}
