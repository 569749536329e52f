//! The server: the library's agent, its host, and a model of what it was told.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Account, Assurance, Authorization, Decision, EndReason, Failure, Identity, Occupancy, Output,
    PublicationKey, PublishDecision, PublishKind, PublishQuery, Reason, Rejection, RequestContext,
    ServerEvent, SubscribeQuery, SubscriptionKey, View,
};
use presentity::pidf::Presence;
use presentity::presence::{
    Agent, AgentConfig, Migration, Policy, RegisteredContact, RulesPolicy, Watcher, WatcherConfig,
};
use presentity::rules::SubHandling;
use presentity::sip::{NameAddr, OutgoingRequest, RequestRef, Response, ResponseRef};
use presentity::winfo::WatcherInfoConfig;
use sipx_sip::Request;
use sipx_sip::transaction::{Timer, TransactionKey};

use crate::books::{Book, EPOCH, Gives, Mixture, Permit, Said, utc};
use crate::calls::Calls;
use crate::common;
use crate::device::contact_of;
use crate::endpoint::{Endpoint, Incoming, field, fields, uri};
use crate::facts::{Fact, PRIVATE, WORK, class_of, shown};
use crate::forwards::Forwards;
use crate::network::{Network, SECOND};
use crate::node::{answer_text, at, peer};

const CONTACT: &str = "sip:agent@h0.example.net";
const SERVER: &str = "server@example.com";
/// What timers are late.
const LATE: u64 = 2 * SECOND;
/// Far more than there are users here.
const MOST: usize = 400;

/// Presentities publish for themselves; without rules nobody watches.
#[derive(Debug)]
pub struct Owners;

impl Policy for Owners {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Reject(Rejection::Forbidden).into()
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        match query.identity().includes(query.resource()) {
            true => PublishDecision::Allow,
            false => PublishDecision::Forbid,
        }
    }
}

/// A contact as it was registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    pub device: usize,
    pub until: u64,
    pub declares: bool,
}

/// What the server was told of a presentity.
#[derive(Debug, Default)]
pub struct Desk {
    pub name: String,
    pub publications: Vec<(PublicationKey, Fact)>,
    pub sources: BTreeMap<String, (Fact, Option<u64>)>,
    pub contacts: Vec<Registered>,
    /// Devices that said they are no agents.
    pub refused: BTreeSet<usize>,
    /// Devices that are followed on request.
    pub followed: BTreeSet<usize>,
    pub book: Book,
}

impl Desk {
    /// What is said at a time, and what was a moment ago.
    fn said(&self, now: u64, mixture: Mixture) -> Said<'_> {
        let lives = |until: &Option<u64>| until.is_none_or(|until| now < until);
        let sources = self.sources.values().filter(|(_, until)| lives(until));
        let facts = self.publications.iter().map(|(_, fact)| fact);
        let contacts = self.contacts.iter().filter(|it| now < it.until);
        Said {
            facts: facts.chain(sources.map(|(fact, _)| fact)).collect(),
            registered: contacts.count(),
            mixture,
        }
    }
}

pub type Pair = (String, usize);

pub struct Server {
    pub agent: Agent<RulesPolicy<Owners>>,
    pub endpoint: Endpoint,
    pub desks: Vec<Desk>,
    pub watchers: Vec<String>,
    pub mixture: Mixture,
    interval: u64,
    pub give_up_after: u64,
    pub follows_agents: bool,
    pub draining: bool,
    /// The wall clock is ahead by so many seconds, if it was ever set.
    pub clock: Option<i64>,
    pub pending: BTreeMap<u64, (TransactionKey, Request)>,
    requests: u64,
    sent: HashMap<TransactionKey, ClientTransaction>,
    pub forwards: Forwards,
    calls: Calls,
    /// What the presentity has decided of one who waits.
    pub decided: BTreeMap<Pair, Permit>,
    undecided: BTreeMap<SubscriptionKey, Pair>,
    /// Those who ran out undecided, and when they are given up.
    pub waiting: BTreeMap<Pair, u64>,
    /// The publication that is being dealt with.
    body: Option<Fact>,
    pub notifies: u64,
    pub ends: BTreeMap<String, u64>,
}

