//! What keeps a document of watcher information from being read or written, and what does not.

use core::fmt;

use crate::xml::{Location, XmlError, XmlWriteError};

/// A bound on the whole of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WatcherInfoLimit {
    /// Lists.
    Lists,
    /// Entries, in all lists.
    Entries,
}

impl fmt::Display for WatcherInfoLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lists => "lists",
            Self::Entries => "entries",
        })
    }
}

/// Why a document cannot be read as watcher information.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadWatcherInfoError {
    /// It is no well-formed XML, or exceeds a bound of XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It is well-formed but no watcher information.
    #[error("{location}: expected the element watcherinfo, found {found}")]
    WrongRoot {
        /// The root element's name, as `{namespace}local`.
        found: String,
        /// Where it is.
        location: Location,
    },
    /// The root lacks the version or the state, or has another value there.
    #[error("{location}: expected {attribute} to be {expected}, found {}", found.as_deref().unwrap_or("none"))]
    Attribute {
        /// The attribute.
        attribute: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is, shortened; nothing when there is none.
        found: Option<String>,
        /// Where the root is.
        location: Location,
    },
    /// There are more lists or entries than may be.
    #[error("{location}: expected {limit} {of} at most")]
    TooMany {
        /// Which bound.
        of: WatcherInfoLimit,
        /// Its value.
        limit: usize,
        /// Where the first one too many is.
        location: Location,
    },
}

impl ReadWatcherInfoError {
    /// Where the fault is.
    pub fn location(&self) -> &Location {
        match self {
            Self::Xml(error) => error.location(),
            Self::WrongRoot { location, .. }
            | Self::Attribute { location, .. }
            | Self::TooMany { location, .. } => location,
        }
    }
}

/// A departure from the format that the reader puts up with. Texts are shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WatcherInfoFaultKind {
    /// A list names no resource, or by too long a name. Left out with all its entries.
    #[error("expected a list to name its resource in {limit} octets at most")]
    Resource {
        /// How long the name may be.
        limit: usize,
    },
    /// A list names no package, or by too long a name. Left out with all its entries.
    #[error("expected a list to name its package in {limit} octets at most")]
    Package {
        /// How long the name may be.
        limit: usize,
    },
    /// An entry has no id, or too long a one. Left out.
    #[error("expected the id of a watcher, of {limit} octets at most")]
    NoId {
        /// How long it may be.
        limit: usize,
    },
    /// The id of an entry is no token. Kept as it is: it is only compared.
    #[error("expected a token as id, found {found:?}")]
    Id {
        /// What it is.
        found: String,
    },
    /// An entry has no status, or one that is not known. Left out: what was known of it stays.
    #[error("expected pending, active, waiting or terminated as status of {id:?}, found {found:?}")]
    Status {
        /// Which entry.
        id: String,
        /// What it is.
        found: String,
    },
    /// An entry has no event, or one that is not known. Read as
    /// [`WatcherEvent::Other`](super::WatcherEvent::Other).
    #[error("expected an event of RFC 3857 for {id:?}, found {found:?}")]
    Event {
        /// Which entry.
        id: String,
        /// What it is.
        found: String,
    },
    /// An entry has no URI, or too long a one. Left out.
    #[error("expected a URI of 1 to {limit} octets for {id:?}, found {octets}")]
    Uri {
        /// Which entry.
        id: String,
        /// How long it may be.
        limit: usize,
        /// How long it is.
        octets: usize,
    },
    /// The value of an attribute that an entry may do without cannot be understood, or is too long. The
    /// attribute is left out.
    #[error("expected {attribute} of {id:?} to be otherwise, found {found:?}")]
    Attribute {
        /// The attribute.
        attribute: &'static str,
        /// Which entry.
        id: String,
        /// What it is.
        found: String,
    },
    /// An entry has the id of one before it in its list, whose place it takes.
    #[error("expected {id:?} once in a list")]
    Repeated {
        /// The id.
        id: String,
    },
}

/// A fault that was put up with, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatcherInfoFault {
    /// What is wrong.
    pub kind: WatcherInfoFaultKind,
    /// Where the element is that it is about.
    pub location: Location,
}

impl fmt::Display for WatcherInfoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.kind)
    }
}

/// Why watcher information cannot be written. Texts are shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteWatcherInfoError {
    /// The name of a resource, or of a watcher, is empty, has white space, control characters or
    /// a percent sign that escapes nothing, or more than [`MAX_URI_LEN`](crate::sip::MAX_URI_LEN) octets.
    #[error("{text:?}, of {octets} octets, cannot be written as a URI")]
    Uri {
        /// The text.
        text: String,
        /// How long it is.
        octets: usize,
    },
    /// An id, or the name of a package, is no token of SIP.
    #[error("{text:?} is no token")]
    Token {
        /// The text.
        text: String,
    },
    /// Two entries have one id (RFC 3858 section 3).
    #[error("two watchers of the id {id:?}")]
    Repeated {
        /// The id.
        id: String,
    },
    /// The event of an entry is [`WatcherEvent::Other`](super::WatcherEvent::Other).
    #[error("the event of {id:?} has no name")]
    Event {
        /// The id of the entry.
        id: String,
    },
    /// The language of a name is no language tag.
    #[error("{text:?} is no language")]
    Language {
        /// The text.
        text: String,
    },
    /// A name has a character that XML cannot carry.
    #[error(transparent)]
    Xml(#[from] XmlWriteError),
}
