//! The notifier and publication server as one state machine.

use std::collections::VecDeque;
use std::hash::RandomState;
use std::sync::Arc;

use bytes::Bytes;

use super::config::ServerConfig;
use super::dialog::Basics;
use super::fingerprints::Fingerprints;
use super::identity::RequestContext;
use super::opening::LONGEST_WAIT;
use super::output::{Backlog, JobKey, JobOutcome, Output, ServerEvent, Subject, SubscriptionKey};
use super::package::{Documents, Package};
use super::protection::{ProtectError, ProtectionTask, Stalled};
use super::publish::PendingJob;
use super::refusal::{Counters, Refusal, RefusalReason, in_dialog, response_to};
use super::remembered::RememberedRequests;
use super::resource::{Publication, Resource, contents};
use super::subscription::{Flow, Repetition, Source, Subscription, Variant, Watcher};
use super::waiting::{Waited, WaitingRequest};
use crate::engine::interned::Interned;
use crate::engine::jobs::Jobs;
use crate::engine::lanes::{Lanes, Turn};
use crate::engine::place_index::PlaceIndex;
use crate::engine::slab::{Key, Slab};
use crate::engine::timer_wheel::TimerWheel;
use crate::engine::window::Window;
use crate::engine::{Entropy, FlowId, ServerTransaction, Timestamp};
use crate::sip::{Content, Event, HeadWriter, HeaderName, RequestRef, Response};

/// The notifier of RFC 6665 and the publication server of RFC 3903 for one event package.
///
/// The crate's front page tells how it is driven. Presence has its own
/// front, [`Agent`](crate::presence::Agent); other packages use this type directly.
pub struct Server<P: Package> {
    pub(super) package: P,
    pub(super) config: ServerConfig,
    pub(super) entropy: Box<dyn Entropy + Send>,
    pub(super) now: Timestamp,
    pub(super) wheel: TimerWheel<Timer>,
    pub(super) subscriptions: Slab<Subscription>,
    /// Live subscriptions by what names them: a local tag, which is random and ours, or a keyed hash.
    pub(super) ways: PlaceIndex,
    /// Makes hashes of names that nobody can aim at.
    pub(super) names: RandomState,
    pub(super) resources: Interned<Resource<P>>,
    pub(super) variants: Interned<Variant>,
    /// Makes fingerprints of documents that nobody can aim at.
    pub(super) fingerprints: Fingerprints,
    pub(super) watchers: Interned<Watcher>,
    pub(super) sources: Interned<Source>,
    pub(super) flows: Interned<Flow>,
    pub(super) publications: Slab<Publication<P>>,
    /// Publications by the random part of their entity-tag, which is ours.
    pub(super) entity_tags: PlaceIndex,
    pub(super) next_entity_tag: u64,
    pub(super) jobs: Jobs<PendingJob<P>>,
    pub(super) verifications: Jobs<WaitingRequest>,
    pub(super) openings: Jobs<WaitingRequest>,
    pub(super) protections: Jobs<ProtectionTask>,
    /// Who waits for room among them.
    pub(super) stalled: VecDeque<Stalled>,
    pub(super) remembered: RememberedRequests,
    pub(super) notifies: Window<OpenNotify>,
    /// Subscriptions are owed a NOTIFY; resources have rounds.
    pub(super) lanes: Lanes<Output>,
    /// Each subscription has documents of its own.
    pub(super) is_personal: bool,
    /// Filters and differences that were worked out since somebody looked.
    pub(super) evaluations: u32,
    /// The last poll ended before it was through.
    pub(super) interrupted: bool,
    pub(super) heads: HeadWriter,
    /// Lines that every NOTIFY has.
    pub(super) added_fields: String,
    pub(super) no_content: Arc<Content>,
    pub(super) allow_events: Arc<str>,
    pub(super) counters: Counters,
}

