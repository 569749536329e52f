//! SUBSCRIBE: new ones, refreshes, ends.

use core::time::Duration;

use presentity::engine::FlowId;
use presentity::event::{EndReason, Protection, SubscriptionKey};

use super::course::{Course, Effect};
use super::model::{ExpectedOf, NOBODY, Phase, Subscription, WATCHERS};
use super::operations::{Accepts, Oddity, Rule, Wish, Within};
use super::parts::Parts;
use super::requests::{self, AGENT, Stage};
use crate::common::{Message, contact_of};

/// A SUBSCRIBE in a dialog.
#[derive(Debug, Clone)]
pub struct Refresh {
    pub message: Message,
    pub place: usize,
    pub user: Option<&'static str>,
    pub flow: Option<FlowId>,
    wish: Wish,
    oddity: Oddity,
    cseq: u32,
}

impl Course {
    pub(super) fn subscribe(
        &mut self,
        (watcher, presentity, form): (usize, usize, usize),
        wish: Wish,
        flow: Option<u64>,
        oddity: Oddity,
        accepts: Accepts,
    ) {
        let (mut watcher, mut presentity, mut wish) = (watcher, presentity, wish);
        let oddity = match oddity {
            // These are odd inside a dialog only.
            Oddity::OldSequence
            | Oddity::OtherIdentity
            | Oddity::NobodyNow
            | Oddity::OtherRemoteTag => Oddity::None,
            other => other,
        };
        let call = self.call_id();
        let entity = requests::entity(presentity, form);
        let plain = requests::with_wish(requests::subscribe(watcher, &entity, &call), wish);
        let message = requests::odd(plain, oddity, watcher, "");
        let mut message = requests::accepting(message, accepts);
        let mut repeated = None;
        if oddity == Oddity::Repeated
            && let Some((last, of, to, when)) = self.last_subscribe.clone()
        {
            (message, watcher, presentity) = (last, of, to);
            wish = match message.fields.iter().find(|(name, _)| name == "Expires") {
                Some((_, value)) => Wish::Seconds(value.parse().expect("a number")),
                None => Wish::Absent,
            };
            repeated = Some(when);
        }
        let fault = requests::fault(oddity, false);
        let accepts = requests::accepts(&message);
        let rule = self.agent.policy().rule(watcher, presentity);
        let user = requests::user(watcher);
        let id = requests::flow(flow);
        let (transaction, effect) = self.hand_in(&message, user, id, |course| {
            let mut statuses =
                course.fresh_statuses(watcher, presentity, wish, rule, accepts, fault);
            if let Some(when) = repeated {
                let small = course.setting.config.server.limits.remembered_requests < 10;
                let known = course.clock.saturating_since(when) < Duration::from_secs(32);
                if known && !small {
                    return vec![482];
                }
                if small {
                    // It may be known or not.
                    statuses.push(482);
                }
            }
            statuses
        });
        if oddity == Oddity::Repeated && repeated.is_some() {
            // It is remembered anew when it was not known any more.
            let when = repeated.unwrap_or_default();
            let known = self.clock.saturating_since(when) < Duration::from_secs(32);
            if effect == Effect::Taken || (effect == Effect::Refused && !known) {
                self.last_subscribe = Some((message.clone(), watcher, presentity, self.clock));
            }
        } else if fault.is_none() && effect != Effect::Backlog {
            self.last_subscribe = Some((message.clone(), watcher, presentity, self.clock));
        }
        let other_method = matches!(
            oddity,
            Oddity::Notify | Oddity::Cancel | Oddity::Options | Oddity::Ack
        );
        if effect != Effect::Taken || other_method {
            return;
        }
        self.begin(transaction, &message, watcher, presentity, wish, rule, id);
    }

