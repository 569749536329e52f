//! Patches that mean harm: they end soon, with an error, and nothing has changed.

use core::fmt::Write;

use presentity::xml::patch::{
    Change, Operation, PatchErrorKind, Position, Selector, Steps, apply, read_operations,
};
use presentity::xml::{Element, Node, XmlLimits};

use crate::{operations, text_of, whole};

fn failed(root: &mut Element, operations: &[Operation], steps: &mut Steps) -> PatchErrorKind {
    let before = root.clone();
    let error = apply(root, operations, steps).unwrap_err();
    assert_eq!(*root, before);
    error.kind()
}

fn wide(count: usize) -> Element {
    let mut document = String::from("<a>");
    for number in 0..count {
        write!(document, "<b n='{number}'><c>{number}</c>x</b>").unwrap();
    }
    whole(&(document + "</a>"))
}

#[test]
fn selectors_that_look_everywhere_are_cut_short() {
    let mut root = wide(5_000);
    let predicates = "[*='none']".repeat(Selector::MAX_PREDICATES - 1);
    let one = format!("<remove sel=\"*/*{predicates}[@n='x']\"/><remove sel='a/b[5000]'/>");
    // One such operation is affordable, a thousand are not.
    let first = operations(&one).unwrap();
    assert_eq!(
        failed(&mut root, &first, &mut Steps::default()),
        PatchErrorKind::UnlocatedNode
    );
    let many = operations(&"<add sel='a/b[5000]'>y</add>".repeat(1_000)).unwrap();
    let mut steps = Steps::default();
    assert_eq!(
        failed(&mut root, &many, &mut steps),
        PatchErrorKind::TooManySteps
    );
    assert_eq!(steps.left(), 0);
    assert!(apply(&mut root, &many, &mut Steps::new(20_000_000)).is_ok());
    assert!(
        root.elements()
            .last()
            .unwrap()
            .text()
            .ends_with(&"y".repeat(1_000))
    );
}

#[test]
fn string_values_are_not_compared_for_ever() {
    // Each level's string value is that of all below it.
    let levels = 250;
    let text = "t".repeat(2_000);
    let document = format!("{}{text}{}", "<a>".repeat(levels), "</a>".repeat(levels));
    let mut root = whole(&document);
    let path = vec![format!("*[.='{text}'][.='{text}']"); levels].join("/");
    let one = operations(&format!("<remove sel=\"{path}\"/>")).unwrap();
    assert_eq!(
        failed(&mut root, &one, &mut Steps::new(50_000)),
        PatchErrorKind::TooManySteps
    );
    let short = operations("<remove sel=\"a[.='tt']\"/>").unwrap();
    let mut steps = Steps::default();
    assert_eq!(
        failed(&mut root, &short, &mut steps),
        PatchErrorKind::UnlocatedNode
    );
    assert!(steps.left() > Steps::DEFAULT - 1_000, "{}", steps.left());
}

#[test]
fn a_thousand_operations_on_an_ordinary_document_are_nothing() {
    let mut root = wide(100);
    let mut patch = String::new();
    for number in 0..1_000 {
        let at = number % 100;
        write!(
            patch,
            "<replace sel=\"a/b[@n='{at}']/c/text()\">{number}</replace>"
        )
        .unwrap();
    }
    let mut steps = Steps::default();
    apply(&mut root, &operations(&patch).unwrap(), &mut steps).unwrap();
    assert_eq!(
        root.elements()
            .last()
            .unwrap()
            .elements()
            .next()
            .unwrap()
            .text(),
        "999"
    );
    assert!(steps.left() > Steps::DEFAULT / 2, "{}", steps.left());
}

