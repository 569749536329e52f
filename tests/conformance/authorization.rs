//! Decisions: what each means at first, and when it follows another.

use presentity::event::{
    Authorization, Decision, EndReason, Reason, Rejection, SubscribeQuery, Termination, View,
};
use presentity::pidf::{Basic, Note, Presence, Tuple};
use presentity::presence::{
    Agent, AgentConfig, BlockedDocument, DenyAll, PendingDocument, Policy, UnknownDocument,
    UnknownPresentity,
};
use presentity::sip::OutgoingRequest;

use crate::common::{Driver, Message, field, seeded, state_of};
use crate::scene::{
    ANA, BOB, CARLA, Scene, allowed, end_of, forbidden, notes, read, story, viewing,
};

/// What a watcher sees, in a word.
fn sight(request: &OutgoingRequest) -> &'static str {
    if request.body().is_empty() {
        return "nothing";
    }
    let document = read(request);
    match (&document.tuples[..], &document.notes[..]) {
        ([], [note]) if note.text == "Waiting for permission" => "wait",
        ([], [_]) => "notes",
        ([tuple], []) if tuple.status.basic() == Some(Basic::Closed) => "offline",
        ([tuple], []) if tuple.notes.is_empty() => "tuples",
        ([_], [_]) => "all",
        _ => "something",
    }
}

fn known_state() -> Presence {
    crate::scene::state("here").with_note("in person")
}

// PA-26, PA-27, PA-28, PA-29, PA-37
#[test]
fn each_decision_about_a_new_subscription_has_its_answer() {
    let cases: [(Authorization, &[&str], &str); 7] = [
        (
            allowed(),
            &["200", "started allowed", "active;expires=600"],
            "all",
        ),
        (
            viewing("notes").into(),
            &["200", "started allowed", "active;expires=600"],
            "notes",
        ),
        (
            Decision::Pending.into(),
            &["200", "started pending", "pending;expires=600"],
            "wait",
        ),
        (
            Decision::PoliteBlock.into(),
            &["200", "started polite", "active;expires=600"],
            "offline",
        ),
        (forbidden().into(), &["403"], ""),
        (Decision::Reject(Rejection::Decline).into(), &["603"], ""),
        (Authorization::Challenge, &["challenge 401"], ""),
    ];
    for (decision, expected, seen) in cases {
        let mut scene = Scene::deciding(decision.clone());
        scene.set_document(BOB, known_state());
        let message = scene.subscribe(ANA, BOB);
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), expected, "{decision:?}");
        if !seen.is_empty() {
            assert_eq!(sight(outputs.notify()), seen, "{decision:?}");
        }
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-26, SEC-30: nothing is made before it is allowed.
#[test]
fn a_refused_subscription_leaves_no_trace() {
    for decision in [
        forbidden().into(),
        Decision::Reject(Rejection::Decline).into(),
        Authorization::Challenge,
    ] {
        let mut scene = Scene::deciding(decision);
        for _ in 0..100 {
            let message = scene.subscribe(ANA, BOB);
            assert_eq!(scene.send(&message).all.len(), 1);
            assert_eq!(scene.role.occupancy(), Default::default());
        }
        scene.empty();
    }
}

// PA-27: as it was before RFC 6665.
#[test]
fn what_is_not_an_acceptance_may_be_answered_202() {
    for (decision, status) in [
        (allowed(), 200),
        (Decision::Pending.into(), 202),
        (Decision::PoliteBlock.into(), 202),
    ] {
        let mut config = AgentConfig::default();
        config.server.draft08 = true;
        let mut scene = Scene::with(config, decision);
        let message = scene.subscribe(ANA, BOB);
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), status);
        let tag = outputs.response().to_tag().unwrap().to_owned();
        scene.answer_all(&outputs);
        let outputs = scene.send(&message.in_dialog(&tag, 2));
        assert_eq!(outputs.status(), status);
        scene.answer_all(&outputs);
        scene.close();
    }
}

