//! What keeps a rule document from being read or written.

use core::fmt;

use crate::xml::{Location, XmlError, XmlWriteError};

/// A bound of [`RulesLimits`](super::RulesLimits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RulesLimit {
    /// Rules.
    Rules,
    /// Identities that conditions name.
    Identities,
    /// Parts of documents that transformations name.
    Selectors,
    /// Octets of these.
    SelectorOctets,
}

impl fmt::Display for RulesLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rules => "rules",
            Self::Identities => "identities in conditions",
            Self::Selectors => "selectors in transformations",
            Self::SelectorOctets => "octets of selectors in transformations",
        })
    }
}

/// Why a document cannot be read as a set of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is no well-formed XML, or exceeds a bound of XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It is well-formed but no set of rules.
    #[error("{location}: expected the element ruleset of RFC 4745, found {found}")]
    WrongRoot {
        /// The root element's name, as `{namespace}local`.
        found: String,
        /// Where it is.
        location: Location,
    },
    /// A rule has no id, so that nobody could speak of it.
    #[error("{location}: expected an id attribute")]
    NoId {
        /// Where the rule begins.
        location: Location,
    },
    /// Two rules have the same id (RFC 4745 section 6.1).
    #[error("{location}: a second rule with the id {id:?}")]
    DuplicateId {
        /// The id, shortened.
        id: String,
        /// Where the second rule begins.
        location: Location,
    },
    /// A rule has one of its parts twice. Conditions of both would have to hold, and nobody knows whether
    /// that was meant.
    #[error("{location}: a second element {element} in the rule")]
    Repeated {
        /// The part's name.
        element: &'static str,
        /// Where the second one begins.
        location: Location,
    },
    /// It has too much of something.
    #[error("{location}: more than {max} {limit}")]
    Limit {
        /// Which bound.
        limit: RulesLimit,
        /// Its value.
        max: usize,
        /// Where it is exceeded.
        location: Location,
    },
}

impl ReadError {
    /// The status of a response that refuses a request for this body: 413 for too many bytes, 400 for all
    /// else.
    pub fn status(&self) -> u16 {
        match self {
            Self::Xml(error) if error.is_of_size() => 413,
            _ => 400,
        }
    }

    /// Where the fault is.
    pub fn location(&self) -> &Location {
        match self {
            Self::Xml(error) => error.location(),
            Self::WrongRoot { location, .. }
            | Self::NoId { location }
            | Self::DuplicateId { location, .. }
            | Self::Repeated { location, .. }
            | Self::Limit { location, .. } => location,
        }
    }
}

/// Why a set of rules cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A name or character that XML does not allow.
    #[error(transparent)]
    Xml(#[from] XmlWriteError),
    /// A rule's id was put in and is no xs:ID: a letter or `_`, then letters, digits, `.`, `-`, `_`. What
    /// was read so may be written.
    #[error("{id:?} is not an XML id")]
    Id {
        /// The id, shortened.
        id: String,
    },
    /// Two rules have the same id.
    #[error("id {id:?} is given twice")]
    DuplicateId {
        /// The id, shortened.
        id: String,
    },
    /// An element in a list of others is one that there is a typed value for, or has no place there.
    #[error("element {local} is none of the others here")]
    NoExtension {
        /// Its local name, shortened.
        local: String,
    },
    /// An attribute in a rule's list of other attributes has a field of its own.
    #[error("attribute id has a field of its own")]
    Attribute,
}
