//! Requests that are signed, by whomever.

use bytes::Bytes;
use presentity::event::{Assurance, EndReason, Signature};
use presentity::mime::{Chain, Part, Sign, Signed, Signer, VerifyError, Written};
use presentity::sdf::{Failure, MEDIA_TYPE, Operation, RequestContext};
use time::Duration;

use crate::common::seeded;
use crate::scene::{EMIL, NORA, OTTO, RUTH, Scene, authority, known, nobody, written};
use crate::signing::{Authority, KeyHolder, NOW};

/// A service that asks for signatures that name the watcher.
fn demanding() -> Scene {
    let mut scene = Scene::new();
    scene.rules().signature = Signature::Bound;
    scene
}

fn of_nora() -> KeyHolder {
    authority().signer(&[NORA])
}

/// A request to hold "a" for ten minutes.
fn ask(scene: &mut Scene, by: &KeyHolder) -> Written {
    let request = scene.request(NORA, EMIL, "a", 600);
    scene.signed(&request, by)
}

// SDF-30, SDF-32, SDF-33, SDF-34, SEC-36, SEC-38: From and a right signature whose certificate names
// the watcher are what the policy goes by, whoever brings it.
#[test]
fn a_signature_that_names_the_watcher_is_proof_of_who_asks() {
    for carrier in [
        nobody(),
        known(OTTO),
        known("sip:gateway@example.net"),
        known(NORA),
    ] {
        let mut scene = demanding();
        scene.set(EMIL, "x");
        let request = ask(&mut scene, &of_nora());
        let outputs = scene.send_written(&request, &carrier);
        assert_eq!(outputs.story(), ["verify", "Subscribe 600", "nora a: x"]);
        let asked = scene.rules().asked.pop().unwrap();
        assert_eq!(asked.watcher.as_deref(), Some("nora@example.org"));
        assert_eq!(asked.signature, Signature::Bound);
        let smime = ("nora@example.org".to_owned(), Assurance::Smime);
        assert!(asked.claims.contains(&smime));
        assert!(
            asked
                .claims
                .iter()
                .all(|(name, _)| name == "nora@example.org")
        );
        assert_eq!(scene.rules().asked.len(), 0, "the policy was asked once");

        // Each of the operations.
        for (token, duration, operation) in [
            ("a", 900, Operation::Extend),
            ("", 0, Operation::Fetch),
            ("a", 0, Operation::Cancel),
        ] {
            let request = scene.request(NORA, EMIL, token, duration);
            let request = scene.signed(&request, &of_nora());
            let outputs = scene.send_written(&request, &carrier);
            assert_eq!(outputs.granted().operation, operation);
        }
        scene.empty();
    }
}

// SDF-30, SDF-38
#[test]
fn what_is_not_signed_is_refused_where_the_policy_asks_for_it() {
    let mut scene = demanding();
    for (token, duration) in [("a", 600), ("", 0)] {
        let request = scene.request(NORA, EMIL, token, duration);
        for identity in [known(NORA), nobody()] {
            let outputs = scene.send(&request, &identity);
            let failure = outputs.failure();
            assert_eq!(failure, Failure::SignatureRequired(Signature::Bound));
            assert_eq!((failure.status(), outputs.all.len()), (403, 1));
        }
        // The same, signed, passes.
        let signed = scene.signed(&request, &of_nora());
        assert!(scene.send_written(&signed, &nobody()).answer().is_ok());
    }
    // And what lives is not touched by the lack of it.
    let outputs = scene.subscribe(NORA, EMIL, "a", 60);
    assert_eq!(
        outputs.failure(),
        Failure::SignatureRequired(Signature::Bound)
    );
    assert_eq!(scene.pass(599.0).story(), [""; 0]);
    assert_eq!(scene.pass(2.0).ended(), [("a", EndReason::Expired)]);
    scene.empty();
}

