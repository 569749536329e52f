//! The server: the library's agent and a host that can be as bad as any.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Authorization, Failure, Identity, Occupancy, Output, PublishDecision, PublishQuery,
    Reason, RequestContext, ServerEvent, SubscribeQuery, SubscriptionKey, Termination, View,
};
use presentity::pidf::Presence;
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sip::{HeaderName, OutgoingRequest, RequestRef, Response, ResponseRef};
use sipx_sip::Request;
use sipx_sip::transaction::{Timer, TransactionKey};

use crate::common;
use crate::endpoint::{Endpoint, Incoming, answer, field, fields, number, uri};
use crate::model::{self, Rule, Rules};
use crate::network::{Network, SECOND};

const CONTACT: &str = "sip:agent@h0.example.net";
/// NOTIFYs that a rogue has to repeat.
const REMEMBERED: usize = 40;

/// Who may watch is as the rules say; everybody publishes for himself.
#[derive(Debug, Clone, Default)]
pub struct OwnState(pub Rules);

impl Policy for OwnState {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        self.0.subscribe(query)
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        match query.identity().primary() {
            None => PublishDecision::Challenge,
            Some(publisher) if publisher == query.resource() => PublishDecision::Allow,
            Some(_) => PublishDecision::Forbid,
        }
    }

    fn apply_view(&self, view: &View, name: &str, document: &mut Presence) {
        self.0.apply_view(view, name, document);
    }
}

/// What becomes of the NOTIFYs of a server that sends none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mute {
    /// Something on the way answers them by 200.
    Swallowed,
    /// They time out.
    Lost,
    /// They cannot be sent.
    Unsent,
}

/// What is wrong with the server, each until some time.
#[derive(Debug, Default)]
pub struct Faults {
    /// All requests are answered 503, perhaps with Retry-After.
    pub flooded: Option<(u64, Option<u32>)>,
    /// Every publication is gone when it is named.
    pub forgets: u64,
    pub mute: Option<(u64, Mute)>,
    /// Subscriptions are ended as soon as they have begun.
    pub slays: Option<(u64, Reason, Option<u32>)>,
    /// A rogue sends NOTIFYs that were sent before, with higher and higher CSeq if it dares.
    pub rogue: Option<(u64, bool)>,
}

pub struct Server {
    pub agent: Agent<OwnState>,
    config: AgentConfig,
    endpoint: Endpoint,
    seed: u64,
    pub restarts: u64,
    pub digest: bool,
    pub faults: Faults,
    pending: BTreeMap<u64, Option<(TransactionKey, Request)>>,
    requests: u64,
    sent: HashMap<TransactionKey, ClientTransaction>,
    /// NOTIFYs that left lately, or were to.
    remembered: VecDeque<OutgoingRequest>,
    /// Its clock is ahead of the true time by so much.
    skew: u64,
    pub answers: BTreeMap<u16, u64>,
    pub ends: BTreeMap<String, u64>,
    pub notifies: u64,
    stirred: bool,
}

impl Server {
    pub fn new(seed: u64, digest: bool, interval: Duration) -> Self {
        let mut config = AgentConfig::default();
        config.domains = vec!["example.com".into()];
        config.server.notify_interval = interval;
        let entropy = common::seeded(seed ^ 0xa6e7);
        Self {
            agent: Agent::new(config.clone(), OwnState::default(), entropy),
            config,
            endpoint: Endpoint::new(0),
            seed,
            restarts: 0,
            digest,
            faults: Faults::default(),
            pending: BTreeMap::new(),
            requests: 0,
            sent: HashMap::new(),
            remembered: VecDeque::new(),
            skew: 0,
            answers: BTreeMap::new(),
            ends: BTreeMap::new(),
            notifies: 0,
            stirred: false,
        }
    }

    /// It knows nothing any more but who may watch whom.
    pub fn restart(&mut self) {
        self.restarts += 1;
        let seed = self.seed ^ 0xa6e7 ^ self.restarts << 32;
        let policy = self.agent.policy().clone();
        self.agent = Agent::new(self.config.clone(), policy, common::seeded(seed));
        self.endpoint = self.endpoint.restarted();
        self.pending.clear();
        self.sent.clear();
    }

