//! Documents that others published, and schemas that say what is valid.
//!
//! Neither is part of this project. The tests run when `PRESENTITY_SPEC` names a folder with
//! `vectors/INDEX.md`, a table of files with what is known of them, and `schemas/`; what holds a
//! document against the schemas is `xmllint`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code may fail loudly"
)]

mod schemas;

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use presentity::pidf::{Presence, ReadError, ReadOptions};
use presentity::sdf;
use presentity::xml::{Element, XmlLimits, namespace};
use schemas::{complaints, spec};

/// A line of the index.
struct Published {
    name: String,
    octets: Vec<u8>,
    well_formed: bool,
    /// Unknown where no schema applies.
    valid: Option<bool>,
}

fn published(spec: &Path) -> Vec<Published> {
    let vectors = spec.join("vectors");
    let index = std::fs::read_to_string(vectors.join("INDEX.md")).unwrap();
    let mut all = Vec::new();
    for line in index.lines() {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let &["", name, _, well_formed, schema, ..] = columns.as_slice() else {
            continue;
        };
        if !name.ends_with(".xml") {
            continue;
        }
        all.push(Published {
            name: name.to_owned(),
            octets: std::fs::read(vectors.join(name)).unwrap(),
            well_formed: match well_formed {
                "yes" => true,
                "NO" => false,
                other => panic!("{name}: {other}"),
            },
            valid: match schema {
                "valid" => Some(true),
                "INVALID" => Some(false),
                _ => None,
            },
        });
    }
    assert!(all.len() > 100, "{} documents", all.len());
    all
}

fn is_presence(tree: &Element) -> bool {
    tree.local() == "presence"
        && (tree.namespace() == namespace::PIDF || tree.namespace().contains("cpim-pidf"))
}

fn strictly(octets: &[u8]) -> Result<Presence, ReadError> {
    Presence::read_with(octets, &ReadOptions::strict()).map(|(presence, _)| presence)
}

#[test]
fn documents_behave_as_the_index_says() {
    let Some(spec) = spec() else {
        return;
    };
    let mut presence_documents = 0;
    for Published {
        name,
        octets,
        well_formed,
        valid,
    } in published(&spec)
    {
        let tree = Element::read(&octets, &XmlLimits::default());
        // What has a document type declaration is refused for that.
        let has_type = String::from_utf8_lossy(&octets).contains("<!DOCTYPE");
        assert_eq!(tree.is_ok(), well_formed && !has_type, "{name}: {tree:?}");
        let Ok(tree) = tree else {
            assert!(Presence::read(&octets).is_err(), "{name}");
            continue;
        };
        // Layout and prefixes are all that writing changes.
        let again = Element::read(&tree.write().unwrap(), &XmlLimits::default()).unwrap();
        assert_eq!(again, tree, "{name}");
        let tolerant = Presence::read(&octets);
        if !is_presence(&tree) {
            assert!(
                matches!(tolerant, Err(ReadError::WrongRoot { .. })),
                "{name}"
            );
            continue;
        }
        presence_documents += 1;
        let mut presence = tolerant.unwrap_or_else(|error| panic!("{name}: {error}"));
        // The schema cannot say that a status has a value.
        let by_prose = presence.tuples.iter().all(|tuple| !tuple.status.is_empty());
        let strict = strictly(&octets);
        assert_eq!(
            strict.is_ok(),
            valid == Some(true) && by_prose,
            "{name}: {strict:?}"
        );
        if let Ok(strict) = strict {
            assert_eq!(strict, presence, "{name}");
            let written = presence.write().unwrap();
            assert_eq!(Presence::read(&written).as_ref(), Ok(&presence), "{name}");
        }
        presence.repair();
        if presence.entity_uri().is_none() {
            presence.entity = "sip:dora@example.com".to_owned();
        }
        let written = presence.write().unwrap();
        assert_eq!(Presence::read(&written), Ok(presence), "{name}");
    }
    assert!(presence_documents > 30, "{presence_documents}");
}

/// What strict reading says of a subscription request that is at fault on purpose.
fn refuses_as_named(name: &str, error: &sdf::ReadError) -> bool {
    use sdf::{Field, ReadError};
    match error {
        ReadError::NoToken { duration, .. } => {
            name == "sdf-neg-01-nonzero-without-token.xml" && *duration == 3600
        }
        ReadError::Structure { expected, .. } => {
            name == "sdf-neg-02-order.xml" && *expected == "the element From"
        }
        ReadError::Value { field, .. } => match field {
            Field::Duration => name == "sdf-neg-03-duration-range.xml",
            Field::Token => name == "sdf-neg-04-token-81.xml",
            Field::From => name == "sdf-neg-05-sip-from.xml",
            Field::DateTime => name == "sdf-neg-06-no-offset.xml",
            _ => false,
        },
        _ => false,
    }
}

/// A request of the same values, as it is written here.
fn anew(request: &sdf::Request) -> sdf::Request {
    let (from, to, at) = (request.from(), request.to(), request.date_time());
    let token = |token| sdf::Token::new(token).unwrap();
    match request.wish() {
        sdf::Wish::Hold {
            token: it,
            duration,
        } => sdf::Request::subscribe(from, to, at, &token(it), duration),
        sdf::Wish::Cancel { token: it } => sdf::Request::cancel(from, to, at, &token(it)),
        _ => sdf::Request::fetch(from, to, at),
    }
    .unwrap()
}

#[test]
fn subscription_requests_are_taken_or_refused_for_what_they_are() {
    let Some(spec) = spec() else {
        return;
    };
    let (mut taken, mut refused) = (0, 0);
    for Published { name, octets, .. } in published(&spec) {
        if !name.starts_with("sdf-") {
            let other = sdf::Request::read(&Bytes::from(octets));
            assert!(other.is_err(), "{name}");
            continue;
        }
        let octets = Bytes::from(octets);
        let tolerant = sdf::Request::read_with(&octets, &sdf::ReadOptions::tolerant());
        match sdf::Request::read(&octets) {
            Ok(request) => {
                taken += 1;
                assert!(!name.contains("-neg-"), "{name}");
                assert_eq!(request.octets(), &octets);
                let again = anew(&request);
                assert_eq!(again.wish(), request.wish(), "{name}");
                assert_eq!(again.date_time(), request.date_time(), "{name}");
                assert_eq!(tolerant, Ok((request, Vec::new())), "{name}");
            }
            Err(error) => {
                refused += 1;
                assert!(refuses_as_named(&name, &error), "{name}: {error}");
                assert_eq!(tolerant, Err(error), "{name}");
            }
        }
    }
    assert!(taken >= 5 && refused >= 6, "{taken} {refused}");
}

#[test]
fn valid_documents_are_written_as_valid_ones() {
    let Some(spec) = spec() else {
        return;
    };
    let mut written = BTreeMap::new();
    for document in published(&spec) {
        if let Ok(presence) = strictly(&document.octets) {
            written.insert(document.name, presence.write().unwrap().to_vec());
        }
    }
    let verdicts = complaints(&spec, &written);
    let invalid: Vec<_> = verdicts.iter().filter(|(_, said)| said.is_some()).collect();
    assert!(invalid.is_empty(), "{invalid:?}");
}
