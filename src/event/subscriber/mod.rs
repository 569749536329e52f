//! The subscriber of RFC 6665: subscriptions of ours, kept alive at notifiers of others.

mod answers;
mod comeback;
mod condition;
mod config;
mod info;
mod notify;
mod openings;
mod order;
mod ordered;
mod output;
mod rare;
mod request;
mod subscription;
mod targets;
mod terms;

use std::sync::Arc;

use bytes::Bytes;

pub(crate) use condition::is_entity_tag;
pub use config::SubscriberConfig;
pub use info::{OwnSubscriptionInfo, OwnSubscriptionPhase};
pub use order::SubscribeOrder;
pub use output::{
    NotifiedBody, NotifiedState, NotifierKey, OwnSubscriptionKey, RefusedBody, Resolve, SrvRecord,
    SubscribeError, SubscribeFailure, SubscriberEvent, SubscriberOutput, SubscriptionEnd,
};

use super::account::Account;
use super::open_requests::{HIGHEST_CSEQ, OpenRequests, SLOW_AFTER};
use super::opening::LONGEST_WAIT;
use super::package::Profile;
use super::patience::{Backoff, Holds};
use crate::engine::lanes::{Lanes, Turn as LaneTurn};
use crate::engine::place_index::PlaceIndex;
use crate::engine::slab::{Key, Slab};
use crate::engine::timer_wheel::TimerWheel;
use crate::engine::window::Window;
use crate::engine::{Entropy, Timestamp};
use crate::sip::{Content, HeadWriter, Tag};
use condition::Condition;
use openings::Openings;
use subscription::{Alarm, Attempt, Dialog, InARow, Ordered, Phase, Subscription, Turn, Wish};

/// Requests that one poll looks at without finding one to send; some hundred microseconds.
const REQUESTS_PER_POLL: u32 = 1024;

/// Subscribes to resources of one event package and keeps the subscriptions alive (RFC 6665 section
/// 4.1).
///
/// It is driven as the crate's front page shows. What it holds is the *wish* to watch a resource:
/// subscriptions that end are made anew by the rules, until [`end`](Self::end) is asked for. Presence
/// has its own front, [`Watcher`](crate::presence::Watcher).
pub struct Subscriber {
    profile: Profile,
    config: SubscriberConfig,
    entropy: Box<dyn Entropy + Send>,
    now: Timestamp,
    wheel: TimerWheel<Timer>,
    subscriptions: Slab<Subscription>,
    dialogs: Slab<Dialog>,
    /// Attempts by their From tag, which is random and ours.
    attempts: PlaceIndex,
    open: OpenRequests<OpenSubscribe>,
    /// Subscriptions are owed requests outside dialogs; dialogs have rounds.
    lanes: Lanes<SubscriberOutput>,
    holds: Holds,
    /// Bodies of NOTIFYs that the host opens.
    openings: Openings,
    /// The last poll ended before it was through.
    interrupted: bool,
    heads: HeadWriter,
    no_content: Arc<Content>,
}

/// What a deadline is for. Stale keys find nothing.
#[derive(Debug, Clone, Copy)]
enum Timer {
    Subscription(Key),
    Dialog(Key),
    Opening(Key),
}

/// A SUBSCRIBE whose outcome is awaited.
#[derive(Debug)]
struct OpenSubscribe {
    subscription: Key,
    /// The From tag of the attempt, or the dialog.
    within: Within,
    /// The seconds that were asked for.
    asked: u32,
    /// Where it went, which may ask to be spared when nothing else is left of it.
    hop: Box<str>,
    /// What the application has sent with it within a dialog, and waits for.
    ordered: Option<Ordered>,
    /// Of which it makes the NOTIFY depend.
    condition: Option<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Attempt(u64),
    Dialog(Key),
}

impl core::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Subscriber")
            .field("event_type", &self.profile.event_type)
            .field("now", &self.now)
            .field("subscriptions", &self.subscriptions.len())
            .field("dialogs", &self.dialogs.len())
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}

