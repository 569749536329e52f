//! Those whom a new subscription concerns: the resource, the watcher, and where it comes from.
//!
//! Among a million subscriptions each of them lies somewhere in memory that is far. They are asked for
//! in steps, and between two steps the rest of the request is read: what one step asks for is there
//! when the next one looks at it.

use super::authorization::{Decision, Signature};
use super::identity::RequestContext;
use super::membership::Asked;
use super::package::Package;
use super::protection::Waits;
use super::refusal::{Refusal, RefusalReason};
use super::resource::Resource;
use super::server::Server;
use super::subscription::{
    NotifyResult, Phase, Source, Subscription, VariantQuery, Watcher, Way, by_resource, by_watcher,
};
use crate::engine::interned::Hashed;
use crate::engine::slab::{Key, Links};
use crate::engine::{Timestamp, ahead};
use crate::sip::HeaderName;

/// Those whom a new subscription concerns, as far as they are known already.
#[derive(Debug)]
pub(super) struct Company<'a> {
    /// The canonical name of the resource.
    name: Hashed<&'a str>,
    watcher_name: Option<Hashed<&'a str>>,
    resource: Option<Key>,
    watcher: Option<Key>,
}

/// What a new subscription is shown.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) entity: &'a str,
    pub(super) decision: &'a Decision,
    pub(super) asked: Asked<'a>,
}

impl<P: Package> Server<P> {
    /// The first step: names.
    pub(super) fn company<'a>(&self, name: &'a str, context: &RequestContext<'a>) -> Company<'a> {
        let name = self.resources.hash(name);
        self.resources.look_for(&name);
        let watcher_name = context
            .identity
            .primary()
            .map(|name| self.watchers.hash(name));
        if let Some(name) = &watcher_name {
            self.watchers.look_for(name);
        }
        Company {
            name,
            watcher_name,
            resource: None,
            watcher: None,
        }
    }

    /// The second: the entries of those names.
    pub(super) fn look_for(&self, company: &Company<'_>) {
        self.resources.look_at(&company.name);
        if let Some(name) = &company.watcher_name {
            self.watchers.look_at(name);
        }
    }

    /// The third: what the resource's entry leads to.
    pub(super) fn look_into(&self, company: &Company<'_>) {
        let watcher = company.watcher_name.as_ref();
        if let Some(watcher) = watcher.and_then(|name| self.watchers.likely(name)) {
            ahead::text(&watcher.name);
        }
        let Some(resource) = self.resources.likely(&company.name) else {
            return;
        };
        ahead::text(&resource.name);
        if let Some(last) = resource.subscriptions.last() {
            self.subscriptions.look_ahead(last);
        }
        if let Some(usual) = resource.usual {
            self.variants.look_ahead(usual);
        }
    }

    /// The fourth: what its documents are made of.
    fn look_through(&self, resource: &Resource<P>) {
        if let Some(variant) = resource.usual.and_then(|key| self.variants.get(key)) {
            ahead::text(&variant.name.entity);
            if let Some(content) = &variant.content {
                ahead::field(&**content);
            }
        }
    }

    /// Those whom a subscription concerns that is there already.
    pub(super) fn look_around(&self, subscription: &Subscription) {
        self.resources.look_ahead(subscription.resource);
        self.variants.look_ahead(subscription.variant);
        if let Some(watcher) = subscription.watcher {
            self.watchers.look_ahead(watcher);
        }
        if let Some(timer) = subscription.timer {
            self.wheel.look_ahead(timer);
        }
        if let Some(direct) = subscription.way.direct() {
            direct.name.look_ahead();
        }
    }

