//! Differences of documents: applied to the one they give the other, and they are short.
//!
//! `PRESENTITY_PAIRS` sets how many random pairs of documents are tried.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod corpus;
mod edited_trees;

use std::fmt::Write;

use edited_trees::Dice;
use presentity::xml::patch::{
    Change, Operation, Position, Predicate, Space, Step, Steps, Target, apply, difference,
    read_operations, write_operations,
};
use presentity::xml::{Element, Layout, Name, Node, XmlLimits, namespace};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn read(document: &str) -> Element {
    Element::read(document.as_bytes(), &XmlLimits::default()).unwrap()
}

// ---- applying, by those few rules that differences rely on ----------------------------------------

fn string_value(element: &Element) -> String {
    let parts = element.children().map(|node| match Node::from(node) {
        Node::Text(text) => text.into(),
        Node::Element(element) => string_value(&element),
        _ => String::new(),
    });
    parts.collect()
}

fn passes(element: &Element, predicate: &Predicate) -> bool {
    match predicate {
        Predicate::Attribute(name, value) => {
            element.attributes.get(name.namespace(), name.local()) == Some(value)
        }
        Predicate::Value(value) => string_value(element) == *value,
        other => panic!("{other:?}"),
    }
}

/// Where the only child is that passes.
fn find(parent: &Element, step: &Step) -> usize {
    let all = parent.children().enumerate();
    let mut found: Vec<(usize, Element)> = all
        .filter_map(|(at, node)| match Node::from(node) {
            Node::Element(element) => Some((at, element)),
            _ => None,
        })
        .filter(|(_, element)| step.name.as_ref().is_none_or(|it| it == element.name()))
        .collect();
    for predicate in &step.predicates {
        found = match *predicate {
            Predicate::Position(at) => found.drain(..).skip(at as usize - 1).take(1).collect(),
            _ => found
                .into_iter()
                .filter(|(_, it)| passes(it, predicate))
                .collect(),
        };
    }
    assert_eq!(found.len(), 1, "{step:?} in {parent:?}");
    found[0].0
}

fn element_at(parent: &mut Element, at: usize) -> &mut Element {
    match &mut parent.children_mut()[at] {
        Node::Element(element) => element,
        other => panic!("{other:?}"),
    }
}

fn merge_texts(element: &mut Element) {
    let nodes = std::mem::take(element.children_mut());
    for node in nodes {
        match node {
            Node::Text(text) => element.push_text(text),
            other => element.children_mut().push(other),
        }
    }
}

