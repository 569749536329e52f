//! What is known of watchers, put together from documents (RFC 3858 section 4).

use core::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use super::change::WatcherChange;
use super::document::{WatcherEntry, WatcherInfo, WatcherList, WatcherStatus};
use super::rows::{Place, Rows, has_changed, octets_of};

/// How much a table may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatcherTableLimits {
    /// Rows and lists. Default 262,144, twice what is read of one document.
    pub rows: usize,
    /// Octets of all rows: their texts, and what a row takes beside them. Default 128 MiB.
    pub octets: usize,
}

impl Default for WatcherTableLimits {
    fn default() -> Self {
        Self {
            rows: 262_144,
            octets: 128 * 1024 * 1024,
        }
    }
}

/// Who watches, by the documents of one subscription to watcher information (RFC 3858 section 4).
///
/// Documents are [applied](Self::apply) in the order in which they come. Each resource and package has
/// rows of its own, by the ids of its watchers. Rows that end are told once and are not kept.
///
/// ```
/// use presentity::winfo::{
///     WatcherEntry, WatcherEvent, WatcherInfo, WatcherList, WatcherStatus, WatcherTable,
/// };
///
/// let mut list = WatcherList::new("sip:mira@example.com", "presence");
/// let (status, event) = (WatcherStatus::Pending, WatcherEvent::Subscribe);
/// list.watchers.push(WatcherEntry::new("w1", "sip:jon@example.org", status, event));
/// let mut first = WatcherInfo::default();
/// first.is_full = true;
/// first.lists.push(list);
///
/// let mut table = WatcherTable::default();
/// let update = table.apply(first);
/// assert!(update.changes[0].asks());
/// let row = table.undecided().next().expect("one waits");
/// assert_eq!((row.resource, &*row.entry.uri), ("sip:mira@example.com", "sip:jon@example.org"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct WatcherTable {
    limits: WatcherTableLimits,
    /// Of the last document that was taken.
    version: Option<u32>,
    is_complete: bool,
    lists: Lists,
}

/// The tables of several resources and packages.
#[derive(Debug, Clone, Default)]
struct Lists {
    all: Vec<List>,
    by_name: HashTable<usize>,
    hasher: RandomState,
    rows: usize,
    octets: usize,
}

#[derive(Debug, Clone)]
struct List {
    resource: Arc<str>,
    package: Arc<str>,
    rows: Rows,
}

/// How a document follows those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DocumentOrder {
    /// It is the first.
    First,
    /// It is the next.
    Next,
    /// Others before it are missing. It was taken all the same.
    Gap {
        /// How many.
        missing: u32,
    },
    /// It is not newer than what is known, and was dropped. Versions do not wrap: after the highest one
    /// nothing is newer, until another subscription is made.
    Old {
        /// The version of the last one that was taken.
        known: u32,
    },
}

/// What has become of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableUpdate {
    /// How it follows those before it.
    pub order: DocumentOrder,
    /// What it has changed, in its order; after that, of a full one, what it does not mention any more.
    pub changes: Vec<WatcherChange>,
    /// Lists and entries of it that found no room.
    pub left_out: usize,
    /// Whether the notifier should be asked for everything: documents are missing, or the first one did
    /// not tell everything. A full document heals that by itself.
    pub needs_refresh: bool,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatcherRow<'a> {
    /// The URI of the resource that is watched.
    pub resource: &'a str,
    /// The event type of the subscription.
    pub package: &'a str,
    /// How the subscription stands. Its seconds are those of when the document was made.
    pub entry: &'a WatcherEntry,
}

