//! CSeq, Call-ID: the order and the name of a dialog's requests.

use core::fmt;

use nom::bytes::complete::take_while1;
use nom::character::complete::char;
use nom::combinator::{map_opt, opt, recognize};
use nom::error::context;
use nom::sequence::{pair, preceded, separated_pair};

use super::grammar::{is_token_char, lws, token, whole};
use super::{HeaderError, HeaderName};

/// A CSeq value (RFC 3261 section 20.16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number. A sender keeps it below 2³¹ (RFC 3261 section 8.1.1.5); all of 32 bits
    /// are taken.
    pub number: u32,
    /// The method, with its case.
    pub method: &'a str,
}

impl<'a> CSeq<'a> {
    /// Reads a CSeq value.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`], for a number above 32 bits too.
    pub fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let digits = take_while1(|c: char| c.is_ascii_digit());
        let number = context(
            "a number of 32 bits",
            map_opt(digits, |digits: &str| digits.parse().ok()),
        );
        whole(
            Some(HeaderName::CSeq),
            text,
            separated_pair(number, lws, token),
        )
        .map(|(number, method)| Self { number, method })
    }
}

impl fmt::Display for CSeq<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// Reads a Call-ID value: the same text without the white space around it. Call-IDs compare byte
/// by byte (RFC 3261 section 20.8).
///
/// # Errors
/// [`HeaderError::Malformed`].
pub fn parse_call_id(text: &str) -> Result<&str, HeaderError> {
    let is_word_char = |c: char| {
        is_token_char(c)
            || matches!(
                c,
                '(' | ')' | '<' | '>' | ':' | '\\' | '"' | '/' | '[' | ']' | '?' | '{' | '}'
            )
    };
    let word = || context("a word", take_while1(is_word_char));
    let call_id = recognize(pair(word(), opt(preceded(char('@'), word()))));
    whole(Some(HeaderName::CallId), text, call_id)
}
