//! The document.

use bytes::Bytes;

use super::error::FilterError;
use super::limits::FilterLimits;
use super::narrowing::Narrowing;
use super::single_filter::{Filter, FilterTarget};
use super::{check, merge, reader, writer};
use crate::xml::{Layout, namespace, trim};

/// A set of filters: `application/simple-filter+xml` (RFC 4661).
///
/// As a document it is what one SUBSCRIBE asks for. What is in force in a subscription is a set as well:
/// that of the first SUBSCRIBE [merged](FilterSet::merged_with) into an empty one, and each further one into
/// what there was.
///
/// Elements and attributes of other namespaces are passed over.
///
/// ```
/// use presentity::filter::{Filter, FilterLimits, FilterSet};
///
/// let set = FilterSet::new()
///     .bind("pidf", "urn:ietf:params:xml:ns:pidf")
///     .with(Filter::new("1").include("/pidf:presence/pidf:tuple/pidf:status/pidf:basic"));
/// let document = set.write()?;
/// assert_eq!(FilterSet::read(&document, &FilterLimits::default())?, set);
/// # Ok::<(), presentity::filter::FilterError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FilterSet {
    /// The event package that it is for, if it says so.
    pub package: Option<String>,
    /// What the prefixes in expressions mean.
    pub bindings: Vec<Binding>,
    /// The filters.
    pub filters: Vec<Filter>,
}

/// A prefix, and the namespace that it stands for in expressions (RFC 4661 section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Binding {
    /// The prefix: a name without colon.
    pub prefix: String,
    /// The namespace.
    pub urn: String,
}

impl Binding {
    /// A prefix for a namespace.
    pub fn new(prefix: impl Into<String>, urn: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            urn: urn.into(),
        }
    }
}

impl FilterSet {
    /// Without filters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Without filters, where the prefixes `pidf`, `dm`, `rpid`, `ci` and `caps` mean the namespaces of
    /// presence documents that are customarily written so.
    pub fn of_presence() -> Self {
        [
            ("pidf", namespace::PIDF),
            ("dm", namespace::DATA_MODEL),
            ("rpid", namespace::RPID),
            ("ci", namespace::CIPID),
            ("caps", namespace::CAPS),
        ]
        .iter()
        .fold(Self::new(), |set, (prefix, urn)| set.bind(prefix, urn))
    }

    /// Reads a document, and checks what it says.
    ///
    /// A prefix that is not bound means the namespace that this crate writes with it, if there is one, and
    /// is bound in what is read; the root may be of the namespace that an example of RFC 4660 has it in.
    ///
    /// # Errors
    ///
    /// The document is not as the schema of RFC 4661 wants it, an expression in it is not as section 5 there
    /// does, two filters are for the same resource, or a bound is exceeded.
    pub fn read(document: &[u8], limits: &FilterLimits) -> Result<Self, FilterError> {
        reader::read(document, limits)
    }

    /// Writes the document: UTF-8, in the order of the schema.
    ///
    /// # Errors
    ///
    /// What would not be read, and prefixes that are not bound.
    pub fn write(&self) -> Result<Bytes, FilterError> {
        self.write_as(Layout::Compact)
    }

    /// The same, laid out as asked.
    ///
    /// # Errors
    ///
    /// As for [`FilterSet::write`].
    pub fn write_as(&self, layout: Layout) -> Result<Bytes, FilterError> {
        writer::write(self, layout)
    }

    /// The same with a prefix bound to a namespace.
    #[must_use]
    pub fn bind(mut self, prefix: &str, urn: &str) -> Self {
        self.bindings.push(Binding::new(prefix, trim(urn)));
        self
    }

    /// The same for an event package.
    #[must_use]
    pub fn for_package(mut self, package: impl Into<String>) -> Self {
        self.package = Some(package.into());
        self
    }

    /// The same with one more filter.
    #[must_use]
    pub fn with(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// The filter with this id.
    pub fn filter(&self, id: &str) -> Option<&Filter> {
        self.filters.iter().find(|filter| filter.id == id)
    }

    /// What is in force after a further SUBSCRIBE with these filters (RFC 4660 section 5.2.2; RFC 4661
    /// section 3.4).
    ///
    /// A filter with the id of one that was there takes its place; when it says neither what nor when, it
    /// only puts the other one in force, or out of it. One that says it is to be removed removes it; what
    /// is not there need not be removed. All others stay. An update without filters changes nothing.
    ///
    /// ```
    /// use presentity::filter::{Filter, FilterError, FilterLimits, FilterSet};
    ///
    /// let limits = FilterLimits::default();
    /// let first = FilterSet::new().with(Filter::new("1").include("/presence/tuple"));
    /// let in_force = FilterSet::new().merged_with(&first, &limits)?;
    /// let off = in_force.merged_with(&FilterSet::new().with(Filter::new("1").disabled()), &limits)?;
    /// assert!(!off.filters[0].enabled && off.filters[0].what.is_some());
    ///
    /// let other = FilterSet::new().with(Filter::new("2").include("/presence/note"));
    /// let refused = in_force.merged_with(&other, &limits);
    /// assert!(matches!(refused, Err(FilterError::SameTarget { .. })));
    /// # Ok::<(), FilterError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Two filters would be in force for the same resource or domain, one would that says nothing, the
    /// update has something in it that is not read, or a bound would be exceeded. Whoever refuses the
    /// SUBSCRIBE keeps what there was.
    pub fn merged_with(&self, update: &Self, limits: &FilterLimits) -> Result<Self, FilterError> {
        merge::merged(self, update, limits)
    }

    /// Whether no more than one filter is in force for a resource by name, and no more than one by its
    /// domain (RFC 4660 section 3.3.1). Merging finds what can be told from the filters alone; this finds
    /// other names of the same resource too.
    ///
    /// # Errors
    ///
    /// [`FilterError::SameTarget`].
    pub fn check_for_resource(
        &self,
        matches: impl Fn(FilterTarget<'_>) -> bool,
    ) -> Result<(), FilterError> {
        check::one_for_each(self, matches)
    }

    /// What the filters in force make of notifications about one resource; none when they leave them as
    /// they are.
    ///
    /// `matches` tells whether something names the resource: [`FilterTarget::Subscribed`] when it is that
    /// which is subscribed to, a URI when it is one of its own, a domain when it is its own and the caller
    /// serves it (RFC 4660 section 5.2.1). Filters for the resource override those for its domain (RFC 4660
    /// section 3.3.2). When several hold still, what any of them shows is shown, and when any of them would.
    ///
    /// A filter that could not be read counts as one that is not there.
    pub fn for_resource(&self, matches: impl Fn(FilterTarget<'_>) -> bool) -> Option<Narrowing> {
        let in_force = || self.filters.iter().filter(|filter| filter.is_in_force());
        let by_name = |filter: &&Filter| {
            !matches!(filter.target(), FilterTarget::Domain(_)) && matches(filter.target())
        };
        let mut holding: Vec<&Filter> = in_force().filter(by_name).collect();
        if holding.is_empty() {
            holding = in_force()
                .filter(|filter| matches!(filter.target(), FilterTarget::Domain(_)))
                .filter(|filter| matches(filter.target()))
                .collect();
        }
        Narrowing::of(&holding, &self.bindings)
    }
}
