//! The presence agent.

mod back_end;
mod migration;
mod polling;
mod review;
mod sources;
mod watcher_info;

use std::collections::VecDeque;

use time::OffsetDateTime;

use crate::engine::wall_clock::WallClock;
use crate::engine::{ClientTransaction, Entropy, FlowId, ServerTransaction, Timestamp};
use crate::event::{
    Ahead, Backlog, Counters, Decision, Delivery, DirectOutcome, DirectRequest, Failure, JobKey,
    JobOutcome, NoBodies, Occupancy, OpeningKey, OpeningOutcome, Output, ProtectError,
    ProtectionKey, PublicationInfo, RefusedDirect, RequestContext, Server, SubscribeBodies,
    SubscriptionInfo, SubscriptionKey, Termination, UnknownSubscription, Verdict, VerificationKey,
};
use crate::mime::Written;
use crate::pidf::{Presence, WriteError};
use crate::sip::{RequestRef, ResponseRef, Uri};

use crate::presence::config::AgentConfig;
use crate::presence::package::{PresencePackage, fit};
use crate::presence::policy::Policy;
use crate::presence::registered::Registrations;
use back_end::BackEnd;
use migration::Departures;
use review::Reviews;
use watcher_info::Info;

pub use back_end::{FollowError, RoleTaken};
pub use migration::InvalidTarget;
pub use sources::SetRegistrationError;
pub use watcher_info::AgentInfoPolicy;

/// A presence agent (RFC 3856 section 3): it takes SUBSCRIBE and PUBLISH for its presentities and
/// notifies their watchers.
///
/// A presence server is an agent that takes publications; an edge presence server is one whose
/// state the application sets with [`set_presence`](Self::set_presence). The crate's front page
/// shows the loop that drives it.
///
/// Presentities and watchers are named by any URI that means them, or by the canonical name that
/// events and iterators tell, such as `ana@example.com`.
///
/// `B` reads the bodies of SUBSCRIBE requests; by default there is none that does.
#[derive(Debug)]
pub struct Agent<P: Policy, B: SubscribeBodies = NoBodies> {
    server: Server<PresencePackage<P, B>>,
    registrations: Registrations,
    max_sources: usize,
    follows_agents: bool,
    reviews: Reviews,
    /// The time of day by which documents were composed, and spheres told.
    seen_by: WallClock,
    departures: Departures,
    back_end: Option<Box<BackEnd>>,
    info: Option<Box<Info>>,
    /// What others than the server put out.
    outbox: VecDeque<Output>,
    max_outputs: usize,
    retry_after: u32,
    role: u8,
}

/// The text names no presentity that this agent could serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no presentity of this agent")]
pub struct UnknownPresentity;

