//! A request within the signed body of a request: so a signature covers header fields (RFC 3261 section
//! 23.4).

use bytes::Bytes;

use crate::mime::{MAX_HEADER_LEN, OpenError, Opened, Part};
use crate::sip::{HeaderName, MediaType, NameAddr, OutgoingRequest, RequestRef, Uri};

/// The media type of a whole SIP message (RFC 3261 section 27.5).
pub(super) const MESSAGE_SIP: &str = "message/sip";
/// The one of a part of a message (RFC 3420).
const MESSAGE_SIPFRAG: &str = "message/sipfrag";

/// What says who sends what to whom, when, and how long it holds. No proxy changes it (RFC 3261 section
/// 23.4.1.1).
const LASTING: &[HeaderName] = &[
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::Contact,
    HeaderName::Event,
    HeaderName::Expires,
    HeaderName::SubscriptionState,
    HeaderName::SipIfMatch,
];

/// Those fields of a request, kept until its body has been opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outer {
    method: String,
    uri: String,
    fields: Vec<(HeaderName, String)>,
}

impl Outer {
    pub(super) fn of(request: &RequestRef<'_>) -> Self {
        let lasting = request.fields().filter(|(name, _)| LASTING.contains(name));
        Self {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            fields: lasting.map(|(name, value)| (name, plain(value))).collect(),
        }
    }

    /// Whether a request is for whom it was signed for, by its Request-URI or To. Proxies may put another
    /// Request-URI in its place, but then it is that for another resource. A NOTIFY is for its dialog.
    fn is_for(&self, uri: &str, to: &str) -> bool {
        let address = |text: &str| Uri::parse(text).ok()?.address_of_record();
        let own = address(&self.uri);
        self.method == "NOTIFY"
            || self.uri == uri
            || (own.is_some()
                && (address(uri) == own
                    || NameAddr::parse(to).is_ok_and(|to| address(to.uri()) == own)))
    }

    fn values(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        let of_name = self.fields.iter().filter(move |(other, _)| *other == name);
        of_name.map(|(_, value)| value.as_str())
    }
}

/// The same text whatever folding and white space it came with.
fn plain(value: &str) -> String {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    words.join(" ")
}

/// What is within a request that is within a body, if it is one; whether its signature covers the header
/// of the request around it.
///
/// Who has signed nothing has covered nothing. What stands in both has to be the same; what stands in
/// the outer one alone may have been put there on the way, and what stands in the inner one alone taken
/// away.
pub(super) fn emerge(opened: Opened, outer: &Outer) -> Result<(Opened, bool), OpenError> {
    let is_encrypted = opened.is_encrypted;
    compare(opened, outer).map_err(|error| match is_encrypted {
        true => OpenError::Within(Box::new(error)),
        false => error,
    })
}

fn compare(opened: Opened, outer: &Outer) -> Result<(Opened, bool), OpenError> {
    let Ok(media) = MediaType::parse(&opened.content_type) else {
        return Ok((opened, false));
    };
    if !media.essence_eq(MESSAGE_SIP) && !media.essence_eq(MESSAGE_SIPFRAG) {
        return Ok((opened, false));
    }
    let (method, uri, part) = message(&opened.body)?;
    let fields = part.fields();
    let inner = RequestRef::new(&outer.method, "sip:within", fields, part.body());
    if inner.is_malformed() || inner.is_overlong() {
        return Err(OpenError::Unsupported);
    }
    let altered = |name: &str| OpenError::Altered {
        name: name.to_owned(),
    };
    if !method.is_empty() && method != outer.method {
        return Err(altered("method"));
    }
    let mut covers = !opened.signers.is_empty() && !method.is_empty();
    for name in LASTING {
        let mut inside = inner.values(*name).map(plain).peekable();
        let mut outside = outer.values(*name).peekable();
        match (inside.peek().is_some(), outside.peek().is_some()) {
            (true, true) if !inside.eq(outside) => return Err(altered(name.as_str())),
            // What was added counts as little as what is left after something was taken away: an Expires,
            // say, or the condition of a PUBLISH.
            (false, true) | (true, false) => covers = false,
            (true, true) | (false, false) => {}
        }
    }
    covers &= outer.is_for(uri, inner.first(HeaderName::To).unwrap_or_default());
    let content_type = inner.first(HeaderName::ContentType).unwrap_or_default();
    let body = part.plain_body()?.clone();
    let mut within = Opened::new(content_type, body);
    within.signers = opened.signers.clone();
    within.is_encrypted = opened.is_encrypted;
    Ok((within, covers))
}

