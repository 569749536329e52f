//! The subscriber with an event package from outside the crate, one that forks.
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
use common::{Message, field, seeded};
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{
    Account, Assurance, Forks, Identity, NotifiedState, OwnSubscriptionKey, OwnSubscriptionPhase,
    Profile, RequestContext, SubscribeOrder, Subscriber, SubscriberConfig, SubscriberEvent,
    SubscriberOutput, SubscriptionEnd,
};
use presentity::sip::{OutgoingRequest, RequestRef, ResponseRef};

const TYPE: &str = "application/reginfo+xml";
const CAROL: &str = "sip:carol@example.com";

struct World {
    subscriber: Subscriber,
    now: Timestamp,
    transactions: u64,
    requests: Vec<OutgoingRequest>,
    events: Vec<SubscriberEvent>,
    statuses: Vec<u16>,
}

impl World {
    fn new() -> Self {
        let mut profile = Profile::new("reg", &[TYPE]);
        profile.forks = Forks::Several;
        profile.default_expires = 3_761;
        let mut config = SubscriberConfig::default();
        config.forks = 3;
        Self {
            subscriber: Subscriber::new(profile, config, seeded(3)),
            now: Timestamp::from_secs(50),
            transactions: 0,
            requests: Vec::new(),
            events: Vec::new(),
            statuses: Vec::new(),
        }
    }

    fn subscribe(&mut self) -> (OwnSubscriptionKey, OutgoingRequest) {
        let account = Account::new(CAROL).unwrap();
        let account = account.with_contact("sip:carol@192.0.2.9").unwrap();
        let mut order = SubscribeOrder::new(&account, CAROL);
        order.event_id = Some("n1");
        let key = self.subscriber.subscribe(self.now, order).unwrap();
        self.poll();
        (key, self.requests.pop().unwrap())
    }

    fn poll(&mut self) {
        while let Some(output) = self.subscriber.poll_output() {
            match output {
                SubscriberOutput::Send(request) => self.requests.push(request),
                SubscriberOutput::Event(event) => self.events.push(event),
                SubscriberOutput::Respond(response) => self.statuses.push(response.status()),
                other => panic!("{other:?}"),
            }
        }
    }

    fn answer(&mut self, to: &OutgoingRequest, status: u16) {
        let body = Bytes::new();
        let response = ResponseRef::new(status, [("Expires", "600")], &body);
        self.subscriber
            .handle_response(self.now, to.transaction(), &response);
        self.poll();
    }

    /// A NOTIFY of the notifier with this tag; its status.
    fn notify(&mut self, subscribe: &OutgoingRequest, tag: &str, cseq: u32, state: &str) -> u16 {
        let call_id = field(subscribe, "Call-ID").unwrap();
        let message = Message::new("NOTIFY", CAROL, "sip:carol@192.0.2.9", call_id)
            .with("From", &format!("<{CAROL}>;tag={tag}"))
            .with("To", field(subscribe, "From").unwrap())
            .with("Contact", &format!("<sip:{tag}@198.51.100.1>"))
            .with("Event", "reg;id=n1")
            .with("Subscription-State", state)
            .with("SIP-ETag", &format!("{tag}-{cseq}"))
            .with("Content-Type", TYPE)
            .with_body(tag)
            .with_cseq(cseq);
        self.transactions += 1;
        let identity = Identity::of(CAROL, Assurance::Asserted).unwrap();
        let context = RequestContext::new(&identity, "sip:carol@192.0.2.9");
        let fields = message.fields.iter();
        let fields = fields.map(|(name, value)| (name.as_str(), value.as_str()));
        let request = RequestRef::new(&message.method, &message.uri, fields, &message.body);
        let transaction = ServerTransaction(self.transactions);
        assert!(self.subscriber.accepts(&request));
        let owned = self.subscriber.owns(&request);
        self.subscriber
            .handle_request(self.now, transaction, &request, &context)
            .unwrap();
        self.poll();
        let status = self.statuses.pop().unwrap();
        assert!(owned || status == 481);
        status
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.subscriber.handle_timeout(self.now);
        self.poll();
    }

    fn notifiers(&self, key: OwnSubscriptionKey) -> usize {
        self.subscriber.subscription(key).unwrap().notifiers
    }
}

/// Of a notifier, as its Contact has it.
fn name_of(request: &OutgoingRequest) -> String {
    let name = request.uri().strip_prefix("sip:").unwrap();
    name.split('@').next().unwrap().to_owned()
}

