//! Selectors: their grammar, and what they find.

use presentity::xml::patch::{
    PatchErrorKind, Predicate, Selector, SelectorStart, Step, Steps, Target, apply, apply_with_ids,
};
use presentity::xml::{Name, namespace};

use crate::{operations, patched, refused, text_of, whole};

const DECLARATIONS: [(&str, &str); 3] = [
    ("", "urn:example:fruit"),
    ("b", "urn:example:berry"),
    ("c", "urn:example:outer"),
];

fn fruit(local: &str) -> Option<Name> {
    Some(Name::new("urn:example:fruit", local))
}

fn berry(local: &str) -> Name {
    Name::new("urn:example:berry", local)
}

fn read(text: &str) -> Selector {
    Selector::read(text, &DECLARATIONS).unwrap_or_else(|error| panic!("{text}: {error}"))
}

// PIDF-51
#[test]
fn every_form_is_read() {
    let bowl = || Step::new(fruit("bowl"));
    for (text, steps, target) in [
        ("bowl", vec![bowl()], Target::Element),
        ("/bowl", vec![bowl()], Target::Element),
        ("*", vec![Step::new(None)], Target::Element),
        (
            "bowl/b:straw[3]",
            vec![
                bowl(),
                Step::new(Some(berry("straw"))).with(Predicate::Position(3)),
            ],
            Target::Element,
        ),
        (
            "*[@kind='ripe'][@b:size=\"it's\"]",
            vec![
                Step::new(None)
                    .with(Predicate::Attribute(Name::new("", "kind"), "ripe".into()))
                    .with(Predicate::Attribute(berry("size"), "it's".into())),
            ],
            Target::Element,
        ),
        (
            "bowl[note=''][b:note='/]\"'][*='z'][.='&<']",
            vec![
                bowl()
                    .with(Predicate::Child(fruit("note"), String::new()))
                    .with(Predicate::Child(Some(berry("note")), "/]\"".into()))
                    .with(Predicate::Child(None, "z".into()))
                    .with(Predicate::Value("&<".into())),
            ],
            Target::Element,
        ),
        (
            "bowl/@kind",
            vec![bowl()],
            Target::Attribute(Name::new("", "kind")),
        ),
        (
            "bowl/@b:kind",
            vec![bowl()],
            Target::Attribute(berry("kind")),
        ),
        (
            "bowl/@xml:lang",
            vec![bowl()],
            Target::Attribute(Name::new(namespace::XML, "lang")),
        ),
        (
            "bowl/namespace::q",
            vec![bowl()],
            Target::Namespace("q".into()),
        ),
        ("bowl/text()", vec![bowl()], Target::Text(None)),
        ("bowl/text()[2]", vec![bowl()], Target::Text(Some(2))),
        ("bowl/comment()", vec![bowl()], Target::Comment(None)),
        ("comment()[1]", vec![], Target::Comment(Some(1))),
        (
            "bowl/processing-instruction()[4]",
            vec![bowl()],
            Target::Instruction(None, Some(4)),
        ),
        (
            "bowl/processing-instruction(\"peel\")",
            vec![bowl()],
            Target::Instruction(Some("peel".into()), None),
        ),
        // Names that are also those of functions, and white space, which means nothing.
        (
            " / bowl [ 2 ] / id / text / namespace / comment ( ) [ 1 ] ",
            vec![
                bowl().with(Predicate::Position(2)),
                Step::new(fruit("id")),
                Step::new(fruit("text")),
                Step::new(fruit("namespace")),
            ],
            Target::Comment(Some(1)),
        ),
        (
            "bowl[99999999999999999999]",
            vec![bowl().with(Predicate::Position(u32::MAX))],
            Target::Element,
        ),
    ] {
        let selector = read(text);
        assert_eq!(selector.start, SelectorStart::Document, "{text}");
        assert_eq!(selector.steps, steps, "{text}");
        assert_eq!(selector.target, target, "{text}");
    }
    for (text, steps, target) in [
        ("id('x-1')", vec![], Target::Element),
        (
            "/id(\"x-1\")/@kind",
            vec![],
            Target::Attribute(Name::new("", "kind")),
        ),
        ("id('x-1')/bowl/text()", vec![bowl()], Target::Text(None)),
    ] {
        let selector = read(text);
        assert_eq!(
            selector.start,
            SelectorStart::Id("x-1".to_owned()),
            "{text}"
        );
        assert_eq!((selector.steps, selector.target), (steps, target), "{text}");
    }
}

