//! SUBSCRIBEs that somebody else is to answer, forwarded as a stateful proxy does it (RFC 3261 section 16):
//! to the device of a presentity that is a presence agent itself, or to another server while this one is
//! being emptied.
//!
//! No Record-Route is added: the dialog is between the watcher and whoever answers.

use std::net::IpAddr;

use bytes::Bytes;
use presentity::engine::{FlowId, ServerTransaction};
use presentity::event::{Failure, Forward, Forwarded, Identity, RequestContext};
use presentity::presence::Policy;
use presentity::sip::{HeaderName, NameAddr, RequestRef, split_list};
use rsipstack::sip::Transport;

use super::outgoing::Outgoing;
use super::transport::{Arrival, next_hop};
use super::{Adapter, Host, Origin, Reply, Unanswered, message};

/// Requests that may be under way at once; each is kept until it is answered.
const MAX_FORWARDED: usize = 4096;
/// How often a request is forwarded, when what it was forwarded to was no agent.
const MAX_TRIES: u8 = 3;
/// Max-Forwards of a request that came without (RFC 3261 section 16.6 step 3).
const MAX_FORWARDS: u32 = 70;

/// A request as it came, which may have to be forwarded.
pub(crate) struct Kept {
    method: String,
    uri: String,
    fields: Vec<(String, String)>,
    body: Bytes,
    local_contact: String,
    flow: Option<FlowId>,
    source: Option<IpAddr>,
    /// Where it was forwarded to.
    target: Option<Forward>,
    tries: u8,
}

/// A request of somebody else's, to be sent.
#[derive(Debug)]
pub(crate) struct ForwardedRequest {
    /// The server transaction that it came in.
    pub(crate) id: u64,
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) next_hop: String,
    fields: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

/// The final response to such a request, without what a response repeats of its request.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) status: u16,
    pub(crate) to_tag: Option<String>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Kept {
    pub(crate) fn new<'f>(
        (method, uri): (&str, &str),
        fields: impl Iterator<Item = (&'f str, &'f str)>,
        body: &Bytes,
        arrival: &Arrival,
    ) -> Self {
        let fields = fields.map(|(name, value)| {
            // A folded value is one line from here on.
            let value = value.replace(['\r', '\n'], " ");
            (name.to_owned(), value)
        });
        Self {
            method: method.to_owned(),
            uri: uri.to_owned(),
            fields: fields.collect(),
            body: body.clone(),
            local_contact: arrival.local_contact.clone(),
            flow: arrival.flow,
            source: arrival.source,
            target: None,
            tries: 0,
        }
    }

    fn request(&self) -> RequestRef<'_> {
        let fields = self.fields.iter();
        let fields = fields.map(|(name, value)| (name.as_str(), value.as_str()));
        RequestRef::new(&self.method, &self.uri, fields, &self.body)
    }

    fn context<'a>(&'a self, identity: &'a Identity) -> RequestContext<'a> {
        let mut context = RequestContext::new(identity, &self.local_contact);
        if let Some(flow) = self.flow {
            context = context.with_flow(flow);
        }
        match self.source {
            Some(source) => context.with_source(source),
            None => context,
        }
    }

    /// The request with another Request-URI, or why it goes no further.
    fn forwarded_to(
        &self,
        id: u64,
        (target, keeps_uri): (&str, bool),
        is_here: impl Fn(&str) -> bool,
    ) -> Result<ForwardedRequest, Reply> {
        let request = self.request();
        let max_forwards = match request.single(HeaderName::MaxForwards) {
            Ok(None) => MAX_FORWARDS,
            Ok(Some(value)) => match value.trim().parse::<u32>() {
                Ok(0) => return Err(Reply::new(483)),
                Ok(left) => left.min(255) - 1,
                Err(_) => return Err(Reply::new(400)),
            },
            Err(_) => return Err(Reply::new(400)),
        };
        let demanded = self.fields.iter();
        let mut demanded =
            demanded.filter(|(name, _)| name.trim().eq_ignore_ascii_case("Proxy-Require"));
        if let Some((_, options)) = demanded.next() {
            return Err(Reply::new(420).with("Unsupported", options.as_str()));
        }
        let mut routes: Vec<&str> = request
            .values(HeaderName::Route)
            .flat_map(split_list)
            .collect();
        // The way here is behind it (RFC 3261 section 16.4).
        let uri_of = |route: &str| Some(NameAddr::parse(route).ok()?.uri().to_owned());
        if routes
            .first()
            .and_then(|it| uri_of(it))
            .is_some_and(|uri| is_here(&uri))
        {
            routes.remove(0);
        }
        let uri = if keeps_uri { &self.uri } else { target };
        let next_hop = match routes.first() {
            Some(route) => uri_of(route).ok_or_else(|| Reply::new(400))?,
            None => target.to_owned(),
        };
        let replaced = |name: &str| {
            matches!(
                HeaderName::from_wire(name),
                Some(HeaderName::MaxForwards | HeaderName::Route | HeaderName::ContentLength)
            )
        };
        let kept = self.fields.iter().filter(|(name, _)| !replaced(name));
        let mut fields: Vec<(String, String)> = kept.cloned().collect();
        if !routes.is_empty() {
            fields.push(("Route".to_owned(), routes.join(", ")));
        }
        fields.push(("Max-Forwards".to_owned(), max_forwards.to_string()));
        fields.push(("Content-Length".to_owned(), self.body.len().to_string()));
        Ok(ForwardedRequest {
            id,
            method: self.method.clone(),
            uri: uri.to_owned(),
            next_hop,
            fields,
            body: self.body.clone(),
        })
    }
}

