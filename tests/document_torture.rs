//! Hostile, broken and outsized presence documents, each read both ways, tolerant and strict. What is
//! about XML as such is in `xml_reading.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "test code may fail loudly"
)]

use std::fmt::Write as _;

use allocation_counter::measure;
mod corpus;

use presentity::pidf::cipid::DisplayName;
use presentity::pidf::rpid::Activities;
use presentity::pidf::{Fault, PidfLimits, Presence, ReadError, ReadOptions, Strictness};
use presentity::xml::{Element, Layout, XmlErrorKind, XmlLimit, XmlLimits};

/// Something of everything that this crate has types for, and of what it has none for.
const RICH: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:dora@example.com" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
  xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" xmlns:c="urn:ietf:params:xml:ns:pidf:cipid" xmlns:k="urn:ietf:params:xml:ns:pidf:caps"
  xmlns:s="urn:ietf:id:schubert-simple-pidf-cert-00" xmlns:l="urn:ietf:params:xml:ns:location-type" xmlns:w="urn:example:weather">
  <tuple id="desk">
    <status><basic>open</basic><w:light w:lux="300"/></status>
    <k:servcaps><k:audio>true</k:audio><k:class><k:supported><k:business/></k:supported></k:class><k:description xml:lang="en">Desk</k:description><k:methods><k:supported><k:INVITE/></k:supported><k:notsupported><k:REFER/></k:notsupported></k:methods><k:languages><k:supported><k:l>de</k:l></k:supported></k:languages><k:priority><k:supported><k:range minvalue="1" maxvalue="9"/></k:supported></k:priority><k:type>text/plain</k:type><s:certs src="sips:dora@example.com"/></k:servcaps>
    <r:relationship><r:other>kin &amp; kith</r:other></r:relationship><r:user-input idle-threshold="600" last-input="2026-03-04T05:06:07Z">idle</r:user-input>
    <dm:deviceID>urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427</dm:deviceID>
    <contact priority="0.8">sip:dora@192.0.2.7</contact>
    <note xml:lang="en">Up &lt;here&gt;</note>
    <timestamp>2026-03-04T05:06:07Z</timestamp>
  </tuple>
  <note>Gleich wieder da</note>
  <dm:person id="dora"><r:activities id="a1" from="2026-03-04T05:00:00Z"><r:note>Zug</r:note><r:travel/><w:storm-chasing/></r:activities><r:mood><r:happy/></r:mood><r:place-type><l:train/></r:place-type><c:display-name>Dora</c:display-name><c:card>http://example.com/dora.vcf</c:card><dm:note>Wagen 7</dm:note><dm:timestamp>2026-03-04T05:06:07Z</dm:timestamp></dm:person>
  <dm:device id="handy"><k:devcaps><k:mobility><k:supported><k:mobile/></k:supported></k:mobility></k:devcaps><dm:deviceID>urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427</dm:deviceID></dm:device>
  <w:forecast w:scale="C">Sun <w:b>and</w:b> rain.</w:forecast>
</presence>"#;

const SMALL: &str = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:e@example.com'>\
     <tuple id='ä'><status><basic>open</basic></status></tuple><note>a&amp;b é</note></presence>";

fn with_limits(strictness: Strictness, limits: PidfLimits) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.strictness = strictness;
    options.limits = limits;
    options
}

/// What both ways of reading make of it: for all that is tried here they agree.
fn read_within(document: impl AsRef<[u8]>, limits: PidfLimits) -> Result<Presence, ReadError> {
    let read = |strictness| {
        let read = Presence::read_with(document.as_ref(), &with_limits(strictness, limits));
        read.map(|(presence, _)| presence)
    };
    let tolerant = read(Strictness::Tolerant);
    assert_eq!(read(Strictness::Strict), tolerant);
    tolerant
}

fn read(document: impl AsRef<[u8]>) -> Result<Presence, ReadError> {
    read_within(document, PidfLimits::default())
}

