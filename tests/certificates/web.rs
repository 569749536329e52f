//! Sources that are fetched by https and http.

use bytes::Bytes;
use presentity::certs::{
    AddressFault, Binding, CertificateForm, DocumentIntegrity, FetchFailure, FetchResponse,
    FollowKey, Loss, Objection, Proof, RetrieveFailure, RetrieverConfig, RetrieverEvent, Verdict,
};
use presentity::mime::{CertificateError, CertificateInfo, Chain};

use super::scene::{
    DAY, MIRA, Scene, certificate, document, failures, fetched_from, found, losses, today,
};

const SRC: &str = "https://certs.example.com/mira.cer";

fn followed(config: RetrieverConfig, sources: &[&str]) -> (Scene, FollowKey) {
    let mut scene = Scene::with(config);
    let document = document(sources);
    let key = (scene.retriever)
        .follow(
            scene.now,
            &[MIRA],
            &document,
            DocumentIntegrity::Unprotected,
        )
        .unwrap();
    scene.run();
    (scene, key)
}

fn usual(source: &str) -> (Scene, FollowKey) {
    followed(RetrieverConfig::default(), &[source])
}

fn trusted() -> Bytes {
    certificate("trusted;sip:mira@example.com")
}

fn ok(body: &Bytes) -> FetchResponse {
    FetchResponse::new(200, body.clone()).with_content_type("application/pkix-cert")
}

fn redirect(location: &str) -> FetchResponse {
    FetchResponse::new(302, "").with_location(location)
}

/// What has failed, when it is one.
fn failure(scene: &mut Scene) -> RetrieveFailure {
    let mut failures = failures(&scene.told());
    assert_eq!(failures.len(), 1, "{failures:?}");
    failures.remove(0).0
}

// CERT-09
#[test]
fn a_url_is_fetched_and_its_certificate_used_when_an_authority_names_the_presentity() {
    for source in [
        SRC,
        "http://certs.example.com/mira.cer",
        "HTTPS://certs.example.com/mira.cer#x",
    ] {
        let (mut scene, key) = usual(source);
        assert!(scene.sent.is_empty());
        let fetch = scene.fetches[0].clone();
        assert_eq!(fetch.accept, "application/pkix-cert");
        assert_eq!(fetch.max_len, 65_536);
        assert!(
            fetch.url.ends_with("://certs.example.com/mira.cer"),
            "{}",
            fetch.url
        );
        scene.fetched(ok(&trusted()));
        assert_eq!(found(&scene.told()), 1);
        let used = scene.retriever.certificate(scene.now, key).unwrap();
        assert_eq!(used.ground.proof, Proof::TrustedChain);
        assert_eq!(used.ground.binding, Binding::Named);
        assert_eq!(used.source, fetched_from(source));
        scene.close();
    }
}

// CERT-09, CERT-13
#[test]
fn what_no_authority_vouches_for_is_not_used() {
    for (words, expected) in [
        (MIRA, Objection::Untrusted("signed by its own key".into())),
        ("trusted;sip:otto@example.com", Objection::WrongName),
        ("trusted", Objection::WrongName),
        ("revoked;trusted;sip:mira@example.com", Objection::Revoked),
    ] {
        for source in [SRC, "http://certs.example.com/"] {
            let (mut scene, key) = usual(source);
            scene.fetched(ok(&certificate(words)));
            let verdict = scene.retriever.verdict(scene.now, key);
            assert_eq!(verdict, Some(Verdict::Unusable(expected.clone())));
            scene.close();
        }
    }
}

