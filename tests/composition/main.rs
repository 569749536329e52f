//! What several sources say becomes one document: by settings, and from registrations.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "test code may fail loudly"
)]

mod scene;

mod ages;
mod conflicts;
mod devices;
mod persons;
mod properties;
mod registrations;
mod remarks;
mod services;
