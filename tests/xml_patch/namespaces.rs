//! Declarations of namespaces as what a patch changes, and what becomes of names.

use presentity::xml::namespace::RPID;
use presentity::xml::patch::{PatchErrorKind, Steps, apply, read_operations};

use crate::{operations, patched, refused, text_of, whole};

// PIDF-51
#[test]
fn added_names_keep_their_namespaces_whatever_the_prefixes() {
    let mut root = whole("<q:a xmlns:q='urn:example:x' xmlns='urn:example:y'><b/></q:a>");
    let patch = whole(
        "<d xmlns='urn:example:x' xmlns:z='urn:example:y' xmlns:q='urn:example:new'>\
         <x:add xmlns:x='urn:example:d' sel='a/z:b'><c z:k='1'/><z:c/><q:c/><n xmlns=''/></x:add></d>",
    );
    let operations = read_operations(&patch, "urn:example:d").unwrap();
    apply(&mut root, &operations, &mut Steps::default()).unwrap();
    let read = whole(&text_of(&root));
    assert_eq!(read, root);
    let b = read.first("urn:example:y", "b").unwrap();
    let names: Vec<String> = b.elements().map(|it| it.name().to_string()).collect();
    let expected = [
        "{urn:example:x}c",
        "{urn:example:y}c",
        "{urn:example:new}c",
        "n",
    ];
    assert_eq!(names, expected);
    let c = b.elements().next().unwrap();
    assert_eq!(c.attributes.get("urn:example:y", "k"), Some("1"));
}

// PIDF-51
#[test]
fn declarations_are_added_changed_and_removed() {
    let document = "<a xmlns:p='urn:example:x'><b xmlns:q='urn:example:y'/></a>";
    for (operation, after) in [
        (
            "<add sel='a' type='namespace::n'>urn:example:n</add>",
            "<a xmlns:p=\"urn:example:x\" xmlns:n=\"urn:example:n\"><b xmlns:q=\"urn:example:y\"/></a>",
        ),
        (
            "<add sel='a/b' type='namespace::p'>urn:example:n</add>",
            "<a xmlns:p=\"urn:example:x\"><b xmlns:q=\"urn:example:y\" xmlns:p=\"urn:example:n\"/></a>",
        ),
        (
            "<replace sel='a/b/namespace::q'>urn:example:n</replace>",
            "<a xmlns:p=\"urn:example:x\"><b xmlns:q=\"urn:example:n\"/></a>",
        ),
        (
            "<replace sel='a/namespace::p'>urn:example:n</replace>",
            "<a xmlns:p=\"urn:example:n\"><b xmlns:q=\"urn:example:y\"/></a>",
        ),
        (
            "<remove sel='a/b/namespace::q'/>",
            "<a xmlns:p=\"urn:example:x\"><b/></a>",
        ),
        (
            "<remove sel='a/namespace::p'/>",
            "<a><b xmlns:q=\"urn:example:y\"/></a>",
        ),
    ] {
        assert_eq!(patched(document, operation), after, "{operation}");
    }
}

// PIDF-51
#[test]
fn names_written_with_a_prefix_follow_it() {
    let replace = "<replace sel='a/namespace::p'>urn:example:new</replace>";
    for (document, names) in [
        (
            "<a xmlns:p='urn:example:x'><p:b/><c p:k='1'/></a>",
            ["{urn:example:new}b {urn:example:new}k"].as_slice(),
        ),
        // Another prefix for the same namespace, declared outside or inside.
        (
            "<a xmlns:p='urn:example:x' xmlns:q='urn:example:x'><q:b/><p:b/></a>",
            &["{urn:example:x}b", "{urn:example:new}b"],
        ),
        (
            "<a xmlns:p='urn:example:x'><b xmlns='urn:example:x'/><p:b/></a>",
            &["{urn:example:x}b", "{urn:example:new}b"],
        ),
        // The prefix means something else further in, or the same by another declaration.
        (
            "<a xmlns:p='urn:example:x'><p:b xmlns:p='urn:example:y'/><p:b/></a>",
            &["{urn:example:y}b", "{urn:example:new}b"],
        ),
        (
            "<a xmlns:p='urn:example:x'><p:b xmlns:p='urn:example:x'/><p:b/></a>",
            &["{urn:example:x}b", "{urn:example:new}b"],
        ),
    ] {
        let mut root = whole(document);
        apply(
            &mut root,
            &operations(replace).unwrap(),
            &mut Steps::default(),
        )
        .unwrap();
        let read = whole(&text_of(&root));
        assert_eq!(read, root, "{document}");
        let found: Vec<String> = read.elements().map(|it| it.name().to_string()).collect();
        if let [both] = names {
            let (b, k) = both.split_once(' ').unwrap();
            assert_eq!(found, [b, "c"]);
            let c = read.elements().nth(1).unwrap();
            assert_eq!(c.attributes.iter().next().unwrap().name.to_string(), k);
        } else {
            assert_eq!(found, names, "{document}");
        }
        // When something else fails, they are as they were.
        let failing = format!("{replace}<remove sel='a/x'/>");
        assert_eq!(refused(document, &failing), PatchErrorKind::UnlocatedNode);
    }
    // Of well-known namespaces prefixes are not kept: the only one there is will be it.
    let document = format!("<a xmlns:p='{RPID}'><p:mood/></a>");
    let mut root = whole(&document);
    apply(
        &mut root,
        &operations(replace).unwrap(),
        &mut Steps::default(),
    )
    .unwrap();
    assert_eq!(
        root.elements().next().unwrap().namespace(),
        "urn:example:new"
    );
    let failing = format!("{replace}<remove sel='a/x'/>");
    assert_eq!(refused(&document, &failing), PatchErrorKind::UnlocatedNode);
}

