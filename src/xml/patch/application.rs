//! Applies operations to a tree (RFC 5261 sections 4.3 to 4.5).

use core::ops::Range;

use super::error::{PatchError, PatchErrorKind, fail};
use super::journal::{Entry, Journal};
use super::location::{IsId, Location, element_at, element_at_mut, locate};
use super::namespace_change::{self, Declared};
use super::operation::{Change, Operation, Position, Space, Target};
use super::operation_reader::{check_replacement, check_space};
use super::size::{Size, check_document};
use super::steps::Steps;
use crate::xml::{Attribute, Element, Name, Node, is_blank, is_nc_name, is_xml_char, namespace};

/// Applies the operations to a document, one after the other, each to what those before left. All of them or
/// none: after an error the document is as it was.
///
/// Names are compared and added as expanded names, so that every name means what it meant in the patch.
/// Prefixes are given when the document is written: the rules of RFC 5261 section 4.2.3 for choosing one of
/// several prefixes of a namespace have no place here. Ids that `id()` finds are attributes `xml:id`;
/// [`apply_with_ids`] knows more.
///
/// Directives about white space, and selectors that count texts, comments or instructions, need a document
/// that was read with [`Element::read_whole`]. What stands beside the root element is not kept there
/// either: operations on it are refused (`invalid-xml-prolog-operation`).
///
/// # Errors
///
/// What an operation asks for cannot be done, with the number of the operation; or `budget` does not suffice
/// or the document would grow beyond its bounds.
pub fn apply(
    root: &mut Element,
    operations: &[Operation],
    budget: &mut Steps,
) -> Result<(), PatchError> {
    apply_with_ids(root, operations, budget, |_, _| false)
}

/// The same for a format whose schema says which attributes are of type ID: `is_id` is asked whether an
/// attribute of an element is one; `xml:id` always is.
///
/// ```
/// use presentity::xml::patch::{Steps, apply_with_ids, read_operations};
/// use presentity::xml::{Element, XmlLimits};
///
/// let limits = XmlLimits::default();
/// let mut fleet = Element::read(b"<fleet><ship name='ada'/><ship name='bea'/></fleet>", &limits)?;
/// let patch = Element::read(b"<d><remove sel=\"id('ada')\"/></d>", &limits)?;
/// let operations = read_operations(&patch, "")?;
/// apply_with_ids(&mut fleet, &operations, &mut Steps::default(), |ship, attribute| {
///     ship.local() == "ship" && attribute.name.local() == "name"
/// })?;
/// assert_eq!(fleet.elements().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As for [`apply`].
pub fn apply_with_ids(
    root: &mut Element,
    operations: &[Operation],
    budget: &mut Steps,
    is_id: impl Fn(&Element, &Attribute) -> bool,
) -> Result<(), PatchError> {
    let mut patching = Patching {
        root,
        steps: budget,
        journal: Journal::default(),
        has_grown: false,
    };
    let applied = patching.apply(operations, &is_id);
    if applied.is_err() {
        patching.journal.undo(root);
    }
    applied
}

struct Patching<'p> {
    root: &'p mut Element,
    steps: &'p mut Steps,
    journal: Journal,
    has_grown: bool,
}

type Applied = Result<(), PatchError>;

