//! What is read from certificates and bundles of them.

use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use presentity::mime::smime::MAX_CERTIFICATES;
use presentity::mime::{CertificateError, ReadCertificate};
use time::Duration;

use super::authority::{Kind, Profile, ana, bob, now, p256, profile, root};
use super::splicing::Pieces;
use super::*;

#[test]
fn a_certificate_says_whom_it_is_for() {
    let mut of_ana = profile(&["sip:ana@example.com", "pres:ana@example.com"]);
    of_ana.domains = vec!["example.com"];
    let ana = root(Kind::P256).certify(&of_ana, Kind::P256);
    let info = root(Kind::P256)
        .trust()
        .read_certificate(&ana.der(), &[])
        .unwrap();
    assert_eq!(info.der, ana.der());
    assert_eq!(info.names, ["sip:ana@example.com", "pres:ana@example.com"]);
    assert_eq!(info.domains, ["example.com"]);
    assert_eq!(info.not_before, now() - Duration::days(30));
    assert_eq!(info.not_after, now() + Duration::days(300));
    assert_eq!(info.chain, Chain::Trusted);
    assert!(!info.is_self_signed && !info.is_revoked && info.may_encrypt);
}

#[test]
fn what_comes_along_may_lead_to_an_authority() {
    let between = root(Kind::P256).certify(&Profile::authority("Between"), Kind::P256);
    let ana = between.certify(&profile(&["sip:ana@example.com"]), Kind::Rsa);
    let trust = root(Kind::P256).trust();
    let read = |others: &[Bytes]| {
        trust
            .read_certificate(&ana.der(), others)
            .map(|info| info.chain)
    };
    assert_eq!(read(&[between.der()]), Ok(Chain::Trusted));
    assert_eq!(
        read(&[Bytes::from("none"), between.der()]),
        Ok(Chain::Trusted)
    );
    assert_eq!(
        why(&read(&[]).unwrap()),
        "unable to get local issuer certificate"
    );
    // It is trusted in nothing.
    let eve = Holder::root("Eve", Kind::P256);
    let by_eve = eve.certify(&profile(&["sip:ana@example.com"]), Kind::P256);
    let info = trust.read_certificate(&by_eve.der(), &[eve.der()]).unwrap();
    assert_ne!(info.chain, Chain::Trusted);
    let many = vec![between.der(); MAX_CERTIFICATES + 1];
    assert!(matches!(read(&many), Err(CertificateError::Unreadable(_))));
}

#[test]
fn who_certifies_himself_is_seen() {
    let ana = Holder::signing_itself(&profile(&["sip:ana@example.com"]), p256());
    let info = root(Kind::P256)
        .trust()
        .read_certificate(&ana.der(), &[])
        .unwrap();
    assert!(info.is_self_signed);
    assert_eq!(why(&info.chain), "self-signed certificate");
    let info = ana.trust().read_certificate(&ana.der(), &[]).unwrap();
    assert!(info.is_self_signed);
    assert_eq!(info.chain, Chain::Trusted);
    // His name alone is not his signature.
    let mut profile = profile(&[]);
    profile.name = "Example P256 Authority".to_owned();
    let eve = root(Kind::P256).certify(&profile, Kind::P256);
    let info = root(Kind::P256)
        .trust()
        .read_certificate(&eve.der(), &[])
        .unwrap();
    assert!(!info.is_self_signed);
}

#[test]
fn who_is_revoked_is_seen_whatever_else_is_wrong() {
    let root = root(Kind::P256);
    let mut old = profile(&["sip:ana@example.com"]);
    old.validity = (-300, -1);
    let old = root.certify(&old, Kind::P256);
    let list = root.revokes(&[ana(Kind::P256), &old], (-1, 30));
    let trust = root.trust().with_revocation_list(&list).unwrap();
    let read = |holder: &Holder| trust.read_certificate(&holder.der(), &[]).unwrap();
    let info = read(ana(Kind::P256));
    assert!(info.is_revoked);
    assert_eq!(why(&info.chain), "it is revoked");
    let info = read(&old);
    assert!(info.is_revoked);
    assert_ne!(info.chain, Chain::Trusted);
    assert!(!read(bob(Kind::P256)).is_revoked);
    // Somebody may revoke himself.
    let mut own = profile(&["sip:ana@example.com"]);
    own.usage = Some(vec!["sign", "agree", "revoke"]);
    let own = Holder::signing_itself(&own, p256());
    let list = own.revokes(&[&own], (-1, 30));
    let trust = own.trust().with_revocation_list(&list).unwrap();
    let info = trust.read_certificate(&own.der(), &[]).unwrap();
    assert!(info.is_revoked);
    assert_eq!(why(&info.chain), "it is revoked");
}