// SDF-33, SDF-35: the certificate must name the watcher, as pres URI.
#[test]
fn a_certificate_that_names_somebody_else_binds_nobody() {
    let names: [&[&str]; 7] = [
        &[],
        &[OTTO],
        &["sip:nora@example.org"],
        &["pres:nora@example.com"],
        &["pres:Nora@example.org"],
        &[
            "pres:nora@example.org.example.com",
            "nora@example.org",
            "mailto:nora@example.org",
        ],
        &["pres:nora@example.orgx", "pres:@example.org"],
    ];
    for names in names {
        let mut scene = Scene::new();
        let request = ask(&mut scene, &authority().signer(names));
        let outputs = scene.send_written(&request, &known(NORA));
        assert_eq!(outputs.failure(), Failure::Misbound, "{names:?}");
        assert_eq!(outputs.failure().status(), 403);
        assert_eq!((scene.live(), scene.rules().asked.len()), (0, 0));
        assert_eq!(scene.service.agent().bodies().remembered(), 0);
        scene.empty();
    }
}

// SDF-34: compared as pres URIs, among all names of the certificate.
#[test]
fn names_in_certificates_are_compared_as_uris() {
    let names: [&[&str]; 5] = [
        &[OTTO, "sip:nora@example.org", NORA],
        &["pres:nora@EXAMPLE.Org"],
        &["PRES:nora@example.org"],
        &["pres:%6eor%61@example.org"],
        &["not a uri", NORA],
    ];
    for names in names {
        let mut scene = demanding();
        let request = ask(&mut scene, &authority().signer(names));
        let outputs = scene.send_written(&request, &nobody());
        assert!(outputs.answer().is_ok(), "{names:?}");
        scene.close();
    }
    // And the other way round.
    let mut scene = demanding();
    let request = scene.request("pres:%6eora@Example.org", EMIL, "a", 600);
    let request = scene.signed(&request, &of_nora());
    assert!(scene.send_written(&request, &nobody()).answer().is_ok());
    scene.close();
}

// SDF-32: a right signature of somebody else is worth something only where the host says so, and says
// nothing of who asks.
#[test]
fn unbound_signatures_pass_where_the_host_lets_them() {
    let mut scene = Scene::configured(|_, service| service.checks.unbound_signatures = true);
    scene.rules().signature = Signature::Valid;
    let key = authority().signer(&[OTTO]);
    let request = ask(&mut scene, &key);
    // By nobody it is still nobody's.
    assert_eq!(
        scene.send_written(&request, &nobody()).failure(),
        Failure::Unidentified
    );
    let outputs = scene.send_written(&request, &known(NORA));
    assert_eq!(outputs.granted().operation, Operation::Subscribe);
    let asked = scene.rules().asked.pop().unwrap();
    assert_eq!(asked.signature, Signature::Valid);
    let claims = [("nora@example.org".to_owned(), Assurance::Transport)];
    assert_eq!(asked.claims, claims);
    // Nor can the signer bring it himself.
    let request = ask(&mut scene, &key);
    assert_eq!(
        scene.send_written(&request, &known(OTTO)).failure(),
        Failure::WrongSender
    );
    // Where more is asked for it is not enough.
    scene.rules().signature = Signature::Bound;
    let request = ask(&mut scene, &key);
    let failure = scene.send_written(&request, &known(NORA)).failure();
    assert_eq!(failure, Failure::SignatureRequired(Signature::Bound));
    // Untrusted is untrusted all the same.
    let request = ask(&mut scene, &KeyHolder::self_signed(&[NORA]));
    let failure = scene.send_written(&request, &known(NORA)).failure();
    assert!(matches!(failure, Failure::Untrusted(_)));
    scene.close();
}

// SDF-36: nobody's requests are held against nobody's, be they signed by somebody else.
#[test]
fn times_of_unbound_signatures_hinder_nobody_who_is_known() {
    let mut scene = Scene::configured(|_, service| service.checks.unbound_signatures = true);
    scene.rules().nobody = crate::scene::allowed();
    scene.subscribe(NORA, EMIL, "a", 600);
    let ahead = scene.today() + Duration::seconds(250);
    let request = scene.signed(
        &written(NORA, EMIL, ahead, "a", 600),
        &authority().signer(&[OTTO]),
    );
    let outputs = scene.send_written(&request, &nobody());
    assert_eq!(outputs.granted().operation, Operation::Subscribe);
    assert_eq!(
        scene.send_written(&request, &nobody()).failure(),
        Failure::Replayed
    );
    let granted = scene.subscribe(NORA, EMIL, "a", 600).granted();
    assert_eq!(granted.operation, Operation::Extend);
    scene.close();
}

