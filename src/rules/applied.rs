//! Takes out of documents what is not granted.

use std::collections::{HashMap, HashSet};

use super::attribute::{InputDetail, PresenceAttribute};
use super::provided::Provided;
use super::selection::{DeviceSelector, PersonSelector, ServiceSelector};
use crate::pidf::rpid::{Class, InputState};
use crate::pidf::{Device, Person, Presence, Tuple};
use crate::sip::Uri;
use crate::xml::{Attributes, Element, Name, namespace, trim};

/// How many URIs of one address of record are compared with a contact: two may differ in parameters alone,
/// and no key tells which of them are equivalent.
const MOST_OF_ONE_ADDRESS: usize = 64;

impl Provided {
    /// Takes out of a document what is not granted (RFC 5025 section 3.3).
    ///
    /// - Persons, devices and services stay that something in the selections identifies.
    /// - Of a service its id, basic status, contact with priority, service class and timestamp stay; of a
    ///   device its id, identifier and timestamp; of a person its id and timestamp.
    /// - All else in them, in a status as well, stays by its permission: elements of RFC 4480, the
    ///   identifier of a service's device and notes by those of [`PresenceAttribute`], user input by
    ///   [`InputDetail`], and whatever else by the name of its element. An element that stays does with
    ///   all it contains.
    /// - Notes of the document stay by the permission for notes. Its other elements belong to no component:
    ///   they stay when they are granted by name, or everything is.
    /// - Attributes of XML itself (`xml:lang`) stay; those of other namespaces on elements of PIDF do with
    ///   all attributes, on the document with everything.
    /// - A service of which no status value stays is taken out: no document may have such a one.
    ///
    /// This is done once, with the document as it was composed. Done again it takes nothing more out,
    /// unless components are shown by their class and the permission for classes is missing.
    pub fn apply(&self, document: &mut Presence) {
        if self.is_everything() {
            return;
        }
        self.keep_tuples(&mut document.tuples);
        self.keep_persons(&mut document.persons);
        self.keep_devices(&mut document.devices);
        if !self.has_attribute(PresenceAttribute::Note) {
            document.notes.clear();
        }
        document.extensions.retain(|extension| {
            governed_by(extension, Place::Document) == Permission::Unknown
                && self.names_unknown(extension.namespace(), extension.local())
        });
        forget_foreign(&mut document.attributes);
    }

    fn keep_tuples(&self, tuples: &mut Vec<Tuple>) {
        let services = self.services();
        if services.is_empty() {
            tuples.clear();
            return;
        }
        if !services.is_all() {
            let wanted = WantedServices::of(self);
            tuples.retain(|tuple| wanted.has(tuple));
        }
        if self.all_attributes() {
            return;
        }
        tuples.retain_mut(|tuple| {
            let said_something = !tuple.status.is_empty();
            self.keep_extensions(&mut tuple.status.extensions, Place::Tuple);
            self.keep_extensions(&mut tuple.extensions, Place::Tuple);
            if !self.has_attribute(PresenceAttribute::Note) {
                tuple.notes.clear();
            }
            if let Some(contact) = &mut tuple.contact {
                forget_foreign(&mut contact.attributes);
            }
            forget_foreign(&mut tuple.status.attributes);
            forget_foreign(&mut tuple.attributes);
            tuple.forget_foreign_attributes();
            !said_something || !tuple.status.is_empty()
        });
    }

    fn keep_persons(&self, persons: &mut Vec<Person>) {
        let wanted = self.persons();
        if wanted.is_empty() {
            persons.clear();
            return;
        }
        if !wanted.is_all() {
            persons.retain(|person| {
                wanted.contains(&PersonSelector::OccurrenceId(person.id.clone()))
                    || person
                        .all::<Class>()
                        .any(|class| wanted.contains(&PersonSelector::Class(class.name)))
            });
        }
        if self.all_attributes() {
            return;
        }
        for person in persons {
            self.keep_extensions(&mut person.extensions, Place::Person);
            if !self.has_attribute(PresenceAttribute::Note) {
                person.notes.clear();
            }
            forget_foreign(&mut person.attributes);
            person.forget_foreign_attributes();
        }
    }

