//! The presence user agent that uploads its state.

use std::collections::HashMap;
use std::sync::Arc;

use super::partial_publication::Differences;
use super::stamps::{Stamped, Stamps};
use crate::engine::{ClientTransaction, Entropy, Timestamp};
use crate::event::{
    Account, EventPublicationAgent, Failure, OwnPublicationInfo, OwnPublicationKey, PublishError,
    PublishOrder, PublisherConfig, PublisherEvent, PublisherOutput,
};
use crate::pidf::{Presence, WriteError};
use crate::sip::ResponseRef;
use time::OffsetDateTime;

/// The media type of what is published.
const MEDIA_TYPE: &str = "application/pidf+xml";

/// A presence user agent that publishes documents (RFC 3856 section 7.3, RFC 3903) and keeps them
/// alive: for one user, or for as many as a gateway has.
///
/// It is driven as the crate's front page shows, but takes no requests. Each publication has one
/// PUBLISH open at a time; of what changes meanwhile the newest leaves.
///
/// ```
/// use presentity::engine::Timestamp;
/// use presentity::event::{Account, PublisherConfig, PublisherOutput};
/// use presentity::pidf::{Presence, Tuple};
/// use presentity::presence::Publisher;
///
/// # let mut counter = 0u8;
/// // In earnest: the operating system's generator.
/// let entropy = move |buffer: &mut [u8]| {
/// #   buffer.iter_mut().for_each(|byte| { counter = counter.wrapping_add(97); *byte = counter });
/// };
/// let mut publisher = Publisher::new(PublisherConfig::default(), entropy);
/// let now = Timestamp::from_secs(0);
/// let account = Account::new("sip:dora@example.com")?;
/// let state = Presence::new("sip:dora@example.com").with_tuple(Tuple::open("phone"));
/// let key = publisher.publish(now, &account, state)?;
///
/// let Some(PublisherOutput::Send(request)) = publisher.poll_output() else { unreachable!() };
/// assert_eq!(request.method(), "PUBLISH");
/// // Its outcome comes back with `handle_response` or `handle_failure`; in the end:
/// publisher.remove(now, key)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Publisher {
    agent: EventPublicationAgent,
    stamps: Stamps,
    /// How presence is told by what has changed.
    differences: Arc<Differences>,
    /// What each publication was last given; never walked through.
    states: HashMap<OwnPublicationKey, Stamped>,
}

