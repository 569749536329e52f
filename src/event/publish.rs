//! PUBLISH: the publication server of RFC 3903.

use core::time::Duration;
use std::sync::Arc;

use super::authorization::{PublishDecision, PublishKind, PublishQuery};
use super::config::ReplacePublications;
use super::dialog::Basics;
use super::identity::RequestContext;
use super::opening::worth;
use super::output::{Job, JobKey, JobOutcome, Output, PublicationKey, ServerEvent};
use super::package::{Package, PublishedBody};
use super::refusal::{Refusal, RefusalReason};
use super::resource::{EntityTag, Publication, Resource, by_resource};
use super::server::{Server, Timer};
use super::subscribe::refuse_extensions;
use super::waiting::Waited;
use crate::engine::slab::{Key, Links};
use crate::engine::{FlowId, ServerTransaction};
use crate::sip::{HeaderName, RequestRef, Response, Tag, parse_delta_seconds, parse_entity_tag};

/// A publication that may come to be: checked, not yet in force.
#[derive(Debug)]
struct Change<P: Package> {
    kind: PublishKind,
    condition: Option<EntityTag>,
    /// It was asked for less time than is given.
    brief: bool,
    /// Seconds granted.
    expires: u32,
    content: Option<P::Publication>,
    octets: usize,
    publisher: Option<Arc<str>>,
    flow: Option<FlowId>,
}

/// A publication whose answer waits for the application.
#[derive(Debug)]
pub(super) struct PendingJob<P: Package> {
    transaction: ServerTransaction,
    response_tag: Tag,
    resource: Key,
    change: Change<P>,
}

impl<P: Package> Server<P> {
    pub(super) fn publish(
        &mut self,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
        waited: &Waited<'_>,
    ) -> Result<(), Refusal> {
        let basics = Basics::read(request)?;
        if basics.to.tag().is_some() {
            // PUBLISH knows no dialogs.
            return Err(Refusal::new(481, RefusalReason::UnknownDialog));
        }
        let (_, name) = self.resource_of(request)?;
        if name.len() > self.config.limits.name {
            return Err(Refusal::new(513, RefusalReason::TooLarge));
        }
        if waited.since.is_none() {
            self.refuse_merged(&basics, request.method())?;
        }
        if self.package.profile().publication_types.is_empty() {
            return Err(
                Refusal::new(405, RefusalReason::Method).with(HeaderName::Allow, self.allow())
            );
        }
        refuse_extensions(request)?;
        self.read_event(request)?;
        let mut change = self.read_change(request, context)?;
        if self.is_to_be_opened(request, waited)? {
            // The policy is told who has signed.
            return self.open_body(transaction, request, context);
        }
        let query = PublishQuery {
            identity: context.identity,
            resource: &name,
            kind: change.kind,
            signature: worth(waited.signers(), context.identity),
            signers: waited.signers(),
            is_encrypted: waited.is_encrypted(),
            covers_header: waited.covers_header(),
        };
        let decision = self.package.authorize_publication(&query);
        match decision {
            PublishDecision::Allow | PublishDecision::Defer => {}
            PublishDecision::Forbid => return Err(Refusal::new(403, RefusalReason::Forbidden)),
            PublishDecision::Challenge => {
                return Err(Refusal::new(401, RefusalReason::Challenged));
            }
        }
        // Only now is anything told about what exists, or read of the body.
        let found = self.find_publication(&name, change.condition)?;
        if change.brief {
            let minimum = self.config.publish_min_expires;
            return Err(Refusal::new(423, RefusalReason::TooBrief)
                .with(HeaderName::MinExpires, minimum.to_string()));
        }
        if let PublishKind::Initial | PublishKind::Modify = change.kind {
            let content = self.read_content(request, waited, found)?;
            change.octets = self.package.octets(&content, request.body());
            change.content = Some(content);
        }
        let tag = Tag::random(&mut *self.entropy);
        if decision == PublishDecision::Defer {
            return self.defer(transaction, tag, &name, change, request, waited);
        }
        let committed = self.commit(&name, change)?;
        self.answer(committed, transaction, tag);
        Ok(())
    }

