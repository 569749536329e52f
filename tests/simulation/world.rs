//! All of them together on one clock, and what must be true when it has become quiet.

use std::collections::BTreeMap;

use presentity::event::Reason;

use crate::host::{CROWD, Host, HostCourse};
use crate::manners::Bounds;
use crate::model::{Rule, Shown};
use crate::network::{MILLI, Network, SECOND, Wake, What};
use crate::plan::{Act, Ending, Operation, Setting, decode};
use crate::publisher::Publisher;
use crate::terms::{Extensions, Pace, Suppress};
use crate::watcher::{Mood, Watcher};

/// Addresses: the agent, the watchers, the publishers.
const SMALL: Size = Size {
    watchers: 6,
    publishers: 4,
    presentities: 3,
};
/// Worlds with more watchers are vast: what is done to all of them is done seldom, and who is away
/// comes back.
const VAST: usize = 1_000;

/// How many there are of whom.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub watchers: usize,
    pub publishers: usize,
    pub presentities: usize,
}

/// What a run was like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    pub notifies: u64,
    pub changes: u64,
    pub fetched: u64,
    /// Partial documents, all of them and those of changes; SUBSCRIBEs that brought nothing, NOTIFYs
    /// without the document, and such as told the same again; publications of changes.
    pub partial: u64,
    pub changes_taken: u64,
    pub spared: u64,
    pub suppressed: u64,
    pub repeated: u64,
    pub told_changes: u64,
    pub told_412: u64,
    pub subscriptions: u64,
    /// Watchers that hold a subscription when all is quiet.
    pub settled: u64,
    /// Of every datagram, in order.
    pub digest: u64,
    /// How often each status was answered, and each reason ended a subscription.
    pub answers: BTreeMap<u16, u64>,
    pub ends: BTreeMap<String, u64>,
    pub host: HostCourse,
}

impl Course {
    pub fn add(&mut self, other: Self) {
        self.notifies += other.notifies;
        self.changes += other.changes;
        self.fetched += other.fetched;
        self.partial += other.partial;
        self.changes_taken += other.changes_taken;
        self.spared += other.spared;
        self.suppressed += other.suppressed;
        self.repeated += other.repeated;
        self.told_changes += other.told_changes;
        self.told_412 += other.told_412;
        self.subscriptions += other.subscriptions;
        self.settled += other.settled;
        for (status, count) in other.answers {
            *self.answers.entry(status).or_default() += count;
        }
        for (reason, count) in other.ends {
            *self.ends.entry(reason).or_default() += count;
        }
        let (all, one) = (&mut self.host, &other.host);
        all.backlogs += one.backlogs;
        all.interrupted += one.interrupted;
        all.strays += one.strays;
        all.credentials += one.credentials;
        all.jobs_done += one.jobs_done;
        all.jobs_over += one.jobs_over;
        all.flows_lost += one.flows_lost;
        all.most_live = all.most_live.max(one.most_live);
    }
}

pub struct World {
    pub network: Network,
    pub host: Host,
    pub watchers: Vec<Watcher>,
    pub publishers: Vec<Publisher>,
    marks: u64,
    ending: Ending,
    crowd: usize,
    extensions: Extensions,
    /// All comes to an end, and nobody comes back.
    is_over: bool,
}

/// Runs what the bytes say.
pub fn run(bytes: &[u8], trace: bool) -> Course {
    run_with_crowd(bytes, 0, trace)
}

/// The same, with so many politely blocked ones beside the watchers.
pub fn run_with_crowd(bytes: &[u8], crowd: usize, trace: bool) -> Course {
    let (mut setting, operations) = decode(bytes);
    if crowd > 0 {
        // A round of so many past a narrow window is another matter.
        setting.manners.window = None;
        setting.manners.bounds = Bounds::None;
    }
    let mut world = World::new(&setting, SMALL);
    world.network.trace = trace;
    world.network.say(|| format!("{setting:?}"));
    world.gather(crowd);
    for operation in operations {
        world.pass(operation.wait);
        world.network.say(|| format!("{operation:?}"));
        world.act(operation);
    }
    world.calm();
    let settled = world.check_everybody();
    let mut course = world.end();
    course.settled = settled;
    course
}

