//! What changes one document into another.

mod alignment;
mod edits;
mod items;
mod scopes;
mod siblings;
mod sizes;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use alignment::{Item, align};
use edits::{Edit, EditKind, PlaceId, Places, ROOT};
use items::{Digests, Items};
use scopes::Scopes;
use siblings::{Class, Mark, Siblings};
use sizes::{content_size, element_size, name_size, tag_size};

use super::operation::{Operation, Position, Target};
use crate::xml::element::{Content, Shape};
use crate::xml::{Attributes, Element, Name, Node, NodeRef};

/// The operations that change `before` into `after`, in the order in which they are to be applied; none
/// when they are equal. Nothing at all when the names of the two elements differ, since the root of a
/// document cannot be replaced (RFC 5261, 3).
///
/// Elements are equal as [`Element`] says. Children that have a name and an attribute `id` like no other
/// are followed by these, the others by what they contain, and what cannot be followed is removed and
/// added. Where many things changed in an element, the element is replaced as soon as that is shorter.
/// The time that this takes grows with the size of the two documents and little faster.
///
/// Selectors begin with `*`, which is the root whatever its name. They name an element by its name where
/// it is the only one, or by name and `id`; by its position where both occur more than once.
///
/// ```
/// use presentity::xml::patch::{Change, difference};
/// use presentity::xml::{Element, XmlLimits};
///
/// let limits = XmlLimits::default();
/// let before = Element::read(b"<a><b id='x'>1</b><b id='y'>1</b></a>", &limits)?;
/// let after = Element::read(b"<a><b id='x'>1</b><b id='y'>2</b></a>", &limits)?;
/// let operations = difference(&before, &after).unwrap_or_default();
/// assert_eq!(operations.len(), 1);
/// assert!(matches!(operations[0].change, Change::Replace { .. }));
/// # Ok::<(), presentity::xml::XmlError>(())
/// ```
pub fn difference(before: &Element, after: &Element) -> Option<Vec<Operation>> {
    if before.name() != after.name() {
        return None;
    }
    let mut comparison = Comparison {
        root: before,
        edits: Vec::new(),
        cost: 0,
        levels: Vec::new(),
        places: Places::new(before),
        scopes: Scopes::default(),
        digests: Digests::new(),
    };
    comparison.whole(before, after);
    let Comparison {
        edits,
        places,
        scopes,
        ..
    } = &comparison;
    let operations = edits.iter().map(|edit| places.operation(edit, scopes));
    Some(operations.collect())
}

/// What an operation takes when it is written, beside its selector and its content.
const OF_AN_OPERATION: usize = 25;
/// Up to this many children are compared each with each.
const FEW: usize = 12;

/// An element whose children are compared.
#[derive(Debug)]
struct Level<'e> {
    before: &'e [Node],
    /// Known once something asked; told of every child that comes, goes or is done with, unless
    /// children stay what they are known by.
    siblings: Option<Siblings<'e>>,
    in_step: bool,
    /// The child that is looked at, as it was, and its number.
    child: Option<&'e Element>,
    at: usize,
    /// Where it is, once something asked.
    place: Option<PlaceId>,
}

impl<'e> Level<'e> {
    fn look_at(&mut self, at: usize, child: &'e Element) {
        self.at = at;
        self.child = Some(child);
        self.place = None;
    }

    /// What marks the child that is looked at.
    fn mark(&mut self) -> Option<(&'e Element, Mark<'e>)> {
        let child = self.child?;
        let before = self.before;
        let siblings = self
            .siblings
            .get_or_insert_with(|| Siblings::of(elements(before)));
        if self.in_step {
            siblings.pass_to(self.at);
        }
        let class = siblings.before(self.at)?;
        Some((child, siblings.mark_of_next(class, child)))
    }
}

