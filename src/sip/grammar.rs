//! The lexical rules that header fields share (RFC 3261 section 25.1).
//!
//! Values may still be folded: a line break followed by a space or tab is white space wherever
//! white space may be, within quoted strings too. Any other control character is refused.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::char;
use nom::combinator::{cut, opt, recognize};
use nom::error::{ContextError, ErrorKind, ParseError, context};
use nom::multi::many0_count;
use nom::sequence::{delimited, pair, preceded};
use nom::{IResult, Parser};

use super::{HeaderError, HeaderName};

/// Where and why a value does not follow its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// Octets that were left to read.
    remaining: usize,
    expected: &'static str,
}

pub(super) type Parsed<'a, T> = IResult<&'a str, T, Mismatch>;

impl ParseError<&str> for Mismatch {
    fn from_error_kind(input: &str, _: ErrorKind) -> Self {
        Self {
            remaining: input.len(),
            expected: "",
        }
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }

    /// Of two alternatives the one that came further tells more.
    fn or(self, other: Self) -> Self {
        if self.remaining <= other.remaining {
            self
        } else {
            other
        }
    }
}

impl ContextError<&str> for Mismatch {
    /// The innermost name is kept.
    fn add_context(_: &str, expected: &'static str, mut other: Self) -> Self {
        if other.expected.is_empty() {
            other.expected = expected;
        }
        other
    }
}

/// A final mismatch at `input`.
pub(super) fn fail<'a, T>(input: &'a str, expected: &'static str) -> Parsed<'a, T> {
    Err(nom::Err::Failure(Mismatch {
        remaining: input.len(),
        expected,
    }))
}

/// Reads the whole of a field value, with white space around it.
pub(super) fn whole<'a, T>(
    name: Option<HeaderName>,
    text: &'a str,
    parser: impl Parser<&'a str, Output = T, Error = Mismatch>,
) -> Result<T, HeaderError> {
    match delimited(sws, parser, context("the end", end)).parse(text) {
        Ok((_, value)) => Ok(value),
        Err(error) => Err(malformed(name, text, error)),
    }
}

/// Reads a list with commas from the whole of a field value. Empty members are passed over.
pub(super) fn each_member<'a, T>(
    name: Option<HeaderName>,
    text: &'a str,
    mut member: impl Parser<&'a str, Output = T, Error = Mismatch>,
    mut take: impl FnMut(T),
) -> Result<(), HeaderError> {
    let mut step = |rest: &'a str| -> Parsed<'a, bool> {
        let (rest, _) = sws(rest)?;
        if rest.is_empty() {
            return Ok((rest, false));
        }
        if let Some(after) = rest.strip_prefix(',') {
            return Ok((after, true));
        }
        let (rest, value) = member.parse(rest)?;
        take(value);
        let (rest, _) = sws(rest)?;
        if rest.is_empty() {
            return Ok((rest, false));
        }
        context("a comma or the end", char(','))
            .map(|_| true)
            .parse(rest)
    };
    let mut rest = text;
    loop {
        match step(rest) {
            Ok((after, true)) => rest = after,
            Ok((_, false)) => return Ok(()),
            Err(error) => return Err(malformed(name, text, error)),
        }
    }
}

fn malformed(name: Option<HeaderName>, text: &str, error: nom::Err<Mismatch>) -> HeaderError {
    let (remaining, expected) = match error {
        nom::Err::Error(at) | nom::Err::Failure(at) => (at.remaining, at.expected),
        nom::Err::Incomplete(_) => (0, "more"),
    };
    HeaderError::Malformed {
        name,
        offset: text.len().saturating_sub(remaining),
        expected,
    }
}

fn end(input: &str) -> Parsed<'_, ()> {
    let (rest, _) = sws(input)?;
    if rest.is_empty() {
        return Ok((rest, ()));
    }
    Err(nom::Err::Error(Mismatch::from_error_kind(
        rest,
        ErrorKind::Eof,
    )))
}

const fn is_wsp(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

pub(super) const fn is_token_char(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9'
        | '-' | '.' | '!' | '%' | '*' | '_' | '+' | '`' | '\'' | '~')
}

/// Whether `text` is one token, and nothing else.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