impl Patching<'_> {
    fn apply(&mut self, operations: &[Operation], is_id: IsId<'_>) -> Applied {
        for (number, operation) in operations.iter().enumerate() {
            let applied = self.operation(operation, is_id);
            applied.map_err(|error| error.at(number))?;
        }
        if self.has_grown {
            check_document(self.root, self.steps.limits())?;
        }
        Ok(())
    }

    fn operation(&mut self, operation: &Operation, is_id: IsId<'_>) -> Applied {
        let target = &operation.selector.target;
        let at = locate(self.root, &operation.selector, is_id, self.steps)?;
        match &operation.change {
            Change::Add { position, nodes } => self.add(at, target, *position, nodes),
            Change::AddAttribute { name, value } => self.add_attribute(at, target, name, value),
            Change::AddNamespace { prefix, namespace } => {
                self.add_namespace(at, target, prefix, namespace)
            }
            Change::Replace { nodes } => {
                check_replacement(target, nodes)?;
                self.replace(at, nodes)
            }
            Change::ReplaceValue { value } => match target {
                Target::Attribute(name) => self.replace_attribute(at, name, value),
                Target::Namespace(prefix) => self.replace_namespace(at, prefix, value),
                _ => fail(
                    PatchErrorKind::InvalidNodeTypes,
                    "only an attribute or a namespace can get another value",
                ),
            },
            Change::Remove { space } => {
                check_space(target, *space)?;
                match target {
                    Target::Attribute(name) => self.remove_attribute(at, name),
                    Target::Namespace(prefix) => self.remove_namespace(at, prefix),
                    _ => self.remove(at, *space),
                }
            }
        }
    }

    fn add(
        &mut self,
        at: Location,
        target: &Target,
        position: Position,
        nodes: &[Node],
    ) -> Applied {
        match target {
            Target::Attribute(_) | Target::Namespace(_) => {
                return fail(
                    PatchErrorKind::InvalidAttributeValue,
                    "nothing can be added to an attribute or a namespace",
                );
            }
            Target::Element => {}
            _ if matches!(position, Position::Append | Position::Prepend) => {
                return fail(
                    PatchErrorKind::InvalidNodeTypes,
                    "only an element can get something into it",
                );
            }
            _ => {}
        }
        let (path, place) = match position {
            Position::Prepend => (at.path, 0),
            Position::Append => {
                let end = match element_at(self.root, &at.path).map(Element::parts) {
                    Some((Some(_), _)) => 1,
                    Some((None, nodes)) => nodes.len(),
                    None => 0,
                };
                (at.path, end)
            }
            Position::Before | Position::After => {
                let Some((path, range)) = among_siblings(at) else {
                    return beside_root(nodes);
                };
                let is_before = position == Position::Before;
                (path, if is_before { range.start } else { range.end })
            }
        };
        if nodes.is_empty() {
            return Ok(());
        }
        self.put(path, place..place, nodes.to_vec())
    }

    fn replace(&mut self, at: Location, nodes: &[Node]) -> Applied {
        if let Some((path, range)) = among_siblings(at) {
            return self.put(path, range, nodes.to_vec());
        }
        // Only the root element has no siblings.
        if let [Node::Element(element)] = nodes {
            self.measure(&[], nodes)?;
            let old = core::mem::replace(self.root, element.clone());
            self.journal.enter(Entry::Root(Box::new(old)));
        }
        Ok(())
    }

    fn remove(&mut self, at: Location, space: Space) -> Applied {
        let Some((path, mut range)) = among_siblings(at) else {
            return fail(
                PatchErrorKind::InvalidRootElementOperation,
                "the root element cannot be removed",
            );
        };
        let nodes = element_at(self.root, &path).map_or(&[][..], Element::nodes);
        if matches!(space, Space::Before | Space::Both) {
            let before = texts_before(nodes, range.start);
            check_blank(nodes, before..range.start)?;
            range.start = before;
        }
        if matches!(space, Space::After | Space::Both) {
            let behind = texts_behind(nodes, range.end);
            check_blank(nodes, range.end..behind)?;
            range.end = behind;
        }
        self.put(path, range, Vec::new())
    }

    /// Puts nodes in the place of others. Texts that are neighbours then become one.
    fn put(&mut self, path: Vec<usize>, range: Range<usize>, mut new: Vec<Node>) -> Applied {
        self.measure(&path, &new)?;
        let Some(element) = element_at_mut(self.root, &path) else {
            return fail(PatchErrorKind::UnlocatedNode, "no such element");
        };
        let nodes = element.children_mut();
        self.steps.take(nodes.len() / 16)?;
        // Replaced by empty text, a text is gone.
        new.retain(|node| !matches!(node, Node::Text(text) if text.is_empty()));
        let text_before = texts_before(nodes, range.start) < range.start;
        let text_behind = texts_behind(nodes, range.end) > range.end;
        let is_text = |node: Option<&Node>| matches!(node, Some(Node::Text(_)));
        let joins_before = text_before && (is_text(new.first()) || (new.is_empty() && text_behind));
        let joins_behind = text_behind && (is_text(new.last()) || (new.is_empty() && text_before));
        let start = if joins_before {
            texts_before(nodes, range.start)
        } else {
            range.start
        };
        let end = if joins_behind {
            texts_behind(nodes, range.end)
        } else {
            range.end
        };
        let texts = |range: Range<usize>| nodes.get(range).unwrap_or_default().to_vec();
        let (before, behind) = (start..range.start, range.end..end);
        let moved: usize = [before.clone(), behind.clone()]
            .into_iter()
            .flat_map(|range| nodes.get(range).unwrap_or_default())
            .map(length_of_text)
            .sum();
        self.steps.take_for_text(moved)?;
        let all = texts(before).into_iter().chain(new).chain(texts(behind));
        let new = joined(all);
        let count = new.len();
        let old = nodes.splice(start..end, new).collect();
        self.journal.enter(Entry::Children {
            path,
            start,
            new: count,
            old,
        });
        Ok(())
    }

    /// Whether there is room for more inside of an element.
    fn measure(&mut self, path: &[usize], new: &[Node]) -> Applied {
        if new.is_empty() {
            return Ok(());
        }
        self.has_grown = true;
        let size = Size::of(new);
        self.steps.take(size.nodes)?;
        let levels = path.len().saturating_add(1).saturating_add(size.levels);
        if levels > self.steps.limits().effective_depth() {
            return fail(
                PatchErrorKind::TooLarge,
                "elements would be nested too deeply",
            );
        }
        Ok(())
    }

    fn element(&mut self, path: &[usize], target: &Target) -> Result<&mut Element, PatchError> {
        match element_at_mut(self.root, path) {
            Some(element) if *target == Target::Element => Ok(element),
            _ => fail(
                PatchErrorKind::InvalidNodeTypes,
                "only an element has attributes and declarations",
            ),
        }
    }

    fn add_attribute(
        &mut self,
        at: Location,
        target: &Target,
        name: &Name,
        value: &str,
    ) -> Applied {
        check_attribute(name, value)?;
        self.check_length(name.local())?;
        let most = self.steps.limits().attributes;
        let element = self.element(&at.path, target)?;
        let known = element.attributes.len();
        if element
            .attributes
            .get(name.namespace(), name.local())
            .is_some()
        {
            return fail(
                PatchErrorKind::InvalidAttributeValue,
                "the element has that attribute already",
            );
        }
        if known >= most {
            return fail(
                PatchErrorKind::TooLarge,
                "the element would have too many attributes",
            );
        }
        self.steps.take(known)?;
        let element = self.element(&at.path, target)?;
        element.attributes.set(name.clone(), value);
        self.has_grown = true;
        self.journal
            .enter(Entry::AttributeAdded(at.path, name.clone()));
        Ok(())
    }

    fn replace_attribute(&mut self, at: Location, name: &Name, value: &str) -> Applied {
        check_attribute(name, value)?;
        let element = self.element(&at.path, &Target::Element)?;
        if let Some(known) = element.attributes.get_mut(name.namespace(), name.local()) {
            let old = core::mem::replace(known, value.into());
            self.has_grown = true;
            let old = Attribute::new(name.clone(), old);
            self.journal.enter(Entry::AttributeChanged(at.path, old));
        }
        Ok(())
    }

    fn remove_attribute(&mut self, at: Location, name: &Name) -> Applied {
        let element = self.element(&at.path, &Target::Element)?;
        if let Some((place, old)) = element.attributes.take(name) {
            self.journal
                .enter(Entry::AttributeRemoved(at.path, place, old));
        }
        Ok(())
    }

    fn add_namespace(
        &mut self,
        at: Location,
        target: &Target,
        prefix: &str,
        namespace: &str,
    ) -> Applied {
        if !is_nc_name(prefix) || matches!(prefix, "xml" | "xmlns") {
            return fail(
                PatchErrorKind::InvalidNamespacePrefix,
                "that prefix cannot be declared",
            );
        }
        self.check_length(prefix)?;
        self.check_namespace(namespace)?;
        let most = self.steps.limits().namespaces;
        let element = self.element(&at.path, target)?;
        let known = element.declarations().count();
        if element.declarations().any(|(known, _)| known == prefix) {
            return fail(
                PatchErrorKind::InvalidNamespacePrefix,
                "the element declares that prefix already",
            );
        }
        if known >= most {
            return fail(
                PatchErrorKind::TooLarge,
                "the element would declare too many prefixes",
            );
        }
        self.steps.take(known)?;
        self.element(&at.path, target)?.declare(prefix, namespace);
        self.has_grown = true;
        self.journal
            .enter(Entry::NamespaceAdded(at.path, prefix.to_owned()));
        Ok(())
    }

    fn replace_namespace(&mut self, at: Location, prefix: &str, new: &str) -> Applied {
        self.check_namespace(new)?;
        if prefix.is_empty() {
            return no_default();
        }
        let element = self.element(&at.path, &Target::Element)?;
        let Some((place, old)) = element.undeclare(prefix) else {
            return Ok(());
        };
        let declared = Declared {
            path: &at.path,
            prefix,
            namespace: &old,
        };
        let (names, renamed) = namespace_change::rename(self.root, declared, new, self.steps);
        self.element(&at.path, &Target::Element)?
            .redeclare(place, prefix, new);
        self.has_grown = true;
        self.journal.enter(Entry::NamespaceChanged {
            path: at.path,
            prefix: prefix.to_owned(),
            old,
            names,
        });
        renamed
    }

    fn remove_namespace(&mut self, at: Location, prefix: &str) -> Applied {
        if prefix.is_empty() {
            return no_default();
        }
        let element = self.element(&at.path, &Target::Element)?;
        let Some((place, namespace)) = element.undeclare(prefix) else {
            return Ok(());
        };
        let declared = Declared {
            path: &at.path,
            prefix,
            namespace: &namespace,
        };
        let used = namespace_change::is_used(self.root, declared, self.steps);
        self.journal.enter(Entry::NamespaceRemoved(
            at.path,
            place,
            prefix.to_owned(),
            namespace,
        ));
        if used? {
            return fail(
                PatchErrorKind::InvalidNamespacePrefix,
                "names are written with that prefix",
            );
        }
        Ok(())
    }

    fn check_length(&self, name: &str) -> Applied {
        if name.len() > self.steps.limits().name {
            return fail(PatchErrorKind::TooLarge, "the name is too long");
        }
        Ok(())
    }

    fn check_namespace(&self, name: &str) -> Applied {
        let is_reserved = matches!(name, "" | namespace::XML | namespace::XMLNS);
        if is_reserved || !name.chars().all(is_xml_char) {
            return fail(
                PatchErrorKind::InvalidNamespaceUri,
                "that is no namespace that a prefix can have",
            );
        }
        if name.len() > self.steps.limits().namespace_name {
            return fail(
                PatchErrorKind::TooLarge,
                "the name of the namespace is too long",
            );
        }
        Ok(())
    }
}

