//! The document of those watchers that see the same: rendered once for each state.

use core::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;

use super::authorization::Decision;
use super::lifecycle::visibility;
use super::narrowing::Narrowing;
use super::package::{Package, RenderRequest};
use super::protection::Protection;
use super::resource::contents;
use super::server::Server;
use super::subscription::Variant;
use crate::engine::slab::Key;
use crate::sip::Content;

/// What a NOTIFY tells.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) content: Arc<Content>,
    /// 0 is no document.
    pub(super) fingerprint: u64,
    /// It is shown to those who wait for a decision.
    pub(super) pending: bool,
    /// It is signed with the NOTIFY that it is in.
    pub(super) is_signed_within: bool,
    /// It leaves as what has changed since the last one.
    pub(super) is_partial: bool,
    /// Not each change of it is told.
    pub(super) has_triggers: bool,
}

impl<P: Package> Server<P> {
    /// What a NOTIFY tells that tells nothing.
    pub(super) fn no_document(&self, variant: Key) -> Document {
        let variant = self.variants.get(variant);
        Document {
            content: Arc::clone(&self.no_content),
            fingerprint: 0,
            pending: variant.is_some_and(|it| it.name.decision == Decision::Pending),
            is_signed_within: variant
                .is_some_and(|it| it.name.protection == Protection::SignedMessage),
            is_partial: false,
            has_triggers: false,
        }
    }

    /// The current document of a variant. One that is protected is ready.
    pub(super) fn document(&mut self, key: Key) -> Option<Document> {
        let variant = self.variants.get(key)?;
        let version = self.resources.get(variant.name.resource)?.version;
        if variant.rendered == version || variant.sealing.is_some() {
            return Some(self.as_made(variant));
        }
        let content = match self.as_published(key) {
            Some((content_type, body)) => {
                let fields = self.fields_with_tag(self.variants.get(key)?.fingerprint);
                Some(Arc::new(Content::new(&fields, Some(&content_type), body)))
            }
            None => {
                let (media_type, body) = self.render(key)?;
                let fields = self.fields_with_tag(self.variants.get(key)?.fingerprint);
                let content = match body {
                    Some(body) => Some(Content::new(&fields, Some(media_type), body)),
                    // That there is nothing is a state, too.
                    None if fields.len() > self.added_fields.len() => {
                        Some(Content::new(&fields, None, Bytes::new()))
                    }
                    None => None,
                };
                content.map(Arc::new)
            }
        };
        self.variants.get_mut(key)?.content = content;
        Some(self.as_made(self.variants.get(key)?))
    }

    fn as_made(&self, variant: &Variant) -> Document {
        let is_derived = variant.source.is_some();
        Document {
            content: Arc::clone(variant.content.as_ref().unwrap_or(&self.no_content)),
            fingerprint: variant.fingerprint,
            pending: variant.name.decision == Decision::Pending,
            is_signed_within: variant.name.protection == Protection::SignedMessage,
            is_partial: is_derived && self.is_partial_type(variant.name.media_type),
            has_triggers: is_derived && variant.has_triggers(),
        }
    }

    /// The document of a variant inside its publisher's signature, where it is to be shown so.
    fn as_published(&mut self, key: Key) -> Option<(String, Bytes)> {
        let variant = self.variants.get_mut(key)?;
        let is_part = variant.name.narrowing.is_some();
        if variant.name.protection != Protection::AsPublished || is_part {
            return None;
        }
        let resource = self.resources.get_mut(variant.name.resource)?;
        let place = usize::from(variant.name.media_type);
        let publications = contents(&self.publications, resource.publications.first());
        let request = RenderRequest {
            resource: &resource.name,
            entity: &variant.name.entity,
            visibility: &visibility(&variant.name.decision),
            media_type: self.package.profile().media_types.get(place).copied()?,
            version: resource.version,
            now: self.now,
            is_signed: false,
        };
        let published = self
            .package
            .as_published(&request, &mut resource.state, &publications)?;
        variant.fingerprint = self.fingerprints.hash_one(&published).max(1);
        variant.rendered = resource.version;
        Some(published)
    }

    /// Makes the document of a variant for the state of now, and its fingerprint: its type, and its
    /// octets if there are any.
    pub(super) fn render(&mut self, key: Key) -> Option<(&'static str, Option<Bytes>)> {
        let variant = self.variants.get(key)?;
        if variant.source.is_some() && variant.name.protection == Protection::None {
            return self.derive(key);
        }
        let variant = self.variants.get_mut(key)?;
        let resource = self.resources.get_mut(variant.name.resource)?;
        let place = usize::from(variant.name.media_type);
        let media_type = self.package.profile().media_types.get(place).copied()?;
        let publications = contents(&self.publications, resource.publications.first());
        let request = RenderRequest {
            resource: &resource.name,
            entity: &variant.name.entity,
            visibility: &visibility(&variant.name.decision),
            media_type,
            version: resource.version,
            now: self.now,
            is_signed: variant.name.protection.is_signed(),
        };
        let mut body = self
            .package
            .render(&request, &mut resource.state, &publications);
        let narrowing = variant.name.narrowing.as_ref();
        if let Some(narrowing) = narrowing.and_then(Narrowing::content) {
            body = body.and_then(|body| self.package.narrow(narrowing, &body));
            self.evaluations = self.evaluations.saturating_add(1);
        }
        variant.fingerprint = self.fingerprints.hash_one(&body).max(1);
        variant.rendered = resource.version;
        Some((media_type, body.filter(|body| !body.is_empty())))
    }

    /// The same of a variant that is made of another one: all of it, or a part.
    fn derive(&mut self, key: Key) -> Option<(&'static str, Option<Bytes>)> {
        let source_key = self.variants.get(key)?.source?;
        let source = self.document(source_key)?;
        let source_media_type = self.variants.get(source_key)?.name.media_type;
        let place = usize::from(source_media_type);
        let media_type = self.package.profile().media_types.get(place).copied()?;
        let mut body = Some(source.content.body().clone()).filter(|body| !body.is_empty());
        let is_partial = self.is_partial_type(self.variants.get(key)?.name.media_type);
        let variant = self.variants.get_mut(key)?;
        variant.rendered = self.resources.get(variant.name.resource)?.version;
        variant.fingerprint = source.fingerprint;
        // Of what is told of some changes only the source is that part already.
        let is_part = !is_partial && !variant.has_triggers();
        if let Some(narrowing) = variant.name.narrowing.as_ref().filter(|_| is_part) {
            body = body.and_then(|body| self.package.narrow(narrowing, &body));
            self.evaluations = self.evaluations.saturating_add(1);
            variant.fingerprint = self.fingerprints.hash_one(&body).max(1);
        }
        Some((media_type, body))
    }
}
