//! PUBLISH with a body that is signed or encrypted.

use std::time::Duration;

use presentity::event::{JobOutcome, Output, PublishDecision, PublishKind, Signature};
use presentity::mime::{DecryptError, MimeError, OpenError, VerifyError, Written};

use crate::agent::{BOB, Desk};
use crate::common::{Message, Outputs, response_field};
use crate::phone::document;
use crate::wrapping::{DOMAIN, PIDF, Pen, as_opened, carrying, seal, sealed_for, sign};

fn publish(call: &str, written: &Written) -> Message {
    carrying(Message::publish(BOB, call, "x"), written)
}

/// Bob's own document, signed and in an envelope.
fn protected(note: &str) -> Written {
    let signed = sign(&Pen::of(BOB), PIDF, &document("open", note));
    seal(&signed.content_type, &signed.body)
}

fn etag(outputs: &Outputs) -> String {
    assert_eq!(outputs.status(), 200, "{outputs:?}");
    response_field(outputs.response(), "SIP-ETag")
        .unwrap()
        .to_owned()
}

fn note(desk: &mut Desk) -> Option<String> {
    let document = desk.agent().presence(BOB).unwrap()?;
    Some(document.tuples.first()?.notes.first()?.text.clone())
}

// SEC-22
#[test]
fn a_protected_publication_is_opened_and_taken() {
    let mut desk = Desk::new();
    let message = publish("a", &protected("in the lab"));
    let asked = desk.waits(&message);
    assert_eq!(asked.content_type, message.field("Content-Type"));
    assert_eq!(asked.body, message.body);
    assert_eq!(asked.deadline, desk.driver.now + Duration::from_secs(16));
    assert_eq!(desk.jobs(), 1);
    assert!(desk.rules().asked.is_empty());
    let outputs = desk.opened(&asked);
    assert_eq!(response_field(outputs.response(), "Expires"), Some("600"));
    etag(&outputs);
    assert_eq!(note(&mut desk).as_deref(), Some("in the lab"));
    assert_eq!(desk.jobs(), 0);
    // Once is enough, and nothing is left.
    let now = desk.driver.now;
    let again = Ok(as_opened(PIDF, "x"));
    assert!(!desk.agent().complete_opening(now, asked.key, again));
    desk.driver.pass(700.0);
    assert_eq!(desk.agent().occupancy(), Default::default());
}

#[test]
fn what_is_not_to_be_opened_is_refused_as_ever() {
    for (opens, accept) in [
        (
            false,
            "application/pidf+xml, application/cpim-pidf+xml, application/pidf-diff+xml",
        ),
        (
            true,
            "application/pidf+xml, application/cpim-pidf+xml, application/pidf-diff+xml, multipart/signed, application/pkcs7-mime",
        ),
    ] {
        let mut desk = Desk::with(|config| config.server.opens_bodies = opens);
        let message = publish("a", &protected("x")).with("Content-Type", "text/plain");
        let outputs = desk.driver.send(&message);
        assert_eq!(outputs.status(), 415);
        assert_eq!(response_field(outputs.response(), "Accept"), Some(accept));
    }
    let mut desk = Desk::with(|config| config.server.opens_bodies = false);
    assert_eq!(
        desk.driver.send(&publish("a", &protected("x"))).status(),
        415
    );
    let mut desk = Desk::new();
    let encoded = publish("a", &protected("x")).with("Content-Encoding", "gzip");
    let outputs = desk.driver.send(&encoded);
    assert_eq!(outputs.status(), 415);
    assert_eq!(
        response_field(outputs.response(), "Accept-Encoding"),
        Some("identity")
    );
}

// SEC-22
#[test]
fn each_failure_has_its_status() {
    use OpenError::{Decrypt, Mime, Signature as Signed, Unsupported};
    let cases = [
        (Decrypt(DecryptError::Undecipherable), 493),
        (Decrypt(DecryptError::Unreadable("secret".to_owned())), 400),
        (Signed(VerifyError::Wrong), 403),
        (Signed(VerifyError::Protocol), 415),
        (Mime(MimeError::DigestName), 400),
        (Unsupported, 415),
    ];
    for (error, status) in cases {
        let mut desk = Desk::new();
        let asked = desk.waits(&publish("a", &protected("x")));
        let outputs = desk.outcome(&asked, Err(error));
        assert_eq!(outputs.status(), status);
        let of = |name| response_field(outputs.response(), name);
        assert!(of("Warning").unwrap().starts_with("399 presentity \""));
        assert!(!of("Warning").unwrap().contains("secret"));
        assert_eq!(of("Accept").is_some(), status == 415);
        assert!(desk.rules().asked.is_empty());
        assert_eq!(desk.agent().occupancy(), Default::default());
    }
    let mut desk = Desk::new();
    let written = sealed_for(b'x', PIDF, &document("open", "x").into());
    assert_eq!(desk.send(&publish("a", &written)).status(), 493);
}

