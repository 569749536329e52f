//! Requests that leave: an owned value that the host turns into its own types or into octets.

use core::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::{HeaderName, Rates};
use crate::engine::{ClientTransaction, FlowId};

/// A request for the host to send as a new client transaction.
///
/// It is complete but for Via, which is the host's: a host either takes [`method`](Self::method),
/// [`uri`](Self::uri), [`fields`](Self::fields) and [`body`](Self::body) into its own message type,
/// or writes the octets with [`write_to`](Self::write_to). The outcome goes back by
/// [`transaction`](Self::transaction).
#[derive(Debug, Clone)]
#[must_use = "a request that is not sent leaves its transaction open"]
pub struct OutgoingRequest {
    transaction: ClientTransaction,
    flow: Option<FlowId>,
    /// Method and Request-URI, then the fields that stay the same in the dialog.
    head: Head,
    own: Own,
    content: Arc<Content>,
}

/// The fields of one request alone: numbers, until somebody asks for the text.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    cseq: u32,
    state: Standing,
    /// Whole lines, each ended by CRLF.
    text: OnceLock<Box<str>>,
}

/// What a NOTIFY says of its subscription (RFC 6665 section 4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Active {
        expires: u32,
    },
    Pending {
        expires: u32,
    },
    Terminated {
        reason: &'static str,
        retry_after: Option<u32>,
    },
}

/// The fields that all requests with one document have alike, and the document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// Whole lines, each ended by CRLF, and the empty one.
    lines: Box<str>,
    body: Bytes,
}

/// The part of a request that is the same for each request of a dialog; shared, not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// `METHOD uri SIP/2.0`, CRLF, then fields, each ended by CRLF; behind it, beyond the message, the
    /// next hop where neither Route nor Request-URI tells it.
    text: Arc<str>,
    method_len: u16,
    uri_len: u16,
    hop_len: u16,
}

/// Lengths that every request has: `" SIP/2.0\r\n"` and the two spaces are counted here once.
const VERSION: &str = " SIP/2.0\r\n";
/// The field that every request has alike (RFC 3261 section 8.1.1.6), and no head keeps.
const MAX_FORWARDS: &str = "Max-Forwards: 70\r\n";

/// Makes heads, one after the other, in the same piece of memory: the request line, then the fields as
/// they are put in.
#[derive(Debug, Default)]
pub(crate) struct HeadWriter {
    text: String,
    method_len: u16,
    uri_len: u16,
    fields_start: usize,
}

impl HeadWriter {
    /// Begins another head; nothing when method or URI is too long to index.
    pub(crate) fn begin(&mut self, method: &str, uri: &str) -> Option<()> {
        self.method_len = u16::try_from(method.len()).ok()?;
        self.uri_len = u16::try_from(uri.len()).ok()?;
        self.text.clear();
        for part in [method, " ", uri, VERSION] {
            self.text.push_str(part);
        }
        self.fields_start = self.text.len();
        Some(())
    }

    /// A piece of the fields, which are whole lines in the end, each ended by CRLF.
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Octets of the fields so far.
    pub(crate) fn len(&self) -> usize {
        self.text.len() - self.fields_start
    }

    /// The head that was begun last.
    pub(crate) fn finish(&self) -> Head {
        Head {
            text: self.text.as_str().into(),
            method_len: self.method_len,
            uri_len: self.uri_len,
            hop_len: 0,
        }
    }

    /// The head that was begun last, of a request that goes to this URI without naming it.
    pub(crate) fn finish_towards(&mut self, hop: &str) -> Option<Head> {
        let hop_len = u16::try_from(hop.len()).ok()?;
        self.text.push_str(hop);
        let head = self.finish();
        Some(Head { hop_len, ..head })
    }
}

impl Head {
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

    /// All of it: the request line and the constant fields.
    pub(crate) fn text(&self) -> &str {
        self.text.get(..self.len()).unwrap_or_default()
    }

