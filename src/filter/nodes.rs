//! The elements of a document in a row.

use super::budget::Budget;
use super::error::EvaluationError;
use crate::xml::{Attribute, Element, NodeRef, XmlLimits};

/// An element and its place.
#[derive(Debug)]
pub(super) struct Node<'d> {
    pub(super) element: &'d Element,
    /// The number of the element that it stands in; the root's own for the root.
    pub(super) parent: usize,
    /// The number behind the last element in it.
    pub(super) end: usize,
    /// The number of its first attribute among those of the document.
    pub(super) attributes: usize,
    /// Octets of attributes and text before it.
    octets: usize,
}

/// The elements of a document in its order: each stands before what it contains.
#[derive(Debug)]
pub(super) struct Nodes<'d> {
    all: Vec<Node<'d>>,
    root: &'d Element,
    attributes: usize,
    octets: usize,
}

impl<'d> Nodes<'d> {
    pub(super) fn of(root: &'d Element, budget: &mut Budget) -> Result<Self, EvaluationError> {
        let mut nodes = Self {
            all: Vec::with_capacity(256),
            root,
            attributes: 0,
            octets: 0,
        };
        nodes.put(root, 0, 0, budget)?;
        Ok(nodes)
    }

    fn put(
        &mut self,
        element: &'d Element,
        parent: usize,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<(), EvaluationError> {
        // Nothing that was read is deeper.
        if depth >= XmlLimits::MAX_DEPTH {
            return Err(EvaluationError::OverBudget);
        }
        budget.charge(1)?;
        let number = self.all.len();
        self.all.push(Node {
            element,
            parent,
            end: 0,
            attributes: self.attributes,
            octets: self.octets,
        });
        self.attributes = self.attributes.saturating_add(element.attributes.len());
        for attribute in &element.attributes {
            self.octets = self.octets.saturating_add(attribute.value.len());
        }
        for child in element.children() {
            match child {
                NodeRef::Text(text) => self.octets = self.octets.saturating_add(text.len()),
                NodeRef::Comment(_) | NodeRef::Instruction { .. } => {}
                NodeRef::Element(child) => {
                    self.put(child, number, depth.saturating_add(1), budget)?;
                }
            }
        }
        let end = self.all.len();
        if let Some(node) = self.all.get_mut(number) {
            node.end = end;
        }
        Ok(())
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn root(&self) -> &'d Element {
        self.root
    }

    pub(super) fn get(&self, number: usize) -> Option<&Node<'d>> {
        self.all.get(number)
    }

    /// The elements with their numbers.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, &Node<'d>)> {
        self.all.iter().enumerate()
    }

    /// How many attributes the document has.
    pub(super) fn attributes(&self) -> usize {
        self.attributes
    }

    /// The attributes of an element with their numbers.
    pub(super) fn attributes_of(
        &self,
        node: &Node<'d>,
    ) -> impl Iterator<Item = (usize, &'d Attribute)> + use<'d> {
        (node.attributes..).zip(&node.element.attributes)
    }

    /// The numbers of the elements directly in one.
    pub(super) fn children(&self, number: usize) -> impl Iterator<Item = usize> + use<'_, 'd> {
        let end = self.get(number).map_or(0, |node| node.end);
        let first = number.saturating_add(1);
        let first = (first < end).then_some(first);
        core::iter::successors(first, move |&child| {
            let next = self.get(child)?.end;
            (next < end).then_some(next)
        })
    }

    /// What it costs to look at all in an element.
    pub(super) fn weight(&self, number: usize) -> usize {
        let Some(node) = self.get(number) else {
            return 0;
        };
        let behind = self.get(node.end).map_or(self.octets, |next| next.octets);
        let elements = node.end.saturating_sub(number);
        behind.saturating_sub(node.octets).saturating_add(elements)
    }
}

/// A set of numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks(Vec<bool>);

impl Marks {
    /// None of so many.
    pub(super) fn none(number: usize) -> Self {
        Self(vec![false; number])
    }

    #[inline]
    pub(super) fn has(&self, number: usize) -> bool {
        self.0.get(number).is_some_and(|marked| *marked)
    }

    #[inline]
    pub(super) fn set(&mut self, number: usize) {
        if let Some(mark) = self.0.get_mut(number) {
            *mark = true;
        }
    }

    pub(super) fn clear(&mut self, number: usize) {
        if let Some(mark) = self.0.get_mut(number) {
            *mark = false;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }

    /// Leaves only those that are in the other set too.
    pub(super) fn keep(&mut self, other: &Self) {
        for (mark, other) in self.0.iter_mut().zip(&other.0) {
            *mark &= *other;
        }
    }

    /// Adds those of the other set.
    pub(super) fn add(&mut self, other: &Self) {
        for (mark, other) in self.0.iter_mut().zip(&other.0) {
            *mark |= *other;
        }
    }
}
