//! Subscriptions that are judged again though nobody has sent a SUBSCRIBE.

use super::authorization::{Decision, Signature, SubscribeQuery};
use super::identity::{Assurance, Identity};
use super::output::{SubscriptionKey, UnknownSubscription};
use super::package::Package;
use super::server::Server;
use super::subscription::Subscription;
use crate::engine::Timestamp;

impl<P: Package> Server<P> {
    /// Judges a live subscription again: `ask` is asked as for a refresh by its watcher, under the names that
    /// it began with; nothing leaves it as it is. Tells whether something else holds
    /// now.
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
        let is_live = subscription.is_live();
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
        if !is_live {
            self.withhold(key.0);
            return Ok(false);
        }
        self.apply(key.0, decision);
        self.owe(key.0);
        Ok(true)
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

    /// The live subscriptions to a resource of those who have one of these names, sorted, beside the one
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
        let mut keys = self.keys_to_review(resource);
        keys.retain(|key| {
            let identity = self.subscriptions.get(key.0).and_then(|it| it.identity());
            let mut further = identity.into_iter().flat_map(|it| it.claims().skip(1));
            further.any(|(name, _)| names.binary_search_by(|it| it.as_str().cmp(name)).is_ok())
        });
        keys
    }

    /// Those whom a review concerns: the live subscriptions of a watcher to a resource, and those that
    /// have ended and whose last NOTIFY is still to tell the state.
    pub(crate) fn keys_to_review_of(&self, watcher: &str, resource: &str) -> Vec<SubscriptionKey> {
        let mut keys = self.keys_of_watcher(watcher, resource);
        let leaving = self.leaving_of(watcher, resource).into_iter();
        keys.extend(leaving.map(SubscriptionKey));
        keys
    }

    /// The same of all watchers of a resource.
    pub(crate) fn keys_to_review(&self, resource: &str) -> Vec<SubscriptionKey> {
        self.keys_of(resource, |subscription| subscription.phase.tells_state())
    }

    /// The live subscriptions to a resource, named canonically, in the order in which they came.
    pub fn keys_of_resource(&self, resource: &str) -> Vec<SubscriptionKey> {
        self.keys_of(resource, Subscription::is_live)
    }

    fn keys_of(
        &self,
        resource: &str,
        is_meant: impl Fn(&Subscription) -> bool,
    ) -> Vec<SubscriptionKey> {
        let key = self.resources.find(resource);
        let mut next = key.and_then(|key| self.resources.get(key)?.subscriptions.first());
        let mut keys = Vec::new();
        while let Some((key, subscription)) = next.and_then(|index| self.subscriptions.entry(index))
        {
            next = subscription.by_resource.next();
            if is_meant(subscription) {
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
