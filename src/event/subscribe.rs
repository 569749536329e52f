//! SUBSCRIBE: the checks in their order, new subscriptions, refreshes, fetches, ends.

use std::borrow::Cow;
use std::sync::Arc;

use super::authorization::{Authorization, Decision, Rejection, SubscribeQuery};
use super::body::{Brought, Carried, Carrier, Vouched};
use super::company::Shown;
use super::conditional::Condition;
use super::dialog::{Basics, Dialog, DialogParts, may_be_target};
use super::identity::{Identity, RequestContext};
use super::membership::Asked;
use super::narrowing::{Filter, Filtered};
use super::opening::worth;
use super::output::{EndReason, Output, ServerEvent, SubscriptionKey};
use super::package::{Package, Unserved};
use super::protection::{Protection, ProtectionQuery};
use super::refusal::{Refusal, RefusalReason};
use super::server::{Server, Timer};
use super::subscription::{Ending, Subscription, Way};
use super::terms::AskedTerms;
use super::waiting::Waited;
use crate::engine::ServerTransaction;
use crate::engine::slab::Key;
use crate::mime::{MULTIPART_SIGNED, PKCS7_MIME};
use crate::sip::byte_set::ByteSet;
use crate::sip::{
    Accept, Event, HeaderName, Rates, RequestRef, Response, Tag, Uri, parse_delta_seconds,
    parse_only_contact, parse_tokens,
};

/// Above this no wish is too brief (RFC 6665 section 4.2.1.1).
const BRIEF_CEILING: u32 = 3600;

/// What a SUBSCRIBE asks for, when its form is right.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    event: Event<'a>,
    pub(super) media_type: u8,
    accepts: AcceptedProtection,
    rates: Rates,
    condition: Option<Condition>,
    /// Seconds granted if it is accepted.
    expires: u32,
    /// Seconds asked for.
    asked: u32,
    /// Where NOTIFYs go; a refresh may leave it as it is.
    target: Option<&'a str>,
    brought: Brought,
}

/// Which protected documents a watcher takes.
#[derive(Debug, Clone, Copy, Default)]
struct AcceptedProtection {
    signed: bool,
    encrypted: bool,
}

impl<P: Package> Server<P> {
    pub(super) fn subscribe(
        &mut self,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
        waited: &Waited<'_>,
    ) -> Result<(), Refusal> {
        let basics = Basics::read(request)?;
        check_contact(context.local_contact)?;
        match basics.to.tag() {
            Some(tag) => {
                let key = self
                    .find_dialog(tag, &basics)
                    .ok_or_else(|| Refusal::new(481, RefusalReason::UnknownDialog))?;
                self.refresh(transaction, request, context, &basics, key, waited)
            }
            None => self.subscribe_anew(transaction, request, context, &basics, waited),
        }
    }

    pub(super) fn find_dialog(&self, local_tag: &str, basics: &Basics<'_>) -> Option<Key> {
        let bits = Tag::parse_bits(local_tag)?;
        let is_it = |index| {
            self.subscriptions.at(index).is_some_and(|subscription| {
                subscription.way.dialog().is_some_and(|dialog| {
                    dialog.local_tag == bits && dialog.is(basics.call_id, basics.from_tag)
                })
            })
        };
        self.subscriptions.key_at(self.ways.find(bits, is_it)?)
    }

