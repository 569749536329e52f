//! The service: subscriptions by documents, whatever carries them.

mod output;

use core::net::IpAddr;
use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use time::OffsetDateTime;

pub use output::{Ended, Granted, Notification, Operation, Output, Verification, VerificationKey};

use super::checks::{Arrived, Checked, Passed};
use super::{Checks, ChecksConfig, Failure, Wish};
use crate::engine::jobs::Jobs;
use crate::engine::slab::Key;
use crate::engine::timer_wheel::TimerWheel;
use crate::engine::{ClientTransaction, Entropy, FlowId, ServerTransaction, Timestamp};
use crate::event::{
    Backlog, Decision, Delivery, DirectOperation, DirectRequest, EndReason, Identity,
    Output as AgentOutput, ServerEvent, Verdict,
};
use crate::presence::{Agent, AgentConfig, Policy};

/// Settings of a service, beside those of its agent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceConfig {
    /// How requests are checked.
    pub checks: ChecksConfig,
    /// How long a verification may take. Default 16 s; at most 30 s.
    pub verification_deadline: Duration,
    /// Requests that may wait for a verification. Default 1,024; over it they get
    /// [`Failure::Busy`].
    pub verifications: usize,
    /// Octets that a request may have with all that is around it. Default 65,536.
    pub body: usize,
    /// Responses that wait to be taken. Default 65,536; over it requests are refused with
    /// [`Backlog`].
    pub outputs: usize,
    /// Seconds told in [`Backlog`] and [`Failure::Busy`]. Default 10.
    pub retry_after: u32,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            checks: ChecksConfig::default(),
            verification_deadline: Duration::from_secs(16),
            verifications: 1_024,
            body: 65_536,
            outputs: 65_536,
            retry_after: 10,
        }
    }
}

const LONGEST_VERIFICATION: Duration = Duration::from_secs(30);
/// Deadlines dealt with by one call.
const DEADLINES_PER_CALL: u32 = 512;

/// What the host knows of a request beyond its text.
#[derive(Debug, Clone, Copy)]
pub struct RequestContext<'a> {
    identity: &'a Identity,
    addressed: Option<&'a str>,
    flow: Option<FlowId>,
    source: Option<IpAddr>,
}

impl<'a> RequestContext<'a> {
    /// `identity` is who sent the request, as far as the host has established it; From is not evidence.
    pub fn new(identity: &'a Identity) -> Self {
        Self {
            identity,
            addressed: None,
            flow: None,
            source: None,
        }
    }

    /// The URI of the presentity that is addressed by what carries the request, where it addresses
    /// one. Without it a signed request that somebody has caught can be brought to this service,
    /// though not for another presentity than its own.
    #[must_use]
    pub fn with_addressed(mut self, uri: &'a str) -> Self {
        self.addressed = Some(uri);
        self
    }

    /// The connection or path that the request came by: told with each notification.
    #[must_use]
    pub fn with_flow(mut self, flow: FlowId) -> Self {
        self.flow = Some(flow);
        self
    }

    /// The address that it came from, for the limit per source.
    #[must_use]
    pub fn with_source(mut self, source: IpAddr) -> Self {
        self.source = Some(source);
        self
    }
}

/// A request that waits for a verdict.
#[derive(Debug)]
struct Waiting {
    transaction: ServerTransaction,
    content_type: String,
    body: Bytes,
    identity: Identity,
    addressed: Option<String>,
    flow: Option<FlowId>,
    source: Option<IpAddr>,
}

