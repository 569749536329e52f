//! What is well-formed is read, what is not is refused, with the place and the reason.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed"
)]

mod corpus;

use presentity::xml::{Element, NodeRef, XmlError, XmlErrorKind, XmlLimit, XmlLimits};

fn read(document: impl AsRef<[u8]>) -> Result<Element, XmlError> {
    Element::read(document.as_ref(), &XmlLimits::default())
}

fn kind(document: impl AsRef<[u8]>) -> XmlErrorKind {
    read(document).unwrap_err().kind().clone()
}

fn place(document: &str) -> (u32, u32, String) {
    let error = read(document).unwrap_err();
    let location = error.location();
    (location.line, location.column, location.path.clone())
}

#[test]
fn well_formed_documents() {
    for document in [
        "<a/>",
        " \t\r\n<a/>\n ",
        "<!-- x --><?y z?><a/><!----><?y?>",
        "<a></a >",
        "<a\n\tb = 'c'\r\n/>",
        "<a b='\"' c=\"'\"/>",
        "<a b='>'>></a>",
        "<a>]] ]> ] ></a>",
        "<a>&#60;&#x3C;&#x0000000000000000000000003C;</a>",
        "<a><![CDATA[]]></a>",
        "<a><![CDATA[<b>&c;]]]]><![CDATA[>]]></a>",
        "<a><!-- <b> & -> - --></a>",
        "<a><?x <b> & ? > ??></a>",
        "<?xml-stylesheet href='x'?><a/>",
        "<é ü='ß'/>",
        "<a\u{B7}b.c-d_e/>",
        "<a xmlns:é='urn:example:x'><é:ü/></a>",
        "<xmlish xmlnsish='1' xml2='2'/>",
        "<a xmlns:xmlish='urn:example:x' xmlish:b=''/>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='en'/>",
        "<a xmlns='urn:example:x' xmlns:p='urn:example:x' b='' p:b=''/>",
        "<a xmlns='urn:example:x'><b xmlns=''/></a>",
        "<p:a xmlns:p='urn:example:x'><p:b xmlns:p='urn:example:y'/></p:a>",
        "<a p:b='1' xmlns:p='urn:example:x'/>",
        "<a xmlns:p='relative' xmlns:q='urn:example:x#frag'/>",
        "\u{FEFF}<a/>",
        "<a>\u{FEFF}</a>",
    ] {
        assert!(read(document).is_ok(), "{document}: {:?}", read(document));
    }
}

#[test]
fn text_is_what_xml_says_it_is() {
    for (document, text) in [
        ("<a>x\r\ny\rz\n\r</a>", "x\ny\nz\n\n"),
        ("<a>x&#13;&#10;y\r&#10;</a>", "x\r\ny\n\n"),
        ("<a><![CDATA[x\r\n]]>\r</a>", "x\n\n"),
        ("<a> &#32;&lt; </a>", "  < "),
        ("<a>a<!-- b -->c<?d?>e</a>", "ace"),
        ("<a>&amp;amp;</a>", "&amp;"),
        ("<a><![CDATA[&amp;]]></a>", "&amp;"),
        ("<a>&#x1F600;\u{10FFFF}</a>", "\u{1F600}\u{10FFFF}"),
    ] {
        assert_eq!(read(document).unwrap().text(), text, "{document:?}");
    }
}

#[test]
fn attribute_values_are_normalized() {
    for (written, value) in [
        ("x\ty\nz\rw\r\nv", "x y z w v"),
        ("&#9;&#10;&#13;", "\t\n\r"),
        (" x  y ", " x  y "),
        ("&lt;&gt;&amp;&quot;&apos;", "<>&\"'"),
        ("é&#xE9;", "éé"),
        ("", ""),
    ] {
        let element = read(format!("<a b='{written}'/>")).unwrap();
        assert_eq!(element.attribute("b"), Some(value), "{written:?}");
    }
}

