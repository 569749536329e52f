//! The passing of time, and what comes out.

use super::Agent;
use super::watcher_info::AgentInfoPolicy;
use crate::engine::{ClientTransaction, Timestamp};
use crate::event::{Output, ServerEvent, SubscribeBodies};
use crate::presence::alarms::{Cause, Passed};
use crate::presence::policy::Policy;
use crate::winfo::WatcherInfoServer;

/// Presentities whose time has come that one call looks at.
const ALARMS_PER_CALL: u32 = 64;

impl<P: Policy, B: SubscribeBodies> Agent<P, B> {
    /// See [`Server::handle_timeout`](crate::event::Server::handle_timeout).
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.server.handle_timeout(now);
        let now = self.server.now();
        if let Some(back_end) = &mut self.back_end {
            back_end.watcher.handle_timeout(now);
        }
        if let Some(info) = &mut self.info {
            info.server.handle_timeout(now);
        }
        self.look_at_the_time();
        self.depart(now);
    }

    /// Looks at those whose time has come; false when there are more.
    pub(super) fn look_at_the_time(&mut self) -> bool {
        let now = self.server.now();
        let mut budget = ALARMS_PER_CALL;
        while let Some((presentity, passed)) =
            self.server.package_mut().alarms.pop(now, &mut budget)
        {
            self.alarm(now, &presentity, passed);
        }
        let next = self.server.package().alarms.next();
        next.is_none_or(|next| now < next)
    }

    /// See [`Server::poll_timeout`](crate::event::Server::poll_timeout).
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if !self.reviews.is_empty() {
            return Some(self.server.now());
        }
        let back_end = self.back_end.as_ref();
        let others = [
            self.server.package().alarms.next(),
            self.departures.next(),
            back_end.and_then(|back_end| back_end.watcher.poll_timeout()),
            self.info
                .as_ref()
                .and_then(|info| info.server.poll_timeout()),
        ];
        let all = others.into_iter().chain([self.server.poll_timeout()]);
        all.flatten().min()
    }

    /// See [`Server::poll_output`](crate::event::Server::poll_output).
    pub fn poll_output(&mut self) -> Option<Output> {
        // Most polls are for NOTIFYs, and an output is large: it is not handed on more than it has to be.
        if self.has_nothing_but_notifies() {
            let output = self.server.poll_output();
            debug_assert!(!is_heeded(output.as_ref()), "{output:?} is for others, too");
            return output;
        }
        self.poll_everything()
    }

    /// Whether the next output is a NOTIFY or nothing, whatever else the agent does.
    #[inline]
    fn has_nothing_but_notifies(&self) -> bool {
        let package = self.server.package();
        // Whoever is judged may be told of.
        let is_quiet = self.server.queued_outputs() == 0
            && self.outbox.is_empty()
            && self.reviews.is_empty()
            && package.unjudged.is_empty();
        is_quiet
            && self.info.is_none()
            && self.back_end.is_none()
            && !package.alarms.is_due_by(self.server.now())
    }

    #[inline(never)]
    fn poll_everything(&mut self) -> Option<Output> {
        if (self.server.package().alarms).is_due_by(self.server.now()) && !self.look_at_the_time() {
            // The deadline says so: nobody is shown what holds no longer.
            return None;
        }
        if !self.reviews.is_empty() {
            self.go_on_reviewing();
        }
        if self.back_end.is_some() {
            self.poll_back_end();
        }
        if !self.outbox.is_empty() {
            return self.outbox.pop_front();
        }
        let output = self.poll_server();
        if output.is_none() && self.info.is_some() {
            return self.poll_info();
        }
        output
    }

    #[inline]
    pub(super) fn poll_server(&mut self) -> Option<Output> {
        let output = self.server.poll_output();
        if let Some(Output::Event(event)) = &output {
            self.heed(event);
        }
        output
    }

    /// Whether its transactions are told apart by this number.
    pub(super) fn has_role(&self, role: u8) -> bool {
        let info = self.info.as_deref();
        role == self.role || info.is_some_and(|info| info.server.owns_role(role))
    }

    /// What serves watcher information, if a transaction is one of its own.
    pub(super) fn info_of(
        &mut self,
        transaction: ClientTransaction,
    ) -> Option<&mut WatcherInfoServer<AgentInfoPolicy>> {
        let info = self.info.as_deref_mut()?;
        let is_its = info.server.owns_transaction(transaction);
        is_its.then_some(&mut info.server)
    }

    /// What the server tells may concern the rest.
    fn heed(&mut self, event: &ServerEvent) {
        let now = self.server.now();
        self.tell_info(now, event);
        match event {
            ServerEvent::Published { resource, .. }
            | ServerEvent::PublicationExpired { resource, .. }
            | ServerEvent::PublicationReplaced { resource, .. } => {
                self.state_changed(now, resource);
                self.follow_agents(now, resource);
            }
            ServerEvent::SubscriptionEnded { subject, .. } => {
                let resource = &subject.resource;
                let is_seen = self.server.has_watchers(resource);
                if !is_seen && !self.policy().goes_by_state(resource) {
                    // Whoever comes next has the document composed anew.
                    self.server.package_mut().wake_for(resource, now, None);
                }
            }
            ServerEvent::SubscriptionStarted { subject, .. } => {
                // One that came where nothing can be forwarded, or had waited for its body.
                self.drain_one(subject.key);
            }
            ServerEvent::SubscriptionChanged { .. }
            | ServerEvent::ProtectionFailed { .. }
            | ServerEvent::NotifyRefused { .. } => {}
        }
    }

    /// The time has come to look at a presentity.
    fn alarm(&mut self, now: Timestamp, presentity: &str, passed: Passed) {
        if passed.has(Cause::Source) {
            self.end_sources(now, presentity);
        }
        if passed.has(Cause::Composition) {
            self.server.update_state(now, presentity, |_| true);
            self.state_changed(now, presentity);
        }
        if passed.has(Cause::State) {
            self.state_changed(now, presentity);
        }
        if passed.has(Cause::Policy) {
            self.review_named(now, presentity);
        }
    }
}

/// Whether an output tells of something that the rest of an agent goes by.
fn is_heeded(output: Option<&Output>) -> bool {
    matches!(
        output,
        Some(Output::Event(
            ServerEvent::Published { .. }
                | ServerEvent::PublicationExpired { .. }
                | ServerEvent::PublicationReplaced { .. }
                | ServerEvent::SubscriptionStarted { .. }
                | ServerEvent::SubscriptionEnded { .. }
        ))
    )
}