/// Method, Request-URI and the rest of a message; a part of one may have no first line.
fn message(octets: &Bytes) -> Result<(&str, &str, Part), OpenError> {
    let most = octets.get(..MAX_HEADER_LEN).unwrap_or(octets);
    let first = most.split(|octet| *octet == b'\r').next().unwrap_or(most);
    let line = core::str::from_utf8(first).unwrap_or_default();
    let mut words = line.split(' ');
    let is_request = words.clone().count() == 3 && words.clone().next_back() == Some("SIP/2.0");
    let (method, uri, rest) = match (words.next(), words.next()) {
        (Some(method), Some(uri)) if is_request => {
            let after = first.len().saturating_add(2).min(octets.len());
            (method, uri, octets.slice(after..))
        }
        _ => ("", "", octets.clone()),
    };
    Ok((method, uri, Part::read(&rest)?))
}

/// A request as the content of another body.
pub(super) fn immerse(request: &OutgoingRequest) -> Result<Part, OpenError> {
    let mut octets = Vec::with_capacity(request.encoded_len(0));
    request.write_to("", &mut octets);
    Ok(Part::new(MESSAGE_SIP, &Bytes::from(octets))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime::{Chain, Signer};

    const FIELDS: &[(&str, &str)] = &[
        ("Via", "SIP/2.0/UDP a;branch=z9hG4bK1"),
        ("From", "<sip:bob@example.com>;tag=b"),
        ("To", "<sip:ana@example.com>;tag=a"),
        ("Call-ID", "c1"),
        ("CSeq", "7 NOTIFY"),
        ("Event", "presence"),
        ("Subscription-State", "active;expires=60"),
        ("Contact", "<sip:pa.example.com>"),
    ];
    const INNER: &str = "NOTIFY sip:ana@192.0.2.1 SIP/2.0\r\n\
        f: <sip:bob@example.com>;tag=b\r\n\
        To:  <sip:ana@example.com>;tag=a\r\n\
        Call-ID: c1\r\n\
        CSeq: 7\r\n NOTIFY\r\n\
        o: presence\r\n\
        Subscription-State: active;expires=60\r\n\
        Contact: <sip:pa.example.com>\r\n\
        Max-Forwards: 9\r\n\
        Content-Type: text/plain\r\n\r\nhere";

    fn outer(change: impl Fn(&str, &str) -> Option<String>) -> Outer {
        let fields: Vec<(&str, String)> = FIELDS
            .iter()
            .filter_map(|(name, value)| Some((*name, change(name, value)?)))
            .collect();
        let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
        let body = Bytes::new();
        Outer::of(&RequestRef::new(
            "NOTIFY",
            "sip:ana@192.0.2.1",
            fields,
            &body,
        ))
    }

    fn same() -> Outer {
        outer(|_, value| Some(value.to_owned()))
    }

    fn signed(content_type: &str, body: &str) -> Opened {
        let mut opened = Opened::new(content_type, Bytes::copy_from_slice(body.as_bytes()));
        opened.signers = vec![Signer::new(["sip:example.com"], Chain::Trusted)];
        opened
    }

    #[test]
    fn a_request_within_covers_the_header_around_it() {
        let (within, covers) = emerge(signed(MESSAGE_SIP, INNER), &same()).unwrap();
        assert!(covers);
        assert_eq!(
            (&*within.content_type, &within.body[..]),
            ("text/plain", &b"here"[..])
        );
        assert_eq!(within.signers.len(), 1);
        let mut unsigned = signed("Message/SIP;x=y", INNER);
        unsigned.signers.clear();
        unsigned.is_encrypted = true;
        let (within, covers) = emerge(unsigned, &same()).unwrap();
        assert!(!covers && within.is_encrypted);
    }

    #[test]
    fn other_bodies_are_left_alone() {
        for content_type in ["application/pidf+xml", "message/sipper", "nonsense", ""] {
            let opened = signed(content_type, INNER);
            assert_eq!(emerge(opened.clone(), &same()), Ok((opened, false)));
        }
    }

    #[test]
    fn what_was_altered_on_the_way_is_found() {
        for name in [
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Event",
            "Subscription-State",
            "Contact",
        ] {
            let altered = outer(|other, value| {
                let end = if other == name { "x" } else { "" };
                Some(format!("{value}{end}"))
            });
            let name = name.to_owned();
            let found = emerge(signed(MESSAGE_SIP, INNER), &altered);
            assert_eq!(found, Err(OpenError::Altered { name }));
        }
        let twice = INNER.replace("Call-ID: c1\r\n", "Call-ID: c1\r\nCall-ID: c1\r\n");
        assert!(emerge(signed(MESSAGE_SIP, &twice), &same()).is_err());
        let other = INNER.replace("NOTIFY sip", "SUBSCRIBE sip");
        let name = "method".to_owned();
        let found = emerge(signed(MESSAGE_SIP, &other), &same());
        assert_eq!(found, Err(OpenError::Altered { name }));
    }

    #[test]
    fn what_is_not_within_is_not_covered() {
        for name in [
            "f: ",
            "To: ",
            "Call-ID",
            "CSeq",
            "o: ",
            "Subscription-State",
            "Contact",
        ] {
            let lines = INNER.replace("\r\n NOTIFY", " NOTIFY");
            let lines = lines.split_inclusive("\r\n");
            let without: String = lines.filter(|line| !line.starts_with(name)).collect();
            let (_, covers) = emerge(signed(MESSAGE_SIP, &without), &same()).unwrap();
            assert!(!covers, "{name}");
        }
        let fewer = outer(|name, value| (name != "Contact").then(|| value.to_owned()));
        assert_eq!(
            emerge(signed(MESSAGE_SIP, INNER), &fewer).map(|it| it.1),
            Ok(false)
        );
        // Without them it would last for another time, or replace another state.
        for taken in ["Expires: 0", "SIP-If-Match: abc"] {
            let inner = INNER.replace("Max-Forwards: 9", taken);
            let found = emerge(signed(MESSAGE_SIP, &inner), &same());
            assert_eq!(found.map(|it| it.1), Ok(false), "{taken}");
        }
        let fragment = INNER.split_once("\r\n").unwrap().1;
        let (within, covers) = emerge(signed(MESSAGE_SIPFRAG, fragment), &same()).unwrap();
        assert!(!covers, "the method is not within");
        assert_eq!(within.body, "here");
    }

    #[test]
    fn a_request_for_another_resource_is_not_the_one_that_was_signed() {
        let inner = "SUBSCRIBE sip:bob@example.com SIP/2.0\r\n\
            From: <sip:ana@example.com>;tag=a\r\n\
            To: <sip:bob@example.com>\r\n\
            Call-ID: c1\r\n\
            CSeq: 1 SUBSCRIBE\r\n\r\n";
        let body = Bytes::new();
        for (uri, covered) in [
            ("sip:bob@example.com", true),
            ("sip:bob@EXAMPLE.com;transport=tcp", true),
            ("pres:bob@example.com", true),
            ("sip:carla@example.com", false),
            ("sip:bob@example.org", false),
            ("nonsense", false),
        ] {
            let fields = [
                ("From", "<sip:ana@example.com>;tag=a"),
                ("To", "<sip:bob@example.com>"),
                ("Call-ID", "c1"),
                ("CSeq", "1 SUBSCRIBE"),
            ];
            let outer = Outer::of(&RequestRef::new("SUBSCRIBE", uri, fields, &body));
            let (_, covers) = emerge(signed(MESSAGE_SIP, inner), &outer).unwrap();
            assert_eq!(covers, covered, "{uri}");
        }
    }

    #[test]
    fn odd_messages_are_refused_or_empty() {
        for odd in ["\0", "a\r\nb", "NOTIFY a SIP/2.0\r\nFrom", "\u{e4}\r\n"] {
            assert!(
                emerge(signed(MESSAGE_SIP, odd), &same()).is_err(),
                "{odd:?}"
            );
        }
        for empty in [
            "",
            "NOTIFY a SIP/2.0",
            "NOTIFY a SIP/2.0\r\n",
            "NOTIFY a SIP/2.0\r\n\r\n",
        ] {
            let (within, covers) = emerge(signed(MESSAGE_SIP, empty), &same()).unwrap();
            assert!(!covers && within.body.is_empty() && within.content_type.is_empty());
        }
        let encoded = INNER.replace("Max-Forwards: 9", "Content-Transfer-Encoding: base64");
        assert!(emerge(signed(MESSAGE_SIP, &encoded), &same()).is_err());
    }
}