#[test]
fn long_texts_are_not_moved_for_ever() {
    let text = "t".repeat(1_000_000);
    let mut root = whole(&format!("<a>{text}</a>"));
    let many = operations(&"<add sel='a'>x</add>".repeat(1_000)).unwrap();
    assert_eq!(
        failed(&mut root, &many, &mut Steps::default()),
        PatchErrorKind::TooManySteps
    );
    let few = operations(&"<add sel='a'>x</add>".repeat(10)).unwrap();
    apply(&mut root, &few, &mut Steps::default()).unwrap();
    assert_eq!(root.text().len(), 1_000_010);
}

#[test]
fn documents_do_not_outgrow_their_bounds() {
    let mut limits = XmlLimits::default();
    limits.bytes = 1_000;
    limits.nodes = 50;
    limits.text = 100;
    limits.attributes = 4;
    limits.depth = 10;
    let within = || Steps::default().within(limits);
    let mut root = whole("<a><b/></a>");
    let deep = format!(
        "<add sel='a/b'>{}{}</add>",
        "<c>".repeat(9),
        "</c>".repeat(9)
    );
    let attributes: String = (0..5)
        .map(|number| format!("<add sel='a' type='@k{number}'>x</add>"))
        .collect();
    for patch in [
        format!("<add sel='a'>{}</add>", "x".repeat(101)),
        format!("<add sel='a'><c k='{}'/></add>", "x".repeat(101)),
        format!("<add sel='a' type='@k'>{}</add>", "x".repeat(101)),
        format!("<add sel='a'><!--{}--></add>", "x".repeat(101)),
        "<add sel='a'>".to_owned()
            + &"x".repeat(60)
            + "</add><add sel='a'>"
            + &"x".repeat(60)
            + "</add>",
        format!("<add sel='a'>{}</add>", "<c/>".repeat(50)),
        format!(
            "<add sel='a'>{}</add>",
            "<c>0123456789012345678901234567890123456789</c>".repeat(24)
        ),
        deep.clone(),
        format!("<add sel='a' type='@{}'/>", "k".repeat(257)),
        format!(
            "<add sel='a' type='namespace::{}'>urn:example:x</add>",
            "k".repeat(257)
        ),
        format!(
            "<replace sel='a'>{}{}</replace>",
            "<c>".repeat(11),
            "</c>".repeat(11)
        ),
        attributes,
    ] {
        let operations = operations(&patch).unwrap();
        assert_eq!(
            failed(&mut root, &operations, &mut within()),
            PatchErrorKind::TooLarge,
            "{patch}"
        );
        assert_eq!(text_of(&root), "<a><b/></a>");
    }
    let fits = deep.replacen("<c>", "", 1).replacen("</c>", "", 1);
    apply(&mut root, &operations(&fits).unwrap(), &mut within()).unwrap();
}

#[test]
fn nothing_nests_deeper_than_can_be_written() {
    // Each operation is harmless.
    let mut root = whole("<a/>");
    let mut operations = Vec::new();
    let mut steps = vec!["*".to_owned()];
    for _ in 0..XmlLimits::MAX_DEPTH {
        let selector = Selector::read(&steps.join("/"), &[]).unwrap();
        let nodes = vec![Node::Element(Element::new("", "a"))];
        operations.push(Operation::new(
            selector,
            Change::Add {
                position: Position::Append,
                nodes,
            },
        ));
        if steps.len() < XmlLimits::MAX_DEPTH {
            steps.push("*".to_owned());
        }
    }
    assert_eq!(
        failed(&mut root, &operations, &mut Steps::default()),
        PatchErrorKind::TooLarge
    );
    operations.pop();
    apply(&mut root, &operations, &mut Steps::default()).unwrap();
    assert!(root.write().is_ok());
}