    fn subscribe_anew(
        &mut self,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
        basics: &Basics<'_>,
        waited: &Waited<'_>,
    ) -> Result<(), Refusal> {
        let (uri, name) = self.resource_of(request)?;
        let mut company = self.company(&name, context);
        if waited.since.is_none() {
            self.refuse_merged(basics, request.method())?;
        }
        self.look_for(&company);
        let wish = self.read_wish(request, waited)?;
        self.look_into(&company);
        let target = wish.target.ok_or_else(Refusal::malformed)?;
        stay_with_tls(request.uri(), target)?;
        let mut vouched = Vouched::default();
        if wish.brought == Brought::Protected {
            return self.open_body(transaction, request, context);
        }
        if wish.brought == Brought::Body {
            let carried = Carried {
                transaction,
                uri: request.uri(),
                resource: &name,
                expires: wish.asked,
                dialog: None,
                waited,
            };
            vouched = match self.read_body(request, context, &carried)? {
                Some(vouched) => vouched,
                None => return Ok(()),
            };
        }
        let sender = context.identity;
        let context = &RequestContext {
            identity: vouched.identity.as_ref().unwrap_or(sender),
            ..*context
        };
        if vouched.identity.is_some() {
            company = self.company(&name, context);
        }
        let signature = vouched
            .signature
            .max(worth(waited.signers(), context.identity));
        let query = SubscribeQuery {
            now: self.now,
            identity: context.identity,
            resource: &name,
            uri: request.uri(),
            current: None,
            subscription: None,
            expires: wish.expires,
            signature,
            signers: waited.signers(),
            is_encrypted: waited.is_encrypted(),
            covers_header: waited.covers_header(),
        };
        let decision = admit(self.package.authorize_subscription(&query))?;
        let protection = self.protection_for(context, &name, wish.accepts)?;
        let filtered = Filtered {
            uri: request.uri(),
            resource: &name,
            before: None,
        };
        let filter = self.read_filter(request, wish.brought, filtered)?;
        let company = self.check_room(company, context)?;
        let local_tag = Tag::random_bits(&mut *self.entropy);
        self.ways.look_ahead(local_tag);
        let dialog = Dialog::new(
            request,
            basics,
            &DialogParts {
                event: &wish.event,
                target,
                local_contact: context.local_contact,
                local_tag,
                initial_cseq: self.config.initial_cseq,
                limit: self.config.limits.dialog,
            },
            &mut self.heads,
        )?
        .ok_or_else(|| Refusal::new(513, RefusalReason::TooLarge))?;

        // Nothing is refused from here on.
        let fetch = wish.expires == 0;
        let shown = Shown {
            entity: &entity_of(&uri, request.uri()),
            decision: &decision,
            asked: Asked {
                media_type: self.suitable_type(wish.media_type, protection),
                protection,
                narrowing: filter.as_ref().and_then(Filter::narrowing),
            },
        };
        let key = self.insert(Way::Dialog(dialog), &shown, context, &company);
        let asked = AskedTerms {
            rates: wish.rates,
            condition: wish.condition,
            filter: filter.clone(),
        };
        self.agree(key, asked, wish.expires);
        if wish.brought == Brought::Body {
            self.accept_body();
            if let Some(subscription) = self.subscriptions.get_mut(key) {
                subscription.signature = signature;
                let watcher = vouched.identity.as_ref().and_then(Identity::primary);
                // Other names of the watcher itself may be those of many.
                let is_another = watcher.is_some_and(|watcher| !sender.includes(watcher));
                let sender = is_another.then(|| sender.clone());
                let mark = vouched.mark.clone();
                subscription.rare_mut().carrier = Some(Carrier {
                    sender,
                    watcher: vouched.identity.clone(),
                    mark,
                });
            }
        }
        let tag = Some(Tag::from_bits(local_tag));
        let response = Response::new(transaction, self.success(&decision), tag).with_record_route();
        self.accept(response, wish.expires, context);
        self.counters.subscriptions_started += 1;
        if let Some(subject) = self.subject(key) {
            self.event(ServerEvent::SubscriptionStarted { subject, decision });
        }
        if fetch {
            self.end(key, EndReason::Fetched, LAST_WORD);
        } else {
            self.arm_expiry(key, wish.expires);
            self.owe(key);
        }
        Ok(())
    }

