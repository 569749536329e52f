//! What comes out of a publisher.

use core::fmt;
use core::time::Duration;

use crate::engine::slab::Key;
use crate::event::{NeedCredentials, PublishKind};
use crate::sip::OutgoingRequest;

/// One thing for the host to do, taken with `poll_output` until there is none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what is not done is lost"]
pub enum PublisherOutput {
    /// Send this request in a new client transaction and report what becomes of it.
    Send(OutgoingRequest),
    /// Something happened that the application may want to know.
    Event(PublisherEvent),
    /// A request was challenged: answer with `provide_credentials` or `decline_credentials`.
    NeedCredentials(NeedCredentials),
}

/// Names a publication of ours while it lasts; later the name is stale and finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnPublicationKey(pub(super) Key);

impl fmt::Display for OwnPublicationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "o{}.{}", self.0.index, self.0.generation)
    }
}

/// Something that happened to a publication of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublisherEvent {
    /// The server has accepted a request: the state, or more time for it.
    Published {
        /// Which publication.
        key: OwnPublicationKey,
        /// What was accepted; never a removal.
        kind: PublishKind,
        /// The seconds that it holds for. It is refreshed before they are over.
        expires: u32,
    },
    /// The server knows nothing of the publication any more (412). It is being published anew.
    Lost {
        /// Which publication.
        key: OwnPublicationKey,
    },
    /// The server takes no partial publications (415): from now on this publication is made and changed by
    /// whole states of the base type (RFC 5264 section 4.2). Told once; the state is on its way.
    PartialRefused {
        /// Which publication.
        key: OwnPublicationKey,
    },
    /// A request has failed.
    Failed {
        /// Which publication.
        key: OwnPublicationKey,
        /// What was asked for.
        kind: PublishKind,
        /// Why.
        failure: PublishFailure,
        /// When it is tried again. Nothing: not before the application changes the publication; what
        /// the server has of it runs out there.
        retry_in: Option<Duration>,
    },
    /// A publication is over, as the application asked for.
    Removed {
        /// Which; stale already.
        key: OwnPublicationKey,
        /// Whether the server has nothing of it any more. If not, it may have something until that
        /// runs out: the removal failed, or an attempt before it was not answered, so that nobody
        /// knows whether it succeeded.
        confirmed: bool,
    },
}

/// Why a PUBLISH has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishFailure {
    /// It was refused.
    Refused {
        /// The status code.
        status: u16,
        /// For 415 the media types that would be taken, as Accept told (RFC 3903 section 4).
        accept: Option<String>,
    },
    /// It was not answered.
    Timeout,
    /// It could not be sent.
    Transport,
    /// The host did not report what became of it.
    Forgotten,
}

impl fmt::Display for PublishFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, .. } => write!(f, "PUBLISH answered {status}"),
            Self::Timeout => f.write_str("PUBLISH not answered"),
            Self::Transport => f.write_str("PUBLISH could not be sent"),
            Self::Forgotten => f.write_str("outcome of a PUBLISH never reported"),
        }
    }
}

impl fmt::Display for PublisherEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published { key, kind, expires } => {
                let done = match kind {
                    PublishKind::Initial => "made",
                    PublishKind::Refresh => "refreshed",
                    PublishKind::Modify => "changed",
                    PublishKind::Remove => "removed",
                };
                write!(f, "publication {key} {done} for {expires} s")
            }
            Self::Lost { key } => write!(f, "publication {key} is unknown to the server"),
            Self::PartialRefused { key } => {
                write!(f, "publication {key}: the server takes whole states only")
            }
            Self::Failed {
                key,
                failure,
                retry_in,
                ..
            } => {
                write!(f, "publication {key}: {failure}")?;
                match retry_in {
                    Some(wait) => write!(f, ", again in {} s", wait.as_secs()),
                    None => Ok(()),
                }
            }
            Self::Removed { key, .. } => write!(f, "publication {key} is over"),
        }
    }
}

/// A publication that cannot be made or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The text names nobody that a PUBLISH could be sent to.
    #[error("{text:?} is no URI to publish for")]
    Resource {
        /// The text.
        text: String,
    },
    /// The event type is no event type, or the media type no media type.
    #[error("{text:?} is no event type or media type")]
    Type {
        /// The text.
        text: String,
    },
    /// The settings do not allow as many publications.
    #[error("there are {limit} publications already")]
    TooMany {
        /// How many they allow.
        limit: usize,
    },
    /// The body or the header fields are larger than the settings allow.
    #[error("larger than {limit} octets")]
    TooLarge {
        /// How large they may be.
        limit: usize,
    },
    /// A body that is to be published has to have something in it (RFC 3903 section 4.2).
    #[error("there is nothing to publish")]
    Empty,
    /// There is no such publication (any more), or it is being removed.
    #[error("no such publication")]
    Unknown,
}