#[test]
fn every_reference_at_every_boundary() {
    let references = [
        ("&amp;", '&'),
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&quot;", '"'),
        ("&apos;", '\''),
        ("&#38;", '&'),
        ("&#x26;", '&'),
        ("&#x20;", ' '),
        ("&#9;", '\t'),
        ("&#xe9;", 'é'),
        ("&#x1F600;", '\u{1F600}'),
        ("&#1114111;", '\u{10FFFF}'),
    ];
    let around = "aé b\u{1F600}c";
    let boundaries: Vec<usize> = (0..=around.len())
        .filter(|&at| around.is_char_boundary(at))
        .collect();
    for (reference, c) in references {
        for &first in &boundaries {
            for &second in boundaries.iter().filter(|&&second| second >= first) {
                let mut written = around.to_owned();
                let mut expected = around.to_owned();
                for at in [second, first] {
                    written.insert_str(at, reference);
                    expected.insert(at, c);
                }
                let document = format!("<a b='{written}'>{written}</a>");
                let element = read(&document).unwrap();
                assert_eq!(element.attribute("b"), Some(&*expected), "{document}");
                assert_eq!(element.text(), expected, "{document}");

                // Beside a comment and a CDATA section the pieces still make one text.
                let mut broken = written.clone();
                broken.insert_str(second + reference.len(), "<!--x--><![CDATA[y]]>");
                let mut whole = expected.clone();
                whole.insert(second + c.len_utf8(), 'y');
                let element = read(format!("<a>{broken}<b/></a>")).unwrap();
                assert_eq!(element.children().count(), 2, "{broken}");
                assert_eq!(element.text(), whole, "{broken}");
            }
        }
    }
}

#[test]
fn one_root_and_nothing_around_it() {
    assert_eq!(kind(""), XmlErrorKind::NoRoot);
    assert_eq!(kind(" \n"), XmlErrorKind::NoRoot);
    assert_eq!(kind("\u{FEFF}"), XmlErrorKind::NoRoot);
    assert_eq!(kind("<?xml version='1.0'?>"), XmlErrorKind::NoRoot);
    assert_eq!(kind("<!-- x -->"), XmlErrorKind::NoRoot);
    assert_eq!(kind("<a/><b/>"), XmlErrorKind::SecondRoot);
    assert_eq!(kind("<a></a><a></a>"), XmlErrorKind::SecondRoot);
    for document in [
        "x<a/>",
        "<a/>x",
        "<a/>\n<!-- x -->y",
        "&amp;<a/>",
        "<a/>&#32;",
        "<![CDATA[]]><a/>",
        "<a/><![CDATA[x]]>",
        "\u{FEFF}\u{FEFF}<a/>",
        "<?xml version='1.0'?>\u{FEFF}<a/>",
        " \u{FEFF}<a/>",
        "\u{A0}<a/>",
        "<a/>]]>",
    ] {
        assert_eq!(
            kind(document),
            XmlErrorKind::TextOutsideRoot,
            "{document:?}"
        );
    }
}

#[test]
fn what_is_opened_is_closed() {
    for document in [
        "<a>",
        "<a><b></b>",
        "<a>text",
        "<a",
        "<a b",
        "<a b=",
        "<a b='",
        "<a b='c'",
        "<a/",
        "<",
        "</",
        "<a></",
        "<a></a",
        "<a><!",
        "<a><!-",
        "<a><!--",
        "<a><!-- x",
        "<a><!-- x --",
        "<a><![",
        "<a><![CDATA[",
        "<a><![CDATA[x]]",
        "<a><?",
        "<a><?x",
        "<a><?x ?",
    ] {
        let kind = kind(document);
        let expected = matches!(kind, XmlErrorKind::Unclosed { .. })
            || document.ends_with("<!") && matches!(kind, XmlErrorKind::Syntax { .. });
        assert!(expected, "{document}: {kind:?}");
    }
    for document in [
        "</a>",
        "<a></b>",
        "<a></A>",
        "<a><b></a></b>",
        "<a/></a>",
        "<a></a b=''>",
    ] {
        let kind = kind(document);
        assert!(
            matches!(kind, XmlErrorKind::MismatchedEnd { .. }),
            "{document}: {kind:?}"
        );
    }
    let mismatched = "<p:a xmlns:p='urn:example:x' xmlns:q='urn:example:x'></q:a>";
    assert!(matches!(
        kind(mismatched),
        XmlErrorKind::MismatchedEnd { .. }
    ));
}

