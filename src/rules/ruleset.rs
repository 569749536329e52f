//! The document.

use bytes::Bytes;

use super::error::{ReadError, WriteError};
use super::limits::RulesLimits;
use super::rule::Rule;
use super::{reader, writer};
use crate::xml::{Attributes, Element, Layout};

/// A set of rules: `application/auth-policy+xml` (RFC 4745, RFC 5025).
///
/// Elements that are not understood are kept, with all they contain, and so are attributes of the document
/// and its rules. Attributes and text elsewhere that the schemas do not foresee are not, nor are
/// permissions that say `false`, which give what no permission gives.
///
/// ```
/// use presentity::rules::{Rule, Ruleset};
///
/// let rules = Ruleset::new().with_rule(Rule::new("a").for_one("sip:bob@example.com").allow());
/// let document = rules.write()?;
/// assert_eq!(Ruleset::read(&document)?, rules);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Ruleset {
    /// The rules, whose order means nothing.
    pub rules: Vec<Rule>,
    /// Further elements, which mean nothing.
    pub extensions: Vec<Element>,
    /// Attributes, which mean nothing.
    pub attributes: Attributes,
}

impl Ruleset {
    /// Without rules: everybody is blocked.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a document with the default [`RulesLimits`].
    ///
    /// # Errors
    ///
    /// The bytes are no well-formed document, its root is not `ruleset` of RFC 4745, a rule has no id, that
    /// of another, or one of its parts twice, or a bound is exceeded.
    pub fn read(document: &[u8]) -> Result<Self, ReadError> {
        Self::read_with(document, &RulesLimits::default())
    }

    /// Reads a document within these bounds.
    ///
    /// # Errors
    ///
    /// As for [`Ruleset::read`].
    pub fn read_with(document: &[u8], limits: &RulesLimits) -> Result<Self, ReadError> {
        reader::read(document, limits)
    }

    /// Writes the document: UTF-8, in the order of the schema, namespaces declared at the root.
    ///
    /// # Errors
    ///
    /// An id is no xs:ID and was not read so, or occurs twice; an element among those that are not
    /// understood is one that is, or has no place there; a name or character that XML does not allow.
    pub fn write(&self) -> Result<Bytes, WriteError> {
        self.write_as(Layout::Compact)
    }

    /// The same, laid out as asked.
    ///
    /// # Errors
    ///
    /// As for [`Ruleset::write`].
    pub fn write_as(&self, layout: Layout) -> Result<Bytes, WriteError> {
        writer::write(self, layout)
    }

    /// The same with one more rule. Writing refuses a second one with the same id.
    #[must_use]
    pub fn with_rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The first rule with this id.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// What of the document is not understood or malformed, and gives nothing for that reason.
    pub fn not_understood(&self) -> impl Iterator<Item = &Element> {
        let rules = self.rules.iter().flat_map(Rule::not_understood);
        rules.chain(&self.extensions)
    }
}
