//! SUBSCRIBE to its 200 and NOTIFY, at a thousand to a million live subscriptions.
//!
//! Ten watchers for each presentity, every watcher another one, the request's presentity chosen at
//! random. What is timed begins with the header fields as name and value and ends when
//! `poll_output` has nothing more and its outputs are dropped; the answer to the NOTIFY and the end
//! of the subscription lie outside, and the population stays what it is.
//! Times are CPU time of the thread, so that other work on the machine counts for little.
#![allow(missing_docs, clippy::indexing_slicing, reason = "a benchmark")]

mod common;

use std::time::Duration;

use common::{Dialog, Population, Subscribe};
use cpu_time::ThreadTime;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// Requests timed in one go: enough to hide the clock, few enough to leave the population alone.
const BATCH: u64 = 64;

fn in_batches(requests: u64, mut batch: impl FnMut(u64) -> Duration) -> Duration {
    let mut total = Duration::ZERO;
    let mut left = requests;
    while left > 0 {
        let size = left.min(BATCH);
        total += batch(size);
        left -= size;
    }
    total
}

/// Requests that make new subscriptions, or none when they are fetches.
fn newcomers(population: &mut Population, size: u64) -> Vec<Dialog> {
    (0..size)
        .map(|_| {
            let presentity = population.any_presentity();
            population.newcomer(presentity)
        })
        .collect()
}

/// What is timed of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    /// Each view is made within.
    Made,
    /// The views are there.
    Ready,
}

type Done = Vec<(Option<[u8; 13]>, presentity::engine::ClientTransaction)>;

fn time(population: &mut Population, requests: &[Subscribe], view: View) -> (Duration, Done) {
    let mut done = Vec::with_capacity(requests.len());
    match view {
        View::Made => {
            let start = ThreadTime::now();
            for request in requests {
                done.push(population.exchange(&request.view(), request));
            }
            (start.elapsed(), done)
        }
        View::Ready => {
            let views: Vec<_> = requests.iter().map(Subscribe::view).collect();
            let start = ThreadTime::now();
            for (request, view) in requests.iter().zip(&views) {
                done.push(population.exchange(view, request));
            }
            (start.elapsed(), done)
        }
    }
}

fn subscribe(population: &mut Population, size: u64, view: View) -> Duration {
    let mut dialogs = newcomers(population, size);
    let requests: Vec<_> = dialogs.iter().map(Population::initial).collect();
    let (elapsed, done) = time(population, &requests, view);
    for (dialog, (tag, transaction)) in dialogs.iter_mut().zip(done) {
        population.answer(transaction);
        Population::enter(dialog, tag);
        population.leave(dialog);
    }
    population.agent.handle_timeout(population.now);
    elapsed
}

fn fetch(population: &mut Population, size: u64) -> Duration {
    let dialogs = newcomers(population, size);
    let requests: Vec<_> = dialogs.iter().map(Population::fetch).collect();
    let (elapsed, done) = time(population, &requests, View::Made);
    for (_, transaction) in done {
        population.answer(transaction);
    }
    elapsed
}

fn refresh(population: &mut Population, size: u64) -> Duration {
    let mut requests = Vec::with_capacity(size as usize);
    // Each subscription once in a batch: a second NOTIFY would wait for the answer to the first.
    let first = population.random.below(population.dialogs.len());
    let stride = population.dialogs.len() / size as usize;
    for number in 0..size as usize {
        let place = (first + number * stride) % population.dialogs.len();
        requests.push(Population::again(&mut population.dialogs[place], false));
    }
    let (elapsed, done) = time(population, &requests, View::Made);
    for (_, transaction) in done {
        population.answer(transaction);
    }
    population.agent.handle_timeout(population.now);
    elapsed
}

fn unsubscribe(population: &mut Population, size: u64) -> Duration {
    let mut dialogs = newcomers(population, size);
    for dialog in &mut dialogs {
        population.join(dialog);
    }
    let requests: Vec<_> = dialogs
        .iter_mut()
        .map(|dialog| Population::again(dialog, true))
        .collect();
    let (elapsed, done) = time(population, &requests, View::Made);
    for (_, transaction) in done {
        population.answer(transaction);
    }
    elapsed
}

fn answer(population: &mut Population, size: u64) -> Duration {
    let mut dialogs = newcomers(population, size);
    let requests: Vec<_> = dialogs.iter().map(Population::initial).collect();
    let (_, done) = time(population, &requests, View::Made);
    let start = ThreadTime::now();
    for (_, transaction) in &done {
        population.answer(*transaction);
    }
    let elapsed = start.elapsed();
    for (dialog, (tag, _)) in dialogs.iter_mut().zip(done) {
        Population::enter(dialog, tag);
        population.leave(dialog);
    }
    elapsed
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("subscribe");
    for subscriptions in [1_000, 10_000, 100_000, 1_000_000] {
        let mut population = Population::with_subscriptions(subscriptions / 10, subscriptions);
        let mut case = |name: &str, run: &mut dyn FnMut(&mut Population, u64) -> Duration| {
            group.bench_function(BenchmarkId::new(name, subscriptions), |bencher| {
                bencher.iter_custom(|requests| {
                    in_batches(requests, |size| run(&mut population, size))
                });
            });
        };
        case("initial", &mut |population, size| {
            subscribe(population, size, View::Made)
        });
        case("initial, its view ready", &mut |population, size| {
            subscribe(population, size, View::Ready)
        });
        case("refresh", &mut refresh);
        case("fetch", &mut fetch);
        case("unsubscribe", &mut unsubscribe);
        case("answer to NOTIFY", &mut answer);
        assert_eq!(
            population.agent.subscriptions().count() as u64,
            subscriptions
        );
    }
    group.finish();
}

criterion_group!(group, benches);
criterion_main!(group);
