//! What an expression selects of a document.
//!
//! Each step is one pass over the elements of the document, and so is each step of a condition, whatever
//! the expression is: they work on sets, conditions from their end.

use std::borrow::Cow;

use super::budget::Budget;
use super::error::EvaluationError;
use super::expression::{
    Axis, Comparison, Condition, Expression, NameTest, Operand, Step, is_in_namespace_of,
};
use super::nodes::{Marks, Nodes};
use crate::xml::{Attribute, Element, Name, NodeRef};

/// What was selected.
#[derive(Debug)]
pub(super) enum Selected<'d> {
    Elements(Marks),
    /// Attributes with their numbers and those of their elements.
    Attributes(Vec<(usize, usize, &'d Attribute)>),
}

pub(super) fn select<'d>(
    expression: &Expression,
    nodes: &Nodes<'d>,
    budget: &mut Budget,
) -> Result<Selected<'d>, EvaluationError> {
    let mut current: Option<Marks> = None;
    for step in &expression.steps {
        current = Some(follow(step, current.as_ref(), nodes, budget)?);
    }
    let Some(attribute) = &expression.attribute else {
        let all = current.unwrap_or_else(|| Marks::none(nodes.len()));
        return Ok(Selected::Elements(all));
    };
    budget.charge(nodes.len())?;
    let mut found = Vec::new();
    let mut inside = 0;
    for (number, node) in nodes.iter() {
        if current.as_ref().is_none_or(|marks| marks.has(number)) {
            inside = node.end.max(inside);
        } else if attribute.axis == Axis::Child || number >= inside {
            continue;
        }
        for (place, it) in nodes.attributes_of(node) {
            if is_named(it, &attribute.name)
                && holds_for_attribute(attribute.condition.as_ref(), it, number, nodes, budget)?
            {
                found.push((number, place, it));
            }
        }
    }
    Ok(Selected::Attributes(found))
}

#[inline]
fn is_named(attribute: &Attribute, name: &Name) -> bool {
    attribute.name.local() == name.local() && is_in_namespace_of(&attribute.name, name)
}

/// Where a step leads from these elements, or from the document.
fn follow(
    step: &Step,
    from: Option<&Marks>,
    nodes: &Nodes<'_>,
    budget: &mut Budget,
) -> Result<Marks, EvaluationError> {
    budget.charge(nodes.len())?;
    let mut to = Marks::none(nodes.len());
    let root = nodes.root();
    let mut inside = 0;
    for (number, node) in nodes.iter() {
        let is_reached = match (from, step.axis) {
            (None, Axis::Child) => number == 0,
            (None, Axis::Descendant) => true,
            (Some(from), Axis::Child) => number > 0 && from.has(node.parent),
            (Some(_), Axis::Descendant) => number < inside,
        };
        if from.is_some_and(|from| from.has(number)) {
            inside = node.end.max(inside);
        }
        if is_reached && step.test.matches(node.element, root) {
            to.set(number);
        }
    }
    match &step.condition {
        Some(condition) if !to.is_empty() => holding(condition, &to, nodes, budget),
        _ => Ok(to),
    }
}

/// Those of the candidates that a condition holds for.
fn holding(
    condition: &Condition,
    candidates: &Marks,
    nodes: &Nodes<'_>,
    budget: &mut Budget,
) -> Result<Marks, EvaluationError> {
    let mut any = Marks::none(nodes.len());
    for comparisons in &condition.0 {
        let mut all = candidates.clone();
        for comparison in comparisons {
            let holds = compare(comparison, &all, nodes, budget)?;
            all.keep(&holds);
        }
        any.add(&all);
    }
    Ok(any)
}

/// A set that has those of the candidates for which a comparison holds, and perhaps others.
fn compare(
    comparison: &Comparison,
    candidates: &Marks,
    nodes: &Nodes<'_>,
    budget: &mut Budget,
) -> Result<Marks, EvaluationError> {
    budget.charge(nodes.len())?;
    let mut holds = Marks::none(nodes.len());
    match &comparison.operand {
        Operand::Itself => {
            for (number, _) in nodes.iter().filter(|(number, _)| candidates.has(*number)) {
                if value_holds(comparison, number, nodes, budget)? {
                    holds.set(number);
                }
            }
        }
        Operand::Parent => {
            // Around the root there is the document, whose text is the root's.
            let mut parents = Marks::none(nodes.len());
            for (number, node) in nodes.iter() {
                if candidates.has(number) {
                    parents.set(node.parent);
                }
            }
            let mut of_parents = Marks::none(nodes.len());
            for (number, _) in nodes.iter().filter(|(number, _)| parents.has(*number)) {
                if value_holds(comparison, number, nodes, budget)? {
                    of_parents.set(number);
                }
            }
            for (number, node) in nodes.iter() {
                if of_parents.has(node.parent) {
                    holds.set(number);
                }
            }
        }
        Operand::Path { steps, attribute } => {
            let last = steps.last().map(|(_, test)| test);
            holds = path_ends(
                comparison,
                last,
                attribute.as_ref(),
                candidates,
                nodes,
                budget,
            )?;
            for (at, (axis, _)) in steps.iter().enumerate().rev() {
                let before = at.checked_sub(1).and_then(|at| steps.get(at));
                holds = lead_to(&holds, *axis, before.map(|(_, test)| test), nodes, budget)?;
            }
        }
    }
    Ok(holds)
}

