//! What has brought down other presence servers, done to this one: a test for each published
//! advisory that concerns an agent. Those about XML are in `xml_reading.rs` and `pidf_reading.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;

use std::time::Duration;

use common::{Driver, Message, Outputs, body_of, response_field, seeded, state_of};
use presentity::event::{
    Assurance, Authorization, Decision, Failure, Identity, Occupancy, Output, PublishDecision,
    PublishQuery, Reason, Rejection, SubscribeQuery, Termination, UnknownSubscription, View,
};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, DenyAll, Policy};

const LEA: &str = "sip:lea@example.com";
const MAX: &str = "sip:max@example.com";

/// Whoever has proved who he is may do everything but watch those who are hidden or unknown.
#[derive(Debug)]
struct Known;

impl Policy for Known {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        match query.watcher() {
            None => Authorization::Challenge,
            Some(_) if query.resource().starts_with("hidden") => {
                Decision::Reject(Rejection::Forbidden).into()
            }
            Some(_) if query.resource().starts_with("unknown") => {
                Decision::Reject(Rejection::Forbidden).into()
            }
            Some(_) => Decision::Allow(View::full()).into(),
        }
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        if query.identity().is_nobody() {
            PublishDecision::Challenge
        } else {
            PublishDecision::Allow
        }
    }
}

type Server = Driver<Agent<Known>>;

fn server() -> Server {
    Driver::new(Agent::new(AgentConfig::default(), Known, seeded(11)))
}

fn subscribe(call: &str) -> Message {
    Message::subscribe(LEA, MAX, call)
}

fn lea() -> Identity {
    Identity::of(LEA, Assurance::Digest).unwrap()
}

fn document(note: &str) -> String {
    let presence = Presence::new(MAX).with_tuple(Tuple::open("t").with_note(note));
    String::from_utf8(presence.write().unwrap().to_vec()).unwrap()
}

fn set(server: &mut Server, note: &str) {
    let document = Presence::read(document(note).as_bytes()).unwrap();
    server.role.set_presence(server.now, MAX, document).unwrap();
}

/// One who came before is served as ever.
fn still_serves(server: &mut Server, call: &str) {
    let outputs = server.send(&subscribe(call).with("Expires", "0"));
    assert_eq!(outputs.status(), 200);
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    server.answer_all(&outputs);
}

fn answer_to_the_end(server: &mut Server, mut outputs: Outputs) {
    while !outputs.requests().is_empty() {
        outputs = server.answer_all(&outputs);
    }
}

fn nothing_left(server: &Server) {
    assert_eq!(server.role.occupancy(), Occupancy::default());
}

// CVE-2026-45809: a watcher's endless URI, written into a buffer of fixed size.
#[test]
fn a_watcher_of_64_kib() {
    let mut server = server();
    let endless = format!("sip:{}@example.com", "w".repeat(65_536));
    for message in [
        subscribe("a").with("From", &format!("<{endless}>;tag=f")),
        Message::subscribe(LEA, &endless, "b"),
        subscribe("c").with("Contact", &format!("<{endless}>")),
        subscribe("d").with("Call-ID", &"c".repeat(65_536)),
        subscribe("e").with("From", &format!("<{LEA}>;tag={}", "t".repeat(65_536))),
        subscribe("f").with("Event", &format!("presence;id={}", "e".repeat(65_536))),
        subscribe("g").with("Record-Route", &format!("<{endless};lr>")),
        Message::publish(&endless, "h", &document("x")),
    ] {
        let status = server.send_as(&message, &lea()).status();
        assert!((400..500).contains(&status) || status == 513, "{status}");
        nothing_left(&server);
    }
    still_serves(&mut server, "z");
}

