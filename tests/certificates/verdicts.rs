//! Whether a certificate may be used, and for whom (RFC 6072 section 10.3).

use bytes::Bytes;
use presentity::certs::{
    Binding, DocumentIntegrity, Integrity, Objection, Proof, RetrieverConfig, Verdict,
};
use presentity::event::{Assurance, Identity};
use presentity::mime::{Chain, Signer};

use super::scene::{
    DAY, MIRA, Scene, certificate, document, domain, losses, objections, own_domain, today,
};

const HOSTILE: &str = "sip:certs@example.org";

/// What is made of Mira's certificate by these rules.
fn verdict(
    config: RetrieverConfig,
    source: &str,
    integrity: DocumentIntegrity,
    words: &str,
    sender: &Identity,
) -> Verdict {
    let mut scene = Scene::with(config);
    let document = document(&[source]);
    let key = (scene.retriever)
        .follow(scene.now, &[MIRA], &document, integrity)
        .unwrap();
    scene.run();
    let mut service = scene.accept();
    service.notify(&mut scene, "active", Some(&certificate(words)), sender);
    let verdict = scene.retriever.verdict(scene.now, key).expect("a verdict");
    assert_eq!(scene.is_usable(key), verdict.is_usable());
    assert_eq!(
        scene.retriever.certificate_for(scene.now, MIRA).is_some(),
        verdict.is_usable()
    );
    let events = scene.told();
    match &verdict {
        Verdict::Usable(_) => assert!(objections(&events).is_empty()),
        Verdict::Unusable(objection) => {
            assert_eq!(objections(&events), std::slice::from_ref(objection))
        }
        _ => unreachable!(),
    }
    scene.close();
    verdict
}

/// By the usual rules, from her own address.
fn usual(words: &str, sender: &Identity) -> Verdict {
    let (config, integrity) = (RetrieverConfig::default(), DocumentIntegrity::Unprotected);
    verdict(config, "", integrity, words, sender)
}

fn objection(verdict: Verdict) -> Objection {
    match verdict {
        Verdict::Unusable(objection) => objection,
        other => panic!("{other}"),
    }
}

fn proof(verdict: Verdict) -> (Proof, Binding) {
    match verdict {
        Verdict::Usable(ground) => (ground.proof, ground.binding),
        other => panic!("{other}"),
    }
}

fn mira(assurance: Assurance) -> Identity {
    Identity::of(MIRA, assurance).unwrap()
}

// CERT-36
#[test]
fn a_trusted_authority_is_enough_whoever_has_sent_it() {
    for sender in [Identity::nobody(), domain("example.org"), own_domain()] {
        let (proof, binding) = proof(usual("trusted;sip:mira@example.com", &sender));
        assert_eq!(
            (proof, binding),
            (Proof::TrustedChain, Binding::SameAddress)
        );
    }
}

// CERT-36
#[test]
fn a_trusted_authority_that_names_others_is_not() {
    for names in [
        "sip:other@example.com",
        "sip:mira@example.org",
        "sip:example.com",
        "sip:Mira@example.com",
        "mailto:mira@example.com",
        "x",
    ] {
        let words = format!("trusted;{names}");
        let found = objection(usual(&words, &Identity::nobody()));
        assert_eq!(found, Objection::WrongName, "{names}");
    }
    for names in [
        "sips:mira@EXAMPLE.com",
        "sip:m%69ra@example.com",
        "sip:x@y;sip:mira@example.com",
    ] {
        let words = format!("trusted;{names}");
        assert!(usual(&words, &Identity::nobody()).is_usable(), "{names}");
    }
}

// CERT-32, CERT-36, CERT-37
#[test]
fn one_signed_by_its_own_key_is_used_when_who_may_has_sent_it() {
    for (sender, protection) in [
        (own_domain(), Integrity::Transport),
        (mira(Assurance::Transport), Integrity::Transport),
        (mira(Assurance::Smime), Integrity::Smime),
        (
            Identity::of("sip:example.com", Assurance::Smime).unwrap(),
            Integrity::Smime,
        ),
    ] {
        let (proof, binding) = proof(usual(MIRA, &sender));
        assert_eq!(proof, Proof::AssertedIdentity(protection));
        assert_eq!(binding, Binding::SameAddress);
    }
}