fn kind(document: impl AsRef<[u8]>) -> XmlErrorKind {
    match read(document) {
        Err(ReadError::Xml(error)) => error.kind().clone(),
        other => panic!("{other:?}"),
    }
}

fn limit(document: impl AsRef<[u8]>) -> XmlLimit {
    match kind(document) {
        XmlErrorKind::Limit { limit, .. } => limit,
        other => panic!("{other:?}"),
    }
}

/// A document with attributes at the root and something at the end of it.
fn around(attributes: &str, inside: &str) -> String {
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:dora@example.com'{attributes}>{inside}</presence>"
    )
}

fn generous() -> PidfLimits {
    let mut limits = PidfLimits::default();
    limits.xml.bytes = usize::MAX;
    limits.xml.depth = usize::MAX;
    limits.xml.attributes = usize::MAX;
    limits.xml.namespaces = usize::MAX;
    limits.xml.name = usize::MAX;
    limits.xml.text = usize::MAX;
    limits.xml.nodes = usize::MAX;
    limits
}

#[test]
fn the_rich_document_is_one() {
    let presence = read(RICH).unwrap();
    assert_eq!(presence.extensions_of_all().count(), 12);
    let person = &presence.persons[0];
    assert_eq!(person.get(), Some(DisplayName::new("Dora")));
    assert_eq!(person.get::<Activities>().unwrap().values.len(), 2);
    assert_eq!(read(presence.write().unwrap()), Ok(presence));
}

// ---- floods ---------------------------------------------------------------------------------

// SEC-39
#[test]
fn entities_of_ones_own_are_refused_before_they_cost_anything() {
    let mut bomb = String::from("<!DOCTYPE presence [<!ENTITY e0 'ha'>");
    for at in 1..64 {
        let _ = write!(bomb, "<!ENTITY e{at} '&e{0};&e{0};'>", at - 1);
    }
    bomb.push_str("]>");
    let quadratic = format!("<!DOCTYPE presence [<!ENTITY a '{}'>]>", "a".repeat(60_000));
    for (declarations, inside) in [
        (&*bomb, "<note>&e63;</note>"),
        (&*quadratic, "<note>&a;&a;&a;&a;&a;&a;&a;&a;</note>"),
        (
            "<!DOCTYPE presence SYSTEM 'http://example.com/presence.dtd'>",
            "",
        ),
        (
            "<!DOCTYPE presence [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>",
            "<note>&a;</note>",
        ),
        (
            "<!DOCTYPE presence [<!ENTITY % a PUBLIC 'x' 'http://example.com/a'> %a;]>",
            "",
        ),
        ("<!DOCTYPE presence>", ""),
    ] {
        let document = format!("{declarations}{}", around("", inside));
        let cost = measure(|| assert_eq!(kind(&document), XmlErrorKind::Doctype));
        assert!(cost.bytes_max < 64 * 1024, "{cost:?}");
    }
    // Nor is there a way to use one undeclared.
    for reference in ["&e63;", "&nbsp;", "&é;"] {
        for document in [
            around("", &format!("<note>{reference}</note>")),
            around(&format!(" a='{reference}'"), ""),
        ] {
            assert!(
                matches!(kind(&document), XmlErrorKind::UndefinedEntity { .. }),
                "{document}"
            );
        }
    }
}

