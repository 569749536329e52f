//! Retrieval over SIP (RFC 6072 sections 4 and 6).

use bytes::Bytes;
use presentity::certs::{
    Binding, DocumentIntegrity, Integrity, Proof, RetrieveFailure, RetrieverConfig, RetrieverEvent,
    profile,
};
use presentity::event::{Forks, Identity, OwnSubscriptionPhase, RefusedBody};

use super::scene::{
    DAY, MIRA, Scene, Service, certificate, document, domain, failures, field, found, own_domain,
};

fn self_signed() -> Bytes {
    certificate(MIRA)
}

// CERT-20, CERT-22, CERT-25, CERT-40
#[test]
fn the_package_is_what_the_standard_says() {
    let profile = profile();
    assert_eq!(profile.event_type, "certificate");
    assert_eq!(profile.default_expires, 86_400);
    assert_eq!(profile.media_types, ["application/pkix-cert"]);
    assert_eq!(profile.forks, Forks::One);
    assert!(profile.publication_types.is_empty());
}

// CERT-08, CERT-20, CERT-21, CERT-22, CERT-40
#[test]
fn the_address_of_record_is_subscribed_to() {
    let mut scene = Scene::new();
    let document = document(&[""]);
    let now = scene.now;
    let watched = ["pres:mira@example.com"];
    (scene.retriever)
        .follow(now, &watched, &document, DocumentIntegrity::Unprotected)
        .unwrap();
    scene.run();
    let request = scene.request();
    assert_eq!((request.method(), request.uri()), ("SUBSCRIBE", MIRA));
    assert_eq!(field(&request, "Event"), Some("certificate"));
    assert_eq!(field(&request, "Accept"), Some("application/pkix-cert"));
    assert_eq!(field(&request, "Expires"), Some("86400"));
    assert_eq!(field(&request, "To"), Some("<sip:mira@example.com>"));
    // No body, and nothing of resource lists.
    assert!(request.body().is_empty());
    assert!(field(&request, "Supported").is_none_or(|it| !it.contains("eventlist")));
    assert!(field(&request, "Require").is_none());
    assert!(scene.sent.is_empty());
    scene.close();
}

// CERT-07
#[test]
fn a_source_is_asked_in_place_of_the_address_of_record() {
    let mut scene = Scene::new();
    let gruu = "sips:mira@example.com;gr=urn:uuid:7c9e6679";
    let now = scene.now;
    let document = document(&["sip:mira@example.com;gr=desk"]);
    let key = scene
        .retriever
        .follow(now, &[MIRA], &document, DocumentIntegrity::Unprotected)
        .unwrap();
    scene.run();
    let mut service = scene.accept();
    assert_eq!(service.uri, "sip:mira@example.com;gr=desk");
    // The same address, whatever its parameters.
    service.notify(&mut scene, "active", Some(&self_signed()), &own_domain());
    let certificate = scene.retriever.certificate(scene.now, key).unwrap();
    assert_eq!(certificate.ground.name, "mira@example.com");
    assert_eq!(certificate.ground.binding, Binding::SameAddress);
    assert_eq!(
        certificate.ground.proof,
        Proof::AssertedIdentity(Integrity::Transport)
    );
    // sips is not asked from a Contact without TLS.
    let other = super::scene::document(&[gruu]);
    scene.told();
    (scene.retriever).update(scene.now, key, &other, DocumentIntegrity::Unprotected);
    scene.run();
    assert!(matches!(
        failures(&scene.told())[..],
        [(RetrieveFailure::Order(_), None)]
    ));
    scene.close();
}

// CERT-32, CERT-36, CERT-37
#[test]
fn what_the_domain_has_sent_is_found_and_used() {
    let mut scene = Scene::new();
    let (key, _) = scene.followed(MIRA, &self_signed(), &own_domain());
    let events = scene.told();
    assert_eq!(found(&events), 1, "{events:?}");
    assert_eq!(events.len(), 1);
    let certificate = scene.retriever.certificate(scene.now, key).unwrap();
    assert_eq!(certificate.info.der, self_signed());
    let verdict = scene.retriever.verdict(scene.now, key).unwrap();
    assert!(verdict.is_usable() && verdict.to_string().contains("mira@example.com"));
    scene.close();
}

