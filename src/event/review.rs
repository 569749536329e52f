//! Subscriptions that are judged again though nobody has sent a SUBSCRIBE.

use super::authorization::{Decision, Signature, SubscribeQuery};
use super::identity::{Assurance, Identity};
use super::output::{SubscriptionKey, UnknownSubscription};
use super::package::Package;
use super::server::Server;
use super::subscription::{Phase, Subscription};
use crate::engine::Timestamp;
use crate::engine::slab::Key;

impl<P: Package> Server<P> {
    /// Judges a subscription again that is live, or whose last NOTIFY is still to tell of state: `ask` is
    /// asked as for a refresh by its watcher, under the names that it has proved last; nothing leaves it as it
    /// is. Tells whether something else holds now.
    ///
    /// # Errors
    /// When there is no such subscription (any more).
    pub fn review(
        &mut self,
        now: Timestamp,
        key: SubscriptionKey,
        ask: impl FnOnce(&mut P, &SubscribeQuery<'_>) -> Option<Decision>,
    ) -> Result<bool, UnknownSubscription> {
        self.advance(now);
        let subscription = self.subscriptions.get(key.0).ok_or(UnknownSubscription)?;
        if !subscription.phase.tells_state() {
            return Err(UnknownSubscription);
        }
        let phase = subscription.phase;
        let resource = self.resources.get(subscription.resource);
        let seen = self.variants.get(subscription.variant);
        let (Some(resource), Some(seen)) = (resource, seen) else {
            return Err(UnknownSubscription);
        };
        let watcher = subscription.watcher.and_then(|key| self.watchers.get(key));
        let identity = match (subscription.identity(), watcher, subscription.assurance) {
            (Some(identity), _, _) => identity.clone(),
            (None, Some(watcher), Some(assurance)) => Identity::known(&watcher.name, assurance),
            _ => Identity::nobody(),
        };
        let left = subscription.expires_at.saturating_since(self.now).as_secs();
        let query = SubscribeQuery {
            now: self.now,
            identity: &identity,
            resource: &resource.name,
            uri: &seen.name.entity,
            current: Some(&seen.name.decision),
            subscription: Some(key),
            expires: u32::try_from(left).unwrap_or(u32::MAX),
            signature: subscription.signature,
            signers: &[],
            is_encrypted: false,
            covers_header: false,
        };
        let Some(decision) = ask(&mut self.package, &query) else {
            return Ok(false);
        };
        if decision == seen.name.decision {
            return Ok(false);
        }
        match phase {
            Phase::Ending(_) => self.judge_last(key.0, &decision),
            Phase::Live | Phase::Ended(_) => {
                self.apply(key.0, decision);
                self.owe(key.0);
            }
        }
        Ok(true)
    }

    /// Something else holds for one whose last NOTIFY has not left yet: that shows no more than it may.
    fn judge_last(&mut self, key: Key, decision: &Decision) {
        if let Decision::Reject(_) = decision {
            self.withhold(key);
        } else {
            self.move_to_variant(key, Some(decision), None);
        }
    }

    /// Judges a subscription whose turn has come before it was judged; tells whether something else holds,
    /// and a NOTIFY is owed for that.
    #[inline]
    pub(super) fn judge_first(&mut self, key: Key) -> bool {
        self.package.is_to_be_judged(SubscriptionKey(key)) && self.judge_now(key)
    }

    // Few are: it is to be out of the way of those who are not.
    #[cold]
    #[inline(never)]
    fn judge_now(&mut self, key: Key) -> bool {
        let judged = self.review(self.now, SubscriptionKey(key), P::judge);
        judged.unwrap_or(false)
    }

    /// Judges somebody who has no subscription, or none any more: `ask` is asked as for a SUBSCRIBE by this
    /// watcher, of whom nothing else is known.
    pub(crate) fn review_absent(
        &mut self,
        now: Timestamp,
        watcher: &str,
        resource: &str,
        ask: impl FnOnce(&mut P, &SubscribeQuery<'_>) -> Option<Decision>,
    ) -> Option<Decision> {
        self.advance(now);
        let query = SubscribeQuery {
            now: self.now,
            identity: &Identity::known(watcher, Assurance::Claimed),
            resource,
            uri: resource,
            current: None,
            subscription: None,
            expires: 0,
            signature: Signature::None,
            signers: &[],
            is_encrypted: false,
            covers_header: false,
        };
        ask(&mut self.package, &query)
    }

    /// The live subscriptions of a watcher to a resource, both by their canonical names.
    pub fn keys_of_watcher(&self, watcher: &str, resource: &str) -> Vec<SubscriptionKey> {
        self.subscriptions_of(watcher, resource)
            .map(SubscriptionKey)
            .collect()
    }

    /// The same with those whose last NOTIFY is still to tell of state.
    pub(crate) fn keys_of_watcher_to_judge(
        &self,
        watcher: &str,
        resource: &str,
    ) -> Vec<SubscriptionKey> {
        self.all_subscriptions_of(watcher, resource)
            .filter(|(_, subscription)| subscription.phase.tells_state())
            .map(|(key, _)| SubscriptionKey(key))
            .collect()
    }

    /// The subscriptions to be judged to a resource of those who have one of these names, sorted, beside the one
    /// that they are listed under.
    pub(crate) fn keys_of_further_names(
        &self,
        names: &[String],
        resource: &str,
    ) -> Vec<SubscriptionKey> {
        let found = self.resources.find(resource);
        let found = found.and_then(|key| self.resources.get(key));
        if found.is_none_or(|resource| resource.several_names == 0) {
            return Vec::new();
        }
        let mut keys = self.keys_to_judge(resource);
        keys.retain(|key| {
            let identity = self.subscriptions.get(key.0).and_then(|it| it.identity());
            let mut further = identity.into_iter().flat_map(|it| it.claims().skip(1));
            further.any(|(name, _)| names.binary_search_by(|it| it.as_str().cmp(name)).is_ok())
        });
        keys
    }

    /// The live subscriptions to a resource, named canonically, in the order in which they came.
    pub fn keys_of_resource(&self, resource: &str) -> Vec<SubscriptionKey> {
        self.keys_where(resource, Subscription::is_live)
    }

    /// The same with those whose last NOTIFY is still to tell of state.
    pub(crate) fn keys_to_judge(&self, resource: &str) -> Vec<SubscriptionKey> {
        self.keys_where(resource, |subscription| subscription.phase.tells_state())
    }

    fn keys_where(
        &self,
        resource: &str,
        is_wanted: impl Fn(&Subscription) -> bool,
    ) -> Vec<SubscriptionKey> {
        let key = self.resources.find(resource);
        let mut next = key.and_then(|key| self.resources.get(key)?.subscriptions.first());
        let mut keys = Vec::new();
        while let Some((key, subscription)) = next.and_then(|index| self.subscriptions.entry(index))
        {
            next = subscription.by_resource.next();
            if is_wanted(subscription) {
                keys.push(SubscriptionKey(key));
            }
        }
        keys
    }

    /// The canonical names of the resources that somebody watches, publishes for, or has set a state of.
    pub fn resource_names(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().map(|(_, resource)| &*resource.name)
    }
}
