//! Numbers as conditions and triggers compare them.

use core::fmt;

use crate::xml::trim;

/// An xs:decimal of at most 18 digits on each side of the point, exact: as many units of 10⁻¹⁸.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Decimal(i128);

/// Digits on each side of the point.
const DIGITS: usize = 18;

impl Decimal {
    /// None for what is no number, or one with more digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = trim(text);
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && part.is_empty()) || !is_number(whole) || !is_number(part) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let part = part.trim_end_matches('0');
        if whole.len() > DIGITS || part.len() > DIGITS {
            return None;
        }
        let zeros = core::iter::repeat_n(b'0', DIGITS.saturating_sub(part.len()));
        let all = whole.bytes().chain(part.bytes()).chain(zeros);
        let units = all.fold(0_i128, |units, digit| {
            units * 10 + i128::from(digit.saturating_sub(b'0'))
        });
        Some(Self(if negative { -units } else { units }))
    }

    /// How far apart two numbers are.
    pub(super) fn distance(self, other: Self) -> Self {
        Self((self.0 - other.0).abs())
    }
}

/// In one form for each number.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        for (one, other) in [
            ("0.5", ".50"),
            ("+007", "7."),
            ("-0", "0"),
            (" 1\n", "1.0"),
            (
                "999999999999999999",
                "0999999999999999999.0000000000000000000",
            ),
        ] {
            assert!(Decimal::parse(one).is_some(), "{one}");
            assert_eq!(Decimal::parse(one), Decimal::parse(other), "{one}");
        }
        for (less, more) in [("-2", "-1"), ("0.5", "0.51"), ("9", "10"), ("-0.1", "0")] {
            assert!(Decimal::parse(less) < Decimal::parse(more), "{less}");
        }
        let [two, six, minus] = ["2", "6", "-2"].map(|text| Decimal::parse(text).unwrap());
        assert_eq!(two.distance(six), six.distance(two));
        assert_eq!(two.distance(minus), Decimal::parse("4").unwrap());
    }

    #[test]
    fn what_is_no_number() {
        for text in [
            "",
            ".",
            "-",
            "+-1",
            "1e3",
            "1,5",
            "0x1",
            "NaN",
            "1 2",
            "٣",
            "1000000000000000000",
            "0.0000000000000000001",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
    }
}