/// A presence service whose subscription requests are documents of the Subscription Data Format
/// (sections 2 to 4 of the draft), whatever protocol carries them.
///
/// It has an [`Agent`], and adds nothing to what that one knows and allows: a presentity may be watched
/// over SIP and by such requests at once, with the same state, policy, limits and pace. The agent is
/// driven through [`agent_mut`](Self::agent_mut), but for its time and output, which are the service's.
///
/// ```
/// use bytes::Bytes;
/// use presentity::engine::{ServerTransaction, Timestamp};
/// use presentity::event::{Assurance, Authorization, Decision, Identity, SubscribeQuery, View};
/// use presentity::pidf::{Presence, Tuple};
/// use presentity::presence::{AgentConfig, Policy};
/// use presentity::sdf::{self, Output, Request, RequestContext, Service, ServiceConfig, Token};
/// # use time::OffsetDateTime;
///
/// struct Everybody;
/// impl Policy for Everybody {
///     fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
///         Decision::Allow(View::full()).into()
///     }
/// }
///
/// # let entropy = |bytes: &mut [u8]| bytes.fill(7);
/// let (now, utc) = (Timestamp::ZERO, OffsetDateTime::UNIX_EPOCH);
/// let mut service = Service::new(AgentConfig::default(), ServiceConfig::default(), Everybody, entropy);
/// service.set_wall_clock(now, utc);
/// let state = Presence::new("pres:emil@example.com").with_tuple(Tuple::open("desk"));
/// service.agent_mut().set_presence(now, "pres:emil@example.com", state)?;
///
/// let token = Token::new("balcony")?;
/// let request = Request::subscribe("pres:nora@example.org", "pres:emil@example.com", utc, &token, 600)?;
/// let nora = Identity::of("pres:nora@example.org", Assurance::Transport)?;
/// let context = RequestContext::new(&nora);
/// let transaction = ServerTransaction(1);
/// service.handle_request(now, transaction, sdf::MEDIA_TYPE, request.octets(), &context)?;
/// while let Some(output) = service.poll_output() {
///     match output {
///         Output::Respond { result, .. } => assert_eq!(result?.duration, 600),
///         Output::Notify(notification) => {
///             assert_eq!(notification.watcher(), "pres:nora@example.org");
///             assert!(Presence::read(notification.body()).is_ok());
///         }
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Service<P: Policy> {
    agent: Agent<P, Checks>,
    config: ServiceConfig,
    now: Timestamp,
    waiting: Jobs<Waiting>,
    deadlines: TimerWheel<Key>,
    outputs: VecDeque<Output>,
}

impl<P: Policy> Service<P> {
    /// A service with the application's policy and source of unguessable bytes.
    pub fn new(
        agent: AgentConfig,
        service: ServiceConfig,
        policy: P,
        entropy: impl Entropy + Send + 'static,
    ) -> Self {
        let mut config = service;
        config.verification_deadline = config.verification_deadline.min(LONGEST_VERIFICATION);
        let checks = Checks::new(config.checks.clone());
        Self {
            agent: Agent::with_bodies(agent, policy, checks, entropy),
            now: Timestamp::ZERO,
            waiting: Jobs::new(config.verifications),
            deadlines: TimerWheel::new(),
            outputs: VecDeque::new(),
            config,
        }
    }

    /// The agent that the service works on.
    pub fn agent(&self) -> &Agent<P, Checks> {
        &self.agent
    }

    /// The same, for SIP requests, decisions and states. Its output and time are the service's: who
    /// polls the agent itself loses notifications.
    pub fn agent_mut(&mut self) -> &mut Agent<P, Checks> {
        &mut self.agent
    }

