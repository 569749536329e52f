//! Whom a service reaches.

use super::{frame, values};
use crate::pidf::written::Written;
use crate::pidf::{Extension, ExtensionOf, Note, Tuple, ValueError};
use crate::xml::{Element, namespace};

values::values! {
    /// Who somebody is to the presentity (RFC 4480, 3.9).
    #[derive(Default)]
    pub enum RelationshipKind {
        /// An assistant.
        Assistant = "assistant",
        /// A colleague or the like.
        Associate = "associate",
        /// One of the family.
        Family = "family",
        /// A friend.
        Friend = "friend",
        /// The presentity itself.
        Oneself = "self",
        /// A supervisor.
        Supervisor = "supervisor",
        /// Nobody can tell.
        #[default]
        Unknown = "unknown",
    }
    text Other;
    foreign Foreign;
}

/// Who answers at a service, seen from the presentity (RFC 4480, 3.9). A tuple without it is
/// about the presentity itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Relationship {
    /// Who it is.
    pub kind: RelationshipKind,
    /// Further elements of other namespaces, in their order; only when `kind` is one.
    pub extensions: Vec<Element>,
    /// Comments (RFC 4480, 3.1). Writing refuses one with attributes, or in a language
    /// that is no tag.
    pub notes: Vec<Note>,
    written: Written,
}

impl Relationship {
    /// Somebody of this kind.
    pub fn new(kind: RelationshipKind) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }
}

impl Relationship {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        let mut element = Self::empty_element();
        frame::put_notes(&mut element, &self.notes)?;
        values::put_choice(&mut element, Self::LOCAL, &self.kind, &self.extensions)?;
        Ok(element)
    }
}

impl Extension for Relationship {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "relationship";

    fn read(element: &Element) -> Option<Self> {
        let (kind, extensions) = values::read_choice(element)?;
        let notes = frame::read_notes(element);
        Some(Self {
            kind,
            extensions,
            notes,
            written: Written::of(element),
        })
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Tuple> for Relationship {}

impl Tuple {
    /// Whether it says that the service reaches somebody other than the presentity itself.
    pub(in crate::pidf) fn is_of_somebody_else(&self) -> bool {
        self.all::<Relationship>()
            .any(|relationship| relationship.kind != RelationshipKind::Oneself)
    }
}

impl Tuple {
    /// Whether it says that it reaches somebody other than the presentity (RFC 4480, 3.9).
    /// Contact information may stand in such a tuple only (RFC 4482, 1).
    pub fn is_about_another(&self) -> bool {
        self.get::<Relationship>()
            .is_some_and(|relationship| relationship.kind != RelationshipKind::Oneself)
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, refuses, tree, writes};
    use super::*;

    #[test]
    fn relationships_are_read_and_written() {
        let read: Relationship = read(
            "<r:relationship id='no' from='2026-03-01T09:00:00Z' xml:lang='de'><r:boss/>\
             <r:note>n</r:note><r:other>Nachbarin</r:other><r:friend/><x:y/></r:relationship>",
        )
        .unwrap();
        assert_eq!(
            read.kind,
            RelationshipKind::other(Note::new("Nachbarin").in_language("de"))
        );
        writes(
            &read,
            "<r:relationship><r:note xml:lang='de'>n</r:note>\
             <r:other xml:lang='de'>Nachbarin</r:other></r:relationship>",
        );
        let friend = Relationship::new(RelationshipKind::Friend).with_note("n");
        writes(
            &friend,
            "<r:relationship><r:note>n</r:note><r:friend/></r:relationship>",
        );
    }

    #[test]
    fn elements_of_other_namespaces_stand_together() {
        let mut read: Relationship =
            read("<r:relationship><x:a/><r:friend/><x:b/><all/></r:relationship>").unwrap();
        assert_eq!(read.kind.as_str(), "a");
        writes(&read, "<r:relationship><x:a/><x:b/></r:relationship>");
        read.kind = RelationshipKind::Friend;
        assert_eq!(
            refuses(&read),
            "relationship: \"friend\" is not a value that others stand beside"
        );
    }

    #[test]
    fn what_says_nothing() {
        for nothing in [
            "<r:relationship/>",
            "<r:relationship>friend</r:relationship>",
            "<r:relationship><r:boss/></r:relationship>",
        ] {
            assert_eq!(read::<Relationship>(nothing), None);
        }
    }

    // PIDF-38
    #[test]
    fn whom_a_tuple_is_about() {
        let tuple = Tuple::open("im");
        assert!(!tuple.is_about_another());
        for (inside, other) in [
            ("<r:self/>", false),
            ("<r:assistant/>", true),
            ("<r:unknown/>", true),
            ("<x:y/>", true),
            ("", false),
        ] {
            let element = tree(&format!("<r:relationship>{inside}</r:relationship>"));
            let tuple = tuple.clone().with_extension(element);
            assert_eq!(tuple.is_about_another(), other, "{inside}");
        }
    }
}