/// A state that cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetPresenceError {
    /// The text names no presentity of this agent.
    #[error(transparent)]
    Presentity(#[from] UnknownPresentity),
    /// The document cannot be written.
    #[error(transparent)]
    Document(#[from] WriteError),
    /// The presentity has as many sources as it may have.
    #[error("too many sources of one presentity")]
    TooManySources,
}

impl<P: Policy> Agent<P> {
    /// An agent with the application's policy and source of unguessable bytes.
    pub fn new(config: AgentConfig, policy: P, entropy: impl Entropy + Send + 'static) -> Self {
        Self::with_bodies(config, policy, NoBodies, entropy)
    }
}

impl<P: Policy, B: SubscribeBodies> Agent<P, B> {
    /// The same with what reads the bodies of SUBSCRIBE requests.
    pub fn with_bodies(
        config: AgentConfig,
        policy: P,
        bodies: B,
        mut entropy: impl Entropy + Send + 'static,
    ) -> Self {
        let mut secret = [0; 8];
        entropy.fill(&mut secret);
        let secret = u64::from_le_bytes(secret);
        let mut registrations = config.registrations.clone();
        if registrations.secret == 0 {
            registrations.secret = secret.rotate_left(32);
        }
        let package = PresencePackage::new(policy, bodies, &config, secret);
        Self {
            registrations,
            max_sources: config.sources,
            follows_agents: config.follows_agents,
            reviews: Reviews::default(),
            seen_by: WallClock::default(),
            departures: Departures::new(config.migration, config.departures_per_second),
            back_end: None,
            info: None,
            outbox: VecDeque::new(),
            max_outputs: config.server.limits.outputs,
            retry_after: config.server.retry_after,
            role: config.server.role,
            server: Server::new(package, config.server, entropy),
        }
    }

    /// See [`Server::accepts`]. With a [back end](Self::set_back_end) the NOTIFYs for it too.
    pub fn accepts(&self, request: &RequestRef<'_>) -> bool {
        // Whatever watcher information is asked for comes by SUBSCRIBE.
        self.server.accepts(request) || self.is_for_back_end(request)
    }

    /// See [`Server::owns`].
    pub fn owns(&self, request: &RequestRef<'_>) -> bool {
        let info = self.info.as_deref();
        self.server.owns(request)
            || self.is_for_back_end(request)
            || info.is_some_and(|info| info.server.owns(request))
    }

    /// See [`Server::handle_request`].
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
        if self.outbox.len() >= self.max_outputs {
            return Err(Backlog {
                retry_after: self.retry_after,
            });
        }
        // Nobody is judged by what held before.
        self.look_at_the_time();
        if self.is_for_back_end(request) {
            return self.notify_back_end(now, transaction, request, context);
        }
        if self.send_on(now, transaction, request) {
            return Ok(());
        }
        if let Some(info) = self.info_for(request) {
            return info.handle_request(now, transaction, request, context);
        }
        self.server
            .handle_request(now, transaction, request, context)
    }

    /// See [`Server::handle_response`].
    pub fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.advance(now);
        if let Some(back_end) = self.back_end_of(transaction) {
            back_end.watcher.handle_response(now, transaction, response);
        } else if let Some(info) = self.info_of(transaction) {
            info.handle_response(now, transaction, response);
        } else {
            self.server.handle_response(now, transaction, response);
        }
    }

    /// See [`Server::handle_failure`].
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        failure: Failure,
    ) {
        self.advance(now);
        if let Some(back_end) = self.back_end_of(transaction) {
            back_end.watcher.handle_failure(now, transaction, failure);
        } else if let Some(info) = self.info_of(transaction) {
            info.handle_failure(now, transaction, failure);
        } else {
            self.server.handle_failure(now, transaction, failure);
        }
    }

    /// See [`Server::handle_flow_lost`].
    pub fn handle_flow_lost(&mut self, now: Timestamp, flow: FlowId) {
        self.server.handle_flow_lost(now, flow);
        if let Some(info) = &mut self.info {
            info.server.handle_flow_lost(now, flow);
        }
    }

    /// See [`Server::provide_credentials`].
    pub fn provide_credentials(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        value: &str,
    ) -> bool {
        if let Some(back_end) = self.back_end_of(transaction) {
            return (back_end.watcher).provide_credentials(now, transaction, value);
        }
        match self.info_of(transaction) {
            Some(info) => info.provide_credentials(now, transaction, value),
            None => self.server.provide_credentials(now, transaction, value),
        }
    }

    /// See [`Server::decline_credentials`].
    pub fn decline_credentials(&mut self, now: Timestamp, transaction: ClientTransaction) -> bool {
        if let Some(back_end) = self.back_end_of(transaction) {
            return back_end.watcher.decline_credentials(now, transaction);
        }
        match self.info_of(transaction) {
            Some(info) => info.decline_credentials(now, transaction),
            None => self.server.decline_credentials(now, transaction),
        }
    }

    /// See [`Server::complete_job`].
    pub fn complete_job(&mut self, now: Timestamp, key: JobKey, success: bool) -> JobOutcome {
        self.server.complete_job(now, key, success)
    }

    /// Says what time of day it is, which signed documents tell (RFC 3856 section 9.4): what has no
    /// timestamp of its own gets one when it changes. Without it they do not, and a signature is of no
    /// use against replay. To be said again when the clock was set.
    pub fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) {
        self.advance(now);
        let package = self.server.package_mut();
        let is_composed = package.composition.is_some();
        package.stamps.set_wall_clock(now, utc);
        let affected = package.policy.set_wall_clock(now, utc);
        if let Some(back_end) = &mut self.back_end {
            back_end.watcher.set_wall_clock(now, utc);
        }
        if self.seen_by.differs(now, utc) {
            self.seen_by.set(now, utc);
            self.look_at_all(now, is_composed);
        }
        for presentity in affected {
            self.review_named(now, &presentity);
        }
    }

    /// See [`Server::complete_protection`].
    pub fn complete_protection(
        &mut self,
        now: Timestamp,
        key: ProtectionKey,
        result: Result<Written, ProtectError>,
    ) -> bool {
        self.server.complete_protection(now, key, result)
    }

    /// See [`Server::complete_opening`].
    pub fn complete_opening(
        &mut self,
        now: Timestamp,
        key: OpeningKey,
        outcome: OpeningOutcome,
    ) -> bool {
        self.server.complete_opening(now, key, outcome)
    }

    /// See [`Server::complete_verification`].
    pub fn complete_verification(
        &mut self,
        now: Timestamp,
        key: VerificationKey,
        verdict: &Verdict,
    ) -> bool {
        self.server.complete_verification(now, key, verdict)
    }

    /// See [`Server::handle_direct`].
    ///
    /// # Errors
    /// See [`RefusedDirect`].
    pub fn handle_direct(
        &mut self,
        now: Timestamp,
        request: &DirectRequest<'_>,
    ) -> Result<DirectOutcome, RefusedDirect> {
        self.advance(now);
        self.look_at_the_time();
        // What is fetched is made at once.
        if let Ok(name) = self.presentity(request.resource()) {
            self.state_changed(now, &name);
        }
        self.server.handle_direct(now, request)
    }

    /// The latest time that was told.
    pub(crate) fn now(&self) -> Timestamp {
        self.server.now()
    }

    /// Tells the time and nothing else.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.server.advance(now);
    }

    pub(crate) fn look_ahead_direct(
        &self,
        watcher: &str,
        presentity: &str,
        id: Option<&str>,
        is_nobody: bool,
    ) -> Ahead {
        (self.server).look_ahead_direct(watcher, presentity, id, is_nobody)
    }

    pub(crate) fn look_closer_direct(&self, ahead: &Ahead) {
        self.server.look_closer_direct(ahead);
    }

    /// See [`Server::handle_delivery`].
    pub fn handle_delivery(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        delivery: Delivery,
    ) {
        self.server.handle_delivery(now, transaction, delivery);
    }

    /// The application's decision about a subscription, at any time and in either direction.
    ///
    /// The policy is asked again at each refresh: any answer but [`Decision::Pending`] replaces
    /// this decision then.
    ///
    /// # Errors
    /// When there is no such subscription (any more).
    pub fn decide(
        &mut self,
        now: Timestamp,
        key: SubscriptionKey,
        decision: Decision,
    ) -> Result<(), UnknownSubscription> {
        self.server.decide(now, key, decision.clone())?;
        self.settled(key);
        if self.info.is_some()
            && decision != Decision::Pending
            && let Some(subject) = self.server.subject_of(key)
            && let Some(watcher) = subject.watcher
        {
            self.tell_decision(now, &watcher, &subject.resource, &decision);
        }
        Ok(())
    }

    /// The same for every subscription of a watcher to a presentity; tells how many there are, those
    /// included that ran out undecided and are still shown as watchers ([`serve_watcher_info`](
    /// Self::serve_watcher_info)).
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn decide_watcher(
        &mut self,
        now: Timestamp,
        watcher: &str,
        presentity: &str,
        decision: &Decision,
    ) -> Result<usize, UnknownPresentity> {
        self.advance(now);
        let presentity = self.presentity(presentity)?;
        // Who is nobody watches nobody.
        Ok(name_of(watcher).map_or(0, |watcher| {
            for key in self.server.keys_of_watcher(&watcher, &presentity) {
                self.settled(key);
            }
            let live = (self.server).decide_watcher(now, &watcher, &presentity, decision);
            live + self.tell_decision(now, &watcher, &presentity, decision)
        }))
    }

    /// Sets the state of a presentity as the application knows it: it lasts until it is replaced
    /// or cleared, and is shown as [`AgentConfig::lasting`] says. The document's entity is of no
    /// account; each watcher gets the presentity's URI that it asked for.
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve, or the document has what
    /// none can hold, such as control characters. Then nothing changes.
    pub fn set_presence(
        &mut self,
        now: Timestamp,
        presentity: &str,
        mut document: Presence,
    ) -> Result<(), SetPresenceError> {
        self.advance(now);
        let name = self.presentity(presentity)?;
        document.repair();
        document.entity = own_uri(&name);
        document.write()?;
        fit(&mut document);
        let changed = self.server.update_state(now, &name, |state| {
            let differs = state.lasting.as_ref() != Some(&document);
            if differs {
                state.lasting = Some(document);
                state.lasting_since = now;
            }
            differs
        });
        if changed {
            self.state_changed(now, &name);
        }
        Ok(())
    }

    /// Takes back what was set; tells whether there was anything.
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn clear_presence(
        &mut self,
        now: Timestamp,
        presentity: &str,
    ) -> Result<bool, UnknownPresentity> {
        self.advance(now);
        let name = self.presentity(presentity)?;
        let changed = self
            .server
            .update_state(now, &name, |state| state.lasting.take().is_some());
        if changed {
            self.state_changed(now, &name);
        }
        Ok(changed)
    }

    /// Everything that is known of a presentity, set and published, as one document under its sip
    /// or tel URI: what a watcher with the full view is shown. Nothing when nothing is known of it.
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn presence(&mut self, presentity: &str) -> Result<Option<Presence>, UnknownPresentity> {
        let name = self.presentity(presentity)?;
        let now = self.server.now();
        let mut whole = self.state_of(now, &name);
        if let Some(document) = &mut whole {
            document.entity = own_uri(&name);
        }
        Ok(whole)
    }

    /// Has the documents of a presentity made anew, since what the policy's views show of it has
    /// changed. Watchers whose document becomes another are told.
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn views_changed(
        &mut self,
        now: Timestamp,
        presentity: &str,
    ) -> Result<(), UnknownPresentity> {
        self.advance(now);
        let name = self.presentity(presentity)?;
        self.server.update_state(now, &name, |_| true);
        Ok(())
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// When there is no such subscription (any more).
    pub fn terminate(
        &mut self,
        now: Timestamp,
        key: SubscriptionKey,
        termination: Termination,
    ) -> Result<(), UnknownSubscription> {
        self.server.terminate(now, key, termination)
    }

    /// Ends every subscription to a presentity; tells how many there were.
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn terminate_presentity(
        &mut self,
        now: Timestamp,
        presentity: &str,
        termination: Termination,
    ) -> Result<usize, UnknownPresentity> {
        self.advance(now);
        let name = self.presentity(presentity)?;
        Ok(self.server.terminate_resource(now, &name, termination))
    }

    /// Ends every subscription, those to watcher information included; tells how many there were.
    pub fn terminate_all(&mut self, now: Timestamp, termination: Termination) -> usize {
        let info = self.info.as_deref_mut();
        let of_info = info.map_or(0, |info| info.server.terminate_all(now, termination));
        self.server.terminate_all(now, termination) + of_info
    }

    /// Whether anyone watches a presentity. Cheap: a publisher may ask before it troubles itself.
    pub fn has_watchers(&self, presentity: &str) -> bool {
        self.presentity(presentity)
            .is_ok_and(|name| self.server.has_watchers(&name))
    }

    /// The live subscriptions, in an order that depends on nothing but the calls made.
    pub fn subscriptions(&self) -> impl Iterator<Item = SubscriptionInfo<'_>> {
        self.server.subscriptions()
    }

    /// One live subscription.
    pub fn subscription(&self, key: SubscriptionKey) -> Option<SubscriptionInfo<'_>> {
        self.server.subscription(key)
    }

    /// The publications, in an order that depends on nothing but the calls made.
    pub fn publications(&self) -> impl Iterator<Item = PublicationInfo<'_>> {
        self.server.publications()
    }

    /// How full the tables are.
    pub fn occupancy(&self) -> Occupancy {
        let mut tables = self.server.occupancy();
        tables.timers += self.server.package().alarms.len();
        tables.outputs += self.outbox.len() + self.reviews.len() + self.departures.len();
        tables
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        self.server.counters()
    }

    /// The methods of this role, for Allow.
    pub fn allow(&self) -> &'static str {
        self.server.allow()
    }

    /// The event types, for Allow-Events.
    pub fn allow_events(&self) -> &str {
        self.server.allow_events()
    }

    /// The application's policy.
    pub fn policy(&self) -> &P {
        &self.server.package().policy
    }

    /// The application's policy, to change what it decides by.
    pub fn policy_mut(&mut self) -> &mut P {
        &mut self.server.package_mut().policy
    }

    /// What reads the bodies of SUBSCRIBE requests.
    pub fn bodies(&self) -> &B {
        &self.server.package().bodies
    }

    /// The same, to change what it goes by.
    pub fn bodies_mut(&mut self) -> &mut B {
        &mut self.server.package_mut().bodies
    }

    fn presentity(&self, text: &str) -> Result<String, UnknownPresentity> {
        use crate::event::Package;
        let package = self.server.package();
        let named = |uri: &str| {
            Uri::parse(uri)
                .ok()
                .and_then(|uri| package.resource(&uri).ok())
        };
        named(text)
            .or_else(|| named(&with_scheme(text)?))
            .ok_or(UnknownPresentity)
    }
}

/// A canonical name as a URI; nothing for what has a scheme already, be it one of no use here.
fn with_scheme(name: &str) -> Option<String> {
    let user = name.split_once('@').map_or("", |(user, _)| user);
    (!user.contains(':')).then(|| format!("sip:{name}"))
}

/// The canonical name of a presentity as the URI of a document. That of a telephone number is one.
fn own_uri(presentity: &str) -> String {
    match presentity.starts_with("tel:") {
        true => presentity.to_owned(),
        false => format!("sip:{presentity}"),
    }
}

/// The canonical name of a watcher, by URI or by that name itself.
fn name_of(text: &str) -> Option<String> {
    let named = |uri: &str| Uri::parse(uri).ok().and_then(|uri| uri.address_of_record());
    named(text).or_else(|| named(&with_scheme(text)?))
}