impl ForwardedRequest {
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.fields.iter();
        fields.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn write_to(&self, via: &str, out: &mut Vec<u8>) {
        for part in [&self.method, " ", &self.uri, " SIP/2.0\r\n", via] {
            out.extend_from_slice(part.as_bytes());
        }
        for (name, value) in self.fields() {
            for part in [name, ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

impl Passed {
    pub(crate) fn new<'f>(
        status: u16,
        fields: impl Iterator<Item = (&'f str, &'f str)>,
        body: Bytes,
    ) -> Self {
        let mut to_tag = None;
        let mut others = Vec::new();
        for (name, value) in fields {
            match HeaderName::from_wire(name) {
                Some(HeaderName::To) => {
                    let to = NameAddr::parse(value).ok();
                    to_tag = to.and_then(|to| to.tag().map(str::to_owned));
                }
                Some(
                    HeaderName::Via
                    | HeaderName::From
                    | HeaderName::CallId
                    | HeaderName::CSeq
                    | HeaderName::ContentLength,
                ) => {}
                _ => others.push((name.to_owned(), value.replace(['\r', '\n'], " "))),
            }
        }
        Self {
            status,
            to_tag,
            fields: others,
            body,
        }
    }
}

impl<P: Policy, H: Host<P>> Adapter<P, H> {
    /// Sends a request on to whoever is to answer it.
    pub(super) fn forward(&mut self, forward: Forward) {
        let id = forward.transaction.0;
        let is_full = self.forwarded >= MAX_FORWARDED;
        let Some(entry) = self.unanswered.get_mut(&id) else {
            return;
        };
        let stack = &self.stack;
        let is_here = |uri: &str| {
            let hop = next_hop(uri, Transport::Udp);
            let address = hop.and_then(|hop| hop.get_socketaddr().ok());
            address.is_some_and(|address| stack.udp.is_here(address))
        };
        let request = match &mut entry.kept {
            Some(kept) if !is_full && kept.tries < MAX_TRIES => {
                kept.tries += 1;
                kept.forwarded_to(id, (&forward.target, forward.keeps_uri), is_here)
            }
            _ => Err(unavailable()),
        };
        match request {
            Ok(request) => {
                // What leads back here would go round until its hops are used up.
                let is_loop = is_here(&request.next_hop);
                if let Some(kept) = &mut entry.kept {
                    kept.target = Some(forward);
                }
                self.forwarded += 1;
                if is_loop {
                    self.handle_forwarded(id, Err(Failure::Transport));
                } else {
                    self.send(Outgoing::Forwarded(Box::new(request)));
                }
            }
            Err(reply) => self.refuse(id, &reply),
        }
    }

    /// What became of it: the response goes back, or the agent answers after all.
    pub(super) fn handle_forwarded(&mut self, id: u64, outcome: Result<Passed, Failure>) {
        self.forwarded = self.forwarded.saturating_sub(1);
        let kept = self.unanswered.get_mut(&id).and_then(|it| it.kept.as_mut());
        let Some(forward) = kept.and_then(|kept| kept.target.take()) else {
            return;
        };
        let now = self.now();
        let status = outcome.as_ref().ok().map(|passed| passed.status);
        let (resource, target) = (&forward.resource, &forward.target);
        let told = (self.agent).report_forwarded(now, resource, target, status);
        match (told, outcome) {
            (Ok(Forwarded::ServeHere), _) => self.serve_here(id),
            (_, Ok(passed)) => self.pass_on(id, &passed),
            (_, Err(_)) => self.refuse(id, &unavailable()),
        }
    }

    /// Hands a request in again.
    fn serve_here(&mut self, id: u64) {
        let Some(entry) = self.unanswered.remove(&id) else {
            return;
        };
        let now = self.now();
        let taken = entry.kept.as_ref().map(|kept| {
            let context = kept.context(&entry.caller.identity);
            let transaction = ServerTransaction(id);
            (self.agent).handle_request(now, transaction, &kept.request(), &context)
        });
        match taken {
            Some(Ok(())) => {
                self.unanswered.insert(id, entry);
            }
            _ => self.reply(entry.origin, &unavailable()),
        }
    }

    fn pass_on(&mut self, id: u64, passed: &Passed) {
        let Some(Unanswered { origin, .. }) = self.unanswered.remove(&id) else {
            return;
        };
        match origin {
            Origin::Stream(transaction, permit) => {
                let response = message::passed(passed, &transaction);
                super::send_response(*transaction, permit, response);
            }
            Origin::Datagram(listener, echo) => {
                let fields = passed.fields.iter();
                let octets = echo.write(
                    (passed.status, &message::reason_phrase(passed.status)),
                    passed.to_tag.as_deref(),
                    fields.map(|(name, value)| (name.as_str(), value.as_str())),
                    &passed.body,
                    false,
                );
                self.answer(listener, &echo, octets);
            }
        }
    }

    fn refuse(&mut self, id: u64, reply: &Reply) {
        if let Some(entry) = self.unanswered.remove(&id) {
            self.reply(entry.origin, reply);
        }
    }
}

/// For whom neither the other one nor this server is there.
fn unavailable() -> Reply {
    Reply::new(503).with("Retry-After", "10")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "sip:192.0.2.1";

    fn kept(fields: &[(&str, &str)]) -> Kept {
        let arrival = Arrival {
            local_contact: HERE.to_owned(),
            flow: None,
            source: None,
            permit: None,
        };
        let line = ("SUBSCRIBE", "sip:anna@example.org");
        let body = Bytes::from_static(b"filter");
        Kept::new(line, fields.iter().copied(), &body, &arrival)
    }

    fn forwarded(fields: &[(&str, &str)], target: &str) -> Result<ForwardedRequest, u16> {
        let is_here = |uri: &str| uri.starts_with(HERE);
        // Another server has no user.
        let keeps_uri = !target.contains('@');
        let request = kept(fields).forwarded_to(7, (target, keeps_uri), is_here);
        request.map_err(|reply| reply.status)
    }

    fn value<'a>(request: &'a ForwardedRequest, name: &str) -> Vec<&'a str> {
        let fields = request.fields().filter(|(known, _)| *known == name);
        fields.map(|(_, value)| value).collect()
    }

    #[test]
    fn hops_are_counted_down() {
        for (fields, expected) in [
            (&[][..], Ok("70")),
            (&[("Max-Forwards", "70")], Ok("69")),
            (&[("max-forwards", " 1 ")], Ok("0")),
            (&[("Max-Forwards", "4000000000")], Ok("254")),
            (&[("Max-Forwards", "0")], Err(483)),
            (&[("Max-Forwards", "-1")], Err(400)),
            (&[("Max-Forwards", "2"), ("Max-Forwards", "2")], Err(400)),
            (&[("Proxy-Require", "moon")], Err(420)),
        ] {
            let request = forwarded(fields, "sip:anna@192.0.2.9");
            let hops = request.as_ref().map(|it| value(it, "Max-Forwards"));
            match (hops, expected) {
                (Ok(hops), Ok(expected)) => assert_eq!(hops, [expected]),
                (Err(status), Err(expected)) => assert_eq!(*status, expected),
                other => panic!("{fields:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn routes_lead_on_without_the_one_that_led_here() {
        let two = ("Route", "<sip:192.0.2.1;lr>, <sip:192.0.2.5;lr>");
        for (fields, next_hop, routes) in [
            (&[][..], "sip:anna@192.0.2.9", &[][..]),
            (
                &[("Route", "<sip:192.0.2.1;lr>")],
                "sip:anna@192.0.2.9",
                &[],
            ),
            (&[two], "sip:192.0.2.5;lr", &["<sip:192.0.2.5;lr>"]),
        ] {
            let request = forwarded(fields, "sip:anna@192.0.2.9").unwrap();
            assert_eq!(request.next_hop, next_hop);
            assert_eq!(value(&request, "Route"), routes);
            assert_eq!(request.uri, "sip:anna@192.0.2.9");
        }
    }

    #[test]
    fn a_server_is_asked_for_the_same_presentity() {
        let request = forwarded(&[], "sip:192.0.2.8:5070").unwrap();
        assert_eq!(request.uri, "sip:anna@example.org");
        assert_eq!(request.next_hop, "sip:192.0.2.8:5070");
    }

    #[test]
    fn a_request_is_written_with_one_more_via_and_one_length() {
        let fields = [
            ("v", "SIP/2.0/UDP h;branch=z9hG4bKa"),
            ("X-Odd", "one\r\n two"),
            ("l", "6"),
        ];
        let request = forwarded(&fields, "sip:anna@192.0.2.9").unwrap();
        let mut octets = Vec::new();
        request.write_to("Via: SIP/2.0/UDP here\r\n", &mut octets);
        let text = String::from_utf8(octets).unwrap();
        let expected = "SUBSCRIBE sip:anna@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP here\r\n\
                        v: SIP/2.0/UDP h;branch=z9hG4bKa\r\nX-Odd: one   two\r\n\
                        Max-Forwards: 70\r\nContent-Length: 6\r\n\r\nfilter";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_response_goes_back_without_what_its_request_has() {
        let fields = [
            ("Via", "SIP/2.0/UDP here"),
            ("t", "<sip:anna@example.org>;tag=phone"),
            ("From", "<sip:bjarne@example.org>;tag=b"),
            ("i", "call"),
            ("CSeq", "1 SUBSCRIBE"),
            ("Contact", "<sip:anna@192.0.2.9>"),
            ("Content-Length", "0"),
        ];
        let passed = Passed::new(200, fields.into_iter(), Bytes::new());
        assert_eq!(passed.to_tag.as_deref(), Some("phone"));
        let contact = ("Contact".to_owned(), "<sip:anna@192.0.2.9>".to_owned());
        assert_eq!(passed.fields, [contact]);
    }
}
