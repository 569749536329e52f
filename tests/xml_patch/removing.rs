//! What `remove` does.

use presentity::xml::patch::PatchErrorKind;

use crate::{patched, refused};

const DOCUMENT: &str = "<a k='1' m='2'> <b><c/></b>\n<!--d-->\t<?e f?>u<g/></a>";

// PIDF-51
#[test]
fn nodes_go_and_the_texts_beside_them_join() {
    for (operation, after) in [
        (
            "<remove sel='a/b'/>",
            "<a k=\"1\" m=\"2\"> \n<!--d-->\t<?e f?>u<g/></a>",
        ),
        (
            "<remove sel='a/b/c'/>",
            "<a k=\"1\" m=\"2\"> <b/>\n<!--d-->\t<?e f?>u<g/></a>",
        ),
        (
            "<remove sel='a/comment()'/>",
            "<a k=\"1\" m=\"2\"> <b><c/></b>\n\t<?e f?>u<g/></a>",
        ),
        (
            "<remove sel='a/processing-instruction(\"e\")'/>",
            "<a k=\"1\" m=\"2\"> <b><c/></b>\n<!--d-->\tu<g/></a>",
        ),
        (
            "<remove sel='a/text()[4]'/>",
            "<a k=\"1\" m=\"2\"> <b><c/></b>\n<!--d-->\t<?e f?><g/></a>",
        ),
        (
            "<remove sel='a/@k'/>",
            "<a m=\"2\"> <b><c/></b>\n<!--d-->\t<?e f?>u<g/></a>",
        ),
    ] {
        assert_eq!(patched(DOCUMENT, operation), after, "{operation}");
    }
    // One text is left where there were two.
    let patch = "<remove sel='a/b'/><replace sel='a/text()[1]'>x</replace>";
    assert!(patched(DOCUMENT, patch).starts_with("<a k=\"1\" m=\"2\">x<!--d-->"));
}

// PIDF-51
#[test]
fn white_space_goes_along() {
    for (operation, after) in [
        (
            "<remove sel='a/b' ws='before'/>",
            "<a k=\"1\" m=\"2\">\n<!--d-->\t<?e f?>u<g/></a>",
        ),
        (
            "<remove sel='a/b' ws='after'/>",
            "<a k=\"1\" m=\"2\"> <!--d-->\t<?e f?>u<g/></a>",
        ),
        (
            "<remove sel='a/b' ws='both'/>",
            "<a k=\"1\" m=\"2\"><!--d-->\t<?e f?>u<g/></a>",
        ),
        (
            "<remove sel='a/comment()' ws='both'/>",
            "<a k=\"1\" m=\"2\"> <b><c/></b><?e f?>u<g/></a>",
        ),
        (
            "<remove sel='a/processing-instruction()' ws='before'/>",
            "<a k=\"1\" m=\"2\"> <b><c/></b>\n<!--d-->u<g/></a>",
        ),
    ] {
        assert_eq!(patched(DOCUMENT, operation), after, "{operation}");
    }
}

#[test]
fn what_cannot_be_removed() {
    use PatchErrorKind as Kind;
    for (operation, kind) in [
        ("<remove sel='a'/>", Kind::InvalidRootElementOperation),
        (
            "<remove sel='a' ws='both'/>",
            Kind::InvalidRootElementOperation,
        ),
        ("<remove sel='comment()'/>", Kind::InvalidXmlPrologOperation),
        (
            "<remove sel='a/b/c' ws='before'/>",
            Kind::InvalidWhitespaceDirective,
        ),
        (
            "<remove sel='a/b/c' ws='after'/>",
            Kind::InvalidWhitespaceDirective,
        ),
        (
            "<remove sel='a/g' ws='before'/>",
            Kind::InvalidWhitespaceDirective,
        ),
        (
            "<remove sel='a/processing-instruction()' ws='both'/>",
            Kind::InvalidWhitespaceDirective,
        ),
        (
            "<remove sel='a/text()[1]' ws='before'/>",
            Kind::InvalidAttributeValue,
        ),
        (
            "<remove sel='a/@k' ws='after'/>",
            Kind::InvalidAttributeValue,
        ),
        ("<remove sel='a/b' ws='none'/>", Kind::InvalidAttributeValue),
        ("<remove sel='a/b'>x</remove>", Kind::InvalidDiffFormat),
        ("<remove sel='a/b'><c/></remove>", Kind::InvalidDiffFormat),
        ("<remove sel='a/b' type='@k'/>", Kind::InvalidPatchDirective),
        (
            "<remove sel='a/b'/><remove sel='a/b'/>",
            Kind::UnlocatedNode,
        ),
        (
            "<remove sel='a/@k'/><remove sel='a/@k'/>",
            Kind::UnlocatedNode,
        ),
        ("<remove/>", Kind::InvalidDiffFormat),
    ] {
        assert_eq!(refused(DOCUMENT, operation), kind, "{operation}");
    }
}
