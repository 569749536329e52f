//! `multipart/signed` with real signatures: what was signed is what is read, and nothing else passes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;
mod signing;

use bytes::Bytes;
use common::seeded;
use presentity::mime::{
    Chain, MAX_HEADER_FIELDS, MAX_HEADER_LEN, MimeError, Part, Sign, Signature, Signed, Signer,
    Verify, VerifyError, Written,
};
use proptest::collection::vec;
use proptest::prelude::*;
use signing::{Authority, KeyHolder, NOT_AFTER, NOT_BEFORE, NOW, PROTOCOL};

const ANA: &str = "pres:ana@example.com";

fn authority() -> Authority {
    Authority::new("Example Authority")
}

fn part() -> Part {
    let body = Bytes::from_static(b"<x/>\n\0\xff");
    Part::new("application/cpim-subscription", &body).unwrap()
}

fn written(content: &[u8], by: &KeyHolder) -> Written {
    Signed::write(content, &by.sign(content).unwrap(), &mut seeded(1))
}

fn read(written: &Written) -> Result<Signed, MimeError> {
    Signed::read(&written.content_type, &written.body)
}

fn replaced(body: &Bytes, from: &[u8], to: &[u8]) -> Bytes {
    let at = body.windows(from.len()).position(|window| window == from);
    let at = at.expect("what is replaced is there");
    [&body[..at], to, &body[at + from.len()..]].concat().into()
}

#[test]
fn what_is_signed_is_verified_and_read() {
    let ana = authority().signer(&[ANA, "sip:ana@example.com"]);
    let signed = read(&written(part().octets(), &ana)).unwrap();
    assert_eq!(signed.content(), part().octets());
    assert_eq!(signed.part(), Ok(part()));
    assert_eq!(signed.protocol(), PROTOCOL);
    assert_eq!(signed.micalg(), Some("sha-256"));
    assert_eq!(signed.signature_encoding(), Some("binary"));
    let signers = authority().verifier().verify(&signed).unwrap();
    let expected = Signer::new([ANA, "sip:ana@example.com"], Chain::Trusted);
    assert_eq!(signers, [expected]);
    // As a job would hold it.
    let verify: Box<dyn Verify> = Box::new(authority().verifier());
    assert_eq!(verify.verify(&signed.clone()), Ok(signers));
}

#[test]
fn a_signature_in_base64_is_as_good() {
    let content = "\r\nhere";
    let signature = authority().signer(&[ANA]).sign(content.as_bytes()).unwrap();
    let encoded = signing::to_base64(signature.octets());
    let verify = |encoding: &str| {
        let second = format!(
            "Content-Type: {PROTOCOL}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{encoded}"
        );
        let mut written = by_hand(&[content, &second], "b", "--b--");
        written.content_type = written.content_type.replace("a/b", PROTOCOL);
        let signed = read(&written).unwrap();
        assert_eq!(signed.signature(), encoded.as_bytes());
        authority().verifier().verify(&signed)
    };
    assert!(verify("Base64").unwrap()[0].is_trusted());
    let unknown = VerifyError::Unreadable("x-own".to_owned());
    assert_eq!(verify("X-own"), Err(unknown));
    let plain = verify("binary");
    assert!(matches!(plain, Err(VerifyError::Unreadable(_))));
}

#[test]
fn any_octet_of_the_content_that_is_altered_is_noticed() {
    let ana = authority().signer(&[ANA]);
    let written = written(part().octets(), &ana);
    let verifier = authority().verifier();
    let start = written.body.windows(2).position(|w| w == b"\r\n").unwrap() + 2;
    for at in start..start + part().octets().len() {
        let mut body = written.body.to_vec();
        body[at] ^= 1;
        let signed = Signed::read(&written.content_type, &body.into()).unwrap();
        assert_ne!(signed.content(), part().octets());
        assert_eq!(verifier.verify(&signed), Err(VerifyError::Wrong), "{at}");
    }
    // Octets that are added or taken away where parts begin and end.
    let content = part().octets().clone();
    for (from, to) in [
        (content.clone(), [&b"\r\n"[..], &content[..]].concat()),
        (content.clone(), [&content[..], b"\r\n"].concat()),
        (content.clone(), [&content[..], b"\n"].concat()),
        (content.clone(), content[1..].to_vec()),
        (content.clone(), content[..content.len() - 1].to_vec()),
    ] {
        let body = replaced(&written.body, &from, &to);
        let signed = Signed::read(&written.content_type, &body).unwrap();
        assert_eq!(verifier.verify(&signed), Err(VerifyError::Wrong));
    }
}

