//! SUBSCRIBEs, outside dialogs and within (RFC 6665 sections 4.1.2.1 to 4.1.2.3).

use core::time::Duration;
use std::sync::Arc;

use super::subscription::{News, Ordered, Phase, Purpose, Subscription, Turn, Way};
use super::{
    OpenSubscribe, OwnSubscriptionKey, SubscribeFailure, Subscriber, SubscriberEvent,
    SubscriptionEnd, Within,
};
use crate::engine::slab::Key;
use crate::engine::{FlowId, Timestamp};
use crate::event::account::{InDialog, Names};
use crate::event::dialog::{contact_line, way};
use crate::event::open_requests::{Credentials, LAST_CSEQ};
use crate::sip::{Content, Head, HeaderName, OutgoingRequest, Own, Tag};

/// Enough to spread those who wait for one server.
const LONGEST_JITTER: Duration = Duration::from_secs(30);

/// What is sent, but for its head.
struct Parts {
    open: OpenSubscribe,
    cseq: u32,
    credentials: Credentials,
    flow: Option<FlowId>,
    content: Option<Arc<Content>>,
}

impl Subscriber {
    /// The SUBSCRIBE outside dialogs whose turn has come, if it is still to be sent.
    pub(super) fn request(&mut self, key: Key) -> Option<OutgoingRequest> {
        let subscription = self.subscriptions.get(key)?;
        if subscription.phase != Phase::Queued {
            return None;
        }
        if let Some(asked) = self.held_until(key) {
            // Those who were held do not all come at once.
            let until = asked + self.jitter(asked);
            self.end_attempt(key);
            if let Some(subscription) = self.subscriptions.get_mut(key) {
                subscription.ways.clear();
            }
            self.wait(key, Some(asked), until);
            self.event(SubscriberEvent::Delayed {
                key: OwnSubscriptionKey(key),
                retry_in: until.saturating_since(self.now),
            });
            return None;
        }
        let subscription = self.subscriptions.get(key)?;
        // A repetition has the names of what it repeats (RFC 3261 section 8.1.3.5).
        let is_repetition = subscription.attempt.is_some();
        if !is_repetition {
            self.new_attempt(key)?;
        }
        let accept = self.accept(key);
        let condition = self.condition_outside(self.subscriptions.get(key)?);
        let subscription = self.subscriptions.get_mut(key)?;
        subscription.rare.set_condition(condition.as_ref());
        let asked = subscription.asked();
        let hop = subscription.next_hop().into();
        let attempt = subscription.attempt.as_mut()?;
        attempt.cseq = attempt.cseq.saturating_add(1);
        attempt.until = self.now + self.config.timer_n;
        attempt.is_open = true;
        let attempt = *attempt;
        let parts = Parts {
            open: OpenSubscribe {
                subscription: key,
                within: Within::Attempt(attempt.from_tag),
                asked,
                hop,
                ordered: None,
                condition,
            },
            cseq: attempt.cseq,
            credentials: core::mem::take(&mut subscription.credentials),
            flow: subscription.account.flow(),
            content: subscription.content.clone(),
        };
        let names = Names {
            from_tag: Tag::from_bits(attempt.from_tag),
            to: &subscription.resource,
            call_id: Tag::from_bits(attempt.call_id),
            dialog: None,
        };
        let account = &subscription.account;
        let more = lines(&self.profile, subscription, &accept)?;
        let request_uri = subscription.request_uri();
        account.head(&mut self.heads, "SUBSCRIBE", request_uri, &names, &more)?;
        let head = match (&subscription.ways.current, account.first_route()) {
            (Some(Way::Hop(hop)), None) => self.heads.finish_towards(hop)?,
            _ => self.heads.finish(),
        };
        subscription.phase = Phase::Trying;
        subscription.has_moved = false;
        subscription.news = News::default();
        let (_, request) = self.send(parts, head);
        self.set_alarm(key, Some(attempt.until));
        Some(request)
    }

