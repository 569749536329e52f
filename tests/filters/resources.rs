//! Which filters hold for a resource, and what they are together.

use std::collections::HashSet;

use presentity::filter::{
    Changed, Filter, FilterError, FilterSet, FilterTarget, PresenceSchema, Trigger,
};

use super::{BUDGET, narrowing, one, presence};

/// Dora is subscribed to; her server serves example.com.
fn is_dora(target: FilterTarget<'_>) -> bool {
    match target {
        FilterTarget::Subscribed => true,
        FilterTarget::Uri(uri) => uri == "sip:dora@example.com",
        FilterTarget::Domain(domain) => domain == "example.com",
        _ => false,
    }
}

// PA-14
#[test]
fn filters_hold_for_what_they_name() {
    let filter = || Filter::new("1").include("/presence/note");
    let holds = |filter: Filter| {
        let set = FilterSet::new().with(filter);
        set.for_resource(is_dora).is_some()
    };
    assert!(holds(filter()));
    assert!(holds(filter().for_uri("sip:dora@example.com")));
    assert!(!holds(filter().for_uri("sip:erik@example.com")));
    assert!(holds(filter().for_domain("example.com")));
    assert!(!holds(filter().for_domain("example.org")));
    assert!(!holds(filter().disabled()));
    assert!(!holds(Filter::removal("1")));
}

// PA-15
#[test]
fn without_filters_nothing_is_narrowed() {
    assert_eq!(FilterSet::new().for_resource(is_dora), None);
}

// PA-14: RFC 4660 section 3.3.2
#[test]
fn a_filter_for_the_resource_overrides_that_for_its_domain() {
    let domain = Filter::new("1")
        .for_domain("example.com")
        .include("//pidf:tuple");
    let own = Filter::new("2")
        .for_uri("sip:dora@example.com")
        .include("//pidf:note");
    let set = |filters: [Filter; 2]| {
        filters
            .into_iter()
            .fold(FilterSet::of_presence(), FilterSet::with)
    };
    let alone = |filter: &Filter| {
        FilterSet::of_presence()
            .with(filter.clone())
            .for_resource(is_dora)
    };
    let both = set([domain.clone(), own.clone()]);
    assert_eq!(both.for_resource(is_dora), alone(&own));
    assert!(both.check_for_resource(is_dora).is_ok());
    let off = set([domain.clone(), own.disabled()]);
    assert_eq!(off.for_resource(is_dora), alone(&domain));
}

// PA-14: RFC 4660 section 5.2
#[test]
fn two_names_of_one_resource_are_found() {
    let subscribed = Filter::new("1").include("//pidf:tuple");
    let named = Filter::new("2")
        .for_uri("sip:dora@example.com")
        .include("//pidf:note");
    let set = FilterSet::of_presence().with(subscribed).with(named);
    let expected = FilterError::SameTarget {
        first: "1".to_owned(),
        second: "2".to_owned(),
    };
    assert_eq!(set.check_for_resource(is_dora), Err(expected));
    let not_dora = |target: FilterTarget<'_>| target == FilterTarget::Subscribed;
    assert_eq!(set.check_for_resource(not_dora), Ok(()));
}

#[test]
fn several_that_hold_add_up() {
    let document = presence(
        "<tuple id='a'><status><basic>open</basic></status><contact>sip:a@example.com</contact>\
         <note>b</note></tuple><note>c</note>",
    );
    let apply = |filters: [Filter; 2]| {
        let narrowing = filters
            .into_iter()
            .fold(FilterSet::of_presence(), FilterSet::with);
        let narrowing = narrowing.for_resource(|_| true).unwrap();
        narrowing
            .apply(&document, &PresenceSchema::new(), BUDGET)
            .unwrap()
    };
    let one = || {
        Filter::new("1")
            .include("//pidf:tuple")
            .exclude("//pidf:note")
    };
    let other = || {
        Filter::new("2")
            .for_domain("a")
            .include("/pidf:presence/pidf:note")
    };
    // Both by their domains: what one excludes the other still shows.
    let shown = apply([one().for_domain("b"), other()]).unwrap();
    let expected = presence(
        "<tuple id='a'><status><basic>open</basic></status><contact>sip:a@example.com</contact>\
         </tuple><note>c</note>",
    );
    assert_eq!(shown, expected);
    let notes = Filter::new("2").for_domain("a").include("//pidf:note");
    assert_eq!(
        apply([one().for_domain("b"), notes]).as_ref(),
        Some(&document)
    );

    // Who has no trigger hears of everything, and who has no content sees everything.
    let open = Trigger::new().changed(Changed::of("//pidf:basic"));
    let triggered = Filter::new("2").for_domain("a").when(open);
    let set = FilterSet::of_presence()
        .with(one().for_domain("b"))
        .with(triggered);
    assert_eq!(set.for_resource(|_| true), None);
}

