//! Watchers by SIP and by documents side by side: one state, one policy.

use presentity::event::{Decision, EndReason};

use crate::carried::{SIP_EMIL, SIP_NORA, carrying};
use crate::common::Message;
use crate::scene::{EMIL, NORA, OTTO, PENDING, Scene, allowed, forbidden, known, viewing};

const SIP_OTTO: &str = "sip:otto@example.org";

/// A SUBSCRIBE, and the next one in its dialog.
fn watch(scene: &mut Scene, from: &str) -> Message {
    let message = scene.message(from, SIP_EMIL);
    let outputs = scene.sip(&message, &known(from));
    assert_eq!(outputs.status(), 200);
    let tag = outputs.response().to_tag().expect("a tag").to_owned();
    let mut next = message.in_dialog(&tag, 2);
    next.uri = "sip:agent.example.com".into();
    next
}

fn sorted(mut story: Vec<String>) -> Vec<String> {
    story.sort();
    story
}

// SDF-11, SDF-13, SDF-16, SDF-18, SDF-22: each change is seen by each once, with its own view.
#[test]
fn each_change_is_seen_once_by_each_watcher_in_its_own_view() {
    let mut scene = Scene::new();
    scene.set(EMIL, "0");
    scene.rule(NORA, viewing("work"));
    scene.rule(OTTO, viewing("home"));
    let nora = watch(&mut scene, SIP_NORA);
    let otto = watch(&mut scene, SIP_OTTO);
    assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).shown(), ["work: 0"]);
    assert_eq!(scene.subscribe(OTTO, EMIL, "a", 120).shown(), ["home: 0"]);
    let all = |note: &str| {
        sorted(vec![
            format!("sip active: work: {note}"),
            format!("sip active: home: {note}"),
            format!("nora a: work: {note}"),
            format!("otto a: home: {note}"),
        ])
    };
    assert_eq!(sorted(scene.set(EMIL, "1").story()), all("1"));
    assert_eq!(scene.pass(6.0).story(), [""; 0]);

    // Extensions and refreshes show what holds, and the round after them only what is new.
    assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).shown(), ["work: 1"]);
    assert_eq!(
        scene.sip(&nora, &known(SIP_NORA)).story()[1],
        "sip active: work: 1"
    );
    assert_eq!(sorted(scene.set(EMIL, "2").story()), all("2"));
    scene.pass(1.0);
    // In between two rounds: who asks has it now and is not told at the tick.
    assert_eq!(scene.set(EMIL, "3").story(), [""; 0]);
    assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).shown(), ["work: 3"]);
    let rest = [
        "otto a: home: 3",
        "sip active: home: 3",
        "sip active: work: 3",
    ];
    assert_eq!(sorted(scene.pass(5.0).story()), rest);

    // One by one they go: cancelled, run out, unsubscribed.
    assert_eq!(scene.cancel(NORA, EMIL, "a").story(), ["Cancel 0"]);
    scene.until(118);
    let rest = [
        "otto a: home: 4",
        "sip active: home: 4",
        "sip active: work: 4",
    ];
    assert_eq!(sorted(scene.set(EMIL, "4").story()), rest);
    assert_eq!(scene.until(121).ended(), [("a", EndReason::Expired)]);
    scene.pass(5.0);
    let rest = ["sip active: home: 5", "sip active: work: 5"];
    assert_eq!(sorted(scene.set(EMIL, "5").story()), rest);
    let end = otto.with("Expires", "0");
    assert_eq!(
        scene.sip(&end, &known(SIP_OTTO)).story(),
        ["sip 200", "sip terminated: home: 5"]
    );
    scene.pass(5.0);
    assert_eq!(scene.set(EMIL, "6").story(), ["sip active: work: 6"]);
    assert_eq!(scene.pass(600.0).story(), ["sip terminated: nothing"]);
    scene.empty();
}