/// What an element contains.
enum Kind<'e> {
    Nothing,
    Text(Cow<'e, str>),
    Elements(&'e [Node]),
    Mixed,
}

impl<'e> Kind<'e> {
    fn of(element: &'e Element) -> Self {
        match element.shape() {
            Shape::Nothing => Self::Nothing,
            Shape::Text(text) => Self::Text(Cow::Borrowed(text)),
            Shape::Elements(nodes) => Self::Elements(nodes),
            Shape::Mixed(nodes) => {
                let mut content = element.content();
                match (content.next(), content.next()) {
                    (None, _) => Self::Nothing,
                    // A comment makes two texts of one.
                    (Some(Content::Text(text)), None) if nodes.iter().all(is_text) => {
                        Self::Text(text)
                    }
                    _ => Self::Mixed,
                }
            }
        }
    }
}

fn is_text(node: &Node) -> bool {
    matches!(node, Node::Text(_))
}

fn elements(nodes: &[Node]) -> impl Iterator<Item = &Element> {
    nodes.iter().filter_map(|node| match node {
        Node::Element(element) => Some(element),
        _ => None,
    })
}

struct Comparison<'e> {
    /// The document as it was.
    root: &'e Element,
    edits: Vec<Edit<'e>>,
    /// About how many octets the edits take.
    cost: usize,
    levels: Vec<Level<'e>>,
    places: Places<'e>,
    scopes: Scopes<'e>,
    digests: Digests,
}

impl<'e> Comparison<'e> {
    fn whole(&mut self, before: &'e Element, after: &'e Element) {
        let outside = self.scopes.enter(after);
        self.attributes(&before.attributes, &after.attributes);
        match (Kind::of(before), Kind::of(after)) {
            (Kind::Elements(one), Kind::Elements(other)) => {
                self.children(one, other);
            }
            (one, other) => {
                if self.content(before, one, after, other).is_none() {
                    self.rewrite(before, after);
                }
            }
        }
        self.scopes.leave(outside);
    }

    /// Finds what changes the one into the other, which has the same name and id. Gives about how many
    /// octets the latter takes.
    fn element(&mut self, before: &'e Element, after: &'e Element) -> usize {
        let (edits, cost) = (self.edits.len(), self.cost);
        let outside = self.scopes.enter(after);
        if before.attributes != after.attributes {
            self.attributes(&before.attributes, &after.attributes);
        }
        let mut relies = self.relies_on_new_prefix(edits);
        let content = match (before.only_text(), after.only_text()) {
            // Most elements: nothing is to be found out.
            (Some(one), Some(other)) if one == other => Some(one.len()),
            _ => match (Kind::of(before), Kind::of(after)) {
                (Kind::Elements(one), Kind::Elements(other)) => Some(self.children(one, other)),
                (one, other) => {
                    let content = self.content(before, one, after, other);
                    relies |= self.relies_on_new_prefix(edits);
                    content
                }
            },
        };
        self.scopes.leave(outside);
        let must_replace = content.is_none() || relies;
        let content = content.unwrap_or_else(|| content_size(after));
        let size = tag_size(after).saturating_add(content);
        if must_replace || self.edits.len() > edits {
            let place = self.place(self.levels.len());
            let whole = OF_AN_OPERATION
                .saturating_add(self.places.len_of(place))
                .saturating_add(size);
            if must_replace || whole < self.cost.saturating_sub(cost) {
                self.edits.truncate(edits);
                self.cost = cost;
                self.edit(place, EditKind::Replace(after), size);
            }
        }
        size
    }

    /// Whether a new value relies on a prefix that does not mean the same in the document as it was.
    fn relies_on_new_prefix(&self, edits: usize) -> bool {
        let edits = self.edits.get(edits..).unwrap_or_default();
        edits.iter().any(|edit| {
            let value = match &edit.kind {
                EditKind::ReplaceText(text) => text,
                EditKind::AddAttribute(attribute) | EditKind::ReplaceAttribute(attribute) => {
                    attribute.value.as_str()
                }
                _ => return false,
            };
            let relied_on = self.scopes.relied_on(edit.scope, value);
            relied_on.is_some_and(|one| self.root.declarations().all(|known| known != one))
        })
    }

