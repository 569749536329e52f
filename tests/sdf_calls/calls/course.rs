//! The operations, and what is known while they are done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use presentity::engine::{ClientTransaction, FlowId, Timestamp};
use presentity::event::{
    Decision, Delivery, Failure as Unsent, Reason, SubscriptionKey, Termination,
    VerificationKey as SipVerificationKey,
};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::AgentConfig;
use presentity::sdf::{Freshness, Service, ServiceConfig, VerificationKey};
use presentity::sip::ResponseRef;
use time::OffsetDateTime;

use super::requests::{Asked, Carried, Document};
use super::rules::{PRESENTITIES, Rule, Rules, WATCHERS};
use crate::common::{Message, seeded};

/// Bytes in front of the operations, and of each of them.
pub const SETTING: usize = 8;
pub const WIDTH: usize = 6;
/// Operations; more find no more in the same time.
const MOST: usize = 150;
/// After it, what became of a notification is asked no more.
pub const FORGOTTEN: Duration = Duration::from_secs(64);
const BEGIN: Timestamp = Timestamp::from_secs(5_000);

/// What a course was like.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub accepted: u64,
    pub refused: u64,
    pub repeated: u64,
    pub verified: u64,
    pub notified: u64,
    pub carried: u64,
    pub ended: u64,
}

/// A subscription without dialog.
#[derive(Debug, Default)]
pub struct Known {
    pub open: Option<(ClientTransaction, Timestamp)>,
    /// What was on its way last, and whether it is known to have come.
    pub sent: Option<String>,
    pub has_it: bool,
}

pub struct Course {
    pub service: Service<Rules>,
    pub config: AgentConfig,
    pub checks: ServiceConfig,
    pub now: Timestamp,
    /// The host says times that are this much behind.
    behind: Duration,
    /// The latest time that the service was told.
    pub told: Timestamp,
    pub wall: OffsetDateTime,
    pub step: u64,
    pub transactions: u64,
    pub documents: Vec<Document>,
    /// Requests that came outside SIP and are not answered.
    pub asked: BTreeMap<u64, Asked>,
    /// SUBSCRIBEs that are not answered.
    pub carried: BTreeMap<u64, Carried>,
    /// Names of accepted requests with the order in which they were, and their times.
    pub accepted: BTreeMap<(String, bool), Vec<(u64, i128)>>,
    pub fetches: VecDeque<(String, usize)>,
    pub dialogs: Vec<(Message, String, u32)>,
    pub known: BTreeMap<SubscriptionKey, Known>,
    pub ended: BTreeSet<SubscriptionKey>,
    pub reports: Vec<ClientTransaction>,
    pub sends: Vec<ClientTransaction>,
    pub verifications: Vec<(VerificationKey, bool)>,
    pub sip_verifications: Vec<(SipVerificationKey, bool)>,
    /// The verdict being told lends the watcher's name.
    pub is_bound: bool,
    pub states: [Option<u32>; 2],
    changes: u32,
    pub tally: Tally,
}

impl Course {
    pub fn new(bytes: &[u8]) -> Self {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let mut agent = AgentConfig::default();
        agent.server.forgotten_after = FORGOTTEN;
        agent.server.timers_per_call = [512, 1, 3][usize::from(byte(0) % 3)];
        agent.server.notify_interval = Duration::from_secs([5, 0, 60][usize::from(byte(1) % 3)]);
        agent.server.window = [64, 1, 2][usize::from(byte(1) / 3 % 3)];
        agent.server.slow_window = agent.server.slow_window.min(agent.server.window);
        let limits = &mut agent.server.limits;
        limits.subscriptions = [6, 2, 100][usize::from(byte(2) % 3)];
        limits.subscriptions_per_watcher = [4, 2, 100][usize::from(byte(2) / 3 % 3)];
        limits.subscriptions_per_resource = [100, 3][usize::from(byte(2) / 9 % 2)];
        limits.subscriptions_per_source = [100, 2][usize::from(byte(2) / 18 % 2)];
        limits.outputs = [1_000, 1, 4][usize::from(byte(3) % 3)];
        limits.jobs = [10, 1][usize::from(byte(3) / 3 % 2)];
        let mut checks = ServiceConfig::default();
        checks.intake.outputs = [100, 1, 3][usize::from(byte(4) % 3)];
        checks.intake.verifications = [3, 1][usize::from(byte(4) / 3 % 2)];
        checks.checks.remembered = [1_000, 3, 1][usize::from(byte(5) % 3)];
        checks.checks.unbound_signatures = byte(5) / 3 % 2 == 1;
        if byte(5) / 6 % 3 == 1 {
            checks.checks.freshness = Freshness::Signed;
        }
        let rules = Rules([[Rule::Allow('a'); 2]; 4]);
        let mut course = Self {
            service: Service::new(agent.clone(), checks.clone(), rules, seeded(byte(7).into())),
            config: agent,
            checks,
            now: BEGIN,
            told: Timestamp::ZERO,
            behind: Duration::ZERO,
            wall: OffsetDateTime::from_unix_timestamp(1_770_000_000).unwrap(),
            step: 0,
            transactions: 0,
            documents: Vec::new(),
            asked: BTreeMap::new(),
            carried: BTreeMap::new(),
            accepted: BTreeMap::new(),
            fetches: VecDeque::new(),
            dialogs: Vec::new(),
            known: BTreeMap::new(),
            ended: BTreeSet::new(),
            reports: Vec::new(),
            sends: Vec::new(),
            verifications: Vec::new(),
            sip_verifications: Vec::new(),
            is_bound: false,
            states: [None; 2],
            changes: 0,
            tally: Tally::default(),
        };
        // Nobody tells some hosts what time of day it is.
        if byte(6) % 16 != 15 {
            course.set_clock(0);
        }
        course
    }

