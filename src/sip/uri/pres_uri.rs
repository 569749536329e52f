//! pres URIs (RFC 3859 appendix A).

use core::fmt;

use super::characters::{CharSet, HEADER, USER, decoded_eq, push_decoded_user};
use super::host::{hosts_eq, is_host, push_host};
use super::{UriError, UriHeaders, expected_at};

/// A pres URI that names somebody: `pres:local@domain`.
///
/// The grammar is that of mailto, so the local part and the header fields may be anything, escaped;
/// without either part it names nobody and is refused. There are no parameters.
#[derive(Debug, Clone, Copy)]
pub struct PresUri<'a> {
    text: &'a str,
    local: &'a str,
    domain: &'a str,
    headers: UriHeaders<'a>,
}

/// What may stand in the local part as it is. A question mark would begin the header fields; the
/// semicolon is kept free since there are no parameters.
const LOCAL: CharSet = USER.without("?;").and(":");
const PRES_HEADER: CharSet = HEADER.and(";@,=");

impl<'a> PresUri<'a> {
    /// `rest` is what follows the scheme in `text`.
    pub(super) fn parse(text: &'a str, rest: &'a str) -> Result<Self, UriError> {
        let (to, headers) = match rest.split_once('?') {
            Some((to, headers)) => (to, Some(headers)),
            None => (rest, None),
        };
        let (local, domain) = to
            .split_once('@')
            .ok_or_else(|| expected_at(text, to, "local@domain"))?;
        if local.is_empty() || !LOCAL.covers(local) {
            return Err(expected_at(text, local, "a local part"));
        }
        if !is_host(domain) {
            return Err(expected_at(text, domain, "a domain"));
        }
        let headers = UriHeaders::parse_with(text, headers, PRES_HEADER)?;
        Ok(Self {
            text,
            local,
            domain,
            headers,
        })
    }

    /// The whole URI.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// What stands before the at sign, with its escapes.
    pub fn local(&self) -> &'a str {
        self.local
    }

    /// What stands behind the at sign.
    pub fn domain(&self) -> &'a str {
        self.domain
    }

    /// The header fields; they are no part of the identity.
    pub fn headers(&self) -> UriHeaders<'a> {
        self.headers
    }

    pub(super) fn equivalent(&self, other: &Self) -> bool {
        decoded_eq(self.local, other.local) && hosts_eq(self.domain, other.domain)
    }

    pub(super) fn address_of_record(&self) -> String {
        let mut key = String::with_capacity(self.text.len());
        push_decoded_user(&mut key, self.local);
        key.push('@');
        push_host(&mut key, self.domain);
        key
    }
}

impl fmt::Display for PresUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}
