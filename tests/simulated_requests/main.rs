//! Watchers that subscribe by documents, beside SIP phones that watch the same presentities, on virtual
//! time and from one seed: what carries documents, answers and notifications loses, doubles, delays and
//! reorders them; watchers have wrong clocks, fall silent, and come back without their tokens.
//!
//! A seed that fails is printed; `PRESENTITY_SEED=<n> cargo test --test simulated_requests replay` runs
//! it again and shows what happens. `PRESENTITY_SEEDS` sets how many are tried, `PRESENTITY_FROM` where
//! they begin, `PRESENTITY_LONG=1` lets the long run run.
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

mod phone;
mod rules;
mod watcher;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::{Course, World};

fn from_environment(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// Tells the seed when it fails.
fn run_seed(seed: u64, minutes: u64, trace: bool) -> Course {
    let run = || World::new(seed, trace).run(minutes);
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        eprintln!(
            "failed: PRESENTITY_SEED={seed} PRESENTITY_MINUTES={minutes} \
             cargo test --test simulated_requests replay"
        );
        resume_unwind(panic)
    })
}

fn run_seeds(first: u64, count: u64, minutes: u64) {
    let mut all = Course::default();
    for seed in first..first + count {
        all.add(&run_seed(seed, minutes, false));
    }
    println!("{all:#?}");
    // Else the runs would prove little.
    if count >= 10 {
        let Course {
            granted,
            refused,
            brought,
            failed,
            unwanted,
            settled,
            phones_settled,
            ended,
        } = all;
        let counts = [
            granted,
            refused,
            brought,
            failed,
            unwanted,
            settled,
            phones_settled,
            ended,
        ];
        assert!(counts.iter().all(|it| *it >= count / 2), "{counts:?}");
    }
}

#[test]
fn watchers_come_to_hold_what_they_may_see_and_nothing_is_left() {
    let first = from_environment("PRESENTITY_FROM", 1);
    let count = from_environment("PRESENTITY_SEEDS", 20);
    run_seeds(first, count, 60);
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    assert_eq!(run_seed(5, 30, false), run_seed(5, 30, false));
}

#[test]
fn long_run() {
    if from_environment("PRESENTITY_LONG", 0) == 1 {
        run_seeds(from_environment("PRESENTITY_FROM", 1_000), 1_000, 180);
    }
}

/// Runs the seed in PRESENTITY_SEED and shows all of it.
#[test]
fn replay() {
    let seed = from_environment("PRESENTITY_SEED", 0);
    if seed != 0 {
        let minutes = from_environment("PRESENTITY_MINUTES", 60);
        println!("{:#?}", run_seed(seed, minutes, true));
    }
}
