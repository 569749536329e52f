//! How large nodes are.

use super::error::{PatchError, PatchErrorKind, fail};
use crate::xml::{Element, Node, XmlLimits};

/// How large some nodes are together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Size {
    /// Levels of elements.
    pub(super) levels: usize,
    /// Elements, their attributes, and everything else.
    pub(super) nodes: usize,
    /// About as many bytes as they take in a document.
    pub(super) bytes: usize,
    /// The longest text or value.
    pub(super) text: usize,
    /// The most attributes of one element.
    pub(super) attributes: usize,
}

impl Size {
    /// That of nodes and all that is in them.
    pub(super) fn of(nodes: &[Node]) -> Self {
        let mut size = Self::default();
        let mut open = vec![nodes.iter()];
        while let Some(innermost) = open.last_mut() {
            match innermost.next() {
                Some(Node::Element(element)) => {
                    size.element(element, open.len());
                    if !element.nodes().is_empty() {
                        open.push(element.nodes().iter());
                    }
                }
                Some(Node::Text(text)) => size.text(text.len()),
                Some(Node::Comment(comment)) => size.text(comment.len().saturating_add(7)),
                Some(Node::Instruction { target, data }) => {
                    size.text(target.len().saturating_add(data.len()).saturating_add(5));
                }
                None => {
                    open.pop();
                }
            }
        }
        size
    }

    fn element(&mut self, element: &Element, level: usize) {
        self.levels = self.levels.max(level);
        let attributes = element.attributes.len();
        self.attributes = self.attributes.max(attributes);
        self.nodes = self.nodes.saturating_add(1).saturating_add(attributes);
        let local = element.local().len();
        self.bytes = self
            .bytes
            .saturating_add(local.saturating_mul(2))
            .saturating_add(5);
        for attribute in &element.attributes {
            self.value(attribute.name.local(), &attribute.value);
        }
        for (prefix, namespace) in element.declarations() {
            self.value(prefix, namespace);
        }
        if let (Some(text), _) = element.parts()
            && !text.is_empty()
        {
            self.text(text.len());
        }
    }

    fn value(&mut self, name: &str, value: &str) {
        self.text = self.text.max(value.len());
        let length = name.len().saturating_add(value.len()).saturating_add(4);
        self.bytes = self.bytes.saturating_add(length);
    }

    fn text(&mut self, length: usize) {
        self.nodes = self.nodes.saturating_add(1);
        self.text = self.text.max(length);
        self.bytes = self.bytes.saturating_add(length);
    }
}

/// Whether a document is within its bounds, but for its depth.
pub(super) fn check_document(root: &Element, limits: &XmlLimits) -> Result<(), PatchError> {
    let mut size = Size::of(root.nodes());
    size.element(root, 0);
    let is_within = size.nodes <= limits.nodes
        && size.bytes <= limits.bytes
        && size.text <= limits.text
        && size.attributes <= limits.attributes;
    if is_within {
        return Ok(());
    }
    fail(
        PatchErrorKind::TooLarge,
        "the document would exceed its bounds",
    )
}
