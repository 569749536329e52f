//! What a publisher sends that tells what has changed, and what follows from each answer: for any event
//! package, with a format of the test's making.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::Timestamp;
use presentity::event::{
    Account, EventPublicationAgent, Failure, OwnPublicationKey, PartialFormat, PublishError,
    PublishFailure, PublishKind, PublishOrder, PublisherConfig, PublisherEvent, PublisherOutput,
};
use presentity::sip::{OutgoingRequest, ResponseRef};

use crate::common::{body_of, field, seeded};

const DORA: &str = "sip:dora@example.com";
const PLAIN: &str = "text/plain";
const PARTIAL: &str = "application/x-tail";

/// Tells how much of the beginning stays, and what is behind it.
#[derive(Debug)]
struct Tail;

impl PartialFormat for Tail {
    fn media_type(&self) -> &str {
        PARTIAL
    }

    fn full(&self, state: &Bytes) -> Option<Bytes> {
        (**state != *b"unsayable").then(|| [b"all:", &**state].concat().into())
    }

    fn difference(&self, before: &Bytes, after: &Bytes) -> Option<Bytes> {
        if **after == *b"no difference" {
            return None;
        }
        if **after == *b"same length" {
            return Some(vec![b'x'; after.len() + 4].into());
        }
        let pairs = before.iter().zip(after);
        let same = pairs.take_while(|(before, after)| before == after).count();
        Some(
            [format!("{same}+").as_bytes(), &after[same..]]
                .concat()
                .into(),
        )
    }
}

struct Phone {
    agent: EventPublicationAgent,
    now: Timestamp,
    key: OwnPublicationKey,
}

#[derive(Debug, Default)]
struct Taken {
    requests: Vec<OutgoingRequest>,
    events: Vec<PublisherEvent>,
}

impl Taken {
    fn request(&self) -> &OutgoingRequest {
        assert_eq!(self.requests.len(), 1, "{self:?}");
        &self.requests[0]
    }

    fn failed(&self) -> bool {
        let failed = |event: &PublisherEvent| matches!(event, PublisherEvent::Failed { .. });
        self.events.iter().any(failed)
    }
}

/// Type, body and condition.
fn told(request: &OutgoingRequest) -> (&str, &str, Option<&str>) {
    let media_type = field(request, "Content-Type").unwrap_or_default();
    (media_type, body_of(request), field(request, "SIP-If-Match"))
}

impl Phone {
    /// A publication that is on its way.
    fn publishing(state: &'static str) -> (Self, OutgoingRequest) {
        let config = PublisherConfig::default();
        let mut agent = EventPublicationAgent::new(config, seeded(7));
        let now = Timestamp::from_secs(1_000);
        let account = Account::new(DORA).unwrap();
        let mut order = PublishOrder::new(&account, "message", PLAIN, state.into());
        order.partial = Some(Arc::new(Tail));
        let key = agent.publish(now, order).unwrap();
        let mut phone = Self { agent, now, key };
        let request = phone.take().request().clone();
        (phone, request)
    }

    /// One that the server has taken, under the tag `t1`.
    fn published(state: &'static str) -> Self {
        let (mut phone, request) = Self::publishing(state);
        let taken = phone.ok(&request, "t1");
        assert!(taken.requests.is_empty());
        phone
    }

    fn take(&mut self) -> Taken {
        let mut taken = Taken::default();
        while let Some(output) = self.agent.poll_output() {
            match output {
                PublisherOutput::Send(request) => taken.requests.push(request),
                PublisherOutput::Event(event) => taken.events.push(event),
                PublisherOutput::NeedCredentials(need) => {
                    let transaction = need.transaction();
                    let value = "Digest x";
                    assert!(self.agent.provide_credentials(self.now, transaction, value));
                }
                other => panic!("{other:?}"),
            }
        }
        taken
    }

    fn answer(&mut self, to: &OutgoingRequest, status: u16, fields: &[(&str, &str)]) -> Taken {
        let body = Bytes::new();
        let response = ResponseRef::new(status, fields.iter().copied(), &body);
        let transaction = to.transaction();
        self.agent.handle_response(self.now, transaction, &response);
        self.take()
    }