// CERT-23, CERT-24
#[test]
fn a_certificate_is_taken_however_its_disposition_is_written() {
    for more in [
        vec![],
        vec![("Content-Disposition", "signal")],
        vec![("Content-Disposition", "signal;handling=required")],
        vec![("Content-Disposition", "attachment")],
        vec![("Content-Disposition", "")],
    ] {
        let mut scene = Scene::new();
        let key = scene.follow(MIRA);
        let mut service = scene.accept();
        service.more = more;
        let status = service.notify(&mut scene, "active", Some(&self_signed()), &own_domain());
        assert_eq!(status, 200);
        assert!(scene.is_usable(key));
    }
}

// CERT-23
#[test]
fn a_body_of_another_type_is_refused_and_is_no_revocation() {
    let mut scene = Scene::new();
    let (key, mut service) = scene.followed(MIRA, &self_signed(), &own_domain());
    scene.told();
    service.content_type = "application/pkcs7-mime-not";
    let status = service.notify(&mut scene, "active", Some(&self_signed()), &own_domain());
    assert_eq!(status, 415);
    let events = scene.told();
    assert!(matches!(
        failures(&events)[..],
        [(RetrieveFailure::Body(RefusedBody::Type(_)), None)]
    ));
    assert_eq!(events.len(), 1);
    assert!(scene.is_usable(key));
    // Too long.
    service.content_type = "application/pkix-cert";
    let long = Bytes::from(vec![b'x'; 65_537]);
    assert_eq!(
        service.notify(&mut scene, "active", Some(&long), &own_domain()),
        413
    );
    assert!(scene.is_usable(key));
    scene.close();
}

// CERT-29
#[test]
fn who_has_no_certificate_is_told_of_once() {
    let mut scene = Scene::new();
    let key = scene.follow(MIRA);
    let mut service = scene.accept();
    for _ in 0..3 {
        service.notify(&mut scene, "active;expires=86400", None, &own_domain());
    }
    let events = scene.told();
    assert!(
        matches!(&events[..], [RetrieverEvent::Absent { .. }]),
        "{events:?}"
    );
    assert!(!scene.is_usable(key));
    // When there is one, it is told.
    service.notify(&mut scene, "active", Some(&self_signed()), &own_domain());
    assert_eq!(found(&scene.told()), 1);
    scene.close();
}

// CERT-29
#[test]
fn an_empty_notify_before_a_decision_says_nothing() {
    let mut scene = Scene::new();
    scene.follow(MIRA);
    let mut service = scene.accept();
    service.notify(&mut scene, "pending;expires=600", None, &own_domain());
    assert!(scene.told().is_empty());
    service.notify(&mut scene, "active;expires=600", None, &own_domain());
    assert_eq!(scene.told().len(), 1);
    scene.close();
}

// CERT-27, CERT-38
#[test]
fn one_subscription_serves_all_who_name_the_same_resource() {
    let mut scene = Scene::new();
    let first = scene.follow(MIRA);
    let same = [
        "sip:mira@EXAMPLE.com",
        "sip:%6dira@example.com;transport=tcp",
        "pres:mira@example.com",
    ];
    let others: Vec<_> = same.iter().map(|uri| scene.follow(uri)).collect();
    assert_eq!(scene.sent.len(), 1);
    assert_eq!(scene.retriever.subscriptions().count(), 1);
    let mut service = scene.accept();
    service.notify(&mut scene, "active", Some(&self_signed()), &own_domain());
    assert_eq!(found(&scene.told()), 4);
    // It lasts as long as one of them needs it.
    scene.retriever.end(scene.now, first);
    for key in &others {
        scene.run();
        assert!(scene.sent.is_empty());
        assert!(scene.is_usable(*key));
        assert!(scene.retriever.end(scene.now, *key));
        assert!(!scene.retriever.end(scene.now, *key));
    }
    scene.run();
    let request = scene.request();
    assert_eq!(field(&request, "Expires"), Some("0"));
    // Who comes back meanwhile waits: there is one at a time.
    let again = scene.follow(MIRA);
    assert!(scene.sent.is_empty());
    assert_eq!(scene.retriever.subscriptions().count(), 1);
    scene.answer(&request, 200, &[("Expires", "0")]);
    service.notify(&mut scene, "terminated;reason=timeout", None, &own_domain());
    assert!(!scene.is_usable(again), "what was cached is forgotten");
    assert_eq!(scene.retriever.subscriptions().count(), 1);
    let mut service = scene.accept();
    service.notify(&mut scene, "active", Some(&self_signed()), &own_domain());
    assert!(scene.is_usable(again));
    scene.close();
}

