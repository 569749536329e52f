//! Simple values as XML Schema writes them (XML Schema part 2).

use core::str::FromStr;

use crate::xml::trim;

/// A number without sign that fits; a leading `+` and zeros are allowed.
pub(super) fn unsigned<T: FromStr>(text: &str) -> Option<T> {
    let text = trim(text);
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// Octets of a language tag; RFC 5646 section 4.4.1 comes to 35 for whatever is registered.
const LONGEST_LANGUAGE: usize = 35;

/// Whether the text is an xs:language (XML Schema part 2, 3.3.3), and no longer than one may be.
pub(super) fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-').enumerate();
    tag.len() <= LONGEST_LANGUAGE
        && parts.all(|(at, part)| {
            (1..=8).contains(&part.len())
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, value) in [
            ("0", Some(0)),
            (" +007\n", Some(7)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("-1", None),
            ("-0", None),
            ("++1", None),
            ("+", None),
            ("", None),
            ("1 2", None),
            ("1.0", None),
            ("٣", None),
        ] {
            assert_eq!(unsigned::<u32>(text), value, "{text:?}");
        }
        let zeros = format!("{}9", "0".repeat(500));
        assert_eq!(unsigned::<u64>(&zeros), Some(9));
    }

    #[test]
    fn languages() {
        for good in ["en", "de-AT", "x-private", "en-1997"] {
            assert!(is_language(good), "{good}");
        }
        for bad in ["", "-", "en-", "1en", "en_GB", "toolongatag", "e n", "ü"] {
            assert!(!is_language(bad), "{bad}");
        }
        let long = ["en", "abcdefgh", "abcdefgh", "abcdefgh", "abcdefgh"].join("-");
        assert!(!is_language(&long));
    }
}
