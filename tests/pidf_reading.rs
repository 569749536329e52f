//! Presence documents as they come: what they mean, what is tolerated, what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod corpus;
mod reading;

use presentity::pidf::rpid::Activities;
use presentity::pidf::{
    Basic, Fault, PidfLimit, Presence, Priority, ReadError, ReadOptions, Strictness, Understood,
};
use presentity::xml::{Element, NodeRef, XmlErrorKind, XmlLimit, XmlLimits, namespace};
use reading::{OPEN, check_fault, document, model, read, refused, strictly, tolerate, tuple};

#[test]
fn a_plain_document() {
    let presence = read(corpus::PLAIN);
    assert_eq!(presence.entity, "sip:dora@example.com");
    assert_eq!(presence.tuples.len(), 1);
    let phone = presence.tuple("phone").unwrap();
    assert_eq!(phone.status.basic(), Some(Basic::Open));
    let contact = phone.contact.as_ref().unwrap();
    assert_eq!(contact.uri, "sip:dora@192.0.2.7:5070;transport=tcp");
    assert_eq!(contact.priority(), Priority::from_thousandths(800));
    assert_eq!(phone.notes[0].text, "At my desk");
    assert_eq!(phone.notes[0].lang.as_deref(), Some("en"));
    assert_eq!(phone.timestamp().unwrap().unix_timestamp(), 1_772_600_767);
    assert_eq!(presence.notes[0].text, "Ask & ye shall hear <soon>");
    assert_eq!(presence.newest_timestamp(), phone.timestamp());
    // What was written is still there to see.
    assert_eq!(contact.priority_text(), Some("0.80"));
    assert_eq!(phone.timestamp_text(), Some("2026-03-04T05:06:07.000Z"));
    assert!(strictly(corpus::PLAIN).is_ok());
}

