//! Calls in any order: a service that documents drive may be called with anything at any time, beside
//! SIP, and keeps its promises.
//!
//! Each case is a text of bytes that stands for a course of operations. A failing one is printed as
//! `PRESENTITY_CALLS=<hexadecimal>`; the test `replay` runs it again. `PRESENTITY_CASES` sets how many
//! are tried and `PRESENTITY_SEED` which.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod calls;
#[path = "../common/mod.rs"]
mod common;

use core::fmt;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A case, shown as it can be given again.
#[derive(Clone, PartialEq)]
struct Calls(Vec<u8>);

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PRESENTITY_CALLS=")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn cases() -> impl Strategy<Value = Calls> {
    let setting = prop_oneof![Just([0; 8]), any::<[u8; 8]>()];
    let operations = prop::collection::vec(any::<[u8; 6]>(), 0..120);
    (setting, operations).prop_map(|(setting, operations)| {
        let operations = operations.into_iter().flatten();
        Calls(setting.into_iter().chain(operations).collect())
    })
}

fn from_environment(name: &str, default: u32) -> u32 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn any_order_of_calls_keeps_the_promises() {
    let config = Config {
        cases: from_environment("PRESENTITY_CASES", 300),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&from_environment("PRESENTITY_SEED", 1).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let all = std::cell::RefCell::new(Vec::new());
    let result = TestRunner::new_with_rng(config, rng).run(&cases(), |Calls(bytes)| {
        all.borrow_mut().push(calls::run(&bytes));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    // Else the courses would prove little.
    let all = all.into_inner();
    let sum = |count: fn(&calls::Tally) -> u64| all.iter().map(count).sum::<u64>();
    let counts = [
        sum(|it| it.accepted),
        sum(|it| it.refused),
        sum(|it| it.repeated),
        sum(|it| it.verified),
        sum(|it| it.notified),
        sum(|it| it.carried),
        sum(|it| it.ended),
    ];
    println!("{counts:?} in {} courses", all.len());
    let few = u64::try_from(all.len()).expect("few");
    assert!(counts.iter().all(|count| *count >= few), "{counts:?}");
}

/// Runs the case in PRESENTITY_CALLS; without one, an empty one.
#[test]
fn replay() {
    let hex = std::env::var("PRESENTITY_CALLS").unwrap_or_default();
    let digits: Vec<char> = hex.chars().collect();
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).expect("hexadecimal"))
        .collect();
    println!("{:?}", calls::run(&bytes));
}
