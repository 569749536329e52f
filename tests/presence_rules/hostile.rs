//! Documents that are meant to hurt.

use std::fmt::Write as _;
use std::time::Duration;

use cpu_time::ThreadTime;
use presentity::rules::{
    CompiledRules, Query, ReadError, RulesLimit, RulesLimits, Ruleset, SubHandling,
};
use presentity::xml::{XmlErrorKind, XmlLimit};

use super::document;

fn refused(text: &str) -> ReadError {
    Ruleset::read(text.as_bytes()).unwrap_err()
}

fn xml_limit(text: &str) -> XmlLimit {
    match refused(text) {
        ReadError::Xml(error) => match error.kind() {
            XmlErrorKind::Limit { limit, .. } => *limit,
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    }
}

fn limit(text: &str) -> (RulesLimit, usize) {
    match refused(text) {
        ReadError::Limit { limit, max, .. } => (limit, max),
        other => panic!("{other}"),
    }
}

fn repeated(times: usize, part: impl Fn(usize) -> String) -> String {
    (0..times).map(part).collect()
}

/// A rule that allows those in the list.
fn list(members: &str) -> String {
    document(&format!(
        "<p:rule id='a'><p:conditions><p:identity>{members}</p:identity></p:conditions>\
         <p:actions><r:sub-handling>allow</r:sub-handling></p:actions></p:rule>"
    ))
}

// SRV-13
#[test]
fn long_lists_are_read_and_looked_up() {
    let names = repeated(10_000, |n| format!("<p:one id='sip:w{n}@example.com'/>"));
    let rules = Ruleset::read(list(&names).as_bytes()).unwrap();
    let written = rules.write().unwrap();
    assert_eq!(Ruleset::read(&written).as_ref(), Ok(&rules));
    let compiled = CompiledRules::of(&rules);
    let begin = ThreadTime::now();
    for n in 0..10_000 {
        let name = format!("w{n}@example.com");
        let allowed = compiled.evaluate(&Query::of(&name)).handling;
        assert_eq!(allowed, SubHandling::Allow, "{name}");
    }
    assert_eq!(
        compiled.evaluate(&Query::of("w10000@example.com")).handling,
        SubHandling::Block
    );
    // A look at each name would take minutes.
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn there_is_a_bound_on_everything() {
    let rules = |times| document(&repeated(times, |n| format!("<p:rule id='r{n}'/>")));
    assert!(Ruleset::read(rules(16_384).as_bytes()).is_ok());
    assert_eq!(limit(&rules(16_385)), (RulesLimit::Rules, 16_384));

    let ones = |times| list(&repeated(times, |_| "<p:one id='sip:a@b'/>".to_owned()));
    assert!(Ruleset::read(ones(65_536).as_bytes()).is_ok());
    assert_eq!(limit(&ones(65_537)), (RulesLimit::Identities, 65_536));
    let excepts = repeated(65_536, |_| "<p:except id='sip:a@b'/>".to_owned());
    let many = list(&format!("<p:many>{excepts}</p:many>"));
    assert_eq!(limit(&many), (RulesLimit::Identities, 65_536));

    let transformations = |inside: &str| {
        document(&format!(
            "<p:rule id='a'><p:transformations>{inside}</p:transformations></p:rule>"
        ))
    };
    let classes = |times| {
        let classes = repeated(times, |n| format!("<r:class>c{n}</r:class>"));
        transformations(&format!(
            "<r:provide-services>{classes}</r:provide-services>"
        ))
    };
    assert!(Ruleset::read(classes(4096).as_bytes()).is_ok());
    assert_eq!(limit(&classes(4097)), (RulesLimit::Selectors, 4096));
    let unknown = repeated(4097, |n| {
        format!(
            "<r:provide-unknown-attribute ns='u' name='n{n}'>true</r:provide-unknown-attribute>"
        )
    });
    assert_eq!(
        limit(&transformations(&unknown)),
        (RulesLimit::Selectors, 4096)
    );

    let long = |times: usize| {
        let name = "n".repeat(1_000);
        let unknown = repeated(times, |n| {
            format!(
                "<r:provide-unknown-attribute ns='{name}' name='{n:024}'>true</r:provide-unknown-attribute>"
            )
        });
        transformations(&unknown)
    };
    assert!(Ruleset::read(long(64).as_bytes()).is_ok());
    assert_eq!(limit(&long(65)), (RulesLimit::SelectorOctets, 65_536));

    let deep = "<x:a>".repeat(64) + &"</x:a>".repeat(64);
    assert_eq!(xml_limit(&document(&deep)), XmlLimit::Depth);
    assert_eq!(
        xml_limit(&document(&"<x:a/>".repeat(262_144))),
        XmlLimit::Nodes
    );
    let huge = document(&" ".repeat(4 * 1024 * 1024));
    assert_eq!(xml_limit(&huge), XmlLimit::Bytes);
    assert_eq!(refused(&huge).status(), 413);

    let mut limits = RulesLimits::default();
    limits.identities = 2;
    let read = |text: &str| Ruleset::read_with(text.as_bytes(), &limits);
    assert!(read(&ones(2)).is_ok());
    assert!(matches!(
        read(&ones(3)),
        Err(ReadError::Limit { max: 2, .. })
    ));
}

#[test]
fn no_document_type_and_no_entities() {
    let with_type = format!("<!DOCTYPE ruleset [<!ENTITY a 'b'>]>{}", document(""));
    assert!(
        matches!(refused(&with_type), ReadError::Xml(error) if *error.kind() == XmlErrorKind::Doctype)
    );
    let entity = document("<p:rule id='&a;'/>");
    assert!(matches!(refused(&entity), ReadError::Xml(_)));
    let cut = document("<p:rule id='a'>");
    assert!(matches!(refused(&cut), ReadError::Xml(_)));
    assert!(matches!(refused(""), ReadError::Xml(_)));
    for at in 0..cut.len() {
        assert!(Ruleset::read(&cut.as_bytes()[..at]).is_err());
    }
}

/// Declarations of a document are not multiplied by its rules.
#[test]
fn declarations_do_not_multiply() {
    let mut root = String::from(
        "<p:ruleset xmlns:p='urn:ietf:params:xml:ns:common-policy' xmlns:x='urn:example:x'",
    );
    for n in 0..100 {
        write!(root, " xmlns:n{n}='urn:example:{n}:{}'", "y".repeat(400)).unwrap();
    }
    root.push('>');
    let values = repeated(90, |n| format!("<x:v a='n{n}:b'/>"));
    for n in 0..200 {
        write!(root, "<p:rule id='r{n}'><x:e>{values}</x:e></p:rule>").unwrap();
    }
    root.push_str("</p:ruleset>");
    assert_eq!(xml_limit(&root), XmlLimit::Repeated);
}