/// RFC 3261 section 8.1.1.5 asks for less than 2^31; a dialog is to have room to count up.
const HIGHEST_INITIAL_CSEQ: u32 = (1 << 31) - (1 << 24);
/// Watchers that one poll looks at without finding one who is to be told; some hundred microseconds.
const WATCHERS_PER_POLL: u32 = 4096;
/// How many of what one call may do goes into a filter or a difference that is worked out: at worst one takes
/// some milliseconds, where a watcher or a timer takes less than one thousandth of that.
const EVALUATIONS_PER_CALL: u32 = 8;

/// What is held of a resource: its version, what the application has set, and its publications.
pub(crate) type Held<'a, P> = (
    u64,
    &'a mut <P as Package>::State,
    &'a [(u64, &'a <P as Package>::Publication)],
);

/// What a deadline is for. Stale keys find nothing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timer {
    Expiry(Key),
    Release(Key),
    Round(Key),
    Publication(Key),
    Job(Key),
    Verification(Key),
    Protection(Key),
    Opening(Key),
    Pace(Key),
}

/// A NOTIFY whose outcome is awaited.
#[derive(Debug)]
pub(super) struct OpenNotify {
    pub(super) subscription: Key,
    /// Nothing for most of them, which have state of now and no credentials.
    pub(super) repetition: Option<Box<Repetition>>,
}

impl OpenNotify {
    /// The field that credentials are waited for, if it was challenged.
    pub(super) fn awaited(&self) -> Option<HeaderName> {
        self.repetition.as_ref()?.awaited
    }
}

impl<P: Package> core::fmt::Debug for Server<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Server")
            .field("event_type", &self.package.profile().event_type)
            .field("now", &self.now)
            .field("subscriptions", &self.subscriptions.len())
            .field("publications", &self.publications.len())
            .field("open_notifies", &self.notifies.len())
            .finish_non_exhaustive()
    }
}

impl<P: Package> Server<P> {
    /// A server for a package, with the caller's source of unguessable bytes.
    pub fn new(
        package: P,
        config: ServerConfig,
        mut entropy: impl Entropy + Send + 'static,
    ) -> Self {
        let mut allow_events = String::from(&*package.profile().event_type);
        for text in &config.other_event_types {
            if let Ok(event) = Event::parse(text)
                && event.event_type() == text
            {
                allow_events.push_str(", ");
                allow_events.push_str(text);
            }
        }
        let mut config = config;
        config.max_expires = config.max_expires.max(1);
        config.min_expires = config.min_expires.min(config.max_expires);
        config.publish_max_expires = config.publish_max_expires.max(1);
        config.publish_min_expires = config.publish_min_expires.min(config.publish_max_expires);
        config.job_deadline = config.job_deadline.min(LONGEST_WAIT);
        config.initial_cseq = config.initial_cseq.min(HIGHEST_INITIAL_CSEQ);
        let added_fields = added_fields(&config.notify_fields);
        Self {
            now: Timestamp::ZERO,
            wheel: TimerWheel::new(),
            subscriptions: Slab::default(),
            ways: PlaceIndex::new(),
            names: RandomState::new(),
            resources: Interned::new(),
            variants: Interned::new(),
            fingerprints: Fingerprints::new(&mut entropy),
            watchers: Interned::new(),
            sources: Interned::new(),
            flows: Interned::new(),
            publications: Slab::default(),
            entity_tags: PlaceIndex::new(),
            next_entity_tag: 0,
            jobs: Jobs::new(config.limits.jobs),
            verifications: Jobs::new(config.limits.jobs),
            // A NOTIFY cannot be refused: with room for none it would wait for ever.
            protections: Jobs::new(config.limits.jobs.max(1)),
            stalled: VecDeque::new(),
            openings: Jobs::new(config.limits.jobs),
            remembered: RememberedRequests::new(config.limits.remembered_requests),
            notifies: Window::new(
                config.window,
                config.slow_window,
                config.slow_after,
                config.forgotten_after,
            ),
            lanes: Lanes::new(),
            is_personal: package.profile().documents == Documents::Personal,
            evaluations: 0,
            interrupted: false,
            heads: HeadWriter::default(),
            no_content: Arc::new(Content::new(&added_fields, None, Bytes::new())),
            added_fields,
            allow_events: allow_events.into(),
            counters: Counters::default(),
            config,
            package,
            entropy: Box::new(entropy),
        }
    }