/// A state that cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishStateError {
    /// The document cannot be written.
    #[error(transparent)]
    Document(#[from] WriteError),
    /// It cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Publisher {
    /// A publisher with the application's source of unguessable bytes.
    pub fn new(config: PublisherConfig, entropy: impl Entropy + Send + 'static) -> Self {
        Self {
            agent: EventPublicationAgent::new(config, entropy),
            stamps: Stamps::default(),
            differences: Arc::new(Differences),
            states: HashMap::new(),
        }
    }

    /// Says what time of day it is. From then on tuples, persons and devices that have changed and
    /// bear no timestamp get one, newer than any in the documents before it in the same publication
    /// (RFC 3863 section 4.1.7). What bears one of the application's keeps it. To be said again when
    /// the clock was set.
    pub fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) {
        self.stamps.set_wall_clock(now, utc);
    }

    /// Publishes a document for the resource that is the account's URI, and keeps it alive. A
    /// document without entity is about that.
    ///
    /// Ids of tuples are to stay the same while a publication lasts: to watchers a new id is a new
    /// tuple (RFC 3903 section 10.4).
    ///
    /// # Errors
    /// When the document cannot be written or published; nothing has happened then.
    pub fn publish(
        &mut self,
        now: Timestamp,
        account: &Account,
        document: Presence,
    ) -> Result<OwnPublicationKey, PublishStateError> {
        self.begin(now, account, document, false)
    }

    /// The same, and the server is told what has changed instead of everything each time
    /// (`application/pidf-diff+xml`, RFC 5264), where that is shorter. It gets everything when the
    /// publication is made and whenever it is not certain what it has. One that does not know such
    /// publications is told whole documents in this one from then on
    /// ([`PublisherEvent::PartialRefused`]).
    ///
    /// ```
    /// use presentity::engine::Timestamp;
    /// # use presentity::event::{Account, PublisherConfig, PublisherOutput};
    /// use presentity::pidf::{Presence, Tuple};
    /// use presentity::presence::Publisher;
    /// use presentity::sip::ResponseRef;
    ///
    /// # let mut counter = 0u8;
    /// # let entropy = move |buffer: &mut [u8]| {
    /// #   buffer.iter_mut().for_each(|byte| { counter = counter.wrapping_add(97); *byte = counter });
    /// # };
    /// # let mut publisher = Publisher::new(PublisherConfig::default(), entropy);
    /// # let (now, none) = (Timestamp::ZERO, bytes::Bytes::new());
    /// # let account = Account::new("sip:dora@example.com")?;
    /// let phones = ["desk", "cell", "home", "car", "boat"];
    /// let state = |closed: &str| {
    ///     let tuple = |id| if id == closed { Tuple::closed(id) } else { Tuple::open(id) };
    ///     phones.into_iter().map(tuple).fold(Presence::new(""), Presence::with_tuple)
    /// };
    /// let key = publisher.publish_partially(now, &account, state(""))?;
    /// let Some(PublisherOutput::Send(first)) = publisher.poll_output() else { unreachable!() };
    /// let fields = [("SIP-ETag", "a"), ("Expires", "3600")];
    /// publisher.handle_response(now, first.transaction(), &ResponseRef::new(200, fields, &none));
    /// let Some(PublisherOutput::Event(_)) = publisher.poll_output() else { unreachable!() };
    ///
    /// publisher.update(now, key, state("boat"))?;
    /// let Some(PublisherOutput::Send(second)) = publisher.poll_output() else { unreachable!() };
    /// assert!(second.body().len() < first.body().len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`publish`](Self::publish).
    pub fn publish_partially(
        &mut self,
        now: Timestamp,
        account: &Account,
        document: Presence,
    ) -> Result<OwnPublicationKey, PublishStateError> {
        self.begin(now, account, document, true)
    }

    fn begin(
        &mut self,
        now: Timestamp,
        account: &Account,
        mut document: Presence,
        is_partial: bool,
    ) -> Result<OwnPublicationKey, PublishStateError> {
        if document.entity.is_empty() {
            account.uri().clone_into(&mut document.entity);
        }
        let state = self.stamps.stamp(now, None, document);
        let body = state.document().write()?;
        let mut order = PublishOrder::new(account, "presence", MEDIA_TYPE, body);
        if is_partial {
            order.partial = Some(self.differences.clone());
        }
        let key = self.agent.publish(now, order)?;
        self.states.insert(key, state);
        Ok(key)
    }

    /// Publishes another document in the place of the one before. The same document again is
    /// nothing new, except that it is tried again if it was refused.
    ///
    /// # Errors
    /// When it cannot be written or published; the one before stays.
    pub fn update(
        &mut self,
        now: Timestamp,
        key: OwnPublicationKey,
        mut document: Presence,
    ) -> Result<(), PublishStateError> {
        let before = self.states.get(&key).ok_or(PublishError::Unknown)?;
        if document.entity.is_empty() {
            before.document().entity.clone_into(&mut document.entity);
        }
        let state = self.stamps.stamp(now, Some(before), document);
        let body = state.document().write()?;
        self.agent.update(now, key, body)?;
        self.states.insert(key, state);
        Ok(())
    }

    /// See [`EventPublicationAgent::remove`].
    ///
    /// # Errors
    /// [`PublishError::Unknown`].
    pub fn remove(&mut self, now: Timestamp, key: OwnPublicationKey) -> Result<(), PublishError> {
        self.agent.remove(now, key)
    }

    /// See [`EventPublicationAgent::set_account`].
    ///
    /// # Errors
    /// [`PublishError::Unknown`], or [`PublishError::TooLarge`].
    pub fn set_account(
        &mut self,
        now: Timestamp,
        key: OwnPublicationKey,
        account: &Account,
    ) -> Result<(), PublishError> {
        self.agent.set_account(now, key, account)
    }

    /// See [`EventPublicationAgent::abandon`].
    pub fn abandon(&mut self, now: Timestamp, key: OwnPublicationKey) -> bool {
        self.states.remove(&key);
        self.agent.abandon(now, key)
    }

    /// The document of a publication as it was last published, with its timestamps.
    pub fn document(&self, key: OwnPublicationKey) -> Option<&Presence> {
        self.states.get(&key).map(Stamped::document)
    }

    /// See [`EventPublicationAgent::handle_response`].
    pub fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.agent.handle_response(now, transaction, response);
    }

    /// See [`EventPublicationAgent::handle_failure`].
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        failure: Failure,
    ) {
        self.agent.handle_failure(now, transaction, failure);
    }

    /// See [`EventPublicationAgent::provide_credentials`].
    pub fn provide_credentials(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        value: &str,
    ) -> bool {
        self.agent.provide_credentials(now, transaction, value)
    }

    /// See [`EventPublicationAgent::decline_credentials`].
    pub fn decline_credentials(&mut self, now: Timestamp, transaction: ClientTransaction) -> bool {
        self.agent.decline_credentials(now, transaction)
    }

    /// See [`EventPublicationAgent::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.agent.handle_timeout(now);
    }

    /// See [`EventPublicationAgent::poll_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.agent.poll_timeout()
    }

    /// See [`EventPublicationAgent::poll_output`].
    pub fn poll_output(&mut self) -> Option<PublisherOutput> {
        let output = self.agent.poll_output();
        if let Some(PublisherOutput::Event(PublisherEvent::Removed { key, .. })) = &output {
            self.states.remove(key);
        }
        output
    }

    /// See [`EventPublicationAgent::publication`].
    pub fn publication(&self, key: OwnPublicationKey) -> Option<OwnPublicationInfo<'_>> {
        self.agent.publication(key)
    }

    /// See [`EventPublicationAgent::publications`].
    pub fn publications(&self) -> impl Iterator<Item = OwnPublicationInfo<'_>> {
        self.agent.publications()
    }

    /// See [`EventPublicationAgent::occupancy`].
    pub fn occupancy(&self) -> [usize; 4] {
        self.agent.occupancy()
    }
}
