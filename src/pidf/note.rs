//! Notes: comments for people to read.

use super::as_read::AsRead;
use super::extension::ValueError;
use super::lexical::is_language;
use crate::xml::{Attributes, trim};

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
    /// The language that it states itself (`xml:lang`, a tag of RFC 5646 of up to 35 letters); none
    /// where that of what it stands in decides ([`Presence::language`](super::Presence::language)
    /// and its like; of a note in an element of rich presence that of the element). Empty:
    /// explicitly none. Any text when read, which is written again; writing refuses what was put in
    /// and is no tag.
    pub lang: Option<String>,
    /// Attributes other than `xml:lang`.
    pub attributes: Attributes,
    as_read: AsRead,
}

impl Note {
    /// A note in no stated language.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// The note, said to be in a language. Writing the document refuses what is no language tag.
    #[must_use]
    pub fn in_language(mut self, tag: impl Into<String>) -> Self {
        self.lang = Some(tag.into());
        self
    }

    /// One that was read.
    pub(super) fn read(text: String, lang: Option<String>, attributes: Attributes) -> Self {
        let as_read = match &lang {
            Some(lang) => AsRead::unless(may_be_language(lang), lang),
            None => AsRead::default(),
        };
        Self {
            text,
            lang,
            attributes,
            as_read,
        }
    }

    /// Whether it may be written.
    pub(super) fn check(&self) -> Result<(), ValueError> {
        match &self.lang {
            Some(lang) if !may_be_language(lang) && !self.as_read.is(lang) => Err(ValueError::new(
                "xml:lang",
                lang,
                "a language tag, or empty",
            )),
            _ => Ok(()),
        }
    }
}

/// What strict reading takes as a language.
fn may_be_language(text: &str) -> bool {
    let tag = trim(text);
    tag.is_empty() || is_language(tag)
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

#[cfg(test)]
mod tests {
    use super::*;

    // PIDF-18: strict reading refuses what is no language.
    #[test]
    fn a_language_is_one_unless_it_was_read_so() {
        for (tag, good) in [
            ("en", true),
            (" de-AT\n", true),
            ("", true),
            ("en_GB", false),
            ("e n", false),
            ("a-12345678-12345678-12345678-12345678", false),
        ] {
            let note = Note::new("x").in_language(tag);
            assert_eq!(note.check().is_ok(), good, "{tag:?}");
            let mut read = Note::read("x".to_owned(), Some(tag.to_owned()), Attributes::new());
            assert_eq!(read, note);
            assert_eq!(read.check(), Ok(()), "{tag:?}");
            read.lang = Some("?".to_owned());
            assert!(read.check().is_err(), "{tag:?}");
        }
        assert_eq!(Note::new("x").check(), Ok(()));
    }
}
