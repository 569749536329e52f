//! Notes: comments for people to read.

use crate::xml::Attributes;

/// A comment about the presentity or about a tuple (RFC 3863, 4.1.6).
///
/// ```
/// use presentity::pidf::Note;
///
/// let note = Note::new("Back at noon").in_language("en");
/// assert_eq!(note.lang.as_deref(), Some("en"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Note {
    /// The comment, white space and all.
    pub text: String,
    /// The language that it states itself (`xml:lang`, a tag of RFC 5646); none where that of what
    /// it stands in decides ([`Presence::language`](super::Presence::language) and its like; of a
    /// note in an element of rich presence that of the element). Empty: explicitly none.
    pub lang: Option<String>,
    /// Attributes other than `xml:lang`.
    pub attributes: Attributes,
}

impl Note {
    /// A note in no stated language.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// The note, said to be in a language.
    #[must_use]
    pub fn in_language(mut self, tag: impl Into<String>) -> Self {
        self.lang = Some(tag.into());
        self
    }
}

impl From<&str> for Note {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Note {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
