//! What strict reading of presence documents refuses and tolerant reading does not mind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod reading;

use presentity::pidf::{Fault, ReadError};
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
            format!("<i:card {cipid}>http://example.com/</i:card>"),
            [true, false, true, false, false],
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
    ] {
        assert!(with(inside).is_ok(), "{inside}");
    }
}
