//! What a watcher may see.

use std::collections::BTreeSet;

use super::attribute::{AttributeSet, InputDetail, PresenceAttribute};
use super::selection::{DeviceSelector, PersonSelector, Selection, ServiceSelector, insert_normal};

/// What of a presence document a watcher may see (RFC 5025 section 3.3); nothing by default.
///
/// Equal permissions are equal values, however they came about. White space around and within values that
/// are tokens counts as the schema has it, and values that are empty identify nothing and are left out.
///
/// ```
/// use presentity::rules::{InputDetail, PresenceAttribute, Provided, ServiceSelector};
///
/// let some = Provided::nothing()
///     .with_services(ServiceSelector::UriScheme("sip".to_owned()))
///     .with_all_persons()
///     .with_attribute(PresenceAttribute::Activities)
///     .with_user_input(InputDetail::Bare);
/// assert_eq!(some.to_name(), "ss=sip;p*;a=activities;i=bare");
/// assert_eq!(Provided::from_name("ss=sip;p*;a=activities;i=bare"), Some(some));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Provided {
    services: Selection<ServiceSelector>,
    devices: Selection<DeviceSelector>,
    persons: Selection<PersonSelector>,
    /// The four that follow are as by default then.
    all_attributes: bool,
    attributes: AttributeSet,
    user_input: InputDetail,
    /// Namespaces and names.
    unknown: BTreeSet<(String, String)>,
}

impl Provided {
    /// Nothing of any document.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// All of every document.
    pub fn everything() -> Self {
        Self::nothing()
            .with_all_services()
            .with_all_devices()
            .with_all_persons()
            .with_all_attributes()
    }

    /// Whether it is [`Provided::nothing`].
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is [`Provided::everything`]: documents stay as they are.
    pub fn is_everything(&self) -> bool {
        self.services.is_all()
            && self.devices.is_all()
            && self.persons.is_all()
            && self.all_attributes
    }

    /// The same with all services (`all-services`).
    #[must_use]
    pub fn with_all_services(mut self) -> Self {
        self.services.select_all();
        self
    }

    /// The same with the services that this identifies.
    #[must_use]
    pub fn with_services(mut self, selector: ServiceSelector) -> Self {
        insert_normal(&mut self.services, &selector);
        self
    }

    /// The same with all devices (`all-devices`).
    #[must_use]
    pub fn with_all_devices(mut self) -> Self {
        self.devices.select_all();
        self
    }

    /// The same with the devices that this identifies.
    #[must_use]
    pub fn with_devices(mut self, selector: DeviceSelector) -> Self {
        insert_normal(&mut self.devices, &selector);
        self
    }

    /// The same with all persons (`all-persons`).
    #[must_use]
    pub fn with_all_persons(mut self) -> Self {
        self.persons.select_all();
        self
    }

    /// The same with the persons that this identifies.
    #[must_use]
    pub fn with_persons(mut self, selector: PersonSelector) -> Self {
        insert_normal(&mut self.persons, &selector);
        self
    }

    /// The same with an attribute of what is shown.
    #[must_use]
    pub fn with_attribute(mut self, attribute: PresenceAttribute) -> Self {
        if !self.all_attributes {
            self.attributes.insert(attribute);
        }
        self
    }

    /// The same with so much of `user-input`, or what it had if that is more.
    #[must_use]
    pub fn with_user_input(mut self, detail: InputDetail) -> Self {
        if !self.all_attributes {
            self.user_input = self.user_input.max(detail);
        }
        self
    }

    /// The same with an attribute that has no permission of its own, by the namespace and the local name
    /// of its element (`provide-unknown-attribute`). For those of RFC 4480 this does nothing (RFC 5025
    /// section 3.3.2.14); an empty name or namespace is left out.
    #[must_use]
    pub fn with_unknown_attribute(mut self, namespace: &str, local: &str) -> Self {
        if !self.all_attributes && !namespace.is_empty() && !local.is_empty() {
            self.unknown
                .insert((namespace.to_owned(), local.to_owned()));
        }
        self
    }

    /// The same with all attributes, known or not, of what is shown (`provide-all-attributes`).
    #[must_use]
    pub fn with_all_attributes(mut self) -> Self {
        self.all_attributes = true;
        self.attributes = AttributeSet::default();
        self.user_input = InputDetail::default();
        self.unknown.clear();
        self
    }

    /// Which services are shown.
    pub fn services(&self) -> &Selection<ServiceSelector> {
        &self.services
    }

    /// Which devices are shown.
    pub fn devices(&self) -> &Selection<DeviceSelector> {
        &self.devices
    }

    /// Which persons are shown.
    pub fn persons(&self) -> &Selection<PersonSelector> {
        &self.persons
    }

