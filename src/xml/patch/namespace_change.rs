//! What becomes of the names in an element whose declaration of a prefix changes or goes (RFC 5261
//! sections 4.4.3 and 4.5.3).
//!
//! A tree holds expanded names and, for most, the prefix that they were written with. Of well-known
//! namespaces it does not: their names are taken to have the prefix unless another one for the same
//! namespace is in scope.

use std::collections::HashSet;

use super::error::{PatchError, PatchErrorKind, fail};
use super::location::{element_at, element_at_mut};
use super::steps::Steps;
use crate::xml::{Element, Name};

/// A declaration: whose it is, its prefix and its namespace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declared<'d> {
    pub(super) path: &'d [usize],
    pub(super) prefix: &'d str,
    pub(super) namespace: &'d str,
}

/// Whether a name in the element is written with the prefix that it declares.
pub(super) fn is_used(
    root: &mut Element,
    declared: Declared<'_>,
    steps: &mut Steps,
) -> Result<bool, PatchError> {
    let mut used = false;
    each_use(root, declared, steps, &mut |_, _| used = true)?;
    Ok(used)
}

/// Gives the names that are written with the prefix another namespace; tells which they are and what they
/// were. The error comes when some were changed already.
pub(super) fn rename(
    root: &mut Element,
    declared: Declared<'_>,
    namespace: &str,
    steps: &mut Steps,
) -> (Vec<(usize, Name)>, Result<(), PatchError>) {
    // All share what they have in common.
    let common = Name::with_prefix(namespace, "", declared.prefix);
    let mut before = Vec::new();
    let walked = each_use(root, declared, steps, &mut |number, name| {
        let new = common.with_local_of(name);
        before.push((number, core::mem::replace(name, new)));
    });
    let element = element_at_mut(root, declared.path);
    let walked = walked.and_then(|()| match element {
        Some(element) if !before.is_empty() => differ(element, steps),
        _ => Ok(()),
    });
    (before, walked)
}

/// Whether no two attributes of one element have the same name.
fn differ(element: &Element, steps: &mut Steps) -> Result<(), PatchError> {
    let mut open = vec![element];
    while let Some(element) = open.pop() {
        steps.take(element.attributes.len().saturating_add(1))?;
        if element.attributes.len() > 1 {
            let mut names = HashSet::new();
            let mut attributes = element.attributes.iter();
            if !attributes.all(|attribute| names.insert(&attribute.name)) {
                return fail(
                    PatchErrorKind::InvalidNamespaceUri,
                    "an element would have an attribute twice",
                );
            }
        }
        open.extend(element.elements());
    }
    Ok(())
}

/// Gives names back what they were.
pub(super) fn give_back(element: &mut Element, names: Vec<(usize, Name)>) {
    let mut names = names.into_iter().peekable();
    let mut number = 0;
    each_name(element, &mut number, &mut |number, name| {
        if let Some((_, old)) = names.next_if(|(at, _)| *at == number) {
            *name = old;
        }
    });
}

fn each_name(element: &mut Element, number: &mut usize, visit: &mut dyn FnMut(usize, &mut Name)) {
    visit(*number, element.name_mut());
    *number = number.saturating_add(1);
    for attribute in element.attributes.iter_mut() {
        visit(*number, &mut attribute.name);
        *number = number.saturating_add(1);
    }
    for child in element.elements_mut() {
        each_name(child, number, visit);
    }
}

/// Visits the names that are written with the prefix, with their numbers among all names in the element.
fn each_use(
    root: &mut Element,
    declared: Declared<'_>,
    steps: &mut Steps,
    visit: &mut dyn FnMut(usize, &mut Name),
) -> Result<(), PatchError> {
    let mut around = Around::default();
    for level in 0..declared.path.len() {
        let outer = declared.path.get(..level).unwrap_or_default();
        if let Some(element) = element_at(root, outer) {
            around = around.inside(element, declared);
        }
    }
    // What the element declares is the prefix itself.
    let Some(element) = element_at_mut(root, declared.path) else {
        return Ok(());
    };
    let mut around = around.inside(element, declared);
    around.shadowed = false;
    let mut walk = Walk {
        declared,
        steps,
        visit,
        number: 0,
    };
    walk.names_of(element, &around)
}

/// What is in scope.
#[derive(Debug, Clone, Default)]
struct Around {
    /// Other prefixes for the namespace.
    others: Vec<String>,
    /// The prefix is declared further in.
    shadowed: bool,
}

impl Around {
    fn inside(&self, element: &Element, declared: Declared<'_>) -> Self {
        let mut inner = self.clone();
        for (prefix, namespace) in element.declarations() {
            if prefix == declared.prefix {
                inner.shadowed = true;
                continue;
            }
            inner.others.retain(|other| other != prefix);
            if namespace == declared.namespace {
                inner.others.push(prefix.to_owned());
            }
        }
        inner
    }
}

struct Walk<'w> {
    declared: Declared<'w>,
    steps: &'w mut Steps,
    visit: &'w mut dyn FnMut(usize, &mut Name),
    number: usize,
}

impl Walk<'_> {
    fn names_of(&mut self, element: &mut Element, around: &Around) -> Result<(), PatchError> {
        let names = element.attributes.len().saturating_add(1);
        self.steps.take(names)?;
        self.name(element.name_mut(), around, false);
        for attribute in element.attributes.iter_mut() {
            self.name(&mut attribute.name, around, true);
        }
        for child in element.elements_mut() {
            if child.has_declarations() {
                let others = around.others.len();
                self.steps
                    .take(child.declarations().count().saturating_add(others))?;
                let inner = around.inside(child, self.declared);
                self.names_of(child, &inner)?;
            } else {
                self.names_of(child, around)?;
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &mut Name, around: &Around, attribute: bool) {
        if !around.shadowed && name.namespace() == self.declared.namespace {
            let written = name.known_namespace().is_none() && name.prefix() == self.declared.prefix;
            // The default namespace is none of attributes.
            let mut others = around.others.iter();
            if written || !others.any(|other| !(attribute && other.is_empty())) {
                (self.visit)(self.number, name);
            }
        }
        self.number = self.number.saturating_add(1);
    }
}
