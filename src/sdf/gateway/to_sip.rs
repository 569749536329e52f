//! Watchers whose requests are documents, presentities that SIP knows.

use core::time::Duration;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;

use super::super::checks::{Checked, Passed};
use super::super::intake::{Intake, Waiting};
use super::super::replays::Receipt;
use super::super::{
    Checks, ChecksConfig, Failure, Granted, IntakeConfig, Operation, Request, RequestContext,
    Verification, VerificationKey, Wish,
};
use crate::engine::slab::{Key, Slab};
use crate::engine::timer_wheel::TimerWheel;
use crate::engine::{Entropy, FlowId, ServerTransaction, Timestamp};
use crate::event::{
    Account, Backlog, Identity, NotifiedState, OwnSubscriptionKey, SubscribeError,
    SubscribeFailure, SubscribeOrder, Subscriber, SubscriberConfig, SubscriberEvent,
    SubscriberOutput, SubscriptionEnd, Verdict,
};
use crate::mime::Signer;
use crate::presence::UriPreference;
use crate::sip::Reason;

/// Settings of the gateway towards SIP.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToSipConfig {
    /// How requests are checked.
    pub checks: ChecksConfig,
    /// Bounds of what comes in.
    pub intake: IntakeConfig,
    /// Settings of the SIP side. A 423 is never heeded: a document cannot be made to ask for more.
    pub subscriber: SubscriberConfig,
    /// By which URI a presentity is asked for. Default: its sip URI, with the same user and domain,
    /// which every proxy knows how to route.
    pub preference: UriPreference,
}

impl Default for ToSipConfig {
    fn default() -> Self {
        Self {
            checks: ChecksConfig::default(),
            intake: IntakeConfig::default(),
            subscriber: SubscriberConfig {
                role: 2,
                ..SubscriberConfig::default()
            },
            preference: UriPreference::Sip,
        }
    }
}

/// One thing for the host to do, taken with `poll_output` until there is none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what is not done is lost"]
pub enum ToSipOutput {
    /// Answer a request.
    Respond {
        /// That opened this transaction.
        transaction: ServerTransaction,
        /// With what is granted, or why nothing is.
        result: Result<Granted, Failure>,
    },
    /// Bring this to a watcher.
    Notify(RelayedState),
    /// A subscription is over for another reason than that its watcher has cancelled it.
    Ended {
        /// The watcher, by the From of its first request.
        watcher: Arc<str>,
        /// The presentity, by the To of that request.
        presentity: Arc<str>,
        /// The token.
        token: Arc<str>,
        /// Why; nothing when it has lapsed.
        end: Option<SubscriptionEnd>,
    },
    /// A request waits for the verification of its signature: verify, and report with
    /// [`complete_verification`](ToSip::complete_verification).
    Verify(Verification),
    /// What the SIP side puts out: requests, responses, wishes. Its events are dealt with here.
    Sip(SubscriberOutput),
}

/// Presence information that a NOTIFY has brought, as it came, or opened where it was protected.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RelayedState {
    /// The watcher, by the From of its first request.
    pub watcher: Arc<str>,
    /// The presentity, by the To of that request.
    pub presentity: Arc<str>,
    /// The token of the subscription; nothing for a fetch.
    pub token: Option<Arc<str>>,
    /// The connection or path of the watcher's last request.
    pub flow: Option<FlowId>,
    /// Seconds that the subscription lives from now on; nothing for a fetch.
    pub duration: Option<u32>,
    /// Whether a decision is awaited.
    pub pending: bool,
    /// The media type of the body.
    pub media_type: &'static str,
    /// The body, unchanged; that within where it was signed or encrypted.
    pub body: Bytes,
    /// Who sent the NOTIFY, as the host has established it.
    pub sender: Identity,
    /// Who signed the body, which was opened on the way; nobody when it was not signed.
    pub signers: Vec<Signer>,
    /// Whether it was encrypted on its way to here.
    pub is_encrypted: bool,
}

