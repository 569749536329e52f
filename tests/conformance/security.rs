//! Abuse: floods, amplification, limits, and what a presentity is owed (RFC 2779 section 5).

use std::net::IpAddr;

use presentity::engine::ServerTransaction;
use presentity::event::{
    Assurance, Decision, Failure, Identity, RefusalReason, RequestContext, ServerEvent,
};

use crate::common::{Message, Outputs, response_field, state_of};
use crate::scene::{AGENT, ANA, BOB, CARLA, MALLORY, Scene, document, end_of, forbidden, story};

fn told_to_come_back(outputs: &Outputs) {
    assert_eq!(story(outputs), ["503"]);
    assert_eq!(
        response_field(outputs.response(), "Retry-After"),
        Some("10")
    );
}

// SEC-28: one NOTIFY for a SUBSCRIBE, and none any more when nobody wants it.
#[test]
fn a_false_contact_is_not_flooded() {
    let mut scene = Scene::new();
    let message = scene
        .subscribe(ANA, BOB)
        .with("Contact", "<sip:victim@192.0.2.99>");
    let outputs = scene.send(&message);
    assert_eq!(outputs.requests().len(), 1);
    for note in ["one", "two", "three"] {
        assert!(scene.set(note).requests().is_empty());
        assert!(scene.pass(8.0).requests().is_empty());
    }
    let now = scene.now;
    let transaction = outputs.notify().transaction();
    scene
        .role
        .handle_failure(now, transaction, Failure::Timeout);
    assert!(end_of(&scene.drain()).to_string().contains("not answered"));
    scene.pass(10.0);
    assert!(scene.set("four").all.is_empty());
    scene.empty();
}

// SEC-28
#[test]
fn a_victim_that_objects_is_left_alone() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&message);
    scene.answer(outputs.notify(), 481);
    assert!(scene.set("one").all.is_empty());
    scene.empty();
}

// SEC-29: those who are not known make no NOTIFY at all.
#[test]
fn strangers_cause_no_notify() {
    let mut scene = Scene::deciding(forbidden());
    for number in 0..100 {
        let from = format!("sip:stranger{number}@example.org");
        let message = scene.subscribe(&from, BOB);
        let outputs = scene.send_from(&message, &from);
        assert_eq!(story(&outputs), ["403"]);
        let outputs = scene.send_from_nobody(&message.with_cseq(2));
        assert_eq!(story(&outputs), ["challenge 401"]);
    }
    scene.empty();
}

// SEC-30
#[test]
fn nothing_is_kept_of_those_who_prove_nothing() {
    let mut scene = Scene::new();
    for number in 0..5_000 {
        let call = format!("flood-{number}");
        let message = Message::subscribe(MALLORY, BOB, &call);
        let outputs = scene.send_from_nobody(&message);
        assert_eq!(outputs.all.len(), 1);
    }
    assert_eq!(scene.role.occupancy(), Default::default());
    let refused = scene.role.counters().refused(RefusalReason::Challenged);
    assert_eq!(refused, 5_000);
    scene.empty();
}

