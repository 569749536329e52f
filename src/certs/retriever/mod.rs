//! The retriever: who is followed, and from where.

mod asking;
mod judging;
mod notified;
mod web;

use std::collections::{BTreeSet, HashMap, VecDeque};

use time::OffsetDateTime;

use super::config::{RetrieverConfig, SHORTEST_POLL, SHORTEST_RETRY};
use super::followed::{Candidate, Followed, Pace, Place, Standing, sources_of};
use super::output::{Certificate, FollowError, FollowKey, Loss, RetrieverEvent, RetrieverOutput};
use super::profile::profile;
use super::source::{Source, Way};
use super::verdict::{DocumentIntegrity, Verdict, address};
use crate::engine::slab::{Key, Slab};
use crate::engine::timer_wheel::TimerWheel;
use crate::engine::wall_clock::WallClock;
use crate::engine::{ClientTransaction, Entropy, ServerTransaction, Timestamp};
use crate::event::{
    Account, Assurance, Backlog, Failure, OpeningKey, OpeningOutcome, OwnSubscriptionInfo,
    OwnSubscriptionKey, RequestContext, SubscribeError, Subscriber, SubscriberOutput,
};
use crate::pidf::Presence;
use crate::pidf::certs::CertificateSource;
use crate::sip::{HeaderName, NameAddr, RequestRef, ResponseRef, Uri};

/// Retrieves certificates of others and says which may be used: from a presence document that names
/// sources by `certs`, or from an address of record (RFC 6072 sections 4, 6 and 10).
///
/// It is driven as the crate's front page shows; the front page of this [module](super) has the whole
/// course. It acts for one account. Whoever is followed may have several sources, which are asked in
/// their order until one of them yields a certificate that may be used; a source that several have in
/// common is asked once.
///
/// A certificate is kept as long as its service stands by it: until the service tells of another or of
/// none, until it was not told of for the cache time, or until it is not valid any more. The time of day
/// has to be told by [`set_wall_clock`](Self::set_wall_clock).
#[derive(Debug)]
pub struct Retriever {
    config: RetrieverConfig,
    account: Account,
    subscriber: Subscriber,
    now: Timestamp,
    clock: WallClock,
    followed: Slab<Followed>,
    /// Those who are followed by each of their names.
    names: HashMap<String, BTreeSet<Key>>,
    sources: Slab<Source>,
    by_id: HashMap<Box<str>, Key>,
    by_subscription: HashMap<OwnSubscriptionKey, Key>,
    fetches: Slab<Key>,
    inspections: Slab<Key>,
    to_fetch: VecDeque<Key>,
    to_inspect: VecDeque<Key>,
    wheel: TimerWheel<Due>,
    /// Those who are to be looked at anew.
    dirty: BTreeSet<Key>,
    events: VecDeque<RetrieverEvent>,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy)]
enum Due {
    Source(Key),
    /// Somebody, of whose sources another may be asked now.
    Followed(Key),
}

/// How full the tables of a retriever are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RetrieverOccupancy {
    /// Those who are followed.
    pub followed: usize,
    /// Names that they are found by.
    pub names: usize,
    /// Places that are asked, or were and have not confirmed the end.
    pub sources: usize,
    /// Fetches and readings that are waited for.
    pub jobs: usize,
    /// Deadlines.
    pub timers: usize,
    /// Things that wait to be taken by `poll_output`.
    pub outputs: usize,
    /// Entries of the subscriber's tables, see [`Subscriber::occupancy`].
    pub subscriber: [usize; 7],
}

impl Retriever {
    /// A retriever on behalf of an account, which needs a Contact, with the application's source of
    /// unguessable bytes.
    pub fn new(
        config: RetrieverConfig,
        account: &Account,
        entropy: impl Entropy + Send + 'static,
    ) -> Self {
        let mut config = config;
        config.subscriber.retry_after = config.subscriber.retry_after.max(SHORTEST_RETRY);
        config.poll_interval = config.poll_interval.max(SHORTEST_POLL);
        config.web.retry_after = config.web.retry_after.max(SHORTEST_POLL);
        config.limits.fetches = config.limits.fetches.max(1);
        config.limits.inspections = config.limits.inspections.max(1);
        let subscriber = Subscriber::new(profile(), config.subscriber.clone(), entropy);
        Self {
            config,
            account: account.clone(),
            subscriber,
            now: Timestamp::ZERO,
            clock: WallClock::default(),
            followed: Slab::default(),
            names: HashMap::new(),
            sources: Slab::default(),
            by_id: HashMap::new(),
            by_subscription: HashMap::new(),
            fetches: Slab::default(),
            inspections: Slab::default(),
            to_fetch: VecDeque::new(),
            to_inspect: VecDeque::new(),
            wheel: TimerWheel::new(),
            dirty: BTreeSet::new(),
            events: VecDeque::new(),
        }
    }

