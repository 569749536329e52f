//! Presence documents of a few words, read tolerantly and strictly, for several test files.
#![allow(dead_code, reason = "each test file takes what it needs")]

use presentity::pidf::{Fault, Presence, ReadError, ReadOptions, Tuple};

/// The status of a tuple about which there is nothing to say.
pub(crate) const OPEN: &str = "<status><basic>open</basic></status>";

pub(crate) fn read(document: impl AsRef<[u8]>) -> Presence {
    Presence::read(document.as_ref()).unwrap()
}

pub(crate) fn refused(document: impl AsRef<[u8]>) -> ReadError {
    Presence::read(document.as_ref()).unwrap_err()
}

/// The document and the faults that were tolerated.
pub(crate) fn tolerate(document: impl AsRef<[u8]>) -> (Presence, Vec<Fault>) {
    let (presence, tolerated) =
        Presence::read_with(document.as_ref(), &ReadOptions::default()).unwrap();
    let faults = tolerated.into_iter().map(|one| one.fault).collect();
    (presence, faults)
}

pub(crate) fn strictly(document: impl AsRef<[u8]>) -> Result<Presence, ReadError> {
    Presence::read_with(document.as_ref(), &ReadOptions::strict()).map(|(presence, _)| presence)
}

/// A document with this inside the root element.
pub(crate) fn document(inside: &str) -> String {
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:p='urn:ietf:params:xml:ns:pidf' \
         xmlns:x='urn:example:x' xmlns:y='urn:example:y' entity='sip:dora@example.com'>{inside}</presence>"
    )
}

/// The tuple with this inside it.
pub(crate) fn tuple(inside: &str) -> (Option<Tuple>, Vec<Fault>) {
    let (mut presence, faults) = tolerate(document(&format!("<tuple id='t'>{inside}</tuple>")));
    (presence.tuples.pop(), faults)
}

/// The document has exactly this fault: tolerated and reported, refused in strict reading.
pub(crate) fn check_fault(document: &str, fault: &Fault) -> Presence {
    let (presence, faults) = tolerate(document);
    assert_eq!(faults, core::slice::from_ref(fault), "{document}");
    match strictly(document) {
        Err(ReadError::Fault(found)) => assert_eq!(found.fault, *fault, "{document}"),
        other => panic!("{document}: {other:?}"),
    }
    presence
}

pub(crate) fn model(inside: &str) -> String {
    document(inside).replace(
        "<presence ",
        "<presence xmlns:d='urn:ietf:params:xml:ns:pidf:data-model' ",
    )
}
