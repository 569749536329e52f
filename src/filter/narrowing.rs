//! The filters in force for one resource, ready to be applied.

use core::fmt;
use core::hash::{Hash, Hasher};
use std::sync::Arc;

use super::budget::Budget;
use super::changes::{Comparison, Criteria, Criterion, Kind};
use super::content::{self, Content, Selection};
use super::decimal::Decimal;
use super::error::EvaluationError;
use super::filter_set::Binding;
use super::limits::FilterLimits;
use super::parser::{self, Prefixes};
use super::required::Required;
use super::single_filter::Filter;
use super::trigger::{Changed, Trigger};
use super::what::Selector;
use crate::xml::{Element, Name};

/// What filters make of the notifications about one resource: what of a document is shown, and which
/// changes of it are worth a notification.
///
/// Two are equal when the expressions in them are, whatever their order, prefixes, quotes and white space:
/// watchers with equal ones can share documents. Cloning copies nothing.
///
/// ```
/// use presentity::filter::{Changed, Filter, FilterLimits, FilterSet, PresenceSchema, Trigger};
/// use presentity::pidf::{Presence, Tuple};
/// use presentity::xml::{Element, XmlLimits};
///
/// let open = Trigger::new().changed(Changed::of("//pidf:basic").to("open"));
/// let filter = Filter::new("1").include("//pidf:status/pidf:basic").when(open);
/// let set = FilterSet::of_presence().with(filter);
/// let narrowing = set.for_resource(|_| true).ok_or("it narrows")?;
///
/// let tree = |presence: Presence| -> Result<Element, Box<dyn std::error::Error>> {
///     Ok(Element::read(&presence.write()?, &XmlLimits::default())?)
/// };
/// let before = tree(Presence::new("sip:dora@example.com").with_tuple(Tuple::closed("desk")))?;
/// let after = tree(
///     Presence::new("sip:dora@example.com").with_tuple(Tuple::open("desk").with_note("Hello")),
/// )?;
/// assert!(narrowing.fires(&before, &after, FilterLimits::BUDGET));
/// assert!(!narrowing.fires(&after, &before, FilterLimits::BUDGET));
///
/// let shown = narrowing.apply(&after, &PresenceSchema::new(), FilterLimits::BUDGET)?;
/// let expected = Presence::new("sip:dora@example.com").with_tuple(Tuple::open("desk"));
/// assert_eq!(shown, Some(tree(expected)?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Narrowing(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    content_name: Arc<str>,
    /// Without one everything is shown.
    contents: Vec<Content>,
    /// Without one each change is worth a notification.
    triggers: Vec<Criteria>,
}

impl Narrowing {
    /// What these filters make of notifications together, unless they leave them as they are.
    pub(super) fn of(filters: &[&Filter], bindings: &[Binding]) -> Option<Self> {
        let prefixes = Prefixes {
            bindings,
            customary: false,
        };
        let mut contents: Option<Vec<Content>> = Some(Vec::new());
        let mut triggers: Option<Vec<Criteria>> = Some(Vec::new());
        let mut holds = false;
        for filter in filters {
            let Some((content, when)) = compiled(filter, prefixes) else {
                continue;
            };
            holds = true;
            // Who sees all, and whenever it changes, sees no more by another filter.
            match content {
                Some(content) => contents.as_mut().map_or((), |all| all.push(content)),
                None => contents = None,
            }
            match when.is_empty() {
                false => triggers.as_mut().map_or((), |all| all.extend(when)),
                true => triggers = None,
            }
        }
        let contents = contents.unwrap_or_default();
        let triggers = triggers.unwrap_or_default();
        if !holds || (contents.is_empty() && triggers.is_empty()) {
            return None;
        }
        let content_name = joined(contents.iter().map(Content::to_canonical), "*");
        let name = joined(triggers.iter().map(Criteria::to_canonical), "*");
        Some(Self(Arc::new(Inner {
            name: format!("{content_name}\n\n{name}").into(),
            content_name: content_name.into(),
            contents,
            triggers,
        })))
    }

    /// A text that is the same for equal ones and different for others. Its form may change from one
    /// version of this crate to the next.
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// The same for what is shown alone: whose differ only in when something is sent have this in common.
    pub fn content_name(&self) -> &Arc<str> {
        &self.0.content_name
    }

    /// Whether all of a document is shown.
    pub fn shows_everything(&self) -> bool {
        self.0.contents.is_empty()
    }

    /// Whether only some changes are worth a notification.
    pub fn has_triggers(&self) -> bool {
        !self.0.triggers.is_empty()
    }

