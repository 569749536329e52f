//! Which tuples are one service, and what becomes of it.

use presentity::pidf::rpid::{InputState, Privacy, UserInput};
use presentity::pidf::{Basic, Contact, DeviceId, Note, Priority, Tuple};
use presentity::presence::composition::{Composition, Compositor, Services};
use presentity::xml::{Name, namespace};

use crate::scene::{
    compose, device_id, document, foreign, foreigners, on, person, published, tuple_ids, utc,
};

fn by_contact() -> Compositor {
    let mut compositor = Compositor::union();
    compositor.services = Services::ByContact;
    compositor
}

fn to(id: &str, contact: &str) -> Tuple {
    Tuple::open(id).with_contact(contact)
}

// SRV-05, SRV-06, SRV-07, SRV-09
#[test]
fn a_union_has_everything_side_by_side() {
    let desk = document()
        .with_tuple(to("desk", "sip:ana@example.com"))
        .with_note("desk")
        .with_person(person("p1"))
        .with_extension(foreign("x", "1"));
    let laptop = document()
        .with_tuple(to("laptop", "sip:ana@example.com"))
        .with_note("desk")
        .with_person(person("p2"))
        .with_extension(foreign("x", "2"));
    let union = compose(
        &Compositor::union(),
        &[
            published(1, 60, desk.clone()),
            published(2, 30, laptop.clone()),
        ],
    );
    assert_eq!(union.tuples, [desk.tuples, laptop.tuples].concat());
    assert_eq!(union.persons, [desk.persons, laptop.persons].concat());
    assert_eq!(union.notes, [desk.notes, laptop.notes].concat());
    assert_eq!(foreigners(&union.extensions), ["x=1", "x=2"]);
}

#[test]
fn a_union_leaves_a_single_document_as_it_is() {
    let mut alone = document()
        .with_tuple(to("a", "sip:ana@example.com"))
        .with_tuple(to("b", "sip:ana@example.com"))
        .with_person(person("p"))
        .with_person(person("q"))
        .with_note("here");
    let name = Name::new(namespace::XML, "lang");
    alone.attributes.set(name, "de");
    let union = Compositor::union();
    assert!(union.keeps_single());
    assert_eq!(compose(&union, &[published(1, 0, alone.clone())]), alone);
    for other in [
        Compositor::by_device(),
        Compositor::newest_person(),
        by_contact(),
    ] {
        assert!(!other.keeps_single());
    }
    assert_eq!(
        tuple_ids(&compose(&by_contact(), &[published(1, 0, alone)])),
        ["a"]
    );
}

#[test]
fn what_has_the_same_contact_is_one_service() {
    let texts = [
        ("a", "sip:ana@example.com"),
        ("b", "sip:%61na@EXAMPLE.com"),
        ("c", "sips:ana@example.com"),
        ("d", "sip:ana@example.com;gr=1"),
        ("e", "sip:ana@example.com;gr=2"),
        ("f", "SIP:ana@Example.com;GR=2"),
        ("g", "pres:ana@example.com"),
        ("h", "pres:%61na@example.com"),
        ("i", "tel:+1-555-0100"),
        ("j", "tel:+15550100"),
        ("k", "sip:Ana@example.com"),
        ("l", "sip:ana@example.com:5060"),
        ("m", "mailto:ana@example.com"),
        ("n", "MAILTO:ana@example.com"),
    ];
    let document = texts.iter().fold(document(), |document, (id, contact)| {
        document.with_tuple(to(id, contact))
    });
    let composed = compose(&by_contact(), &[published(1, 0, document)]);
    let expected = ["a", "c", "d", "e", "g", "i", "k", "l", "m"];
    assert_eq!(tuple_ids(&composed), expected);
}

#[test]
fn what_has_no_contact_stays_by_itself() {
    let document = document()
        .with_tuple(Tuple::open("a"))
        .with_tuple(Tuple::open("b"))
        .with_tuple(to("c", ""))
        .with_tuple(to("d", ""));
    let composed = compose(&by_contact(), &[published(1, 0, document)]);
    assert_eq!(tuple_ids(&composed), ["a", "b", "c", "d"]);
}

