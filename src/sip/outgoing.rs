//! Requests that leave: an owned value that the host turns into its own types or into octets.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::{ClientTransaction, FlowId};

/// A request for the host to send as a new client transaction.
///
/// It is complete but for Via, which is the host's: a host either takes [`method`](Self::method),
/// [`uri`](Self::uri), [`fields`](Self::fields) and [`body`](Self::body) into its own message type,
/// or writes the octets with [`write_to`](Self::write_to). The outcome goes back by
/// [`transaction`](Self::transaction).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a request that is not sent leaves its transaction open"]
pub struct OutgoingRequest {
    transaction: ClientTransaction,
    flow: Option<FlowId>,
    /// Method and Request-URI, then the fields that stay the same in the dialog.
    head: Head,
    /// Fields that the host adds to every request of this kind.
    added: Option<Arc<str>>,
    /// The fields of this request alone, each ended by CRLF.
    own: String,
    body: Bytes,
}

/// The part of a request that is the same for each request of a dialog; shared, not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// `METHOD uri SIP/2.0`, CRLF, then fields, each ended by CRLF.
    text: Arc<str>,
    method_len: u16,
    uri_len: u16,
}

/// Lengths that every request has: `" SIP/2.0\r\n"` and the two spaces are counted here once.
const VERSION: &str = " SIP/2.0\r\n";
/// The field that every request has alike (RFC 3261 section 8.1.1.6), and no head keeps.
const MAX_FORWARDS: &str = "Max-Forwards: 70\r\n";

impl Head {
    /// `fields` is whole lines, each ended by CRLF; nothing when method or URI is too long to index.
    pub(crate) fn new(method: &str, uri: &str, fields: &str) -> Option<Self> {
        let method_len = u16::try_from(method.len()).ok()?;
        let uri_len = u16::try_from(uri.len()).ok()?;
        let mut text =
            String::with_capacity(method.len() + 1 + uri.len() + VERSION.len() + fields.len());
        text.push_str(method);
        text.push(' ');
        text.push_str(uri);
        text.push_str(VERSION);
        text.push_str(fields);
        Some(Self {
            text: text.into(),
            method_len,
            uri_len,
        })
    }

    pub(crate) fn method(&self) -> &str {
        self.text
            .get(..usize::from(self.method_len))
            .unwrap_or_default()
    }

    pub(crate) fn uri(&self) -> &str {
        let start = usize::from(self.method_len) + 1;
        self.text
            .get(start..start + usize::from(self.uri_len))
            .unwrap_or_default()
    }

    fn request_line(&self) -> &str {
        self.text.get(..self.fields_start()).unwrap_or_default()
    }

    /// The constant fields, each ended by CRLF.
    pub(crate) fn fields(&self) -> &str {
        self.text.get(self.fields_start()..).unwrap_or_default()
    }

    fn fields_start(&self) -> usize {
        usize::from(self.method_len) + 1 + usize::from(self.uri_len) + VERSION.len()
    }
}

impl OutgoingRequest {
    /// `own` is whole lines, each ended by CRLF.
    pub(crate) fn new(
        transaction: ClientTransaction,
        flow: Option<FlowId>,
        head: Head,
        added: Option<Arc<str>>,
        own: String,
        body: Bytes,
    ) -> Self {
        Self {
            transaction,
            flow,
            head,
            added,
            own,
            body,
        }
    }

    /// The name under which the host reports the outcome.
    pub fn transaction(&self) -> ClientTransaction {
        self.transaction
    }

    /// The connection to send it by, as the host named it when the peer's request came in; a host
    /// without that connection goes by [`next_hop`](Self::next_hop).
    pub fn flow(&self) -> Option<FlowId> {
        self.flow
    }

    /// The method: `NOTIFY`, `SUBSCRIBE` or `PUBLISH`.
    pub fn method(&self) -> &str {
        self.head.method()
    }

    /// The Request-URI.
    pub fn uri(&self) -> &str {
        self.head.uri()
    }

    /// The URI to resolve for the next hop: that of the first Route, else the Request-URI
    /// (RFC 3261 section 8.1.2, with section 12.2.1.1 already applied for strict routers).
    pub fn next_hop(&self) -> &str {
        self.fields()
            .find(|(name, _)| *name == "Route")
            .and_then(|(_, value)| value.split_once('<')?.1.split_once('>'))
            .map_or(self.uri(), |(uri, _)| uri)
    }

    /// The header fields as name and value, without Via; Content-Length is the last.
    ///
    /// A name may come several times (Route); the order is to be kept.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        [
            self.head.fields(),
            MAX_FORWARDS,
            self.added.as_deref().unwrap_or_default(),
            &self.own,
        ]
        .into_iter()
        .flat_map(|block| block.split_terminator("\r\n"))
        .filter_map(|line| line.split_once(": "))
    }

    /// The body; shared with every other request that carries the same document.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Octets of the whole message with a Via field of `via_len` octets (its name, value and CRLF).
    ///
    /// A message above 1300 octets goes by a congestion-controlled transport (RFC 3261 section
    /// 18.1.1).
    pub fn encoded_len(&self, via_len: usize) -> usize {
        self.head.text.len()
            + via_len
            + MAX_FORWARDS.len()
            + self.added.as_deref().map_or(0, str::len)
            + self.own.len()
            + 2
            + self.body.len()
    }

    /// Appends the whole message to `out`; `via` is one or more complete header lines, each ended
    /// by CRLF, which are put first.
    pub fn write_to(&self, via: &str, out: &mut Vec<u8>) {
        out.reserve(self.encoded_len(via.len()));
        out.extend_from_slice(self.head.request_line().as_bytes());
        out.extend_from_slice(via.as_bytes());
        out.extend_from_slice(self.head.fields().as_bytes());
        out.extend_from_slice(MAX_FORWARDS.as_bytes());
        if let Some(added) = &self.added {
            out.extend_from_slice(added.as_bytes());
        }
        out.extend_from_slice(self.own.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}
