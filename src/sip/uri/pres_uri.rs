//! pres URIs (RFC 3859 appendix A).

use core::fmt;

use super::super::byte_set::split_once;
use super::characters::{LOCAL, PRES_HEADER, USER, covers, decoded_eq, push_decoded};
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

impl<'a> PresUri<'a> {
    /// `rest` is what follows the scheme in `text`.
    pub(super) fn parse(text: &'a str, rest: &'a str) -> Result<Self, UriError> {
        let (to, headers) = match split_once(rest, b'?') {
            Some((to, headers)) => (to, Some(headers)),
            None => (rest, None),
        };
        let (local, domain) =
            split_once(to, b'@').ok_or_else(|| expected_at(text, to, "local@domain"))?;
        if local.is_empty() || !covers(&LOCAL, local) {
            return Err(expected_at(text, local, "a local part"));
        }
        if !is_host(domain) {
            return Err(expected_at(text, domain, "a domain"));
        }
        let headers = UriHeaders::parse_with(text, headers, &PRES_HEADER)?;
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

    /// Without header fields, in the one way in which all that are spelt otherwise but mean the same
    /// are written.
    pub(super) fn bare(&self) -> String {
        let mut bare = String::with_capacity(self.text.len());
        bare.push_str("pres:");
        push_decoded(&mut bare, self.local, &LOCAL);
        bare.push('@');
        push_host(&mut bare, self.domain);
        bare
    }

    pub(super) fn address_of_record(&self) -> String {
        let mut key = String::with_capacity(self.text.len());
        push_decoded(&mut key, self.local, &USER);
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

#[cfg(test)]
mod tests {
    use super::super::Uri;
    use super::*;

    // SUB-65
    #[test]
    fn a_pres_uri_names_somebody() {
        let text = "PRES:ann+x%22@Example.com?subject=a@b;c,d&to=";
        let Ok(Uri::Pres(uri)) = Uri::parse(text) else {
            panic!("no pres URI")
        };
        assert_eq!((uri.local(), uri.domain()), ("ann+x%22", "Example.com"));
        assert_eq!(uri.headers().iter().next(), Some(("subject", "a@b;c,d")));
        assert_eq!((uri.as_str(), uri.to_string().as_str()), (text, text));
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for text in [
            "pres:",
            "pres:ann",
            "pres:@example.com",
            "pres:ann@",
            "pres:a@b@c",
            "pres:a%40b",
            "pres:ann@x;y",
            "pres:ann@x:5060",
            "pres:a;b@x",
            "pres:?a=b",
            "pres:a?b=c@d",
            "pres:a b@x",
            "pres:\"a\"@x",
            "pres:a@x?",
            "pres:<ann@x>",
            "pres:Ann%20<a@x>",
            "pres:é@x",
            "pres:a@x\n",
            "pres://a@x",
            "pres:a,b@x",
            "pres:a:b@x",
            "pres:a%4@x",
        ] {
            assert!(
                matches!(Uri::parse(text), Err(UriError::Malformed { .. })),
                "{text:?}"
            );
        }
    }

    #[test]
    fn local_parts_have_a_case_and_domains_have_none() {
        let same = |one, other| {
            Uri::parse(one)
                .unwrap()
                .equivalent(&Uri::parse(other).unwrap())
        };
        assert!(same("pres:%61nn@EXAMPLE.com?a=b", "PRES:ann@example.com"));
        assert!(same("pres:a%2Bb@x", "pres:a+b@x"));
        assert!(!same("pres:Ann@x", "pres:ann@x"));
        assert!(!same("pres:ann@x", "sip:ann@x"));
    }
}