    // ---- its clock ------------------------------------------------------------------------

    fn at(&self, network: &Network) -> Timestamp {
        Timestamp::ZERO + Duration::from_nanos(network.now + self.skew)
    }

    pub fn wakes_at(&self) -> Option<u64> {
        let deadline = self.agent.poll_timeout()?.as_nanos();
        Some(deadline.saturating_sub(self.skew))
    }

    pub fn wake(&mut self, network: &mut Network) {
        let now = self.at(network);
        for _ in 0..1_000 {
            self.agent.handle_timeout(now);
            self.settle(network);
            if self.wakes_at().is_none_or(|next| next > network.now) {
                return;
            }
        }
        panic!(
            "the deadline stays in the past: {:?}",
            self.agent.occupancy()
        );
    }

    pub fn jump(&mut self, nanos: u64) {
        self.skew += nanos;
    }

    // ---- from the network -------------------------------------------------------------------

    pub fn message(&mut self, network: &mut Network, from: usize, bytes: Bytes) {
        let incoming = self.endpoint.message(network, from, bytes);
        self.take(network, incoming);
    }

    pub fn timer(&mut self, network: &mut Network, key: &TransactionKey, timer: Timer) {
        let incoming = self.endpoint.timer(network, key, timer);
        self.take(network, incoming);
    }

    fn take(&mut self, network: &mut Network, incoming: Option<Incoming>) {
        let now = self.at(network);
        match incoming {
            None => return,
            Some(Incoming::Request(key, request)) => self.request(network, key, request),
            Some(Incoming::Response(key, response)) => {
                if let Some(transaction) = self.sent.remove(&key) {
                    let none = Bytes::new();
                    let status = response.status.code();
                    let response = ResponseRef::new(status, fields(&response.headers), &none);
                    self.agent.handle_response(now, transaction, &response);
                }
            }
            Some(Incoming::Timeout(key)) => {
                if let Some(transaction) = self.sent.remove(&key) {
                    self.agent
                        .handle_failure(now, transaction, Failure::Timeout);
                }
            }
            Some(Incoming::Failure(key)) => panic!("{key:?}"),
        }
        self.settle(network);
    }

    fn request(&mut self, network: &mut Network, key: TransactionKey, request: Request) {
        if let Some((until, retry_after)) = self.faults.flooded
            && network.now < until
        {
            let added = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n"));
            let text = answer(&request, 503, &added.unwrap_or_default());
            *self.answers.entry(503).or_default() += 1;
            self.endpoint.respond(network, &key, text);
            return;
        }
        let headers = &request.headers;
        let method = String::from_utf8(request.method.as_bytes().to_vec()).expect("text");
        let target = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
        let from = uri(headers, "From").expect("a URI");
        let known = !self.digest || number(headers, "Authorization") == Some(network.nonce);
        if known
            && network.now < self.faults.forgets
            && let Some(tag) = field(headers, "SIP-If-Match")
        {
            self.forget(network, &from, &target, tag);
        }
        let identity = match known {
            true => Identity::of(&from, Assurance::Digest).expect("a user"),
            false => Identity::nobody(),
        };
        let view = RequestRef::new(&method, &target, fields(headers), request.body());
        self.hand_in(network, &view, &identity);
        self.pending.insert(self.requests, Some((key, request)));
    }

    fn hand_in(&mut self, network: &Network, view: &RequestRef<'_>, identity: &Identity) {
        let context = RequestContext::new(identity, CONTACT);
        let now = self.at(network);
        self.requests += 1;
        let transaction = ServerTransaction(self.requests);
        let taken = self.agent.handle_request(now, transaction, view, &context);
        taken.expect("no backlog");
    }