// CERT-32, CERT-36
#[test]
fn one_that_nobody_vouches_for_is_not() {
    for (sender, expected) in [
        (Identity::nobody(), Objection::NoIdentity),
        (mira(Assurance::Claimed), Objection::NoIdentity),
        (mira(Assurance::Digest), Objection::NoIdentity),
        // RFC 8224 covers no body.
        (mira(Assurance::Signed), Objection::BodyNotCovered),
        (mira(Assurance::Asserted), Objection::BodyNotCovered),
        (
            domain("example.org"),
            Objection::WrongIdentity {
                asserted: "example.org".into(),
            },
        ),
        // A subdomain is not the domain.
        (
            domain("sip.example.com"),
            Objection::WrongIdentity {
                asserted: "sip.example.com".into(),
            },
        ),
        (
            Identity::of("sip:otto@example.com", Assurance::Signed).unwrap(),
            Objection::WrongIdentity {
                asserted: "otto@example.com".into(),
            },
        ),
        // A domain does not assert its users by these.
        (
            Identity::of("sip:example.com", Assurance::Signed).unwrap(),
            Objection::WrongIdentity {
                asserted: "example.com".into(),
            },
        ),
    ] {
        assert_eq!(objection(usual(MIRA, &sender)), expected, "{sender:?}");
    }
}

// CERT-36
#[test]
fn identity_and_body_may_be_shown_by_different_means() {
    let both = mira(Assurance::Signed).and("sip:example.com", Assurance::Transport);
    assert!(usual(MIRA, &both.unwrap()).is_usable());
    let other = mira(Assurance::Signed).and("sip:example.net", Assurance::Transport);
    assert_eq!(
        objection(usual(MIRA, &other.unwrap())),
        Objection::BodyNotCovered
    );
}

// CERT-32, CERT-36
#[test]
fn what_a_host_knows_of_its_network_counts_where_it_says_so() {
    let none = DocumentIntegrity::Unprotected;
    let mut config = RetrieverConfig::default();
    config.rules.identity_covers_body = true;
    let found = verdict(config.clone(), "", none, MIRA, &mira(Assurance::Signed));
    let expected = Proof::AssertedIdentity(Integrity::Identity);
    assert_eq!(proof(found).0, expected);
    assert!(!verdict(config, "", none, MIRA, &mira(Assurance::Asserted)).is_usable());

    let mut config = RetrieverConfig::default();
    config.rules.trust_asserted = true;
    let found = verdict(config.clone(), "", none, MIRA, &mira(Assurance::Asserted));
    let expected = Proof::AssertedIdentity(Integrity::TrustedNeighbour);
    assert_eq!(proof(found).0, expected);
    assert!(!verdict(config, "", none, MIRA, &mira(Assurance::Signed)).is_usable());
}

// CERT-36
#[test]
fn from_has_to_agree_whoever_has_proved_himself() {
    for sender in [own_domain(), mira(Assurance::Smime)] {
        let mut scene = Scene::new();
        let key = scene.follow(MIRA);
        let mut service = scene.accept();
        service.from = "sip:otto@example.com".into();
        service.notify(&mut scene, "active", Some(&certificate(MIRA)), &sender);
        let asserted = "otto@example.com".to_owned();
        assert_eq!(
            scene.retriever.verdict(scene.now, key),
            Some(Verdict::Unusable(Objection::WrongIdentity { asserted }))
        );
        scene.close();
    }
}

// CERT-36
#[test]
fn validity_is_looked_at_from_both_ends_whoever_vouches() {
    let day = time::Duration::days(1);
    for (words, expected) in [
        ("days=-1", Objection::Expired(today() - day)),
        ("from=1", Objection::NotYetValid(today() + day)),
        ("revoked", Objection::Revoked),
    ] {
        for kind in ["trusted", "self"] {
            let words = format!("{words};{kind};{MIRA}");
            assert_eq!(objection(usual(&words, &own_domain())), expected);
        }
    }
    assert!(usual(&format!("days=0;{MIRA}"), &own_domain()).is_usable());
    assert!(usual(&format!("from=0;{MIRA}"), &own_domain()).is_usable());
}

// CERT-37
#[test]
fn a_revoked_one_is_refused_before_anything_else() {
    let words = format!("revoked;trusted;days=-5;{MIRA}");
    assert_eq!(objection(usual(&words, &own_domain())), Objection::Revoked);
}

// CERT-45
#[test]
fn who_vouches_for_one_that_names_another_is_not_believed() {
    for names in ["", "sip:otto@example.com", "sip:mira@example.org"] {
        assert_eq!(objection(usual(names, &own_domain())), Objection::WrongName);
    }
    let mut config = RetrieverConfig::default();
    config.rules.require_name = false;
    let none = DocumentIntegrity::Unprotected;
    assert!(verdict(config, "", none, "", &own_domain()).is_usable());
}

