//! A subscription by documents from its beginning to its end, at a presence agent that SIP knows.

use std::time::Duration;

use presentity::event::{Decision, SubscribeFailure, SubscriptionEnd, View};
use presentity::sdf::{Failure, Operation};

use crate::common::field;
use crate::rules::{EMIL, OTTO, clock, known, plain, state, token};
use crate::scene::{Fate, Scene};

// SDF-31: documents come and go as they are.
#[test]
fn subscribed_extended_cancelled() {
    let mut scene = Scene::new();
    scene.set(state(EMIL, "away"));
    let told = scene.subscribe("a", 600);
    assert_eq!(told.story(), ["Subscribe 600", "a: away"]);
    assert_eq!(told.states()[0].body, *scene.notifies[0].body());
    assert_eq!(told.states()[0].duration, Some(600));
    assert_eq!(&*told.states()[0].watcher, crate::rules::NORA);
    assert_eq!(&*told.states()[0].presentity, EMIL);
    assert_eq!(scene.live(), 1);

    scene.pass(300.0);
    let told = scene.subscribe("a", 900);
    assert_eq!(told.granted().operation, Operation::Extend);
    assert_eq!(told.granted().duration, 900);
    assert!((899.0..=900.0).contains(&scene.left_there()));
    assert_eq!(scene.gateway.len(), 1);
    // The end of before is none any more.
    let told = scene.pass(500.0);
    assert_eq!(told.ends(), []);
    assert_eq!(scene.live(), 1);

    let told = scene.set(state(EMIL, "back"));
    assert_eq!(told.story(), ["a: back"]);
    let told = scene.end("a");
    assert_eq!(told.granted().operation, Operation::Cancel);
    assert_eq!(scene.set(state(EMIL, "out")).story(), [""; 0]);
    scene.nothing_is_left();
}

#[test]
fn the_answer_waits_for_the_far_end() {
    let mut scene = Scene::new();
    scene.fates.push_back(Fate::Held);
    assert_eq!(scene.subscribe("a", 600).story(), [""; 0]);
    assert_eq!(scene.live(), 0);
    assert_eq!(scene.release().story(), ["Subscribe 600", "a: nothing"]);
    for _ in 0..2 {
        scene.fates.push_back(Fate::Held);
        assert_eq!(scene.subscribe("a", 500).story(), [""; 0]);
        assert_eq!(scene.release().answers().len(), 1);
    }
    scene.fates.push_back(Fate::Held);
    assert_eq!(scene.end("a").story(), [""; 0]);
    assert_eq!(scene.live(), 1);
    assert_eq!(scene.release().granted().operation, Operation::Cancel);
    scene.nothing_is_left();
}

#[test]
fn the_far_end_grants_less() {
    let mut scene = Scene::with(
        Default::default(),
        crate::rules::service(|config| config.server.max_expires = 300),
    );
    assert_eq!(scene.subscribe("a", 600).granted().duration, 300);
    scene.pass(100.0);
    assert_eq!(scene.subscribe("a", 600).granted().duration, 300);
    assert_eq!(scene.pass(299.0).ends(), []);
    assert_eq!(scene.pass(2.0).ends(), [None]);
    scene.pass(40.0);
    scene.nothing_is_left();
}

#[test]
fn a_shorter_extension_is_a_new_end() {
    let mut scene = Scene::new();
    scene.subscribe("a", 3600);
    scene.pass(10.0);
    assert_eq!(scene.subscribe("a", 120).granted().duration, 120);
    assert!(scene.left_there() <= 120.0);
    assert_eq!(scene.pass(119.0).ends(), []);
    assert_eq!(scene.pass(2.0).ends(), [None]);
    scene.pass(40.0);
    scene.nothing_is_left();
}

#[test]
fn fetched() {
    let mut scene = Scene::new();
    scene.set(state(EMIL, "away"));
    let request = scene.fetch();
    let told = scene.ask_plainly(&request);
    assert_eq!(told.story(), ["Fetch 0", "once: away"]);
    assert_eq!(told.states()[0].duration, None);
    scene.nothing_is_left();
    // A subscription is left alone by it.
    scene.subscribe("a", 600);
    let request = scene.fetch();
    assert_eq!(
        scene.ask_plainly(&request).story(),
        ["Fetch 0", "once: away"]
    );
    assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
    scene.end("a");
    scene.nothing_is_left();
}

