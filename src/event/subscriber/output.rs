//! What comes out of a subscriber.

use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use crate::engine::slab::Key;
use crate::event::{Identity, NeedCredentials, Opening};
use crate::mime::{OpenError, Signer};
use crate::sip::{OutgoingRequest, Rates, Reason, Response};

/// One thing for the host to do, taken with `poll_output` until there is none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what is not done is lost"]
pub enum SubscriberOutput {
    /// Answer a request.
    Respond(Response),
    /// Send this request in a new client transaction and report what becomes of it.
    Send(OutgoingRequest),
    /// Something happened that the application may want to know.
    Event(SubscriberEvent),
    /// A request was challenged: answer with `provide_credentials` or `decline_credentials`.
    NeedCredentials(NeedCredentials),
    /// A pres URI has to be resolved: answer with `provide_targets` or `decline_targets`.
    Resolve(Resolve),
    /// A NOTIFY has a body that is signed or encrypted: open it, and report with `complete_opening`.
    Open(Opening),
}

/// Names a subscription of ours while it lasts; later the name is stale and finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnSubscriptionKey(pub(in crate::event) Key);

impl fmt::Display for OwnSubscriptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}.{}", self.0.index, self.0.generation)
    }
}

/// Names a dialog with a notifier: within one of them CSeq tells what is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotifierKey(pub(super) Key);

/// The wish to know where the requests for a pres URI go (RFC 3861 section 3, RFC 5509).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolve {
    /// Which subscription waits for it.
    pub key: OwnSubscriptionKey,
    /// The name whose SRV records are asked for: `_pres._sip.` and the domain.
    pub srv_name: String,
}

/// An SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SrvRecord {
    /// The lower, the sooner it is tried.
    pub priority: u16,
    /// Its share among those of the same priority.
    pub weight: u16,
    /// The port; 0 leaves it to the target's own records.
    pub port: u16,
    /// The name of a host; `.` says that there is no such service.
    pub target: String,
}

/// What a notifier says of a subscription (RFC 6665 section 4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NotifiedState {
    /// Nobody has decided yet.
    Pending,
    /// It is accepted.
    Active,
    /// A word that RFC 6665 does not know; nothing is said of authorization.
    Other,
    /// It is over.
    Terminated,
}

/// The body of a NOTIFY, of a type that the subscriber takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotifiedBody {
    /// One of the profile's media types.
    pub media_type: &'static str,
    /// The `charset` parameter that it came with.
    pub charset: Option<String>,
    /// The octets.
    pub bytes: Bytes,
    /// Who signed it; nobody when it was not signed.
    pub signers: Vec<Signer>,
    /// Whether it was encrypted.
    pub is_encrypted: bool,
    /// Whether those who signed it have signed the header fields of the NOTIFY with it (RFC 3261 section
    /// 23.4): From, To, Call-ID, CSeq, Contact, Event, Subscription-State.
    pub covers_header: bool,
}

/// Why a body of a NOTIFY was refused; what the NOTIFY says of the subscription counts all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusedBody {
    /// 415: of a type, or in an encoding, that nobody asked for; as it was written.
    Type(String),
    /// 413: longer than the settings allow, as it came or opened.
    Length(usize),
    /// It is signed or encrypted, and could not be opened; answered by
    /// [`OpenError::status`].
    Unopened(OpenError),
    /// 500: it was not opened in time. [`request_state`](super::Subscriber::request_state) has the state
    /// sent again.
    Late,
    /// 503: too many are opened already; the same helps later.
    Busy,
}

impl fmt::Display for RefusedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(name) => write!(f, "body of type {name:?}"),
            Self::Length(octets) => write!(f, "body of {octets} octets"),
            Self::Unopened(error) => write!(f, "body {error}"),
            Self::Late => f.write_str("body not opened in time"),
            Self::Busy => f.write_str("too many bodies to open"),
        }
    }
}

