//! Patches of XML documents (RFC 5261): read, written, applied, refused, and told about.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    reason = "test code may fail loudly"
)]

#[path = "../schemas/mod.rs"]
mod schemas;

mod adding;
mod bounds;
mod error_documents;
mod namespaces;
mod published;
mod removing;
mod replacing;
mod selectors;
mod writing;

use presentity::xml::patch::{
    Operation, PatchError, PatchErrorKind, Steps, apply, read_operations,
};
use presentity::xml::{Element, Layout, NodeRef, XmlLimits};

/// A document with everything that is in it.
fn whole(document: &str) -> Element {
    Element::read_whole(document.as_bytes(), &XmlLimits::default())
        .unwrap_or_else(|error| panic!("{error}: {document}"))
}

/// The same as text, without the XML declaration.
fn text_of(root: &Element) -> String {
    let octets = root.write_as(Layout::Kept).unwrap();
    let text = core::str::from_utf8(&octets).unwrap();
    text.split_once('\n').unwrap().1.to_owned()
}

/// All that is in it, with expanded names.
fn shape_of(root: &Element) -> String {
    let mut shape = format!("<{}", root.name());
    let mut attributes: Vec<String> = root
        .attributes
        .iter()
        .map(|it| format!(" {}={:?}", it.name, it.value))
        .collect();
    attributes.sort();
    shape.extend(attributes);
    for node in root.children() {
        match node {
            NodeRef::Element(element) => shape.push_str(&shape_of(element)),
            other => shape.push_str(&format!("{other:?}")),
        }
    }
    shape + ">"
}

/// The operations between the tags of a patch document without namespace.
fn operations(inside: &str) -> Result<Vec<Operation>, PatchError> {
    read_operations(&whole(&format!("<diff>{inside}</diff>")), "")
}

/// What becomes of the document.
fn patched(document: &str, inside: &str) -> String {
    let mut root = whole(document);
    let operations = operations(inside).unwrap_or_else(|error| panic!("{error}: {inside}"));
    apply(&mut root, &operations, &mut Steps::default())
        .unwrap_or_else(|error| panic!("{error}: {inside}"));
    text_of(&root)
}

/// Why the patch cannot be read or applied; the document is as it was.
fn refused(document: &str, inside: &str) -> PatchErrorKind {
    let operations = match operations(inside) {
        Ok(operations) => operations,
        Err(error) => return error.kind(),
    };
    let mut root = whole(document);
    let before = text_of(&root);
    match apply(&mut root, &operations, &mut Steps::default()) {
        Ok(()) => panic!("{inside} gives {}", text_of(&root)),
        Err(error) => {
            assert_eq!(text_of(&root), before, "{inside}");
            error.kind()
        }
    }
}
