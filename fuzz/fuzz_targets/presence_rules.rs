//! Authorization rules: what is read and written reads as equal, answers come without a panic, and nothing
//! is shown of a document that is not granted.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/presence_rules/rich.rs"]
mod rich;

use libfuzzer_sys::fuzz_target;
use presentity::rules::{Affected, CompiledRules, Provided, Query, Rule, Ruleset, ServiceSelector};
use time::OffsetDateTime;

/// Canonical names; the seeds have rules for them.
const WATCHERS: &[&str] = &[
    "ana@example.com",
    "bob@example.org",
    "tel:+15550100",
    "example.net:5070",
    "mailto:eve@example.com",
    "",
];

fuzz_target!(|data: &[u8]| {
    if let Ok(name) = core::str::from_utf8(data)
        && let Some(provided) = Provided::from_name(name)
    {
        assert_eq!(provided.to_name(), name);
        show(&provided);
    }
    let Ok(rules) = Ruleset::read(data) else {
        return;
    };
    let written = rules.write().expect("what was read can be written");
    let again = Ruleset::read(&written).expect("what was written can be read");
    assert_eq!(again, rules);
    assert_eq!(again.write().as_ref(), Ok(&written));
    let _ = rules.not_understood().count();
    ask(&rules);
});

fn ask(rules: &Ruleset) {
    let compiled = CompiledRules::of(rules);
    // Each rule by itself, which knows no index.
    let each: Vec<CompiledRules> = rules.rules.iter().take(16).map(alone).collect();
    let mut less = rules.clone();
    less.rules.pop();
    let fewer = CompiledRules::of(&less);
    assert_eq!(compiled.affected_by(&compiled), Affected::Nobody);
    let affected = compiled.affected_by(&fewer);
    let noon = OffsetDateTime::from_unix_timestamp(1_772_366_400).expect("a time");
    let watchers = WATCHERS
        .iter()
        .map(|it| Query::of(it))
        .chain([Query::of_nobody()]);
    for query in watchers.flat_map(|it| [it, it.in_sphere("work").at(noon)]) {
        let permissions = compiled.evaluate(&query);
        if each.len() == rules.rules.len() {
            let mut provided = Provided::nothing();
            let mut handling = presentity::rules::SubHandling::Block;
            for one in each.iter().map(|one| one.evaluate(&query)) {
                provided.merge(&one.provided);
                handling = handling.max(one.handling);
            }
            assert_eq!(
                (permissions.handling, &permissions.provided),
                (handling, &provided)
            );
        }
        if let Some(until) = permissions.holds_until {
            assert!(query.utc.is_some_and(|utc| utc < until));
        }
        let touched = match &affected {
            Affected::Nobody => false,
            Affected::Watchers(names) => names.iter().any(|it| Some(it.as_str()) == query.watcher),
            _ => true,
        };
        assert!(touched || permissions == fewer.evaluate(&query));
        let name = permissions.provided.to_name();
        assert_eq!(
            Provided::from_name(&name).as_ref(),
            Some(&permissions.provided)
        );
        show(&permissions.provided);
    }
}

fn alone(rule: &Rule) -> CompiledRules {
    CompiledRules::of(&Ruleset::new().with_rule(rule.clone()))
}

fn show(provided: &Provided) {
    // Of very many URIs of one address only some are compared.
    let uris = provided.services().iter();
    if uris
        .filter(|it| matches!(it, ServiceSelector::Uri(_)))
        .count()
        <= 64
    {
        rich::check(provided);
    }
}
