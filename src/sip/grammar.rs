//! The lexical rules that header fields share (RFC 3261 section 25.1).
//!
//! Values may still be folded: a line break followed by a space or tab is white space wherever
//! white space may be, within quoted strings too. Any other control character is refused.

use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::{cut, opt, recognize};
use nom::error::{ContextError, ErrorKind, ParseError, context};
use nom::multi::many0_count;
use nom::sequence::{delimited, pair, preceded};
use nom::{IResult, Parser};

use super::byte_set::ByteSet;
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

/// A mismatch at `input`, which another alternative may take.
pub(super) fn mismatch<'a, T>(input: &'a str, expected: &'static str) -> Parsed<'a, T> {
    Err(nom::Err::Error(Mismatch {
        remaining: input.len(),
        expected,
    }))
}

/// Reads the whole of a field value, with white space around it.
pub(super) fn whole<'a, T>(
    name: Option<HeaderName>,
    text: &'a str,
    mut parser: impl Parser<&'a str, Output = T, Error = Mismatch>,
) -> Result<T, HeaderError> {
    let mut read = || -> Parsed<'a, T> {
        let (rest, ()) = sws(text)?;
        let (rest, value) = parser.parse(rest)?;
        let (rest, ()) = sws(rest)?;
        if !rest.is_empty() {
            return mismatch(rest, "the end");
        }
        Ok((rest, value))
    };
    match read() {
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
        symbol_for(b',', "a comma or the end")
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

/// `token`.
pub(super) static TOKEN: ByteSet = ByteSet::ALPHANUMERIC.and("-.!%*_+`'~");
static WSP: ByteSet = ByteSet::of(" \t");
pub(super) static DIGIT: ByteSet = ByteSet::of("0123456789");
/// `qdtext`, without folding.
static QUOTED_TEXT: ByteSet = ByteSet::TEXT.without("\"\\");
/// `ctext`, without folding.
static COMMENT_TEXT: ByteSet = ByteSet::TEXT.without("()\\");
/// What a backslash may make ordinary: no control character, though the grammar would have them.
static ESCAPABLE: ByteSet = ByteSet::GRAPHIC.and(" \t");
/// A parameter value without quotes: an IPv6 reference is the only one that is no token.
static BARE_VALUE: ByteSet = ByteSet::ALPHANUMERIC.and("-.!%*_+`'~[]:");

/// The characters of a set that come next, one at least.
pub(super) fn some_of<'a>(
    set: &'static ByteSet,
) -> impl Parser<&'a str, Output = &'a str, Error = Mismatch> {
    move |input: &'a str| split(input, set.run(input))
}

/// Likewise, meant to be `what`.
pub(super) fn some_of_for<'a>(
    set: &'static ByteSet,
    what: &'static str,
) -> impl Parser<&'a str, Output = &'a str, Error = Mismatch> {
    move |input: &'a str| match input.split_at_checked(set.run(input)) {
        Some((taken, rest)) if !taken.is_empty() => Ok((rest, taken)),
        _ => mismatch(input, what),
    }
}

/// Likewise for a set with the characters beyond ASCII, of which the controls are refused.
pub(super) fn some_text_of<'a>(
    set: &'static ByteSet,
) -> impl Parser<&'a str, Output = &'a str, Error = Mismatch> {
    move |input: &'a str| {
        let len = set.run(input);
        split(input, without_c1_controls(input, len))
    }
}

/// The first `len` octets, and what follows them.
fn split(input: &str, len: usize) -> Parsed<'_, &str> {
    match input.split_at_checked(len) {
        Some((taken, rest)) if len > 0 => Ok((rest, taken)),
        _ => Err(nom::Err::Error(Mismatch::from_error_kind(
            input,
            ErrorKind::TakeWhile1,
        ))),
    }
}

/// Where a run of `len` octets meets a control character beyond ASCII, if it does.
fn without_c1_controls(input: &str, len: usize) -> usize {
    match input.get(..len) {
        // Of those within ASCII the set has said already what may be: a tab, for one.
        Some(run) if !run.is_ascii() => run
            .find(|c: char| c.is_control() && !c.is_ascii())
            .unwrap_or(len),
        _ => len,
    }
}

/// Whether `text` is one token, and nothing else.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && TOKEN.covers(text)
}

