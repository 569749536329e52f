//! The course of a subscription after its SUBSCRIBE: decisions, ends.

use super::authorization::{Decision, Termination};
use super::output::{EndReason, ServerEvent, SubscriptionKey, UnknownSubscription};
use super::package::{Package, Visibility};
use super::server::Server;
use super::subscription::{Ending, Phase, Subscription};
use crate::engine::Timestamp;
use crate::engine::slab::Key;

impl<P: Package> Server<P> {
    /// The application's decision about a subscription, at any time and in either direction.
    ///
    /// # Errors
    /// When there is no such subscription (any more).
    pub fn decide(
        &mut self,
        now: Timestamp,
        key: SubscriptionKey,
        decision: Decision,
    ) -> Result<(), UnknownSubscription> {
        self.advance(now);
        let subscription = self.subscriptions.get(key.0).ok_or(UnknownSubscription)?;
        if !subscription.is_live() {
            return Err(UnknownSubscription);
        }
        if self.decision(subscription) != Some(&decision) {
            self.apply(key.0, decision);
            self.owe(key.0);
        }
        Ok(())
    }

    /// The same for every subscription of a watcher to a resource, both by their canonical names;
    /// tells how many there are.
    pub fn decide_watcher(
        &mut self,
        now: Timestamp,
        watcher: &str,
        resource: &str,
        decision: &Decision,
    ) -> usize {
        self.advance(now);
        let keys: Vec<Key> = self.subscriptions_of(watcher, resource).collect();
        for key in &keys {
            let _ = self.decide(now, SubscriptionKey(*key), decision.clone());
        }
        for key in self.leaving_of(watcher, resource) {
            if self.subscriptions.get(key).and_then(|it| self.decision(it)) != Some(decision) {
                self.withhold(key);
            }
        }
        keys.len()
    }

    /// Whose last NOTIFY is still to tell the state.
    pub(super) fn leaving_of(&self, watcher: &str, resource: &str) -> Vec<Key> {
        let listed = self.all_subscriptions_of(watcher, resource);
        let leaving = listed.filter(|(_, it)| !it.is_live() && it.phase.tells_state());
        leaving.map(|(key, _)| key).collect()
    }

    /// Something else holds for one who has left: the last NOTIFY tells no state.
    pub(super) fn withhold(&mut self, key: Key) {
        let subscription = self.subscriptions.get_mut(key);
        if let Some(Phase::Ending(ending)) = subscription.map(|it| &mut it.phase) {
            ending.with_state = false;
        }
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
        self.advance(now);
        if !self
            .subscriptions
            .get(key.0)
            .is_some_and(Subscription::is_live)
        {
            return Err(UnknownSubscription);
        }
        self.end_as_told(key.0, termination);
        Ok(())
    }

    /// Ends every subscription to a resource, named canonically; tells how many there were.
    pub fn terminate_resource(
        &mut self,
        now: Timestamp,
        resource: &str,
        termination: Termination,
    ) -> usize {
        self.advance(now);
        let keys = self.keys_of_resource(resource);
        for key in &keys {
            self.end_as_told(key.0, termination);
        }
        keys.len()
    }

    /// Ends every subscription; tells how many there were.
    pub fn terminate_all(&mut self, now: Timestamp, termination: Termination) -> usize {
        self.advance(now);
        let live = self
            .subscriptions
            .iter()
            .filter(|(_, subscription)| subscription.is_live());
        let keys: Vec<Key> = live.map(|(key, _)| key).collect();
        for key in &keys {
            self.end_as_told(*key, termination);
        }
        keys.len()
    }

    /// Puts a decision in force; the NOTIFY for it is the caller's.
    pub(super) fn apply(&mut self, key: Key, decision: Decision) {
        if let Decision::Reject(_) = decision {
            let ending = Ending {
                told: super::Reason::Rejected,
                retry_after: None,
                with_state: false,
            };
            self.end(key, EndReason::Rejected, ending);
            return;
        }
        self.move_to_variant(key, Some(&decision), None);
        if let Some(subject) = self.subject(key) {
            self.event(ServerEvent::SubscriptionChanged { subject, decision });
        }
    }

    pub(super) fn end_as_told(&mut self, key: Key, termination: Termination) {
        let ending = Ending {
            told: termination.reason,
            retry_after: termination.retry_after,
            // RFC 6665 section 4.1.3: who is told `invariant` keeps the state that comes with it.
            with_state: termination.reason == super::Reason::Invariant,
        };
        self.end(key, EndReason::Terminated(termination.reason), ending);
    }

    /// Ends a subscription: from now on it is found by no SUBSCRIBE, and its last NOTIFY is owed.
    pub(super) fn end(&mut self, key: Key, reason: EndReason, ending: Ending) {
        let Some(subject) = self.subject(key) else {
            return;
        };
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        if !subscription.is_live() {
            return;
        }
        if subscription.way.direct().is_some() {
            self.drop_silently(key, reason);
            return;
        }
        subscription.phase = Phase::Ending(ending);
        self.cease(key);
        self.event(ServerEvent::SubscriptionEnded { subject, reason });
        self.owe(key);
    }

    /// Ends a subscription without a word to the watcher (RFC 6665 section 4.2.2).
    pub(super) fn drop_silently(&mut self, key: Key, why: EndReason) {
        // One whose last NOTIFY is open may have outlived its resource.
        let subject = self.subject(key);
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let was_live = subscription.is_live();
        let was_listed = !matches!(subscription.phase, Phase::Ended(_));
        if was_live {
            self.cease(key);
            if let Some(subject) = subject {
                self.event(ServerEvent::SubscriptionEnded {
                    subject,
                    reason: why,
                });
            }
        }
        if was_listed {
            self.leave_lists(key);
        }
        self.remove_ended(key);
    }

    /// The end of being live, on every path.
    fn cease(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let bits = subscription.way.bits();
        let resource = subscription.resource;
        let pace = subscription.terms_mut().and_then(|it| it.pace.as_mut());
        let pace = pace.and_then(|pace| pace.timer.take());
        let timers = [subscription.timer.take(), subscription.take_hold(), pace];
        for timer in timers.into_iter().flatten() {
            self.wheel.cancel(timer);
        }
        self.ways.remove(bits, key.index);
        if let Some(resource) = self.resources.get_mut(resource) {
            resource.live -= 1;
        }
        self.counters.subscriptions_ended += 1;
    }

    pub(super) fn expire_subscription(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.timer = None;
        // A NOTIFY behind the deadline tells no state any more.
        let ending = Ending {
            told: super::Reason::Timeout,
            retry_after: None,
            with_state: false,
        };
        self.end(key, EndReason::Expired, ending);
    }
}

pub(super) fn visibility(decision: &Decision) -> Visibility {
    match decision {
        Decision::Allow(view) => Visibility::View(view.clone()),
        Decision::PoliteBlock => Visibility::PoliteBlock,
        // Those who are refused are shown nothing.
        Decision::Pending | Decision::Reject(_) => Visibility::Pending,
    }
}
