//! Which changes are worth a notification.

use presentity::filter::{Changed, Filter, Trigger};
use presentity::xml::Element;

use super::{BUDGET, narrowing, presence, when};

fn fires(trigger: Trigger, before: &Element, after: &Element) -> bool {
    when(trigger).fires(before, after, BUDGET)
}

/// Tuples with these ids and values of `basic`.
fn tuples(tuples: &[(&str, &str)]) -> Element {
    let tuples = tuples.iter().map(|(id, basic)| {
        format!("<tuple id='{id}'><status><basic>{basic}</basic></status></tuple>")
    });
    presence(&tuples.collect::<String>())
}

fn basic() -> Changed {
    Changed::of("/pidf:presence/pidf:tuple/pidf:status/pidf:basic")
}

// PA-14
#[test]
fn a_value_has_to_change_from_and_to_what_is_said() {
    let closed = tuples(&[("a", "closed")]);
    let open = tuples(&[("a", "open")]);
    let odd = tuples(&[("a", "odd")]);
    let any = || Trigger::new().changed(basic());
    assert!(fires(any(), &closed, &open));
    assert!(!fires(any(), &open, &open));
    assert!(!fires(any(), &open, &tuples(&[("a", " open ")])));
    let to = || Trigger::new().changed(basic().to("open"));
    assert!(fires(to(), &closed, &open));
    assert!(!fires(to(), &open, &open));
    assert!(!fires(to(), &open, &closed));
    let from = || Trigger::new().changed(basic().from("open"));
    assert!(fires(from(), &open, &closed));
    assert!(!fires(from(), &closed, &open));
    assert!(!fires(from(), &open, &open));
    // In capitals, as an example of the RFC has it.
    let both = || Trigger::new().changed(basic().from("CLOSED").to("OPEN"));
    assert!(fires(both(), &closed, &open));
    assert!(!fires(both(), &odd, &open));
    assert!(!fires(both(), &closed, &odd));
}

// PA-14
#[test]
fn each_tuple_is_compared_with_itself() {
    let changed = || Trigger::new().changed(basic());
    let before = tuples(&[("a", "open"), ("b", "closed"), ("c", "open")]);
    let moved = tuples(&[("c", "open"), ("b", "closed"), ("a", "open")]);
    assert!(!fires(changed(), &before, &moved));
    let swapped = tuples(&[("a", "closed"), ("b", "open"), ("c", "open")]);
    assert!(fires(changed(), &before, &swapped));
    let to = Trigger::new().changed(basic().from("closed").to("open"));
    let gone = tuples(&[("a", "open"), ("c", "open")]);
    assert!(!fires(to, &before, &gone));
    // Elements without ids are told by their names, and then by their order.
    let notes = |inside: &str| presence(&format!("<tuple id='a'><status/>{inside}</tuple>"));
    let note = |text: &str| Trigger::new().changed(Changed::of("//pidf:note").to(text));
    let one = notes("<contact>sip:a@example.com</contact><note>1</note><note>2</note>");
    let other = notes("<note>1</note><note>3</note>");
    assert!(fires(note("3"), &one, &other));
    assert!(!fires(note("1"), &one, &other));
}

// PA-14: RFC 4661 section 6.3 wants to know of watchers that are new and pending.
#[test]
fn what_was_not_there_had_another_value() {
    let none = tuples(&[]);
    let open = tuples(&[("a", "open")]);
    assert!(fires(
        Trigger::new().changed(basic().to("open")),
        &none,
        &open
    ));
    assert!(!fires(
        Trigger::new().changed(basic().to("closed")),
        &none,
        &open
    ));
    assert!(!fires(
        Trigger::new().changed(basic().from("closed").to("open")),
        &none,
        &open
    ));
    assert!(fires(
        Trigger::new().changed(basic().from("open")),
        &open,
        &none
    ));
    assert!(fires(Trigger::new().changed(basic()), &open, &none));
    assert!(fires(Trigger::new().changed(basic()), &none, &open));
    assert!(!fires(
        Trigger::new().changed(basic().by("0")),
        &none,
        &open
    ));
}

