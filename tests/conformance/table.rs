//! Keeps `table.txt` honest: a requirement is met by tests that say so, and by nothing else.
//!
//! A row is `id | met | tests`, `id | n/a | why` or `id | open | what for`. A test is named by its
//! file and its function. `UPDATE_TABLE=1 cargo test --test conformance table` writes the names of
//! the tests into the rows that are met; what is met is for people to say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const GROUPS: [(&str, usize); 8] = [
    ("PA", 76),
    ("SUB", 65),
    ("PUA", 30),
    ("SRV", 60),
    ("SEC", 39),
    ("PIDF", 50),
    ("CERT", 40),
    ("SDF", 31),
];

/// The tests that cite an id, by `file::function`.
type Citations = BTreeMap<String, BTreeSet<String>>;

#[derive(Debug, PartialEq)]
struct Row {
    id: String,
    status: String,
    /// Names of tests, or a reason.
    rest: String,
}

impl Row {
    fn tests(&self) -> impl Iterator<Item = &str> {
        self.rest.split(',').map(str::trim)
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn table_path() -> PathBuf {
    root().join("tests/conformance/table.txt")
}

fn rows(table: &str) -> Vec<Row> {
    table
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let parts: Vec<&str> = line.splitn(3, '|').map(str::trim).collect();
            let [id, status, rest] = parts[..] else {
                panic!("a row is `id | status | rest`: {line}");
            };
            Row {
                id: id.to_owned(),
                status: status.to_owned(),
                rest: rest.to_owned(),
            }
        })
        .collect()
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// The ids of this project's requirements in a line.
fn ids(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
        if let Some((group, number)) = word.split_once('-')
            && GROUPS.iter().any(|(name, _)| *name == group)
            && number.len() == 2
            && number.bytes().all(|digit| digit.is_ascii_digit())
        {
            found.push(word.to_owned());
        }
    }
    found
}

fn function_in(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let is_head = before.is_empty() || before.trim() == "pub" || before.trim() == "async";
    let name = rest.split(['(', '<']).next()?;
    (is_head || before.trim().is_empty()).then_some(name)
}

/// Which tests of a file cite which ids: in a comment above them or in them. What is no test
/// proves nothing.
fn citations_in(name: &str, source: &str, out: &mut Citations) {
    let lines: Vec<&str> = source.lines().map(str::trim_start).collect();
    let mut current = None;
    // Since the last line of code.
    let (mut above, mut marked) = (Vec::new(), false);
    for line in lines {
        let is_doc = line.starts_with("///") || line.starts_with("//!");
        if line.starts_with("//") {
            above.extend(ids(if is_doc { "" } else { line }));
            continue;
        }
        if line.starts_with("#[") {
            marked |= line == "#[test]";
            continue;
        }
        if let Some(function) = function_in(line) {
            current = marked.then_some(function);
        }
        for id in above.drain(..) {
            if let Some(test) = current {
                out.entry(id).or_default().insert(format!("{name}::{test}"));
            }
        }
        marked = false;
    }
}

/// What the sources in a folder cite.
fn citations(folder: &str) -> Citations {
    let mut files = Vec::new();
    sources(&root().join(folder), &mut files);
    let mut all = Citations::new();
    for path in files {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let parent = path.parent().and_then(|parent| parent.file_name());
        if path == root().join("tests/conformance/table.rs") {
            // Its examples prove nothing.
            continue;
        }
        let name = match stem {
            Some("mod" | "main") => parent.and_then(|name| name.to_str()),
            stem => stem,
        };
        let source = fs::read_to_string(&path).expect("a source");
        citations_in(name.expect("a name"), &source, &mut all);
    }
    all
}

/// Everything that is wrong with a table.
fn faults(rows: &[Row], in_tests: &Citations, in_sources: &Citations) -> Vec<String> {
    let mut faults = Vec::new();
    let mut by_id: BTreeMap<&str, &Row> = BTreeMap::new();
    let mut cited = in_tests.clone();
    for (id, tests) in in_sources {
        cited.entry(id.clone()).or_default().extend(tests.clone());
    }
    for row in rows {
        if ids(&row.id) != [row.id.clone()] {
            faults.push(format!("{}: no id of a requirement", row.id));
        }
        if by_id.insert(&row.id, row).is_some() {
            faults.push(format!("{}: stands twice", row.id));
        }
        if row.rest.is_empty() {
            faults.push(format!("{}: says nothing", row.id));
            continue;
        }
        match &*row.status {
            "met" => {
                let tests = cited.get(&row.id);
                for test in row.tests() {
                    if !tests.is_some_and(|tests| tests.contains(test)) {
                        faults.push(format!("{}: no test {test} cites it", row.id));
                    }
                }
            }
            "n/a" | "open" => {}
            other => faults.push(format!("{}: {other} is no status", row.id)),
        }
    }
    for (id, tests) in in_tests {
        if by_id.get(&**id).is_none_or(|row| row.status != "met") {
            faults.push(format!("{id}: cited by {tests:?}, and not met"));
        }
    }
    for (id, tests) in in_sources {
        if !by_id.contains_key(&**id) {
            faults.push(format!("{id}: cited by {tests:?}, and in no row"));
        }
    }
    faults
}

