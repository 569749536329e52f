//! Documents that others published, if there are any at hand, and schemas that say what is valid.

use std::collections::BTreeMap;

use presentity::rules::{CompiledRules, Query, Rule, Ruleset, SubHandling};

use super::schemas::{complaints, spec};
use super::{at, rich::rich};

#[test]
fn published_rules_are_understood() {
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
        let octets = std::fs::read(spec.join("vectors").join(name)).unwrap();
        let is_one = name.ends_with("-ruleset.xml") || name.ends_with("-pres-rules.xml");
        let Ok(rules) = Ruleset::read(&octets) else {
            assert!(!is_one, "{name}");
            continue;
        };
        assert!(is_one, "{name}");
        assert_eq!(rules.not_understood().count(), 0, "{name}");
        let written = rules.write().unwrap();
        assert_eq!(Ruleset::read(&written).as_ref(), Ok(&rules), "{name}");
        rewritten.insert(name.to_owned(), written.to_vec());
    }
    assert!(rewritten.len() >= 9, "{:?}", rewritten.keys());
    let read = |name: &str| Ruleset::read(&rewritten[name]).unwrap();

    let rules = CompiledRules::of(&read("rfc5025-s6-01-ruleset.xml"));
    let user = rules.evaluate(&Query::of("user@example.com"));
    assert_eq!(user.handling, SubHandling::Allow);
    assert_eq!(
        user.provided.to_name(),
        "ss=mailto;ss=sip;p*;a=activities;i=bare;x=urn:vendor-specific:foo-namespace,foo"
    );
    let mut shown = rich();
    user.provided.apply(&mut shown);
    assert_eq!(
        (shown.tuples.len(), shown.persons.len(), shown.devices.len()),
        (2, 2, 0)
    );
    let other = rules.evaluate(&Query::of("other@example.com"));
    assert_eq!(other.handling, SubHandling::Block);

    // They have conditions only: a permission shows whether those hold.
    let holds = |name: &str, query: &Query<'_>| {
        let mut rules = read(name);
        for rule in &mut rules.rules {
            *rule = rule.clone().handled(SubHandling::Confirm);
        }
        CompiledRules::of(&rules).evaluate(query).handling == SubHandling::Confirm
    };
    let work = |watcher| Query::of(watcher).in_sphere("work");
    let name = "rfc4745-s7.1.2-01-ruleset.xml";
    for watcher in [
        "alice@example.com",
        "tel:+12125551234",
        "mailto:bob@example.net",
    ] {
        assert!(holds(name, &Query::of(watcher)), "{watcher}");
    }
    assert!(!holds(name, &Query::of("bob@example.net")));
    let name = "rfc4745-s7.3-05-ruleset.xml";
    assert!(holds(name, &work("andrew@example.com")));
    assert!(!holds(name, &work("allison@example.com")));
    assert!(holds(name, &work("john@doe.example.com")));
    let name = "rfc4745-s7.1.3.3-04-ruleset.xml";
    assert!(holds(name, &Query::of("carol@example.com")));
    assert!(!holds(name, &Query::of("bob@example.com")));
    assert!(!holds(
        "rfc4745-s12-07-ruleset.xml",
        &work("bob@example.com").at(at(0))
    ));

    let complaints = complaints(&spec, &rewritten);
    assert_eq!(complaints.len(), rewritten.len());
    for (name, complaint) in complaints {
        assert_eq!(complaint, None, "{name}");
    }
}

#[test]
fn rules_are_written_as_the_schemas_want_them() {
    let Some(spec) = spec() else {
        return;
    };
    let rules = Ruleset::new()
        .with_rule(
            Rule::new("a")
                .for_one("sip:bob@example.com")
                .allow()
                .with_everything(),
        )
        .with_rule(
            Rule::new("b")
                .for_domain("example.com")
                .in_sphere("work")
                .within(at(0), at(1))
                .unwrap()
                .handled(SubHandling::PoliteBlock),
        )
        .with_rule(Rule::new("c"));
    let written = rules.write().unwrap().to_vec();
    let verdicts = complaints(&spec, &BTreeMap::from([("made.xml".to_owned(), written)]));
    assert_eq!(verdicts["made.xml"], None);
}
