//! Whole visits of clients in the manner of three that are in wide use, as their messages come off
//! the wire: from the first PUBLISH and SUBSCRIBE to the moment at which nothing is left of them.
//!
//! What is odd about the messages is legal, or common enough that an agent must live with it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test code may fail loudly"
)]

mod common;

use bytes::Bytes;
use common::{Driver, Message, Outputs, body_of, field, response_field, seeded, state_of};
use presentity::engine::FlowId;
use presentity::event::{
    Assurance, Authorization, Decision, Failure, Identity, Occupancy, PublishDecision,
    PublishQuery, Reason, RequestContext, SubscribeQuery, Termination, View,
};
use presentity::pidf::Presence;
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sip::OutgoingRequest;

/// Everybody publishes for himself and sees everybody.
#[derive(Debug)]
struct Friends;

impl Policy for Friends {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        if query.identity().includes(query.resource()) {
            PublishDecision::Allow
        } else {
            PublishDecision::Forbid
        }
    }
}

type Server = Driver<Agent<Friends>>;

fn server() -> Server {
    Driver::new(Agent::new(AgentConfig::default(), Friends, seeded(9)))
}

/// A message as a host's parser holds it.
fn parsed(text: &str) -> Message {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let mut message = Message {
        method: first.next().unwrap().into(),
        uri: first.next().unwrap().into(),
        fields: Vec::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    for line in lines {
        let (name, value) = line.split_once(':').expect("a field");
        message = message.and(name, value.strip_prefix(' ').unwrap_or(value));
    }
    message
}

/// The entity-tag of an accepted publication.
fn etag(outputs: &Outputs) -> String {
    assert_eq!(outputs.status(), 200, "{outputs:?}");
    response_field(outputs.response(), "SIP-ETag")
        .unwrap()
        .into()
}

fn to_tag(outputs: &Outputs) -> String {
    assert_eq!(outputs.status(), 200, "{outputs:?}");
    outputs.response().to_tag().unwrap().into()
}

/// What a client of any manner can take: the type as such, and a document that can be read.
fn document(notify: &OutgoingRequest) -> Presence {
    assert_eq!(field(notify, "Content-Type"), Some("application/pidf+xml"));
    Presence::read(notify.body()).expect("a presence document")
}

fn basics(document: &Presence) -> Vec<(&str, &str)> {
    let tuples = document.tuples.iter();
    tuples
        .map(|tuple| (tuple.id.as_str(), tuple.status.basic_text().unwrap()))
        .collect()
}

fn nothing_left(server: &Server) {
    assert_eq!(server.role.occupancy(), Occupancy::default());
}

// ---- one that makes a call of its own for each PUBLISH ----------------------------------------

fn first_publish(user: &str, call: &str, basic: &str, tag: Option<&str>) -> Message {
    let condition = tag.map_or(String::new(), |tag| format!("SIP-If-Match: {tag}\n"));
    parsed(&format!(
        "PUBLISH sip:{user}@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.61:6100;branch=z9hG4bK{call};rport
Max-Forwards: 70
To: <sip:{user}@example.com>
From: <sip:{user}@example.com>;tag=f{call}
Call-ID: {call}
CSeq: 30103 PUBLISH
User-Agent: light client (x86_64/linux)
Content-Type: application/pidf+xml
Event: presence
Expires: 90
{condition}Content-Length: 400

<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>
<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"
    xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\"
    xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\"
    entity=\"sip:{user}@example.com\">
  <dm:person id=\"p17\"><rpid:activities/></dm:person>
  <tuple id=\"t4\">
    <status>
      <basic>{basic}</basic>
    </status>
    <contact>sip:{user}@example.com</contact>
  </tuple>
</presence>
"
    ))
}

fn first_subscribe(user: &str, other: &str, call: &str) -> Message {
    parsed(&format!(
        "SUBSCRIBE sip:{other}@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.61:6100;branch=z9hG4bK{call};rport
Contact: <sip:{user}-0x55aa0180@192.0.2.61:6100>
Max-Forwards: 70
To: <sip:{other}@example.com>
From: <sip:{user}@example.com>;tag=f{call}
Call-ID: {call}
CSeq: 10527 SUBSCRIBE
User-Agent: light client (x86_64/linux)
Event: presence
Expires: 600
Supported:
Content-Length: 0
"
    ))
}

#[test]
fn one_that_makes_a_call_of_its_own_for_each_publish() {
    let mut server = server();
    let published = etag(&server.send(&first_publish("lotta", "c1", "open", None)));

    let subscribe = first_subscribe("mikko", "lotta", "c2");
    let outputs = server.send(&subscribe);
    let dialog = to_tag(&outputs);
    let notify = outputs.notify();
    assert_eq!(notify.uri(), "sip:mikko-0x55aa0180@192.0.2.61:6100");
    let told = document(notify);
    assert_eq!(basics(&told), [("t4", "open")]);
    // The person stood before the tuple; the schema has it behind, and it is kept with all of it.
    assert_eq!(told.persons[0].id, "p17");
    assert!(
        body_of(notify).contains("activities/></"),
        "{}",
        body_of(notify)
    );
    server.answer(notify, 200);

    // A new Call-ID, From tag and CSeq; the entity-tag alone tells which publication it is.
    server.pass(10.0);
    let outputs = server.send(&first_publish("lotta", "c3", "closed", Some(&published)));
    let published = etag(&outputs);
    assert_eq!(basics(&document(outputs.notify())), [("t4", "closed")]);
    server.answer_all(&outputs);

    // A refresh has a type and no body.
    server.pass(60.0);
    let refresh = first_publish("lotta", "c4", "-", Some(&published)).with_body("");
    let outputs = server.send(&refresh);
    let published = etag(&outputs);
    assert!(outputs.requests().is_empty());
    assert!(server.pass(60.0).requests().is_empty(), "it was refreshed");

    // At its end everything comes at once, to the address in our Contact.
    let remove = first_publish("lotta", "c5", "-", Some(&published))
        .with("Expires", "0")
        .without("Content-Type")
        .with_body("");
    let mut leave = subscribe.with("Expires", "0").in_dialog(&dialog, 10528);
    leave.uri = "sip:agent.example.com".into();
    let removed = server.send(&remove);
    let left = server.send(&leave);
    assert_eq!((removed.status(), left.status()), (200, 200));
    let change = removed.notify();
    assert_eq!(basics(&document(change)), [("", ""); 0]);
    assert!(
        left.requests().is_empty(),
        "one NOTIFY of a dialog at a time"
    );
    let last = server.answer(change, 200);
    assert_eq!(state_of(last.notify()), "terminated;reason=timeout");
    server.answer_all(&last);
    nothing_left(&server);
}

/// All copies of that client name their tuple and person alike.
#[test]
fn two_phones_of_one_user_with_the_same_ids() {
    let mut server = server();
    let desk = etag(&server.send(&first_publish("lotta", "c1", "open", None)));
    etag(&server.send(&first_publish("lotta", "c2", "closed", None)));
    let outputs = server.send(&first_subscribe("mikko", "lotta", "c3"));
    let told = document(outputs.notify());
    let ids: Vec<_> = told.ids().iter().map(|(_, id)| (*id).to_owned()).collect();
    let mut unlike = ids.clone();
    unlike.sort();
    unlike.dedup();
    assert_eq!((ids.len(), unlike.len()), (4, 4), "{ids:?}");
    assert_eq!(told.tuples.first().unwrap().id, "t4");
    let second = told.tuples.last().unwrap().id.clone();
    server.answer_all(&outputs);

    // When the first is gone the second keeps the name that watchers know.
    let mut remove = first_publish("lotta", "c4", "-", Some(&desk)).with_body("");
    remove = remove.with("Expires", "0").without("Content-Type");
    let outputs = server.send(&remove);
    assert_eq!(basics(&document(outputs.notify())), [(&*second, "closed")]);
    server.answer_all(&outputs);
    assert_eq!(server.role.publications().count(), 1);
}

/// It comes back from `deactivated`, at once and in a new call.
#[test]
fn one_that_is_sent_away_to_come_back() {
    let mut server = server();
    server.subscribed(&first_subscribe("mikko", "lotta", "c1"));
    let moved = Termination::new(Reason::Deactivated);
    assert_eq!(server.role.terminate_all(server.now, moved), 1);
    let outputs = server.drain();
    assert_eq!(state_of(outputs.notify()), "terminated;reason=deactivated");
    // The new call may come before the answer.
    let again = server.send(&first_subscribe("mikko", "lotta", "c2"));
    assert_eq!(state_of(again.notify()), "active;expires=600");
    server.answer_all(&outputs);
    server.answer_all(&again);
    assert_eq!(server.role.occupancy().subscriptions, 1);
}

// ---- one with names, a GRUU, no lengths, and elements of its own ------------------------------

fn second_publish(cseq: u32, tag: Option<&str>) -> Message {
    let condition = tag.map_or(String::new(), |tag| format!("\nSIP-If-Match: {tag}"));
    parsed(&format!(
        "PUBLISH sip:pia@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.62:6200;branch=z9hG4bK.e{cseq}~Nj-;rport
From: \"Pia P.\" <sip:pia@example.com>;tag=CdHR33
To: \"Pia P.\" <sip:pia@example.com>
CSeq: {cseq} PUBLISH
Call-ID: fc5-p~o5O
Max-Forwards: 70
Supported: replaces, outbound, gruu
Event: presence
Content-Type: application/pidf+xml
Content-Length: 489
Expires: 60
User-Agent: Talker/5.1{condition}

<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<presence xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
          xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
          xmlns:own=\"http://talker.example.org/xsds/online.xsd\" \
          entity=\"sip:pia@example.com\" xmlns=\"urn:ietf:params:xml:ns:pidf\">
 <tuple id=\"_zd3.y\">
  <status>
   <basic>open</basic>
   <own:online/>
  </status>
  <contact priority=\"0.8\">sip:pia@example.com</contact>
  <timestamp>2026-04-22T00:25:00Z</timestamp>
 </tuple>
</presence>
"
    ))
}

fn second_subscribe(cseq: u32, to_tag: &str, expires: u32) -> Message {
    parsed(&format!(
        "SUBSCRIBE sip:pia@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.63:6210;branch=z9hG4bK.0x{cseq}~F;rport
From: \"Raoul\" <sip:raoul@example.com>;tag=xp7r3d
To: \"Pia P.\" <sip:pia@example.com>{to_tag}
CSeq: {cseq} SUBSCRIBE
Call-ID: Up-g~T.id
Max-Forwards: 70
Supported: replaces, outbound, gruu
Event: presence
Expires: {expires}
Contact: <sip:raoul@example.com;gr=urn:uuid:5f0c0d0e-0000-1000-8000-000000006210>;expires={expires};\
+sip.instance=\"<urn:uuid:5f0c0d0e-0000-1000-8000-000000006210>\"
User-Agent: Talker/5.1
"
    ))
}

#[test]
fn one_with_names_a_gruu_no_lengths_and_elements_of_its_own() {
    let mut server = server();
    let published = etag(&server.send(&second_publish(20, None)));

    // The GRUU has no address of the client's; the flow leads there.
    let raoul = Identity::of("sip:raoul@example.com", Assurance::Digest).unwrap();
    let context = RequestContext::new(&raoul, "sip:agent.example.com").with_flow(FlowId(6));
    let outputs = server.send_with(&second_subscribe(20, "", 600), &context);
    let tag = format!(";tag={}", to_tag(&outputs));
    let notify = outputs.notify();
    assert_eq!(notify.flow(), Some(FlowId(6)));
    let gruu = "sip:raoul@example.com;gr=urn:uuid:5f0c0d0e-0000-1000-8000-000000006210";
    assert_eq!((notify.uri(), notify.next_hop()), (gruu, gruu));
    assert_eq!(
        field(notify, "To"),
        Some("<sip:raoul@example.com>;tag=xp7r3d")
    );
    let told = document(notify);
    let tuple = told.tuple("_zd3.y").unwrap();
    let own = tuple.status.extensions.first().unwrap();
    assert_eq!(own.namespace(), "http://talker.example.org/xsds/online.xsd");
    assert_eq!(own.local(), "online");
    assert_eq!(tuple.timestamp_text(), Some("2026-04-22T00:25:00Z"));
    assert!(body_of(notify).contains("priority=\"0.8\""));
    server.answer(notify, 200);

    // A refresh is the same document again: more time, another entity-tag, nothing to tell.
    server.pass(54.0);
    let outputs = server.send(&second_publish(21, Some(&published)));
    assert_ne!(etag(&outputs), published);
    let published = etag(&outputs);
    assert!(outputs.requests().is_empty());
    assert!(server.pass(54.0).requests().is_empty(), "it was refreshed");

    // Its answer to the last NOTIFY is 481: the dialog is gone at its side.
    let outputs = server.send_with(&second_subscribe(21, &tag, 0), &context);
    let last = outputs.notify();
    assert_eq!(last.flow(), Some(FlowId(6)));
    assert_eq!(state_of(last), "terminated;reason=timeout");
    assert_eq!(document(last), told);
    assert!(server.answer(last, 481).all.is_empty());
    assert_eq!(
        server.role.counters().notifies_failed(),
        0,
        "that is no failure"
    );

    let mut remove = second_publish(22, Some(&published))
        .with_body("")
        .with("Expires", "0");
    remove = remove.without("Content-Type").without("Content-Length");
    assert_eq!(server.send(&remove).status(), 200);
    nothing_left(&server);
}

#[test]
fn one_that_does_not_answer_the_last_notify() {
    let mut server = server();
    let outputs = server.send(&second_subscribe(20, "", 600));
    let tag = format!(";tag={}", to_tag(&outputs));
    server.answer_all(&outputs);
    let outputs = server.send(&second_subscribe(21, &tag, 0));
    let transaction = outputs.notify().transaction();
    server.pass(32.0);
    server
        .role
        .handle_failure(server.now, transaction, Failure::Timeout);
    assert!(server.drain().all.is_empty());
    nothing_left(&server);
}

// ---- one with addresses without brackets, and another tuple each time -------------------------

fn third_publish(cseq: u32, tag: Option<&str>, note: &str) -> Message {
    let condition = tag.map_or(String::new(), |tag| format!("\nSIP-If-Match: {tag}"));
    let person = if note == "here" {
        String::new()
    } else {
        format!(
            "\n <dm:person id=\"pj{cseq}-5z.V\">\n  <rpid:activities>\n   <rpid:busy />\n  \
             </rpid:activities>\n  <dm:note>{note}</dm:note>\n </dm:person>"
        )
    };
    parsed(&format!(
        "PUBLISH sip:vera@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.64:6300;rport;branch=z9hG4bKPj9aV{cseq}
Max-Forwards: 70
From: <sip:vera@example.com>;tag=-zz.{cseq}
To: <sip:vera@example.com>
Call-ID: 1TJaRA75.Too.0uEAN-
CSeq: {cseq} PUBLISH
Event: presence{condition}
User-Agent: library
Content-Type: application/pidf+xml
Content-Length:   302

<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<presence entity=\"sip:vera@example.com\" xmlns=\"urn:ietf:params:xml:ns:pidf\" \
          xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
          xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\">
 <tuple id=\"pj{cseq}AUi8.l0Ue\">
  <status>
   <basic>open</basic>
  </status>
  <timestamp>2026-04-22T00:20:17.804Z</timestamp>
  <note>{note}</note>
 </tuple>{person}
</presence>
"
    ))
}

fn third_subscribe(cseq: u32, to_tag: &str, expires: u32) -> Message {
    parsed(&format!(
        "SUBSCRIBE sip:vera@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.65:6310;rport;branch=z9hG4bKPjNyoi{cseq}
Max-Forwards: 70
From: sip:willem@example.com;tag=qpDF-23am.
To: sip:vera@example.com{to_tag}
Contact: <sip:willem@192.0.2.65:6310;ob>
Call-ID: RbjV-ktdeop.91Oy7
CSeq: {cseq} SUBSCRIBE
Event: presence
Expires: {expires}
Supported: replaces, 100rel, timer, norefersub, trickle-ice
Accept: application/pidf+xml, application/xpidf+xml
Allow-Events: presence, dialog, message-summary, refer
User-Agent: library
Content-Length:  0
"
    ))
}

#[test]
fn one_with_addresses_without_brackets_and_another_tuple_each_time() {
    let mut server = server();
    let outputs = server.send(&third_subscribe(5566, "", 600));
    let tag = format!(";tag={}", to_tag(&outputs));
    let notify = outputs.notify();
    assert_eq!(notify.uri(), "sip:willem@192.0.2.65:6310;ob");
    assert_eq!(
        field(notify, "From").unwrap(),
        format!("<sip:vera@example.com>{tag}")
    );
    assert_eq!(
        field(notify, "To"),
        Some("<sip:willem@example.com>;tag=qpDF-23am.")
    );
    assert_eq!(basics(&document(notify)), [("", ""); 0]);
    server.answer(notify, 200);

    // No Expires: an hour. Each PUBLISH has another From tag and another tuple.
    let outputs = server.send(&third_publish(1, None, "here"));
    assert_eq!(response_field(outputs.response(), "Expires"), Some("3600"));
    let published = etag(&outputs);
    assert_eq!(
        basics(&document(outputs.notify())),
        [("pj1AUi8.l0Ue", "open")]
    );
    server.answer_all(&outputs);
    server.pass(6.0);
    let outputs = server.send(&third_publish(2, Some(&published), "on the phone"));
    let told = document(outputs.notify());
    assert_eq!(
        basics(&told),
        [("pj2AUi8.l0Ue", "open")],
        "one tuple, not two"
    );
    assert_eq!(told.persons[0].id, "pj2-5z.V");
    assert_eq!(body_of(outputs.notify()).matches("on the phone").count(), 2);

    // A document that it does not like costs neither the subscription nor the next one.
    let published = etag(&outputs);
    assert!(server.answer(outputs.notify(), 488).requests().is_empty());
    server.pass(6.0);
    let outputs = server.send(&third_publish(3, Some(&published), "here"));
    let published = etag(&outputs);
    assert_eq!(
        basics(&document(outputs.notify())),
        [("pj3AUi8.l0Ue", "open")]
    );
    server.answer_all(&outputs);

    // It asks for as long as it was given.
    let outputs = server.send(&third_subscribe(5567, &tag, 600));
    assert_eq!(response_field(outputs.response(), "Expires"), Some("600"));
    assert_eq!(state_of(outputs.notify()), "active;expires=600");
    server.answer_all(&outputs);

    let outputs = server.send(&third_subscribe(5568, &tag, 0));
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    server.answer_all(&outputs);
    let remove = third_publish(4, Some(&published), "-")
        .with("Expires", "0")
        .with_body("");
    assert_eq!(server.send(&remove.without("Content-Type")).status(), 200);
    nothing_left(&server);
}

/// Clients of all three manners see one another, and none is told anything of another's message.
#[test]
fn all_watch_one_presentity_and_get_the_same_octets() {
    let mut server = server();
    server.send(&third_publish(1, None, "here"));
    let one = server.send(&first_subscribe("mikko", "vera", "c1"));
    let another = server.send(&second_subscribe(20, "", 600).with("To", "<sip:vera@example.com>"));
    let mut third = third_subscribe(1, "", 600);
    assert_eq!(third.uri, "sip:vera@example.com");
    third = third.with(
        "Accept",
        "application/xpidf+xml, application/pidf+xml;q=0.5",
    );
    let third = server.send(&third);
    let bodies = [&one, &third].map(|outputs| outputs.notify().body().clone());
    assert_eq!(bodies.first(), bodies.last());
    for part in ["mikko", "willem", "192.0.2"] {
        assert!(!body_of(one.notify()).contains(part), "{part}");
    }
    assert_eq!(
        field(another.notify(), "Content-Type"),
        Some("application/pidf+xml")
    );
    assert_eq!(server.role.occupancy().subscriptions, 3);
}
