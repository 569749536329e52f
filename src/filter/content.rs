//! What filters leave of a document.

use super::budget::Budget;
use super::error::EvaluationError;
use super::evaluation::{Selected, select};
use super::expression::{Expression, is_in_namespace_of, put_text};
use super::nodes::{Marks, Nodes};
use super::required::Required;
use crate::xml::{Attributes, Element, Name, Node, NodeRef, is_blank, namespace};

/// What one filter shows.
#[derive(Debug)]
pub(super) struct Content {
    /// With none of them, everything.
    pub(super) includes: Vec<Selection>,
    pub(super) excludes: Vec<Selection>,
}

#[derive(Debug)]
pub(super) enum Selection {
    Path(Expression),
    /// A name in the namespace.
    Namespace(Name),
}

impl Selection {
    fn to_canonical(&self) -> String {
        match self {
            Self::Path(expression) => expression.to_canonical(),
            Self::Namespace(name) => {
                let mut out = String::new();
                put_text(&mut out, name.namespace());
                out
            }
        }
    }
}

impl Content {
    pub(super) fn to_canonical(&self) -> String {
        let includes = self.includes.iter().map(|it| ("+", it));
        let excludes = self.excludes.iter().map(|it| ("-", it));
        let lines = includes.chain(excludes);
        let mut lines: Vec<String> = lines
            .map(|(sign, it)| format!("{sign}{}", it.to_canonical()))
            .collect();
        lines.sort_unstable();
        lines.dedup();
        lines.join("\n")
    }
}

/// What of a document stays.
struct Kept {
    /// Elements that are shown for themselves, with their text.
    elements: Marks,
    attributes: Marks,
    /// Elements that are shown, be it for what is in them.
    live: Marks,
    /// Elements of which something is not shown.
    broken: Marks,
}

/// The document with what any of the filters shows; none when that is nothing.
pub(super) fn apply(
    contents: &[Content],
    document: &Element,
    required: &dyn Required,
    budget: &mut Budget,
) -> Result<Option<Element>, EvaluationError> {
    if contents.is_empty() {
        return Ok(Some(document.clone()));
    }
    let nodes = Nodes::of(document, budget)?;
    let mut kept = Kept {
        elements: Marks::none(nodes.len()),
        attributes: Marks::none(nodes.attributes()),
        live: Marks::none(nodes.len()),
        broken: Marks::none(nodes.len()),
    };
    for content in contents {
        keep(content, &nodes, &mut kept, budget)?;
    }
    for (number, node) in nodes.iter().rev() {
        let all_attributes = nodes
            .attributes_of(node)
            .all(|(place, _)| kept.attributes.has(place));
        if kept.elements.has(number) {
            kept.live.set(number);
        }
        if !kept.elements.has(number) || !all_attributes {
            kept.broken.set(number);
        }
        if kept.live.has(number) {
            kept.live.set(node.parent);
        }
        if kept.broken.has(number) {
            kept.broken.set(node.parent);
        }
    }
    if !kept.live.has(0) {
        return Ok(None);
    }
    let mut builder = Builder {
        nodes: &nodes,
        kept: &kept,
        required,
        path: Vec::new(),
    };
    Ok(builder.element(0))
}

/// What an element is to one filter.
#[derive(Clone, Copy, Default)]
struct Standing {
    /// It, or one around it, is selected with all it contains.
    all: bool,
    /// It is selected, but what it contains is by itself only.
    own: bool,
    /// It, or one around it, is excluded.
    out: bool,
}

/// Marks what one filter shows.
fn keep<'d>(
    content: &Content,
    nodes: &Nodes<'d>,
    kept: &mut Kept,
    budget: &mut Budget,
) -> Result<(), EvaluationError> {
    let mut included = Picked::of(&content.includes, nodes, budget)?;
    if content.includes.is_empty() {
        included.elements.set(0);
    }
    let excluded = Picked::of(&content.excludes, nodes, budget)?;
    budget.charge(nodes.len())?;
    let mut standings: Vec<Standing> = Vec::with_capacity(nodes.len());
    for (number, node) in nodes.iter() {
        let around = standings.get(node.parent).copied().unwrap_or_default();
        let name = node.element.name();
        let is_of = |namespaces: &[&Name]| {
            let mut namespaces = namespaces.iter();
            namespaces.any(|it| is_in_namespace_of(it, name))
        };
        let standing = Standing {
            all: around.all || included.elements.has(number),
            own: is_of(&included.namespaces),
            out: around.out || excluded.elements.has(number) || is_of(&excluded.namespaces),
        };
        standings.push(standing);
        if standing.out {
            continue;
        }
        let shown = standing.all || standing.own;
        if shown {
            kept.elements.set(number);
        }
        for (place, attribute) in nodes.attributes_of(node) {
            let of = |namespaces: &[&Name]| {
                let mut namespaces = namespaces.iter();
                namespaces.any(|it| is_in_namespace_of(it, &attribute.name))
            };
            let is_shown = standing.all
                || included.attributes.has(place)
                || (standing.own
                    && (matches!(attribute.name.namespace(), "" | namespace::XML)
                        || of(&included.namespaces)));
            if is_shown && !excluded.attributes.has(place) && !of(&excluded.namespaces) {
                kept.attributes.set(place);
                if !shown {
                    kept.live.set(number);
                }
            }
        }
    }
    Ok(())
}

