//! What an event package brings: its names, its rules, its documents.

use std::borrow::Cow;

use bytes::Bytes;

use super::authorization::{
    Authorization, Decision, PublishDecision, PublishQuery, SubscribeQuery, View,
};
use super::body::{NoBodies, SubscribeBodies};
use super::narrowing::{BadFilter, Filter, FilterQuery, Narrowing};
use super::output::SubscriptionKey;
use super::partial::Numbered;
use super::personal::{Personal, PersonalRequest};
use super::protection::{Protection, ProtectionQuery};
use crate::engine::Timestamp;
use crate::sip::{MediaType, Uri};

/// The constants of an event package (RFC 6665 section 5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The event type, compared byte by byte; one of a template is put together at run time
    /// ([`with_event_type`](Self::with_event_type)).
    pub event_type: Cow<'static, str>,
    /// The duration of a subscription whose SUBSCRIBE has no Expires, in seconds.
    pub default_expires: u32,
    /// The types of the state's document, best first; the first stands for an absent Accept.
    pub media_types: &'static [&'static str],
    /// The type of documents that tell what has changed since the last one, for those who ask for it by
    /// name ([`Package::full`], [`Package::difference`]). They have the first of the other types beneath.
    pub partial_type: Option<&'static str>,
    /// The types that a PUBLISH may carry; empty when the package has no publication.
    pub publication_types: &'static [&'static str],
    /// What a subscriber makes of a SUBSCRIBE that several notifiers accepted.
    pub forks: Forks,
    /// For whom a notifier makes a document.
    pub documents: Documents,
}

/// Whether one SUBSCRIBE may become several subscriptions by forking (RFC 6665 section 5.4.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Forks {
    /// The notifier whose NOTIFY comes first is the only one; others are answered 481.
    #[default]
    One,
    /// Each notifier makes a subscription of its own, with a state of its own.
    Several,
}

/// For whom a document is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Documents {
    /// For all who see the same of a resource, once for each of its states
    /// ([`Package::render`]).
    #[default]
    Shared,
    /// For each subscription alone, by what its watcher was told before ([`Package::personal`]).
    /// Such documents are never signed or encrypted, and there are no subscriptions without dialog
    /// to them ([`Server::handle_direct`](super::Server::handle_direct)).
    Personal,
}

impl Profile {
    /// A package with these names, an hour as default duration, no publication, and one subscription
    /// for each SUBSCRIBE.
    pub const fn new(event_type: &'static str, media_types: &'static [&'static str]) -> Self {
        Self {
            event_type: Cow::Borrowed(event_type),
            default_expires: 3600,
            media_types,
            partial_type: None,
            publication_types: &[],
            forks: Forks::One,
            documents: Documents::Shared,
        }
    }

    /// The same under another name, such as that of a template applied to a package (RFC 6665 section
    /// 7.2).
    ///
    /// ```
    /// use presentity::event::Profile;
    ///
    /// let template = Profile::new("list", &["application/list+xml"]);
    /// let applied = template.with_event_type(format!("{}.list", "dialog"));
    /// assert_eq!(applied.event_type, "dialog.list");
    /// ```
    #[must_use]
    pub fn with_event_type(mut self, event_type: impl Into<Cow<'static, str>>) -> Self {
        self.event_type = event_type.into();
        self
    }
}

/// A Request-URI for which there is no resource here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unserved {
    /// 416: the scheme means nothing to this package.
    Scheme,
    /// 404: the resource is not the business of this server. Not the answer for a user that does
    /// not exist in a domain that is served: that one is told apart from a refusal by nothing.
    NotHere,
}

/// What a watcher is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Visibility {
    /// The state, or a view of it.
    View(View),
    /// What there is before a decision.
    Pending,
    /// What hides a refusal.
    PoliteBlock,
}

/// A document that is asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RenderRequest<'a> {
    /// The canonical name of the resource.
    pub resource: &'a str,
    /// The resource as the watcher named it.
    pub entity: &'a str,
    /// What the watcher may see.
    pub visibility: &'a Visibility,
    /// One of the profile's media types.
    pub media_type: &'static str,
    /// Rises with each change of the resource's state; equal numbers mean equal state.
    pub version: u64,
    /// The current time.
    pub now: Timestamp,
    /// Whether the document will be signed. If the signature is to be of use against replay, it has to
    /// tell when its state was (RFC 3856 section 9.4).
    pub is_signed: bool,
}

