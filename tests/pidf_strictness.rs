//! What strict reading of presence documents refuses and tolerant reading does not mind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod reading;

use presentity::pidf::{Fault, Presence, ReadError, ReadOptions, Tolerated, Understood};
use reading::{OPEN, document, model, read, strictly, tolerate};

// PIDF-18: the schemas want a language tag; tolerant reading keeps whatever is there.
#[test]
fn strict_reading_wants_language_tags() {
    for lang in ["en", "de-1996", " x-klingon ", ""] {
        let text = document(&format!(
            "<note xml:lang='{lang}'>1</note><x:e xml:lang='{lang}'/>"
        ));
        assert_eq!(strictly(&text), Ok(read(&text)), "{lang}");
    }
    for lang in ["en_GB", "1", "en-", "é", "toolonglanguage"] {
        let text = document(&format!("<note xml:lang='{lang}'>1</note>"));
        let (presence, faults) = tolerate(&text);
        assert_eq!(faults, []);
        assert_eq!(presence.notes[0].lang.as_deref(), Some(lang));
        let refused = strictly(&text).unwrap_err();
        assert!(
            matches!(&refused, ReadError::Fault(found) if found.fault == Fault::BadLanguage { value: lang.to_owned() }),
            "{refused}"
        );
        let extension = document(&format!("<x:e><x:f xml:lang='{lang}'/></x:e>"));
        assert_eq!(tolerate(&extension).1, []);
        assert!(strictly(&extension).is_err(), "{lang}");
    }
}

// PIDF-22, PIDF-24
#[test]
fn strict_reading_wants_extensions_with_a_namespace_and_marks_that_are_booleans() {
    for (inside, good) in [
        ("<x:e><bare xmlns=''/></x:e>", true),
        ("<bare xmlns=''/>", false),
        ("<x:e p:mustUnderstand='0'/>", true),
        ("<x:e><x:f p:mustUnderstand='yes'/></x:e>", false),
    ] {
        let inside = inside.replace("p:", "xmlns:p='urn:ietf:params:xml:ns:pidf' p:");
        let text = document(&inside);
        assert_eq!(tolerate(&text).1, [], "{inside}");
        assert_eq!(strictly(&text).is_ok(), good, "{inside}");
    }
}

// What no schema foresees on elements of PIDF and of its data model.
#[test]
fn attributes_of_others() {
    for inside in [
        format!("<tuple id='a' x:a=''>{OPEN}</tuple>"),
        format!("<tuple id='a' a=''>{OPEN}</tuple>"),
        "<tuple id='a'><status x:a=''><basic>open</basic></status></tuple>".to_owned(),
        "<tuple id='a'><status><basic p:mustUnderstand='1'>open</basic></status></tuple>"
            .to_owned(),
        "<note x:a=''>x</note>".to_owned(),
        "<d:person id='a' x:a=''/>".to_owned(),
    ] {
        let text = model(&inside);
        let (presence, faults) = tolerate(&text);
        assert_eq!(faults, [], "{inside}");
        let written = presence.write().unwrap();
        assert_eq!(read(&written), presence);
        assert!(matches!(
            strictly(&text),
            Err(ReadError::Fault(found)) if matches!(found.fault, Fault::Attribute { .. })
        ));
    }
    let of_the_schema_language = document("").replace(
        "<presence ",
        "<presence xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='a b' ",
    );
    assert!(strictly(&of_the_schema_language).is_ok());
}

// PIDF-43: typed access gives nothing for what strict reading refuses.
#[test]
fn extensions_that_are_not_as_their_schemas_want_them() {
    let sphere = model(
        "<d:person id='a'><r:sphere xmlns:r='urn:ietf:params:xml:ns:pidf:rpid'>bowling</r:sphere></d:person>",
    );
    let (presence, faults) = tolerate(&sphere);
    assert_eq!(faults, []);
    assert_eq!(presence.persons[0].extensions[0].text(), "bowling");
    let Err(ReadError::Fault(found)) = strictly(&sphere) else {
        panic!("read");
    };
    assert_eq!(
        found.fault,
        Fault::BadExtension {
            element: "{urn:ietf:params:xml:ns:pidf:rpid}sphere".to_owned(),
            expected: "no text beside elements".to_owned(),
        }
    );
}

