//! Subscriptions without dialog: they come by a call and are named by whoever makes them, for other
//! protocols than SIP beside it. Everything else they share with those that a SUBSCRIBE makes.

use core::fmt;
use core::hash::{BuildHasher, Hasher};
use core::net::IpAddr;
use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::authorization::{Decision, Rejection, Signature, SubscribeQuery};
use super::company::{Company, Shown};
use super::document::Document;
use super::identity::{Identity, RequestContext};
use super::membership::Asked;
use super::output::{Backlog, EndReason, Output, ServerEvent, SubscriptionKey};
use super::package::{Package, Unserved};
use super::protection::Protection;
use super::refusal::{Refusal, RefusalReason};
use super::server::{OpenNotify, Server};
use super::subscribe::{admit, entity_of};
use super::subscription::{NotifyResult, VariantQuery, Way};
use crate::engine::interned::Hashed;
use crate::engine::slab::Key;
use crate::engine::{ClientTransaction, FlowId, Timestamp, ahead};
use crate::sip::Uri;

/// A request about a subscription without dialog.
///
/// Watcher, resource and id together name the subscription: the same id of another watcher, or for
/// another resource, is another subscription. A watcher that nobody has identified is told by what
/// it calls itself, and shares no name with one that is identified.
#[derive(Debug, Clone, Copy)]
pub struct DirectRequest<'a> {
    watcher: &'a str,
    /// The canonical address of record of the watcher, where the caller knows it.
    address: Option<&'a str>,
    resource: &'a str,
    id: Option<&'a str>,
    expires: u32,
    identity: &'a Identity,
    signature: Signature,
    flow: Option<FlowId>,
    source: Option<IpAddr>,
}

impl<'a> DirectRequest<'a> {
    /// `watcher` wants to see the state of `resource` once, both named by URIs; `identity` is who
    /// sent the request, as far as that is established.
    pub fn fetch(watcher: &'a str, resource: &'a str, identity: &'a Identity) -> Self {
        Self {
            watcher,
            address: None,
            resource,
            id: None,
            expires: 0,
            identity,
            signature: Signature::None,
            flow: None,
            source: None,
        }
    }

    /// Whose state is wanted, as a URI.
    pub(crate) fn resource(&self) -> &'a str {
        self.resource
    }

    /// The canonical address of record of the watcher.
    pub(crate) fn with_address(mut self, address: &'a str) -> Self {
        self.address = Some(address);
        self
    }

    /// It is about the subscription with this id, which it begins, prolongs, or ends with no
    /// seconds at all.
    #[must_use]
    pub fn with_subscription(mut self, id: &'a str, seconds: u32) -> Self {
        self.id = Some(id);
        self.expires = seconds;
        self
    }

    /// What a signature over it says.
    #[must_use]
    pub fn with_signature(mut self, signature: Signature) -> Self {
        self.signature = signature;
        self
    }

    /// The connection or path that it came by.
    #[must_use]
    pub fn with_flow(mut self, flow: FlowId) -> Self {
        self.flow = Some(flow);
        self
    }

    /// The address that it came from, for the limit per source.
    #[must_use]
    pub fn with_source(mut self, source: IpAddr) -> Self {
        self.source = Some(source);
        self
    }
}

/// What a direct request did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DirectOperation {
    /// A subscription began; its state follows.
    Began,
    /// A subscription has another end, counted from now; its state follows.
    Prolonged,
    /// A subscription is over; nothing follows.
    Ended,
    /// The state follows, once.
    Fetched,
}

/// The answer to a direct request that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectOutcome {
    /// What was done.
    pub operation: DirectOperation,
    /// The subscription; stale already when it ended, nothing for a fetch.
    pub key: Option<SubscriptionKey>,
    /// The seconds granted from now on; never more than were asked for.
    pub expires: u32,
    /// What holds for the watcher.
    pub decision: Decision,
}

