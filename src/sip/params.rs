//! Parameters of header fields.

use core::fmt;
use std::borrow::Cow;

use nom::Parser;
use nom::sequence::preceded;

use super::grammar::{self, Parsed, fail, parameter, separator};

/// The parameters behind a header field value, as they stand: `;name`, `;name=value`.
///
/// They have been checked against the grammar. Names compare without case. Of several parameters
/// with one name, which no sender may write (RFC 3261 section 7.3.1), the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Params<'a> {
    text: &'a str,
}

impl<'a> Params<'a> {
    /// Reads parameters up to where they end, showing each to `visit`, which returns what it
    /// expected when it cannot take a value.
    pub(super) fn read(
        input: &'a str,
        mut visit: impl FnMut(&'a str, Option<&'a str>) -> Result<(), &'static str>,
    ) -> Parsed<'a, Self> {
        let mut rest = input;
        loop {
            let Ok((after, _)) = separator(b';').parse(rest) else {
                break;
            };
            let (end, (name, value)) = match parameter(after) {
                Ok(done) => done,
                // What follows a semicolon is a parameter or an error, never something else.
                Err(nom::Err::Error(error)) => return Err(nom::Err::Failure(error)),
                Err(error) => return Err(error),
            };
            if let Err(expected) = visit(name, value) {
                return fail(after, expected);
            }
            rest = end;
        }
        let len = input.len().saturating_sub(rest.len());
        Ok((
            rest,
            Self {
                text: input.get(..len).unwrap_or_default(),
            },
        ))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The parameter of this name: `None` without it, `Some(None)` when it has no value, else the
    /// value as it stands, a quoted string with its quotes (see [`unquoted`](Self::unquoted)).
    pub fn get(&self, name: &str) -> Option<Option<&'a str>> {
        self.iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of the parameter of this name, without quotes and escapes.
    pub fn unquoted(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).flatten().map(unquote)
    }

    /// Each parameter in order: its name, and its value as it stands if it has one.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        let mut rest = self.text;
        core::iter::from_fn(move || {
            let (after, found) = preceded(separator(b';'), parameter).parse(rest).ok()?;
            rest = after;
            Some(found)
        })
    }
}

/// `;name=value` for each, without white space; folding within quotes becomes a space.
impl fmt::Display for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            write!(f, ";{name}")?;
            if let Some(value) = value {
                f.write_str("=")?;
                write_unfolded(f, value)?;
            }
        }
        Ok(())
    }
}

/// The text of a value, without quotes, escapes and folding; a value without quotes is itself.
pub(super) fn unquote(value: &str) -> Cow<'_, str> {
    let Some(inner) = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return Cow::Borrowed(value);
    };
    if !inner.contains(['\\', '\r']) {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    loop {
        let (plain, special) = rest.split_at(rest.find(['\\', '\r']).unwrap_or(rest.len()));
        text.push_str(plain);
        let mut chars = special.chars();
        match chars.next() {
            None => return Cow::Owned(text),
            Some('\\') => {
                text.extend(chars.next());
                rest = chars.as_str();
            }
            Some(_) => {
                let (after, ()) = grammar::sws(special).unwrap_or((chars.as_str(), ()));
                text.push(' ');
                rest = after;
            }
        }
    }
}

/// Writes a quoted string or a token with each folding as one space.
pub(super) fn write_unfolded(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\r\n") {
        f.write_str(before)?;
        f.write_str(" ")?;
        rest = after.trim_start_matches([' ', '\t']);
    }
    f.write_str(rest)
}

#[cfg(test)]
mod tests {
    use super::super::grammar::whole;
    use super::*;

    fn params(text: &str) -> Params<'_> {
        whole(None, text, |input| Params::read(input, |_, _| Ok(()))).unwrap()
    }

    #[test]
    fn parameters_are_found_without_case() {
        let params = params(" ; A = b ;lr;c=\"x;\\\"y\" ;a=second");
        assert_eq!(params.get("a"), Some(Some("b")));
        assert_eq!(params.get("LR"), Some(None));
        assert_eq!(params.get("c"), Some(Some("\"x;\\\"y\"")));
        assert_eq!(params.unquoted("C").as_deref(), Some("x;\"y"));
        assert_eq!(params.unquoted("a").as_deref(), Some("b"));
        assert_eq!(params.unquoted("lr"), None);
        assert_eq!(params.get("x"), None);
        assert_eq!(params.iter().count(), 4);
        assert_eq!(params.to_string(), ";A=b;lr;c=\"x;\\\"y\";a=second");
    }

    #[test]
    fn no_parameters_are_no_error() {
        assert!(params("").is_empty());
        assert!(params(" ").is_empty());
        assert_eq!(params("").to_string(), "");
        assert_eq!(Params::default().iter().count(), 0);
    }

    #[test]
    fn a_semicolon_wants_a_parameter() {
        for text in [";", ";;a", ";a;", ";a=;b", "; ;", ";a b"] {
            let read = whole(None, text, |input| Params::read(input, |_, _| Ok(())));
            assert!(read.is_err(), "{text:?}");
        }
    }

    #[test]
    fn text_is_freed_of_quotes_escapes_and_folding() {
        for (value, text) in [
            ("plain", "plain"),
            ("\"\"", ""),
            ("\"a\\\\b\\\"\"", "a\\b\""),
            ("\"a \r\n\t b\r\n c\"", "a  b c"),
            ("\"ä\\ö\"", "ä\u{f6}"),
        ] {
            assert_eq!(unquote(value), text, "{value:?}");
        }
        assert!(matches!(unquote("\"abc\""), Cow::Borrowed("abc")));
        assert_eq!(params(";a=\"b \r\n\t c\"").to_string(), ";a=\"b  c\"");
    }

    #[test]
    fn ten_thousand_parameters_are_read_in_one_pass() {
        let text = ";name=value".repeat(10_000);
        let params = params(&text);
        assert_eq!(params.iter().count(), 10_000);
        assert_eq!(params.get("other"), None);
    }
}