    /// What steps 3 to 5 of RFC 3903 section 6 look at, as far as the form goes.
    fn read_change(
        &self,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<Change<P>, Refusal> {
        let condition = match request.single(HeaderName::SipIfMatch)? {
            Some(text) => {
                let tag = parse_entity_tag(HeaderName::SipIfMatch, text)?;
                // A tag that cannot be ours matches nothing.
                Some(EntityTag::parse(tag).unwrap_or(EntityTag {
                    random: 0,
                    count: 0,
                }))
            }
            None => None,
        };
        let asked = match request.single(HeaderName::Expires)? {
            Some(text) => Some(parse_delta_seconds(HeaderName::Expires, text)?),
            None => None,
        };
        let minimum = self.config.publish_min_expires;
        let brief = asked.is_some_and(|asked| 0 < asked && asked < minimum);
        let asked = asked.unwrap_or(self.config.publish_default_expires);
        let kind = match (condition, request.body().is_empty(), asked) {
            (None, true, _) => return Err(Refusal::malformed()),
            (None, false, _) => PublishKind::Initial,
            (Some(_), _, 0) => PublishKind::Remove,
            (Some(_), true, _) => PublishKind::Refresh,
            (Some(_), false, _) => PublishKind::Modify,
        };
        Ok(Change {
            kind,
            condition,
            brief,
            expires: asked.min(self.config.publish_max_expires.max(1)),
            content: None,
            octets: 0,
            publisher: context.identity.primary().map(Arc::from),
            flow: context.flow,
        })
    }

    fn read_content(
        &mut self,
        request: &RequestRef<'_>,
        waited: &Waited<'_>,
        found: Option<Key>,
    ) -> Result<P::Publication, Refusal> {
        if request.body().len() > self.config.limits.body {
            return Err(Refusal::new(413, RefusalReason::TooLarge));
        }
        let content_type = self.body_type(request, self.package.profile().publication_types)?;
        let body = PublishedBody {
            media_type: &content_type,
            octets: request.body(),
            now: self.now,
            as_signed: waited.as_signed(),
        };
        let before = found.and_then(|key| self.publications.get(key));
        let before = before.map(|publication| &publication.content);
        self.package.read_publication(&body, before).map_err(|why| {
            super::trace::unreadable(&why);
            Refusal::unreadable(why)
        })
    }

    fn find_publication(
        &self,
        resource: &str,
        condition: Option<EntityTag>,
    ) -> Result<Option<Key>, Refusal> {
        let Some(tag) = condition else {
            return Ok(None);
        };
        let is_it = |index| {
            self.publications.at(index).is_some_and(|publication| {
                publication.tag == tag
                    && self.now < publication.expires_at
                    && self
                        .resources
                        .get(publication.resource)
                        .is_some_and(|own| &*own.name == resource)
            })
        };
        let found = self.entity_tags.find(tag.random, is_it);
        match found.and_then(|index| self.publications.key_at(index)) {
            Some(key) => Ok(Some(key)),
            None => Err(Refusal::new(412, RefusalReason::UnknownEntityTag)),
        }
    }

    /// Puts a change in force, whole or not at all.
    fn commit(&mut self, name: &str, change: Change<P>) -> Result<Committed, Refusal> {
        let Some(key) = self.find_publication(name, change.condition)? else {
            return self.create(name, change);
        };
        let Some(publication) = self.publications.get(key) else {
            return Err(Refusal::new(412, RefusalReason::UnknownEntityTag));
        };
        let resource = publication.resource;
        if change.kind == PublishKind::Modify {
            self.refuse_bulk(name, publication.octets, change.octets)?;
        }
        let tag = self.new_entity_tag();
        if change.kind == PublishKind::Remove {
            let event = self.published(key, resource, PublishKind::Remove);
            self.remove_publication(key);
            return Ok(Committed {
                tag,
                expires: 0,
                events: event.into_iter().collect(),
            });
        }
        let expires_at = self.now + Duration::from_secs(change.expires.into());
        let timer = self.wheel.arm(expires_at, Timer::Publication(key));
        let mut differs = false;
        if let Some(publication) = self.publications.get_mut(key) {
            self.entity_tags.remove(publication.tag.random, key.index);
            if let Some(earlier) = publication.timer.replace(timer) {
                self.wheel.cancel(earlier);
            }
            publication.tag = tag;
            publication.expires_at = expires_at;
            publication.publisher = change.publisher;
            publication.flow = change.flow;
            if let Some(content) = change.content {
                // A repeated document is no change of state.
                differs = publication.content != content;
                let before = publication.octets;
                if differs {
                    publication.content = content;
                    publication.octets = change.octets;
                } else {
                    // It stays as it was written first, prefixes and all.
                    self.package.take_over(&mut publication.content, content);
                    publication.octets = before.max(change.octets);
                }
                if let Some(resource) = self.resources.get_mut(resource) {
                    resource.published = resource.published - before + publication.octets;
                }
            }
        }
        self.entity_tags.insert(tag.random, key.index);
        if differs {
            self.touch(resource);
        }
        let event = self.published(key, resource, change.kind);
        Ok(Committed {
            tag,
            expires: change.expires,
            events: event.into_iter().collect(),
        })
    }

    fn create(&mut self, name: &str, change: Change<P>) -> Result<Committed, Refusal> {
        let superseded = self.superseded(name, &change);
        let limits = &self.config.limits;
        let existing = self
            .resources
            .find(name)
            .and_then(|key| self.resources.get(key));
        let of_resource = existing.map_or(0, |resource| resource.publications.len());
        if self.publications.len() - superseded.len() >= limits.publications
            || of_resource - superseded.len() >= limits.publications_per_resource
        {
            return Err(self.no_room());
        }
        let given_up = superseded
            .iter()
            .filter_map(|key| self.publications.get(*key));
        let given_up = given_up.map(|publication| publication.octets).sum();
        self.refuse_bulk(name, given_up, change.octets)?;
        let tag = self.new_entity_tag();
        let expires = change.expires;
        let mut events = Vec::new();
        if let (Some(content), 1..) = (change.content, expires) {
            let resource = self.resources.find_or_insert(name, || Resource::new(name));
            let expires_at = self.now + Duration::from_secs(expires.into());
            let key = self.insert_publication(resource, |serial| Publication {
                resource,
                by_resource: Links::default(),
                serial,
                tag,
                expires_at,
                octets: change.octets,
                timer: None,
                publisher: change.publisher,
                flow: change.flow,
                content,
            });
            self.touch(resource);
            events.extend(self.published(key, resource, PublishKind::Initial));
        } else {
            // Published and removed in one: nothing comes of it but its answer.
            self.counters.publications_taken += 1;
        }
        for key in superseded {
            if let Some(resource) = self.resource_name(key) {
                let key = PublicationKey(key);
                events.push(ServerEvent::PublicationReplaced { key, resource });
            }
            self.remove_publication(key);
        }
        Ok(Committed {
            tag,
            expires,
            events,
        })
    }

    /// The publications that an initial one ends.
    fn superseded(&self, name: &str, change: &Change<P>) -> Vec<Key> {
        let mut keys = Vec::new();
        match self.config.replace_publications {
            ReplacePublications::Never => return keys,
            ReplacePublications::SameFlow => {}
        }
        if change.publisher.is_none() || change.flow.is_none() {
            return keys;
        }
        let resource = self.resources.find(name);
        let resource = resource.and_then(|key| self.resources.get(key));
        let mut next = resource.and_then(|resource| resource.publications.first());
        while let Some(index) = next {
            let Some(publication) = self.publications.at(index) else {
                break;
            };
            next = publication.by_resource.next();
            if publication.publisher == change.publisher && publication.flow == change.flow {
                keys.extend(self.publications.key_at(index));
            }
        }
        keys
    }

    /// The publications of a resource become one document, which must not grow beyond all measure.
    fn refuse_bulk(&self, name: &str, less: usize, more: usize) -> Result<(), Refusal> {
        let resource = self.resources.find(name);
        let resource = resource.and_then(|key| self.resources.get(key));
        let octets = resource.map_or(0, |resource| resource.published) - less + more;
        if octets > self.config.limits.published {
            return Err(Refusal::new(413, RefusalReason::TooLarge));
        }
        Ok(())
    }

    fn resource_name(&self, key: Key) -> Option<Arc<str>> {
        let publication = self.publications.get(key)?;
        let resource = self.resources.get(publication.resource)?;
        Some(Arc::clone(&resource.name))
    }

    fn insert_publication(
        &mut self,
        resource_key: Key,
        make: impl FnOnce(u64) -> Publication<P>,
    ) -> Key {
        let serial = self.resources.get_mut(resource_key).map_or(0, |resource| {
            resource.next_serial += 1;
            resource.next_serial
        });
        let publication = make(serial);
        let (expires_at, tag) = (publication.expires_at, publication.tag);
        let octets = publication.octets;
        let key = self.publications.insert(publication);
        let timer = self.wheel.arm(expires_at, Timer::Publication(key));
        if let Some(publication) = self.publications.get_mut(key) {
            publication.timer = Some(timer);
        }
        if let Some(resource) = self.resources.get_mut(resource_key) {
            resource.published += octets;
            resource
                .publications
                .push_back(&mut self.publications, key.index, by_resource);
        }
        self.entity_tags.insert(tag.random, key.index);
        key
    }

    fn new_entity_tag(&mut self) -> EntityTag {
        let mut random = [0; 8];
        self.entropy.fill(&mut random);
        self.next_entity_tag += 1;
        EntityTag {
            random: u64::from_le_bytes(random),
            count: self.next_entity_tag,
        }
    }

    /// What every change of a publication has in common.
    fn published(&mut self, key: Key, resource_key: Key, kind: PublishKind) -> Option<ServerEvent> {
        self.counters.publications_taken += 1;
        let resource = Arc::clone(&self.resources.get(resource_key)?.name);
        Some(ServerEvent::Published {
            key: PublicationKey(key),
            resource,
            kind,
        })
    }

    fn answer(&mut self, committed: Committed, transaction: ServerTransaction, tag: Tag) {
        let response = Response::new(transaction, 200, Some(tag))
            .with(HeaderName::Expires, &committed.expires.to_string())
            .with(HeaderName::SipEtag, &committed.tag.to_string());
        self.lanes.output(Output::Respond(response));
        for event in committed.events {
            self.event(event);
        }
    }

    /// The end of a publication on every path; its state is gone at once.
    fn remove_publication(&mut self, key: Key) {
        let Some(publication) = self.publications.get(key) else {
            return;
        };
        let (resource_key, timer, tag) = (publication.resource, publication.timer, publication.tag);
        let octets = publication.octets;
        if let Some(timer) = timer {
            self.wheel.cancel(timer);
        }
        self.entity_tags.remove(tag.random, key.index);
        if let Some(resource) = self.resources.get_mut(resource_key) {
            resource.published -= octets;
            resource
                .publications
                .unlink(&mut self.publications, key.index, by_resource);
        }
        self.publications.remove(key);
        self.touch(resource_key);
        self.drop_if_unused(resource_key);
    }

    pub(super) fn expire_publication(&mut self, key: Key) {
        if let Some(resource) = self.resource_name(key) {
            let key = PublicationKey(key);
            self.event(ServerEvent::PublicationExpired { key, resource });
        }
        self.remove_publication(key);
    }

    // ---- deferred publications ------------------------------------------------------------

    fn defer(
        &mut self,
        transaction: ServerTransaction,
        response_tag: Tag,
        name: &str,
        change: Change<P>,
        request: &RequestRef<'_>,
        waited: &Waited<'_>,
    ) -> Result<(), Refusal> {
        if !self.jobs.has_room() {
            return Err(self.no_room());
        }
        let resource_key = self.resources.find_or_insert(name, || Resource::new(name));
        let Some(resource) = self.resources.get_mut(resource_key) else {
            return Ok(());
        };
        resource.jobs += 1;
        let name = Arc::clone(&resource.name);
        let deadline = self.deadline(waited);
        let (kind, expires) = (change.kind, change.expires);
        let publisher = change.publisher.clone();
        let (media_type, body) = match kind {
            PublishKind::Initial | PublishKind::Modify => {
                let media_type = request.first(HeaderName::ContentType);
                let media_type = media_type.unwrap_or_default().to_owned();
                (media_type, request.body().clone())
            }
            PublishKind::Refresh | PublishKind::Remove => (String::new(), bytes::Bytes::new()),
        };
        let pending = PendingJob {
            transaction,
            response_tag,
            resource: resource_key,
            change,
        };
        let wheel = &mut self.wheel;
        let key = self
            .jobs
            .begin(pending, |key| wheel.arm(deadline, Timer::Job(key)));
        let job = Job {
            key: JobKey(key),
            resource: name,
            kind,
            publisher,
            expires,
            media_type,
            body,
            deadline,
        };
        self.lanes.output(Output::Job(job));
        Ok(())
    }

    pub(super) fn finish_job(&mut self, key: Key, success: bool) -> JobOutcome {
        let Some((job, timer)) = self.jobs.finish(key) else {
            return JobOutcome::Over;
        };
        if let Some(timer) = timer {
            self.wheel.cancel(timer);
        }
        let Some(resource) = self.resources.get_mut(job.resource) else {
            return JobOutcome::Over;
        };
        resource.jobs -= 1;
        let name = Arc::clone(&resource.name);
        let committed = if success {
            // The entity-tag is looked up again: the publication may be another one by now.
            self.commit(&name, job.change)
        } else {
            Err(Refusal::new(504, RefusalReason::JobFailed))
        };
        let outcome = match committed {
            Ok(committed) => {
                self.answer(committed, job.transaction, job.response_tag);
                JobOutcome::Done
            }
            Err(refusal) => {
                self.counters.count_refusal(refusal.reason);
                let status = refusal.status;
                let response = Response::new(job.transaction, status, Some(job.response_tag));
                self.lanes.output(Output::Respond(refusal.fill(response)));
                JobOutcome::Refused(status)
            }
        };
        self.drop_if_unused(job.resource);
        outcome
    }
}

/// What the answer to a PUBLISH tells, and what is told behind it.
#[derive(Debug)]
struct Committed {
    tag: EntityTag,
    expires: u32,
    events: Vec<ServerEvent>,
}
