//! A watcher on virtual time, and a notifier of the test's making.
#![allow(dead_code, reason = "each test file uses its part")]

use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{
    Account, Failure, Identity, NeedCredentials, Opening, OpeningKey, OpeningOutcome,
    OwnSubscriptionKey, OwnSubscriptionPhase, RequestContext, Resolve, SubscribeFailure,
    SubscriberConfig, SubscriptionEnd,
};
use presentity::presence::{WatchOrder, Watcher, WatcherConfig, WatcherEvent, WatcherOutput};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};

use crate::common::{Message, field, seeded};

pub const ANA: &str = "sip:ana@example.com";
pub const BOB: &str = "sip:bob@example.org";
pub const CONTACT: &str = "sip:ana@192.0.2.7";

pub fn account() -> Account {
    Account::new(ANA).unwrap().with_contact(CONTACT).unwrap()
}

/// A document with one tuple.
pub fn document(basic: &str, note: &str) -> String {
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{BOB}'><tuple id='desk'>\
         <status><basic>{basic}</basic></status><note>{note}</note></tuple></presence>"
    )
}

pub struct Phone {
    pub watcher: Watcher,
    pub now: Timestamp,
    transactions: u64,
}

#[derive(Debug, Default)]
pub struct Taken {
    pub requests: Vec<OutgoingRequest>,
    pub responses: Vec<Response>,
    pub events: Vec<WatcherEvent>,
    pub wishes: Vec<NeedCredentials>,
    pub resolve: Vec<Resolve>,
    pub openings: Vec<Opening>,
}

impl Taken {
    #[track_caller]
    pub fn request(&self) -> &OutgoingRequest {
        assert_eq!(self.requests.len(), 1, "{self:?}");
        &self.requests[0]
    }

    /// The status of the only response.
    #[track_caller]
    pub fn status(&self) -> u16 {
        assert_eq!(self.responses.len(), 1, "{self:?}");
        self.responses[0].status()
    }

    pub fn nothing(&self) -> bool {
        let [requests, events] = [self.requests.len(), self.events.len()];
        let [wishes, openings] = [self.wishes.len(), self.openings.len()];
        requests + events + self.responses.len() + wishes + self.resolve.len() + openings == 0
    }

    #[track_caller]
    pub fn opening(&self) -> &Opening {
        assert_eq!(self.openings.len(), 1, "{self:?}");
        &self.openings[0]
    }

