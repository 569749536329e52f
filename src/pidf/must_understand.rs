//! Extensions that are useless unless all of them is understood (RFC 3863, 4.2.3).

use super::{lexical, schema};
use crate::xml::{Element, Name, namespace};

/// Which extension elements somebody understands.
///
/// An element inside an extension may be marked with `mustUnderstand` in the namespace of PIDF.
/// Who does not understand such an element may not use the extension around it, though the rest
/// of the document stands. Elements that are not understood and not marked are passed over, with
/// all they contain; marks inside them mean nothing.
///
/// Documents keep such extensions all the same, since a server that relays them need not
/// understand them. [`Presence::read_with`](super::Presence::read_with) reports those that its caller
/// may not use. Typed access gives no value for an extension of which the type itself has not
/// understood what it must ([`Extension::understands`](super::Extension::understands)); a caller who
/// looks at more than the type asks by `get_with` and `all_with` and says what it understands.
///
/// ```
/// use presentity::pidf::Understood;
///
/// let understood = Understood::core().with_namespace("urn:example:mood");
/// assert!(understood.contains("urn:example:mood", "anything"));
/// assert!(!understood.contains("urn:example:other", "anything"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understood {
    /// Everything that this crate has types for.
    standard: bool,
    namespaces: Vec<String>,
    names: Vec<(String, String)>,
}

/// What [`Understood::standard`] stands for.
const STANDARD: [&str; 6] = [
    namespace::DATA_MODEL,
    namespace::RPID,
    namespace::CIPID,
    namespace::CAPS,
    namespace::LOCATION_TYPE,
    namespace::CERTS,
];

/// The same as [`Understood::standard`].
impl Default for Understood {
    fn default() -> Self {
        Self::standard()
    }
}

impl Understood {
    /// Nothing but the elements of RFC 3863 itself.
    pub const fn core() -> Self {
        Self {
            standard: false,
            namespaces: Vec::new(),
            names: Vec::new(),
        }
    }

    /// All that this crate has types for: the elements of the data model, rich presence, contact
    /// information, capabilities and `certs` (RFC 4479, 4480, 4482, 5196), and whatever location
    /// types there are (RFC 4589). Names that those namespaces do not have are not understood.
    pub const fn standard() -> Self {
        Self {
            standard: true,
            namespaces: Vec::new(),
            names: Vec::new(),
        }
    }

    /// And every element of this namespace.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespaces.push(namespace.into());
        self
    }

    /// And this element, for a namespace that is understood in part.
    #[must_use]
    pub fn with_element(mut self, namespace: impl Into<String>, local: impl Into<String>) -> Self {
        self.names.push((namespace.into(), local.into()));
        self
    }

    /// Whether an element of this name is understood.
    pub fn contains(&self, namespace: &str, local: &str) -> bool {
        namespace == namespace::PIDF
            || (self.standard
                && STANDARD.contains(&namespace)
                && schema::has_element(namespace, local))
            || self.namespaces.iter().any(|known| known == namespace)
            || self
                .names
                .iter()
                .any(|(known, name)| known == namespace && name == local)
    }

    /// Whether nothing in the extension has to be understood that is not.
    pub fn may_use(&self, extension: &Element) -> bool {
        self.obstacle(extension).is_none()
    }

    /// The first element that has to be understood and is not: each number says how many child
    /// elements to pass over on the way there.
    pub(super) fn obstacle(&self, extension: &Element) -> Option<Vec<usize>> {
        if !has_mark(extension) {
            return None;
        }
        let mut way = obstacle(extension, &|namespace: &str, local: &str| {
            self.contains(namespace, local)
        })?;
        way.reverse();
        Some(way)
    }

    /// Whether it may be used by whoever understands what the function says, beside PIDF itself.
    pub(super) fn may_use_by(
        extension: &Element,
        understands: &impl Fn(&str, &str) -> bool,
    ) -> bool {
        !has_mark(extension) || obstacle(extension, understands).is_none()
    }

    /// Marks an element that whoever does not understand it may not use the extension around it.
    ///
    /// It belongs on elements inside optional extensions of a status (RFC 3863, 4.2.3).
    pub fn require(element: &mut Element) {
        let name = Name::new(namespace::PIDF, "mustUnderstand");
        element.attributes.set(name, "true");
    }
}

