//! The four operations, in the order and with the times of the draft's examples.

use bytes::Bytes;
use presentity::event::{Decision, EndReason};
use presentity::sdf::{Failure, MEDIA_TYPE, Operation, Request, RequestContext};

use crate::scene::{EMIL, NORA, OTTO, PENDING, RUTH, Scene, known, written};

fn document(at: &str, token: Option<&str>, duration: u32) -> Bytes {
    let token = token.map_or(String::new(), |token| format!("  <Token>{token}</Token>\n"));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Subscribe>\n  <From>{NORA}</From>\n  \
         <To>{EMIL}</To>\n  <DateTime>2026-02-03T{at}:00-08:00</DateTime>\n{token}  \
         <Duration>{duration}</Duration>\n</Subscribe>\n"
    )
    .into()
}

// SDF-10, SDF-11, SDF-12, SDF-13, SDF-16, SDF-17, SDF-18, SDF-19, SDF-20: one subscription, held for
// an hour, extended for half an hour after forty minutes, fetched beside, and cancelled.
#[test]
fn a_subscription_is_made_extended_fetched_beside_and_cancelled() {
    let mut scene = Scene::new();
    scene.set(EMIL, "breakfast");
    let nora = known(NORA);
    let context = RequestContext::new(&nora).with_addressed(EMIL);
    let send = |scene: &mut Scene, at, token, duration| {
        scene.send_with(MEDIA_TYPE, &document(at, token, duration), &context)
    };

    let outputs = send(&mut scene, "01:00", Some("99"), 3600);
    assert_eq!(outputs.story(), ["Subscribe 3600", "nora 99: breakfast"]);
    let first = outputs.notification();
    assert_eq!((&*first.watcher(), &**first.presentity()), (NORA, EMIL));
    assert_eq!((first.token(), first.duration()), (Some("99"), Some(3600)));
    assert_eq!(first.media_type(), "application/pidf+xml");
    assert!(first.key().is_some() && first.transaction().is_some() && !first.is_pending());

    scene.until(600);
    let outputs = scene.set(EMIL, "on the train");
    assert_eq!(outputs.story(), ["nora 99: on the train"]);
    assert_eq!(outputs.notification().duration(), Some(3000));

    // Twenty minutes are left; half an hour from now replaces them.
    assert_eq!(scene.until(2400).story(), [""; 0]);
    let outputs = send(&mut scene, "01:40", Some("99"), 1800);
    assert_eq!(outputs.story(), ["Extend 1800", "nora 99: on the train"]);
    assert_eq!(outputs.notification().duration(), Some(1800));
    let ends: Vec<_> = scene
        .service
        .agent()
        .subscriptions()
        .map(|it| it.expires_at)
        .collect();
    assert_eq!(ends, [scene.now + std::time::Duration::from_secs(1800)]);

    scene.until(3000);
    let outputs = send(&mut scene, "01:50", None, 0);
    assert_eq!(outputs.story(), ["Fetch 0", "nora -: on the train"]);
    let fetched = outputs.notification();
    assert_eq!((fetched.token(), fetched.duration()), (None, None));
    assert_eq!((fetched.key(), fetched.transaction()), (None, None));
    assert_eq!((&*fetched.watcher(), &**fetched.presentity()), (NORA, EMIL));
    let left: Vec<_> = scene
        .service
        .agent()
        .subscriptions()
        .map(|it| it.expires_at)
        .collect();
    assert_eq!(left, ends, "a fetch leaves subscriptions alone");

    scene.until(3590);
    let outputs = scene.set(EMIL, "at the desk");
    assert_eq!(
        outputs.story(),
        ["nora 99: at the desk"],
        "and tells nothing twice"
    );

    // At the end that the first duration had, it still lives; then it is cancelled.
    scene.until(3600);
    let outputs = send(&mut scene, "02:00", Some("99"), 0);
    assert_eq!(outputs.story(), ["Cancel 0"]);
    assert_eq!(scene.live(), 0);
    scene.pass(10.0);
    assert_eq!(scene.set(EMIL, "gone").story(), [""; 0]);
    scene.empty();
}

