//! Sources that a presence document names, in their order, and when it names others.

use presentity::certs::{
    DocumentIntegrity, FetchFailure, FetchResponse, FollowKey, Loss, RetrieverConfig,
    RetrieverEvent,
};
use presentity::pidf::Presence;

use super::scene::{MIRA, Scene, certificate, document, domain, found, losses, own_domain};

const GRUU: &str = "sip:mira@example.com;gr=1";
const WEB: &str = "https://certs.example.com/mira";

fn follow(scene: &mut Scene, document: &Presence) -> FollowKey {
    let now = scene.now;
    let key = (scene.retriever)
        .follow(now, &[MIRA], document, DocumentIntegrity::Unprotected)
        .unwrap();
    scene.run();
    key
}

fn update(scene: &mut Scene, key: FollowKey, document: &Presence) {
    let none = DocumentIntegrity::Unprotected;
    assert!(scene.retriever.update(scene.now, key, document, none));
    scene.run();
}

// CERT-07, CERT-08, CERT-09
#[test]
fn sources_are_tried_in_their_order_until_one_is_of_use() {
    let mut scene = Scene::new();
    let key = follow(&mut scene, &document(&[GRUU, WEB, ""]));
    // One at a time.
    assert!(scene.fetches.is_empty());
    let mut first = scene.accept();
    assert!(scene.sent.is_empty() && scene.fetches.is_empty());
    first.notify(&mut scene, "active", None, &own_domain());
    assert!(scene.sent.is_empty());
    scene.fetch_fails(FetchFailure::Unreachable);
    let mut third = scene.accept();
    assert_eq!(third.uri, MIRA);
    third.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    assert!(scene.is_usable(key));
    let events = scene.told();
    assert_eq!(events.len(), 3, "{events:?}");
    // The first choice is taken when it has one after all.
    let better = certificate("better;sip:mira@example.com");
    first.notify(&mut scene, "active", Some(&better), &own_domain());
    let events = scene.told();
    assert!(
        matches!(&events[..], [RetrieverEvent::Changed { .. }]),
        "{events:?}"
    );
    // And the other when that is gone.
    first.notify(&mut scene, "active", None, &own_domain());
    let used = scene.retriever.certificate(scene.now, key).unwrap();
    assert_eq!(used.info.der, certificate(MIRA));
    scene.close();
}

#[test]
fn one_that_is_not_usable_has_the_next_source_asked() {
    let mut scene = Scene::new();
    let key = follow(&mut scene, &document(&["sip:mallory@example.org", ""]));
    let mut hostile = scene.accept();
    let body = certificate("sip:mallory@example.org");
    hostile.notify(&mut scene, "active", Some(&body), &domain("example.org"));
    assert!(!scene.is_usable(key));
    let mut own = scene.accept();
    own.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    assert!(scene.is_usable(key));
    scene.close();
}

#[test]
fn one_that_lets_wait_has_the_next_source_asked() {
    let mut scene = Scene::new();
    let key = follow(&mut scene, &document(&[GRUU, ""]));
    let mut slow = scene.accept();
    slow.notify(&mut scene, "pending;expires=600", None, &own_domain());
    assert!(scene.told().is_empty());
    let mut own = scene.accept();
    own.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    assert!(scene.is_usable(key));
    scene.close();
}

#[test]
fn the_same_sources_in_another_document_are_nothing_new() {
    let mut scene = Scene::new();
    let key = follow(&mut scene, &document(&[""]));
    let mut service = scene.accept();
    service.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    scene.told();
    for _ in 0..3 {
        update(&mut scene, key, &document(&["", ""]));
    }
    assert!(scene.told().is_empty() && scene.sent.is_empty());
    scene.close();
}

// CERT-10
#[test]
fn a_document_without_certs_is_no_statement() {
    let mut scene = Scene::new();
    // Nothing is known yet, and that is no error.
    let key = follow(&mut scene, &document(&[]));
    assert!(scene.sent.is_empty() && scene.told().is_empty());
    update(&mut scene, key, &document(&[""]));
    let mut service = scene.accept();
    service.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    scene.told();
    update(&mut scene, key, &document(&[]));
    assert!(scene.is_usable(key));
    assert!(scene.told().is_empty() && scene.sent.is_empty());
    scene.close();
}

