//! SUBSCRIBEs with a body of the application's, within a dialog.

use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{
    Account, Failure, Identity, NeedCredentials, OwnSubscriptionKey, Profile, RequestContext,
    SubscribeError, SubscribeFailure, SubscribeOrder, Subscriber, SubscriberConfig,
    SubscriberEvent, SubscriberOutput, SubscriptionEnd,
};
use presentity::sip::{OutgoingRequest, ResponseRef};

use crate::common::{Message, field, seeded};
use crate::notifier::Notifier;

const TYPE: &str = "text/x-wish";

struct Phone {
    subscriber: Subscriber,
    now: Timestamp,
}

#[derive(Debug, Default)]
struct Taken {
    requests: Vec<OutgoingRequest>,
    needs: Vec<NeedCredentials>,
    events: Vec<SubscriberEvent>,
}

impl Taken {
    #[track_caller]
    fn request(&self) -> &OutgoingRequest {
        assert_eq!(self.requests.len(), 1, "{self:?}");
        &self.requests[0]
    }

    fn prolonged(&self) -> Vec<Result<u32, SubscribeFailure>> {
        let prolonged = |event: &SubscriberEvent| match event {
            SubscriberEvent::Prolonged { result, .. } => Some(*result),
            _ => None,
        };
        self.events.iter().filter_map(prolonged).collect()
    }

    fn is_over(&self) -> bool {
        let over = |event: &SubscriberEvent| matches!(event, SubscriberEvent::Over { .. });
        self.events.iter().any(over)
    }
}

fn body(text: &'static str) -> (&'static str, Bytes) {
    (TYPE, Bytes::from_static(text.as_bytes()))
}

/// What a SUBSCRIBE asks for, and brings.
fn asks(request: &OutgoingRequest) -> (&str, &str) {
    let body = std::str::from_utf8(request.body()).unwrap();
    let is_typed = field(request, "Content-Type").is_some();
    assert_eq!(is_typed, !body.is_empty());
    (field(request, "Expires").unwrap(), body)
}

impl Phone {
    fn new() -> Self {
        let profile = Profile::new("presence", &["application/pidf+xml"]);
        Self {
            subscriber: Subscriber::new(profile, SubscriberConfig::default(), seeded(4)),
            now: Timestamp::from_secs(1_000),
        }
    }

    /// With a subscription of 600 s that a notifier has.
    fn subscribed() -> (Self, OwnSubscriptionKey, Notifier) {
        let mut phone = Self::new();
        let (key, request) = phone.subscribe();
        let mut notifier = Notifier::of(&request, "pa");
        phone.accept(&request, 600);
        phone.notify(&notifier.notify("active;expires=600"));
        (phone, key, notifier)
    }

    fn subscribe(&mut self) -> (OwnSubscriptionKey, OutgoingRequest) {
        let account = Account::new("sip:ana@example.com").unwrap();
        let account = account.with_contact("sip:192.0.2.7").unwrap();
        let mut order = SubscribeOrder::new(&account, "sip:bob@example.org");
        order.expires = Some(600);
        let key = self.subscriber.subscribe(self.now, order).unwrap();
        (key, self.take().request().clone())
    }

    fn take(&mut self) -> Taken {
        let mut taken = Taken::default();
        while let Some(output) = self.subscriber.poll_output() {
            match output {
                SubscriberOutput::Send(request) => taken.requests.push(request),
                SubscriberOutput::NeedCredentials(need) => taken.needs.push(need),
                SubscriberOutput::Event(event) => taken.events.push(event),
                _ => {}
            }
        }
        taken
    }

    fn prolong(&mut self, key: OwnSubscriptionKey, expires: u32, text: &'static str) -> Taken {
        let done = self.subscriber.prolong(self.now, key, expires, body(text));
        assert_eq!(done, Ok(true));
        self.take()
    }

    fn end_with(&mut self, key: OwnSubscriptionKey, text: &'static str) -> Taken {
        let done = self.subscriber.end_with(self.now, key, body(text));
        assert_eq!(done, Ok(()));
        self.take()
    }

    fn answer(&mut self, request: &OutgoingRequest, status: u16, fields: &[(&str, &str)]) -> Taken {
        let none = Bytes::new();
        let response = ResponseRef::new(status, fields.iter().copied(), &none);
        let transaction = request.transaction();
        self.subscriber
            .handle_response(self.now, transaction, &response);
        self.take()
    }

