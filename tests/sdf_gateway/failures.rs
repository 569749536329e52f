//! What a far end, or the way to it, refuses, delays or loses, and what the watcher is told.

use presentity::event::{SubscribeFailure, SubscriberConfig, SubscriptionEnd};
use presentity::sdf::gateway::ToSipConfig;
use presentity::sdf::{Failure, Operation};

use crate::notifier::{Notifier, Nowhere};
use crate::rules::{EMIL, service, state};
use crate::scene::{Fate, Scene};

fn refused(status: u16) -> Failure {
    Failure::Sip(SubscribeFailure::Refused { status })
}

/// A far end of which nothing is heard but what the test says.
fn alone() -> Scene<Nowhere> {
    Scene::with(ToSipConfig::default(), Nowhere)
}

fn answered(status: u16, fields: &[(&'static str, &'static str)]) -> Fate {
    Fate::Answered(status, fields.to_vec())
}

#[test]
fn a_refusal_is_told_and_nothing_is_left() {
    for status in [
        300, 400, 403, 404, 406, 413, 415, 480, 481, 489, 500, 503, 600, 603,
    ] {
        let mut scene = Scene::new();
        scene.fates.push_back(answered(status, &[]));
        let told = scene.subscribe("a", 600);
        assert_eq!(told.failure(), refused(status));
        assert_eq!(told.failure().status(), status);
        assert_eq!(told.all.len(), 1, "{told:?}");
        scene.nothing_is_left();
        // It may be tried again, with a new document.
        assert_eq!(scene.subscribe("a", 600).granted().duration, 600);
        scene.end("a");
        scene.nothing_is_left();
    }
}

#[test]
fn what_is_refused_may_be_sent_again_as_it_is() {
    let mut scene = Scene::new();
    let request = scene.hold("a", 600);
    for fate in [Fate::Lost, Fate::Unsent, answered(500, &[])] {
        scene.fates.push_back(fate);
        assert_eq!(scene.ask_plainly(&request).answers().len(), 1);
        scene.nothing_is_left();
    }
    assert_eq!(scene.ask_plainly(&request).granted().duration, 600);
    scene.end("a");
    scene.nothing_is_left();
}

#[test]
fn a_wish_that_is_too_brief_is_refused_and_not_made_longer() {
    let far = service(|config| config.server.min_expires = 60);
    let mut scene = Scene::with(ToSipConfig::default(), far);
    assert_eq!(scene.subscribe("a", 30).failure(), refused(423));
    assert_eq!(scene.subscribes.len(), 1);
    scene.nothing_is_left();
    scene.subscribe("a", 600);
    assert_eq!(scene.subscribe("a", 30).failure(), refused(423));
    assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
    scene.end("a");
    scene.nothing_is_left();
}

/// A refused extension leaves all as it was, whatever NOTIFYs say of the time that is left.
#[test]
fn an_extension_that_is_too_brief_changes_nothing() {
    let far = service(|config| config.server.min_expires = 60);
    let mut scene = Scene::with(ToSipConfig::default(), far);
    scene.subscribe("a", 3600);
    assert_eq!(scene.subscribe("a", 30).failure(), refused(423));
    scene.pass(10.0);
    assert_eq!(
        scene.set(state(EMIL, "away")).states()[0].duration,
        Some(3589)
    );
    let told = scene.pass(3580.0);
    assert_eq!(told.ends(), []);
    assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
    assert!(scene.subscribes.len() < 10, "{}", scene.subscribes.len());
    assert_eq!(scene.pass(20.0).ends(), [None]);
    scene.pass(40.0);
    scene.nothing_is_left();
}

#[test]
fn a_lost_or_unsent_request_is_told() {
    for (fate, failure) in [
        (Fate::Lost, SubscribeFailure::Timeout),
        (Fate::Unsent, SubscribeFailure::Transport),
    ] {
        let mut scene = Scene::new();
        scene.fates.push_back(fate.clone());
        assert_eq!(
            scene.subscribe("a", 600).failure(),
            Failure::Sip(failure),
            "{fate:?}"
        );
        scene.nothing_is_left();
        let request = scene.fetch();
        scene.fates.push_back(fate.clone());
        let told = scene.ask_plainly(&request);
        assert_eq!(told.failure(), Failure::Sip(failure));
        scene.nothing_is_left();
        // Within a subscription, which goes on.
        scene.subscribe("a", 600);
        scene.fates.push_back(fate.clone());
        let told = scene.subscribe("a", 700);
        assert_eq!(told.story().len(), 1, "{told:?}");
        assert_eq!(told.failure(), Failure::Sip(failure));
        assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
        assert_eq!(scene.set(state(EMIL, "x")).story(), ["a: x"]);
        // Its end is as before.
        assert_eq!(scene.pass(610.0).ends(), [None]);
        scene.pass(40.0);
        scene.nothing_is_left();
    }
}