/// Whether every character may stand in a field value, every line break being a folding.
pub(super) fn is_field_text(text: &str) -> bool {
    // One pass without a branch for nearly every value. C1 controls are left to the parsers.
    let odd = text
        .bytes()
        .fold(false, |odd, byte| odd | (byte < b' ') | (byte == 0x7f));
    if !odd {
        return true;
    }
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\t' => {}
            b'\r' => {
                let folds =
                    bytes.next() == Some(b'\n') && matches!(bytes.peek(), Some(b' ' | b'\t'));
                if !folds {
                    return false;
                }
            }
            0..b' ' | 0x7f => return false,
            _ => {}
        }
    }
    true
}

/// A line break with the white space that makes it a folding.
fn fold(input: &str) -> Parsed<'_, &str> {
    recognize(pair(tag("\r\n"), take_while1(is_wsp))).parse(input)
}

/// White space, folding included, or nothing.
pub(super) fn sws(input: &str) -> Parsed<'_, ()> {
    match input.as_bytes().first() {
        Some(b' ' | b'\t' | b'\r') => {
            let (rest, _) = take_while(is_wsp).parse(input)?;
            let (rest, _) = many0_count(fold).parse(rest)?;
            Ok((rest, ()))
        }
        _ => Ok((input, ())),
    }
}

/// White space, folding included; at least one character of it.
pub(super) fn lws(input: &str) -> Parsed<'_, ()> {
    let (rest, ()) = sws(input)?;
    if rest.len() < input.len() {
        return Ok((rest, ()));
    }
    Err(nom::Err::Error(Mismatch::from_error_kind(
        input,
        ErrorKind::Space,
    )))
}

/// A separator with white space around it.
pub(super) fn separator<'a>(which: char) -> impl Parser<&'a str, Output = char, Error = Mismatch> {
    delimited(sws, char(which), sws)
}

pub(super) fn token(input: &str) -> Parsed<'_, &str> {
    token_for("a token").parse(input)
}

/// A token that is meant to be `what`.
pub(super) fn token_for<'a>(
    what: &'static str,
) -> impl Parser<&'a str, Output = &'a str, Error = Mismatch> {
    context(what, take_while1(is_token_char))
}

/// Digits; a number above the range of `u32` counts as the highest there is.
pub(super) fn delta_seconds(input: &str) -> Parsed<'_, u32> {
    context(
        "a number of seconds",
        take_while1(|c: char| c.is_ascii_digit()),
    )
    .map(|digits: &str| {
        digits.bytes().fold(0_u32, |sum, digit| {
            sum.saturating_mul(10)
                .saturating_add(u32::from(digit.wrapping_sub(b'0')))
        })
    })
    .parse(input)
}

/// A quoted string as it stands, with its quotes.
pub(super) fn quoted_string(input: &str) -> Parsed<'_, &str> {
    let text = take_while1(|c: char| !matches!(c, '"' | '\\') && (!c.is_control() || c == '\t'));
    let piece = alt((text, escaped_char, fold));
    recognize((
        char('"'),
        cut((many0_count(piece), context("a closing quote", char('"')))),
    ))
    .parse(input)
}

/// A backslash and what it makes ordinary. No control character: the grammar would have them,
/// but nobody needs them.
fn escaped_char(input: &str) -> Parsed<'_, &str> {
    recognize(pair(
        char('\\'),
        nom::character::complete::satisfy(|c| matches!(c, ' '..='~' | '\t')),
    ))
    .parse(input)
}

/// A comment as it stands, with its parentheses; comments nest.
pub(super) fn comment(input: &str) -> Parsed<'_, &str> {
    let text = |c: char| !matches!(c, '(' | ')' | '\\') && (!c.is_control() || c == '\t');
    let mut piece = recognize(many0_count(alt((take_while1(text), escaped_char, fold))));
    let (mut rest, _) = char('(').parse(input)?;
    // A counter, not recursion: the sender chooses the depth.
    let mut depth = 1_usize;
    while depth > 0 {
        (rest, _) = piece.parse(rest)?;
        if let Some(after) = rest.strip_prefix('(') {
            depth = depth.saturating_add(1);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(')') {
            depth = depth.saturating_sub(1);
            rest = after;
        } else {
            return fail(rest, "a closing parenthesis");
        }
    }
    let len = input.len().saturating_sub(rest.len());
    Ok((rest, input.get(..len).unwrap_or_default()))
}

/// The value of a parameter, as it stands: a token, a host or a quoted string.
fn parameter_value(input: &str) -> Parsed<'_, &str> {
    // An IPv6 reference is the only value that is neither token nor quoted string.
    let bare = take_while1(|c: char| is_token_char(c) || matches!(c, '[' | ']' | ':'));
    context("a parameter value", alt((bare, quoted_string))).parse(input)
}