    /// Octets of the request line and the constant fields.
    fn len(&self) -> usize {
        self.text.len() - usize::from(self.hop_len)
    }

    /// The next hop where neither Route nor Request-URI tells it.
    fn hop(&self) -> Option<&str> {
        (self.hop_len > 0).then(|| self.text.get(self.len()..))?
    }

    /// The request line, and the constant fields.
    fn octets(&self) -> (&[u8], &[u8]) {
        let text = self.text.as_bytes();
        let text = text.get(..self.len()).unwrap_or(text);
        text.split_at_checked(self.fields_start())
            .unwrap_or((text, &[]))
    }

    /// The constant fields, each ended by CRLF.
    pub(crate) fn fields(&self) -> &str {
        self.text
            .get(self.fields_start()..self.len())
            .unwrap_or_default()
    }

    fn fields_start(&self) -> usize {
        usize::from(self.method_len) + 1 + usize::from(self.uri_len) + VERSION.len()
    }
}

impl Content {
    /// `added` is whole lines, each ended by CRLF; without a media type there is no body.
    pub(crate) fn new(added: &str, media_type: Option<&str>, body: Bytes) -> Self {
        let mut lines = String::with_capacity(added.len() + 80);
        lines.push_str(added);
        if let Some(media_type) = media_type {
            lines.push_str("Content-Type: ");
            lines.push_str(media_type);
            lines.push_str("\r\n");
        }
        lines.push_str("Content-Length: ");
        lines.push_str(itoa::Buffer::new().format(body.len()));
        lines.push_str("\r\n\r\n");
        Self {
            lines: lines.into(),
            body,
        }
    }

    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }
}

impl Own {
    /// Octets that suffice unless there is more in it than numbers.
    const MOST: usize = 128;

    /// `more` is the fields that few requests have.
    #[inline]
    pub(crate) fn new(cseq: u32, state: Standing, more: &[(HeaderName, String)]) -> Self {
        let mut own = Self {
            cseq,
            state,
            text: OnceLock::new(),
        };
        if !more.is_empty() {
            own.text = own.make_text(Rates::NONE, more).into();
        }
        own
    }

    /// The same, of a subscription with a pace of its own (RFC 6446).
    #[inline(never)]
    pub(crate) fn with_rates(
        cseq: u32,
        state: Standing,
        rates: Rates,
        more: &[(HeaderName, String)],
    ) -> Self {
        let text = OnceLock::new();
        let own = Self { cseq, state, text };
        let text = own.make_text(rates, more).into();
        Self { text, ..own }
    }

    /// The lines of a request outside NOTIFY.
    pub(crate) fn of_request(
        method: &str,
        cseq: u32,
        expires: u32,
        if_match: Option<&str>,
        more: &[(HeaderName, String)],
    ) -> Self {
        let mut text = format!("CSeq: {cseq} {method}\r\nExpires: {expires}\r\n");
        let if_match = if_match.map(|tag| (HeaderName::SipIfMatch, tag));
        let more = more.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in if_match.into_iter().chain(more) {
            for part in [name.as_str(), ": ", value, "\r\n"] {
                text.push_str(part);
            }
        }
        Self {
            cseq,
            state: Standing::Active { expires },
            text: OnceLock::from(Box::from(text)),
        }
    }

    fn make_text(&self, rates: Rates, more: &[(HeaderName, String)]) -> Box<str> {
        let mut text = Vec::with_capacity(self.len());
        self.write_numbers(&mut text);
        let mut text = String::from_utf8(text).unwrap_or_default();
        if !rates.is_none() {
            text.truncate(text.trim_end().len());
            let _ = write!(text, "{rates}\r\n");
        }
        for (name, value) in more {
            text.push_str(name.as_str());
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        }
        text.into()
    }

    fn text(&self) -> &str {
        self.text.get_or_init(|| self.make_text(Rates::NONE, &[]))
    }

    fn write_to(&self, out: &mut Vec<u8>) {
        match self.text.get() {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => self.write_numbers(out),
        }
    }

