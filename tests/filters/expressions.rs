//! What expressions select.

use presentity::filter::{Filter, FilterSet};
use presentity::xml::Element;

use super::{presence, shown};

/// The ids of the tuples that an expression shows.
fn tuples(expression: &str, document: &Element) -> Vec<String> {
    let shown = shown(Filter::new("1").include(expression), document);
    let Some(shown) = shown else {
        return Vec::new();
    };
    let tuples = shown.elements().filter(|it| it.local() == "tuple");
    tuples
        .map(|it| it.attribute("id").unwrap().to_owned())
        .collect()
}

fn sample() -> Element {
    presence(
        "<tuple id='a'><status><basic>open</basic></status><rpid:class>IM</rpid:class>\
         <contact priority='0.50'>sip:a@example.com</contact><note xml:lang='en'>7</note></tuple>\
         <tuple id='b'><status><basic> closed </basic></status><rpid:class>voice</rpid:class>\
         <contact priority='0.8'>sip:b@example.com</contact></tuple>\
         <tuple id='c'><status><basic>open</basic><x:mood>fine</x:mood></status>\
         <x:box><x:inner x:size='3'>deep</x:inner><x:inner>er</x:inner></x:box></tuple>",
    )
}

// PA-14
#[test]
fn paths_and_conditions() {
    let document = sample();
    for (expression, expected) in [
        ("/pidf:presence/pidf:tuple", "abc"),
        ("/pidf:presence", "abc"),
        ("//pidf:tuple", "abc"),
        ("/*/*", "abc"),
        ("//*", "abc"),
        ("/pidf:tuple", ""),
        ("/pidf:presence/tuple", "abc"),
        ("/presence/tuple/status/basic", "abc"),
        ("//class", ""),
        ("//rpid:class", "ab"),
        ("/pidf:presence//rpid:class", "ab"),
        ("/ pidf:presence / pidf:tuple\n[ rpid:class = 'IM' ]", "a"),
        ("//rpid:tuple", ""),
        ("//x:inner", "c"),
        ("//pidf:tuple//x:inner", "c"),
        ("/pidf:presence/x:inner", ""),
        ("//x:box//x:box", ""),
        ("//x:*", "!"),
        // Values.
        ("//pidf:tuple[rpid:class=\"IM\"]", "a"),
        ("//pidf:tuple[rpid:class=\"im\"]", ""),
        ("//pidf:tuple[rpid:class=IM]", "a"),
        (
            "//pidf:tuple[rpid:class=\"IM\" or rpid:class='voice']",
            "ab",
        ),
        ("//pidf:tuple[pidf:status/pidf:basic=\"closed\"]", "b"),
        ("//pidf:tuple[*/pidf:basic=\"open\"]/pidf:contact", "a"),
        ("//*[status/basic=\"open\"]", "ac"),
        ("//pidf:basic[.='open']", "ac"),
        ("//pidf:basic[.=\"closed\"]", "b"),
        ("//pidf:note[..='openIMsip:a@example.com7']", "a"),
        ("/pidf:presence[..='x']", ""),
        ("//pidf:tuple[x:box='deeper']", "c"),
        ("//pidf:tuple[x:box//x:inner='deep']", "c"),
        ("//pidf:tuple[x:inner='deep']", ""),
        ("//pidf:status[*='fine']", "c"),
        // Attributes.
        ("//pidf:tuple[@id='b']", "b"),
        ("//pidf:tuple[pidf:contact/@priority=0.5]", "a"),
        ("//pidf:tuple[pidf:contact/@priority='0.5']", ""),
        ("//pidf:tuple[pidf:contact/@priority>.6]", "b"),
        ("//pidf:tuple[pidf:contact/@priority>'0.4']", "ab"),
        ("//pidf:tuple[pidf:contact/@priority<'many']", ""),
        ("//pidf:tuple[pidf:note=7 and @id<'z']", ""),
        ("//pidf:tuple[pidf:note>6]", "a"),
        ("//pidf:tuple[*/@x:size=3]", ""),
        ("//pidf:tuple[*/*/@x:size=3]", "c"),
        ("//pidf:tuple[x:box//@x:size=3]", "c"),
        ("//pidf:tuple[x:box//@size=3]", ""),
        ("//pidf:contact/@priority", "ab"),
        ("//@priority", "ab"),
        ("/pidf:presence//@x:size", "c"),
        ("//pidf:tuple/@priority", ""),
        ("//pidf:contact/@priority[.>0.6]", "b"),
        ("//pidf:contact/@priority[..='sip:a@example.com']", "a"),
        ("//pidf:contact/@priority[a='b']", ""),
        ("//pidf:tuple//@priority", "ab"),
        // `and` binds more tightly.
        ("//pidf:tuple[@id='a' or @id='b' and rpid:class='IM']", "a"),
        (
            "//pidf:tuple[rpid:class='voice' and @id='a' or @id='c']",
            "c",
        ),
        // Conditions at several steps.
        (
            "//pidf:tuple[rpid:class='IM']/pidf:status[pidf:basic='open']/pidf:basic",
            "a",
        ),
        (
            "//pidf:tuple[rpid:class='IM']/pidf:status[pidf:basic='closed']/pidf:basic",
            "",
        ),
    ] {
        if expected == "!" {
            let set = FilterSet::of_presence().bind("x", "urn:example:x");
            let set = set.with(Filter::new("1").include(expression));
            assert!(set.write().is_err(), "{expression}");
            continue;
        }
        assert_eq!(
            tuples(expression, &document).concat(),
            expected,
            "{expression}"
        );
    }
}

// PA-14
#[test]
fn what_is_no_expression() {
    for expression in [
        "",
        "/",
        "//",
        "///a",
        "a",
        "a/b",
        "./a",
        "../a",
        "/a/",
        "/a//",
        "/a b",
        "/a:b",
        "/pidf:",
        "/pidf :tuple",
        "/pidf: tuple",
        "/1a",
        "/@a",
        "/a/@",
        "/a/@*",
        "/a/@b/c",
        "/a/..",
        "/a/.",
        "/a[]",
        "/a[1]",
        "/a[b]",
        "/a[@b]",
        "/a[b=]",
        "/a[b='c]",
        "/a[b=\"c']",
        "/a[b='c'",
        "/a[b='c']]",
        "/a[b='c'][d='e']",
        "/a[b='c' xor d='e']",
        "/a[b='c' and]",
        "/a[and b='c']",
        "/a[b='c' andd='e']",
        "/a[b!='c']",
        "/a[b<='c']",
        "/a[/b='c']",
        "/a[//b='c']",
        "/a[./b='c']",
        "/a[../b='c']",
        "/a[b/='c']",
        "/a[b/..='c']",
        "/a[@b/c='d']",
        "/a[count(b)=1]",
        "/a[b='c' or (d='e')]",
        "/a|/b",
        "/child::a",
        "/a[b='c']d",
        "text()",
        "/text()",
        "id('a')",
        "/a[b=c=d]",
    ] {
        let set = FilterSet::of_presence().with(Filter::new("1").include(expression));
        assert!(set.write().is_err(), "{expression}");
        assert_eq!(set.for_resource(|_| true), None, "{expression}");
    }
}
