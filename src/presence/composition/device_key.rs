//! When two device identifiers are one.

use std::borrow::Cow;

/// What all spellings of a device identifier have in common: the case of a URN's first two parts does
/// not matter, nor that of a UUID (RFC 8141 section 3.1, RFC 9562 section 4).
pub(super) fn device_key(identifier: &str) -> Cow<'_, str> {
    let identifier = crate::xml::trim(identifier);
    let mut parts = identifier.splitn(3, ':');
    let (Some(scheme), Some(namespace), Some(rest)) = (parts.next(), parts.next(), parts.next())
    else {
        return Cow::Borrowed(identifier);
    };
    if !scheme.eq_ignore_ascii_case("urn") {
        return Cow::Borrowed(identifier);
    }
    let is_uuid = namespace.eq_ignore_ascii_case("uuid");
    let is_lower = |text: &str| !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_lower(scheme) && is_lower(namespace) && (!is_uuid || is_lower(rest)) {
        return Cow::Borrowed(identifier);
    }
    let rest = if is_uuid {
        Cow::Owned(rest.to_ascii_lowercase())
    } else {
        Cow::Borrowed(rest)
    };
    Cow::Owned(format!("urn:{}:{rest}", namespace.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::device_key;

    #[test]
    fn the_case_of_a_uuid_does_not_matter() {
        for (text, key) in [
            ("URN:UUID:AB", "urn:uuid:ab"),
            (" urn:uuid:ab\n", "urn:uuid:ab"),
            ("Urn:Esn:AB", "urn:esn:AB"),
            ("urn:esn:AB", "urn:esn:AB"),
            ("HTTP://A:B", "HTTP://A:B"),
            ("urn:x", "urn:x"),
            ("", ""),
        ] {
            assert_eq!(device_key(text), key, "{text:?}");
        }
    }
}
