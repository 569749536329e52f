//! Octets that nobody means well with.

use std::time::{Duration, Instant};

use presentity::mime::{Decrypt, Enveloped, ReadCertificate};

use super::authority::{KINDS, Kind, ana, bob, root};
use super::splicing::{Pieces, wrapped};
use super::*;

#[test]
fn a_signature_that_is_cut_off_is_unreadable() {
    for kind in KINDS {
        let octets = signature_by(&ana(kind).credential());
        let trust = root(kind).trust();
        for len in (0..octets.len()).step_by(3) {
            let refused = verified(&trust, octets.slice(..len));
            assert!(
                matches!(refused, Err(VerifyError::Unreadable(_))),
                "{len}: {refused:?}"
            );
        }
        for after in [&b"\0"[..], b"\0\0", b"\x30\0", b"\r\n"] {
            let refused = verified(&trust, [&octets, after].concat());
            assert!(
                matches!(refused, Err(VerifyError::Unreadable(_))),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn any_altered_octet_of_a_signature_is_survived() {
    for kind in KINDS {
        let octets = signature_by(&ana(kind).credential());
        let trust = root(kind).trust();
        let expected = verified(&trust, octets.clone()).unwrap();
        let mut different = 0;
        for at in 0..octets.len() {
            let mut altered = octets.to_vec();
            altered[at] ^= 0x21;
            // Not all of it is signed: versions, names of algorithms with their parameters, and of the
            // certificates only what leads to the authority.
            if let Ok(signers) = verified(&trust, altered) {
                let same = signers[0].names() == expected[0].names();
                assert!(same || !signers[0].is_trusted(), "{at}: {signers:?}");
            } else {
                different += 1;
            }
        }
        assert!(
            different > octets.len() / 3,
            "{different} of {}",
            octets.len()
        );
    }
}

/// Signed data of indefinite length, as software that does not know yet how long it will be writes it.
fn indefinite(octets: &[u8]) -> Vec<u8> {
    let info = super::splicing::elements(super::splicing::within(octets));
    let signed = super::splicing::within(super::splicing::within(&info[1])).to_vec();
    let mut out = vec![0x30, 0x80];
    out.extend(&info[0]);
    out.extend([0xa0, 0x80, 0x30, 0x80]);
    out.extend(signed);
    out.extend([0; 6]);
    out
}

#[test]
fn indefinite_lengths_are_read_and_nothing_may_follow_them() {
    for kind in KINDS {
        let octets = indefinite(&signature_by(&ana(kind).credential()));
        let trust = root(kind).trust();
        assert!(verified(&trust, octets.clone()).unwrap()[0].is_trusted());
        for after in [&b"\0"[..], b"\0\0", b"x", b"\x30\0"] {
            let refused = verified(&trust, [&octets, after].concat());
            assert!(
                matches!(refused, Err(VerifyError::Unreadable(_))),
                "{refused:?}"
            );
        }
        for len in octets.len() - 8..octets.len() {
            let refused = verified(&trust, octets[..len].to_vec());
            assert!(
                matches!(refused, Err(VerifyError::Unreadable(_))),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn much_of_anything_takes_little_time() {
    let ana = ana(Kind::P256);
    let pieces = Pieces::of(&signature_by(&ana.credential()));
    let trust = root(Kind::P256).trust();
    // Certificates, signers, digests, names: more than fits into other limits.
    for octets in [
        Pieces {
            certificates: vec![bob(Kind::P256).der().to_vec(); 8000],
            ..pieces.clone()
        }
        .octets(),
        Pieces {
            signers: vec![pieces.signers[0].clone(); 8000],
            ..pieces.clone()
        }
        .octets(),
        Pieces {
            digests: wrapped(
                x509_cert::der::Tag::Set,
                &super::splicing::within(&pieces.digests).repeat(100_000),
            ),
            ..pieces.clone()
        }
        .octets(),
        vec![0x30; 4_000_000],
        b"\x30\x80".repeat(1_000_000),
        vec![0; 4_000_000],
    ] {
        let octets = Bytes::from(octets);
        let begun = Instant::now();
        let _ = verified(&trust, octets.clone());
        let _ = trust.read_bundle(&octets);
        let _ = trust.read_certificate(&octets, &[]);
        let body = Enveloped::write(octets);
        let entity = Part::new(&body.content_type, &body.body).unwrap();
        let _ = trust.verify_opaque(&entity);
        let _ = ana.credential().decrypt(&entity);
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}

#[test]
fn what_openssl_says_of_a_strange_signer_is_what_is_expected() {
    // The verifier tells a certificate that is not the signer's from a signature that is wrong by the
    // reason that OpenSSL gives.
    let octets = signature_by(&ana(Kind::P256).credential());
    let mut info = CmsContentInfo::from_der(&octets).unwrap();
    let mut stack = openssl::stack::Stack::new().unwrap();
    stack.push(bob(Kind::P256).certificate.clone()).unwrap();
    let flags = CMSOptions::NO_SIGNER_CERT_VERIFY | CMSOptions::NOINTERN | CMSOptions::BINARY;
    let content = part().octets().clone();
    let stack = info
        .verify(Some(&stack), None, Some(&content), None, flags)
        .unwrap_err();
    let error = &stack.errors()[0];
    assert_eq!(
        (error.library_code(), error.reason_code()),
        (46, 138),
        "{stack}"
    );
}
