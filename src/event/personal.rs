//! Documents of one subscription alone: what its watcher was told decides what it is told next.

use std::sync::Arc;

use bytes::Bytes;

use super::authorization::{Decision, Reason, Termination};
use super::document::Document;
use super::lifecycle::visibility;
use super::output::{Output, SubscriptionKey};
use super::package::{Package, Visibility};
use super::server::Server;
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::sip::Content;

/// The next document that is asked for one subscription.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PersonalRequest<'a> {
    /// The canonical name of the resource.
    pub resource: &'a str,
    /// The resource as the watcher named it.
    pub entity: &'a str,
    /// What the watcher may see.
    pub visibility: &'a Visibility,
    /// The canonical address of record of the watcher; nothing for nobody.
    pub watcher: Option<&'a str>,
    /// The subscription.
    pub subscription: SubscriptionKey,
    /// One of the profile's media types.
    pub media_type: &'static str,
    /// The mark that the package gave with the last document, which the watcher has or is being
    /// sent. 0 when it has none, or one of them may not have arrived.
    pub since: u64,
    /// Whether everything is to be told: the NOTIFY answers a SUBSCRIBE, tells what the watcher may
    /// see from now on, comes in place of one that was challenged, or there is nothing to go on from.
    pub is_full: bool,
    /// Whether no other document follows, as for a fetch.
    pub is_last: bool,
    /// Documents that have left for this subscription: 0 for the first, and one more for each that
    /// was sent, be it that it did not arrive.
    pub number: u32,
    /// The current time.
    pub now: Timestamp,
}

/// A document for one subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Personal {
    /// The document.
    pub body: Bytes,
    /// What has been told with it, in numbers of the package's own, for
    /// [`PersonalRequest::since`]. 0 makes the next one a full one.
    pub mark: u64,
    /// Whether there is more, which is asked for when this one has arrived, at the pace of changes.
    pub has_more: bool,
}

impl Personal {
    /// A document, and all that there is to tell.
    pub fn new(body: Bytes, mark: u64) -> Self {
        Self {
            body,
            mark,
            has_more: false,
        }
    }

    /// The same, and more to follow.
    #[must_use]
    pub fn and_more(mut self) -> Self {
        self.has_more = true;
        self
    }
}

/// What the watcher of a subscription was told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    mark: u64,
    /// Documents sent.
    number: u64,
    has_more: bool,
}

impl Told {
    /// The last NOTIFY is over; tells whether there is more to tell.
    pub(super) fn settle(&mut self, is_delivered: bool) -> bool {
        if !is_delivered {
            self.mark = 0;
            self.has_more = false;
        }
        core::mem::take(&mut self.has_more)
    }
}

impl<P: Package> Server<P> {
    /// The NOTIFY that a subscription with documents of its own is owed.
    pub(super) fn notify_alone(&mut self, key: Key) -> Option<Output> {
        let document = match self.document_alone(key, true) {
            Some(document) => document,
            None => {
                let subscription = self.subscriptions.get(key)?;
                if !subscription.phase.tells_state() {
                    // It has just ended, and its last NOTIFY is on its way.
                    return None;
                }
                self.no_document(subscription.variant)
            }
        };
        self.build(key, document)
    }

    /// What a round has for a subscription with documents of its own.
    #[inline(never)]
    pub(super) fn next_alone(&mut self, key: Key) -> Option<Document> {
        let subscription = self.subscriptions.get_mut(key)?;
        if subscription.open.is_some() {
            subscription.behind = true;
            return None;
        }
        self.document_alone(key, false)
    }

