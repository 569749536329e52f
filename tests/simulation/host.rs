//! The agent and its host: datagrams in, datagrams out, and nothing of SIP decided here.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use presentity::engine::{ClientTransaction, FlowId, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, EndReason, Failure, Identity, Occupancy, Output, Reason, RequestContext,
    ServerEvent, Termination,
};
use presentity::pidf::Presence;
use presentity::presence::{Agent, AgentConfig};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};
use sipx_sip::Request;
use sipx_sip::transaction::{Timer, TransactionKey};

use crate::common;
use crate::endpoint::{Endpoint, Incoming, field, fields, number, tag, uri};
use crate::ledger::{Asked, Ledger, Notify, TICK};
use crate::model::{self, PRESENTITIES, Rule, Rules};
use crate::network::{Network, SECOND};

const CONTACT: &str = "sip:agent@h0.example.net";

/// How the host and the agent are set.
#[derive(Debug, Clone, Copy)]
pub struct HostSetting {
    /// NOTIFYs that may be open at once; nothing for the default.
    pub window: Option<usize>,
    pub timers_per_call: u32,
    /// How late it wakes, in nanoseconds.
    pub lateness: u64,
    /// It takes outputs only when there is nothing more to hand in; chances in a thousand.
    pub lazy: u64,
    /// It calls for nothing; chances in a thousand.
    pub spurious: u64,
    /// Each watcher comes by a connection of its own.
    pub flows: bool,
    /// Whether all that is owed is looked for whenever the agent has nothing more to do.
    pub thorough: bool,
}

impl Default for HostSetting {
    fn default() -> Self {
        Self {
            window: None,
            timers_per_call: 512,
            lateness: 0,
            lazy: 0,
            spurious: 0,
            flows: true,
            thorough: true,
        }
    }
}

#[derive(Debug)]
struct Pending {
    key: TransactionKey,
    request: Request,
    status: u16,
    /// The subscription that it makes.
    makes: Option<u64>,
}

pub struct Host {
    pub agent: Agent<Rules>,
    pub endpoint: Endpoint,
    pub ledger: Ledger,
    setting: HostSetting,
    pending: BTreeMap<u64, Pending>,
    requests: u64,
    /// How often each status was answered, and each reason ended a subscription.
    pub answers: BTreeMap<u16, u64>,
    pub ends: BTreeMap<String, u64>,
    open: HashMap<TransactionKey, (ClientTransaction, u64)>,
    /// There may be outputs.
    stirred: bool,
}

impl Host {
    pub fn new(setting: HostSetting, seed: u64) -> Self {
        let mut config = AgentConfig::default();
        config.domains = vec!["example.com".into()];
        config.server.timers_per_call = setting.timers_per_call;
        // The bounds are for other tests.
        let limits = &mut config.server.limits;
        limits.subscriptions_per_watcher = usize::MAX;
        limits.subscriptions_per_watcher_and_resource = usize::MAX;
        limits.publications_per_resource = usize::MAX;
        limits.published = usize::MAX;
        config.server.window = setting.window.unwrap_or(config.server.window);
        Self {
            agent: Agent::new(config, Rules::default(), common::seeded(seed)),
            endpoint: Endpoint::new(0),
            ledger: Ledger::default(),
            setting,
            pending: BTreeMap::new(),
            requests: 0,
            answers: BTreeMap::new(),
            ends: BTreeMap::new(),
            open: HashMap::new(),
            stirred: false,
        }
    }

    /// When it wakes.
    pub fn wakes_at(&self) -> Option<u64> {
        let deadline = self.agent.poll_timeout()?;
        Some(deadline.as_nanos().saturating_add(self.setting.lateness))
    }

    /// How late what the clock brings about may be.
    fn slack(&self) -> u64 {
        2 * TICK + self.setting.lateness
    }

    // ---- from the network -----------------------------------------------------------------

    pub fn datagram(&mut self, network: &mut Network, bytes: Bytes) {
        let incoming = self.endpoint.datagram(network, bytes);
        self.take(network, incoming);
    }

    pub fn timer(&mut self, network: &mut Network, key: &TransactionKey, timer: Timer) {
        let incoming = self.endpoint.timer(network, key, timer);
        self.take(network, incoming);
    }