// CERT-38
#[test]
fn a_second_notifier_is_turned_away() {
    let mut scene = Scene::new();
    let (key, service) = scene.followed(MIRA, &self_signed(), &own_domain());
    let mut fork = service.clone();
    fork.tag = "other".into();
    let other = certificate("sip:mira@example.com;other");
    assert_eq!(
        fork.notify(&mut scene, "active", Some(&other), &own_domain()),
        481
    );
    let held = scene.retriever.certificate(scene.now, key).unwrap();
    assert_eq!(held.info.der, self_signed());
    scene.close();
}

// CERT-22, CERT-27
#[test]
fn a_subscription_is_renewed_before_it_ends_and_ended_at_logoff() {
    let mut scene = Scene::new();
    let (key, mut service) = scene.followed(MIRA, &self_signed(), &own_domain());
    let waited = scene.pass_until_sent();
    assert!((70_000..=80_000).contains(&waited), "{waited}");
    let refresh = scene.request();
    assert_eq!(field(&refresh, "Expires"), Some("86400"));
    scene.answer(&refresh, 200, &[("Expires", "86400")]);
    service.notify(
        &mut scene,
        "active;expires=86400",
        Some(&self_signed()),
        &own_domain(),
    );
    scene.told();
    // Nothing was lost on the way, and no second SUBSCRIBE was needed for the cache.
    scene.pass(DAY * 0.5);
    assert!(scene.told().is_empty() && scene.sent.is_empty());
    assert!(scene.is_usable(key));
    scene.retriever.end_all(scene.now);
    scene.run();
    assert_eq!(field(&scene.sent[0], "Expires"), Some("0"));
    scene.close();
}

// CERT-44
#[test]
fn a_list_of_presentities_is_followed_at_once() {
    let mut scene = Scene::new();
    let users: Vec<String> = (0..50)
        .map(|n| format!("sip:user{n}@example.com"))
        .collect();
    let keys: Vec<_> = users.iter().map(|user| scene.follow(user)).collect();
    assert_eq!(scene.sent.len(), 50);
    for user in &users {
        let mut service = scene.accept();
        assert_eq!(service.uri, *user);
        service.notify(
            &mut scene,
            "active",
            Some(&certificate(user)),
            &own_domain(),
        );
    }
    assert_eq!(found(&scene.told()), 50);
    for (user, key) in users.iter().zip(&keys) {
        let used = scene.retriever.certificate(scene.now, *key).unwrap();
        assert_eq!(used.info.names, std::slice::from_ref(user));
    }
    assert_eq!(scene.retriever.followed().count(), 50);
    scene.close();
}

#[test]
fn what_fails_for_a_while_is_tried_again_and_not_within_a_minute() {
    let mut scene = Scene::new();
    let key = scene.follow(MIRA);
    for status in [500, 480] {
        let request = scene.request();
        scene.answer(&request, status, &[]);
        let failed = failures(&scene.told());
        assert!(
            failed
                .iter()
                .all(|(_, wait)| wait.is_some_and(|wait| wait >= 60))
        );
        assert_eq!(failed.len(), 1);
        assert!(scene.pass_until_sent() >= 60);
    }
    let mut service = scene.accept();
    service.notify(&mut scene, "active", Some(&self_signed()), &own_domain());
    assert!(scene.is_usable(key));
    scene.close();
}

