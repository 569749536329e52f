//! Writes documents, in the order of the schemas (RFC 3863, 4.4; RFC 4479, 5.1).

use bytes::Bytes;

use super::contact::Contact;
use super::device::Device;
use super::error::WriteError;
use super::leaf::Leaf;
use super::note::Note;
use super::person::Person;
use super::presence::Presence;
use super::tuple::Tuple;
use super::uri;
use crate::xml::{
    Attributes, Element, Layout, NamespaceId, Prefixes, Writer, excerpt, is_nc_name, namespace,
};

/// Writes a document for this entity, whatever it has itself.
pub(super) fn write(
    presence: &Presence,
    entity: &str,
    layout: Layout,
) -> Result<Bytes, WriteError> {
    if !uri::is_absolute(entity) {
        return Err(WriteError::Entity {
            entity: excerpt(entity),
        });
    }
    check_ids(presence)?;
    let mut prefixes = Prefixes::new(namespace::PIDF);
    collect(presence, &mut prefixes)?;
    prefixes.assign();
    /// What a tuple takes with an address, a note and a time.
    const OF_A_TUPLE: usize = 320;
    let parts = [
        presence.tuples.len(),
        presence.persons.len(),
        presence.devices.len(),
    ];
    let parts: usize = parts.iter().sum();
    let size = parts.saturating_mul(OF_A_TUPLE).saturating_add(512);
    let mut sheet = Sheet {
        xml: Writer::new(prefixes, size, layout),
    };
    sheet.presence(presence, entity)?;
    Ok(sheet.xml.finish())
}

/// Namespaces in the order in which their names will be written.
fn collect<'m>(presence: &'m Presence, prefixes: &mut Prefixes<'m>) -> Result<(), WriteError> {
    prefixes.collect_attributes(&presence.attributes)?;
    for tuple in &presence.tuples {
        prefixes.collect_attributes(&tuple.attributes)?;
        let status = &tuple.status;
        prefixes.collect_attributes(&status.attributes)?;
        collect_leaf(status.basic.as_ref(), prefixes)?;
        collect_extensions(&status.extensions, false, prefixes)?;
        collect_extensions(&tuple.extensions, false, prefixes)?;
        if let Some(contact) = &tuple.contact {
            prefixes.collect_attributes(&contact.attributes)?;
        }
        collect_notes(&tuple.notes, prefixes)?;
        collect_leaf(tuple.timestamp.as_ref(), prefixes)?;
    }
    collect_notes(&presence.notes, prefixes)?;
    for person in &presence.persons {
        prefixes.collect_known(NamespaceId::DATA_MODEL);
        prefixes.collect_attributes(&person.attributes)?;
        collect_extensions(&person.extensions, true, prefixes)?;
        collect_notes(&person.notes, prefixes)?;
        collect_leaf(person.timestamp.as_ref(), prefixes)?;
    }
    for device in &presence.devices {
        prefixes.collect_known(NamespaceId::DATA_MODEL);
        prefixes.collect_attributes(&device.attributes)?;
        collect_extensions(&device.extensions, true, prefixes)?;
        collect_leaf(device.device_id.as_ref(), prefixes)?;
        collect_notes(&device.notes, prefixes)?;
        collect_leaf(device.timestamp.as_ref(), prefixes)?;
    }
    for extension in &presence.extensions {
        // It has a list of its own, where a reader would put it.
        if matches!(extension.local(), "person" | "device")
            && extension.namespace() == namespace::DATA_MODEL
        {
            return Err(no_extension(extension));
        }
    }
    collect_extensions(&presence.extensions, false, prefixes)
}

fn collect_leaf<'m>(leaf: Option<&'m Leaf>, prefixes: &mut Prefixes<'m>) -> Result<(), WriteError> {
    if let Some(leaf) = leaf {
        prefixes.collect_attributes(&leaf.attributes)?;
    }
    Ok(())
}

