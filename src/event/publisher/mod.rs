//! The event publication agent of RFC 3903: publications of ours, kept alive on servers of others.

mod answers;
mod config;
mod output;
mod partial;
mod publication;

use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;

pub use config::PublisherConfig;
pub use output::{
    OwnPublicationKey, PublishError, PublishFailure, PublisherEvent, PublisherOutput,
};
pub use partial::PartialFormat;

use super::PublishKind;
use super::account::{Account, Names, may_be_asked};
use super::open_requests::{HIGHEST_CSEQ, LAST_CSEQ, OpenRequests, SLOW_AFTER};
use super::patience::{Backoff, Holds};
use crate::engine::lanes::{Lanes, Turn};
use crate::engine::slab::{Key, Slab};
use crate::engine::timer_wheel::TimerWheel;
use crate::engine::window::Window;
use crate::engine::{Entropy, Timestamp};
use crate::sip::{Content, Event, Head, HeadWriter, MediaType, OutgoingRequest, Own, Tag};
use answers::declined;
use partial::{Form, Partial};
use publication::{InARow, OwnPublication, Phase};

/// Failures that come at once are not to make a loop.
const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// Publishes states for any event package and keeps them alive (RFC 3903 section 4).
///
/// It is driven as the crate's front page shows, but takes no requests. Each publication is an event
/// publication agent of its own: it has one PUBLISH open at a time, and what changes meanwhile leaves
/// as one, the newest. Several publications for one resource know nothing of each other. Presence
/// has its own front, [`Publisher`](crate::presence::Publisher).
pub struct EventPublicationAgent {
    config: PublisherConfig,
    entropy: Box<dyn Entropy + Send>,
    now: Timestamp,
    wheel: TimerWheel<Key>,
    publications: Slab<OwnPublication>,
    open: OpenRequests<OpenPublish>,
    lanes: Lanes<PublisherOutput>,
    holds: Holds,
    heads: HeadWriter,
    no_content: Arc<Content>,
}

/// A PUBLISH whose outcome is awaited.
#[derive(Debug)]
struct OpenPublish {
    publication: Key,
    kind: PublishKind,
    /// The body that the server has after a success.
    version: u32,
    form: Form,
}

/// What is to be published.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PublishOrder<'a> {
    /// On whose behalf.
    pub account: &'a Account,
    /// The resource that the state is of: the Request-URI.
    pub resource: &'a str,
    /// The event package.
    pub event_type: &'a str,
    /// The media type of the body.
    pub media_type: &'a str,
    /// The state.
    pub body: Bytes,
    /// How the server is told what has changed, instead of everything each time (RFC 5264). A server that
    /// does not take it (415) is told everything ([`PublisherEvent::PartialRefused`]). Nothing, the
    /// default: it is not.
    pub partial: Option<Arc<dyn PartialFormat>>,
}

impl<'a> PublishOrder<'a> {
    /// An order for one's own state: the resource is the URI of the account.
    pub fn new(
        account: &'a Account,
        event_type: &'a str,
        media_type: &'a str,
        body: Bytes,
    ) -> Self {
        Self {
            account,
            resource: account.uri(),
            event_type,
            media_type,
            body,
            partial: None,
        }
    }
}

/// How far a publication of ours has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnPublicationInfo<'a> {
    /// Its name.
    pub key: OwnPublicationKey,
    /// The resource that the state is of.
    pub resource: &'a str,
    /// The tag that the server gave it last; nothing when it has none of it.
    pub entity_tag: Option<&'a str>,
    /// Whether the server has the newest body.
    pub is_current: bool,
    /// When what the server has runs out; nothing when it has nothing.
    pub expires_at: Option<Timestamp>,
    /// Whether changes are told by what is different: it was asked for, and the server has not refused it.
    pub is_partial: bool,
}

impl core::fmt::Debug for EventPublicationAgent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EventPublicationAgent")
            .field("now", &self.now)
            .field("publications", &self.publications.len())
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}

