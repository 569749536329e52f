//! A SIP message in a datagram: as much of its form as a transaction needs to know. The rest is left
//! to the view that the agent reads, which borrows from the same octets.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use presentity::sip::{HeaderName, NameAddr, RequestRef};

/// The default port (RFC 3261 section 19.1.2).
const SIP_PORT: u16 = 5060;
/// Begins a branch that is unique by itself (RFC 3261 section 8.1.1.7).
const MAGIC_COOKIE: &str = "z9hG4bK";

/// What stands before the body.
pub(crate) struct Head<'a> {
    start_line: &'a str,
    /// Names and values; a folded value keeps its line breaks.
    fields: Vec<(&'a str, &'a str)>,
}

/// The first line.
pub(crate) enum StartLine<'a> {
    Request { method: &'a str, uri: &'a str },
    Response { status: u16 },
}

/// The topmost Via.
struct Via<'a> {
    /// All before the parameters.
    front: &'a str,
    /// Host and port.
    sent_by: &'a str,
    params: &'a str,
    /// Other values of the same field, from the comma on.
    rest: &'a str,
}

/// What a response to a request repeats of it, and where it goes.
pub(crate) struct Echo {
    /// Via, From, Call-ID and CSeq, as lines.
    copied: String,
    /// The value of To.
    to: String,
    /// Record-Route, as lines.
    routes: String,
    /// The name of the server transaction.
    pub(crate) key: Arc<str>,
    /// Where the response goes (RFC 3261 section 18.2.2, RFC 3581 section 4).
    pub(crate) destination: SocketAddr,
}

/// Splits a datagram into the text of the head and the body; nothing when the head does not end.
///
/// What is not UTF-8 is replaced: such octets stand in display names only, which nobody needs.
pub(crate) fn split(datagram: &[u8]) -> Option<(Cow<'_, str>, &[u8])> {
    let mut from = 0;
    loop {
        let rest = datagram.get(from..)?;
        let line_end = from + rest.iter().position(|octet| *octet == b'\n')?;
        let after = datagram.get(line_end + 1..)?;
        let skipped = match after {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            _ => {
                from = line_end + 1;
                continue;
            }
        };
        let head = datagram.get(..=line_end)?;
        let head = str::from_utf8(head).map_or_else(|_| String::from_utf8_lossy(head), Cow::from);
        return Some((head, after.get(skipped..)?));
    }
}