    pub fn run(mut self, bytes: &[u8]) -> Tally {
        let operations = bytes.get(SETTING..).unwrap_or_default();
        for operation in operations.chunks_exact(WIDTH).take(MOST) {
            let [kind, a, b, c, d, e] = <[u8; WIDTH]>::try_from(operation).expect("so wide");
            self.step += 1;
            self.is_bound = false;
            self.take_step(kind, [a, b, c, d, e]);
            // The host may be late.
            match kind / 32 {
                0 => {}
                1 => {
                    self.take(1);
                }
                _ => self.drain(),
            }
            self.check_bounds();
        }
        self.end();
        self.tally
    }

    /// What the host says the time is, in a call that must follow: without one the service is told
    /// nothing.
    pub fn said(&mut self) -> Timestamp {
        let said = self.read_clock();
        self.told = self.told.max(said);
        said
    }

    fn read_clock(&mut self) -> Timestamp {
        let behind = std::mem::take(&mut self.behind);
        let elapsed = self.now.saturating_since(Timestamp::ZERO);
        Timestamp::from_elapsed(elapsed.saturating_sub(behind))
    }

    fn take_step(&mut self, kind: u8, [a, b, c, d, e]: [u8; 5]) {
        match kind % 32 {
            0..=6 => {
                let document = self.compose(a, b, c);
                self.ask(document, d, e);
            }
            7 | 8 if !self.documents.is_empty() => {
                self.tally.repeated += 1;
                let back = usize::from(a) % self.documents.len().min(8);
                self.ask(self.documents.len() - 1 - back, d, e);
            }
            9..=11 => self.subscribe(a, b, c, d, e),
            12 | 13 => self.refresh(a, b, c, d, e),
            14..=16 => self.change(a, b),
            17 => {
                let presentity = usize::from(b % 2);
                let rule = Rule::read(c);
                self.service.agent_mut().policy_mut().0[usize::from(a % 4)][presentity] = rule;
            }
            18 => self.decide(a, b, c),
            19 => self.terminate(a, b),
            20..=22 => self.report(a, b),
            23 => self.answer(a, b),
            24 | 25 => self.complete(a, b, c),
            26 | 27 => self.pass(a, b),
            28 => self.behind = Duration::from_secs(u64::from(a) * u64::from(b)),
            29 => self.set_clock(match a % 6 {
                0 => i64::from(b),
                1 => -i64::from(b),
                2 => 3_600,
                3 => -3_600,
                4 => i64::from(b) * 86_400,
                _ => -i64::from(b) * 86_400,
            }),
            30 => {
                let now = self.said();
                let flow = FlowId(u64::from(a % 3));
                self.service.agent_mut().handle_flow_lost(now, flow);
            }
            _ => self.take(usize::from(a % 8)),
        }
    }

    pub fn set_clock(&mut self, by: i64) {
        self.wall += time::Duration::seconds(by);
        // The time of day at some moment: no subscription grows older by it.
        let now = self.read_clock();
        self.service.set_wall_clock(now, self.wall);
    }

    pub fn change(&mut self, a: u8, b: u8) {
        let presentity = usize::from(a % 2);
        let uri = PRESENTITIES[presentity].1;
        let now = self.said();
        let agent = self.service.agent_mut();
        match b % 8 {
            0 => {
                agent.clear_presence(now, uri).expect("a presentity");
                self.states[presentity] = None;
            }
            1 => agent.views_changed(now, uri).expect("a presentity"),
            _ => {
                self.changes += 1;
                let note = self.changes.to_string();
                let state = Presence::new(uri).with_tuple(Tuple::open("desk").with_note(note));
                if agent.set_presence(now, uri, state).is_ok() {
                    self.states[presentity] = Some(self.changes);
                }
            }
        }
    }