impl World {
    pub fn new(setting: &Setting, size: Size) -> Self {
        let presentities = size.presentities;
        let is_vast = size.watchers >= VAST;
        // Two for each presentity; one of the last two is a watcher of the first as well. In vast
        // worlds every second one is.
        let watcher = |address| {
            let presentity = if is_vast && address % 2 == 0 {
                0
            } else if is_vast {
                1 + address % (presentities - 1)
            } else {
                [0, 0, 1, 1, 2, 0][(address - 1) % 6]
            };
            Watcher::new(address, presentity, address % 3 == 0)
        };
        // Two for the first presentity.
        let publisher = |number| {
            let presentity = [0, 1, 0, 2].get(number).copied();
            let presentity = presentity.unwrap_or(1 + number % (presentities - 1));
            Publisher::new(size.watchers + 1 + number, presentity)
        };
        let mut network = Network::new(setting.network_seed, setting.weather);
        network.streams = setting.streams;
        let extensions = setting.extensions;
        let mut watchers: Vec<Watcher> = (1..=size.watchers).map(watcher).collect();
        for watcher in &mut watchers {
            watcher.ask(&mut network, extensions);
        }
        let mut publishers: Vec<Publisher> = (0..size.publishers).map(publisher).collect();
        for publisher in &mut publishers {
            publisher.partial = extensions.publications && network.dice.chance(700);
        }
        Self {
            network,
            host: Host::new(setting.manners, setting.network_seed, presentities),
            watchers,
            publishers,
            extensions,
            marks: 0,
            ending: setting.ending,
            crowd: 0,
            is_over: false,
        }
    }

    pub fn is_vast(&self) -> bool {
        self.watchers.len() >= VAST
    }

    /// Everybody subscribes, within some minutes.
    pub fn everybody_comes(&mut self) {
        for watcher in &mut self.watchers {
            watcher.expires = 3_600;
            let at = self.network.now + self.network.dice.roll(500 * SECOND);
            self.network.wake(at, watcher.address, Wake::Mend);
        }
    }

    /// A crowd comes that sees nothing of the first presentity.
    pub fn gather(&mut self, crowd: usize) {
        for number in self.crowd..self.crowd + crowd {
            self.host.set_rule(CROWD + number, 0, Rule::Block);
            let network = &mut self.network;
            self.host.subscribe_of_crowd(network, number, 0);
        }
        self.crowd += crowd;
    }

    // ---- time -----------------------------------------------------------------------------

    pub fn pass(&mut self, nanos: u64) {
        let end = self.network.now + nanos;
        loop {
            let host = self.host.wakes_at();
            let next = self.network.next_at().into_iter().chain(host).min();
            let next = next.map(|at| at.max(self.network.now));
            if next != Some(self.network.now) {
                // Time goes on only when the agent has nothing more to say.
                self.host.drain(&mut self.network);
                if self.host.wakes_at() != host || self.due_now() {
                    continue;
                }
            }
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.network.now = next;
            let host_due = host.is_some_and(|at| at <= next);
            let other_due = self.network.next_at().is_some_and(|at| at <= next);
            if host_due && (!other_due || self.network.dice.chance(500)) {
                self.host.wake(&mut self.network);
            } else if let Some(what) = self.network.take() {
                self.happen(what);
            }
        }
        self.network.now = end;
    }

    fn due_now(&self) -> bool {
        let at = self.network.next_at();
        at.is_some_and(|at| at <= self.network.now)
    }

    fn happen(&mut self, what: What) {
        let network = &mut self.network;
        match what {
            What::Message {
                to: 0, from, bytes, ..
            } => self.host.message(network, from, bytes),
            What::Timer { at: 0, key, timer } => self.host.timer(network, &key, timer),
            What::Wake { who: 0, why } => {
                if let Wake::Task(number) = why {
                    self.host.run_errand(network, number);
                }
            }
            What::Message { to, bytes, .. } => match self.watchers.get_mut(to - 1) {
                Some(watcher) => watcher.message(network, bytes),
                None => self.publishers[to - 1 - self.watchers.len()].message(network, bytes),
            },
            What::Timer { at, key, timer } => match self.watchers.get_mut(at - 1) {
                Some(watcher) => watcher.timer(network, &key, timer),
                None => {
                    self.publishers[at - 1 - self.watchers.len()].timer(network, &key, timer);
                }
            },
            What::Wake { who, why } => match self.watchers.get_mut(who - 1) {
                Some(watcher) => {
                    if why == Wake::Mend && self.is_over {
                        return;
                    }
                    if why == Wake::Mend {
                        let rule = Rule::for_most(watcher.presentity);
                        self.host
                            .set_rule(watcher.address, watcher.presentity, rule);
                    }
                    watcher.wake(network, why);
                }
                None => self.publishers[who - 1 - self.watchers.len()].wake(network, why),
            },
        }
    }