#[test]
fn a_signature_of_another_or_for_something_else_is_wrong() {
    let (ana, mallory) = (
        authority().signer(&[ANA]),
        authority().signer(&["pres:mallory@example.org"]),
    );
    let verifier = authority().verifier();
    let content = part().octets().clone();
    let verify = |signature: Signature| {
        let written = Signed::write(&content, &signature, &mut seeded(2));
        verifier.verify(&read(&written).unwrap())
    };
    assert_eq!(
        verify(ana.sign(b"another").unwrap()),
        Err(VerifyError::Wrong)
    );
    let disguised = mallory.clone().with_certificate_of(&ana);
    assert_eq!(
        verify(disguised.sign(&content).unwrap()),
        Err(VerifyError::Wrong)
    );
    let bare = ana.clone().without_certificate();
    assert_eq!(
        verify(bare.sign(&content).unwrap()),
        Err(VerifyError::NoCertificate)
    );
    // His own name is what he can prove.
    let signers = verify(mallory.sign(&content).unwrap()).unwrap();
    assert_eq!(signers[0].names(), ["pres:mallory@example.org"]);

    let right = ana.sign(&content).unwrap();
    let octets = right.octets();
    let another = |octets: Bytes| Signature::new(PROTOCOL, "sha-256", octets).unwrap();
    for broken in [
        octets.slice(..0),
        octets.slice(..3),
        octets.slice(..octets.len() / 2),
    ] {
        let verified = verify(another(broken));
        assert!(
            matches!(verified, Err(VerifyError::Unreadable(_))),
            "{verified:?}"
        );
    }
    let pgp = Signature::new("application/pgp-signature", "sha-256", octets.clone()).unwrap();
    assert_eq!(verify(pgp), Err(VerifyError::Protocol));
}

#[test]
fn a_certificate_is_trusted_only_from_the_authority() {
    let content = part().octets().clone();
    let chain = |by: &KeyHolder, now| {
        let signed = read(&written(&content, by)).unwrap();
        let signers = authority().verifier().at(now).verify(&signed).unwrap();
        assert_eq!(signers[0].names(), [ANA]);
        signers[0].chain().clone()
    };
    let untrusted = |why: &str| Chain::Untrusted(why.to_owned());
    let ana = authority().signer(&[ANA]);
    assert_eq!(chain(&ana, NOW), Chain::Trusted);
    assert_eq!(chain(&ana, NOT_AFTER + 1), untrusted("run out"));
    assert_eq!(chain(&ana, NOT_BEFORE - 1), untrusted("not valid yet"));
    let short = authority().signer_until(&[ANA], NOW - 1);
    assert_eq!(chain(&short, NOW), untrusted("run out"));
    let stranger = Authority::new("Another Authority").signer(&[ANA]);
    assert_eq!(chain(&stranger, NOW), untrusted("an unknown issuer"));
    let impostor = Authority::with_key("Example Authority", "impostor").signer(&[ANA]);
    assert_eq!(chain(&impostor, NOW), untrusted("not signed by its issuer"));
    assert_eq!(
        chain(&KeyHolder::self_signed(&[ANA]), NOW),
        untrusted("an unknown issuer")
    );
}

#[test]
fn a_name_that_is_altered_in_a_certificate_is_not_trusted() {
    let mallory = authority().signer(&["pres:eva@example.com"]);
    let content = part().octets().clone();
    let right = mallory.sign(&content).unwrap();
    let altered = replaced(right.octets(), b"pres:eva@", b"pres:ana@");
    let altered = Signature::new(PROTOCOL, "sha-256", altered).unwrap();
    let signed = Signed::write(&content, &altered, &mut seeded(3));
    let signers = authority()
        .verifier()
        .verify(&read(&signed).unwrap())
        .unwrap();
    assert_eq!(signers[0].names(), [ANA]);
    assert!(!signers[0].is_trusted());
}

/// By hand, as others write it.
fn by_hand(parts: &[&str], boundary: &str, close: &str) -> Written {
    let mut body = String::new();
    for part in parts {
        body.push_str(&format!("--{boundary}\r\n{part}\r\n"));
    }
    body.push_str(close);
    let mut like = Signed::write(
        b"",
        &Signature::new("a/b", "c", "").unwrap(),
        &mut seeded(4),
    );
    like.content_type =
        format!("multipart/signed;protocol=\"a/b\";micalg=c;boundary=\"{boundary}\"");
    like.body = body.into();
    like
}

