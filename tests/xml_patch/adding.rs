//! What `add` does.

use presentity::xml::patch::PatchErrorKind;

use crate::{patched, refused};

// PIDF-51
#[test]
fn nodes_are_put_where_they_should_be() {
    let document = "<a><b/>x<!--c--></a>";
    for (operation, after) in [
        ("<add sel='a'><n/></add>", "<a><b/>x<!--c--><n/></a>"),
        (
            "<add sel='a' pos='prepend'><n/></add>",
            "<a><n/><b/>x<!--c--></a>",
        ),
        ("<add sel='a/b'>y</add>", "<a><b>y</b>x<!--c--></a>"),
        (
            "<add sel='a/b' pos='prepend'><!--n--></add>",
            "<a><b><!--n--></b>x<!--c--></a>",
        ),
        (
            "<add sel='a/b' pos='before'><n/><m/></add>",
            "<a><n/><m/><b/>x<!--c--></a>",
        ),
        (
            "<add sel='a/b' pos='after'><n/></add>",
            "<a><b/><n/>x<!--c--></a>",
        ),
        (
            "<add sel='a/text()' pos='before'><n/></add>",
            "<a><b/><n/>x<!--c--></a>",
        ),
        (
            "<add sel='a/text()' pos='after'><n/></add>",
            "<a><b/>x<n/><!--c--></a>",
        ),
        (
            "<add sel='a/comment()' pos='after'><?n m?></add>",
            "<a><b/>x<!--c--><?n m?></a>",
        ),
        (
            "<add sel='a/comment()' pos='before'><n k='v'>z<o/></n></add>",
            "<a><b/>x<n k=\"v\">z<o/></n><!--c--></a>",
        ),
        ("<add sel='a'/>", "<a><b/>x<!--c--></a>"),
    ] {
        assert_eq!(patched(document, operation), after, "{operation}");
    }
}

// PIDF-51
#[test]
fn neighbouring_texts_become_one() {
    let document = "<a>1<b/>2<c/></a>";
    for (operation, after) in [
        ("<add sel='a'>n</add>", "<a>1<b/>2<c/>n</a>"),
        ("<add sel='a' pos='prepend'>n</add>", "<a>n1<b/>2<c/></a>"),
        ("<add sel='a/b' pos='before'>n</add>", "<a>1n<b/>2<c/></a>"),
        (
            "<add sel='a/b' pos='after'>n<m/>o</add>",
            "<a>1<b/>n<m/>o2<c/></a>",
        ),
        (
            "<add sel='a/text()[2]' pos='after'>n<m/>o</add>",
            "<a>1<b/>2n<m/>o<c/></a>",
        ),
        (
            "<add sel='a/text()[2]' pos='before'>n<m/>o</add>",
            "<a>1<b/>n<m/>o2<c/></a>",
        ),
    ] {
        assert_eq!(patched(document, operation), after, "{operation}");
        // There are as many texts as one can see.
        let again = format!("{operation}<replace sel='a/text()[2]'>T</replace>");
        let patched = patched(document, &again);
        assert_eq!(patched.matches('T').count(), 1, "{patched}");
    }
    // The second text is what the first operation left as one.
    let operation =
        "<add sel='a' pos='prepend'>n</add><remove sel='a/b'/><remove sel='a/text()[1]'/>";
    assert_eq!(patched(document, operation), "<a><c/></a>");
}

// PIDF-51
#[test]
fn white_space_is_added_as_it_stands() {
    let document = "<a>\n  <b/>\n</a>";
    let patch = "<add sel='a'>  <c>\n    <d/>\n  </c>\n</add>";
    let after = "<a>\n  <b/>\n  <c>\n    <d/>\n  </c>\n</a>";
    assert_eq!(patched(document, patch), after);
}

// PIDF-51
#[test]
fn attributes_are_added() {
    let document = "<a><b k='1'/></a>";
    let added = patched(document, "<add sel='a/b' type='@m'>x &lt; \"y\"</add>");
    assert_eq!(added, "<a><b k=\"1\" m=\"x &lt; &quot;y&quot;\"/></a>");
    assert_eq!(
        patched(document, "<add sel='a' type='@m'/>"),
        "<a m=\"\"><b k=\"1\"/></a>"
    );
    let lang = "<add sel='a' type='@xml:lang'>en</add>";
    assert_eq!(
        patched(document, lang),
        "<a xml:lang=\"en\"><b k=\"1\"/></a>"
    );
    // It is in the namespace that the prefix has in the patch; without prefix in none.
    let qualified = "<add xmlns:p='urn:example:p' xmlns='urn:example:p' sel='*/*[@k=\"1\"]' type='@p:k'>2</add>";
    let patch = crate::whole(&format!("<diff>{qualified}</diff>"));
    let operation = presentity::xml::patch::Operation::read(patch.elements().next().unwrap(), &[]);
    let mut root = crate::whole(document);
    let mut steps = presentity::xml::patch::Steps::default();
    presentity::xml::patch::apply(&mut root, &[operation.unwrap()], &mut steps).unwrap();
    let b = root.elements().next().unwrap();
    assert_eq!(b.attributes.get("urn:example:p", "k"), Some("2"));
    assert_eq!(b.attribute("k"), Some("1"));
}

