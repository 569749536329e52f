//! Documents that tell why a patch failed.

use presentity::xml::namespace::PATCH_OPS_ERROR;
use presentity::xml::patch::{
    PatchError, PatchErrorDocument, PatchErrorKind, PatchErrorReadError, Selector, Steps, apply,
    operation_element, read_operations,
};
use presentity::xml::{Element, XmlLimits};

use crate::whole;

const KINDS: [PatchErrorKind; 14] = {
    use PatchErrorKind as Kind;
    [
        Kind::InvalidAttributeValue,
        Kind::InvalidCharacterSet,
        Kind::InvalidDiffFormat,
        Kind::InvalidEntityDeclaration,
        Kind::InvalidNamespacePrefix,
        Kind::InvalidNamespaceUri,
        Kind::InvalidNodeTypes,
        Kind::InvalidPatchDirective,
        Kind::InvalidRootElementOperation,
        Kind::InvalidXmlPrologOperation,
        Kind::InvalidWhitespaceDirective,
        Kind::UnlocatedNode,
        Kind::UnsupportedIdFunction,
        Kind::UnsupportedXmlId,
    ]
};

// PIDF-51
#[test]
fn every_error_has_its_element() {
    for kind in KINDS {
        let error = PatchError::new(kind, "so it is");
        let octets = error.to_document(None);
        let read = PatchErrorDocument::read(&octets).unwrap();
        assert_eq!(
            (read.kind, read.phrase.as_deref()),
            (Some(kind), Some("so it is"))
        );
        assert_eq!(
            (read.language.as_deref(), read.operation),
            (Some("en"), None)
        );
        let root = Element::read(&octets, &XmlLimits::default()).unwrap();
        assert!(root.is(PATCH_OPS_ERROR, "patch-ops-error"));
        assert_eq!(PatchErrorKind::of_element(kind.element()), Some(kind));
        assert_eq!(root.elements().next().unwrap().local(), kind.element());
    }
    assert_eq!(
        PatchErrorDocument::MEDIA_TYPE,
        "application/patch-ops-error+xml"
    );
    // Our own bounds have no element of theirs.
    let octets = PatchError::new(PatchErrorKind::TooManySteps, "").to_document(None);
    let read = PatchErrorDocument::read(&octets).unwrap();
    assert_eq!(read.kind, Some(PatchErrorKind::InvalidPatchDirective));
}

// PIDF-51
#[test]
fn the_operation_that_failed_is_shown_and_means_the_same() {
    for patch in [
        "<d:diff xmlns:d='urn:example:d' xmlns='urn:example:x' xmlns:y='urn:example:y'>\
         <d:remove sel='a/b'/><d:remove sel='a/y:b[@y:k=\"1\"]/c'/></d:diff>",
        "<d:diff xmlns:d='urn:example:d' xmlns:x='urn:example:x' xmlns:y='urn:example:y'>\
         <d:remove sel='x:a/x:b'/><d:remove sel='x:a/y:b/c'/></d:diff>",
    ] {
        let patch = whole(patch);
        let operations = read_operations(&patch, "urn:example:d").unwrap();
        let mut root = whole("<a xmlns='urn:example:x'><b/></a>");
        let error = apply(&mut root, &operations, &mut Steps::default()).unwrap_err();
        assert_eq!(error.operation(), Some(1));
        let element = operation_element(&patch, 1).unwrap();
        let octets = error.to_document(Some(&element));
        let read = PatchErrorDocument::read(&octets).unwrap();
        assert_eq!(read.kind, Some(PatchErrorKind::UnlocatedNode));
        let shown = read.operation.unwrap();
        assert_eq!(shown, *patch.elements().nth(1).unwrap());
        let declarations: Vec<_> = shown.declarations().collect();
        let selector = Selector::read(shown.attribute("sel").unwrap(), &declarations).unwrap();
        assert_eq!(selector, operations[1].selector);
    }
    assert_eq!(operation_element(&whole("<d/>"), 0), None);
}

#[test]
fn what_cannot_be_written_is_left_out() {
    let error = PatchError::new(PatchErrorKind::UnlocatedNode, "what");
    let unwritable = Element::new("", "no name");
    let read = PatchErrorDocument::read(&error.to_document(Some(&unwritable))).unwrap();
    assert_eq!(
        (read.phrase.as_deref(), read.operation),
        (Some("what"), None)
    );
    let error = PatchError::new(PatchErrorKind::UnlocatedNode, "\u{1}");
    let read = PatchErrorDocument::read(&error.to_document(None)).unwrap();
    assert_eq!(read, PatchErrorDocument::new(PatchErrorKind::UnlocatedNode));
}

#[test]
fn other_documents_are_told_apart() {
    let read = |document: &str| PatchErrorDocument::read(document.as_bytes());
    assert!(matches!(read("<a"), Err(PatchErrorReadError::Xml(_))));
    for document in [
        "<patch-ops-error/>",
        "<x xmlns='urn:ietf:params:xml:ns:patch-ops-error'/>",
    ] {
        assert!(
            matches!(read(document), Err(PatchErrorReadError::WrongRoot { .. })),
            "{document}"
        );
    }
    let inside = |inside: &str| {
        read(&format!(
            "<e:patch-ops-error xmlns:e='{PATCH_OPS_ERROR}'>{inside}</e:patch-ops-error>"
        ))
        .unwrap()
    };
    // Errors of others, and of others by the same name, may stand beside it.
    assert_eq!(inside("").kind, None);
    assert_eq!(inside("<unlocated-node/><e:worse/>").kind, None);
    let read = inside(
        "<worse/><e:unsupported-xml-id xml:lang='de' phrase='geht nicht'/><e:unlocated-node/>",
    );
    assert_eq!(read.kind, Some(PatchErrorKind::UnsupportedXmlId));
    assert_eq!(read.phrase.as_deref(), Some("geht nicht"));
    assert_eq!(read.language.as_deref(), Some("de"));
}
