//! What a server is told once: durations, pace, bounds.

use core::time::Duration;

/// Settings of a notifier and publication server.
///
/// A value beyond its range counts as the end of the range, and a shortest duration above the
/// longest one as that.
///
/// ```
/// use presentity::event::ServerConfig;
///
/// let mut config = ServerConfig::default();
/// config.min_expires = 30;
/// config.limits.subscriptions_per_watcher = 200;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The shortest subscription, in seconds; a shorter wish of less than an hour gets 423
    /// (RFC 6665 section 4.2.1.1). Default 60.
    pub min_expires: u32,
    /// The longest subscription, in seconds; a longer wish is cut. Default 3600.
    pub max_expires: u32,
    /// The shortest publication, in seconds; a shorter wish gets 423. Default 60.
    pub publish_min_expires: u32,
    /// The longest publication, in seconds; a longer wish is cut. Default 3600.
    pub publish_max_expires: u32,
    /// The duration of a publication whose PUBLISH has no Expires, in seconds. Default 3600.
    pub publish_default_expires: u32,
    /// What becomes of earlier publications when a publisher publishes anew. Default: nothing.
    pub replace_publications: ReplacePublications,
    /// The time between two rounds of NOTIFYs for changes of one resource. Default 5 s, the pace
    /// of RFC 3856 section 6.10.
    pub notify_interval: Duration,
    /// Whether a watcher may ask for a pace of its own (RFC 6446). It is never told of changes faster than
    /// `notify_interval` allows, whatever it asks for. Default: yes.
    pub rate_control: bool,
    /// The shortest time between two NOTIFYs of which the second tells nothing new, which watchers ask for
    /// by a lowest rate (RFC 6446 sections 6.3 and 7.3). Default 10 s; `notify_interval` where that is
    /// longer.
    pub repeat_interval: Duration,
    /// Whether NOTIFYs tell the entity-tag of their document, and watchers are spared what they say to have
    /// (RFC 5839). Default: yes.
    pub entity_tags: bool,
    /// Whether a pending or politely blocked SUBSCRIBE is answered 202, as before RFC 6665.
    /// Default: no, 200.
    pub draft08: bool,
    /// Fields that the host adds to every NOTIFY, as name and value. Those with a line break or a
    /// name that is no token are left out.
    pub notify_fields: Vec<(String, String)>,
    /// Further event types that the whole user agent can notify for, for Allow-Events.
    pub other_event_types: Vec<String>,
    /// CSeq of the first NOTIFY of each dialog, less one. A host that restores dialogs sets it so
    /// that it rises across restarts; seconds since 1970 do. Default 0; at most 2^31 - 2^24, so
    /// that a dialog has room to count up.
    pub initial_cseq: u32,
    /// Tells the client transactions of several roles in one process apart: each is to have its
    /// own number, or one takes the outcomes of another. Default 0.
    pub role: u8,
    /// NOTIFY transactions that may be open at once. Default 4096: the packets in flight then fit
    /// the buffers of a socket.
    pub window: usize,
    /// NOTIFY transactions that may be open beside these after they went unanswered for
    /// `slow_after`. Default 65,536.
    pub slow_window: usize,
    /// How long a NOTIFY holds its place in the window. Default 2 s, three sendings over UDP.
    pub slow_after: Duration,
    /// After how long a transaction that the host never reported on counts as timed out.
    /// Default 64 s, twice Timer F.
    pub forgotten_after: Duration,
    /// Timers that one `handle_timeout` deals with. Default 512, some hundred microseconds.
    pub timers_per_call: u32,
    /// How long a deferred publication may take, a verdict on a signature, the opening of a body, and the
    /// protection of a document. At
    /// most 30 s, also for a request that waits for one after the other; default 16 s, half of
    /// Timer F.
    pub job_deadline: Duration,
    /// Whether the host opens bodies of SUBSCRIBE and PUBLISH that are signed or encrypted
    /// ([`Output::Open`](super::Output::Open)). Default: no, they are refused with 415, but for those
    /// that [`SubscribeBodies`](super::SubscribeBodies) reads.
    pub opens_bodies: bool,
    /// Seconds in the Retry-After of a 503. Default 10.
    pub retry_after: u32,
    /// Whether traces name watchers and resources (feature `tracing`). Default: no, only keys.
    pub trace_uris: bool,
    /// Bounds.
    pub limits: Limits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            min_expires: 60,
            max_expires: 3600,
            publish_min_expires: 60,
            publish_max_expires: 3600,
            publish_default_expires: 3600,
            replace_publications: ReplacePublications::Never,
            notify_interval: Duration::from_secs(5),
            rate_control: true,
            repeat_interval: Duration::from_secs(10),
            entity_tags: true,
            draft08: false,
            notify_fields: Vec::new(),
            other_event_types: Vec::new(),
            initial_cseq: 0,
            role: 0,
            window: 4096,
            slow_window: 65_536,
            slow_after: Duration::from_secs(2),
            forgotten_after: Duration::from_secs(64),
            timers_per_call: 512,
            job_deadline: Duration::from_secs(16),
            opens_bodies: false,
            retry_after: 10,
            trace_uris: false,
            limits: Limits::default(),
        }
    }
}

