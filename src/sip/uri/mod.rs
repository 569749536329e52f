//! URIs that name people and places: sip, sips, pres, tel, and others as they are.

mod characters;
mod host;
mod parts;
mod pres_uri;
mod sip_uri;
mod tel_uri;

use core::fmt;

pub use parts::{MAX_URI_PARTS, UriHeaders, UriParams};
pub use pres_uri::PresUri;
pub use sip_uri::SipUri;
pub use tel_uri::TelUri;

use super::MAX_URI_LEN;
use super::byte_set::split_once;

/// Why a text is no URI of its scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// More than [`MAX_URI_LEN`] octets.
    #[error("URI longer than {MAX_URI_LEN} octets")]
    TooLong,
    /// More than [`MAX_URI_PARTS`] parameters or header fields.
    #[error("URI with more than {MAX_URI_PARTS} parameters or header fields")]
    TooManyParts,
    /// Not by the grammar of its scheme.
    #[error("URI is malformed at octet {offset}: expected {expected}")]
    Malformed {
        /// Where, in octets from the beginning.
        offset: usize,
        /// What was expected there.
        expected: &'static str,
    },
}

/// A URI. The text is lent; only URIs of other schemes are copied.
///
/// There is no `==`: [`equivalent`](Self::equivalent) compares as each scheme defines it, and
/// [`address_of_record`](Self::address_of_record) tells whom a URI names.
///
/// ```
/// use presentity::sip::Uri;
///
/// let one = Uri::parse("sip:%61nn@Example.COM;transport=tcp")?;
/// let other = Uri::parse("pres:ann@example.com")?;
/// assert!(!one.equivalent(&other));
/// assert_eq!(one.address_of_record(), other.address_of_record());
/// # Ok::<(), presentity::sip::UriError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Uri<'a> {
    /// `sip:` or `sips:` (RFC 3261 section 19.1).
    Sip(SipUri<'a>),
    /// `pres:` (RFC 3859 appendix A).
    Pres(PresUri<'a>),
    /// `tel:` (RFC 3966).
    Tel(TelUri<'a>),
    /// Any other absolute URI.
    Other(url::Url),
}

impl<'a> Uri<'a> {
    /// Reads a URI.
    ///
    /// # Errors
    /// [`UriError`]; a relative reference is [`UriError::Malformed`].
    pub fn parse(text: &'a str) -> Result<Self, UriError> {
        if text.len() > MAX_URI_LEN {
            return Err(UriError::TooLong);
        }
        let (scheme, rest) =
            split_once(text, b':').ok_or_else(|| expected_at(text, text, "a scheme"))?;
        if scheme.eq_ignore_ascii_case("sip") {
            SipUri::parse(text, false, rest).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            SipUri::parse(text, true, rest).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("pres") {
            PresUri::parse(text, rest).map(Self::Pres)
        } else if scheme.eq_ignore_ascii_case("tel") {
            TelUri::parse(text, rest).map(Self::Tel)
        } else {
            // The general parser would drop or escape these in silence.
            let odd = |c: char| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(c);
            if let Some(at) = text.find(odd) {
                return Err(UriError::Malformed {
                    offset: at,
                    expected: "a character of a URI",
                });
            }
            // It resolves escapes in hosts, and may bring such characters to light.
            let url = url::Url::parse(text).ok();
            let url = url.filter(|url| !url.as_str().contains(odd));
            url.map(Self::Other).ok_or(UriError::Malformed {
                offset: 0,
                expected: "an absolute URI",
            })
        }
    }

    /// The scheme, in lower case.
    pub fn scheme(&self) -> &str {
        match self {
            Self::Sip(uri) if uri.is_sips() => "sips",
            Self::Sip(_) => "sip",
            Self::Pres(_) => "pres",
            Self::Tel(_) => "tel",
            Self::Other(url) => url.scheme(),
        }
    }

    /// Whether two URIs are the same by the rules of their scheme: RFC 3261 section 19.1.4 for sip
    /// and sips, which never equal each other; RFC 3966 section 4 for tel. RFC 3859 has no rules
    /// for pres: domains compare without case, local parts exactly after their escapes are
    /// resolved, header fields not at all.
    ///
    /// For sip this is not transitive: a URI without a parameter equals those with any value of it.
    /// So it serves to compare two URIs, and never as a key.
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        match (self, other) {
            (Self::Sip(one), Uri::Sip(other)) => one.equivalent(other),
            (Self::Pres(one), Uri::Pres(other)) => one.equivalent(other),
            (Self::Tel(one), Uri::Tel(other)) => one.equivalent(other),
            (Self::Other(one), Uri::Other(other)) => one == other,
            _ => false,
        }
    }

    /// A key that is the same for all URIs that name the same resource, whatever way leads there.
    ///
    /// - sip, sips and pres: `user@host`, or `host` without a user. Escapes are written in one way,
    ///   the host in lower case without a full stop at its end. The ports 5060 and 5061 count as no
    ///   port; another stands behind a colon. Scheme, password, parameters and header fields do not
    ///   count. In a sip or sips user a reserved character and its escape stay apart (RFC 3261
    ///   section 19.1.4); in a pres URI they are the same.
    /// - tel: `tel:` and the number without separators, with its `ext` and `isub`, and the
    ///   `phone-context` of a local number.
    /// - others: the URI as the `url` crate writes it.
    ///
    /// Nothing for a URI of another scheme that reads like a host with a port.
    pub fn address_of_record(&self) -> Option<String> {
        match self {
            Self::Sip(uri) => Some(uri.address_of_record()),
            Self::Pres(uri) => Some(uri.address_of_record()),
            Self::Tel(uri) => Some(uri.address_of_record()),
            Self::Other(url) => {
                let looks_like_port = url.path().bytes().all(|byte| byte.is_ascii_digit());
                (!looks_like_port).then(|| url.as_str().to_owned())
            }
        }
    }
}

/// The host of a canonical [address of record](Uri::address_of_record), without its port.
pub(crate) fn host_of(address: &str) -> &str {
    let host = address.rsplit_once('@').map_or(address, |(_, host)| host);
    match host.rsplit_once(':') {
        // Not the colons of an IPv6 address.
        Some((bare, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => bare,
        _ => host,
    }
}

impl Uri<'_> {
    /// A key that two URIs have in common only if they are [`equivalent`](Self::equivalent).
    ///
    /// Not all that are have it in common, since that relation is not transitive: of sip and sips URIs
    /// a parameter that only one of them has makes a difference here.
    pub(crate) fn comparison_key(&self) -> String {
        match self {
            Self::Sip(uri) => uri.comparison_key(),
            Self::Pres(uri) => uri.bare(),
            Self::Tel(uri) => uri.comparison_key(),
            Self::Other(url) => url.as_str().to_owned(),
        }
    }

    /// The URI without what only says how to get there (parameters, header fields), spelt in the one
    /// way in which all that mean the same are: scheme and port are kept, needless escapes are not.
    pub(crate) fn bare(&self) -> String {
        match self {
            Self::Sip(uri) => uri.bare(),
            Self::Pres(uri) => uri.bare(),
            Self::Tel(uri) => uri.address_of_record(),
            Self::Other(url) => {
                let text = url.as_str();
                text.split_once('?')
                    .map_or(text, |(bare, _)| bare)
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Pres(uri) => uri.fmt(f),
            Self::Tel(uri) => uri.fmt(f),
            Self::Other(url) => url.fmt(f),
        }
    }
}

/// The error of `part`, which is a part of `uri`.
fn expected_at(uri: &str, part: &str, expected: &'static str) -> UriError {
    let offset = part.as_ptr().addr().saturating_sub(uri.as_ptr().addr());
    // A part that is empty may be a literal from elsewhere.
    UriError::Malformed {
        offset: offset.min(uri.len()),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Option<String> {
        Uri::parse(text)
            .unwrap_or_else(|error| panic!("{text:?}: {error}"))
            .address_of_record()
    }

    // PA-03: one key, whatever form the presentity is asked for in.
    #[test]
    fn all_forms_of_an_address_have_one_key() {
        for text in [
            "sip:ann@example.com",
            "sip:%61nn@Example.COM;transport=tcp",
            "sips:ann@example.com:5061",
            "SIP:ann:secret@example.com.:5060?subject=x",
            "pres:ann@example.com",
            "PRES:a%6En@EXAMPLE.com?subject=x",
            "sip:ann@example.com;gr=urn:uuid:0",
        ] {
            assert_eq!(key(text).as_deref(), Some("ann@example.com"), "{text:?}");
        }
        assert_eq!(key("pres:a%2bb%c3%a9@x").as_deref(), Some("a+b%C3%A9@x"));
        assert_eq!(key("sip:a+b%C3%A9@x"), key("pres:a+b%c3%a9@x"));
    }

    #[test]
    fn what_has_one_comparison_key_is_equivalent() {
        let texts = [
            "sip:ann@example.com",
            "sip:%61nn@EXAMPLE.com",
            "sips:ann@example.com",
            "sip:ann@example.com:5060",
            "sip:ann:x@example.com",
            "sip:ann:%78@example.com",
            "sip:ann@example.com;gr=urn:uuid:1",
            "sip:ann@example.com;GR=URN:uuid:1",
            "sip:ann@example.com;gr=urn%3Auuid%3A1",
            "sip:ann@example.com;gr=urn:uuid:2",
            "sip:ann@example.com;a=1;b",
            "sip:ann@example.com;b;a=1",
            "sip:ann@example.com;method=INVITE",
            "sip:ann@example.com;method=invite",
            "sip:ann@example.com?a=1&b=2",
            "sip:ann@example.com?B=2&a=1",
            "sip:ann@example.com;b?a=1",
            "pres:ann@example.com",
            "pres:%61nn@example.com?subject=x",
            "tel:+1-555;ext=1;x=y",
            "tel:+1555;X=y;ext=1",
            "tel:+1555;x=z;ext=1",
            "im:ann@example.com",
            "IM:ann@example.com",
        ];
        let mut same = 0;
        for (at, one) in texts.iter().enumerate() {
            for other in &texts[at + 1..] {
                let (one, other) = (Uri::parse(one).unwrap(), Uri::parse(other).unwrap());
                if one.comparison_key() == other.comparison_key() {
                    assert!(one.equivalent(&other), "{one} {other}");
                    same += 1;
                }
            }
        }
        assert_eq!(same, 8);
    }

    #[test]
    fn escapes_in_a_host_bring_no_odd_character_in() {
        assert!(Uri::parse("https://photos.example%22.org/").is_err());
        assert!(Uri::parse("https://photos.ex%61mple.org/%22").is_ok());
    }

    #[test]
    fn different_addresses_have_different_keys() {
        let keys = [
            "sip:ann@example.com",
            "sip:Ann@example.com",
            "sip:ann@example.com:5070",
            "sip:ann@example.org",
            "sip:example.com",
            "sip:example.com:5070",
            "sip:ann%40example.com@example.org",
            "sip:ann%40example.com",
            "sip:a;b@example.com",
            "sip:a%3Bb@example.com",
            "sip:%3Aann@example.com",
            "tel:+15550100",
            "tel:+15550100;ext=1",
            "tel:+15550100;isub=1",
            "tel:5550100;phone-context=example.com",
            "tel:5550100;phone-context=+1",
            "xmpp:ann@example.com",
            "mailto:ann@example.com",
            "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        ]
        .map(|text| {
            if text == "sip:ann%40example.com" {
                None
            } else {
                key(text)
            }
        });
        let mut seen: Vec<_> = keys.iter().flatten().collect();
        assert_eq!(seen.len(), 18);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 18);
    }

    #[test]
    fn keys_are_written_in_one_way() {
        for (text, expected) in [
            ("sip:Example.com.", "example.com"),
            ("sip:example.com:5061", "example.com"),
            ("sip:ann@[2001:DB8:0::1]:5070", "ann@[2001:db8::1]:5070"),
            ("tel:+1-(555).0100;x=y", "tel:+15550100"),
            ("tel:+1;phone-context=x.example", "tel:+1"),
            (
                "tel:7-a*;x=y;Phone-Context=+1-555",
                "tel:7A*;phone-context=+1555",
            ),
            (
                "tel:7;phone-context=X.Example;EXT=1-2",
                "tel:7;ext=12;phone-context=x.example",
            ),
            ("XMPP:ann@example.com", "xmpp:ann@example.com"),
        ] {
            assert_eq!(key(text).as_deref(), Some(expected), "{text:?}");
        }
        // This would read like a host with a port.
        assert_eq!(key("xmpp:5222"), None);
    }

    #[test]
    fn schemes_are_told_apart_without_case() {
        for (text, scheme) in [
            ("sIp:a@x", "sip"),
            ("SIPS:a@x", "sips"),
            ("Pres:a@x", "pres"),
            ("TEL:+1", "tel"),
            ("URN:uuid:0", "urn"),
            ("im:a@x", "im"),
            ("https://example.com/a?b#c", "https"),
        ] {
            assert_eq!(
                Uri::parse(text)
                    .map(|uri| uri.scheme().to_owned())
                    .as_deref(),
                Ok(scheme)
            );
        }
        assert!(
            Uri::parse("im:a@x")
                .unwrap()
                .equivalent(&Uri::parse("IM:a@x").unwrap())
        );
        assert!(
            !Uri::parse("im:a@x")
                .unwrap()
                .equivalent(&Uri::parse("im:b@x").unwrap())
        );
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "",
            ":",
            "a",
            "ann@example.com",
            "//example.com",
            "1a:b",
            "ht tp:x",
            "im:a b",
            "im:a\tb",
            "im:a\r\nb",
            " im:a",
            "im:a ",
            "im:<a>",
            "im:\"",
            "im:é",
            "im:a\0",
            "im:a\u{7f}",
            "im:a\\b",
            "im:{a}",
            "http://",
            "sip",
            "a%41:b",
        ] {
            assert!(
                matches!(Uri::parse(text), Err(UriError::Malformed { .. })),
                "{text:?}"
            );
        }
        let longest = format!("im:{}", "a".repeat(MAX_URI_LEN - 3));
        assert!(Uri::parse(&longest).is_ok());
        assert_eq!(Uri::parse(&(longest + "a")).err(), Some(UriError::TooLong));
    }
}
