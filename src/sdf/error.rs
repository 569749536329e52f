//! What keeps a request from being read or made, and what does not.

use core::fmt;

use super::field::Field;
use super::{MAX_DURATION, MAX_REQUEST_LEN, MAX_TOKEN_LEN};
use crate::xml::{Location, XmlError};

/// A departure from the format that a tolerant reader puts up with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A document type declaration without internal subset stands before the root. Passed over, and
    /// what it refers to is not looked at. Strict reading refuses it as [`XmlErrorKind::Doctype`](crate::xml::XmlErrorKind::Doctype).
    #[error("expected no document type declaration")]
    Doctype,
    /// White space surrounds a value. Left out.
    #[error("expected no white space around the value of {field}")]
    WhiteSpace {
        /// The element.
        field: Field,
    },
    /// An element has an attribute that is not one of XML itself. Left out.
    #[error("expected no attribute {name}")]
    Attribute {
        /// The attribute's name, as `{namespace}local`.
        name: String,
    },
    /// The root holds an element that is not of the format. Left out with all it contains.
    #[error("element {name} does not belong here")]
    Element {
        /// The element's name, as `{namespace}local`.
        name: String,
    },
}

/// A fault that was put up with, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tolerated {
    /// What is wrong.
    pub fault: Fault,
    /// Where.
    pub location: Location,
}

impl fmt::Display for Tolerated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.fault)
    }
}

/// Why a document cannot be read as a subscription request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is no well-formed XML, or exceeds a bound of XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It is well-formed but no subscription request.
    #[error("{location}: expected the element Subscribe, found {found}")]
    WrongRoot {
        /// The root element's name, as `{namespace}local`.
        found: String,
        /// Where it is.
        location: Location,
    },
    /// Its elements are not those of the format, each once and in their order, or hold elements
    /// themselves.
    #[error("{location}: expected {expected}, found {found}")]
    Structure {
        /// What has to come.
        expected: &'static str,
        /// What comes instead.
        found: String,
        /// Where it comes; the element around it where nothing does.
        location: Location,
    },
    /// An element does not hold what it has to.
    #[error("{location}: expected {}, found {found:?}", field.expected())]
    Value {
        /// The element.
        field: Field,
        /// What it holds, shortened.
        found: String,
        /// Where it is.
        location: Location,
    },
    /// A subscription is to be held, and has no token that names it: only a fetch, whose duration is
    /// zero, goes without.
    #[error("{location}: expected a token beside a duration of {duration} seconds, found none")]
    NoToken {
        /// The duration, in seconds.
        duration: u32,
        /// Where the duration is.
        location: Location,
    },
    /// It has a fault, and reading is strict.
    #[error("{0}")]
    Fault(Tolerated),
}

impl ReadError {
    /// The status of a SIP response that refuses a request for this body: 413 for too many bytes,
    /// 400 for all else.
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
            | Self::Structure { location, .. }
            | Self::Value { location, .. }
            | Self::NoToken { location, .. } => location,
            Self::Fault(tolerated) => &tolerated.location,
        }
    }
}

/// Why a request cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The watcher or the presentity is not named by a pres URI.
    #[error("{field} takes a pres URI, not {found:?}")]
    Uri {
        /// Which of them.
        field: Field,
        /// What was given, shortened.
        found: String,
    },
    /// In UTC the year is not of 1 to 9999, of which alone documents can tell.
    #[error("{field} takes a time of the years 1 to 9999, not {found}", field = Field::DateTime)]
    DateTime {
        /// What was given.
        found: String,
    },
    /// The duration of a subscription is not of 1 to [`MAX_DURATION`] seconds.
    #[error("{field} takes 1 to {MAX_DURATION} seconds, not {found}", field = Field::Duration)]
    Duration {
        /// What was given.
        found: u32,
    },
    /// The document would have more than [`MAX_REQUEST_LEN`] octets, and readers refuse it.
    #[error("a request of more than {MAX_REQUEST_LEN} octets")]
    TooLong,
}

/// Why a text is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// It is empty, so that a request to cancel would read like one to fetch.
    #[error("a token has at least one character")]
    Empty,
    /// It has more than [`MAX_TOKEN_LEN`] characters.
    #[error("a token of more than {MAX_TOKEN_LEN} characters")]
    TooLong,
    /// It has a character that XML cannot carry in any form.
    #[error("character U+{code:04X} cannot be written in XML")]
    Character {
        /// The character's code point.
        code: u32,
    },
}
