//! Agent, watchers and publishers on virtual time, over a network that loses, doubles, delays and
//! reorders datagrams below a real transaction layer; all of it from one seed.
//!
//! A seed that fails is printed; `PRESENTITY_SEED=<n> cargo test --test simulation replay` runs it
//! again and shows what happens; `PRESENTITY_PLAN=<file>` does so for a plan of the fuzz target
//! `simulation`. `PRESENTITY_SEEDS` sets how many are tried, `PRESENTITY_FROM`
//! where they begin, `PRESENTITY_LONG=1` lets the long runs run.
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
mod dice;
mod endpoint;
mod errands;
mod host;
mod lateness;
mod ledger;
mod long_runs;
mod manners;
mod model;
mod network;
mod plan;
mod publisher;
mod record;
mod tally;
mod telling;
mod terms;
mod verdict;
mod watcher;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::{Course, run, run_with_crowd};

const OPERATIONS: usize = 120;

/// Seeds that found something, here or while the agent was broken for trial.
const REMEMBERED: &[u64] = &[1, 69, 235, 236, 334, 367, 711, 1964, 3773];

fn from_environment(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// Tells the seed when it fails.
fn run_seed(seed: u64, trace: bool) -> Course {
    let bytes = plan::bytes_of(seed, OPERATIONS);
    catch_unwind(AssertUnwindSafe(|| run(&bytes, trace))).unwrap_or_else(|panic| {
        eprintln!("failed: PRESENTITY_SEED={seed} cargo test --test simulation replay");
        resume_unwind(panic)
    })
}

#[test]
fn everybody_comes_to_hold_the_newest_state_and_nothing_is_left() {
    let first = from_environment("PRESENTITY_FROM", 1);
    let count = from_environment("PRESENTITY_SEEDS", 40);
    let mut all = Course::default();
    for seed in first..first + count {
        all.add(run_seed(seed, false));
    }
    println!("{all:?}");
    if count < 20 {
        return;
    }
    // Else the runs would prove little.
    assert!(all.changes.min(all.subscriptions) > 10 * count, "{all:?}");
    assert!(all.settled > 2 * count && all.fetched > count, "{all:?}");
    for status in [401, 403, 412, 423, 481, 503, 504] {
        assert!(all.answers.contains_key(&status), "{all:?}");
    }
    for reason in [
        "expired",
        "unsubscribed",
        "rejected",
        "terminated",
        "NOTIFY not answered",
        "NOTIFY could not be sent",
        "outcome of a NOTIFY never reported",
    ] {
        assert!(all.ends.contains_key(reason), "{all:?}");
    }
    let told = all.changes_taken.min(all.spared).min(all.suppressed);
    let told = told.min(all.repeated).min(all.told_changes);
    assert!(4 * told > count, "{all:?}");
    let host = &all.host;
    let jobs = host.jobs_done.min(host.jobs_over);
    assert!(
        jobs.min(host.credentials).min(host.flows_lost) > 0,
        "{all:?}"
    );
    assert!(host.backlogs.min(host.strays) > 0, "{all:?}");
}

/// More watchers than the agent looks at in one poll are not concerned by what those see who came
/// before and after them.
#[test]
fn a_poll_that_ends_before_it_is_through_forgets_nobody() {
    for seed in [2, 4] {
        let bytes = plan::bytes_of(seed, OPERATIONS);
        let course = run_with_crowd(&bytes, 4_500, false);
        println!("{course:?}");
        assert!(course.host.interrupted > 0);
    }
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    assert_eq!(run_seed(5, false), run_seed(5, false));
}

/// Runs the plan in PRESENTITY_PLAN, or the seed in PRESENTITY_SEED, and shows all of it; without
/// one, those to remember.
#[test]
fn replay() {
    if let Ok(file) = std::env::var("PRESENTITY_PLAN") {
        let bytes = std::fs::read(file).expect("a plan");
        println!("{:?}", run(&bytes, true));
        return;
    }
    let seed = from_environment("PRESENTITY_SEED", 0);
    if seed != 0 {
        let course = run_seed(seed, true);
        println!("{course:?}");
        return;
    }
    for seed in REMEMBERED {
        run_seed(*seed, false);
    }
}
