//! For whom and when rules hold.

use presentity::pidf::rpid::{Sphere, SphereKind};
use presentity::pidf::{Person, Presence};
use presentity::rules::{
    CompiledRules, Condition, Many, Query, Rule, Ruleset, SubHandling, Who, sphere_of,
};
use presentity::xml::Element;

use super::{allowing, at, read};

fn allows(rules: &Ruleset, query: &Query<'_>) -> bool {
    CompiledRules::of(rules).evaluate(query).handling == SubHandling::Allow
}

fn lets_in(conditions: &str, watcher: &str) -> bool {
    allows(&allowing(conditions), &Query::of(watcher))
}

fn identity(members: &str) -> String {
    format!("<p:identity>{members}</p:identity>")
}

// SRV-13
#[test]
fn one_is_whom_the_uri_names() {
    for (uri, watcher, matches) in [
        ("sip:bob@example.com", "bob@example.com", true),
        (
            "SIP:b%6Fb@EXAMPLE.com;transport=tcp",
            "bob@example.com",
            true,
        ),
        ("sips:bob@example.com", "bob@example.com", true),
        (" pres:bob@example.com\n", "bob@example.com", true),
        ("sip:Bob@example.com", "bob@example.com", false),
        ("sip:bob@example.com", "bob@example.org", false),
        ("sip:bob@example.com", "bob@sub.example.com", false),
        ("tel:+1-555-0100", "tel:+15550100", true),
        ("tel:+15550100", "+15550100@example.com", false),
        (
            "sip:+15550100@example.com;user=phone",
            "tel:+15550100",
            false,
        ),
        ("mailto:bob@example.com", "bob@example.com", false),
        ("mailto:bob@example.com", "mailto:bob@example.com", true),
        // What is no URI names nobody.
        ("bob@example.com", "bob@example.com", false),
        ("", "bob@example.com", false),
    ] {
        let members = identity(&format!("<p:one id='{uri}'/>"));
        assert_eq!(lets_in(&members, watcher), matches, "{uri} {watcher}");
    }
}

// SRV-13
#[test]
fn many_are_those_of_a_domain_but_for_some() {
    for (many, inside, outside) in [
        (
            "<p:many/>",
            vec!["bob@example.com", "tel:+1", "example.org"],
            vec![],
        ),
        (
            "<p:many domain='Example.COM'/>",
            vec![
                "bob@example.com",
                "bob@example.com:5070",
                "mailto:bob@Example.com",
            ],
            vec![
                "bob@example.org",
                "bob@sub.example.com",
                "tel:+1",
                "example.com@example.org",
            ],
        ),
        (
            "<p:many><p:except domain='example.com'/><p:except id='tel:+1-555'/>\
             <p:except id='sip:eve@example.org'/></p:many>",
            vec!["bob@example.org", "tel:+1556"],
            vec!["bob@example.com", "tel:+1555", "eve@example.org"],
        ),
        (
            "<p:many domain='example.com'><p:except id='sips:eve@Example.com'/></p:many>",
            vec!["bob@example.com"],
            vec!["eve@example.com", "bob@example.org"],
        ),
        // One element with two exceptions, and one without its scheme.
        (
            "<p:many><p:except domain='example.com' id='eve@example.org'/></p:many>",
            vec!["bob@example.org"],
            vec!["bob@example.com", "eve@example.org"],
        ),
        (
            "<p:many domain='b%C3%BCcher.example'/>",
            vec!["bob@xn--bcher-kva.example"],
            vec!["bob@bcher.example"],
        ),
        // Nobody knows who is meant or left out.
        ("<p:many domain='a b'/>", vec![], vec!["bob@example.com"]),
        ("<p:many domain=''/>", vec![], vec!["bob@example.com"]),
        (
            "<p:many><p:except/></p:many>",
            vec![],
            vec!["bob@example.com"],
        ),
        (
            "<p:many><p:except id='a b'/></p:many>",
            vec![],
            vec!["bob@example.com"],
        ),
        (
            "<p:many><p:except domain='a b'/></p:many>",
            vec![],
            vec!["bob@example.com"],
        ),
        (
            "<p:many><x:except/></p:many>",
            vec![],
            vec!["bob@example.com"],
        ),
        (
            "<p:many><p:except id='sip:a@b'><x:y/></p:except></p:many>",
            vec![],
            vec!["bob@example.com"],
        ),
        (
            "<p:one id='sip:bob@example.com'><x:y/></p:one>",
            vec![],
            vec!["bob@example.com"],
        ),
        ("<x:many/>", vec![], vec!["bob@example.com"]),
        ("", vec![], vec!["bob@example.com"]),
        // But others of the list are what they are.
        (
            "<x:many/><p:many domain='a b'/><p:one id='sip:bob@example.com'/>",
            vec!["bob@example.com"],
            vec!["eve@example.com"],
        ),
        (
            "<p:many domain='example.com'><p:except id='sip:eve@example.com'/></p:many>\
             <p:one id='sip:eve@example.com'/>",
            vec!["bob@example.com", "eve@example.com"],
            vec![],
        ),
    ] {
        let conditions = identity(many);
        for watcher in inside {
            assert!(lets_in(&conditions, watcher), "{many} {watcher}");
        }
        for watcher in outside {
            assert!(!lets_in(&conditions, watcher), "{many} {watcher}");
        }
        // None of them is for those who have proved nothing.
        assert!(
            !allows(&allowing(&conditions), &Query::of_nobody()),
            "{many}"
        );
    }
}

