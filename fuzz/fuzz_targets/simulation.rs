//! Agent, watchers and publishers on virtual time over a bad network, by the plan that the bytes are.
//!
//! The plan's decoder and what a run is held against are those of the test `simulation`; a run that
//! fails is shown by `PRESENTITY_PLAN=<file> cargo test --test simulation replay`.
#![no_main]
// The test has more uses for its parts.
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/simulation/dice.rs"]
mod dice;
#[path = "../../tests/simulation/endpoint.rs"]
mod endpoint;
#[path = "../../tests/simulation/errands.rs"]
mod errands;
#[path = "../../tests/simulation/host.rs"]
mod host;
#[path = "../../tests/simulation/lateness.rs"]
mod lateness;
#[path = "../../tests/simulation/ledger.rs"]
mod ledger;
#[path = "../../tests/simulation/manners.rs"]
mod manners;
#[path = "../../tests/simulation/model.rs"]
mod model;
#[path = "../../tests/simulation/network.rs"]
mod network;
#[path = "../../tests/simulation/plan.rs"]
mod plan;
#[path = "../../tests/simulation/publisher.rs"]
mod publisher;
#[path = "../../tests/simulation/record.rs"]
mod record;
#[path = "../../tests/simulation/tally.rs"]
mod tally;
#[path = "../../tests/simulation/telling.rs"]
mod telling;
#[path = "../../tests/simulation/terms.rs"]
mod terms;
#[path = "../../tests/simulation/verdict.rs"]
mod verdict;
#[path = "../../tests/simulation/watcher.rs"]
mod watcher;
#[path = "../../tests/simulation/world.rs"]
mod world;

/// Operations; more of them find no more in the same time.
const MOST: usize = 60;

fuzz_target!(|data: &[u8]| {
    let length = data.len().min(plan::SETTING + MOST * plan::OPERATION);
    world::run(&data[..length], false);
});
