//! What a watcher has asked for beyond the ordinary: its pace, conditions, filters, partial documents.

use core::time::Duration;
use std::sync::Arc;

use super::conditional::Condition;
use super::document::Document;
use super::narrowing::Filter;
use super::pace::{Bounds, Pace};
use super::package::Package;
use super::server::{Server, Timer};
use super::subscription::{Phase, Subscription, Variant};
use crate::engine::slab::Key;
use crate::sip::{Content, Event, HeaderName, Rates, ResponseRef};

/// The terms of one subscription. Most have none.
#[derive(Debug, Default)]
pub(super) struct Terms {
    pub(super) pace: Option<Pace>,
    pub(super) condition: Option<Condition>,
    pub(super) filter: Option<Filter>,
    /// Partial documents that have left, and the number of the last.
    pub(super) number: u32,
    /// The NOTIFY that is open has that number.
    pub(super) is_numbered: bool,
    /// The fingerprint of the document that its watcher had before it, by the numbers; 0 is none.
    pub(super) base: u64,
    /// The fingerprint of the document that the variant remembers for it, told by the last number; 0 is none.
    pub(super) held: u64,
    /// The same of the document before it was narrowed, where changes are told by triggers.
    pub(super) seen: u64,
}

/// What a SUBSCRIBE asks for beyond the ordinary.
#[derive(Debug, Default)]
pub(super) struct AskedTerms {
    pub(super) rates: Rates,
    pub(super) condition: Option<Condition>,
    pub(super) filter: Option<Filter>,
}

impl AskedTerms {
    fn is_nothing(&self) -> bool {
        self.rates.is_none() && self.condition.is_none() && self.filter.is_none()
    }
}

impl Subscription {
    pub(super) fn terms(&self) -> Option<&Terms> {
        self.rare.as_ref()?.terms.as_deref()
    }

    pub(super) fn terms_mut(&mut self) -> Option<&mut Terms> {
        self.rare.as_mut()?.terms.as_deref_mut()
    }

    /// The pace that is granted.
    pub(super) fn rates(&self) -> Rates {
        let pace = self.terms().and_then(|terms| terms.pace.as_ref());
        pace.map_or(Rates::NONE, Pace::granted)
    }
}

impl<P: Package> Server<P> {
    /// Puts in force what a SUBSCRIBE asks for; what it does not ask for is over.
    pub(super) fn agree(&mut self, key: Key, asked: AskedTerms, expires: u32) {
        let bounds = self.pace_bounds(expires);
        let is_partial = self.is_partial(key);
        let now = self.now;
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        if subscription.terms().is_none() && asked.is_nothing() && !is_partial {
            return;
        }
        let terms = subscription.rare_mut().terms.get_or_insert_default();
        terms.condition = asked.condition;
        terms.filter = asked.filter;
        match &mut terms.pace {
            Some(pace) => pace.regrant(asked.rates, bounds),
            None if asked.rates.is_none() => {}
            None => terms.pace = Some(Pace::grant(asked.rates, bounds)),
        }
        if let Some(pace) = &mut terms.pace {
            pace.begin(now);
        }
        self.set_pace_timer(key);
    }

    fn pace_bounds(&self, expires: u32) -> Bounds {
        Bounds {
            shortest: self.config.notify_interval,
            shortest_repeat: self.config.repeat_interval,
            expires: Duration::from_secs(expires.into()),
        }
    }

