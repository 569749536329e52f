//! Writes requests: no namespace, no document type declaration, an element a line.

use bytes::Bytes;

use super::field::Field;
use crate::xml::{Document, Layout, Writer, XmlWriteError};

/// What there is beside the values.
const MARKUP: usize = 224;

/// The values of a request, in the order of the format.
pub(super) type Values<'v> = [(Field, &'v str)];

pub(super) fn write(values: &Values<'_>) -> Result<Bytes, XmlWriteError> {
    let lengths: usize = values.iter().map(|(_, value)| value.len()).sum();
    let document = Document {
        default: "",
        size: lengths.saturating_add(MARKUP),
        layout: Layout::Pretty,
    };
    document.write(|xml| body(xml, values), |_| Ok(()))
}

fn body(xml: &mut Writer<'_>, values: &Values<'_>) -> Result<(), XmlWriteError> {
    xml.markup("<Subscribe>");
    xml.indent();
    // None is empty but a token that there is not.
    for (field, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
        xml.line();
        xml.markup("<");
        xml.markup(field.as_str());
        xml.markup(">");
        xml.text(value)?;
        xml.markup("</");
        xml.markup(field.as_str());
        xml.markup(">");
    }
    xml.outdent();
    xml.line();
    xml.markup("</Subscribe>");
    Ok(())
}
