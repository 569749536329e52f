//! What becomes of notifications, and at which pace they leave.

use std::time::Duration;

use bytes::Bytes;
use presentity::engine::ServerTransaction;
use presentity::event::{Delivery, EndReason, RequestContext as SipContext};
use presentity::sdf::{MEDIA_TYPE, RequestContext, VerificationKey};

use crate::common::state_of;
use crate::scene::{EMIL, NORA, OTTO, RUTH, Scene, authority, known, nobody};

fn waiting() -> Scene {
    let mut scene = Scene::new();
    scene.brings = false;
    scene
}

// SDF-13: one at a time, and the latest state wins.
#[test]
fn while_one_is_open_no_other_leaves_and_then_the_latest_does() {
    let mut scene = waiting();
    let first = scene.subscribe(NORA, EMIL, "a", 600);
    for note in ["one", "two", "three"] {
        scene.pass(6.0);
        assert_eq!(scene.set(EMIL, note).story(), [""; 0]);
    }
    let outputs = scene.report(first.transaction(), Delivery::Done);
    assert_eq!(outputs.shown(), ["three"]);
    assert_eq!(
        scene.report(outputs.transaction(), Delivery::Done).story(),
        [""; 0]
    );
    scene.close();
}

// SDF-13: a state that went and came back is not told.
#[test]
fn what_is_as_it_was_is_not_told() {
    let mut scene = waiting();
    scene.set(EMIL, "one");
    let first = scene.subscribe(NORA, EMIL, "a", 600);
    scene.pass(6.0);
    scene.set(EMIL, "two");
    scene.pass(6.0);
    scene.set(EMIL, "one");
    assert_eq!(
        scene.report(first.transaction(), Delivery::Done).story(),
        [""; 0]
    );
    scene.close();
}

// SDF-11, SDF-18: what an extension is owed leaves once the open one is settled, once.
#[test]
fn an_extension_is_told_after_what_is_open() {
    for delivery in [Delivery::Done, Delivery::Failed] {
        let mut scene = waiting();
        let first = scene.subscribe(NORA, EMIL, "a", 600);
        for _ in 0..3 {
            assert_eq!(
                scene.subscribe(NORA, EMIL, "a", 600).story(),
                ["Extend 600"]
            );
        }
        let outputs = scene.report(first.transaction(), delivery);
        assert_eq!(outputs.shown(), ["unknown"]);
        assert_eq!(
            scene.report(outputs.transaction(), Delivery::Done).story(),
            [""; 0]
        );
        scene.close();
    }
}

// SDF-13
#[test]
fn what_failed_is_not_tried_again_before_there_is_news() {
    let mut scene = waiting();
    scene.set(EMIL, "one");
    let first = scene.subscribe(NORA, EMIL, "a", 600);
    let outputs = scene.report(first.transaction(), Delivery::Failed);
    assert_eq!((outputs.story(), scene.live()), (vec![], 1));
    assert_eq!(scene.pass(60.0).story(), [""; 0]);
    let outputs = scene.set(EMIL, "two");
    assert_eq!(outputs.shown(), ["two"]);
    scene.report(outputs.transaction(), Delivery::Failed);
    // The watcher comes by: there it is.
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    assert_eq!(outputs.shown(), ["two"]);
    scene.close();
}

// SDF-13: a change that came meanwhile is told, though what was open failed.
#[test]
fn what_changed_meanwhile_is_told_after_a_failure() {
    let mut scene = waiting();
    let first = scene.subscribe(NORA, EMIL, "a", 600);
    scene.pass(6.0);
    scene.set(EMIL, "one");
    let outputs = scene.report(first.transaction(), Delivery::Failed);
    assert_eq!(outputs.shown(), ["one"]);
    scene.close();
}

// SDF-22
#[test]
fn who_wants_no_more_is_told_no_more() {
    let mut scene = waiting();
    let first = scene.subscribe(NORA, EMIL, "a", 600);
    let other = scene.subscribe(NORA, EMIL, "b", 600);
    let outputs = scene.report(first.transaction(), Delivery::Unwanted);
    assert_eq!(outputs.ended(), [("a", EndReason::NotifyUnsent)]);
    scene.report(other.transaction(), Delivery::Done);
    assert_eq!(scene.set(EMIL, "x").story(), ["nora b: x"]);
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    assert_eq!(outputs.story(), ["Subscribe 600", "nora a: x"]);
    scene.close();
}

#[test]
fn what_is_never_reported_counts_as_failed() {
    let mut scene = waiting();
    scene.subscribe(NORA, EMIL, "a", 600);
    scene.pass(6.0);
    assert_eq!(scene.set(EMIL, "one").story(), [""; 0]);
    assert_eq!(scene.pass(57.0).story(), [""; 0]);
    assert_eq!(scene.pass(1.5).shown(), ["one"]);
    assert_eq!(scene.live(), 1);
    scene.close();
}

