//! The ids of a document: tuples, persons and devices share one space (RFC 4479, 5), and the
//! elements of rich presence have their part in it (RFC 4480, 5).

use std::collections::{HashMap, HashSet};

use super::presence::Presence;
use crate::xml::{Element, Name, is_nc_name, namespace, trim};

/// What carries an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdOwner {
    /// A tuple.
    Tuple,
    /// A person of the data model.
    Person,
    /// A device of the data model.
    Device,
    /// An element of rich presence.
    RichPresence,
}

/// Something that [`Presence::repair`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// An id that was no xs:ID or not unique was replaced.
    RenamedId {
        /// What it was.
        old: String,
        /// What it is.
        new: String,
    },
    /// A tuple without any status value was left out.
    DroppedTuple {
        /// Its id.
        id: String,
    },
    /// A device without identifier was left out.
    DroppedDevice {
        /// Its id.
        id: String,
    },
}

impl Presence {
    /// Every id of the document: those of tuples, persons and devices, then those in extensions, in
    /// their order.
    pub fn ids(&self) -> Vec<(IdOwner, &str)> {
        let mut ids: Vec<(IdOwner, &str)> = self.ids_of_parts().collect();
        let tuples = self.tuples.iter();
        let extensions = tuples
            .flat_map(|tuple| tuple.status.extensions.iter().chain(&tuple.extensions))
            .chain(self.persons.iter().flat_map(|person| &person.extensions))
            .chain(self.devices.iter().flat_map(|device| &device.extensions))
            .chain(&self.extensions);
        for extension in extensions {
            collect(extension, &mut ids);
        }
        ids
    }

    /// The ids of tuples, persons and devices.
    pub(super) fn ids_of_parts(&self) -> impl Iterator<Item = (IdOwner, &str)> {
        let tuples = self.tuples.iter().map(|it| (IdOwner::Tuple, &*it.id));
        let persons = self.persons.iter().map(|it| (IdOwner::Person, &*it.id));
        let devices = self.devices.iter().map(|it| (IdOwner::Device, &*it.id));
        tuples.chain(persons).chain(devices)
    }

    /// Visits every id of the document in the order of [`Presence::ids`], to read or to change it.
    ///
    /// Whoever puts documents together gives each id that occurs in several of them a new value.
    pub fn for_each_id_mut(&mut self, mut visit: impl FnMut(IdOwner, &mut String)) {
        for tuple in &mut self.tuples {
            visit(IdOwner::Tuple, &mut tuple.id);
        }
        for person in &mut self.persons {
            visit(IdOwner::Person, &mut person.id);
        }
        for device in &mut self.devices {
            visit(IdOwner::Device, &mut device.id);
        }
        let tuples = self.tuples.iter_mut();
        let extensions = tuples
            .flat_map(|it| it.status.extensions.iter_mut().chain(&mut it.extensions))
            .chain(self.persons.iter_mut().flat_map(|it| &mut it.extensions))
            .chain(self.devices.iter_mut().flat_map(|it| &mut it.extensions))
            .chain(&mut self.extensions);
        for extension in extensions {
            visit_ids(extension, &mut visit);
        }
    }

    /// Makes a document that was read fit to be written, so that one odd publication does not
    /// spoil what is composed of many: ids that are no xs:ID or not unique are replaced, always
    /// the same way for the same document, and tuples without any status value and devices without
    /// identifier are left out.
    /// The entity is the caller's to set.
    pub fn repair(&mut self) -> Vec<Repair> {
        let mut repairs = Vec::new();
        self.tuples.retain(|tuple| {
            let keep = !tuple.status.is_empty();
            if !keep {
                let id = tuple.id.clone();
                repairs.push(Repair::DroppedTuple { id });
            }
            keep
        });
        self.devices.retain(|device| {
            let keep = device.device_id.is_some();
            if !keep {
                let id = device.id.clone();
                repairs.push(Repair::DroppedDevice { id });
            }
            keep
        });
        let reserved: HashSet<String> = self
            .ids()
            .into_iter()
            .filter(|(_, id)| is_nc_name(id))
            .map(|(_, id)| id.to_owned())
            .collect();
        let mut used: HashSet<String> = HashSet::new();
        let mut numbers: HashMap<String, u64> = HashMap::new();
        self.for_each_id_mut(|_, id| {
            if is_nc_name(id) && !used.contains(id) {
                used.insert(id.clone());
                return;
            }
            let base = as_nc_name(id);
            let mut new = base.clone();
            let number = numbers.entry(base.clone()).or_insert(1);
            while reserved.contains(&new) || used.contains(&new) {
                *number = number.saturating_add(1);
                new = format!("{base}-{number}");
            }
            used.insert(new.clone());
            let old = core::mem::replace(id, new.clone());
            repairs.push(Repair::RenamedId { old, new });
        });
        repairs
    }
}

