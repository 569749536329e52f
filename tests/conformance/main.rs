//! What the specifications require of a presence agent, one behaviour a test.
//!
//! A comment above a test names the requirements that it proves; `table.txt` says of every
//! requirement whether it is met, by which tests, or why not, and `table.rs` keeps that honest.
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

mod accept;
mod authorization;
mod clients;
mod conditional;
mod documents;
mod entity_tags;
mod filters;
mod identity;
mod notify;
mod notify_outcomes;
mod pace;
mod partial;
mod protected;
mod publish;
mod publish_jobs;
mod rates;
mod refresh;
mod routes;
mod security;
mod subscribe;
mod table;
mod terminate;
mod uas_checks;