#[test]
fn reports_of_what_is_not_open_have_no_effect() {
    let mut scene = waiting();
    let first = scene.subscribe(NORA, EMIL, "a", 600).transaction();
    let second = scene.subscribe(OTTO, EMIL, "a", 600).transaction();
    scene.report(first, Delivery::Done);
    for delivery in [Delivery::Done, Delivery::Failed, Delivery::Unwanted] {
        assert_eq!(scene.report(first, delivery).all, []);
    }
    assert_eq!(scene.live(), 2);
    let outputs = scene.set(EMIL, "x");
    assert_eq!(outputs.story(), ["nora a: x"]);
    // That of one that was cancelled comes late.
    scene.cancel(NORA, EMIL, "a");
    assert_eq!(
        scene.report(outputs.transaction(), Delivery::Unwanted).all,
        []
    );
    scene.pass(5.0);
    let outputs = scene.report(second, Delivery::Done);
    assert_eq!(outputs.story(), ["otto a: x"]);
    scene.close();
}

// A host that takes one for the other does no harm.
#[test]
fn reports_for_sip_have_no_effect_here_nor_those_of_here_there() {
    use presentity::event::Failure;
    let mut scene = waiting();
    let otto = crate::scene::known("sip:otto@example.org");
    let fetch = scene
        .message("sip:otto@example.org", "sip:emil@example.com")
        .with("Expires", "0");
    let outputs = scene.sip(&fetch, &otto);
    let last = outputs.request().clone();
    for delivery in [Delivery::Done, Delivery::Failed, Delivery::Unwanted] {
        assert_eq!(scene.report(last.transaction(), delivery).all, []);
    }
    assert_eq!(scene.answer(&last, 200).all, []);
    assert_eq!(scene.service.agent().occupancy(), Default::default());

    let first = scene.subscribe(NORA, EMIL, "a", 600).transaction();
    let agent = scene.service.agent_mut();
    agent.handle_failure(scene.now, first, Failure::Timeout);
    let body = bytes::Bytes::new();
    let gone = presentity::sip::ResponseRef::new(481, [], &body);
    scene
        .service
        .agent_mut()
        .handle_response(scene.now, first, &gone);
    assert_eq!(scene.drain().all, []);
    assert_eq!(scene.live(), 1);
    scene.pass(6.0);
    assert_eq!(scene.set(EMIL, "x").story(), [""; 0], "it is still open");
    assert_eq!(scene.report(first, Delivery::Done).shown(), ["x"]);
    scene.close();
}

// SDF-13, SDF-22: cancelled and begun anew while one is open.
#[test]
fn what_is_open_of_one_that_is_over_does_not_hold_up_the_next() {
    let mut scene = waiting();
    let first = scene.subscribe(NORA, EMIL, "a", 600).transaction();
    scene.cancel(NORA, EMIL, "a");
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    assert_eq!(outputs.story(), ["Subscribe 600", "nora a: unknown"]);
    let second = outputs.transaction();
    assert_ne!(first, second);
    scene.report(first, Delivery::Unwanted);
    assert_eq!(scene.live(), 1);
    scene.report(second, Delivery::Done);
    assert_eq!(scene.set(EMIL, "x").shown(), ["x"]);
    scene.close();
}

// SDF-13: at most one round in five seconds, the first at once; what is owed to a request does not
// wait.
#[test]
fn changes_are_told_every_five_seconds_at_most() {
    let mut scene = Scene::new();
    scene.subscribe(NORA, EMIL, "a", 600);
    scene.subscribe(OTTO, EMIL, "a", 600);
    assert_eq!(
        scene.set(EMIL, "one").story(),
        ["nora a: one", "otto a: one"]
    );
    scene.pass(1.0);
    assert_eq!(scene.set(EMIL, "two").story(), [""; 0]);
    assert_eq!(scene.set(RUTH, "other").story(), [""; 0]);
    assert_eq!(scene.subscribe(OTTO, EMIL, "a", 600).shown(), ["two"]);
    assert_eq!(scene.fetch(NORA, EMIL).shown(), ["two"]);
    assert_eq!(scene.set(EMIL, "three").story(), [""; 0]);
    assert_eq!(scene.pass(3.999).story(), [""; 0]);
    assert_eq!(scene.pass(0.1).story(), ["nora a: three", "otto a: three"]);
    scene.close();
}

// SDF-13, SDF-16: a round under way passes over those who go.
#[test]
fn who_cancels_in_the_middle_of_a_round_is_not_told() {
    let mut scene = Scene::new();
    for token in ["a", "b", "c"] {
        scene.subscribe(NORA, EMIL, token, 600);
    }
    let document =
        presentity::pidf::Presence::new(EMIL).with_note(presentity::pidf::Note::new("x"));
    let agent = scene.service.agent_mut();
    agent.set_presence(scene.now, EMIL, document).unwrap();
    let Some(presentity::sdf::Output::Notify(first)) = scene.service.poll_output() else {
        panic!("a notification");
    };
    assert_eq!(first.token(), Some("a"));
    scene
        .service
        .handle_delivery(scene.now, first.transaction().unwrap(), Delivery::Done);
    let rest = scene.cancel(NORA, EMIL, "b").story();
    assert_eq!(rest, ["Cancel 0", "nora c: x"]);
    scene
        .service
        .agent_mut()
        .clear_presence(scene.now, EMIL)
        .unwrap();
    scene.close();
}

