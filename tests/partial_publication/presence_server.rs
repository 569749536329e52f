//! The presence agent as a server of partial publications: what it takes, what it answers, what watchers
//! see of it.

use bytes::Bytes;
use presentity::event::{
    Authorization, Decision, Output, Protection, ProtectionQuery, PublishDecision, PublishQuery,
    RefusalReason, SubscribeQuery, View,
};
use presentity::mime::{Chain, Opened, Signer};
use presentity::pidf::{Basic, Presence};
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sip::Response;
use presentity::xml::{Element, XmlLimits};

use crate::common::{Driver, Message, Outputs, body_of, field, response_field, seeded};

const DORA: &str = "sip:dora@example.com";
const EMIL: &str = "sip:emil@example.com";
const PARTIAL: &str = "application/pidf-diff+xml";
const PIDF: &str = "application/pidf+xml";

/// Everybody sees everything, as it was published if he likes, and publishes about himself.
struct Open;

impl Policy for Open {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, _: &PublishQuery<'_>) -> PublishDecision {
        PublishDecision::Allow
    }

    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        let wants_it = query.watcher() == Some("frida@example.com");
        match wants_it {
            true => Protection::AsPublished,
            false => Protection::None,
        }
    }
}

struct Desk {
    driver: Driver<Agent<Open>>,
    calls: u32,
}

/// The whole of Dora's state.
fn full(content: &str) -> String {
    format!(
        "<?xml version='1.0'?><p:pidf-full xmlns='urn:ietf:params:xml:ns:pidf' \
         xmlns:p='urn:ietf:params:xml:ns:pidf-diff' entity='{DORA}'>{content}</p:pidf-full>"
    )
}

/// What has changed of it.
fn diff(operations: &str) -> String {
    format!(
        "<?xml version='1.0'?><p:pidf-diff xmlns='urn:ietf:params:xml:ns:pidf' \
         xmlns:p='urn:ietf:params:xml:ns:pidf-diff' entity='{DORA}'>{operations}</p:pidf-diff>"
    )
}

fn plain(content: &str) -> String {
    format!("<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{DORA}'>{content}</presence>")
}

fn tuple(id: &str, basic: &str) -> String {
    format!("<tuple id='{id}'><status><basic>{basic}</basic></status></tuple>")
}

/// Closes one that was open.
fn closing(id: &str) -> String {
    diff(&format!(
        "<p:replace sel=\"*/tuple[@id='{id}']/status/basic/text()\">closed</p:replace>"
    ))
}

fn tag_of(outputs: &Outputs) -> String {
    assert_eq!(outputs.status(), 200, "{outputs:?}");
    let tag = response_field(outputs.response(), "SIP-ETag");
    tag.unwrap().to_owned()
}

impl Desk {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut AgentConfig)) -> Self {
        let mut config = AgentConfig::default();
        config.server.notify_interval = std::time::Duration::ZERO;
        change(&mut config);
        Self {
            driver: Driver::new(Agent::new(config, Open, seeded(5))),
            calls: 0,
        }
    }

    fn call(&mut self) -> String {
        self.calls += 1;
        format!("call-{}", self.calls)
    }

    fn send_as(&mut self, media_type: &str, body: &str, tag: Option<&str>) -> Outputs {
        let call = self.call();
        let mut message = Message::publish(DORA, &call, body).with("Content-Type", media_type);
        if body.is_empty() {
            message = message.without("Content-Type");
        }
        if let Some(tag) = tag {
            message = message.with("SIP-If-Match", tag);
        }
        let outputs = self.driver.send(&message);
        self.driver.answer_all(&outputs);
        outputs
    }

    fn send(&mut self, body: &str, tag: Option<&str>) -> Outputs {
        self.send_as(PARTIAL, body, tag)
    }

    /// The tag that it is given.
    fn taken(&mut self, body: &str, tag: Option<&str>) -> String {
        tag_of(&self.send(body, tag))
    }

    fn refused(&mut self, body: &str, tag: Option<&str>) -> Response {
        let before = self.document();
        let outputs = self.send(body, tag);
        assert_eq!(self.document(), before);
        assert!(outputs.requests().is_empty());
        outputs.response().clone()
    }

    fn document(&mut self) -> Option<Presence> {
        self.driver.role.presence(DORA).unwrap()
    }

    /// Which tuples there are, and what they say.
    fn tuples(&mut self) -> Vec<(String, Option<Basic>)> {
        let tuples = self.document().map(|it| it.tuples).unwrap_or_default();
        let tuple = tuples.into_iter();
        tuple.map(|it| (it.id, it.status.basic())).collect()
    }

    fn watch(&mut self, from: &str, accept: &str) -> Outputs {
        let call = self.call();
        let message = Message::subscribe(from, DORA, &call).with("Accept", accept);
        let outputs = self.driver.send(&message);
        self.driver.answer_all(&outputs);
        outputs
    }
}