    /// The answer to a NOTIFY may ask for another pace (RFC 6446 sections 5.1, 6.1 and 7.1). One that has no
    /// Event asks for nothing.
    pub(super) fn heed_rates(&mut self, key: Key, response: &ResponseRef<'_>) {
        let Some(event) = response.first(HeaderName::Event) else {
            return;
        };
        let Ok(event) = Event::parse(event) else {
            return;
        };
        if event.event_type() != self.package.profile().event_type || !self.controls_rates() {
            return;
        }
        let Ok(rates) = Rates::read(HeaderName::Event, event.params()) else {
            return;
        };
        let now = self.now;
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        if !subscription.is_live() || rates.is_none() && subscription.rates().is_none() {
            return;
        }
        let left = subscription.expires_at.saturating_since(now).as_secs();
        let bounds = self.pace_bounds(u32::try_from(left).unwrap_or(u32::MAX));
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            let terms = subscription.rare_mut().terms.get_or_insert_default();
            match &mut terms.pace {
                Some(pace) => pace.regrant(rates, bounds),
                None => terms.pace = Some(Pace::grant(rates, bounds)),
            }
            if let Some(pace) = &mut terms.pace {
                pace.begin(now);
            }
        }
        self.set_pace_timer(key);
    }

    pub(super) fn controls_rates(&self) -> bool {
        self.config.rate_control && !self.is_personal
    }

    pub(super) fn set_pace_timer(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let (is_live, expires_at) = (subscription.is_live(), subscription.expires_at);
        let Some(pace) = subscription.terms_mut().and_then(|it| it.pace.as_mut()) else {
            return;
        };
        if let Some(timer) = pace.timer.take() {
            self.wheel.cancel(timer);
        }
        let next = pace.next().filter(|next| is_live && *next < expires_at);
        pace.timer = next.map(|next| self.wheel.arm(next, Timer::Pace(key)));
    }

    /// Whether a round passes by this one for now: it wants to rest, or it is too early.
    #[inline(never)]
    pub(super) fn is_passed_by(&mut self, key: Key) -> bool {
        let now = self.now;
        let Some(terms) = self
            .subscriptions
            .get_mut(key)
            .and_then(Subscription::terms_mut)
        else {
            return false;
        };
        if terms.condition == Some(Condition::Always) {
            return true;
        }
        let Some(pace) = terms.pace.as_mut().filter(|pace| now < pace.earliest()) else {
            return false;
        };
        if !pace.is_late {
            pace.is_late = true;
            self.set_pace_timer(key);
        }
        true
    }

    /// The time has come for a change that had to wait, or to say the same again.
    pub(super) fn pace_is_due(&mut self, key: Key) {
        let now = self.now;
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let variant = subscription.variant;
        let is_busy = subscription.open.is_some();
        let leaves_by_itself = subscription.owed || subscription.hold().is_some();
        let is_over = !subscription.is_live() || now >= subscription.expires_at;
        let Some(terms) = subscription.terms_mut() else {
            return;
        };
        let condition = terms.condition;
        let Some(pace) = &mut terms.pace else {
            return;
        };
        pace.timer = None;
        let was_late = core::mem::take(&mut pace.is_late);
        if is_over || leaves_by_itself {
            return;
        }
        if is_busy {
            // Its answer sees to what is due.
            subscription.behind |= was_late;
            return;
        }
        if condition == Some(Condition::Always) {
            return;
        }
        let is_repeat = pace.repeat_at().is_some_and(|at| at <= now);
        // What is protected is not made to find out.
        let document = match self.is_protected(variant) {
            true => None,
            false => self.document(variant),
        };
        let mut is_for_change = false;
        let tells = match &document {
            Some(document) => {
                let is_known = condition == Some(Condition::Unless(document.fingerprint));
                let repeats = is_repeat && !is_known;
                is_for_change = !repeats;
                repeats || self.has_news(key, document)
            }
            None => is_repeat || !self.waits_for_another(key),
        };
        if tells {
            self.owe(key);
            self.owes_change(key, is_for_change);
            return;
        }
        if is_repeat
            && let Some(subscription) = self.subscriptions.get_mut(key)
            && let Some(pace) = subscription.terms_mut().and_then(|it| it.pace.as_mut())
        {
            // It counts as told, by not being told; a change does not wait for that.
            pace.spare(now);
        }
        self.set_pace_timer(key);
    }

    /// Whether the NOTIFY that is owed is for a change alone.
    fn owes_change(&mut self, key: Key, is_so: bool) {
        if let Some(subscription) = self.subscriptions.get_mut(key)
            && let Some(pace) = subscription.terms_mut().and_then(|it| it.pace.as_mut())
        {
            pace.owes_change = is_so;
        }
    }

    /// Whether the change that a NOTIFY was owed for, and nothing else, was undone before its turn came. Then
    /// it is not owed any more.
    #[inline(never)]
    pub(super) fn is_undone(&mut self, key: Key) -> bool {
        let Some(subscription) = self.subscriptions.get(key) else {
            return false;
        };
        let pace = subscription.terms().and_then(|terms| terms.pace.as_ref());
        let variant = subscription.variant;
        if !subscription.is_live() || !pace.is_some_and(|pace| pace.owes_change) {
            return false;
        }
        if self.is_protected(variant) {
            return false;
        }
        let document = self.document(variant);
        if document.is_none_or(|document| self.has_news(key, &document)) {
            return false;
        }
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.owed = false;
        }
        self.owes_change(key, false);
        self.set_pace_timer(key);
        true
    }

    /// Whether there is something that this watcher wants to be told, and has not been.
    pub(super) fn has_news(&mut self, key: Key, document: &Document) -> bool {
        let Some(subscription) = self.subscriptions.get(key) else {
            return false;
        };
        let (delivered, variant) = (subscription.delivered, subscription.variant);
        let terms = subscription.terms();
        let condition = terms.and_then(|terms| terms.condition);
        if condition == Some(Condition::Unless(document.fingerprint)) {
            return false;
        }
        let seen = terms.map_or(0, |terms| terms.seen);
        if document.has_triggers && delivered != 0 {
            return self.fires(variant, seen);
        }
        document.fingerprint != delivered
    }

    /// Whether no change there is can be one that this watcher wants to be told of: to know that its document
    /// need not be made.
    pub(super) fn waits_for_another(&mut self, key: Key) -> bool {
        let Some(subscription) = self.subscriptions.get(key) else {
            return false;
        };
        let (delivered, variant) = (subscription.delivered, subscription.variant);
        let seen = subscription.terms().map_or(0, |terms| terms.seen);
        let has_triggers = self
            .variants
            .get(variant)
            .is_some_and(Variant::has_triggers);
        has_triggers && delivered != 0 && !self.fires(variant, seen)
    }

    /// Makes of a document what the terms of the subscription make of it, before it leaves.
    #[inline(never)]
    pub(super) fn apply_terms(&mut self, key: Key, document: &mut Document, is_repetition: bool) {
        let now = self.now;
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let variant = subscription.variant;
        // Whoever asks is told everything, and who may not have had the last one.
        let is_asked_for = subscription.owed && subscription.spoken;
        let may_lack_it = is_asked_for || subscription.delivered == 0;
        let tells = subscription.phase.tells_state() && document.fingerprint != 0;
        let is_last = !matches!(subscription.phase, Phase::Live);
        let Some(terms) = subscription.terms_mut() else {
            return;
        };
        if let Some(pace) = &mut terms.pace {
            pace.sent(now);
        }
        let number = terms.number;
        let before = match (may_lack_it, is_repetition) {
            (true, _) => 0,
            // Nobody has taken what he has challenged.
            (false, true) => terms.base,
            (false, false) => terms.held,
        };
        (terms.base, terms.is_numbered) = (before, false);
        let mut held = document.fingerprint;
        let mut is_told = true;
        match terms.condition.filter(|_| tells) {
            Some(condition) if condition.holds_for(document.fingerprint) => {
                document.content = self.without_body(document.fingerprint);
                if before != document.fingerprint {
                    // It has come by another way than the numbers.
                    held = 0;
                }
                if condition == Condition::Always {
                    (held, is_told) = (0, false);
                    document.fingerprint = 0;
                }
            }
            condition => {
                if condition.is_some() {
                    terms.condition = None;
                }
                if tells && document.is_partial {
                    match self.numbered(variant, document, before, number) {
                        Some((content, number)) => {
                            document.content = content;
                            self.set_number(key, number);
                        }
                        // After one of another type it begins with all of it.
                        None => held = 0,
                    }
                }
            }
        }
        if is_last {
            (held, is_told) = (0, false);
        } else {
            self.set_pace_timer(key);
        }
        if tells {
            self.hold_document(key, held);
            self.hold_seen(key, is_told);
        }
    }

    fn set_number(&mut self, key: Key, number: u32) {
        if let Some(subscription) = self.subscriptions.get_mut(key)
            && let Some(terms) = subscription.terms_mut()
        {
            terms.number = number;
            terms.is_numbered = true;
        }
    }

    /// The NOTIFY that is open was challenged, so that its watcher has not taken what it tells: the number is
    /// that of the next (RFC 5263 section 4.4). It is not so after other errors: a watcher that has taken the
    /// document all the same would leave another one of that number aside.
    pub(super) fn take_number_back(&mut self, key: Key) {
        if let Some(subscription) = self.subscriptions.get_mut(key)
            && let Some(terms) = subscription.terms_mut()
            && core::mem::take(&mut terms.is_numbered)
        {
            terms.number = terms.number.saturating_sub(1);
        }
    }

    /// Nothing with the entity-tag of a document (RFC 5839 section 6.2).
    pub(super) fn without_body(&self, fingerprint: u64) -> Arc<Content> {
        let fields = self.fields_with_tag(fingerprint);
        Arc::new(Content::new(&fields, None, bytes::Bytes::new()))
    }
}