    fn ok(&mut self, to: &OutgoingRequest, tag: &str) -> Taken {
        self.answer(to, 200, &[("SIP-ETag", tag), ("Expires", "3600")])
    }

    fn fail(&mut self, to: &OutgoingRequest, failure: Failure) -> Taken {
        let transaction = to.transaction();
        self.agent.handle_failure(self.now, transaction, failure);
        self.take()
    }

    fn update(&mut self, state: &'static str) -> Taken {
        let (now, key) = (self.now, self.key);
        self.agent.update(now, key, state.into()).unwrap();
        self.take()
    }

    /// Until it sends something.
    fn wait(&mut self) -> Taken {
        loop {
            self.now = self.agent.poll_timeout().expect("a deadline");
            self.agent.handle_timeout(self.now);
            let taken = self.take();
            if !taken.requests.is_empty() {
                return taken;
            }
        }
    }

    fn is_partial(&self) -> bool {
        self.agent.publication(self.key).unwrap().is_partial
    }
}

// PUA-25
#[test]
fn the_first_publication_tells_all_and_the_next_what_has_changed() {
    let (mut phone, request) = Phone::publishing("in the garden, today");
    assert_eq!(told(&request), (PARTIAL, "all:in the garden, today", None));
    assert!(phone.ok(&request, "t1").requests.is_empty());
    assert!(phone.is_partial());
    let request = phone.update("in the garden, until five").request().clone();
    assert_eq!(told(&request), (PARTIAL, "15+until five", Some("t1")));
    phone.ok(&request, "t2");
    let request = phone.update("in the garden, until six").request().clone();
    assert_eq!(told(&request), (PARTIAL, "21+six", Some("t2")));
}

// PUA-25: RFC 5264 section 4.2.
#[test]
fn a_difference_that_is_not_shorter_than_the_whole_is_not_sent() {
    let mut phone = Phone::published("in the garden");
    let request = phone.update("no difference").request().clone();
    assert_eq!(told(&request), (PARTIAL, "all:no difference", Some("t1")));
    phone.ok(&request, "t2");
    let request = phone.update("far").request().clone();
    assert_eq!(told(&request), (PARTIAL, "0+far", Some("t2")));
    // As long as the whole, which a server can do more with.
    phone.ok(&request, "t3");
    let request = phone.update("same length").request().clone();
    assert_eq!(told(&request), (PARTIAL, "all:same length", Some("t3")));
}

// PUA-25: RFC 5264 section 4.2, batches.
#[test]
fn what_changes_while_a_request_is_open_leaves_as_one_difference() {
    let mut phone = Phone::published("in the garden");
    let open = phone.update("in the garden, reading").request().clone();
    assert!(phone.update("in the garden, writing").requests.is_empty());
    assert!(phone.update("in the garden, resting").requests.is_empty());
    let request = phone.ok(&open, "t2").request().clone();
    // From what the server has by now, not from what was never sent.
    assert_eq!(told(&request), (PARTIAL, "17+sting", Some("t2")));
    assert!(phone.ok(&request, "t3").requests.is_empty());
}

// PUA-25
#[test]
fn a_refresh_tells_nothing_and_the_next_difference_builds_on_what_was_before() {
    let mut phone = Phone::published("in the garden");
    let refresh = phone.wait().request().clone();
    assert_eq!(told(&refresh), ("", "", Some("t1")));
    phone.ok(&refresh, "t2");
    let request = phone.update("in the garage").request().clone();
    assert_eq!(told(&request), (PARTIAL, "10+age", Some("t2")));
}

// PUA-25, PUA-18
#[test]
fn a_server_that_has_forgotten_is_told_all() {
    let mut phone = Phone::published("in the garden");
    let request = phone.update("in the garage").request().clone();
    let taken = phone.answer(&request, 412, &[]);
    assert_eq!(told(taken.request()), (PARTIAL, "all:in the garage", None));
    assert!(matches!(taken.events[..], [PublisherEvent::Lost { .. }]));
}

