//! Patches: a document, a line of three hyphens, and a patch of it. Operations are written as they were
//! read; applied, they leave a document that is written and read as what it is, or the one that was
//! there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use presentity::xml::patch::{
    Operation, PatchErrorDocument, PatchErrorKind, Selector, SelectorPrefixes, Steps, apply,
    apply_with_ids, operation_element, read_operations, write_operations,
};
use presentity::xml::{Element, Layout, XmlLimits};

const BETWEEN: &[u8] = b"\n---\n";

fuzz_target!(|data: &[u8]| {
    selector(data);
    if let Ok(document) = PatchErrorDocument::read(data)
        && let Ok(written) = document.write()
    {
        let again = PatchErrorDocument::read(&written).expect("what was written can be read");
        assert_eq!(again, document);
    }
    let at = data.windows(BETWEEN.len()).position(|it| it == BETWEEN);
    let Some((document, patch)) = at.and_then(|at| data.split_at_checked(at)) else {
        return;
    };
    let limits = XmlLimits::default();
    let Ok(patch) = Element::read_whole(&patch[BETWEEN.len()..], &limits) else {
        return;
    };
    let Ok(operations) = read_operations(&patch, patch.namespace()) else {
        return;
    };
    write(&patch, &operations);
    let Ok(root) = Element::read_whole(document, &limits) else {
        return;
    };
    patched(&root, &patch, &operations);
});

fn selector(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let declarations = [("", "urn:example:x"), ("y", "urn:example:y")];
    if let Ok(selector) = Selector::read(text, &declarations) {
        // Attributes need a prefix of the default namespace.
        let prefixes = SelectorPrefixes::new("urn:example:y")
            .with("x", "urn:example:x")
            .with("z", "urn:example:y");
        let written = selector
            .write(&prefixes)
            .expect("what was read can be written");
        let declarations: Vec<_> = [("", "urn:example:y")]
            .into_iter()
            .chain(prefixes.iter())
            .collect();
        assert_eq!(Selector::read(&written, &declarations), Ok(selector));
    }
}

/// Reads what was written; one more default namespace may need a prefix there.
fn read(octets: &[u8]) -> Element {
    let mut limits = XmlLimits::default();
    limits.bytes *= 4;
    limits.namespaces *= 4;
    Element::read_whole(octets, &limits).expect("what was written can be read")
}

fn write(patch: &Element, operations: &[Operation]) {
    for namespace in [patch.namespace(), "", "urn:example:other"] {
        let mut root = Element::new(namespace, "patch");
        write_operations(&mut root, operations).expect("what was read can be written");
        let octets = root
            .write_as(Layout::Kept)
            .expect("what was read can be written");
        assert_eq!(
            read_operations(&read(&octets), namespace).as_deref(),
            Ok(operations)
        );
    }
}

fn patched(document: &Element, patch: &Element, operations: &[Operation]) {
    let mut root = document.clone();
    let mut steps = Steps::new(200_000);
    let before = steps.left();
    let applied = apply(&mut root, operations, &mut steps);
    assert!(steps.left() <= before);
    let written = root
        .write_as(Layout::Kept)
        .expect("what is patched can be written");
    match applied {
        Ok(()) => {
            let again = read(&written);
            assert_eq!(again, root);
            assert_eq!(again.write_as(Layout::Kept).as_ref(), Ok(&written));
        }
        Err(error) => {
            assert_eq!(Ok(written), document.write_as(Layout::Kept));
            assert_eq!(root, *document);
            if error.kind() == PatchErrorKind::TooManySteps {
                assert_eq!(steps.left(), 0);
            }
            let element = error
                .operation()
                .and_then(|it| operation_element(patch, it));
            let octets = error.to_document(element.as_ref());
            PatchErrorDocument::read(&octets).expect("an error document");
        }
    }
    let mut other = document.clone();
    let _ = apply_with_ids(&mut other, operations, &mut Steps::new(200_000), |_, it| {
        it.name.local() == "id"
    });
}
