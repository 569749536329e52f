//! The presence event package of SIP (RFC 3856): the presence agent.

mod agent;
mod composition;
mod config;
mod package;
mod policy;

pub use agent::{Agent, SetPresenceError, UnknownPresentity};
pub use config::{AgentConfig, BlockedDocument, LastingState, PendingDocument, UnknownDocument};
pub use policy::{DenyAll, Policy};
