//! What bystanders are unlikely to hear or see.

use time::OffsetDateTime;

use super::frame;
use crate::pidf::written::Written;
use crate::pidf::{Extension, ExtensionOf, Note, Person, Tuple, ValueError};
use crate::xml::{Attributes, Element, namespace};

/// Which kinds of communication those around somebody are unlikely to overhear or oversee
/// (RFC 4480, 3.8). It says nothing about encryption or the network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Privacy {
    /// Nobody can tell. Writing refuses it together with any of the others.
    pub unknown: bool,
    /// What is spoken.
    pub audio: bool,
    /// What is written.
    pub text: bool,
    /// What is shown.
    pub video: bool,
    /// Kinds of other namespaces, in their order.
    pub extensions: Vec<Element>,
    /// Comments (RFC 4480, 3.1). Writing refuses one with attributes, or in a language
    /// that is no tag.
    pub notes: Vec<Note>,
    /// From when it is so (RFC 4480, 3.1); none: ever since. Writing refuses a year that in UTC is not
    /// of 1 to 9999.
    pub from: Option<OffsetDateTime>,
    /// Until when it is so, that moment itself excluded; none: for good. Writing refuses the same
    /// years, and what is before `from`.
    pub until: Option<OffsetDateTime>,
    /// Its id, unique in the document (RFC 4480, 3.1). Any text when read; writing refuses what is no
    /// xs:ID.
    pub id: Option<String>,
    /// Attributes other than these and `xml:lang`, which writing refuses here.
    pub attributes: Attributes,
    pub(super) written: Written,
}

impl Privacy {
    /// Nothing is private, until more is said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nobody can tell what is private.
    pub fn unknown() -> Self {
        Self {
            unknown: true,
            ..Self::default()
        }
    }

    /// The same where what is spoken is private.
    #[must_use]
    pub fn with_audio(mut self) -> Self {
        self.audio = true;
        self
    }

    /// The same where what is written is private.
    #[must_use]
    pub fn with_text(mut self) -> Self {
        self.text = true;
        self
    }

    /// The same where what is shown is private.
    #[must_use]
    pub fn with_video(mut self) -> Self {
        self.video = true;
        self
    }

    fn says_something(&self) -> bool {
        self.audio || self.text || self.video || !self.extensions.is_empty()
    }
}

impl Privacy {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        if self.unknown && self.says_something() {
            let expected = "a value that others stand beside";
            return Err(ValueError::new(Self::LOCAL, "unknown", expected));
        }
        let mut element = self.with_attributes()?;
        frame::put_notes(&mut element, &self.notes)?;
        for (said, local) in [
            (self.unknown, "unknown"),
            (self.audio, "audio"),
            (self.text, "text"),
            (self.video, "video"),
        ] {
            if said {
                element.push_child(Element::new(namespace::RPID, local));
            }
        }
        for more in &self.extensions {
            element.push_child(frame::put_foreign(Self::LOCAL, more)?);
        }
        Ok(element)
    }
}

impl Extension for Privacy {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "privacy";

    fn read(element: &Element) -> Option<Self> {
        let mut privacy = Self::read_attributes(element);
        privacy.notes = frame::read_notes(element);
        let lang = frame::lang(element);
        for child in element.elements() {
            match (child.namespace(), child.local()) {
                (namespace::RPID, "unknown") => privacy.unknown = true,
                (namespace::RPID, "audio") => privacy.audio = true,
                (namespace::RPID, "text") => privacy.text = true,
                (namespace::RPID, "video") => privacy.video = true,
                (namespace::RPID | "", _) => {}
                _ => privacy.extensions.push(frame::read_foreign(child, lang)),
            }
        }
        privacy.unknown = privacy.unknown && !privacy.says_something();
        Some(privacy)
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Person> for Privacy {}
impl ExtensionOf<Tuple> for Privacy {}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, refuses, writes};
    use super::*;

    #[test]
    fn privacy_is_read_and_written() {
        let privacy: Privacy = read(
            "<r:privacy><x:smell/><r:video/><r:unknown/><r:audio/><r:audio/><r:note>n</r:note>\
             <all/><r:zesty/></r:privacy>",
        )
        .unwrap();
        assert!(privacy.audio && !privacy.text && privacy.video && !privacy.unknown);
        writes(
            &privacy.with_text(),
            "<r:privacy><r:note>n</r:note><r:audio/><r:text/><r:video/><x:smell/></r:privacy>",
        );
        writes(&Privacy::unknown(), "<r:privacy><r:unknown/></r:privacy>");
        writes(&Privacy::new(), "<r:privacy/>");
    }

    #[test]
    fn unknown_stands_alone() {
        refuses(&Privacy::unknown().with_audio());
        refuses(&Privacy::unknown().with_video());
        let mut odd = Privacy::new();
        odd.extensions.push(Element::new(namespace::RPID, "smell"));
        refuses(&odd);
    }
}
