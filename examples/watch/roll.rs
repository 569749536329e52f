//! Who watches, as it is shown: with moments in the place of the seconds that documents have.

use std::collections::HashMap;

use presentity::event::{NotifierKey, OwnSubscriptionKey};
use presentity::winfo::{WatcherEntry, WatcherInfoSubscriber, WatcherStatus};
use time::{Duration, OffsetDateTime};

use crate::adapter::wall_clock;
use crate::summary::one_line;

/// The package whose watchers are shown; others may be in the same documents.
pub(crate) const PACKAGE: &str = "presence";

/// A subscription to the user's presence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) uri: String,
    pub(crate) name: Option<String>,
    pub(crate) status: WatcherStatus,
    /// What has made it so.
    pub(crate) event: &'static str,
    pub(crate) since: Option<OffsetDateTime>,
    pub(crate) until: Option<OffsetDateTime>,
}

/// All of them, in the order of the documents.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    pub(crate) entries: Vec<Entry>,
    /// Places among them, by what documents call them.
    places: HashMap<(Option<NotifierKey>, String), (usize, Seconds)>,
    /// What was looked at last: the version of each notifier's documents.
    versions: Vec<(Option<NotifierKey>, Option<u32>)>,
}

/// Since it began, and until it runs out, as the document has them.
type Seconds = (Option<u64>, Option<u64>);

impl Entry {
    /// An entry of a document that has just come.
    pub(crate) fn of(entry: &WatcherEntry) -> Self {
        let now = wall_clock();
        let now = now.replace_nanosecond(0).unwrap_or(now);
        let seconds = |seconds: u64| i64::try_from(seconds).ok().map(Duration::seconds);
        let since = entry.duration_subscribed.and_then(seconds);
        let until = entry.expiration.and_then(seconds);
        Self {
            uri: one_line(&entry.uri),
            name: entry.display_name.as_deref().map(one_line),
            status: entry.status,
            event: entry.event.as_str().unwrap_or("other"),
            since: since.and_then(|it| now.checked_sub(it)),
            until: until.and_then(|it| now.checked_add(it)),
        }
    }
}

impl Roll {
    /// Looks at what is known, if there was a document since.
    pub(crate) fn update(&mut self, subscriber: &WatcherInfoSubscriber, key: OwnSubscriptionKey) {
        let tables = || subscriber.tables(key);
        let versions = tables().map(|(notifier, table)| (notifier, table.version()));
        let versions: Vec<_> = versions.collect();
        if versions == self.versions {
            return;
        }
        self.versions = versions;
        let before = std::mem::take(&mut self.entries);
        let mut known = std::mem::take(&mut self.places);
        for (notifier, table) in tables() {
            for row in table.rows().filter(|row| row.package == PACKAGE) {
                let name = (notifier, row.entry.id.clone());
                let seconds = (row.entry.duration_subscribed, row.entry.expiration);
                // Seconds that were there before are those of an older document.
                let old = known.remove(&name).filter(|(_, it)| *it == seconds);
                let old = old.and_then(|(place, _)| before.get(place));
                let mut entry = Entry::of(row.entry);
                if let Some(old) = old {
                    (entry.since, entry.until) = (old.since, old.until);
                }
                self.places.insert(name, (self.entries.len(), seconds));
                self.entries.push(entry);
            }
        }
    }

    pub(crate) fn undecided(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.entries.iter();
        entries.filter(|entry| entry.status.is_undecided())
    }
}