fn open(id: &str) -> (String, Option<Basic>) {
    (id.to_owned(), Some(Basic::Open))
}

fn closed(id: &str) -> (String, Option<Basic>) {
    (id.to_owned(), Some(Basic::Closed))
}

/// The name of the error in the body of a 400.
fn error_in(response: &Response) -> String {
    let media_type = response_field(response, "Content-Type");
    assert_eq!(media_type, Some("application/patch-ops-error+xml"));
    let root = Element::read(response.body(), &XmlLimits::default()).unwrap();
    assert!(root.is("urn:ietf:params:xml:ns:patch-ops-error", "patch-ops-error"));
    let error = root.elements().next().unwrap();
    error.local().to_owned()
}

// SRV-53: RFC 5264 section 4.3.1.
#[test]
fn a_full_state_makes_a_publication_and_replaces_one() {
    let mut desk = Desk::new();
    let first = desk.watch(EMIL, PIDF);
    assert!(!body_of(first.notify()).contains("tuple"));
    let outputs = desk.send(&full(&(tuple("a", "open") + &tuple("b", "open"))), None);
    let tag = tag_of(&outputs);
    // Watchers get a presence document.
    let notify = outputs.notify();
    assert_eq!(field(notify, "Content-Type"), Some(PIDF));
    let seen = Presence::read(notify.body()).unwrap();
    assert_eq!((&*seen.entity, seen.tuples.len()), (DORA, 2));
    assert!(!body_of(notify).contains("pidf-"));
    let outputs = desk.send(&full(&tuple("c", "closed")), Some(&tag));
    assert_eq!(desk.tuples(), [closed("c")]);
    assert!(body_of(outputs.notify()).contains("\"c\""));
    assert_ne!(tag_of(&outputs), tag);
}

// SRV-53: RFC 5264 section 4.3.2.
#[test]
fn differences_are_applied_in_sequence() {
    let mut desk = Desk::new();
    let tag = desk.taken(&full(&(tuple("a", "open") + &tuple("b", "open"))), None);
    desk.watch(EMIL, PIDF);
    // Each operation has to do with what the one before it has made.
    let operations = "<p:add sel='*'><tuple id='c'><status/></tuple></p:add>\
        <p:add sel=\"*/tuple[@id='c']/status\"><basic>open</basic></p:add>\
        <p:replace sel=\"*/tuple[@id='c']/status/basic/text()\">closed</p:replace>\
        <p:remove sel=\"presence/tuple[@id='a']\"/>\
        <p:replace sel='*/tuple[1]/@id'>d</p:replace>\
        <p:add sel='p:pidf-full'><note>four</note></p:add>";
    let outputs = desk.send(&diff(operations), Some(&tag));
    let tag = tag_of(&outputs);
    assert_eq!(desk.tuples(), [open("d"), closed("c")]);
    let seen = Presence::read(outputs.notify().body()).unwrap();
    assert_eq!(seen.notes.len(), 1);
    // And the next one has to do with all of that.
    desk.taken(&closing("d"), Some(&tag));
    assert_eq!(desk.tuples(), [closed("d"), closed("c")]);
}

// SRV-53: RFC 5264 section 4.3.2.
#[test]
fn a_difference_makes_no_publication() {
    let mut desk = Desk::new();
    assert_eq!(desk.refused(&closing("a"), None).status(), 400);
    assert_eq!(desk.refused(&diff(""), None).status(), 400);
    assert_eq!(desk.driver.role.occupancy(), Default::default());
    assert_eq!(desk.refused(&diff(""), Some("unknown")).status(), 412);
}