fn collect_notes<'m>(notes: &'m [Note], prefixes: &mut Prefixes<'m>) -> Result<(), WriteError> {
    for note in notes {
        prefixes.collect_attributes(&note.attributes)?;
    }
    Ok(())
}

/// Refuses what a reader would take for something else, or leave out: elements of PIDF, and in
/// parts of the data model those of the model.
fn collect_extensions<'m>(
    extensions: &'m [Element],
    in_model: bool,
    prefixes: &mut Prefixes<'m>,
) -> Result<(), WriteError> {
    for extension in extensions {
        match extension.namespace() {
            namespace::PIDF => return Err(no_extension(extension)),
            namespace::DATA_MODEL if in_model => return Err(no_extension(extension)),
            _ => prefixes.collect(extension)?,
        }
    }
    Ok(())
}

fn no_extension(element: &Element) -> WriteError {
    WriteError::NoExtension {
        local: excerpt(element.local()),
    }
}

fn check_ids(presence: &Presence) -> Result<(), WriteError> {
    let mut ids = presence.ids();
    for (_, id) in &ids {
        if !is_nc_name(id) {
            return Err(WriteError::Id { id: excerpt(id) });
        }
    }
    ids.sort_unstable_by_key(|&(_, id)| id);
    let mut last = None;
    for (_, id) in ids {
        if last == Some(id) {
            return Err(WriteError::DuplicateId { id: excerpt(id) });
        }
        last = Some(id);
    }
    Ok(())
}

/// Whose names are written.
#[derive(Clone, Copy, PartialEq)]
enum Space {
    Pidf,
    Model,
}

/// A document in the making.
struct Sheet<'m> {
    xml: Writer<'m>,
}

impl<'m> Sheet<'m> {
    fn presence(&mut self, presence: &'m Presence, entity: &str) -> Result<(), WriteError> {
        self.xml.markup("<presence");
        self.xml.root_declarations()?;
        self.value(" entity=\"", entity)?;
        self.others(&presence.attributes, &["entity"])?;
        self.content();
        for tuple in &presence.tuples {
            self.tuple(tuple)?;
        }
        self.notes(Space::Pidf, &presence.notes)?;
        for person in &presence.persons {
            self.person(person)?;
        }
        for device in &presence.devices {
            self.device(device)?;
        }
        self.extensions(&presence.extensions)?;
        self.end(Space::Pidf, "presence");
        self.xml.markup("\n");
        Ok(())
    }

    fn tuple(&mut self, tuple: &'m Tuple) -> Result<(), WriteError> {
        let status = &tuple.status;
        if status.is_empty() {
            return Err(WriteError::NoStatus {
                id: excerpt(&tuple.id),
            });
        }
        self.start(Space::Pidf, "tuple");
        self.id(&tuple.id, &tuple.attributes)?;
        self.content();
        self.start(Space::Pidf, "status");
        self.others(&status.attributes, &[])?;
        self.content();
        self.leaf(Space::Pidf, "basic", status.basic.as_ref())?;
        self.extensions(&status.extensions)?;
        self.end(Space::Pidf, "status");
        self.extensions(&tuple.extensions)?;
        if let Some(contact) = &tuple.contact {
            self.contact(contact)?;
        }
        self.notes(Space::Pidf, &tuple.notes)?;
        self.leaf(Space::Pidf, "timestamp", tuple.timestamp.as_ref())?;
        self.end(Space::Pidf, "tuple");
        Ok(())
    }

    fn person(&mut self, person: &'m Person) -> Result<(), WriteError> {
        self.start(Space::Model, "person");
        self.id(&person.id, &person.attributes)?;
        self.content();
        self.extensions(&person.extensions)?;
        self.notes(Space::Model, &person.notes)?;
        self.leaf(Space::Model, "timestamp", person.timestamp.as_ref())?;
        self.end(Space::Model, "person");
        Ok(())
    }

