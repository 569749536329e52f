//! What a publisher is told once.

use core::time::Duration;

/// Settings of an event publication agent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublisherConfig {
    /// The duration to ask for, in seconds; a server may grant less, and its 423 may ask for more.
    /// Default 3600; at least 1.
    pub expires: u32,
    /// The longest duration that a 423 may talk us into, in seconds. Default 86,400.
    pub longest_expires: u32,
    /// How long to wait after a failure that may pass: a timeout, 408, 5xx. Twice as long after
    /// each further one. Default 10 s.
    pub retry_after: Duration,
    /// The longest such wait. Default 30 min.
    pub retry_after_longest: Duration,
    /// CSeq of the first request, less one. A host that restarts sets it so that it rises; seconds
    /// since 1970 do. Default 0; at most 2^31 - 2^24.
    pub initial_cseq: u32,
    /// Tells the client transactions of several roles in one process apart: each is to have its
    /// own number, or one takes the outcomes of another. Default 2.
    pub role: u8,
    /// PUBLISH transactions that may be open at once. Default 256: what a server can be asked for
    /// in a round trip.
    pub window: usize,
    /// Transactions that may be open beside these after they went unanswered for 2 s. Default
    /// 4096.
    pub slow_window: usize,
    /// After how long a transaction that the host never reported on counts as timed out.
    /// Default 64 s, twice Timer F.
    pub forgotten_after: Duration,
    /// Timers that one `handle_timeout` deals with. Default 512, some hundred microseconds.
    pub timers_per_call: u32,
    /// Publications. Default 100,000.
    pub publications: usize,
    /// Octets of a body. Default 65,536.
    pub body: usize,
    /// Octets of the header fields of one request that come from outside: URIs, routes, the account's
    /// fields, an entity-tag. Default 8,192.
    pub head: usize,
}

impl Default for PublisherConfig {
    fn default() -> Self {
        Self {
            expires: 3600,
            longest_expires: 86_400,
            retry_after: Duration::from_secs(10),
            retry_after_longest: Duration::from_secs(1800),
            initial_cseq: 0,
            role: 2,
            window: 256,
            slow_window: 4096,
            forgotten_after: Duration::from_secs(64),
            timers_per_call: 512,
            publications: 100_000,
            body: 65_536,
            head: 8_192,
        }
    }
}