#[test]
fn a_cancellation_that_is_lost_ends_it_here() {
    for fate in [Fate::Lost, Fate::Unsent, answered(500, &[])] {
        let mut scene = Scene::new();
        scene.subscribe("a", 600);
        scene.fates.push_back(fate);
        assert_eq!(scene.end("a").granted().operation, Operation::Cancel);
        scene.nothing_is_left_here();
        // The far end learns it by the answer to its next NOTIFY.
        assert_eq!(scene.live(), 1);
        assert_eq!(scene.set(state(EMIL, "x")).story(), [""; 0]);
        assert_eq!(scene.live(), 0);
        scene.nothing_is_left();
    }
}

#[test]
fn a_far_end_that_asks_to_wait_is_spared() {
    let mut scene = Scene::new();
    scene
        .fates
        .push_back(answered(503, &[("Retry-After", "120")]));
    assert_eq!(scene.subscribe("a", 600).failure(), refused(503));
    scene.nothing_is_left();
    // Others are told at once, and it is not asked.
    scene.pass(60.0);
    assert_eq!(scene.subscribe("b", 600).failure(), refused(503));
    let request = scene.fetch();
    assert_eq!(scene.ask_plainly(&request).failure(), refused(503));
    assert_eq!(scene.subscribes.len(), 1);
    scene.nothing_is_left();
    scene.pass(70.0);
    assert_eq!(scene.subscribe("c", 600).granted().duration, 600);
    scene.end("c");
    scene.nothing_is_left();
}

#[test]
fn an_extension_is_refused_at_once_while_the_far_end_is_to_be_spared() {
    let mut scene = Scene::new();
    scene.subscribe("a", 600);
    scene
        .fates
        .push_back(answered(503, &[("Retry-After", "120")]));
    assert_eq!(scene.subscribe("a", 700).failure(), refused(503));
    scene.pass(1.0);
    let told = scene.subscribe("a", 700);
    assert_eq!(told.failure(), refused(503));
    assert_eq!(scene.subscribes.len(), 2);
    assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
    scene.pass(150.0);
    assert_eq!(scene.subscribe("a", 700).granted().duration, 700);
    scene.end("a");
    scene.nothing_is_left();
}

/// What is asked for while a refresh of the gateway's own is open, which then fails, leaves all the
/// same.
#[test]
fn an_extension_does_not_suffer_from_a_refresh_that_fails() {
    for (fate, expected) in [
        (answered(500, &[]), Ok(900)),
        (Fate::Lost, Ok(900)),
        (answered(503, &[("Retry-After", "60")]), Err(refused(503))),
    ] {
        let mut scene = Scene::new();
        scene.subscribe("a", 600);
        scene.fates.push_back(Fate::Held);
        while scene.held.is_empty() {
            scene.pass(10.0);
        }
        let told = scene.subscribe("a", 900);
        assert_eq!(told.story(), [""; 0], "it waits for the refresh");
        let request = scene.held.pop_front().unwrap();
        match &fate {
            Fate::Answered(status, fields) => scene.answer(&request, *status, fields),
            _ => {
                let (now, sip) = (scene.now, scene.gateway.sip_mut());
                let timeout = presentity::event::Failure::Timeout;
                sip.handle_failure(now, request.transaction(), timeout);
            }
        }
        let told = scene.settle();
        let answers: Vec<_> = told.answers();
        assert_eq!(answers.len(), 1, "{fate:?}: {told:?}");
        let duration = answers[0].clone().map(|granted| granted.duration);
        assert_eq!(duration, expected, "{fate:?}");
        scene.end("a");
        scene.pass(40.0);
        scene.nothing_is_left_here();
    }
}

#[test]
fn a_silent_notifier_is_told() {
    let mut scene = alone();
    scene.fates.push_back(answered(200, &[("Expires", "600")]));
    assert_eq!(scene.subscribe("a", 600).story(), [""; 0]);
    assert_eq!(
        scene.pass(33.0).failure(),
        Failure::Sip(SubscribeFailure::Silent)
    );
    scene.nothing_is_left();
    let request = scene.fetch();
    scene.fates.push_back(answered(200, &[("Expires", "0")]));
    assert_eq!(scene.ask_plainly(&request).story(), [""; 0]);
    assert_eq!(
        scene.pass(33.0).failure(),
        Failure::Sip(SubscribeFailure::Silent)
    );
    scene.nothing_is_left();
    // And one that the host never reports on.
    scene.fates.push_back(Fate::Held);
    assert_eq!(scene.subscribe("b", 600).story(), [""; 0]);
    let told = scene.pass(70.0);
    assert_eq!(told.failure(), Failure::Sip(SubscribeFailure::Timeout));
    scene.pass(70.0);
    scene.nothing_is_left();
}

