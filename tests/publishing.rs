//! The publisher beside a server of the test's making: what it sends, and what follows from each answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{body_of, field, seeded};
use presentity::engine::Timestamp;
use presentity::event::{
    Account, Failure, NeedCredentials, OwnPublicationKey, PublishError, PublishFailure,
    PublishKind, PublisherConfig, PublisherEvent, PublisherOutput,
};
use presentity::pidf::caps::Servcaps;
use presentity::pidf::certs::Certs;
use presentity::pidf::{Note, Presence, Tuple};
use presentity::presence::{PublishStateError, Publisher};
use presentity::sip::{OutgoingRequest, ResponseRef};
use time::OffsetDateTime;

const DORA: &str = "sip:dora@example.com";

/// A publisher on virtual time.
struct Phone {
    publisher: Publisher,
    now: Timestamp,
}

#[derive(Debug, Default)]
struct Taken {
    requests: Vec<OutgoingRequest>,
    events: Vec<PublisherEvent>,
    wishes: Vec<NeedCredentials>,
}

impl Taken {
    fn request(&self) -> &OutgoingRequest {
        assert_eq!(self.requests.len(), 1, "{self:?}");
        &self.requests[0]
    }

    fn nothing(&self) -> bool {
        self.requests.is_empty() && self.events.is_empty() && self.wishes.is_empty()
    }

    fn failure(&self) -> (&PublishFailure, Option<Duration>) {
        match self.events.as_slice() {
            [
                PublisherEvent::Failed {
                    failure, retry_in, ..
                },
            ] => (failure, *retry_in),
            other => panic!("{other:?}"),
        }
    }
}

impl Phone {
    fn new() -> Self {
        Self::with(PublisherConfig::default())
    }

    fn with(config: PublisherConfig) -> Self {
        Self {
            publisher: Publisher::new(config, seeded(7)),
            now: Timestamp::from_secs(1_000),
        }
    }

    fn take(&mut self) -> Taken {
        let mut taken = Taken::default();
        while let Some(output) = self.publisher.poll_output() {
            match output {
                PublisherOutput::Send(request) => taken.requests.push(request),
                PublisherOutput::Event(event) => taken.events.push(event),
                PublisherOutput::NeedCredentials(wish) => taken.wishes.push(wish),
                other => panic!("{other:?}"),
            }
        }
        taken
    }

    /// Publishes; gives the request that leaves.
    fn publish(&mut self, document: Presence) -> (OwnPublicationKey, OutgoingRequest) {
        let account = Account::new(DORA).unwrap();
        let key = self
            .publisher
            .publish(self.now, &account, document)
            .unwrap();
        (key, self.take().request().clone())
    }

    fn published(&mut self) -> OwnPublicationKey {
        let (key, request) = self.publish(state("at home"));
        let taken = self.answer(&request, 200, &[("SIP-ETag", "t1"), ("Expires", "3600")]);
        assert!(taken.requests.is_empty());
        key
    }

    fn answer(&mut self, to: &OutgoingRequest, status: u16, fields: &[(&str, &str)]) -> Taken {
        let body = Bytes::new();
        let response = ResponseRef::new(status, fields.iter().copied(), &body);
        self.publisher
            .handle_response(self.now, to.transaction(), &response);
        self.take()
    }

    fn ok(&mut self, to: &OutgoingRequest, tag: &str) -> Taken {
        self.answer(to, 200, &[("SIP-ETag", tag), ("Expires", "3600")])
    }

    fn fail(&mut self, request: &OutgoingRequest, failure: Failure) -> Taken {
        self.publisher
            .handle_failure(self.now, request.transaction(), failure);
        self.take()
    }

    fn update(&mut self, key: OwnPublicationKey, document: Presence) -> Taken {
        self.publisher.update(self.now, key, document).unwrap();
        self.take()
    }

    fn remove(&mut self, key: OwnPublicationKey) -> Taken {
        self.publisher.remove(self.now, key).unwrap();
        self.take()
    }

    fn pass(&mut self, time: Duration) -> Taken {
        self.now = self.now + time;
        self.publisher.handle_timeout(self.now);
        self.take()
    }

    /// Sleeps as long as the publisher wants to; tells how long that was.
    fn sleep(&mut self) -> (Duration, Taken) {
        let before = self.now;
        for _ in 0..100 {
            let deadline = self.publisher.poll_timeout().expect("a deadline");
            let taken = self.pass(deadline.saturating_since(self.now));
            if !taken.nothing() {
                return (self.now.saturating_since(before), taken);
            }
        }
        panic!("it wakes without purpose");
    }

    fn is_empty(&self) -> bool {
        self.publisher.occupancy() == [0; 4] && self.publisher.poll_timeout().is_none()
    }
}

fn state(note: &str) -> Presence {
    let note = Note::new(note);
    Presence::new(DORA).with_tuple(Tuple::open("phone").with_note(note))
}