// SDF-18, SDF-19: by a shorter one, too.
#[test]
fn an_extension_replaces_the_end_even_if_it_comes_sooner() {
    let mut scene = Scene::new();
    scene.subscribe(NORA, EMIL, "a", 3600);
    scene.until(100);
    let granted = scene.subscribe(NORA, EMIL, "a", 60).granted();
    assert_eq!(
        (granted.operation, granted.duration),
        (Operation::Extend, 60)
    );
    assert_eq!(scene.until(159).story(), [""; 0]);
    assert_eq!(scene.pass(1.1).story(), ["over a: expired"]);
    scene.empty();
}

// SDF-16, SDF-20, SDF-22: what is cancelled is free again.
#[test]
fn after_its_end_the_triple_is_free_again() {
    let mut scene = Scene::new();
    for round in 0..3 {
        let outputs = scene.subscribe(NORA, EMIL, "a", 60);
        assert_eq!(outputs.granted().operation, Operation::Subscribe, "{round}");
        assert_eq!(outputs.shown(), ["unknown"]);
        if round == 1 {
            assert_eq!(scene.pass(60.1).story(), ["over a: expired"]);
        } else {
            assert_eq!(scene.cancel(NORA, EMIL, "a").story(), ["Cancel 0"]);
        }
        assert_eq!(scene.live(), 0);
    }
    scene.empty();
}

// SDF-21
#[test]
fn to_cancel_what_is_not_there_fails_and_changes_nothing() {
    let mut scene = Scene::new();
    scene.subscribe(NORA, EMIL, "a", 600);
    for (from, to, token) in [(NORA, EMIL, "b"), (NORA, RUTH, "a"), (OTTO, EMIL, "a")] {
        let outputs = scene.cancel(from, to, token);
        assert_eq!(outputs.failure(), Failure::UnknownSubscription);
        assert_eq!(outputs.all.len(), 1);
        assert_eq!(outputs.failure().status(), 404);
    }
    assert_eq!(scene.live(), 1);
    assert_eq!(scene.cancel(NORA, EMIL, "a").story(), ["Cancel 0"]);
    assert_eq!(
        scene.cancel(NORA, EMIL, "a").failure(),
        Failure::UnknownSubscription
    );
    scene.empty();
}

// SDF-17: without any subscription, and each time anew.
#[test]
fn a_fetch_tells_the_state_once_and_leaves_nothing() {
    let mut scene = Scene::new();
    scene.set(EMIL, "here");
    for _ in 0..3 {
        assert_eq!(scene.fetch(NORA, EMIL).story(), ["Fetch 0", "nora -: here"]);
    }
    assert_eq!(scene.set(EMIL, "there").story(), [""; 0]);
    assert_eq!(scene.fetch(NORA, EMIL).shown(), ["there"]);
    assert_eq!(scene.fetch(NORA, RUTH).shown(), ["unknown"]);
    assert_eq!(scene.live(), 0);
    scene.empty();
}

// SDF-23
#[test]
fn a_fetch_shows_what_the_policy_lets_be_seen() {
    let mut scene = Scene::new();
    scene.set(EMIL, "here");
    scene.rule(NORA, crate::scene::viewing("work"));
    assert_eq!(scene.fetch(NORA, EMIL).shown(), ["work: here"]);
    scene.rule(NORA, Decision::Pending);
    let outputs = scene.fetch(NORA, EMIL);
    assert!(outputs.granted().pending);
    assert_eq!(outputs.shown(), [PENDING]);
    scene.rule(NORA, Decision::PoliteBlock);
    let outputs = scene.fetch(NORA, EMIL);
    assert!(!outputs.granted().pending);
    assert_eq!(outputs.shown(), ["offline"]);
    scene.rule(NORA, crate::scene::forbidden());
    let outputs = scene.fetch(NORA, EMIL);
    assert!(matches!(outputs.failure(), Failure::Rejected(_)));
    assert_eq!(outputs.all.len(), 1);
    scene.empty();
}

