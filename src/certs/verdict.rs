//! What a certificate is worth, and why (RFC 6072 section 10.3).

use core::fmt;

use time::OffsetDateTime;

use super::config::TrustRules;
use super::vouching::{Integrity, Origin, is_within};
use crate::mime::{CertificateInfo, Chain, Signer};
use crate::pidf::Presence;
use crate::presence::{Authority, Names, authority_of};
use crate::sip::{Uri, host_of};

/// Whether a certificate may be used for somebody, and why or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It may be used, for exactly the URI that the ground names.
    Usable(Ground),
    /// It may not.
    Unusable(Objection),
}

impl Verdict {
    /// Whether the certificate may be used.
    pub fn is_usable(&self) -> bool {
        matches!(self, Self::Usable(_))
    }
}

/// Why a certificate may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ground {
    /// For whom: the canonical address of record. Not for other names in it (RFC 6072 section 10.3).
    pub name: String,
    /// What proves that it is the certificate of the URI that was asked for.
    pub proof: Proof,
    /// What ties that URI to the one that it is used for.
    pub binding: Binding,
}

/// What proves whose certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Proof {
    /// A trusted authority says so: the chain is trusted, and the URI is among its names.
    TrustedChain,
    /// Whoever may speak for the URI has sent it, and nobody could change it on its way. Its chain does
    /// not matter: that a certificate is signed by its own key is the rule (RFC 6072 section 10.3.1).
    AssertedIdentity(Integrity),
    /// It was fetched by https from a host of the URI's own domain, where
    /// [`TrustRules::https_of_domain`] says that this is enough.
    SecureFetch,
}

/// What ties the URI that was asked to the one that a certificate is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Binding {
    /// They are the same address: same user, same host. Parameters do not count, as in a GRUU.
    SameAddress,
    /// The certificate names the URI itself, and its chain is trusted.
    Named,
    /// The presentity or its domain protected the document that pointed there.
    Document,
    /// The host that it was fetched from is of the URI's own domain.
    SameDomain,
}

/// Why a certificate may not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Objection {
    /// Nobody has said what time of day it is, so nobody knows whether it is valid.
    #[error("the time of day is not known")]
    ClockUnset,
    /// It is not valid yet.
    #[error("not valid before {0}")]
    NotYetValid(OffsetDateTime),
    /// It is not valid any more.
    #[error("not valid after {0}")]
    Expired(OffsetDateTime),
    /// Its authority has revoked it.
    #[error("revoked by its authority")]
    Revoked,
    /// Its key may not encrypt, and [`TrustRules::must_encrypt`] asks for one that may.
    #[error("its key may not encrypt")]
    MayNotEncrypt,
    /// It is that of the URI that was asked, and nothing ties that one to the presentity: whoever could
    /// alter the document may have put himself in its place.
    #[error("not bound to the presentity: it is for {asked}")]
    NotBound {
        /// The URI that was asked, as its canonical address of record.
        asked: String,
    },
    /// Nobody is known to have sent it, and no trusted authority vouches for it.
    #[error("nobody vouches for it")]
    NoIdentity,
    /// Somebody else sent it than the one who was asked.
    #[error("sent by {asserted}, who was not asked")]
    WrongIdentity {
        /// Who sent it, as an address of record.
        asserted: String,
    },
    /// Who sent it is known, but not that the certificate is as it was sent: an Identity by RFC 8224
    /// covers no body ([`TrustRules::identity_covers_body`]).
    #[error("the sender is known, but the body is not protected")]
    BodyNotCovered,
    /// It names others, or nobody.
    #[error("the URI is not among its names")]
    WrongName,
    /// It came by a way on which anybody may have changed it, and no trusted authority vouches for it;
    /// for the reason that is given.
    #[error("no trusted authority vouches for it: {0}")]
    Untrusted(String),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrustedChain => f.write_str("vouched for by a trusted authority"),
            Self::AssertedIdentity(by) => write!(f, "sent by its owner's domain, {by}"),
            Self::SecureFetch => f.write_str("fetched from its owner's domain by https"),
        }
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SameAddress => "asked at that address",
            Self::Named => "which it names",
            Self::Document => "to which a protected document led",
            Self::SameDomain => "from a host of that domain",
        })
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            proof,
            binding,
        } = self;
        write!(f, "for {name}, {binding}: {proof}")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usable(ground) => write!(f, "usable {ground}"),
            Self::Unusable(objection) => write!(f, "unusable: {objection}"),
        }
    }
}

/// Whether the document that names the sources was protected against change, as the caller has
/// established it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DocumentIntegrity {
    /// Anybody on its way may have changed it, or the notifier itself.
    #[default]
    Unprotected,
    /// The presentity has signed it.
    SignedByPresentity,
    /// The presentity's domain has signed it, or vouches for its octets otherwise.
    SignedByDomain,
}

