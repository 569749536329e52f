//! What may stand where a document names somebody.

/// Whether the text is an absolute URI and nothing else (RFC 3986, 4.3): a scheme, a colon, and
/// at least one character of those that URIs are made of.
pub(super) fn is_absolute(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let mut scheme = scheme.bytes();
    let scheme_is_good = scheme.next().is_some_and(|b| b.is_ascii_alphabetic())
        && scheme.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    scheme_is_good && !rest.is_empty() && rest.bytes().all(is_uri_byte)
}

/// Whether the text may stand where a schema wants a URI: an absolute or relative reference, with
/// escapes that are complete (RFC 3986, 4.1).
pub(super) fn is_reference(text: &str) -> bool {
    let mut fragments = text.split('#');
    let (Some(first), fragment, None) = (fragments.next(), fragments.next(), fragments.next())
    else {
        return false;
    };
    let mut parts = [first, fragment.unwrap_or_default()].into_iter();
    parts.all(|part| part.bytes().all(is_uri_byte) && escapes_are_complete(part))
}

fn escapes_are_complete(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        let mut is_digit = || digits.next().is_some_and(|digit| digit.is_ascii_hexdigit());
        is_digit() && is_digit()
    })
}

/// Whether a certificate may be said to be there: an absolute URI of one of four schemes.
pub(super) fn is_certificate_source(text: &str) -> bool {
    const SCHEMES: [&str; 4] = ["sip", "sips", "http", "https"];
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    is_absolute(text)
        && scheme.is_some_and(|scheme| SCHEMES.iter().any(|it| it.eq_ignore_ascii_case(scheme)))
}

/// Unreserved and reserved characters and `%`, without `#`: a fragment names no presentity.
fn is_uri_byte(byte: u8) -> bool {
    matches!(byte,
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9'
        | b'-' | b'.' | b'_' | b'~' | b'%' | b':' | b'/' | b'?' | b'[' | b']' | b'@' | b'!'
        | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

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
}
