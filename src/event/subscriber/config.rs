//! What a subscriber is told once.

use core::time::Duration;

/// Settings of a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriberConfig {
    /// The duration to ask for, in seconds, where an order does not say; a notifier may grant less,
    /// and its 423 may ask for more. Default: the default of the event package.
    pub expires: Option<u32>,
    /// The longest duration that a 423 may talk us into, in seconds. Default 86,400.
    pub longest_expires: u32,
    /// How long to wait after a failure that may pass, and when subscriptions keep ending soon. Twice
    /// as long after each further one. Default 10 s; at least 1 s.
    pub retry_after: Duration,
    /// The longest such wait. Default 30 min.
    pub retry_after_longest: Duration,
    /// A subscription that lasted less ended soon. Default 60 s.
    pub short_life: Duration,
    /// Timer N: how long a NOTIFY may take after a SUBSCRIBE (RFC 6665 section 4.1.2.4), and how long
    /// the host may take to resolve a name. Default 32 s, which is 64 * T1.
    pub timer_n: Duration,
    /// Whether SUBSCRIBEs carry the entity-tag of the state that is [held](super::Subscriber::hold), so
    /// that it is not sent again while it stays the same (RFC 5839). Default: yes. A notifier that does
    /// not know of it sends its state as ever, a refresh without news costs two messages instead of four
    /// where it does. Where one is refused there are none until the subscription is made anew, and none
    /// for it any more when the first one after that is refused as well, or when one that was taken is
    /// followed by silence or leaves out a state that is not held. Without them each refresh brings the
    /// state, which heals what was lost at a notifier that gives two states one entity-tag.
    pub conditional: bool,
    /// CSeq of the first request of each dialog, less one. Default 0; at most 2^31 - 2^24.
    pub initial_cseq: u32,
    /// Tells the client transactions of several roles in one process apart: each is to have its
    /// own number, or one takes the outcomes of another. Default 1.
    pub role: u8,
    /// SUBSCRIBE transactions that may be open at once. Default 256: what a server can be asked for
    /// in a round trip.
    pub window: usize,
    /// Transactions that may be open beside these after they went unanswered for 2 s. Default
    /// 4096.
    pub slow_window: usize,
    /// After how long a transaction that the host never reported on counts as timed out, and
    /// credentials that were asked for as declined. Default 64 s, twice Timer F.
    pub forgotten_after: Duration,
    /// Timers that one `handle_timeout` deals with. Default 512, some hundred microseconds.
    pub timers_per_call: u32,
    /// Subscriptions. Default 1,000,000.
    pub subscriptions: usize,
    /// Notifiers that one subscription may have where the package allows several. Default 32.
    pub forks: usize,
    /// Octets of a body, and of a document that is put together of several. Default 1,048,576: one that
    /// stands for many devices.
    pub body: usize,
    /// Octets of the header fields of one request that come from outside: URIs, routes, the
    /// account's fields. Default 8,192.
    pub head: usize,
    /// Outputs that wait to be taken; while there are more, requests are refused with
    /// [`Backlog`](crate::event::Backlog). Default 65,536.
    pub outputs: usize,
    /// Seconds in the Retry-After of that 503. Default 10.
    pub backlog_retry_after: u32,
    /// Whether the host opens bodies of NOTIFYs that are signed or encrypted
    /// ([`SubscriberOutput::Open`](crate::event::SubscriberOutput::Open)), which SUBSCRIBEs then say in
    /// Accept. Default: no, they are refused with 415.
    pub opens_bodies: bool,
    /// Bodies that are opened at a time, of all subscriptions; of one there are 8 at most. Beyond that a
    /// NOTIFY gets 503 with Retry-After, and what it says of the subscription counts all the same.
    /// Default 1,024.
    pub openings: usize,
    /// How long it may take to open a body. Then its NOTIFY gets 500 with Retry-After. At most 30 s;
    /// default 16 s, half of Timer F.
    pub opening_deadline: Duration,
}

impl Default for SubscriberConfig {
    fn default() -> Self {
        Self {
            expires: None,
            longest_expires: 86_400,
            retry_after: Duration::from_secs(10),
            retry_after_longest: Duration::from_secs(1800),
            short_life: Duration::from_secs(60),
            timer_n: Duration::from_secs(32),
            conditional: true,
            initial_cseq: 0,
            role: 1,
            window: 256,
            slow_window: 4096,
            forgotten_after: Duration::from_secs(64),
            timers_per_call: 512,
            subscriptions: 1_000_000,
            forks: 32,
            body: 1_048_576,
            head: 8_192,
            outputs: 65_536,
            backlog_retry_after: 10,
            opens_bodies: false,
            openings: 1024,
            opening_deadline: Duration::from_secs(16),
        }
    }
}