    /// A publication is taken away behind its publisher's back.
    fn forget(&mut self, network: &mut Network, from: &str, target: &str, tag: &str) {
        let (from_field, to) = (format!("<{from}>;tag=gone"), format!("<{target}>"));
        let call_id = format!("gone-{}", self.requests);
        let headers = [
            ("From", from_field.as_str()),
            ("To", &to),
            ("Call-ID", &call_id),
            ("CSeq", "1 PUBLISH"),
            ("Event", "presence"),
            ("Expires", "0"),
            ("SIP-If-Match", tag),
        ];
        let none = Bytes::new();
        let view = RequestRef::new("PUBLISH", target, headers, &none);
        let identity = Identity::of(from, Assurance::Digest).expect("a user");
        self.hand_in(network, &view, &identity);
        self.pending.insert(self.requests, None);
        self.settle(network);
    }

    // ---- from the application ---------------------------------------------------------------

    pub fn rules(&self) -> &Rules {
        &self.agent.policy().0
    }

    /// Who watches may see something else; those who do already are told now or when they ask for more
    /// time.
    pub fn set_rule(
        &mut self,
        network: &mut Network,
        watcher: usize,
        presentity: usize,
        rule: Rule,
        at_once: bool,
    ) {
        let now = self.at(network);
        self.agent.policy_mut().0.set(watcher, presentity, rule);
        // Who waits for a decision has what was decided before until then.
        if at_once || rule == Rule::Wait {
            let (user, name) = (model::user(watcher), model::name(presentity));
            let decided = self
                .agent
                .decide_watcher(now, &user, &name, &rule.decision());
            decided.expect("a presentity");
        }
        self.settle(network);
    }

    pub fn turn_view(&mut self, network: &mut Network, presentity: usize) {
        let now = self.at(network);
        self.agent.policy_mut().0.turn_view(presentity);
        let name = model::name(presentity);
        self.agent.views_changed(now, &name).expect("a presentity");
        self.settle(network);
    }

    pub fn terminate(
        &mut self,
        network: &mut Network,
        presentity: Option<usize>,
        termination: Termination,
    ) {
        let now = self.at(network);
        match presentity {
            Some(presentity) => {
                let name = model::name(presentity);
                let ended = self.agent.terminate_presentity(now, &name, termination);
                ended.expect("a presentity");
            }
            None => {
                self.agent.terminate_all(now, termination);
            }
        }
        self.settle(network);
    }

    /// Somebody sends a NOTIFY that was sent before once more.
    pub fn repeat(&mut self, network: &mut Network) {
        let count = self.remembered.len() as u64;
        let dares = self.faults.rogue.is_some_and(|(_, dares)| dares);
        let Some(request) = self.remembered.get(network.dice.roll(count) as usize) else {
            return;
        };
        let transport = self.endpoint.transport(network, peer(request));
        let via = self.endpoint.via(transport);
        let mut text = Vec::new();
        request.write_to(&via, &mut text);
        if dares {
            let text_of = String::from_utf8(text).expect("text");
            let cseq = common::field(request, "CSeq").expect("a field");
            let before: u64 = cseq.split(' ').next().unwrap().parse().unwrap();
            let higher = before + network.dice.between(1, 3);
            let line = format!("CSeq: {higher} NOTIFY");
            text = text_of.replace(&format!("CSeq: {cseq}"), &line).into();
        }
        self.endpoint.request(network, text);
    }

    // ---- from the agent ---------------------------------------------------------------------

    fn settle(&mut self, network: &mut Network) {
        self.stirred = true;
        self.drain(network);
    }

