//! All of them on one clock, and what must be true when it has become quiet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Decision, Delivery, EndReason, Failure as Unsent, Identity, Output as AgentOutput,
    RequestContext as SipContext, ServerEvent, SubscriptionKey,
};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::AgentConfig;
use presentity::sdf::{
    Failure, Granted, MEDIA_TYPE, Operation, Output, RequestContext, Service, ServiceConfig,
};
use presentity::sip::{OutgoingRequest, ResponseRef};
use time::OffsetDateTime;

use crate::common::{self, Message, seeded, state_of};
use crate::dice::Dice;
use crate::phone::Phone;
use crate::rules::{PRESENTITIES, Rule, Rules, shown};
use crate::watcher::Watcher;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
/// What the clock shows at the beginning, in milliseconds since 1970.
const START: i64 = 1_770_000_000_000;
/// A notification is sent so often.
const TRIES: u32 = 4;

/// What runs were like.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Course {
    pub granted: u64,
    pub refused: u64,
    pub brought: u64,
    pub failed: u64,
    pub unwanted: u64,
    /// Who holds a subscription when all is quiet.
    pub settled: u64,
    pub phones_settled: u64,
    pub ended: u64,
}

impl Course {
    pub fn add(&mut self, other: &Self) {
        self.granted += other.granted;
        self.refused += other.refused;
        self.brought += other.brought;
        self.failed += other.failed;
        self.unwanted += other.unwanted;
        self.settled += other.settled;
        self.phones_settled += other.phones_settled;
        self.ended += other.ended;
    }
}

#[derive(Debug, Clone)]
enum Event {
    Request {
        who: usize,
        serial: u64,
        octets: Bytes,
    },
    Answer {
        who: usize,
        serial: u64,
        result: Result<Granted, Failure>,
    },
    Bring {
        number: u64,
    },
    Told {
        number: u64,
        delivery: Delivery,
    },
    Again {
        number: u64,
    },
    Answered {
        transaction: ClientTransaction,
        status: Option<u16>,
    },
}

/// A notification that has left.
#[derive(Debug)]
struct Letter {
    transaction: ClientTransaction,
    who: usize,
    presentity: String,
    token: String,
    shown: String,
    tries: u32,
    is_open: bool,
}

pub struct World {
    service: Service<Rules>,
    now: u64,
    dice: Dice,
    queue: BTreeMap<(u64, u64), Event>,
    queued: u64,
    is_calm: bool,
    watchers: Vec<Watcher>,
    phones: Vec<Phone>,
    states: [Option<u64>; 2],
    marks: u64,
    transactions: u64,
    asked: BTreeMap<u64, (usize, u64)>,
    calling: BTreeMap<u64, (usize, Message)>,
    letters: BTreeMap<u64, Letter>,
    open: BTreeMap<SubscriptionKey, ClientTransaction>,
    ended: BTreeSet<SubscriptionKey>,
    cancelled: BTreeSet<(String, String)>,
    course: Course,
    trace: bool,
}

impl World {
    pub fn new(seed: u64, trace: bool) -> Self {
        let config = AgentConfig::default();
        let mut service = ServiceConfig::default();
        service.checks.remembered = 10_000;
        let watchers = (0..6).map(|it| Watcher::new(format!("user{it}@example.org"), it % 2));
        let phones = (0..2).map(|it| Phone::new(format!("phone{it}@example.org"), it));
        let mut world = Self {
            service: Service::new(config, service, Rules::default(), seeded(seed)),
            now: 1_000_000,
            dice: Dice::new(seed),
            queue: BTreeMap::new(),
            queued: 0,
            is_calm: false,
            watchers: watchers.collect(),
            phones: phones.collect(),
            states: [None; 2],
            marks: 0,
            transactions: 0,
            asked: BTreeMap::new(),
            calling: BTreeMap::new(),
            letters: BTreeMap::new(),
            open: BTreeMap::new(),
            ended: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            course: Course::default(),
            trace,
        };
        world.set_clock();
        world
    }

