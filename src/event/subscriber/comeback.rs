//! What follows when a subscription ends or cannot be had: whether and when it is asked for again
//! (RFC 6665 section 4.1.3).

use core::time::Duration;

use super::condition::Standing;
use super::ordered::is_about_body;
use super::subscription::{InARow, Phase, Way, Wish};
use super::{OwnSubscriptionKey, SubscribeFailure, Subscriber, SubscriberEvent, SubscriptionEnd};
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::event::patience::patience as wish_to_wait;
use crate::sip::Reason;

/// Whether a subscription that ended is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comeback {
    Never,
    /// When so much time has passed, which may be the notifier's wish.
    After(Duration),
    Asked(Duration),
}

impl Subscriber {
    /// A dialog is over.
    pub(super) fn end_dialog(&mut self, key: Key, end: SubscriptionEnd) {
        let Some(dialog) = self.dialogs.get(key) else {
            return;
        };
        let subscription = dialog.subscription;
        self.drop_dialog(key);
        let notifier = Some(super::NotifierKey(key));
        self.ended(subscription, notifier, end);
    }

    /// A notifier has ended a subscription, or it has got lost.
    pub(super) fn ended(
        &mut self,
        key: Key,
        notifier: Option<super::NotifierKey>,
        end: SubscriptionEnd,
    ) {
        let (now, retry_after) = (self.now, self.config.retry_after);
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let has_others = !subscription.dialogs.is_empty();
        let is_last = !has_others;
        if subscription.wish != Wish::Watch {
            if is_last {
                // Silence proves nothing, and a fetch that was answered is over as it should be.
                let left = match end {
                    SubscriptionEnd::ByNotifier { .. } | SubscriptionEnd::Unknown { .. } => 0,
                    SubscriptionEnd::Silent | SubscriptionEnd::Expired => subscription.expires,
                };
                self.doubt(key, left);
                self.finish_if_known(key);
            }
            return;
        }
        if has_others {
            self.event(SubscriberEvent::Ended {
                key: OwnSubscriptionKey(key),
                notifier,
                end,
                retry_in: None,
            });
            return;
        }
        subscription.set_granted_rates(None);
        if end.reason() == Some(Reason::BadFilter) {
            subscription.body_is_refused = subscription.content.is_some();
        }
        let lived = now.saturating_since(subscription.since);
        let in_a_row = &mut subscription.in_a_row;
        let short_lives = match lived < self.config.short_life {
            true => in_a_row.short_lives.saturating_add(1),
            false => 0,
        };
        *in_a_row = InARow {
            short_lives,
            ..InARow::default()
        };
        subscription.ways.clear();
        let (least, asked) = match comeback(&end, retry_after) {
            Comeback::Never => (None, None),
            Comeback::After(least) => (Some(least), None),
            Comeback::Asked(least) => (Some(least), Some(now + least)),
        };
        let own = match short_lives {
            0 | 1 => Duration::ZERO,
            more => self.backoff().wait(more - 1, &mut *self.entropy),
        };
        let retry_in = least.map(|least| least.max(own));
        self.event(SubscriberEvent::Ended {
            key: OwnSubscriptionKey(key),
            notifier,
            end,
            retry_in,
        });
        match retry_in {
            None => self.refuse(key),
            Some(Duration::ZERO) => self.begin(key),
            Some(wait) => {
                self.end_attempt(key);
                self.wait(key, asked, self.now + wait);
            }
        }
    }

    /// Timer N of a SUBSCRIBE outside dialogs.
    pub(super) fn timer_n(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        if let Some(no) = subscription.first_no.take() {
            self.ended(key, None, no.end);
            return;
        }
        let accepted = subscription.attempt.is_some_and(|it| it.is_accepted);
        let on_condition = accepted && subscription.rare.condition().is_some();
        if on_condition {
            // Its NOTIFY has no body, which not everybody on its way may let pass.
            subscription.conditions.standing = Standing::GivenUp;
        }
        let failure = match accepted {
            true => SubscribeFailure::Silent,
            false => SubscribeFailure::Timeout,
        };
        self.fail(key, failure, None);
    }

