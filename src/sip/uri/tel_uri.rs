//! tel URIs (RFC 3966).

use core::fmt;

use super::characters::{equivalent_ignoring_case, push_lowercase};
use super::{UriError, UriParams, expected_at};

/// A tel URI: a telephone number of the world, or one that means something in its context alone.
#[derive(Debug, Clone, Copy)]
pub struct TelUri<'a> {
    text: &'a str,
    number: &'a str,
    params: UriParams<'a>,
}

/// RFC 3966 section 5.3.
const EXTENSION: &str = "ext";
/// RFC 3966 section 5.2.
const SUBADDRESS: &str = "isub";
/// RFC 3966 section 5.1.5.
const CONTEXT: &str = "phone-context";

impl<'a> TelUri<'a> {
    /// `rest` is what follows the scheme in `text`.
    pub(super) fn parse(text: &'a str, rest: &'a str) -> Result<Self, UriError> {
        let number_len = rest.find(';').unwrap_or(rest.len());
        let (number, params) = rest.split_at_checked(number_len).unwrap_or((rest, ""));
        let is_number = match number.strip_prefix('+') {
            Some(digits) => is_global(digits),
            None => {
                number.bytes().any(is_local_digit)
                    && number
                        .bytes()
                        .all(|byte| is_local_digit(byte) || is_separator(byte))
            }
        };
        if !is_number {
            return Err(expected_at(text, number, "a telephone number"));
        }
        let this = Self {
            text,
            number,
            params: UriParams::parse(text, params)?,
        };
        if !this.is_global() && this.phone_context().is_none() {
            return Err(expected_at(text, params, "a phone-context"));
        }
        Ok(this)
    }

    /// The whole URI.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The number as it stands, with its visual separators.
    pub fn number(&self) -> &'a str {
        self.number
    }

    /// Whether the number is global: it begins with `+`.
    pub fn is_global(&self) -> bool {
        self.number.starts_with('+')
    }

    /// Where a local number is valid: a domain, or the leading digits of global numbers.
    pub fn phone_context(&self) -> Option<&'a str> {
        self.params.get(CONTEXT).flatten()
    }

    /// The parameters.
    pub fn params(&self) -> UriParams<'a> {
        self.params
    }

    /// RFC 3966 section 4: numbers without separators, all parameters in whatever order.
    pub(super) fn equivalent(&self, other: &Self) -> bool {
        digits(self.number).eq(digits(other.number))
            && self.params.iter().count() == other.params.iter().count()
            && self.params.iter().all(|(name, value)| {
                other
                    .params
                    .get(name)
                    .is_some_and(|theirs| values_eq(name, value, theirs))
            })
    }

    pub(super) fn address_of_record(&self) -> String {
        let mut key = String::with_capacity(self.text.len());
        key.push_str("tel:");
        key.extend(digits(self.number));
        // Several people may share a number; those of one company's extensions do.
        for name in [EXTENSION, SUBADDRESS] {
            if let Some(value) = self.params.get(name).flatten() {
                push_param(&mut key, name, value);
            }
        }
        if let Some(context) = self.phone_context().filter(|_| !self.is_global()) {
            push_param(&mut key, CONTEXT, context);
        }
        key
    }
}

impl TelUri<'_> {
    /// See [`Uri::comparison_key`](super::Uri::comparison_key).
    pub(super) fn comparison_key(&self) -> String {
        let mut key = String::from("tel:");
        key.extend(digits(self.number));
        let mut params: Vec<String> = self
            .params
            .iter()
            .map(|(name, value)| {
                let mut lower = String::new();
                push_lowercase(&mut lower, name);
                let mut param = String::new();
                match value {
                    Some(value) => push_param(&mut param, &lower, value),
                    None => {
                        param.push(';');
                        param.push_str(&lower);
                    }
                }
                param
            })
            .collect();
        params.sort_unstable();
        key.extend(params);
        key
    }
}

impl fmt::Display for TelUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

