//! What an agent is told once.

use crate::event::ServerConfig;
use crate::pidf::Note;

/// Settings of a presence agent.
///
/// ```
/// use presentity::presence::AgentConfig;
///
/// let mut config = AgentConfig::default();
/// config.domains = vec!["example.com".into()];
/// config.server.min_expires = 30;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AgentConfig {
    /// Durations, pace and bounds.
    pub server: ServerConfig,
    /// The domains whose presentities are served; a request for another one gets 404. Empty, the
    /// default: every domain.
    pub domains: Vec<String>,
    /// What a watcher gets before anything is decided.
    pub pending: PendingDocument,
    /// What a politely blocked watcher gets.
    pub blocked: BlockedDocument,
    /// What a watcher gets who may see a presentity of whom nothing is known.
    pub unknown: UnknownDocument,
    /// When the state that the application has set is shown.
    pub lasting: LastingState,
    /// Whether telephone numbers (tel URIs) name presentities. Default: no, 416.
    pub telephone_numbers: bool,
}

/// The document of a pending subscription (RFC 3856 section 6.6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PendingDocument {
    /// A document with nothing but this note.
    Note(Note),
    /// None.
    Nothing,
    /// The same false document as for a polite block, so that waiting does not show (RFC 3856
    /// section 4).
    Offline,
}

impl Default for PendingDocument {
    fn default() -> Self {
        Self::Note(Note::new("Waiting for permission").in_language("en"))
    }
}

/// The document of a politely blocked subscription (RFC 3856 section 6.6.2).
///
/// It hides the block only if presentities who are not there look the same. Where clients publish
/// `closed` when they leave, that is [`Offline`](Self::Offline); where they just remove their
/// publication, or the application sets no lasting state, it is [`Unknown`](Self::Unknown).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BlockedDocument {
    /// One closed service (RFC 5025 section 3.2.1).
    #[default]
    Offline,
    /// The same as for a presentity of whom nothing is known.
    Unknown,
}

/// The document of a presentity without state. It never says `closed`: unknown is not offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnknownDocument {
    /// One without tuples.
    #[default]
    Empty,
    /// None: a NOTIFY without body.
    Nothing,
}

/// When the state that the application has set takes part in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LastingState {
    /// While nothing is published.
    #[default]
    WhenAlone,
    /// Always, before what is published.
    Always,
}
