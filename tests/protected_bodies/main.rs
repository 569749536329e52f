//! Signed and encrypted bodies that come in: of SUBSCRIBE and PUBLISH at the agent, of NOTIFY at the
//! watcher.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "test code may fail loudly"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../watching/phone.rs"]
mod phone;
#[path = "../signing/mod.rs"]
mod signing;
mod wrapping;

mod agent;
mod any_order;
mod demands;
mod header;
mod notifies;
mod order;
mod publishing;
mod real_keys;
mod subscribing;