// CERT-09
#[test]
fn https_of_the_own_domain_is_enough_where_that_is_said() {
    let mut config = RetrieverConfig::default();
    config.rules.https_of_domain = true;
    for (source, is_enough) in [
        (SRC, true),
        ("https://example.com/x", true),
        ("http://certs.example.com/x", false),
        ("https://example.org/x", false),
        ("https://notexample.com/x", false),
        ("https://example.com.example.org/x", false),
    ] {
        let (mut scene, key) = followed(config.clone(), &[source]);
        scene.fetched(ok(&certificate(MIRA)));
        assert_eq!(scene.is_usable(key), is_enough, "{source}");
        if is_enough {
            let ground = scene.retriever.certificate(scene.now, key).unwrap().ground;
            let expected = (Proof::SecureFetch, Binding::SameDomain);
            assert_eq!((ground.proof, ground.binding), expected);
        }
        scene.close();
    }
    // Each place on the way has a say in it.
    for (first, second, is_enough) in [
        (SRC, "https://example.com/b", true),
        (SRC, "https://example.org/b", false),
        ("https://example.org/a", SRC, false),
        ("http://example.com/a", SRC, false),
    ] {
        let (mut scene, key) = followed(config.clone(), &[first]);
        scene.fetched(redirect(second));
        scene.fetched(ok(&certificate(MIRA)));
        assert_eq!(scene.is_usable(key), is_enough, "{first} {second}");
        scene.close();
    }
    let (mut scene, key) = followed(config, &[SRC]);
    scene.fetched(ok(&certificate("sip:otto@example.com")));
    let wrong = Verdict::Unusable(Objection::WrongName);
    assert_eq!(scene.retriever.verdict(scene.now, key), Some(wrong));
}

// CERT-09
#[test]
fn redirections_are_followed_a_few_times() {
    let (mut scene, key) = usual(SRC);
    for (at, status) in [301, 302, 303, 307, 308].into_iter().enumerate() {
        let response = FetchResponse::new(status, "moved").with_location(format!("../{at}"));
        scene.fetched(response);
        assert_eq!(
            scene.fetches[0].url,
            format!("https://certs.example.com/{at}")
        );
    }
    scene.fetched(ok(&trusted()));
    assert!(scene.is_usable(key));
    scene.close();

    let (mut scene, _) = usual(SRC);
    for at in 0..6 {
        scene.fetched(redirect(&format!("/{at}")));
    }
    assert!(scene.fetches.is_empty());
    let expected = RetrieveFailure::Address(AddressFault::TooManyRedirects);
    assert_eq!(failure(&mut scene), expected);
    scene.close();
}

// CERT-09
#[test]
fn a_redirection_leads_nowhere_it_should_not() {
    let address = |text: &str| AddressFault::Address(text.into());
    for (location, expected) in [
        (SRC, AddressFault::Circle),
        ("mira.cer", AddressFault::Circle),
        ("#x", AddressFault::Circle),
        ("http://certs.example.com/", AddressFault::Downgrade),
        ("//127.0.0.1/", address("127.0.0.1")),
        ("https://[::1]/", address("::1")),
        ("https://localhost/", address("localhost")),
        ("https://a:b@example.com/", AddressFault::Credentials),
        ("https://example.com:8443/", AddressFault::Port(8443)),
        ("ftp://example.com/", AddressFault::Scheme("ftp".into())),
        ("data:,x", AddressFault::Scheme("data".into())),
        ("https://", AddressFault::Malformed),
    ] {
        let (mut scene, _) = usual(SRC);
        scene.fetched(redirect(location));
        assert!(scene.fetches.is_empty(), "{location}");
        assert_eq!(failure(&mut scene), RetrieveFailure::Address(expected));
        scene.close();
    }
    let (mut scene, _) = usual(SRC);
    scene.fetched(FetchResponse::new(302, ""));
    let expected = RetrieveFailure::Address(AddressFault::Nowhere);
    assert_eq!(failure(&mut scene), expected);
    // A circle of two.
    let (mut scene, _) = usual(SRC);
    scene.fetched(redirect("/b"));
    scene.fetched(redirect(SRC));
    let expected = RetrieveFailure::Address(AddressFault::Circle);
    assert_eq!(failure(&mut scene), expected);
}

// CERT-09, CERT-13
#[test]
fn a_hostile_source_is_not_asked() {
    for source in [
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/",
        "https://user:word@example.com/",
        "https://example.com:22/",
        "http://localhost:80/",
        "sip:mira@127.0.0.1",
        "sip:mira@[::1]",
        "sip:mira@localhost",
        "sip:mira@example.com;maddr=10.0.0.1",
    ] {
        let (mut scene, _) = usual(source);
        assert!(
            scene.fetches.is_empty() && scene.sent.is_empty(),
            "{source}"
        );
        assert!(matches!(failure(&mut scene), RetrieveFailure::Address(_)));
        scene.close();
    }
}

