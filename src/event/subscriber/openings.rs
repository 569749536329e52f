//! NOTIFYs with bodies that are signed or encrypted. What they say of the subscription counts at once;
//! the response, and what is told, wait until the host has opened the body.

use std::collections::{HashMap, VecDeque};

use super::output::{NotifiedBody, RefusedBody};
use super::{
    NotifiedState, NotifierKey, OwnSubscriptionKey, Subscriber, SubscriberEvent, SubscriberOutput,
    Timer,
};
use crate::engine::slab::{Key, Slab};
use crate::engine::{ServerTransaction, Timestamp};
use crate::event::Identity;
use crate::event::opening::{Opening, OpeningKey, OpeningOutcome, unopened};
use crate::event::refusal::{Refusal, RefusalReason};
use crate::event::tunnel::{Outer, emerge};
use crate::sip::{HeaderName, RequestRef, Response};

/// Bodies of one subscription that are opened at a time: a notifier sends no more than one in 5 s by
/// itself (RFC 3856 section 6.10).
const OF_ONE: usize = 8;
/// What may wait to be told behind the first of them.
const BEHIND: usize = 64;

/// What is waited for, and what waits behind it.
#[derive(Debug, Default)]
pub(super) struct Openings {
    bodies: Slab<Waiting>,
    /// Of subscriptions with such a body, which may be over by now, what is to be told in order. Never
    /// walked through.
    queues: HashMap<Key, Queue>,
    /// Events in all queues.
    behind: usize,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bodies: usize,
}

#[derive(Debug)]
enum Item {
    Body(Key),
    Event(SubscriberEvent),
}

#[derive(Debug)]
struct Waiting {
    notify: ProtectedNotify,
    timer: Option<Key>,
    /// Known before its turn to be told has come.
    outcome: Option<Result<Option<NotifiedBody>, RefusedBody>>,
}

/// A NOTIFY whose body is to be opened.
#[derive(Debug)]
pub(super) struct ProtectedNotify {
    pub(super) transaction: ServerTransaction,
    pub(super) subscription: Key,
    pub(super) notifier: Option<NotifierKey>,
    pub(super) state: NotifiedState,
    /// Seconds left when it came.
    pub(super) expires: u32,
    pub(super) sender: Identity,
    pub(super) entity_tag: Option<String>,
    pub(super) came_at: Timestamp,
    /// What a signed request within has to agree with.
    pub(super) outer: Outer,
}

/// What is to be told next.
enum Next {
    Event(SubscriberEvent),
    Body(ProtectedNotify, Result<Option<NotifiedBody>, RefusedBody>),
}

impl Openings {
    /// Bodies that are opened, and what waits behind them.
    pub(super) fn len(&self) -> usize {
        self.bodies.len() + self.behind
    }

    /// Events that wait.
    pub(super) fn behind(&self) -> usize {
        self.behind
    }

    fn is_full(&self, subscription: Key, limit: usize) -> bool {
        let of_one = self.queues.get(&subscription).map_or(0, |it| it.bodies);
        self.bodies.len() >= limit || of_one >= OF_ONE
    }

    /// Whether so much waits that nothing more of this subscription can be taken.
    pub(super) fn is_crowded(&self, subscription: Key) -> bool {
        let queue = self.queues.get(&subscription);
        queue.is_some_and(|queue| queue.items.len() >= BEHIND)
    }

    /// The event, unless it has to wait for a body.
    pub(super) fn pass(&mut self, event: SubscriberEvent) -> Option<SubscriberEvent> {
        let Some(queue) = self.queues.get_mut(&event.key().0) else {
            return Some(event);
        };
        queue.items.push_back(Item::Event(event));
        self.behind += 1;
        None
    }

    fn begin(&mut self, notify: ProtectedNotify, arm: impl FnOnce(Key) -> Key) -> Key {
        let subscription = notify.subscription;
        let key = self.bodies.insert(Waiting {
            notify,
            timer: None,
            outcome: None,
        });
        if let Some(waiting) = self.bodies.get_mut(key) {
            waiting.timer = Some(arm(key));
        }
        let queue = self.queues.entry(subscription).or_default();
        queue.items.push_back(Item::Body(key));
        queue.bodies += 1;
        key
    }

    /// The NOTIFY of a body that nothing is known of yet.
    fn waiting(&mut self, key: Key) -> Option<&mut Waiting> {
        let waiting = self.bodies.get_mut(key)?;
        waiting.outcome.is_none().then_some(waiting)
    }

    fn next(&mut self, subscription: Key) -> Option<Next> {
        let queue = self.queues.get_mut(&subscription)?;
        if let Some(Item::Body(key)) = queue.items.front() {
            self.bodies.get(*key)?.outcome.as_ref()?;
        }
        let item = queue.items.pop_front();
        if queue.items.is_empty() {
            self.queues.remove(&subscription);
        } else if let (Some(Item::Body(_)), Some(queue)) =
            (&item, self.queues.get_mut(&subscription))
        {
            queue.bodies -= 1;
        }
        match item? {
            Item::Event(event) => {
                self.behind -= 1;
                Some(Next::Event(event))
            }
            Item::Body(key) => {
                let waiting = self.bodies.remove(key)?;
                Some(Next::Body(waiting.notify, waiting.outcome?))
            }
        }
    }

    /// Nothing more is told of a subscription. What is opened is still answered.
    pub(super) fn forget(&mut self, subscription: Key) {
        let queue = self.queues.remove(&subscription).unwrap_or_default();
        for item in queue.items {
            match item {
                Item::Event(_) => self.behind -= 1,
                Item::Body(key) => {
                    if self.bodies.get(key).is_some_and(|it| it.outcome.is_some()) {
                        self.bodies.remove(key);
                    }
                }
            }
        }
    }
}

