//! What is written is well-formed, reads as what it was written from, and is written the same
//! again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod corpus;

use presentity::xml::{Element, Name, Node, XmlLimits, XmlWriteError, namespace};
use proptest::collection::vec;
use proptest::prelude::*;

fn read(document: &[u8]) -> Element {
    Element::read(document, &XmlLimits::default()).unwrap()
}

fn written(element: &Element) -> String {
    String::from_utf8(element.write().unwrap().to_vec()).unwrap()
}

/// Writing gives a document that reads as the element and is written the same again.
fn check(element: &Element) -> String {
    let first = element.write().unwrap();
    let again = read(&first);
    assert_eq!(again, *element);
    assert_eq!(again.write().unwrap(), first);
    String::from_utf8(first.to_vec()).unwrap()
}

#[test]
fn documents_survive() {
    for document in corpus::ALL {
        check(&read(document.as_bytes()));
    }
}

#[test]
fn one_form_for_all() {
    let element = Element::new("urn:example:x", "a")
        .with_attribute("b", "1<2")
        .with_child(Element::new("urn:example:x", "c").with_text("x & y"))
        .with_child(Element::new(namespace::RPID, "mood"));
    assert_eq!(
        written(&element),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <a xmlns=\"urn:example:x\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" b=\"1&lt;2\">\
         <c>x &amp; y</c><rpid:mood/></a>"
    );
}

#[test]
fn what_has_to_be_escaped() {
    let special = "<>&\"' \t\r\n]]>\u{85}\u{2028}\u{FEFF}\u{FFFD}é\u{10FFFF}";
    let element = Element::new("", "a")
        .with_attribute("b", special)
        .with_text(special);
    let document = check(&element);
    assert_eq!(read(document.as_bytes()).text(), special);
    assert_eq!(read(document.as_bytes()).attribute("b"), Some(special));
    let value = "b=\"&lt;&gt;&amp;&quot;' &#9;&#13;&#10;]]&gt;";
    let text = ">&lt;&gt;&amp;\"' \t&#13;\n]]&gt;";
    assert!(
        document.contains(value) && document.contains(text),
        "{document}"
    );
    // An empty value is still a value.
    let document = check(&Element::new("", "a").with_attribute("b", ""));
    assert!(document.ends_with("<a b=\"\"/>"), "{document}");
}

#[test]
fn what_cannot_be_written() {
    for name in ["", "1", "a:b", "a b", "<", "-a", "a\u{D7}", "é:"] {
        let error = XmlWriteError::Name {
            name: name.to_owned(),
        };
        assert_eq!(Element::new("", name).write(), Err(error.clone()));
        assert_eq!(
            Element::new("", "a").with_attribute(name, "").write(),
            Err(error.clone())
        );
        let mut declaring = Element::new("", "a");
        declaring.declare(name, "urn:example:x");
        let refused = declaring.write();
        assert!(name.is_empty() || refused == Err(error), "{name}");
    }
    let xmlns = Element::new("", "a").with_attribute("xmlns", "urn:example:x");
    assert!(matches!(xmlns.write(), Err(XmlWriteError::Name { .. })));
    for c in ['\0', '\u{1}', '\u{B}', '\u{1F}', '\u{FFFE}', '\u{FFFF}'] {
        let error = Err(XmlWriteError::Character { code: u32::from(c) });
        let text = format!("x{c}y");
        assert_eq!(Element::new("", "a").with_text(&*text).write(), error);
        assert_eq!(
            Element::new("", "a").with_attribute("b", &*text).write(),
            error
        );
        assert_eq!(Element::new(&text, "a").write(), error);
    }
    for reserved in [namespace::XML, namespace::XMLNS] {
        let root = Element::new(reserved, "a");
        assert!(matches!(
            root.write(),
            Err(XmlWriteError::ReservedNamespace { .. })
        ));
        let child = Element::new("", "a").with_child(root);
        assert!(matches!(
            child.write(),
            Err(XmlWriteError::ReservedNamespace { .. })
        ));
        let mut declaring = Element::new("urn:example:x", "a");
        declaring.declare("", reserved);
        assert!(matches!(
            declaring.write(),
            Err(XmlWriteError::ReservedNamespace { .. })
        ));
    }
    let mut attribute = Element::new("", "a");
    attribute
        .attributes
        .set(Name::new(namespace::XMLNS, "b"), "urn:example:x");
    assert!(matches!(
        attribute.write(),
        Err(XmlWriteError::ReservedNamespace { .. })
    ));
    let mut deep = Element::new("", "a");
    for _ in 0..XmlLimits::MAX_DEPTH {
        deep = Element::new("", "a").with_child(deep);
    }
    assert_eq!(deep.write(), Err(XmlWriteError::TooDeep));
}

