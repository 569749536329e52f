//! What filters leave of documents.

use presentity::filter::{Filter, PresenceSchema};
use presentity::xml::{Element, namespace};

use super::{BUDGET, narrowing, one, presence, shown, tree};

fn sample() -> Element {
    presence(
        "<tuple id='a'><status><basic>open</basic><x:mood>fine</x:mood></status>\
         <rpid:class>IM</rpid:class><dm:deviceID>urn:example:d</dm:deviceID>\
         <contact priority='0.5'>sip:a@example.com</contact>\
         <note xml:lang='en'>Hello</note><timestamp>2026-03-04T05:06:07Z</timestamp></tuple>\
         <tuple id='b'><status><x:mood>sad</x:mood><x:other/></status></tuple>\
         <note>All</note>\
         <dm:person id='p'><rpid:mood><rpid:note>well</rpid:note><rpid:happy/><rpid:calm/></rpid:mood>\
         <rpid:user-input last-input='2026-03-04T05:06:07Z'>idle</rpid:user-input></dm:person>\
         <dm:device id='d'><x:y>1</x:y><dm:deviceID>urn:example:d</dm:deviceID></dm:device>",
    )
}

#[track_caller]
fn assert_shown(filter: Filter, expected: &str) {
    let expected = presence(expected);
    assert_eq!(shown(filter, &sample()), Some(expected));
}

// PA-14
#[test]
fn an_element_is_shown_with_all_in_it_and_all_it_stands_in() {
    assert_shown(
        Filter::new("1").include("//rpid:mood"),
        "<dm:person id='p'><rpid:mood><rpid:note>well</rpid:note><rpid:happy/><rpid:calm/></rpid:mood></dm:person>",
    );
    assert_shown(
        Filter::new("1").include("/presence/note"),
        "<note>All</note>",
    );
}

// PA-14
#[test]
fn what_is_included_adds_up() {
    assert_shown(
        Filter::new("1")
            .include("//pidf:note[.='Hello']")
            .include("/pidf:presence/pidf:tuple[@id='a']/rpid:class"),
        "<tuple id='a'><status><basic>open</basic></status><rpid:class>IM</rpid:class>\
         <note xml:lang='en'>Hello</note></tuple>",
    );
}

// PA-14
#[test]
fn an_attribute_is_shown_with_its_element_and_its_value() {
    assert_shown(
        Filter::new("1").include("//@last-input"),
        "<dm:person id='p'><rpid:user-input last-input='2026-03-04T05:06:07Z'>idle</rpid:user-input></dm:person>",
    );
    // The element without the attribute, which is optional.
    assert_shown(
        Filter::new("1")
            .include("//rpid:user-input")
            .exclude("//@last-input"),
        "<dm:person id='p'><rpid:user-input>idle</rpid:user-input></dm:person>",
    );
}

// PA-14
#[test]
fn without_an_include_all_is_shown_that_is_not_excluded() {
    let all = sample();
    let mut expected = all.clone();
    for tuple in expected.elements_mut() {
        tuple.children_mut().retain(
            |node| !matches!(node, presentity::xml::Node::Element(it) if it.local() == "note"),
        );
    }
    expected
        .children_mut()
        .retain(|node| !matches!(node, presentity::xml::Node::Element(it) if it.local() == "note"));
    assert_eq!(
        shown(Filter::new("1").exclude("//pidf:note"), &all),
        Some(expected)
    );
}

// PA-14
#[test]
fn namespaces_show_their_elements_by_themselves() {
    assert_shown(
        Filter::new("1")
            .include_namespace(namespace::PIDF)
            .exclude("/presence/tuple[@id='a']/note"),
        "<tuple id='a'><status><basic>open</basic></status>\
         <contact priority='0.5'>sip:a@example.com</contact>\
         <timestamp>2026-03-04T05:06:07Z</timestamp></tuple>\
         <tuple id='b'><status><x:mood>sad</x:mood></status></tuple><note>All</note>",
    );
    assert_shown(
        Filter::new("1").include_namespace("urn:example:x"),
        "<tuple id='a'><status><x:mood>fine</x:mood></status></tuple>\
         <tuple id='b'><status><x:mood>sad</x:mood><x:other/></status></tuple>\
         <dm:device id='d'><x:y>1</x:y><dm:deviceID>urn:example:d</dm:deviceID></dm:device>",
    );
    assert_shown(
        Filter::new("1")
            .include("//pidf:tuple[@id='b']")
            .include("//pidf:note")
            .exclude_namespace("urn:example:x"),
        "<tuple id='a'><status><basic>open</basic></status><note xml:lang='en'>Hello</note></tuple>\
         <tuple id='b'><status><x:mood>sad</x:mood></status></tuple><note>All</note>",
    );
}

#[test]
fn attributes_of_other_namespaces_are_no_part_of_one() {
    let document = presence(
        "<tuple id='a' x:b='c'><status><basic>open</basic></status><note xml:lang='en' x:b='c'>d</note></tuple>",
    );
    let expected = presence(
        "<tuple id='a'><status><basic>open</basic></status><note xml:lang='en'>d</note></tuple>",
    );
    let pidf = Filter::new("1").include_namespace(namespace::PIDF);
    assert_eq!(shown(pidf.clone(), &document).as_ref(), Some(&expected));
    assert_eq!(
        shown(pidf.include_namespace("urn:example:x"), &document).as_ref(),
        Some(&document)
    );
    let without = Filter::new("1").exclude_namespace("urn:example:x");
    assert_eq!(shown(without, &document), Some(expected));
}

