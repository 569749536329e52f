//! Any order of calls: operations read from bytes, an agent that they are done to, and a model that
//! watches what comes of them.
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

mod application;
mod checks;
mod course;
mod model;
mod operations;
mod outcomes;
mod parts;
mod protecting;
mod publishing;
mod requests;
mod sealed;
mod settling;
mod subscribing;

pub use course::Course;

/// Runs a course to its end; gives back what the agent put out.
pub fn run(bytes: &[u8]) -> Vec<presentity::event::Output> {
    Course::new(bytes).run()
}

/// Runs a course with times of its own.
pub fn run_steadily(bytes: &[u8]) -> Vec<presentity::event::Output> {
    Course::steady(bytes).run()
}

/// The same with calls in between that must not change anything.
pub fn run_disturbed(bytes: &[u8]) -> Vec<presentity::event::Output> {
    Course::steady(bytes).disturbed().run()
}
