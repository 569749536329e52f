//! What a retriever is told once.

use core::time::Duration;

use super::web_address::WebRules;
use crate::event::SubscriberConfig;

/// Nobody is polled more often than that (RFC 6072 section 6.10).
pub(super) const SHORTEST_POLL: Duration = Duration::from_secs(60);
/// Of which chance takes up to a quarter away.
pub(super) const SHORTEST_RETRY: Duration = Duration::from_secs(80);

/// Settings of a [`Retriever`](super::Retriever).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetrieverConfig {
    /// Those of its subscriptions. Unlike elsewhere its role is 3, a body has 65,536 octets at most, and
    /// nothing that failed is asked for again within a minute: `retry_after`, of which chance takes up to
    /// a quarter, is 80 s at least.
    pub subscriber: SubscriberConfig,
    /// What is believed.
    pub rules: TrustRules,
    /// What may be fetched from where.
    pub web: WebRules,
    /// How long a certificate is used after it was last told (RFC 6072 section 10.1), and never longer
    /// than its subscription. Default a day. Zero: it is told of, and not kept.
    pub cache_time: Duration,
    /// How long to wait before a service is asked again that gives certificates without a subscription
    /// (RFC 6072 section 4), unless it asks for more. Default 1 h; at least 1 min.
    pub poll_interval: Duration,
    /// How long the host may take to read a certificate. Default 10 s.
    pub inspection_time: Duration,
    /// Bounds.
    pub limits: RetrieverLimits,
}

impl Default for RetrieverConfig {
    fn default() -> Self {
        Self {
            subscriber: SubscriberConfig {
                role: 3,
                body: 65_536,
                retry_after: SHORTEST_RETRY,
                ..SubscriberConfig::default()
            },
            rules: TrustRules::default(),
            web: WebRules::default(),
            cache_time: Duration::from_secs(86_400),
            poll_interval: Duration::from_secs(3_600),
            inspection_time: Duration::from_secs(10),
            limits: RetrieverLimits::default(),
        }
    }
}

/// What makes a certificate usable. The defaults believe what protects the certificate itself: a
/// trusted authority, TLS from the domain that was asked, or S/MIME.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustRules {
    /// Whether an identity of [`Assurance::Signed`](crate::event::Assurance::Signed) says that the body
    /// of the NOTIFY is as it was sent. Default: no. Identity by RFC 8224 covers header fields alone, so
    /// that anybody on the way may put in another certificate. To be set by a host that reports such
    /// identities only where the body is covered too: by RFC 4474, which RFC 6072 stands on, or by a
    /// digest of the body among what is signed.
    pub identity_covers_body: bool,
    /// Whether P-Asserted-Identity of a trusted neighbour (RFC 3325) is enough. Default: no. To be set
    /// where all hops are in one domain of trust that protects what it carries.
    pub trust_asserted: bool,
    /// Whether https from a host of the presentity's own domain is enough, without an authority that
    /// names the presentity. Default: no.
    pub https_of_domain: bool,
    /// Whether a certificate has to name the user whoever vouches for it (RFC 6072 section 10.6).
    /// Default: yes.
    pub require_name: bool,
    /// Whether its key has to be one that may encrypt. Default: no, it may serve to verify signatures.
    pub must_encrypt: bool,
}

impl Default for TrustRules {
    fn default() -> Self {
        Self {
            identity_covers_body: false,
            trust_asserted: false,
            https_of_domain: false,
            require_name: true,
            must_encrypt: false,
        }
    }
}

/// Bounds of a retriever's tables. Over one of them the newcomer is refused, and nothing that existed is
/// lost.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetrieverLimits {
    /// Those whose certificates are followed. Default 100,000.
    pub followed: usize,
    /// Places that are asked, each with one certificate at most. Default 100,000, some 400 MB when all
    /// have one of 2 kB.
    pub sources: usize,
    /// Sources of one presentity; those further on are left out, and of those that take their place no
    /// more are asked in a minute. Default 8.
    pub sources_each: usize,
    /// URIs of one presentity; those further on are left out. Default 8.
    pub names_each: usize,
    /// Fetches that are open at once; others wait. Default 32.
    pub fetches: usize,
    /// Certificates that the host reads at once; others wait. Default 64.
    pub inspections: usize,
    /// Timers that one `handle_timeout` deals with. Default 512.
    pub timers_per_call: u32,
}

impl Default for RetrieverLimits {
    fn default() -> Self {
        Self {
            followed: 100_000,
            sources: 100_000,
            sources_each: 8,
            names_each: 8,
            fetches: 32,
            inspections: 64,
            timers_per_call: 512,
        }
    }
}