// SEC-39
#[test]
fn floods_are_refused_by_the_limit_that_they_exceed() {
    let mut attributes = String::new();
    let mut declarations = String::new();
    let mut elements = String::new();
    for at in 0..10_000 {
        let _ = write!(attributes, " a{at}=''");
        if at < 1000 {
            let _ = write!(declarations, " xmlns:n{at}='urn:example:{at}'");
            let _ = write!(elements, "<e xmlns='urn:example:{at}'/>");
        }
    }
    let extension =
        |attributes: &str| around("", &format!("<x xmlns='urn:example:x'{attributes}/>"));
    assert_eq!(limit(extension(&attributes)), XmlLimit::Attributes);
    assert_eq!(limit(around(&attributes, "")), XmlLimit::Attributes);
    assert_eq!(limit(extension(&declarations)), XmlLimit::Namespaces);
    assert_eq!(limit(around(&declarations, "")), XmlLimit::Namespaces);
    assert_eq!(limit(around("", &elements)), XmlLimit::Namespaces);

    let levels = |name: &str| {
        format!(
            "{}{}",
            format!("<{name}>").repeat(10_000),
            format!("</{name}>").repeat(10_000)
        )
    };
    for name in ["x:y", "tuple", "status", "note", "presence"] {
        let document = around(" xmlns:x='urn:example:x'", &levels(name));
        // The first element too many is a fault to strict reading before it is one level too many.
        let error = Presence::read(document.as_bytes()).unwrap_err();
        assert!(
            matches!(&error, ReadError::Xml(error) if matches!(error.kind(), XmlErrorKind::Limit { limit: XmlLimit::Depth, .. })),
            "{error}"
        );
        assert!(Presence::read_with(document.as_bytes(), &ReadOptions::strict()).is_err());
    }
    assert_eq!(
        limit(around(" xmlns:x='urn:example:x'", &levels("x:y"))),
        XmlLimit::Depth
    );

    let long = "n".repeat(64 * 1024);
    for document in [
        around("", &format!("<{long} xmlns='urn:example:x'/>")),
        around("", &format!("<x xmlns='urn:example:x' {long}=''/>")),
        around(&format!(" xmlns:{long}='urn:example:x'"), ""),
        around(&format!(" {long}=''"), ""),
        around("", &format!("<?{long}?>")),
        around("", &format!("<{long}:x/>")),
    ] {
        assert_eq!(limit(document), XmlLimit::Name);
    }
}

/// What the limits do not refuse is handled whole.
#[test]
fn floods_within_generous_limits_are_read_and_written() {
    let mut attributes = String::new();
    let mut declarations = String::new();
    let mut elements = String::new();
    for at in 0..10_000 {
        let _ = write!(attributes, " a{at}='{at}'");
        if at < 1000 {
            let _ = write!(declarations, " xmlns:n{at}='urn:example:{at}'");
            let _ = write!(elements, "<n{at}:e n{at}:a='n{at}:x'/>");
        }
    }
    let long = "n".repeat(64 * 1024);
    for document in [
        around("", &format!("<x xmlns='urn:example:x'{attributes}/>")),
        around(&declarations, &elements),
        around(
            &format!(" xmlns:{long}='urn:example:x'"),
            &format!("<{long}:{long} {long}='' {long}:{long}=''/>"),
        ),
    ] {
        let presence = read_within(&document, generous()).unwrap();
        let written = presence.write().unwrap();
        assert_eq!(read_within(&written, generous()), Ok(presence));
        // Shorter, or longer by a declaration or two of each namespace.
        assert!(written.len() < document.len() * 2);
    }
}

#[test]
fn attributes_of_one_expanded_name() {
    for attributes in [
        " a='' a=''",
        " x:a='' y:a=''",
        " x:a='' a='' y:a=''",
        " xmlns:z='urn:example:x' z:a='' x:a=''",
    ] {
        for document in [
            around(
                "",
                &format!("<x:e xmlns:x='urn:example:x' xmlns:y='urn:example:x'{attributes}/>"),
            ),
            around(
                "",
                &format!(
                    "<w:e xmlns:w='urn:example:w'><x:e xmlns:x='urn:example:x' xmlns:y='urn:example:x'{attributes}/></w:e>"
                ),
            ),
        ] {
            assert!(
                matches!(kind(&document), XmlErrorKind::DuplicateAttribute { .. }),
                "{document}"
            );
        }
    }
    for document in [
        around(" entity='sip:other@example.com'", ""),
        around(" xmlns='urn:ietf:params:xml:ns:pidf'", ""),
    ] {
        assert!(matches!(
            kind(&document),
            XmlErrorKind::DuplicateAttribute { .. }
        ));
    }
    // Without prefix is in no namespace, whatever the default.
    let different = around(
        "",
        "<x:e xmlns:x='urn:example:x' xmlns='urn:example:x' a='1' x:a='2'/>",
    );
    assert!(read(different).is_ok());
}

