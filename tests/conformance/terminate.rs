//! Subscriptions that the application ends: one, those of a presentity, all.

use presentity::event::{EndReason, Reason, Termination};
use presentity::presence::UnknownPresentity;

use crate::common::{field, state_of};
use crate::scene::{ANA, BOB, CARLA, Scene, end_of, notes, story};

const REASONS: [Reason; 7] = [
    Reason::Deactivated,
    Reason::Probation,
    Reason::Rejected,
    Reason::Timeout,
    Reason::GiveUp,
    Reason::NoResource,
    Reason::Invariant,
];

// PA-58, PA-46, SEC-35: RFC 2779, 5.1.16.
#[test]
fn one_subscription_is_ended_for_any_reason() {
    for reason in REASONS {
        let mut scene = Scene::new();
        scene.set("here");
        scene.watch();
        let key = scene.key();
        let other = scene.watch_as(CARLA);
        let now = scene.now;
        let end = Termination::new(reason);
        scene.role.terminate(now, key, end).unwrap();
        let outputs = scene.drain();
        assert_eq!(end_of(&outputs), EndReason::Terminated(reason));
        assert_eq!(
            story(&outputs)[1],
            format!("terminated;reason={}", reason.as_str())
        );
        // Who is told that the state will not change is told the state.
        let invariant = reason == Reason::Invariant;
        assert_eq!(outputs.notify().body().is_empty(), !invariant);
        assert!(scene.role.terminate(now, key, end).is_err());
        assert_eq!(scene.live(), 1);
        scene.answer_all(&outputs);
        scene.pass(10.0);
        let outputs = scene.set("elsewhere");
        assert_eq!(
            field(outputs.notify(), "Call-ID"),
            Some(other.message.field("Call-ID"))
        );
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-58
#[test]
fn all_subscriptions_to_a_presentity_are_ended() {
    for reason in REASONS {
        for name in [BOB, "pres:bob@example.com", "bob@EXAMPLE.com"] {
            let mut scene = Scene::new();
            scene.watch();
            scene.watch_as(CARLA);
            let other = scene.subscribe(ANA, CARLA);
            scene.watch_by(other);
            let now = scene.now;
            let end = Termination::new(reason).with_retry_after(60);
            assert_eq!(scene.role.terminate_presentity(now, name, end), Ok(2));
            let outputs = scene.drain();
            assert_eq!(outputs.requests().len(), 2);
            for request in outputs.requests() {
                let expected = format!("terminated;reason={};retry-after=60", reason.as_str());
                assert_eq!(state_of(request), expected);
            }
            assert_eq!(scene.role.terminate_presentity(now, name, end), Ok(0));
            assert!(!scene.role.has_watchers(BOB) && scene.role.has_watchers(CARLA));
            scene.answer_all(&outputs);
            scene.close();
        }
    }
}

// PA-58
#[test]
fn all_subscriptions_are_ended() {
    for reason in REASONS {
        let mut scene = Scene::new();
        scene.watch();
        scene.watch_as(CARLA);
        let other = scene.subscribe(ANA, CARLA);
        scene.watch_by(other);
        let now = scene.now;
        let end = Termination::new(reason);
        assert_eq!(scene.role.terminate_all(now, end), 3);
        let outputs = scene.drain();
        assert_eq!(outputs.requests().len(), 3);
        for request in outputs.requests() {
            let expected = format!("terminated;reason={}", reason.as_str());
            assert_eq!(state_of(request), expected);
        }
        assert_eq!(scene.role.terminate_all(now, end), 0);
        scene.answer_all(&outputs);
        scene.empty();
    }
}

// PA-58
#[test]
fn what_does_not_exist_is_not_ended() {
    let mut scene = Scene::new();
    let (now, end) = (scene.now, Termination::new(Reason::NoResource));
    assert_eq!(scene.role.terminate_all(now, end), 0);
    assert_eq!(scene.role.terminate_presentity(now, BOB, end), Ok(0));
    for name in ["", "http://example.com/", "nonsense <>"] {
        let count = scene.role.terminate_presentity(now, name, end);
        assert_eq!(count, Err(UnknownPresentity));
    }
    scene.empty();
}

// SRV-20, SRV-21: the watcher comes back by a new dialog.
#[test]
fn a_watcher_that_was_sent_elsewhere_may_come_back() {
    let mut scene = Scene::new();
    scene.set("here");
    let mut first = scene.watch();
    let outputs = scene.terminate(Reason::Deactivated);
    assert_eq!(state_of(outputs.notify()), "terminated;reason=deactivated");
    scene.answer_all(&outputs);
    assert_eq!(story(&scene.send(&first.refresh())), ["481"]);
    let second = scene.watch();
    assert_ne!(second.tag, first.tag);
    assert_eq!(notes(&second.notify), ["here"]);
    scene.close();
}

// PA-58, PA-73
#[test]
fn the_end_waits_for_the_notify_that_is_open() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let open = scene.send(&message);
    let outputs = scene.terminate(Reason::Deactivated);
    assert_eq!(story(&outputs), ["ended: terminated, deactivated"]);
    assert_eq!(scene.live(), 0);
    let outputs = scene.answer_all(&open);
    assert_eq!(story(&outputs), ["terminated;reason=deactivated"]);
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-58, PA-47: nothing is told after the end.
#[test]
fn after_the_end_nothing_is_told() {
    let mut scene = Scene::new();
    scene.watch();
    let outputs = scene.terminate(Reason::NoResource);
    assert!(scene.set("one").all.is_empty());
    scene.answer_all(&outputs);
    scene.pass(10.0);
    assert!(scene.set("two").all.is_empty());
    assert!(scene.pass(700.0).all.is_empty());
    scene.empty();
}

// PA-54: a burst of ends is spread, and all are told.
#[test]
fn many_that_run_out_together_are_all_told() {
    let mut scene = Scene::configured(|config| config.server.timers_per_call = 16);
    for number in 0..200 {
        scene.watch_as(&format!("sip:w{number}@example.com"));
    }
    scene.now = crate::scene::at(601);
    let now = scene.now;
    let mut ends = 0;
    let mut calls = 0;
    while scene
        .role
        .poll_timeout()
        .is_some_and(|deadline| deadline <= now)
    {
        scene.role.handle_timeout(now);
        let outputs = scene.drain();
        assert!(outputs.requests().len() <= 16);
        ends += outputs.requests().len();
        scene.answer_all(&outputs);
        calls += 1;
        assert!(calls < 100, "it makes headway");
    }
    assert_eq!(ends, 200);
    scene.empty();
}
