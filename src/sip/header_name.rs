//! The header fields that presence reads or writes.

use core::fmt;

/// A header field that this library reads or writes; all others pass it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HeaderName {
    /// `Via`, compact `v` (RFC 3261 section 20.42).
    Via,
    /// `From`, compact `f` (RFC 3261 section 20.20).
    From,
    /// `To`, compact `t` (RFC 3261 section 20.39).
    To,
    /// `Call-ID`, compact `i` (RFC 3261 section 20.8).
    CallId,
    /// `CSeq` (RFC 3261 section 20.16).
    CSeq,
    /// `Max-Forwards` (RFC 3261 section 20.22).
    MaxForwards,
    /// `Contact`, compact `m` (RFC 3261 section 20.10).
    Contact,
    /// `Route` (RFC 3261 section 20.34).
    Route,
    /// `Record-Route` (RFC 3261 section 20.30).
    RecordRoute,
    /// `Event`, compact `o` (RFC 6665 section 8.2.1).
    Event,
    /// `Allow-Events`, compact `u` (RFC 6665 section 8.2.2).
    AllowEvents,
    /// `Subscription-State` (RFC 6665 section 8.2.3).
    SubscriptionState,
    /// `Expires` (RFC 3261 section 20.19).
    Expires,
    /// `Min-Expires` (RFC 3261 section 20.23).
    MinExpires,
    /// `Accept` (RFC 3261 section 20.1).
    Accept,
    /// `Retry-After` (RFC 3261 section 20.33).
    RetryAfter,
    /// `Content-Type`, compact `c` (RFC 3261 section 20.15).
    ContentType,
    /// `Content-Disposition` (RFC 3261 section 20.11).
    ContentDisposition,
    /// `Content-Encoding`, compact `e` (RFC 3261 section 20.12).
    ContentEncoding,
    /// `Content-Length`, compact `l` (RFC 3261 section 20.14).
    ContentLength,
    /// `Accept-Encoding` (RFC 3261 section 20.2).
    AcceptEncoding,
    /// `Supported`, compact `k` (RFC 3261 section 20.37).
    Supported,
    /// `Require` (RFC 3261 section 20.32).
    Require,
    /// `Unsupported` (RFC 3261 section 20.40).
    Unsupported,
    /// `Allow` (RFC 3261 section 20.5).
    Allow,
    /// `SIP-ETag` (RFC 3903 section 11.3.1).
    SipEtag,
    /// `SIP-If-Match` (RFC 3903 section 11.3.2).
    SipIfMatch,
    /// `Suppress-If-Match` (RFC 5839 section 8).
    SuppressIfMatch,
    /// `Authorization` (RFC 3261 section 20.7).
    Authorization,
    /// `Proxy-Authorization` (RFC 3261 section 20.28).
    ProxyAuthorization,
    /// `WWW-Authenticate` (RFC 3261 section 20.44).
    WwwAuthenticate,
    /// `Proxy-Authenticate` (RFC 3261 section 20.27).
    ProxyAuthenticate,
    /// `Warning` (RFC 3261 section 20.43).
    Warning,
    /// `Date` (RFC 3261 section 20.17).
    Date,
}

impl HeaderName {
    /// The header field with this name, in any case, long or compact; white space that stood
    /// between the name and the colon does no harm.
    ///
    /// Nothing for the names that this library has no use for.
    pub fn from_wire(name: &str) -> Option<Self> {
        let bytes = name.as_bytes();
        let bytes = match bytes.last() {
            Some(b' ' | b'\t') => bytes.trim_ascii_end(),
            _ => bytes,
        };
        let first = bytes.first()?.to_ascii_lowercase();
        // Length and first letter leave one candidate, with one exception.
        let candidate = match (bytes.len(), first) {
            (1, b'v') => return Some(Self::Via),
            (1, b'f') => return Some(Self::From),
            (1, b't') => return Some(Self::To),
            (1, b'i') => return Some(Self::CallId),
            (1, b'm') => return Some(Self::Contact),
            (1, b'o') => return Some(Self::Event),
            (1, b'u') => return Some(Self::AllowEvents),
            (1, b'e') => return Some(Self::ContentEncoding),
            (1, b'c') => return Some(Self::ContentType),
            (1, b'k') => return Some(Self::Supported),
            (1, b'l') => return Some(Self::ContentLength),
            (2, b't') => Self::To,
            (3, b'v') => Self::Via,
            (4, b'f') => Self::From,
            (4, b'c') => Self::CSeq,
            (4, b'd') => Self::Date,
            (5, b'r') => Self::Route,
            (5, b'e') => Self::Event,
            (5, b'a') => Self::Allow,
            (6, b'a') => Self::Accept,
            (7, b'c') if matches!(bytes.get(1), Some(b'a' | b'A')) => Self::CallId,
            (7, b'c') => Self::Contact,
            (7, b'e') => Self::Expires,
            (7, b'r') => Self::Require,
            (7, b'w') => Self::Warning,
            (8, b's') => Self::SipEtag,
            (9, b's') => Self::Supported,
            (11, b'm') => Self::MinExpires,
            (11, b'r') => Self::RetryAfter,
            (11, b'u') => Self::Unsupported,
            (12, b'm') => Self::MaxForwards,
            (12, b'r') => Self::RecordRoute,
            (12, b'a') => Self::AllowEvents,
            (12, b'c') => Self::ContentType,
            (12, b's') => Self::SipIfMatch,
            (13, b'a') => Self::Authorization,
            (14, b'c') => Self::ContentLength,
            (15, b'a') => Self::AcceptEncoding,
            (16, b'c') => Self::ContentEncoding,
            (16, b'w') => Self::WwwAuthenticate,
            (17, b's') => Self::SuppressIfMatch,
            (18, b's') => Self::SubscriptionState,
            (18, b'p') => Self::ProxyAuthenticate,
            (19, b'c') => Self::ContentDisposition,
            (19, b'p') => Self::ProxyAuthorization,
            _ => return None,
        };
        let known = candidate.as_str().as_bytes();
        // Nearly all senders write the names as the RFCs do.
        (known == bytes || known.eq_ignore_ascii_case(bytes)).then_some(candidate)
    }

