//! Bodies that the application sends with SUBSCRIBEs.

use std::sync::Arc;

use bytes::Bytes;

use super::subscription::{Ordered, Phase, Purpose, Subscription, Wish};
use super::{
    OpenSubscribe, OwnSubscriptionKey, SubscribeError, SubscribeFailure, Subscriber,
    SubscriberEvent,
};
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

    /// Gives a subscription another body, such as a filter (RFC 4660 section 3.3.3): notifiers that have
    /// it are sent it at once, with a refresh, and new dialogs begin with it. So it has to say all that is
    /// asked for, be it to replace what was asked for before. A subscription that was refused for its
    /// body is asked for again.
    ///
    /// With nothing new dialogs have no body. Notifiers are not told, since a SUBSCRIBE without body leaves
    /// their filters as they are: a body that removes them is given first.
    ///
    /// When a notifier refuses it, [`SubscriberEvent::Failed`] tells [`SubscribeFailure::Body`], and the
    /// subscription goes on as it was. It takes the place of a body of [`prolong`](Self::prolong) that has
    /// not left. The state that is [held](Self::hold) is that of another question from now on.
    ///
    /// # Errors
    /// When there is no such subscription, or it is being ended; when the body cannot be sent.
    pub fn set_body(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        body: Option<(&str, Bytes)>,
    ) -> Result<(), SubscribeError> {
        self.advance(now);
        let now = self.now;
        let content = self.content(body)?;
        let subscription = self.kept(key)?;
        let is_some = content.is_some();
        let before = core::mem::replace(&mut subscription.content, content);
        subscription.rare.change(|it| {
            let before = it.content_before.take().unwrap_or(before);
            it.content_before = is_some.then_some(before);
            it.claim.held = None;
        });
        subscription.news.body = is_some && subscription.may_make_dialogs(now);
        let was_refused = core::mem::take(&mut subscription.body_is_refused);
        let ordered = subscription.ordered();
        if was_refused && subscription.phase == Phase::Refused {
            self.renew(now, key);
        }
        for dialog_key in self.dialogs_of(key.0) {
            if let Some(dialog) = self.dialogs.get_mut(dialog_key) {
                dialog.rare.hold(None);
                if ordered.is_some() {
                    dialog.ordered.clone_from(&ordered);
                    dialog.state_only = false;
                    self.queue_dialog(dialog_key);
                }
            }
        }
        Ok(())
    }

    /// A notifier has taken what was sent.
    pub(super) fn body_is_taken(&mut self, open: &OpenSubscribe) {
        if let Some(subscription) = self.subscriptions.get_mut(open.subscription)
            && let Some(sent) = &open.ordered
            && subscription.has_content(sent)
        {
            subscription.rare.change(|it| it.content_before = None);
        }
    }

    /// Whether it is the body that a notifier does not take, in a dialog: then new dialogs have the one
    /// before again.
    pub(super) fn body_has_failed(&mut self, open: &OpenSubscribe, status: u16) -> bool {
        let Some(sent) = open.ordered.as_ref() else {
            return false;
        };
        if sent.purpose != Purpose::Body || !is_about_body(status) {
            return false;
        }
        if let Some(subscription) = self.subscriptions.get_mut(open.subscription)
            && subscription.has_content(sent)
            && let Some(before) = subscription.rare.change(|it| it.content_before.take())
        {
            subscription.content = before;
        }
        true
    }

    /// The next SUBSCRIBE of each dialog has this body.
    fn order_all(&mut self, key: Key, content: Option<Arc<Content>>, expires: u32) {
        for dialog_key in self.dialogs_of(key) {
            if let Some(dialog) = self.dialogs.get_mut(dialog_key) {
                dialog.ordered = content.clone().map(|content| Ordered {
                    content,
                    expires,
                    purpose: Purpose::Duration,
                });
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

impl Subscription {
    /// The body, for a notifier that has the subscription already.
    pub(super) fn ordered(&self) -> Option<Ordered> {
        self.content.clone().map(|content| Ordered {
            content,
            expires: self.expires,
            purpose: Purpose::Body,
        })
    }

    fn has_content(&self, sent: &Ordered) -> bool {
        let content = self.content.as_ref();
        content.is_some_and(|content| Arc::ptr_eq(content, &sent.content))
    }
}

/// Whether a status says that a body, or what is in it, is not taken (RFC 4660 section 3.3.4).
pub(super) fn is_about_body(status: u16) -> bool {
    matches!(status, 415 | 488)
}