// PIDF-23, PIDF-30, PIDF-34
#[test]
fn a_rich_document() {
    let (presence, faults) = tolerate(corpus::RICH);
    assert_eq!(faults, []);
    let im = presence.tuple("im").unwrap();
    assert_eq!(im.status.basic(), Some(Basic::Closed));
    assert!(im.status.extensions[0].is("urn:example:weather", "indoors"));
    let locals: Vec<&str> = im.extensions.iter().map(Element::local).collect();
    assert_eq!(locals, ["deviceID", "relationship", "servcaps"]);
    let methods = im.extensions[2].first(namespace::CAPS, "methods").unwrap();
    let supported = methods.first(namespace::CAPS, "supported").unwrap();
    assert_eq!(supported.elements().count(), 2);
    assert_eq!(
        im.attributes.get("urn:example:weather", "seen"),
        Some("once")
    );
    let weather = presence.attributes.get("urn:example:weather", "station");
    assert_eq!(weather, Some("EDDB"));
    assert_eq!(presence.persons[0].id, "emil");
    assert_eq!(presence.devices[0].id, "handy");
    let locals: Vec<&str> = presence.extensions.iter().map(Element::local).collect();
    assert_eq!(locals, ["forecast"]);
    let ids: Vec<&str> = presence.ids().into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, ["im", "sms", "emil", "handy", "act"]);
    // Mixed content keeps its order.
    let forecast: Vec<String> = presence.extensions[0]
        .children()
        .map(|node| match node {
            NodeRef::Element(element) => format!("<{}>", element.local()),
            NodeRef::Text(text) => text.to_owned(),
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(
        forecast,
        ["Sun ", "<b>", " rain, <30% wind \u{2013} enough."]
    );
}

// PIDF-04; "shows no tuples when the root has a prefix"
#[test]
fn six_spellings_of_one_document() {
    let body = |p: &str, x: &str| {
        format!(
            "<{p}tuple id='t' {x}a='1'><{p}status><{p}basic>open</{p}basic><{x}s {x}b=''/></{p}status>\
             <{x}e><{p}tuple/></{x}e><{p}contact priority='1'>sip:d@example.com</{p}contact></{p}tuple>"
        )
    };
    let pidf = "urn:ietf:params:xml:ns:pidf";
    let x = "urn:example:x";
    let entity = "entity='sip:dora@example.com'";
    let spellings = [
        format!(
            "<presence xmlns='{pidf}' xmlns:x='{x}' {entity}>{}</presence>",
            body("", "x:")
        ),
        format!(
            "<p:presence xmlns:p='{pidf}' xmlns:x='{x}' {entity}>{}</p:presence>",
            body("p:", "x:")
        ),
        // The prefixes change places.
        format!(
            "<x:presence xmlns:x='{pidf}' xmlns:p='{x}' {entity}>{}</x:presence>",
            body("x:", "p:")
        ),
        // A root with prefix, its children by default namespace.
        format!(
            "<p:presence xmlns:p='{pidf}' xmlns='{pidf}' {entity} xmlns:q='{x}'>{}</p:presence>",
            body("", "q:")
        ),
        // Declared where it is used.
        format!(
            "<presence xmlns='{pidf}' {entity}>{}</presence>",
            body("", "x:").replace("<tuple id", &format!("<tuple xmlns:x='{x}' id"))
        ),
        // Two prefixes for one namespace, and attributes in another order.
        format!(
            "<p:presence {entity} xmlns:q='{pidf}' xmlns:p='{pidf}' xmlns:x='{x}' xmlns:z='{x}'>{}</p:presence>",
            body("q:", "x:")
                .replace("<x:e>", "<z:e>")
                .replace("</x:e>", "</z:e>")
        ),
    ];
    let first = read(&spellings[0]);
    assert_eq!(first.tuples[0].status.basic(), Some(Basic::Open));
    for spelling in &spellings {
        assert_eq!(read(spelling), first, "{spelling}");
    }
}

// PIDF-02, PIDF-03
#[test]
fn encodings() {
    let latin = "<?xml version='1.0' encoding='ISO-8859-1'?><presence xmlns='urn:ietf:params:xml:ns:pidf' \
                 entity='sip:dora@example.com'><note>\u{E9}</note></presence>";
    assert!(matches!(refused(latin), ReadError::Xml(error)
        if matches!(error.kind(), XmlErrorKind::Encoding { .. })));
    let mut options = ReadOptions::default();
    options.charset = Some("UTF-8".to_owned());
    let (presence, _) = Presence::read_with(latin.as_bytes(), &options).unwrap();
    assert_eq!(presence.notes[0].text, "\u{E9}");
    options.charset = Some("ISO-8859-1".to_owned());
    assert!(Presence::read_with(latin.as_bytes(), &options).is_err());
    let marked = format!("\u{FEFF}{}", corpus::EMPTY);
    assert!(Presence::read_with(marked.as_bytes(), &options).is_ok());
}

// PIDF-02, PIDF-03: what says that it is in another encoding, and is in ASCII.
#[test]
fn other_encodings_of_nothing_but_ascii() {
    let fault = |name: &str| Fault::Encoding {
        name: name.to_owned(),
    };
    let expected = read(corpus::PLAIN);
    let is_refused = |read: Result<_, ReadError>, expected: &str| {
        matches!(read, Err(ReadError::Xml(error))
        if matches!(error.kind(), XmlErrorKind::Encoding { name } if name == expected))
    };
    for name in ["ISO-8859-1", "windows-1252", "koi8-r"] {
        let declared = corpus::PLAIN.replace("UTF-8", name);
        let (presence, faults) = tolerate(&declared);
        assert_eq!((&presence, &faults[..]), (&expected, &[fault(name)][..]));
        assert!(is_refused(strictly(&declared), name));

        let mut options = ReadOptions::default();
        options.charset = Some(name.to_owned());
        let (presence, tolerated) =
            Presence::read_with(corpus::PLAIN.as_bytes(), &options).unwrap();
        assert_eq!(presence, expected);
        assert_eq!(tolerated.len(), 1);
        assert_eq!(tolerated[0].fault, fault(name));
        options.strictness = Strictness::Strict;
        let strict = Presence::read_with(corpus::PLAIN.as_bytes(), &options);
        assert!(is_refused(strict.map(|(presence, _)| presence), name));

        let foreign = declared.replace("At my desk", "\u{DC}ber den Wolken");
        let read = Presence::read(foreign.as_bytes());
        assert!(is_refused(read, name));
    }
    let wide = corpus::PLAIN.replace("UTF-8", "UTF-16");
    assert!(is_refused(Presence::read(wide.as_bytes()), "UTF-16"));
}

// PIDF-04
#[test]
fn the_root_is_presence_of_pidf() {
    for wrong in [
        "<presence entity='sip:dora@example.com'/>",
        "<presence xmlns='urn:example:x' entity='sip:dora@example.com'/>",
        "<Presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:dora@example.com'/>",
        "<tuple xmlns='urn:ietf:params:xml:ns:pidf' id='t'/>",
        "<presence xmlns='URN:IETF:params:xml:ns:pidf' entity='sip:dora@example.com'/>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf ' entity='sip:dora@example.com'/>",
    ] {
        let error = refused(wrong);
        assert!(
            matches!(error, ReadError::WrongRoot { .. }),
            "{wrong}: {error}"
        );
        assert_eq!(error.status(), 400);
    }
    for old in [
        "urn:ietf:params:xml:ns:cpim-pidf",
        "urn:ietf:params:xml:ns:cpim-pidf:",
        "urn:ietf:params:xml:ns:pidf:",
    ] {
        let inside = format!(
            "<o:presence xmlns:o='{old}' xmlns:x='urn:example:x' entity='sip:dora@example.com'><o:tuple id='t'>\
             <o:status><o:basic>open</o:basic><x:e o:mustUnderstand='1'/></o:status></o:tuple></o:presence>"
        );
        let (presence, faults) = tolerate(&inside);
        assert_eq!(faults[0], Fault::OldNamespace);
        assert!(matches!(faults[1], Fault::NotUnderstood { .. }));
        assert_eq!(presence.tuples[0].status.basic(), Some(Basic::Open));
        let written = String::from_utf8(presence.write().unwrap().to_vec()).unwrap();
        assert!(!written.contains(&format!("{old}\"")), "{written}");
        assert!(matches!(
            strictly(&inside),
            Err(ReadError::WrongRoot { .. })
        ));
    }
}

// PIDF-04: beside the namespace of today, an old name of it is one that we do not know.
#[test]
fn an_old_namespace_counts_only_at_the_root() {
    for inside in [
        "<old:tuple id='t'/>",
        "<old:note>gone</old:note>",
        "<tuple xmlns='urn:ietf:params:xml:ns:cpim-pidf' id='t'/>",
    ] {
        let text = format!(
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:old='urn:ietf:params:xml:ns:pidf:' \
             entity='sip:dora@example.com'>{inside}</presence>"
        );
        let (presence, faults) = tolerate(&text);
        assert_eq!(faults, []);
        assert!(presence.tuples.is_empty() && presence.notes.is_empty());
        assert_eq!(presence.extensions.len(), 1);
        assert_eq!(strictly(&text).unwrap(), presence);
    }
}

// PIDF-05
#[test]
fn the_entity_is_needed() {
    for entity in ["", "entity=''", "entity=' \n'"] {
        let nobody = format!(
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:p='urn:ietf:params:xml:ns:pidf' {entity}/>"
        );
        assert_eq!(check_fault(&nobody, &Fault::NoEntity).entity, "");
        let mut options = ReadOptions::default();
        options.default_entity = Some("sip:gil@example.com".to_owned());
        let (presence, tolerated) = Presence::read_with(nobody.as_bytes(), &options).unwrap();
        assert_eq!(presence.entity, "sip:gil@example.com");
        assert_eq!(tolerated[0].fault, Fault::NoEntity);
        options.strictness = Strictness::Strict;
        assert!(Presence::read_with(nobody.as_bytes(), &options).is_err());
    }
    let named = |entity: &str| document("").replace("sip:dora@example.com", entity);
    for uri in [
        "pres:a@example.com",
        "sips:a@example.com",
        "xmpp:a@example.com",
        "tel:+1",
    ] {
        let presence = read(named(uri));
        assert_eq!(presence.entity_uri(), Some(uri));
    }
    assert_eq!(
        read(named(" sip:a@example.com\n")).entity,
        "sip:a@example.com"
    );
    let fault = Fault::BadEntity {
        value: "<sip:a@example.com>".to_owned(),
    };
    let presence = check_fault(&named("&lt;sip:a@example.com>"), &fault);
    assert_eq!(presence.entity, "<sip:a@example.com>");
    assert_eq!(presence.entity_uri(), None);
}

// PIDF-06, PIDF-07, PIDF-27
#[test]
fn order_is_tolerated() {
    let late = |element: &str| Fault::OutOfOrder {
        element: element.to_owned(),
    };
    let in_order = document(
        "<tuple id='t'><status><basic>open</basic><x:s/></status><x:e/><contact>sip:a@example.com</contact>\
         <note>n</note><timestamp>2026-01-01T00:00:00Z</timestamp></tuple><note>m</note><x:f/>",
    );
    let expected = strictly(&in_order).unwrap();
    let parts =
        |order: &[usize], parts: &[&str]| -> String { order.iter().map(|&at| parts[at]).collect() };
    let of_tuple = [
        "<status><basic>open</basic><x:s/></status>",
        "<x:e/>",
        "<contact>sip:a@example.com</contact>",
        "<note>n</note>",
        "<timestamp>2026-01-01T00:00:00Z</timestamp>",
    ];
    for order in [
        [4, 3, 2, 1, 0],
        [1, 0, 2, 3, 4],
        [0, 1, 3, 2, 4],
        [0, 1, 2, 4, 3],
    ] {
        let inside = parts(&order, &of_tuple);
        let shuffled = document(&format!(
            "<tuple id='t'>{inside}</tuple><note>m</note><x:f/>"
        ));
        let (presence, faults) = tolerate(&shuffled);
        assert_eq!(presence, expected);
        assert!(
            faults
                .iter()
                .all(|fault| matches!(fault, Fault::OutOfOrder { .. }))
        );
        assert!(!faults.is_empty());
        assert!(strictly(&shuffled).is_err());
    }
    let status = in_order.replace("<basic>open</basic><x:s/>", "<x:s/><basic>open</basic>");
    assert_eq!(check_fault(&status, &late("basic")), expected);
    let person_first = document(&format!(
        "<x:f/><tuple id='t'>{}</tuple><note>m</note>",
        of_tuple.concat()
    ));
    let (presence, faults) = tolerate(&person_first);
    assert_eq!(presence, expected);
    assert_eq!(faults, [late("tuple"), late("note")]);
}

// PIDF-08
#[test]
fn ids_of_tuples() {
    for no_id in ["<tuple>", "<tuple id=''>", "<tuple id=' '>"] {
        let inside = format!(
            "<tuple id='a'>{OPEN}</tuple>{no_id}{OPEN}</tuple><tuple id='b'>{OPEN}</tuple>"
        );
        let presence = check_fault(&document(&inside), &Fault::NoId);
        let ids: Vec<&str> = presence.ids().into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, ["a", "", "b"]);
    }
    // That is another attribute.
    let (presence, faults) = tolerate(document(&format!("<tuple p:id='t'>{OPEN}</tuple>")));
    assert_eq!(
        (presence.tuples[0].id.as_str(), &faults[..]),
        ("", &[Fault::NoId][..])
    );
    let twice = |value: &str| Fault::DuplicateId {
        value: value.to_owned(),
    };
    let presence = check_fault(
        &document(&format!(
            "<tuple id='a'>{OPEN}</tuple><tuple id=' a '>{OPEN}</tuple>"
        )),
        &twice("a"),
    );
    assert_eq!(presence.tuples.len(), 2);
    // Persons and devices share the tuples' space.
    check_fault(
        &document(&format!(
            "<tuple id='a'>{OPEN}</tuple><d:person xmlns:d='urn:ietf:params:xml:ns:pidf:data-model' id='a'/>"
        )),
        &twice("a"),
    );
    // At any depth, as do the elements of rich presence.
    for inner in [
        "<x:e><d:device id='a'/></x:e>",
        "<r:mood xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' id='a'/>",
    ] {
        check_fault(
            &document(&format!(
                "<d:person xmlns:d='urn:ietf:params:xml:ns:pidf:data-model' id='a'>{inner}</d:person>"
            )),
            &twice("a"),
        );
    }
    let odd = Fault::BadId {
        value: "432sd".to_owned(),
    };
    let presence = check_fault(
        &document(&format!("<tuple id='432sd'>{OPEN}</tuple>")),
        &odd,
    );
    assert_eq!(presence.tuples[0].id, "432sd");
    // Also among many.
    let mut many = String::new();
    for at in 0..200 {
        many.push_str(&format!("<tuple id='t{}'>{OPEN}</tuple>", at % 150));
    }
    let (presence, faults) = tolerate(document(&many));
    assert_eq!(presence.tuples.len(), 200);
    assert_eq!(faults[0], twice("t0"));
}