impl Subscriber {
    /// A body has been opened, or could not be: its NOTIFY is answered, 200 when it is of a type that is
    /// taken, and told. False when it is not waited for any more.
    pub fn complete_opening(
        &mut self,
        now: Timestamp,
        key: OpeningKey,
        outcome: OpeningOutcome,
    ) -> bool {
        self.advance(now);
        let Some(waiting) = self.openings.waiting(key.0) else {
            return false;
        };
        let outer = core::mem::take(&mut waiting.notify.outer);
        let subscription = waiting.notify.subscription;
        let body = self.opened_body(subscription, outcome, &outer);
        self.is_opened(key.0, body);
        true
    }

    /// What is told of a subscription keeps its order, whatever has to be opened first.
    pub(super) fn event(&mut self, event: SubscriberEvent) {
        if let Some(event) = self.openings.pass(event) {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: SubscriberEvent) {
        crate::event::trace::told(&event);
        self.lanes.output(SubscriberOutput::Event(event));
    }

    /// Whether there is room to open one more body of this subscription.
    pub(super) fn check_opening(&self, subscription: Key) -> Result<(), (Refusal, RefusedBody)> {
        match self.openings.is_full(subscription, self.config.openings) {
            false => Ok(()),
            true => Err((self.busy(), RefusedBody::Busy)),
        }
    }

    pub(super) fn busy(&self) -> Refusal {
        let seconds = self.config.backlog_retry_after.to_string();
        Refusal::new(503, RefusalReason::Limit).with(HeaderName::RetryAfter, seconds)
    }

    pub(super) fn open_body(&mut self, request: &RequestRef<'_>, notify: ProtectedNotify) {
        let deadline = self.now + self.config.opening_deadline;
        let taken = self.media_types(notify.subscription).to_vec();
        let wheel = &mut self.wheel;
        let key = (self.openings).begin(notify, |key| wheel.arm(deadline, Timer::Opening(key)));
        let content_type = request.first(HeaderName::ContentType).unwrap_or_default();
        self.lanes.output(SubscriberOutput::Open(Opening {
            key: OpeningKey(key),
            content_type: content_type.to_owned(),
            body: request.body().clone(),
            taken,
            deadline,
        }));
    }

    /// No outcome came in time. Old notifiers give a subscription up unless they are told to try again
    /// (RFC 3265 section 3.2.2).
    pub(super) fn opening_is_due(&mut self, key: Key) {
        if let Some(waiting) = self.openings.waiting(key) {
            waiting.timer = None;
            let seconds = self.config.backlog_retry_after.to_string();
            let refusal =
                Refusal::new(500, RefusalReason::JobFailed).with(HeaderName::RetryAfter, seconds);
            self.is_opened(key, Err((refusal, RefusedBody::Late)));
        }
    }

    fn opened_body(
        &self,
        subscription: Key,
        outcome: OpeningOutcome,
        outer: &Outer,
    ) -> Result<Option<NotifiedBody>, (Refusal, RefusedBody)> {
        let emerged = outcome.and_then(|opened| emerge(opened, outer));
        let (opened, covers_header) = emerged.map_err(|error| {
            let refusal = unopened(&error, self.accept(subscription));
            (refusal, RefusedBody::Unopened(error))
        })?;
        if covers_header && opened.body.is_empty() {
            return Ok(None);
        }
        let mut body = self.typed_body(subscription, &opened.content_type, &opened.body)?;
        body.signers = opened.signers;
        body.is_encrypted = opened.is_encrypted;
        body.covers_header = covers_header;
        Ok(Some(body))
    }

    fn is_opened(&mut self, key: Key, body: Result<Option<NotifiedBody>, (Refusal, RefusedBody)>) {
        let Some(waiting) = self.openings.waiting(key) else {
            return;
        };
        let (subscription, transaction) = (waiting.notify.subscription, waiting.notify.transaction);
        if let Some(timer) = waiting.timer.take() {
            self.wheel.cancel(timer);
        }
        // Its To has a tag, or it would have been found nowhere.
        let (response, outcome) = match body {
            Ok(body) => (Response::new(transaction, 200, None), Ok(body)),
            Err((refusal, body)) => {
                crate::event::trace::refusal(refusal.status, refusal.reason);
                let response = Response::new(transaction, refusal.status, None);
                let response = refusal
                    .fields
                    .into_iter()
                    .fold(response, |response, field| response.with(field.0, &field.1));
                (response, Err(body))
            }
        };
        waiting.outcome = Some(outcome);
        self.lanes.output(SubscriberOutput::Respond(response));
        if !self.openings.queues.contains_key(&subscription) {
            // The application has abandoned it.
            self.openings.bodies.remove(key);
        }
        while let Some(next) = self.openings.next(subscription) {
            match next {
                Next::Event(event) => self.tell(event),
                Next::Body(notify, body) => self.tell_notify(notify, body),
            }
        }
    }

    fn tell_notify(
        &mut self,
        notify: ProtectedNotify,
        body: Result<Option<NotifiedBody>, RefusedBody>,
    ) {
        let key = OwnSubscriptionKey(notify.subscription);
        let body = match body {
            Ok(body) => body,
            Err(body) => {
                self.tell(SubscriberEvent::BodyRefused { key, body });
                None
            }
        };
        let passed = self.now.saturating_since(notify.came_at).as_secs();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        self.tell(SubscriberEvent::Notified {
            key,
            notifier: notify.notifier,
            state: notify.state,
            expires: notify.expires.saturating_sub(passed),
            sender: notify.sender,
            body,
            entity_tag: notify.entity_tag,
        });
    }
}
