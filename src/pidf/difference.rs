//! What differs between two documents, part by part.

use std::collections::{HashMap, VecDeque};

use super::device::Device;
use super::person::Person;
use super::presence::Presence;
use super::tuple::Tuple;

/// What became of a tuple, person or device from one document to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change<'d, T> {
    /// Only the later document has a part of this id.
    Added(&'d T),
    /// Only the earlier document has a part of this id.
    Removed(&'d T),
    /// Both have one, and they are not equal.
    Changed {
        /// What it was.
        before: &'d T,
        /// What it is.
        after: &'d T,
    },
}

/// How two documents about one presentity differ: the parts that have ids by their ids (RFC 3863,
/// 4.1.2; RFC 4479, 5), everything else as a whole.
///
/// Prefixes, the order of attributes and white space between elements make no difference, nor
/// does the order of tuples, persons and devices. The same time or priority written in another
/// way is a difference.
///
/// ```
/// use presentity::pidf::{Change, Presence, Tuple};
///
/// let before = Presence::new("sip:dora@example.com").with_tuple(Tuple::open("phone"));
/// let after = Presence::new("sip:dora@example.com").with_tuple(Tuple::closed("phone"));
/// let difference = before.difference(&after);
/// assert!(matches!(difference.tuples[..], [Change::Changed { .. }]));
/// assert!(before.difference(&before).is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Difference<'d> {
    /// Whether they are about different entities, as written.
    pub entity: bool,
    /// What became of tuples: those of the later document in its order, then those that are gone.
    pub tuples: Vec<Change<'d, Tuple>>,
    /// What became of persons, likewise.
    pub persons: Vec<Change<'d, Person>>,
    /// What became of devices, likewise.
    pub devices: Vec<Change<'d, Device>>,
    /// Whether the notes of the documents differ.
    pub notes: bool,
    /// Whether their extensions beside persons and devices differ.
    pub extensions: bool,
    /// Whether their attributes beside the entity differ.
    pub attributes: bool,
}

impl Difference<'_> {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Difference::default()
    }
}

impl Presence {
    /// How `after` differs from this document.
    ///
    /// Of several parts with one id, the first of one document is held against the first of the
    /// other, and so on.
    pub fn difference<'d>(&'d self, after: &'d Self) -> Difference<'d> {
        Difference {
            entity: self.entity != after.entity,
            tuples: changes(&self.tuples, &after.tuples, |tuple| &tuple.id),
            persons: changes(&self.persons, &after.persons, |person| &person.id),
            devices: changes(&self.devices, &after.devices, |device| &device.id),
            notes: self.notes != after.notes,
            extensions: self.extensions != after.extensions,
            attributes: self.attributes != after.attributes,
        }
    }
}

fn changes<'d, T: PartialEq>(
    before: &'d [T],
    after: &'d [T],
    id: impl Fn(&'d T) -> &'d str,
) -> Vec<Change<'d, T>> {
    let mut changes = Vec::new();
    let same_places = before.len() == after.len()
        && before
            .iter()
            .zip(after)
            .all(|(old, new)| id(old) == id(new));
    if same_places {
        // What nearly all documents are to the one before them.
        let pairs = before.iter().zip(after).filter(|(old, new)| old != new);
        changes.extend(pairs.map(|(before, after)| Change::Changed { before, after }));
        return changes;
    }
    let mut known: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (at, part) in before.iter().enumerate() {
        known.entry(id(part)).or_default().push_back(at);
    }
    let mut gone = vec![true; before.len()];
    for part in after {
        let at = known.get_mut(id(part)).and_then(VecDeque::pop_front);
        match at.and_then(|at| Some((before.get(at)?, gone.get_mut(at)?))) {
            None => changes.push(Change::Added(part)),
            Some((old, gone)) => {
                *gone = false;
                if old != part {
                    changes.push(Change::Changed {
                        before: old,
                        after: part,
                    });
                }
            }
        }
    }
    let removed = before.iter().zip(gone).filter(|(_, gone)| *gone);
    changes.extend(removed.map(|(part, _)| Change::Removed(part)));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pidf::DeviceId;
    use crate::xml::Element;

    fn document(tuples: &[(&str, &str)]) -> Presence {
        let mut document = Presence::new("sip:dora@example.com");
        for (id, note) in tuples {
            document = document.with_tuple(Tuple::open(*id).with_note(*note));
        }
        document
    }

    /// As `+id`, `-id` and `id`.
    fn told(before: &Presence, after: &Presence) -> Vec<String> {
        let difference = before.difference(after);
        let told = difference.tuples.iter().map(|change| match change {
            Change::Added(tuple) => format!("+{}", tuple.id),
            Change::Removed(tuple) => format!("-{}", tuple.id),
            Change::Changed { before, after } => {
                assert_ne!(before, after);
                after.id.clone()
            }
        });
        told.collect()
    }

    // PIDF-09
    #[test]
    fn tuples_are_followed_by_their_ids() {
        let before = document(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let after = document(&[("d", "1"), ("c", "1"), ("a", "2")]);
        assert_eq!(told(&before, &after), ["+d", "a", "-b"]);
        assert_eq!(told(&after, &before), ["a", "+b", "-d"]);
        let another_order = document(&[("c", "1"), ("a", "1"), ("b", "1")]);
        assert!(before.difference(&another_order).is_empty());
    }

    #[test]
    fn parts_of_one_id_are_held_against_each_other_in_their_order() {
        let before = document(&[("a", "1"), ("a", "2"), ("a", "3")]);
        let after = document(&[("a", "1"), ("a", "3")]);
        assert_eq!(told(&before, &after), ["a", "-a"]);
        assert_eq!(told(&after, &before), ["a", "+a"]);
        assert!(before.difference(&before.clone()).is_empty());
    }

    #[test]
    fn every_other_part_is_looked_at() {
        let before = document(&[]);
        let mut after = before.clone();
        after.entity.push('x');
        assert!(before.difference(&after).entity);
        let after = before.clone().with_note("x");
        assert!(before.difference(&after).notes);
        let after = before.clone().with_person(Person::new("p"));
        assert!(matches!(before.difference(&after).persons[..], [Change::Added(p)] if p.id == "p"));
        let device = Device::new("d", DeviceId::new("urn:example:d").unwrap());
        let after = before.clone().with_device(device);
        assert!(
            matches!(after.difference(&before).devices[..], [Change::Removed(d)] if d.id == "d")
        );
        let extension = Element::new("urn:example:x", "e");
        let after = before.clone().with_extension(extension);
        assert!(before.difference(&after).extensions);
        let mut after = before.clone();
        after
            .attributes
            .set(crate::xml::Name::new("urn:example:x", "a"), "1");
        assert!(before.difference(&after).attributes);
        assert!(!before.difference(&after).is_empty());
    }
}