// Who was never told of a decision is told of none.
#[test]
fn nothing_leaves_for_those_who_are_gone_by_the_time_of_the_poll() {
    let mut scene = Scene::new();
    scene.rules().nobody = crate::scene::allowed();
    let transaction = presentity::engine::ServerTransaction;
    let (begin, end) = (
        scene.request(NORA, EMIL, "a", 60),
        scene.request(NORA, EMIL, "a", 0),
    );
    let identity = nobody();
    let context = presentity::sdf::RequestContext::new(&identity);
    for (number, request) in [(50, begin), (51, end)] {
        let (kind, body) = (presentity::sdf::MEDIA_TYPE, request.octets());
        let service = &mut scene.service;
        service
            .handle_request(scene.now, transaction(number), kind, body, &context)
            .unwrap();
    }
    assert_eq!(scene.drain().story(), ["Subscribe 60", "Cancel 0"]);
    scene.empty();
}

// ---- what tells the time ------------------------------------------------------------------

/// A call that changes nothing, but for the time that it tells.
type Tell = fn(&mut Scene, VerificationKey);

fn refuse(scene: &mut Scene, _: VerificationKey) {
    let (body, nora) = (Bytes::from_static(b" "), known(NORA));
    let (transaction, context) = (ServerTransaction(90), RequestContext::new(&nora));
    let handled =
        (scene.service).handle_request(scene.now, transaction, MEDIA_TYPE, &body, &context);
    handled.expect("no backlog");
}

fn judge_again(scene: &mut Scene, key: VerificationKey) {
    let taken = (scene.service).complete_verification(scene.now, key, &Ok(Vec::new()));
    assert!(!taken);
}

fn set_nowhere(scene: &mut Scene, _: VerificationKey) {
    let agent = scene.service.agent_mut();
    let cleared = agent.clear_presence(scene.now, "mailto:emil@example.com");
    assert!(cleared.is_err());
}

const TELLS: [Tell; 3] = [refuse, judge_again, set_nowhere];

/// With a verification that is over.
fn judged() -> (Scene, VerificationKey) {
    let mut scene = waiting();
    scene.verifies = false;
    let fetch = scene.request(OTTO, RUTH, "", 0);
    let signed = scene.signed(&fetch, &authority().signer(&[OTTO]));
    let key = scene.send_written(&signed, &known(OTTO)).verification().key;
    assert!((scene.service).complete_verification(scene.now, key, &Ok(Vec::new())));
    scene.drain();
    (scene, key)
}

// A request that is refused tells what time it is, too.
#[test]
fn what_leaves_after_a_call_leaves_at_the_time_of_that_call() {
    for tell in TELLS {
        let (mut scene, key) = judged();
        let request = scene.request(NORA, EMIL, "a", 600);
        let (nora, transaction) = (known(NORA), ServerTransaction(80));
        let context = RequestContext::new(&nora);
        let (now, body) = (scene.now, request.octets());
        let handled = (scene.service).handle_request(now, transaction, MEDIA_TYPE, body, &context);
        handled.expect("no backlog");
        // The host was busy.
        scene.now = scene.now + Duration::from_secs(385);
        tell(&mut scene, key);
        assert_eq!(scene.drain().notification().duration(), Some(215));
        assert_eq!(scene.set(EMIL, "one").story(), [""; 0]);
        assert_eq!(scene.pass(63.0).story(), [""; 0], "the first one is open");
        assert_eq!(scene.pass(1.5).shown(), ["one"]);
        scene.close();
    }
}

// The same, where the NOTIFY of a dialog is what leaves.
#[test]
fn what_leaves_in_a_dialog_leaves_at_the_time_of_the_last_call() {
    for tell in TELLS {
        let (mut scene, key) = judged();
        let message = scene.message("sip:nora@example.org", "sip:emil@example.com");
        let message = message.with("Expires", "600");
        let (nora, transaction) = (known("sip:nora@example.org"), ServerTransaction(80));
        let context = SipContext::new(&nora, "sip:agent.example.com");
        let (now, agent) = (scene.now, scene.service.agent_mut());
        let handled = agent.handle_request(now, transaction, &message.view(), &context);
        handled.expect("no backlog");
        scene.now = scene.now + Duration::from_secs(385);
        tell(&mut scene, key);
        let outputs = scene.drain();
        assert_eq!(state_of(outputs.request()), "active;expires=215");
        scene.pass(63.0);
        assert_eq!(scene.live(), 1, "the NOTIFY may yet be answered");
        scene.answer(outputs.request(), 200);
        scene.pass(10.0);
        assert_eq!(scene.live(), 1);
        scene.close();
    }
}
