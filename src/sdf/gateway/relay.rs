//! The event package of SIP watchers whose presentities are beyond the gateway: who may see what is
//! decided there, for each subscription by itself.

use std::collections::HashMap;

use bytes::Bytes;

use super::super::Checks;
use crate::engine::Timestamp;
use crate::event::{
    Authorization, BodyQuery, BodyReading, Decision, Package, Profile, PublishedBody,
    RenderRequest, SubscribeBodies, SubscribeQuery, SubscriptionKey, Unreadable, Unserved,
    Visibility,
};
use crate::sip::Uri;

/// Watcher and presentity by their canonical names, and token.
pub(super) type Name = (String, String, String);

/// A document as it came: Content-Type and body.
pub(super) type Document = (String, Bytes);

#[derive(Debug)]
pub(super) struct Relay {
    profile: Profile,
    domains: Vec<String>,
    pub(super) bodies: Carry,
    /// Refreshes that were accepted and not yet looked at, with the seconds granted.
    pub(super) refreshed: Vec<(SubscriptionKey, u32)>,
}

/// What each watcher of a presentity sees, by the name of its subscription's view.
#[derive(Debug, Default)]
pub(super) struct Views(pub(super) HashMap<String, Bytes>);

/// Checks documents that SUBSCRIBEs bring, and keeps them until they are sent on.
#[derive(Debug)]
pub(super) struct Carry {
    pub(super) checks: Checks,
    reading: Option<(Name, Document)>,
    pub(super) accepted: HashMap<Name, Document>,
}

impl Relay {
    pub(super) fn new(checks: Checks, domains: &[String]) -> Self {
        Self {
            profile: crate::presence::subscriber_profile(),
            domains: domains.iter().map(|it| it.to_ascii_lowercase()).collect(),
            bodies: Carry {
                checks,
                reading: None,
                accepted: HashMap::new(),
            },
            refreshed: Vec::new(),
        }
    }
}

impl SubscribeBodies for Carry {
    fn media_types(&self) -> &[&'static str] {
        self.checks.media_types()
    }

    fn read(&mut self, query: &BodyQuery<'_>) -> BodyReading {
        let reading = self.checks.read(query);
        self.reading = match &reading {
            BodyReading::Taken {
                identity: Some(identity),
                mark,
                ..
            } if !mark.is_empty() => identity.primary().map(|watcher| {
                let name = (watcher.to_owned(), query.resource.to_owned(), mark.clone());
                (name, (query.content_type.to_owned(), query.body.clone()))
            }),
            _ => None,
        };
        reading
    }

    fn accepted(&mut self, now: Timestamp) {
        self.checks.accepted(now);
        self.accepted.extend(self.reading.take());
    }
}

impl Package for Relay {
    type State = Views;
    type Publication = ();

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
        let name = match uri {
            Uri::Sip(_) | Uri::Pres(_) => uri.address_of_record().ok_or(Unserved::NotHere)?,
            _ => return Err(Unserved::Scheme),
        };
        let domain = name.rsplit_once('@').map_or("", |(_, domain)| domain);
        match self.domains.is_empty() || self.domains.iter().any(|it| it == domain) {
            true => Ok(name),
            false => Err(Unserved::NotHere),
        }
    }

    fn authorize_subscription(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        if query.watcher().is_none() {
            return Authorization::Challenge;
        }
        let (Some(key), Some(current)) = (query.subscription(), query.current()) else {
            return Decision::Pending.into();
        };
        if query.expires() > 0 {
            self.refreshed.push((key, query.expires()));
        }
        current.clone().into()
    }

    fn read_publication(
        &mut self,
        _: &PublishedBody<'_>,
        _: Option<&()>,
    ) -> Result<(), Unreadable> {
        Err(Unreadable::new("nothing is published here"))
    }

    fn render(
        &mut self,
        request: &RenderRequest<'_>,
        state: &mut Views,
        _: &[(u64, &())],
    ) -> Option<Bytes> {
        match request.visibility {
            Visibility::View(view) => state.0.get(view.name()?).cloned(),
            Visibility::Pending | Visibility::PoliteBlock => None,
        }
    }

    fn bodies(&self) -> &dyn SubscribeBodies {
        &self.bodies
    }

    fn bodies_mut(&mut self) -> Option<&mut dyn SubscribeBodies> {
        Some(&mut self.bodies)
    }
}
