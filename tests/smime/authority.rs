//! Authorities and the people whom they certify, with keys that live for one run of the tests.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::OnceLock;

use bytes::Bytes;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, CrlNumber, ExtendedKeyUsage, KeyUsage,
    SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{
    X509, X509Builder, X509CrlBuilder, X509Extension, X509Name, X509RevokedBuilder,
};
use presentity::mime::smime::{Credential, Trust};
use time::OffsetDateTime;

/// When it is: in 2030, so that nothing here hangs on the clock.
pub(crate) const NOW: i64 = 1_893_456_000;
const DAY: i64 = 86_400;

pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(NOW).unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsa,
    P256,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Rsa, Kind::P256];

pub(crate) fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

pub(crate) fn p256() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

pub(crate) fn new_key(kind: Kind) -> PKey<Private> {
    match kind {
        Kind::Rsa => rsa(2048),
        Kind::P256 => p256(),
    }
}

/// What a certificate says.
#[derive(Clone)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) uris: Vec<&'static str>,
    pub(crate) domains: Vec<&'static str>,
    /// `None` for no such extension, as with the next.
    pub(crate) usage: Option<Vec<&'static str>>,
    pub(crate) extended: Option<Vec<&'static str>>,
    pub(crate) is_authority: bool,
    /// In days from [`NOW`].
    pub(crate) validity: (i64, i64),
    pub(crate) serial: Option<u32>,
    pub(crate) digest: MessageDigest,
}

pub(crate) fn profile(uris: &[&'static str]) -> Profile {
    Profile {
        name: "Somebody".to_owned(),
        uris: uris.to_vec(),
        domains: Vec::new(),
        usage: None,
        extended: None,
        is_authority: false,
        validity: (-30, 300),
        serial: None,
        digest: MessageDigest::sha256(),
    }
}

/// Somebody with a key and a certificate; an authority if the certificate allows it.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) key: PKey<Private>,
    pub(crate) certificate: X509,
}

fn name(text: &str) -> X509Name {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, text).unwrap();
    name.build()
}

fn day(days: i64) -> Asn1Time {
    Asn1Time::from_unix(NOW + days * DAY).unwrap()
}

fn usage(words: &[&str]) -> X509Extension {
    let mut usage = KeyUsage::new();
    usage.critical();
    for word in words {
        match *word {
            "sign" => usage.digital_signature(),
            "encipher" => usage.key_encipherment(),
            "agree" => usage.key_agreement(),
            "certify" => usage.key_cert_sign(),
            "revoke" => usage.crl_sign(),
            other => panic!("{other}"),
        };
    }
    usage.build().unwrap()
}

fn certify(profile: &Profile, key: &PKey<Private>, issuer: Option<&Holder>) -> X509 {
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let serial = match profile.serial {
        Some(serial) => BigNum::from_u32(serial).unwrap(),
        None => {
            let mut serial = BigNum::new().unwrap();
            let odd = openssl::bn::MsbOption::MAYBE_ZERO;
            serial.rand(120, odd, false).unwrap();
            serial
        }
    };
    builder
        .set_serial_number(&serial.to_asn1_integer().unwrap())
        .unwrap();
    let subject = name(&profile.name);
    builder.set_subject_name(&subject).unwrap();
    let by = issuer.map_or(&*subject, |issuer| issuer.certificate.subject_name());
    builder.set_issuer_name(by).unwrap();
    builder.set_not_before(&day(profile.validity.0)).unwrap();
    builder.set_not_after(&day(profile.validity.1)).unwrap();
    builder.set_pubkey(key).unwrap();
    if profile.is_authority {
        let constraints = BasicConstraints::new().critical().ca().build().unwrap();
        builder.append_extension(constraints).unwrap();
    }
    if let Some(words) = &profile.usage {
        builder.append_extension(usage(words)).unwrap();
    }
    if let Some(purposes) = &profile.extended {
        let mut extended = ExtendedKeyUsage::new();
        for purpose in purposes {
            extended.other(purpose);
        }
        builder.append_extension(extended.build().unwrap()).unwrap();
    }
    let issuer_certificate = issuer.map(|issuer| &*issuer.certificate);
    let context = builder.x509v3_context(issuer_certificate, None);
    let id = SubjectKeyIdentifier::new().build(&context).unwrap();
    let mut names = SubjectAlternativeName::new();
    profile.uris.iter().for_each(|uri| {
        names.uri(uri);
    });
    profile.domains.iter().for_each(|domain| {
        names.dns(domain);
    });
    let names = names.build(&context);
    builder.append_extension(id).unwrap();
    if !profile.uris.is_empty() || !profile.domains.is_empty() {
        builder.append_extension(names.unwrap()).unwrap();
    }
    let by = issuer.map_or(key, |issuer| &issuer.key);
    builder.sign(by, profile.digest).unwrap();
    builder.build()
}

