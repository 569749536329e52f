//! The publication server with bodies that say what has changed, for a package of the test's making.

use bytes::Bytes;
use presentity::event::{
    Authorization, Decision, JobOutcome, Output, Package, Profile, PublishDecision, PublishQuery,
    PublishedBody, RefusalReason, RenderRequest, Server, ServerConfig, SubscribeQuery, Unreadable,
    Unserved, View,
};
use presentity::sip::Uri;

use crate::common::{Driver, Message, Outputs, body_of, response_field, seeded};

const DORA: &str = "sip:dora@example.com";
const WHOLE: &str = "text/plain";
const MORE: &str = "text/x-more";

/// A text that is written anew, or goes on. Capitals are of no account to watchers.
#[derive(Debug)]
struct Story {
    profile: Profile,
    decision: PublishDecision,
}

#[derive(Debug)]
struct Text(String);

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Package for Story {
    type State = ();
    type Publication = Text;

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
        uri.address_of_record().ok_or(Unserved::NotHere)
    }

    fn authorize_subscription(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn authorize_publication(&mut self, _: &PublishQuery<'_>) -> PublishDecision {
        self.decision
    }

    fn read_publication(
        &mut self,
        body: &PublishedBody<'_>,
        before: Option<&Text>,
    ) -> Result<Text, Unreadable> {
        let text =
            str::from_utf8(body.octets).map_err(|error| Unreadable::new(error.to_string()))?;
        if body.media_type.essence_eq(WHOLE) {
            return Ok(Text(text.to_owned()));
        }
        let before = before.ok_or_else(|| Unreadable::new("it goes on from nothing"))?;
        match text {
            "?" => Err(Unreadable::new("a question").with_body("text/x-why", "no answer".into())),
            "??" => Err(Unreadable::new("a question").with_body("no type", "no answer".into())),
            "..." => Err(Unreadable::too_large("it never ends")),
            "!" => Err(Unreadable::fault("the pen is broken").with_body(WHOLE, "ink".into())),
            _ => Ok(Text(format!("{}{text}", before.0))),
        }
    }

    fn take_over(&self, kept: &mut Text, repeated: Text) {
        kept.0 = repeated.0;
    }

    fn octets(&self, publication: &Text, _: &Bytes) -> usize {
        publication.0.len()
    }

    fn render(
        &mut self,
        _: &RenderRequest<'_>,
        (): &mut (),
        publications: &[(u64, &Text)],
    ) -> Option<Bytes> {
        let texts = publications.iter().map(|(_, text)| &*text.0);
        Some(texts.collect::<Vec<_>>().join("|").into())
    }
}

struct Desk {
    driver: Driver<Server<Story>>,
    calls: u32,
}

impl Desk {
    fn new() -> Self {
        Self::with(ServerConfig::default())
    }

    fn with(config: ServerConfig) -> Self {
        let mut profile = Profile::new("story", &[WHOLE]);
        profile.publication_types = &[WHOLE, MORE];
        let decision = PublishDecision::Allow;
        let story = Story { profile, decision };
        Self {
            driver: Driver::new(Server::new(story, config, seeded(3))),
            calls: 0,
        }
    }

    fn send(&mut self, media_type: &str, body: &str, tag: Option<&str>) -> Outputs {
        self.calls += 1;
        let mut message = Message::publish(DORA, &format!("call-{}", self.calls), body)
            .with("Event", "story")
            .with("Content-Type", media_type);
        if let Some(tag) = tag {
            message = message.with("SIP-If-Match", tag);
        }
        self.driver.send(&message)
    }

    /// The tag that it is given.
    fn taken(&mut self, media_type: &str, body: &str, tag: Option<&str>) -> String {
        tag_of(&self.send(media_type, body, tag))
    }

    /// What a watcher sees.
    fn text(&mut self) -> String {
        self.calls += 1;
        let call = format!("call-{}", self.calls);
        let fetch = Message::subscribe("sip:emil@example.com", DORA, &call)
            .with("Event", "story")
            .with("Expires", "0");
        let outputs = self.driver.send(&fetch);
        self.driver.answer_all(&outputs);
        body_of(outputs.notify()).to_owned()
    }