// CVE-2026-45084: a PUBLISH with a body and no Content-Type that could be read.
#[test]
fn a_body_of_no_type() {
    let mut server = server();
    let publish = |call| Message::publish(MAX, call, &document("x"));
    let typed = |call, name, value| publish(call).without("Content-Type").and(name, value);
    let cases = [
        (publish("a").without("Content-Type"), 400),
        (typed("b", "Content-Type", ""), 400),
        (typed("c", "Content-Type", "/"), 400),
        (typed("d", "Content-Type", "application"), 400),
        (typed("e", "Content-Type", "application/pidf+xml;="), 400),
        (typed("f", "Content-Type", "text/plain"), 415),
        (typed("g", "c", "text/plain"), 415),
        (typed("h", "c", ""), 400),
        (typed("i", "c", "application/pidf+xml"), 200),
    ];
    for (message, status) in cases {
        let outputs = server.send(&message);
        assert_eq!(outputs.status(), status, "{message:?}");
        assert_eq!(
            server.role.occupancy().publications,
            usize::from(status == 200)
        );
    }
}

// CVE-2026-28799: freed by `Expires: 0` while still in use.
#[test]
fn an_end_at_every_moment() {
    for moment in 0..6 {
        let mut server = server();
        let outputs = server.send(&subscribe("a"));
        let tag = outputs.response().to_tag().unwrap().to_owned();
        let key = server.role.subscriptions().next().unwrap().key;
        let mut cseq = 1;
        let mut end = |server: &mut Server| {
            cseq += 1;
            server.send(&subscribe("a").in_dialog(&tag, cseq).with("Expires", "0"))
        };
        let first = outputs.notify();
        let mut ended = match moment {
            // Before the first NOTIFY is answered, after it, and instead of it.
            0 => end(&mut server),
            1 => {
                server.answer(first, 200);
                end(&mut server)
            }
            2 => {
                server.answer(first, 481);
                end(&mut server)
            }
            // In the middle of a round, with a change owed, with a decision owed.
            3 => {
                server.answer(first, 200);
                set(&mut server, "x");
                end(&mut server)
            }
            4 => {
                set(&mut server, "x");
                end(&mut server)
            }
            _ => {
                let decided = server.role.decide(server.now, key, Decision::PoliteBlock);
                assert_eq!(decided, Ok(()));
                end(&mut server)
            }
        };
        let status = if moment == 2 { 481 } else { 200 };
        assert_eq!(ended.status(), status, "{moment}");
        // Whatever is done with the stale name is an error, and nothing else.
        let (now, gone) = (server.now, Err(UnknownSubscription));
        assert_eq!(server.role.decide(now, key, Decision::Pending), gone);
        let termination = Termination::new(Reason::Rejected);
        assert_eq!(server.role.terminate(now, key, termination), gone);
        assert_eq!(server.role.subscription(key), None);
        assert_eq!(end(&mut server).status(), 481);
        server.answer(first, 200);
        ended.all.append(&mut server.drain().all);
        let _ = server.role.clear_presence(now, MAX);
        server.answer_all(&ended);
        server.pass(200.0);
        nothing_left(&server);
    }
}

// CVE-2026-57191: the body of a NOTIFY that nobody asked for.
#[test]
fn a_notify_that_nobody_asked_for() {
    let mut server = server();
    for body in ["", "Messages-Waiting: yes", "<presence", &document("x")] {
        let notify = Message::new("NOTIFY", LEA, MAX, "n")
            .with("Event", "presence")
            .with("Subscription-State", "active")
            .with("Content-Type", "application/pidf+xml")
            .with_body(body);
        let outputs = server.send(&notify);
        assert_eq!((outputs.status(), outputs.all.len()), (481, 1));
        nothing_left(&server);
    }
}

// CVE-2018-7284: more Accept fields than there was room for; CVE-2014-2289: none.
#[test]
fn any_number_of_accept_fields() {
    for count in [0, 1, 32, 33, 10_000] {
        let mut server = server();
        let mut message = subscribe("a");
        for number in 0..count {
            message = message.and("Accept", &format!("application/x-{number}"));
        }
        let status = server.send(&message).status();
        let expected = match count {
            0 => [200, 200],
            10_000 => [406, 513],
            _ => [406, 406],
        };
        assert!(expected.contains(&status), "{count}: {status}");
        let values: Vec<String> = (0..count)
            .map(|n| format!("a/x{n};q=0.{}", n % 10))
            .collect();
        let list = format!("{}, application/pidf+xml;q=0.1", values.join(","));
        let status = server.send(&subscribe("b").with("Accept", &list)).status();
        assert!([200, 513].contains(&status), "{count}: {status}");
        still_serves(&mut server, "z");
    }
}