// PIDF-12
#[test]
fn a_status_has_a_value() {
    let (found, faults) = tuple("<status/>");
    assert_eq!(faults, [Fault::EmptyStatus]);
    assert_eq!(found.unwrap().status.basic(), None);
    let (found, faults) = tuple("");
    assert_eq!(faults, [Fault::NoStatus]);
    assert!(found.unwrap().status.is_empty());
    let (found, faults) = tuple("<status><x:s/></status>");
    assert_eq!(faults, []);
    assert_eq!(found.unwrap().status.basic(), None);
}

// PIDF-13
#[test]
fn basic_is_open_or_closed() {
    for (text, basic) in [
        ("open", Basic::Open),
        (" closed\n", Basic::Closed),
        ("o<!-- -->pen", Basic::Open),
        ("<![CDATA[open]]>", Basic::Open),
        ("&#111;pen", Basic::Open),
    ] {
        let (found, faults) = tuple(&format!("<status><basic>{text}</basic></status>"));
        assert_eq!(found.unwrap().status.basic(), Some(basic), "{text}");
        assert_eq!(faults, []);
    }
    for text in ["Open", "OPEN", "offline", "o pen", "open.", ""] {
        let (found, faults) = tuple(&format!("<status><basic>{text}</basic></status>"));
        let value = text.to_owned();
        assert_eq!(faults, [Fault::BadBasic { value }]);
        let status = found.unwrap().status;
        assert_eq!(status.basic(), None);
        assert_eq!(status.basic_text(), Some(text));
    }
}

