//! The order of the source tree: which module may use which, who may name a foreign crate, how long a
//! file may be, and that nothing in the library does I/O.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms that it may use, from the bottom up. A room may only use rooms above it in
/// this list, so there is no cycle.
const ROOMS: &[(&str, &[&str])] = &[
    ("engine", &[]),
    ("sip", &["engine"]),
    ("xml", &["engine"]),
    ("mime", &["engine", "sip"]),
    ("pidf", &["engine", "sip", "xml"]),
    ("filter", &["engine", "sip", "xml", "pidf"]),
    ("rules", &["engine", "sip", "xml", "pidf"]),
    ("event", &["engine", "sip", "mime"]),
    ("winfo", &["engine", "sip", "xml", "mime", "event"]),
    (
        "presence",
        &[
            "engine", "sip", "xml", "mime", "pidf", "winfo", "filter", "rules", "event",
        ],
    ),
    (
        "certs",
        &["engine", "sip", "xml", "mime", "pidf", "event", "presence"],
    ),
    (
        "sdf",
        &["engine", "sip", "xml", "mime", "pidf", "event", "presence"],
    ),
];

/// Crates that only one room may name: the others use what that room makes of them.
const ENCLOSED: &[(&str, &str)] = &[
    ("quick_xml", "xml"),
    ("nom", "sip"),
    ("prefetch_index", "engine"),
    ("openssl", "mime"),
    ("x509_cert", "mime"),
];

/// What a library without I/O has no use for.
const IO: &[&[&str]] = &[
    &["std", "env"],
    &["std", "fs"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "net", "TcpListener"],
    &["std", "net", "TcpStream"],
    &["std", "net", "ToSocketAddrs"],
    &["std", "net", "UdpSocket"],
    &["std", "io", "stdin"],
    &["std", "io", "stdout"],
    &["std", "io", "stderr"],
    &["tokio"],
];

/// Lines that a file may have, its tests aside.
const LONGEST_FILE: usize = 800;

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Word(String),
    Mark(char),
    /// `::`
    PathSeparator,
}

#[derive(Debug, Clone, PartialEq)]
struct Token {
    kind: Kind,
    line: usize,
}

impl Token {
    fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(w) if w == word)
    }

    fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// The words and marks of Rust source, without comments, strings and character literals.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = Vec::new();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        let c = at(i);
        let start = i;
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0_usize;
            loop {
                if at(i) == '/' && at(i + 1) == '*' {
                    depth += 1;
                    i += 2;
                } else if at(i) == '*' && at(i + 1) == '/' {
                    depth -= 1;
                    i += 2;
                } else {
                    i += 1;
                }
                if depth == 0 || i >= chars.len() {
                    break;
                }
            }
        } else if c == '"' {
            i = after_string(&chars, i);
        } else if c == '\'' {
            // A lifetime has no closing quote after its first character.
            if at(i + 1) == '\\' {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            } else if at(i + 2) == '\'' {
                i += 3;
            } else {
                i += 1;
            }
        } else if is_word(c) {
            while is_word(at(i)) {
                i += 1;
            }
            let word: String = chars.iter().take(i).skip(start).collect();
            let raw = matches!(word.as_str(), "r" | "br" | "cr");
            let mut hashes = 0;
            while raw && at(i + hashes) == '#' {
                hashes += 1;
            }
            if raw && at(i + hashes) == '"' {
                i = after_raw_string(&chars, i + hashes, hashes);
            } else if matches!(word.as_str(), "b" | "c") && at(i) == '"' {
                i = after_string(&chars, i);
            } else if raw && hashes == 1 {
                i += 1;
            } else {
                out.push(Token {
                    kind: Kind::Word(word),
                    line,
                });
            }
        } else if c == ':' && at(i + 1) == ':' {
            out.push(Token {
                kind: Kind::PathSeparator,
                line,
            });
            i += 2;
        } else {
            if !c.is_whitespace() {
                out.push(Token {
                    kind: Kind::Mark(c),
                    line,
                });
            }
            i += 1;
        }
        line += chars
            .iter()
            .take(i)
            .skip(start)
            .filter(|c| **c == '\n')
            .count();
    }
    out
}

/// The index after the string whose opening quote is at `open`.
fn after_string(chars: &[char], open: usize) -> usize {
    let mut i = open + 1;
    while let Some(c) = chars.get(i) {
        match c {
            '"' => return i + 1,
            '\\' => i += 2,
            _ => i += 1,
        }
    }
    chars.len()
}

