//! What a watcher is told once.

use core::time::Duration;

use crate::event::{Protection, SubscriberConfig};
use crate::pidf::ReadOptions;

/// Settings of a watcher.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WatcherConfig {
    /// Those of its subscriptions.
    pub subscriber: SubscriberConfig,
    /// Which URI of a presentity is used when several are known.
    pub preference: UriPreference,
    /// How documents are read. Its charset and default entity are not used: those of each NOTIFY
    /// are.
    pub read: ReadOptions,
    /// What becomes of outdated documents.
    pub outdated: OutdatedDocuments,
    /// Whether notifiers may send what has changed in a document instead of all of it (RFC 5263), where an
    /// order does not say. Default: no. It saves octets on the way of large documents that change often, and
    /// costs a copy of each document as it was written. Where notifiers make mistakes of it whole documents
    /// are asked for again.
    pub partial: bool,
    /// How documents have to be protected, where an order does not say; what is less is told as
    /// [`WatcherEvent::Unprotected`](super::WatcherEvent::Unprotected) and left aside. With anything but [`Protection::None`] the host opens
    /// bodies, be [`opens_bodies`](SubscriberConfig::opens_bodies) set or not.
    ///
    /// A document that has to be signed is believed when the authority of the presentity's domain, or the
    /// presentity itself, has signed it with a certificate that is trusted (RFC 3856 section 6.7). It has
    /// to name the presentity and to bear a timestamp, and one that is older than what is known is not
    /// taken, whichever dialog it comes in, unless its signature says that it was made later (section
    /// 9.4).
    pub protection: Protection,
    /// How long ago a document may have been signed where signatures are demanded, by what the signature
    /// says; one that does not say it is refused then, and so are all until
    /// [`set_wall_clock`](super::Watcher::set_wall_clock) has told the time of day. Default: no bound.
    pub max_signature_age: Option<Duration>,
}

/// Which URI of a presentity is used when a pres URI and one of SIP are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum UriPreference {
    /// The SIP or SIPS URI, which every proxy knows how to route.
    #[default]
    Sip,
    /// The pres URI (RFC 3856 section 5).
    Pres,
}

/// What becomes of a document whose timestamps are older than those that are known (RFC 3856 section
/// 9.4).
///
/// Within one dialog CSeq tells what is newer, and timestamps are not looked at: a document that lost its
/// newest tuple has older ones. This is about the first document of another dialog, which may have been
/// recorded and sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OutdatedDocuments {
    /// It is told of and left aside, and so are outdated tuples of others; the notifier is asked for the
    /// state once more, and taken at its word.
    #[default]
    Refuse,
    /// It is taken.
    Take,
}
