//! What may stand where a document names somebody, or something to look at.

use std::net::Ipv6Addr;

use crate::sip::byte_set::ByteSet;
use crate::xml::trim;

/// Whether the text is an absolute URI and nothing else (RFC 3986, 4.3): a scheme, a colon, and
/// at least one character of those that URIs are made of.
pub(super) fn is_absolute(text: &str) -> bool {
    let mut scheme = text.bytes();
    let ends = scheme
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && scheme.find(|&b| !is_scheme_byte(b)) == Some(b':');
    ends && scheme.len() > 0 && URI_CHARACTERS.covers(text)
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// Whether the text may stand where a schema wants a URI: an absolute or relative reference, with
/// escapes that are complete (RFC 3986, 4.1).
pub(super) fn is_reference(text: &str) -> bool {
    let mut fragments = text.split('#');
    let (Some(first), fragment, None) = (fragments.next(), fragments.next(), fragments.next())
    else {
        return false;
    };
    // What has a colon in its first segment has a scheme.
    let segment = first.split(['/', '?']).next();
    if segment.is_some_and(|segment| segment.contains(':')) {
        return is_uri(text);
    }
    let mut parts = [first, fragment.unwrap_or_default()].into_iter();
    let has_brackets = |part: &str| part.contains(['[', ']']);
    let may_have_brackets = first.starts_with("//");
    parts.all(|part| URI_CHARACTERS.covers(part) && escapes_are_complete(part))
        && (may_have_brackets || !has_brackets(text))
}

fn escapes_are_complete(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        let mut is_digit = || digits.next().is_some_and(|digit| digit.is_ascii_hexdigit());
        is_digit() && is_digit()
    })
}

/// Whether the text is a URI that may point into what it names (RFC 3986, 3): an absolute one,
/// perhaps with a fragment, where `%` stands before two hexadecimal digits and brackets around an
/// address, and neither anywhere else.
pub(super) fn is_uri(text: &str) -> bool {
    let (whole, fragment) = text.split_once('#').unwrap_or((text, ""));
    let Some((_, rest)) = whole.split_once(':') else {
        return false;
    };
    let authority = rest
        .strip_prefix("//")
        .and_then(|rest| rest.split(['/', '?']).next());
    let path = match authority {
        Some(authority) => rest.get(authority.len().saturating_add(2)..),
        None => Some(rest),
    };
    let has_brackets = |part: &str| part.contains(['[', ']']);
    is_absolute(whole)
        && URI_CHARACTERS.covers(fragment)
        && authority.is_none_or(is_authority)
        && path.is_some_and(|path| !has_brackets(path))
        && !has_brackets(fragment)
        && escapes_are_complete(text)
}

/// User, host and port (RFC 3986, 3.2), of bytes that URIs are made of.
fn is_authority(text: &str) -> bool {
    let (user, host) = text.split_once('@').unwrap_or(("", text));
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (host, "0"),
    };
    let is_host = match host.strip_prefix('[') {
        Some(address) => address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.contains(['[', ']', ':', '@']),
    };
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    !user.contains(['[', ']']) && is_host && is_port
}

/// The URI that an xs:anyURI stands for: characters that no URI is made of are escaped as UTF-8
/// (XML Schema part 2, 3.2.17). None for a relative one, which nothing here gives a base.
pub(super) fn of_any_uri(text: &str) -> Option<String> {
    let mut uri = String::with_capacity(text.len());
    for c in trim(text).chars() {
        if c.is_ascii()
            && !matches!(
                c,
                ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'
            )
        {
            uri.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                uri.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    is_uri(&uri).then_some(uri)
}

/// Unreserved and reserved characters and `%` (RFC 3986, 2), without `#`: a fragment names no
/// presentity.
static URI_CHARACTERS: ByteSet = ByteSet::GRAPHIC.without("\"<>\\^`{|}#");

#[cfg(test)]
mod tests {
    use super::*;

    // PIDF-05
    #[test]
    fn absolute_uris() {
        for good in [
            "sip:dora@example.com",
            "pres:dora@example.com",
            "sips:+4930123;phone-context=example.com@example.com:5061;transport=tls?x=y",
            "sip:dora@[2001:db8::1]",
            "urn:uuid:0f6a",
            "tel:+49-30-1234",
            "xmpp:dora%20x@example.com",
        ] {
            assert!(is_absolute(good), "{good}");
        }
        for bad in [
            "",
            "sip:",
            ":x",
            "dora@example.com",
            "<sip:dora@example.com>",
            "\"Dora\" <sip:dora@example.com>",
            "sip:dora@example.com ",
            " sip:dora@example.com",
            "sip:do ra@example.com",
            "sip:dora@example.com#now",
            "sip:d\u{F6}ra@example.com",
            "1sip:dora@example.com",
            "s_p:dora@example.com",
        ] {
            assert!(!is_absolute(bad), "{bad}");
        }
    }

    #[test]
    fn uris_that_may_have_a_fragment() {
        for good in [
            "https://example.com/dora%20x?size=9#top",
            "https://example.com/#",
            "cid:icon@example.com",
            "data:image/png;base64,AAAA",
            "https://[2001:db8::1]/x",
            "https://dora:x@[2001:db8::1]:8443?x",
            "https://example.com:8443",
            "file:///icon.png",
            "a:?b:c@d#e:f@g/?",
        ] {
            assert!(is_uri(good), "{good}");
        }
        for bad in [
            "",
            "#top",
            "icon.png",
            "//example.com/x",
            "https:",
            "https:#x",
            "https://example.com/#a#b",
            "https://example.com/a b",
            "https://example.com/%",
            "https://example.com/%4",
            "https://example.com/%zz",
            "https://example.com/#%g0",
            "https://example.com/[x]",
            "https://example.com/#[x]",
            "https://example.com:x/",
            "https://example.com:/",
            "https://example.com:65536/",
            "https://a:b:c/",
            "https://a@b@c/",
            "https://[2001:db8::x]/",
            "https://[2001:db8::1/",
            "https://2001:db8::1/",
            "https://[::1]x/",
            "https://[@example.com/",
            "sip:dora@[2001:db8::1]",
            "https://example.com/\u{F6}",
        ] {
            assert!(!is_uri(bad), "{bad}");
        }
    }

    #[test]
    fn what_schemas_take_for_a_uri() {
        for (text, uri) in [
            (" https://example.com/a\n", Some("https://example.com/a")),
            (
                "https://example.com/B\u{FC}ro 3",
                Some("https://example.com/B%C3%BCro%203"),
            ),
            (
                "https://example.com/%20#x",
                Some("https://example.com/%20#x"),
            ),
            ("https://example.com/100%", None),
            ("icon.png", None),
            ("", None),
            ("https://example.com/a\nb", None),
        ] {
            assert_eq!(of_any_uri(text).as_deref(), uri, "{text:?}");
        }
    }
}
