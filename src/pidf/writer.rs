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
use super::{ids, uri};
use crate::xml::{
    Attributes, Document, Element, Layout, NamespaceId, Prefixes, Writer, XmlWriteError, excerpt,
    is_nc_name, namespace, trim,
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
    /// What a rich tuple takes; the rest is given back.
    const OF_A_TUPLE: usize = 640;
    let parts = [
        presence.tuples.len(),
        presence.persons.len(),
        presence.devices.len(),
    ];
    let parts: usize = parts.iter().sum();
    let size = parts.saturating_mul(OF_A_TUPLE).saturating_add(512);
    let document = Document {
        default: namespace::PIDF,
        size,
        layout,
    };
    document.write(
        |xml| Sheet { xml }.presence(presence, entity),
        |prefixes| collect(presence, prefixes),
    )
}

/// Namespaces in the order in which their names will be written.
fn collect<'m>(presence: &'m Presence, prefixes: &mut Prefixes<'m>) -> Result<(), XmlWriteError> {
    prefixes.collect_attributes(&presence.attributes)?;
    for tuple in &presence.tuples {
        prefixes.collect_attributes(&tuple.attributes)?;
        let status = &tuple.status;
        prefixes.collect_attributes(&status.attributes)?;
        collect_leaf(status.basic.as_ref(), prefixes)?;
        collect_extensions(&status.extensions, prefixes)?;
        collect_extensions(&tuple.extensions, prefixes)?;
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
        collect_extensions(&person.extensions, prefixes)?;
        collect_notes(&person.notes, prefixes)?;
        collect_leaf(person.timestamp.as_ref(), prefixes)?;
    }
    for device in &presence.devices {
        prefixes.collect_known(NamespaceId::DATA_MODEL);
        prefixes.collect_attributes(&device.attributes)?;
        collect_extensions(&device.extensions, prefixes)?;
        collect_leaf(device.device_id.as_ref(), prefixes)?;
        collect_notes(&device.notes, prefixes)?;
        collect_leaf(device.timestamp.as_ref(), prefixes)?;
    }
    collect_extensions(&presence.extensions, prefixes)
}

fn collect_leaf<'m>(
    leaf: Option<&'m Leaf>,
    prefixes: &mut Prefixes<'m>,
) -> Result<(), XmlWriteError> {
    let mut leaves = leaf.into_iter();
    leaves.try_for_each(|leaf| prefixes.collect_attributes(&leaf.attributes))
}

fn collect_notes<'m>(notes: &'m [Note], prefixes: &mut Prefixes<'m>) -> Result<(), XmlWriteError> {
    let mut notes = notes.iter();
    notes.try_for_each(|note| prefixes.collect_attributes(&note.attributes))
}

fn collect_extensions<'m>(
    extensions: &'m [Element],
    prefixes: &mut Prefixes<'m>,
) -> Result<(), XmlWriteError> {
    let mut extensions = extensions.iter();
    extensions.try_for_each(|extension| prefixes.collect(extension))
}

fn no_extension(element: &Element) -> WriteError {
    WriteError::NoExtension {
        local: excerpt(element.local()),
    }
}

/// The tags of an element.
#[derive(Clone, Copy)]
enum Tags {
    Pidf {
        start: &'static str,
        end: &'static str,
    },
    Model(&'static str),
}

/// The tags of an element of PIDF, whose namespace is the default one; the start tag is left open.
macro_rules! pidf {
    ($local:literal) => {
        Tags::Pidf {
            start: concat!("<", $local),
            end: concat!("</", $local, ">"),
        }
    };
}

/// A document in the making.
struct Sheet<'w, 'm> {
    xml: &'w mut Writer<'m>,
}

impl<'m> Sheet<'_, 'm> {
    fn presence(&mut self, presence: &'m Presence, entity: &str) -> Result<(), WriteError> {
        self.xml.markup("<presence");
        self.xml.root_declarations();
        self.value(" entity=\"", entity)?;
        self.others(&presence.attributes, &["entity"])?;
        self.content();
        for tuple in &presence.tuples {
            self.tuple(tuple)?;
        }
        self.notes(pidf!("note"), &presence.notes)?;
        for person in &presence.persons {
            self.person(person)?;
        }
        for device in &presence.devices {
            self.device(device)?;
        }
        for extension in &presence.extensions {
            // It has a list of its own, where a reader would put it.
            if ids::is_component(extension.name()) {
                return Err(no_extension(extension));
            }
        }
        self.extensions(&presence.extensions, false)?;
        self.end(pidf!("presence"));
        self.xml.markup("\n");
        self.check_ids(presence)
    }

    fn check_ids(&self, presence: &'m Presence) -> Result<(), WriteError> {
        let further = self.xml.ids();
        let further = further.filter(|(name, _)| ids::owner(name).is_some());
        let own = presence.ids_of_parts().map(|(_, id)| id);
        let mut ids: Vec<&str> = Vec::new();
        for id in own.chain(further.map(|(_, id)| trim(id))) {
            if !is_nc_name(id) {
                return Err(WriteError::Id { id: excerpt(id) });
            }
            ids.push(id);
        }
        ids.sort_unstable();
        let mut pairs = ids.iter().zip(ids.iter().skip(1));
        match pairs.find(|(one, next)| one == next) {
            Some((id, _)) => Err(WriteError::DuplicateId { id: excerpt(id) }),
            None => Ok(()),
        }
    }

