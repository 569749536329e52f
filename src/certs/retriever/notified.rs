//! What services say: by NOTIFY, and how long that holds.

use core::time::Duration;
use std::collections::HashSet;
use std::sync::Arc;

use super::Retriever;
use crate::certs::config::SHORTEST_POLL;
use crate::certs::fetching::{CertificateForm, Inspection, InspectionKey};
use crate::certs::output::{Loss, RetrieveFailure, RetrieverEvent};
use crate::certs::source::{Arrival, Held, Source, Way, Word};
use crate::certs::verdict::{Objection, names};
use crate::certs::vouching::{Origin, vouched};
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::event::{
    Identity, NotifiedBody, NotifiedState, OwnSubscriptionKey, SubscriberEvent, SubscriptionEnd,
};
use crate::mime::{CertificateError, CertificateInfo, Chain};
use crate::sip::Reason;

/// What is told while a subscription is asked for again may be used meanwhile: Timer N, twice.
const COMING_BACK: Duration = Duration::from_secs(64);

impl Retriever {
    /// Something happened to a subscription.
    pub(super) fn heed(&mut self, event: SubscriberEvent) {
        let source_of = |subscription: &OwnSubscriptionKey| {
            let key = *self.by_subscription.get(subscription)?;
            let source = self.sources.get(key)?;
            (!source.is_leaving()).then_some(key)
        };
        match event {
            SubscriberEvent::Notified {
                key,
                state,
                expires,
                sender,
                body,
                ..
            } => {
                if let Some(key) = source_of(&key) {
                    self.notified(key, state, expires, &sender, body);
                }
            }
            SubscriberEvent::BodyRefused { key, body } => {
                if let Some(key) = source_of(&key) {
                    if let Some(sip) = self.sources.get_mut(key).and_then(Source::subscribed) {
                        sip.is_refused = true;
                    }
                    self.failed(key, RetrieveFailure::Body(body), None);
                }
            }
            SubscriberEvent::Ended {
                key, end, retry_in, ..
            } => {
                if let Some(key) = source_of(&key) {
                    self.subscription_ended(key, end, retry_in);
                }
            }
            SubscriberEvent::Failed {
                key,
                failure,
                retry_in,
                ..
            } => {
                if let Some(key) = source_of(&key) {
                    self.failed(key, RetrieveFailure::Subscribe(failure), retry_in);
                }
            }
            SubscriberEvent::Delayed { key, retry_in } => {
                if let Some(key) = source_of(&key) {
                    self.failed(key, RetrieveFailure::Delayed, Some(retry_in));
                }
            }
            SubscriberEvent::Over { key, .. } => {
                if let Some(key) = self.by_subscription.remove(&key) {
                    self.has_left(key);
                }
            }
            // Nobody asks for it here.
            SubscriberEvent::Prolonged { .. } | SubscriberEvent::Confirmed { .. } => {}
        }
    }

    /// A subscription that was to be ended is over.
    fn has_left(&mut self, key: Key) {
        let Some(source) = self.sources.get_mut(key) else {
            return;
        };
        let is_wanted = !source.users.is_empty();
        if let Some(sip) = source.subscribed() {
            sip.subscription = None;
            sip.is_leaving = false;
        }
        match is_wanted {
            true => self.ask(key),
            false => self.remove(key),
        }
    }

    fn notified(
        &mut self,
        key: Key,
        state: NotifiedState,
        expires: u32,
        sender: &Identity,
        body: Option<NotifiedBody>,
    ) {
        let (now, cache_time) = (self.now, self.config.cache_time);
        let Some(sip) = self.sources.get_mut(key).and_then(Source::subscribed) else {
            return;
        };
        let is_first = !core::mem::replace(&mut sip.is_heard, true);
        let is_refused = core::mem::take(&mut sip.is_refused);
        let is_over = state == NotifiedState::Terminated;
        if let Some(body) = body {
            let vouched = vouched(&sip.asked, sender, &body.signers, &self.config.rules);
            let asked = sip.asked.clone();
            // Of one that is over, its end tells how long it holds.
            let lasts = Duration::from_secs(expires.into());
            let until = match is_over {
                true => now + cache_time,
                false => now + cache_time.min(lasts),
            };
            // What keeps a subscription brings the state with it.
            let is_told_in_time = !is_over && lasts <= cache_time;
            self.again_before(key, (!is_told_in_time).then_some(until));
            self.arrived(
                key,
                Arrival {
                    octets: body.bytes,
                    form: CertificateForm::Der,
                    origin: Origin::Notified { asked, vouched },
                    until,
                    is_queued: false,
                    job: None,
                },
            );
            return;
        }
        let says_nothing = match state {
            // A body of another type stood in the place of what is known, but cannot be looked at.
            _ if is_refused => true,
            // Nobody has decided who may have it.
            NotifiedState::Pending | NotifiedState::Other => true,
            // The last one need not say it again.
            NotifiedState::Terminated => !is_first,
            NotifiedState::Active => false,
        };
        if !says_nothing {
            self.again_before(key, None);
            self.withdrawn(key);
        } else if !is_over {
            // Others may be quicker.
            self.spoken(key);
            self.dirty_users(key);
        }
    }

