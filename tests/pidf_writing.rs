//! Presence documents as they are sent: in the schema's order, with ids that are names, and the
//! same again after reading.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod corpus;

use presentity::pidf::{
    Basic, Contact, Device, DeviceId, Fault, IdOwner, Note, Person, Presence, Priority, ReadError,
    ReadOptions, Repair, Tuple, WriteError,
};
use presentity::xml::{Element, Layout, Name, Node, XmlWriteError, namespace};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use time::OffsetDateTime;

const ENTITY: &str = "sip:dora@example.com";

fn strictly(document: &[u8]) -> Presence {
    Presence::read_with(document, &ReadOptions::strict())
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(document)))
        .0
}

/// The same, attributes of others aside, which no schema foresees on elements of PIDF.
fn strictly_but_for_attributes(document: &[u8]) -> Presence {
    match Presence::read_with(document, &ReadOptions::strict()) {
        Err(ReadError::Fault(found)) => {
            assert!(matches!(found.fault, Fault::Attribute { .. }), "{found}");
        }
        other => panic!("{other:?}: {}", String::from_utf8_lossy(document)),
    }
    let (presence, faults) = Presence::read_with(document, &ReadOptions::default()).unwrap();
    assert_eq!(faults, []);
    presence
}

/// Writing gives a document that reads as the model and is written the same again.
fn check(presence: &Presence) -> String {
    let written = presence.write().unwrap();
    let again = Presence::read(&written).unwrap();
    assert_eq!(again, *presence);
    assert_eq!(again.write().unwrap(), written);
    String::from_utf8(written.to_vec()).unwrap()
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

/// A model with something in every place.
fn full() -> Presence {
    let person = Person::new("dora").with_extension(
        Element::new(namespace::RPID, "activities")
            .with_child(Element::new(namespace::RPID, "busy")),
    );
    let own = |local: &str| Element::named(Name::with_prefix("urn:example:own", local, "own"));
    let mut tuple = Tuple::open("phone")
        .with_status_extension(own("mode").with_text("quiet"))
        .with_extension(own("badge"))
        .with_contact(Contact::new(ENTITY).with_priority(Priority::from_thousandths(250).unwrap()))
        .with_note(Note::new("Later").in_language("en"))
        .with_note("<Später>")
        .with_timestamp(at(1_800_000_000))
        .unwrap();
    tuple
        .attributes
        .set(Name::with_prefix("urn:example:own", "rank", "own"), "1");
    Presence::new(ENTITY)
        .with_tuple(tuple)
        .with_tuple(Tuple::closed("pager"))
        .with_note("Away")
        .with_person(person)
}

// PIDF-02, PIDF-04, PIDF-06, PIDF-07, PIDF-12
#[test]
fn the_whole_of_a_document() {
    assert_eq!(
        check(&full()),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:own=\"urn:example:own\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:dora@example.com\">\
         <tuple id=\"phone\" own:rank=\"1\">\
         <status><basic>open</basic><own:mode>quiet</own:mode></status>\
         <own:badge/>\
         <contact priority=\"0.25\">sip:dora@example.com</contact>\
         <note xml:lang=\"en\">Later</note><note>&lt;Später&gt;</note>\
         <timestamp>2027-01-15T08:00:00Z</timestamp></tuple>\
         <tuple id=\"pager\"><status><basic>closed</basic></status></tuple>\
         <note>Away</note>\
         <dm:person id=\"dora\"><rpid:activities><rpid:busy/></rpid:activities></dm:person>\
         </presence>\n"
    );
    let written = full().write().unwrap();
    assert_eq!(strictly_but_for_attributes(&written), full());
    // PIDF-06: no tuple is needed.
    let nothing = check(&Presence::new(ENTITY));
    assert!(nothing.ends_with("entity=\"sip:dora@example.com\"></presence>\n"));
}

// PIDF-06, PIDF-07: whatever the order in which it was read.
#[test]
fn the_order_is_the_schemas() {
    let shuffled = format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:x='urn:example:x' entity='{ENTITY}'>\
         <x:f/><note>m</note><tuple id='t'><timestamp>2026-01-01T00:00:00Z</timestamp><note>n</note>\
         <contact>sip:a@example.com</contact><x:e/><status><x:s/><basic>open</basic></status></tuple></presence>"
    );
    let written = Presence::read(shuffled.as_bytes())
        .unwrap()
        .write()
        .unwrap();
    let written = String::from_utf8(written.to_vec()).unwrap();
    let order = [
        "<tuple",
        "<status",
        "<basic",
        "<x:s",
        "<x:e",
        "<contact",
        "<note>n",
        "<timestamp",
        "<note>m",
        "<x:f",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|part| written.find(part).unwrap())
        .collect();
    assert!(places.is_sorted(), "{written}");
    strictly(written.as_bytes());
}