// SEC-31: and whoever is in stays in.
#[test]
fn subscriptions_in_all_are_bounded() {
    let mut scene = Scene::configured(|config| config.server.limits.subscriptions = 2);
    let mut first = scene.watch();
    scene.watch_as(CARLA);
    let message = scene.subscribe(MALLORY, BOB);
    told_to_come_back(&scene.send(&message));
    let fetch = scene.subscribe(MALLORY, BOB).with("Expires", "0");
    told_to_come_back(&scene.send(&fetch));
    let outputs = scene.send(&first.refresh());
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    let outputs = scene.send(&first.unsubscribe());
    scene.answer_all(&outputs);
    let message = scene.subscribe(MALLORY, BOB);
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SEC-31
#[test]
fn subscriptions_to_one_presentity_are_bounded() {
    let mut scene = Scene::configured(|config| config.server.limits.subscriptions_per_resource = 2);
    scene.watch();
    scene.watch_as(CARLA);
    let message = scene.subscribe(MALLORY, BOB);
    told_to_come_back(&scene.send(&message));
    let message = scene.subscribe(MALLORY, CARLA);
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SEC-31
#[test]
fn subscriptions_of_one_watcher_are_bounded() {
    let mut scene = Scene::configured(|config| config.server.limits.subscriptions_per_watcher = 2);
    for presentity in [BOB, CARLA] {
        let message = scene.subscribe(MALLORY, presentity);
        scene.watch_by(message);
    }
    // From names somebody else, which helps nobody.
    let message = scene.subscribe(ANA, BOB);
    told_to_come_back(&scene.send_from(&message, MALLORY));
    let message = scene.subscribe(ANA, BOB);
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SEC-31: phones that come back under a new Call-ID again and again.
#[test]
fn subscriptions_of_one_watcher_to_one_presentity_are_bounded() {
    let mut scene = Scene::configured(|config| {
        config.server.limits.subscriptions_per_watcher_and_resource = 3;
    });
    for _ in 0..3 {
        scene.watch();
    }
    for _ in 0..1_000 {
        let message = scene.subscribe(ANA, BOB);
        told_to_come_back(&scene.send(&message));
    }
    assert_eq!(scene.live(), 3);
    let message = scene.subscribe(ANA, CARLA);
    assert_eq!(scene.send(&message).status(), 200);
    let message = scene.subscribe(CARLA, BOB);
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SEC-31: fetches that nobody answers keep something open, and that counts.
#[test]
fn unanswered_fetches_are_bounded_too() {
    let mut scene = Scene::configured(|config| {
        config.server.limits.subscriptions_per_watcher = 3;
        config.server.limits.subscriptions_per_watcher_and_resource = 3;
    });
    let mut open = Vec::new();
    for _ in 0..3 {
        let message = scene.subscribe(ANA, BOB).with("Expires", "0");
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), 200);
        open.push(outputs);
    }
    let message = scene.subscribe(ANA, BOB).with("Expires", "0");
    told_to_come_back(&scene.send(&message));
    scene.answer_all(&open[0]);
    let message = scene.subscribe(ANA, BOB).with("Expires", "0");
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SEC-31: CVE-2013-1137.
#[test]
fn subscriptions_from_one_address_are_bounded() {
    let mut scene = Scene::configured(|config| config.server.limits.subscriptions_per_source = 2);
    let here: IpAddr = "192.0.2.7".parse().unwrap();
    let there: IpAddr = "2001:db8::7".parse().unwrap();
    let mut statuses = Vec::new();
    let mut kept = Vec::new();
    for (number, source) in [here, here, here, there, here].into_iter().enumerate() {
        let user = format!("sip:user{number}@example.com");
        let message = scene.subscribe(&user, BOB);
        let identity = Identity::of(&user, Assurance::Digest).unwrap();
        let context = RequestContext::new(&identity, AGENT).with_source(source);
        let outputs = scene.send_with(&message, &context);
        statuses.push(outputs.status());
        scene.answer_all(&outputs);
        kept.push((message, outputs));
    }
    assert_eq!(statuses, [200, 200, 503, 200, 503]);
    assert_eq!(scene.role.occupancy().sources, 2);
    // One that ends makes room.
    let (message, outputs) = kept.swap_remove(0);
    let mut watch = crate::scene::Watch::begun(message, &outputs);
    let outputs = scene.send(&watch.unsubscribe());
    scene.answer_all(&outputs);
    let message = scene.subscribe(ANA, BOB);
    let identity = Identity::of(ANA, Assurance::Digest).unwrap();
    let context = RequestContext::new(&identity, AGENT).with_source(here);
    assert_eq!(scene.send_with(&message, &context).status(), 200);
    scene.close();
}

// SEC-31, SRV-51: a host that does not keep up is told to answer 503 itself.
#[test]
fn too_much_output_that_waits_is_a_backlog() {
    let mut scene = Scene::configured(|config| {
        config.server.limits.outputs = 10;
        config.server.retry_after = 7;
    });
    let identity = Identity::of(ANA, Assurance::Digest).unwrap();
    let context = RequestContext::new(&identity, AGENT);
    let now = scene.now;
    let mut taken = 0;
    for number in 0..100 {
        let message = scene.subscribe(ANA, BOB).with("Event", "dialog");
        let transaction = ServerTransaction(10_000 + number);
        match scene
            .role
            .handle_request(now, transaction, &message.view(), &context)
        {
            Ok(()) => taken += 1,
            Err(backlog) => {
                assert_eq!(backlog.retry_after, 7);
                assert!(backlog.to_string().contains("503"));
            }
        }
    }
    assert_eq!(taken, 10);
    assert_eq!(scene.role.counters().backlogs(), 90);
    assert_eq!(scene.drain().responses().len(), 10);
    let message = scene.subscribe(ANA, BOB);
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SEC-31: CVE-2026-45809.
#[test]
fn a_watcher_with_an_endless_name_is_refused() {
    let mut scene = Scene::new();
    let from = format!("sip:{}@example.com", "x".repeat(5_000));
    let message = scene.subscribe(&from, BOB);
    assert_eq!(story(&scene.send(&message)), ["513"]);
    let from = format!("sip:{}@example.com", "x".repeat(65_000));
    let message = scene.subscribe(&from, BOB);
    assert_eq!(story(&scene.send_from(&message, ANA)), ["513"]);
    scene.empty();
}

// SEC-35: RFC 2779, 5.1.11.
#[test]
fn a_presentity_may_learn_who_watches() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let message = scene.subscribe(CARLA, BOB);
    let outputs = scene.send(&message);
    let [ServerEvent::SubscriptionStarted { subject, decision }] = outputs.events()[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(subject.watcher.as_deref(), Some("carla@example.com"));
    assert!(matches!(decision, Decision::Allow(_)));
    scene.answer_all(&outputs);
    let watchers: Vec<_> = scene
        .role
        .subscriptions()
        .filter_map(|it| it.watcher)
        .collect();
    assert_eq!(watchers, ["ana@example.com", "carla@example.com"]);
    let outputs = scene.send(&watch.unsubscribe());
    let [ServerEvent::SubscriptionEnded { subject, .. }] = outputs.events()[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(subject.watcher.as_deref(), Some("ana@example.com"));
    scene.answer_all(&outputs);
    scene.close();
}

// SEC-35: RFC 2779, 5.2.1: the document goes to the watcher's own target and nowhere else.
#[test]
fn only_the_watcher_gets_the_document() {
    let mut scene = Scene::deciding(forbidden());
    scene.set("secret");
    let allow = crate::scene::allowed();
    scene.rules().each.insert("ana@example.com".into(), allow);
    scene.watch();
    for user in [CARLA, MALLORY] {
        let message = scene.subscribe(user, BOB);
        assert!(scene.send(&message).requests().is_empty());
    }
    scene.pass(10.0);
    let outputs = scene.set("secret too");
    assert_eq!(outputs.notify().uri(), "sip:ana@phone.example.net:5062");
    scene.answer_all(&outputs);
    scene.close();
}

// SEC-35: RFC 2779, 5.2.4: a NOTIFY is told by tags that cannot be guessed.
#[test]
fn tags_come_from_the_callers_entropy() {
    let tag = |seed| {
        let config = presentity::presence::AgentConfig::default();
        let mut scene = Scene::seeded(config, crate::scene::allowed(), seed);
        let tags = [scene.watch().tag, scene.watch().tag];
        scene.close();
        tags
    };
    assert_eq!(tag(1), tag(1));
    let mut all: Vec<String> = (1..40).flat_map(tag).collect();
    assert!(all.iter().all(|tag| tag.len() >= 13));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 78);
}

// SEC-10, SEC-35: RFC 2779, 5.1.15.
#[test]
fn a_block_may_be_polite() {
    let mut scene = Scene::deciding(Decision::PoliteBlock);
    scene.set("secret");
    let watch = scene.watch();
    assert_eq!(state_of(&watch.notify), "active;expires=600");
    let body = crate::common::body_of(&watch.notify);
    assert!(!body.contains("secret") && body.contains("closed"));
    scene.close();
}

#[test]
fn every_refusal_is_counted_by_its_reason() {
    let mut scene = Scene::new();
    let cases = [
        (
            scene.subscribe(ANA, BOB).without("CSeq"),
            RefusalReason::Malformed,
        ),
        (
            scene.subscribe(ANA, BOB).in_dialog("x", 2),
            RefusalReason::UnknownDialog,
        ),
        (
            scene.subscribe(ANA, BOB).with("Require", "x"),
            RefusalReason::Extension,
        ),
        (
            scene.subscribe(ANA, BOB).with("Event", "x"),
            RefusalReason::UnknownEvent,
        ),
        (
            scene.subscribe(ANA, BOB).with("Accept", ""),
            RefusalReason::NotAcceptable,
        ),
        (
            scene.subscribe(ANA, BOB).with("Expires", "1"),
            RefusalReason::TooBrief,
        ),
        (scene.subscribe(ANA, "tel:+1"), RefusalReason::Scheme),
        (Message::new("INVITE", ANA, BOB, "i"), RefusalReason::Method),
        (
            scene.publish(ANA, "").with("SIP-If-Match", "x"),
            RefusalReason::UnknownEntityTag,
        ),
        (
            scene
                .publish(ANA, &document("t", "x"))
                .with("Content-Type", "a/b"),
            RefusalReason::UnknownBody,
        ),
    ];
    for (message, reason) in cases {
        assert_eq!(scene.role.counters().refused(reason), 0, "{reason}");
        scene.send_from(&message, ANA);
        assert_eq!(scene.role.counters().refused(reason), 1, "{reason}");
    }
    let all: u64 = scene
        .role
        .counters()
        .refusals()
        .map(|(_, count)| count)
        .sum();
    assert_eq!(all, 10);
    scene.empty();
}

// PA-47, SEC-28: calls in odd order, too early and too often.
#[test]
fn spurious_calls_do_nothing() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let open = scene.send(&message);
    let before = scene.role.occupancy();
    for _ in 0..10 {
        let now = scene.now;
        scene.role.handle_timeout(now);
        scene
            .role
            .handle_timeout(presentity::engine::Timestamp::ZERO);
        assert!(scene.drain().all.is_empty());
    }
    assert_eq!(scene.role.occupancy(), before);
    scene.answer_all(&open);
    scene.close();
}