#[test]
fn what_is_no_selector_is_refused() {
    for text in [
        "",
        "/",
        "//bowl",
        "bowl/",
        "bowl//note",
        "bowl/..",
        ".",
        "bowl note",
        "bowl[",
        "bowl[]",
        "bowl[-1]",
        "bowl[1.5]",
        "bowl[1",
        "bowl[@kind]",
        "bowl[@*='x']",
        "bowl[@kind='x]",
        "bowl[@kind='x' or @kind='y']",
        "bowl[\"'x'\"]",
        "bowl[note=\"'x']",
        "bowl[last()]",
        "bowl['x'='y']",
        "bowl/@kind/note",
        "bowl/@kind[1]",
        "bowl/text()/note",
        "bowl/text()[1][1]",
        "bowl/text()[.='x']",
        "bowl/text('x')",
        "bowl/comment()]",
        "bowl/processing-instruction(peel)",
        "bowl/processing-instruction('a b')",
        "bowl/namespace::",
        "bowl/namespace::*",
        "bowl/attribute::kind",
        "child::bowl",
        "id()",
        "id(x)",
        "id('1x')",
        "bowl/id('x')",
        "id('x')note",
        "1bowl",
        "b:",
        ":b",
        "b:c:d",
        "b :straw",
        "bowl|note",
        "count(bowl)",
        "namespace-uri()='x'",
    ] {
        let error = Selector::read(text, &DECLARATIONS).unwrap_err();
        assert_eq!(
            error.kind(),
            PatchErrorKind::InvalidAttributeValue,
            "{text}: {error}"
        );
    }
}

// PIDF-51
#[test]
fn prefixes_are_those_of_the_patch() {
    for text in [
        "x:bowl",
        "bowl/@x:kind",
        "bowl[@x:kind='']",
        "bowl[x:note='']",
    ] {
        let error = Selector::read(text, &DECLARATIONS).unwrap_err();
        assert_eq!(
            error.kind(),
            PatchErrorKind::InvalidNamespacePrefix,
            "{text}"
        );
    }
    // The innermost declaration is the last; one may be taken back.
    let nested = [("", "urn:example:fruit"), ("", "")];
    let bowl = Selector::read("bowl", &nested).unwrap();
    assert_eq!(bowl.steps, [Step::new(Some(Name::new("", "bowl")))]);

    let document = "<f:bowl xmlns:f='urn:example:fruit' xmlns:q='urn:example:berry'><q:straw/><straw/></f:bowl>";
    let patch = |inside: &str| {
        let patch = whole(&format!(
            "<d:diff xmlns:d='urn:example:diff' xmlns='urn:example:fruit' xmlns:x='urn:example:berry'>{inside}</d:diff>"
        ));
        let operations =
            presentity::xml::patch::read_operations(&patch, "urn:example:diff").unwrap();
        let mut root = whole(document);
        apply(&mut root, &operations, &mut Steps::default()).map(|()| {
            let left: Vec<String> = root.elements().map(|it| it.name().to_string()).collect();
            left.join(" ")
        })
    };
    let removed = patch("<d:remove sel='bowl/x:straw'/>").unwrap();
    assert_eq!(removed, "straw");
    // In no namespace there is another one, which the default namespace is not.
    let error = patch("<d:remove sel='bowl/straw'/>").unwrap_err();
    assert_eq!(error.kind(), PatchErrorKind::UnlocatedNode);
    let removed = patch("<d:remove xmlns='' sel='*/straw'/>").unwrap();
    assert_eq!(removed, "{urn:example:berry}straw");
    let removed = patch(
        "<d:remove xmlns:x='urn:example:fruit' xmlns='urn:example:berry' sel='x:bowl/straw'/>",
    );
    assert_eq!(removed.unwrap(), "straw");
}

const ORCHARD: &str = "<orchard>\
    <row n='1'><tree k='oak'>old</tree><tree k='ash'/><bush/></row>\
    <row n='2'><tree k='ash'>o<b>l</b>d</tree><tree k='ash'><age>7</age></tree></row>\
    <shed xml:id='s1'><age>7</age>tools<!--a--><?p q?>more<!--b--></shed></orchard>";

/// The patch marks what it finds.
fn marked(selector: &str) -> String {
    let patched = patched(ORCHARD, &format!("<add sel=\"{selector}\" type='@m'/>"));
    let (before, _) = patched.split_once(" m=\"\"").unwrap();
    let (_, tag) = before.rsplit_once('<').unwrap();
    format!("<{tag}")
}

// PIDF-51
#[test]
fn exactly_one_node_is_found() {
    for (selector, found) in [
        ("orchard", "<orchard"),
        ("*", "<orchard"),
        ("orchard[1]", "<orchard"),
        ("orchard/shed", "<shed xml:id=\"s1\""),
        ("*/*[3]", "<shed xml:id=\"s1\""),
        ("orchard/row[@n='2']", "<row n=\"2\""),
        ("orchard/row[2]/tree[1]", "<tree k=\"ash\""),
        ("orchard/*/tree[@k='oak']", "<tree k=\"oak\""),
        ("orchard/*/bush", "<bush"),
        ("orchard/row/tree[.='old'][@k='oak']", "<tree k=\"oak\""),
        ("orchard/row[tree='7']", "<row n=\"2\""),
        ("orchard/row/tree[age='7']", "<tree k=\"ash\""),
        ("orchard/*[age='7']", "<shed xml:id=\"s1\""),
        ("orchard/*[*='7'][2]", "<shed xml:id=\"s1\""),
        // A position counts what passed before it, and within one parent.
        ("orchard/row[1]/tree[@k='ash'][1]", "<tree k=\"ash\""),
        ("orchard/row/tree[@k='ash'][2]", "<tree k=\"ash\""),
        ("orchard/row/tree[1][@k='oak']", "<tree k=\"oak\""),
        ("id('s1')", "<shed xml:id=\"s1\""),
        ("id('s1')/age[.='7']", "<age"),
        ("id('s1')/*", "<age"),
    ] {
        assert_eq!(marked(selector), found, "{selector}");
    }
    for selector in [
        "row",
        "orchard[2]",
        "orchard/row",
        "orchard/row/tree",
        "orchard/row[3]",
        "orchard/row[0]",
        "orchard/row[@n='3']",
        "orchard/row[@m='1']",
        "orchard/row/tree[2][@k='oak']",
        "orchard/row/tree[@k='ash'][1]",
        "orchard/row/tree[.='old']",
        "orchard/row/tree[.='olde']",
        "orchard/row/tree[.='ol']",
        "orchard/row[4294967295]",
        "orchard/row[age='7']",
        "orchard/tree",
        "orchard/*/*/*/*",
        "id('s2')",
        "id('s1')/row",
    ] {
        let kind = refused(ORCHARD, &format!("<add sel=\"{selector}\" type='@m'/>"));
        assert_eq!(kind, PatchErrorKind::UnlocatedNode, "{selector}");
    }
}