#[test]
fn a_notifier_that_falls_silent_after_an_extension_is_told() {
    let mut scene = alone();
    scene.fates.push_back(Fate::Held);
    scene.subscribe("a", 600);
    let first = scene.held.pop_front().unwrap();
    let mut notifier = Notifier::of(&first, "pa");
    let told = scene.bring(&notifier.notify("active;expires=600"));
    assert_eq!(told.story(), ["Subscribe 600"]);
    scene.answer(&first, 200, &[("Expires", "600")]);
    assert_eq!(scene.settle().story(), [""; 0]);
    scene.fates.push_back(answered(200, &[("Expires", "700")]));
    assert_eq!(scene.subscribe("a", 700).story(), ["Extend 700"]);
    let told = scene.pass(33.0);
    assert_eq!(told.ends(), [Some(SubscriptionEnd::Silent)]);
    scene.nothing_is_left();
}

#[test]
fn an_extension_of_what_the_far_end_has_forgotten_says_so() {
    for status in [404, 481, 489] {
        let mut scene = Scene::new();
        scene.subscribe("a", 600);
        scene.fates.push_back(answered(status, &[]));
        let told = scene.subscribe("a", 700);
        assert_eq!(told.failure(), refused(status));
        assert_eq!(told.ends(), [Some(SubscriptionEnd::Unknown { status })]);
        scene.nothing_is_left_here();
        // The watcher may begin anew.
        let told = scene.subscribe("a", 700);
        assert_eq!(told.granted().operation, Operation::Subscribe);
    }
}

#[test]
fn refused_extensions_leave_the_end_as_it_was() {
    let mut scene = Scene::new();
    scene.subscribe("a", 600);
    for status in [400, 403, 500] {
        scene.fates.push_back(answered(status, &[]));
        assert_eq!(scene.subscribe("a", 6000).failure(), refused(status));
        assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
    }
    assert_eq!(scene.pass(601.0).ends(), [None]);
    scene.pass(40.0);
    scene.nothing_is_left();
}

#[test]
fn an_end_by_the_first_notify_is_a_refusal() {
    for (state, status) in [
        ("terminated;reason=rejected", 403),
        ("terminated;reason=noresource", 480),
        ("terminated;reason=deactivated", 480),
        ("terminated;reason=timeout", 480),
        ("terminated", 480),
    ] {
        for notify_first in [true, false] {
            let mut scene = alone();
            scene.fates.push_back(Fate::Held);
            assert_eq!(scene.subscribe("a", 600).story(), [""; 0]);
            let request = scene.held.pop_front().unwrap();
            let mut notifier = Notifier::of(&request, "pa");
            let to = notifier.to();
            let ok = [("To", to.as_str()), ("Expires", "600")];
            let mut told = Vec::new();
            if !notify_first {
                scene.answer(&request, 200, &ok);
                told.append(&mut scene.settle().answers());
            }
            told.append(&mut scene.bring(&notifier.notify(state)).answers());
            if notify_first {
                scene.answer(&request, 200, &ok);
                told.append(&mut scene.settle().answers());
            }
            assert_eq!(told, [Err(refused(status))], "{state}");
            assert_eq!(scene.pass(100.0).story(), [""; 0]);
            assert_eq!(scene.subscribes.len(), 1);
            scene.nothing_is_left();
        }
    }
}

#[test]
fn a_redirection_is_followed_with_the_same_document() {
    let mut scene = Scene::new();
    let moved = [("Contact", "<sip:emil@elsewhere.example.com>")];
    scene.fates.push_back(answered(302, &moved));
    scene.fates.push_back(Fate::Held);
    let request = scene.hold("a", 600);
    assert_eq!(scene.ask_plainly(&request).story(), [""; 0]);
    let second = scene.held.pop_front().unwrap();
    assert_eq!(second.uri(), "sip:emil@elsewhere.example.com");
    assert_eq!(second.body(), request.octets());
    // There is nobody either.
    scene.answer(&second, 404, &[]);
    assert_eq!(scene.settle().failure(), refused(404));
    scene.nothing_is_left();
}

#[test]
fn so_many_subscriptions_and_no_more() {
    let mut subscriber = SubscriberConfig::default();
    subscriber.subscriptions = 1;
    let mut config = ToSipConfig::default();
    config.subscriber = subscriber;
    let mut scene = Scene::with(config, service(|_| ()));
    scene.subscribe("a", 600);
    assert_eq!(scene.subscribe("b", 600).failure(), Failure::Busy(10));
    assert_eq!((scene.gateway.len(), scene.live()), (1, 1));
    scene.end("a");
    scene.nothing_is_left();
}