    fn refresh(
        &mut self,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
        basics: &Basics<'_>,
        key: Key,
        waited: &Waited<'_>,
    ) -> Result<(), Refusal> {
        let unknown = || Refusal::new(481, RefusalReason::UnknownDialog);
        let subscription = self.subscriptions.get(key).ok_or_else(unknown)?;
        self.look_around(subscription);
        let mut vouched = Vouched::default();
        let brought = self.content(request, waited)?;
        if let Brought::Nothing | Brought::Filter = brought {
            // Who carries it for the watcher is not the one to be judged.
            vouched.identity = self.check_sender(subscription, context.identity)?;
        } else {
            // The body may tell who asks.
            let wish = self.read_wish(request, waited)?;
            if brought == Brought::Protected {
                return self.open_body(transaction, request, context);
            }
            let subscription = self.subscriptions.get(key).ok_or_else(unknown)?;
            let seen = self.variants.get(subscription.variant);
            let resource = self.resources.get(subscription.resource);
            let uri = Arc::clone(&seen.ok_or_else(unknown)?.name.entity);
            let name = Arc::clone(&resource.ok_or_else(unknown)?.name);
            let carrier = subscription.carrier();
            let mark = carrier.map_or_else(String::new, |carrier| carrier.mark.clone());
            let carried = Carried {
                transaction,
                uri: &uri,
                resource: &name,
                expires: wish.asked,
                dialog: Some(&mark),
                waited,
            };
            vouched = match self.read_body(request, context, &carried)? {
                Some(vouched) => vouched,
                None => return Ok(()),
            };
            let subscription = self.subscriptions.get(key).ok_or_else(unknown)?;
            let identity = vouched.identity.as_ref().unwrap_or(context.identity);
            if let Some(watcher) = self.check_sender(subscription, identity)? {
                if vouched.identity.is_some() {
                    // Who carries it asks for itself here, or the watcher by another name.
                    return Err(Refusal::new(403, RefusalReason::WrongIdentity));
                }
                vouched.identity = Some(watcher);
            }
        }
        let context = &RequestContext {
            identity: vouched.identity.as_ref().unwrap_or(context.identity),
            ..*context
        };
        let subscription = self.subscriptions.get(key).ok_or_else(unknown)?;
        let signature = vouched
            .signature
            .max(worth(waited.signers(), context.identity))
            .max(subscription.signature);
        let dialog = subscription.way.dialog().ok_or_else(unknown)?;
        if basics.cseq <= dialog.remote_cseq {
            return Err(Refusal::new(500, RefusalReason::OutOfOrder));
        }
        if self.now >= subscription.expires_at {
            // It ran out; only the clock's tick has not come yet.
            return Err(unknown());
        }
        if let Some(subscription) = self.subscriptions.get_mut(key)
            && let Some(dialog) = subscription.way.dialog_mut()
        {
            dialog.remote_cseq = basics.cseq;
        }
        let wish = self.read_wish(request, waited)?;
        let subscription = self.subscriptions.get(key).ok_or_else(unknown)?;
        let dialog = subscription.way.dialog().ok_or_else(unknown)?;
        if !dialog.has_event_id(wish.event.id()) {
            return Err(Refusal::new(403, RefusalReason::DialogShared));
        }
        let resource = self
            .resources
            .get(subscription.resource)
            .ok_or_else(unknown)?;
        let variant = self
            .variants
            .get(subscription.variant)
            .ok_or_else(unknown)?;
        if let Some(target) = wish.target {
            stay_with_tls(&variant.name.entity, target)?;
        }
        let query = SubscribeQuery {
            now: self.now,
            identity: context.identity,
            resource: &resource.name,
            uri: &variant.name.entity,
            current: Some(&variant.name.decision),
            subscription: Some(SubscriptionKey(key)),
            expires: wish.expires,
            signature,
            signers: waited.signers(),
            is_encrypted: waited.is_encrypted(),
            covers_header: waited.covers_header(),
        };
        let current = variant.name.decision.clone();
        let proves_less = subscription.identity().is_some_and(|before| {
            let mut names = before.claims().map(|(name, _)| name);
            names.any(|name| !context.identity.includes(name))
        });
        let decision = match admit(self.package.authorize_subscription(&query)) {
            // What was decided may have been for the name that is not proved any more.
            Ok(Decision::Pending) if proves_less => Decision::Pending,
            // The policy does not know; the application has decided, or will.
            Ok(Decision::Pending) => current.clone(),
            Ok(decision) => decision,
            Err(refusal) if refusal.may_be_mended() => return Err(refusal),
            Err(refusal) => {
                self.refuse(transaction, request, refusal);
                self.apply(key, Decision::Reject(Rejection::Forbidden));
                return Ok(());
            }
        };
        let name = Arc::clone(&resource.name);
        let limit = self.config.limits.dialog;
        let is_nobodys = subscription.watcher.is_none();
        let protection = self.protection_for(context, &name, wish.accepts);
        let subscription = self.subscriptions.get(key).ok_or_else(unknown)?;
        let variant = self.variants.get(subscription.variant);
        let uri = Arc::clone(&variant.ok_or_else(unknown)?.name.entity);
        let before = subscription.terms().and_then(|it| it.filter.clone());
        let filtered = Filtered {
            uri: &uri,
            resource: &name,
            before: before.as_ref(),
        };
        let filter = match protection.is_ok() {
            true => self.read_filter(request, wish.brought, filtered),
            false => Ok(None),
        };
        // Who asks for a refresh of nobody's subscription is not the one that it is for.
        let protection = protection.and_then(|it| match it.is_encrypted() && is_nobodys {
            true => Err(Refusal::new(403, RefusalReason::WrongIdentity)),
            false => Ok(it),
        });
        let subscription = self.subscriptions.get_mut(key).ok_or_else(unknown)?;
        let dialog = subscription.way.dialog_mut().ok_or_else(unknown)?;
        let mut fit = |agreed| match dialog.retarget(
            wish.target,
            context.local_contact,
            limit,
            &mut self.heads,
        ) {
            true => Ok(agreed),
            false => Err(Refusal::new(513, RefusalReason::TooLarge)),
        };
        let agreed = protection.and_then(|it| Ok((it, filter?)));
        let (protection, filter) = match agreed.and_then(&mut fit) {
            Ok(agreed) => agreed,
            Err(refusal) => {
                self.refuse(transaction, request, refusal);
                // The subscription goes on as it was, but not beyond what the policy says now.
                if decision != current {
                    self.apply(key, decision);
                    self.owe(key);
                }
                return Ok(());
            }
        };
        // Nothing is refused from here on.
        let is_overtaken = subscription.has_overtaken(wish.condition);
        subscription.spoken = true;
        subscription.signature = signature;
        if wish.brought == Brought::Body {
            self.accept_body();
        }
        self.enter_flow(key, context.flow);
        if !is_nobodys {
            self.know_as(key, context.identity);
        }
        let asked = Asked {
            media_type: self.suitable_type(wish.media_type, protection),
            protection,
            narrowing: filter.as_ref().and_then(Filter::narrowing),
        };
        self.move_to_variant(key, None, Some(asked));
        let asked = AskedTerms {
            rates: wish.rates,
            condition: wish.condition.filter(|_| !is_overtaken),
            filter,
        };
        self.agree(key, asked, wish.expires);
        let is_spared =
            decision == current && self.suppresses_notify(key, wish.condition, is_overtaken);
        let status = match is_spared {
            true => 204,
            false => self.success(&decision),
        };
        let response = self
            .response(transaction, request, status)
            .with_record_route();
        self.accept(response, wish.expires, context);
        if decision != current {
            self.apply(key, decision);
        }
        if is_spared && wish.expires == 0 {
            self.drop_silently(key, EndReason::Unsubscribed);
        } else if is_spared {
            self.arm_expiry(key, wish.expires);
            // What would have come too late comes in time now.
            self.set_pace_timer(key);
        } else if wish.expires == 0 {
            self.end(key, EndReason::Unsubscribed, LAST_WORD);
        } else {
            self.arm_expiry(key, wish.expires);
            // One who comes by is there, and waits for the NOTIFY (RFC 6665 section 4.2.1.2).
            if let Some(subscription) = self.subscriptions.get_mut(key)
                && let Some(hold) = subscription.take_hold()
            {
                self.wheel.cancel(hold);
            }
            self.owe(key);
        }
        Ok(())
    }

