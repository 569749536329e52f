//! CSeq, Call-ID: the order and the name of a dialog's requests.

use core::fmt;

use nom::combinator::{map_opt, opt, recognize};
use nom::error::context;
use nom::sequence::{pair, preceded, separated_pair};

use super::byte_set::ByteSet;
use super::grammar::{DIGIT, lws, some_of, symbol, token_for, whole};
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
        let digits = some_of(&DIGIT);
        let number = context(
            "a number of 32 bits",
            map_opt(digits, |digits: &str| digits.parse().ok()),
        );
        whole(
            Some(HeaderName::CSeq),
            text,
            separated_pair(number, context("white space", lws), token_for("a method")),
        )
        .map(|(number, method)| Self { number, method })
    }
}

impl fmt::Display for CSeq<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// `word`.
static WORD: ByteSet = ByteSet::ALPHANUMERIC.and("-.!%*_+`'~()<>:\\\"/[]?{}");

/// Reads a Call-ID value: the same text without the white space around it. Call-IDs compare byte
/// by byte (RFC 3261 section 20.8).
///
/// # Errors
/// [`HeaderError::Malformed`].
pub fn parse_call_id(text: &str) -> Result<&str, HeaderError> {
    let word = || context("a word", some_of(&WORD));
    let call_id = recognize(pair(word(), opt(preceded(symbol(b'@'), word()))));
    whole(Some(HeaderName::CallId), text, call_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_method() {
        for text in ["7 SUBSCRIBE", " 007\t \r\n SUBSCRIBE "] {
            let cseq = CSeq::parse(text).unwrap();
            assert_eq!(
                cseq,
                CSeq {
                    number: 7,
                    method: "SUBSCRIBE"
                }
            );
            assert_eq!(cseq.to_string(), "7 SUBSCRIBE");
        }
        assert_eq!(
            CSeq::parse("4294967295 a").map(|cseq| cseq.number),
            Ok(u32::MAX)
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let long = "9".repeat(64 * 1024) + " NOTIFY";
        for text in [
            "",
            "7",
            "7 ",
            "SUBSCRIBE",
            "7SUBSCRIBE",
            "-1 NOTIFY",
            "+1 NOTIFY",
            "0x1 NOTIFY",
            "4294967296 NOTIFY",
            "1 NO TIFY",
            "1 NOTIFY\r\n",
            "1\nNOTIFY",
            "1 NOT\0IFY",
            &long,
        ] {
            let error = CSeq::parse(text).unwrap_err();
            assert_eq!(error.name(), Some(HeaderName::CSeq), "{text:?}");
        }
    }

    #[test]
    fn call_ids_are_kept_as_they_are() {
        for text in [
            "a",
            "f81d-4fae@10.0.0.1",
            "~x.Y-z_%!*'`+",
            "(<:\\\"/[]?{}>)@{}",
            "KVg~q",
        ] {
            assert_eq!(parse_call_id(text), Ok(text));
            assert_eq!(parse_call_id(&format!(" \r\n {text}\t")), Ok(text));
        }
        for text in [
            "", "@", "a@", "@a", "a@b@c", "a b", "a,b", "a;b", "a=b", "é", "a\r\nb", "a\0",
        ] {
            let error = parse_call_id(text).unwrap_err();
            assert_eq!(error.name(), Some(HeaderName::CallId), "{text:?}");
        }
    }
}