// SRV-13, PA-37
#[test]
fn without_identity_a_rule_is_for_all() {
    for rules in [
        allowing(""),
        read(
            "<p:rule id='a'><p:actions><r:sub-handling>allow\
         </r:sub-handling></p:actions></p:rule>",
        ),
    ] {
        assert!(allows(&rules, &Query::of_nobody()));
        assert!(allows(&rules, &Query::of("bob@example.com")));
    }
    // An empty list of people is one of nobody.
    assert!(!allows(&allowing("<p:identity/>"), &Query::of_nobody()));
    assert!(!allows(&Ruleset::new(), &Query::of_nobody()));
}

// SRV-13: a watcher that is proven to be several.
#[test]
fn each_proven_name_counts() {
    let rules = allowing(&identity(
        "<p:many domain='example.com'><p:except id='tel:+1555'/></p:many><p:one id='tel:+1556'/>",
    ));
    let query = |watcher, further| Query::of(watcher).known_as(further);
    assert!(allows(&rules, &query("bob@example.com", &["tel:+1557"])));
    assert!(!allows(&rules, &query("bob@example.com", &["tel:+1555"])));
    assert!(!allows(&rules, &query("tel:+1555", &["bob@example.com"])));
    assert!(allows(&rules, &query("bob@example.org", &["tel:+1556"])));
    assert!(allows(
        &rules,
        &query("bob@example.org", &["bob@example.com"])
    ));
}

// SRV-13, PA-37
#[test]
fn all_conditions_have_to_hold() {
    let conditions = "<p:identity><p:many domain='example.com'/></p:identity>\
         <p:identity><p:one id='sip:bob@example.com'/><p:one id='sip:carol@example.org'/></p:identity>\
         <p:sphere value='work home'/><p:sphere value='WORK'/>";
    let rules = allowing(conditions);
    let in_work = |watcher| allows(&rules, &Query::of(watcher).in_sphere("Work"));
    assert!(in_work("bob@example.com"));
    assert!(!in_work("dave@example.com"));
    assert!(!in_work("carol@example.org"));
    assert!(!allows(
        &rules,
        &Query::of("bob@example.com").in_sphere("home")
    ));
    assert!(!allows(&rules, &Query::of("bob@example.com")));
    assert!(CompiledRules::of(&rules).uses_sphere());
    assert!(!CompiledRules::of(&rules).uses_time());
}

#[test]
fn spheres_are_words_without_case() {
    for (value, sphere, holds) in [
        ("work", Some("work"), true),
        ("work", Some("WORK"), true),
        ("home\twork\n", Some("work"), true),
        ("ÉCOLE", Some("école"), true),
        ("work", Some("home"), false),
        ("work", Some("work home"), false),
        ("work", None, false),
        ("", Some(""), false),
        (" ", Some(""), false),
    ] {
        let rules = allowing(&format!("<p:sphere value='{value}'/>"));
        let nobody = Query::of_nobody();
        let query = sphere.map_or(nobody, |it| nobody.in_sphere(it));
        assert_eq!(allows(&rules, &query), holds, "{value:?} {sphere:?}");
    }
    let malformed = allowing("<p:sphere/>");
    assert!(!allows(&malformed, &Query::of_nobody().in_sphere("work")));
}

#[test]
fn a_sphere_is_what_all_documents_agree_on() {
    let with = |sphere: &Sphere| {
        let person = Person::new("p").with(sphere).unwrap();
        Presence::new("sip:dora@example.com").with_person(person)
    };
    let nothing = Presence::new("sip:dora@example.com");
    let work = with(&Sphere::new(SphereKind::Work));
    let home = with(&Sphere::new(SphereKind::Home));
    let club = SphereKind::Foreign(Element::new("urn:example:x", "club"));
    let club = with(&Sphere::new(club));
    let later = with(&Sphere::new(SphereKind::Home).since(at(10)).until(at(20)));
    let of = |documents: &[&Presence], utc| sphere_of(documents.iter().copied(), utc);
    assert_eq!(of(&[], None), None);
    assert_eq!(of(&[&nothing], None), None);
    assert_eq!(of(&[&nothing, &work, &work], None).as_deref(), Some("work"));
    assert_eq!(of(&[&club], None).as_deref(), Some("club"));
    assert_eq!(of(&[&work, &home], None), None);
    assert_eq!(of(&[&work, &later], None).as_deref(), Some("work"));
    assert_eq!(of(&[&work, &later], Some(at(9))).as_deref(), Some("work"));
    assert_eq!(of(&[&work, &later], Some(at(10))), None);
    assert_eq!(of(&[&later], Some(at(19))).as_deref(), Some("home"));
    assert_eq!(of(&[&later], Some(at(20))), None);
}