/// The index after the raw string with so many hashes whose opening quote is at `open`.
fn after_raw_string(chars: &[char], open: usize, hashes: usize) -> usize {
    let mut i = open + 1;
    while i < chars.len() {
        let tail = chars.iter().skip(i);
        i += 1;
        let mut tail = tail.copied();
        if tail.next() == Some('"') && tail.take(hashes).filter(|c| *c == '#').count() == hashes {
            return i + hashes;
        }
    }
    chars.len()
}

/// A path as the crate's root sees it, and its line.
type Reference = (usize, Vec<String>);

/// Every path that starts at `crate` or `super`, and every path that starts with another word.
///
/// `module` is the path of the module that the file is.
fn references(module: &[String], tokens: &[Token]) -> (Vec<Reference>, Vec<Reference>) {
    let (mut inner, mut foreign) = (Vec::new(), Vec::new());
    let mut here: Vec<String> = module.to_vec();
    // The brace depth at which each inline module ends.
    let mut inline_ends: Vec<usize> = Vec::new();
    let mut depth = 0_usize;
    let mut i = 0;
    while let Some(token) = tokens.get(i) {
        let next = tokens.get(i + 1);
        let path_goes_on = next.is_some_and(|t| t.kind == Kind::PathSeparator);
        match &token.kind {
            Kind::Mark('{') => depth += 1,
            Kind::Mark('}') => {
                depth = depth.saturating_sub(1);
                if inline_ends.last() == Some(&depth) {
                    inline_ends.pop();
                    here.pop();
                }
            }
            Kind::Word(word) if word == "mod" => {
                if let (Some(Kind::Word(name)), Some(true)) = (
                    next.map(|t| &t.kind),
                    tokens.get(i + 2).map(|t| t.is_mark('{')),
                ) {
                    here.push(name.clone());
                    inline_ends.push(depth);
                }
            }
            Kind::Word(word) if word == "crate" && next.is_some_and(|t| t.is_word("as")) => {
                inner.push((token.line, Vec::new()));
            }
            Kind::Word(word) if path_goes_on && (word == "crate" || word == "super") => {
                let (base, start) = if word == "crate" {
                    (Vec::new(), i + 2)
                } else {
                    (here.clone(), i)
                };
                i = leaves(tokens, start, base, &mut inner);
                continue;
            }
            Kind::Word(word) if path_goes_on && word != "self" && word != "Self" => {
                i = leaves(tokens, i, Vec::new(), &mut foreign);
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    (inner, foreign)
}

/// Collects the paths of the use tree (or the one path) at `start` and returns the index after it.
fn leaves(
    tokens: &[Token],
    start: usize,
    mut path: Vec<String>,
    out: &mut Vec<Reference>,
) -> usize {
    let mut i = start;
    while let Some(token) = tokens.get(i) {
        match &token.kind {
            Kind::Word(word) if word == "super" => {
                path.pop();
            }
            Kind::Word(word) if word == "self" => {}
            Kind::Word(word) => path.push(word.clone()),
            Kind::Mark('{') => {
                i += 1;
                while let Some(token) = tokens.get(i) {
                    if token.is_mark('}') {
                        return i + 1;
                    }
                    if token.is_mark(',') {
                        i += 1;
                        continue;
                    }
                    i = leaves(tokens, i, path.clone(), out).max(i + 1);
                    // A renamed leaf: the new name is no path.
                    while tokens
                        .get(i)
                        .is_some_and(|t| !t.is_mark(',') && !t.is_mark('}'))
                    {
                        i += 1;
                    }
                }
                return i;
            }
            Kind::Mark('*') => {
                out.push((token.line, path));
                return i + 1;
            }
            _ => break,
        }
        if tokens
            .get(i + 1)
            .is_some_and(|t| t.kind == Kind::PathSeparator)
        {
            i += 2;
        } else {
            out.push((token.line, path));
            return i + 1;
        }
    }
    let line = tokens.get(i).or(tokens.last()).map_or(0, |t| t.line);
    out.push((line, path));
    i
}

/// What a file under `src/` does that the order forbids. `file` is relative to `src/`.
fn offences(file: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let tokens = tokens(source);
    let module = module_path(file);
    let (inner, foreign) = references(&module, &tokens);
    for (line, path) in &foreign {
        if IO.iter().any(|io| {
            path.starts_with(
                io.iter()
                    .map(|s| (*s).to_owned())
                    .collect::<Vec<_>>()
                    .as_slice(),
            )
        }) {
            found.push(format!("src/{file}:{line}: I/O: {}", path.join("::")));
        }
    }
    // The root only lists and re-exports the rooms.
    let Some(room) = module.first() else {
        return found;
    };
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| name == room) else {
        found.push(format!(
            "src/{file}: {room} is not a room in tests/rooms.rs"
        ));
        return found;
    };
    for (line, path) in inner {
        match path.first() {
            Some(used) if used == room || allowed.contains(&used.as_str()) => {}
            Some(used) => found.push(format!(
                "src/{file}:{line}: {room} may not use {used} (crate::{})",
                path.join("::")
            )),
            None => found.push(format!("src/{file}:{line}: {room} takes the whole crate")),
        }
    }
    for (line, path) in foreign {
        for (name, owner) in ENCLOSED {
            if path.first().is_some_and(|first| first == name) && room != owner {
                found.push(format!(
                    "src/{file}:{line}: only {owner} may use the crate {name}"
                ));
            }
        }
    }
    let lines = lines_without_tests(source, &tokens);
    if lines > LONGEST_FILE {
        found.push(format!(
            "src/{file}: {lines} lines without tests, {LONGEST_FILE} allowed"
        ));
    }
    found
}

/// `sip/tag.rs` is the module `sip::tag`, `sip/mod.rs` is `sip`, `lib.rs` is the root.
fn module_path(file: &str) -> Vec<String> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let mut path: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if matches!(path.last().map(String::as_str), Some("mod" | "lib")) {
        path.pop();
    }
    path
}

/// How many lines a file has outside its `#[cfg(test)] mod`. A file of tests alone has none.
fn lines_without_tests(source: &str, tokens: &[Token]) -> usize {
    let total = source.lines().count();
    let mut in_tests = 0;
    let mut i = 0;
    while i < tokens.len() {
        let first = tokens.get(i).map_or(0, |t| t.line);
        let Some(body) = test_module_body(tokens, i) else {
            i += 1;
            continue;
        };
        let mut depth = 0_usize;
        let mut end = body;
        for (at, token) in tokens.iter().enumerate().skip(body) {
            end = at;
            match token.kind {
                Kind::Mark('{') => depth += 1,
                Kind::Mark('}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        let last = tokens.get(end).map_or(first, |t| t.line);
        in_tests += last - first + 1;
        i = end + 1;
    }
    total.saturating_sub(in_tests)
}

/// Where the `{` of a `#[cfg(test)] mod name {` is that begins at `start`, other attributes between.
fn test_module_body(tokens: &[Token], start: usize) -> Option<usize> {
    let mut marks = tokens.iter().skip(start);
    let head = ["#", "[", "cfg", "(", "test", ")", "]"];
    for expected in head {
        let token = marks.next()?;
        match &token.kind {
            Kind::Word(word) if word == expected => {}
            Kind::Mark(mark) if expected.starts_with(*mark) => {}
            _ => return None,
        }
    }
    let mut i = start + head.len();
    while tokens.get(i)?.is_mark('#') {
        while !tokens.get(i)?.is_mark(']') {
            i += 1;
        }
        i += 1;
    }
    (tokens.get(i)?.is_word("mod") && tokens.get(i + 2)?.is_mark('{')).then_some(i + 2)
}

fn rust_files(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn the_source_tree_is_in_order() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(
        files.contains(&src.join("lib.rs")),
        "no source under {src:?}"
    );
    let mut found = Vec::new();
    for path in files {
        let file = path.strip_prefix(&src).unwrap().to_str().unwrap();
        let file = file.replace('\\', "/");
        let is_tests = file.ends_with("/tests.rs") || file.contains("/tests/");
        let mut of_file = offences(&file, &fs::read_to_string(&path).unwrap());
        of_file.retain(|o| !(is_tests && o.ends_with("allowed")));
        found.extend(of_file);
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_table_has_no_cycle() {
    for (i, (room, allowed)) in ROOMS.iter().enumerate() {
        for used in *allowed {
            let below = ROOMS.iter().take(i).any(|(name, _)| name == used);
            assert!(below, "{room} uses {used}, which is not below it");
        }
    }
}

fn one(file: &str, source: &str) -> String {
    let mut found = offences(file, source);
    assert_eq!(found.len(), 1, "{file}: {source}: {found:?}");
    found.remove(0)
}

#[test]
fn upward_references_are_found() {
    for (file, source, line, used) in [
        ("sip/uri.rs", "use crate::xml::Name;", 1, "xml"),
        ("xml/mod.rs", "\n\nuse crate::sip::Uri;", 3, "sip"),
        (
            "event/a.rs",
            "fn f() {\n crate::pidf::read(b);\n}",
            2,
            "pidf",
        ),
        (
            "event/a.rs",
            "use crate::{\n engine::Key,\n presence::{A, B as C}};",
            3,
            "presence",
        ),
        (
            "engine/timer/wheel.rs",
            "use super::super::super::sip::Tag;",
            1,
            "sip",
        ),
        ("engine/mod.rs", "use super::event::X;", 1, "event"),
        (
            "engine/a.rs",
            "mod tests { use super::super::super::sip::Tag; }",
            1,
            "sip",
        ),
        (
            "pidf/a.rs",
            "use super::{super::event::X, reader};",
            1,
            "event",
        ),
        ("pidf/a.rs", "use self::super::super::event::X;", 1, "event"),
        (
            "xml/a.rs",
            "macro_rules! m { () => { $crate::pidf::Tuple } }",
            1,
            "pidf",
        ),
        ("sip/a.rs", "use crate::Agent;", 1, "Agent"),
        ("presence/a.rs", "use crate::{sdf as s, sip};", 1, "sdf"),
    ] {
        let found = offences(file, source);
        let start = format!("src/{file}:{line}: ");
        assert!(
            found
                .iter()
                .any(|o| o.starts_with(&start) && o.contains(&format!("may not use {used} "))),
            "{file}: {source}: {found:?}"
        );
    }
    assert!(one("sip/a.rs", "use crate::*;").contains("whole crate"));
    assert!(one("sip/a.rs", "use crate as everything;").contains("whole crate"));
    assert!(one("misc/a.rs", "").contains("misc is not a room"));
}

#[test]
fn allowed_references_pass() {
    for (file, source) in [
        ("sip/uri.rs", "use crate::engine::{Entropy, Timestamp};"),
        (
            "sip/uri.rs",
            "use super::{HeaderName, status::reason_phrase};",
        ),
        (
            "sip/header/via.rs",
            "use super::super::Tag; pub(crate) fn f() {}",
        ),
        (
            "sip/uri.rs",
            "mod tests { use super::super::Tag; use super::Uri; }",
        ),
        (
            "sip/uri.rs",
            "mod tests { use super::*; mod more { use super::super::super::Tag; } } use super::Tag;",
        ),
        ("pidf/mod.rs", "use crate::sip::Uri; use crate::xml::Tree;"),
        (
            "presence/agent.rs",
            "use crate::{engine, event::Notifier, pidf, sip, xml};",
        ),
        ("lib.rs", "pub use crate::presence::Agent;"),
        (
            "sip/a.rs",
            "// crate::xml::Name\n/* use crate::xml; /* nested */ crate::pidf */",
        ),
        ("sip/a.rs", "/// See [`crate::presence::Agent`].\nstruct A;"),
        (
            "sip/a.rs",
            r###"const A: &str = "crate::xml::A \" crate::xml::B"; const B: &str = r#"crate::xml "::" crate::xml::C"#;"###,
        ),
        (
            "sip/a.rs",
            "fn f<'a>(c: char) -> &'a str { if c == '\"' || c == '\\'' { crate::engine::x() } }",
        ),
        (
            "sip/a.rs",
            "fn f() -> std::net::IpAddr { x::<crate::engine::A>() }",
        ),
    ] {
        assert_eq!(
            offences(file, source),
            Vec::<String>::new(),
            "{file}: {source}"
        );
    }
}

#[test]
fn foreign_crates_stay_in_their_room() {
    assert!(one("pidf/a.rs", "use quick_xml::Reader;").contains("only xml"));
    assert!(one("xml/a.rs", "fn f() { nom::bytes::complete::tag(x) }").contains("only sip"));
    assert!(offences("xml/a.rs", "use quick_xml::events::{Event, BytesStart};").is_empty());
    assert!(offences("sip/a.rs", "use nom::{IResult, Parser};").is_empty());
}

#[test]
fn io_is_found() {
    for source in [
        "use std::net::UdpSocket;",
        "use std::{fs, fmt};",
        "fn f() { std::thread::sleep(d) }",
        "use tokio::time::sleep;",
        "use std::net::{IpAddr, TcpStream as Stream};",
    ] {
        assert!(one("engine/a.rs", source).contains("I/O"));
        assert!(one("lib.rs", source).contains("I/O"));
    }
}

#[test]
fn a_long_file_is_found() {
    let code = "fn f() {}\n".repeat(LONGEST_FILE);
    let tests = format!("#[cfg(test)]\n#[allow(dead_code)]\nmod tests {{\n{code}}}\n");
    assert!(offences("sip/a.rs", &code).is_empty());
    assert!(offences("sip/a.rs", &format!("{code}{tests}")).is_empty());
    let long = one("sip/a.rs", &format!("{code}{tests}struct A;\n"));
    assert!(long.contains("801 lines"), "{long}");
    let not_a_module = format!("{code}#[cfg(test)]\nfn only_in_tests() {{}}\n");
    assert!(one("sip/a.rs", &not_a_module).contains("802 lines"));
}
