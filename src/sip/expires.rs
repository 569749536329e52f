//! Durations: Expires, Min-Expires, Retry-After.

use core::fmt;

use nom::Parser;
use nom::combinator::opt;
use nom::sequence::{pair, preceded};

use super::grammar::{Parsed, comment, delta_seconds, sws, whole};
use super::params::write_unfolded;
use super::{HeaderError, HeaderName, Params};

/// Reads the value of a field that is a number of seconds: Expires, Min-Expires (RFC 3261
/// sections 20.19, 20.23). What does not fit into 32 bits counts as the highest that does.
///
/// # Errors
/// [`HeaderError::Malformed`] when it is anything but digits.
pub fn parse_delta_seconds(name: HeaderName, text: &str) -> Result<u32, HeaderError> {
    whole(Some(name), text, delta_seconds)
}

/// A Retry-After value (RFC 3261 section 20.33).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryAfter<'a> {
    /// Seconds to wait.
    pub seconds: u32,
    /// The comment as it stands, with its parentheses.
    pub comment: Option<&'a str>,
    /// Seconds that the server will be available for, from then on.
    pub duration: Option<u32>,
    /// All parameters, the duration among them.
    pub params: Params<'a>,
}

impl<'a> RetryAfter<'a> {
    /// Reads a Retry-After value.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`].
    pub fn parse(text: &'a str) -> Result<Self, HeaderError> {
        whole(Some(HeaderName::RetryAfter), text, retry_after)
    }
}

impl fmt::Display for RetryAfter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)?;
        if let Some(comment) = self.comment {
            f.write_str(" ")?;
            write_unfolded(f, comment)?;
        }
        write!(f, "{}", self.params)
    }
}

fn retry_after(input: &str) -> Parsed<'_, RetryAfter<'_>> {
    let (rest, (seconds, comment)) =
        pair(delta_seconds, opt(preceded(sws, comment))).parse(input)?;
    let mut duration = None;
    let (rest, params) = Params::read(rest, |name, value| {
        if name.eq_ignore_ascii_case("duration") {
            duration = Some(once_seconds(duration, value)?);
        }
        Ok(())
    })?;
    Ok((
        rest,
        RetryAfter {
            seconds,
            comment,
            duration,
            params,
        },
    ))
}

/// The value of a parameter that is a number of seconds and was not there before.
pub(super) fn once_seconds(before: Option<u32>, value: Option<&str>) -> Result<u32, &'static str> {
    const EXPECTED: &str = "a single number of seconds";
    match (before, value.map(delta_seconds)) {
        (None, Some(Ok(("", seconds)))) => Ok(seconds),
        _ => Err(EXPECTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_digits_and_nothing_else() {
        let parse = |text: &str| parse_delta_seconds(HeaderName::Expires, text);
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse(" \r\n 00600\t"), Ok(600));
        assert_eq!(parse("4294967295"), Ok(u32::MAX));
        assert_eq!(parse("4294967296"), Ok(u32::MAX));
        assert_eq!(parse(&"9".repeat(64 * 1024)), Ok(u32::MAX));
        for text in [
            "",
            " ",
            "-1",
            "+1",
            "1.5",
            "0x10",
            "1 2",
            "1,2",
            "1;a",
            "٣",
            "Mon, 01 Jan 2029 00:00:00 GMT",
            "1\r\n",
            "1\n",
            "\u{0}1",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.name(), Some(HeaderName::Expires), "{text:?}");
        }
    }

    #[test]
    fn retry_after_has_a_comment_and_parameters() {
        let text = "18000 (back (soon)\r\n again) ; Duration = 3600 ;x";
        let parsed = RetryAfter::parse(text).unwrap();
        assert_eq!((parsed.seconds, parsed.duration), (18_000, Some(3_600)));
        assert_eq!(parsed.comment, Some("(back (soon)\r\n again)"));
        assert_eq!(parsed.params.get("x"), Some(None));
        assert_eq!(
            parsed.to_string(),
            "18000 (back (soon) again);Duration=3600;x"
        );
        let plain = RetryAfter::parse("5").unwrap();
        assert_eq!(
            (plain.seconds, plain.duration, plain.comment),
            (5, None, None)
        );
        assert_eq!(plain.to_string(), "5");
        assert_eq!(
            RetryAfter::parse("99999999999").map(|value| value.seconds),
            Ok(u32::MAX)
        );
    }

    #[test]
    fn a_broken_retry_after_is_refused() {
        let deep = "1 ".to_owned() + &"(".repeat(64 * 1024);
        for text in [
            "",
            "(x)",
            "1 (x",
            "1 x)",
            "1 (a) (b)",
            "1;duration",
            "1;duration=x",
            "1;duration=\"1\"",
            "1;duration=1;duration=1",
            "1;",
            "1 (a\nb)",
            &deep,
        ] {
            let error = RetryAfter::parse(text).unwrap_err();
            assert_eq!(error.name(), Some(HeaderName::RetryAfter), "{text:?}");
        }
    }
}