impl Server {
    pub fn new(seed: u64, names: &[String], watchers: &[String], network: &mut Network) -> Self {
        let dice = &mut network.dice;
        let interval = if dice.chance(300) { 1 } else { 5 };
        let follows_agents = dice.chance(600);
        let give_up_after = if dice.chance(500) { 2_400 } else { 604_800 };
        let mut config = AgentConfig::default();
        config.domains = vec!["example.com".into()];
        config.server.notify_interval = Duration::from_secs(interval);
        config.migration = Migration::ToDeclared;
        config.follows_agents = follows_agents;
        let policy = RulesPolicy::new(Owners);
        let mut agent = Agent::new(config, policy, common::seeded(seed ^ 0xa6e7));
        let mut info = WatcherInfoConfig::default();
        info.server.role = 10;
        info.server.notify_interval = Duration::from_secs(interval);
        info.give_up_after = Duration::from_secs(give_up_after);
        info.entries_per_document = [2, 1_000][dice.roll(2) as usize];
        info.terminated_per_resource = [1, 1_000][dice.roll(2) as usize];
        let served = agent.serve_watcher_info(info, common::seeded(seed ^ 0x1f0));
        served.expect("a free role");
        let mut watcher = WatcherConfig::default();
        watcher.subscriber.expires = Some(600);
        let watcher = Watcher::new(watcher, common::seeded(seed ^ 0xbac));
        let account = Account::new(&format!("sip:{SERVER}")).expect("an account");
        let account = account.with_contact(CONTACT).expect("a contact");
        let given = agent.set_back_end(at(network), watcher, &account);
        given.expect("a free role");
        let desks = names.iter().map(|name| Desk {
            name: name.clone(),
            ..Desk::default()
        });
        Self {
            agent,
            endpoint: Endpoint::new(0),
            desks: desks.collect(),
            watchers: watchers.to_vec(),
            mixture: Mixture::default(),
            interval: interval * SECOND,
            give_up_after: give_up_after * SECOND,
            follows_agents,
            draining: false,
            clock: None,
            pending: BTreeMap::new(),
            requests: 0,
            sent: HashMap::new(),
            forwards: Forwards::default(),
            calls: Calls::default(),
            decided: BTreeMap::new(),
            undecided: BTreeMap::new(),
            waiting: BTreeMap::new(),
            body: None,
            notifies: 0,
            ends: BTreeMap::new(),
        }
    }

    // ---- from the network -------------------------------------------------------------------

    pub fn wakes_at(&self) -> Option<u64> {
        Some(self.agent.poll_timeout()?.as_nanos())
    }

    pub fn wake(&mut self, network: &mut Network) {
        for _ in 0..1_000 {
            self.agent.handle_timeout(at(network));
            self.settle(network);
            if self.wakes_at().is_none_or(|next| next > network.now) {
                return;
            }
        }
        panic!("the deadline stays in the past");
    }

    pub fn message(&mut self, network: &mut Network, from: usize, bytes: Bytes) {
        let incoming = self.endpoint.message(network, from, bytes);
        self.take(network, incoming);
    }

    pub fn timer(&mut self, network: &mut Network, key: &TransactionKey, timer: Timer) {
        let incoming = self.endpoint.timer(network, key, timer);
        self.take(network, incoming);
    }

    fn take(&mut self, network: &mut Network, incoming: Option<Incoming>) {
        let now = at(network);
        match incoming {
            None => return,
            Some(Incoming::Request(key, request)) => {
                self.requests += 1;
                self.pending.insert(self.requests, (key, request));
                self.hand_in(network, self.requests);
            }
            Some(Incoming::Response(key, response)) => {
                if let Some(transaction) = self.sent.remove(&key) {
                    let none = Bytes::new();
                    let status = response.status.code();
                    let response = ResponseRef::new(status, fields(&response.headers), &none);
                    self.agent.handle_response(now, transaction, &response);
                } else {
                    self.forwarded(network, &key, Some(&response));
                }
            }
            Some(Incoming::Timeout(key)) => match self.sent.remove(&key) {
                Some(transaction) => {
                    self.agent
                        .handle_failure(now, transaction, Failure::Timeout);
                }
                None => self.forwarded(network, &key, None),
            },
            Some(Incoming::Failure(key)) => panic!("{key:?}"),
        }
        self.settle(network);
    }

