//! How long subscriptions last, and what ends them.

use std::time::Duration;

use presentity::engine::Timestamp;
use presentity::event::{Decision, EndReason, Reason, Rejection, Termination};
use presentity::sdf::{Failure, Operation};

use crate::scene::{EMIL, NORA, PENDING, Scene, forbidden, viewing};

// SDF-12, SDF-19: also when it is extended.
#[test]
fn no_more_is_granted_than_the_longest() {
    let mut scene = Scene::configured(|agent, _| agent.server.max_expires = 900);
    for (asked, granted) in [(899, 899), (901, 900), (2_147_483_647, 900)] {
        let outputs = scene.subscribe(NORA, EMIL, "a", asked);
        assert_eq!(outputs.granted().duration, granted);
        assert_eq!(outputs.notification().duration(), Some(granted));
    }
    assert_eq!(scene.pass(899.999).story(), [""; 0]);
    assert_eq!(scene.pass(0.1).story(), ["over a: expired"]);
    scene.empty();
}

#[test]
fn what_is_too_brief_is_refused_and_leaves_what_there_is() {
    let mut scene = Scene::configured(|agent, _| agent.server.min_expires = 120);
    let outputs = scene.subscribe(NORA, EMIL, "a", 119);
    assert_eq!(outputs.failure(), Failure::TooBrief(120));
    assert_eq!((outputs.failure().status(), outputs.all.len()), (423, 1));
    assert_eq!(scene.live(), 0);
    scene.subscribe(NORA, EMIL, "a", 600);
    scene.pass(10.0);
    assert_eq!(
        scene.subscribe(NORA, EMIL, "a", 1).failure(),
        Failure::TooBrief(120)
    );
    assert_eq!(scene.pass(589.0).story(), [""; 0]);
    assert_eq!(scene.pass(1.1).story(), ["over a: expired"]);
    scene.subscribe(NORA, EMIL, "a", 120);
    assert_eq!(scene.cancel(NORA, EMIL, "a").granted().duration, 0);
    scene.empty();
}

fn nanosecond_before(time: Timestamp) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos() - 1)
}

// SDF-13, SDF-22: told up to the last nanosecond, and not in the one that ends it.
#[test]
fn a_subscription_lapses_at_its_end_exactly() {
    for late in [false, true] {
        let mut scene = Scene::new();
        scene.subscribe(NORA, EMIL, "a", 60);
        let end = scene.now + Duration::from_secs(60);
        scene.pass_to(nanosecond_before(end));
        assert_eq!(scene.live(), 1);
        if late {
            // The clock's tick has not come yet when the state changes.
            scene.now = end;
            let agent = scene.service.agent_mut();
            let document = presentity::pidf::Presence::new(EMIL);
            agent.set_presence(end, EMIL, document).unwrap();
            assert_eq!(scene.drain().story(), [""; 0]);
            scene.service.agent_mut().clear_presence(end, EMIL).unwrap();
        } else {
            assert_eq!(scene.set(EMIL, "last").story(), ["nora a: last"]);
            assert_eq!(scene.drain().story(), [""; 0]);
        }
        assert_eq!(scene.pass_to(end).notifications().len(), 0);
        assert_eq!(
            scene.cancel(NORA, EMIL, "a").failure(),
            Failure::UnknownSubscription
        );
        // The application hears of it at the next tick of the wheel.
        assert_eq!(scene.pass(0.1).ended(), [("a", EndReason::Expired)]);
        assert_eq!(scene.live(), 0);
        assert_eq!(scene.set(EMIL, "later").story(), [""; 0]);
        scene.pass(10.0);
        assert_eq!(scene.set(EMIL, "later still").story(), [""; 0]);
        scene.empty();
    }
}

// SDF-18, SDF-22
#[test]
fn until_the_end_it_is_extended_and_from_then_on_begun_anew() {
    for (wait, operation) in [(1, Operation::Extend), (0, Operation::Subscribe)] {
        let mut scene = Scene::new();
        scene.subscribe(NORA, EMIL, "a", 60);
        let end = scene.now + Duration::from_secs(60);
        // No tick of the clock comes between.
        scene.now = Timestamp::from_nanos(end.as_nanos() - wait);
        let outputs = scene.subscribe(NORA, EMIL, "a", 60);
        assert_eq!(outputs.granted().operation, operation);
        // And it is the new one that is found from then on.
        let outputs = scene.subscribe(NORA, EMIL, "a", 90);
        assert_eq!(outputs.granted().operation, Operation::Extend);
        assert_eq!(
            scene.cancel(NORA, EMIL, "a").granted().operation,
            Operation::Cancel
        );
        scene.pass(1.0);
        assert_eq!(scene.live(), 0);
        scene.empty();
    }
}

