//! Who signed, and that nobody else did.

use openssl::asn1::Asn1Time;
use openssl::cms::CMSOptions;
use openssl::pkcs7::{Pkcs7, Pkcs7Flags};
use openssl::stack::Stack;
use presentity::mime::smime::{Credential, CredentialError, MAX_CERTIFICATES, MAX_SIGNERS};
use presentity::mime::{Encrypt, SignError};
use time::OffsetDateTime;

use super::authority::{Holder, KINDS, Kind, Profile, ana, bob, now, p256, profile, root, rsa};
use super::splicing::{Pieces, elements, within, wrapped};
use super::*;

#[test]
fn what_is_signed_is_verified() {
    for kind in KINDS {
        let names = [
            "sip:ana@example.com",
            "SIPS:Ana@Example.COM;x=%41",
            "pres:ana@example.com",
        ];
        let mut profile = profile(&names);
        profile.domains = vec!["example.com", "chat.example.com"];
        let holder = root(kind).certify_key(&profile, ana(kind).key.clone());
        let signature = holder.credential().sign(part().octets()).unwrap();
        assert_eq!(signature.protocol(), PROTOCOL);
        assert_eq!(signature.micalg(), "sha-256");
        let signers = verified(&root(kind).trust(), signature.octets().clone()).unwrap();
        let [signer] = &signers[..] else {
            panic!("{signers:?}")
        };
        assert!(signer.is_trusted(), "{signer:?}");
        assert_eq!(signer.names(), names);
        assert_eq!(signer.domains(), ["example.com", "chat.example.com"]);
        assert_eq!(signer.certificate(), Some(&holder.der()));
        let signed_at = signer.signing_time().unwrap();
        let since = OffsetDateTime::now_utc() - signed_at;
        assert!(since.whole_seconds().abs() < 60, "{signed_at}");
    }
}

