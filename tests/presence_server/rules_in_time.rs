//! Rules that hold for a time, or in a sphere.

use std::time::Duration;

use presentity::event::Decision;
use presentity::pidf::Person;
use presentity::pidf::rpid::{Sphere, SphereKind};
use presentity::rules::{Rule, Ruleset, SubHandling};
use time::OffsetDateTime;

use crate::common::Message;
use crate::scene::{ANA, BOB, CARLA, Scene, document_of, etag, shown, state};

fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_750_000_000).unwrap()
}

fn after(seconds: i64) -> OffsetDateTime {
    noon() + time::Duration::seconds(seconds)
}

/// Everything in these times, after which everybody waits.
fn within(times: &[(i64, i64)]) -> Ruleset {
    let mut rule = Rule::new("now").allow().with_everything();
    for (from, until) in times {
        rule = rule.within(after(*from), after(*until)).unwrap();
    }
    Ruleset::new()
        .with_rule(rule)
        .with_rule(Rule::new("else").handled(SubHandling::Confirm))
}

fn scene() -> Scene {
    let mut scene = Scene::new();
    let document = document_of(BOB, "desk", "secret");
    scene.agent.set_presence(scene.now, BOB, document).unwrap();
    scene
}

fn states(told: &crate::scene::Told) -> Vec<(f64, String)> {
    let all = told.timed_notifies();
    all.map(|(at, notify)| (at, state(notify))).collect()
}

// SRV-80, SRV-81
#[test]
fn watchers_follow_the_time_of_rules_exactly_at_the_bound() {
    let mut scene = scene();
    scene.agent.set_wall_clock(scene.now, noon());
    scene.set_rules(BOB, within(&[(100, 200), (300, 310)]));
    let watch = scene.watch(ANA, BOB);
    assert_eq!(state(&watch.notify), "pending");
    scene.pass(50.0);
    // It makes no difference when the clock is said again, or the same rules are set.
    scene.agent.set_wall_clock(scene.now, after(50));
    scene.set_rules(BOB, within(&[(100, 200), (300, 310)]));
    let told = scene.pass(400.0);
    let expected = [
        (100.0, "active"),
        (200.0, "pending"),
        (300.0, "active"),
        (310.0, "pending"),
    ];
    let expected = expected.map(|(at, state)| (at, state.to_owned()));
    assert_eq!(states(&told), expected);
    scene.close();
}

// SRV-80
#[test]
fn without_time_of_day_rules_that_need_it_match_nobody() {
    let mut scene = scene();
    scene.set_rules(BOB, within(&[(-1000, 1000)]));
    let watch = scene.watch(ANA, BOB);
    assert_eq!(state(&watch.notify), "pending");
    scene.pass(100.0);
    scene.agent.set_wall_clock(scene.now, noon());
    assert_eq!(state(scene.settle().notify()), "active");
    // The clock was set: forth, and back.
    scene.agent.set_wall_clock(scene.now, after(5_000));
    assert_eq!(state(scene.settle().notify()), "pending");
    scene.agent.set_wall_clock(scene.now, after(990));
    assert_eq!(state(scene.settle().notify()), "active");
    let told = scene.pass(100.0);
    assert_eq!(states(&told), [(110.0, "pending".to_owned())]);
    scene.agent.set_wall_clock(scene.now, after(-5_000));
    assert!(scene.settle().notifies().is_empty());
    scene.close();
}

// SRV-80
#[test]
fn a_clock_that_is_set_a_little_at_a_time_counts_as_well() {
    let mut scene = scene();
    scene.agent.set_wall_clock(scene.now, noon());
    scene.set_rules(BOB, within(&[(100, 200)]));
    scene.watch(ANA, BOB);
    // Each time 0.9 seconds forth: it is 100 long before 100 s are over.
    let mut changed = None;
    for step in 0..60_i32 {
        let told = scene.pass(1.0);
        if let Some(at) = told.times().first() {
            changed = Some(*at);
            break;
        }
        let utc = noon() + time::Duration::milliseconds(1_900 * i64::from(step + 1));
        scene.agent.set_wall_clock(scene.now, utc);
    }
    // 100 / 1.9 is 52.6.
    assert!(changed.is_some_and(|at| at < 55.0), "{changed:?}");
    scene.close();
}

// SRV-80
#[test]
fn a_bound_is_not_missed_when_rules_are_set_in_that_moment() {
    // A rule that is for somebody else, the same rules, and others for all.
    for others in 0..3 {
        let mut scene = scene();
        scene.agent.set_wall_clock(scene.now, noon());
        let rules = within(&[(100, 200)]);
        scene.set_rules(BOB, rules.clone());
        scene.watch(ANA, BOB);
        scene.settle();
        // The host slept over it, and is told of rules before it has told the time.
        scene.now = scene.now + Duration::from_secs(150);
        let rules = match others {
            0 => rules,
            1 => rules.with_rule(Rule::new("carla").for_one(CARLA).allow()),
            _ => rules.with_rule(Rule::new("polite").handled(SubHandling::PoliteBlock)),
        };
        scene.set_rules(BOB, rules);
        let told = scene.settle();
        assert_eq!(state(told.notify()), "active", "{others}");
        assert_eq!(shown(told.notify()), ["desk: secret"]);
        scene.close();
    }
}