impl EventPublicationAgent {
    /// An agent with the caller's source of unguessable bytes.
    pub fn new(config: PublisherConfig, entropy: impl Entropy + Send + 'static) -> Self {
        let mut config = config;
        config.expires = config.expires.max(1);
        config.retry_after = config.retry_after.max(SHORTEST_RETRY);
        config.initial_cseq = config.initial_cseq.min(HIGHEST_CSEQ);
        Self {
            entropy: Box::new(entropy),
            now: Timestamp::ZERO,
            wheel: TimerWheel::new(),
            publications: Slab::default(),
            open: OpenRequests::new(
                config.role,
                Window::new(
                    config.window,
                    config.slow_window,
                    SLOW_AFTER,
                    config.forgotten_after,
                ),
            ),
            lanes: Lanes::new(),
            holds: Holds::default(),
            heads: HeadWriter::default(),
            no_content: Arc::new(Content::new("", None, Bytes::new())),
            config,
        }
    }

    /// Publishes a state and keeps it alive until it is removed (RFC 3903 section 4.2).
    ///
    /// # Errors
    /// When the order cannot be carried out; nothing has happened then.
    pub fn publish(
        &mut self,
        now: Timestamp,
        order: PublishOrder<'_>,
    ) -> Result<OwnPublicationKey, PublishError> {
        self.advance(now);
        if !may_be_asked(order.resource) {
            return Err(PublishError::Resource {
                text: order.resource.to_owned(),
            });
        }
        let bare =
            Event::parse(order.event_type).is_ok_and(|it| it.event_type() == order.event_type);
        if !bare {
            return Err(PublishError::Type {
                text: order.event_type.to_owned(),
            });
        }
        let partial = order.partial.map(Partial::new);
        let partial_type = partial.as_ref().map(Partial::media_type);
        for media_type in [order.media_type].into_iter().chain(partial_type) {
            if MediaType::parse(media_type).is_err() || media_type.contains(['\r', '\n']) {
                return Err(PublishError::Type {
                    text: media_type.to_owned(),
                });
            }
        }
        let content = self.content(order.media_type, order.body)?;
        let limit = self.config.publications;
        if self.publications.len() >= limit {
            return Err(PublishError::TooMany { limit });
        }
        let event = format!("Event: {}\r\n", order.event_type);
        let limit = self.config.head;
        let head = self
            .make_head(order.account, order.resource, order.resource, &event)
            .ok_or(PublishError::TooLarge { limit })?;
        let key = self.publications.insert(OwnPublication {
            account: order.account.clone(),
            resource: order.resource.into(),
            event: event.into(),
            media_type: order.media_type.into(),
            head,
            cseq: self.config.initial_cseq,
            content,
            partial,
            version: 0,
            confirmed: None,
            expires: self.config.expires,
            entity_tag: None,
            expires_at: Timestamp::ZERO,
            phase: Phase::Idle,
            timer: None,
            refresh_due: false,
            removing: false,
            perhaps_until: Timestamp::ZERO,
            last_sent: Timestamp::ZERO,
            credentials: Vec::new(),
            in_a_row: InARow::default(),
        });
        self.go_on(key);
        Ok(OwnPublicationKey(key))
    }

    /// Publishes another state in the place of the one before. The same state again is nothing new,
    /// except that it is tried again if it was refused.
    ///
    /// # Errors
    /// When the state cannot be published; the one before stays.
    pub fn update(
        &mut self,
        now: Timestamp,
        key: OwnPublicationKey,
        body: Bytes,
    ) -> Result<(), PublishError> {
        self.advance(now);
        let known = self.publications.get(key.0).filter(|it| !it.removing);
        let Some(publication) = known else {
            return Err(PublishError::Unknown);
        };
        if *publication.content.body() != body {
            let media_type = publication.media_type.clone();
            let content = self.content(&media_type, body)?;
            if let Some(publication) = self.publications.get_mut(key.0) {
                publication.content = content;
                publication.version = publication.version.wrapping_add(1);
            }
        }
        self.start_anew(key.0);
        Ok(())
    }

