//! SIP watchers, presentities of a service whose requests are documents.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use time::OffsetDateTime;

use super::super::{Checks, ChecksConfig, MEDIA_TYPE, Operation, Request, Token};
use super::relay::{Document, Name, Relay};
use crate::engine::slab::{Key, Slab};
use crate::engine::timer_wheel::TimerWheel;
use crate::engine::wall_clock::WallClock;
use crate::engine::{ClientTransaction, Entropy, FlowId, ServerTransaction, Timestamp};
use crate::event::{
    Backlog, Decision, Failure as SipFailure, Occupancy, OpeningKey, OpeningOutcome, Output,
    Package as _, Reason, Rejection, RequestContext, Server, ServerConfig, ServerEvent, Subject,
    SubscriptionKey, Termination, Verdict, VerificationKey, View,
};
use crate::sip::{RequestRef, ResponseRef, Uri};

/// Settings of the gateway from SIP.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FromSipConfig {
    /// Settings of the SIP side. Its limit of all subscriptions counts those as well whose end the
    /// service has yet to confirm; over it a watcher is told to come again.
    pub server: ServerConfig,
    /// How documents in SUBSCRIBEs are checked.
    pub checks: ChecksConfig,
    /// The domains of the presentities beyond the gateway; empty, the default: every domain.
    pub domains: Vec<String>,
    /// How long the service may take to answer. Default 32 s.
    pub patience: Duration,
    /// Seconds that a watcher is asked to wait when the service has failed. Default 60.
    pub retry_after: u32,
}

impl Default for FromSipConfig {
    fn default() -> Self {
        Self {
            server: ServerConfig::default(),
            checks: ChecksConfig::default(),
            domains: Vec::new(),
            patience: Duration::from_secs(32),
            retry_after: 60,
        }
    }
}

/// One thing for the host to do, taken with `poll_output` until there is none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what is not done is lost"]
pub enum FromSipOutput {
    /// Bring this request to the service, and report with
    /// [`complete_order`](FromSip::complete_order).
    Order(Order),
    /// What the SIP side puts out.
    Sip(Output),
}

/// A subscription request for the service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Order {
    /// Names it in `complete_order`.
    pub key: OrderKey,
    /// What is asked for.
    pub operation: Operation,
    /// The pres URI of the watcher.
    pub watcher: String,
    /// The pres URI of the presentity.
    pub presentity: String,
    /// The token.
    pub token: String,
    /// The Content-Type of the document.
    pub content_type: String,
    /// The document: that of the watcher unchanged, where its SUBSCRIBE had one.
    pub body: Bytes,
    /// Without an answer by then it has failed.
    pub deadline: Timestamp,
}

/// How full the tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FromSipOccupancy {
    /// Those of the SIP side.
    pub server: Occupancy,
    /// Subscriptions, those included whose end the service has yet to confirm.
    pub subscriptions: usize,
    /// Orders that wait for an answer.
    pub orders: usize,
    /// Watchers' own documents that are yet to be sent on.
    pub documents: usize,
    /// Deadlines beside those of the SIP side.
    pub timers: usize,
    /// Orders that wait to be taken.
    pub outputs: usize,
}

/// Names an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey(Key);

/// Why the service has not carried out an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum OrderRefused {
    /// It lets the watcher see nothing.
    #[error("the service refuses the watcher")]
    Rejected,
    /// It asks for a signature of the watcher, or does not take the gateway's word for who that is.
    /// What it has granted before holds until its end.
    #[error("the service wants proof of the watcher")]
    Unproven,
    /// It could not be reached, or could do nothing for now.
    #[error("the service has failed")]
    Failed,
}

#[derive(Debug)]
struct Held {
    subscription: SubscriptionKey,
    name: Name,
    /// The order that waits for its answer.
    open: Option<Key>,
    /// The service has it.
    is_known: bool,
    /// The SIP side has ended it.
    is_over: bool,
    /// What is to be asked for next: seconds, and the watcher's own document.
    next: Option<(u32, Option<Document>)>,
    /// The seconds granted last.
    granted: u32,
    /// What time the last document has that was written here.
    written_at: Option<OffsetDateTime>,
    /// When the service lets it end.
    lapses_at: Timestamp,
    timer: Option<Key>,
}

#[derive(Debug)]
struct OpenOrder {
    held: Key,
    operation: Operation,
    timer: Option<Key>,
}

#[derive(Debug, Clone, Copy)]
enum Timer {
    /// The service is silent.
    Order(Key),
    /// More time is to be asked for, or it is over.
    Held(Key),
}

