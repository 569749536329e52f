//! Subscription requests of the CPIM data format, read and written.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code may fail loudly"
)]

mod commands;
mod documents;
#[path = "../interop/example.rs"]
mod example;
mod hostile;
mod structure;
mod tolerant;
mod values;
mod writing;

use bytes::Bytes;
use presentity::sdf::{Field, ReadError, ReadOptions, Request, Tolerated};

const FROM: &str = "pres:nora@example.org";
const TO: &str = "pres:emil@example.com";
const AT: &str = "2026-03-01T09:30:00+01:00";

/// Elements one behind the other, without white space.
fn elements(parts: &[(&str, &str)]) -> String {
    let element = |(name, content): &(&str, &str)| format!("<{name}>{content}</{name}>");
    parts.iter().map(element).collect()
}

fn of(content: &str) -> String {
    format!("<Subscribe>{content}</Subscribe>")
}

/// A request that is right but for the content of one element, which may be none.
fn with(field: Field, content: &str) -> String {
    let parts = [
        ("From", FROM),
        ("To", TO),
        ("DateTime", AT),
        ("Token", "balcony"),
        ("Duration", "3600"),
    ];
    let put = |(name, usual)| match name == field.as_str() {
        true => (name, content),
        false => (name, usual),
    };
    of(&elements(&parts.map(put)))
}

fn right() -> String {
    with(Field::Token, "balcony")
}

fn strictly(document: &str) -> Result<Request, ReadError> {
    Request::read(&Bytes::copy_from_slice(document.as_bytes()))
}

fn tolerantly(document: &str) -> Result<(Request, Vec<Tolerated>), ReadError> {
    let octets = Bytes::copy_from_slice(document.as_bytes());
    Request::read_with(&octets, &ReadOptions::tolerant())
}

/// What both ways of reading say, which is the same.
fn either(document: &str) -> Result<Request, ReadError> {
    let strict = strictly(document);
    let tolerant = tolerantly(document);
    match &strict {
        Ok(request) => assert_eq!(tolerant, Ok((request.clone(), Vec::new())), "{document}"),
        Err(error) => assert_eq!(tolerant.as_ref(), Err(error), "{document}"),
    }
    strict
}

/// The element whose value both ways of reading refuse, and where they say it is.
fn refused_value(document: &str) -> (Field, String, String) {
    match either(document) {
        Err(ReadError::Value {
            field,
            found,
            location,
        }) => (field, found, location.path),
        other => panic!("{document}: {other:?}"),
    }
}

/// What both ways of reading miss, what they find instead, and where.
fn wrong_structure(document: &str) -> (&'static str, String, String) {
    match either(document) {
        Err(ReadError::Structure {
            expected,
            found,
            location,
        }) => (expected, found, location.path),
        other => panic!("{document}: {other:?}"),
    }
}