#[test]
fn a_signature_in_base64_counts_and_other_encodings_do_not() {
    let octets = signature_by(&ana(Kind::P256).credential());
    let text = openssl::base64::encode_block(&octets);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let verify = |encoding: &str, text: &str| {
        let content = String::from("Content-Type: text/plain\r\n\r\nhere");
        let body = format!(
            "--b\r\n{content}\r\n--b\r\nContent-Type: {PROTOCOL}\r\n\
             Content-Transfer-Encoding: {encoding}\r\n\r\n{text}\r\n--b--\r\n"
        );
        let type_ = format!("multipart/signed;boundary=b;micalg=sha1;protocol=\"{PROTOCOL}\"");
        let signed = Signed::read(&type_, &body.into()).unwrap();
        root(Kind::P256).trust().verify(&signed)
    };
    // Of other octets, so far.
    assert_eq!(
        verify("base64", &lines.join("\r\n")),
        Err(VerifyError::Wrong)
    );
    let octets = ana(Kind::P256).credential();
    let octets = octets
        .sign(b"Content-Type: text/plain\r\n\r\nhere")
        .unwrap();
    let text = openssl::base64::encode_block(octets.octets());
    assert!(verify("Base64", &text).unwrap()[0].is_trusted());
    for (encoding, text) in [
        ("quoted-printable", &*text),
        ("base64", "=="),
        ("7bit", &*text),
    ] {
        let refused = verify(encoding, text);
        assert!(
            matches!(refused, Err(VerifyError::Unreadable(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn an_altered_octet_makes_it_wrong() {
    for kind in KINDS {
        let trust = root(kind).trust();
        let signature = ana(kind).credential().sign(part().octets()).unwrap();
        let written = Signed::write(part().octets(), &signature, &mut seeded(1));
        let at = written
            .body
            .windows(9)
            .position(|w| w == b"<presence")
            .unwrap();
        let mut body = written.body.to_vec();
        body[at + 1] ^= 1;
        let signed = Signed::read(&written.content_type, &body.into()).unwrap();
        assert_eq!(trust.verify(&signed), Err(VerifyError::Wrong));
        // The last octets are those of the signature itself.
        let mut octets = signature.octets().to_vec();
        *octets.last_mut().unwrap() ^= 1;
        assert_eq!(verified(&trust, octets), Err(VerifyError::Wrong));
        // Some octet of the signed attributes.
        let pieces = Pieces::of(signature.octets());
        let mut signer = pieces.signers[0].clone();
        let digest = signer
            .windows(3)
            .rposition(|w| w == [0x04, 0x20, signer[0]]);
        let digest =
            digest.unwrap_or_else(|| signer.windows(2).position(|w| w == [0x04, 0x20]).unwrap());
        signer[digest + 5] ^= 1;
        let altered = Pieces {
            signers: vec![signer],
            ..pieces
        };
        assert_eq!(verified(&trust, altered.octets()), Err(VerifyError::Wrong));
    }
}

#[test]
fn another_protocol_is_not_supported() {
    let octets = signature_by(&ana(Kind::P256).credential());
    let trust = root(Kind::P256).trust();
    let verify = |protocol: &str| {
        let signature = Signature::new(protocol, "sha-256", octets.clone()).unwrap();
        let written = Signed::write(part().octets(), &signature, &mut seeded(3));
        trust.verify(&Signed::read(&written.content_type, &written.body).unwrap())
    };
    assert!(verify("Application/X-pkcs7-Signature").is_ok());
    assert_eq!(
        verify("application/pgp-signature"),
        Err(VerifyError::Protocol)
    );
}

#[test]
fn old_digests_are_not_supported() {
    for kind in KINDS {
        let octets = signature_by(&ana(kind).credential());
        let pieces = Pieces::of(&octets);
        // SHA-1 in the place of SHA-256, as the digest or within the name of the algorithm.
        let sha1 = wrapped(
            x509_cert::der::Tag::Sequence,
            &[0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a],
        );
        let mut signer = elements(within(&pieces.signers[0]));
        signer[2] = sha1;
        let signer = wrapped(x509_cert::der::Tag::Sequence, &signer.concat());
        let old = Pieces {
            signers: vec![signer],
            ..pieces
        };
        let refused = verified(&root(kind).trust(), old.octets());
        assert_eq!(refused, Err(VerifyError::Protocol));
    }
    let ana = ana(Kind::Rsa);
    // PKCS #7 of old, with its own choice of digest, which is SHA-256 here: CMS is no other format.
    let none = Stack::new().unwrap();
    let flags = Pkcs7Flags::DETACHED | Pkcs7Flags::BINARY;
    let old = Pkcs7::sign(&ana.certificate, &ana.key, &none, part().octets(), flags).unwrap();
    let signers = verified(&root(Kind::Rsa).trust(), old.to_der().unwrap()).unwrap();
    assert!(signers[0].is_trusted());
}

#[test]
fn every_signer_counts() {
    let [ana, bob] = [ana(Kind::Rsa), bob(Kind::Rsa)];
    let [one, other] = [ana, bob].map(|holder| Pieces::of(&signature_by(&holder.credential())));
    let both = Pieces {
        certificates: [one.certificates.clone(), other.certificates.clone()].concat(),
        signers: [one.signers.clone(), other.signers.clone()].concat(),
        ..one.clone()
    };
    let trust = root(Kind::Rsa).trust();
    let signers = verified(&trust, both.octets()).unwrap();
    let names: Vec<_> = signers
        .iter()
        .map(|signer| signer.names()[0].as_str())
        .collect();
    assert_eq!(names, ["sip:ana@example.com", "sip:bob@example.com"]);
    assert!(signers.iter().all(Signer::is_trusted));
    // One of two is wrong, or by nobody who is known.
    let mut altered = both.clone();
    *altered.signers[1].last_mut().unwrap() ^= 1;
    assert_eq!(verified(&trust, altered.octets()), Err(VerifyError::Wrong));
    let mut unknown = both.clone();
    unknown.certificates.pop();
    assert_eq!(
        verified(&trust, unknown.octets()),
        Err(VerifyError::NoCertificate)
    );
    // One who is trusted makes no other trusted.
    let stranger = Holder::signing_itself(&profile(&["sip:ana@example.com"]), p256());
    let third = Pieces::of(&signature_by(&stranger.credential()));
    let mixed = Pieces {
        certificates: [one.certificates.clone(), third.certificates].concat(),
        signers: [third.signers, one.signers.clone()].concat(),
        ..one.clone()
    };
    let signers = verified(&trust, mixed.octets()).unwrap();
    assert_eq!(
        signers.iter().map(Signer::is_trusted).collect::<Vec<_>>(),
        [false, true]
    );
    // So many, and no more; and none is none.
    let many = |count| Pieces {
        signers: vec![one.signers[0].clone(); count],
        ..one.clone()
    };
    assert_eq!(
        verified(&trust, many(MAX_SIGNERS).octets()).unwrap().len(),
        MAX_SIGNERS
    );
    for count in [0, MAX_SIGNERS + 1, 5000] {
        let refused = verified(&trust, many(count).octets());
        assert!(
            matches!(refused, Err(VerifyError::Unreadable(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn who_signed_is_not_who_is_named_alike() {
    // Two certificates with the issuer and the serial number of the other, for other keys and names.
    let root = root(Kind::P256);
    let twin = |uri| {
        let mut profile = profile(&[uri]);
        profile.serial = Some(77);
        root.certify(&profile, Kind::P256)
    };
    let [ana, eve] = [twin("sip:ana@example.com"), twin("sip:eve@example.com")];
    let by_eve = Pieces::of(&signature_by(&eve.credential()));
    for certificates in [[&ana, &eve], [&eve, &ana]] {
        let certificates = certificates.map(|holder| holder.der().to_vec()).to_vec();
        let both = Pieces {
            certificates,
            ..by_eve.clone()
        };
        let signers = verified(&root.trust(), both.octets()).unwrap();
        assert_eq!(signers[0].names(), ["sip:eve@example.com"]);
    }
    let only_ana = Pieces {
        certificates: vec![ana.der().to_vec()],
        ..by_eve.clone()
    };
    assert_eq!(
        verified(&root.trust(), only_ana.octets()),
        Err(VerifyError::Wrong)
    );
    // The work for such forgeries is bounded.
    let many = (0..20).map(|_| twin("sip:ana@example.com").der().to_vec());
    let many = Pieces {
        certificates: many.chain([eve.der().to_vec()]).collect(),
        ..by_eve
    };
    assert_eq!(
        verified(&root.trust(), many.octets()),
        Err(VerifyError::Wrong)
    );
}

#[test]
fn a_certificate_that_does_not_come_may_be_known() {
    for kind in KINDS {
        let ana = ana(kind);
        for flags in [
            CMSOptions::CMS_NOCERTS,
            CMSOptions::CMS_NOCERTS | CMSOptions::USE_KEYID,
        ] {
            let octets = raw(ana, flags);
            let trust = root(kind).trust();
            assert_eq!(
                verified(&trust, octets.clone()),
                Err(VerifyError::NoCertificate)
            );
            let trust = trust.with_known(&bob(kind).der()).unwrap();
            assert_eq!(
                verified(&trust, octets.clone()),
                Err(VerifyError::NoCertificate)
            );
            let trust = trust.with_known(&ana.der()).unwrap();
            let signers = verified(&trust, octets.clone()).unwrap();
            assert_eq!(signers[0].names(), ["sip:ana@example.com"]);
            assert!(signers[0].is_trusted());
            // To be known is not to be trusted.
            let trust = Trust::new()
                .with_known(&ana.der())
                .unwrap()
                .with_time(now());
            assert!(!verified(&trust, octets).unwrap()[0].is_trusted());
        }
    }
}

#[test]
fn signers_may_be_named_by_key_identifiers_and_attributes_may_be_missing() {
    for kind in KINDS {
        for flags in [
            CMSOptions::USE_KEYID,
            CMSOptions::NOATTR,
            CMSOptions::NOSMIMECAP,
        ] {
            let signers = verified(&root(kind).trust(), raw(ana(kind), flags)).unwrap();
            assert!(signers[0].is_trusted());
            let has_time = signers[0].signing_time().is_some();
            assert_eq!(has_time, !flags.contains(CMSOptions::NOATTR));
        }
    }
}

#[test]
fn opaque_signatures_carry_their_content() {
    for kind in KINDS {
        let written = ana(kind).credential().sign_opaque(part().octets()).unwrap();
        assert!(written.content_type.contains("smime-type=signed-data"));
        let trust = root(kind).trust();
        let entity = Part::new(&written.content_type, &written.body).unwrap();
        let (content, signers) = trust.verify_opaque(&entity).unwrap();
        assert_eq!(&content, part().octets());
        assert!(signers[0].is_trusted());
        let at = written
            .body
            .windows(9)
            .position(|w| w == b"<presence")
            .unwrap();
        let mut altered = written.body.to_vec();
        altered[at] ^= 1;
        let entity = Part::new(&written.content_type, &altered.into()).unwrap();
        assert_eq!(trust.verify_opaque(&entity), Err(VerifyError::Wrong));
        // One is not the other.
        let detached = signature_by(&ana(kind).credential());
        let entity = Part::new(&written.content_type, &detached).unwrap();
        let refused = trust.verify_opaque(&entity);
        assert!(
            matches!(refused, Err(VerifyError::Unreadable(_))),
            "{refused:?}"
        );
        let refused = verified(&trust, written.body);
        assert!(
            matches!(refused, Err(VerifyError::Unreadable(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn what_is_signed_as_something_else_is_not_supported() {
    let octets = signature_by(&ana(Kind::P256).credential());
    let mut pieces = Pieces::of(&octets);
    // A token of a time stamping authority.
    let token = [
        0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04,
    ];
    pieces.content = wrapped(x509_cert::der::Tag::Sequence, &token);
    let refused = verified(&root(Kind::P256).trust(), pieces.octets());
    assert_eq!(refused, Err(VerifyError::Protocol));
}

#[test]
fn certificates_may_be_many_but_not_more() {
    let octets = signature_by(&ana(Kind::P256).credential());
    let pieces = Pieces::of(&octets);
    let with = |count| Pieces {
        certificates: [
            pieces.certificates.clone(),
            vec![bob(Kind::P256).der().to_vec(); count - 1],
        ]
        .concat(),
        ..pieces.clone()
    };
    let trust = root(Kind::P256).trust();
    assert!(verified(&trust, with(MAX_CERTIFICATES).octets()).unwrap()[0].is_trusted());
    for count in [MAX_CERTIFICATES + 1, 5000] {
        let refused = verified(&trust, with(count).octets());
        assert_eq!(
            refused,
            Err(VerifyError::Unreadable(format!(
                "more than {MAX_CERTIFICATES} certificates"
            )))
        );
    }
    let trust = trust.with_max_len(octets.len() - 1);
    let refused = verified(&trust, octets.clone());
    assert!(
        matches!(refused, Err(VerifyError::Unreadable(_))),
        "{refused:?}"
    );
    assert!(verified(&trust.with_max_len(octets.len()), octets).is_ok());
}

#[test]
fn a_key_signs_only_if_its_certificate_lets_it() {
    let mut profile = profile(&["sip:ana@example.com"]);
    profile.usage = Some(vec!["encipher"]);
    let ana = root(Kind::P256).certify_key(&profile, ana(Kind::P256).key.clone());
    let refused = ana.credential().sign(b"");
    assert!(matches!(refused, Err(SignError::Failed(_))), "{refused:?}");
    assert!(ana.credential().sign_opaque(b"").is_err());
    // Somebody else's library might not care.
    let signers = verified(&root(Kind::P256).trust(), raw(&ana, CMSOptions::empty())).unwrap();
    assert_eq!(why(signers[0].chain()), "its key may not sign");
}

#[test]
fn keys_are_read_in_every_form_and_never_shown() {
    let [ana, bob] = [ana(Kind::Rsa), bob(Kind::Rsa)];
    let pem = |holder: &Holder| holder.certificate.to_pem().unwrap();
    let key = ana.key.private_key_to_pem_pkcs8().unwrap();
    let chain = [pem(ana), pem(root(Kind::Rsa))].concat();
    let from_pem = Credential::from_pem(&key, &chain).unwrap();
    assert_eq!(from_pem.certificate().unwrap(), ana.der());
    assert_eq!(Pieces::of(&signature_by(&from_pem)).certificates.len(), 2);
    let traditional = ana.key.rsa().unwrap().private_key_to_der().unwrap();
    assert!(Credential::from_der(&traditional, &ana.der(), &[]).is_ok());
    let mut file = openssl::pkcs12::Pkcs12::builder();
    file.pkey(&ana.key).cert(&ana.certificate);
    let file = file.build2("secret").unwrap().to_der().unwrap();
    let from_file = Credential::from_pkcs12(&file, "secret").unwrap();
    assert!(verified(&root(Kind::Rsa).trust(), signature_by(&from_file)).is_ok());
    assert!(matches!(
        Credential::from_pkcs12(&file, "other"),
        Err(CredentialError::Key(_))
    ));

    let shown = format!("{from_pem:?}");
    assert!(
        shown.contains("sip:ana@example.com") && shown.len() < 200,
        "{shown}"
    );

    let other = Credential::from_pem(&key, &pem(bob));
    assert_eq!(other.unwrap_err(), CredentialError::OtherKey);
    let none = Credential::from_pem(&key, b"");
    assert!(matches!(none.unwrap_err(), CredentialError::Certificate(_)));
    let cipher = openssl::symm::Cipher::aes_128_cbc();
    let locked = ana
        .key
        .private_key_to_pem_pkcs8_passphrase(cipher, b"secret")
        .unwrap();
    let locked = Credential::from_pem(&locked, &pem(ana));
    assert!(matches!(locked.unwrap_err(), CredentialError::Key(_)));
    let odd = openssl::pkey::PKey::generate_ed25519().unwrap();
    let odd = Credential::from_der(&odd.private_key_to_der().unwrap(), &ana.der(), &[]);
    assert_eq!(odd.unwrap_err(), CredentialError::UnsupportedKey);
}

#[test]
fn without_a_time_the_clock_counts() {
    let today = Asn1Time::days_from_now(0).unwrap();
    let root = root(Kind::P256);
    // Of years around 2030, which this is not unless it is.
    let is_now = today > *root.certificate.not_before() && today < *root.certificate.not_after();
    let trust = Trust::new().with_authority(&root.der()).unwrap();
    let signers = verified(&trust, signature_by(&ana(Kind::P256).credential())).unwrap();
    assert_eq!(signers[0].is_trusted(), is_now);
}

#[test]
fn roles_are_shared_by_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&root(Kind::P256).trust());
    shared(&ana(Kind::P256).credential());
    let encrypt: &(dyn Encrypt + Send + Sync) = &presentity::mime::smime::Encryptor::new();
    let _ = encrypt;
    let _ = (Profile::authority("x"), rsa as fn(u32) -> _);
}
