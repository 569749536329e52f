//! Entity-tags of what watchers have, and what they are spared (RFC 5839).

use presentity::event::{Decision, EndReason, View};

use crate::common::{Outputs, body_of, field, response_field, state_of};
use crate::scene::{ANA, BOB, CARLA, Scene, Watch, end_of, notes, viewing};

fn tag_of(outputs: &Outputs) -> String {
    field(outputs.notify(), "SIP-ETag")
        .expect("a tag")
        .to_owned()
}

/// Somebody who watches Bob, and the tag of the document that came.
fn begin(scene: &mut Scene) -> (Watch, String) {
    let watch = scene.watch();
    let tag = field(&watch.notify, "SIP-ETag").expect("a tag").to_owned();
    (watch, tag)
}

fn suppressing(watch: &mut Watch, tag: &str) -> crate::common::Message {
    watch.refresh().with("Suppress-If-Match", tag)
}

// PA-71
#[test]
fn each_state_has_a_tag_of_its_own() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, first) = begin(&mut scene);
    let outputs = scene.send(&watch.refresh());
    assert_eq!(tag_of(&outputs), first);
    scene.answer_all(&outputs);
    let outputs = scene.set("two");
    let second = tag_of(&outputs);
    assert_ne!(second, first);
    scene.answer_all(&outputs);
    // The same for all who see the same, and another one for those who do not.
    let message = scene.subscribe(CARLA, BOB);
    let outputs = scene.send(&message);
    assert_eq!(tag_of(&outputs), second);
    scene.answer_all(&outputs);
    scene.rules().everybody = viewing("notes").into();
    let message = scene.subscribe("sip:dora@example.com", BOB);
    let outputs = scene.send(&message);
    assert_ne!(tag_of(&outputs), second);
    scene.answer_all(&outputs);
    // Other servers have other tags for the same.
    let mut other = Scene::seeded(Default::default(), Decision::Allow(View::full()), 8);
    other.set("one");
    let (_, of_another) = begin(&mut other);
    assert_ne!(of_another, first);
    other.close();
    scene.close();
}

// PA-71
#[test]
fn a_refresh_by_one_who_has_the_state_brings_nothing() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, tag) = begin(&mut scene);
    scene.pass(300.0);
    let outputs = scene.send(&suppressing(&mut watch, &tag));
    assert_eq!(outputs.status(), 204);
    assert_eq!(response_field(outputs.response(), "Expires"), Some("600"));
    assert!(response_field(outputs.response(), "Contact").is_some());
    assert!(outputs.requests().is_empty());
    // It lasts from now on.
    assert!(scene.pass(599.0).all.is_empty());
    let outputs = scene.pass(1.1);
    assert_eq!(end_of(&outputs), EndReason::Expired);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-71
#[test]
fn the_next_change_is_told_as_ever() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, tag) = begin(&mut scene);
    scene.send(&suppressing(&mut watch, &tag));
    scene.pass(10.0);
    let outputs = scene.set("two");
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    scene.pass(6.0);
    // The condition is over: the old state is told when it comes back.
    let outputs = scene.set("one");
    assert_eq!(notes(outputs.notify()), ["one"]);
    assert_eq!(tag_of(&outputs), tag);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-71
#[test]
fn one_who_has_another_state_is_told() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, tag) = begin(&mut scene);
    for other in ["nobodys", "00000000000000ab", "0", &tag.to_uppercase()] {
        let outputs = scene.send(&suppressing(&mut watch, other));
        assert_eq!(outputs.status(), 200, "{other}");
        assert_eq!(notes(outputs.notify()), ["one"]);
        scene.answer_all(&outputs);
    }
    for malformed in ["a, b", "\"a\"", ""] {
        let outputs = scene.send(&suppressing(&mut watch, malformed));
        assert_eq!(outputs.status(), 400, "{malformed}");
    }
    let outputs = scene.send(
        &watch
            .refresh()
            .and("Suppress-If-Match", "a")
            .and("Suppress-If-Match", "b"),
    );
    assert_eq!(outputs.status(), 400);
    scene.close();
}