#[test]
fn markup_that_breaks_the_grammar() {
    for document in [
        "< a/>",
        "<>",
        "<a/ >",
        "<a / >",
        "<a></ a>",
        "</>",
        "<a></>",
        "<a b/>",
        "<a b c='d'/>",
        "<a b=c/>",
        "<a b='c'd='e'/>",
        "<a b='c'\"d\"/>",
        "<a 'b'/>",
        "<a ='b'/>",
        "<a b=='c'/>",
        "<a b='<'/>",
        "<a b='&lt'/>",
        "<a b='&'/>",
        "<a b='& '/>",
        "<a b='&;'/>",
        "<a>&</a>",
        "<a>& </a>",
        "<a>&lt</a>",
        "<a>&lt &gt;</a>",
        "<a>&;</a>",
        "<a>&#;</a>",
        "<a>&#x;</a>",
        "<a>&#xg;</a>",
        "<a>&#1a;</a>",
        "<a>&#X41;</a>",
        "<a>&# 65;</a>",
        "<a>&#-65;</a>",
        "<a>&#+65;</a>",
        "<a>& amp;</a>",
        "<a>&amp ;</a>",
        "<a>&p:x;</a>",
        "<a>]]></a>",
        "<a>x]]>y</a>",
        "<a>&#93;]]></a>",
        "<a><!-- -- --></a>",
        "<a><!-- x ---></a>",
        "<a><!--></a>",
        "<a><!---></a>",
        "<a><![cdata[x]]></a>",
        "<a><![CDAT[x]]></a>",
        "<a><!ELEMENT a ANY></a>",
        "<a><!></a>",
        "<a><??></a>",
        "<a><? x?></a>",
        "<a><?1x?></a>",
        "<a><?x:y z?></a>",
        "<a><?x\"y?></a>",
    ] {
        let refused = match kind(document) {
            XmlErrorKind::Syntax { .. } => true,
            // quick-xml sees the name of the end tag first.
            XmlErrorKind::MismatchedEnd { .. } => document.contains("</"),
            XmlErrorKind::Unclosed { .. } => document.contains("<!--") || document.contains("<?"),
            _ => false,
        };
        assert!(refused, "{document}: {:?}", kind(document));
    }
}

#[test]
fn names_that_are_none() {
    for name in [
        "1a",
        "-a",
        ".a",
        ":a",
        "a:",
        ":",
        "a:b:c",
        "a::b",
        "p:1",
        "\u{D7}",
        "a\u{D7}",
        "\u{B7}a",
        "a@b",
        "a$",
        "a,b",
        "a|b",
        "\u{300}a",
        "a\u{2028}b",
        "a\u{F0000}",
    ] {
        let element = format!("<x xmlns:p='urn:example:p' xmlns:a='urn:example:a'><{name}/></x>");
        assert!(
            matches!(kind(&element), XmlErrorKind::Syntax { .. }),
            "{name}"
        );
        let attribute = format!("<x xmlns:p='urn:example:p' xmlns:a='urn:example:a' {name}='1'/>");
        assert!(
            matches!(kind(&attribute), XmlErrorKind::Syntax { .. }),
            "{name}"
        );
    }
    assert!(matches!(
        kind("<x xmlns:='urn:example:p'/>"),
        XmlErrorKind::Syntax { .. }
    ));
    assert!(matches!(
        kind("<x xmlns:1='urn:example:p'/>"),
        XmlErrorKind::Syntax { .. }
    ));
}

#[test]
fn characters_that_are_none() {
    for code in (0..0x20).chain([0xFFFE, 0xFFFF]) {
        if matches!(code, 0x9 | 0xA | 0xD) {
            continue;
        }
        let c = char::from_u32(code).unwrap();
        let expected = XmlErrorKind::Character { code };
        for document in [
            format!("<a>{c}</a>"),
            format!("<a b='{c}'/>"),
            format!("<a><!--{c}--></a>"),
            format!("<a><?x {c}?></a>"),
            format!("<a><![CDATA[{c}]]></a>"),
            format!("<a/>{c}"),
            format!("<a>&#{code};</a>"),
            format!("<a b='&#x{code:x};'/>"),
        ] {
            assert_eq!(kind(&document), expected, "{document:?}");
        }
    }
    for (reference, code) in [
        ("&#xD800;", 0xD800),
        ("&#xDFFF;", 0xDFFF),
        ("&#x110000;", 0x11_0000),
        ("&#99999999999999999999;", u32::MAX),
        ("&#xFFFFFFFFFFFFFFFFFFFF;", u32::MAX),
    ] {
        let expected = XmlErrorKind::Character { code };
        assert_eq!(kind(format!("<a>{reference}</a>")), expected);
        assert_eq!(kind(format!("<a b='{reference}'/>")), expected);
    }
    assert_eq!(kind(b"<a>\xC3\x28</a>"), XmlErrorKind::NotUtf8);
    assert_eq!(kind(b"<a>\xF8\x88\x80\x80\x80</a>"), XmlErrorKind::NotUtf8);
}