#[test]
fn a_key_that_may_not_encrypt_is_refused_where_it_has_to() {
    let words = format!("sign-only;{MIRA}");
    assert!(usual(&words, &own_domain()).is_usable());
    let mut config = RetrieverConfig::default();
    config.rules.must_encrypt = true;
    let none = DocumentIntegrity::Unprotected;
    let found = verdict(config.clone(), "", none, &words, &own_domain());
    assert_eq!(objection(found), Objection::MayNotEncrypt);
    assert!(verdict(config, "", none, MIRA, &own_domain()).is_usable());
}

// CERT-13, CERT-33
#[test]
fn who_can_alter_a_document_cannot_put_himself_in_its_place() {
    let (config, none) = (RetrieverConfig::default(), DocumentIntegrity::Unprotected);
    // All is well with the certificate, for the one that was asked.
    for words in ["sip:certs@example.org", "trusted;sip:certs@example.org"] {
        for sender in [domain("example.org"), Identity::nobody()] {
            let found = verdict(config.clone(), HOSTILE, none, words, &sender);
            let asked = "certs@example.org".to_owned();
            assert_eq!(objection(found), Objection::NotBound { asked });
        }
    }
    // Nor by putting her name in it.
    let both = "sip:certs@example.org;sip:mira@example.com";
    let found = verdict(config.clone(), HOSTILE, none, both, &domain("example.org"));
    assert!(matches!(objection(found), Objection::NotBound { .. }));
    // Nor as somebody else in her domain.
    let found = verdict(config, "sip:otto@example.com", none, both, &own_domain());
    assert!(matches!(objection(found), Objection::NotBound { .. }));
}

// CERT-07, CERT-13
#[test]
fn another_source_counts_when_an_authority_names_the_presentity() {
    let (config, none) = (RetrieverConfig::default(), DocumentIntegrity::Unprotected);
    let words = "trusted;sip:mira@example.com";
    let found = verdict(config, HOSTILE, none, words, &Identity::nobody());
    assert_eq!(proof(found), (Proof::TrustedChain, Binding::Named));
}

// CERT-13
#[test]
fn another_source_counts_when_the_document_was_protected() {
    let config = RetrieverConfig::default;
    for integrity in [
        DocumentIntegrity::SignedByPresentity,
        DocumentIntegrity::SignedByDomain,
    ] {
        let words = "sip:certs@example.org";
        let found = verdict(config(), HOSTILE, integrity, words, &domain("example.org"));
        let (by, binding) = proof(found);
        assert_eq!(binding, Binding::Document);
        assert_eq!(by, Proof::AssertedIdentity(Integrity::Transport));
        // It has to be proved all the same.
        let found = verdict(config(), HOSTILE, integrity, words, &Identity::nobody());
        assert_eq!(objection(found), Objection::NoIdentity);
        let words = "trusted;sip:certs@example.org";
        let found = verdict(config(), HOSTILE, integrity, words, &Identity::nobody());
        assert_eq!(proof(found), (Proof::TrustedChain, Binding::Document));
    }
}

// CERT-13
#[test]
fn signers_of_a_document_count_when_they_are_trusted_and_speak_for_her() {
    let untrusted = || Chain::Untrusted("unknown".into());
    let of = |signer: Signer| DocumentIntegrity::of(&[signer], "pres:mira@example.com");
    let names = ["sip:x@y", MIRA];
    assert_eq!(
        of(Signer::new(names, Chain::Trusted)),
        DocumentIntegrity::SignedByPresentity
    );
    assert_eq!(
        of(Signer::new(names, untrusted())),
        DocumentIntegrity::Unprotected
    );
    assert_eq!(
        of(Signer::new(["sip:otto@example.com"], Chain::Trusted)),
        DocumentIntegrity::Unprotected
    );
    // Her domain by its name of SIP; one of DNS is not looked at then.
    let named = |name: &str| Signer::new([name], Chain::Trusted);
    assert_eq!(
        of(named("sip:example.com")),
        DocumentIntegrity::SignedByDomain
    );
    assert_eq!(
        of(named("sip:example.org").with_domains(["example.com"])),
        DocumentIntegrity::Unprotected
    );
    let nameless = || Signer::new([""; 0], Chain::Trusted);
    assert_eq!(
        of(nameless().with_domains(["Example.com"])),
        DocumentIntegrity::SignedByDomain
    );
    for other in ["example.org", "sip.example.com", "com", ""] {
        assert_eq!(
            of(nameless().with_domains([other])),
            DocumentIntegrity::Unprotected
        );
    }
    assert_eq!(
        DocumentIntegrity::of(&[], MIRA),
        DocumentIntegrity::Unprotected
    );
    let trusted = Signer::new(names, Chain::Trusted);
    assert_eq!(
        DocumentIntegrity::of(&[trusted], "no uri"),
        DocumentIntegrity::Unprotected
    );
}