/// A parameter: its name, and its value if it has one.
pub(super) fn parameter(input: &str) -> Parsed<'_, (&str, Option<&str>)> {
    pair(
        token_for("a parameter name"),
        opt(preceded(separator('='), cut(parameter_value))),
    )
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(error: Result<(), HeaderError>) -> (usize, &'static str) {
        match error {
            Err(HeaderError::Malformed {
                offset, expected, ..
            }) => (offset, expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn white_space_may_be_folded_and_nothing_else() {
        for text in ["", " ", "\t ", "\r\n ", " \r\n\t", "  \r\n \r\n  "] {
            assert_eq!(sws(text), Ok(("", ())), "{text:?}");
        }
        for (text, rest) in [
            ("\r\nx", "\r\nx"),
            (" \r\n", "\r\n"),
            ("\n ", "\n "),
            ("\r ", "\r "),
        ] {
            assert_eq!(sws(text), Ok((rest, ())), "{text:?}");
        }
        assert!(lws("x").is_err());
        assert_eq!(lws("\r\n x"), Ok(("x", ())));
    }

    #[test]
    fn quoted_strings_hold_escapes_foldings_and_utf8() {
        for text in [
            r#""""#,
            r#""a""#,
            r#""\"\\""#,
            "\"a\r\n b\"",
            "\"a\tb\"",
            "\"äöü 日本\"",
            r#""\a, <;>""#,
        ] {
            assert_eq!(quoted_string(text), Ok(("", text)), "{text:?}");
        }
        for text in [
            "\"",
            "\"a",
            "\"a\\\"",
            "\"\\",
            "\"a\nb\"",
            "\"a\r\nb\"",
            "\"a\rb\"",
            "\"\0\"",
            "\"\\\0\"",
            "\"\\\r\n \"",
            "\"\u{7f}\"",
            "\"\u{85}\"",
            "\"\\é\"",
        ] {
            assert!(
                matches!(quoted_string(text), Err(nom::Err::Failure(_))),
                "{text:?}"
            );
        }
        assert!(matches!(quoted_string("a"), Err(nom::Err::Error(_))));
    }

    #[test]
    fn comments_nest_to_any_depth() {
        for text in [
            "()",
            "(a)",
            "(a (b) (c (d)))",
            r"(a \) b)",
            "(a\r\n b)",
            "(日本)",
        ] {
            assert_eq!(comment(text), Ok(("", text)), "{text:?}");
        }
        for text in ["(", "(()", "(a\\", r"(\)", "(\0)", "(a\r\nb)"] {
            assert!(comment(text).is_err(), "{text:?}");
        }
        let deep = "(".repeat(100_000) + &")".repeat(100_000);
        assert_eq!(comment(&deep), Ok(("", deep.as_str())));
        assert!(comment(&(deep + ")")).is_ok_and(|(rest, _)| rest == ")"));
        assert!(comment(&"(".repeat(100_000)).is_err());
    }

    #[test]
    fn an_error_tells_where_and_what() {
        let read = |text| whole(None, text, parameter).map(drop);
        assert_eq!(at(read("")), (0, "a parameter name"));
        assert_eq!(at(read("name = ")), (7, "a parameter value"));
        assert_eq!(at(read("name=\"abc")), (9, "a closing quote"));
        assert_eq!(at(read("name value")), (5, "the end"));
        assert_eq!(at(read("name=a\r\n")), (6, "the end"));
        let list = |text| each_member(None, text, token, drop);
        assert_eq!(at(list("a, b c")), (5, "a comma or the end"));
        assert_eq!(at(list("a, (b)")), (3, "a token"));
    }

    #[test]
    fn parameters_have_tokens_hosts_and_strings() {
        for (text, value) in [
            ("a", None),
            ("a=b", Some("b")),
            ("a \r\n = \r\n b", Some("b")),
            ("a=[2001:db8::1]", Some("[2001:db8::1]")),
            ("a=\"x;y\"", Some("\"x;y\"")),
        ] {
            assert_eq!(parameter(text), Ok(("", ("a", value))), "{text:?}");
        }
        for text in ["", "=b", "a=", "a=;", "a=<", "é"] {
            assert!(parameter(text).is_err(), "{text:?}");
        }
    }
}