#[test]
fn services_on_different_devices_are_different_or_not() {
    let ana = "sip:ana@example.com";
    let one = document()
        .with_tuple(on("a", "desk").with_contact(ana))
        .with_tuple(on("b", "laptop").with_contact(ana))
        .with_tuple(to("c", ana))
        .with_tuple(on("d", "desk"));
    let mut both = on("g", "desk").with_contact(ana);
    both.add(&device_id("laptop")).unwrap();
    let other = document()
        .with_tuple(on("e", "desk").with_contact("sip:ana@EXAMPLE.com"))
        .with_tuple(to("f", ana))
        .with_tuple(both)
        .with_tuple(on("h", "desk"))
        .with_tuple(on("i", "desk").with_contact("sip:other@example.com"));
    let parts = [published(1, 60, one), published(2, 30, other)];
    let composed = compose(&Compositor::by_device(), &parts);
    assert_eq!(
        tuple_ids(&composed),
        ["a", "b", "c", "d", "f", "g", "h", "i"]
    );
    let composed = compose(&by_contact(), &parts);
    assert_eq!(tuple_ids(&composed), ["a", "d", "h", "i"]);
    let devices: Vec<DeviceId> = composed.tuples[0].all().collect();
    assert_eq!(devices.len(), 2, "{devices:?}");
}

// SRV-06
#[test]
fn a_service_is_what_the_newest_says_and_what_only_others_say() {
    let ana = "sip:ana@example.com";
    let high = Priority::from_thousandths(700).unwrap();
    let low = Priority::from_thousandths(100).unwrap();
    let old = Tuple::open("old")
        .with_contact(Contact::new(ana).with_priority(high))
        .with_note("from the old one")
        .with_extension(foreign("both", "old"))
        .with_extension(foreign("old", "1"))
        .with_extension(foreign("old", "2"))
        .with_status_extension(foreign("state", "old"))
        .with_status_extension(foreign("only", "old"))
        .with_timestamp(utc(1000))
        .unwrap();
    let new = Tuple::closed("new")
        .with_contact(Contact::new("sip:ana@EXAMPLE.com"))
        .with_extension(foreign("new", "3"))
        .with_extension(foreign("both", "new"))
        .with_status_extension(foreign("state", "new"))
        .with_timestamp(utc(2000))
        .unwrap();
    let noted = new.clone().with_note("from the new one");
    let parts = |new: Tuple| {
        [
            published(1, 60, document().with_tuple(old.clone())),
            published(2, 30, document().with_tuple(new)),
        ]
    };
    let composed = compose(&by_contact(), &parts(new));
    let [tuple] = &composed.tuples[..] else {
        panic!("{composed:?}");
    };
    assert_eq!(tuple.id, "old", "the id of the first");
    assert_eq!(tuple.status.basic(), Some(Basic::Closed));
    assert_eq!(
        foreigners(&tuple.status.extensions),
        ["state=new", "only=old"]
    );
    assert_eq!(
        foreigners(&tuple.extensions),
        ["new=3", "both=new", "old=1", "old=2"]
    );
    let contact = tuple.contact.as_ref().unwrap();
    assert_eq!(contact.uri, "sip:ana@EXAMPLE.com");
    assert_eq!(contact.priority(), Some(high));
    assert_eq!(tuple.notes, [Note::new("from the old one")]);
    assert_eq!(tuple.timestamp(), Some(utc(2000)));

    let mut noted = noted;
    noted.contact = Some(Contact::new(ana).with_priority(low));
    let composed = compose(&by_contact(), &parts(noted));
    assert_eq!(composed.tuples[0].notes, [Note::new("from the new one")]);
    assert_eq!(composed.tuples[0].priority(), low);
}

