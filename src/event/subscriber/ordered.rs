//! Bodies that the application sends with SUBSCRIBEs.

use std::sync::Arc;

use bytes::Bytes;

use super::subscription::Wish;
use super::{OwnSubscriptionKey, SubscribeError, Subscriber};
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::sip::{Content, MediaType};

impl Subscriber {
    /// Asks for another duration, counted from now, by a SUBSCRIBE of its own within the subscription,
    /// which carries this body: media type and octets. Repetitions after a challenge carry it as well,
    /// refreshes do not. [`SubscriberEvent::Prolonged`] tells what has become of it; the subscription
    /// goes on all the same.
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
        let subscription = self.subscriptions.get_mut(key.0);
        let subscription = subscription.filter(|it| it.wish == Wish::Watch);
        let subscription = subscription.ok_or(SubscribeError::Unknown)?;
        if subscription.dialogs.is_empty() {
            return Ok(false);
        }
        subscription.expires = expires.max(1);
        self.order_all(key.0, content);
        Ok(true)
    }

    /// The same as [`end`](Self::end), with a body for the SUBSCRIBE that ends it.
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
        self.order_all(key.0, content);
        Ok(())
    }

    /// The next SUBSCRIBE of each dialog has this body.
    fn order_all(&mut self, key: Key, content: Option<Arc<Content>>) {
        for dialog_key in self.dialogs_of(key) {
            if let Some(dialog) = self.dialogs.get_mut(dialog_key) {
                dialog.ordered.clone_from(&content);
                dialog.state_only = false;
                self.queue_dialog(dialog_key);
            }
        }
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
