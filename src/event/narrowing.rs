//! What a watcher wants to see of documents, and when: filters of event notifications (RFC 4660).

use core::any::Any;
use core::fmt;
use core::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;

use super::body::{Brought, warned};
use super::package::Package;
use super::refusal::{Refusal, RefusalReason};
use super::server::Server;
use crate::sip::{HeaderName, MediaType, RequestRef};

/// What of a document a watcher wants to see, and when, as a package has read it.
///
/// Two of one name mean the same: their watchers share documents.
#[derive(Clone)]
pub struct Narrowing(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    name: Arc<str>,
    meaning: Arc<dyn Any + Send + Sync>,
    has_triggers: bool,
    /// What of the document, where that is not all of it and there is more to the narrowing.
    content: Option<Narrowing>,
}

impl Narrowing {
    /// A narrowing to a part of the document, by a name that tells what it means.
    pub fn new(name: impl Into<Arc<str>>, meaning: impl Any + Send + Sync) -> Self {
        Self(Arc::new(Inner {
            name: name.into(),
            meaning: Arc::new(meaning),
            has_triggers: false,
            content: None,
        }))
    }

    /// The same, for changes alone that [`Package::fires`] tells. `content` is what it shows then;
    /// nothing where that is the whole document.
    #[must_use]
    pub fn with_triggers(mut self, content: Option<Narrowing>) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.has_triggers = true;
        inner.content = content;
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What it was made from.
    pub fn meaning<T: Any>(&self) -> Option<&T> {
        self.0.meaning.downcast_ref()
    }

    /// Whether it is told of some changes only.
    pub fn has_triggers(&self) -> bool {
        self.0.has_triggers
    }

    /// What of the document it shows; nothing where that is all.
    pub(super) fn content(&self) -> Option<&Narrowing> {
        match self.0.has_triggers {
            true => self.0.content.as_ref(),
            false => Some(self),
        }
    }
}

impl PartialEq for Narrowing {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.name == other.0.name
    }
}

impl Eq for Narrowing {}

impl Hash for Narrowing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl fmt::Debug for Narrowing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Narrowing")
            .field("name", &self.0.name)
            .field("has_triggers", &self.0.has_triggers)
            .finish_non_exhaustive()
    }
}

/// The filters of a subscription.
#[derive(Clone)]
pub struct Filter {
    /// What the next filter in the dialog is read with: that may change or remove parts of this one.
    kept: Arc<dyn Any + Send + Sync>,
    /// What comes of it for the resource; nothing where it is shown whole, at each change.
    narrowing: Option<Narrowing>,
}

impl Filter {
    /// Filters that come to this narrowing.
    pub fn new(kept: impl Any + Send + Sync, narrowing: Option<Narrowing>) -> Self {
        Self {
            kept: Arc::new(kept),
            narrowing,
        }
    }

    /// What was kept to read the next one with.
    pub fn kept<T: Any>(&self) -> Option<&T> {
        self.kept.downcast_ref()
    }

    /// What comes of it.
    pub fn narrowing(&self) -> Option<&Narrowing> {
        self.narrowing.as_ref()
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("narrowing", &self.narrowing)
            .finish_non_exhaustive()
    }
}

/// A filter that a SUBSCRIBE brings (RFC 4660 section 5.2).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FilterQuery<'a> {
    /// The resource as the watcher named it, in the Request-URI of the first SUBSCRIBE.
    pub uri: &'a str,
    /// Its canonical name.
    pub resource: &'a str,
    /// One of the package's types of filters, with the parameters that it came with.
    pub media_type: &'a MediaType<'a>,
    /// The body.
    pub octets: &'a Bytes,
    /// The filters that the subscription has so far.
    pub before: Option<&'a Filter>,
}

/// A filter that is not taken (RFC 4660 section 5.4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
#[non_exhaustive]
pub struct BadFilter {
    /// The status code that the SUBSCRIBE is refused with: 488 as a rule.
    pub status: u16,
    /// What is told in Warning, less quotation marks, backslashes and control characters.
    pub why: String,
}

impl BadFilter {
    /// One that is refused with this status code, 488 as a rule, and this sentence for people.
    pub fn new(status: u16, why: impl Into<String>) -> Self {
        Self {
            status,
            why: why.into(),
        }
    }
}

/// What a filter is read for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filtered<'a> {
    pub(super) uri: &'a str,
    pub(super) resource: &'a str,
    pub(super) before: Option<&'a Filter>,
}

impl<P: Package> Server<P> {
    /// The filters that hold from a SUBSCRIBE on: those that it brings, or those that were there.
    pub(super) fn read_filter(
        &mut self,
        request: &RequestRef<'_>,
        brought: Brought,
        filtered: Filtered<'_>,
    ) -> Result<Option<Filter>, Refusal> {
        if brought != Brought::Filter {
            return Ok(filtered.before.cloned());
        }
        let query = FilterQuery {
            uri: filtered.uri,
            resource: filtered.resource,
            media_type: &MediaType::parse(request.required(HeaderName::ContentType)?)?,
            octets: request.body(),
            before: filtered.before,
        };
        self.package
            .read_filter(&query)
            .map_err(|bad| warned(bad.status, RefusalReason::BadFilter, &bad.why))
    }
}
