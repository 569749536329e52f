//! Who watches, as it is shown: with moments in the place of the seconds that documents have.

use std::collections::HashMap;

use presentity::event::NotifierKey;
use presentity::winfo::{WatcherEntry, WatcherStatus, WatcherTable};
use time::{Duration, OffsetDateTime};

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
    /// An entry of a document that has come now.
    pub(crate) fn of(entry: &WatcherEntry, now: OffsetDateTime) -> Self {
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
    pub(crate) fn update<'a>(
        &mut self,
        now: OffsetDateTime,
        tables: impl Iterator<Item = (Option<NotifierKey>, &'a WatcherTable)>,
    ) {
        let tables: Vec<_> = tables.collect();
        let versions = tables.iter();
        let versions = versions.map(|(notifier, table)| (*notifier, table.version()));
        let versions: Vec<_> = versions.collect();
        if versions == self.versions {
            return;
        }
        self.versions = versions;
        let before = std::mem::take(&mut self.entries);
        let mut known = std::mem::take(&mut self.places);
        for (notifier, table) in tables {
            for row in table.rows().filter(|row| row.package == PACKAGE) {
                let name = (notifier, row.entry.id.clone());
                let seconds = (row.entry.duration_subscribed, row.entry.expiration);
                // Seconds that were there before are those of an older document.
                let old = known.remove(&name).filter(|(_, it)| *it == seconds);
                let old = old.and_then(|(place, _)| before.get(place));
                let mut entry = Entry::of(row.entry, now);
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

#[cfg(test)]
mod tests {
    use super::*;
    use presentity::winfo::{WatcherEvent, WatcherInfo, WatcherList};

    fn document(version: u32, uris: &[&str], seconds: (u64, u64)) -> WatcherInfo {
        let mut list = WatcherList::new("sip:anna@example.org", PACKAGE);
        for uri in uris {
            let (status, event) = (WatcherStatus::Active, WatcherEvent::Approved);
            let mut entry = WatcherEntry::new(*uri, *uri, status, event);
            (entry.duration_subscribed, entry.expiration) = (Some(seconds.0), Some(seconds.1));
            list.watchers.push(entry);
        }
        let mut info = WatcherInfo::default();
        info.version = version;
        info.is_full = version == 0;
        info.lists.push(list);
        info
    }

    #[test]
    fn moments_are_counted_from_the_document_that_told_the_seconds() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::hours(5);
        let (mut roll, mut table) = (Roll::default(), WatcherTable::default());
        let mut take = |roll: &mut Roll, info, now| {
            table.apply(info);
            roll.update(now, [(None, &table)].into_iter());
        };
        take(
            &mut roll,
            document(0, &["sip:b@c.d", "sip:e@f.g"], (60, 600)),
            now,
        );
        let moments = |roll: &Roll, place: usize| {
            let entry = &roll.entries[place];
            (entry.since.unwrap() - now, entry.until.unwrap() - now)
        };
        let at_first = (Duration::seconds(-60), Duration::seconds(600));
        assert_eq!(moments(&roll, 0), at_first);
        // A document about one of them says nothing of the other.
        let later = now + Duration::seconds(100);
        take(&mut roll, document(1, &["sip:e@f.g"], (160, 900)), later);
        assert_eq!(moments(&roll, 0), at_first);
        assert_eq!(
            moments(&roll, 1),
            (Duration::seconds(-60), Duration::seconds(1000))
        );
    }

    #[test]
    fn seconds_beyond_all_calendars_are_no_moment() {
        let (status, event) = (WatcherStatus::Active, WatcherEvent::Approved);
        let mut entry = WatcherEntry::new("a", "sip:b@c.d", status, event);
        entry.duration_subscribed = Some(u64::MAX);
        entry.expiration = Some(u64::MAX / 4);
        let entry = Entry::of(&entry, OffsetDateTime::UNIX_EPOCH);
        assert_eq!((entry.since, entry.until), (None, None));
    }
}