    fn keep_devices(&self, devices: &mut Vec<Device>) {
        let wanted = self.devices();
        if wanted.is_empty() {
            devices.clear();
            return;
        }
        if !wanted.is_all() {
            let ids: HashSet<String> = wanted
                .iter()
                .filter_map(|selector| match selector {
                    DeviceSelector::DeviceId(id) => Some(device_key(id)),
                    DeviceSelector::Class(_) | DeviceSelector::OccurrenceId(_) => None,
                })
                .collect();
            devices.retain(|device| {
                let id = device.device_id_text().map(device_key);
                id.is_some_and(|id| ids.contains(&id))
                    || wanted.contains(&DeviceSelector::OccurrenceId(device.id.clone()))
                    || device
                        .all::<Class>()
                        .any(|class| wanted.contains(&DeviceSelector::Class(class.name)))
            });
        }
        if self.all_attributes() {
            return;
        }
        for device in devices {
            self.keep_extensions(&mut device.extensions, Place::Device);
            if !self.has_attribute(PresenceAttribute::Note) {
                device.notes.clear();
            }
            forget_foreign(&mut device.attributes);
            device.forget_foreign_attributes();
        }
    }

    fn keep_extensions(&self, extensions: &mut Vec<Element>, place: Place) {
        extensions.retain_mut(|extension| match governed_by(extension, place) {
            Permission::Always => {
                forget_foreign(&mut extension.attributes);
                true
            }
            Permission::Attribute(attribute) => self.has_attribute(attribute),
            Permission::UserInput => keep_input(extension, self.user_input()),
            Permission::Unknown => self.names_unknown(extension.namespace(), extension.local()),
            Permission::All => false,
        });
    }
}

/// What an element stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Document,
    /// Or its status.
    Tuple,
    Person,
    Device,
}

/// What an element needs to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permission {
    /// Nothing.
    Always,
    Attribute(PresenceAttribute),
    UserInput,
    /// The one that names it.
    Unknown,
    /// Nothing less than that for all attributes.
    All,
}

fn governed_by(element: &Element, place: Place) -> Permission {
    match (element.namespace(), element.local()) {
        (namespace::RPID, "service-class") if place == Place::Tuple => Permission::Always,
        (namespace::RPID, "service-class") => Permission::All,
        (namespace::RPID, "user-input") => Permission::UserInput,
        // They are of the data model and of PIDF.
        (namespace::RPID, "deviceID" | "note") => Permission::Unknown,
        (namespace::DATA_MODEL, "deviceID") => Permission::Attribute(PresenceAttribute::DeviceId),
        (namespace::DATA_MODEL | namespace::PIDF, "note") => {
            Permission::Attribute(PresenceAttribute::Note)
        }
        (namespace::RPID, local) => {
            PresenceAttribute::from_name(local).map_or(Permission::Unknown, Permission::Attribute)
        }
        _ => Permission::Unknown,
    }
}

/// Leaves so much of user input; false when nothing is to be left.
fn keep_input(element: &mut Element, detail: InputDetail) -> bool {
    if detail == InputDetail::Nothing {
        return false;
    }
    if detail == InputDetail::Full {
        return true;
    }
    // What is neither of the two states may say more than them.
    let text = element.text();
    let Some(state) = InputState::from_name(trim(&text)) else {
        return false;
    };
    let kept = element.attributes.iter().filter(|attribute| {
        let name = &attribute.name;
        match (name.namespace(), name.local()) {
            ("", "idle-threshold") => detail == InputDetail::Thresholds,
            ("", "id") | (namespace::XML, _) => true,
            _ => false,
        }
    });
    let mut reduced = Element::named(element.name().clone()).with_text(state.as_str());
    reduced.attributes = kept.cloned().collect();
    *element = reduced;
    true
}

/// Leaves the attributes of XML itself.
fn forget_foreign(attributes: &mut Attributes) {
    let is_of_xml = |name: &Name| name.namespace() == namespace::XML;
    if attributes
        .iter()
        .all(|attribute| is_of_xml(&attribute.name))
    {
        return;
    }
    let kept = attributes.iter().filter(|it| is_of_xml(&it.name));
    *attributes = kept.cloned().collect();
}

/// What identifies services, made ready to be looked up.
struct WantedServices<'p> {
    provided: &'p Provided,
    /// By address of record.
    uris: HashMap<String, Vec<Uri<'p>>>,
    /// What can be compared by its letters only.
    texts: HashSet<&'p str>,
}

