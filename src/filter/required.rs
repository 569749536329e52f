//! What a document may not be without.

use crate::pidf::required as pidf;
use crate::xml::{Element, Name};

/// What the schema of a package's documents demands, which no filter takes out of them (RFC 4660 section
/// 5.3.1).
///
/// An implementation for another package tells what is mandatory in its documents:
///
/// ```
/// use presentity::filter::Required;
/// use presentity::xml::{Element, Name};
///
/// struct Counters;
///
/// impl Required for Counters {
///     fn attribute(&self, path: &[&Element], name: &Name) -> bool {
///         path.last().is_some_and(|element| element.local() == "counter") && name.is("", "id")
///     }
///
///     fn children(&self, _: &[&Element], _: &[bool]) -> Vec<usize> {
///         Vec::new()
///     }
/// }
/// ```
pub trait Required {
    /// Whether an element may not be without this attribute. `path` are the elements from the root to it.
    fn attribute(&self, path: &[&Element], name: &Name) -> bool;

    /// Which elements directly in one have to be put back, by their numbers among its elements. `path` are
    /// the elements from the root to it; `kept` tells of each element in it whether it stays anyway.
    ///
    /// What is put back comes with as much as this method demands of it in turn, or as it was when that is
    /// nothing.
    fn children(&self, path: &[&Element], kept: &[bool]) -> Vec<usize>;
}

/// What the schemas of presence documents demand: RFC 3863 section 4.4, RFC 4479, 4480, 4482 and 5196.
///
/// A tuple keeps its status, and a status its `basic` or else its first element (RFC 3863 section 4.1.4); a
/// device its deviceID. `mustUnderstand` stays where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PresenceSchema;

impl PresenceSchema {
    /// It.
    pub fn new() -> Self {
        Self
    }
}

impl Required for PresenceSchema {
    fn attribute(&self, path: &[&Element], name: &Name) -> bool {
        pidf::attribute(path, name)
    }

    fn children(&self, path: &[&Element], kept: &[bool]) -> Vec<usize> {
        pidf::children(path, kept)
    }
}