/// The body of a PUBLISH.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PublishedBody<'a> {
    /// One of the profile's types for publications, with the parameters that it came with.
    pub media_type: &'a MediaType<'a>,
    /// The document.
    pub octets: &'a Bytes,
    /// The current time.
    pub now: Timestamp,
    /// The document inside its publisher's signature, with the type of that, if it came so and was opened:
    /// what is passed on unmodified keeps its signature (RFC 3903 section 14.4).
    pub as_signed: Option<(&'a str, &'a Bytes)>,
}

/// The document of a publication that could not be read, and how its PUBLISH is answered.
///
/// ```
/// use presentity::event::Unreadable;
///
/// let why = Unreadable::new("it ends too early").with_body("text/plain", "line 3".into());
/// assert_eq!(why.status(), 400);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unreadable publication: {reason}")]
pub struct Unreadable {
    reason: String,
    status: u16,
    body: Option<Box<(String, Bytes)>>,
}

impl Unreadable {
    /// It is not what its type promises: 400.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            status: 400,
            body: None,
        }
    }

    /// It becomes larger than what is taken here: 413.
    pub fn too_large(reason: impl Into<String>) -> Self {
        Self {
            status: 413,
            ..Self::new(reason)
        }
    }

    /// It may be right, but nothing could be made of it here: 500.
    pub fn fault(reason: impl Into<String>) -> Self {
        Self {
            status: 500,
            ..Self::new(reason)
        }
    }

    /// The same, and the response carries this body, which tells what is wrong in a form for machines. A
    /// media type that is none is left out with its body.
    #[must_use]
    pub fn with_body(mut self, media_type: impl Into<String>, octets: Bytes) -> Self {
        let media_type = media_type.into();
        let is_type = MediaType::parse(&media_type).is_ok() && !media_type.contains(['\r', '\n']);
        self.body = is_type.then(|| Box::new((media_type, octets)));
        self
    }

    /// Why it could not be read, for people.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The status code of the response: 400, 413 or 500.
    pub fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn into_body(self) -> Option<Box<(String, Bytes)>> {
        self.body
    }
}

/// An event package: what the notifier and the publication server do not know by themselves.
///
/// It is called with what it needs and keeps no state of subscriptions; `State` is what the
/// application sets for one resource, `Publication` what was read from a published body.
pub trait Package {
    /// What the application sets for a resource, beside what is published.
    type State: Default + core::fmt::Debug;
    /// What a published body was read into. Equal values are the same state.
    type Publication: PartialEq + core::fmt::Debug;

    /// The constants.
    fn profile(&self) -> &Profile;

    /// The canonical name of the resource that a Request-URI means; equal names are one resource.
    ///
    /// # Errors
    /// When there can be no such resource here.
    fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved>;

    /// Who may subscribe, and to what.
    fn authorize_subscription(&mut self, query: &SubscribeQuery<'_>) -> Authorization;

    /// Who may publish. By default nobody.
    fn authorize_publication(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        let _ = query;
        PublishDecision::Forbid
    }

    /// Reads the body of a PUBLISH. `before` is what the publication that it modifies holds so far, for
    /// bodies that say what has changed; nothing when it makes a new one.
    ///
    /// What comes of it takes the place of `before` only if that is still in force when the publication
    /// is: one that was modified meanwhile (a [deferred](PublishDecision::Defer) one takes time) has
    /// another entity-tag by then.
    ///
    /// # Errors
    /// When it cannot be read; the publication does not happen, and what was before stays.
    fn read_publication(
        &mut self,
        body: &PublishedBody<'_>,
        before: Option<&Self::Publication>,
    ) -> Result<Self::Publication, Unreadable>;

    /// A body was published again that is the same state as `kept`, which stays: what is of no account to
    /// watchers, such as how it was written, may be taken over from `repeated`. By default nothing is.
    fn take_over(&self, kept: &mut Self::Publication, repeated: Self::Publication) {
        let _ = (kept, repeated);
    }

    /// Octets that a publication takes in a document, which may be more than those of the body that
    /// it was read from: they count against [`Limits::published`](super::Limits::published).
    fn octets(&self, publication: &Self::Publication, body: &Bytes) -> usize {
        let _ = publication;
        body.len()
    }

    /// The document of a resource for those watchers that see the same of it; nothing when there
    /// is none to send. `publications` are in the order they were first made, each with a number
    /// that stays the same for its life.
    fn render(
        &mut self,
        request: &RenderRequest<'_>,
        state: &mut Self::State,
        publications: &[(u64, &Self::Publication)],
    ) -> Option<Bytes>;

    /// The document of a publication with its publisher's signature around it, and the type of that, where
    /// it is what those watchers are to see: asked for [`Protection::AsPublished`] before
    /// [`render`](Self::render) is. By default there is none.
    fn as_published(
        &mut self,
        request: &RenderRequest<'_>,
        state: &mut Self::State,
        publications: &[(u64, &Self::Publication)],
    ) -> Option<(String, Bytes)> {
        let _ = (request, state, publications);
        None
    }

    /// The next document of one subscription, where the profile has
    /// [`Documents::Personal`]; [`render`](Self::render) is not called then. Nothing when there is
    /// nothing to tell: no NOTIFY leaves for a change, and one without body where one is due.
    ///
    /// What it returns is sent. Whether it arrives is seen to by the server: after a NOTIFY that was
    /// refused, or never answered, everything is asked for again.
    fn personal(
        &mut self,
        request: &PersonalRequest<'_>,
        state: &mut Self::State,
    ) -> Option<Personal> {
        let _ = (request, state);
        None
    }

    /// No more documents are asked for a subscription, since its last NOTIFY leaves, or never will.
    /// Told only where the profile has [`Documents::Personal`].
    fn forget(&mut self, subscription: SubscriptionKey, state: &mut Self::State) {
        let _ = (subscription, state);
    }

    /// How the documents for a watcher are protected, asked for each SUBSCRIBE that is accepted. What the
    /// watcher does not accept is not forced upon it: its SUBSCRIBE is refused with 406, and with 401
    /// when nobody asks for what would have to be encrypted. It holds until the next SUBSCRIBE of the dialog
    /// that is accepted; one that is refused leaves the subscription as it was. It is not asked for what
    /// leaves by [`Server::handle_direct`](super::Server::handle_direct), which is never protected: a policy
    /// that demands it refuses such subscriptions; nor where the profile has [`Documents::Personal`], which
    /// are never protected. By default they are not protected.
    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        let _ = query;
        Protection::None
    }

