//! One document out of several: the union, with ids kept apart (RFC 3856 section 7.3).

use std::collections::BTreeSet;

use crate::pidf::Presence;

/// Which ids of which parts were found taken. Such an id stays renamed for the life of its part,
/// so that watchers can follow a tuple from one document to the next.
#[derive(Debug, Default)]
pub(super) struct Renamed(BTreeSet<(u64, String)>);

/// Unites the parts, each with a number that stays the same for its life, in their order.
///
/// Where two parts use one id, the id of the later part gets that part's number behind it.
pub(super) fn unite(parts: &[(u64, &Presence)], renamed: &mut Renamed) -> Presence {
    renamed
        .0
        .retain(|(serial, _)| parts.iter().any(|(other, _)| other == serial));
    if let [(_, only)] = parts
        && renamed.0.is_empty()
    {
        return (*only).clone();
    }
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut united = Presence::default();
    for (serial, part) in parts {
        let mut part = (*part).clone();
        part.for_each_id_mut(|_, id| {
            let known = (*serial, core::mem::take(id));
            let wanted = &known.1;
            *id = if taken.contains(wanted) || renamed.0.contains(&known) {
                let mut other = format!("{wanted}-{serial}");
                while taken.contains(&other) {
                    other.push('-');
                }
                renamed.0.insert(known);
                other
            } else {
                known.1
            };
            taken.insert(id.clone());
        });
        united.tuples.append(&mut part.tuples);
        united.notes.append(&mut part.notes);
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