// PA-71
#[test]
fn a_new_subscription_brings_a_notify_without_body() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, tag) = begin(&mut scene);
    let outputs = scene.send(&watch.unsubscribe());
    scene.answer_all(&outputs);
    let message = scene.subscribe(ANA, BOB).with("Suppress-If-Match", &tag);
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    let notify = outputs.notify();
    assert_eq!(state_of(notify), "active;expires=600");
    assert_eq!(body_of(notify), "");
    assert_eq!(field(notify, "Content-Type"), None);
    assert_eq!(field(notify, "Content-Length"), Some("0"));
    assert_eq!(field(notify, "SIP-ETag"), Some(&*tag));
    scene.answer_all(&outputs);
    // It has the state, and is told the next one.
    scene.pass(10.0);
    let outputs = scene.set("two");
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-71
#[test]
fn a_fetch_by_one_who_has_the_state_brings_no_body() {
    let mut scene = Scene::new();
    scene.set("one");
    let fetch = scene.subscribe(ANA, BOB).with("Expires", "0");
    let outputs = scene.send(&fetch);
    let tag = tag_of(&outputs);
    scene.answer_all(&outputs);
    for (known, body) in [(&*tag, false), ("*", false), ("other", true)] {
        let fetch = scene.subscribe(ANA, BOB).with("Expires", "0");
        let outputs = scene.send(&fetch.with("Suppress-If-Match", known));
        assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
        assert_eq!(!body_of(outputs.notify()).is_empty(), body, "{known}");
        assert_eq!(tag_of(&outputs), tag);
        scene.answer_all(&outputs);
    }
    scene.close();
}

// PA-71
#[test]
fn an_end_by_one_who_has_the_state_is_the_end() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, tag) = begin(&mut scene);
    let outputs = scene.send(&watch.unsubscribe().with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    assert_eq!(response_field(outputs.response(), "Expires"), Some("0"));
    assert!(outputs.requests().is_empty());
    assert_eq!(end_of(&outputs), EndReason::Unsubscribed);
    assert_eq!(scene.send(&watch.refresh()).status(), 481);
    scene.empty();
}

// PA-71: one that is open is still answered.
#[test]
fn an_end_while_a_notify_is_open_leaves_nothing_behind() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, tag) = begin(&mut scene);
    let open = scene.set("two");
    let back = scene.set("one");
    assert!(back.requests().is_empty());
    let outputs = scene.send(&watch.unsubscribe().with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    scene.answer_all(&open);
    scene.pass(10.0);
    scene.empty();
}

