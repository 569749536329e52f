//! The event package `presence` (RFC 3856 section 6).

use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::DefaultHasher;

use bytes::Bytes;
use time::OffsetDateTime;

use super::alarms::{Alarms, Cause};
use super::composition::{Composition, Moment, PartRef, Renamed, Source, keep_apart, unite};
use super::config::{
    AgentConfig, BlockedDocument, LastingState, PendingDocument, RegisteredState,
    SignedPublications, UnknownDocument,
};
use super::narrowed::{self, Trees};
use super::partial_publication;
use super::policy::Policy;
use super::sources::Sources;
use super::stamps::{Stamped, Stamps};
use crate::engine::Timestamp;
use crate::event::{
    Authorization, BadFilter, Decision, Filter, FilterQuery, Narrowing, Numbered, Package, Profile,
    Protection, ProtectionQuery, PublishDecision, PublishQuery, PublishedBody, RenderRequest,
    SubscribeBodies, SubscribeQuery, SubscriptionKey, Unreadable, Unserved, View, Visibility,
};
use crate::filter::{self, FilterLimits};
use crate::pidf::{Presence, ReadOptions, Tuple, partial};
use crate::sip::{Uri, host_of};

/// The type of today, and the one of before RFC 3863.
const MEDIA_TYPES: &[&str] = &["application/pidf+xml", "application/cpim-pidf+xml"];

/// What a PUBLISH may carry, the last of them only where that is wanted.
const PUBLICATION_TYPES: &[&str] = &[
    "application/pidf+xml",
    "application/cpim-pidf+xml",
    partial::MEDIA_TYPE,
];

/// A composed document holds no shorter.
const BRIEFEST: Duration = Duration::from_secs(1);
/// Nobody is woken for one later than that, lest deadlines of what nobody sees any more add up.
const LONGEST: Duration = Duration::from_secs(3600);

/// The serial number of the application's own state among the parts of a document.
const LASTING: u64 = 0;

/// Presence as an event package, with the application's policy.
#[derive(Debug)]
pub(super) struct PresencePackage<P, B> {
    pub(super) policy: P,
    pub(super) bodies: B,
    profile: Profile,
    domains: Vec<String>,
    pending: PendingDocument,
    blocked: BlockedDocument,
    unknown: UnknownDocument,
    lasting: LastingState,
    registered: RegisteredState,
    signed_publications: SignedPublications,
    telephone_numbers: bool,
    filters: Option<FilterLimits>,
    trees: Trees,
    pub(super) stamps: Stamps,
    /// Nothing: the union.
    pub(super) composition: Option<Box<dyn Composition + Send>>,
    pub(super) alarms: Alarms,
    /// Who is to be judged again before anything more is told.
    pub(super) unjudged: HashSet<SubscriptionKey>,
    /// Makes the ids of false documents unguessable, so that they do not tell what they are.
    secret: u64,
}

/// What a publication says. One that is repeated says what it said, whatever is around it.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) document: Presence,
    since: Timestamp,
    /// The document inside its publisher's signature, and the type of that.
    as_signed: Option<Box<(String, Bytes)>>,
    /// The document as its publisher has it, which the next difference is about.
    pub(super) written: Option<Bytes>,
}

impl PartialEq for Published {
    fn eq(&self, other: &Self) -> bool {
        self.document == other.document && self.as_signed.is_some() == other.as_signed.is_some()
    }
}

/// What is held of one presentity beside its publications.
#[derive(Debug, Default)]
pub(super) struct PresenceState {
    pub(super) lasting: Option<Presence>,
    pub(super) lasting_since: Timestamp,
    pub(super) sources: Sources,
    renamed: Renamed,
    /// The whole document with timestamps, as those were shown it who get it signed.
    stamped: Option<Box<Stamped>>,
    /// When the false one was first shown to one who gets it signed.
    offline_since: Option<OffsetDateTime>,
    /// The whole document, for the version it was composed at, when it took more than a look.
    composed: Option<Box<(u64, Presence)>>,
    /// Until when that is what its parts come to.
    pub(super) composed_until: Option<Timestamp>,
}