// SDF-35
#[test]
fn who_is_not_trusted_is_refused() {
    let impostor = Authority::with_key("authority", "another key").signer(&[NORA]);
    let stranger = Authority::new("another authority").signer(&[NORA]);
    let run_out = authority().signer_until(&[NORA], NOW - 1);
    let keys = [impostor, stranger, run_out, KeyHolder::self_signed(&[NORA])];
    for key in keys {
        let mut scene = Scene::new();
        let request = ask(&mut scene, &key);
        let outputs = scene.send_written(&request, &known(NORA));
        let Failure::Untrusted(why) = outputs.failure() else {
            panic!("{outputs:?}");
        };
        assert!(!why.is_empty());
        assert_eq!((outputs.failure().status(), scene.live()), (403, 0));
        scene.empty();
    }
}

// SDF-35
#[test]
fn signatures_that_are_not_right_are_refused() {
    let wrong = [
        (of_nora().without_certificate(), VerifyError::NoCertificate),
        (
            authority().signer(&[OTTO]).with_certificate_of(&of_nora()),
            VerifyError::Wrong,
        ),
    ];
    for (key, why) in wrong {
        let mut scene = Scene::new();
        let request = ask(&mut scene, &key);
        let outputs = scene.send_written(&request, &known(NORA));
        assert_eq!(outputs.failure(), Failure::Signature(why));
        assert_eq!((outputs.failure().status(), scene.live()), (403, 0));
        scene.empty();
    }
}

// SDF-35: the signature of one request is none of another.
#[test]
fn a_signature_holds_for_what_was_signed() {
    let mut scene = Scene::new();
    let key = of_nora();
    let first = scene.request(NORA, EMIL, "a", 60);
    let part = Part::new(MEDIA_TYPE, first.octets()).unwrap();
    let signature = key.sign(part.octets()).unwrap();
    for other in [
        scene.request(NORA, EMIL, "a", 61),
        scene.request(NORA, EMIL, "b", 60),
        scene.request(NORA, RUTH, "a", 60),
        scene.request(OTTO, EMIL, "a", 60),
    ] {
        let part = Part::new(MEDIA_TYPE, other.octets()).unwrap();
        let request = Signed::write(part.octets(), &signature, &mut seeded(3));
        let failure = scene.send_written(&request, &nobody()).failure();
        assert_eq!(failure, Failure::Signature(VerifyError::Wrong));
    }
    assert_eq!(scene.live(), 0);
    scene.empty();
}

// SDF-35, SDF-30: no octet of what is signed can be altered so that the request does something else.
#[test]
fn whatever_octet_is_altered_nothing_is_held() {
    let mut scene = demanding();
    let request = ask(&mut scene, &of_nora());
    let content = {
        let signed = Signed::read(&request.content_type, &request.body).unwrap();
        signed.content().clone()
    };
    let start = request
        .body
        .windows(content.len())
        .position(|it| it == &content[..])
        .unwrap();
    for place in 0..content.len() {
        let mut body = request.body.to_vec();
        body[start + place] ^= [0x01, 0x20, 0x80][place % 3];
        let mut altered = request.clone();
        altered.body = body.into();
        let outputs = scene.send_written(&altered, &known(NORA));
        assert!(outputs.answer().is_err(), "{place}");
        assert_eq!(scene.live(), 0);
    }
    assert_eq!(scene.service.agent().bodies().remembered(), 0);
    assert!(scene.send_written(&request, &nobody()).answer().is_ok());
    scene.close();
}

