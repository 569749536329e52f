//! What tolerant reading puts up with, what it says of it, and what nobody puts up with.

use bytes::Bytes;
use presentity::sdf::{Fault, Field, ReadError, ReadOptions, Request, Wish};
use presentity::xml::XmlErrorKind;

use crate::{AT, FROM, TO, either, right, strictly, tolerantly, with};

/// The faults of a document that tolerant reading takes and strict reading refuses for the first.
fn faults(document: &str) -> (Request, Vec<Fault>) {
    let (request, tolerated) =
        tolerantly(document).unwrap_or_else(|error| panic!("{document}: {error}"));
    match (strictly(document), tolerated.first()) {
        (Err(ReadError::Fault(first)), Some(told)) => assert_eq!(&first, told),
        (Err(ReadError::Xml(error)), Some(told)) => {
            assert_eq!(*error.kind(), XmlErrorKind::Doctype);
            assert_eq!(
                (&told.fault, &told.location),
                (&Fault::Doctype, error.location())
            );
        }
        other => panic!("{document}: {other:?}"),
    }
    (request, tolerated.into_iter().map(|it| it.fault).collect())
}

fn doctype(error: &ReadError) -> bool {
    matches!(error, ReadError::Xml(error) if *error.kind() == XmlErrorKind::Doctype)
}

// SDF-04, SDF-05, SDF-06, SDF-08
#[test]
fn white_space_around_values_is_left_out() {
    let document = format!(
        "<Subscribe><From> {FROM}\n</From><To>\t{TO}</To><DateTime>\r\n{AT}</DateTime>\
         <Token> balcony </Token><Duration><!-- x --> 3600<![CDATA[ ]]></Duration></Subscribe>"
    );
    let (request, faults) = faults(&document);
    let fields = [Field::From, Field::To, Field::DateTime, Field::Duration];
    assert_eq!(faults, fields.map(|field| Fault::WhiteSpace { field }));
    assert_eq!((request.from(), request.to()), (FROM, TO));
    assert_eq!(request.date_time_text(), AT);
    let wish = Wish::Hold {
        token: " balcony ",
        duration: 3600,
    };
    assert_eq!(request.wish(), wish);
    assert_eq!(request.octets(), document.as_bytes());
}

// SDF-02: what a declaration refers to is not looked at.
#[test]
fn a_declaration_that_only_names_the_dtd_is_passed_over() {
    for declaration in [
        "<!DOCTYPE Subscribe>",
        "<!DOCTYPE Subscribe SYSTEM \"subscribe.dtd\">",
        "<!DOCTYPE Subscribe PUBLIC '-//EXAMPLE//DTD x//EN' 'http://example.org/x.dtd' >",
        "<?xml version='1.0'?>\n<!-- a --><!DOCTYPE Subscribe><!-- b -->",
    ] {
        let (request, faults) = faults(&format!("{declaration}\n{}", right()));
        assert_eq!(faults, [Fault::Doctype]);
        assert_eq!(request.from(), FROM);
    }
    let (_, tolerated) = tolerantly(&format!("<?x?>\n  <!DOCTYPE Subscribe>{}", right())).unwrap();
    let place = &tolerated[0].location;
    assert_eq!((place.line, place.column, &*place.path), (2, 3, ""));
    assert_eq!(
        tolerated[0].to_string(),
        "line 2, column 3: expected no document type declaration"
    );
}

