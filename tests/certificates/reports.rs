//! Certificates that were reported as unusable: 437 (RFC 6072 section 4).

use presentity::certs::{FetchResponse, Loss, RetrieverEvent};

use super::scene::{MIRA, Scene, certificate, document, field, losses, own_domain};

fn rechecked(events: &[RetrieverEvent]) -> Vec<bool> {
    let changed = |event: &RetrieverEvent| match event {
        RetrieverEvent::Rechecked { is_changed, .. } => Some(*is_changed),
        _ => None,
    };
    events.iter().filter_map(changed).collect()
}

// CERT-42
#[test]
fn it_is_dropped_and_fetched_again_and_worth_a_retry_when_it_has_changed() {
    let same = certificate(MIRA);
    let other = certificate("second;sip:mira@example.com");
    for (body, is_changed) in [(&same, false), (&other, true)] {
        let mut scene = Scene::new();
        let (key, mut service) = scene.followed(MIRA, &same, &own_domain());
        scene.told();
        scene.pass(100.0);
        assert!(scene.retriever.report_unusable(scene.now, key));
        scene.run();
        assert!(!scene.is_usable(key));
        assert_eq!(losses(&scene.told()), [Loss::Reported]);
        assert!(!scene.retriever.report_unusable(scene.now, key));
        let poll = scene.request();
        assert!(
            field(&poll, "To").unwrap().contains("tag="),
            "within the subscription"
        );
        scene.answer(&poll, 200, &[("Expires", "86000")]);
        service.notify(
            &mut scene,
            "active;expires=86000",
            Some(body),
            &own_domain(),
        );
        let events = scene.told();
        assert_eq!(rechecked(&events), [is_changed]);
        assert_eq!(super::scene::found(&events), 1);
        assert!(scene.is_usable(key));
        scene.close();
    }
}

// CERT-42
#[test]
fn it_is_not_worth_a_retry_when_there_is_none_or_another_that_is_no_better() {
    let expired = certificate("days=-1;sip:mira@example.com");
    for body in [None, Some(&expired)] {
        let mut scene = Scene::new();
        let (key, mut service) = scene.followed(MIRA, &certificate(MIRA), &own_domain());
        scene.pass(100.0);
        scene.retriever.report_unusable(scene.now, key);
        scene.run();
        scene.told();
        service.notify(&mut scene, "active", body, &own_domain());
        assert_eq!(rechecked(&scene.told()), [false]);
        scene.close();
    }
}

// CERT-42
#[test]
fn refusals_in_a_row_do_not_make_it_ask_more_often() {
    let mut scene = Scene::new();
    let (key, mut service) = scene.followed(MIRA, &certificate(MIRA), &own_domain());
    let mut asked = 0;
    for _ in 0..100 {
        scene.retriever.report_unusable(scene.now, key);
        scene.pass(6.0);
        for poll in std::mem::take(&mut scene.sent) {
            asked += 1;
            scene.answer(&poll, 200, &[("Expires", "80000")]);
        }
        service.notify(
            &mut scene,
            "active",
            Some(&certificate(MIRA)),
            &own_domain(),
        );
    }
    assert!((8..=11).contains(&asked), "{asked}");
    scene.close();
}

// CERT-42
#[test]
fn one_that_was_fetched_is_fetched_again() {
    let mut scene = Scene::new();
    let document = document(&["https://certs.example.com/m"]);
    let none = presentity::certs::DocumentIntegrity::Unprotected;
    let key = (scene.retriever)
        .follow(scene.now, &[MIRA], &document, none)
        .unwrap();
    scene.run();
    let response = |words| {
        let body = certificate(words);
        FetchResponse::new(200, body).with_content_type("application/pkix-cert")
    };
    scene.fetched(response("trusted;sip:mira@example.com"));
    scene.pass(61.0);
    scene.told();
    assert!(scene.retriever.report_unusable(scene.now, key));
    scene.run();
    scene.fetched(response("trusted;sip:mira@example.com;second"));
    assert_eq!(rechecked(&scene.told()), [true]);
    // When that fails for now, the answer comes later.
    scene.pass(61.0);
    scene.retriever.report_unusable(scene.now, key);
    scene.run();
    scene.fetched(FetchResponse::new(503, ""));
    assert!(rechecked(&scene.told()).is_empty());
    scene.pass(61.0);
    scene.fetched(response("trusted;sip:mira@example.com;second"));
    assert_eq!(rechecked(&scene.told()), [false]);
    scene.close();
}

// CERT-42
#[test]
fn what_is_not_in_use_cannot_be_reported() {
    let mut scene = Scene::new();
    let key = scene.follow(MIRA);
    assert!(!scene.retriever.report_unusable(scene.now, key));
    scene.retriever.end(scene.now, key);
    assert!(!scene.retriever.report_unusable(scene.now, key));
    assert!(!scene.retriever.refresh(scene.now, key));
    assert_eq!(scene.retriever.verdict(scene.now, key), None);
    let none = presentity::certs::DocumentIntegrity::Unprotected;
    assert!(
        !scene
            .retriever
            .update(scene.now, key, &document(&[""]), none)
    );
    scene.close();
}