impl DocumentIntegrity {
    /// What the signatures over a document are worth that is about the presentity with this URI: such as
    /// [`NotifiedBody::signers`](crate::event::NotifiedBody::signers) tells them. Only signers whose chain
    /// is trusted count.
    pub fn of(signers: &[Signer], presentity: &str) -> Self {
        match authority_of(&Names::of([presentity]), signers) {
            Some((_, Authority::Presentity)) => Self::SignedByPresentity,
            Some((_, Authority::Domain)) => Self::SignedByDomain,
            None => Self::Unprotected,
        }
    }
}

impl DocumentIntegrity {
    /// What is left of it for a document that is to be about somebody with these names.
    pub(super) fn over(self, document: &Presence, own: &[String]) -> Self {
        let entity = address(&document.entity);
        match entity.is_some_and(|entity| own.contains(&entity)) {
            true => self,
            false => Self::Unprotected,
        }
    }
}

/// The canonical address of record of a sip, sips or pres URI.
pub(super) fn address(uri: &str) -> Option<String> {
    match Uri::parse(uri).ok()? {
        uri @ (Uri::Sip(_) | Uri::Pres(_)) => uri.address_of_record(),
        _ => None,
    }
}

/// Whether one of these URIs is this address of record.
pub(super) fn names(uris: &[String], name: &str) -> bool {
    uris.iter().any(|uri| match Uri::parse(uri) {
        Ok(uri @ (Uri::Sip(_) | Uri::Pres(_))) => uri.address_of_record().as_deref() == Some(name),
        _ => false,
    })
}

/// What there is to be judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) info: &'a CertificateInfo,
    pub(super) origin: &'a Origin,
    pub(super) rules: &'a TrustRules,
    pub(super) integrity: DocumentIntegrity,
    /// The time of day, as far as it is known.
    pub(super) utc: Option<OffsetDateTime>,
}

impl Case<'_> {
    /// Whether the certificate may be used for somebody, named by the canonical address of record.
    pub(super) fn judge(&self, name: &str) -> Result<Ground, Objection> {
        self.check_validity()?;
        let ground = |proof, binding| Ground {
            name: name.to_owned(),
            proof,
            binding,
        };
        let is_trusted = self.info.chain == Chain::Trusted;
        let is_named = |name: &str| names(&self.info.names, name);
        match self.origin {
            Origin::Notified { asked, vouched } => {
                let is_same = asked == name;
                if is_trusted && is_named(name) {
                    let binding = match is_same {
                        true => Binding::SameAddress,
                        false => Binding::Named,
                    };
                    return Ok(ground(Proof::TrustedChain, binding));
                }
                let binding = match self.integrity {
                    _ if is_same => Binding::SameAddress,
                    DocumentIntegrity::SignedByPresentity | DocumentIntegrity::SignedByDomain => {
                        Binding::Document
                    }
                    DocumentIntegrity::Unprotected => {
                        let asked = asked.clone();
                        return Err(Objection::NotBound { asked });
                    }
                };
                if is_trusted && is_named(asked) {
                    return Ok(ground(Proof::TrustedChain, binding));
                }
                match vouched {
                    Ok(protection) => {
                        if self.rules.require_name && !is_named(asked) && !is_named(name) {
                            return Err(Objection::WrongName);
                        }
                        Ok(ground(Proof::AssertedIdentity(*protection), binding))
                    }
                    Err(Objection::NoIdentity) if is_trusted => Err(Objection::WrongName),
                    Err(objection) => Err(objection.clone()),
                }
            }
            Origin::Fetched { is_secure, hosts } => {
                if is_trusted && is_named(name) {
                    return Ok(ground(Proof::TrustedChain, Binding::Named));
                }
                let domain = host_of(name);
                let is_own = *is_secure && hosts.iter().all(|host| is_within(host, domain));
                if self.rules.https_of_domain && is_own {
                    return match self.rules.require_name && !is_named(name) {
                        true => Err(Objection::WrongName),
                        false => Ok(ground(Proof::SecureFetch, Binding::SameDomain)),
                    };
                }
                match &self.info.chain {
                    Chain::Trusted => Err(Objection::WrongName),
                    Chain::Untrusted(why) => Err(Objection::Untrusted(why.clone())),
                }
            }
        }
    }

    /// Reasons that hold whoever vouches for it.
    fn check_validity(&self) -> Result<(), Objection> {
        let info = self.info;
        if info.is_revoked {
            return Err(Objection::Revoked);
        }
        let utc = self.utc.ok_or(Objection::ClockUnset)?;
        if utc < info.not_before {
            return Err(Objection::NotYetValid(info.not_before));
        }
        if utc > info.not_after {
            return Err(Objection::Expired(info.not_after));
        }
        if self.rules.must_encrypt && !info.may_encrypt {
            return Err(Objection::MayNotEncrypt);
        }
        Ok(())
    }
}
