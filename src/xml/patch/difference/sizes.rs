//! About how many octets something takes when it is written.

use crate::xml::{Element, Name, NamespaceId, NodeRef};

pub(super) fn name_size(name: &Name) -> usize {
    let prefix = match name.known_namespace() {
        Some(NamespaceId::NONE | NamespaceId::PIDF) => 0,
        _ => name.prefix().len().saturating_add(1),
    };
    prefix.saturating_add(name.local().len())
}

/// Both tags, with the attributes.
pub(super) fn tag_size(element: &Element) -> usize {
    let attributes = element.attributes.iter().map(|attribute| {
        let name = name_size(&attribute.name);
        name.saturating_add(attribute.value.len()).saturating_add(4)
    });
    let attributes = attributes.fold(5, usize::saturating_add);
    let name = name_size(element.name());
    name.saturating_add(name).saturating_add(attributes)
}

pub(super) fn content_size(element: &Element) -> usize {
    let mut size = 0_usize;
    let mut open = vec![element];
    while let Some(element) = open.pop() {
        for node in element.children() {
            size = size.saturating_add(match node {
                NodeRef::Text(text) => text.len(),
                NodeRef::Element(element) => {
                    open.push(element);
                    tag_size(element)
                }
                _ => 0,
            });
        }
    }
    size
}

pub(super) fn element_size(element: &Element) -> usize {
    tag_size(element).saturating_add(content_size(element))
}
