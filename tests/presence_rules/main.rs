//! Authorization rules as documents, and what they let whom see (RFC 4745, RFC 5025).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod changes;
mod conditions;
mod documents;
mod hostile;
mod permissions;
mod published;
mod random;
mod rich;
#[path = "../schemas/mod.rs"]
mod schemas;
mod shown;

use presentity::rules::Ruleset;
use time::{Duration, OffsetDateTime};

/// A document of these rules, where `p` is common policy and `r` are presence rules.
fn document(inside: &str) -> String {
    format!(
        "<p:ruleset xmlns:p='urn:ietf:params:xml:ns:common-policy' \
         xmlns:r='urn:ietf:params:xml:ns:pres-rules' xmlns:x='urn:example:x'>{inside}</p:ruleset>"
    )
}

fn read(inside: &str) -> Ruleset {
    Ruleset::read(document(inside).as_bytes()).unwrap()
}

/// One rule with these conditions that allows.
fn allowing(conditions: &str) -> Ruleset {
    read(&format!(
        "<p:rule id='a'><p:conditions>{conditions}</p:conditions>\
         <p:actions><r:sub-handling>allow</r:sub-handling></p:actions></p:rule>"
    ))
}

/// One rule for everybody with these transformations.
fn providing(transformations: &str) -> Ruleset {
    read(&format!(
        "<p:rule id='a'><p:transformations>{transformations}</p:transformations></p:rule>"
    ))
}

/// So many seconds after a moment in 2026.
fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_772_366_400).unwrap() + Duration::seconds(seconds)
}
