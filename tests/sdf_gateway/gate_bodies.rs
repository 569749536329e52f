//! SIP watchers that bring their own documents, signed.

use presentity::event::{Identity, Signature};
use presentity::mime::Verify;
use presentity::sdf::gateway::FromSipConfig;
use presentity::sdf::{Operation, Request};

use crate::common::Message;
use crate::gate::{Gate, watch};
use crate::rules::{Document, altered};
use crate::rules::{
    EMIL, NORA, OTTO, authority, clock, known, milliseconds, plain, signed, signed_by, state, token,
};

const SENDER: &str = "sip:phone@example.net";

pub fn bearing(message: Message, document: &Document) -> Message {
    let mut message = message.with("Content-Type", &document.0);
    message.body = document.1.clone();
    message
}

fn hold(gate: &Gate, seconds: u32) -> Request {
    let at = clock(gate.now) + milliseconds(1);
    Request::subscribe(NORA, EMIL, at, &token("mine"), seconds).unwrap()
}

fn cancel(gate: &Gate) -> Request {
    let at = clock(gate.now) + milliseconds(1);
    Request::cancel(NORA, EMIL, at, &token("mine")).unwrap()
}

/// A gate whose sender is no watcher, to the gateway and to the service; and a service that wants
/// signatures.
fn strict() -> Gate {
    let mut gate = Gate::new();
    gate.sender = Some(known("sip:gateway@example.com"));
    gate.service.agent_mut().policy_mut().wants = Signature::Bound;
    gate
}

// SDF-30, SDF-31, SEC-36: the watcher's own document is carried on as it is, and verifies at the service.
#[test]
fn the_watchers_own_documents_are_carried_on() {
    let mut gate = strict();
    gate.set(state(EMIL, "away"));
    let document = signed(&hold(&gate, 600));
    let sips = gate.send_as(&bearing(watch(NORA, "n"), &document), &known(SENDER));
    assert_eq!(sips.status(), 200, "{sips:?}");
    let tag = sips.responses[0].to_tag().unwrap().to_owned();
    assert_eq!(sips.story().last().unwrap(), "active: away");
    let order = gate.orders.last().unwrap();
    assert_eq!(
        (&order.content_type, &order.body),
        (&document.0, &document.1)
    );
    assert_eq!(order.token, "mine");
    let asked = &gate.service.agent().policy().asked;
    assert_eq!(
        asked[..],
        [("nora@example.org".to_owned(), Signature::Bound)]
    );

    gate.pass(60.0);
    let document = signed(&hold(&gate, 900));
    let message = watch(NORA, "n").with("Expires", "900").in_dialog(&tag, 2);
    let sips = gate.send_as(&bearing(message, &document), &Identity::nobody());
    assert_eq!(sips.status(), 200, "{sips:?}");
    let order = gate.orders.last().unwrap();
    assert_eq!(
        (order.operation, &order.body),
        (Operation::Extend, &document.1)
    );

    let document = signed(&cancel(&gate));
    let message = watch(NORA, "n").with("Expires", "0").in_dialog(&tag, 3);
    let sips = gate.send_as(&bearing(message, &document), &known(SENDER));
    assert_eq!(sips.status(), 200, "{sips:?}");
    let order = gate.orders.last().unwrap();
    assert_eq!(
        (order.operation, &order.body),
        (Operation::Cancel, &document.1)
    );
    assert!(gate.results.iter().all(Result::is_ok), "{:?}", gate.results);
    gate.nothing_is_left();
}

/// A refresh has no document, and the gateway's own is not signed.
#[test]
fn a_service_that_wants_signatures_refuses_what_the_gateway_writes() {
    let mut gate = strict();
    gate.sender = None;
    let document = signed(&hold(&gate, 600));
    let sips = gate.send_as(&bearing(watch(NORA, "n"), &document), &known(NORA));
    let tag = sips.responses[0].to_tag().unwrap().to_owned();
    let sips = gate.send(&watch(NORA, "n").in_dialog(&tag, 2));
    // The service keeps what it knows of the first one's signature.
    assert_eq!(sips.status(), 200);
    assert_eq!(gate.ordered(), ["Subscribe", "Extend"]);
    let (_, sips) = gate.subscribe(&watch(NORA, "m"));
    assert_eq!(sips.story().last().unwrap(), "terminated;reason=rejected");
}

