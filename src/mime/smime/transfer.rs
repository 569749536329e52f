//! The encodings that bodies of parts may be in.

use std::borrow::Cow;

use openssl::base64;

/// The octets that are meant by a body with this transfer encoding (RFC 2045 section 6), or why they
/// cannot be told.
pub(super) fn decoded<'a>(encoding: Option<&str>, body: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
    let is = |name: &&str| encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case(name));
    if encoding.is_none() || ["7bit", "8bit", "binary"].iter().any(is) {
        return Ok(Cow::Borrowed(body));
    }
    if !is(&"base64") {
        return Err("its transfer encoding is not supported".to_owned());
    }
    let dense: Vec<u8> = body
        .iter()
        .copied()
        .filter(|octet| !matches!(octet, b' ' | b'\t' | b'\r' | b'\n'))
        .collect();
    let malformed = || "its base64 is malformed".to_owned();
    // Padding in the middle, or more of it than there is room for, is for nobody to interpret.
    let unpadded = dense.iter().take_while(|octet| **octet != b'=').count();
    let padding = dense.get(unpadded..).unwrap_or_default();
    if !dense.len().is_multiple_of(4)
        || padding.len() > 2
        || padding.iter().any(|octet| *octet != b'=')
    {
        return Err(malformed());
    }
    let text = core::str::from_utf8(&dense).map_err(|_| malformed())?;
    base64::decode_block(text)
        .map(Cow::Owned)
        .map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_the_rest_stays() {
        for encoding in [None, Some("7bit"), Some("8BIT"), Some("Binary")] {
            assert_eq!(decoded(encoding, b"\0=").unwrap().as_ref(), b"\0=");
        }
        for (text, octets) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=\r\n", b"fo"),
            ("Z\r\nm9 v\r\n\tYmFy\r\n", b"foobar"),
        ] {
            let decoded = decoded(Some("BASE64"), text.as_bytes()).unwrap();
            assert_eq!(decoded.as_ref(), octets, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in [
            "Zg",
            "Zg=",
            "Z===",
            "====",
            "=",
            "==",
            "Zg==Zg==",
            "Z=g=",
            "Zm9v-_",
            "Zm9\u{e4}",
            "Zm9v\0mFy",
            "Zm9-",
        ] {
            assert!(
                decoded(Some("base64"), text.as_bytes()).is_err(),
                "{text:?}"
            );
        }
        assert!(decoded(Some("quoted-printable"), b"a").is_err());
        assert!(decoded(Some(""), b"a").is_err());
    }
}