#[test]
fn what_is_within_is_checked_like_any_body() {
    let long = "x".repeat(2_000);
    for (content_type, body, status) in [
        ("text/plain", "x", 415),
        ("multipart/signed;boundary=x", "x", 415),
        ("application/pkcs7-mime", "x", 415),
        (PIDF, "no document", 400),
        (PIDF, "", 400),
        ("a b", "x", 400),
        ("", "x", 400),
        (PIDF, long.as_str(), 413),
    ] {
        let mut desk = Desk::with(|config| config.server.limits.body = 1_999);
        let asked = desk.waits(&publish("a", &protected("x")));
        let outputs = desk.outcome(&asked, Ok(as_opened(content_type, body)));
        assert_eq!(outputs.status(), status, "{content_type}");
        assert_eq!(desk.agent().occupancy(), Default::default());
    }
    // And as it comes.
    let mut desk = Desk::with(|config| config.server.limits.body = 1_999);
    let mut message = publish("a", &protected("x"));
    message.body = vec![b'm'; 2_000].into();
    assert_eq!(desk.driver.send(&message).status(), 413);
}

#[test]
fn what_is_not_opened_in_time_gets_504() {
    let mut desk = Desk::new();
    let asked = desk.waits(&publish("a", &protected("x")));
    assert!(desk.driver.pass(15.9).all.is_empty());
    assert_eq!(desk.driver.pass(1.0).status(), 504);
    let now = desk.driver.now;
    let late = Ok(as_opened(PIDF, &document("open", "x")));
    assert!(!desk.agent().complete_opening(now, asked.key, late));
    assert_eq!(desk.agent().occupancy(), Default::default());
}

#[test]
fn only_so_many_bodies_are_opened_at_a_time() {
    let mut desk = Desk::with(|config| config.server.limits.jobs = 1);
    let asked = desk.waits(&publish("a", &protected("x")));
    let second = publish("b", &protected("y"));
    let outputs = desk.driver.send(&second);
    assert_eq!(outputs.status(), 503);
    assert_eq!(
        response_field(outputs.response(), "Retry-After"),
        Some("10")
    );
    desk.opened(&asked);
    etag(&desk.send(&second.with_cseq(2)));
}

#[test]
fn a_request_that_comes_twice_is_merged_while_it_waits() {
    let mut desk = Desk::new();
    let message = publish("a", &protected("x"));
    let asked = desk.waits(&message);
    assert_eq!(desk.driver.send(&message).status(), 482);
    etag(&desk.opened(&asked));
    assert_eq!(desk.driver.send(&message).status(), 482);
}

// SEC-22: the policy may demand a signature, and see whose it is.
#[test]
fn the_policy_is_told_who_has_signed() {
    let text = document("open", "x");
    let by = |pen: &Pen| sign(pen, PIDF, &text);
    let plain = |name: &str, signature, is_encrypted| (name.to_owned(), signature, is_encrypted);
    let cases = [
        (by(&Pen::of(BOB)), plain(BOB, Signature::Bound, false)),
        (
            by(&Pen::of("pres:bob@example.org")),
            plain("pres:bob@example.org", Signature::Bound, false),
        ),
        (by(&Pen::of(DOMAIN)), plain(DOMAIN, Signature::Valid, false)),
        (
            by(&Pen::of(BOB).untrusted()),
            plain(BOB, Signature::None, false),
        ),
        (
            seal(PIDF, &text.clone().into()),
            plain("", Signature::None, true),
        ),
        (protected("x"), plain(BOB, Signature::Bound, true)),
    ];
    for (written, (name, signature, is_encrypted)) in cases {
        let mut desk = Desk::new();
        etag(&desk.send(&publish("a", &written)));
        let asked = desk.asked();
        assert_eq!(asked.kind, Some(PublishKind::Initial));
        assert_eq!(
            (asked.signers.concat(), asked.signature, asked.is_encrypted),
            (name, signature, is_encrypted)
        );

        for least in [Signature::Valid, Signature::Bound] {
            let mut desk = Desk::new();
            desk.rules().least = least;
            let status = if signature >= least { 200 } else { 403 };
            assert_eq!(desk.send(&publish("a", &written)).status(), status);
        }
    }
    let mut desk = Desk::new();
    desk.rules().least = Signature::Valid;
    let bare = Message::publish(BOB, "a", &text);
    assert_eq!(desk.driver.send(&bare).status(), 403);
    // One of two whom nobody knows is one too many, unless the other is who publishes.
    use presentity::mime::{Chain, Signer};
    for (first, signature) in [(DOMAIN, Signature::None), (BOB, Signature::Bound)] {
        let mut desk = Desk::new();
        let asked = desk.waits(&publish("a", &protected("x")));
        let mut opened = as_opened(PIDF, &text);
        let stranger = Signer::new([BOB], Chain::Untrusted(String::new()));
        opened.signers = vec![Signer::new([first], Chain::Trusted), stranger];
        etag(&desk.outcome(&asked, Ok(opened)));
        assert_eq!(desk.asked().signature, signature);
    }
}

