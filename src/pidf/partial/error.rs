//! Why a partial presence document cannot be read, made or used.

use bytes::Bytes;

use crate::pidf::ReadError;
use crate::xml::patch::{PatchError, PatchErrorKind, PatchWriteError, operation_element};
use crate::xml::{Element, XmlError, XmlLimits, XmlWriteError};

/// Why a partial presence document cannot be read, made or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartialError {
    /// It is no well-formed XML, or exceeds a bound.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// Its root is `presence`, which this media type does not have (RFC 5262 section 3).
    #[error("expected pidf-full or pidf-diff, found presence, which has a media type of its own")]
    PresenceRoot,
    /// Its root is something else.
    #[error("expected pidf-full or pidf-diff of urn:ietf:params:xml:ns:pidf-diff, found {found}")]
    WrongRoot {
        /// The root element's name, as `{namespace}local`.
        found: String,
    },
    /// Its version is no number below 2^32.
    #[error("expected a number as version, found {value:?}")]
    BadVersion {
        /// What is there.
        value: String,
    },
    /// It has no version, which notifications need (RFC 5263 section 4.4).
    #[error("expected a version")]
    NoVersion,
    /// It tells of changes in a document about somebody else.
    #[error("expected changes of the document about {expected:?}, found {found:?}")]
    OtherEntity {
        /// Whom the document that is there is about.
        expected: String,
        /// Whom the changes are about.
        found: String,
    },
    /// Changes came, and there is no document that they change (RFC 5263 section 4.5; RFC 5264
    /// section 4.3.2).
    #[error("expected a whole document first, found changes")]
    NoDocument,
    /// Versions between the last and this one are missing: the document has to be asked for anew
    /// (RFC 5263 section 4.5).
    #[error("expected version {expected}, found {found}")]
    Gap {
        /// The version that should have come.
        expected: u64,
        /// The one that came.
        found: u32,
    },
    /// An operation cannot be read or applied.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// What should become a partial document is no presence document.
    #[error("expected the element presence of urn:ietf:params:xml:ns:pidf, found {found}")]
    NoPresence {
        /// The root element's name, as `{namespace}local`.
        found: String,
    },
    /// What was put together is no presence document.
    #[error(transparent)]
    Presence(#[from] ReadError),
    /// A document cannot be written.
    #[error(transparent)]
    Write(#[from] XmlWriteError),
    /// A change cannot be written; the whole document can be sent instead.
    #[error(transparent)]
    WriteChange(#[from] PatchWriteError),
}

impl PartialError {
    /// The condition of RFC 5261 (section 5.1) that says this, where there is one.
    pub fn condition(&self) -> Option<PatchErrorKind> {
        match self {
            Self::Xml(_) | Self::PresenceRoot | Self::WrongRoot { .. } | Self::NoVersion => {
                Some(PatchErrorKind::InvalidDiffFormat)
            }
            // RFC 5262 section 11.
            Self::BadVersion { .. } | Self::OtherEntity { .. } => {
                Some(PatchErrorKind::InvalidAttributeValue)
            }
            Self::Patch(error) => Some(error.kind()),
            _ => None,
        }
    }

    /// The status of a SIP response that refuses a PUBLISH for this body: 413 for too many bytes, 500 for
    /// what is not its fault, 400 for all else (RFC 5264 section 4.3.2).
    pub fn status(&self) -> u16 {
        match self {
            Self::Xml(error) if error.is_of_size() => 413,
            Self::Presence(error) => error.status(),
            Self::NoPresence { .. } | Self::Write(_) | Self::WriteChange(_) => 500,
            _ => 400,
        }
    }

    /// A body of type `application/patch-ops-error+xml` (RFC 5261 section 5) that tells of the error, with
    /// the operation of the refused document where one is to blame; nothing where no condition says it.
    pub fn to_document(&self, refused: &[u8], limits: &XmlLimits) -> Option<Bytes> {
        let error = match self {
            Self::Patch(error) => error.clone(),
            other => PatchError::new(other.condition()?, other.to_string()),
        };
        let operation = error.operation().and_then(|number| {
            let root = Element::read_whole(refused, limits).ok()?;
            operation_element(&root, number)
        });
        Some(error.to_document(operation.as_ref()))
    }
}