    fn accept(&mut self, request: &OutgoingRequest, expires: u32) -> Taken {
        self.answer(request, 200, &[("Expires", &expires.to_string())])
    }

    fn fail(&mut self, request: &OutgoingRequest, failure: Failure) -> Taken {
        let transaction = request.transaction();
        self.subscriber
            .handle_failure(self.now, transaction, failure);
        self.take()
    }

    fn notify(&mut self, message: &Message) -> Taken {
        let nobody = Identity::nobody();
        let context = RequestContext::new(&nobody, "sip:192.0.2.7");
        self.subscriber
            .handle_request(self.now, ServerTransaction(1), &message.view(), &context)
            .unwrap();
        self.take()
    }

    /// To the next request that leaves by itself.
    fn pass_to_request(&mut self) -> OutgoingRequest {
        for _ in 0..100 {
            let next = self.subscriber.poll_timeout().expect("a deadline");
            self.now = self.now.max(next);
            self.subscriber.handle_timeout(self.now);
            if let [request] = &self.take().requests[..] {
                return request.clone();
            }
        }
        panic!("nothing leaves");
    }

    fn pass(&mut self, seconds: u64) -> Taken {
        self.now = self.now + Duration::from_secs(seconds);
        self.subscriber.handle_timeout(self.now);
        self.take()
    }

    fn left(&self, key: OwnSubscriptionKey) -> u64 {
        let info = self.subscriber.subscription(key).unwrap();
        let expires_at = info.expires_at.unwrap();
        expires_at.saturating_since(self.now).as_secs()
    }
}

const CHALLENGE: &[(&str, &str)] = &[("WWW-Authenticate", "Digest realm=\"x\", nonce=\"y\"")];

#[test]
fn the_body_is_sent_once_and_refreshes_have_none() {
    let (mut phone, key, mut notifier) = Phone::subscribed();
    let taken = phone.prolong(key, 900, "more");
    let request = taken.request().clone();
    assert_eq!(asks(&request), ("900", "more"));
    assert_eq!(field(&request, "Content-Type"), Some(TYPE));
    assert_eq!(taken.prolonged(), []);
    let taken = phone.accept(&request, 800);
    assert_eq!(taken.prolonged(), [Ok(800)]);
    assert_eq!(phone.left(key), 800);
    phone.notify(&notifier.notify("active;expires=800"));
    // The refresh asks for as much as was wanted last.
    assert_eq!(asks(&phone.pass_to_request()), ("900", ""));
}

#[test]
fn repetitions_after_a_challenge_have_the_body_again() {
    let (mut phone, key, _) = Phone::subscribed();
    let request = phone.prolong(key, 900, "more").request().clone();
    let taken = phone.answer(&request, 401, CHALLENGE);
    let need = taken.needs[0].clone();
    assert_eq!((taken.requests.len(), taken.prolonged().len()), (0, 0));
    let transaction = need.transaction();
    assert!(
        phone
            .subscriber
            .provide_credentials(phone.now, transaction, "Digest x")
    );
    let again = phone.take().request().clone();
    assert_eq!(asks(&again), ("900", "more"));
    assert_eq!(field(&again, "Authorization"), Some("Digest x"));
    assert_eq!(phone.accept(&again, 900).prolonged(), [Ok(900)]);

    let request = phone.end_with(key, "no more").request().clone();
    assert_eq!(asks(&request), ("0", "no more"));
    let taken = phone.answer(&request, 401, CHALLENGE);
    let transaction = taken.needs[0].transaction();
    assert!(
        phone
            .subscriber
            .provide_credentials(phone.now, transaction, "Digest x")
    );
    assert_eq!(asks(phone.take().request()), ("0", "no more"));
}

#[test]
fn without_credentials_it_has_failed() {
    let (mut phone, key, _) = Phone::subscribed();
    let request = phone.prolong(key, 900, "more").request().clone();
    let taken = phone.answer(&request, 401, CHALLENGE);
    let transaction = taken.needs[0].transaction();
    assert!(phone.subscriber.decline_credentials(phone.now, transaction));
    let refused = SubscribeFailure::Refused { status: 401 };
    assert_eq!(phone.take().prolonged(), [Err(refused)]);
    assert_eq!(phone.left(key), 600);
    assert_eq!(asks(&phone.pass_to_request()), ("600", ""));
}

