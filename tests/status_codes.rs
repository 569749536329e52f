//! Every status code that a presence agent answers with, once, with the fields that it must carry.
#![allow(clippy::unwrap_used, reason = "test code may fail loudly")]

mod common;

use std::collections::BTreeSet;

use common::{Driver, Message, response_field, seeded};
use presentity::event::{
    Authorization, Decision, Failure, Identity, Output, PublishDecision, PublishQuery, Rejection,
    SubscribeQuery, View,
};
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sip::Response;

const IDA: &str = "sip:ida@example.com";
const OTTO: &str = "sip:otto@example.com";

/// What is decided shows in the presentity's name.
#[derive(Debug)]
struct ByName;

impl Policy for ByName {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        if query.watcher().is_none() {
            return Authorization::Challenge;
        }
        match query.resource() {
            "private@example.com" => Decision::Reject(Rejection::Forbidden).into(),
            "never@example.com" => Decision::Reject(Rejection::Decline).into(),
            "asks@example.com" => Decision::Pending.into(),
            _ => Decision::Allow(View::full()).into(),
        }
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        match query.resource() {
            "private@example.com" => PublishDecision::Forbid,
            "stored@example.com" => PublishDecision::Defer,
            _ => PublishDecision::Allow,
        }
    }
}

fn agent(configure: impl FnOnce(&mut AgentConfig)) -> Driver<Agent<ByName>> {
    let mut config = AgentConfig::default();
    config.domains = vec!["example.com".into()];
    configure(&mut config);
    Driver::new(Agent::new(config, ByName, seeded(5)))
}

fn subscribe(call: &str) -> Message {
    Message::subscribe(IDA, OTTO, call)
}

fn publish(call: &str) -> Message {
    let document = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:ida@example.com'/>";
    Message::publish(IDA, call, document)
}

/// What is asked, what is answered, and the fields in the answer.
type Row = (
    &'static str,
    Message,
    u16,
    &'static [(&'static str, &'static str)],
);

fn rows() -> Vec<Row> {
    let no_fields: &[(&str, &str)] = &[];
    vec![
        (
            "a subscription",
            subscribe("200"),
            200,
            &[
                ("Expires", "600"),
                ("Contact", "<sip:agent.example.com>"),
                ("Allow-Events", "presence"),
            ],
        ),
        (
            "one that waits for a decision",
            Message::subscribe(IDA, "sip:asks@example.com", "200-pending"),
            200,
            &[("Expires", "600")],
        ),
        (
            "no number of seconds",
            subscribe("400").with("Expires", "soon"),
            400,
            no_fields,
        ),
        (
            "a publication of nothing",
            publish("400-publish").with_body(""),
            400,
            no_fields,
        ),
        (
            "refused",
            Message::subscribe(IDA, "sip:private@example.com", "403"),
            403,
            no_fields,
        ),
        (
            "a publication that is refused",
            Message::publish("sip:private@example.com", "403-publish", "-"),
            403,
            no_fields,
        ),
        (
            "a domain of others",
            Message::subscribe(IDA, "sip:otto@example.org", "404"),
            404,
            no_fields,
        ),
        (
            "a method of others",
            Message::new("MESSAGE", IDA, OTTO, "405"),
            405,
            &[("Allow", "SUBSCRIBE, PUBLISH")],
        ),
        (
            "no type that there is",
            subscribe("406").with("Accept", "text/plain"),
            406,
            &[("Accept", "application/pidf+xml, application/cpim-pidf+xml")],
        ),
        (
            "an entity-tag of nobody",
            publish("412").with("SIP-If-Match", "gone"),
            412,
            no_fields,
        ),
        (
            "a body too large",
            publish("413").with_body(&"x".repeat(65_537)),
            413,
            no_fields,
        ),
        (
            "a Request-URI too long",
            Message::subscribe(
                IDA,
                &format!("sip:{}@example.com", "o".repeat(1_024)),
                "414",
            ),
            414,
            no_fields,
        ),
        (
            "a body of no use in a SUBSCRIBE",
            subscribe("415")
                .with("Content-Type", "text/plain")
                .with_body("x"),
            415,
            &[("Accept", "application/simple-filter+xml")],
        ),
        (
            "a state of another type",
            publish("415-publish").with("Content-Type", "text/plain"),
            415,
            &[(
                "Accept",
                "application/pidf+xml, application/cpim-pidf+xml, application/pidf-diff+xml",
            )],
        ),
        (
            "a state in another coding",
            publish("415-coding").with("Content-Encoding", "gzip"),
            415,
            &[("Accept-Encoding", "identity")],
        ),
        (
            "another scheme",
            Message::subscribe(IDA, "tel:+358-555-1234567", "416"),
            416,
            no_fields,
        ),
        (
            "an extension",
            subscribe("420").with("Require", "eventlist, 100rel"),
            420,
            &[("Unsupported", "eventlist, 100rel")],
        ),
        (
            "too brief",
            subscribe("423").with("Expires", "59"),
            423,
            &[("Min-Expires", "60")],
        ),
        (
            "a publication too brief",
            publish("423-publish").with("Expires", "59"),
            423,
            &[("Min-Expires", "60")],
        ),
        (
            "a dialog of nobody",
            subscribe("481").in_dialog("aaaaaaaaaaaaa", 2),
            481,
            no_fields,
        ),
        (
            "another package",
            subscribe("489").with("Event", "dialog"),
            489,
            &[("Allow-Events", "presence")],
        ),
        (
            "no package",
            subscribe("489-none").without("Event"),
            489,
            &[("Allow-Events", "presence")],
        ),
        (
            "a dialog too large to keep",
            subscribe("513").with(
                "Contact",
                &format!("<sip:{}@example.net>", "i".repeat(8_150)),
            ),
            513,
            no_fields,
        ),
        (
            "refused for good",
            Message::subscribe(IDA, "sip:never@example.com", "603"),
            603,
            no_fields,
        ),
    ]
}

