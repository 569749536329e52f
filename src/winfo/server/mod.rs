//! The notifier of watcher information: RFC 3857 as a template over any package.

mod config;
mod counters;
mod level;
mod package;
mod policy;
mod table;
mod undecided;
mod watcher_info_server;

pub use config::WatcherInfoConfig;
pub use counters::{UndecidedInfo, WatcherInfoCounters};
pub use policy::{InfoPolicy, RecommendedInfoPolicy, own_entries};
pub use watcher_info_server::{WatcherInfoServer, WatcherInfoServerOutput};