// SRV-53: RFC 5264 section 4.3.2, RFC 5261 section 5.1.
#[test]
fn a_difference_that_does_not_fit_changes_nothing_and_the_response_says_why() {
    let mut desk = Desk::new();
    let tag = desk.taken(&full(&tuple("a", "open")), None);
    desk.watch(EMIL, PIDF);
    let add = "<p:add sel='*'><note>x</note></p:add>";
    for (operations, error) in [
        ("<p:remove sel=\"*/tuple[@id='b']\"/>", "unlocated-node"),
        ("<p:remove sel='*'/>", "invalid-root-element-operation"),
        ("<p:remove sel='*/q:b'/>", "invalid-namespace-prefix"),
    ] {
        // What comes before it is undone.
        let response = desk.refused(&diff(&(add.to_owned() + operations)), Some(&tag));
        assert_eq!(response.status(), 400);
        assert_eq!(error_in(&response), error);
    }
    // What is longer than the response may be is not repeated in it.
    for (length, is_repeated) in [(10, true), (2_000, false)] {
        let text = "x".repeat(length);
        let operations = format!("<p:add sel='*/note'><note>{text}</note></p:add>");
        let response = desk.refused(&diff(&operations), Some(&tag));
        assert_eq!(error_in(&response), "unlocated-node");
        assert!(response.body().len() <= 1024);
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        assert_eq!(body.contains("*/note"), is_repeated, "{body}");
    }
    let malformed = desk
        .driver
        .role
        .counters()
        .refused(RefusalReason::Malformed);
    assert_eq!(malformed, 5);
    // The tag is as good as before.
    desk.taken(&closing("a"), Some(&tag));
    assert_eq!(desk.tuples(), [closed("a")]);
}

// SRV-53
#[test]
fn what_is_no_such_document_is_refused() {
    let mut desk = Desk::new();
    let tag = desk.taken(&full(&tuple("a", "open")), None);
    let bad = [
        plain(&tuple("b", "open")),
        full("<tuple id='b'>"),
        full(&tuple("b", "open")).replace("pidf-diff'", "pidf-other'"),
        "no document".to_owned(),
        diff("<p:move sel='*'/>"),
        diff("<p:remove/>"),
        diff("<p:remove sel='//tuple'/>"),
        diff("").replace("?>", "?><!DOCTYPE x>"),
    ];
    for body in bad {
        assert_eq!(desk.refused(&body, Some(&tag)).status(), 400, "{body}");
        if !body.contains("p:pidf-diff") {
            assert_eq!(desk.refused(&body, None).status(), 400, "{body}");
        }
    }
    desk.taken(&closing("a"), Some(&tag));
}

// SRV-53: what the patch makes has to be a presence document.
#[test]
fn a_difference_that_spoils_the_document_is_refused() {
    let mut desk = Desk::new();
    let tag = desk.taken(&full(&tuple("a", "open")), None);
    let spoiled = diff("<p:add sel='*' type='@entity'>x</p:add>");
    assert_eq!(desk.refused(&spoiled, Some(&tag)).status(), 400);
    desk.taken(&closing("a"), Some(&tag));
}

// SRV-53: RFC 5264 section 3.2.
#[test]
fn versions_are_of_no_account() {
    let mut desk = Desk::new();
    let version = |body: String, version: &str| {
        let entity = format!("entity='{DORA}'");
        body.replacen(&entity, &format!("{entity} version='{version}'"), 1)
    };
    let mut tag = desk.taken(&version(full(&tuple("a", "open")), "7"), None);
    // Nor are they for watchers.
    let outputs = desk.watch(EMIL, PIDF);
    assert!(body_of(outputs.notify()).contains("open"));
    assert!(!body_of(outputs.notify()).contains("version=\"7\""));
    for (at, number) in ["7", "3", "900", "0", "4294967295"].iter().enumerate() {
        let more = format!(
            "<p:add sel='*'>{}</p:add>",
            tuple(&format!("t{at}"), "open")
        );
        tag = desk.taken(&version(diff(&more), number), Some(&tag));
        assert_eq!(desk.tuples().len(), at + 2);
    }
}

// SRV-53, SRV-46
#[test]
fn a_refresh_leaves_what_the_next_difference_is_about() {
    let mut desk = Desk::new();
    let tag = desk.taken(&full(&tuple("a", "open")), None);
    desk.driver.pass(500.0);
    let tag = desk.taken("", Some(&tag));
    desk.driver.pass(500.0);
    desk.taken(&closing("a"), Some(&tag));
    assert_eq!(desk.tuples(), [closed("a")]);
}