// SEC-39
#[test]
fn no_document_type_and_no_entities_of_ones_own() {
    for document in [
        "<!DOCTYPE a><a/>",
        "<!doctype a><a/>",
        "<!DOCTYPE",
        "<!D",
        "<?xml version='1.0'?>\n<!DOCTYPE a SYSTEM 'http://example.com/a.dtd'><a/>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
        "<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;&b;&b;&b;&b;&b;&b;'>]><a>&d;</a>",
        "<a><!DOCTYPE a></a>",
        "<a/><!DOCTYPE a>",
    ] {
        assert_eq!(kind(document), XmlErrorKind::Doctype, "{document}");
    }
    for name in ["b", "nbsp", "AMP", "Lt", "x.y", "ü"] {
        let expected = XmlErrorKind::UndefinedEntity {
            name: name.to_owned(),
        };
        assert_eq!(kind(format!("<a>&{name};</a>")), expected);
        assert_eq!(kind(format!("<a b='&{name};'/>")), expected);
    }
}

#[test]
fn declarations_stand_at_the_beginning() {
    for document in [
        " <?xml version='1.0'?><a/>",
        "<!-- x --><?xml version='1.0'?><a/>",
        "<a><?xml version='1.0'?></a>",
        "<a/><?xml version='1.0'?>",
        "<a><?XML x?></a>",
        "<?xML?><a/>",
        "<?xml version='1.0'?><?xml version='1.0'?><a/>",
        "<?xml?><a/>",
    ] {
        assert_eq!(kind(document), XmlErrorKind::Declaration, "{document}");
    }
}

#[test]
fn prefixes_have_to_be_declared() {
    for document in [
        "<p:a/>",
        "<a p:b=''/>",
        "<a><b xmlns:p='urn:example:x'/><p:c/></a>",
        "<a xmlns:P='urn:example:x'><p:b/></a>",
        "<a xmlns:p='urn:example:x' q:b=''/>",
    ] {
        let kind = kind(document);
        assert!(
            matches!(kind, XmlErrorKind::UndeclaredPrefix { .. }),
            "{document}: {kind:?}"
        );
    }
}

#[test]
fn reserved_prefixes_and_namespaces() {
    for document in [
        "<a xmlns:xml='urn:example:x'/>",
        "<a xmlns:xmlns='urn:example:x'/>",
        "<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns:p=''/>",
        "<a xmlns:p='urn:example:x'><b xmlns:p=''/></a>",
        "<xml:a/>",
        "<xmlns:a/>",
    ] {
        let kind = kind(document);
        assert!(
            matches!(kind, XmlErrorKind::ReservedPrefix { .. }),
            "{document}: {kind:?}"
        );
    }
}

#[test]
fn attributes_occur_once() {
    for document in [
        "<a b='' b=''/>",
        "<a xmlns:p='urn:example:x' p:b='' p:b=''/>",
        "<a xmlns:p='urn:example:x' xmlns:q='urn:example:x' p:b='1' q:b='2'/>",
        "<p:a xmlns:p='urn:example:x'><b xmlns:q='urn:example:x' p:b='' c='' q:b=''/></p:a>",
        "<a xmlns='urn:example:x' xmlns='urn:example:x'/>",
        "<a xmlns:p='urn:example:x' xmlns:p='urn:example:y'/>",
        "<a xml:lang='en' xml:lang='en'/>",
    ] {
        let kind = kind(document);
        assert!(
            matches!(kind, XmlErrorKind::DuplicateAttribute { .. }),
            "{document}: {kind:?}"
        );
    }
    // Many attributes are compared in another way.
    for doubled in 0..30 {
        let mut document = String::from("<a xmlns:p='urn:example:x' xmlns:q='urn:example:x'");
        for at in 0..30 {
            document.push_str(&format!(" p:b{at}=''"));
        }
        let good = format!("{document} b{doubled}=''/>");
        assert!(read(good).is_ok());
        let bad = format!("{document} q:b{doubled}=''/>");
        assert!(matches!(kind(bad), XmlErrorKind::DuplicateAttribute { .. }));
    }
}