    fn decide(&mut self, a: u8, b: u8, c: u8) {
        let ((who, from), (_, to)) = (
            WATCHERS[usize::from(a) % WATCHERS.len()],
            PRESENTITIES[usize::from(b % 2)],
        );
        let decision = Rule::read(c).decision(who);
        let now = self.said();
        let keys = self.keys();
        let agent = self.service.agent_mut();
        if b & 128 == 0 || keys.is_empty() {
            agent.decide_watcher(now, from, to, &decision).unwrap();
            return;
        }
        // One by its key; the view is that of whoever has it.
        let key = keys[usize::from(a) % keys.len()];
        let who = agent.subscription(key).and_then(|it| it.watcher);
        let decision = Rule::read(c).decision(who.unwrap_or(super::rules::NOBODY));
        let found = agent.subscription(key).is_some();
        let decided = agent.decide(now, key, decision.clone());
        assert_eq!(decided.is_ok(), found);
        if matches!(decision, Decision::Reject(_)) {
            assert!(agent.subscription(key).is_none());
        }
    }

    /// Some that live, and some that do not.
    fn keys(&self) -> Vec<SubscriptionKey> {
        self.known.keys().chain(&self.ended).copied().collect()
    }

    fn terminate(&mut self, a: u8, b: u8) {
        const REASONS: [Reason; 4] = [
            Reason::Deactivated,
            Reason::Timeout,
            Reason::NoResource,
            Reason::Probation,
        ];
        let termination = Termination::new(REASONS[usize::from(b % 4)]);
        let keys = self.keys();
        if a % 8 > 2 && keys.is_empty() {
            return;
        }
        let now = self.said();
        let agent = self.service.agent_mut();
        match a % 8 {
            0 => {
                agent.terminate_all(now, termination);
            }
            1 | 2 => {
                let uri = PRESENTITIES[usize::from(a & 1)].1;
                agent.terminate_presentity(now, uri, termination).unwrap();
            }
            _ => {
                let key = keys[usize::from(a) % keys.len()];
                let _ = agent.terminate(now, key, termination);
            }
        }
    }

    /// What became of a notification: the right one mostly, or an old or a foreign one.
    pub fn report(&mut self, a: u8, b: u8) {
        let delivery = match b % 8 {
            0 => Delivery::Unwanted,
            1 | 2 => Delivery::Failed,
            _ => Delivery::Done,
        };
        let open = self.known.values().filter_map(|it| it.open);
        let open: Vec<_> = open.map(|(transaction, _)| transaction).collect();
        let from = match b / 8 % 8 {
            0 => &self.reports,
            1 => &self.sends,
            _ => &open,
        };
        let Some(transaction) = from.get(usize::from(a) % from.len().max(1)).copied() else {
            return;
        };
        self.report_one(transaction, delivery);
    }

    pub fn report_one(&mut self, transaction: ClientTransaction, delivery: Delivery) {
        for known in self.known.values_mut() {
            if known.open.is_some_and(|(it, _)| it == transaction) {
                known.open = None;
                known.has_it = delivery == Delivery::Done;
            }
        }
        let now = self.said();
        self.service.handle_delivery(now, transaction, delivery);
    }

    fn answer(&mut self, a: u8, b: u8) {
        let from = if b < 16 { &self.reports } else { &self.sends };
        let Some(transaction) = from.get(usize::from(a) % from.len().max(1)).copied() else {
            return;
        };
        let now = self.said();
        let body = bytes::Bytes::new();
        // Answers have no business with those that no SIP has carried.
        let agent = self.service.agent_mut();
        match b % 6 {
            0 => agent.handle_failure(now, transaction, Unsent::Timeout),
            1 => agent.handle_failure(now, transaction, Unsent::Transport),
            2 => agent.handle_response(now, transaction, &ResponseRef::new(481, [], &body)),
            3 => agent.handle_response(now, transaction, &ResponseRef::new(500, [], &body)),
            _ => agent.handle_response(now, transaction, &ResponseRef::new(200, [], &body)),
        }
    }

    pub fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
        self.wall += by;
    }

    fn pass(&mut self, a: u8, b: u8) {
        let long = Duration::from_secs(u64::from(b) + 1);
        match a % 8 {
            0 => self.advance(Duration::from_millis(b.into())),
            1..=3 => self.advance(long),
            4 => self.advance(long * 60),
            // Without telling that it has passed.
            5 => return self.advance(long),
            _ => {
                if let Some(deadline) = self.service.poll_timeout() {
                    self.advance(deadline.saturating_since(self.now));
                }
            }
        }
        let now = self.said();
        self.service.handle_timeout(now);
    }
}