// SDF-02
#[test]
fn a_declaration_that_declares_is_refused_and_so_are_entities() {
    for declaration in [
        "<!DOCTYPE Subscribe []>",
        "<!DOCTYPE Subscribe [<!ENTITY who 'pres:ida@example.org'>]>",
        "<!DOCTYPE Subscribe [<!ELEMENT Subscribe ANY>]>",
        "<!DOCTYPE Subscribe SYSTEM 'x' [<!ENTITY % y SYSTEM 'z'> %y;]>",
        "<!DOCTYPE Subscribe PUBLIC 'x' 'y' []>",
        "<!DOCTYPE Subscribe SYSTEM>",
        "<!doctype Subscribe>",
        "<!DOCTYPE>",
        "<!DOCTYPE Subscribe><!DOCTYPE Subscribe>",
    ] {
        let error = either_refuses(&format!("{declaration}{}", right()));
        assert!(doctype(&error), "{declaration}: {error}");
    }
    // In the wrong place.
    for document in [
        right().replace("<From>", "<!DOCTYPE Subscribe><From>"),
        right().replace(FROM, "<!DOCTYPE Subscribe>pres:nora@example.org"),
        format!("{}<!DOCTYPE Subscribe>", right()),
    ] {
        assert!(doctype(&either_refuses(&document)), "{document}");
    }
    let entity = with(Field::Token, "&who;");
    for document in [
        entity.clone(),
        format!("<!DOCTYPE Subscribe SYSTEM 'who'>{entity}"),
    ] {
        match tolerantly(&document).unwrap_err() {
            ReadError::Xml(error) => {
                let name = "who".to_owned();
                assert_eq!(*error.kind(), XmlErrorKind::UndefinedEntity { name });
            }
            other => panic!("{other}"),
        }
    }
}

/// Both ways, not for the same reason perhaps: strict reading stops at any declaration.
fn either_refuses(document: &str) -> ReadError {
    strictly(document).unwrap_err();
    tolerantly(document).unwrap_err()
}

// SDF-03
#[test]
fn foreign_elements_and_attributes_are_left_out() {
    let document = "<Subscribe version='2'>
          <x:note xmlns:x='urn:x'>hello <From>pres:ida@example.org</From></x:note>
          <Subject/>
          <From kind='a' xml:lang='no'>pres:nora@example.org</From>
          <From xmlns='urn:y'>pres:ida@example.org</From>
          <To>pres:emil@example.com</To>
          <DateTime>2026-03-01T08:30:00Z</DateTime>
          <Priority>1</Priority>
          <Duration>0</Duration>
          <token>balcony</token>
        </Subscribe>";
    let (request, faults) = faults(document);
    assert_eq!(request.from(), "pres:nora@example.org");
    assert_eq!(request.wish(), Wish::Fetch);
    let element = |name: &str| Fault::Element { name: name.into() };
    let attribute = |name: &str| Fault::Attribute { name: name.into() };
    assert_eq!(
        faults,
        [
            attribute("version"),
            element("{urn:x}note"),
            element("Subject"),
            attribute("kind"),
            element("{urn:y}From"),
            element("Priority"),
            element("token"),
        ]
    );
}

// SDF-03, SDF-07, SDF-08, SDF-15
#[test]
fn what_matters_is_not_tolerated() {
    for document in [
        right().replace("<Token>", "<From>pres:ida@example.org</From><Token>"),
        right().replace("<From>", "and <From>"),
        with(Field::Token, ""),
        with(Field::Token, &"x".repeat(81)),
        with(Field::Duration, "2147483648"),
        with(Field::From, "sip:nora@example.org"),
        with(Field::DateTime, "2026-03-01T09:30:00"),
        right().replace("<Token>balcony</Token>", ""),
    ] {
        assert!(either(&document).is_err(), "{document}");
    }
}

#[test]
fn so_many_faults_are_told_and_no_more() {
    let odd = right().replace("<From>", &("<x/>".repeat(100) + "<From>"));
    let (request, tolerated) = tolerantly(&odd).unwrap();
    assert_eq!((tolerated.len(), request.from()), (32, FROM));
    let mut options = ReadOptions::tolerant();
    for reports in [0, 1, 100, 1000] {
        options.reports = reports;
        let (_, tolerated) = Request::read_with(&Bytes::from(odd.clone()), &options).unwrap();
        assert_eq!(tolerated.len(), reports.min(100));
    }
    let declared = format!("<!DOCTYPE Subscribe>{}", right());
    options.reports = 0;
    let (_, tolerated) = Request::read_with(&Bytes::from(declared), &options).unwrap();
    assert!(tolerated.is_empty());
}