// SUB-24 SUB-27
#[test]
fn each_notifier_has_a_subscription_of_its_own() {
    let mut world = World::new();
    let (key, subscribe) = world.subscribe();
    assert_eq!(field(&subscribe, "Event"), Some("reg;id=n1"));
    assert_eq!(field(&subscribe, "Expires"), Some("3761"));
    assert_eq!(field(&subscribe, "Accept"), Some(TYPE));
    assert_eq!(world.notify(&subscribe, "r1", 1, "active;expires=600"), 200);
    world.answer(&subscribe, 200);
    assert_eq!(
        world.notify(&subscribe, "r2", 900, "pending;expires=300"),
        200
    );
    assert_eq!(world.notify(&subscribe, "r3", 5, "active;expires=600"), 200);
    // As many as the settings allow.
    assert_eq!(world.notify(&subscribe, "r4", 5, "active;expires=600"), 481);
    assert_eq!(world.notifiers(key), 3);
    let active = OwnSubscriptionPhase::Held(NotifiedState::Active);
    assert_eq!(world.subscriber.subscription(key).unwrap().phase, active);
    let told: Vec<_> = (world.events.drain(..))
        .map(|event| match event {
            SubscriberEvent::Notified {
                notifier: Some(notifier),
                body: Some(body),
                sender,
                ..
            } => {
                assert_eq!(sender.primary(), Some("carol@example.com"));
                (notifier, body.bytes)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told.len(), 3);
    assert!(told[0].0 != told[1].0 && told[1].0 != told[2].0);

    // Each has its CSeq, and each is refreshed in its time.
    assert_eq!(world.notify(&subscribe, "r1", 2, "active;expires=600"), 200);
    assert_eq!(world.notify(&subscribe, "r2", 2, "active;expires=600"), 500);
    // One that ends leaves the others.
    assert_eq!(
        world.notify(&subscribe, "r3", 6, "terminated;reason=deactivated"),
        200
    );
    assert_eq!(world.notifiers(key), 2);
    let SubscriberEvent::Ended { retry_in, .. } = world.events.pop().unwrap() else {
        panic!("{:?}", world.events)
    };
    assert_eq!(retry_in, None);
    assert!(world.requests.is_empty());
    // In time another one may come instead; later none.
    assert_eq!(world.notify(&subscribe, "r5", 1, "active;expires=600"), 200);
    assert_eq!(world.notify(&subscribe, "r5", 2, "terminated"), 200);
    world.pass(40);
    assert_eq!(world.notify(&subscribe, "r3", 9, "active;expires=600"), 481);
    let mut uris = Vec::new();
    for _ in 0..60 {
        world.pass(10);
        for request in core::mem::take(&mut world.requests) {
            uris.push(request.uri().to_owned());
            world.answer(&request, 200);
            let tag = name_of(&request);
            assert_eq!(
                world.notify(&subscribe, &tag, 2_000, "active;expires=600"),
                200
            );
        }
    }
    uris.sort_unstable();
    let expected = ["sip:r1@198.51.100.1", "sip:r2@198.51.100.1"];
    assert_eq!(uris, expected);
    assert_eq!(world.subscriber.occupancy(), [1, 1, 2, 0, 2, 0, 0]);

    // The end is that of all.
    world.events.clear();
    world.subscriber.end(world.now, key).unwrap();
    world.poll();
    let leaving = core::mem::take(&mut world.requests);
    assert_eq!(leaving.len(), 2);
    for (number, request) in leaving.iter().enumerate() {
        assert_eq!(field(request, "Expires"), Some("0"));
        world.answer(request, 200);
        let tag = name_of(request);
        assert_eq!(world.notify(&subscribe, &tag, 3_000, "terminated"), 200);
        let over = matches!(
            world.events.last(),
            Some(SubscriberEvent::Over {
                confirmed: true,
                ..
            })
        );
        assert_eq!(over, number == 1);
    }
    assert_eq!(world.subscriber.occupancy(), [0; 7]);
}

#[test]
fn when_the_last_notifier_is_gone_it_is_asked_for_anew() {
    let mut world = World::new();
    let (key, subscribe) = world.subscribe();
    world.answer(&subscribe, 200);
    for tag in ["r1", "r2"] {
        world.notify(&subscribe, tag, 1, "active;expires=600");
    }
    world.pass(100);
    world.notify(&subscribe, "r1", 2, "terminated;reason=noresource");
    assert!(world.requests.is_empty());
    world.events.clear();
    world.notify(&subscribe, "r2", 2, "terminated;reason=timeout");
    let anew = world.requests.pop().unwrap();
    assert_ne!(field(&anew, "Call-ID"), field(&subscribe, "Call-ID"));
    match world.events.last() {
        Some(SubscriberEvent::Ended {
            end: SubscriptionEnd::ByNotifier { .. },
            retry_in,
            ..
        }) => {
            assert_eq!(*retry_in, Some(Duration::ZERO));
        }
        other => panic!("{other:?}"),
    }
    world.subscriber.abandon(world.now, key);
    assert_eq!(world.subscriber.occupancy(), [0, 0, 0, 1, 0, 0, 0]);
    // Its outcome finds nothing.
    world.answer(&anew, 200);
    assert_eq!(world.subscriber.occupancy(), [0; 7]);
}

// PA-71
#[test]
fn each_notifier_is_asked_by_what_is_held_of_it() {
    let mut world = World::new();
    let (key, subscribe) = world.subscribe();
    world.answer(&subscribe, 200);
    for tag in ["r1", "r2"] {
        world.notify(&subscribe, tag, 7, "active;expires=600");
    }
    let told: Vec<_> = (world.events.drain(..))
        .map(|event| match event {
            SubscriberEvent::Notified {
                notifier,
                entity_tag,
                ..
            } => (notifier, entity_tag.unwrap()),
            other => panic!("{other:?}"),
        })
        .collect();
    let conditions = |world: &mut World| {
        let mut found = Vec::new();
        for _ in 0..60 {
            world.pass(10);
            for request in core::mem::take(&mut world.requests) {
                let condition = field(&request, "Suppress-If-Match").map(str::to_owned);
                world.answer(&request, if condition.is_some() { 204 } else { 200 });
                if condition.is_none() {
                    world.notify(&subscribe, &name_of(&request), 8, "active;expires=600");
                }
                found.push((name_of(&request), condition));
            }
        }
        found.sort_unstable();
        found
    };
    // Whoever says nothing of what it holds has everything sent.
    let none = [("r1".to_owned(), None), ("r2".to_owned(), None)];
    assert_eq!(conditions(&mut world), none);
    let now = world.now;
    let (second, tag) = &told[1];
    assert!(world.subscriber.hold(now, key, *second, Some(tag)));
    for text in ["*", "a b", "", &"x".repeat(257)] {
        assert!(!world.subscriber.hold(now, key, told[0].0, Some(text)));
    }
    assert!(!world.subscriber.hold(now, key, None, Some("r1-7")));
    world.events.clear();
    let own = [
        ("r1".to_owned(), None),
        ("r2".to_owned(), Some("r2-7".to_owned())),
    ];
    // Those that came twice in that time are the same twice.
    let mut found = conditions(&mut world);
    found.dedup();
    assert_eq!(found, own);
    let confirmed = SubscriberEvent::Confirmed {
        key,
        notifier: *second,
    };
    assert!(world.events.contains(&confirmed), "{:?}", world.events);
    // Nothing is held any more, by word or since the dialog is gone.
    assert!(world.subscriber.hold(now, key, *second, None));
    let mut found = conditions(&mut world);
    found.dedup();
    assert!(found.iter().all(|(_, condition)| condition.is_none()));
    world.notify(&subscribe, "r2", 30, "terminated");
    assert!(!world.subscriber.hold(now, key, *second, Some("r2-30")));
}

// PA-71
#[test]
fn what_is_held_of_one_notifier_is_not_asked_of_others() {
    let mut world = World::new();
    let account = Account::new(CAROL).unwrap();
    let account = account.with_contact("sip:carol@192.0.2.9").unwrap();
    let mut order = SubscribeOrder::new(&account, CAROL);
    order.held = Some("r1-7");
    world
        .subscriber
        .subscribe(world.now, order.clone())
        .unwrap();
    world.poll();
    let subscribe = world.requests.pop().unwrap();
    assert_eq!(field(&subscribe, "Suppress-If-Match"), None);
    order.held = Some("*");
    let refused = world.subscriber.subscribe(world.now, order);
    assert!(refused.is_err(), "{refused:?}");
}

// PA-71
#[test]
fn conditions_that_two_notifiers_refuse_at_once_are_refused_once() {
    let mut world = World::new();
    let (key, subscribe) = world.subscribe();
    world.answer(&subscribe, 200);
    for tag in ["r1", "r2"] {
        world.notify(&subscribe, tag, 1, "active;expires=600");
    }
    world.pass(100);
    assert!(world.subscriber.set_quiet(world.now, key, true));
    world.poll();
    let asked = core::mem::take(&mut world.requests);
    assert_eq!(asked.len(), 2, "{asked:?}");
    for request in &asked {
        assert_eq!(field(request, "Suppress-If-Match"), Some("*"));
        world.answer(request, 400);
        let again = world.requests.pop().unwrap();
        assert_eq!(field(&again, "Suppress-If-Match"), None);
        world.answer(&again, 200);
        let tag = name_of(&again);
        world.notify(&subscribe, &tag, 2, "active;expires=600");
        assert!(world.requests.is_empty(), "{:?}", world.requests);
    }
    for tag in ["r1", "r2"] {
        world.notify(&subscribe, tag, 3, "terminated;reason=timeout");
    }
    let anew = world.requests.pop().unwrap();
    assert_eq!(field(&anew, "Suppress-If-Match"), Some("*"));
    // The next time it is for good.
    world.answer(&anew, 400);
    assert!(!world.subscriber.set_quiet(world.now, key, true));
}
