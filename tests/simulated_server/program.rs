//! The program by which a presentity sees who watches it, to decide.

use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{Account, Failure, OwnSubscriptionKey, RequestContext};
use presentity::sip::{RequestRef, ResponseRef};
use presentity::winfo::{
    FollowOrder, WatcherInfoEvent, WatcherInfoOutput, WatcherInfoSubscriber,
    WatcherInfoSubscriberConfig, WatcherStatus,
};

use crate::common;
use crate::node::{User, Word};

pub struct Program {
    address: usize,
    /// The presentity's canonical name.
    pub name: String,
    /// It leaves those alone that wait.
    pub is_lazy: bool,
    subscriber: WatcherInfoSubscriber,
    account: Account,
    follows: Option<OwnSubscriptionKey>,
    pub missed: u64,
}

impl Program {
    pub fn new(address: usize, name: &str, is_lazy: bool, seed: u64) -> Self {
        let config = WatcherInfoSubscriberConfig::default();
        let entropy = common::seeded(seed ^ (address as u64) << 29);
        let account = Account::new(&format!("sip:{name}")).expect("an account");
        let contact = format!("sip:prog{address}@h{address}.example.net");
        Self {
            address,
            name: name.to_owned(),
            is_lazy,
            subscriber: WatcherInfoSubscriber::new(config, entropy),
            account: account.with_contact(&contact).expect("a contact"),
            follows: None,
            missed: 0,
        }
    }

    pub fn follow(&mut self, now: Timestamp) {
        if self.follows.is_none() {
            let uri = format!("sip:{}", self.name);
            let key = self
                .subscriber
                .follow(now, FollowOrder::new(&self.account, &uri));
            self.follows = Some(key.expect("an order"));
        }
    }

    pub fn leave(&mut self, now: Timestamp) {
        if let Some(key) = self.follows.take() {
            self.subscriber.end(now, key).expect("it is followed");
        }
    }

    pub fn abandon(&mut self, now: Timestamp) {
        if let Some(key) = self.follows.take() {
            assert!(self.subscriber.abandon(now, key));
        }
    }

    pub fn ask_again(&mut self, now: Timestamp) {
        if let Some(key) = self.follows {
            self.subscriber.renew(now, key);
        }
    }

    /// The names of those who wait, as far as it knows.
    pub fn undecided(&self) -> Vec<String> {
        let rows = self.follows.into_iter();
        let rows = rows.flat_map(|key| self.subscriber.undecided(key));
        let names = rows.map(|row| row.entry.uri.trim_start_matches("sip:").to_owned());
        names.collect()
    }

    /// Its table, which has to be up to date.
    pub fn rows(&self) -> Vec<(String, WatcherStatus)> {
        let key = self.follows.expect("it follows");
        let info = self.subscriber.resource(key).expect("a subscription");
        assert!(info.is_current, "{}: {info:?}", self.name);
        let rows = self.subscriber.watchers(key);
        let rows = rows.map(|row| {
            assert_eq!(row.resource, format!("sip:{}", self.name));
            (row.entry.uri.clone(), row.entry.status)
        });
        let mut rows: Vec<(String, WatcherStatus)> = rows.collect();
        rows.sort_by_key(|(name, status)| (name.clone(), status.to_string()));
        rows
    }
}

impl User for Program {
    fn contact(&self) -> String {
        format!("sip:prog{0}@h{0}.example.net", self.address)
    }

    fn request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) {
        let taken = self
            .subscriber
            .handle_request(now, transaction, request, context);
        taken.expect("no backlog");
    }

    fn response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.subscriber.handle_response(now, transaction, response);
    }

    fn failure(&mut self, now: Timestamp, transaction: ClientTransaction, failure: Failure) {
        self.subscriber.handle_failure(now, transaction, failure);
    }

    fn timeout(&mut self, now: Timestamp) {
        self.subscriber.handle_timeout(now);
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.subscriber.poll_timeout()
    }

    fn word(&mut self, _: Timestamp) -> Option<Word> {
        Some(match self.subscriber.poll_output()? {
            WatcherInfoOutput::Respond(response) => Word::Respond(response),
            WatcherInfoOutput::Send(request) => Word::Send(request),
            WatcherInfoOutput::Event(event) => {
                match &event {
                    WatcherInfoEvent::Missed { .. } => self.missed += 1,
                    WatcherInfoEvent::Unreadable { .. }
                    | WatcherInfoEvent::Tolerated { .. }
                    | WatcherInfoEvent::Overfull { .. } => panic!("{event:?}"),
                    _ => {}
                }
                Word::Event(event.to_string())
            }
            other => panic!("{other:?}"),
        })
    }

    fn holds(&self) -> usize {
        self.subscriber.occupancy().iter().sum()
    }
}