impl Subscriber {
    /// A subscriber to a package, with the caller's source of unguessable bytes.
    pub fn new(
        profile: Profile,
        config: SubscriberConfig,
        entropy: impl Entropy + Send + 'static,
    ) -> Self {
        let mut config = config;
        let second = core::time::Duration::from_secs(1);
        config.expires = config.expires.map(|expires| expires.max(1));
        config.retry_after = config.retry_after.max(second);
        config.timer_n = config.timer_n.max(second);
        config.initial_cseq = config.initial_cseq.min(HIGHEST_CSEQ);
        config.forks = config.forks.max(1);
        config.opening_deadline = config.opening_deadline.min(LONGEST_WAIT);
        let window = Window::new(
            config.window,
            config.slow_window,
            SLOW_AFTER,
            config.forgotten_after,
        );
        Self {
            profile,
            entropy: Box::new(entropy),
            now: Timestamp::ZERO,
            wheel: TimerWheel::new(),
            subscriptions: Slab::default(),
            dialogs: Slab::default(),
            attempts: PlaceIndex::new(),
            open: OpenRequests::new(config.role, window),
            lanes: Lanes::new(),
            holds: Holds::default(),
            openings: Openings::default(),
            interrupted: false,
            heads: HeadWriter::default(),
            no_content: Arc::new(Content::new("", None, Bytes::new())),
            config,
        }
    }

    /// Subscribes to a resource, and keeps the subscription until it is [ended](Self::end).
    ///
    /// # Errors
    /// When the order cannot be carried out; nothing has happened then.
    pub fn subscribe(
        &mut self,
        now: Timestamp,
        order: SubscribeOrder<'_>,
    ) -> Result<OwnSubscriptionKey, SubscribeError> {
        self.insert(now, order, Wish::Watch)
    }

    /// Asks for the state of a resource once (RFC 6665 section 4.4.3). It is tried once, but challenges,
    /// redirections and the server's wish to wait are answered; [`SubscriberEvent::Over`] ends it.
    ///
    /// # Errors
    /// When the order cannot be carried out; nothing has happened then.
    pub fn fetch(
        &mut self,
        now: Timestamp,
        order: SubscribeOrder<'_>,
    ) -> Result<OwnSubscriptionKey, SubscribeError> {
        self.insert(now, order, Wish::Fetch)
    }

