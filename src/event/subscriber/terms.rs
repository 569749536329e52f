//! What notifiers are asked for beside the state: rates (RFC 6446) and types of bodies.

use super::subscription::{News, Subscription};
use super::{OwnSubscriptionKey, SubscribeError, Subscriber};
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::event::opening::accepted_types;
use crate::sip::Rates;

/// The least `q` that is written.
const LEAST: usize = 1;

impl Subscriber {
    /// Asks for other rates, of all notifiers of a subscription and at once (RFC 6446 sections 5.1, 6.1
    /// and 7.1); [`Rates::NONE`] leaves them to the notifier again. What becomes of it is told by
    /// [`OwnSubscriptionInfo::rates`](super::OwnSubscriptionInfo::rates) after the next NOTIFY. Nothing
    /// is asked for once a notifier has answered rates by 489.
    ///
    /// # Errors
    /// [`SubscribeError::Rates`] when they contradict each other, and [`SubscribeError::Unknown`] when
    /// there is no such subscription, or it is being ended.
    pub fn set_rates(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        rates: Rates,
    ) -> Result<(), SubscribeError> {
        self.advance(now);
        check_rates(rates)?;
        let subscription = self.kept(key)?;
        if subscription.rates() != rates {
            subscription.rare.change(|it| it.rates = rates);
            if !subscription.rates_have_failed {
                self.tell_terms(key.0);
            }
        }
        Ok(())
    }

    /// Asks for bodies of these types, best first, of all notifiers of a subscription and at once. Nothing
    /// stands for those of the profile. Bodies of others are refused when a notifier has heard of it.
    ///
    /// # Errors
    /// [`SubscribeError::Unknown`] when there is no such subscription, or it is being ended.
    pub fn set_media_types(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        media_types: Option<&'static [&'static str]>,
    ) -> Result<(), SubscribeError> {
        self.advance(now);
        let before = self.media_types(key.0);
        let subscription = self.kept(key)?;
        if subscription.media_types() != media_types {
            subscription.rare.change(|it| {
                it.media_types = media_types;
                it.media_types_before = before;
            });
            self.tell_terms(key.0);
        }
        Ok(())
    }

    /// A subscription that is not being ended.
    pub(super) fn kept(
        &mut self,
        key: OwnSubscriptionKey,
    ) -> Result<&mut Subscription, SubscribeError> {
        let subscription = self.subscriptions.get_mut(key.0);
        let subscription = subscription.filter(|it| !it.is_leaving());
        subscription.ok_or(SubscribeError::Unknown)
    }

    /// Whether a refused SUBSCRIBE is sent again without rates: Kamailio 5.6, for one, takes an event with
    /// a parameter that it does not know for an event that it does not know. There are no more rates for
    /// this subscription then.
    pub(super) fn gives_rates_up(&mut self, key: Key, status: u16) -> bool {
        let subscription = self.subscriptions.get_mut(key);
        let asked = subscription.filter(|it| !it.asked_rates().is_none());
        let Some(subscription) = asked.filter(|_| status == 489) else {
            return false;
        };
        subscription.rates_have_failed = true;
        true
    }

    /// Notifiers are told by a refresh, and say in turn what they grant, since it has no condition.
    fn tell_terms(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        // Told when there is a dialog to tell it in.
        subscription.news.terms = subscription.may_make_dialogs(self.now);
        for dialog_key in self.dialogs_of(key) {
            if let Some(dialog) = self.dialogs.get_mut(dialog_key) {
                dialog.unconditional = true;
                dialog.state_only = false;
                self.queue_dialog(dialog_key);
            }
        }
    }

    /// The notifier of a new dialog is told what the SUBSCRIBE that made it did not say.
    pub(super) fn tell_news(&mut self, key: Key, dialog_key: Key, news: News) {
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        if let Some(dialog) = self.dialogs.get_mut(dialog_key) {
            dialog.unconditional |= news.terms;
            if news.body {
                dialog.ordered = subscription.ordered();
            }
        }
        if news.terms || news.body {
            self.queue_dialog(dialog_key);
        }
    }

    /// The types of bodies that are taken.
    pub(super) fn media_types(&self, key: Key) -> &'static [&'static str] {
        let subscription = self.subscriptions.get(key);
        let own = subscription.and_then(Subscription::media_types);
        own.unwrap_or(self.profile.media_types)
    }

    /// The value of Accept.
    pub(super) fn accept(&self, key: Key) -> String {
        let opens = self.config.opens_bodies;
        let own = self
            .subscriptions
            .get(key)
            .and_then(Subscription::media_types);
        let Some(types) = own else {
            return accepted_types(self.profile.media_types, opens);
        };
        let mut accept = String::with_capacity(128);
        for (place, media_type) in types.iter().enumerate() {
            if place > 0 {
                let tenths = 10_usize.saturating_sub(place).max(LEAST);
                accept.push_str(", ");
                accept.push_str(media_type);
                accept.push_str(";q=0.");
                accept.push_str(itoa::Buffer::new().format(tenths));
            } else {
                accept.push_str(media_type);
            }
        }
        let protected = accepted_types(&[], opens);
        if !protected.is_empty() {
            accept.push_str(", ");
            accept.push_str(&protected);
        }
        accept
    }
}

impl Subscription {
    /// The rates that SUBSCRIBEs ask for.
    pub(super) fn asked_rates(&self) -> Rates {
        match self.rates_have_failed {
            true => Rates::NONE,
            false => self.rates(),
        }
    }

    fn rates(&self) -> Rates {
        self.rare.get().map_or(Rates::NONE, |it| it.rates)
    }

    /// What the notifier that was heard last says of them.
    pub(super) fn granted_rates(&self) -> Option<Rates> {
        self.rare.get()?.granted_rates
    }

    pub(super) fn set_granted_rates(&mut self, rates: Option<Rates>) {
        if self.granted_rates() != rates {
            self.rare.change(|it| it.granted_rates = rates);
        }
    }

    /// The types that are asked for, unless those of the profile are.
    fn media_types(&self) -> Option<&'static [&'static str]> {
        self.rare.get()?.media_types
    }

    /// Those that were asked for before, until a notifier has heard of it.
    pub(super) fn media_types_before(&self) -> &'static [&'static str] {
        self.rare.get().map_or(&[], |it| it.media_types_before)
    }
}

/// Whether somebody could hold to them all (RFC 6446 section 8).
pub(super) fn check_rates(rates: Rates) -> Result<(), SubscribeError> {
    // What is asked for from the lowest to the highest.
    let rising = [rates.min, rates.adaptive_min, rates.max];
    let rising: Vec<_> = rising.into_iter().flatten().collect();
    match rising.is_sorted_by(|lower, higher| lower < higher) {
        true => Ok(()),
        false => Err(SubscribeError::Rates { rates }),
    }
}
