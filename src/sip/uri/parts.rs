//! What follows the host of a URI: parameters and header fields.

use super::super::byte_set::{ByteSet, split_once};
use super::characters::{self, HEADER, PARAM_NAME, PARAM_VALUE, covers};
use super::{UriError, expected_at};

/// Parameters of a URI, and header fields of a URI, at most; more are refused.
///
/// The names are compared each with each, and no URI in use has a dozen.
pub const MAX_URI_PARTS: usize = 64;

/// The parameters of a SIP, SIPS or tel URI: `;name`, `;name=value`.
///
/// Values come as they stand, with their escapes. Names compare without case and escapes; none
/// stands twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UriParams<'a> {
    /// Empty, or from the first semicolon on.
    text: &'a str,
}

impl<'a> UriParams<'a> {
    /// Checks `text`, which is empty or begins with a semicolon.
    pub(super) fn parse(uri: &str, text: &'a str) -> Result<Self, UriError> {
        let params = Self { text };
        for (at, (name, value)) in params.iter().enumerate() {
            if at == MAX_URI_PARTS {
                return Err(UriError::TooManyParts);
            }
            if name.is_empty() || !covers(&PARAM_NAME, name) {
                return Err(expected_at(uri, name, "a parameter name"));
            }
            if let Some(value) = value
                && (value.is_empty() || !covers(&PARAM_VALUE, value))
            {
                return Err(expected_at(uri, value, "a parameter value"));
            }
            let same = |(other, _): &(&str, _)| characters::equivalent_ignoring_case(other, name);
            if params.iter().take(at).any(|other| same(&other)) {
                return Err(expected_at(uri, name, "another parameter name"));
            }
        }
        Ok(params)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The parameter of this name: `None` without it, `Some(None)` when it has no value.
    pub fn get(&self, name: &str) -> Option<Option<&'a str>> {
        self.iter()
            .find(|(known, _)| characters::equivalent_ignoring_case(known, name))
            .map(|(_, value)| value)
    }

    /// Each parameter in order: its name, and its value if it has one.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        let mut rest = self.text.strip_prefix(';');
        core::iter::from_fn(move || {
            let (param, after) = match split_once(rest?, b';') {
                Some((param, after)) => (param, Some(after)),
                None => (rest?, None),
            };
            rest = after;
            Some(match split_once(param, b'=') {
                Some((name, value)) => (name, Some(value)),
                None => (param, None),
            })
        })
    }
}

/// The header fields of a SIP, SIPS or pres URI: `name=value`, with their escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UriHeaders<'a> {
    /// Without the question mark; nothing when the URI has none.
    text: Option<&'a str>,
}

impl<'a> UriHeaders<'a> {
    pub(super) fn parse(uri: &str, text: Option<&'a str>) -> Result<Self, UriError> {
        Self::parse_with(uri, text, &HEADER)
    }

    pub(super) fn parse_with(
        uri: &str,
        text: Option<&'a str>,
        set: &ByteSet,
    ) -> Result<Self, UriError> {
        let Some(fields) = text else {
            return Ok(Self::default());
        };
        for (at, header) in fields.split('&').enumerate() {
            if at == MAX_URI_PARTS {
                return Err(UriError::TooManyParts);
            }
            let (name, value) = header
                .split_once('=')
                .ok_or_else(|| expected_at(uri, header, "name=value"))?;
            if name.is_empty() || !covers(set, name) {
                return Err(expected_at(uri, name, "a header field name"));
            }
            if !covers(set, value) {
                return Err(expected_at(uri, value, "a header field value"));
            }
        }
        Ok(Self { text })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.text.is_none()
    }

    /// Each header field in order: its name and its value, as they stand.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.text
            .into_iter()
            .flat_map(|text| text.split('&'))
            .filter_map(|one| one.split_once('='))
    }

    /// Whether both have the same header fields, in whatever order (RFC 3261 section 19.1.4).
    pub(super) fn equivalent(self, other: Self) -> bool {
        if self.iter().count() != other.iter().count() {
            return false;
        }
        // One bit for each of the other's fields that has found its match.
        let mut taken = 0_u64;
        self.iter().all(|(name, value)| {
            let matching = other
                .iter()
                .enumerate()
                .find(|(at, (other_name, other_value))| {
                    taken & (1 << at) == 0
                        && characters::equivalent_ignoring_case(name, other_name)
                        && header_values_eq(name, value, other_value)
                });
            matching.map(|(at, _)| taken |= 1 << at).is_some()
        })
    }
}