impl<'a> Head<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (start_line, rest) = text.split_once('\n')?;
        let mut fields = Vec::with_capacity(16);
        fields.extend(Lines { rest }.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim_ascii_end(), value.trim_ascii()))
        }));
        Some(Self { start_line, fields })
    }

    pub(crate) fn start_line(&self) -> Option<StartLine<'a>> {
        let (first, rest) = self.start_line.trim_ascii_end().split_once(' ')?;
        let (second, last) = rest.split_once(' ').unwrap_or((rest, ""));
        if first.eq_ignore_ascii_case("SIP/2.0") {
            let status = second.parse().ok().filter(|s| (100..700).contains(s))?;
            return Some(StartLine::Response { status });
        }
        let version = last.trim().eq_ignore_ascii_case("SIP/2.0");
        version.then_some(StartLine::Request {
            method: first,
            uri: second,
        })
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields.iter().copied()
    }

    fn values(&self, name: HeaderName) -> impl Iterator<Item = &'a str> {
        self.fields()
            .filter(move |(known, _)| HeaderName::from_wire(known) == Some(name))
            .map(|(_, value)| value)
    }

    /// The body as far as Content-Length says, or all when there is none; nothing when the datagram has
    /// less or that is no number, so that a request is a bad one and a response is none (RFC 3261
    /// section 18.3).
    pub(crate) fn announced<'b>(&self, body: &'b [u8]) -> Option<&'b [u8]> {
        let Some(length) = self.values(HeaderName::ContentLength).next() else {
            return Some(body);
        };
        // The standard library would take a sign.
        let digits = length.bytes().all(|octet| octet.is_ascii_digit());
        body.get(..length.parse().ok().filter(|_| digits)?)
    }

    /// The branch and the method by which a response finds its request (RFC 3261 section 17.1.3), and
    /// whether no further Via shows that it is for somebody else (section 8.1.3.3).
    pub(crate) fn answers(&self) -> Option<(&'a str, &'a str, bool)> {
        let mut vias = self.values(HeaderName::Via);
        let via = Via::parse(vias.next()?)?;
        let is_last = via.rest.is_empty() && vias.next().is_none();
        let cseq = self.values(HeaderName::CSeq).next()?;
        let method = cseq.split_whitespace().nth(1)?;
        Some((via.param("branch")?, method, is_last))
    }

    /// What a response to this request needs; nothing when the request cannot be answered.
    pub(crate) fn echo(&self, method: &str, uri: &str, source: SocketAddr) -> Option<Echo> {
        let mut echo = Echo {
            copied: String::with_capacity(512),
            to: String::new(),
            routes: String::new(),
            key: "".into(),
            destination: source,
        };
        let mut top = None;
        let (mut from, mut call_id, mut cseq) = (None, None, None);
        for (name, value) in self.fields() {
            let Some(name) = HeaderName::from_wire(name) else {
                continue;
            };
            let out = match name {
                HeaderName::Via if top.is_none() => {
                    let via = Via::parse(value)?;
                    echo.destination = via.write_received(source, &mut echo.copied)?;
                    top = Some(via);
                    continue;
                }
                HeaderName::To if echo.to.is_empty() => {
                    push_unfolded(&mut echo.to, value);
                    continue;
                }
                HeaderName::Via => &mut echo.copied,
                // A second one makes a bad request, and its response must not be one, too.
                HeaderName::From if from.is_none() => {
                    from = Some(value);
                    &mut echo.copied
                }
                HeaderName::CallId if call_id.is_none() => {
                    call_id = Some(value);
                    &mut echo.copied
                }
                HeaderName::CSeq if cseq.is_none() => {
                    cseq = Some(value);
                    &mut echo.copied
                }
                HeaderName::RecordRoute => &mut echo.routes,
                _ => continue,
            };
            out.push_str(name.as_str());
            out.push_str(": ");
            push_unfolded(out, value);
            out.push_str("\r\n");
        }
        let via = top?;
        // RFC 3261 section 17.2.3. The number is more than it asks for, and keeps those apart who use a
        // branch again; a branch without the cookie is unique with all the rest only.
        let branch = via.param("branch").unwrap_or_default();
        let number = cseq.and_then(|cseq| cseq.split_ascii_whitespace().next());
        let mut key = String::with_capacity(96);
        key.extend([method, " ", via.sent_by, " ", branch, " "]);
        key.extend(number);
        if !branch.starts_with(MAGIC_COOKIE) {
            key.extend([" ", uri, " ", &echo.to]);
            key.extend(
                [from, call_id]
                    .into_iter()
                    .flatten()
                    .flat_map(|value| [" ", value]),
            );
        }
        echo.key = key.into();
        Some(echo)
    }
}

impl Echo {
    /// Whether the request is one within a dialog.
    pub(crate) fn has_to_tag(&self) -> bool {
        NameAddr::parse(&self.to).is_ok_and(|to| to.tag().is_some())
    }

    /// Writes a response.
    pub(crate) fn write<'f>(
        &self,
        (status, reason): (u16, &str),
        to_tag: Option<&str>,
        fields: impl Iterator<Item = (&'f str, &'f str)>,
        body: &[u8],
        with_routes: bool,
    ) -> Vec<u8> {
        let mut text = String::with_capacity(self.copied.len() + self.to.len() + 256);
        let _ = write!(text, "SIP/2.0 {status} {reason}\r\n");
        text.push_str(&self.copied);
        // A request without it is refused, too.
        if !self.to.is_empty() {
            text.extend(["To: ", &self.to]);
            if let Some(tag) = to_tag {
                text.extend([";tag=", tag]);
            }
            text.push_str("\r\n");
        }
        if with_routes {
            text.push_str(&self.routes);
        }
        for (name, value) in fields {
            text.extend([name, ": ", value, "\r\n"]);
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n", body.len());
        let mut octets = text.into_bytes();
        octets.extend_from_slice(body);
        octets
    }
}

/// Whether a request went through proxies.
pub(crate) fn has_several_vias(request: &RequestRef<'_>) -> bool {
    let mut values = request.values(HeaderName::Via);
    values.next().is_some_and(|value| value.contains(',')) || values.next().is_some()
}

