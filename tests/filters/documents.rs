//! Filters as documents: what is read, what is refused, what is written.

use presentity::filter::{
    Binding, Changed, ExpressionFault, Filter, FilterError, FilterLimits, FilterSet, Selector,
    Trigger, What,
};
use presentity::xml::{Layout, namespace};

use super::{document, read};

// PA-14
#[test]
fn all_that_a_filter_says_is_read() {
    let set = read(
        "<s:ns-bindings><s:ns-binding prefix='p' urn=' urn:example:p '/>\
         <s:ns-binding prefix='p' urn='urn:example:p'/><s:ns-binding prefix='' urn='urn:example:q'/>\
         <s:ns-binding prefix='p:q' urn='urn:example:q'/></s:ns-bindings>\n\
         <s:filter id='1' uri=' sip:dora@example.com ' enabled='1' x:y='z'>\
         <s:what><s:include>\n /p:a/\n p:b </s:include><s:include type='namespace'> urn:example:n </s:include>\
         <s:exclude type='xpath'>//p:c</s:exclude><x:y>text</x:y></s:what>\
         <s:trigger><s:changed from='1' to=' 2' by='.5' x:y=''>//p:d</s:changed>\
         <s:added>//p:e</s:added><s:removed x:y=''>//p:f</s:removed><x:y/></s:trigger>\
         <s:trigger/><x:y/></s:filter>\
         <s:filter id='2' domain='example.com' enabled='false'><s:what/></s:filter>\
         <s:filter id='3' remove='true'/>",
    )
    .unwrap();
    assert_eq!(set.bindings, [Binding::new("p", "urn:example:p")]);
    let [first, second, third] = &set.filters[..] else {
        panic!("{set:?}");
    };
    let expected = Filter::new("1")
        .for_uri("sip:dora@example.com")
        .include("/p:a/\n p:b")
        .include_namespace("urn:example:n")
        .exclude("//p:c")
        .when(
            Trigger::new()
                .changed(Changed::of("//p:d").from("1").to(" 2").by(".5"))
                .added("//p:e")
                .removed("//p:f"),
        )
        .when(Trigger::new());
    assert_eq!(*first, expected);
    let mut expected = Filter::new("2").for_domain("example.com").disabled();
    expected.what = Some(What::new());
    assert_eq!(*second, expected);
    assert_eq!(*third, Filter::removal("3"));

    let written = set.write().unwrap();
    let limits = FilterLimits::default();
    assert_eq!(FilterSet::read(&written, &limits).as_ref(), Ok(&set));
    let indented = set.write_as(Layout::Pretty).unwrap();
    assert_eq!(FilterSet::read(&indented, &limits).as_ref(), Ok(&set));
}

#[test]
fn the_package_is_read() {
    let limits = FilterLimits::default();
    let set = FilterSet::new()
        .for_package("presence.winfo")
        .with(Filter::new("a b\n<\"&").include("//watcher"));
    assert_eq!(FilterSet::read(&set.write().unwrap(), &limits), Ok(set));
}