    pub fn hand_in(&mut self, network: &Network, number: u64) {
        let (_, request) = &self.pending[&number];
        let headers = &request.headers;
        let method = String::from_utf8(request.method.as_bytes().to_vec()).expect("text");
        let target = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
        let from = uri(headers, "From").expect("a URI");
        let to = uri(headers, "To").expect("a URI");
        if method == "SUBSCRIBE" {
            let call_id = field(headers, "Call-ID").expect("one");
            self.calls.asked(call_id, &from, &to);
        }
        self.body = None;
        if method == "PUBLISH" && !request.body().is_empty() {
            let document = Presence::read(request.body()).expect("a document");
            let note = &document.tuples[0].notes[0].text;
            let parts: Vec<&str> = note.split(':').collect();
            let sphere = shown(&document)
                .into_iter()
                .find_map(|word| match word.as_str() {
                    "sphere work" => Some("work"),
                    "sphere home" => Some("home"),
                    _ => None,
                });
            self.body = Some(Fact {
                origin: parts[0].to_owned(),
                class: if parts[1] == WORK { WORK } else { PRIVATE },
                mark: parts[2].parse().expect("a number"),
                sphere,
            });
        }
        let identity = Identity::of(&from, Assurance::Digest).expect("a user");
        let context = RequestContext::new(&identity, CONTACT);
        let view = RequestRef::new(&method, &target, fields(headers), request.body());
        let transaction = ServerTransaction(number);
        let taken = self
            .agent
            .handle_request(at(network), transaction, &view, &context);
        taken.expect("no backlog");
    }

    // ---- from the application ---------------------------------------------------------------

    fn utc_now(&self, now: u64) -> Option<i64> {
        Some(EPOCH + (now / SECOND) as i64 + self.clock?)
    }

    pub fn seconds(&self, network: &Network) -> i64 {
        self.utc_now(network.now).unwrap_or(EPOCH)
    }

    pub fn set_clock(&mut self, network: &mut Network, ahead: i64) {
        self.clock = Some(ahead);
        let seconds = self.seconds(network);
        self.agent.set_wall_clock(at(network), utc(seconds));
        self.settle(network);
    }

    /// From now on these rules hold, and nothing of those before.
    pub fn set_book(&mut self, network: &mut Network, presentity: usize, book: Book) {
        let desk = &mut self.desks[presentity];
        network.say(|| format!("rules of {}: {book:?}", desk.name));
        let rules = book.compiled();
        desk.book = book;
        let set = self.agent.set_rules(at(network), &desk.name, rules);
        set.expect("a presentity");
        self.settle(network);
    }

    /// The presentity decides about one who waits.
    pub fn decide(&mut self, network: &mut Network, pair: &Pair, decision: Decision) {
        let now = network.now;
        if self.permit(now, pair).handling != SubHandling::Confirm {
            return;
        }
        let (handling, gives) = match &decision {
            Decision::Allow(_) => (SubHandling::Allow, Gives::EVERYTHING),
            Decision::PoliteBlock => (SubHandling::PoliteBlock, Gives::default()),
            _ => (SubHandling::Block, Gives::default()),
        };
        let name = &self.desks[pair.1].name;
        network.say(|| format!("{name} decides of {}: {decision:?}", pair.0));
        self.decided
            .insert(pair.clone(), Permit { handling, gives });
        self.waiting.remove(pair);
        let decided = self
            .agent
            .decide_watcher(at(network), &pair.0, name, &decision);
        decided.expect("a presentity");
        self.settle(network);
    }

    pub fn register(&mut self, network: &mut Network, presentity: usize, all: &[Registered]) {
        let now = at(network);
        let desk = &mut self.desks[presentity];
        network.say(|| format!("registered for {}: {all:?}", desk.name));
        desk.contacts = all.to_vec();
        desk.refused
            .retain(|device| all.iter().any(|it| it.device == *device));
        let contacts = all.iter().map(|it| {
            let contact = contact_of(it.device);
            let params = match it.declares {
                true => "methods=\"SUBSCRIBE,MESSAGE\";events=\"presence\"",
                false => "methods=\"MESSAGE\";q=0.5",
            };
            let text = format!("<{contact}>;{params}");
            let expires_at = Timestamp::ZERO + Duration::from_nanos(it.until);
            let contact = NameAddr::parse(&text).expect("a contact");
            RegisteredContact::read(&contact, expires_at).expect("a contact")
        });
        let contacts: Vec<RegisteredContact> = contacts.collect();
        let owner = Identity::of(&format!("sip:{}", desk.name), Assurance::Digest);
        let owner = owner.expect("a user");
        let set = self
            .agent
            .set_registration(now, &desk.name, &owner, &contacts);
        set.expect("contacts");
        self.settle(network);
    }

