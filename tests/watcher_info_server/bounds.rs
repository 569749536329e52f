//! How long and how many wait, and what is left out.

use std::time::Duration;

use presentity::engine::ServerTransaction;
use presentity::event::{Assurance, Backlog, Decision, Identity, RequestContext};

use crate::common::{Role, state_of};
use crate::scene::{ROSA, Scene, allow, scene, scene_with};

const DAY: f64 = 24.0 * 3600.0;

fn waiting(scene: &Scene) -> Vec<String> {
    let waiting = scene.role.info.undecided(1);
    let user = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
    waiting.map(|it| user(it.watcher)).collect()
}

// SRV-66
#[test]
fn what_waits_is_given_up_after_a_week() {
    let mut scene = scene();
    scene.subscribed("cleo", "doors", 0);
    let (mut rosa, _) = scene.rosa_watches();
    for _ in 0..6 {
        scene.after(DAY - 10.0);
        scene.after(10.0);
    }
    assert_eq!(waiting(&scene), ["cleo"]);
    assert_eq!(scene.role.info.subscriptions(1).count(), 0, "hers ran out");
    rosa = {
        let _ = rosa;
        scene.rosa_watches().0
    };
    scene.after(DAY - 3000.0);
    let _ = &mut rosa;
    scene.rosa_watches();
    scene.after(3100.0);
    let news = scene.news();
    let ends: Vec<_> = news
        .iter()
        .flat_map(super::scene::Document::lines)
        .collect();
    assert_eq!(ends, ["cleo terminated giveup"]);
    assert_eq!(waiting(&scene), [""; 0]);
    assert_eq!(scene.role.info.own_counters().given_up, 1);
}

// SRV-66
#[test]
fn with_nobody_watching_nothing_is_left_of_it() {
    let mut scene = scene_with(|config| config.give_up_after = Duration::from_secs(50));
    scene.subscribed("cleo", "doors", 0);
    let deadline = scene.role.info.poll_timeout().unwrap();
    assert_eq!(
        deadline.saturating_since(scene.now),
        Duration::from_secs(50)
    );
    scene.after(49.0);
    assert_eq!(waiting(&scene), ["cleo"]);
    scene.after(2.0);
    assert_eq!(scene.role.info.occupancy(1), Some(Default::default()));
    assert_eq!(scene.role.info.poll_timeout(), None);
    assert!(scene.role.given_up.is_empty());
}

// SRV-66
#[test]
fn one_that_is_prolonged_for_ever_is_given_up_too() {
    let mut scene = scene_with(|config| config.give_up_after = Duration::from_secs(1000));
    scene.rosa_watches();
    let mut cleo = scene.knocks("cleo");
    scene.news();
    for _ in 0..2 {
        scene.after(400.0);
        scene.again(&mut cleo, 600);
    }
    assert_eq!(scene.role.given_up.len(), 0);
    let outputs = scene.after(300.0);
    let notifies = outputs.requests();
    assert_eq!(state_of(notifies[0]), "terminated;reason=giveup");
    assert_eq!(scene.role.given_up.len(), 1);
    assert_eq!(scene.one().lines(), ["cleo terminated giveup"]);
    assert!(!scene.role.doors.has_watchers(ROSA));

    // What was decided in time is not.
    let mut dan = scene.knocks("dan");
    scene.after(500.0);
    scene.decide("dan", allow());
    scene.again(&mut dan, 3600);
    assert_eq!(waiting(&scene), [""; 0]);
    scene.after(600.0);
    assert_eq!(scene.fetches("rosa").lines(), ["dan active approved"]);
    assert_eq!(scene.role.given_up.len(), 1);
    assert!(scene.role.doors.has_watchers(ROSA));
}

// SRV-66
#[test]
fn one_that_runs_out_waits_as_long_again() {
    let mut scene = scene_with(|config| config.give_up_after = Duration::from_secs(1000));
    scene.subscribed("cleo", "doors", 600);
    scene.after(1500.0);
    assert_eq!(waiting(&scene), ["cleo"]);
    scene.after(150.0);
    assert_eq!(waiting(&scene), [""; 0]);
}

// SRV-66
#[test]
fn the_oldest_of_too_many_is_given_up() {
    let mut scene = scene_with(|config| config.undecided_per_resource = 3);
    for who in ["a", "b", "c", "d"] {
        scene.subscribed(who, "doors", 0);
    }
    assert_eq!(waiting(&scene), ["b", "c", "d"]);
    // One that lives is ended.
    let mut scene = scene_with(|config| config.undecided = 3);
    for who in ["a", "b", "c", "d"] {
        scene.knocks(who);
    }
    assert_eq!(waiting(&scene), ["b", "c", "d"]);
    assert_eq!(scene.role.given_up.len(), 1);
    assert_eq!(scene.role.doors.subscriptions().count(), 3);
    let (_, document) = scene.rosa_watches();
    assert_eq!(document.entries.len(), 3);

    let mut scene = scene_with(|config| config.undecided_per_watcher = 2);
    for number in 0..5 {
        let message = scene.message("a", "doors", 0);
        let outputs = scene.send(&crate::common::Message {
            uri: format!("sip:r{number}@example.com"),
            ..message
        });
        scene.answer(outputs);
    }
    scene.subscribed("b", "doors", 0);
    let resources: Vec<_> = scene
        .role
        .info
        .undecided(1)
        .map(|it| &**it.resource)
        .collect();
    assert_eq!(resources, ["r3@example.com", "r4@example.com", ROSA]);
    assert_eq!(scene.role.info.own_counters().given_up, 3);
}