/// Something that happened to a subscription of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriberEvent {
    /// A NOTIFY was taken. Those of one notifier come in the order of their CSeq, and all events of a
    /// subscription in that of what has happened: while a body is opened they wait for it.
    Notified {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Which notifier; nothing when it ended the subscription by its first NOTIFY, which makes no
        /// dialog.
        notifier: Option<NotifierKey>,
        /// What it says of the subscription.
        state: NotifiedState,
        /// Seconds until it is over unless it is refreshed, which it will be.
        expires: u32,
        /// Who sent it, as the host has established it.
        sender: Identity,
        /// The state of the resource; nothing when the NOTIFY had none.
        body: Option<NotifiedBody>,
        /// The entity-tag of the state (RFC 5839): what [`hold`](super::Subscriber::hold) is told when
        /// the body was taken.
        entity_tag: Option<String>,
    },
    /// The notifier has the very state that is [held](super::Subscriber::hold), and has not sent it
    /// again for that reason (RFC 5839 sections 5.4 to 5.6).
    Confirmed {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Which notifier; nothing when it has made no dialog.
        notifier: Option<NotifierKey>,
    },
    /// A NOTIFY had a body that was refused.
    BodyRefused {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Why.
        body: RefusedBody,
    },
    /// What has become of the wish for another duration ([`prolong`](super::Subscriber::prolong)).
    Prolonged {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// The seconds granted, or why there are none.
        result: Result<u32, SubscribeFailure>,
    },
    /// A notifier's subscription has ended.
    Ended {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Which notifier.
        notifier: Option<NotifierKey>,
        /// Why.
        end: SubscriptionEnd,
        /// When it is asked for again. Nothing: it is not, unless the application asks for it
        /// ([`Subscriber::renew`](super::Subscriber::renew)), or another notifier is left.
        retry_in: Option<Duration>,
    },
    /// A SUBSCRIBE has failed: one for a new subscription, or one that was to keep a subscription, which
    /// lasts until its time is over.
    Failed {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Whether there is a subscription all the same.
        is_refresh: bool,
        /// Why.
        failure: SubscribeFailure,
        /// When it is tried again, up to half a minute later where the server has asked to wait. Nothing:
        /// not before the application asks for it.
        retry_in: Option<Duration>,
    },
    /// What is asked for waits, since its next hop has asked to be spared (RFC 3261 section 21.5.4).
    Delayed {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// How long it waits.
        retry_in: Duration,
    },
    /// A subscription is over as the application asked for, or it was a fetch. The key is stale.
    Over {
        /// Which.
        key: OwnSubscriptionKey,
        /// Whether it was to have the state once.
        was_fetch: bool,
        /// Of an end: whether no notifier has it any more; if not, it runs out there. Of a fetch:
        /// whether it was answered.
        confirmed: bool,
    },
}

/// Why a subscription has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionEnd {
    /// The notifier has ended it.
    ByNotifier {
        /// Its reason, as it was written.
        reason: Option<String>,
        /// The seconds that it asks to wait for.
        retry_after: Option<u32>,
    },
    /// The notifier does not know it any more: a refresh was answered by this status.
    Unknown {
        /// The status code.
        status: u16,
    },
    /// No NOTIFY came after a refresh (Timer N).
    Silent,
    /// It could not be refreshed in time.
    Expired,
}

impl SubscriptionEnd {
    /// The notifier's reason, when it has given one.
    pub fn reason(&self) -> Option<Reason<'_>> {
        match self {
            Self::ByNotifier { reason, .. } => reason.as_deref().map(Reason::from_token),
            Self::Unknown { .. } | Self::Silent | Self::Expired => None,
        }
    }
}

/// Why a SUBSCRIBE has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeFailure {
    /// It was refused by this status; 405 and 489 say that there is no notifier of this package (RFC
    /// 6665 section 8.3.2).
    Refused {
        /// The status code.
        status: u16,
    },
    /// It was not answered.
    Timeout,
    /// It could not be sent.
    Transport,
    /// The host did not report what became of it.
    Forgotten,
    /// It was accepted, and no NOTIFY came in time (Timer N).
    Silent,
    /// The pres URI could not be resolved.
    Unresolved,
    /// The notifier does not take the body of the SUBSCRIBE, or not what it says, such as a filter (415
    /// and 488, RFC 4660 section 3.3.4). A subscription that there is goes on with the one before.
    /// [`set_body`](super::Subscriber::set_body) gives another.
    Body {
        /// The status code.
        status: u16,
    },
}

impl SubscribeFailure {
    /// The status that it was refused by.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status } | Self::Body { status } => Some(*status),
            Self::Timeout | Self::Transport | Self::Forgotten | Self::Silent | Self::Unresolved => {
                None
            }
        }
    }
}

impl fmt::Display for SubscribeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status } | Self::Body { status } => {
                write!(f, "SUBSCRIBE answered {status}")
            }
            Self::Timeout => f.write_str("SUBSCRIBE not answered"),
            Self::Transport => f.write_str("SUBSCRIBE could not be sent"),
            Self::Forgotten => f.write_str("outcome of a SUBSCRIBE never reported"),
            Self::Silent => f.write_str("no NOTIFY after a SUBSCRIBE"),
            Self::Unresolved => f.write_str("URI not resolved"),
        }
    }
}