// PA-24: it waits in the subscription, not in the transaction.
#[test]
fn an_undecided_subscribe_is_answered_at_once() {
    let mut scene = Scene::deciding(Decision::Pending);
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    assert_eq!(state_of(outputs.notify()), "pending;expires=600");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-30, SRV-11: somebody has to be asked.
#[test]
fn what_waits_for_a_decision_is_to_be_seen() {
    let mut scene = Scene::deciding(Decision::Pending);
    scene.watch();
    scene.watch_as(CARLA);
    let waiting: Vec<_> = scene
        .role
        .subscriptions()
        .filter(|one| *one.decision == Decision::Pending)
        .map(|one| (one.watcher.unwrap().to_owned(), one.resource.to_owned()))
        .collect();
    assert_eq!(
        waiting,
        [
            ("ana@example.com".to_owned(), "bob@example.com".to_owned()),
            ("carla@example.com".to_owned(), "bob@example.com".to_owned()),
        ]
    );
    scene.close();
}

// PA-28, PA-37
#[test]
fn a_pending_watcher_is_told_of_no_change() {
    let mut scene = Scene::deciding(Decision::Pending);
    let mut watch = scene.watch();
    for note in ["one", "two", "three"] {
        scene.pass(10.0);
        assert!(scene.set(note).all.is_empty(), "{note}");
    }
    let outputs = scene.send(&watch.refresh());
    assert_eq!(sight(outputs.notify()), "wait");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-35
#[test]
fn a_pending_watcher_reads_a_note_that_says_so() {
    let mut scene = Scene::deciding(Decision::Pending);
    scene.set("here");
    let watch = scene.watch();
    let document = read(&watch.notify);
    assert_eq!(document.entity, BOB);
    assert!(document.tuples.is_empty());
    assert_eq!(document.notes[0].text, "Waiting for permission");
    assert_eq!(document.notes[0].lang.as_deref(), Some("en"));
    scene.close();
}

fn pending_with(document: PendingDocument) -> Scene {
    let mut config = AgentConfig::default();
    config.pending = document;
    Scene::with(config, Decision::Pending)
}

// PA-35
#[test]
fn the_note_is_the_applications_to_choose() {
    let note = Note::new("Bob wird gefragt").in_language("de");
    let mut scene = pending_with(PendingDocument::Note(note.clone()));
    let watch = scene.watch();
    assert_eq!(read(&watch.notify).notes, [note]);
    scene.close();
}

// PA-34, PA-35
#[test]
fn a_pending_watcher_may_get_no_document() {
    let mut scene = pending_with(PendingDocument::Nothing);
    scene.set("here");
    let watch = scene.watch();
    assert_eq!(sight(&watch.notify), "nothing");
    assert_eq!(field(&watch.notify, "Content-Type"), None);
    scene.close();
}

// PA-33
#[test]
fn a_pending_watcher_may_be_shown_false_state() {
    let mut scene = pending_with(PendingDocument::Offline);
    scene.set("here");
    let watch = scene.watch();
    assert_eq!(sight(&watch.notify), "offline");
    assert_eq!(state_of(&watch.notify), "pending;expires=600");
    scene.close();
}

// PA-32
#[test]
fn a_politely_blocked_watcher_sees_one_closed_contact() {
    let mut scene = Scene::deciding(Decision::PoliteBlock);
    scene.set_document(BOB, known_state());
    let mut watch = scene.watch();
    let document = read(&watch.notify);
    assert_eq!(document.entity, BOB);
    assert_eq!(document.tuples.len(), 1);
    let tuple = &document.tuples[0];
    assert_eq!(tuple.status.basic(), Some(Basic::Closed));
    assert_eq!(
        tuple.contact.as_ref().map(|contact| contact.uri.as_str()),
        Some(BOB)
    );
    assert!(tuple.notes.is_empty() && tuple.timestamp_text().is_none());
    assert!(document.notes.is_empty() && document.extensions.is_empty());
    for note in ["one", "two"] {
        scene.pass(10.0);
        assert!(scene.set(note).all.is_empty());
    }
    let outputs = scene.send(&watch.refresh());
    assert_eq!(read(outputs.notify()), document, "the same each time");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-31, PA-32, SEC-10: nothing in it is unlike a NOTIFY about somebody whose phone is off.
#[test]
fn a_polite_block_looks_like_a_phone_that_is_off() {
    let mut blocked = Scene::deciding(Decision::PoliteBlock);
    blocked.set("here");
    let mut real = Scene::new();
    let false_notify = blocked.watch().notify;
    let closed = read(&false_notify);
    real.set_document(BOB, closed);
    let message = real.subscribe(ANA, BOB);
    let outputs = real.send(&message);
    let true_notify = outputs.notify();
    let written = |request: &OutgoingRequest| {
        let mut bytes = Vec::new();
        request.write_to("", &mut bytes);
        String::from_utf8(bytes).unwrap()
    };
    assert_eq!(written(&false_notify), written(true_notify));
    real.answer_all(&outputs);
    real.close();
    blocked.close();
}

// PA-31, PA-32, SEC-10: where those who are not there are shown without tuples.
#[test]
fn a_polite_block_may_look_like_a_presentity_of_whom_nothing_is_known() {
    for unknown in [UnknownDocument::Empty, UnknownDocument::Nothing] {
        let story_of = |decision: Authorization, known: bool| {
            let mut config = AgentConfig::default();
            config.unknown = unknown;
            config.blocked = BlockedDocument::Unknown;
            let mut scene = Scene::with(config, decision);
            if known {
                scene.set_document(BOB, known_state());
            }
            let message = scene.subscribe(ANA, BOB);
            let outputs = scene.send(&message);
            let mut bytes = Vec::new();
            outputs.notify().write_to("", &mut bytes);
            scene.answer_all(&outputs);
            scene.close();
            String::from_utf8(bytes).unwrap()
        };
        let blocked = story_of(Decision::PoliteBlock.into(), true);
        assert_eq!(blocked, story_of(allowed(), false));
        assert_ne!(blocked, story_of(allowed(), true));
    }
}

// PA-32: an id that every agent uses would give it away.
#[test]
fn the_id_of_a_false_document_tells_nothing() {
    let id = |seed, presentity| {
        let config = AgentConfig::default();
        let mut scene = Scene::seeded(config, Decision::PoliteBlock, seed);
        let message = scene.subscribe(ANA, presentity);
        let watch = scene.watch_by(message);
        scene.close();
        read(&watch.notify).tuples[0].id.clone()
    };
    assert_eq!(id(1, BOB), id(1, "pres:bob@example.com"));
    assert_ne!(id(1, BOB), id(2, BOB));
    assert_ne!(id(1, BOB), id(1, CARLA));
}

// PA-40, SRV-13: the live user has decided.
#[test]
fn one_who_is_let_in_gets_the_document_of_now_at_once() {
    let mut scene = Scene::deciding(Decision::Pending);
    scene.set_document(BOB, known_state());
    scene.watch();
    let outputs = scene.decide(Decision::Allow(View::full()));
    assert_eq!(story(&outputs), ["changed allowed", "active;expires=600"]);
    assert_eq!(sight(outputs.notify()), "all");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-41, PA-46, SEC-35: RFC 2779, 5.1.5.
#[test]
fn one_who_is_refused_later_is_told_so() {
    for rejection in [Rejection::Forbidden, Rejection::Decline] {
        let mut scene = Scene::deciding(Decision::Pending);
        scene.set_document(BOB, known_state());
        scene.watch();
        let outputs = scene.decide(Decision::Reject(rejection));
        assert_eq!(
            story(&outputs),
            ["ended: rejected", "terminated;reason=rejected"]
        );
        assert_eq!(end_of(&outputs), EndReason::Rejected);
        assert_eq!(sight(outputs.notify()), "nothing");
        scene.answer_all(&outputs);
        scene.empty();
    }
}

// PA-40, PA-41, PA-42, PA-47, SRV-81
#[test]
fn every_decision_may_follow_every_other() {
    let decisions = [
        (Decision::Allow(View::full()), "active", "all"),
        (viewing("notes"), "active", "notes"),
        (viewing("tuples"), "active", "tuples"),
        (Decision::Pending, "pending", "wait"),
        (Decision::PoliteBlock, "active", "offline"),
        (forbidden(), "terminated", "nothing"),
    ];
    for (from, _, first) in &decisions[..5] {
        for (to, state, then) in &decisions {
            let mut scene = Scene::deciding(from.clone());
            let mut document = known_state();
            document.tuples[0].notes.clear();
            scene.set_document(BOB, document);
            let message = scene.subscribe(ANA, BOB);
            let outputs = scene.send(&message);
            assert_eq!(sight(outputs.notify()), *first);
            scene.answer_all(&outputs);
            let outputs = scene.decide(to.clone());
            if from == to {
                assert!(outputs.all.is_empty(), "{from:?}");
            } else {
                let notify = outputs.notify();
                assert!(state_of(notify).starts_with(state), "{from:?} {to:?}");
                assert_eq!(sight(notify), *then, "{from:?} {to:?}");
                assert_eq!(outputs.events().len(), 1);
                scene.answer_all(&outputs);
            }
            // What follows goes by the new decision.
            scene.pass(10.0);
            let more = known_state()
                .with_note("more")
                .with_tuple(Tuple::open("more"));
            let outputs = scene.set_document(BOB, more);
            let told = matches!(to, Decision::Allow(_));
            assert_eq!(
                outputs.requests().len(),
                usize::from(told),
                "{from:?} {to:?}"
            );
            scene.answer_all(&outputs);
            scene.close();
        }
    }
}

// PA-40, PA-42: to and fro on one subscription.
#[test]
fn decisions_may_change_again_and_again() {
    let mut scene = Scene::deciding(Decision::Pending);
    scene.set_document(BOB, known_state());
    scene.watch();
    for (decision, state, seen) in [
        (Decision::Allow(View::full()), "active", "all"),
        (Decision::Pending, "pending", "wait"),
        (Decision::PoliteBlock, "active", "offline"),
        (Decision::Allow(View::full()), "active", "all"),
        (Decision::PoliteBlock, "active", "offline"),
        (Decision::Pending, "pending", "wait"),
        (viewing("notes"), "active", "notes"),
        (forbidden(), "terminated", "nothing"),
    ] {
        let outputs = scene.decide(decision);
        assert!(state_of(outputs.notify()).starts_with(state));
        assert_eq!(sight(outputs.notify()), seen);
        scene.answer_all(&outputs);
    }
    scene.empty();
}

// PA-73: the decisions made in the meantime were never anybody's to see.
#[test]
fn of_several_decisions_while_a_notify_is_open_the_last_is_told() {
    let mut scene = Scene::deciding(Decision::Pending);
    scene.set_document(BOB, known_state());
    let message = scene.subscribe(ANA, BOB);
    let first = scene.send(&message);
    for decision in [
        Decision::Allow(View::full()),
        Decision::PoliteBlock,
        viewing("notes"),
    ] {
        assert!(scene.decide(decision).requests().is_empty());
    }
    let outputs = scene.answer_all(&first);
    assert_eq!(sight(outputs.notify()), "notes");
    assert!(scene.answer_all(&outputs).all.is_empty());
    scene.close();
}

// PA-42
#[test]
fn the_same_decision_again_is_no_change() {
    for decision in [
        Decision::Allow(View::full()),
        viewing("notes"),
        Decision::Pending,
        Decision::PoliteBlock,
    ] {
        let mut scene = Scene::deciding(decision.clone());
        scene.watch();
        assert!(scene.decide(decision).all.is_empty());
        scene.close();
    }
}

// PA-42
#[test]
fn a_decision_by_watcher_is_for_all_subscriptions_of_his() {
    let mut scene = Scene::deciding(Decision::Pending);
    scene.watch();
    scene.watch();
    scene.watch_as(CARLA);
    let other = scene.subscribe(ANA, CARLA);
    scene.watch_by(other);
    let now = scene.now;
    let allow = Decision::Allow(View::full());
    let count = scene
        .role
        .decide_watcher(now, ANA, "pres:bob@example.com", &allow);
    assert_eq!(count, Ok(2));
    let outputs = scene.drain();
    assert_eq!(
        story(&outputs),
        [
            "changed allowed",
            "active;expires=600",
            "changed allowed",
            "active;expires=600"
        ]
    );
    scene.answer_all(&outputs);
    let pending = scene
        .role
        .subscriptions()
        .filter(|one| *one.decision == Decision::Pending)
        .count();
    assert_eq!(pending, 2);
    for (watcher, presentity) in [
        ("sip:nobody@example.com", BOB),
        (ANA, "sip:nobody@example.com"),
        ("", BOB),
    ] {
        let count = scene.role.decide_watcher(now, watcher, presentity, &allow);
        assert_eq!(count, Ok(0));
    }
    let elsewhere = "http://example.com";
    let count = scene.role.decide_watcher(now, ANA, elsewhere, &allow);
    assert_eq!(count, Err(UnknownPresentity));
    scene.close();
}

// PA-42
#[test]
fn nothing_is_decided_about_what_is_over() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let (key, now) = (scene.key(), scene.now);
    let outputs = scene.send(&watch.unsubscribe());
    let over = |scene: &mut Scene| {
        let allow = Decision::Allow(View::full());
        assert!(scene.role.decide(now, key, allow.clone()).is_err());
        assert!(scene.role.decide(now, key, forbidden()).is_err());
        let end = Termination::new(Reason::Rejected);
        assert!(scene.role.terminate(now, key, end).is_err());
        assert!(scene.role.subscription(key).is_none());
        assert!(scene.drain().all.is_empty());
    };
    over(&mut scene);
    scene.answer_all(&outputs);
    over(&mut scene);
    // The next subscription is another one.
    scene.watch();
    over(&mut scene);
    scene.close();
}

// PA-46: no decision in time.
#[test]
fn an_application_gives_up_on_a_decision() {
    let mut scene = Scene::deciding(Decision::Pending);
    scene.watch();
    let (key, now) = (scene.key(), scene.now);
    let end = Termination::new(Reason::GiveUp).with_retry_after(600);
    scene.role.terminate(now, key, end).unwrap();
    let outputs = scene.drain();
    assert_eq!(
        story(&outputs),
        [
            "ended: terminated, giveup",
            "terminated;reason=giveup;retry-after=600"
        ]
    );
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-37, SEC-35: RFC 2779, 5.2.3.
#[test]
fn different_watchers_are_shown_different_things() {
    let mut scene = Scene::deciding(forbidden());
    scene.set_document(BOB, known_state());
    for (watcher, decision) in [
        ("a@example.com", Decision::Allow(View::full())),
        ("b@example.com", viewing("notes")),
        ("c@example.com", viewing("tuples")),
        ("d@example.com", viewing("unheard")),
        ("e@example.com", Decision::PoliteBlock),
        ("f@example.com", Decision::Pending),
    ] {
        scene.rules().each.insert(watcher.into(), decision.into());
    }
    let watchers = ["a", "b", "c", "d", "e", "f"];
    for name in watchers {
        scene.watch_as(&format!("sip:{name}@example.com"));
    }
    scene.pass(10.0);
    let mut document = crate::scene::state("there").with_note("changed");
    document.tuples[0].status.set_basic(Some(Basic::Closed));
    let outputs = scene.set_document(BOB, document);
    let told: Vec<_> = outputs
        .requests()
        .iter()
        .map(|request| {
            let document = read(request);
            let to = field(request, "To").unwrap();
            (
                to[5..6].to_owned(),
                document.tuples.len(),
                document.notes.len(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("a".to_owned(), 1, 1),
            ("b".to_owned(), 0, 1),
            ("c".to_owned(), 1, 0)
        ]
    );
    scene.answer_all(&outputs);
    scene.close();
}

// PA-37: what a view leaves out is no change for those who have it.
#[test]
fn a_change_that_a_view_hides_is_not_told() {
    let mut scene = Scene::deciding(viewing("notes"));
    scene.set_document(BOB, known_state());
    scene.watch();
    scene.pass(10.0);
    let mut document = known_state();
    document.tuples[0].status.set_basic(Some(Basic::Closed));
    assert!(scene.set_document(BOB, document.clone()).all.is_empty());
    let outputs = scene.set_document(BOB, document.with_note("more"));
    assert_eq!(
        outputs.requests().len(),
        1,
        "and it did not start the interval"
    );
    scene.answer_all(&outputs);
    scene.close();
}

/// A policy that does not say what its views show.
struct Viewless;

impl Policy for Viewless {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        viewing("work").into()
    }
}

// PA-37
#[test]
fn a_view_that_nobody_defined_shows_nothing() {
    let agent = Agent::new(AgentConfig::default(), Viewless, seeded(3));
    let mut driver = Driver::new(agent);
    let now = driver.now;
    driver.role.set_presence(now, BOB, known_state()).unwrap();
    let outputs = driver.send(&Message::subscribe(ANA, BOB, "c"));
    assert_eq!(read(outputs.notify()), Presence::new(BOB));
}

// PA-37
#[test]
fn a_change_of_what_a_view_shows_is_told_to_those_who_have_it() {
    let mut scene = Scene::new();
    scene.rules().everybody = viewing("switch").into();
    scene.set_document(BOB, known_state());
    scene.watch();
    scene.rules().everybody = allowed();
    scene.watch_as(CARLA);
    let now = scene.now;
    scene.role.views_changed(now, BOB).unwrap();
    assert!(scene.drain().all.is_empty(), "no document became another");
    scene.rules().hidden = true;
    scene.role.views_changed(now, BOB).unwrap();
    let outputs = scene.drain();
    assert_eq!(sight(outputs.notify()), "notes");
    let to = field(outputs.notify(), "To").unwrap();
    assert!(to.starts_with("<sip:ana@"), "{to}");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-28, SEC-29: CVE-2021-41157.
#[test]
fn the_default_policy_lets_nobody_in() {
    let agent = Agent::new(AgentConfig::default(), DenyAll, seeded(3));
    let mut driver = Driver::new(agent);
    for event in ["presence", "presence.winfo"] {
        let message = Message::subscribe(ANA, BOB, event).with("Event", event);
        let outputs = driver.send(&message);
        assert_eq!(outputs.all.len(), 1);
        assert!(outputs.status() >= 400);
    }
    let message = Message::publish(BOB, "p", &crate::scene::document("t", "x"));
    assert_eq!(driver.send(&message).status(), 403);
    assert_eq!(driver.role.occupancy(), Default::default());
}

// PA-31, SEC-10: CVE-2018-12227.
#[test]
fn an_unknown_presentity_is_answered_like_one_that_refuses() {
    for decision in [
        forbidden().into(),
        Decision::Reject(Rejection::Decline).into(),
        Decision::Pending.into(),
        Decision::PoliteBlock.into(),
        Authorization::Challenge,
    ] {
        let story_of = |known: bool, expires: &str| {
            let mut scene = Scene::deciding(decision.clone());
            if known {
                scene.set_document(BOB, known_state());
            }
            let message = scene.subscribe(ANA, BOB).with("Expires", expires);
            let mut outputs = scene.send(&message);
            let answers = scene.answer_all(&outputs);
            outputs.all.extend(answers.all);
            outputs.all.extend(scene.pass(30.0).all);
            scene.close();
            outputs.all
        };
        for expires in ["600", "0"] {
            assert_eq!(
                story_of(true, expires),
                story_of(false, expires),
                "{decision:?}"
            );
        }
    }
}

// PA-37, SRV-13: what a policy is told about a SUBSCRIBE.
#[test]
fn the_policy_learns_what_is_asked_for() {
    let mut scene = Scene::new();
    let message = scene
        .subscribe(ANA, "pres:bob@example.com")
        .with("Expires", "5000");
    scene.watch_by(message);
    let asked = &scene.rules().asked[0];
    assert_eq!(asked.watcher.as_deref(), Some("ana@example.com"));
    assert_eq!(asked.resource, "bob@example.com");
    assert_eq!(asked.uri, "pres:bob@example.com");
    assert_eq!(asked.expires, 3600);
    assert_eq!(asked.current, None);
    scene.close();
}

// PA-28: nobody is let in behind the policy's back.
#[test]
fn every_subscribe_is_put_before_the_policy_once() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let fetch = scene.subscribe(ANA, BOB).with("Expires", "0");
    for message in [watch.refresh(), watch.unsubscribe(), fetch] {
        let outputs = scene.send(&message);
        scene.answer_all(&outputs);
    }
    let expires: Vec<_> = scene.rules().asked.iter().map(|it| it.expires).collect();
    assert_eq!(expires, [600, 600, 0, 0]);
    assert!(notes(&watch.notify).is_empty());
    scene.empty();
}
