//! A user's device: the library's watcher and publisher on one endpoint, and an application that does
//! nothing beyond what their documentation asks for.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Account, Assurance, Failure, Identity, NeedCredentials, OwnPublicationKey, OwnSubscriptionKey,
    OwnSubscriptionPhase, PublisherConfig, PublisherEvent, PublisherOutput, RequestContext,
    SrvRecord, SubscribeFailure,
};
use presentity::pidf::Presence;
use presentity::presence::{
    Publisher, Resumption, WatchOrder, Watcher, WatcherConfig, WatcherEvent, WatcherOutput,
};
use presentity::sip::{OutgoingRequest, Rate, Rates, RequestRef, Response, ResponseRef};
use sipx_sip::Request;
use sipx_sip::transaction::{Timer, TransactionKey};
use time::OffsetDateTime;

use crate::calls::{Calls, Notified};
use crate::common;
use crate::endpoint::{Endpoint, Incoming, field, fields, number, tag, uri};
use crate::model::{self, Rule};
use crate::network::{Network, SECOND};
use crate::pace::Pace;

/// Those who want to be told less often are told no faster.
const LEAST_APART: Duration = Duration::from_secs(8);

/// How a device is set up.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// The presentity that it publishes for.
    pub publishes_for: usize,
    /// It names presentities by their pres URIs.
    pub by_pres: bool,
    /// Seconds that it asks for.
    pub expires: u32,
    pub publish_expires: u32,
    /// How often, in a thousand, its host does not tell what became of a request.
    pub forgetful: u64,
    /// It tells the time of day.
    pub has_clock: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Watcher,
    Publisher,
}

/// A request whose outcome is awaited.
#[derive(Debug)]
struct Sent {
    role: Role,
    transaction: ClientTransaction,
    call_id: String,
    hop: String,
    /// How often its clock had jumped when it left.
    jumps: u64,
    forgotten: bool,
}

/// What came in and is not answered yet.
#[derive(Debug)]
struct Pending {
    key: TransactionKey,
    request: Request,
    notified: Notified,
}

/// A presentity that is watched.
#[derive(Debug)]
pub struct Watch {
    pub key: OwnSubscriptionKey,
    pub uri: String,
    /// Its end was asked for.
    pub leaving: bool,
}

/// What is published.
#[derive(Debug)]
pub struct Publication {
    pub key: OwnPublicationKey,
    pub mark: u64,
}

/// What a device has met with.
#[derive(Debug, Default)]
pub struct DeviceCourse {
    pub requests: u64,
    pub answers: BTreeMap<u16, u64>,
    pub notify_answers: BTreeMap<u16, u64>,
    pub events: u64,
    pub outdated: u64,
    pub ended: u64,
    pub fetched: u64,
    pub changes: u64,
    pub challenges: u64,
}

pub struct Device {
    pub address: usize,
    pub habits: Habits,
    pub endpoint: Endpoint,
    pub watcher: Watcher,
    pub publisher: Publisher,
    /// As whom it watches, and as whom it publishes.
    accounts: [Account; 2],
    /// By presentity.
    pub watches: BTreeMap<usize, Watch>,
    fetches: BTreeMap<OwnSubscriptionKey, String>,
    /// What it had of a presentity when it forgot the subscription.
    left: BTreeMap<usize, Resumption>,
    pub publication: Option<Publication>,
    /// Its user changes what it publishes again and again until then.
    pub restless_until: u64,
    /// Publications that are being removed.
    removing: Vec<OwnPublicationKey>,
    sent: HashMap<TransactionKey, Sent>,
    pending: BTreeMap<u64, Pending>,
    requests: u64,
    /// Its clock is ahead of the true time by so much.
    skew: u64,
    asleep_until: Option<u64>,
    jumps: u64,
    /// What the transactions told it in its sleep.
    unheard: Vec<Incoming>,
    /// What the application was last told of each presentity.
    told: BTreeMap<OwnSubscriptionKey, Presence>,
    /// Until when the server is not to be asked, by its clock.
    holds: BTreeMap<(Role, String), u64>,
    /// Watches that were over when they were abandoned.
    ended_asleep: BTreeSet<OwnSubscriptionKey>,
    calls: Calls,
    pub pace: Pace,
    pub course: DeviceCourse,
    stirred: bool,
}

