//! What changed from one document to the next.

use std::borrow::Cow;
use std::collections::HashMap;

use super::budget::Budget;
use super::decimal::Decimal;
use super::error::EvaluationError;
use super::evaluation::{Selected, select, value_of};
use super::expression::{Expression, put_text};
use super::nodes::Nodes;
use crate::xml::{Element, Name, trim};

/// Changes that all have to have happened.
#[derive(Debug)]
pub(super) struct Criteria(pub(super) Vec<Criterion>);

#[derive(Debug)]
pub(super) struct Criterion {
    pub(super) expression: Expression,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Changed {
        from: Option<String>,
        to: Option<String>,
        by: Option<Decimal>,
    },
    Added,
    Removed,
}

impl Criteria {
    pub(super) fn to_canonical(&self) -> String {
        let mut lines: Vec<String> = self.0.iter().map(Criterion::to_canonical).collect();
        lines.sort_unstable();
        lines.dedup();
        lines.join("\n")
    }
}

impl Criterion {
    fn to_canonical(&self) -> String {
        let mut out = String::new();
        match &self.kind {
            Kind::Added => out.push_str("added"),
            Kind::Removed => out.push_str("removed"),
            Kind::Changed { from, to, by } => {
                out.push_str("changed");
                for (name, value) in [(" from ", from), (" to ", to)] {
                    if let Some(value) = value {
                        out.push_str(name);
                        match End::of(value) {
                            End::Number(number) => out.push_str(&number.to_string()),
                            End::Text(text) => put_text(&mut out, &text),
                        }
                    }
                }
                if let Some(by) = by {
                    out.push_str(" by ");
                    out.push_str(&by.to_string());
                }
            }
        }
        out.push_str(&self.expression.to_canonical());
        out
    }
}

/// An end of a change as it is compared: numbers by value, other text without regard to case, since the
/// example of RFC 4661 section 6.2 counts on that.
#[derive(PartialEq)]
enum End {
    Number(Decimal),
    Text(String),
}

impl End {
    fn of(value: &str) -> Self {
        let number = Decimal::parse(value);
        number.map_or_else(
            || Self::Text(trim(value).to_ascii_lowercase()),
            Self::Number,
        )
    }
}

/// Two documents, and which elements of them are the same.
pub(super) struct Comparison<'d> {
    before: Nodes<'d>,
    after: Nodes<'d>,
    /// Of each element now the one that it was before.
    backward: Vec<Option<usize>>,
    /// Of each element before the one that it is now.
    forward: Vec<Option<usize>>,
}

/// What an expression may select: something with a value.
#[derive(Clone, Copy)]
enum Item<'d> {
    Element(usize, &'d Element),
    Attribute(&'d str),
}

impl<'d> Item<'d> {
    fn value(self) -> Cow<'d, str> {
        match self {
            Self::Element(_, element) => value_of(element),
            Self::Attribute(value) => Cow::Borrowed(value),
        }
    }
}

impl<'d> Comparison<'d> {
    pub(super) fn of(
        before: &'d Element,
        after: &'d Element,
        budget: &mut Budget,
    ) -> Result<Self, EvaluationError> {
        let before = Nodes::of(before, budget)?;
        let after = Nodes::of(after, budget)?;
        let mut comparison = Self {
            backward: vec![None; after.len()],
            forward: vec![None; before.len()],
            before,
            after,
        };
        if comparison.before.root().name() == comparison.after.root().name() {
            comparison.pair(0, 0, budget)?;
        }
        Ok(comparison)
    }

    /// Notes that two elements are one, and finds those in them that are.
    fn pair(
        &mut self,
        before: usize,
        after: usize,
        budget: &mut Budget,
    ) -> Result<(), EvaluationError> {
        budget.charge(1)?;
        if let Some(place) = self.backward.get_mut(after) {
            *place = Some(before);
        }
        if let Some(place) = self.forward.get_mut(before) {
            *place = Some(after);
        }
        for (old, new) in self.pairs_in(before, after, budget)? {
            self.pair(old, new, budget)?;
        }
        Ok(())
    }

    /// Which elements directly in two are one.
    fn pairs_in(
        &self,
        before: usize,
        after: usize,
        budget: &mut Budget,
    ) -> Result<Vec<(usize, usize)>, EvaluationError> {
        let mut olds = self.before.children(before);
        let mut news = self.after.children(after);
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        // Most of the time they stand in the same order.
        let mut rest: Option<(usize, usize)> = None;
        for (old, new) in olds.by_ref().zip(news.by_ref()) {
            if identity(&self.before, old) == identity(&self.after, new) {
                pairs.push((old, new));
            } else {
                rest = Some((old, new));
                break;
            }
        }
        if let Some((old, new)) = rest {
            let mut known: HashMap<Identity<'_>, Vec<usize>> = HashMap::new();
            let mut olds: Vec<usize> = core::iter::once(old).chain(olds).collect();
            budget.charge(olds.len())?;
            // Of several with the same name and id the first is paired with the first.
            olds.reverse();
            for old in olds {
                let of_identity = known.entry(identity(&self.before, old)).or_default();
                of_identity.push(old);
            }
            for new in core::iter::once(new).chain(news) {
                budget.charge(1)?;
                let of_identity = known.get_mut(&identity(&self.after, new));
                if let Some(old) = of_identity.and_then(Vec::pop) {
                    pairs.push((old, new));
                }
            }
        }
        Ok(pairs)
    }

