//! Virtual time, and a network that loses, doubles, delays and reorders datagrams.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use bytes::Bytes;
use sipx_sip::transaction::{Timer, TransactionKey};

use crate::dice::Dice;

pub const MILLI: u64 = 1_000_000;
pub const SECOND: u64 = 1_000 * MILLI;

/// How datagrams fare; chances in a thousand.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    pub lost: u64,
    pub doubled: u64,
    /// Nanoseconds.
    pub delay: (u64, u64),
    /// Some take far longer.
    pub stragglers: u64,
}

impl Weather {
    pub const CLEAR: Self = Self {
        lost: 0,
        doubled: 0,
        delay: (MILLI, 50 * MILLI),
        stragglers: 0,
    };
}

#[derive(Debug)]
pub enum What {
    Datagram {
        to: usize,
        bytes: Bytes,
    },
    Timer {
        at: usize,
        key: TransactionKey,
        timer: Timer,
    },
    Wake {
        who: usize,
        why: Wake,
    },
}

/// What a user meant to do at this time; the number tells whether it still means to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    Refresh(u64),
    /// The same, so that it arrives in no time.
    Edge(u64),
    Answer(u64),
    Return(u64),
    Forget(u64),
    Kick,
}

#[derive(Debug)]
struct Entry {
    at: u64,
    order: u64,
    what: What,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

#[derive(Debug)]
pub struct Network {
    pub now: u64,
    pub dice: Dice,
    pub weather: Weather,
    /// The next datagrams arrive at once.
    pub express: bool,
    queue: BinaryHeap<Reverse<Entry>>,
    order: u64,
    /// Nothing comes through to or from these addresses until then.
    cut: BTreeMap<usize, u64>,
    pub trace: bool,
    pub digest: u64,
}

impl Network {
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self {
            now: 1_000 * SECOND,
            dice: Dice::new(seed),
            weather,
            express: false,
            queue: BinaryHeap::new(),
            order: 0,
            cut: BTreeMap::new(),
            trace: false,
            digest: 0,
        }
    }

    pub fn cut(&mut self, address: usize, until: u64) {
        self.cut.insert(address, until);
    }

    pub fn heal(&mut self) {
        self.cut.clear();
        self.weather = Weather::CLEAR;
    }

    pub fn send(&mut self, from: usize, to: usize, bytes: Bytes) {
        for part in bytes.chunks(8) {
            let part = part
                .iter()
                .fold(self.now, |all, it| all << 8 ^ u64::from(*it));
            self.digest = (self.digest ^ part)
                .wrapping_mul(0x0100_0000_01b3)
                .rotate_left(23);
        }
        if self.express {
            self.push(self.now, What::Datagram { to, bytes });
            return;
        }
        let is_cut = |address| {
            self.cut
                .get(&address)
                .is_some_and(|until| self.now < *until)
        };
        if is_cut(from) || is_cut(to) || self.dice.chance(self.weather.lost) {
            self.say(|| format!("lost, {from} to {to}"));
            return;
        }
        if self.dice.chance(self.weather.doubled) {
            let at = self.arrival();
            let bytes = bytes.clone();
            self.push(at, What::Datagram { to, bytes });
        }
        let at = self.arrival();
        self.push(at, What::Datagram { to, bytes });
    }

    fn arrival(&mut self) -> u64 {
        let (least, most) = self.weather.delay;
        let delay = self.dice.between(least, most);
        let late = self.dice.chance(self.weather.stragglers);
        self.now + if late { delay * 8 } else { delay }
    }

    pub fn set_timer(&mut self, after: u64, at: usize, key: TransactionKey, timer: Timer) {
        self.push(self.now + after, What::Timer { at, key, timer });
    }

    pub fn wake(&mut self, at: u64, who: usize, why: Wake) {
        self.push(at.max(self.now), What::Wake { who, why });
    }

    fn push(&mut self, at: u64, what: What) {
        self.order += 1;
        let order = self.order;
        self.queue.push(Reverse(Entry { at, order, what }));
    }

    pub fn next_at(&self) -> Option<u64> {
        self.queue.peek().map(|Reverse(entry)| entry.at)
    }

    /// What is due now.
    pub fn take(&mut self) -> Option<What> {
        let due = self.next_at().is_some_and(|at| at <= self.now);
        let entry = if due { self.queue.pop() } else { None };
        entry.map(|Reverse(entry)| entry.what)
    }

    pub fn say(&self, text: impl FnOnce() -> String) {
        if self.trace {
            let (seconds, millis) = (self.now / SECOND, self.now % SECOND / MILLI);
            println!("{seconds}.{millis:03} {}", text());
        }
    }
}
