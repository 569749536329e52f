//! NOTIFY: when one leaves, what is in it, and what its outcome does.

use core::time::Duration;
use std::sync::Arc;

use super::credentials::{CHALLENGES_ANSWERED, NeedCredentials, credentials_field};
use super::direct::Delivery;
use super::document::Document;
use super::output::{EndReason, Failure, Output, ServerEvent};
use super::package::Package;
use super::protection::{Protection, Wait, Waits};
use super::resource::Round;
use super::server::{OpenNotify, Server, Timer};
use super::subscription::{NotifyResult, Phase, Subscription};
use crate::engine::slab::Key;
use crate::engine::{ClientTransaction, Timestamp};
use crate::sip::{HeaderName, OutgoingRequest, Own, ResponseRef, RetryAfter, Standing};

/// A watcher's wish for patience is heard up to here.
const LONGEST_HOLD: u32 = 3600;
/// And no repetition comes sooner, or than the interval of rounds.
const SHORTEST_HOLD: Duration = Duration::from_secs(1);
/// A round past as many watchers starts the interval even if nobody was told: then it is work, and
/// a change that no view shows can be made at any time.
const LONG_WALK: u32 = 1_000;
/// What may be told to one with terms of its own takes as long as to look at so many others.
const WORK_OF_TERMS: u32 = 64;

