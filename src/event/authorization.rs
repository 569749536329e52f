//! What may be decided about a subscription or a publication.

use core::fmt;
use std::sync::Arc;

use super::identity::Identity;
use super::output::SubscriptionKey;
use crate::engine::Timestamp;
use crate::mime::Signer;

/// Names what a watcher sees of a resource: everything, or a part that the package knows by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct View(Option<Arc<str>>);

impl View {
    /// The whole state.
    pub const fn full() -> Self {
        Self(None)
    }

    /// A part of the state, by a name of the application's.
    pub fn named(name: &str) -> Self {
        Self(Some(name.into()))
    }

    /// The name; nothing for the whole state.
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// How a subscription is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// 403.
    Forbidden,
    /// 603: refused for good.
    Decline,
}

/// What a watcher may have (RFC 3856 section 6.6.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// It sees the state, or a view of it.
    Allow(View),
    /// Not known yet: the subscription waits, without state, until the application decides.
    Pending,
    /// It is told that all is well and sees nothing of the state (RFC 6665 section 6.2).
    PoliteBlock,
    /// It is refused; a live subscription ends with `rejected`.
    Reject(Rejection),
}

/// The answer of a package or policy to a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authorization {
    /// Decided, be it for the time being.
    Decided(Decision),
    /// Nothing can be said before the watcher proves who it is: 401.
    Challenge,
    /// Nothing can be said before the watcher's request comes with a signature that is worth as
    /// much: 403.
    SignatureRequired(Signature),
}

impl From<Decision> for Authorization {
    fn from(decision: Decision) -> Self {
        Self::Decided(decision)
    }
}

/// The answer of a package or policy to a PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PublishDecision {
    /// Taken.
    Allow,
    /// 403.
    Forbid,
    /// 401.
    Challenge,
    /// Taken if the application's job succeeds ([`Output::Job`](super::Output::Job)), such as a
    /// write to its database; 504 if it fails or takes too long.
    Defer,
}

/// A SUBSCRIBE that asks for a decision.
#[derive(Debug, Clone)]
pub struct SubscribeQuery<'a> {
    pub(super) now: Timestamp,
    pub(super) identity: &'a Identity,
    pub(super) resource: &'a str,
    pub(super) uri: &'a str,
    pub(super) current: Option<&'a Decision>,
    pub(super) subscription: Option<SubscriptionKey>,
    pub(super) expires: u32,
    pub(super) signature: Signature,
    pub(super) signers: &'a [Signer],
    pub(super) is_encrypted: bool,
    pub(super) covers_header: bool,
}

/// What a signature over the body of a request says of who asks. A higher one is worth more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Signature {
    /// There is none.
    #[default]
    None,
    /// It is right, and its certificate is trusted, but names somebody else than who asks.
    Valid,
    /// It is right, and its trusted certificate names who sends it. Without more it proves that this one has
    /// written the body, at some time: what keeps an old one from being sent again is the body's own (a
    /// subscription document has its time), or [`covers_header`](SubscribeQuery::covers_header).
    Bound,
}

impl SubscribeQuery<'_> {
    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Who asks.
    pub fn identity(&self) -> &Identity {
        self.identity
    }

    /// The canonical address of record of who asks; nothing for nobody.
    pub fn watcher(&self) -> Option<&str> {
        self.identity.primary()
    }

    /// The canonical name of the resource that is asked for (for presence: the presentity).
    pub fn resource(&self) -> &str {
        self.resource
    }

    /// The resource as the watcher named it, in the Request-URI of the first SUBSCRIBE.
    pub fn uri(&self) -> &str {
        self.uri
    }

    /// What holds for the subscription now, when this is a refresh. To answer
    /// [`Decision::Pending`] then leaves that as it is.
    pub fn current(&self) -> Option<&Decision> {
        self.current
    }

    /// Which subscription, when this is a refresh.
    pub fn subscription(&self) -> Option<SubscriptionKey> {
        self.subscription
    }

    /// What a signature over the request says; the watcher is one of the
    /// [`identity`](Self::identity) when it is [`Signature::Bound`].
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// Who signed the body, where the host has opened it on the way; each tells whether it is trusted.
    pub fn signers(&self) -> &[Signer] {
        self.signers
    }

    /// Whether the body was encrypted, and the host has opened it.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Whether the signers have signed the header fields with the body (RFC 3261 section 23.4), so that
    /// nobody has altered on the way who sends it, for whom, and for how long.
    pub fn covers_header(&self) -> bool {
        self.covers_header
    }

    /// The duration that will be granted, in seconds; 0 is a fetch or the end of a subscription.
    pub fn expires(&self) -> u32 {
        self.expires
    }
}

