//! The example `sdf` as a program.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use presentity::sdf::{Request, Wish};

use crate::{FROM, TO, example, right, strictly, with};

fn run(args: &[&str], input: &str) -> (Option<i32>, String, String) {
    static PROGRAM: OnceLock<std::path::PathBuf> = OnceLock::new();
    let mut child = Command::new(PROGRAM.get_or_init(|| example::built("sdf")))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have said no before it has read anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn new(args: &[&str]) -> Request {
    let usual = ["new", "--from", FROM, "--to", TO];
    let (code, out, err) = run(&[&usual, args].concat(), "");
    assert_eq!((code, &*err), (Some(0), ""));
    strictly(&out).unwrap_or_else(|error| panic!("{out}: {error}"))
}

#[test]
fn new_documents_ask_for_what_the_command_says() {
    let request = new(&["--token", "balcony", "--duration", "3600"]);
    let wish = Wish::Hold {
        token: "balcony",
        duration: 3600,
    };
    assert_eq!(request.wish(), wish);
    assert_eq!((request.from(), request.to()), (FROM, TO));
    assert!(request.date_time().year() >= 2026);
    let cancel = new(&["--duration=0", "--token=balcony"]);
    assert_eq!(cancel.wish(), Wish::Cancel { token: "balcony" });
    assert_eq!(new(&["--duration", "0"]).wish(), Wish::Fetch);
    let tokens = [(); 2].map(|()| new(&["--duration", "60"]).token().unwrap().to_owned());
    assert_ne!(tokens[0], tokens[1]);
}

#[test]
fn documents_are_checked_one_by_one() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("sdf-check-good.xml", &right());
    let bad = file(
        "sdf-check-bad.xml",
        &right().replace(FROM, "sip:nora@example.org"),
    );
    let ok =
        "ok subscribe duration=3600 token=\"balcony\" from=nora@example.org to=emil@example.com";
    let (code, out, err) = run(&["check", &good], "");
    assert_eq!((code, &*err), (Some(0), ""));
    assert_eq!(out, format!("{good}: {ok}\n"));
    let missing = format!("{good}.missing");
    let (code, out, _) = run(&["check", &bad, "-", &missing, &good], &right());
    assert_eq!(code, Some(1));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 4, "{out}");
    let refusal =
        "1:12: error: expected a pres URI, found \"sip:nora@example.org\" (in Subscribe/From)";
    assert_eq!(lines[0], format!("{bad}:{refusal}"));
    assert_eq!(lines[1], format!("-: {ok}"));
    assert!(
        lines[2].starts_with(&format!("{missing}: error: ")),
        "{out}"
    );
    assert_eq!(lines[3], format!("{good}: {ok}"));
}

#[test]
fn a_document_is_shown_with_what_is_odd_about_it() {
    use presentity::sdf::Field;
    let (code, out, err) = run(&["show", "-"], &with(Field::Token, "\u{202E}a\tb"));
    assert_eq!((code, &*err), (Some(0), ""));
    let shown = format!(
        "From: {FROM}\nTo: {TO}\nDateTime: 2026-03-01T09:30:00+01:00\nToken: \"\\u{{202e}}a\\tb\"\n\
         Duration: 3600\n"
    );
    assert_eq!(out, shown);
    let odd = right().replace("<To>", "<x xmlns='urn:\u{9B}'/><To>");
    let (code, out, _) = run(&["show", "-"], &odd);
    assert_eq!(code, Some(0));
    assert!(
        out.ends_with("in Subscribe/x: element {urn:\\u{9b}}x does not belong here\n"),
        "{out}"
    );
    let (code, out, err) = run(&["show", "-"], "<Subscribe>");
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(
        err.starts_with("-:1:12: error: expected the end tag of Subscribe"),
        "{err}"
    );
}

#[test]
fn wrong_commands_are_told_apart_from_wrong_documents() {
    for args in [
        &[][..],
        &["frob"],
        &["check"],
        &["show"],
        &["show", "a", "b"],
        &["check", "--strict", "a"],
        &["new"],
        &["new", "--from", FROM, "--to", TO],
        &["new", "--from", FROM, "--to", TO, "--duration", "x"],
        &[
            "new",
            "--from",
            FROM,
            "--to",
            TO,
            "--duration",
            "2147483648",
        ],
        &[
            "new",
            "--from",
            FROM,
            "--to",
            TO,
            "--duration",
            "1",
            "--token",
            "",
        ],
        &[
            "new",
            "--from",
            FROM,
            "--to",
            "sip:emil@example.com",
            "--duration",
            "1",
        ],
        &["demo", "a"],
        &["serve", "a"],
        &["serve", "--listen", "0.0.0.0:0"],
        &["serve", "--listen", "localhost"],
        &["serve", "--allow", "nora"],
        &["serve", "--for", "-1"],
        &["request", "a"],
        &["request", "--to", "http://127.0.0.1:9/"],
        &["request", "--to", "http://example.com/", "a"],
        &["request", "--to", "https://127.0.0.1/", "a"],
        &[
            "request",
            "--to",
            "http://127.0.0.1:9/",
            "--listen",
            "[::]:0",
            "a",
        ],
    ] {
        let (code, out, err) = run(args, "");
        assert_eq!((code, &*out), (Some(2), ""), "{args:?}");
        assert!(err.contains("usage: sdf check"), "{err}");
    }
    for args in [&["--help"][..], &["check", "--help"], &["new", "-h"]] {
        let (code, out, _) = run(args, "");
        assert_eq!(code, Some(0));
        assert!(out.starts_with("usage: sdf check"));
    }
}
