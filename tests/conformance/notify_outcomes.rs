//! What becomes of a subscription when its NOTIFY is answered, or is not.

use presentity::event::{EndReason, Failure, NeedCredentials, NotifyResult, Output, Reason};
use presentity::sip::OutgoingRequest;

use crate::common::{Outputs, field, state_of};
use crate::scene::{ANA, BOB, CARLA, Scene, end_of, notes, story};

/// The status codes that end a subscription (RFC 6665 section 4.2.2).
const ENDING: [u16; 13] = [
    404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604,
];

/// A scene with one watcher, whose NOTIFY of a change is open.
fn open_notify() -> (Scene, OutgoingRequest) {
    let mut scene = Scene::new();
    scene.watch();
    let outputs = scene.set("one");
    let request = outputs.notify().clone();
    (scene, request)
}

// PA-47
#[test]
fn a_2xx_keeps_the_subscription() {
    for status in 200..300 {
        let (mut scene, open) = open_notify();
        let outputs = scene.answer_with(&open, status, &[("Retry-After", "100")]);
        assert!(outputs.all.is_empty(), "{status}: {outputs:?}");
        scene.pass(5.0);
        let outputs = scene.set("two");
        assert_eq!(notes(outputs.notify()), ["two"], "{status}");
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-47, PA-49, PA-51: with Retry-After and without.
#[test]
fn what_says_that_nobody_is_there_removes_the_subscription_in_silence() {
    for fields in [&[][..], &[("Retry-After", "5")]] {
        for status in ENDING {
            let (mut scene, open) = open_notify();
            let outputs = scene.answer_with(&open, status, fields);
            assert_eq!(outputs.all.len(), 1, "{status}: {outputs:?}");
            assert_eq!(end_of(&outputs), EndReason::NotifyRejected(status));
            assert_eq!(scene.live(), 0);
            assert!(scene.set("two").all.is_empty());
            assert!(scene.pass(700.0).all.is_empty());
            scene.empty();
        }
    }
}

// PA-50: every other final status without Retry-After leaves it, until the next change.
#[test]
fn other_errors_keep_the_subscription() {
    for status in (300..700).filter(|status| *status != 408 && !ENDING.contains(status)) {
        let (mut scene, open) = open_notify();
        let outputs = scene.answer(&open, status);
        assert_eq!(story(&outputs), [format!("refused {status}")]);
        assert_eq!(scene.live(), 1);
        assert!(scene.pass(30.0).all.is_empty(), "{status}");
        let outputs = scene.set("two");
        assert_eq!(notes(outputs.notify()), ["two"], "{status}");
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-50
#[test]
fn other_errors_with_retry_after_have_the_newest_state_sent_then() {
    for status in (300..700).filter(|status| *status != 408 && !ENDING.contains(status)) {
        let (mut scene, open) = open_notify();
        let outputs = scene.answer_with(&open, status, &[("Retry-After", "20 (busy);duration=9")]);
        assert_eq!(story(&outputs), [format!("refused {status}")]);
        scene.pass(10.0);
        assert!(scene.set("two").all.is_empty(), "{status}");
        assert!(scene.pass(9.9).all.is_empty(), "{status}");
        let outputs = scene.pass(0.2);
        assert_eq!(notes(outputs.notify()), ["two"], "{status}");
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-50: the state that was refused is not taken for known.
#[test]
fn what_was_refused_is_sent_again_with_the_next_round() {
    let mut scene = Scene::new();
    scene.set("one");
    scene.watch();
    scene.pass(10.0);
    let outputs = scene.set("two");
    scene.answer(outputs.notify(), 500);
    // Back to what the watcher was told before.
    let outputs = scene.set("one");
    assert!(outputs.all.is_empty());
    let outputs = scene.pass(5.1);
    assert_eq!(notes(outputs.notify()), ["one"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-50: even if that very state is what there is again.
#[test]
fn what_was_refused_is_not_taken_for_known() {
    let mut scene = Scene::new();
    scene.watch();
    let outputs = scene.set("one");
    scene.answer(outputs.notify(), 500);
    assert!(scene.set("two").all.is_empty());
    assert!(scene.set("one").all.is_empty());
    let outputs = scene.pass(5.1);
    assert_eq!(notes(outputs.notify()), ["one"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-50
#[test]
fn a_wish_for_patience_is_heard_up_to_an_hour() {
    let mut scene = Scene::configured(|config| config.server.max_expires = 100_000);
    let message = scene.subscribe(ANA, BOB).with("Expires", "90000");
    scene.watch_by(message);
    let outputs = scene.set("one");
    scene.answer_with(outputs.notify(), 503, &[("Retry-After", "4294967295")]);
    assert!(scene.pass(3_599.9).requests().is_empty());
    let outputs = scene.pass(0.2);
    assert_eq!(notes(outputs.notify()), ["one"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-50
#[test]
fn a_wish_for_no_patience_waits_for_the_interval_all_the_same() {
    let (mut scene, open) = open_notify();
    scene.answer_with(&open, 503, &[("Retry-After", "0")]);
    assert!(scene.pass(4.9).all.is_empty(), "else it were a loop");
    let outputs = scene.pass(0.2);
    assert_eq!(notes(outputs.notify()), ["one"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-50
#[test]
fn a_malformed_retry_after_is_none() {
    for value in ["", "soon", "-1", "5;duration", "1 (x"] {
        let (mut scene, open) = open_notify();
        let outputs = scene.answer_with(&open, 503, &[("Retry-After", value)]);
        assert_eq!(story(&outputs), ["refused 503"]);
        assert!(scene.pass(10.0).all.is_empty());
        let outputs = scene.set("two");
        assert_eq!(notes(outputs.notify()), ["two"], "{value:?}");
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-25, PA-50: a watcher that comes by is there.
#[test]
fn a_refresh_ends_the_wait_for_patience() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let open = scene.set("one");
    scene.answer_with(open.notify(), 503, &[("Retry-After", "300")]);
    let outputs = scene.send(&watch.refresh());
    assert_eq!(story(&outputs), ["200", "active;expires=600"]);
    scene.answer_all(&outputs);
    assert!(scene.pass(400.0).all.is_empty(), "it has what it was owed");
    scene.close();
}

// PA-50, PA-58: the end does not wait.
#[test]
fn the_end_is_told_to_one_who_asked_for_patience() {
    let (mut scene, open) = open_notify();
    scene.answer_with(&open, 503, &[("Retry-After", "300")]);
    let outputs = scene.terminate(Reason::Deactivated);
    assert_eq!(state_of(outputs.notify()), "terminated;reason=deactivated");
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-50: nothing of the wait outlives the subscription.
#[test]
fn a_subscription_that_waits_for_patience_may_run_out() {
    let (mut scene, open) = open_notify();
    scene.answer_with(&open, 503, &[("Retry-After", "3000")]);
    let outputs = scene.pass(600.1);
    assert_eq!(end_of(&outputs), EndReason::Expired);
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-47
#[test]
fn a_provisional_response_has_no_effect() {
    let (mut scene, open) = open_notify();
    for status in [100, 180, 199] {
        assert!(scene.answer(&open, status).all.is_empty());
    }
    assert_eq!(scene.role.occupancy().open_notifies, 1);
    scene.answer(&open, 200);
    scene.close();
}

fn fail(scene: &mut Scene, request: &OutgoingRequest, failure: Failure) -> Outputs {
    let now = scene.now;
    scene
        .role
        .handle_failure(now, request.transaction(), failure);
    scene.drain()
}

const FAILURES: [(Failure, EndReason); 2] = [
    (Failure::Timeout, EndReason::NotifyTimeout),
    (Failure::Transport, EndReason::NotifyUnsent),
];

// PA-48, PA-51
#[test]
fn a_notify_that_is_not_answered_removes_the_subscription_in_silence() {
    for (failure, reason) in FAILURES {
        let (mut scene, open) = open_notify();
        let outputs = fail(&mut scene, &open, failure);
        assert_eq!(outputs.all.len(), 1, "{outputs:?}");
        assert_eq!(end_of(&outputs), reason);
        assert!(scene.set("two").all.is_empty());
        scene.empty();
    }
}

// PA-48: a proxy that waited in vain says 408 (RFC 3261 sections 8.1.3.1, 12.2.1.2), often before the
// transaction here times out.
#[test]
fn a_408_is_no_answer_of_the_watcher() {
    for fields in [&[][..], &[("Retry-After", "5")]] {
        let (mut scene, open) = open_notify();
        let outputs = scene.answer_with(&open, 408, fields);
        assert_eq!(outputs.all.len(), 1, "{outputs:?}");
        assert_eq!(end_of(&outputs), EndReason::NotifyTimeout);
        assert!(scene.set("two").all.is_empty());
        scene.empty();
    }

    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let open = scene.set("one");
    assert_eq!(story(&scene.send(&watch.refresh())), ["200"]);
    let outputs = scene.answer(open.notify(), 408);
    assert_eq!(notes(outputs.notify()), ["one"]);
    scene.answer_all(&outputs);
    let outputs = scene.send(&watch.unsubscribe());
    let outputs = scene.answer(outputs.notify(), 408);
    assert!(outputs.all.is_empty(), "{outputs:?}");
    scene.empty();
}

// PA-48, SEC-28: the very first one, of a watcher that never asked.
#[test]
fn a_first_notify_that_is_not_answered_removes_the_subscription() {
    for (failure, reason) in FAILURES {
        let mut scene = Scene::new();
        let message = scene.subscribe(ANA, BOB);
        let outputs = scene.send(&message);
        let outputs = fail(&mut scene, outputs.notify(), failure);
        assert_eq!(end_of(&outputs), reason);
        scene.empty();
    }
}

// PA-48
#[test]
fn a_last_notify_that_is_not_answered_ends_like_any() {
    for (failure, _) in FAILURES {
        let mut scene = Scene::new();
        let mut watch = scene.watch();
        let outputs = scene.send(&watch.unsubscribe());
        let outputs = fail(&mut scene, outputs.notify(), failure);
        assert!(outputs.all.is_empty(), "{outputs:?}");
        scene.empty();
    }
}

// PA-25, PA-48: one who has spoken since is there; what he is owed proves it or not.
#[test]
fn a_watcher_that_refreshed_since_is_tried_once_more() {
    for (failure, reason) in FAILURES {
        let mut scene = Scene::new();
        let mut watch = scene.watch();
        let open = scene.set("one");
        assert_eq!(story(&scene.send(&watch.refresh())), ["200"]);
        let outputs = fail(&mut scene, open.notify(), failure);
        assert_eq!(story(&outputs), ["active;expires=600"]);
        assert_eq!(notes(outputs.notify()), ["one"]);
        let outputs = fail(&mut scene, outputs.notify(), failure);
        assert_eq!(end_of(&outputs), reason);
        scene.empty();
    }
}

// PA-48: CVE-2014-4048.
#[test]
fn the_failure_of_one_watcher_is_no_other_watchers_business() {
    let mut scene = Scene::new();
    scene.watch();
    scene.watch_as(CARLA);
    let outputs = scene.set("one");
    let requests = outputs.requests();
    assert_eq!(requests.len(), 2);
    fail(&mut scene, requests[0], Failure::Transport);
    scene.answer(requests[1], 200);
    scene.pass(5.0);
    let outputs = scene.set("two");
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-48: a host that forgets leaks nothing here.
#[test]
fn a_transaction_that_the_host_forgot_counts_as_timed_out() {
    let (mut scene, open) = open_notify();
    assert!(scene.pass(63.9).all.is_empty());
    let outputs = scene.pass(0.2);
    assert_eq!(end_of(&outputs), EndReason::NotifyForgotten);
    assert!(outputs.requests().is_empty());
    // It remembers after all: too late.
    let stray = scene.role.counters().stray_outcomes();
    assert!(scene.answer(&open, 200).all.is_empty());
    assert_eq!(scene.role.counters().stray_outcomes(), stray + 1);
    scene.empty();
}

// PA-51: SUBSCRIBE in the dialog finds nothing either.
#[test]
fn after_a_failed_notify_the_dialog_is_gone() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let outputs = scene.set("one");
    scene.answer(outputs.notify(), 481);
    assert_eq!(story(&scene.send(&watch.refresh())), ["481"]);
    scene.empty();
}

// PA-47
#[test]
fn an_outcome_that_is_told_twice_counts_once() {
    let (mut scene, open) = open_notify();
    scene.answer(&open, 200);
    for status in [200, 481, 503] {
        assert!(scene.answer(&open, status).all.is_empty());
    }
    assert!(fail(&mut scene, &open, Failure::Timeout).all.is_empty());
    assert_eq!(scene.role.counters().stray_outcomes(), 4);
    assert_eq!(scene.live(), 1);
    scene.close();
}

// PA-47
#[test]
fn an_outcome_of_another_role_is_nothing() {
    let mut other = Scene::configured(|config| config.server.role = 9);
    let message = other.subscribe(ANA, BOB);
    let foreign = other.send(&message);
    let (mut scene, open) = open_notify();
    assert_ne!(foreign.notify().transaction(), open.transaction());
    assert!(scene.answer(foreign.notify(), 481).all.is_empty());
    assert_eq!(scene.live(), 1);
    scene.answer(&open, 200);
    other.answer_all(&foreign);
    other.close();
    scene.close();
}

#[test]
fn outcomes_are_counted() {
    let (mut scene, open) = open_notify();
    let counters = scene.role.counters();
    assert_eq!(
        (counters.notifies_sent(), counters.notifies_failed()),
        (2, 0)
    );
    assert_eq!(counters.subscriptions_started(), 1);
    scene.answer(&open, 481);
    let counters = scene.role.counters();
    assert_eq!(
        (counters.notifies_sent(), counters.notifies_failed()),
        (2, 1)
    );
    assert_eq!(counters.subscriptions_ended(), 1);
    scene.empty();
}

// ---- challenges -----------------------------------------------------------------------------

const CHALLENGE: &str = "Digest realm=\"example.com\", nonce=\"n1\", qop=\"auth-int\"";

fn challenge(scene: &mut Scene, request: &OutgoingRequest, status: u16) -> Outputs {
    let name = if status == 401 {
        "WWW-Authenticate"
    } else {
        "Proxy-Authenticate"
    };
    scene.answer_with(request, status, &[(name, CHALLENGE)])
}

fn need(outputs: &Outputs) -> &NeedCredentials {
    match &outputs.all[..] {
        [Output::NeedCredentials(need)] => need,
        other => panic!("{other:?}"),
    }
}

fn provide(scene: &mut Scene, request: &OutgoingRequest, value: &str) -> (bool, Outputs) {
    let now = scene.now;
    let transaction = request.transaction();
    let taken = scene.role.provide_credentials(now, transaction, value);
    (taken, scene.drain())
}

// PA-50, SEC-02: a watcher, or a proxy on the way, wants to know who notifies.
#[test]
fn a_challenged_notify_is_repeated_with_credentials() {
    for (status, name) in [(401, "Authorization"), (407, "Proxy-Authorization")] {
        let (mut scene, open) = open_notify();
        let outputs = challenge(&mut scene, &open, status);
        let need = need(&outputs);
        assert_eq!(need.transaction(), open.transaction());
        assert_eq!((need.status(), need.method()), (status, "NOTIFY"));
        assert_eq!(need.uri(), open.uri());
        assert_eq!(need.challenges().collect::<Vec<_>>(), [CHALLENGE]);

        let (taken, outputs) = provide(&mut scene, &open, "Digest username=\"bob\"");
        assert!(taken);
        let again = outputs.notify();
        assert_ne!(again.transaction(), open.transaction());
        assert_eq!(field(again, name), Some("Digest username=\"bob\""));
        assert_eq!(field(&open, "CSeq"), Some("2 NOTIFY"));
        assert_eq!(field(again, "CSeq"), Some("3 NOTIFY"));
        assert_eq!(again.uri(), open.uri());
        assert_eq!(again.body(), open.body());
        assert!(scene.answer(again, 200).all.is_empty());
        scene.pass(10.0);
        let outputs = scene.set("two");
        assert_eq!(field(outputs.notify(), name), None);
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-50
#[test]
fn all_challenges_are_handed_on() {
    let (mut scene, open) = open_notify();
    let fields = [
        ("WWW-Authenticate", "Digest a=1"),
        ("WWW-Authenticate", "Digest b=2"),
        ("Proxy-Authenticate", "Digest c=3"),
    ];
    let outputs = scene.answer_with(&open, 401, &fields);
    let challenges: Vec<_> = need(&outputs).challenges().collect();
    assert_eq!(challenges, ["Digest a=1", "Digest b=2"]);
    scene.close();
}

// PA-50
#[test]
fn the_repeated_notify_has_the_state_of_now() {
    let (mut scene, open) = open_notify();
    challenge(&mut scene, &open, 401);
    scene.pass(7.0);
    assert!(scene.set("two").all.is_empty(), "one NOTIFY is open");
    let (_, outputs) = provide(&mut scene, &open, "x");
    assert_eq!(notes(outputs.notify()), ["two"]);
    assert_eq!(state_of(outputs.notify()), "active;expires=593");
    assert!(scene.answer_all(&outputs).all.is_empty());
    scene.close();
}

// PA-50: once more, for a nonce that was stale.
#[test]
fn a_second_challenge_is_answered_and_a_third_is_not() {
    let (mut scene, open) = open_notify();
    challenge(&mut scene, &open, 401);
    let (_, outputs) = provide(&mut scene, &open, "x");
    let second = outputs.notify().clone();
    need(&challenge(&mut scene, &second, 401));
    let (_, outputs) = provide(&mut scene, &second, "y");
    let third = outputs.notify().clone();
    assert_eq!(field(&third, "Authorization"), Some("y"));
    let outputs = challenge(&mut scene, &third, 401);
    assert_eq!(story(&outputs), ["refused 401"]);
    assert_eq!(scene.live(), 1);
    scene.close();
}

// PA-50: a proxy and the watcher both ask.
#[test]
fn credentials_for_one_stay_when_the_other_asks() {
    let (mut scene, open) = open_notify();
    challenge(&mut scene, &open, 407);
    let (_, outputs) = provide(&mut scene, &open, "for the proxy");
    let second = outputs.notify().clone();
    need(&challenge(&mut scene, &second, 401));
    let (_, outputs) = provide(&mut scene, &second, "for the watcher");
    let third = outputs.notify();
    assert_eq!(field(third, "Proxy-Authorization"), Some("for the proxy"));
    assert_eq!(field(third, "Authorization"), Some("for the watcher"));
    assert!(scene.answer(third, 200).all.is_empty());
    scene.close();
}

// PA-50
#[test]
fn without_credentials_the_subscription_stays() {
    let (mut scene, open) = open_notify();
    need(&challenge(&mut scene, &open, 407));
    assert_eq!(story(&scene.pass(65.0)), ["refused 407"]);
    assert_eq!(scene.live(), 1);
    let (taken, outputs) = provide(&mut scene, &open, "too late");
    assert!(!taken && outputs.all.is_empty());
    let outputs = scene.set("two");
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-50
#[test]
fn a_host_may_say_that_there_are_no_credentials() {
    for status in [401, 407] {
        let (mut scene, open) = open_notify();
        need(&challenge(&mut scene, &open, status));
        let now = scene.now;
        assert!(scene.role.decline_credentials(now, open.transaction()));
        assert!(!scene.role.decline_credentials(now, open.transaction()));
        assert_eq!(story(&scene.drain()), [format!("refused {status}")]);
        let info = scene.role.subscription(scene.key()).unwrap();
        assert_eq!(info.last_result, NotifyResult::Answered(status));
        scene.pass(5.1);
        let outputs = scene.set("two");
        assert_eq!(notes(outputs.notify()), ["two"]);
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-50
#[test]
fn an_error_401_without_a_challenge_is_an_error() {
    for status in [401, 407] {
        let (mut scene, open) = open_notify();
        let outputs = scene.answer(&open, status);
        assert_eq!(story(&outputs), [format!("refused {status}")]);
        assert_eq!(scene.live(), 1);
        scene.close();
    }
}

// PA-50
#[test]
fn credentials_are_taken_once_and_only_where_asked_for() {
    let (mut scene, open) = open_notify();
    let (taken, outputs) = provide(&mut scene, &open, "x");
    assert!(!taken && outputs.all.is_empty(), "nobody asked");
    challenge(&mut scene, &open, 401);
    for value in ["x\r\nEvil: 1", "x\n", "\0"] {
        let (taken, outputs) = provide(&mut scene, &open, value);
        assert!(!taken && outputs.all.is_empty(), "{value:?}");
    }
    let (taken, outputs) = provide(&mut scene, &open, "x");
    assert!(taken);
    scene.answer_all(&outputs);
    let (taken, outputs) = provide(&mut scene, &open, "x");
    assert!(!taken && outputs.all.is_empty(), "done");
    scene.close();
}

// PA-50
#[test]
fn while_credentials_are_looked_for_no_other_outcome_counts() {
    let (mut scene, open) = open_notify();
    challenge(&mut scene, &open, 401);
    assert!(scene.answer(&open, 200).all.is_empty());
    assert!(scene.answer(&open, 481).all.is_empty());
    assert!(fail(&mut scene, &open, Failure::Timeout).all.is_empty());
    let (taken, outputs) = provide(&mut scene, &open, "x");
    assert!(taken);
    scene.answer_all(&outputs);
    assert_eq!(scene.live(), 1);
    scene.close();
}

// PA-50, PA-55
#[test]
fn a_challenged_last_notify_is_repeated_too() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let outputs = scene.send(&watch.unsubscribe());
    let last = outputs.notify().clone();
    need(&challenge(&mut scene, &last, 401));
    let (taken, outputs) = provide(&mut scene, &last, "x");
    assert!(taken);
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    assert_eq!(field(outputs.notify(), "Authorization"), Some("x"));
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-50, PA-55
#[test]
fn a_challenged_last_notify_without_credentials_leaves_nothing() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let outputs = scene.send(&watch.unsubscribe());
    need(&challenge(&mut scene, outputs.notify(), 401));
    assert!(scene.pass(64.1).all.is_empty());
    scene.empty();
}

// PA-50, PA-58
#[test]
fn a_subscription_may_end_while_credentials_are_looked_for() {
    let (mut scene, open) = open_notify();
    challenge(&mut scene, &open, 401);
    let outputs = scene.terminate(Reason::NoResource);
    assert!(outputs.requests().is_empty(), "one NOTIFY is open");
    let (taken, outputs) = provide(&mut scene, &open, "x");
    assert!(taken);
    assert_eq!(state_of(outputs.notify()), "terminated;reason=noresource");
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-50, PA-58
#[test]
fn the_end_is_told_even_if_credentials_never_come() {
    let (mut scene, open) = open_notify();
    challenge(&mut scene, &open, 401);
    scene.terminate(Reason::NoResource);
    let outputs = scene.pass(65.0);
    assert_eq!(state_of(outputs.notify()), "terminated;reason=noresource");
    scene.answer_all(&outputs);
    scene.empty();
}