#[test]
fn other_sources_take_the_place_of_those_before() {
    let mut scene = Scene::new();
    let key = follow(&mut scene, &document(&[""]));
    let mut service = scene.accept();
    service.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    scene.told();
    update(&mut scene, key, &document(&[WEB]));
    assert_eq!(losses(&scene.told()), [Loss::SourceDropped]);
    assert!(!scene.is_usable(key));
    let end = scene.request();
    assert_eq!(super::scene::field(&end, "Expires"), Some("0"));
    let response = FetchResponse::new(200, certificate("trusted;sip:mira@example.com"));
    scene.fetched(response.with_content_type("application/pkix-cert"));
    assert_eq!(found(&scene.told()), 1);
    // Back again, while the first subscription is not known to have ended.
    update(&mut scene, key, &document(&[""]));
    assert!(scene.sent.is_empty());
    scene.answer(&end, 481, &[]);
    assert_eq!(scene.accept().uri, MIRA);
    scene.close();
}

#[test]
fn a_document_may_change_while_its_source_is_being_asked() {
    let mut scene = Scene::new();
    scene.reads = false;
    // While a SUBSCRIBE is open.
    let key = follow(&mut scene, &document(&[GRUU]));
    let request = scene.request();
    update(&mut scene, key, &document(&[WEB]));
    let mut service = super::scene::Service::of(&request);
    let to = format!("<{GRUU}>;tag={}", service.tag);
    scene.answer(&request, 200, &[("To", &to), ("Expires", "600")]);
    service.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    assert!(scene.inspections.is_empty());
    let end = scene.request();
    scene.answer(&end, 200, &[("Expires", "0")]);
    // While a fetch is.
    let fetch = scene.fetches.pop_front().unwrap();
    update(&mut scene, key, &document(&[""]));
    let response = FetchResponse::new(200, certificate(MIRA));
    assert!(
        !scene
            .retriever
            .complete_fetch(scene.now, fetch.key, response)
    );
    // While a reading is.
    let mut service = scene.accept();
    service.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    let inspection = scene.inspections.pop_front().unwrap();
    update(&mut scene, key, &document(&[WEB]));
    let result = inspection.read_with(&super::scene::Reader);
    let done = (scene.retriever).complete_inspection(scene.now, inspection.key, result);
    assert!(!done && !scene.is_usable(key));
    scene.close();
}

// CERT-38
#[test]
fn the_same_resource_by_another_spelling_goes_on() {
    let mut scene = Scene::new();
    let key = follow(&mut scene, &document(&["sip:mira@example.com"]));
    let mut service = scene.accept();
    service.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    update(
        &mut scene,
        key,
        &document(&["sip:mira@EXAMPLE.com;transport=tcp"]),
    );
    assert!(scene.sent.is_empty());
    assert!(scene.is_usable(key));
    // Twice in one document, too.
    update(
        &mut scene,
        key,
        &document(&["sip:mira@example.COM", "sip:%6Dira@example.com"]),
    );
    assert!(scene.sent.is_empty());
    assert_eq!(scene.retriever.subscriptions().count(), 1);
    scene.close();
}

// CERT-13
#[test]
fn what_a_signed_document_named_needs_a_signed_document() {
    let mut scene = Scene::new();
    let document = document(&["sip:certs@example.org"]);
    let signed = DocumentIntegrity::SignedByDomain;
    let key = (scene.retriever)
        .follow(scene.now, &[MIRA], &document, signed)
        .unwrap();
    scene.run();
    let mut service = scene.accept();
    let body = certificate("sip:certs@example.org");
    service.notify(&mut scene, "active", Some(&body), &domain("example.org"));
    assert!(scene.is_usable(key));
    update(&mut scene, key, &document);
    assert!(!scene.is_usable(key));
    assert!(scene.retriever.update(scene.now, key, &document, signed));
    assert!(scene.is_usable(key));
    scene.close();
}

// CERT-38
#[test]
fn ten_thousand_sources_are_cut_to_a_few() {
    let config = RetrieverConfig::default();
    let mut scene = Scene::with(config);
    let sources: Vec<String> = (0..10_000)
        .map(|n| format!("sip:mallory{n}@example.org"))
        .collect();
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let key = follow(&mut scene, &document(&sources));
    for _ in 0..100 {
        for request in std::mem::take(&mut scene.sent) {
            scene.answer(&request, 404, &[]);
        }
    }
    assert_eq!(scene.retriever.occupancy().sources, 8);
    assert_eq!(super::scene::failures(&scene.told()).len(), 8);
    update(&mut scene, key, &document(&sources[500..]));
    scene.close();
}
