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
        let (scheme, rest) = text
            .split_once(':')
            .ok_or_else(|| expected_at(text, text, "a scheme"))?;
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
            let expected = "an absolute URI";
            let url = url::Url::parse(text);
            url.map(Self::Other).map_err(|_| UriError::Malformed {
                offset: 0,
                expected,
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