/// Values compare without case (RFC 3261 section 7.3.1), but for those that have one: bodies,
/// Call-IDs, quoted strings.
fn header_values_eq(name: &str, one: &str, other: &str) -> bool {
    const WITH_CASE: [&str; 3] = ["body", "call-id", "i"];
    const QUOTE: &str = "%22";
    if WITH_CASE
        .iter()
        .any(|known| characters::equivalent_ignoring_case(known, name))
        || one.contains(QUOTE)
    {
        characters::equivalent(one, other)
    } else {
        characters::equivalent_ignoring_case(one, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_without_case_and_escapes() {
        let text = ";Transport=TCP;l%72;x=%20;gr=urn:uuid:0;vst=AAA==";
        let params = UriParams::parse(text, text).unwrap();
        assert_eq!(params.get("transport"), Some(Some("TCP")));
        assert_eq!(params.get("lr"), Some(None));
        assert_eq!(params.get("X"), Some(Some("%20")));
        assert_eq!(params.get("vst"), Some(Some("AAA==")));
        assert_eq!(params.get("y"), None);
        assert_eq!(params.iter().count(), 5);
        assert!(UriParams::parse("", "").unwrap().is_empty());
    }

    #[test]
    fn broken_parameters_are_refused() {
        for text in [
            ";",
            ";;a",
            ";a;",
            ";a=",
            ";=b",
            ";a=b@c",
            ";a=%4",
            ";a=\"b\"",
            ";a;A",
            ";a=1;%61=2",
            ";a,b",
        ] {
            assert!(
                matches!(
                    UriParams::parse(text, text),
                    Err(UriError::Malformed { .. })
                ),
                "{text:?}"
            );
        }
        let offset = |text| match UriParams::parse(text, text) {
            Err(UriError::Malformed { offset, .. }) => offset,
            other => panic!("{other:?}"),
        };
        assert_eq!(offset(";a=1;b=2;c=<"), 11);
    }

    #[test]
    fn header_fields_have_a_name_and_maybe_a_value() {
        let text = "subject=a%20b&to=sip:ann%40example.com&empty=";
        let headers = UriHeaders::parse(text, Some(text)).unwrap();
        let list: Vec<_> = headers.iter().collect();
        assert_eq!(
            list,
            [
                ("subject", "a%20b"),
                ("to", "sip:ann%40example.com"),
                ("empty", "")
            ]
        );
        assert!(!headers.is_empty() && UriHeaders::default().is_empty());
        for text in ["", "a", "=b", "a=b&", "a=b=c", "a=b;c", "a=%", "a=b@c"] {
            assert!(UriHeaders::parse(text, Some(text)).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_number_of_parts_is_bounded() {
        let text: String = (0..MAX_URI_PARTS).map(|at| format!(";p{at}")).collect();
        assert!(UriParams::parse(&text, &text).is_ok());
        let text = text + ";more";
        assert!(matches!(
            UriParams::parse(&text, &text),
            Err(UriError::TooManyParts)
        ));
        let text = vec!["a=b"; MAX_URI_PARTS].join("&");
        let full = UriHeaders::parse(&text, Some(&text)).unwrap();
        assert!(full.equivalent(full));
        let text = text.clone() + "&a=b";
        assert!(matches!(
            UriHeaders::parse(&text, Some(&text)),
            Err(UriError::TooManyParts)
        ));
    }

    #[test]
    fn header_fields_match_each_once_in_any_order() {
        let same = |one, other| {
            UriHeaders::parse(one, Some(one))
                .unwrap()
                .equivalent(UriHeaders::parse(other, Some(other)).unwrap())
        };
        assert!(same("a=1&b=2", "B=2&a=1"));
        assert!(same("subject=Hello", "Subject=hELLO"));
        assert!(!same("a=1&a=1", "a=1&a=2"));
        assert!(same("a=1&a=2", "a=2&a=1"));
        assert!(!same("a=1", "a=1&a=1"));
        assert!(!same("body=x", "body=X"));
        assert!(!same("subject=%22x%22", "subject=%22X%22"));
        assert!(!same("Call-ID=x", "call-id=X"));
    }
}