/// Why a direct request was not taken. Nothing has changed, but for a subscription that the policy
/// forbids from now on: that one is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedDirect {
    /// Too much waits to be taken by `poll_output`.
    #[error(transparent)]
    Backlog(#[from] Backlog),
    /// The watcher or the resource is named by no URI of the kind that has subscriptions, or it is
    /// not the business of this server, or the package has none of this kind.
    #[error("no such watcher or resource here")]
    Unserved,
    /// A name is longer than [`Limits::name`](super::Limits::name).
    #[error("a name is too long")]
    TooLarge,
    /// There is no subscription of this name to end.
    #[error("no such subscription")]
    UnknownSubscription,
    /// The request comes from somebody else than the watcher.
    #[error("the sender is not the watcher")]
    WrongIdentity,
    /// The policy wants to know who asks.
    #[error("proof of identity is asked for")]
    Unidentified,
    /// The policy wants a signature that is worth as much.
    #[error("a signature is asked for")]
    SignatureRequired(Signature),
    /// The policy refuses.
    #[error("refused")]
    Rejected(Rejection),
    /// The duration is shorter than the shortest one, which is told in seconds.
    #[error("no subscription is shorter than {0} s")]
    TooBrief(u32),
    /// A limit is reached; it may be tried again after as many seconds.
    #[error("no room; try again in {0} s")]
    NoRoom(u32),
}

/// How a watcher and its subscription are named by whoever made it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DirectName {
    /// The watcher's URI, or its canonical address of record where the URI is no more than that with
    /// `pres:` before it: then it is shared with all that know the watcher.
    watcher: Arc<str>,
    id: Arc<str>,
    is_address: bool,
}

const PRES: &str = "pres:";

impl DirectName {
    fn new(watcher: &str, id: &str) -> Self {
        Self {
            watcher: watcher.into(),
            id: id.into(),
            is_address: false,
        }
    }

    /// Lets the name take no room of its own where it can.
    fn share(&mut self, address: &Arc<str>) {
        if self.watcher.strip_prefix(PRES) == Some(address) {
            self.watcher = Arc::clone(address);
            self.is_address = true;
        }
    }

    /// The URI of the watcher, as it stood in the first request.
    pub fn watcher(&self) -> Cow<'_, str> {
        match self.is_address {
            true => Cow::Owned([PRES, &self.watcher].concat()),
            false => Cow::Borrowed(&self.watcher),
        }
    }

    /// It is copied soon.
    pub(super) fn look_ahead(&self) {
        ahead::text(&self.watcher);
        ahead::text(&self.id);
    }

    /// The id; empty for a fetch.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for DirectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectName")
            .field("watcher", &self.watcher())
            .field("id", &self.id())
            .finish()
    }
}

/// What a subscription without dialog has in place of one.
#[derive(Debug)]
pub(super) struct Direct {
    pub(super) name: DirectName,
    /// The keyed hash of the whole name.
    pub(super) bits: u64,
}

/// How a subscription stands when its watcher is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DirectState {
    /// It lives for as many seconds from now on.
    Active(u32),
    /// The same, and a decision is awaited.
    Pending(u32),
    /// It was a fetch.
    Fetched,
}

/// The state of a resource, for a watcher without dialog.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DirectNotification {
    /// To be told in `handle_delivery`; nothing for a fetch, of which nothing is awaited.
    pub transaction: Option<ClientTransaction>,
    /// Whose it is; nothing for a fetch.
    pub key: Option<SubscriptionKey>,
    /// The watcher and the id.
    pub name: DirectName,
    /// The resource as the watcher named it.
    pub entity: Arc<str>,
    /// The connection or path of the last request.
    pub flow: Option<FlowId>,
    /// How the subscription stands.
    pub state: DirectState,
    /// The document's media type.
    pub media_type: &'static str,
    /// The document; empty when there is none to show.
    pub body: Bytes,
}

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// The watcher has it.
    Done,
    /// It could not be brought. The subscription goes on; the next change is told again, or the
    /// state when the watcher prolongs the subscription.
    Failed,
    /// The watcher is gone, or wants no more: the subscription is over.
    Unwanted,
}