    pub fn set_source(
        &mut self,
        network: &mut Network,
        presentity: usize,
        fact: Fact,
        lasts: Option<u64>,
    ) {
        let desk = &mut self.desks[presentity];
        network.say(|| format!("source of {}: {fact:?}, {lasts:?}", desk.name));
        let document = fact.document("sip:x@example.com");
        let until = lasts.map(|time| network.now + time.max(SECOND));
        let origin = fact.origin.clone();
        desk.sources.insert(origin.clone(), (fact, until));
        let lasts = lasts.map(Duration::from_nanos);
        let set = self
            .agent
            .set_source(at(network), &desk.name, &origin, document, lasts);
        set.expect("a source");
        self.settle(network);
    }

    pub fn remove_source(&mut self, network: &mut Network, presentity: usize, name: &str) {
        let desk = &mut self.desks[presentity];
        desk.sources.remove(name);
        let removed = self.agent.remove_source(at(network), &desk.name, name);
        removed.expect("a presentity");
        self.settle(network);
    }

    pub fn follow(&mut self, network: &mut Network, presentity: usize, device: usize, on: bool) {
        let desk = &mut self.desks[presentity];
        network.say(|| format!("{} follows {device}: {on}", desk.name));
        let contact = contact_of(device);
        if on {
            desk.followed.insert(device);
            let done = self.agent.follow_source(at(network), &desk.name, &contact);
            done.expect("a source");
        } else if desk.followed.remove(&device) {
            let done = self
                .agent
                .unfollow_source(at(network), &desk.name, &contact);
            done.expect("a presentity");
        }
        self.settle(network);
    }

    pub fn mix(&mut self, network: &mut Network, mixture: Mixture) {
        network.say(|| format!("{mixture:?}"));
        self.mixture = mixture;
        self.agent.set_composition(at(network), mixture);
        self.settle(network);
    }

    pub fn drain(&mut self, network: &mut Network, seconds: u64, target: Option<&str>) {
        self.draining = true;
        let over = Duration::from_secs(seconds);
        let drained = self.agent.drain(at(network), over, target, 20);
        drained.expect("a target");
        self.settle(network);
    }

    pub fn stop_draining(&mut self, network: &mut Network) {
        assert_eq!(
            self.agent.stop_draining(),
            core::mem::take(&mut self.draining)
        );
        self.settle(network);
    }

    // ---- from the agent ---------------------------------------------------------------------