/// What a PUBLISH does (RFC 3903 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PublishKind {
    /// A new publication.
    Initial,
    /// More time for one.
    Refresh,
    /// Another body for one.
    Modify,
    /// The end of one.
    Remove,
}

/// A PUBLISH that asks for a decision.
#[derive(Debug, Clone)]
pub struct PublishQuery<'a> {
    pub(super) identity: &'a Identity,
    pub(super) resource: &'a str,
    pub(super) kind: PublishKind,
    pub(super) signature: Signature,
    pub(super) signers: &'a [Signer],
    pub(super) is_encrypted: bool,
    pub(super) covers_header: bool,
}

impl PublishQuery<'_> {
    /// Who asks.
    pub fn identity(&self) -> &Identity {
        self.identity
    }

    /// The canonical name of the resource whose state is published.
    pub fn resource(&self) -> &str {
        self.resource
    }

    /// What is asked for.
    pub fn kind(&self) -> PublishKind {
        self.kind
    }

    /// What a signature over the body says; the signer is one of the
    /// [`identity`](Self::identity) when it is [`Signature::Bound`]. A refresh has no body, and a removal
    /// needs none.
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// Who signed the body; each tells whether it is trusted. They need not be who publishes.
    pub fn signers(&self) -> &[Signer] {
        self.signers
    }

    /// Whether the body was encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Whether the signers have signed the header fields with the body (RFC 3261 section 23.4), so that
    /// nobody has altered on the way who sends it, for whom, and for how long.
    pub fn covers_header(&self) -> bool {
        self.covers_header
    }
}

/// Why a subscription ends, as the watcher is told (RFC 6665 section 4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It moves elsewhere: subscribe again at once. The one that brings real clients back.
    Deactivated,
    /// Subscribe again later.
    Probation,
    /// Refused by policy: do not come back.
    Rejected,
    /// It ran out, or was ended by the watcher.
    Timeout,
    /// No decision was to be had in time.
    GiveUp,
    /// The resource is no more: do not come back.
    NoResource,
    /// The state will not change: keep it and do not come back.
    Invariant,
    /// The filter that it brought is not applied any more: do not come back with it (RFC 4660 section 5.4).
    BadFilter,
}

impl Reason {
    /// The value in Subscription-State.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Probation => "probation",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::GiveUp => "giveup",
            Self::NoResource => "noresource",
            Self::Invariant => "invariant",
            Self::BadFilter => "badfilter",
        }
    }

    /// The reason that a value names, compared without case; nothing for an unknown one.
    pub fn parse(value: &str) -> Option<Self> {
        [
            Self::Deactivated,
            Self::Probation,
            Self::Rejected,
            Self::Timeout,
            Self::GiveUp,
            Self::NoResource,
            Self::Invariant,
            Self::BadFilter,
        ]
        .into_iter()
        .find(|reason| reason.as_str().eq_ignore_ascii_case(value))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the application ends subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Termination {
    pub(super) reason: Reason,
    pub(super) retry_after: Option<u32>,
}

impl Termination {
    /// With a reason.
    pub const fn new(reason: Reason) -> Self {
        Self {
            reason,
            retry_after: None,
        }
    }

    /// And with seconds to wait before a new attempt; it means something for `probation` and
    /// `giveup`; with `invariant` a very long time keeps old clients away that do not know it. Many
    /// clients do not come back at all after any of those.
    #[must_use]
    pub const fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}
