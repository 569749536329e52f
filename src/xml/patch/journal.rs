//! Takes changes of a tree back.

use super::location::element_at_mut;
use super::namespace_change;
use crate::xml::{Attribute, Element, Name, Node};

/// What was done, so that it can be undone: nothing is copied for it, what went is kept here.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
}

/// One change: where, and what was there.
#[derive(Debug)]
pub(super) enum Entry {
    Root(Box<Element>),
    /// Children took the place of others.
    Children {
        path: Vec<usize>,
        start: usize,
        new: usize,
        old: Vec<Node>,
    },
    AttributeAdded(Vec<usize>, Name),
    AttributeChanged(Vec<usize>, Attribute),
    AttributeRemoved(Vec<usize>, usize, Attribute),
    NamespaceAdded(Vec<usize>, String),
    /// Path, place, prefix, namespace.
    NamespaceRemoved(Vec<usize>, usize, String, String),
    NamespaceChanged {
        path: Vec<usize>,
        prefix: String,
        old: String,
        /// The names as they were, by the order of all names in the element.
        names: Vec<(usize, Name)>,
    },
}

impl Journal {
    pub(super) fn enter(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Leaves the document as it was at first.
    pub(super) fn undo(self, root: &mut Element) {
        for entry in self.entries.into_iter().rev() {
            // Paths lead where they led.
            let _: Option<()> = undo(root, entry);
        }
    }
}

fn undo(root: &mut Element, entry: Entry) -> Option<()> {
    match entry {
        Entry::Root(old) => *root = *old,
        Entry::Children {
            path,
            start,
            new,
            old,
        } => {
            let nodes = element_at_mut(root, &path)?.children_mut();
            let end = start.saturating_add(new).min(nodes.len());
            nodes.splice(start.min(end)..end, old);
        }
        Entry::AttributeAdded(path, name) => {
            element_at_mut(root, &path)?.attributes.take(&name);
        }
        Entry::AttributeChanged(path, old) => {
            element_at_mut(root, &path)?
                .attributes
                .set(old.name, old.value);
        }
        Entry::AttributeRemoved(path, at, old) => {
            element_at_mut(root, &path)?.attributes.put_back(at, old);
        }
        Entry::NamespaceAdded(path, prefix) => {
            element_at_mut(root, &path)?.undeclare(&prefix);
        }
        Entry::NamespaceRemoved(path, at, prefix, namespace) => {
            element_at_mut(root, &path)?.redeclare(at, &prefix, &namespace);
        }
        Entry::NamespaceChanged {
            path,
            prefix,
            old,
            names,
        } => {
            let element = element_at_mut(root, &path)?;
            element.declare(&prefix, &old);
            namespace_change::give_back(element, names);
        }
    }
    Some(())
}
