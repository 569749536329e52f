//! Who vouches for a certificate beside its own authority: whoever sent it, or where it came from.

use core::fmt;

use super::config::TrustRules;
use super::verdict::Objection;
use crate::event::{Assurance, Identity};
use crate::mime::Signer;
use crate::presence::{Names, authority_of};
use crate::sip::host_of;

/// What kept a certificate as its sender had sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Integrity {
    /// The NOTIFY came by TLS from the domain of the URI, or from the user.
    Transport,
    /// A neighbour that is trusted to have checked it has said who sent it (RFC 3325), where
    /// [`TrustRules::trust_asserted`] says that this is enough.
    TrustedNeighbour,
    /// An Identity that covers the body, where [`TrustRules::identity_covers_body`] says so.
    Identity,
    /// A trusted S/MIME signature of the user or the domain over the body.
    Smime,
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transport => "protected by TLS",
            Self::TrustedNeighbour => "as a trusted neighbour says",
            Self::Identity => "protected by Identity",
            Self::Smime => "protected by S/MIME",
        })
    }
}

/// How a certificate came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// By a NOTIFY for this address of record, and who vouches for it as its.
    Notified {
        asked: String,
        vouched: Result<Integrity, Objection>,
    },
    /// By http or https, in the latter case on the whole way; the hosts that had a say in it.
    Fetched { is_secure: bool, hosts: Vec<String> },
}

impl Origin {
    /// Whether somebody who may do so vouches for it.
    pub(super) fn is_vouched_for(&self) -> bool {
        matches!(self, Self::Notified { vouched: Ok(_), .. })
    }
}

/// Whether a host is a domain, or one in it.
pub(super) fn is_within(host: &str, domain: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let Some(at) = host.len().checked_sub(domain.len()) else {
        return false;
    };
    let Some((before, end)) = host.split_at_checked(at) else {
        return false;
    };
    end.eq_ignore_ascii_case(domain) && (before.is_empty() || before.ends_with('.'))
}

/// Who vouches for the body of a NOTIFY as that of the address of record that was asked.
///
/// What From says stands among the claims as [`Assurance::Claimed`]: it has to agree, and proves
/// nothing (RFC 6072 section 10.3).
pub(super) fn vouched(
    asked: &str,
    sender: &Identity,
    signers: &[Signer],
    rules: &TrustRules,
) -> Result<Integrity, Objection> {
    let claims = || sender.claims();
    let from = claims().filter(|(_, by)| *by == Assurance::Claimed).last();
    match from {
        Some((from, _)) if from == asked => {}
        Some((from, _)) => {
            let asserted = from.to_owned();
            return Err(Objection::WrongIdentity { asserted });
        }
        None => return Err(Objection::NoIdentity),
    }
    let domain = host_of(asked);
    let uri = format!("sip:{asked}");
    if authority_of(&Names::of([&*uri]), signers).is_some() {
        return Ok(Integrity::Smime);
    }
    let mut objection = None;
    for (name, assurance) in claims() {
        // A domain speaks for its users where it is known by TLS or a signature of its own.
        let (is_user, is_domain) = (name == asked, name == domain);
        let protection = match assurance {
            Assurance::Transport if is_user || is_domain => Integrity::Transport,
            Assurance::Smime if is_user || is_domain => Integrity::Smime,
            Assurance::Asserted if is_user && rules.trust_asserted => Integrity::TrustedNeighbour,
            Assurance::Signed if is_user && rules.identity_covers_body => Integrity::Identity,
            Assurance::Asserted | Assurance::Signed if is_user => {
                objection = Some(Objection::BodyNotCovered);
                continue;
            }
            // Nobody proves a NOTIFY by digest.
            Assurance::Claimed | Assurance::Digest => continue,
            Assurance::Transport | Assurance::Asserted | Assurance::Signed | Assurance::Smime => {
                let asserted = name.to_owned();
                objection.get_or_insert(Objection::WrongIdentity { asserted });
                continue;
            }
        };
        return Ok(protection);
    }
    Err(objection.unwrap_or(Objection::NoIdentity))
}
