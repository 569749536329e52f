//! The subscription service that documents of the Subscription Data Format drive, and the same
//! documents in SUBSCRIBE.
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

mod aliases;
mod carried;
mod deliveries;
mod durations;
mod freshness;
mod identities;
mod limits;
mod operations;
mod random_courses;
mod refreshes;
mod scene;
mod sides;
mod signatures;