#[test]
fn errors_say_where() {
    assert_eq!(place("<a>\n  <b>\r\n   <c:d/>"), (3, 5, "a/b".to_owned()));
    assert_eq!(place("<a>é&x;</a>"), (1, 5, "a".to_owned()));
    assert_eq!(place("<a\n b='1'\n b='2'/>").0, 1);
    assert_eq!(place("<a>\r\r</b>"), (3, 1, "a".to_owned()));
    assert_eq!(place("<a/>\n<b/>"), (2, 1, String::new()));
    assert_eq!(place("\u{FEFF}<a>\u{1}</a>"), (1, 4, String::new()));
    let error = read("<a>\n <b/>\n</x>").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 3, column 1, in a: expected the end tag of a, found that of x"
    );
    assert_eq!(error.clone(), error);
    // Long paths and whatever is quoted are cut short.
    let deep = |levels: usize| place(&"<a>".repeat(levels)).2;
    assert_eq!(deep(16), ["a"; 16].join("/"));
    assert_eq!(deep(17), format!("{}/…", ["a"; 16].join("/")));
    let long = read(format!("<a>&{};</a>", "é".repeat(100))).unwrap_err();
    assert!(long.to_string().len() < 200, "{long}");
}

fn limited(change: impl FnOnce(&mut XmlLimits)) -> XmlLimits {
    let mut limits = XmlLimits::default();
    change(&mut limits);
    limits
}

/// `fits` is read within the limits and `exceeds` is refused by this one of them.
fn check_limit(limits: &XmlLimits, limit: XmlLimit, max: usize, fits: &str, exceeds: &str) {
    let read = Element::read(fits.as_bytes(), limits);
    assert!(read.is_ok(), "{fits}: {read:?}");
    let error = Element::read(exceeds.as_bytes(), limits).unwrap_err();
    assert_eq!(
        *error.kind(),
        XmlErrorKind::Limit { limit, max },
        "{exceeds}"
    );
}

// SEC-39
#[test]
fn every_limit_holds_exactly() {
    let limits = limited(|limits| limits.bytes = 8);
    check_limit(&limits, XmlLimit::Bytes, 8, "<aaaaa/>", "<aaaaaa/>");
    let limits = limited(|limits| limits.depth = 3);
    check_limit(
        &limits,
        XmlLimit::Depth,
        3,
        "<a><b><c/><c></c></b></a>",
        "<a><b><c><d/></c></b></a>",
    );
    let limits = limited(|limits| limits.attributes = 2);
    check_limit(
        &limits,
        XmlLimit::Attributes,
        2,
        "<a b='' xmlns='' c=''/>",
        "<a b='' xmlns='' c='' d=''/>",
    );
    let limits = limited(|limits| limits.namespaces = 2);
    check_limit(
        &limits,
        XmlLimit::Namespaces,
        2,
        "<a xmlns:p='urn:example:x' xmlns:q='urn:example:y' xmlns:r='urn:example:y' xmlns=''/>",
        "<a xmlns:p='urn:example:x' xmlns:q='urn:example:y' xmlns:r='urn:example:y' xmlns=''><b xmlns=''/></a>",
    );
    check_limit(
        &limits,
        XmlLimit::Namespaces,
        2,
        "<a xmlns:p='urn:example:x'><b xmlns:p='urn:example:x'/><b xmlns='urn:example:y'/></a>",
        "<a><b xmlns='urn:example:x'/><b xmlns='urn:example:y'/><b xmlns='urn:example:z'/></a>",
    );
    let limits = limited(|limits| limits.namespace_name = 5);
    check_limit(
        &limits,
        XmlLimit::NamespaceName,
        5,
        "<a xmlns='urn:x' xmlns:p='urn:&#120;'/>",
        "<a xmlns='urn:xy'/>",
    );
    check_limit(
        &limits,
        XmlLimit::NamespaceName,
        5,
        "<a xmlns:p='urn:ietf:params:xml:ns:pidf'/>",
        "<a><b xmlns:p='urn:&#120;y'/></a>",
    );
    let limits = limited(|limits| limits.name = 4);
    check_limit(&limits, XmlLimit::Name, 4, "<abcd efgh=''/>", "<abcde/>");
    check_limit(
        &limits,
        XmlLimit::Name,
        4,
        "<a><?abcd?></a>",
        "<a abcde=''/>",
    );
    check_limit(&limits, XmlLimit::Name, 4, "<a/>", "<a><?abcde?></a>");
    let limits = limited(|limits| limits.text = 4);
    check_limit(
        &limits,
        XmlLimit::Text,
        4,
        "<a b='abcd'>abcd</a>",
        "<a>abcde</a>",
    );
    check_limit(
        &limits,
        XmlLimit::Text,
        4,
        "<a>ab&lt;d</a>",
        "<a b='abcde'/>",
    );
    check_limit(
        &limits,
        XmlLimit::Text,
        4,
        "<a>ab<![CDATA[cd]]></a>",
        "<a>ab<!--x-->cd<![CDATA[e]]></a>",
    );
    check_limit(
        &limits,
        XmlLimit::Text,
        4,
        "<a>abc&#xE9;</a>".replace("abc", "ab").as_str(),
        "<a>abc&#xE9;</a>",
    );
    let limits = limited(|limits| limits.nodes = 4);
    check_limit(
        &limits,
        XmlLimit::Nodes,
        4,
        "<a b=''><c/><d/></a>",
        "<a b=''><c/><d e=''/></a>",
    );
    // More than can be allowed counts as what can.
    let limits = limited(|limits| limits.depth = usize::MAX);
    let deepest = XmlLimits::MAX_DEPTH;
    let nested = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
    check_limit(
        &limits,
        XmlLimit::Depth,
        deepest,
        &nested(deepest),
        &nested(deepest + 1),
    );
}

