//! Operations of the subscription service, at a thousand to a million live subscriptions.
//!
//! `cargo bench --bench subscription_service` prints a table. Ten watchers for each presentity, every
//! watcher another one. What is timed begins with the octets of a document and ends when `poll_output`
//! has nothing more; beside it stands what reading the same documents takes by itself, in the same turn.
//! Times are CPU time of the thread, least and median of all turns.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

mod common;
#[path = "common/requests.rs"]
mod requests;

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use presentity::sdf::{Operation, Request};
use requests::{Population, Sent};

/// Requests timed in one go.
const BATCH: u64 = 64;
const TURNS: usize = 201;

fn time(population: &mut Population, requests: &[Sent]) -> Duration {
    let start = ThreadTime::now();
    for sent in requests {
        population.carry_out(sent);
    }
    start.elapsed()
}

fn reading(requests: &[Sent]) -> Duration {
    let start = ThreadTime::now();
    for sent in requests {
        black_box(Request::read(&sent.octets).expect("right"));
    }
    start.elapsed()
}

fn operations(subscriptions: u64) {
    let mut population = Population::new(subscriptions);
    population.fill(subscriptions);
    for (name, operation) in [
        ("subscribe", Operation::Subscribe),
        ("extend", Operation::Extend),
        ("fetch", Operation::Fetch),
        ("cancel", Operation::Cancel),
    ] {
        let mut turns = Vec::with_capacity(TURNS);
        for _ in 0..TURNS {
            let first = population.random.below(subscriptions as usize) as u64;
            let any = |number: u64| (first + number * 7_919) % subscriptions;
            let newcomer = |number: u64| subscriptions + any(number);
            let mut make =
                |watcher, operation| population.request(watcher, subscriptions, operation);
            // The population stays what it is.
            let (before, requests, after): (Vec<_>, Vec<_>, Vec<_>) = match operation {
                Operation::Subscribe => (
                    vec![],
                    (0..BATCH).map(|n| make(newcomer(n), operation)).collect(),
                    (0..BATCH)
                        .map(|n| make(newcomer(n), Operation::Cancel))
                        .collect(),
                ),
                Operation::Cancel => (
                    (0..BATCH)
                        .map(|n| make(newcomer(n), Operation::Subscribe))
                        .collect(),
                    (0..BATCH).map(|n| make(newcomer(n), operation)).collect(),
                    vec![],
                ),
                _ => (
                    vec![],
                    (0..BATCH).map(|n| make(any(n), operation)).collect(),
                    vec![],
                ),
            };
            for sent in &before {
                population.carry_out(sent);
            }
            let read = reading(&requests);
            turns.push((time(&mut population, &requests), read));
            for sent in &after {
                population.carry_out(sent);
            }
            let now = population.now;
            population.service.handle_timeout(now);
        }
        let us = |duration: Duration| duration.as_nanos() as f64 / 1_000.0 / BATCH as f64;
        let mut whole: Vec<f64> = turns.iter().map(|turn| us(turn.0)).collect();
        let mut rest: Vec<f64> = turns
            .iter()
            .map(|turn| us(turn.0.saturating_sub(turn.1)))
            .collect();
        whole.sort_unstable_by(f64::total_cmp);
        rest.sort_unstable_by(f64::total_cmp);
        println!(
            "{subscriptions:>13} {name:<10} {:>8.2} {:>8.2} {:>16.2} {:>8.2}",
            whole[0],
            whole[TURNS / 2],
            rest[0],
            rest[TURNS / 2],
        );
    }
}

fn main() {
    println!(
        "{:>13} {:<10} {:>8} {:>8} {:>16} {:>8}",
        "subscriptions", "us each", "least", "median", "without reading", "median"
    );
    for subscriptions in [1_000, 100_000, 1_000_000] {
        operations(subscriptions);
    }
}
