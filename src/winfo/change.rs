//! What a document has changed in a table.

use std::sync::Arc;

use super::document::{WatcherEntry, WatcherStatus};

/// One row of a table that is another one now.
///
/// That seconds have passed is no change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatcherChange {
    /// The URI of the resource that is watched, as the document names it.
    pub resource: Arc<str>,
    /// The event type of the subscriptions to it.
    pub package: Arc<str>,
    /// What was known; nothing of one that is new.
    pub before: Option<Arc<WatcherEntry>>,
    /// What is known now: of one that has ended the last word, which is told once. Nothing of one that
    /// is not mentioned any more.
    pub after: Option<Arc<WatcherEntry>>,
}

/// What has become of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WatcherChangeKind {
    /// It is new.
    Added,
    /// It says something else.
    Changed,
    /// It is no more: the subscription has ended, or is not mentioned any more.
    Gone,
}

impl WatcherChange {
    /// What has become of the row.
    pub fn kind(&self) -> WatcherChangeKind {
        match (&self.before, self.new_status()) {
            (_, None | Some(WatcherStatus::Terminated)) => WatcherChangeKind::Gone,
            (None, Some(_)) => WatcherChangeKind::Added,
            (Some(_), Some(_)) => WatcherChangeKind::Changed,
        }
    }

    /// The status before; nothing of one that is new.
    pub fn old_status(&self) -> Option<WatcherStatus> {
        self.before.as_ref().map(|entry| entry.status)
    }

    /// The status now; nothing of one that is not mentioned any more.
    pub fn new_status(&self) -> Option<WatcherStatus> {
        self.after.as_ref().map(|entry| entry.status)
    }

    /// Whether somebody's decision is wanted now and was not before: what a user is to be shown at once.
    pub fn asks(&self) -> bool {
        let undecided = |entry: &&Arc<WatcherEntry>| entry.status.is_undecided();
        let before = self.before.as_ref().filter(undecided);
        let after = self.after.as_ref().filter(undecided);
        // Another subscription may use an id for another watcher.
        after.is_some_and(|after| before.is_none_or(|before| before.uri != after.uri))
    }
}