// PIDF-51
#[test]
fn a_prefix_in_use_stays() {
    use PatchErrorKind as Kind;
    let remove = "<remove sel='a/namespace::p'/>";
    for document in [
        "<a xmlns:p='urn:example:x'><p:b/></a>",
        "<a xmlns:p='urn:example:x' xmlns:q='urn:example:x'><q:b><c p:k=''/></q:b></a>",
        "<a xmlns:p='urn:ietf:params:xml:ns:pidf'><c><p:note/></c></a>",
    ] {
        assert_eq!(
            refused(document, remove),
            Kind::InvalidNamespacePrefix,
            "{document}"
        );
    }
    for (document, after) in [
        (
            "<a xmlns:p='urn:example:x' xmlns:q='urn:example:x'><q:b/></a>",
            "<a xmlns:q=\"urn:example:x\"><q:b/></a>",
        ),
        (
            "<a xmlns:p='urn:example:x'><b xmlns:p='urn:example:y' p:k=''/></a>",
            "<a xmlns:p=\"urn:example:y\"><b p:k=\"\"/></a>",
        ),
    ] {
        assert_eq!(patched(document, remove), after, "{document}");
    }
    let gone = "<remove sel='a/b'/><remove sel='a/namespace::p'/>";
    assert_eq!(
        patched("<a xmlns:p='urn:example:x'><b><p:c/></b></a>", gone),
        "<a/>"
    );
}

#[test]
fn declarations_that_cannot_be() {
    use PatchErrorKind as Kind;
    let document = "<a xmlns:p='urn:example:x'>t<b/></a>";
    for (operation, kind) in [
        (
            "<add sel='a' type='namespace::p'>urn:example:n</add>",
            Kind::InvalidNamespacePrefix,
        ),
        (
            "<add sel='a' type='namespace::xml'>urn:example:n</add>",
            Kind::InvalidNamespacePrefix,
        ),
        (
            "<add sel='a' type='namespace::xmlns'>urn:example:n</add>",
            Kind::InvalidNamespacePrefix,
        ),
        (
            "<add sel='a' type='namespace::'>urn:example:n</add>",
            Kind::InvalidAttributeValue,
        ),
        (
            "<add sel='a' type='namespace::n'/>",
            Kind::InvalidNamespaceUri,
        ),
        (
            "<add sel='a' type='namespace::n'><b/></add>",
            Kind::InvalidNamespaceUri,
        ),
        (
            "<add sel='a' type='namespace::n'>http://www.w3.org/2000/xmlns/</add>",
            Kind::InvalidNamespaceUri,
        ),
        (
            "<add sel='a/text()' type='namespace::n'>urn:example:n</add>",
            Kind::InvalidNodeTypes,
        ),
        ("<replace sel='a/namespace::p'/>", Kind::InvalidNamespaceUri),
        (
            "<replace sel='a/namespace::p'>http://www.w3.org/XML/1998/namespace</replace>",
            Kind::InvalidNamespaceUri,
        ),
        (
            "<replace sel='a/namespace::p'><b/></replace>",
            Kind::InvalidNodeTypes,
        ),
        (
            "<replace sel='a/namespace::n'>urn:example:n</replace>",
            Kind::InvalidNamespacePrefix,
        ),
        // It is in scope there, but not declared there.
        (
            "<replace sel='a/b/namespace::p'>urn:example:n</replace>",
            Kind::InvalidNamespacePrefix,
        ),
        (
            "<remove sel='a/b/namespace::p'/>",
            Kind::InvalidNamespacePrefix,
        ),
        (
            "<remove sel='a/namespace::xml'/>",
            Kind::InvalidNamespacePrefix,
        ),
        (
            "<remove sel='a/namespace::p' ws='both'/>",
            Kind::InvalidAttributeValue,
        ),
        ("<remove sel='a/c/namespace::p'/>", Kind::UnlocatedNode),
        (
            "<add sel='a/namespace::p' pos='before'>x</add>",
            Kind::InvalidAttributeValue,
        ),
    ] {
        assert_eq!(refused(document, operation), kind, "{operation}");
    }
    let long = "n".repeat(1000);
    let operation = format!("<add sel='a' type='namespace::n'>urn:{long}</add>");
    assert_eq!(refused(document, &operation), Kind::TooLarge);
    // Two attributes would become one.
    let twice = "<a xmlns:p='urn:example:x' xmlns:q='urn:example:y'><b p:k='1' q:k='2'/></a>";
    let replace = "<replace sel='a/namespace::p'>urn:example:y</replace>";
    assert_eq!(refused(twice, replace), Kind::InvalidNamespaceUri);
}

#[test]
fn values_keep_the_meaning_of_their_prefixes() {
    let mut root = whole("<a xmlns:k='urn:example:other'/>");
    let patch = whole(
        "<d xmlns:k='urn:example:kinds' xmlns:u='urn:example:unused'><add sel='a'><b t='k:one'/>\
         <c xmlns:k='urn:example:own' t='k:two'/><e>u-: no <f>u: yes</f></e></add></d>",
    );
    let operations = read_operations(&patch, "").unwrap();
    apply(&mut root, &operations, &mut Steps::default()).unwrap();
    let read = whole(&text_of(&root));
    let declared = |local: &str| {
        let element = read.first("", local).unwrap();
        let all: Vec<_> = element
            .declarations()
            .map(|(prefix, ns)| format!("{prefix}={ns}"))
            .collect();
        all.join(" ")
    };
    assert_eq!(declared("b"), "k=urn:example:kinds");
    assert_eq!(declared("c"), "k=urn:example:own");
    assert_eq!(declared("e"), "u=urn:example:unused");
}