#[test]
fn keys_encrypt_as_their_usage_says() {
    for (kind, usage, extended, may) in [
        (Kind::Rsa, None, None, true),
        (Kind::Rsa, Some("encipher"), None, true),
        (Kind::Rsa, Some("agree"), None, false),
        (Kind::Rsa, Some("sign"), None, false),
        (Kind::P256, Some("agree"), None, true),
        (Kind::P256, Some("encipher"), None, false),
        (Kind::P256, None, Some("emailProtection"), true),
        (Kind::P256, None, Some("1.3.6.1.5.5.7.3.20"), true),
        (Kind::P256, None, Some("serverAuth"), false),
    ] {
        let mut profile = profile(&[]);
        profile.usage = usage.map(|one| vec![one]);
        profile.extended = extended.map(|one| vec![one]);
        let holder = root(kind).certify_key(&profile, ana(kind).key.clone());
        let info = root(kind)
            .trust()
            .read_certificate(&holder.der(), &[])
            .unwrap();
        assert_eq!(info.may_encrypt, may, "{kind:?} {usage:?} {extended:?}");
        // What a key is for is another matter than who certifies it.
        assert_eq!(info.chain == Chain::Trusted, extended != Some("serverAuth"));
    }
}

#[test]
fn what_is_no_certificate_is_refused() {
    let trust = root(Kind::P256).trust();
    let der = ana(Kind::P256).der();
    let longer = [&der[..], b"\0"].concat();
    for octets in [
        b"".to_vec(),
        longer,
        der[1..].to_vec(),
        b"\x30\x80\0\0".to_vec(),
    ] {
        let refused = trust.read_certificate(&octets.into(), &[]);
        assert!(
            matches!(refused, Err(CertificateError::Unreadable(_))),
            "{refused:?}"
        );
    }
    for len in 0..der.len() {
        let refused = trust.read_certificate(&der.slice(..len), &[]);
        assert!(
            matches!(refused, Err(CertificateError::Unreadable(_))),
            "{len}"
        );
    }
    let odd = root(Kind::P256).certify_key(&profile(&[]), PKey::generate_ed25519().unwrap());
    let refused = trust.read_certificate(&odd.der(), &[]);
    assert_eq!(refused, Err(CertificateError::Unsupported));
    let short = trust.with_max_len(der.len() - 1);
    assert!(short.read_certificate(&der, &[]).is_err());
}

#[test]
fn any_altered_octet_is_survived() {
    let trust = root(Kind::P256).trust();
    let der = ana(Kind::P256).der();
    for at in 0..der.len() {
        let mut altered = der.to_vec();
        altered[at] ^= 0x41;
        if let Ok(info) = trust.read_certificate(&altered.into(), &[]) {
            assert_ne!(info.chain, Chain::Trusted, "{at}");
        }
    }
}

/// Certificates and nothing else.
fn bundle(holders: &[&Holder]) -> Vec<u8> {
    let mut stack = Stack::new().unwrap();
    for holder in holders {
        stack.push(holder.certificate.clone()).unwrap();
    }
    let none: Option<&PKey<Private>> = None;
    let flags = CMSOptions::PARTIAL | CMSOptions::DETACHED;
    CmsContentInfo::sign(None, none.map(|key| &**key), Some(&stack), None, flags)
        .unwrap()
        .to_der()
        .unwrap()
}

#[test]
fn bundles_are_taken_apart() {
    let [ana, bob, root] = [ana(Kind::Rsa), bob(Kind::P256), root(Kind::Rsa)];
    let octets = Bytes::from(bundle(&[ana, bob, root]));
    let trust = Trust::new();
    let mut found = trust.read_bundle(&octets).unwrap();
    let mut expected = vec![ana.der(), bob.der(), root.der()];
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(trust.read_bundle(&bundle(&[]).into()), Ok(Vec::new()));
    for len in (0..octets.len()).step_by(7) {
        let refused = trust.read_bundle(&octets.slice(..len));
        assert!(
            matches!(refused, Err(CertificateError::Unreadable(_))),
            "{len}"
        );
    }
    let longer = [&octets[..], b"\0"].concat();
    for other in [longer, ana.der().to_vec(), Vec::new()] {
        let refused = trust.read_bundle(&other.into());
        assert!(
            matches!(refused, Err(CertificateError::Unreadable(_))),
            "{refused:?}"
        );
    }
    let mut many = Pieces::of(&octets);
    many.certificates = vec![ana.der().to_vec(); MAX_CERTIFICATES];
    assert_eq!(
        trust.read_bundle(&many.octets().into()).unwrap().len(),
        MAX_CERTIFICATES
    );
    for count in [MAX_CERTIFICATES + 1, 3000] {
        many.certificates = vec![ana.der().to_vec(); count];
        assert!(trust.read_bundle(&many.octets().into()).is_err());
    }
    /// Reads none.
    struct Plain;
    impl ReadCertificate for Plain {
        fn read_certificate(
            &self,
            _: &Bytes,
            _: &[Bytes],
        ) -> Result<presentity::mime::CertificateInfo, CertificateError> {
            Err(CertificateError::Unsupported)
        }
    }
    assert_eq!(
        Plain.read_bundle(&octets),
        Err(CertificateError::Unsupported)
    );
}
