//! The course itself: each operation done to the agent and to the model.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use presentity::engine::{ClientTransaction, FlowId, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Backlog, Decision, EndReason, Identity, Output, PublishKind, Reason, RequestContext,
    SubscriptionKey, Termination,
};
use presentity::presence::Agent;
use presentity::sip::ResponseRef;

use super::model::{
    DEFERRED, Expected, ExpectedOf, NOBODY, PRESENTITIES, PendingJob, Phase, Publication, Retry,
    Subscription, Table, WATCHERS, document, watcher_name,
};
use super::operations::{
    End, Oddity, Operation, Outcome, PublishFault, Rule, Setting, TagChoice, Wish, decode,
    termination,
};
use super::requests::{self, AGENT, Stage};
use crate::common::{Message, contact_of, seeded};

/// A deadline is met within one tick of the agent's timers.
pub const TICK: Duration = Duration::from_nanos(1 << 26);

/// An agent, what is done to it, and what should come of it.
#[derive(Debug)]
pub struct Course {
    pub(super) agent: Agent<Table>,
    pub(super) setting: Setting,
    operations: Vec<Operation>,
    disturbed: bool,
    steady: bool,
    trace: bool,
    /// Which operation this is.
    pub(super) step: usize,
    pub(super) now: Timestamp,
    /// The latest time that the agent has been told.
    pub(super) clock: Timestamp,
    back: Duration,
    /// Nothing has happened since the last poll gave nothing.
    pub(super) drained: bool,
    next_transaction: u64,
    next_call: u32,
    next_mark: u32,
    pub(super) expected: BTreeMap<u64, Expected>,
    pub(super) subscriptions: Vec<Subscription>,
    /// Accepted, their event is still to come.
    pub(super) starting: VecDeque<usize>,
    pub(super) changes: VecDeque<(usize, Decision)>,
    pub(super) publications: Vec<Publication>,
    pub(super) published: VecDeque<(usize, PublishKind)>,
    pub(super) jobs: Vec<PendingJob>,
    pub(super) deferring: VecDeque<usize>,
    pub(super) lasting: [Option<u32>; PRESENTITIES.len()],
    /// When the state of each presentity last became another, or may have.
    pub(super) changed_at: [Timestamp; PRESENTITIES.len()],
    pub(super) closed: Vec<ClientTransaction>,
    made_up: Vec<ClientTransaction>,
    last_subscribe: Option<(Message, usize, usize, Timestamp)>,
    last_publish: Option<(Message, Timestamp)>,
    pub(super) transcript: Vec<Output>,
}

