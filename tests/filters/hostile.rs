//! What is sent to do harm.

use presentity::filter::{
    Changed, EvaluationError, Filter, FilterError, FilterLimit, FilterLimits, FilterSet,
    PresenceSchema, Trigger,
};
use presentity::xml::Element;

use super::{BUDGET, document, one, presence, read, when};

fn refused(inside: &str) -> FilterLimit {
    match read(inside) {
        Err(FilterError::Limit { limit, .. }) => limit,
        other => panic!("{other:?}"),
    }
}

// PA-14
#[test]
fn too_much_is_refused() {
    let filter = |expression: &str| {
        format!("<s:filter id='1'><s:what><s:include>{expression}</s:include></s:what></s:filter>")
    };
    let steps = |number: usize| "/a".repeat(number);
    assert!(read(&filter(&steps(32))).is_ok());
    assert_eq!(refused(&filter(&steps(33))), FilterLimit::Steps);
    let conditions = |number: usize| format!("//a[{}.='b']", ".='b' or ".repeat(number - 1));
    assert!(read(&filter(&conditions(32))).is_ok());
    assert_eq!(refused(&filter(&conditions(33))), FilterLimit::Conditions);
    let deep = format!("/a[{}='c']", ["b"; 32].join("/"));
    assert_eq!(refused(&filter(&deep)), FilterLimit::Steps);

    let filters = |number: usize| -> String {
        (0..number)
            .map(|number| {
                format!(
                    "<s:filter id='{number}' uri='sip:{number}@example.com'><s:what/></s:filter>"
                )
            })
            .collect()
    };
    assert!(read(&filters(256)).is_ok());
    assert_eq!(refused(&filters(257)), FilterLimit::Filters);
    let includes = |number: usize| {
        let includes = "<s:include>/a</s:include>".repeat(number);
        format!("<s:filter id='1'><s:what>{includes}</s:what></s:filter>")
    };
    assert!(read(&includes(1024)).is_ok());
    assert_eq!(refused(&includes(1025)), FilterLimit::Expressions);
    let bindings = |number: usize| {
        let bindings = (0..number)
            .map(|number| format!("<s:ns-binding prefix='p{number}' urn='urn:example:{number}'/>"));
        let bindings: String = bindings.collect();
        format!("<s:ns-bindings>{bindings}</s:ns-bindings><s:filter id='1'><s:what/></s:filter>")
    };
    assert!(read(&bindings(64)).is_ok());
    assert_eq!(refused(&bindings(65)), FilterLimit::Bindings);

    let long = document(&filter(&format!("//a[.='{}']", "x".repeat(66_000))));
    let refused = FilterSet::read(long.as_bytes(), &FilterLimits::default()).unwrap_err();
    assert!(matches!(refused, FilterError::Xml(_)));
    assert_eq!(refused.status(), 413);
    let deep = format!("{}{}", "<x:y>".repeat(40), "</x:y>".repeat(40));
    assert!(read(&format!("<s:filter id='1'>{deep}</s:filter>")).is_err());
    for text in ["<!DOCTYPE a>", "<!DOCTYPE a [<!ENTITY b 'c'>]>"] {
        let whole = format!("{text}{}", document("<s:filter id='1'/>"));
        assert!(FilterSet::read(whole.as_bytes(), &FilterLimits::default()).is_err());
    }
}

/// A set of filters that names a long namespace by a short prefix, so many times.
fn of_short_prefixes(urn: &str, names: usize) -> Result<FilterSet, FilterError> {
    let expressions: String = (0..names)
        .map(|number| format!("<s:include>/p:a/b{number}</s:include>"))
        .collect();
    read(&format!(
        "<s:ns-bindings><s:ns-binding prefix='p' urn='{urn}'/></s:ns-bindings>\
         <s:filter id='1'><s:what>{expressions}</s:what></s:filter>"
    ))
}

// PA-14
#[test]
fn a_prefix_counts_as_the_namespace_that_it_stands_for() {
    let long = format!("urn:example:{}", "x".repeat(2_000));
    assert!(of_short_prefixes(&long, 20).is_ok());
    let refused = of_short_prefixes(&long, 40).unwrap_err();
    assert_eq!(refused.status(), 413);
    let limit = FilterLimit::Octets;
    assert_eq!(refused, FilterError::Limit { limit, max: 65_536 });
    // The usual ones are no burden, nor is what they are told apart by.
    let usual = of_short_prefixes("urn:ietf:params:xml:ns:pidf:rpid", 1_000).unwrap();
    let narrowing = usual.for_resource(|_| true).unwrap();
    assert!(narrowing.name().len() < 30_000);

    // A refresh does not bring it in by halves.
    let mut limits = FilterLimits::default();
    limits.octets = 10_000;
    let half = |id: &str| {
        let filter = Filter::new(id).for_uri(format!("sip:{id}@example.com"));
        let filter = filter.include("/p:a").include("/p:b").include("/p:c");
        FilterSet::new().bind("p", &long).with(filter)
    };
    let first = FilterSet::new().merged_with(&half("a"), &limits).unwrap();
    assert!(first.merged_with(&half("b"), &limits).is_err());
}