fn refused_by(document: &str, limits: &XmlLimits, limit: XmlLimit) {
    let error = Element::read(document.as_bytes(), limits).unwrap_err();
    assert!(
        matches!(error.kind(), XmlErrorKind::Limit { limit: found, .. } if *found == limit),
        "{error}"
    );
}

// SEC-39
#[test]
fn floods_are_refused_by() {
    let limits = XmlLimits::default();
    let mut attributes = String::from("<a");
    let mut declarations = String::from("<a");
    let mut nested_declarations = String::new();
    for at in 0..80_000 {
        attributes.push_str(&format!(" b{at}=''"));
    }
    for at in 0..10_000 {
        declarations.push_str(&format!(" xmlns:b{at}='urn:example:{at}'"));
        nested_declarations.push_str(&format!("<a xmlns='urn:example:{at}'/>"));
    }
    refused_by(&format!("{attributes}/>"), &limits, XmlLimit::Attributes);
    refused_by(&format!("{declarations}/>"), &limits, XmlLimit::Namespaces);
    refused_by(
        &format!("<a>{nested_declarations}</a>"),
        &limits,
        XmlLimit::Namespaces,
    );
    let prefix = "p".repeat(64 * 1024);
    refused_by(
        &format!("<{prefix}:a xmlns:{prefix}='urn:example:x'/>"),
        &limits,
        XmlLimit::Name,
    );
    refused_by(
        &format!("<a xmlns:{prefix}='urn:example:x'/>"),
        &limits,
        XmlLimit::Name,
    );
    refused_by(&"<a>".repeat(10_000), &limits, XmlLimit::Depth);
    refused_by(
        &format!("<a>{}</a>", "<b/>".repeat(1_100_000)),
        &limits,
        XmlLimit::Nodes,
    );
    refused_by(
        &format!("<a>{}</a>", "x".repeat((1 << 20) + 1)),
        &limits,
        XmlLimit::Text,
    );
    refused_by(
        &format!("<a>{}</a>", "&lt;".repeat((1 << 20) + 1)),
        &limits,
        XmlLimit::Text,
    );
    refused_by(&"<".repeat((1 << 24) + 1), &limits, XmlLimit::Bytes);
}

/// Generous limits, so that nothing but the reader's own speed bounds what it does.
fn unlimited() -> XmlLimits {
    limited(|limits| {
        limits.bytes = usize::MAX;
        limits.depth = usize::MAX;
        limits.attributes = usize::MAX;
        limits.namespaces = usize::MAX;
        limits.namespace_name = usize::MAX;
        limits.name = usize::MAX;
        limits.text = usize::MAX;
        limits.nodes = usize::MAX;
    })
}

