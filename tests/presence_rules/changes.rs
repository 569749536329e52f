//! Whom a change of rules touches.

use presentity::rules::{
    Affected, CompiledRules, Condition, Many, Provided, Rule, Ruleset, SubHandling,
};
use presentity::xml::Element;

fn rules(rules: impl IntoIterator<Item = Rule>) -> CompiledRules {
    let all = rules.into_iter().fold(Ruleset::new(), Ruleset::with_rule);
    CompiledRules::of(&all)
}

fn bob() -> Rule {
    Rule::new("bob").for_one("sip:bob@example.com").allow()
}

fn carol() -> Rule {
    Rule::new("carol").for_one("pres:carol@Example.com").allow()
}

fn watchers(names: &[&str]) -> Affected {
    Affected::Watchers(names.iter().map(|name| (*name).to_owned()).collect())
}

fn changes(old: &CompiledRules, new: &CompiledRules, expected: &Affected) {
    assert_eq!(old.affected_by(new), *expected);
    assert_eq!(new.affected_by(old), *expected);
    assert_eq!(old.affected_by(&old.clone()), Affected::Nobody);
}

// SRV-80, PA-37
#[test]
fn those_are_affected_whom_a_rule_names() {
    let both = || rules([bob(), carol()]);
    changes(&both(), &rules([carol(), bob()]), &Affected::Nobody);
    changes(&both(), &rules([bob()]), &watchers(&["carol@example.com"]));
    changes(
        &both(),
        &rules([]),
        &watchers(&["bob@example.com", "carol@example.com"]),
    );
    changes(
        &both(),
        &rules([bob().handled(SubHandling::Confirm), carol()]),
        &watchers(&["bob@example.com"]),
    );
    changes(
        &both(),
        &rules([
            bob().providing(Provided::nothing().with_all_persons()),
            carol(),
        ]),
        &watchers(&["bob@example.com"]),
    );
    changes(
        &both(),
        &rules([bob().in_sphere("work"), carol()]),
        &watchers(&["bob@example.com"]),
    );
    // Of a list only those that are not on both.
    let list = |names: &[&str]| {
        let rule = names
            .iter()
            .fold(Rule::new("l").allow(), |rule, name| rule.for_one(*name));
        rules([rule, carol()])
    };
    changes(
        &list(&["sip:a@x.example", "sip:b@x.example", "tel:+1-555"]),
        &list(&["sip:b@x.example", "sip:c@x.example", "tel:+1555"]),
        &watchers(&["a@x.example", "c@x.example"]),
    );
}

// SRV-80, PA-37
#[test]
fn everybody_is_affected_by_a_rule_for_everybody() {
    let before = || rules([bob(), Rule::new("all").handled(SubHandling::Confirm)]);
    changes(&before(), &rules([bob()]), &Affected::Everybody);
    changes(
        &before(),
        &rules([bob(), Rule::new("all").allow()]),
        &Affected::Everybody,
    );
    let domain = || Rule::new("d").for_domain("example.com").allow();
    changes(
        &rules([bob()]),
        &rules([bob(), domain()]),
        &Affected::Everybody,
    );
    let fewer = Rule::new("d")
        .for_many(Many::of_domain("example.com").except_one("sip:eve@example.com"))
        .allow();
    changes(&rules([domain()]), &rules([fewer]), &Affected::Everybody);
    // But with the same domain and one more beside it, that one alone is.
    changes(
        &rules([domain()]),
        &rules([domain().for_one("sip:bob@example.org")]),
        &watchers(&["bob@example.org"]),
    );
    // Who is one of few and of a domain is one of few.
    let narrow = domain().with_condition(bob().conditions.remove(0));
    changes(
        &rules([]),
        &rules([narrow]),
        &watchers(&["bob@example.com"]),
    );
}

#[test]
fn nobody_is_affected_by_what_gives_nothing() {
    let before = || rules([bob()]);
    let nothing = Rule::new("n").for_one("sip:eve@example.com");
    changes(&before(), &rules([bob(), nothing]), &Affected::Nobody);
    let blocked = Rule::new("n").handled(SubHandling::Block);
    changes(&before(), &rules([bob(), blocked]), &Affected::Nobody);
    let never = Rule::new("n")
        .allow()
        .with_condition(Condition::Other(Element::new("urn:example:x", "y")));
    changes(&before(), &rules([bob(), never]), &Affected::Nobody);
    let mut odd = bob();
    odd.other_actions.push(Element::new("urn:example:x", "y"));
    changes(&before(), &rules([odd]), &Affected::Nobody);
    let again = bob().for_one("sip:bob@EXAMPLE.com");
    changes(&before(), &rules([again]), &Affected::Nobody);
}