    /// Has a notifier send the state again, within the subscription and without more time for it (RFC
    /// 6665 section 4.4.3). False when no notifier has it.
    ///
    /// It comes whether it is [held](Self::hold) or not. To poll a resource costs fewer messages this way
    /// than by fetches.
    pub fn request_state(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> bool {
        self.advance(now);
        let subscription = self.subscriptions.get(key.0);
        if subscription.is_none_or(Subscription::is_leaving) {
            return false;
        }
        let dialogs = self.dialogs_of(key.0);
        for dialog in &dialogs {
            self.ask_state(*dialog);
        }
        !dialogs.is_empty()
    }

    /// Ends a subscription: [`SubscriberEvent::Over`] tells when it has ended. What was asked for and
    /// not answered yet is ended when the answer has come. To end it twice does no harm.
    ///
    /// # Errors
    /// [`SubscribeError::Unknown`].
    pub fn end(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> Result<(), SubscribeError> {
        self.advance(now);
        let subscription = self.subscriptions.get_mut(key.0);
        let subscription = subscription.ok_or(SubscribeError::Unknown)?;
        if subscription.is_leaving() {
            return Ok(());
        }
        let was_fetch = subscription.wish == Wish::Fetch;
        subscription.wish = Wish::Leave { was_fetch };
        match subscription.phase {
            Phase::Held => {
                for dialog in self.dialogs_of(key.0) {
                    self.queue_dialog(dialog);
                }
            }
            // A NOTIFY may be on its way.
            Phase::Trying => {}
            Phase::Resolving | Phase::Queued | Phase::Waiting { .. } | Phase::Refused => {
                self.finish_if_known(key.0);
            }
        }
        Ok(())
    }

    /// Asks again for a subscription that was refused or waits, or whose refreshes fail: because the user
    /// wants it, or the network is back. One that is well or under way is left alone, and a server that
    /// asked to wait is not asked sooner. False when there is no such subscription.
    pub fn renew(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> bool {
        self.advance(now);
        let Some(subscription) = self.subscriptions.get_mut(key.0) else {
            return false;
        };
        match subscription.phase {
            Phase::Waiting { asked: Some(until) } if until > self.now => {
                self.wait(key.0, Some(until), until);
            }
            Phase::Refused | Phase::Waiting { .. } => {
                subscription.in_a_row = InARow::default();
                self.begin(key.0);
            }
            Phase::Held => {
                for key in self.dialogs_of(key.0) {
                    let fails = self.dialogs.get(key).is_some_and(|it| it.failures > 0);
                    if fails {
                        self.queue_dialog(key);
                    }
                }
            }
            Phase::Resolving | Phase::Queued | Phase::Trying => {}
        }
        true
    }

    /// Has further requests of a subscription leave for another account of the same user: after a change
    /// of address, say. Notifiers are told the new Contact at once.
    ///
    /// # Errors
    /// When the account cannot be used, and the one before stays; when there is no such subscription, or
    /// it is being ended.
    pub fn set_account(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        account: &Account,
    ) -> Result<(), SubscribeError> {
        self.advance(now);
        let subscription = self.subscriptions.get(key.0);
        let subscription = subscription.filter(|it| !it.is_leaving());
        let subscription = subscription.ok_or(SubscribeError::Unknown)?;
        self.check_account(account, &subscription.resource)?;
        let phase = subscription.phase;
        if let Some(subscription) = self.subscriptions.get_mut(key.0) {
            subscription.account = account.clone();
            // Told when there is a dialog to tell it in.
            subscription.has_moved = phase == Phase::Trying;
        }
        match phase {
            Phase::Held => {
                for dialog in self.dialogs_of(key.0) {
                    self.queue_dialog(dialog);
                }
            }
            Phase::Resolving | Phase::Queued => {
                if let Some(subscription) = self.subscriptions.get_mut(key.0) {
                    subscription.ways.clear();
                }
                self.begin(key.0);
            }
            Phase::Waiting { .. } | Phase::Refused => {
                self.renew(now, key);
            }
            Phase::Trying => {}
        }
        Ok(())
    }

    /// Forgets a subscription without a word to the notifier, where it ends by itself or by the answer to
    /// its next NOTIFY. Tells whether there was one. Events that wait to be taken still come, those that
    /// wait for a body to be opened do not.
    pub fn abandon(&mut self, now: Timestamp, key: OwnSubscriptionKey) -> bool {
        self.advance(now);
        self.openings.forget(key.0);
        self.drop(key.0).is_some()
    }

    /// Time has passed. To be called at the deadline; earlier or more often does no harm.
    ///
    /// One call does a bounded piece of work; when more is due, [`poll_timeout`](Self::poll_timeout)
    /// says so.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        let mut budget = self.config.timers_per_call.max(1);
        while self.lanes.queued() < self.config.outputs.max(1) {
            let Some(timer) = self.wheel.pop(self.now, &mut budget) else {
                break;
            };
            match timer {
                Timer::Subscription(key) => self.subscription_is_due(key),
                Timer::Dialog(key) => self.dialog_is_due(key),
                Timer::Opening(key) => self.opening_is_due(key),
            }
        }
        while budget > 0
            && let Some((open, awaited)) = self.open.abandoned(self.now)
        {
            budget -= 1;
            self.forgotten(open, awaited);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); nothing when there is no deadline.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.interrupted {
            return Some(self.now);
        }
        let deadlines = [self.wheel.next(), self.open.next()];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    ///
    /// One call does a bounded piece of work; when that was not enough to find something,
    /// [`poll_timeout`](Self::poll_timeout) wants to be woken at once.
    pub fn poll_output(&mut self) -> Option<SubscriberOutput> {
        self.interrupted = false;
        for _ in 0..REQUESTS_PER_POLL {
            let request = match self.lanes.next(self.open.has_room())? {
                LaneTurn::Output(output) => return Some(output),
                LaneTurn::Owed(key) => self.request(key),
                LaneTurn::Round(key) => self.request_in_dialog(key),
            };
            if let Some(request) = request {
                return Some(SubscriberOutput::Send(request));
            }
        }
        self.interrupted = true;
        None
    }

    /// Entries of all tables: subscriptions, attempts that NOTIFYs may name, dialogs, open requests,
    /// timers, outputs that wait, bodies that are opened and events that wait for them.
    pub fn occupancy(&self) -> [usize; 7] {
        [
            self.subscriptions.len(),
            self.attempts.len(),
            self.dialogs.len(),
            self.open.len(),
            self.wheel.len(),
            self.lanes.len(),
            self.openings.len(),
        ]
    }

    /// The number by which its transactions are told apart.
    pub(crate) fn role(&self) -> u8 {
        self.config.role
    }

    /// Outcomes of transactions that were not open.
    pub fn stray_outcomes(&self) -> u64 {
        self.open.strays()
    }

    // ---- what the parts share ---------------------------------------------------------------

    /// The latest time that was told.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Time never runs backwards here, whatever the caller says.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let mut budget = self.config.timers_per_call.max(1);
        self.open.age(self.now, &mut budget);
    }

    fn backoff(&self) -> Backoff {
        Backoff {
            shortest: self.config.retry_after,
            longest: self.config.retry_after_longest,
        }
    }

    fn dialogs_of(&self, key: Key) -> Vec<Key> {
        let subscription = self.subscriptions.get(key);
        subscription.map_or(Vec::new(), |subscription| subscription.dialogs.clone())
    }

    /// Asks for a subscription anew, after where to has been found out.
    fn begin(&mut self, key: Key) {
        self.end_attempt(key);
        if self.needs_resolving(key) {
            self.resolve(key);
        } else {
            self.queue(key);
        }
    }

    /// A SUBSCRIBE outside dialogs leaves when its turn has come.
    fn queue(&mut self, key: Key) {
        self.set_alarm(key, None);
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.phase = Phase::Queued;
            self.lanes.owe(key);
        }
    }

    /// A SUBSCRIBE leaves in a dialog when its turn has come, unless one is under way; then another
    /// follows where that is needed.
    fn queue_dialog(&mut self, key: Key) {
        let Some(dialog) = self.dialogs.get_mut(key) else {
            return;
        };
        // The SUBSCRIBE that made it may be unanswered yet, be there a NOTIFY already.
        let subscription = self.subscriptions.get(dialog.subscription);
        let attempt = subscription.and_then(|subscription| subscription.attempt);
        let is_made = attempt.is_none_or(|attempt| !attempt.is_open);
        match dialog.turn {
            Turn::None if !is_made => {
                dialog.again = true;
                dialog.refresh_at = None;
                self.set_dialog_alarm(key);
            }
            Turn::None => {
                dialog.turn = Turn::Queued;
                dialog.refresh_at = None;
                self.lanes.enter_round(key);
                self.set_dialog_alarm(key);
            }
            Turn::Queued => {}
            Turn::Open(_) => dialog.again = true,
        }
    }

    /// NOTIFYs make no dialogs any more.
    fn end_attempt(&mut self, key: Key) {
        if let Some(subscription) = self.subscriptions.get_mut(key)
            && let Some(attempt) = subscription.attempt.take()
        {
            self.attempts.remove(attempt.from_tag, key.index);
        }
    }

    fn new_attempt(&mut self, key: Key) -> Option<Attempt> {
        self.end_attempt(key);
        let from_tag = Tag::random_bits(&mut *self.entropy);
        let call_id = Tag::random_bits(&mut *self.entropy);
        let attempt = Attempt {
            from_tag,
            call_id,
            cseq: self.config.initial_cseq,
            is_open: false,
            is_accepted: false,
            granted: None,
            until: self.now,
        };
        let subscription = self.subscriptions.get_mut(key)?;
        subscription.attempt = Some(attempt);
        subscription.conditions.begin_anew();
        if !subscription.conditions.is_resumable {
            subscription.rare.hold(None);
        }
        subscription.since = self.now;
        subscription.accepted_by = None;
        self.attempts.insert(from_tag, key.index);
        Some(attempt)
    }

    fn set_alarm(&mut self, key: Key, deadline: Option<Timestamp>) {
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            let timer = Timer::Subscription(key);
            set(&mut self.wheel, &mut subscription.timer, deadline, timer);
        }
    }