/// A watcher's subscription, or fetch.
#[derive(Debug)]
struct Held {
    subscription: OwnSubscriptionKey,
    watcher: Arc<str>,
    presentity: Arc<str>,
    /// Nothing for a fetch.
    token: Option<Arc<str>>,
    /// Of a fetch, where its time is looked at.
    fetch: Option<Receipt>,
    flow: Option<FlowId>,
    /// The request that is to be answered when the SIP side has spoken.
    open: Option<OpenRequest>,
    /// A decision is awaited, by the last NOTIFY.
    pending: bool,
    lapses_at: Timestamp,
    timer: Option<Key>,
}

#[derive(Debug)]
struct OpenRequest {
    transaction: ServerTransaction,
    operation: Operation,
    /// Seconds asked for.
    asked: u32,
    receipt: Option<Receipt>,
    flow: Option<FlowId>,
}

/// Watcher, presentity, token: the first two as canonical addresses of record.
type Triple = (String, String, String);

/// Carries subscription requests to presentities that SIP knows: a subscription becomes one of SIP, made
/// by a SUBSCRIBE whose body is the document, with all that is around it, unchanged; what its NOTIFYs
/// bring comes back unchanged as well.
///
/// Requests are checked here as by a [`Service`](super::super::Service), so that nobody else than the
/// watcher extends or cancels. The far end has the last word: a request is answered when it has. The
/// subscription lapses here when the time is over that was granted, and is ended there.
///
/// It is driven as a service; SIP messages go to [`sip_mut`](Self::sip_mut).
#[derive(Debug)]
pub struct ToSip {
    checks: Checks,
    preference: UriPreference,
    subscriber: Subscriber,
    intake: Intake<Account>,
    held: Slab<Held>,
    by_triple: HashMap<Triple, Key>,
    by_subscription: HashMap<OwnSubscriptionKey, Key>,
    /// Under way, so that none is carried on twice before the far end has answered.
    fetches: HashSet<Receipt>,
    lapses: TimerWheel<Key>,
    outputs: VecDeque<ToSipOutput>,
}

/// Lapses dealt with by one call.
const LAPSES_PER_CALL: u32 = 512;

impl ToSip {
    /// A gateway with the caller's source of unguessable bytes.
    pub fn new(config: ToSipConfig, entropy: impl Entropy + Send + 'static) -> Self {
        let mut subscriber = config.subscriber;
        subscriber.longest_expires = 0;
        let profile = crate::presence::subscriber_profile();
        Self {
            checks: Checks::new(config.checks),
            preference: config.preference,
            subscriber: Subscriber::new(profile, subscriber, entropy),
            intake: Intake::new(config.intake),
            held: Slab::default(),
            by_triple: HashMap::new(),
            by_subscription: HashMap::new(),
            fetches: HashSet::new(),
            lapses: TimerWheel::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Says what time of day it is, without which no request is known to be fresh. To be said again
    /// when the clock was set.
    pub fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) {
        self.checks.set_wall_clock(now, utc);
    }

    /// The SIP side, for NOTIFYs, responses, failures, credentials, resolved names and opened bodies. Its
    /// output and time are the gateway's.
    pub fn sip_mut(&mut self) -> &mut Subscriber {
        &mut self.subscriber
    }

    /// Subscriptions and fetches under way.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.held.len() == 0
    }

    /// Requests that wait for a verification.
    pub fn waiting(&self) -> usize {
        self.intake.waiting()
    }

    /// Entries of all tables: subscriptions and fetches, their names on either side, requests that wait
    /// for a verification, deadlines, outputs that wait. Those of the SIP side are told by it.
    pub fn occupancy(&self) -> [usize; 6] {
        [
            self.held.len(),
            self.by_triple.len() + self.fetches.len(),
            self.by_subscription.len(),
            self.intake.waiting(),
            self.lapses.len(),
            self.outputs.len(),
        ]
    }

