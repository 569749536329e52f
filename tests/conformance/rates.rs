//! How often a watcher wants to be told (RFC 6446), and how that meets the pace of the agent.

use std::time::Duration;

use presentity::engine::ServerTransaction;
use presentity::event::{Assurance, Decision, Identity, RequestContext};
use presentity::pidf::Presence;
use presentity::sip::{OutgoingRequest, ResponseRef};

use crate::common::{Message, Outputs, field, state_of};
use crate::scene::{ANA, BOB, CARLA, Scene, Watch, notes, viewing};

fn asking(scene: &mut Scene, rates: &str) -> Message {
    let message = scene.subscribe(ANA, BOB).with("Expires", "600");
    message.with("Event", &format!("presence{rates}"))
}

fn watch(scene: &mut Scene, rates: &str) -> Watch {
    let message = asking(scene, rates);
    scene.watch_by(message)
}

/// Lets time pass in steps, answering all; the seconds at which NOTIFYs came.
fn told_within(scene: &mut Scene, seconds: u32) -> Vec<u32> {
    let mut times = Vec::new();
    for second in 1..=seconds {
        let outputs = scene.pass(1.0);
        times.extend(outputs.requests().iter().map(|_| second));
        scene.answer_all(&outputs);
    }
    times
}

// PA-70
#[test]
fn what_is_granted_is_told_in_each_notify() {
    for (asked, granted) in [
        (";max-rate=0.05", ";max-rate=0.05"),
        (";MAX-Rate=\"0.05\"", ";max-rate=0.05"),
        // Faster than changes are told, or seldomer than once in the subscription.
        (";max-rate=10", ";max-rate=0.2"),
        (";max-rate=0.001", ";max-rate=0.0016666666"),
        (";min-rate=0.02", ";min-rate=0.02"),
        (";min-rate=5", ";min-rate=0.1"),
        (";adaptive-min-rate=0.05", ";adaptive-min-rate=0.05"),
        (
            ";max-rate=0.01;min-rate=0.1",
            ";max-rate=0.01;min-rate=0.01",
        ),
        (
            ";max-rate=0.1;min-rate=0.01;adaptive-min-rate=0.05",
            ";max-rate=0.1;min-rate=0.01;adaptive-min-rate=0.05",
        ),
        // A floor above the adaptive one is not considered.
        (
            ";min-rate=0.05;adaptive-min-rate=0.02",
            ";adaptive-min-rate=0.02",
        ),
        (";id=3;other=7", ""),
    ] {
        let mut scene = Scene::new();
        let watch = watch(&mut scene, asked);
        let state = format!("active;expires=600{granted}");
        assert_eq!(state_of(&watch.notify), state, "{asked}");
        scene.close();
    }
}

// PA-70
#[test]
fn what_is_no_rate_is_malformed() {
    for rates in [
        ";max-rate=0",
        ";max-rate",
        ";min-rate=-1",
        ";adaptive-min-rate=100",
        ";max-rate=1e3",
        ";max-rate=0.00000000001",
    ] {
        let mut scene = Scene::new();
        let message = asking(&mut scene, rates);
        assert_eq!(scene.send(&message).status(), 400, "{rates}");
        scene.empty();
    }
}

// PA-70
#[test]
fn changes_are_told_no_faster_than_asked() {
    let mut scene = Scene::new();
    watch(&mut scene, ";max-rate=0.05");
    let mut times = Vec::new();
    for second in 1..=100 {
        let outputs = scene.pass(1.0);
        times.extend(outputs.requests().iter().map(|_| second));
        scene.answer_all(&outputs);
        let outputs = scene.set(&format!("{second}"));
        times.extend(outputs.requests().iter().map(|_| second));
        scene.answer_all(&outputs);
    }
    assert_eq!(times, [20, 40, 60, 80, 100]);
    scene.close();
}

// PA-70: the latest state is told, and nothing when it is what it was.
#[test]
fn a_change_that_waited_is_told_as_it_is_then() {
    let mut scene = Scene::new();
    scene.set("zero");
    watch(&mut scene, ";max-rate=0.05");
    scene.pass(2.0);
    assert!(scene.set("one").requests().is_empty());
    scene.pass(10.0);
    assert!(scene.set("two").requests().is_empty());
    let outputs = scene.pass(8.2);
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    scene.set("three");
    scene.pass(6.0);
    scene.set("two");
    assert_eq!(told_within(&mut scene, 60), []);
    scene.close();
}