// ---- pieces missing -------------------------------------------------------------------------

// CVE-2022-24763 and its like
#[test]
fn every_prefix_is_refused() {
    for document in [RICH, SMALL] {
        for end in 0..document.len() {
            let refused = read(&document.as_bytes()[..end]).unwrap_err();
            assert!(matches!(refused, ReadError::Xml(_)), "{end}: {refused}");
        }
        assert!(read(document).is_ok());
    }
}

// PIDF-27: tolerant reading takes what is left; written, it stays what it is.
#[test]
fn any_node_may_be_missing() {
    let whole = Element::read(RICH.as_bytes(), &XmlLimits::default()).unwrap();
    let all = corpus::without_one_each(&whole);
    assert!(all.len() > 100, "{}", all.len());
    let (mut strict, mut typed) = (0, 0);
    for less in all {
        let document = less.write().unwrap();
        let mut presence = Presence::read(&document).unwrap();
        let strictly = Presence::read_with(&document, &ReadOptions::strict());
        if let Ok((strictly, tolerated)) = strictly {
            assert_eq!(strictly, presence);
            assert!(tolerated.is_empty());
            strict += 1;
        }
        typed += usize::from(
            presence
                .persons
                .first()
                .is_some_and(|person| person.get::<Activities>().is_some()),
        );
        if presence.entity_uri().is_none() {
            presence.entity = "sip:dora@example.com".to_owned();
        }
        presence.repair();
        for layout in [Layout::Compact, Layout::Pretty] {
            let written = presence.write_as(layout).unwrap();
            let again = Presence::read(&written).unwrap();
            assert_eq!(again, presence);
            assert_eq!(again.write_as(layout).unwrap(), written);
        }
    }
    // Most parts are optional; those of PIDF itself and of lists are not.
    assert!(strict > 40, "{strict}");
    assert!(typed > 80, "{typed}");
}

// ---- octets ---------------------------------------------------------------------------------

/// Octets put in at every position, and what must come of it.
fn everywhere(octets: &[u8], check: impl Fn(usize, Result<Presence, ReadError>)) {
    let document = SMALL.as_bytes();
    for at in 0..=document.len() {
        let mut changed = document[..at].to_vec();
        changed.extend_from_slice(octets);
        changed.extend_from_slice(&document[at..]);
        check(at, read(&changed));
    }
}

#[test]
fn octets_that_are_not_utf_8_are_refused_wherever_they_are() {
    for octets in [
        &b"\xFF"[..],
        b"\xFE",
        b"\x80",
        b"\xC3",
        b"\xC0\x80",
        b"\xE2\x82",
        b"\xED\xA0\x80",
        b"\xED\xBF\xBF",
        b"\xF0\x9F\x98",
        b"\xF4\x90\x80\x80",
        b"\xF8\x88\x80\x80\x80",
    ] {
        everywhere(octets, |at, read| {
            let error = read.unwrap_err();
            assert!(
                matches!(&error, ReadError::Xml(error) if *error.kind() == XmlErrorKind::NotUtf8),
                "{octets:02X?} at {at}: {error}"
            );
            assert_eq!(error.status(), 400);
        });
    }
}

