//! What watchers and domains are compared by.

use std::borrow::Cow;

use crate::sip::{Uri, host_of};
use crate::xml::trim;

/// The domain as it is compared (RFC 4745 section 7.1.3): escapes resolved, in ASCII, in lower case. None
/// for what is none.
pub(super) fn key(domain: &str) -> Option<String> {
    let domain = trim(domain);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    if domain.is_empty() {
        return None;
    }
    if is_plain(domain) {
        return Some(domain.to_ascii_lowercase());
    }
    url::Host::parse(domain).ok().map(|host| host.to_string())
}

/// Whether there is nothing to convert but case.
fn is_plain(domain: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    domain.bytes().all(is_plain)
}

/// The domain of a canonical address of record; none where there is none, as with telephone numbers.
pub(super) fn of(watcher: &str) -> Option<Cow<'_, str>> {
    if !watcher.contains('@')
        && let Some((_, rest)) = watcher.split_once(':')
    {
        // A host with a port, or an IPv6 address, and no other URI.
        let is_port = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
        if !is_port && !watcher.starts_with('[') {
            return None;
        }
    }
    let host = host_of(watcher);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return key(host).map(Cow::Owned);
    }
    (!host.is_empty()).then_some(Cow::Borrowed(host))
}

/// Whom a URI names, as watchers are named.
pub(super) fn person(uri: &str) -> Option<String> {
    Uri::parse(trim(uri)).ok()?.address_of_record()
}

/// The same of what is to be left out: people forget the scheme.
pub(super) fn exception(uri: &str) -> Option<String> {
    person(uri).or_else(|| person(&format!("sip:{}", trim(uri))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_compared_in_one_form() {
        for (domain, expected) in [
            ("example.com", Some("example.com")),
            (" EXAMPLE.Com.\n", Some("example.com")),
            ("ex%61mple.com", Some("example.com")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("B%C3%BCcher.example", Some("xn--bcher-kva.example")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("in_house", Some("in_house")),
            ("192.0.2.7", Some("192.0.2.7")),
            ("[2001:DB8:0::1]", Some("[2001:db8::1]")),
            ("", None),
            (" . ", None),
            ("a b", None),
            ("a@b", None),
        ] {
            assert_eq!(key(domain).as_deref(), expected, "{domain:?}");
        }
    }

    #[test]
    fn watchers_have_domains_or_none() {
        for (watcher, expected) in [
            ("bob@example.com", Some("example.com")),
            ("bob@example.com:5070", Some("example.com")),
            ("example.com", Some("example.com")),
            ("example.com:5070", Some("example.com")),
            ("[2001:db8::1]", Some("[2001:db8::1]")),
            ("bob@[2001:db8::1]:5070", Some("[2001:db8::1]")),
            ("mailto:bob@Example.NET", Some("example.net")),
            ("tel:+15550100", None),
            ("tel:7042;phone-context=example.com", None),
            ("urn:uuid:0", None),
            ("https://example.com/", None),
            ("", None),
        ] {
            assert_eq!(of(watcher).as_deref(), expected, "{watcher:?}");
        }
    }

    #[test]
    fn exceptions_are_understood_without_a_scheme() {
        assert_eq!(person("bob@example.com"), None);
        assert_eq!(
            exception("bob@Example.com").as_deref(),
            Some("bob@example.com")
        );
        assert_eq!(
            exception("tel:+1-555-0100").as_deref(),
            Some("tel:+15550100")
        );
        assert_eq!(exception("a b"), None);
        assert_eq!(exception(""), None);
    }
}
