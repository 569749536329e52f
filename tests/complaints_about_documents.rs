//! What users of other presence systems complain about in public, as far as it is about bodies: each
//! test names the thread (owner/repository#number) that it is about; the others are in
//! `complaints.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;
mod corpus;

use std::time::Duration;

use common::{Driver, Message, Outputs, body_of, response_field, seeded};
use presentity::event::{
    Authorization, Decision, Occupancy, PublishDecision, PublishQuery, SubscribeQuery, View,
};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::xml::{Element, XmlLimits};

const NORA: &str = "sip:nora@example.com";
const OLAF: &str = "sip:olaf@example.com";

/// Everybody may do everything.
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

type Server = Driver<Agent<Open>>;

fn configured(configure: impl FnOnce(&mut AgentConfig)) -> Server {
    let mut config = AgentConfig::default();
    configure(&mut config);
    Driver::new(Agent::new(config, Open, seeded(29)))
}

fn server() -> Server {
    configured(|_| ())
}

fn subscribe(call: &str) -> Message {
    Message::subscribe(NORA, OLAF, call)
}

fn document(note: &str) -> String {
    let presence = Presence::new(OLAF).with_tuple(Tuple::open("t").with_note(note));
    String::from_utf8(presence.write().unwrap().to_vec()).unwrap()
}

fn etag(outputs: &Outputs) -> String {
    let tag = response_field(outputs.response(), "SIP-ETag");
    tag.unwrap().to_owned()
}

// pjsip/pjproject#1367, kamailio/kamailio#794, #441: what is optional was not there.
#[test]
fn a_document_that_lacks_anything_is_taken_and_reaches_watchers_whole() {
    let mut server = configured(|config| config.server.notify_interval = Duration::ZERO);
    server.subscribed(&subscribe("w").with("Expires", "3600"));
    let (mut taken, mut heard) = (0, 0);
    for document in corpus::ALL {
        let whole = Element::read(document.as_bytes(), &XmlLimits::default()).unwrap();
        for less in corpus::without_one_each(&whole) {
            let body = String::from_utf8(less.write().unwrap().to_vec()).unwrap();
            let call = format!("p{taken}");
            let outputs = server.send(&Message::publish(OLAF, &call, &body));
            assert_eq!(outputs.status(), 200, "{body}");
            taken += 1;
            for notify in outputs.requests() {
                heard += 1;
                let told = Presence::read(notify.body()).unwrap();
                assert_eq!(told.entity, OLAF);
                assert_eq!(
                    told.write().unwrap(),
                    *notify.body(),
                    "written as it is read"
                );
            }
            server.answer_all(&outputs);
            let end = Message::publish(OLAF, &format!("e{call}"), "")
                .with("SIP-If-Match", &etag(&outputs))
                .with("Expires", "0");
            let outputs = server.send(&end);
            assert_eq!(outputs.status(), 200);
            server.answer_all(&outputs);
        }
    }
    assert!(taken > 100, "{taken}");
    assert!(heard > 100, "{heard}");
    assert_eq!(server.role.occupancy().publications, 0);
    assert_eq!(server.role.occupancy().subscriptions, 1);
}

// BelledonneCommunications/linphone-sdk#601: a body in parts ended the program.
#[test]
fn a_body_in_parts_is_refused_with_the_types_that_are_known() {
    let mut server = server();
    let list = document("x");
    let parts = format!(
        "--b\r\nContent-ID: <l@example.com>\r\nContent-Type: application/rlmi+xml\r\n\r\n<list/>\r\n\
         --b\r\nContent-ID: <r@example.com>\r\nContent-Type: application/pidf+xml\r\n\r\n{list}\r\n--b--"
    );
    for body in [
        &*parts,
        "--b",
        "--b--",
        "--",
        "-",
        "\r\n--b\r\n\r\n--b--\r\n--",
    ] {
        for boundary in [
            ";boundary=b",
            ";boundary=\"b\";type=\"application/rlmi+xml\"",
            "",
        ] {
            let kind = format!("multipart/related{boundary}");
            let call = format!("{}{}", body.len(), boundary.len());
            for message in [
                subscribe(&format!("s{call}")),
                Message::publish(OLAF, &format!("p{call}"), ""),
            ] {
                let outputs = server.send(&message.with("Content-Type", &kind).with_body(body));
                assert_eq!((outputs.status(), outputs.all.len()), (415, 1));
                assert!(response_field(outputs.response(), "Accept").is_some());
            }
        }
    }
    assert_eq!(server.role.occupancy(), Occupancy::default());
}

// asterisk/asterisk#82, pjsip/pjproject#873: what the document says beyond the basics was dropped.
#[test]
fn what_nobody_here_knows_reaches_the_watcher_as_it_was_published() {
    for document in corpus::ALL {
        let mut server = server();
        let outputs = server.send(&Message::publish(OLAF, "p", document));
        assert_eq!(outputs.status(), 200);
        let outputs = server.send(&subscribe("w"));
        let mut published = Presence::read(document.as_bytes()).unwrap();
        published.repair();
        published.entity = OLAF.into();
        let mut told = Presence::read(outputs.notify().body()).unwrap();
        told.entity = OLAF.into();
        // Elements, attributes, text, and all of it in order.
        assert_eq!(told, published, "{}", body_of(outputs.notify()));
    }
}