impl WatcherTable {
    /// A table without rows.
    pub fn new(limits: WatcherTableLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes a document, if it is newer than those before.
    ///
    /// The first one tells where versions begin. A full one replaces all that was known; any other adds
    /// rows and puts others in the place of those with the same id. The time it takes is that of the
    /// document, and of all rows when it is full.
    pub fn apply(&mut self, document: WatcherInfo) -> TableUpdate {
        let order = self.order_of(document.version);
        let mut update = TableUpdate {
            order,
            changes: Vec::new(),
            left_out: 0,
            needs_refresh: false,
        };
        let is_whole_chain = match order {
            DocumentOrder::Old { .. } => return update,
            DocumentOrder::Next => true,
            DocumentOrder::First | DocumentOrder::Gap { .. } => false,
        };
        // Of another subscription, whose ids were others.
        if order == DocumentOrder::First && !document.is_full {
            update.changes = self.clear();
        }
        self.version = Some(document.version);
        let limits = self.limits;
        if document.is_full {
            let before = core::mem::take(&mut self.lists);
            let mut leaving = Leaving::new(before);
            for list in document.lists {
                (self.lists).take(list, Some(&mut leaving), limits, &mut update);
            }
            leaving.tell(&mut update.changes);
            self.is_complete = update.left_out == 0;
        } else {
            for list in document.lists {
                self.lists.take(list, None, limits, &mut update);
            }
            self.is_complete &= is_whole_chain && update.left_out == 0;
            update.needs_refresh = !is_whole_chain;
        }
        update
    }

    fn order_of(&self, version: u32) -> DocumentOrder {
        let Some(known) = self.version else {
            return DocumentOrder::First;
        };
        match version.checked_sub(known) {
            None | Some(0) => DocumentOrder::Old { known },
            Some(1) => DocumentOrder::Next,
            Some(more) => DocumentOrder::Gap { missing: more - 1 },
        }
    }

    /// The next document is the first one of another subscription. What is known stays until then.
    pub fn restart(&mut self) {
        self.version = None;
        self.is_complete = false;
    }

    /// Forgets all rows, which the changes tell.
    pub fn clear(&mut self) -> Vec<WatcherChange> {
        let mut changes = Vec::with_capacity(self.lists.rows);
        Leaving::new(core::mem::take(&mut self.lists)).tell(&mut changes);
        self.is_complete = false;
        changes
    }

    /// The version of the last document that was taken.
    pub fn version(&self) -> Option<u32> {
        self.version
    }

    /// Whether nothing is missing: there was a full document, every one since, and room for all of it.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.lists.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The resources and packages that documents have named, those that nobody watches among them, in an
    /// order that depends on nothing but the documents.
    pub fn resources(&self) -> impl Iterator<Item = (&str, &str)> {
        let lists = self.lists.all.iter();
        lists.map(|list| (&*list.resource, &*list.package))
    }

    /// Who watches a resource, named as the documents do; in an order that depends on nothing but the
    /// documents.
    pub fn watchers(&self, resource: &str, package: &str) -> impl Iterator<Item = &WatcherEntry> {
        let list = self.lists.get(resource, package);
        list.into_iter().flat_map(|list| list.rows.iter())
    }

    /// One row.
    pub fn get(&self, resource: &str, package: &str, id: &str) -> Option<&WatcherEntry> {
        let list = self.lists.get(resource, package)?;
        list.rows.get(id, &self.lists.hasher).map(|row| &**row)
    }

    /// All rows, in an order that depends on nothing but the documents.
    pub fn rows(&self) -> impl Iterator<Item = WatcherRow<'_>> {
        self.lists.all.iter().flat_map(|list| {
            list.rows.iter().map(|entry| WatcherRow {
                resource: &list.resource,
                package: &list.package,
                entry,
            })
        })
    }

    /// The rows that wait for somebody's decision: pending, or waiting. All rows are looked at.
    pub fn undecided(&self) -> impl Iterator<Item = WatcherRow<'_>> {
        self.rows().filter(|row| row.entry.status.is_undecided())
    }
}

impl Lists {
    fn find(&self, resource: &str, package: &str) -> Option<usize> {
        let hash = self.hasher.hash_one((resource, package));
        let is_it = |at: &usize| {
            let list = self.all.get(*at);
            list.is_some_and(|it| *it.resource == *resource && *it.package == *package)
        };
        self.by_name.find(hash, is_it).copied()
    }

    fn get(&self, resource: &str, package: &str) -> Option<&List> {
        self.all.get(self.find(resource, package)?)
    }

    /// Makes a list; nothing when there is no room for it.
    fn make(&mut self, named: &WatcherList, limits: WatcherTableLimits) -> Option<usize> {
        let (resource, package) = (named.resource.as_str(), named.package.as_str());
        let octets = resource.len() + package.len() + size_of::<List>();
        self.reserve(octets, limits)?;
        let at = self.all.len();
        let hash = self.hasher.hash_one((resource, package));
        self.all.push(List {
            resource: resource.into(),
            package: package.into(),
            rows: Rows::default(),
        });
        let (all, hasher) = (&self.all, &self.hasher);
        self.by_name.insert_unique(hash, at, |at| {
            let list = all.get(*at);
            list.map_or(0, |it| hasher.hash_one((&*it.resource, &*it.package)))
        });
        Some(at)
    }

    fn reserve(&mut self, octets: usize, limits: WatcherTableLimits) -> Option<()> {
        let octets = self.octets.saturating_add(octets);
        let is_room = self.rows + self.all.len() < limits.rows && octets <= limits.octets;
        is_room.then(|| self.octets = octets)
    }

    /// Takes what a document says of one list.
    fn take(
        &mut self,
        named: WatcherList,
        mut leaving: Option<&mut Leaving>,
        limits: WatcherTableLimits,
        update: &mut TableUpdate,
    ) {
        let found = self.find(&named.resource, &named.package);
        let left = leaving.as_ref();
        let left = left.and_then(|it| it.lists.find(&named.resource, &named.package));
        let Some(at) = found.or_else(|| self.make(&named, limits)) else {
            update.left_out += 1 + named.watchers.len();
            return;
        };
        for entry in named.watchers {
            let before = (leaving.as_deref_mut())
                .zip(left)
                .and_then(|(leaving, list)| leaving.remain(list, &entry.id));
            self.put(at, entry, before, leaving.is_some(), limits, update);
        }
    }

