//! Signatures with real keys, for tests: a certificate authority, and signers on P-256 with X.509
//! certificates that name them by URI.
//!
//! The signature is no CMS object: it is the certificate (four octets of length, then DER) and an
//! ECDSA signature in DER over the SHA-256 of the content. Keys come from names, so every run is the
//! same. Nothing of this is fit for anything but tests.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

use std::str::FromStr;
use std::time::Duration;

use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use presentity::mime::{Chain, Sign, SignError, Signature, Signed, Signer, Verify, VerifyError};
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{GeneralizedTime, Ia5String};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{
    DynSignatureAlgorithmIdentifier, SubjectPublicKeyInfo, SubjectPublicKeyInfoRef,
};
use x509_cert::time::{Time, Validity};

/// The media type of these signatures.
pub const PROTOCOL: &str = "application/x-test-signature";
/// When certificates begin to be valid, in seconds since 1970: 2020.
pub const NOT_BEFORE: u64 = 1_577_836_800;
/// When they run out unless told otherwise: 2045.
pub const NOT_AFTER: u64 = 2_366_841_600;
/// When it is for a [`Verifier`] that is not told otherwise: 2026.
pub const NOW: u64 = 1_767_225_600;

fn key_of(name: &str) -> SigningKey {
    SigningKey::from_slice(&Sha256::digest(name.as_bytes())).unwrap()
}

/// What an authority says of a key.
struct Profile {
    issuer: Name,
    subject: Name,
    uris: Vec<String>,
    is_authority: bool,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let constraints = BasicConstraints {
            ca: self.is_authority,
            path_len_constraint: None,
        };
        let usage = if self.is_authority {
            KeyUsages::KeyCertSign
        } else {
            KeyUsages::DigitalSignature
        };
        let mut extensions = vec![
            constraints.to_extension(tbs.subject(), &[])?,
            KeyUsage(usage.into()).to_extension(tbs.subject(), &[])?,
        ];
        if !self.uris.is_empty() {
            let names = self
                .uris
                .iter()
                .map(|uri| Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(uri)?)));
            let names = names.collect::<Result<_, x509_cert::der::Error>>()?;
            extensions.push(SubjectAltName(names).to_extension(tbs.subject(), &[])?);
        }
        Ok(extensions)
    }
}

fn certify(profile: Profile, key: &VerifyingKey, by: &SigningKey, not_after: u64) -> Certificate {
    let time = |seconds| {
        Time::GeneralTime(
            GeneralizedTime::from_unix_duration(Duration::from_secs(seconds)).unwrap(),
        )
    };
    let validity = Validity::new(time(NOT_BEFORE), time(not_after));
    let key = SubjectPublicKeyInfo::from_key(key).unwrap();
    let serial = Sha256::digest(key.to_der().unwrap());
    let serial = SerialNumber::new(&serial[..8]).unwrap();
    let builder = CertificateBuilder::new(profile, serial, validity, key).unwrap();
    builder.build::<_, DerSignature>(by).unwrap()
}

fn named(common_name: &str) -> Name {
    Name::from_str(&format!("CN={common_name}")).unwrap()
}

/// A certificate authority.
#[derive(Debug)]
pub struct Authority {
    key: SigningKey,
    certificate: Certificate,
}

impl Authority {
    /// The authority of this name; another name is another authority.
    pub fn new(name: &str) -> Self {
        Self::with_key(name, name)
    }

    /// An authority that calls itself `name` and has a key of another: an impostor.
    pub fn with_key(name: &str, key: &str) -> Self {
        let key = key_of(&format!("authority {key}"));
        let profile = Profile {
            issuer: named(name),
            subject: named(name),
            uris: Vec::new(),
            is_authority: true,
        };
        let certificate = certify(profile, key.verifying_key(), &key, NOT_AFTER);
        Self { key, certificate }
    }

    /// A signer whose certificate has these subject alternative names.
    pub fn signer(&self, uris: &[&str]) -> KeyHolder {
        self.signer_until(uris, NOT_AFTER)
    }

    /// A signer whose certificate runs out at `not_after`, in seconds since 1970.
    pub fn signer_until(&self, uris: &[&str], not_after: u64) -> KeyHolder {
        let key = key_of(&format!("signer {uris:?}"));
        let profile = Profile {
            issuer: self.certificate.tbs_certificate().subject().clone(),
            subject: named("signer"),
            uris: uris.iter().map(|&uri| uri.to_owned()).collect(),
            is_authority: false,
        };
        let certificate = certify(profile, key.verifying_key(), &self.key, not_after);
        KeyHolder {
            certificate: certificate.to_der().unwrap(),
            key,
        }
    }

    /// A verifier that trusts this authority alone.
    pub fn verifier(&self) -> Verifier {
        Verifier {
            trusted: self.certificate.clone(),
            now: Duration::from_secs(NOW),
        }
    }
}

/// Somebody with a key and a certificate for it.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    key: SigningKey,
    certificate: Vec<u8>,
}

impl KeyHolder {
    /// A signer whose certificate is signed with its own key.
    pub fn self_signed(uris: &[&str]) -> Self {
        let key = key_of(&format!("self-signed {uris:?}"));
        let profile = Profile {
            issuer: named("signer"),
            subject: named("signer"),
            uris: uris.iter().map(|&uri| uri.to_owned()).collect(),
            is_authority: false,
        };
        let certificate = certify(profile, key.verifying_key(), &key, NOT_AFTER);
        Self {
            certificate: certificate.to_der().unwrap(),
            key,
        }
    }

    /// The same key, showing no certificate.
    pub fn without_certificate(mut self) -> Self {
        self.certificate.clear();
        self
    }