/// Documents of about `many` parts, each of a kind that a careless reader is slow with.
fn laborious(many: usize) -> Vec<String> {
    let mut attributes = String::from("<a");
    let mut prefixes = String::from("<a>");
    for at in 0..many {
        attributes.push_str(&format!(" b{at}=''"));
        prefixes.push_str(&format!("<p{at}:b xmlns:p{at}='urn:example:x'/>"));
    }
    attributes.push_str("/>");
    prefixes.push_str("</a>");
    vec![
        attributes,
        prefixes,
        format!("<a>{}</a>", "<b/>".repeat(many)),
        format!("<a>{}</a>", "<b/> ".repeat(many)),
        format!("<a>{}x</a>", "<b/> ".repeat(many)),
        format!("<a>{}</a>", "&amp;".repeat(many)),
        format!("<a>{}</a>", "x&#10;".repeat(many)),
        format!("<a>{}</a>", "<!---->".repeat(many)),
        format!("<a>{}</a>", "x<!---->".repeat(many)),
        format!("<a>{}</a>", "<![CDATA[]]]]>".repeat(many)),
        format!("<a>{}</a>", "]".repeat(many)),
        format!("<a>{}</a>", "]]&gt;".repeat(many)),
        format!("<a>{}</a>", "<?x?>".repeat(many)),
        format!("<a b='{}'/>", "&amp;\t".repeat(many)),
        format!("<a>{}</a>", "\r\n".repeat(many)),
        format!("<a>{}</a>", "<b xmlns='urn:example:x'/>".repeat(many)),
        format!(
            "<a xmlns:x='urn:example:x'>{}</a>",
            "<b c='x:y'/>".repeat(many)
        ),
        format!("<{0}/>", "a".repeat(many * 10)),
        "<a>&".repeat(many),
        "<a b='".repeat(many),
        "<!--".repeat(many),
        "<a><![CDATA[".repeat(many),
        "<?x ".repeat(many),
        "\u{FFFD}".repeat(many),
        format!("<a>{}", "\u{FFFD}".repeat(many)),
    ]
}

// SEC-39: each of these would take minutes, were any of the work quadratic.
#[test]
fn laborious_documents_are_read_and_written_back() {
    let limits = unlimited();
    for document in laborious(16_000) {
        if let Ok(element) = Element::read(document.as_bytes(), &limits) {
            assert_eq!(element, element.clone());
            let written = element.write().unwrap();
            assert_eq!(Element::read(&written, &limits), Ok(element));
        }
    }
}

#[test]
fn the_deepest_tree_is_handled_whole() {
    let levels = XmlLimits::MAX_DEPTH;
    let document = format!("{}x{}", "<a b='c'>".repeat(levels), "</a>".repeat(levels));
    let element = Element::read(document.as_bytes(), &unlimited()).unwrap();
    let copy = element.clone();
    assert_eq!(element, copy);
    assert!(format!("{element:?}").len() > levels);
    assert!(element.write().unwrap().len() > document.len());
}

// CVE-2022-24763 and its like: whatever is cut off, reading ends, and with an error.
#[test]
fn truncated_anywhere() {
    for document in corpus::ALL {
        let bytes = document.trim_end().as_bytes();
        let root_ends = document.rfind("presence>").map_or(bytes.len(), |at| at + 9);
        for end in 0..bytes.len() {
            // Only white space may follow the root element unfinished.
            let complete = end >= root_ends && bytes[root_ends..end].trim_ascii().is_empty();
            assert_eq!(read(&bytes[..end]).is_ok(), complete, "{end}");
        }
        assert!(read(bytes).is_ok());
    }
}

#[test]
fn any_byte_changed_to_something_else() {
    let check = |document: &[u8]| {
        // What is still well-formed survives writing and reading.
        if let Ok(element) = read(document) {
            let written = element.write().unwrap();
            assert_eq!(read(&written).unwrap(), element);
        }
    };
    for document in [corpus::PLAIN, corpus::ODD_PREFIXES] {
        let bytes = document.as_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            for other in *b"<>&'/ :]\0\xFF" {
                changed[at] = other;
                check(&changed);
            }
            changed.remove(at);
            check(&changed);
        }
    }
}

#[test]
fn mixed_content_is_kept_in_order() {
    let element = read("<a>one<b/>two<!-- x -->three<c>&lt;</c></a>").unwrap();
    let parts: Vec<String> = element
        .children()
        .map(|node| match node {
            NodeRef::Element(element) => format!("<{}>", element.local()),
            NodeRef::Text(text) => text.to_owned(),
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(parts, ["one", "<b>", "twothree", "<c>"]);
}