/// Gives SIP watchers the presentities of a service whose requests are documents: each of their
/// subscriptions is one of the service, under a token of its own, and what the service tells of it is
/// shown to that watcher alone.
///
/// A SUBSCRIBE may bring the watcher's own document, signed or not, which is checked and then carried on
/// unchanged. For one without, and for refreshes, which have none, the gateway writes a document in the
/// watcher's name: a service that asks for the watcher's signature refuses that. A watcher waits, as
/// `pending`, until the service has answered; to fetch a state once is not possible, since SIP wants it
/// at once.
///
/// SIP messages go to the gateway's calls of the same names as those of
/// [`Server`]; decisions are the service's.
#[derive(Debug)]
pub struct FromSip {
    server: Server<Relay>,
    clock: WallClock,
    patience: Duration,
    retry_after: u32,
    limit: usize,
    held: Slab<Held>,
    by_subscription: HashMap<SubscriptionKey, Key>,
    by_name: HashMap<Name, Key>,
    orders: Slab<OpenOrder>,
    wheel: TimerWheel<Timer>,
    outputs: VecDeque<FromSipOutput>,
}

/// Timers dealt with by one call.
const TIMERS_PER_CALL: u32 = 512;

impl FromSip {
    /// A gateway with the caller's source of unguessable bytes.
    pub fn new(config: FromSipConfig, entropy: impl Entropy + Send + 'static) -> Self {
        let relay = Relay::new(Checks::new(config.checks), &config.domains);
        Self {
            limit: config.server.limits.subscriptions,
            server: Server::new(relay, config.server, entropy),
            clock: WallClock::default(),
            patience: config.patience.max(Duration::from_secs(1)),
            retry_after: config.retry_after,
            held: Slab::default(),
            by_subscription: HashMap::new(),
            by_name: HashMap::new(),
            orders: Slab::default(),
            wheel: TimerWheel::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Says what time of day it is, without which no request can be written. To be said again when the
    /// clock was set.
    pub fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) {
        self.clock.set(now, utc);
        let checks = &mut self.server.package_mut().bodies.checks;
        checks.set_wall_clock(now, utc);
    }

    /// Subscriptions, those included whose end the service has yet to confirm.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.held.len() == 0
    }

    /// How full the tables are.
    pub fn occupancy(&self) -> FromSipOccupancy {
        let bodies = &self.server.package().bodies;
        FromSipOccupancy {
            server: self.server.occupancy(),
            subscriptions: self.held.len(),
            orders: self.orders.len(),
            documents: bodies.accepted.len(),
            timers: self.wheel.len(),
            outputs: self.outputs.len(),
        }
    }

    /// See [`Server::accepts`].
    pub fn accepts(&self, request: &RequestRef<'_>) -> bool {
        self.server.accepts(request)
    }

    /// See [`Server::owns`].
    pub fn owns(&self, request: &RequestRef<'_>) -> bool {
        self.server.owns(request)
    }

