//! What further SUBSCRIBEs make of filters.

use presentity::filter::{
    Changed, Filter, FilterError, FilterLimit, FilterLimits, FilterSet, Trigger,
};

fn limits() -> FilterLimits {
    FilterLimits::default()
}

fn merge(before: &FilterSet, update: FilterSet) -> Result<FilterSet, FilterError> {
    before.merged_with(&update, &limits())
}

fn set(filters: impl IntoIterator<Item = Filter>) -> FilterSet {
    filters.into_iter().fold(FilterSet::new(), FilterSet::with)
}

fn dora() -> Filter {
    Filter::new("1")
        .for_uri("sip:dora@example.com")
        .include("/a")
}

// PA-14
#[test]
fn filters_are_kept_replaced_and_removed() {
    let first = merge(&FilterSet::new(), set([dora()])).unwrap();
    assert_eq!(first, set([dora()]));
    assert_eq!(merge(&first, FilterSet::new()).unwrap(), first);

    let erik = Filter::new("2")
        .for_uri("sip:erik@example.com")
        .include("/b");
    let both = merge(&first, set([erik.clone()])).unwrap();
    assert_eq!(both, set([dora(), erik.clone()]));

    let new = Filter::new("1").include("/c");
    let replaced = merge(&both, set([new.clone()])).unwrap();
    assert_eq!(replaced, set([new, erik.clone()]));

    let removed = merge(&both, set([Filter::removal("1")])).unwrap();
    assert_eq!(removed, set([erik]));
    assert_eq!(
        merge(&removed, set([Filter::removal("1")])).unwrap(),
        removed
    );
    let none = merge(&removed, set([Filter::removal("2")])).unwrap();
    assert_eq!(none, FilterSet::new());
}

// PA-14
#[test]
fn filters_are_put_out_of_force_and_in_force_again() {
    let first = merge(&FilterSet::new(), set([dora()])).unwrap();
    let off = merge(&first, set([Filter::new("1").disabled()])).unwrap();
    assert_eq!(off, set([dora().disabled()]));
    assert_eq!(off.for_resource(|_| true), None);
    assert!(first.for_resource(|_| true).is_some());
    assert_eq!(merge(&off, set([Filter::new("1")])).unwrap(), first);
    // With what it says it is another one.
    let other = dora().disabled().exclude("/b");
    assert_eq!(merge(&first, set([other.clone()])).unwrap(), set([other]));
    // Another resource, and the same content.
    let moved = Filter::new("1").for_domain("example.com");
    let moved = merge(&first, set([moved])).unwrap();
    assert_eq!(moved, set([dora().for_domain("example.com")]));
}

// PA-14
#[test]
fn nothing_can_be_put_in_force_that_says_nothing() {
    let nothing = |id: &str| FilterError::Nothing { id: id.to_owned() };
    let refused = merge(&FilterSet::new(), set([Filter::new("1")]));
    assert_eq!(refused, Err(nothing("1")));
    let off = merge(&FilterSet::new(), set([Filter::new("1").disabled()])).unwrap();
    assert_eq!(off.filters.len(), 1);
    assert_eq!(merge(&off, set([Filter::new("1")])), Err(nothing("1")));
    // An empty element is said, and narrows nothing.
    let empty = Filter::new("1").when(Trigger::new());
    let empty = merge(&off, set([empty])).unwrap();
    assert_eq!(empty.for_resource(|_| true), None);
}

// PA-14
#[test]
fn one_resource_has_one_filter() {
    let first = merge(&FilterSet::new(), set([dora()])).unwrap();
    let same = || {
        Filter::new("2")
            .for_uri("pres:dora@Example.com")
            .include("/b")
    };
    let refused = merge(&first, set([same()])).unwrap_err();
    let expected = FilterError::SameTarget {
        first: "1".to_owned(),
        second: "2".to_owned(),
    };
    assert_eq!((refused.status(), refused), (488, expected));
    // One goes, the other comes.
    assert!(merge(&first, set([Filter::removal("1"), same()])).is_ok());
    // One that is not in force is as none.
    let off = merge(&first, set([Filter::new("1").disabled(), same()])).unwrap();
    let back = merge(&off, set([Filter::new("1")]));
    assert!(matches!(back, Err(FilterError::SameTarget { .. })));
}

#[test]
fn prefixes_keep_their_meaning() {
    let trigger = Trigger::new()
        .changed(Changed::of("//p:e[@p:f='p:g']"))
        .added("//q:h");
    let first = FilterSet::new()
        .bind("p", "urn:example:p")
        .bind("q", "urn:example:q")
        .bind("n0", "urn:example:n")
        .with(
            dora()
                .include("/p:a/p:p[p:b=p:c or q:d=\"p:d\"]")
                .include("//n0:i")
                .when(trigger),
        );
    let first = merge(&FilterSet::new(), first).unwrap();
    let before = first.for_resource(|_| true).unwrap();
    let update = FilterSet::new()
        .bind("p", "urn:example:other")
        .bind("q", "urn:example:q")
        .bind("unused", "urn:example:unused")
        .with(Filter::new("2").include("/p:a/q:b"));
    let both = merge(&first, update).unwrap();
    let old = both.filter("1").unwrap();
    assert_eq!(
        old.what.as_ref().unwrap().includes[1],
        presentity::filter::Selector::xpath("/n1:a/n1:p[n1:b=p:c or q:d=\"p:d\"]")
    );
    let bound: Vec<&str> = both.bindings.iter().map(|it| it.prefix.as_str()).collect();
    assert_eq!(bound, ["n1", "q", "n0", "p"]);
    let of = |set: &FilterSet, id: &str| set_of(set, id).for_resource(|_| true).unwrap();
    assert_eq!(of(&both, "1"), before);
    assert_eq!(of(&both, "1").name(), before.name());
    assert!(of(&both, "2").name().contains("urn:example:other"));
    // Nothing that was bound once stays for ever.
    let mut many = both;
    for number in 0..100 {
        let update = FilterSet::new()
            .bind("p", &format!("urn:example:{number}"))
            .with(Filter::new("2").include("/p:a"));
        many = merge(&many, update).unwrap();
    }
    assert_eq!(many.bindings.len(), 4);
    assert_eq!(of(&many, "1"), before);
}

fn set_of(set: &FilterSet, id: &str) -> FilterSet {
    let mut set = set.clone();
    set.filters.retain(|filter| filter.id == id);
    set
}

#[test]
fn refreshes_add_up_to_a_bound() {
    let mut small = FilterLimits::default();
    small.filters = 3;
    let mut all = FilterSet::new();
    let next = |number: usize| {
        let uri = format!("sip:{number}@example.com");
        set([Filter::new(number.to_string()).for_uri(uri).include("/a")])
    };
    for number in 0..3 {
        all = all.merged_with(&next(number), &small).unwrap();
    }
    let refused = all.merged_with(&next(3), &small);
    let expected = FilterError::Limit {
        limit: FilterLimit::Filters,
        max: 3,
    };
    assert_eq!(refused, Err(expected));
    assert_eq!(all.filters.len(), 3);
    let mut small = FilterLimits::default();
    small.octets = 40;
    let refused = all.merged_with(&next(3), &small).unwrap_err();
    assert_eq!(refused.status(), 413);
}

#[test]
fn faults_of_an_update_are_found() {
    let first = merge(&FilterSet::new(), set([dora()])).unwrap();
    for update in [
        set([Filter::new("1").include("//p:a")]),
        set([Filter::new("2").include("//a[")]),
        set([Filter::removal("1"), dora()]),
    ] {
        assert!(merge(&first, update).is_err());
    }
}
