//! What a subscription leaves to the next one, be it in another run of the program.

use std::sync::Arc;

use bytes::Bytes;

use super::watcher::Watcher;
use crate::event::{OwnSubscriptionKey, is_entity_tag};
use crate::pidf::{Presence, ReadError};

/// A document and its entity-tag, by which a later subscription or fetch spares its being sent again (RFC
/// 5839 sections 5.4 and 5.5).
///
/// [`Watcher::resumption`] gives it. Its three parts may be stored, and [`WatchOrder`](super::WatchOrder)
/// takes what [`new`](Self::new) makes of them.
///
/// ```
/// use presentity::presence::Resumption;
///
/// let document = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:bob@example.com'/>";
/// let kept = Resumption::new("sip:bob@example.com", "a7f3", document.into())?;
/// assert_eq!(kept.presence().entity, "sip:bob@example.com");
/// assert!(Resumption::new("sip:bob@example.com", "*", document.into()).is_err());
/// # Ok::<(), presentity::presence::InvalidResumption>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Resumption {
    resource: String,
    entity_tag: String,
    octets: Bytes,
    document: Arc<Presence>,
}

/// Stored parts that are of no use.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidResumption {
    /// The text is no entity-tag.
    #[error("{text:?} is no entity-tag")]
    EntityTag {
        /// The text.
        text: String,
    },
    /// The document cannot be read.
    #[error(transparent)]
    Document(#[from] ReadError),
}

impl Resumption {
    /// From stored parts: the URI that was watched, the entity-tag, the document.
    ///
    /// # Errors
    /// When the entity-tag or the document is none.
    pub fn new(
        resource: &str,
        entity_tag: &str,
        document: Bytes,
    ) -> Result<Self, InvalidResumption> {
        if !is_entity_tag(entity_tag) {
            return Err(InvalidResumption::EntityTag {
                text: entity_tag.to_owned(),
            });
        }
        Ok(Self {
            resource: resource.to_owned(),
            entity_tag: entity_tag.to_owned(),
            document: Arc::new(Presence::read(&document)?),
            octets: document,
        })
    }

    /// The URI that was watched.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The entity-tag of the document, which means something for this URI alone.
    pub fn entity_tag(&self) -> &str {
        &self.entity_tag
    }

    /// The document as it is to be stored. It is written here, and need not be what was sent.
    pub fn document(&self) -> &Bytes {
        &self.octets
    }

    /// The document.
    pub fn presence(&self) -> &Presence {
        &self.document
    }

    pub(super) fn shared(&self) -> Arc<Presence> {
        Arc::clone(&self.document)
    }
}

impl Watcher {
    /// What a later subscription to the same presentity may go on from. Of a fetch it is there from its
    /// [`WatcherEvent::Changed`](super::WatcherEvent::Changed) to its
    /// [`WatcherEvent::Over`](super::WatcherEvent::Over), of a subscription likewise.
    ///
    /// Nothing when nothing is known, when the notifier does not name its states by entity-tags, or when
    /// a part of its last document was left aside.
    pub fn resumption(&self, key: OwnSubscriptionKey) -> Option<Resumption> {
        let known = self.known.get(&key)?;
        let entity_tag = known.entity_tag.as_deref()?;
        let document = known.document.as_deref()?.write().ok()?;
        Resumption::new(&known.resource, entity_tag, document).ok()
    }
}
