//! What a watcher demands of documents before it believes them: signatures, encryption, and that they
//! are not old ones sent again (RFC 3856 sections 9.1, 9.2 and 9.4).

use core::fmt;
use core::time::Duration;

use time::OffsetDateTime;

use super::signer::{Authority, Names};
use super::stamps::newest;
use crate::event::{NotifiedBody, Protection};
use crate::mime::{Chain, Signer};
use crate::pidf::{Outdated, Presence, Staleness};

/// Clocks that are so far apart still agree.
const SKEW: Duration = Duration::from_secs(60);

/// Why a document is not protected as demanded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unprotected {
    /// Nobody has signed it.
    NotSigned,
    /// It was not encrypted.
    NotEncrypted,
    /// It was signed without the header of its NOTIFY.
    HeaderNotSigned,
    /// No certificate of those who signed leads to somebody who is trusted, for the reason that is given,
    /// for people to read.
    Untrusted(String),
    /// Those who signed, and are trusted, are neither the presentity nor the authority of its domain.
    WrongSigner {
        /// The URIs in their certificates.
        names: Vec<String>,
    },
    /// It is about somebody else, or does not say about whom.
    WrongEntity {
        /// Whom it names.
        entity: String,
    },
    /// Nothing in it bears a timestamp, so that it may be an old one.
    NoTimestamp,
    /// It was signed before one that is known.
    SignedBefore {
        /// When.
        signed: OffsetDateTime,
        /// When the other one was.
        known: OffsetDateTime,
    },
    /// It was signed longer ago than the settings allow.
    TooOld {
        /// When.
        signed: OffsetDateTime,
    },
    /// It was signed at a time that is yet to come.
    Ahead {
        /// When.
        signed: OffsetDateTime,
    },
    /// The signature does not say when it was made, and its age is bounded.
    NoSigningTime,
    /// The age of signatures is bounded, and nobody has told what time of day it is.
    NoClock,
}

impl core::error::Error for Unprotected {}

impl fmt::Display for Unprotected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSigned => f.write_str("not signed"),
            Self::NotEncrypted => f.write_str("not encrypted"),
            Self::HeaderNotSigned => f.write_str("signed without the header"),
            Self::Untrusted(why) => write!(f, "certificate not trusted: {why}"),
            Self::WrongSigner { names } => write!(f, "signed by {names:?}"),
            Self::WrongEntity { entity } => write!(f, "signed, and about {entity:?}"),
            Self::NoTimestamp => f.write_str("signed without timestamp"),
            Self::SignedBefore { signed, known } => {
                let [signed, known] = [signed, known].map(rfc3339);
                write!(
                    f,
                    "signed at {signed}, before {known}, which is known already"
                )
            }
            Self::TooOld { signed } => write!(f, "signed too long ago, at {}", rfc3339(signed)),
            Self::Ahead { signed } => write!(f, "signed in time to come, at {}", rfc3339(signed)),
            Self::NoSigningTime => f.write_str("signed without time of signing"),
            Self::NoClock => f.write_str("signed, and the time of day is not known"),
        }
    }
}

/// As documents write it, where that can be written.
fn rfc3339(time: &OffsetDateTime) -> String {
    time.format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_else(|_| time.to_string())
}

/// What is demanded of one presentity's documents.
#[derive(Debug, Default)]
pub(super) struct Guard {
    protection: Protection,
    pub(super) names: Names,
    /// Nothing until one was proved, as few have to be.
    proved: Option<Box<Proved>>,
}

/// What is known of documents that were proved and taken.
#[derive(Debug, Default)]
struct Proved {
    /// When the last document that was taken was signed, as far as its signer has said.
    signed_at: Option<OffsetDateTime>,
    /// The newest timestamp of it.
    newest: Option<OffsetDateTime>,
    staleness: Staleness,
}

/// A body whose signatures and encryption are as demanded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vetted {
    signed_at: Option<OffsetDateTime>,
}

/// Why a document is not taken.
#[derive(Debug)]
pub(super) enum Refused {
    Unprotected(Unprotected),
    Outdated(Outdated),
}

impl From<Unprotected> for Refused {
    fn from(why: Unprotected) -> Self {
        Self::Unprotected(why)
    }
}

/// Who of these may speak for a presentity and is trusted, and why.
pub(crate) fn authority_of<'a>(
    names: &Names,
    signers: &'a [Signer],
) -> Option<(&'a Signer, Authority)> {
    let mut trusted = signers.iter().filter(|signer| signer.is_trusted());
    trusted.find_map(|signer| Some((signer, names.authority(signer)?)))
}

