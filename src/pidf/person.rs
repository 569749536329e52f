//! Persons: what is known about the presentity as a human being.

use super::leaf::Leaf;
use super::note::Note;
use crate::xml::{Attributes, Element};

/// The presentity as a human being, or as a group of them (RFC 4479, 3.1 and 5.1).
///
/// A document should have one; several are different views of the same presentity.
///
/// ```
/// use presentity::pidf::{Person, Presence};
///
/// let dora = Person::new("dora").with_note("Back at noon");
/// let document = Presence::new("sip:dora@example.com").with_person(dora);
/// let bytes = document.write()?;
/// assert_eq!(Presence::read(&bytes)?.persons[0].notes[0].text, "Back at noon");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Person {
    /// Tells the person from other parts of the document. Any text when read; writing refuses
    /// what is no xs:ID.
    pub id: String,
    /// Elements of other namespaces, such as activities and moods, in their order.
    pub extensions: Vec<Element>,
    /// Comments about the person.
    pub notes: Vec<Note>,
    pub(super) timestamp: Option<Leaf>,
    /// Attributes other than `id`.
    pub attributes: Attributes,
}

impl Person {
    /// A person of whom nothing is said yet.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }

    /// The person with one more element of another namespace. Writing the document refuses one of
    /// PIDF or of its data model.
    #[must_use]
    pub fn with_extension(mut self, extension: Element) -> Self {
        self.extensions.push(extension);
        self
    }

    /// The person with one more note.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<Note>) -> Self {
        self.notes.push(note.into());
        self
    }
}
