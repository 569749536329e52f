//! Documents read and written.

use presentity::rules::{
    Condition, DeviceSelector, Except, InputDetail, Many, PersonSelector, PresenceAttribute,
    Provided, ReadError, Rule, Ruleset, ServiceSelector, SubHandling, Who, WriteError,
};
use presentity::xml::{Attribute, Element, Layout, Name, namespace};

use super::{at, document, read};

/// Writing gives a document that reads as the model and is written the same again.
fn check(rules: &Ruleset) -> String {
    let written = rules.write().unwrap();
    let again = Ruleset::read(&written).unwrap();
    assert_eq!(again, *rules);
    assert_eq!(again.write().unwrap(), written);
    let pretty = rules.write_as(Layout::Pretty).unwrap();
    assert_eq!(Ruleset::read(&pretty).unwrap(), *rules);
    String::from_utf8(written.to_vec()).unwrap()
}

fn full() -> Ruleset {
    let provided = Provided::nothing()
        .with_services(ServiceSelector::UriScheme("sip".to_owned()))
        .with_services(ServiceSelector::Class("a & b".to_owned()))
        .with_devices(DeviceSelector::DeviceId("urn:example:d".to_owned()))
        .with_persons(PersonSelector::OccurrenceId("p".to_owned()))
        .with_attribute(PresenceAttribute::DeviceId)
        .with_attribute(PresenceAttribute::PlaceIs)
        .with_user_input(InputDetail::Thresholds)
        .with_unknown_attribute("urn:example:x", "foo");
    let some = Rule::new("some")
        .for_one("sip:bob@example.com")
        .for_many(
            Many::of_domain("example.org")
                .except_one("sip:eve@example.org")
                .except_domain("bad.example.org"),
        )
        .in_sphere("work home")
        .within(at(0), at(60))
        .unwrap()
        .handled(SubHandling::PoliteBlock)
        .providing(provided);
    Ruleset::new()
        .with_rule(some)
        .with_rule(
            Rule::new("all")
                .for_many(Many::all())
                .allow()
                .with_everything(),
        )
        .with_rule(Rule::new("none"))
}

#[test]
fn the_whole_of_a_document() {
    assert_eq!(
        check(&full()),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\" \
         xmlns:pr=\"urn:ietf:params:xml:ns:pres-rules\">\
         <rule id=\"some\"><conditions><identity><one id=\"sip:bob@example.com\"/>\
         <many domain=\"example.org\"><except id=\"sip:eve@example.org\"/>\
         <except domain=\"bad.example.org\"/></many></identity>\
         <sphere value=\"work home\"/><validity><from>2026-03-01T12:00:00Z</from>\
         <until>2026-03-01T12:01:00Z</until></validity></conditions>\
         <actions><pr:sub-handling>polite-block</pr:sub-handling></actions>\
         <transformations><pr:provide-services><pr:class>a &amp; b</pr:class>\
         <pr:service-uri-scheme>sip</pr:service-uri-scheme></pr:provide-services>\
         <pr:provide-devices><pr:deviceID>urn:example:d</pr:deviceID></pr:provide-devices>\
         <pr:provide-persons><pr:occurrence-id>p</pr:occurrence-id></pr:provide-persons>\
         <pr:provide-deviceID>true</pr:provide-deviceID><pr:provide-place-is>true</pr:provide-place-is>\
         <pr:provide-user-input>thresholds</pr:provide-user-input>\
         <pr:provide-unknown-attribute name=\"foo\" ns=\"urn:example:x\">true\
         </pr:provide-unknown-attribute></transformations></rule>\
         <rule id=\"all\"><conditions><identity><many/></identity></conditions>\
         <actions><pr:sub-handling>allow</pr:sub-handling></actions>\
         <transformations><pr:provide-services><pr:all-services/></pr:provide-services>\
         <pr:provide-devices><pr:all-devices/></pr:provide-devices>\
         <pr:provide-persons><pr:all-persons/></pr:provide-persons>\
         <pr:provide-all-attributes/></transformations></rule>\
         <rule id=\"none\"/></ruleset>"
    );
    assert_eq!(check(&Ruleset::new()).matches("rule").count(), 1);
}

