//! Keys and certificates, made for one run and gone with it.

use bytes::Bytes;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};
use presentity::mime::smime::{Credential, Trust};

use crate::Outcome;

/// Somebody with a key and a certificate for it.
pub(crate) struct Holder {
    key: PKey<Private>,
    certificate: X509,
}

impl Holder {
    /// An authority of its own.
    pub(crate) fn authority(name: &str) -> Result<Self, ErrorStack> {
        let key = new_key()?;
        let mut builder = builder(name, &key)?;
        builder.set_issuer_name(&*common_name(name)?)?;
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        let usage = KeyUsage::new().critical().key_cert_sign().build()?;
        builder.append_extension(usage)?;
        builder.sign(&key, MessageDigest::sha256())?;
        let certificate = builder.build();
        Ok(Self { key, certificate })
    }

    /// Somebody with this URI, whom this authority certifies (RFC 3261 section 23.1).
    pub(crate) fn certify(&self, uri: &str) -> Result<Self, ErrorStack> {
        let key = new_key()?;
        let mut builder = builder(uri, &key)?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        let certificate = person(builder, uri, &self.key)?;
        Ok(Self { key, certificate })
    }

    /// Somebody who certifies himself, under whatever URI he likes.
    pub(crate) fn self_signed(uri: &str) -> Result<Self, ErrorStack> {
        let key = new_key()?;
        let mut builder = builder(uri, &key)?;
        builder.set_issuer_name(&*common_name(uri)?)?;
        let certificate = person(builder, uri, &key)?;
        Ok(Self { key, certificate })
    }

    /// The certificate, in DER.
    pub(crate) fn certificate(&self) -> Outcome<Bytes> {
        Ok(self.certificate.to_der()?.into())
    }

    /// What signs and decrypts.
    pub(crate) fn credential(&self) -> Outcome<Credential> {
        let key = self.key.private_key_to_der()?;
        Ok(Credential::from_der(&key, &self.certificate()?, &[])?)
    }

    /// Trust in this authority.
    pub(crate) fn trust(&self) -> Outcome<Trust> {
        Ok(Trust::new().with_authority(&self.certificate()?)?)
    }
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn common_name(text: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COMMONNAME, text)?;
    Ok(name.build())
}

fn builder(name: &str, key: &PKey<Private>) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(120, MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&*common_name(name)?)?;
    let (today, tomorrow) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(1)?);
    builder.set_not_before(&today)?;
    builder.set_not_after(&tomorrow)?;
    builder.set_pubkey(key)?;
    Ok(builder)
}

/// A certificate for signing and for being encrypted to, by this issuer's key.
fn person(mut builder: X509Builder, uri: &str, by: &PKey<Private>) -> Result<X509, ErrorStack> {
    let mut usage = KeyUsage::new();
    let usage = usage.critical().digital_signature().key_agreement();
    builder.append_extension(usage.build()?)?;
    let mut names = SubjectAlternativeName::new();
    let names = names.uri(uri).build(&builder.x509v3_context(None, None))?;
    builder.append_extension(names)?;
    builder.sign(by, MessageDigest::sha256())?;
    Ok(builder.build())
}
