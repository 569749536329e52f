//! Who is to be watched, and how.

use bytes::Bytes;

use super::protection::Guard;
use super::signer::Names;
use super::watcher::Watcher;
use super::watcher_config::UriPreference;
use super::watcher_partial::MEDIA_TYPES;
use super::watcher_resumption::Resumption;
use crate::event::{Account, Protection, SubscribeError, SubscribeOrder};
use crate::sip::{Rates, Uri};

/// What is to be watched.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WatchOrder<'a> {
    /// On whose behalf; it needs a Contact.
    pub account: &'a Account,
    /// A URI of the presentity: sip, sips or pres.
    pub uri: &'a str,
    /// Another one of the same presentity, if it is known.
    pub also: Option<&'a str>,
    /// The seconds to ask for; nothing leaves it to the settings.
    pub expires: Option<u32>,
    /// Media type and octets of a body, such as a filter (RFC 4660).
    pub body: Option<(&'a str, Bytes)>,
    /// How often NOTIFYs are to come (RFC 6446).
    pub rates: Rates,
    /// What an earlier subscription has left ([`Watcher::resumption`]), of the URI that is chosen here:
    /// it is known from the start, though it may be out of date, and not sent again if it is not (RFC
    /// 5839 sections 5.4 and 5.5). Where documents have to be protected it is sent again all the same.
    pub resume: Option<Resumption>,
    /// Whether notifiers may send what has changed in a document instead of all of it (RFC 5263); nothing
    /// leaves it to the settings.
    pub partial: Option<bool>,
    /// How documents have to be protected; nothing leaves it to the settings. The host has to
    /// [open bodies](crate::event::SubscriberConfig::opens_bodies) for any to come that are.
    pub protection: Option<Protection>,
}

impl<'a> WatchOrder<'a> {
    /// An order without anything special.
    pub fn new(account: &'a Account, uri: &'a str) -> Self {
        Self {
            account,
            uri,
            also: None,
            expires: None,
            body: None,
            partial: None,
            protection: None,
            rates: Rates::NONE,
            resume: None,
        }
    }
}

impl Watcher {
    /// What is demanded of the documents of a presentity that is to be watched.
    pub(super) fn guard(&self, order: &WatchOrder<'_>) -> Guard {
        let protection = order.protection.unwrap_or(self.protection);
        let uris = [Some(order.uri), order.also];
        Guard::new(protection, Names::of(uris.into_iter().flatten()))
    }

    /// Whether changes may come instead of documents.
    pub(super) fn is_partial(&self, order: &WatchOrder<'_>) -> bool {
        order.partial.unwrap_or(self.partial)
    }

    /// One URI of several, by the preference (RFC 3856 section 5).
    pub(super) fn choose<'a>(
        &self,
        order: &'a WatchOrder<'a>,
    ) -> Result<SubscribeOrder<'a>, SubscribeError> {
        let mut chosen: Option<(&str, bool)> = None;
        for text in [Some(order.uri), order.also].into_iter().flatten() {
            let preferred = match (Uri::parse(text), self.preference) {
                (Ok(Uri::Sip(_)), preference) => preference == UriPreference::Sip,
                (Ok(Uri::Pres(_)), preference) => preference == UriPreference::Pres,
                _ => {
                    let text = text.to_owned();
                    return Err(SubscribeError::Resource { text });
                }
            };
            if chosen.is_none_or(|(_, already)| preferred && !already) {
                chosen = Some((text, preferred));
            }
        }
        let uri = chosen.map_or(order.uri, |(uri, _)| uri);
        let mut subscribe = SubscribeOrder::new(order.account, uri);
        subscribe.expires = order.expires;
        subscribe.body.clone_from(&order.body);
        subscribe.rates = order.rates;
        subscribe.media_types = self.is_partial(order).then_some(MEDIA_TYPES);
        subscribe.is_resumable = order.protection.unwrap_or(self.protection) == Protection::None;
        if let Some(resume) = &order.resume {
            if resume.resource() != uri {
                return Err(SubscribeError::OtherResource {
                    resource: resume.resource().to_owned(),
                });
            }
            subscribe.held = Some(resume.entity_tag());
        }
        Ok(subscribe)
    }
}