// SDF-13, SDF-23: what is decided for a watcher holds for all its subscriptions, and back again.
#[test]
fn decisions_reach_the_subscriptions_of_both_kinds() {
    let mut scene = Scene::new();
    scene.set(EMIL, "x");
    scene.rules().everybody = Decision::Pending.into();
    watch(&mut scene, SIP_NORA);
    assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).shown(), [PENDING]);
    assert_eq!(scene.subscribe(NORA, EMIL, "b", 600).shown(), [PENDING]);
    watch(&mut scene, SIP_OTTO);
    assert_eq!(scene.subscribe(OTTO, EMIL, "a", 600).shown(), [PENDING]);
    let told = |what: &str| {
        sorted(vec![
            format!("nora a: {what}"),
            format!("nora b: {what}"),
            format!("sip active: {what}"),
        ])
    };
    let decided = [
        (viewing("work"), "work: x"),
        (Decision::PoliteBlock, "offline"),
        (viewing("home"), "home: x"),
        (Decision::Allow(presentity::event::View::full()), "x"),
    ];
    for (decision, shown) in decided {
        let outputs = scene.decide(NORA, EMIL, decision.clone());
        assert_eq!(sorted(outputs.story()), told(shown));
        assert_eq!(
            scene
                .decide("sip:nora@example.org", SIP_EMIL, decision)
                .story(),
            [""; 0]
        );
    }
    let outputs = scene.decide(NORA, EMIL, Decision::Pending);
    assert_eq!(
        sorted(outputs.story()),
        [
            format!("nora a: {PENDING}"),
            format!("nora b: {PENDING}"),
            format!("sip pending: {PENDING}")
        ]
    );
    scene.decide(NORA, EMIL, Decision::PoliteBlock);
    scene.pass(6.0);
    assert_eq!(
        scene.set(EMIL, "y").story(),
        [""; 0],
        "none of them sees it"
    );
    let outputs = scene.decide(NORA, EMIL, forbidden());
    assert_eq!(
        sorted(outputs.story()),
        [
            "over a: rejected",
            "over b: rejected",
            "sip terminated: nothing"
        ]
    );
    assert_eq!(scene.live(), 2, "Otto's");
    scene.close();
}

// A SUBSCRIBE with a request in its body counts as any other.
#[test]
fn limits_count_both_kinds() {
    let mut scene = Scene::configured(|agent, _| agent.server.limits.subscriptions_per_watcher = 2);
    watch(&mut scene, SIP_NORA);
    assert!(scene.subscribe(NORA, EMIL, "a", 600).answer().is_ok());
    assert!(scene.subscribe(NORA, EMIL, "b", 600).answer().is_err());
    let request = scene.request(NORA, EMIL, "c", 600);
    let message = carrying(&mut scene, &request);
    assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 503);
    scene.cancel(NORA, EMIL, "a");
    let message = message.with_cseq(2);
    assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 200);
    scene.close();
}

// The document names the presentity as each of them did.
#[test]
fn each_watcher_has_the_presentity_by_its_own_name() {
    use presentity::pidf::Presence;
    let mut scene = Scene::new();
    scene.set(EMIL, "x");
    let message = scene.message(SIP_NORA, SIP_EMIL);
    let outputs = scene.sip(&message, &known(SIP_NORA));
    let document = Presence::read(outputs.request().body()).unwrap();
    assert_eq!(document.entity, SIP_EMIL);
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    let document = Presence::read(outputs.notification().body()).unwrap();
    assert_eq!(document.entity, EMIL);
    let outputs = scene.fetch(OTTO, "pres:%65mil@EXAMPLE.com");
    let document = Presence::read(outputs.notification().body()).unwrap();
    assert_eq!(document.entity, EMIL);
    scene.close();
}

// A polite block of one shows nothing to that one, and all to the others.
#[test]
fn who_is_blocked_politely_sees_nothing_by_either_way() {
    let mut scene = Scene::new();
    scene.rule(NORA, Decision::PoliteBlock);
    scene.rule(OTTO, allowed());
    watch(&mut scene, SIP_NORA);
    scene.subscribe(NORA, EMIL, "a", 600);
    watch(&mut scene, SIP_OTTO);
    scene.subscribe(OTTO, EMIL, "a", 600);
    for note in ["1", "2"] {
        let expected = [format!("otto a: {note}"), format!("sip active: {note}")];
        assert_eq!(sorted(scene.set(EMIL, note).story()), expected);
        scene.pass(6.0);
    }
    scene.close();
}