/// The names of a direct request, hashed before it is known whether it will be carried out.
#[derive(Debug)]
pub(crate) struct Ahead {
    bits: Option<u64>,
    resource: Hashed<&'static str>,
    watcher: Hashed<&'static str>,
}

/// A direct request with what its names mean.
#[derive(Debug)]
struct Named<'r, 'a> {
    request: &'r DirectRequest<'a>,
    uri: Uri<'a>,
    resource: String,
    watcher: Cow<'a, str>,
    /// The sender under the watcher's name; nothing when that is its first already.
    led: Option<Identity>,
}

impl Named<'_, '_> {
    fn context(&self) -> RequestContext<'_> {
        RequestContext {
            identity: self.led.as_ref().unwrap_or(self.request.identity),
            local_contact: "",
            flow: self.request.flow,
            source: self.request.source,
        }
    }
}

impl<P: Package> Server<P> {
    /// A request about a subscription without dialog: asked of the same policy, counted against the
    /// same limits and showing the same state as a SUBSCRIBE. What follows from it comes out of
    /// `poll_output` as [`Output::Deliver`]. A package with
    /// [documents of each subscription](super::Documents::Personal) has no such subscriptions.
    ///
    /// # Errors
    /// See [`RefusedDirect`].
    pub fn handle_direct(
        &mut self,
        now: Timestamp,
        request: &DirectRequest<'_>,
    ) -> Result<DirectOutcome, RefusedDirect> {
        self.advance(now);
        if self.lanes.queued() >= self.config.limits.outputs {
            self.counters.backlogs += 1;
            return Err(RefusedDirect::Backlog(Backlog {
                retry_after: self.config.retry_after,
            }));
        }
        let result = self.name_direct(request).and_then(|named| {
            let Some(id) = request.id else {
                return self.fetch_directly(&named);
            };
            let is_nobody = request.identity.is_nobody();
            let bits = self.bits_of(&named.watcher, &named.resource, id, is_nobody);
            self.ways.look_ahead(bits);
            let context = named.context();
            let company = self.company(&named.resource, &context);
            match self.find_direct(bits) {
                None if request.expires == 0 => {
                    Err(Refusal::new(481, RefusalReason::UnknownDialog))
                }
                None => self.begin_directly(&named, id, bits, company),
                Some(key) if request.expires == 0 => self.end_directly(key),
                Some(key) => self.prolong_directly(&named, key),
            }
        });
        result.map_err(|refusal| {
            self.counters.count_refusal(refusal.reason);
            super::trace::refusal(refusal.status, refusal.reason);
            self.told(&refusal)
        })
    }

    /// A direct request is likely to come, of this watcher for this resource, both named canonically:
    /// asks for where it leads to. Nothing but the time that it takes depends on it.
    pub(crate) fn look_ahead_direct(
        &self,
        watcher: &str,
        resource: &str,
        id: Option<&str>,
        is_nobody: bool,
    ) -> Ahead {
        let ahead = Ahead {
            bits: id.map(|id| self.bits_of(watcher, resource, id, is_nobody)),
            resource: self.resources.hash(resource).without_name(),
            watcher: self.watchers.hash(watcher).without_name(),
        };
        if let Some(bits) = ahead.bits {
            self.ways.look_ahead(bits);
        }
        self.resources.look_for(&ahead.resource);
        self.watchers.look_for(&ahead.watcher);
        ahead
    }

    /// The second step of that.
    pub(crate) fn look_closer_direct(&self, ahead: &Ahead) {
        let known = ahead.bits.and_then(|bits| self.ways.find(bits, |_| true));
        match known {
            Some(index) => self.subscriptions.look_ahead(index),
            None => self.watchers.look_at(&ahead.watcher),
        }
        self.resources.look_at(&ahead.resource);
    }

