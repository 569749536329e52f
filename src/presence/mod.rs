//! The presence event package of SIP (RFC 3856): the presence agent, the publisher and the watcher.

mod agent;
mod composition;
mod config;
mod package;
mod policy;
mod publisher;
mod registration;
mod stamps;
mod watcher;
mod watcher_events;

pub use agent::{Agent, SetPresenceError, UnknownPresentity};
pub use config::{AgentConfig, BlockedDocument, LastingState, PendingDocument, UnknownDocument};
pub(crate) use package::subscriber_profile;
pub use policy::{DenyAll, Policy};
pub use publisher::{PublishStateError, Publisher};
pub use registration::registration_parameters;
pub use watcher::{
    OutdatedDocuments, UriPreference, WatchInfo, WatchOrder, Watcher, WatcherConfig,
};
pub use watcher_events::{PresenceChange, WatcherEvent, WatcherOutput};
