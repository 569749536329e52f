//! One filter.

use super::trigger::Trigger;
use super::what::{Selector, What};

/// A filter: for which resources, what of them is shown, and when (RFC 4661 section 3.4).
///
/// ```
/// use presentity::filter::{Changed, Filter, Trigger};
///
/// let filter = Filter::new("1")
///     .for_uri("sip:dora@example.com")
///     .include("/pidf:presence/pidf:tuple")
///     .exclude("//pidf:note")
///     .when(Trigger::new().changed(Changed::of("//pidf:basic").from("closed").to("open")));
/// assert_eq!(filter.triggers.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Tells it from others of the set.
    pub id: String,
    /// The resource it is for. Without this and a domain: the one that is subscribed to.
    pub uri: Option<String>,
    /// The domain of the resources it is for. Not together with a URI.
    pub domain: Option<String>,
    /// Whether the filter of this id is to be removed; all else means nothing then.
    pub remove: bool,
    /// Whether it is in force.
    pub enabled: bool,
    /// What is shown: everything without this.
    pub what: Option<What>,
    /// When: one of these is enough, and without any each change is.
    pub triggers: Vec<Trigger>,
}

impl Filter {
    /// A filter for the resource that is subscribed to, which says nothing yet.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            uri: None,
            domain: None,
            remove: false,
            enabled: true,
            what: None,
            triggers: Vec::new(),
        }
    }

    /// The removal of the filter with this id.
    pub fn removal(id: impl Into<String>) -> Self {
        Self {
            remove: true,
            ..Self::new(id)
        }
    }

    /// The same for this resource.
    #[must_use]
    pub fn for_uri(mut self, uri: impl Into<String>) -> Self {
        self.uri = Some(uri.into());
        self.domain = None;
        self
    }

    /// The same for all resources of a domain.
    #[must_use]
    pub fn for_domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self.uri = None;
        self
    }

    /// The same, out of force. What it says may be left out when a server has it.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    fn what_mut(&mut self) -> &mut What {
        self.what.get_or_insert_default()
    }

    /// The same, showing what an expression selects as well.
    #[must_use]
    pub fn include(mut self, expression: &str) -> Self {
        let selector = Selector::xpath(expression);
        self.what_mut().includes.push(selector);
        self
    }

    /// The same, showing the elements of a namespace as well.
    #[must_use]
    pub fn include_namespace(mut self, name: &str) -> Self {
        let selector = Selector::namespace(name);
        self.what_mut().includes.push(selector);
        self
    }

    /// The same, not showing what an expression selects.
    #[must_use]
    pub fn exclude(mut self, expression: &str) -> Self {
        let selector = Selector::xpath(expression);
        self.what_mut().excludes.push(selector);
        self
    }

    /// The same, not showing the elements of a namespace.
    #[must_use]
    pub fn exclude_namespace(mut self, name: &str) -> Self {
        let selector = Selector::namespace(name);
        self.what_mut().excludes.push(selector);
        self
    }

    /// The same with one more trigger.
    #[must_use]
    pub fn when(mut self, trigger: Trigger) -> Self {
        self.triggers.push(trigger);
        self
    }

    /// What it is for.
    pub fn target(&self) -> FilterTarget<'_> {
        match (&self.uri, &self.domain) {
            (Some(uri), _) => FilterTarget::Uri(uri),
            (None, Some(domain)) => FilterTarget::Domain(domain),
            (None, None) => FilterTarget::Subscribed,
        }
    }

    /// Whether it says what or when, be it nothing.
    pub(super) fn has_content(&self) -> bool {
        self.what.is_some() || !self.triggers.is_empty()
    }

    pub(super) fn is_in_force(&self) -> bool {
        self.enabled && !self.remove
    }

    pub(super) fn selectors(&self) -> impl Iterator<Item = &Selector> {
        self.what.iter().flat_map(What::selectors)
    }

    /// Everything in it that has the syntax of section 5.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &String> {
        let selected = self.selectors().filter_map(|selector| match selector {
            Selector::Xpath(expression) => Some(expression),
            Selector::Namespace(_) => None,
        });
        selected.chain(self.triggers.iter().flat_map(Trigger::expressions))
    }

    pub(super) fn expressions_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let what = self.what.iter_mut();
        let selected = what
            .flat_map(|what| what.includes.iter_mut().chain(&mut what.excludes))
            .filter_map(|selector| match selector {
                Selector::Xpath(expression) => Some(expression),
                Selector::Namespace(_) => None,
            });
        let triggers = self.triggers.iter_mut().flat_map(|trigger| {
            let changed = trigger.changed.iter_mut().map(|it| &mut it.expression);
            changed
                .chain(&mut trigger.added)
                .chain(&mut trigger.removed)
        });
        selected.chain(triggers)
    }
}

/// What a filter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FilterTarget<'f> {
    /// The resource that is subscribed to.
    Subscribed,
    /// The resource with this URI, as it was written.
    Uri(&'f str),
    /// The resources of this domain, as it was written.
    Domain(&'f str),
}
