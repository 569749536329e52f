//! What applying a patch may cost.

use super::error::{PatchError, PatchErrorKind, fail};
use crate::xml::XmlLimits;

/// What applying a patch may cost: each node looked at is a step, and so are every 64 octets of text
/// that are compared or moved.
///
/// A selector may have to look at every node of the document, and a patch has many selectors, so that a
/// short one could take long. One budget serves for a whole patch, or for several.
///
/// ```
/// use presentity::xml::patch::Steps;
///
/// assert_eq!(Steps::default().left(), 1_000_000);
/// let few = Steps::new(500);
/// assert_eq!(few.left(), 500);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    left: u64,
    limits: XmlLimits,
}

impl Steps {
    /// The budget by default: some milliseconds, and a thousand operations on a document of a thousand
    /// nodes.
    pub const DEFAULT: u64 = 1_000_000;

    /// So many steps.
    pub fn new(steps: u64) -> Self {
        Self {
            left: steps,
            limits: XmlLimits::default(),
        }
    }

    /// The same, where the patched document has to stay within these bounds: its depth, its elements
    /// and attributes, those of one element, the length of a text, a value or a name, and about as many
    /// bytes. By default they are those of [`XmlLimits::default`]. How many namespaces there are in all is
    /// not counted.
    #[must_use]
    pub fn within(mut self, limits: XmlLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How many are left.
    pub fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn limits(&self) -> &XmlLimits {
        &self.limits
    }

    /// Takes so many.
    pub(super) fn take(&mut self, steps: usize) -> Result<(), PatchError> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                fail(
                    PatchErrorKind::TooManySteps,
                    "the patch takes more steps than allowed",
                )
            }
        }
    }

    /// Takes what text of this length costs.
    pub(super) fn take_for_text(&mut self, length: usize) -> Result<(), PatchError> {
        self.take(length / 64)
    }
}

impl Default for Steps {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}
