//! The notifier and publication server as one state machine.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashTable;

use super::authorization::{Decision, Termination};
use super::config::ServerConfig;
use super::identity::RequestContext;
use super::output::{
    Backlog, EndReason, JobKey, Output, ServerEvent, Subject, SubscriptionKey, UnknownSubscription,
};
use super::package::{Package, Visibility};
use super::publish::PendingJob;
use super::refusal::{Counters, Refusal, RefusalReason};
use super::remembered::RememberedRequests;
use super::resource::{Publication, Resource, Round};
use super::subscription::{
    Ending, Flow, Phase, Source, Subscription, Variant, VariantName, Watcher, by_flow, by_resource,
    by_watcher,
};
use crate::engine::interned::Interned;
use crate::engine::slab::{Key, Slab};
use crate::engine::timer_wheel::TimerWheel;
use crate::engine::window::Window;
use crate::engine::{Entropy, FlowId, ServerTransaction, Timestamp};
use crate::sip::{HeaderName, NameAddr, RequestRef, Response, Tag};

/// The notifier of RFC 6665 and the publication server of RFC 3903 for one event package.
///
/// The crate's front page tells how it is driven. Presence has its own
/// front, [`Agent`](crate::presence::Agent); other packages use this type directly.
pub struct Server<P: Package> {
    pub(super) package: P,
    pub(super) config: ServerConfig,
    pub(super) entropy: Box<dyn Entropy + Send>,
    pub(super) now: Timestamp,
    pub(super) wheel: TimerWheel<Timer>,
    pub(super) subscriptions: Slab<Subscription>,
    /// Live subscriptions by their local tag, which is random and ours.
    pub(super) dialogs: HashTable<Key>,
    pub(super) resources: Interned<Resource<P>>,
    pub(super) variants: Interned<Variant>,
    pub(super) watchers: Interned<Watcher>,
    pub(super) sources: Interned<Source>,
    pub(super) flows: Interned<Flow>,
    pub(super) publications: Slab<Publication<P>>,
    /// Publications by the random part of their entity-tag, which is ours.
    pub(super) entity_tags: HashTable<Key>,
    pub(super) next_entity_tag: u64,
    pub(super) jobs: Slab<PendingJob<P>>,
    pub(super) remembered: RememberedRequests,
    pub(super) notifies: Window<OpenNotify>,
    /// Responses, events, wishes and NOTIFYs owed, in order.
    pub(super) queue: VecDeque<Item>,
    /// NOTIFYs owed for which the window had no room.
    pub(super) waiting: VecDeque<Key>,
    /// Resources whose round is under way.
    pub(super) rounds: VecDeque<Key>,
    pub(super) added_fields: Option<Arc<str>>,
    pub(super) allow_events: Arc<str>,
    pub(super) counters: Counters,
}

/// What a deadline is for. Stale keys find nothing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timer {
    Expiry(Key),
    Release(Key),
    Round(Key),
    Publication(Key),
    Job(Key),
}

#[derive(Debug)]
pub(super) enum Item {
    Output(Output),
    Notify(Key),
}

/// A NOTIFY whose outcome is awaited.
#[derive(Debug)]
pub(super) struct OpenNotify {
    pub(super) subscription: Key,
    /// Challenges answered in a row.
    pub(super) attempts: u8,
    /// It was challenged, and waits for credentials.
    pub(super) challenged: Option<HeaderName>,
}

impl<P: Package> core::fmt::Debug for Server<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Server")
            .field("event_type", &self.package.profile().event_type)
            .field("now", &self.now)
            .field("subscriptions", &self.subscriptions.len())
            .field("publications", &self.publications.len())
            .field("open_notifies", &self.notifies.len())
            .finish_non_exhaustive()
    }
}

