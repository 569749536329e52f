//! Any order of calls of a service whose requests are documents: operations read from bytes, and what
//! must hold whatever they are.
//!
//! Everything panics when something is wrong, so that property tests and fuzzing can use it alike.
#![allow(unreachable_pub, reason = "included by tests and by fuzz targets")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what is wrong is to be loud"
)]

mod checks;
mod course;
mod ending;
mod requests;
mod rules;

pub use course::Tally;

/// Runs a course to its end; tells what it was like.
pub fn run(bytes: &[u8]) -> Tally {
    course::Course::new(bytes).run(bytes)
}
