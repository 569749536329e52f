//! The notifier of watcher information (RFC 3857): who is told what of whose subscriptions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

#[path = "../common/mod.rs"]
mod common;

mod bounds;
mod courses;
mod crowds;
mod deliveries;
mod documents;
mod levels;
mod scene;
mod sight;
mod states;