    /// Who refreshes a subscription is its watcher, or carries the watcher's requests as at first. Gives
    /// the watcher where `who` is not listed under its name.
    fn check_sender(
        &self,
        subscription: &Subscription,
        who: &Identity,
    ) -> Result<Option<Identity>, Refusal> {
        let Some(watcher) = subscription.watcher.and_then(|key| self.watchers.get(key)) else {
            return Ok(None);
        };
        let carrier = subscription.carrier();
        let sender = carrier.and_then(|it| it.sender.as_ref()?.primary());
        if who.primary() == Some(&*watcher.name) {
            Ok(None)
        } else if who.includes(&watcher.name) {
            Ok(Some(who.led_by(&watcher.name)))
        } else if sender.is_some_and(|sender| who.includes(sender)) {
            Ok(carrier.and_then(|it| it.watcher.clone()))
        } else if who.is_nobody() {
            Err(Refusal::new(401, RefusalReason::Challenged))
        } else {
            Err(Refusal::new(403, RefusalReason::WrongIdentity))
        }
    }

    /// The resource of a request outside dialogs, by its Request-URI (RFC 3856 section 4).
    pub(super) fn resource_of<'a>(
        &self,
        request: &RequestRef<'a>,
    ) -> Result<(Uri<'a>, String), Refusal> {
        if request.uri().len() > self.config.limits.name {
            return Err(Refusal::new(414, RefusalReason::TooLarge));
        }
        let uri = Uri::parse(request.uri()).map_err(|_| Refusal::malformed())?;
        let name = self
            .package
            .resource(&uri)
            .map_err(|unserved| match unserved {
                Unserved::Scheme => Refusal::new(416, RefusalReason::Scheme),
                Unserved::NotHere => Refusal::new(404, RefusalReason::NotHere),
            })?;
        Ok((uri, name))
    }

    pub(super) fn refuse_merged(
        &mut self,
        basics: &Basics<'_>,
        method: &str,
    ) -> Result<(), Refusal> {
        let merged = self.remembered.is_merged(
            self.now,
            basics.call_id,
            basics.from_tag,
            basics.cseq,
            method,
        );
        if merged {
            Err(Refusal::new(482, RefusalReason::Merged))
        } else {
            Ok(())
        }
    }

    fn read_wish<'a>(
        &self,
        request: &RequestRef<'a>,
        waited: &Waited<'_>,
    ) -> Result<Wish<'a>, Refusal> {
        refuse_extensions(request)?;
        let event = self.read_event(request)?;
        let rates = match self.controls_rates() {
            true => Rates::read(HeaderName::Event, event.params())?,
            false => Rates::NONE,
        };
        let condition = self.read_condition(request)?;
        let brought = self.content(request, waited)?;
        let (media_type, accepts) = self.choose_media_type(request)?;
        let asked = request.single(HeaderName::Expires)?;
        let asked = asked
            .map(|text| parse_delta_seconds(HeaderName::Expires, text))
            .transpose()?;
        let asked = asked.unwrap_or(self.package.profile().default_expires);
        let expires = self.grant(asked)?;
        let target = read_target(request)?;
        Ok(Wish {
            event,
            media_type,
            accepts,
            rates,
            condition,
            expires,
            asked,
            target,
            brought,
        })
    }

    /// The seconds that a wish for so many is granted.
    pub(super) fn grant(&self, asked: u32) -> Result<u32, Refusal> {
        let minimum = self.config.min_expires;
        if 0 < asked && asked < minimum.min(BRIEF_CEILING) {
            return Err(Refusal::new(423, RefusalReason::TooBrief)
                .with(HeaderName::MinExpires, minimum.to_string()));
        }
        Ok(asked.min(self.config.max_expires))
    }

    pub(super) fn read_event<'a>(&self, request: &RequestRef<'a>) -> Result<Event<'a>, Refusal> {
        let unknown = || {
            Refusal::new(489, RefusalReason::UnknownEvent)
                .with(HeaderName::AllowEvents, self.allow_events.to_string())
        };
        let event = Event::parse(request.single(HeaderName::Event)?.ok_or_else(unknown)?)?;
        if event.event_type() != self.package.profile().event_type {
            return Err(unknown());
        }
        Ok(event)
    }

    /// The document type that suits both sides best; a place in the profile's list.
    fn choose_media_type(
        &self,
        request: &RequestRef<'_>,
    ) -> Result<(u8, AcceptedProtection), Refusal> {
        let mut accepts = AcceptedProtection::default();
        if request.first(HeaderName::Accept).is_none() {
            return Ok((0, accepts));
        }
        let media_types = self.package.profile().media_types;
        if request.single(HeaderName::Accept).ok().flatten() == media_types.first().copied() {
            // What most ask for, and need not be read.
            return Ok((0, accepts));
        }
        let accept = Accept::parse(request.values(HeaderName::Accept))?;
        let mut best: Option<(u16, u8)> = None;
        for (place, media_type) in (0u8..).zip(media_types) {
            let quality = accept.quality(media_type);
            if quality > best.map_or(0, |(quality, _)| quality) {
                best = Some((quality, place));
            }
        }
        if let Some(quality) = self.partial_quality(&accept)
            && quality >= best.map_or(1, |(quality, _)| quality)
        {
            let place = u8::try_from(media_types.len()).unwrap_or(u8::MAX);
            best = Some((quality, place));
        }
        accepts.signed = accept.quality(MULTIPART_SIGNED) > 0;
        accepts.encrypted = accept.quality(PKCS7_MIME) > 0;
        best.map(|(_, place)| (place, accepts)).ok_or_else(|| {
            Refusal::new(406, RefusalReason::NotAcceptable)
                .with(HeaderName::Accept, media_types.join(", "))
        })
    }

    /// How welcome documents are that tell what has changed: only to those who name them (RFC 3856
    /// section 6.7).
    fn partial_quality(&self, accept: &Accept<'_>) -> Option<u16> {
        if self.is_personal {
            return None;
        }
        let partial_type = self.package.profile().partial_type?;
        accept
            .names(partial_type)
            .then(|| accept.quality(partial_type))
    }

    /// The place of the type that a watcher gets: what is protected for many is not told in parts.
    fn suitable_type(&self, media_type: u8, protection: Protection) -> u8 {
        match self.is_partial_type(media_type) && protection != Protection::None {
            true => 0,
            false => media_type,
        }
    }

    /// How the documents for a watcher are protected, if it takes them so.
    fn protection_for(
        &mut self,
        context: &RequestContext<'_>,
        resource: &str,
        accepts: AcceptedProtection,
    ) -> Result<Protection, Refusal> {
        if self.is_personal {
            return Ok(Protection::None);
        }
        let query = ProtectionQuery {
            identity: context.identity,
            resource,
            accepts_signed: accepts.signed,
            accepts_encrypted: accepts.encrypted,
        };
        let protection = self.package.protection(&query);
        if protection.is_encrypted() && query.watcher().is_none() {
            return Err(Refusal::new(401, RefusalReason::Challenged));
        }
        if query.accepts(protection) {
            return Ok(protection);
        }
        let mut types = self.package.profile().media_types.to_vec();
        types.extend([MULTIPART_SIGNED].iter().filter(|_| protection.is_signed()));
        types.extend([PKCS7_MIME].iter().filter(|_| protection.is_encrypted()));
        Err(Refusal::new(406, RefusalReason::NotAcceptable)
            .with(HeaderName::Accept, types.join(", ")))
    }

    pub(super) fn arm_expiry(&mut self, key: Key, expires: u32) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.expires_at = self.now + core::time::Duration::from_secs(expires.into());
        if let Some(timer) = subscription.timer.take() {
            self.wheel.cancel(timer);
        }
        subscription.timer = Some(self.wheel.arm(subscription.expires_at, Timer::Expiry(key)));
    }

    fn success(&self, decision: &Decision) -> u16 {
        match decision {
            Decision::Pending | Decision::PoliteBlock if self.config.draft08 => 202,
            Decision::Allow(_)
            | Decision::Pending
            | Decision::PoliteBlock
            | Decision::Reject(_) => 200,
        }
    }

    fn accept(&mut self, mut response: Response, expires: u32, context: &RequestContext<'_>) {
        let mut digits = itoa::Buffer::new();
        response.put(HeaderName::Expires, &[digits.format(expires)]);
        response.put(HeaderName::Contact, &["<", context.local_contact, ">"]);
        response.put(HeaderName::AllowEvents, &[&self.allow_events]);
        self.lanes.output(Output::Respond(response));
    }
}

