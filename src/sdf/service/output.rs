//! What comes out of the service.

use core::fmt;
use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::super::{Failure, Verification};
use crate::engine::{ClientTransaction, FlowId, ServerTransaction};
use crate::event::{DirectNotification, DirectState, EndReason, SubscriptionKey};

/// One thing for the host to do, taken with `poll_output` until there is none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what is not done is lost"]
pub enum Output {
    /// Answer a request.
    Respond {
        /// That opened this transaction.
        transaction: ServerTransaction,
        /// With what is granted, or why nothing is.
        result: Result<Granted, Failure>,
    },
    /// Bring this to a watcher, and tell what became of it with
    /// [`handle_delivery`](super::Service::handle_delivery).
    Notify(Notification),
    /// A subscription is over for another reason than that its watcher has cancelled it.
    Ended(Ended),
    /// A request waits for the verification of its signature: verify, and report with
    /// [`complete_verification`](super::Service::complete_verification).
    Verify(Verification),
    /// What the agent puts out, for watchers that came by SIP or for the application. Events tell of
    /// all subscriptions.
    Agent(crate::event::Output),
}

/// What a request did (section 4 of the draft).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A subscription has begun.
    Subscribe,
    /// A subscription has a new end, counted from now.
    Extend,
    /// The presence information follows once.
    Fetch,
    /// A subscription is over.
    Cancel,
}

impl Operation {
    /// The name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Extend => "extend",
            Self::Fetch => "fetch",
            Self::Cancel => "cancel",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Granted {
    /// What was done.
    pub operation: Operation,
    /// The seconds granted, which may be fewer than were asked for; 0 for a fetch and a cancellation.
    pub duration: u32,
    /// A decision is awaited: what follows does not show the presentity yet.
    pub pending: bool,
}

/// Presence information for a watcher.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification(pub(super) DirectNotification);

impl Notification {
    /// Names it in [`handle_delivery`](super::Service::handle_delivery); nothing for a fetch, of which
    /// no report is awaited: those are not counted against the window, and the host bounds them itself.
    pub fn transaction(&self) -> Option<ClientTransaction> {
        self.0.transaction
    }

    /// The subscription among those of the agent; nothing for a fetch.
    pub fn key(&self) -> Option<SubscriptionKey> {
        self.0.key
    }

    /// The watcher, by the From of its first request.
    pub fn watcher(&self) -> Cow<'_, str> {
        self.0.name.watcher()
    }

    /// The presentity, as the watcher names it.
    pub fn presentity(&self) -> &Arc<str> {
        &self.0.entity
    }

    /// The token of the subscription; nothing for a fetch.
    pub fn token(&self) -> Option<&str> {
        let token = self.0.name.id();
        (!token.is_empty()).then_some(token)
    }

    /// The connection or path of the watcher's last request; nothing when none was told, or it was lost
    /// ([`handle_flow_lost`](crate::presence::Agent::handle_flow_lost)).
    pub fn flow(&self) -> Option<FlowId> {
        self.0.flow
    }

    /// Seconds that the subscription lives from now on; nothing for a fetch.
    pub fn duration(&self) -> Option<u32> {
        match self.0.state {
            DirectState::Active(seconds) | DirectState::Pending(seconds) => Some(seconds),
            DirectState::Fetched => None,
        }
    }

    /// Whether a decision is awaited.
    pub fn is_pending(&self) -> bool {
        matches!(self.0.state, DirectState::Pending(_))
    }

    /// The media type of the document.
    pub fn media_type(&self) -> &'static str {
        self.0.media_type
    }

    /// The document, shared by all who see the same; empty when there is none to show.
    pub fn body(&self) -> &Bytes {
        &self.0.body
    }
}

/// A subscription is over, and nothing follows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// The subscription; stale already.
    pub key: SubscriptionKey,
    /// The watcher, by the From of its first request.
    pub watcher: String,
    /// The canonical name of the presentity.
    pub presentity: Arc<str>,
    /// The token.
    pub token: String,
    /// Why.
    pub reason: EndReason,
}