// SRV-53: RFC 5264 section 4.3.2.
#[test]
fn what_is_not_refreshed_goes_whole() {
    let mut desk = Desk::new();
    let tag = desk.taken(&full(&tuple("a", "open")), None);
    desk.driver.pass(300.0);
    let tag = desk.taken(&closing("a"), Some(&tag));
    desk.driver.pass(599.0);
    assert_eq!(desk.tuples(), [closed("a")]);
    desk.driver.pass(2.0);
    // Not back to what it was before the difference.
    assert_eq!(desk.document(), None);
    assert_eq!(desk.refused(&closing("a"), Some(&tag)).status(), 412);
    assert_eq!(desk.driver.role.occupancy(), Default::default());
}

// SRV-53, SRV-49: publications are united for watchers, not for publishers.
#[test]
fn a_difference_is_about_the_publication_that_its_tag_names() {
    let mut desk = Desk::new();
    let desk_phone = desk.taken(&full(&tuple("a", "open")), None);
    let cell = desk.taken(&full(&tuple("a", "open")), None);
    assert_eq!(desk.tuples().len(), 2);
    let cell = desk.taken(&closing("a"), Some(&cell));
    let basics: Vec<_> = desk.tuples().into_iter().map(|(_, basic)| basic).collect();
    assert_eq!(basics, [Some(Basic::Open), Some(Basic::Closed)]);
    let gone = diff("<p:remove sel='*/tuple'/>");
    desk.taken(&gone, Some(&desk_phone));
    let basics: Vec<_> = desk.tuples().into_iter().map(|(_, basic)| basic).collect();
    assert_eq!(basics, [Some(Basic::Closed)]);
    desk.taken(&gone, Some(&cell));
    assert!(desk.tuples().is_empty());
}

// SRV-53: what is put right for watchers stays as it is for its publisher.
#[test]
fn a_difference_is_about_what_the_publisher_wrote() {
    let mut desk = Desk::new();
    // The note comes first, an id is there twice, there is a comment, white space and an attribute of nobody.
    let odd = "<note>first</note>\n <!-- mine --><tuple id='a' x='1'><status><basic>open</basic></status></tuple>\n \
        <tuple id='a'><status><basic>open</basic></status></tuple>";
    desk.watch(EMIL, PIDF);
    let outputs = desk.send(&full(odd), None);
    let tag = tag_of(&outputs);
    let shown = Presence::read(outputs.notify().body()).unwrap();
    assert_ne!(shown.tuples[0].id, shown.tuples[1].id);
    let operations = "<p:replace sel='*/tuple[2]/status/basic/text()'>closed</p:replace>\
        <p:remove sel='*/comment()'/><p:remove sel='*/note[.=\"first\"]' ws='after'/>\
        <p:replace sel=\"*/tuple[@x='1']/@id\">b</p:replace>";
    let outputs = desk.send(&diff(operations), Some(&tag));
    let tag = tag_of(&outputs);
    assert_eq!(desk.tuples(), [open("b"), closed("a")]);
    assert!(desk.document().unwrap().notes.is_empty());
    desk.taken(&diff("<p:remove sel=\"*/tuple[@id='b']\"/>"), Some(&tag));
    assert_eq!(desk.tuples(), [closed("a")]);
}

// SRV-53
#[test]
fn a_state_that_is_repeated_in_other_words_is_what_the_next_difference_is_about() {
    let mut desk = Desk::new();
    let tag = desk.taken(&full(&(tuple("a", "open") + "<note>x</note>")), None);
    desk.watch(EMIL, PIDF);
    // The same for everybody else.
    let outputs = desk.send(
        &full(&("<!--1-->".to_owned() + &tuple("a", "open") + "<note>x</note>")),
        Some(&tag),
    );
    assert!(outputs.requests().is_empty());
    let tag = tag_of(&outputs);
    let replace = diff("<p:remove sel='*/comment()[1]'/><p:remove sel='*/note'/>");
    let outputs = desk.send(&replace, Some(&tag));
    let tag = tag_of(&outputs);
    assert!(!body_of(outputs.notify()).contains("note"));
    // A difference that changes nothing for watchers tells them nothing.
    let outputs = desk.send(&diff("<p:add sel='*'><!--2--></p:add>"), Some(&tag));
    assert!(outputs.requests().is_empty());
    let tag = tag_of(&outputs);
    desk.taken(&diff("<p:remove sel='*/comment()'/>"), Some(&tag));
}

