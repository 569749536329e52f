//! NOTIFYs: the checks in their order, new dialogs, what is said of the subscription, the body.

use core::time::Duration;

use bytes::Bytes;

use super::condition::Claim;
use super::condition::entity_tag;
use super::openings::ProtectedNotify;
use super::output::{NotifiedBody, RefusedBody};
use super::rare::Rarely;
use super::subscription::{Alarm, Dialog, FirstNo, Phase, Subscription, Turn, Wish};
use super::{
    NotifiedState, NotifierKey, OwnSubscriptionKey, Subscriber, SubscriberEvent, SubscriberOutput,
    SubscriptionEnd,
};
use crate::engine::slab::Key;
use crate::engine::{ServerTransaction, Timestamp};
use crate::event::account::{is_secure_hop, is_sips};
use crate::event::dialog::{Basics, may_be_target};
use crate::event::package::Forks;
use crate::event::patience::refresh_after;
use crate::event::refusal::{Refusal, RefusalReason, in_dialog, response_to};
use crate::event::subscribe::refuse_extensions;
use crate::event::tunnel::Outer;
use crate::event::{Backlog, RequestContext};
use crate::mime::is_protected;
use crate::sip::{
    Event, HeaderName, MediaType, Rates, RequestRef, Response, SubscriptionState, Substate, Tag,
    parse_only_contact, parse_routes,
};

/// No notifier is asked to renew a subscription more often than that.
const SHORTEST_REFRESH: Duration = Duration::from_secs(5);
/// Times that are so far apart may be one.
const ROUNDING: Duration = Duration::from_secs(2);

/// What a NOTIFY belongs to.
enum Place {
    Dialog(Key),
    /// A dialog that it makes, unless it ends it at once.
    New,
}

/// What a NOTIFY has beside what it says of the subscription.
enum Brought {
    Body(Option<NotifiedBody>),
    /// It is to be opened before anything is known of it.
    Protected,
}

/// When a NOTIFY is told.
enum Told {
    Now(Result<Option<NotifiedBody>, RefusedBody>),
    /// When its body was opened, and this transaction answered.
    Later(ServerTransaction),
}

/// A NOTIFY that counts.
struct Notify<'a> {
    request: &'a RequestRef<'a>,
    context: &'a RequestContext<'a>,
    remote_tag: &'a str,
    said: &'a SubscriptionState<'a>,
    body: Told,
}

impl Subscriber {
    /// Whether this kind of role deals with a request: NOTIFY alone.
    pub fn accepts(&self, request: &RequestRef<'_>) -> bool {
        request.method() == "NOTIFY"
    }

    /// Whether a NOTIFY is for this very subscriber: it belongs to an attempt or a subscription here.
    pub fn owns(&self, request: &RequestRef<'_>) -> bool {
        self.accepts(request) && self.find(request).is_some()
    }

