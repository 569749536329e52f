//! What a further SUBSCRIBE makes of the filters that are there.

use std::collections::{HashMap, HashSet};

use super::check::check;
use super::error::FilterError;
use super::filter_set::{Binding, FilterSet};
use super::limits::FilterLimits;
use super::parser::{self, Prefixes};
use super::single_filter::Filter;
use crate::xml::excerpt;

pub(super) fn merged(
    before: &FilterSet,
    update: &FilterSet,
    limits: &FilterLimits,
) -> Result<FilterSet, FilterError> {
    check(update, limits)?;
    let mut all = before.clone();
    rename_clashing(&mut all, update);
    let known: HashSet<String> = all.bindings.iter().map(|it| it.prefix.clone()).collect();
    let new = update.bindings.iter();
    let new = new.filter(|binding| !known.contains(&binding.prefix));
    all.bindings.extend(new.cloned());
    if update.package.is_some() {
        all.package.clone_from(&update.package);
    }
    for filter in &update.filters {
        let place = all.filters.iter().position(|it| it.id == filter.id);
        if filter.remove {
            all.filters.retain(|it| it.id != filter.id);
            continue;
        }
        match place.and_then(|place| all.filters.get_mut(place)) {
            Some(there) if filter.has_content() => *there = filter.clone(),
            Some(there) => switch(there, filter),
            None => all.filters.push(filter.clone()),
        }
    }
    let nothing = all
        .filters
        .iter()
        .find(|it| it.enabled && !it.has_content());
    if let Some(filter) = nothing {
        return Err(FilterError::Nothing {
            id: excerpt(&filter.id),
        });
    }
    drop_unused(&mut all);
    check(&all, limits)?;
    Ok(all)
}

/// Puts a filter in force or out of it, and gives it another target if that is said.
fn switch(there: &mut Filter, update: &Filter) {
    there.enabled = update.enabled;
    if update.uri.is_some() || update.domain.is_some() {
        there.uri.clone_from(&update.uri);
        there.domain.clone_from(&update.domain);
    }
}

/// Gives prefixes that mean something else in the update other names.
fn rename_clashing(all: &mut FilterSet, update: &FilterSet) {
    let clashes = |binding: &Binding| {
        let mut others = update.bindings.iter();
        others.any(|other| other.prefix == binding.prefix && other.urn != binding.urn)
    };
    let taken = all.bindings.iter().chain(&update.bindings);
    let mut taken: HashSet<String> = taken.map(|binding| binding.prefix.clone()).collect();
    let mut names: HashMap<String, String> = HashMap::new();
    let before = all.bindings.clone();
    for binding in all.bindings.iter_mut().filter(|binding| clashes(binding)) {
        let mut free = (0..=taken.len()).map(|number| format!("n{number}"));
        let Some(free) = free.find(|name| !taken.contains(name)) else {
            return;
        };
        taken.insert(free.clone());
        let prefix = core::mem::replace(&mut binding.prefix, free.clone());
        names.insert(prefix, free);
    }
    if names.is_empty() {
        return;
    }
    let prefixes = Prefixes {
        bindings: &before,
        customary: false,
    };
    for filter in &mut all.filters {
        for expression in filter.expressions_mut() {
            *expression = parser::rename(expression, prefixes, |name| names.get(name).cloned());
        }
    }
}

/// Forgets prefixes that no filter uses any more, so that their number has a bound.
fn drop_unused(all: &mut FilterSet) {
    let mut used: HashSet<String> = HashSet::new();
    let prefixes = Prefixes {
        bindings: &all.bindings,
        customary: false,
    };
    for expression in all.filters.iter().flat_map(Filter::expressions) {
        used.extend(parser::used_prefixes(expression, prefixes));
    }
    all.bindings
        .retain(|binding| used.contains(&binding.prefix));
}
