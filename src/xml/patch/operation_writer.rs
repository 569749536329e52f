//! Writes operations as the elements of a patch document.

use super::operation::{Change, Operation, Position, Space, Target};
use super::operation_reader::{check_replacement, check_space};
use super::selector_writer::{
    PatchWriteError, SelectorPrefixes, needs_no_default, write_namespace,
};
use crate::xml::{Element, Node};

/// Puts the operations into the root of a patch document, in its namespace, behind what it contains, and
/// declares there what their selectors need.
///
/// Elements without prefix in selectors are in the default namespace of the document: the one that
/// `root` declares for the empty prefix, or else its own. Declare the one that most selectors name, before
/// this, to have them short. Where selectors name elements in no namespace, or the root is in none, there
/// will be no default one.
///
/// Write the document with [`Layout::Kept`](crate::xml::Layout::Kept): white space that is added has a
/// meaning, and other layouts may leave it out.
///
/// ```
/// use presentity::xml::patch::{Change, Operation, Selector, Space, read_operations, write_operations};
/// use presentity::xml::{Element, Layout, XmlLimits};
///
/// let selector = Selector::read("shelf/book[2]", &[("", "urn:example:shelf")])?;
/// let operations = [Operation::new(selector, Change::Remove { space: Space::None })];
///
/// let mut root = Element::new("urn:example:diff", "diff");
/// root.declare("", "urn:example:shelf");
/// write_operations(&mut root, &operations)?;
/// let document = root.write_as(Layout::Kept)?;
/// assert!(document.windows(19).any(|it| it == b"sel=\"shelf/book[2]\""));
///
/// let read = Element::read_whole(&document, &XmlLimits::default())?;
/// assert_eq!(read_operations(&read, "urn:example:diff")?, operations);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// An operation has no written form; the root is then as it was.
pub fn write_operations(
    root: &mut Element,
    operations: &[Operation],
) -> Result<(), PatchWriteError> {
    let declared = root.declarations().find(|(prefix, _)| prefix.is_empty());
    let default = match declared {
        _ if root.namespace().is_empty() || needs_no_default(operations) => "",
        Some((_, namespace)) => namespace,
        None => root.namespace(),
    };
    let declares_default = declared.is_none_or(|(_, declared)| declared != default);
    let mut prefixes = SelectorPrefixes::new(default);
    for (prefix, namespace) in root.declarations() {
        if !prefix.is_empty() {
            prefixes = prefixes.with(prefix, namespace);
        }
    }
    prefixes.add_for(operations);
    let namespace = root.namespace().to_owned();
    let elements: Vec<Element> = operations
        .iter()
        .map(|operation| operation.to_element(&namespace, &prefixes))
        .collect::<Result<_, _>>()?;
    if declares_default {
        root.declare("", prefixes.default_namespace());
    }
    for (prefix, namespace) in prefixes.iter() {
        root.declare(prefix, namespace);
    }
    let nodes = root.children_mut();
    nodes.extend(elements.into_iter().map(Node::Element));
    Ok(())
}

impl Operation {
    /// The operation as an element in `namespace`, for a place where these prefixes are declared.
    ///
    /// # Errors
    ///
    /// It has no written form.
    pub fn to_element(
        &self,
        namespace: &str,
        prefixes: &SelectorPrefixes,
    ) -> Result<Element, PatchWriteError> {
        let target = &self.selector.target;
        let is_value = matches!(target, Target::Attribute(_) | Target::Namespace(_));
        let local = match &self.change {
            Change::Add { .. } | Change::AddAttribute { .. } | Change::AddNamespace { .. } => "add",
            Change::Replace { .. } | Change::ReplaceValue { .. } => "replace",
            Change::Remove { .. } => "remove",
        };
        let selector = self.selector.write(prefixes)?;
        let element = Element::new(namespace, local).with_attribute("sel", selector);
        let element = match &self.change {
            Change::Add { .. } | Change::AddAttribute { .. } | Change::AddNamespace { .. }
                if is_value =>
            {
                return Err(PatchWriteError::Unfit);
            }
            Change::Add { position, nodes } => {
                let element = match position {
                    Position::Append => element,
                    Position::Prepend => element.with_attribute("pos", "prepend"),
                    Position::Before => element.with_attribute("pos", "before"),
                    Position::After => element.with_attribute("pos", "after"),
                };
                with_nodes(element, nodes)
            }
            Change::AddAttribute { name, value } => {
                let mut what = String::from("@");
                prefixes.write_attribute(&mut what, name)?;
                element.with_attribute("type", what).with_text(value)
            }
            Change::AddNamespace {
                prefix,
                namespace: value,
            } => {
                let mut what = String::new();
                write_namespace(&mut what, prefix)?;
                element.with_attribute("type", what).with_text(value)
            }
            Change::Replace { nodes } => {
                check_replacement(target, nodes).map_err(|_| PatchWriteError::Unfit)?;
                with_nodes(element, nodes)
            }
            Change::ReplaceValue { value } if is_value => element.with_text(value),
            Change::ReplaceValue { .. } => return Err(PatchWriteError::Unfit),
            Change::Remove { space } => {
                check_space(target, *space).map_err(|_| PatchWriteError::Unfit)?;
                match space {
                    Space::None => element,
                    Space::Before => element.with_attribute("ws", "before"),
                    Space::After => element.with_attribute("ws", "after"),
                    Space::Both => element.with_attribute("ws", "both"),
                }
            }
        };
        Ok(element)
    }
}

fn with_nodes(mut element: Element, nodes: &[Node]) -> Element {
    if let [Node::Text(text)] = nodes {
        return element.with_text(text);
    }
    element.children_mut().extend_from_slice(nodes);
    element
}