// SDF-21, SDF-22
#[test]
fn what_has_lapsed_is_not_cancelled() {
    let mut scene = Scene::new();
    scene.subscribe(NORA, EMIL, "a", 60);
    scene.now = scene.now + Duration::from_secs(60);
    let outputs = scene.cancel(NORA, EMIL, "a");
    assert_eq!(outputs.failure(), Failure::UnknownSubscription);
    assert_eq!(scene.pass(0.1).ended(), [("a", EndReason::Expired)]);
    scene.empty();
}

// SDF-11, SDF-23
#[test]
fn who_has_to_wait_is_shown_nothing_until_it_is_decided() {
    let mut scene = Scene::new();
    scene.set(EMIL, "secret");
    scene.rule(NORA, Decision::Pending);
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    assert!(outputs.granted().pending);
    assert!(outputs.notification().is_pending());
    assert_eq!(outputs.notification().duration(), Some(600));
    assert_eq!(outputs.shown(), [PENDING]);
    scene.pass(10.0);
    assert_eq!(scene.set(EMIL, "still secret").story(), [""; 0]);
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    assert!(outputs.granted().pending);
    assert_eq!(outputs.shown(), [PENDING]);

    let outputs = scene.decide(NORA, EMIL, viewing("work"));
    assert_eq!(outputs.story(), ["nora a: work: still secret"]);
    assert!(!outputs.notification().is_pending());
    // The policy still says that it does not know.
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    assert!(!outputs.granted().pending);
    assert_eq!(outputs.shown(), ["work: still secret"]);
    scene.close();
}

// SDF-23: what there is to see does not tell it from a presentity that is off.
#[test]
fn a_polite_block_looks_like_success() {
    let mut scene = Scene::new();
    scene.set(EMIL, "secret");
    scene.rule(NORA, Decision::PoliteBlock);
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    let granted = outputs.granted();
    assert_eq!(
        (granted.operation, granted.duration),
        (Operation::Subscribe, 600)
    );
    assert!(!granted.pending && !outputs.notification().is_pending());
    assert_eq!(outputs.shown(), ["offline"]);
    for note in ["more", "and more"] {
        scene.pass(10.0);
        assert_eq!(scene.set(EMIL, note).story(), [""; 0]);
    }
    assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).shown(), ["offline"]);
    assert_eq!(scene.cancel(NORA, EMIL, "a").story(), ["Cancel 0"]);
    scene.empty();
}

// SDF-23
#[test]
fn who_is_refused_has_no_subscription() {
    for rejection in [Rejection::Forbidden, Rejection::Decline] {
        let mut scene = Scene::new();
        scene.rule(NORA, Decision::Reject(rejection));
        let outputs = scene.subscribe(NORA, EMIL, "a", 600);
        assert_eq!(outputs.failure(), Failure::Rejected(rejection));
        assert_eq!(outputs.all.len(), 1);
        assert_eq!(scene.live(), 0);
        assert_eq!(scene.set(EMIL, "x").story(), [""; 0]);
        scene.empty();
    }
}

// SDF-23: by the application, and by the policy when it is to be extended.
#[test]
fn who_is_refused_later_is_told_and_sees_no_more() {
    let mut scene = Scene::new();
    scene.subscribe(NORA, EMIL, "a", 600);
    let outputs = scene.decide(NORA, EMIL, forbidden());
    assert_eq!(outputs.story(), ["over a: rejected"]);
    assert_eq!(scene.set(EMIL, "x").story(), [""; 0]);

    scene.subscribe(NORA, EMIL, "a", 600);
    scene.rule(NORA, forbidden());
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    assert_eq!(outputs.failure(), Failure::Rejected(Rejection::Forbidden));
    assert_eq!(outputs.ended(), [("a", EndReason::Rejected)]);
    assert_eq!(outputs.notifications().len(), 0);
    assert_eq!(scene.live(), 0);
    scene.pass(10.0);
    assert_eq!(scene.set(EMIL, "y").story(), [""; 0]);
    scene.empty();
}

#[test]
fn what_the_application_ends_is_over_without_a_word_but_one() {
    let mut scene = Scene::new();
    scene.subscribe(NORA, EMIL, "a", 600);
    scene.subscribe(NORA, EMIL, "b", 600);
    let agent = scene.service.agent_mut();
    let termination = Termination::new(Reason::NoResource);
    assert_eq!(
        agent.terminate_presentity(scene.now, EMIL, termination),
        Ok(2)
    );
    let outputs = scene.drain();
    let why = EndReason::Terminated(Reason::NoResource);
    assert_eq!(outputs.ended(), [("a", why), ("b", why)]);
    assert_eq!(outputs.notifications().len(), 0);
    scene.empty();
}

#[test]
fn a_policy_that_changes_its_mind_shows_it_at_the_extension() {
    let mut scene = Scene::new();
    scene.set(EMIL, "x");
    assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).shown(), ["x"]);
    scene.rule(NORA, viewing("work"));
    assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).shown(), ["work: x"]);
    scene.rule(NORA, Decision::PoliteBlock);
    assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).shown(), ["offline"]);
    scene.rule(NORA, viewing("home"));
    assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).shown(), ["home: x"]);
    scene.close();
}