/// What was granted to the watcher's own signature holds until its end, whatever is made of the gateway's
/// wish for more.
#[test]
fn a_refresh_that_proves_nothing_leaves_what_was_granted() {
    let mut gate = strict();
    let document = signed(&hold(&gate, 600));
    let sips = gate.send_as(&bearing(watch(NORA, "n"), &document), &known(SENDER));
    let tag = sips.responses[0].to_tag().unwrap().to_owned();
    gate.pass(300.0);
    let sips = gate.send_as(&watch(NORA, "n").in_dialog(&tag, 2), &known(SENDER));
    assert_eq!((sips.status(), sips.notifies.len()), (200, 1));
    assert!(gate.results.last().unwrap().is_err());
    assert_eq!(gate.live(), 1);
    assert_eq!(gate.set(state(EMIL, "x")).story(), ["active: x"]);
    assert_eq!(gate.pass(299.0).story(), [""; 0]);
    let sips = gate.pass(2.0);
    assert!(sips.story()[0].starts_with("terminated"), "{sips:?}");
    gate.nothing_is_left();
}

#[test]
fn bad_documents_do_not_reach_the_service() {
    let mut gate = strict();
    let request = hold(&gate, 600);
    let (content_type, body) = signed(&request);
    let bad = (content_type, altered(&body));
    let others = signed_by(&authority().signer(&[OTTO]), &request);
    let elsewhere = Request::subscribe(
        NORA,
        crate::rules::RUTH,
        request.date_time(),
        &token("mine"),
        600,
    );
    let elsewhere = signed(&elsewhere.unwrap());
    let longer = signed(&hold(&gate, 601));
    for (call, document, status) in [
        ("a", bad, 403),
        ("b", others, 403),
        ("c", elsewhere, 400),
        ("d", longer, 400),
    ] {
        let sips = gate.send_as(&bearing(watch(NORA, call), &document), &known(SENDER));
        assert_eq!(sips.status(), status, "{call}");
        assert!(sips.notifies.is_empty());
    }
    assert!(gate.orders.is_empty());
    gate.nothing_is_left();
}

#[test]
fn verdicts_may_be_late_or_missing() {
    let mut gate = strict();
    gate.verifies = false;
    let document = signed(&hold(&gate, 600));
    let sips = gate.send_as(&bearing(watch(NORA, "n"), &document), &known(SENDER));
    assert!(sips.responses.is_empty());
    let key = gate.verifications[0];
    let sips = gate.pass(31.0);
    assert_eq!(sips.status(), 504);
    let signed = presentity::mime::Signed::read(&document.0, &document.1).unwrap();
    let verdict = authority().verifier().verify(&signed);
    assert!(!gate.gateway.complete_verification(gate.now, key, &verdict));
    gate.nothing_is_left();
    let sips = gate.send_as(&bearing(watch(NORA, "m"), &document), &known(SENDER));
    assert!(sips.responses.is_empty());
    let key = gate.verifications[1];
    assert!(gate.gateway.complete_verification(gate.now, key, &verdict));
    assert!(!gate.gateway.complete_verification(gate.now, key, &verdict));
    assert_eq!(gate.settle().status(), 200);
    assert_eq!(gate.orders[0].body, document.1);
}

/// What was signed and is in an envelope is carried on without it, signature and all, so that it can be
/// verified beyond the gateway.
#[test]
fn a_signed_document_is_taken_out_of_its_envelope() {
    let mut config = FromSipConfig::default();
    config.server.opens_bodies = true;
    let mut gate = Gate::with(config, |_| ());
    let document = signed(&hold(&gate, 600));
    let sealed = ("application/pkcs7-mime".to_owned(), "sealed".into());
    let sips = gate.send_as(&bearing(watch(NORA, "n"), &sealed), &known(SENDER));
    assert!(sips.responses.is_empty());
    let opening = gate.openings.remove(0);
    assert!(opening.taken.contains(&"multipart/signed"));
    let mut opened = presentity::mime::Opened::new(document.0.clone(), document.1.clone());
    opened.is_encrypted = true;
    let outcome = Ok(opened);
    assert!(
        gate.gateway
            .complete_opening(gate.now, opening.key, outcome.clone())
    );
    assert!(
        !gate
            .gateway
            .complete_opening(gate.now, opening.key, outcome)
    );
    assert_eq!(gate.settle().status(), 200);
    let order = &gate.orders[0];
    assert_eq!(
        (&order.content_type, &order.body),
        (&document.0, &document.1)
    );
}