    /// Takes one entry; `before` is what a full document replaces.
    fn put(
        &mut self,
        at: usize,
        entry: WatcherEntry,
        before: Option<Arc<WatcherEntry>>,
        is_full: bool,
        limits: WatcherTableLimits,
        update: &mut TableUpdate,
    ) {
        let Some(list) = self.all.get_mut(at) else {
            return;
        };
        let (resource, package) = (Arc::clone(&list.resource), Arc::clone(&list.package));
        let tell = |before: Option<Arc<WatcherEntry>>, after: Arc<WatcherEntry>| {
            let says_more = match before.as_deref() {
                Some(before) => has_changed(before, &after),
                // A full document may mention what has long ended.
                None => after.status != WatcherStatus::Terminated || !is_full,
            };
            if says_more {
                update.changes.push(WatcherChange {
                    resource,
                    package,
                    before,
                    after: Some(after),
                });
            }
        };
        let has_ended = entry.status == WatcherStatus::Terminated;
        let place = list.rows.find(&entry.id, &self.hasher);
        match (place, has_ended) {
            (Some(place), true) => {
                if let Some(known) = list.rows.remove(place, &self.hasher) {
                    self.rows -= 1;
                    self.octets = self.octets.saturating_sub(octets_of(&known));
                    tell(Some(known), Arc::new(entry));
                }
            }
            (Some(place), false) => {
                let entry = self.fit(at, place, entry, limits);
                if let Some(list) = self.all.get_mut(at)
                    && let Some(known) = list.rows.replace(place, &entry)
                {
                    tell(Some(known), entry);
                }
            }
            (None, true) => tell(before, Arc::new(entry)),
            (None, false) => {
                if self.reserve(octets_of(&entry), limits).is_none() {
                    update.left_out += 1;
                    return;
                }
                let entry = Arc::new(entry);
                if let Some(list) = self.all.get_mut(at) {
                    list.rows.insert(Arc::clone(&entry), &self.hasher);
                    self.rows += 1;
                }
                tell(before, entry);
            }
        }
    }

    /// What a row is to say. Where there is no room for longer texts it keeps those that it has.
    fn fit(
        &mut self,
        at: usize,
        place: Place,
        entry: WatcherEntry,
        limits: WatcherTableLimits,
    ) -> Arc<WatcherEntry> {
        let known = self.all.get(at).and_then(|list| list.rows.at(place));
        let known = known.map(Arc::clone);
        let before = known.as_deref().map_or(0, octets_of);
        let octets = self.octets.saturating_sub(before) + octets_of(&entry);
        match known {
            Some(known) if octets > limits.octets && octets > self.octets => {
                Arc::new(WatcherEntry {
                    uri: known.uri.clone(),
                    display_name: known.display_name.clone(),
                    language: known.language.clone(),
                    ..entry
                })
            }
            _ => {
                self.octets = octets;
                Arc::new(entry)
            }
        }
    }
}

/// Rows that a full document replaces.
struct Leaving {
    lists: Lists,
    /// For each list and row whether the document has mentioned it.
    is_kept: Vec<Vec<bool>>,
}

impl Leaving {
    fn new(lists: Lists) -> Self {
        let is_kept = lists.all.iter().map(|list| vec![false; list.rows.len()]);
        Self {
            is_kept: is_kept.collect(),
            lists,
        }
    }

    /// The row, which the document mentions for the first time.
    fn remain(&mut self, list: usize, id: &str) -> Option<Arc<WatcherEntry>> {
        let rows = &self.lists.all.get(list)?.rows;
        let place = rows.find(id, &self.lists.hasher)?;
        let is_kept = self.is_kept.get_mut(list)?.get_mut(place.0)?;
        match core::mem::replace(is_kept, true) {
            false => rows.at(place).map(Arc::clone),
            true => None,
        }
    }

    /// Tells the rows that were not mentioned.
    fn tell(self, changes: &mut Vec<WatcherChange>) {
        for (list, is_kept) in self.lists.all.into_iter().zip(self.is_kept) {
            let rows = list.rows.into_entries().into_iter().zip(is_kept);
            for (entry, _) in rows.filter(|(_, is_kept)| !is_kept) {
                changes.push(WatcherChange {
                    resource: Arc::clone(&list.resource),
                    package: Arc::clone(&list.package),
                    before: Some(entry),
                    after: None,
                });
            }
        }
    }
}

impl fmt::Display for DocumentOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("the first document"),
            Self::Next => f.write_str("the next document"),
            Self::Gap { missing } => write!(f, "{missing} documents are missing"),
            Self::Old { known } => write!(f, "not newer than version {known}"),
        }
    }
}