/// One document in many spellings.
#[test]
fn prefixes_mean_nothing() {
    let expected = Ruleset::new().with_rule(
        Rule::new("a")
            .for_one("sip:bob@example.com")
            .allow()
            .providing(Provided::nothing().with_attribute(PresenceAttribute::Mood)),
    );
    for text in [
        "<ruleset xmlns='urn:ietf:params:xml:ns:common-policy'><rule id='a'><conditions><identity>\
         <one id='sip:bob@example.com'/></identity></conditions><actions>\
         <sub-handling xmlns='urn:ietf:params:xml:ns:pres-rules'>allow</sub-handling></actions>\
         <transformations><q:provide-mood xmlns:q='urn:ietf:params:xml:ns:pres-rules'>1\
         </q:provide-mood></transformations></rule></ruleset>",
        "<?xml version='1.0'?><!-- x --><z:ruleset xmlns:z='urn:ietf:params:xml:ns:common-policy' \
         xmlns='urn:ietf:params:xml:ns:pres-rules'>\n stray <z:rule id=' a '>\n <z:transformations>\
         <provide-mood>\n true <!-- y --></provide-mood></z:transformations> <z:actions>\
         <sub-handling>\tallow</sub-handling></z:actions>\n<z:conditions><z:identity>\
         <z:one id='sip:bob&#64;example.com'/> </z:identity></z:conditions></z:rule></z:ruleset>",
    ] {
        let rules = Ruleset::read(text.as_bytes()).unwrap();
        assert_eq!(rules, expected);
        check(&rules);
    }
}

#[test]
fn what_is_not_understood_stays() {
    let text = "<x:before/><p:rule id='a' x:by='me'>\
         <p:conditions><x:weather><x:y/></x:weather><p:identity><x:one/><p:one/>\
         <p:many><x:z/></p:many></p:identity><p:sphere/><p:validity><p:from>a</p:from></p:validity>\
         </p:conditions><p:actions><x:do/><r:sub-handling>perhaps</r:sub-handling></p:actions>\
         <p:transformations><x:show/><r:provide-mood>maybe</r:provide-mood>\
         <r:provide-services><r:class>c</r:class><x:kind>k</x:kind></r:provide-services>\
         </p:transformations><x:after/></p:rule>";
    let rules = read(text);
    assert_eq!(rules.rules.len(), 1);
    let rule = &rules.rules[0];
    assert_eq!(rule.attributes.get("urn:example:x", "by"), Some("me"));
    assert_eq!(rule.conditions.len(), 4);
    assert_eq!(
        (rule.other_actions.len(), rule.other_transformations.len()),
        (2, 3)
    );
    assert_eq!(rule.provided.to_name(), "sc=c");
    let names: Vec<&str> = rules.not_understood().map(Element::local).collect();
    assert_eq!(
        names,
        [
            "weather",
            "one",
            "one",
            "many",
            "sphere",
            "validity",
            "do",
            "sub-handling",
            "show",
            "provide-mood",
            "provide-services",
            "after",
            "before"
        ]
    );
    let written = check(&rules);
    for kept in [
        "x:by=\"me\"",
        "<x:weather><x:y/></x:weather>",
        "<x:kind>k</x:kind>",
        "<x:before/>",
    ] {
        assert!(written.contains(kept), "{kept} {written}");
    }
    assert_eq!(written.matches("<pr:class>c</pr:class>").count(), 1);
}

/// What a value in an extension refers to is kept with it.
#[test]
fn prefixes_in_values_keep_their_meaning() {
    let rules = Ruleset::read(
        b"<p:ruleset xmlns:p='urn:ietf:params:xml:ns:common-policy' xmlns:q='urn:example:q'>\
          <p:rule id='a'><p:conditions><c xmlns='urn:example:c' kind='q:k'/></p:conditions></p:rule>\
          </p:ruleset>",
    )
    .unwrap();
    let written = check(&rules);
    assert!(written.contains("xmlns:q=\"urn:example:q\""), "{written}");
}

#[test]
fn odd_ids_are_passed_on_and_not_made() {
    let rules = read("<p:rule id='1 2'/>");
    check(&rules);
    for id in ["", "1", "a b", "a:b"] {
        let refused = Ruleset::new().with_rule(Rule::new(id)).write();
        assert_eq!(refused, Err(WriteError::Id { id: id.to_owned() }));
    }
    let mut renamed = rules;
    renamed.rules[0].id = "3".to_owned();
    assert!(matches!(renamed.write(), Err(WriteError::Id { .. })));
    let twice = Ruleset::new()
        .with_rule(Rule::new("a"))
        .with_rule(Rule::new("a"));
    let refused = twice.write();
    assert_eq!(refused, Err(WriteError::DuplicateId { id: "a".to_owned() }));
    let mut doubled = Rule::new("a");
    doubled.attributes = [Attribute::new(Name::new("", "id"), "b")]
        .into_iter()
        .collect();
    let refused = Ruleset::new().with_rule(doubled).write();
    assert_eq!(refused, Err(WriteError::Attribute));
}

