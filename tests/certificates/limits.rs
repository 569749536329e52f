//! Bounds of what is kept, and what is left when everything has ended.

use presentity::certs::{
    DocumentIntegrity, FetchFailure, FollowError, RetrieveFailure, RetrieverConfig,
};

use super::scene::{MIRA, Scene, certificate, document, failures, own_domain};

#[test]
fn nobody_is_followed_beyond_the_limit() {
    let mut config = RetrieverConfig::default();
    config.limits.followed = 2;
    let mut scene = Scene::with(config);
    let first = scene.follow("sip:a@example.com");
    scene.follow("sip:b@example.com");
    let third = scene
        .retriever
        .follow_address(scene.now, "sip:c@example.com");
    assert_eq!(third, Err(FollowError::TooMany { limit: 2 }));
    assert_eq!(scene.retriever.occupancy().names, 2);
    scene.retriever.end(scene.now, first);
    scene.follow("sip:c@example.com");
    scene.close();
}

#[test]
fn nobody_is_asked_beyond_the_limit() {
    let mut config = RetrieverConfig::default();
    config.limits.sources = 2;
    let mut scene = Scene::with(config);
    for user in ["a", "b", "c", "a"] {
        scene.follow(&format!("sip:{user}@example.com"));
    }
    assert_eq!(scene.sent.len(), 2);
    let expected = RetrieveFailure::TooMany { limit: 2 };
    assert_eq!(failures(&scene.told()), [(expected, None)]);
    scene.close();
}

#[test]
fn who_is_nobody_cannot_be_followed() {
    let mut scene = Scene::new();
    for uri in [
        "",
        "x",
        "tel:+1555",
        "mailto:a@example.com",
        "https://example.com/",
        "sip:",
    ] {
        let error = scene.retriever.follow_address(scene.now, uri).unwrap_err();
        assert_eq!(error, FollowError::Uri { text: uri.into() });
        let none = DocumentIntegrity::Unprotected;
        let document = document(&[""]);
        let result = (scene.retriever).follow(scene.now, &[MIRA, uri], &document, none);
        assert!(matches!(result, Err(FollowError::Uri { .. })));
    }
    let none = DocumentIntegrity::Unprotected;
    let result = (scene.retriever).follow(scene.now, &[], &document(&[""]), none);
    assert_eq!(result, Err(FollowError::Nobody));
    assert_eq!(scene.retriever.occupancy(), Default::default());
}

#[test]
fn names_beyond_the_limit_are_left_out() {
    let mut scene = Scene::new();
    let names: Vec<String> = (0..100).map(|n| format!("sip:n{n}@example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let none = DocumentIntegrity::Unprotected;
    (scene.retriever)
        .follow(scene.now, &names, &document(&[]), none)
        .unwrap();
    assert_eq!(scene.retriever.occupancy().names, 8);
    scene.close();
}

#[test]
fn fetches_and_readings_wait_for_their_turn() {
    let mut config = RetrieverConfig::default();
    config.limits.fetches = 2;
    config.limits.inspections = 1;
    let mut scene = Scene::with(config);
    for user in 0..5 {
        let url = format!("https://example.com/{user}");
        let none = DocumentIntegrity::Unprotected;
        let document = document(&[&url]);
        (scene.retriever)
            .follow(scene.now, &[MIRA], &document, none)
            .unwrap();
    }
    scene.run();
    assert_eq!(scene.fetches.len(), 2);
    scene.fetch_fails(FetchFailure::Refused);
    assert_eq!(scene.fetches.len(), 2);
    // Those that nobody reports on make room when their time is over.
    scene.pass(31.0);
    assert_eq!(scene.fetches.len(), 4);
    scene.close();

    let mut config = RetrieverConfig::default();
    config.limits.inspections = 1;
    let mut scene = Scene::with(config);
    scene.reads = false;
    for user in 0..3 {
        let uri = format!("sip:u{user}@example.com");
        scene.followed(&uri, &certificate(&uri), &own_domain());
    }
    assert_eq!(scene.inspections.len(), 1);
    scene.pass(11.0);
    assert_eq!(scene.inspections.len(), 2);
    let inspection = scene.inspections.pop_back().unwrap();
    let result = inspection.read_with(&super::scene::Reader);
    assert!((scene.retriever).complete_inspection(scene.now, inspection.key, result));
    scene.run();
    assert_eq!(scene.inspections.len(), 2);
    scene.close();
}

#[test]
fn a_crowd_that_follows_one_is_no_burden() {
    let mut scene = Scene::new();
    let keys: Vec<_> = (0..2_000)
        .map(|_| scene.retriever.follow_address(scene.now, MIRA).unwrap())
        .collect();
    scene.run();
    let mut service = scene.accept();
    service.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    assert_eq!(super::scene::found(&scene.told()), 2_000);
    assert_eq!(scene.retriever.occupancy().sources, 1);
    for key in keys {
        assert!(scene.retriever.end(scene.now, key));
    }
    scene.close();
}

#[test]
fn a_flood_of_notifies_leaves_one_reading() {
    let mut scene = Scene::new();
    scene.reads = false;
    scene.follow(MIRA);
    let mut service = scene.accept();
    for number in 0..500 {
        let body = certificate(&format!("{number};{MIRA}"));
        service.notify(&mut scene, "active", Some(&body), &own_domain());
        assert_eq!(scene.retriever.occupancy().jobs, 1);
    }
    assert!(scene.retriever.occupancy().timers < 3);
    scene.close();
}

#[test]
fn requests_that_time_out_leave_nothing() {
    let mut scene = Scene::new();
    scene.follow(MIRA);
    let request = scene.request();
    scene.fail(&request);
    assert_eq!(failures(&scene.told()).len(), 1);
    scene.close();
}