    /// Says what time of day it is, without which no request is known to be fresh. To be said again
    /// when the clock was set.
    pub fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) {
        self.agent.bodies_mut().set_wall_clock(now, utc);
    }

    /// A subscription request, as the body that some protocol has brought: `content_type` is
    /// `application/cpim-subscription`, or `multipart/signed` around that. It is answered by an
    /// [`Output::Respond`] of the same transaction.
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
    ) -> Result<(), Backlog> {
        self.now = self.now.max(now);
        if self.outputs.len() >= self.config.outputs {
            return Err(Backlog {
                retry_after: self.config.retry_after,
            });
        }
        self.handle(transaction, content_type, body, context, None);
        Ok(())
    }

    /// The signature of a request has been verified, or not: the request goes on. False when nothing
    /// waits for it any more. What the agent wants verified is the agent's
    /// [`complete_verification`](Agent::complete_verification).
    pub fn complete_verification(
        &mut self,
        now: Timestamp,
        key: VerificationKey,
        verdict: &Verdict,
    ) -> bool {
        self.now = self.now.max(now);
        let Some((waiting, timer)) = self.waiting.finish(key.0) else {
            return false;
        };
        if let Some(timer) = timer {
            self.deadlines.cancel(timer);
        }
        let context = RequestContext {
            identity: &waiting.identity,
            addressed: waiting.addressed.as_deref(),
            flow: waiting.flow,
            source: waiting.source,
        };
        self.handle(
            waiting.transaction,
            &waiting.content_type,
            &waiting.body,
            &context,
            Some(verdict),
        );
        true
    }

    /// What became of a notification; repeated, late and foreign reports have no effect. Until it is
    /// told no other one leaves for the same subscription, and after a while it counts as failed.
    pub fn handle_delivery(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        delivery: Delivery,
    ) {
        self.now = self.now.max(now);
        self.agent.handle_delivery(now, transaction, delivery);
    }

    /// Time has passed. To be called at the deadline; earlier or more often does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.agent.handle_timeout(now);
        let mut budget = DEADLINES_PER_CALL;
        while self.outputs.len() < self.config.outputs
            && let Some(key) = self.deadlines.pop(self.now, &mut budget)
        {
            if let Some((waiting, _)) = self.waiting.finish(key) {
                self.respond(waiting.transaction, Err(Failure::Unverified));
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); nothing when there is no deadline.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let deadlines = [self.agent.poll_timeout(), self.deadlines.next()];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        Some(match self.agent.poll_output()? {
            AgentOutput::Deliver(notification) => Output::Notify(Notification(notification)),
            AgentOutput::Event(event) => {
                // Told after the event itself, which is for the application.
                self.outputs.extend(ended(&event).map(Output::Ended));
                Output::Agent(AgentOutput::Event(event))
            }
            other => Output::Agent(other),
        })
    }

    /// Requests that wait for a verification.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn respond(&mut self, transaction: ServerTransaction, result: Result<Granted, Failure>) {
        self.outputs.push_back(Output::Respond {
            transaction,
            result,
        });
    }

    fn handle(
        &mut self,
        transaction: ServerTransaction,
        content_type: &str,
        body: &Bytes,
        context: &RequestContext<'_>,
        verdict: Option<&Verdict>,
    ) {
        if body.len() > self.config.body {
            self.respond(transaction, Err(Failure::TooLarge));
            return;
        }
        let arrived = Arrived {
            content_type,
            body,
            addressed: context.addressed,
            resource: None,
            identity: context.identity,
            verdict,
        };
        let result = match self.agent.bodies_mut().check(self.now, &arrived) {
            Ok(Checked::Passed(passed)) => self.carry_out(&passed, context),
            Ok(Checked::Verify(_)) if !self.waiting.has_room() => {
                Err(Failure::Busy(self.config.retry_after))
            }
            Ok(Checked::Verify(signed)) => {
                let waiting = Waiting {
                    transaction,
                    content_type: content_type.to_owned(),
                    body: body.clone(),
                    identity: context.identity.clone(),
                    addressed: context.addressed.map(str::to_owned),
                    flow: context.flow,
                    source: context.source,
                };
                let deadline = self.now + self.config.verification_deadline;
                let deadlines = &mut self.deadlines;
                let key = self
                    .waiting
                    .begin(waiting, |key| deadlines.arm(deadline, key));
                self.outputs.push_back(Output::Verify(Verification {
                    key: VerificationKey(key),
                    signed,
                    deadline,
                }));
                return;
            }
            Err(failure) => Err(failure),
        };
        self.respond(transaction, result);
    }

    fn carry_out(
        &mut self,
        passed: &Passed<'_>,
        context: &RequestContext<'_>,
    ) -> Result<Granted, Failure> {
        let request = &passed.request;
        let mut direct = DirectRequest::fetch(request.from(), request.to(), &passed.identity)
            .with_signature(passed.signature);
        direct = match request.wish() {
            Wish::Hold { token, duration } => direct.with_subscription(token, duration),
            Wish::Cancel { token } => direct.with_subscription(token, 0),
            Wish::Fetch => direct,
        };
        if let Some(flow) = context.flow {
            direct = direct.with_flow(flow);
        }
        if let Some(source) = context.source {
            direct = direct.with_source(source);
        }
        let outcome = self.agent.handle_direct(self.now, &direct)?;
        self.agent.bodies_mut().record(self.now, passed.receipt);
        let operation = match outcome.operation {
            DirectOperation::Began => Operation::Subscribe,
            DirectOperation::Prolonged => Operation::Extend,
            DirectOperation::Ended => Operation::Cancel,
            DirectOperation::Fetched => Operation::Fetch,
        };
        Ok(Granted {
            operation,
            duration: outcome.expires,
            pending: outcome.decision == Decision::Pending,
        })
    }
}

/// The end of a subscription that no SUBSCRIBE has made, unless its watcher knows.
fn ended(event: &ServerEvent) -> Option<Ended> {
    match event {
        ServerEvent::SubscriptionEnded { subject, reason }
            if *reason != EndReason::Unsubscribed =>
        {
            let name = subject.direct.as_ref()?;
            Some(Ended {
                key: subject.key,
                watcher: name.watcher().to_owned(),
                presentity: subject.resource.clone(),
                token: name.id().to_owned(),
                reason: *reason,
            })
        }
        _ => None,
    }
}
