//! Why a request is not carried out.

use super::ReadError;
use crate::event::{BodyRefusal, RefusedDirect, Rejection, Signature, SubscribeFailure};
use crate::mime::{MimeError, VerifyError};

/// Why a subscription request is not carried out. Nothing has changed by it, but for a subscription
/// that the policy forbids from now on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// It came as something else than `application/cpim-subscription`, alone or in
    /// `multipart/signed`.
    #[error("{found:?} is no subscription request")]
    MediaType {
        /// The Content-Type.
        found: String,
    },
    /// It is too large, with all that is around it.
    #[error("too large")]
    TooLarge,
    /// What is around it cannot be read.
    #[error("unreadable: {0}")]
    Mime(#[from] MimeError),
    /// It cannot be read.
    #[error("unreadable: {0}")]
    Unreadable(#[from] ReadError),
    /// To names another presentity than the one that is addressed by what carries the request: a
    /// request that was signed for one is of no use at another.
    #[error("To names another presentity than the one addressed")]
    WrongTarget,
    /// Duration or Token contradict what carries the request: other seconds than Expires has, another
    /// subscription than that of the dialog.
    #[error("the request contradicts the one that carries it")]
    Contradiction,
    /// Its time is not of now. Also told of a time behind one that was forgotten, after the clock was
    /// set back.
    #[error("DateTime is too far from now")]
    Stale,
    /// It is not newer than the last one that was accepted of this watcher, presentity and token; or
    /// a fetch that was accepted before.
    #[error("not newer than the last one accepted")]
    Replayed,
    /// Nobody has told what time of day it is, which it takes to know what is fresh.
    #[error("the time of day is not known")]
    NoClock,
    /// The signature says nothing.
    #[error("signature refused: {0}")]
    Signature(#[from] VerifyError),
    /// Nobody in whom there is trust has signed.
    #[error("the signer's certificate is not trusted: {0}")]
    Untrusted(String),
    /// The certificate of the signer does not name the watcher in From.
    #[error("the signer's certificate does not name the watcher")]
    Misbound,
    /// It was sent by somebody else than the watcher in From, and is not signed by the watcher.
    #[error("the sender is not the watcher")]
    WrongSender,
    /// The policy wants to know who asks.
    #[error("proof of identity is asked for")]
    Unidentified,
    /// The policy wants a signature that is worth as much.
    #[error("a signature is asked for")]
    SignatureRequired(Signature),
    /// The policy refuses, for now or for good.
    #[error("refused")]
    Rejected(Rejection),
    /// There is no such watcher or presentity here.
    #[error("no such watcher or presentity here")]
    NotHere,
    /// There is no subscription with this watcher, presentity and token to cancel.
    #[error("no such subscription")]
    UnknownSubscription,
    /// The duration is shorter than the shortest one, in seconds.
    #[error("no subscription is shorter than {0} s")]
    TooBrief(u32),
    /// A limit is reached; it may be tried again after as many seconds.
    #[error("no room; try again in {0} s")]
    Busy(u32),
    /// The SIP side of a gateway has refused it, or not answered.
    #[error("not carried out beyond the gateway: {0}")]
    Sip(SubscribeFailure),
    /// No verdict on the signature came in time.
    #[error("the signature was not verified in time")]
    Unverified,
}

impl Failure {
    /// The status code of SIP that comes closest. HTTP means the same by most of them; there 401 wants a
    /// WWW-Authenticate, and 423 another name.
    pub fn status(&self) -> u16 {
        match self {
            Self::MediaType { .. } => 415,
            Self::TooLarge => 413,
            Self::Unreadable(error) => error.status(),
            Self::Mime(_) | Self::WrongTarget | Self::Contradiction => 400,
            Self::Stale
            | Self::Replayed
            | Self::Signature(_)
            | Self::Untrusted(_)
            | Self::Misbound
            | Self::WrongSender
            | Self::SignatureRequired(_)
            | Self::Rejected(_) => 403,
            Self::Unidentified => 401,
            Self::NotHere | Self::UnknownSubscription => 404,
            Self::TooBrief(_) => 423,
            Self::NoClock => 500,
            Self::Busy(_) => 503,
            Self::Sip(SubscribeFailure::Refused { status } | SubscribeFailure::Body { status }) => {
                *status
            }
            Self::Sip(_) | Self::Unverified => 504,
        }
    }

    /// What is told to a SIP peer.
    pub(super) fn body_refusal(&self) -> BodyRefusal {
        let why = match self {
            Self::MediaType { .. } => "no subscription request",
            Self::TooLarge => "too large",
            Self::Mime(_) | Self::Unreadable(_) => "unreadable subscription request",
            Self::WrongTarget => "To of the subscription request is not addressed",
            Self::Contradiction => "the subscription request contradicts this one",
            Self::Stale => "stale DateTime in the subscription request",
            Self::Replayed => "subscription request not newer than the last",
            Self::NoClock => "time of day unknown",
            Self::Signature(_) => "signature refused",
            Self::Untrusted(_) => "certificate not trusted",
            Self::Misbound => "certificate does not name the watcher",
            Self::WrongSender => "From of the subscription request is not the sender",
            Self::Unidentified => "proof of identity is asked for",
            Self::SignatureRequired(_) => "a signature is asked for",
            Self::Rejected(_) => "refused",
            Self::NotHere | Self::UnknownSubscription => "no such subscription",
            Self::TooBrief(_) => "too brief",
            Self::Busy(_) => "too many requests",
            Self::Sip(_) => "not carried out beyond the gateway",
            Self::Unverified => "signature not verified in time",
        };
        BodyRefusal::new(self.status(), why)
    }
}

impl From<RefusedDirect> for Failure {
    fn from(refused: RefusedDirect) -> Self {
        match refused {
            RefusedDirect::Backlog(backlog) => Self::Busy(backlog.retry_after),
            RefusedDirect::NoRoom(seconds) => Self::Busy(seconds),
            RefusedDirect::UnknownSubscription => Self::UnknownSubscription,
            RefusedDirect::WrongIdentity => Self::WrongSender,
            RefusedDirect::Unidentified => Self::Unidentified,
            RefusedDirect::SignatureRequired(signature) => Self::SignatureRequired(signature),
            RefusedDirect::Rejected(rejection) => Self::Rejected(rejection),
            RefusedDirect::TooBrief(seconds) => Self::TooBrief(seconds),
            // What is too long to be named is not here either.
            _ => Self::NotHere,
        }
    }
}