// SRV-53: of a plain publication only what it means is kept.
#[test]
fn there_is_no_difference_to_a_plain_publication() {
    let mut desk = Desk::new();
    let tag = tag_of(&desk.send_as(PIDF, &plain(&tuple("a", "open")), None));
    assert_eq!(desk.refused(&closing("a"), Some(&tag)).status(), 400);
    let tag = desk.taken(&full(&tuple("a", "open")), Some(&tag));
    let tag = desk.taken(&closing("a"), Some(&tag));
    assert_eq!(desk.tuples(), [closed("a")]);
    let outputs = desk.send_as(PIDF, &plain(&tuple("a", "closed")), Some(&tag));
    assert_eq!(
        desk.refused(&diff(""), Some(&tag_of(&outputs))).status(),
        400
    );
    assert_eq!(desk.tuples(), [closed("a")]);
}

// SRV-53, SRV-46: RFC 5264 section 4.1.
#[test]
fn it_may_be_switched_off() {
    for (on, status) in [(true, 200), (false, 415)] {
        let mut desk = Desk::with(|config| config.partial_publications = on);
        let outputs = desk.send(&full(&tuple("a", "open")), None);
        assert_eq!(outputs.status(), status);
        let outputs = desk.send_as("text/plain", "x", None);
        let accept = response_field(outputs.response(), "Accept").unwrap();
        assert_eq!(accept.contains(PARTIAL), on, "{accept}");
        assert!(accept.contains(PIDF));
        assert_eq!(outputs.status(), 415);
    }
}

// SRV-53, SRV-52: a signature over a difference says nothing about the document.
#[test]
fn what_is_signed_and_partial_is_not_passed_on_as_signed() {
    let mut desk = Desk::with(|config| config.server.opens_bodies = true);
    let signed =
        "multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=b";
    let mut tag: Option<String> = None;
    for body in [full(&tuple("a", "open")), closing("a")] {
        let outputs = desk.send_as(signed, "sealed", tag.as_deref());
        let [Output::Open(opening)] = &outputs.all[..] else {
            panic!("{outputs:?}");
        };
        assert!(opening.taken.contains(&PARTIAL));
        let mut opened = Opened::new(PARTIAL, Bytes::from(body));
        opened.signers = vec![Signer::new([DORA], Chain::Trusted)];
        let now = desk.driver.now;
        assert!(
            desk.driver
                .role
                .complete_opening(now, opening.key, Ok(opened))
        );
        let outputs = desk.driver.drain();
        tag = Some(tag_of(&outputs));
        let both = "application/pidf+xml, multipart/signed";
        let outputs = desk.watch("sip:frida@example.com", both);
        assert_eq!(outputs.status(), 200);
        assert_eq!(field(outputs.notify(), "Content-Type"), Some(PIDF));
    }
    assert_eq!(desk.tuples(), [closed("a")]);
}

// SRV-53: what is kept of a publication is bounded by what comes of it.
#[test]
fn differences_do_not_make_a_publication_grow_beyond_what_is_allowed() {
    let mut desk = Desk::with(|config| config.server.limits.published = 4_000);
    let mut tag = desk.taken(&full(""), None);
    let note = |text: &str| diff(&format!("<p:add sel='*'><note>{text}</note></p:add>"));
    let text = "x".repeat(900);
    for _ in 0..4 {
        tag = desk.taken(&note(&text), Some(&tag));
    }
    assert_eq!(desk.refused(&note(&text), Some(&tag)).status(), 413);
    // Nor by what watchers do not see.
    let comment = diff(&format!("<p:add sel='*'><!--{text}--></p:add>"));
    assert_eq!(desk.refused(&comment, Some(&tag)).status(), 413);
    desk.taken(&diff("<p:remove sel='*/note[4]'/>"), Some(&tag));
}

// SRV-53: RFC 5264 section 4.3.2, faults of the server.
#[test]
fn a_difference_that_is_too_much_work_is_refused() {
    let mut desk = Desk::new();
    let many: String = (0..3_000).map(|at| format!("<tuple id='{at}'/>")).collect();
    let tag = desk.taken(&full(&many), None);
    // Each looks at all that there is.
    let far = "<p:add sel='*/tuple[2999]'/>".repeat(2_000);
    assert_eq!(desk.refused(&diff(&far), Some(&tag)).status(), 500);
    let refused = desk
        .driver
        .role
        .counters()
        .refused(RefusalReason::Unprocessed);
    assert_eq!(refused, 1);
    let near = "<p:add sel='*/tuple[2999]'/>".repeat(20);
    desk.taken(&diff(&near), Some(&tag));
}
