//! What holds for all documents, settings and moments.

use core::time::Duration;
use std::collections::BTreeSet;

use cpu_time::ThreadTime;
use presentity::pidf::rpid::{
    Activities, Activity, Mood, MoodValue, Privacy, Sphere, SphereKind, UserInput,
};
use presentity::pidf::{Device, Extension, Person, Presence, Tuple};
use presentity::presence::composition::{
    Aged, Composition, Compositor, Conflicts, Devices, Moment, Part, Periods, Persons, Remarks,
    Services, Source,
};
use presentity::xml::{Element, Name, namespace};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::scene::{NOON, at, device_id, document, foreign, host, utc};

const CONTACTS: &[&str] = &[
    "sip:ana@example.com",
    "sip:%61na@EXAMPLE.com",
    "sip:ana@example.com;gr=1",
    "tel:+15550100",
    "",
];
const DEVICES: &[&str] = &["desk", "laptop", "mobile"];

fn elements() -> impl Strategy<Value = Element> {
    let moment = || option::of((-3..4_i64).prop_map(|hours| utc(NOON + hours * 3600)));
    let number = 0..9_usize;
    (number, moment(), moment()).prop_map(|(number, from, until)| {
        let (mut from, mut until) = (from, until);
        if until < from && until.is_some() {
            core::mem::swap(&mut from, &mut until);
        }
        let mut activities = Activities::of([Activity::Away]);
        (activities.from, activities.until) = (from, until);
        let mut mood = Mood::of([MoodValue::Calm]);
        (mood.from, mood.until) = (from, until);
        let mut sphere = Sphere::new(SphereKind::Work);
        (sphere.from, sphere.until) = (from, until);
        let mut privacy = Privacy::default().with_note("x");
        (privacy.from, privacy.until) = (from, until);
        let mut input = match number {
            0 | 2 | 4 => UserInput::idle(),
            _ => UserInput::active(),
        };
        input.last_input = until;
        match number {
            0 | 1 => input.to_element().unwrap(),
            2 => activities.to_element().unwrap(),
            3 => mood.to_element().unwrap(),
            4 => sphere.to_element().unwrap(),
            5 => privacy.to_element().unwrap(),
            6 => foreign("a", "1").with_attribute("x", "y"),
            7 => foreign("b", "2"),
            _ => foreign("c", "3"),
        }
    })
}

fn stamps() -> impl Strategy<Value = Option<time::OffsetDateTime>> {
    option::of((-3..2_i64).prop_map(|hours| utc(NOON + hours * 3600)))
}

fn tags() -> impl Strategy<Value = Option<&'static str>> {
    option::weighted(0.2, select(&["de", "en", "e_n", ""][..]))
}

fn tuples() -> impl Strategy<Value = Tuple> {
    let device = vec(select(DEVICES), 0..3);
    let rest = (
        vec(elements(), 0..4),
        stamps(),
        tags(),
        any::<(bool, bool)>(),
    );
    (option::of(select(CONTACTS)), device, rest).prop_map(|(contact, devices, rest)| {
        let (elements, stamp, tag, (is_open, has_note)) = rest;
        let mut tuple = if is_open {
            Tuple::open("x")
        } else {
            Tuple::closed("x")
        };
        tuple.extensions = elements;
        for device in devices {
            tuple.add(&device_id(device)).unwrap();
        }
        if let Some(contact) = contact {
            tuple = tuple.with_contact(contact);
        }
        if has_note {
            tuple = tuple.with_note("note");
            tuple.status.extensions.push(foreign("s", "t"));
        }
        if let Some(tag) = tag {
            tuple.attributes.set(Name::new(namespace::XML, "lang"), tag);
        }
        tuple.set_timestamp(stamp).unwrap();
        tuple
    })
}

fn persons() -> impl Strategy<Value = Person> {
    (vec(elements(), 0..5), stamps(), tags()).prop_map(|(elements, stamp, tag)| {
        let mut person = Person::new("x");
        person.extensions = elements;
        if let Some(tag) = tag {
            person
                .attributes
                .set(Name::new(namespace::XML, "lang"), tag);
            person = person.with_note(tag);
        }
        person.set_timestamp(stamp).unwrap();
        person
    })
}

fn devices() -> impl Strategy<Value = Device> {
    (select(DEVICES), vec(elements(), 0..3), stamps()).prop_map(|(name, elements, stamp)| {
        let mut device = Device::new("x", device_id(name));
        device.extensions = elements;
        device.set_timestamp(stamp).unwrap();
        device
    })
}

const SOURCES: &[Source] = &[
    Source::Lasting,
    Source::Application,
    Source::Registration,
    Source::Subscription,
    Source::Publication,
];