// CVE-2014-4045: the end of a subscription that never was.
#[test]
fn an_end_without_a_beginning() {
    let mut server = server();
    still_serves(&mut server, "a");
    nothing_left(&server);
    let end = subscribe("b")
        .in_dialog("nobodystag123", 2)
        .with("Expires", "0");
    assert_eq!(server.send(&end).status(), 481);
    nothing_left(&server);
}

// CVE-2014-4048: a watcher that is gone when its NOTIFY comes stops nobody else.
#[test]
fn a_connection_that_closes() {
    let mut server = server();
    let gone = server.send(&subscribe("gone"));
    let stays = server.send(&subscribe("stays"));
    server.answer_all(&stays);
    let failed = gone.notify().transaction();
    server
        .role
        .handle_failure(server.now, failed, Failure::Transport);
    assert_eq!(server.role.subscriptions().count(), 1);
    server.pass(6.0);
    set(&mut server, "there");
    let outputs = server.drain();
    assert!(body_of(outputs.notify()).contains("there"));
    server.answer_all(&outputs);
    server.role.clear_presence(server.now, MAX).unwrap();
    server.drain();
    let termination = Termination::new(Reason::NoResource);
    server.role.terminate_all(server.now, termination);
    let outputs = server.drain();
    server.answer_all(&outputs);
    nothing_left(&server);
}

// CVE-2021-41157: open unless it is configured otherwise. CVE-2012-5977: state made for anybody.
#[test]
fn nothing_is_open_by_default_or_kept_of_nobody() {
    let mut closed = Driver::new(Agent::new(AgentConfig::default(), DenyAll, seeded(11)));
    let publish = Message::publish(MAX, "p", &document("x"));
    assert_eq!(closed.send(&subscribe("s")).status(), 403);
    assert_eq!(closed.send(&publish).status(), 403);
    assert_eq!(closed.role.occupancy(), Occupancy::default());

    let mut server = server();
    let nobody = Identity::nobody();
    for number in 0..1_000 {
        let call = format!("call-{number}");
        for message in [
            subscribe(&call),
            Message::publish(MAX, &call, &document("x")),
        ] {
            let outputs = server.send_as(&message, &nobody);
            assert!(
                matches!(&*outputs.all, [Output::Challenge(_)]),
                "{outputs:?}"
            );
        }
    }
    nothing_left(&server);
}

// CVE-2018-12227: who exists is told by how a refusal differs.
#[test]
fn the_unknown_and_the_hidden_are_told_apart_by_nothing() {
    let told = |user: &str| -> Vec<String> {
        // The same tags and calls for both.
        let mut server = server();
        set(&mut server, "x");
        server.drain();
        if user == "hidden" {
            let hidden = Presence::new("sip:hidden@example.com").with_note("here");
            let uri = "sip:hidden@example.com";
            server.role.set_presence(server.now, uri, hidden).unwrap();
            server.drain();
        }
        let uri = format!("sip:{user}@example.com");
        let tag = |outputs: &Outputs| outputs.response().to_tag().map(str::to_owned);
        let mut seen = Vec::new();
        for message in [
            Message::subscribe(LEA, &uri, "a"),
            Message::subscribe(LEA, &uri, "b").with("Expires", "0"),
            Message::subscribe(LEA, &uri, "c").with("Expires", "1"),
            Message::subscribe(LEA, &uri, "d").with("Accept", "text/plain"),
            Message::subscribe(LEA, &uri, "e").with("Event", "dialog"),
            Message::subscribe(LEA, &uri, "f").in_dialog("x", 2),
        ] {
            let outputs = server.send(&message);
            let fields: Vec<_> = outputs.response().fields().collect();
            let told = format!("{} {fields:?}", outputs.status());
            seen.push(told.replace(user, "somebody"));
            assert_eq!(outputs.all.len(), 1);
            assert!(tag(&outputs).is_some() || message.field("To").contains("tag="));
        }
        seen
    };
    assert_eq!(told("hidden"), told("unknown"));
    assert!(told("hidden")[0].starts_with("403"));
}

