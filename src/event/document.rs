//! The document of those watchers that see the same: rendered once for each state.

use core::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;

use super::authorization::Decision;
use super::lifecycle::visibility;
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
                let content = Content::new(&self.added_fields, Some(&content_type), body);
                Some(Arc::new(content))
            }
            None => {
                let (media_type, body) = self.render(key)?;
                let content = |body| Content::new(&self.added_fields, Some(media_type), body);
                body.map(|body| Arc::new(content(body)))
            }
        };
        self.variants.get_mut(key)?.content = content;
        Some(self.as_made(self.variants.get(key)?))
    }

    fn as_made(&self, variant: &Variant) -> Document {
        Document {
            content: Arc::clone(variant.content.as_ref().unwrap_or(&self.no_content)),
            fingerprint: variant.fingerprint,
            pending: variant.name.decision == Decision::Pending,
            is_signed_within: variant.name.protection == Protection::SignedMessage,
        }
    }

    /// The document of a variant inside its publisher's signature, where it is to be shown so.
    fn as_published(&mut self, key: Key) -> Option<(String, Bytes)> {
        let variant = self.variants.get_mut(key)?;
        if variant.name.protection != Protection::AsPublished {
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
        let body = self
            .package
            .render(&request, &mut resource.state, &publications);
        variant.fingerprint = self.fingerprints.hash_one(&body).max(1);
        variant.rendered = resource.version;
        Some((media_type, body.filter(|body| !body.is_empty())))
    }
}