/// What would read as something else is not written.
#[test]
fn what_is_understood_is_no_other() {
    let policy = |local| Element::new(namespace::COMMON_POLICY, local);
    let permission =
        |local: &str, text: &str| Element::new(namespace::PRES_RULES, local).with_text(text);
    let refused = |change: &dyn Fn(&mut Ruleset)| {
        let mut rules = Ruleset::new().with_rule(Rule::new("a"));
        change(&mut rules);
        match rules.write() {
            Err(WriteError::NoExtension { local }) => local,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&|it| it.extensions.push(policy("rule"))), "rule");
    assert_eq!(
        refused(&|it| it.rules[0].extensions.push(policy("actions"))),
        "actions"
    );
    let handling = || permission("sub-handling", "allow");
    assert_eq!(
        refused(&|it| it.rules[0].other_actions.push(handling())),
        "sub-handling"
    );
    for (local, text) in [
        ("provide-mood", "true"),
        ("provide-mood", "false"),
        ("provide-services", ""),
        ("provide-all-attributes", ""),
    ] {
        let element = || permission(local, text);
        assert_eq!(
            refused(&|it| it.rules[0].other_transformations.push(element())),
            local
        );
    }
    for condition in [
        policy("identity"),
        policy("sphere").with_attribute("value", "x"),
        policy("validity"),
    ] {
        let local = condition.local().to_owned();
        let condition = Condition::Other(condition);
        assert_eq!(
            refused(&|it| it.rules[0].conditions.push(condition.clone())),
            local
        );
    }
    let one = Who::Other(policy("one").with_attribute("id", "x"));
    let identity = Condition::Identity(vec![one]);
    assert_eq!(
        refused(&|it| it.rules[0].conditions.push(identity.clone())),
        "one"
    );
    let control = Ruleset::new().with_rule(Rule::new("a").for_one("\u{1}"));
    assert!(matches!(control.write(), Err(WriteError::Xml(_))));
}

#[test]
fn values_survive_as_they_are() {
    let odd = "\u{A0} <&'\"\n\t é";
    let mut many = Many::of_domain(odd);
    many.except = vec![Except::One(odd.to_owned()), Except::Domain(odd.to_owned())];
    let rule = Rule::new("a")
        .for_one(odd)
        .for_many(many)
        .in_sphere(odd)
        .providing(
            Provided::nothing()
                .with_services(ServiceSelector::Uri(odd.to_owned()))
                .with_unknown_attribute(odd, odd),
        );
    check(&Ruleset::new().with_rule(rule));
    let times = "<p:from> soon\n</p:from><p:until></p:until>";
    check(&super::allowing(&format!(
        "<p:validity>{times}</p:validity>"
    )));
    check(&super::allowing("<p:validity/><p:identity/>"));
}

#[test]
fn refusals_tell_what_and_where() {
    for (text, expected) in [
        (
            "<a/>".to_owned(),
            "line 1, column 1, in a: expected the element ruleset of RFC 4745, found a",
        ),
        (
            "<ruleset xmlns='urn:ietf:params:xml:ns:pres-rules'/>".to_owned(),
            "line 1, column 1, in ruleset: expected the element ruleset of RFC 4745, found \
             {urn:ietf:params:xml:ns:pres-rules}ruleset",
        ),
        (
            document("\n<p:rule/>"),
            "line 2, column 1, in p:ruleset/p:rule: expected an id attribute",
        ),
        (
            document("\n<p:rule id=' '/>"),
            "line 2, column 1, in p:ruleset/p:rule: expected an id attribute",
        ),
        (
            document("\n<p:rule id='a'/>\n <p:rule id=' a '/>"),
            "line 3, column 2, in p:ruleset/p:rule: a second rule with the id \"a\"",
        ),
        (
            document("\n<p:rule id='a'><p:actions/>\n<p:actions/></p:rule>"),
            "line 3, column 1, in p:ruleset/p:rule/p:actions: a second element actions in the rule",
        ),
        (
            document("\n<p:rule id='a'><p:conditions/>\n<p:conditions/></p:rule>"),
            "line 3, column 1, in p:ruleset/p:rule/p:conditions: a second element conditions in the rule",
        ),
        (
            document("\n<p:rule id='a'><p:transformations/>\n<p:transformations/></p:rule>"),
            "line 3, column 1, in p:ruleset/p:rule/p:transformations: a second element \
             transformations in the rule",
        ),
    ] {
        let error = Ruleset::read(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.status(), 400);
        assert!(expected.starts_with(&error.location().to_string()));
    }
    let broken = Ruleset::read(document("<").as_bytes()).unwrap_err();
    assert!(matches!(broken, ReadError::Xml(_)));
    assert_eq!(presentity::rules::MEDIA_TYPE, "application/auth-policy+xml");
}