// CVE-2010-2840: a Contact that is none.
#[test]
fn an_erroneous_contact() {
    let mut server = server();
    let contact = |value: &str| subscribe("a").with("Contact", value);
    let erroneous = [
        subscribe("a").without("Contact"),
        contact(""),
        contact("*"),
        contact("<>"),
        contact("<sip:>"),
        contact("\"Lea\""),
        contact("<sip:lea@phone.example.net"),
        contact("sip:lea@phone.example.net>"),
        contact("<sip:lea@phone.example.net>, <sip:lea@desk.example.net>"),
        contact("<sip:lea@phone.example.net>").and("Contact", "<sip:lea@desk.example.net>"),
        contact("<http://example.net>"),
        contact("<sip:lea@[::1>"),
        contact("\u{0}"),
    ];
    for (number, message) in erroneous.into_iter().enumerate() {
        let message = message.with("Call-ID", &format!("c{number}"));
        assert_eq!(server.send(&message).status(), 400, "{message:?}");
        nothing_left(&server);
    }
    still_serves(&mut server, "z");
}

// CVE-2014-6609: odd fields, each in turn cut off at each octet and doubled.
#[test]
fn fields_that_are_cut_off() {
    let mut server = server();
    let whole = subscribe("a")
        .with("Event", "presence;id=\"a\\\"b\"")
        .with("Accept", "application/pidf+xml;q=0.5, */*;q=0.1")
        .with(
            "Record-Route",
            "<sip:p1.example.net;lr>, <sip:p2.example.net;lr>",
        )
        .with("Supported", "eventlist, gruu")
        .with("Content-Disposition", "render;handling=optional")
        .with("SIP-If-Match", "x");
    let mut call = 0;
    for (name, value) in &whole.fields {
        for end in 0..value.len() {
            call += 1;
            let cut = value.get(..end).unwrap();
            let message = whole.clone().with("Call-ID", &format!("c{call}"));
            let message = if name == "Call-ID" {
                message
            } else {
                message.with(name, cut)
            };
            for message in [message.clone(), message.and(name, cut).with_cseq(2)] {
                let outputs = server.send_as(&message, &lea());
                let status = outputs.status();
                assert!(
                    [200, 400, 404, 406, 416, 423, 481, 489].contains(&status),
                    "{message:?}"
                );
                if status == 200 {
                    let termination = Termination::new(Reason::NoResource);
                    server.role.terminate_all(server.now, termination);
                }
                answer_to_the_end(&mut server, outputs);
                server.now = server.now + Duration::from_millis(1);
            }
        }
    }
    assert!(call > 200);
    nothing_left(&server);
    still_serves(&mut server, "z");
}

// CVE-2013-1137: a flood without proof of who it is from.
#[test]
fn a_flood_is_kept_to_its_bounds_and_others_are_served() {
    let mut config = AgentConfig::default();
    config.server.limits.outputs = 100;
    config.server.limits.remembered_requests = 50;
    let mut server = Driver::new(Agent::new(config, Known, seeded(11)));
    let kept = server.send(&subscribe("kept"));
    server.answer_all(&kept);
    let nobody = Identity::nobody();
    let before = server.role.occupancy();
    for number in 0..2_000 {
        let outputs = server.send_as(&subscribe(&format!("flood-{number}")), &nobody);
        assert!(response_field(outputs.response(), "Expires").is_none());
    }
    assert_eq!(server.role.occupancy(), before);
    set(&mut server, "there");
    assert!(body_of(server.drain().notify()).contains("there"));
}