    fn deferred(&mut self, media_type: &str, body: &str, tag: &str) -> presentity::event::Job {
        match &self.send(media_type, body, Some(tag)).all[..] {
            [Output::Job(job)] => job.clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn tag_of(outputs: &Outputs) -> String {
    assert_eq!(outputs.status(), 200, "{outputs:?}");
    let tag = response_field(outputs.response(), "SIP-ETag");
    tag.unwrap().to_owned()
}

// SRV-53
#[test]
fn a_change_is_read_beside_what_the_tag_names() {
    let mut desk = Desk::new();
    let first = desk.taken(WHOLE, "Once", None);
    let other = desk.taken(WHOLE, "Never", None);
    let first = desk.taken(MORE, " upon", Some(&first));
    let other = desk.taken(MORE, " again", Some(&other));
    assert_eq!(desk.text(), "Once upon|Never again");
    let first = desk.taken(MORE, " a time", Some(&first));
    assert_eq!(desk.text(), "Once upon a time|Never again");
    // Whole states replace it, and changes go on from there.
    let first = desk.taken(WHOLE, "The", Some(&first));
    desk.taken(MORE, " end", Some(&first));
    desk.taken(MORE, "!!", Some(&other));
    assert_eq!(desk.text(), "The end|Never again!!");
}

// SRV-53, SRV-44
#[test]
fn a_change_of_nothing_is_refused_and_so_is_one_under_a_tag_of_before() {
    let mut desk = Desk::new();
    assert_eq!(desk.send(MORE, " upon", None).status(), 400);
    assert_eq!(desk.driver.role.occupancy(), Default::default());
    let old = desk.taken(WHOLE, "Once", None);
    let new = desk.taken(MORE, " upon", Some(&old));
    assert_eq!(desk.send(MORE, " a time", Some(&old)).status(), 412);
    assert_eq!(desk.text(), "Once upon");
    desk.taken(MORE, " a time", Some(&new));
    assert_eq!(desk.text(), "Once upon a time");
}

// SRV-53
#[test]
fn what_cannot_be_read_is_answered_as_the_package_says() {
    let mut desk = Desk::new();
    let tag = desk.taken(WHOLE, "Once", None);
    let expected = [
        (
            "?",
            400,
            RefusalReason::Malformed,
            Some(("text/x-why", "no answer")),
        ),
        ("??", 400, RefusalReason::Malformed, None),
        ("...", 413, RefusalReason::TooLarge, None),
        ("!", 500, RefusalReason::Unprocessed, Some((WHOLE, "ink"))),
    ];
    for (text, status, reason, body) in expected {
        let before = desk.driver.role.counters().refused(reason);
        let outputs = desk.send(MORE, text, Some(&tag));
        let response = outputs.response();
        assert_eq!(response.status(), status);
        let media_type = response_field(response, "Content-Type");
        assert_eq!(media_type, body.map(|(media_type, _)| media_type));
        let text = body.map_or("", |(_, text)| text);
        assert_eq!(**response.body(), *text.as_bytes());
        assert_eq!(desk.driver.role.counters().refused(reason), before + 1);
        assert_eq!(desk.text(), "Once");
    }
    // It is in the message, with its length.
    let message = Message::publish(DORA, "last", "?")
        .with("Event", "story")
        .with("Content-Type", MORE)
        .with("SIP-If-Match", &tag);
    let outputs = desk.driver.send(&message);
    let mut octets = Vec::new();
    outputs
        .response()
        .write_to(&message.view(), "", &mut octets);
    let written = String::from_utf8(octets).unwrap();
    let (head, body) = written.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nContent-Type: text/x-why\r\n"), "{head}");
    assert!(head.ends_with("\r\nContent-Length: 9"), "{head}");
    assert_eq!(body, "no answer");
    // The tag has outlived it all.
    desk.taken(MORE, " more", Some(&tag));
    assert_eq!(desk.text(), "Once more");
}

// SRV-53, SRV-47: what it was read beside is no more.
#[test]
fn a_deferred_change_is_not_put_on_top_of_another() {
    let mut desk = Desk::new();
    let tag = desk.taken(WHOLE, "Once", None);
    desk.driver.role.package_mut().decision = PublishDecision::Defer;
    let one = desk.deferred(MORE, " more", &tag);
    let two = desk.deferred(MORE, " upon", &tag);
    assert_eq!((&*one.media_type, &*one.body), (MORE, &b" more"[..]));
    assert_eq!(desk.text(), "Once");
    let now = desk.driver.now;
    let outcome = desk.driver.role.complete_job(now, two.key, true);
    assert_eq!(outcome, JobOutcome::Done);
    let tag = tag_of(&desk.driver.drain());
    assert_eq!(desk.text(), "Once upon");
    let outcome = desk.driver.role.complete_job(now, one.key, true);
    assert_eq!(outcome, JobOutcome::Refused(412));
    assert_eq!(desk.driver.drain().status(), 412);
    assert_eq!(desk.text(), "Once upon");
    // One that fails changes nothing either.
    let three = desk.deferred(MORE, " a time", &tag);
    desk.driver.role.complete_job(now, three.key, false);
    assert_eq!(desk.driver.drain().status(), 504);
    assert_eq!(desk.text(), "Once upon");
}

// SRV-53, SRV-47
#[test]
fn a_deferred_change_does_not_outlive_its_publication() {
    let mut desk = Desk::new();
    let tag = desk.taken(WHOLE, "Once", None);
    desk.driver.role.package_mut().decision = PublishDecision::Defer;
    // Under the tag, which is good until 600 s.
    desk.driver.pass(590.0);
    let job = desk.deferred(MORE, " more", &tag);
    desk.driver.pass(11.0);
    assert_eq!(desk.driver.role.publications().count(), 0);
    let now = desk.driver.now;
    let outcome = desk.driver.role.complete_job(now, job.key, true);
    assert_eq!(outcome, JobOutcome::Refused(412));
    desk.driver.drain();
    assert_eq!(desk.driver.role.occupancy().publications, 0);
}

// SRV-53
#[test]
fn a_repeated_state_that_is_written_otherwise_is_what_the_next_change_goes_on_from() {
    let mut desk = Desk::new();
    let tag = desk.taken(WHOLE, "Once", None);
    let watch = Message::subscribe("sip:emil@example.com", DORA, "watch").with("Event", "story");
    desk.driver.subscribed(&watch);
    let outputs = desk.send(WHOLE, "ONCE", Some(&tag));
    let tag = tag_of(&outputs);
    // No news for those who watch.
    assert!(outputs.requests().is_empty());
    assert!(desk.driver.pass(60.0).requests().is_empty());
    let outputs = desk.send(MORE, " more", Some(&tag));
    assert_eq!(body_of(outputs.notify()), "ONCE more");
    desk.driver.answer_all(&outputs);
}

// SRV-53: what changes come to counts, not what they bring.
#[test]
fn a_publication_does_not_grow_by_changes_beyond_what_is_allowed() {
    let mut config = ServerConfig::default();
    config.limits.published = 20;
    let mut desk = Desk::with(config);
    let tag = desk.taken(WHOLE, "twelve chars", None);
    let tag = desk.taken(MORE, ", eight!", Some(&tag));
    assert_eq!(desk.send(MORE, "s", Some(&tag)).status(), 413);
    assert_eq!(desk.text(), "twelve chars, eight!");
    let tag = desk.taken(WHOLE, "TWELVE CHARS, EIGHT!", Some(&tag));
    assert_eq!(desk.send(MORE, "s", Some(&tag)).status(), 413);
    assert_eq!(desk.send(WHOLE, "x", None).status(), 413);
    // All of it is free again when it goes.
    let outputs = desk.driver.pass(700.0);
    assert!(outputs.requests().is_empty());
    desk.taken(WHOLE, "another twenty of it", None);
}