// PA-14
#[test]
fn what_the_schema_refuses_is_refused() {
    for inside in [
        "",
        "text",
        "<s:ns-bindings/>",
        "<s:ns-bindings/><s:filter id='1'/>",
        "<s:filter id='1'/>text",
        "<s:filter id='1'/><s:ns-bindings><s:ns-binding prefix='a' urn='urn:example:a'/></s:ns-bindings>",
        "<s:ns-bindings><s:ns-binding prefix='a'/></s:ns-bindings><s:filter id='1'/>",
        "<s:ns-bindings><s:ns-binding urn='urn:example:a'/></s:ns-bindings><s:filter id='1'/>",
        "<s:ns-bindings><s:ns-binding prefix='a' urn='urn:example:a' uri=''/></s:ns-bindings><s:filter id='1'/>",
        "<s:ns-bindings><x:y/></s:ns-bindings><s:filter id='1'/>",
        "<s:ns-bindings>a</s:ns-bindings><s:filter id='1'/>",
        "<s:filter/>",
        "<s:filter id='1' s:id='1'/>",
        "<s:filter id='1' other='1'/>",
        "<s:filter id='1' remove='yes'/>",
        "<s:filter id='1' enabled=''/>",
        "<s:filter id='1'>text</s:filter>",
        "<s:filter id='1'><s:other/></s:filter>",
        "<s:filter id='1'><none/></s:filter>",
        "<s:filter id='1'><s:what/><s:what/></s:filter>",
        "<s:filter id='1'><s:trigger/><s:what/></s:filter>",
        "<s:filter id='1'><x:y/><s:what/></s:filter>",
        "<s:filter id='1'><s:what>text</s:what></s:filter>",
        "<s:filter id='1'><s:what a=''/></s:filter>",
        "<s:filter id='1'><s:what><s:exclude>//a</s:exclude><s:include>//a</s:include></s:what></s:filter>",
        "<s:filter id='1'><s:what><s:include type='regex'>//a</s:include></s:what></s:filter>",
        "<s:filter id='1'><s:what><s:include kind='xpath'>//a</s:include></s:what></s:filter>",
        "<s:filter id='1'><s:what><s:include>//a<x:y/></s:include></s:what></s:filter>",
        "<s:filter id='1'><s:what><s:added>//a</s:added></s:what></s:filter>",
        "<s:filter id='1'><s:trigger><s:added>//a</s:added><s:changed>//a</s:changed></s:trigger></s:filter>",
        "<s:filter id='1'><s:trigger><s:added from=''>//a</s:added></s:trigger></s:filter>",
        "<s:filter id='1'><s:trigger><s:include>//a</s:include></s:trigger></s:filter>",
        "<x:filter id='1'/>",
    ] {
        let refused = read(inside).unwrap_err();
        assert!(
            matches!(refused, FilterError::Schema { .. }),
            "{inside}: {refused}"
        );
        assert_eq!(refused.status(), 488, "{inside}");
    }
}

// PA-14
#[test]
fn what_contradicts_itself_is_refused() {
    for (inside, expected) in [
        (
            "<s:filter id='1' uri='sip:dora@example.com' domain='example.com'/>",
            FilterError::TwoTargets { id: "1".to_owned() },
        ),
        (
            "<s:filter id='1' remove='true'/><s:filter id='1'/>",
            FilterError::DuplicateId { id: "1".to_owned() },
        ),
        (
            "<s:filter id='1' uri='sip:dora@example.com'><s:what/></s:filter>\
             <s:filter id='2' uri='sips:dora@EXAMPLE.com'><s:trigger/></s:filter>",
            FilterError::SameTarget {
                first: "1".to_owned(),
                second: "2".to_owned(),
            },
        ),
        (
            "<s:filter id='1'><s:what/></s:filter><s:filter id='2'><s:what/></s:filter>",
            FilterError::SameTarget {
                first: "1".to_owned(),
                second: "2".to_owned(),
            },
        ),
        (
            "<s:filter id='1' domain='Example.com.'><s:what/></s:filter>\
             <s:filter id='2' domain='example.com'><s:what/></s:filter>",
            FilterError::SameTarget {
                first: "1".to_owned(),
                second: "2".to_owned(),
            },
        ),
        (
            "<s:ns-bindings><s:ns-binding prefix='a' urn='urn:example:a'/>\
             <s:ns-binding prefix='a' urn='urn:example:b'/></s:ns-bindings><s:filter id='1'/>",
            FilterError::Prefix {
                prefix: "a".to_owned(),
            },
        ),
        (
            "<s:ns-bindings><s:ns-binding prefix='a' urn=' '/></s:ns-bindings><s:filter id='1'/>",
            FilterError::Namespace,
        ),
        (
            "<s:filter id='1'><s:what><s:include type='namespace'> </s:include></s:what></s:filter>",
            FilterError::Namespace,
        ),
        (
            "<s:filter id='1'><s:what><s:include>//a:b</s:include></s:what></s:filter>",
            FilterError::Expression {
                expression: "//a:b".to_owned(),
                fault: ExpressionFault::Prefix {
                    prefix: "a".to_owned(),
                },
            },
        ),
        (
            "<s:filter id='1'><s:trigger><s:added/></s:trigger></s:filter>",
            FilterError::Expression {
                expression: String::new(),
                fault: ExpressionFault::Syntax {
                    at: 0,
                    expected: "a slash",
                },
            },
        ),
        (
            "<s:filter id='1'><s:trigger><s:changed by='some'>//a</s:changed></s:trigger></s:filter>",
            FilterError::Number {
                value: "some".to_owned(),
            },
        ),
        (
            "<s:filter id='1'><s:trigger><s:changed by='1' from='few'>//a</s:changed></s:trigger></s:filter>",
            FilterError::Number {
                value: "few".to_owned(),
            },
        ),
    ] {
        let refused = read(inside).unwrap_err();
        assert_eq!(refused, expected, "{inside}");
        assert_eq!(refused.status(), 488, "{inside}");
        assert!(!refused.to_string().is_empty());
    }
}

