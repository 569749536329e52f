//! Orders of calls that once went wrong, each told by hand.

use core::time::Duration;

use presentity::event::{
    Authorization, Decision, Failure, Occupancy, Output, Protection, ProtectionQuery,
    PublishDecision, PublishQuery, Reason, Rejection, SubscribeQuery, Termination, View,
};
use presentity::mime::Enveloped;
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy};

use crate::common::{Driver, Message, Outputs, body_of, field, response_field, seeded, state_of};

const PIA: &str = "sip:pia@example.com";

#[derive(Debug)]
struct Open;

impl Policy for Open {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, _: &PublishQuery<'_>) -> PublishDecision {
        PublishDecision::Allow
    }
}

fn driver() -> Driver<Agent<Open>> {
    with(AgentConfig::default())
}

fn with(config: AgentConfig) -> Driver<Agent<Open>> {
    Driver::new(Agent::new(config, Open, seeded(3)))
}

fn subscribe(call: &str) -> Message {
    Message::subscribe("sip:ana@example.com", PIA, call)
}

fn set(driver: &mut Driver<Agent<Open>>, note: &str) {
    let document = Presence::new(PIA).with_tuple(Tuple::open("desk").with_note(note));
    let set = driver.role.set_presence(driver.now, PIA, document);
    assert_eq!(set, Ok(()));
}

const CHALLENGE: &[(&str, &str)] = &[("WWW-Authenticate", "Digest realm=\"w\", nonce=\"1\"")];

#[test]
fn a_last_notify_that_fails_leaves_nothing_behind() {
    let mut driver = driver();
    let fetch = subscribe("a").with("Expires", "0");
    let outputs = driver.send(&fetch);
    let last = outputs.notify().transaction();
    driver
        .role
        .handle_failure(driver.now, last, Failure::Timeout);
    assert_eq!(driver.role.occupancy(), Occupancy::default());

    driver.send(&fetch.with("Call-ID", "b"));
    // The host never tells what became of it.
    driver.pass(64.1);
    assert_eq!(driver.role.occupancy(), Occupancy::default());
}

#[test]
fn an_end_takes_the_wait_for_retry_after_with_it() {
    let mut driver = driver();
    let outputs = driver.send(&subscribe("a"));
    driver.answer_with(outputs.notify(), 503, &[("Retry-After", "3000")]);
    let termination = Termination::new(Reason::NoResource);
    driver.role.terminate_all(driver.now, termination);
    let outputs = driver.drain();
    driver.answer_all(&outputs);
    assert_eq!(driver.role.occupancy(), Occupancy::default());
}

#[test]
fn credentials_do_not_carry_what_was_decided_before() {
    let mut driver = driver();
    set(&mut driver, "at home");
    let outputs = driver.send(&subscribe("a"));
    let key = driver.role.subscriptions().next().expect("one").key;
    let notify = outputs.notify().transaction();
    driver.answer_with(outputs.notify(), 401, CHALLENGE);
    assert!(
        driver
            .role
            .provide_credentials(driver.now, notify, "Digest x")
    );
    let blocked = driver.role.decide(driver.now, key, Decision::PoliteBlock);
    assert_eq!(blocked, Ok(()));
    let outputs = driver.drain();
    assert_eq!(field(outputs.notify(), "Authorization"), Some("Digest x"));
    assert!(!body_of(outputs.notify()).contains("at home"));
    assert!(
        driver.answer(outputs.notify(), 200).all.is_empty(),
        "said once"
    );
}

#[test]
fn credentials_do_not_outlive_the_subscription() {
    let mut driver = driver();
    let outputs = driver.send(&subscribe("a"));
    let notify = outputs.notify().transaction();
    driver.answer_with(outputs.notify(), 401, CHALLENGE);
    assert!(
        driver
            .role
            .provide_credentials(driver.now, notify, "Digest x")
    );
    // The host is late: nothing was polled before the end.
    driver.now = driver.now + Duration::from_secs(601);
    driver.role.handle_timeout(driver.now);
    let outputs = driver.drain();
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
}

#[test]
fn a_challenged_last_notify_says_the_same_again() {
    let mut driver = driver();
    set(&mut driver, "at home");
    let outputs = driver.send(&subscribe("a").with("Expires", "0"));
    let first = outputs.notify();
    assert!(body_of(first).contains("at home"));
    driver.answer_with(first, 401, CHALLENGE);
    let taken = driver
        .role
        .provide_credentials(driver.now, first.transaction(), "Digest x");
    assert!(taken);
    let outputs = driver.drain();
    let again = outputs.notify();
    assert_eq!(
        (state_of(again), body_of(again)),
        (state_of(first), body_of(first))
    );
    assert_eq!(field(again, "Content-Type"), field(first, "Content-Type"));
}

