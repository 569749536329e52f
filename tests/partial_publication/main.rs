//! Partial publication (RFC 5264): the publisher that tells what has changed, the server that applies it,
//! and both together.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

#[path = "../common/mod.rs"]
mod common;

mod any_package;
mod presence_server;
mod publisher;
mod together;