#[test]
fn a_refusal_is_told_and_asked_again_only_on_demand() {
    let mut scene = Scene::new();
    let key = scene.follow(MIRA);
    let request = scene.request();
    scene.answer(&request, 489, &[]);
    assert!(matches!(
        failures(&scene.told())[..],
        [(RetrieveFailure::Subscribe(_), None)]
    ));
    scene.pass(DAY * 3.0);
    assert!(scene.sent.is_empty());
    assert!(scene.retriever.refresh(scene.now, key));
    scene.run();
    assert_eq!(scene.sent.len(), 1);
    // Once a minute at most.
    scene.answer(&scene.sent[0].clone(), 404, &[]);
    scene.sent.clear();
    scene.retriever.refresh(scene.now, key);
    scene.run();
    assert!(scene.sent.is_empty());
    scene.pass(61.0);
    assert_eq!(scene.sent.len(), 1);
    scene.close();
}

#[test]
fn an_end_by_the_service_for_good_ends_the_use() {
    let mut scene = Scene::new();
    let (key, mut service) = scene.followed(MIRA, &self_signed(), &own_domain());
    scene.told();
    service.notify(
        &mut scene,
        "terminated;reason=rejected",
        None,
        &own_domain(),
    );
    assert!(!scene.is_usable(key));
    let events = scene.told();
    assert_eq!(
        super::scene::losses(&events),
        [presentity::certs::Loss::Ended]
    );
    let phase = scene.retriever.subscriptions().next().unwrap().phase;
    assert_eq!(phase, OwnSubscriptionPhase::Refused);
    scene.close();
}

#[test]
fn an_end_that_passes_leaves_the_use_while_it_is_asked_for_again() {
    let mut scene = Scene::new();
    let (key, mut service) = scene.followed(MIRA, &self_signed(), &own_domain());
    service.notify(
        &mut scene,
        "terminated;reason=deactivated",
        None,
        &own_domain(),
    );
    assert!(scene.is_usable(key));
    let mut service = scene.accept();
    service.notify(&mut scene, "active", Some(&self_signed()), &own_domain());
    scene.pass(300.0);
    assert!(scene.is_usable(key));
    // And not beyond when nobody answers.
    service.notify(
        &mut scene,
        "terminated;reason=deactivated",
        None,
        &own_domain(),
    );
    scene.pass(300.0);
    assert!(!scene.is_usable(key));
    scene.close();
}

#[test]
fn challenges_are_the_hosts_to_answer() {
    let mut scene = Scene::new();
    scene.follow(MIRA);
    let request = scene.request();
    let body = Bytes::new();
    let fields = [("WWW-Authenticate", "Digest realm=\"x\", nonce=\"y\"")];
    let response = presentity::sip::ResponseRef::new(401, fields, &body);
    (scene.retriever).handle_response(scene.now, request.transaction(), &response);
    let Some(presentity::certs::RetrieverOutput::NeedCredentials(need)) =
        scene.retriever.poll_output()
    else {
        panic!("a challenge");
    };
    let transaction = need.transaction();
    assert!(
        scene
            .retriever
            .provide_credentials(scene.now, transaction, "Digest x")
    );
    assert!(!scene.retriever.decline_credentials(scene.now, transaction));
    scene.run();
    assert_eq!(field(&scene.sent[0], "Authorization"), Some("Digest x"));
    scene.close();
}

#[test]
fn a_new_contact_is_told_to_services() {
    let mut scene = Scene::new();
    scene.followed(MIRA, &self_signed(), &own_domain());
    let account = presentity::event::Account::new("sip:ana@example.net").unwrap();
    let account = account.with_contact("sip:ana@198.51.100.4").unwrap();
    scene.retriever.set_account(scene.now, &account);
    scene.run();
    let request = scene.request();
    assert!(field(&request, "Contact").unwrap().contains("198.51.100.4"));
    scene.answer(&request, 200, &[("Expires", "86400")]);
    scene.close();
}

#[test]
fn a_notify_of_nobody_knows_what_is_answered_481() {
    let mut scene = Scene::new();
    scene.follow(MIRA);
    let mut service = Service::of(&scene.sent[0]);
    service.from = "sip:mira@example.com".into();
    // Before the answer to the SUBSCRIBE it is taken as well.
    let status = service.notify(&mut scene, "active", Some(&self_signed()), &own_domain());
    assert_eq!(status, 200);
    let mut other = Scene::with(RetrieverConfig::default());
    let status = service.notify(
        &mut other,
        "active",
        Some(&self_signed()),
        &Identity::nobody(),
    );
    assert_eq!(status, 481);
    let _ = domain("example.org");
}