impl Device {
    pub fn new(address: usize, habits: Habits, seed: u64) -> Self {
        let mut config = WatcherConfig::default();
        config.subscriber.expires = Some(habits.expires);
        let mut publisher = PublisherConfig::default();
        publisher.expires = habits.publish_expires;
        let contact = format!("sip:user{address}@h{address}.example.net");
        let user = Account::new(&model::user(address)).unwrap();
        let own = format!("sip:{}", model::name(habits.publishes_for));
        let seed = seed.wrapping_mul(64).wrapping_add(address as u64);
        Self {
            address,
            habits,
            endpoint: Endpoint::new(address),
            watcher: Watcher::new(config, common::seeded(seed)),
            publisher: Publisher::new(publisher, common::seeded(seed ^ 0x5555)),
            accounts: [
                user.with_contact(&contact).unwrap(),
                Account::new(&own).unwrap(),
            ],
            watches: BTreeMap::new(),
            fetches: BTreeMap::new(),
            left: BTreeMap::new(),
            publication: None,
            restless_until: 0,
            removing: Vec::new(),
            sent: HashMap::new(),
            pending: BTreeMap::new(),
            requests: 0,
            skew: 0,
            asleep_until: None,
            jumps: 0,
            unheard: Vec::new(),
            told: BTreeMap::new(),
            holds: BTreeMap::new(),
            ended_asleep: BTreeSet::new(),
            calls: Calls::default(),
            pace: Pace::default(),
            course: DeviceCourse::default(),
            stirred: false,
        }
    }

    // ---- its clock ------------------------------------------------------------------------

    fn at(&self, network: &Network) -> Timestamp {
        Timestamp::ZERO + Duration::from_nanos(network.now + self.skew)
    }

    /// Its clock shows what the true time is, whatever it counts by itself.
    pub fn set_clock(&mut self, network: &Network) {
        if !self.habits.has_clock {
            return;
        }
        let seconds = i64::try_from(network.now / SECOND).expect("a time");
        let utc = OffsetDateTime::from_unix_timestamp(1_900_000_000 + seconds).expect("a time");
        let now = self.at(network);
        self.watcher.set_wall_clock(now, utc);
        self.publisher.set_wall_clock(now, utc);
    }

