//! Rules made at random: written, read, named and asked.

use presentity::rules::{
    Affected, CompiledRules, DeviceSelector, Except, InputDetail, Many, PersonSelector,
    PresenceAttribute, Provided, Query, Rule, Ruleset, ServiceSelector, SubHandling,
};
use proptest::prelude::*;

use super::{at, rich};

const WATCHERS: &[&str] = &[
    "ana@example.com",
    "bob@example.com",
    "ana@example.org",
    "tel:+15550100",
    "example.net",
];

fn uri() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "sip:ana@example.com",
        "sips:bob@Example.com",
        "pres:ana@example.org",
        "tel:+1-555-0100",
        "sip:example.net",
        "nonsense",
    ])
    .prop_map(str::to_owned)
}

fn domain() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "example.com",
        "EXAMPLE.org",
        "example.net.",
        "a b",
        "",
    ])
    .prop_map(str::to_owned)
}

fn many() -> impl Strategy<Value = Many> {
    let except = prop_oneof![
        uri().prop_map(Except::One),
        domain().prop_map(Except::Domain)
    ];
    (
        prop::option::of(domain()),
        prop::collection::vec(except, 0..3),
    )
        .prop_map(|(domain, except)| {
            let mut many = Many::all();
            many.domain = domain;
            many.except = except;
            many
        })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "work",
            "home",
            "mobile",
            "t1",
            "t3",
            "p2",
            "d1",
            "sip",
            "mailto",
            "urn:example:d2",
            "sip:dora@example.com",
            "sip:%64ora@EXAMPLE.com;lr",
            "mailto:dora@example.org",
        ])
        .prop_map(str::to_owned),
        "[a-c ;,%=\\t*-]{0,4}",
        "\\PC{0,3}",
    ]
}

fn part() -> impl Strategy<Value = Provided> {
    let nothing = Provided::nothing;
    prop_oneof![
        Just(nothing().with_all_services()),
        Just(nothing().with_all_devices()),
        Just(nothing().with_all_persons()),
        Just(nothing().with_all_attributes()),
        text().prop_map(move |it| nothing().with_services(ServiceSelector::Class(it))),
        text().prop_map(move |it| nothing().with_services(ServiceSelector::OccurrenceId(it))),
        text().prop_map(move |it| nothing().with_services(ServiceSelector::Uri(it))),
        text().prop_map(move |it| nothing().with_services(ServiceSelector::UriScheme(it))),
        text().prop_map(move |it| nothing().with_devices(DeviceSelector::Class(it))),
        text().prop_map(move |it| nothing().with_devices(DeviceSelector::DeviceId(it))),
        text().prop_map(move |it| nothing().with_devices(DeviceSelector::OccurrenceId(it))),
        text().prop_map(move |it| nothing().with_persons(PersonSelector::Class(it))),
        text().prop_map(move |it| nothing().with_persons(PersonSelector::OccurrenceId(it))),
        prop::sample::select(PresenceAttribute::NAMED.to_vec())
            .prop_map(move |it| nothing().with_attribute(it)),
        prop::sample::select(InputDetail::NAMED.to_vec())
            .prop_map(move |it| nothing().with_user_input(it)),
        prop_oneof![Just("foo".to_owned()), Just("mode".to_owned()), text()]
            .prop_map(move |it| nothing().with_unknown_attribute("urn:example:x", &it)),
        text().prop_map(move |it| nothing().with_unknown_attribute(&it, "a,b")),
    ]
}

fn provided() -> impl Strategy<Value = Provided> {
    prop::collection::vec(part(), 0..6).prop_map(|parts| {
        let mut all = Provided::nothing();
        parts.iter().for_each(|it| all.merge(it));
        all
    })
}

fn rule(id: usize) -> impl Strategy<Value = Rule> {
    let who = prop::collection::vec(prop_oneof![uri().prop_map(Err), many().prop_map(Ok)], 0..3);
    let sphere = prop::option::of(prop::sample::select(vec!["work", "home Work", ""]));
    let times = prop::collection::vec((0i64..8, 0i64..8), 0..3);
    let handling = prop::option::of(prop::sample::select(SubHandling::NAMED.to_vec()));
    (who, sphere, times, handling, provided()).prop_map(
        move |(who, sphere, times, handling, provided)| {
            let mut rule = Rule::new(format!("r{id}")).providing(provided);
            rule.handling = handling;
            for who in who {
                rule = match who {
                    Ok(many) => rule.for_many(many),
                    Err(uri) => rule.for_one(uri),
                };
            }
            if let Some(sphere) = sphere {
                rule = rule.in_sphere(sphere);
            }
            for (from, until) in times {
                rule = rule.within(at(from), at(until)).unwrap();
            }
            rule
        },
    )
}

