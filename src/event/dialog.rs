//! The dialog of a subscription, as the notifier holds it.

use super::refusal::Refusal;
use crate::sip::{
    CSeq, Event, Head, HeadWriter, HeaderName, NameAddr, RequestRef, Tag, Uri, parse_call_id,
    parse_routes,
};

/// The fields that every request must have (RFC 3261 section 8.1.1).
#[derive(Debug)]
pub(super) struct Basics<'a> {
    pub(super) from: NameAddr<'a>,
    pub(super) from_tag: &'a str,
    pub(super) to: NameAddr<'a>,
    pub(super) call_id: &'a str,
    pub(super) cseq: u32,
}

impl<'a> Basics<'a> {
    pub(super) fn read(request: &RequestRef<'a>) -> Result<Self, Refusal> {
        let field = |name| request.single(name)?.ok_or_else(Refusal::malformed);
        let from = NameAddr::parse(field(HeaderName::From)?)?;
        let to = NameAddr::parse(field(HeaderName::To)?)?;
        let call_id = parse_call_id(field(HeaderName::CallId)?)?;
        let cseq = CSeq::parse(field(HeaderName::CSeq)?)?;
        let from_tag = from.tag().ok_or_else(Refusal::malformed)?;
        if cseq.method != request.method() {
            return Err(Refusal::malformed());
        }
        Ok(Self {
            from,
            from_tag,
            to,
            call_id,
            cseq: cseq.number,
        })
    }
}

/// Where a part of the head's fields stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u16,
    len: u16,
}

impl Span {
    fn of(self, text: &str) -> &str {
        let start = usize::from(self.start);
        text.get(start..start + usize::from(self.len))
            .unwrap_or_default()
    }
}

/// A dialog made by a SUBSCRIBE. Everything but counters stands in the head of its NOTIFYs, once.
#[derive(Debug)]
pub(super) struct Dialog {
    pub(super) head: Head,
    pub(super) local_tag: u64,
    pub(super) remote_cseq: u32,
    pub(super) local_cseq: u32,
    call_id: Span,
    remote_tag: Span,
    event_id: Span,
    /// Where the Contact line begins; it is the last.
    contact: u16,
    /// The first hop is a strict router: the target stands in the last Route line.
    strict: bool,
}

/// What a dialog is made of besides the basics of its SUBSCRIBE.
#[derive(Debug)]
pub(super) struct DialogParts<'a> {
    pub(super) event: &'a Event<'a>,
    pub(super) target: &'a str,
    pub(super) local_contact: &'a str,
    pub(super) local_tag: u64,
    pub(super) initial_cseq: u32,
    /// Octets that the head may take.
    pub(super) limit: usize,
}

const FROM: &str = "From: <";

/// Appends a piece and tells where it stands.
fn put(head: &mut HeadWriter, part: &str) -> Span {
    let start = head.len() as u16;
    head.push(part);
    Span {
        start,
        len: part.len() as u16,
    }
}

impl Dialog {
    /// Nothing when it would take more than the limit.
    pub(super) fn new(
        request: &RequestRef<'_>,
        basics: &Basics<'_>,
        parts: &DialogParts<'_>,
        head: &mut HeadWriter,
    ) -> Result<Option<Self>, Refusal> {
        let routes = parse_routes(request.values(HeaderName::RecordRoute))?;
        if !routes.iter().all(|route| may_be_target(route.uri())) {
            return Err(Refusal::malformed());
        }
        let route_octets: usize = routes.iter().map(|route| route.uri().len() + 12).sum();
        let octets = basics.from.uri().len()
            + basics.to.uri().len()
            + basics.from_tag.len()
            + basics.call_id.len()
            + parts.event.id().map_or(0, str::len)
            + parts.target.len()
            + parts.local_contact.len()
            + route_octets;
        // Offsets are 16 bits wide; what is constant in the lines takes less than a kilobyte.
        if octets > parts.limit.min(usize::from(u16::MAX) - 1024) {
            return Ok(None);
        }
        let hops = routes.iter().map(|route| route.uri());
        let (request_uri, hops, strict) = way(hops, parts.target);
        if head.begin("NOTIFY", request_uri).is_none() {
            return Ok(None);
        }
        head.push(FROM);
        head.push(basics.to.uri());
        head.push(">;tag=");
        head.push(Tag::from_bits(parts.local_tag).as_str());
        head.push("\r\nTo: <");
        head.push(basics.from.uri());
        head.push(">;tag=");
        let remote_tag = put(head, basics.from_tag);
        head.push("\r\nCall-ID: ");
        let call_id = put(head, basics.call_id);
        head.push("\r\nEvent: ");
        head.push(parts.event.event_type());
        let mut event_id = Span { start: 0, len: 0 };
        if let Some(id) = parts.event.id() {
            head.push(";id=");
            event_id = put(head, id);
        }
        head.push("\r\n");
        for hop in hops {
            head.push("Route: <");
            head.push(hop);
            head.push(">\r\n");
        }
        let contact = head.len() as u16;
        for part in contact_line(parts.local_contact) {
            head.push(part);
        }
        if request_uri.len() + head.len() > parts.limit {
            return Ok(None);
        }
        Ok(Some(Self {
            head: head.finish(),
            local_tag: parts.local_tag,
            remote_cseq: basics.cseq,
            local_cseq: parts.initial_cseq,
            call_id,
            remote_tag,
            event_id,
            contact,
            strict,
        }))
    }

