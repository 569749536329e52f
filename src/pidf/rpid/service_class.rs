//! How a service delivers.

use super::{frame, values};
use crate::pidf::written::Written;
use crate::pidf::{Extension, ExtensionOf, Note, Tuple, ValueError};
use crate::xml::{Element, namespace, trim};

values::values! {
    /// One way to deliver something to somebody (RFC 4480, 3.10).
    #[derive(Default)]
    pub enum ServiceKind {
        /// By messenger.
        Courier = "courier",
        /// Over a network, as calls and messages are; what is meant when nothing is said.
        Electronic = "electronic",
        /// By a carrier of large things.
        Freight = "freight",
        /// By coming along.
        InPerson = "in-person",
        /// By mail.
        Postal = "postal",
        /// Nobody can tell.
        #[default]
        Unknown = "unknown",
    }
    foreign Foreign;
}

/// How a service delivers (RFC 4480, 3.10).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ServiceClass {
    /// The way.
    pub kind: ServiceKind,
    /// Further elements of other namespaces, in their order; only when `kind` is one.
    pub extensions: Vec<Element>,
    /// Comments (RFC 4480, 3.1). Writing refuses one with attributes, or in a language
    /// that is no tag.
    pub notes: Vec<Note>,
    written: Written,
}

impl ServiceClass {
    /// A service that delivers this way.
    pub fn new(kind: ServiceKind) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }

    /// Whether the tuple's contact has to be empty: things and visitors are not sent to a URI
    /// (RFC 4480, 3.10).
    pub fn demands_empty_contact(&self) -> bool {
        matches!(
            self.kind,
            ServiceKind::Courier
                | ServiceKind::Freight
                | ServiceKind::InPerson
                | ServiceKind::Postal
        )
    }
}

impl ServiceClass {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        let mut element = Self::empty_element();
        frame::put_notes(&mut element, &self.notes)?;
        values::put_choice(&mut element, Self::LOCAL, &self.kind, &self.extensions)?;
        Ok(element)
    }
}

impl Extension for ServiceClass {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "service-class";

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

impl ExtensionOf<Tuple> for ServiceClass {}

impl Tuple {
    /// Whether its contact is empty or missing where a class of its service demands that
    /// (RFC 4480, 3.10).
    pub fn contact_suits_service_class(&self) -> bool {
        let is_empty = |uri: &str| trim(uri).is_empty();
        self.contact
            .as_ref()
            .is_none_or(|contact| is_empty(&contact.uri))
            || !self
                .all::<ServiceClass>()
                .any(|class| class.demands_empty_contact())
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, refuses, tree, writes};
    use super::*;

    #[test]
    fn classes_are_read_and_written() {
        let class: ServiceClass = read(
            "<r:service-class><r:note>n</r:note><r:other>x</r:other><r:in-person/><x:y/>\
             </r:service-class>",
        )
        .unwrap();
        let expected = ServiceClass::new(ServiceKind::InPerson).with_note("n");
        assert_eq!(class, expected);
        writes(
            &class,
            "<r:service-class><r:note>n</r:note><r:in-person/></r:service-class>",
        );
        let foreign = ServiceKind::Foreign(tree("<x:drone/>"));
        writes(
            &ServiceClass::new(foreign),
            "<r:service-class><x:drone/></r:service-class>",
        );
        assert_eq!(
            read::<ServiceClass>("<r:service-class>postal</r:service-class>"),
            None
        );
        let nameless = ServiceKind::Foreign(tree("<all/>"));
        refuses(&ServiceClass::new(nameless));
    }

    // PIDF-37
    #[test]
    fn things_are_not_sent_to_a_uri() {
        for kind in ServiceKind::NAMED {
            let class = ServiceClass::new(kind.clone());
            let things = !matches!(kind, ServiceKind::Electronic | ServiceKind::Unknown);
            assert_eq!(class.demands_empty_contact(), things);
            let tuple = Tuple::open("a").with(&class).unwrap();
            assert!(tuple.contact_suits_service_class());
            assert!(
                tuple
                    .clone()
                    .with_contact(" ")
                    .contact_suits_service_class()
            );
            let reachable = tuple.with_contact("sip:dora@example.com");
            assert_eq!(reachable.contact_suits_service_class(), !things);
        }
    }
}
