//! What a presentity's document, or whoever sends it, can make of somebody else's certificate.

use std::collections::HashSet;

use presentity::certs::{DocumentIntegrity, FetchFailure, RetrieverConfig};
use presentity::event::{Assurance, Identity};
use presentity::mime::{Chain, Signer};
use presentity::pidf::Presence;

use super::scene::{MIRA, Scene, certificate, document, own_domain};

fn follow(scene: &mut Scene, uri: &str, document: &Presence) -> presentity::certs::FollowKey {
    let none = DocumentIntegrity::Unprotected;
    let key = (scene.retriever)
        .follow(scene.now, &[uri], document, none)
        .unwrap();
    scene.run();
    key
}

// How to get to a source is not for the document of somebody else to say.
#[test]
fn the_way_to_a_source_is_not_that_of_another_document() {
    for detour in [
        "sip:mira@example.com;maddr=evil.example.org",
        "sip:mira@example.com;transport=udp",
    ] {
        let mut scene = Scene::new();
        follow(&mut scene, "sip:mallory@example.org", &document(&[detour]));
        scene.follow(MIRA);
        let uris: HashSet<String> = scene.sent.iter().map(|it| it.uri().to_owned()).collect();
        assert!(uris.contains(MIRA), "{uris:?}");
        scene.close();
    }
}

// A document that changes its mind again and again makes nobody ask more often than once a minute.
#[test]
fn a_document_that_changes_to_and_fro_has_nobody_asked_each_time() {
    let mut scene = Scene::new();
    let first = document(&["https://victim.example.org/a"]);
    let other = document(&["https://victim.example.org/b"]);
    let key = follow(&mut scene, MIRA, &first);
    let mut asked = 0;
    for round in 0..50 {
        while let Some(_fetch) = scene.fetches.front() {
            asked += 1;
            scene.fetch_fails(FetchFailure::Unreachable);
        }
        let next = if round % 2 == 0 { &other } else { &first };
        let none = DocumentIntegrity::Unprotected;
        scene.retriever.update(scene.now, key, next, none);
        scene.run();
        scene.pass(0.1);
    }
    assert!(asked <= 8, "{asked} fetches in five seconds");
    // It goes on at a pace that is bearable.
    scene.pass(60.0);
    assert_eq!(scene.fetches.len(), 1);
    scene.close();
}

#[test]
fn a_subscription_that_is_ended_and_wanted_again_is_not_asked_for_each_time() {
    let mut scene = Scene::new();
    let first = document(&["sip:one@victim.example.org"]);
    let other = document(&["sip:two@victim.example.org"]);
    let key = follow(&mut scene, MIRA, &first);
    let mut asked = 0;
    for round in 0..50 {
        while let Some(request) = scene.sent.pop_front() {
            asked += 1;
            scene.answer(&request, 404, &[]);
        }
        let next = if round % 2 == 0 { &other } else { &first };
        let none = DocumentIntegrity::Unprotected;
        scene.retriever.update(scene.now, key, next, none);
        scene.run();
        scene.pass(0.1);
    }
    assert!(asked <= 8, "{asked} requests in five seconds");
    scene.close();
}

// SEC-19, CERT-13: a certificate of a user is none of the domain, whatever DNS names it has beside (RFC
// 5922 section 7.1).
#[test]
fn the_certificate_of_a_user_does_not_speak_for_the_domain() {
    let other = Signer::new(["sip:mallory@example.com"], Chain::Trusted);
    let other = other.with_domains(["example.com"]);
    let integrity = DocumentIntegrity::of(std::slice::from_ref(&other), MIRA);
    assert_eq!(integrity, DocumentIntegrity::Unprotected);
    let domain = Signer::new(["sip:example.com"], Chain::Trusted);
    let integrity = DocumentIntegrity::of(std::slice::from_ref(&domain), MIRA);
    assert_eq!(integrity, DocumentIntegrity::SignedByDomain);
    let dns = Signer::new(["https://example.com"], Chain::Trusted).with_domains(["EXAMPLE.com."]);
    let integrity = DocumentIntegrity::of(std::slice::from_ref(&dns), MIRA);
    assert_eq!(integrity, DocumentIntegrity::SignedByDomain);
}

#[test]
fn names_that_only_look_alike_vouch_for_nobody() {
    for sender in [
        "sip:Mira@example.com",
        "sip:mira@sub.example.com",
        "sip:sub.example.com",
        "sip:com",
        "sip:mira%40example.com@example.org",
        "sip:mira@example.com:5070",
        "sip:example.com.example.org",
        "tel:+1555",
        "im:mira@example.com",
        "https://example.com/",
    ] {
        let Ok(identity) = Identity::of(sender, Assurance::Transport) else {
            continue;
        };
        let mut scene = Scene::with(RetrieverConfig::default());
        let (key, _) = scene.followed(MIRA, &certificate(MIRA), &identity);
        assert!(!scene.is_usable(key), "{sender}");
        scene.close();
    }
    for asked in [
        "pres:a%40b@example.com",
        "pres:a%3fb%3bc@example.com",
        "sip:a%3Bgr@example.com",
    ] {
        let mut scene = Scene::new();
        let key = scene.follow(asked);
        let mut service = scene.accept();
        let body = certificate(&format!("{asked};x"));
        service.notify(&mut scene, "active;expires=600", Some(&body), &own_domain());
        assert!(scene.is_usable(key), "{asked} {}", service.uri);
        let other = scene
            .retriever
            .certificate_for(scene.now, "sip:a@example.com");
        assert!(other.is_none());
        scene.close();
    }
}

// What a domain has signed for another of its users says nothing of this one, whoever passes it on as his.
#[test]
fn the_signed_document_of_somebody_else_binds_nothing() {
    let mut theirs = document(&["sip:mallory@example.com"]);
    theirs.entity = "pres:mallory@example.com".into();
    let signed = DocumentIntegrity::SignedByDomain;
    for is_update in [false, true] {
        let mut scene = Scene::new();
        let now = scene.now;
        let key = match is_update {
            false => (scene.retriever).follow(now, &[MIRA], &theirs, signed),
            true => (scene.retriever).follow(now, &[MIRA], &document(&[]), signed),
        };
        let key = key.unwrap();
        if is_update {
            assert!(scene.retriever.update(now, key, &theirs, signed));
        }
        scene.run();
        let mut service = scene.accept();
        let body = certificate("sip:mallory@example.com");
        service.notify(&mut scene, "active;expires=600", Some(&body), &own_domain());
        assert!(!scene.is_usable(key), "{is_update}");
        assert!(scene.retriever.certificate_for(now, MIRA).is_none());
        scene.close();
    }
}
