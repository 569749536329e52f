//! Rates of notifications (RFC 6446 section 9).

use core::fmt;
use core::time::Duration;

use super::{HeaderError, HeaderName, Params};

/// Notifications per second: more than none, below 100, in steps of 10^-10 (RFC 6446 section 9.2).
///
/// ```
/// use core::time::Duration;
/// use presentity::sip::Rate;
///
/// let rate = Rate::parse("0.05").unwrap();
/// assert_eq!(rate.interval(), Duration::from_secs(20));
/// assert_eq!(Rate::per(Duration::from_secs(20)), rate);
/// assert_eq!(rate.to_string(), "0.05");
/// assert_eq!(Rate::parse("0"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u64);

/// Units of a rate in one per second.
const UNITS: u64 = 10_000_000_000;
const DECIMALS: usize = 10;
/// The highest, 99.9999999999.
const HIGHEST: u64 = 100 * UNITS - 1;
/// Nanoseconds between two at a rate of one unit.
const NANOS_OF_UNIT: u64 = 1_000_000_000 * UNITS;

impl Rate {
    /// Reads a rate: one or two digits, and up to ten decimals. Nothing for anything else, and for
    /// none at all.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit())
        };
        if !is_number(whole, 2) || !is_number(decimals, DECIMALS) {
            return None;
        }
        let units = format!("{whole}{decimals:0<DECIMALS$}").parse().ok()?;
        (units > 0).then_some(Self(units))
    }

    /// One in this time; the highest or lowest rate where there is none so high or low.
    pub fn per(interval: Duration) -> Self {
        let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let units = NANOS_OF_UNIT.checked_div(nanos).unwrap_or(HIGHEST);
        Self(units.clamp(1, HIGHEST))
    }

    /// The time from one to the next.
    pub fn interval(self) -> Duration {
        Duration::from_nanos(NANOS_OF_UNIT / self.0)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:0DECIMALS$}", self.0 % UNITS);
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / UNITS),
            decimals => write!(f, "{}.{decimals}", self.0 / UNITS),
        }
    }
}

/// What is asked of the pace of notifications, or granted (RFC 6446): parameters of Event and of
/// Subscription-State.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Rates {
    /// No more than that (`max-rate`, section 5).
    pub max: Option<Rate>,
    /// No less than that (`min-rate`, section 6).
    pub min: Option<Rate>,
    /// No less than that, seen over a longer time (`adaptive-min-rate`, section 7).
    pub adaptive_min: Option<Rate>,
}

const MAX_RATE: &str = "max-rate";
const MIN_RATE: &str = "min-rate";
const ADAPTIVE_MIN_RATE: &str = "adaptive-min-rate";

impl Rates {
    /// Nothing is asked.
    pub const NONE: Self = Self {
        max: None,
        min: None,
        adaptive_min: None,
    };

    /// Nothing but that there are no more than these.
    pub fn at_most(rate: Rate) -> Self {
        Self {
            max: Some(rate),
            ..Self::NONE
        }
    }

    /// The same, and no less than these.
    #[must_use]
    pub fn at_least(mut self, rate: Rate) -> Self {
        self.min = Some(rate);
        self
    }

    /// The same, and no less than these over a longer time.
    #[must_use]
    pub fn at_least_over_time(mut self, rate: Rate) -> Self {
        self.adaptive_min = Some(rate);
        self
    }

    /// Whether nothing is asked.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Reads those among the parameters of a field.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`] for one that is no rate.
    pub fn read(field: HeaderName, params: Params<'_>) -> Result<Self, HeaderError> {
        if params.is_empty() {
            return Ok(Self::NONE);
        }
        let rate = |name| match params.unquoted(name) {
            None if params.get(name).is_none() => Ok(None),
            value => value.and_then(|value| Rate::parse(&value)).map(Some).ok_or(
                HeaderError::Malformed {
                    name: Some(field),
                    offset: 0,
                    expected: "a rate above 0 and below 100",
                },
            ),
        };
        Ok(Self {
            max: rate(MAX_RATE)?,
            min: rate(MIN_RATE)?,
            adaptive_min: rate(ADAPTIVE_MIN_RATE)?,
        })
    }
}

/// `;name=value` for each.
impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (MAX_RATE, self.max),
            (MIN_RATE, self.min),
            (ADAPTIVE_MIN_RATE, self.adaptive_min),
        ];
        for (name, rate) in named {
            if let Some(rate) = rate {
                write!(f, ";{name}={rate}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{Rate, Rates};
    use crate::sip::{Event, HeaderName};

    #[test]
    fn rates_are_read_as_the_grammar_has_them() {
        for (text, interval) in [
            ("1", Duration::from_secs(1)),
            ("01", Duration::from_secs(1)),
            ("0.2", Duration::from_secs(5)),
            ("0.0000000001", Duration::from_secs(10_000_000_000)),
            ("50.0", Duration::from_millis(20)),
            ("99.9999999999", Duration::from_millis(10)),
        ] {
            assert_eq!(Rate::parse(text).unwrap().interval(), interval, "{text}");
        }
        for text in [
            "",
            "0",
            "00.000",
            ".5",
            "1.",
            "100",
            "1.00000000001",
            "-1",
            "+1",
            "1e1",
            " 1",
            "1,5",
            "١",
        ] {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn rates_are_written_as_they_are_read() {
        for text in [
            "1",
            "0.2",
            "12.5",
            "0.0000000001",
            "99.9999999999",
            "0.0166666666",
        ] {
            assert_eq!(Rate::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Rate::per(Duration::ZERO).to_string(), "99.9999999999");
        assert_eq!(Rate::per(Duration::MAX).to_string(), "0.0000000001");
        let week = Duration::from_secs(604_800);
        assert!(Rate::per(week).interval() >= week);
    }

    #[test]
    fn parameters_are_found_among_others() {
        let event = Event::parse("presence;id=4;Max-Rate=0.1;min-rate=\"0.01\"").unwrap();
        let rates = Rates::read(HeaderName::Event, event.params()).unwrap();
        assert_eq!(rates.to_string(), ";max-rate=0.1;min-rate=0.01");
        assert!(!rates.is_none());
        for text in [
            "presence;max-rate",
            "presence;min-rate=0",
            "presence;adaptive-min-rate=x",
        ] {
            let event = Event::parse(text).unwrap();
            let rates = Rates::read(HeaderName::Event, event.params());
            assert!(rates.is_err(), "{text}");
        }
    }
}