// PA-14
#[test]
fn what_the_schema_demands_stays() {
    // A status is mandatory, and so is something in it; of what is put back, no more than that.
    assert_shown(
        Filter::new("1")
            .include("//pidf:tuple")
            .exclude("//pidf:status")
            .exclude("//pidf:contact")
            .exclude("//pidf:note")
            .exclude("//rpid:class")
            .exclude("//dm:deviceID")
            .exclude("//pidf:timestamp")
            .exclude("//@id"),
        "<tuple id='a'><status><basic>open</basic></status></tuple>\
         <tuple id='b'><status><x:mood>sad</x:mood></status></tuple>",
    );
    assert_shown(
        Filter::new("1")
            .include("//rpid:mood")
            .exclude("//rpid:mood/*"),
        "<dm:person id='p'><rpid:mood><rpid:happy/></rpid:mood></dm:person>",
    );
    assert_shown(
        Filter::new("1").include("//rpid:calm"),
        "<dm:person id='p'><rpid:mood><rpid:calm/></rpid:mood></dm:person>",
    );
    assert_shown(
        Filter::new("1").include("//dm:device/x:y"),
        "<dm:device id='d'><x:y>1</x:y><dm:deviceID>urn:example:d</dm:deviceID></dm:device>",
    );
}

#[test]
fn what_the_schema_demands_deep_inside_stays() {
    let document = presence(
        "<tuple id='a'><status><basic>open</basic></status><caps:servcaps><caps:languages>\
         <caps:supported><caps:l>en</caps:l><caps:l>de</caps:l></caps:supported></caps:languages>\
         <caps:priority><caps:supported><caps:range minvalue='1' maxvalue='2'/></caps:supported></caps:priority>\
         </caps:servcaps></tuple>\
         <dm:person id='p'><rpid:place-is><rpid:audio><rpid:ok/></rpid:audio></rpid:place-is>\
         <rpid:place-type><x:hall><x:big/></x:hall></rpid:place-type></dm:person>",
    );
    let filter = Filter::new("1")
        .exclude("//caps:l")
        .exclude("//caps:range/@minvalue")
        .exclude("//rpid:ok")
        .exclude("//x:hall");
    let expected = presence(
        "<tuple id='a'><status><basic>open</basic></status><caps:servcaps><caps:languages>\
         <caps:supported><caps:l>en</caps:l></caps:supported></caps:languages>\
         <caps:priority><caps:supported><caps:range minvalue='1' maxvalue='2'/></caps:supported></caps:priority>\
         </caps:servcaps></tuple>\
         <dm:person id='p'><rpid:place-is><rpid:audio><rpid:ok/></rpid:audio></rpid:place-is>\
         <rpid:place-type><x:hall><x:big/></x:hall></rpid:place-type></dm:person>",
    );
    assert_eq!(shown(filter, &document), Some(expected));
}

#[test]
fn how_an_element_is_to_be_read_is_never_left_out() {
    let document = presence(
        "<tuple id='a'><status><basic>open</basic><x:y pidf:mustUnderstand='true' a='b'><x:z/></x:y></status></tuple>",
    );
    let expected = presence(
        "<tuple id='a'><status><basic>open</basic><x:y pidf:mustUnderstand='true'><x:z/></x:y></status></tuple>",
    );
    // The status has something in it, so that it needs no basic, but this one is wanted.
    let filter = Filter::new("1").include("//x:z").include("//pidf:basic");
    assert_eq!(shown(filter, &document), Some(expected));
}

// PA-14
#[test]
fn nothing_left_is_no_content() {
    for filter in [
        Filter::new("1").include("//rpid:activities"),
        Filter::new("1")
            .include("//pidf:tuple")
            .exclude("//pidf:tuple"),
        Filter::new("1")
            .include("//pidf:contact")
            .exclude("//pidf:tuple"),
        Filter::new("1").exclude("/pidf:presence"),
        Filter::new("1").include("//@none"),
        Filter::new("1").include_namespace("urn:example:none"),
        Filter::new("1")
            .include("//@priority")
            .exclude("//@priority"),
    ] {
        assert_eq!(shown(filter.clone(), &sample()), None, "{filter:?}");
    }
}

#[test]
fn an_empty_filter_narrows_nothing() {
    let mut empty = Filter::new("1");
    assert_eq!(narrowing([empty.clone()]), None);
    empty.what = Some(presentity::filter::What::new());
    empty.triggers = vec![presentity::filter::Trigger::new()];
    assert_eq!(narrowing([empty]), None);
}

#[test]
fn mixed_text_is_shown_with_its_element() {
    let document = tree("<a xmlns='urn:example:x'>one <b>two</b> three <c/></a>");
    let apply = |filter| {
        one(filter)
            .apply(&document, &PresenceSchema::new(), BUDGET)
            .unwrap()
    };
    let expected = tree("<a xmlns='urn:example:x'>one  three <c/></a>");
    assert_eq!(apply(Filter::new("1").exclude("//b")), Some(expected));
    let expected = tree("<a xmlns='urn:example:x'><b>two</b></a>");
    assert_eq!(apply(Filter::new("1").include("/a/b")), Some(expected));
}

#[test]
fn declarations_that_values_rely_on_stay() {
    let document = tree(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:q='urn:example:q' entity='sip:dora@example.com'>\
         <tuple id='a'><status><basic>open</basic></status><note>q:name</note></tuple></presence>",
    );
    let shown = shown(Filter::new("1").include("//pidf:note"), &document).unwrap();
    let declared: Vec<_> = document.declarations().collect();
    assert!(declared.contains(&("q", "urn:example:q")));
    assert_eq!(shown.declarations().collect::<Vec<_>>(), declared);
}