    /// Takes a publication back (RFC 3903 section 4.5). It is over when
    /// [`PublisherEvent::Removed`] says so; to remove it twice does no harm.
    ///
    /// # Errors
    /// [`PublishError::Unknown`].
    pub fn remove(&mut self, now: Timestamp, key: OwnPublicationKey) -> Result<(), PublishError> {
        self.advance(now);
        let publication = self.publications.get_mut(key.0);
        let publication = publication.ok_or(PublishError::Unknown)?;
        if !publication.removing {
            publication.removing = true;
            publication.in_a_row = InARow::default();
            self.start_anew(key.0);
        }
        Ok(())
    }

    /// Has further requests of a publication leave for another account of the same user: by another
    /// proxy or connection, say, after a registration.
    ///
    /// # Errors
    /// [`PublishError::Unknown`], or [`PublishError::TooLarge`].
    pub fn set_account(
        &mut self,
        now: Timestamp,
        key: OwnPublicationKey,
        account: &Account,
    ) -> Result<(), PublishError> {
        self.advance(now);
        let publication = self.publications.get_mut(key.0);
        let publication = publication.ok_or(PublishError::Unknown)?;
        let before = core::mem::replace(&mut publication.account, account.clone());
        let request_uri = publication.head.uri().to_owned();
        if self.rename(key.0, &request_uri) {
            self.start_anew(key.0);
            return Ok(());
        }
        if let Some(publication) = self.publications.get_mut(key.0) {
            publication.account = before;
        }
        Err(PublishError::TooLarge {
            limit: self.config.head,
        })
    }

    /// Forgets a publication without a word to the server, where it runs out by itself. Tells whether
    /// there was one.
    pub fn abandon(&mut self, now: Timestamp, key: OwnPublicationKey) -> bool {
        self.advance(now);
        self.drop(key.0)
    }