#[test]
fn documents_survive() {
    for document in corpus::ALL {
        let presence = Presence::read(document.as_bytes()).unwrap();
        let written = check(&presence);
        if document == corpus::ODD_PREFIXES {
            // It has an extension without namespace.
            assert!(Presence::read_with(written.as_bytes(), &ReadOptions::strict()).is_err());
        } else if presence.attributes.is_empty() {
            strictly(written.as_bytes());
        } else {
            strictly_but_for_attributes(written.as_bytes());
        }
    }
}

// PIDF-13, PIDF-14, PIDF-19: what was written stays as it was.
#[test]
fn odd_values_are_passed_on() {
    let odd = format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{ENTITY}'><tuple id='t' old='1'><status new='2'>\
         <basic sure='no'>Open</basic></status><contact priority='1.50' kind='x'>dora</contact>\
         <timestamp zone='?'>noon</timestamp></tuple></presence>"
    );
    let presence = Presence::read(odd.as_bytes()).unwrap();
    let written = check(&presence);
    for part in [
        "<tuple id=\"t\" old=\"1\"><status new=\"2\">",
        "<basic sure=\"no\">Open</basic>",
        "<contact priority=\"1.50\" kind=\"x\">dora</contact>",
        "<timestamp zone=\"?\">noon</timestamp>",
    ] {
        assert!(written.contains(part), "{part} {written}");
    }
    // Setting a value puts an end to it.
    let mut presence = presence;
    let tuple = &mut presence.tuples[0];
    tuple.status.set_basic(Some(Basic::Closed));
    tuple.contact = Some(Contact::from("sip:dora@example.com"));
    tuple.set_timestamp(Some(at(0))).unwrap();
    let written = check(&presence);
    assert!(written.contains("<basic>closed</basic>"), "{written}");
    assert!(
        written.contains("<timestamp>1970-01-01T00:00:00Z</timestamp>"),
        "{written}"
    );
}

// PIDF-05
#[test]
fn the_entity_is_a_bare_uri() {
    for entity in [
        "",
        "dora",
        "<sip:dora@example.com>",
        "\"D\" <sip:d@example.com>",
        "sip:",
        "sip:a b",
    ] {
        let refused = Presence::new(entity).write();
        let entity = entity.to_owned();
        assert_eq!(refused, Err(WriteError::Entity { entity }));
    }
    let written = check(&Presence::new("sip:dora@example.com?a=b&c='d'"));
    assert!(
        written.contains("entity=\"sip:dora@example.com?a=b&amp;c='d'\""),
        "{written}"
    );
}

// PIDF-08, PIDF-30
#[test]
fn ids_are_names_and_occur_once() {
    for id in ["", "1a", "-a", "a b", "a:b", "a@b", " a"] {
        let refused = Presence::new(ENTITY).with_tuple(Tuple::open(id)).write();
        let id = id.to_owned();
        assert_eq!(refused, Err(WriteError::Id { id }));
    }
    for id in ["a", "_", "a-1.b_2", "ü"] {
        check(&Presence::new(ENTITY).with_tuple(Tuple::open(id)));
    }
    let twice = Err(WriteError::DuplicateId { id: "a".to_owned() });
    let one = Presence::new(ENTITY).with_tuple(Tuple::open("a"));
    assert_eq!(one.clone().with_tuple(Tuple::open("a")).write(), twice);
    let person = one.clone().with_person(Person::new("a"));
    assert_eq!(person.write(), twice);
    let device = Device::new("a", DeviceId::new("urn:example:d").unwrap());
    assert_eq!(one.clone().with_device(device).write(), twice);
    for (namespace, local) in [(namespace::RPID, "mood"), (namespace::RPID, "class")] {
        let element = Element::new(namespace, local).with_attribute("id", "a");
        assert_eq!(one.clone().with_extension(element.clone()).write(), twice);
        let inside = Element::new("urn:example:x", "e").with_child(element);
        assert_eq!(one.clone().with_extension(inside).write(), twice);
    }
    // An id of somebody else's is none of ours.
    let foreign = Element::new("urn:example:x", "e").with_attribute("id", "a");
    check(&one.with_extension(foreign));
}