impl<'p> WantedServices<'p> {
    fn of(provided: &'p Provided) -> Self {
        let mut this = Self {
            provided,
            uris: HashMap::new(),
            texts: HashSet::new(),
        };
        for selector in provided.services().iter() {
            let ServiceSelector::Uri(text) = selector else {
                continue;
            };
            match keyed(text) {
                Some((key, uri)) => {
                    let alike = this.uris.entry(key).or_default();
                    if alike.len() < MOST_OF_ONE_ADDRESS {
                        alike.push(uri);
                    }
                }
                None => {
                    this.texts.insert(text);
                }
            }
        }
        this
    }

    fn has(&self, tuple: &Tuple) -> bool {
        let wanted = self.provided.services();
        let contact = tuple.contact.as_ref().map(|contact| contact.uri.as_str());
        contact.is_some_and(|contact| self.has_contact(contact))
            || wanted.contains(&ServiceSelector::OccurrenceId(tuple.id.clone()))
            || tuple
                .all::<Class>()
                .any(|class| wanted.contains(&ServiceSelector::Class(class.name)))
    }

    fn has_contact(&self, contact: &str) -> bool {
        if let Some((scheme, _)) = contact.split_once(':') {
            let scheme = ServiceSelector::UriScheme(scheme.to_owned());
            if self.provided.services().contains(&scheme) {
                return true;
            }
        }
        if self.uris.is_empty() && self.texts.is_empty() {
            return false;
        }
        match keyed(contact) {
            Some((key, contact)) => self
                .uris
                .get(&key)
                .is_some_and(|alike| alike.iter().any(|uri| uri.equivalent(&contact))),
            None => self.texts.contains(contact),
        }
    }
}

/// A URI, and what equivalent ones have in common.
fn keyed(text: &str) -> Option<(String, Uri<'_>)> {
    let uri = Uri::parse(text).ok()?;
    Some((uri.address_of_record()?, uri))
}

/// A device's identifier, written in one way.
fn device_key(text: &str) -> String {
    let text = trim(text);
    let mut parts = text.splitn(3, ':');
    let (scheme, space, rest) = (parts.next(), parts.next(), parts.next());
    match (scheme, space, rest) {
        (Some(scheme), Some(space), Some(rest)) if scheme.eq_ignore_ascii_case("urn") => {
            let space = space.to_ascii_lowercase();
            // RFC 4122 section 3.
            if space == "uuid" {
                format!("urn:uuid:{}", rest.to_ascii_lowercase())
            } else {
                format!("urn:{space}:{rest}")
            }
        }
        _ => match url::Url::parse(text) {
            Ok(url) => url.into(),
            Err(_) => text.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_devices_are_compared_as_uris() {
        for (one, other) in [
            (
                "urn:uuid:7C9E6679-7425-40DE-944B-E07FC1F90AE7",
                "URN:UUID:7c9e6679-7425-40de-944b-e07fc1f90ae7",
            ),
            ("urn:Example:a", " urn:example:a\n"),
            ("HTTP://Example.com", "http://example.com/"),
        ] {
            assert_eq!(device_key(one), device_key(other));
        }
        for (one, other) in [
            ("urn:example:a", "urn:example:A"),
            ("urn:example:a", "urn:example:a:b"),
            ("a", "A"),
        ] {
            assert_ne!(device_key(one), device_key(other));
        }
    }

    // SRV-82
    #[test]
    fn each_element_has_one_permission() {
        let of = |namespace: &str, local: &str, place| {
            governed_by(&Element::new(namespace, local), place)
        };
        for attribute in PresenceAttribute::NAMED {
            let expected = match attribute {
                PresenceAttribute::DeviceId | PresenceAttribute::Note => Permission::Unknown,
                _ => Permission::Attribute(*attribute),
            };
            assert_eq!(
                of(namespace::RPID, attribute.as_str(), Place::Person),
                expected
            );
            assert_eq!(
                of("urn:example:x", attribute.as_str(), Place::Person),
                Permission::Unknown
            );
        }
        assert_eq!(
            of(namespace::DATA_MODEL, "deviceID", Place::Tuple),
            Permission::Attribute(PresenceAttribute::DeviceId)
        );
        assert_eq!(
            of(namespace::RPID, "service-class", Place::Tuple),
            Permission::Always
        );
        assert_eq!(
            of(namespace::RPID, "service-class", Place::Person),
            Permission::All
        );
        assert_eq!(
            of(namespace::RPID, "zesty", Place::Person),
            Permission::Unknown
        );
        assert_eq!(
            of(namespace::CAPS, "servcaps", Place::Tuple),
            Permission::Unknown
        );
    }
}