    /// What became of a notification; repeated, late and foreign reports have no effect. One that is
    /// never reported counts as failed after
    /// [`forgotten_after`](super::ServerConfig::forgotten_after).
    pub fn handle_delivery(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        delivery: Delivery,
    ) {
        self.advance(now);
        if let Some((key, subscription)) = self.take_outcome(transaction, true) {
            self.notifies.close(key);
            self.settle_delivery(subscription, delivery);
        }
    }

    pub(super) fn settle_delivery(&mut self, key: Key, delivery: Delivery) {
        match delivery {
            Delivery::Done => {
                self.settle(key, NotifyResult::Answered(200));
                self.resume(key);
            }
            Delivery::Failed => {
                self.counters.notifies_failed += 1;
                self.settle(key, NotifyResult::Failed);
                self.resume(key);
            }
            Delivery::Unwanted => {
                self.counters.notifies_failed += 1;
                self.drop_silently(key, EndReason::NotifyUnsent);
            }
        }
    }

    pub(super) fn is_direct(&self, key: Key) -> bool {
        let subscription = self.subscriptions.get(key);
        subscription.is_some_and(|it| it.way.direct().is_some())
    }

    fn told(&self, refusal: &Refusal) -> RefusedDirect {
        match (refusal.reason, refusal.status) {
            (RefusalReason::TooBrief, _) => RefusedDirect::TooBrief(self.config.min_expires),
            (RefusalReason::TooLarge, _) => RefusedDirect::TooLarge,
            (RefusalReason::UnknownDialog, _) => RefusedDirect::UnknownSubscription,
            (RefusalReason::WrongIdentity, _) => RefusedDirect::WrongIdentity,
            (RefusalReason::Challenged, _) => RefusedDirect::Unidentified,
            (RefusalReason::SignatureRequired, _) => {
                RefusedDirect::SignatureRequired(refusal.signature)
            }
            (RefusalReason::Forbidden, _) => RefusedDirect::Rejected(Rejection::Forbidden),
            (RefusalReason::Declined, _) => RefusedDirect::Rejected(Rejection::Decline),
            (RefusalReason::Limit, _) => RefusedDirect::NoRoom(self.config.retry_after),
            (_, _) => RefusedDirect::Unserved,
        }
    }

