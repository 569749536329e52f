//! Messages in the shapes that real clients give them.

use bytes::Bytes;

use crate::common::{Message, Outputs, field, response_field};
use crate::scene::{ANA, BOB, Scene, Watch, document, etag, notes, story};

/// A message as it comes off the wire: lines, then a body behind an empty line.
fn parse(text: &str) -> Message {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let mut start = lines.next().unwrap().split(' ');
    let (method, uri) = (start.next().unwrap(), start.next().unwrap());
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_owned(), value.to_owned())
    });
    Message {
        method: method.to_owned(),
        uri: uri.to_owned(),
        fields: fields.collect(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

/// The value under this name as the message has it, without white space.
fn sent(message: &Message, name: &str) -> String {
    let field = message.fields.iter().find(|(other, _)| other == name);
    field.unwrap().1.trim().to_owned()
}

fn follow_up(message: &Message, outputs: &Outputs, cseq: u32) -> Message {
    let to = sent(message, "To");
    let tag = outputs.response().to_tag().unwrap();
    message
        .clone()
        .with("To", &format!("{to};tag={tag}"))
        .with_cseq(cseq)
}

const EMPTY_SUPPORTED: &str = "SUBSCRIBE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.7:38200;branch=z9hG4bKa1;rport
Contact: <sip:ana-0x5a5a5a@192.0.2.7:38200>
Max-Forwards: 70
To: <sip:bob@example.com>
From: <sip:ana@example.com>;tag=77aa
Call-ID: 5de6a1b0c3
CSeq: 41803 SUBSCRIBE
User-Agent: client (x86_64/Linux)
Event: presence
Supported:\x20
Expires: 600
Content-Length: 0";

// PA-20, PA-21: it says nothing of what it accepts.
#[test]
fn one_without_accept_and_with_an_empty_supported() {
    let mut scene = Scene::new();
    scene.set("here");
    let message = parse(EMPTY_SUPPORTED);
    let outputs = scene.send_from(&message, ANA);
    assert_eq!(outputs.status(), 200);
    assert_eq!(
        field(outputs.notify(), "Content-Type"),
        Some("application/pidf+xml")
    );
    assert_eq!(notes(outputs.notify()), ["here"]);
    scene.answer_all(&outputs);
    let refresh = follow_up(&message, &outputs, 41_804);
    let outputs = scene.send_from(&refresh, ANA);
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-18: the same call comes again with what it was told.
#[test]
fn one_that_was_too_brief_comes_again_in_the_same_call() {
    let mut scene = Scene::configured(|config| config.server.min_expires = 1_000);
    let message = parse(EMPTY_SUPPORTED);
    let outputs = scene.send_from(&message, ANA);
    assert_eq!(outputs.status(), 423);
    let minimum = response_field(outputs.response(), "Min-Expires").unwrap();
    let again = message.with("Expires", minimum).with_cseq(41_804);
    let outputs = scene.send_from(&again, ANA);
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    scene.close();
}

const NO_LENGTH: &str = "SUBSCRIBE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.8:5060;branch=z9hG4bK.abc~d;rport
From: \"Ana\" <sip:ana@example.com>;tag=q1~Zx
To: \"Bob B.\" <sip:bob@example.com>
CSeq: 20 SUBSCRIBE
Call-ID: N~3sQhb5-t
Max-Forwards: 70
Supported: replaces, outbound, gruu
Event: presence
Expires: 600
Contact: \"Ana\" <sip:ana@192.0.2.8;gr=urn:uuid:5b1a0d6e-0000-0041-a3a1-2f4d9d9a0b11>;+org.example.specs=\"a,b/1.0\"
User-Agent: phone/5.1 (desk)";

// PA-59: no Content-Length, a GRUU for a Contact, and words before the URIs.
#[test]
fn one_without_content_length_and_with_a_gruu() {
    let mut scene = Scene::new();
    let message = parse(NO_LENGTH);
    let outputs = scene.send_from(&message, ANA);
    assert_eq!(outputs.status(), 200);
    let notify = outputs.notify();
    assert_eq!(
        notify.uri(),
        "sip:ana@192.0.2.8;gr=urn:uuid:5b1a0d6e-0000-0041-a3a1-2f4d9d9a0b11"
    );
    assert_eq!(field(notify, "Call-ID"), Some("N~3sQhb5-t"));
    assert_eq!(field(notify, "To"), Some("<sip:ana@example.com>;tag=q1~Zx"));
    scene.answer_all(&outputs);
    // When it leaves, it knows nothing of the last NOTIFY.
    let bye = follow_up(&message, &outputs, 21).with("Expires", "0");
    let outputs = scene.send_from(&bye, ANA);
    let after = scene.answer(outputs.notify(), 481);
    assert!(after.all.is_empty());
    scene.empty();
}

const BARE_ADDRESSES: &str = "SUBSCRIBE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9:5066;rport;branch=z9hG4bKPj-x
Max-Forwards: 70
From: sip:ana@example.com;tag=9e-b.4
To: sip:bob@example.com
Contact: <sip:ana@192.0.2.9:5066;ob>
Call-ID: 0c.1-7e
CSeq: 11972 SUBSCRIBE
Event: presence
Expires: 600
Supported: replaces, 100rel, timer, norefersub, trickle-ice
Accept: application/pidf+xml, application/xpidf+xml
Allow-Events: presence, dialog, message-summary, refer
Content-Length:  0";

// PA-59: addresses without brackets.
#[test]
fn one_that_writes_addresses_without_brackets() {
    let mut scene = Scene::new();
    let message = parse(BARE_ADDRESSES);
    let outputs = scene.send_from(&message, ANA);
    assert_eq!(outputs.status(), 200);
    let notify = outputs.notify();
    assert_eq!(
        field(notify, "To"),
        Some("<sip:ana@example.com>;tag=9e-b.4")
    );
    assert_eq!(notify.uri(), "sip:ana@192.0.2.9:5066;ob");
    scene.answer_all(&outputs);
    let granted = response_field(outputs.response(), "Expires").unwrap();
    let refresh = follow_up(&message, &outputs, 11_973).with("Expires", granted);
    let outputs = scene.send_from(&refresh, ANA);
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    scene.close();
}

const COMPACT: &str = "SUBSCRIBE sip:bob@example.com SIP/2.0
v: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKc
f: <sip:ana@example.com>;tag=1
t: <sip:bob@example.com>
i: compact
CSEQ: 1 SUBSCRIBE
m: <sip:ana@192.0.2.7>
o: presence;id=5
expires : 300
ACCEPT: application/pidf+xml
k: gruu
l: 0";

// PA-12
#[test]
fn one_that_is_short_of_words() {
    let mut scene = Scene::new();
    let message = parse(COMPACT);
    let outputs = scene.send_from(&message, ANA);
    assert_eq!(outputs.status(), 200);
    assert_eq!(field(outputs.notify(), "Event"), Some("presence;id=5"));
    assert_eq!(response_field(outputs.response(), "Expires"), Some("300"));
    scene.answer_all(&outputs);
    scene.close();
}

// SRV-45, SRV-46, SRV-49: a new call, tag and number each time; the refresh has a type but no body.
#[test]
fn a_publisher_that_changes_its_call_each_time() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let message = Message::publish(BOB, "p-1", &document("t4109", "here"))
        .with_cseq(500)
        .with("Expires", "600");
    let outputs = scene.send(&message);
    let tag = etag(&outputs);
    scene.answer_all(&outputs);
    scene.pass(300.0);
    let message = Message::publish(BOB, "p-2", "")
        .with_cseq(77)
        .with("SIP-If-Match", &tag)
        .with("Content-Length", "0");
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["200", "published Refresh"]);
    let tag = etag(&outputs);
    // At exit everything goes at once.
    let message = Message::publish(BOB, "p-3", "")
        .with_cseq(1)
        .with("SIP-If-Match", &tag)
        .with("Expires", "0");
    let last = scene.send(&message);
    assert_eq!(last.status(), 200);
    let outputs = scene.send(&watch.unsubscribe());
    assert_eq!(outputs.status(), 200);
    let outputs = scene.answer_all(&last);
    assert_eq!(story(&outputs), ["terminated;reason=timeout"]);
    scene.answer_all(&outputs);
    scene.empty();
}

// SRV-46, PA-38: the whole document again, in the same call.
#[test]
fn a_publisher_that_refreshes_by_repeating_itself() {
    let mut scene = Scene::new();
    let body = document("qk5z", "here");
    let first = Message::publish(BOB, "p", &body).with_cseq(20);
    let mut tag = etag(&scene.send(&first));
    scene.watch();
    for number in 21..25 {
        scene.pass(60.0);
        let again = first.clone().with_cseq(number).with("SIP-If-Match", &tag);
        let outputs = scene.send(&again);
        assert!(outputs.requests().is_empty());
        tag = etag(&outputs);
    }
    scene.close();
}

// SRV-45, SRV-49: no duration, another From tag and another tuple id each time.
#[test]
fn a_publisher_that_renames_its_tuple_each_time() {
    let mut scene = Scene::new();
    scene.watch();
    let first = Message::publish(BOB, "p", &document("pj1", "available")).without("Expires");
    let outputs = scene.send(&first);
    assert_eq!(response_field(outputs.response(), "Expires"), Some("3600"));
    let tag = etag(&outputs);
    scene.answer_all(&outputs);
    scene.pass(10.0);
    let second = Message::publish(BOB, "p", &document("pj2", "busy"))
        .without("Expires")
        .with("From", "<sip:bob@example.com>;tag=other")
        .with_cseq(2)
        .with("SIP-If-Match", &tag);
    let outputs = scene.send(&second);
    assert_eq!(notes(outputs.notify()), ["busy"], "one tuple, the new one");
    scene.answer_all(&outputs);
    scene.close();
}

// SRV-44: after a 412 it publishes anew, and the orphan runs out.
#[test]
fn a_publisher_that_lost_its_entity_tag() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).with("Expires", "3600");
    scene.watch_by(message);
    let orphan = scene.published(BOB, &document("t", "busy"));
    scene.pass(100.0);
    let lost = scene
        .publish(BOB, &document("t", "free"))
        .with("SIP-If-Match", "lost");
    assert_eq!(story(&scene.send(&lost)), ["412"]);
    let anew = scene.publish(BOB, &document("t", "free"));
    let outputs = scene.send(&anew);
    assert_ne!(etag(&outputs), orphan);
    assert_eq!(notes(outputs.notify()), ["busy", "free"]);
    scene.answer_all(&outputs);
    let outputs = scene.pass(500.1);
    assert_eq!(story(&outputs)[0], "publication expired");
    assert_eq!(notes(outputs.notify()), ["free"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-53: a phone that restarted knows nothing of its old subscription.
#[test]
fn a_phone_that_restarted_subscribes_anew_beside_its_old_self() {
    let mut scene = Scene::new();
    let old = scene.watch();
    let new: Watch = scene.watch();
    let outputs = scene.set("here");
    assert_eq!(outputs.requests().len(), 2);
    for request in outputs.requests() {
        let old_call = field(request, "Call-ID") == Some(old.message.field("Call-ID"));
        scene.answer(request, if old_call { 481 } else { 200 });
    }
    scene.pass(10.0);
    let outputs = scene.set("there");
    assert_eq!(
        field(outputs.notify(), "Call-ID"),
        Some(new.message.field("Call-ID"))
    );
    scene.answer_all(&outputs);
    scene.close();
}