/// Whether every character may stand in a field value, every line break being a folding.
pub(super) fn is_field_text(text: &str) -> bool {
    if !has_control(text.as_bytes()) {
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

/// Whether a control character of ASCII is among the octets, eight of them looked at together.
fn has_control(text: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES * 0x80;
    // The high bit of an octet is set where it is below a space, or equal to DEL; the borrow of a
    // subtraction can set it above such an octet only.
    let in_word = |octets: &[u8; 8]| {
        let word = u64::from_le_bytes(*octets);
        let low = word.wrapping_sub(ONES * 0x20) & !word;
        let delete = word ^ (ONES * 0x7f);
        (low | (delete.wrapping_sub(ONES) & !delete)) & HIGH != 0
    };
    match text.last_chunk() {
        // The last octets may be looked at twice, which costs less than one by one.
        Some(last) => text.as_chunks().0.iter().any(in_word) || in_word(last),
        None => text.iter().any(u8::is_ascii_control),
    }
}

/// A line break with the white space that makes it a folding.
fn fold(input: &str) -> Parsed<'_, &str> {
    recognize(pair(tag("\r\n"), some_of(&WSP))).parse(input)
}

/// White space, folding included, or nothing.
pub(super) fn sws(input: &str) -> Parsed<'_, ()> {
    match input.as_bytes().first() {
        Some(b' ' | b'\t' | b'\r') => {
            let (rest, _) = opt(some_of(&WSP)).parse(input)?;
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

/// One character of ASCII.
pub(super) fn symbol<'a>(which: u8) -> impl Parser<&'a str, Output = (), Error = Mismatch> {
    move |input: &'a str| match input.as_bytes().first() {
        Some(first) if *first == which => {
            let (rest, _) = split(input, 1)?;
            Ok((rest, ()))
        }
        _ => Err(nom::Err::Error(Mismatch::from_error_kind(
            input,
            ErrorKind::Char,
        ))),
    }
}

/// Likewise, meant to be `what`.
pub(super) fn symbol_for<'a>(
    which: u8,
    what: &'static str,
) -> impl Parser<&'a str, Output = (), Error = Mismatch> {
    move |input: &'a str| match input.strip_prefix(char::from(which)) {
        Some(rest) => Ok((rest, ())),
        None => mismatch(input, what),
    }
}

/// A separator with white space around it.
pub(super) fn separator<'a>(which: u8) -> impl Parser<&'a str, Output = (), Error = Mismatch> {
    delimited(sws, symbol(which), sws)
}

pub(super) fn token(input: &str) -> Parsed<'_, &str> {
    token_for("a token").parse(input)
}

/// A token that is meant to be `what`.
pub(super) fn token_for<'a>(
    what: &'static str,
) -> impl Parser<&'a str, Output = &'a str, Error = Mismatch> {
    some_of_for(&TOKEN, what)
}

/// Digits; a number above the range of `u32` counts as the highest there is.
pub(super) fn delta_seconds(input: &str) -> Parsed<'_, u32> {
    some_of_for(&DIGIT, "a number of seconds")
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
    let piece = alt((some_text_of(&QUOTED_TEXT), escaped_char, fold));
    recognize((
        symbol(b'"'),
        cut((many0_count(piece), symbol_for(b'"', "a closing quote"))),
    ))
    .parse(input)
}

/// A backslash and what it makes ordinary.
fn escaped_char(input: &str) -> Parsed<'_, &str> {
    let escaped = input
        .strip_prefix('\\')
        .and_then(|rest| rest.bytes().next());
    match escaped {
        Some(byte) if ESCAPABLE.has(byte) => split(input, 2),
        _ => split(input, 0),
    }
}

/// A comment as it stands, with its parentheses; comments nest.
pub(super) fn comment(input: &str) -> Parsed<'_, &str> {
    let mut piece = recognize(many0_count(alt((
        some_text_of(&COMMENT_TEXT),
        escaped_char,
        fold,
    ))));
    let (mut rest, _) = symbol(b'(').parse(input)?;
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
    context(
        "a parameter value",
        alt((some_of(&BARE_VALUE), quoted_string)),
    )
    .parse(input)
}

/// A parameter: its name, and its value if it has one.
pub(super) fn parameter(input: &str) -> Parsed<'_, (&str, Option<&str>)> {
    pair(
        token_for("a parameter name"),
        opt(preceded(separator(b'='), cut(parameter_value))),
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
    fn a_tab_may_stand_before_text_beyond_ascii() {
        for text in ["\"a\tø\"", "\"\tø\"", "\"ø\tø\""] {
            assert_eq!(quoted_string(text), Ok(("", text)));
        }
        assert_eq!(comment("(\tø)").map(|(rest, _)| rest), Ok(""));
        assert!(quoted_string("\"\tø\u{85}\"").is_err());
    }

    #[test]
    fn a_control_character_is_found_wherever_it_stands() {
        for len in 0..40 {
            for filler in [b' ', b'~', 0x80, 0xff] {
                let mut text = vec![filler; len];
                assert!(!has_control(&text), "{len} of {filler}");
                for at in 0..len {
                    for byte in 0..=u8::MAX {
                        text[at] = byte;
                        assert_eq!(
                            has_control(&text),
                            byte.is_ascii_control(),
                            "{byte} at {at}"
                        );
                    }
                    text[at] = filler;
                }
            }
        }
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