    /// See [`Server::handle_request`].
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
        self.server
            .handle_request(now, transaction, request, context)?;
        self.see_refreshes();
        Ok(())
    }

    /// See [`Server::complete_opening`]. What was signed around a request is not carried on, unless it is
    /// [left](crate::mime::Opener::leaving) as it is.
    pub fn complete_opening(
        &mut self,
        now: Timestamp,
        key: OpeningKey,
        outcome: OpeningOutcome,
    ) -> bool {
        let was_there = self.server.complete_opening(now, key, outcome);
        self.see_refreshes();
        was_there
    }

    /// See [`Server::complete_verification`].
    pub fn complete_verification(
        &mut self,
        now: Timestamp,
        key: VerificationKey,
        verdict: &Verdict,
    ) -> bool {
        let was_there = self.server.complete_verification(now, key, verdict);
        self.see_refreshes();
        was_there
    }

    /// See [`Server::handle_response`].
    pub fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.server.handle_response(now, transaction, response);
    }

    /// See [`Server::handle_failure`].
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        failure: SipFailure,
    ) {
        self.server.handle_failure(now, transaction, failure);
    }

    /// See [`Server::handle_flow_lost`].
    pub fn handle_flow_lost(&mut self, now: Timestamp, flow: FlowId) {
        self.server.handle_flow_lost(now, flow);
    }

    /// See [`Server::provide_credentials`].
    pub fn provide_credentials(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        value: &str,
    ) -> bool {
        self.server.provide_credentials(now, transaction, value)
    }

    /// See [`Server::decline_credentials`].
    pub fn decline_credentials(&mut self, now: Timestamp, transaction: ClientTransaction) -> bool {
        self.server.decline_credentials(now, transaction)
    }

    /// What the service has answered: the seconds granted, which are of no account for a cancellation.
    /// False when nothing waits for it any more.
    pub fn complete_order(
        &mut self,
        now: Timestamp,
        key: OrderKey,
        result: Result<u32, OrderRefused>,
    ) -> bool {
        self.server.advance(now);
        self.finish_order(key.0, Some(result))
    }

    /// What the service tells a watcher: a presence document, which is passed on unchanged. That it is the
    /// service who tells it is for the host to know; watchers choose tokens that can be guessed. False when
    /// there is no such subscription (any more), or the document is of another type than
    /// `application/pidf+xml` or, by its older name, `application/cpim-pidf+xml`.
    pub fn handle_notification(
        &mut self,
        now: Timestamp,
        watcher: &str,
        presentity: &str,
        token: &str,
        content_type: &str,
        body: &Bytes,
    ) -> bool {
        self.server.advance(now);
        let media_types = self.server.package().profile().media_types;
        let is_known = crate::sip::MediaType::parse(content_type)
            .is_ok_and(|it| media_types.iter().any(|known| it.essence_eq(known)));
        let found = self.find(watcher, presentity, token);
        let Some((key, held)) = found.and_then(|key| Some((key, self.held.get(key)?))) else {
            return false;
        };
        if !is_known || held.is_over {
            return false;
        }
        let (_, presentity, _) = &held.name;
        self.server.update_state(now, presentity, |views| {
            views.0.insert(view_of(key), body.clone()).as_ref() != Some(body)
        });
        true
    }

    /// The service has ended a subscription by itself, as the host knows for sure: its watcher is told, with
    /// this reason. False when there is no such subscription (any more).
    pub fn handle_end(
        &mut self,
        now: Timestamp,
        watcher: &str,
        presentity: &str,
        token: &str,
        reason: Reason,
    ) -> bool {
        self.server.advance(now);
        let found = self.find(watcher, presentity, token);
        let held = found.and_then(|key| self.held.get_mut(key));
        let Some(held) = held.filter(|held| !held.is_over) else {
            return false;
        };
        held.is_known = false;
        let subscription = held.subscription;
        self.end_for(subscription, reason);
        true
    }

    /// Time has passed. To be called at the deadline; earlier or more often does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.server.handle_timeout(now);
        let mut budget = TIMERS_PER_CALL;
        while let Some(timer) = self.wheel.pop(self.server.now(), &mut budget) {
            match timer {
                Timer::Order(key) => {
                    if let Some(order) = self.orders.get_mut(key) {
                        order.timer = None;
                    }
                    self.finish_order(key, None);
                }
                Timer::Held(key) => self.held_is_due(key),
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); nothing when there is no deadline.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let deadlines = [self.server.poll_timeout(), self.wheel.next()];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    pub fn poll_output(&mut self) -> Option<FromSipOutput> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        let Some(output) = self.server.poll_output() else {
            // What is there still was for subscriptions that were over before they were looked at.
            self.server.package_mut().bodies.accepted.clear();
            return None;
        };
        if let Output::Event(event) = &output {
            self.heed(event);
        }
        Some(FromSipOutput::Sip(output))
    }

    // ---- the SIP side -----------------------------------------------------------------------

    fn find(&self, watcher: &str, presentity: &str, token: &str) -> Option<Key> {
        let name = |uri: &str| Uri::parse(uri).ok().and_then(|it| it.address_of_record());
        let name = (name(watcher)?, name(presentity)?, token.to_owned());
        self.by_name.get(&name).copied()
    }

    fn heed(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::SubscriptionStarted { subject, .. } => self.begin(subject),
            ServerEvent::SubscriptionEnded { subject, .. } => self.ended(subject.key),
            _ => {}
        }
    }

    fn begin(&mut self, subject: &Subject) {
        let Some(info) = self.server.subscription(subject.key) else {
            // A fetch, or over by now.
            return;
        };
        let expires = seconds(info.expires_at.saturating_since(self.server.now())).max(1);
        let mark = info.mark.filter(|mark| !mark.is_empty()).map(str::to_owned);
        let Some(watcher) = subject.watcher.as_ref() else {
            return;
        };
        let token = match mark {
            Some(token) => token,
            None => Token::random(self.server.entropy()).to_string(),
        };
        let name = (watcher.to_string(), subject.resource.to_string(), token);
        let document = self.carried(&name);
        if let Some(known) = self.by_name.get(&name) {
            // The same document by two ways cannot be: it is a replay. The same token can.
            let is_over = self.held.get(*known).is_some_and(|held| held.is_over);
            // The service has yet to confirm the end of the one before.
            let reason = match is_over {
                true => Reason::Probation,
                false => Reason::Rejected,
            };
            self.end_for(subject.key, reason);
            return;
        }
        if self.held.len() >= self.limit {
            self.end_for(subject.key, Reason::Probation);
            return;
        }
        let key = self.held.insert(Held {
            subscription: subject.key,
            name: name.clone(),
            open: None,
            is_known: false,
            is_over: false,
            next: Some((expires, document)),
            granted: 0,
            written_at: None,
            lapses_at: Timestamp::MAX,
            timer: None,
        });
        self.by_subscription.insert(subject.key, key);
        self.by_name.insert(name, key);
        self.go_on(key);
    }

    fn ended(&mut self, subscription: SubscriptionKey) {
        let Some(key) = self.by_subscription.remove(&subscription) else {
            return;
        };
        let Some(held) = self.held.get_mut(key) else {
            return;
        };
        held.is_over = true;
        let (now, name) = (self.server.now(), held.name.clone());
        self.server.update_state(now, &name.1, |views| {
            views.0.remove(&view_of(key));
            false
        });
        let document = self.carried(&name);
        if let Some(held) = self.held.get_mut(key) {
            held.next = Some((0, document));
        }
        self.go_on(key);
    }

    fn see_refreshes(&mut self) {
        let refreshed = core::mem::take(&mut self.server.package_mut().refreshed);
        for (subscription, expires) in refreshed {
            let Some(key) = self.by_subscription.get(&subscription).copied() else {
                continue;
            };
            let name = self.held.get(key).map(|held| held.name.clone());
            let document = name.and_then(|name| self.carried(&name));
            if let Some(held) = self.held.get_mut(key)
                && !held.is_over
            {
                held.next = Some((expires, document));
                self.go_on(key);
            }
        }
    }

    fn carried(&mut self, name: &Name) -> Option<Document> {
        self.server.package_mut().bodies.accepted.remove(name)
    }

    fn end_for(&mut self, subscription: SubscriptionKey, reason: Reason) {
        let termination = match reason {
            Reason::Probation => Termination::new(reason).with_retry_after(self.retry_after),
            _ => Termination::new(reason),
        };
        let now = self.server.now();
        let _ = self.server.terminate(now, subscription, termination);
    }

    // ---- the service ------------------------------------------------------------------------

    /// Orders what is wanted next, when the order before has its answer.
    fn go_on(&mut self, key: Key) {
        let Some(held) = self.held.get_mut(key) else {
            return;
        };
        if held.open.is_some() {
            return;
        }
        let Some((expires, document)) = held.next.take() else {
            if held.is_over {
                self.forget(key);
            }
            return;
        };
        let operation = match (held.is_over, held.is_known) {
            (true, true) => Operation::Cancel,
            (true, false) => {
                // The service has never had it.
                self.forget(key);
                return;
            }
            (false, true) => Operation::Extend,
            (false, false) => Operation::Subscribe,
        };
        let (watcher, presentity, token) = held.name.clone();
        let [watcher, presentity] = [watcher, presentity].map(|name| format!("pres:{name}"));
        let written = match document {
            Some(document) => Some(document),
            None => self.write(key, [&watcher, &presentity, &token], expires),
        };
        let Some((content_type, body)) = written else {
            self.refused(key, operation, OrderRefused::Failed);
            return;
        };
        let deadline = self.server.now() + self.patience;
        let order = self.orders.insert(OpenOrder {
            held: key,
            operation,
            timer: None,
        });
        let timer = self.wheel.arm(deadline, Timer::Order(order));
        if let Some(open) = self.orders.get_mut(order) {
            open.timer = Some(timer);
        }
        if let Some(held) = self.held.get_mut(key) {
            held.open = Some(order);
        }
        self.outputs.push_back(FromSipOutput::Order(Order {
            key: OrderKey(order),
            operation,
            watcher,
            presentity,
            token,
            content_type,
            body,
            deadline,
        }));
    }

    fn write(&mut self, key: Key, [from, to, token]: [&str; 3], expires: u32) -> Option<Document> {
        let held = self.held.get_mut(key)?;
        let mut at = self.clock.at(self.server.now())?;
        // Each is newer than the one before, or it is taken for a replay.
        if let Some(earlier) = held.written_at {
            at = at.max(earlier.checked_add(time::Duration::MILLISECOND)?);
        }
        held.written_at = Some(at);
        let token = Token::new(token).ok()?;
        let request = match expires {
            0 => Request::cancel(from, to, at, &token),
            _ => Request::subscribe(from, to, at, &token, expires),
        };
        Some((MEDIA_TYPE.to_owned(), request.ok()?.octets().clone()))
    }

    /// Without a result the service has said nothing.
    fn finish_order(&mut self, key: Key, result: Option<Result<u32, OrderRefused>>) -> bool {
        let Some(order) = self.orders.remove(key) else {
            return false;
        };
        if let Some(timer) = order.timer {
            self.wheel.cancel(timer);
        }
        let Some(held) = self.held.get_mut(order.held) else {
            return true;
        };
        held.open = None;
        match (order.operation, result) {
            (Operation::Cancel, _) => {
                self.forget(order.held);
                return true;
            }
            (_, Some(Ok(0))) => self.refused(order.held, order.operation, OrderRefused::Failed),
            (_, Some(Ok(granted))) => self.granted(order.held, granted),
            (operation, Some(Err(why))) => self.refused(order.held, operation, why),
            (operation, None) => {
                self.refused(order.held, operation, OrderRefused::Failed);
                if let Some(held) = self.held.get_mut(order.held) {
                    // It may have it all the same, and is told the end.
                    held.is_known = true;
                }
            }
        }
        self.go_on(order.held);
        true
    }

    fn granted(&mut self, key: Key, seconds: u32) {
        let Some(held) = self.held.get_mut(key) else {
            return;
        };
        let granted = Duration::from_secs(seconds.into());
        let now = self.server.now();
        let first = !held.is_known;
        held.is_known = true;
        held.granted = seconds;
        held.lapses_at = now + granted;
        let info = self.server.subscription(held.subscription);
        let due = match info.is_some_and(|info| info.expires_at > held.lapses_at) {
            // In time to ask for more.
            true => now + granted.mul_f64(0.8),
            false => held.lapses_at,
        };
        let timer = self.wheel.arm(due, Timer::Held(key));
        if let Some(earlier) = held.timer.replace(timer) {
            self.wheel.cancel(earlier);
        }
        if first && !held.is_over {
            let decision = Decision::Allow(View::named(&view_of(key)));
            let _ = self.server.decide(now, held.subscription, decision);
        }
    }

    fn refused(&mut self, key: Key, operation: Operation, why: OrderRefused) {
        let Some(held) = self.held.get_mut(key) else {
            return;
        };
        let now = self.server.now();
        let is_held = operation == Operation::Extend && held.lapses_at > now;
        if is_held && why != OrderRefused::Rejected {
            // What was granted before holds until then.
            let timer = self.wheel.arm(held.lapses_at, Timer::Held(key));
            if let Some(earlier) = held.timer.replace(timer) {
                self.wheel.cancel(earlier);
            }
            return;
        }
        // The service has it no more, or never had it; it is not cancelled there.
        held.is_known = false;
        let (subscription, is_over) = (held.subscription, held.is_over);
        if is_over {
            if held.open.is_none() && operation == Operation::Cancel {
                // It could not even be written.
                self.forget(key);
            }
            return;
        }
        match why {
            OrderRefused::Rejected | OrderRefused::Unproven => {
                let decision = Decision::Reject(Rejection::Forbidden);
                let _ = self.server.decide(now, subscription, decision);
            }
            OrderRefused::Failed => self.end_for(subscription, Reason::Probation),
        }
    }

    /// Most of the time granted by the service is over, or all of it.
    fn held_is_due(&mut self, key: Key) {
        let Some(held) = self.held.get_mut(key) else {
            return;
        };
        held.timer = None;
        let now = self.server.now();
        if held.lapses_at <= now {
            held.is_known = false;
            let subscription = held.subscription;
            self.end_for(subscription, Reason::Probation);
            return;
        }
        if held.next.is_none() && !held.is_over {
            let info = self.server.subscription(held.subscription);
            let left = info.map(|info| info.expires_at.saturating_since(now));
            let left = left.map_or(0, seconds);
            if left > 0 {
                // As much as was granted before is not too brief, and given back if it is too much.
                held.next = Some((left.max(held.granted), None));
            }
        }
        self.go_on(key);
    }

    fn forget(&mut self, key: Key) {
        let Some(held) = self.held.remove(key) else {
            return;
        };
        if let Some(timer) = held.timer {
            self.wheel.cancel(timer);
        }
        self.by_name.remove(&held.name);
        self.carried(&held.name);
    }
}

/// What a subscription sees has a name of its own: tokens of different watchers may be the same.
fn view_of(key: Key) -> String {
    format!("{}.{}", key.index, key.generation)
}

/// A fraction counts as one.
fn seconds(time: Duration) -> u32 {
    let more = u64::from(time.subsec_nanos() > 0);
    u32::try_from(time.as_secs().saturating_add(more)).unwrap_or(u32::MAX)
}
