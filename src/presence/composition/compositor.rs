//! The composition by settings.

use core::mem::take;
use core::time::Duration;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::device_key::device_key;
use super::ranking::{Clock, Origin, Said, rank, ranked};
use super::settings::{Aged, Conflicts, Devices, Periods, Persons, Remarks, Services};
use super::statement::{Gathered, Statement, merge, take_attributes};
use super::{Composed, Composition, Moment, Part};
use crate::pidf::rpid::period_of;
use crate::pidf::{Basic, Device, DeviceId, Extension, Person, Presence, Tuple};
use crate::sip::Uri;
use crate::xml::{Element, is_nc_name, trim};

/// A [`Composition`] by settings.
///
/// [The module](super) shows what the usual ones come to. All others can be had by changing fields:
///
/// ```
/// use presentity::presence::composition::{Compositor, Conflicts, Source};
///
/// let mut compositor = Compositor::newest_person();
/// compositor.conflicts = Conflicts::BySource(vec![Source::Application]);
/// compositor.max_age = Some(std::time::Duration::from_secs(3600));
/// ```
///
/// Composing takes time in proportion to what the documents have, times the logarithm of how much of
/// it is about the same. The order of the parts makes no difference.
///
/// What is merged keeps the id of the first part that has it, in the order of [`Part`]s, so that it
/// stays the same when another source is right; and it bears the newest timestamp of all. Of each
/// element by its name, the one of the source that is [right](Conflicts) is shown, and those that
/// only others have beside it, unknown ones too. But
///
/// - elements that say from when until when they are so stand side by side as far as these periods
///   do not overlap (RFC 4480 section 3.1);
/// - of the user input of a service or person the most recent counts, since several devices may speak
///   of it (RFC 4480 section 3.14);
/// - a service runs on all the devices that are named.
///
/// Composing what was composed changes nothing at the same moment, and the document can be written if
/// those of the parts can.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Compositor {
    /// Which tuples are one service.
    pub services: Services,
    /// Which devices are one.
    pub devices: Devices,
    /// Which persons are one.
    pub persons: Persons,
    /// Who is right where parts say different things of the same.
    pub conflicts: Conflicts,
    /// Which elements are shown of those that say from when until when they are so.
    pub periods: Periods,
    /// From which age on tuples and persons are too old; none: never. They are as old as their
    /// timestamps, or without one [as long as the source has said so](Part::since). Those that are
    /// too old do not count beside others about the same. Without a time of day nothing is too old.
    pub max_age: Option<Duration>,
    /// What becomes of tuples that are too old.
    pub aged: Aged,
    /// How long a source may be idle until what it says of persons does not count beside what others
    /// say; none: for ever. It is idle when all user input that its document tells is, and as long as
    /// the latest of it is ago; input whose time is not told, since its timestamp or since the source
    /// says so. Without a time of day no source yields.
    pub idle_yields: Option<Duration>,
    /// Which notes are kept that stand beside tuples, persons and devices.
    pub notes: Remarks,
    /// Which elements of other namespaces are kept that stand there.
    pub extensions: Remarks,
}

impl Compositor {
    /// Everything, side by side, as long as the sources say it (RFC 3856 section 7.3): the watcher
    /// makes of it what it can. This is the default.
    pub fn union() -> Self {
        Self::default()
    }

    /// What is on the same device is one: services with the same contact there, and what is said of
    /// the device itself. The newest is right, and what is over is left out.
    pub fn by_device() -> Self {
        Self {
            services: Services::ByDeviceAndContact,
            devices: Devices::ById,
            periods: Periods::NotOver,
            ..Self::default()
        }
    }

    /// The same with one person, of whom the newest statement of each kind counts.
    pub fn newest_person() -> Self {
        Self {
            persons: Persons::Merged,
            ..Self::by_device()
        }
    }

    /// Whether nothing but the entity may become of a document that is alone.
    fn changes_nothing_alone(&self) -> bool {
        self.services == Services::SideBySide
            && self.devices == Devices::SideBySide
            && self.persons == Persons::SideBySide
            && self.periods == Periods::All
            && self.max_age.is_none()
    }

    /// Of the elements of a part those that are shown.
    fn prune(&self, elements: &mut Vec<Element>, clock: &mut Clock) {
        if self.periods == Periods::All || clock.utc().is_none() {
            return;
        }
        elements.retain(|element| {
            let Some((from, until)) = period_of(element) else {
                return true;
            };
            if until.is_some_and(|until| clock.has_reached(until)) {
                return false;
            }
            let has_begun = |from| clock.has_reached(from);
            self.periods != Periods::InForce || from.is_none_or(has_begun)
        });
    }