// PA-70: be it due already.
#[test]
fn a_change_that_is_undone_before_its_turn_is_not_told() {
    let mut scene = Scene::new();
    scene.set("zero");
    let mut watch = watch(&mut scene, ";max-rate=0.05");
    scene.pass(2.0);
    assert!(scene.set("one").requests().is_empty());
    scene.now = scene.now + Duration::from_millis(18_500);
    let now = scene.now;
    scene.role.handle_timeout(now);
    assert!(scene.set("zero").requests().is_empty());
    assert_eq!(told_within(&mut scene, 60), []);
    // The next one is told at once.
    let outputs = scene.set("two");
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);

    // Whoever asks meanwhile is told all the same.
    scene.pass(2.0);
    assert!(scene.set("one").requests().is_empty());
    assert!(scene.pass(6.0).requests().is_empty());
    scene.now = scene.now + Duration::from_millis(12_500);
    let now = scene.now;
    scene.role.handle_timeout(now);
    let refresh = watch.refresh().with("Event", "presence;max-rate=0.05");
    let ana = Identity::of(ANA, Assurance::Digest).unwrap();
    let context = RequestContext::new(&ana, BOB);
    let transaction = ServerTransaction(900_001);
    let taken = scene
        .role
        .handle_request(now, transaction, &refresh.view(), &context);
    assert_eq!(taken, Ok(()));
    let outputs = scene.set("two");
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-70: others are not held up, nor hurried.
#[test]
fn one_who_waits_is_not_in_the_way_of_others() {
    let mut scene = Scene::new();
    watch(&mut scene, ";max-rate=0.05");
    scene.watch_as(CARLA);
    let tell = |outputs: &Outputs| -> Vec<String> {
        let to = |request: &&OutgoingRequest| field(request, "To").unwrap()[5..8].to_owned();
        outputs.requests().iter().map(to).collect()
    };
    let outputs = scene.set("one");
    assert_eq!(tell(&outputs), ["car"]);
    scene.answer_all(&outputs);
    scene.pass(19.0);
    let outputs = scene.pass(1.2);
    assert_eq!(tell(&outputs), ["ana"]);
    scene.answer_all(&outputs);
    // What was told to the one does not start the interval of all.
    let outputs = scene.set("two");
    assert_eq!(tell(&outputs), ["car"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-70: a SUBSCRIBE, a decision and the end are told at any pace.
#[test]
fn what_is_owed_does_not_wait() {
    let mut scene = Scene::deciding(Decision::Pending);
    let mut watch = watch(&mut scene, ";max-rate=0.01");
    let outputs = scene.send(&watch.refresh().with("Event", "presence;max-rate=0.01"));
    assert!(state_of(outputs.notify()).starts_with("pending"));
    scene.answer_all(&outputs);
    let outputs = scene.decide(viewing("tuples"));
    assert!(state_of(outputs.notify()).starts_with("active"));
    scene.answer_all(&outputs);
    let outputs = scene.send(&watch.unsubscribe());
    let state = state_of(outputs.notify());
    assert_eq!(
        state, "terminated;reason=timeout",
        "no rate is told any more"
    );
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-70
#[test]
fn a_refresh_that_does_not_ask_for_it_ends_it() {
    let mut scene = Scene::new();
    let mut watch = watch(&mut scene, ";max-rate=0.01;min-rate=0.01");
    scene.pass(10.0);
    assert!(scene.set("one").requests().is_empty());
    let outputs = scene.send(&watch.refresh().with("Event", "presence"));
    assert_eq!(state_of(outputs.notify()), "active;expires=600");
    scene.answer_all(&outputs);
    scene.pass(6.0);
    let outputs = scene.set("two");
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    assert_eq!(told_within(&mut scene, 300), []);
    scene.close();
}

// PA-70
#[test]
fn the_state_is_told_again_as_often_as_asked() {
    let mut scene = Scene::new();
    scene.set("here");
    watch(&mut scene, ";min-rate=0.02");
    let outputs = scene.pass(50.2);
    assert_eq!(notes(outputs.notify()), ["here"]);
    scene.answer_all(&outputs);
    scene.pass(30.0);
    let outputs = scene.set("there");
    assert_eq!(notes(outputs.notify()), ["there"]);
    scene.answer_all(&outputs);
    // Counted from what was told last.
    assert_eq!(told_within(&mut scene, 120), [51, 101]);
    scene.close();
}

// PA-70: never two of one presentity within five seconds, but those that are owed.
#[test]
fn a_change_right_after_a_repetition_waits() {
    let mut scene = Scene::new();
    watch(&mut scene, ";min-rate=0.02");
    let outputs = scene.pass(50.2);
    assert_eq!(outputs.requests().len(), 1);
    scene.answer_all(&outputs);
    scene.pass(1.0);
    assert!(scene.set("one").requests().is_empty());
    assert!(scene.pass(3.5).requests().is_empty());
    let outputs = scene.pass(0.8);
    assert_eq!(notes(outputs.notify()), ["one"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-70: while one is open nothing is repeated, and nothing is lost.
#[test]
fn no_repetition_overtakes_an_open_notify() {
    let mut scene = Scene::new();
    let message = asking(&mut scene, ";min-rate=0.1");
    let outputs = scene.send(&message);
    let open = outputs.notify().clone();
    assert!(scene.pass(25.0).requests().is_empty());
    scene.answer(&open, 200);
    let outputs = scene.pass(0.1);
    assert_eq!(outputs.requests().len(), 1);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-70
#[test]
fn many_changes_let_an_adaptive_floor_rest() {
    let mut scene = Scene::new();
    let message = asking(&mut scene, ";adaptive-min-rate=0.05").with("Expires", "3600");
    scene.watch_by(message);
    let calm = told_within(&mut scene, 200);
    assert!((8..=10).contains(&calm.len()), "{calm:?}");
    for change in 0..20 {
        scene.pass(5.1);
        let outputs = scene.set(&format!("{change}"));
        scene.answer_all(&outputs);
    }
    let rest = told_within(&mut scene, 60);
    assert!(rest.len() <= 1, "{rest:?}");
    scene.close();
}

// PA-70: the answer to a NOTIFY may ask for another pace.
#[test]
fn the_answer_to_a_notify_may_change_the_pace() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&message);
    let answer = |scene: &mut Scene, notify: &OutgoingRequest, event: &str| {
        let body = bytes::Bytes::new();
        let response = ResponseRef::new(200, [("Event", event)], &body);
        let now = scene.now;
        scene
            .role
            .handle_response(now, notify.transaction(), &response);
        scene.drain()
    };
    answer(&mut scene, outputs.notify(), "presence;max-rate=0.05");
    scene.pass(6.0);
    assert!(scene.set("one").requests().is_empty());
    let outputs = scene.pass(14.5);
    assert!(state_of(outputs.notify()).ends_with(";max-rate=0.05"));
    // Of another package, or malformed: nothing.
    answer(&mut scene, outputs.notify(), "dialog");
    scene.pass(6.0);
    assert!(scene.set("two").requests().is_empty());
    let outputs = scene.pass(14.5);
    answer(&mut scene, outputs.notify(), "presence");
    scene.pass(6.0);
    let outputs = scene.set("three");
    assert!(!state_of(outputs.notify()).contains("rate"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-70
#[test]
fn an_agent_may_leave_it_be() {
    let mut scene = Scene::configured(|config| config.server.rate_control = false);
    let watch = watch(&mut scene, ";max-rate=0.01;min-rate=0.05");
    assert_eq!(state_of(&watch.notify), "active;expires=600");
    assert_eq!(told_within(&mut scene, 60), []);
    let outputs = scene.set("one");
    assert_eq!(outputs.requests().len(), 1);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-70: nothing is left when it ends, whatever waited.
#[test]
fn an_end_leaves_no_timer_behind() {
    let mut scene = Scene::new();
    let mut watch = watch(&mut scene, ";max-rate=0.01;min-rate=0.01");
    scene.pass(1.0);
    scene.set_document(BOB, Presence::new(BOB));
    scene.set("one");
    assert_eq!(scene.role.occupancy().timers, 2, "its end, and the change");
    let outputs = scene.send(&watch.unsubscribe());
    scene.answer_all(&outputs);
    scene.empty();
}

fn tag_of(notify: &OutgoingRequest) -> String {
    field(notify, "SIP-ETag").expect("a tag").to_owned()
}

// PA-70, PA-71: a pace that comes with a condition begins at once, without a NOTIFY.
#[test]
fn a_pace_begins_with_a_refresh_that_brings_nothing() {
    for (rates, first) in [
        ("min-rate=0.05", 20..=21),
        ("adaptive-min-rate=0.05", 10..=24),
    ] {
        let mut scene = Scene::new();
        scene.set("here");
        let mut watch = watch(&mut scene, "");
        let tag = tag_of(&watch.notify);
        scene.pass(100.0);
        let refresh = watch.refresh().with("Event", &format!("presence;{rates}"));
        let outputs = scene.send(&refresh.with("Suppress-If-Match", "*"));
        assert_eq!(outputs.status(), 204);
        let refresh = watch.refresh().with("Event", &format!("presence;{rates}"));
        let outputs = scene.send(&refresh.with("Suppress-If-Match", &tag));
        assert_eq!(outputs.status(), 204);
        // It is spared the same, and told what is new.
        assert_eq!(told_within(&mut scene, 60), []);
        let outputs = scene.set("there");
        assert_eq!(notes(outputs.notify()), ["there"], "{rates}");
        scene.answer_all(&outputs);
        let times = told_within(&mut scene, 30);
        assert!(first.contains(&times[0]), "{times:?}");
        scene.close();
    }
    let mut scene = Scene::new();
    let mut watch = watch(&mut scene, "");
    let tag = tag_of(&watch.notify);
    let refresh = watch.refresh().with("Event", "presence;max-rate=0.05");
    let outputs = scene.send(&refresh.with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    scene.pass(6.0);
    assert!(scene.set("one").requests().is_empty());
    let outputs = scene.pass(14.2);
    assert_eq!(notes(outputs.notify()), ["one"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-70, PA-71: a repetition that its watcher was spared does not hold up a change.
#[test]
fn what_was_not_repeated_holds_up_nothing() {
    let mut scene = Scene::new();
    scene.set("one");
    let rates = ";max-rate=0.05;min-rate=0.02";
    let mut watch = watch(&mut scene, rates);
    let tag = tag_of(&watch.notify);
    let refresh = watch.refresh().with("Event", &format!("presence{rates}"));
    let outputs = scene.send(&refresh.with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    assert_eq!(told_within(&mut scene, 52), []);
    let outputs = scene.set("two");
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-70: nor does an adaptive floor that has rested long tell the same too often.
#[test]
fn an_adaptive_floor_repeats_no_sooner_than_others() {
    let mut scene = Scene::new();
    scene.set("one");
    let rates = ";adaptive-min-rate=0.05";
    let mut watch = watch(&mut scene, rates);
    let refresh = watch.refresh().with("Event", &format!("presence{rates}"));
    let outputs = scene.send(&refresh.with("Suppress-If-Match", "*"));
    assert_eq!(outputs.status(), 204);
    scene.pass(400.0);
    let refresh = watch.refresh().with("Event", &format!("presence{rates}"));
    let outputs = scene.send(&refresh);
    assert_eq!(outputs.requests().len(), 1);
    scene.answer_all(&outputs);
    let times = told_within(&mut scene, 30);
    assert!(times[0] >= 10, "{times:?}");
    scene.close();
}

// PA-70, PA-71: a change that could not be told before the end is, when a refresh puts the end off.
#[test]
fn a_refresh_that_brings_nothing_leaves_time_for_a_change_that_waits() {
    let mut scene = Scene::new();
    scene.set("one");
    let refresh = |watch: &mut Watch, rates: &str| {
        let message = watch.refresh().with("Expires", "60");
        message.with("Event", &format!("presence{rates}"))
    };
    let rates = ";max-rate=0.05;min-rate=0.02";
    let message = scene.subscribe(ANA, BOB).with("Expires", "60");
    let mut watch = scene.watch_by(message.with("Event", &format!("presence{rates}")));
    let outputs = scene.pass(50.2);
    assert_eq!(outputs.requests().len(), 1);
    let tag = tag_of(outputs.notify());
    scene.answer_all(&outputs);
    assert!(scene.set("two").requests().is_empty());
    assert!(scene.set("one").requests().is_empty());
    let message = refresh(&mut watch, rates);
    let outputs = scene.send(&message.with("Suppress-If-Match", &tag));
    assert_eq!(outputs.status(), 204);
    assert!(scene.set("three").requests().is_empty());
    let outputs = scene.pass(20.2);
    assert_eq!(notes(outputs.notify()), ["three"]);
    scene.answer_all(&outputs);
    scene.close();
}
