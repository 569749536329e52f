//! A presence server on virtual time: presence rules that change, publications, registrations, devices that
//! are presence agents themselves, watchers and those who watch the watchers; over a network that loses,
//! doubles, delays and reorders datagrams below a real transaction layer, all of it from one seed.
//!
//! A seed that fails is printed; `PRESENTITY_SEED=<n> cargo test --test simulated_server replay` runs it
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
#[path = "../simulation/network.rs"]
#[allow(dead_code, reason = "the test simulation has more uses for it")]
mod network;

mod acts;
mod books;
mod calls;
mod device;
mod facts;
mod forwards;
mod node;
mod onlooker;
mod program;
mod quiet;
mod server;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::{Course, run};

/// Seeds that found something, here or while the library was broken for trial.
const REMEMBERED: &[u64] = &[7, 12];

fn from_environment(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// Tells the seed when it fails.
fn run_seed(seed: u64, hours: u64, trace: bool) -> Course {
    catch_unwind(AssertUnwindSafe(|| run(seed, hours, trace))).unwrap_or_else(|panic| {
        eprintln!(
            "failed: PRESENTITY_SEED={seed} PRESENTITY_HOURS={hours} \
             cargo test --test simulated_server replay"
        );
        resume_unwind(panic)
    })
}

/// So many seeds, from the first; what all of them were like.
fn run_seeds(first: u64, count: u64, hours: u64) -> Course {
    let mut all = Course::default();
    for seed in first..first + count {
        all.add(&run_seed(seed, hours, false));
    }
    println!("{all:#?}");
    all
}

#[test]
fn watchers_come_to_hold_what_the_rules_provide_and_nothing_is_left() {
    let first = from_environment("PRESENTITY_FROM", 1);
    let count = from_environment("PRESENTITY_SEEDS", 6);
    let all = run_seeds(first, count, 2);
    if count < 6 {
        return;
    }
    // Else the runs would prove little.
    assert!(all.held > 5 * count && all.refused > 0, "{all:?}");
    assert!(all.at_devices > 0 && all.followed > 0, "{all:?}");
    assert!(all.rows > count && all.undecided > 0, "{all:?}");
    assert!(all.forwarded > 0 && all.sent_back > 0, "{all:?}");
    for status in [200, 403, 481, 503] {
        assert!(all.answers.contains_key(&status), "{status}: {all:?}");
    }
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    assert_eq!(run_seed(5, 1, false), run_seed(5, 1, false));
}

/// Runs the seed in PRESENTITY_SEED and shows all of it; without one, those to remember.
#[test]
fn replay() {
    let hours = from_environment("PRESENTITY_HOURS", 2);
    let seed = from_environment("PRESENTITY_SEED", 0);
    if seed != 0 {
        println!("{:#?}", run_seed(seed, hours, true));
        return;
    }
    for seed in REMEMBERED {
        run_seed(*seed, hours, false);
    }
}

/// Thousands of hours in which things go wrong.
#[test]
fn nothing_is_left_after_many_bad_days() {
    if from_environment("PRESENTITY_LONG", 0) != 1 {
        println!("not asked for: set PRESENTITY_LONG=1");
        return;
    }
    let first = from_environment("PRESENTITY_FROM", 10_000);
    let hours = from_environment("PRESENTITY_HOURS", 24);
    run_seeds(first, from_environment("PRESENTITY_SEEDS", 100), hours);
}
