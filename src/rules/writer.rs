//! Writes documents.

use std::collections::HashSet;

use bytes::Bytes;

use super::attribute::InputDetail;
use super::condition::{Condition, Except, Many, Who};
use super::error::WriteError;
use super::provided::Provided;
use super::reader;
use super::rule::Rule;
use super::ruleset::Ruleset;
use super::selection::{Selection, Selector};
use crate::xml::{Element, Layout, Name, excerpt, is_nc_name, namespace};

pub(super) fn write(rules: &Ruleset, layout: Layout) -> Result<Bytes, WriteError> {
    let mut root = policy("ruleset");
    root.attributes = rules.attributes.clone();
    let mut ids = HashSet::new();
    for rule in &rules.rules {
        if !is_nc_name(&rule.id) && (rule.id.is_empty() || !rule.read_id.is(&rule.id)) {
            return Err(WriteError::Id {
                id: excerpt(&rule.id),
            });
        }
        if !ids.insert(rule.id.as_str()) {
            return Err(WriteError::DuplicateId {
                id: excerpt(&rule.id),
            });
        }
        root.push_child(element_of(rule)?);
    }
    for extension in &rules.extensions {
        put_other(
            &mut root,
            extension,
            extension.is(namespace::COMMON_POLICY, "rule"),
        )?;
    }
    Ok(root.write_as(layout)?)
}

fn policy(local: &str) -> Element {
    Element::new(namespace::COMMON_POLICY, local)
}

fn permission(local: &str) -> Element {
    Element::new(namespace::PRES_RULES, local)
}

/// Puts an element in that is not understood, if that is so.
fn put_other(parent: &mut Element, other: &Element, is_known: bool) -> Result<(), WriteError> {
    if is_known {
        return Err(WriteError::NoExtension {
            local: excerpt(other.local()),
        });
    }
    parent.push_child(other.clone());
    Ok(())
}

fn element_of(rule: &Rule) -> Result<Element, WriteError> {
    if rule.attributes.get("", "id").is_some() {
        return Err(WriteError::Attribute);
    }
    let mut element = policy("rule");
    element.attributes = rule.attributes.clone();
    element
        .attributes
        .set(Name::new("", "id"), rule.id.as_str());

    let mut conditions = policy("conditions");
    for condition in &rule.conditions {
        put_condition(&mut conditions, condition)?;
    }
    push_unless_empty(&mut element, conditions);

    let mut actions = policy("actions");
    if let Some(handling) = rule.handling {
        actions.push_child(permission("sub-handling").with_text(handling.as_str()));
    }
    for other in &rule.other_actions {
        put_other(&mut actions, other, reader::handling(other).is_some())?;
    }
    push_unless_empty(&mut element, actions);

    let mut transformations = policy("transformations");
    put_provided(&mut transformations, &rule.provided);
    for other in &rule.other_transformations {
        let (granted, left) = reader::transformation(Provided::nothing(), other.clone());
        let is_known = !granted.is_nothing() || left.as_ref() != Some(other);
        put_other(&mut transformations, other, is_known)?;
    }
    push_unless_empty(&mut element, transformations);

    for extension in &rule.extensions {
        let is_known = extension.namespace() == namespace::COMMON_POLICY
            && matches!(
                extension.local(),
                "conditions" | "actions" | "transformations"
            );
        put_other(&mut element, extension, is_known)?;
    }
    Ok(element)
}

fn push_unless_empty(parent: &mut Element, part: Element) {
    if part.elements().next().is_some() {
        parent.push_child(part);
    }
}

fn put_condition(conditions: &mut Element, condition: &Condition) -> Result<(), WriteError> {
    match condition {
        Condition::Identity(list) => {
            let mut identity = policy("identity");
            for who in list {
                match who {
                    Who::One(uri) => {
                        identity.push_child(policy("one").with_attribute("id", uri.as_str()));
                    }
                    Who::Many(many) => identity.push_child(element_of_many(many)),
                    Who::Other(other) => {
                        let is_known = !matches!(reader::who(other.clone()), Who::Other(_));
                        put_other(&mut identity, other, is_known)?;
                    }
                }
            }
            conditions.push_child(identity);
        }
        Condition::Sphere(value) => {
            conditions.push_child(policy("sphere").with_attribute("value", value.as_str()));
        }
        Condition::Validity(intervals) => {
            let mut validity = policy("validity");
            for interval in intervals {
                validity.push_child(policy("from").with_text(interval.from_text.as_str()));
                validity.push_child(policy("until").with_text(interval.until_text.as_str()));
            }
            conditions.push_child(validity);
        }
        Condition::Other(other) => {
            let is_known = other.is(namespace::COMMON_POLICY, "identity")
                || !matches!(reader::condition(other.clone()), Condition::Other(_));
            put_other(conditions, other, is_known)?;
        }
    }
    Ok(())
}

fn element_of_many(many: &Many) -> Element {
    let mut element = policy("many");
    if let Some(domain) = &many.domain {
        element = element.with_attribute("domain", domain.as_str());
    }
    for except in &many.except {
        element.push_child(match except {
            Except::One(uri) => policy("except").with_attribute("id", uri.as_str()),
            Except::Domain(domain) => policy("except").with_attribute("domain", domain.as_str()),
        });
    }
    element
}

fn put_provided(transformations: &mut Element, provided: &Provided) {
    put_selection(transformations, provided.services());
    put_selection(transformations, provided.devices());
    put_selection(transformations, provided.persons());
    if provided.all_attributes() {
        transformations.push_child(permission("provide-all-attributes"));
        return;
    }
    for attribute in provided.attributes() {
        let local = format!("provide-{}", attribute.as_str());
        transformations.push_child(permission(&local).with_text("true"));
    }
    let input = provided.user_input();
    if input > InputDetail::Nothing {
        transformations.push_child(permission("provide-user-input").with_text(input.as_str()));
    }
    for (ns, name) in provided.unknown_attributes() {
        let unknown = permission("provide-unknown-attribute")
            .with_attribute("name", name)
            .with_attribute("ns", ns)
            .with_text("true");
        transformations.push_child(unknown);
    }
}

fn put_selection<S: Selector>(transformations: &mut Element, selection: &Selection<S>) {
    if selection.is_empty() {
        return;
    }
    let mut element = permission(S::PERMISSION);
    if selection.is_all() {
        element.push_child(permission(S::ALL));
    }
    for selector in selection.iter() {
        let (local, value) = selector.parts();
        element.push_child(permission(local).with_text(value));
    }
    transformations.push_child(element);
}