impl<P: Package> Server<P> {
    /// A server for a package, with the caller's source of unguessable bytes.
    pub fn new(package: P, config: ServerConfig, entropy: impl Entropy + Send + 'static) -> Self {
        let mut allow_events = String::from(package.profile().event_type);
        for event_type in &config.other_event_types {
            allow_events.push_str(", ");
            allow_events.push_str(event_type);
        }
        let added_fields = added_fields(&config.notify_fields);
        Self {
            package,
            entropy: Box::new(entropy),
            now: Timestamp::ZERO,
            wheel: TimerWheel::new(),
            subscriptions: Slab::default(),
            dialogs: HashTable::new(),
            resources: Interned::new(),
            variants: Interned::new(),
            watchers: Interned::new(),
            sources: Interned::new(),
            flows: Interned::new(),
            publications: Slab::default(),
            entity_tags: HashTable::new(),
            next_entity_tag: 0,
            jobs: Slab::default(),
            remembered: RememberedRequests::new(config.limits.remembered_requests),
            notifies: Window::new(
                config.window,
                config.slow_window,
                config.slow_after,
                config.forgotten_after,
            ),
            queue: VecDeque::new(),
            waiting: VecDeque::new(),
            rounds: VecDeque::new(),
            added_fields,
            allow_events: allow_events.into(),
            counters: Counters::default(),
            config,
        }
    }

    /// Whether this role deals with a request: SUBSCRIBE, PUBLISH, and CANCEL, which has no effect
    /// here (RFC 6665 section 4.6). When no role of the host accepts a request with a To tag, the
    /// host answers 481.
    pub fn accepts(&self, request: &RequestRef<'_>) -> bool {
        matches!(request.method(), "SUBSCRIBE" | "PUBLISH" | "CANCEL")
    }