/// The constants of presence, to those who subscribe (RFC 3856 section 6).
pub(crate) fn subscriber_profile() -> Profile {
    Profile::new("presence", MEDIA_TYPES)
}

impl<P, B> PresencePackage<P, B> {
    pub(super) fn new(policy: P, bodies: B, config: &AgentConfig, secret: u64) -> Self {
        let mut profile = subscriber_profile();
        profile.publication_types = match config.partial_publications {
            true => PUBLICATION_TYPES,
            false => MEDIA_TYPES,
        };
        profile.partial_type = config.partial_notifications.then_some(partial::MEDIA_TYPE);
        Self {
            policy,
            bodies,
            profile,
            domains: config
                .domains
                .iter()
                .map(|domain| domain.to_ascii_lowercase())
                .collect(),
            pending: config.pending.clone(),
            blocked: config.blocked,
            unknown: config.unknown,
            lasting: config.lasting,
            registered: config.registered,
            signed_publications: config.signed_publications,
            telephone_numbers: config.telephone_numbers,
            filters: config.filters,
            trees: Trees::default(),
            stamps: Stamps::default(),
            composition: None,
            alarms: Alarms::new(),
            unjudged: HashSet::new(),
            secret,
        }
    }

    /// Has a presentity looked at again when what its parts come to holds no longer.
    pub(super) fn wake_for(&mut self, presentity: &str, now: Timestamp, until: Option<Timestamp>) {
        let at = until.map(|until| until.min(now + LONGEST));
        self.alarms.set(presentity, Cause::Composition, at);
    }

    fn serves(&self, name: &str) -> bool {
        if self.domains.is_empty() {
            return true;
        }
        let host = name.rsplit_once('@').map_or(name, |(_, host)| host);
        let bare = host_of(name);
        self.domains
            .iter()
            .any(|domain| domain == host || domain == bare)
    }

    /// What there is of a presentity without state.
    fn nothing_known(&self, entity: &str) -> Option<Presence> {
        (self.unknown == UnknownDocument::Empty).then(|| Presence::new(entity))
    }

    /// One service, closed: what a presentity looks like whose phone is off.
    fn offline(&self, request: &RenderRequest<'_>, state: &mut PresenceState) -> Presence {
        let entity = request.entity;
        let mut hasher = DefaultHasher::new();
        (self.secret, request.resource).hash(&mut hasher);
        let id = format!("t{:08x}", hasher.finish() & 0xffff_ffff);
        let mut phone = Tuple::closed(id).with_contact(entity);
        if request.is_signed {
            // It keeps the time that it bears: another would tell that something else has changed.
            state.offline_since = state.offline_since.or(self.stamps.at(request.now));
            // A year that no document can carry leaves it without.
            let _ = phone.set_timestamp(state.offline_since);
        }
        Presence::new(entity).with_tuple(phone)
    }
}

