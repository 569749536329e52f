//! What `replace` does.

use presentity::xml::patch::PatchErrorKind;

use crate::{patched, refused};

const DOCUMENT: &str = "<a k='1'>t<b><c/></b><!--d--><?e f?>u</a>";

// PIDF-51
#[test]
fn a_node_takes_the_place_of_one_of_its_type() {
    for (operation, after) in [
        (
            "<replace sel='a/b'><n m='o'/></replace>",
            "<a k=\"1\">t<n m=\"o\"/><!--d--><?e f?>u</a>",
        ),
        (
            "<replace sel='a/b'>\n  <n/>\n</replace>",
            "<a k=\"1\">t<n/><!--d--><?e f?>u</a>",
        ),
        ("<replace sel='a'><n/></replace>", "<n/>"),
        (
            "<replace sel='a/comment()'><!--n--></replace>",
            "<a k=\"1\">t<b><c/></b><!--n--><?e f?>u</a>",
        ),
        (
            "<replace sel='a/processing-instruction(\"e\")'><?n m?></replace>",
            "<a k=\"1\">t<b><c/></b><!--d--><?n m?>u</a>",
        ),
        (
            "<replace sel='a/text()[1]'>n</replace>",
            "<a k=\"1\">n<b><c/></b><!--d--><?e f?>u</a>",
        ),
        (
            "<replace sel='a/text()[2]'> <![CDATA[<]]> </replace>",
            "<a k=\"1\">t<b><c/></b><!--d--><?e f?> &lt; </a>",
        ),
        (
            "<replace sel='a/text()[2]'/>",
            "<a k=\"1\">t<b><c/></b><!--d--><?e f?></a>",
        ),
        (
            "<replace sel='a/@k'>n &amp; m</replace>",
            "<a k=\"n &amp; m\">t<b><c/></b><!--d--><?e f?>u</a>",
        ),
        (
            "<replace sel='a/@k'/>",
            "<a k=\"\">t<b><c/></b><!--d--><?e f?>u</a>",
        ),
    ] {
        assert_eq!(patched(DOCUMENT, operation), after, "{operation}");
    }
}

#[test]
fn nothing_else_does() {
    use PatchErrorKind as Kind;
    for (operation, kind) in [
        ("<replace sel='a/b'>text</replace>", Kind::InvalidNodeTypes),
        ("<replace sel='a/b'/>", Kind::InvalidNodeTypes),
        (
            "<replace sel='a/b'><n/><m/></replace>",
            Kind::InvalidNodeTypes,
        ),
        (
            "<replace sel='a/b'><n/>text</replace>",
            Kind::InvalidNodeTypes,
        ),
        (
            "<replace sel='a/b'><!--n--></replace>",
            Kind::InvalidNodeTypes,
        ),
        (
            "<replace sel='a/b'><!--n--><n/></replace>",
            Kind::InvalidNodeTypes,
        ),
        ("<replace sel='a'>text</replace>", Kind::InvalidNodeTypes),
        (
            "<replace sel='a/comment()'><?n?></replace>",
            Kind::InvalidNodeTypes,
        ),
        ("<replace sel='a/comment()'/>", Kind::InvalidNodeTypes),
        (
            "<replace sel='a/processing-instruction()'>n</replace>",
            Kind::InvalidNodeTypes,
        ),
        (
            "<replace sel='a/text()[1]'><n/></replace>",
            Kind::InvalidNodeTypes,
        ),
        (
            "<replace sel='a/text()[1]'>n<!--m--></replace>",
            Kind::InvalidNodeTypes,
        ),
        ("<replace sel='a/@k'><n/></replace>", Kind::InvalidNodeTypes),
        (
            "<replace sel='a/@k'>n<!--m--></replace>",
            Kind::InvalidNodeTypes,
        ),
        ("<replace sel='a/@m'>n</replace>", Kind::UnlocatedNode),
        ("<replace sel='a/x'><n/></replace>", Kind::UnlocatedNode),
        (
            "<replace sel='comment()'><!--n--></replace>",
            Kind::InvalidXmlPrologOperation,
        ),
        (
            "<replace sel='a/b' pos='before'><n/></replace>",
            Kind::InvalidPatchDirective,
        ),
        ("<replace><n/></replace>", Kind::InvalidDiffFormat),
    ] {
        assert_eq!(refused(DOCUMENT, operation), kind, "{operation}");
    }
}

#[test]
fn a_root_that_was_replaced_comes_back_when_the_patch_fails() {
    let patch = "<replace sel='a'><n/></replace><add sel='n'>x</add><remove sel='a'/>";
    assert_eq!(refused(DOCUMENT, patch), PatchErrorKind::UnlocatedNode);
}