/// The element that contains what was found, and where; none for the root element.
fn among_siblings(at: Location) -> Option<(Vec<usize>, Range<usize>)> {
    let Location { mut path, nodes } = at;
    if let Some(range) = nodes {
        return Some((path, range));
    }
    let place = path.pop()?;
    Some((path, place..place.saturating_add(1)))
}

fn beside_root<T>(nodes: &[Node]) -> Result<T, PatchError> {
    if nodes.iter().any(|node| matches!(node, Node::Element(_))) {
        return fail(
            PatchErrorKind::InvalidRootElementOperation,
            "nothing but the root element can be there",
        );
    }
    fail(
        PatchErrorKind::InvalidXmlPrologOperation,
        "what stands beside the root element is not kept",
    )
}

fn no_default<T>() -> Result<T, PatchError> {
    fail(
        PatchErrorKind::InvalidNamespacePrefix,
        "a default namespace cannot be changed",
    )
}

fn check_attribute(name: &Name, value: &str) -> Applied {
    let is_declaration = name.namespace() == namespace::XMLNS || name.is("", "xmlns");
    if is_declaration || !is_nc_name(name.local()) || !value.chars().all(is_xml_char) {
        return fail(
            PatchErrorKind::InvalidAttributeValue,
            "that is no attribute that an element can have",
        );
    }
    Ok(())
}