#[test]
fn characters_that_xml_does_not_have_are_refused_wherever_they_are() {
    for code in [0u32, 1, 8, 0xB, 0xC, 0xE, 0x1F, 0xFFFE, 0xFFFF] {
        let c = char::from_u32(code).unwrap().to_string();
        everywhere(c.as_bytes(), |at, read| {
            let error = read.unwrap_err();
            // Within a character they break it.
            let broken = !SMALL.is_char_boundary(at);
            // At the beginning a zero looks like another encoding.
            let expected = match at {
                0 | 1 if code == 0 => {
                    matches!(&error, ReadError::Xml(error) if matches!(error.kind(), XmlErrorKind::Encoding { .. }))
                }
                _ if broken => {
                    matches!(&error, ReadError::Xml(error) if *error.kind() == XmlErrorKind::NotUtf8)
                }
                _ => {
                    matches!(&error, ReadError::Xml(error) if *error.kind() == XmlErrorKind::Character { code })
                }
            };
            assert!(expected, "U+{code:04X} at {at}: {error}");
        });
        for reference in [format!("&#{code};"), format!("&#x{code:X};")] {
            let refused = kind(SMALL.replace("a&amp;b", &reference));
            assert_eq!(refused, XmlErrorKind::Character { code });
        }
    }
    for reference in ["&#xD800;", "&#x110000;", "&#99999999999999999999;"] {
        assert!(matches!(
            kind(SMALL.replace("a&amp;b", reference)),
            XmlErrorKind::Character { .. }
        ));
    }
}

#[test]
fn other_encodings_are_refused_by_name() {
    let utf_16 = |order: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
        let text = format!("{mark}{RICH}");
        text.encode_utf16().flat_map(order).collect()
    };
    let utf_32 = |order: fn(u32) -> [u8; 4], mark: &str| -> Vec<u8> {
        let text = format!("{mark}{RICH}");
        text.chars().flat_map(|c| order(u32::from(c))).collect()
    };
    for mark in ["", "\u{FEFF}"] {
        for (octets, name) in [
            (utf_16(u16::to_be_bytes, mark), "UTF-16"),
            (utf_16(u16::to_le_bytes, mark), "UTF-16"),
            (utf_32(u32::to_be_bytes, mark), "UTF-32"),
            (utf_32(u32::to_le_bytes, mark), "UTF-32"),
        ] {
            let error = read(&octets).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("line 1, column 1: expected the encoding UTF-8 or US-ASCII, found {name}")
            );
        }
    }
    for name in ["ISO-8859-1", "UTF-16", "utf-32", "windows-1252", "x"] {
        // Of ASCII alone it would make no difference to some.
        let declared = RICH.replace("UTF-8", name).replace("Zug", "Z\u{FC}ge");
        assert_eq!(
            kind(declared),
            XmlErrorKind::Encoding {
                name: name.to_owned()
            }
        );
    }
    assert!(read(format!("\u{FEFF}{RICH}")).is_ok());
}

// ---- around and between ---------------------------------------------------------------------

#[test]
fn nothing_but_white_space_and_asides_may_follow() {
    for rest in ["\n", " \t\r\n", "<!-- x -->", "<?x y?>", "\n<!----><?x?>\n"] {
        assert_eq!(read(format!("{RICH}{rest}")), read(RICH));
    }
    for rest in [
        "x",
        "&amp;",
        "&#32;",
        "<",
        ">x",
        "</presence>",
        "<presence/>",
        "<![CDATA[]]>",
        "\0",
        "<?xml version='1.0'?>",
        "<!DOCTYPE presence>",
        "<!--",
        "<?x",
        "]]>",
        "\u{FEFF}",
        "\u{A0}",
        "--",
    ] {
        assert!(read(format!("{RICH}{rest}")).is_err(), "{rest}");
        if rest != "<?xml version='1.0'?>" && rest != "\u{FEFF}" {
            assert!(read(format!("{rest}{SMALL}")).is_err(), "{rest}");
        }
    }
    let twice = format!("{SMALL}{SMALL}");
    assert_eq!(kind(twice), XmlErrorKind::SecondRoot);
}