#[test]
fn roots_are_of_filters() {
    let limits = FilterLimits::default();
    let of = |namespace: &str, local: &str| {
        format!("<{local} xmlns='{namespace}'><filter id='1'><what/></filter></{local}>")
    };
    for namespace in [
        namespace::SIMPLE_FILTER,
        "urn:ietf:params:xml:ns:simple-winfo-filter",
    ] {
        assert!(FilterSet::read(of(namespace, "filter-set").as_bytes(), &limits).is_ok());
        let other = FilterSet::read(of(namespace, "filter").as_bytes(), &limits);
        assert!(matches!(other, Err(FilterError::WrongRoot { .. })));
    }
    let other = of("urn:example:x", "filter-set");
    let refused = FilterSet::read(other.as_bytes(), &limits).unwrap_err();
    assert!(matches!(&refused, FilterError::WrongRoot { found, .. } if found.contains("example")));
    assert_eq!(refused.status(), 488);
    let refused = FilterSet::read(b"<filter-set", &limits).unwrap_err();
    assert!(matches!(refused, FilterError::Xml(_)));
    assert_eq!(refused.status(), 488);
    let attribute = document("<s:filter id='1'/>").replacen("xmlns:x", "pack='' xmlns:x", 1);
    let refused = FilterSet::read(attribute.as_bytes(), &limits);
    assert!(matches!(refused, Err(FilterError::Schema { .. })));
}

// RFC 4661 section 6.5 uses a prefix that it has not bound.
#[test]
fn customary_prefixes_need_no_binding_when_read() {
    let set = read(
        "<s:filter id='1'><s:what><s:include>//pidf:tuple[rpid:class='a']</s:include></s:what></s:filter>",
    )
    .unwrap();
    let bindings = [
        Binding::new("pidf", namespace::PIDF),
        Binding::new("rpid", namespace::RPID),
    ];
    assert_eq!(set.bindings, bindings);
    let limits = FilterLimits::default();
    assert_eq!(FilterSet::read(&set.write().unwrap(), &limits), Ok(set));
    let unbound = FilterSet::new().with(Filter::new("1").include("//pidf:tuple"));
    assert!(matches!(
        unbound.write(),
        Err(FilterError::Expression { .. })
    ));
}

#[test]
fn what_would_not_be_read_is_not_written() {
    assert_eq!(FilterSet::new().write(), Err(FilterError::NoFilter));
    let filter = || Filter::new("1").include("/a");
    for (set, name) in [
        (FilterSet::new().with(filter()).with(filter()), "ids"),
        (
            FilterSet::new().bind("", "urn:example:a").with(filter()),
            "prefix",
        ),
        (FilterSet::new().bind("a", " ").with(filter()), "namespace"),
        (FilterSet::new().with(Filter::new("1").include("a")), "path"),
        (FilterSet::new().with(Filter::new("\0").include("/a")), "id"),
        (
            FilterSet::new()
                .with(filter())
                .with(Filter::new("2").include("/b")),
            "targets",
        ),
    ] {
        assert!(set.write().is_err(), "{name}");
    }
    let selector = Selector::xpath(" /a ");
    assert_eq!(selector, Selector::Xpath("/a".to_owned()));
}