    /// The same key, showing the certificate of another.
    pub fn with_certificate_of(mut self, other: &Self) -> Self {
        self.certificate.clone_from(&other.certificate);
        self
    }

    /// The certificate, in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}

impl Sign for KeyHolder {
    fn sign(&self, content: &[u8]) -> Result<Signature, SignError> {
        let signature: DerSignature = self
            .key
            .try_sign(content)
            .map_err(|error| SignError::Failed(error.to_string()))?;
        let len = u32::try_from(self.certificate.len()).unwrap();
        let octets = [
            &len.to_be_bytes(),
            &self.certificate[..],
            signature.as_bytes(),
        ]
        .concat();
        Ok(Signature::new(PROTOCOL, "sha-256", octets).unwrap())
    }
}

/// Verifies signatures, and certificates against the one authority that it trusts.
#[derive(Debug)]
pub struct Verifier {
    trusted: Certificate,
    now: Duration,
}

impl Verifier {
    /// With another time than [`NOW`], in seconds since 1970.
    pub fn at(mut self, now: u64) -> Self {
        self.now = Duration::from_secs(now);
        self
    }

    fn chain(&self, certificate: &Certificate) -> Chain {
        let tbs = certificate.tbs_certificate();
        let authority = self.trusted.tbs_certificate();
        if tbs.issuer() != authority.subject() {
            return Chain::Untrusted("an unknown issuer".to_owned());
        }
        let validity = tbs.validity();
        if self.now < validity.not_before.to_unix_duration() {
            return Chain::Untrusted("not valid yet".to_owned());
        }
        if self.now > validity.not_after.to_unix_duration() {
            return Chain::Untrusted("run out".to_owned());
        }
        let key = key_in(&self.trusted).unwrap();
        let by = key.signature_algorithm_identifier().unwrap();
        let signature = certificate.signature().as_bytes();
        let signature = signature.and_then(|octets| DerSignature::from_bytes(octets).ok());
        let is_right = certificate.signature_algorithm().oid == by.oid
            && tbs.signature().oid == by.oid
            && signature.is_some_and(|s| key.verify(&tbs.to_der().unwrap(), &s).is_ok());
        if is_right {
            Chain::Trusted
        } else {
            Chain::Untrusted("not signed by its issuer".to_owned())
        }
    }
}

impl Verify for Verifier {
    fn verify(&self, signed: &Signed) -> Result<Vec<Signer>, VerifyError> {
        if !signed.protocol().eq_ignore_ascii_case(PROTOCOL) {
            return Err(VerifyError::Protocol);
        }
        let octets = decoded(signed)?;
        let (certificate, signature) = octets
            .split_at_checked(4)
            .and_then(|(len, rest)| {
                let len = u32::from_be_bytes(len.try_into().ok()?);
                rest.split_at_checked(usize::try_from(len).ok()?)
            })
            .ok_or_else(|| unreadable("too short"))?;
        if certificate.is_empty() {
            return Err(VerifyError::NoCertificate);
        }
        let certificate = Certificate::from_der(certificate).map_err(unreadable)?;
        let key = key_in(&certificate)?;
        let signature = DerSignature::from_bytes(signature).map_err(unreadable)?;
        key.verify(signed.content(), &signature)
            .map_err(|_| VerifyError::Wrong)?;
        let names = certificate
            .tbs_certificate()
            .get_extension::<SubjectAltName>()
            .map_err(unreadable)?;
        let names = names.into_iter().flat_map(|(_, names)| names.0);
        let uris = names.filter_map(|name| match name {
            GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
            _ => None,
        });
        Ok(vec![Signer::new(uris, self.chain(&certificate))])
    }
}

fn unreadable(why: impl ToString) -> VerifyError {
    VerifyError::Unreadable(why.to_string())
}

fn key_in(certificate: &Certificate) -> Result<VerifyingKey, VerifyError> {
    let key = certificate.tbs_certificate().subject_public_key_info();
    let key = key.to_der().map_err(unreadable)?;
    let key = SubjectPublicKeyInfoRef::from_der(&key).map_err(unreadable)?;
    VerifyingKey::try_from(key).map_err(|_| VerifyError::Protocol)
}

/// The signature without its transfer encoding.
fn decoded(signed: &Signed) -> Result<Vec<u8>, VerifyError> {
    let octets = signed.signature();
    match signed.signature_encoding().map(str::to_ascii_lowercase) {
        None => Ok(octets.to_vec()),
        Some(encoding) => match &*encoding {
            "7bit" | "8bit" | "binary" => Ok(octets.to_vec()),
            "base64" => from_base64(octets).ok_or_else(|| unreadable("no base64")),
            other => Err(unreadable(other)),
        },
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 2045 section 6.8, in lines.
pub fn to_base64(octets: &[u8]) -> String {
    let mut text = String::new();
    for (i, group) in octets.chunks(3).enumerate() {
        if i > 0 && i % 19 == 0 {
            text.push_str("\r\n");
        }
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | group.get(at).map_or(0, |octet| u32::from(*octet))
        });
        for at in 0..4 {
            let digit = (bits >> (18 - 6 * at)) & 63;
            let is_there = at <= group.len();
            text.push(if is_there {
                char::from(BASE64[digit as usize])
            } else {
                '='
            });
        }
    }
    text
}

fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.iter().filter(|b| !b.is_ascii_whitespace());
    let digits: Vec<u8> = digits.copied().collect();
    let padding = digits.iter().rev().take_while(|b| **b == b'=').count();
    if !digits.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut octets = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in &digits[..digits.len() - padding] {
        let value = BASE64.iter().position(|known| known == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(octets)
}