/// Where the texts begin that end before a place.
fn texts_before(nodes: &[Node], place: usize) -> usize {
    let before = nodes.get(..place).unwrap_or_default().iter().rev();
    let count = before
        .take_while(|node| matches!(node, Node::Text(_)))
        .count();
    place.saturating_sub(count)
}

/// Where the texts end that begin at a place.
fn texts_behind(nodes: &[Node], place: usize) -> usize {
    let behind = nodes.get(place..).unwrap_or_default().iter();
    let count = behind
        .take_while(|node| matches!(node, Node::Text(_)))
        .count();
    place.saturating_add(count)
}

/// Whether there is white space and nothing else.
fn check_blank(nodes: &[Node], texts: Range<usize>) -> Applied {
    let mut length = 0usize;
    for node in nodes.get(texts).unwrap_or_default() {
        if let Node::Text(text) = node
            && is_blank(text)
        {
            length = length.saturating_add(text.len());
        } else {
            length = 0;
            break;
        }
    }
    if length > 0 {
        return Ok(());
    }
    fail(
        PatchErrorKind::InvalidWhitespaceDirective,
        "there is no white space to be removed",
    )
}

fn length_of_text(node: &Node) -> usize {
    match node {
        Node::Text(text) => text.len(),
        _ => 0,
    }
}

/// The nodes, with neighbouring texts made one.
fn joined(nodes: impl Iterator<Item = Node>) -> Vec<Node> {
    let mut all: Vec<Node> = Vec::new();
    for node in nodes {
        if let (Some(Node::Text(last)), Node::Text(more)) = (all.last_mut(), &node) {
            last.push_str(more);
        } else {
            all.push(node);
        }
    }
    all
}
