//! The watcher beside a notifier of the test's making: what it sends, what it believes, and what follows.
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
mod phone;

mod answers;
mod comeback;
mod conditional;
mod documents;
mod entity;
mod filters;
mod heap;
mod life;
mod notifies;
mod outdated;
mod partial;
mod pressed;
mod rates;
mod spared;
mod targets;
