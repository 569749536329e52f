//! The presence document.

use bytes::Bytes;

use super::device::{Device, DeviceId};
use super::error::{ReadError, Tolerated, WriteError};
use super::note::Note;
use super::options::ReadOptions;
use super::person::Person;
use super::tuple::Tuple;
use super::{reader, uri, writer};
use crate::xml::{Attributes, Element, Layout};

/// A presence document: `application/pidf+xml` (RFC 3863).
///
/// What was read is kept as it was written, odd values included: typed access gives a value or
/// nothing, and only writing refuses. Elements and attributes of other namespaces are kept, in
/// order, with all they contain.
///
/// ```
/// use presentity::pidf::{Presence, Tuple};
///
/// let document = Presence::new("sip:dora@example.com")
///     .with_tuple(Tuple::open("phone").with_contact("sip:dora@example.com"))
///     .with_note("Working from home");
/// let bytes = document.write()?;
/// assert_eq!(Presence::read(&bytes)?, document);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Presence {
    /// The URI of the presentity, without white space at its ends. Any text when read; writing
    /// refuses what is no absolute URI.
    pub entity: String,
    /// Its tuples, in the order of the document.
    pub tuples: Vec<Tuple>,
    /// Comments about the presentity.
    pub notes: Vec<Note>,
    /// The presentity as a human being; more than one are different views (RFC 4479, 3.1).
    pub persons: Vec<Person>,
    /// The equipment that services run on.
    pub devices: Vec<Device>,
    /// Elements of other namespaces, in their order.
    pub extensions: Vec<Element>,
    /// Attributes other than `entity`.
    pub attributes: Attributes,
}

impl Presence {
    /// A document about `entity` that says nothing yet.
    pub fn new(entity: impl Into<String>) -> Self {
        Self {
            entity: entity.into(),
            ..Self::default()
        }
    }

    /// Reads a document with the default [`ReadOptions`]: tolerant, within bounds.
    ///
    /// # Errors
    ///
    /// The bytes are no well-formed document, its root is not `presence` of RFC 3863, or it
    /// exceeds a bound.
    pub fn read(document: &[u8]) -> Result<Self, ReadError> {
        Self::read_with(document, &ReadOptions::default()).map(|(presence, _)| presence)
    }

    /// Reads a document and tells what had to be tolerated.
    ///
    /// # Errors
    ///
    /// As for [`Presence::read`]; in strict reading whatever would have to be tolerated too.
    pub fn read_with(
        document: &[u8],
        options: &ReadOptions,
    ) -> Result<(Self, Vec<Tolerated>), ReadError> {
        reader::read(document, options)
    }

    /// Writes the document: UTF-8, elements in the order of the schema, the namespaces of all names
    /// declared at the root.
    ///
    /// [`Presence::repair`] makes writable whatever could be read.
    ///
    /// # Errors
    ///
    /// Something in it may not be sent: an entity that is no absolute URI, an id that is no
    /// xs:ID or occurs twice, a tuple without status, a name or character that XML does not allow.
    pub fn write(&self) -> Result<Bytes, WriteError> {
        self.write_as(Layout::Compact)
    }

    /// The same, laid out as asked.
    ///
    /// # Errors
    ///
    /// As for [`Presence::write`].
    pub fn write_as(&self, layout: Layout) -> Result<Bytes, WriteError> {
        writer::write(self, &self.entity, layout)
    }

    /// The same for another entity, without a copy.
    pub(crate) fn write_for(&self, entity: &str) -> Result<Bytes, WriteError> {
        writer::write(self, entity, Layout::Compact)
    }

    /// The document with one more tuple.
    #[must_use]
    pub fn with_tuple(mut self, tuple: Tuple) -> Self {
        self.tuples.push(tuple);
        self
    }

    /// The document with one more note.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<Note>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The document with one more person.
    #[must_use]
    pub fn with_person(mut self, person: Person) -> Self {
        self.persons.push(person);
        self
    }

    /// The document with one more device.
    #[must_use]
    pub fn with_device(mut self, device: Device) -> Self {
        self.devices.push(device);
        self
    }

    /// The document with one more element of another namespace.
    #[must_use]
    pub fn with_extension(mut self, extension: Element) -> Self {
        self.extensions.push(extension);
        self
    }

    /// The entity, when it is an absolute URI and nothing else.
    pub fn entity_uri(&self) -> Option<&str> {
        uri::is_absolute(&self.entity).then_some(self.entity.as_str())
    }

    /// The first tuple with this id.
    pub fn tuple(&self, id: &str) -> Option<&Tuple> {
        self.tuples.iter().find(|tuple| tuple.id == id)
    }

    /// The first person with this id.
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.persons.iter().find(|person| person.id == id)
    }

    /// The first device with this id.
    pub fn device(&self, id: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.id == id)
    }

    /// The tuples of services that run on the device, in their order.
    ///
    /// This looks at every tuple of the document: whoever asks about many devices asks a
    /// [`DeviceIndex`](super::DeviceIndex).
    pub fn services_of(&self, device: &Device) -> impl Iterator<Item = &Tuple> {
        let device = device.device_id();
        self.tuples.iter().filter(move |tuple| {
            let device = device.as_ref();
            device.is_some_and(|device| tuple.all::<DeviceId>().any(|id| id == *device))
        })
    }

    /// The notes that apply to a person: its own, or those of the document when it has none
    /// (RFC 4479, 5).
    pub fn notes_of<'a>(&'a self, person: &'a Person) -> &'a [Note] {
        if person.notes.is_empty() {
            &self.notes
        } else {
            &person.notes
        }
    }

    /// The tuples by the priority of their contacts, highest first; equal ones keep their order
    /// (RFC 3863, 4.1.5).
    pub fn tuples_by_priority(&self) -> Vec<&Tuple> {
        let mut tuples: Vec<&Tuple> = self.tuples.iter().collect();
        tuples.sort_by_key(|tuple| core::cmp::Reverse(tuple.priority()));
        tuples
    }

    /// Every extension of the document and its parts, in the order in which they are written.
    pub fn extensions_of_all(&self) -> impl Iterator<Item = &Element> {
        let tuples = self.tuples.iter();
        let tuples = tuples.flat_map(|it| it.status.extensions.iter().chain(&it.extensions));
        let persons = self.persons.iter().flat_map(|it| &it.extensions);
        let devices = self.devices.iter().flat_map(|it| &it.extensions);
        tuples.chain(persons).chain(devices).chain(&self.extensions)
    }

    /// The newest of the tuples' timestamps.
    pub fn newest_timestamp(&self) -> Option<time::OffsetDateTime> {
        self.tuples.iter().filter_map(Tuple::timestamp).max()
    }
}
