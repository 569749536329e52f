//! What user agents can do: the capabilities of services and devices (RFC 5196).
//!
//! [`Servcaps`] stands in a [`Tuple`](super::Tuple) and tells what a service can do, [`Devcaps`]
//! stands in a [`Device`](super::Device). A capability that is not there is not known: absence
//! says nothing (RFC 4479, 3.6). What is there is a hint and replaces no negotiation; it may have
//! been filtered, or have lost parts on its way (RFC 5196, 1.2 and 4).
//!
//! ```
//! use presentity::pidf::Tuple;
//! use presentity::pidf::caps::{Method, Servcaps};
//!
//! let caps = Servcaps::new()
//!     .with_audio(true)
//!     .with_methods([Method::Invite, Method::Message])
//!     .with_type("application/pidf+xml");
//! let tuple = Tuple::open("phone").with(&caps)?;
//!
//! let caps = tuple.get::<Servcaps>().unwrap_or_default();
//! assert_eq!(caps.audio, Some(true));
//! assert_eq!(caps.video, None);
//! assert_eq!(caps.methods.supports(&Method::Message), Some(true));
//! assert_eq!(caps.methods.supports(&Method::Refer), None);
//! # Ok::<(), presentity::pidf::ValueError>(())
//! ```
//!
//! The same can be said by parameters of a SIP Contact (RFC 3840): [`from_feature_parameters`]
//! and [`to_feature_parameters`] go from one to the other.
//!
//! Elements of the namespace of an older draft, `urn:ietf:params:xml:ns:pidf:servcaps`, are read
//! as those of RFC 5196, which are the only ones written.

mod description;
mod devcaps;
mod feature_parameters;
mod priority;
mod servcaps;
mod support;
mod values;

pub use description::Description;
pub use devcaps::Devcaps;
pub use feature_parameters::{from_feature_parameters, to_feature_parameters};
pub use priority::PriorityRange;
pub use servcaps::Servcaps;
pub use support::{Capability, Support};
pub use values::{Actor, ClassOfUse, Duplex, EventPackage, Method, Mobility, OptionTag};

use super::extension::ValueError;
use super::schema;
use crate::xml::{Attributes, Element, namespace};

/// The namespace of an intermediate draft, still sent by deployed products.
const DRAFT_NAMESPACE: &str = "urn:ietf:params:xml:ns:pidf:servcaps";

/// Whether the namespace is that of capabilities, by its name of today or of a draft.
pub(super) fn is_caps(namespace: &str) -> bool {
    matches!(namespace, namespace::CAPS | DRAFT_NAMESPACE)
}

/// Whether it is an element of capabilities, under one of the names that they have.
pub(super) fn understands(namespace: &str, local: &str) -> bool {
    is_caps(namespace) && schema::has_element(namespace::CAPS, local)
}

/// The attributes of an element whose language goes to what it holds.
fn attributes_but_language(element: &Element) -> Attributes {
    let mut attributes = element.attributes.clone();
    attributes.remove(namespace::XML, "lang");
    attributes
}

/// Whether the schema lets the element stand where it allows those of other namespaces.
fn is_foreign(element: &Element) -> bool {
    !element.namespace().is_empty() && !is_caps(element.namespace())
}

/// The same as a check before writing: no element but one of another namespace.
fn check_foreign(element: &Element, parent: &'static str) -> Result<(), ValueError> {
    if is_foreign(element) {
        return Ok(());
    }
    let name = element.name().to_string();
    Err(ValueError::new(
        parent,
        &name,
        "an element of another namespace",
    ))
}

/// An empty element of the namespace of capabilities.
fn named(local: &str) -> Element {
    Element::new(namespace::CAPS, local)
}

#[cfg(test)]
mod fixtures {
    use crate::pidf::Extension;
    use crate::xml::{Element, XmlLimits};

    /// What stands in an element of capabilities, in a tree; `c` is their prefix and `x` another.
    pub(super) fn element(local: &str, content: &str) -> Element {
        element_of("urn:ietf:params:xml:ns:pidf:caps", local, content)
    }

    pub(super) fn element_of(namespace: &str, local: &str, content: &str) -> Element {
        let document = format!(
            "<c:{local} xmlns:c='{namespace}' xmlns:x='urn:example:x'>{content}</c:{local}>"
        );
        Element::read(document.as_bytes(), &XmlLimits::default()).unwrap()
    }

    pub(super) fn read<T: Extension>(content: &str) -> T {
        T::read(&element(T::LOCAL, content)).unwrap()
    }

    /// The value survives being written to bytes and read again.
    pub(super) fn assert_round_trip<T: Extension + PartialEq + core::fmt::Debug>(value: &T) {
        let bytes = value.to_element().unwrap().write().unwrap();
        let again = Element::read(&bytes, &XmlLimits::default()).unwrap();
        assert_eq!(T::read(&again).as_ref(), Some(value));
    }

    /// The element as text, without the declarations around it.
    pub(super) fn written<T: Extension>(value: &T) -> String {
        let bytes = value.to_element().unwrap().write().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (_, root) = text.split_once("?>").unwrap();
        let (_, rest) = root.split_once('>').unwrap();
        let content = rest.rsplit_once("</").map_or("", |(content, _)| content);
        content.replace("caps:", "")
    }
}