// PIDF-14, PIDF-15, PIDF-16
#[test]
fn contacts_and_their_priority() {
    let contact = |attribute: &str, uri: &str| {
        let (found, faults) = tuple(&format!("{OPEN}<contact {attribute}>{uri}</contact>"));
        (found.unwrap().contact.unwrap(), faults)
    };
    for (attribute, thousandths) in [
        ("", None),
        ("priority='0'", Some(0)),
        ("priority=' 0.5 '", Some(500)),
        ("priority='1.00'", Some(1000)),
    ] {
        let (contact, faults) = contact(attribute, "sip:a@example.com");
        assert_eq!(contact.priority().map(Priority::thousandths), thousandths);
        assert_eq!(faults, []);
    }
    for value in ["09", "1.5", "-1", "0.1234", "high", ""] {
        let (contact, faults) = contact(&format!("priority='{value}'"), "sip:a@example.com");
        assert_eq!(contact.priority(), None);
        assert_eq!(contact.priority_text(), Some(value));
        let value = value.to_owned();
        assert_eq!(faults, [Fault::BadPriority { value }]);
    }
    let (found, faults) = contact("", "\n  tel:+49301234\t");
    assert_eq!((&*found.uri, faults), ("tel:+49301234", vec![]));
    // Some rich presence wants it empty.
    let (found, faults) = contact("", "");
    assert_eq!((&*found.uri, faults), ("", vec![]));
    let (found, faults) = contact("", "dora@example.com");
    assert_eq!(found.uri, "dora@example.com");
    assert!(matches!(&faults[..], [Fault::BadContact { .. }]));

    let mut inside = String::new();
    for (id, priority) in [
        ("a", "0.2"),
        ("b", "1.5"),
        ("c", "1"),
        ("d", "0.2"),
        ("e", "0.25"),
    ] {
        inside.push_str(&format!(
            "<tuple id='{id}'>{OPEN}<contact priority='{priority}'>sip:a@example.com</contact></tuple>"
        ));
    }
    inside.push_str(&format!("<tuple id='f'>{OPEN}</tuple>"));
    let presence = read(document(&inside));
    let order: Vec<&str> = presence
        .tuples_by_priority()
        .into_iter()
        .map(|tuple| tuple.id.as_str())
        .collect();
    assert_eq!(order, ["c", "e", "a", "d", "b", "f"]);
}

