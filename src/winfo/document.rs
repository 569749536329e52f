//! The document of watcher information (RFC 3858 section 3).

/// Whose subscriptions there are to some resources, or what has changed about them.
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
}
