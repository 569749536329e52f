//! All of them together on one clock, and what must be true when it has become quiet.

use core::time::Duration;
use std::collections::BTreeMap;

use presentity::pidf::Presence;

use crate::acts;
use crate::device::{Device, Habits};
use crate::model::{Publication, Rule, Shown, State};
use crate::network::{Network, SECOND, Weather, What};
use crate::server::{Faults, Server};

const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DEVICES: usize = 5;
const PRESENTITIES: usize = 3;
/// How long it may take after all that went wrong: the longest wait after failures, which is half an hour,
/// and the time of a subscription or publication that somebody has and nobody renews, an hour.
const QUIET: u64 = 2 * HOUR;

/// How long things go wrong.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    pub hours: u64,
}

/// What runs were like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    pub seeds: u64,
    /// Seconds of virtual time.
    pub seconds: u64,
    /// SUBSCRIBEs and PUBLISHes, and NOTIFYs.
    pub requests: u64,
    pub notifies: u64,
    pub restarts: u64,
    /// The most requests for one thing in an hour that nobody asked for, and the most answers 412.
    pub most_in_an_hour: [usize; 2],
    /// Subscriptions that were held when it was quiet, those that were refused, and publications.
    pub watched: u64,
    pub refused: u64,
    pub published: u64,
    /// What the user had to ask for again.
    pub asked_again: u64,
    pub outdated: u64,
    pub fetched: u64,
    pub changes: u64,
    pub challenges: u64,
    /// By status: answers to SUBSCRIBE and PUBLISH as they arrived, and answers to NOTIFY.
    pub answers: BTreeMap<u16, u64>,
    pub notify_answers: BTreeMap<u16, u64>,
    /// Why the agent's subscriptions ended.
    pub ends: BTreeMap<String, u64>,
    /// Of every message, in order.
    pub digest: u64,
}

impl Course {
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.seconds += other.seconds;
        self.requests += other.requests;
        self.notifies += other.notifies;
        self.restarts += other.restarts;
        self.most_in_an_hour = most(self.most_in_an_hour, other.most_in_an_hour);
        self.watched += other.watched;
        self.refused += other.refused;
        self.published += other.published;
        self.asked_again += other.asked_again;
        self.outdated += other.outdated;
        self.fetched += other.fetched;
        self.changes += other.changes;
        self.challenges += other.challenges;
        self.digest ^= other.digest;
        add(&mut self.answers, &other.answers);
        add(&mut self.notify_answers, &other.notify_answers);
        add(&mut self.ends, &other.ends);
    }
}

fn most(one: [usize; 2], other: [usize; 2]) -> [usize; 2] {
    [one[0].max(other[0]), one[1].max(other[1])]
}

fn add<K: Ord + Clone>(all: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *all.entry(key.clone()).or_default() += count;
    }
}

pub struct World {
    pub network: Network,
    pub server: Server,
    pub devices: Vec<Device>,
    pub presentities: usize,
    pub marks: u64,
    pub nonce_at: u64,
}

/// Runs what the seed says: hours in which things go wrong, quiet, and the end.
pub fn run(seed: u64, length: Length, trace: bool) -> Course {
    let mut world = World::new(seed, trace);
    let begin = world.network.now;
    world.gather();
    let end = world.network.now + length.hours * HOUR;
    while world.network.now < end {
        let wait = match world.network.dice.roll(4) {
            0 => world.network.dice.roll(SECOND),
            1 => world.network.dice.roll(20 * SECOND),
            _ => world.network.dice.roll(6 * MINUTE),
        };
        world.pass(wait);
        world.act();
    }
    let asked_again = world.calm();
    let mut course = Course::default();
    [course.watched, course.refused, course.published] = world.check_everybody();
    // What is new comes at once now.
    for _ in 0..2 {
        world.change_all();
        world.pass(20 * SECOND);
        world.check_everybody();
    }
    world.end();
    (course.seeds, course.asked_again) = (1, asked_again);
    course.seconds = (world.network.now - begin) / SECOND;
    (course.notifies, course.restarts) = (world.server.notifies, world.server.restarts);
    course.ends = world.server.ends;
    course.digest = world.network.digest;
    for device in &world.devices {
        let of = &device.course;
        course.requests += of.requests;
        course.outdated += of.outdated;
        course.fetched += of.fetched;
        course.changes += of.changes;
        course.challenges += of.challenges;
        course.most_in_an_hour = most(course.most_in_an_hour, device.pace.most);
        add(&mut course.answers, &of.answers);
        add(&mut course.notify_answers, &of.notify_answers);
    }
    course
}

impl World {
    fn new(seed: u64, trace: bool) -> Self {
        let mut network = Network::new(seed, Weather::CLEAR);
        network.trace = trace;
        network.streams = network.dice.chance(300);
        network.nonce = 1;
        let (digest, hasty) = (network.dice.chance(500), network.dice.chance(300));
        let interval = Duration::from_secs(if hasty { 1 } else { 5 });
        let forgetful = [0, 0, 10][network.dice.roll(3) as usize];
        let devices = (1..=DEVICES).map(|address| {
            let dice = &mut network.dice;
            let habits = Habits {
                // Two for the first presentity.
                publishes_for: [0, 1, 0, 2, 1][(address - 1) % 5],
                by_pres: address == 2,
                expires: [300, 600, 3600][dice.roll(3) as usize],
                publish_expires: [300, 900, 3600][dice.roll(3) as usize],
                forgetful,
                has_clock: dice.chance(700),
            };
            Device::new(address, habits, seed)
        });
        let devices: Vec<Device> = devices.collect();
        let mut world = Self {
            server: Server::new(seed, digest, interval),
            devices,
            presentities: PRESENTITIES,
            marks: 0,
            nonce_at: network.now,
            network,
        };
        let weather = acts::weather(&mut world);
        world.network.weather = weather;
        for device in &mut world.devices {
            device.set_clock(&world.network);
            let habits = device.habits;
            world
                .network
                .say(|| format!("{}: {habits:?}", device.address));
        }
        world
    }

