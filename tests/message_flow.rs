//! The example flow of the presence package (RFC 3856 section 8), every message octet for octet.
//!
//! A watcher subscribes and is accepted, is told the state, and is told again when it has changed,
//! by means that are not SIP: six messages, F1 to F6. The messages are of today's standards, and so
//! differ from the flow of the base document, which RFC 6665, RFC 3863 and RFC 3261 have overtaken:
//!
//! - F1 and F3: the document is `application/pidf+xml`; `application/cpim-pidf+xml` was its name
//!   while RFC 3863 was a draft. It is still understood, see the last test.
//! - F2 has no Event, which no response but one to rate control has (RFC 6665 section 8.2.1,
//!   RFC 6446); it has Allow-Events (RFC 6665 section 4.4.4).
//! - F2, F3 and F5: Contact is in angle brackets. Without them a parameter would belong to the
//!   field and not to the URI (RFC 3261 section 20.10).
//! - F3 leaves at once, so that the whole duration is left; the example took a second.
//! - F3: the first CSeq of the notifier's is 1, or what the host has set, not any number.
//! - Via of a response tells `received` as one line; it is the host's to add, as Via of a request is.
//! - Content-Length is the number of octets, the last of the fields.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test code may fail loudly"
)]

mod common;

use bytes::Bytes;
use common::{Driver, Message, Outputs, seeded};
use presentity::event::{Authorization, Decision, Output, SubscribeQuery, View};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy};

/// Nora was permitted to watch Theo before.
#[derive(Debug)]
struct Permitted;

impl Policy for Permitted {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        assert_eq!(query.watcher(), Some("nora@example.net"));
        assert_eq!(query.resource(), "theo@example.com");
        Decision::Allow(View::full()).into()
    }
}

/// A message as it goes over the wire: the lines of the head end in CR LF.
fn wire(text: &str) -> String {
    let (head, body) = text.split_once("\n\n").expect("an empty line");
    format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"))
}

/// A message as a host's parser holds it.
fn parsed(text: &str) -> Message {
    let (head, body) = text.split_once("\n\n").expect("an empty line");
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let mut message = Message {
        method: first.next().unwrap().into(),
        uri: first.next().unwrap().into(),
        fields: Vec::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a field");
        message = message.and(name, value);
    }
    message
}

fn agent() -> Driver<Agent<Permitted>> {
    let mut config = AgentConfig::default();
    config.domains = vec!["example.com".into()];
    config.server.initial_cseq = 700;
    // The flow is older than they are.
    config.server.entity_tags = false;
    let mut driver = Driver::new(Agent::new(config, Permitted, seeded(8)));
    let desk = Tuple::open("desk").with_contact("sip:theo@desk.example.com");
    driver.set(Presence::new("sip:theo@example.com").with_tuple(desk));
    driver
}

trait Theo {
    fn set(&mut self, document: Presence);
}

impl Theo for Driver<Agent<Permitted>> {
    /// What the presence user agent tells the server, by other means than SIP.
    fn set(&mut self, document: Presence) {
        self.role
            .set_presence(self.now, "sip:theo@example.com", document)
            .unwrap();
    }
}

/// The octets of each message that left, with what is the host's to add.
fn octets(outputs: &Outputs, request: &Message, via: &str) -> Vec<String> {
    let mut messages = Vec::new();
    for output in &outputs.all {
        let mut message = Vec::new();
        match output {
            Output::Respond(response) => response.write_to(&request.view(), "", &mut message),
            Output::Send(notify) => {
                notify.write_to(via, &mut message);
                assert_eq!(message.len(), notify.encoded_len(via.len()));
            }
            _ => continue,
        }
        messages.push(String::from_utf8(message).unwrap());
    }
    messages
}

const F1: &str = "SUBSCRIBE sip:theo@example.com SIP/2.0
Via: SIP/2.0/UDP notebook.example.net;branch=z9hG4bK5b1;received=192.0.2.71
To: <sip:theo@example.com>
From: <sip:nora@example.net>;tag=n0ra
Call-ID: 4711@notebook.example.net
CSeq: 29 SUBSCRIBE
Max-Forwards: 70
Event: presence
Accept: application/pidf+xml
Contact: <sip:nora@notebook.example.net>
Expires: 600
Content-Length: 0

";

