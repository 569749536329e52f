//! Watchers and publishers of the library beside its agent, on virtual time: over a network that loses,
//! doubles, delays and reorders datagrams below a real transaction layer, and beside a server that
//! restarts, forgets, floods and falls silent; all of it from one seed.
//!
//! A seed that fails is printed; `PRESENTITY_SEED=<n> cargo test --test simulated_clients replay` runs it
//! again and shows what happens. `PRESENTITY_SEEDS` sets how many are tried, `PRESENTITY_FROM` where they
//! begin, `PRESENTITY_LONG=1` lets the long runs run.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../simulation/dice.rs"]
mod dice;
#[path = "../simulation/endpoint.rs"]
#[allow(dead_code, reason = "the test simulation has more uses for it")]
mod endpoint;
#[path = "../simulation/model.rs"]
#[allow(dead_code, reason = "the test simulation has more uses for it")]
mod model;
#[path = "../simulation/network.rs"]
#[allow(dead_code, reason = "the test simulation has more uses for it")]
mod network;

mod acts;
mod calls;
mod device;
mod long_runs;
mod pace;
mod server;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::{Course, Length, run};

/// Seeds that found something, here or while the library was broken for trial.
const REMEMBERED: &[u64] = &[9, 18];

fn from_environment(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// Tells the seed when it fails.
fn run_seed(seed: u64, length: Length, trace: bool) -> Course {
    catch_unwind(AssertUnwindSafe(|| run(seed, length, trace))).unwrap_or_else(|panic| {
        let hours = length.hours;
        eprintln!(
            "failed: PRESENTITY_SEED={seed} PRESENTITY_HOURS={hours} \
             cargo test --test simulated_clients replay"
        );
        resume_unwind(panic)
    })
}

/// So many seeds, from the first; what all of them were like.
fn run_seeds(first: u64, count: u64, length: Length) -> Course {
    let mut all = Course::default();
    for seed in first..first + count {
        all.add(&run_seed(seed, length, false));
    }
    println!("{all:#?}");
    all
}

#[test]
fn watchers_come_to_hold_what_publishers_published_and_nothing_is_left() {
    let first = from_environment("PRESENTITY_FROM", 1);
    let count = from_environment("PRESENTITY_SEEDS", 6);
    let all = run_seeds(first, count, Length { hours: 2 });
    if count < 6 {
        return;
    }
    // Else the runs would prove little.
    assert!(all.watched > 8 * count && all.refused > 0, "{all:?}");
    assert!(all.published > 2 * count, "{all:?}");
    for status in [401, 403, 412, 481, 503] {
        assert!(all.answers.contains_key(&status), "{status}: {all:?}");
    }
    for status in [200, 481, 500] {
        assert!(all.notify_answers.contains_key(&status), "{all:?}");
    }
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    let length = Length { hours: 1 };
    assert_eq!(run_seed(5, length, false), run_seed(5, length, false));
}

/// Runs the seed in PRESENTITY_SEED and shows all of it; without one, those to remember.
#[test]
fn replay() {
    let hours = from_environment("PRESENTITY_HOURS", 2);
    let seed = from_environment("PRESENTITY_SEED", 0);
    if seed != 0 {
        let course = run_seed(seed, Length { hours }, true);
        println!("{course:#?}");
        return;
    }
    for seed in REMEMBERED {
        run_seed(*seed, Length { hours }, false);
    }
}