#[test]
fn a_round_that_takes_long_does_not_bring_the_next_one_forward() {
    let mut config = AgentConfig::default();
    config.server.window = 1;
    let mut driver = with(config);
    for call in ["a", "b"] {
        driver.subscribed(&subscribe(call));
    }
    set(&mut driver, "1");
    let first = driver.drain();
    // The first of the round is slow; the other one has its turn when it has given way.
    let second = driver.pass(2.0);
    driver.answer_all(&first);
    let call =
        |outputs: &crate::common::Outputs| field(outputs.notify(), "Call-ID").map(str::to_owned);
    assert_eq!(
        (call(&first), call(&second)),
        (Some("a".into()), Some("b".into()))
    );
    driver.answer_all(&second);
    set(&mut driver, "2");
    // Five seconds behind the beginning of the round, three behind the NOTIFY to the second.
    assert!(driver.pass(3.5).requests().is_empty());
    assert_eq!(driver.pass(2.0).requests().len(), 1);
}

#[test]
fn an_entity_tag_has_one_spelling() {
    let mut driver = driver();
    let document = Presence::new(PIA).with_tuple(Tuple::open("desk"));
    let document = String::from_utf8(document.write().expect("written").to_vec());
    let outputs = driver.send(&Message::publish(PIA, "a", &document.expect("text")));
    let tag = response_field(outputs.response(), "SIP-ETag").expect("a tag");
    let respelled = tag.replace('.', ".0");
    for (call, tag, status) in [("b", &*respelled, 412), ("c", tag, 200)] {
        let refresh = Message::publish(PIA, call, "")
            .without("Content-Type")
            .with("SIP-If-Match", tag);
        assert_eq!(driver.send(&refresh).status(), status, "{tag}");
    }
}

#[test]
fn a_uri_of_another_scheme_names_nobody_here() {
    let mut driver = driver();
    for uri in ["mailto:pia@example.com", "im:pia@example.com"] {
        let document = Presence::new(PIA).with_tuple(Tuple::open("desk"));
        let set = driver.role.set_presence(driver.now, uri, document);
        assert!(set.is_err(), "{uri}");
    }
    assert_eq!(driver.role.occupancy(), Occupancy::default());
    assert_eq!(driver.role.poll_output(), None::<Output>);
}

#[test]
fn a_state_that_comes_back_while_a_notify_is_open_is_not_sent_again() {
    let mut driver = driver();
    set(&mut driver, "at home");
    let tag = driver.subscribed(&subscribe("a"));
    driver.pass(6.0);
    let refresh = subscribe("a").in_dialog(&tag, 2);
    let refreshed = driver.send(&refresh);
    set(&mut driver, "away");
    driver.pass(6.0);
    set(&mut driver, "at home");
    assert!(driver.answer(refreshed.notify(), 200).requests().is_empty());
    assert!(driver.pass(6.0).requests().is_empty());
}

#[test]
fn only_the_watchers_word_outlives_a_failed_notify() {
    for watcher_speaks in [true, false] {
        let mut driver = driver();
        let outputs = driver.send(&subscribe("a"));
        let tag = outputs.response().to_tag().expect("a tag").to_owned();
        let key = driver.role.subscriptions().next().expect("one").key;
        if watcher_speaks {
            driver.send(&subscribe("a").in_dialog(&tag, 2));
        } else {
            let decided = driver.role.decide(driver.now, key, Decision::PoliteBlock);
            assert_eq!(decided, Ok(()));
        }
        let lost = outputs.notify().transaction();
        driver
            .role
            .handle_failure(driver.now, lost, Failure::Timeout);
        let outputs = driver.drain();
        assert_eq!(outputs.requests().len(), usize::from(watcher_speaks));
        assert_eq!(
            driver.role.subscription(key).is_some(),
            watcher_speaks,
            "{outputs:?}"
        );
    }
}

#[test]
fn the_last_word_is_said_to_one_who_ends_it_while_a_notify_is_lost() {
    let mut driver = driver();
    let outputs = driver.send(&subscribe("a"));
    let tag = outputs.response().to_tag().expect("a tag");
    let end = subscribe("a").in_dialog(tag, 2).with("Expires", "0");
    assert_eq!(driver.send(&end).status(), 200);
    // The host never tells what became of the first one.
    let outputs = driver.pass(65.0);
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    driver.answer_all(&outputs);
    assert_eq!(driver.role.occupancy(), Occupancy::default());
}

/// The same, with everything signed so.
#[derive(Debug)]
struct Signing(Protection);