/// The elements where the path of a comparison may end.
fn path_ends(
    comparison: &Comparison,
    last: Option<&NameTest>,
    attribute: Option<&(Axis, Name)>,
    candidates: &Marks,
    nodes: &Nodes<'_>,
    budget: &mut Budget,
) -> Result<Marks, EvaluationError> {
    budget.charge(nodes.len())?;
    let mut ends = Marks::none(nodes.len());
    let root = nodes.root();
    let is_named = |element| last.is_none_or(|test| test.matches(element, root));
    let mut inside = 0;
    for (number, node) in nodes.iter() {
        if candidates.has(number) {
            inside = node.end.max(inside);
        }
        if number >= inside {
            continue;
        }
        let holds = match attribute {
            None => is_named(node.element) && value_holds(comparison, number, nodes, budget)?,
            Some((axis, name)) => {
                // Those further in are found at their own elements.
                (*axis == Axis::Descendant || is_named(node.element))
                    && attribute_holds(comparison, node.element, name, budget)?
            }
        };
        if holds {
            ends.set(number);
        }
    }
    if matches!(attribute, Some((Axis::Descendant, _))) {
        for (number, node) in nodes.iter().rev() {
            if ends.has(number) {
                ends.set(node.parent);
            }
        }
        for (number, node) in nodes.iter() {
            if !is_named(node.element) {
                ends.clear(number);
            }
        }
    }
    Ok(ends)
}

/// The elements of a name from which a step leads to one of these.
fn lead_to(
    to: &Marks,
    axis: Axis,
    test: Option<&NameTest>,
    nodes: &Nodes<'_>,
    budget: &mut Budget,
) -> Result<Marks, EvaluationError> {
    budget.charge(nodes.len())?;
    let mut from = Marks::none(nodes.len());
    for (number, node) in nodes.iter().rev() {
        let leads = to.has(number) || (axis == Axis::Descendant && from.has(number));
        if leads && number > 0 {
            from.set(node.parent);
        }
    }
    if let Some(test) = test {
        for (number, node) in nodes.iter() {
            if from.has(number) && !test.matches(node.element, nodes.root()) {
                from.clear(number);
            }
        }
    }
    Ok(from)
}

fn value_holds(
    comparison: &Comparison,
    number: usize,
    nodes: &Nodes<'_>,
    budget: &mut Budget,
) -> Result<bool, EvaluationError> {
    budget.charge(nodes.weight(number))?;
    let Some(node) = nodes.get(number) else {
        return Ok(false);
    };
    Ok(comparison.holds(&value_of(node.element)))
}

fn attribute_holds(
    comparison: &Comparison,
    element: &Element,
    name: &Name,
    budget: &mut Budget,
) -> Result<bool, EvaluationError> {
    let mut attributes = element.attributes.iter();
    let Some(attribute) = attributes.find(|it| is_named(it, name)) else {
        return Ok(false);
    };
    budget.charge(attribute.value.len())?;
    Ok(comparison.holds(&attribute.value))
}

/// Whether a condition holds for an attribute, which has a value and an element, and nothing inside.
fn holds_for_attribute(
    condition: Option<&Condition>,
    attribute: &Attribute,
    owner: usize,
    nodes: &Nodes<'_>,
    budget: &mut Budget,
) -> Result<bool, EvaluationError> {
    let Some(Condition(any)) = condition else {
        return Ok(true);
    };
    'any: for all in any {
        for comparison in all {
            let holds = match comparison.operand {
                Operand::Itself => {
                    budget.charge(attribute.value.len())?;
                    comparison.holds(&attribute.value)
                }
                Operand::Parent => value_holds(comparison, owner, nodes, budget)?,
                Operand::Path { .. } => false,
            };
            if !holds {
                continue 'any;
            }
        }
        return Ok(true);
    }
    Ok(false)
}

/// The value of an element: all text in it, however deep.
pub(super) fn value_of(element: &Element) -> Cow<'_, str> {
    if element.elements().next().is_none() {
        return element.text();
    }
    let mut all = String::new();
    put_text_of(element, &mut all);
    Cow::Owned(all)
}

fn put_text_of(element: &Element, all: &mut String) {
    for child in element.children() {
        match child {
            NodeRef::Text(text) => all.push_str(text),
            NodeRef::Element(child) => put_text_of(child, all),
            NodeRef::Comment(_) | NodeRef::Instruction { .. } => {}
        }
    }
}
