//! A presence server: an agent with several sources, rules, devices that are agents themselves, and
//! publications that are passed on as they were signed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    reason = "test code may fail loudly, and its helpers are for its own modules"
)]

#[path = "../common/mod.rs"]
mod common;
mod scene;
#[path = "../protected_bodies/wrapping.rs"]
mod wrapping;

mod any_order;
mod back_end;
mod before_the_review;
mod composed;
mod migration;
mod rules;
mod rules_in_time;
mod signed;
mod sources;
mod watcher_info;