// SDF-37: what was signed for one presentity is of no use at another.
#[test]
fn a_signed_request_holds_for_its_presentity_alone() {
    let mut scene = demanding();
    let request = ask(&mut scene, &of_nora());
    let mallory = known("pres:mallory@example.net");
    let context = RequestContext::new(&mallory).with_addressed(RUTH);
    let outputs = scene.send_with(&request.content_type, &request.body, &context);
    assert_eq!(outputs.failure(), Failure::WrongTarget);
    assert_eq!(outputs.all.len(), 1, "nothing is verified");
    let context = RequestContext::new(&mallory).with_addressed("sip:emil@example.com");
    let outputs = scene.send_with(&request.content_type, &request.body, &context);
    assert!(outputs.answer().is_ok());
    scene.close();
}

fn held(scene: &mut Scene, request: &Written) -> presentity::sdf::Verification {
    scene.verifies = false;
    let outputs = scene.send_written(request, &nobody());
    assert_eq!(outputs.story(), ["verify"]);
    outputs.verification().clone()
}

// SDF-35
#[test]
fn a_verdict_counts_once() {
    let mut scene = demanding();
    let request = ask(&mut scene, &of_nora());
    let waiting = held(&mut scene, &request);
    assert_eq!(
        waiting.deadline,
        scene.now + std::time::Duration::from_secs(16)
    );
    assert_eq!(scene.service.waiting(), 1);
    scene.pass(15.9);
    let verdict = scene.verdict(&waiting.signed);
    assert!(
        scene
            .service
            .complete_verification(scene.now, waiting.key, &verdict)
    );
    assert_eq!(scene.drain().story(), ["Subscribe 600", "nora a: unknown"]);
    assert!(
        !scene
            .service
            .complete_verification(scene.now, waiting.key, &verdict)
    );
    let wrong = Err(VerifyError::Wrong);
    assert!(
        !scene
            .service
            .complete_verification(scene.now, waiting.key, &wrong)
    );
    assert_eq!(
        (scene.drain().story(), scene.service.waiting()),
        (vec![], 0)
    );
    assert_eq!(scene.live(), 1);
    scene.close();
}

// SDF-35
#[test]
fn without_a_verdict_in_time_the_request_has_failed() {
    let mut scene = demanding();
    let request = ask(&mut scene, &of_nora());
    let waiting = held(&mut scene, &request);
    assert_eq!(scene.pass(15.999).story(), [""; 0]);
    let outputs = scene.pass(0.1);
    assert_eq!(outputs.failure(), Failure::Unverified);
    assert_eq!(
        (outputs.failure().status(), scene.service.waiting()),
        (504, 0)
    );
    let verdict = scene.verdict(&waiting.signed);
    assert!(
        !scene
            .service
            .complete_verification(scene.now, waiting.key, &verdict)
    );
    assert_eq!((scene.drain().story(), scene.live()), (vec![], 0));
    // It was not accepted, and may come again.
    scene.verifies = true;
    assert!(scene.send_written(&request, &nobody()).answer().is_ok());
    scene.close();
}

#[test]
fn the_deadline_is_a_setting_of_thirty_seconds_at_most() {
    for (chosen, counts) in [(3, 3), (30, 30), (3_000, 30)] {
        let mut scene = Scene::configured(|_, service| {
            service.intake.verification_deadline = std::time::Duration::from_secs(chosen);
        });
        let request = ask(&mut scene, &of_nora());
        held(&mut scene, &request);
        assert_eq!(scene.pass(counts as f64 - 0.001).story(), [""; 0]);
        assert_eq!(scene.pass(0.1).failure(), Failure::Unverified);
        scene.empty();
    }
}

// SDF-36: of two that wait at once, one is accepted.
#[test]
fn the_same_request_does_not_pass_twice_while_it_is_verified() {
    for reversed in [false, true] {
        for (token, duration) in [("a", 600), ("", 0)] {
            let mut scene = demanding();
            let request = scene.request(NORA, EMIL, token, duration);
            let request = scene.signed(&request, &of_nora());
            let mut waiting = [held(&mut scene, &request), held(&mut scene, &request)];
            if reversed {
                waiting.reverse();
            }
            let verdict = scene.verdict(&waiting[0].signed);
            let complete = |scene: &mut Scene, key| {
                assert!(
                    scene
                        .service
                        .complete_verification(scene.now, key, &verdict)
                );
                scene.drain().answer()
            };
            assert!(complete(&mut scene, waiting[0].key).is_ok());
            assert_eq!(complete(&mut scene, waiting[1].key), Err(Failure::Replayed));
            scene.close();
        }
    }
}