fn holds(what: &str, response: &Response, status: u16, fields: &[(&str, &str)]) {
    assert_eq!(response.status(), status, "{what}");
    for (name, value) in fields {
        assert_eq!(
            response_field(response, name),
            Some(*value),
            "{what}: {name}"
        );
    }
    if status >= 300 {
        assert!(!response.copies_record_route(), "{what}");
        assert_eq!(response_field(response, "Contact"), None, "{what}");
        assert_eq!(response_field(response, "Expires"), None, "{what}");
    }
}

#[test]
fn each_is_answered_with_its_fields() {
    let mut driver = agent(|_| ());
    let mut seen = BTreeSet::new();
    for (what, message, status, fields) in rows() {
        let outputs = driver.send(&message);
        holds(what, outputs.response(), status, fields);
        seen.insert(status);
        // Nothing is written that could not be.
        let mut text = Vec::new();
        outputs.response().write_to(&message.view(), "", &mut text);
        assert!(
            text.starts_with(format!("SIP/2.0 {status} ").as_bytes()),
            "{what}"
        );
    }
    assert_eq!(seen.len(), 17, "{seen:?}");
}

#[test]
fn a_200_to_a_publish_has_its_duration_and_entity_tag() {
    let mut driver = agent(|_| ());
    let outputs = driver.send(&publish("200"));
    holds(
        "a publication",
        outputs.response(),
        200,
        &[("Expires", "600")],
    );
    let tag = response_field(outputs.response(), "SIP-ETag");
    assert!(tag.is_some_and(|tag| !tag.is_empty()));
    assert!(!outputs.response().copies_record_route());
}

#[test]
fn a_202_is_sent_where_the_older_standard_is_asked_for() {
    let mut driver = agent(|config| config.server.draft08 = true);
    let pending = Message::subscribe(IDA, "sip:asks@example.com", "202");
    holds(
        "pending",
        driver.send(&pending).response(),
        202,
        &[("Expires", "600")],
    );
    assert_eq!(driver.send(&subscribe("200")).status(), 200);
}

#[test]
fn a_401_is_left_to_the_host_to_complete() {
    let mut driver = agent(|_| ());
    let outputs = driver.send_as(&subscribe("401"), &Identity::nobody());
    assert!(
        matches!(outputs.all.as_slice(), [Output::Challenge(_)]),
        "{outputs:?}"
    );
    holds("nobody", outputs.response(), 401, &[]);
    let mut text = Vec::new();
    let challenge = "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n1\"\r\n";
    outputs
        .response()
        .write_to(&subscribe("401").view(), challenge, &mut text);
    assert!(String::from_utf8(text).unwrap().contains(challenge));
}

#[test]
fn a_482_is_for_the_second_of_two_branches() {
    let mut driver = agent(|_| ());
    assert_eq!(driver.send(&subscribe("482")).status(), 200);
    let other = subscribe("482").with("Via", "SIP/2.0/UDP other.example.net;branch=z9hG4bKx");
    holds("merged", driver.send(&other).response(), 482, &[]);
    assert_eq!(driver.role.occupancy().subscriptions, 1);
}

#[test]
fn a_500_is_for_a_request_out_of_order() {
    let mut driver = agent(|_| ());
    let tag = driver.subscribed(&subscribe("500"));
    assert_eq!(
        driver.send(&subscribe("500").in_dialog(&tag, 7)).status(),
        200
    );
    let late = subscribe("500").in_dialog(&tag, 6);
    holds("out of order", driver.send(&late).response(), 500, &[]);
    assert_eq!(driver.role.occupancy().subscriptions, 1);
}

#[test]
fn a_503_tells_when_to_come_back() {
    let mut driver = agent(|config| {
        config.server.limits.subscriptions = 1;
        config.server.retry_after = 17;
    });
    assert_eq!(driver.send(&subscribe("first")).status(), 200);
    let outputs = driver.send(&subscribe("503"));
    holds("full", outputs.response(), 503, &[("Retry-After", "17")]);
}

#[test]
fn a_504_is_for_a_publication_that_could_not_be_stored() {
    let mut driver = agent(|_| ());
    let message = Message::publish(
        "sip:stored@example.com",
        "504",
        &String::from_utf8_lossy(&publish("x").body),
    );
    let outputs = driver.send(&message);
    let [Output::Job(job)] = outputs.all.as_slice() else {
        panic!("{outputs:?}");
    };
    driver.role.complete_job(driver.now, job.key, false);
    holds("not stored", driver.drain().response(), 504, &[]);
}

/// What is said to a NOTIFY ends the subscription by these codes and by no others (RFC 6665 section
/// 4.2.2; 408 stands for no answer, RFC 3261 section 8.1.3.1), nor does any of them make the agent say more to that watcher.
#[test]
fn what_is_said_to_a_notify_ends_the_subscription_or_does_not() {
    let ending = [
        404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604,
    ];
    for status in 300..=699 {
        let mut driver = agent(|_| ());
        let outputs = driver.send(&subscribe("n"));
        let after = driver.answer(outputs.notify(), status);
        assert!(after.requests().is_empty(), "{status}");
        let left = driver.role.occupancy().subscriptions;
        assert_eq!(left == 0, ending.contains(&status), "{status}");
    }
    for failure in [Failure::Timeout, Failure::Transport] {
        let mut driver = agent(|_| ());
        let outputs = driver.send(&subscribe("n"));
        let transaction = outputs.notify().transaction();
        driver.role.handle_failure(driver.now, transaction, failure);
        assert_eq!(driver.role.occupancy().subscriptions, 0);
    }
}