    /// A request that opened a server transaction.
    ///
    /// Retransmissions are the transaction layer's business and must not come here; a request that
    /// came by two branches comes twice, under different transactions.
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
        if self.queue.len() >= self.config.limits.outputs {
            self.counters.backlogs += 1;
            return Err(Backlog {
                retry_after: self.config.retry_after,
            });
        }
        let outcome =
            if request.is_overlong() {
                Err(Refusal::new(513, RefusalReason::TooLarge))
            } else {
                match request.method() {
                    "SUBSCRIBE" => self.subscribe(transaction, request, context),
                    "PUBLISH" => self.publish(transaction, request, context),
                    "CANCEL" => {
                        let response = self.response(transaction, request, 200);
                        self.queue
                            .push_back(Item::Output(Output::Respond(response)));
                        Ok(())
                    }
                    "NOTIFY" => Err(Refusal::new(481, RefusalReason::UnknownDialog)),
                    _ => Err(Refusal::new(405, RefusalReason::Method)
                        .with(HeaderName::Allow, self.allow())),
                }
            };
        if let Err(refusal) = outcome {
            self.refuse(transaction, request, refusal);
        }
        Ok(())
    }

    /// A connection is lost: requests to those who came by it go to their Contact from now on.
    pub fn handle_flow_lost(&mut self, now: Timestamp, flow: FlowId) {
        self.advance(now);
        let Some(key) = self.flows.find(&flow) else {
            return;
        };
        while let Some(index) = self
            .flows
            .get(key)
            .and_then(|flow| flow.subscriptions.first())
        {
            let Some(subscription) = self.subscriptions.key_at(index) else {
                break;
            };
            self.leave_flow(subscription);
        }
    }

    /// Time has passed. To be called at the deadline; earlier or more often does no harm.
    ///
    /// One call does a bounded piece of work; when more is due, [`poll_timeout`](Self::poll_timeout)
    /// says so.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        let mut budget = self.config.timers_per_call.max(1);
        while self.queue.len() < self.config.limits.outputs {
            let Some(timer) = self.wheel.pop(self.now, &mut budget) else {
                break;
            };
            match timer {
                Timer::Expiry(key) => self.expire_subscription(key),
                Timer::Release(key) => self.release(key),
                Timer::Round(key) => self.begin_round(key),
                Timer::Publication(key) => self.expire_publication(key),
                Timer::Job(key) => self.finish_job(key, false),
            }
        }
        while budget > 0
            && let Some(key) = self.notifies.abandoned(self.now)
        {
            budget -= 1;
            self.forget_notify(key);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); nothing when there is no deadline.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.wheel
            .next()
            .into_iter()
            .chain(self.notifies.next())
            .min()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            match self.queue.pop_front() {
                Some(Item::Output(output)) => return Some(output),
                Some(Item::Notify(key)) if !self.notifies.has_room() => self.waiting.push_back(key),
                Some(Item::Notify(key)) => {
                    if let Some(request) = self.notify(key) {
                        return Some(Output::Send(request));
                    }
                }
                None if !self.notifies.has_room() => return None,
                None => match self.waiting.pop_front() {
                    Some(key) => {
                        if let Some(request) = self.notify(key) {
                            return Some(Output::Send(request));
                        }
                    }
                    None => return self.next_of_round().map(Output::Send),
                },
            }
        }
    }

    /// The application's decision about a subscription, at any time and in either direction.
    ///
    /// # Errors
    /// When there is no such subscription (any more).
    pub fn decide(
        &mut self,
        now: Timestamp,
        key: SubscriptionKey,
        decision: Decision,
    ) -> Result<(), UnknownSubscription> {
        self.advance(now);
        let subscription = self.subscriptions.get(key.0).ok_or(UnknownSubscription)?;
        if !subscription.is_live() {
            return Err(UnknownSubscription);
        }
        if subscription.decision != decision {
            self.apply(key.0, decision);
            self.owe(key.0);
        }
        Ok(())
    }

    /// The same for every subscription of a watcher to a resource, both by their canonical names;
    /// tells how many there are.
    pub fn decide_watcher(
        &mut self,
        now: Timestamp,
        watcher: &str,
        resource: &str,
        decision: &Decision,
    ) -> usize {
        self.advance(now);
        let keys = self.subscriptions_of(watcher, resource);
        for key in &keys {
            let _ = self.decide(now, SubscriptionKey(*key), decision.clone());
        }
        keys.len()
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// When there is no such subscription (any more).
    pub fn terminate(
        &mut self,
        now: Timestamp,
        key: SubscriptionKey,
        termination: Termination,
    ) -> Result<(), UnknownSubscription> {
        self.advance(now);
        if !self
            .subscriptions
            .get(key.0)
            .is_some_and(Subscription::is_live)
        {
            return Err(UnknownSubscription);
        }
        self.end(key.0, ending(termination));
        Ok(())
    }

    /// Ends every subscription to a resource, named canonically; tells how many there were.
    pub fn terminate_resource(
        &mut self,
        now: Timestamp,
        resource: &str,
        termination: Termination,
    ) -> usize {
        self.advance(now);
        let mut keys = Vec::new();
        let key = self.resources.find(resource);
        let mut next = key.and_then(|key| self.resources.get(key)?.subscriptions.first());
        while let Some(index) = next {
            let Some(subscription) = self.subscriptions.at(index) else {
                break;
            };
            next = subscription.by_resource.next();
            if subscription.is_live() {
                keys.extend(self.subscriptions.key_at(index));
            }
        }
        for key in &keys {
            self.end(*key, ending(termination));
        }
        keys.len()
    }

    /// Ends every subscription; tells how many there were.
    pub fn terminate_all(&mut self, now: Timestamp, termination: Termination) -> usize {
        self.advance(now);
        let live = self
            .subscriptions
            .iter()
            .filter(|(_, subscription)| subscription.is_live());
        let keys: Vec<Key> = live.map(|(key, _)| key).collect();
        for key in &keys {
            self.end(*key, ending(termination));
        }
        keys.len()
    }

    /// Changes what the application has set for a resource, named canonically; `change` tells
    /// whether it did. Watchers are told when their document becomes another.
    pub fn update_state(
        &mut self,
        now: Timestamp,
        resource: &str,
        change: impl FnOnce(&mut P::State) -> bool,
    ) -> bool {
        self.advance(now);
        let key = self.resources.find_or_insert(resource, || Resource::new(resource));
        let changed =
            self.resources.get_mut(key).is_some_and(|resource| change(&mut resource.state));
        if changed {
            self.touch(key);
        }
        self.drop_if_unused(key);
        changed
    }

    /// The job of a deferred publication is done, or failed. Without effect when it is over.
    pub fn complete_job(&mut self, now: Timestamp, key: JobKey, success: bool) {
        self.advance(now);
        self.finish_job(key.0, success);
    }

    /// The package.
    pub fn package(&self) -> &P {
        &self.package
    }

    /// The package, to change what it decides by.
    pub fn package_mut(&mut self) -> &mut P {
        &mut self.package
    }

    /// The methods of this role, for Allow.
    pub fn allow(&self) -> &'static str {
        if self.package.profile().publication_types.is_empty() {
            "SUBSCRIBE"
        } else {
            "SUBSCRIBE, PUBLISH"
        }
    }

    /// The event types, for Allow-Events (RFC 6665 section 4.4.4).
    pub fn allow_events(&self) -> &str {
        &self.allow_events
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    // ---- what the parts share -------------------------------------------------------------

    /// Time never runs backwards here, whatever the caller says.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.notifies
            .age(self.now, &mut self.config.timers_per_call.max(1).clone());
    }

    pub(super) fn response(
        &mut self,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        status: u16,
    ) -> Response {
        let has_tag = request
            .first(HeaderName::To)
            .and_then(|to| NameAddr::parse(to).ok())
            .is_none_or(|to| to.tag().is_some());
        let tag = (!has_tag).then(|| Tag::random(&mut *self.entropy));
        Response::new(transaction, status, tag)
    }

    fn refuse(
        &mut self,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        refusal: Refusal,
    ) {
        self.counters.count_refusal(refusal.reason);
        let mut response = self.response(transaction, request, refusal.status);
        for (name, value) in refusal.fields {
            response = response.with(name, value);
        }
        let challenge = refusal.reason == RefusalReason::Challenged;
        self.queue.push_back(Item::Output(if challenge {
            Output::Challenge(response)
        } else {
            Output::Respond(response)
        }));
    }

    pub(super) fn event(&mut self, event: ServerEvent) {
        self.queue.push_back(Item::Output(Output::Event(event)));
    }

    pub(super) fn subject(&self, key: Key) -> Option<Subject> {
        let subscription = self.subscriptions.get(key)?;
        let watcher = subscription.watcher.and_then(|key| self.watchers.get(key));
        Some(Subject {
            key: SubscriptionKey(key),
            watcher: watcher.map(|watcher| Arc::clone(&watcher.name)),
            resource: Arc::clone(&self.resources.get(subscription.resource)?.name),
        })
    }

    /// Live subscriptions of a watcher to a resource, by way of the shorter of the two lists.
    pub(super) fn subscriptions_of(&self, watcher: &str, resource: &str) -> Vec<Key> {
        let mut keys = Vec::new();
        let Some(watcher_key) = self.watchers.find(watcher) else {
            return keys;
        };
        let Some(resource_key) = self.resources.find(resource) else {
            return keys;
        };
        let Some(watcher) = self.watchers.get(watcher_key) else {
            return keys;
        };
        let Some(resource) = self.resources.get(resource_key) else {
            return keys;
        };
        let through_watcher = watcher.subscriptions.len() <= resource.subscriptions.len();
        let list = if through_watcher {
            watcher.subscriptions
        } else {
            resource.subscriptions
        };
        let mut next = list.first();
        while let Some(index) = next {
            let Some(subscription) = self.subscriptions.at(index) else {
                break;
            };
            let links = if through_watcher {
                &subscription.by_watcher
            } else {
                &subscription.by_resource
            };
            next = links.next();
            if subscription.is_live()
                && subscription.watcher == Some(watcher_key)
                && subscription.resource == resource_key
            {
                keys.extend(self.subscriptions.key_at(index));
            }
        }
        keys
    }

    /// Puts a decision in force; the NOTIFY for it is the caller's.
    pub(super) fn apply(&mut self, key: Key, decision: Decision) {
        if let Decision::Reject(_) = decision {
            let ending = Ending {
                told: super::Reason::Rejected,
                retry_after: None,
                with_state: false,
                why: EndReason::Rejected,
            };
            self.end(key, ending);
            return;
        }
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        let Some(variant) = self.variants.get(subscription.variant) else {
            return;
        };
        let name = VariantName {
            visibility: visibility(&decision),
            ..variant.name.clone()
        };
        self.move_to_variant(key, name);
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.decision = decision.clone();
        }
        if let Some(subject) = self.subject(key) {
            self.event(ServerEvent::SubscriptionChanged { subject, decision });
        }
    }

    pub(super) fn move_to_variant(&mut self, key: Key, name: VariantName) {
        let new = self.enter_variant(name);
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let old = core::mem::replace(&mut subscription.variant, new);
        if old != new {
            subscription.delivered = 0;
        }
        self.leave_variant(old);
    }

    pub(super) fn enter_variant(&mut self, name: VariantName) -> Key {
        let key = self.variants.find(&name).unwrap_or_else(|| {
            let variant = Variant {
                name: name.clone(),
                subscriptions: 0,
                body: None,
                changed: 0,
                rendered: 0,
            };
            self.variants.find_or_insert(&name, || variant)
        });
        if let Some(variant) = self.variants.get_mut(key) {
            variant.subscriptions += 1;
        }
        key
    }

    fn leave_variant(&mut self, key: Key) {
        let Some(variant) = self.variants.get_mut(key) else {
            return;
        };
        variant.subscriptions -= 1;
        if variant.subscriptions == 0 {
            self.variants.remove(key);
        }
    }

    /// Queues a NOTIFY that leaves whatever the watcher has.
    pub(super) fn owe(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.owed = true;
        if !subscription.queued && subscription.open.is_none() {
            subscription.queued = true;
            self.queue.push_back(Item::Notify(key));
        }
    }

    /// Ends a subscription: from now on it is found by no SUBSCRIBE, and its last NOTIFY is owed.
    pub(super) fn end(&mut self, key: Key, ending: Ending) {
        let Some(subject) = self.subject(key) else {
            return;
        };
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        if !subscription.is_live() {
            return;
        }
        subscription.phase = Phase::Ending(ending);
        self.cease(key);
        self.event(ServerEvent::SubscriptionEnded {
            subject,
            reason: ending.why,
        });
        self.owe(key);
    }

    /// Ends a subscription without a word to the watcher (RFC 6665 section 4.2.2).
    pub(super) fn drop_silently(&mut self, key: Key, why: EndReason) {
        let Some(subject) = self.subject(key) else {
            return;
        };
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let was_live = subscription.is_live();
        let was_listed = !matches!(subscription.phase, Phase::Ended(_));
        if was_live {
            self.cease(key);
            self.event(ServerEvent::SubscriptionEnded {
                subject,
                reason: why,
            });
        }
        if was_listed {
            self.leave_lists(key);
        }
        self.remove_ended(key);
    }

    /// The end of being live, on every path.
    fn cease(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let tag = subscription.dialog.local_tag;
        let resource = subscription.resource;
        if let Some(timer) = subscription.timer.take() {
            self.wheel.cancel(timer);
        }
        if let Ok(entry) = self.dialogs.find_entry(tag, |other| *other == key) {
            entry.remove();
        }
        if let Some(resource) = self.resources.get_mut(resource) {
            resource.live -= 1;
        }
        self.counters.subscriptions_ended += 1;
    }

    /// Takes a subscription out of every list, when its last NOTIFY leaves or never will.
    pub(super) fn leave_lists(&mut self, key: Key) {
        self.leave_flow(key);
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let next = subscription.by_resource.next();
        let (watcher, source) = (subscription.watcher, subscription.source.take());
        let (variant, resource_key) = (subscription.variant, subscription.resource);
        if let Some(watcher_key) = watcher
            && let Some(watcher) = self.watchers.get_mut(watcher_key)
        {
            watcher
                .subscriptions
                .unlink(&mut self.subscriptions, key.index, by_watcher);
            if watcher.subscriptions.is_empty() {
                self.watchers.remove(watcher_key);
            }
        }
        if let Some(source_key) = source
            && let Some(source) = self.sources.get_mut(source_key)
        {
            source.subscriptions -= 1;
            if source.subscriptions == 0 {
                self.sources.remove(source_key);
            }
        }
        if let Some(resource) = self.resources.get_mut(resource_key) {
            // A round in mid-walk goes on behind the one that leaves.
            if let Round::Walking { next: turn, .. } = &mut resource.round
                && *turn == Some(key.index)
            {
                *turn = next;
            }
            resource
                .subscriptions
                .unlink(&mut self.subscriptions, key.index, by_resource);
        }
        self.leave_variant(variant);
        self.drop_if_unused(resource_key);
    }

    pub(super) fn leave_flow(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let Some(flow_key) = subscription.flow.take() else {
            return;
        };
        let Some(flow) = self.flows.get_mut(flow_key) else {
            return;
        };
        flow.subscriptions
            .unlink(&mut self.subscriptions, key.index, by_flow);
        if flow.subscriptions.is_empty() {
            self.flows.remove(flow_key);
        }
    }

    pub(super) fn enter_flow(&mut self, key: Key, flow: Option<FlowId>) {
        let wanted = flow.map(|id| {
            self.flows.find_or_insert(&id, || Flow {
                id,
                subscriptions: Default::default(),
            })
        });
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        if subscription.flow == wanted {
            return;
        }
        self.leave_flow(key);
        if let Some(flow_key) = wanted
            && let Some(flow) = self.flows.get_mut(flow_key)
            && let Some(subscription) = self.subscriptions.get_mut(key)
        {
            subscription.flow = wanted;
            flow.subscriptions
                .push_back(&mut self.subscriptions, key.index, by_flow);
        }
    }

    /// The very end: the entry goes.
    pub(super) fn remove_ended(&mut self, key: Key) {
        self.subscriptions.remove(key);
    }

    pub(super) fn drop_if_unused(&mut self, key: Key) {
        let Some(resource) = self.resources.get(key) else {
            return;
        };
        let used = !resource.subscriptions.is_empty()
            || !resource.publications.is_empty()
            || resource.jobs > 0
            || self.package.is_lasting(&resource.state);
        if used {
            return;
        }
        if let Some(resource) = self.resources.remove(key)
            && let Round::Due { timer } = resource.round
        {
            self.wheel.cancel(timer);
        }
    }

    fn expire_subscription(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.timer = None;
        // A NOTIFY behind the deadline tells no state any more.
        self.end(
            key,
            Ending {
                told: super::Reason::Timeout,
                retry_after: None,
                with_state: false,
                why: EndReason::Expired,
            },
        );
    }

    fn release(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        subscription.held = false;
        if subscription.owed {
            self.owe(key);
        }
    }
}

pub(super) fn visibility(decision: &Decision) -> Visibility {
    match decision {
        Decision::Allow(view) => Visibility::View(view.clone()),
        Decision::PoliteBlock => Visibility::PoliteBlock,
        // Those who are refused are shown nothing.
        Decision::Pending | Decision::Reject(_) => Visibility::Pending,
    }
}

fn ending(termination: Termination) -> Ending {
    Ending {
        told: termination.reason,
        retry_after: termination.retry_after,
        with_state: false,
        why: EndReason::Terminated(termination.reason),
    }
}

fn added_fields(fields: &[(String, String)]) -> Option<Arc<str>> {
    let token = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
    };
    let lines: String = fields
        .iter()
        .filter(|(name, value)| token(name) && !value.contains(|c: char| c.is_control()))
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    (!lines.is_empty()).then(|| lines.into())
}