    fn attributes(&mut self, before: &'e Attributes, after: &'e Attributes) {
        // By name, where it would take long to look for each.
        let index = |attributes: &'e Attributes| -> Option<HashMap<&'e Name, &'e str>> {
            let all = attributes.iter().map(|it| (&it.name, it.value.as_str()));
            (attributes.len() > FEW).then(|| all.collect())
        };
        let find = |attributes: &'e Attributes,
                    index: &Option<HashMap<&'e Name, &'e str>>,
                    name: &Name| match index {
            Some(index) => index.get(name).copied(),
            None => attributes.get(name.namespace(), name.local()),
        };
        let (old, new) = (index(before), index(after));
        for attribute in before {
            if find(after, &new, &attribute.name).is_none() {
                let place = self.place(self.levels.len());
                let size = name_size(&attribute.name);
                self.edit(place, EditKind::RemoveAttribute(&attribute.name), size);
            }
        }
        for attribute in after {
            let kind = match find(before, &old, &attribute.name) {
                None => EditKind::AddAttribute(attribute),
                Some(value) if value != attribute.value => EditKind::ReplaceAttribute(attribute),
                Some(_) => continue,
            };
            let place = self.place(self.levels.len());
            let size = name_size(&attribute.name).saturating_add(attribute.value.len());
            self.edit(place, kind, size);
        }
    }

    /// Changes content that is no more than text, before or after. Gives the size of it, or nothing when
    /// that takes more.
    fn content(
        &mut self,
        before: &'e Element,
        one: Kind<'e>,
        after: &'e Element,
        other: Kind<'e>,
    ) -> Option<usize> {
        match (one, other) {
            (Kind::Nothing, Kind::Nothing) => Some(0),
            (Kind::Text(old), Kind::Text(new)) => {
                let size = new.len();
                if old != new {
                    let place = self.place(self.levels.len());
                    self.edit(place, EditKind::ReplaceText(new), size);
                }
                Some(size)
            }
            (Kind::Text(_), Kind::Nothing) => {
                let place = self.place(self.levels.len());
                self.edit(place, EditKind::RemoveText, 0);
                Some(0)
            }
            (Kind::Nothing, _) => {
                let size = content_size(after);
                let place = self.place(self.levels.len());
                self.edit(place, EditKind::Fill(after), size);
                Some(size)
            }
            (Kind::Mixed, _) | (_, Kind::Mixed) => {
                let are_equal = before.content().eq(after.content());
                are_equal.then(|| content_size(after))
            }
            _ => None,
        }
    }

    /// Takes all out of the root and puts all in anew: it cannot be replaced.
    fn rewrite(&mut self, before: &'e Element, after: &'e Element) {
        let mut in_text = false;
        for node in before.children() {
            let kind = match node {
                NodeRef::Text("") => continue,
                // Texts side by side are one.
                NodeRef::Text(_) if in_text => continue,
                NodeRef::Text(_) => Target::Text(Some(1)),
                NodeRef::Element(_) => Target::Element,
                NodeRef::Comment(_) => Target::Comment(Some(1)),
                NodeRef::Instruction { .. } => Target::Instruction(None, Some(1)),
            };
            in_text = matches!(kind, Target::Text(_));
            self.edit(ROOT, EditKind::RemoveFirst(kind), 0);
        }
        if !matches!(Kind::of(after), Kind::Nothing) {
            self.edit(ROOT, EditKind::Fill(after), content_size(after));
        }
    }

    fn edit(&mut self, place: PlaceId, kind: EditKind<'e>, size: usize) {
        let len = OF_AN_OPERATION.saturating_add(self.places.len_of(place));
        let target = match kind {
            EditKind::ReplaceText(_) | EditKind::RemoveText => "/text()".len(),
            EditKind::AddAttribute(_) => " type='@'".len(),
            EditKind::ReplaceAttribute(_) | EditKind::RemoveAttribute(_) => "/@".len(),
            EditKind::AddBeside(..) | EditKind::AddInside(..) => " pos='before'".len(),
            _ => 0,
        };
        self.cost = self.cost.saturating_add(len).saturating_add(target);
        self.cost = self.cost.saturating_add(size);
        let scope = self.scopes.inner;
        self.edits.push(Edit { place, kind, scope });
    }

    // ---- where it is ------------------------------------------------------------------------

    /// The child that is looked at, this many levels down; with none the root.
    fn place(&mut self, depth: usize) -> PlaceId {
        let levels = self.levels.get(..depth).unwrap_or_default();
        let known = levels.iter().enumerate().rev();
        let mut known = known.filter_map(|(at, level)| Some((at.saturating_add(1), level.place?)));
        let (known, mut place) = known.next().unwrap_or((0, ROOT));
        for at in known..depth {
            let Some((child, mark)) = self.levels.get_mut(at).and_then(Level::mark) else {
                continue;
            };
            place = self.places.step(place, child.name(), mark);
            if let Some(level) = self.levels.get_mut(at) {
                level.place = Some(place);
            }
        }
        place
    }

    // ---- children ---------------------------------------------------------------------------

    /// Compares what two elements contain that hold nothing but elements. Gives the size of the latter.
    fn children(&mut self, before: &'e [Node], after: &'e [Node]) -> usize {
        let in_step = are_in_step(before, after);
        self.levels.push(Level {
            before,
            siblings: None,
            in_step,
            child: None,
            at: 0,
            place: None,
        });
        let size = if in_step {
            let mut size = 0_usize;
            for (at, (old, new)) in elements(before).zip(elements(after)).enumerate() {
                if let Some(level) = self.levels.last_mut() {
                    level.look_at(at, old);
                }
                size = size.saturating_add(self.element(old, new));
            }
            size
        } else {
            self.aligned(before, after)
        };
        self.levels.pop();
        size
    }

    fn aligned(&mut self, before: &'e [Node], after: &'e [Node]) -> usize {
        let old: Vec<&'e Element> = elements(before).collect();
        let new: Vec<&'e Element> = elements(after).collect();
        let mut siblings = Siblings::of(old.iter().copied());
        let classes: Vec<Class> = new.iter().map(|&element| siblings.class(element)).collect();
        let pairs = {
            let mut items = Items::new(&siblings, old.len(), &classes);
            let of_old = old.iter().enumerate().filter_map(|(at, element)| {
                Some(items.item(siblings.before(at)?, element, &mut self.digests))
            });
            let of_old: Vec<Item> = of_old.collect();
            let of_new = new.iter().zip(&classes);
            let of_new: Vec<Item> = of_new
                .map(|(element, &class)| items.item(class, element, &mut self.digests))
                .collect();
            align(&of_old, &of_new)
        };
        if let Some(level) = self.levels.last_mut() {
            level.siblings = Some(siblings);
        }
        let mut lists = Aligned {
            old: &old,
            new: &new,
            classes: &classes,
            at_old: 0,
            at_new: 0,
        };
        let mut size = 0_usize;
        for (at_old, at_new) in pairs {
            size = size.saturating_add(self.gap(&mut lists, at_old, at_new));
            if let (Some(&one), Some(&other)) = (old.get(at_old), new.get(at_new)) {
                if let Some(level) = self.levels.last_mut() {
                    level.look_at(at_old, one);
                }
                size = size.saturating_add(self.element(one, other));
                if let Some((siblings, class)) = self.siblings_at(at_old) {
                    siblings.pass(class);
                }
            }
            lists.at_old = at_old.saturating_add(1);
            lists.at_new = at_new.saturating_add(1);
        }
        size.saturating_add(self.gap(&mut lists, old.len(), new.len()))
    }

    fn siblings_at(&mut self, at: usize) -> Option<(&mut Siblings<'e>, Class)> {
        let siblings = self.levels.last_mut()?.siblings.as_mut()?;
        let class = siblings.before(at)?;
        Some((siblings, class))
    }

    /// Makes of the old elements up to here the new ones up to there. Gives the size of these.
    fn gap(&mut self, lists: &mut Aligned<'e, '_>, old_end: usize, new_end: usize) -> usize {
        let mut size = 0_usize;
        while lists.at_old < old_end && lists.at_new < new_end {
            let Some((element, class)) = lists.next_new() else {
                break;
            };
            let place = self.old_place(lists);
            let own = element_size(element);
            size = size.saturating_add(own);
            self.edit(place, EditKind::Replace(element), own);
            if let Some((siblings, gone)) = self.siblings_at(lists.at_old) {
                siblings.remove(gone);
                siblings.add(class);
            }
            lists.at_old = lists.at_old.saturating_add(1);
            lists.at_new = lists.at_new.saturating_add(1);
        }
        if lists.at_new < new_end {
            size = size.saturating_add(self.add(lists, new_end));
        }
        while lists.at_old < old_end {
            let place = self.old_place(lists);
            self.edit(place, EditKind::Remove, 0);
            if let Some((siblings, gone)) = self.siblings_at(lists.at_old) {
                siblings.remove(gone);
            }
            lists.at_old = lists.at_old.saturating_add(1);
        }
        size
    }

    /// Where the next of the old elements is.
    fn old_place(&mut self, lists: &Aligned<'e, '_>) -> PlaceId {
        if let (Some(level), Some(&old)) = (self.levels.last_mut(), lists.old.get(lists.at_old)) {
            level.look_at(lists.at_old, old);
        }
        self.place(self.levels.len())
    }

    /// Adds new elements up to there before the next of the old ones.
    fn add(&mut self, lists: &mut Aligned<'e, '_>, new_end: usize) -> usize {
        let parent = self.place(self.levels.len().saturating_sub(1));
        let next = lists.old.get(lists.at_old).copied();
        let last = lists.at_new.checked_sub(1);
        let last = last.and_then(|at| Some((*lists.new.get(at)?, *lists.classes.get(at)?)));
        let elements = lists.new.get(lists.at_new..new_end).unwrap_or_default();
        let sizes = elements.iter().map(|element| element_size(element));
        let size = sizes.fold(0, usize::saturating_add);
        let beside = match (next, last) {
            (None, _) => Err(Position::Append),
            (Some(_), None) => Err(Position::Prepend),
            (Some(next), Some((last, class))) => {
                let at = lists.at_old;
                match self.siblings_at(at) {
                    None => Err(Position::Append),
                    Some((siblings, class_of_next)) => {
                        let before = siblings.mark_of_next(class_of_next, next);
                        let behind = siblings.mark_of_last(class, last);
                        let weight = |element: &Element, mark: Mark<'_>| {
                            let name = name_size(element.name());
                            (mark.rank(), name.saturating_add(mark.len()))
                        };
                        Ok(if weight(last, behind) < weight(next, before) {
                            (Position::After, last, behind)
                        } else {
                            (Position::Before, next, before)
                        })
                    }
                }
            }
        };
        match beside {
            Err(position) => {
                self.edit(
                    parent,
                    EditKind::AddInside(position, elements.to_vec()),
                    size,
                );
            }
            Ok((position, element, mark)) => {
                let place = self.places.step(parent, element.name(), mark);
                self.edit(
                    place,
                    EditKind::AddBeside(position, elements.to_vec()),
                    size,
                );
            }
        }
        while lists.at_new < new_end {
            let class = lists.classes.get(lists.at_new).copied();
            let level = self.levels.last_mut();
            if let (Some(class), Some(siblings)) =
                (class, level.and_then(|it| it.siblings.as_mut()))
            {
                siblings.add(class);
            }
            lists.at_new = lists.at_new.saturating_add(1);
        }
        size
    }
}