    /// The next document of a subscription, which is sent.
    fn document_alone(&mut self, key: Key, is_full: bool) -> Option<Document> {
        let subscription = self.subscriptions.get(key)?;
        let is_live = subscription.is_live();
        let told = subscription.rare.as_ref().and_then(|it| it.told.as_deref());
        let told = told.copied().unwrap_or_default();
        let Ok(number) = u32::try_from(told.number) else {
            if is_live {
                // Numbers do not wrap: its watcher comes back with a new subscription.
                self.end_as_told(key, Termination::new(Reason::Deactivated));
            }
            return None;
        };
        let variant = self.variants.get(subscription.variant)?;
        let resource = self.resources.get_mut(subscription.resource)?;
        let watcher = subscription.watcher.and_then(|key| self.watchers.get(key));
        let place = usize::from(variant.name.media_type);
        let media_type = self.package.profile().media_types.get(place).copied()?;
        let request = PersonalRequest {
            resource: &resource.name,
            entity: &variant.name.entity,
            visibility: &visibility(&variant.name.decision),
            watcher: watcher.map(|watcher| &*watcher.name),
            subscription: SubscriptionKey(key),
            media_type,
            since: told.mark,
            is_full: is_full || told.mark == 0,
            is_last: !is_live,
            number,
            now: self.now,
        };
        let pending = variant.name.decision == Decision::Pending;
        let personal = self.package.personal(&request, &mut resource.state)?;
        let subscription = self.subscriptions.get_mut(key)?;
        let told = subscription.rare_mut().told.get_or_insert_default();
        told.mark = personal.mark;
        told.has_more = personal.has_more;
        told.number += 1;
        let content = Content::new(&self.added_fields, Some(media_type), personal.body);
        Some(Document {
            content: Arc::new(content),
            fingerprint: 0,
            pending,
            is_signed_within: false,
            is_partial: false,
            has_triggers: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Personal, PersonalRequest};
    use crate::engine::{ServerTransaction, Timestamp};
    use crate::event::PublishedBody;
    use crate::event::{
        Assurance, Authorization, Decision, Documents, Identity, Output, Package, Profile,
        RenderRequest, RequestContext, Server, ServerConfig, SubscribeQuery, Unreadable, Unserved,
        View,
    };
    use crate::sip::{RequestRef, ResponseRef, Uri};

    /// Tells a number, which is all its state.
    struct Numbers(Profile);

    impl Package for Numbers {
        type State = u64;
        type Publication = ();

        fn profile(&self) -> &Profile {
            &self.0
        }

        fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
            uri.address_of_record().ok_or(Unserved::NotHere)
        }

        fn authorize_subscription(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
            Decision::Allow(View::full()).into()
        }

        fn read_publication(
            &mut self,
            _: &PublishedBody<'_>,
            _: Option<&()>,
        ) -> Result<(), Unreadable> {
            Err(Unreadable::new(""))
        }

        fn render(
            &mut self,
            _: &RenderRequest<'_>,
            _: &mut u64,
            _: &[(u64, &())],
        ) -> Option<Bytes> {
            None
        }

        fn personal(&mut self, request: &PersonalRequest<'_>, state: &mut u64) -> Option<Personal> {
            let body = format!("{} {state}", request.number);
            Some(Personal::new(body.into(), *state))
        }
    }

    fn next(server: &mut Server<Numbers>) -> (String, String) {
        loop {
            let Output::Send(notify) = server.poll_output().expect("a NOTIFY") else {
                continue;
            };
            let state = notify
                .fields()
                .find(|(name, _)| *name == "Subscription-State");
            let state = state.expect("a state").1.to_owned();
            let body = String::from_utf8(notify.body().to_vec()).expect("text");
            let nothing = Bytes::new();
            let ok = ResponseRef::new(200, [], &nothing);
            server.handle_response(Timestamp::ZERO, notify.transaction(), &ok);
            return (state, body);
        }
    }

    #[test]
    fn numbers_do_not_wrap() {
        let mut profile = Profile::new("x", &["text/plain"]);
        profile.documents = Documents::Personal;
        let mut next_byte = 0_u8;
        let entropy = move |buffer: &mut [u8]| {
            for byte in buffer {
                next_byte = next_byte.wrapping_mul(5).wrapping_add(7);
                *byte = next_byte;
            }
        };
        let mut server = Server::new(Numbers(profile), ServerConfig::default(), entropy);
        let identity = Identity::of("sip:a@example.com", Assurance::Digest).expect("a user");
        let fields = [
            ("From", "<sip:a@example.com>;tag=1"),
            ("To", "<sip:b@example.com>"),
            ("Call-ID", "c"),
            ("CSeq", "1 SUBSCRIBE"),
            ("Contact", "<sip:a@192.0.2.1>"),
            ("Event", "x"),
        ];
        let body = Bytes::new();
        let request = RequestRef::new("SUBSCRIBE", "sip:b@example.com", fields, &body);
        let context = RequestContext::new(&identity, "sip:192.0.2.2");
        let (now, transaction) = (Timestamp::from_secs(1), ServerTransaction(1));
        let taken = server.handle_request(now, transaction, &request, &context);
        taken.expect("no backlog");
        assert_eq!(next(&mut server).1, "0 0");

        let key = server.subscriptions().next().expect("one").key.0;
        let subscription = server.subscriptions.get_mut(key).expect("it lives");
        subscription.told_mut().expect("it was told").number = u32::MAX.into();
        let change = |server: &mut Server<Numbers>| {
            let now = server.now + core::time::Duration::from_secs(10);
            server.update_state(now, "b@example.com", |state| {
                *state += 1;
                true
            });
            next(server)
        };
        assert_eq!(change(&mut server).1, "4294967295 1");
        let (state, body) = change(&mut server);
        assert_eq!(state, "terminated;reason=deactivated");
        assert_eq!(body, "");
        assert_eq!(server.occupancy().subscriptions, 0);
    }
}
