//! Reads expressions (RFC 4661 section 5).
//!
//! The grammar of the RFC, as its examples show that it is meant: conditions stand at any step, white
//! space stands between any two parts, and values stand in quotes or alone. Nothing else of XPath is
//! understood.

use core::ops::Range;

use super::decimal::Decimal;
use super::error::{ExpressionFault, FilterError, FilterLimit};
use super::expression::{
    AttributeStep, Axis, Comparison, Condition, Expression, NameTest, Operand, Operator, Step,
    Value,
};
use super::filter_set::Binding;
use super::limits::FilterLimits;
use crate::xml::{Name, excerpt, is_name_char, is_name_start, namespace, trim};

/// An expression, and what it was read from.
pub(super) struct Parsed {
    pub(super) expression: Expression,
    /// Where prefixes stand.
    pub(super) prefixes: Vec<Range<usize>>,
    /// Octets of the namespaces that prefixes stand for, each time one does; known ones take no room.
    pub(super) namespaces: usize,
}

/// Which prefixes mean something.
#[derive(Clone, Copy)]
pub(super) struct Prefixes<'b> {
    pub(super) bindings: &'b [Binding],
    /// Whether a prefix that is not bound means the namespace that is customarily written with it, if there
    /// is one: an example of RFC 4661 (section 6.5) counts on that.
    pub(super) customary: bool,
}

impl<'b> Prefixes<'b> {
    fn find(self, prefix: &str) -> Option<&'b str> {
        let mut bindings = self.bindings.iter();
        let bound = bindings.find(|binding| binding.prefix == prefix);
        match bound {
            Some(binding) => Some(&binding.urn),
            None if self.customary => namespace::of_prefix(prefix),
            None => None,
        }
    }
}

pub(super) fn parse(
    text: &str,
    prefixes: Prefixes<'_>,
    limits: &FilterLimits,
) -> Result<Parsed, FilterError> {
    let mut parser = Parser {
        text,
        at: 0,
        known: prefixes,
        limits,
        steps: 0,
        comparisons: 0,
        prefixes: Vec::new(),
        namespaces: 0,
    };
    let expression = parser.expression().map_err(|stop| match stop {
        Stop::Fault(fault) => FilterError::Expression {
            expression: excerpt(trim(text)),
            fault,
        },
        Stop::Limit(limit, max) => FilterError::Limit { limit, max },
    })?;
    Ok(Parsed {
        expression,
        prefixes: parser.prefixes,
        namespaces: parser.namespaces,
    })
}

enum Stop {
    Fault(ExpressionFault),
    Limit(FilterLimit, usize),
}

struct Parser<'t, 'b> {
    text: &'t str,
    at: usize,
    known: Prefixes<'b>,
    limits: &'b FilterLimits,
    steps: usize,
    comparisons: usize,
    prefixes: Vec<Range<usize>>,
    namespaces: usize,
}

