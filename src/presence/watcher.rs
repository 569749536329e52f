//! The watcher: what it knows of presentities, and what changes.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::hash::RandomState;

use time::OffsetDateTime;

use super::package::subscriber_profile;
use super::watcher_config::{OutdatedDocuments, UriPreference, WatcherConfig};
use super::watcher_documents::{Known, WatchInfo};
use super::watcher_events::{WatcherEvent, WatcherOutput};
use super::watcher_order::WatchOrder;
use crate::engine::wall_clock::WallClock;
use crate::engine::{ClientTransaction, Entropy, ServerTransaction, Timestamp};
use crate::event::Protection;
use crate::event::{
    Account, Backlog, Failure, NotifiedState, OpeningKey, OpeningOutcome, OwnSubscriptionInfo,
    OwnSubscriptionKey, OwnSubscriptionPhase, RequestContext, SrvRecord, SubscribeError,
    SubscribeOrder, Subscriber, SubscriberEvent, SubscriberOutput,
};
use crate::pidf::{Presence, ReadOptions};
use crate::sip::{Reason, RequestRef, ResponseRef};

/// Watches presentities (RFC 3856 section 4): one, or a list of as many as there are buddies.
///
/// It is driven as the crate's front page shows. Each presentity has its subscription, which is kept
/// alive and made anew by the rules of RFC 6665, and its document, the one of the newest NOTIFY that had
/// one. Before the first nothing is known, which is not the same as closed.
///
/// What is known is not asked for again: a notifier that names its documents by entity-tags (RFC 5839)
/// sends them only when they have changed, over losses of a subscription and, with what
/// [`resumption`](Self::resumption) gives, over those of the program. It can be asked to send changes
/// alone ([`WatchOrder::partial`]), no more often than that ([`WatchOrder::rates`]), and nothing for a while
/// ([`set_quiet`](Self::set_quiet)).
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
    pub(super) subscriber: Subscriber,
    pub(super) preference: UriPreference,
    pub(super) outdated: OutdatedDocuments,
    pub(super) protection: Protection,
    pub(super) max_signature_age: Option<Duration>,
    pub(super) read: ReadOptions,
    pub(super) partial: bool,
    /// Octets of a body, and of what is put together of several.
    pub(super) longest: usize,
    /// Never walked through.
    pub(super) known: HashMap<OwnSubscriptionKey, Known>,
    /// Tells documents that came before by their octets, so that nobody can make two of them alike.
    pub(super) fingerprints: RandomState,
    pub(super) clock: WallClock,
    pub(super) now: Timestamp,
    /// What one NOTIFY led to, beside the first.
    pub(super) more: VecDeque<WatcherEvent>,
}

impl Watcher {
    /// A watcher with the application's source of unguessable bytes.
    pub fn new(config: WatcherConfig, entropy: impl Entropy + Send + 'static) -> Self {
        let mut subscriber = config.subscriber;
        subscriber.opens_bodies |= config.protection != Protection::None;
        Self {
            longest: subscriber.body,
            subscriber: Subscriber::new(subscriber_profile(), subscriber, entropy),
            preference: config.preference,
            outdated: config.outdated,
            protection: config.protection,
            max_signature_age: config.max_signature_age,
            read: config.read,
            partial: config.partial,
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
        self.begin(order, |subscriber, order| subscriber.subscribe(now, order))
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
        self.begin(order, |subscriber, order| subscriber.fetch(now, order))
    }

    fn begin(
        &mut self,
        order: WatchOrder<'_>,
        ask: impl FnOnce(
            &mut Subscriber,
            SubscribeOrder<'_>,
        ) -> Result<OwnSubscriptionKey, SubscribeError>,
    ) -> Result<OwnSubscriptionKey, SubscribeError> {
        let guard = self.guard(&order);
        let resume = order.resume.clone();
        let is_partial = self.is_partial(&order);
        let subscribe = self.choose(&order)?;
        let known = Known::of(subscribe.resource, guard, resume.as_ref(), is_partial);
        let key = ask(&mut self.subscriber, subscribe)?;
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
            is_current: held && known.is_some_and(Known::is_current),
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

    fn heed(&mut self, event: SubscriberEvent) {
        match event {
            SubscriberEvent::Notified {
                key,
                notifier,
                state,
                sender,
                body,
                entity_tag,
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
                    self.take(key, notifier, sender, body, entity_tag.as_deref());
                }
            }
            SubscriberEvent::Confirmed { key, notifier } => self.confirmed(key, notifier),
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
                // A fetch that could not be answered says nothing of what an earlier one has left.
                if retry_in.is_none() && !is_refresh && !failure.may_pass() {
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
}