    fn say(&self, text: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>9.3} {}", self.now as f64 / 1_000.0, text());
        }
    }

    fn at(&self) -> Timestamp {
        Timestamp::ZERO + Duration::from_millis(self.now)
    }

    fn utc(&self) -> i64 {
        START + i64::try_from(self.now).unwrap()
    }

    fn set_clock(&mut self) {
        let utc = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.utc()) * 1_000_000);
        self.service.set_wall_clock(self.at(), utc.unwrap());
    }

    pub fn run(mut self, minutes: u64) -> Course {
        for _ in 0..minutes * 6 {
            self.act();
            self.pass(10 * SECOND);
        }
        self.say(|| "quiet".to_owned());
        self.is_calm = true;
        for watcher in &mut self.watchers {
            watcher.silent_until = 0;
        }
        // Everybody asks again within it, and what a bad way has held up is given up.
        self.pass(15 * MINUTE);
        self.check_everybody();
        // The second change comes while the first is on its way, and nobody needs to ask for it.
        for presentity in [0, 1] {
            for wait in [20, 20 * SECOND] {
                self.marks += 1;
                self.set(presentity, Some(self.marks));
                self.pass(wait);
            }
        }
        self.check_everybody();
        self.finish();
        self.course
    }

    // ---- what happens -----------------------------------------------------------------------

    fn act(&mut self) {
        let who = self.dice.roll(self.watchers.len() as u64) as usize;
        let now = self.now;
        let roll = self.dice.roll(20);
        self.say(|| format!("act {roll} of {who}"));
        let watcher = &mut self.watchers[who];
        match roll {
            0..=2 if watcher.token.is_none() => watcher.begin(),
            // It comes back without its token.
            3 => watcher.begin(),
            4 => watcher.leave(),
            5 => watcher.prolong([60, 300, 600][self.dice.roll(3) as usize]),
            6 => watcher.silent_until = now + self.dice.roll(200) * SECOND,
            7 => watcher.skew = self.dice.between(0, 800_000) as i64 - 400_000,
            8 => self.phones[who % 2].forget(),
            9..=11 => {
                let rule = Rule::ALL[self.dice.roll(8) as usize];
                let user = match self.dice.roll(4) {
                    0 => self.phones[who % 2].user.clone(),
                    _ => self.watchers[who].user.clone(),
                };
                self.rule(&user, PRESENTITIES[who % 2], rule);
            }
            12 => self.set(who % 2, None),
            _ => {
                self.marks += 1;
                self.set(who % 2, Some(self.marks));
            }
        }
        self.drain();
    }

    fn rule(&mut self, user: &str, presentity: &str, rule: Rule) {
        let now = self.at();
        let agent = self.service.agent_mut();
        let name = (user.to_owned(), presentity.to_owned());
        agent.policy_mut().0.insert(name, rule);
        let (watcher, uri) = (format!("sip:{user}"), format!("pres:{presentity}"));
        let decision = rule.decision(user);
        agent
            .decide_watcher(now, &watcher, &uri, &decision)
            .unwrap();
        self.drain();
    }

    fn set(&mut self, presentity: usize, mark: Option<u64>) {
        self.states[presentity] = mark;
        let uri = format!("pres:{}", PRESENTITIES[presentity]);
        let now = self.at();
        let agent = self.service.agent_mut();
        match mark {
            Some(mark) => {
                let tuple = Tuple::open("desk").with_note(mark.to_string());
                let state = Presence::new(uri.as_str()).with_tuple(tuple);
                agent.set_presence(now, &uri, state).unwrap();
            }
            None => {
                agent.clear_presence(now, &uri).unwrap();
            }
        }
        self.drain();
    }

    // ---- time and the way ---------------------------------------------------------------------

    fn queue(&mut self, at: u64, event: Event) {
        self.queued += 1;
        self.queue.insert((at, self.queued), event);
    }

    /// By a way that loses, doubles, delays and reorders.
    fn post(&mut self, event: Event) {
        let (lost, doubled, slow) = if self.is_calm {
            (0, 0, 50)
        } else {
            (150, 150, 3_000)
        };
        if self.dice.chance(doubled) {
            // Some come when nobody thinks of them any more.
            let late = [3_000, 30_000, 400_000][self.dice.roll(3) as usize];
            let at = self.now + self.dice.roll(late);
            self.queue(at, event.clone());
        }
        if !self.dice.chance(lost) {
            let at = self.now + self.dice.roll(slow);
            self.queue(at, event);
        }
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        let mut rounds = 0;
        while self.now < end {
            let second = (self.now / SECOND + 1) * SECOND;
            let next = self.queue.keys().next().map_or(end, |(at, _)| *at);
            let deadline = self.service.poll_timeout().map_or(end, |at| {
                at.saturating_since(Timestamp::ZERO)
                    .as_nanos()
                    .div_ceil(1_000_000) as u64
            });
            self.now = second.min(next).min(deadline).min(end).max(self.now);
            self.service.handle_timeout(self.at());
            self.drain();
            while let Some(entry) = self.queue.first_entry().filter(|it| it.key().0 <= self.now) {
                let event = entry.remove();
                self.happen(event);
                self.drain();
            }
            if self.now.is_multiple_of(SECOND) {
                self.wake();
            }
            rounds += 1;
            assert!(rounds < 100 * millis, "time stands still");
        }
    }

    fn wake(&mut self) {
        for who in 0..self.watchers.len() {
            let (now, utc, repeats) = (self.now, self.utc(), self.dice.chance(300));
            if let Some((serial, octets)) = self.watchers[who].wake(now, utc, repeats) {
                self.post(Event::Request {
                    who,
                    serial,
                    octets,
                });
            }
        }
        for who in 0..self.phones.len() {
            let Some(message) = self.phones[who].wake(self.now) else {
                continue;
            };
            self.transactions += 1;
            let transaction = ServerTransaction(self.transactions);
            let identity = Identity::of(&self.phones[who].uri(), Assurance::Transport).unwrap();
            let context = SipContext::new(&identity, "sip:agent.example.com");
            let now = self.at();
            self.calling.insert(transaction.0, (who, message.clone()));
            let agent = self.service.agent_mut();
            agent
                .handle_request(now, transaction, &message.view(), &context)
                .unwrap();
            self.drain();
        }
    }

    fn happen(&mut self, event: Event) {
        self.say(|| format!("{event:?}"));
        let now = self.at();
        match event {
            Event::Request {
                who,
                serial,
                octets,
            } => {
                self.transactions += 1;
                self.asked.insert(self.transactions, (who, serial));
                let identity = Identity::of(&self.watchers[who].uri(), Assurance::Transport);
                let identity = identity.unwrap();
                let context = RequestContext::new(&identity);
                let transaction = ServerTransaction(self.transactions);
                self.service
                    .handle_request(now, transaction, MEDIA_TYPE, &octets, &context)
                    .unwrap();
            }
            Event::Answer {
                who,
                serial,
                result,
            } => {
                self.watchers[who].answered(self.now, serial, &result);
            }
            Event::Bring { number } => {
                let letter = &self.letters[&number];
                let name = (letter.presentity.as_str(), letter.token.as_str());
                let watcher = &mut self.watchers[letter.who];
                if let Some(delivery) = watcher.notified(self.now, number, name, &letter.shown) {
                    self.post(Event::Told { number, delivery });
                }
            }
            Event::Told { number, delivery } => self.report(number, delivery),
            Event::Again { number } => {
                let letter = self.letters.get_mut(&number).unwrap();
                if !letter.is_open {
                    return;
                }
                letter.tries += 1;
                if letter.tries > TRIES {
                    self.report(number, Delivery::Failed);
                } else {
                    self.bring(number);
                }
            }
            Event::Answered {
                transaction,
                status,
            } => {
                let body = Bytes::new();
                let agent = self.service.agent_mut();
                match status {
                    Some(status) => {
                        let response = ResponseRef::new(status, [], &body);
                        agent.handle_response(now, transaction, &response);
                    }
                    None => agent.handle_failure(now, transaction, Unsent::Timeout),
                }
            }
        }
    }

    fn bring(&mut self, number: u64) {
        self.post(Event::Bring { number });
        self.queue(self.now + 5 * SECOND, Event::Again { number });
    }

    /// Repeated and late reports are made as well.
    fn report(&mut self, number: u64, delivery: Delivery) {
        let letter = self.letters.get_mut(&number).unwrap();
        if letter.is_open {
            letter.is_open = false;
            let transaction = letter.transaction;
            self.open.retain(|_, open| *open != transaction);
            match delivery {
                Delivery::Done => self.course.brought += 1,
                Delivery::Failed => self.course.failed += 1,
                _ => self.course.unwanted += 1,
            }
        }
        let transaction = letter.transaction;
        let now = self.at();
        self.service.handle_delivery(now, transaction, delivery);
    }

    // ---- what comes out -----------------------------------------------------------------------

    fn drain(&mut self) {
        while let Some(output) = self.service.poll_output() {
            match output {
                Output::Respond {
                    transaction,
                    result,
                } => {
                    let asked = self.asked.remove(&transaction.0);
                    let (who, serial) = asked.expect("the only answer");
                    match &result {
                        Ok(_) => self.course.granted += 1,
                        Err(_) => self.course.refused += 1,
                    }
                    let ends = matches!(&result, Ok(it) if it.operation == Operation::Cancel);
                    self.say(|| format!("answered {who}: {result:?}, over {ends}"));
                    self.post(Event::Answer {
                        who,
                        serial,
                        result,
                    });
                }
                Output::Notify(it) => {
                    let (key, transaction) = (it.key().unwrap(), it.transaction().unwrap());
                    assert!(!self.ended.contains(&key), "after its end: {it:?}");
                    let before = self.open.insert(key, transaction);
                    assert_eq!(before, None, "two are on their way");
                    let user = it.watcher();
                    let user = user.strip_prefix("pres:").unwrap();
                    let who = self.watchers.iter().position(|other| other.user == user);
                    let token = it.token().unwrap().to_owned();
                    let presentity = it.presentity().strip_prefix("pres:").unwrap().to_owned();
                    let shown = shown(it.body());
                    let place = PRESENTITIES
                        .iter()
                        .position(|it| *it == presentity)
                        .unwrap();
                    let rule = self.service.agent().policy().get(user, &presentity);
                    assert_eq!(shown, rule.shows(user, self.states[place]), "{it:?}");
                    let number = self.letters.len() as u64;
                    let letter = Letter {
                        transaction,
                        who: who.expect("a watcher"),
                        presentity,
                        token,
                        shown,
                        tries: 1,
                        is_open: true,
                    };
                    self.say(|| format!("leaves: {letter:?}"));
                    self.letters.insert(number, letter);
                    self.bring(number);
                }
                Output::Ended(it) => assert!(self.ended.contains(&it.key), "{it:?}"),
                Output::Agent(AgentOutput::Respond(it)) => {
                    let calling = self.calling.remove(&it.transaction().0);
                    let (who, message) = calling.expect("the only response");
                    self.phones[who].answered(self.now, message, it.status(), it.to_tag());
                }
                Output::Agent(AgentOutput::Send(request)) => self.ring(&request),
                Output::Agent(AgentOutput::Event(event)) => self.look_at(&event),
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    fn look_at(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::SubscriptionStarted { subject, .. } => {
                if let Some(name) = &subject.direct {
                    let name = (name.watcher().into_owned(), name.id().to_owned());
                    assert!(!self.cancelled.contains(&name), "risen again: {name:?}");
                }
            }
            ServerEvent::SubscriptionEnded { subject, reason } => {
                assert!(self.ended.insert(subject.key), "it ended twice");
                self.open.remove(&subject.key);
                self.course.ended += 1;
                if let (Some(name), EndReason::Unsubscribed) = (&subject.direct, reason) {
                    let name = (name.watcher().into_owned(), name.id().to_owned());
                    let watcher = self.watchers.iter().find(|it| it.uri() == name.0);
                    if !watcher.unwrap().set_back.contains(&name.1) {
                        self.cancelled.insert(name);
                    }
                }
            }
            _ => {}
        }
    }

    /// A NOTIFY comes to a phone.
    fn ring(&mut self, request: &OutgoingRequest) {
        let to = common::field(request, "To").unwrap();
        let call = common::field(request, "Call-ID").unwrap();
        let phone = self.phones.iter_mut().find(|it| to.contains(&it.user));
        let phone = phone.expect("a phone");
        let is_over = state_of(request).starts_with("terminated");
        let mut status = Some(200);
        if phone.is_of(call) || call.ends_with(&format!("-{}", phone.calls())) {
            if !request.body().is_empty() {
                phone.held = Some(shown(request.body()));
            }
            if is_over && phone.wants {
                phone.forget();
                phone.ask_at = self.now + 30 * SECOND;
            }
        } else {
            status = Some(481);
        }
        if !self.is_calm && self.dice.chance(20) {
            status = None;
        }
        let transaction = request.transaction();
        let delay = if status.is_none() {
            32_000
        } else {
            self.dice.roll(2_000)
        };
        let at = self.now + delay;
        self.queue(
            at,
            Event::Answered {
                transaction,
                status,
            },
        );
    }

    // ---- what must be true ----------------------------------------------------------------------

    fn check_everybody(&mut self) {
        // Somebody may have asked just now.
        for _ in 0..40 {
            if !self.open.is_empty() {
                self.pass(25);
            }
        }
        assert!(self.asked.is_empty() && self.calling.is_empty() && self.open.is_empty());
        let agent = self.service.agent();
        for watcher in &self.watchers {
            assert!(watcher.is_calm() || watcher.token.is_some(), "{watcher:?}");
            let Some(token) = &watcher.token else {
                continue;
            };
            let presentity = PRESENTITIES[watcher.presentity];
            let rule = agent.policy().get(&watcher.user, presentity);
            let of_it = agent.subscriptions().filter(|it| {
                it.watcher == Some(&watcher.user)
                    && it.direct.is_some_and(|name| name.id() == token)
            });
            if rule == Rule::Forbid {
                assert_eq!(of_it.count(), 0, "{watcher:?}");
                continue;
            }
            assert_eq!(of_it.count(), 1, "{watcher:?}");
            let held = watcher.held.as_ref().map(|(_, held)| held.as_str());
            let expected = rule.shows(&watcher.user, self.states[watcher.presentity]);
            assert_eq!(held, Some(expected.as_str()), "{watcher:?}");
            self.course.settled += 1;
        }
        for phone in &self.phones {
            let presentity = PRESENTITIES[phone.presentity];
            let rule = agent.policy().get(&phone.user, presentity);
            if rule == Rule::Forbid {
                continue;
            }
            let expected = rule.shows(&phone.user, self.states[phone.presentity]);
            assert_eq!(phone.held, Some(expected), "{phone:?}");
            self.course.phones_settled += 1;
        }
        for it in agent.subscriptions() {
            assert!(!matches!(it.decision, Decision::Reject(_)));
        }
    }

    /// Some leave, others are heard of no more; then nothing is left.
    fn finish(&mut self) {
        for (who, watcher) in self.watchers.iter_mut().enumerate() {
            if who % 2 == 0 {
                watcher.leave();
            } else {
                watcher.silent_until = u64::MAX;
            }
        }
        for phone in &mut self.phones {
            phone.wants = false;
            phone.ask_at = 0;
        }
        self.pass(20 * MINUTE);
        self.set(0, None);
        self.set(1, None);
        assert_eq!(self.service.agent().occupancy(), Default::default());
        assert_eq!(self.service.waiting(), 0);
        assert_eq!(self.service.poll_timeout(), None);
    }
}
