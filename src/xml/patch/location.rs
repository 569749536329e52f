//! Finds the one node that a selector means (RFC 5261 section 4.1).

use core::ops::Range;

use super::error::{PatchError, PatchErrorKind, fail};
use super::operation::{Predicate, Selector, SelectorStart, Step, Target};
use super::steps::Steps;
use crate::xml::{Attribute, Element, Name, Node, NodeRef, namespace, trim};

/// Where something is in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// The way to an element: from the root on, the place among all children of the element before.
    pub(super) path: Vec<usize>,
    /// Which of its children are meant; none when the element itself is, or something of its tag.
    pub(super) nodes: Option<Range<usize>>,
}

/// Which attributes are ids, beside `xml:id`.
pub(super) type IsId<'i> = &'i dyn Fn(&Element, &Attribute) -> bool;

/// Finds exactly one node.
pub(super) fn locate(
    root: &Element,
    selector: &Selector,
    is_id: IsId<'_>,
    steps: &mut Steps,
) -> Result<Location, PatchError> {
    let mut search = Search {
        target: &selector.target,
        steps,
        found: None,
        elements: false,
    };
    match &selector.start {
        SelectorStart::Document => match selector.steps.split_first() {
            Some((first, rest)) => {
                search.steps.take(1)?;
                let mut counts = counts_of(first);
                if search.passes(root, first, &mut counts)? {
                    search.descend(root, Vec::new(), rest)?;
                }
            }
            None if matches!(
                selector.target,
                Target::Comment(_) | Target::Instruction(..)
            ) =>
            {
                return fail(
                    PatchErrorKind::InvalidXmlPrologOperation,
                    "what stands beside the root element is not kept",
                );
            }
            None => {}
        },
        SelectorStart::Id(id) => {
            let path = search.element_with_id(root, trim(id), is_id)?;
            if let Some(start) = path.as_deref().and_then(|path| element_at(root, path)) {
                search.descend(start, path.unwrap_or_default(), &selector.steps)?;
            }
        }
    }
    match search.found {
        Some(location) => Ok(location),
        None if search.elements && matches!(selector.target, Target::Namespace(_)) => fail(
            PatchErrorKind::InvalidNamespacePrefix,
            "the element does not declare that prefix",
        ),
        None => fail(PatchErrorKind::UnlocatedNode, "no such node"),
    }
}

/// The element that a path leads to.
pub(super) fn element_at<'e>(root: &'e Element, path: &[usize]) -> Option<&'e Element> {
    path.iter().try_fold(root, |element, &place| {
        match element.nodes().get(place)? {
            Node::Element(child) => Some(child),
            _ => None,
        }
    })
}

/// The same, to be changed.
pub(super) fn element_at_mut<'e>(root: &'e mut Element, path: &[usize]) -> Option<&'e mut Element> {
    path.iter()
        .try_fold(root, |element, &place| element.element_at_mut(place))
}

struct Search<'s> {
    target: &'s Target,
    steps: &'s mut Steps,
    found: Option<Location>,
    /// Some element is where the last step leads.
    elements: bool,
}

/// An element on the way, whose children are tried.
struct Frame<'e> {
    rest: core::iter::Enumerate<core::slice::Iter<'e, Node>>,
    counts: Vec<u32>,
}

impl<'e> Frame<'e> {
    fn new(element: &'e Element, step: &Step) -> Self {
        Self {
            rest: element.nodes().iter().enumerate(),
            counts: counts_of(step),
        }
    }
}

/// How many have passed so far, for each position that a step asks for.
fn counts_of(step: &Step) -> Vec<u32> {
    let is_position = |it: &&Predicate| matches!(it, Predicate::Position(_));
    vec![0; step.predicates.iter().filter(is_position).count()]
}