const SIGNATURE: &str = "Content-Type: a/b\r\n\r\nsignature";

#[test]
fn multiparts_within_the_content_stay_whole() {
    let inner = "Content-Type: multipart/mixed;boundary=xy\r\n\r\n--xy\r\n\r\n1\r\n--xy\r\n\r\n2\r\n--xy--\r\n";
    for (outer, content) in [
        // One boundary begins like the other, both ways.
        ("x", inner.to_owned()),
        ("xyz", inner.to_owned()),
        ("x-", inner.to_owned()),
        ("-", inner.to_owned()),
        ("x", inner.replace("xy", "x--x")),
        ("x", inner.replace("--xy\r\n", "--xy \r\n--x \t-\r\n")),
    ] {
        let signed = read(&by_hand(
            &[&content, SIGNATURE],
            outer,
            &format!("--{outer}--"),
        ))
        .unwrap();
        assert_eq!(signed.content(), content.as_bytes(), "{outer}");
        assert_eq!(signed.signature(), "signature");
    }
}

#[test]
fn signed_within_signed_reads_twice() {
    let (ana, bob) = (
        authority().signer(&[ANA]),
        authority().signer(&["pres:bob@example.com"]),
    );
    let inner = written(part().octets(), &ana);
    let around = Part::new(&inner.content_type, &inner.body).unwrap();
    let outer = Signed::write(
        around.octets(),
        &bob.sign(around.octets()).unwrap(),
        &mut seeded(5),
    );
    let verifier = authority().verifier();
    let outer = read(&outer).unwrap();
    assert_eq!(
        verifier.verify(&outer).unwrap()[0].names(),
        ["pres:bob@example.com"]
    );
    let around = outer.part().unwrap();
    let inner = Signed::read(around.content_type().unwrap(), around.plain_body().unwrap()).unwrap();
    assert_eq!(verifier.verify(&inner).unwrap()[0].names(), [ANA]);
    assert_eq!(inner.content(), part().octets());
}

#[test]
fn too_few_and_too_many_parts_are_refused() {
    let read = |parts: &[&str], close: &str| read(&by_hand(parts, "b", close));
    let parts = |found| Err(MimeError::Parts { found });
    assert!(read(&["", SIGNATURE], "--b--").is_ok());
    assert_eq!(read(&[], "--b--"), parts(0));
    assert_eq!(read(&[SIGNATURE], "--b--"), parts(1));
    assert_eq!(read(&["", SIGNATURE, ""], "--b--"), parts(3));
    assert_eq!(read(&["", SIGNATURE, SIGNATURE, ""], "--b--"), parts(3));
    assert_eq!(read(&["", SIGNATURE], ""), Err(MimeError::Unclosed));
    assert_eq!(read(&["", SIGNATURE], "--b-"), Err(MimeError::Unclosed));
    assert_eq!(read(&["", SIGNATURE], "--b"), Err(MimeError::Unclosed));
    assert_eq!(read(&[], ""), Err(MimeError::NoDelimiter));
    // The signature comes second.
    assert_eq!(
        read(&[SIGNATURE, "x: y\r\n\r\n"], "--b--"),
        Err(MimeError::Protocol)
    );
}

#[test]
fn line_feeds_alone_part_nothing() {
    let mut written = by_hand(&["", SIGNATURE], "b", "--b--\r\n");
    assert!(read(&written).is_ok());
    let text = String::from_utf8(written.body.to_vec()).unwrap();
    written.body = text.replace("\r\n", "\n").into();
    assert_eq!(read(&written), Err(MimeError::NoDelimiter));
    // In the content they are octets like others.
    let lines = "A: b\n\nc\n--b\n--b--\n";
    let signed = read(&by_hand(&[lines, SIGNATURE], "b", "--b--")).unwrap();
    assert_eq!(signed.content(), lines);
}