const F2: &str = "SIP/2.0 200 OK
Via: SIP/2.0/UDP notebook.example.net;branch=z9hG4bK5b1;received=192.0.2.71
From: <sip:nora@example.net>;tag=n0ra
To: <sip:theo@example.com>;tag=%TAG%
Call-ID: 4711@notebook.example.net
CSeq: 29 SUBSCRIBE
Expires: 600
Contact: <sip:agent.example.com>
Allow-Events: presence
Content-Length: 0

";

const F3: &str = "NOTIFY sip:nora@notebook.example.net SIP/2.0
Via: SIP/2.0/UDP agent.example.com;branch=z9hG4bKa51
From: <sip:theo@example.com>;tag=%TAG%
To: <sip:nora@example.net>;tag=n0ra
Call-ID: 4711@notebook.example.net
Event: presence
Contact: <sip:agent.example.com>
Max-Forwards: 70
CSeq: 701 NOTIFY
Subscription-State: active;expires=600
Content-Type: application/pidf+xml
Content-Length: 232

<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:theo@example.com\">\
<tuple id=\"desk\"><status><basic>open</basic></status>\
<contact>sip:theo@desk.example.com</contact></tuple></presence>
";

const F5: &str = "NOTIFY sip:nora@notebook.example.net SIP/2.0
Via: SIP/2.0/UDP agent.example.com;branch=z9hG4bKa52
From: <sip:theo@example.com>;tag=%TAG%
To: <sip:nora@example.net>;tag=n0ra
Call-ID: 4711@notebook.example.net
Event: presence
Contact: <sip:agent.example.com>
Max-Forwards: 70
CSeq: 702 NOTIFY
Subscription-State: active;expires=540
Content-Type: application/pidf+xml
Content-Length: 234

<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:theo@example.com\">\
<tuple id=\"desk\"><status><basic>closed</basic></status>\
<contact>sip:theo@desk.example.com</contact></tuple></presence>
";

// PA-60, PA-64
#[test]
fn subscribe_200_notify_200_change_notify_200() {
    let mut driver = agent();

    let f1 = parsed(F1);
    let outputs = driver.send(&f1);
    let tag = outputs.response().to_tag().unwrap().to_owned();
    let expected = |text: &str| wire(&text.replace("%TAG%", &tag));
    let via = "Via: SIP/2.0/UDP agent.example.com;branch=z9hG4bKa51\r\n";
    assert_eq!(octets(&outputs, &f1, via), [expected(F2), expected(F3)]);

    let f4 = driver.answer(outputs.notify(), 200);
    assert!(f4.all.is_empty(), "{f4:?}");

    assert!(driver.pass(60.0).all.is_empty());
    let desk = Tuple::closed("desk").with_contact("sip:theo@desk.example.com");
    driver.set(Presence::new("sip:theo@example.com").with_tuple(desk));
    let outputs = driver.drain();
    let via = "Via: SIP/2.0/UDP agent.example.com;branch=z9hG4bKa52\r\n";
    assert_eq!(octets(&outputs, &f1, via), [expected(F5)]);

    let f6 = driver.answer(outputs.notify(), 200);
    assert!(f6.all.is_empty(), "{f6:?}");
}

/// Nothing but what the caller gives decides what is written.
#[test]
fn the_same_flow_again_is_the_same_octet_for_octet() {
    let run = || {
        let mut driver = agent();
        let f1 = parsed(F1);
        let outputs = driver.send(&f1);
        octets(&outputs, &f1, "Via: SIP/2.0/UDP agent.example.com\r\n")
    };
    assert_eq!(run(), run());
}

#[test]
fn a_watcher_of_the_base_document_gets_the_type_that_it_asks_for() {
    let mut driver = agent();
    let f1 = parsed(F1).with("Accept", "application/cpim-pidf+xml");
    let outputs = driver.send(&f1);
    let tag = outputs.response().to_tag().unwrap().to_owned();
    let via = "Via: SIP/2.0/UDP agent.example.com;branch=z9hG4bKa51\r\n";
    let f3 = F3.replace(
        "Content-Type: application/pidf+xml",
        "Content-Type: application/cpim-pidf+xml",
    );
    let expected = |text: &str| wire(&text.replace("%TAG%", &tag));
    assert_eq!(octets(&outputs, &f1, via), [expected(F2), expected(&f3)]);
}
