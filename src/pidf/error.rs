//! What keeps a document from being read or written, and what does not.

use core::fmt;

use super::extension::ValueError;
use crate::xml::{Location, XmlError, XmlWriteError};

/// A departure from RFC 3863 that a tolerant reader puts up with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The document uses the namespace of the drafts before RFC 3863. Read as the present one.
    #[error("expected the namespace of RFC 3863, found that of its drafts")]
    OldNamespace,
    /// The document says that it is in an encoding other than UTF-8 and US-ASCII. Read all the same
    /// when that makes no difference: it has no octet but those of ASCII, and the encoding has
    /// ASCII in it. Strict reading refuses it as [`XmlErrorKind::Encoding`](crate::xml::XmlErrorKind::Encoding).
    #[error("expected the encoding UTF-8 or US-ASCII, found {name}")]
    Encoding {
        /// The encoding, as it was named.
        name: String,
    },
    /// The document does not say whom it is about. The default entity is taken, or an empty one.
    #[error("expected an entity attribute")]
    NoEntity,
    /// The entity is no absolute URI. Kept.
    #[error("expected a URI as entity, found {value:?}")]
    BadEntity {
        /// What is there.
        value: String,
    },
    /// A tuple, person or device has no id, or an empty one. Kept, with an empty id.
    #[error("expected an id attribute")]
    NoId,
    /// An id is no xs:ID. Kept.
    #[error("expected a name as id, found {value:?}")]
    BadId {
        /// What is there.
        value: String,
    },
    /// An id occurs twice. Both are kept.
    #[error("id {value:?} occurs twice")]
    DuplicateId {
        /// The id.
        value: String,
    },
    /// A tuple has no status element. Its status is empty.
    #[error("expected a status element")]
    NoStatus,
    /// A status element has no status value.
    #[error("expected a status value in the status element")]
    EmptyStatus,
    /// A basic status is neither open nor closed. Kept; counts as none.
    #[error("expected open or closed, found {value:?}")]
    BadBasic {
        /// What is there.
        value: String,
    },
    /// A contact is no absolute URI. Kept.
    #[error("expected a URI as contact, found {value:?}")]
    BadContact {
        /// What is there.
        value: String,
    },
    /// A priority is none. Kept; counts as none.
    #[error("expected a number from 0 to 1 with up to three decimals, found {value:?}")]
    BadPriority {
        /// What is there.
        value: String,
    },
    /// A timestamp is no time with offset. Kept; counts as none.
    #[error("expected a date and time with offset, found {value:?}")]
    BadTimestamp {
        /// What is there.
        value: String,
    },
    /// A device has no identifier element.
    #[error("expected a deviceID element")]
    NoDeviceId,
    /// The identifier of a device is no absolute URI. Kept; counts as none.
    #[error("expected a URI as deviceID, found {value:?}")]
    BadDeviceId {
        /// What is there.
        value: String,
    },
    /// A part of a person or device is in the namespace of PIDF. Read as if it were in that of
    /// the data model.
    #[error("expected the namespace of the data model for {element}, found that of PIDF")]
    WrongNamespace {
        /// Its name.
        element: String,
    },
    /// A language (`xml:lang`) is no language tag. Kept, and looked for in strict reading only,
    /// unless an element that holds others has it and it has more octets than any language tag,
    /// 35: then it counts as none.
    #[error("expected a language tag, found {value:?}")]
    BadLanguage {
        /// What is there, shortened.
        value: String,
    },
    /// A service that no message reaches, such as post, has a contact (RFC 4480, 3.10). Looked for
    /// in strict reading only.
    #[error("expected an empty contact with this class of service")]
    NeedlessContact,
    /// An element of PIDF or of its data model has an attribute that the schemas do not foresee.
    /// Looked for in strict reading only; kept otherwise.
    #[error("expected no attribute {name}")]
    Attribute {
        /// Its name, as `{namespace}local`.
        name: String,
    },
    /// An element that may occur once occurs again. Left out.
    #[error("a second {element} element")]
    Repeated {
        /// Its name.
        element: &'static str,
    },
    /// An element comes later than the schema wants it.
    #[error("element {element} comes too late")]
    OutOfOrder {
        /// Its name, as written.
        element: String,
    },
    /// An element of PIDF's own namespace that does not belong here, or any element in a text.
    /// Left out with all it contains.
    #[error("element {element} does not belong here")]
    Unexpected {
        /// Its name, as written.
        element: String,
    },
    /// Text where only elements belong. Left out.
    #[error("text where only elements belong")]
    StrayText,
    /// An extension of rich presence, contact information, capabilities or `certs` is not what its
    /// schema allows. Looked for in strict reading only: typed access gives nothing for what it
    /// cannot use.
    #[error("expected {expected}, in extension element {element}")]
    BadExtension {
        /// The element at fault, as `{namespace}local`.
        element: String,
        /// What was expected of it.
        expected: String,
    },
    /// An extension of rich presence, contact information or capabilities stands where its RFC does
    /// not have it, such as activities in a tuple, or contact information in a tuple that is not of
    /// somebody else (RFC 4482, 1). Looked for in strict reading only.
    #[error("extension {element} belongs elsewhere")]
    Misplaced {
        /// The extension's name, as `{namespace}local`.
        element: String,
    },
    /// An extension that may occur once in its parent occurs again: one of rich presence without
    /// `from` and `until`, of contact information, or the capabilities of a service or device.
    /// Looked for in strict reading only.
    #[error("a second extension {element}, where one may be")]
    RepeatedExtension {
        /// The extension's name, as `{namespace}local`.
        element: String,
    },
    /// An extension has an element that must be understood and is not. Kept, but not to be used.
    /// The document is not at fault: strict reading reports this as well.
    #[error("extension {element} has to be understood and is not")]
    NotUnderstood {
        /// The extension's name, as `{namespace}local`.
        element: String,
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

/// A bound of [`PidfLimits`](super::PidfLimits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PidfLimit {
    /// Tuples.
    Tuples,
    /// Persons.
    Persons,
    /// Devices.
    Devices,
    /// Notes.
    Notes,
}

