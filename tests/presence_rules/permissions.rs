//! What several rules give together.

use presentity::rules::{
    CompiledRules, InputDetail, Permissions, PresenceAttribute, Provided, Query, Rule, Ruleset,
    ServiceSelector, SubHandling,
};

use super::{at, document, read};

const BOB: &str = "bob@example.com";

fn evaluate(rules: &Ruleset) -> Permissions {
    CompiledRules::of(rules).evaluate(&Query::of(BOB))
}

fn rule(id: &str, handling: &str, transformations: &str) -> String {
    format!(
        "<p:rule id='{id}'><p:conditions><p:identity><p:one id='sip:{BOB}'/></p:identity></p:conditions>\
         <p:actions><r:sub-handling>{handling}</r:sub-handling></p:actions>\
         <p:transformations>{transformations}</p:transformations></p:rule>"
    )
}

// SRV-80: whatever their order.
#[test]
fn the_highest_handling_counts() {
    let all = SubHandling::NAMED;
    for one in all {
        for other in all {
            let rules = read(&(rule("a", one.as_str(), "") + &rule("b", other.as_str(), "")));
            assert_eq!(
                evaluate(&rules).handling,
                *one.max(other),
                "{one:?} {other:?}"
            );
            // In one rule as well.
            let twice = format!(
                "{}</r:sub-handling><r:sub-handling>{}",
                one.as_str(),
                other.as_str()
            );
            let rules = read(&rule("a", &twice, ""));
            assert_eq!(evaluate(&rules).handling, *one.max(other));
        }
    }
}

// SRV-80
#[test]
fn without_a_word_everybody_is_blocked() {
    assert_eq!(evaluate(&Ruleset::new()), Permissions::default());
    assert_eq!(Permissions::default().handling, SubHandling::Block);
    assert!(Permissions::default().provided.is_nothing());
    for nothing in ["", "Allow", "allow<x:y/>", "30", "deny"] {
        let rules = read(&rule("a", nothing, ""));
        assert_eq!(evaluate(&rules).handling, SubHandling::Block, "{nothing}");
        assert_eq!(rules.not_understood().count(), 1, "{nothing}");
    }
    let other = read(
        "<p:rule id='a'><p:actions><x:sub-handling>allow</x:sub-handling>\
         <p:sub-handling>allow</p:sub-handling></p:actions></p:rule>",
    );
    assert_eq!(evaluate(&other).handling, SubHandling::Block);
    let block = read(&rule(
        "a",
        " block\n",
        "<r:provide-mood>true</r:provide-mood>",
    ));
    assert_eq!(evaluate(&block).handling, SubHandling::Block);
    assert_eq!(block.not_understood().count(), 0);
}

// SRV-80, PA-37: rules that do not match give nothing.
#[test]
fn only_rules_that_match_add_up() {
    let class = |name: &str| ServiceSelector::Class(name.to_owned());
    let rules = Ruleset::new()
        .with_rule(
            Rule::new("domain")
                .for_domain("example.com")
                .handled(SubHandling::Confirm)
                .providing(
                    Provided::nothing()
                        .with_services(class("a"))
                        .with_attribute(PresenceAttribute::Mood)
                        .with_user_input(InputDetail::Bare),
                ),
        )
        .with_rule(
            Rule::new("one")
                .for_one("sip:bob@example.com")
                .allow()
                .providing(
                    Provided::nothing()
                        .with_services(class("b"))
                        .with_user_input(InputDetail::Thresholds),
                ),
        )
        .with_rule(
            Rule::new("home")
                .for_one("sip:bob@example.com")
                .in_sphere("home")
                .providing(Provided::nothing().with_all_persons()),
        )
        .with_rule(
            Rule::new("later")
                .within(at(0), at(10))
                .unwrap()
                .providing(Provided::nothing().with_all_devices()),
        )
        .with_rule(
            Rule::new("eve")
                .for_one("sip:eve@example.com")
                .allow()
                .with_everything(),
        );
    let compiled = CompiledRules::of(&rules);
    let bob = compiled.evaluate(&Query::of(BOB));
    let expected = Provided::nothing()
        .with_services(class("a"))
        .with_services(class("b"))
        .with_attribute(PresenceAttribute::Mood)
        .with_user_input(InputDetail::Thresholds);
    assert_eq!(
        (bob.handling, &bob.provided),
        (SubHandling::Allow, &expected)
    );
    let bob = compiled.evaluate(&Query::of(BOB).in_sphere("home").at(at(5)));
    assert_eq!(bob.provided, expected.with_all_persons().with_all_devices());
    assert_eq!(bob.holds_until, Some(at(10)));
    let carol = compiled.evaluate(&Query::of("carol@example.com"));
    assert_eq!(carol.handling, SubHandling::Confirm);
    assert_eq!(carol.provided.to_name(), "sc=a;a=mood;i=bare");
    let eve = compiled.evaluate(&Query::of("eve@example.com"));
    assert_eq!(eve.handling, SubHandling::Allow);
    assert!(eve.provided.is_everything());
    assert_eq!(
        compiled.evaluate(&Query::of_nobody()).handling,
        SubHandling::Block
    );
    assert_eq!(compiled.len(), 5);
}

