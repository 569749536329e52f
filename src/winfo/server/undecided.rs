//! Subscriptions that wait for a decision, by when they are given up, and how many of whom.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::config::WatcherInfoConfig;
use crate::engine::Timestamp;
use crate::event::SubscriptionKey;

/// When one is given up; then the order in which they came.
type Place = (Timestamp, u64, SubscriptionKey);

/// A subscription that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Undecided {
    pub(super) watcher: Arc<str>,
    pub(super) resource: Arc<str>,
    gives_up: Timestamp,
    order: u64,
}

/// All of one level, each of which is in every one of these. Names are hashed with a random key, and
/// nothing is walked in hash order.
#[derive(Debug)]
pub(super) struct UndecidedTable {
    by_key: HashMap<SubscriptionKey, Undecided>,
    queue: BTreeSet<Place>,
    by_watcher: HashMap<Arc<str>, BTreeSet<Place>>,
    by_resource: HashMap<Arc<str>, BTreeSet<Place>>,
    next_order: u64,
    most: usize,
    most_per_watcher: usize,
    most_per_resource: usize,
}

impl UndecidedTable {
    pub(super) fn new(config: &WatcherInfoConfig) -> Self {
        Self {
            by_key: HashMap::new(),
            queue: BTreeSet::new(),
            by_watcher: HashMap::new(),
            by_resource: HashMap::new(),
            next_order: 0,
            most: config.undecided,
            most_per_watcher: config.undecided_per_watcher,
            most_per_resource: config.undecided_per_resource,
        }
    }

    /// One begins to wait, or does so anew.
    pub(super) fn enter(
        &mut self,
        key: SubscriptionKey,
        gives_up: Timestamp,
        watcher: &Arc<str>,
        resource: &Arc<str>,
    ) {
        self.leave(key);
        let order = self.next_order;
        self.next_order += 1;
        let place = (gives_up, order, key);
        self.queue.insert(place);
        self.by_watcher
            .entry(Arc::clone(watcher))
            .or_default()
            .insert(place);
        self.by_resource
            .entry(Arc::clone(resource))
            .or_default()
            .insert(place);
        let undecided = Undecided {
            watcher: Arc::clone(watcher),
            resource: Arc::clone(resource),
            gives_up,
            order,
        };
        self.by_key.insert(key, undecided);
    }

    /// One waits no more.
    pub(super) fn leave(&mut self, key: SubscriptionKey) -> Option<Undecided> {
        let undecided = self.by_key.remove(&key)?;
        let place = (undecided.gives_up, undecided.order, key);
        self.queue.remove(&place);
        for (names, name) in [
            (&mut self.by_watcher, &undecided.watcher),
            (&mut self.by_resource, &undecided.resource),
        ] {
            if let Some(places) = names.get_mut(name) {
                places.remove(&place);
                if places.is_empty() {
                    names.remove(name);
                }
            }
        }
        Some(undecided)
    }

    /// The oldest of a watcher, of a resource or of all, where there are more than there may be.
    pub(super) fn surplus(&self, watcher: &str, resource: &str) -> Option<SubscriptionKey> {
        let of = |places: Option<&BTreeSet<Place>>, most: usize| {
            let places = places.filter(|places| places.len() > most)?;
            places.first().map(|(_, _, key)| *key)
        };
        of(self.by_watcher.get(watcher), self.most_per_watcher)
            .or_else(|| of(self.by_resource.get(resource), self.most_per_resource))
            .or_else(|| of(Some(&self.queue), self.most))
    }

    /// When the first is given up.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.queue.first().map(|(gives_up, _, _)| *gives_up)
    }

    /// One whose time is over.
    pub(super) fn due(&self, now: Timestamp) -> Option<SubscriptionKey> {
        let (gives_up, _, key) = self.queue.first()?;
        (*gives_up <= now).then_some(*key)
    }

    /// Those of one resource, in the same order as [`iter`](Self::iter).
    pub(super) fn of_resource(
        &self,
        resource: &str,
    ) -> impl Iterator<Item = (SubscriptionKey, &Undecided, Timestamp)> + use<'_> {
        let places = self.by_resource.get(resource).into_iter().flatten();
        places.filter_map(|(gives_up, _, key)| Some((*key, self.by_key.get(key)?, *gives_up)))
    }

    /// Those that wait, the first to be given up first.
    pub(super) fn iter(
        &self,
    ) -> impl Iterator<Item = (SubscriptionKey, &Undecided, Timestamp)> + '_ {
        self.queue.iter().filter_map(|(gives_up, _, key)| {
            let undecided = self.by_key.get(key)?;
            Some((*key, undecided, *gives_up))
        })
    }
}