#[test]
fn a_protected_change_is_one_of_the_publication_that_it_names() {
    let mut desk = Desk::new();
    let tag = etag(&desk.send(&publish("a", &protected("first"))));
    let change = |call: &str, tag: &str, note: &str| {
        publish(call, &protected(note)).with("SIP-If-Match", tag)
    };
    let next = etag(&desk.send(&change("b", &tag, "second")));
    assert_eq!(desk.asked().kind, Some(PublishKind::Modify));
    assert_eq!(note(&mut desk).as_deref(), Some("second"));
    assert_eq!(desk.send(&change("c", &tag, "third")).status(), 412);

    // It gives way to one that comes while it is opened.
    let waiting = desk.waits(&change("d", &next, "late"));
    let quick = Message::publish(BOB, "e", &document("open", "quick")).with("SIP-If-Match", &next);
    let last = etag(&desk.driver.send(&quick));
    assert_eq!(desk.opened(&waiting).status(), 412);
    assert_eq!(note(&mut desk).as_deref(), Some("quick"));
    // And does not bring back one that was removed, or has run out.
    let waiting = desk.waits(&change("f", &last, "late"));
    let removal = Message::publish(BOB, "g", "")
        .with("SIP-If-Match", &last)
        .with("Expires", "0")
        .without("Content-Type");
    etag(&desk.driver.send(&removal));
    assert_eq!(desk.opened(&waiting).status(), 412);
    let tag = etag(&desk.send(&publish("h", &protected("short")).with("Expires", "60")));
    desk.driver.pass(55.0);
    let waiting = desk.waits(&change("i", &tag, "late"));
    desk.driver.pass(6.0);
    assert_eq!(desk.opened(&waiting).status(), 412);
    assert_eq!(desk.agent().occupancy(), Default::default());
}

#[test]
fn two_changes_of_one_publication_pass_in_the_order_they_are_opened() {
    let mut desk = Desk::new();
    let tag = etag(&desk.send(&publish("a", &protected("first"))));
    let change =
        |call: &str, note: &str| publish(call, &protected(note)).with("SIP-If-Match", &tag);
    let one = desk.waits(&change("b", "one"));
    let other = desk.waits(&change("c", "other"));
    etag(&desk.opened(&other));
    assert_eq!(desk.opened(&one).status(), 412);
    assert_eq!(note(&mut desk).as_deref(), Some("other"));
}

#[test]
fn a_removal_may_be_signed() {
    let mut desk = Desk::new();
    let tag = etag(&desk.send(&publish("a", &protected("x"))));
    desk.rules().least = Signature::Bound;
    let bare = Message::publish(BOB, "b", "")
        .with("SIP-If-Match", &tag)
        .with("Expires", "0")
        .without("Content-Type");
    assert_eq!(desk.driver.send(&bare).status(), 403);
    let signed = publish("c", &protected("x"))
        .with("SIP-If-Match", &tag)
        .with("Expires", "0");
    etag(&desk.send(&signed));
    assert_eq!(desk.asked().kind, Some(PublishKind::Remove));
    assert_eq!(desk.agent().occupancy(), Default::default());
}

// What comes after the other has no more time than the sender.
#[test]
fn an_opened_publication_may_be_deferred() {
    let mut desk = Desk::with(|config| config.server.job_deadline = Duration::from_secs(20));
    desk.rules().publish = PublishDecision::Defer;
    let came = desk.driver.now;
    let asked = desk.waits(&publish("a", &protected("x")));
    assert_eq!(asked.deadline, came + Duration::from_secs(20));
    desk.driver.pass(15.0);
    let outputs = desk.opened(&asked);
    let [Output::Job(job)] = &outputs.all[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(job.body, document("open", "x"));
    assert_eq!(job.deadline, came + Duration::from_secs(30));
    let now = desk.driver.now;
    assert_eq!(
        desk.agent().complete_job(now, job.key, true),
        JobOutcome::Done
    );
    etag(&desk.driver.drain());
    assert_eq!(note(&mut desk).as_deref(), Some("x"));
}