    fn write_numbers(&self, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(b"CSeq: ");
        out.extend_from_slice(digits.format(self.cseq).as_bytes());
        let number = match self.state {
            Standing::Active { expires } => {
                out.extend_from_slice(b" NOTIFY\r\nSubscription-State: active;expires=");
                Some(expires)
            }
            Standing::Pending { expires } => {
                out.extend_from_slice(b" NOTIFY\r\nSubscription-State: pending;expires=");
                Some(expires)
            }
            Standing::Terminated {
                reason,
                retry_after,
            } => {
                out.extend_from_slice(b" NOTIFY\r\nSubscription-State: terminated;reason=");
                out.extend_from_slice(reason.as_bytes());
                if retry_after.is_some() {
                    out.extend_from_slice(b";retry-after=");
                }
                retry_after
            }
        };
        if let Some(number) = number {
            out.extend_from_slice(digits.format(number).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    fn len(&self) -> usize {
        if let Some(text) = self.text.get() {
            return text.len();
        }
        let digits = |number: u32| number.checked_ilog10().map_or(1, |log| log as usize + 1);
        let state = match self.state {
            Standing::Active { expires } => "active;expires=".len() + digits(expires),
            Standing::Pending { expires } => "pending;expires=".len() + digits(expires),
            Standing::Terminated {
                reason,
                retry_after,
            } => {
                let patience =
                    retry_after.map_or(0, |number| ";retry-after=".len() + digits(number));
                "terminated;reason=".len() + reason.len() + patience
            }
        };
        "CSeq:  NOTIFY\r\nSubscription-State: \r\n".len() + digits(self.cseq) + state
    }
}

impl PartialEq for OutgoingRequest {
    /// Whether both are the same octets, for the same transaction and connection.
    fn eq(&self, other: &Self) -> bool {
        self.transaction == other.transaction
            && self.flow == other.flow
            && self.head == other.head
            && self.own.text() == other.own.text()
            && self.content == other.content
    }
}

impl Eq for OutgoingRequest {}

impl OutgoingRequest {
    pub(crate) fn new(
        transaction: ClientTransaction,
        flow: Option<FlowId>,
        head: Head,
        own: Own,
        content: Arc<Content>,
    ) -> Self {
        Self {
            transaction,
            flow,
            head,
            own,
            content,
        }
    }

    /// The same with other content.
    pub(crate) fn with_content(mut self, content: Arc<Content>) -> Self {
        self.content = content;
        self
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
    /// (RFC 3261 section 8.1.2, with section 12.2.1.1 already applied for strict routers). For a
    /// pres URI it is what that was resolved to, which the request itself does not name.
    pub fn next_hop(&self) -> &str {
        if let Some(hop) = self.head.hop() {
            return hop;
        }
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
            self.own.text(),
            &self.content.lines,
        ]
        .into_iter()
        .flat_map(|block| block.split_terminator("\r\n"))
        .filter_map(|line| line.split_once(": "))
    }

    /// The body; shared with every other request that carries the same document.
    pub fn body(&self) -> &Bytes {
        &self.content.body
    }

    /// Octets of the whole message with a Via field of `via_len` octets (its name, value and CRLF).
    ///
    /// A message above 1300 octets goes by a congestion-controlled transport (RFC 3261 section
    /// 18.1.1).
    pub fn encoded_len(&self, via_len: usize) -> usize {
        self.encoded_len_without_own(via_len) + self.own.len()
    }

    fn encoded_len_without_own(&self, via_len: usize) -> usize {
        self.head.len()
            + via_len
            + MAX_FORWARDS.len()
            + self.content.lines.len()
            + self.content.body.len()
    }

    /// Appends the whole message to `out`; `via` is one or more complete header lines, each ended
    /// by CRLF, which are put first.
    pub fn write_to(&self, via: &str, out: &mut Vec<u8>) {
        let (most, rest) = (Own::MOST, self.encoded_len_without_own(via.len()));
        out.reserve(most + rest);
        let (request_line, fields) = self.head.octets();
        out.extend_from_slice(request_line);
        out.extend_from_slice(via.as_bytes());
        out.extend_from_slice(fields);
        out.extend_from_slice(MAX_FORWARDS.as_bytes());
        self.own.write_to(out);
        out.extend_from_slice(self.content.lines.as_bytes());
        out.extend_from_slice(&self.content.body);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::{Content, HeadWriter, OutgoingRequest, Own, Standing};
    use crate::engine::ClientTransaction;
    use crate::engine::slab::Key;
    use crate::sip::HeaderName;

    const VIA: &str = "Via: SIP/2.0/TCP pa.example.com;branch=z9hG4bKab12\r\n";

    fn request(cseq: u32, standing: Standing, more: &[(HeaderName, String)]) -> OutgoingRequest {
        let mut head = HeadWriter::default();
        head.begin("NOTIFY", "sip:mia@192.0.2.4").unwrap();
        head.push("Call-ID: b7\r\n");
        let head = head.finish();
        let body = Bytes::from_static(b"<presence/>");
        let content = Content::new("Server: Pa 2\r\n", Some("application/pidf+xml"), body);
        let own = Own::new(cseq, standing, more);
        OutgoingRequest::new(
            ClientTransaction::of(0, Key::first(3)),
            None,
            head,
            own,
            Arc::new(content),
        )
    }

    #[test]
    fn octets_fields_and_length_tell_the_same() {
        let credentials = [(HeaderName::Authorization, "Digest x".repeat(40))];
        let ended = |retry_after| Standing::Terminated {
            reason: "probation",
            retry_after,
        };
        let cases = [
            (Standing::Active { expires: 0 }, "active;expires=0"),
            (Standing::Active { expires: 3600 }, "active;expires=3600"),
            (
                Standing::Pending { expires: u32::MAX },
                "pending;expires=4294967295",
            ),
            (ended(None), "terminated;reason=probation"),
            (ended(Some(0)), "terminated;reason=probation;retry-after=0"),
            (
                ended(Some(86_400)),
                "terminated;reason=probation;retry-after=86400",
            ),
        ];
        for (standing, text) in cases {
            for (cseq, more) in [(0, &[][..]), (10, &credentials), (u32::MAX, &[])] {
                let request = request(cseq, standing, more);
                // Before and after the text of its own lines was asked for.
                let mut early = b"before ".to_vec();
                request.write_to(VIA, &mut early);
                let fields: Vec<_> = request.fields().collect();
                let mut late = b"before ".to_vec();
                request.write_to(VIA, &mut late);
                assert_eq!(early, late);

                let mut expected = format!("before NOTIFY sip:mia@192.0.2.4 SIP/2.0\r\n{VIA}");
                for (name, value) in &fields {
                    expected.push_str(&format!("{name}: {value}\r\n"));
                }
                expected.push_str("\r\n<presence/>");
                assert_eq!(String::from_utf8(early).unwrap(), expected);
                let octets = request.encoded_len(VIA.len());
                assert_eq!(octets, expected.len() - "before ".len());

                let cseq = format!("{cseq} NOTIFY");
                assert!(fields.contains(&("CSeq", &cseq)));
                assert!(fields.contains(&("Subscription-State", text)));
                assert!(fields.contains(&("Server", "Pa 2")));
                assert_eq!(fields.last(), Some(&("Content-Length", "11")));
                let has_credentials = fields.iter().any(|(name, _)| *name == "Authorization");
                assert_eq!(has_credentials, !more.is_empty());
            }
        }
    }

    #[test]
    fn requests_are_equal_when_their_octets_are() {
        let active = |expires| request(7, Standing::Active { expires }, &[]);
        let one = active(60);
        let _ = one.fields().count();
        assert_eq!(one, active(60));
        assert_ne!(one, active(61));
        assert_ne!(one, request(8, Standing::Active { expires: 60 }, &[]));
    }
}
