//! What a server of watcher information is told once.

use core::time::Duration;

use crate::event::ServerConfig;

/// Settings of a [`WatcherInfoServer`](super::WatcherInfoServer).
///
/// ```
/// use presentity::winfo::WatcherInfoConfig;
///
/// let mut config = WatcherInfoConfig::default();
/// config.levels = 1;
/// config.server.role = 7;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatcherInfoConfig {
    /// Durations, pace and bounds of each level. The number of its
    /// [role](ServerConfig::role) is that of the first level, and those of deeper ones count on from
    /// it. Protected bodies are not opened.
    pub server: ServerConfig,
    /// How deep the template is applied: 1 serves `presence.winfo` where the package is `presence`, 2
    /// serves `presence.winfo.winfo` too. Default 2, at least 1, at most 8. Without it nobody learns who
    /// watches its watchers.
    pub levels: u8,
    /// How long a subscription waits for a decision before it is given up, counted from when it became
    /// pending, and anew from when it ran out so (RFC 3857 section 4.7.1). Default 7 days: its user may
    /// come by once a week.
    pub give_up_after: Duration,
    /// Subscriptions in a document. Default 1,000, some 100 kB; at least 1. When there are more, the
    /// others follow in documents of changes, one after each
    /// [interval](ServerConfig::notify_interval). A fetch, which nothing can follow, gets those that
    /// wait for a decision first.
    pub entries_per_document: usize,
    /// Subscriptions to one resource that are over, and that not everybody has been told of. Default
    /// 10,000: as many may end while somebody is told of a hundred thousand. Over it the oldest are
    /// forgotten, and whoever was not told gets everything.
    pub terminated_per_resource: usize,
    /// Subscriptions of one watcher that wait for a decision. Default 200. Over this and the next two
    /// the oldest is given up.
    pub undecided_per_watcher: usize,
    /// Subscriptions to one resource that wait for a decision. Default 1,000.
    pub undecided_per_resource: usize,
    /// Subscriptions that wait for a decision in all, at each level. Default 100,000, some 50 MB.
    pub undecided: usize,
    /// Octets of a watcher's URI. Default 512. Subscriptions of a longer one are left out.
    pub uri: usize,
}

/// So many levels mean something to nobody.
const MOST_LEVELS: u8 = 8;

impl Default for WatcherInfoConfig {
    fn default() -> Self {
        Self {
            server: ServerConfig::default(),
            levels: 2,
            give_up_after: Duration::from_secs(7 * 24 * 3600),
            entries_per_document: 1_000,
            terminated_per_resource: 10_000,
            undecided_per_watcher: 200,
            undecided_per_resource: 1_000,
            undecided: 100_000,
            uri: 512,
        }
    }
}

impl WatcherInfoConfig {
    /// Each value within its range.
    pub(super) fn in_range(mut self) -> Self {
        self.levels = self.levels.clamp(1, MOST_LEVELS);
        self.entries_per_document = self.entries_per_document.max(1);
        self.server.opens_bodies = false;
        self
    }
}
