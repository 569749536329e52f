//! The subscriber to watcher information: who watches, and what changes.

use core::time::Duration;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::Bytes;

use super::MEDIA_TYPE;
use super::document::WatcherInfo;
use super::followed::Followed;
use super::options::ReadWatcherInfoOptions;
use super::subscriber_config::WatcherInfoSubscriberConfig;
use super::subscriber_events::{WatcherInfoEvent, WatcherInfoOutput};
use super::table::{DocumentOrder, WatcherRow, WatcherTable, WatcherTableLimits};
use crate::engine::{ClientTransaction, Entropy, ServerTransaction, Timestamp};
use crate::event::{
    Account, Backlog, Failure, Forks, Identity, NotifiedBody, NotifiedState, NotifierKey,
    OpeningKey, OpeningOutcome, OwnSubscriptionInfo, OwnSubscriptionKey, OwnSubscriptionPhase,
    Profile, RequestContext, SrvRecord, SubscribeError, SubscribeOrder, Subscriber,
    SubscriberEvent, SubscriberOutput,
};
use crate::sip::{Reason, RequestRef, ResponseRef, is_token};

/// Watcher information about presence.
const PRESENCE: &str = "presence.winfo";
const MEDIA_TYPES: &[&str] = &[MEDIA_TYPE];
/// Refreshes that one `handle_timeout` asks for.
const REFRESHES_PER_CALL: usize = 512;

/// The package, to those who subscribe: an hour, one type of document, and a subscription for each
/// notifier (RFC 3857 sections 4.1 to 4.9).
fn profile(event_type: impl Into<Cow<'static, str>>) -> Profile {
    let mut profile = Profile::new("", MEDIA_TYPES).with_event_type(event_type);
    profile.forks = Forks::Several;
    profile
}

/// The text is no event type of the template `winfo`: a package, and `.winfo`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no package of watcher information")]
pub struct InvalidWatcherInfoPackage(pub String);

/// What is to be followed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FollowOrder<'a> {
    /// On whose behalf; it needs a Contact.
    pub account: &'a Account,
    /// The resource whose watchers are asked for: sip, sips or pres.
    pub resource: &'a str,
    /// The seconds to ask for; nothing leaves it to the settings.
    pub expires: Option<u32>,
    /// Media type and octets of a body, such as a filter (RFC 4660).
    pub body: Option<(&'a str, Bytes)>,
}

impl<'a> FollowOrder<'a> {
    /// An order without anything special.
    pub fn new(account: &'a Account, resource: &'a str) -> Self {
        Self {
            account,
            resource,
            expires: None,
            body: None,
        }
    }

    fn subscribe(self) -> SubscribeOrder<'a> {
        let mut order = SubscribeOrder::new(self.account, self.resource);
        order.expires = self.expires;
        order.body = self.body;
        order
    }
}

