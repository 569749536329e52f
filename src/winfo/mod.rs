//! Watcher information: who watches a resource and how that stands (RFC 3857 and RFC 3858).

mod document;
mod server;

pub use document::{WatcherEntry, WatcherEvent, WatcherInfo, WatcherList, WatcherStatus};
pub use server::{
    InfoPolicy, RecommendedInfoPolicy, UndecidedInfo, WatcherInfoConfig, WatcherInfoCounters,
    WatcherInfoOutput, WatcherInfoServer, own_entries,
};
