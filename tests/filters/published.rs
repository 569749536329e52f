//! Documents that others published, if there are any at hand, and schemas that say what is valid.

use std::collections::BTreeMap;
use std::path::Path;

use presentity::filter::{
    FilterLimits, FilterSet, FilterTarget, Narrowing, PresenceSchema, Required, Selector,
};
use presentity::xml::{Element, XmlLimits};

use super::schemas::{complaints, spec};
use super::{BUDGET, WatcherInfo};

fn octets(spec: &Path, name: &str) -> Vec<u8> {
    std::fs::read(spec.join("vectors").join(name)).unwrap()
}

fn set(spec: &Path, name: &str) -> FilterSet {
    FilterSet::read(&octets(spec, name), &FilterLimits::default()).unwrap()
}

fn element(spec: &Path, name: &str) -> Element {
    Element::read(&octets(spec, name), &XmlLimits::default()).unwrap()
}

fn narrowing(spec: &Path, name: &str) -> Narrowing {
    let set = set(spec, name);
    let is_presentity = |target: FilterTarget<'_>| {
        matches!(
            target,
            FilterTarget::Subscribed | FilterTarget::Uri("sip:presentity@example.com")
        )
    };
    set.for_resource(is_presentity).unwrap()
}

// PA-14
#[test]
fn published_filters_are_read() {
    let Some(spec) = spec() else {
        return;
    };
    let index = std::fs::read_to_string(spec.join("vectors/INDEX.md")).unwrap();
    let mut rewritten = BTreeMap::new();
    for line in index.lines() {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let &["", name, _, "yes", ..] = columns.as_slice() else {
            continue;
        };
        if !name.ends_with(".xml") {
            continue;
        }
        let read = FilterSet::read(&octets(&spec, name), &FilterLimits::default());
        assert_eq!(read.is_ok(), name.ends_with("-filter-set.xml"), "{name}");
        let Ok(read) = read else {
            continue;
        };
        let written = read.write().unwrap();
        let again = FilterSet::read(&written, &FilterLimits::default());
        assert_eq!(again.as_ref(), Ok(&read), "{name}");
        rewritten.insert(name.to_owned(), written.to_vec());
    }
    assert_eq!(rewritten.len(), 13, "{:?}", rewritten.keys());
    let verdicts = complaints(&spec, &rewritten);
    assert_eq!(verdicts.len(), rewritten.len());
    for (name, complaint) in verdicts {
        assert_eq!(complaint, None, "{name}");
    }
}

// PA-14
#[test]
fn published_results_are_come_to() {
    let Some(spec) = spec() else {
        return;
    };
    let presence: &dyn Required = &PresenceSchema::new();
    for (document, filter, result, schema) in [
        (
            "rfc4660-s7.1-02-presence.xml",
            "rfc4660-s7.1.1-03-filter-set.xml",
            "rfc4660-s7.1.1-05-presence.xml",
            presence,
        ),
        (
            "rfc4660-s7.1-02-presence.xml",
            "rfc4660-s7.1.2-07-filter-set.xml",
            "rfc4660-s7.1.2-09-presence.xml",
            presence,
        ),
        (
            "rfc4660-s7.2-15-watcherinfo.xml",
            "rfc4660-s7.2.1-16-filter-set.xml",
            "rfc4660-s7.2.1-18-watcherinfo.xml",
            &WatcherInfo,
        ),
        (
            "rfc4660-s7.2-15-watcherinfo.xml",
            "rfc4660-s7.2.2-19-filter-set.xml",
            "rfc4660-s7.2.2-21-watcherinfo.xml",
            &WatcherInfo,
        ),
        // Its filters are in a namespace of their own.
        (
            "rfc4660-s7.2.3-23-watcherinfo.xml",
            "rfc4660-s7.2.3-22-filter-set.xml",
            "rfc4660-s7.2.3-25-watcherinfo.xml",
            &WatcherInfo,
        ),
    ] {
        let shown = narrowing(&spec, filter)
            .apply(&element(&spec, document), schema, BUDGET)
            .unwrap();
        assert_eq!(shown, Some(element(&spec, result)), "{filter}");
    }
}