fn rules() -> impl Strategy<Value = Ruleset> {
    let rule = |id| prop::option::weighted(0.8, rule(id));
    (rule(0), rule(1), rule(2)).prop_map(|(a, b, c)| {
        let all = [a, b, c].into_iter().flatten();
        all.fold(Ruleset::new(), Ruleset::with_rule)
    })
}

/// Every situation that the rules tell apart.
fn situations() -> impl Iterator<Item = Query<'static>> {
    let watchers = WATCHERS.iter().map(|it| Query::of(it));
    let watchers = watchers.chain([Query::of_nobody()]);
    let in_spheres = watchers.flat_map(|it| [it, it.in_sphere("WORK"), it.in_sphere("home")]);
    in_spheres.flat_map(|it| (0..9).map(move |time| if time < 8 { it.at(at(time)) } else { it }))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn what_is_written_is_read(rules in rules()) {
        let written = rules.write().unwrap();
        let again = Ruleset::read(&written).unwrap();
        prop_assert_eq!(&again, &rules);
        prop_assert_eq!(again.write().unwrap(), written);
    }

    // SRV-82
    #[test]
    fn names_stand_for_what_is_provided(one in provided(), other in provided()) {
        let named = Provided::from_name(&one.to_name());
        prop_assert_eq!(named.as_ref(), Some(&one));
        prop_assert_eq!(one.to_name() == other.to_name(), one == other);
        let mut both = one.clone();
        both.merge(&other);
        let mut turned = other.clone();
        turned.merge(&one);
        prop_assert_eq!(&both, &turned);
        let mut again = both.clone();
        again.merge(&one);
        prop_assert_eq!(again, both);
    }

    // SRV-82, PA-37
    #[test]
    fn what_is_shown_is_what_is_granted(provided in provided()) {
        rich::check(&provided);
    }

    // SRV-80, PA-37: whoever is not said to be affected gets the same answer.
    #[test]
    fn changes_are_told_to_those_affected(old in rules(), new in rules()) {
        let (old, new) = (CompiledRules::of(&old), CompiledRules::of(&new));
        let affected = old.affected_by(&new);
        for query in situations() {
            let touched = match &affected {
                Affected::Nobody => false,
                Affected::Watchers(names) => {
                    query.watcher.is_some_and(|it| names.iter().any(|name| name == it))
                }
                _ => true,
            };
            if !touched {
                prop_assert_eq!(old.evaluate(&query), new.evaluate(&query));
            }
        }
    }

    // SRV-80: each rule by itself gives a part of what all give, and all of it is given by some rule.
    #[test]
    fn rules_add_up(rules in rules()) {
        let all = CompiledRules::of(&rules);
        let each: Vec<_> = rules
            .rules
            .iter()
            .map(|rule| CompiledRules::of(&Ruleset::new().with_rule(rule.clone())))
            .collect();
        for query in situations() {
            let mut sum = presentity::rules::Permissions::default();
            for one in &each {
                let one = one.evaluate(&query);
                sum.handling = sum.handling.max(one.handling);
                sum.provided.merge(&one.provided);
                sum.holds_until = [sum.holds_until, one.holds_until].into_iter().flatten().min();
            }
            prop_assert_eq!(all.evaluate(&query), sum);
        }
    }

    // PA-37: until the moment that is told, nothing changes.
    #[test]
    fn answers_hold_until_they_say(rules in rules()) {
        let compiled = CompiledRules::of(&rules);
        for watcher in WATCHERS {
            for now in 0..8 {
                let before = compiled.evaluate(&Query::of(watcher).at(at(now)));
                let later = compiled.evaluate(&Query::of(watcher).at(at(now + 1)));
                if before.holds_until.is_none_or(|until| until > at(now + 1)) {
                    prop_assert_eq!(&before.provided, &later.provided);
                    prop_assert_eq!(before.handling, later.handling);
                }
            }
        }
    }
}
