//! SUBSCRIBE with a body that is signed or encrypted.

use std::time::Duration;

use presentity::engine::Timestamp;
use presentity::event::{Opening, Output, Signature};
use presentity::mime::{DecryptError, OpenError, Opened, Opener, Written};
use presentity::sdf::{MEDIA_TYPE, Request, Token};
use time::OffsetDateTime;

use crate::agent::{ANA, BOB, Desk};
use crate::common::{Message, response_field};
use crate::wrapping::{Pen, Reader, as_opened, carrying, seal, sign};

const OTHER: &str = "sip:gateway@example.net";

fn clock() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap()
}

fn desk() -> Desk {
    let mut desk = Desk::new();
    let now = desk.driver.now;
    desk.agent().bodies_mut().set_wall_clock(now, clock());
    desk
}

/// What Ana asks for, by a document.
fn request(now: Timestamp, token: &str, duration: u32) -> String {
    let passed = now.saturating_since(Timestamp::from_secs(1_000));
    let at = clock() + passed;
    let (to, from) = ("pres:bob@example.org", "pres:ana@example.com");
    let request = Request::subscribe(from, to, at, &Token::new(token).unwrap(), duration).unwrap();
    String::from_utf8(request.octets().to_vec()).unwrap()
}

fn subscribe(call: &str, written: &Written) -> Message {
    carrying(Message::subscribe(ANA, BOB, call), written)
}

fn sealed(desk: &Desk, token: &str) -> Written {
    seal(MEDIA_TYPE, &request(desk.driver.now, token, 600).into())
}

fn sealed_and_signed(desk: &Desk, pen: &Pen, token: &str) -> Written {
    let signed = sign(pen, MEDIA_TYPE, &request(desk.driver.now, token, 600));
    seal(&signed.content_type, &signed.body)
}

// PA-13, SEC-16, SEC-22
#[test]
fn an_encrypted_subscribe_is_opened_and_answered() {
    let mut desk = desk();
    let written = sealed(&desk, "a");
    let asked = desk.waits(&subscribe("a", &written));
    assert_eq!(
        (asked.content_type.as_str(), &asked.body),
        (written.content_type.as_str(), &written.body)
    );
    assert_eq!(desk.jobs(), 1);
    let outputs = desk.opened(&asked);
    assert_eq!(outputs.status(), 200, "{outputs:?}");
    assert_eq!(outputs.requests().len(), 1);
    let seen = desk.asked();
    assert!(seen.is_encrypted && seen.signers.is_empty());
    assert_eq!(seen.signature, Signature::None);
    assert_eq!(desk.jobs(), 0);
    let now = desk.driver.now;
    assert!(
        !desk
            .agent()
            .complete_opening(now, asked.key, Err(OpenError::TooDeep))
    );
}

// SEC-22
#[test]
fn each_failure_has_its_status() {
    for (error, status) in [
        (OpenError::Decrypt(DecryptError::Undecipherable), 493),
        (OpenError::Unsupported, 415),
        (OpenError::TooDeep, 400),
    ] {
        let mut desk = desk();
        let written = sealed(&desk, "a");
        let asked = desk.waits(&subscribe("a", &written));
        let outputs = desk.outcome(&asked, Err(error));
        assert_eq!(outputs.status(), status);
        let of = |name| response_field(outputs.response(), name);
        assert!(of("Warning").is_some());
        let accept = "application/cpim-subscription, multipart/signed, \
                      application/simple-filter+xml, application/pkcs7-mime";
        assert_eq!(of("Accept"), (status == 415).then_some(accept));
        assert_eq!(desk.agent().occupancy(), Default::default());
    }
    // In time, and within bounds.
    let mut desk = Desk::with(|config| config.server.limits.jobs = 1);
    let written = sealed(&desk, "a");
    desk.waits(&subscribe("a", &written));
    assert_eq!(desk.driver.send(&subscribe("b", &written)).status(), 503);
    assert_eq!(desk.driver.send(&subscribe("a", &written)).status(), 482);
    assert_eq!(desk.driver.pass(17.0).status(), 504);
    assert_eq!(desk.agent().occupancy(), Default::default());
    // Without the setting nothing is opened.
    let mut desk = Desk::with(|config| config.server.opens_bodies = false);
    let outputs = desk.driver.send(&subscribe("a", &written));
    assert_eq!(outputs.status(), 415);
    let accept = response_field(outputs.response(), "Accept");
    assert_eq!(
        accept,
        Some("application/cpim-subscription, multipart/signed, application/simple-filter+xml")
    );
}