#[test]
fn headers_of_a_signature_part_are_bounded() {
    let with = |head: String| read(&by_hand(&["", &format!("{head}{SIGNATURE}")], "b", "--b--"));
    assert!(with("A: b\r\n".repeat(MAX_HEADER_FIELDS - 1)).is_ok());
    let many = with("A: b\r\n".repeat(MAX_HEADER_FIELDS));
    assert_eq!(many, Err(MimeError::TooManyFields));
    let long = with(format!("A: {}\r\n", "b".repeat(MAX_HEADER_LEN)));
    assert_eq!(long, Err(MimeError::HeaderTooLong));
    let folded = with(format!("A: b\r\n{}", "\tb\r\n".repeat(MAX_HEADER_LEN)));
    assert_eq!(folded, Err(MimeError::HeaderTooLong));
}

// In square time it would not end.
#[test]
fn a_large_body_is_read_to_its_end() {
    const MIB: usize = 1 << 20;
    // What comes closest to a delimiter all along.
    for unit in [
        "a",
        "\n",
        "\r\n",
        "--b",
        "\r\n--b",
        "\r\n--b ",
        "\r\n--b--",
        "\r\n--b --",
        "\r",
    ] {
        let mut content = unit.repeat(MIB / unit.len());
        if unit.trim_end().ends_with('b') || unit.ends_with("--") {
            // So that none of them is one.
            content = content.replace("b", "bb");
        }
        let written = by_hand(&[&content, SIGNATURE], "b", "--b--");
        assert_eq!(read(&written).unwrap().content().len(), content.len());
    }
    // One line that could be a delimiter until its very end.
    let padded = format!("--b{}x", " ".repeat(MIB));
    let signed = read(&by_hand(&[&padded, SIGNATURE], "b", "--b--")).unwrap();
    assert_eq!(signed.content().len(), padded.len());
    // Delimiters without end are not walked through.
    let many = by_hand(&[""; 100_000], "b", "");
    assert_eq!(read(&many), Err(MimeError::Parts { found: 3 }));
}

#[test]
fn no_content_is_a_content_too() {
    let ana = authority().signer(&[ANA]);
    for content in ["", "\r\n", "\n", "--", "\r\n--", "-"] {
        let signed = read(&written(content.as_bytes(), &ana)).unwrap();
        assert_eq!(signed.content(), content);
        assert!(authority().verifier().verify(&signed).unwrap()[0].is_trusted());
    }
}

/// Octets that are prone to be mistaken for structure.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"--".to_vec()),
        Just(b"0".to_vec()),
        Just(vec![b'0'; 32]),
        Just(b"\r\n--00000000000000000000000000000000".to_vec()),
        Just(b"Content-Type: a/b\r\n\r\n".to_vec()),
        vec(any::<u8>(), 0..8),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_is_written_reads_as_it_was(content in octets(), signature in octets(), seed in any::<Option<u64>>()) {
        let signature = Signature::new("application/pkcs7-signature", "sha-256", signature).unwrap();
        // Entropy that yields nothing but zeros must not matter for what is read.
        let mut entropy = seeded(seed.unwrap_or_default());
        let mut zeros = |buffer: &mut [u8]| buffer.fill(0);
        let written = match seed {
            Some(_) => Signed::write(&content, &signature, &mut entropy),
            None => Signed::write(&content, &signature, &mut zeros),
        };
        let signed = read(&written).unwrap();
        prop_assert_eq!(signed.content(), &content);
        prop_assert_eq!(signed.signature(), signature.octets());
        prop_assert_eq!(signed.protocol(), signature.protocol());
        prop_assert_eq!(signed.micalg(), Some(signature.micalg()));
    }

    #[test]
    fn a_part_that_is_made_reads_as_it_was(body in octets()) {
        let body = Bytes::from(body);
        let part = Part::new("application/octet-stream", &body).unwrap();
        prop_assert_eq!(part.plain_body(), Ok(&body));
        prop_assert_eq!(Part::read(part.octets()), Ok(part));
    }

    #[test]
    fn whatever_comes_is_read_or_refused(body in octets()) {
        let body = Bytes::from(body);
        let _ = Part::read(&body);
        let zeros = "0".repeat(32);
        for boundary in ["0", zeros.as_str()] {
            let content_type = format!("multipart/signed;protocol=\"a/b\";boundary={boundary}");
            if let Ok(signed) = Signed::read(&content_type, &body) {
                let delimiter = format!("\r\n--{boundary}\r\n");
                let inner = [b"\r\n", &signed.content()[..]].concat();
                prop_assert!(!inner.windows(delimiter.len()).any(|w| w == delimiter.as_bytes()));
            }
        }
    }
}
