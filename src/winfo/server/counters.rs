//! What a server of watcher information holds and has done.

use std::sync::Arc;

use super::undecided::Undecided;
use crate::engine::Timestamp;
use crate::event::SubscriptionKey;

/// What happened so far at all levels, beside what [`Counters`](crate::event::Counters) tells of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WatcherInfoCounters {
    /// Subscriptions that are shown to nobody, as often as somebody would have been told of them:
    /// nobody's, and those of a watcher whose URI is longer than
    /// [`WatcherInfoConfig::uri`](super::WatcherInfoConfig::uri).
    pub left_out: u64,
    /// Subscriptions that waited for a decision too long, or were too many.
    pub given_up: u64,
    /// Fetches that did not show everything
    /// ([`entries_per_document`](super::WatcherInfoConfig::entries_per_document)).
    pub cut: u64,
}

/// A subscription that waits for a decision, be it that it has run out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UndecidedInfo<'a> {
    /// Its name in the watched server; stale there when it has run out.
    pub key: SubscriptionKey,
    /// The canonical address of record of the watcher.
    pub watcher: &'a Arc<str>,
    /// The canonical name of the resource.
    pub resource: &'a Arc<str>,
    /// When it is given up.
    pub gives_up: Timestamp,
}

impl<'a> UndecidedInfo<'a> {
    pub(super) fn of(
        (key, undecided, gives_up): (SubscriptionKey, &'a Undecided, Timestamp),
    ) -> Self {
        Self {
            key,
            watcher: &undecided.watcher,
            resource: &undecided.resource,
            gives_up,
        }
    }
}
