//! What is to be watched, and whether that can be.

use bytes::Bytes;

use super::condition::{Claim, Conditions, is_entity_tag};
use super::rare::{Rare, Rarely};
use super::subscription::{Alarm, InARow, News, Phase, Subscription, Ways, Wish};
use super::terms::check_rates;
use super::{OwnSubscriptionKey, SubscribeError, Subscriber};
use crate::engine::Timestamp;
use crate::event::account::{Account, is_secure_hop, is_sips, may_be_asked};
use crate::event::package::Forks;
use crate::sip::{Event, Rates};

/// What is to be watched.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SubscribeOrder<'a> {
    /// On whose behalf; it needs a Contact.
    pub account: &'a Account,
    /// The resource: Request-URI and To.
    pub resource: &'a str,
    /// The `id` of Event, for packages that ask for one (RFC 6665 section 8.2.1).
    pub event_id: Option<&'a str>,
    /// The seconds to ask for; nothing leaves it to the settings.
    pub expires: Option<u32>,
    /// Media type and octets of a body, such as a filter (RFC 4660). It is sent with requests that
    /// make a dialog, not with refreshes.
    pub body: Option<(&'a str, Bytes)>,
    /// How often NOTIFYs are to come (RFC 6446); [`set_rates`](Subscriber::set_rates) changes it. Where
    /// they are answered by 489, which some servers say to any parameter of Event that they do not know,
    /// the subscription goes on without.
    pub rates: Rates,
    /// Types of the bodies of NOTIFYs that are taken, best first: Accept gives them falling `q` values.
    /// Nothing leaves it to the profile.
    pub media_types: Option<&'static [&'static str]>,
    /// The entity-tag of the state that the application has already, from the SIP-ETag of an earlier
    /// NOTIFY for this resource: it is not sent again while it stays the same (RFC 5839 sections 5.4 and
    /// 5.5). Of no effect where the package allows several notifiers.
    pub held: Option<&'a str>,
    /// Whether a notifier may be told which state is [held](Subscriber::hold) before a dialog with it
    /// has brought that, and is believed that it is the state still: after a loss, or with
    /// [`held`](Self::held). Default: yes. No where only a body proves something.
    pub is_resumable: bool,
}

impl<'a> SubscribeOrder<'a> {
    /// An order without anything special.
    pub fn new(account: &'a Account, resource: &'a str) -> Self {
        Self {
            account,
            resource,
            event_id: None,
            expires: None,
            body: None,
            rates: Rates::NONE,
            media_types: None,
            held: None,
            is_resumable: true,
        }
    }
}

impl Subscriber {
    pub(super) fn insert(
        &mut self,
        now: Timestamp,
        order: SubscribeOrder<'_>,
        wish: Wish,
    ) -> Result<OwnSubscriptionKey, SubscribeError> {
        self.advance(now);
        if !may_be_asked(order.resource) {
            return Err(SubscribeError::Resource {
                text: order.resource.to_owned(),
            });
        }
        self.check_account(order.account, order.resource)?;
        if let Some(id) = order.event_id {
            let text = format!("x;id={id}");
            if Event::parse(&text).map(|event| event.id() != Some(id)) != Ok(false) {
                return Err(SubscribeError::Malformed {
                    text: id.to_owned(),
                });
            }
        }
        if let Some(tag) = order.held.filter(|tag| !is_entity_tag(tag)) {
            return Err(SubscribeError::Malformed {
                text: tag.to_owned(),
            });
        }
        let held = order.held.filter(|_| self.profile.forks == Forks::One);
        check_rates(order.rates)?;
        let content = self.content(order.body)?;
        let limit = self.config.subscriptions;
        if self.subscriptions.len() >= limit {
            return Err(SubscribeError::TooMany { limit });
        }
        let expires = order.expires.or(self.config.expires);
        let key = self.subscriptions.insert(Subscription {
            account: order.account.clone(),
            resource: order.resource.into(),
            event_id: order.event_id.map(Into::into),
            content,
            body_is_refused: false,
            rates_have_failed: false,
            conditions: Conditions {
                is_resumable: order.is_resumable,
                ..Conditions::default()
            },
            rare: Rarely::new(Rare {
                rates: order.rates,
                media_types: order.media_types,
                claim: Claim {
                    held: held.map(Into::into),
                    condition: None,
                },
                ..Rare::default()
            }),
            wish,
            expires: expires.unwrap_or(self.profile.default_expires).max(1),
            phase: Phase::Queued,
            attempt: None,
            dialogs: Vec::new(),
            timer: Alarm::default(),
            ways: Ways::default(),
            since: self.now,
            credentials: Vec::new(),
            in_a_row: InARow::default(),
            has_moved: false,
            news: News::default(),
            perhaps_until: Timestamp::ZERO,
            accepted_by: None,
            first_no: None,
        });
        self.begin(key);
        Ok(OwnSubscriptionKey(key))
    }

    pub(super) fn check_account(
        &self,
        account: &Account,
        resource: &str,
    ) -> Result<(), SubscribeError> {
        let contact = account.contact().ok_or(SubscribeError::NoContact)?;
        if is_sips(resource) {
            if !is_sips(contact) {
                return Err(SubscribeError::InsecureContact);
            }
            if account.first_route().is_some_and(|it| !is_secure_hop(it)) {
                return Err(SubscribeError::InsecureRoute);
            }
        }
        let limit = self.config.head.min(usize::from(u16::MAX));
        match account.len() + 2 * resource.len() <= limit {
            true => Ok(()),
            false => Err(SubscribeError::TooLarge { limit }),
        }
    }
}
