//! Presence documents made with the typed interface: whatever it accepts can be written, is read strictly
//! and says what was put in.
#![no_main]

#[path = "../../tests/typed/mod.rs"]
mod typed;

use libfuzzer_sys::fuzz_target;
use presentity::pidf::{Presence, ReadOptions};
use presentity::xml::{Element, Layout, XmlLimits};
use typed::Typed;

fuzz_target!(|data: &[u8]| {
    let made = Typed::of(data);
    let document = &made.document;
    made.check(document);
    assert!(document.difference(document).is_empty());
    assert_eq!(document.clone().repair(), []);
    // One of them each time, and the tree in the other: reading is what takes the time.
    let (layout, other) = match data.len() % 2 {
        0 => (Layout::Compact, Layout::Pretty),
        _ => (Layout::Pretty, Layout::Compact),
    };
    let written = document.write_as(layout).expect("it can be written");
    let (strict, tolerated) = Presence::read_with(&written, &ReadOptions::strict())
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&written)));
    assert_eq!(tolerated, []);
    assert_eq!(strict, *document);
    made.check(&strict);
    assert!(document.difference(&strict).is_empty());
    assert_eq!(strict.write_as(layout).as_ref(), Ok(&written));
    let (tolerant, tolerated) = Presence::read_with(&written, &ReadOptions::default())
        .expect("tolerant reading takes what strict reading takes");
    assert_eq!(tolerated, []);
    assert_eq!(tolerant, strict);
    as_tree(&written, other, document);
    without_one_part(document);
});

/// Another layout is all that changes when the tree is written.
fn as_tree(written: &[u8], layout: Layout, document: &Presence) {
    let limits = XmlLimits::default();
    let tree = Element::read(written, &limits).expect("it is well-formed");
    let again = tree.write_as(layout).expect("it can be written");
    assert_eq!(Element::read(&again, &limits).as_ref(), Ok(&tree));
    let read = Presence::read_with(&again, &ReadOptions::strict());
    assert_eq!(read.expect("it is still strict").0, *document);
}

/// A difference is told whenever there is one.
fn without_one_part(document: &Presence) {
    let differs = |less: &Presence| {
        assert_eq!(less == document, less.difference(document).is_empty());
        assert_eq!(less == document, document.difference(less).is_empty());
    };
    let mut less = document.clone();
    less.tuples.pop();
    differs(&less);
    let mut less = document.clone();
    if let Some(tuple) = less.tuples.last_mut() {
        tuple.extensions.pop();
        tuple.notes.pop();
        differs(&less);
    }
    let mut less = document.clone();
    if let Some(person) = less.persons.last_mut() {
        person.extensions.pop();
        differs(&less);
    }
    let mut less = document.clone();
    less.devices.pop();
    differs(&less);
    let mut less = document.clone();
    less.notes.pop();
    differs(&less);
    let mut less = document.clone();
    less.extensions.pop();
    differs(&less);
}