#[test]
fn selectors_are_bounded_themselves() {
    let steps = vec!["a"; XmlLimits::MAX_DEPTH + 1].join("/");
    let predicates = format!("a{}", "[1]".repeat(Selector::MAX_PREDICATES + 1));
    for text in [steps, predicates] {
        let error = Selector::read(&text, &[]).unwrap_err();
        assert_eq!(error.kind(), PatchErrorKind::InvalidAttributeValue);
    }
    // Long and wrong at its end.
    let long = format!("a[.='{}'", "x".repeat(1_000_000));
    let error = Selector::read(&long, &[]).unwrap_err();
    assert!(error.phrase().len() < 200);
    let blanks = format!("a{}", " ".repeat(1_000_000));
    assert!(Selector::read(&blanks, &[]).is_ok());
}

#[test]
fn names_follow_a_prefix_within_the_budget() {
    let mut document = String::from("<a xmlns:p='urn:example:x'>");
    document.push_str(&"<p:b p:k=''/>".repeat(10_000));
    let mut root = whole(&(document + "</a>"));
    let patch: String = (0..100)
        .map(|number| format!("<replace sel='a/namespace::p'>urn:example:{number}</replace>"))
        .collect();
    let many = operations(&patch).unwrap();
    assert_eq!(
        failed(&mut root, &many, &mut Steps::default()),
        PatchErrorKind::TooManySteps
    );
    apply(&mut root, &many[..5], &mut Steps::default()).unwrap();
    assert_eq!(root.elements().next().unwrap().namespace(), "urn:example:4");
}

#[test]
fn operations_made_by_hand_are_held_to_the_rules() {
    let root = || whole("<a k='1'><b/>t</a>");
    let select = |text: &str| Selector::read(text, &[]).unwrap();
    let attribute = |name: &str, value: &str| Change::AddAttribute {
        name: presentity::xml::Name::new("", name),
        value: value.to_owned(),
    };
    for (selector, change, kind) in [
        (
            "a",
            attribute("no name", ""),
            PatchErrorKind::InvalidAttributeValue,
        ),
        (
            "a",
            attribute("m", "\u{1}"),
            PatchErrorKind::InvalidAttributeValue,
        ),
        ("a/@k", attribute("m", ""), PatchErrorKind::InvalidNodeTypes),
        (
            "a/b",
            Change::ReplaceValue {
                value: String::new(),
            },
            PatchErrorKind::InvalidNodeTypes,
        ),
        (
            "a/@k",
            Change::Replace { nodes: Vec::new() },
            PatchErrorKind::InvalidNodeTypes,
        ),
        (
            "a/b",
            Change::Replace { nodes: Vec::new() },
            PatchErrorKind::InvalidNodeTypes,
        ),
        (
            "a/@k",
            Change::Add {
                position: Position::After,
                nodes: Vec::new(),
            },
            PatchErrorKind::InvalidAttributeValue,
        ),
        (
            "a",
            Change::AddNamespace {
                prefix: String::new(),
                namespace: "urn:example:x".to_owned(),
            },
            PatchErrorKind::InvalidNamespacePrefix,
        ),
    ] {
        let operation = [Operation::new(select(selector), change)];
        let mut root = root();
        assert_eq!(
            failed(&mut root, &operation, &mut Steps::default()),
            kind,
            "{selector}"
        );
    }
    assert!(read_operations(&whole("<diff/>"), "").unwrap().is_empty());
}

#[test]
fn what_is_passed_over_counts_too() {
    let document = format!("<a>{}<b/></a>", "<!---->".repeat(100_000));
    let mut root = whole(&document);
    for operation in [
        "<add sel='a'>x</add>",
        "<add sel='a/b'/>",
        "<add sel='a' type='@k'>x</add><remove sel='a/@k'/>",
        "<add sel=\"a[c='']\"/>",
        "<add sel='a/text()' pos='after'/>",
        "<add sel='a/processing-instruction()' pos='after'/>",
    ] {
        let many = operations(&operation.repeat(20_000)).unwrap();
        let mut steps = Steps::default();
        let _ = apply(&mut root, &many, &mut steps);
        let _ = text_of(&root);
        assert!(
            operation.contains("@k") || steps.left() < Steps::DEFAULT,
            "{operation}"
        );
    }
}