// CERT-33, CERT-36
#[test]
fn other_names_in_a_certificate_find_nothing() {
    let mut scene = Scene::new();
    let words = certificate("trusted;sip:mira@example.com;sip:boss@example.com");
    scene.followed(MIRA, &words, &own_domain());
    let find = |uri: &str| scene.retriever.certificate_for(scene.now, uri);
    assert_eq!(
        find("sips:mira@example.com").unwrap().ground.name,
        "mira@example.com"
    );
    assert!(find("pres:mira@example.com").is_some());
    for other in ["sip:boss@example.com", "sip:mira@example.org", "no uri", ""] {
        assert!(find(other).is_none(), "{other}");
    }
}

// CERT-33
#[test]
fn each_name_of_a_presentity_is_judged_by_itself() {
    let mut scene = Scene::new();
    let names = ["sip:mira@example.org", MIRA];
    let key = (scene.retriever)
        .follow(
            scene.now,
            &names,
            &document(&[""]),
            DocumentIntegrity::Unprotected,
        )
        .unwrap();
    scene.run();
    let mut service = scene.accept();
    service.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    let used = scene.retriever.certificate(scene.now, key).unwrap();
    assert_eq!(used.ground.name, "mira@example.com");
    assert!(scene.retriever.certificate_for(scene.now, MIRA).is_some());
    let other = scene
        .retriever
        .certificate_for(scene.now, "sip:mira@example.org");
    assert_eq!(other, None);
    scene.close();
}

// CERT-36
#[test]
fn without_the_time_of_day_nothing_is_used_and_nobody_else_is_asked() {
    let mut scene = Scene::without_clock(RetrieverConfig::default());
    let documents = document(&["", "sip:mira@example.com;gr=a"]);
    let key = (scene.retriever)
        .follow(
            scene.now,
            &[MIRA],
            &documents,
            DocumentIntegrity::Unprotected,
        )
        .unwrap();
    scene.run();
    let mut service = scene.accept();
    service.notify(
        &mut scene,
        "active",
        Some(&certificate(MIRA)),
        &own_domain(),
    );
    assert_eq!(objections(&scene.told()), [Objection::ClockUnset]);
    assert!(scene.sent.is_empty());
    scene.retriever.set_wall_clock(scene.now, today());
    assert!(scene.is_usable(key));
    scene.run();
    assert_eq!(super::scene::found(&scene.told()), 1);
    // Set to another time, everything is judged anew.
    let later = today() + time::Duration::days(400);
    scene.retriever.set_wall_clock(scene.now, later);
    scene.run();
    assert!(matches!(
        losses(&scene.told())[..],
        [presentity::certs::Loss::Unusable(Objection::Expired(_))]
    ));
    scene.close();
}

// CERT-36
#[test]
fn one_that_is_not_valid_yet_is_used_from_its_time_on() {
    let mut scene = Scene::new();
    let body = certificate("from=0.5;sip:mira@example.com");
    let body = Bytes::from(
        String::from_utf8(body.to_vec())
            .unwrap()
            .replace("0.5", "1"),
    );
    let mut config = RetrieverConfig::default();
    config.cache_time = std::time::Duration::from_secs(200_000);
    config.subscriber.expires = Some(200_000);
    let mut late = Scene::with(config);
    let key = late.follow(MIRA);
    let mut service = late.accept();
    service.notify(
        &mut late,
        "active;expires=200000",
        Some(&body),
        &own_domain(),
    );
    assert_eq!(objections(&late.told()).len(), 1);
    late.pass(DAY - 10.0);
    assert!(!late.is_usable(key) && late.told().is_empty());
    late.pass(20.0);
    assert!(late.is_usable(key));
    assert_eq!(super::scene::found(&late.told()), 1);
    late.close();
    scene.close();
}
