//! The course itself: each operation done to the agent and to the model.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use presentity::engine::{ClientTransaction, FlowId, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Backlog, Decision, Identity, JobOutcome, Output, Protection, PublishKind, Reason,
    RequestContext, Termination,
};
use presentity::presence::Agent;
use presentity::sip::ResponseRef;

use super::model::{
    Expected, ExpectedOf, PRESENTITIES, PendingJob, Publication, Subscription, Table, WATCHERS,
    document,
};
use super::operations::{Operation, Outcome, Rule, Setting, Wish, decode, termination};
use super::protecting::{Chore, Made};
use super::requests::{self, AGENT};
use crate::common::{Message, seeded};

/// A deadline is met within one tick of the agent's timers.
pub const TICK: Duration = Duration::from_nanos(1 << 26);

/// An agent, what is done to it, and what should come of it.
#[derive(Debug)]
pub struct Course {
    pub(super) agent: Agent<Table>,
    pub(super) setting: Setting,
    pub(super) operations: Vec<Operation>,
    pub(super) disturbed: bool,
    pub(super) steady: bool,
    pub(super) trace: bool,
    /// Which operation this is.
    pub(super) step: usize,
    pub(super) now: Timestamp,
    /// The latest time that the agent has been told.
    pub(super) clock: Timestamp,
    pub(super) back: Duration,
    /// Nothing has happened since the last poll gave nothing.
    pub(super) drained: bool,
    pub(super) next_transaction: u64,
    pub(super) next_call: u32,
    pub(super) next_mark: u32,
    pub(super) expected: BTreeMap<u64, Expected>,
    pub(super) subscriptions: Vec<Subscription>,
    /// Accepted, their event is still to come.
    pub(super) starting: VecDeque<usize>,
    pub(super) changes: VecDeque<(usize, Decision)>,
    pub(super) publications: Vec<Publication>,
    pub(super) published: VecDeque<(usize, PublishKind)>,
    pub(super) jobs: Vec<PendingJob>,
    pub(super) deferring: VecDeque<usize>,
    pub(super) chores: Vec<Chore>,
    /// Requests that wait for their bodies; the wish for it is still to come.
    pub(super) opening: VecDeque<usize>,
    /// What the host has signed and encrypted, by what came of it.
    pub(super) made: BTreeMap<Bytes, Made>,
    pub(super) lasting: [Option<u32>; PRESENTITIES.len()],
    /// When the state of each presentity last became another, or may have.
    pub(super) changed_at: [Timestamp; PRESENTITIES.len()],
    pub(super) closed: Vec<ClientTransaction>,
    pub(super) made_up: Vec<ClientTransaction>,
    pub(super) last_subscribe: Option<(Message, usize, usize, Timestamp)>,
    pub(super) last_publish: Option<(Message, Timestamp)>,
    pub(super) transcript: Vec<Output>,
}

/// What a request led to, as the counters tell at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Backlog,
    Refused,
    Taken,
}

impl Course {
    pub fn new(bytes: &[u8]) -> Self {
        let (setting, operations) = decode(bytes);
        Self::with(setting, operations)
    }

    /// A course whose time passes without a look at the agent's deadlines: it may want to be woken
    /// for nothing, and does a bounded piece of work then.
    pub fn steady(bytes: &[u8]) -> Self {
        let (mut setting, operations) = decode(bytes);
        setting.config.server.timers_per_call = 512;
        let mut course = Self::with(setting, operations);
        course.steady = true;
        course
    }

