//! A watcher of several presentities.

use std::collections::BTreeMap;

use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Account, Failure, OwnSubscriptionKey, OwnSubscriptionPhase, RequestContext,
};
use presentity::pidf::Presence;
use presentity::presence::{WatchOrder, Watcher, WatcherConfig, WatcherEvent, WatcherOutput};
use presentity::sip::{RequestRef, ResponseRef};

use crate::common;
use crate::node::{User, Word};

pub struct Onlooker {
    address: usize,
    /// Its canonical name.
    pub name: String,
    watcher: Watcher,
    account: Account,
    /// By presentity; those that are to end are not among them.
    pub watches: BTreeMap<usize, OwnSubscriptionKey>,
    fetches: usize,
}

impl Onlooker {
    pub fn new(address: usize, name: &str, expires: u32, seed: u64) -> Self {
        let mut config = WatcherConfig::default();
        config.subscriber.expires = Some(expires);
        let account = Account::new(&format!("sip:{name}")).expect("an account");
        let contact = format!("sip:watch{address}@h{address}.example.net");
        Self {
            address,
            name: name.to_owned(),
            watcher: Watcher::new(config, common::seeded(seed ^ (address as u64) << 33)),
            account: account.with_contact(&contact).expect("a contact"),
            watches: BTreeMap::new(),
            fetches: 0,
        }
    }

    pub fn watch(&mut self, now: Timestamp, presentity: usize, user: &str) {
        if self.watches.contains_key(&presentity) {
            return;
        }
        let uri = format!("sip:{user}");
        let key = self
            .watcher
            .watch(now, WatchOrder::new(&self.account, &uri));
        self.watches.insert(presentity, key.expect("an order"));
    }

    pub fn unwatch(&mut self, now: Timestamp, presentity: usize) {
        if let Some(key) = self.watches.remove(&presentity) {
            self.watcher.end(now, key).expect("it is watched");
        }
    }

    /// It forgets a presentity without a word.
    pub fn abandon(&mut self, now: Timestamp, presentity: usize) {
        if let Some(key) = self.watches.remove(&presentity) {
            assert!(self.watcher.abandon(now, key));
        }
    }

    pub fn fetch(&mut self, now: Timestamp, user: &str) {
        if self.fetches == 0 {
            let uri = format!("sip:{user}");
            let order = WatchOrder::new(&self.account, &uri);
            self.watcher.fetch(now, order).expect("an order");
            self.fetches += 1;
        }
    }

    /// It asks again for all that was refused.
    pub fn ask_again(&mut self, now: Timestamp) {
        for presentity in self.watches.keys().copied().collect::<Vec<_>>() {
            if self.phase(presentity) == Some(OwnSubscriptionPhase::Refused) {
                assert!(self.watcher.renew(now, self.watches[&presentity]));
            }
        }
    }

    pub fn phase(&self, presentity: usize) -> Option<OwnSubscriptionPhase> {
        let info = self.watcher.presentity(*self.watches.get(&presentity)?);
        info.map(|info| info.subscription.phase)
    }

    /// What it knows, if that is up to date.
    pub fn known(&self, presentity: usize) -> Option<&Presence> {
        let info = self.watcher.presentity(*self.watches.get(&presentity)?)?;
        info.presence.filter(|_| info.is_current)
    }
}

impl User for Onlooker {
    fn contact(&self) -> String {
        format!("sip:watch{0}@h{0}.example.net", self.address)
    }

    fn request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) {
        let taken = self
            .watcher
            .handle_request(now, transaction, request, context);
        taken.expect("no backlog");
    }

    fn response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.watcher.handle_response(now, transaction, response);
    }

    fn failure(&mut self, now: Timestamp, transaction: ClientTransaction, failure: Failure) {
        self.watcher.handle_failure(now, transaction, failure);
    }

    fn timeout(&mut self, now: Timestamp) {
        self.watcher.handle_timeout(now);
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.watcher.poll_timeout()
    }

    fn word(&mut self, _: Timestamp) -> Option<Word> {
        Some(match self.watcher.poll_output()? {
            WatcherOutput::Respond(response) => Word::Respond(response),
            WatcherOutput::Send(request) => Word::Send(request),
            WatcherOutput::Event(event) => {
                if let WatcherEvent::Over { was_fetch, .. } = &event {
                    self.fetches -= usize::from(*was_fetch);
                }
                Word::Event(event.to_string())
            }
            other => panic!("{other:?}"),
        })
    }

    fn holds(&self) -> usize {
        self.watcher.occupancy().iter().sum::<usize>() + self.fetches
    }
}