    /// Every limit, before anything is made; gives what is there of those concerned.
    pub(super) fn check_room<'a>(
        &self,
        company: Company<'a>,
        context: &RequestContext<'_>,
    ) -> Result<Company<'a>, Refusal> {
        let limits = &self.config.limits;
        let name = company.name.name();
        let watcher_name = context.identity.primary();
        if name.len() > limits.name || watcher_name.is_some_and(|name| name.len() > limits.name) {
            return Err(Refusal::new(513, RefusalReason::TooLarge));
        }
        let company = Company {
            resource: self.resources.find_hashed(&company.name),
            watcher: company
                .watcher_name
                .as_ref()
                .and_then(|name| self.watchers.find_hashed(name)),
            ..company
        };
        let resource = company.resource.and_then(|key| self.resources.get(key));
        if let Some(resource) = resource {
            self.look_through(resource);
        }
        let watcher = company.watcher.and_then(|key| self.watchers.get(key));
        let source = context
            .source
            .and_then(|address| self.sources.get(self.sources.find(&address)?));
        let of_resource = resource.map_or(0, |resource| resource.subscriptions.len());
        let of_watcher = watcher.map_or(0, |watcher| watcher.subscriptions.len());
        let of_source = source.map_or(0, |source| source.subscriptions);
        let of_both = limits.subscriptions_per_watcher_and_resource;
        let full = self.subscriptions.len() >= limits.subscriptions
            || of_resource >= limits.subscriptions_per_resource
            || of_watcher >= limits.subscriptions_per_watcher
            || of_source >= limits.subscriptions_per_source
            || (of_watcher >= of_both
                && watcher_name.is_some_and(|watcher| {
                    let known = self.subscriptions_of(watcher, name);
                    known.take(of_both).count() >= of_both
                }));
        if full {
            return Err(self.no_room());
        }
        Ok(company)
    }

    pub(super) fn no_room(&self) -> Refusal {
        Refusal::new(503, RefusalReason::Limit)
            .with(HeaderName::RetryAfter, self.config.retry_after.to_string())
    }

    pub(super) fn insert(
        &mut self,
        way: Way,
        shown: &Shown<'_>,
        context: &RequestContext<'_>,
        company: &Company<'_>,
    ) -> Key {
        let resource = company.resource.unwrap_or_else(|| {
            let resource = Resource::new(company.name.name());
            self.resources.insert_hashed(&company.name, resource)
        });
        let watcher = company.watcher.or_else(|| {
            let name = company.watcher_name.as_ref()?;
            let watcher = Watcher::new(name.name());
            Some(self.watchers.insert_hashed(name, watcher))
        });
        let variant = self.enter_variant(&VariantQuery {
            resource,
            media_type: shown.asked.media_type,
            decision: shown.decision,
            entity: shown.entity,
            protection: shown.asked.protection,
            recipient: watcher.filter(|_| shown.asked.protection.is_encrypted()),
            narrowing: shown.asked.narrowing,
        });
        let source = context.source.map(|address| {
            self.sources
                .find_or_insert(&address, || Source::new(address))
        });
        let bits = way.bits();
        let key = self.subscriptions.insert(Subscription {
            way,
            resource,
            variant,
            watcher,
            source,
            flow: None,
            by_resource: Links::default(),
            by_watcher: Links::default(),
            phase: Phase::Live,
            expires_at: Timestamp::MAX,
            timer: None,
            open: None,
            delivered: 0,
            last_result: NotifyResult::None,
            signature: Signature::None,
            assurance: context
                .identity
                .claims()
                .next()
                .map(|(_, assurance)| assurance),
            rare: None,
            owed: false,
            queued: false,
            spoken: false,
            behind: false,
            waits: Waits::No,
            tells_change: false,
            passed_over: false,
        });
        let has_several = context.identity.claims().nth(1).is_some();
        if has_several && let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.rare_mut().identity = Some(Box::new(context.identity.clone()));
        }
        if let Some(resource) = self.resources.get_mut(resource) {
            resource.live += 1;
            resource.several_names += usize::from(has_several);
            resource
                .subscriptions
                .push_back(&mut self.subscriptions, key.index, by_resource);
        }
        if let Some(watcher) = watcher.and_then(|key| self.watchers.get_mut(key)) {
            watcher
                .subscriptions
                .push_back(&mut self.subscriptions, key.index, by_watcher);
        }
        if let Some(source) = source.and_then(|key| self.sources.get_mut(key)) {
            source.subscriptions += 1;
        }
        self.enter_flow(key, context.flow);
        self.ways.insert(bits, key.index);
        key
    }
}