/// What selections pick.
struct Picked<'c> {
    elements: Marks,
    attributes: Marks,
    namespaces: Vec<&'c Name>,
}

impl<'c> Picked<'c> {
    fn of(
        selections: &'c [Selection],
        nodes: &Nodes<'_>,
        budget: &mut Budget,
    ) -> Result<Self, EvaluationError> {
        let mut picked = Self {
            elements: Marks::none(nodes.len()),
            attributes: Marks::none(nodes.attributes()),
            namespaces: Vec::new(),
        };
        for selection in selections {
            match selection {
                Selection::Namespace(name) => {
                    // Each is looked for at each element and attribute.
                    budget.charge(nodes.len().saturating_add(nodes.attributes()))?;
                    picked.namespaces.push(name);
                }
                Selection::Path(expression) => match select(expression, nodes, budget)? {
                    Selected::Elements(elements) => picked.elements.add(&elements),
                    Selected::Attributes(attributes) => {
                        for (_, place, _) in attributes {
                            picked.attributes.set(place);
                        }
                    }
                },
            }
        }
        Ok(picked)
    }
}

struct Builder<'b, 'd> {
    nodes: &'b Nodes<'d>,
    kept: &'b Kept,
    required: &'b dyn Required,
    /// The element in the making, and before it those it stands in.
    path: Vec<&'d Element>,
}

impl<'d> Builder<'_, 'd> {
    /// An element that stays, with what stays in it and what it may not be without.
    fn element(&mut self, number: usize) -> Option<Element> {
        let node = self.nodes.get(number)?;
        if !self.kept.broken.has(number) {
            return Some(node.element.clone());
        }
        self.path.push(node.element);
        let numbers: Vec<usize> = self.nodes.children(number).collect();
        let kept = numbers.iter().map(|&child| self.kept.live.has(child));
        let kept: Vec<bool> = kept.collect();
        let missing = if kept.contains(&false) {
            self.required.children(&self.path, &kept)
        } else {
            Vec::new()
        };
        let attributes = self.nodes.attributes_of(node);
        let attributes = attributes
            .filter(|(place, attribute)| {
                self.kept.attributes.has(*place)
                    || self.required.attribute(&self.path, &attribute.name)
            })
            .map(|(_, attribute)| attribute.clone());
        let mut element = bare(node.element, attributes.collect());

        // A value belongs to its element; text between others is shown where its element is.
        let has_text = numbers.is_empty()
            || (self.kept.elements.has(number) && !is_blank(&node.element.text()));
        let mut children = numbers.iter().zip(kept).enumerate();
        for child in node.element.children() {
            match child {
                NodeRef::Text(text) if has_text => element.push_text(text),
                NodeRef::Text(_) | NodeRef::Comment(_) | NodeRef::Instruction { .. } => {}
                NodeRef::Element(child) => {
                    let Some((place, (number, is_kept))) = children.next() else {
                        break;
                    };
                    let stays = if is_kept {
                        self.element(*number)
                    } else {
                        missing.contains(&place).then(|| self.put_back(child))
                    };
                    if let Some(child) = stays {
                        element.children_mut().push(Node::Element(child));
                    }
                }
            }
        }
        self.path.pop();
        Some(element)
    }

    /// An element that the one in the making may not be without: so much of it as it needs itself.
    fn put_back(&mut self, original: &'d Element) -> Element {
        self.path.push(original);
        let none = vec![false; original.elements().count()];
        let missing = if none.is_empty() {
            Vec::new()
        } else {
            self.required.children(&self.path, &none)
        };
        let element = if missing.is_empty() {
            original.clone()
        } else {
            let attributes = original.attributes.iter();
            let attributes = attributes
                .filter(|attribute| self.required.attribute(&self.path, &attribute.name))
                .cloned();
            let mut element = bare(original, attributes.collect());
            for (place, child) in original.elements().enumerate() {
                if missing.contains(&place) {
                    let child = self.put_back(child);
                    element.push_child(child);
                }
            }
            element
        };
        self.path.pop();
        element
    }
}

/// An element of this name, with the declarations that its content may rely on.
fn bare(original: &Element, attributes: Attributes) -> Element {
    let mut element = Element::named(original.name().clone());
    element.attributes = attributes;
    for (prefix, namespace) in original.declarations() {
        element.declare(prefix, namespace);
    }
    element
}
