//! The presence agent.

use std::borrow::Cow;

use time::OffsetDateTime;

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

use super::config::AgentConfig;
use super::package::{PresencePackage, fit};
use super::policy::Policy;

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
        let package = PresencePackage::new(policy, bodies, &config, secret);
        Self {
            server: Server::new(package, config.server, entropy),
        }
    }

    /// See [`Server::accepts`].
    pub fn accepts(&self, request: &RequestRef<'_>) -> bool {
        self.server.accepts(request)
    }

    /// See [`Server::owns`].
    pub fn owns(&self, request: &RequestRef<'_>) -> bool {
        self.server.owns(request)
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
        self.server.handle_response(now, transaction, response);
    }

    /// See [`Server::handle_failure`].
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        failure: Failure,
    ) {
        self.server.handle_failure(now, transaction, failure);
    }

    /// See [`Server::handle_flow_lost`].
    pub fn handle_flow_lost(&mut self, now: Timestamp, flow: FlowId) {
        self.server.handle_flow_lost(now, flow);
    }

    /// See [`Server::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.server.handle_timeout(now);
    }

    /// See [`Server::poll_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.server.poll_timeout()
    }

    /// See [`Server::poll_output`].
    pub fn poll_output(&mut self) -> Option<Output> {
        self.server.poll_output()
    }

    /// See [`Server::provide_credentials`].
    pub fn provide_credentials(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        value: &str,
    ) -> bool {
        self.server.provide_credentials(now, transaction, value)
    }

    /// See [`Server::decline_credentials`].
    pub fn decline_credentials(&mut self, now: Timestamp, transaction: ClientTransaction) -> bool {
        self.server.decline_credentials(now, transaction)
    }

    /// See [`Server::complete_job`].
    pub fn complete_job(&mut self, now: Timestamp, key: JobKey, success: bool) -> JobOutcome {
        self.server.complete_job(now, key, success)
    }

    /// Says what time of day it is, which signed documents tell (RFC 3856 section 9.4): what has no
    /// timestamp of its own gets one when it changes. Without it they do not, and a signature is of no
    /// use against replay. To be said again when the clock was set.
    pub fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) {
        self.server.package_mut().stamps.set_wall_clock(now, utc);
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
        self.server.decide(now, key, decision)
    }

    /// The same for every subscription of a watcher to a presentity; tells how many there are.
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
            self.server
                .decide_watcher(now, &watcher, &presentity, decision)
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
        document.entity = format!("sip:{name}");
        document.write()?;
        fit(&mut document);
        self.server.update_state(now, &name, |state| {
            let differs = state.lasting.as_ref() != Some(&document);
            if differs {
                state.lasting = Some(document);
            }
            differs
        });
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
        Ok(self
            .server
            .update_state(now, &name, |state| state.lasting.take().is_some()))
    }

    /// Everything that is known of a presentity, set and published, as one document under its sip
    /// URI: what a watcher with the full view is shown. Nothing when nothing is known of it.
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn presence(&mut self, presentity: &str) -> Result<Option<Presence>, UnknownPresentity> {
        let name = self.presentity(presentity)?;
        let mut whole = self
            .server
            .look_at(&name, |package, version, state, publications| {
                let whole = package.whole(version, state, publications);
                whole.map(Cow::into_owned)
            })
            .flatten();
        if let Some(document) = &mut whole {
            document.entity = format!("sip:{name}");
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

    /// Ends every subscription; tells how many there were.
    pub fn terminate_all(&mut self, now: Timestamp, termination: Termination) -> usize {
        self.server.terminate_all(now, termination)
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
        self.server.occupancy()
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

/// The canonical name of a watcher, by URI or by that name itself.
fn name_of(text: &str) -> Option<String> {
    let named = |uri: &str| Uri::parse(uri).ok().and_then(|uri| uri.address_of_record());
    named(text).or_else(|| named(&with_scheme(text)?))
}
