//! Services that give certificates without keeping subscriptions (RFC 6072 section 4).

use presentity::certs::{Loss, RetrieverConfig, RetrieverEvent};

use super::scene::{MIRA, Scene, certificate, field, losses, own_domain};

const ENDED: &str = "terminated;reason=probation";

// CERT-43
#[test]
fn a_certificate_that_came_with_the_end_is_kept_and_polled_for() {
    let mut scene = Scene::new();
    let key = scene.follow(MIRA);
    let mut last = String::new();
    for round in 0..5 {
        let request = scene.request();
        let call_id = field(&request, "Call-ID").unwrap().to_owned();
        assert_ne!(call_id, last);
        last = call_id;
        scene.sent.push_front(request);
        let mut service = scene.accept();
        service.notify(&mut scene, ENDED, Some(&certificate(MIRA)), &own_domain());
        assert!(scene.is_usable(key));
        let events = scene.told();
        assert_eq!(events.len(), usize::from(round == 0), "{events:?}");
        assert_eq!(scene.pass_until_sent(), 3600);
    }
    scene.close();
}

// CERT-43
#[test]
fn the_end_may_come_behind_the_certificate() {
    let mut scene = Scene::new();
    let (key, mut service) = scene.followed(MIRA, &certificate(MIRA), &own_domain());
    service.notify(&mut scene, ENDED, None, &own_domain());
    assert!(scene.is_usable(key));
    assert_eq!(scene.retriever.subscriptions().count(), 0);
    assert_eq!(scene.pass_until_sent(), 3600);
    assert_eq!(scene.retriever.subscriptions().count(), 1);
    // When the poll says that there is none any more, it is gone.
    let mut service = scene.accept();
    scene.told();
    service.notify(&mut scene, ENDED, None, &own_domain());
    assert_eq!(losses(&scene.told()), [Loss::Withdrawn]);
    scene.close();
}

// CERT-43
#[test]
fn nobody_is_polled_more_often_than_once_a_minute() {
    let mut config = RetrieverConfig::default();
    config.poll_interval = std::time::Duration::from_secs(1);
    for (wish, expected) in [("", 60), (";retry-after=2", 60), (";retry-after=500", 500)] {
        let mut scene = Scene::with(config.clone());
        scene.follow(MIRA);
        for _ in 0..3 {
            let mut service = scene.accept();
            let state = format!("{ENDED}{wish}");
            service.notify(&mut scene, &state, Some(&certificate(MIRA)), &own_domain());
            let waited = scene.pass_until_sent();
            assert!(
                (expected..expected + 90).contains(&waited),
                "{wish} {waited}"
            );
        }
        scene.close();
    }
}

// CERT-35, CERT-43
#[test]
fn it_is_not_used_for_long_when_the_poll_is_not_answered() {
    let mut scene = Scene::new();
    let key = scene.follow(MIRA);
    let mut service = scene.accept();
    service.notify(&mut scene, ENDED, Some(&certificate(MIRA)), &own_domain());
    scene.told();
    scene.pass(3650.0);
    assert!(scene.is_usable(key));
    scene.pass(50.0);
    assert!(!scene.is_usable(key));
    let events = scene.told();
    assert_eq!(losses(&events), [Loss::Lapsed]);
    assert!(
        events
            .iter()
            .any(|it| matches!(it, RetrieverEvent::Failed { .. }))
    );
    scene.close();
}

#[test]
fn what_will_not_change_is_kept_for_the_cache_time() {
    let mut scene = Scene::new();
    let key = scene.follow(MIRA);
    let mut service = scene.accept();
    let state = "terminated;reason=invariant";
    service.notify(&mut scene, state, Some(&certificate(MIRA)), &own_domain());
    assert_eq!(scene.pass_until_sent(), 77_760);
    assert!(scene.is_usable(key));
    scene.close();
}
