//! Which elements there are, in which order and namespace, and with what beside them.

use presentity::sdf::{Fault, Field, ReadError};
use presentity::xml::XmlErrorKind;

use crate::{AT, FROM, TO, either, elements, of, right, strictly, with, wrong_structure};

const PARTS: [(&str, &str); 5] = [
    ("From", FROM),
    ("To", TO),
    ("DateTime", AT),
    ("Token", "balcony"),
    ("Duration", "3600"),
];

fn next(field: usize) -> &'static str {
    match field {
        0 => "the element From",
        1 => "the element To",
        2 => "the element DateTime",
        3 => "the element Token or Duration",
        _ => "the element Duration",
    }
}

// SDF-03
#[test]
fn no_element_is_missing() {
    for missing in [0, 1, 2, 4] {
        let parts: Vec<_> = (0..5)
            .filter(|at| *at != missing)
            .map(|at| PARTS[at])
            .collect();
        let (expected, found, path) = wrong_structure(&of(&elements(&parts)));
        assert_eq!(expected, next(missing));
        match missing {
            4 => {
                assert_eq!(found, "the end of Subscribe");
                assert_eq!(path, "Subscribe");
            }
            _ => {
                let comes = PARTS[missing + 1].0;
                assert_eq!(found, format!("the element {comes}"));
                assert_eq!(path, format!("Subscribe/{comes}"));
            }
        }
    }
    for empty in [
        "<Subscribe/>",
        "<Subscribe></Subscribe>",
        "<Subscribe> \n</Subscribe>",
    ] {
        let (expected, found, path) = wrong_structure(empty);
        assert_eq!((expected, &*found), (next(0), "the end of Subscribe"));
        assert_eq!(path, "Subscribe");
    }
}

// SDF-03
#[test]
fn no_two_elements_change_places() {
    for first in 0..5 {
        for second in first + 1..5 {
            let mut parts = PARTS;
            parts.swap(first, second);
            // A token may be left out.
            if (first, second) == (3, 4) {
                let document = of(&elements(&parts));
                let error = either(&document).unwrap_err();
                assert!(matches!(error, ReadError::NoToken { .. }), "{error}");
                continue;
            }
            let (expected, found, _) = wrong_structure(&of(&elements(&parts)));
            assert_eq!(expected, next(first), "{first} {second}");
            assert_eq!(found, format!("the element {}", parts[first].0));
        }
    }
}

// SDF-03
#[test]
fn no_element_comes_twice() {
    for (twice, part) in PARTS.into_iter().enumerate() {
        let mut parts = PARTS.to_vec();
        parts.insert(twice, part);
        let (expected, found, _) = wrong_structure(&of(&elements(&parts)));
        let behind = match twice {
            3 => "the element Duration",
            4 => "the end of Subscribe",
            _ => next(twice + 1),
        };
        assert_eq!(expected, behind);
        assert_eq!(found, format!("the element {}", part.0));
        // Nor anywhere behind.
        let mut parts = PARTS.to_vec();
        parts.push(part);
        let (expected, found, _) = wrong_structure(&of(&elements(&parts)));
        assert_eq!(expected, "the end of Subscribe");
        assert_eq!(found, format!("the element {}", part.0));
    }
}

// SDF-03
#[test]
fn text_stands_in_elements_only() {
    for at in 0..=5 {
        for text in ["x", "\u{A0}", "&#120;", "<![CDATA[x]]>", " x ", "<!-- -->x"] {
            let parts = [elements(&PARTS[..at]), elements(&PARTS[at..])];
            let document = of(&parts.join(text));
            let (expected, found, path) = wrong_structure(&document);
            assert_eq!((expected, &*found), ("only elements in Subscribe", "text"));
            assert_eq!(path, "Subscribe");
        }
    }
}

// SDF-03: who passes over an element in a value reads another value.
#[test]
fn elements_stand_in_the_root_only() {
    for (name, content) in PARTS {
        for (inner, named) in [
            ("<b/>", "b"),
            ("<From>pres:ida@example.org</From>", "From"),
            ("<x:b xmlns:x='urn:x'/>", "{urn:x}b"),
        ] {
            for document in [
                right().replace(content, &format!("{content}{inner}")),
                right().replace(content, &format!("{inner}{content}")),
                right().replace(content, inner),
            ] {
                let (expected, found, path) = wrong_structure(&document);
                assert_eq!(expected, "nothing but text");
                assert_eq!(found, format!("the element {named}"));
                assert!(path.starts_with(&format!("Subscribe/{name}/")), "{path}");
            }
        }
    }
}

