//! The gateway between requests as documents and SIP, in both directions, with a service at the far end.
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
#[path = "../signing/mod.rs"]
mod signing;

mod gate;
mod notifier;
mod rules;
mod scene;

mod carried;
mod chain;
mod course;
mod failures;
mod gate_bodies;
mod gate_ends;
mod gate_views;
mod ordered;
mod pressed;
mod shared_tokens;
