//! Watcher information as those get it who ask for it: documents, tables, subscriptions.
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
mod desk;
mod made;
#[path = "../schemas/mod.rs"]
mod schemas;

mod bounds;
mod following;
mod forks;
mod published;
mod reading;
mod tables;
mod writing;
