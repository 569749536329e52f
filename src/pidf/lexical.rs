//! Simple values as XML Schema writes them (XML Schema part 2).

use crate::xml::trim;

/// An xs:boolean.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match trim(text) {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Whether the text, trimmed, is an xs:integer: digits, perhaps after a sign, however many.
pub(super) fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// An xs:integer that fits; a leading `+` and zeros are allowed.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = trim(text);
    is_integer(text).then(|| text.parse().ok())?
}

/// Octets of a language tag; RFC 5646 section 4.4.1 comes to 35 for whatever is registered.
pub(super) const LONGEST_LANGUAGE: usize = 35;

/// Whether the text is an xs:language (XML Schema part 2, 3.3.3), and no longer than one may be: it is
/// copied to whatever it is said of.
pub(super) fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-').enumerate();
    tag.len() <= LONGEST_LANGUAGE
        && parts.all(|(at, part)| {
            (1..=8).contains(&part.len())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphabetic() || (at > 0 && b.is_ascii_digit()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans() {
        for (text, value) in [
            ("true", Some(true)),
            (" 1\n", Some(true)),
            ("false", Some(false)),
            ("0", Some(false)),
            ("TRUE", None),
            ("yes", None),
            ("", None),
            ("01", None),
        ] {
            assert_eq!(boolean(text), value, "{text:?}");
        }
    }

    #[test]
    fn integers() {
        for (text, value) in [
            ("0", Some(0)),
            (" -60 ", Some(-60)),
            ("+0060", Some(60)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("1.0", None),
            ("1 2", None),
        ] {
            assert_eq!(integer(text), value, "{text:?}");
        }
    }

    #[test]
    fn languages() {
        for good in ["en", "de-AT", "x-private", "sr-Latn-RS", "en-1997"] {
            assert!(is_language(good), "{good}");
        }
        for bad in [
            "",
            "-",
            "en-",
            "-en",
            "1en",
            "en_GB",
            "toolongatag",
            "en-toolongatag",
            "e n",
        ] {
            assert!(!is_language(bad), "{bad}");
        }
    }
}
