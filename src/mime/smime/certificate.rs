//! What stands in a certificate, and the judgement of one.

use bytes::Bytes;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Ref};
use time::OffsetDateTime;

use super::cms::{self, MAX_CERTIFICATES, SignedData, SignerId};
use super::{Trust, usage};
use crate::mime::{CertificateError, CertificateInfo, ReadCertificate};

/// Reads a certificate in DER.
pub(super) fn read(der: &[u8]) -> Result<X509, CertificateError> {
    let unreadable = |stack: ErrorStack| CertificateError::Unreadable(super::reason(&stack));
    let certificate = X509::from_der(der).map_err(unreadable)?;
    // What was signed is written as it was read. So this differs if something follows, or if the rest is
    // not in DER.
    if certificate.to_der().map_err(unreadable)? != der {
        return Err(CertificateError::Unreadable(
            "it is not in DER, or something follows it".to_owned(),
        ));
    }
    Ok(certificate)
}

/// URIs and DNS names among the subject alternative names, as they stand.
pub(super) fn names(certificate: &X509Ref) -> (Vec<String>, Vec<String>) {
    let (mut uris, mut domains) = (Vec::new(), Vec::new());
    for name in certificate.subject_alt_names().iter().flatten() {
        if let Some(uri) = name.uri() {
            uris.push(uri.to_owned());
        } else if let Some(domain) = name.dnsname() {
            domains.push(domain.to_owned());
        }
    }
    (uris, domains)
}

/// What it can be looked up by.
pub(super) fn ids(certificate: &X509Ref) -> Vec<SignerId> {
    let serial = certificate.serial_number().to_bn().ok();
    let serial = serial.map(|serial| SignerId::serial(&serial.to_vec()));
    let key = certificate.subject_key_id();
    let key = key.map(|id| SignerId::KeyIdentifier(id.as_slice().to_vec()));
    serial.into_iter().chain(key).collect()
}

pub(super) fn is_self_signed(certificate: &X509Ref) -> bool {
    let same = certificate
        .subject_name()
        .try_cmp(certificate.issuer_name())
        .is_ok_and(core::cmp::Ordering::is_eq);
    let key = same.then(|| certificate.public_key().ok()).flatten();
    key.is_some_and(|key| certificate.verify(&key).unwrap_or(false))
}

fn moment(time: &Asn1TimeRef) -> Option<OffsetDateTime> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    let seconds = i64::from(since.days)
        .saturating_mul(86_400)
        .saturating_add(i64::from(since.secs));
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

impl ReadCertificate for Trust {
    fn read_certificate(
        &self,
        certificate: &Bytes,
        others: &[Bytes],
    ) -> Result<CertificateInfo, CertificateError> {
        if certificate.len() > self.max_len() {
            return Err(CertificateError::Unreadable(format!(
                "more than {} octets",
                self.max_len()
            )));
        }
        if others.len() > MAX_CERTIFICATES {
            return Err(CertificateError::Unreadable(format!(
                "more than {MAX_CERTIFICATES} certificates beside it"
            )));
        }
        let read = read(certificate)?;
        if !read.public_key().is_ok_and(|key| usage::is_usable(&key)) {
            return Err(CertificateError::Unsupported);
        }
        let no_time = || CertificateError::Unreadable("it has no time".to_owned());
        let not_before = moment(read.not_before()).ok_or_else(no_time)?;
        let not_after = moment(read.not_after()).ok_or_else(no_time)?;
        // One of them that is none leads nowhere.
        let others = others.iter().filter(|other| other.len() <= self.max_len());
        let others = others.filter_map(|other| X509::from_der(other).ok());
        let judgement = self.judge(&read, others);
        let mut info =
            CertificateInfo::new(certificate.clone(), not_before..=not_after, judgement.chain);
        (info.names, info.domains) = names(&read);
        info.is_self_signed = is_self_signed(&read);
        info.is_revoked = judgement.is_revoked;
        info.may_encrypt = usage::may_encrypt(&read);
        Ok(info)
    }

    fn read_bundle(&self, bundle: &Bytes) -> Result<Vec<Bytes>, CertificateError> {
        let unreadable = CertificateError::Unreadable;
        let der = cms::in_der(bundle, self.max_len(), SignedData::check).map_err(unreadable)?;
        let signed = SignedData::read(&der).map_err(|error| unreadable(error.into()))?;
        let certificates = signed.certificates.into_iter();
        Ok(certificates.map(Bytes::copy_from_slice).collect())
    }
}