// PUA-25
#[test]
fn what_has_run_out_is_told_anew() {
    let mut phone = Phone::published("in the garden");
    phone.now = phone.now + Duration::from_secs(3601);
    let request = phone.update("in the garage").request().clone();
    assert_eq!(told(&request), (PARTIAL, "all:in the garage", None));
}

// PUA-25: RFC 5264 section 4.2.
#[test]
fn a_server_that_does_not_take_it_gets_the_base_type_from_then_on() {
    let (mut phone, request) = Phone::publishing("in the garden");
    let taken = phone.answer(&request, 415, &[("Accept", PLAIN)]);
    let key = phone.key;
    assert_eq!(taken.events, [PublisherEvent::PartialRefused { key }]);
    assert_eq!(told(taken.request()), (PLAIN, "in the garden", None));
    assert!(!phone.is_partial());
    let taken = phone.ok(&taken.request().clone(), "t1");
    assert!(matches!(
        taken.events[..],
        [PublisherEvent::Published { .. }]
    ));
    let taken = phone.update("in the garage");
    assert_eq!(told(taken.request()), (PLAIN, "in the garage", Some("t1")));
    // The base type is refused as ever.
    let taken = phone.answer(&taken.request().clone(), 415, &[("Accept", "a/b")]);
    assert!(taken.requests.is_empty());
    let refused = PublishFailure::Refused {
        status: 415,
        accept: Some("a/b".into()),
    };
    assert!(
        matches!(&taken.events[..], [PublisherEvent::Failed { failure, retry_in: None, .. }] if *failure == refused),
        "{taken:?}"
    );
}

// PUA-25
#[test]
fn a_server_that_takes_it_no_more_gets_the_base_type_under_the_same_tag() {
    let mut phone = Phone::published("in the garden");
    let request = phone.update("in the garage").request().clone();
    let taken = phone.answer(&request, 415, &[]);
    assert_eq!(told(taken.request()), (PLAIN, "in the garage", Some("t1")));
    assert_eq!(taken.events.len(), 1);
}

// PUA-25
#[test]
fn a_difference_that_does_not_fit_is_followed_by_all_under_the_same_tag() {
    for status in [400, 500] {
        let mut phone = Phone::published("in the garden");
        let request = phone.update("in the garage").request().clone();
        let taken = phone.answer(&request, status, &[]);
        assert!(taken.events.is_empty(), "{taken:?}");
        let request = taken.request().clone();
        assert_eq!(told(&request), (PARTIAL, "all:in the garage", Some("t1")));
        // One that is right may follow.
        phone.ok(&request, "t2");
        let request = phone.update("in the garret").request().clone();
        assert_eq!(told(&request), (PARTIAL, "10+ret", Some("t2")));
        // If that does not fit either, there are no more.
        let request = phone.answer(&request, status, &[]).request().clone();
        phone.ok(&request, "t3");
        let request = phone.update("in the garden").request().clone();
        assert_eq!(told(&request), (PARTIAL, "all:in the garden", Some("t3")));
    }
}

// PUA-25
#[test]
fn refused_differences_count_in_a_row_only() {
    let mut phone = Phone::published("in the garden");
    for _ in 0..4 {
        let request = phone.update("in the garage").request().clone();
        assert!(body_of(&request).ends_with("+age"));
        let request = phone.answer(&request, 400, &[]).request().clone();
        phone.ok(&request, "t2");
        let request = phone.update("in the garden").request().clone();
        assert!(body_of(&request).ends_with("+den"));
        phone.ok(&request, "t3");
    }
}

// PUA-25
#[test]
fn a_whole_state_that_is_refused_is_not_repeated() {
    for status in [400, 403] {
        let mut phone = Phone::published("in the garden");
        let request = phone.update("in the garage").request().clone();
        let second = phone.answer(&request, status, &[]);
        let last = match status {
            400 => phone.answer(&second.request().clone(), 400, &[]),
            // That is not about the difference.
            _ => second,
        };
        assert!(last.requests.is_empty());
        assert!(last.failed());
        assert_eq!(phone.agent.occupancy()[1..], [0, 0, 0]);
    }
}

