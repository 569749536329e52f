//! The presence event package of SIP (RFC 3856): the presence agent and the publisher.

mod agent;
mod composition;
mod config;
mod package;
mod policy;
mod publisher;
mod registration;
mod stamps;

pub use agent::{Agent, SetPresenceError, UnknownPresentity};
pub use config::{AgentConfig, BlockedDocument, LastingState, PendingDocument, UnknownDocument};
pub use policy::{DenyAll, Policy};
pub use publisher::{PublishStateError, Publisher};
pub use registration::registration_parameters;
