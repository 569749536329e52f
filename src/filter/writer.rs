//! Writes documents.

use bytes::Bytes;

use super::check::check;
use super::error::FilterError;
use super::filter_set::FilterSet;
use super::limits::FilterLimits;
use super::single_filter::Filter;
use super::trigger::Trigger;
use super::what::Selector;
use crate::xml::{Element, Layout, namespace};

pub(super) fn write(set: &FilterSet, layout: Layout) -> Result<Bytes, FilterError> {
    check(set, &FilterLimits::unlimited())?;
    if set.filters.is_empty() {
        return Err(FilterError::NoFilter);
    }
    let mut root = named("filter-set");
    if let Some(package) = &set.package {
        root = root.with_attribute("package", package.as_str());
    }
    if !set.bindings.is_empty() {
        let bindings = set.bindings.iter().map(|binding| {
            named("ns-binding")
                .with_attribute("prefix", binding.prefix.as_str())
                .with_attribute("urn", binding.urn.as_str())
        });
        root.push_child(bindings.fold(named("ns-bindings"), Element::with_child));
    }
    for filter in &set.filters {
        root.push_child(element_of(filter));
    }
    Ok(root.write_as(layout)?)
}

fn named(local: &str) -> Element {
    Element::new(namespace::SIMPLE_FILTER, local)
}

fn element_of(filter: &Filter) -> Element {
    let mut element = named("filter").with_attribute("id", filter.id.as_str());
    for (local, value) in [("uri", &filter.uri), ("domain", &filter.domain)] {
        if let Some(value) = value {
            element = element.with_attribute(local, value.as_str());
        }
    }
    if filter.remove {
        element = element.with_attribute("remove", "true");
    }
    if !filter.enabled {
        element = element.with_attribute("enabled", "false");
    }
    if let Some(what) = &filter.what {
        let includes = what.includes.iter().map(|it| ("include", it));
        let excludes = what.excludes.iter().map(|it| ("exclude", it));
        let all = includes.chain(excludes);
        let all = all.map(|(local, selector)| {
            let element = named(local).with_text(selector.text());
            match selector {
                Selector::Xpath(_) => element,
                Selector::Namespace(_) => element.with_attribute("type", "namespace"),
            }
        });
        element.push_child(all.fold(named("what"), Element::with_child));
    }
    let triggers = filter.triggers.iter().map(element_of_trigger);
    triggers.fold(element, Element::with_child)
}

fn element_of_trigger(trigger: &Trigger) -> Element {
    let mut element = named("trigger");
    for changed in &trigger.changed {
        let mut child = named("changed").with_text(changed.expression.as_str());
        for (local, value) in [
            ("from", &changed.from),
            ("to", &changed.to),
            ("by", &changed.by),
        ] {
            if let Some(value) = value {
                child = child.with_attribute(local, value.as_str());
            }
        }
        element.push_child(child);
    }
    let added = trigger.added.iter().map(|it| ("added", it));
    let removed = trigger.removed.iter().map(|it| ("removed", it));
    for (local, expression) in added.chain(removed) {
        element.push_child(named(local).with_text(expression.as_str()));
    }
    element
}
