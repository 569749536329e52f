//! What comes out of a role.

use core::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::authorization::{Decision, PublishKind, Reason};
use super::credentials::NeedCredentials;
use super::direct::{DirectName, DirectNotification};
use super::opening::Opening;
use super::protection::{ProtectError, ProtectionJob};
use crate::engine::slab::Key;
use crate::engine::{ServerTransaction, Timestamp};
use crate::mime::Signed;
use crate::sip::{OutgoingRequest, Response};

/// One thing for the host to do, taken with `poll_output` until there is none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what is not done is lost"]
pub enum Output {
    /// Send this response.
    Respond(Response),
    /// Send this 401 with WWW-Authenticate added (RFC 6665 section 4.2.1.3: never 407).
    Challenge(Response),
    /// Send this request in a new client transaction and report what becomes of it.
    Send(OutgoingRequest),
    /// Bring this to the watcher of a subscription without dialog.
    Deliver(Box<DirectNotification>),
    /// Something happened that the application may want to know.
    Event(ServerEvent),
    /// A request was challenged: answer with `provide_credentials` or `decline_credentials`.
    NeedCredentials(NeedCredentials),
    /// A SUBSCRIBE waits for the verification of its body's signature: verify, and report with
    /// `complete_verification`.
    Verify(Box<Verification>),
    /// A document is to be signed or encrypted before it can leave: do it, and report with
    /// `complete_protection`.
    Protect(Box<ProtectionJob>),
    /// A SUBSCRIBE or PUBLISH has a body that is signed or encrypted: open it, and report with
    /// `complete_opening`.
    Open(Opening),
    /// The policy deferred a publication: do the job and report with `complete_job`.
    Job(Job),
    /// Others are to answer a SUBSCRIBE: forward it as a proxy does (RFC 3261 section 16), and report the
    /// final response with `report_forwarded`.
    Forward(Forward),
}

// Each NOTIFY is one, and is handed on several times: what is longer is copied by a call each time.
const _: () = assert!(size_of::<Output>() <= 128);

/// A SUBSCRIBE that somebody else is to answer (RFC 3856 section 6.11.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forward {
    /// The transaction that the request came in.
    pub transaction: ServerTransaction,
    /// The canonical name of the resource.
    pub resource: Arc<str>,
    /// Where it goes: to a contact of the resource, or to another server.
    pub target: Arc<str>,
    /// Whether the target is only the next hop, and the Request-URI stays what it is: the other server is
    /// asked for the same resource. Otherwise the target is the Request-URI to forward it with.
    pub keeps_uri: bool,
}

/// What a host does with the outcome of a request that it has forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Forwarded {
    /// The response goes back to the watcher, as of any request.
    PassOn,
    /// There is no agent: the request is to be handed in again, under the same transaction, and will be
    /// answered here.
    ServeHere,
}

/// Nothing happened, since too much output waits to be taken: answer 503 with Retry-After.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too much output waits to be taken; answer 503 with Retry-After: {retry_after}")]
pub struct Backlog {
    /// Seconds for Retry-After.
    pub retry_after: u32,
}

/// Why a client transaction ended without a final response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// Timer F (RFC 3261 section 17.1.2).
    Timeout,
    /// It could not be sent, by any of the next hops that the host found.
    Transport,
}

/// Names a subscription while it lasts; later the name is stale and finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionKey(pub(super) Key);

/// Names a publication while it lasts; later the name is stale and finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicationKey(pub(super) Key);

/// Names a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey(pub(super) Key);

/// Names a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerificationKey(pub(super) Key);

/// A signature to be verified before a SUBSCRIBE is answered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Verification {
    /// Names it in `complete_verification`.
    pub key: VerificationKey,
    /// What is signed, and the signature.
    pub signed: Signed,
    /// Without a verdict by then 504 is sent.
    pub deadline: Timestamp,
}

impl fmt::Display for SubscriptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}.{}", self.0.index, self.0.generation)
    }
}

impl fmt::Display for PublicationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}.{}", self.0.index, self.0.generation)
    }
}

/// Whose subscription to what.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subject {
    /// The subscription.
    pub key: SubscriptionKey,
    /// The canonical address of record of the watcher; nothing for nobody.
    pub watcher: Option<Arc<str>>,
    /// The canonical name of the resource (for presence: the presentity).
    pub resource: Arc<str>,
    /// The names of a subscription without dialog; nothing for one that a SUBSCRIBE made.
    pub direct: Option<DirectName>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watcher = self.watcher.as_deref().unwrap_or("nobody");
        write!(f, "{} ({watcher} to {})", self.key, self.resource)
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A subscription began; with [`Decision::Pending`] it waits for the application's decision.
    SubscriptionStarted {
        /// Whose.
        subject: Subject,
        /// What holds for it.
        decision: Decision,
    },
    /// Something else holds for a subscription now.
    SubscriptionChanged {
        /// Whose.
        subject: Subject,
        /// What holds for it from now on.
        decision: Decision,
    },
    /// A subscription is over. Its last NOTIFY may still be on its way.
    SubscriptionEnded {
        /// Whose.
        subject: Subject,
        /// Why.
        reason: EndReason,
    },
    /// A publication was made, refreshed, changed or removed by its publisher.
    Published {
        /// Which; stale already after a removal.
        key: PublicationKey,
        /// The canonical name of the resource.
        resource: Arc<str>,
        /// What was done.
        kind: PublishKind,
    },
    /// A publication ran out.
    PublicationExpired {
        /// Which; stale already.
        key: PublicationKey,
        /// The canonical name of the resource.
        resource: Arc<str>,
    },
    /// A publication gave way to a newer one of the same publisher
    /// ([`ReplacePublications`](super::ReplacePublications)).
    PublicationReplaced {
        /// Which; stale already.
        key: PublicationKey,
        /// The canonical name of the resource.
        resource: Arc<str>,
    },
    /// A document could not be signed or encrypted. Those who should have got it get none.
    ProtectionFailed {
        /// The canonical name of the resource.
        resource: Arc<str>,
        /// For whom it was to be encrypted; nobody when it was to be signed.
        watcher: Option<Arc<str>>,
        /// Why.
        error: ProtectError,
    },
    /// A NOTIFY was answered by an error that leaves the subscription as it is.
    NotifyRefused {
        /// Whose.
        subject: Subject,
        /// The status code.
        status: u16,
    },
}

