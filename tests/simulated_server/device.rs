//! A device: it publishes for its user, and is a presence agent for whoever asks it.

use std::collections::BTreeSet;

use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Account, Authorization, Decision, Failure, Output, OwnPublicationKey, PublisherConfig,
    PublisherOutput, Reason, RequestContext, SubscribeQuery, Termination, View,
};
use presentity::pidf::Presence;
use presentity::presence::{Agent, AgentConfig, Policy, Publisher};
use presentity::sip::{RequestRef, ResponseRef};

use crate::common;
use crate::facts::Fact;
use crate::node::{User, Word};

/// Whoever asks is told.
#[derive(Debug)]
pub struct OpenDoor;

impl Policy for OpenDoor {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        match query.identity().is_nobody() {
            true => Authorization::Challenge,
            false => Decision::Allow(View::full()).into(),
        }
    }
}

/// How it answers those who ask for presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Serves,
    /// It says that it is no agent, by this status.
    Denies(u16),
}

pub struct Device {
    pub address: usize,
    pub presentity: usize,
    pub manner: Manner,
    /// What it says as an agent.
    pub own: Fact,
    pub publication: Option<(OwnPublicationKey, Fact)>,
    publisher: Publisher,
    pub agent: Agent<OpenDoor>,
    account: Account,
    expires: u32,
    seed: u64,
    restarts: u64,
    /// Those of the publisher that are not answered.
    publishing: BTreeSet<ClientTransaction>,
}

pub fn contact_of(address: usize) -> String {
    format!("sip:dev{address}@h{address}.example.net")
}

impl Device {
    pub fn new(
        address: usize,
        (presentity, user): (usize, &str),
        (manner, expires): (Manner, u32),
        seed: u64,
        own: Fact,
    ) -> Self {
        let mut device = Self {
            address,
            presentity,
            manner,
            own,
            publication: None,
            publisher: Publisher::new(PublisherConfig::default(), common::seeded(seed)),
            agent: Agent::new(AgentConfig::default(), OpenDoor, common::seeded(seed)),
            account: Account::new(&format!("sip:{user}")).expect("an account"),
            expires,
            seed,
            restarts: 0,
            publishing: BTreeSet::new(),
        };
        device.begin();
        device
    }

    fn begin(&mut self) {
        let seed = self.seed ^ self.restarts << 20 ^ (self.address as u64) << 40;
        let mut config = PublisherConfig::default();
        config.expires = self.expires;
        self.publisher = Publisher::new(config, common::seeded(seed ^ 0x77));
        self.agent = Agent::new(AgentConfig::default(), OpenDoor, common::seeded(seed));
        self.publishing.clear();
        self.publication = None;
    }

    /// It forgets its publication, its entity-tag and its watchers.
    pub fn restart(&mut self, now: Timestamp) {
        self.restarts += 1;
        self.begin();
        self.say(now, self.own.clone());
    }

    /// As an agent it says this from now on.
    pub fn say(&mut self, now: Timestamp, fact: Fact) {
        let contact = contact_of(self.address);
        let document = fact.document(&contact);
        let set = self.agent.set_presence(now, &contact, document);
        set.expect("a document");
        self.own = fact;
    }

    pub fn publish(&mut self, now: Timestamp, fact: Fact) {
        let document: Presence = fact.document(self.account.uri());
        let key = match self.publication.take() {
            Some((key, _)) => {
                let updated = self.publisher.update(now, key, document);
                updated.expect("it is published");
                key
            }
            None => {
                let key = self.publisher.publish(now, &self.account, document);
                key.expect("an order")
            }
        };
        self.publication = Some((key, fact));
    }

    pub fn unpublish(&mut self, now: Timestamp) {
        if let Some((key, _)) = self.publication.take() {
            let removed = self.publisher.remove(now, key);
            removed.expect("it is published");
        }
    }

    /// Its watchers are to go elsewhere.
    pub fn close(&mut self, now: Timestamp) {
        let end = Termination::new(Reason::Deactivated);
        self.agent.terminate_all(now, end);
    }

    /// Whether what it publishes is what it wants to.
    pub fn check(&self) {
        if let Some((key, fact)) = &self.publication {
            let info = self.publisher.publication(*key).expect("a publication");
            assert!(info.is_current, "{}: {fact:?} {info:?}", self.address);
        }
    }
}

impl User for Device {
    fn contact(&self) -> String {
        contact_of(self.address)
    }

    fn refuses(&self, method: &str) -> Option<u16> {
        match self.manner {
            Manner::Denies(status) if method == "SUBSCRIBE" => Some(status),
            _ => None,
        }
    }

    fn request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) {
        let taken = self
            .agent
            .handle_request(now, transaction, request, context);
        taken.expect("no backlog");
    }

    fn response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        match self.publishing.remove(&transaction) {
            true => self.publisher.handle_response(now, transaction, response),
            false => self.agent.handle_response(now, transaction, response),
        }
    }

    fn failure(&mut self, now: Timestamp, transaction: ClientTransaction, failure: Failure) {
        match self.publishing.remove(&transaction) {
            true => self.publisher.handle_failure(now, transaction, failure),
            false => self.agent.handle_failure(now, transaction, failure),
        }
    }

    fn timeout(&mut self, now: Timestamp) {
        self.publisher.handle_timeout(now);
        self.agent.handle_timeout(now);
    }

    fn deadline(&self) -> Option<Timestamp> {
        let both = [self.publisher.poll_timeout(), self.agent.poll_timeout()];
        both.into_iter().flatten().min()
    }

    fn word(&mut self, _: Timestamp) -> Option<Word> {
        if let Some(output) = self.agent.poll_output() {
            return Some(match output {
                Output::Respond(response) => Word::Respond(response),
                Output::Send(request) => Word::Send(request),
                Output::Event(event) => Word::Event(event.to_string()),
                other => panic!("{other:?}"),
            });
        }
        Some(match self.publisher.poll_output()? {
            PublisherOutput::Send(request) => {
                self.publishing.insert(request.transaction());
                Word::Send(request)
            }
            PublisherOutput::Event(event) => Word::Event(event.to_string()),
            other => panic!("{other:?}"),
        })
    }

    fn holds(&self) -> usize {
        let occupancy = self.agent.occupancy();
        let published: usize = self.publisher.occupancy().iter().sum();
        // What it says itself stays.
        occupancy.subscriptions + occupancy.timers + occupancy.outputs + published
    }
}