// PUA-25: a server in trouble is spared.
#[test]
fn a_500_that_asks_for_patience_gets_it() {
    let mut phone = Phone::published("in the garden");
    let request = phone.update("in the garage").request().clone();
    let taken = phone.answer(&request, 500, &[("Retry-After", "40")]);
    assert!(taken.requests.is_empty());
    assert!(taken.failed());
    let before = phone.now;
    let request = phone.wait().request().clone();
    assert!(phone.now >= before + Duration::from_secs(40));
    // Nothing has changed there.
    assert_eq!(told(&request), (PARTIAL, "10+age", Some("t1")));
}

// PUA-25: it may have been applied, and not every server changes its tag then.
#[test]
fn after_an_answer_that_was_lost_all_is_told() {
    let lost = [
        Err(Failure::Timeout),
        Err(Failure::Transport),
        // What a proxy says when it knows no more.
        Ok(408),
        Ok(504),
    ];
    for outcome in lost {
        let mut phone = Phone::published("in the garden");
        let request = phone.update("in the garage").request().clone();
        assert_eq!(told(&request), (PARTIAL, "10+age", Some("t1")));
        let taken = match outcome {
            Ok(status) => phone.answer(&request, status, &[]),
            Err(failure) => phone.fail(&request, failure),
        };
        assert!(taken.failed());
        let request = phone.wait().request().clone();
        assert_eq!(told(&request), (PARTIAL, "all:in the garage", Some("t1")));
        // From here on it is known again.
        phone.ok(&request, "t2");
        let request = phone.update("in the garden").request().clone();
        assert_eq!(told(&request), (PARTIAL, "10+den", Some("t2")));
    }
}

// PUA-25: what the tag before stands for then nobody knows.
#[test]
fn after_an_answer_without_a_tag_all_is_told() {
    for fields in [&[("Expires", "3600")][..], &[("SIP-ETag", "no tag")]] {
        let mut phone = Phone::published("in the garden");
        let request = phone.update("in the garage").request().clone();
        assert_eq!(told(&request), (PARTIAL, "10+age", Some("t1")));
        assert!(phone.answer(&request, 200, fields).requests.is_empty());
        let request = phone.update("in the garden").request().clone();
        assert_eq!(told(&request), (PARTIAL, "all:in the garden", Some("t1")));
        phone.ok(&request, "t2");
        let request = phone.update("in the garage").request().clone();
        assert_eq!(told(&request), (PARTIAL, "10+age", Some("t2")));
    }
}

// PUA-25
#[test]
fn the_answer_to_a_refresh_may_be_lost_without_harm() {
    let mut phone = Phone::published("in the garden");
    let refresh = phone.wait().request().clone();
    assert!(phone.fail(&refresh, Failure::Timeout).failed());
    phone.update("in the garage");
    let request = phone.wait().request().clone();
    assert_eq!(told(&request), (PARTIAL, "10+age", Some("t1")));
}

// PUA-25: what another server means by the tag nobody knows.
#[test]
fn no_difference_goes_to_another_server() {
    let mut phone = Phone::published("in the garden");
    let request = phone.update("in the garage").request().clone();
    let elsewhere = [("Contact", "<sip:dora@other.example.com>")];
    let request = phone.answer(&request, 302, &elsewhere).request().clone();
    assert_eq!(request.uri(), "sip:dora@other.example.com");
    assert_eq!(told(&request), (PARTIAL, "all:in the garage", Some("t1")));
}