// PA-14
#[test]
fn published_triggers_fire_when_they_should() {
    let Some(spec) = spec() else {
        return;
    };
    let status = narrowing(&spec, "rfc4660-s7.1.3-10-filter-set.xml");
    let first = element(&spec, "rfc4660-s7.1-02-presence.xml");
    let second = element(&spec, "rfc4660-s7.1.3-11-presence.xml");
    let third = element(&spec, "rfc4660-s7.1.3-12-presence.xml");
    assert!(!status.fires(&first, &second, BUDGET));
    // The second was not sent.
    assert!(status.fires(&first, &third, BUDGET));
    assert!(status.shows_everything());
    // What is printed as sent has the states of the first document, and not those of the third.
    let printed = element(&spec, "rfc4660-s7.1.3-14-presence.xml");
    assert_eq!(printed, first);
    assert_ne!(printed, third);
    // Its values are in capitals.
    let status = narrowing(&spec, "rfc4661-s6.2-02-filter-set.xml");
    assert!(!status.fires(&first, &second, BUDGET));
    assert!(status.fires(&first, &third, BUDGET));

    let rejected = narrowing(&spec, "rfc4660-s7.2.3-22-filter-set.xml");
    let first = element(&spec, "rfc4660-s7.2-15-watcherinfo.xml");
    let second = element(&spec, "rfc4660-s7.2.3-23-watcherinfo.xml");
    assert!(rejected.fires(&first, &second, BUDGET));
    assert!(!rejected.fires(&first, &first, BUDGET));
    assert!(!rejected.fires(&second, &first, BUDGET));

    // New watchers that are pending.
    let pending = narrowing(&spec, "rfc4661-s6.3-03-filter-set.xml");
    let mut none = first.clone();
    for list in none.elements_mut() {
        list.children_mut().clear();
    }
    assert!(pending.fires(&none, &first, BUDGET));
    assert!(!pending.fires(&first, &none, BUDGET));
}

#[test]
fn published_expressions_are_understood() {
    let Some(spec) = spec() else {
        return;
    };
    // The prefix of its names is not bound.
    let game = set(&spec, "rfc4661-s6.5-05-filter-set.xml");
    let bound: Vec<&str> = game.bindings.iter().map(|it| it.prefix.as_str()).collect();
    assert_eq!(bound, ["game-ext", "pidf"]);
    let playing = super::tree(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:g='urn:ietf:params:xml:ns:game-ext' \
         entity='sip:dora@example.com'><tuple id='a'><status><basic>open</basic>\
         <g:label>game-X</g:label></status><note>x</note></tuple>\
         <tuple id='b'><status><g:label>game-Y</g:label></status></tuple></presence>",
    );
    let shown = game
        .for_resource(|_| true)
        .unwrap()
        .apply(&playing, &PresenceSchema::new(), BUDGET)
        .unwrap()
        .unwrap();
    let tuples: Vec<&Element> = shown.elements().collect();
    assert_eq!(tuples.len(), 1);
    assert_eq!(tuples[0].attribute("id"), Some("a"));
    assert_eq!(tuples[0].elements().count(), 1);

    let two = set(&spec, "rfc4661-s6.6-06-filter-set.xml");
    let what = two.filter("999").unwrap().what.as_ref().unwrap();
    assert_eq!(
        what.includes,
        [Selector::namespace("urn:ietf:params:xml:ns:pidf")]
    );
    let bob = |target: FilterTarget<'_>| target == FilterTarget::Uri("sip:bob@example.com");
    let first = element(&spec, "rfc4660-s7.1-02-presence.xml");
    let shown = two.for_resource(bob).unwrap();
    let shown = shown
        .apply(&first, &PresenceSchema::new(), BUDGET)
        .unwrap()
        .unwrap();
    // Without what is of another namespace.
    assert!(shown.elements().all(|it| it.elements().count() == 2));
}
