//! One document out of several: the union, with ids kept apart (RFC 3856 section 7.3).

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Part, Source};
use crate::engine::Timestamp;
use crate::pidf::Presence;

/// Which ids of which parts were found taken. Such an id stays renamed for as long as its part has
/// it, so that watchers can follow a tuple from one document to the next.
#[derive(Debug, Default)]
pub(in crate::presence) struct Renamed(BTreeSet<(u64, String)>);

impl Renamed {
    pub(in crate::presence) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A part that is still where it is kept.
#[derive(Debug, Clone, Copy)]
pub(in crate::presence) struct PartRef<'p> {
    pub(in crate::presence) source: Source,
    pub(in crate::presence) serial: u64,
    pub(in crate::presence) document: &'p Presence,
    pub(in crate::presence) since: Timestamp,
}

/// The parts with ids that are kept apart, and each with what its root says of language.
///
/// Where two parts use one id, the id of the later part gets that part's number behind it.
pub(in crate::presence) fn keep_apart(parts: &[PartRef<'_>], renamed: &mut Renamed) -> Vec<Part> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut kept = BTreeSet::new();
    let mut apart = Vec::with_capacity(parts.len());
    for part in parts {
        let mut document = part.document.clone();
        // What one root says of language is not to be said of the others' parts.
        document.hand_down_language();
        document.for_each_id_mut(|_, id| {
            let known = (part.serial, core::mem::take(id));
            let wanted = &known.1;
            *id = if taken.contains(wanted) || renamed.0.contains(&known) {
                let mut other = format!("{wanted}-{}", part.serial);
                while taken.contains(&other) {
                    other.push('-');
                }
                kept.insert(known);
                other
            } else {
                known.1
            };
            taken.insert(id.clone());
        });
        apart.push(Part::new(part.source, part.serial, document, part.since));
    }
    renamed.0 = kept;
    apart
}

/// Unites the parts, each with a number that stays the same for its life, in their order.
pub(in crate::presence) fn unite<'p>(
    parts: &[PartRef<'p>],
    renamed: &mut Renamed,
) -> Cow<'p, Presence> {
    if let [only] = parts
        && renamed.is_empty()
    {
        return Cow::Borrowed(only.document);
    }
    Cow::Owned(join(keep_apart(parts, renamed)))
}

/// All there is in parts that are apart.
pub(in crate::presence) fn join(parts: Vec<Part>) -> Presence {
    let mut united = Presence::default();
    for Part {
        document: mut part, ..
    } in parts
    {
        united.tuples.append(&mut part.tuples);
        united.notes.append(&mut part.notes);
        united.persons.append(&mut part.persons);
        united.devices.append(&mut part.devices);
        united.extensions.append(&mut part.extensions);
        for attribute in part.attributes.iter() {
            let name = &attribute.name;
            if united
                .attributes
                .get(name.namespace(), name.local())
                .is_none()
            {
                united.attributes.set(name.clone(), attribute.value.clone());
            }
        }
    }
    united
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{PartRef, Renamed};
    use crate::engine::Timestamp;
    use crate::pidf::{Presence, Tuple};
    use crate::presence::Source;
    use crate::xml::{Name, namespace};

    fn unite<'p>(parts: &[(u64, &'p Presence)], renamed: &mut Renamed) -> Cow<'p, Presence> {
        let parts = parts.iter().map(|(serial, document)| PartRef {
            source: Source::Publication,
            serial: *serial,
            document,
            since: Timestamp::ZERO,
        });
        super::unite(&parts.collect::<Vec<_>>(), renamed)
    }

    fn phone(id: &str, note: &str) -> Presence {
        Presence::new("sip:ana@example.com").with_tuple(Tuple::open(id).with_note(note))
    }

    fn ids(document: &Presence) -> Vec<&str> {
        document
            .tuples
            .iter()
            .map(|tuple| tuple.id.as_str())
            .collect()
    }

    #[test]
    fn ids_are_kept_apart_and_stay_so() {
        // SRV-09
        let (desk, mobile) = (phone("t1", "desk"), phone("t1", "mobile"));
        let mut renamed = Renamed::default();
        let both = unite(&[(1, &desk), (2, &mobile)], &mut renamed);
        assert_eq!(ids(&both), ["t1", "t1-2"]);
        // The desk phone is gone: the mobile's tuple is still the same tuple.
        assert_eq!(ids(&unite(&[(2, &mobile)], &mut renamed)), ["t1-2"]);
        // And a third phone may have the id, now that nobody has.
        let third = phone("t1", "third");
        let united = unite(&[(2, &mobile), (3, &third)], &mut renamed);
        assert_eq!(ids(&united), ["t1-2", "t1"]);
        // With the last of them the memory goes too.
        unite(&[(3, &third)], &mut renamed);
        assert!(renamed.0.is_empty());
    }

    #[test]
    fn a_chosen_id_cannot_collide_with_a_made_one() {
        let (first, second) = (phone("t1", "first"), phone("t1", "second"));
        let sly = phone("t1-2", "sly");
        let united = unite(
            &[(1, &first), (2, &second), (3, &sly)],
            &mut Renamed::default(),
        );
        assert_eq!(ids(&united), ["t1", "t1-2", "t1-2-3"]);
        let united = unite(
            &[(3, &sly), (1, &first), (2, &second)],
            &mut Renamed::default(),
        );
        assert_eq!(ids(&united), ["t1-2", "t1", "t1-2-"]);
    }

    // PIDF-18
    #[test]
    fn every_part_keeps_the_language_it_was_said_in() {
        let spoken = |id: &str, tag: &str| {
            let mut document = phone(id, "n").with_note(id);
            let name = Name::new(namespace::XML, "lang");
            document.attributes.set(name, tag);
            document
        };
        let (german, dutch, silent) = (spoken("d", "de"), spoken("n", "nl"), phone("s", "n"));
        let parts = [(1, &german), (2, &silent), (3, &dutch)];
        let united = unite(&parts, &mut Renamed::default());
        assert_eq!(united.language(), None);
        let tuples: Vec<_> = united.tuples.iter().map(Tuple::language).collect();
        assert_eq!(tuples, [Some("de"), None, Some("nl")]);
        let notes: Vec<_> = united
            .notes
            .iter()
            .map(|note| note.lang.as_deref())
            .collect();
        assert_eq!(notes, [Some("de"), Some("nl")]);
        // Alone it may say so of everything.
        let alone = unite(&[(1, &german)], &mut Renamed::default());
        assert_eq!(alone.language(), Some("de"));
    }

    #[test]
    fn one_part_is_passed_on_as_it_is() {
        let part = phone("t1", "only").with_note("here");
        assert_eq!(*unite(&[(7, &part)], &mut Renamed::default()), part);
        assert_eq!(*unite(&[], &mut Renamed::default()), Presence::default());
    }
}