// PUA-25
#[test]
fn a_challenge_and_a_longer_time_change_nothing() {
    let mut phone = Phone::published("in the garden");
    let request = phone.update("in the garage").request().clone();
    let challenge = [("WWW-Authenticate", "Digest realm=\"x\", nonce=\"y\"")];
    let request = phone.answer(&request, 401, &challenge).request().clone();
    assert!(field(&request, "Authorization").is_some());
    assert_eq!(told(&request), (PARTIAL, "10+age", Some("t1")));
    let request = phone.answer(&request, 423, &[("Min-Expires", "7200")]);
    let request = request.request().clone();
    assert_eq!(field(&request, "Expires"), Some("7200"));
    assert_eq!(told(&request), (PARTIAL, "10+age", Some("t1")));
}

// PUA-25
#[test]
fn what_the_format_cannot_say_is_published_as_it_is() {
    let (mut phone, request) = Phone::publishing("unsayable");
    assert_eq!(told(&request), (PLAIN, "unsayable", None));
    phone.ok(&request, "t1");
    // The server has it in the base type: there is nothing to build on.
    let request = phone.update("unsayable, nearly").request().clone();
    assert_eq!(
        told(&request),
        (PARTIAL, "all:unsayable, nearly", Some("t1"))
    );
    phone.ok(&request, "t2");
    let request = phone.update("unsayable").request().clone();
    assert_eq!(told(&request), (PLAIN, "unsayable", Some("t2")));
    phone.ok(&request, "t3");
    let request = phone.update("unsayable, nearly!").request().clone();
    assert_eq!(
        told(&request),
        (PARTIAL, "all:unsayable, nearly!", Some("t3"))
    );
}

// PUA-25
#[test]
fn a_removal_tells_no_state() {
    let mut phone = Phone::published("in the garden");
    let (now, key) = (phone.now, phone.key);
    let open = phone.update("in the garage").request().clone();
    phone.agent.remove(now, key).unwrap();
    let request = phone.answer(&open, 400, &[]).request().clone();
    assert_eq!(told(&request), ("", "", Some("t1")));
    assert_eq!(field(&request, "Expires"), Some("0"));
    let taken = phone.ok(&request, "t2");
    let confirmed = true;
    assert_eq!(taken.events, [PublisherEvent::Removed { key, confirmed }]);
    assert_eq!(phone.agent.occupancy(), [0; 4]);
}

#[test]
fn the_type_has_to_be_one() {
    #[derive(Debug)]
    struct Typed(&'static str);

    impl PartialFormat for Typed {
        fn media_type(&self) -> &str {
            self.0
        }

        fn full(&self, _: &Bytes) -> Option<Bytes> {
            None
        }

        fn difference(&self, _: &Bytes, _: &Bytes) -> Option<Bytes> {
            None
        }
    }
    let mut agent = EventPublicationAgent::new(PublisherConfig::default(), seeded(7));
    let account = Account::new(DORA).unwrap();
    for text in ["", "nothing", "a/b\r\nX: y"] {
        let mut order = PublishOrder::new(&account, "message", PLAIN, "x".into());
        order.partial = Some(Arc::new(Typed(text)));
        let refused = agent.publish(Timestamp::ZERO, order);
        let text = text.to_owned();
        assert_eq!(refused, Err(PublishError::Type { text }));
    }
    assert_eq!(agent.occupancy(), [0; 4]);
}

// PUA-25
#[test]
fn without_a_format_every_change_is_a_whole_state() {
    let mut agent = EventPublicationAgent::new(PublisherConfig::default(), seeded(7));
    let account = Account::new(DORA).unwrap();
    let order = PublishOrder::new(&account, "message", PLAIN, "in the garden".into());
    let now = Timestamp::from_secs(1_000);
    let key = agent.publish(now, order).unwrap();
    let mut phone = Phone { agent, now, key };
    assert!(!phone.is_partial());
    let request = phone.take().request().clone();
    phone.ok(&request, "t1");
    let taken = phone.update("in the garage");
    assert_eq!(told(taken.request()), (PLAIN, "in the garage", Some("t1")));
    let kind = PublishKind::Modify;
    let taken = phone.ok(&taken.request().clone(), "t2");
    assert!(
        matches!(&taken.events[..], [PublisherEvent::Published { kind: it, .. }] if *it == kind)
    );
}