// PIDF-17
#[test]
fn notes_belong_to_what_they_are_in() {
    let presence = read(document(&format!(
        "<tuple id='t'>{OPEN}<note>one</note><note>two</note></tuple><note>three</note>"
    )));
    let texts: Vec<&str> = presence.tuples[0]
        .notes
        .iter()
        .map(|note| note.text.as_str())
        .collect();
    assert_eq!(texts, ["one", "two"]);
    assert_eq!(presence.notes[0].text, "three");
    assert_eq!(presence.notes.len(), 1);
}

// PIDF-19
#[test]
fn timestamps() {
    let (found, faults) = tuple(&format!(
        "{OPEN}<timestamp> 2026-03-04T05:06:60.5+01:30 </timestamp>"
    ));
    let found = found.unwrap();
    assert_eq!(faults, []);
    assert_eq!(found.timestamp_text(), Some("2026-03-04T05:06:60.5+01:30"));
    assert_eq!(found.timestamp().unwrap().unix_timestamp(), 1_772_595_419);
    for text in ["2026-03-04T05:06:07", "yesterday", "", "2026-03-04"] {
        let (found, faults) = tuple(&format!("{OPEN}<timestamp>{text}</timestamp>"));
        let found = found.unwrap();
        let value = text.to_owned();
        assert_eq!(faults, [Fault::BadTimestamp { value }]);
        assert_eq!(found.timestamp(), None);
        assert_eq!(found.timestamp_text(), Some(text));
    }
}

// PIDF-27
#[test]
fn the_first_of_several_wins() {
    for (element, first, second) in [
        ("status", "<basic>open</basic>", "<basic>closed</basic>"),
        ("contact", "sip:a@example.com", "sip:b@example.com"),
        ("timestamp", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ] {
        let status = if element == "status" { "" } else { OPEN };
        let one = format!("<tuple id='t'>{status}<{element}>{first}</{element}></tuple>");
        let two = one.replace(
            "</tuple>",
            &format!("<{element}>{second}</{element}></tuple>"),
        );
        let presence = check_fault(&document(&two), &Fault::Repeated { element });
        assert_eq!(presence, read(document(&one)));
    }
    let two = "<tuple id='t'><status><basic>open</basic><basic>closed</basic></status></tuple>";
    let presence = check_fault(&document(two), &Fault::Repeated { element: "basic" });
    assert_eq!(presence.tuples[0].status.basic(), Some(Basic::Open));
}

// PIDF-23: whatever is inside an unknown element means nothing, known names included.
#[test]
fn what_an_extension_contains_is_not_the_documents() {
    let hidden = format!(
        "<x:e><tuple id='hidden'>{OPEN}</tuple><note>hidden</note></x:e><!-- <tuple id='c'/> -->"
    );
    let inside = format!(
        "<tuple id='t'><status><basic>closed</basic><x:s><basic>open</basic></x:s></status>\
         <x:contact>sip:hidden@example.com</x:contact></tuple>{hidden}"
    );
    let (presence, faults) = tolerate(document(&inside));
    assert_eq!(faults, []);
    assert_eq!(presence.tuples.len(), 1);
    assert_eq!(presence.tuples[0].status.basic(), Some(Basic::Closed));
    assert_eq!(presence.tuples[0].contact, None);
    assert!(presence.notes.is_empty());
    assert_eq!(presence.extensions[0].elements().count(), 2);
}

// PIDF-26: elements that PIDF's own namespace does not have there are passed over.
#[test]
fn unknown_elements_of_pidf_itself() {
    let inner = "<deep><tuple id='no'/></deep>";
    for inside in [
        format!("<future>{inner}</future>"),
        "<status/>".to_owned(),
        "<basic>open</basic>".to_owned(),
        "<presence entity='sip:x@example.com'/>".to_owned(),
        format!("<tuple id='t'>{OPEN}<future>{inner}</future></tuple>"),
        format!("<tuple id='t'>{OPEN}<basic>closed</basic></tuple>"),
        format!("<tuple id='t'>{OPEN}<tuple id='u'/></tuple>"),
        "<tuple id='t'><status><basic>open</basic><note/></status></tuple>".to_owned(),
        "<tuple id='t'><status><basic>open<basic/></basic></status></tuple>".to_owned(),
        format!("<tuple id='t'>{OPEN}<contact>sip:a@example.com<x:e/></contact></tuple>"),
        "<note>one<x:b>two</x:b></note>".to_owned(),
    ] {
        let (presence, faults) = tolerate(document(&inside));
        assert!(
            matches!(&faults[..], [Fault::Unexpected { .. }]),
            "{inside}: {faults:?}"
        );
        assert!(strictly(document(&inside)).is_err());
        assert!(presence.extensions.is_empty());
        for tuple in &presence.tuples {
            assert_eq!(tuple.status.basic(), Some(Basic::Open));
            assert!(tuple.extensions.is_empty());
        }
        for note in &presence.notes {
            assert_eq!(note.text, "one");
        }
        assert!(presence.write().is_ok());
    }
}

#[test]
fn stray_text_is_passed_over() {
    for inside in [
        "stray".to_owned(),
        "<tuple id='t'>".to_owned() + OPEN + "stray</tuple>",
        "<tuple id='t'><status>stray<basic>open</basic></status></tuple>".to_owned(),
        "&#160;".to_owned(),
        "<![CDATA[x]]>".to_owned(),
    ] {
        check_fault(&document(&inside), &Fault::StrayText);
    }
    let (_, faults) = tolerate(document(" &#32;<![CDATA[\n]]><!-- x -->\t"));
    assert_eq!(faults, []);
}

// PIDF-24, PIDF-25
#[test]
fn what_must_be_understood() {
    let marked = "<x:outer><x:a/><y:b p:mustUnderstand='1'>1</y:b></x:outer>";
    let places = [
        format!("<tuple id='t'><status><basic>open</basic>{marked}</status></tuple>"),
        format!("<tuple id='t'>{OPEN}{marked}</tuple>"),
        marked.to_owned(),
    ];
    let mut options = ReadOptions::default();
    options.understood = Understood::core().with_namespace("urn:example:x");
    for place in &places {
        let place = document(place);
        let (presence, tolerated) = Presence::read_with(place.as_bytes(), &options).unwrap();
        let fault = Fault::NotUnderstood {
            element: "{urn:example:x}outer".to_owned(),
        };
        assert_eq!(tolerated.len(), 1);
        assert_eq!(tolerated[0].fault, fault);
        // It is kept, so that who relays the document does not lose it.
        assert_eq!(read(presence.write().unwrap()), presence);
        let kept = presence
            .tuples
            .iter()
            .flat_map(|tuple| tuple.status.extensions.iter().chain(&tuple.extensions));
        let kept: Vec<&Element> = kept.chain(&presence.extensions).collect();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].elements().count(), 2);
        assert!(!options.understood.may_use(kept[0]));
        // The basic status stands.
        for tuple in &presence.tuples {
            assert_eq!(tuple.status.basic(), Some(Basic::Open));
        }
        // Strict reading has nothing against it.
        let mut strict = options.clone();
        strict.strictness = Strictness::Strict;
        let (_, tolerated) = Presence::read_with(place.as_bytes(), &strict).unwrap();
        assert_eq!(tolerated.len(), 1);
        // Who understands both is not told.
        strict.understood = strict.understood.with_namespace("urn:example:y");
        let (_, tolerated) = Presence::read_with(place.as_bytes(), &strict).unwrap();
        assert_eq!(tolerated, []);
        // Who understands neither passes over the whole of it, and so over the mark.
        let (_, faults) = tolerate(&place);
        assert_eq!(faults, []);
    }
    let (_, faults) = tolerate(document("<x:e p:mustUnderstand='true'/>"));
    assert_eq!(faults.len(), 1);
}

