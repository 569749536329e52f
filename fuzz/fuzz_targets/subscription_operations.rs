//! Calls in any order: a service whose requests are documents keeps its promises whatever is done to it
//! and when, beside SIP on the same agent.
//!
//! The operations and what must hold are those of the test `sdf_calls`; a course that fails is shown by
//! `PRESENTITY_CALLS=<hexadecimal> cargo test --test sdf_calls replay`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/sdf_calls/calls/mod.rs"]
mod calls;
#[path = "../../tests/common/mod.rs"]
mod common;

fuzz_target!(|data: &[u8]| {
    calls::run(data);
});