    /// The long name, as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Via => "Via",
            Self::From => "From",
            Self::To => "To",
            Self::CallId => "Call-ID",
            Self::CSeq => "CSeq",
            Self::MaxForwards => "Max-Forwards",
            Self::Contact => "Contact",
            Self::Route => "Route",
            Self::RecordRoute => "Record-Route",
            Self::Event => "Event",
            Self::AllowEvents => "Allow-Events",
            Self::SubscriptionState => "Subscription-State",
            Self::Expires => "Expires",
            Self::MinExpires => "Min-Expires",
            Self::Accept => "Accept",
            Self::RetryAfter => "Retry-After",
            Self::ContentType => "Content-Type",
            Self::ContentDisposition => "Content-Disposition",
            Self::ContentEncoding => "Content-Encoding",
            Self::ContentLength => "Content-Length",
            Self::AcceptEncoding => "Accept-Encoding",
            Self::Supported => "Supported",
            Self::Require => "Require",
            Self::Unsupported => "Unsupported",
            Self::Allow => "Allow",
            Self::SipEtag => "SIP-ETag",
            Self::SipIfMatch => "SIP-If-Match",
            Self::SuppressIfMatch => "Suppress-If-Match",
            Self::Authorization => "Authorization",
            Self::ProxyAuthorization => "Proxy-Authorization",
            Self::WwwAuthenticate => "WWW-Authenticate",
            Self::ProxyAuthenticate => "Proxy-Authenticate",
            Self::Warning => "Warning",
            Self::Date => "Date",
        }
    }

    /// How many names there are.
    pub(super) const COUNT: usize = Self::Date.index() + 1;

    /// Below [`COUNT`](Self::COUNT).
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// One bit of 64, for sets of names.
    pub(super) const fn bit(self) -> u64 {
        1 << self.index()
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::HeaderName;

    const ALL: [HeaderName; HeaderName::COUNT] = [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
        HeaderName::MaxForwards,
        HeaderName::Contact,
        HeaderName::Route,
        HeaderName::RecordRoute,
        HeaderName::Event,
        HeaderName::AllowEvents,
        HeaderName::SubscriptionState,
        HeaderName::Expires,
        HeaderName::MinExpires,
        HeaderName::Accept,
        HeaderName::RetryAfter,
        HeaderName::ContentType,
        HeaderName::ContentDisposition,
        HeaderName::ContentEncoding,
        HeaderName::ContentLength,
        HeaderName::AcceptEncoding,
        HeaderName::Supported,
        HeaderName::Require,
        HeaderName::Unsupported,
        HeaderName::Allow,
        HeaderName::SipEtag,
        HeaderName::SipIfMatch,
        HeaderName::SuppressIfMatch,
        HeaderName::Authorization,
        HeaderName::ProxyAuthorization,
        HeaderName::WwwAuthenticate,
        HeaderName::ProxyAuthenticate,
        HeaderName::Warning,
        HeaderName::Date,
    ];

    #[test]
    fn every_name_is_known_in_any_case() {
        let mut bits = 0_u64;
        for name in ALL {
            let text = name.as_str();
            assert_eq!(HeaderName::from_wire(text), Some(name));
            assert_eq!(HeaderName::from_wire(&text.to_uppercase()), Some(name));
            assert_eq!(HeaderName::from_wire(&text.to_lowercase()), Some(name));
            assert_eq!(HeaderName::from_wire(&format!("{text} \t")), Some(name));
            assert_eq!(bits & name.bit(), 0, "{name} shares a bit");
            bits |= name.bit();
        }
    }

    #[test]
    fn compact_names_are_known() {
        for (text, name) in [
            ("v", HeaderName::Via),
            ("f", HeaderName::From),
            ("t", HeaderName::To),
            ("i", HeaderName::CallId),
            ("m", HeaderName::Contact),
            ("o", HeaderName::Event),
            ("u", HeaderName::AllowEvents),
            ("e", HeaderName::ContentEncoding),
            ("c", HeaderName::ContentType),
            ("k", HeaderName::Supported),
            ("l", HeaderName::ContentLength),
        ] {
            assert_eq!(HeaderName::from_wire(text), Some(name));
            assert_eq!(HeaderName::from_wire(&text.to_uppercase()), Some(name));
        }
    }

    #[test]
    fn other_names_are_nothing() {
        for text in [
            "",
            " ",
            "x",
            "s",
            "Tp",
            "Vio",
            "CallXID",
            "Contact:",
            "Subject",
            "Accept-Language",
            "Session-Expires",
            "Contant",
            "Cantact",
            "\u{212a}",
            "Datè",
            "é",
        ] {
            assert_eq!(HeaderName::from_wire(text), None, "{text:?}");
        }
    }
}