    /// Whether all attributes of these are.
    pub fn all_attributes(&self) -> bool {
        self.all_attributes
    }

    /// Whether an attribute is, be it with all.
    pub fn has_attribute(&self, attribute: PresenceAttribute) -> bool {
        self.all_attributes || self.attributes.contains(attribute)
    }

    /// The attributes that are granted by themselves; none where all are.
    pub fn attributes(&self) -> impl Iterator<Item = PresenceAttribute> {
        self.attributes.iter()
    }

    /// How much of `user-input` is told.
    pub fn user_input(&self) -> InputDetail {
        if self.all_attributes {
            InputDetail::Full
        } else {
            self.user_input
        }
    }

    /// Namespaces and names of the unknown attributes that are granted, sorted; none where all are.
    pub fn unknown_attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.unknown.iter();
        all.map(|(namespace, local)| (namespace.as_str(), local.as_str()))
    }

    /// Whether an unknown attribute is granted by its name.
    pub(super) fn names_unknown(&self, namespace: &str, local: &str) -> bool {
        // A tuple of two texts cannot be looked up by two lent ones.
        !self.unknown.is_empty()
            && self
                .unknown
                .contains(&(namespace.to_owned(), local.to_owned()))
    }

    /// Adds what another rule gives (RFC 4745 section 10.2): whatever one of them grants is granted.
    pub fn merge(&mut self, other: &Self) {
        self.services.merge(&other.services);
        self.devices.merge(&other.devices);
        self.persons.merge(&other.persons);
        if other.all_attributes && !self.all_attributes {
            *self = core::mem::take(self).with_all_attributes();
        } else if !self.all_attributes {
            self.attributes = self.attributes.union(other.attributes);
            self.user_input = self.user_input.max(other.user_input);
            self.unknown.extend(other.unknown.iter().cloned());
        }
    }

    pub(super) fn services_mut(&mut self) -> &mut Selection<ServiceSelector> {
        &mut self.services
    }

    pub(super) fn devices_mut(&mut self) -> &mut Selection<DeviceSelector> {
        &mut self.devices
    }

    pub(super) fn persons_mut(&mut self) -> &mut Selection<PersonSelector> {
        &mut self.persons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str) -> ServiceSelector {
        ServiceSelector::Class(name.to_owned())
    }

    // SRV-80, SRV-82
    #[test]
    fn equal_permissions_are_equal() {
        let one = Provided::nothing()
            .with_services(class("b"))
            .with_services(class(" a\n b "))
            .with_services(class("  "))
            .with_unknown_attribute("", "x")
            .with_unknown_attribute("urn:example:x", "");
        let other = Provided::nothing()
            .with_services(class("a b"))
            .with_services(class("b"))
            .with_services(class("b"));
        assert_eq!(one, other);
        assert_eq!(
            one.with_all_services(),
            Provided::nothing()
                .with_all_services()
                .with_services(class("c"))
        );
        let all = Provided::nothing().with_all_attributes();
        let more = Provided::nothing()
            .with_attribute(PresenceAttribute::Mood)
            .with_user_input(InputDetail::Bare)
            .with_unknown_attribute("urn:example:x", "x")
            .with_all_attributes()
            .with_attribute(PresenceAttribute::Mood)
            .with_user_input(InputDetail::Full)
            .with_unknown_attribute("urn:example:x", "x");
        assert_eq!(all, more);
        assert_eq!(all.user_input(), InputDetail::Full);
        assert!(all.has_attribute(PresenceAttribute::Note));
    }

    // SRV-80
    #[test]
    fn what_any_rule_gives_is_given() {
        let one = Provided::nothing()
            .with_services(class("a"))
            .with_attribute(PresenceAttribute::Mood)
            .with_user_input(InputDetail::Thresholds)
            .with_unknown_attribute("urn:example:x", "x");
        let other = Provided::nothing()
            .with_services(class("b"))
            .with_all_devices()
            .with_attribute(PresenceAttribute::Note)
            .with_user_input(InputDetail::Bare);
        let mut both = one.clone();
        both.merge(&other);
        let mut turned = other.clone();
        turned.merge(&one);
        assert_eq!(both, turned);
        assert_eq!(both.services().iter().count(), 2);
        assert!(both.devices().is_all() && both.persons().is_empty());
        assert_eq!(both.attributes().count(), 2);
        assert_eq!(both.user_input(), InputDetail::Thresholds);
        assert_eq!(both.unknown_attributes().count(), 1);
        both.merge(&Provided::everything());
        assert_eq!(both, Provided::everything());
        assert!(both.is_everything());
        both.merge(&one);
        assert_eq!(both, Provided::everything());
    }
}