/// Follows who watches resources (RFC 3857): a user's own, as a rule, to decide who may.
///
/// It is driven as the crate's front page shows. Each resource has its subscription, which is kept alive
/// and made anew by the rules of RFC 6665. Where a SUBSCRIBE reaches several notifiers, each has a
/// subscription of its own (RFC 3857 section 4.9) and a [`WatcherTable`] of its own here, since ids and
/// versions are its own; [`watchers`](Self::watchers) shows them all as one.
///
/// What a NOTIFY brings is taken when [`poll_output`](Self::poll_output) comes to it. When documents are
/// missing the notifier is asked for everything.
///
/// ```
/// use presentity::engine::Timestamp;
/// use presentity::event::Account;
/// use presentity::winfo::{
///     FollowOrder, WatcherInfoOutput, WatcherInfoSubscriber, WatcherInfoSubscriberConfig,
/// };
/// # let mut counter = 0u8;
/// // In earnest: the operating system's generator.
/// let entropy = move |buffer: &mut [u8]| {
/// #   buffer.iter_mut().for_each(|byte| { counter = counter.wrapping_add(97); *byte = counter });
/// };
/// let mut subscriber = WatcherInfoSubscriber::new(WatcherInfoSubscriberConfig::default(), entropy);
/// let now = Timestamp::from_secs(0);
/// let account = Account::new("sip:mira@example.com")?.with_contact("sip:mira@192.0.2.7")?;
/// let key = subscriber.follow(now, FollowOrder::new(&account, "sip:mira@example.com"))?;
///
/// let Some(WatcherInfoOutput::Send(request)) = subscriber.poll_output() else { unreachable!() };
/// assert_eq!((request.method(), request.uri()), ("SUBSCRIBE", "sip:mira@example.com"));
/// // NOTIFYs come in with `handle_request`; who waits for a decision:
/// assert_eq!(subscriber.undecided(key).count(), 0);
/// subscriber.end(now, key)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct WatcherInfoSubscriber {
    subscriber: Subscriber,
    read: ReadWatcherInfoOptions,
    limits: WatcherTableLimits,
    pace: Duration,
    /// Notifiers that one subscription may have.
    forks: usize,
    /// Never walked through.
    followed: HashMap<OwnSubscriptionKey, Followed>,
    /// When notifiers are to be asked for everything.
    due: BTreeSet<(Timestamp, OwnSubscriptionKey)>,
    now: Timestamp,
    /// What one NOTIFY led to.
    more: VecDeque<WatcherInfoEvent>,
}

/// How far a subscription to watcher information has come, and how much is known by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FollowInfo<'a> {
    /// The subscription.
    pub subscription: OwnSubscriptionInfo<'a>,
    /// Rows, of all notifiers.
    pub rows: usize,
    /// Whether each notifier that has the subscription has told everything. If not, or when none has it,
    /// what is known may be out of date.
    pub is_current: bool,
}

impl WatcherInfoSubscriber {
    /// A subscriber to who watches presence (`presence.winfo`), with the application's source of
    /// unguessable bytes.
    pub fn new(
        config: WatcherInfoSubscriberConfig,
        entropy: impl Entropy + Send + 'static,
    ) -> Self {
        Self::with_profile(profile(PRESENCE), config, entropy)
    }

    /// The same for another package, by its whole event type: `dialog.winfo`, or `presence.winfo.winfo`
    /// for who follows the watchers of presence (RFC 3857 section 4.1).
    ///
    /// # Errors
    /// When the text is no token, or does not consist of a package and `.winfo`.
    pub fn of_event_type(
        event_type: impl Into<Cow<'static, str>>,
        config: WatcherInfoSubscriberConfig,
        entropy: impl Entropy + Send + 'static,
    ) -> Result<Self, InvalidWatcherInfoPackage> {
        let event_type = event_type.into();
        let package = event_type.strip_suffix(".winfo");
        match package.is_some_and(|package| !package.is_empty()) && is_token(&event_type) {
            true => Ok(Self::with_profile(profile(event_type), config, entropy)),
            false => Err(InvalidWatcherInfoPackage(event_type.into_owned())),
        }
    }

    fn with_profile(
        profile: Profile,
        config: WatcherInfoSubscriberConfig,
        entropy: impl Entropy + Send + 'static,
    ) -> Self {
        Self {
            forks: config.subscriber.forks.max(1),
            subscriber: Subscriber::new(profile, config.subscriber, entropy),
            read: config.read,
            limits: config.table,
            pace: config.refresh_pace.max(Duration::from_secs(1)),
            followed: HashMap::new(),
            due: BTreeSet::new(),
            now: Timestamp::ZERO,
            more: VecDeque::new(),
        }
    }

    /// Follows who watches a resource until [`end`](Self::end).
    ///
    /// # Errors
    /// When the order cannot be carried out; nothing has happened then.
    pub fn follow(
        &mut self,
        now: Timestamp,
        order: FollowOrder<'_>,
    ) -> Result<OwnSubscriptionKey, SubscribeError> {
        let key = self.subscriber.subscribe(now, order.subscribe())?;
        self.followed.insert(key, Followed::default());
        Ok(key)
    }