    fn device(&mut self, device: &'m Device) -> Result<(), WriteError> {
        if device.device_id.is_none() {
            return Err(WriteError::NoDeviceId {
                id: excerpt(&device.id),
            });
        }
        self.start(Space::Model, "device");
        self.id(&device.id, &device.attributes)?;
        self.content();
        self.extensions(&device.extensions)?;
        self.leaf(Space::Model, "deviceID", device.device_id.as_ref())?;
        self.notes(Space::Model, &device.notes)?;
        self.leaf(Space::Model, "timestamp", device.timestamp.as_ref())?;
        self.end(Space::Model, "device");
        Ok(())
    }

    fn contact(&mut self, contact: &Contact) -> Result<(), WriteError> {
        contact.check()?;
        self.start(Space::Pidf, "contact");
        if let Some(priority) = contact.priority_text() {
            self.value(" priority=\"", priority)?;
        }
        self.others(&contact.attributes, &["priority"])?;
        self.text(Space::Pidf, "contact", &contact.uri)
    }

    fn notes(&mut self, space: Space, notes: &[Note]) -> Result<(), WriteError> {
        for note in notes {
            note.check()?;
            self.start(space, "note");
            if let Some(lang) = &note.lang {
                self.value(" xml:lang=\"", lang)?;
                if note.attributes.get(namespace::XML, "lang").is_some() {
                    return Err(WriteError::Attribute {
                        local: "lang".to_owned(),
                    });
                }
            }
            self.others(&note.attributes, &[])?;
            self.text(space, "note", &note.text)?;
        }
        Ok(())
    }

    fn leaf(&mut self, space: Space, local: &str, leaf: Option<&Leaf>) -> Result<(), WriteError> {
        let Some(leaf) = leaf else {
            return Ok(());
        };
        self.start(space, local);
        self.others(&leaf.attributes, &[])?;
        self.text(space, local, &leaf.text)
    }

    fn extensions(&mut self, extensions: &'m [Element]) -> Result<(), WriteError> {
        for extension in extensions {
            self.xml.line();
            self.xml.element(extension)?;
        }
        Ok(())
    }

    // ---- markup -----------------------------------------------------------------------------

    fn name(&mut self, space: Space, local: &str) {
        if space == Space::Model {
            self.xml.known_prefix(NamespaceId::DATA_MODEL);
        }
        self.xml.markup(local);
    }

    /// Up to the attributes.
    fn start(&mut self, space: Space, local: &str) {
        self.xml.line();
        self.xml.markup("<");
        self.name(space, local);
    }

    /// Attributes are complete, elements follow.
    fn content(&mut self) {
        self.xml.markup(">");
        self.xml.indent();
    }

    fn end(&mut self, space: Space, local: &str) {
        self.xml.outdent();
        self.xml.line();
        self.xml.markup("</");
        self.name(space, local);
        self.xml.markup(">");
    }

    /// The rest of an element that holds text.
    fn text(&mut self, space: Space, local: &str, text: &str) -> Result<(), WriteError> {
        self.xml.markup(">");
        self.xml.text(text)?;
        self.xml.markup("</");
        self.name(space, local);
        self.xml.markup(">");
        Ok(())
    }

    fn id(&mut self, id: &str, attributes: &Attributes) -> Result<(), WriteError> {
        self.value(" id=\"", id)?;
        self.others(attributes, &["id"])
    }

    /// One attribute, given up to its opening quotation mark.
    fn value(&mut self, markup: &str, value: &str) -> Result<(), WriteError> {
        self.xml.markup(markup);
        self.xml.value(value)?;
        self.xml.markup("\"");
        Ok(())
    }

    /// Attributes without a field, none of which may be one that has.
    fn others(&mut self, attributes: &Attributes, fields: &[&str]) -> Result<(), WriteError> {
        for field in fields {
            if attributes.get("", field).is_some() {
                return Err(WriteError::Attribute {
                    local: (*field).to_owned(),
                });
            }
        }
        self.xml.attributes(attributes)?;
        Ok(())
    }
}