    pub(super) fn with(setting: Setting, operations: Vec<Operation>) -> Self {
        let policy = Table {
            rules: setting.rules.clone(),
            protections: setting.protections.clone(),
        };
        let agent = Agent::new(setting.config.clone(), policy, seeded(setting.seed));
        let mut course = Self {
            agent,
            setting,
            operations,
            disturbed: false,
            steady: false,
            trace: false,
            step: 0,
            now: Timestamp::from_secs(1_000),
            clock: Timestamp::ZERO,
            back: Duration::ZERO,
            drained: true,
            next_transaction: 0,
            next_call: 0,
            next_mark: 0,
            expected: BTreeMap::new(),
            subscriptions: Vec::new(),
            starting: VecDeque::new(),
            changes: VecDeque::new(),
            publications: Vec::new(),
            published: VecDeque::new(),
            jobs: Vec::new(),
            deferring: VecDeque::new(),
            chores: Vec::new(),
            opening: VecDeque::new(),
            made: BTreeMap::new(),
            lasting: [None; PRESENTITIES.len()],
            changed_at: [Timestamp::ZERO; PRESENTITIES.len()],
            closed: Vec::new(),
            made_up: Vec::new(),
            last_subscribe: None,
            last_publish: None,
            transcript: Vec::new(),
        };
        course.make_up_transactions();
        course
    }

    /// Prints what is done and what comes of it.
    pub fn traced(mut self) -> Self {
        self.trace = true;
        println!("{:#?}", self.setting);
        self
    }

    /// Calls that change nothing come in between.
    pub fn disturbed(mut self) -> Self {
        self.disturbed = true;
        self
    }

    pub fn run(mut self) -> Vec<Output> {
        for (step, operation) in core::mem::take(&mut self.operations)
            .into_iter()
            .enumerate()
        {
            self.step = step;
            if self.trace {
                println!("{step} at {:?}: {operation:?}", self.now);
            }
            self.perform(operation);
            self.compare();
            if self.disturbed {
                self.disturb();
            }
        }
        self.settle_and_end();
        self.transcript
    }

    pub(super) fn print(&self, output: &Output) {
        if self.trace {
            println!("    {output:?}");
        }
    }

    /// Transactions of an agent of another role: never any of this one's.
    pub(super) fn make_up_transactions(&mut self) {
        let mut config = self.setting.config.clone();
        config.server.role = 7;
        let policy = Table {
            rules: vec![Rule::Full; 15],
            protections: vec![(Protection::None, false); 15],
        };
        let mut other = Agent::new(config, policy, seeded(99));
        let message = requests::subscribe(0, "sip:pia@example.com", "other");
        let identity = Identity::of(WATCHERS[0], Assurance::Digest).expect("a user");
        let context = RequestContext::new(&identity, AGENT);
        other
            .handle_request(
                Timestamp::ZERO,
                ServerTransaction(1),
                &message.view(),
                &context,
            )
            .expect("no backlog");
        while let Some(output) = other.poll_output() {
            if let Output::Send(request) = output {
                self.made_up.push(request.transaction());
            }
        }
    }

    /// The time of the next call.
    pub(super) fn time(&mut self) -> Timestamp {
        let back = core::mem::take(&mut self.back);
        let nanos = self.now.as_nanos().saturating_sub(back.as_nanos() as u64);
        let time = Timestamp::from_nanos(nanos);
        self.clock = self.clock.max(time);
        self.drained = false;
        time
    }