    fn take(&mut self, network: &mut Network, incoming: Option<Incoming>) {
        let now = network.now;
        match incoming {
            None => return,
            Some(Incoming::Request(key, request)) => self.request(now, key, request),
            Some(Incoming::Response(key, response)) => {
                let (transaction, id) = self.open.remove(&key).expect("an open NOTIFY");
                let status = response.status.code();
                let retry_after = number(&response.headers, "Retry-After");
                self.ledger.outcome(now, id, Some((status, retry_after)));
                let body = Bytes::new();
                let response = ResponseRef::new(status, fields(&response.headers), &body);
                self.agent.handle_response(at(now), transaction, &response);
            }
            Some(Incoming::Timeout(key)) => {
                let (transaction, id) = self.open.remove(&key).expect("an open NOTIFY");
                network.say(|| format!("no answer to a NOTIFY of {id}"));
                self.ledger.outcome(now, id, None);
                self.agent
                    .handle_failure(at(now), transaction, Failure::Timeout);
            }
        }
        self.stirred = true;
        if !network.dice.chance(self.setting.lazy) {
            self.drain(network);
        }
    }

    fn request(&mut self, now: u64, key: TransactionKey, request: Request) {
        self.requests += 1;
        let transaction = self.requests;
        let headers = &request.headers;
        let method = String::from_utf8(request.method.as_bytes().to_vec()).expect("text");
        let from = uri(headers, "From").expect("a URI");
        let to = uri(headers, "To").expect("a URI");
        let mut asked = Asked {
            from: model::address(&from),
            presentity: model::presentity(&to),
            entity: to,
            call_id: field(headers, "Call-ID").expect("one").to_owned(),
            tag: tag(headers, "To"),
            cseq: number(headers, "CSeq").expect("a number"),
            expires: number(headers, "Expires").expect("a number"),
        };
        let flow = FlowId(asked.from as u64);
        let (status, makes) = match method.as_str() {
            "SUBSCRIBE" => self.ledger.subscribe(now, asked),
            "PUBLISH" => {
                asked.tag = field(headers, "SIP-If-Match").map(str::to_owned);
                let body = request.body();
                let mark = (!body.is_empty()).then(|| model::mark_of(body));
                (self.ledger.publish(now, transaction, &asked, mark), None)
            }
            other => panic!("{other}"),
        };
        let identity = Identity::of(&from, Assurance::Digest).expect("a user");
        let mut context = RequestContext::new(&identity, CONTACT);
        if self.setting.flows {
            context = context.with_flow(flow);
        }
        let target = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
        let view = RequestRef::new(&method, &target, fields(headers), request.body());
        self.agent
            .handle_request(at(now), ServerTransaction(transaction), &view, &context)
            .expect("no backlog");
        let pending = Pending {
            key,
            request,
            status,
            makes,
        };
        self.pending.insert(transaction, pending);
    }

    // ---- from the clock and the application -----------------------------------------------

    /// The agent's deadline has come.
    pub fn wake(&mut self, network: &mut Network) {
        let now = at(network.now);
        let most = 100 + self.agent.occupancy().timers;
        for _ in 0..most {
            self.agent.handle_timeout(now);
            self.stirred = true;
            self.drain(network);
            if self.agent.poll_timeout().is_none_or(|next| next > now) {
                return;
            }
        }
        panic!(
            "the deadline stays in the past: {:?}",
            self.agent.occupancy()
        );
    }

    pub fn set_presence(&mut self, network: &mut Network, presentity: usize, mark: Option<u64>) {
        let now = network.now;
        network.say(|| format!("the state of {} is {mark:?}", PRESENTITIES[presentity]));
        self.ledger.set(now, presentity, mark);
        let name = PRESENTITIES[presentity];
        match mark {
            Some(mark) => {
                let text = model::document(presentity, mark);
                let document = Presence::read(text.as_bytes()).expect("a document");
                let set = self.agent.set_presence(at(now), name, document);
                assert_eq!(set, Ok(()));
            }
            None => {
                self.agent
                    .clear_presence(at(now), name)
                    .expect("one of ours");
            }
        }
        self.stirred = true;
    }

    pub fn set_rule(&mut self, watcher: usize, presentity: usize, rule: Rule) {
        self.ledger.rules.set(watcher, presentity, rule);
        self.agent.policy_mut().set(watcher, presentity, rule);
    }

    /// One of the live subscriptions.
    fn choose(&self, number: usize) -> Option<u64> {
        let live = self.ledger.records.iter();
        let live = live.filter(|(_, record)| record.live && record.key.is_some());
        let live: Vec<u64> = live.map(|(id, _)| *id).collect();
        (!live.is_empty()).then(|| live[number % live.len()])
    }

