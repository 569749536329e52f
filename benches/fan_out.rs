//! A change of state with a hundred thousand watchers: every NOTIFY taken, and written to octets.
//!
//! The times are per NOTIFY of 890 octets, its Via line included, written into a buffer that is
//! used again. The host answers each by 200 when the window of 4,096 open ones is full; that is
//! timed or not, as the name says.
//!
//! - `in sequence`: the subscriptions were made one after the other and lie so in memory.
//! - `scattered`: they took the places of subscriptions that ended in random order among a
//!   million, so that each head is somewhere else.
//! - `hot`: a thousand watchers, which fit the caches.
//!
//! Times are CPU time of the thread, so that other work on the machine counts for little.
#![allow(missing_docs, reason = "a benchmark")]

mod common;

use std::hint::black_box;
use std::time::Duration;

use common::{Population, REFERENCE, VIA};
use cpu_time::ThreadTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use presentity::event::Output;

const WATCHERS: u64 = 100_000;
/// The presentity whose state changes.
const CHANGED: u64 = 0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timed {
    /// Taken only.
    Take,
    /// Taken and written.
    Write,
    /// Taken, written, and answered.
    Answer,
}

fn in_sequence(watchers: u64) -> Population {
    let mut population = Population::new(1, |_| ());
    for _ in 0..watchers {
        population.grow(CHANGED);
    }
    population.rest();
    population
}

fn scattered() -> Population {
    let others = 10 * WATCHERS;
    let mut population = Population::new(others / 10, |_| ());
    for watcher in 0..others {
        population.grow(1 + watcher % (others / 10 - 1));
    }
    let mut dialogs = core::mem::take(&mut population.dialogs);
    population.random.shuffle(&mut dialogs);
    for dialog in dialogs.iter_mut().take(WATCHERS as usize) {
        population.leave(dialog);
    }
    for _ in 0..WATCHERS {
        population.grow(CHANGED);
    }
    population.rest();
    population
}

/// One change of state; gives the time that its NOTIFYs took.
fn change(population: &mut Population, watchers: u64, timed: Timed) -> Duration {
    let mut buffer = Vec::with_capacity(2 * REFERENCE);
    let mut open = Vec::with_capacity(4_096);
    let mut elapsed = Duration::ZERO;
    let mut sent = 0;
    population.change(CHANGED);
    while sent < watchers {
        let start = ThreadTime::now();
        while let Some(output) = population.agent.poll_output() {
            let Output::Send(request) = output else {
                continue;
            };
            if timed != Timed::Take {
                buffer.clear();
                request.write_to(VIA, &mut buffer);
                black_box(&buffer);
            }
            open.push(request.transaction());
        }
        elapsed += start.elapsed();
        sent += open.len() as u64;
        let start = ThreadTime::now();
        for transaction in open.drain(..) {
            population.answer(transaction);
        }
        if timed == Timed::Answer {
            elapsed += start.elapsed();
        }
    }
    assert_eq!(sent, watchers, "every watcher once");
    // In a long run the CSeq gets more digits.
    assert!(
        timed == Timed::Take || (REFERENCE..REFERENCE + 4).contains(&buffer.len()),
        "{}",
        buffer.len()
    );
    elapsed
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan-out");
    group.sample_size(20);
    let mut population = |name: &str, watchers: u64, mut population: Population| {
        group.throughput(Throughput::Elements(1));
        let cases = [
            ("take", Timed::Take),
            ("take and write", Timed::Write),
            ("take, write and answer", Timed::Answer),
        ];
        for (case, timed) in cases {
            group.bench_function(format!("{name}/{case}"), |bencher| {
                bencher.iter_custom(|notifies| {
                    // Whole rounds only; the time is scaled to what was asked for.
                    let rounds = notifies.div_ceil(watchers);
                    let elapsed: Duration = (0..rounds)
                        .map(|_| change(&mut population, watchers, timed))
                        .sum();
                    elapsed.mul_f64(notifies as f64 / (rounds * watchers) as f64)
                });
            });
        }
    };
    population("hot", 1_000, in_sequence(1_000));
    population("in sequence", WATCHERS, in_sequence(WATCHERS));
    population("scattered", WATCHERS, scattered());
    group.finish();
}

criterion_group!(group, benches);
criterion_main!(group);