    fn said<S: Statement>(
        &self,
        mut what: S,
        origin: (usize, &Origin),
        clock: &mut Clock,
    ) -> Said<S> {
        self.prune(what.extensions_mut(), clock);
        let (by, origin) = origin;
        let since = what.time().or(origin.since_utc);
        let is_aged = self.max_age.zip(since);
        let is_aged = is_aged.is_some_and(|(age, since)| clock.has_passed(since, age));
        Said { what, by, is_aged }
    }

    /// One part of those that are about the same.
    fn one<S: Statement>(&self, group: Group<S>, taking: &Taking<'_>) -> Option<S> {
        let Group { first, others } = group;
        if others.is_empty() {
            return Some(first.what);
        }
        let mut all = Vec::with_capacity(others.len().saturating_add(1));
        all.push(first);
        all.extend(others);
        let id = all.first_mut().map(|first| take(first.what.id_mut()))?;
        if all.iter().any(|said| !said.is_aged) {
            all.retain(|said| !said.is_aged);
        }
        rank(&mut all, taking.origins, &self.conflicts, taking.has_utc);
        let mut ranked = all.into_iter().map(|said| said.what);
        let mut merged = merge(ranked.next()?, ranked.collect());
        *merged.id_mut() = id;
        Some(merged)
    }

    /// The parts with the same key made one each, where the first of them was.
    fn unite<S: Statement>(
        &self,
        said: Vec<Said<S>>,
        taking: &Taking<'_>,
        mut key: impl FnMut(&S) -> Option<Key>,
    ) -> Vec<S> {
        let mut groups: Vec<Group<S>> = Vec::with_capacity(said.len());
        let mut places: HashMap<Key, usize> = HashMap::new();
        for one in said {
            if let Some(key) = key(&one.what) {
                let place = *places.entry(key).or_insert(groups.len());
                if let Some(group) = groups.get_mut(place) {
                    group.others.push(one);
                    continue;
                }
            }
            groups.push(Group {
                first: one,
                others: Vec::new(),
            });
        }
        let united = groups.into_iter();
        united.filter_map(|group| self.one(group, taking)).collect()
    }

    fn unite_tuples(&self, mut said: Vec<Said<Tuple>>, taking: &Taking<'_>) -> Vec<Tuple> {
        match self.aged {
            Aged::LeftOut => said.retain(|said| !said.is_aged),
            Aged::Closed => {
                let aged = said.iter_mut().filter(|said| said.is_aged);
                for status in aged.map(|said| &mut said.what.status) {
                    if status.basic() != Some(Basic::Closed) {
                        status.set_basic(Some(Basic::Closed));
                    }
                }
            }
        }
        let mut addresses = Addresses::default();
        self.unite(said, taking, |tuple| match self.services {
            Services::SideBySide => None,
            Services::ByContact => Some(Key {
                device: None,
                address: Some(addresses.number(tuple)?),
            }),
            Services::ByDeviceAndContact => Some(Key {
                device: Some(only_device(tuple)?),
                address: Some(addresses.number(tuple)?),
            }),
        })
    }

    fn unite_persons(&self, mut said: Vec<Said<Person>>, taking: &Taking<'_>) -> Vec<Person> {
        said.retain(|said| !said.is_aged);
        self.unite(said, taking, |_| match self.persons {
            Persons::SideBySide => None,
            Persons::Merged => Some(Key::default()),
        })
    }

    fn unite_devices(&self, said: Vec<Said<Device>>, taking: &Taking<'_>) -> Vec<Device> {
        self.unite(said, taking, |device| match self.devices {
            Devices::SideBySide => None,
            Devices::ById => {
                let key = device_key(device.device_id_text()?);
                (!key.is_empty()).then(|| Key {
                    device: Some(key.into_owned()),
                    address: None,
                })
            }
        })
    }
}