/// Elements of one name in each other, and as many beside each other at each level.
fn nested(depth: usize, width: usize) -> Element {
    let mut element = Element::new("urn:example:x", "a").with_text("b");
    for _ in 0..depth {
        let mut outer = Element::new("urn:example:x", "a");
        for _ in 0..width {
            outer.push_child(Element::new("urn:example:x", "a").with_text("c"));
        }
        outer.push_child(element);
        element = outer;
    }
    element
}

/// Elements and octets that one evaluation looks at.
fn cost(filter: &Filter, document: &Element) -> usize {
    let narrowing = one(filter.clone());
    let is_enough = |budget: usize| {
        narrowing
            .apply(document, &PresenceSchema::new(), budget)
            .is_ok()
    };
    let (mut low, mut high) = (0, BUDGET * 1000);
    while low < high {
        let middle = low.midpoint(high);
        if is_enough(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

// PA-14
#[test]
fn descents_do_not_multiply() {
    let document = nested(100, 4);
    let elements = 501;
    let chain = |number: usize| Filter::new("1").include(&"//a".repeat(number));
    // One pass for each step, one to read the document, one to mark what is shown.
    assert_eq!(cost(&chain(1), &document), elements * 3);
    assert_eq!(cost(&chain(30), &document), elements * 32);
    let condition = format!("//a[{}='none']", ["a"; 20].join("//"));
    let filter = Filter::new("1").include(&condition);
    // The text in elements in elements is looked at once for each around it.
    let texts = 100 * 101 / 2 * 10;
    assert!(cost(&filter, &document) < elements * 30 + texts);
}

// PA-14
#[test]
fn an_evaluation_ends_when_it_costs_too_much() {
    let document = nested(200, 100);
    let filter = (0..30).fold(Filter::new("1"), |filter, number| {
        filter.include(&format!("//a//a[.='{number}']//a[a//a='{number}']"))
    });
    let narrowing = one(filter);
    let over = narrowing.apply(&document, &PresenceSchema::new(), BUDGET);
    assert_eq!(over, Err(EvaluationError::OverBudget));
    for budget in [0, 1, 100, 10_000] {
        let over = narrowing.apply(&document, &PresenceSchema::new(), budget);
        assert_eq!(over, Err(EvaluationError::OverBudget));
    }
    // What cannot be told counts as a change.
    let trigger = when(Trigger::new().changed(Changed::of("//a").from("b").to("c")));
    assert!(!trigger.fires(&nested(3, 3), &nested(3, 3), BUDGET));
    assert!(trigger.fires(&nested(3, 3), &nested(3, 3), 20));
}

#[test]
fn documents_that_nobody_could_have_sent_are_given_up() {
    let narrowing = one(Filter::new("1").include("//a"));
    let over = narrowing.apply(&nested(255, 0), &PresenceSchema::new(), BUDGET);
    assert!(over.is_ok());
    let over = narrowing.apply(&nested(256, 0), &PresenceSchema::new(), BUDGET);
    assert_eq!(over, Err(EvaluationError::OverBudget));
}

#[test]
fn odd_documents_do_no_harm() {
    // No presence, or one that nobody should have written.
    for inside in [
        "",
        "<tuple/>",
        "<tuple><status/><status/></tuple>",
        "<status><tuple/></status>",
        "<presence><tuple id='a'/></presence>",
        "<dm:device/><dm:person><dm:person/></dm:person>",
        "<tuple>text<status>text<basic><basic/></basic></status></tuple>",
        "<rpid:mood/><rpid:audio/><caps:supported/>",
    ] {
        let document = presence(inside);
        for filter in [
            Filter::new("1").exclude("//pidf:status"),
            Filter::new("1").include("//pidf:tuple/@id"),
            Filter::new("1").exclude("//*"),
            Filter::new("1").include("//*").exclude("//*/*"),
            Filter::new("1").include("//dm:person/dm:person"),
        ] {
            let shown = one(filter).apply(&document, &PresenceSchema::new(), BUDGET);
            assert!(shown.is_ok(), "{inside}");
        }
    }
}