// SDF-36: it is fresh when it is carried out, not only when it comes.
#[test]
fn what_grows_old_while_it_is_verified_is_refused() {
    let mut scene = demanding();
    let old = scene.today() - Duration::seconds(299);
    let request = scene.signed(&written(NORA, EMIL, old, "a", 600), &of_nora());
    let waiting = held(&mut scene, &request);
    scene.pass(2.0);
    let verdict = scene.verdict(&waiting.signed);
    assert!(
        scene
            .service
            .complete_verification(scene.now, waiting.key, &verdict)
    );
    assert_eq!(scene.drain().failure(), Failure::Stale);
    // An older one that is verified later does not undo a newer one.
    let first = ask(&mut scene, &of_nora());
    let second = scene.request(NORA, EMIL, "a", 900);
    let second = scene.signed(&second, &of_nora());
    let (first, second) = (held(&mut scene, &first), held(&mut scene, &second));
    for (waiting, passes) in [(second, true), (first, false)] {
        let verdict = scene.verdict(&waiting.signed);
        scene
            .service
            .complete_verification(scene.now, waiting.key, &verdict);
        assert_eq!(scene.drain().answer().is_ok(), passes);
    }
    scene.close();
}

// SDF-35: several signers.
#[test]
fn one_of_the_signers_names_the_watcher_and_is_trusted() {
    let untrusted = || Chain::Untrusted("self-signed".to_owned());
    let verdicts = [
        (vec![], Err(Failure::Untrusted(String::new()))),
        (
            vec![
                Signer::new([OTTO], Chain::Trusted),
                Signer::new([NORA], Chain::Trusted),
            ],
            Ok(()),
        ),
        (
            vec![
                Signer::new([NORA], untrusted()),
                Signer::new([NORA], Chain::Trusted),
            ],
            Ok(()),
        ),
        (
            vec![
                Signer::new([NORA], untrusted()),
                Signer::new([OTTO], Chain::Trusted),
            ],
            Err(Failure::Misbound),
        ),
        (
            vec![Signer::new([NORA], untrusted())],
            Err(Failure::Untrusted("self-signed".to_owned())),
        ),
    ];
    for (signers, outcome) in verdicts {
        let mut scene = demanding();
        let request = ask(&mut scene, &of_nora());
        let waiting = held(&mut scene, &request);
        scene
            .service
            .complete_verification(scene.now, waiting.key, &Ok(signers));
        assert_eq!(scene.drain().answer().map(|_| ()), outcome);
        scene.close();
    }
}

// What is around a request is read before anything is verified.
#[test]
fn what_is_around_a_request_has_its_form() {
    let mut scene = Scene::new();
    let key = of_nora();
    let document = Bytes::from_static(b"<presence/>");
    let foreign = Part::new("application/pidf+xml", &document).unwrap();
    let request = Signed::write(
        foreign.octets(),
        &key.sign(foreign.octets()).unwrap(),
        &mut seeded(5),
    );
    let failure = scene.send_written(&request, &known(NORA)).failure();
    assert!(matches!(&failure, Failure::MediaType { found } if found == "application/pidf+xml"));
    assert_eq!(failure.status(), 415);

    let good = ask(&mut scene, &key);
    let cut = good.body.slice(..good.body.len() / 2);
    let context_of = known(NORA);
    let context = RequestContext::new(&context_of);
    for (kind, body) in [
        (good.content_type.as_str(), &cut),
        ("multipart/signed", &good.body),
    ] {
        let outputs = scene.send_with(kind, body, &context);
        assert!(matches!(outputs.failure(), Failure::Mime(_)));
        assert_eq!((outputs.failure().status(), outputs.all.len()), (400, 1));
    }
    assert!(scene.send_written(&good, &known(NORA)).answer().is_ok());
    scene.close();
}