// SDF-12, SDF-13: what follows shows the end that is left, and the flow of the last request.
#[test]
fn notifications_go_the_way_of_the_last_request() {
    use presentity::engine::FlowId;
    let mut scene = Scene::new();
    let nora = known(NORA);
    for (flow, operation) in [(3, Operation::Subscribe), (8, Operation::Extend)] {
        let request = scene.request(NORA, EMIL, "a", 600);
        let context = RequestContext::new(&nora).with_flow(FlowId(flow));
        let outputs = scene.send_with(MEDIA_TYPE, request.octets(), &context);
        assert_eq!(outputs.granted().operation, operation);
        assert_eq!(outputs.notification().flow(), Some(FlowId(flow)));
    }
    let request = scene.request(NORA, EMIL, "", 0);
    let context = RequestContext::new(&nora).with_flow(FlowId(9));
    let outputs = scene.send_with(MEDIA_TYPE, request.octets(), &context);
    assert_eq!(outputs.notification().flow(), Some(FlowId(9)));
    assert_eq!(scene.set(EMIL, "x").notification().flow(), Some(FlowId(8)));
    scene
        .service
        .agent_mut()
        .handle_flow_lost(scene.now, FlowId(8));
    scene.pass(5.0);
    assert_eq!(scene.set(EMIL, "y").notification().flow(), None);
    scene.close();
}

// SDF-11: the answer comes before what follows from it, and the event with it.
#[test]
fn the_application_is_told_of_beginnings_and_ends() {
    use presentity::event::ServerEvent;
    let mut scene = Scene::new();
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    let [ServerEvent::SubscriptionStarted { subject, .. }] = outputs.events()[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(subject.watcher.as_deref(), Some("nora@example.org"));
    assert_eq!(&*subject.resource, "emil@example.com");
    let name = subject.direct.as_ref().expect("names");
    assert_eq!((&*name.watcher(), name.id()), (NORA, "a"));
    assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).events().len(), 0);
    let outputs = scene.cancel(NORA, EMIL, "a");
    let [ServerEvent::SubscriptionEnded { reason, .. }] = outputs.events()[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(*reason, EndReason::Unsubscribed);
    assert_eq!(outputs.ended(), [], "its watcher knows");
    scene.empty();
}

// SDF-15: what the format forbids does not get here, whatever is said of it.
#[test]
fn without_a_token_nothing_is_held() {
    let mut scene = Scene::new();
    let body = document("01:00", None, 60);
    let nora = known(NORA);
    let outputs = scene.send_with(MEDIA_TYPE, &body, &RequestContext::new(&nora));
    assert!(matches!(outputs.failure(), Failure::Unreadable(_)));
    assert_eq!(outputs.failure().status(), 400);
    let of_another_type = RequestContext::new(&nora);
    let fetch = written(NORA, EMIL, scene.moment(), "", 0);
    for kind in ["application/pidf+xml", "text/plain", "", "application"] {
        let outputs = scene.send_with(kind, fetch.octets(), &of_another_type);
        assert!(
            matches!(outputs.failure(), Failure::MediaType { .. }),
            "{kind}"
        );
    }
    for kind in [
        "Application/CPIM-Subscription",
        "application/cpim-subscription; charset=utf-8",
    ] {
        let fetch = scene.request(NORA, EMIL, "", 0);
        let outputs = scene.send_with(kind, fetch.octets(), &of_another_type);
        assert_eq!(outputs.granted().operation, Operation::Fetch, "{kind}");
    }
    assert!(Request::read(&fetch.octets().slice(1..)).is_err());
    scene.empty();
}