impl<P: Policy, B> PresencePackage<P, B> {
    /// Everything that is known of a presentity, as one document; nothing when there is nothing.
    /// Its entity is of no account.
    pub(super) fn whole<'p>(
        &self,
        now: Timestamp,
        version: u64,
        state: &'p mut PresenceState,
        publications: &[(u64, &'p Published)],
    ) -> Option<Cow<'p, Presence>> {
        let PresenceState {
            lasting,
            lasting_since,
            sources,
            renamed,
            composed,
            composed_until,
            stamped,
            ..
        } = state;
        let is_alone = publications.is_empty() && sources.is_empty();
        if is_alone && lasting.is_none() {
            *renamed = Renamed::default();
            *composed = None;
            *composed_until = None;
            *stamped = None;
            return None;
        }
        let is_over = composed_until.is_some_and(|until| until <= now);
        if !is_over && composed.as_ref().is_some_and(|it| it.0 == version) {
            return composed.as_ref().map(|it| Cow::Borrowed(&it.1));
        }
        *composed = None;
        *composed_until = None;
        if let Some(signed) = self.unmodified(publications) {
            return Some(Cow::Borrowed(&signed.document));
        }
        let show_lasting = is_alone || self.lasting == LastingState::Always;
        let lasting = lasting.as_ref().filter(|_| show_lasting);
        let lasting = lasting.map(|document| PartRef {
            source: Source::Lasting,
            serial: LASTING,
            document,
            since: *lasting_since,
        });
        let own = [
            Source::Application,
            Source::Registration,
            Source::Subscription,
        ];
        let show_registered = publications.is_empty() || self.registered == RegisteredState::Always;
        let shown = |source: &Source| show_registered || *source != Source::Registration;
        let own = own
            .into_iter()
            .filter(shown)
            .flat_map(|source| sources.of(source));
        let own = own.map(|part| PartRef {
            source: part.source,
            serial: part.serial,
            document: &part.document,
            since: part.since,
        });
        let published = publications.iter().map(|(serial, publication)| PartRef {
            source: Source::Publication,
            serial: *serial,
            document: &publication.document,
            since: publication.since,
        });
        let parts: Vec<PartRef<'p>> = lasting.into_iter().chain(own).chain(published).collect();
        let Some(composition) = &self.composition else {
            return Some(match unite(&parts, renamed) {
                Cow::Borrowed(only) => Cow::Borrowed(only),
                Cow::Owned(united) => {
                    Cow::Borrowed(&composed.insert(Box::new((version, united))).1)
                }
            });
        };
        if let [only] = &*parts
            && composition.keeps_single()
            && renamed.is_empty()
        {
            return Some(Cow::Borrowed(only.document));
        }
        let moment = Moment::new(now, self.stamps.utc(now));
        let mut done = composition.compose(keep_apart(&parts, renamed), &moment);
        done.document.repair();
        *composed_until = done.holds_for.map(|time| now + time.max(BRIEFEST));
        Some(Cow::Borrowed(
            &composed.insert(Box::new((version, done.document))).1,
        ))
    }

    /// The signed publication that is the document, where those are passed on.
    fn unmodified<'p>(&self, publications: &[(u64, &'p Published)]) -> Option<&'p Published> {
        if self.signed_publications == SignedPublications::Compose {
            return None;
        }
        let signed = publications.iter().map(|(_, publication)| *publication);
        let signed = signed.filter(|publication| publication.as_signed.is_some());
        signed.max_by_key(|publication| publication.since)
    }

    fn view(
        &self,
        request: &RenderRequest<'_>,
        view: &View,
        state: &mut PresenceState,
        publications: &[(u64, &Published)],
    ) -> Option<Bytes> {
        let Some(mut document) = self.whole(request.now, request.version, state, publications)
        else {
            return written(self.nothing_known(request.entity)?);
        };
        if request.is_signed {
            let whole = document.into_owned();
            let before = state.stamped.take();
            let stamped = self.stamps.stamp(request.now, before.as_deref(), whole);
            document = Cow::Borrowed(state.stamped.insert(Box::new(stamped)).document());
        }
        if view.name().is_some() {
            if self.unmodified(publications).is_some() {
                return written(self.nothing_known(request.entity)?);
            }
            let document = document.to_mut();
            request.entity.clone_into(&mut document.entity);
            self.policy.apply_view(view, request.resource, document);
        }
        document.write_for(request.entity).ok().or_else(|| {
            // What a view has made of it.
            let mut document = document.into_owned();
            document.repair();
            document.write_for(request.entity).ok()
        })
    }
}

