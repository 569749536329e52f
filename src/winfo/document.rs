//! The document of watcher information (RFC 3858 section 3).

use core::fmt;

use bytes::Bytes;

use super::error::{ReadWatcherInfoError, WatcherInfoFault, WriteWatcherInfoError};
use super::options::ReadWatcherInfoOptions;
use super::{reader, writer};
use crate::xml::Layout;

/// Whose subscriptions there are to some resources, or what has changed about them.
///
/// ```
/// use presentity::winfo::{WatcherEntry, WatcherEvent, WatcherInfo, WatcherList, WatcherStatus};
///
/// let mut list = WatcherList::new("sip:mira@example.com", "presence");
/// let (status, event) = (WatcherStatus::Pending, WatcherEvent::Subscribe);
/// let entry = WatcherEntry::new("w1", "sip:jon@example.org", status, event);
/// list.watchers.push(entry);
/// let mut info = WatcherInfo::default();
/// info.is_full = true;
/// info.lists.push(list);
///
/// let octets = info.write()?;
/// assert_eq!(WatcherInfo::read(&octets)?, info);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WatcherInfo {
    /// 0 in the first document of a subscription, and one more in each that follows.
    pub version: u32,
    /// Whether it tells everything; otherwise it tells what has changed since the one before.
    pub is_full: bool,
    /// One for each resource and package.
    pub lists: Vec<WatcherList>,
}

/// Those who watch one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatcherList {
    /// The URI of the resource that is watched.
    pub resource: String,
    /// The event type of the subscriptions, such as `presence`.
    pub package: String,
    /// The subscriptions.
    pub watchers: Vec<WatcherEntry>,
}

/// How one subscription stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatcherEntry {
    /// Names the subscription among all of the documents that a watcher of this information gets; a
    /// token of SIP.
    pub id: String,
    /// The URI of who watches.
    pub uri: String,
    /// How the subscription stands.
    pub status: WatcherStatus,
    /// What made it so.
    pub event: WatcherEvent,
    /// A name to show.
    pub display_name: Option<String>,
    /// The language of the name.
    pub language: Option<String>,
    /// Seconds until it runs out.
    pub expiration: Option<u64>,
    /// Seconds since it began.
    pub duration_subscribed: Option<u64>,
}

/// How a subscription stands (RFC 3857 section 4.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WatcherStatus {
    /// It waits for a decision.
    Pending,
    /// It is in force.
    Active,
    /// It ran out without a decision, which is still wanted.
    Waiting,
    /// It is over.
    Terminated,
}

/// What made a subscription stand as it does (RFC 3857 section 4.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WatcherEvent {
    /// A SUBSCRIBE.
    Subscribe,
    /// It was let in.
    Approved,
    /// It was sent away to come back at once.
    Deactivated,
    /// It was sent away to come back later.
    Probation,
    /// It was refused.
    Rejected,
    /// It ran out, or was ended by its watcher.
    Timeout,
    /// Nobody decided in time.
    GiveUp,
    /// The resource is no more.
    NoResource,
    /// A word that RFC 3857 does not know. It is read, since what matters is the status, and never
    /// written.
    Other,
}

impl WatcherInfo {
    /// Reads a document, tolerantly and within the usual bounds: see
    /// [`read_with`](Self::read_with).
    ///
    /// # Errors
    /// When it is no document of watcher information, or exceeds a bound.
    pub fn read(octets: &[u8]) -> Result<Self, ReadWatcherInfoError> {
        Self::read_with(octets, &ReadWatcherInfoOptions::default()).map(|(info, _)| info)
    }

    /// Reads a document, and tells what it puts up with.
    ///
    /// Foreign elements and attributes are passed over without a word (RFC 3858 section 3), and so is
    /// text between elements. What cannot be understood is left out and told: a list or an entry whole
    /// when it cannot be named or its status is not known, else the one attribute. Of entries of one
    /// list with the same id the last one counts, in the place of the first.
    ///
    /// # Errors
    /// When it is no document of watcher information, or exceeds a bound.
    pub fn read_with(
        octets: &[u8],
        options: &ReadWatcherInfoOptions,
    ) -> Result<(Self, Vec<WatcherInfoFault>), ReadWatcherInfoError> {
        reader::read(octets, options)
    }

    /// Writes the document, without white space between elements.
    ///
    /// # Errors
    /// When a value is none that the format has: nothing is written that a strict reader would refuse.
    pub fn write(&self) -> Result<Bytes, WriteWatcherInfoError> {
        self.write_as(Layout::Compact)
    }

    /// Writes the document in this layout.
    ///
    /// # Errors
    /// As of [`write`](Self::write).
    pub fn write_as(&self, layout: Layout) -> Result<Bytes, WriteWatcherInfoError> {
        writer::write(self, layout)
    }
}

impl WatcherStatus {
    /// The word of the format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Waiting => "waiting",
            Self::Terminated => "terminated",
        }
    }

    /// The status that the word stands for.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Pending, Self::Active, Self::Waiting, Self::Terminated];
        all.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether somebody's decision is wanted: the subscription waits for it, or ran out without one.
    pub const fn is_undecided(self) -> bool {
        matches!(self, Self::Pending | Self::Waiting)
    }
}

impl fmt::Display for WatcherStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl WatcherEvent {
    /// The word of the format; nothing for [`Other`](Self::Other).
    pub const fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Self::Subscribe => "subscribe",
            Self::Approved => "approved",
            Self::Deactivated => "deactivated",
            Self::Probation => "probation",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::GiveUp => "giveup",
            Self::NoResource => "noresource",
            Self::Other => return None,
        })
    }

    /// The event that the word stands for.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        let all = [
            Self::Subscribe,
            Self::Approved,
            Self::Deactivated,
            Self::Probation,
            Self::Rejected,
            Self::Timeout,
            Self::GiveUp,
            Self::NoResource,
        ];
        all.into_iter().find(|event| event.as_str() == Some(word))
    }
}

impl fmt::Display for WatcherEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str().unwrap_or("other"))
    }
}

impl WatcherList {
    /// A list without entries.
    pub fn new(resource: impl Into<String>, package: impl Into<String>) -> Self {
        Self {
            resource: resource.into(),
            package: package.into(),
            watchers: Vec::new(),
        }
    }
}

impl WatcherEntry {
    /// An entry with nothing but what it must have.
    pub fn new(
        id: impl Into<String>,
        uri: impl Into<String>,
        status: WatcherStatus,
        event: WatcherEvent,
    ) -> Self {
        Self {
            id: id.into(),
            uri: uri.into(),
            status,
            event,
            display_name: None,
            language: None,
            expiration: None,
            duration_subscribed: None,
        }
    }

    /// Whether it can be written. Who watches is told by others: a notifier leaves out the one entry
    /// that cannot, so that the document can.
    ///
    /// # Errors
    /// What [`WatcherInfo::write`] would say of it.
    pub fn check(&self) -> Result<(), WriteWatcherInfoError> {
        writer::check(self)
    }
}