// PA-14
#[test]
fn numbers_are_compared_by_value() {
    let contact = |priority: &str| {
        presence(&format!(
            "<tuple id='a'><status/><contact priority='{priority}'>sip:a@example.com</contact></tuple>"
        ))
    };
    let priority = || Changed::of("//pidf:contact/@priority");
    let changed = || Trigger::new().changed(priority());
    assert!(fires(changed(), &contact("0.5"), &contact("0.6")));
    assert!(!fires(changed(), &contact("0.5"), &contact("0.500")));
    assert!(!fires(
        Trigger::new().changed(priority().to("0.5")),
        &contact("0.5"),
        &contact(".50")
    ));
    assert!(fires(
        Trigger::new().changed(priority().to("0.5")),
        &contact("1"),
        &contact(".50")
    ));
    let by = |amount: &str| Trigger::new().changed(priority().by(amount));
    for (before, after, amount, expected) in [
        ("6", "8", "2", true),
        ("6", "4", "2", true),
        ("6", "7.999", "2", false),
        ("6", "9", "2", true),
        ("6", "6", "0", false),
        ("6", "7", "0", true),
        ("6", "many", "1", false),
        ("-1", "1", "2.0", true),
    ] {
        let fired = fires(by(amount), &contact(before), &contact(after));
        assert_eq!(fired, expected, "{before} to {after} by {amount}");
    }
    let from_by = Trigger::new().changed(priority().from("6").by("2"));
    assert!(fires(from_by.clone(), &contact("6.0"), &contact("9")));
    assert!(!fires(from_by, &contact("5"), &contact("9")));
}

// PA-14
#[test]
fn elements_come_and_go() {
    let one = tuples(&[("a", "open")]);
    let two = tuples(&[("a", "open"), ("b", "open")]);
    let other = tuples(&[("b", "open")]);
    let added = || Trigger::new().added("//pidf:tuple");
    let removed = || Trigger::new().removed("//pidf:tuple");
    assert!(fires(added(), &one, &two));
    assert!(!fires(removed(), &one, &two));
    assert!(fires(removed(), &two, &one));
    assert!(!fires(added(), &two, &one));
    assert!(fires(added(), &one, &other));
    assert!(fires(removed(), &one, &other));
    assert!(!fires(added(), &one, &tuples(&[("a", "closed")])));
    // Attributes, and elements that come to be selected.
    let with = |attribute: &str| {
        presence(&format!(
            "<tuple id='a'><status/><contact {attribute}>sip:a@example.com</contact></tuple>"
        ))
    };
    let attribute = Trigger::new().added("//@priority");
    assert!(fires(attribute.clone(), &with(""), &with("priority='1'")));
    assert!(!fires(
        attribute,
        &with("priority='1'"),
        &with("priority='0'")
    ));
    let open = Trigger::new().added("//pidf:tuple[pidf:status/pidf:basic='open']");
    assert!(fires(open.clone(), &tuples(&[("a", "closed")]), &one));
    assert!(!fires(open, &one, &one));
}

// PA-14
#[test]
fn all_of_one_trigger_or_any_of_several() {
    let before = tuples(&[("a", "closed")]);
    let changed = tuples(&[("a", "open")]);
    let both = tuples(&[("a", "open"), ("b", "open")]);
    let all = Trigger::new()
        .changed(basic().from("closed"))
        .added("//pidf:tuple");
    assert!(!fires(all.clone(), &before, &changed));
    assert!(fires(all.clone(), &before, &both));
    let any = Filter::new("1")
        .when(all)
        .when(Trigger::new())
        .when(Trigger::new().changed(basic().to("open")));
    let any = narrowing([any]).unwrap();
    assert!(any.fires(&before, &changed, BUDGET));
    assert!(!any.fires(&changed, &before, BUDGET));
}

#[test]
fn an_element_changes_with_anything_in_it() {
    let tuple = |inside: &str| presence(&format!("<tuple id='a'>{inside}</tuple>"));
    let one = tuple("<status/><note xml:lang='en'>1</note>");
    let spaced = tuple(" <status/>\n<note xml:lang='en'>1</note> ");
    let other = tuple("<status/><note xml:lang='de'>1</note>");
    for expression in ["//pidf:tuple", "//pidf:note", "//*"] {
        let changed = || Trigger::new().changed(Changed::of(expression));
        assert!(fires(changed(), &one, &other), "{expression}");
        assert!(!fires(changed(), &one, &spaced), "{expression}");
    }
    // By name, only the values count.
    let to = Trigger::new().changed(Changed::of("//pidf:note").to("1"));
    assert!(!fires(to, &one, &other));
}

#[test]
fn without_triggers_each_change_counts() {
    let narrowing = super::one(Filter::new("1").include("//pidf:note"));
    let document = tuples(&[("a", "open")]);
    assert!(!narrowing.has_triggers());
    assert!(narrowing.fires(&document, &document, BUDGET));
}

#[test]
fn documents_of_other_kinds_have_nothing_in_common() {
    let one = super::tree("<a xmlns='urn:example:x'><b>1</b></a>");
    let other = super::tree("<c xmlns='urn:example:x'><b>1</b></c>");
    assert!(fires(Trigger::new().added("//x:b"), &one, &other));
    assert!(fires(Trigger::new().removed("//x:b"), &one, &other));
    assert!(!fires(Trigger::new().added("//x:b"), &one, &one));
}