    pub fn settle(&mut self, network: &mut Network) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Respond(response) => self.respond(network, &response),
                Output::Send(request) => self.send(network, &request),
                Output::Event(event) => self.event(network, &event),
                Output::Forward(forward) => self.forward(network, &forward),
                other => panic!("{other:?}"),
            }
        }
        self.look(network.now);
        let full = self.agent.occupancy();
        let few = [full.subscriptions, full.publications, full.variants];
        let more = [full.outputs, full.timers, full.open_notifies];
        let all = few.into_iter().chain(more);
        assert!(all.max() < Some(MOST), "{full:?}");
    }

    fn respond(&mut self, network: &mut Network, response: &Response) {
        let pending = self.pending.remove(&response.transaction().0);
        let (key, request) = pending.expect("one answer to one request");
        let text = answer_text(&request, response);
        self.endpoint.respond(network, &key, text);
    }

    fn send(&mut self, network: &mut Network, request: &OutgoingRequest) {
        if request.method() == "NOTIFY" {
            self.notifies += 1;
            self.check_notify(network, request);
        }
        let transport = self.endpoint.transport(network, peer(request));
        let via = self.endpoint.via(transport);
        let mut text = Vec::new();
        request.write_to(&via, &mut text);
        let key = self.endpoint.request(network, text);
        assert!(self.sent.insert(key, request.transaction()).is_none());
    }

    pub fn presentity(&self, name: &str) -> usize {
        let place = self.desks.iter().position(|desk| desk.name == name);
        place.expect("a presentity")
    }

    fn event(&mut self, network: &mut Network, event: &ServerEvent) {
        network.say(|| format!("0: {event}"));
        match event {
            ServerEvent::SubscriptionStarted { subject, decision }
            | ServerEvent::SubscriptionChanged { subject, decision } => {
                let watcher = subject.watcher.as_deref().expect("somebody");
                self.calls.changed(watcher, &subject.resource);
                let pair = (watcher.to_owned(), self.presentity(&subject.resource));
                match decision {
                    Decision::Pending => {
                        self.undecided.insert(subject.key, pair.clone());
                    }
                    _ => {
                        self.undecided.remove(&subject.key);
                    }
                }
                let is_new = matches!(event, ServerEvent::SubscriptionStarted { .. });
                if is_new && !matches!(decision, Decision::Reject(_)) {
                    self.waiting.remove(&pair);
                }
            }
            ServerEvent::SubscriptionEnded { subject, reason } => {
                *self.ends.entry(reason.to_string()).or_default() += 1;
                let decided = match reason {
                    EndReason::Rejected => true,
                    EndReason::Terminated(reason) => {
                        !matches!(reason, Reason::Timeout | Reason::Invariant)
                    }
                    _ => false,
                };
                let pair = self.undecided.remove(&subject.key);
                if let Some(pair) = pair.filter(|_| !decided) {
                    let until = network.now + self.give_up_after;
                    self.waiting.insert(pair, until);
                }
            }
            ServerEvent::Published {
                key,
                resource,
                kind,
            } => {
                let place = self.presentity(resource);
                let publications = &mut self.desks[place].publications;
                let known = publications.iter().position(|(other, _)| other == key);
                match (kind, known) {
                    (PublishKind::Initial, None) => {
                        publications.push((*key, self.body.take().expect("a body")));
                    }
                    (PublishKind::Modify, Some(known)) => {
                        publications[known].1 = self.body.take().expect("a body");
                    }
                    (PublishKind::Refresh, Some(_)) => {}
                    (PublishKind::Remove, Some(known)) => {
                        publications.remove(known);
                    }
                    other => panic!("{other:?}"),
                }
            }
            ServerEvent::PublicationExpired { key, resource }
            | ServerEvent::PublicationReplaced { key, resource } => {
                let place = self.presentity(resource);
                let publications = &mut self.desks[place].publications;
                publications.retain(|(other, _)| other != key);
            }
            _ => {}
        }
    }

    // ---- what must be true ------------------------------------------------------------------

    /// What the rules say of a watcher at this time.
    pub fn permit(&self, now: u64, (watcher, presentity): &Pair) -> Permit {
        let desk = &self.desks[*presentity];
        let sphere = desk.said(now, self.mixture).sphere();
        desk.book.permit(watcher, sphere, self.utc_now(now))
    }

    pub fn said(&self, now: u64, presentity: usize) -> Said<'_> {
        self.desks[presentity].said(now, self.mixture)
    }

    /// What was decided holds for as long as the rules leave it to the presentity.
    fn look(&mut self, now: u64) {
        for presentity in 0..self.desks.len() {
            let desk = &mut self.desks[presentity];
            desk.sources
                .retain(|_, (_, until)| until.is_none_or(|until| now < until + LATE));
            let watchers = self.watchers.clone();
            for watcher in watchers {
                let pair = (watcher, presentity);
                let permit = self.permit(now, &pair);
                if permit.handling != SubHandling::Confirm {
                    self.decided.remove(&pair);
                    self.waiting.remove(&pair);
                }
            }
        }
        self.waiting.retain(|_, until| now < *until);
    }

    /// A NOTIFY shows what may be seen and nothing else.
    fn check_notify(&mut self, network: &Network, request: &OutgoingRequest) {
        let value = |name: &str| common::field(request, name).expect("a field");
        let named = |name: &str| {
            let (_, uri) = value(name).split_once("<sip:").expect("a URI");
            uri.split_once('>').expect("a URI").0.to_owned()
        };
        let state = value("Subscription-State");
        self.calls
            .notified(network.now, value("Call-ID"), state, self.interval);
        if value("Event") != "presence" {
            let program = named("To");
            assert_eq!(program, named("From"), "watcher information");
            return;
        }
        if request.body().is_empty() {
            return;
        }
        let document = Presence::read(request.body()).expect("a document");
        let presentity = named("From");
        assert_eq!(document.entity, format!("sip:{presentity}"));
        let pair = (named("To"), self.presentity(&presentity));
        let words = shown(&document);
        network.say(|| format!("{} is shown of {presentity}: {words:?}", pair.0));
        // What time alone has changed may be late; what the agent was told may not.
        let (now, earlier) = (network.now, network.now.saturating_sub(LATE));
        let desk = &self.desks[pair.1];
        let certain = desk.said(now, self.mixture);
        let possible = desk.said(earlier, self.mixture);
        let mut permits = Vec::new();
        for sphere in [certain.sphere(), possible.sphere()] {
            for time in [now, earlier] {
                let utc = self.utc_now(time);
                permits.push(desk.book.permit(&pair.0, sphere, utc));
            }
        }
        let confirms = permits.iter().any(|it| it.handling == SubHandling::Confirm);
        permits.extend(self.decided.get(&pair).filter(|_| confirms));
        let fits = permits
            .iter()
            .any(|permit| fits(&words, *permit, &certain, &possible));
        assert!(
            fits,
            "{} is shown {words:?} of {presentity}: {permits:?}, {certain:?}",
            pair.0
        );
    }

    /// Nothing is left of anything.
    pub fn check_empty(&self) {
        let info = self.agent.watcher_info().expect("it is served");
        for level in 1..=2 {
            assert_eq!(info.occupancy(level), Some(Occupancy::default()), "{level}");
        }
        let back_end = self.agent.back_end().expect("a back end");
        assert_eq!(back_end.occupancy(), [0; 8]);
        assert_eq!(self.agent.occupancy(), Occupancy::default());
        assert_eq!(self.agent.poll_timeout(), None);
        assert!(self.pending.is_empty() && self.sent.is_empty());
        assert!(self.endpoint.is_idle() && self.forwards.is_empty());
        assert!(self.undecided.is_empty());
        let counters = self.agent.counters();
        let ended = counters.subscriptions_ended();
        assert_eq!(counters.subscriptions_started(), ended);
    }

    /// How a subscription stands that the agent has of a watcher.
    pub fn decisions(&self, (watcher, presentity): &Pair) -> Vec<Decision> {
        let name = &self.desks[*presentity].name;
        let all = self.agent.subscriptions();
        let all = all.filter(|it| it.watcher == Some(watcher) && it.resource == name);
        all.map(|it| it.decision.clone()).collect()
    }
}