    /// The SUBSCRIBE of a dialog whose turn has come, if it is still to be sent.
    pub(super) fn request_in_dialog(&mut self, key: Key) -> Option<OutgoingRequest> {
        let dialog = self.dialogs.get_mut(key)?;
        if dialog.turn != Turn::Queued {
            return None;
        }
        dialog.turn = Turn::None;
        let subscription_key = dialog.subscription;
        let subscription = self.subscriptions.get(subscription_key)?;
        let leaving = subscription.is_leaving();
        let hop = dialog.next_hop();
        if let Some(until) = self.holds.until(&hop, self.now) {
            if leaving {
                // It would keep a program from its end.
                self.end_dialog(key, SubscriptionEnd::Expired);
            } else {
                let latest = dialog.expires_at.max(until);
                let spread = self.jitter(until);
                let mut ordered = None;
                if let Some(dialog) = self.dialogs.get_mut(key) {
                    dialog.refresh_at = Some((until + spread).min(latest));
                    let of_duration = |it: &mut Ordered| it.purpose == Purpose::Duration;
                    ordered = (dialog.ordered.take_if(of_duration)).map(|_| dialog.subscription);
                }
                self.set_dialog_alarm(key);
                if let Some(subscription) = ordered {
                    // Who has sent it waits for an answer.
                    let busy = SubscribeFailure::Refused { status: 503 };
                    self.prolonged(subscription, Err(busy));
                }
            }
            return None;
        }
        if dialog.local_cseq >= LAST_CSEQ {
            // A dialog cannot count higher; another begins lower.
            self.end_dialog(key, SubscriptionEnd::Expired);
            return None;
        }
        let accept = self.accept(subscription_key);
        let subscription = self.subscriptions.get(subscription_key)?;
        let dialog = self.dialogs.get(key)?;
        let condition = self.condition_within(subscription, dialog);
        let subscription = self.subscriptions.get_mut(subscription_key)?;
        let dialog = self.dialogs.get_mut(key)?;
        let asked = match (leaving, dialog.state_only, &dialog.ordered) {
            (true, _, _) => 0,
            (false, true, _) => dialog.seconds_left(self.now).max(1),
            (false, false, Some(ordered)) if ordered.purpose == Purpose::Duration => {
                ordered.expires
            }
            (false, false, _) => subscription.expires,
        };
        let attempt = subscription.attempt?;
        let hop = hop.into();
        let ordered = dialog.ordered.clone();
        let content = (ordered.as_ref()).map(|ordered| Arc::clone(&ordered.content));
        dialog.local_cseq += 1;
        dialog.state_only = false;
        dialog.unconditional = false;
        dialog.rare.set_condition(condition.as_ref());
        dialog.notify_by = Some(self.now + self.config.timer_n);
        dialog.is_ending = leaving;
        let parts = Parts {
            open: OpenSubscribe {
                subscription: dialog.subscription,
                within: Within::Dialog(key),
                asked,
                hop,
                ordered,
                condition,
            },
            cseq: dialog.local_cseq,
            credentials: core::mem::take(&mut dialog.credentials),
            flow: subscription.account.flow(),
            content,
        };
        let routes = dialog.routes.iter().map(AsRef::as_ref);
        let (request_uri, routes, _) = way(routes, &dialog.target);
        let names = Names {
            from_tag: Tag::from_bits(attempt.from_tag),
            to: &subscription.resource,
            call_id: Tag::from_bits(attempt.call_id),
            dialog: Some(InDialog {
                remote_tag: &dialog.remote_tag,
                routes: &routes,
            }),
        };
        let account = &subscription.account;
        let more = lines(&self.profile, subscription, &accept)?;
        account.head(&mut self.heads, "SUBSCRIBE", request_uri, &names, &more)?;
        let head = self.heads.finish();
        let (open, request) = self.send(parts, head);
        if let Some(dialog) = self.dialogs.get_mut(key) {
            dialog.turn = Turn::Open(open);
        }
        self.set_dialog_alarm(key);
        Some(request)
    }

    /// Until when every place that is left to ask has asked to be spared; goes on to the first that has
    /// not.
    fn held_until(&mut self, key: Key) -> Option<Timestamp> {
        let mut earliest: Option<Timestamp> = None;
        loop {
            let subscription = self.subscriptions.get_mut(key)?;
            let until = self.holds.until(&subscription.next_hop(), self.now)?;
            earliest = Some(earliest.map_or(until, |other| other.min(until)));
            // A repetition is for the one that is to be asked again.
            if subscription.attempt.is_some() || !subscription.ways.advance() {
                return earliest;
            }
        }
    }

    fn send(&mut self, parts: Parts, head: Head) -> (Key, OutgoingRequest) {
        let mut more = parts.credentials.clone();
        if let Some(condition) = &parts.open.condition {
            more.push((HeaderName::SuppressIfMatch, condition.as_str().to_owned()));
        }
        let own = Own::of_request("SUBSCRIBE", parts.cseq, parts.open.asked, None, &more);
        let content = parts
            .content
            .unwrap_or_else(|| Arc::clone(&self.no_content));
        let open = self.open.open(self.now, parts.open, parts.credentials);
        let transaction = self.open.transaction(open);
        let request = OutgoingRequest::new(transaction, parts.flow, head, own, content);
        (open, request)
    }

    /// How much later than that to ask somebody who has asked for the wait, perhaps many at once.
    pub(super) fn spread(&mut self, asked: Option<Duration>, until: Timestamp) -> Duration {
        asked.map_or(Duration::ZERO, |_| self.jitter(until))
    }

    /// Some part of the time until then, a tenth or half a minute at most.
    pub(super) fn jitter(&mut self, until: Timestamp) -> Duration {
        let share = (Tag::random_bits(&mut *self.entropy) >> 48) as f64 / 65_536.0;
        let most = until.saturating_since(self.now) / 10;
        most.min(LONGEST_JITTER).mul_f64(share)
    }
}

/// The lines of the package: Event, with rates (RFC 6446 section 9.1), Accept (RFC 3856 section 6.5), and
/// Contact.
fn lines(profile: &super::Profile, subscription: &Subscription, accept: &str) -> Option<String> {
    let contact = subscription.account.contact()?;
    let mut lines = String::with_capacity(256);
    for part in ["Event: ", &profile.event_type] {
        lines.push_str(part);
    }
    if let Some(id) = &subscription.event_id {
        lines.push_str(";id=");
        lines.push_str(id);
    }
    let rates = subscription.asked_rates();
    if !rates.is_none() {
        lines.push_str(&rates.to_string());
    }
    for part in ["\r\nAccept: ", accept, "\r\n"] {
        lines.push_str(part);
    }
    for part in contact_line(contact) {
        lines.push_str(part);
    }
    Some(lines)
}