#[test]
fn prefixes_are_unique() {
    let elsewhere =
        |namespace: &str, prefix: &str| Element::named(Name::with_prefix(namespace, "e", prefix));
    let mut element = Element::new("urn:example:root", "a");
    for (number, prefix) in ["p", "p", "p1", "", "", "dm", "xml", "xmlns", "no good", "p"]
        .into_iter()
        .enumerate()
    {
        element.push_child(elsewhere(&format!("urn:example:{number}"), prefix));
    }
    element.push_child(elsewhere(namespace::DATA_MODEL, "zz"));
    let document = check(&element);
    for declaration in [
        "xmlns:p=\"urn:example:0\"",
        "xmlns:p1=\"urn:example:1\"",
        "xmlns:p11=\"urn:example:2\"",
        "xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\"",
        "xmlns:dm1=\"urn:example:5\"",
    ] {
        assert!(document.contains(declaration), "{declaration} {document}");
    }
}

#[test]
fn elements_without_namespace_among_others() {
    let document = "<a xmlns='urn:example:x'><b xmlns=''><c xmlns='urn:example:x' d='1'><e xmlns=''/></c></b><f/></a>";
    let document = check(&read(document.as_bytes()));
    assert_eq!(document.matches("xmlns=\"\"").count(), 1, "{document}");
}

#[test]
fn declarations_shadow_each_other() {
    for document in [
        "<a xmlns:p='urn:example:x' b='p:q'><p:c xmlns:p='urn:example:y' d='p:q'/><p:e/></a>",
        "<p:a xmlns:p='urn:example:x'><b xmlns:p='urn:example:y'><c xmlns:p='urn:example:x' d='p:e'/></b></p:a>",
        "<a xmlns='urn:example:x' xmlns:p='urn:example:x' p:b='1'><p:c/></a>",
        "<p:a xmlns:p='urn:example:x' xmlns='urn:example:y'><b/></p:a>",
        "<p:a xmlns='' xmlns:p='urn:example:x'><p:b xmlns:p='urn:example:y'><p:c/></p:b></p:a>",
        "<a xmlns='urn:example:d' xmlns:n='urn:example:d' n:b=''><c xmlns:ns='urn:example:x' d='ns:x'>\
         <ns1:e xmlns:ns1='urn:example:y' xmlns='' f='ns1:x'/></c></a>",
        "<a xmlns:dm='urn:example:x'><dm:b/><c xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model'><dm:d/></c></a>",
    ] {
        check(&read(document.as_bytes()));
    }
}

#[test]
fn declarations_hold_within_their_element_only() {
    let document = "<a><b xmlns:p='urn:example:x' c='p:q'><d xmlns:p='urn:example:x' c='p:q'/></b>\
                    <b xmlns:p='urn:example:x' c='p:q'/></a>";
    let document = check(&read(document.as_bytes()));
    assert_eq!(document.matches("xmlns:p").count(), 2, "{document}");
}

#[test]
fn very_many_namespaces() {
    let mut element = Element::new("", "a");
    for number in 0..2_000 {
        let name = Name::with_prefix(&format!("urn:example:{number}"), "b", "p");
        element.push_child(Element::named(name));
    }
    let first = element.write().unwrap();
    let mut limits = XmlLimits::default();
    limits.namespaces = 2_000;
    limits.attributes = 2_000;
    assert_eq!(Element::read(&first, &limits).unwrap(), element);
}

