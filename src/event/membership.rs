//! The lists that a subscription stands in, entered and left together with their owners.

use std::sync::Arc;

use hashbrown::Equivalent;

use super::authorization::Decision;
use super::identity::Identity;
use super::narrowing::Narrowing;
use super::output::SubscriptionKey;
use super::package::Package;
use super::protection::{Protection, Waits};
use super::resource::Round;
use super::server::Server;
use super::subscription::{Flow, Subscription, Variant, VariantQuery, by_resource, by_watcher};
use crate::engine::FlowId;
use crate::engine::slab::Key;

/// What a watcher asks its documents to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) media_type: u8,
    pub(super) protection: Protection,
    pub(super) narrowing: Option<&'a Narrowing>,
}

impl<P: Package> Server<P> {
    /// Live subscriptions of a watcher to a resource.
    pub(super) fn subscriptions_of(
        &self,
        watcher: &str,
        resource: &str,
    ) -> impl Iterator<Item = Key> {
        self.all_subscriptions_of(watcher, resource)
            .filter(|(_, subscription)| subscription.is_live())
            .map(|(key, _)| key)
    }

    /// Subscriptions of a watcher to a resource whose last NOTIFY has not left, by way of the shorter of the
    /// two lists.
    pub(super) fn all_subscriptions_of(
        &self,
        watcher: &str,
        resource: &str,
    ) -> impl Iterator<Item = (Key, &Subscription)> {
        let keys = self
            .watchers
            .find(watcher)
            .zip(self.resources.find(resource));
        let ends = keys.and_then(|(watcher, resource)| {
            let by_watcher = self.watchers.get(watcher)?.subscriptions;
            let by_resource = self.resources.get(resource)?.subscriptions;
            let through_watcher = by_watcher.len() <= by_resource.len();
            let list = if through_watcher {
                by_watcher
            } else {
                by_resource
            };
            Some((list.first(), through_watcher))
        });
        let (mut next, through_watcher) = ends.unwrap_or_default();
        core::iter::from_fn(move || {
            let (key, subscription) = self.subscriptions.entry(next?)?;
            let links = if through_watcher {
                &subscription.by_watcher
            } else {
                &subscription.by_resource
            };
            next = links.next();
            Some((key, subscription))
        })
        .filter(move |(_, subscription)| {
            keys == subscription
                .watcher
                .map(|watcher| (watcher, subscription.resource))
        })
    }

    /// What holds for a subscription.
    pub(super) fn decision(&self, subscription: &Subscription) -> Option<&Decision> {
        let variant = self.variants.get(subscription.variant)?;
        Some(&variant.name.decision)
    }