/// What was accepted and is over before anybody looked leaves no document behind.
#[test]
fn no_document_is_kept_of_what_ended_at_once() {
    let mut gate = Gate::new();
    let document = plain(&hold(&gate, 600));
    let nora = known(NORA);
    gate.now = gate.now + milliseconds(1);
    gate.take_in(&bearing(watch(NORA, "n"), &document), &nora);
    // Too late for the first NOTIFY to leave before it has run out.
    gate.now = gate.now + std::time::Duration::from_secs(700);
    gate.gateway.handle_timeout(gate.now);
    gate.settle();
    assert!(gate.orders.is_empty());
    gate.pass(1.0);
    gate.nothing_is_left();
}

#[test]
fn one_token_is_one_subscription() {
    let mut gate = Gate::new();
    let document = signed(&hold(&gate, 600));
    let sips = gate.send(&bearing(watch(NORA, "n"), &document));
    assert_eq!(sips.status(), 200);
    let document = signed(&hold(&gate, 600));
    let sips = gate.send(&bearing(watch(NORA, "m"), &document));
    assert_eq!(sips.status(), 200);
    assert_eq!(sips.story().last().unwrap(), "terminated;reason=rejected");
    assert_eq!(
        (gate.gateway.len(), gate.live(), gate.orders.len()),
        (1, 1, 1)
    );
    assert_eq!(gate.gateway.occupancy().documents, 0);
}

#[test]
fn what_is_over_leaves_its_token_and_shows_nothing_to_the_next() {
    let mut gate = Gate::new();
    gate.set(state(EMIL, "away"));
    // The presentity is watched all the while.
    gate.subscribe(&watch(OTTO, "o"));
    let document = plain(&hold(&gate, 600));
    let (tag, sips) = gate.subscribe(&bearing(watch(NORA, "n"), &document));
    let mut story = sips.story();
    story.append(&mut gate.pass(6.0).story());
    assert_eq!(story.last().unwrap(), "active: away");
    let document = plain(&cancel(&gate));
    let message = watch(NORA, "n").with("Expires", "0").in_dialog(&tag, 2);
    assert_eq!(gate.send(&bearing(message, &document)).status(), 200);
    gate.tells = false;
    let document = plain(&hold(&gate, 600));
    let (_, sips) = gate.subscribe(&bearing(watch(NORA, "m"), &document));
    let mut story = sips.story();
    story.append(&mut gate.pass(12.0).story());
    assert_eq!(story, ["pending", "active"]);
    assert_eq!((gate.gateway.len(), gate.live()), (2, 2));
    assert!(gate.results.iter().all(Result::is_ok), "{:?}", gate.results);
}

/// The service has yet to confirm the end: the watcher is asked to come again, and not told that it may
/// not watch.
#[test]
fn a_token_whose_end_is_not_confirmed_is_taken_again_later() {
    let mut gate = Gate::new();
    let document = plain(&hold(&gate, 600));
    let (tag, _) = gate.subscribe(&bearing(watch(NORA, "n"), &document));
    gate.carries = false;
    let document = plain(&cancel(&gate));
    let message = watch(NORA, "n").with("Expires", "0").in_dialog(&tag, 2);
    assert_eq!(gate.send(&bearing(message, &document)).status(), 200);
    let document = plain(&hold(&gate, 600));
    let (_, sips) = gate.subscribe(&bearing(watch(NORA, "m"), &document));
    let last = crate::common::state_of(sips.notifies.last().unwrap()).to_owned();
    assert_eq!(last, "terminated;reason=probation;retry-after=60");
    gate.carries = true;
    gate.release();
    let document = plain(&hold(&gate, 600));
    gate.subscribe(&bearing(watch(NORA, "o"), &document));
    assert_eq!((gate.gateway.len(), gate.live()), (1, 1));
}