    pub(super) fn perform(&mut self, operation: Operation) {
        match operation {
            Operation::Poll(count) => {
                for _ in 0..count {
                    if !self.poll() {
                        break;
                    }
                }
            }
            Operation::Drain => self.drain(),
            Operation::Subscribe {
                watcher,
                presentity,
                form,
                wish,
                flow,
                oddity,
                accepts,
            } => self.subscribe((watcher, presentity, form), wish, flow, oddity, accepts),
            Operation::Refresh {
                pick,
                wish,
                flow,
                oddity,
                accepts,
            } => self.refresh(pick, wish, flow, oddity, accepts),
            Operation::SubscribeSealed {
                watcher,
                presentity,
                wish,
                flow,
                accepts,
                optional,
            } => self.subscribe_sealed(watcher, presentity, wish, flow, accepts, optional),
            Operation::RefreshSealed {
                pick,
                wish,
                flow,
                accepts,
                optional,
            } => self.refresh_sealed(pick, wish, flow, accepts, optional),
            Operation::PublishSealed {
                presentity,
                tag,
                pick,
                wish,
                flow,
            } => {
                let tag = self.tag(presentity, tag, pick);
                self.publish_sealed(presentity, tag, wish, requests::flow(flow));
            }
            Operation::CompleteOpening { pick, within } => self.complete_opening(pick, within),
            Operation::Protect {
                watcher,
                presentity,
                demand,
            } => {
                let policy = self.agent.policy_mut();
                policy.set_demand(watcher, presentity, demand);
            }
            Operation::CompleteProtection { pick, making } => {
                self.complete_protection(pick, making);
            }
            Operation::Publish {
                presentity,
                tag,
                pick,
                body,
                same_body,
                wish,
                flow,
                fault,
            } => {
                let tag = self.tag(presentity, tag, pick);
                let mark = body.then(|| self.mark(presentity, same_body));
                self.publish(presentity, tag, mark, wish, requests::flow(flow), fault);
            }
            Operation::Answer { pick, outcome } => {
                let open = self.open_notifies();
                if let Some(place) = open.get(pick % open.len().max(1)) {
                    self.answer(*place, outcome);
                }
            }
            Operation::AnswerAll(outcome) => {
                for place in self.open_notifies() {
                    self.answer(place, outcome);
                }
            }
            Operation::StrayOutcome {
                pick,
                made_up,
                outcome,
            } => {
                let known = if made_up { &self.made_up } else { &self.closed };
                if let Some(transaction) = known.get(pick % known.len().max(1)).copied() {
                    self.report(transaction, outcome);
                }
            }
            Operation::FlowLost(flow) => {
                let now = self.time();
                self.agent.handle_flow_lost(now, FlowId(flow));
                for subscription in &mut self.subscriptions {
                    if subscription.flow == Some(FlowId(flow)) {
                        subscription.flow = None;
                    }
                }
            }
            Operation::Decide { pick, rule } => self.decide(pick, rule.decision()),
            Operation::DecideWatcher {
                watcher,
                presentity,
                rule,
            } => self.decide_watcher(watcher, presentity, rule.decision()),
            Operation::Rule {
                watcher,
                presentity,
                rule,
            } => self.agent.policy_mut().set(watcher, presentity, rule),
            Operation::SetPresence { presentity, same } => self.set_presence(presentity, same),
            Operation::ClearPresence(presentity) => self.clear_presence(presentity),
            Operation::SetUnknownPresence => {
                // Refused, they tell the time all the same.
                let now = self.time();
                for text in ["sip:pia@example.org", "mailto:pia@example.com", "", "@"] {
                    let refused = self.agent.set_presence(now, text, document(0, 0));
                    assert!(refused.is_err(), "{text:?} at step {}", self.step);
                    assert!(self.agent.clear_presence(now, text).is_err());
                }
            }
            Operation::ViewsChanged(presentity) => {
                let now = self.time();
                self.changed_at[presentity] = self.clock;
                let changed = self.agent.views_changed(now, PRESENTITIES[presentity]);
                assert_eq!(changed, Ok(()));
            }
            Operation::Terminate { pick, end } => self.terminate(pick, end),
            Operation::TerminatePresentity { presentity, end } => {
                let now = self.time();
                let name = PRESENTITIES[presentity];
                let count = self.agent.terminate_presentity(now, name, termination(end));
                let count = count.expect("a presentity");
                self.ended_by_application(count, end, |one| one.presentity == presentity);
            }
            Operation::TerminateAll(end) => {
                let now = self.time();
                let count = self.agent.terminate_all(now, termination(end));
                self.ended_by_application(count, end, |_| true);
            }
            Operation::CompleteJob { pick, success } => self.complete_job(pick, success),
            Operation::Credentials { pick, clean, stray } => self.credentials(pick, clean, stray),
            Operation::DeclineCredentials(pick) => self.decline_credentials(pick),
            Operation::Step(duration) => self.now = self.now + duration,
            Operation::StepBack(duration) => self.back = duration,
            Operation::Timeout => self.timeout(),
            Operation::TimeoutAtDeadline(later) => {
                let deadline = self.agent.poll_timeout().filter(|_| !self.steady);
                if let Some(deadline) = deadline {
                    self.now = self.now.max(deadline) + later;
                }
                self.timeout();
            }
            Operation::Pass(duration) => self.pass(duration, None),
            Operation::Inspect => self.inspect(),
            Operation::Quiet => self.quiet(),
        }
    }

