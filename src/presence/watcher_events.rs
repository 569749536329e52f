//! What comes out of a watcher.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use super::protection::Unprotected;
use super::signer::Authority;
use crate::event::{
    Identity, NeedCredentials, NotifiedState, Opening, OwnSubscriptionKey, RefusedBody, Resolve,
    SubscribeFailure, SubscriptionEnd,
};
use crate::mime::Signer;
use crate::pidf::partial::PartialError;
use crate::pidf::{Difference, Outdated, Presence, ReadError};
use crate::sip::{OutgoingRequest, Response};

/// One thing for the host to do, taken with `poll_output` until there is none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what is not done is lost"]
pub enum WatcherOutput {
    /// Answer a request.
    Respond(Response),
    /// Send this request in a new client transaction and report what becomes of it.
    Send(OutgoingRequest),
    /// Something happened that the application may want to know.
    Event(WatcherEvent),
    /// A request was challenged: answer with `provide_credentials` or `decline_credentials`.
    NeedCredentials(NeedCredentials),
    /// A pres URI has to be resolved: answer with `provide_targets` or `decline_targets`.
    Resolve(Resolve),
    /// A NOTIFY has a body that is signed or encrypted: open it, and report with `complete_opening`.
    Open(Opening),
}

/// Something that happened to what is watched.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum WatcherEvent {
    /// What is known of a presentity is something else now.
    Changed(PresenceChange),
    /// What is known of a presentity is its state again, after that was uncertain: the notifier has said
    /// so, or has sent it once more.
    Confirmed {
        /// Which subscription.
        key: OwnSubscriptionKey,
    },
    /// The subscription is in another state: it waits for somebody's decision, or is accepted.
    State {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// The state.
        state: NotifiedState,
    },
    /// A document could not be read; what was known stays.
    Unreadable {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// What is wrong with it.
        error: ReadError,
    },
    /// A partial document could not be used (RFC 5263 section 4.5): what was known stays, and the notifier
    /// is asked for all of it.
    Unpatched {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// What is wrong with it.
        error: PartialError,
        /// Whether it was not the first, so that whole documents are asked for from now on.
        is_given_up: bool,
    },
    /// A document is older than what is known; it was left aside.
    Outdated {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// How much older.
        outdated: Outdated,
    },
    /// A document is not protected as is demanded for this presentity; it was left aside, and what was
    /// known stays.
    Unprotected {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// What it lacks.
        why: Unprotected,
    },
    /// A NOTIFY had a body that nobody asked for, or that could not be opened, and that was refused.
    BodyRefused {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Why.
        body: RefusedBody,
    },
    /// The subscription has ended.
    Ended {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Why.
        end: SubscriptionEnd,
        /// When it is asked for again. Nothing: not unless the application asks for it with `renew`.
        retry_in: Option<Duration>,
    },
    /// A SUBSCRIBE has failed.
    Failed {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Whether there is a subscription all the same, until its time is over.
        is_refresh: bool,
        /// Why.
        failure: SubscribeFailure,
        /// When it is tried again. Nothing: not unless the application asks for it with `renew`.
        retry_in: Option<Duration>,
    },
    /// What is asked for waits, since its next hop has asked to be spared.
    Delayed {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// How long it waits.
        retry_in: Duration,
    },
    /// The presentity is not watched any more, or the fetch is over. The key is stale.
    Over {
        /// Which subscription it was.
        key: OwnSubscriptionKey,
        /// Whether it was a fetch.
        was_fetch: bool,
        /// Of an end: whether no notifier has it any more; if not, it runs out there. Of a fetch:
        /// whether it was answered.
        confirmed: bool,
    },
}

/// What was known of a presentity, and what is now.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PresenceChange {
    /// Which subscription brought it.
    pub key: OwnSubscriptionKey,
    /// What was known; nothing before the first document.
    pub before: Option<Arc<Presence>>,
    /// What is known now; nothing when the presentity may not be watched any more.
    pub after: Option<Arc<Presence>>,
    /// Who sent the document, as the host has established it; it is up to the application whom it
    /// believes what.
    pub sender: Identity,
    /// Who signed the document; nobody when it was not signed. Each tells whether it is trusted.
    pub signed_by: Vec<Signer>,
    /// What makes one of these, who is trusted, somebody who may speak for the presentity; nothing when
    /// none of them is.
    pub authority: Option<Authority>,
    /// Whether it was encrypted.
    pub is_encrypted: bool,
}

impl PresenceChange {
    /// What differs, part by part; nothing when one of the two is unknown, so that everything does.
    pub fn difference(&self) -> Option<Difference<'_>> {
        let (before, after) = (self.before.as_deref()?, self.after.as_deref()?);
        Some(before.difference(after))
    }
}

impl fmt::Display for WatcherEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = |f: &mut fmt::Formatter<'_>, retry_in: &Option<Duration>| match retry_in {
            Some(wait) => write!(f, ", again in {} s", wait.as_secs()),
            None => Ok(()),
        };
        match self {
            Self::Changed(change) => match change.after {
                Some(_) => write!(f, "presence of {} has changed", change.key),
                None => write!(f, "presence of {} is unknown", change.key),
            },
            Self::Confirmed { key } => write!(f, "presence of {key} is as it was"),
            Self::State { key, state } => write!(f, "subscription {key} is {state:?}"),
            Self::Unreadable { key, error } => write!(f, "document of {key}: {error}"),
            Self::Unpatched { key, error, .. } => write!(f, "changes of {key}: {error}"),
            Self::Outdated { key, outdated } => write!(f, "document of {key}: {outdated}"),
            Self::Unprotected { key, why } => write!(f, "document of {key}: {why}"),
            Self::BodyRefused { key, body } => write!(f, "subscription {key}: {body:?}"),
            Self::Ended { key, end, retry_in } => {
                write!(f, "subscription {key} {end}")?;
                again(f, retry_in)
            }
            Self::Failed {
                key,
                failure,
                retry_in,
                ..
            } => {
                write!(f, "subscription {key}: {failure}")?;
                again(f, retry_in)
            }
            Self::Delayed { key, retry_in } => {
                write!(f, "subscription {key}: the next hop is busy")?;
                again(f, &Some(*retry_in))
            }
            Self::Over { key, .. } => write!(f, "subscription {key} is over"),
        }
    }
}