    /// Whether all the changes have happened.
    pub(super) fn meets(
        &self,
        criteria: &Criteria,
        budget: &mut Budget,
    ) -> Result<bool, EvaluationError> {
        for criterion in &criteria.0 {
            if !self.has(criterion, budget)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the change has happened to anything.
    fn has(&self, criterion: &Criterion, budget: &mut Budget) -> Result<bool, EvaluationError> {
        let olds = items(&criterion.expression, &self.before, budget)?;
        let news = items(&criterion.expression, &self.after, budget)?;
        let item = |items: &[Option<Item<'d>>], number: Option<&Option<usize>>| {
            let number = number.copied().flatten()?;
            items.get(number).copied().flatten()
        };
        for (number, new) in news.iter().enumerate() {
            let Some(new) = *new else {
                continue;
            };
            let old = item(&olds, self.backward.get(number));
            if self.is_met(&criterion.kind, old, Some(new), budget)? {
                return Ok(true);
            }
        }
        for (number, old) in olds.iter().enumerate() {
            let Some(old) = *old else {
                continue;
            };
            if item(&news, self.forward.get(number)).is_none()
                && self.is_met(&criterion.kind, Some(old), None, budget)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_met(
        &self,
        kind: &Kind,
        old: Option<Item<'_>>,
        new: Option<Item<'_>>,
        budget: &mut Budget,
    ) -> Result<bool, EvaluationError> {
        let (from, to, by) = match kind {
            Kind::Added => return Ok(old.is_none()),
            Kind::Removed => return Ok(new.is_none()),
            Kind::Changed { from, to, by } => (from, to, by),
        };
        for (item, nodes) in [(old, &self.before), (new, &self.after)] {
            budget.charge(match item {
                None => 0,
                Some(Item::Element(number, _)) => nodes.weight(number),
                Some(Item::Attribute(value)) => value.len(),
            })?;
        }
        if from.is_none() && to.is_none() && by.is_none() {
            return Ok(match (old, new) {
                (Some(old), Some(new)) => differ(old, new),
                _ => true,
            });
        }
        let [old, new] = [old, new].map(|item| item.map(Item::value));
        if let (Some(old), Some(new)) = (&old, &new)
            && is_same(old, new)
        {
            return Ok(false);
        }
        let is = |value: &Option<Cow<'_, str>>, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| {
                let value = value.as_ref();
                value.is_some_and(|value| End::of(value) == End::of(wanted))
            })
        };
        if !is(&old, from) || !is(&new, to) {
            return Ok(false);
        }
        let Some(by) = by else {
            return Ok(true);
        };
        let number = |value: Option<Cow<'_, str>>| value.and_then(|value| Decimal::parse(&value));
        Ok(match (number(old), number(new)) {
            (Some(old), Some(new)) => old.distance(new) >= *by,
            _ => false,
        })
    }
}

/// What tells an element from those beside it.
type Identity<'d> = (Option<&'d Name>, Option<&'d str>);

fn identity<'d>(nodes: &Nodes<'d>, number: usize) -> Identity<'d> {
    let element = nodes.get(number).map(|node| node.element);
    let id = element.and_then(|element| element.attribute("id"));
    (element.map(Element::name), id.map(trim))
}

/// What an expression selects, by the numbers of elements: an attribute by that of its element, which has
/// one of a name at most.
fn items<'d>(
    expression: &Expression,
    nodes: &Nodes<'d>,
    budget: &mut Budget,
) -> Result<Vec<Option<Item<'d>>>, EvaluationError> {
    Ok(match select(expression, nodes, budget)? {
        Selected::Elements(marks) => nodes
            .iter()
            .map(|(number, node)| {
                marks
                    .has(number)
                    .then_some(Item::Element(number, node.element))
            })
            .collect(),
        Selected::Attributes(attributes) => {
            let mut items = vec![None; nodes.len()];
            for (number, _, attribute) in attributes {
                if let Some(item) = items.get_mut(number) {
                    *item = Some(Item::Attribute(&attribute.value));
                }
            }
            items
        }
    })
}

fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (trim(one), trim(other));
    one == other || Decimal::parse(one).is_some_and(|it| Decimal::parse(other) == Some(it))
}

/// Whether anything is not the same.
fn differ(old: Item<'_>, new: Item<'_>) -> bool {
    match (old, new) {
        (Item::Element(_, old), Item::Element(_, new)) => {
            let is_leaf = |element: &Element| element.elements().next().is_none();
            if is_leaf(old) && is_leaf(new) {
                old.attributes != new.attributes || !is_same(&old.text(), &new.text())
            } else {
                old != new
            }
        }
        (old, new) => !is_same(&old.value(), &new.value()),
    }
}
