//! Virtual time, and a network that loses, doubles, delays and reorders datagrams. What goes by a
//! connection comes in order and once, as long as the connection lasts.

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
    Message {
        from: usize,
        to: usize,
        /// The connection that it goes by; nothing for a datagram.
        by: Option<u64>,
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
    /// It is itself again after all that was done to it.
    Mend,
    /// The host: its turn to do something that it put off.
    Task(u64),
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
    /// No datagram comes through from the first of two addresses to the second until then.
    one_way: BTreeMap<(usize, usize), u64>,
    /// Every second address reaches the agent, address 0, by connections.
    pub streams: bool,
    /// How often each address has lost its way to the agent and found another one.
    paths: BTreeMap<usize, u64>,
    /// When the last message by a connection arrives, by sender and receiver.
    last_arrivals: BTreeMap<(usize, usize), u64>,
    /// Credentials for an earlier one are good for nothing.
    pub nonce: u32,
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
            one_way: BTreeMap::new(),
            streams: false,
            paths: BTreeMap::new(),
            last_arrivals: BTreeMap::new(),
            nonce: 0,
            trace: false,
            digest: 0,
        }
    }

    pub fn cut(&mut self, address: usize, until: u64) {
        self.cut.insert(address, until);
    }

    #[allow(dead_code, reason = "only the test simulated_clients does it")]
    pub fn cut_one_way(&mut self, from: usize, to: usize, until: u64) {
        self.one_way.insert((from, to), until);
    }

    pub fn heal(&mut self) {
        self.cut.clear();
        self.one_way.clear();
        self.weather = Weather::CLEAR;
    }

    // ---- ways -------------------------------------------------------------------------------

    /// Whether this address and the agent talk by connections.
    pub fn is_stream(&self, address: usize) -> bool {
        self.streams && address % 2 == 1
    }

    /// The way that an address has to the agent now: a connection, or a hole in some NAT.
    pub fn path(&self, address: usize) -> u64 {
        let number = self.paths.get(&address).copied().unwrap_or(0);
        address as u64 * 1_000_000 + number
    }

    /// An address loses its way to the agent, and finds another; the one that is no more.
    pub fn lose_path(&mut self, address: usize) -> u64 {
        let lost = self.path(address);
        *self.paths.entry(address).or_default() += 1;
        self.last_arrivals.remove(&(address, 0));
        self.last_arrivals.remove(&(0, address));
        lost
    }

    /// Those whose connection has not been free for long, or will not be.
    pub fn stuck(&self) -> Vec<usize> {
        let late = |at: &u64| *at > self.now + SECOND;
        let stuck = self.last_arrivals.iter().filter(|(_, at)| late(at));
        stuck.map(|((from, to), _)| *from.max(to)).collect()
    }

    // ---- messages ---------------------------------------------------------------------------

    pub fn send(&mut self, from: usize, to: usize, bytes: Bytes) {
        for part in bytes.chunks(8) {
            let part = part
                .iter()
                .fold(self.now, |all, it| all << 8 ^ u64::from(*it));
            self.digest = (self.digest ^ part)
                .wrapping_mul(0x0100_0000_01b3)
                .rotate_left(23);
        }
        let peer = from.max(to);
        let by = self.is_stream(peer).then(|| self.path(peer));
        let message = |bytes| What::Message {
            from,
            to,
            by,
            bytes,
        };
        if self.express && by.is_none() {
            self.push(self.now, message(bytes));
            return;
        }
        let is_cut = |address| {
            self.cut
                .get(&address)
                .is_some_and(|until| self.now < *until)
        };
        if by.is_some() {
            // It waits for the way to be free, and for all before it.
            let (least, most) = self.weather.delay;
            let ends = [from, to].map(|it| self.cut.get(&it).copied().unwrap_or(0));
            let begins = ends.into_iter().fold(self.now, u64::max);
            let delay = if self.express {
                0
            } else {
                self.dice.between(least, most)
            };
            let last = self.last_arrivals.entry((from, to)).or_default();
            *last = (*last).max(begins + delay);
            let at = *last;
            self.push(at, message(bytes));
            return;
        }
        let way = self.one_way.get(&(from, to));
        let is_closed = is_cut(from) || is_cut(to) || way.is_some_and(|until| self.now < *until);
        if is_closed || self.dice.chance(self.weather.lost) {
            self.say(|| format!("lost, {from} to {to}"));
            return;
        }
        if self.dice.chance(self.weather.doubled) {
            let at = self.arrival();
            self.push(at, message(bytes.clone()));
        }
        let at = self.arrival();
        self.push(at, message(bytes));
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

    /// What is due now. What went by a connection that is no more is lost.
    pub fn take(&mut self) -> Option<What> {
        loop {
            self.next_at().filter(|at| *at <= self.now)?;
            let Reverse(entry) = self.queue.pop()?;
            if let What::Message { from, to, by, .. } = &entry.what
                && by.is_some_and(|by| by != self.path(*from.max(to)))
            {
                self.say(|| format!("lost with its connection, {from} to {to}"));
                continue;
            }
            return Some(entry.what);
        }
    }

    pub fn say(&self, text: impl FnOnce() -> String) {
        if self.trace {
            let (seconds, millis) = (self.now / SECOND, self.now % SECOND / MILLI);
            println!("{seconds}.{millis:03} {}", text());
        }
    }
}