#[test]
fn what_is_pending_is_told_so_until_it_is_decided() {
    let mut scene = Scene::new();
    let rules = scene.far.agent_mut().policy_mut();
    rules
        .each
        .insert("nora@example.org".to_owned(), Decision::Pending);
    scene.set(state(EMIL, "away"));
    let told = scene.subscribe("a", 600);
    assert!(told.granted().pending);
    assert!(told.states().iter().all(|state| state.pending));
    let told = scene.subscribe("a", 700);
    assert!(told.granted().pending, "an extension decides nothing");
    let (now, key) = (
        scene.now,
        scene.far.agent().subscriptions().next().unwrap().key,
    );
    let agent = scene.far.agent_mut();
    agent
        .decide(now, key, Decision::Allow(View::full()))
        .unwrap();
    let told = scene.settle();
    assert_eq!(told.story(), ["a: away"]);
    assert!(!told.states()[0].pending);
    assert!(!scene.subscribe("a", 800).granted().pending);
    scene.end("a");
    scene.nothing_is_left();
}

#[test]
fn a_lapse_at_the_gateway_ends_it_at_the_far_end() {
    let mut scene = Scene::new();
    scene.subscribe("a", 600);
    // Refreshes keep it well beyond.
    let told = scene.pass(599.5);
    assert_eq!(told.answers().len() + told.ends().len(), 0);
    assert_eq!(scene.live(), 1);
    assert_eq!(scene.pass(1.0).ends(), [None]);
    assert_eq!(scene.live(), 0);
    scene.pass(40.0);
    scene.nothing_is_left();
}

#[test]
fn refreshes_of_the_gateway_have_no_body() {
    let mut scene = Scene::new();
    scene.subscribe("a", 3600);
    scene.pass(3599.0);
    assert!(scene.subscribes.len() > 1, "it is refreshed");
    let (first, others) = scene.subscribes.split_first().unwrap();
    assert!(!first.body().is_empty());
    for refresh in others {
        assert!(refresh.body().is_empty());
        assert_eq!(field(refresh, "Content-Type"), None);
    }
    assert_eq!(scene.live(), 1);
    scene.subscribe("a", 3600);
    let count = scene.subscribes.len();
    scene.pass(3500.0);
    assert!(scene.subscribes.len() > count);
    assert!(
        scene.subscribes[count..]
            .iter()
            .all(|it| it.body().is_empty())
    );
    scene.end("a");
    scene.nothing_is_left();
}

/// What is granted counts from when the far end has said so, not from when it was asked for.
#[test]
fn what_is_granted_late_lasts_as_long() {
    let mut scene = Scene::new();
    for operation in [Operation::Subscribe, Operation::Extend] {
        scene.fates.push_back(Fate::Held);
        scene.subscribe("a", 600);
        scene.now = scene.now + Duration::from_secs(20);
        let granted = scene.release().granted();
        assert_eq!((granted.operation, granted.duration), (operation, 600));
        assert_eq!(scene.pass(590.0).ends(), []);
        assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
    }
    assert_eq!(scene.pass(11.0).ends(), [None]);
    scene.pass(40.0);
    scene.nothing_is_left();
}

#[test]
fn extended_just_before_the_lapse() {
    let mut scene = Scene::new();
    scene.subscribe("a", 600);
    let told = scene.pass(599.9);
    assert_eq!(told.ends(), []);
    assert_eq!(
        scene.subscribe("a", 600).granted().operation,
        Operation::Extend
    );
    assert_eq!(scene.pass(599.0).ends(), []);
    assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
    // And answered behind it.
    scene.fates.push_back(Fate::Held);
    scene.subscribe("a", 600);
    let told = scene.pass(5.0);
    assert_eq!(told.failure(), Failure::Sip(SubscribeFailure::Timeout));
    assert_eq!(told.ends(), [None]);
    assert!(scene.gateway.is_empty());
    assert_eq!(scene.release().story(), [""; 0]);
    scene.pass(40.0);
    scene.nothing_is_left();
}