    /// The methods of this role, for Allow.
    pub fn allow(&self) -> &'static str {
        "NOTIFY"
    }

    /// A request that opened a server transaction; a NOTIFY that belongs to no subscription is answered
    /// 481 and nothing in it believed (RFC 6665 section 4.1.3).
    ///
    /// # Errors
    /// [`Backlog`] when nothing happened and the host answers 503 itself.
    pub fn handle_request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Backlog> {
        self.advance(now);
        if self.lanes.queued() + self.openings.behind() >= self.config.outputs.max(1) {
            return Err(Backlog {
                retry_after: self.config.backlog_retry_after,
            });
        }
        let outcome = match request.method() {
            // Never answered (RFC 3261 section 17).
            "ACK" => return Ok(()),
            _ if request.is_overlong() => Err(Refusal::new(513, RefusalReason::TooLarge)),
            _ if request.is_malformed() => Err(Refusal::malformed()),
            "NOTIFY" => self.notified(transaction, request, context),
            "CANCEL" => {
                self.respond(transaction, request, 200);
                Ok(())
            }
            _ if in_dialog(request) => Err(Refusal::new(481, RefusalReason::UnknownDialog)),
            _ => {
                Err(Refusal::new(405, RefusalReason::Method).with(HeaderName::Allow, self.allow()))
            }
        };
        if let Err(refusal) = outcome {
            crate::event::trace::refusal(refusal.status, refusal.reason);
            let response = refusal.into_response(&mut *self.entropy, transaction, request);
            self.lanes.output(SubscriberOutput::Respond(response));
        }
        Ok(())
    }

    /// The `id` of Event, when that is of this package.
    fn event_id<'a>(&self, request: &RequestRef<'a>) -> Result<Option<&'a str>, Refusal> {
        let text = request.required(HeaderName::Event)?;
        if text == self.profile.event_type {
            // What most send, and need not be read.
            return Ok(None);
        }
        let event = Event::parse(text)?;
        if event.event_type() == self.profile.event_type {
            return Ok(event.id());
        }
        Err(Refusal::new(489, RefusalReason::UnknownEvent)
            .with(HeaderName::AllowEvents, self.profile.event_type.to_string()))
    }

    fn respond(&mut self, transaction: ServerTransaction, request: &RequestRef<'_>, status: u16) {
        let response = response_to(&mut *self.entropy, transaction, request, status);
        self.lanes.output(SubscriberOutput::Respond(response));
    }

    /// The subscription whose attempt a request in its dialogs names.
    fn find(&self, request: &RequestRef<'_>) -> Option<Key> {
        let basics = Basics::read(request).ok()?;
        self.find_attempt(&basics)
    }

    fn find_attempt(&self, basics: &Basics<'_>) -> Option<Key> {
        let bits = Tag::parse_bits(basics.to.tag()?)?;
        let attempt = |index| self.subscriptions.at(index)?.attempt;
        let is_it = |index| attempt(index).is_some_and(|attempt| attempt.from_tag == bits);
        let index = self.attempts.find(bits, is_it)?;
        let call_id = Tag::from_bits(attempt(index)?.call_id);
        (call_id.as_str() == basics.call_id).then(|| self.subscriptions.key_at(index))?
    }

    fn notified(
        &mut self,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Refusal> {
        let basics = Basics::read(request)?;
        let unknown = || Refusal::new(481, RefusalReason::UnknownDialog);
        let event_id = self.event_id(request)?;
        let key = self.find_attempt(&basics).ok_or_else(unknown)?;
        let subscription = self.subscriptions.get(key).ok_or_else(unknown)?;
        if event_id != subscription.event_id.as_deref() {
            return Err(unknown());
        }
        let place = self.place(subscription, &basics).ok_or_else(unknown)?;
        refuse_extensions(request)?;
        let state = request.required(HeaderName::SubscriptionState)?;
        let state = SubscriptionState::parse(state)?;
        if let Place::Dialog(dialog) = place
            && let Some(dialog) = self.dialogs.get(dialog)
            && basics.cseq <= dialog.remote_cseq
        {
            return Err(Refusal::new(500, RefusalReason::OutOfOrder));
        }
        let secure = is_sips(&subscription.resource);
        let target = self.target(request, &place)?;
        if secure && target.is_some_and(|target| !is_sips(target)) {
            return Err(Refusal::malformed());
        }
        if self.openings.is_crowded(key) {
            return Err(self.busy());
        }
        let body = self.body(request, key);

        let dialog = match place {
            Place::Dialog(dialog) => Some(dialog),
            Place::New if state.state == Substate::Terminated => None,
            Place::New => {
                let target = target.ok_or_else(Refusal::malformed)?;
                Some(self.new_dialog(key, request, &basics, target)?)
            }
        };
        // Nobody else is waited for (RFC 6665 section 4.1.3).
        let body = match body {
            Ok(Brought::Protected) => Told::Later(transaction),
            Ok(Brought::Body(body)) => {
                // Its To has a tag, or it would have been found nowhere.
                let response = Response::new(transaction, 200, None);
                self.lanes.output(SubscriberOutput::Respond(response));
                Told::Now(Ok(body))
            }
            Err((refusal, body)) => {
                let response = refusal.into_response(&mut *self.entropy, transaction, request);
                self.lanes.output(SubscriberOutput::Respond(response));
                Told::Now(Err(body))
            }
        };
        if let Some(dialog) = dialog.and_then(|key| self.dialogs.get_mut(key)) {
            dialog.remote_cseq = basics.cseq;
            if !dialog.is_ending {
                dialog.notify_by = None;
            }
            if let Some(target) = target
                && *target != *dialog.target
            {
                dialog.target = target.into();
            }
        }
        let notify = Notify {
            request,
            context,
            remote_tag: basics.from_tag,
            said: &state,
            body,
        };
        self.take(key, dialog, notify);
        Ok(())
    }

    /// Which dialog a NOTIFY belongs to, or whether it may make one (RFC 6665 section 4.4.1).
    fn place(&self, subscription: &Subscription, basics: &Basics<'_>) -> Option<Place> {
        for key in &subscription.dialogs {
            let dialog = self.dialogs.get(*key)?;
            if *dialog.remote_tag == *basics.from_tag {
                return Some(Place::Dialog(*key));
            }
        }
        let has_said_no = |no: &FirstNo| *no.tag == *basics.from_tag;
        if subscription.first_no.as_deref().is_some_and(has_said_no) {
            return None;
        }
        let most = match self.profile.forks {
            Forks::One => 1,
            Forks::Several => self.config.forks,
        };
        let in_time = self.now < subscription.attempt?.until;
        let may_begin = subscription.dialogs.len() < most && in_time;
        may_begin.then_some(Place::New)
    }

    /// The Contact, unless it is what it was: a NOTIFY is a target refresh (RFC 6665 section 3.1).
    fn target<'a>(
        &self,
        request: &RequestRef<'a>,
        place: &Place,
    ) -> Result<Option<&'a str>, Refusal> {
        if let Place::Dialog(dialog) = place
            && let Some(dialog) = self.dialogs.get(*dialog)
            && let Ok(Some(contact)) = request.single(HeaderName::Contact)
            && let Some(uri) = contact
                .strip_prefix('<')
                .and_then(|it| it.strip_suffix('>'))
            && *uri == *dialog.target
        {
            return Ok(None);
        }
        let contact = parse_only_contact(request.values(HeaderName::Contact))?;
        match contact {
            // Some leave it out where it would say nothing new.
            None => Ok(None),
            Some(contact) if !may_be_target(contact.uri()) => Err(Refusal::malformed()),
            Some(contact) if contact.uri().len() > self.config.head => {
                Err(Refusal::new(513, RefusalReason::TooLarge))
            }
            Some(contact) => Ok(Some(contact.uri())),
        }
    }

    fn new_dialog(
        &mut self,
        key: Key,
        request: &RequestRef<'_>,
        basics: &Basics<'_>,
        target: &str,
    ) -> Result<Key, Refusal> {
        // From the NOTIFY, not from the 2xx (RFC 6665 section 4.4.1).
        let routes = parse_routes(request.values(HeaderName::RecordRoute))?;
        let secure = (self.subscriptions.get(key)).is_some_and(|it| is_sips(&it.resource));
        let usable = |uri: &str| may_be_target(uri) && (!secure || is_secure_hop(uri));
        if !routes.iter().all(|route| usable(route.uri())) {
            return Err(Refusal::malformed());
        }
        let octets: usize = routes.iter().map(|route| route.uri().len() + 12).sum();
        let subscription = self.subscriptions.get_mut(key);
        let subscription = subscription.ok_or_else(Refusal::malformed)?;
        let octets = octets
            + target.len()
            + basics.from_tag.len()
            + subscription.resource.len()
            + subscription.account.len();
        if octets > self.config.head.min(usize::from(u16::MAX) - 1024) {
            return Err(Refusal::new(513, RefusalReason::TooLarge));
        }
        let attempt = subscription.attempt.ok_or_else(Refusal::malformed)?;
        let asked = attempt.granted.unwrap_or(subscription.asked());
        let dialog = self.dialogs.insert(Dialog {
            subscription: key,
            remote_tag: basics.from_tag.into(),
            target: target.into(),
            routes: routes.iter().map(|route| route.uri().into()).collect(),
            local_cseq: attempt.cseq,
            remote_cseq: basics.cseq,
            state: NotifiedState::Other,
            turn: Turn::None,
            state_only: false,
            unconditional: false,
            rare: Rarely::new(Claim {
                condition: subscription.rare.condition().cloned(),
                held: None,
            }),
            again: false,
            is_ending: false,
            expires_at: self.now + Duration::from_secs(asked.into()),
            refresh_at: None,
            notify_by: None,
            timer: Alarm::default(),
            failures: 0,
            challenges: Default::default(),
            credentials: Vec::new(),
            ordered: None,
        });
        if subscription.dialogs.is_empty() {
            subscription.in_a_row.failures = 0;
        }
        subscription.dialogs.push(dialog);
        subscription.phase = Phase::Held;
        subscription.first_no = None;
        subscription.accepted_by = None;
        let has_moved = core::mem::take(&mut subscription.has_moved);
        let news = subscription.news;
        self.set_alarm(key, None);
        self.grant(dialog, asked);
        if has_moved {
            self.queue_dialog(dialog);
        }
        self.tell_news(key, dialog, news);
        Ok(dialog)
    }

    /// A subscription holds for so long from now on.
    pub(super) fn grant(&mut self, key: Key, expires: u32) {
        let Some(dialog) = self.dialogs.get_mut(key) else {
            return;
        };
        dialog.expires_at = self.now + Duration::from_secs(expires.into());
        dialog.refresh_at = match dialog.turn {
            Turn::None => {
                Some(self.now + refresh_after(expires, SHORTEST_REFRESH, &mut *self.entropy))
            }
            Turn::Queued | Turn::Open(_) => None,
        };
        self.set_dialog_alarm(key);
    }

    /// What a NOTIFY that was answered says.
    fn take(&mut self, key: Key, dialog: Option<Key>, notify: Notify<'_>) {
        let said = notify.said;
        let state = match said.state {
            Substate::Active => NotifiedState::Active,
            Substate::Pending => NotifiedState::Pending,
            Substate::Terminated => NotifiedState::Terminated,
            Substate::Other(_) => NotifiedState::Other,
        };
        let mut expires = 0;
        if let (Some(dialog), false) = (dialog, state == NotifiedState::Terminated) {
            self.heed(key, dialog, state, said.expires);
            let rates = Rates::read(HeaderName::SubscriptionState, said.params).ok();
            if let Some(subscription) = self.subscriptions.get_mut(key) {
                subscription.set_granted_rates(rates.filter(|rates| !rates.is_none()));
            }
            let dialog = self.dialogs.get(dialog);
            expires = dialog.map_or(0, |dialog| dialog.seconds_left(self.now));
        }
        let notifier = dialog.map(NotifierKey);
        let sender = notify.context.identity.clone();
        let entity_tag = entity_tag(notify.request);
        match notify.body {
            Told::Later(transaction) => {
                let came_at = self.now;
                let protected = ProtectedNotify {
                    transaction,
                    subscription: key,
                    notifier,
                    state,
                    expires,
                    sender,
                    entity_tag: entity_tag.map(str::to_owned),
                    came_at,
                    outer: Outer::of(notify.request),
                };
                self.open_body(notify.request, protected);
            }
            Told::Now(body) => {
                let is_omitted = matches!(body, Ok(None));
                let body = body.unwrap_or_else(|body| {
                    let key = OwnSubscriptionKey(key);
                    self.event(SubscriberEvent::BodyRefused { key, body });
                    None
                });
                self.event(SubscriberEvent::Notified {
                    key: OwnSubscriptionKey(key),
                    notifier,
                    state,
                    expires,
                    sender,
                    body,
                    entity_tag: entity_tag.map(str::to_owned),
                });
                if is_omitted {
                    self.heed_omission(key, dialog, state, entity_tag);
                }
            }
        }
        if let Some(dialog_key) = dialog
            && let Some(dialog) = self.dialogs.get(dialog_key)
            && dialog.failures == 0
        {
            // Else what has failed is not due before its time.
            self.see_to_quiet(dialog_key);
        }
        let wish = self.subscriptions.get(key).map(|it| it.wish);
        if state == NotifiedState::Terminated {
            let reason = said.reason.map(|reason| reason.as_str().to_owned());
            let end = SubscriptionEnd::ByNotifier {
                reason,
                retry_after: said.retry_after,
            };
            match dialog {
                Some(dialog) => self.end_dialog(dialog, end),
                None => self.ended_at_once(key, notify.remote_tag, end),
            }
        } else if let (Some(Wish::Fetch), Some(dialog)) = (wish, dialog) {
            // Some notifiers call a fetch active; it has what it came for.
            self.end_dialog(
                dialog,
                SubscriptionEnd::ByNotifier {
                    reason: None,
                    retry_after: None,
                },
            );
        } else if let (Some(Wish::Leave { .. }), Some(dialog)) = (wish, dialog) {
            // It was asked for before it was to be ended.
            let is_ending = self.dialogs.get(dialog).is_some_and(|it| it.is_ending);
            if !is_ending {
                self.queue_dialog(dialog);
            }
        }
    }

    /// A notifier has said no before there was a dialog. It may be one branch of several, and the first
    /// one that makes a dialog wins (RFC 3856 section 6.9): it is the last word when the 2xx is its own,
    /// or nothing else comes until Timer N.
    fn ended_at_once(&mut self, key: Key, tag: &str, end: SubscriptionEnd) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        if !subscription.dialogs.is_empty() {
            return;
        }
        let is_accepted = subscription.attempt.is_some_and(|it| it.is_accepted);
        let of_another = (subscription.accepted_by.as_deref()).is_some_and(|other| other != tag);
        if (is_accepted && !of_another) || subscription.wish != Wish::Watch {
            self.ended(key, None, end);
            return;
        }
        let tag = tag.into();
        subscription.first_no = Some(Box::new(FirstNo { tag, end }));
    }

    /// State and time of a subscription that goes on; the notifier's word counts (RFC 6665 section 4.1.3),
    /// but not beyond what was asked for.
    fn heed(&mut self, key: Key, dialog_key: Key, state: NotifiedState, expires: Option<u32>) {
        let asked = self.subscriptions.get(key).map(|it| it.expires);
        let (now, asked) = (self.now, asked.unwrap_or(0));
        let Some(dialog) = self.dialogs.get_mut(dialog_key) else {
            return;
        };
        // A NOTIFY may come before the response to what it follows.
        let asked = match dialog.turn {
            Turn::Open(open) => self
                .open
                .about(open)
                .map_or(asked, |it| it.asked.max(asked)),
            Turn::None | Turn::Queued => asked,
        };
        dialog.state = state;
        if dialog.is_ending {
            return;
        }
        let Some(seconds) = expires.map(|expires| expires.min(asked)) else {
            self.set_dialog_alarm(dialog_key);
            return;
        };
        let (known, until) = (dialog.expires_at, now + Duration::from_secs(seconds.into()));
        // Rounded to seconds, and some time on its way.
        let apart = until
            .saturating_since(known)
            .max(known.saturating_since(until));
        if apart > ROUNDING || dialog.refresh_at.is_none() {
            self.grant(dialog_key, seconds);
        } else {
            self.set_dialog_alarm(dialog_key);
        }
    }

    /// The body, if it is one that is taken.
    fn body(
        &self,
        request: &RequestRef<'_>,
        subscription: Key,
    ) -> Result<Brought, (Refusal, RefusedBody)> {
        let body = request.body();
        if body.is_empty() {
            return Ok(Brought::Body(None));
        }
        self.check_length(body)?;
        let encoding = request.first(HeaderName::ContentEncoding);
        let coded = encoding.filter(|it| !it.trim().eq_ignore_ascii_case("identity"));
        if let Some(coding) = coded {
            let refusal = Refusal::new(415, RefusalReason::UnknownBody)
                .with(HeaderName::AcceptEncoding, "identity");
            return Err((refusal, RefusedBody::Type(coding.to_owned())));
        }
        let written = request.single(HeaderName::ContentType).ok().flatten();
        let written = written.unwrap_or_default();
        match self.typed_body(subscription, written, body) {
            Err(_) if self.config.opens_bodies && is_protected(written) => {
                self.check_opening(subscription)?;
                Ok(Brought::Protected)
            }
            body => body.map(|body| Brought::Body(Some(body))),
        }
    }

    fn check_length(&self, body: &Bytes) -> Result<(), (Refusal, RefusedBody)> {
        if body.len() <= self.config.body {
            return Ok(());
        }
        let refusal = Refusal::new(413, RefusalReason::TooLarge);
        Err((refusal, RefusedBody::Length(body.len())))
    }

    /// A body with this Content-Type, if that is one of the package's.
    pub(super) fn typed_body(
        &self,
        subscription: Key,
        written: &str,
        body: &Bytes,
    ) -> Result<NotifiedBody, (Refusal, RefusedBody)> {
        self.check_length(body)?;
        let types = self.media_types(subscription);
        let taken = |media_type, charset| NotifiedBody {
            media_type,
            charset,
            bytes: body.clone(),
            signers: Vec::new(),
            is_encrypted: false,
            covers_header: false,
        };
        let usual = types.first().filter(|usual| **usual == written);
        if let Some(media_type) = usual {
            return Ok(taken(*media_type, None));
        }
        let Ok(media_type) = MediaType::parse(written) else {
            return Err(self.foreign(subscription, written));
        };
        let before = self.subscriptions.get(subscription);
        let before = before.map_or(&[][..], Subscription::media_types_before);
        let mut types = types.iter().chain(before);
        let known = types.find(|known| media_type.essence_eq(known));
        let Some(known) = known else {
            return Err(self.foreign(subscription, written));
        };
        let charset = media_type.param("charset").map(|it| it.into_owned());
        Ok(taken(*known, charset))
    }

    fn foreign(&self, subscription: Key, written: &str) -> (Refusal, RefusedBody) {
        let refusal = Refusal::new(415, RefusalReason::UnknownBody)
            .with(HeaderName::Accept, self.accept(subscription));
        (refusal, RefusedBody::Type(written.to_owned()))
    }
}
