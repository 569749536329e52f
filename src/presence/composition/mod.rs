//! Composition: what several sources say of a presentity becomes one document (RFC 3856 section 6.11.1).

mod compositor;
mod device_key;
mod periods;
mod ranking;
mod settings;
mod statement;
mod union;

use core::time::Duration;

use time::OffsetDateTime;

use crate::engine::Timestamp;
use crate::pidf::Presence;

pub use compositor::Compositor;
pub use settings::{Aged, Conflicts, Devices, Periods, Persons, Remarks, Services};
pub(in crate::presence) use union::{PartRef, Renamed, keep_apart, unite};

/// Where a part of a presentity's state comes from. A later one is nearer to the presentity's devices of
/// now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Source {
    /// What the application has set for as long as nobody else says anything.
    Lasting,
    /// What the application has set.
    Application,
    /// A contact that was registered (RFC 3856 section 7.2).
    Registration,
    /// A presence user agent that this one has subscribed to (RFC 3856 section 6.11.1).
    Subscription,
    /// A publication (RFC 3903).
    Publication,
}

/// What one source says.
///
/// No two parts have an id in common, and what the root of one said of language stands at its
/// children.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// Whose it is.
    pub source: Source,
    /// Names the source; the same for its life, and higher than those of sources that began before.
    pub serial: u64,
    /// What it says.
    pub document: Presence,
    /// Since when it says so.
    pub since: Timestamp,
}

impl Part {
    /// What a source says since a time.
    pub const fn new(source: Source, serial: u64, document: Presence, since: Timestamp) -> Self {
        Self {
            source,
            serial,
            document,
            since,
        }
    }
}

/// When a document is composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moment {
    /// The host's time.
    pub now: Timestamp,
    /// The time of day, if the host has said it.
    pub utc: Option<OffsetDateTime>,
}

impl Moment {
    /// A time, and the time of day if it is known.
    pub const fn new(now: Timestamp, utc: Option<OffsetDateTime>) -> Self {
        Self { now, utc }
    }
}

/// One document of several.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Composed {
    /// The document. Its entity is of no account.
    pub document: Presence,
    /// For how long that is what the same parts come to; nothing for as long as they stay the same. Less
    /// than a second counts as one.
    pub holds_for: Option<Duration>,
}

impl Composed {
    /// What holds for as long as the parts stay the same.
    pub const fn new(document: Presence) -> Self {
        Self {
            document,
            holds_for: None,
        }
    }
}

/// How what several sources say becomes one document: the presentity's or the provider's policy
/// (RFC 3856 section 6.11.1).
///
/// It is asked once for each state, not for each watcher, and only when something has changed or
/// [`Composed::holds_for`] is over. The same parts at the same moment have to come to the same document.
pub trait Composition: core::fmt::Debug {
    /// One document of these parts, which are in the order of [`Source`], and within that of their
    /// serial numbers. There is at least one.
    fn compose(&self, parts: Vec<Part>, moment: &Moment) -> Composed;

    /// Whether a part that is alone is the document as it is. By default it is composed like several.
    fn keeps_single(&self) -> bool {
        false
    }
}