    fn set_dialog_alarm(&mut self, key: Key) {
        if let Some(dialog) = self.dialogs.get_mut(key) {
            let deadline = dialog.deadline();
            set(
                &mut self.wheel,
                &mut dialog.timer,
                deadline,
                Timer::Dialog(key),
            );
        }
    }

    fn subscription_is_due(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.timer = Alarm::default();
        match subscription.phase {
            Phase::Waiting { .. } => self.begin(key),
            Phase::Resolving => self.fail(key, SubscribeFailure::Unresolved, None),
            Phase::Trying => self.timer_n(key),
            Phase::Queued | Phase::Held | Phase::Refused => {}
        }
    }

    fn dialog_is_due(&mut self, key: Key) {
        let now = self.now;
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let Some(dialog) = self.dialogs.get_mut(key) else {
            return;
        };
        dialog.timer = Alarm::default();
        if is_due(dialog.notify_by) {
            if dialog.rare.condition().is_some() {
                // Its NOTIFY may have been suppressed, and the 204 made a 200 on its way.
                let subscription = dialog.subscription;
                self.condition_has_failed(subscription);
            }
            self.end_dialog(key, SubscriptionEnd::Silent);
        } else if dialog.is_over(now) {
            self.end_dialog(key, SubscriptionEnd::Expired);
        } else if is_due(dialog.refresh_at) {
            self.queue_dialog(key);
        } else {
            self.set_dialog_alarm(key);
        }
    }