    /// There is no certificate any more, or none at all (RFC 6072 sections 6.6 and 6.8). It is believed
    /// whoever says so: at worst one is not used that could be.
    pub(super) fn withdrawn(&mut self, key: Key) {
        self.drop_arrival(key);
        let Some(source) = self.sources.get_mut(key) else {
            return;
        };
        source.lose(Loss::Withdrawn);
        if core::mem::replace(&mut source.word, Word::Absent) != Word::Absent {
            self.tell(key, |key, source| RetrieverEvent::Absent {
                key,
                source: source.spec.clone(),
            });
        }
        self.rechecked(key);
        self.dirty_users(key);
        self.rearm(key);
    }

    /// It is asked for again in time before it would be forgotten, if ever.
    pub(super) fn again_before(&mut self, key: Key, until: Option<Timestamp>) {
        let left = until.map_or(Duration::ZERO, |until| until.saturating_since(self.now));
        if let Some(source) = self.sources.get_mut(key) {
            let wait = (left / 10).saturating_mul(9).max(SHORTEST_POLL);
            source.again_at = (!left.is_zero()).then_some(self.now + wait);
        }
    }

    fn subscription_ended(&mut self, key: Key, end: SubscriptionEnd, retry_in: Option<Duration>) {
        let (now, cache_time) = (self.now, self.config.cache_time);
        let poll_interval = self.config.poll_interval;
        let Some(source) = self.sources.get_mut(key) else {
            return;
        };
        let Some(sip) = source.subscribed() else {
            return;
        };
        sip.is_heard = false;
        let own_wait = match end.reason() {
            // It gives certificates without subscriptions (RFC 6072 section 4).
            Some(Reason::Probation) => Some(poll_interval.max(retry_in.unwrap_or_default())),
            // What it told will not change.
            Some(Reason::Invariant) => Some((cache_time / 10).saturating_mul(9).max(poll_interval)),
            _ => None,
        };
        if let Some(wait) = own_wait {
            // Polled at the pace of here, not at that of one who tries to subscribe.
            if let Some(subscription) = sip.subscription.take() {
                self.by_subscription.remove(&subscription);
                self.subscriber.abandon(now, subscription);
            }
            source.again_at = Some(now + wait);
            source.keep_until(now + wait + COMING_BACK);
            self.rearm(key);
            return;
        }
        // Who does not answer had granted the time all the same.
        let is_told = !matches!(end, SubscriptionEnd::Silent | SubscriptionEnd::Expired);
        match retry_in {
            Some(wait) => {
                if is_told {
                    source.keep_until(now + wait + COMING_BACK);
                }
                source.again_at = None;
            }
            None => {
                source.lose(Loss::Ended);
                source.again_at = None;
                self.drop_arrival(key);
            }
        }
        self.failed(key, RetrieveFailure::Ended(end), retry_in);
    }

    // ---- reading what came ------------------------------------------------------------------

    /// Octets have come that are said to be a certificate.
    pub(super) fn arrived(&mut self, key: Key, mut arrival: Arrival) {
        // The newest one counts, and one is read at a time.
        let was_queued = self.drop_arrival(key);
        arrival.is_queued = true;
        if let Some(source) = self.sources.get_mut(key) {
            source.arrival = Some(arrival);
            if !was_queued {
                self.queue_inspection(key);
            }
        }
        self.rearm(key);
    }

    fn queue_inspection(&mut self, key: Key) {
        self.to_inspect.push_back(key);
        // As with fetches.
        if self.to_inspect.len() > 2 * self.sources.len() + 16 {
            let sources = &self.sources;
            let mut known = HashSet::new();
            self.to_inspect.retain(|key| {
                let arrival = sources.get(*key).and_then(|it| it.arrival.as_ref());
                arrival.is_some_and(|it| it.is_queued) && known.insert(*key)
            });
        }
    }

    /// What came is not of interest any more; tells whether it still stood in the queue.
    pub(super) fn drop_arrival(&mut self, key: Key) -> bool {
        let arrival = self.sources.get_mut(key).and_then(|it| it.arrival.take());
        if let Some((job, _)) = arrival.as_ref().and_then(|arrival| arrival.job) {
            self.inspections.remove(job);
        }
        arrival.is_some_and(|arrival| arrival.is_queued)
    }