// CERT-09
#[test]
fn what_is_no_certificate_is_left_aside() {
    let typed = |kind: &str| FetchResponse::new(200, trusted()).with_content_type(kind);
    for (response, expected) in [
        (
            typed("text/html"),
            RetrieveFailure::ContentType("text/html".into()),
        ),
        (typed(""), RetrieveFailure::ContentType(String::new())),
        (
            FetchResponse::new(200, trusted()),
            RetrieveFailure::ContentType(String::new()),
        ),
        (
            typed("application/pkcs7-mime;smime-type=certs-only"),
            RetrieveFailure::ContentType("application/pkcs7-mime;smime-type=certs-only".into()),
        ),
        (ok(&Bytes::new()), RetrieveFailure::Empty),
        (
            ok(&Bytes::from(vec![0; 65_537])),
            RetrieveFailure::Fetch(FetchFailure::TooLarge),
        ),
        (
            FetchResponse::new(204, ""),
            RetrieveFailure::Status { status: 204 },
        ),
        (
            FetchResponse::new(500, trusted()),
            RetrieveFailure::Status { status: 500 },
        ),
        (
            FetchResponse::new(0, ""),
            RetrieveFailure::Status { status: 0 },
        ),
        (
            ok(&Bytes::from("nonsense")),
            RetrieveFailure::Certificate(CertificateError::Unreadable("nonsense".into())),
        ),
    ] {
        let (mut scene, key) = usual(SRC);
        scene.fetched(response);
        assert_eq!(failure(&mut scene), expected);
        assert!(!scene.is_usable(key));
        scene.close();
    }
    let (mut scene, key) = usual(SRC);
    let kind = "Application/PKIX-Cert; x=y";
    scene.fetched(FetchResponse::new(200, trusted()).with_content_type(kind));
    assert!(scene.is_usable(key));
}

// CERT-09
#[test]
fn bundles_are_taken_where_that_is_said() {
    let mut config = RetrieverConfig::default();
    config.web.allow_bundles = true;
    let (mut scene, key) = followed(config, &[SRC]);
    scene.reads = false;
    assert!(scene.fetches[0].accept.contains("application/pkcs7-mime"));
    let response = FetchResponse::new(200, "a bundle")
        .with_content_type("application/pkcs7-mime; smime-type=Certs-Only");
    scene.fetched(response);
    let inspection = scene.inspections.pop_front().unwrap();
    assert_eq!(inspection.form, CertificateForm::Bundle);
    let unsupported = inspection.read_with(&super::scene::Reader);
    assert_eq!(unsupported, Err(CertificateError::Unsupported));
    let validity = today()..=today() + time::Duration::days(9);
    let info = CertificateInfo::new(&b"within"[..], validity, Chain::Trusted).with_names([MIRA]);
    let done = scene
        .retriever
        .complete_inspection(scene.now, inspection.key, Ok(info));
    assert!(done);
    let used = scene.retriever.certificate(scene.now, key).unwrap();
    assert_eq!(used.info.der, "within");
    scene.close();
}

// CERT-09
#[test]
fn a_fetch_that_fails_is_tried_again_with_more_and_more_patience() {
    let (mut scene, key) = usual(SRC);
    let mut waits = Vec::new();
    for _ in 0..13 {
        scene.fetch_fails(FetchFailure::Unreachable);
        let failed = failures(&scene.told());
        waits.push(failed[0].1.unwrap());
        scene.pass(*waits.last().unwrap() as f64 - 1.0);
        assert!(scene.fetches.is_empty());
        scene.pass(2.0);
        assert_eq!(scene.fetches.len(), 1);
    }
    assert_eq!(waits[..5], [60, 120, 240, 480, 960]);
    assert_eq!(waits[12], 86_400);
    scene.fetched(ok(&trusted()));
    assert!(scene.is_usable(key));
    // From the beginning again; the one that is kept is used meanwhile.
    scene.pass(DAY * 0.9 + 1.0);
    scene.fetch_fails(FetchFailure::Timeout);
    assert_eq!(failures(&scene.told())[0].1, Some(60));
    assert!(scene.is_usable(key));
    scene.close();
    // The server's wish counts where it is more.
    let (mut scene, _) = usual(SRC);
    let mut response = FetchResponse::new(503, "");
    response.retry_after = Some(700);
    scene.fetched(response);
    assert_eq!(failures(&scene.told())[0].1, Some(700));
}