    /// What was asked for outside dialogs has failed; `wait` is the patience that the server asks for.
    pub(super) fn fail(&mut self, key: Key, failure: SubscribeFailure, wait: Option<Duration>) {
        let failure = match self.failure_of_body(key, failure) {
            Some(failure) => failure,
            None => return,
        };
        let asked = self.subscriptions.get(key).map(|it| it.asked_before());
        let perhaps = match failure {
            // A proxy says these when it knows no more than that.
            SubscribeFailure::Refused { status } => matches!(status, 408 | 504),
            SubscribeFailure::Timeout | SubscribeFailure::Forgotten | SubscribeFailure::Silent => {
                true
            }
            SubscribeFailure::Transport
            | SubscribeFailure::Unresolved
            | SubscribeFailure::Body { .. } => false,
        };
        if perhaps {
            self.doubt(key, asked.unwrap_or(0));
        }
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.credentials.clear();
        subscription.first_no = None;
        match subscription.wish {
            Wish::Leave { .. } => {
                self.finish_if_known(key);
                return;
            }
            Wish::Watch | Wish::Fetch => {}
        }
        let redirected = matches!(subscription.ways.current, Some(Way::Target(_)));
        if goes_on(failure, redirected) && self.advance_way(key) {
            self.end_attempt(key);
            self.queue(key);
            return;
        }
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.ways.clear();
        let is_watch = subscription.wish == Wish::Watch;
        subscription.in_a_row.failures = subscription.in_a_row.failures.saturating_add(1);
        let failures = subscription.in_a_row.failures;
        subscription.in_a_row.challenges = Default::default();
        subscription.in_a_row.redirected = 0;
        subscription.in_a_row.too_brief = 0;
        let is_refused = matches!(failure, SubscribeFailure::Refused { .. });
        let may_pass = failure.may_pass() || (is_refused && wait.is_some());
        // A fetch waits as it would have waited for a server that was known to be busy.
        let is_busy = wait.is_some() && failure == SubscribeFailure::Refused { status: 503 };
        let retry_in = ((is_watch && may_pass) || is_busy).then(|| {
            let own = self.backoff().wait(failures, &mut *self.entropy);
            wait.unwrap_or_default().max(own)
        });
        match retry_in {
            Some(retry_in) => {
                self.end_attempt(key);
                let asked = wait.map(|wait| self.now + wait);
                let until = self.now + retry_in;
                let spread = self.spread(wait, until);
                self.wait(key, asked, until + spread);
            }
            None => self.refuse(key),
        }
        self.event(SubscriberEvent::Failed {
            key: OwnSubscriptionKey(key),
            is_refresh: false,
            failure,
            retry_in,
        });
        if retry_in.is_none() && !is_watch {
            self.finish(key, false);
        }
    }

    /// What a failure says of the body. Nothing when there is another body by now, which is tried.
    fn failure_of_body(&mut self, key: Key, failure: SubscribeFailure) -> Option<SubscribeFailure> {
        let SubscribeFailure::Refused { status } = failure else {
            return Some(failure);
        };
        let subscription = self.subscriptions.get_mut(key);
        let Some(subscription) = subscription.filter(|it| !it.is_leaving()) else {
            return Some(failure);
        };
        if !is_about_body(status) || subscription.content.is_none() {
            return Some(failure);
        }
        if core::mem::take(&mut subscription.news.body) {
            self.end_attempt(key);
            self.queue(key);
            return None;
        }
        subscription.body_is_refused = true;
        Some(SubscribeFailure::Body { status })
    }

    /// Nothing more is asked for by itself.
    fn refuse(&mut self, key: Key) {
        self.end_attempt(key);
        self.set_alarm(key, None);
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.phase = Phase::Refused;
        }
    }

    /// Does nothing until then.
    pub(super) fn wait(&mut self, key: Key, asked: Option<Timestamp>, until: Timestamp) {
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.phase = Phase::Waiting { asked };
        }
        self.set_alarm(key, Some(until));
    }
}

/// Whether another place may do better (RFC 3263 section 4.3, RFC 3261 section 8.1.3.4).
fn goes_on(failure: SubscribeFailure, redirected: bool) -> bool {
    match failure {
        // From 600 on all of them would say the same.
        SubscribeFailure::Refused { status } => status == 503 || (redirected && status < 600),
        SubscribeFailure::Body { .. } => redirected,
        SubscribeFailure::Timeout
        | SubscribeFailure::Transport
        | SubscribeFailure::Forgotten
        | SubscribeFailure::Silent => true,
        SubscribeFailure::Unresolved => false,
    }
}

fn comeback(end: &SubscriptionEnd, own: Duration) -> Comeback {
    const AT_ONCE: Comeback = Comeback::After(Duration::ZERO);
    let SubscriptionEnd::ByNotifier { retry_after, .. } = end else {
        return AT_ONCE;
    };
    let or = |least: Duration| match retry_after {
        Some(seconds) => Comeback::Asked(wish_to_wait(*seconds)),
        None => Comeback::After(least),
    };
    match end.reason() {
        Some(Reason::Deactivated | Reason::Timeout) => AT_ONCE,
        Some(Reason::Probation) => or(own),
        Some(Reason::Rejected | Reason::NoResource | Reason::Invariant | Reason::BadFilter) => {
            Comeback::Never
        }
        Some(Reason::GiveUp | Reason::Other(_)) | None => or(Duration::ZERO),
    }
}
