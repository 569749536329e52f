//! What a watcher asks of a subscription that it has.

use bytes::Bytes;

use super::watcher::Watcher;
use crate::engine::Timestamp;
use crate::event::{OwnSubscriptionKey, SubscribeError};
use crate::sip::Rates;

#[cfg(doc)]
use crate::event::Subscriber;

impl Watcher {
    /// See [`Subscriber::set_rates`].
    ///
    /// # Errors
    /// When the rates contradict each other, or there is no such subscription.
    pub fn set_rates(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        rates: Rates,
    ) -> Result<(), SubscribeError> {
        self.subscriber.set_rates(now, key, rates)
    }

    /// Gives a subscription another body, media type and octets, such as a filter of
    /// `application/simple-filter+xml` (RFC 4660): see [`Subscriber::set_body`].
    ///
    /// What is known stays known until the notifier sends what the other body leads to.
    ///
    /// # Errors
    /// When there is no such subscription, or it is being ended; when the body cannot be sent.
    pub fn set_body(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        body: Option<(&str, Bytes)>,
    ) -> Result<(), SubscribeError> {
        self.subscriber.set_body(now, key, body)?;
        if let Some(known) = self.known.get_mut(&key) {
            known.entity_tag = None;
        }
        Ok(())
    }

    /// Whether documents are of no interest for now, since nobody looks: see
    /// [`Subscriber::set_quiet`]. What is known then is not [current](super::WatchInfo::is_current) until
    /// the notifier has confirmed it or has sent another, after it is of interest again.
    pub fn set_quiet(&mut self, now: Timestamp, key: OwnSubscriptionKey, is_quiet: bool) -> bool {
        let is_told = self.subscriber.set_quiet(now, key, is_quiet);
        if let Some(known) = self.known.get_mut(&key) {
            if is_told && known.is_quiet != is_quiet {
                known.notifier = None;
            }
            known.is_quiet = is_told && is_quiet;
        }
        is_told
    }
}
