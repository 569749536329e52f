//! What a filter shows.

use crate::xml::trim;

/// What of a document is delivered (RFC 4661 section 3.5).
///
/// What is included adds up; without anything that is, all of the document is meant. What is excluded is
/// taken from that. An empty one means as much as none (RFC 4660 section 5.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct What {
    /// What is shown, with all it contains.
    pub includes: Vec<Selector>,
    /// What of that is not.
    pub excludes: Vec<Selector>,
}

impl What {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.includes.is_empty() && self.excludes.is_empty()
    }

    pub(super) fn selectors(&self) -> impl Iterator<Item = &Selector> {
        self.includes.iter().chain(&self.excludes)
    }
}

/// Parts of a document (RFC 4661 section 3.5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selector {
    /// What an expression of RFC 4661 section 5 selects, without white space at its ends.
    Xpath(String),
    /// The elements of a namespace.
    Namespace(String),
}

impl Selector {
    /// What an expression selects.
    pub fn xpath(expression: &str) -> Self {
        Self::Xpath(trim(expression).to_owned())
    }

    /// The elements of a namespace.
    pub fn namespace(name: &str) -> Self {
        Self::Namespace(trim(name).to_owned())
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Xpath(text) | Self::Namespace(text) => text,
        }
    }
}
