//! Values of feature parameters (RFC 3840, 9), freed of their quotes.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, digit0, digit1, one_of, space0};
use nom::combinator::{all_consuming, opt, recognize};
use nom::multi::separated_list1;
use nom::sequence::{delimited, pair, preceded, separated_pair};
use nom::{IResult, Parser};

use super::PriorityRange;

/// What stands in the angle brackets of a `string-value`.
pub(super) fn bracketed(value: &str) -> Option<&str> {
    value.strip_prefix('<')?.strip_suffix('>')
}

/// A `tag-value` without its negation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TagValue<'a> {
    Token(&'a str),
    /// None when no integer is meant.
    Numeric(Option<PriorityRange>),
}

/// A value, and whether it is negated.
pub(super) type Member<'a> = (bool, TagValue<'a>);

type Parsed<'a, T> = IResult<&'a str, T, ()>;

/// A `tag-value-list`, all of it.
pub(super) fn members(
    value: &str,
    is_token_char: impl Fn(char) -> bool,
) -> Option<Vec<Member<'_>>> {
    let token = take_while1(is_token_char).map(TagValue::Token);
    let negation = opt(char('!')).map(|mark| mark.is_some());
    let member = pair(negation, alt((numeric.map(TagValue::Numeric), token)));
    let list: Parsed<'_, Vec<Member<'_>>> = all_consuming(separated_list1(
        char(','),
        delimited(space0, member, space0),
    ))
    .parse(value);
    list.ok().map(|(_, members)| members)
}

/// `token-nobang`.
pub(super) fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-.%*_+`'~".contains(c)
}

/// `numeric`. Priorities are integers, so a bound between two is moved to the one inside.
fn numeric(input: &str) -> Parsed<'_, Option<PriorityRange>> {
    preceded(
        char('#'),
        alt((
            preceded(tag(">="), number).map(|min| min.ceiling().map(PriorityRange::HigherThan)),
            preceded(tag("<="), number).map(|max| max.floor().map(PriorityRange::LowerThan)),
            preceded(tag("="), number).map(|value| {
                let value = value.floor().filter(|_| !value.fraction);
                value.map(PriorityRange::Equals)
            }),
            separated_pair(number, char(':'), number).map(|(min, max)| {
                let (min, max) = (min.ceiling()?, max.floor()?);
                (min <= max).then_some(PriorityRange::Range { min, max })
            }),
        )),
    )
    .parse(input)
}

/// A decimal number.
struct Number {
    negative: bool,
    /// Without its fraction; none when it does not fit.
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
    let whole = recognize(pair(opt(one_of("+-")), digit1));
    let fraction = opt(preceded(char('.'), digit0));
    pair(whole, fraction)
        .map(|(whole, fraction): (&str, Option<&str>)| Number {
            negative: whole.starts_with('-'),
            whole: whole.parse().ok(),
            fraction: fraction.is_some_and(|digits| digits.bytes().any(|digit| digit != b'0')),
        })
        .parse(input)
}

/// A range as it is written, unless there is nothing in it.
pub(super) fn numeric_text(range: &PriorityRange) -> Option<String> {
    match range {
        PriorityRange::Equals(value) => Some(format!("#={value}")),
        PriorityRange::HigherThan(min) => Some(format!("#>={min}")),
        PriorityRange::LowerThan(max) => Some(format!("#<={max}")),
        PriorityRange::Range { min, max } if min <= max => Some(format!("#{min}:{max}")),
        PriorityRange::Range { .. } | PriorityRange::Foreign(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::PriorityRange::{Equals, HigherThan, LowerThan, Range};
    use super::*;

    #[test]
    fn lists() {
        let token = |negated, text| (negated, TagValue::Token(text));
        for (text, expected) in [
            ("a", vec![token(false, "a")]),
            (
                "!a-1.%*_+`'~,b",
                vec![token(true, "a-1.%*_+`'~"), token(false, "b")],
            ),
            (" a , !b ", vec![token(false, "a"), token(true, "b")]),
            ("!#=1", vec![(true, TagValue::Numeric(Some(Equals(1))))]),
        ] {
            assert_eq!(members(text, is_token_char), Some(expected), "{text:?}");
        }
        for text in [
            "", " ", ",", "a,", ",a", "a,,b", "a b", "! a", "!!a", "a!", "a/b", "<a>", "é", "a;b",
            "a\"b", "#", "a\n",
        ] {
            assert_eq!(members(text, is_token_char), None, "{text:?}");
        }
        let slashed = members("a/b", |c| is_token_char(c) || c == '/');
        assert_eq!(slashed, Some(vec![token(false, "a/b")]));
    }

    #[test]
    fn numbers() {
        for (text, ranges) in [
            ("#=5", vec![Some(Equals(5))]),
            ("#=+5.00", vec![Some(Equals(5))]),
            ("#=5.", vec![Some(Equals(5))]),
            ("#=5.5", vec![None]),
            ("#>=5.5", vec![Some(HigherThan(6))]),
            ("#>=-5.5", vec![Some(HigherThan(-5))]),
            ("#<=5.5", vec![Some(LowerThan(5))]),
            ("#<=-0.5", vec![Some(LowerThan(-1))]),
            ("#1:5", vec![Some(Range { min: 1, max: 5 })]),
            ("#-4:+5.125", vec![Some(Range { min: -4, max: 5 })]),
            ("#5:1", vec![None]),
            ("#1.2:1.8", vec![None]),
            ("#=99999999999999999999,#=1", vec![None, Some(Equals(1))]),
            ("#>=9223372036854775807.5", vec![None]),
            ("#<=-9223372036854775808.5", vec![None]),
        ] {
            let expected = ranges.into_iter();
            let expected: Vec<_> = expected
                .map(|range| (false, TagValue::Numeric(range)))
                .collect();
            assert_eq!(members(text, is_token_char), Some(expected), "{text}");
        }
        for text in [
            "#5", "#>5", "#=", "#=.5", "#=1x", "#=1,", "#=1,,#=2", "!!#=1", "# =1", "#1:",
        ] {
            assert_eq!(members(text, is_token_char), None, "{text}");
        }
    }
}