    /// Takes everything of a subscription away.
    fn drop(&mut self, key: Key) -> Option<Wish> {
        self.end_attempt(key);
        for dialog in self.dialogs_of(key) {
            self.drop_dialog(dialog);
        }
        self.set_alarm(key, None);
        self.subscriptions.remove(key).map(|gone| gone.wish)
    }

    fn drop_dialog(&mut self, key: Key) {
        if let Some(mut dialog) = self.dialogs.remove(key) {
            let timer = Timer::Dialog(key);
            set(&mut self.wheel, &mut dialog.timer, None, timer);
            if let Some(subscription) = self.subscriptions.get_mut(dialog.subscription) {
                subscription.dialogs.retain(|other| *other != key);
            }
        }
    }

    /// Something of it may be at a notifier for so many seconds.
    fn doubt(&mut self, key: Key, seconds: u32) {
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            let until = self.now + core::time::Duration::from_secs(seconds.into());
            subscription.perhaps_until = until.max(subscription.perhaps_until);
        }
    }

    /// It is over, as far as anybody can know.
    fn finish_if_known(&mut self, key: Key) {
        let subscription = self.subscriptions.get(key);
        let confirmed = subscription.is_some_and(|it| it.perhaps_until <= self.now);
        self.finish(key, confirmed);
    }

    /// A fetch, or a subscription that was to be ended, is over.
    fn finish(&mut self, key: Key, confirmed: bool) {
        if let Some(wish) = self.drop(key) {
            let was_fetch = match wish {
                Wish::Fetch => true,
                Wish::Watch => false,
                Wish::Leave { was_fetch } => was_fetch,
            };
            self.event(SubscriberEvent::Over {
                key: OwnSubscriptionKey(key),
                was_fetch,
                confirmed,
            });
        }
    }
}

fn set(
    wheel: &mut TimerWheel<Timer>,
    alarm: &mut Alarm,
    deadline: Option<Timestamp>,
    timer: Timer,
) {
    match (&alarm.0, deadline) {
        (Some((_, at)), Some(deadline)) if *at == deadline => return,
        (Some((running, _)), _) => wheel.cancel(*running),
        (None, _) => {}
    }
    alarm.0 = deadline.map(|deadline| (wheel.arm(deadline, timer), deadline));
}
