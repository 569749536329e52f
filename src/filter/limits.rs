//! How much a set of filters may hold and cost.

use crate::xml::XmlLimits;

/// How much a set of filters may hold before it is refused, and what one evaluation may cost.
///
/// ```
/// use presentity::filter::{Filter, FilterError, FilterLimits, FilterSet};
///
/// let set = FilterSet::new()
///     .with(Filter::new("a").for_uri("sip:dora@example.com").include("/presence/tuple"))
///     .with(Filter::new("b").for_uri("sip:erik@example.com").include("/presence/note"));
/// let mut limits = FilterLimits::default();
/// limits.filters = 1;
/// let refused = FilterSet::read(&set.write()?, &limits);
/// assert!(matches!(refused, Err(FilterError::Limit { max: 1, .. })));
/// # Ok::<(), presentity::filter::FilterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilterLimits {
    /// Octets of a document, and of all texts of a set that refreshes have added to. A prefix counts as long
    /// as the namespace that it stands for, each time, unless that is one of those that presence documents
    /// commonly have. Default 65,536: a list of hundreds of buddies with a filter for each fits.
    pub octets: usize,
    /// Prefixes bound in a set, after a refresh too. Default 64: there are some twenty namespaces of
    /// presence.
    pub bindings: usize,
    /// Filters of a set, after a refresh too. Default 256.
    pub filters: usize,
    /// Expressions of a set, after a refresh too. Default 1024: each costs a pass over a document.
    pub expressions: usize,
    /// Steps of one expression, those of its conditions included. Default 32: documents are some six
    /// levels deep.
    pub steps: usize,
    /// Comparisons of one expression. Default 32: each costs a pass over a document.
    pub conditions: usize,
}

impl FilterLimits {
    /// Elements and octets of text that one evaluation may look at, when the caller knows no better:
    /// 1,000,000. A typical filter looks at some 1,500 in a document of 6 KB; at worst this many take a few
    /// milliseconds.
    pub const BUDGET: usize = 1_000_000;

    /// For what was found within bounds before.
    pub(super) fn unlimited() -> Self {
        Self {
            octets: usize::MAX,
            bindings: usize::MAX,
            filters: usize::MAX,
            expressions: usize::MAX,
            steps: usize::MAX,
            conditions: usize::MAX,
        }
    }

    /// The bounds of XML that follow.
    pub(super) fn xml(&self) -> XmlLimits {
        XmlLimits {
            bytes: self.octets,
            depth: 32,
            ..XmlLimits::default()
        }
    }
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self {
            octets: 65_536,
            bindings: 64,
            filters: 256,
            expressions: 1024,
            steps: 32,
            conditions: 32,
        }
    }
}
