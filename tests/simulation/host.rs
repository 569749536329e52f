//! The agent and its host: messages in, messages out, and nothing of SIP decided here.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use presentity::engine::{ClientTransaction, FlowId, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, EndReason, Failure, Identity, Occupancy, Output, RequestContext, ServerEvent,
};
use presentity::presence::{Agent, AgentConfig};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};
use sipx_sip::Request;
use sipx_sip::transaction::{Timer, TransactionKey};

use crate::common;
use crate::endpoint::{Endpoint, Incoming, answer, field, fields, number, tag, uri};
use crate::errands::Errand;
use crate::lateness::Lateness;
use crate::ledger::{Ledger, Notify, Outcome};
use crate::manners::Manners;
use crate::model::{self, Rules};
use crate::network::{Network, SECOND};
use crate::terms::{AskedTerms, Condition, Filter, PIDF_DIFF, Pace};
use crate::verdict::{Asked, Done, Verdict};

const CONTACT: &str = "sip:agent@h0.example.net";
/// Addresses from here on are of a crowd: its messages take no time and are never lost.
pub const CROWD: usize = 1_000_000;

#[derive(Debug)]
struct Pending {
    /// Nothing for one of a crowd.
    received: Option<(TransactionKey, Request)>,
    verdict: Verdict,
}

/// A NOTIFY whose outcome is awaited.
#[derive(Debug, Clone, Copy)]
struct Sent {
    transaction: ClientTransaction,
    open: u64,
}

pub struct Host {
    pub agent: Agent<Rules>,
    pub endpoint: Endpoint,
    pub ledger: Ledger,
    pub manners: Manners,
    pending: BTreeMap<u64, Pending>,
    requests: u64,
    /// How often each status was answered, and each reason ended a subscription.
    pub answers: BTreeMap<u16, u64>,
    pub ends: BTreeMap<String, u64>,
    pub course: HostCourse,
    sent: HashMap<TransactionKey, Sent>,
    /// The same by their numbers in the ledger.
    pub keys: BTreeMap<u64, TransactionKey>,
    /// Those that credentials are waited for, by their number.
    pub challenged: BTreeMap<u64, u64>,
    /// Server transactions that the application is yet to be asked about.
    pub deferring: VecDeque<u64>,
    pub errands: BTreeMap<u64, Errand>,
    pub next_errand: u64,
    /// There may be outputs.
    pub stirred: bool,
    /// Its clock is ahead of the true time by so much.
    pub skew: i64,
    /// The latest time that the agent was told.
    pub reached: u64,
    /// It takes no outputs before this true time; since when.
    pub stalled: Option<(u64, u64)>,
    drains: u64,
}

/// What the host has met with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostCourse {
    pub backlogs: u64,
    /// Polls that ended before they were through.
    pub interrupted: u64,
    pub strays: u64,
    pub credentials: u64,
    pub jobs_done: u64,
    pub jobs_over: u64,
    pub flows_lost: u64,
    pub most_live: usize,
}

impl Host {
    pub fn new(manners: Manners, seed: u64, presentities: usize) -> Self {
        let mut config = AgentConfig::default();
        config.domains = vec!["example.com".into()];
        config.server.timers_per_call = manners.timers_per_call;
        config.server.limits = manners.bounds.limits();
        config.server.window = manners.window.unwrap_or(config.server.window);
        let lateness = Lateness::new(manners.lateness + manners.crowded, manners.window.is_some());
        let (limits, window) = (config.server.limits.clone(), config.server.window);
        Self {
            agent: Agent::new(config, Rules::default(), common::seeded(seed)),
            endpoint: Endpoint::new(0),
            ledger: Ledger::new(presentities, limits, window, lateness),
            manners,
            pending: BTreeMap::new(),
            requests: 0,
            answers: BTreeMap::new(),
            ends: BTreeMap::new(),
            course: HostCourse::default(),
            sent: HashMap::new(),
            keys: BTreeMap::new(),
            challenged: BTreeMap::new(),
            deferring: VecDeque::new(),
            errands: BTreeMap::new(),
            next_errand: 0,
            stirred: false,
            skew: 0,
            reached: 0,
            stalled: None,
            drains: 0,
        }
    }

    // ---- its clock --------------------------------------------------------------------------

    /// What its clock says; the agent is told at once.
    pub fn at(&mut self, network: &Network) -> Timestamp {
        let now = network.now.saturating_add_signed(self.skew);
        self.reached = self.reached.max(now);
        Timestamp::ZERO + Duration::from_nanos(now)
    }

