//! Watcher information: who watches a resource and how that stands (RFC 3857 and RFC 3858).

mod document;

pub use document::{WatcherEntry, WatcherEvent, WatcherInfo, WatcherList, WatcherStatus};
