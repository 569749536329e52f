//! The Digest of the examples: what a client answers to which challenge, and what the server takes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

#[path = "../examples/digest/algorithm.rs"]
mod algorithm;
#[path = "../examples/client/digest.rs"]
mod client;
#[path = "../examples/presence_server/digest.rs"]
mod server;

use std::collections::HashMap;

use algorithm::Algorithm;
use client::{Challenged, Credentials, Declined};
use server::Authenticator;

const PUBLISH: Challenged<'_> = Challenged {
    status: 401,
    method: "PUBLISH",
    uri: "sip:dora@example.com",
};

fn dora() -> Credentials {
    Credentials::parse("dora:tea:spoon").unwrap()
}

fn answer(credentials: &mut Credentials, challenges: &[&str]) -> Result<String, Declined> {
    credentials.answer(PUBLISH, challenges.iter().copied())
}

/// A parameter of an answer, without quotes.
fn param<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let params = answer.strip_prefix("Digest ").unwrap().split(", ");
    let mut found = params.filter_map(|param| param.split_once('='));
    let (_, value) = found.find(|(known, _)| *known == name)?;
    Some(value.trim_matches('"'))
}

#[test]
fn a_challenge_of_old_is_answered_as_of_old() {
    for (algorithm, response) in [
        ("", "a566a882a63d1ad3519bd87133c76bc9"),
        (", algorithm=MD5", "a566a882a63d1ad3519bd87133c76bc9"),
        (
            ", algorithm=\"SHA-256\"",
            "ec361e54416615f651e0c2624a2c1549746a00108acd06be3a50081b0da1b140",
        ),
    ] {
        let challenge = format!("Digest realm=\"example.com\", nonce=\"n1\"{algorithm}");
        let answer = answer(&mut dora(), &[&challenge]).unwrap();
        assert_eq!(param(&answer, "response"), Some(response), "{answer}");
        for absent in ["qop", "nc", "cnonce", "opaque"] {
            assert_eq!(param(&answer, absent), None);
        }
        assert_eq!(param(&answer, "algorithm").is_some(), !algorithm.is_empty());
    }
}

#[test]
fn with_qop_the_count_and_a_nonce_of_the_client_go_in() {
    let mut dora = dora();
    let challenge = "Digest realm=\"example.com\",nonce=\"n1\",qop=\"auth-int,auth\",opaque=\"o\"";
    let mut seen = Vec::new();
    for count in ["00000001", "00000002"] {
        let answer = answer(&mut dora, &[challenge]).unwrap();
        assert!(answer.contains("qop=auth, nc="), "{answer}");
        assert_eq!(param(&answer, "nc"), Some(count));
        assert_eq!(param(&answer, "opaque"), Some("o"));
        assert_eq!(param(&answer, "username"), Some("dora"));
        let own = param(&answer, "cnonce").unwrap();
        let secret = Algorithm::Md5.hash(&["dora", "example.com", "tea:spoon"]);
        let subject = Algorithm::Md5.hash(&["PUBLISH", "sip:dora@example.com"]);
        let expected = Algorithm::Md5.hash(&[&secret, "n1", count, own, "auth", &subject]);
        assert_eq!(param(&answer, "response"), Some(expected.as_str()));
        seen.push(own.to_owned());
        dora.settled();
    }
    assert_ne!(seen[0], seen[1]);
}

#[test]
fn of_several_the_strongest_known_is_answered() {
    let challenges = [
        "Basic realm=\"example.com\"",
        "Digest realm=\"example.com\", nonce=\"a\", algorithm=SHA-512-256, qop=\"auth\"",
        "Digest realm=\"example.com\", nonce=\"b\", algorithm=MD5, qop=\"auth\"",
        "Digest realm=\"example.com\", nonce=\"c\", algorithm=SHA-256, qop=\"auth\"",
        "Digest realm=\"example.com\", nonce=\"d\", algorithm=SHA-256-sess, qop=\"auth\"",
    ];
    let answer_to = |challenges: &[&str]| answer(&mut dora(), challenges);
    let answered = answer_to(&challenges).unwrap();
    assert_eq!(param(&answered, "nonce"), Some("c"));
    assert_eq!(param(&answered, "algorithm"), Some("SHA-256"));
    assert_eq!(answer_to(&challenges[..2]), Err(Declined::Unsupported));
    let integrity = "Digest realm=\"example.com\", nonce=\"a\", qop=\"auth-int\"";
    assert_eq!(answer_to(&[integrity]), Err(Declined::Unsupported));
    assert_eq!(answer_to(&[]), Err(Declined::Unsupported));
    for broken in [
        "",
        "Digest",
        "Digest ,",
        "Digest realm=\"x",
        "Digest =,=\"\"",
        "Digest a",
    ] {
        assert_eq!(answer_to(&[broken]), Err(Declined::Unsupported), "{broken}");
    }
}

#[test]
fn one_that_comes_back_is_answered_again_only_when_the_nonce_was_stale() {
    let mut dora = dora();
    let fresh = |nonce: &str| format!("Digest realm=\"example.com\", nonce=\"{nonce}\"");
    let stale = format!("{}, stale=TRUE", fresh("n2"));
    assert!(answer(&mut dora, &[&fresh("n1")]).is_ok());
    assert!(answer(&mut dora, &[&stale]).is_ok());
    // A proxy on the way asks for itself.
    let by_proxy = Challenged {
        status: 407,
        ..PUBLISH
    };
    assert!(
        dora.answer(by_proxy, [fresh("n1").as_str()].into_iter())
            .is_ok()
    );
    let again = answer(&mut dora, &[&fresh("n3")]);
    assert_eq!(again, Err(Declined::WrongPassword));
    dora.settled();
    assert!(answer(&mut dora, &[&fresh("n4")]).is_ok());
}

#[test]
fn a_user_that_no_quoted_string_holds_is_refused() {
    for text in ["dora", ":x", "do\"ra:x", "do\\ra:x", "do\nra:x"] {
        assert!(Credentials::parse(text).is_none(), "{text:?}");
    }
}

#[test]
fn the_server_of_the_examples_takes_what_the_client_answers() {
    for offered in [
        vec![Algorithm::Md5],
        vec![Algorithm::Md5, Algorithm::Sha256],
        vec![Algorithm::Sha256],
    ] {
        let passwords = HashMap::from([("dora".to_owned(), "tea:spoon".to_owned())]);
        let mut server = Authenticator::new("example.com".to_owned(), offered, passwords).unwrap();
        let challenges = server.challenges(false).unwrap();
        let mut dora = dora();
        let challenges: Vec<&str> = challenges.iter().map(String::as_str).collect();
        let first = answer(&mut dora, &challenges).unwrap();
        assert_eq!(
            server.check(&first, "PUBLISH"),
            server::Credentials::Of("dora")
        );
        // The same count again is none that the client would use.
        assert_eq!(server.check(&first, "PUBLISH"), server::Credentials::Stale);
        dora.settled();
        let second = answer(&mut dora, &challenges).unwrap();
        assert_eq!(
            server.check(&second, "PUBLISH"),
            server::Credentials::Of("dora")
        );
        assert_eq!(
            server.check(&second, "SUBSCRIBE"),
            server::Credentials::None
        );
    }
}