impl Composition for Compositor {
    fn compose(&self, mut parts: Vec<Part>, moment: &Moment) -> Composed {
        parts.sort_by_key(|part| (part.source, part.serial));
        let are_several = parts.len() > 1;
        let mut clock = Clock::new(*moment);
        let mut document = Presence::default();
        let mut origins = Vec::with_capacity(parts.len());
        let (mut tuples, mut persons, mut devices) = (Vec::new(), Vec::new(), Vec::new());
        let (mut notes, mut extensions) = (Vec::new(), Vec::new());
        for (number, part) in parts.into_iter().enumerate() {
            let origin = Origin::new(&part, &self.conflicts, self.idle_yields, &mut clock);
            let mut said = part.document;
            if are_several {
                // What one root says of language is not to be said of the others' parts.
                said.hand_down_language();
            }
            if number == 0 {
                document.entity = take(&mut said.entity);
            }
            let from = (number, &origin);
            let of = |what| self.said(what, from, &mut clock);
            tuples.extend(said.tuples.into_iter().map(of));
            let of = |what| self.said(what, from, &mut clock);
            persons.extend(said.persons.into_iter().map(of));
            for mut what in said.devices {
                self.prune(what.extensions_mut(), &mut clock);
                devices.push(Said {
                    what,
                    by: number,
                    is_aged: false,
                });
            }
            notes.push(said.notes);
            extensions.push(said.extensions);
            if number == 0 {
                document.attributes = said.attributes;
            } else {
                take_attributes(&mut document.attributes, &said.attributes);
            }
            origins.push(origin);
        }
        let taking = Taking {
            origins: &origins,
            has_utc: clock.utc().is_some(),
        };
        document.tuples = self.unite_tuples(tuples, &taking);
        document.persons = self.unite_persons(persons, &taking);
        document.devices = self.unite_devices(devices, &taking);
        if self.devices == Devices::ById {
            spell_devices_alike(&mut document);
        }
        document.notes = match self.notes {
            Remarks::All => notes.into_iter().flatten().collect(),
            Remarks::OfOneSource => {
                let mut ranked = ranked(&origins).into_iter();
                let of_best = ranked.find_map(|number| {
                    let notes = notes.get_mut(number).map(take)?;
                    (!notes.is_empty()).then_some(notes)
                });
                of_best.unwrap_or_default()
            }
        };
        document.extensions = match self.extensions {
            Remarks::All => extensions.into_iter().flatten().collect(),
            Remarks::OfOneSource => {
                let mut gathered = Gathered::new(None);
                for number in ranked(&origins) {
                    gathered.take(extensions.get_mut(number).map(take).unwrap_or_default());
                }
                gathered.elements
            }
        };
        if are_several && !is_fit(&document) {
            // Somebody has not kept the ids apart.
            document.repair();
        }
        Composed {
            document,
            holds_for: clock.next(),
        }
    }

    fn keeps_single(&self) -> bool {
        self.changes_nothing_alone()
    }
}

/// What is known while a document is put together.
#[derive(Debug)]
struct Taking<'o> {
    origins: &'o [Origin],
    has_utc: bool,
}

/// Parts about the same.
#[derive(Debug)]
struct Group<S> {
    first: Said<S>,
    others: Vec<Said<S>>,
}

/// What makes parts be about the same.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
struct Key {
    device: Option<String>,
    address: Option<usize>,
}

/// Numbers for addresses, the same for those that are the same.
#[derive(Debug, Default)]
struct Addresses {
    /// By how they are written: nearly all that are the same are written the same.
    texts: HashMap<String, usize>,
    keys: HashMap<String, usize>,
}

impl Addresses {
    /// That of a tuple's contact, if it has any.
    fn number(&mut self, tuple: &Tuple) -> Option<usize> {
        let text = tuple.contact.as_ref().map(|contact| contact.uri.as_str());
        let text = text.filter(|text| !text.is_empty())?;
        if let Some(number) = self.texts.get(text) {
            return Some(*number);
        }
        let key = Uri::parse(text).map_or_else(|_| text.to_owned(), |uri| uri.comparison_key());
        let next = self.keys.len();
        let number = *self.keys.entry(key).or_insert(next);
        self.texts.insert(text.to_owned(), number);
        Some(number)
    }
}

/// The device that a service runs on, if it says one and no other.
fn only_device(tuple: &Tuple) -> Option<String> {
    let mut ids = tuple.extensions.iter().filter(|it| is_device_id(it));
    let text = ids.next()?.text();
    let key = device_key(&text);
    let is_only = ids.all(|other| device_key(&other.text()) == key);
    (is_only && !key.is_empty()).then(|| key.into_owned())
}

fn is_device_id(element: &Element) -> bool {
    element.is(DeviceId::NAMESPACE, DeviceId::LOCAL)
}

/// Has services name their devices as those name themselves.
fn spell_devices_alike(document: &mut Presence) {
    let devices = document.devices.iter();
    let devices = devices.filter_map(Device::device_id_text);
    let spellings: HashMap<Cow<'_, str>, &str> =
        devices.map(|text| (device_key(text), text)).collect();
    if spellings.is_empty() {
        return;
    }
    let tuples = document.tuples.iter_mut();
    let ids = tuples.flat_map(|tuple| &mut tuple.extensions);
    for id in ids.filter(|element| is_device_id(element)) {
        let text = id.text();
        let spelling = spellings.get(&device_key(&text)).copied();
        let spelling = spelling.filter(|spelling| *spelling != trim(&text));
        drop(text);
        if let Some(spelling) = spelling {
            id.children_mut().clear();
            id.push_text(spelling);
        }
    }
}

/// Whether the document can be written as far as its parts can.
fn is_fit(document: &Presence) -> bool {
    let mut ids = HashSet::new();
    document.tuples.iter().all(|tuple| !tuple.status.is_empty())
        && document
            .devices
            .iter()
            .all(|it| it.device_id_text().is_some())
        && (document.ids().into_iter()).all(|(_, id)| is_nc_name(id) && ids.insert(id))
}