    // ---- operations -----------------------------------------------------------------------

    pub fn act(&mut self, Operation { act, who, .. }: Operation) {
        let is_vast = self.is_vast();
        let count = self.watchers.len();
        let presentities = self.host.ledger.states.len();
        let seldom = !is_vast || who.is_multiple_of(32);
        let one_of = |number: usize| {
            // Not the one that half of the world watches.
            if is_vast && !who.is_multiple_of(64) {
                1 + (who / 64 + number) % (presentities - 1)
            } else {
                number % presentities
            }
        };
        let network = &mut self.network;
        let now = network.now;
        let watcher = &mut self.watchers[who % count];
        let publishers = self.publishers.len();
        let publisher = &mut self.publishers[who % publishers];
        if is_vast {
            let later = now + 300 * SECOND + network.dice.roll(900 * SECOND);
            network.wake(later, watcher.address, Wake::Mend);
            // And one who lost what it had without an act of its own.
            let other = 1 + network.dice.roll(count as u64) as usize;
            network.wake(later, other, Wake::Mend);
        }
        match act {
            Act::Subscribe => watcher.subscribe(network),
            Act::Ask => {
                watcher.ask(network, self.extensions);
                watcher.subscribe(network);
            }
            Act::Edge(offset) => {
                let call = watcher
                    .dialog()
                    .and_then(|it| self.host.ledger.of_dialog(it));
                if let Some((_, record)) = call {
                    let at = record
                        .expires_at
                        .saturating_add_signed(offset - self.host.skew);
                    watcher.wait_for_edge(network, at);
                }
            }
            Act::Elsewhere(number) => {
                watcher.vanish();
                if !is_vast {
                    watcher.watch(one_of(number));
                }
                watcher.subscribe(network);
            }
            Act::EdgeOfPublication(offset) => {
                let state = &self.host.ledger.states[publisher.presentity];
                let mut publications = state.publications.iter();
                let tag = publisher.tag();
                let own = publications.find(|it| tag.is_some() && it.tag.as_deref() == tag);
                if let Some(publication) = own {
                    // By the host's clock.
                    let at = publication.expires_at.saturating_add_signed(offset);
                    publisher.wait_for_edge(network, at.saturating_add_signed(-self.host.skew));
                }
            }
            Act::Fetch => watcher.fetch(network),
            Act::Unsubscribe => watcher.unsubscribe(network),
            Act::Expires(seconds) => {
                watcher.expires = if is_vast { 60 * seconds } else { seconds };
                watcher.subscribe(network);
            }
            Act::Lapse => {
                watcher.renews = !watcher.renews;
                watcher.expires = 60;
                watcher.subscribe(network);
            }
            Act::Vanish => watcher.vanish(),
            Act::Return(keeps) => {
                if keeps {
                    watcher.keep();
                }
                watcher.vanish();
                watcher.subscribe(network);
            }
            Act::Mood(mood) => watcher.mood = mood,
            Act::Publish => publisher.publish(network),
            Act::Refresh => publisher.refresh(network),
            Act::Remove => publisher.remove(network),
            Act::PublishFor(seconds) => {
                publisher.expires = seconds;
                publisher.renews = !publisher.renews;
                publisher.publish(network);
            }
            Act::Forget => {
                publisher.forget();
                publisher.publish(network);
            }
            // Some states come back.
            Act::SetPresence(number) if who & 1 == 0 => {
                let mark = 900_000 + (who as u64 >> 1 & 1);
                self.host.set_presence(network, one_of(number), Some(mark));
            }
            Act::SetPresence(number) => self.change(one_of(number)),
            Act::ClearPresence(number) => {
                self.host.set_presence(network, one_of(number), None);
            }
            Act::Rule(rule) => {
                let (watcher, presentity) = (watcher.address, watcher.presentity);
                network.say(|| format!("{watcher} is to be {rule:?} next time"));
                self.host.set_rule(watcher, presentity, rule);
            }
            Act::Decide(rule) => self.host.decide(network, who, rule),
            Act::DecideWatcher(rule) => {
                let (watcher, presentity) = (watcher.address, watcher.presentity);
                self.host.decide_watcher(network, watcher, presentity, rule);
            }
            Act::TurnView => self.host.turn_view(network, one_of(who / 2)),
            Act::Defer(deferred) => self.host.set_deferred(publisher.address, deferred),
            Act::NewNonce if seldom => network.nonce += 1,
            Act::Terminate(reason) => self.host.terminate(network, who, reason),
            Act::TerminatePresentity(reason) => {
                // So many are to come back.
                let reason = if is_vast { Reason::Deactivated } else { reason };
                let presentity = Some(one_of(who / 2));
                self.host.terminate_all(network, presentity, reason);
            }
            Act::TerminateAll(reason) if !is_vast => {
                self.host.terminate_all(network, None, reason);
            }
            Act::LoseFlow => self.host.lose_flow(network, watcher.address),
            Act::Cut(nanos) => {
                let address = 1 + who % (count + publishers);
                network.cut(address, now + nanos);
            }
            Act::Stall(nanos) if seldom => self.host.stall(network, nanos),
            Act::Suspend(nanos) if seldom => {
                let nanos = if is_vast { nanos / 20 } else { nanos };
                self.host.stall(network, nanos);
                network.cut(0, now + nanos);
            }
            Act::TurnClock(nanos) if seldom => {
                let nanos = if is_vast { nanos / 40 } else { nanos };
                self.host.turn_clock(network, nanos);
            }
            Act::NewNonce
            | Act::TerminateAll(_)
            | Act::Stall(_)
            | Act::Suspend(_)
            | Act::TurnClock(_) => {}
            Act::Burst(nanos) => {
                for _ in 0..4 {
                    self.change(one_of(who / 2));
                    self.pass(nanos);
                }
            }
        }
    }