impl Holder {
    /// An authority of its own.
    pub(crate) fn root(name: &str, kind: Kind) -> Self {
        Self::signing_itself(&Profile::authority(name), new_key(kind))
    }

    pub(crate) fn signing_itself(profile: &Profile, key: PKey<Private>) -> Self {
        let certificate = certify(profile, &key, None);
        Self { key, certificate }
    }

    pub(crate) fn certify(&self, profile: &Profile, kind: Kind) -> Self {
        self.certify_key(profile, new_key(kind))
    }

    pub(crate) fn certify_key(&self, profile: &Profile, key: PKey<Private>) -> Self {
        let certificate = certify(profile, &key, Some(self));
        Self { key, certificate }
    }

    pub(crate) fn der(&self) -> Bytes {
        self.certificate.to_der().unwrap().into()
    }

    pub(crate) fn credential(&self) -> Credential {
        self.credential_with(&[])
    }

    /// With a chain to send along.
    pub(crate) fn credential_with(&self, chain: &[&Self]) -> Credential {
        let key = self.key.private_key_to_der().unwrap();
        let chain: Vec<Bytes> = chain.iter().map(|holder| holder.der()).collect();
        Credential::from_der(&key, &self.der(), &chain).unwrap()
    }

    /// Trust in this authority.
    pub(crate) fn trust(&self) -> Trust {
        let trust = Trust::new().with_authority(&self.der()).unwrap();
        trust.with_time(now())
    }

    /// A list that revokes these, valid for days from [`NOW`].
    pub(crate) fn revokes(&self, revoked: &[&Self], validity: (i64, i64)) -> Vec<u8> {
        let mut builder = X509CrlBuilder::new().unwrap();
        builder
            .set_issuer_name(self.certificate.subject_name())
            .unwrap();
        builder.set_last_update(&day(validity.0)).unwrap();
        builder.set_next_update(&day(validity.1)).unwrap();
        for holder in revoked {
            let mut entry = X509RevokedBuilder::new().unwrap();
            let serial = holder.certificate.serial_number();
            entry.set_serial_number(serial).unwrap();
            entry.set_revocation_date(&day(validity.0)).unwrap();
            builder.add_revoked(entry.build()).unwrap();
        }
        let empty = X509::builder().unwrap();
        let context = empty.x509v3_context(Some(&self.certificate), None);
        let id = AuthorityKeyIdentifier::new().keyid(true).build(&context);
        builder.append_extension(id.unwrap()).unwrap();
        let number = CrlNumber::new(BigNum::from_u32(7).unwrap()).unwrap();
        builder.append_extension(number.build().unwrap()).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        builder.build().unwrap().to_der().unwrap()
    }
}

impl Profile {
    pub(crate) fn authority(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            usage: Some(vec!["certify", "revoke"]),
            is_authority: true,
            ..profile(&[])
        }
    }
}

/// An authority that most tests share, since keys take their time.
pub(crate) fn root(kind: Kind) -> &'static Holder {
    static ROOTS: [OnceLock<Holder>; 2] = [OnceLock::new(), OnceLock::new()];
    let root = || Holder::root(&format!("Example {kind:?} Authority"), kind);
    ROOTS[kind as usize].get_or_init(root)
}

/// Somebody whom it certifies, with a key that most tests share.
pub(crate) fn ana(kind: Kind) -> &'static Holder {
    static ANAS: [OnceLock<Holder>; 2] = [OnceLock::new(), OnceLock::new()];
    let ana = || root(kind).certify(&profile(&["sip:ana@example.com"]), kind);
    ANAS[kind as usize].get_or_init(ana)
}

/// Another.
pub(crate) fn bob(kind: Kind) -> &'static Holder {
    static BOBS: [OnceLock<Holder>; 2] = [OnceLock::new(), OnceLock::new()];
    let bob = || root(kind).certify(&profile(&["sip:bob@example.com"]), kind);
    BOBS[kind as usize].get_or_init(bob)
}
