//! Bodies that the application sends with SUBSCRIBEs.

use std::sync::Arc;

use bytes::Bytes;

use super::subscription::{Ordered, Wish};
use super::{OwnSubscriptionKey, SubscribeError, SubscribeFailure, Subscriber, SubscriberEvent};
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::sip::{Content, MediaType};

impl Subscriber {
    /// Asks for another duration, counted from now, by a SUBSCRIBE of its own within the subscription,
    /// which carries this body: media type and octets. Repetitions after a challenge carry it as well,
    /// refreshes do not. [`SubscriberEvent::Prolonged`] tells what has become of it, unless the
    /// subscription itself is over; else that goes on as it was where there is no more time to be had.
    /// A 423 is such a refusal: the body is not for another duration.
    ///
    /// It waits for a SUBSCRIBE that is under way. Another call before it has left takes its place.
    ///
    /// False when no notifier has it yet: then nothing has happened.
    ///
    /// # Errors
    /// When there is no such subscription, or it is being ended; when the body cannot be sent.
    pub fn prolong(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        expires: u32,
        body: (&str, Bytes),
    ) -> Result<bool, SubscribeError> {
        self.advance(now);
        let content = self.content(Some(body))?;
        let subscription = self.subscriptions.get(key.0);
        let subscription = subscription.filter(|it| it.wish == Wish::Watch);
        let subscription = subscription.ok_or(SubscribeError::Unknown)?;
        if subscription.dialogs.is_empty() {
            return Ok(false);
        }
        self.order_all(key.0, content, expires.max(1));
        Ok(true)
    }

    /// The same as [`end`](Self::end), with a body for the SUBSCRIBE that ends it, where a notifier has
    /// it.
    ///
    /// # Errors
    /// As of [`prolong`](Self::prolong).
    pub fn end_with(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        body: (&str, Bytes),
    ) -> Result<(), SubscribeError> {
        self.advance(now);
        let content = self.content(Some(body))?;
        let subscription = self.subscriptions.get(key.0);
        if subscription.ok_or(SubscribeError::Unknown)?.is_leaving() {
            return Ok(());
        }
        self.end(now, key)?;
        self.order_all(key.0, content, 0);
        Ok(())
    }

    /// The next SUBSCRIBE of each dialog has this body.
    fn order_all(&mut self, key: Key, content: Option<Arc<Content>>, expires: u32) {
        for dialog_key in self.dialogs_of(key) {
            if let Some(dialog) = self.dialogs.get_mut(dialog_key) {
                dialog.ordered = content.clone().map(|content| Ordered { content, expires });
                dialog.state_only = false;
                self.queue_dialog(dialog_key);
            }
        }
    }

    /// What has become of the wish for another duration.
    pub(super) fn prolonged(&mut self, key: Key, result: Result<u32, SubscribeFailure>) {
        let key = OwnSubscriptionKey(key);
        self.event(SubscriberEvent::Prolonged { key, result });
    }

    pub(super) fn content(
        &self,
        body: Option<(&str, Bytes)>,
    ) -> Result<Option<Arc<Content>>, SubscribeError> {
        let Some((media_type, body)) = body else {
            return Ok(None);
        };
        if MediaType::parse(media_type).is_err() || media_type.contains(['\r', '\n']) {
            return Err(SubscribeError::Malformed {
                text: media_type.to_owned(),
            });
        }
        if body.len() > self.config.body {
            return Err(SubscribeError::TooLarge {
                limit: self.config.body,
            });
        }
        Ok(Some(Arc::new(Content::new("", Some(media_type), body))))
    }
}