impl<'t, 'b> Parser<'t, 'b> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, octets: usize) {
        self.at = self.at.saturating_add(octets);
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        let behind = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.advance(rest.len().saturating_sub(behind.len()));
    }

    /// Passes over this text, after white space, if it is next.
    fn eat(&mut self, text: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(text);
        if found {
            self.advance(text.len());
        }
        found
    }

    fn expected(&self, expected: &'static str) -> Stop {
        let before = self.text.get(..self.at).unwrap_or_default();
        Stop::Fault(ExpressionFault::Syntax {
            at: before.chars().count(),
            expected,
        })
    }

    /// A name without colon, right here.
    fn nc_name(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        rest.chars().next().filter(|&c| is_name_start(c))?;
        let end = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        self.advance(end);
        rest.get(..end)
    }

    /// A name, and the namespace that its prefix means.
    fn name(&mut self) -> Result<(Option<&'b str>, &'t str), Stop> {
        self.skip_space();
        let start = self.at;
        let Some(first) = self.nc_name() else {
            return Err(self.expected("a name"));
        };
        if !self.rest().starts_with(':') {
            return Ok((None, first));
        }
        self.prefixes.push(start..self.at);
        self.advance(1);
        let Some(local) = self.nc_name() else {
            return Err(self.expected("a name"));
        };
        match self.known.find(first) {
            Some(name) => {
                if !namespace::is_known(name) {
                    self.namespaces = self.namespaces.saturating_add(name.len());
                }
                Ok((Some(name), local))
            }
            None => Err(Stop::Fault(ExpressionFault::Prefix {
                prefix: excerpt(first),
            })),
        }
    }

    fn step(&mut self) -> Result<(), Stop> {
        self.steps = self.steps.saturating_add(1);
        if self.steps > self.limits.steps {
            return Err(Stop::Limit(FilterLimit::Steps, self.limits.steps));
        }
        Ok(())
    }

    /// The name of an element, or `*`.
    fn test(&mut self) -> Result<NameTest, Stop> {
        self.step()?;
        if self.eat("*") {
            return Ok(NameTest::Any);
        }
        let (namespace, local) = self.name()?;
        Ok(match namespace {
            Some(namespace) => NameTest::Named(Name::new(namespace, local)),
            None => NameTest::Unprefixed(local.to_owned()),
        })
    }

    /// What follows the `@` of an attribute.
    fn attribute(&mut self) -> Result<Name, Stop> {
        self.step()?;
        let (namespace, local) = self.name()?;
        Ok(Name::new(namespace.unwrap_or_default(), local))
    }

    fn axis(&mut self) -> Option<Axis> {
        if self.eat("//") {
            Some(Axis::Descendant)
        } else {
            self.eat("/").then_some(Axis::Child)
        }
    }

    fn expression(&mut self) -> Result<Expression, Stop> {
        let mut expression = Expression {
            steps: Vec::new(),
            attribute: None,
        };
        while let Some(axis) = self.axis() {
            let is_root = expression.steps.is_empty() && axis == Axis::Child;
            if !is_root && self.eat("@") {
                expression.attribute = Some(AttributeStep {
                    axis,
                    name: self.attribute()?,
                    condition: self.condition()?,
                });
                break;
            }
            expression.steps.push(Step {
                axis,
                test: self.test()?,
                condition: self.condition()?,
            });
        }
        if expression.steps.is_empty() && expression.attribute.is_none() {
            return Err(self.expected("a slash"));
        }
        self.skip_space();
        if !self.rest().is_empty() {
            return Err(self.expected("the end"));
        }
        Ok(expression)
    }

    fn condition(&mut self) -> Result<Option<Condition>, Stop> {
        if !self.eat("[") {
            return Ok(None);
        }
        let mut any = Vec::new();
        let mut all = vec![self.comparison()?];
        loop {
            if self.eat("]") {
                any.push(all);
                return Ok(Some(Condition(any)));
            }
            match self.nc_name() {
                Some("and") => all.push(self.comparison()?),
                Some("or") => any.push(core::mem::replace(&mut all, vec![self.comparison()?])),
                _ => return Err(self.expected("and, or, or a bracket")),
            }
        }
    }

    fn comparison(&mut self) -> Result<Comparison, Stop> {
        self.comparisons = self.comparisons.saturating_add(1);
        if self.comparisons > self.limits.conditions {
            let max = self.limits.conditions;
            return Err(Stop::Limit(FilterLimit::Conditions, max));
        }
        let operand = if self.eat("..") {
            Operand::Parent
        } else if self.eat(".") {
            Operand::Itself
        } else {
            self.path()?
        };
        let operator = if self.eat("=") {
            Operator::Equal
        } else if self.eat("<") {
            Operator::Less
        } else if self.eat(">") {
            Operator::Greater
        } else {
            return Err(self.expected("a comparison"));
        };
        Ok(Comparison {
            operand,
            operator,
            value: self.value(operator)?,
        })
    }

    fn path(&mut self) -> Result<Operand, Stop> {
        let mut steps = Vec::new();
        let mut attribute = None;
        let mut axis = Some(Axis::Child);
        while let Some(leading) = axis {
            if self.eat("@") {
                attribute = Some((leading, self.attribute()?));
                break;
            }
            steps.push((leading, self.test()?));
            axis = self.axis();
        }
        Ok(Operand::Path { steps, attribute })
    }

    fn value(&mut self, operator: Operator) -> Result<Value, Stop> {
        self.skip_space();
        let rest = self.rest();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let Some(quote) = quote else {
            let ends = |c: char| {
                matches!(
                    c,
                    ' ' | '\t' | '\n' | '\r' | '[' | ']' | '"' | '\'' | '=' | '<' | '>' | '/' | '@'
                )
            };
            let end = rest.find(ends).unwrap_or(rest.len());
            let text = rest.get(..end).unwrap_or_default();
            if text.is_empty() {
                return Err(self.expected("a value"));
            }
            self.advance(end);
            let number = Decimal::parse(text);
            return Ok(number.map_or_else(|| Value::Text(text.to_owned()), Value::Number));
        };
        self.advance(1);
        let rest = self.rest();
        let Some(end) = rest.find(quote) else {
            return Err(self.expected("a closing quote"));
        };
        self.advance(end.saturating_add(1));
        let text = trim(rest.get(..end).unwrap_or_default());
        let number = Decimal::parse(text).filter(|_| operator != Operator::Equal);
        Ok(number.map_or_else(|| Value::Text(text.to_owned()), Value::Number))
    }
}

/// The expression with other prefixes, where there are some; as it is when it cannot be read.
pub(super) fn rename(
    text: &str,
    prefixes: Prefixes<'_>,
    other: impl Fn(&str) -> Option<String>,
) -> String {
    let Ok(parsed) = parse(text, prefixes, &FilterLimits::unlimited()) else {
        return text.to_owned();
    };
    let mut out = String::new();
    let mut done = 0;
    for range in parsed.prefixes {
        if let Some(other) = text.get(range.clone()).and_then(&other) {
            out.push_str(text.get(done..range.start).unwrap_or_default());
            out.push_str(&other);
            done = range.end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// The prefixes in an expression; none when it cannot be read.
pub(super) fn used_prefixes<'t>(
    text: &'t str,
    prefixes: Prefixes<'_>,
) -> impl Iterator<Item = String> + use<'t> {
    let parsed = parse(text, prefixes, &FilterLimits::unlimited()).ok();
    let ranges = parsed.map(|parsed| parsed.prefixes).unwrap_or_default();
    ranges
        .into_iter()
        .filter_map(move |range| text.get(range).map(str::to_owned))
}
