//! Who a request comes from, as far as the host has established it.

use std::net::IpAddr;

use crate::engine::FlowId;
use crate::sip::Uri;

/// How an identity was established (RFC 3856 section 6.6.1, RFC 5025 section 3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Assurance {
    /// Taken from From without any check. Evidence of nothing: for tests and closed networks.
    Claimed,
    /// Digest, by a user whose address of record the host knows (RFC 3261 section 22).
    Digest,
    /// The peer's TLS certificate (RFC 5922).
    Transport,
    /// P-Asserted-Identity from a trusted neighbour (RFC 3325).
    Asserted,
    /// A verified Identity header field (RFC 8224).
    Signed,
    /// An S/MIME signature over the request or its body (RFC 3261 section 23).
    Smime,
}

/// Who a request comes from: nobody, or one or more URIs, each with how it was established.
///
/// It is a required argument of every request, since From is not evidence. The first URI is the one
/// that subscriptions are listed under.
///
/// ```
/// use presentity::event::{Assurance, Identity};
///
/// let identity = Identity::of("sip:ana@Example.com;transport=tcp", Assurance::Digest)?;
/// assert_eq!(identity.primary(), Some("ana@example.com"));
/// assert!(Identity::nobody().is_nobody());
/// # Ok::<(), presentity::event::InvalidIdentity>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    claims: Vec<(String, Assurance)>,
}

impl Identity {
    /// Nobody: no authentication, or one that names no user (anonymous digest).
    ///
    /// A subscription that a policy lets nobody have may be refreshed and ended by whoever knows
    /// its dialog, identified or not: there is no other sign of whose it is.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// The identity of the user with this URI.
    ///
    /// # Errors
    /// When the text is no URI, or one that names nobody.
    pub fn of(uri: &str, assurance: Assurance) -> Result<Self, InvalidIdentity> {
        Self::nobody().and(uri, assurance)
    }

    /// The same with one more URI (a pres URI beside a sip URI, a second asserted identity).
    ///
    /// # Errors
    /// When the text is no URI, or one that names nobody.
    pub fn and(mut self, uri: &str, assurance: Assurance) -> Result<Self, InvalidIdentity> {
        let parsed = Uri::parse(uri).map_err(|_| InvalidIdentity)?;
        let name = parsed.address_of_record().ok_or(InvalidIdentity)?;
        self.claims.push((name, assurance));
        Ok(self)
    }

    /// Whether it names nobody.
    pub fn is_nobody(&self) -> bool {
        self.claims.is_empty()
    }

    /// The canonical address of record of the first URI.
    pub fn primary(&self) -> Option<&str> {
        self.claims.first().map(|(name, _)| name.as_str())
    }

    /// Whether one of the URIs has this canonical address of record.
    pub fn includes(&self, address_of_record: &str) -> bool {
        self.claims
            .iter()
            .any(|(name, _)| name == address_of_record)
    }

    /// Somebody who is known by a canonical address of record.
    pub(super) fn known(address_of_record: &str, assurance: Assurance) -> Self {
        Self {
            claims: vec![(address_of_record.to_owned(), assurance)],
        }
    }

    /// The same, listed under one of its addresses of record.
    pub(crate) fn led_by(&self, address_of_record: &str) -> Self {
        let mut claims = self.claims.clone();
        let place = claims
            .iter()
            .position(|(name, _)| name == address_of_record);
        if let Some(claims) = claims.get_mut(..=place.unwrap_or(0)) {
            claims.rotate_right(1);
        }
        Self { claims }
    }

    /// Canonical addresses of record with how each was established, in the order they were given.
    pub fn claims(&self) -> impl Iterator<Item = (&str, Assurance)> {
        self.claims
            .iter()
            .map(|(name, assurance)| (name.as_str(), *assurance))
    }
}

/// The text is no URI, or one that names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no URI that names somebody")]
pub struct InvalidIdentity;

/// What the host knows of a request beyond its text.
#[derive(Debug, Clone, Copy)]
pub struct RequestContext<'a> {
    pub(super) identity: &'a Identity,
    pub(super) local_contact: &'a str,
    pub(super) flow: Option<FlowId>,
    pub(super) source: Option<IpAddr>,
}

impl<'a> RequestContext<'a> {
    /// `local_contact` is the URI by which the peer reaches this agent on the transport that the
    /// request came by, such as `sip:192.0.2.1:5060;transport=tcp`; a GRUU where there is one
    /// (RFC 6665 section 4.5.1), a sips URI where the request is for one.
    pub fn new(identity: &'a Identity, local_contact: &'a str) -> Self {
        Self {
            identity,
            local_contact,
            flow: None,
            source: None,
        }
    }

    /// The connection or path that the request came by.
    #[must_use]
    pub fn with_flow(mut self, flow: FlowId) -> Self {
        self.flow = Some(flow);
        self
    }

    /// The address that it came from, for the limit per source.
    #[must_use]
    pub fn with_source(mut self, source: IpAddr) -> Self {
        self.source = Some(source);
        self
    }

    pub(crate) fn identity(&self) -> &'a Identity {
        self.identity
    }

    /// The same with another identity.
    pub(crate) fn with_identity<'b>(&self, identity: &'b Identity) -> RequestContext<'b>
    where
        'a: 'b,
    {
        RequestContext { identity, ..*self }
    }
}