    /// When it wakes, in true time.
    pub fn wakes_at(&self) -> Option<u64> {
        if self.asleep_until.is_some() {
            return self.asleep_until;
        }
        let deadlines = [self.watcher.poll_timeout(), self.publisher.poll_timeout()];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.as_nanos().saturating_sub(self.skew))
    }

    pub fn wake(&mut self, network: &mut Network) {
        if let Some(until) = self.asleep_until {
            if network.now < until {
                return;
            }
            self.asleep_until = None;
            // Nothing leaves before both have been told what time it is.
            for incoming in core::mem::take(&mut self.unheard) {
                self.take(network, incoming);
            }
        }
        let now = self.at(network);
        // A timer may move through several wheels.
        for _ in 0..200 {
            self.watcher.handle_timeout(now);
            self.publisher.handle_timeout(now);
            self.stirred = true;
            self.drain(network);
            let wakes_at = self.wakes_at();
            if wakes_at.is_none_or(|next| next > network.now) {
                self.calls.check_silence(now.as_nanos());
                return;
            }
        }
        panic!("the deadline stays in the past: {:?}", self.occupancy());
    }

    /// Hours of its clock are gone in no time.
    pub fn jump(&mut self, nanos: u64) {
        self.skew += nanos;
        self.jumps += 1;
        // By then the host should have told what became of them.
        self.calls.forget_requests();
    }

    /// It hears and does nothing until then.
    pub fn sleep(&mut self, network: &mut Network, nanos: u64) {
        let until = network.now + nanos;
        self.asleep_until = self.asleep_until.max(Some(until));
        network.cut(self.address, until);
    }

    /// It wakes up at once.
    pub fn rouse(&mut self, network: &mut Network) {
        self.asleep_until = self.asleep_until.map(|_| network.now);
        self.wake(network);
    }

    pub fn is_asleep(&self) -> bool {
        self.asleep_until.is_some()
    }

    // ---- what its user wants ----------------------------------------------------------------

    pub fn watch(&mut self, network: &mut Network, presentity: usize) {
        if self.watches.contains_key(&presentity) {
            return;
        }
        let scheme = if self.habits.by_pres { "pres" } else { "sip" };
        let uri = format!("{scheme}:{}", model::name(presentity));
        let now = self.at(network);
        let mut order = WatchOrder::new(&self.accounts[0], &uri);
        // Some begin where they left off, take changes, or want to be told less often.
        order.resume = self.left.remove(&presentity);
        order.partial = Some((self.address + presentity).is_multiple_of(2));
        if (self.address + presentity).is_multiple_of(3) {
            order.rates = Rates::at_most(Rate::per(LEAST_APART));
        }
        let key = self.watcher.watch(now, order).expect("an order");
        // What was left is known from the start.
        let known = self.watcher.presence(key).cloned();
        self.told.extend(known.map(|known| (key, known)));
        let leaving = false;
        let watch = Watch { key, uri, leaving };
        self.watches.insert(presentity, watch);
        self.settle(network);
    }

    pub fn unwatch(&mut self, network: &mut Network, presentity: usize) {
        let now = self.at(network);
        let watch = self.watches.get_mut(&presentity);
        if let Some(watch) = watch.filter(|watch| !watch.leaving) {
            watch.leaving = true;
            self.watcher.end(now, watch.key).expect("it is watched");
        }
        self.settle(network);
    }

    /// It forgets a presentity without a word.
    pub fn abandon(&mut self, network: &mut Network, presentity: usize) {
        let now = self.at(network);
        if let Some(watch) = self.watches.remove(&presentity) {
            if let Some(left) = self.watcher.resumption(watch.key) {
                self.left.insert(presentity, left);
            }
            // Its end may have been asked for before.
            if !self.watcher.abandon(now, watch.key) {
                // It is over, which a device that sleeps has not heard yet.
                assert!(watch.leaving);
                self.ended_asleep.insert(watch.key);
            }
            self.told.remove(&watch.key);
            self.calls
                .over(now.as_nanos(), &format!("SUBSCRIBE {}", watch.uri));
        }
        self.settle(network);
    }

    pub fn fetch(&mut self, network: &mut Network, presentity: usize) {
        // Another name of the same, so that it is told apart.
        let uri = format!("sip:p{presentity}@EXAMPLE.com");
        if self.fetches.values().any(|other| *other == uri) {
            return;
        }
        let now = self.at(network);
        let order = WatchOrder::new(&self.accounts[0], &uri);
        let key = self.watcher.fetch(now, order).expect("an order");
        self.fetches.insert(key, uri);
        self.settle(network);
    }

    pub fn request_state(&mut self, network: &mut Network, presentity: usize) {
        let now = self.at(network);
        if let Some(watch) = self.watches.get(&presentity) {
            self.watcher.request_state(now, watch.key);
        }
        self.settle(network);
    }

    /// It publishes, or publishes something else.
    pub fn publish(&mut self, network: &mut Network, mark: u64) {
        let now = self.at(network);
        let text = model::document(self.habits.publishes_for, mark);
        self.pace.wanted(network.now, &self.publishing());
        let document = Presence::read(text.as_bytes()).expect("a document");
        match &mut self.publication {
            Some(publication) => {
                publication.mark = mark;
                let updated = self.publisher.update(now, publication.key, document);
                updated.expect("it is published");
            }
            None => {
                let account = &self.accounts[1];
                // Every other one tells what has changed only.
                let key = match mark % 2 {
                    0 => self.publisher.publish(now, account, document),
                    _ => self.publisher.publish_partially(now, account, document),
                };
                let key = key.expect("an order");
                self.publication = Some(Publication { key, mark });
            }
        }
        self.settle(network);
    }

    fn publishing(&self) -> String {
        format!("PUBLISH {}", self.accounts[1].uri())
    }

    pub fn unpublish(&mut self, network: &mut Network) {
        let now = self.at(network);
        if let Some(publication) = self.publication.take() {
            // Tried three times.
            for _ in 0..3 {
                self.pace.wanted(network.now, &self.publishing());
            }
            let removed = self.publisher.remove(now, publication.key);
            removed.expect("it is published");
            self.removing.push(publication.key);
        }
        self.settle(network);
    }

    /// The user asks again for all that was refused. Tells how much that is.
    pub fn ask_again(&mut self, network: &mut Network) -> u64 {
        let now = self.at(network);
        let mut asked = 0;
        for watch in self.watches.values() {
            let info = self.watcher.presentity(watch.key).expect("a watch");
            if info.subscription.phase == OwnSubscriptionPhase::Refused {
                assert!(self.watcher.renew(now, watch.key));
                asked += 1;
            }
        }
        self.settle(network);
        asked
    }

    /// All is to end.
    pub fn leave(&mut self, network: &mut Network) {
        let presentities: Vec<usize> = self.watches.keys().copied().collect();
        for presentity in presentities {
            self.unwatch(network, presentity);
        }
        self.unpublish(network);
    }

    // ---- from the network -------------------------------------------------------------------

    pub fn message(&mut self, network: &mut Network, bytes: Bytes) {
        if self.is_asleep() {
            network.say(|| format!("{} sleeps", self.address));
            return;
        }
        let incoming = self.endpoint.message(network, 0, bytes);
        self.hear(network, incoming);
    }

    pub fn timer(&mut self, network: &mut Network, key: &TransactionKey, timer: Timer) {
        let incoming = self.endpoint.timer(network, key, timer);
        self.hear(network, incoming);
    }

    fn hear(&mut self, network: &mut Network, incoming: Option<Incoming>) {
        match incoming {
            Some(incoming) if self.is_asleep() => self.unheard.push(incoming),
            Some(incoming) => self.take(network, incoming),
            None => {}
        }
        self.settle(network);
    }

    fn take(&mut self, network: &mut Network, incoming: Incoming) {
        match incoming {
            Incoming::Request(key, request) => self.request(network, key, request),
            Incoming::Response(key, response) => {
                let status = response.status.code();
                let retry_after = number(&response.headers, "Retry-After");
                let none = Bytes::new();
                let view = ResponseRef::new(status, fields(&response.headers), &none);
                self.outcome(network, &key, Ok((&view, retry_after)));
            }
            Incoming::Timeout(key) => self.outcome(network, &key, Err(Failure::Timeout)),
            Incoming::Failure(key) => self.outcome(network, &key, Err(Failure::Transport)),
        }
    }

    fn outcome(
        &mut self,
        network: &Network,
        key: &TransactionKey,
        outcome: Result<(&ResponseRef<'_>, Option<u32>), Failure>,
    ) {
        let now = self.at(network);
        let Some(sent) = self.sent.remove(key).filter(|sent| !sent.forgotten) else {
            return;
        };
        self.calls.answered(&sent.call_id);
        // Nor does one come of a 204.
        if !matches!(&outcome, Ok((response, _)) if matches!(response.status(), 200..=203)) {
            self.calls.refused(&sent.call_id);
        }
        let transaction = sent.transaction;
        match (outcome, sent.role) {
            (Ok((response, retry_after)), role) => {
                let status = response.status();
                *self.course.answers.entry(status).or_default() += 1;
                if status == 412 {
                    // A publication keeps its Call-ID.
                    self.pace.lost(network.now, &sent.call_id);
                }
                // What comes too late by its clock is not heard.
                let in_time = sent.jumps == self.jumps;
                if let (503, Some(seconds), true) = (status, retry_after, in_time) {
                    let until = now.as_nanos() + u64::from(seconds) * SECOND;
                    let hold = self.holds.entry((role, sent.hop)).or_default();
                    *hold = until.max(*hold);
                }
                match role {
                    Role::Watcher => self.watcher.handle_response(now, transaction, response),
                    Role::Publisher => self.publisher.handle_response(now, transaction, response),
                }
            }
            (Err(failure), Role::Watcher) => {
                self.watcher.handle_failure(now, transaction, failure);
            }
            (Err(failure), Role::Publisher) => {
                self.publisher.handle_failure(now, transaction, failure);
            }
        }
    }

    fn request(&mut self, network: &Network, key: TransactionKey, request: Request) {
        let now = self.at(network);
        let method = String::from_utf8(request.method.as_bytes().to_vec()).expect("text");
        let target = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
        let headers = &request.headers;
        let notified = Notified {
            call_id: field(headers, "Call-ID").expect("one").to_owned(),
            tag: tag(headers, "From").expect("a tag"),
            cseq: number(headers, "CSeq").expect("a number"),
        };
        let of = uri(headers, "From").expect("a URI");
        let sender = Identity::of(&of, Assurance::Digest).expect("a user");
        let context = RequestContext::new(&sender, "sip:none@example.net");
        self.requests += 1;
        let transaction = ServerTransaction(self.requests);
        let view = RequestRef::new(&method, &target, fields(headers), request.body());
        let taken = self
            .watcher
            .handle_request(now, transaction, &view, &context);
        taken.expect("no backlog");
        let pending = Pending {
            key,
            request,
            notified,
        };
        self.pending.insert(self.requests, pending);
    }

    // ---- from the library -------------------------------------------------------------------

    fn settle(&mut self, network: &mut Network) {
        self.stirred = true;
        self.drain(network);
    }

    /// Takes everything that there is to do, unless it sleeps.
    fn drain(&mut self, network: &mut Network) {
        if !core::mem::take(&mut self.stirred) || self.is_asleep() {
            return;
        }
        while let Some(output) = self.watcher.poll_output() {
            match output {
                WatcherOutput::Respond(response) => self.respond(network, &response),
                WatcherOutput::Send(request) => self.send(network, Role::Watcher, &request),
                WatcherOutput::Event(event) => self.watcher_event(network, event),
                WatcherOutput::NeedCredentials(need) => {
                    let now = self.at(network);
                    let given = credentials(&need);
                    self.course.challenges += 1;
                    let transaction = need.transaction();
                    assert!(self.watcher.provide_credentials(now, transaction, &given));
                }
                WatcherOutput::Resolve(resolve) => {
                    let now = self.at(network);
                    assert_eq!(resolve.srv_name, "_pres._sip.example.com");
                    let record = SrvRecord {
                        priority: 0,
                        weight: 0,
                        port: 5060,
                        target: "h0.example.net".to_owned(),
                    };
                    // In its sleep it may have lost patience.
                    self.watcher.provide_targets(now, resolve.key, &[record]);
                }
                other => panic!("{other:?}"),
            }
        }
        while let Some(output) = self.publisher.poll_output() {
            match output {
                PublisherOutput::Send(request) => self.send(network, Role::Publisher, &request),
                PublisherOutput::Event(event) => self.publisher_event(network, &event),
                PublisherOutput::NeedCredentials(need) => {
                    let now = self.at(network);
                    let given = credentials(&need);
                    self.course.challenges += 1;
                    let transaction = need.transaction();
                    assert!(self.publisher.provide_credentials(now, transaction, &given));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(self.pending.is_empty(), "unanswered: {:?}", self.pending);
        self.check_told();
    }

    /// The application knows what the watcher knows.
    fn check_told(&self) {
        let watches = self.watches.values().map(|watch| watch.key);
        for key in watches {
            assert_eq!(self.told.get(&key), self.watcher.presence(key), "{key}");
        }
    }

    fn respond(&mut self, network: &mut Network, response: &Response) {
        let pending = self.pending.remove(&response.transaction().0);
        let pending = pending.expect("one answer to one request");
        let status = response.status();
        *self.course.notify_answers.entry(status).or_default() += 1;
        if status < 300 {
            self.calls.believed(&pending.notified);
        } else if status == 415 {
            // It was the notifier's, as far as can be told, and its turn has passed.
            self.calls.refused(&pending.notified.call_id);
        }
        let request = &pending.request;
        let method = String::from_utf8_lossy(request.method.as_bytes());
        let target = String::from_utf8(request.uri.to_bytes().to_vec()).expect("text");
        let view = RequestRef::new(&method, &target, fields(&request.headers), request.body());
        let mut text = Vec::new();
        response.write_to(&view, "", &mut text);
        self.endpoint.respond(network, &pending.key, text);
    }

    fn send(&mut self, network: &mut Network, role: Role, request: &OutgoingRequest) {
        let value = |name: &str| common::field(request, name).expect("a field");
        let cseq = value("CSeq").split(' ').next();
        let cseq = cseq.and_then(|it| it.parse().ok()).expect("a number");
        let (_, to) = value("To").split_once('<').expect("a URI");
        let (to, _) = to.split_once('>').expect("a URI");
        let (what, call_id) = (format!("{} {to}", request.method()), value("Call-ID"));
        let now = network.now + self.skew;
        self.calls.sent(now, &what, call_id, cseq);
        self.course.requests += 1;
        if common::field(request, "Authorization").is_none() {
            self.pace.sent(network.now, &what);
        }
        let hop = request.next_hop();
        let hop = hop.split_once('@').map_or(hop, |(_, host)| host);
        let hop = hop.trim_start_matches("sip:").to_lowercase();
        let hold = self.holds.get(&(role, hop.clone()));
        assert!(
            hold.is_none_or(|until| now >= *until),
            "{what} while {hop} asked to wait"
        );
        let transport = self.endpoint.transport(network, 0);
        let via = self.endpoint.via(transport);
        let mut text = Vec::new();
        request.write_to(&via, &mut text);
        let key = self.endpoint.request(network, text);
        let forgotten = network.dice.chance(self.habits.forgetful);
        if forgotten {
            self.calls.answered(call_id);
        }
        let sent = Sent {
            role,
            transaction: request.transaction(),
            call_id: call_id.to_owned(),
            hop,
            jumps: self.jumps,
            forgotten,
        };
        assert!(self.sent.insert(key, sent).is_none());
    }

    fn watcher_event(&mut self, network: &Network, event: WatcherEvent) {
        network.say(|| format!("{}: {event}", self.address));
        self.course.events += 1;
        match event {
            // Of what was abandoned meanwhile.
            WatcherEvent::Changed(change) if self.watcher.presentity(change.key).is_none() => {}
            WatcherEvent::Changed(change) => {
                self.course.changes += 1;
                let before = self.told.remove(&change.key);
                assert_eq!(before.as_ref(), change.before.as_deref(), "{}", change.key);
                assert_ne!(change.before, change.after, "nothing has changed");
                if let Some(after) = change.after {
                    self.told.insert(change.key, (*after).clone());
                }
            }
            WatcherEvent::Confirmed { key } => {
                // What was abandoned meanwhile is known no more.
                if let Some(known) = self.watcher.presence(key) {
                    assert_eq!(self.told.get(&key), Some(known), "{key}");
                }
            }
            WatcherEvent::Ended { key, end, retry_in } => {
                use presentity::sip::Reason::{Invariant, NoResource, Rejected};
                self.course.ended += 1;
                let for_good = matches!(end.reason(), Some(Rejected | NoResource | Invariant));
                assert_eq!(retry_in.is_none(), for_good, "{end}");
                // What may not be watched any more is not known any more.
                let forgets = for_good && end.reason() != Some(Invariant);
                assert!(!forgets || self.watcher.presence(key).is_none(), "{end}");
                self.end_call(network, key);
            }
            WatcherEvent::Failed {
                key,
                is_refresh,
                failure,
                retry_in,
            } => {
                let forbidden = failure == SubscribeFailure::Refused { status: 403 };
                let for_good = forbidden && !is_refresh;
                let is_fetch = self.fetches.contains_key(&key);
                // A fetch waits for nobody but a busy server.
                let is_busy = failure == SubscribeFailure::Refused { status: 503 };
                if !(is_fetch && is_busy) {
                    assert_eq!(retry_in.is_none(), for_good || is_fetch, "{failure}");
                }
                if !is_refresh {
                    self.end_call(network, key);
                }
            }
            WatcherEvent::Over { key, was_fetch, .. } => {
                self.end_call(network, key);
                self.told.remove(&key);
                if was_fetch {
                    self.fetches.remove(&key);
                    self.course.fetched += 1;
                } else if !self.ended_asleep.remove(&key) {
                    let watched = self.watches.len();
                    self.watches
                        .retain(|_, watch| watch.key != key || !watch.leaving);
                    assert_eq!(self.watches.len() + 1, watched, "over without being ended");
                }
            }
            WatcherEvent::Outdated { .. } => self.course.outdated += 1,
            // A rogue's changes do not fit, nor do those that follow what was swallowed.
            WatcherEvent::State { .. }
            | WatcherEvent::Delayed { .. }
            | WatcherEvent::Unpatched { .. }
            | WatcherEvent::BodyRefused { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    /// What has the newest Call-ID of a subscription is over; one that was abandoned is so already.
    fn end_call(&mut self, network: &Network, key: OwnSubscriptionKey) {
        let now = network.now + self.skew;
        let watch = self.watches.values().find(|watch| watch.key == key);
        let uri = watch.map(|watch| &watch.uri);
        if let Some(uri) = uri.or_else(|| self.fetches.get(&key)) {
            self.calls.over(now, &format!("SUBSCRIBE {uri}"));
        }
    }

    fn publisher_event(&mut self, network: &Network, event: &PublisherEvent) {
        network.say(|| format!("{}: {event}", self.address));
        self.course.events += 1;
        match event {
            // Nobody is refused for good here.
            PublisherEvent::Failed { retry_in, .. } => assert!(retry_in.is_some(), "{event}"),
            PublisherEvent::Published { .. } => {}
            PublisherEvent::Removed { key, .. } => {
                let removing = self.removing.len();
                self.removing.retain(|other| other != key);
                assert_eq!(self.removing.len() + 1, removing, "removed unasked");
            }
            PublisherEvent::Lost { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    // ---- what must be true ------------------------------------------------------------------

    fn occupancy(&self) -> ([usize; 8], [usize; 4]) {
        (self.watcher.occupancy(), self.publisher.occupancy())
    }

    /// What is watched is held, and is what may be seen; what is refused is refused. Tells how many are
    /// held and refused.
    pub fn check_watches(
        &self,
        rule: impl Fn(usize) -> Rule,
        check: impl Fn(usize, Rule, &str, &Presence),
    ) -> [u64; 2] {
        let mut counts = [0; 2];
        assert!(self.fetches.is_empty(), "{:?}", self.fetches);
        for (presentity, watch) in &self.watches {
            assert!(!watch.leaving, "{} never ended: {watch:?}", self.address);
            let info = self.watcher.presentity(watch.key).expect("a watch");
            let (rule, phase) = (rule(*presentity), info.subscription.phase);
            let about = format!("{} {watch:?} {rule:?} {phase:?}", self.address);
            if rule == Rule::Refuse {
                assert_eq!(phase, OwnSubscriptionPhase::Refused, "{about}");
                assert_eq!(info.presence, None, "{about}");
                counts[1] += 1;
                continue;
            }
            use presentity::event::NotifiedState::{Active, Pending};
            let state = if rule == Rule::Wait { Pending } else { Active };
            assert_eq!(phase, OwnSubscriptionPhase::Held(state), "{about}");
            assert!(info.is_current, "{about}");
            let document = info
                .presence
                .unwrap_or_else(|| panic!("nothing known: {about}"));
            check(*presentity, rule, &watch.uri, document);
            counts[0] += 1;
        }
        counts
    }

    pub fn check_publication(&self) {
        assert!(self.removing.is_empty(), "{}", self.address);
        if let Some(publication) = &self.publication {
            let info = self.publisher.publication(publication.key);
            let info = info.expect("a publication");
            assert!(info.is_current, "{}: {info:?}", self.address);
        }
    }

    /// Nothing is left of anything.
    pub fn check_empty(&self) {
        assert!(self.watches.is_empty() && self.fetches.is_empty());
        assert_eq!(self.occupancy(), ([0; 8], [0; 4]), "{}", self.address);
        assert_eq!(self.wakes_at(), None, "{}", self.address);
        assert!(self.told.is_empty() && self.pending.is_empty());
        assert!(self.sent.is_empty(), "{:?}", self.sent);
        assert!(self.endpoint.is_idle(), "{}", self.address);
        assert_eq!(self.watcher.presentities().count(), 0);
        assert_eq!(self.publisher.publications().count(), 0);
        let strays = self.watcher.stray_outcomes();
        assert!(self.jumps > 0 || strays == 0, "{}: {strays}", self.address);
    }
}

/// What answers a challenge: the nonce that it names.
fn credentials(need: &NeedCredentials) -> String {
    let challenge = need.challenges().next().expect("a challenge");
    let (_, nonce) = challenge.split_once("nonce=").expect("a nonce");
    nonce.to_owned()
}
