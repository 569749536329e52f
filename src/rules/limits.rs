//! How much a rule document may hold.

use crate::xml::XmlLimits;

/// How much a rule document may hold before it is refused.
///
/// ```
/// use presentity::rules::{ReadError, Rule, Ruleset, RulesLimits};
///
/// let document = Ruleset::new().with_rule(Rule::new("a")).with_rule(Rule::new("b")).write()?;
/// let mut limits = RulesLimits::default();
/// limits.rules = 1;
/// let refused = Ruleset::read_with(&document, &limits);
/// assert!(matches!(refused, Err(ReadError::Limit { max: 1, .. })));
/// # Ok::<(), presentity::rules::WriteError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RulesLimits {
    /// Bounds that any XML has to keep. Default: those of [`XmlLimits`], but 4 MiB, 64 levels and
    /// 262,144 elements and attributes: room for the most rules, and some 64 MB for the moment of reading
    /// at worst.
    pub xml: XmlLimits,
    /// Rules of the document. Default 16,384: a person has tens, an enterprise's gateway thousands.
    pub rules: usize,
    /// `one`, `many` and `except` of the document together. Default 65,536: whole address books fit.
    pub identities: usize,
    /// Classes, ids, URIs and names of unknown attributes in the document's transformations together.
    /// Default 4096: what a watcher may see is kept, compared and named as a whole.
    pub selectors: usize,
    /// Octets of all these. Default 65,536: each watcher to whom others give something more is kept a name
    /// of its own of what it may see, which has all of them.
    pub selector_octets: usize,
}

impl Default for RulesLimits {
    fn default() -> Self {
        Self {
            xml: XmlLimits {
                bytes: 4 * 1024 * 1024,
                depth: 64,
                nodes: 262_144,
                ..XmlLimits::default()
            },
            rules: 16_384,
            identities: 65_536,
            selectors: 4096,
            selector_octets: 65_536,
        }
    }
}