/// Where in the document content of an element is, and not markup or a reference, for each offset
/// something might be put in before; and the level there.
fn places(document: &str) -> Vec<(usize, bool, usize)> {
    let mut all = Vec::new();
    let (mut level, mut tag, mut reference) = (0usize, None, false);
    for (at, c) in document.char_indices() {
        all.push((at, tag.is_none() && !reference, level));
        match c {
            '<' => tag = Some(at),
            '>' => {
                let text = &document[tag.take().unwrap()..=at];
                if text.starts_with("</") {
                    level -= 1;
                } else if !text.ends_with("/>") {
                    level += 1;
                }
            }
            '&' => reference = true,
            ';' => reference = false,
            _ => {}
        }
    }
    all.push((document.len(), true, 0));
    all
}

#[test]
fn asides_are_passed_over_wherever_they_may_stand() {
    // Without its declaration, which stands at the beginning only.
    let (_, document) = RICH.split_once('\n').unwrap();
    let whole = read(document).unwrap();
    let mut allowed = 0;
    for (at, is_content, level) in places(document) {
        for (aside, within_root_only) in [
            ("<!-- <x> & ]]> -->", false),
            ("<?x <y> & ]]> ?>", false),
            ("<![CDATA[]]>", true),
            ("<!----><![CDATA[]]><?x?>", true),
        ] {
            let changed = format!("{}{aside}{}", &document[..at], &document[at..]);
            if is_content && (level > 0 || !within_root_only) {
                assert_eq!(read(&changed).as_ref(), Ok(&whole), "{aside} at {at}");
                allowed += 1;
            } else {
                assert!(read(&changed).is_err(), "{aside} at {at}");
            }
        }
    }
    assert!(allowed > 1000, "{allowed}");
    // What is inside means nothing, and in a CDATA section is text.
    let document = SMALL.replace("open", "<![CDATA[op]]><!--x--><![CDATA[en]]>");
    assert_eq!(read(document), read(SMALL));
    let document = SMALL.replace("a&amp;b", "<![CDATA[a&b]]>");
    assert_eq!(read(document), read(SMALL));
    let document = SMALL.replace("a&amp;b", "<![CDATA[<b>&amp;]]]]><![CDATA[>]]>");
    assert_eq!(read(document).unwrap().notes[0].text, "<b>&amp;]]> é");
}

#[test]
fn line_ends_are_all_alike() {
    let document = RICH.replace("Gleich wieder da", "Gleich\n\nwieder\n");
    let whole = read(&document).unwrap();
    assert_eq!(whole.notes[0].text, "Gleich\n\nwieder\n");
    for line_end in ["\r\n", "\r"] {
        assert_eq!(read(document.replace('\n', line_end)).as_ref(), Ok(&whole));
    }
    // One that is written as a reference is kept, also by writing.
    let kept = read(document.replace("Gleich\n\n", "Gleich&#13;&#xD;\n")).unwrap();
    assert_eq!(kept.notes[0].text, "Gleich\r\r\nwieder\n");
    assert_eq!(read(kept.write().unwrap()), Ok(kept));
}

#[test]
fn an_end_of_cdata_that_ends_none() {
    for text in [
        "]]>",
        "a]]>b",
        "]]]>",
        "]]><x/>",
        "&amp;]]>",
        "]]><![CDATA[]]>",
    ] {
        let refused = kind(around("", &format!("<note>{text}</note>")));
        assert!(
            matches!(refused, XmlErrorKind::Syntax { .. }),
            "{text}: {refused}"
        );
        let extension = format!("<x xmlns='urn:example:x'><y>{text}</y></x>");
        assert!(matches!(
            kind(around("", &extension)),
            XmlErrorKind::Syntax { .. }
        ));
        assert!(read(around("", text)).is_err());
    }
    for (text, means) in [
        ("]]&gt;", "]]>"),
        ("]&#93;>", "]]>"),
        ("]]", "]]"),
        ("] ]>", "] ]>"),
        ("<![CDATA[]]]]><![CDATA[>]]>", "]]>"),
    ] {
        let presence = read(around("", &format!("<note>{text}</note>"))).unwrap();
        assert_eq!(presence.notes[0].text, means);
        assert_eq!(read(presence.write().unwrap()), Ok(presence));
    }
    let value = around("", "<x xmlns='urn:example:x' y=']]>'/>");
    let presence = read(value).unwrap();
    assert_eq!(presence.extensions[0].attribute("y"), Some("]]>"));
    assert_eq!(read(presence.write().unwrap()), Ok(presence));
}