    fn name_direct<'r, 'a>(
        &self,
        request: &'r DirectRequest<'a>,
    ) -> Result<Named<'r, 'a>, Refusal> {
        let not_here = || Refusal::new(404, RefusalReason::NotHere);
        if self.is_personal {
            return Err(not_here());
        }
        let limit = self.config.limits.name;
        if [request.watcher, request.resource, request.id.unwrap_or("")]
            .iter()
            .any(|name| name.len() > limit.min(usize::from(u16::MAX)))
        {
            return Err(Refusal::new(513, RefusalReason::TooLarge));
        }
        let uri = Uri::parse(request.resource).map_err(|_| not_here())?;
        let resource = self.package.resource(&uri).map_err(|why| match why {
            Unserved::Scheme | Unserved::NotHere => not_here(),
        })?;
        let watcher: Cow<'_, str> = match request.address {
            Some(address) => address.into(),
            None => Uri::parse(request.watcher)
                .ok()
                .and_then(|uri| uri.address_of_record())
                .ok_or_else(not_here)?
                .into(),
        };
        let identity = request.identity;
        if !identity.is_nobody() && !identity.includes(&watcher) {
            return Err(Refusal::new(403, RefusalReason::WrongIdentity));
        }
        let led = identity.primary().is_some_and(|first| first != watcher);
        Ok(Named {
            request,
            uri,
            resource,
            led: led.then(|| identity.led_by(&watcher)),
            watcher,
        })
    }

    /// 64 bits under a random key that stand for the whole name: strangers cannot make two names look
    /// the same.
    fn bits_of(&self, watcher: &str, resource: &str, id: &str, is_nobody: bool) -> u64 {
        let mut hasher = self.names.build_hasher();
        for part in [watcher, resource, id] {
            hasher.write(part.as_bytes());
            // No text has it within.
            hasher.write_u8(0xff);
        }
        hasher.write_u8(is_nobody.into());
        hasher.finish()
    }

    fn find_direct(&self, bits: u64) -> Option<Key> {
        let is_it = |index| {
            self.subscriptions.at(index).is_some_and(|subscription| {
                let direct = subscription.way.direct();
                // It may have run out, and only the clock's tick has not come yet: another one may have
                // its name by now.
                direct.is_some_and(|direct| direct.bits == bits)
                    && self.now < subscription.expires_at
            })
        };
        self.subscriptions.key_at(self.ways.find(bits, is_it)?)
    }

    fn authorize(
        &mut self,
        named: &Named<'_, '_>,
        current: Option<(Key, &Decision)>,
        expires: u32,
    ) -> Result<Decision, Refusal> {
        let query = SubscribeQuery {
            now: self.now,
            identity: named.context().identity,
            resource: &named.resource,
            uri: named.request.resource,
            current: current.map(|(_, decision)| decision),
            subscription: current.map(|(key, _)| SubscriptionKey(key)),
            expires,
            signature: named.request.signature,
            signers: &[],
            is_encrypted: false,
            covers_header: false,
        };
        admit(self.package.authorize_subscription(&query))
    }

    fn begin_directly(
        &mut self,
        named: &Named<'_, '_>,
        id: &str,
        bits: u64,
        company: Company<'_>,
    ) -> Result<DirectOutcome, Refusal> {
        self.look_for(&company);
        let context = named.context();
        let expires = self.grant(named.request.expires)?;
        let decision = self.authorize(named, None, expires)?;
        self.look_into(&company);
        let company = self.check_room(company, &context)?;
        let name = DirectName::new(named.request.watcher, id);
        let entity = entity_of(&named.uri, named.request.resource);
        let way = Way::Direct(Direct { name, bits });
        let shown = Shown {
            entity: &entity,
            decision: &decision,
            asked: Asked {
                media_type: 0,
                protection: Protection::None,
                narrowing: None,
            },
        };
        let key = self.insert(way, &shown, &context, &company);
        let watcher = self.subscriptions.get(key).and_then(|it| it.watcher);
        let address = watcher.and_then(|key| self.watchers.get(key));
        if let Some(address) = address.map(|it| Arc::clone(&it.name))
            && let Some(subscription) = self.subscriptions.get_mut(key)
            && let Way::Direct(direct) = &mut subscription.way
        {
            direct.name.share(&address);
        }
        self.counters.subscriptions_started += 1;
        if let Some(subject) = self.subject(key) {
            let decision = decision.clone();
            self.event(ServerEvent::SubscriptionStarted { subject, decision });
        }
        self.arm_expiry(key, expires);
        self.owe(key);
        Ok(DirectOutcome {
            operation: DirectOperation::Began,
            key: Some(SubscriptionKey(key)),
            expires,
            decision,
        })
    }

    fn prolong_directly(
        &mut self,
        named: &Named<'_, '_>,
        key: Key,
    ) -> Result<DirectOutcome, Refusal> {
        let unknown = || Refusal::new(481, RefusalReason::UnknownDialog);
        let subscription = self.subscriptions.get(key).ok_or_else(unknown)?;
        self.look_around(subscription);
        let expires = self.grant(named.request.expires)?;
        let current = self.decision(subscription).ok_or_else(unknown)?.clone();
        let decision = match self.authorize(named, Some((key, &current)), expires) {
            // The policy does not know; the application has decided, or will.
            Ok(Decision::Pending) => current.clone(),
            Ok(decision) => decision,
            Err(refusal) if refusal.may_be_mended() => return Err(refusal),
            Err(refusal) => {
                self.apply(key, Decision::Reject(Rejection::Forbidden));
                return Err(refusal);
            }
        };
        if decision != current {
            self.apply(key, decision.clone());
        }
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.spoken = true;
            subscription.signature = named.request.signature;
        }
        self.enter_flow(key, named.request.flow);
        self.arm_expiry(key, expires);
        self.owe(key);
        Ok(DirectOutcome {
            operation: DirectOperation::Prolonged,
            key: Some(SubscriptionKey(key)),
            expires,
            decision,
        })
    }

    /// Who may prolong may end, and no policy is asked: its answer could only be to end it.
    fn end_directly(&mut self, key: Key) -> Result<DirectOutcome, Refusal> {
        let unknown = || Refusal::new(481, RefusalReason::UnknownDialog);
        let subscription = self.subscriptions.get(key).ok_or_else(unknown)?;
        let decision = self.decision(subscription).ok_or_else(unknown)?.clone();
        self.drop_silently(key, EndReason::Unsubscribed);
        Ok(DirectOutcome {
            operation: DirectOperation::Ended,
            key: Some(SubscriptionKey(key)),
            expires: 0,
            decision,
        })
    }

    fn fetch_directly(&mut self, named: &Named<'_, '_>) -> Result<DirectOutcome, Refusal> {
        if named.request.expires != 0 {
            return Err(Refusal::malformed());
        }
        let decision = self.authorize(named, None, 0)?;
        let name = DirectName::new(named.request.watcher, "");
        let entity: Arc<str> = entity_of(&named.uri, named.request.resource).into();
        self.counters.subscriptions_started += 1;
        self.counters.subscriptions_ended += 1;
        self.counters.notifies_sent += 1;
        let document = self.document_once(&named.resource, &entity, &decision);
        self.lanes
            .output(Output::Deliver(Box::new(DirectNotification {
                transaction: None,
                key: None,
                name,
                entity,
                flow: named.request.flow,
                state: DirectState::Fetched,
                media_type: self.media_type(),
                body: document.map_or(Bytes::new(), |document| document.content.body().clone()),
            })));
        Ok(DirectOutcome {
            operation: DirectOperation::Fetched,
            key: None,
            expires: 0,
            decision,
        })
    }

    /// A document that nobody else need see, made as if somebody did.
    fn document_once(&mut self, name: &str, entity: &str, decision: &Decision) -> Option<Document> {
        let resource = self
            .resources
            .find_or_insert(name, || super::resource::Resource::new(name));
        let variant = self.enter_variant(&VariantQuery {
            resource,
            media_type: 0,
            decision,
            entity,
            protection: Protection::None,
            recipient: None,
            narrowing: None,
        });
        let document = self.document(variant);
        self.leave_variant(variant);
        self.drop_if_unused(resource);
        document
    }

    fn media_type(&self) -> &'static str {
        let media_types = self.package.profile().media_types;
        media_types.first().copied().unwrap_or_default()
    }

    /// The notification that a subscription without dialog is owed.
    pub(super) fn deliver(&mut self, key: Key, document: &Document) -> Option<Output> {
        let subscription = self.subscriptions.get_mut(key)?;
        let name = subscription.way.direct()?.name.clone();
        let open = self.notifies.open(
            self.now,
            OpenNotify {
                subscription: key,
                repetition: None,
            },
        );
        subscription.owed = false;
        subscription.behind = false;
        subscription.spoken = false;
        subscription.open = Some(open);
        subscription.delivered = document.fingerprint;
        subscription.last_result = NotifyResult::Open;
        let left = subscription.expires_at.saturating_since(self.now).as_secs();
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        let state = match document.pending {
            true => DirectState::Pending(left),
            false => DirectState::Active(left),
        };
        let flow = subscription.flow.and_then(|key| self.flows.get(key));
        let flow = flow.map(|flow| flow.id);
        let entity = Arc::clone(&self.variants.get(subscription.variant)?.name.entity);
        self.counters.notifies_sent += 1;
        Some(Output::Deliver(Box::new(DirectNotification {
            transaction: Some(self.transaction(open)),
            key: Some(SubscriptionKey(key)),
            name,
            entity,
            flow,
            state,
            media_type: self.media_type(),
            body: document.content.body().clone(),
        })))
    }
}
