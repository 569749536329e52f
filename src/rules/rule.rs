//! One rule.

use time::OffsetDateTime;

use super::condition::{Condition, Interval, Many, Who};
use super::handling::SubHandling;
use super::provided::Provided;
use crate::pidf::ValueError;
use crate::pidf::as_read::AsRead;
use crate::xml::{Attributes, Element};

/// A rule: what it gives, and to whom and when (RFC 4745 section 6; RFC 5025 section 3).
///
/// ```
/// use presentity::rules::{Many, Provided, Rule, SubHandling};
///
/// let rule = Rule::new("company")
///     .for_many(Many::of_domain("example.com").except_one("sip:mallory@example.com"))
///     .for_one("sip:bob@example.net")
///     .allow()
///     .providing(Provided::nothing().with_all_services().with_all_persons());
/// assert_eq!(rule.handling, Some(SubHandling::Allow));
/// assert_eq!(rule.conditions.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Rule {
    /// Tells it from others of the document. Any text when read; writing refuses what was put in and is no
    /// xs:ID.
    pub id: String,
    /// All of these have to hold; with none it matches everybody, proven or not.
    pub conditions: Vec<Condition>,
    /// How subscriptions are treated. Where a rule says it several times, the highest counts.
    pub handling: Option<SubHandling>,
    /// What is shown.
    pub provided: Provided,
    /// Actions that are not understood, which do nothing.
    pub other_actions: Vec<Element>,
    /// Transformations that are not understood, which do nothing.
    pub other_transformations: Vec<Element>,
    /// Further elements of the rule, which mean nothing.
    pub extensions: Vec<Element>,
    /// Attributes other than `id`.
    pub attributes: Attributes,
    pub(super) read_id: AsRead,
}

impl Rule {
    /// A rule for everybody that gives nothing yet.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }

    /// The same for one more, named by a URI. The first of these calls makes a rule for everybody one for
    /// those that are named.
    #[must_use]
    pub fn for_one(self, uri: impl Into<String>) -> Self {
        self.for_who(Who::One(uri.into()))
    }

    /// The same for all of one more domain.
    #[must_use]
    pub fn for_domain(self, domain: impl Into<String>) -> Self {
        self.for_many(Many::of_domain(domain))
    }

    /// The same for many more.
    #[must_use]
    pub fn for_many(self, many: Many) -> Self {
        self.for_who(Who::Many(many))
    }

    fn for_who(mut self, who: Who) -> Self {
        let mut known = self.conditions.iter_mut().filter_map(|it| match it {
            Condition::Identity(list) => Some(list),
            _ => None,
        });
        match known.next() {
            Some(list) => list.push(who),
            None => self.conditions.push(Condition::Identity(vec![who])),
        }
        self
    }

    /// The same while the presentity is in one of these spheres, words between blanks.
    #[must_use]
    pub fn in_sphere(mut self, spheres: impl Into<String>) -> Self {
        self.conditions.push(Condition::Sphere(spheres.into()));
        self
    }

    /// The same from one moment on until before another. With several calls it holds in each of these
    /// times.
    ///
    /// # Errors
    ///
    /// In UTC the year of one of them is not of 1 to 9999.
    pub fn within(
        mut self,
        from: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<Self, ValueError> {
        let interval = Interval::new(from, until)?;
        let mut known = self.conditions.iter_mut().filter_map(|it| match it {
            Condition::Validity(list) => Some(list),
            _ => None,
        });
        match known.next() {
            Some(list) => list.push(interval),
            None => self.conditions.push(Condition::Validity(vec![interval])),
        }
        Ok(self)
    }

    /// The same with one more condition.
    #[must_use]
    pub fn with_condition(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// The same, treating subscriptions so.
    #[must_use]
    pub fn handled(mut self, handling: SubHandling) -> Self {
        self.handling = Some(handling);
        self
    }

    /// The same, accepting subscriptions.
    #[must_use]
    pub fn allow(self) -> Self {
        self.handled(SubHandling::Allow)
    }

    /// The same, showing this as well.
    #[must_use]
    pub fn providing(mut self, provided: Provided) -> Self {
        self.provided.merge(&provided);
        self
    }

    /// The same, showing everything.
    #[must_use]
    pub fn with_everything(self) -> Self {
        self.providing(Provided::everything())
    }

    /// What of it is not understood, or malformed: conditions, members of them, actions, transformations,
    /// and whatever else it holds.
    pub fn not_understood(&self) -> impl Iterator<Item = &Element> {
        let members = self.conditions.iter().flat_map(|condition| {
            let (other, list) = match condition {
                Condition::Other(other) => (Some(other), &[][..]),
                Condition::Identity(list) => (None, list.as_slice()),
                Condition::Sphere(_) | Condition::Validity(_) => (None, &[][..]),
            };
            let members = list.iter().filter_map(|who| match who {
                Who::Other(other) => Some(other),
                Who::One(_) | Who::Many(_) => None,
            });
            other.into_iter().chain(members)
        });
        members
            .chain(&self.other_actions)
            .chain(&self.other_transformations)
            .chain(&self.extensions)
    }
}