#[test]
fn what_is_within_is_checked_like_any_body() {
    for (content_type, body, status) in [
        ("text/plain", "x", 415),
        ("application/pkcs7-mime", "x", 415),
        (MEDIA_TYPE, "no document", 400),
        ("\u{1}", "x", 400),
        // Nothing within is no body.
        ("text/plain", "", 200),
    ] {
        let mut desk = desk();
        let written = sealed(&desk, "a");
        let asked = desk.waits(&subscribe("a", &written));
        let outputs = desk.outcome(&asked, Ok(as_opened(content_type, body)));
        assert_eq!(outputs.status(), status, "{content_type}");
    }
    let mut desk = Desk::with(|config| config.server.limits.body = 1_999);
    let written = sealed(&desk, "a");
    let asked = desk.waits(&subscribe("a", &written));
    let long = "x".repeat(2_000);
    let outputs = desk.outcome(&asked, Ok(as_opened(MEDIA_TYPE, &long)));
    assert_eq!(outputs.status(), 413);
    let mut message = subscribe("b", &written);
    message.body = vec![0; 2_000].into();
    assert_eq!(desk.driver.send(&message).status(), 413);
    // RFC 3261 section 20.11: what need not be understood and is not.
    let message = subscribe("c", &written).with("Content-Disposition", "session;handling=optional");
    let asked = desk.waits(&message);
    assert_eq!(
        desk.outcome(&asked, Err(OpenError::Unsupported)).status(),
        200
    );
    let message = message.with("Call-ID", "d");
    let asked = desk.waits(&message);
    let undecipherable = OpenError::Decrypt(DecryptError::Undecipherable);
    assert_eq!(desk.outcome(&asked, Err(undecipherable)).status(), 493);
}

/// A host that leaves alone what is taken as it is.
fn leaving(asked: &Opening) -> Opened {
    let opener = Opener::new().with_verify(&Reader).with_decrypt(&Reader);
    let opener = opener.leaving(&asked.taken);
    opener.open(&asked.content_type, &asked.body).unwrap()
}

