//! Operations as they are written, which read as what they were.

use presentity::xml::namespace::{PIDF, RPID};
use presentity::xml::patch::{
    Change, Operation, PatchWriteError, Position, Predicate, Selector, SelectorPrefixes,
    SelectorStart, Space, Step, Steps, Target, apply, read_operations, write_operations,
};
use presentity::xml::{Element, Layout, Name, Node, XmlLimits};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{shape_of, text_of, whole};

/// A patch document of the operations, as octets and read again.
fn written(mut root: Element, operations: &[Operation]) -> (String, Vec<Operation>) {
    write_operations(&mut root, operations).unwrap();
    let octets = root.write_as(Layout::Kept).unwrap();
    let read = Element::read_whole(&octets, &XmlLimits::default()).unwrap();
    let operations = read_operations(&read, root.namespace()).unwrap();
    (String::from_utf8(octets.to_vec()).unwrap(), operations)
}

fn removal(selector: &str, declarations: &[(&str, &str)]) -> Operation {
    let selector = Selector::read(selector, declarations).unwrap();
    Operation::new(selector, Change::Remove { space: Space::None })
}

// PIDF-51
#[test]
fn selectors_are_short_where_the_document_lets_them() {
    let declarations = [("p", PIDF), ("r", RPID), ("x", "urn:example:x")];
    let operations = [
        removal("p:presence/p:tuple[@id='a']/r:mood", &declarations),
        removal("p:presence/x:y[@x:k='1']/@r:id", &declarations),
    ];
    let mut root = Element::new("urn:ietf:params:xml:ns:pidf-diff", "pidf-diff");
    root.declare("", PIDF);
    let (text, read) = written(root, &operations);
    assert_eq!(read, operations);
    assert!(
        text.contains("sel=\"presence/tuple[@id='a']/rpid:mood\""),
        "{text}"
    );
    assert!(
        text.contains("sel=\"presence/x:y[@x:k='1']/@rpid:id\""),
        "{text}"
    );
    for declared in [
        "xmlns=\"urn:ietf:params:xml:ns:pidf\"",
        "xmlns:rpid=",
        "xmlns:x=",
    ] {
        assert_eq!(text.matches(declared).count(), 1, "{declared}: {text}");
    }
    assert!(!text.contains("xmlns:pidf="), "{text}");
    // Prefixes that the root has are used.
    let mut root = Element::new("urn:example:d", "d");
    root.declare("presence", RPID);
    let (text, read) = written(root, &operations);
    assert_eq!(read, operations);
    assert!(text.contains("pidf:tuple[@id='a']/presence:mood"), "{text}");
}

#[test]
fn the_prefix_of_xml_is_always_there() {
    let operations = [removal(
        "a/xml:b[@xml:lang='en']/@xml:id",
        &[("", "urn:example:x")],
    )];
    let (text, read) = written(Element::new("urn:example:x", "d"), &operations);
    assert_eq!(read, operations, "{text}");
}

// PIDF-51
#[test]
fn names_in_no_namespace_need_a_document_without_default() {
    let operations = [removal("a/x:b[c='1']", &[("x", "urn:example:d")])];
    for default in [
        None,
        Some("urn:example:d"),
        Some("urn:example:other"),
        Some(""),
    ] {
        let mut root = Element::new("urn:example:d", "d");
        if let Some(default) = default {
            root.declare("", default);
        }
        let (text, read) = written(root, &operations);
        assert_eq!(read, operations, "{text}");
        assert!(text.contains("sel=\"a/"), "{text}");
    }
    let (text, read) = written(Element::new("", "d"), &operations);
    assert_eq!(read, operations, "{text}");
}

