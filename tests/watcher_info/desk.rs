//! A subscriber to watcher information on virtual time, and notifiers of the test's making.

use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{
    Account, Assurance, Identity, NotifierKey, OwnSubscriptionKey, RequestContext,
};
use presentity::sip::{OutgoingRequest, RequestRef, ResponseRef};
use presentity::winfo::{
    FollowOrder, MEDIA_TYPE, WatcherChange, WatcherInfo, WatcherInfoEvent, WatcherInfoOutput,
    WatcherInfoSubscriber, WatcherInfoSubscriberConfig, WatcherStatus,
};

use crate::common::{Message, field, seeded};
use crate::made::LENA;

pub const CONTACT: &str = "sip:lena@192.0.2.9";

pub struct Desk {
    pub subscriber: WatcherInfoSubscriber,
    pub event_type: &'static str,
    pub now: Timestamp,
    transactions: u64,
    pub requests: Vec<OutgoingRequest>,
    pub events: Vec<WatcherInfoEvent>,
    statuses: Vec<u16>,
}

impl Desk {
    pub fn new() -> Self {
        let config = WatcherInfoSubscriberConfig::default();
        let subscriber = WatcherInfoSubscriber::new(config, seeded(5));
        Self::of(subscriber, "presence.winfo")
    }

    pub fn of(subscriber: WatcherInfoSubscriber, event_type: &'static str) -> Self {
        Self {
            subscriber,
            event_type,
            now: Timestamp::from_secs(1_000),
            transactions: 0,
            requests: Vec::new(),
            events: Vec::new(),
            statuses: Vec::new(),
        }
    }

    /// A desk that follows who watches Lena, and its SUBSCRIBE, which was accepted.
    pub fn following() -> (Self, OwnSubscriptionKey, OutgoingRequest) {
        let mut desk = Self::new();
        let (key, subscribe) = desk.follow();
        desk.answer(&subscribe, 200);
        (desk, key, subscribe)
    }

    pub fn follow(&mut self) -> (OwnSubscriptionKey, OutgoingRequest) {
        let account = account();
        let order = FollowOrder::new(&account, LENA);
        let key = self.subscriber.follow(self.now, order).unwrap();
        self.poll();
        (key, self.request())
    }

    /// The only request.
    #[track_caller]
    pub fn request(&mut self) -> OutgoingRequest {
        assert_eq!(self.requests.len(), 1, "{:?}", self.requests);
        self.requests.remove(0)
    }

    pub fn poll(&mut self) {
        while let Some(output) = self.subscriber.poll_output() {
            match output {
                WatcherInfoOutput::Send(request) => self.requests.push(request),
                WatcherInfoOutput::Event(event) => self.events.push(event),
                WatcherInfoOutput::Respond(response) => self.statuses.push(response.status()),
                other => panic!("{other:?}"),
            }
        }
    }

    pub fn answer(&mut self, to: &OutgoingRequest, status: u16) {
        let body = Bytes::new();
        let response = ResponseRef::new(status, [("Expires", "3600")], &body);
        self.subscriber
            .handle_response(self.now, to.transaction(), &response);
        self.poll();
    }

    pub fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.subscriber.handle_timeout(self.now);
        self.poll();
    }

    /// A document in an active subscription of the notifier with this tag.
    pub fn tell(
        &mut self,
        subscribe: &OutgoingRequest,
        tag: &str,
        cseq: u32,
        document: &WatcherInfo,
    ) {
        let body = document.write().unwrap();
        let status = self.notify(
            subscribe,
            tag,
            cseq,
            "active;expires=3000",
            MEDIA_TYPE,
            &body,
        );
        assert_eq!(status, 200);
    }

    /// A NOTIFY of the notifier with this tag; its status.
    pub fn notify(
        &mut self,
        subscribe: &OutgoingRequest,
        tag: &str,
        cseq: u32,
        state: &str,
        media_type: &str,
        body: &[u8],
    ) -> u16 {
        let call_id = field(subscribe, "Call-ID").unwrap();
        let mut message = Message::new("NOTIFY", LENA, CONTACT, call_id)
            .with("From", &format!("<{LENA}>;tag={tag}"))
            .with("To", field(subscribe, "From").unwrap())
            .with("Contact", &format!("<sip:{tag}@198.51.100.1>"))
            .with("Event", self.event_type)
            .with("Subscription-State", state)
            .with("Content-Type", media_type)
            .with_cseq(cseq);
        message.body = Bytes::copy_from_slice(body);
        self.transactions += 1;
        let identity = Identity::of(LENA, Assurance::Asserted).unwrap();
        let context = RequestContext::new(&identity, CONTACT);
        let fields = message.fields.iter();
        let fields = fields.map(|(name, value)| (name.as_str(), value.as_str()));
        let request = RequestRef::new(&message.method, &message.uri, fields, &message.body);
        assert!(self.subscriber.accepts(&request));
        let transaction = ServerTransaction(self.transactions);
        self.subscriber
            .handle_request(self.now, transaction, &request, &context)
            .unwrap();
        self.poll();
        self.statuses.pop().unwrap()
    }

    /// The changes that were told since the last call, and by whom.
    pub fn changes(&mut self) -> Vec<(Option<NotifierKey>, WatcherChange)> {
        let mut all = Vec::new();
        for event in self.events.drain(..) {
            if let WatcherInfoEvent::Changed {
                notifier, changes, ..
            } = event
            {
                all.extend(changes.into_iter().map(|change| (notifier, change)));
            }
        }
        all
    }

    /// Ids and statuses of all rows.
    pub fn rows(&self, key: OwnSubscriptionKey) -> Vec<(&str, WatcherStatus)> {
        let rows = self.subscriber.watchers(key);
        rows.map(|row| (row.entry.id.as_str(), row.entry.status))
            .collect()
    }

    pub fn is_current(&self, key: OwnSubscriptionKey) -> bool {
        self.subscriber.resource(key).unwrap().is_current
    }
}

pub fn account() -> Account {
    Account::new(LENA).unwrap().with_contact(CONTACT).unwrap()
}
