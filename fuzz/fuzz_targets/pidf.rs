//! Presence documents and the XML below them: what is read and written reads as equal, and what was
//! written is written the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use presentity::pidf::{Presence, ReadOptions};
use presentity::xml::{Element, XmlLimits};

fuzz_target!(|data: &[u8]| {
    tree(data);
    document(data);
});

fn tree(data: &[u8]) {
    let limits = XmlLimits::default();
    let Ok(tree) = Element::read(data, &limits) else {
        return;
    };
    let written = tree.write().expect("what was read can be written");
    let again = Element::read(&written, &limits).expect("what was written can be read");
    assert_eq!(again, tree);
    assert_eq!(again.write().as_ref(), Ok(&written));
}

fn document(data: &[u8]) {
    let strict = Presence::read_with(data, &ReadOptions::strict());
    let Ok((mut presence, tolerated)) = Presence::read_with(data, &ReadOptions::default()) else {
        assert!(
            strict.is_err(),
            "strict reading takes what tolerant reading refuses"
        );
        return;
    };
    for one in &tolerated {
        let _ = one.to_string();
    }
    visit(&presence);
    if presence.entity_uri().is_none() {
        assert!(strict.is_err(), "strict reading takes any entity");
        presence.entity = "sip:tomas@example.com".to_owned();
    }
    let repairs = presence.repair();
    assert!(
        presence.repair().is_empty(),
        "repairing takes two turns: {repairs:?}"
    );
    let written = presence.write().expect("what was repaired can be written");
    let again = Presence::read(&written).expect("what was written can be read");
    assert_eq!(again, presence);
    assert_eq!(again.write().as_ref(), Ok(&written));
    if let Ok((strict, _)) = strict {
        assert!(
            repairs.is_empty(),
            "strict reading takes what needs repair: {repairs:?}"
        );
        assert_eq!(strict, presence);
        let again = Presence::read_with(&written, &ReadOptions::strict());
        assert_eq!(again.expect("it is still strict").0, presence);
    }
}

fn visit(presence: &Presence) {
    let _ = presence.newest_timestamp();
    assert_eq!(presence.tuples_by_priority().len(), presence.tuples.len());
    for tuple in &presence.tuples {
        assert!(presence.tuple(&tuple.id).is_some());
        let _ = (tuple.timestamp(), tuple.priority(), tuple.status.basic());
    }
}