#[test]
fn it_waits_for_an_open_refresh() {
    for outcome in [Some(200), Some(500), None] {
        let (mut phone, key, mut notifier) = Phone::subscribed();
        let refresh = phone.pass_to_request();
        assert_eq!(asks(&refresh), ("600", ""));
        assert!(phone.prolong(key, 900, "more").requests.is_empty());
        // The NOTIFY of the refresh says nothing of what was asked for meanwhile.
        phone.notify(&notifier.notify("active;expires=600"));
        let taken = match outcome {
            Some(200) => phone.accept(&refresh, 600),
            Some(status) => phone.answer(&refresh, status, &[]),
            None => phone.fail(&refresh, Failure::Timeout),
        };
        assert_eq!(taken.prolonged(), []);
        let request = taken.request().clone();
        assert_eq!(asks(&request), ("900", "more"));
        assert_eq!(phone.accept(&request, 900).prolonged(), [Ok(900)]);
        phone.notify(&notifier.notify("active;expires=900"));
        assert_eq!(asks(&phone.pass_to_request()), ("900", ""));
    }
}

#[test]
fn a_refresh_that_is_asked_to_wait_takes_it_along() {
    for status in [500, 503] {
        let (mut phone, key, _) = Phone::subscribed();
        let refresh = phone.pass_to_request();
        assert!(phone.prolong(key, 900, "more").requests.is_empty());
        let taken = phone.answer(&refresh, status, &[("Retry-After", "20")]);
        let refused = SubscribeFailure::Refused { status };
        assert_eq!(taken.prolonged(), [Err(refused)]);
        assert!(taken.requests.is_empty());
        assert_eq!(asks(&phone.pass_to_request()), ("600", ""), "{status}");
    }
}

#[test]
fn it_waits_for_the_answer_to_the_first_subscribe() {
    let mut phone = Phone::new();
    let (key, request) = phone.subscribe();
    assert_eq!(
        phone.subscriber.prolong(phone.now, key, 900, body("more")),
        Ok(false)
    );
    let mut notifier = Notifier::of(&request, "pa");
    phone.notify(&notifier.notify("active;expires=600"));
    assert!(phone.prolong(key, 900, "more").requests.is_empty());
    let taken = phone.accept(&request, 600);
    assert_eq!(asks(taken.request()), ("900", "more"));
}

#[test]
fn a_refused_duration_is_not_asked_for_again() {
    for (status, fields) in [
        (423, &[("Min-Expires", "60")][..]),
        (423, &[("Min-Expires", "86401")][..]),
        (403, &[][..]),
        (503, &[][..]),
    ] {
        let (mut phone, key, mut notifier) = Phone::subscribed();
        let request = phone.prolong(key, 30, "less").request().clone();
        let taken = phone.answer(&request, status, fields);
        let refused = SubscribeFailure::Refused { status };
        assert_eq!(taken.prolonged(), [Err(refused)]);
        // The body is not sent again: it says another duration.
        assert!(taken.requests.is_empty(), "{status}");
        assert_eq!(phone.left(key), 600);
        phone.pass(1);
        phone.notify(&notifier.notify("active;expires=599"));
        assert_eq!(phone.left(key), 599, "{status}");
        assert_eq!(asks(&phone.pass_to_request()), ("600", ""));
    }
}

#[test]
fn a_notify_before_the_answer_counts() {
    let (mut phone, key, mut notifier) = Phone::subscribed();
    let request = phone.prolong(key, 900, "more").request().clone();
    phone.notify(&notifier.notify("active;expires=850"));
    assert_eq!(phone.left(key), 850);
    // An answer without a word of it leaves it there.
    assert_eq!(phone.answer(&request, 200, &[]).prolonged(), [Ok(850)]);
    assert_eq!(phone.left(key), 850);
}

#[test]
fn no_more_is_believed_than_was_asked_for() {
    let (mut phone, key, _) = Phone::subscribed();
    let request = phone.prolong(key, 900, "more").request().clone();
    assert_eq!(phone.accept(&request, 90_000).prolonged(), [Ok(900)]);
    assert_eq!(phone.left(key), 900);
}

#[test]
fn failures_are_told() {
    for failure in [Failure::Timeout, Failure::Transport] {
        let (mut phone, key, _) = Phone::subscribed();
        let request = phone.prolong(key, 900, "more").request().clone();
        let taken = phone.fail(&request, failure);
        let expected = match failure {
            Failure::Timeout => SubscribeFailure::Timeout,
            _ => SubscribeFailure::Transport,
        };
        assert_eq!(taken.prolonged(), [Err(expected)]);
        assert_eq!(phone.left(key), 600);
        assert_eq!(asks(&phone.pass_to_request()), ("600", ""));
    }
    // And what the host never tells.
    let (mut phone, key, mut notifier) = Phone::subscribed();
    phone.prolong(key, 900, "more");
    phone.notify(&notifier.notify("active"));
    let mut told = Vec::new();
    for _ in 0..70 {
        told.append(&mut phone.pass(1).prolonged());
    }
    assert_eq!(told, [Err(SubscribeFailure::Forgotten)]);
}