    /// The first document of a subscription that is to be told what has changed, made of the document that
    /// others get; nothing where that cannot be, and it gets what others get.
    fn full(&mut self, document: &Bytes) -> Option<Numbered> {
        let _ = document;
        None
    }

    /// What has changed from one document to another; nothing where all of it is to be told again.
    fn difference(&mut self, before: &Bytes, after: &Bytes) -> Option<Numbered> {
        let _ = (before, after);
        None
    }

    /// The types of bodies by which a watcher says what it wants to see of documents, and when. By default
    /// there is none. They are not read where the profile has [`Documents::Personal`].
    fn filter_types(&self) -> &[&'static str] {
        &[]
    }

    /// Reads the filter that an accepted SUBSCRIBE brings; nothing when there is none in force any more.
    ///
    /// # Errors
    /// Why it is not taken.
    fn read_filter(&mut self, query: &FilterQuery<'_>) -> Result<Option<Filter>, BadFilter> {
        let _ = query;
        Ok(None)
    }

    /// The part of a document that a filter shows; nothing when that is none of it.
    fn narrow(&mut self, narrowing: &Narrowing, document: &Bytes) -> Option<Bytes> {
        let _ = narrowing;
        Some(document.clone())
    }

    /// Whether a filter [with triggers](Narrowing::with_triggers) wants a change to be told, from the
    /// document that the watcher was told last to the one of now, both before they were narrowed.
    fn fires(&mut self, narrowing: &Narrowing, before: &Bytes, after: &Bytes) -> bool {
        let _ = (narrowing, before, after);
        true
    }

    /// What reads the bodies of SUBSCRIBE requests. By default none is read.
    fn bodies(&self) -> &dyn SubscribeBodies {
        &NoBodies
    }

    /// The same, to read with.
    fn bodies_mut(&mut self) -> Option<&mut dyn SubscribeBodies> {
        None
    }

    /// Whether a subscription is to be judged again ([`judge`](Self::judge)) before its watcher is told
    /// anything more: asked for each NOTIFY that tells of state. By default none is.
    fn is_to_be_judged(&self, subscription: SubscriptionKey) -> bool {
        let _ = subscription;
        false
    }

    /// What holds from now on for a subscription that [is to be judged](Self::is_to_be_judged), and from
    /// now on is not any more; nothing leaves it as it is. By default nothing.
    fn judge(&mut self, query: &SubscribeQuery<'_>) -> Option<Decision> {
        let _ = query;
        None
    }

    /// Whether the application's state is to be kept while nobody watches or publishes.
    fn is_lasting(&self, state: &Self::State) -> bool {
        let _ = state;
        false
    }
}
