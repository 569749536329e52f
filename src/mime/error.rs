//! What keeps a MIME entity from being read or written.

use super::{MAX_HEADER_FIELDS, MAX_HEADER_LEN};
use crate::sip::HeaderError;

/// Why octets are not the MIME entity that they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MimeError {
    /// The header of a part breaks the grammar.
    #[error("the header of a part is malformed at octet {offset}: expected {expected}")]
    Header {
        /// Where, in octets from the beginning of the part.
        offset: usize,
        /// What was expected there.
        expected: &'static str,
    },
    /// The header of a part has more than [`MAX_HEADER_LEN`] octets.
    #[error("the header of a part has more than {MAX_HEADER_LEN} octets")]
    HeaderTooLong,
    /// The header of a part has more than [`MAX_HEADER_FIELDS`] fields.
    #[error("the header of a part has more than {MAX_HEADER_FIELDS} fields")]
    TooManyFields,
    /// A field of a part that says how to read it stands there twice.
    #[error("more than one {name} in the header of a part")]
    RepeatedField {
        /// The field.
        name: &'static str,
    },
    /// The body of a part is encoded for transfer; this crate does not decode.
    #[error("the body of a part is encoded as {name:?}")]
    Encoding {
        /// The encoding as it was named, shortened.
        name: String,
    },
    /// A media type is malformed.
    #[error("not a media type: {0}")]
    MediaType(HeaderError),
    /// The body is not `multipart/signed`.
    #[error("expected multipart/signed")]
    NotSigned,
    /// A parameter of `multipart/signed` that has to be there is missing.
    #[error("multipart/signed without {name}")]
    MissingParameter {
        /// The parameter.
        name: &'static str,
    },
    /// A parameter of `multipart/signed` stands there twice.
    #[error("multipart/signed with more than one {name}")]
    RepeatedParameter {
        /// The parameter.
        name: &'static str,
    },
    /// The boundary is empty, longer than 70 characters, ends with a space or has characters that
    /// none may have (RFC 2046 section 5.1.1).
    #[error("the boundary of multipart/signed is none")]
    Boundary,
    /// The body of a multipart has no line with its boundary.
    #[error("the boundary does not occur in the body")]
    NoDelimiter,
    /// The body of a multipart ends before its closing delimiter.
    #[error("the body ends without the closing delimiter")]
    Unclosed,
    /// `multipart/signed` has exactly two parts (RFC 1847 section 2.1).
    #[error("expected two parts, found {found}{}", if *found > 2 { " or more" } else { "" })]
    Parts {
        /// How many there are; 3 stands for any more.
        found: usize,
    },
    /// The type of the second part is not the one that the `protocol` parameter names (RFC 1847
    /// section 2.1).
    #[error("the second part is not of the type that the protocol parameter names")]
    Protocol,
    /// A name of message digests has characters that it cannot have in a parameter.
    #[error("not a name of message digests")]
    DigestName,
}

impl From<HeaderError> for MimeError {
    fn from(error: HeaderError) -> Self {
        Self::MediaType(error)
    }
}