    /// When it wakes, in true time.
    pub fn wakes_at(&self) -> Option<u64> {
        if let Some((_, until)) = self.stalled {
            return Some(until);
        }
        let deadline = self.agent.poll_timeout()?.as_nanos();
        let true_time = deadline.saturating_add_signed(-self.skew);
        Some(true_time.saturating_add(self.manners.lateness))
    }

    pub fn tick(&mut self, now: Timestamp) {
        let before = self.agent.counters().notifies_failed();
        self.agent.handle_timeout(now);
        let failed = self.agent.counters().notifies_failed() - before;
        self.ledger.forgotten(self.reached, failed);
        self.stirred = true;
    }

    /// The agent's deadline has come, or the host goes on.
    pub fn wake(&mut self, network: &mut Network) {
        let now = self.at(network);
        if let Some((since, until)) = self.stalled {
            if network.now < until {
                return;
            }
            self.stalled = None;
            self.ledger.lateness.was_blind(since, self.reached);
        }
        // A timer may move through several wheels.
        let most = 100 + 6 * self.agent.occupancy().timers;
        for _ in 0..most {
            self.tick(now);
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

    // ---- from the network -------------------------------------------------------------------

    pub fn message(&mut self, network: &mut Network, from: usize, bytes: Bytes) {
        let incoming = self.endpoint.message(network, from, bytes);
        self.take(network, incoming);
    }

    pub fn timer(&mut self, network: &mut Network, key: &TransactionKey, timer: Timer) {
        let incoming = self.endpoint.timer(network, key, timer);
        self.take(network, incoming);
    }

    pub fn take(&mut self, network: &mut Network, incoming: Option<Incoming>) {
        match incoming {
            None => return,
            Some(Incoming::Request(key, request)) => self.request(network, key, request),
            Some(Incoming::Response(key, response)) => {
                let status = response.status.code();
                let Some(sent) = self.sent.remove(&key) else {
                    return;
                };
                let retry_after = number(&response.headers, "Retry-After");
                let is_challenge = field(&response.headers, "WWW-Authenticate").is_some();
                let outcome = if is_challenge && self.ledger.may_be_challenged(sent.open) {
                    self.challenged.insert(sent.transaction.as_u64(), sent.open);
                    Outcome::Challenged
                } else {
                    Outcome::Answered(status, retry_after)
                };
                let body = Bytes::new();
                let response = ResponseRef::new(status, fields(&response.headers), &body);
                self.report(network, sent, outcome, |agent, now| {
                    agent.handle_response(now, sent.transaction, &response);
                });
            }
            Some(Incoming::Timeout(key)) => self.fail(network, &key, Failure::Timeout),
            Some(Incoming::Failure(key)) => self.fail(network, &key, Failure::Transport),
        }
        self.stirred = true;
        if self.stalled.is_some() {
            if network.dice.chance(100) {
                let now = self.at(network);
                self.tick(now);
            }
        } else if !network.dice.chance(self.manners.lazy) {
            self.drain(network);
        }
    }

    fn fail(&mut self, network: &mut Network, key: &TransactionKey, failure: Failure) {
        let Some(sent) = self.sent.remove(key) else {
            return;
        };
        self.report_failure(network, sent, failure);
    }

    fn report_failure(&mut self, network: &mut Network, sent: Sent, failure: Failure) {
        network.say(|| format!("no answer to a NOTIFY: {failure:?}"));
        let outcome = match failure {
            Failure::Transport => Outcome::Unsent,
            _ => Outcome::Unanswered,
        };
        self.report(network, sent, outcome, |agent, now| {
            agent.handle_failure(now, sent.transaction, failure);
        });
    }

    /// Says what became of a NOTIFY, which the agent takes once and while it waits for it.
    fn report(
        &mut self,
        network: &mut Network,
        sent: Sent,
        outcome: Outcome,
        tell: impl Fn(&mut Agent<Rules>, Timestamp),
    ) {
        let now = self.at(network);
        self.keys.remove(&sent.open);
        let awaited = self.ledger.outcome(self.reached, sent.open, outcome);
        let before = self.agent.counters().stray_outcomes();
        tell(&mut self.agent, now);
        let strays = self.agent.counters().stray_outcomes() - before;
        assert_eq!(strays, u64::from(!awaited), "{sent:?} {outcome:?}");
        if network.dice.chance(self.manners.spurious) {
            tell(&mut self.agent, now);
            assert_eq!(
                self.agent.counters().stray_outcomes() - before,
                strays + 1,
                "taken twice"
            );
        }
        self.course.strays += strays;
    }

    fn request(&mut self, network: &mut Network, key: TransactionKey, request: Request) {
        let headers = &request.headers;
        let from = model::address(&uri(headers, "From").expect("a URI"));
        let to = uri(headers, "To").expect("a URI");
        let method = String::from_utf8(request.method.as_bytes().to_vec()).expect("text");
        let condition = match method.as_str() {
            "PUBLISH" => field(headers, "SIP-If-Match").map(str::to_owned),
            _ => tag(headers, "To"),
        };
        let credentials = number(headers, "Authorization");
        let asked = Asked {
            from,
            known: !self.manners.digest || credentials == Some(network.nonce),
            presentity: model::presentity(&to),
            entity: to,
            call_id: field(headers, "Call-ID").expect("one").to_owned(),
            tag: condition,
            cseq: number(headers, "CSeq").expect("a number"),
            // Nobody gets more.
            expires: number(headers, "Expires").expect("a number").min(3600),
            flow: self.manners.flows.then(|| network.path(from)),
            terms: terms_of(&method, &request),
        };
        let target = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
        let view = RequestRef::new(&method, &target, fields(headers), request.body());
        if let Some((transaction, verdict)) = self.hand_in(network, &view, asked) {
            let received = Some((key, request));
            let pending = Pending { received, verdict };
            self.pending.insert(transaction, pending);
            return;
        }
        self.course.backlogs += 1;
        *self.answers.entry(503).or_default() += 1;
        let text = answer(&request, 503, "Retry-After: 10\r\n");
        self.endpoint.respond(network, &key, text);
    }

    /// Gives a request to the agent and says what is to come of it; nothing if it has a backlog.
    fn hand_in(
        &mut self,
        network: &mut Network,
        view: &RequestRef<'_>,
        asked: Asked,
    ) -> Option<(u64, Verdict)> {
        let identity = if asked.known {
            Identity::of(&model::user(asked.from), Assurance::Digest).expect("a user")
        } else {
            Identity::nobody()
        };
        let mut context = RequestContext::new(&identity, CONTACT);
        if let Some(flow) = asked.flow {
            context = context.with_flow(FlowId(flow));
        }
        let now = self.at(network);
        self.requests += 1;
        let transaction = self.requests;
        let count = |agent: &Agent<Rules>| {
            let counters = agent.counters();
            let taken = counters.subscriptions_started() + counters.publications_taken();
            (taken, agent.occupancy().jobs)
        };
        let (taken, jobs) = count(&self.agent);
        let held = self.agent.occupancy().subscriptions;
        let outputs = self.agent.occupancy().outputs;
        let handed = ServerTransaction(transaction);
        if let Err(backlog) = self.agent.handle_request(now, handed, view, &context) {
            assert_eq!(backlog.retry_after, 10);
            assert!(outputs >= self.ledger.limits.outputs, "{outputs}");
            assert_eq!(count(&self.agent), (taken, jobs));
            return None;
        }
        // Beside what is finished or owed, rounds may wait.
        let most = self.ledger.limits.outputs + self.ledger.states.len();
        assert!(
            outputs < most || self.manners.window.is_some(),
            "taken in spite of a backlog: {outputs}"
        );
        let done = Done {
            taken: count(&self.agent).0 > taken,
            deferred: count(&self.agent).1 > jobs,
            removed: self.agent.occupancy().subscriptions < held,
        };
        let now = self.reached;
        let verdict = if view.method() == "SUBSCRIBE" {
            self.ledger.subscribe(now, asked, done)
        } else {
            let body = view.body();
            let mark = (!body.is_empty()).then(|| model::mark_of(body));
            let ledger = &mut self.ledger;
            ledger.publish(now, transaction, &asked, mark, done)
        };
        if done.deferred {
            self.deferring.push_back(transaction);
        }
        Some((transaction, verdict))
    }

    /// One of a crowd subscribes.
    pub fn subscribe_of_crowd(&mut self, network: &mut Network, number: usize, presentity: usize) {
        let from = CROWD + number;
        let (user, call_id) = (model::user(from), format!("crowd-{number}"));
        let uri = format!("sip:{}", model::name(presentity));
        let (from_field, to) = (format!("<{user}>;tag=c{number}"), format!("<{uri}>"));
        let contact = format!("<{user}>");
        let headers = [
            ("From", from_field.as_str()),
            ("To", &to),
            ("Call-ID", &call_id),
            ("CSeq", "1 SUBSCRIBE"),
            ("Contact", &contact),
            ("Event", "presence"),
            ("Expires", "3600"),
        ];
        let asked = Asked {
            from,
            known: true,
            presentity,
            entity: uri.clone(),
            call_id: call_id.clone(),
            tag: None,
            cseq: 1,
            expires: 3600,
            flow: None,
            terms: AskedTerms::ORDINARY,
        };
        let body = Bytes::new();
        let view = RequestRef::new("SUBSCRIBE", &uri, headers, &body);
        let (transaction, verdict) = self.hand_in(network, &view, asked).expect("no backlog");
        let received = None;
        self.pending
            .insert(transaction, Pending { received, verdict });
        self.stirred = true;
        self.drain(network);
    }

    // ---- from the agent ---------------------------------------------------------------------

    /// Takes everything that the agent has to say; afterwards the host may sleep.
    pub fn drain(&mut self, network: &mut Network) {
        if !self.stirred || self.stalled.is_some() {
            return;
        }
        self.stirred = false;
        loop {
            if network.dice.chance(self.manners.spurious) {
                let early = self.reached - network.dice.roll(SECOND);
                self.tick(Timestamp::from_nanos(early));
            }
            let Some(output) = self.agent.poll_output() else {
                break;
            };
            match output {
                Output::Respond(response) => {
                    assert_ne!(response.status(), 401);
                    self.respond(network, &response, "");
                }
                Output::Challenge(response) => {
                    assert_eq!(response.status(), 401);
                    let challenge = format!("WWW-Authenticate: {}\r\n", network.nonce);
                    self.respond(network, &response, &challenge);
                }
                Output::Send(request) => self.send(network, &request),
                Output::Event(event) => self.event(network, &event),
                Output::NeedCredentials(need) => self.give_credentials(network, &need),
                Output::Job(job) => self.begin_job(network, &job),
                other => panic!("{other:?}"),
            }
        }
        self.stirred = false;
        // It may have left off to go on when it is woken, which it then wants at once.
        let deadline = self.agent.poll_timeout();
        let goes_on = deadline.is_some_and(|it| it.as_nanos() <= self.reached);
        let has_more = goes_on && self.manners.window.is_none();
        self.course.interrupted += u64::from(has_more && self.agent.occupancy().outputs > 0);
        assert!(goes_on || self.agent.poll_output().is_none());
        let deferred = self.ledger.deferred.len();
        assert!(self.deferring.is_empty());
        assert_eq!(
            self.pending.len(),
            deferred,
            "unanswered: {:?}",
            self.pending
        );
        let leaves_off = goes_on && self.agent.occupancy().outputs > 0;
        self.ledger.check_idle(self.reached, leaves_off);
        self.drains += 1;
        if self.ledger.states.len() < 10 || self.drains.is_multiple_of(64) {
            self.check_tables(goes_on);
        }
    }

    /// The agent holds what there is to hold and nothing else.
    fn check_tables(&self, goes_on: bool) {
        let occupancy = self.agent.occupancy();
        let ledger = &self.ledger;
        let (states, tally) = (&ledger.states, &ledger.tally);
        let publications = states.iter().map(|it| it.publications.len()).sum();
        let used = |place: &usize| {
            let state = &states[*place];
            tally.of_presentity(*place) > 0
                || state.set.is_some()
                || !state.publications.is_empty()
                || ledger.is_deferred_for(*place)
        };
        let mut expected = occupancy;
        expected.subscriptions = tally.held;
        expected.publications = publications;
        expected.resources = (0..states.len()).filter(used).count();
        expected.variants = tally.variants();
        expected.watchers = tally.watchers();
        expected.sources = 0;
        expected.flows = tally.flows();
        expected.open_notifies = tally.open;
        expected.jobs = ledger.deferred.len();
        let window_is_full = tally.open >= ledger.window;
        if self.manners.window.is_none() && !goes_on && !window_is_full {
            expected.outputs = 0;
        }
        assert_eq!(occupancy, expected);
        // Beside these: rounds that are due, and patience that ends on the next tick.
        let least = tally.live + publications + ledger.deferred.len();
        let timers = least..=least + tally.patient + tally.paced + states.len();
        assert!(
            timers.contains(&occupancy.timers),
            "{occupancy:?} {timers:?}"
        );
        assert_eq!(
            self.agent.counters().notifies_failed(),
            ledger.notifies_failed
        );
    }

    fn respond(&mut self, network: &mut Network, response: &Response, added: &str) {
        let transaction = response.transaction().0;
        network.say(|| format!("{:?}", response.fields().collect::<Vec<_>>()));
        let pending = self.pending.remove(&transaction);
        let pending = pending.expect("one answer to one request");
        let status = response.status();
        if pending.verdict.statuses.is_empty() {
            assert_eq!(status, 504);
            self.ledger.gave_up(self.reached, transaction);
        } else {
            let statuses = &pending.verdict.statuses;
            assert!(statuses.contains(&status), "{status}: {pending:#?}");
        }
        *self.answers.entry(status).or_default() += 1;
        if let Some(id) = pending.verdict.conditional {
            self.ledger.answered(id, status == 204);
        }
        if let Some(id) = pending.verdict.makes {
            self.ledger.begun(id, response.to_tag().expect("a tag"));
        }
        let value = |name| response.fields().find(|it| it.0 == name).map(|it| it.1);
        if let Some(tag) = value("SIP-ETag") {
            self.ledger.published(transaction, tag);
        }
        let Some((key, request)) = &pending.received else {
            return;
        };
        let method = String::from_utf8_lossy(request.method.as_bytes());
        let target = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
        let fields = fields(&request.headers);
        let view = RequestRef::new(&method, &target, fields, request.body());
        let mut text = Vec::new();
        response.write_to(&view, added, &mut text);
        self.endpoint.respond(network, key, text);
    }

    /// The statuses that may come of a deferred publication now.
    pub fn will_answer(&mut self, transaction: u64, status: u16) {
        let pending = self.pending.get_mut(&transaction);
        pending.expect("it is deferred").verdict.statuses = vec![status];
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
            with_credentials: common::field(request, "Authorization").is_some(),
            content_type: common::field(request, "Content-Type"),
            entity_tag: common::field(request, "SIP-ETag"),
            body: request.body(),
        };
        let (id, open) = self.ledger.notify(self.reached, &notify);
        let record = &self.ledger.records[&id];
        assert_eq!(request.flow(), record.flow.map(FlowId));
        let watcher = record.watcher;
        let transaction = request.transaction();
        let sent = Sent { transaction, open };
        if watcher >= CROWD {
            let body = Bytes::new();
            let response = ResponseRef::new(200, [], &body);
            self.report(network, sent, Outcome::Answered(200, None), |agent, now| {
                agent.handle_response(now, transaction, &response);
            });
            return;
        }
        if network.dice.chance(self.manners.unsendable) {
            self.report_failure(network, sent, Failure::Transport);
            return;
        }
        let via = self.endpoint.transport(network, watcher);
        let via = self.endpoint.via(via);
        let mut text = Vec::new();
        request.write_to(&via, &mut text);
        assert_eq!(text.len(), request.encoded_len(via.len()));
        let key = self.endpoint.request(network, text);
        if network.dice.chance(self.manners.forgetful) {
            network.say(|| format!("what becomes of {open} is never told"));
            return;
        }
        self.keys.insert(open, key.clone());
        assert!(self.sent.insert(key, sent).is_none());
    }

    fn event(&mut self, network: &Network, event: &ServerEvent) {
        network.say(|| event.to_string());
        match event {
            ServerEvent::SubscriptionStarted { subject, .. } => {
                self.ledger.started(subject.key);
                let live = self.ledger.tally.live;
                self.course.most_live = self.course.most_live.max(live);
            }
            ServerEvent::SubscriptionEnded { subject, reason } => {
                let name = match reason {
                    EndReason::Terminated(_) => "terminated".to_owned(),
                    other => other.to_string(),
                };
                *self.ends.entry(name).or_default() += 1;
                self.ledger.ended(self.reached, subject.key, *reason);
            }
            ServerEvent::PublicationExpired { resource, .. } => {
                let presentity = model::presentity(resource);
                self.ledger.publication_expired(self.reached, presentity);
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
        assert!(self.sent.is_empty() && self.pending.is_empty() && self.keys.is_empty());
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

/// What a SUBSCRIBE asks for beyond the ordinary.
fn terms_of(method: &str, request: &Request) -> AskedTerms {
    if method != "SUBSCRIBE" {
        return AskedTerms::ORDINARY;
    }
    let headers = &request.headers;
    let accept = field(headers, "Accept").expect("types");
    let body = request.body();
    AskedTerms {
        partial: accept.contains(PIDF_DIFF),
        filter: (!body.is_empty()).then(|| Filter::of_body(body)),
        pace: Pace::of_event(field(headers, "Event").expect("a package")),
        suppress: field(headers, "Suppress-If-Match").map(Condition::of_field),
    }
}
