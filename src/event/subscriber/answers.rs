//! What becomes of a SUBSCRIBE, and what follows from it (RFC 6665 sections 4.1.2.1 and 4.1.2.2).

use core::time::Duration;
use std::sync::Arc;

use super::subscription::{Dialog, FirstNo, Ordered, Phase, Purpose, Turn, Wish};
use super::{
    OpenSubscribe, OwnSubscriptionKey, SubscribeFailure, Subscriber, SubscriberEvent,
    SubscriberOutput, SubscriptionEnd, Within,
};
use crate::engine::slab::Key;
use crate::engine::{ClientTransaction, Timestamp};
use crate::event::Failure;
use crate::event::open_requests::{Credentials, challenge_status};
use crate::event::patience::{TOO_BRIEF, may_pass_status, retry_after, seconds};
use crate::sip::{HeaderName, NameAddr, ResponseRef};

/// The answers to a refresh that say that there is no subscription any more (RFC 6665 section 4.1.2.2).
fn ends_subscription(status: u16) -> bool {
    matches!(status, 404 | 405 | 410 | 416 | 480..=485 | 489 | 501 | 604)
}

impl Subscriber {
    /// The final response to a request of this role; provisional ones and those to transactions
    /// that are not open have no effect.
    pub fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.advance(now);
        if response.status() < 200 {
            return;
        }
        let Some(place) = self.open.outcome(transaction) else {
            return;
        };
        if self.ask_credentials(place, response) {
            return;
        }
        let Some(open) = self.open.close(place) else {
            return;
        };
        self.heed_patience(&open, response);
        match open.within {
            Within::Attempt(tag) if self.is_current(open.subscription, tag) => {
                self.has_outcome(open.subscription);
                self.answered_outside(&open, response);
                self.follow_all(open.subscription);
            }
            Within::Attempt(_) => {}
            Within::Dialog(dialog) => self.answered_in_dialog(&open, dialog, response),
        }
    }

    /// A request of this role got no final response.
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        failure: Failure,
    ) {
        self.advance(now);
        let outcome = self.open.outcome(transaction);
        if let Some(open) = outcome.and_then(|place| self.open.close(place)) {
            let failure = match failure {
                Failure::Timeout => SubscribeFailure::Timeout,
                Failure::Transport => SubscribeFailure::Transport,
            };
            self.failed(&open, failure, None);
        }
    }

    /// Repeats a challenged SUBSCRIBE with these credentials, the value of Authorization or
    /// Proxy-Authorization. False when nothing waits for them any more, or they hold a control
    /// character.
    pub fn provide_credentials(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        value: &str,
    ) -> bool {
        self.advance(now);
        match self.open.answered(transaction, value) {
            Some((open, credentials)) => self.repeat(&open, credentials),
            None => false,
        }
    }

    /// There are no credentials for a challenged SUBSCRIBE: it stays refused. False when nothing waits
    /// for credentials any more.
    pub fn decline_credentials(&mut self, now: Timestamp, transaction: ClientTransaction) -> bool {
        self.advance(now);
        let Some((open, field)) = self.open.declined(transaction) else {
            return false;
        };
        self.failed(&open, declined(field), None);
        true
    }

    /// The host will not report on this one any more.
    pub(super) fn forgotten(&mut self, open: OpenSubscribe, awaited: Option<HeaderName>) {
        let failure = awaited.map_or(SubscribeFailure::Forgotten, declined);
        self.failed(&open, failure, None);
    }

    /// Whether an attempt is that of the subscription still.
    fn is_current(&self, key: Key, tag: u64) -> bool {
        let subscription = self.subscriptions.get(key);
        let attempt = subscription.and_then(|subscription| subscription.attempt);
        attempt.is_some_and(|attempt| attempt.from_tag == tag)
    }

    /// Whether the host is asked for credentials; the SUBSCRIBE stays open until it has answered.
    fn ask_credentials(&mut self, place: Key, response: &ResponseRef<'_>) -> bool {
        let about = self.open.about(place);
        let Some((key, within)) = about.map(|open| (open.subscription, open.within)) else {
            return false;
        };
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return false;
        };
        let need = match within {
            Within::Attempt(tag) => {
                let current = subscription.attempt.is_some_and(|it| it.from_tag == tag);
                // One that is to be ended was never had.
                if !current || subscription.phase != Phase::Trying || subscription.is_leaving() {
                    return false;
                }
                let uri = subscription.request_uri().to_owned();
                let uris = [uri.as_str(), subscription.account.uri()];
                let challenges = &mut subscription.in_a_row.challenges;
                (self.open).challenge(place, "SUBSCRIBE", uris, response, challenges)
            }
            Within::Dialog(dialog) => {
                let Some(dialog) = self.dialogs.get_mut(dialog) else {
                    return false;
                };
                let routes = dialog.routes.iter().map(AsRef::as_ref);
                let (uri, _, _) = crate::event::dialog::way(routes, &dialog.target);
                let uris = [uri, subscription.account.uri()];
                let challenges = &mut dialog.challenges;
                (self.open).challenge(place, "SUBSCRIBE", uris, response, challenges)
            }
        };
        let Some(need) = need else {
            return false;
        };
        // Refused as it was, it brings no NOTIFY.
        match within {
            Within::Attempt(_) => self.set_alarm(key, None),
            Within::Dialog(dialog) => self.end_timer_n(dialog),
        }
        self.lanes.output(SubscriberOutput::NeedCredentials(need));
        true
    }

    fn end_timer_n(&mut self, key: Key) {
        if let Some(dialog) = self.dialogs.get_mut(key) {
            dialog.notify_by = None;
        }
        self.set_dialog_alarm(key);
    }

    /// 503 with Retry-After: the next hop is left alone, whatever has become of what was asked for.
    fn heed_patience(&mut self, open: &OpenSubscribe, response: &ResponseRef<'_>) {
        if let (503, Some(wait)) = (response.status(), retry_after(response)) {
            self.holds.hold(&open.hop, self.now + wait, self.now);
        }
    }

    /// Sends a challenged SUBSCRIBE again. False when there is nothing to ask for any more.
    fn repeat(&mut self, open: &OpenSubscribe, credentials: Credentials) -> bool {
        match open.within {
            Within::Attempt(tag) => {
                if !self.is_current(open.subscription, tag) {
                    return false;
                }
                self.has_outcome(open.subscription);
                let Some(subscription) = self.subscriptions.get_mut(open.subscription) else {
                    return false;
                };
                if subscription.phase != Phase::Trying {
                    // There is a dialog by now.
                    self.follow_all(open.subscription);
                    return false;
                }
                if subscription.is_leaving() {
                    self.finish(open.subscription, true);
                    return false;
                }
                subscription.credentials = credentials;
                self.queue(open.subscription);
            }
            Within::Dialog(key) => {
                let Some(dialog) = self.dialogs.get_mut(key) else {
                    return false;
                };
                dialog.turn = Turn::None;
                dialog.again = false;
                dialog.ask_again(open);
                dialog.credentials = credentials;
                self.queue_dialog(key);
            }
        }
        true
    }

    fn answered_outside(&mut self, open: &OpenSubscribe, response: &ResponseRef<'_>) {
        let (key, status) = (open.subscription, response.status());
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        match (status, subscription.phase) {
            // 202 is 200 (RFC 6665 section 8.3.1).
            (200..300, _) => self.accepted(open, response),
            // A NOTIFY has made a dialog: whatever is answered now, there is a subscription.
            (_, Phase::Held) => {}
            // What is to be ended was never had.
            _ if subscription.is_leaving() => {
                self.fail(key, SubscribeFailure::Refused { status }, None);
            }
            (300..400, Phase::Trying) if status != 305 && self.redirect(key, response) => {
                self.queue(key);
            }
            (_, Phase::Trying)
                if retry_after(response).is_none() && self.gives_conditions_up(open, status) =>
            {
                self.queue(key);
            }
            (_, Phase::Trying) if self.gives_rates_up(key, status) => self.queue(key),
            (423, Phase::Trying) if open.asked > 0 && self.ask_for_more(key, response) => {
                self.queue(key);
            }
            _ => {
                let wait = retry_after(response);
                self.fail(key, SubscribeFailure::Refused { status }, wait);
            }
        }
    }

    /// 2xx outside dialogs: the NOTIFY makes the dialog, and may have come before.
    fn accepted(&mut self, open: &OpenSubscribe, response: &ResponseRef<'_>) {
        let key = open.subscription;
        self.heed_success(open);
        // What it grants beyond what was asked for is not to be trusted.
        let granted = seconds(response, HeaderName::Expires);
        let granted = granted.map(|granted| granted.min(open.asked));
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.credentials.clear();
        subscription.in_a_row.challenges = Default::default();
        subscription.in_a_row.too_brief = 0;
        subscription.in_a_row.redirected = 0;
        if !subscription.news.body {
            subscription.rare.change(|it| it.content_before = None);
        }
        if let Some(attempt) = &mut subscription.attempt {
            attempt.is_accepted = true;
            attempt.granted = granted;
        }
        let to = response.first(HeaderName::To);
        let to = to.and_then(|to| NameAddr::parse(to).ok());
        let tag = to.and_then(|to| to.tag());
        let of_this_one = |no: &FirstNo| tag.is_none_or(|tag| *tag == *no.tag);
        if let Some(no) = subscription.first_no.take_if(|no| of_this_one(no)) {
            self.ended(key, None, no.end);
            return;
        }
        if subscription.dialogs.is_empty() {
            subscription.accepted_by = tag.map(Into::into);
        }
        if subscription.has_moved && subscription.dialogs.is_empty() {
            // Its NOTIFYs go where nobody is any more.
            let asked = open.asked;
            self.doubt(key, asked);
            self.end_attempt(key);
            self.queue(key);
            return;
        }
        let [dialog] = *subscription.dialogs.as_slice() else {
            return;
        };
        let Some(granted) = granted.filter(|granted| *granted > 0) else {
            return;
        };
        // That of another notifier says nothing of this one's (RFC 3856 section 6.9).
        let shorter = self.dialogs.get(dialog).is_some_and(|dialog| {
            tag == Some(&*dialog.remote_tag)
                && dialog.turn == Turn::None
                && self.now + Duration::from_secs(granted.into()) < dialog.expires_at
        });
        if shorter {
            self.grant(dialog, granted);
        }
    }

    fn answered_in_dialog(&mut self, open: &OpenSubscribe, key: Key, response: &ResponseRef<'_>) {
        let (now, status) = (self.now, response.status());
        let Some(subscription) = self.subscriptions.get(open.subscription) else {
            return;
        };
        let leaving = subscription.is_leaving();
        let Some(dialog) = self.dialogs.get_mut(key) else {
            return;
        };
        dialog.turn = Turn::None;
        dialog.carried_out(open);
        match status {
            200..300 => {
                let had_failed = core::mem::take(&mut dialog.failures) > 0;
                dialog.challenges = Default::default();
                if status == 204 {
                    // No NOTIFY will come (RFC 6665 section 4.1.2.2).
                    dialog.notify_by = None;
                }
                let is_last = !dialog.again;
                self.heed_success(open);
                if is_last && let Some(subscription) = self.subscriptions.get_mut(open.subscription)
                {
                    subscription.rare.change(|it| it.media_types_before = &[]);
                }
                self.body_is_taken(open);
                // Where no condition was set it says nothing of the state.
                let is_unchanged = status == 204 && open.condition.is_some();
                if is_unchanged && self.unchanged(open, key) {
                    return;
                }
                let Some(dialog) = self.dialogs.get_mut(key) else {
                    return;
                };
                let heard = dialog.notify_by.is_none() && open.asked > 0 && !is_unchanged;
                // Without a word of it what a NOTIFY has said since counts.
                let otherwise = match heard {
                    true => dialog.seconds_left(now),
                    false => open.asked,
                };
                let granted = seconds(response, HeaderName::Expires).unwrap_or(otherwise);
                let granted = granted.min(open.asked);
                if granted > 0 {
                    self.grant(key, granted);
                    if is_for_duration(open) && !leaving {
                        if let Some(subscription) = self.subscriptions.get_mut(open.subscription) {
                            subscription.expires = open.asked;
                        }
                        self.prolonged(open.subscription, Ok(granted));
                    }
                } else {
                    // The last NOTIFY ends it, or Timer N.
                    dialog.expires_at = dialog.notify_by.unwrap_or(now);
                    self.set_dialog_alarm(key);
                }
                let has_notify = (self.dialogs.get(key)).is_some_and(|it| it.notify_by.is_none());
                if had_failed && has_notify {
                    // Its NOTIFY came when nothing could be asked for.
                    self.see_to_quiet(key);
                }
                self.follow(key);
            }
            _ if retry_after(response).is_none() && self.gives_conditions_up(open, status) => {
                self.end_timer_n(key);
                self.queue_dialog(key);
            }
            _ if !is_for_duration(open) && self.gives_rates_up(open.subscription, status) => {
                self.end_timer_n(key);
                if let Some(dialog) = self.dialogs.get_mut(key) {
                    dialog.ask_again(open);
                }
                self.order_again(open, key);
                self.queue_dialog(key);
            }
            _ if ends_subscription(status) => {
                self.end_dialog(key, SubscriptionEnd::Unknown { status });
            }
            423 if !leaving
                && !is_for_duration(open)
                && self.ask_for_more(open.subscription, response) =>
            {
                self.end_timer_n(key);
                self.order_again(open, key);
                self.queue_dialog(key);
            }
            _ => {
                let wait = retry_after(response);
                self.fail_in_dialog(open, key, SubscribeFailure::Refused { status }, wait);
            }
        }
    }

    fn has_outcome(&mut self, key: Key) {
        let subscription = self.subscriptions.get_mut(key);
        if let Some(attempt) = subscription.and_then(|it| it.attempt.as_mut()) {
            attempt.is_open = false;
        }
    }

    fn follow_all(&mut self, key: Key) {
        for dialog in self.dialogs_of(key) {
            self.follow(dialog);
        }
    }

    /// Another request may have been asked for while one was open.
    fn follow(&mut self, key: Key) {
        if let Some(dialog) = self.dialogs.get_mut(key)
            && core::mem::take(&mut dialog.again)
        {
            self.queue_dialog(key);
        }
    }

    fn failed(&mut self, open: &OpenSubscribe, failure: SubscribeFailure, wait: Option<Duration>) {
        match open.within {
            Within::Attempt(tag) => {
                let key = open.subscription;
                if !self.is_current(key, tag) {
                    return;
                }
                self.has_outcome(key);
                let phase = self.subscriptions.get(key).map(|it| it.phase);
                if phase == Some(Phase::Trying) {
                    self.fail(key, failure, wait);
                }
                self.follow_all(key);
            }
            Within::Dialog(dialog) => self.fail_in_dialog(open, dialog, failure, wait),
        }
    }

    /// A SUBSCRIBE in a dialog has failed, and the dialog lasts (RFC 6665 section 4.1.2.2).
    fn fail_in_dialog(
        &mut self,
        open: &OpenSubscribe,
        key: Key,
        failure: SubscribeFailure,
        wait: Option<Duration>,
    ) {
        let backoff = self.backoff();
        let Some(dialog) = self.dialogs.get_mut(key) else {
            return;
        };
        dialog.turn = Turn::None;
        dialog.carried_out(open);
        dialog.notify_by = None;
        dialog.credentials.clear();
        dialog.challenges = Default::default();
        let subscription = self.subscriptions.get(open.subscription);
        let leaving = subscription.is_none_or(|subscription| subscription.wish != Wish::Watch);
        if leaving && open.asked == 0 {
            // It runs out there; what comes until then is answered 481.
            self.end_dialog(key, SubscriptionEnd::Expired);
            return;
        }
        if leaving {
            dialog.again = true;
            self.follow(key);
            return;
        }
        dialog.ask_again(open);
        if let SubscribeFailure::Refused { status } = failure
            && self.body_has_failed(open, status)
        {
            // What is left is as good as before.
            let left = self
                .dialogs
                .get(key)
                .map_or(0, |it| it.seconds_left(self.now));
            self.grant(key, left);
            self.follow(key);
            self.event(SubscriberEvent::Failed {
                key: OwnSubscriptionKey(open.subscription),
                is_refresh: true,
                failure: SubscribeFailure::Body { status },
                retry_in: None,
            });
            return;
        }
        let Some(dialog) = self.dialogs.get_mut(key) else {
            return;
        };
        dialog.again = false;
        dialog.failures = dialog.failures.saturating_add(1);
        let own = backoff.wait(dialog.failures, &mut *self.entropy);
        let retry_in = wait.unwrap_or_default().max(own);
        let until = self.now + retry_in;
        let spread = self.spread(wait, until);
        // What the application has sent meanwhile waits for no refresh: it leaves, or has failed as well.
        let mut waits = false;
        let mut has_failed = is_for_duration(open);
        if let Some(dialog) = self.dialogs.get_mut(key) {
            dialog.refresh_at = Some(until + spread);
            match wait {
                Some(_) => {
                    let of_duration = |it: &mut Ordered| it.purpose == Purpose::Duration;
                    has_failed |= dialog.ordered.take_if(of_duration).is_some();
                }
                None => waits = dialog.ordered.is_some(),
            }
        }
        if wait.is_some() || failure.may_pass() {
            self.order_again(open, key);
        }
        self.set_dialog_alarm(key);
        if has_failed {
            self.prolonged(open.subscription, Err(failure));
        }
        if waits {
            self.queue_dialog(key);
        }
        self.event(SubscriberEvent::Failed {
            key: OwnSubscriptionKey(open.subscription),
            is_refresh: true,
            failure,
            retry_in: Some(if waits { Duration::ZERO } else { retry_in }),
        });
    }

    /// What was to change what is watched goes with the next SUBSCRIBE.
    fn order_again(&mut self, open: &OpenSubscribe, key: Key) {
        if let Some(dialog) = self.dialogs.get_mut(key)
            && !is_for_duration(open)
            && dialog.ordered.is_none()
        {
            dialog.ordered.clone_from(&open.ordered);
        }
    }

    /// 423: whether the notifier is asked for the longer time that it wants.
    fn ask_for_more(&mut self, key: Key, response: &ResponseRef<'_>) -> bool {
        let least = seconds(response, HeaderName::MinExpires).unwrap_or(0);
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return false;
        };
        let reasonable = least > subscription.expires && least <= self.config.longest_expires;
        if !reasonable || subscription.in_a_row.too_brief >= TOO_BRIEF {
            return false;
        }
        subscription.in_a_row.too_brief += 1;
        subscription.expires = least;
        true
    }
}

impl Dialog {
    /// What was sent with a SUBSCRIBE is not sent with another one.
    fn carried_out(&mut self, open: &OpenSubscribe) {
        let is_it = |ordered: &mut Ordered| {
            let sent = open.ordered.as_ref();
            sent.is_some_and(|sent| Arc::ptr_eq(&ordered.content, &sent.content))
        };
        self.ordered.take_if(is_it);
    }
}

/// Whether somebody waits to hear what has become of it.
fn is_for_duration(open: &OpenSubscribe) -> bool {
    let ordered = open.ordered.as_ref();
    ordered.is_some_and(|ordered| ordered.purpose == Purpose::Duration)
}

impl SubscribeFailure {
    /// Whether the same may be taken later.
    pub(crate) fn may_pass(self) -> bool {
        match self {
            Self::Refused { status } => may_pass_status(status),
            Self::Body { .. } => false,
            Self::Timeout | Self::Transport | Self::Forgotten | Self::Silent | Self::Unresolved => {
                true
            }
        }
    }
}

/// A challenge without credentials for this field.
fn declined(field: HeaderName) -> SubscribeFailure {
    SubscribeFailure::Refused {
        status: challenge_status(field),
    }
}