prop_compose! {
    fn documents()(
        tuples in vec(tuples(), 0..4),
        persons in vec(persons(), 0..3),
        devices in vec(devices(), 0..3),
        extensions in vec(select(vec![foreign("a", "1"), foreign("b", "2")]), 0..3),
        tag in tags(),
        notes in 0..3_usize,
    ) -> Presence {
        let mut all = document();
        (all.tuples, all.persons, all.devices) = (tuples, persons, devices);
        all.extensions = extensions;
        if let Some(tag) = tag {
            all.attributes.set(Name::new(namespace::XML, "lang"), tag);
        }
        (0..notes).fold(all, |all, _| all.with_note("note"))
    }
}

/// With ids of their own, as an agent gives them, and languages at the root handed down.
fn parts() -> impl Strategy<Value = Vec<Part>> {
    let one = (documents(), select(SOURCES), 0..4_i64);
    vec(one, 1..5).prop_map(|all| {
        let mut parts = Vec::new();
        let mut ids = 0;
        for (at, (mut document, source, ago)) in all.into_iter().enumerate() {
            document.for_each_id_mut(|_, id| {
                ids += 1;
                *id = format!("i{ids}");
            });
            let since = host(NOON - ago * 1800);
            parts.push(Part::new(source, at as u64 + 1, document, since));
        }
        parts
    })
}

prop_compose! {
    fn compositors()(
        services in select(&[
            Services::SideBySide, Services::ByContact, Services::ByDeviceAndContact,
        ][..]),
        devices in select(&[Devices::SideBySide, Devices::ById][..]),
        persons in select(&[Persons::SideBySide, Persons::Merged][..]),
        conflicts in select(vec![
            Conflicts::Newest,
            Conflicts::ByInput,
            Conflicts::BySource(vec![]),
            Conflicts::BySource(vec![Source::Application, Source::Lasting]),
        ]),
        periods in select(&[Periods::All, Periods::NotOver, Periods::InForce][..]),
        ages in (option::of(0..7_u64), option::of(0..7_u64)),
        aged in select(&[Aged::LeftOut, Aged::Closed][..]),
        remarks in (any::<bool>(), any::<bool>()),
    ) -> Compositor {
        let mut compositor = Compositor::union();
        compositor.services = services;
        compositor.devices = devices;
        compositor.persons = persons;
        compositor.conflicts = conflicts;
        compositor.periods = periods;
        let half_hours = |count| Duration::from_secs(count * 1800);
        compositor.max_age = ages.0.map(half_hours);
        compositor.idle_yields = ages.1.map(half_hours);
        compositor.aged = aged;
        if remarks.0 {
            compositor.notes = Remarks::OfOneSource;
        }
        if remarks.1 {
            compositor.extensions = Remarks::OfOneSource;
        }
        compositor
    }
}

fn moments() -> impl Strategy<Value = Moment> {
    prop_oneof![
        4 => (-4..5_i64).prop_map(|half_hours| at(NOON + half_hours * 1800)),
        1 => Just(Moment::new(host(NOON), None)),
    ]
}

fn later(moment: &Moment, by: Duration) -> Moment {
    Moment::new(moment.now + by, moment.utc.map(|utc| utc + by))
}