    pub(super) fn fresh_statuses(
        &self,
        watcher: usize,
        presentity: usize,
        wish: Wish,
        rule: Rule,
        accepts: Accepts,
        fault: Option<(Stage, u16)>,
    ) -> Vec<u16> {
        if let Some((Stage::Form | Stage::Head, status)) = fault {
            // Nobody answers ACK.
            return Vec::from_iter((status != 0).then_some(status));
        }
        if wish == Wish::Seconds(5) {
            return vec![423];
        }
        if let Some((Stage::Contact, status)) = fault {
            return vec![status];
        }
        let (status, _) = self.verdict(rule, None);
        if status >= 300 {
            return vec![status];
        }
        if let Err(status) = self.protection(watcher, presentity, accepts) {
            return vec![status];
        }
        let same = |one: &&Subscription| {
            one.watcher == watcher && one.presentity == presentity && one.phase != Phase::Gone
        };
        let limit = self
            .setting
            .config
            .server
            .limits
            .subscriptions_per_watcher_and_resource;
        let full = watcher != NOBODY && self.subscriptions.iter().filter(same).count() >= limit;
        let status = fault.map_or(status, |(_, status)| status);
        if full {
            vec![status, 503]
        } else {
            vec![status]
        }
    }

    /// How the documents for a watcher are protected; the status when they cannot be.
    fn protection(
        &self,
        watcher: usize,
        presentity: usize,
        accepts: Accepts,
    ) -> Result<Protection, u16> {
        let (wanted, insists) = self.agent.policy().demand(watcher, presentity);
        let (signed, encrypted) = match wanted {
            Protection::Signed | Protection::SignedMessage => (true, false),
            Protection::Encrypted => (false, true),
            Protection::SignedAndEncrypted => (true, true),
            _ => (false, false),
        };
        let is_taken = signed <= accepts.signed && encrypted <= accepts.encrypted;
        match is_taken {
            false if !insists => Ok(Protection::None),
            _ if encrypted && watcher == NOBODY => Err(401),
            false => Err(406),
            true => Ok(wanted),
        }
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn begin(
        &mut self,
        transaction: u64,
        message: &Message,
        watcher: usize,
        presentity: usize,
        wish: Wish,
        rule: Rule,
        flow: Option<FlowId>,
    ) {
        let value = |long: &str, compact: &str| {
            let named = |name: &str| name == long || name == compact;
            let found = message.fields.iter().find(|(name, _)| named(name));
            found.map(|(_, value)| value.clone())
        };
        let granted = self.granted(wish);
        let interval = self.setting.config.server.notify_interval;
        let place = self.subscriptions.len();
        let contact = value("Contact", "m").expect("a contact");
        let event = value("Event", "o").expect("an event");
        let accept = value("Accept", "").unwrap_or_default();
        let protection = self.protection(watcher, presentity, requests::accepts(message));
        self.subscriptions.push(Subscription {
            watcher,
            presentity,
            named: message.uri.clone(),
            entity: message.uri.split(';').next().expect("a URI").to_lowercase(),
            call_id: value("Call-ID", "i").expect("a Call-ID"),
            local_tag: None,
            contact: contact.trim_matches(['<', '>']).into(),
            route: value("Record-Route", "").map(|route| route.trim_matches(['<', '>']).into()),
            event_id: event.contains("id=x1").then_some("x1"),
            old_type: accept.split(", ").next() == Some("application/cpim-pidf+xml"),
            is_partial: requests::is_partial(message),
            parts: Parts::default(),
            intervals: requests::intervals(message, interval),
            sent: None,
            remote_cseq: 1,
            flow,
            key: None,
            decision: rule.decision(),
            expires_at: self.clock + Duration::from_secs(granted.into()),
            phase: Phase::Live,
            owed: true,
            held_until: None,
            open: None,
            retry: None,
            protection: protection.expect("it was accepted"),
            denied: false,
            signing: None,
            late: Vec::new(),
            cseq: self.setting.config.server.initial_cseq,
            spoken: false,
            change_sent: None,
            taken: None,
            unsure: false,
            started: false,
            end_reasons: Vec::new(),
            ended: false,
        });
        self.starting.push_back(place);
        let expected = self.expected.get_mut(&transaction).expect("an expectation");
        expected.of = ExpectedOf::Subscription {
            place,
            new: true,
            granted,
        };
        if granted == 0 {
            let subscription = &mut self.subscriptions[place];
            subscription.end("reason=timeout".into(), true, EndReason::Fetched);
            return;
        }
        // The key that was not there before.
        let is_new = |key: &SubscriptionKey| {
            self.subscriptions
                .iter()
                .all(|known| known.key != Some(*key))
        };
        let key = self.agent.subscriptions().map(|info| info.key).find(is_new);
        self.subscriptions[place].key = Some(key.expect("a new subscription"));
    }

    pub(super) fn refresh(
        &mut self,
        pick: usize,
        wish: Wish,
        flow: Option<u64>,
        oddity: Oddity,
        accepts: Accepts,
    ) {
        if let Some(refresh) = self.next_refresh(pick, wish, flow, oddity, accepts) {
            self.run_refresh(refresh, None);
        }
    }

    pub(super) fn next_refresh(
        &self,
        pick: usize,
        wish: Wish,
        flow: Option<u64>,
        oddity: Oddity,
        accepts: Accepts,
    ) -> Option<Refresh> {
        let known: Vec<usize> = (0..self.subscriptions.len())
            .filter(|place| self.subscriptions[*place].local_tag.is_some())
            .collect();
        let place = known.get(pick % known.len().max(1)).copied()?;
        let subscription = &self.subscriptions[place];
        let watcher = subscription.watcher;
        let anonymous = watcher == NOBODY;
        let oddity = match oddity {
            Oddity::OtherIdentity | Oddity::NobodyNow if anonymous => Oddity::None,
            Oddity::RecordRoute => Oddity::None,
            other => other,
        };
        let event = match subscription.event_id {
            Some(id) => format!("presence;id={id}"),
            None => "presence".into(),
        };
        let repeats = matches!(oddity, Oddity::OldSequence | Oddity::Repeated);
        let cseq = subscription.remote_cseq + 1;
        let mut plain = requests::subscribe(watcher, &subscription.named, &subscription.call_id)
            .with("Event", &event)
            .in_dialog(
                subscription.local_tag.as_deref().unwrap_or_default(),
                if repeats { cseq - 1 } else { cseq },
            );
        plain.uri = AGENT.into();
        // The dialog's own tag, also after a repetition under another Call-ID.
        let contact = format!("{};gr={}", contact_of(WATCHERS[watcher]), cseq);
        plain = plain.with("Contact", &format!("<{contact}>"));
        plain = requests::with_wish(plain, wish);
        let id = subscription.event_id.unwrap_or_default();
        let message = requests::odd(plain, oddity, watcher, id);
        let message = requests::accepting(message, accepts);
        let user = match oddity {
            Oddity::OtherIdentity => Some(WATCHERS[(watcher + 1) % 4]),
            Oddity::NobodyNow => None,
            _ => requests::user(watcher),
        };
        Some(Refresh {
            message,
            place,
            user,
            flow: requests::flow(flow),
            wish,
            oddity,
            cseq,
        })
    }

    /// A refresh as it comes, or when its body has been opened: what is done, what was within, and the
    /// status that it gets for that alone.
    pub(super) fn run_refresh(
        &mut self,
        refresh: Refresh,
        opened: Option<(usize, Within, Option<u16>)>,
    ) {
        let Refresh {
            message,
            place,
            user,
            flow,
            wish,
            oddity,
            cseq,
        } = refresh;
        let subscription = &self.subscriptions[place];
        let (watcher, presentity) = (subscription.watcher, subscription.presentity);
        let fault = requests::fault(oddity, true);
        let rule = self.agent.policy().rule(watcher, presentity);
        let current = subscription.decision.clone();
        let (verdict, goes_on) = self.verdict(rule, Some(&current));
        let granted = self.granted(wish);
        let protection = self.protection(watcher, presentity, requests::accepts(&message));
        // How far the request gets.
        let mut heard = false;
        let mut judged = false;
        let statuses = |course: &Self| {
            let subscription = &course.subscriptions[place];
            if let Some((_, within, Some(status))) = opened {
                return match within {
                    // What is within is looked at when there is a dialog.
                    Within::Text if !subscription.is_live() => vec![status, 481],
                    _ => vec![status],
                };
            }
            if let Some((Stage::Form, status)) = fault {
                return Vec::from_iter((status != 0).then_some(status));
            }
            if !subscription.is_live() {
                return vec![481];
            }
            match oddity {
                Oddity::OtherIdentity => return vec![403],
                Oddity::NobodyNow => return vec![401],
                Oddity::OldSequence | Oddity::Repeated => return vec![500],
                // Looked at before anything else.
                Oddity::UnknownBody => return vec![415],
                _ => {}
            }
            if cseq <= subscription.remote_cseq && opened.is_some() {
                return vec![500];
            }
            if course.clock >= subscription.expires_at {
                return vec![481];
            }
            heard = true;
            match fault {
                Some((Stage::Head, status)) => return vec![status],
                _ if wish == Wish::Seconds(5) => return vec![423],
                Some((Stage::Contact, status)) => return vec![status],
                _ if oddity == Oddity::EventId => return vec![403],
                _ => {}
            }
            judged = true;
            match (protection, fault) {
                (Err(status), _) | (_, Some((Stage::Room, status))) if verdict < 300 => {
                    vec![status]
                }
                _ => vec![verdict],
            }
        };
        let arrived = match opened {
            None => Some(self.hand_in(&message, user, flow, statuses)),
            Some((chore, within, _)) => self.hand_opened(chore, within, None, statuses),
        };
        let Some((transaction, effect)) = arrived else {
            return;
        };
        if effect == Effect::Backlog {
            return;
        }
        let (clock, interval) = (self.clock, self.setting.config.server.notify_interval);
        let subscription = &mut self.subscriptions[place];
        if heard {
            subscription.remote_cseq = cseq;
        }
        if judged && !goes_on {
            subscription.end("reason=rejected".into(), false, EndReason::Rejected);
        }
        // Refused when the policy has spoken already.
        let is_late =
            verdict < 300 && (matches!(fault, Some((Stage::Room, _))) || protection.is_err());
        let decided = rule != Rule::Pending && rule.decision() != subscription.decision;
        if judged && decided && (is_late || effect == Effect::Taken) {
            subscription.decision = rule.decision();
            subscription.owed = true;
            self.changes.push_back((place, rule.decision()));
        }
        if effect == Effect::Refused || !judged {
            return;
        }
        subscription.flow = flow;
        if oddity != Oddity::NoContact {
            let given = message.fields.iter();
            let mut given = given.filter(|(name, _)| name == "Contact" || name == "m");
            let (_, given) = given.next().expect("a contact");
            subscription.contact = given.trim_matches(['<', '>']).into();
        }
        subscription.old_type = oddity == Oddity::OldType;
        subscription.is_partial = requests::is_partial(&message);
        subscription.intervals = requests::intervals(&message, interval);
        subscription.protection = protection.expect("it was accepted");
        subscription.spoken = true;
        if granted == 0 {
            subscription.end("reason=timeout".into(), true, EndReason::Unsubscribed);
        } else {
            subscription.expires_at = clock + Duration::from_secs(granted.into());
            subscription.owed = true;
            // One who comes by need not be spared.
            subscription.held_until = None;
        }
        let expected = self.expected.get_mut(&transaction).expect("an expectation");
        expected.of = ExpectedOf::Subscription {
            place,
            new: false,
            granted,
        };
    }
}