// PIDF-37
#[test]
fn a_service_that_no_message_reaches_has_no_contact() {
    let of_class = |class: &str, contact: &str| {
        let rpid = "xmlns:r='urn:ietf:params:xml:ns:pidf:rpid'";
        document(&format!(
            "<tuple id='a'>{OPEN}<r:service-class {rpid}><r:{class}/></r:service-class>{contact}</tuple>"
        ))
    };
    for class in ["postal", "courier", "freight", "in-person"] {
        for contact in ["", "<contact/>"] {
            assert!(strictly(of_class(class, contact)).is_ok(), "{class}");
        }
        let text = of_class(class, "<contact>sip:dora@example.com</contact>");
        assert_eq!(tolerate(&text).1, []);
        assert!(matches!(
            strictly(&text),
            Err(ReadError::Fault(found)) if found.fault == Fault::NeedlessContact
        ));
    }
    let electronic = of_class("electronic", "<contact>sip:dora@example.com</contact>");
    assert!(strictly(electronic).is_ok());
}

// PIDF-19: what RFC 3339 or its readers allow and an xs:dateTime is not.
#[test]
fn times_that_strict_readers_refuse() {
    for time in [
        "2026-03-04t05:06:07z",
        "2016-12-31T23:59:60Z",
        "2026-03-04T05:06:07+14:01",
    ] {
        let text = document(&format!(
            "<tuple id='a'>{OPEN}<timestamp>{time}</timestamp></tuple>"
        ));
        let (presence, faults) = tolerate(&text);
        assert_eq!(faults, []);
        assert!(presence.tuples[0].timestamp().is_some());
        assert!(strictly(&text).is_err(), "{time}");
    }
}

// PIDF-34, PIDF-36, PIDF-38, PIDF-40: each has its places.
#[test]
fn extensions_that_belong_elsewhere() {
    let rpid = "xmlns:r='urn:ietf:params:xml:ns:pidf:rpid'";
    let caps = "xmlns:c='urn:ietf:params:xml:ns:pidf:caps'";
    let cipid = "xmlns:i='urn:ietf:params:xml:ns:pidf:cipid'";
    let in_parents = |extension: &str| {
        [
            format!("<tuple id='a'>{OPEN}{extension}</tuple>"),
            format!("<tuple id='a'><status>{extension}</status></tuple>"),
            format!("<d:person id='a'>{extension}</d:person>"),
            format!(
                "<d:device id='a'>{extension}<d:deviceID>urn:example:a</d:deviceID></d:device>"
            ),
            extension.to_owned(),
        ]
        .map(|inside| match strictly(model(&inside)) {
            Ok(_) => true,
            Err(ReadError::Fault(found)) if matches!(found.fault, Fault::Misplaced { .. }) => false,
            Err(error) => panic!("{error}"),
        })
    };
    // Contact information is of a person, or in a tuple that is of another one.
    let card = format!("<i:card {cipid}>http://example.com/</i:card>");
    for (of, good) in [
        ("", false),
        ("<r:relationship/>", false),
        ("<r:relationship><r:self/></r:relationship>", false),
        ("<r:relationship><r:assistant/></r:relationship>", true),
        ("<r:relationship><r:unknown/></r:relationship>", true),
        ("<r:relationship><x:neighbour/></r:relationship>", true),
    ] {
        let of = of.replace("<r:relationship", &format!("<r:relationship {rpid}"));
        for inside in [format!("{card}{of}"), format!("{of}{card}")] {
            let [in_tuple, in_status, ..] = in_parents(&inside);
            assert_eq!((in_tuple, in_status), (good, false), "{inside}");
        }
    }
    assert_eq!(in_parents(&card), [false, false, true, false, false]);
    for (extension, places) in [
        (
            format!("<r:activities {rpid}/>"),
            [false, false, true, false, false],
        ),
        (
            format!("<r:user-input {rpid}>idle</r:user-input>"),
            [true, false, true, true, false],
        ),
        (
            format!("<r:privacy {rpid}/>"),
            [true, false, true, false, false],
        ),
        (
            format!("<r:relationship {rpid}/>"),
            [true, false, false, false, false],
        ),
        (
            format!("<c:servcaps {caps}/>"),
            [true, false, false, false, false],
        ),
        (
            format!("<c:devcaps {caps}/>"),
            [false, false, false, true, false],
        ),
        ("<x:any/>".to_owned(), [true; 5]),
    ] {
        assert_eq!(in_parents(&extension), places, "{extension}");
    }
}