/// Any character that XML allows, the awkward ones often.
fn xml_char() -> impl Strategy<Value = char> {
    prop_oneof![
        2 => proptest::sample::select(vec!['<', '>', '&', '"', '\'', ']', '\t', '\n', '\r', ' ']),
        2 => proptest::char::range(' ', '~'),
        1 => proptest::char::range('\u{7F}', '\u{D7FF}'),
        1 => proptest::char::range('\u{E000}', '\u{FFFD}'),
        1 => proptest::char::range('\u{10000}', '\u{10FFFF}'),
    ]
}

fn xml_text() -> impl Strategy<Value = String> {
    vec(xml_char(), 0..12).prop_map(String::from_iter)
}

fn name() -> impl Strategy<Value = Name> {
    let namespaces = vec![
        "",
        "urn:example:x",
        "urn:example:y",
        "http://example.com/?a&b='\"<c>",
        namespace::PIDF,
        namespace::DATA_MODEL,
    ];
    let locals = vec!["a", "b", "person", "ü-1._"];
    let prefixes = vec!["", "p", "q", "dm", "pidf", "xml", "1"];
    (
        proptest::sample::select(namespaces),
        proptest::sample::select(locals),
        proptest::sample::select(prefixes),
    )
        .prop_map(|(namespace, local, prefix)| Name::with_prefix(namespace, local, prefix))
}

fn element() -> impl Strategy<Value = Element> {
    let declared = (
        proptest::sample::select(vec!["", "p", "q", "r", "dm"]),
        proptest::sample::select(vec!["urn:example:x", "urn:example:z", namespace::PIDF]),
    );
    let head = (name(), vec((name(), xml_text()), 0..4), vec(declared, 0..2));
    let bare = head
        .prop_map(|(name, attributes, declarations)| {
            let mut element = Element::named(name);
            for (name, value) in attributes {
                element.attributes.set(name, value);
            }
            for (prefix, namespace) in declarations {
                element.declare(prefix, namespace);
            }
            element
        })
        .boxed();
    bare.clone().prop_recursive(4, 24, 4, move |inner| {
        let node = prop_oneof![
            inner.prop_map(Node::Element),
            xml_text().prop_map(|text| Node::Text(text.into())),
            Just(Node::Text(" ".into())),
        ];
        (bare.clone(), vec(node, 0..5)).prop_map(|(mut element, nodes)| {
            *element.children_mut() = nodes;
            element
        })
    })
}

proptest! {
    #[test]
    fn any_tree_survives(element in element()) {
        check(&element);
    }

    #[test]
    fn any_text_survives(text in vec(xml_char(), 0..200).prop_map(String::from_iter)) {
        let element = Element::new("", "a").with_attribute("b", &*text).with_text(&*text);
        let again = read(&element.write().unwrap());
        prop_assert_eq!(again.text(), &*text);
        prop_assert_eq!(again.attribute("b"), Some(&*text));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Element::read(&bytes, &XmlLimits::default());
    }

    #[test]
    fn any_pieces_of_markup_are_read_or_refused(pieces in vec(0..PIECES.len(), 0..30)) {
        let document: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        if let Ok(element) = Element::read(document.as_bytes(), &XmlLimits::default()) {
            check(&element);
        }
    }
}

const PIECES: [&str; 28] = [
    "<a>",
    "</a>",
    "<a",
    ">",
    "/>",
    " b='",
    "'",
    " xmlns='urn:example:x'",
    " xmlns:p='urn:example:y'",
    "<p:a",
    "</p:a>",
    " p:b=\"\"",
    "x",
    " ",
    "\r\n",
    "&lt;",
    "&#13;",
    "&x;",
    "]]>",
    "<![CDATA[",
    "<!--",
    "-->",
    "<?x",
    "?>",
    "<b/>",
    " xmlns=''",
    "ü",
    "p:x",
];