    /// A subscription request, as the body that some protocol has brought; `account` is on whose behalf
    /// the SUBSCRIBE is sent: that of the watcher, or the gateway's own. Answered by a
    /// [`ToSipOutput::Respond`] of the same transaction.
    ///
    /// # Errors
    /// [`Backlog`] when nothing happened, since too much waits to be taken.
    pub fn handle_request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        content_type: &str,
        body: &Bytes,
        context: &RequestContext<'_>,
        account: &Account,
    ) -> Result<(), Backlog> {
        self.subscriber.advance(now);
        if self.outputs.len() >= self.intake.config.outputs {
            return Err(Backlog {
                retry_after: self.intake.config.retry_after,
            });
        }
        let account = account.clone();
        let waiting = Waiting::of(transaction, content_type, body, context, account);
        self.handle(waiting, None);
        Ok(())
    }

    /// The signature of a request has been verified, or not: the request goes on. False when nothing
    /// waits for it any more.
    pub fn complete_verification(
        &mut self,
        now: Timestamp,
        key: VerificationKey,
        verdict: &Verdict,
    ) -> bool {
        self.subscriber.advance(now);
        let waiting = self.intake.finish(key);
        let was_there = waiting.is_some();
        if let Some(waiting) = waiting {
            self.handle(waiting, Some(verdict));
        }
        was_there
    }

    /// Time has passed. To be called at the deadline; earlier or more often does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.subscriber.handle_timeout(now);
        for transaction in self.intake.expire(self.subscriber.now()) {
            self.respond(transaction, Err(Failure::Unverified));
        }
        let mut budget = LAPSES_PER_CALL;
        while let Some(key) = self.lapses.pop(self.subscriber.now(), &mut budget) {
            self.lapse(key);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); nothing when there is no deadline.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let deadlines = [
            self.subscriber.poll_timeout(),
            self.intake.next_deadline(),
            self.lapses.next(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    pub fn poll_output(&mut self) -> Option<ToSipOutput> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            match self.subscriber.poll_output()? {
                SubscriberOutput::Event(event) => self.heed(event),
                other => return Some(ToSipOutput::Sip(other)),
            }
        }
    }

    fn respond(&mut self, transaction: ServerTransaction, result: Result<Granted, Failure>) {
        self.outputs.push_back(ToSipOutput::Respond {
            transaction,
            result,
        });
    }

    fn handle(&mut self, waiting: Waiting<Account>, verdict: Option<&Verdict>) {
        let (transaction, body) = (waiting.transaction, waiting.body.clone());
        let content_type = waiting.content_type.clone();
        let context = waiting.context();
        let (checks, now) = (&mut self.checks, self.subscriber.now());
        let arrived = (self.intake).arrived(&content_type, &body, &context, verdict);
        let result = match arrived.and_then(|arrived| checks.check(now, &arrived)) {
            Ok(Checked::Passed(passed)) => {
                let flow = context.flow;
                let content = (content_type.as_str(), body.clone());
                self.carry(transaction, &passed, content, flow, &waiting.more)
            }
            Ok(Checked::Verify(signed)) => match self.intake.wait(now, waiting, signed) {
                Ok(verification) => {
                    self.outputs.push_back(ToSipOutput::Verify(verification));
                    Ok(())
                }
                Err(failure) => Err(failure),
            },
            Err(failure) => Err(failure),
        };
        if let Err(failure) = result {
            self.respond(transaction, Err(failure));
        }
    }

    /// Hands a request to the SIP side, whose answer is awaited.
    fn carry(
        &mut self,
        transaction: ServerTransaction,
        passed: &Passed<'_>,
        body: (&str, Bytes),
        flow: Option<FlowId>,
        account: &Account,
    ) -> Result<(), Failure> {
        let request = &passed.request;
        if passed.identity.is_nobody() {
            return Err(Failure::Unidentified);
        }
        let open = |operation| OpenRequest {
            transaction,
            operation,
            asked: request.duration(),
            receipt: passed.receipt,
            flow,
        };
        let triple = request.token().map(|token| {
            let token = token.to_owned();
            let (watcher, presentity) = (request.watcher(), request.presentity());
            (watcher.to_owned(), presentity.to_owned(), token)
        });
        let known = triple
            .as_ref()
            .and_then(|triple| self.by_triple.get(triple));
        let known = known.copied();
        if let Some(held) = known.and_then(|key| self.held.get(key))
            && held.open.is_some()
        {
            // The far end has not answered the one before.
            return Err(Failure::Busy(self.intake.config.retry_after));
        }
        let now = self.subscriber.now();
        match (request.wish(), known.and_then(|key| self.held.get_mut(key))) {
            (Wish::Cancel { .. }, None) => Err(Failure::UnknownSubscription),
            (Wish::Cancel { .. }, Some(held)) => {
                let subscription = held.subscription;
                let ended = self.subscriber.end_with(now, subscription, body);
                ended.map_err(|_| Failure::UnknownSubscription)?;
                held.open = Some(open(Operation::Cancel));
                Ok(())
            }
            (Wish::Hold { duration, .. }, Some(held)) => {
                let subscription = held.subscription;
                let asked = self.subscriber.prolong(now, subscription, duration, body);
                if asked != Ok(true) {
                    return Err(Failure::Busy(self.intake.config.retry_after));
                }
                held.open = Some(open(Operation::Extend));
                Ok(())
            }
            (Wish::Hold { .. }, None) => {
                self.ask(request, body, open(Operation::Subscribe), account, triple)
            }
            (Wish::Fetch, _) => {
                if (passed.receipt.as_ref()).is_some_and(|it| self.fetches.contains(it)) {
                    return Err(Failure::Busy(self.intake.config.retry_after));
                }
                self.ask(request, body, open(Operation::Fetch), account, None)
            }
        }
    }

    fn ask(
        &mut self,
        request: &Request,
        body: (&str, Bytes),
        open: OpenRequest,
        account: &Account,
        triple: Option<Triple>,
    ) -> Result<(), Failure> {
        let resource = match self.preference {
            UriPreference::Sip => format!("sip:{}", request.presentity()),
            UriPreference::Pres => request.to().to_owned(),
        };
        let mut order = SubscribeOrder::new(account, &resource);
        order.body = Some(body);
        let now = self.subscriber.now();
        let subscription = match request.wish() {
            Wish::Fetch => self.subscriber.fetch(now, order),
            Wish::Hold { .. } | Wish::Cancel { .. } => {
                order.expires = Some(request.duration());
                self.subscriber.subscribe(now, order)
            }
        };
        let subscription = subscription.map_err(|error| match error {
            SubscribeError::TooMany { .. } => Failure::Busy(self.intake.config.retry_after),
            SubscribeError::TooLarge { .. } => Failure::TooLarge,
            _ => Failure::NotHere,
        })?;
        let fetch = open.receipt.filter(|_| triple.is_none());
        self.fetches.extend(fetch);
        let key = self.held.insert(Held {
            subscription,
            watcher: request.from().into(),
            presentity: request.to().into(),
            token: request.token().map(Into::into),
            fetch,
            flow: open.flow,
            open: Some(open),
            pending: false,
            lapses_at: Timestamp::MAX,
            timer: None,
        });
        self.by_subscription.insert(subscription, key);
        if let Some(triple) = triple {
            self.by_triple.insert(triple, key);
        }
        Ok(())
    }

    // ---- what the SIP side says -------------------------------------------------------------

    fn heed(&mut self, event: SubscriberEvent) {
        match event {
            SubscriberEvent::Notified {
                key,
                state,
                expires,
                sender,
                body,
                ..
            } => {
                let Some(key) = self.by_subscription.get(&key).copied() else {
                    return;
                };
                let Some(held) = self.held.get_mut(key) else {
                    return;
                };
                held.pending = state == NotifiedState::Pending;
                match held.open.as_ref().map(|open| open.operation) {
                    Some(Operation::Fetch) => self.grant(key, 0),
                    Some(Operation::Subscribe) if state != NotifiedState::Terminated => {
                        self.grant(key, expires);
                    }
                    _ => {}
                }
                let Some(held) = self.held.get(key) else {
                    return;
                };
                let Some(body) = body else {
                    return;
                };
                let is_fetch = held.token.is_none();
                let left = match state {
                    NotifiedState::Terminated => 0,
                    _ => held
                        .lapses_at
                        .saturating_since(self.subscriber.now())
                        .as_secs(),
                };
                let left = u32::try_from(left).unwrap_or(u32::MAX);
                self.outputs.push_back(ToSipOutput::Notify(RelayedState {
                    watcher: Arc::clone(&held.watcher),
                    presentity: Arc::clone(&held.presentity),
                    token: held.token.clone(),
                    flow: held.flow,
                    duration: (!is_fetch).then_some(left),
                    pending: state == NotifiedState::Pending,
                    media_type: body.media_type,
                    body: body.bytes,
                    sender,
                    signers: body.signers,
                    is_encrypted: body.is_encrypted,
                }));
            }
            SubscriberEvent::Prolonged { key, result } => {
                let Some(key) = self.by_subscription.get(&key).copied() else {
                    return;
                };
                match result {
                    Ok(expires) => self.grant(key, expires),
                    Err(failure) => self.fail(key, failure),
                }
            }
            SubscriberEvent::Failed {
                key,
                is_refresh: false,
                failure,
                ..
            } => {
                if let Some(key) = self.by_subscription.get(&key).copied() {
                    self.fail(key, failure);
                    // Asked again with the same document it would be a replay.
                    self.drop(key, None);
                }
            }
            SubscriberEvent::Ended { key, end, .. } => {
                if let Some(key) = self.by_subscription.get(&key).copied() {
                    self.ended(key, end);
                }
            }
            SubscriberEvent::Delayed { key, .. } => {
                if let Some(key) = self.by_subscription.get(&key).copied() {
                    let is_new = self.held.get(key).is_some_and(|held| {
                        let operation = held.open.as_ref().map(|open| open.operation);
                        matches!(operation, Some(Operation::Subscribe | Operation::Fetch))
                    });
                    if is_new {
                        let failure = SubscribeFailure::Refused { status: 503 };
                        self.fail(key, failure);
                        self.drop(key, None);
                    }
                }
            }
            SubscriberEvent::Over { key, confirmed, .. } => {
                if let Some(key) = self.by_subscription.get(&key).copied() {
                    self.over(key, confirmed);
                }
            }
            // The next refresh tells whether the subscription lives; a body of a strange type is none.
            SubscriberEvent::Failed { .. } | SubscriberEvent::BodyRefused { .. } => {}
            // Nothing is held here.
            SubscriberEvent::Confirmed { .. } => {}
        }
    }

    fn grant(&mut self, key: Key, expires: u32) {
        let Some(held) = self.held.get_mut(key) else {
            return;
        };
        let Some(open) = held.open.take() else {
            return;
        };
        let duration = expires.min(open.asked);
        if let Operation::Subscribe | Operation::Extend = open.operation {
            held.flow = open.flow.or(held.flow);
            held.lapses_at = self.subscriber.now() + Duration::from_secs(duration.into());
            let timer = self.lapses.arm(held.lapses_at, key);
            if let Some(earlier) = held.timer.replace(timer) {
                self.lapses.cancel(earlier);
            }
        }
        self.checks.record(self.subscriber.now(), open.receipt);
        let granted = Granted {
            operation: open.operation,
            duration,
            pending: held.pending && open.operation != Operation::Cancel,
        };
        self.respond(open.transaction, Ok(granted));
    }

    /// The far end has refused a request.
    fn fail(&mut self, key: Key, failure: SubscribeFailure) {
        // A subscription request is the only body there is.
        let failure = match failure.status() {
            Some(status) => SubscribeFailure::Refused { status },
            None => failure,
        };
        let open = self.held.get_mut(key).and_then(|held| held.open.take());
        if let Some(open) = open {
            self.respond(open.transaction, Err(Failure::Sip(failure)));
        }
    }

    fn ended(&mut self, key: Key, end: SubscriptionEnd) {
        let Some(held) = self.held.get_mut(key) else {
            return;
        };
        let is_cancelled = held.open.as_ref().map(|open| open.operation);
        match is_cancelled {
            // Told when it is over.
            Some(Operation::Cancel | Operation::Fetch) => {}
            Some(Operation::Subscribe) => {
                let refused = matches!(end.reason(), Some(Reason::Rejected));
                let status = if refused { 403 } else { 480 };
                self.fail(key, SubscribeFailure::Refused { status });
                self.drop(key, None);
            }
            Some(Operation::Extend) => {
                let status = match end {
                    SubscriptionEnd::Unknown { status } => status,
                    _ => 481,
                };
                self.fail(key, SubscribeFailure::Refused { status });
                self.drop(key, Some(Some(end)));
            }
            None => self.drop(key, Some(Some(end))),
        }
    }

    /// What was to be ended has ended, and a fetch.
    fn over(&mut self, key: Key, confirmed: bool) {
        let operation = self.held.get(key).and_then(|held| held.open.as_ref());
        match operation.map(|open| open.operation) {
            Some(Operation::Cancel) => self.grant(key, 0),
            Some(_) if confirmed => self.grant(key, 0),
            Some(_) => self.fail(key, SubscribeFailure::Silent),
            None => {}
        }
        self.drop(key, None);
    }

    /// The time granted is over.
    fn lapse(&mut self, key: Key) {
        let Some(held) = self.held.get_mut(key) else {
            return;
        };
        held.timer = None;
        match held.open.as_ref().map(|open| open.operation) {
            Some(Operation::Cancel) => {}
            Some(_) => {
                self.fail(key, SubscribeFailure::Timeout);
                self.end_unasked(key);
            }
            None => self.end_unasked(key),
        }
    }

    fn end_unasked(&mut self, key: Key) {
        if let Some(held) = self.held.get(key) {
            let subscription = held.subscription;
            self.forget(key, Some(None));
            let _ = self.subscriber.end(self.subscriber.now(), subscription);
        }
    }

    /// Takes a subscription away on both sides; `told` is the end that the watcher is told.
    fn drop(&mut self, key: Key, told: Option<Option<SubscriptionEnd>>) {
        if let Some(held) = self.held.get(key) {
            let subscription = held.subscription;
            self.forget(key, told);
            self.subscriber.abandon(self.subscriber.now(), subscription);
        }
    }

    fn forget(&mut self, key: Key, told: Option<Option<SubscriptionEnd>>) {
        let Some(held) = self.held.remove(key) else {
            return;
        };
        if let Some(timer) = held.timer {
            self.lapses.cancel(timer);
        }
        self.by_subscription.remove(&held.subscription);
        if let Some(fetch) = held.fetch {
            self.fetches.remove(&fetch);
        }
        let Some(token) = held.token else {
            return;
        };
        let name = |uri: &str| {
            let uri = crate::sip::Uri::parse(uri).ok();
            uri.and_then(|uri| uri.address_of_record())
                .unwrap_or_default()
        };
        let triple = (
            name(&held.watcher),
            name(&held.presentity),
            token.to_string(),
        );
        self.by_triple.remove(&triple);
        if let Some(end) = told {
            self.outputs.push_back(ToSipOutput::Ended {
                watcher: held.watcher,
                presentity: held.presentity,
                token,
                end,
            });
        }
    }
}
