//! What comes out of a retriever.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use super::fetching::{Fetch, FetchFailure, Inspection};
use super::verdict::{Ground, Objection};
use super::web_address::AddressFault;
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::event::{
    NeedCredentials, Opening, RefusedBody, SubscribeError, SubscribeFailure, SubscriptionEnd,
};
use crate::mime::{CertificateError, CertificateInfo};
use crate::pidf::certs::CertificateSource;
use crate::sip::{OutgoingRequest, Response};

/// One thing for the host to do, taken with `poll_output` until there is none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what is not done is lost"]
pub enum RetrieverOutput {
    /// Answer a request.
    Respond(Response),
    /// Send this request in a new client transaction and report what becomes of it.
    Send(OutgoingRequest),
    /// Something happened that the application may want to know.
    Event(RetrieverEvent),
    /// A request was challenged: answer with `provide_credentials` or `decline_credentials`.
    NeedCredentials(NeedCredentials),
    /// Fetch a URL: answer with `complete_fetch` or `fail_fetch`.
    Fetch(Fetch),
    /// Read a certificate: answer with `complete_inspection`.
    Inspect(Inspection),
    /// A NOTIFY has a body that is signed or encrypted: open it, and report with `complete_opening`.
    Open(Opening),
}

/// Names somebody whose certificate is followed; when that has ended the name is stale and finds
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FollowKey(pub(super) Key);

impl fmt::Display for FollowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}", self.0.index, self.0.generation)
    }
}

/// A certificate that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// What it says.
    pub info: Arc<CertificateInfo>,
    /// For whom it may be used, and why.
    pub ground: Ground,
    /// Where it is from.
    pub source: CertificateSource,
    /// Until when it may be used without another word from there; its own validity may end before.
    pub until: Timestamp,
}

/// Something that happened to a certificate that is followed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RetrieverEvent {
    /// There is a certificate that may be used, where there was none.
    Found {
        /// Whose.
        key: FollowKey,
        /// The certificate.
        certificate: Certificate,
    },
    /// Another certificate is to be used, or the same one for another reason.
    Changed {
        /// Whose.
        key: FollowKey,
        /// The one before.
        before: Arc<CertificateInfo>,
        /// The one to use.
        certificate: Certificate,
    },
    /// The certificate may not be used any more, and there is no other.
    Lost {
        /// Whose.
        key: FollowKey,
        /// The one before.
        before: Arc<CertificateInfo>,
        /// Why.
        loss: Loss,
    },
    /// There is a certificate, and it may not be used.
    Unusable {
        /// Whose.
        key: FollowKey,
        /// Where it is from.
        source: CertificateSource,
        /// Why not.
        objection: Objection,
    },
    /// There is no certificate at one of the sources.
    Absent {
        /// Whose.
        key: FollowKey,
        /// Where there is none.
        source: CertificateSource,
    },
    /// Nothing is to be had from one of the sources.
    Failed {
        /// Whose.
        key: FollowKey,
        /// From where.
        source: CertificateSource,
        /// Why.
        failure: RetrieveFailure,
        /// When it is asked again. Nothing: not unless the application asks for it with `refresh`, or
        /// while the subscription goes on all the same.
        retry_in: Option<Duration>,
    },
    /// A certificate that was reported as unusable was asked for again.
    Rechecked {
        /// Whose.
        key: FollowKey,
        /// Whether it is another one now that may be used, so that the request that was refused is worth
        /// another attempt. If not it is to be left (RFC 6072 section 4).
        is_changed: bool,
    },
}

/// Why a certificate may not be used any more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// Its service says that there is none any more (RFC 6072 section 6.8).
    Withdrawn,
    /// It was not told of in time, and what is cached for long may have been revoked since.
    Lapsed,
    /// Its subscription has ended for good.
    Ended,
    /// Another one has come that cannot be read.
    Unreadable(CertificateError),
    /// It was reported as unusable, and is asked for again.
    Reported,
    /// It, or the one in its place, may not be used.
    Unusable(Objection),
    /// The document names other sources.
    SourceDropped,
}

/// Why nothing is to be had from a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetrieveFailure {
    /// It is not asked at all.
    #[error("not asked: {0}")]
    Address(#[from] AddressFault),
    /// There are too many sources already.
    #[error("there are {limit} sources already")]
    TooMany {
        /// How many the settings allow.
        limit: usize,
    },
    /// It cannot be subscribed to.
    #[error(transparent)]
    Order(SubscribeError),
    /// The SUBSCRIBE has failed.
    #[error("{0}")]
    Subscribe(SubscribeFailure),
    /// The subscription has ended.
    #[error("subscription {0}")]
    Ended(SubscriptionEnd),
    /// The subscription waits, since its next hop has asked to be spared.
    #[error("the next hop is busy")]
    Delayed,
    /// The body of the NOTIFY was refused.
    #[error("{0}")]
    Body(RefusedBody),
    /// The fetch has no answer.
    #[error("fetch: {0}")]
    Fetch(FetchFailure),
    /// The fetch was answered by this status.
    #[error("fetch answered {status}")]
    Status {
        /// The status code.
        status: u16,
    },
    /// What was fetched is of another type than a certificate.
    #[error("fetched something of type {0:?}")]
    ContentType(String),
    /// What was fetched is empty.
    #[error("fetched nothing")]
    Empty,
    /// What came is no certificate that can be used here.
    #[error(transparent)]
    Certificate(CertificateError),
    /// The host has not read what came in time.
    #[error("not read in time")]
    NotInspected,
}

/// Nobody can be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The text names nobody who could have a certificate.
    #[error("{text:?} is no URI of somebody")]
    Uri {
        /// The text.
        text: String,
    },
    /// No URI of the presentity was given.
    #[error("nobody is named")]
    Nobody,
    /// The settings do not allow as many.
    #[error("there are {limit} followed already")]
    TooMany {
        /// How many they allow.
        limit: usize,
    },
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Withdrawn => f.write_str("withdrawn"),
            Self::Lapsed => f.write_str("not told of in time"),
            Self::Ended => f.write_str("the subscription has ended"),
            Self::Unreadable(error) => error.fmt(f),
            Self::Reported => f.write_str("reported as unusable"),
            Self::Unusable(objection) => objection.fmt(f),
            Self::SourceDropped => f.write_str("the document names other sources"),
        }
    }
}

impl fmt::Display for RetrieverEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { key, certificate } => {
                write!(f, "certificate {key} found: {}", certificate.ground.proof)
            }
            Self::Changed {
                key, certificate, ..
            } => write!(f, "certificate {key} changed: {}", certificate.ground.proof),
            Self::Lost { key, loss, .. } => write!(f, "certificate {key} lost: {loss}"),
            Self::Unusable {
                key,
                source,
                objection,
            } => write!(
                f,
                "certificate {key} from {} is not used: {objection}",
                source
            ),
            Self::Absent { key, source } => {
                write!(f, "certificate {key}: there is none at {}", source)
            }
            Self::Failed {
                key,
                source,
                failure,
                retry_in,
            } => {
                write!(f, "certificate {key} from {}: {failure}", source)?;
                match retry_in {
                    Some(wait) => write!(f, ", again in {} s", wait.as_secs()),
                    None => Ok(()),
                }
            }
            Self::Rechecked { key, is_changed } => {
                let now = if *is_changed { "another" } else { "the same" };
                write!(f, "certificate {key} was asked for again: {now}")
            }
        }
    }
}