#[test]
fn references_at_every_boundary_of_texts_and_values() {
    let text = "aé \u{1F600}";
    let boundaries = (0..=text.len()).filter(|&at| text.is_char_boundary(at));
    for at in boundaries {
        for (reference, c) in [
            ("&amp;", '&'),
            ("&lt;", '<'),
            ("&gt;", '>'),
            ("&quot;", '"'),
            ("&apos;", '\''),
            ("&#38;", '&'),
            ("&#x3c;", '<'),
            ("&#9;", '\t'),
            ("&#10;", '\n'),
            ("&#xD;", '\r'),
            ("&#x20;", ' '),
            ("&#x1F600;", '\u{1F600}'),
            ("&#x10FFFF;", '\u{10FFFF}'),
            ("&#x85;", '\u{85}'),
        ] {
            for times in [1, 2] {
                let (mut written, mut expected) = (text.to_owned(), text.to_owned());
                for _ in 0..times {
                    written.insert_str(at, reference);
                    expected.insert(at, c);
                }
                let presence = read(around(
                    "",
                    &format!(
                        "<tuple id='t'><status><x xmlns='urn:example:x' y='{written}'>{written}</x></status><note>{written}</note></tuple><note>{written}</note>"
                    ),
                ))
                .unwrap();
                let tuple = &presence.tuples[0];
                let extension = &tuple.status.extensions[0];
                assert_eq!(extension.attribute("y"), Some(&*expected), "{written}");
                assert_eq!(extension.text(), expected, "{written}");
                assert_eq!(tuple.notes[0].text, expected, "{written}");
                assert_eq!(presence.notes[0].text, expected, "{written}");
                for layout in [Layout::Compact, Layout::Pretty] {
                    let again = presence.write_as(layout).unwrap();
                    assert_eq!(read(again).as_ref(), Ok(&presence), "{written}");
                }
            }
        }
    }
}

// ---- sizes ----------------------------------------------------------------------------------

#[test]
fn the_limit_of_octets_is_exact_and_named() {
    let mut small = PidfLimits::default();
    small.xml.bytes = SMALL.len() + 100;
    let padded = |octets: usize| {
        let mut document = SMALL.as_bytes().to_vec();
        // No run of text is long.
        while document.len() + 1000 <= octets {
            document.extend_from_slice(b"<!---->");
        }
        document.resize(octets, b' ');
        document
    };
    for limits in [small, PidfLimits::default()] {
        let max = limits.xml.bytes;
        assert_eq!(read_within(padded(max), limits), read(SMALL));
        let refused = read_within(padded(max + 1), limits).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("line 1, column 1: more than {max} bytes in the document")
        );
        assert_eq!(refused.status(), 413);
    }
}

