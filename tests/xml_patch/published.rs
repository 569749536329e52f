//! The examples of RFC 5261, which are no part of this project: documents, patches and what comes of them.

use std::collections::BTreeMap;
use std::fs;

use presentity::xml::patch::{Steps, apply, read_operations};

use crate::schemas::spec;
use crate::{text_of, whole};

// PIDF-51
#[test]
fn documents_and_patches_give_what_is_published() {
    let Some(spec) = spec() else {
        return;
    };
    // Section and number, and the kind of document.
    let mut examples: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for file in fs::read_dir(spec.join("vectors")).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let parts = name
            .strip_prefix("rfc5261-s")
            .and_then(|name| name.strip_suffix(".xml"))
            .map(|name| name.split('-').collect::<Vec<_>>());
        if let Some(&[section, number, _]) = parts.as_deref()
            && section.starts_with('A')
        {
            let text = fs::read_to_string(file.path()).unwrap();
            let documents = examples.entry(section.to_owned()).or_default();
            documents.push((number.to_owned(), text));
        }
    }
    assert_eq!(examples.len(), 18);
    for (section, mut documents) in examples {
        documents.sort();
        let [(_, before), (_, patch), (_, after)] = documents.as_slice() else {
            panic!("{section}");
        };
        let mut root = whole(before);
        let patch = whole(patch);
        let operations = read_operations(&patch, patch.namespace()).unwrap();
        apply(&mut root, &operations, &mut Steps::default())
            .unwrap_or_else(|error| panic!("{section}: {error}"));
        let (found, expected) = (text_of(&root), text_of(&whole(after)));
        // The patch does not ask for white space to be removed, and the result lacks it.
        if section == "A.16" {
            assert_ne!(found, expected);
            assert_eq!(root, whole(after));
        } else {
            assert_eq!(found, expected, "{section}");
        }
    }
}