#[test]
fn ids_can_be_renamed_everywhere() {
    let mut presence = Presence::read(corpus::RICH.as_bytes()).unwrap();
    let mut seen = Vec::new();
    presence.for_each_id_mut(|owner, id| {
        seen.push((owner, id.clone()));
        id.push_str("-7");
    });
    let expected = [
        (IdOwner::Tuple, "im"),
        (IdOwner::Tuple, "sms"),
        (IdOwner::Person, "emil"),
        (IdOwner::Device, "handy"),
        (IdOwner::RichPresence, "act"),
    ];
    assert!(
        seen.iter()
            .map(|(owner, id)| (*owner, id.as_str()))
            .eq(expected)
    );
    let renamed: Vec<&str> = presence.ids().into_iter().map(|(_, id)| id).collect();
    assert_eq!(renamed, ["im-7", "sms-7", "emil-7", "handy-7", "act-7"]);
    check(&presence);
}

// PIDF-12
#[test]
fn a_status_has_a_value() {
    let silent = Presence::new(ENTITY).with_tuple(Tuple::new("a"));
    assert_eq!(
        silent.write(),
        Err(WriteError::NoStatus { id: "a".to_owned() })
    );
    let extension = Element::new("urn:example:x", "s");
    check(&Presence::new(ENTITY).with_tuple(Tuple::new("a").with_status_extension(extension)));
}

#[test]
fn what_was_read_can_be_repaired() {
    let odd = format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{ENTITY}'>\
         <tuple id='1'><status><basic>open</basic></status></tuple>\
         <tuple id='a'><status/></tuple>\
         <tuple id='b'><status><basic>open</basic></status></tuple>\
         <tuple id='b'><status><basic>closed</basic></status></tuple></presence>"
    );
    let mut presence = Presence::read(odd.as_bytes()).unwrap();
    assert!(presence.write().is_err());
    let repairs = presence.repair();
    let renamed = |old: &str, new: &str| Repair::RenamedId {
        old: old.to_owned(),
        new: new.to_owned(),
    };
    assert_eq!(
        repairs,
        [
            Repair::DroppedTuple { id: "a".to_owned() },
            renamed("1", "_1"),
            renamed("b", "b-2")
        ]
    );
    strictly(check(&presence).as_bytes());
}

#[test]
fn what_has_a_field_is_no_other_attribute_nor_an_extension() {
    let attribute = |local: &str| {
        Err(WriteError::Attribute {
            local: local.to_owned(),
        })
    };
    let mut presence = full();
    presence
        .attributes
        .set(Name::new("", "entity"), "sip:other@example.com");
    assert_eq!(presence.write(), attribute("entity"));
    let mut presence = full();
    presence.tuples[0]
        .attributes
        .set(Name::new("", "id"), "other");
    assert_eq!(presence.write(), attribute("id"));
    let mut presence = full();
    let contact = presence.tuples[0].contact.as_mut().unwrap();
    contact.attributes.set(Name::new("", "priority"), "1");
    assert_eq!(presence.write(), attribute("priority"));
    let mut presence = full();
    let note = &mut presence.tuples[0].notes[0];
    note.attributes.set(Name::new(namespace::XML, "lang"), "de");
    assert_eq!(presence.write(), attribute("lang"));

    let tuple = Element::new(namespace::PIDF, "tuple").with_attribute("id", "smuggled");
    let refused = Err(WriteError::NoExtension {
        local: "tuple".to_owned(),
    });
    assert_eq!(full().with_extension(tuple.clone()).write(), refused);
    let within = Presence::new(ENTITY).with_tuple(Tuple::open("t").with_extension(tuple.clone()));
    assert_eq!(within.write(), refused);
    let within = Presence::new(ENTITY).with_tuple(Tuple::open("t").with_status_extension(tuple));
    assert_eq!(within.write(), refused);
}

