//! Differences of two documents, or of one and what random changes make of it: applied to the one they give
//! the other, also after they were written and read; and so do the partial presence documents made of them.
#![no_main]

#[path = "../../tests/edited_trees/mod.rs"]
mod edited_trees;

use edited_trees::Dice;
use libfuzzer_sys::fuzz_target;
use presentity::pidf::partial::{Numbered, Reconstruction};
use presentity::xml::patch::{
    Operation, Steps, apply, difference, read_operations, write_operations,
};
use presentity::xml::{Element, Layout, XmlLimits, namespace};

fuzz_target!(|data: &[u8]| {
    let Some((choices, documents)) = data.split_first_chunk::<9>() else {
        return;
    };
    let [kind, seed @ ..] = *choices;
    let limits = XmlLimits::default();
    let read = |document: &[u8]| {
        if kind & 1 == 0 {
            Element::read(document, &limits)
        } else {
            Element::read_whole(document, &limits)
        }
    };
    let mut parts = documents.splitn(2, |&byte| byte == 0);
    let Some(Ok(before)) = parts.next().map(read) else {
        return;
    };
    let after = match parts.next().map(read) {
        Some(Err(_)) => return,
        Some(Ok(after)) => after,
        None => {
            let mut after = before.clone();
            let mut dice = Dice(u64::from_le_bytes(seed));
            for _ in 0..dice.roll(8) {
                dice.edit(&mut after);
            }
            let written = after.write_as(Layout::Kept);
            match written.map(|it| read(&it)) {
                Ok(Ok(after)) => after,
                // A little more than may be.
                _ => return,
            }
        }
    };
    let Some(operations) = difference(&before, &after) else {
        assert_ne!(before.name(), after.name());
        return;
    };
    assert_eq!(operations.is_empty(), before == after);
    check(&before, &operations, &after);
    let mut root = Element::new(namespace::PIDF_DIFF, "pidf-diff");
    root.declare("", namespace::PIDF);
    write_operations(&mut root, &operations).expect("they have a written form");
    let written = root.write_as(Layout::Kept).expect("writable");
    // Around the documents there may be no room left.
    if let Ok(root) = Element::read_whole(&written, &limits) {
        let sent = read_operations(&root, namespace::PIDF_DIFF).expect("what was written");
        check(&before, &sent, &after);
    }
    if before.is(namespace::PIDF, "presence") {
        partial(&before, &after);
    }
});

fn check(before: &Element, operations: &[Operation], after: &Element) {
    let mut changed = before.clone();
    let mut steps = Steps::new(u64::MAX);
    apply(&mut changed, operations, &mut steps).expect("it finds what it names");
    assert_eq!(changed, *after);
}

fn partial(before: &Element, after: &Element) {
    let octets = before.write().expect("writable");
    let full = Numbered::full(&octets).expect("a presence document");
    let changes = Numbered::difference_of(before, after).expect("two of them");
    let mut held = Reconstruction::within(XmlLimits::default(), u64::MAX);
    if held.take(&full.with_version(1)).is_err() {
        return;
    }
    assert!(full.with_version(u32::MAX).len() == full.len());
    // Without comments, which before may have and its octets have not, all is as in `check`.
    if *before == Element::read(&octets, &XmlLimits::default()).expect("readable") {
        let _ = held.take(&changes.with_version(2));
    }
}