// Watchers with equal filters share documents.
#[test]
fn equal_meaning_is_equal() {
    let names = |filter: Filter| {
        let narrowing = one(filter);
        (
            narrowing.name().to_string(),
            narrowing.content_name().to_string(),
        )
    };
    let base = || Filter::new("1").include("//pidf:tuple[@id='a' and pidf:note<'7.0']/pidf:note");
    let equal = [
        Filter::new("2")
            .for_uri("sip:dora@example.com")
            .include("//pidf:tuple [ pidf:note < 7 and @id = \"a\" ] / pidf:note"),
        base().include("//pidf:tuple[@id='a' and pidf:note<7]/pidf:note"),
        Filter::new("1").include(
            "//pidf:tuple[@id='a' and pidf:note<7 or pidf:note<7.00 and @id='a']/pidf:note",
        ),
    ];
    for filter in equal {
        assert_eq!(one(filter.clone()), one(base()), "{filter:?}");
        assert_eq!(names(filter), names(base()));
    }
    let bound = FilterSet::new()
        .bind("p", "urn:ietf:params:xml:ns:pidf")
        .with(Filter::new("1").include("//p:tuple[@id='a' and p:note<7]/p:note"));
    assert_eq!(bound.for_resource(|_| true).unwrap(), one(base()));

    let mut seen = HashSet::from([one(base())]);
    for other in [
        "//pidf:tuple[@id='a' or pidf:note<'7.0']/pidf:note",
        "//pidf:tuple[@id='a' and pidf:note>'7.0']/pidf:note",
        "//pidf:tuple[@id='a' and pidf:note='7.0']/pidf:note",
        "//pidf:tuple[@id='a' and pidf:note=7]/pidf:note",
        "//pidf:tuple[pidf:note='7']/pidf:note",
        "//pidf:tuple[@id=\"'\"]",
        "//pidf:tuple[@id='\"']",
        "//pidf:tuple[.=7]",
        "//pidf:tuple[..=7]",
        "/pidf:tuple",
        "//tuple",
        "//*",
        "//pidf:tuple/@id",
        "//pidf:tuple//@id",
        "//pidf:tuple/@x:id",
    ] {
        assert!(seen.insert(one(Filter::new("1").include(other))), "{other}");
        assert!(seen.insert(one(Filter::new("1").exclude(other))), "{other}");
        let added = Trigger::new().added(other);
        assert!(seen.insert(one(Filter::new("1").when(added))), "{other}");
        let removed = Trigger::new().removed(other);
        assert!(seen.insert(one(Filter::new("1").when(removed))), "{other}");
        for changed in [
            Changed::of(other),
            Changed::of(other).from("a"),
            Changed::of(other).to("a"),
            Changed::of(other).to("1"),
            Changed::of(other).by("1"),
            Changed::of(other).to("1").by("1"),
        ] {
            let changed = Trigger::new().changed(changed);
            assert!(seen.insert(one(Filter::new("1").when(changed))), "{other}");
        }
    }
    assert!(seen.insert(one(Filter::new("1").include_namespace("//tuple"))));

    // The same content, another time.
    let late = base().when(Trigger::new().added("//pidf:tuple"));
    assert_ne!(one(late.clone()), one(base()));
    assert_eq!(one(late).content_name(), one(base()).content_name());
    let all = narrowing([Filter::new("1").when(Trigger::new().added("//pidf:tuple"))]).unwrap();
    assert!(all.shows_everything() && all.has_triggers());
    assert_ne!(all.content_name(), one(base()).content_name());
}