// PIDF-51
#[test]
fn texts_comments_and_instructions_are_found() {
    let shed = |inside: &str| format!("<shed xml:id=\"s1\">{inside}</shed></orchard>");
    for (selector, left) in [
        (
            "*/shed/text()[1]",
            "<age>7</age><!--a--><?p q?>more<!--b-->",
        ),
        (
            "*/shed/text()[2]",
            "<age>7</age>tools<!--a--><?p q?><!--b-->",
        ),
        (
            "*/shed/comment()[2]",
            "<age>7</age>tools<!--a--><?p q?>more",
        ),
        (
            "*/shed/processing-instruction()",
            "<age>7</age>tools<!--a-->more<!--b-->",
        ),
        (
            "*/shed/processing-instruction('p')[1]",
            "<age>7</age>tools<!--a-->more<!--b-->",
        ),
        (
            "*/shed/age/text()",
            "<age/>tools<!--a--><?p q?>more<!--b-->",
        ),
    ] {
        let patched = patched(ORCHARD, &format!("<remove sel=\"{selector}\"/>"));
        assert!(patched.ends_with(&shed(left)), "{selector}: {patched}");
    }
    for selector in [
        "*/shed/text()",
        "*/shed/comment()",
        "*/shed/text()[3]",
        "*/shed/text()[0]",
        "*/shed/comment()[3]",
        "*/shed/processing-instruction('q')",
        "*/shed/processing-instruction()[2]",
        "*/row[1]/text()",
        "*/*/age/comment()",
        "text()",
        "@n",
        "*/shed/@n",
        "namespace::p",
    ] {
        let kind = refused(ORCHARD, &format!("<remove sel=\"{selector}\"/>"));
        assert_eq!(kind, PatchErrorKind::UnlocatedNode, "{selector}");
    }
}

#[test]
fn what_a_schema_says_is_an_id_is_found_by_it() {
    let document =
        "<a><b key=' k1 '/><b key='k2' xml:id='k3'/><c key='k4'/><b key='k5'/><b xml:id='k5'/></a>";
    let found = |id: &str| {
        let operations = operations(&format!("<remove sel=\"id('{id}')\"/>")).unwrap();
        let mut root = whole(document);
        let is_id = |element: &presentity::xml::Element, attribute: &presentity::xml::Attribute| {
            element.local() == "b" && attribute.name.is("", "key")
        };
        let mut steps = Steps::default();
        apply_with_ids(&mut root, &operations, &mut steps, is_id).map(|()| text_of(&root))
    };
    let kind = |id: &str| found(id).unwrap_err().kind();
    assert!(!found("k1").unwrap().contains("k1"));
    assert!(!found("k3").unwrap().contains("k2"));
    assert_eq!(kind("k4"), PatchErrorKind::UnlocatedNode);
    // An id that is there twice names nothing.
    assert_eq!(kind("k5"), PatchErrorKind::UnlocatedNode);
    // Without a schema there is only `xml:id`.
    let plain = refused(document, "<remove sel=\"id('k1')\"/>");
    assert_eq!(plain, PatchErrorKind::UnlocatedNode);
    assert!(!patched(document, "<remove sel=\"id('k3')\"/>").contains("k3"));
}

#[test]
fn texts_side_by_side_are_one() {
    use presentity::xml::{Element, Node};
    let mut root = Element::new("", "a");
    let text = |text: &str| Node::Text(text.into());
    root.children_mut().extend([
        text(""),
        text("one "),
        text(""),
        text("text"),
        Node::Element(Element::new("", "b")),
        text(""),
        Node::Element(Element::new("", "c")),
        text("two"),
    ]);
    let patch =
        operations("<replace sel='a/text()[2]'>second</replace><remove sel='a/text()[1]'/>");
    apply(&mut root, &patch.unwrap(), &mut Steps::default()).unwrap();
    assert_eq!(text_of(&root), "<a><b/><c/>second</a>");
}
