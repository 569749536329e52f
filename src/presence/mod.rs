//! The presence event package of SIP (RFC 3856): the presence agent, the publisher and the watcher.

mod agent;
mod alarms;
pub mod composition;
mod config;
mod narrowed;
mod package;
mod partial_publication;
mod policy;
mod protection;
mod publisher;
mod registered;
mod registration;
mod rules_policy;
mod signer;
mod sources;
mod stamps;
mod watcher;
mod watcher_config;
mod watcher_documents;
mod watcher_events;
mod watcher_order;
mod watcher_partial;
mod watcher_resumption;
mod watcher_terms;

pub use crate::event::Protection;
pub use agent::{
    Agent, AgentInfoPolicy, FollowError, InvalidTarget, RoleTaken, SetPresenceError,
    SetRegistrationError, UnknownPresentity,
};
pub use composition::{Composed, Composition, Compositor, Moment, Part, Source};
pub use config::{
    AgentConfig, BlockedDocument, LastingState, Migration, PendingDocument, RegisteredState,
    SignedPublications, UnknownDocument,
};
pub(crate) use package::subscriber_profile;
pub use policy::{DenyAll, Policy};
pub use protection::Unprotected;
pub(crate) use protection::authority_of;
pub use publisher::{PublishStateError, Publisher};
pub use registered::{ContactShown, RegisteredContact, RegisteredError, Registrations};
pub use registration::registration_parameters;
pub use rules_policy::RulesPolicy;
pub use signer::Authority;
pub(crate) use signer::Names;
pub use watcher::Watcher;
pub use watcher_config::{OutdatedDocuments, UriPreference, WatcherConfig};
pub use watcher_documents::WatchInfo;
pub use watcher_events::{PresenceChange, WatcherEvent, WatcherOutput};
pub use watcher_order::WatchOrder;
pub use watcher_resumption::{InvalidResumption, Resumption};