/// Whether these words may be seen: of what devices said to the agent, no more than their class allows.
fn fits(words: &[String], permit: Permit, certain: &Said<'_>, possible: &Said<'_>) -> bool {
    let (Some(certain), Some(possible)) = (certain.shown(permit), possible.shown(permit)) else {
        return false;
    };
    let is_shown = permit.handling == SubHandling::Allow;
    let (devices, rest): (Vec<&String>, Vec<&String>) =
        words.iter().partition(|word| word.starts_with("dev"));
    let gives = permit.gives;
    let may = is_shown && gives.shows_notes();
    if !devices
        .iter()
        .all(|word| may && gives.shows_class(class_of(word)))
    {
        return false;
    }
    let mut most = possible;
    if is_shown && !gives.shows_notes() {
        // Devices whose notes are not seen.
        most.extend((0..6).map(|_| "-".to_owned()));
    }
    let rest: Vec<String> = rest.into_iter().cloned().collect();
    is_within(&certain, &rest) && is_within(&rest, &most)
}

/// Whether each word is among the others, as often.
fn is_within(words: &[String], others: &[String]) -> bool {
    let count = |all: &[String], word: &String| all.iter().filter(|it| *it == word).count();
    words
        .iter()
        .all(|word| count(words, word) <= count(others, word))
}

/// The presentity lets everybody see everything who waits.
pub fn allow() -> Decision {
    Decision::Allow(View::full())
}

pub fn is_server(watcher: Option<&str>) -> bool {
    watcher == Some(SERVER)
}