/// Whether an initial publication ends an earlier one of the same publisher.
///
/// A client that lost its entity-tag (after a restart, a 412, or a 200 that came too late) publishes
/// anew, and its old publication says what is no more true until it runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ReplacePublications {
    /// Publications end by themselves alone (RFC 3903).
    #[default]
    Never,
    /// One of the same identity that came by the same flow ends. Right where clients reach the
    /// server directly; not behind a proxy whose one flow carries all of a user's devices, unless
    /// the host names no flow for what a proxy forwards.
    SameFlow,
}

/// Bounds of every table and buffer. Over one of them the newcomer is refused, and nothing that
/// existed is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Subscriptions in all, those that wait for the answer to their last NOTIFY included.
    /// Default 2,000,000, some 1.5 GB.
    pub subscriptions: usize,
    /// Subscriptions to one resource. Default 200,000.
    pub subscriptions_per_resource: usize,
    /// Subscriptions of one watcher. Default 2,000: a resource list server subscribes for many.
    pub subscriptions_per_watcher: usize,
    /// Subscriptions of one watcher to one resource. Default 32: devices, and phones that come
    /// back from a restart under a new Call-ID while the old subscription still runs.
    pub subscriptions_per_watcher_and_resource: usize,
    /// Subscriptions by one source address. Default 100,000: a proxy is one address.
    pub subscriptions_per_source: usize,
    /// Publications in all. Default 1,000,000.
    pub publications: usize,
    /// Publications for one resource. Default 32.
    pub publications_per_resource: usize,
    /// Octets of all publications for one resource, as they are written. Default 262,144: the
    /// document that unites them goes to every watcher. Over it a publication gets 413.
    pub published: usize,
    /// Octets of documents of the past that are kept for those who see the same of one resource, so as to
    /// tell them what has changed, or whether it is what they wait for. Each is kept as long as somebody has
    /// it. Over it the oldest go, and who has those is told everything. Default 131,072.
    pub history: usize,
    /// Octets of a body. Default 65,536.
    pub body: usize,
    /// Octets of what is kept of a dialog: URIs, tags, Call-ID, route set. Default 8,192.
    pub dialog: usize,
    /// Octets of a Request-URI and of the canonical name of a resource or watcher. Default 1,024.
    pub name: usize,
    /// Deferred publications; as many verdicts that are waited for, as many bodies that are opened, and as
    /// many documents that are protected, at least one of these. Default 1,024.
    pub jobs: usize,
    /// Requests of the last 32 s that are remembered to tell merged ones. Default 262,144; over
    /// it the oldest are forgotten.
    pub remembered_requests: usize,
    /// Responses, events and wishes that wait to be taken. Default 65,536; over it requests are
    /// refused with [`Backlog`](super::Backlog). Calls of the application's are not: one that ends
    /// a million subscriptions puts out as many events.
    pub outputs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            subscriptions: 2_000_000,
            subscriptions_per_resource: 200_000,
            subscriptions_per_watcher: 2_000,
            subscriptions_per_watcher_and_resource: 32,
            subscriptions_per_source: 100_000,
            publications: 1_000_000,
            publications_per_resource: 32,
            published: 262_144,
            history: 131_072,
            body: 65_536,
            dialog: 8_192,
            name: 1_024,
            jobs: 1_024,
            remembered_requests: 262_144,
            outputs: 65_536,
        }
    }
}