/// The end of a subscription by its watcher: the last NOTIFY has the state.
const LAST_WORD: Ending = Ending {
    told: super::Reason::Timeout,
    retry_after: None,
    with_state: true,
};

pub(super) fn admit(authorization: Authorization) -> Result<Decision, Refusal> {
    match authorization {
        Authorization::Challenge => Err(Refusal::new(401, RefusalReason::Challenged)),
        Authorization::SignatureRequired(signature) => Err(Refusal {
            signature,
            ..Refusal::new(403, RefusalReason::SignatureRequired)
        }),
        Authorization::Decided(Decision::Reject(Rejection::Forbidden)) => {
            Err(Refusal::new(403, RefusalReason::Forbidden))
        }
        Authorization::Decided(Decision::Reject(Rejection::Decline)) => {
            Err(Refusal::new(603, RefusalReason::Declined))
        }
        Authorization::Decided(decision) => Ok(decision),
    }
}

/// No option tags are known, so every Require is refused (RFC 3261 section 8.2.2.3).
pub(super) fn refuse_extensions(request: &RequestRef<'_>) -> Result<(), Refusal> {
    let required = parse_tokens(HeaderName::Require, request.values(HeaderName::Require))?;
    if required.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(420, RefusalReason::Extension)
        .with(HeaderName::Unsupported, required.join(", ")))
}