    pub fn change(&mut self, presentity: usize) {
        self.marks += 1;
        let network = &mut self.network;
        self.host
            .set_presence(network, presentity, Some(self.marks));
    }

    // ---- quiet ----------------------------------------------------------------------------

    /// The network is as good as can be, everybody is honest, and the clock runs on.
    pub fn calm(&mut self) {
        self.network.say(|| "calm".to_owned());
        self.pass(0);
        self.network.heal();
        self.host.calm(&mut self.network);
        for address in self.network.stuck() {
            self.host.lose_flow(&mut self.network, address);
        }
        for watcher in &mut self.watchers {
            watcher.mood = Mood::Honest;
            watcher.renews = true;
            if watcher.terms.suppress == Suppress::All {
                watcher.terms.suppress = Suppress::Held;
            }
        }
        for publisher in &mut self.publishers {
            publisher.renews = true;
        }
        for round in [0, 45, 90] {
            for address in 1..=self.watchers.len() + self.publishers.len() {
                let within = self.network.dice.roll(20 * SECOND);
                let at = self.network.now + (if round == 0 { 0 } else { 25 * SECOND }) + within;
                self.network.wake(at, address, Wake::Kick);
            }
            if round == 90 {
                // From here on no SUBSCRIBE brings what a change should have brought.
                for watcher in &mut self.watchers {
                    watcher.expires = 600;
                }
                for publisher in &mut self.publishers {
                    publisher.expires = 600;
                }
            }
            self.pass(45 * SECOND);
        }
        self.pass(15 * SECOND);
    }

    /// Every watcher that wants to holds what it may see, as it was found and after changes.
    pub fn check_everybody(&mut self) -> u64 {
        let mut settled = self.check_documents();
        // The second change meets the NOTIFYs of the first on their way.
        for apart in [15 * MILLI, 60 * MILLI, SECOND] {
            self.change_all();
            self.pass(apart);
            self.change_all();
            self.pass(8 * SECOND);
            settled = self.check_documents();
        }
        // Those who asked for patience have what there is, too.
        self.pass(Pace::LONGEST);
        settled.max(self.check_documents())
    }

