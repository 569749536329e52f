//! All of them together on one clock.

use std::collections::BTreeMap;

use crate::acts;
use crate::device::{Device, Manner};
use crate::facts::{Fact, PRIVATE, WORK};
use crate::network::{Network, SECOND, Weather, What};
use crate::node::{Node, at};
use crate::onlooker::Onlooker;
use crate::program::Program;
use crate::server::Server;

pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;
pub const PRESENTITIES: usize = 3;
pub const DEVICES: usize = 6;
const WATCHERS: usize = 5;

/// What runs were like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    pub seeds: u64,
    /// Seconds of virtual time.
    pub seconds: u64,
    pub notifies: u64,
    /// Subscriptions when it was quiet: at the agent, refused, and at a device; and devices that the agent
    /// had subscribed to then.
    pub held: u64,
    pub refused: u64,
    pub at_devices: u64,
    pub followed: u64,
    /// Rows of watcher information when it was quiet, and those of them that waited.
    pub rows: u64,
    pub undecided: u64,
    /// Gaps that programs found in what they were told.
    pub missed: u64,
    /// SUBSCRIBEs that went to a device, and those that came back.
    pub forwarded: u64,
    pub sent_back: u64,
    /// By status: answers to watchers, publishers and programs.
    pub answers: BTreeMap<u16, u64>,
    /// Why the agent's subscriptions ended.
    pub ends: BTreeMap<String, u64>,
    /// Of every message, in order.
    pub digest: u64,
}

impl Course {
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.seconds += other.seconds;
        self.notifies += other.notifies;
        self.held += other.held;
        self.refused += other.refused;
        self.at_devices += other.at_devices;
        self.followed += other.followed;
        self.rows += other.rows;
        self.undecided += other.undecided;
        self.missed += other.missed;
        self.forwarded += other.forwarded;
        self.sent_back += other.sent_back;
        self.digest ^= other.digest;
        add(&mut self.answers, &other.answers);
        add(&mut self.ends, &other.ends);
    }
}

fn add<K: Ord + Clone>(all: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *all.entry(key.clone()).or_default() += count;
    }
}

pub struct World {
    pub network: Network,
    pub server: Server,
    pub devices: Vec<Node<Device>>,
    pub watchers: Vec<Node<Onlooker>>,
    pub programs: Vec<Node<Program>>,
    pub names: Vec<String>,
    pub marks: u64,
    pub course: Course,
}

/// Runs what the seed says: hours in which things go wrong, quiet, and the end.
pub fn run(seed: u64, hours: u64, trace: bool) -> Course {
    let mut world = World::new(seed, trace);
    let begin = world.network.now;
    world.gather();
    let end = world.network.now + hours * HOUR;
    while world.network.now < end {
        let wait = match world.network.dice.roll(4) {
            0 => world.network.dice.roll(SECOND),
            1 | 2 => world.network.dice.roll(20 * SECOND),
            _ => world.network.dice.roll(2 * MINUTE),
        };
        world.pass(wait);
        world.act();
    }
    world.calm();
    world.check_everybody();
    // What is new comes at once now.
    for _ in 0..2 {
        world.change_all();
        world.pass(20 * SECOND);
        world.check_everybody();
    }
    world.end();
    let World {
        mut course,
        network,
        server,
        ..
    } = world;
    course.seeds = 1;
    course.seconds = (network.now - begin) / SECOND;
    course.notifies = server.notifies;
    course.forwarded = server.forwards.forwarded;
    course.sent_back = server.forwards.sent_back;
    course.digest = network.digest;
    add(&mut course.ends, &server.ends);
    for node in &world.watchers {
        add(&mut course.answers, &node.answers);
    }
    for node in &world.devices {
        add(&mut course.answers, &node.answers);
    }
    for node in &world.programs {
        add(&mut course.answers, &node.answers);
        course.missed += node.user.missed;
    }
    course
}