// SRV-66
#[test]
fn what_waited_before_anybody_looked_is_given_up_too() {
    let mut scene = scene_with(|config| config.give_up_after = Duration::from_secs(100));
    let message = scene.message("cleo", "doors", 600);
    let cleo = Identity::of("sip:cleo@example.com", Assurance::Digest).unwrap();
    let context = RequestContext::new(&cleo, "sip:agent.example.com");
    let now = scene.now;
    let doors = &mut scene.role.doors;
    let transaction = ServerTransaction(77);
    doors
        .handle_request(now, transaction, &message.view(), &context)
        .unwrap();
    // The server of watcher information is not told.
    while let Some(output) = doors.poll_output() {
        drop(output);
    }
    assert_eq!(waiting(&scene), [""; 0]);
    let (_, document) = scene.rosa_watches();
    assert_eq!(document.lines(), ["cleo pending subscribe"]);
    assert_eq!(waiting(&scene), ["cleo"]);
}

#[test]
fn with_room_for_none_nothing_waits() {
    for what in 0..3 {
        let mut scene = scene_with(|config| match what {
            0 => config.undecided = 0,
            1 => config.undecided_per_watcher = 0,
            _ => config.undecided_per_resource = 0,
        });
        scene.rosa_watches();
        scene.knocks("a");
        scene.subscribed("b", "doors", 0);
        scene.news();
        assert_eq!(waiting(&scene), [""; 0]);
        assert_eq!(scene.fetches("rosa").entries.len(), 0);
        assert_eq!(scene.role.doors.subscriptions().count(), 0);
    }
}

#[test]
fn a_uri_that_is_too_long_is_left_out() {
    let mut scene = scene_with(|config| config.uri = "sip:abcdef@example.com".len());
    scene.role.doors.package_mut().others = allow();
    scene.knocks("abcdef");
    scene.knocks("abcdefg");
    let (_, document) = scene.rosa_watches();
    assert_eq!(document.lines(), ["abcdef active subscribe"]);
    assert_eq!(scene.role.info.own_counters().left_out, 1);
    scene.decide("abcdefgh", Decision::Pending);
    scene.knocks("abcdefgh");
    assert!(scene.news().is_empty());
    assert_eq!(waiting(&scene), [""; 0]);
    scene.decide("abcdefgh", allow());
    assert!(scene.news().is_empty());
}

#[test]
fn its_server_has_bounds_as_any_other() {
    let mut scene = scene_with(|config| {
        config.server.limits.subscriptions_per_resource = 1;
        config.server.limits.outputs = 3;
    });
    scene.rosa_watches();
    let message = scene.message("ben", "doors.winfo", 600);
    assert_eq!(scene.send(&message).status(), 503);
    let ben = Identity::of("sip:ben@example.com", Assurance::Digest).unwrap();
    let context = RequestContext::new(&ben, "sip:agent.example.com");
    let now = scene.now;
    let mut refused = 0;
    for number in 0..10 {
        let message = scene.message("ben", "doors.winfo", 600);
        let house = &mut scene.role;
        let outcome = house.request(
            now,
            ServerTransaction(100 + number),
            &message.view(),
            &context,
        );
        if let Err(Backlog { .. }) = outcome {
            refused += 1;
        }
    }
    assert_eq!(refused, 7);
}

#[test]
fn calls_in_any_order_do_no_harm() {
    let mut scene = scene();
    let now = scene.now;
    scene.rosa_watches();
    scene.knocks("ben");
    let events: Vec<_> = {
        let message = scene.message("cleo", "doors", 600);
        let outputs = scene.send(&message);
        let events = outputs.events().into_iter().cloned().collect();
        scene.answer(outputs);
        events
    };
    // Told twice, told again when it is over, told of those that are unknown.
    for event in &events {
        scene.role.info.observe(now, event);
    }
    scene.news();
    assert_eq!(scene.fetches("rosa").entries.len(), 2);
    assert_eq!(waiting(&scene), ["ben", "cleo"]);
    let mut other = super::scene::scene();
    for event in &events {
        other.role.info.observe(now, event);
        other.role.info.observe(now, event);
    }
    assert_eq!(waiting(&other), ["cleo"]);
    other.role.info.handle_timeout(now);
    other
        .role
        .info
        .handle_timeout(presentity::engine::Timestamp::from_secs(0));
    assert!(other.drain().all.is_empty());
    for (watcher, resource) in [("x", "y"), ("cleo@example.com", "y"), ("x", ROSA)] {
        assert_eq!(other.role.info.decided(now, watcher, resource, &allow()), 0);
    }
}
