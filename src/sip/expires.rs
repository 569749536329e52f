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