    /// Says what time of day it is, without which no certificate is known to be valid. To be said again
    /// when the clock was set; everything is judged anew then.
    pub fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) {
        self.advance(now);
        self.clock.set(self.now, utc);
        let keys: Vec<Key> = self.sources.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.rearm(key);
        }
        let followed: Vec<Key> = self.followed.iter().map(|(key, _)| key).collect();
        self.dirty.extend(followed);
        self.settle();
    }

    /// Follows the certificate of a presentity whose document has come.
    ///
    /// `uris` are those that the *watcher* knows the presentity by, such as the one that it watches;
    /// what the document calls itself is no evidence. `integrity` tells whether the document may be
    /// believed in what it names as sources, see [`DocumentIntegrity::of`]; it counts only where the
    /// document is about one of the URIs, or else it may be what the domain has signed for another user.
    ///
    /// A document that names no source is followed too: its absence is no statement (RFC 4479 section
    /// 3.6), and the next one may.
    ///
    /// # Errors
    /// [`FollowError`]; nothing has happened then.
    pub fn follow(
        &mut self,
        now: Timestamp,
        uris: &[&str],
        document: &Presence,
        integrity: DocumentIntegrity,
    ) -> Result<FollowKey, FollowError> {
        let sources = sources_of(document, self.config.limits.sources_each);
        let own: Vec<String> = uris.iter().filter_map(|uri| address(uri)).collect();
        self.follow_sources(now, uris, &sources, integrity.over(document, &own))
    }

    /// The same with the sources of one service, as
    /// [`Presence::certificate_sources`](crate::pidf::Presence::certificate_sources) tells them. That a
    /// document that is signed is about one of the URIs is for the caller to check here.
    ///
    /// # Errors
    /// [`FollowError`]; nothing has happened then.
    pub fn follow_sources(
        &mut self,
        now: Timestamp,
        uris: &[&str],
        sources: &[CertificateSource],
        integrity: DocumentIntegrity,
    ) -> Result<FollowKey, FollowError> {
        let candidates = self.candidates(sources);
        self.insert(now, uris, candidates, integrity)
    }

    /// Follows the certificate of an address of record, without a document: a sip, sips or pres URI.
    ///
    /// # Errors
    /// [`FollowError`]; nothing has happened then.
    pub fn follow_address(&mut self, now: Timestamp, uri: &str) -> Result<FollowKey, FollowError> {
        let unknown = || FollowError::Uri {
            text: uri.to_owned(),
        };
        let parsed = Uri::parse(uri).map_err(|_| unknown())?;
        let asked = match &parsed {
            Uri::Sip(_) => uri.to_owned(),
            // RFC 3859 and RFC 5509: the same local part and domain.
            Uri::Pres(_) => format!("sip:{}", parsed.address_of_record().ok_or_else(unknown)?),
            Uri::Tel(_) | Uri::Other(_) => return Err(unknown()),
        };
        let source = CertificateSource::Subscribe { uri: asked };
        let candidates = vec![Candidate::new(source, true)];
        self.insert(now, &[uri], candidates, DocumentIntegrity::Unprotected)
    }

    /// The document of somebody who is followed has changed. False when nobody is followed by this key.
    ///
    /// One with the same sources changes nothing, and one without any leaves those that are known: that
    /// it does not say `certs` is no statement. Other sources take the place of those before, and a
    /// certificate that came from one that is not named any more is dropped.
    pub fn update(
        &mut self,
        now: Timestamp,
        key: FollowKey,
        document: &Presence,
        integrity: DocumentIntegrity,
    ) -> bool {
        let sources = sources_of(document, self.config.limits.sources_each);
        let own = self.followed.get(key.0).map(|it| &it.names[..]);
        let integrity = integrity.over(document, own.unwrap_or_default());
        self.update_sources(now, key, &sources, integrity)
    }

    /// The same with the sources themselves, see [`follow_sources`](Self::follow_sources).
    pub fn update_sources(
        &mut self,
        now: Timestamp,
        key: FollowKey,
        sources: &[CertificateSource],
        integrity: DocumentIntegrity,
    ) -> bool {
        self.advance(now);
        let mut candidates = self.candidates(sources);
        let Some(followed) = self.followed.get_mut(key.0) else {
            return false;
        };
        if candidates.is_empty() {
            return true;
        }
        followed.integrity = integrity;
        let before = core::mem::take(&mut followed.candidates);
        let mut dropped = Vec::new();
        for old in before {
            let new = candidates.iter_mut().find(|new| new.spec == old.spec);
            match new {
                Some(new) if old.at().is_some() && new.place == Place::Untried => {
                    new.place = old.place;
                }
                _ => dropped.extend(old.at()),
            }
        }
        followed.candidates = candidates;
        let reported = followed.reported.as_ref().map(|(source, _)| *source);
        if reported.is_some_and(|source| dropped.contains(&source)) {
            followed.reported = None;
        }
        // Asked before others are given up, so that what both name by another spelling goes on.
        self.dirty.insert(key.0);
        self.settle();
        for source in dropped {
            let is_named = self.followed.get(key.0).is_some_and(|followed| {
                followed.candidates.iter().any(|it| it.at() == Some(source))
            });
            if !is_named {
                self.release(source, key.0);
            }
        }
        self.settle();
        true
    }

    /// Ends it: subscriptions that nobody else needs are ended, and what was cached is forgotten. The key
    /// is stale from now on. False when it was before.
    pub fn end(&mut self, now: Timestamp, key: FollowKey) -> bool {
        self.advance(now);
        let Some(gone) = self.followed.remove(key.0) else {
            return false;
        };
        if let Some(timer) = gone.pace.alarm {
            self.wheel.cancel(timer);
        }
        for name in &gone.names {
            if let Some(keys) = self.names.get_mut(name) {
                keys.remove(&key.0);
                if keys.is_empty() {
                    self.names.remove(name);
                }
            }
        }
        for candidate in &gone.candidates {
            if let Some(source) = candidate.at() {
                self.release(source, key.0);
            }
        }
        self.settle();
        true
    }

    /// Ends all: when the user logs off (RFC 6072 section 6.5).
    pub fn end_all(&mut self, now: Timestamp) {
        let keys: Vec<Key> = self.followed.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.end(now, FollowKey(key));
        }
    }

    /// A request that used the certificate was answered 437 (RFC 6072 section 4): it is dropped and asked
    /// for again, and [`RetrieverEvent::Rechecked`] tells whether the request is worth another attempt.
    /// False when there was none in use. No source is asked so more often than once a minute.
    pub fn report_unusable(&mut self, now: Timestamp, key: FollowKey) -> bool {
        self.advance(now);
        let Some(followed) = self.followed.get_mut(key.0) else {
            return false;
        };
        let Standing::Usable(used) = &followed.standing else {
            return false;
        };
        let source = used.source;
        followed.reported = Some((source, used.info.der.clone()));
        self.lose(source, Loss::Reported);
        self.ask_soon(source);
        self.settle();
        true
    }

    /// Asks all sources of somebody again that were asked before: because the user wants it, or the
    /// network is back. None is asked so more often than once a minute. False when nobody is followed by
    /// this key.
    pub fn refresh(&mut self, now: Timestamp, key: FollowKey) -> bool {
        self.advance(now);
        let Some(followed) = self.followed.get(key.0) else {
            return false;
        };
        let sources = followed.candidates.iter().filter_map(Candidate::at);
        for source in sources.collect::<Vec<Key>>() {
            self.ask_soon(source);
        }
        self.settle();
        true
    }

    /// Has further requests leave for another account of the same user: after a change of address, say.
    /// Services are told the new Contact at once.
    pub fn set_account(&mut self, now: Timestamp, account: &Account) {
        self.advance(now);
        self.account = account.clone();
        let keys: Vec<Key> = self.sources.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some(Way::Sip(sip)) = self.sources.get(key).map(|source| &source.way) else {
                continue;
            };
            match sip.subscription {
                Some(subscription) => {
                    // One that the new account cannot have stays with the old one.
                    let _ = (self.subscriber).set_account(self.now, subscription, account);
                }
                None if self
                    .sources
                    .get(key)
                    .is_some_and(|it| it.again_at.is_none()) =>
                {
                    self.ask(key);
                }
                None => {}
            }
        }
        self.settle();
    }

    /// The certificate of somebody who is followed, if there is one that may be used now.
    pub fn certificate(&self, now: Timestamp, key: FollowKey) -> Option<Certificate> {
        let followed = self.followed.get(key.0)?;
        self.look(followed, &followed.names, now).usable
    }

    /// The certificate that may be used now for exactly this URI, whoever is followed by it. Other names
    /// in certificates find nothing (RFC 6072 section 6.8).
    pub fn certificate_for(&self, now: Timestamp, uri: &str) -> Option<Certificate> {
        let name = Uri::parse(uri).ok()?.address_of_record()?;
        let mut keys = self.names.get(&name)?.iter();
        let name = [name];
        keys.find_map(|key| {
            let followed = self.followed.get(*key)?;
            self.look(followed, &name, now).usable
        })
    }

    /// What the certificate of somebody is worth now; nothing while none is known.
    pub fn verdict(&self, now: Timestamp, key: FollowKey) -> Option<Verdict> {
        let followed = self.followed.get(key.0)?;
        let found = self.look(followed, &followed.names, now);
        let unusable = found.objection.map(|(_, it)| Verdict::Unusable(it));
        found
            .usable
            .map(|it| Verdict::Usable(it.ground))
            .or(unusable)
    }

    /// Those who are followed, in an order that depends on nothing but the calls made.
    pub fn followed(&self) -> impl Iterator<Item = FollowKey> + '_ {
        self.followed.iter().map(|(key, _)| FollowKey(key))
    }

    /// The subscriptions, in an order that depends on nothing but the calls made: one for each resource
    /// at most.
    pub fn subscriptions(&self) -> impl Iterator<Item = OwnSubscriptionInfo<'_>> {
        self.subscriber.subscriptions()
    }

    /// See [`Subscriber::accepts`].
    pub fn accepts(&self, request: &RequestRef<'_>) -> bool {
        self.subscriber.accepts(request)
    }

    /// See [`Subscriber::owns`].
    pub fn owns(&self, request: &RequestRef<'_>) -> bool {
        self.subscriber.owns(request)
    }

    /// See [`Subscriber::allow`].
    pub fn allow(&self) -> &'static str {
        self.subscriber.allow()
    }

    /// See [`Subscriber::handle_request`]. What the context's identity says decides whether a
    /// certificate without a trusted authority is believed, by [`TrustRules`](super::TrustRules).
    ///
    /// # Errors
    /// [`Backlog`] when nothing happened and the host answers 503 itself.
    pub fn handle_request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Backlog> {
        self.advance(now);
        // From has to agree with what was asked, so it goes along as what it is: a claim.
        let from = request.first(HeaderName::From);
        let from = from.and_then(|from| NameAddr::parse(from).ok());
        let claimed = from.and_then(|from| {
            let identity = context.identity().clone();
            identity.and(from.uri(), Assurance::Claimed).ok()
        });
        let context = match &claimed {
            Some(identity) => context.with_identity(identity),
            None => *context,
        };
        (self.subscriber).handle_request(self.now, transaction, request, &context)
    }

    /// See [`Subscriber::handle_response`].
    pub fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.advance(now);
        (self.subscriber).handle_response(self.now, transaction, response);
    }

    /// See [`Subscriber::handle_failure`].
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        failure: Failure,
    ) {
        self.advance(now);
        (self.subscriber).handle_failure(self.now, transaction, failure);
    }

    /// See [`Subscriber::provide_credentials`].
    pub fn provide_credentials(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        value: &str,
    ) -> bool {
        self.advance(now);
        (self.subscriber).provide_credentials(self.now, transaction, value)
    }

    /// See [`Subscriber::decline_credentials`].
    pub fn decline_credentials(&mut self, now: Timestamp, transaction: ClientTransaction) -> bool {
        self.advance(now);
        (self.subscriber).decline_credentials(self.now, transaction)
    }

    /// See [`Subscriber::complete_opening`]. Bodies are opened where
    /// [`opens_bodies`](crate::event::SubscriberConfig::opens_bodies) is set.
    pub fn complete_opening(
        &mut self,
        now: Timestamp,
        key: OpeningKey,
        outcome: OpeningOutcome,
    ) -> bool {
        self.advance(now);
        (self.subscriber).complete_opening(self.now, key, outcome)
    }

    /// Time has passed. To be called at the deadline; earlier or more often does no harm.
    ///
    /// One call does a bounded piece of work; when more is due, [`poll_timeout`](Self::poll_timeout)
    /// says so.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        self.subscriber.handle_timeout(self.now);
        let mut budget = self.config.limits.timers_per_call.max(1);
        while let Some(due) = self.wheel.pop(self.now, &mut budget) {
            match due {
                Due::Source(key) => {
                    if let Some(source) = self.sources.get_mut(key) {
                        source.alarm = None;
                        self.source_is_due(key);
                    }
                }
                Due::Followed(key) => {
                    if let Some(followed) = self.followed.get_mut(key) {
                        followed.pace.alarm = None;
                        self.dirty.insert(key);
                    }
                }
            }
        }
        self.settle();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); nothing when there is no deadline.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let deadlines = [self.subscriber.poll_timeout(), self.wheel.next()];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    pub fn poll_output(&mut self) -> Option<RetrieverOutput> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(RetrieverOutput::Event(event));
            }
            if let Some(inspection) = self.next_inspection() {
                return Some(RetrieverOutput::Inspect(inspection));
            }
            if let Some(fetch) = self.next_fetch() {
                return Some(RetrieverOutput::Fetch(fetch));
            }
            match self.subscriber.poll_output()? {
                SubscriberOutput::Respond(response) => {
                    return Some(RetrieverOutput::Respond(response));
                }
                SubscriberOutput::Send(request) => return Some(RetrieverOutput::Send(request)),
                SubscriberOutput::NeedCredentials(need) => {
                    return Some(RetrieverOutput::NeedCredentials(need));
                }
                SubscriberOutput::Open(opening) => return Some(RetrieverOutput::Open(opening)),
                // No pres URI is subscribed to.
                SubscriberOutput::Resolve(resolve) => {
                    self.subscriber.decline_targets(self.now, resolve.key);
                }
                SubscriberOutput::Event(event) => {
                    self.heed(event);
                    self.settle();
                }
            }
        }
    }

    /// How full the tables are.
    pub fn occupancy(&self) -> RetrieverOccupancy {
        RetrieverOccupancy {
            followed: self.followed.len(),
            names: self.names.len(),
            sources: self.sources.len(),
            jobs: self.fetches.len() + self.inspections.len(),
            timers: self.wheel.len(),
            outputs: self.events.len() + self.to_fetch.len() + self.to_inspect.len(),
            subscriber: self.subscriber.occupancy(),
        }
    }

    /// Outcomes of transactions that were not open.
    pub fn stray_outcomes(&self) -> u64 {
        self.subscriber.stray_outcomes()
    }

    // ---- what the parts share ---------------------------------------------------------------

    /// Time never runs backwards here, whatever the caller says.
    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    fn candidates(&self, sources: &[CertificateSource]) -> Vec<Candidate> {
        let most = self.config.limits.sources_each;
        let mut candidates: Vec<Candidate> = Vec::new();
        for source in sources {
            if candidates.len() >= most {
                break;
            }
            if candidates.iter().all(|known| known.spec != *source) {
                candidates.push(Candidate::new(source.clone(), false));
            }
        }
        candidates
    }

    fn insert(
        &mut self,
        now: Timestamp,
        uris: &[&str],
        candidates: Vec<Candidate>,
        integrity: DocumentIntegrity,
    ) -> Result<FollowKey, FollowError> {
        self.advance(now);
        let mut names: Vec<String> = Vec::new();
        for uri in uris {
            let unknown = || FollowError::Uri {
                text: (*uri).to_owned(),
            };
            let parsed = Uri::parse(uri).map_err(|_| unknown())?;
            if !matches!(parsed, Uri::Sip(_) | Uri::Pres(_)) {
                return Err(unknown());
            }
            let name = parsed.address_of_record().ok_or_else(unknown)?;
            if !names.contains(&name) && names.len() < self.config.limits.names_each {
                names.push(name);
            }
        }
        if names.is_empty() {
            return Err(FollowError::Nobody);
        }
        let limit = self.config.limits.followed;
        if self.followed.len() >= limit {
            return Err(FollowError::TooMany { limit });
        }
        let key = self.followed.insert(Followed {
            names: names.clone(),
            integrity,
            candidates,
            standing: Standing::Nothing,
            reported: None,
            pace: Pace::default(),
        });
        for name in names {
            self.names.entry(name).or_default().insert(key);
        }
        self.dirty.insert(key);
        self.settle();
        Ok(FollowKey(key))
    }

    /// Has one account for all; what cannot be subscribed to is told as a failure.
    fn subscribe(&mut self, uri: &str) -> Result<OwnSubscriptionKey, SubscribeError> {
        let order = crate::event::SubscribeOrder::new(&self.account, uri);
        self.subscriber.subscribe(self.now, order)
    }
}