    /// Whether a request with these belongs here; the local tag has been compared already.
    pub(super) fn is(&self, call_id: &str, remote_tag: &str) -> bool {
        let fields = self.head.fields();
        self.call_id.of(fields) == call_id && self.remote_tag.of(fields) == remote_tag
    }

    /// The URI of From, which is the first line.
    pub(super) fn local_uri(&self) -> &str {
        let line = self.head.fields().strip_prefix(FROM).unwrap_or_default();
        line.split('>').next().unwrap_or_default()
    }

    pub(super) fn has_event_id(&self, id: Option<&str>) -> bool {
        let own = self.event_id.of(self.head.fields());
        (!own.is_empty()).then_some(own) == id
    }

    /// SUBSCRIBE and NOTIFY are target refreshes (RFC 6665 section 3.1). False when the new head
    /// would be too large; then nothing changed.
    pub(super) fn retarget(
        &mut self,
        target: Option<&str>,
        local_contact: &str,
        limit: usize,
        head: &mut HeadWriter,
    ) -> bool {
        let fields = self.head.fields();
        let (mut kept, old_contact) = fields
            .split_at_checked(usize::from(self.contact))
            .unwrap_or((fields, ""));
        let new_contact = contact_line(local_contact).concat();
        let mut route = String::new();
        let mut request_uri = self.head.uri();
        if let Some(target) = target {
            if self.strict {
                let start = kept.trim_end().rfind("\r\n").map_or(0, |end| end + 2);
                kept = kept.get(..start).unwrap_or(kept);
                route = format!("Route: <{target}>\r\n");
            } else {
                request_uri = target;
            }
        }
        if route.is_empty() && request_uri == self.head.uri() && new_contact == old_contact {
            return true;
        }
        let octets = kept.len() + route.len() + new_contact.len();
        if request_uri.len() + octets > limit.min(usize::from(u16::MAX)) {
            return false;
        }
        if head.begin("NOTIFY", request_uri).is_none() {
            return false;
        }
        head.push(kept);
        head.push(&route);
        let contact = head.len() as u16;
        head.push(&new_contact);
        self.head = head.finish();
        self.contact = contact;
        true
    }
}

/// The Request-URI and the Route fields of a request to a target through a route set, and whether the
/// first of it is a strict router, which finds itself in the Request-URI (RFC 3261 section 12.2.1.1).
pub(super) fn way<'a>(
    routes: impl Iterator<Item = &'a str>,
    target: &'a str,
) -> (&'a str, Vec<&'a str>, bool) {
    let mut hops: Vec<&str> = routes.collect();
    match hops.first() {
        Some(first) if !is_loose(first) => {
            let request_uri = hops.remove(0);
            hops.push(target);
            (request_uri, hops, true)
        }
        Some(_) | None => (target, hops, false),
    }
}

pub(super) fn contact_line(uri: &str) -> [&str; 3] {
    ["Contact: <", uri, ">\r\n"]
}

/// Whether a URI of Contact or Record-Route can be a Request-URI: it is a SIP address with neither
/// method nor header fields, which neither may have in a dialog (RFC 3261 section 19.1.1, table 1).
pub(super) fn may_be_target(uri: &str) -> bool {
    match Uri::parse(uri) {
        Ok(Uri::Sip(uri)) => uri.headers().is_empty() && uri.params().get("method").is_none(),
        _ => false,
    }
}

fn is_loose(uri: &str) -> bool {
    match Uri::parse(uri) {
        Ok(Uri::Sip(uri)) => uri.params().get("lr").is_some(),
        _ => false,
    }
}