impl<P: Policy, B: SubscribeBodies> PresencePackage<P, B> {
    /// Whether what is asked of a contact of a presentity would be asked here again: it is the presentity's
    /// own address, or, where the domains are known, one of another presentity of ours, whose contact may
    /// be the first one.
    pub(super) fn leads_back(&self, contact: &Uri<'_>, presentity: &str) -> bool {
        let name = self.resource(contact);
        name.is_ok_and(|name| name == presentity || !self.domains.is_empty())
    }
}

impl<P: Policy, B: SubscribeBodies> Package for PresencePackage<P, B> {
    type State = PresenceState;
    type Publication = Published;

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
        match uri {
            Uri::Sip(_) | Uri::Pres(_) => {}
            Uri::Tel(_) if self.telephone_numbers => {}
            _ => return Err(Unserved::Scheme),
        }
        let name = uri.address_of_record().ok_or(Unserved::NotHere)?;
        let name = self.policy.alias(&name).unwrap_or(name);
        let is_number = matches!(uri, Uri::Tel(_));
        if is_number || self.serves(&name) {
            Ok(name)
        } else {
            Err(Unserved::NotHere)
        }
    }

    fn authorize_subscription(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        self.policy.subscribe(query)
    }

    fn authorize_publication(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        self.policy.publish(query)
    }

    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        self.policy.protection(query)
    }

    fn read_publication(
        &mut self,
        body: &PublishedBody<'_>,
        before: Option<&Published>,
    ) -> Result<Published, Unreadable> {
        if body.media_type.essence_eq(partial::MEDIA_TYPE) {
            let before = before.and_then(|publication| publication.written.as_ref());
            let patched = partial_publication::read(body, before)?;
            return Ok(Published {
                document: patched.document,
                since: body.now,
                // What was signed is not a document.
                as_signed: None,
                written: Some(patched.written),
            });
        }
        let options = ReadOptions {
            charset: body.media_type.param("charset").map(Cow::into_owned),
            ..ReadOptions::default()
        };
        let as_signed = body.as_signed;
        Ok(Published {
            document: read_published(body.octets, &options)?,
            since: body.now,
            as_signed: as_signed.map(|(name, octets)| Box::new((name.to_owned(), octets.clone()))),
            written: None,
        })
    }

    fn take_over(&self, kept: &mut Published, repeated: Published) {
        kept.written = repeated.written;
    }

    fn octets(&self, publication: &Published, body: &Bytes) -> usize {
        let written = publication.written.as_ref().map_or(0, Bytes::len);
        let publication = &publication.document;
        // What a character takes when it is escaped, and a language when it goes to every part
        // because there are other publications.
        let alone = publication.write();
        let among_others = publication.language().map(|_| {
            let mut publication = publication.clone();
            publication.hand_down_language();
            publication.write()
        });
        let shown = [Some(alone), among_others].into_iter().flatten().flatten();
        let octets = shown.map(|shown| shown.len());
        // Its own writing is of no greater use, but takes as much room.
        octets.max().unwrap_or(body.len()).max(written)
    }

    fn render(
        &mut self,
        request: &RenderRequest<'_>,
        state: &mut PresenceState,
        publications: &[(u64, &Published)],
    ) -> Option<Bytes> {
        let document = match request.visibility {
            Visibility::View(view) => {
                let body = self.view(request, view, state, publications);
                self.wake_for(request.resource, request.now, state.composed_until);
                return body;
            }
            Visibility::PoliteBlock => match self.blocked {
                BlockedDocument::Offline => self.offline(request, state),
                BlockedDocument::Unknown => self.nothing_known(request.entity)?,
            },
            Visibility::Pending => match &self.pending {
                PendingDocument::Note(note) => {
                    Presence::new(request.entity).with_note(note.clone())
                }
                PendingDocument::Offline => self.offline(request, state),
                PendingDocument::Nothing => return None,
            },
        };
        written(document)
    }

    fn as_published(
        &mut self,
        request: &RenderRequest<'_>,
        state: &mut PresenceState,
        publications: &[(u64, &Published)],
    ) -> Option<(String, Bytes)> {
        let Visibility::View(view) = request.visibility else {
            return None;
        };
        if view.name().is_some() {
            return None;
        }
        if let Some(signed) = self.unmodified(publications) {
            return signed.as_signed.as_deref().cloned();
        }
        let is_alone = state.sources.is_empty()
            && (state.lasting.is_none() || self.lasting == LastingState::WhenAlone);
        match publications {
            [(_, only)] if is_alone => only.as_signed.as_deref().cloned(),
            _ => None,
        }
    }

    fn full(&mut self, document: &Bytes) -> Option<Numbered> {
        narrowed::full(document)
    }

    fn difference(&mut self, before: &Bytes, after: &Bytes) -> Option<Numbered> {
        self.trees.difference(before, after)
    }

    fn filter_types(&self) -> &[&'static str] {
        match self.filters {
            Some(_) => &[filter::MEDIA_TYPE],
            None => &[],
        }
    }

    fn read_filter(&mut self, query: &FilterQuery<'_>) -> Result<Option<Filter>, BadFilter> {
        let Some(limits) = &self.filters else {
            return Ok(None);
        };
        let is_it = |uri: &str| {
            let name = Uri::parse(uri).ok().map(|uri| self.resource(&uri));
            name.is_some_and(|name| name.as_deref() == Ok(query.resource))
        };
        narrowed::read_filter(query, limits, is_it, |domain| self.serves(domain))
    }

    fn narrow(&mut self, narrowing: &Narrowing, document: &Bytes) -> Option<Bytes> {
        self.trees.narrow(narrowing, document)
    }

    fn fires(&mut self, narrowing: &Narrowing, before: &Bytes, after: &Bytes) -> bool {
        self.trees.fires(narrowing, before, after)
    }

    fn bodies(&self) -> &dyn SubscribeBodies {
        &self.bodies
    }

    fn bodies_mut(&mut self) -> Option<&mut dyn SubscribeBodies> {
        Some(&mut self.bodies)
    }

    fn is_to_be_judged(&self, subscription: SubscriptionKey) -> bool {
        self.unjudged.contains(&subscription)
    }

    fn judge(&mut self, query: &SubscribeQuery<'_>) -> Option<Decision> {
        if let Some(key) = query.subscription() {
            self.unjudged.remove(&key);
        }
        self.policy.review(query)
    }

    fn is_lasting(&self, state: &PresenceState) -> bool {
        state.lasting.is_some() || !state.sources.is_empty()
    }
}