// Without escaping, a note could add elements to the document.
#[test]
fn nothing_can_be_injected() {
    let attack = "</note><tuple id=\"x\"><status><basic>open</basic></status></tuple><note a='\"'>]]>&amp;<!--";
    let mut presence = Presence::new(ENTITY)
        .with_tuple(
            Tuple::closed("t")
                .with_note(Note::new(attack))
                .with_extension(
                    Element::new(attack, "e")
                        .with_attribute("a", attack)
                        .with_text(attack),
                ),
        )
        .with_note(attack);
    presence
        .attributes
        .set(Name::new("urn:example:x", "a"), attack);
    check(&presence);
    // Where only some texts belong, others are refused.
    let mut tuple = Tuple::closed("t").with_contact(attack);
    let refused = |tuple: &Tuple| {
        let presence = Presence::new(ENTITY).with_tuple(tuple.clone());
        match presence.write() {
            Err(WriteError::Value(error)) => error.element,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&tuple), "contact");
    tuple.contact = None;
    tuple.notes.push(Note::new("x").in_language(attack));
    assert_eq!(refused(&tuple), "xml:lang");
    let again = Presence::read(&presence.write().unwrap()).unwrap();
    assert_eq!(again.tuples.len(), 1);
    assert_eq!(again.notes[0].text, attack);
    // Nor can what XML has no way to carry.
    for c in ['\0', '\u{8}', '\u{FFFF}'] {
        let error = WriteError::Xml(XmlWriteError::Character { code: u32::from(c) });
        let text = format!("a{c}");
        assert_eq!(
            Presence::new(ENTITY).with_note(&*text).write(),
            Err(error.clone())
        );
        let extension = Element::new("urn:example:x", "a").with_text(&*text);
        let extended = Presence::new(ENTITY).with_extension(extension);
        assert_eq!(extended.write(), Err(error));
    }
    let name = Presence::new(ENTITY).with_extension(Element::new("urn:example:x", "a><b"));
    assert!(matches!(
        name.write(),
        Err(WriteError::Xml(XmlWriteError::Name { .. }))
    ));
}

// "prints an empty attribute as a bare name"
#[test]
fn empty_values_are_written() {
    let mut presence = Presence::new(ENTITY)
        .with_tuple(
            Tuple::open("t")
                .with_contact("")
                .with_note(Note::new("").in_language("")),
        )
        .with_extension(Element::new("urn:example:x", "e").with_attribute("a", ""));
    presence.attributes.set(Name::new("urn:example:x", "b"), "");
    let written = check(&presence);
    for part in [
        "<contact></contact>",
        "<note xml:lang=\"\"></note>",
        " a=\"\"/>",
        ":b=\"\"",
    ] {
        assert!(written.contains(part), "{part} {written}");
    }
}

// "re-indents 10,000 levels into 200 MB"
#[test]
fn the_size_is_that_of_what_it_says() {
    let levels = 200;
    let document = format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:x='urn:example:x' entity='{ENTITY}'>{}{}</presence>",
        "<x:e>".repeat(levels),
        "</x:e>".repeat(levels)
    );
    let mut options = ReadOptions::default();
    options.limits.xml.depth = levels + 1;
    let (presence, _) = Presence::read_with(document.as_bytes(), &options).unwrap();
    assert!(presence.write().unwrap().len() < document.len() + 100);
}

// PIDF-24: the mark stays, and so does its meaning.
#[test]
fn must_understand_is_written() {
    let document = format!(
        "<p:presence xmlns:p='urn:ietf:params:xml:ns:pidf' xmlns:x='urn:example:x' entity='{ENTITY}'><p:tuple id='t'>\
         <p:status><p:basic>open</p:basic><x:s p:mustUnderstand='1'/></p:status></p:tuple></p:presence>"
    );
    let presence = Presence::read(document.as_bytes()).unwrap();
    let written = check(&presence);
    assert!(
        written.contains("xmlns:pidf=\"urn:ietf:params:xml:ns:pidf\""),
        "{written}"
    );
    assert!(
        written.contains("<x:s pidf:mustUnderstand=\"1\"/>"),
        "{written}"
    );
}