// SRV-13, PA-37: to the second, and with the moment at which that changes.
#[test]
fn times_have_a_beginning_and_an_end() {
    let rule = Rule::new("a").allow();
    let rule = rule
        .within(at(10), at(20))
        .unwrap()
        .within(at(30), at(40))
        .unwrap();
    let rules = Ruleset::new().with_rule(rule.for_one("sip:bob@example.com"));
    let rules = Ruleset::read(&rules.write().unwrap()).unwrap();
    let compiled = CompiledRules::of(&rules);
    for (now, holds, until) in [
        (0, false, Some(10)),
        (9, false, Some(10)),
        (10, true, Some(20)),
        (19, true, Some(20)),
        (20, false, Some(30)),
        (30, true, Some(40)),
        (39, true, Some(40)),
        (40, false, None),
    ] {
        let bob = compiled.evaluate(&Query::of("bob@example.com").at(at(now)));
        assert_eq!(bob.handling == SubHandling::Allow, holds, "{now}");
        assert_eq!(bob.holds_until, until.map(at), "{now}");
        let eve = compiled.evaluate(&Query::of("eve@example.com").at(at(now)));
        assert_eq!(eve.holds_until, None);
    }
    let unknown = compiled.evaluate(&Query::of("bob@example.com"));
    assert_eq!(
        (unknown.handling, unknown.holds_until),
        (SubHandling::Block, None)
    );
    assert!(compiled.uses_time() && !compiled.uses_sphere());
}

#[test]
fn what_is_no_time_is_never() {
    let zone = "<p:from>2026-01-01T12:00:00.000+01:00</p:from><p:until> 2026-01-01T12:00:01+01:00\n</p:until>";
    let noon = presentity_time("2026-01-01T11:00:00Z");
    let holds = |inside: &str| {
        let rules = allowing(&format!("<p:validity>{inside}</p:validity>"));
        allows(&rules, &Query::of_nobody().at(noon))
    };
    assert!(holds(zone));
    for never in [
        "",
        "<p:from>2026-01-01T12:00:00+01:00</p:from>",
        "<p:until>2026-01-01T13:00:00+01:00</p:until>",
        "<p:until>2026-01-01T13:00:00Z</p:until><p:from>2026-01-01T10:00:00Z</p:from>",
        "<p:from>2026-01-01T10:00:00</p:from><p:until>2026-01-01T13:00:00</p:until>",
        "<p:from>2026-01-01T13:00:00Z</p:from><p:until>2026-01-01T10:00:00Z</p:until>",
        "<p:from>yesterday</p:from><p:until>2026-01-01T13:00:00Z</p:until>",
        "<x:from>2026-01-01T10:00:00Z</x:from><p:until>2026-01-01T13:00:00Z</p:until>",
        "<p:from>2026-01-01T10:00:00Z<x:y/></p:from><p:until>2026-01-01T13:00:00Z</p:until>",
    ] {
        assert!(!holds(never), "{never}");
    }
    // One that is none does not spoil another, but one that is malformed spoils all.
    let other = "<p:from>a</p:from><p:until>b</p:until>";
    assert!(holds(&format!("{other}{zone}")));
    assert!(!holds(&format!(
        "{zone}<p:from>2026-01-01T10:00:00Z</p:from>"
    )));
    // Two conditions of time have to hold both.
    let twice = format!("{zone}</p:validity><p:validity>{zone}");
    assert!(holds(&twice));
    assert!(!holds(&format!("{zone}</p:validity><p:validity>{other}")));
}

fn presentity_time(text: &str) -> time::OffsetDateTime {
    let format = &time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::parse(text, format).unwrap()
}

// SRV-13, PA-37: RFC 4745 section 7.
#[test]
fn what_is_not_understood_never_holds() {
    for unknown in [
        "<x:weather>fine</x:weather>",
        "<p:weather/>",
        "<weather/>",
        "<p:identity><p:many/></p:identity><x:weather/>",
    ] {
        let rules = allowing(unknown);
        assert!(!allows(&rules, &Query::of("bob@example.com")), "{unknown}");
        assert_eq!(rules.not_understood().count(), 1);
    }
    let built = Rule::new("a")
        .allow()
        .with_condition(Condition::Other(Element::new("urn:example:x", "weather")));
    assert!(!allows(
        &Ruleset::new().with_rule(built),
        &Query::of_nobody()
    ));
    let nobody = Who::Other(Element::new("urn:example:x", "friends"));
    let built = Rule::new("a")
        .allow()
        .with_condition(Condition::Identity(vec![nobody]))
        .for_many(Many::of_domain("example.com"));
    let rules = Ruleset::new().with_rule(built);
    assert!(allows(&rules, &Query::of("bob@example.com")));
    assert!(!allows(&rules, &Query::of("bob@example.org")));
}