impl fmt::Display for PidfLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tuples => "tuples",
            Self::Persons => "persons",
            Self::Devices => "devices",
            Self::Notes => "notes",
        })
    }
}

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is no well-formed XML, or exceeds a bound of XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It is well-formed but no presence document.
    #[error(
        "{location}: expected the element presence of urn:ietf:params:xml:ns:pidf, found {found}"
    )]
    WrongRoot {
        /// The root element's name, as `{namespace}local`.
        found: String,
        /// Where it is.
        location: Location,
    },
    /// It has too much of something.
    #[error("{location}: more than {max} {limit}")]
    Limit {
        /// Which bound.
        limit: PidfLimit,
        /// Its value.
        max: usize,
        /// Where it is exceeded.
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
            Self::WrongRoot { location, .. } | Self::Limit { location, .. } => location,
            Self::Fault(tolerated) => &tolerated.location,
        }
    }
}

/// Why a document cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A name or character that XML does not allow.
    #[error(transparent)]
    Xml(#[from] XmlWriteError),
    /// The entity is no absolute URI.
    #[error("{entity:?} is not an absolute URI")]
    Entity {
        /// The entity.
        entity: String,
    },
    /// An id is no xs:ID: a letter or `_`, then letters, digits, `.`, `-`, `_`.
    #[error("{id:?} is not an XML id")]
    Id {
        /// The id.
        id: String,
    },
    /// Two tuples, persons or devices have the same id.
    #[error("id {id:?} is given twice")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// A value was put in that strict reading would refuse: a contact that is no absolute URI, the
    /// language of a note that is no tag. What was read so may be written.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A tuple has no status value (RFC 3863, 4.1.3).
    #[error("tuple {id:?} has no status value")]
    NoStatus {
        /// The tuple's id.
        id: String,
    },
    /// A device has no identifier (RFC 4479, 5.1.2).
    #[error("device {id:?} has no deviceID")]
    NoDeviceId {
        /// The device's id.
        id: String,
    },
    /// An element in a list of extensions belongs to what it would extend: PIDF has a field for
    /// it, or no place.
    #[error("element {local} of the namespace of PIDF or of its data model is no extension here")]
    NoExtension {
        /// Its local name.
        local: String,
    },
    /// An attribute in a list of other attributes has a field of its own.
    #[error("attribute {local} has a field of its own")]
    Attribute {
        /// Its local name.
        local: String,
    },
}