    /// What is shown of a document (RFC 4660 section 5.3.1; RFC 4661 section 3.5); none when nothing is, and
    /// the notification is to have no content.
    ///
    /// What is included is shown with all it contains, less what is excluded, and with the elements it
    /// stands in. An element that shows has in any case what `required` demands of it, as it was, be it
    /// excluded or not; and a value always goes with its element.
    ///
    /// `budget` is how many elements and octets may be looked at, such as
    /// [`FilterLimits::BUDGET`]. An evaluation looks at each element of the
    /// document once for each step of each expression, and once more for each that it shows.
    ///
    /// # Errors
    ///
    /// [`EvaluationError::OverBudget`].
    pub fn apply(
        &self,
        document: &Element,
        required: &dyn Required,
        budget: usize,
    ) -> Result<Option<Element>, EvaluationError> {
        content::apply(
            &self.0.contents,
            document,
            required,
            &mut Budget::new(budget),
        )
    }

    /// Whether what changed is worth a notification (RFC 4660 section 5.3.2; RFC 4661 section 3.6): all that
    /// one of the triggers demands has happened. Without triggers it always is.
    ///
    /// `before` is the document of the last notification, `after` the present one, both as they were before
    /// any filter. The first notification of a subscription, and that of a filter that was put in force, are
    /// sent without asking (RFC 4660 section 5.3.1).
    ///
    /// Elements are the same in both documents when they have the same name and the same attribute `id`, or
    /// none, and stand in the same element; of several, first goes with first. What was not there had
    /// another value than any that it has now: a new tuple that is open has changed to `open`, as a watcher
    /// that is new and pending has changed to `pending` (RFC 4661 section 6.3). Numbers are compared by
    /// value. Without `from`, `to` and `by` anything in the element counts, attributes too.
    ///
    /// When the evaluation costs more than `budget`, the change counts as worth it.
    pub fn fires(&self, before: &Element, after: &Element, budget: usize) -> bool {
        if self.0.triggers.is_empty() {
            return true;
        }
        let mut budget = Budget::new(budget);
        self.is_fired(before, after, &mut budget).unwrap_or(true)
    }

    fn is_fired(
        &self,
        before: &Element,
        after: &Element,
        budget: &mut Budget,
    ) -> Result<bool, EvaluationError> {
        let comparison = Comparison::of(before, after, budget)?;
        for criteria in &self.0.triggers {
            if comparison.meets(criteria, budget)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The texts in one order, each once.
fn joined(texts: impl Iterator<Item = String>, none: &str) -> String {
    let mut texts: Vec<String> = texts.collect();
    if texts.is_empty() {
        return none.to_owned();
    }
    texts.sort_unstable();
    texts.dedup();
    texts.join("\n|\n")
}

type Compiled = (Option<Content>, Vec<Criteria>);

/// What one filter shows, unless that is everything, and when; none if it is not understood.
fn compiled(filter: &Filter, prefixes: Prefixes<'_>) -> Option<Compiled> {
    let what = filter.what.as_ref().filter(|what| !what.is_empty());
    let content = what.map(|what| {
        Some(Content {
            includes: selections(&what.includes, prefixes)?,
            excludes: selections(&what.excludes, prefixes)?,
        })
    });
    let content = match content {
        Some(understood) => Some(understood?),
        None => None,
    };
    let triggers = filter.triggers.iter().filter(|it| !it.is_empty());
    let triggers: Option<Vec<Criteria>> = triggers.map(|it| criteria(it, prefixes)).collect();
    Some((content, triggers?))
}

fn expression(text: &str, prefixes: Prefixes<'_>) -> Option<super::expression::Expression> {
    let parsed = parser::parse(text, prefixes, &FilterLimits::unlimited());
    parsed.ok().map(|parsed| parsed.expression)
}

fn selections(selectors: &[Selector], prefixes: Prefixes<'_>) -> Option<Vec<Selection>> {
    let selections = selectors.iter().map(|selector| match selector {
        Selector::Xpath(text) => expression(text, prefixes).map(Selection::Path),
        Selector::Namespace(name) => Some(Selection::Namespace(Name::new(name, ""))),
    });
    selections.collect()
}

fn criteria(trigger: &Trigger, prefixes: Prefixes<'_>) -> Option<Criteria> {
    let changed = trigger.changed.iter().map(|changed: &Changed| {
        let by = match &changed.by {
            Some(by) => Some(Decimal::parse(by)?),
            None => None,
        };
        Some(Criterion {
            expression: expression(&changed.expression, prefixes)?,
            kind: Kind::Changed {
                from: changed.from.clone(),
                to: changed.to.clone(),
                by,
            },
        })
    });
    let criterion = |text: &String, kind: Kind| {
        let expression = expression(text, prefixes)?;
        Some(Criterion { expression, kind })
    };
    let added = trigger.added.iter().map(|it| criterion(it, Kind::Added));
    let removed = trigger.removed.iter();
    let removed = removed.map(|it| criterion(it, Kind::Removed));
    let all: Option<Vec<Criterion>> = changed.chain(added).chain(removed).collect();
    all.map(Criteria)
}

impl PartialEq for Narrowing {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.name == other.0.name
    }
}

impl Eq for Narrowing {}

impl Hash for Narrowing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl fmt::Debug for Narrowing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Narrowing").field(&self.0.name).finish()
    }
}