    /// Asks once who watches a resource; [`WatcherInfoEvent::Over`] ends it. What was learnt is told by
    /// [`WatcherInfoEvent::Changed`] before.
    ///
    /// # Errors
    /// When the order cannot be carried out; nothing has happened then.
    pub fn fetch(
        &mut self,
        now: Timestamp,
        order: FollowOrder<'_>,
    ) -> Result<OwnSubscriptionKey, SubscribeError> {
        let key = self.subscriber.fetch(now, order.subscribe())?;
        self.followed.insert(key, Followed::default());
        Ok(key)
    }

    /// See [`Subscriber::request_state`].
    pub fn request_state(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> bool {
        self.advance(now);
        self.subscriber.request_state(now, key)
    }

    /// See [`Subscriber::end`].
    ///
    /// # Errors
    /// [`SubscribeError::Unknown`].
    pub fn end(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> Result<(), SubscribeError> {
        self.spare(key);
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
        self.spare(key);
        self.followed.remove(&key);
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

    /// Who watches, by all notifiers, one after the other. A subscription that two of them know of is
    /// there twice.
    pub fn watchers(&self, key: OwnSubscriptionKey) -> impl Iterator<Item = WatcherRow<'_>> {
        self.tables(key).flat_map(|(_, table)| table.rows())
    }

    /// Who waits for a decision, by all notifiers. All rows are looked at.
    pub fn undecided(&self, key: OwnSubscriptionKey) -> impl Iterator<Item = WatcherRow<'_>> {
        self.tables(key).flat_map(|(_, table)| table.undecided())
    }

    /// What each notifier has told. While none has the subscription, and it is asked for again, what the
    /// last one had told is there without a notifier.
    pub fn tables(
        &self,
        key: OwnSubscriptionKey,
    ) -> impl Iterator<Item = (Option<NotifierKey>, &WatcherTable)> {
        let followed = self.followed.get(&key).into_iter();
        followed.flat_map(Followed::tables)
    }

    /// How far a subscription has come, and how much is known by it.
    pub fn resource(&self, key: OwnSubscriptionKey) -> Option<FollowInfo<'_>> {
        let subscription = self.subscriber.subscription(key)?;
        Some(self.info(subscription))
    }