#[test]
fn reports_are_bounded_and_say_where() {
    let mut inside = String::new();
    for _ in 0..1_000 {
        inside.push_str("\n<future/>");
    }
    let (_, tolerated) =
        Presence::read_with(document(&inside).as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(tolerated.len(), 32);
    assert_eq!(tolerated[0].location.line, 2);
    assert_eq!(tolerated[31].location.line, 33);
    assert_eq!(
        tolerated[0].to_string(),
        "line 2, column 1, in presence/future: element future does not belong here"
    );
    let mut silent = ReadOptions::default();
    silent.limits.reports = 0;
    let (_, tolerated) = Presence::read_with(document(&inside).as_bytes(), &silent).unwrap();
    assert_eq!(tolerated, []);
    let error = strictly(document("\n  <tuple id='t'><status/></tuple>")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2, column 17, in presence/tuple/status: expected a status value in the status element"
    );
    assert_eq!(error.location().line, 2);
}

// PIDF-24
#[test]
fn what_is_odd_does_not_hide_what_may_not_be_used() {
    let mut inside = "<future/>".repeat(100);
    inside.push_str(
        "<x:y p:mustUnderstand='1' xmlns:x='urn:example:x' xmlns:p='urn:ietf:params:xml:ns:pidf'/>",
    );
    let (_, tolerated) =
        Presence::read_with(document(&inside).as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(tolerated.len(), 33);
    assert!(matches!(&tolerated[32].fault, Fault::NotUnderstood { .. }));
}

#[test]
fn as_many_faults_in_one_line_as_somebody_asks_for_are_told() {
    let mut options = ReadOptions::default();
    options.limits.reports = usize::MAX;
    let text = document(&"<future/>é".repeat(20_000));
    let (_, tolerated) = Presence::read_with(text.as_bytes(), &options).unwrap();
    let columns: Vec<u32> = tolerated.iter().map(|it| it.location.column).collect();
    assert!(columns.len() >= 20_000);
    assert!(columns.windows(2).all(|two| two[0] <= two[1]));
    let width = columns.last().unwrap() - columns.first().unwrap();
    assert!(width.abs_diff(20_000 * 10) <= 20, "{width}");
}

// SEC-39
#[test]
fn what_content_relies_on_is_not_repeated_without_bound() {
    let name = "u".repeat(500);
    let text = |times: usize| {
        document(&"<x:y>q:</x:y>".repeat(times))
            .replace("entity=", &format!("xmlns:q='urn:{name}' entity="))
    };
    let presence = read(text(2_000));
    assert!(presence.write().unwrap().len() > 2_000 * 500);
    let error = Presence::read(text(2_200).as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string().split(": ").last(),
        Some("more than 1048576 bytes of repeated namespace declarations")
    );
    // A tree that is the whole document repeats none.
    assert!(Element::read(text(10_000).as_bytes(), &XmlLimits::default()).is_ok());
}

// SEC-39
#[test]
fn documents_have_bounds() {
    let mut options = ReadOptions::default();
    options.limits.tuples = 2;
    options.limits.notes = 2;
    let with = |inside: &str| Presence::read_with(document(inside).as_bytes(), &options);
    let tuple = format!("<tuple id='t'>{OPEN}<note/></tuple>");
    assert!(with(&tuple.repeat(2)).is_ok());
    let tuple_without = format!("<tuple id='t'>{OPEN}</tuple>");
    let is_limit = |read: Result<_, ReadError>, limit: PidfLimit| matches!(read, Err(ReadError::Limit { limit: found, max: 2, .. }) if found == limit);
    assert!(is_limit(with(&tuple_without.repeat(3)), PidfLimit::Tuples));
    assert!(is_limit(
        with(&format!("{}<note/>", tuple.repeat(2))),
        PidfLimit::Notes
    ));
    assert!(is_limit(with(&"<note/>".repeat(3)), PidfLimit::Notes));
    assert_eq!(with(&"<note/>".repeat(3)).unwrap_err().status(), 400);

    options.limits.xml.bytes = 100;
    let error = Presence::read_with(document("").as_bytes(), &options).unwrap_err();
    assert_eq!(error.status(), 413);
    let mut options = ReadOptions::default();
    options.limits.xml.depth = 4;
    let nested = |levels: usize| document(&"<x:e>".repeat(levels));
    let error = Presence::read_with(nested(4).as_bytes(), &options).unwrap_err();
    assert_eq!(error.status(), 400);
    assert!(matches!(error, ReadError::Xml(error)
        if matches!(error.kind(), XmlErrorKind::Limit { limit: XmlLimit::Depth, max: 4 })));
}

// "accepts NUL, invalid UTF-8, trailing garbage"; "a segmentation fault on internal entities"
#[test]
fn what_others_let_through() {
    let plain = corpus::PLAIN.trim_end();
    for garbage in [
        "x",
        "<",
        "<a/>",
        "</presence>",
        "\0",
        "&amp;",
        "]]>",
        "--boundary",
    ] {
        let error = refused(format!("{plain}{garbage}"));
        assert!(matches!(error, ReadError::Xml(_)), "{garbage}: {error}");
    }
    assert!(Presence::read(b"").is_err());
    for inside in [&b"\0"[..], b"\x0B", b"\xFF", b"\xC0\xAF", b"\xED\xA0\x80"] {
        let whole = document("<note></note>");
        let (before, after) = whole.split_at(whole.find("</note>").unwrap());
        let changed = [before.as_bytes(), inside, after.as_bytes()].concat();
        assert!(Presence::read(&changed).is_err(), "{inside:?}");
    }
    let entities = corpus::PLAIN.replace(
        "<presence",
        "<!DOCTYPE presence [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]>\n<presence",
    );
    assert!(matches!(refused(entities), ReadError::Xml(error)
        if *error.kind() == XmlErrorKind::Doctype && error.location().line == 2));
}

// "refuses a document with a BOM or a comment"; "leaves &amp; undecoded"
#[test]
fn what_others_do_not_understand() {
    let expected = read(corpus::PLAIN);
    assert_eq!(read(format!("\u{FEFF}{}", corpus::PLAIN)), expected);
    let commented = corpus::PLAIN
        .replace("<tuple", "<!-- <tuple id='no'/> --><?pi <tuple?><tuple")
        .replace("open", "op<!-- closed -->en")
        .replace("my desk", "my<?x y?> desk")
        .replace("</presence>", "<!-- end --></presence><!-- after -->");
    assert_eq!(read(commented), expected);
    let references = corpus::PLAIN
        .replace("sip:dora@example.com", "sip:dora&#64;example.com")
        .replace("At my desk", "&#x41;t my&#32;<![CDATA[desk]]>")
        .replace("&amp; ye", "<![CDATA[&]]> ye");
    assert_eq!(read(references), expected);
    let lines = corpus::PLAIN.replace('\n', "\r\n");
    assert_eq!(read(lines), expected);
}

#[test]
fn truncated_anywhere() {
    for document in corpus::ALL {
        let bytes = document.as_bytes();
        let end = document
            .rfind("presence>")
            .map_or(bytes.len() - 1, |at| at + 8);
        for cut in 0..end {
            let error = Presence::read(&bytes[..cut]).unwrap_err();
            assert!(matches!(error, ReadError::Xml(_)), "{cut}: {error}");
        }
    }
}

// PIDF-27: an absent element or attribute costs no more than what it says.
#[test]
fn without_any_node_or_attribute() {
    for document in corpus::ALL {
        let whole = Element::read(document.as_bytes(), &XmlLimits::default()).unwrap();
        for less in corpus::without_one_each(&whole) {
            let written = less.write().unwrap();
            let mut presence = Presence::read(&written).unwrap();
            if presence.entity.is_empty() {
                presence.entity = "sip:dora@example.com".to_owned();
            }
            presence.repair();
            let written = presence.write().unwrap();
            assert_eq!(read(&written), presence);
        }
    }
}

// PIDF-30, PIDF-31
#[test]
fn persons_and_devices() {
    let text = model(
        "<d:person id='dora' x:a='1'><x:e/><y:e/><d:note xml:lang='en'>Out</d:note>\
         <d:timestamp>2026-03-04T05:06:07.50Z</d:timestamp></d:person>\
         <d:device id='desk'><x:e/><d:deviceID> urn:example:desk </d:deviceID><d:note>New</d:note>\
         <d:timestamp>2026-03-04T05:06:08Z</d:timestamp></d:device><x:other/>",
    );
    let (presence, faults) = tolerate(&text);
    assert_eq!(faults, []);
    let person = presence.person("dora").unwrap();
    assert_eq!(person.extensions.len(), 2);
    assert_eq!(person.attributes.get("urn:example:x", "a"), Some("1"));
    assert_eq!(person.notes[0].lang.as_deref(), Some("en"));
    assert_eq!(person.timestamp_text(), Some("2026-03-04T05:06:07.50Z"));
    assert!(person.timestamp().is_some());
    let device = presence.device("desk").unwrap();
    assert_eq!(device.device_id_text(), Some("urn:example:desk"));
    assert_eq!(device.notes[0].text, "New");
    assert!(device.timestamp() > person.timestamp());
    assert_eq!(presence.extensions.len(), 1);
    assert_eq!(presence.notes_of(person)[0].text, "Out");
}

// PIDF-27: what others put there in spite of the schema.
#[test]
fn odd_persons_and_devices() {
    let unexpected = |element: &str| Fault::Unexpected {
        element: element.to_owned(),
    };
    let wrong = |element: &str| Fault::WrongNamespace {
        element: element.to_owned(),
    };
    let late = |element: &str| Fault::OutOfOrder {
        element: element.to_owned(),
    };
    let id = "<d:deviceID>urn:example:a</d:deviceID>";
    for (inside, fault) in [
        ("<d:person/>".to_owned(), Fault::NoId),
        ("<d:person id=' '/>".to_owned(), Fault::NoId),
        (format!("<d:device>{id}</d:device>"), Fault::NoId),
        ("<d:device id='a'/>".to_owned(), Fault::NoDeviceId),
        (
            "<d:device id='a'><d:deviceID>desk</d:deviceID></d:device>".to_owned(),
            Fault::BadDeviceId {
                value: "desk".to_owned(),
            },
        ),
        (
            format!("<d:device id='a'>{id}{id}</d:device>"),
            Fault::Repeated {
                element: "deviceID",
            },
        ),
        (format!("<d:device id='a'>{id}<x:e/></d:device>"), late("e")),
        (
            "<d:person id='a'><d:timestamp>2026-03-04T05:06:07Z</d:timestamp><d:note/></d:person>"
                .to_owned(),
            late("note"),
        ),
        (
            "<d:person id='a'><d:deviceID>urn:example:a</d:deviceID></d:person>".to_owned(),
            unexpected("deviceID"),
        ),
        (
            "<d:person id='a'><d:person id='a'/></d:person>".to_owned(),
            unexpected("person"),
        ),
        (
            "<d:person id='a'>text</d:person>".to_owned(),
            Fault::StrayText,
        ),
        (
            "<d:person id='a'><note>In</note></d:person>".to_owned(),
            wrong("note"),
        ),
        (
            "<d:person id='a'><d:timestamp>now</d:timestamp></d:person>".to_owned(),
            Fault::BadTimestamp {
                value: "now".to_owned(),
            },
        ),
    ] {
        let presence = check_fault(&model(&inside), &fault);
        assert_eq!(
            presence.persons.len() + presence.devices.len(),
            1,
            "{inside}"
        );
    }
    let (presence, _) = tolerate(model("<d:person id='a'><note>In</note></d:person>"));
    assert_eq!(presence.persons[0].notes[0].text, "In");
}

// PIDF-32
#[test]
fn notes_of_the_document_are_those_of_persons_without_any() {
    let text =
        model("<note>Away</note><d:person id='a'><d:note>In</d:note></d:person><d:person id='b'/>");
    let presence = strictly(&text).unwrap();
    let of = |id: &str| &presence.notes_of(presence.person(id).unwrap())[0].text;
    assert_eq!((of("a").as_str(), of("b").as_str()), ("In", "Away"));
}

// SEC-39: text that looks as if it relied on a prefix takes the declaration along, and rich presence
// its language to every note. Neither makes much of little.
#[test]
fn what_is_repeated_is_short() {
    let long = format!("urn:{}", "a".repeat(30_000));
    let text = document(&"<x:e>q:a</x:e>".repeat(1_000))
        .replace("<presence ", &format!("<presence xmlns:q='{long}' "));
    let error = Presence::read(text.as_bytes()).unwrap_err();
    assert!(matches!(&error, ReadError::Xml(error)
        if matches!(error.kind(), XmlErrorKind::Limit { limit: XmlLimit::NamespaceName, .. })));

    let note = "<r:note>x</r:note>";
    let activities = format!(
        "<d:person id='a'><r:activities xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' xml:lang='{}'>{}</r:activities></d:person>",
        ["en"; 20_000].join("-"),
        note.repeat(1_000)
    );
    let (presence, _) = tolerate(model(&activities));
    let activities = presence.persons[0].get::<Activities>().unwrap();
    assert_eq!(activities.notes.len(), 1_000);
    assert_eq!(activities.notes[0].lang, None);
}