fn utc(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn is_refused(failure: &PublishFailure, code: u16) -> bool {
    matches!(failure, PublishFailure::Refused { status, .. } if *status == code)
}

// PUA-01, PUA-04, PUA-05, PUA-11, PUA-12, PUA-23
#[test]
fn a_first_publication_is_a_request_of_its_own_with_the_whole_state() {
    let mut phone = Phone::new();
    let account = Account::new(DORA)
        .unwrap()
        .with_route("sip:edge.example.com;lr")
        .unwrap()
        .with_field("User-Agent", "test/1")
        .unwrap();
    let key = phone
        .publisher
        .publish(phone.now, &account, state("at home"))
        .unwrap();
    let taken = phone.take();
    let request = taken.request();
    assert_eq!((request.method(), request.uri()), ("PUBLISH", DORA));
    assert_eq!(request.next_hop(), "sip:edge.example.com;lr");
    for (name, value) in [
        ("To", "<sip:dora@example.com>"),
        ("Event", "presence"),
        ("Expires", "3600"),
        ("CSeq", "1 PUBLISH"),
        ("Content-Type", "application/pidf+xml"),
        ("User-Agent", "test/1"),
        ("Max-Forwards", "70"),
    ] {
        let all: Vec<&str> = request
            .fields()
            .filter(|it| it.0 == name)
            .map(|it| it.1)
            .collect();
        assert_eq!(all, [value], "{name}");
    }
    for absent in ["SIP-If-Match", "Contact", "Record-Route", "Via"] {
        assert_eq!(field(request, absent), None);
    }
    assert!(
        field(request, "From")
            .unwrap()
            .starts_with("<sip:dora@example.com>;tag=")
    );
    assert!(body_of(request).contains("at home"));
    let mut written = Vec::new();
    request.write_to("Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n", &mut written);
    assert_eq!(written.len(), request.encoded_len(36));

    assert_eq!(phone.publisher.publication(key).unwrap().entity_tag, None);
    let taken = phone.answer(request, 200, &[("SIP-ETag", "t1"), ("Expires", "1800")]);
    let (kind, expires) = (PublishKind::Initial, 1800);
    assert_eq!(
        taken.events,
        [PublisherEvent::Published { key, kind, expires }]
    );
    let info = phone.publisher.publication(key).unwrap();
    assert_eq!((info.entity_tag, info.is_current), (Some("t1"), true));
    assert_eq!(info.expires_at, Some(phone.now + seconds(1800)));
}

// PUA-13, PUA-16, PUA-24
#[test]
fn it_is_refreshed_before_the_granted_time_is_over_with_the_newest_tag() {
    let mut phone = Phone::new();
    let (key, first) = phone.publish(state("at home"));
    phone.answer(&first, 200, &[("SIP-ETag", "t0"), ("Expires", "600")]);
    for round in 0..1_000 {
        let (slept, taken) = phone.sleep();
        assert!(slept <= seconds(541) && slept >= seconds(509), "{slept:?}");
        let request = taken.request();
        assert_eq!(
            field(request, "SIP-If-Match"),
            Some(format!("t{round}").as_str())
        );
        assert_eq!(field(request, "Expires"), Some("3600"));
        assert_eq!(field(request, "Content-Type"), None);
        assert!(request.body().is_empty());
        assert_eq!(field(request, "Call-ID"), field(&first, "Call-ID"));
        assert_eq!(
            field(request, "CSeq").unwrap(),
            format!("{} PUBLISH", round + 2)
        );
        let tag = format!("t{}", round + 1);
        let taken = phone.answer(request, 200, &[("SIP-ETag", &tag), ("Expires", "600")]);
        let (kind, expires) = (PublishKind::Refresh, 600);
        assert_eq!(
            taken.events,
            [PublisherEvent::Published { key, kind, expires }]
        );
        assert_eq!(phone.publisher.occupancy(), [1, 0, 1, 0]);
    }
    let taken = phone.remove(key);
    phone.answer(taken.request(), 200, &[]);
    assert!(phone.is_empty());
}

// PUA-14, PUA-16
#[test]
fn another_state_takes_the_place_of_the_one_before() {
    let mut phone = Phone::new();
    let key = phone.published();
    let taken = phone.update(key, state("away"));
    let request = taken.request();
    assert_eq!(field(request, "SIP-If-Match"), Some("t1"));
    assert!(body_of(request).contains("away"));
    assert!(!phone.publisher.publication(key).unwrap().is_current);
    phone.ok(request, "t2");
    assert!(phone.publisher.publication(key).unwrap().is_current);
    let taken = phone.update(key, state("back"));
    assert_eq!(field(taken.request(), "SIP-If-Match"), Some("t2"));
    phone.ok(taken.request(), "t3");
    // The same again is nothing new.
    assert!(phone.update(key, state("back")).nothing());
}

// PUA-11
#[test]
fn one_request_is_open_at_a_time_and_what_changes_meanwhile_leaves_as_one() {
    let mut phone = Phone::new();
    let (key, first) = phone.publish(state("0"));
    for change in 1..=100 {
        assert!(phone.update(key, state(&change.to_string())).nothing());
    }
    let taken = phone.ok(&first, "t1");
    let second = taken.request();
    assert!(body_of(second).contains(">100<"));
    assert_eq!(field(second, "SIP-If-Match"), Some("t1"));
    // Back to what is on its way: nothing more to say. Then to what was before: one more.
    assert!(phone.update(key, state("back")).nothing());
    let taken = phone.ok(second, "t2");
    assert!(phone.ok(taken.request(), "t3").requests.is_empty());
}

// PUA-15
#[test]
fn it_is_removed_by_its_tag() {
    let mut phone = Phone::new();
    let key = phone.published();
    let taken = phone.remove(key);
    let request = taken.request();
    assert_eq!(field(request, "SIP-If-Match"), Some("t1"));
    assert_eq!(field(request, "Expires"), Some("0"));
    assert!(request.body().is_empty() && field(request, "Content-Type").is_none());
    assert!(phone.remove(key).nothing());
    let error = phone.publisher.update(phone.now, key, state("late"));
    assert_eq!(
        error,
        Err(PublishStateError::Publish(PublishError::Unknown))
    );
    let taken = phone.answer(request, 200, &[("Expires", "0")]);
    let confirmed = true;
    assert_eq!(taken.events, [PublisherEvent::Removed { key, confirmed }]);
    assert!(phone.is_empty());
    assert_eq!(
        phone.publisher.remove(phone.now, key),
        Err(PublishError::Unknown)
    );
}

#[test]
fn one_that_is_on_its_way_is_removed_when_it_has_arrived() {
    let mut phone = Phone::new();
    let (key, request) = phone.publish(state("at home"));
    assert!(phone.remove(key).nothing());
    let taken = phone.ok(&request, "t1");
    let removal = taken.request();
    assert_eq!(field(removal, "SIP-If-Match"), Some("t1"));
    assert_eq!(field(removal, "Expires"), Some("0"));
    phone.answer(removal, 412, &[]);
    assert!(phone.is_empty());

    // One that never arrived has nothing to remove, one that perhaps did cannot be named.
    for (failure, confirmed) in [(None, true), (Some(Failure::Timeout), false)] {
        let (key, request) = phone.publish(state("at home"));
        phone.remove(key);
        let taken = match failure {
            None => phone.answer(&request, 403, &[]),
            Some(failure) => phone.fail(&request, failure),
        };
        assert_eq!(
            taken.events.last(),
            Some(&PublisherEvent::Removed { key, confirmed })
        );
        assert!(phone.is_empty(), "{failure:?}");
    }
}

#[test]
fn a_removal_is_tried_three_times() {
    let mut phone = Phone::new();
    let key = phone.published();
    let mut taken = phone.remove(key);
    for _ in 0..2 {
        let failed = phone.fail(&taken.request().clone(), Failure::Timeout);
        assert!(failed.failure().1.is_some());
        taken = phone.sleep().1;
        assert_eq!(field(taken.request(), "Expires"), Some("0"));
    }
    let taken = phone.fail(&taken.request().clone(), Failure::Timeout);
    let confirmed = false;
    assert_eq!(taken.events, [PublisherEvent::Removed { key, confirmed }]);
    assert!(phone.is_empty());
}

#[test]
fn one_that_is_abandoned_is_forgotten_at_once() {
    let mut phone = Phone::new();
    let (key, request) = phone.publish(state("at home"));
    assert!(phone.publisher.abandon(phone.now, key));
    assert!(!phone.publisher.abandon(phone.now, key));
    assert!(phone.ok(&request, "t1").nothing());
    assert!(phone.is_empty());
    assert!(phone.publisher.document(key).is_none());
}

// PUA-17, PUA-18
#[test]
fn a_server_that_has_lost_it_gets_it_anew() {
    let mut phone = Phone::new();
    let key = phone.published();
    let (_, taken) = phone.sleep();
    let taken = phone.answer(taken.request(), 412, &[]);
    assert_eq!(taken.events, [PublisherEvent::Lost { key }]);
    let anew = taken.request();
    assert_eq!(field(anew, "SIP-If-Match"), None);
    assert!(body_of(anew).contains("at home"));
    phone.ok(anew, "u1");
    let taken = phone.update(key, state("away"));
    assert_eq!(field(taken.request(), "SIP-If-Match"), Some("u1"));
}

// PUA-18
#[test]
fn a_server_that_forgets_again_and_again_is_not_flooded() {
    let mut phone = Phone::new();
    let key = phone.published();
    let mut requests = 0;
    let started = phone.now;
    let mut change = 0;
    while phone.now.saturating_since(started) < seconds(600) {
        change += 1;
        let mut taken = phone.update(key, state(&change.to_string()));
        while let Some(request) = taken.requests.pop() {
            requests += 1;
            taken = match field(&request, "SIP-If-Match") {
                Some(_) => phone.answer(&request, 412, &[]),
                None => phone.ok(&request, "t"),
            };
        }
        let mut taken = phone.pass(seconds(1));
        while let Some(request) = taken.requests.pop() {
            requests += 1;
            taken = match field(&request, "SIP-If-Match") {
                Some(_) => phone.answer(&request, 412, &[]),
                None => phone.ok(&request, "t"),
            };
        }
    }
    // 600 changes; the waits double from 10 s on.
    assert!(requests < 40, "{requests}");
    assert_eq!(phone.publisher.occupancy()[0], 1);
}

// PUA-19
#[test]
fn a_time_that_is_too_brief_is_made_longer() {
    let mut config = PublisherConfig::default();
    config.expires = 60;
    let mut phone = Phone::with(config);
    let (_, request) = phone.publish(state("at home"));
    let taken = phone.answer(&request, 423, &[("Min-Expires", "900")]);
    let longer = taken.request();
    assert_eq!(field(longer, "Expires"), Some("900"));
    assert_eq!(field(longer, "CSeq"), Some("2 PUBLISH"));
    phone.answer(longer, 200, &[("SIP-ETag", "t"), ("Expires", "900")]);
    let (_, taken) = phone.sleep();
    assert_eq!(field(taken.request(), "Expires"), Some("900"));

    // Nothing that makes sense, or that goes on for ever.
    for least in ["", "60", "59", "99999999", "soon"] {
        let mut config = PublisherConfig::default();
        config.expires = 60;
        let mut phone = Phone::with(config);
        let (_, request) = phone.publish(state("at home"));
        let taken = phone.answer(&request, 423, &[("Min-Expires", least)]);
        assert!(is_refused(taken.failure().0, 423), "{least}");
        assert_eq!(taken.failure().1, None);
    }
    let mut phone = Phone::new();
    let (_, mut request) = phone.publish(state("at home"));
    for least in 3601..3604 {
        let taken = phone.answer(&request, 423, &[("Min-Expires", &least.to_string())]);
        request = taken.request().clone();
    }
    let taken = phone.answer(&request, 423, &[("Min-Expires", "3700")]);
    assert!(is_refused(taken.failure().0, 423));
}

// PUA-20
#[test]
fn a_busy_hop_is_left_alone_for_as_long_as_it_asks() {
    let mut phone = Phone::new();
    let (_, request) = phone.publish(state("at home"));
    let taken = phone.answer(&request, 503, &[("Retry-After", "120 (maintenance)")]);
    assert_eq!(taken.failure().1, Some(seconds(120)));
    // Another publication by the same hop waits as well, one by another does not.
    let account = Account::new(DORA).unwrap();
    phone
        .publisher
        .publish(phone.now, &account, state("too"))
        .unwrap();
    assert!(phone.take().nothing());
    let elsewhere = account.with_route("sip:edge.example.org;lr").unwrap();
    phone
        .publisher
        .publish(phone.now, &elsewhere, state("elsewhere"))
        .unwrap();
    let taken = phone.take();
    assert!(body_of(taken.request()).contains("elsewhere"));
    phone.ok(taken.request(), "t");

    assert!(phone.pass(seconds(119)).nothing());
    let taken = phone.pass(seconds(2));
    assert_eq!(taken.requests.len(), 2);
}

#[test]
fn credentials_are_asked_for_and_sent_in_a_request_of_the_next_number() {
    let mut phone = Phone::new();
    let (_, mut request) = phone.publish(state("at home"));
    for (status, challenge, answer, cseq) in [
        (
            407,
            "Proxy-Authenticate",
            "Proxy-Authorization",
            "2 PUBLISH",
        ),
        (401, "WWW-Authenticate", "Authorization", "3 PUBLISH"),
    ] {
        let taken = phone.answer(&request, status, &[(challenge, "Digest realm=\"x\"")]);
        let [wish] = taken.wishes.as_slice() else {
            panic!("{taken:?}")
        };
        assert_eq!(
            (wish.status(), wish.method(), wish.uri()),
            (status, "PUBLISH", DORA)
        );
        assert_eq!(
            wish.challenges().collect::<Vec<_>>(),
            ["Digest realm=\"x\""]
        );
        // An outcome now is nobody's.
        assert!(phone.ok(&request, "t").nothing());
        let wish = wish.transaction();
        assert!(
            !phone
                .publisher
                .provide_credentials(phone.now, wish, "a\r\nb: c")
        );
        assert!(
            phone
                .publisher
                .provide_credentials(phone.now, wish, "Digest y")
        );
        assert!(
            !phone
                .publisher
                .provide_credentials(phone.now, wish, "Digest y")
        );
        request = phone.take().request().clone();
        assert_eq!(field(&request, "CSeq"), Some(cseq));
        assert_eq!(field(&request, answer), Some("Digest y"));
    }
    // What the proxy was given goes with what the server is given.
    assert_eq!(field(&request, "Proxy-Authorization"), Some("Digest y"));
    // A second one may be a stale nonce, a third one in a row is a refusal.
    let challenge = [("WWW-Authenticate", "Digest realm=\"x\"")];
    let taken = phone.answer(&request, 401, &challenge);
    let wish = taken.wishes[0].transaction();
    phone
        .publisher
        .provide_credentials(phone.now, wish, "Digest z");
    request = phone.take().request().clone();
    assert_eq!(field(&request, "Authorization"), Some("Digest z"));
    assert_eq!(field(&request, "Proxy-Authorization"), Some("Digest y"));
    let taken = phone.answer(&request, 401, &challenge);
    assert!(is_refused(taken.failure().0, 401));
    assert_eq!(taken.failure().1, None);
}

#[test]
fn challenges_are_counted_in_a_row_only() {
    let mut phone = Phone::new();
    let (_, mut request) = phone.publish(state("at home"));
    // A lossy network: each attempt is challenged first, and the repetition is lost.
    for _ in 0..6 {
        let taken = phone.answer(&request, 401, &[("WWW-Authenticate", "Digest realm=\"x\"")]);
        let wish = taken.wishes[0].transaction();
        assert!(
            phone
                .publisher
                .provide_credentials(phone.now, wish, "Digest y")
        );
        request = phone.take().request().clone();
        let taken = phone.fail(&request, Failure::Timeout);
        assert!(taken.failure().1.is_some());
        request = phone.sleep().1.request().clone();
    }
    // Credentials that never come leave it refused.
    phone.answer(&request, 401, &[("WWW-Authenticate", "Digest realm=\"x\"")]);
    let (_, taken) = phone.sleep();
    assert!(is_refused(taken.failure().0, 401));
}

#[test]
fn without_credentials_it_stays_refused_until_there_is_something_new() {
    let mut phone = Phone::new();
    let key = phone.published();
    let taken = phone.update(key, state("away"));
    let taken = phone.answer(
        taken.request(),
        401,
        &[("WWW-Authenticate", "Digest realm=\"x\"")],
    );
    let transaction = taken.wishes[0].transaction();
    assert!(phone.publisher.decline_credentials(phone.now, transaction));
    assert!(!phone.publisher.decline_credentials(phone.now, transaction));
    let taken = phone.take();
    assert!(is_refused(taken.failure().0, 401));
    assert_eq!(phone.publisher.poll_timeout(), None);
    let taken = phone.update(key, state("away"));
    assert_eq!(field(taken.request(), "SIP-If-Match"), Some("t1"));
    phone.ok(taken.request(), "t2");
    // A challenge without a challenge is a refusal.
    let taken = phone.update(key, state("back"));
    let taken = phone.answer(taken.request(), 401, &[]);
    assert!(is_refused(taken.failure().0, 401));
}

#[test]
fn it_goes_where_it_is_sent() {
    let mut phone = Phone::new();
    let (_, request) = phone.publish(state("at home"));
    let contacts = "<sip:b@b.example.com>;q=0.5, <sip:c@c.example.com>;q=0.9, <tel:+1>";
    let taken = phone.answer(&request, 302, &[("Contact", contacts)]);
    let second = taken.request();
    assert_eq!(second.uri(), "sip:c@c.example.com");
    assert_eq!(field(second, "To"), Some("<sip:dora@example.com>"));
    assert_ne!(field(second, "Call-ID"), field(&request, "Call-ID"));
    // Not for ever.
    let mut request = second.clone();
    let mut followed = 1;
    loop {
        let next = format!("<sip:x{followed}@example.com>");
        let taken = phone.answer(&request, 301, &[("Contact", &next)]);
        match taken.requests.first() {
            Some(next) => request = next.clone(),
            None => {
                assert!(is_refused(taken.failure().0, 301));
                break;
            }
        }
        followed += 1;
    }
    assert_eq!(followed, 5);
    // To itself, or nowhere.
    for contact in [
        "<sip:dora@example.com>",
        "<mailto:dora@example.com>",
        "*",
        "",
        "<sip:",
    ] {
        let mut phone = Phone::new();
        let (_, request) = phone.publish(state("at home"));
        let taken = phone.answer(&request, 302, &[("Contact", contact)]);
        assert!(is_refused(taken.failure().0, 302), "{contact}");
    }
}

#[test]
fn what_is_not_answered_is_tried_again_later_and_later() {
    let mut phone = Phone::new();
    let (_, mut request) = phone.publish(state("at home"));
    let mut waits = Vec::new();
    for round in 0..12 {
        let failure = match round % 2 {
            0 => Failure::Timeout,
            _ => Failure::Transport,
        };
        let taken = phone.fail(&request, failure);
        let wait = taken.failure().1.expect("another attempt");
        let (slept, taken) = phone.sleep();
        assert!(slept >= wait && slept < wait + seconds(1));
        waits.push(wait.as_secs());
        request = taken.request().clone();
    }
    assert!((7..=10).contains(&waits[0]), "{waits:?}");
    assert!(
        waits[..8].windows(2).all(|two| two[0] < two[1]),
        "{waits:?}"
    );
    assert!(waits.iter().all(|wait| *wait <= 1800), "{waits:?}");
    phone.ok(&request, "t");
    // The next failure is the first again.
    let (_, taken) = phone.sleep();
    let taken = phone.fail(&taken.request().clone(), Failure::Timeout);
    assert!(taken.failure().1.unwrap() <= seconds(10));
}

#[test]
fn a_tag_that_has_run_out_is_not_named_any_more() {
    let mut phone = Phone::new();
    let (_, request) = phone.publish(state("at home"));
    phone.answer(&request, 200, &[("SIP-ETag", "t1"), ("Expires", "60")]);
    let (_, mut taken) = phone.sleep();
    let mut attempts = 0;
    while field(taken.request(), "SIP-If-Match").is_some() {
        attempts += 1;
        phone.fail(&taken.request().clone(), Failure::Timeout);
        taken = phone.sleep().1;
    }
    assert!((2..5).contains(&attempts), "{attempts}");
    assert!(body_of(taken.request()).contains("at home"));
}

#[test]
fn a_host_that_forgets_a_request_does_not_stop_it() {
    let mut phone = Phone::new();
    let (_, request) = phone.publish(state("at home"));
    let (slept, taken) = phone.sleep();
    assert!(slept >= seconds(64) && slept < seconds(66));
    assert_eq!(taken.failure().0, &PublishFailure::Forgotten);
    assert!(phone.ok(&request, "late").nothing());
    let (_, taken) = phone.sleep();
    phone.ok(taken.request(), "t");
}

#[test]
fn every_answer_settles() {
    let kinds = [
        PublishKind::Initial,
        PublishKind::Refresh,
        PublishKind::Modify,
        PublishKind::Remove,
    ];
    for status in 200..700 {
        for kind in kinds {
            let mut phone = Phone::new();
            let (key, request) = match kind {
                PublishKind::Initial => phone.publish(state("at home")),
                _ => {
                    let key = phone.published();
                    let taken = match kind {
                        PublishKind::Refresh => phone.sleep().1,
                        PublishKind::Modify => phone.update(key, state("away")),
                        _ => phone.remove(key),
                    };
                    (key, taken.request().clone())
                }
            };
            // Whatever is asked for now is given; then every answer is this one, for an hour.
            let mut open = vec![request];
            let started = phone.now;
            let mut requests = 0;
            while phone.now.saturating_since(started) < seconds(3600) {
                while let Some(request) = open.pop() {
                    requests += 1;
                    let fields = [
                        ("SIP-ETag", "t2"),
                        ("Expires", "3600"),
                        ("Min-Expires", "4000"),
                    ];
                    open.extend(phone.answer(&request, status, &fields).requests);
                }
                let Some(deadline) = phone.publisher.poll_timeout() else {
                    break;
                };
                open.extend(phone.pass(deadline.saturating_since(phone.now)).requests);
            }
            assert!(requests <= 14, "{requests} after {status} to {kind:?}");
            assert_eq!(phone.publisher.occupancy()[1], open.len());
            if kind == PublishKind::Remove {
                assert!(phone.is_empty(), "{status}");
            } else {
                phone.publisher.abandon(phone.now, key);
            }
            for request in open {
                assert!(phone.answer(&request, 200, &[]).nothing());
            }
            assert!(phone.is_empty(), "after {status} to {kind:?}");
        }
    }
}

// PUA-21
#[test]
fn a_server_that_wants_other_formats_says_which() {
    let mut phone = Phone::new();
    let (_, request) = phone.publish(state("at home"));
    let fields = [
        ("Accept", "application/a+xml"),
        ("Accept", "application/b+xml"),
    ];
    let taken = phone.answer(&request, 415, &fields);
    let accept = Some("application/a+xml, application/b+xml".to_owned());
    let status = 415;
    assert_eq!(
        taken.failure(),
        (&PublishFailure::Refused { status, accept }, None)
    );
}

#[test]
fn odd_successes_are_put_up_with() {
    // No tag: nothing can be refreshed, so it is published anew when it has run out.
    let mut phone = Phone::new();
    let (_, request) = phone.publish(state("at home"));
    phone.answer(&request, 200, &[("Expires", "600")]);
    let (slept, taken) = phone.sleep();
    assert!(slept >= seconds(600), "{slept:?}");
    assert_eq!(field(taken.request(), "SIP-If-Match"), None);
    assert!(!taken.request().body().is_empty());
    // No duration, or more than asked for: what was asked for.
    for fields in [
        &[("SIP-ETag", "t")][..],
        &[("SIP-ETag", "t"), ("Expires", "99999")],
        &[("SIP-ETag", "t"), ("Expires", "soon")],
    ] {
        let mut phone = Phone::new();
        let (key, request) = phone.publish(state("at home"));
        phone.answer(&request, 202, fields);
        let info = phone.publisher.publication(key).unwrap();
        assert_eq!(info.expires_at, Some(phone.now + seconds(3600)));
    }
    // No time at all, or a tag that is none.
    let mut phone = Phone::new();
    let (key, request) = phone.publish(state("at home"));
    let taken = phone.answer(&request, 200, &[("SIP-ETag", "t"), ("Expires", "0")]);
    assert!(taken.failure().1.is_some());
    assert_eq!(phone.publisher.publication(key).unwrap().entity_tag, None);
    let (_, taken) = phone.sleep();
    phone.answer(
        taken.request(),
        200,
        &[("SIP-ETag", "a b\r\n"), ("Expires", "600")],
    );
    assert_eq!(phone.publisher.publication(key).unwrap().entity_tag, None);
}

#[test]
fn what_cannot_be_published_is_told_at_once() {
    let mut config = PublisherConfig::default();
    config.publications = 1;
    config.body = 400;
    let mut phone = Phone::with(config);
    let account = Account::new(DORA).unwrap();
    let now = phone.now;
    let long = phone
        .publisher
        .publish(now, &account, state(&"x".repeat(400)));
    let limit = 400;
    assert_eq!(long, Err(PublishError::TooLarge { limit }.into()));
    let bad = phone.publisher.publish(now, &account, state("\u{1}"));
    assert!(matches!(bad, Err(PublishStateError::Document(_))));
    assert!(phone.is_empty());
    let key = phone.publisher.publish(now, &account, state("a")).unwrap();
    let second = phone.publisher.publish(now, &account, state("b"));
    assert_eq!(second, Err(PublishError::TooMany { limit: 1 }.into()));
    assert!(
        phone
            .publisher
            .update(now, key, state(&"x".repeat(400)))
            .is_err()
    );
    let taken = phone.take();
    assert!(body_of(taken.request()).contains(">a<"));
    for uri in [
        "",
        "dora",
        "sip:dora@example.com?subject=x",
        "sip:a b@c",
        "<sip:a@b>",
    ] {
        assert!(Account::new(uri).is_err(), "{uri}");
    }
    for route in ["sip:edge.example.com", "tel:+1;lr", "", "sip:a@b;lr?x=y"] {
        assert!(
            Account::new(DORA).unwrap().with_route(route).is_err(),
            "{route}"
        );
    }
    for (name, value) in [
        ("User Agent", "x"),
        ("X", "a\r\nb: c"),
        ("Event", "x"),
        ("v", "x"),
    ] {
        assert!(
            Account::new(DORA).unwrap().with_field(name, value).is_err(),
            "{name}"
        );
    }
}

// PUA-26, PUA-29, PIDF-20
#[test]
fn what_has_changed_gets_a_timestamp_that_no_document_before_it_had() {
    let mut phone = Phone::new();
    let two = |first: &str, second: &str| {
        Presence::new(DORA)
            .with_tuple(Tuple::open("phone").with_note(Note::new(first)))
            .with_tuple(Tuple::open("desk").with_note(Note::new(second)))
    };
    let times = |phone: &Phone, key| -> Vec<Option<String>> {
        let document = phone.publisher.document(key).unwrap();
        let tuples = document.tuples.iter();
        tuples
            .map(|it| it.timestamp_text().map(str::to_owned))
            .collect()
    };
    let text = |text: &str| Some(text.to_owned());
    // Without a clock there are none.
    let (key, first) = phone.publish(two("a", "b"));
    assert_eq!(times(&phone, key), [None, None]);
    phone.ok(&first, "t1");
    phone.publisher.set_wall_clock(
        phone.now,
        utc(1772600767) + time::Duration::milliseconds(500),
    );
    let taken = phone.update(key, two("a", "c"));
    let [stamp] = ["2026-03-04T05:06:07Z"];
    // Nothing of what was sent before had one, so all get it.
    assert_eq!(times(&phone, key), [text(stamp), text(stamp)]);
    assert!(body_of(taken.request()).contains(stamp));
    phone.ok(taken.request(), "t2");
    // In the same second.
    let taken = phone.update(key, two("d", "c"));
    assert_eq!(
        times(&phone, key),
        [text("2026-03-04T05:06:07.001Z"), text(stamp)]
    );
    phone.ok(taken.request(), "t3");
    assert!(phone.update(key, two("d", "c")).nothing());
    phone.now = phone.now + seconds(60);
    let mut swapped = two("d", "e");
    swapped.tuples.swap(0, 1);
    phone.update(key, swapped.clone());
    assert_eq!(
        times(&phone, key),
        [
            text("2026-03-04T05:07:07Z"),
            text("2026-03-04T05:06:07.001Z")
        ]
    );
    // A change that no tuple shows, and a clock that was set back.
    phone.publisher.set_wall_clock(phone.now, utc(1577836800));
    swapped.notes.push(Note::new("hello"));
    phone.update(key, swapped.clone());
    assert_eq!(times(&phone, key)[0], text("2026-03-04T05:07:07.001Z"));
    // What the application says stays.
    swapped.tuples[1] = Tuple::open("phone").with_timestamp(utc(978307200)).unwrap();
    swapped.notes.clear();
    phone.update(key, swapped);
    assert_eq!(times(&phone, key)[1], text("2001-01-01T00:00:00Z"));
}

// PUA-28
#[test]
fn what_can_be_signalled_with_is_published_like_everything_else() {
    let mut phone = Phone::new();
    let mut caps = Servcaps::default();
    caps.certs.push(Certs::new());
    let tuple = Tuple::open("phone").with(&caps).unwrap();
    let (key, request) = phone.publish(Presence::new(DORA).with_tuple(tuple));
    let document = Presence::read(request.body()).unwrap();
    assert!(document.secure_signalling());
    assert_eq!(phone.publisher.document(key), Some(&document));
}

#[test]
fn what_is_refused_does_not_hold_up_what_has_come_since() {
    for status in [413, 403, 415] {
        let mut phone = Phone::new();
        let (key, big) = phone.publish(state("big"));
        assert!(phone.update(key, state("small")).nothing());
        let taken = phone.answer(&big, status, &[]);
        assert!(body_of(taken.request()).contains("small"), "{status}");
        assert!(phone.ok(taken.request(), "t1").requests.is_empty());
        assert!(phone.publisher.publication(key).unwrap().is_current);
    }
}

#[test]
fn a_removal_is_confirmed_only_when_nothing_can_be_left() {
    let removed = |phone: &mut Phone, key, status| {
        let taken = phone.remove(key);
        let taken = match taken.requests.first() {
            Some(request) => phone.answer(&request.clone(), status, &[]),
            None => taken,
        };
        match taken.events.last() {
            Some(PublisherEvent::Removed { confirmed, .. }) => *confirmed,
            other => panic!("{other:?}"),
        }
    };
    let mut phone = Phone::new();
    let key = phone.published();
    assert!(removed(&mut phone, key, 412));
    // A change that was not answered may have changed the tag.
    for lost in [None, Some(408), Some(504)] {
        let mut phone = Phone::new();
        let key = phone.published();
        let taken = phone.update(key, state("away"));
        match lost {
            None => phone.fail(taken.request(), Failure::Timeout),
            Some(status) => phone.answer(taken.request(), status, &[]),
        };
        // It goes on under the tag it knows, which the server may know no more.
        phone.remove(key);
        let taken = phone.sleep().1;
        assert_eq!(field(taken.request(), "SIP-If-Match"), Some("t1"));
        let taken = phone.answer(taken.request(), 412, &[]);
        let confirmed = false;
        assert_eq!(
            taken.events,
            [PublisherEvent::Removed { key, confirmed }],
            "{lost:?}"
        );
    }
    let mut phone = Phone::new();
    let (key, request) = phone.publish(state("at home"));
    phone.fail(&request, Failure::Timeout);
    let taken = phone.sleep().1;
    phone.ok(taken.request(), "t1");
    // The first attempt may have made another one.
    assert!(!removed(&mut phone, key, 200));
    // What has no name cannot be removed.
    let (key, request) = phone.publish(state("at home"));
    phone.answer(&request, 200, &[("Expires", "600")]);
    assert!(!removed(&mut phone, key, 200));
    assert!(phone.is_empty());
}

#[test]
fn what_was_sent_elsewhere_comes_back() {
    let mut phone = Phone::new();
    let key = phone.published();
    let taken = phone.update(key, state("away"));
    let elsewhere = [("Contact", "<sip:dora@b.example.com>")];
    let taken = phone.answer(taken.request(), 302, &elsewhere);
    let request = taken.request();
    assert_eq!(request.uri(), "sip:dora@b.example.com");
    assert_eq!(field(request, "SIP-If-Match"), Some("t1"));
    phone.fail(&request.clone(), Failure::Timeout);
    let (_, taken) = phone.sleep();
    assert_eq!(taken.request().uri(), DORA);
    // Neither to a proxy nor out of safety.
    let taken = phone.answer(taken.request(), 305, &elsewhere);
    assert!(is_refused(taken.failure().0, 305));
    let account = Account::new("sips:dora@example.com").unwrap();
    let mut phone = Phone::new();
    phone
        .publisher
        .publish(phone.now, &account, state("x"))
        .unwrap();
    let taken = phone.take();
    let taken = phone.answer(taken.request(), 302, &elsewhere);
    assert!(is_refused(taken.failure().0, 302));
}

#[test]
fn a_busy_server_is_busy_for_all_its_users() {
    let mut phone = Phone::new();
    let (_, request) = phone.publish(state("at home"));
    phone.answer(&request, 503, &[("Retry-After", "60")]);
    let emil = Account::new("sip:emil@EXAMPLE.com").unwrap();
    phone
        .publisher
        .publish(phone.now, &emil, state("busy"))
        .unwrap();
    let secure = Account::new("sips:emil@example.com").unwrap();
    phone
        .publisher
        .publish(phone.now, &secure, state("other port"))
        .unwrap();
    assert!(body_of(phone.take().request()).contains("other port"));
}

#[test]
fn what_the_application_wants_now_does_not_wait_as_long_as_what_has_failed() {
    let mut phone = Phone::new();
    let (key, mut request) = phone.publish(state("at home"));
    for _ in 0..10 {
        phone.fail(&request, Failure::Transport);
        request = phone.sleep().1.request().clone();
    }
    let taken = phone.fail(&request, Failure::Transport);
    assert!(taken.failure().1.unwrap() > seconds(1_000));
    assert!(phone.update(key, state("away")).nothing());
    let (slept, taken) = phone.sleep();
    assert!(slept <= seconds(11), "{slept:?}");
    assert!(body_of(taken.request()).contains("away"));
    // The server's own wish is heeded.
    let mut phone = Phone::new();
    let (key, request) = phone.publish(state("at home"));
    let fields = [("Retry-After", "600")];
    phone.answer(&request, 503, &fields);
    assert!(phone.update(key, state("back")).nothing());
    assert!(phone.pass(seconds(599)).nothing());
    assert!(body_of(phone.pass(seconds(2)).request()).contains("back"));
}

#[test]
fn a_removal_does_not_outlive_what_it_removes() {
    let mut phone = Phone::new();
    let (key, request) = phone.publish(state("at home"));
    phone.answer(&request, 200, &[("SIP-ETag", "t1"), ("Expires", "600")]);
    let taken = phone.remove(key);
    phone.answer(taken.request(), 503, &[("Retry-After", "86400")]);
    let (slept, taken) = phone.sleep();
    assert!(slept <= seconds(601), "{slept:?}");
    let confirmed = true;
    assert_eq!(taken.events, [PublisherEvent::Removed { key, confirmed }]);
    // Failures before it do not count.
    let mut phone = Phone::new();
    let key = phone.published();
    let mut taken = phone.update(key, state("away"));
    for _ in 0..5 {
        phone.fail(&taken.request().clone(), Failure::Transport);
        taken = phone.sleep().1;
    }
    phone.fail(&taken.request().clone(), Failure::Transport);
    phone.remove(key);
    let (_, taken) = phone.sleep();
    assert_eq!(field(taken.request(), "Expires"), Some("0"));
    assert!(
        phone
            .fail(&taken.request().clone(), Failure::Transport)
            .failure()
            .1
            .is_some()
    );
}

#[test]
fn an_account_may_find_another_way() {
    let mut phone = Phone::new();
    let key = phone.published();
    let account = Account::new(DORA)
        .unwrap()
        .with_route("sip:new.example.com;lr")
        .unwrap();
    phone
        .publisher
        .set_account(phone.now, key, &account)
        .unwrap();
    let taken = phone.update(key, state("away"));
    assert_eq!(taken.request().next_hop(), "sip:new.example.com;lr");
    assert_eq!(field(taken.request(), "SIP-If-Match"), Some("t1"));
}

#[test]
fn an_answer_without_a_tag_leaves_the_one_there_was() {
    let mut phone = Phone::new();
    let key = phone.published();
    let taken = phone.update(key, state("away"));
    phone.answer(taken.request(), 200, &[("Expires", "600")]);
    let (_, taken) = phone.sleep();
    assert_eq!(field(taken.request(), "SIP-If-Match"), Some("t1"));
}

// PUA-22
#[test]
fn ids_of_tuples_stay_what_they_are() {
    let mut phone = Phone::new();
    let (key, request) = phone.publish(state("at home"));
    assert!(body_of(&request).contains("<tuple id=\"phone\">"));
    phone.ok(&request, "t1");
    let taken = phone.update(key, state("away"));
    assert!(body_of(taken.request()).contains("<tuple id=\"phone\">"));
}