// SRV-11, SRV-80
#[test]
fn what_was_decided_survives_a_bound_that_is_not_about_it() {
    let mut scene = scene();
    scene.agent.set_wall_clock(scene.now, noon());
    let rule = Rule::new("carla").for_one(CARLA).allow().with_everything();
    let rules = Ruleset::new()
        .with_rule(rule.within(after(100), after(200)).unwrap())
        .with_rule(Rule::new("else").handled(SubHandling::Confirm));
    scene.set_rules(BOB, rules);
    scene.watch(ANA, BOB);
    scene.watch(CARLA, BOB);
    let polite = Decision::PoliteBlock;
    scene
        .agent
        .decide_watcher(scene.now, ANA, BOB, &polite)
        .unwrap();
    scene.settle();
    let told = scene.pass(300.0);
    let expected = [(100.0, "active".to_owned()), (200.0, "pending".to_owned())];
    assert_eq!(states(&told), expected);
    let ana = scene.agent.subscriptions().next().unwrap();
    assert_eq!(*ana.decision, polite);
    scene.close();
}

fn published(
    scene: &mut Scene,
    kind: Option<SphereKind>,
    tag: Option<&str>,
) -> (String, Vec<String>) {
    let mut document = document_of(BOB, "desk", "secret");
    if let Some(kind) = kind {
        let mut person = Person::new("p");
        person.add(&Sphere::new(kind)).unwrap();
        document = document.with_person(person);
    }
    let body = String::from_utf8(document.write().unwrap().to_vec()).unwrap();
    let mut message = Message::publish(BOB, &scene.call(), &body).with("Expires", "60");
    if let Some(tag) = tag {
        message = message.with("SIP-If-Match", tag);
    }
    let mut told = scene.send(&message);
    let tag = etag(&told);
    told.0.append(&mut scene.settle().0);
    let states = told.notifies().into_iter().map(state);
    (tag, states.collect())
}

// SRV-80, SRV-81, PA-37
#[test]
fn the_sphere_that_is_published_moves_watchers() {
    let mut scene = Scene::new();
    let rules = Ruleset::new()
        .with_rule(
            Rule::new("work")
                .in_sphere("work")
                .for_one(ANA)
                .allow()
                .with_everything(),
        )
        .with_rule(
            Rule::new("home")
                .in_sphere("home")
                .for_one(CARLA)
                .allow()
                .with_everything(),
        )
        .with_rule(Rule::new("else").handled(SubHandling::Confirm));
    scene.set_rules(BOB, rules.clone());
    scene.watch(ANA, BOB);
    let (tag, told) = published(&mut scene, Some(SphereKind::Work), None);
    assert_eq!(told, ["active"]);
    let carla = scene.watch(CARLA, BOB);
    assert_eq!(state(&carla.notify), "pending");
    let (tag, told) = published(&mut scene, Some(SphereKind::Home), Some(&tag));
    assert_eq!(told.len(), 2);
    let decisions = |scene: &Scene| {
        let all = scene.agent.subscriptions();
        all.map(|it| *it.decision == Decision::Pending)
            .collect::<Vec<_>>()
    };
    assert_eq!(decisions(&scene), [true, false]);
    // Rules that are set now go by the sphere of now.
    scene.put_rules(BOB, None);
    scene.settle();
    scene.set_rules(BOB, rules);
    scene.settle();
    assert_eq!(decisions(&scene), [true, false]);
    // It says nothing of a sphere any more, and then runs out.
    let (_, _) = published(&mut scene, None, Some(&tag));
    assert_eq!(decisions(&scene), [true, true]);
    let (_, _) = published(&mut scene, Some(SphereKind::Work), None);
    assert_eq!(decisions(&scene), [false, true]);
    scene.pass(61.0);
    assert_eq!(decisions(&scene), [true, true]);
    scene.close();
}

// SRV-80, SRV-81
#[test]
fn a_sphere_that_is_told_for_a_time_moves_watchers_then() {
    let mut scene = Scene::new();
    let rules = Ruleset::new()
        .with_rule(
            Rule::new("work")
                .in_sphere("work")
                .allow()
                .with_everything(),
        )
        .with_rule(Rule::new("else").handled(SubHandling::Confirm));
    scene.agent.set_wall_clock(scene.now, noon());
    scene.set_rules(BOB, rules.clone());
    let mut sphere = Sphere::new(SphereKind::Work);
    (sphere.from, sphere.until) = (Some(after(100)), Some(after(200)));
    let mut person = Person::new("p");
    person.add(&sphere).unwrap();
    let document = document_of(BOB, "desk", "secret").with_person(person);
    scene.agent.set_presence(scene.now, BOB, document).unwrap();
    assert_eq!(state(&scene.watch(ANA, BOB).notify), "pending");
    let told = scene.pass(300.0);
    let expected = [(100.0, "active".to_owned()), (200.0, "pending".to_owned())];
    assert_eq!(states(&told), expected);
    // The clock was wrong.
    scene.agent.set_wall_clock(scene.now, after(150));
    assert_eq!(state(scene.settle().notify()), "active");
    // Rules that do not go by it wake nobody, and others do again.
    scene.set_rules(
        BOB,
        Ruleset::new().with_rule(Rule::new("all").allow().with_everything()),
    );
    assert_eq!(
        scene.agent.occupancy().timers,
        1,
        "the subscription's alone"
    );
    scene.set_rules(BOB, rules);
    scene.settle();
    let told = scene.pass(100.0);
    assert_eq!(states(&told), [(350.0, "pending".to_owned())]);
    scene.close();
}
