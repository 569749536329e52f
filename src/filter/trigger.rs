//! When a filter lets a notification pass.

use crate::xml::trim;

/// Changes that all have to have happened for a notification to be sent (RFC 4661 section 3.6).
///
/// An empty one means as much as none (RFC 4660 section 5.4).
///
/// ```
/// use presentity::filter::{Changed, Trigger};
///
/// let trigger = Trigger::new()
///     .changed(Changed::of("//pidf:tuple/pidf:status/pidf:basic").to("open"))
///     .added("//dm:device");
/// assert_eq!(trigger.changed.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Trigger {
    /// Values that have to have changed.
    pub changed: Vec<Changed>,
    /// Expressions; of each, something has to be there that was not before.
    pub added: Vec<String>,
    /// Expressions; of each, something must no longer be there that was before.
    pub removed: Vec<String>,
}

impl Trigger {
    /// One that says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more value that has to have changed.
    #[must_use]
    pub fn changed(mut self, changed: Changed) -> Self {
        self.changed.push(changed);
        self
    }

    /// The same with one more element or attribute that has to be new.
    #[must_use]
    pub fn added(mut self, expression: &str) -> Self {
        self.added.push(trim(expression).to_owned());
        self
    }

    /// The same with one more element or attribute that has to be gone.
    #[must_use]
    pub fn removed(mut self, expression: &str) -> Self {
        self.removed.push(trim(expression).to_owned());
        self
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty() && self.removed.is_empty()
    }

    pub(super) fn expressions(&self) -> impl Iterator<Item = &String> {
        let changed = self.changed.iter().map(|changed| &changed.expression);
        changed.chain(&self.added).chain(&self.removed)
    }
}

/// The change of a value (RFC 4661 section 3.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changed {
    /// Whose value: an expression of RFC 4661 section 5, without white space at its ends.
    pub expression: String,
    /// What it was, if that matters.
    pub from: Option<String>,
    /// What it has become, if that matters.
    pub to: Option<String>,
    /// By how much at least it has grown or fallen, if that matters: a decimal number.
    pub by: Option<String>,
}

impl Changed {
    /// Any change of what this expression selects.
    pub fn of(expression: &str) -> Self {
        Self {
            expression: trim(expression).to_owned(),
            from: None,
            to: None,
            by: None,
        }
    }

    /// The same, only from this value.
    #[must_use]
    pub fn from(mut self, value: impl Into<String>) -> Self {
        self.from = Some(value.into());
        self
    }

    /// The same, only to this value.
    #[must_use]
    pub fn to(mut self, value: impl Into<String>) -> Self {
        self.to = Some(value.into());
        self
    }

    /// The same, only by this much or more.
    #[must_use]
    pub fn by(mut self, amount: impl Into<String>) -> Self {
        self.by = Some(amount.into());
        self
    }
}
