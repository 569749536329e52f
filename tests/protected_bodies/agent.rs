//! A presence agent whose policy remembers what it was asked, and a host that opens bodies when told.

use presentity::event::{
    Authorization, Decision, Opening, OpeningOutcome, Output, PublishDecision, PublishKind,
    PublishQuery, Signature, SubscribeQuery, View,
};
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sdf::{Checks, ChecksConfig};

use crate::common::{Driver, Message, Outputs, Role, seeded};
use crate::wrapping::open;

pub const BOB: &str = "sip:bob@example.org";
pub const ANA: &str = "sip:ana@example.com";

#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub kind: Option<PublishKind>,
    pub signature: Signature,
    pub signers: Vec<String>,
    pub is_encrypted: bool,
    pub covers_header: bool,
}

/// Lets everybody in who is signed for as well as this.
#[derive(Debug)]
pub struct Rules {
    pub asked: Vec<Asked>,
    pub least: Signature,
    pub publish: PublishDecision,
}

fn names(signers: &[presentity::mime::Signer]) -> Vec<String> {
    let names = signers.iter().flat_map(|signer| signer.names().to_vec());
    names.collect()
}

impl Policy for Rules {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        self.asked.push(Asked {
            kind: None,
            signature: query.signature(),
            signers: names(query.signers()),
            is_encrypted: query.is_encrypted(),
            covers_header: query.covers_header(),
        });
        if query.signature() < self.least {
            return Authorization::SignatureRequired(self.least);
        }
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        self.asked.push(Asked {
            kind: Some(query.kind()),
            signature: query.signature(),
            signers: names(query.signers()),
            is_encrypted: query.is_encrypted(),
            covers_header: query.covers_header(),
        });
        match query.signature() < self.least {
            true => PublishDecision::Forbid,
            false => self.publish,
        }
    }
}

pub struct Desk {
    pub driver: Driver<Home>,
}

/// The agent, which reads subscription requests in the bodies of SUBSCRIBE.
pub struct Home(pub Agent<Rules, Checks>);

impl Role for Home {
    fn request(
        &mut self,
        now: presentity::engine::Timestamp,
        transaction: presentity::engine::ServerTransaction,
        request: &presentity::sip::RequestRef<'_>,
        context: &presentity::event::RequestContext<'_>,
    ) -> Result<(), presentity::event::Backlog> {
        self.0.handle_request(now, transaction, request, context)
    }

    fn response(
        &mut self,
        now: presentity::engine::Timestamp,
        request: &presentity::sip::OutgoingRequest,
        response: &presentity::sip::ResponseRef<'_>,
    ) {
        self.0.handle_response(now, request.transaction(), response);
    }

    fn timeout(&mut self, now: presentity::engine::Timestamp) {
        self.0.handle_timeout(now);
    }

    fn output(&mut self) -> Option<Output> {
        self.0.poll_output()
    }

    fn deadline(&self) -> Option<presentity::engine::Timestamp> {
        self.0.poll_timeout()
    }
}

#[track_caller]
pub fn opening(outputs: &Outputs) -> Opening {
    match &outputs.all[..] {
        [Output::Open(opening)] => opening.clone(),
        other => panic!("{other:?}"),
    }
}

impl Desk {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut AgentConfig)) -> Self {
        let mut config = AgentConfig::default();
        config.server.opens_bodies = true;
        change(&mut config);
        let rules = Rules {
            asked: Vec::new(),
            least: Signature::None,
            publish: PublishDecision::Allow,
        };
        let checks = Checks::new(ChecksConfig::default());
        let agent = Agent::with_bodies(config, rules, checks, seeded(11));
        Self {
            driver: Driver::new(Home(agent)),
        }
    }

    pub fn agent(&mut self) -> &mut Agent<Rules, Checks> {
        &mut self.driver.role.0
    }

    pub fn rules(&mut self) -> &mut Rules {
        self.agent().policy_mut()
    }

    pub fn asked(&mut self) -> Asked {
        self.rules().asked.pop().expect("to be asked")
    }

    /// A request that waits.
    #[track_caller]
    pub fn waits(&mut self, message: &Message) -> Opening {
        opening(&self.driver.send(message))
    }

    #[track_caller]
    pub fn outcome(&mut self, opening: &Opening, outcome: OpeningOutcome) -> Outputs {
        let now = self.driver.now;
        assert!(self.agent().complete_opening(now, opening.key, outcome));
        self.driver.drain()
    }

    /// The host does what it is asked for.
    pub fn opened(&mut self, asked: &Opening) -> Outputs {
        self.outcome(asked, open(&asked.content_type, &asked.body))
    }

    /// A request, opened at once.
    pub fn send(&mut self, message: &Message) -> Outputs {
        let asked = self.waits(message);
        self.opened(&asked)
    }

    pub fn jobs(&mut self) -> usize {
        self.agent().occupancy().jobs
    }
}