/// Whatever can be read is passed on; what no document may have is put right.
pub(super) fn read_published(octets: &[u8], options: &ReadOptions) -> Result<Presence, Unreadable> {
    let read = Presence::read_with(octets, options);
    let (mut document, _) = read.map_err(|error| Unreadable::new(error.to_string()))?;
    document.repair();
    fit(&mut document);
    Ok(document)
}

/// The host's note may have what no document can.
fn written(mut document: Presence) -> Option<Bytes> {
    document.write().ok().or_else(|| {
        document.repair();
        document.write().ok()
    })
}

/// Lets lists that were made by appending take no more room than they need: a tuple is large, and
/// there are many documents.
pub(super) fn fit(document: &mut Presence) {
    document.tuples.shrink_to_fit();
    document.notes.shrink_to_fit();
    document.persons.shrink_to_fit();
    document.devices.shrink_to_fit();
    document.extensions.shrink_to_fit();
    for tuple in &mut document.tuples {
        tuple.notes.shrink_to_fit();
        tuple.extensions.shrink_to_fit();
        tuple.status.extensions.shrink_to_fit();
    }
    for person in &mut document.persons {
        person.notes.shrink_to_fit();
        person.extensions.shrink_to_fit();
    }
    for device in &mut document.devices {
        device.notes.shrink_to_fit();
        device.extensions.shrink_to_fit();
    }
}