fn group(id: &str) -> &str {
    id.split('-').next().expect("a group")
}

fn update(table: &str, cited: &Citations) -> String {
    let line = |line: &str| {
        let mut parts = line.splitn(3, '|').map(str::trim);
        match (parts.next(), parts.next()) {
            (Some(id), Some("met")) => {
                let tests = cited.get(id).into_iter().flatten();
                let names: Vec<&str> = tests.map(String::as_str).collect();
                format!("{id} | met | {}\n", names.join(", "))
            }
            _ => format!("{line}\n"),
        }
    };
    table.lines().map(line).collect()
}

#[test]
fn every_requirement_has_a_row_that_is_true() {
    let table = fs::read_to_string(table_path()).expect("the table");
    let (in_tests, in_sources) = (citations("tests"), citations("src"));
    let table = if std::env::var_os("UPDATE_TABLE").is_some() {
        let mut cited = in_sources.clone();
        for (id, tests) in &in_tests {
            cited.entry(id.clone()).or_default().extend(tests.clone());
        }
        let updated = update(&table, &cited);
        fs::write(table_path(), &updated).expect("a table to write");
        updated
    } else {
        table
    };
    let rows = rows(&table);
    let faults = faults(&rows, &in_tests, &in_sources);
    assert!(faults.is_empty(), "{faults:#?}");

    for (name, expected) in GROUPS {
        let of_group: Vec<&Row> = rows.iter().filter(|row| group(&row.id) == name).collect();
        let count = |status| of_group.iter().filter(|row| row.status == status).count();
        println!(
            "{name:4} {:3} met, {:3} n/a, {:3} open, {expected:3} in all",
            count("met"),
            count("n/a"),
            count("open"),
        );
        assert_eq!(of_group.len(), expected, "{name}");
    }
    let order: Vec<&str> = rows.iter().map(|row| &*row.id).collect();
    let place = |id: &str| GROUPS.iter().position(|(name, _)| *name == group(id));
    assert!(order.is_sorted_by_key(|id| (place(id), id.to_owned())));
}

#[test]
fn citations_belong_to_the_test_below_or_around_them() {
    let source = "
        // PA-01, SRV-09: why
        // and more of SEC-35.
        #[test]
        fn first() {
            // PA-02
            let x = 1; // PA-03
        }

        /// PA-04
        // RFC-12 XPA-05 PA-6 PA-007 pa-08
        #[test]
        fn second() {}

        // PA-09
        fn helper() {
            // PA-10
            let x = 1;
        }
    ";
    let mut all = Citations::new();
    citations_in("file", source, &mut all);
    let found: Vec<_> = all
        .iter()
        .map(|(id, tests)| (id.as_str(), tests.iter().cloned().collect::<Vec<_>>()))
        .collect();
    let first = vec!["file::first".to_owned()];
    assert_eq!(
        found,
        [
            ("PA-01", first.clone()),
            ("PA-02", first.clone()),
            ("SEC-35", first.clone()),
            ("SRV-09", first),
        ]
    );
}

#[test]
fn a_table_that_is_not_true_is_found_out() {
    let mut cited = Citations::new();
    cited.insert("PA-01".into(), ["file::one".to_owned()].into());
    let faults_of = |table: &str| faults(&rows(table), &cited, &Citations::new());
    assert!(faults_of("# words\n\nPA-01 | met | file::one\nPA-02 | open | later").is_empty());
    for table in [
        "PA-01 | met | file::one\nPA-01 | met | file::one",
        "PA-01 | met | file::one\nPA-02 | met | file::one",
        "PA-01 | met | file::one, file::two",
        "PA-01 | met | file::one\nPA-02 | met |",
        "PA-01 | met | file::one\nPA-02 | n/a |",
        "PA-01 | met | file::one\nPA-02 | perhaps | who knows",
        "PA-01 | met | file::one\nPA-2 | open | later",
        "PA-01 | open | later",
        "PA-02 | open | later",
    ] {
        assert_eq!(faults_of(table).len(), 1, "{table}");
    }
}

#[test]
fn names_are_written_into_rows_that_are_met() {
    let mut cited = Citations::new();
    let tests = ["b::two".to_owned(), "a::one".to_owned()];
    cited.insert("PA-01".into(), tests.into());
    let table = "# words\nPA-01 | met | old\nPA-02 | open | later\n";
    assert_eq!(
        update(table, &cited),
        "# words\nPA-01 | met | a::one, b::two\nPA-02 | open | later\n"
    );
}