impl fmt::Display for SubscriptionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByNotifier { reason: None, .. } => f.write_str("ended by the notifier"),
            Self::ByNotifier {
                reason: Some(reason),
                ..
            } => write!(f, "ended by the notifier: {reason}"),
            Self::Unknown { status } => write!(f, "refresh answered {status}"),
            Self::Silent => f.write_str("no NOTIFY after a refresh"),
            Self::Expired => f.write_str("not refreshed in time"),
        }
    }
}

impl SubscriberEvent {
    /// Which subscription it is about.
    pub(super) fn key(&self) -> OwnSubscriptionKey {
        match self {
            Self::Notified { key, .. }
            | Self::Confirmed { key, .. }
            | Self::BodyRefused { key, .. }
            | Self::Prolonged { key, .. }
            | Self::Ended { key, .. }
            | Self::Failed { key, .. }
            | Self::Delayed { key, .. }
            | Self::Over { key, .. } => *key,
        }
    }
}

fn again(f: &mut fmt::Formatter<'_>, retry_in: Option<Duration>) -> fmt::Result {
    match retry_in {
        Some(wait) => write!(f, ", again in {} s", wait.as_secs()),
        None => Ok(()),
    }
}

impl fmt::Display for SubscriberEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notified { key, state, .. } => {
                let state = match state {
                    NotifiedState::Pending => "pending",
                    NotifiedState::Active => "active",
                    NotifiedState::Other => "in a state that is not known",
                    NotifiedState::Terminated => "terminated",
                };
                write!(f, "subscription {key} is {state}")
            }
            Self::Confirmed { key, .. } => write!(f, "subscription {key}: the state is unchanged"),
            Self::BodyRefused { key, body } => write!(f, "subscription {key}: {body}"),
            Self::Prolonged {
                key,
                result: Ok(expires),
            } => write!(f, "subscription {key} is prolonged for {expires} s"),
            Self::Prolonged {
                key,
                result: Err(failure),
            } => write!(f, "subscription {key} is not prolonged: {failure}"),
            Self::Ended {
                key, end, retry_in, ..
            } => {
                write!(f, "subscription {key} {end}")?;
                again(f, *retry_in)
            }
            Self::Failed {
                key,
                failure,
                retry_in,
                ..
            } => {
                write!(f, "subscription {key}: {failure}")?;
                again(f, *retry_in)
            }
            Self::Delayed { key, retry_in } => {
                write!(f, "subscription {key}: the next hop is busy")?;
                again(f, Some(*retry_in))
            }
            Self::Over { key, .. } => write!(f, "subscription {key} is over"),
        }
    }
}

/// A subscription that cannot be made or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The text names nobody that a SUBSCRIBE could be sent to.
    #[error("{text:?} is no URI to subscribe to")]
    Resource {
        /// The text.
        text: String,
    },
    /// The account has no Contact, without which no NOTIFY comes.
    #[error("the account has no contact")]
    NoContact,
    /// What is watched by a sips URI demands a Contact that is one (RFC 3261 section 8.1.1.8).
    #[error("a sips URI is watched by an account whose contact is none")]
    InsecureContact,
    /// What is watched by a sips URI demands TLS on each hop; the account's proxy is reached without
    /// (RFC 3261 section 26.2.2).
    #[error("a sips URI is watched through a proxy without TLS")]
    InsecureRoute,
    /// The text is no event id, no media type, or no entity-tag.
    #[error("{text:?} is no event id, media type or entity-tag")]
    Malformed {
        /// The text.
        text: String,
    },
    /// The lowest rate asked for is not below the highest, or that over a longer time is not between
    /// them (RFC 6446 section 8).
    #[error("the rates contradict each other:{rates}")]
    Rates {
        /// What was asked for.
        rates: Rates,
    },
    /// What is held is the state of another resource, for which entity-tags mean something else (RFC 5839
    /// section 5.3).
    #[error("the state that is held is that of {resource:?}")]
    OtherResource {
        /// Of which.
        resource: String,
    },
    /// The settings do not allow as many subscriptions.
    #[error("there are {limit} subscriptions already")]
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
    /// There is no such subscription (any more), or it is being ended.
    #[error("no such subscription")]
    Unknown,
}