    #[track_caller]
    pub fn failure(&self) -> (SubscribeFailure, bool, Option<Duration>) {
        let found = self.events.iter().find_map(|event| match event {
            WatcherEvent::Failed {
                failure,
                is_refresh,
                retry_in,
                ..
            } => Some((*failure, *is_refresh, *retry_in)),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{self:?}"))
    }

    #[track_caller]
    pub fn end(&self) -> (SubscriptionEnd, Option<Duration>) {
        let found = self.events.iter().find_map(|event| match event {
            WatcherEvent::Ended { end, retry_in, .. } => Some((end.clone(), *retry_in)),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{self:?}"))
    }

    /// Whether it was said to be over, and how surely.
    pub fn over(&self) -> Option<bool> {
        self.events.iter().find_map(|event| match event {
            WatcherEvent::Over { confirmed, .. } => Some(*confirmed),
            _ => None,
        })
    }

    /// Notes of the first tuple, before and after.
    pub fn change(&self) -> Option<(Option<String>, Option<String>)> {
        let note = |document: &presentity::pidf::Presence| {
            let tuple = document.tuples.first()?;
            tuple.notes.first().map(|note| note.text.clone())
        };
        self.events.iter().find_map(|event| match event {
            WatcherEvent::Changed(change) => {
                let before = change.before.as_deref().and_then(note);
                Some((before, change.after.as_deref().and_then(note)))
            }
            _ => None,
        })
    }
}

/// A notifier's side of a dialog.
#[derive(Debug, Clone)]
pub struct Notifier {
    pub tag: String,
    pub contact: String,
    pub cseq: u32,
    call_id: String,
    watcher: String,
    resource: String,
    watcher_contact: String,
}

impl Notifier {
    /// One that was asked by this SUBSCRIBE.
    pub fn of(subscribe: &OutgoingRequest, tag: &str) -> Self {
        let uri_of = |value: &str| {
            let (_, rest) = value.split_once('<').unwrap();
            rest.split_once('>').unwrap().0.to_owned()
        };
        let of = |name: &str| field(subscribe, name).unwrap().to_owned();
        Self {
            tag: tag.to_owned(),
            contact: "sip:pa@198.51.100.3".to_owned(),
            cseq: 10,
            call_id: of("Call-ID"),
            watcher: of("From"),
            resource: of("To"),
            watcher_contact: uri_of(&of("Contact")),
        }
    }

    /// The next NOTIFY, without a body.
    pub fn notify(&mut self, state: &str) -> Message {
        self.cseq += 1;
        Message::new("NOTIFY", "sip:x@y", &self.watcher_contact, &self.call_id)
            .with("From", &format!("{};tag={}", self.resource, self.tag))
            .with("To", &self.watcher)
            .with("Contact", &format!("<{}>", self.contact))
            .with("Event", "presence")
            .with("Subscription-State", state)
            .with_cseq(self.cseq)
    }

    /// The next NOTIFY, with a document.
    pub fn tell(&mut self, state: &str, document: &str) -> Message {
        self.notify(state)
            .with("Content-Type", "application/pidf+xml")
            .with_body(document)
    }
}

impl Phone {
    pub fn new() -> Self {
        Self::with(WatcherConfig::default())
    }

    pub fn with(config: WatcherConfig) -> Self {
        Self {
            watcher: Watcher::new(config, seeded(7)),
            now: Timestamp::from_secs(1_000),
            transactions: 0,
        }
    }

    pub fn of_subscriber(change: impl FnOnce(&mut SubscriberConfig)) -> Self {
        let mut config = WatcherConfig::default();
        change(&mut config.subscriber);
        Self::with(config)
    }

    pub fn take(&mut self) -> Taken {
        let mut taken = Taken::default();
        while let Some(output) = self.watcher.poll_output() {
            match output {
                WatcherOutput::Send(request) => taken.requests.push(request),
                WatcherOutput::Respond(response) => taken.responses.push(response),
                WatcherOutput::Event(event) => taken.events.push(event),
                WatcherOutput::NeedCredentials(wish) => taken.wishes.push(wish),
                WatcherOutput::Resolve(resolve) => taken.resolve.push(resolve),
                WatcherOutput::Open(opening) => taken.openings.push(opening),
                other => panic!("{other:?}"),
            }
        }
        taken
    }

    /// Watches Bob; gives the SUBSCRIBE that leaves.
    pub fn watch(&mut self) -> (OwnSubscriptionKey, OutgoingRequest) {
        let account = account();
        let order = WatchOrder::new(&account, BOB);
        let key = self.watcher.watch(self.now, order).unwrap();
        (key, self.take().request().clone())
    }

    pub fn fetch(&mut self) -> (OwnSubscriptionKey, OutgoingRequest) {
        let account = account();
        let order = WatchOrder::new(&account, BOB);
        let key = self.watcher.fetch(self.now, order).unwrap();
        (key, self.take().request().clone())
    }

    /// Watches Bob, who is at his desk.
    pub fn watching(&mut self) -> (OwnSubscriptionKey, Notifier) {
        let (key, subscribe) = self.watch();
        let mut notifier = Notifier::of(&subscribe, "pa1");
        assert!(self.accept(&subscribe, "pa1", 3600).nothing());
        let notify = notifier.tell("active;expires=3600", &document("open", "at my desk"));
        assert_eq!(self.notify(&notify).status(), 200);
        (key, notifier)
    }

    pub fn answer(&mut self, to: &OutgoingRequest, status: u16, fields: &[(&str, &str)]) -> Taken {
        let body = Bytes::new();
        let response = ResponseRef::new(status, fields.iter().copied(), &body);
        let transaction = to.transaction();
        self.watcher
            .handle_response(self.now, transaction, &response);
        self.take()
    }

    /// A 2xx of the notifier with this tag.
    pub fn accept(&mut self, to: &OutgoingRequest, tag: &str, expires: u32) -> Taken {
        let to_field = format!("<{BOB}>;tag={tag}");
        let expires = expires.to_string();
        let fields = [("To", to_field.as_str()), ("Expires", &expires)];
        self.answer(to, 200, &fields)
    }

    pub fn fail(&mut self, request: &OutgoingRequest, failure: Failure) -> Taken {
        self.watcher
            .handle_failure(self.now, request.transaction(), failure);
        self.take()
    }

    pub fn notify(&mut self, message: &Message) -> Taken {
        self.hand_in(message);
        self.take()
    }

    /// The same, with a look at the watcher after each event.
    pub fn notify_each(&mut self, message: &Message, mut look: impl FnMut(&Self, &WatcherEvent)) {
        self.hand_in(message);
        while let Some(output) = self.watcher.poll_output() {
            if let WatcherOutput::Event(event) = output {
                look(self, &event);
            }
        }
    }

    fn hand_in(&mut self, message: &Message) {
        self.transactions += 1;
        let transaction = ServerTransaction(self.transactions);
        let nobody = Identity::nobody();
        let context = RequestContext::new(&nobody, CONTACT);
        let fields = message.fields.iter();
        let fields = fields.map(|(name, value)| (name.as_str(), value.as_str()));
        let request = RequestRef::new(&message.method, &message.uri, fields, &message.body);
        self.watcher
            .handle_request(self.now, transaction, &request, &context)
            .unwrap();
    }

    /// What follows when a body was opened, or could not be.
    #[track_caller]
    pub fn opened(&mut self, key: OpeningKey, outcome: OpeningOutcome) -> Taken {
        assert!(self.watcher.complete_opening(self.now, key, outcome));
        self.take()
    }

    pub fn pass(&mut self, time: Duration) -> Taken {
        self.now = self.now + time;
        self.watcher.handle_timeout(self.now);
        self.take()
    }

    /// Lets time pass to the next deadline at which something comes out, and so much at most.
    pub fn pass_until_something(&mut self, most: Duration) -> Taken {
        let end = self.now + most;
        loop {
            let next = self.watcher.poll_timeout().filter(|next| *next <= end);
            let Some(next) = next else {
                self.now = end;
                return Taken::default();
            };
            self.now = self.now.max(next);
            self.watcher.handle_timeout(self.now);
            let taken = self.take();
            if !taken.nothing() {
                return taken;
            }
        }
    }

    pub fn phase(&self, key: OwnSubscriptionKey) -> OwnSubscriptionPhase {
        self.watcher.presentity(key).unwrap().subscription.phase
    }

    pub fn is_current(&self, key: OwnSubscriptionKey) -> bool {
        self.watcher.presentity(key).unwrap().is_current
    }

    /// The note of the first tuple that is known.
    pub fn note(&self, key: OwnSubscriptionKey) -> Option<String> {
        let document = self.watcher.presence(key)?;
        Some(document.tuples.first()?.notes.first()?.text.clone())
    }

    /// Whether nothing is left of anything.
    pub fn is_empty(&self) -> bool {
        self.watcher.occupancy() == [0; 8]
    }
}