// PA-71: what is on its way does not stay the last word.
#[test]
fn one_who_claims_what_an_open_notify_takes_away_is_told_again() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, tag) = begin(&mut scene);
    let open = scene.set("two");
    assert_eq!(open.requests().len(), 1);
    scene.pass(1.0);
    scene.set("one");
    let outputs = scene.send(&suppressing(&mut watch, &tag));
    assert_eq!(outputs.status(), 204);
    let outputs = scene.answer_all(&open);
    assert!(outputs.requests().is_empty());
    let outputs = scene.pass(6.0);
    assert_eq!(notes(outputs.notify()), ["one"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-71
#[test]
fn a_star_puts_a_subscription_to_rest() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, tag) = begin(&mut scene);
    assert_eq!(scene.send(&suppressing(&mut watch, "*")).status(), 204);
    for note in ["two", "three"] {
        assert!(scene.set(note).requests().is_empty());
        assert!(scene.pass(20.0).requests().is_empty());
    }
    // It wakes, and is told what it does not have.
    let outputs = scene.send(&suppressing(&mut watch, &tag));
    assert_eq!(outputs.status(), 200);
    assert_eq!(notes(outputs.notify()), ["three"]);
    scene.answer_all(&outputs);
    scene.pass(6.0);
    let outputs = scene.set("four");
    assert_eq!(notes(outputs.notify()), ["four"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-71: changes of the subscription itself are told, without a body.
#[test]
fn one_at_rest_is_told_what_becomes_of_the_subscription() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, _) = begin(&mut scene);
    scene.send(&suppressing(&mut watch, "*"));
    let outputs = scene.decide(Decision::Pending);
    assert_eq!(state_of(outputs.notify()), "pending;expires=600");
    assert_eq!(body_of(outputs.notify()), "");
    scene.answer_all(&outputs);
    let outputs = scene.decide(Decision::Allow(View::full()));
    assert_eq!(state_of(outputs.notify()), "active;expires=600");
    assert_eq!(body_of(outputs.notify()), "");
    scene.answer_all(&outputs);
    assert!(scene.set("two").requests().is_empty());
    // A SUBSCRIBE without condition ends it.
    let outputs = scene.send(&watch.refresh());
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-71: a change of state that is not one of the document has no body, and is told.
#[test]
fn a_decision_that_shows_the_same_is_told_without_body() {
    let mut scene = Scene::deciding(Decision::Pending);
    let message = scene.subscribe(ANA, BOB);
    let watch = scene.watch_by(message);
    let tag = field(&watch.notify, "SIP-ETag").unwrap().to_owned();
    let message = scene.subscribe(ANA, BOB).with("Suppress-If-Match", &tag);
    let outputs = scene.send(&message);
    assert_eq!(body_of(outputs.notify()), "");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-71: what is refreshed by a policy that decides otherwise is told.
#[test]
fn a_refresh_that_changes_what_is_seen_is_told() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, tag) = begin(&mut scene);
    scene.rules().everybody = viewing("notes").into();
    let outputs = scene.send(&suppressing(&mut watch, &tag));
    assert_eq!(outputs.status(), 200);
    assert!(!body_of(outputs.notify()).is_empty());
    scene.answer_all(&outputs);
    scene.close();
}

// PA-71
#[test]
fn an_agent_may_tell_no_tags() {
    let mut scene = Scene::configured(|config| config.server.entity_tags = false);
    scene.set("one");
    let mut watch = scene.watch();
    assert_eq!(field(&watch.notify, "SIP-ETag"), None);
    for tag in ["*", "0123456789abcdef"] {
        let outputs = scene.send(&suppressing(&mut watch, tag));
        assert_eq!(outputs.status(), 200);
        assert_eq!(notes(outputs.notify()), ["one"]);
        scene.answer_all(&outputs);
    }
    scene.close();
}

// PA-71: what it said may be older than what has reached it since.
#[test]
fn one_whose_claim_was_overtaken_is_told() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, tag) = begin(&mut scene);
    scene.pass(6.0);
    let outputs = scene.set("two");
    scene.answer_all(&outputs);
    scene.pass(1.0);
    assert!(scene.set("one").requests().is_empty());
    let outputs = scene.send(&suppressing(&mut watch, &tag));
    assert_eq!(outputs.status(), 200);
    assert_eq!(notes(outputs.notify()), ["one"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-71: the same with one that is on its way, and a state that comes back.
#[test]
fn one_whose_claim_is_overtaken_by_an_open_notify_is_told_what_comes_back() {
    let mut scene = Scene::new();
    scene.set("one");
    let (mut watch, tag) = begin(&mut scene);
    scene.pass(6.0);
    let open = scene.set("two");
    assert_eq!(open.requests().len(), 1);
    let outputs = scene.send(&suppressing(&mut watch, &tag));
    assert_eq!(outputs.status(), 200);
    assert!(outputs.requests().is_empty());
    scene.set("one");
    let outputs = scene.answer_all(&open);
    assert_eq!(notes(outputs.notify()), ["one"]);
    scene.answer_all(&outputs);
    scene.close();
}
