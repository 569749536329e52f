//! What a server holds, to look at.

use super::authorization::Decision;
use super::direct::DirectName;
use super::output::{PublicationKey, SubscriptionKey};
use super::package::Package;
use super::protection::Protection;
use super::resource::Publication;
use super::server::Server;
use super::subscription::{NotifyResult, Subscription};
use crate::engine::{FlowId, Timestamp};
use crate::sip::Rates;

/// A live subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionInfo<'a> {
    /// Its name.
    pub key: SubscriptionKey,
    /// The canonical address of record of the watcher; nothing for nobody.
    pub watcher: Option<&'a str>,
    /// The canonical name of the resource.
    pub resource: &'a str,
    /// The resource as the watcher named it.
    pub entity: &'a str,
    /// What holds for it.
    pub decision: &'a Decision,
    /// When it runs out.
    pub expires_at: Timestamp,
    /// The connection that it came by.
    pub flow: Option<FlowId>,
    /// The names of a subscription without dialog; nothing for one that a SUBSCRIBE made.
    pub direct: Option<&'a DirectName>,
    /// What the body of its first SUBSCRIBE was marked by
    /// ([`BodyReading::Taken`](super::BodyReading::Taken)).
    pub mark: Option<&'a str>,
    /// How its documents are protected.
    pub protection: Protection,
    /// The pace that it is granted.
    pub rates: Rates,
    /// What became of the last NOTIFY.
    pub last_result: NotifyResult,
}

/// A publication.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicationInfo<'a> {
    /// Its name.
    pub key: PublicationKey,
    /// The canonical name of the resource.
    pub resource: &'a str,
    /// The canonical address of record of who published it last; nothing for nobody.
    pub publisher: Option<&'a str>,
    /// When it runs out.
    pub expires_at: Timestamp,
}

/// How full the tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Occupancy {
    /// Subscriptions, those included that wait for the answer to their last NOTIFY.
    pub subscriptions: usize,
    /// Publications.
    pub publications: usize,
    /// Resources that somebody watches, publishes for, or has set a state of.
    pub resources: usize,
    /// Different documents that watchers see.
    pub variants: usize,
    /// Watchers with a name.
    pub watchers: usize,
    /// Source addresses.
    pub sources: usize,
    /// Connections.
    pub flows: usize,
    /// NOTIFYs whose outcome is awaited.
    pub open_notifies: usize,
    /// Deadlines.
    pub timers: usize,
    /// Deferred publications, SUBSCRIBEs that wait for a verdict, requests whose bodies are opened, and
    /// documents that are being protected.
    pub jobs: usize,
    /// Things that wait to be taken by `poll_output`, rounds counted once each.
    pub outputs: usize,
}

impl<P: Package> Server<P> {
    /// The live subscriptions, in an order that depends on nothing but the calls made.
    pub fn subscriptions(&self) -> impl Iterator<Item = SubscriptionInfo<'_>> {
        self.subscriptions
            .iter()
            .filter(|(_, subscription)| subscription.is_live())
            .filter_map(|(key, subscription)| {
                self.subscription_info(SubscriptionKey(key), subscription)
            })
    }

    /// The live subscriptions to one resource, named canonically, in the order they came.
    pub fn subscriptions_of_resource(
        &self,
        resource: &str,
    ) -> impl Iterator<Item = SubscriptionInfo<'_>> {
        let key = self.resources.find(resource);
        let mut next = key.and_then(|key| self.resources.get(key)?.subscriptions.first());
        core::iter::from_fn(move || {
            let (key, subscription) = self.subscriptions.entry(next?)?;
            next = subscription.by_resource.next();
            Some((SubscriptionKey(key), subscription))
        })
        .filter(|(_, subscription)| subscription.is_live())
        .filter_map(|(key, subscription)| self.subscription_info(key, subscription))
    }

    /// The live subscriptions of one watcher to one resource, both named canonically.
    pub(crate) fn subscriptions_of_watcher(
        &self,
        watcher: &str,
        resource: &str,
    ) -> impl Iterator<Item = SubscriptionInfo<'_>> {
        self.subscriptions_of(watcher, resource)
            .filter_map(|key| self.subscription(SubscriptionKey(key)))
    }

    /// Whether anything is held of a resource, named canonically. Cheap.
    pub(crate) fn has_resource(&self, resource: &str) -> bool {
        self.resources.find(resource).is_some()
    }

    /// One live subscription.
    pub fn subscription(&self, key: SubscriptionKey) -> Option<SubscriptionInfo<'_>> {
        let subscription = self
            .subscriptions
            .get(key.0)
            .filter(|found| found.is_live())?;
        self.subscription_info(key, subscription)
    }

    fn subscription_info<'a>(
        &'a self,
        key: SubscriptionKey,
        subscription: &'a Subscription,
    ) -> Option<SubscriptionInfo<'a>> {
        let watcher = subscription.watcher.and_then(|key| self.watchers.get(key));
        let flow = subscription.flow.and_then(|key| self.flows.get(key));
        let seen = &self.variants.get(subscription.variant)?.name;
        Some(SubscriptionInfo {
            key,
            watcher: watcher.map(|watcher| &*watcher.name),
            resource: &self.resources.get(subscription.resource)?.name,
            entity: &seen.entity,
            decision: &seen.decision,
            expires_at: subscription.expires_at,
            flow: flow.map(|flow| flow.id),
            direct: subscription.way.direct().map(|direct| &direct.name),
            mark: subscription.carrier().map(|it| it.mark.as_str()),
            protection: seen.protection,
            rates: subscription.rates(),
            last_result: subscription.last_result,
        })
    }

    /// The publications, in an order that depends on nothing but the calls made.
    pub fn publications(&self) -> impl Iterator<Item = PublicationInfo<'_>> {
        self.publications
            .iter()
            .filter_map(|(key, publication): (_, &Publication<P>)| {
                Some(PublicationInfo {
                    key: PublicationKey(key),
                    resource: &self.resources.get(publication.resource)?.name,
                    publisher: publication.publisher.as_deref(),
                    expires_at: publication.expires_at,
                })
            })
    }

    /// Whether anyone watches a resource, named canonically. Cheap.
    pub fn has_watchers(&self, resource: &str) -> bool {
        let key = self.resources.find(resource);
        key.and_then(|key| self.resources.get(key))
            .is_some_and(|resource| resource.live > 0)
    }

    /// How full the tables are.
    pub fn occupancy(&self) -> Occupancy {
        Occupancy {
            subscriptions: self.subscriptions.len(),
            publications: self.publications.len(),
            resources: self.resources.len(),
            variants: self.variants.len(),
            watchers: self.watchers.len(),
            sources: self.sources.len(),
            flows: self.flows.len(),
            open_notifies: self.notifies.len(),
            timers: self.wheel.len(),
            jobs: self.jobs.len()
                + self.verifications.len()
                + self.openings.len()
                + self.protections.len(),
            outputs: self.lanes.len(),
        }
    }
}
