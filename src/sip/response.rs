//! Responses that leave.

use bytes::Bytes;

use super::{HeaderName, RequestRef, Tag};
use crate::engine::ServerTransaction;

/// Octets that hold the fields of most responses.
const USUAL_FIELDS: usize = 120;

/// A final response for the host to send in a server transaction.
///
/// It names what this library decides. The host (or [`write_to`](Self::write_to)) copies from the
/// request, as RFC 3261 section 8.2.6.2 asks: every Via in order, From, Call-ID, CSeq, and To with
/// [`to_tag`](Self::to_tag) added when that is given; and, in a 2xx to SUBSCRIBE, every
/// Record-Route ([`copies_record_route`](Self::copies_record_route)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a response that is not sent leaves its request unanswered"]
pub struct Response {
    transaction: ServerTransaction,
    status: u16,
    to_tag: Option<Tag>,
    copies_record_route: bool,
    /// Whole lines, each ended by CRLF.
    fields: String,
    body: Bytes,
}

impl Response {
    pub(crate) fn new(transaction: ServerTransaction, status: u16, to_tag: Option<Tag>) -> Self {
        Self {
            transaction,
            status,
            to_tag,
            copies_record_route: false,
            fields: String::new(),
            body: Bytes::new(),
        }
    }

    /// A value has no line break: it was read from a field, or made here.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.put(name, &[value]);
        self
    }

    /// A value in parts.
    pub(crate) fn put(&mut self, name: HeaderName, value: &[&str]) {
        if self.fields.is_empty() {
            self.fields.reserve(USUAL_FIELDS);
        }
        self.fields.push_str(name.as_str());
        self.fields.push_str(": ");
        for part in value {
            self.fields.push_str(part);
        }
        self.fields.push_str("\r\n");
    }

    /// A media type has no line break either.
    pub(crate) fn with_body(mut self, media_type: &str, body: Bytes) -> Self {
        self.put(HeaderName::ContentType, &[media_type]);
        self.body = body;
        self
    }

    pub(crate) fn with_record_route(mut self) -> Self {
        self.copies_record_route = true;
        self
    }

    /// The transaction that it answers.
    pub fn transaction(&self) -> ServerTransaction {
        self.transaction
    }

    /// The status code, 200 to 699.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The standard reason phrase of the status code.
    pub fn reason_phrase(&self) -> &'static str {
        super::status::reason_phrase(self.status)
    }

    /// The tag to add to the request's To; nothing when that has one already.
    pub fn to_tag(&self) -> Option<&str> {
        self.to_tag.as_ref().map(Tag::as_str)
    }

    /// Whether the Record-Route fields of the request are copied: a 2xx that makes a dialog.
    pub fn copies_record_route(&self) -> bool {
        self.copies_record_route
    }

    /// The fields to add, as name and value, without Content-Length.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .split_terminator("\r\n")
            .filter_map(|line| line.split_once(": "))
    }

    /// The body; most responses have none.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Appends the whole message to `out`, with the fields copied from `request`.
    ///
    /// `added` is zero or more complete header lines of the host's (WWW-Authenticate, Server),
    /// each ended by CRLF. A host that adds `received` or `rport` to the topmost Via does so in
    /// the view that it passes.
    pub fn write_to(&self, request: &RequestRef<'_>, added: &str, out: &mut Vec<u8>) {
        let mut text = String::with_capacity(512);
        text.push_str("SIP/2.0 ");
        text.push_str(&self.status.to_string());
        text.push(' ');
        text.push_str(self.reason_phrase());
        text.push_str("\r\n");
        for name in [
            HeaderName::Via,
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::CSeq,
            HeaderName::RecordRoute,
        ] {
            if name == HeaderName::RecordRoute && !self.copies_record_route {
                continue;
            }
            for value in request.values(name) {
                text.push_str(name.as_str());
                text.push_str(": ");
                text.push_str(value);
                if let (HeaderName::To, Some(tag)) = (name, &self.to_tag) {
                    text.push_str(";tag=");
                    text.push_str(tag.as_str());
                }
                text.push_str("\r\n");
            }
        }
        text.push_str(&self.fields);
        text.push_str(added);
        text.push_str("Content-Length: ");
        text.push_str(&self.body.len().to_string());
        text.push_str("\r\n\r\n");
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(&self.body);
    }
}
