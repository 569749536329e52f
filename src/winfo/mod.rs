//! Watcher information: who watches a resource and how that stands (RFC 3857 and RFC 3858).

mod change;
mod document;
mod error;
mod followed;
mod lexical;
mod options;
mod reader;
mod rows;
mod server;
mod subscriber;
mod subscriber_config;
mod subscriber_events;
mod table;
mod writer;

pub use change::{WatcherChange, WatcherChangeKind};
pub use document::{WatcherEntry, WatcherEvent, WatcherInfo, WatcherList, WatcherStatus};
pub use error::{
    ReadWatcherInfoError, WatcherInfoFault, WatcherInfoFaultKind, WatcherInfoLimit,
    WriteWatcherInfoError,
};
pub use options::ReadWatcherInfoOptions;
pub use server::{
    InfoPolicy, RecommendedInfoPolicy, UndecidedInfo, WatcherInfoConfig, WatcherInfoCounters,
    WatcherInfoServer, WatcherInfoServerOutput, own_entries,
};
pub use subscriber::{FollowInfo, FollowOrder, InvalidWatcherInfoPackage, WatcherInfoSubscriber};
pub use subscriber_config::WatcherInfoSubscriberConfig;
pub use subscriber_events::{WatcherInfoEvent, WatcherInfoOutput};
pub use table::{DocumentOrder, TableUpdate, WatcherRow, WatcherTable, WatcherTableLimits};

/// The media type of watcher information (RFC 3858 section 8.1).
pub const MEDIA_TYPE: &str = "application/watcherinfo+xml";
