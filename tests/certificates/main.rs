//! Certificates of others: retrieved, judged, kept; and the service that gives them out.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod any_order;
mod cache;
mod documents;
mod hostile;
mod limits;
mod pair;
mod probation;
mod reports;
mod retrieval;
mod scene;
mod service;
mod two_programs;
mod verdicts;
mod web;