    /// Something else is true of everybody.
    fn change_all(&mut self) {
        for presentity in 0..self.host.ledger.states.len() {
            self.change(presentity);
        }
        for publisher in &mut self.publishers {
            if publisher.wants {
                publisher.publish(&mut self.network);
            }
        }
    }

    pub fn check_documents(&mut self) -> u64 {
        let now = self.network.now.saturating_add_signed(self.host.skew);
        let mut settled = 0;
        for watcher in &self.watchers {
            let ledger = &self.host.ledger;
            let found = watcher.dialog().and_then(|it| ledger.of_dialog(it));
            if !watcher.wants {
                assert!(found.is_none(), "{watcher:#?}");
                continue;
            }
            let Some((_, record)) = found else {
                let full = ledger.is_full(now, watcher.address, watcher.presentity);
                assert!(full, "not subscribed: {}", watcher.address);
                continue;
            };
            assert!(record.rule != Rule::Refuse && now < record.expires_at);
            let state = &ledger.states[record.presentity];
            assert!(watcher.knows(), "{watcher:#?}");
            let shown = watcher.document().map_or(Shown::Nothing, |document| {
                Shown::read(document, watcher.entity())
            });
            let patience = record
                .pace
                .shortest
                .map_or(7 * SECOND, |it| it + 2 * SECOND);
            if !state.is_unsure(now) && state.changed_at + patience <= now {
                let brief = ledger.rules.brief(record.presentity);
                let expected = record.filter.of(state.shown(record.rule, brief));
                if !record.filter.has_trigger() {
                    assert_eq!(shown, expected, "{watcher:#?}");
                } else if let Some(taken) = &record.taken {
                    assert_eq!(shown, taken.shown, "{watcher:#?}");
                    assert!(ledger.is_up_to_date(record, state), "{record:#?}");
                }
            }
            settled += 1;
        }
        let live = self.host.agent.subscriptions().count();
        assert_eq!(live, self.host.ledger.tally.live);
        settled
    }

    // ---- the end --------------------------------------------------------------------------

    /// All comes to an end, and nothing is left.
    pub fn end(mut self) -> Course {
        self.is_over = true;
        let network = &mut self.network;
        network.say(|| format!("{:?}", self.ending));
        if self.ending == Ending::Closing {
            self.host.terminate_all(network, None, Reason::NoResource);
        }
        for presentity in 0..self.host.ledger.states.len() {
            self.host.set_presence(network, presentity, None);
        }
        for watcher in &mut self.watchers {
            match self.ending {
                Ending::Farewell => watcher.unsubscribe(network),
                Ending::Silence => watcher.vanish(),
                Ending::Closing => {}
            }
            watcher.wants = false;
        }
        for publisher in &mut self.publishers {
            publisher.wants = false;
            if self.ending != Ending::Silence {
                publisher.remove(network);
            }
        }
        // What was forgotten runs out.
        let long = self.crowd > 0 || self.is_vast();
        self.pass(if long { 4_000 } else { 800 } * SECOND);
        self.host.check_empty();
        for watcher in &self.watchers {
            assert!(watcher.endpoint.is_idle(), "{watcher:#?}");
        }
        Course {
            notifies: self.host.ledger.notifies,
            changes: self.host.ledger.changes,
            fetched: self.watchers.iter().map(|it| it.fetched).sum(),
            partial: self.host.ledger.partial.full + self.host.ledger.partial.changes,
            changes_taken: self.watchers.iter().map(|it| it.changes_taken).sum(),
            spared: self.watchers.iter().map(|it| it.spared).sum(),
            suppressed: self.host.ledger.suppressed,
            repeated: self.host.ledger.repeated,
            told_changes: self.publishers.iter().map(|it| it.told_changes).sum(),
            told_412: self.publishers.iter().map(|it| it.told_412).sum(),
            subscriptions: self.host.agent.counters().subscriptions_started(),
            settled: 0,
            digest: self.network.digest,
            answers: self.host.answers,
            ends: self.host.ends,
            host: self.host.course,
        }
    }
}
