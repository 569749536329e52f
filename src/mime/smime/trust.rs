//! Whom to trust.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use openssl::x509::X509;
use time::OffsetDateTime;

use super::chain::Stores;
use super::cms::SignerId;
use super::revocation::RevocationList;
use super::{MAX_LEN, certificate, reason};
use crate::mime::CertificateError;

/// Intermediate authorities that a chain may have.
const MAX_DEPTH: u8 = 8;

/// Authorities, what they revoked, and certificates that are known: by these it
/// [verifies](crate::mime::Verify) signatures and [reads](crate::mime::ReadCertificate) certificates.
///
/// A chain is judged by OpenSSL (RFC 5280 section 6), by the clock of the system, which it reads itself,
/// unless a [time](Self::with_time) is given. Revocation lists are given too; nothing is fetched.
///
/// ```
/// use presentity::mime::smime::Trust;
/// use time::OffsetDateTime;
///
/// // Nobody's word counts yet: signatures can be checked, and all signers come out as untrusted.
/// let noon = OffsetDateTime::from_unix_timestamp(1_935_489_600)?;
/// let trust = Trust::new().with_time(noon);
/// # let _ = trust;
/// # Ok::<(), time::error::ComponentRange>(())
/// ```
#[derive(Clone)]
pub struct Trust {
    authorities: Vec<X509>,
    lists: Vec<RevocationList>,
    known: BTreeMap<SignerId, Vec<X509>>,
    time: Option<OffsetDateTime>,
    max_depth: u8,
    max_len: usize,
    /// Made at first use; `None` within if it cannot be.
    stores: OnceLock<Option<Arc<Stores>>>,
}

/// Why something cannot be trusted in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A revocation list cannot be used, for the reason that is given, for people to read.
    #[error("the revocation list cannot be used: {0}")]
    RevocationList(String),
}

impl core::fmt::Debug for Trust {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Trust")
            .field("authorities", &self.authorities.len())
            .field("revocation_lists", &self.lists.len())
            .field("known", &self.known.len())
            .field("time", &self.time)
            .field("max_depth", &self.max_depth)
            .field("max_len", &self.max_len)
            .finish()
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self::new()
    }
}

impl Trust {
    /// Trust in nobody.
    pub fn new() -> Self {
        Self {
            authorities: Vec::new(),
            lists: Vec::new(),
            known: BTreeMap::new(),
            time: None,
            max_depth: MAX_DEPTH,
            max_len: MAX_LEN,
            stores: OnceLock::new(),
        }
    }

    /// With an authority, in DER. It need not be a root: a chain ends at the first that is trusted. Given
    /// the certificate of somebody alone, that one is trusted and nobody whom he signs.
    ///
    /// # Errors
    /// [`TrustError::Certificate`].
    pub fn with_authority(mut self, der: &[u8]) -> Result<Self, TrustError> {
        self.authorities.push(certificate::read(der)?);
        Ok(self.changed())
    }

    /// With all the authorities in a text in PEM.
    ///
    /// # Errors
    /// [`TrustError::Certificate`] when it has none, or one cannot be read.
    pub fn with_authorities_pem(mut self, pem: &[u8]) -> Result<Self, TrustError> {
        let read = X509::stack_from_pem(pem)
            .map_err(|stack| CertificateError::Unreadable(reason(&stack)))?;
        if read.is_empty() {
            return Err(CertificateError::Unreadable("there is none".to_owned()).into());
        }
        self.authorities.extend(read);
        Ok(self.changed())
    }

    /// With a list of what an authority revoked (RFC 5280 section 5), in DER. It is heeded for
    /// certificates whose issuer signed it, intermediate ones too. Where the lists of an issuer are all
    /// out of date, what it issued is not trusted; where there are none, nothing is known to be revoked.
    ///
    /// # Errors
    /// [`TrustError::RevocationList`] when it cannot be read or has a critical extension, as those have
    /// that list some certificates or changes only.
    pub fn with_revocation_list(mut self, der: &[u8]) -> Result<Self, TrustError> {
        self.lists.push(RevocationList::read(der)?);
        Ok(self)
    }

    /// With the certificate of somebody whose signatures may come without it, in DER. It makes him known,
    /// not trusted.
    ///
    /// # Errors
    /// [`TrustError::Certificate`].
    pub fn with_known(mut self, der: &[u8]) -> Result<Self, TrustError> {
        let read = certificate::read(der)?;
        for id in certificate::ids(&read) {
            let known = self.known.entry(id).or_default();
            if !known.contains(&read) {
                known.push(read.clone());
            }
        }
        Ok(self)
    }

    /// Judges as at this time, not by the system's clock.
    #[must_use]
    pub fn with_time(mut self, time: OffsetDateTime) -> Self {
        self.time = Some(time);
        self.changed()
    }

    /// With chains of so many intermediate authorities at most; 8 unless told otherwise.
    #[must_use]
    pub fn with_max_depth(mut self, authorities: u8) -> Self {
        self.max_depth = authorities;
        self.changed()
    }

    /// With signatures, bundles and certificates of so many octets at most; 4 MiB unless told otherwise.
    #[must_use]
    pub fn with_max_len(mut self, octets: usize) -> Self {
        self.max_len = octets;
        self
    }

    fn changed(mut self) -> Self {
        self.stores = OnceLock::new();
        self
    }

    pub(super) fn stores(&self) -> Option<&Stores> {
        let time = self.time();
        let make = || Stores::new(&self.authorities, self.max_depth, time).ok();
        let made = self.stores.get_or_init(|| make().map(Arc::new));
        made.as_deref()
    }

    pub(super) fn revocation_lists(&self) -> &[RevocationList] {
        &self.lists
    }

    /// Those who may be meant.
    pub(super) fn known(&self, id: &SignerId) -> &[X509] {
        self.known.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn time(&self) -> Option<i64> {
        self.time.map(OffsetDateTime::unix_timestamp)
    }

    pub(super) fn max_len(&self) -> usize {
        self.max_len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_none_is_not_trusted() {
        assert!(Trust::new().with_authority(b"").is_err());
        assert!(Trust::new().with_known(b"\x30\0").is_err());
        assert!(Trust::new().with_authorities_pem(b"").is_err());
        let error = Trust::new().with_revocation_list(b"\x30\0").unwrap_err();
        assert!(matches!(error, TrustError::RevocationList(_)), "{error}");
        let shared: &(dyn Send + Sync) = &Trust::new();
        let _ = shared;
    }
}