    // ---- time -----------------------------------------------------------------------------

    pub(super) fn timeout(&mut self) {
        let now = self.time();
        let jobs = self.agent.occupancy().jobs;
        self.agent.handle_timeout(now);
        let ended = jobs - self.agent.occupancy().jobs;
        let clock = self.clock;
        for job in &mut self.jobs {
            job.may_be_over |= !job.over && job.deadline <= clock;
        }
        let due = self.jobs.iter().filter(|job| job.may_be_over).count() + self.chores_due();
        assert!(ended <= due, "a job ended early at step {}", self.step);
        self.compare_after_timeout();
    }

    /// From deadline to deadline; everything is polled, and answered as told.
    pub(super) fn pass(&mut self, duration: Duration, answers: Option<Outcome>) {
        let end = self.now + duration;
        let mut rounds = 0;
        loop {
            self.drain();
            if let Some(outcome) = answers {
                self.answer_everything(outcome);
            }
            let due = self.agent.poll_timeout().filter(|due| *due <= end);
            if self.steady {
                let busy = due.is_some_and(|due| due <= self.now);
                if !busy {
                    self.now = end.min(self.now + (duration / 50).max(TICK));
                }
            } else {
                self.now = self.now.max(due.unwrap_or(end));
            }
            self.timeout();
            let more = self.agent.poll_timeout().is_some_and(|due| due <= end);
            if self.now == end && !more {
                break;
            }
            rounds += 1;
            assert!(rounds < 100_000, "time stands still at step {}", self.step);
        }
        self.drain();
        if let Some(outcome) = answers {
            self.answer_everything(outcome);
        }
    }

    // ---- requests -------------------------------------------------------------------------

    pub(super) fn hand_in(
        &mut self,
        message: &Message,
        user: Option<&str>,
        flow: Option<FlowId>,
        expected: impl FnOnce(&Self) -> Vec<u16>,
    ) -> (u64, Effect) {
        let now = self.time();
        self.next_transaction += 1;
        let transaction = self.next_transaction;
        let identity = user.map_or_else(Identity::nobody, |user| {
            Identity::of(user, Assurance::Digest).expect("a user")
        });
        let mut context = RequestContext::new(&identity, AGENT)
            .with_source(core::net::IpAddr::from([192, 0, 2, 1]));
        if let Some(flow) = flow {
            context = context.with_flow(flow);
        }
        let statuses = expected(self);
        let before = self.refusals();
        let occupancy = self.agent.occupancy();
        let result = self.agent.handle_request(
            now,
            ServerTransaction(transaction),
            &message.view(),
            &context,
        );
        if let Err(Backlog { retry_after }) = result {
            assert_eq!(retry_after, self.setting.config.server.retry_after);
            assert!(
                occupancy.outputs >= self.setting.config.server.limits.outputs,
                "a backlog out of nothing at step {}",
                self.step
            );
            let after = self.agent.occupancy();
            assert_eq!(after.outputs, occupancy.outputs);
            assert_eq!(after.subscriptions, occupancy.subscriptions);
            assert_eq!(after.jobs, occupancy.jobs);
            return (transaction, Effect::Backlog);
        }
        if !statuses.is_empty() {
            let of = ExpectedOf::Other;
            self.expected.insert(transaction, Expected { statuses, of });
        }
        let refused = self.refusals() > before;
        let effect = if refused {
            Effect::Refused
        } else {
            Effect::Taken
        };
        (transaction, effect)
    }