/// The nearest name without colon: what does not fit becomes `_`.
fn as_nc_name(id: &str) -> String {
    let mut name: String = id
        .chars()
        .map(|c| {
            if is_nc_name(c.encode_utf8(&mut [0; 4])) || matches!(c, '0'..='9' | '-' | '.') {
                c
            } else {
                '_'
            }
        })
        .collect();
    if !is_nc_name(&name) {
        name.insert(0, '_');
    }
    name
}

/// What an element of an extension is, when its id is one of the document's.
pub(super) fn owner(name: &Name) -> Option<IdOwner> {
    match (name.namespace(), name.local()) {
        (namespace::DATA_MODEL, "person") => Some(IdOwner::Person),
        (namespace::DATA_MODEL, "device") => Some(IdOwner::Device),
        (namespace::RPID, _) => Some(IdOwner::RichPresence),
        _ => None,
    }
}

/// Whether an element is a part of the document that has a list of its own.
pub(super) fn is_component(name: &Name) -> bool {
    matches!(owner(name), Some(IdOwner::Person | IdOwner::Device))
}

/// Shows the ids that an element and those in it have in the document's space, until there is an
/// error.
pub(super) fn each_of<E>(
    element: &Element,
    visit: &mut impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    if !element.attributes.is_empty()
        && owner(element.name()).is_some()
        && let Some(id) = element.attribute("id").map(trim)
    {
        visit(id)?;
    }
    let mut elements = element.elements();
    elements.try_for_each(|child| each_of(child, visit))
}

/// The ways to the elements whose ids have these numbers, which rise, among those that [`each_of`]
/// shows: how many child elements to pass over at each step.
pub(super) fn ways_to(element: &Element, numbers: &[usize]) -> Vec<Vec<usize>> {
    struct Search<'n> {
        numbers: &'n [usize],
        met: usize,
        here: Vec<usize>,
        ways: Vec<Vec<usize>>,
    }
    impl Search<'_> {
        fn look_into(&mut self, element: &Element) {
            if owner(element.name()).is_some() && element.attribute("id").is_some() {
                while self.numbers.get(self.ways.len()) == Some(&self.met) {
                    self.ways.push(self.here.clone());
                }
                self.met = self.met.saturating_add(1);
            }
            for (number, child) in element.elements().enumerate() {
                if self.ways.len() >= self.numbers.len() {
                    return;
                }
                self.here.push(number);
                self.look_into(child);
                self.here.pop();
            }
        }
    }
    let mut search = Search {
        numbers,
        met: 0,
        here: Vec::new(),
        ways: Vec::new(),
    };
    search.look_into(element);
    search.ways
}

fn collect<'p>(element: &'p Element, ids: &mut Vec<(IdOwner, &'p str)>) {
    if !element.attributes.is_empty()
        && let Some(owner) = owner(element.name())
        && let Some(id) = element.attribute("id").map(trim)
    {
        ids.push((owner, id));
    }
    for child in element.elements() {
        collect(child, ids);
    }
}

fn visit_ids(element: &mut Element, visit: &mut impl FnMut(IdOwner, &mut String)) {
    if let Some(owner) = owner(element.name())
        && let Some(id) = element.attributes.get_mut("", "id")
    {
        let mut changed = String::from(core::mem::take(id));
        visit(owner, &mut changed);
        *id = changed.into();
    }
    for child in element.elements_mut() {
        visit_ids(child, visit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pidf::{Device, DeviceId, Person, Tuple};

    fn person(id: &str) -> Person {
        let activities = Element::new(namespace::RPID, "activities").with_attribute("id", "act");
        Person::new(id).with_extension(activities)
    }

    // PIDF-30
    #[test]
    fn one_space_for_all() {
        let document = Presence::new("sip:dora@example.com")
            .with_tuple(Tuple::open("a"))
            .with_person(person("p"))
            .with_device(Device::new("d", DeviceId::new("urn:example:d").unwrap()))
            .with_extension(Element::new("urn:example:x", "y").with_attribute("id", "z"));
        let ids = document.ids();
        assert_eq!(
            ids,
            [
                (IdOwner::Tuple, "a"),
                (IdOwner::Person, "p"),
                (IdOwner::Device, "d"),
                (IdOwner::RichPresence, "act")
            ]
        );
    }

    // PIDF-08
    #[test]
    fn repair_gives_unique_names_that_stay() {
        let mut document = Presence::new("sip:dora@example.com");
        for id in ["a", "1a", "_1a", "a", "a-2", "b c", "", "a"] {
            document = document.with_tuple(Tuple::open(id));
        }
        document = document.with_person(person("a"));
        document.tuples.push(Tuple::new("silent"));
        document.devices.push(Device::default());
        let mut again = document.clone();
        let repairs = document.repair();
        let ids: Vec<&str> = document.ids().into_iter().map(|(_, id)| id).collect();
        assert_eq!(
            ids,
            [
                "a", "_1a-2", "_1a", "a-3", "a-2", "b_c", "_", "a-4", "a-5", "act"
            ]
        );
        assert_eq!(repairs.len(), 8);
        assert!(document.write().is_ok());
        assert_eq!(again.repair(), repairs);
        assert!(document.repair().is_empty());
    }
}