// CERT-09, CERT-35
#[test]
fn it_is_fetched_again_before_it_is_forgotten() {
    let (mut scene, key) = usual(SRC);
    scene.fetched(ok(&trusted()));
    scene.told();
    scene.pass(DAY * 0.9 - 1.0);
    assert!(scene.fetches.is_empty());
    scene.pass(2.0);
    scene.fetched(ok(&trusted()));
    assert!(scene.told().is_empty());
    scene.pass(DAY * 0.9 + 1.0);
    let other = certificate("trusted;sip:mira@example.com;second");
    scene.fetched(ok(&other));
    let events = scene.told();
    assert!(
        matches!(&events[..], [RetrieverEvent::Changed { .. }]),
        "{events:?}"
    );
    // Nobody answers any more.
    scene.pass(DAY * 2.0);
    assert_eq!(losses(&scene.told()), [Loss::Lapsed]);
    assert!(!scene.is_usable(key));
    scene.close();
}

// CERT-34
#[test]
fn one_that_is_gone_is_not_used() {
    for status in [404, 410] {
        let (mut scene, key) = usual(SRC);
        scene.fetched(ok(&trusted()));
        scene.pass(DAY * 0.9 + 1.0);
        scene.told();
        scene.fetched(FetchResponse::new(status, "not here"));
        let events = scene.told();
        assert_eq!(losses(&events), [Loss::Withdrawn]);
        assert!(
            events
                .iter()
                .any(|it| matches!(it, RetrieverEvent::Absent { .. }))
        );
        assert!(!scene.is_usable(key));
        scene.close();
    }
}

#[test]
fn an_answer_that_comes_late_or_twice_is_nothing() {
    let (mut scene, key) = usual(SRC);
    let fetch = scene.fetches.pop_front().unwrap();
    scene.pass(31.0);
    let expected = RetrieveFailure::Fetch(FetchFailure::Timeout);
    assert_eq!(failure(&mut scene), expected);
    let now = scene.now;
    assert!(
        !scene
            .retriever
            .complete_fetch(now, fetch.key, ok(&trusted()))
    );
    assert!(
        !scene
            .retriever
            .fail_fetch(now, fetch.key, FetchFailure::Refused)
    );
    assert!(!scene.is_usable(key));
    scene.pass(60.0);
    let fetch = scene.fetched(ok(&trusted()));
    assert!(
        !scene
            .retriever
            .complete_fetch(scene.now, fetch.key, ok(&Bytes::from("x")))
    );
    assert!(scene.is_usable(key));
    // And after everything has ended.
    scene.pass(DAY);
    let fetch = scene.fetches.pop_front().unwrap();
    scene.retriever.end(scene.now, key);
    assert!(
        !scene
            .retriever
            .complete_fetch(scene.now, fetch.key, ok(&trusted()))
    );
    scene.close();
}

#[test]
fn a_reading_that_comes_late_or_twice_is_nothing() {
    let (mut scene, key) = usual(SRC);
    scene.reads = false;
    scene.fetched(ok(&trusted()));
    let inspection = scene.inspections.pop_front().unwrap();
    assert_eq!(inspection.form, CertificateForm::Der);
    let info = inspection.read_with(&super::scene::Reader);
    scene.pass(11.0);
    assert_eq!(
        failures(&scene.told()),
        [(RetrieveFailure::NotInspected, Some(60))]
    );
    let mut complete = |result| {
        let (now, key) = (scene.now, inspection.key);
        scene.retriever.complete_inspection(now, key, result)
    };
    assert!(!complete(info.clone()));
    assert!(!complete(Err(CertificateError::Unsupported)));
    scene.pass(60.0);
    scene.fetched(ok(&trusted()));
    let inspection = scene.inspections.pop_front().unwrap();
    let (now, name) = (scene.now, inspection.key);
    assert!(scene.retriever.complete_inspection(now, name, info.clone()));
    assert!(!scene.retriever.complete_inspection(now, name, info));
    assert!(scene.is_usable(key));
    scene.close();
}

#[test]
fn a_host_that_reads_another_certificate_is_not_believed() {
    let (mut scene, key) = usual(SRC);
    scene.reads = false;
    scene.fetched(ok(&trusted()));
    let inspection = scene.inspections.pop_front().unwrap();
    let mut info = inspection.read_with(&super::scene::Reader).unwrap();
    info.der = Bytes::from("another");
    (scene.retriever).complete_inspection(scene.now, inspection.key, Ok(info));
    assert!(!scene.is_usable(key));
    scene.close();
}
