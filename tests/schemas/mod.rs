//! Schemas that say what is valid, which are no part of this project, and `xmllint`, which holds
//! documents against them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test code may fail loudly"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that `PRESENTITY_SPEC` names, if it does.
pub(crate) fn spec() -> Option<PathBuf> {
    let spec = std::env::var_os("PRESENTITY_SPEC").map(PathBuf::from);
    if spec.is_none() {
        println!("PRESENTITY_SPEC is not set");
    }
    spec
}

/// Which of the documents are valid, by their names: none that are not said against.
pub(crate) fn complaints(
    spec: &Path,
    documents: &BTreeMap<String, Vec<u8>>,
) -> BTreeMap<String, Option<String>> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("valid-{}-{run}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, octets) in documents {
        std::fs::write(folder.join(name), octets).unwrap();
    }
    let output = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(
            spec.join("schemas/all-presence.xsd")
                .canonicalize()
                .unwrap(),
        )
        .args(documents.keys())
        .current_dir(&folder)
        .output()
        .expect("xmllint is installed");
    std::fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let mut verdicts = BTreeMap::new();
    let mut said_of: BTreeMap<&str, String> = BTreeMap::new();
    for line in said.lines() {
        if let Some(name) = line.strip_suffix(" validates") {
            verdicts.insert(name.to_owned(), None);
        } else if let Some(name) = line.strip_suffix(" fails to validate") {
            let said = said_of.get(name).cloned().unwrap_or_default();
            verdicts.insert(name.to_owned(), Some(said));
        } else if let Some((name, _)) = line.split_once(':') {
            let said = said_of.entry(name).or_default();
            said.push_str(line);
            said.push('\n');
        }
    }
    for name in documents.keys() {
        assert!(verdicts.contains_key(name), "{name}: {said}");
    }
    verdicts
}