// SRV-13, SRV-80: rules may be spread over documents.
#[test]
fn documents_add_up() {
    let one = read(&rule(
        "a",
        "confirm",
        "<r:provide-mood>true</r:provide-mood>",
    ));
    let other = read(&rule("a", "allow", "<r:provide-note>1</r:provide-note>"));
    let both = CompiledRules::of_all([&one, &other]).evaluate(&Query::of(BOB));
    assert_eq!(both.handling, SubHandling::Allow);
    assert_eq!(both.provided.to_name(), "a=mood,note");
}

// SRV-82: what the permissions of a document come to.
#[test]
fn permissions_are_read() {
    for (inside, name) in [
        (
            "<r:provide-services><r:all-services/></r:provide-services>",
            "s*",
        ),
        (
            "<r:provide-services><r:class> a  b </r:class><r:occurrence-id>o</r:occurrence-id>\
             <r:service-uri>sip:a@b</r:service-uri><r:service-uri-scheme>im</r:service-uri-scheme>\
             <x:kind/></r:provide-services>",
            "sc=a b;so=o;su=sip:a@b;ss=im",
        ),
        (
            "<r:provide-devices><r:class>c</r:class><r:deviceID>urn:example:d</r:deviceID>\
             <r:occurrence-id>o</r:occurrence-id></r:provide-devices>",
            "dc=c;di=urn:example:d;do=o",
        ),
        (
            "<r:provide-devices><r:all-devices/></r:provide-devices>",
            "d*",
        ),
        (
            "<r:provide-persons><r:class>c</r:class><r:occurrence-id>o</r:occurrence-id>\
             <r:deviceID>d</r:deviceID></r:provide-persons>",
            "pc=c;po=o",
        ),
        (
            "<r:provide-persons><r:all-persons/></r:provide-persons>",
            "p*",
        ),
        (
            "<r:provide-persons><r:all-devices/></r:provide-persons>",
            "-",
        ),
        ("<r:provide-persons/>", "-"),
        (
            "<r:provide-persons><r:class> </r:class></r:provide-persons>",
            "-",
        ),
        ("<r:provide-user-input>false</r:provide-user-input>", "-"),
        (
            "<r:provide-user-input>bare</r:provide-user-input>",
            "i=bare",
        ),
        (
            "<r:provide-user-input>thresholds</r:provide-user-input>",
            "i=thresholds",
        ),
        (
            "<r:provide-user-input>full</r:provide-user-input>",
            "i=full",
        ),
        ("<r:provide-user-input>true</r:provide-user-input>", "-"),
        (
            "<r:provide-unknown-attribute ns='urn:example:x' name='foo'>true\
             </r:provide-unknown-attribute>",
            "x=urn:example:x,foo",
        ),
        (
            "<r:provide-unknown-attribute ns='u' name='f'>false</r:provide-unknown-attribute>",
            "-",
        ),
        (
            "<r:provide-unknown-attribute name='f'>true</r:provide-unknown-attribute>",
            "-",
        ),
        (
            "<r:provide-unknown-attribute ns='u'>true</r:provide-unknown-attribute>",
            "-",
        ),
        ("<r:provide-all-attributes/>", "a*"),
        ("<x:provide-all-attributes/>", "-"),
        ("<p:provide-all-attributes/>", "-"),
        ("<r:provide-everything>true</r:provide-everything>", "-"),
    ] {
        let rules = super::providing(inside);
        assert_eq!(evaluate(&rules).provided.to_name(), name, "{inside}");
        let rewritten = Ruleset::read(&rules.write().unwrap()).unwrap();
        assert_eq!(rewritten, rules, "{inside}");
    }
    for attribute in PresenceAttribute::NAMED {
        for (value, granted) in [
            ("true", true),
            (" 1 ", true),
            ("false", false),
            ("0", false),
            ("yes", false),
            ("", false),
            ("true<x:y/>", false),
        ] {
            let name = attribute.as_str();
            let inside = format!("<r:provide-{name}>{value}</r:provide-{name}>");
            let provided = evaluate(&super::providing(&inside)).provided;
            let expected = if granted {
                format!("a={name}")
            } else {
                "-".to_owned()
            };
            assert_eq!(provided.to_name(), expected, "{value}");
        }
    }
}

// SRV-13: an index over whoever is listed, and no look at the others.
#[test]
fn rules_of_others_do_not_matter() {
    let mut rules = String::new();
    for n in 0..1000 {
        rules.push_str(&format!(
            "<p:rule id='r{n}'><p:conditions><p:identity><p:one id='sip:w{n}@example.com'/>\
             </p:identity></p:conditions><p:actions><r:sub-handling>confirm</r:sub-handling>\
             </p:actions></p:rule>"
        ));
    }
    let rules = Ruleset::read(document(&rules).as_bytes()).unwrap();
    let compiled = CompiledRules::of(&rules);
    assert_eq!(compiled.len(), 1000);
    for n in 0..1000 {
        let name = format!("w{n}@example.com");
        assert_eq!(
            compiled.evaluate(&Query::of(&name)).handling,
            SubHandling::Confirm
        );
    }
    let other = compiled.evaluate(&Query::of("w1000@example.com"));
    assert_eq!(other.handling, SubHandling::Block);
}