#[test]
fn two_thousand_tuples_in_a_megabyte_are_read_within_a_hundred() {
    let mut tuples = String::new();
    for at in 0..2000 {
        let _ = write!(
            tuples,
            "<tuple id='t{at}'><status><basic>open</basic></status><r:relationship><r:self/></r:relationship>\
             <k:servcaps><k:audio>true</k:audio><k:methods><k:supported><k:INVITE/><k:MESSAGE/></k:supported></k:methods></k:servcaps>\
             <x:gate x:number='{at}'><x:open/>from eight<x:b>to</x:b>ten</x:gate>\
             <contact priority='0.5'>sip:gate{at}@gw.example.com;transport=tcp</contact>\
             <note xml:lang='en'>Gate number {at}, behind the hall of the harbour, on the left hand</note>\
             <timestamp>2026-03-04T05:06:07Z</timestamp></tuple>"
        );
    }
    let declarations = " xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' \
         xmlns:k='urn:ietf:params:xml:ns:pidf:caps' xmlns:x='urn:example:gates'";
    let document = around(declarations, &tuples);
    assert!(
        (1_000_000..1_100_000).contains(&document.len()),
        "{}",
        document.len()
    );
    for strictness in [Strictness::Tolerant, Strictness::Strict] {
        let options = with_limits(strictness, PidfLimits::default());
        let mut read = None;
        let cost = measure(|| {
            read = Some(Presence::read_with(document.as_bytes(), &options));
        });
        let (presence, tolerated) = read.unwrap().unwrap();
        assert_eq!(presence.tuples.len(), 2000);
        assert_eq!(tolerated, []);
        println!("{strictness:?}: {} octets at most", cost.bytes_max);
        assert!(cost.bytes_max > 1_000_000, "{cost:?}");
        assert!(cost.bytes_max < 100_000_000, "{cost:?}");
        let cost = measure(|| {
            assert!(presence.write().unwrap().len() < 2 * document.len());
        });
        assert!(cost.bytes_max < 20_000_000, "{cost:?}");
    }
}

#[test]
fn reports_of_a_flood_of_faults_are_bounded() {
    let document = around("", &"<tuple/>".repeat(10_000));
    let mut read = None;
    let cost = measure(|| {
        read = Some(Presence::read_with(
            document.as_bytes(),
            &ReadOptions::default(),
        ))
    });
    let (presence, tolerated) = read.unwrap().unwrap();
    assert_eq!(presence.tuples.len(), 10_000);
    assert_eq!(tolerated.len(), PidfLimits::default().reports);
    assert!(matches!(tolerated[0].fault, Fault::NoId));
    assert!(cost.bytes_max < 20_000_000, "{cost:?}");
}

// SEC-39
#[test]
fn the_deepest_tree_needs_little_stack_whatever_is_done_with_it() {
    let levels = XmlLimits::MAX_DEPTH - 3;
    let mut document = String::from(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:dora@example.com' xmlns:x='urn:example:x' \
         xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
         xmlns:r='urn:ietf:params:xml:ns:pidf:rpid'><dm:person id='p'><r:activities><r:busy/>",
    );
    for level in 1..levels {
        document.push_str(&format!("<x:y a='x:b' n='{level}'>text"));
    }
    document.push_str(&"</x:y>".repeat(levels - 1));
    document.push_str("</r:activities></dm:person></presence>");
    let work = move || {
        let read = Presence::read(document.as_bytes()).unwrap();
        assert!(Presence::read_with(document.as_bytes(), &ReadOptions::strict()).is_ok());
        let written = read.write().unwrap();
        assert!(read.write_as(Layout::Pretty).is_ok());
        let again = Presence::read(&written).unwrap();
        assert_eq!(again, read);
        assert!(read.difference(&again).is_empty());
        let mut copy = read.clone();
        assert!(copy.repair().is_empty());
        copy.hand_down_language();
        assert_eq!(copy.ids().len(), 1);
        let activities: Activities = copy.persons[0].get().unwrap();
        copy.persons[0].set(&activities).unwrap();
        assert_eq!(copy, read);
        assert!(format!("{read:?}").len() > levels);
        let tree = Element::read(document.as_bytes(), &XmlLimits::default()).unwrap();
        assert_eq!(
            Element::read(&tree.write().unwrap(), &XmlLimits::default()),
            Ok(tree)
        );
    };
    // Without optimisation, as tests are built.
    let thread = std::thread::Builder::new().stack_size(512 * 1024);
    thread.spawn(work).unwrap().join().unwrap();
}