// SEC-36, SEC-22: whichever way the host looks at the signature.
#[test]
fn a_signed_request_in_an_envelope_is_proof_of_who_asks() {
    let pen = Pen::of("pres:ana@example.com");
    // The host opens all of it.
    let mut desk = desk();
    let written = sealed_and_signed(&desk, &pen, "a");
    let message = subscribe("a", &written).with("From", &format!("<{OTHER}>;tag=1"));
    let asked = desk.waits(&message);
    let outputs = desk.opened(&asked);
    assert_eq!(outputs.status(), 200, "{outputs:?}");
    let seen = desk.asked();
    assert_eq!(
        (seen.signature, seen.is_encrypted),
        (Signature::Bound, true)
    );
    let watcher = |desk: &mut Desk| {
        desk.agent()
            .subscriptions()
            .next()
            .unwrap()
            .watcher
            .map(str::to_owned)
    };
    assert_eq!(watcher(&mut desk).as_deref(), Some("ana@example.com"));

    // It leaves the signature to the checks.
    let mut desk = self::desk();
    let came = desk.driver.now;
    let asked = desk.waits(&message);
    desk.driver.pass(15.0);
    let outputs = desk.outcome(&asked, Ok(leaving(&asked)));
    let [Output::Verify(verification)] = &outputs.all[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(verification.deadline, came + Duration::from_secs(30));
    let verdict = presentity::mime::Verify::verify(&Reader, &verification.signed);
    let now = desk.driver.now;
    assert!(
        desk.agent()
            .complete_verification(now, verification.key, &verdict)
    );
    assert_eq!(desk.driver.drain().status(), 200);
    let seen = desk.asked();
    assert_eq!(
        (seen.signature, seen.is_encrypted),
        (Signature::Bound, true)
    );
    assert_eq!(watcher(&mut desk).as_deref(), Some("ana@example.com"));
    assert_eq!(desk.jobs(), 0);
}

#[test]
fn a_signature_of_somebody_else_is_none_here_either() {
    for pen in [
        Pen::of("pres:mallory@example.com"),
        Pen::of("pres:ana@example.com").untrusted(),
    ] {
        for leaves in [false, true] {
            let mut desk = desk();
            let written = sealed_and_signed(&desk, &pen, "a");
            let asked = desk.waits(&subscribe("a", &written));
            let mut outputs = match leaves {
                true => desk.outcome(&asked, Ok(leaving(&asked))),
                false => desk.opened(&asked),
            };
            if let [Output::Verify(verification)] = &outputs.all[..] {
                let verdict = presentity::mime::Verify::verify(&Reader, &verification.signed);
                let now = desk.driver.now;
                desk.agent()
                    .complete_verification(now, verification.key, &verdict);
                outputs = desk.driver.drain();
            }
            assert_eq!(outputs.status(), 403);
            assert_eq!(desk.agent().occupancy().subscriptions, 0);
        }
    }
}

// SEC-16
#[test]
fn a_refresh_may_be_protected() {
    let mut desk = desk();
    let written = sealed(&desk, "a");
    let message = subscribe("a", &written);
    let outputs = desk.send(&message);
    let tag = outputs.response().to_tag().unwrap().to_owned();
    desk.driver.answer_all(&outputs);
    desk.driver.pass(100.0);

    let again = sealed(&desk, "a");
    let refresh = carrying(message.clone(), &again).in_dialog(&tag, 2);
    let asked = desk.waits(&refresh);
    // A later one does not wait for it.
    let bare = Message::subscribe(ANA, BOB, "a").in_dialog(&tag, 3);
    let outputs = desk.driver.send(&bare);
    assert_eq!(outputs.status(), 200);
    desk.driver.answer_all(&outputs);
    assert_eq!(desk.opened(&asked).status(), 500);

    desk.driver.pass(10.0);
    let again = sealed(&desk, "a");
    let refresh = carrying(message.clone(), &again).in_dialog(&tag, 4);
    let outputs = desk.send(&refresh);
    assert_eq!(outputs.status(), 200, "{outputs:?}");
    assert!(desk.asked().is_encrypted);
    desk.driver.answer_all(&outputs);
    // One whose dialog has ended meanwhile.
    desk.driver.pass(10.0);
    let again = sealed(&desk, "a");
    let refresh = carrying(message, &again).in_dialog(&tag, 5);
    let asked = desk.waits(&refresh);
    let bye = Message::subscribe(ANA, BOB, "a")
        .in_dialog(&tag, 6)
        .with("Expires", "0");
    let outputs = desk.driver.send(&bye);
    desk.driver.answer_all(&outputs);
    assert_eq!(desk.opened(&asked).status(), 481);
    desk.driver.pass(700.0);
    assert_eq!(desk.agent().occupancy(), Default::default());
}

#[test]
fn the_policy_may_ask_for_a_signature() {
    let mut desk = desk();
    desk.rules().least = Signature::Bound;
    let written = sealed(&desk, "a");
    assert_eq!(desk.send(&subscribe("a", &written)).status(), 403);
    let pen = Pen::of("sip:ana@example.com");
    let signed = sealed_and_signed(&desk, &Pen::of("pres:ana@example.com"), "b");
    assert_eq!(desk.send(&subscribe("b", &signed)).status(), 200);
    assert_eq!(desk.asked().signers, ["pres:ana@example.com"]);
    // What binds a request of this kind is the name that it uses.
    let signed = sealed_and_signed(&desk, &pen, "c");
    assert_eq!(desk.send(&subscribe("c", &signed)).status(), 403);
}
