//! What a subscriber to watcher information is told once.

use core::time::Duration;

use super::options::ReadWatcherInfoOptions;
use super::table::WatcherTableLimits;
use crate::event::SubscriberConfig;

/// Settings of a subscriber to watcher information.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatcherInfoSubscriberConfig {
    /// Those of its subscriptions. A body may have 32 MiB here by default, which is a full document of
    /// 10⁵ watchers.
    pub subscriber: SubscriberConfig,
    /// How documents are read. Its charset is not used: that of each NOTIFY is.
    pub read: ReadWatcherInfoOptions,
    /// How much may be known of one notifier.
    pub table: WatcherTableLimits,
    /// How long to wait after a notifier was asked for everything before it is asked again. Default 5 s,
    /// the pace of its own documents (RFC 3857 section 4.10); at least 1 s.
    pub refresh_pace: Duration,
}

impl Default for WatcherInfoSubscriberConfig {
    fn default() -> Self {
        let read = ReadWatcherInfoOptions::default();
        let subscriber = SubscriberConfig {
            body: read.xml.bytes,
            ..SubscriberConfig::default()
        };
        Self {
            subscriber,
            read,
            table: WatcherTableLimits::default(),
            refresh_pace: Duration::from_secs(5),
        }
    }
}
