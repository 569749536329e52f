//! Lists of revoked certificates (RFC 5280 section 5).

use std::cmp::Ordering;
use std::sync::Arc;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::{CrlStatus, X509, X509Crl};
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode;

use super::{TrustError, usage};

/// A list that says of every certificate of its issuer whether it is revoked.
#[derive(Clone)]
pub(super) struct RevocationList(Arc<X509Crl>);

/// What lists say of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revocation {
    /// Not on a list of its issuer, or there is none.
    None,
    Revoked,
    /// Not on a list, but the list is not of this time.
    Stale,
}

impl RevocationList {
    pub(super) fn read(der: &[u8]) -> Result<Self, TrustError> {
        let unreadable = |reason: String| TrustError::RevocationList(reason);
        let list = X509Crl::from_der(der).map_err(|stack| unreadable(super::reason(&stack)))?;
        let extensions = CertificateList::<Rfc5280>::from_der(der)
            .map_err(|error| unreadable(error.to_string()))?
            .tbs_cert_list
            .crl_extensions
            .unwrap_or_default();
        // Whatever is critical makes it say less: of some certificates, or of changes alone.
        if extensions.iter().any(|extension| extension.critical) {
            return Err(unreadable("it does not list all".to_owned()));
        }
        Ok(Self(Arc::new(list)))
    }

    /// What this list says of a certificate at a time; nothing if it is not by this issuer.
    fn say(&self, certificate: &X509, issuer: &X509, now: &Asn1TimeRef) -> Option<Revocation> {
        let list = &self.0;
        let same_name = list.issuer_name().try_cmp(certificate.issuer_name());
        if !same_name.is_ok_and(Ordering::is_eq) || !usage::may_revoke(issuer) {
            return None;
        }
        let key = issuer.public_key().ok()?;
        if !list.verify(&key).unwrap_or(false) {
            return None;
        }
        if matches!(list.get_by_cert(certificate), CrlStatus::Revoked(_)) {
            return Some(Revocation::Revoked);
        }
        let has_begun = list.last_update().compare(now).is_ok_and(Ordering::is_le);
        let next = list.next_update();
        let goes_on = next.is_some_and(|next| next.compare(now).is_ok_and(Ordering::is_ge));
        Some(if has_begun && goes_on {
            Revocation::None
        } else {
            Revocation::Stale
        })
    }
}

/// What these lists say of a certificate that this one issued, `now` or by the system's clock.
pub(super) fn of(
    lists: &[RevocationList],
    certificate: &X509,
    issuer: &X509,
    now: Option<i64>,
) -> Revocation {
    if lists.is_empty() {
        return Revocation::None;
    }
    let now = now.map_or_else(
        || Asn1Time::days_from_now(0),
        |now| Asn1Time::from_unix(now as _),
    );
    let Ok(now) = now else {
        return Revocation::Stale;
    };
    let mut stale = false;
    let mut current = false;
    for list in lists {
        match list.say(certificate, issuer, &now) {
            Some(Revocation::Revoked) => return Revocation::Revoked,
            Some(Revocation::Stale) => stale = true,
            Some(Revocation::None) => current = true,
            None => {}
        }
    }
    if stale && !current {
        Revocation::Stale
    } else {
        Revocation::None
    }
}
