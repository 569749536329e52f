//! What comes out of a subscriber to watcher information.

use core::fmt;
use core::time::Duration;

use super::change::WatcherChange;
use super::error::{ReadWatcherInfoError, WatcherInfoFault};
use crate::event::{
    Identity, NeedCredentials, NotifiedState, NotifierKey, Opening, OwnSubscriptionKey,
    RefusedBody, Resolve, SubscribeFailure, SubscriptionEnd,
};
use crate::sip::{OutgoingRequest, Response};

/// One thing for the host to do, taken with `poll_output` until there is none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what is not done is lost"]
pub enum WatcherInfoOutput {
    /// Answer a request.
    Respond(Response),
    /// Send this request in a new client transaction and report what becomes of it.
    Send(OutgoingRequest),
    /// Something happened that the application may want to know.
    Event(WatcherInfoEvent),
    /// A request was challenged: answer with `provide_credentials` or `decline_credentials`.
    NeedCredentials(NeedCredentials),
    /// A pres URI has to be resolved: answer with `provide_targets` or `decline_targets`.
    Resolve(Resolve),
    /// A NOTIFY has a body that is signed or encrypted: open it, and report with `complete_opening`.
    Open(Opening),
}

/// Something that happened to the watcher information that is followed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum WatcherInfoEvent {
    /// Who watches is something else now, or for the first time it is known that nobody does.
    Changed {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Which notifier says so; nothing when it ended the subscription by its first NOTIFY, or when
        /// what it said is forgotten.
        notifier: Option<NotifierKey>,
        /// The rows that have changed. That seconds have passed is no change.
        changes: Vec<WatcherChange>,
        /// Whether everything is known that this notifier has told.
        is_complete: bool,
        /// Who sent the document, as the host has established it; it is up to the application whom it
        /// believes what.
        sender: Identity,
    },
    /// The subscription is in another state at this notifier: it waits for somebody's decision, or is
    /// accepted.
    State {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Which notifier.
        notifier: Option<NotifierKey>,
        /// The state.
        state: NotifiedState,
    },
    /// Documents of this notifier are missing, or its first one did not tell everything. It is asked for
    /// everything, at once or when it was not asked for a while.
    Missed {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Which notifier.
        notifier: Option<NotifierKey>,
    },
    /// A document is not newer than what is known of this notifier; it was left aside. Should that not
    /// end, another subscription helps.
    Outdated {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Which notifier.
        notifier: Option<NotifierKey>,
        /// The version of the document.
        version: u32,
        /// The version that is known.
        known: u32,
    },
    /// A document could not be read; what was known stays.
    Unreadable {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// What is wrong with it.
        error: ReadWatcherInfoError,
    },
    /// A document had faults, and was taken without what they say.
    Tolerated {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// The first of the faults.
        faults: Vec<WatcherInfoFault>,
    },
    /// A document had more than the settings allow to know of one notifier.
    Overfull {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Entries and lists that found no room.
        left_out: usize,
    },
    /// A NOTIFY had a body that nobody asked for, or that could not be opened, and that was refused.
    BodyRefused {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Why.
        body: RefusedBody,
    },
    /// A notifier's subscription has ended.
    Ended {
        /// Which subscription.
        key: OwnSubscriptionKey,
        /// Which notifier.
        notifier: Option<NotifierKey>,
        /// Why.
        end: SubscriptionEnd,
        /// When it is asked for again; until then what was known stays. Nothing: not unless the
        /// application asks for it with `renew`, or another notifier is left.
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
    /// It is not followed any more, or the fetch is over. The key is stale.
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

impl fmt::Display for WatcherInfoEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = |f: &mut fmt::Formatter<'_>, retry_in: &Option<Duration>| match retry_in {
            Some(wait) => write!(f, ", again in {} s", wait.as_secs()),
            None => Ok(()),
        };
        match self {
            Self::Changed { key, changes, .. } => {
                write!(f, "watchers of {key}: {} have changed", changes.len())
            }
            Self::State { key, state, .. } => write!(f, "subscription {key} is {state:?}"),
            Self::Missed { key, .. } => write!(f, "watchers of {key} are not all known"),
            Self::Outdated {
                key,
                version,
                known,
                ..
            } => write!(f, "document {version} of {key} follows {known}"),
            Self::Unreadable { key, error } => write!(f, "document of {key}: {error}"),
            Self::Tolerated { key, faults } => {
                write!(f, "document of {key}: {} faults", faults.len())
            }
            Self::Overfull { key, left_out } => {
                write!(f, "watchers of {key}: no room for {left_out}")
            }
            Self::BodyRefused { key, body } => write!(f, "subscription {key}: {body}"),
            Self::Ended {
                key, end, retry_in, ..
            } => {
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
