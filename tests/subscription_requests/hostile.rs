//! Documents of those who wish us ill.

use bytes::Bytes;
use presentity::sdf::{Field, MAX_REQUEST_LEN, ReadError, ReadOptions, Request};
use presentity::xml::{XmlErrorKind, XmlLimit};

use crate::{either, right, tolerantly, with};

/// So large that it has exactly this many octets.
fn filled(len: usize) -> String {
    let room = len - right().len();
    right().replace("<From>", &(" ".repeat(room) + "<From>"))
}

#[test]
fn a_request_has_so_many_octets_and_no_more() {
    assert!(either(&filled(MAX_REQUEST_LEN)).is_ok());
    let error = either(&filled(MAX_REQUEST_LEN + 1)).unwrap_err();
    match &error {
        ReadError::Xml(xml) => {
            let limit = XmlErrorKind::Limit {
                limit: XmlLimit::Bytes,
                max: MAX_REQUEST_LEN,
            };
            assert_eq!(*xml.kind(), limit);
        }
        other => panic!("{other}"),
    }
    assert_eq!(error.status(), 413);
    // Whoever wants to take more, or less, says so.
    let mut options = ReadOptions::default();
    options.limits.bytes = right().len();
    assert!(Request::read_with(&Bytes::from(right()), &options).is_ok());
    options.limits.bytes -= 1;
    assert!(Request::read_with(&Bytes::from(right()), &options).is_err());
}

#[test]
fn a_request_that_is_cut_is_refused_wherever_it_is_cut() {
    let mut options = ReadOptions::tolerant();
    options.reports = 4;
    let odd = "\u{FEFF}<?xml version='1.0'?><!-- \u{E9} --><!DOCTYPE Subscribe PUBLIC 'a' \"b\"><?c d?>\
         <x:Subscribe xmlns:x='urn:x' a='&amp;&#65;'><b><![CDATA[c]]></b><x:From>\n\
         pres:nora@example.org</x:From><x:To> pres:emil@ex&#97;mple.com</x:To><!-- e -->\
         <x:DateTime>2026-03-01T08:30:00.5Z</x:DateTime><x:Token>\u{1F514}<![CDATA[]]]]>&gt;</x:Token>\
         <x:Duration>60</x:Duration></x:Subscribe>";
    for document in [right(), odd.to_owned()] {
        let whole = Bytes::from(document);
        assert!(Request::read_with(&whole, &options).is_ok());
        for end in 0..whole.len() {
            let cut = whole.slice(..end);
            assert!(Request::read(&cut).is_err(), "{end}");
            let error = Request::read_with(&cut, &options).unwrap_err();
            assert!(error.location().line >= 1 && error.location().column >= 1);
        }
        // Whatever stands in place of an octet, nothing breaks.
        for at in 0..whole.len() {
            for octet in [0, b'<', b'>', b'&', b'"', b'/', b' ', b'[', 0x80, 0xFF] {
                let mut changed = whole.to_vec();
                changed[at] = octet;
                let changed = Bytes::from(changed);
                let strict = Request::read(&changed);
                let tolerant = Request::read_with(&changed, &options);
                if let Ok(request) = strict {
                    assert_eq!(tolerant, Ok((request, Vec::new())));
                }
            }
        }
    }
}

#[test]
fn what_is_no_utf_8_is_refused() {
    let text = right();
    let latin = text.replace("balcony", "balc\u{F8}ny").into_bytes();
    let latin: Vec<u8> = latin.into_iter().filter(|octet| *octet != 0xC3).collect();
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let declared = format!("<?xml version='1.0' encoding='ISO-8859-1'?>{text}");
    for octets in [latin, utf_16, declared.into_bytes()] {
        let octets = Bytes::from(octets);
        for options in [ReadOptions::default(), ReadOptions::tolerant()] {
            let error = Request::read_with(&octets, &options).unwrap_err();
            assert!(matches!(error, ReadError::Xml(_)), "{error}");
        }
    }
}

#[test]
fn deep_and_wide_documents_end_soon() {
    let full = |piece: &str| piece.repeat((MAX_REQUEST_LEN - 300) / piece.len());
    for piece in [
        "<a>",
        "<a/>",
        "<!---->",
        "<a b='c'/>",
        "x",
        "&#65;",
        "<![CDATA[]]>",
        "]]",
        "\r",
    ] {
        let document = right().replace("<From>", &(full(piece) + "<From>"));
        let _ = tolerantly(&document);
        for field in [Field::From, Field::Token, Field::Duration] {
            let _ = tolerantly(&with(field, &full(piece)));
        }
    }
    let many: String = (0..500).map(|at| format!(" a{at}='b'")).collect();
    let _ = tolerantly(&right().replace("<Subscribe>", &format!("<Subscribe{many}>")));
    let declared: String = (0..500).map(|at| format!(" xmlns:a{at}='b{at}'")).collect();
    let _ = tolerantly(&right().replace("<Subscribe>", &format!("<Subscribe{declared}>")));
    let doctype = format!("<!DOCTYPE {}", "a".repeat(MAX_REQUEST_LEN - 11));
    assert!(tolerantly(&doctype).is_err());
    // Errors stay short.
    let error = either(&with(Field::From, &"\u{E9}".repeat(5000))).unwrap_err();
    assert!(error.to_string().len() < 300);
}
