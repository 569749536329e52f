//! Writes documents, in the order of the schema (RFC 3863, 4.4).

use bytes::Bytes;

use super::contact::Contact;
use super::error::WriteError;
use super::leaf::Leaf;
use super::note::Note;
use super::presence::Presence;
use super::tuple::Tuple;
use super::uri;
use crate::xml::{Attributes, Element, Prefixes, Writer, excerpt, is_nc_name, namespace};

/// Writes a document for this entity, whatever it has itself.
pub(super) fn write(presence: &Presence, entity: &str) -> Result<Bytes, WriteError> {
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
    let size = presence.tuples.len().saturating_mul(OF_A_TUPLE);
    let mut writer = Writer::new(prefixes, size.saturating_add(512));

    writer.markup("<presence");
    writer.root_declarations()?;
    writer.markup(" entity=\"");
    writer.value(entity)?;
    writer.markup("\"");
    others(&mut writer, &presence.attributes, &["entity"])?;
    writer.markup(">");
    for tuple in &presence.tuples {
        write_tuple(&mut writer, tuple)?;
    }
    for note in &presence.notes {
        write_note(&mut writer, note)?;
    }
    for extension in &presence.extensions {
        writer.element(extension)?;
    }
    writer.markup("</presence>\n");
    Ok(writer.finish())
}

/// Namespaces in the order in which their names will be written.
fn collect<'m>(presence: &'m Presence, prefixes: &mut Prefixes<'m>) -> Result<(), WriteError> {
    prefixes.collect_attributes(&presence.attributes)?;
    for tuple in &presence.tuples {
        prefixes.collect_attributes(&tuple.attributes)?;
        let status = &tuple.status;
        prefixes.collect_attributes(&status.attributes)?;
        if let Some(basic) = &status.basic {
            prefixes.collect_attributes(&basic.attributes)?;
        }
        collect_extensions(&status.extensions, prefixes)?;
        collect_extensions(&tuple.extensions, prefixes)?;
        if let Some(contact) = &tuple.contact {
            prefixes.collect_attributes(&contact.attributes)?;
        }
        for note in &tuple.notes {
            prefixes.collect_attributes(&note.attributes)?;
        }
        if let Some(timestamp) = &tuple.timestamp {
            prefixes.collect_attributes(&timestamp.attributes)?;
        }
    }
    for note in &presence.notes {
        prefixes.collect_attributes(&note.attributes)?;
    }
    collect_extensions(&presence.extensions, prefixes)
}

fn collect_extensions<'m>(
    extensions: &'m [Element],
    prefixes: &mut Prefixes<'m>,
) -> Result<(), WriteError> {
    for extension in extensions {
        // A reader would take it for something else, or leave it out.
        if extension.namespace() == namespace::PIDF {
            return Err(WriteError::NoExtension {
                local: excerpt(extension.local()),
            });
        }
        prefixes.collect(extension)?;
    }
    Ok(())
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

fn write_tuple<'m>(writer: &mut Writer<'m>, tuple: &'m Tuple) -> Result<(), WriteError> {
    let status = &tuple.status;
    if status.is_empty() {
        return Err(WriteError::NoStatus {
            id: excerpt(&tuple.id),
        });
    }
    writer.markup("<tuple id=\"");
    writer.value(&tuple.id)?;
    writer.markup("\"");
    others(writer, &tuple.attributes, &["id"])?;
    writer.markup("><status");
    others(writer, &status.attributes, &[])?;
    writer.markup(">");
    if let Some(basic) = &status.basic {
        write_leaf(writer, "basic", basic)?;
    }
    for extension in &status.extensions {
        writer.element(extension)?;
    }
    writer.markup("</status>");
    for extension in &tuple.extensions {
        writer.element(extension)?;
    }
    if let Some(contact) = &tuple.contact {
        write_contact(writer, contact)?;
    }
    for note in &tuple.notes {
        write_note(writer, note)?;
    }
    if let Some(timestamp) = &tuple.timestamp {
        write_leaf(writer, "timestamp", timestamp)?;
    }
    writer.markup("</tuple>");
    Ok(())
}

fn write_leaf(writer: &mut Writer<'_>, name: &str, leaf: &Leaf) -> Result<(), WriteError> {
    writer.markup("<");
    writer.markup(name);
    others(writer, &leaf.attributes, &[])?;
    writer.markup(">");
    writer.text(&leaf.text)?;
    writer.markup("</");
    writer.markup(name);
    writer.markup(">");
    Ok(())
}

fn write_contact(writer: &mut Writer<'_>, contact: &Contact) -> Result<(), WriteError> {
    writer.markup("<contact");
    if let Some(priority) = contact.priority_text() {
        writer.markup(" priority=\"");
        writer.value(priority)?;
        writer.markup("\"");
    }
    others(writer, &contact.attributes, &["priority"])?;
    writer.markup(">");
    writer.text(&contact.uri)?;
    writer.markup("</contact>");
    Ok(())
}

fn write_note(writer: &mut Writer<'_>, note: &Note) -> Result<(), WriteError> {
    writer.markup("<note");
    if let Some(lang) = &note.lang {
        writer.markup(" xml:lang=\"");
        writer.value(lang)?;
        writer.markup("\"");
        if note.attributes.get(namespace::XML, "lang").is_some() {
            return Err(WriteError::Attribute {
                local: "lang".to_owned(),
            });
        }
    }
    others(writer, &note.attributes, &[])?;
    writer.markup(">");
    writer.text(&note.text)?;
    writer.markup("</note>");
    Ok(())
}

/// Attributes without a field, none of which may be one that has.
fn others(
    writer: &mut Writer<'_>,
    attributes: &Attributes,
    fields: &[&str],
) -> Result<(), WriteError> {
    for field in fields {
        if attributes.get("", field).is_some() {
            return Err(WriteError::Attribute {
                local: (*field).to_owned(),
            });
        }
    }
    writer.attributes(attributes)?;
    Ok(())
}
