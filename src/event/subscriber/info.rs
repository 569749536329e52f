//! What is known of subscriptions of ours.

use super::subscription::{Phase, Subscription};
use super::{NotifiedState, OwnSubscriptionKey, Subscriber};
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::sip::Rates;

/// How far a subscription of ours has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnSubscriptionPhase {
    /// It was asked for, or is about to be; nothing is known.
    Trying,
    /// Notifiers have it, in this state: the best of them, where there are several.
    Held(NotifiedState),
    /// It is asked for again later.
    Waiting,
    /// It is not asked for again unless the application asks for it.
    Refused,
    /// It is being ended.
    Leaving,
}

/// What is known of a subscription of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnSubscriptionInfo<'a> {
    /// Its name.
    pub key: OwnSubscriptionKey,
    /// The resource.
    pub resource: &'a str,
    /// How far it has come.
    pub phase: OwnSubscriptionPhase,
    /// Notifiers that have it.
    pub notifiers: usize,
    /// When the last of them lets it end unless it is refreshed, which it will be.
    pub expires_at: Option<Timestamp>,
    /// When it is asked for again, if it waits for that.
    pub retry_at: Option<Timestamp>,
    /// The rates that the notifier that was heard last holds to (RFC 6446), which may be others than
    /// were asked for; nothing when it does not say that it holds to any.
    pub rates: Option<Rates>,
}

impl Subscriber {
    /// One subscription.
    pub fn subscription(&self, key: OwnSubscriptionKey) -> Option<OwnSubscriptionInfo<'_>> {
        let subscription = self.subscriptions.get(key.0)?;
        Some(self.info(key.0, subscription))
    }

    /// All subscriptions, in an order that depends on nothing but the calls made.
    pub fn subscriptions(&self) -> impl Iterator<Item = OwnSubscriptionInfo<'_>> {
        let subscriptions = self.subscriptions.iter();
        subscriptions.map(|(key, subscription)| self.info(key, subscription))
    }

    fn info<'a>(&self, key: Key, subscription: &'a Subscription) -> OwnSubscriptionInfo<'a> {
        let dialogs = || {
            let keys = subscription.dialogs.iter();
            keys.filter_map(|key| self.dialogs.get(*key))
        };
        let phase = match subscription.phase {
            _ if subscription.is_leaving() => OwnSubscriptionPhase::Leaving,
            Phase::Resolving | Phase::Queued | Phase::Trying => OwnSubscriptionPhase::Trying,
            Phase::Waiting { .. } => OwnSubscriptionPhase::Waiting,
            Phase::Refused => OwnSubscriptionPhase::Refused,
            Phase::Held => {
                let best = dialogs().map(|dialog| dialog.state).max_by_key(|state| {
                    // Terminated ones are gone.
                    (*state == NotifiedState::Active, *state)
                });
                best.map_or(OwnSubscriptionPhase::Trying, OwnSubscriptionPhase::Held)
            }
        };
        OwnSubscriptionInfo {
            key: OwnSubscriptionKey(key),
            resource: &subscription.resource,
            phase,
            notifiers: subscription.dialogs.len(),
            expires_at: dialogs().map(|dialog| dialog.expires_at).max(),
            rates: subscription.granted_rates(),
            retry_at: match subscription.phase {
                Phase::Waiting { .. } => subscription.timer.0.as_ref().map(|(_, at)| *at),
                Phase::Resolving | Phase::Queued | Phase::Trying | Phase::Held | Phase::Refused => {
                    None
                }
            },
        }
    }
}