    fn tuple(&mut self, tuple: &'m Tuple) -> Result<(), WriteError> {
        let status = &tuple.status;
        if status.is_empty() {
            return Err(WriteError::NoStatus {
                id: excerpt(&tuple.id),
            });
        }
        self.start(pidf!("tuple"));
        self.id(&tuple.id, &tuple.attributes)?;
        self.content();
        self.start(pidf!("status"));
        self.others(&status.attributes, &[])?;
        self.content();
        self.leaf(pidf!("basic"), status.basic.as_ref())?;
        self.extensions(&status.extensions, false)?;
        self.end(pidf!("status"));
        self.extensions(&tuple.extensions, false)?;
        if let Some(contact) = &tuple.contact {
            self.contact(contact)?;
        }
        self.notes(pidf!("note"), &tuple.notes)?;
        self.leaf(pidf!("timestamp"), tuple.timestamp.as_ref())?;
        self.end(pidf!("tuple"));
        Ok(())
    }

    fn person(&mut self, person: &'m Person) -> Result<(), WriteError> {
        self.start(Tags::Model("person"));
        self.id(&person.id, &person.attributes)?;
        self.content();
        self.extensions(&person.extensions, true)?;
        self.notes(Tags::Model("note"), &person.notes)?;
        self.leaf(Tags::Model("timestamp"), person.timestamp.as_ref())?;
        self.end(Tags::Model("person"));
        Ok(())
    }

    fn device(&mut self, device: &'m Device) -> Result<(), WriteError> {
        if device.device_id.is_none() {
            return Err(WriteError::NoDeviceId {
                id: excerpt(&device.id),
            });
        }
        self.start(Tags::Model("device"));
        self.id(&device.id, &device.attributes)?;
        self.content();
        self.extensions(&device.extensions, true)?;
        self.leaf(Tags::Model("deviceID"), device.device_id.as_ref())?;
        self.notes(Tags::Model("note"), &device.notes)?;
        self.leaf(Tags::Model("timestamp"), device.timestamp.as_ref())?;
        self.end(Tags::Model("device"));
        Ok(())
    }

    fn contact(&mut self, contact: &'m Contact) -> Result<(), WriteError> {
        contact.check()?;
        self.start(pidf!("contact"));
        if let Some(priority) = contact.priority_text() {
            self.value(" priority=\"", priority)?;
        }
        self.others(&contact.attributes, &["priority"])?;
        self.text(pidf!("contact"), &contact.uri)
    }

    fn notes(&mut self, tags: Tags, notes: &'m [Note]) -> Result<(), WriteError> {
        for note in notes {
            note.check()?;
            self.start(tags);
            if let Some(lang) = &note.lang {
                self.value(" xml:lang=\"", lang)?;
                if note.attributes.get(namespace::XML, "lang").is_some() {
                    return Err(WriteError::Attribute {
                        local: "lang".to_owned(),
                    });
                }
            }
            self.others(&note.attributes, &[])?;
            self.text(tags, &note.text)?;
        }
        Ok(())
    }

    fn leaf(&mut self, tags: Tags, leaf: Option<&'m Leaf>) -> Result<(), WriteError> {
        let Some(leaf) = leaf else {
            return Ok(());
        };
        self.start(tags);
        self.others(&leaf.attributes, &[])?;
        self.text(tags, &leaf.text)
    }

    /// Refuses what a reader would take for something else, or leave out: elements of PIDF, and in
    /// parts of the data model those of the model.
    fn extensions(&mut self, extensions: &'m [Element], in_model: bool) -> Result<(), WriteError> {
        for extension in extensions {
            match extension.name().known_namespace() {
                Some(NamespaceId::PIDF) => return Err(no_extension(extension)),
                Some(NamespaceId::DATA_MODEL) if in_model => return Err(no_extension(extension)),
                _ => {}
            }
            self.xml.line();
            self.xml.element(extension)?;
        }
        Ok(())
    }

    // ---- markup -----------------------------------------------------------------------------

    /// Up to the attributes.
    #[inline]
    fn start(&mut self, tags: Tags) {
        self.xml.line();
        match tags {
            Tags::Pidf { start, .. } => self.xml.markup(start),
            Tags::Model(local) => self.xml.open_known(NamespaceId::DATA_MODEL, local),
        }
    }

    /// Attributes are complete, elements follow.
    #[inline]
    fn content(&mut self) {
        self.xml.markup(">");
        self.xml.indent();
    }

    /// The end tag of an element that holds elements.
    #[inline]
    fn end(&mut self, tags: Tags) {
        self.xml.outdent();
        self.xml.line();
        self.end_tag(tags);
    }

    #[inline]
    fn end_tag(&mut self, tags: Tags) {
        match tags {
            Tags::Pidf { end, .. } => self.xml.markup(end),
            Tags::Model(local) => self.xml.close_known(NamespaceId::DATA_MODEL, local),
        }
    }

    /// The rest of an element that holds text.
    #[inline]
    fn text(&mut self, tags: Tags, text: &str) -> Result<(), WriteError> {
        self.xml.markup(">");
        self.xml.text(text)?;
        self.end_tag(tags);
        Ok(())
    }

    #[inline]
    fn id(&mut self, id: &str, attributes: &'m Attributes) -> Result<(), WriteError> {
        self.value(" id=\"", id)?;
        self.others(attributes, &["id"])
    }

    /// One attribute, given up to its opening quotation mark.
    #[inline]
    fn value(&mut self, markup: &str, value: &str) -> Result<(), WriteError> {
        self.xml.markup(markup);
        self.xml.value(value)?;
        self.xml.markup("\"");
        Ok(())
    }

    /// Attributes without a field, none of which may be one that has.
    #[inline]
    fn others(&mut self, attributes: &'m Attributes, fields: &[&str]) -> Result<(), WriteError> {
        for attribute in attributes {
            let name = &attribute.name;
            if name.namespace().is_empty() && fields.contains(&name.local()) {
                return Err(WriteError::Attribute {
                    local: name.local().to_owned(),
                });
            }
            self.xml.attribute(attribute)?;
        }
        Ok(())
    }
}
