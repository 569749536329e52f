//! The example `padlock`: everybody in one process, over sockets on loopback.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::{asked_for, example};

const PASSED: &str = "\u{2713} ";

/// What the example says, without the lines between its steps, and its exit status. It ends by itself,
/// whatever happens.
fn shown(arguments: &[&str]) -> (Vec<String>, Option<i32>) {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| example::built("padlock"));
    let ended = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
    let steps = said.lines().filter(|line| !line.starts_with("  "));
    let steps = steps.map(ToOwned::to_owned).collect();
    (steps, ended.status.code())
}

/// The lines that say why something was refused; all others are to have passed.
fn refusals(attack: &str) -> Vec<String> {
    let (steps, status) = shown(&["--attack", attack]);
    assert_eq!(status, Some(0), "{steps:#?}");
    let (passed, other): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|step| step.starts_with(PASSED));
    assert!(!passed.is_empty());
    let refused = other.iter().map(|step| step.strip_prefix("refused: "));
    let refused = refused.map(|step| step.map(ToOwned::to_owned));
    refused
        .collect::<Option<Vec<_>>>()
        .unwrap_or_else(|| panic!("{other:#?}"))
}

#[test]
fn a_message_goes_to_whom_the_padlock_is_about() {
    if !asked_for("padlock") {
        return;
    }
    let (steps, status) = shown(&[]);
    assert_eq!(status, Some(0), "{steps:#?}");
    let expected = [
        ("keys are made", "sip:bob@example.com"),
        ("Bob has published", "sip:bob@example.com"),
        ("Ana's document", "signed by sip:example.com,"),
        ("Ana sees the padlock", "secured by S/MIME"),
        (
            "by SIP, from sip:bob@example.com: usable for bob@example.com",
            "by a trusted authority [SameAddress]",
        ),
        ("by the default rules, on loopback: not asked", "Address("),
        (
            "by HTTP, from http://127.0.0.1:",
            "/bob.cer: usable for bob@example.com, which it names: vouched for by a trusted authority [Named]",
        ),
        ("Ana sends Bob a MESSAGE", "application/pkcs7-mime"),
        ("Bob has decrypted it and answered 200", "Lunch at one?"),
        ("Ana sends Bob a MESSAGE", "application/pkcs7-mime"),
        ("encrypted for a key that Bob has no more", "answered 493"),
        ("Ana watches no more", "removed"),
    ];
    assert_eq!(steps.len(), expected.len(), "{steps:#?}");
    for (step, (start, within)) in steps.iter().zip(expected) {
        let said = step
            .strip_prefix(PASSED)
            .unwrap_or_else(|| panic!("{step}"));
        assert!(said.starts_with(start) && said.contains(within), "{step}");
    }
}

#[test]
fn a_document_that_leads_elsewhere_leads_to_nothing() {
    if !asked_for("padlock") {
        return;
    }
    assert_eq!(
        refusals("src"),
        [
            "not bound to the presentity: it is for mallory@example.org [NotBound]",
            "the URI is not among its names [WrongName]",
            "no trusted authority vouches for it: self-signed certificate [Untrusted]",
            "the signature does not match the content [Signature(Wrong)]",
        ]
    );
}

#[test]
fn a_document_of_before_is_not_taken_again() {
    if !asked_for("padlock") {
        return;
    }
    let refused = refusals("replay");
    let [refused] = &refused[..] else {
        panic!("{refused:#?}");
    };
    assert!(refused.starts_with("signed at "), "{refused}");
    assert!(
        refused.ends_with("known already [SignedBefore]"),
        "{refused}"
    );
}

#[test]
fn certificates_in_other_names_do_not_do() {
    if !asked_for("padlock") {
        return;
    }
    assert_eq!(
        refusals("san"),
        [
            "the URI is not among its names [WrongName]",
            "signed by [\"sip:mallory@example.com\"] [WrongSigner]",
            "signed by [\"sip:example.org\"] [WrongSigner]",
        ]
    );
}

#[test]
fn a_document_without_its_signature_is_not_taken() {
    if !asked_for("padlock") {
        return;
    }
    assert_eq!(refusals("unsigned"), ["not signed [NotSigned]"]);
}

#[test]
fn a_wrong_command_line_is_told() {
    if !asked_for("padlock") {
        return;
    }
    let (_, status) = shown(&["--help"]);
    assert_eq!(status, Some(0));
    let (said, status) = shown(&["--attack", "nothing"]);
    assert_eq!(status, Some(2));
    assert!(said[0].starts_with("padlock: "), "{said:#?}");
}