/// What a request led to, as the counters tell at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
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

    fn with(setting: Setting, operations: Vec<Operation>) -> Self {
        let policy = Table(setting.rules.clone());
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
    fn make_up_transactions(&mut self) {
        let mut config = self.setting.config.clone();
        config.server.role = 7;
        let mut other = Agent::new(config, Table(vec![Rule::Full; 15]), seeded(99));
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

    fn perform(&mut self, operation: Operation) {
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
            } => self.subscribe(watcher, presentity, form, wish, flow, oddity),
            Operation::Refresh {
                pick,
                wish,
                flow,
                oddity,
            } => self.refresh(pick, wish, flow, oddity),
            Operation::Publish {
                presentity,
                tag,
                pick,
                body,
                same_body,
                wish,
                fault,
            } => {
                let tag = self.tag(presentity, tag, pick);
                let mark = body.then(|| self.mark(presentity, same_body));
                self.publish(presentity, tag, mark, wish, fault);
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
                // Refused before the time is looked at.
                let now = self.now;
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
                self.ended_by_application(count, end, |one| one.presentity == presentity);
            }
            Operation::TerminateAll(end) => {
                let now = self.time();
                let count = self.agent.terminate_all(now, termination(end));
                self.ended_by_application(count, end, |_| true);
            }
            Operation::CompleteJob { pick, success } => self.complete_job(pick, success),
            Operation::Credentials { pick, clean, stray } => self.credentials(pick, clean, stray),
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
        let due = self.jobs.iter().filter(|job| job.may_be_over).count();
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

    fn hand_in(
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

    fn refusals(&self) -> u64 {
        self.agent
            .counters()
            .refusals()
            .map(|(_, count)| count)
            .sum()
    }

    fn call_id(&mut self) -> String {
        self.next_call += 1;
        format!("call-{}", self.next_call)
    }

    fn granted(&self, wish: Wish) -> u32 {
        match wish {
            Wish::Absent => 3600,
            Wish::Seconds(seconds) => seconds,
        }
        .min(self.setting.config.server.max_expires)
    }

    /// The status by what the policy says, and whether the subscription goes on.
    fn verdict(&self, rule: Rule, current: Option<&Decision>) -> (u16, bool) {
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

    fn subscribe(
        &mut self,
        watcher: usize,
        presentity: usize,
        form: usize,
        wish: Wish,
        flow: Option<u64>,
        oddity: Oddity,
    ) {
        let (mut watcher, mut presentity, mut wish) = (watcher, presentity, wish);
        let oddity = match oddity {
            // These are odd inside a dialog only.
            Oddity::OldSequence
            | Oddity::OtherIdentity
            | Oddity::NobodyNow
            | Oddity::OtherRemoteTag => Oddity::None,
            other => other,
        };
        let call = self.call_id();
        let entity = requests::entity(presentity, form);
        let plain = requests::with_wish(requests::subscribe(watcher, &entity, &call), wish);
        let mut message = requests::odd(plain, oddity, watcher, "");
        let mut repeated = None;
        if oddity == Oddity::Repeated
            && let Some((last, of, to, when)) = self.last_subscribe.clone()
        {
            (message, watcher, presentity) = (last, of, to);
            wish = match message.fields.iter().find(|(name, _)| name == "Expires") {
                Some((_, value)) => Wish::Seconds(value.parse().expect("a number")),
                None => Wish::Absent,
            };
            repeated = Some(when);
        }
        let fault = requests::fault(oddity, false);
        let rule = self.agent.policy().rule(watcher, presentity);
        let user = requests::user(watcher);
        let id = requests::flow(flow);
        let (transaction, effect) = self.hand_in(&message, user, id, |course| {
            let mut statuses = course.fresh_statuses(watcher, presentity, wish, rule, fault);
            if let Some(when) = repeated {
                let small = course.setting.config.server.limits.remembered_requests < 10;
                let known = course.clock.saturating_since(when) < Duration::from_secs(32);
                if known && !small {
                    return vec![482];
                }
                if small {
                    // It may be known or not.
                    statuses.push(482);
                }
            }
            statuses
        });
        if oddity == Oddity::Repeated && repeated.is_some() {
            // It is remembered anew when it was not known any more.
            let when = repeated.unwrap_or_default();
            let known = self.clock.saturating_since(when) < Duration::from_secs(32);
            if effect == Effect::Taken || (effect == Effect::Refused && !known) {
                self.last_subscribe = Some((message.clone(), watcher, presentity, self.clock));
            }
        } else if fault.is_none() && effect != Effect::Backlog {
            self.last_subscribe = Some((message.clone(), watcher, presentity, self.clock));
        }
        let other_method = matches!(
            oddity,
            Oddity::Notify | Oddity::Cancel | Oddity::Options | Oddity::Ack
        );
        if effect != Effect::Taken || other_method {
            return;
        }
        self.begin(transaction, &message, watcher, presentity, wish, rule, id);
    }

    fn fresh_statuses(
        &self,
        watcher: usize,
        presentity: usize,
        wish: Wish,
        rule: Rule,
        fault: Option<(Stage, u16)>,
    ) -> Vec<u16> {
        if let Some((Stage::Form | Stage::Head, status)) = fault {
            // Nobody answers ACK.
            return Vec::from_iter((status != 0).then_some(status));
        }
        if wish == Wish::Seconds(5) {
            return vec![423];
        }
        if let Some((Stage::Contact, status)) = fault {
            return vec![status];
        }
        let (status, _) = self.verdict(rule, None);
        if status >= 300 {
            return vec![status];
        }
        let same = |one: &&Subscription| {
            one.watcher == watcher
                && one.presentity == presentity
                && matches!(one.phase, Phase::Live | Phase::Ending(_))
        };
        let limit = self
            .setting
            .config
            .server
            .limits
            .subscriptions_per_watcher_and_resource;
        let full = watcher != NOBODY && self.subscriptions.iter().filter(same).count() >= limit;
        let status = fault.map_or(status, |(_, status)| status);
        if full {
            vec![status, 503]
        } else {
            vec![status]
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn begin(
        &mut self,
        transaction: u64,
        message: &Message,
        watcher: usize,
        presentity: usize,
        wish: Wish,
        rule: Rule,
        flow: Option<FlowId>,
    ) {
        let value = |long: &str, compact: &str| {
            let named = |name: &str| name == long || name == compact;
            let found = message.fields.iter().find(|(name, _)| named(name));
            found.map(|(_, value)| value.clone())
        };
        let granted = self.granted(wish);
        let place = self.subscriptions.len();
        let contact = value("Contact", "m").expect("a contact");
        let event = value("Event", "o").expect("an event");
        let accept = value("Accept", "").unwrap_or_default();
        self.subscriptions.push(Subscription {
            watcher,
            presentity,
            entity: message.uri.clone(),
            call_id: value("Call-ID", "i").expect("a Call-ID"),
            local_tag: None,
            contact: contact.trim_matches(['<', '>']).into(),
            route: value("Record-Route", "").map(|route| route.trim_matches(['<', '>']).into()),
            event_id: event.contains("id=x1").then_some("x1"),
            old_type: accept == "application/cpim-pidf+xml",
            remote_cseq: 1,
            flow,
            key: None,
            decision: rule.decision(),
            expires_at: self.clock + Duration::from_secs(granted.into()),
            phase: Phase::Live,
            owed: true,
            held_until: None,
            open: None,
            retry: None,
            cseq: self.setting.config.server.initial_cseq,
            change_sent: None,
            taken: None,
            unsure: false,
            started: false,
            end_reasons: Vec::new(),
            ended: false,
        });
        self.starting.push_back(place);
        let expected = self.expected.get_mut(&transaction).expect("an expectation");
        expected.of = ExpectedOf::Subscription {
            place,
            new: true,
            granted,
        };
        if granted == 0 {
            let subscription = &mut self.subscriptions[place];
            subscription.end("reason=timeout".into(), true, EndReason::Fetched);
            return;
        }
        // The key that was not there before.
        let is_new = |key: &SubscriptionKey| {
            self.subscriptions
                .iter()
                .all(|known| known.key != Some(*key))
        };
        let key = self.agent.subscriptions().map(|info| info.key).find(is_new);
        self.subscriptions[place].key = Some(key.expect("a new subscription"));
    }

    fn refresh(&mut self, pick: usize, wish: Wish, flow: Option<u64>, oddity: Oddity) {
        let known: Vec<usize> = (0..self.subscriptions.len())
            .filter(|place| self.subscriptions[*place].local_tag.is_some())
            .collect();
        let Some(place) = known.get(pick % known.len().max(1)).copied() else {
            return;
        };
        let subscription = &self.subscriptions[place];
        let (watcher, presentity) = (subscription.watcher, subscription.presentity);
        let anonymous = watcher == NOBODY;
        let oddity = match oddity {
            Oddity::OtherIdentity | Oddity::NobodyNow if anonymous => Oddity::None,
            Oddity::RecordRoute => Oddity::None,
            other => other,
        };
        let event = match subscription.event_id {
            Some(id) => format!("presence;id={id}"),
            None => "presence".into(),
        };
        let repeats = matches!(oddity, Oddity::OldSequence | Oddity::Repeated);
        let cseq = subscription.remote_cseq + 1;
        let mut plain = requests::subscribe(watcher, &subscription.entity, &subscription.call_id)
            .with("Event", &event)
            .in_dialog(
                subscription.local_tag.as_deref().unwrap_or_default(),
                if repeats { cseq - 1 } else { cseq },
            );
        plain.uri = AGENT.into();
        // The dialog's own tag, also after a repetition under another Call-ID.
        let contact = format!("{};gr={}", contact_of(WATCHERS[watcher]), cseq);
        plain = plain.with("Contact", &format!("<{contact}>"));
        plain = requests::with_wish(plain, wish);
        let id = subscription.event_id.unwrap_or_default();
        let message = requests::odd(plain, oddity, watcher, id);
        let user = match oddity {
            Oddity::OtherIdentity => Some(WATCHERS[(watcher + 1) % 4]),
            Oddity::NobodyNow => None,
            _ => requests::user(watcher),
        };
        let fault = requests::fault(oddity, true);
        let rule = self.agent.policy().rule(watcher, presentity);
        let current = subscription.decision.clone();
        let (verdict, goes_on) = self.verdict(rule, Some(&current));
        let granted = self.granted(wish);
        let flow = requests::flow(flow);
        // How far the request gets.
        let mut heard = false;
        let mut judged = false;
        let (transaction, effect) = self.hand_in(&message, user, flow, |course| {
            let subscription = &course.subscriptions[place];
            if let Some((Stage::Form, status)) = fault {
                return Vec::from_iter((status != 0).then_some(status));
            }
            if !subscription.is_live() {
                return vec![481];
            }
            match oddity {
                Oddity::OtherIdentity => return vec![403],
                Oddity::NobodyNow => return vec![401],
                Oddity::OldSequence | Oddity::Repeated => return vec![500],
                _ => {}
            }
            if course.clock >= subscription.expires_at {
                return vec![481];
            }
            heard = true;
            match fault {
                Some((Stage::Head, status)) => return vec![status],
                _ if wish == Wish::Seconds(5) => return vec![423],
                Some((Stage::Contact, status)) => return vec![status],
                _ if oddity == Oddity::EventId => return vec![403],
                _ => {}
            }
            judged = true;
            match fault {
                Some((Stage::Room, status)) if verdict < 300 => vec![status],
                _ => vec![verdict],
            }
        });
        if effect == Effect::Backlog {
            return;
        }
        let clock = self.clock;
        let subscription = &mut self.subscriptions[place];
        if heard {
            subscription.remote_cseq = cseq;
        }
        if judged && !goes_on {
            subscription.end("reason=rejected".into(), false, EndReason::Rejected);
        }
        if effect == Effect::Refused || !judged {
            return;
        }
        subscription.flow = flow;
        if oddity != Oddity::NoContact {
            subscription.contact = contact;
        }
        subscription.old_type = oddity == Oddity::OldType;
        if rule != Rule::Pending && rule.decision() != subscription.decision {
            subscription.decision = rule.decision();
            self.changes.push_back((place, rule.decision()));
        }
        if granted == 0 {
            subscription.end("reason=timeout".into(), true, EndReason::Unsubscribed);
        } else {
            subscription.expires_at = clock + Duration::from_secs(granted.into());
            subscription.owed = true;
        }
        let expected = self.expected.get_mut(&transaction).expect("an expectation");
        expected.of = ExpectedOf::Subscription {
            place,
            new: false,
            granted,
        };
    }

    pub(super) fn mark(&mut self, presentity: usize, same: bool) -> u32 {
        let last = self
            .publications
            .iter()
            .rev()
            .find(|publication| publication.presentity == presentity);
        if let Some(last) = last
            && same
        {
            return last.mark;
        }
        self.next_mark += 1;
        self.next_mark
    }

    fn tag(&self, presentity: usize, choice: TagChoice, pick: usize) -> Option<String> {
        let publications = self.publications.iter();
        let own = |it: &&Publication| it.presentity == presentity;
        let right = || {
            let known = publications.clone().filter(own).filter(|it| it.alive);
            known.filter_map(|it| it.tag.clone()).collect::<Vec<_>>()
        };
        let candidates: Vec<String> = match choice {
            TagChoice::None => return None,
            TagChoice::Right => right(),
            TagChoice::Stale => publications
                .clone()
                .filter(own)
                .flat_map(|it| {
                    let gone = it.tag.clone().filter(|_| !it.alive);
                    it.old_tags.iter().cloned().chain(gone)
                })
                .collect(),
            TagChoice::Elsewhere => publications
                .clone()
                .filter(|it| !own(it))
                .filter_map(|it| it.tag.clone())
                .collect(),
            TagChoice::Nonsense => Vec::new(),
            TagChoice::Guessed => vec!["aaaaaaaaaaaaa.1".into()],
            TagChoice::Respelled => right()
                .into_iter()
                .map(|tag| tag.replace('.', ".0"))
                .collect(),
        };
        let found = candidates.get(pick % candidates.len().max(1)).cloned();
        Some(found.unwrap_or_else(|| "none-such".into()))
    }

    /// The publication that a tag names now.
    fn publication(&self, presentity: usize, tag: &str) -> Option<usize> {
        self.publications.iter().position(|it| {
            it.alive
                && it.presentity == presentity
                && it.tag.as_deref() == Some(tag)
                && self.clock < it.expires_at
        })
    }

    pub(super) fn publish(
        &mut self,
        presentity: usize,
        tag: Option<String>,
        mark: Option<u32>,
        wish: Wish,
        fault: PublishFault,
    ) {
        let of_body = matches!(
            fault,
            PublishFault::UnknownType
                | PublishFault::NoType
                | PublishFault::Encoded
                | PublishFault::BrokenDocument
                | PublishFault::HugeBody
        );
        let mark = match mark {
            None if of_body || tag.is_none() => Some(self.mark(presentity, false)),
            mark => mark,
        };
        let call = self.call_id();
        let body = mark.map(|mark| {
            let written = document(presentity, mark)
                .write()
                .expect("it can be written");
            String::from_utf8(written.to_vec()).expect("text")
        });
        let plain = requests::publish(presentity, &call, tag.as_deref(), body.as_deref(), wish);
        let mut message = requests::faulty(plain, fault);
        let mut repeated = false;
        if fault == PublishFault::Repeated
            && let Some((last, when)) = &self.last_publish
            && self.now.saturating_since(*when) < Duration::from_secs(32)
            && self.setting.config.server.limits.remembered_requests > 10
        {
            message = last.clone();
            repeated = true;
        }
        let owner = format!("sip:{}", PRESENTITIES[presentity]);
        let user = match fault {
            PublishFault::OtherUser => Some(WATCHERS[0]),
            PublishFault::Nobody => None,
            _ => Some(&*owner),
        };
        let seconds = match wish {
            Wish::Absent => 3600,
            Wish::Seconds(seconds) => seconds,
        };
        let kind = match (&tag, mark, seconds) {
            (None, _, _) => PublishKind::Initial,
            (Some(_), _, 0) => PublishKind::Remove,
            (Some(_), None, _) => PublishKind::Refresh,
            (Some(_), Some(_), _) => PublishKind::Modify,
        };
        let jobs = self.agent.occupancy().jobs;
        let (transaction, effect) = self.hand_in(&message, user, None, |course| {
            let found = tag
                .as_deref()
                .map(|tag| course.publication(presentity, tag));
            vec![match fault {
                _ if repeated => 482,
                PublishFault::InDialog => 481,
                PublishFault::OtherDomain => 404,
                PublishFault::Extension => 420,
                PublishFault::OtherEvent => 489,
                PublishFault::TwoTags => 400,
                _ if 0 < seconds && seconds < 60 => 423,
                PublishFault::NoBodyNorTag => 400,
                PublishFault::Nobody => 401,
                PublishFault::OtherUser => 403,
                _ if found == Some(None) => 412,
                PublishFault::UnknownType | PublishFault::Encoded
                    if kind != PublishKind::Remove =>
                {
                    415
                }
                PublishFault::HugeBody if kind != PublishKind::Remove => 413,
                PublishFault::NoType | PublishFault::BrokenDocument
                    if kind != PublishKind::Remove =>
                {
                    400
                }
                _ if presentity == DEFERRED => {
                    let full = jobs >= course.setting.config.server.limits.jobs;
                    if full { 503 } else { 200 }
                }
                _ => course.commit_status(presentity, found.flatten()),
            }]
        });
        if effect != Effect::Backlog && fault == PublishFault::None && !repeated {
            self.last_publish = Some((message, self.clock));
        }
        if effect != Effect::Taken || repeated {
            return;
        }
        let change = PendingJob {
            transaction,
            presentity,
            kind,
            tag,
            mark: match kind {
                PublishKind::Initial | PublishKind::Modify => mark,
                _ => None,
            },
            expires: seconds.min(3600),
            deadline: self.clock + self.setting.config.server.job_deadline,
            key: None,
            may_be_over: false,
            over: false,
        };
        if presentity == DEFERRED {
            let expected = self.expected.get_mut(&transaction).expect("an expectation");
            expected.statuses = vec![504];
            expected.of = ExpectedOf::Job(self.jobs.len());
            self.deferring.push_back(self.jobs.len());
            self.jobs.push(change);
        } else {
            self.commit(change);
        }
    }

    fn commit_status(&self, presentity: usize, found: Option<usize>) -> u16 {
        let limit = self.setting.config.server.limits.publications_per_resource;
        let own = self.publications.iter();
        let own = own.filter(|it| it.alive && it.presentity == presentity);
        if found.is_none() && own.count() >= limit {
            503
        } else {
            200
        }
    }

    /// A publication is in force.
    fn commit(&mut self, change: PendingJob) {
        self.changed_at[change.presentity] = self.clock;
        let found = change
            .tag
            .as_deref()
            .and_then(|tag| self.publication(change.presentity, tag));
        let expires_at = self.clock + Duration::from_secs(change.expires.into());
        let place = match (found, change.mark) {
            (None, Some(_)) if change.expires == 0 => None,
            (None, Some(mark)) => {
                let is_new = |key: &_| self.publications.iter().all(|it| it.key != *key);
                let key = self.agent.publications().map(|info| info.key).find(is_new);
                self.publications.push(Publication {
                    presentity: change.presentity,
                    mark,
                    expires_at,
                    tag: None,
                    old_tags: Vec::new(),
                    key: key.expect("a new publication"),
                    alive: true,
                });
                self.published
                    .push_back((change.presentity, PublishKind::Initial));
                Some(self.publications.len() - 1)
            }
            (Some(place), mark) => {
                let publication = &mut self.publications[place];
                publication.old_tags.extend(publication.tag.take());
                publication.expires_at = expires_at;
                publication.mark = mark.unwrap_or(publication.mark);
                publication.alive = change.kind != PublishKind::Remove;
                self.published.push_back((change.presentity, change.kind));
                publication.alive.then_some(place)
            }
            (None, None) => panic!("a condition that nothing meets was met"),
        };
        let expected = self.expected.get_mut(&change.transaction);
        expected.expect("an expectation").of = ExpectedOf::Publication {
            place,
            granted: change.expires,
        };
    }

    fn complete_job(&mut self, pick: usize, success: bool) {
        let known: Vec<usize> = (0..self.jobs.len())
            .filter(|place| self.jobs[*place].key.is_some())
            .collect();
        // Mostly the latest.
        let Some(place) = known.iter().rev().nth(pick % known.len().clamp(1, 4)) else {
            return;
        };
        self.complete(*place, success);
    }

    pub(super) fn complete(&mut self, place: usize, success: bool) {
        let Some(key) = self.jobs[place].key else {
            return;
        };
        let now = self.time();
        let before = self.agent.occupancy().jobs;
        self.agent.complete_job(now, key, success);
        let ended = before - self.agent.occupancy().jobs;
        let job = &self.jobs[place];
        if ended == 0 {
            assert!(job.over || job.may_be_over, "a job is lost: {job:?}");
            return;
        }
        assert!(!job.over, "a job ended twice: {job:?}");
        let job = PendingJob {
            tag: job.tag.clone(),
            ..*job
        };
        self.jobs[place].over = true;
        let found = job
            .tag
            .as_deref()
            .map(|tag| self.publication(job.presentity, tag));
        let status = match found {
            _ if !success => 504,
            Some(None) => 412,
            _ => self.commit_status(job.presentity, found.flatten()),
        };
        let expected = self.expected.get_mut(&job.transaction).expect("unanswered");
        expected.statuses = vec![status];
        expected.of = ExpectedOf::Other;
        if status == 200 {
            self.commit(job);
        }
    }

    // ---- outcomes -------------------------------------------------------------------------

    /// Subscriptions whose NOTIFY waits for an outcome.
    fn open_notifies(&self) -> Vec<usize> {
        (0..self.subscriptions.len())
            .filter(|place| self.subscriptions[*place].open.is_some())
            .collect()
    }

    /// Hands an outcome in; tells whether the agent knew the transaction.
    fn report(&mut self, transaction: ClientTransaction, outcome: Outcome) -> bool {
        let now = self.time();
        if self.trace {
            println!("  {transaction:?} at {now:?}: {outcome:?}");
        }
        let strays = self.agent.counters().stray_outcomes();
        let body = Bytes::new();
        let mut respond = |status, fields: &[(&str, &str)]| {
            let response = ResponseRef::new(status, fields.iter().copied(), &body);
            self.agent.handle_response(now, transaction, &response);
        };
        match outcome {
            Outcome::Status(status) => respond(status, &[]),
            Outcome::RetryAfter(status, seconds) => {
                respond(status, &[("Retry-After", &seconds.to_string())]);
            }
            Outcome::Challenge(401) => {
                respond(
                    401,
                    &[("WWW-Authenticate", "Digest realm=\"w\", nonce=\"1\"")],
                );
            }
            Outcome::Challenge(status) => respond(
                status,
                &[("Proxy-Authenticate", "Digest realm=\"p\", nonce=\"2\"")],
            ),
            Outcome::Failure(failure) => self.agent.handle_failure(now, transaction, failure),
        }
        self.agent.counters().stray_outcomes() == strays
    }

    pub(super) fn answer(&mut self, place: usize, outcome: Outcome) {
        let Some(open) = &self.subscriptions[place].open else {
            return;
        };
        let (transaction, challenged) = (open.transaction, open.challenged.is_some());
        let provisional = matches!(outcome, Outcome::Status(100));
        let known = self.report(transaction, outcome);
        let forgotten_after = self.setting.config.server.forgotten_after;
        let clock = self.clock;
        let subscription = &mut self.subscriptions[place];
        if provisional {
            return;
        }
        if !known {
            if !challenged {
                assert!(
                    subscription.may_be_forgotten(clock, forgotten_after),
                    "an outcome was not heard at step {}: {subscription:?}",
                    self.step
                );
                subscription.drop_silently(EndReason::NotifyForgotten);
                self.closed.push(transaction);
            }
            // Whoever was asked for credentials gives them or does nothing.
            return;
        }
        assert!(
            !challenged,
            "an outcome was heard twice at step {}",
            self.step
        );
        let open = subscription.open.take().expect("open");
        let status = match outcome {
            Outcome::Failure(failure) => {
                self.closed.push(transaction);
                let reason = match failure {
                    presentity::event::Failure::Timeout => EndReason::NotifyTimeout,
                    _ => EndReason::NotifyUnsent,
                };
                subscription.drop_silently(reason);
                return;
            }
            Outcome::Status(status)
            | Outcome::RetryAfter(status, _)
            | Outcome::Challenge(status) => status,
        };
        if matches!(outcome, Outcome::Challenge(_)) && open.attempts < 2 {
            subscription.open = Some(super::model::Open {
                challenged: Some(match status {
                    401 => "Authorization",
                    _ => "Proxy-Authorization",
                }),
                attempts: open.attempts + 1,
                ..open
            });
            return;
        }
        self.closed.push(transaction);
        if let Phase::Last(_) = subscription.phase {
            subscription.phase = Phase::Gone;
            return;
        }
        match status {
            200..=299 => {
                subscription.taken = Some(open.body);
                subscription.unsure = false;
            }
            404 | 405 | 410 | 416 | 480..=485 | 489 | 501 | 604 => {
                subscription.drop_silently(EndReason::NotifyRejected(status));
            }
            _ => {
                subscription.unsure = true;
                if let Outcome::RetryAfter(_, seconds) = outcome
                    && subscription.is_live()
                {
                    let hold = Duration::from_secs(seconds.min(3600).into());
                    subscription.owed = true;
                    subscription.held_until = Some(clock + hold);
                }
            }
        }
    }

    fn credentials(&mut self, pick: usize, clean: bool, stray: bool) {
        let now = self.now;
        if stray {
            let known = &self.closed;
            if let Some(transaction) = known.get(pick % known.len().max(1)).copied() {
                self.clock = self.clock.max(now);
                let taken = self.agent.provide_credentials(now, transaction, "Digest x");
                assert!(!taken, "credentials for nothing at step {}", self.step);
            }
            return;
        }
        let challenged: Vec<usize> = (0..self.subscriptions.len())
            .filter(|place| {
                let open = &self.subscriptions[*place].open;
                open.as_ref().is_some_and(|open| open.challenged.is_some())
            })
            .collect();
        if let Some(place) = challenged.get(pick % challenged.len().max(1)) {
            self.provide(*place, clean);
        }
    }

    pub(super) fn provide(&mut self, place: usize, clean: bool) {
        let now = self.time();
        let subscription = &mut self.subscriptions[place];
        let open = subscription.open.as_ref().expect("open");
        let (transaction, attempts) = (open.transaction, open.attempts);
        let field = open.challenged.expect("challenged");
        let value = format!(
            "Digest username=\"agent\", cnonce=\"{}\"",
            self.closed.len()
        );
        let text = if clean {
            value.clone()
        } else {
            format!("{value}\r\nX: 1")
        };
        let taken = self.agent.provide_credentials(now, transaction, &text);
        let forgotten_after = self.setting.config.server.forgotten_after;
        if taken {
            assert!(clean, "a line break went through at step {}", self.step);
            subscription.open = None;
            subscription.retry = Some(Retry {
                field,
                value,
                attempts,
            });
            self.closed.push(transaction);
            return;
        }
        if clean {
            assert!(
                subscription.may_be_forgotten(self.clock, forgotten_after),
                "credentials were not taken at step {}: {subscription:?}",
                self.step
            );
            self.challenge_forgotten(place);
        }
    }

    /// The credentials never came.
    pub(super) fn challenge_forgotten(&mut self, place: usize) {
        let subscription = &mut self.subscriptions[place];
        if let Some(open) = subscription.open.take() {
            self.closed.push(open.transaction);
        }
        subscription.unsure = true;
        if let Phase::Last(_) = subscription.phase {
            subscription.phase = Phase::Gone;
        }
    }

    // ---- the application ------------------------------------------------------------------

    fn decide(&mut self, pick: usize, decision: Decision) {
        let keyed: Vec<usize> = (0..self.subscriptions.len())
            .filter(|place| self.subscriptions[*place].key.is_some())
            .collect();
        let Some(place) = keyed.get(pick % keyed.len().max(1)).copied() else {
            return;
        };
        let now = self.time();
        let key = self.subscriptions[place].key.expect("a key");
        let result = self.agent.decide(now, key, decision.clone());
        assert_eq!(
            result.is_ok(),
            self.subscriptions[place].is_live(),
            "a decision at step {}",
            self.step
        );
        if result.is_ok() {
            self.decided(place, decision);
        }
    }

    fn decided(&mut self, place: usize, decision: Decision) {
        let subscription = &mut self.subscriptions[place];
        if subscription.decision == decision {
            return;
        }
        if let Decision::Reject(_) = decision {
            subscription.end("reason=rejected".into(), false, EndReason::Rejected);
            return;
        }
        subscription.decision = decision.clone();
        subscription.owed = true;
        self.changes.push_back((place, decision));
    }

    fn decide_watcher(&mut self, watcher: usize, presentity: usize, decision: Decision) {
        let Some(name) = watcher_name(watcher) else {
            return;
        };
        let now = self.time();
        let uri = format!("pres:{}", PRESENTITIES[presentity]);
        let count = self.agent.decide_watcher(now, name, &uri, &decision);
        let matching: Vec<usize> = (0..self.subscriptions.len())
            .filter(|place| {
                let one = &self.subscriptions[*place];
                one.is_live() && one.watcher == watcher && one.presentity == presentity
            })
            .collect();
        assert_eq!(count, matching.len(), "decisions at step {}", self.step);
        for place in matching {
            self.decided(place, decision.clone());
        }
    }

    pub(super) fn set_presence(&mut self, presentity: usize, same: bool) {
        self.changed_at[presentity] = self.clock.max(self.now);
        let mark = match self.lasting[presentity] {
            Some(mark) if same => mark,
            _ => {
                self.next_mark += 1;
                self.next_mark
            }
        };
        let now = self.time();
        let uri = requests::entity(presentity, mark as usize % 3);
        let set = self
            .agent
            .set_presence(now, &uri, document(presentity, mark));
        assert_eq!(set, Ok(()));
        self.lasting[presentity] = Some(mark);
    }

    pub(super) fn clear_presence(&mut self, presentity: usize) {
        let now = self.time();
        self.changed_at[presentity] = self.clock;
        let cleared = self.agent.clear_presence(now, PRESENTITIES[presentity]);
        assert_eq!(cleared, Ok(self.lasting[presentity].take().is_some()));
    }

    fn terminate(&mut self, pick: usize, end: End) {
        let keyed: Vec<usize> = (0..self.subscriptions.len())
            .filter(|place| self.subscriptions[*place].key.is_some())
            .collect();
        let Some(place) = keyed.get(pick % keyed.len().max(1)).copied() else {
            return;
        };
        let now = self.time();
        let key = self.subscriptions[place].key.expect("a key");
        let result = self.agent.terminate(now, key, termination(end));
        let live = self.subscriptions[place].is_live();
        assert_eq!(result.is_ok(), live, "an end at step {}", self.step);
        if live {
            self.subscriptions[place].end_by(end);
        }
    }

    pub(super) fn ended_by_application(
        &mut self,
        count: usize,
        end: End,
        which: impl Fn(&Subscription) -> bool,
    ) {
        let mut ended = 0;
        for subscription in &mut self.subscriptions {
            if subscription.is_live() && which(subscription) {
                subscription.end_by(end);
                ended += 1;
            }
        }
        assert_eq!(count, ended, "ends at step {}", self.step);
    }

    // ---- calls that change nothing --------------------------------------------------------

    fn inspect(&mut self) {
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
    fn disturb(&mut self) {
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
            assert!(!taken);
        }
        for job in self.jobs.iter().filter(|job| job.over) {
            let key = job.key.expect("it was told");
            self.agent.complete_job(clock, key, true);
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

impl Subscription {
    fn end_by(&mut self, (reason, retry_after): End) {
        let mut told = format!("reason={reason}");
        if let Some(seconds) = retry_after {
            told.push_str(&format!(";retry-after={seconds}"));
        }
        self.end(told, false, EndReason::Terminated(reason));
    }
}