    pub(super) fn refusals(&self) -> u64 {
        self.agent
            .counters()
            .refusals()
            .map(|(_, count)| count)
            .sum()
    }

    pub(super) fn call_id(&mut self) -> String {
        self.next_call += 1;
        format!("call-{}", self.next_call)
    }

    pub(super) fn granted(&self, wish: Wish) -> u32 {
        match wish {
            Wish::Absent => 3600,
            Wish::Seconds(seconds) => seconds,
        }
        .min(self.setting.config.server.max_expires)
    }

    /// The status by what the policy says, and whether the subscription goes on.
    pub(super) fn verdict(&self, rule: Rule, current: Option<&Decision>) -> (u16, bool) {
        let decision = match (rule, current) {
            (Rule::Challenge, _) => return (401, true),
            (Rule::Forbid, _) => return (403, false),
            (Rule::Decline, _) => return (603, false),
            (Rule::Pending, Some(current)) => current.clone(),
            (other, _) => other.decision(),
        };
        let quiet = matches!(decision, Decision::Pending | Decision::PoliteBlock);
        let status = if quiet && self.setting.config.server.draft08 {
            202
        } else {
            200
        };
        (status, true)
    }

    // ---- calls that change nothing --------------------------------------------------------

    pub(super) fn inspect(&mut self) {
        let agent = &self.agent;
        assert_eq!(agent.poll_timeout(), agent.poll_timeout());
        for (place, name) in PRESENTITIES.iter().enumerate() {
            let watched = self.subscriptions.iter();
            let mut watched = watched.filter(|one| one.is_live() && one.presentity == place);
            assert_eq!(agent.has_watchers(name), watched.next().is_some());
        }
        assert_eq!(format!("{agent:?}"), format!("{agent:?}"));
        assert_eq!(agent.allow(), "SUBSCRIBE, PUBLISH");
    }

    /// Calls that come too early, too late, twice or for nothing.
    pub(super) fn disturb(&mut self) {
        self.inspect();
        let clock = self.clock;
        if self.drained {
            assert_eq!(self.agent.poll_output(), None);
        }
        if self.agent.poll_timeout().is_some_and(|due| due <= clock) {
            // Every call would do a bit of what is due.
            return;
        }
        self.agent.handle_timeout(clock);
        self.agent.handle_timeout(Timestamp::ZERO);
        let body = Bytes::new();
        let response = ResponseRef::new(481, [("Retry-After", "5")], &body);
        let strays = self.closed.iter().rev().take(3).chain(&self.made_up);
        for transaction in strays.copied().collect::<Vec<_>>() {
            self.agent.handle_response(clock, transaction, &response);
            let failure = presentity::event::Failure::Timeout;
            self.agent.handle_failure(clock, transaction, failure);
            let taken = self
                .agent
                .provide_credentials(clock, transaction, "Digest x");
            assert!(!taken && !self.agent.decline_credentials(clock, transaction));
        }
        self.disturb_chores();
        for job in self.jobs.iter().filter(|job| job.over) {
            let key = job.key.expect("it was told");
            assert_eq!(self.agent.complete_job(clock, key, true), JobOutcome::Over);
        }
        for subscription in &self.subscriptions {
            let Some(key) = subscription.key else {
                continue;
            };
            let decision = subscription.decision.clone();
            let known = self.agent.decide(clock, key, decision).is_ok();
            assert_eq!(known, subscription.is_live());
            if !known {
                let termination = Termination::new(Reason::Deactivated);
                assert!(self.agent.terminate(clock, key, termination).is_err());
            }
        }
        for (presentity, mark) in self.lasting.iter().enumerate() {
            let name = PRESENTITIES[presentity];
            match mark {
                Some(mark) => {
                    let document = document(presentity, *mark);
                    assert_eq!(self.agent.set_presence(clock, name, document), Ok(()));
                }
                None => assert_eq!(self.agent.clear_presence(clock, name), Ok(false)),
            }
        }
        self.agent.handle_flow_lost(clock, FlowId(99));
    }
}
