//! Expressions as they are evaluated: names resolved, nothing left to look up.

use core::fmt::Write as _;

use super::decimal::Decimal;
use crate::xml::{Element, Name, NamespaceId};

/// What an expression selects: elements, or attributes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    /// From the document down; none for `//@name` alone.
    pub(super) steps: Vec<Step>,
    pub(super) attribute: Option<AttributeStep>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) axis: Axis,
    pub(super) test: NameTest,
    pub(super) condition: Option<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttributeStep {
    pub(super) axis: Axis,
    pub(super) name: Name,
    pub(super) condition: Option<Condition>,
}

/// From where to where a step leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// `/`: to the elements directly inside, or to the element's own attribute.
    Child,
    /// `//`: to all elements inside, or to attributes of the element and of those.
    Descendant,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NameTest {
    /// `*`
    Any,
    Named(Name),
    /// Without a prefix: of no namespace, or of that of the document's root.
    Unprefixed(String),
}

impl NameTest {
    #[inline]
    pub(super) fn matches(&self, element: &Element, root: &Element) -> bool {
        match self {
            Self::Any => true,
            Self::Named(name) => {
                element.local() == name.local() && is_in_namespace_of(element.name(), name)
            }
            Self::Unprefixed(local) => {
                element.local() == local
                    && (element.namespace().is_empty()
                        || is_in_namespace_of(element.name(), root.name()))
            }
        }
    }
}

/// Whether the names are of one namespace. Known ones have numbers.
#[inline]
pub(super) fn is_in_namespace_of(one: &Name, other: &Name) -> bool {
    let numbers: [Option<NamespaceId>; 2] = [one.known_namespace(), other.known_namespace()];
    match numbers {
        [None, None] => one.namespace() == other.namespace(),
        [one, other] => one == other,
    }
}

/// Comparisons: one of these lists has to hold wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition(pub(super) Vec<Vec<Comparison>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) operand: Operand,
    pub(super) operator: Operator,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operand {
    /// `.`
    Itself,
    /// `..`
    Parent,
    /// Elements inside, or an attribute of the element or of those.
    Path {
        steps: Vec<(Axis, NameTest)>,
        attribute: Option<(Axis, Name)>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Less,
    Greater,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Without white space at its ends.
    Text(String),
    Number(Decimal),
}

impl Comparison {
    /// Whether the comparison holds for this value of a document.
    pub(super) fn holds(&self, found: &str) -> bool {
        match (&self.value, self.operator) {
            (Value::Text(text), Operator::Equal) => crate::xml::trim(found) == text,
            // As in XPath, what is no number is neither less nor greater.
            (Value::Text(_), Operator::Less | Operator::Greater) => false,
            (Value::Number(number), operator) => {
                Decimal::parse(found).is_some_and(|found| match operator {
                    Operator::Equal => found == *number,
                    Operator::Less => found < *number,
                    Operator::Greater => found > *number,
                })
            }
        }
    }
}

impl Expression {
    /// A text that is the same for expressions of the same meaning, whatever prefixes, quotes and white
    /// space they are written with, and different for others.
    pub(super) fn to_canonical(&self) -> String {
        let mut out = String::new();
        for step in &self.steps {
            put_axis(&mut out, step.axis);
            put_test(&mut out, &step.test);
            put_condition(&mut out, step.condition.as_ref());
        }
        if let Some(attribute) = &self.attribute {
            put_axis(&mut out, attribute.axis);
            put_attribute(&mut out, &attribute.name);
            put_condition(&mut out, attribute.condition.as_ref());
        }
        out
    }
}

fn put_axis(out: &mut String, axis: Axis) {
    out.push_str(match axis {
        Axis::Child => "/",
        Axis::Descendant => "//",
    });
}

fn put_name(out: &mut String, name: &Name) {
    out.push('{');
    match name.known_namespace() {
        // Its customary prefix, which tells as much: others stand between quotes.
        Some(_) => out.push_str(name.prefix()),
        None => put_text(out, name.namespace()),
    }
    out.push('}');
    out.push_str(name.local());
}

fn put_test(out: &mut String, test: &NameTest) {
    match test {
        NameTest::Any => out.push('*'),
        NameTest::Named(name) => put_name(out, name),
        NameTest::Unprefixed(local) => out.push_str(local),
    }
}

fn put_attribute(out: &mut String, name: &Name) {
    out.push('@');
    put_name(out, name);
}

fn put_condition(out: &mut String, condition: Option<&Condition>) {
    let Some(Condition(any)) = condition else {
        return;
    };
    let joined = |mut parts: Vec<String>, with: &str| {
        parts.sort_unstable();
        parts.dedup();
        parts.join(with)
    };
    let any = any.iter().map(|all| {
        let all = all.iter().map(comparison).collect();
        joined(all, " and ")
    });
    out.push('[');
    out.push_str(&joined(any.collect(), " or "));
    out.push(']');
}

fn comparison(comparison: &Comparison) -> String {
    let mut out = String::new();
    match &comparison.operand {
        Operand::Itself => out.push('.'),
        Operand::Parent => out.push_str(".."),
        Operand::Path { steps, attribute } => {
            for (axis, test) in steps {
                put_axis(&mut out, *axis);
                put_test(&mut out, test);
            }
            if let Some((axis, name)) = attribute {
                put_axis(&mut out, *axis);
                put_attribute(&mut out, name);
            }
        }
    }
    out.push(match comparison.operator {
        Operator::Equal => '=',
        Operator::Less => '<',
        Operator::Greater => '>',
    });
    match &comparison.value {
        Value::Text(text) => put_text(&mut out, text),
        Value::Number(number) => {
            // A string grows.
            let _ = write!(out, "{number}");
        }
    }
    out
}

/// The text between quotes, so that it ends where its end is seen.
pub(super) fn put_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}
