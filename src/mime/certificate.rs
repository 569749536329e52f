//! What a certificate says, read by whoever can.

use bytes::Bytes;
use time::OffsetDateTime;

use super::Chain;

/// What is known of a certificate (RFC 5280) once somebody has read it.
///
/// ```
/// use presentity::mime::{CertificateInfo, Chain};
/// use time::{Duration, OffsetDateTime};
///
/// let begin = OffsetDateTime::from_unix_timestamp(1_893_456_000)?;
/// let validity = begin..=begin + Duration::days(365);
/// let info = CertificateInfo::new(&b"DER"[..], validity, Chain::Trusted)
///     .with_names(["sip:ana@example.com"]);
/// assert_eq!(info.names, ["sip:ana@example.com"]);
/// assert!(!info.is_revoked && !info.is_self_signed);
/// # Ok::<(), time::error::ComponentRange>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateInfo {
    /// The certificate, in DER.
    pub der: Bytes,
    /// The URIs among its subject alternative names, as they stand there.
    pub names: Vec<String>,
    /// The DNS names among them.
    pub domains: Vec<String>,
    /// From when on it is valid.
    pub not_before: OffsetDateTime,
    /// Until when it is valid.
    pub not_after: OffsetDateTime,
    /// Whether it leads to a trusted authority. What is not valid at the time of reading, or revoked,
    /// does not.
    pub chain: Chain,
    /// Whether it is signed by its own key.
    pub is_self_signed: bool,
    /// Whether somebody who may do so has revoked it (RFC 5280 section 5).
    pub is_revoked: bool,
    /// Whether its key may be used to encrypt for its holder (RFC 5280 section 4.2.1.3).
    pub may_encrypt: bool,
}

impl CertificateInfo {
    /// A certificate that is valid from the first of these times to the second, without names; neither
    /// self-signed nor revoked, and with a key that may encrypt.
    pub fn new(
        der: impl Into<Bytes>,
        validity: core::ops::RangeInclusive<OffsetDateTime>,
        chain: Chain,
    ) -> Self {
        let (not_before, not_after) = validity.into_inner();
        Self {
            der: der.into(),
            names: Vec::new(),
            domains: Vec::new(),
            not_before,
            not_after,
            chain,
            is_self_signed: false,
            is_revoked: false,
            may_encrypt: true,
        }
    }

    /// With these URIs as subject alternative names.
    #[must_use]
    pub fn with_names<N>(mut self, names: N) -> Self
    where
        N: IntoIterator,
        N::Item: Into<String>,
    {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }
}

/// Reads certificates and knows whom to trust.
pub trait ReadCertificate {
    /// Reads one certificate in DER. `others` are certificates in DER that came with it and may lead to
    /// an authority; they are trusted in nothing.
    ///
    /// # Errors
    /// [`CertificateError`] when it is none.
    fn read_certificate(
        &self,
        certificate: &Bytes,
        others: &[Bytes],
    ) -> Result<CertificateInfo, CertificateError>;

    /// The certificates within CMS signed data that has nothing else (`application/pkcs7-mime` with the
    /// `smime-type` `certs-only`, RFC 8551 section 3.9), each in DER and in the order in which they
    /// stand there, which says nothing. The bundle is not encoded for transfer.
    ///
    /// # Errors
    /// [`CertificateError::Unreadable`] when it is none; by default [`CertificateError::Unsupported`].
    fn read_bundle(&self, bundle: &Bytes) -> Result<Vec<Bytes>, CertificateError> {
        let _ = bundle;
        Err(CertificateError::Unsupported)
    }
}

/// Why octets are no certificate that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// They are no certificate in DER, or something follows it; for the reason that is given, for
    /// people to read.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    /// Its key, or what it is signed with, is of a kind that cannot be used here.
    #[error("the key or algorithm of the certificate is not supported")]
    Unsupported,
}