impl Guard {
    pub(super) fn new(protection: Protection, names: Names) -> Self {
        Self {
            protection,
            names,
            ..Self::default()
        }
    }

    /// Whether anything is demanded.
    pub(super) fn is_demanding(&self) -> bool {
        self.protection != Protection::None
    }

    /// Whether a document has to be proved.
    pub(super) fn is_strict(&self) -> bool {
        self.protection.is_signed()
    }

    /// What can be told before a document is read.
    pub(super) fn vet(
        &self,
        body: &NotifiedBody,
        most: Option<Duration>,
        utc: Option<OffsetDateTime>,
    ) -> Result<Vetted, Unprotected> {
        let lacks_encryption = self.protection.is_encrypted() && !body.is_encrypted;
        if !self.is_strict() {
            return match lacks_encryption {
                true => Err(Unprotected::NotEncrypted),
                false => Ok(Vetted { signed_at: None }),
            };
        }
        let Some((signer, _)) = authority_of(&self.names, &body.signers) else {
            return Err(wrong(&body.signers));
        };
        if lacks_encryption {
            return Err(Unprotected::NotEncrypted);
        }
        if self.protection == Protection::SignedMessage && !body.covers_header {
            return Err(Unprotected::HeaderNotSigned);
        }
        let mut signed_at = signer.signing_time();
        if let Some(most) = most {
            let signed = signed_at.ok_or(Unprotected::NoSigningTime)?;
            let utc = utc.ok_or(Unprotected::NoClock)?;
            if signed - utc > SKEW {
                return Err(Unprotected::Ahead { signed });
            }
            if utc - signed > most {
                return Err(Unprotected::TooOld { signed });
            }
        }
        if let (Some(signed), Some(utc)) = (signed_at, utc) {
            // A clock that is wrong does not shut out whatever comes after.
            signed_at = Some(signed.min(utc));
        }
        let known = self.proved.as_ref().and_then(|it| it.signed_at);
        match (signed_at, known) {
            (Some(signed), Some(known)) if signed < known => {
                Err(Unprotected::SignedBefore { signed, known })
            }
            _ => Ok(Vetted { signed_at }),
        }
    }

    /// Takes a document, without its outdated tuples; tells whether it is whole.
    pub(super) fn admit(
        &mut self,
        vetted: Vetted,
        document: &mut Presence,
        utc: Option<OffsetDateTime>,
    ) -> Result<bool, Refused> {
        if !self.names.include(&document.entity) {
            let entity = document.entity.clone();
            return Err(Unprotected::WrongEntity { entity }.into());
        }
        // One that says nothing has no place for a timestamp; when it was signed does as well.
        let is_bare = document.tuples.is_empty()
            && document.persons.is_empty()
            && document.devices.is_empty();
        let newest = newest(document).or(vetted.signed_at.filter(|_| is_bare));
        let newest = newest.ok_or(Unprotected::NoTimestamp)?;
        let newest = utc.map_or(newest, |utc| newest.min(utc));
        let proved = self.proved.get_or_insert_default();
        let is_later = match (vetted.signed_at, proved.signed_at) {
            (Some(signed), Some(known)) => signed > known,
            _ => false,
        };
        if is_later {
            // One that has lost its newest tuple looks older than it is, and is not.
            proved.staleness = Staleness::default();
        } else if let Some(admitted) = proved.newest
            && newest < admitted
        {
            return Err(Refused::Outdated(Outdated::Overtaken { newest, admitted }));
        }
        let left_aside = proved
            .staleness
            .admit(document, utc)
            .map_err(Refused::Outdated)?;
        proved.newest = Some(newest);
        proved.signed_at = vetted.signed_at.or(proved.signed_at);
        Ok(left_aside.is_empty())
    }
}

/// Why none of them will do.
fn wrong(signers: &[Signer]) -> Unprotected {
    if signers.is_empty() {
        return Unprotected::NotSigned;
    }
    let trusted = signers.iter().filter(|signer| signer.is_trusted());
    let names: Vec<&[String]> = trusted.map(Signer::names).collect();
    if !names.is_empty() {
        let names = names.concat();
        return Unprotected::WrongSigner { names };
    }
    let why = signers.iter().find_map(|signer| match signer.chain() {
        Chain::Untrusted(why) => Some(why.clone()),
        Chain::Trusted => None,
    });
    Unprotected::Untrusted(why.unwrap_or_default())
}
