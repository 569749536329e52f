//! Presence from registrations (RFC 3856 section 7.2).

use crate::engine::Timestamp;
use crate::pidf::Presence;

/// A contact that is registered.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisteredContact {
    uri: String,
    expires_at: Timestamp,
}
/// X
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ContactShown {
    /// y
    #[default]
    AddressOfRecord,
    /// z
    Registered,
}

impl RegisteredContact {
    /// y
    pub fn uri(&self) -> &str {
        &self.uri
    }
    /// y
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
    /// y
    pub fn declares_presence_agent(&self) -> Option<bool> {
        None
    }
}
pub(super) fn document_of(_: &str, _: &[RegisteredContact], _: ContactShown) -> Presence {
    Presence::default()
}