    pub fn decide(&mut self, network: &mut Network, number: usize, rule: Rule) {
        self.drain(network);
        let Some(id) = self.choose(number) else {
            return;
        };
        network.say(|| format!("{id} is to be {rule:?}"));
        let key = self.ledger.records[&id].key.expect("it has begun");
        self.ledger.decide(network.now, id, rule);
        let decided = self.agent.decide(at(network.now), key, rule.decision());
        assert_eq!(decided, Ok(()));
        self.stirred = true;
    }

    pub fn terminate(&mut self, network: &mut Network, number: usize, reason: Reason) {
        self.drain(network);
        let Some(id) = self.choose(number) else {
            return;
        };
        network.say(|| format!("{id} is to end: {reason}"));
        let key = self.ledger.records[&id].key.expect("it has begun");
        self.ledger.terminate(id, reason);
        let termination = Termination::new(reason).with_retry_after(7);
        let ended = self.agent.terminate(at(network.now), key, termination);
        assert_eq!(ended, Ok(()));
        self.stirred = true;
    }

    pub fn lose_flow(&mut self, network: &mut Network, watcher: usize) {
        network.say(|| format!("the connection of {watcher} is lost"));
        self.ledger.lose_flow(watcher);
        let flow = FlowId(watcher as u64);
        self.agent.handle_flow_lost(at(network.now), flow);
    }

    pub fn terminate_all(&mut self, network: &mut Network) {
        self.drain(network);
        let records = self.ledger.records.iter();
        let live: Vec<u64> = records
            .filter(|(_, it)| it.live)
            .map(|(id, _)| *id)
            .collect();
        for id in &live {
            self.ledger.terminate(*id, Reason::NoResource);
        }
        let termination = Termination::new(Reason::NoResource);
        let count = self.agent.terminate_all(at(network.now), termination);
        assert_eq!(count, live.len());
        self.stirred = true;
    }

    // ---- from the agent -------------------------------------------------------------------

    /// Takes everything that the agent has to say; afterwards the host may sleep.
    pub fn drain(&mut self, network: &mut Network) {
        if !self.stirred {
            return;
        }
        self.stirred = false;
        loop {
            if network.dice.chance(self.setting.spurious) {
                let early = network.now - network.dice.roll(SECOND);
                self.agent.handle_timeout(at(early));
            }
            let Some(output) = self.agent.poll_output() else {
                break;
            };
            match output {
                Output::Respond(response) => self.respond(network, &response),
                Output::Send(request) => self.send(network, &request),
                Output::Event(event) => self.event(network, &event),
                other => panic!("{other:?}"),
            }
        }
        // It may have left off to go on when it is woken, which it then wants at once.
        let deadline = self.agent.poll_timeout();
        let goes_on = deadline.is_some_and(|it| it.as_nanos() <= network.now);
        assert!(goes_on || self.agent.poll_output().is_none());
        assert!(self.pending.is_empty(), "unanswered: {:?}", self.pending);
        if self.setting.thorough {
            let slack = self.setting.window.is_none().then(|| self.slack());
            self.ledger.check_idle(network.now, slack);
            self.check_tables();
        }
    }

    /// The agent holds what there is to hold and nothing else.
    fn check_tables(&self) {
        let occupancy = self.agent.occupancy();
        let records = || self.ledger.records.values();
        let states = &self.ledger.states;
        let live = records().filter(|it| it.live).count();
        let held = records().filter(|it| it.held_until.is_some()).count();
        let publications = states.iter().map(|it| it.publications.len()).sum();
        // One who has been told the end counts no more among those who see something.
        let seeing = || records().filter(|it| !it.farewell);
        let variants: BTreeSet<_> = seeing()
            .map(|it| (it.presentity, it.rule, it.entity.as_str()))
            .collect();
        let watchers: BTreeSet<usize> = records().map(|it| it.watcher).collect();
        let used = |place: &usize| {
            let state = &states[*place];
            let watched = seeing().any(|it| it.presentity == *place);
            watched || state.set.is_some() || !state.publications.is_empty()
        };
        let mut expected = occupancy;
        expected.subscriptions = self.ledger.records.len();
        expected.publications = publications;
        expected.resources = (0..states.len()).filter(used).count();
        expected.variants = variants.len();
        expected.watchers = watchers.len();
        expected.sources = 0;
        let flows = records().filter(|it| it.flow && self.setting.flows);
        let flows: BTreeSet<usize> = flows.map(|it| it.watcher).collect();
        expected.flows = flows.len();
        expected.open_notifies = self.open.len();
        expected.jobs = 0;
        if self.setting.window.is_none() {
            expected.outputs = 0;
        }
        assert_eq!(occupancy, expected);
        // Beside these: rounds that are due, and patience that ends on the next tick.
        let least = live + publications;
        let timers = least..=least + held + states.len();
        assert!(
            timers.contains(&occupancy.timers),
            "{occupancy:?} {timers:?}"
        );
    }