#[test]
fn what_cannot_be_added() {
    use PatchErrorKind as Kind;
    let document = "<a k='1'>t<b/></a>";
    for (operation, kind) in [
        (
            "<add sel='a' type='@k'>2</add>",
            Kind::InvalidAttributeValue,
        ),
        (
            "<add sel='a' type='@m'><b/></add>",
            Kind::InvalidAttributeValue,
        ),
        (
            "<add sel='a' type='@m'>x<!--y--></add>",
            Kind::InvalidAttributeValue,
        ),
        (
            "<add sel='a' type='@xmlns'>urn:example:x</add>",
            Kind::InvalidAttributeValue,
        ),
        ("<add sel='a' type='m'>x</add>", Kind::InvalidAttributeValue),
        (
            "<add sel='a' type='@m/@n'>x</add>",
            Kind::InvalidAttributeValue,
        ),
        (
            "<add sel='a' type='text()'>x</add>",
            Kind::InvalidAttributeValue,
        ),
        ("<add sel='a' type=''>x</add>", Kind::InvalidAttributeValue),
        (
            "<add sel='a' type='@p:m'>x</add>",
            Kind::InvalidNamespacePrefix,
        ),
        (
            "<add sel='a/text()' type='@m'>x</add>",
            Kind::InvalidNodeTypes,
        ),
        ("<add sel='a/text()'>x</add>", Kind::InvalidNodeTypes),
        (
            "<add sel='a/text()' pos='prepend'>x</add>",
            Kind::InvalidNodeTypes,
        ),
        ("<add sel='a/@k'>x</add>", Kind::InvalidAttributeValue),
        (
            "<add sel='a/@k' pos='after'>x</add>",
            Kind::InvalidAttributeValue,
        ),
        (
            "<add sel='a' pos='behind'>x</add>",
            Kind::InvalidAttributeValue,
        ),
        ("<add sel='a' pos=''>x</add>", Kind::InvalidAttributeValue),
        (
            "<add sel='a' pos='before'><c/></add>",
            Kind::InvalidRootElementOperation,
        ),
        (
            "<add sel='a' pos='after'>\n<c/></add>",
            Kind::InvalidRootElementOperation,
        ),
        (
            "<add sel='a' pos='after'><!--c--></add>",
            Kind::InvalidXmlPrologOperation,
        ),
        (
            "<add sel='a' pos='before'><?c?></add>",
            Kind::InvalidXmlPrologOperation,
        ),
        (
            "<add sel='comment()' pos='after'><!--c--></add>",
            Kind::InvalidXmlPrologOperation,
        ),
        (
            "<add sel='processing-instruction()[1]' pos='after'><!--c--></add>",
            Kind::InvalidXmlPrologOperation,
        ),
        ("<add sel='a/c'><b/></add>", Kind::UnlocatedNode),
        ("<add pos='after'><b/></add>", Kind::InvalidDiffFormat),
        (
            "<add sel='a' ws='both'><b/></add>",
            Kind::InvalidPatchDirective,
        ),
        ("<move sel='a/b'/>", Kind::InvalidPatchDirective),
        (
            "<x:add xmlns:x='urn:example:x' sel='a/b'/>",
            Kind::InvalidPatchDirective,
        ),
        ("text <add sel='a'/>", Kind::InvalidDiffFormat),
    ] {
        assert_eq!(refused(document, operation), kind, "{operation}");
    }
    // Attributes of other namespaces are nobody's business.
    let foreign = "<add x:why='so' xmlns:x='urn:example:x' sel='a/b'>n</add>";
    assert_eq!(patched(document, foreign), "<a k=\"1\">t<b>n</b></a>");
}

// PIDF-51
#[test]
fn operations_follow_each_other_and_all_or_none_are_done() {
    let document = "<a><b/></a>";
    let three = "<add sel='a/b'><c/></add><add sel='a/b/c' type='@k'>1</add><add sel='a/b/c[@k=\"1\"]'>t</add>";
    assert_eq!(patched(document, three), "<a><b><c k=\"1\">t</c></b></a>");
    let fourth = format!("{three}<add sel='a/d'/>");
    let operations = crate::operations(&fourth).unwrap();
    let mut root = crate::whole(document);
    let mut steps = presentity::xml::patch::Steps::default();
    let error = presentity::xml::patch::apply(&mut root, &operations, &mut steps).unwrap_err();
    assert_eq!(error.operation(), Some(3));
    assert_eq!(crate::text_of(&root), document);
    assert_eq!(
        crate::operations("<add sel='a'/><!-- - --><add sel='['/>")
            .unwrap_err()
            .operation(),
        Some(1)
    );
}