    /// Time has passed. To be called at the deadline; earlier or more often does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        let mut budget = self.config.timers_per_call.max(1);
        while let Some(key) = self.wheel.pop(self.now, &mut budget) {
            let Some(publication) = self.publications.get_mut(key) else {
                continue;
            };
            publication.timer = None;
            match publication.phase {
                Phase::Idle => publication.refresh_due = true,
                Phase::Waiting { .. } => publication.phase = Phase::Idle,
                Phase::Queued | Phase::Open(_) | Phase::Refused => {}
            }
            self.go_on(key);
        }
        while budget > 0
            && let Some((open, awaited)) = self.open.abandoned(self.now)
        {
            budget -= 1;
            // Without credentials in time it stays refused.
            let failure = awaited.map_or(PublishFailure::Forgotten, declined);
            self.fail(&open, failure, None);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); nothing when there is no deadline.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let deadlines = [self.wheel.next(), self.open.next()];
        deadlines.into_iter().flatten().min()
    }

    /// The next thing to do. Before the host sleeps it polls until there is none.
    pub fn poll_output(&mut self) -> Option<PublisherOutput> {
        loop {
            let request = match self.lanes.next(self.open.has_room())? {
                Turn::Output(output) => return Some(output),
                Turn::Owed(key) | Turn::Round(key) => self.request(key),
            };
            if let Some(request) = request {
                return Some(PublisherOutput::Send(request));
            }
        }
    }

    /// One publication.
    pub fn publication(&self, key: OwnPublicationKey) -> Option<OwnPublicationInfo<'_>> {
        let publication = self.publications.get(key.0)?;
        Some(self.info(key.0, publication))
    }

    /// All publications, in an order that depends on nothing but the calls made.
    pub fn publications(&self) -> impl Iterator<Item = OwnPublicationInfo<'_>> {
        let publications = self.publications.iter();
        publications.map(|(key, publication)| self.info(key, publication))
    }

    /// Entries of all tables: publications, open requests, timers, outputs that wait.
    pub fn occupancy(&self) -> [usize; 4] {
        [
            self.publications.len(),
            self.open.len(),
            self.wheel.len(),
            self.lanes.len(),
        ]
    }

    /// Outcomes of transactions that were not open.
    pub fn stray_outcomes(&self) -> u64 {
        self.open.strays()
    }

    // ---- what the parts share ---------------------------------------------------------------

    fn info<'a>(&self, key: Key, publication: &'a OwnPublication) -> OwnPublicationInfo<'a> {
        let has_state = publication.confirmed.is_some() && publication.expires_at > self.now;
        OwnPublicationInfo {
            key: OwnPublicationKey(key),
            resource: &publication.resource,
            entity_tag: publication.entity_tag.as_deref().filter(|_| has_state),
            is_current: has_state && publication.confirmed == Some(publication.version),
            expires_at: has_state.then_some(publication.expires_at),
            is_partial: publication.partial.is_some(),
        }
    }

    /// Time never runs backwards here, whatever the caller says.
    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let mut budget = self.config.timers_per_call.max(1);
        self.open.age(self.now, &mut budget);
    }

    fn backoff(&self) -> Backoff {
        Backoff {
            shortest: self.config.retry_after,
            longest: self.config.retry_after_longest,
        }
    }

    fn content(&self, media_type: &str, body: Bytes) -> Result<Arc<Content>, PublishError> {
        if body.is_empty() {
            return Err(PublishError::Empty);
        }
        if body.len() > self.config.body {
            return Err(PublishError::TooLarge {
                limit: self.config.body,
            });
        }
        Ok(Arc::new(Content::new("", Some(media_type), body)))
    }

    /// A head with names of its own; nothing when it would be too large.
    fn make_head(
        &mut self,
        account: &Account,
        request_uri: &str,
        resource: &str,
        event: &str,
    ) -> Option<Head> {
        let names = Names {
            from_tag: Tag::random(&mut *self.entropy),
            to: resource,
            call_id: Tag::random(&mut *self.entropy),
            dialog: None,
        };
        let octets = account.len() + request_uri.len() + resource.len() + event.len();
        let fits = octets <= self.config.head.min(usize::from(u16::MAX));
        let heads = &mut self.heads;
        fits.then(|| account.head(heads, "PUBLISH", request_uri, &names, event))??;
        Some(heads.finish())
    }

    /// Gives further requests of a publication another Request-URI and names of their own; false when
    /// they would be too large.
    fn rename(&mut self, key: Key, request_uri: &str) -> bool {
        let Some(publication) = self.publications.get(key) else {
            return false;
        };
        let account = publication.account.clone();
        let (resource, event) = (publication.resource.clone(), publication.event.clone());
        let head = self.make_head(&account, request_uri, &resource, &event);
        match (head, self.publications.get_mut(key)) {
            (Some(head), Some(publication)) => {
                if publication.head.uri() != head.uri() {
                    // Another server may use the same tag for something else.
                    publication.forget_base();
                }
                publication.head = head;
                publication.cseq = 0;
                true
            }
            _ => false,
        }
    }

    fn event(&mut self, event: PublisherEvent) {
        super::trace::told(&event);
        self.lanes.output(PublisherOutput::Event(event));
    }

    /// The application wants something else: what stood in the way of what it wanted before counts no
    /// more, except the server's patience. Nobody is asked more often than after a first failure.
    fn start_anew(&mut self, key: Key) {
        let Some(publication) = self.publications.get_mut(key) else {
            return;
        };
        match publication.phase {
            Phase::Refused => {
                publication.phase = Phase::Idle;
                publication.in_a_row = InARow::default();
                self.return_from_redirection(key);
            }
            Phase::Waiting { asked: false } => {
                let until = publication.last_sent + self.config.retry_after;
                let sooner = until.max(self.now);
                self.rest(key, Phase::Waiting { asked: false }, sooner);
            }
            Phase::Idle | Phase::Queued | Phase::Open(_) | Phase::Waiting { asked: true } => {}
        }
        self.go_on(key);
    }

    /// Asks where the publication belongs again, not where it was sent to meanwhile (RFC 3261
    /// section 21.3.3).
    fn return_from_redirection(&mut self, key: Key) {
        if let Some(publication) = self.publications.get(key)
            && publication.head.uri() != &*publication.resource
        {
            let resource = publication.resource.clone();
            self.rename(key, &resource);
        }
    }

    /// Does what there is to do for a publication that is idle.
    fn go_on(&mut self, key: Key) {
        let Some(publication) = self.publications.get_mut(key) else {
            return;
        };
        let waits = matches!(publication.phase, Phase::Waiting { .. });
        if publication.phase != Phase::Idle && !waits {
            return;
        }
        let kind = publication.next_kind(self.now);
        if publication.removing && kind.is_none() {
            let confirmed = publication.perhaps_until <= self.now;
            self.finish(key, confirmed);
            return;
        }
        if kind.is_some() && !waits {
            publication.phase = Phase::Queued;
            if let Some(timer) = publication.timer.take() {
                self.wheel.cancel(timer);
            }
            self.lanes.owe(key);
        }
    }

    /// Does nothing for a while; a timer that ran is replaced.
    fn rest(&mut self, key: Key, phase: Phase, until: Timestamp) {
        if let Some(publication) = self.publications.get_mut(key) {
            publication.phase = phase;
            let timer = self.wheel.arm(until, key);
            if let Some(earlier) = publication.timer.replace(timer) {
                self.wheel.cancel(earlier);
            }
        }
    }

    /// The request whose turn has come, if there is still something to ask for.
    fn request(&mut self, key: Key) -> Option<OutgoingRequest> {
        let publication = self.publications.get_mut(key)?;
        if publication.phase != Phase::Queued {
            return None;
        }
        publication.phase = Phase::Idle;
        let Some(kind) = publication.next_kind(self.now) else {
            self.go_on(key);
            return None;
        };
        if let Some(until) = self.holds.until(&publication.next_hop(), self.now) {
            let until = publication.patience(until);
            self.rest(key, Phase::Waiting { asked: true }, until);
            return None;
        }
        if publication.cseq >= LAST_CSEQ {
            let request_uri = publication.head.uri().to_owned();
            self.rename(key, &request_uri);
        }
        let publication = self.publications.get_mut(key)?;
        publication.cseq = publication.cseq.saturating_add(1);
        publication.last_sent = self.now;
        let expires = match kind {
            PublishKind::Remove => 0,
            PublishKind::Initial | PublishKind::Refresh | PublishKind::Modify => {
                publication.expires
            }
        };
        let tag = publication.entity_tag.as_deref();
        let credentials = core::mem::take(&mut publication.credentials);
        let own = Own::of_request("PUBLISH", publication.cseq, expires, tag, &credentials);
        let (content, form) = match kind {
            PublishKind::Initial | PublishKind::Modify => publication.told(kind),
            PublishKind::Refresh | PublishKind::Remove => {
                (Arc::clone(&self.no_content), Form::Plain)
            }
        };
        let (head, flow) = (publication.head.clone(), publication.account.flow());
        let open = self.open.open(
            self.now,
            OpenPublish {
                publication: key,
                kind,
                version: publication.version,
                form,
            },
            credentials,
        );
        publication.phase = Phase::Open(open);
        let transaction = self.open.transaction(open);
        Some(OutgoingRequest::new(transaction, flow, head, own, content))
    }

    /// A publication that was to be removed is over.
    fn finish(&mut self, key: Key, confirmed: bool) {
        if self.drop(key) {
            let key = OwnPublicationKey(key);
            self.event(PublisherEvent::Removed { key, confirmed });
        }
    }

    /// Nothing is left of it on the server, as far as anybody can know.
    fn finish_if_known(&mut self, key: Key) {
        if let Some(publication) = self.publications.get(key) {
            let confirmed = publication.perhaps_until <= self.now;
            self.finish(key, confirmed);
        }
    }

    fn drop(&mut self, key: Key) -> bool {
        let Some(publication) = self.publications.remove(key) else {
            return false;
        };
        if let Some(timer) = publication.timer {
            self.wheel.cancel(timer);
        }
        true
    }
}