#[test]
fn of_what_is_gone_the_end_is_told() {
    let (mut phone, key, _) = Phone::subscribed();
    let request = phone.prolong(key, 900, "more").request().clone();
    let taken = phone.answer(&request, 481, &[]);
    assert_eq!(taken.prolonged(), []);
    let is_end = |event: &SubscriberEvent| {
        let unknown = SubscriptionEnd::Unknown { status: 481 };
        matches!(event, SubscriberEvent::Ended { end, .. } if *end == unknown)
    };
    assert!(taken.events.iter().any(is_end));
    // What is asked for anew has the body of the order, which had none.
    assert_eq!(asks(taken.request()), ("600", ""));
}

#[test]
fn of_two_that_wait_the_later_is_sent() {
    let (mut phone, key, _) = Phone::subscribed();
    let first = phone.prolong(key, 900, "one").request().clone();
    assert!(phone.prolong(key, 800, "two").requests.is_empty());
    assert!(phone.prolong(key, 700, "three").requests.is_empty());
    let taken = phone.accept(&first, 900);
    assert_eq!(taken.prolonged(), [Ok(900)]);
    let last = taken.request().clone();
    assert_eq!(asks(&last), ("700", "three"));
    let taken = phone.accept(&last, 700);
    assert_eq!(
        (taken.prolonged(), taken.requests.len()),
        (vec![Ok(700)], 0)
    );
}

#[test]
fn an_end_waits_for_what_is_open_and_has_its_body() {
    let (mut phone, key, mut notifier) = Phone::subscribed();
    let first = phone.prolong(key, 900, "more").request().clone();
    assert!(phone.end_with(key, "no more").requests.is_empty());
    let taken = phone.accept(&first, 900);
    assert_eq!(taken.prolonged(), [], "nobody waits for it");
    let last = taken.request().clone();
    assert_eq!(asks(&last), ("0", "no more"));
    assert!(!phone.accept(&last, 0).is_over());
    assert!(
        phone
            .notify(&notifier.notify("terminated;reason=timeout"))
            .is_over()
    );
    assert_eq!(phone.subscriber.occupancy(), [0; 7]);
    assert_eq!(phone.subscriber.poll_timeout(), None);
}

#[test]
fn what_is_being_ended_is_not_prolonged() {
    let (mut phone, key, _) = Phone::subscribed();
    let last = phone.end_with(key, "no more").request().clone();
    let prolonged = phone.subscriber.prolong(phone.now, key, 900, body("more"));
    assert_eq!(prolonged, Err(SubscribeError::Unknown));
    // To end it twice does no harm.
    assert!(phone.end_with(key, "again").requests.is_empty());
    assert!(phone.fail(&last, Failure::Timeout).is_over());
    assert_eq!(phone.subscriber.occupancy(), [0; 7]);
    let ended = phone.subscriber.end_with(phone.now, key, body("x"));
    assert_eq!(ended, Err(SubscribeError::Unknown));
}

#[test]
fn bodies_that_cannot_be_sent_change_nothing() {
    let (mut phone, key, _) = Phone::subscribed();
    let large = Bytes::from(vec![b'x'; 1_048_577]);
    let (now, subscriber) = (phone.now, &mut phone.subscriber);
    let error = SubscribeError::TooLarge { limit: 1_048_576 };
    assert_eq!(
        subscriber.prolong(now, key, 900, (TYPE, large.clone())),
        Err(error.clone())
    );
    assert_eq!(subscriber.end_with(now, key, (TYPE, large)), Err(error));
    for wrong in ["text", "text/x\r\nX: y", "text/x;a=\"\r\n\""] {
        let text = wrong.to_owned();
        let error = Err(SubscribeError::Malformed { text });
        let wrong = (wrong, Bytes::from_static(b"x"));
        assert_eq!(
            subscriber.prolong(now, key, 900, wrong.clone()).map(|_| ()),
            error
        );
        assert_eq!(subscriber.end_with(now, key, wrong), error);
    }
    assert!(phone.take().requests.is_empty());
    assert_eq!(phone.prolong(key, 900, "more").requests.len(), 1);
}