impl fmt::Display for ServerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubscriptionStarted { subject, decision } => {
                write!(f, "subscription {subject} started: {}", describe(decision))
            }
            Self::SubscriptionChanged { subject, decision } => {
                write!(f, "subscription {subject} changed: {}", describe(decision))
            }
            Self::SubscriptionEnded { subject, reason } => {
                write!(f, "subscription {subject} ended: {reason}")
            }
            Self::Published {
                key,
                resource,
                kind,
            } => {
                let done = match kind {
                    PublishKind::Initial => "made",
                    PublishKind::Refresh => "refreshed",
                    PublishKind::Modify => "changed",
                    PublishKind::Remove => "removed",
                };
                write!(f, "publication {key} of {resource} {done}")
            }
            Self::PublicationExpired { key, resource } => {
                write!(f, "publication {key} of {resource} expired")
            }
            Self::PublicationReplaced { key, resource } => {
                write!(f, "publication {key} of {resource} replaced")
            }
            Self::ProtectionFailed {
                resource,
                watcher: None,
                error,
            } => write!(f, "document of {resource}: {error}"),
            Self::ProtectionFailed {
                resource,
                watcher: Some(watcher),
                error,
            } => write!(f, "document of {resource} for {watcher}: {error}"),
            Self::NotifyRefused { subject, status } => {
                write!(f, "subscription {subject}: NOTIFY answered {status}")
            }
        }
    }
}

pub(super) fn describe(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allow(_) => "active",
        Decision::Pending => "pending",
        Decision::PoliteBlock => "politely blocked",
        Decision::Reject(_) => "rejected",
    }
}

/// Why a subscription is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The watcher ended it.
    Unsubscribed,
    /// It was a fetch: one document and no subscription.
    Fetched,
    /// It ran out.
    Expired,
    /// It was refused, after it had begun.
    Rejected,
    /// The application ended it.
    Terminated(Reason),
    /// The watcher answered a NOTIFY by a status that ends it (RFC 6665 section 4.2.2).
    NotifyRejected(u16),
    /// A NOTIFY was not answered: none came in time, or a proxy's 408 did.
    NotifyTimeout,
    /// A NOTIFY could not be sent.
    NotifyUnsent,
    /// The host never reported what became of a NOTIFY.
    NotifyForgotten,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsubscribed => f.write_str("unsubscribed"),
            Self::Fetched => f.write_str("fetched"),
            Self::Expired => f.write_str("expired"),
            Self::Rejected => f.write_str("rejected"),
            Self::Terminated(reason) => write!(f, "terminated, {reason}"),
            Self::NotifyRejected(status) => write!(f, "NOTIFY answered {status}"),
            Self::NotifyTimeout => f.write_str("NOTIFY not answered"),
            Self::NotifyUnsent => f.write_str("NOTIFY could not be sent"),
            Self::NotifyForgotten => f.write_str("outcome of a NOTIFY never reported"),
        }
    }
}

/// A publication that the application looks at or stores before it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Job {
    /// Names it in `complete_job`.
    pub key: JobKey,
    /// The canonical name of the resource.
    pub resource: Arc<str>,
    /// What is asked for.
    pub kind: PublishKind,
    /// The canonical address of record of the publisher; nothing for nobody.
    pub publisher: Option<Arc<str>>,
    /// The duration that will be granted, in seconds.
    pub expires: u32,
    /// The media type of the body with its parameters, as Content-Type has it; empty for a refresh and a
    /// removal.
    pub media_type: String,
    /// The body, empty for a refresh and a removal. Where a package takes types that say what has changed,
    /// such as `application/pidf-diff+xml`, this may be no whole state: the media type tells.
    pub body: Bytes,
    /// Without an answer by then the publication does not happen and 504 is sent.
    pub deadline: Timestamp,
}

/// What became of a deferred publication when its job was completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobOutcome {
    /// It is in force, and 200 is on its way.
    Done,
    /// It is not, and this status code is on its way: 504 for a failed job, else what stood in the
    /// way by now (412, 413, 503).
    Refused(u16),
    /// It was over before: its deadline had passed, or it was completed already.
    Over,
}

/// There is no such subscription (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such subscription")]
pub struct UnknownSubscription;