impl<P: Package> Server<P> {
    /// The final response to a request of this role; provisional ones and those to transactions
    /// that are not open have no effect.
    pub fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.advance(now);
        let status = response.status();
        if status < 200 {
            return;
        }
        let Some((key, subscription)) = self.take_outcome(transaction, false) else {
            return;
        };
        if let 401 | 407 = status
            && self.ask_credentials(transaction, key, subscription, response)
        {
            return;
        }
        self.notifies.close(key);
        let ended = self
            .subscriptions
            .get(subscription)
            .is_some_and(Subscription::is_ended);
        if status == 408 && !ended {
            // A proxy has waited in vain (RFC 3261 sections 8.1.3.1, 12.2.1.2).
            self.fail(subscription, EndReason::NotifyTimeout);
            return;
        }
        self.settle(subscription, NotifyResult::Answered(status));
        if ended {
            // Whatever is said to the last NOTIFY, it was the last.
            self.remove_ended(subscription);
            return;
        }
        if (200..300).contains(&status) {
            self.heed_rates(subscription, response);
            self.resume(subscription);
            return;
        }
        self.counters.notifies_failed += 1;
        if let 404 | 405 | 410 | 416 | 480..=485 | 489 | 501 | 604 = status {
            self.drop_silently(subscription, EndReason::NotifyRejected(status));
            return;
        }
        if let Some(subject) = self.subject(subscription) {
            self.event(ServerEvent::NotifyRefused { subject, status });
        }
        self.hold_or_resume(subscription, response);
    }

    /// A request of this role got no final response.
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        failure: Failure,
    ) {
        self.advance(now);
        let Some((key, subscription)) = self.take_outcome(transaction, false) else {
            return;
        };
        self.notifies.close(key);
        let why = match failure {
            Failure::Timeout => EndReason::NotifyTimeout,
            Failure::Transport => EndReason::NotifyUnsent,
        };
        self.fail(subscription, why);
    }

    /// The credentials for a challenged NOTIFY, as the value of Authorization (401) or
    /// Proxy-Authorization (407). A new NOTIFY with them leaves, with the state of now; one that tells
    /// what has changed has the number of the one that was challenged. False when nothing waits for them
    /// any more, or the value has a line break.
    pub fn provide_credentials(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        value: &str,
    ) -> bool {
        self.advance(now);
        let Some((key, name)) = self.challenged(transaction) else {
            return false;
        };
        if value.contains(char::is_control) {
            return false;
        }
        let Some(open) = self.notifies.close(key) else {
            return false;
        };
        let Some(subscription) = self.subscriptions.get_mut(open.subscription) else {
            return false;
        };
        subscription.open = None;
        // What another one on the way has asked for goes with it (RFC 3261 section 22.3).
        let mut repetition = open.repetition.unwrap_or_default();
        repetition.credentials.retain(|(other, _)| *other != name);
        repetition.credentials.push((name, value.to_owned()));
        repetition.awaited = None;
        subscription.rare_mut().repetition = Some(repetition);
        // It is made when its turn has come: by then the decision may be another, or the end near.
        self.owe(open.subscription);
        true
    }

    /// There are no credentials for a challenged NOTIFY. The subscription goes on without it, and
    /// the next change of state is sent as ever (RFC 6665 section 4.2.2). False when nothing waits
    /// for credentials any more.
    pub fn decline_credentials(&mut self, now: Timestamp, transaction: ClientTransaction) -> bool {
        self.advance(now);
        let Some((key, _)) = self.challenged(transaction) else {
            return false;
        };
        let Some(open) = self.notifies.close(key) else {
            return false;
        };
        self.go_on_unsent(&open);
        true
    }

    /// The open NOTIFY that waits for credentials, and the field that they go into.
    fn challenged(&self, transaction: ClientTransaction) -> Option<(Key, HeaderName)> {
        let key = self.open_notify(transaction)?;
        Some((key, self.notifies.get(key)?.awaited()?))
    }

    /// A challenged NOTIFY stays refused.
    fn go_on_unsent(&mut self, open: &OpenNotify) {
        let subscription = open.subscription;
        let status = match open.awaited() {
            Some(HeaderName::ProxyAuthorization) => 407,
            _ => 401,
        };
        self.counters.notifies_failed += 1;
        self.settle(subscription, NotifyResult::Answered(status));
        if self
            .subscriptions
            .get(subscription)
            .is_some_and(Subscription::is_ended)
        {
            self.remove_ended(subscription);
            return;
        }
        if let Some(subject) = self.subject(subscription) {
            self.event(ServerEvent::NotifyRefused { subject, status });
        }
        self.resume(subscription);
    }

    /// The NOTIFY that a subscription is owed, unless it must wait.
    pub(super) fn notify(&mut self, key: Key) -> Option<Output> {
        let subscription = self.subscriptions.get_mut(key)?;
        subscription.queued = false;
        if !subscription.owed || subscription.open.is_some() {
            return None;
        }
        if subscription.is_live()
            && (subscription.hold().is_some() || self.now >= subscription.expires_at)
        {
            return None;
        }
        if subscription.rare.is_some() && self.is_undone(key) {
            return None;
        }
        if self.judge_first(key) {
            // Behind the event that tells of it.
            self.owe(key);
            return None;
        }
        let subscription = self.subscriptions.get(key)?;
        let variant = subscription.variant;
        let has_waited = subscription.waits == Waits::InVain;
        let repeats_signed = subscription.repeats_signed();
        if !subscription.phase.tells_state() {
            let nothing = self.no_document(variant);
            let is_signed_within = nothing.is_signed_within || repeats_signed;
            if is_signed_within && !self.protections.has_room() {
                self.wait_for(key, None);
                return None;
            }
            return self.build(key, nothing);
        }
        if self.is_personal {
            return self.notify_alone(key);
        }
        let mut outcome = self.await_protection(variant);
        if let (Err(Wait::InVain(failed)), false) = (&outcome, has_waited) {
            let failed = *failed;
            self.forgive(failed);
            outcome = self.await_protection(variant);
        }
        match outcome {
            Ok(()) => {
                let document = self.document(variant)?;
                self.build(key, document)
            }
            Err(Wait::For(variant, job)) => {
                self.wait_for(key, Some(variant));
                Some(Output::Protect(job?))
            }
            Err(Wait::ForRoom) => {
                self.wait_for(key, None);
                None
            }
            // It is shown to nobody without protection.
            Err(Wait::InVain(_)) => {
                let nothing = self.no_document(variant);
                self.build(key, nothing)
            }
        }
    }

    /// A NOTIFY with this document, which is the current one of the subscription's variant.
    pub(super) fn build(&mut self, key: Key, document: Document) -> Option<Output> {
        if self.subscriptions.get(key)?.terms().is_some() {
            return self.build_on_terms(key, document);
        }
        self.build_plain(key, document)
    }

    #[inline(never)]
    fn build_on_terms(&mut self, key: Key, mut document: Document) -> Option<Output> {
        let subscription = self.subscriptions.get(key)?;
        let rates = subscription.rates();
        let is_repetition = subscription.is_repetition();
        self.apply_terms(key, &mut document, is_repetition);
        self.build_with(key, document, |cseq, state, more| match state {
            Standing::Active { .. } | Standing::Pending { .. } if !rates.is_none() => {
                Own::with_rates(cseq, state, rates, more)
            }
            Standing::Active { .. } | Standing::Pending { .. } | Standing::Terminated { .. } => {
                Own::new(cseq, state, more)
            }
        })
    }

    /// The same for a subscription that is known to have no terms of its own.
    fn build_plain(&mut self, key: Key, document: Document) -> Option<Output> {
        self.build_with(key, document, Own::new)
    }

    /// The same; `own` makes what stands in this NOTIFY alone.
    #[inline]
    fn build_with(
        &mut self,
        key: Key,
        document: Document,
        own: impl FnOnce(u32, Standing, &[(HeaderName, String)]) -> Own,
    ) -> Option<Output> {
        let subscription = self.subscriptions.get_mut(key)?;
        if subscription.way.direct().is_some() {
            return self.deliver(key, &document);
        }
        let mut repetition = subscription.take_repetition();
        let Document {
            mut content,
            fingerprint,
            pending,
            is_signed_within,
            ..
        } = document;
        if let Some(said) = repetition.as_mut().and_then(|it| it.last.take()) {
            content = said;
        }
        let flow = subscription.flow.and_then(|key| self.flows.get(key));
        let dialog = subscription.way.dialog_mut()?;
        dialog.local_cseq = dialog.local_cseq.wrapping_add(1);
        let (head, cseq) = (dialog.head.clone(), dialog.local_cseq);
        let resource_key = subscription.resource;
        let mut signed_for = None;
        if is_signed_within {
            let resource = self.resources.get(resource_key);
            signed_for = resource.map(|it| Arc::clone(&it.name));
        }
        let state = match subscription.phase {
            Phase::Live => {
                let left = subscription.expires_at.saturating_since(self.now);
                // Never more than there is, be it none.
                let expires = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
                if pending {
                    Standing::Pending { expires }
                } else {
                    Standing::Active { expires }
                }
            }
            Phase::Ending(ending) | Phase::Ended(ending) => {
                // When it is repeated its resource may be gone.
                signed_for = signed_for.or_else(|| repetition.as_ref()?.signed_for.clone());
                if signed_for.is_some() {
                    repetition.get_or_insert_default().signed_for = signed_for.clone();
                }
                if !content.body().is_empty() {
                    repetition.get_or_insert_default().last = Some(Arc::clone(&content));
                }
                Standing::Terminated {
                    reason: ending.told.as_str(),
                    retry_after: ending.retry_after,
                }
            }
        };
        let credentials = repetition.as_ref().map_or(&[][..], |it| &it.credentials);
        let own = own(cseq, state, credentials);

        let notify = OpenNotify {
            subscription: key,
            repetition,
        };
        let open = self.notifies.open(self.now, notify);
        subscription.owed = false;
        subscription.behind = false;
        subscription.spoken = false;
        subscription.waits = Waits::No;
        subscription.passed_over = false;
        let tells_change = core::mem::take(&mut subscription.tells_change);
        subscription.open = Some(open);
        subscription.delivered = fingerprint;
        subscription.last_result = NotifyResult::Open;
        let flow = flow.map(|flow| flow.id);
        if let Phase::Ending(ending) = subscription.phase {
            subscription.phase = Phase::Ended(ending);
            self.leave_lists(key);
        }
        if tells_change && let Some(resource) = self.resources.get_mut(resource_key) {
            resource.last_round = Some(self.now);
        }
        self.counters.notifies_sent += 1;
        let transaction = self.transaction(open);
        let notify = OutgoingRequest::new(transaction, flow, head, own, content);
        Some(match signed_for {
            Some(resource) => self.sign_message(key, resource, notify),
            None => Output::Send(notify),
        })
    }

    // ---- outcomes -------------------------------------------------------------------------

    pub(super) fn transaction(&self, open: Key) -> ClientTransaction {
        ClientTransaction::of(self.config.role, open)
    }

    pub(super) fn is_open(&self, transaction: ClientTransaction) -> bool {
        self.open_notify(transaction).is_some()
    }

    fn open_notify(&self, transaction: ClientTransaction) -> Option<Key> {
        let key = self.notifies.key_at(transaction.index())?;
        (self.transaction(key) == transaction).then_some(key)
    }

    /// The open NOTIFY that an outcome is about, and whose it is. Outcomes of a transaction of SIP say
    /// nothing of a subscription without dialog, nor the other way round.
    pub(super) fn take_outcome(
        &mut self,
        transaction: ClientTransaction,
        of_direct: bool,
    ) -> Option<(Key, Key)> {
        let open = self.open_notify(transaction).and_then(|key| {
            let open = self.notifies.get(key)?;
            let subscription = self.subscriptions.get(open.subscription);
            let is_foreign = subscription.is_some_and(|it| it.way.direct().is_some() != of_direct);
            let awaits_credentials = open.awaited().is_some();
            (!is_foreign && !awaits_credentials).then_some((key, open.subscription))
        });
        if open.is_none() {
            self.counters.stray_outcomes += 1;
        }
        open
    }

    /// Whether the host is asked for credentials; the NOTIFY stays open until it has answered.
    fn ask_credentials(
        &mut self,
        transaction: ClientTransaction,
        key: Key,
        subscription_key: Key,
        response: &ResponseRef<'_>,
    ) -> bool {
        let answer = credentials_field(response.status());
        let Some(open) = self.notifies.get_mut(key) else {
            return false;
        };
        let attempts = open.repetition.as_ref().map_or(0, |it| it.attempts);
        if attempts >= CHALLENGES_ANSWERED {
            return false;
        }
        let Some(subscription) = self.subscriptions.get(subscription_key) else {
            return false;
        };
        let Some(dialog) = subscription.way.dialog() else {
            return false;
        };
        let (uri, from) = (dialog.head.uri(), dialog.local_uri());
        let need = NeedCredentials::of(transaction, "NOTIFY", uri, from, response);
        let Some(need) = need else {
            return false;
        };
        let repetition = open.repetition.get_or_insert_default();
        repetition.attempts = attempts + 1;
        repetition.awaited = Some(answer);
        self.lanes.output(Output::NeedCredentials(need));
        self.take_number_back(subscription_key);
        true
    }

    pub(super) fn settle(&mut self, key: Key, result: NotifyResult) {
        if let NotifyResult::Answered(401 | 407) = result {
            self.take_number_back(key);
        }
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.open = None;
            subscription.last_result = result;
            let is_delivered = matches!(result, NotifyResult::Answered(200..300));
            if !is_delivered {
                subscription.delivered = 0;
            }
            if let Some(told) = subscription.told_mut() {
                // It goes on where there is more, or begins anew.
                let goes_on = told.settle(is_delivered);
                subscription.behind |= goes_on;
            }
            if subscription.terms().is_some() {
                // What was due meanwhile is due now.
                self.set_pace_timer(key);
            }
        }
    }

    /// The window is free for this subscription again.
    pub(super) fn resume(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        if subscription.owed {
            self.owe(key);
        } else if subscription.behind {
            subscription.behind = false;
            let resource = subscription.resource;
            self.schedule_round(resource);
        }
    }

    /// An error that leaves the subscription as it is: with Retry-After the state is sent again
    /// then, without it at the next change.
    fn hold_or_resume(&mut self, key: Key, response: &ResponseRef<'_>) {
        let retry_after = response
            .first(HeaderName::RetryAfter)
            .map(RetryAfter::parse);
        let Some(Ok(retry_after)) = retry_after else {
            self.resume(key);
            return;
        };
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        if !subscription.is_live() {
            self.resume(key);
            return;
        }
        subscription.owed = true;
        // Patience of none would make a loop of it.
        let least = self.config.notify_interval.max(SHORTEST_HOLD);
        let seconds = retry_after.seconds.min(LONGEST_HOLD);
        let patience = Duration::from_secs(seconds.into()).max(least);
        let timer = self.wheel.arm(self.now + patience, Timer::Release(key));
        if let Some(earlier) = subscription.rare_mut().hold.replace(timer) {
            self.wheel.cancel(earlier);
        }
    }

    /// The host never said what became of a NOTIFY, or never gave the credentials for it.
    pub(super) fn forget_notify(&mut self, key: Key) {
        let Some(open) = self.notifies.close(key) else {
            return;
        };
        if open.awaited().is_some() {
            self.go_on_unsent(&open);
        } else if self.is_direct(open.subscription) {
            self.settle_delivery(open.subscription, Delivery::Failed);
        } else {
            self.fail(open.subscription, EndReason::NotifyForgotten);
        }
    }

    /// A NOTIFY was not answered: the subscription is removed (RFC 6665 section 4.2.2), unless its
    /// watcher has spoken since and is owed another one. Then that one is the proof.
    fn fail(&mut self, key: Key, why: EndReason) {
        self.counters.notifies_failed += 1;
        let spoken = self
            .subscriptions
            .get(key)
            .is_some_and(|subscription| subscription.spoken);
        if spoken {
            self.settle(key, NotifyResult::Failed);
            self.resume(key);
        } else {
            self.drop_silently(key, why);
        }
    }

    // ---- rounds ---------------------------------------------------------------------------

    /// The state of a resource is another one now.
    pub(super) fn touch(&mut self, key: Key) {
        if let Some(resource) = self.resources.get_mut(key) {
            resource.version += 1;
            self.schedule_round(key);
        }
    }

    pub(super) fn schedule_round(&mut self, key: Key) {
        let Some(resource) = self.resources.get_mut(key) else {
            return;
        };
        match &mut resource.round {
            Round::Due { .. } => return,
            Round::Walking { again, seen, .. } => {
                // Whom it has yet to look at gets what holds then.
                *again |= *seen > 0;
                return;
            }
            Round::Idle if resource.live == 0 => return,
            Round::Idle => {}
        }
        let due = resource
            .last_round
            .map(|last| last + self.config.notify_interval);
        match due {
            Some(due) if due > self.now => {
                resource.round = Round::Due {
                    timer: self.wheel.arm(due, Timer::Round(key)),
                };
            }
            _ => self.begin_round(key),
        }
    }

    /// The interval has passed, unless something of the last round has left since.
    pub(super) fn round_is_due(&mut self, key: Key) {
        if let Some(resource) = self.resources.get_mut(key) {
            resource.round = Round::Idle;
            self.schedule_round(key);
        }
    }

    fn begin_round(&mut self, key: Key) {
        let Some(resource) = self.resources.get_mut(key) else {
            return;
        };
        if core::mem::take(&mut resource.is_overtaken) {
            // Those that passed for current are not any more.
            resource.version += 1;
        }
        let next = resource.subscriptions.first();
        resource.round = Round::Walking {
            next,
            again: false,
            seen: 0,
            has_passed_over: false,
            comes_back: false,
        };
        self.lanes.enter_round(key);
    }

    /// The next NOTIFY of a round under way, which then goes to the back of the queue. Looks at no
    /// more watchers than `budget` has, so as not to hold up the host where many need not be told.
    pub(super) fn next_of_round(&mut self, key: Key, budget: &mut u32) -> Option<Output> {
        while let Some(rest) = budget.checked_sub(1) {
            *budget = rest;
            let resource = self.resources.get_mut(key)?;
            let Round::Walking {
                next,
                again,
                seen,
                has_passed_over,
                comes_back,
            } = &mut resource.round
            else {
                return None;
            };
            if next.is_none() && *has_passed_over && !*comes_back {
                *next = resource.subscriptions.first();
                *comes_back = true;
            }
            let is_second = *comes_back;
            let (again, was_long) = (*again, *seen > LONG_WALK);
            *seen += 1;
            let Some((one_key, one)) = next.and_then(|index| self.subscriptions.entry(index))
            else {
                resource.round = Round::Idle;
                if was_long {
                    resource.last_round = Some(self.now);
                }
                if again {
                    self.schedule_round(key);
                }
                return None;
            };
            *next = one.by_resource.next();
            if let Some(second) = next.and_then(|index| self.subscriptions.at(index)) {
                second.look_ahead();
                if let Some(third) = second.by_resource.next() {
                    self.subscriptions.look_ahead(third);
                }
            }
            let leaves_by_itself = one.owed || one.hold().is_some();
            let is_told = is_second && !one.passed_over;
            if !one.is_live() || is_told || leaves_by_itself || self.now >= one.expires_at {
                continue;
            }
            let (waits, delivered, variant) = (one.open.is_some(), one.delivered, one.variant);
            let has_terms = one.terms().is_some();
            if has_terms && self.is_passed_by(one_key) {
                continue;
            }
            if self.judge_first(one_key) {
                continue;
            }
            if self.is_personal {
                let Some(document) = self.next_alone(one_key) else {
                    continue;
                };
                if let Some(resource) = self.resources.get_mut(key) {
                    resource.last_round = Some(self.now);
                }
                self.lanes.enter_round(key);
                return self.build(one_key, document);
            }
            let seen = self.variants.get(variant);
            let is_plain = seen.is_none_or(|it| it.name.protection == Protection::None);
            if !is_plain && has_terms {
                *budget = budget.saturating_sub(WORK_OF_TERMS);
                let waits = self.waits_for_another(one_key);
                self.charge_round(budget);
                if waits {
                    continue;
                }
            }
            if !is_plain && let Err(wait) = self.await_protection(variant) {
                match self.wait_in_round(key, one_key, variant, wait) {
                    WaitInRound::GoOn => continue,
                    WaitInRound::Stop(output) => return output,
                }
            }
            if is_second && let Some(one) = self.subscriptions.get_mut(one_key) {
                one.passed_over = false;
            }
            let document = self.document(variant)?;
            let mut differs = document.fingerprint != delivered;
            if has_terms {
                differs = self.has_news(one_key, &document);
                *budget = budget.saturating_sub(WORK_OF_TERMS);
                self.charge_round(budget);
            }
            if waits {
                if let Some(one) = self.subscriptions.get_mut(one_key) {
                    one.behind = differs;
                }
            } else if differs {
                if let Some(resource) = self.resources.get_mut(key) {
                    resource.last_round = Some(self.now);
                }
                self.lanes.enter_round(key);
                return match has_terms {
                    true => self.build_on_terms(one_key, document),
                    false => self.build_plain(one_key, document),
                };
            }
        }
        self.lanes.enter_round(key);
        None
    }

    /// A round has come to one whose document is not ready.
    fn wait_in_round(
        &mut self,
        resource_key: Key,
        one: Key,
        variant: Key,
        wait: Wait,
    ) -> WaitInRound {
        let recipient = self.variants.get(variant).and_then(|it| it.name.recipient);
        let Some(resource) = self.resources.get_mut(resource_key) else {
            return WaitInRound::Stop(None);
        };
        let (for_variant, output) = match wait {
            // It is tried again with the next change.
            Wait::InVain(_) => return WaitInRound::GoOn,
            Wait::For(variant, job) => (Some(variant), job.map(Output::Protect)),
            Wait::ForRoom => (None, None),
        };
        if recipient.is_none()
            && let Round::Walking {
                has_passed_over,
                comes_back: false,
                ..
            } = &mut resource.round
        {
            *has_passed_over = true;
            if let Some(one) = self.subscriptions.get_mut(one) {
                one.passed_over = true;
            }
            return match output {
                Some(output) => {
                    self.lanes.enter_round(resource_key);
                    WaitInRound::Stop(Some(output))
                }
                None => WaitInRound::GoOn,
            };
        }
        if recipient.is_some() {
            // What is made for one alone holds up nobody else.
            resource.last_round = Some(self.now);
            if let Some(one) = self.subscriptions.get_mut(one) {
                one.tells_change = true;
            }
            self.wait_for(one, for_variant);
            return match output {
                Some(output) => {
                    self.lanes.enter_round(resource_key);
                    WaitInRound::Stop(Some(output))
                }
                None => WaitInRound::GoOn,
            };
        }
        // Many are likely to wait for the same: they keep their turn.
        if let Round::Walking { next, seen, .. } = &mut resource.round {
            *next = Some(one.index);
            *seen = seen.saturating_sub(1);
        }
        self.pause_round(resource_key, for_variant.is_none());
        WaitInRound::Stop(output)
    }
}

/// How a round goes on past one whose document is not ready.
enum WaitInRound {
    GoOn,
    Stop(Option<Output>),
}