#[test]
fn after_a_lapse_the_same_token_is_a_new_subscription() {
    let mut scene = Scene::new();
    scene.subscribe("a", 600);
    assert_eq!(scene.pass(601.0).ends(), [None]);
    assert_eq!(
        scene.subscribe("a", 600).granted().operation,
        Operation::Subscribe
    );
    assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
    scene.end("a");
    scene.pass(40.0);
    scene.nothing_is_left();
}

#[test]
fn subscriptions_of_one_watcher_are_kept_apart() {
    let mut scene = Scene::new();
    scene.subscribe("a", 600);
    scene.subscribe("b", 900);
    assert_eq!((scene.gateway.len(), scene.live()), (2, 2));
    let told = scene.set(state(EMIL, "away"));
    let mut story = told.story();
    story.sort();
    assert_eq!(story, ["a: away", "b: away"]);
    scene.end("a");
    assert_eq!(scene.end("a").failure(), Failure::UnknownSubscription);
    assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
    scene.pass(6.0);
    assert_eq!(scene.set(state(EMIL, "back")).story(), ["b: back"]);
    scene.end("b");
    scene.nothing_is_left();
}

#[test]
fn what_is_unknown_cannot_be_cancelled_nor_what_is_anothers() {
    let mut scene = Scene::new();
    assert_eq!(scene.end("a").failure(), Failure::UnknownSubscription);
    assert!(scene.subscribes.is_empty());
    scene.subscribe("a", 600);
    // In his own name, and in hers.
    let at = clock(scene.now) + crate::rules::milliseconds(1);
    scene.watcher = known(OTTO);
    let own = presentity::sdf::Request::cancel(OTTO, EMIL, at, &token("a")).unwrap();
    assert_eq!(
        scene.ask(&plain(&own)).failure(),
        Failure::UnknownSubscription
    );
    let hers = scene.cancel("a");
    assert_eq!(scene.ask(&plain(&hers)).failure(), Failure::WrongSender);
    let more = scene.hold("a", 900);
    assert_eq!(scene.ask(&plain(&more)).failure(), Failure::WrongSender);
    assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
    scene.watcher = known(crate::rules::NORA);
    scene.end("a");
    scene.nothing_is_left();
}

#[test]
fn nobody_gets_nothing_without_a_signature() {
    let mut scene = Scene::new();
    scene.watcher = presentity::event::Identity::nobody();
    assert_eq!(scene.subscribe("a", 600).failure(), Failure::Unidentified);
    scene.nothing_is_left();
}

#[test]
fn repeated_requests_are_refused_here() {
    let mut scene = Scene::new();
    let request = scene.hold("a", 600);
    scene.ask_plainly(&request);
    assert_eq!(scene.ask_plainly(&request).failure(), Failure::Replayed);
    assert_eq!(scene.subscribes.len(), 1);
    scene.end("a");
    // What it was is over, and cannot be brought back.
    assert_eq!(scene.ask_plainly(&request).failure(), Failure::Replayed);
    scene.nothing_is_left();
}

#[test]
fn the_far_end_ends_it_by_itself() {
    use presentity::event::{Reason, Termination};
    for (reason, word) in [
        (Reason::Rejected, "rejected"),
        (Reason::Deactivated, "deactivated"),
        (Reason::NoResource, "noresource"),
        (Reason::Timeout, "timeout"),
        (Reason::GiveUp, "giveup"),
    ] {
        let mut scene = Scene::new();
        scene.subscribe("a", 600);
        scene.subscribe("b", 600);
        let now = scene.now;
        let keys: Vec<_> = scene.far.agent().subscriptions().collect();
        let key = keys[0].key;
        let agent = scene.far.agent_mut();
        agent.terminate(now, key, Termination::new(reason)).unwrap();
        let told = scene.settle();
        let reason = Some(word.to_owned());
        let end = SubscriptionEnd::ByNotifier {
            reason,
            retry_after: None,
        };
        assert_eq!(told.ends(), [Some(end)], "{word}");
        assert_eq!((scene.gateway.len(), scene.live()), (1, 1), "{word}");
        // It is not asked for again: the document was for once.
        let count = scene.subscribes.len();
        assert_eq!(scene.pass(100.0).story(), [""; 0]);
        assert_eq!(scene.subscribes.len(), count);
        assert_eq!(scene.end("a").failure(), Failure::UnknownSubscription);
        scene.end("b");
        scene.nothing_is_left();
    }
}