    /// All that are followed, in an order that depends on nothing but the calls made.
    pub fn resources(&self) -> impl Iterator<Item = FollowInfo<'_>> {
        let subscriptions = self.subscriber.subscriptions();
        subscriptions.map(|subscription| self.info(subscription))
    }

    fn info<'a>(&'a self, subscription: OwnSubscriptionInfo<'a>) -> FollowInfo<'a> {
        let held = matches!(subscription.phase, OwnSubscriptionPhase::Held(_));
        let followed = self.followed.get(&subscription.key);
        FollowInfo {
            subscription,
            rows: (self.tables(subscription.key))
                .map(|(_, table)| table.len())
                .sum(),
            is_current: held && followed.is_some_and(|it| it.is_complete(subscription.notifiers)),
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
        self.advance(now);
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
        self.advance(now);
        self.subscriber.complete_opening(now, key, outcome)
    }

    /// See [`Subscriber::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        self.subscriber.handle_timeout(now);
        for _ in 0..REFRESHES_PER_CALL {
            let Some((at, key)) = self.due.first().copied() else {
                break;
            };
            if at > self.now {
                break;
            }
            self.spare(key);
            self.ask(key);
        }
    }

    /// See [`Subscriber::poll_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let due = self.due.first().map(|(at, _)| *at);
        let deadlines = [self.subscriber.poll_timeout(), due];
        deadlines.into_iter().flatten().min()
    }

    /// See [`Subscriber::occupancy`]; the last entry is resources that are followed. Refreshes that wait
    /// are among the timers.
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
        [
            subscriptions,
            attempts,
            dialogs,
            open,
            timers + self.due.len(),
            outputs + self.more.len(),
            openings,
            self.followed.len(),
        ]
    }

    /// See [`Subscriber::stray_outcomes`].
    pub fn stray_outcomes(&self) -> u64 {
        self.subscriber.stray_outcomes()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    pub fn poll_output(&mut self) -> Option<WatcherInfoOutput> {
        loop {
            if let Some(event) = self.more.pop_front() {
                return Some(WatcherInfoOutput::Event(event));
            }
            return Some(match self.subscriber.poll_output()? {
                SubscriberOutput::Respond(response) => WatcherInfoOutput::Respond(response),
                SubscriberOutput::Send(request) => WatcherInfoOutput::Send(request),
                SubscriberOutput::NeedCredentials(need) => WatcherInfoOutput::NeedCredentials(need),
                SubscriberOutput::Resolve(resolve) => WatcherInfoOutput::Resolve(resolve),
                SubscriberOutput::Open(opening) => WatcherInfoOutput::Open(opening),
                SubscriberOutput::Event(event) => {
                    self.heed(event);
                    continue;
                }
            });
        }
    }

    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
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
            } => self.notified(key, notifier, state, sender, body),
            // Nobody asks for it here.
            SubscriberEvent::Prolonged { .. } | SubscriberEvent::Confirmed { .. } => {}
            SubscriberEvent::BodyRefused { key, body } => {
                (self.more).push_back(WatcherInfoEvent::BodyRefused { key, body });
            }
            SubscriberEvent::Ended {
                key,
                notifier,
                end,
                retry_in,
            } => {
                // What will not change again stays known (RFC 6665 section 4.1.3).
                let stays = retry_in.is_some() || end.reason() == Some(Reason::Invariant);
                self.notifier_left(key, notifier, stays);
                self.more.push_back(WatcherInfoEvent::Ended {
                    key,
                    notifier,
                    end,
                    retry_in,
                });
            }
            SubscriberEvent::Failed {
                key,
                is_refresh,
                failure,
                retry_in,
            } => {
                if retry_in.is_none() && !is_refresh {
                    self.forget(key);
                }
                self.more.push_back(WatcherInfoEvent::Failed {
                    key,
                    is_refresh,
                    failure,
                    retry_in,
                });
            }
            SubscriberEvent::Delayed { key, retry_in } => {
                (self.more).push_back(WatcherInfoEvent::Delayed { key, retry_in });
            }
            SubscriberEvent::Over {
                key,
                was_fetch,
                confirmed,
            } => {
                self.spare(key);
                self.followed.remove(&key);
                self.more.push_back(WatcherInfoEvent::Over {
                    key,
                    was_fetch,
                    confirmed,
                });
            }
        }
    }

    fn notified(
        &mut self,
        key: OwnSubscriptionKey,
        notifier: Option<NotifierKey>,
        state: NotifiedState,
        sender: Identity,
        body: Option<NotifiedBody>,
    ) {
        let Some(followed) = self.followed.get_mut(&key) else {
            return;
        };
        let Some(told) = followed.by(notifier, self.limits) else {
            return;
        };
        if told.state != Some(state) {
            told.state = Some(state);
            if state != NotifiedState::Terminated {
                self.more.push_back(WatcherInfoEvent::State {
                    key,
                    notifier,
                    state,
                });
            }
        }
        // As many as the subscriber has dialogs, and one that made none.
        if followed.told.len() > self.forks + 1 {
            followed.told.remove(0);
        }
        if let Some(body) = body {
            self.take(key, notifier, sender, body);
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
        self.read.charset = body.charset;
        let document = match WatcherInfo::read_with(&body.bytes, &self.read) {
            Ok((document, faults)) => {
                if !faults.is_empty() {
                    (self.more).push_back(WatcherInfoEvent::Tolerated { key, faults });
                }
                document
            }
            Err(error) => {
                (self.more).push_back(WatcherInfoEvent::Unreadable { key, error });
                return;
            }
        };
        let Some(followed) = self.followed.get_mut(&key) else {
            return;
        };
        let left = &mut followed.left;
        let mut told = followed.told.iter_mut();
        let Some(told) = told.find(|it| it.notifier == notifier) else {
            return;
        };
        if !core::mem::replace(&mut told.is_heard, true)
            && let Some(mut table) = left.take()
        {
            table.restart();
            told.table = table;
        }
        let (was_known, was_complete) = (told.table.version(), told.table.is_complete());
        let version = document.version;
        let update = told.table.apply(document);
        if let DocumentOrder::Old { known } = update.order {
            self.more.push_back(WatcherInfoEvent::Outdated {
                key,
                notifier,
                version,
                known,
            });
            return;
        }
        let is_complete = told.table.is_complete();
        let is_all_complete = followed.is_complete(0);
        if !update.changes.is_empty() || was_known.is_none() || was_complete != is_complete {
            self.more.push_back(WatcherInfoEvent::Changed {
                key,
                notifier,
                changes: update.changes,
                is_complete,
                sender,
            });
        }
        if update.left_out > 0 {
            let left_out = update.left_out;
            (self.more).push_back(WatcherInfoEvent::Overfull { key, left_out });
        }
        if update.needs_refresh {
            (self.more).push_back(WatcherInfoEvent::Missed { key, notifier });
            self.ask_in_time(key);
        } else if is_all_complete {
            self.spare(key);
        }
    }

    /// The subscription at a notifier has ended.
    fn notifier_left(
        &mut self,
        key: OwnSubscriptionKey,
        notifier: Option<NotifierKey>,
        stays: bool,
    ) {
        let Some(followed) = self.followed.get_mut(&key) else {
            return;
        };
        let table = followed.end(notifier);
        if stays {
            if let Some(table) = table
                && table.version().is_some()
            {
                followed.left = Some(table);
            }
            return;
        }
        if followed.told.is_empty() {
            followed.left = table.or(followed.left.take());
            self.forget(key);
        } else if let Some(mut table) = table {
            let changes = table.clear();
            self.forgotten(key, changes);
        }
    }

    /// Nothing is known of what may not be followed any more.
    fn forget(&mut self, key: OwnSubscriptionKey) {
        if let Some(followed) = self.followed.get_mut(&key) {
            let changes = followed.forget();
            self.forgotten(key, changes);
        }
    }

    fn forgotten(&mut self, key: OwnSubscriptionKey, changes: Vec<super::WatcherChange>) {
        if !changes.is_empty() {
            self.more.push_back(WatcherInfoEvent::Changed {
                key,
                notifier: None,
                changes,
                is_complete: false,
                sender: Identity::nobody(),
            });
        }
    }

    /// Has notifiers tell everything, at once or when they may be asked again.
    fn ask_in_time(&mut self, key: OwnSubscriptionKey) {
        let Some(followed) = self.followed.get_mut(&key) else {
            return;
        };
        let may_ask_at = followed.asked_at.map(|at| at + self.pace);
        match may_ask_at.filter(|at| *at > self.now) {
            None => self.ask(key),
            Some(at) => {
                if followed.ask_at.is_none() {
                    followed.ask_at = Some(at);
                    self.due.insert((at, key));
                }
            }
        }
    }

    fn ask(&mut self, key: OwnSubscriptionKey) {
        if let Some(followed) = self.followed.get_mut(&key)
            && self.subscriber.request_state(self.now, key)
        {
            followed.asked_at = Some(self.now);
        }
    }

    /// What was to be asked for is known, or not wanted any more.
    fn spare(&mut self, key: OwnSubscriptionKey) {
        let followed = self.followed.get_mut(&key);
        if let Some(at) = followed.and_then(|it| it.ask_at.take()) {
            self.due.remove(&(at, key));
        }
    }
}
