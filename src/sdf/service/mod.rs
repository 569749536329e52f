//! The service: subscriptions by documents, whatever carries them.

mod output;

use std::collections::VecDeque;

use bytes::Bytes;
use time::OffsetDateTime;

pub use output::{Ended, Granted, Notification, Operation, Output};

use super::checks::{Arrived, Checked, Passed};
use super::intake::{Intake, Waiting};
use super::{Checks, ChecksConfig, Failure, IntakeConfig, RequestContext, VerificationKey, Wish};
use crate::engine::{ClientTransaction, Entropy, ServerTransaction, Timestamp};
use crate::event::{
    Backlog, Decision, Delivery, DirectOperation, DirectRequest, EndReason, Output as AgentOutput,
    ServerEvent, Verdict,
};
use crate::presence::{Agent, AgentConfig, Policy};

/// Settings of a service, beside those of its agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ServiceConfig {
    /// How requests are checked.
    pub checks: ChecksConfig,
    /// Bounds of what comes in.
    pub intake: IntakeConfig,
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
    intake: Intake<()>,
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
        let checks = Checks::new(service.checks);
        Self {
            agent: Agent::with_bodies(agent, policy, checks, entropy),
            intake: Intake::new(service.intake),
            outputs: VecDeque::new(),
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
    /// when the clock was set. After a clock that was ahead is set back, requests older than those that
    /// were accepted and forgotten in between are [`Failure::Stale`] until it has caught up.
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
        self.agent.advance(now);
        if self.outputs.len() >= self.intake.config.outputs {
            return Err(Backlog {
                retry_after: self.intake.config.retry_after,
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
        self.agent.advance(now);
        let Some(waiting) = self.intake.finish(key) else {
            return false;
        };
        self.handle(
            waiting.transaction,
            &waiting.content_type,
            &waiting.body,
            &waiting.context(),
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
        self.agent.handle_delivery(now, transaction, delivery);
    }

    /// Time has passed. To be called at the deadline; earlier or more often does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.agent.handle_timeout(now);
        for transaction in self.intake.expire(self.agent.now()) {
            self.respond(transaction, Err(Failure::Unverified));
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); nothing when there is no deadline.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let deadlines = [self.agent.poll_timeout(), self.intake.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        Some(match self.agent.poll_output()? {
            AgentOutput::Deliver(notification) => Output::Notify(Notification(*notification)),
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
        self.intake.waiting()
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
        let arrived = (self.intake).arrived(content_type, body, context, verdict);
        let result = match arrived.and_then(|arrived| self.check(&arrived)) {
            Ok(Checked::Passed(mut passed)) => self.carry_out(&mut passed, context),
            Ok(Checked::Verify(signed)) => {
                let waiting = Waiting::of(transaction, content_type, body, context, ());
                match self.intake.wait(self.agent.now(), waiting, signed) {
                    Ok(verification) => {
                        self.outputs.push_back(Output::Verify(verification));
                        return;
                    }
                    Err(failure) => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        };
        self.respond(transaction, result);
    }

    fn check<'a>(&mut self, arrived: &Arrived<'a>) -> Result<Checked<'a>, Failure> {
        let opened = self.agent.bodies().read_arrived(arrived)?;
        // Among a million subscriptions what it is about lies somewhere in memory that is far: it is
        // asked for while the rest is checked.
        let ahead = self.agent.look_ahead_direct(
            opened.request.watcher(),
            opened.request.presentity(),
            opened.request.token(),
            arrived.identity.is_nobody(),
        );
        let now = self.agent.now();
        let checked = (self.agent.bodies_mut()).judge(now, arrived, opened);
        self.agent.look_closer_direct(&ahead);
        checked
    }

    fn carry_out(
        &mut self,
        passed: &mut Passed<'_>,
        context: &RequestContext<'_>,
    ) -> Result<Granted, Failure> {
        let now = self.agent.now();
        if let Some(name) = self.agent.policy().alias(passed.request.presentity()) {
            let checks = self.agent.bodies_mut();
            checks.rename(now, passed, &name)?;
        }
        let request = &passed.request;
        let mut direct = DirectRequest::fetch(request.from(), request.to(), &passed.identity)
            .with_address(request.watcher())
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
        let outcome = self.agent.handle_direct(now, &direct)?;
        self.agent.bodies_mut().record(now, passed.receipt);
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
                watcher: name.watcher().into_owned(),
                presentity: subject.resource.clone(),
                token: name.id().to_owned(),
                reason: *reason,
            })
        }
        _ => None,
    }
}