    fn drain(&mut self, network: &mut Network) {
        if !core::mem::take(&mut self.stirred) {
            return;
        }
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Respond(response) => self.respond(network, &response, ""),
                Output::Challenge(response) => {
                    let nonce = network.nonce;
                    let challenge = format!("WWW-Authenticate: Digest realm=x, nonce={nonce}\r\n");
                    self.respond(network, &response, &challenge);
                }
                Output::Send(request) => self.send(network, request),
                Output::Event(event) => self.event(network, &event),
                other => panic!("{other:?}"),
            }
        }
    }

    fn respond(&mut self, network: &mut Network, response: &Response, added: &str) {
        let pending = self.pending.remove(&response.transaction().0);
        let Some((key, request)) = pending.expect("one answer to one request") else {
            return;
        };
        *self.answers.entry(response.status()).or_default() += 1;
        let method = String::from_utf8_lossy(request.method.as_bytes());
        let target = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
        let fields = fields(&request.headers);
        let view = RequestRef::new(&method, &target, fields, request.body());
        assert!(view.first(HeaderName::From).is_some());
        let mut text = Vec::new();
        response.write_to(&view, added, &mut text);
        self.endpoint.respond(network, &key, text);
    }

    fn send(&mut self, network: &mut Network, request: OutgoingRequest) {
        self.notifies += 1;
        self.remembered.push_back(request.clone());
        if self.remembered.len() > REMEMBERED {
            self.remembered.pop_front();
        }
        let (now, transaction) = (self.at(network), request.transaction());
        if let Some((until, mute)) = self.faults.mute
            && network.now < until
        {
            network.say(|| format!("a NOTIFY is {mute:?}"));
            match mute {
                Mute::Swallowed => {
                    let none = Bytes::new();
                    let ok = ResponseRef::new(200, [], &none);
                    self.agent.handle_response(now, transaction, &ok);
                }
                Mute::Lost => self
                    .agent
                    .handle_failure(now, transaction, Failure::Timeout),
                Mute::Unsent => self
                    .agent
                    .handle_failure(now, transaction, Failure::Transport),
            }
            return;
        }
        let transport = self.endpoint.transport(network, peer(&request));
        let via = self.endpoint.via(transport);
        let mut text = Vec::new();
        request.write_to(&via, &mut text);
        let key = self.endpoint.request(network, text);
        assert!(self.sent.insert(key, transaction).is_none());
    }

    fn event(&mut self, network: &mut Network, event: &ServerEvent) {
        network.say(|| format!("0: {event}"));
        match event {
            ServerEvent::SubscriptionStarted { subject, .. } => self.slay(network, subject.key),
            ServerEvent::SubscriptionEnded { reason, .. } => {
                *self.ends.entry(reason.to_string()).or_default() += 1;
            }
            _ => {}
        }
    }

    fn slay(&mut self, network: &Network, key: SubscriptionKey) {
        if let Some((until, reason, retry_after)) = self.faults.slays
            && network.now < until
        {
            let mut termination = Termination::new(reason);
            if let Some(seconds) = retry_after {
                termination = termination.with_retry_after(seconds);
            }
            // A fetch is over already.
            let _ = self.agent.terminate(self.at(network), key, termination);
        }
    }

    // ---- what must be true ------------------------------------------------------------------

    pub fn live(&self) -> usize {
        self.agent.subscriptions().count()
    }

    pub fn publications(&self) -> usize {
        self.agent.publications().count()
    }

    /// What the agent makes of all that was published, under another URI.
    pub fn composed(&mut self, presentity: usize, entity: &str) -> Option<Presence> {
        let composed = self.agent.presence(&model::name(presentity));
        let mut document = composed.expect("a presentity")?;
        document.entity = entity.to_owned();
        Some(document)
    }

    /// Nothing is left of anything.
    pub fn check_empty(&self) {
        assert_eq!(self.agent.occupancy(), Occupancy::default());
        assert_eq!(self.agent.poll_timeout(), None);
        assert!(self.endpoint.is_idle());
        assert!(self.pending.is_empty() && self.sent.is_empty());
        let counters = self.agent.counters();
        let ended = counters.subscriptions_ended();
        assert_eq!(counters.subscriptions_started(), ended);
    }
}

/// The address that a NOTIFY goes to.
fn peer(request: &OutgoingRequest) -> usize {
    model::address(request.uri())
}

/// A time from now.
pub fn until(network: &Network, nanos: u64) -> u64 {
    network.now + nanos.max(SECOND)
}