    fn respond(&mut self, network: &mut Network, response: &Response) {
        let transaction = response.transaction().0;
        let pending = self.pending.remove(&transaction);
        let pending = pending.expect("one answer to one request");
        let (request, status) = (&pending.request, response.status());
        assert_eq!(status, pending.status, "{request:#?}");
        *self.answers.entry(status).or_default() += 1;
        if let Some(id) = pending.makes {
            self.ledger.begun(id, response.to_tag().expect("a tag"));
        }
        let value = |name| response.fields().find(|it| it.0 == name).map(|it| it.1);
        if let Some(tag) = value("SIP-ETag") {
            self.ledger.published(transaction, tag);
        }
        let method = String::from_utf8_lossy(request.method.as_bytes());
        let target = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
        let fields = fields(&request.headers);
        let view = RequestRef::new(&method, &target, fields, request.body());
        let mut text = Vec::new();
        response.write_to(&view, "", &mut text);
        self.endpoint.respond(network, &pending.key, text);
    }

    fn send(&mut self, network: &mut Network, request: &OutgoingRequest) {
        let value = |name: &str| common::field(request, name).expect("a field");
        let (_, tag) = value("From").split_once(";tag=").expect("a tag");
        let cseq = value("CSeq")
            .split(' ')
            .next()
            .and_then(|it| it.parse().ok());
        let notify = Notify {
            tag,
            cseq: cseq.expect("a number"),
            state: value("Subscription-State"),
            body: request.body(),
        };
        let id = self.ledger.notify(network.now, &notify);
        let record = &self.ledger.records[&id];
        let has_flow = self.setting.flows && record.flow;
        let flow = has_flow.then_some(FlowId(record.watcher as u64));
        assert_eq!(request.flow(), flow);
        let via = self.endpoint.via();
        let mut text = Vec::new();
        request.write_to(&via, &mut text);
        assert_eq!(text.len(), request.encoded_len(via.len()));
        let key = self.endpoint.request(network, text);
        let open = (request.transaction(), id);
        assert!(self.open.insert(key, open).is_none());
    }

    fn event(&mut self, network: &Network, event: &ServerEvent) {
        network.say(|| event.to_string());
        match event {
            ServerEvent::SubscriptionStarted { subject, .. } => self.ledger.started(subject.key),
            ServerEvent::SubscriptionEnded { subject, reason } => {
                let slack = self.slack();
                assert_ne!(*reason, EndReason::NotifyForgotten);
                *self.ends.entry(reason.to_string()).or_default() += 1;
                self.ledger.ended(network.now, subject.key, *reason, slack);
            }
            ServerEvent::PublicationExpired { resource, .. } => {
                let (presentity, slack) = (model::presentity(resource), self.slack());
                self.ledger
                    .publication_expired(network.now, presentity, slack);
            }
            _ => {}
        }
    }

    /// Nothing is left of anything.
    pub fn check_empty(&self) {
        assert!(self.ledger.records.is_empty(), "{:#?}", self.ledger.records);
        assert!(self.ledger.all_ended());
        for state in &self.ledger.states {
            assert!(state.publications.is_empty() && state.set.is_none());
        }
        assert!(self.open.is_empty() && self.pending.is_empty());
        assert_eq!(self.agent.occupancy(), Occupancy::default());
        assert_eq!(self.agent.poll_timeout(), None);
        assert!(self.endpoint.is_idle());
        let counters = self.agent.counters();
        assert_eq!(
            counters.subscriptions_started(),
            counters.subscriptions_ended()
        );
        assert_eq!(counters.notifies_sent(), self.ledger.notifies);
    }
}

fn at(nanos: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_nanos(nanos)
}