impl Search<'_> {
    /// Takes all ways from an element, depth first, so that it is known soon when there are two.
    fn descend(
        &mut self,
        start: &Element,
        mut path: Vec<usize>,
        steps: &[Step],
    ) -> Result<(), PatchError> {
        let Some(first) = steps.first() else {
            return self.arrive(start, &path);
        };
        let mut frames = vec![Frame::new(start, first)];
        while let Some(frame) = frames.last_mut() {
            let Some((place, node)) = frame.rest.next() else {
                frames.pop();
                // The way to the start is not its own.
                if !frames.is_empty() {
                    path.pop();
                }
                continue;
            };
            self.steps.take(1)?;
            let Node::Element(element) = node else {
                continue;
            };
            let level = frames.len();
            let (Some(frame), Some(step)) = (frames.last_mut(), steps.get(level.saturating_sub(1)))
            else {
                break;
            };
            if !self.passes(element, step, &mut frame.counts)? {
                continue;
            }
            if !frame.counts.is_empty() {
                // Nobody else can be in that place.
                frame.rest = [].iter().enumerate();
            }
            path.push(place);
            match steps.get(level) {
                Some(next) => frames.push(Frame::new(element, next)),
                None => {
                    self.arrive(element, &path)?;
                    path.pop();
                }
            }
        }
        Ok(())
    }

    fn passes(
        &mut self,
        element: &Element,
        step: &Step,
        counts: &mut [u32],
    ) -> Result<bool, PatchError> {
        if let Some(name) = &step.name
            && element.name() != name
        {
            return Ok(false);
        }
        let mut counts = counts.iter_mut();
        for predicate in &step.predicates {
            let holds = match predicate {
                Predicate::Position(position) => match counts.next() {
                    Some(count) => {
                        *count = count.saturating_add(1);
                        count == position
                    }
                    None => false,
                },
                Predicate::Attribute(name, value) => {
                    self.steps.take(element.attributes.len())?;
                    let found = element.attributes.get(name.namespace(), name.local());
                    found == Some(value)
                }
                Predicate::Child(name, value) => self.has_child(element, name.as_ref(), value)?,
                Predicate::Value(value) => self.has_value(element, value)?,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn has_child(
        &mut self,
        element: &Element,
        name: Option<&Name>,
        value: &str,
    ) -> Result<bool, PatchError> {
        for node in element.nodes() {
            self.steps.take(1)?;
            let Node::Element(child) = node else {
                continue;
            };
            if name.is_none_or(|name| child.name() == name) && self.has_value(child, value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the text in an element and in all elements in it is this (XPath 1.0, 5.2).
    fn has_value(&mut self, element: &Element, value: &str) -> Result<bool, PatchError> {
        let mut rest = value;
        let mut open = Vec::new();
        let mut next = Some(element);
        loop {
            let mut text = None;
            if let Some(element) = next.take() {
                let (only, nodes) = element.parts();
                text = only;
                if !nodes.is_empty() {
                    open.push(nodes.iter());
                }
            } else if let Some(innermost) = open.last_mut() {
                match innermost.next() {
                    Some(Node::Text(some)) => text = Some(some),
                    Some(Node::Element(child)) => next = Some(child),
                    Some(Node::Comment(_) | Node::Instruction { .. }) => {}
                    None => {
                        open.pop();
                    }
                }
            } else {
                return Ok(rest.is_empty());
            }
            self.steps.take(1)?;
            if let Some(text) = text {
                self.steps.take_for_text(text.len().min(rest.len()))?;
                match rest.strip_prefix(text) {
                    Some(behind) => rest = behind,
                    None => return Ok(false),
                }
            }
        }
    }

    /// The element with an id, which is to be the only one.
    fn element_with_id(
        &mut self,
        root: &Element,
        id: &str,
        is_id: IsId<'_>,
    ) -> Result<Option<Vec<usize>>, PatchError> {
        let mut found: Option<Vec<usize>> = None;
        let mut path = Vec::new();
        let mut open = Vec::new();
        let mut next = Some(root);
        loop {
            self.steps.take(1)?;
            if let Some(element) = next.take() {
                self.steps.take(element.attributes.len())?;
                let mut attributes = element.attributes.iter();
                if attributes.any(|attribute| {
                    let is_it =
                        attribute.name.is(namespace::XML, "id") || is_id(element, attribute);
                    is_it && trim(&attribute.value) == id
                }) {
                    if found.is_some() {
                        return several();
                    }
                    found = Some(path.clone());
                }
                open.push(element.nodes().iter().enumerate());
            }
            let Some(innermost) = open.last_mut() else {
                return Ok(found);
            };
            match innermost.next() {
                Some((place, Node::Element(child))) => {
                    path.push(place);
                    next = Some(child);
                }
                Some(_) => {}
                None => {
                    open.pop();
                    path.pop();
                }
            }
        }
    }

    /// An element is where the steps lead: takes what is meant of it.
    fn arrive(&mut self, element: &Element, path: &[usize]) -> Result<(), PatchError> {
        self.elements = true;
        match self.target {
            Target::Element => self.find(path, None),
            Target::Attribute(name) => {
                self.steps.take(element.attributes.len())?;
                let value = element.attributes.get(name.namespace(), name.local());
                value.map_or(Ok(()), |_| self.find(path, None))
            }
            Target::Namespace(prefix) => {
                let mut declared = element.declarations();
                if declared.any(|(known, _)| known == prefix) {
                    self.find(path, None)?;
                }
                Ok(())
            }
            Target::Text(place) => self.texts(element, path, *place),
            Target::Comment(place) => self.others(element, path, *place, |node| {
                matches!(node, NodeRef::Comment(_))
            }),
            Target::Instruction(name, place) => self.others(element, path, *place, |node| {
                let NodeRef::Instruction { target, .. } = node else {
                    return false;
                };
                name.as_deref().is_none_or(|name| name == target)
            }),
        }
    }

    /// Takes the text in that place, or all of them: texts side by side are one.
    fn texts(
        &mut self,
        element: &Element,
        path: &[usize],
        place: Option<u32>,
    ) -> Result<(), PatchError> {
        let mut count = 0u32;
        let mut nodes = element.children().enumerate().peekable();
        while let Some((start, node)) = nodes.next() {
            self.steps.take(1)?;
            let NodeRef::Text(text) = node else {
                continue;
            };
            let mut is_something = !text.is_empty();
            let mut end = start.saturating_add(1);
            while let Some((at, NodeRef::Text(more))) =
                nodes.next_if(|(_, node)| matches!(node, NodeRef::Text(_)))
            {
                self.steps.take(1)?;
                is_something |= !more.is_empty();
                end = at.saturating_add(1);
            }
            if is_something {
                count = count.saturating_add(1);
                if place.is_none_or(|place| place == count) {
                    self.find(path, Some(start..end))?;
                }
            }
        }
        Ok(())
    }

    fn others(
        &mut self,
        element: &Element,
        path: &[usize],
        place: Option<u32>,
        is_meant: impl Fn(NodeRef<'_>) -> bool,
    ) -> Result<(), PatchError> {
        let mut count = 0u32;
        for (at, node) in element.nodes().iter().enumerate() {
            self.steps.take(1)?;
            if is_meant(NodeRef::from(node)) {
                count = count.saturating_add(1);
                if place.is_none_or(|place| place == count) {
                    self.find(path, Some(at..at.saturating_add(1)))?;
                }
            }
        }
        Ok(())
    }

    fn find(&mut self, path: &[usize], nodes: Option<Range<usize>>) -> Result<(), PatchError> {
        if self.found.is_some() {
            return several();
        }
        self.found = Some(Location {
            path: path.to_vec(),
            nodes,
        });
        Ok(())
    }
}

fn several<T>() -> Result<T, PatchError> {
    fail(PatchErrorKind::UnlocatedNode, "several such nodes")
}
