//! Operations in the making.

use std::borrow::Cow;

use super::scopes::Scopes;
use super::siblings::Mark;
use super::sizes::name_size;
use crate::xml::element::Content;
use crate::xml::patch::{Change, Operation, Position, Predicate, Selector, SelectorStart, Space};
use crate::xml::patch::{Step, Target};
use crate::xml::{Attribute, Element, Name, Node, Text};

/// Where an element is: a number among the places of a comparison.
pub(super) type PlaceId = u32;
/// The place of the root.
pub(super) const ROOT: PlaceId = 0;

/// A step of a selector, and those before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'e> {
    pub(super) parent: Option<PlaceId>,
    pub(super) name: &'e Name,
    pub(super) mark: Mark<'e>,
    /// How long the selector is up to here.
    pub(super) len: usize,
    pub(super) steps: usize,
}

/// An operation in the making, which borrows what it is about.
#[derive(Debug)]
pub(super) struct Edit<'e> {
    pub(super) place: PlaceId,
    pub(super) kind: EditKind<'e>,
    /// The innermost element around the content that declares prefixes.
    pub(super) scope: Option<usize>,
}

#[derive(Debug)]
pub(super) enum EditKind<'e> {
    /// Elements beside the place.
    AddBeside(Position, Vec<&'e Element>),
    /// Elements inside.
    AddInside(Position, Vec<&'e Element>),
    /// All that this element contains, inside.
    Fill(&'e Element),
    Replace(&'e Element),
    Remove,
    ReplaceText(Cow<'e, str>),
    RemoveText,
    /// The first node of all that is inside, which is of this kind.
    RemoveFirst(Target),
    AddAttribute(&'e Attribute),
    ReplaceAttribute(&'e Attribute),
    RemoveAttribute(&'e Name),
}

/// All places that something was asked about.
#[derive(Debug)]
pub(super) struct Places<'e>(Vec<Place<'e>>);

impl<'e> Places<'e> {
    /// Nothing but the root, which is [`ROOT`].
    pub(super) fn new(root: &'e Element) -> Self {
        Self(vec![Place {
            parent: None,
            name: root.name(),
            mark: Mark::Nothing,
            len: 1,
            steps: 1,
        }])
    }

    fn at(&self, place: PlaceId) -> Option<Place<'e>> {
        let at = usize::try_from(place).ok()?;
        self.0.get(at).copied()
    }

    /// How long the selector of a place is.
    pub(super) fn len_of(&self, place: PlaceId) -> usize {
        self.at(place).map_or(0, |place| place.len)
    }

    /// The place of an element in another.
    pub(super) fn step(&mut self, parent: PlaceId, name: &'e Name, mark: Mark<'e>) -> PlaceId {
        let outer = self.at(parent);
        let (len, steps) = outer.map_or((0, 0), |outer| (outer.len, outer.steps));
        let own = name_size(name).saturating_add(mark.len());
        let place = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.push(Place {
            parent: Some(parent),
            name,
            mark,
            len: len.saturating_add(own).saturating_add(1),
            steps: steps.saturating_add(1),
        });
        place
    }

    /// The operation that an edit stands for.
    pub(super) fn operation(&self, edit: &Edit<'e>, scopes: &Scopes<'e>) -> Operation {
        let mut selector = Selector {
            start: SelectorStart::Document,
            steps: self.steps(edit.place),
            target: Target::Element,
        };
        let taken = |elements: &[&Element]| -> Vec<Node> {
            let taken = elements.iter().map(|it| scopes.taken(edit.scope, it));
            taken.map(Node::Element).collect()
        };
        let change = match &edit.kind {
            EditKind::AddBeside(position, elements) | EditKind::AddInside(position, elements) => {
                Change::Add {
                    position: *position,
                    nodes: taken(elements),
                }
            }
            EditKind::Fill(after) => Change::Add {
                position: Position::Append,
                nodes: after
                    .content()
                    .map(|content| match content {
                        Content::Element(element) => {
                            Node::Element(scopes.taken(edit.scope, element))
                        }
                        Content::Text(text) => Node::Text(text.into()),
                    })
                    .collect(),
            },
            EditKind::Replace(after) => Change::Replace {
                nodes: taken(&[after]),
            },
            EditKind::Remove => Change::Remove { space: Space::None },
            EditKind::ReplaceText(text) => {
                selector.target = Target::Text(None);
                Change::Replace {
                    nodes: vec![Node::Text(Text::from(text.as_ref()))],
                }
            }
            EditKind::RemoveText => {
                selector.target = Target::Text(None);
                Change::Remove { space: Space::None }
            }
            EditKind::RemoveFirst(kind) => {
                if *kind == Target::Element {
                    let first = Step::new(None).with(Predicate::Position(1));
                    selector.steps.push(first);
                }
                selector.target = kind.clone();
                Change::Remove { space: Space::None }
            }
            EditKind::AddAttribute(attribute) => Change::AddAttribute {
                name: attribute.name.clone(),
                value: attribute.value.as_str().to_owned(),
            },
            EditKind::ReplaceAttribute(attribute) => {
                selector.target = Target::Attribute(attribute.name.clone());
                Change::ReplaceValue {
                    value: attribute.value.as_str().to_owned(),
                }
            }
            EditKind::RemoveAttribute(name) => {
                selector.target = Target::Attribute((*name).clone());
                Change::Remove { space: Space::None }
            }
        };
        Operation::new(selector, change)
    }

    fn steps(&self, place: PlaceId) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut next = self.at(place);
        steps.reserve_exact(next.map_or(0, |place| place.steps).saturating_add(1));
        while let Some(place) = next {
            let Some(parent) = place.parent else {
                // The root, whatever its name.
                steps.push(Step::new(None));
                break;
            };
            let step = Step::new(Some(place.name.clone()));
            steps.push(match place.mark {
                Mark::Nothing => step,
                Mark::Id(id) => step.with(Predicate::Attribute(Name::new("", "id"), id.to_owned())),
                Mark::Position(at) => step.with(Predicate::Position(at)),
            });
            next = self.at(parent);
        }
        steps.reverse();
        steps
    }
}