    /// From now on a subscription gets another type of document, or sees something else.
    pub(super) fn move_to_variant(
        &mut self,
        key: Key,
        decision: Option<&Decision>,
        asked: Option<Asked<'_>>,
    ) {
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        let old = subscription.variant;
        let Some(name) = self.variants.get(old).map(|variant| &variant.name) else {
            return;
        };
        let decision = decision.unwrap_or(&name.decision).clone();
        let asked = asked.unwrap_or(Asked {
            media_type: name.media_type,
            protection: name.protection,
            narrowing: name.narrowing.as_ref(),
        });
        let Asked {
            media_type,
            protection,
            narrowing,
        } = asked;
        let narrowing = narrowing.cloned();
        let recipient = subscription.watcher.filter(|_| protection.is_encrypted());
        if media_type == name.media_type
            && decision == name.decision
            && (protection, recipient) == (name.protection, name.recipient)
            && narrowing == name.narrowing
        {
            return;
        }
        let entity = Arc::clone(&name.entity);
        let new = self.enter_variant(&VariantQuery {
            resource: name.resource,
            media_type,
            decision: &decision,
            entity: &entity,
            protection,
            recipient,
            narrowing: narrowing.as_ref(),
        });
        // What the old one remembers for it is of no use any more.
        self.hold_nothing(key);
        self.leave_variant(old);
        self.unseal(new);
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.variant = new;
            subscription.delivered = 0;
            if core::mem::take(&mut subscription.waits) != Waits::No && subscription.owed {
                // For another document from now on.
                self.owe(key);
            }
        }
    }

    pub(super) fn enter_variant(&mut self, query: &VariantQuery<'_>) -> Key {
        let usual = self
            .resources
            .get(query.resource)
            .and_then(|resource| resource.usual);
        let is_it = |key: &Key| {
            let variant = self.variants.get(*key);
            variant.is_some_and(|variant| query.equivalent(&variant.name))
        };
        let key = usual.filter(is_it).unwrap_or_else(|| {
            let variants = &mut self.variants;
            variants.find_or_insert(query, || Variant::new(query.to_name()))
        });
        if query.protection == Protection::SignedAndEncrypted {
            self.enter_signed(query, key);
        }
        if query.narrowing.is_some() || self.is_partial_type(query.media_type) {
            self.enter_source(query, key);
        }
        if let Some(resource) = self.resources.get_mut(query.resource) {
            resource.usual = Some(key);
        }
        if let Some(variant) = self.variants.get_mut(key) {
            variant.subscriptions += 1;
        }
        key
    }

    /// What is encrypted for one is signed for all, by a variant that lasts as long.
    fn enter_signed(&mut self, query: &VariantQuery<'_>, key: Key) {
        let sealing = self.variants.get(key).and_then(|it| it.sealing.as_ref());
        if sealing.is_none_or(|sealing| sealing.signed.is_some()) {
            return;
        }
        let signed = self.enter_variant(&VariantQuery {
            protection: Protection::Signed,
            recipient: None,
            ..*query
        });
        if let Some(variant) = self.variants.get_mut(key)
            && let Some(sealing) = &mut variant.sealing
        {
            sealing.signed = Some(signed);
        }
    }

    /// What tells the same in another way, or a part of it, is made of a variant that lasts as long.
    fn enter_source(&mut self, query: &VariantQuery<'_>, key: Key) {
        let known = self.variants.get(key).and_then(|it| it.source);
        if known.is_some() {
            return;
        }
        let narrowing = query
            .narrowing
            .filter(|_| query.protection == Protection::None);
        let narrowing = match self.is_partial_type(query.media_type) {
            true => narrowing,
            false => narrowing
                .filter(|it| it.has_triggers())
                .and_then(Narrowing::content),
        };
        let source = self.enter_variant(&VariantQuery {
            media_type: match self.is_partial_type(query.media_type) {
                true => 0,
                false => query.media_type,
            },
            protection: Protection::None,
            recipient: None,
            narrowing,
            ..*query
        });
        if let Some(variant) = self.variants.get_mut(key) {
            variant.source = Some(source);
        }
    }

    pub(super) fn leave_variant(&mut self, key: Key) {
        let Some(variant) = self.variants.get_mut(key) else {
            return;
        };
        variant.subscriptions -= 1;
        if variant.subscriptions > 0 {
            return;
        }
        let resource = variant.name.resource;
        let sealing = variant.sealing.take();
        let source = variant.source.take();
        self.variants.remove(key);
        if let Some(source) = source {
            self.leave_variant(source);
        }
        if let Some(sealing) = sealing {
            if sealing.job.is_some() {
                // Nobody is left who would be waited for.
                self.resume_round(resource);
            }
            if let Some(signed) = sealing.signed {
                self.leave_variant(signed);
            }
        }
    }

    /// Takes a subscription out of the lists of its resource, when its last NOTIFY leaves or never
    /// will.
    pub(super) fn leave_lists(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        if subscription.terms().is_some() {
            self.hold_nothing(key);
        }
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let next = subscription.by_resource.next();
        let has_several = subscription.identity().is_some();
        let (variant, resource_key) = (subscription.variant, subscription.resource);
        if let Some(resource) = self.resources.get_mut(resource_key) {
            // A round in mid-walk goes on behind the one that leaves.
            if let Round::Walking { next: turn, .. } = &mut resource.round
                && *turn == Some(key.index)
            {
                *turn = next;
            }
            resource.several_names -= usize::from(has_several);
            resource
                .subscriptions
                .unlink(&mut self.subscriptions, key.index, by_resource);
        }
        self.leave_variant(variant);
        if self.is_personal
            && let Some(resource) = self.resources.get_mut(resource_key)
        {
            self.package
                .forget(SubscriptionKey(key), &mut resource.state);
        }
        self.drop_if_unused(resource_key);
    }

    /// From now on a watcher is judged by these names, those that it has proved last.
    pub(super) fn know_as(&mut self, key: Key, identity: &Identity) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        if let Some((_, assurance)) = identity.claims().next() {
            subscription.assurance = Some(assurance);
        }
        let has_several = identity.claims().nth(1).is_some();
        let had_several = subscription.identity().is_some();
        if has_several {
            if subscription.identity() != Some(identity) {
                subscription.rare_mut().identity = Some(Box::new(identity.clone()));
            }
        } else if had_several {
            subscription.rare_mut().identity = None;
        }
        if let Some(resource) = self.resources.get_mut(subscription.resource) {
            resource.several_names += usize::from(has_several);
            resource.several_names -= usize::from(had_several);
        }
    }

    pub(super) fn leave_flow(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let Some(flow_key) = subscription.flow.take() else {
            return;
        };
        let Some(flow) = self.flows.get_mut(flow_key) else {
            return;
        };
        flow.subscriptions -= 1;
        if flow.subscriptions == 0 {
            self.flows.remove(flow_key);
        }
    }

    pub(super) fn enter_flow(&mut self, key: Key, flow: Option<FlowId>) {
        let wanted = flow.map(|id| {
            self.flows.find_or_insert(&id, || Flow {
                id,
                subscriptions: 0,
            })
        });
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        if subscription.flow == wanted {
            return;
        }
        self.leave_flow(key);
        if let Some(flow_key) = wanted
            && let Some(flow) = self.flows.get_mut(flow_key)
            && let Some(subscription) = self.subscriptions.get_mut(key)
        {
            subscription.flow = wanted;
            flow.subscriptions += 1;
        }
    }

    /// The very end: the entry goes.
    pub(super) fn remove_ended(&mut self, key: Key) {
        // Kept so far: the flow since the last NOTIFY is repeated when it is challenged, watcher and
        // source since what they keep open counts against their limits.
        self.leave_flow(key);
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let (watcher, source) = (subscription.watcher.take(), subscription.source.take());
        if let Some(watcher_key) = watcher
            && let Some(watcher) = self.watchers.get_mut(watcher_key)
        {
            watcher
                .subscriptions
                .unlink(&mut self.subscriptions, key.index, by_watcher);
            if watcher.subscriptions.is_empty() {
                self.watchers.remove(watcher_key);
            }
        }
        if let Some(source_key) = source
            && let Some(source) = self.sources.get_mut(source_key)
        {
            source.subscriptions -= 1;
            if source.subscriptions == 0 {
                self.sources.remove(source_key);
            }
        }
        self.subscriptions.remove(key);
    }

    pub(super) fn drop_if_unused(&mut self, key: Key) {
        let Some(resource) = self.resources.get(key) else {
            return;
        };
        let used = !resource.subscriptions.is_empty()
            || !resource.publications.is_empty()
            || resource.jobs > 0
            || self.package.is_lasting(&resource.state);
        if used {
            return;
        }
        if let Some(resource) = self.resources.remove(key)
            && let Round::Due { timer } = resource.round
        {
            self.wheel.cancel(timer);
        }
    }
}
