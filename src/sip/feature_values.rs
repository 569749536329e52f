//! Values of the parameters by which a Contact tells capabilities (RFC 3840 section 9).

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::{all_consuming, opt, recognize};
use nom::multi::separated_list1;
use nom::sequence::{delimited, pair, preceded, separated_pair};

use super::byte_set::ByteSet;
use super::grammar::{DIGIT, Parsed, some_of, sws, symbol};

/// A value of a list, its negation apart (`tag-value`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeatureValue<'a> {
    /// A token, TRUE or FALSE, and what has a slash in it besides.
    Token(&'a str),
    /// Nothing when there is no integer in it that fits.
    Number(Option<Numbers>),
}

/// Integers that are meant. A bound between two is moved to the one inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    Equal(i64),
    AtLeast(i64),
    AtMost(i64),
    /// From the lower to the higher.
    Between(i64, i64),
}

/// Reads all of a `tag-value-list`, freed of its quotes: each value, and whether it is negated.
///
/// White space around commas, and slashes in tokens, are more than the grammar has.
pub(crate) fn parse_feature_values(text: &str) -> Option<Vec<(bool, FeatureValue<'_>)>> {
    let negation = opt(symbol(b'!')).map(|mark| mark.is_some());
    let token = some_of(&TOKEN_OR_TYPE).map(FeatureValue::Token);
    let value = pair(negation, alt((numeric.map(FeatureValue::Number), token)));
    let mut list = all_consuming(separated_list1(symbol(b','), delimited(sws, value, sws)));
    list.parse(text).ok().map(|(_, values)| values)
}

/// Whether the text is a token as such a list may have it.
pub(crate) fn is_feature_token(text: &str) -> bool {
    !text.is_empty() && TOKEN.covers(text)
}

/// `token-nobang`.
static TOKEN: ByteSet = ByteSet::ALPHANUMERIC.and("-.%*_+`'~");
/// Media types are strings (RFC 2913), yet they are met in lists.
static TOKEN_OR_TYPE: ByteSet = ByteSet::ALPHANUMERIC.and("-.%*_+`'~/");

/// `numeric`.
fn numeric(input: &str) -> Parsed<'_, Option<Numbers>> {
    preceded(
        symbol(b'#'),
        alt((
            preceded(tag(">="), number).map(|min| min.ceiling().map(Numbers::AtLeast)),
            preceded(tag("<="), number).map(|max| max.floor().map(Numbers::AtMost)),
            preceded(tag("="), number).map(|value| {
                let whole = value.whole.filter(|_| !value.fraction);
                whole.map(Numbers::Equal)
            }),
            separated_pair(number, symbol(b':'), number).map(|(min, max)| {
                let (min, max) = (min.ceiling()?, max.floor()?);
                (min <= max).then_some(Numbers::Between(min, max))
            }),
        )),
    )
    .parse(input)
}

/// A decimal number.
struct Number {
    negative: bool,
    /// Without its fraction; nothing when it does not fit.
    whole: Option<i64>,
    fraction: bool,
}

impl Number {
    fn floor(&self) -> Option<i64> {
        let step = i64::from(self.fraction && self.negative);
        self.whole?.checked_sub(step)
    }

    fn ceiling(&self) -> Option<i64> {
        let step = i64::from(self.fraction && !self.negative);
        self.whole?.checked_add(step)
    }
}

fn number(input: &str) -> Parsed<'_, Number> {
    let sign = opt(alt((symbol(b'+'), symbol(b'-'))));
    let whole = recognize(pair(sign, some_of(&DIGIT)));
    let fraction = opt(preceded(symbol(b'.'), opt(some_of(&DIGIT))));
    pair(whole, fraction)
        .map(|(whole, fraction): (&str, Option<Option<&str>>)| Number {
            negative: whole.starts_with('-'),
            whole: whole.parse().ok(),
            fraction: fraction
                .flatten()
                .is_some_and(|digits| digits.bytes().any(|digit| digit != b'0')),
        })
        .parse(input)
}

#[cfg(test)]
mod tests {
    use super::Numbers::{AtLeast, AtMost, Between, Equal};
    use super::*;

    #[test]
    fn lists_have_tokens_and_numbers() {
        let token = |negated, text| (negated, FeatureValue::Token(text));
        for (text, expected) in [
            ("a", vec![token(false, "a")]),
            (
                "!a-1.%*_+`'~,b",
                vec![token(true, "a-1.%*_+`'~"), token(false, "b")],
            ),
            (" a , !b ", vec![token(false, "a"), token(true, "b")]),
            ("text/plain", vec![token(false, "text/plain")]),
            ("!#=1", vec![(true, FeatureValue::Number(Some(Equal(1))))]),
        ] {
            assert_eq!(parse_feature_values(text), Some(expected), "{text:?}");
        }
        for text in [
            "", " ", ",", "a,", ",a", "a,,b", "a b", "! a", "!!a", "a!", "<a>", "é", "a;b", "a\"b",
            "#", "a\n", "a\r\n", "#5", "#>5", "#=", "#=.5", "#=1x", "#=1,", "#=1,,#=2", "!!#=1",
            "# =1", "#1:", "#+:1", "#=-",
        ] {
            assert_eq!(parse_feature_values(text), None, "{text:?}");
        }
        assert!(is_feature_token("msg-taker"));
        for text in ["", "a/b", "a!", "a,b", "a b", "é", "a\"", "#1"] {
            assert!(!is_feature_token(text), "{text:?}");
        }
    }

    #[test]
    fn bounds_are_moved_to_the_integers_inside() {
        for (text, numbers) in [
            ("#=5", Some(Equal(5))),
            ("#=+5.00", Some(Equal(5))),
            ("#=5.", Some(Equal(5))),
            ("#=-5", Some(Equal(-5))),
            ("#=5.5", None),
            ("#>=5.5", Some(AtLeast(6))),
            ("#>=-5.5", Some(AtLeast(-5))),
            ("#<=5.5", Some(AtMost(5))),
            ("#<=-0.5", Some(AtMost(-1))),
            ("#1:5", Some(Between(1, 5))),
            ("#5:5", Some(Between(5, 5))),
            ("#-3:+7.25", Some(Between(-3, 7))),
            ("#5:1", None),
            ("#1.2:1.8", None),
            ("#=99999999999999999999", None),
            ("#>=9223372036854775807", Some(AtLeast(i64::MAX))),
            ("#>=9223372036854775807.5", None),
            ("#<=-9223372036854775808.5", None),
        ] {
            let expected = vec![(false, FeatureValue::Number(numbers))];
            assert_eq!(parse_feature_values(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn hostile_lengths_take_one_pass() {
        for (text, good) in [
            ("A,".repeat(50_000) + "A", true),
            ("!".repeat(100_000), false),
            ("#1".repeat(50_000), false),
            (format!("#={}", "9".repeat(100_000)), true),
            (format!("#{}:1", "9".repeat(100_000)), true),
            ("#1:2,".repeat(20_000) + "x", true),
            (" ".repeat(100_000), false),
            (" \r\n".repeat(30_000) + " ,", false),
        ] {
            assert_eq!(parse_feature_values(&text).is_some(), good);
        }
    }
}