impl<'a> Via<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let (own, rest) = split_outside_quotes(value, b',')?;
        let (front, params) = own.split_once(';').unwrap_or((own, ""));
        let front = front.trim_end();
        // Only parameters have any.
        if front.contains('"') {
            return None;
        }
        // Name, version and transport, which may have white space around the slashes.
        let (_, transport) = front.split_once('/')?.1.split_once('/')?;
        let (_, sent_by) = transport.trim_start().split_once(char::is_whitespace)?;
        Some(Self {
            front,
            sent_by: sent_by.trim_start(),
            params,
            rest,
        })
    }

    fn params(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let mut left = self.params;
        let params = std::iter::from_fn(move || {
            let (param, rest) = split_outside_quotes(left, b';')?;
            left = rest.strip_prefix(';').unwrap_or_default();
            (!param.is_empty() || !rest.is_empty()).then_some(param.trim())
        });
        params.filter(|p| !p.is_empty()).map(|param| {
            let split = param.split_once('=');
            split.map_or((param, None), |(name, value)| {
                (name.trim_end(), Some(value.trim_start()))
            })
        })
    }

    fn param(&self, wanted: &str) -> Option<&'a str> {
        let mut params = self.params();
        params
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))?
            .1
    }

    /// The host, and the port or the default one.
    fn host_and_port(&self) -> Option<(&'a str, u16)> {
        // A colon within brackets belongs to an IPv6 address.
        let host_end = self.sent_by.rfind(']').unwrap_or_default();
        match self.sent_by.rsplit_once(':') {
            Some((host, port)) if host.len() > host_end => {
                Some((host.trim_end(), port.trim_start().parse().ok()?))
            }
            _ => Some((self.sent_by, SIP_PORT)),
        }
    }

    /// Writes the field with `received` and `rport` filled in; returns where the response goes: to the
    /// address that the request came from, always. `maddr` would let a request be answered to somebody
    /// who has not asked.
    fn write_received(&self, source: SocketAddr, out: &mut String) -> Option<SocketAddr> {
        let (host, port) = self.host_and_port()?;
        let host = host.trim_matches(['[', ']']);
        let as_sent = host.parse::<IpAddr>().is_ok_and(|ip| ip == source.ip());
        let wants_port = self
            .params()
            .any(|(name, _)| name.eq_ignore_ascii_case("rport"));
        out.push_str("Via: ");
        push_unfolded(out, self.front);
        for (name, value) in self.params() {
            if name.eq_ignore_ascii_case("rport") || name.eq_ignore_ascii_case("received") {
                continue;
            }
            out.push(';');
            push_unfolded(out, name);
            if let Some(value) = value {
                out.push('=');
                push_unfolded(out, value);
            }
        }
        if wants_port {
            let _ = write!(out, ";rport={}", source.port());
        }
        if wants_port || !as_sent {
            let _ = write!(out, ";received={}", source.ip());
        }
        push_unfolded(out, self.rest);
        out.push_str("\r\n");
        let port = if wants_port { source.port() } else { port };
        Some(SocketAddr::new(source.ip(), port))
    }
}

/// Splits before the first `delimiter`, an ASCII character, that is not within quotes; nothing when
/// they do not end.
fn split_outside_quotes(text: &str, delimiter: u8) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, octet) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted && octet == b'\\' {
            escaped = true;
        } else if octet == b'"' {
            quoted = !quoted;
        } else if !quoted && octet == delimiter {
            return text.split_at_checked(at);
        }
    }
    (!quoted).then_some((text, ""))
}

/// Appends a value, without the line breaks of folding.
fn push_unfolded(out: &mut String, value: &str) {
    if value.bytes().any(|octet| matches!(octet, b'\r' | b'\n')) {
        out.extend(value.chars().map(|c| match c {
            '\r' | '\n' => ' ',
            c => c,
        }));
    } else {
        out.push_str(value);
    }
}

/// Lines, each with those that continue it.
struct Lines<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut end = 0;
        loop {
            let rest = self.rest.get(end..)?;
            if rest.is_empty() {
                break;
            }
            end += rest.find('\n').map_or(rest.len(), |at| at + 1);
            if !self
                .rest
                .get(end..)
                .is_some_and(|next| next.starts_with([' ', '\t']))
            {
                break;
            }
        }
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!line.is_empty()).then_some(line)
    }
}