// PIDF-36, PIDF-38
#[test]
fn extensions_that_may_stand_alone_only() {
    let with = |inside: &str| {
        let names = "xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' xmlns:i='urn:ietf:params:xml:ns:pidf:cipid'";
        strictly(model(&format!(
            "<d:person id='a' {names}>{inside}</d:person>"
        )))
    };
    let caps = |element: &str, times: usize| {
        let one = format!("<c:{element} xmlns:c='urn:ietf:params:xml:ns:pidf:caps'/>");
        one.repeat(times)
    };
    for (times, good) in [(1, true), (2, false)] {
        for inside in [
            format!("<tuple id='a'>{OPEN}{}</tuple>", caps("servcaps", times)),
            format!(
                "<d:device id='a'>{}<d:deviceID>urn:example:a</d:deviceID></d:device>",
                caps("devcaps", times)
            ),
        ] {
            match strictly(model(&inside)) {
                Ok(_) => assert!(good, "{inside}"),
                Err(ReadError::Fault(found)) => {
                    assert!(matches!(found.fault, Fault::RepeatedExtension { .. }));
                    assert!(!good, "{inside}");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    for inside in [
        "<r:class>a</r:class><r:class>b</r:class>",
        "<r:activities/><r:mood><r:unknown/></r:mood><r:activities/>",
        "<i:icon>http://example.com/a</i:icon><i:icon>http://example.com/b</i:icon>",
        "<i:display-name>A</i:display-name><i:display-name>B</i:display-name>",
    ] {
        assert!(
            matches!(with(inside), Err(ReadError::Fault(found))
                if matches!(found.fault, Fault::RepeatedExtension { .. })),
            "{inside}"
        );
    }
    for inside in [
        "<r:activities/><r:activities from='2026-03-04T05:06:07Z'/><r:activities until='2026-03-04T05:06:07Z'/>",
        "<i:display-name>A</i:display-name><i:display-name xml:lang='de'>B</i:display-name>",
        "<x:e/><x:e/>",
        // That times overlap is not good, and not forbidden.
        "<r:activities from='2026-03-04T05:06:07Z'/><r:activities from='2026-03-04T05:06:08Z'/>",
    ] {
        assert!(with(inside).is_ok(), "{inside}");
    }
}

/// Line, column and path of the one fault.
fn place_of(found: &Tolerated) -> (u32, u32, &str) {
    let place = &found.location;
    (place.line, place.column, &place.path)
}

// PIDF-27: a fault is told with the place of what is at fault, however deep in an extension.
#[test]
fn faults_are_told_where_they_are() {
    let names = "xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' xmlns:c='urn:ietf:params:xml:ns:pidf:caps' \
                 xmlns:i='urn:ietf:params:xml:ns:pidf:cipid'";
    let whole = |inside: &str| model(inside).replace("entity=", &format!("{names}\n entity="));
    let person = |inside: &str| whole(&format!("\n<d:person id='a'>{inside}\n</d:person>"));
    let in_tuple = |inside: &str| whole(&format!("\n<tuple id='a'>{OPEN}{inside}\n</tuple>"));
    for (text, line, column, path) in [
        // A wrong attribute: its element.
        (
            person("\n<r:mood><r:note>x</r:note>\n <!--<r:x>--><r:happy a='>'/></r:mood>"),
            5,
            14,
            "presence/d:person/r:mood/r:happy",
        ),
        // A wrong child, not what it stands in.
        (
            person("\n<r:sphere from='2026-01-01T00:00:00Z'>\n<r:home/>\n<r:work/></r:sphere>"),
            6,
            1,
            "presence/d:person/r:sphere/r:work",
        ),
        // A missing child: what lacks it.
        (
            person("\n<r:place-is><r:note/>\n<r:audio/></r:place-is>"),
            5,
            1,
            "presence/d:person/r:place-is/r:audio",
        ),
        // Inside what nobody has a schema for.
        (
            whole("\n<x:e>\n<x:f/><x:g>\n\t<r:sphere>deep</r:sphere></x:g></x:e>"),
            5,
            2,
            "presence/x:e/x:g/r:sphere",
        ),
        (
            in_tuple(
                "\n<c:servcaps><c:audio>1</c:audio>\n<c:methods><c:supported><c:BYE/>\n<c:ACK/></c:supported></c:methods></c:servcaps>",
            ),
            6,
            1,
            "presence/tuple/c:servcaps/c:methods/c:supported/c:ACK",
        ),
        // What stands in the wrong place, or again.
        (
            in_tuple("\n <r:mood><r:happy/></r:mood>"),
            4,
            2,
            "presence/tuple/r:mood",
        ),
        (
            person("\n<r:class>a</r:class>\n\n <r:class>b</r:class><x:e/>"),
            6,
            2,
            "presence/d:person/r:class",
        ),
        // What is wrong only when all is read.
        (
            in_tuple("\n <i:card>http://example.com/</i:card><i:icon>http://example.com/</i:icon>"),
            4,
            2,
            "presence/tuple/i:card",
        ),
        (
            in_tuple(
                "<r:service-class><r:postal/></r:service-class>\n <contact>sip:a@example.com</contact>\n<note/>",
            ),
            4,
            2,
            "presence/tuple/contact",
        ),
        (
            whole("\n<tuple id='a'>\n <note/></tuple>"),
            3,
            1,
            "presence/tuple",
        ),
        (
            in_tuple("\n<timestamp>\nnow</timestamp>"),
            4,
            1,
            "presence/tuple/timestamp",
        ),
    ] {
        let Err(ReadError::Fault(found)) = strictly(&text) else {
            panic!("read: {text}");
        };
        assert_eq!(place_of(&found), (line, column, path), "{text}");
    }
}

// PIDF-24, PIDF-27: the same of what is put up with.
#[test]
fn findings_in_extensions_are_told_where_they_are() {
    let text = document(
        "\n<x:e>\n<r:mood xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' id='a b'><r:happy/></r:mood>\n\
         <r:mood xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' id='a b'/></x:e>\n\
         <x:e><y:a/>\n <x:b><y:b p:mustUnderstand='1'/></x:b></x:e>\n<future/>",
    );
    let mut options = ReadOptions::default();
    options.understood = Understood::core().with_namespace("urn:example:x");
    let (_, tolerated) = Presence::read_with(text.as_bytes(), &options).unwrap();
    let places: Vec<(u32, u32, &str)> = tolerated.iter().map(place_of).collect();
    assert_eq!(
        places,
        [
            (3, 1, "presence/x:e/r:mood"),
            (4, 1, "presence/x:e/r:mood"),
            (4, 1, "presence/x:e/r:mood"),
            (6, 7, "presence/x:e/x:b/y:b"),
            (7, 1, "presence/future"),
        ]
    );
    assert!(
        matches!(&tolerated[3].fault, Fault::NotUnderstood { element } if element == "{urn:example:x}e")
    );
}

// SEC-39: many faults in one large extension are located in one walk.
#[test]
fn to_locate_many_faults_costs_no_more_than_to_read() {
    let filling = "<r:a>x</r:a>\n".repeat(50_000);
    let text = |inside: &str| {
        document(&format!(
            "<x:e xmlns:r='urn:ietf:params:xml:ns:pidf:rpid'>{filling}{inside}</x:e>"
        ))
    };
    let took = |text: &str, faults: usize| {
        let runs = (0..3).map(|_| {
            let before = cpu_time::ThreadTime::now();
            let (_, tolerated) =
                Presence::read_with(text.as_bytes(), &ReadOptions::default()).unwrap();
            assert_eq!(tolerated.len(), faults);
            before.elapsed()
        });
        runs.min().unwrap()
    };
    let good = took(&text(""), 0);
    let bad = took(&text(&"<r:a id='1 2'/>".repeat(40)), 32);
    assert!(bad < good * 6, "{good:?}, {bad:?}");
}

// PIDF-36: of alternatives the one that was meant is the one that fits longest.
#[test]
fn of_alternatives_the_furthest_is_told() {
    let rpid = "{urn:ietf:params:xml:ns:pidf:rpid}";
    for (inside, element, expected) in [
        (
            "<r:activities><r:busy a=''/></r:activities>",
            "busy",
            "no attribute a".to_owned(),
        ),
        (
            "<r:activities><r:busy/><r:away/><r:lunch/></r:activities>",
            "activities",
            format!("no element {rpid}lunch at its place"),
        ),
        (
            "<r:activities><r:unknown/><r:busy/></r:activities>",
            "activities",
            format!("no element {rpid}busy at its place"),
        ),
        (
            "<r:mood><r:note/><r:sad>x</r:sad></r:mood>",
            "sad",
            "no content".to_owned(),
        ),
    ] {
        let text = model(&format!(
            "<d:person id='a' xmlns:r='urn:ietf:params:xml:ns:pidf:rpid'>{inside}</d:person>"
        ));
        let Err(ReadError::Fault(found)) = strictly(&text) else {
            panic!("read: {text}");
        };
        let element = format!("{rpid}{element}");
        assert_eq!(found.fault, Fault::BadExtension { element, expected });
    }
}