    /// The next certificate to be read, if there is room for another.
    pub(super) fn next_inspection(&mut self) -> Option<Inspection> {
        while self.inspections.len() < self.config.limits.inspections {
            let key = self.to_inspect.pop_front()?;
            let arrival = self.sources.get_mut(key).and_then(|it| it.arrival.as_mut());
            let Some(arrival) = arrival.filter(|arrival| arrival.is_queued) else {
                continue;
            };
            let deadline = self.now + self.config.inspection_time;
            let job = self.inspections.insert(key);
            arrival.is_queued = false;
            arrival.job = Some((job, deadline));
            let inspection = Inspection {
                key: InspectionKey(job),
                certificate: arrival.octets.clone(),
                form: arrival.form,
                deadline,
            };
            self.rearm(key);
            return Some(inspection);
        }
        None
    }

    /// A certificate was read, or cannot be. False when nothing waits for it any more.
    pub fn complete_inspection(
        &mut self,
        now: Timestamp,
        key: InspectionKey,
        result: Result<CertificateInfo, CertificateError>,
    ) -> bool {
        self.advance(now);
        let Some(key) = self.inspections.remove(key.0) else {
            return false;
        };
        let source = self.sources.get_mut(key);
        let Some(arrival) = source.and_then(|source| source.arrival.take()) else {
            return false;
        };
        let is_other = |info: &CertificateInfo| {
            arrival.form == CertificateForm::Der && info.der != arrival.octets
        };
        match result {
            Ok(info) if is_other(&info) => {
                let error = CertificateError::Unreadable("another certificate was read".to_owned());
                self.unreadable(key, &arrival, error);
            }
            Ok(info) => self.was_read(key, arrival, info),
            Err(error) => self.unreadable(key, &arrival, error),
        }
        self.settle();
        true
    }

    fn was_read(&mut self, key: Key, arrival: Arrival, info: CertificateInfo) {
        let now = self.now;
        let is_backed = arrival.origin.is_vouched_for()
            || (info.chain == Chain::Trusted && self.names_somebody(key, &info));
        let Some(source) = self.sources.get_mut(key) else {
            return;
        };
        let is_known = |held: &Held| held.info.der == info.der;
        let in_use = source.held.as_ref().filter(|held| now <= held.until);
        if let (Some(_), false, Origin::Notified { vouched, .. }) =
            (in_use, is_backed, &arrival.origin)
        {
            // What anybody may have sent does not take the place of what somebody vouched for (RFC 6072
            // section 6.8).
            let objection = match vouched {
                Err(objection) => objection.clone(),
                Ok(_) => Objection::NoIdentity,
            };
            let may_tell = !in_use.is_some_and(is_known);
            source.word = Word::Spoken;
            if may_tell {
                self.tell(key, |key, source| RetrieverEvent::Unusable {
                    key,
                    source: source.spec.clone(),
                    objection: objection.clone(),
                });
            }
            self.rearm(key);
            return;
        }
        source.held = Some(Held {
            info: Arc::new(info),
            origin: arrival.origin,
            until: arrival.until,
        });
        source.loss = None;
        source.word = Word::Spoken;
        self.dirty_users(key);
        self.settle();
        self.rechecked(key);
        self.rearm(key);
    }

    /// Whether a certificate names the URI that was asked, or somebody who follows it.
    fn names_somebody(&self, key: Key, info: &CertificateInfo) -> bool {
        let Some(source) = self.sources.get(key) else {
            return false;
        };
        let is_asked = matches!(&source.way, Way::Sip(sip) if names(&info.names, &sip.asked));
        let mut users = source.users.iter();
        is_asked
            || users.any(|user| {
                let followed = self.followed.get(*user);
                followed.is_some_and(|it| it.names.iter().any(|name| names(&info.names, name)))
            })
    }

    fn unreadable(&mut self, key: Key, arrival: &Arrival, error: CertificateError) {
        let is_web = matches!(arrival.origin, Origin::Fetched { .. });
        if let Some(source) = self.sources.get_mut(key)
            && (is_web || arrival.origin.is_vouched_for())
        {
            // It took the place of the one before, whatever it is.
            source.lose(Loss::Unreadable(error.clone()));
        }
        let retry_in = self.spoken(key);
        self.failed(key, RetrieveFailure::Certificate(error), retry_in);
    }

    /// Nobody has read it in time.
    pub(super) fn not_inspected(&mut self, key: Key) {
        let Some(arrival) = self.sources.get_mut(key).and_then(|it| it.arrival.take()) else {
            return;
        };
        if let Some((job, _)) = arrival.job {
            self.inspections.remove(job);
        }
        if let Some(source) = self.sources.get_mut(key) {
            source.again_at = Some(self.now + SHORTEST_POLL);
        }
        let retry_in = self.spoken(key);
        self.failed(key, RetrieveFailure::NotInspected, retry_in);
    }

    /// A source has said something; tells when it is asked again.
    fn spoken(&mut self, key: Key) -> Option<Duration> {
        let source = self.sources.get_mut(key)?;
        source.word = Word::Spoken;
        Some(source.again_at?.saturating_since(self.now))
    }
}
