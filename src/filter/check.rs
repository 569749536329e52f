//! What holds for every set of filters, however it was made.

use std::collections::{HashMap, HashSet};

use super::decimal::Decimal;
use super::error::{FilterError, FilterLimit};
use super::filter_set::FilterSet;
use super::limits::FilterLimits;
use super::parser::{self, Prefixes};
use super::single_filter::{Filter, FilterTarget};
use super::trigger::Trigger;
use super::what::Selector;
use crate::sip::Uri;
use crate::xml::{excerpt, is_nc_name, trim};

/// Whether the set may be in force, or written.
pub(super) fn check(set: &FilterSet, limits: &FilterLimits) -> Result<(), FilterError> {
    let mut octets = octets(set);
    within(FilterLimit::Octets, octets, limits.octets)?;
    within(FilterLimit::Bindings, set.bindings.len(), limits.bindings)?;
    within(FilterLimit::Filters, set.filters.len(), limits.filters)?;
    let expressions = set.filters.iter().map(|filter| {
        let triggers = filter.triggers.iter().flat_map(Trigger::expressions);
        filter.selectors().count().saturating_add(triggers.count())
    });
    within(
        FilterLimit::Expressions,
        expressions.sum(),
        limits.expressions,
    )?;
    check_bindings(set)?;
    let mut ids = HashSet::new();
    let mut targets: HashMap<String, &str> = HashMap::new();
    for filter in &set.filters {
        if !ids.insert(filter.id.as_str()) {
            return Err(FilterError::DuplicateId {
                id: excerpt(&filter.id),
            });
        }
        if filter.uri.is_some() && filter.domain.is_some() {
            return Err(FilterError::TwoTargets {
                id: excerpt(&filter.id),
            });
        }
        // One that says nothing is for what the filter is for that has its id.
        if filter.is_in_force()
            && filter.has_content()
            && let Some(other) = targets.insert(key(filter), &filter.id)
        {
            return Err(same_target(other, &filter.id));
        }
        // A name takes the room of its namespace wherever it stands, however short the prefix.
        octets = octets.saturating_add(check_content(filter, set, limits)?);
        within(FilterLimit::Octets, octets, limits.octets)?;
    }
    Ok(())
}

fn within(limit: FilterLimit, number: usize, max: usize) -> Result<(), FilterError> {
    if number <= max {
        return Ok(());
    }
    Err(FilterError::Limit { limit, max })
}

/// Octets of all texts.
fn octets(set: &FilterSet) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let bindings = set.bindings.iter();
    let bindings = bindings.map(|binding| binding.prefix.len().saturating_add(binding.urn.len()));
    let filters = set.filters.iter().flat_map(|filter| {
        let own = [filter.id.len(), length(&filter.uri), length(&filter.domain)];
        let selectors = filter.selectors().map(|selector| selector.text().len());
        let triggers = filter.triggers.iter().flat_map(move |trigger| {
            let changed = trigger.changed.iter();
            let values = changed.flat_map(move |it| [&it.from, &it.to, &it.by].map(length));
            trigger.expressions().map(String::len).chain(values)
        });
        own.into_iter().chain(selectors).chain(triggers)
    });
    let all = bindings.chain(filters).chain([length(&set.package)]);
    all.fold(0, usize::saturating_add)
}

fn check_bindings(set: &FilterSet) -> Result<(), FilterError> {
    let mut prefixes = HashSet::new();
    for binding in &set.bindings {
        if !is_nc_name(&binding.prefix) || !prefixes.insert(binding.prefix.as_str()) {
            return Err(FilterError::Prefix {
                prefix: excerpt(&binding.prefix),
            });
        }
        if trim(&binding.urn).is_empty() {
            return Err(FilterError::Namespace);
        }
    }
    Ok(())
}

/// Gives the octets of the namespaces that prefixes stand for.
fn check_content(
    filter: &Filter,
    set: &FilterSet,
    limits: &FilterLimits,
) -> Result<usize, FilterError> {
    let prefixes = Prefixes {
        bindings: &set.bindings,
        customary: false,
    };
    let mut namespaces: usize = 0;
    for expression in filter.expressions() {
        let parsed = parser::parse(expression, prefixes, limits)?;
        namespaces = namespaces.saturating_add(parsed.namespaces);
        within(FilterLimit::Octets, namespaces, limits.octets)?;
    }
    for selector in filter.selectors() {
        if matches!(selector, Selector::Namespace(_)) && trim(selector.text()).is_empty() {
            return Err(FilterError::Namespace);
        }
    }
    for changed in filter.triggers.iter().flat_map(|trigger| &trigger.changed) {
        // With an amount, the ends of the change are numbers (RFC 4661 section 3.6.1.4).
        let ends = [&changed.by, &changed.from, &changed.to];
        let ends = ends.into_iter().flatten().filter(|_| changed.by.is_some());
        for value in ends {
            if Decimal::parse(value).is_none() {
                return Err(FilterError::Number {
                    value: excerpt(value),
                });
            }
        }
    }
    Ok(namespaces)
}

/// The same for filters with the same target, so far as that can be told.
fn key(filter: &Filter) -> String {
    match filter.target() {
        FilterTarget::Subscribed => String::new(),
        FilterTarget::Uri(uri) => {
            let uri = trim(uri);
            let name = Uri::parse(uri).ok().and_then(|uri| uri.address_of_record());
            format!("u{}", name.as_deref().unwrap_or(uri))
        }
        FilterTarget::Domain(domain) => {
            let domain = trim(domain);
            let domain = domain.strip_suffix('.').unwrap_or(domain);
            format!("d{}", domain.to_ascii_lowercase())
        }
    }
}

fn same_target(first: &str, second: &str) -> FilterError {
    FilterError::SameTarget {
        first: excerpt(first),
        second: excerpt(second),
    }
}

/// Whether one filter at most holds for a resource by name, and one by its domain.
pub(super) fn one_for_each(
    set: &FilterSet,
    matches: impl Fn(FilterTarget<'_>) -> bool,
) -> Result<(), FilterError> {
    let (mut by_name, mut by_domain) = (None, None);
    for filter in set.filters.iter().filter(|filter| filter.is_in_force()) {
        let place = match filter.target() {
            FilterTarget::Domain(_) => &mut by_domain,
            FilterTarget::Subscribed | FilterTarget::Uri(_) => &mut by_name,
        };
        if matches(filter.target())
            && let Some(other) = place.replace(filter.id.as_str())
        {
            return Err(same_target(other, &filter.id));
        }
    }
    Ok(())
}