/// Two lists of elements, and how far they were gone through.
struct Aligned<'e, 'l> {
    old: &'l [&'e Element],
    new: &'l [&'e Element],
    /// What the new ones are known by.
    classes: &'l [Class],
    at_old: usize,
    at_new: usize,
}

impl<'e> Aligned<'e, '_> {
    fn next_new(&self) -> Option<(&'e Element, Class)> {
        let element = self.new.get(self.at_new)?;
        Some((element, *self.classes.get(self.at_new)?))
    }
}

/// Whether the elements of both lists have the same names and ids in the same order, none twice.
fn are_in_step(before: &[Node], after: &[Node]) -> bool {
    let (mut old, mut new) = (elements(before), elements(after));
    let mut len = 0_usize;
    loop {
        match (old.next(), new.next()) {
            (None, None) => break,
            (Some(one), Some(other)) if have_one_key(one, other) => len = len.saturating_add(1),
            _ => return false,
        }
    }
    if len <= FEW {
        let earlier = |at| elements(before).take(at);
        let mut all = elements(before).enumerate();
        return all.all(|(at, one)| earlier(at).all(|other| !have_one_key(one, other)));
    }
    let mut seen = HashSet::with_capacity(len);
    elements(before).all(|it| seen.insert((it.namespace(), it.local(), it.attribute("id"))))
}

fn have_one_key(one: &Element, other: &Element) -> bool {
    one.name() == other.name() && one.attribute("id") == other.attribute("id")
}