impl Policy for Signing {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        match query.accepts(self.0) {
            true => self.0,
            false => Protection::None,
        }
    }
}

fn signing(
    protection: Protection,
    authorization: Option<Decision>,
    expires: &str,
) -> (Driver<Agent<Signing>>, Outputs) {
    let policy = Signing(protection);
    let mut driver = Driver::new(Agent::new(AgentConfig::default(), policy, seeded(3)));
    let document = Presence::new(PIA).with_tuple(Tuple::open("desk").with_note("at home"));
    let set = driver.role.set_presence(driver.now, PIA, document);
    assert_eq!(set, Ok(()));
    let subscribe = subscribe("a")
        .with("Accept", "application/pidf+xml, multipart/signed")
        .with("Expires", expires);
    let mut outputs = driver.send(&subscribe);
    if let Some(decision) = authorization {
        let key = driver.role.subscriptions().next().expect("one").key;
        assert_eq!(driver.role.decide(driver.now, key, decision), Ok(()));
        outputs.all.append(&mut driver.drain().all);
    }
    (driver, outputs)
}

/// The document to be signed, and its signing.
fn sign(driver: &mut Driver<Agent<Signing>>, outputs: &Outputs) -> (String, Outputs) {
    let job = outputs.all.iter().find_map(|output| match output {
        Output::Protect(job) => Some(job.clone()),
        _ => None,
    });
    let job = job.expect("a job");
    let mut written = Enveloped::write(&b"signed"[..]);
    written.content_type = "multipart/signed".into();
    let now = driver.now;
    assert!(driver.role.complete_protection(now, job.key, Ok(written)));
    let plain = String::from_utf8(job.content.body().to_vec()).expect("text");
    (plain, driver.drain())
}

#[test]
fn a_challenged_last_notify_is_signed_again() {
    let (mut driver, outputs) = signing(Protection::SignedMessage, None, "0");
    assert!(outputs.requests().is_empty());
    let (plain, outputs) = sign(&mut driver, &outputs);
    assert!(plain.contains("at home"));
    // Nothing else holds the resource any more.
    assert_eq!(driver.role.clear_presence(driver.now, PIA), Ok(true));
    let first = outputs.notify().transaction();
    driver.answer_with(outputs.notify(), 401, CHALLENGE);
    let taken = driver
        .role
        .provide_credentials(driver.now, first, "Digest x");
    assert!(taken);
    let outputs = driver.drain();
    assert!(outputs.requests().is_empty(), "unsigned: {outputs:?}");
    let (plain, outputs) = sign(&mut driver, &outputs);
    assert!(plain.contains("at home"));
    assert_eq!(body_of(outputs.notify()), "signed");
    driver.answer_all(&outputs);
    assert_eq!(driver.role.occupancy(), Occupancy::default());
}

#[test]
fn what_waits_to_be_signed_is_taken_back_from_one_who_is_refused() {
    let refused = Decision::Reject(Rejection::Forbidden);
    for decision in [refused, Decision::PoliteBlock] {
        let (mut driver, outputs) = signing(Protection::SignedMessage, Some(decision), "600");
        let (plain, outputs) = sign(&mut driver, &outputs);
        assert!(plain.contains("at home"));
        assert_eq!(body_of(outputs.notify()), "");
    }
}

#[test]
fn one_who_waits_for_a_decision_is_not_called_active_for_want_of_a_document() {
    let (mut driver, _) = signing(Protection::Signed, Some(Decision::Pending), "600");
    // Nobody signs it in time.
    let outputs = driver.pass(17.0);
    assert_eq!(body_of(outputs.notify()), "");
    assert!(state_of(outputs.notify()).starts_with("pending;"));
}

#[test]
fn nobody_waits_for_a_signature_that_is_for_others() {
    let (mut driver, outputs) = signing(Protection::Signed, None, "600");
    let (_, outputs) = sign(&mut driver, &outputs);
    driver.answer_all(&outputs);
    driver.subscribed(&Message::subscribe("sip:bruno@example.com", PIA, "b"));
    driver.pass(6.0);
    let document = Presence::new(PIA).with_tuple(Tuple::open("desk").with_note("away"));
    let set = driver.role.set_presence(driver.now, PIA, document);
    assert_eq!(set, Ok(()));
    let outputs = driver.drain();
    assert_eq!(field(outputs.notify(), "Call-ID"), Some("b"));
    assert!(body_of(outputs.notify()).contains("away"));
    let (plain, outputs) = sign(&mut driver, &outputs);
    assert!(plain.contains("away"));
    assert_eq!(field(outputs.notify(), "Call-ID"), Some("a"));
}
