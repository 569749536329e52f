//! The rows of one list, by their ids.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use super::document::WatcherEntry;

/// Rows in an order that depends on nothing but what was done to them.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    entries: Vec<Arc<WatcherEntry>>,
    by_id: HashTable<usize>,
}

/// Where a row is, until one is inserted or removed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(pub(super) usize);

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &WatcherEntry> {
        self.entries.iter().map(|entry| &**entry)
    }

    pub(super) fn into_entries(self) -> Vec<Arc<WatcherEntry>> {
        self.entries
    }

    pub(super) fn find(&self, id: &str, hasher: &RandomState) -> Option<Place> {
        let is_it = |at: &usize| self.entries.get(*at).is_some_and(|it| it.id == id);
        let found = self.by_id.find(hasher.hash_one(id), is_it);
        found.map(|at| Place(*at))
    }

    pub(super) fn at(&self, place: Place) -> Option<&Arc<WatcherEntry>> {
        self.entries.get(place.0)
    }

    pub(super) fn get(&self, id: &str, hasher: &RandomState) -> Option<&Arc<WatcherEntry>> {
        self.at(self.find(id, hasher)?)
    }

    /// One whose id is not there yet.
    pub(super) fn insert(&mut self, entry: Arc<WatcherEntry>, hasher: &RandomState) {
        let (hash, at) = (hasher.hash_one(entry.id.as_str()), self.entries.len());
        self.entries.push(entry);
        let entries = &self.entries;
        self.by_id.insert_unique(hash, at, |at| {
            let entry = entries.get(*at);
            entry.map_or(0, |it| hasher.hash_one(it.id.as_str()))
        });
    }

    /// One of the same id takes the place of a row, which it gives.
    pub(super) fn replace(
        &mut self,
        place: Place,
        entry: &Arc<WatcherEntry>,
    ) -> Option<Arc<WatcherEntry>> {
        let known = self.entries.get_mut(place.0)?;
        Some(core::mem::replace(known, Arc::clone(entry)))
    }

    /// Takes a row out; the last one takes its place.
    pub(super) fn remove(
        &mut self,
        place: Place,
        hasher: &RandomState,
    ) -> Option<Arc<WatcherEntry>> {
        let hash = hasher.hash_one(self.at(place)?.id.as_str());
        let slot = self.by_id.find_entry(hash, |at| *at == place.0).ok()?;
        slot.remove();
        let removed = self.entries.swap_remove(place.0);
        if let Some(moved) = self.entries.get(place.0) {
            let (hash, from) = (hasher.hash_one(moved.id.as_str()), self.entries.len());
            if let Some(at) = self.by_id.find_mut(hash, |at| *at == from) {
                *at = place.0;
            }
        }
        Some(removed)
    }
}

/// What a row takes: its texts, itself, and its place in the index.
pub(super) fn octets_of(entry: &WatcherEntry) -> usize {
    const BESIDE: usize = size_of::<WatcherEntry>() + 5 * size_of::<usize>();
    let name = entry.display_name.as_ref().map_or(0, String::len);
    let language = entry.language.as_ref().map_or(0, String::len);
    entry.id.len() + entry.uri.len() + name + language + BESIDE
}

/// Whether an entry says something else than the one before, seconds apart.
pub(super) fn has_changed(before: &WatcherEntry, after: &WatcherEntry) -> bool {
    before.status != after.status
        || before.event != after.event
        || before.uri != after.uri
        || before.display_name != after.display_name
        || before.language != after.language
}