// Content may use prefixes that only the root declares.
#[test]
fn prefixes_in_content_keep_their_meaning() {
    let document = format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:a='urn:example:a' xmlns:b='urn:example:b' \
         xmlns:c='urn:example:c' xmlns:x='urn:example:x' entity='{ENTITY}'>\
         <x:e kind='a:one'><x:f> b:two</x:f><x:g>c</x:g><x:h>sip:z@example.com</x:h></x:e><x:i/></presence>"
    );
    let presence = Presence::read(document.as_bytes()).unwrap();
    let declared: Vec<_> = presence.extensions[0].declarations().collect();
    assert_eq!(declared, [("a", "urn:example:a"), ("b", "urn:example:b")]);
    assert_eq!(presence.extensions[1].declarations().count(), 0);
    let written = check(&presence);
    let place = "<x:e xmlns:a=\"urn:example:a\" xmlns:b=\"urn:example:b\" kind=\"a:one\">";
    assert!(written.contains(place), "{written}");
    assert!(!written.contains("urn:example:c"), "{written}");
}

// Else the root would give the prefix away, and its owner would take it back when it is written again.
#[test]
fn a_customary_prefix_that_some_content_uses_otherwise_is_nobodys() {
    for (declared, content) in [
        ("", "<dm:y/>"),
        (" xmlns:dm1='urn:example:y'", "dm1:q<dm:y/><dm1:z/>"),
    ] {
        let document = format!(
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
             entity='{ENTITY}'><dm:person id='me'><x xmlns='urn:example:x' xmlns:dm='urn:example:kind'{declared}>\
             (dm:&gt;{content}</x></dm:person></presence>"
        );
        let presence = Presence::read(document.as_bytes()).unwrap();
        let written = check(&presence);
        assert!(
            written.contains("xmlns:dm=\"urn:example:kind\""),
            "{written}"
        );
        let again = Presence::read(written.as_bytes()).unwrap();
        assert_eq!(again, presence);
        assert_eq!(check(&again), written);
    }
}

// PIDF-31, PIDF-35
#[test]
fn devices_have_an_identifier() {
    let nameless = full().with_device(Device::default());
    let expected = WriteError::NoDeviceId { id: String::new() };
    assert_eq!(nameless.write(), Err(expected));
    let mut device = Device::default();
    device.id = "d".to_owned();
    assert_eq!(
        full().with_device(device.clone()).write(),
        Err(WriteError::NoDeviceId { id: "d".to_owned() })
    );
    device.set_device_id(DeviceId::new("urn:example:d").unwrap());
    check(&full().with_device(device));
}

#[test]
fn parts_of_the_model_are_no_extensions_where_they_have_a_field() {
    let no_extension = |local: &str| {
        Err(WriteError::NoExtension {
            local: local.to_owned(),
        })
    };
    let own = |local: &str| Element::new(namespace::DATA_MODEL, local);
    for local in ["person", "device"] {
        let document = full().with_extension(own(local));
        assert_eq!(document.write(), no_extension(local));
    }
    for local in ["note", "timestamp", "deviceID", "other"] {
        let person = Person::new("p").with_extension(own(local));
        assert_eq!(full().with_person(person).write(), no_extension(local));
    }
    let tuple = Tuple::open("t").with_extension(own("deviceID").with_text("urn:example:d"));
    check(&full().with_tuple(tuple));
}

// White space is all that a layout adds, where it means nothing.
#[test]
fn a_pretty_document_reads_as_the_compact_one() {
    let mixed = Element::new("urn:example:x", "mixed")
        .with_text("a ")
        .with_child(Element::new("urn:example:x", "b").with_child(Element::new("", "c")));
    let document = full()
        .with_device(Device::new("d", DeviceId::new("urn:example:d").unwrap()).with_note(" x "))
        .with_extension(Element::new("urn:example:x", "e").with_child(mixed));
    let pretty = document.write_as(Layout::Pretty).unwrap();
    assert_eq!(strictly_but_for_attributes(&pretty), document);
    let text = String::from_utf8(pretty.to_vec()).unwrap();
    for line in [
        "\n  <tuple id=\"phone\" own:rank=\"1\">\n    <status>\n      <basic>open</basic>\n",
        "\n    <contact priority=\"0.25\">sip:dora@example.com</contact>\n",
        "\n  <dm:person id=\"dora\">\n    <rpid:activities>\n      <rpid:busy/>\n    </rpid:activities>\n",
        "\n    <dm:note> x </dm:note>\n  </dm:device>\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(text.ends_with("\n</presence>\n"), "{text}");
    let compact = document.write().unwrap();
    assert_eq!(Presence::read(&pretty).unwrap().write().unwrap(), compact);
}

#[test]
fn what_makes_a_document_another() {
    assert_eq!(full(), full());
    let differs = |change: &dyn Fn(&mut Presence)| {
        let mut other = full();
        change(&mut other);
        assert_ne!(other, full());
    };
    differs(&|presence| presence.entity.push('x'));
    differs(&|presence| presence.tuples[0].id.push('x'));
    differs(&|presence| presence.tuples[0].status.set_basic(None));
    differs(&|presence| presence.tuples[0].contact = None);
    differs(&|presence| presence.tuples[0].notes[0].lang = None);
    differs(&|presence| {
        let changed = Some(at(1_800_000_001));
        presence.tuples[0].set_timestamp(changed).unwrap();
    });
    differs(&|presence| presence.persons[0].extensions[0].push_text("x"));
    differs(&|presence| presence.persons[0].id.push('x'));
    differs(&|presence| presence.tuples.reverse());
    differs(&|presence| presence.notes.clear());
}

#[test]
fn times_that_cannot_be_written() {
    let mut tuple = Tuple::open("t").with_timestamp(at(0)).unwrap();
    assert!(tuple.timestamp_text().is_some());
    tuple.set_timestamp(None).unwrap();
    assert_eq!(tuple.timestamp_text(), None);
}

fn xml_char() -> impl Strategy<Value = char> {
    prop_oneof![
        2 => proptest::sample::select(vec!['<', '>', '&', '"', '\'', ']', '\t', '\n', '\r', ' ']),
        2 => proptest::char::range(' ', '~'),
        1 => proptest::char::range('\u{7F}', '\u{D7FF}'),
        1 => proptest::char::range('\u{E000}', '\u{FFFD}'),
        1 => proptest::char::range('\u{10000}', '\u{10FFFF}'),
    ]
}

fn xml_text() -> BoxedStrategy<String> {
    vec(xml_char(), 0..12).prop_map(String::from_iter).boxed()
}

fn extension() -> BoxedStrategy<Element> {
    let leaf = (
        proptest::sample::select(vec!["", "urn:example:x", "urn:example:y", namespace::RPID]),
        proptest::sample::select(vec!["a", "tuple", "ü"]),
        proptest::sample::select(vec!["", "p", "pidf"]),
        option::of(xml_text()),
    )
        .prop_map(|(namespace, local, prefix, value)| {
            let mut element = Element::named(Name::with_prefix(namespace, local, prefix));
            if let Some(value) = value {
                let name = Name::with_prefix(namespace::PIDF, "mustUnderstand", "");
                element.attributes.set(name, value);
            }
            element
        })
        .boxed();
    leaf.clone()
        .prop_recursive(3, 8, 3, move |inner| {
            let node = prop_oneof![
                inner.prop_map(Node::Element),
                xml_text().prop_map(|text| Node::Text(text.into()))
            ];
            (leaf.clone(), vec(node, 0..3)).prop_map(|(mut element, nodes)| {
                *element.children_mut() = nodes;
                element
            })
        })
        .boxed()
}

fn note() -> impl Strategy<Value = Note> {
    let lang = "( ?[a-z]{1,8}(-[0-9A-Z]{1,8}){0,2})?";
    (xml_text(), option::of(lang)).prop_map(|(text, lang)| {
        let mut note = Note::new(text);
        note.lang = lang;
        note
    })
}

fn person() -> impl Strategy<Value = Person> {
    (
        vec(extension(), 0..2),
        vec(note(), 0..2),
        option::of(0i64..1_000_000),
    )
        .prop_map(|(extensions, notes, changed)| {
            let mut person = Person::new("");
            person.extensions = extensions;
            person.notes = notes;
            person.set_timestamp(changed.map(at)).unwrap();
            person
        })
}

fn device() -> impl Strategy<Value = Device> {
    ("urn:[!$&-;=?-Z_a-z~]{1,12}", person()).prop_map(|(id, like)| {
        let mut device = Device::new("", DeviceId::new(id).unwrap());
        device.extensions = like.extensions;
        device.notes = like.notes;
        device
    })
}

fn tuple() -> impl Strategy<Value = Tuple> {
    let contact = ("(x:[!$%&-;=?-Z_a-z~]{1,12})?", option::of(0u16..=1000));
    (
        any::<bool>(),
        vec(extension(), 0..2),
        vec(extension(), 0..2),
        option::of(contact),
        vec(note(), 0..3),
        option::of((0i64..253_402_300_799, 0u32..1_000_000_000)),
    )
        .prop_map(|(open, of_status, of_tuple, contact, notes, changed)| {
            let mut tuple = if open {
                Tuple::open("")
            } else {
                Tuple::closed("")
            };
            tuple.status.extensions = of_status;
            tuple.extensions = of_tuple;
            tuple.contact = contact.map(|(uri, priority)| {
                let mut contact = Contact::new(uri);
                contact.set_priority(priority.and_then(Priority::from_thousandths));
                contact
            });
            tuple.notes = notes;
            let changed =
                changed.map(|(seconds, nanos)| at(seconds).replace_nanosecond(nanos).unwrap());
            tuple.set_timestamp(changed).unwrap();
            tuple
        })
}

proptest! {
    #[test]
    fn any_document_survives(
        tuples in vec(tuple(), 0..4),
        notes in vec(note(), 0..3),
        persons in vec(person(), 0..3),
        devices in vec(device(), 0..3),
        extensions in vec(extension(), 0..3),
    ) {
        let mut presence = Presence::new(ENTITY);
        presence.tuples = tuples;
        presence.notes = notes;
        presence.persons = persons;
        presence.devices = devices;
        presence.extensions = extensions;
        presence.repair();
        check(&presence);
        let pretty = presence.write_as(Layout::Pretty).unwrap();
        prop_assert_eq!(Presence::read(&pretty).unwrap(), presence);
    }

    #[test]
    fn any_note_survives(text in vec(xml_char(), 0..300).prop_map(String::from_iter)) {
        let presence = Presence::new(ENTITY).with_note(&*text);
        let again = Presence::read(&presence.write().unwrap()).unwrap();
        prop_assert_eq!(&again.notes[0].text, &text);
    }

    // Whatever somebody published as an address or a language is passed on.
    #[test]
    fn any_odd_value_survives(text in vec(xml_char(), 0..60).prop_map(String::from_iter)) {
        let named = |local: &str| Element::new(namespace::PIDF, local);
        let mut note = named("note");
        note.attributes.set(Name::new(namespace::XML, "lang"), &*text);
        let basic = named("basic").with_text("open");
        let tuple = named("tuple")
            .with_attribute("id", "t")
            .with_child(named("status").with_child(basic))
            .with_child(named("contact").with_text(&*text))
            .with_child(note);
        let document = named("presence").with_attribute("entity", ENTITY).with_child(tuple);
        let read = Presence::read(&document.write().unwrap()).unwrap();
        prop_assert_eq!(read.tuples[0].notes[0].lang.as_deref(), Some(&*text));
        let mut moved = Presence::new(ENTITY);
        moved.tuples = read.tuples.clone();
        let again = Presence::read(&moved.write().unwrap()).unwrap();
        prop_assert_eq!(again, read);
    }

    #[test]
    fn any_ids_can_be_repaired(ids in vec("[a-c1: -]{0,3}", 0..12)) {
        let mut presence = Presence::new(ENTITY);
        for id in ids {
            presence = presence.with_tuple(Tuple::open(id));
        }
        let count = presence.tuples.len();
        let first = presence.repair();
        prop_assert_eq!(presence.tuples.len(), count);
        prop_assert!(presence.write().is_ok(), "{:?}", first);
        prop_assert_eq!(presence.repair(), []);
    }
}
