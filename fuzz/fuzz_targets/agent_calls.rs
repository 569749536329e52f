//! Calls in any order: an agent keeps its promises whatever is done to it and when.
//!
//! The operations and what they are held against are those of the test `call_order`.
#![no_main]

use libfuzzer_sys::fuzz_target;

// Tests have more uses for it.
#[allow(dead_code)]
#[path = "../../tests/call_order/calls/mod.rs"]
mod calls;
#[path = "../../tests/common/mod.rs"]
mod common;

fuzz_target!(|data: &[u8]| {
    calls::run(data);
});
