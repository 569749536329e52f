//! What a device can do.

use super::{
    Description, Mobility, Support, attributes_but_language, check_foreign, is_caps, is_foreign,
    understands,
};
use crate::pidf::device::Device;
use crate::pidf::extension::{Extension, ExtensionOf, ValueError};
use crate::pidf::rpid::frame;
use crate::pidf::written::Written;
use crate::xml::{Attributes, Element, namespace};

/// Capabilities of a device (RFC 5196, 3.3).
///
/// ```
/// use presentity::pidf::caps::{Devcaps, Mobility};
/// use presentity::pidf::{Device, DeviceId};
///
/// let id = DeviceId::new("urn:uuid:2f1c5ac2-7f1b-4b6e-8a39-1d4a52a0a1c5")?;
/// let caps = Devcaps::new().with_mobility([Mobility::Mobile]);
/// let device = Device::new("handset", id).with(&caps)?;
/// assert_eq!(device.get::<Devcaps>(), Some(caps));
/// # Ok::<(), presentity::pidf::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Devcaps {
    /// What it is, in words, in as many languages as one likes.
    pub descriptions: Vec<Description>,
    /// Whether it moves about.
    pub mobility: Support<Mobility>,
    /// Elements of other namespaces, in their order.
    pub extensions: Vec<Element>,
    /// Its attributes other than `xml:lang`, which goes to what is in that language.
    pub attributes: Attributes,
    written: Written,
}

impl Devcaps {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more description.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<Description>) -> Self {
        self.descriptions.push(description.into());
        self
    }

    /// With these as ways in which it is mobile, and no others.
    #[must_use]
    pub fn with_mobility(mut self, supported: impl IntoIterator<Item = Mobility>) -> Self {
        self.mobility.supported = supported.into_iter().collect();
        self
    }

    /// With one more element of another namespace.
    #[must_use]
    pub fn with_extension(mut self, extension: Element) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Without those values of its lists that no document may carry, which a Contact may have
    /// brought in: names that RFC 5196 does not list.
    #[must_use]
    pub fn without_unlisted(mut self) -> Self {
        self.mobility.drop_unlisted("mobility");
        self
    }
}

impl Devcaps {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        let mut element = Self::empty_element();
        element.attributes = self.attributes.clone();
        for description in &self.descriptions {
            element.push_child(description.to_element()?);
        }
        self.mobility.write("mobility", &mut element)?;
        for extension in &self.extensions {
            check_foreign(extension, Self::LOCAL)?;
            element.push_child(extension.clone());
        }
        Ok(element)
    }
}

impl Extension for Devcaps {
    const NAMESPACE: &'static str = namespace::CAPS;
    const LOCAL: &'static str = "devcaps";

    fn read(element: &Element) -> Option<Self> {
        let lang = frame::lang(element);
        let mut caps = Self {
            attributes: attributes_but_language(element),
            written: Written::of(element),
            ..Self::default()
        };
        for child in element.elements() {
            if !is_caps(child.namespace()) {
                if is_foreign(child) {
                    caps.extensions.push(frame::read_foreign(child, lang));
                }
                continue;
            }
            match child.local() {
                "description" => caps.descriptions.push(Description::read(child, lang)),
                "mobility" => caps.mobility.read_first(child),
                _ => {}
            }
        }
        Some(caps)
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }

    fn understands(namespace: &str, local: &str) -> bool {
        understands(namespace, local)
    }

    fn is_named(element: &Element) -> bool {
        is_caps(element.namespace()) && element.local() == Self::LOCAL
    }
}

impl ExtensionOf<Device> for Devcaps {}

#[cfg(test)]
mod tests {
    use super::super::DRAFT_NAMESPACE;
    use super::super::fixtures::{assert_round_trip, element_of, read, written};
    use super::*;
    use crate::pidf::DeviceId;
    use crate::xml::Name;

    // PIDF-40, PIDF-45
    #[test]
    fn devices_are_read_and_written() {
        let caps: Devcaps = read(
            "<x:y/><c:mobility><c:notsupported><c:mobile/></c:notsupported></c:mobility><c:odd/>\
             <c:description xml:lang='en'>A phone</c:description><c:description>Ein Telefon\
             </c:description><c:mobility><c:supported><c:mobile/></c:supported></c:mobility>",
        );
        assert_eq!(caps.mobility.supports(&Mobility::Mobile), Some(false));
        assert_eq!(caps.mobility.supports(&Mobility::Fixed), None);
        assert_eq!(
            caps.descriptions[0],
            Description::new("A phone").in_language("en")
        );
        assert_eq!(caps.extensions, [Element::new("urn:example:x", "y")]);
        assert_round_trip(&caps);
        assert_eq!(
            written(
                &Devcaps::new()
                    .with_mobility([Mobility::Mobile])
                    .with_description("x")
            ),
            "<description>x</description><mobility><supported><mobile/></supported></mobility>"
        );
        assert_round_trip(&Devcaps::new());
    }

    // PIDF-41
    #[test]
    fn the_name_of_a_draft_is_read_and_replaced() {
        let old = element_of(
            DRAFT_NAMESPACE,
            "devcaps",
            "<c:description>x</c:description>",
        );
        let id = DeviceId::new("urn:uuid:2f1c5ac2-7f1b-4b6e-8a39-1d4a52a0a1c5").unwrap();
        let mut device = Device::new("d", id).with_extension(old);
        let caps = device.get::<Devcaps>().unwrap();
        assert_eq!(caps.descriptions, [Description::new("x")]);
        device.set(&caps).unwrap();
        assert_eq!(device.extensions.len(), 1);
        assert_eq!(device.extensions[0].namespace(), namespace::CAPS);
        assert_eq!(device.remove::<Devcaps>(), 1);
    }

    #[test]
    fn attributes_are_kept_and_own_elements_are_no_extensions() {
        let mut caps = Devcaps::new();
        caps.attributes.set(Name::new("urn:example:x", "a"), "1");
        assert_round_trip(&caps);
        for namespace in ["", namespace::CAPS, DRAFT_NAMESPACE] {
            let wrong = Devcaps::new().with_extension(Element::new(namespace, "y"));
            assert!(wrong.to_element().is_err(), "{namespace:?}");
        }
        let unlisted = Devcaps::new().with_mobility([Mobility::from("afloat"), Mobility::Fixed]);
        assert!(unlisted.to_element().is_err());
        let fit = unlisted.without_unlisted();
        assert_eq!(fit, Devcaps::new().with_mobility([Mobility::Fixed]));
        assert_round_trip(&fit);
    }
}
