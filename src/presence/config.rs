//! What an agent is told once.

use crate::event::ServerConfig;
use crate::filter::FilterLimits;
use crate::pidf::Note;

use super::registered::Registrations;

/// Settings of a presence agent.
///
/// ```
/// use presentity::presence::AgentConfig;
///
/// let mut config = AgentConfig::default();
/// config.domains = vec!["example.com".into()];
/// config.server.min_expires = 30;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// What becomes of publications that their publisher has signed.
    pub signed_publications: SignedPublications,
    /// Whether publications may say what has changed (`application/pidf-diff+xml`, RFC 5264) instead of
    /// everything each time. What their publisher wrote is kept beside what it means, then. If not, they
    /// get 415, and publishers fall back. Default: yes.
    pub partial_publications: bool,
    /// Sources that one presentity may have beside publications and registered contacts: the
    /// application's, and agents that are subscribed to. Default 64.
    pub sources: usize,
    /// When registered contacts take part in the document. Default: always.
    pub registered: RegisteredState,
    /// How registered contacts are shown. Without a secret of its own the ids are made with one that the
    /// agent's entropy gives, so that they are others after a restart.
    pub registrations: Registrations,
    /// Whether watchers are sent to a presentity's own device when that is a presence agent.
    pub migration: Migration,
    /// Whether the agent subscribes to contacts that register as presence agents, of presentities whose
    /// watchers are not sent there (RFC 3856 section 6.11.1). With [`domains`](Self::domains) those that are
    /// in them are left alone, since they lead back here. It takes a
    /// [back end](crate::presence::Agent::set_back_end). Default: no.
    pub follows_agents: bool,
    /// Watchers that are sent elsewhere in a second, so that they do not all come there at once (RFC 3856
    /// section 6.11.2). At least 1; default 50.
    pub departures_per_second: u32,
    /// Whether telephone numbers (tel URIs) name presentities. Default: no, 416.
    pub telephone_numbers: bool,
    /// Whether watchers who ask for it by name are told what has changed, in place of the whole document
    /// (RFC 5263). Default: yes.
    pub partial_notifications: bool,
    /// Bounds of the filters of one subscription (RFC 4660); without them filters are refused with 415.
    /// Default: 8 KB, 16 filters, 64 expressions of 16 steps and as many conditions each. A filter of a few
    /// lines takes some 4 KB in memory beside its subscription, where no other watcher of the presentity has
    /// the same; the worst of this size takes 300 KB.
    pub filters: Option<FilterLimits>,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            server: ServerConfig::default(),
            domains: Vec::new(),
            pending: PendingDocument::default(),
            blocked: BlockedDocument::default(),
            unknown: UnknownDocument::default(),
            lasting: LastingState::default(),
            signed_publications: SignedPublications::default(),
            partial_publications: true,
            sources: 64,
            registered: RegisteredState::default(),
            registrations: Registrations::default(),
            migration: Migration::default(),
            follows_agents: false,
            departures_per_second: 50,
            telephone_numbers: false,
            partial_notifications: true,
            filters: Some(FilterLimits {
                octets: 8_192,
                bindings: 32,
                filters: 16,
                expressions: 64,
                steps: 16,
                conditions: 16,
            }),
        }
    }
}

/// When registered contacts take part in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RegisteredState {
    /// Beside what is published: each contact is a service of its own.
    #[default]
    Always,
    /// While nothing is published. Right where those who register publish too, and say `closed` at times:
    /// their contact would go on saying `open`.
    WhenUnpublished,
}

/// What becomes of a publication whose body its publisher has signed for the watchers, where the host
/// [opens bodies](ServerConfig::opens_bodies).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SignedPublications {
    /// The newest of them is the document, unmodified, beside which nothing else is shown (RFC 3903 section
    /// 14.4): with its signature to those who get it
    /// [`AsPublished`](crate::event::Protection::AsPublished). Those who may see a part of it only are
    /// shown what there is of a presentity without state.
    #[default]
    PassOn,
    /// They are composed like any other: their signature has served its purpose.
    Compose,
}

/// Whether the agent hands its watchers over to a presence user agent that is a presence agent itself
/// (RFC 3856 section 6.11.2), which saves state here.
///
/// It does so for a presentity with one registered contact and no more than one publication, since what
/// several devices say is composed here: its watchers are told `deactivated`, a few at a time, and their new
/// SUBSCRIBEs come out as [`Output::Forward`](crate::event::Output::Forward). A contact that turns out to be
/// no presence agent is left alone for as long as it is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Migration {
    /// Everybody is served here.
    #[default]
    Never,
    /// To a contact that has registered as a presence agent: one that takes SUBSCRIBE for the package
    /// `presence` (RFC 3840).
    ToDeclared,
    /// To any contact that has not said otherwise; one that answers 405 or 489 is none.
    ToAny,
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