fn apply_one(root: &mut Element, operation: &Operation) {
    let steps = &operation.selector.steps;
    assert!(
        steps[0].name.is_none() && steps[0].predicates.is_empty(),
        "{steps:?}"
    );
    // Down to the parent of what is found, and there to its number.
    let (mut parent, mut at) = (root, None);
    for step in &steps[1..] {
        if let Some(at) = at {
            parent = element_at(parent, at);
        }
        at = Some(find(parent, step));
    }
    let beside = match &operation.change {
        Change::Add {
            position: position @ (Position::Before | Position::After),
            nodes,
        } => Some((*position, nodes)),
        _ => None,
    };
    if let Some((position, nodes)) = beside {
        let at = at.unwrap() + usize::from(position == Position::After);
        parent.children_mut().splice(at..at, nodes.iter().cloned());
        merge_texts(parent);
        return;
    }
    if operation.selector.target == Target::Element {
        match &operation.change {
            Change::Replace { nodes } => {
                assert!(matches!(nodes[..], [Node::Element(_)]));
                parent.children_mut()[at.unwrap()] = nodes[0].clone();
                return;
            }
            Change::Remove { space: Space::None } => {
                parent.children_mut().remove(at.unwrap());
                merge_texts(parent);
                return;
            }
            _ => {}
        }
    }
    let element = match at {
        Some(at) => element_at(parent, at),
        None => parent,
    };
    match (&operation.change, &operation.selector.target) {
        (Change::Add { position, nodes }, Target::Element) => {
            let at = if *position == Position::Prepend {
                0
            } else {
                element.children().count()
            };
            element.children_mut().splice(at..at, nodes.iter().cloned());
            merge_texts(element);
        }
        (Change::AddAttribute { name, value }, Target::Element) => {
            assert_eq!(element.attributes.get(name.namespace(), name.local()), None);
            element.attributes.set(name.clone(), value);
        }
        (Change::ReplaceValue { value }, Target::Attribute(name)) => {
            *element
                .attributes
                .get_mut(name.namespace(), name.local())
                .unwrap() = value.as_str().into();
        }
        (Change::Remove { .. }, Target::Attribute(name)) => {
            element
                .attributes
                .remove(name.namespace(), name.local())
                .unwrap();
        }
        (change, Target::Text(place)) => {
            merge_texts(element);
            let is_text = |node: &Node| matches!(node, Node::Text(_));
            let texts = element
                .children_mut()
                .iter()
                .filter(|node| is_text(node))
                .count();
            assert!(place.is_some() || texts == 1);
            let at = element.children_mut().iter().position(is_text).unwrap();
            match change {
                Change::Replace { nodes } => {
                    assert!(matches!(nodes[..], [Node::Text(_)]));
                    element.children_mut()[at] = nodes[0].clone();
                }
                Change::Remove { .. } => {
                    element.children_mut().remove(at);
                }
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    }
}

/// The operations as somebody else gets them.
fn sent(operations: &[Operation]) -> Vec<Operation> {
    let mut root = Element::new(namespace::PIDF_DIFF, "pidf-diff");
    root.declare("", namespace::PIDF);
    write_operations(&mut root, operations).unwrap();
    let document = root.write_as(Layout::Kept).unwrap();
    let root = Element::read_whole(&document, &XmlLimits::default()).unwrap();
    read_operations(&root, namespace::PIDF_DIFF).unwrap()
}

/// By the rules above, and by the library, written and read.
fn applied(before: &Element, operations: &[Operation]) -> Element {
    let mut changed = before.clone();
    for operation in operations {
        apply_one(&mut changed, operation);
    }
    let mut by_library = before.clone();
    apply(&mut by_library, operations, &mut Steps::new(1 << 40)).unwrap();
    assert_eq!(changed, by_library);
    let mut by_others = before.clone();
    apply(&mut by_others, &sent(operations), &mut Steps::new(1 << 40)).unwrap();
    assert_eq!(changed, by_others);
    changed
}

// ---- short ----------------------------------------------------------------------------------------

/// In a form of its own: what is done, where, and with what.
fn told(operations: &[Operation]) -> String {
    let mut told = String::new();
    for operation in operations {
        let mut path = String::new();
        for step in &operation.selector.steps {
            path.push('/');
            path.push_str(step.name.as_ref().map_or("*", Name::local));
            for predicate in &step.predicates {
                match predicate {
                    Predicate::Position(at) => write!(path, "[{at}]").unwrap(),
                    Predicate::Attribute(name, value) => {
                        write!(path, "[@{}='{value}']", name.local()).unwrap();
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        match &operation.selector.target {
            Target::Element => {}
            Target::Attribute(name) => write!(path, "/@{}", name.local()).unwrap(),
            Target::Text(None) => path.push_str("/text()"),
            Target::Text(Some(at)) => write!(path, "/text()[{at}]").unwrap(),
            Target::Comment(Some(at)) => write!(path, "/comment()[{at}]").unwrap(),
            Target::Instruction(None, Some(at)) => {
                write!(path, "/processing-instruction()[{at}]").unwrap();
            }
            other => panic!("{other:?}"),
        }
        let path = path.trim_start_matches('/');
        let content = |nodes: &[Node]| -> String {
            let nodes = nodes.iter().map(|node| match node {
                Node::Text(text) => text.to_string(),
                Node::Element(element) => {
                    let written = element.write().unwrap();
                    let written = std::str::from_utf8(&written).unwrap();
                    written.split_once('\n').unwrap().1.to_owned()
                }
                other => panic!("{other:?}"),
            });
            nodes.collect()
        };
        let line = match &operation.change {
            Change::Add { position, nodes } => match position {
                Position::Append => format!("add {path} {}", content(nodes)),
                position => format!("add {path} {position:?} {}", content(nodes)),
            },
            Change::AddAttribute { name, value } => format!("add {path} @{}={value}", name.local()),
            Change::Replace { nodes } => format!("replace {path} {}", content(nodes)),
            Change::ReplaceValue { value } => format!("replace {path} {value}"),
            Change::Remove { .. } => format!("remove {path}"),
            other => panic!("{other:?}"),
        };
        writeln!(told, "{line}").unwrap();
    }
    told.trim_end().to_owned()
}

#[track_caller]
fn check(before: &str, after: &str, expected: &str) {
    let (before, after) = (read(before), read(after));
    let operations = difference(&before, &after).unwrap();
    assert_eq!(told(&operations), expected);
    assert_eq!(applied(&before, &operations), after);
}

const TWO: &str =
    "<p><t id='x'><s><b>open</b></s><c/></t><t id='y'><s><b>open</b></s></t><n>1</n></p>";

// PIDF-51
#[test]
fn equal_documents_differ_in_nothing() {
    check("<a x='1' y='2'> <b/> </a>", "<a y='2' x='1'><b/></a>", "");
    for document in corpus::ALL {
        check(document, document, "");
    }
}

// PIDF-51
#[test]
fn roots_of_other_names_have_no_difference() {
    assert_eq!(difference(&read("<a/>"), &read("<b/>")), None);
    assert_eq!(
        difference(&read("<a/>"), &read("<a xmlns='urn:example:x'/>")),
        None
    );
}

// PIDF-51
#[test]
fn a_text_that_changed_is_all_that_is_told() {
    let closed = TWO.replacen("open", "closed", 1);
    check(TWO, &closed, "replace */t[@id='x']/s/b/text() closed");
    check("<p><n>1</n></p>", "<p><n/></p>", "remove */n/text()");
    check("<p><n/></p>", "<p><n>1</n></p>", "add */n 1");
    check("<p>1</p>", "<p>2</p>", "replace */text() 2");
    check("<p> </p>", "<p>2</p>", "replace */text() 2");
}

// PIDF-51
#[test]
fn attributes_are_added_replaced_and_removed() {
    check(
        "<p a='1' b='2'/>",
        "<p b='3' c='4'/>",
        "remove */@a\nreplace */@b 3\nadd * @c=4",
    );
    check(
        "<p><n>a long text that stays</n></p>",
        "<p><n xml:lang='en'>a long text that stays</n></p>",
        "add */n @lang=en",
    );
    let mut many = String::from("<p");
    for at in 0..40 {
        write!(many, " a{at}='{at}'").unwrap();
    }
    many.push_str("/>");
    check(
        &many,
        &many.replace("a7='7'", "a7='8'").replace("a9=", "b9="),
        "remove */@a9\nreplace */@a7 8\nadd * @b9=9",
    );
}

// PIDF-51
#[test]
fn elements_come_and_go() {
    check(TWO, &TWO.replace("<c/>", ""), "remove */t[@id='x']/c");
    check(TWO, &TWO.replace("<n>1</n>", ""), "remove */n");
    check(TWO, &TWO.replace("</p>", "<o/><q/></p>"), "add * <o/><q/>");
    check(TWO, &TWO.replace("<p>", "<p><o/>"), "add * Prepend <o/>");
    check(
        TWO,
        &TWO.replace("<n>", "<t id='z'/><n>"),
        "add */n Before <t id=\"z\"/>",
    );
    check(
        "<p><m/><t id='x'/><t id='y'/></p>",
        "<p><m/><o/><t id='x'/><t id='y'/></p>",
        "add */m After <o/>",
    );
    check(
        "<p><t id='x'/><t id='y'/></p>",
        "<p><t id='z'/><t id='y'/></p>",
        "replace */t[@id='x'] <t id=\"z\"/>",
    );
    check(
        "<p><t id='x'/><t id='y'/></p>",
        "<p/>",
        "remove */*[1]\nremove */*[1]",
    );
}

// PIDF-51
#[test]
fn an_element_that_moved_is_removed_and_added() {
    check(
        "<p><t id='x'/><t id='y'/><t id='z'/></p>",
        "<p><t id='z'/><t id='x'/><t id='y'/></p>",
        "add * Prepend <t id=\"z\"/>\nremove */t[4]",
    );
}

// PIDF-51
#[test]
fn ids_that_repeat_tell_nothing() {
    check(
        "<p><t id='x'>1</t><t id='x'>2</t><t id='y'>3</t></p>",
        "<p><t id='x'>1</t><t id='x'>5</t><t id='y'>4</t></p>",
        "replace */t[2]/text() 5\nreplace */t[@id='y']/text() 4",
    );
    let quoted = |text: &str| format!("<p><t id='&apos;&quot;'>{text}</t><t id='y'/></p>");
    check(&quoted("1"), &quoted("2"), "replace */t[1]/text() 2");
    let long = |text: &str| format!("<p><t id='{}'>{text}</t><t id='y'/></p>", "i".repeat(200));
    check(&long("1"), &long("2"), "replace */t[1]/text() 2");
}

// PIDF-51
#[test]
fn elements_without_ids_are_followed_by_what_they_contain() {
    check(
        "<p><n>1</n><n>2</n><n>3</n></p>",
        "<p><n>2</n><n>3</n><n>4</n></p>",
        "remove */n[1]\nadd * <n>4</n>",
    );
    check(
        "<p><n>1</n><n>2</n><n>3</n></p>",
        "<p><n>1</n><n>5</n><n>3</n></p>",
        "replace */n[2]/text() 5",
    );
}

// PIDF-51
#[test]
fn an_element_is_replaced_when_that_is_shorter() {
    check(
        TWO,
        "<p><t id='x'><q/></t><t id='y'><s><b>open</b></s></t><n>1</n></p>",
        "replace */t[@id='x'] <t id=\"x\"><q/></t>",
    );
    check(
        "<p><a>x<b/>y</a></p>",
        "<p><a>x<b/>z</a></p>",
        "replace */a <a>x<b/>z</a>",
    );
    check("<p><a><b/></a></p>", "<p><a/></p>", "replace */a <a/>");
}

// PIDF-51
#[test]
fn the_root_is_taken_apart_when_it_holds_text_among_elements() {
    check(
        "<p>x<b/>y</p>",
        "<p>x<b/>z</p>",
        "remove */text()[1]\nremove */*[1]\nremove */text()[1]\nadd * x<b/>z",
    );
    check("<p><b/></p>", "<p>x</p>", "remove */*[1]\nadd * x");
}

// PIDF-51
#[test]
fn comments_and_instructions_make_no_difference() {
    let whole =
        |document: &str| Element::read_whole(document.as_bytes(), &XmlLimits::default()).unwrap();
    let differ = |before: &str, after: &str| {
        let (before, after) = (whole(before), whole(after));
        let operations = difference(&before, &after).unwrap();
        let mut changed = before.clone();
        apply(&mut changed, &operations, &mut Steps::default()).unwrap();
        assert_eq!(changed, after);
        told(&operations)
    };
    assert_eq!(
        differ("<p><a>x<!--1-->y</a><?z?></p>", "<p> <a>xy</a></p>"),
        ""
    );
    assert_eq!(differ("<p><a><!--1--></a></p>", "<p><a/> </p>"), "");
    assert_eq!(
        differ("<p><a>x<!--1-->y</a></p>", "<p><a>z</a></p>"),
        "replace */a <a>z</a>"
    );
    assert_eq!(
        differ("<p><a><!--1--></a></p>", "<p><a>z</a></p>"),
        "add */a z"
    );
    assert_eq!(
        differ("<p>x<!--1-->y<?z 1?><a/> </p>", "<p>z</p>"),
        "remove */text()[1]\nremove */comment()[1]\nremove */text()[1]\n\
         remove */processing-instruction()[1]\nremove */*[1]\nremove */text()[1]\nadd * z"
    );
    assert_eq!(
        differ("<p> <a/> <!--1--> <b/> <c/> </p>", "<p><a/><b/><d/></p>"),
        "replace */c <d/>"
    );
}

// PIDF-51
#[test]
fn prefixes_in_values_keep_their_meaning() {
    let document = |of_x: &str, inside: &str| {
        format!("<p xmlns:x='{of_x}' xmlns:k='urn:example:k'><a>{inside}</a><c/></p>")
    };
    let operations = |before: &str, after: &str| {
        let (before, after) = (read(before), read(after));
        let operations = difference(&before, &after).unwrap();
        assert_eq!(applied(&before, &operations), after);
        operations
    };
    let declared = |operations: &[Operation]| -> Vec<(String, String)> {
        let [
            Operation {
                change: Change::Add { nodes, .. } | Change::Replace { nodes },
                ..
            },
        ] = operations
        else {
            panic!("{operations:?}");
        };
        match &nodes[..] {
            [Node::Element(element)] => {
                let all = element.declarations();
                all.map(|(prefix, namespace)| (prefix.into(), namespace.into()))
                    .collect()
            }
            _ => Vec::new(),
        }
    };
    let one = document("urn:example:one", "x:y");
    // Nothing is needed where the prefix means the same.
    let same = operations(&one, &document("urn:example:one", "x:z"));
    assert_eq!(told(&same), "replace */a/text() x:z");
    let other = operations(&one, &document("urn:example:other", "x:z"));
    assert_eq!(declared(&other), [("x".into(), "urn:example:other".into())]);
    let added = operations(&one, &one.replace("<c/>", "<b t='k:v'>z:none</b><c/>"));
    assert_eq!(declared(&added), [("k".into(), "urn:example:k".into())]);
}

// ---- random ---------------------------------------------------------------------------------------

/// As a reader of it would see it: no texts side by side, no white space that means nothing.
fn as_read(element: &Element) -> Element {
    Element::read(&element.write().unwrap(), &XmlLimits::default()).unwrap()
}

fn pair(seed: u64) -> (Element, Element) {
    let mut dice = Dice(seed);
    let before = dice.element(4);
    let mut after = before.clone();
    for _ in 0..dice.roll(6) {
        dice.edit(&mut after);
    }
    if dice.roll(20) == 0 {
        let mut other = dice.element(4);
        std::mem::swap(after.children_mut(), other.children_mut());
    }
    (as_read(&before), as_read(&after))
}

// PIDF-51
#[test]
fn a_difference_applied_to_the_one_gives_the_other() {
    let pairs = std::env::var("PRESENTITY_PAIRS").ok();
    let pairs = pairs.map_or(3_000, |pairs| pairs.parse().unwrap());
    let mut runner = TestRunner::new(Config {
        cases: pairs,
        failure_persistence: None,
        ..Config::default()
    });
    let checked = runner.run(&any::<u64>().no_shrink(), |seed| {
        let (before, after) = pair(seed);
        let operations = difference(&before, &after).unwrap();
        prop_assert_eq!(&applied(&before, &operations), &after);
        prop_assert_eq!(operations.is_empty(), before == after);
        Ok(())
    });
    checked.unwrap();
}

// ---- hostile --------------------------------------------------------------------------------------

fn seconds(run: impl FnOnce()) -> f64 {
    let start = cpu_time::ThreadTime::now();
    run();
    start.elapsed().as_secs_f64()
}

/// Four times as much takes not much more than four times as long, and what is told is not longer than the
/// document.
fn grows_slowly(document: impl Fn(usize) -> (String, String)) {
    let mut times = Vec::new();
    for size in [5_000, 20_000] {
        let (before, after) = document(size);
        let (before, after) = (read(&before), read(&after));
        let mut operations = Vec::new();
        times.push(seconds(|| {
            operations = difference(&before, &after).unwrap()
        }));
        if size == 5_000 {
            assert!(told(&operations).len() < 4 * after.write().unwrap().len() + 1_000);
        }
    }
    assert!(times[1] < 10.0 * times[0] + 0.1, "{times:?}");
}

// PIDF-51
#[test]
fn long_lists_take_no_square_of_time() {
    let list = |size: usize, item: &dyn Fn(usize) -> String| -> String {
        let items: String = (0..size).map(item).collect();
        format!("<p>{items}</p>")
    };
    // Everything in another order, with ids and without.
    grows_slowly(|size| {
        let with_id = |at: usize| format!("<t id='i{at}'/>");
        (
            list(size, &with_id),
            list(size, &|at| with_id(size - at - 1)),
        )
    });
    grows_slowly(|size| {
        let with_text = |at: usize| format!("<t>{at}</t>");
        (
            list(size, &with_text),
            list(size, &|at| with_text(at * 7 % size)),
        )
    });
    // The same over and over, and each changed.
    grows_slowly(|size| {
        let item = |at: usize| format!("<t id='x'>{}</t>", at % 2);
        (list(size, &item), list(size, &|at| item(at + 1)))
    });
    grows_slowly(|size| {
        let item = |at: usize| format!("<t{at}>{at}</t{at}>");
        (
            list(size, &item),
            list(size, &|at| format!("<t{at}>{}</t{at}>", at + 1)),
        )
    });
}

// PIDF-51
#[test]
fn deep_elements_take_no_square_of_time_or_place() {
    grows_slowly(|size| {
        let nested = |text: &str| {
            let items: String = (0..size)
                .map(|at| format!("<t{at}>{text}</t{at}>"))
                .collect();
            let long = "i".repeat(100);
            let open = format!("<a id='{long}'/><a id='j'>").repeat(200);
            format!("<p>{open}{items}{}</p>", "</a>".repeat(200))
        };
        (nested("1"), nested("2"))
    });
    // The same at every level, so that siblings have to be told by what they contain.
    grows_slowly(|size| {
        let nested = |text: &str| {
            let items = format!("<t>{text}</t>").repeat(size);
            let open = "<a/><a>".repeat(200);
            format!("<p>{open}{items}{}</p>", "</a>".repeat(200))
        };
        (nested("1"), nested("2"))
    });
}

// PIDF-51
#[test]
fn the_deepest_documents_need_little_stack() {
    let compared = std::thread::Builder::new()
        .stack_size(512 * 1024)
        .spawn(|| {
            let nested = |text: &str| {
                let levels = XmlLimits::MAX_DEPTH - 1;
                format!(
                    "{}<b/><b>{text}</b>{}",
                    "<a>".repeat(levels),
                    "</a>".repeat(levels)
                )
            };
            let (before, after) = (read(&nested("1")), read(&nested("2")));
            let operations = difference(&before, &after).unwrap();
            assert_eq!(operations.len(), 1);
            let mut changed = before.clone();
            apply(&mut changed, &operations, &mut Steps::default()).unwrap();
            assert_eq!(changed, after);
        })
        .unwrap();
    compared.join().unwrap();
}