/// The names of the unknown elements in persons and tuples.
fn unknown<'p>(documents: impl Iterator<Item = &'p Presence>) -> BTreeSet<(char, String)> {
    let mut names = BTreeSet::new();
    for document in documents {
        for (kind, elements) in (document.tuples.iter().map(|it| ('t', &it.extensions)))
            .chain(
                document
                    .tuples
                    .iter()
                    .map(|it| ('s', &it.status.extensions)),
            )
            .chain(document.persons.iter().map(|it| ('p', &it.extensions)))
            .chain([('d', &document.extensions)])
        {
            let foreign = elements
                .iter()
                .filter(|it| it.namespace() != namespace::RPID);
            names.extend(foreign.map(|it| (kind, it.name().to_string())));
        }
    }
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // SRV-06, SRV-09
    #[test]
    fn the_same_parts_come_to_the_same_document_that_can_be_written(
        compositor in compositors(),
        parts in parts(),
        moment in moments(),
    ) {
        let composed = compositor.compose(parts.clone(), &moment);
        let written = composed.document.write().unwrap();
        prop_assert_eq!(&Presence::read(&written).unwrap(), &composed.document);
        prop_assert_eq!(&compositor.compose(parts.clone(), &moment), &composed);
        let mut parts = parts;
        parts.rotate_left(1);
        prop_assert_eq!(&compositor.compose(parts.clone(), &moment), &composed);
        parts.reverse();
        prop_assert_eq!(&compositor.compose(parts, &moment), &composed);
    }

    #[test]
    fn composing_what_was_composed_changes_nothing(
        compositor in compositors(),
        parts in parts(),
        moment in moments(),
    ) {
        let once = compositor.compose(parts, &moment).document;
        let since = moment.now.max(host(NOON));
        let alone = Part::new(Source::Publication, 1, once.clone(), since);
        prop_assert_eq!(compositor.compose(vec![alone], &moment).document, once);
    }

    #[test]
    fn a_document_holds_for_as_long_as_it_is_said_to(
        compositor in compositors(),
        parts in parts(),
        moment in moments(),
        share in 0..1000_u32,
    ) {
        let composed = compositor.compose(parts.clone(), &moment);
        let most = match composed.holds_for {
            Some(wait) => {
                prop_assert!(wait > Duration::ZERO);
                wait - Duration::from_nanos(1)
            }
            None => Duration::from_secs(100_000),
        };
        for wait in [most, most * share / 1000] {
            let then = compositor.compose(parts.clone(), &later(&moment, wait));
            prop_assert_eq!(then.document, composed.document.clone());
            prop_assert_eq!(then.holds_for, composed.holds_for.map(|it| it - wait));
        }
    }

    // SRV-09
    #[test]
    fn a_union_has_every_part(parts in parts(), moment in moments()) {
        let union = Compositor::union().compose(parts.clone(), &moment);
        prop_assert_eq!(union.holds_for, None);
        let union = union.document;
        let [tuples, persons, devices, notes] = [
            union.tuples.len(), union.persons.len(), union.devices.len(), union.notes.len(),
        ];
        let sum = |count: fn(&Presence) -> usize| -> usize {
            parts.iter().map(|part| count(&part.document)).sum()
        };
        prop_assert_eq!(tuples, sum(|it| it.tuples.len()));
        prop_assert_eq!(persons, sum(|it| it.persons.len()));
        prop_assert_eq!(devices, sum(|it| it.devices.len()));
        prop_assert_eq!(notes, sum(|it| it.notes.len()));
        for part in &parts {
            let mut said = part.document.clone();
            if parts.len() > 1 {
                said.hand_down_language();
            }
            for tuple in &said.tuples {
                prop_assert_eq!(union.tuple(&tuple.id), Some(tuple));
            }
            for person in &said.persons {
                prop_assert_eq!(union.person(&person.id), Some(person));
            }
            for device in &said.devices {
                prop_assert_eq!(union.device(&device.id), Some(device));
            }
        }
    }

    #[test]
    fn nothing_unknown_is_lost(
        mut compositor in compositors(),
        parts in parts(),
        moment in moments(),
    ) {
        compositor.max_age = None;
        let before = unknown(parts.iter().map(|part| &part.document));
        let composed = compositor.compose(parts, &moment).document;
        prop_assert_eq!(unknown([&composed].into_iter()), before);
    }

    #[test]
    fn what_is_one_is_there_once(parts in parts(), moment in moments()) {
        let mut compositor = Compositor::newest_person();
        compositor.services = Services::ByContact;
        let composed = compositor.compose(parts, &moment).document;
        prop_assert!(composed.persons.len() <= 1);
        let mut known = BTreeSet::new();
        for device in &composed.devices {
            prop_assert!(known.insert(device.device_id_text().unwrap()));
        }
        let contacts = composed.tuples.iter().filter_map(|it| it.contact.as_ref());
        let contacts: Vec<_> = contacts.filter(|it| !it.uri.is_empty()).collect();
        prop_assert!(contacts.len() <= 3, "{contacts:?}");
    }
}

/// The least time that something takes of several runs.
fn least(mut run: impl FnMut()) -> Duration {
    let times = (0..3).map(|_| {
        let start = ThreadTime::now();
        run();
        start.elapsed()
    });
    times.min().unwrap()
}

#[test]
fn what_is_about_the_same_costs_no_more_than_its_length() {
    let mut compositor = Compositor::newest_person();
    compositor.services = Services::ByContact;
    compositor.periods = Periods::All;
    let parts = |count: usize| {
        let mut all = document();
        for at in 0..count {
            let start = utc(NOON + 10 * i64::try_from(at).unwrap());
            let local = format!("e{at}");
            let mut tuple = Tuple::open(format!("t{at}"))
                .with_contact("sip:ana@example.com")
                .with(&device_id(&local))
                .unwrap()
                .with_extension(foreign(&local, ""));
            tuple
                .attributes
                .set(Name::new("urn:example:x", &local), "y");
            all.tuples.push(tuple);
            let sphere = Sphere::new(SphereKind::Home)
                .since(start)
                .until(start + Duration::from_secs(5));
            all.persons
                .push(Person::new(format!("p{at}")).with(&sphere).unwrap());
            all.devices
                .push(Device::new(format!("d{at}"), device_id("desk")));
        }
        vec![Part::new(Source::Publication, 1, all, host(NOON))]
    };
    let of = |count: usize| {
        let parts = parts(count);
        let composed = compositor.compose(parts.clone(), &at(NOON)).document;
        let sizes = [
            composed.tuples.len(),
            composed.persons.len(),
            composed.devices.len(),
        ];
        assert_eq!(sizes, [1, 1, 1]);
        assert_eq!(composed.tuples[0].extensions.len(), 2 * count);
        assert_eq!(composed.persons[0].all::<Sphere>().count(), count);
        least(|| {
            compositor.compose(parts.clone(), &at(NOON));
        })
    };
    let (few, many) = (of(1_000), of(10_000));
    assert!(many < few * 40, "{few:?} for 1,000 and {many:?} for 10,000");
}
