//! Watcher information: who watches a resource and how that stands (RFC 3857 and RFC 3858).

mod document;
mod error;
mod lexical;
mod options;
mod reader;
mod writer;

pub use document::{WatcherEntry, WatcherEvent, WatcherInfo, WatcherList, WatcherStatus};
pub use error::{
    ReadWatcherInfoError, WatcherInfoFault, WatcherInfoFaultKind, WatcherInfoLimit,
    WriteWatcherInfoError,
};
pub use options::ReadWatcherInfoOptions;

/// The media type of watcher information (RFC 3858 section 8.1).
pub const MEDIA_TYPE: &str = "application/watcherinfo+xml";