impl World {
    fn new(seed: u64, trace: bool) -> Self {
        let mut network = Network::new(seed, Weather::CLEAR);
        network.trace = trace;
        network.streams = network.dice.chance(300);
        let names = (0..PRESENTITIES).map(|number| format!("p{number}@example.com"));
        let names: Vec<String> = names.collect();
        let mut marks = 0;
        let devices = (1..=DEVICES).map(|address| {
            let presentity = (address - 1) % PRESENTITIES;
            let dice = &mut network.dice;
            let manner = match dice.roll(8) {
                0 => Manner::Denies(405),
                1 => Manner::Denies(489),
                _ => Manner::Serves,
            };
            let expires = [300, 900][dice.roll(2) as usize];
            marks += 1;
            let own = Fact {
                origin: format!("dev{address}"),
                mark: marks,
                class: [WORK, PRIVATE][dice.roll(2) as usize],
                sphere: None,
            };
            let of = (presentity, &*names[presentity]);
            Node::new(
                address,
                Device::new(address, of, (manner, expires), seed, own),
            )
        });
        let mut devices: Vec<Node<Device>> = devices.collect();
        let first = DEVICES + 1;
        let watchers = (first..first + WATCHERS).map(|address| {
            let domain = ["example.com", "example.org"][address % 2];
            let name = format!("w{address}@{domain}");
            let expires = [120, 600, 3_600][network.dice.roll(3) as usize];
            Node::new(address, Onlooker::new(address, &name, expires, seed))
        });
        let watchers: Vec<Node<Onlooker>> = watchers.collect();
        let first = first + WATCHERS;
        let programs = names.iter().enumerate().map(|(number, name)| {
            let address = first + number;
            let is_lazy = network.dice.chance(500);
            Node::new(address, Program::new(address, name, is_lazy, seed))
        });
        let programs: Vec<Node<Program>> = programs.collect();
        for device in &mut devices {
            let own = device.user.own.clone();
            device.user.say(at(&network), own);
            device.settle(&mut network);
        }
        let known: Vec<String> = watchers.iter().map(|it| it.user.name.clone()).collect();
        let server = Server::new(seed, &names, &known, &mut network);
        let mut world = Self {
            network,
            server,
            devices,
            watchers,
            programs,
            names,
            marks,
            course: Course::default(),
        };
        let weather = acts::weather(&mut world);
        world.network.weather = weather;
        world
    }

    pub fn mark(&mut self) -> u64 {
        self.marks += 1;
        self.marks
    }

    // ---- time -----------------------------------------------------------------------------

    pub fn pass(&mut self, nanos: u64) {
        let end = self.network.now + nanos;
        let (mut at_once, mut last) = (0, self.network.now);
        loop {
            let now = self.network.now;
            let of_devices = self.devices.iter().map(|it| (it.wakes_at(), it.address));
            let of_watchers = self.watchers.iter().map(|it| (it.wakes_at(), it.address));
            let of_programs = self.programs.iter().map(|it| (it.wakes_at(), it.address));
            let all = of_devices.chain(of_watchers).chain(of_programs);
            let all = all.chain([(self.server.wakes_at(), 0)]);
            let first = all.filter_map(|(wakes, who)| Some((wakes?, who))).min();
            let next = [self.network.next_at(), first.map(|it| it.0)];
            let next = next.into_iter().flatten().min().map(|at| at.max(now));
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.network.now = next;
            at_once = if next == last { at_once + 1 } else { 0 };
            last = next;
            assert!(at_once < 20_000, "time stands still");
            if let Some((_, who)) = first.filter(|(at, _)| *at <= next) {
                self.wake(who);
            } else if let Some(what) = self.network.take() {
                self.happen(what);
            }
        }
        self.network.now = end;
    }

    fn wake(&mut self, who: usize) {
        let network = &mut self.network;
        let (devices, watchers) = (self.devices.len(), self.watchers.len());
        match who {
            0 => self.server.wake(network),
            _ if who <= devices => self.devices[who - 1].wake(network),
            _ if who <= devices + watchers => self.watchers[who - 1 - devices].wake(network),
            _ => self.programs[who - 1 - devices - watchers].wake(network),
        }
    }

    fn happen(&mut self, what: What) {
        let network = &mut self.network;
        let devices = self.devices.len();
        let others = devices + self.watchers.len();
        match what {
            What::Message {
                to, from, bytes, ..
            } => match to {
                0 => self.server.message(network, from, bytes),
                _ if to <= devices => self.devices[to - 1].message(network, from, bytes),
                _ if to <= others => {
                    self.watchers[to - 1 - devices].message(network, from, bytes);
                }
                // Nobody is there.
                _ if to > others + self.programs.len() => {}
                _ => self.programs[to - 1 - others].message(network, from, bytes),
            },
            What::Timer { at, key, timer } => match at {
                0 => self.server.timer(network, &key, timer),
                _ if at <= devices => self.devices[at - 1].timer(network, &key, timer),
                _ if at <= others => {
                    self.watchers[at - 1 - devices].timer(network, &key, timer);
                }
                _ => self.programs[at - 1 - others].timer(network, &key, timer),
            },
            What::Wake { .. } => {}
        }
    }
}
