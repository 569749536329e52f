//! How many there are of what, kept up with each change: the tables of the agent are to be so full.

use std::collections::BTreeMap;

use crate::model::Rule;
use crate::record::Record;
use crate::terms::Filter;

#[derive(Debug, Default)]
pub struct Tally {
    /// Subscriptions that the agent holds.
    pub held: usize,
    pub live: usize,
    /// Watchers that asked for patience.
    pub patient: usize,
    pub open: usize,
    /// Those that asked for a pace of their own.
    pub paced: usize,
    watchers: Counts<usize>,
    flows: Counts<u64>,
    /// Who has been told the end counts no more among those who see something.
    variants: Counts<(usize, Rule, bool, Filter, bool)>,
    presentities: Counts<usize>,
}

#[derive(Debug)]
struct Counts<K>(BTreeMap<K, usize>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Counts<K> {
    fn of(&self, key: &K) -> usize {
        self.0.get(key).copied().unwrap_or(0)
    }

    fn add(&mut self, key: K, enters: bool) {
        if enters {
            *self.0.entry(key).or_default() += 1;
        } else if self.of(&key) > 1 {
            *self.0.entry(key).or_default() -= 1;
        } else {
            assert!(self.0.remove(&key).is_some());
        }
    }
}

impl Tally {
    pub fn enter(&mut self, record: &Record) {
        self.count(record, true);
    }

    pub fn leave(&mut self, record: &Record) {
        self.count(record, false);
    }

    fn count(&mut self, record: &Record, enters: bool) {
        let change = |count: &mut usize, holds: bool| {
            if holds && enters {
                *count += 1;
            } else if holds {
                *count -= 1;
            }
        };
        // What is on its way to one that has gone is still awaited.
        change(&mut self.open, record.open.is_some());
        if record.gone {
            return;
        }
        change(&mut self.paced, record.live && !record.pace.is_none());
        change(&mut self.held, true);
        change(&mut self.live, record.live);
        change(&mut self.patient, record.held_until.is_some());
        self.watchers.add(record.watcher, enters);
        if let Some(flow) = record.flow {
            self.flows.add(flow, enters);
        }
        if !record.farewell {
            let by_pres = record.entity.starts_with("pres:");
            for (filter, partial) in record.filter.documents(record.partial) {
                let variant = (record.presentity, record.rule, by_pres, filter, partial);
                self.variants.add(variant, enters);
            }
            self.presentities.add(record.presentity, enters);
        }
    }

    pub fn watchers(&self) -> usize {
        self.watchers.0.len()
    }

    pub fn flows(&self) -> usize {
        self.flows.0.len()
    }

    /// Documents that differ for what they depend on.
    pub fn variants(&self) -> usize {
        self.variants.0.len()
    }

    /// Subscriptions of a watcher.
    pub fn of_watcher(&self, watcher: usize) -> usize {
        self.watchers.of(&watcher)
    }

    /// Subscriptions to a presentity whose end has not been told.
    pub fn of_presentity(&self, presentity: usize) -> usize {
        self.presentities.of(&presentity)
    }
}
