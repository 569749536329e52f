//! Devices: what is known about a piece of equipment that services run on.

use super::extension::{Extension, ExtensionOf, ValueError};
use super::leaf::Leaf;
use super::note::Note;
use super::tuple::Tuple;
use super::uri;
use super::written::Written;
use crate::xml::{Attributes, Element, namespace, trim};

/// A piece of equipment (RFC 4479, 3.3 and 5.1). Services run on it that have its device
/// identifier in their tuples.
///
/// ```
/// use presentity::pidf::{Device, DeviceId, Presence, Tuple};
///
/// let id = DeviceId::new("urn:uuid:7c9e6679-7425-40de-944b-e07fc1f90ae7")?;
/// let document = Presence::new("sip:dora@example.com")
///     .with_tuple(Tuple::open("im").with(&id)?)
///     .with_device(Device::new("phone", id));
/// assert_eq!(document.services_of(&document.devices[0]).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Device {
    /// Tells the device from other parts of the document, of one document at least. Any text when
    /// read; writing refuses what is no xs:ID.
    pub id: String,
    /// Elements of other namespaces, in their order.
    pub extensions: Vec<Element>,
    pub(super) device_id: Option<Leaf>,
    /// Comments about the device.
    pub notes: Vec<Note>,
    pub(super) timestamp: Option<Leaf>,
    /// Attributes other than `id`.
    pub attributes: Attributes,
}

impl Device {
    /// A device of which nothing else is said yet. Writing the document refuses an id that is no xs:ID,
    /// or is given twice.
    pub fn new(id: impl Into<String>, device_id: DeviceId) -> Self {
        Self {
            id: id.into(),
            device_id: Some(Leaf::from(device_id.urn)),
            ..Self::default()
        }
    }

    /// Its identifier across documents; none when there is none or what is written is no URI.
    pub fn device_id(&self) -> Option<DeviceId> {
        let text = self.device_id_text()?;
        uri::is_absolute(text).then(|| DeviceId::of(text))
    }

    /// The identifier as it is written, whatever it is.
    pub fn device_id_text(&self) -> Option<&str> {
        self.device_id.as_ref().map(|leaf| leaf.text.as_ref())
    }

    /// Sets the identifier. Attributes of XML itself stay with its element.
    pub fn set_device_id(&mut self, device_id: DeviceId) {
        let before = self.device_id.take();
        self.device_id = Some(Leaf::after(before, device_id.urn));
    }

    /// The device with one more element of another namespace. Writing the document refuses one of
    /// PIDF or of its data model.
    #[must_use]
    pub fn with_extension(mut self, extension: Element) -> Self {
        self.extensions.push(extension);
        self
    }

    /// The device with one more note.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<Note>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// What identifies a device across documents and time: a URN (RFC 4479, 3.3). In a tuple it says
/// that the service runs on that device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceId {
    urn: String,
    written: Written,
}

impl DeviceId {
    /// An identifier, such as `urn:uuid:…`.
    ///
    /// # Errors
    ///
    /// It is no absolute URI (RFC 3986, 4.3); a fragment names no device.
    pub fn new(urn: impl Into<String>) -> Result<Self, ValueError> {
        let id = Self::of(urn);
        id.check()?;
        Ok(id)
    }

    fn check(&self) -> Result<(), ValueError> {
        if !uri::is_absolute(&self.urn) || !uri::is_uri(&self.urn) {
            let expected = "an absolute URI without a fragment";
            return Err(ValueError::new(Self::LOCAL, &self.urn, expected));
        }
        Ok(())
    }

    fn of(urn: impl Into<String>) -> Self {
        Self {
            urn: urn.into(),
            written: Written::default(),
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.urn
    }
}

impl DeviceId {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        // One that was read need not be good.
        self.check()?;
        Ok(Self::empty_element().with_text(self.urn.as_str()))
    }
}

impl Extension for DeviceId {
    const NAMESPACE: &'static str = namespace::DATA_MODEL;
    const LOCAL: &'static str = "deviceID";

    fn read(element: &Element) -> Option<Self> {
        let text = element.text();
        let text = trim(&text);
        uri::is_absolute(text).then(|| Self {
            written: Written::of(element),
            ..Self::of(text)
        })
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Tuple> for DeviceId {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pidf::schema;

    // PIDF-31: whatever a tuple takes, strict reading of it takes too.
    #[test]
    fn a_device_of_a_tuple_is_written_as_its_schema_wants_it() {
        for (urn, good) in [
            ("urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427", true),
            ("urn:example:50%25", true),
            ("http://[2001:db8::1]/", true),
            ("urn:example:50%", false),
            ("urn:example:[a]", false),
            ("urn:example:a#b", false),
            ("urn:example: a", false),
            ("example", false),
            ("", false),
        ] {
            match DeviceId::new(urn) {
                Ok(id) => {
                    assert!(good, "{urn}");
                    let element = id.to_element().unwrap();
                    assert_eq!(schema::check(&element), Ok(()), "{urn}");
                }
                Err(_) => assert!(!good, "{urn}"),
            }
        }
    }
}