// SDF-03
#[test]
fn the_root_is_named_subscribe() {
    for (root, named) in [
        ("<subscribe/>", "subscribe"),
        ("<SUBSCRIBE/>", "SUBSCRIBE"),
        ("<Subscribed/>", "Subscribed"),
        ("<From/>", "From"),
        (
            "<presence xmlns='urn:ietf:params:xml:ns:pidf'/>",
            "{urn:ietf:params:xml:ns:pidf}presence",
        ),
    ] {
        match either(root).unwrap_err() {
            ReadError::WrongRoot { found, location } => {
                assert_eq!(found, named);
                assert_eq!((location.line, location.column), (1, 1));
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn names_of_elements_have_their_case() {
    for (name, _) in PARTS {
        let document = right().replace(&format!("{name}>"), &format!("{}>", name.to_lowercase()));
        match strictly(&document).unwrap_err() {
            ReadError::Fault(tolerated) => {
                let name = name.to_lowercase();
                assert_eq!(tolerated.fault, Fault::Element { name });
            }
            other => panic!("{other}"),
        }
    }
}

// SDF-02, SDF-03: no namespace is named anywhere, so that any will do.
#[test]
fn all_elements_are_in_one_namespace() {
    let bare = strictly(&right()).unwrap();
    let prefixed = right()
        .replace("</", "\0")
        .replace('<', "<s:")
        .replace('\0', "</s:");
    for document in [
        right().replace("<Subscribe>", "<Subscribe xmlns=''>"),
        right().replace("<Subscribe>", "<Subscribe xmlns='urn:example:requests'>"),
        right().replace("<Subscribe>", "<Subscribe xmlns:x='urn:x'>"),
        right().replace("<From>", "<From xmlns=''>"),
        prefixed.replace(
            "<s:Subscribe>",
            "<s:Subscribe xmlns:s='urn:example:requests'>",
        ),
        right()
            .replace("<Subscribe>", "<Subscribe xmlns='urn:x'>")
            .replace("<To>", "<y:To xmlns:y='urn:x'>")
            .replace("</To>", "</y:To>"),
    ] {
        let request = either(&document).unwrap_or_else(|error| panic!("{document}: {error}"));
        assert_eq!(request.wish(), bare.wish());
        assert_eq!((request.from(), request.to()), (FROM, TO));
    }
    for (document, named) in [
        (
            right().replace("<From>", "<From xmlns='urn:x'>"),
            "{urn:x}From",
        ),
        (
            right()
                .replace("<Subscribe>", "<Subscribe xmlns='urn:x'>")
                .replace("<Token>", "<Token xmlns='urn:y'>"),
            "{urn:y}Token",
        ),
        (
            right()
                .replace("<Subscribe>", "<s:Subscribe xmlns:s='urn:x'>")
                .replace("</Subscribe>", "</s:Subscribe>"),
            "From",
        ),
    ] {
        match strictly(&document).unwrap_err() {
            ReadError::Fault(tolerated) => {
                let name = named.to_owned();
                assert_eq!(tolerated.fault, Fault::Element { name });
            }
            other => panic!("{document}: {other}"),
        }
    }
    let undeclared = right().replace("Subscribe>", "s:Subscribe>");
    match either(&undeclared).unwrap_err() {
        ReadError::Xml(error) => {
            assert!(matches!(
                error.kind(),
                XmlErrorKind::UndeclaredPrefix { .. }
            ));
        }
        other => panic!("{other}"),
    }
}

// SDF-03: the format has no attributes, and those of XML itself say nothing about a request.
#[test]
fn attributes_are_those_of_xml_itself() {
    for name in ["Subscribe", "From", "To", "DateTime", "Token", "Duration"] {
        let put = |attribute: &str| {
            right().replacen(&format!("<{name}>"), &format!("<{name} {attribute}>"), 1)
        };
        for good in [
            "xml:lang='no'",
            "xml:space='preserve'",
            "xml:id='a'",
            "xmlns:a='urn:a'",
        ] {
            either(&put(good)).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        for (odd, named) in [
            ("id='a'", "id"),
            ("xml:lang='no' To='pres:ida@example.org'", "To"),
            ("xmlns:a='urn:a' a:id='1'", "{urn:a}id"),
        ] {
            match strictly(&put(odd)).unwrap_err() {
                ReadError::Fault(tolerated) => {
                    let fault = Fault::Attribute {
                        name: named.to_owned(),
                    };
                    assert_eq!(tolerated.fault, fault);
                    assert!(tolerated.location.path.ends_with(name));
                }
                other => panic!("{odd}: {other}"),
            }
        }
    }
}

// SDF-15
#[test]
fn what_is_to_be_held_has_a_token() {
    for (duration, seconds) in [("1", 1), ("3600", 3600), ("2147483647", 2_147_483_647)] {
        let content = elements(&[
            ("From", FROM),
            ("To", TO),
            ("DateTime", AT),
            ("Duration", duration),
        ]);
        match either(&of(&content)).unwrap_err() {
            ReadError::NoToken { duration, location } => {
                assert_eq!(duration, seconds);
                assert_eq!(location.path, "Subscribe/Duration");
            }
            other => panic!("{other}"),
        }
    }
    assert!(either(&with(Field::Duration, "0")).is_ok());
}

#[test]
fn errors_tell_where_they_are_and_what_was_expected() {
    let document = "<Subscribe>\n  <From>pres:nora@example.org</From>\n  <To>sip:emil@example.com</To>\n\
                    </Subscribe>";
    let error = either(document).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 3, column 3, in Subscribe/To: expected a pres URI, found \"sip:emil@example.com\""
    );
    assert_eq!((error.location().line, error.location().column), (3, 3));
    assert_eq!(error.status(), 400);
    let error = either("<Subscribe>\n  <To/></Subscribe>").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2, column 3, in Subscribe/To: expected the element From, found the element To"
    );
}