#[test]
fn a_service_without_basic_status_gets_that_of_another() {
    let ana = "sip:ana@example.com";
    let mut silent = Tuple::new("new").with_contact(ana);
    silent.status.extensions.push(foreign("state", "busy"));
    let parts = [
        published(
            1,
            60,
            document().with_tuple(Tuple::closed("old").with_contact(ana)),
        ),
        published(2, 30, document().with_tuple(silent)),
    ];
    let composed = compose(&by_contact(), &parts);
    let [tuple] = &composed.tuples[..] else {
        panic!("{composed:?}");
    };
    assert_eq!(tuple.status.basic(), Some(Basic::Closed));
    assert_eq!(foreigners(&tuple.status.extensions), ["state=busy"]);
}

#[test]
fn the_most_recent_input_of_a_service_counts() {
    let ana = "sip:ana@example.com";
    let active = on("a", "desk")
        .with_contact(ana)
        .with(&UserInput::active())
        .unwrap();
    let idle = on("b", "laptop")
        .with_contact(ana)
        .with(&UserInput::idle().with_last_input(utc(5)))
        .unwrap();
    let parts = [
        published(1, 60, document().with_tuple(active)),
        published(2, 30, document().with_tuple(idle)),
    ];
    let composed = compose(&by_contact(), &parts);
    let input = composed.tuples[0].get::<UserInput>().unwrap();
    assert_eq!(input.state, InputState::Active);
    assert_eq!(composed.tuples[0].all::<UserInput>().count(), 1);
}

// PIDF-18
#[test]
fn everything_keeps_the_language_it_was_said_in() {
    let spoken = |id: &str, tag: &str, note: &str, local: &str| {
        let private = Privacy::default().with_note("private");
        let mut tuple = to(id, "sip:ana@example.com")
            .with_extension(foreign(local, "x"))
            .with_status_extension(foreign(local, "y"));
        if !note.is_empty() {
            tuple = tuple.with_note(note);
        }
        if id == "a" {
            tuple.add(&private).unwrap();
        }
        tuple.attributes.set(Name::new(namespace::XML, "lang"), tag);
        document().with_tuple(tuple)
    };
    let mut dutch = spoken("b", "nl", "", "c");
    let name = || Name::new(namespace::XML, "lang");
    dutch.tuples[0].status.attributes.set(name(), "fy");
    let parts = [
        published(1, 60, spoken("a", "de", "Hallo", "b")),
        published(2, 30, dutch),
    ];
    let composed = compose(&by_contact(), &parts);
    let [tuple] = &composed.tuples[..] else {
        panic!("{composed:?}");
    };
    assert_eq!(tuple.language(), None);
    assert_eq!(tuple.notes, [Note::new("Hallo").in_language("de")]);
    let of = |element: &presentity::xml::Element| {
        let tag = element.attributes.get(namespace::XML, "lang");
        (element.local().to_owned(), tag.map(str::to_owned))
    };
    let spoken = |local: &str, tag: &str| (local.to_owned(), Some(tag.to_owned()));
    let all: Vec<_> = tuple.extensions.iter().map(of).collect();
    assert_eq!(
        all,
        [
            spoken("c", "nl"),
            spoken("b", "de"),
            spoken("privacy", "de")
        ]
    );
    let all: Vec<_> = tuple.status.extensions.iter().map(of).collect();
    assert_eq!(all, [spoken("c", "fy"), spoken("b", "de")]);
}

#[test]
fn attributes_are_those_of_the_newest_and_what_only_others_have() {
    let with = |id: &str, attributes: &[(&str, &str)]| {
        let mut tuple = to(id, "sip:ana@example.com");
        for (local, value) in attributes {
            let name = Name::new("urn:example:foreign", local);
            tuple.attributes.set(name, *value);
        }
        document().with_tuple(tuple)
    };
    let parts = [
        published(1, 60, with("a", &[("x", "1"), ("y", "2")])),
        published(2, 30, with("b", &[("x", "3"), ("z", "4")])),
    ];
    let composed = compose(&by_contact(), &parts);
    let attributes = &composed.tuples[0].attributes;
    let values = ["x", "y", "z"].map(|it| attributes.get("urn:example:foreign", it));
    assert_eq!(values, [Some("3"), Some("2"), Some("4")]);
}