#[test]
fn what_has_no_written_form_is_refused() {
    let write = |selector: Selector, change: Change| {
        let mut root = Element::new("", "d");
        let written = write_operations(&mut root, &[Operation::new(selector, change)]);
        assert_eq!(root.children().count(), 0);
        assert_eq!(root.declarations().count(), 0);
        written.unwrap_err()
    };
    let removed = |selector: Selector| write(selector, Change::Remove { space: Space::None });
    let plain = || Selector::read("a", &[]).unwrap();
    let of = |step: Step| {
        let mut selector = plain();
        selector.steps = vec![step];
        selector
    };
    let step = || Step::new(None);
    assert_eq!(
        removed(of(step().with(Predicate::Value("'\"".into())))),
        PatchWriteError::Quotes
    );
    assert!(matches!(
        removed(of(Step::new(Some(Name::new("", "no name"))))),
        PatchWriteError::Name { .. }
    ));
    let mut by_id = plain();
    by_id.start = SelectorStart::Id("1".to_owned());
    assert!(matches!(removed(by_id), PatchWriteError::Name { .. }));
    let many = (0..=Selector::MAX_PREDICATES).fold(step(), |it, _| it.with(Predicate::Position(1)));
    assert_eq!(removed(of(many)), PatchWriteError::TooLong);
    let mut long = plain();
    long.steps = vec![step(); XmlLimits::MAX_DEPTH + 1];
    assert_eq!(removed(long), PatchWriteError::TooLong);
    let mut nothing = plain();
    nothing.steps.clear();
    assert_eq!(removed(nothing), PatchWriteError::Unfit);
    for (selector, change) in [
        (
            "a/@k",
            Change::Add {
                position: Position::After,
                nodes: Vec::new(),
            },
        ),
        ("a/@k", Change::Replace { nodes: Vec::new() }),
        ("a", Change::Replace { nodes: Vec::new() }),
        (
            "a",
            Change::ReplaceValue {
                value: String::new(),
            },
        ),
        ("a/@k", Change::Remove { space: Space::Both }),
    ] {
        let selector = Selector::read(selector, &[]).unwrap();
        assert_eq!(write(selector, change), PatchWriteError::Unfit);
    }
    let prefixes = SelectorPrefixes::new("urn:example:x");
    let error = plain().write(&prefixes).unwrap_err();
    assert_eq!(
        error,
        PatchWriteError::Prefix {
            namespace: String::new()
        }
    );
}

fn namespace() -> impl Strategy<Value = &'static str> {
    select(vec!["", PIDF, RPID, "urn:example:x", "urn:example:y"])
}

fn name() -> impl Strategy<Value = Name> {
    let prefix = select(vec!["", "p", "rpid", "n1", "xmlns"]);
    let local = select(vec!["a", "b", "text", "id", "namespace", "\u{e9}"]);
    (namespace(), local, prefix)
        .prop_map(|(ns, local, prefix)| Name::with_prefix(ns, local, prefix))
}

