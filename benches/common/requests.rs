//! A subscription service with its watchers, on virtual time.
#![allow(
    unreachable_pub,
    dead_code,
    reason = "each benchmark takes what it needs"
)]

use std::hint::black_box;

use bytes::Bytes;
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{Assurance, Delivery, Identity};
use presentity::presence::AgentConfig;
use presentity::sdf::{
    MEDIA_TYPE, Operation, Output, Request, RequestContext, Service, ServiceConfig, Token,
};
use time::OffsetDateTime;

use crate::common::{Open, Random, document, entropy};

pub const PER_PRESENTITY: u64 = 10;
const START: i64 = 1_800_000_000;

pub struct Population {
    pub service: Service<Open>,
    pub now: Timestamp,
    pub tick: u64,
    pub random: Random,
}

/// A request and who sends it.
pub struct Sent {
    pub octets: Bytes,
    pub identity: Identity,
}

impl Population {
    pub fn new(subscriptions: u64) -> Self {
        let mut agent = AgentConfig::default();
        agent.server.max_expires = 1_000_000;
        let mut service = ServiceConfig::default();
        service.checks.remembered = 4_000_000;
        let mut this = Self {
            service: Service::new(agent, service, Open, entropy()),
            now: Timestamp::ZERO,
            tick: 0,
            random: Random::new(1),
        };
        for presentity in 0..subscriptions / PER_PRESENTITY {
            let set = this.service.agent_mut().set_presence(
                this.now,
                &presentity_uri(presentity),
                document(presentity, false),
            );
            set.expect("a presentity");
        }
        this
    }

    pub fn fill(&mut self, subscriptions: u64) {
        for watcher in 0..subscriptions {
            let sent = self.request(watcher, subscriptions, Operation::Subscribe);
            self.carry_out(&sent);
        }
    }

    /// A request of this watcher, made now; a tenth of a millisecond passes.
    pub fn request(&mut self, watcher: u64, subscriptions: u64, operation: Operation) -> Sent {
        self.tick += 1;
        let utc = self.set_clock();
        let from = format!("pres:watcher{watcher}@example.org");
        let to = presentity_uri(watcher % (subscriptions / PER_PRESENTITY));
        let token = Token::new(&format!("{watcher:026}")).expect("a token");
        let request = match operation {
            Operation::Subscribe | Operation::Extend => {
                Request::subscribe(&from, &to, utc, &token, 900_000)
            }
            Operation::Cancel => Request::cancel(&from, &to, utc, &token),
            _ => Request::fetch(&from, &to, utc),
        };
        Sent {
            octets: request.expect("right").octets().clone(),
            identity: Identity::of(&from, Assurance::Transport).expect("a watcher"),
        }
    }

    pub fn set_clock(&mut self) -> OffsetDateTime {
        self.now = Timestamp::from_nanos(self.tick * 100_000);
        let utc = OffsetDateTime::from_unix_timestamp(START).expect("a time")
            + time::Duration::microseconds(self.tick as i64 * 100);
        self.service.set_wall_clock(self.now, utc);
        utc
    }

    pub fn carry_out(&mut self, sent: &Sent) {
        let context = RequestContext::new(&sent.identity);
        let transaction = ServerTransaction(self.tick);
        self.service
            .handle_request(self.now, transaction, MEDIA_TYPE, &sent.octets, &context)
            .expect("room");
        while let Some(output) = self.service.poll_output() {
            match output {
                Output::Respond { result, .. } => {
                    black_box(result.expect("granted"));
                }
                Output::Notify(notification) => {
                    if let Some(transaction) = notification.transaction() {
                        self.service
                            .handle_delivery(self.now, transaction, Delivery::Done);
                    }
                }
                _ => {}
            }
        }
    }
}

pub fn presentity_uri(presentity: u64) -> String {
    format!("pres:presentity{presentity}@example.com")
}