    /// Whether this kind of role deals with a request: SUBSCRIBE, PUBLISH, and CANCEL, which has no
    /// effect here (RFC 6665 section 4.6).
    ///
    /// A host with several packages gives such a request to the server that
    /// [`owns`](Self::owns) it, or to any of them when none does: that one answers 489 or 481, as
    /// it answers 481 and 405 to requests of other methods that nobody wants.
    pub fn accepts(&self, request: &RequestRef<'_>) -> bool {
        matches!(request.method(), "SUBSCRIBE" | "PUBLISH" | "CANCEL")
    }

    /// Whether a request is for this very server: it belongs to a dialog here or, outside dialogs,
    /// names this package in Event.
    pub fn owns(&self, request: &RequestRef<'_>) -> bool {
        let Ok(basics) = Basics::read(request) else {
            return false;
        };
        match basics.to.tag() {
            Some(tag) => self.find_dialog(tag, &basics).is_some(),
            None => self.accepts(request) && self.read_event(request).is_ok(),
        }
    }

    /// A request that opened a server transaction.
    ///
    /// Retransmissions are the transaction layer's business and must not come here; a request that
    /// came by two branches comes twice, under different transactions.
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
        if self.lanes.queued() >= self.config.limits.outputs {
            self.counters.backlogs += 1;
            return Err(Backlog {
                retry_after: self.config.retry_after,
            });
        }
        let outcome = if request.method() == "ACK" {
            // Never answered (RFC 3261 section 17), so a stray one ends here.
            Ok(())
        } else if request.is_overlong() {
            Err(Refusal::new(513, RefusalReason::TooLarge))
        } else if request.is_malformed() {
            Err(Refusal::malformed())
        } else {
            match request.method() {
                "SUBSCRIBE" => self.subscribe(transaction, request, context, &Waited::default()),
                "PUBLISH" => self.publish(transaction, request, context, &Waited::default()),
                "CANCEL" => {
                    let response = self.response(transaction, request, 200);
                    self.lanes.output(Output::Respond(response));
                    Ok(())
                }
                "NOTIFY" => Err(Refusal::new(481, RefusalReason::UnknownDialog)),
                _ if in_dialog(request) => Err(Refusal::new(481, RefusalReason::UnknownDialog)),
                _ => {
                    Err(Refusal::new(405, RefusalReason::Method)
                        .with(HeaderName::Allow, self.allow()))
                }
            }
        };
        if let Err(refusal) = outcome {
            self.refuse(transaction, request, refusal);
        }
        Ok(())
    }

    /// A connection is lost: requests to those who came by it go to their Contact from now on.
    pub fn handle_flow_lost(&mut self, now: Timestamp, flow: FlowId) {
        self.advance(now);
        if let Some(key) = self.flows.find(&flow) {
            // Those who came by it have a stale key from now on, which finds nothing.
            self.flows.remove(key);
        }
    }

    /// Time has passed. To be called at the deadline; earlier or more often does no harm.
    ///
    /// One call does a bounded piece of work; when more is due, [`poll_timeout`](Self::poll_timeout)
    /// says so.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        self.evaluations = 0;
        let mut budget = self.config.timers_per_call.max(1);
        while self.lanes.queued() < self.config.limits.outputs {
            let Some(timer) = self.wheel.pop(self.now, &mut budget) else {
                break;
            };
            match timer {
                Timer::Expiry(key) => self.expire_subscription(key),
                Timer::Release(key) => self.release(key),
                Timer::Round(key) => self.round_is_due(key),
                Timer::Publication(key) => self.expire_publication(key),
                Timer::Job(key) => {
                    let _ = self.finish_job(key, false);
                }
                Timer::Verification(key) => self.expire_verification(key),
                Timer::Protection(key) => {
                    let _ = self.end_protection(key, Err(ProtectError::Timeout));
                }
                Timer::Opening(key) => self.expire_opening(key),
                Timer::Pace(key) => self.pace_is_due(key),
            }
            self.charge_evaluations(&mut budget, self.config.timers_per_call);
        }
        while budget > 0
            && let Some(key) = self.notifies.abandoned(self.now)
        {
            budget -= 1;
            self.forget_notify(key);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); nothing when there is no deadline.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.interrupted {
            return Some(self.now);
        }
        self.wheel
            .next()
            .into_iter()
            .chain(self.notifies.next())
            .min()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    ///
    /// One call does a bounded piece of work; when that was not enough to find something,
    /// [`poll_timeout`](Self::poll_timeout) wants to be woken at once.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.interrupted = false;
        self.evaluations = 0;
        let mut budget = WATCHERS_PER_POLL;
        while budget > 0 {
            let notification = match self.lanes.next(self.notifies.has_room())? {
                Turn::Output(output) => return Some(output),
                Turn::Owed(key) => self.notify(key),
                Turn::Round(key) => self.next_of_round(key, &mut budget),
            };
            if notification.is_some() {
                return notification;
            }
            self.charge_evaluations(&mut budget, WATCHERS_PER_POLL);
        }
        self.interrupted = true;
        None
    }

    /// Takes from what a call may still do what has gone into filters and differences.
    fn charge_evaluations(&mut self, budget: &mut u32, whole: u32) {
        let each = whole.div_ceil(EVALUATIONS_PER_CALL);
        let evaluations = core::mem::take(&mut self.evaluations);
        *budget = budget.saturating_sub(evaluations.saturating_mul(each));
    }

    /// The same in the middle of a round.
    pub(super) fn charge_round(&mut self, budget: &mut u32) {
        self.charge_evaluations(budget, WATCHERS_PER_POLL);
    }

    /// Changes what the application has set for a resource, named canonically; `change` tells
    /// whether it did. Watchers are told when their document becomes another.
    pub fn update_state(
        &mut self,
        now: Timestamp,
        resource: &str,
        change: impl FnOnce(&mut P::State) -> bool,
    ) -> bool {
        self.advance(now);
        let key = self
            .resources
            .find_or_insert(resource, || Resource::new(resource));
        let changed = self
            .resources
            .get_mut(key)
            .is_some_and(|resource| change(&mut resource.state));
        if changed {
            self.touch(key);
        }
        self.drop_if_unused(key);
        changed
    }

    /// Looks at what is held of a resource, named canonically: with the package, the state that the
    /// application set, the publications as [`Package::render`] gets them, and the version of it
    /// all. Nothing when nobody watches, publishes for, or has set a state of the resource.
    pub(crate) fn look_at<R>(
        &mut self,
        resource: &str,
        look: impl FnOnce(&P, Held<'_, P>) -> R,
    ) -> Option<R> {
        let key = self.resources.find(resource)?;
        let resource = self.resources.get_mut(key)?;
        let publications = contents(&self.publications, resource.publications.first());
        Some(look(
            &self.package,
            (resource.version, &mut resource.state, &publications),
        ))
    }

    /// The job of a deferred publication is done, or failed. What it tells says whether the
    /// publication is in force; if it is not, what the application stored for it is to go again.
    pub fn complete_job(&mut self, now: Timestamp, key: JobKey, success: bool) -> JobOutcome {
        self.advance(now);
        self.finish_job(key.0, success)
    }

    /// The package.
    pub fn package(&self) -> &P {
        &self.package
    }

    /// The package, to change what it decides by.
    pub fn package_mut(&mut self) -> &mut P {
        &mut self.package
    }

    /// The methods of this role, for Allow.
    pub fn allow(&self) -> &'static str {
        if self.package.profile().publication_types.is_empty() {
            "SUBSCRIBE"
        } else {
            "SUBSCRIBE, PUBLISH"
        }
    }

    /// The event types, for Allow-Events (RFC 6665 section 4.4.4).
    pub fn allow_events(&self) -> &str {
        &self.allow_events
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The caller's source of unguessable bytes.
    pub(crate) fn entropy(&mut self) -> &mut dyn Entropy {
        &mut *self.entropy
    }

    /// Refuses a request with 503.
    pub(crate) fn turn_away(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        retry_after: u32,
    ) {
        self.advance(now);
        let refusal = Refusal::new(503, RefusalReason::Limit)
            .with(HeaderName::RetryAfter, retry_after.to_string());
        self.refuse(transaction, request, refusal);
    }

    // ---- what the parts share -------------------------------------------------------------

    /// Has these event types in Allow-Events from now on, beside what was there.
    pub(crate) fn tell_of_events<'a>(&mut self, event_types: impl Iterator<Item = &'a str>) {
        let mut allow_events = self.allow_events.to_string();
        for event_type in event_types {
            if allow_events.split(", ").all(|known| known != event_type) {
                allow_events.push_str(", ");
                allow_events.push_str(event_type);
            }
        }
        self.allow_events = allow_events.into();
    }

    /// Responses, events and wishes that wait to be taken.
    pub(crate) fn queued_outputs(&self) -> usize {
        self.lanes.queued()
    }

    /// Whose subscription to what.
    pub(crate) fn subject_of(&self, key: SubscriptionKey) -> Option<Subject> {
        self.subject(key.0)
    }

    /// The latest time that was told.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Time never runs backwards here, whatever the caller says. A front that ends a call by itself
    /// tells the time of it too, or what is polled next leaves at an earlier one.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.notifies
            .age(self.now, &mut self.config.timers_per_call.max(1).clone());
    }

    pub(super) fn response(
        &mut self,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        status: u16,
    ) -> Response {
        response_to(&mut *self.entropy, transaction, request, status)
    }

    pub(super) fn refuse(
        &mut self,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        refusal: Refusal,
    ) {
        self.counters.count_refusal(refusal.reason);
        super::trace::refusal(refusal.status, refusal.reason);
        let challenge = refusal.reason == RefusalReason::Challenged;
        let response = refusal.into_response(&mut *self.entropy, transaction, request);
        self.lanes.output(if challenge {
            Output::Challenge(response)
        } else {
            Output::Respond(response)
        });
    }

    pub(super) fn event(&mut self, event: ServerEvent) {
        super::trace::event(&event, self.config.trace_uris);
        self.lanes.output(Output::Event(event));
    }

    pub(super) fn subject(&self, key: Key) -> Option<Subject> {
        let subscription = self.subscriptions.get(key)?;
        let watcher = subscription.watcher.and_then(|key| self.watchers.get(key));
        Some(Subject {
            key: SubscriptionKey(key),
            watcher: watcher.map(|watcher| Arc::clone(&watcher.name)),
            resource: Arc::clone(&self.resources.get(subscription.resource)?.name),
            direct: subscription.way.direct().map(|direct| direct.name.clone()),
        })
    }

    /// Queues a NOTIFY that leaves whatever the watcher has.
    pub(super) fn owe(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.owed = true;
        if let Some(pace) = subscription.terms_mut().and_then(|it| it.pace.as_mut()) {
            pace.owes_change = false;
        }
        if !subscription.queued && subscription.open.is_none() {
            subscription.queued = true;
            self.lanes.owe(key);
        }
    }

    fn release(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.take_hold();
        if subscription.owed {
            self.owe(key);
        }
    }
}

pub(super) fn added_fields(fields: &[(String, String)]) -> String {
    let token = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
    };
    fields
        .iter()
        .filter(|(name, value)| token(name) && !value.contains(|c: char| c.is_control()))
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect()
}
