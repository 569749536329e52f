//! Calls in any order: an agent may be called with anything at any time, and keeps its promises.
//!
//! Each case is a text of bytes that stands for a course of operations; `calls` runs it and holds
//! all that comes out against a model. A failing case is printed as
//! `PRESENTITY_CALLS=<hexadecimal>`; the test `replay` runs it again with everything shown.
//! `PRESENTITY_CASES` sets how many cases are tried and `PRESENTITY_SEED` which.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod calls;
#[path = "../common/mod.rs"]
mod common;
mod found;
mod long_run;

use core::fmt;

use presentity::event::Output;
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

/// Operations are whole chunks, so that shrinking takes out one after the other.
fn cases(operations: usize) -> impl Strategy<Value = Calls> {
    let setting = prop_oneof![
        2 => Just([0; 8]).boxed(),
        1 => any::<[u8; 8]>().boxed(),
        2 => any::<[u8; 8]>()
            .prop_map(|[.., c, d, e, f, g, h]| [0, 0, c, d, e, f, g, h])
            .boxed(),
    ];
    // Nothing, or three watchers of one presentity: so much has to have happened before a change
    // can come between two NOTIFYs of a round.
    const WATCHED: [[u8; 4]; 5] = [
        [6, 0, 0, 0],
        [6, 1, 0, 0],
        [6, 2, 0, 0],
        [4, 0, 0, 0],
        [21, 0, 0, 0],
    ];
    // The same, and what has changed is enough for them.
    let mut in_parts = WATCHED;
    for [.., oddity] in &mut in_parts[..3] {
        *oddity = 135;
    }
    let beginning = prop_oneof![
        Just(Vec::new()),
        Just(WATCHED.to_vec()),
        Just(in_parts.to_vec()),
    ];
    let operations = prop::collection::vec(any::<[u8; 4]>(), 0..operations);
    (setting, beginning, operations).prop_map(|(setting, beginning, operations)| {
        let mut bytes = setting.to_vec();
        bytes.extend(beginning.into_iter().chain(operations).flatten());
        Calls(bytes)
    })
}

fn from_environment(name: &str, default: u32) -> u32 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// Runs some cases; `share` of the number that the environment asks for.
fn check(share: u32, operations: usize, test: impl Fn(&[u8])) {
    let config = Config {
        cases: (from_environment("PRESENTITY_CASES", 400) / share).max(1),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&from_environment("PRESENTITY_SEED", 1).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let result = TestRunner::new_with_rng(config, rng).run(&cases(operations), |Calls(bytes)| {
        test(&bytes);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Shows the first difference only.
fn same(one: &[Output], other: &[Output]) {
    for (place, (one, other)) in one.iter().zip(other).enumerate() {
        assert_eq!(one, other, "output {place}");
    }
    assert_eq!(one.len(), other.len());
}

#[test]
fn any_order_of_calls_keeps_the_promises() {
    check(1, 120, |bytes| {
        calls::run(bytes);
    });
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    check(8, 80, |bytes| {
        same(&calls::run(bytes), &calls::run(bytes));
    });
}

#[test]
fn calls_for_nothing_change_nothing() {
    check(4, 100, |bytes| {
        same(&calls::run_steadily(bytes), &calls::run_disturbed(bytes));
    });
}

/// Courses that once were taken for wrong. In the first, the state changes at the end of a quiet time
/// and the host has not signed the new document yet; in the second, a subscription runs out and its
/// NOTIFY is given up at once, before anybody has signed that.
#[test]
fn a_host_may_take_its_time_to_sign() {
    const SLOW: [[u8; 4]; 9] = [
        [0x40, 0, 0, 0x1d],
        [0; 4],
        [14, 0, 0x18, 0],
        [6, 0, 0, 2],
        [4, 0, 0, 0],
        [42, 0, 0, 0],
        [4, 0, 0, 0],
        [21, 0, 0, 0],
        [39, 96, 0, 0],
    ];
    const TOO_LATE: [[u8; 4]; 7] = [
        [0, 2, 0, 9],
        [0; 4],
        [6, 0, 0, 2],
        [4, 0, 0, 0],
        [32, 0x4d, 0, 0],
        [6, 1, 0, 0],
        [34, 0, 0, 0],
    ];
    for course in [SLOW.concat(), TOO_LATE.concat()] {
        calls::run(&course);
    }
}

/// Runs the case in PRESENTITY_CALLS and shows all of it; without that, a short one.
#[test]
fn replay() {
    let hex = std::env::var("PRESENTITY_CALLS");
    let hex = hex.as_deref().unwrap_or("00000000000000000600000004000000");
    let digits: Vec<char> = hex.chars().collect();
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).expect("hexadecimal"))
        .collect();
    calls::Course::new(&bytes).traced().run();
}