/// Exactly one Contact with a SIP address; a refresh may have none.
fn read_target<'a>(request: &RequestRef<'a>) -> Result<Option<&'a str>, Refusal> {
    if request.first(HeaderName::Contact).is_none() {
        return Ok(None);
    }
    let contact =
        parse_only_contact(request.values(HeaderName::Contact))?.ok_or_else(Refusal::malformed)?;
    if !may_be_target(contact.uri()) {
        return Err(Refusal::malformed());
    }
    Ok(Some(contact.uri()))
}

/// RFC 3261 section 8.1.1.8: a NOTIFY must not leave what TLS protects. Both are URIs already.
fn stay_with_tls(entity: &str, target: &str) -> Result<(), Refusal> {
    let is_sips = |uri: &str| {
        uri.get(.."sips:".len())
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"))
    };
    if is_sips(entity) && !is_sips(target) {
        return Err(Refusal::malformed());
    }
    Ok(())
}

/// What the host says goes into a header: nothing that would end the line or the brackets.
fn check_contact(uri: &str) -> Result<(), Refusal> {
    static CLEAN: ByteSet = ByteSet::TEXT.without("\t <>");
    if uri.is_empty() || !CLEAN.covers(uri) {
        return Err(Refusal::new(500, RefusalReason::LocalContact));
    }
    Ok(())
}

/// The presentity as the watcher named it: its scheme and port are kept. Parameters and headers only
/// say how to get there, and what is merely spelt otherwise (escapes that are not needed, capitals in the
/// host, dots in a telephone number) would make a document of its own for each spelling.
pub(super) fn entity_of<'a>(uri: &Uri<'_>, text: &'a str) -> Cow<'a, str> {
    static PLAIN: ByteSet = ByteSet::of("abcdefghijklmnopqrstuvwxyz0123456789@-.");
    match text.strip_prefix("sip:") {
        // Most are written so already.
        Some(rest) if PLAIN.covers(rest) && !rest.ends_with('.') => text.into(),
        _ => uri.bare().into(),
    }
}
