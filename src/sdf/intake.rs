//! Requests on their way in, those among them that wait for a verdict on their signature.

use core::net::IpAddr;
use core::time::Duration;

use bytes::Bytes;

use super::Failure;
use super::checks::Arrived;
use crate::engine::jobs::Jobs;
use crate::engine::slab::Key;
use crate::engine::timer_wheel::TimerWheel;
use crate::engine::{FlowId, ServerTransaction, Timestamp};
use crate::event::{Identity, Verdict};
use crate::mime::Signed;

/// Deadlines dealt with by one call.
const DEADLINES_PER_CALL: u32 = 512;
const LONGEST_VERIFICATION: Duration = Duration::from_secs(30);

/// Bounds of what comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IntakeConfig {
    /// How long a verification may take. Default 16 s; at most 30 s.
    pub verification_deadline: Duration,
    /// Requests that may wait for a verification. Default 1,024; over it they get
    /// [`Failure::Busy`].
    pub verifications: usize,
    /// Octets that a request may have with all that is around it. Default 65,536.
    pub body: usize,
    /// Responses that wait to be taken. Default 65,536; over it requests are refused with
    /// [`Backlog`](crate::event::Backlog).
    pub outputs: usize,
    /// Seconds told in [`Backlog`](crate::event::Backlog) and [`Failure::Busy`]. Default 10.
    pub retry_after: u32,
}

impl Default for IntakeConfig {
    fn default() -> Self {
        Self {
            verification_deadline: Duration::from_secs(16),
            verifications: 1_024,
            body: 65_536,
            outputs: 65_536,
            retry_after: 10,
        }
    }
}

/// What the host knows of a request beyond its text.
#[derive(Debug, Clone, Copy)]
pub struct RequestContext<'a> {
    pub(super) identity: &'a Identity,
    pub(super) addressed: Option<&'a str>,
    pub(super) flow: Option<FlowId>,
    pub(super) source: Option<IpAddr>,
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
    /// one: To must name the same.
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

/// A request as it came, with what else is known of it.
#[derive(Debug)]
pub(super) struct Waiting<X> {
    pub(super) transaction: ServerTransaction,
    pub(super) content_type: String,
    pub(super) body: Bytes,
    identity: Identity,
    addressed: Option<String>,
    flow: Option<FlowId>,
    source: Option<IpAddr>,
    pub(super) more: X,
}

impl<X> Waiting<X> {
    pub(super) fn of(
        transaction: ServerTransaction,
        content_type: &str,
        body: &Bytes,
        context: &RequestContext<'_>,
        more: X,
    ) -> Self {
        Self {
            transaction,
            content_type: content_type.to_owned(),
            body: body.clone(),
            identity: context.identity.clone(),
            addressed: context.addressed.map(str::to_owned),
            flow: context.flow,
            source: context.source,
            more,
        }
    }

    pub(super) fn context(&self) -> RequestContext<'_> {
        RequestContext {
            identity: &self.identity,
            addressed: self.addressed.as_deref(),
            flow: self.flow,
            source: self.source,
        }
    }
}

/// Names a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerificationKey(Key);

/// A signature to be verified before a request is answered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Verification {
    /// Names it in `complete_verification`.
    pub key: VerificationKey,
    /// What is signed, and the signature.
    pub signed: Signed,
    /// Without a verdict by then the request has failed.
    pub deadline: Timestamp,
}

/// `X` is what is kept of a request beside what all have.
#[derive(Debug)]
pub(super) struct Intake<X> {
    pub(super) config: IntakeConfig,
    waiting: Jobs<Waiting<X>>,
    deadlines: TimerWheel<Key>,
}

impl<X> Intake<X> {
    pub(super) fn new(config: IntakeConfig) -> Self {
        let mut config = config;
        config.verification_deadline = config.verification_deadline.min(LONGEST_VERIFICATION);
        Self {
            waiting: Jobs::new(config.verifications),
            deadlines: TimerWheel::new(),
            config,
        }
    }

    /// A request as it came, unless it is too large to be looked at.
    pub(super) fn arrived<'a>(
        &self,
        content_type: &'a str,
        body: &'a Bytes,
        context: &RequestContext<'a>,
        verdict: Option<&'a Verdict>,
    ) -> Result<Arrived<'a>, Failure> {
        if body.len() > self.config.body {
            return Err(Failure::TooLarge);
        }
        Ok(Arrived {
            content_type,
            body,
            addressed: context.addressed,
            resource: None,
            identity: context.identity,
            verdict,
            signers: &[],
        })
    }

    pub(super) fn wait(
        &mut self,
        now: Timestamp,
        waiting: Waiting<X>,
        signed: Signed,
    ) -> Result<Verification, Failure> {
        if !self.waiting.has_room() {
            return Err(Failure::Busy(self.config.retry_after));
        }
        let deadline = now + self.config.verification_deadline;
        let deadlines = &mut self.deadlines;
        let key = self
            .waiting
            .begin(waiting, |key| deadlines.arm(deadline, key));
        Ok(Verification {
            key: VerificationKey(key),
            signed,
            deadline,
        })
    }

    /// A verdict has come: the request that waited for it, once.
    pub(super) fn finish(&mut self, key: VerificationKey) -> Option<Waiting<X>> {
        let (waiting, timer) = self.waiting.finish(key.0)?;
        if let Some(timer) = timer {
            self.deadlines.cancel(timer);
        }
        Some(waiting)
    }

    /// Those whose time is over, some of them at once.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<ServerTransaction> {
        let mut budget = DEADLINES_PER_CALL;
        let mut over = Vec::new();
        while let Some(key) = self.deadlines.pop(now, &mut budget) {
            let waiting = self.waiting.finish(key);
            over.extend(waiting.map(|(waiting, _)| waiting.transaction));
        }
        over
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.next()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}
