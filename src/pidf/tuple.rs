//! Tuples: what is known about one means of communication.

use super::contact::{Contact, Priority};
use super::leaf::Leaf;
use super::note::Note;
use crate::xml::{Attributes, Element};

/// One segment of presence information, in practice a service (RFC 3863, 4.1.2; RFC 4479, 3.2).
///
/// ```
/// use presentity::pidf::{Basic, Tuple};
///
/// let tuple = Tuple::open("phone").with_contact("sip:dora@example.com").with_note("At my desk");
/// assert_eq!(tuple.status.basic(), Some(Basic::Open));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tuple {
    /// Tells the tuple from others of the presentity. Any text when read; writing refuses what is no
    /// xs:ID, or is the id of something else in the document.
    pub id: String,
    /// Its status values. Writing refuses none at all.
    pub status: Status,
    /// Elements of other namespaces, in their order.
    pub extensions: Vec<Element>,
    /// The communication address.
    pub contact: Option<Contact>,
    /// Comments about this tuple.
    pub notes: Vec<Note>,
    pub(super) timestamp: Option<Leaf>,
    /// Attributes other than `id`.
    pub attributes: Attributes,
}

impl Tuple {
    /// A tuple without any status value yet, which cannot be written.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }

    /// A tuple whose basic status is open.
    pub fn open(id: impl Into<String>) -> Self {
        Self::new(id).with_basic(Basic::Open)
    }

    /// A tuple whose basic status is closed.
    pub fn closed(id: impl Into<String>) -> Self {
        Self::new(id).with_basic(Basic::Closed)
    }

    /// The tuple with this basic status.
    #[must_use]
    pub fn with_basic(mut self, basic: Basic) -> Self {
        self.status.set_basic(Some(basic));
        self
    }

    /// The tuple with an element of another namespace in its status (RFC 3863, 4.1.3). Writing the
    /// document refuses one of PIDF.
    #[must_use]
    pub fn with_status_extension(mut self, extension: Element) -> Self {
        self.status.extensions.push(extension);
        self
    }

    /// The tuple with one more element of another namespace. Writing the document refuses one of
    /// PIDF.
    #[must_use]
    pub fn with_extension(mut self, extension: Element) -> Self {
        self.extensions.push(extension);
        self
    }

    /// The tuple with this address. Writing the document refuses one that is neither an absolute URI
    /// nor empty.
    #[must_use]
    pub fn with_contact(mut self, contact: impl Into<Contact>) -> Self {
        self.contact = Some(contact.into());
        self
    }

    /// The tuple with one more note.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<Note>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The priority of its contact: the lowest when there is none (RFC 3863, 4.1.5).
    pub fn priority(&self) -> Priority {
        let contact = self.contact.as_ref();
        contact
            .and_then(Contact::priority)
            .unwrap_or(Priority::LOWEST)
    }
}

/// The status values of a tuple (RFC 3863, 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Status {
    pub(super) basic: Option<Leaf>,
    /// Status values of other namespaces, in their order.
    pub extensions: Vec<Element>,
    /// Attributes of the status element.
    pub attributes: Attributes,
}

impl Status {
    /// The basic status; none when it is not given or is neither `open` nor `closed`.
    pub fn basic(&self) -> Option<Basic> {
        Basic::from_name(self.basic_text()?)
    }

    /// The basic status as it is written, whatever it is.
    pub fn basic_text(&self) -> Option<&str> {
        self.basic.as_ref().map(|leaf| leaf.text.as_ref())
    }

    /// Sets or removes the basic status. Attributes of XML itself stay with its element.
    pub fn set_basic(&mut self, basic: Option<Basic>) {
        let before = self.basic.take();
        self.basic = basic.map(|basic| Leaf::after(before, basic.as_str()));
    }

    /// Whether it has no status value at all, which no document should have.
    pub fn is_empty(&self) -> bool {
        self.basic.is_none() && self.extensions.is_empty()
    }
}

/// Availability in its simplest form (RFC 3863, 4.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "extensions may not change the basic status, RFC 3863 section 4.2"
)]
pub enum Basic {
    /// Ready to communicate.
    Open,
    /// Not able to communicate.
    Closed,
}

impl Basic {
    /// Both of them.
    pub const NAMED: &'static [Self] = &[Self::Open, Self::Closed];

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "open" => Some(Self::Open),
            "closed" => Some(Self::Closed),
            _ => None,
        }
    }

    /// As it is written in a document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}