fn value() -> impl Strategy<Value = String> {
    select(vec!["", "v", "it's", "\"q\"", "]/[ &<>", "\t\n"]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    select(vec!["t", " ", "\n  ", "<&]]>"]).prop_map(str::to_owned)
}

fn predicate() -> impl Strategy<Value = Predicate> {
    prop_oneof![
        any::<u32>().prop_map(Predicate::Position),
        (name(), value()).prop_map(|(name, value)| Predicate::Attribute(name, value)),
        (option::of(name()), value()).prop_map(|(name, value)| Predicate::Child(name, value)),
        value().prop_map(Predicate::Value),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    (option::of(name()), vec(predicate(), 0..3))
        .prop_map(|(name, all)| all.into_iter().fold(Step::new(name), Step::with))
}

fn element() -> impl Strategy<Value = Element> {
    let attributes = vec((name(), value()), 0..2);
    let leaf = (name(), attributes, option::of(text())).prop_map(|(name, attributes, text)| {
        let mut element = Element::named(name);
        for (name, value) in attributes {
            element.attributes.set(name, value);
        }
        element.with_text(text.unwrap_or_default())
    });
    leaf.prop_recursive(2, 6, 3, |inner| {
        (name(), vec(inner.prop_map(Node::Element), 0..3)).prop_map(|(name, nodes)| {
            let mut element = Element::named(name);
            *element.children_mut() = nodes;
            element
        })
    })
}

fn aside() -> impl Strategy<Value = Node> {
    prop_oneof![
        select(vec!["", " c ", "<&>"]).prop_map(|comment| Node::Comment(comment.to_owned())),
        select(vec!["", "d ", "<&>"]).prop_map(|data| Node::Instruction {
            target: "i".to_owned(),
            data: data.to_owned(),
        }),
    ]
}

/// No texts side by side, which would be one.
fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let node = prop_oneof![element().prop_map(Node::Element), aside()];
    vec((option::of(text()), node), 0..3).prop_map(|all| {
        let mut nodes = Vec::new();
        for (text, node) in all {
            nodes.extend(text.map(|text| Node::Text(text.into())));
            nodes.push(node);
        }
        nodes
    })
}

fn space() -> impl Strategy<Value = Space> {
    select(vec![Space::None, Space::Before, Space::After, Space::Both])
}

fn position() -> impl Strategy<Value = Position> {
    select(vec![
        Position::Append,
        Position::Prepend,
        Position::Before,
        Position::After,
    ])
}

/// What is meant and what is done with it.
fn change() -> impl Strategy<Value = (Target, Change)> {
    let place = || option::of(any::<u32>());
    let addition =
        (position(), nodes()).prop_map(|(position, nodes)| Change::Add { position, nodes });
    let attribute =
        (name(), value()).prop_map(|(name, value)| Change::AddAttribute { name, value });
    let declaration = Just(Change::AddNamespace {
        prefix: "q".to_owned(),
        namespace: "urn:example:q".to_owned(),
    });
    let removal = || space().prop_map(|space| Change::Remove { space });
    let goes = || Just(Change::Remove { space: Space::None });
    let becomes = || value().prop_map(|value| Change::ReplaceValue { value });
    let one = |node: Node| Change::Replace { nodes: vec![node] };
    let of_text = prop_oneof![
        text().prop_map(|text| Change::Replace {
            nodes: vec![Node::Text(text.into())]
        }),
        Just(Change::Replace { nodes: Vec::new() }),
        goes(),
    ];
    let of_comment = prop_oneof![Just(one(Node::Comment("n".to_owned()))), removal()];
    prop_oneof![
        (
            Just(Target::Element),
            prop_oneof![
                addition,
                attribute,
                declaration,
                removal(),
                element().prop_map(move |element| one(Node::Element(element))),
            ]
        ),
        (
            name().prop_map(Target::Attribute),
            prop_oneof![becomes(), goes()]
        ),
        (
            Just(Target::Namespace("q".to_owned())),
            prop_oneof![becomes(), goes()]
        ),
        (place().prop_map(Target::Text), of_text),
        (place().prop_map(Target::Comment), of_comment),
        (
            (option::of(Just("i".to_owned())), place())
                .prop_map(|(target, place)| Target::Instruction(target, place)),
            removal(),
        ),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let id = option::of(select(vec!["a", "x-1"]));
    (id, vec(step(), 1..4), change()).prop_map(|(id, steps, (target, change))| {
        let mut selector = Selector::read("a", &[]).unwrap();
        selector.start = match id {
            Some(id) => SelectorStart::Id(id.to_owned()),
            None => SelectorStart::Document,
        };
        selector.steps = steps;
        selector.target = target;
        Operation::new(selector, change)
    })
}

/// Operations on what is likely there.
fn likely() -> impl Strategy<Value = Operation> {
    let steps = vec(option::of(select(vec![1u32, 2, 3])), 0..3);
    (steps, change()).prop_map(|(places, (target, change))| {
        let mut selector = Selector::read("*", &[]).unwrap();
        for place in places {
            let step = Step::new(None);
            selector.steps.push(match place {
                Some(place) => step.with(Predicate::Position(place)),
                None => step,
            });
        }
        selector.target = match target {
            Target::Text(_) => Target::Text(Some(1)),
            Target::Comment(_) => Target::Comment(Some(1)),
            other => other,
        };
        Operation::new(selector, change)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    // PIDF-51
    #[test]
    fn what_is_written_reads_as_what_it_was(
        operations in vec(operation(), 0..4),
        default in option::of(namespace()),
        own in namespace(),
    ) {
        let mut root = Element::new(own, "patch");
        if let Some(default) = default {
            root.declare("", default);
        }
        let (text, read) = written(root, &operations);
        prop_assert_eq!(read, operations, "{}", text);
    }

    // PIDF-51
    #[test]
    fn a_patch_is_applied_or_nothing_changes(
        document in (element(), nodes()),
        operations in vec(likely(), 1..6),
    ) {
        let (mut root, more) = document;
        root.children_mut().extend(more);
        // Such as it would have been read.
        let mut root = whole(&text_of(&root));
        let before = text_of(&root);
        let applied = apply(&mut root, &operations, &mut Steps::default());
        let after = text_of(&root);
        match applied {
            Err(_) => prop_assert_eq!(after, before),
            Ok(()) => {
                let again = whole(&after);
                prop_assert_eq!(&again, &root);
                prop_assert_eq!(text_of(&again), after);
                // What reads the same is patched to the same.
                let (_, read) = written(Element::new("", "patch"), &operations);
                let mut other = whole(&before);
                prop_assert_eq!(apply(&mut other, &read, &mut Steps::default()), Ok(()));
                prop_assert_eq!(shape_of(&other), shape_of(&root));
            }
        }
    }
}
