//! Somebody whose certificate is wanted: by which names, and from where.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::config::SHORTEST_POLL;
use super::output::RetrieveFailure;
use super::verdict::{DocumentIntegrity, Ground, Objection};
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::mime::CertificateInfo;
use crate::pidf::Presence;
use crate::pidf::certs::CertificateSource;

/// Somebody whose certificate is wanted.
#[derive(Debug)]
pub(super) struct Followed {
    /// Canonical addresses of record.
    pub(super) names: Vec<String>,
    pub(super) integrity: DocumentIntegrity,
    /// In the order they are tried.
    pub(super) candidates: Vec<Candidate>,
    pub(super) standing: Standing,
    /// A certificate that was reported as unusable, and where it was from.
    pub(super) reported: Option<(Key, Bytes)>,
    pub(super) pace: Pace,
}

/// How many sources were taken up of late: a document that changes again and again has no more asked
/// than one that does not.
#[derive(Debug, Default)]
pub(super) struct Pace {
    pub(super) since: Option<Timestamp>,
    pub(super) taken: usize,
    /// The timer until there may be more.
    pub(super) alarm: Option<Key>,
}

impl Pace {
    /// Whether another source may be taken up now, or else when.
    pub(super) fn take(&mut self, now: Timestamp, most: usize) -> Result<(), Timestamp> {
        let over = self.since.map(|since| since + SHORTEST_POLL);
        match over {
            Some(over) if over > now => {
                if self.taken >= most {
                    return Err(over);
                }
                self.taken += 1;
            }
            _ => {
                self.since = Some(now);
                self.taken = 1;
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) spec: CertificateSource,
    /// The application named it, and no document.
    pub(super) is_own: bool,
    pub(super) place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// It was not asked so far.
    Untried,
    At(Key),
    Impossible(RetrieveFailure),
}

impl Candidate {
    pub(super) fn new(spec: CertificateSource, is_own: bool) -> Self {
        Self {
            spec,
            is_own,
            place: Place::Untried,
        }
    }

    pub(super) fn at(&self) -> Option<Key> {
        match self.place {
            Place::At(key) => Some(key),
            Place::Untried | Place::Impossible(_) => None,
        }
    }
}

/// What the application was told last.
#[derive(Debug, Default)]
pub(super) enum Standing {
    #[default]
    Nothing,
    Unusable(Key, Objection),
    Usable(Use),
}

/// A certificate in use.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub(super) source: Key,
    pub(super) info: Arc<CertificateInfo>,
    pub(super) ground: Ground,
}

/// Sources that are looked at for each one that is taken; what more a document repeats is left out.
const LOOKED_AT: usize = 64;

/// Whom a document says to ask for the certificate of its presentity, each once, in its order, at most
/// so many.
pub(super) fn sources_of(document: &Presence, most: usize) -> Vec<CertificateSource> {
    let index = document.device_index();
    let (mut known, mut found) = (HashSet::new(), Vec::new());
    let mut left = most.saturating_mul(LOOKED_AT);
    for tuple in &document.tuples {
        for source in index.certificate_sources(tuple) {
            left = left.saturating_sub(1);
            if found.len() >= most {
                return found;
            }
            if known.insert(source.clone()) {
                found.push(source);
            }
        }
        if left == 0 {
            break;
        }
    }
    found
}
