//! Bodies signed, encrypted, and both, through the opener; what a peer is told when that fails.

use presentity::mime::smime::Encryptor;
use presentity::mime::{
    DecryptError, Encrypt, Enveloped, OpenError, Opened, Opener, Written, is_protected,
};

use super::authority::{KINDS, Kind, ana, bob, root};
use super::*;

fn signed(by: &Credential) -> Written {
    let signature = by.sign(part().octets()).unwrap();
    Signed::write(part().octets(), &signature, &mut seeded(9))
}

fn encrypted(within: &Written, kind: Kind) -> Written {
    let part = Part::new(&within.content_type, &within.body).unwrap();
    let recipients = [bob(kind).der()];
    Enveloped::write(
        Encryptor::new()
            .encrypt(part.octets(), &recipients)
            .unwrap(),
    )
}

fn opened_by(kind: Kind, body: &Written) -> Result<Opened, OpenError> {
    let (trust, bob) = (root(kind).trust(), bob(kind).credential());
    let opener = Opener::new().with_verify(&trust).with_decrypt(&bob);
    assert!(is_protected(&body.content_type));
    opener.open(&body.content_type, &body.body)
}

#[test]
fn what_is_signed_then_encrypted_is_opened() {
    for kind in KINDS {
        let body = encrypted(&signed(&ana(kind).credential()), kind);
        let opened = opened_by(kind, &body).unwrap();
        assert_eq!(opened.content_type, "application/pidf+xml");
        assert_eq!(&opened.body, part().body());
        assert!(opened.is_encrypted);
        assert_eq!(opened.signers[0].names(), ["sip:ana@example.com"]);
        assert!(opened.signers[0].is_trusted());

        let opaque = ana(kind).credential().sign_opaque(part().octets()).unwrap();
        for body in [opaque.clone(), encrypted(&opaque, kind)] {
            let opened = opened_by(kind, &body).unwrap();
            assert_eq!(&opened.body, part().body());
            assert!(opened.signers[0].is_trusted());
        }
    }
}

#[test]
fn a_signature_around_what_is_encrypted_does_not_count() {
    let kind = Kind::P256;
    let plain = Written::from_part(&part());
    let within = encrypted(&plain, kind);
    let part = Part::new(&within.content_type, &within.body).unwrap();
    let signature = ana(kind).credential().sign(part.octets()).unwrap();
    let body = Signed::write(part.octets(), &signature, &mut seeded(2));
    let opened = opened_by(kind, &body).unwrap();
    assert!(opened.is_encrypted && opened.signers.is_empty());
    assert_eq!(&opened.body, super::part().body());
}

trait FromPart {
    fn from_part(part: &Part) -> Self;
}

impl FromPart for Written {
    fn from_part(part: &Part) -> Self {
        // The writer of envelopes is the only way to a `Written` from outside.
        let mut written = Enveloped::write(part.body().clone());
        written.content_type = part.content_type().unwrap().to_owned();
        written
    }
}

#[test]
fn each_failure_has_its_status() {
    let kind = Kind::P256;
    let trust = root(kind).trust();
    let [ana, bob] = [ana(kind).credential(), bob(kind).credential()];
    let plain = signed(&ana);
    let status = |opener: Opener<'_>, body: &Written| {
        opener
            .open(&body.content_type, &body.body)
            .unwrap_err()
            .status()
    };
    let opener = Opener::new().with_verify(&trust).with_decrypt(&bob);

    let mut wrong = plain.clone();
    let at = wrong
        .body
        .windows(9)
        .position(|w| w == b"<presence")
        .unwrap();
    let mut octets = wrong.body.to_vec();
    octets[at] ^= 1;
    wrong.body = octets.into();
    assert_eq!(status(opener, &wrong), 403);
    let body = encrypted(&plain, kind);
    assert_eq!(status(Opener::new(), &plain), 415);
    assert_eq!(status(Opener::new(), &body), 415);
    let by_ana = Opener::new().with_verify(&trust).with_decrypt(&ana);
    assert_eq!(status(by_ana, &body), 493);
    let mut broken = body.clone();
    broken.body = broken.body.slice(1..);
    assert_eq!(status(opener, &broken), 400);
    let mut unreadable = plain.clone();
    unreadable.body = Bytes::from("--");
    assert_eq!(status(opener, &unreadable), 400);
    let mut other = body.clone();
    other.content_type = "application/pkcs7-mime;smime-type=compressed-data".to_owned();
    assert_eq!(status(opener, &other), 415);
}

#[test]
fn a_peer_never_learns_what_failed_after_decryption() {
    let kind = Kind::P256;
    let plain = signed(&ana(kind).credential());
    let mut wrong = plain.clone();
    let at = wrong
        .body
        .windows(9)
        .position(|w| w == b"<presence")
        .unwrap();
    let mut octets = wrong.body.to_vec();
    octets[at] ^= 1;
    wrong.body = octets.into();
    let mut cut = plain.clone();
    cut.body = cut.body.slice(..60);
    let mut odd = plain.clone();
    odd.content_type = "application/pkcs7-mime;smime-type=compressed-data".to_owned();
    let mut bundle = plain.clone();
    bundle.content_type = "application/pkcs7-mime".to_owned();
    for within in [wrong, cut, odd, bundle] {
        let error = opened_by(kind, &encrypted(&within, kind)).unwrap_err();
        assert!(matches!(error, OpenError::Within(_)), "{error:?}");
        assert_eq!(error.status(), 493);
    }
    let recipients = [bob(kind).der()];
    let no_entity = Encryptor::new()
        .encrypt(b"\xff\xff no header", &recipients)
        .unwrap();
    let error = opened_by(kind, &Enveloped::write(no_entity)).unwrap_err();
    assert_eq!(error, OpenError::Decrypt(DecryptError::Undecipherable));
    assert_eq!(error.status(), 493);
    // Whatever is altered, one of three: it opens, it is none, or it failed.
    let body = encrypted(&plain, kind);
    for at in (0..body.body.len()).step_by(3) {
        let mut altered = body.clone();
        let mut octets = altered.body.to_vec();
        octets[at] ^= 0x10;
        altered.body = octets.into();
        if let Err(error) = opened_by(kind, &altered) {
            assert!(matches!(error.status(), 400 | 493), "{at}: {error:?}");
        }
    }
}