fn is_global(digits: &str) -> bool {
    digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || is_separator(byte))
}

const fn is_local_digit(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#')
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

/// A number without separators, hexadecimal digits in upper case.
fn digits(number: &str) -> impl Iterator<Item = char> {
    let kept = number.bytes().filter(|byte| !is_separator(*byte));
    kept.map(|byte| char::from(byte.to_ascii_uppercase()))
}

/// Whether the value is itself a number: an extension, or a context given as a prefix.
fn is_number(name: &str, value: &str) -> bool {
    equivalent_ignoring_case(name, EXTENSION)
        || (equivalent_ignoring_case(name, CONTEXT) && value.starts_with('+'))
}

fn values_eq(name: &str, one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) if is_number(name, one) => digits(one).eq(digits(other)),
        (Some(one), Some(other)) => equivalent_ignoring_case(one, other),
        _ => false,
    }
}

fn push_param(key: &mut String, name: &str, value: &str) {
    key.push(';');
    key.push_str(name);
    key.push('=');
    if is_number(name, value) {
        key.extend(digits(value));
    } else {
        push_lowercase(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Uri;
    use super::*;

    fn tel(text: &str) -> TelUri<'_> {
        match Uri::parse(text) {
            Ok(Uri::Tel(uri)) => uri,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn numbers_are_global_or_have_a_context() {
        let uri = tel("TEL:+1-(555).0100;ext=12-3;Phone-Context=x.example");
        assert!(uri.is_global());
        assert_eq!(
            (uri.number(), uri.phone_context()),
            ("+1-(555).0100", Some("x.example"))
        );
        assert_eq!(uri.params().get("EXT"), Some(Some("12-3")));
        assert_eq!(uri.as_str(), uri.to_string());
        assert!(!tel("tel:*7#;phone-context=+1555").is_global());
        assert_eq!(tel("tel:aF-0;phone-context=example.com").number(), "aF-0");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "tel:",
            "tel:+",
            "tel:+-",
            "tel:-;phone-context=x",
            "tel:+1a",
            "tel:+1*",
            "tel:5550100",
            "tel:5;ext=1",
            "tel:5;phone-context",
            "tel:5;phone-context=",
            "tel:x;phone-context=y",
            "tel:+1 555",
            "tel:+1;",
            "tel:1+2;phone-context=x",
            "tel:+1;a=1;a=2",
            "tel:+1?a=b",
            "tel:+1@x",
            "tel:+1\r\n",
            "tel:++1",
            "tel:+é",
        ] {
            assert!(
                matches!(Uri::parse(text), Err(UriError::Malformed { .. })),
                "{text:?}"
            );
        }
    }

    // RFC 3966 section 4.
    #[test]
    fn separators_do_not_count_and_parameters_do() {
        let same = |one, other| {
            let (one, other) = (Uri::parse(one).unwrap(), Uri::parse(other).unwrap());
            assert_eq!(one.equivalent(&other), other.equivalent(&one));
            one.equivalent(&other)
        };
        assert!(same("tel:+1-555-0100", "TEL:+1(555)0100"));
        assert!(same("tel:+1;a=x;b", "tel:+1;B;A=X"));
        assert!(same("tel:+1;ext=1-2", "tel:+1;EXT=12"));
        assert!(same(
            "tel:7a;phone-context=+1-555",
            "tel:7A;phone-context=+1555"
        ));
        assert!(same(
            "tel:7;phone-context=X.example",
            "tel:7;phone-context=x.EXAMPLE"
        ));
        assert!(!same(
            "tel:7;phone-context=x.example",
            "tel:7;phone-context=y.example"
        ));
        assert!(!same("tel:+7", "tel:7;phone-context=+7"));
        assert!(!same("tel:+1", "tel:+1;ext=1"));
        assert!(!same("tel:+1;a", "tel:+1;a=1"));
        assert!(!same("tel:+1", "tel:+2"));
    }
}
