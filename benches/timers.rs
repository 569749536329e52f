//! Two ways to keep a million deadlines: the wheel that the library uses, and a heap.
//!
//! The heap is the usual one for such a purpose: a binary heap of deadlines in which what was cancelled
//! stays until its time comes, told by its generation; when more than half of it is stale it is made
//! anew, so that a million refreshes do not fill the memory.
//!
//! - `refresh`: one of a million timers, chosen at random, is cancelled and armed again for an hour
//!   later; time goes on by a millisecond each time.
//! - `next`: when to wake up.
//! - `expire`: a million timers, spread over an hour, all come due, a second at a time; for each timer.
//!
//! Times are CPU time of the thread, so that other work on the machine counts for little.
#![allow(
    missing_docs,
    unused_imports,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark"
)]

/// The parts of the library, which are private there.
#[path = "../src/engine"]
mod engine {
    pub mod ahead;
    pub mod slab;
    pub mod timer_wheel;
    mod timestamp;

    pub use timestamp::Timestamp;
}

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::{Criterion, criterion_group, criterion_main};
use engine::Timestamp;
use engine::slab::{Key, Slab};
use engine::timer_wheel::TimerWheel;

const TIMERS: u64 = 1_000_000;
const HOUR: u64 = 3_600_000;

trait Timers: Default {
    fn arm(&mut self, deadline: Timestamp, payload: u32) -> Key;
    fn cancel(&mut self, key: Key);
    fn next(&mut self) -> Option<Timestamp>;
    fn pop(&mut self, now: Timestamp) -> Option<u32>;
}

struct Wheel(TimerWheel<u32>);

impl Default for Wheel {
    fn default() -> Self {
        Self(TimerWheel::new())
    }
}

impl Timers for Wheel {
    fn arm(&mut self, deadline: Timestamp, payload: u32) -> Key {
        self.0.arm(deadline, payload)
    }

    fn cancel(&mut self, key: Key) {
        self.0.cancel(key);
    }

    fn next(&mut self) -> Option<Timestamp> {
        self.0.next()
    }

    fn pop(&mut self, now: Timestamp) -> Option<u32> {
        self.0.pop(now, &mut u32::MAX.clone())
    }
}

#[derive(Default)]
struct Heap {
    payloads: Slab<u32>,
    order: BinaryHeap<Reverse<(Timestamp, Key)>>,
}

impl Heap {
    fn drop_stale(&mut self) {
        while let Some(Reverse((_, key))) = self.order.peek()
            && self.payloads.get(*key).is_none()
        {
            self.order.pop();
        }
    }
}

impl Timers for Heap {
    fn arm(&mut self, deadline: Timestamp, payload: u32) -> Key {
        let key = self.payloads.insert(payload);
        self.order.push(Reverse((deadline, key)));
        key
    }

    fn cancel(&mut self, key: Key) {
        self.payloads.remove(key);
        if self.order.len() > 2 * self.payloads.len() + 64 {
            let payloads = &self.payloads;
            self.order
                .retain(|Reverse((_, key))| payloads.get(*key).is_some());
        }
    }

    fn next(&mut self) -> Option<Timestamp> {
        self.drop_stale();
        self.order.peek().map(|Reverse((deadline, _))| *deadline)
    }

    fn pop(&mut self, now: Timestamp) -> Option<u32> {
        self.drop_stale();
        self.next().filter(|deadline| *deadline <= now)?;
        let Reverse((_, key)) = self.order.pop()?;
        self.payloads.remove(key)
    }
}

/// xorshift64*: the same numbers in each run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// A million timers, spread over an hour.
fn population<T: Timers>() -> (T, Vec<Key>) {
    let mut timers = T::default();
    let mut state = 7;
    let keys = (0..TIMERS)
        .map(|number| {
            timers.arm(
                Timestamp::from_millis(random(&mut state) % HOUR),
                number as u32,
            )
        })
        .collect();
    (timers, keys)
}

fn refresh<T: Timers>(rounds: u64) -> Duration {
    let (mut timers, mut keys) = population::<T>();
    let mut state = 9;
    // As many as there are first, so that what is timed is the steady state.
    let mut now = 0;
    let mut one = |timers: &mut T, keys: &mut Vec<Key>| {
        now += 1;
        let place = (random(&mut state) % TIMERS) as usize;
        timers.cancel(keys[place]);
        keys[place] = timers.arm(Timestamp::from_millis(now + 2 * HOUR), place as u32);
    };
    for _ in 0..TIMERS {
        one(&mut timers, &mut keys);
    }
    let start = ThreadTime::now();
    for _ in 0..rounds {
        one(&mut timers, &mut keys);
    }
    start.elapsed()
}

fn expire<T: Timers>() -> Duration {
    let (mut timers, _) = population::<T>();
    let start = ThreadTime::now();
    let mut expired = 0;
    // One more: the wheel rounds up to its tick.
    for second in 0..=HOUR / 1000 + 1 {
        while let Some(payload) = timers.pop(Timestamp::from_millis(second * 1000)) {
            black_box(payload);
            expired += 1;
        }
    }
    assert_eq!(expired, TIMERS);
    start.elapsed()
}

fn of<T: Timers>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group(format!("timers/{name}"));
    group.sample_size(10);
    group.bench_function("refresh", |bencher| bencher.iter_custom(refresh::<T>));
    let (mut timers, _) = population::<T>();
    group.bench_function("next", |bencher| {
        bencher.iter(|| black_box(&mut timers).next());
    });
    group.bench_function("expire", |bencher| {
        bencher.iter_custom(|rounds| {
            let runs = rounds.div_ceil(TIMERS);
            let elapsed: Duration = (0..runs).map(|_| expire::<T>()).sum();
            elapsed.mul_f64(rounds as f64 / (runs * TIMERS) as f64)
        });
    });
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    of::<Wheel>(criterion, "wheel");
    of::<Heap>(criterion, "heap");
}

criterion_group!(group, benches);
criterion_main!(group);
