//! What keeps filters from being read, put in force, written or evaluated.

use core::fmt;

use crate::xml::{Location, XmlError, XmlWriteError};

/// A bound of [`FilterLimits`](super::FilterLimits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterLimit {
    /// Octets of all texts of a set.
    Octets,
    /// Prefixes bound in a set.
    Bindings,
    /// Filters of a set.
    Filters,
    /// Expressions of a set.
    Expressions,
    /// Steps of an expression.
    Steps,
    /// Comparisons of an expression.
    Conditions,
}

impl fmt::Display for FilterLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Octets => "octets of text",
            Self::Bindings => "bound prefixes",
            Self::Filters => "filters",
            Self::Expressions => "expressions",
            Self::Steps => "steps in an expression",
            Self::Conditions => "comparisons in an expression",
        })
    }
}

/// What is wrong with an expression (RFC 4661 section 5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionFault {
    /// It does not go on as the grammar wants.
    #[error("expected {expected} after {at} characters")]
    Syntax {
        /// Characters before the fault.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A prefix is bound to no namespace.
    #[error("prefix {prefix} is not bound")]
    Prefix {
        /// The prefix, shortened.
        prefix: String,
    },
}

/// Why filters cannot be read, put in force or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// The document is no well-formed XML, or exceeds a bound of XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It is well-formed but no set of filters.
    #[error("{location}: expected the element filter-set of RFC 4661, found {found}")]
    WrongRoot {
        /// The root element's name, as `{namespace}local`.
        found: String,
        /// Where it is.
        location: Location,
    },
    /// It is not as the schema of RFC 4661 section 7 wants it.
    #[error("{location}: expected {expected}")]
    Schema {
        /// What was expected.
        expected: String,
        /// Where the binding, the filter or the set begins in which it was.
        location: Location,
    },
    /// Two filters have the same id (RFC 4661 section 3.4).
    #[error("id {id:?} is given twice")]
    DuplicateId {
        /// The id, shortened.
        id: String,
    },
    /// A filter names both a resource and a domain (RFC 4661 section 3.4).
    #[error("filter {id:?} has both a uri and a domain")]
    TwoTargets {
        /// The filter's id, shortened.
        id: String,
    },
    /// Two filters are in force for the same resource or domain (RFC 4660 section 3.3.1), or one that was in
    /// force under another id is to be replaced.
    #[error("filters {first:?} and {second:?} are for the same resource or domain")]
    SameTarget {
        /// The id of one, shortened.
        first: String,
        /// The id of the other, shortened.
        second: String,
    },
    /// A filter that was not there before says neither what is shown nor when (RFC 4661 section 3.4).
    #[error("filter {id:?} has neither what nor trigger")]
    Nothing {
        /// The filter's id, shortened.
        id: String,
    },
    /// An expression is not as RFC 4661 section 5 wants it.
    #[error("expression {expression:?}: {fault}")]
    Expression {
        /// The expression, shortened.
        expression: String,
        /// What is wrong with it.
        fault: ExpressionFault,
    },
    /// A name of a namespace is empty.
    #[error("a namespace has no name")]
    Namespace,
    /// The amount of a change is no decimal number, or an end of such a change is none.
    #[error("{value:?} is no decimal number")]
    Number {
        /// The value, shortened.
        value: String,
    },
    /// A prefix is bound to two namespaces, or cannot be one.
    #[error("prefix {prefix:?} cannot be bound so")]
    Prefix {
        /// The prefix, shortened.
        prefix: String,
    },
    /// There is too much of something.
    #[error("more than {max} {limit}")]
    Limit {
        /// Which bound.
        limit: FilterLimit,
        /// Its value.
        max: usize,
    },
    /// A set without filters cannot be written.
    #[error("there is no filter")]
    NoFilter,
    /// A character that XML does not allow.
    #[error(transparent)]
    Write(#[from] XmlWriteError),
}

impl FilterError {
    /// The status of a response that refuses a request for these filters: 413 for too many octets, 488 for
    /// all else (RFC 4660 section 5.4).
    pub fn status(&self) -> u16 {
        match self {
            Self::Xml(error) if error.is_of_size() => 413,
            Self::Limit {
                limit: FilterLimit::Octets,
                ..
            } => 413,
            _ => 488,
        }
    }
}

/// Why an evaluation did not come to an end.
///
/// What the caller shows then is its decision (RFC 4660 section 5.3.1 leaves it that). The watcher may see
/// all of the document, so the document as it is does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// It would have cost more than it may, or the document is nested more deeply than any that is read.
    #[error("the evaluation costs more than it may")]
    OverBudget,
}