/// The way to the first obstacle, from its end.
fn obstacle(element: &Element, understands: &impl Fn(&str, &str) -> bool) -> Option<Vec<usize>> {
    // Extensions that were read are nested no deeper than the reader's bound.
    let (namespace, local) = (element.namespace(), element.local());
    if namespace != namespace::PIDF && !understands(namespace, local) {
        return must_be_understood(element).then(Vec::new);
    }
    element.elements().enumerate().find_map(|(number, child)| {
        let mut way = obstacle(child, understands)?;
        way.push(number);
        Some(way)
    })
}

/// Whether anything in it has to be understood: rarely, and told faster than what is.
fn has_mark(element: &Element) -> bool {
    must_be_understood(element) || element.elements().any(has_mark)
}

fn must_be_understood(element: &Element) -> bool {
    let mark = element.attributes.get(namespace::PIDF, "mustUnderstand");
    mark.and_then(lexical::boolean) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::XmlLimits;

    fn extension(inside: &str) -> Element {
        let document = format!(
            "<x:outer xmlns:x='urn:example:x' xmlns:y='urn:example:y' \
             xmlns:p='urn:ietf:params:xml:ns:pidf'>{inside}</x:outer>"
        );
        Element::read(document.as_bytes(), &XmlLimits::default()).unwrap()
    }

    // PIDF-24
    #[test]
    fn a_marked_element_spoils_the_extension_around_it() {
        let x = Understood::core().with_namespace("urn:example:x");
        let both = x.clone().with_namespace("urn:example:y");
        let marked = extension("<x:a/><y:b p:mustUnderstand='1'/>");
        assert!(!x.may_use(&marked));
        assert!(both.may_use(&marked));
        let deep = extension("<x:a><x:b><y:c p:mustUnderstand='true'/></x:b></x:a>");
        assert!(!x.may_use(&deep));
        assert!(both.may_use(&deep));
        let one = x.clone().with_element("urn:example:y", "c");
        assert!(one.may_use(&deep));
        assert!(!one.may_use(&marked));
    }

    // PIDF-24: nobody can understand what a namespace does not have.
    #[test]
    fn names_that_known_namespaces_do_not_have_are_not_understood() {
        let standard = Understood::standard();
        for (namespace, known) in [
            (namespace::DATA_MODEL, &["person", "deviceID", "note"][..]),
            (
                namespace::RPID,
                &["mood", "note", "in_awe", "other", "toobright"],
            ),
            (namespace::CIPID, &["card", "display-name"]),
            (
                namespace::CAPS,
                &["servcaps", "methods", "notsupported", "BYE", "l"],
            ),
            (namespace::CERTS, &["certs"]),
            (namespace::LOCATION_TYPE, &["bus", "zesty"]),
        ] {
            for local in known {
                assert!(standard.contains(namespace, local), "{namespace} {local}");
            }
            let zesty = standard.contains(namespace, "zesty");
            assert_eq!(zesty, namespace == namespace::LOCATION_TYPE, "{namespace}");
        }
        let marked = |local: &str| {
            let mut value = Element::new(namespace::RPID, local);
            Understood::require(&mut value);
            Element::new(namespace::RPID, "mood").with_child(value)
        };
        assert!(standard.may_use(&marked("happy")));
        assert!(!standard.may_use(&marked("zesty")));
        let more = standard.with_element(namespace::RPID, "zesty");
        assert!(more.may_use(&marked("zesty")));
    }

    // PIDF-24
    #[test]
    fn marks_that_mean_nothing() {
        let x = Understood::core().with_namespace("urn:example:x");
        for inside in [
            "<y:a/>",
            "<y:a><y:b p:mustUnderstand='1'/></y:a>",
            "<y:a p:mustUnderstand='0'/>",
            "<y:a p:mustUnderstand='false'/>",
            "<y:a p:mustUnderstand='yes'/>",
            "<y:a mustUnderstand='1'/>",
            "<y:a x:mustUnderstand='1'/>",
            "<x:a p:mustUnderstand='1'/>",
            "<p:note p:mustUnderstand='1'/>",
        ] {
            assert!(x.may_use(&extension(inside)), "{inside}");
        }
    }
}
