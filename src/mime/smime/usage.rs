//! What the key of a certificate may be used for.

use openssl::pkey::{HasPublic, Id, PKeyRef};
use openssl::x509::{X509ExtendedKeyUsage, X509KeyUsage, X509Ref};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::ExtendedKeyUsage;

/// RFC 5924 section 3.
const SIP_DOMAIN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.20");

/// What a certificate is for, by its extended key usage (RFC 5280 section 4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Mail, and by that what is sent as a body; or anything, since it does not say.
    Bodies,
    /// SIP of a domain, or expressly anything.
    Sip,
    /// Neither.
    Other,
}

impl Field {
    pub(super) fn of(certificate: &X509Ref) -> Self {
        match certificate.extended_key_usage() {
            None => Self::Bodies,
            Some(usage) if usage.contains(X509ExtendedKeyUsage::SMIME) => Self::Bodies,
            Some(usage) if usage.contains(X509ExtendedKeyUsage::ANYEKU) => Self::Sip,
            Some(_) if is_for_sip(certificate) => Self::Sip,
            Some(_) => Self::Other,
        }
    }
}

/// OpenSSL has no name for it.
fn is_for_sip(certificate: &X509Ref) -> bool {
    let Ok(der) = certificate.to_der() else {
        return false;
    };
    let Ok(read) = Certificate::from_der(&der) else {
        return false;
    };
    let usage = read.tbs_certificate().get_extension::<ExtendedKeyUsage>();
    matches!(usage, Ok(Some((_, usage))) if usage.0.contains(&SIP_DOMAIN))
}

/// Whether its key usage, if it has one, allows signing what is no certificate.
pub(super) fn may_sign(certificate: &X509Ref) -> bool {
    let wanted = X509KeyUsage::DIGITAL_SIGNATURE | X509KeyUsage::NON_REPUDIATION;
    allows(certificate, wanted)
}

/// Whether one may encrypt for its holder: transport keys to an RSA key, agree on them with one on an
/// elliptic curve.
pub(super) fn may_encrypt(certificate: &X509Ref) -> bool {
    let wanted = certificate
        .public_key()
        .ok()
        .and_then(|key| match key.id() {
            Id::RSA => Some(X509KeyUsage::KEY_ENCIPHERMENT),
            Id::EC => Some(X509KeyUsage::KEY_AGREEMENT),
            _ => None,
        });
    let fits = Field::of(certificate) != Field::Other;
    fits && wanted.is_some_and(|wanted| allows(certificate, wanted))
}

/// Whether its key may verify revocation lists.
pub(super) fn may_revoke(certificate: &X509Ref) -> bool {
    allows(certificate, X509KeyUsage::CRL_SIGN)
}

fn allows(certificate: &X509Ref, wanted: X509KeyUsage) -> bool {
    let usage = certificate.key_usage();
    usage.is_none_or(|usage| usage.intersects(wanted))
}

/// Whether keys of this kind are used here: RSA, and elliptic curves.
pub(super) fn is_usable<T: HasPublic>(key: &PKeyRef<T>) -> bool {
    matches!(key.id(), Id::RSA | Id::EC)
}