    /// Most watch most, and most publish.
    fn gather(&mut self) {
        for device in &mut self.devices {
            for presentity in 0..PRESENTITIES {
                if self.network.dice.chance(800) {
                    device.watch(&mut self.network, presentity);
                }
            }
            if device.address < DEVICES {
                self.marks += 1;
                device.publish(&mut self.network, self.marks);
            }
        }
    }

    // ---- time -----------------------------------------------------------------------------

    pub fn pass(&mut self, nanos: u64) {
        let end = self.network.now + nanos;
        let (mut at_once, mut last) = (0, self.network.now);
        loop {
            let now = self.network.now;
            let server = self.server.wakes_at();
            let devices = self.devices.iter().enumerate();
            let device = devices.filter_map(|(place, device)| Some((device.wakes_at()?, place)));
            let device = device.min();
            let all = [self.network.next_at(), server, device.map(|it| it.0)];
            let next = all.into_iter().flatten().min().map(|at| at.max(now));
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.network.now = next;
            at_once = if next == last { at_once + 1 } else { 0 };
            last = next;
            assert!(at_once < 20_000, "time stands still");
            if let Some((_, place)) = device.filter(|(at, _)| *at <= next) {
                self.devices[place].wake(&mut self.network);
            } else if server.is_some_and(|at| at <= next) {
                self.server.wake(&mut self.network);
            } else if let Some(what) = self.network.take() {
                self.happen(what);
            }
        }
        self.network.now = end;
    }

    fn happen(&mut self, what: What) {
        let network = &mut self.network;
        match what {
            What::Message {
                to: 0, from, bytes, ..
            } => self.server.message(network, from, bytes),
            What::Timer { at: 0, key, timer } => self.server.timer(network, &key, timer),
            What::Message { to, bytes, .. } => self.devices[to - 1].message(network, bytes),
            What::Timer { at, key, timer } => self.devices[at - 1].timer(network, &key, timer),
            What::Wake { who: 0, .. } => self.rogue(),
            What::Wake { who, .. } => self.fidget(who),
        }
    }

    // ---- quiet ----------------------------------------------------------------------------

    /// Nothing goes wrong any more, and users ask again for what was refused. Tells how often.
    fn calm(&mut self) -> u64 {
        self.network.say(|| "calm".to_owned());
        self.network.heal();
        self.server.faults = Faults::default();
        for address in self.network.stuck() {
            self.network.lose_path(address);
        }
        let mut asked = 0;
        for device in &mut self.devices {
            device.habits.forgetful = 0;
            device.restless_until = 0;
            device.rouse(&mut self.network);
        }
        // Nobody waits longer than half an hour after failures.
        self.pass(45 * MINUTE);
        for device in &mut self.devices {
            asked += device.ask_again(&mut self.network);
        }
        self.pass(QUIET - 75 * MINUTE);
        let ended = self.ended();
        self.pass(30 * MINUTE);
        assert_eq!(self.ended(), ended, "a subscription ended without a reason");
        asked
    }

    /// How many subscriptions have ended, as their watchers know.
    fn ended(&self) -> u64 {
        self.devices.iter().map(|device| device.course.ended).sum()
    }

    /// Every watcher that may holds what was published last.
    fn check_everybody(&mut self) -> [u64; 3] {
        let mut states: Vec<State> = (0..PRESENTITIES).map(|_| State::default()).collect();
        let mut published = 0;
        for device in &self.devices {
            device.check_publication();
            if let Some(publication) = &device.publication {
                published += 1;
                let state = &mut states[device.habits.publishes_for];
                state.publications.push(Publication {
                    id: device.address as u64,
                    by: 0,
                    tag: None,
                    mark: publication.mark,
                    expires_at: 0,
                });
            }
        }
        assert_eq!(self.server.publications(), published);
        let (mut watched, mut refused) = (0, 0);
        for device in &self.devices {
            let composed = core::cell::RefCell::new(&mut self.server);
            let rules = composed.borrow().rules().clone();
            let check = |presentity: usize, rule, entity: &str, document: &Presence| {
                let brief = rules.brief(presentity);
                let shown = Shown::of(document, entity);
                let about = format!("{} of {entity}", device.address);
                assert_eq!(shown, states[presentity].shown(rule, brief), "{about}");
                let whole = composed.borrow_mut().composed(presentity, entity);
                if let (Rule::Allow, Some(whole)) = (rule, whole) {
                    // In whichever order.
                    assert!(document.difference(&whole).is_empty(), "{about}");
                }
            };
            let rule = |presentity| rules.get(device.address, presentity);
            let [held, not] = device.check_watches(rule, check);
            watched += held;
            refused += not;
        }
        assert_eq!(self.server.live() as u64, watched);
        [watched, refused, published as u64]
    }

    /// Something else is true of everybody.
    fn change_all(&mut self) {
        for device in &mut self.devices {
            if device.publication.is_some() {
                self.marks += 1;
                device.publish(&mut self.network, self.marks);
            }
        }
    }

    /// All comes to an end, and nothing is left.
    fn end(&mut self) {
        self.network.say(|| "the end".to_owned());
        for device in &mut self.devices {
            device.leave(&mut self.network);
        }
        self.pass(5 * MINUTE);
        for device in &self.devices {
            device.check_empty();
        }
        self.server.check_empty();
    }
}
