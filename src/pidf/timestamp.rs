//! Times in documents: RFC 3339 text and what it stands for.

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use super::extension::ValueError;
use super::leaf::Leaf;

/// Access to the field `timestamp` of the types named.
macro_rules! timestamped {
    ($($owner:ty),+) => {$(
        impl $owner {
            /// The same with the time of its last change.
            ///
            /// # Errors
            ///
            /// In UTC its year is not of 1 to 9999, of which alone documents can tell.
            pub fn with_timestamp(mut self, changed: OffsetDateTime) -> Result<Self, ValueError> {
                self.set_timestamp(Some(changed))?;
                Ok(self)
            }

            /// When it changed; none when it does not say or what it says is no time of RFC 3339
            /// with an offset. A leap second reads as the last nanosecond of its minute.
            pub fn timestamp(&self) -> Option<OffsetDateTime> {
                self.timestamp_text().and_then(parse)
            }

            /// The time as it is written, whatever it is.
            pub fn timestamp_text(&self) -> Option<&str> {
                self.timestamp.as_ref().map(|leaf| leaf.text.as_ref())
            }

            /// Sets or removes the time of the last change (RFC 3863, 4.1.7; RFC 4479, 5.1). It is
            /// written in UTC; one that is the same already stays as it is written, and attributes
            /// of XML itself stay with its element.
            ///
            /// # Errors
            ///
            /// In UTC its year is not of 1 to 9999, of which alone documents can tell; nothing is
            /// changed then.
            pub fn set_timestamp(
                &mut self,
                changed: Option<OffsetDateTime>,
            ) -> Result<(), ValueError> {
                set(&mut self.timestamp, changed)
            }
        }
    )+};
}

/// Writes a time, unless it is written there already in a form that strict readers take.
fn set(leaf: &mut Option<Leaf>, changed: Option<OffsetDateTime>) -> Result<(), ValueError> {
    let Some(changed) = changed else {
        *leaf = None;
        return Ok(());
    };
    let Some(text) = format(changed) else {
        let expected = "a time of the years 1 to 9999";
        return Err(ValueError::new("timestamp", &changed.to_string(), expected));
    };
    let before = leaf.take();
    let stays = |before: &Leaf| parse(&before.text) == Some(changed) && is_valid(&before.text);
    let text = match &before {
        Some(before) if stays(before) => before.text.clone(),
        _ => text.into(),
    };
    *leaf = Some(Leaf::after(before, text));
    Ok(())
}

timestamped!(super::Tuple, super::Person, super::Device);

/// Reads a date and time of RFC 3339, 5.6; a time without offset says nothing and is none.
///
/// A leap second counts as the last nanosecond of its minute, so that order is kept. Decimals
/// beyond the ninth are dropped. `t` and `z` are read as well as the capitals that are written.
pub(crate) fn parse(text: &str) -> Option<OffsetDateTime> {
    let mut reader = Digits {
        rest: text.as_bytes(),
    };
    let year = reader.number(4)?;
    reader.one_of(b"-")?;
    let month = reader.small(2)?;
    reader.one_of(b"-")?;
    let day = reader.small(2)?;
    reader.one_of(b"Tt")?;
    let hour = reader.small(2)?;
    reader.one_of(b":")?;
    let minute = reader.small(2)?;
    reader.one_of(b":")?;
    let second = reader.small(2)?;
    let nanosecond = match reader.one_of(b".") {
        Some(_) => reader.fraction()?,
        None => 0,
    };
    let offset = match reader.one_of(b"Zz+-")? {
        b'Z' | b'z' => UtcOffset::UTC,
        sign => {
            let hours = i8::try_from(reader.number(2)?).ok().filter(|h| *h <= 23)?;
            reader.one_of(b":")?;
            let minutes = i8::try_from(reader.number(2)?).ok().filter(|m| *m <= 59)?;
            if sign == b'-' {
                UtcOffset::from_hms(hours.checked_neg()?, minutes.checked_neg()?, 0).ok()?
            } else {
                UtcOffset::from_hms(hours, minutes, 0).ok()?
            }
        }
    };
    if !reader.rest.is_empty() {
        return None;
    }
    let (second, nanosecond) = if second == 60 {
        (59, 999_999_999)
    } else {
        (second, nanosecond)
    };
    let month = Month::try_from(month).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, day).ok()?;
    let time = Time::from_hms_nano(hour, minute, second, nanosecond).ok()?;
    Some(OffsetDateTime::new_in_offset(date, time, offset))
}

/// Whether it is a time that strict readers take: one of RFC 3339 in capitals (RFC 3863, 4.1.7) that is
/// an xs:dateTime as well, which has no leap seconds, no year 0 and no offset beyond 14 hours.
pub(crate) fn is_valid(text: &str) -> bool {
    let Some(moment) = parse(text) else {
        return false;
    };
    let second = text.as_bytes().get(17..19);
    !text.contains(['t', 'z'])
        && second != Some(b"60")
        && !text.starts_with("0000")
        && moment.offset().whole_minutes().unsigned_abs() <= 14 * 60
}

/// Writes a time in UTC with as many decimals as it needs: none, three, six or nine.
///
/// None for a year that four digits cannot show, and for the year 0, which XML Schema has not.
pub(crate) fn format(moment: OffsetDateTime) -> Option<String> {
    let utc = moment.checked_to_offset(UtcOffset::UTC)?;
    if !(1..=9999).contains(&utc.year()) {
        return None;
    }
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        utc.year(),
        u8::from(utc.month()),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second()
    );
    let nanosecond = utc.nanosecond();
    if nanosecond % 1_000 != 0 {
        text.push_str(&format!(".{nanosecond:09}"));
    } else if nanosecond % 1_000_000 != 0 {
        text.push_str(&format!(".{:06}", nanosecond / 1_000));
    } else if nanosecond != 0 {
        text.push_str(&format!(".{:03}", nanosecond / 1_000_000));
    }
    text.push('Z');
    Some(text)
}

struct Digits<'a> {
    rest: &'a [u8],
}

impl Digits<'_> {
    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        if !allowed.contains(&first) {
            return None;
        }
        self.rest = rest;
        Some(first)
    }

    fn digit(&mut self) -> Option<u32> {
        self.one_of(b"0123456789")
            .map(|byte| u32::from(byte.saturating_sub(b'0')))
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..digits {
            value = value.saturating_mul(10).saturating_add(self.digit()?);
        }
        Some(value)
    }

    fn small(&mut self, digits: usize) -> Option<u8> {
        u8::try_from(self.number(digits)?).ok()
    }

    /// One digit or more, as nanoseconds.
    fn fraction(&mut self) -> Option<u32> {
        let mut value = self.digit()?.saturating_mul(100_000_000);
        let mut unit = 10_000_000u32;
        while let Some(digit) = self.digit() {
            value = value.saturating_add(digit.saturating_mul(unit));
            unit /= 10;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Attribute, Attributes, Name, namespace};

    fn unix_nanos(text: &str) -> Option<i128> {
        parse(text).map(OffsetDateTime::unix_timestamp_nanos)
    }

    // PIDF-19
    #[test]
    fn times_that_are_read() {
        assert_eq!(unix_nanos("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix_nanos("1970-01-01T01:30:00+01:30"), Some(0));
        assert_eq!(unix_nanos("1969-12-31T19:00:00-05:00"), Some(0));
        assert_eq!(unix_nanos("1970-01-01T00:00:00-00:00"), Some(0));
        assert_eq!(unix_nanos("1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
        assert_eq!(unix_nanos("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(
            unix_nanos("1970-01-01T00:00:00.1234567899Z"),
            Some(123_456_789)
        );
        assert_eq!(unix_nanos("1970-01-01t00:00:00z"), Some(0));
        assert_eq!(
            unix_nanos("2024-02-29T00:00:00Z"),
            Some(1_709_164_800_000_000_000)
        );
    }

    // PIDF-19
    #[test]
    fn times_that_strict_readers_take() {
        for (text, good) in [
            ("2024-01-01T00:00:00Z", true),
            ("2024-01-01T00:00:00.5+14:00", true),
            ("2024-01-01T00:00:00-14:01", false),
            ("2024-01-01t00:00:00Z", false),
            ("2024-01-01T00:00:00z", false),
            ("2016-12-31T23:59:60Z", false),
            ("0000-01-01T00:00:00Z", false),
            ("0001-01-01T00:00:00Z", true),
            ("2024-01-01T00:00:00", false),
        ] {
            assert_eq!(is_valid(text), good, "{text}");
        }
    }

    #[test]
    fn a_leap_second_keeps_its_place() {
        let before = parse("2016-12-31T23:59:59.5Z").unwrap();
        let leap = parse("2016-12-31T23:59:60Z").unwrap();
        let after = parse("2017-01-01T00:00:00Z").unwrap();
        assert!(before < leap && leap < after);
        assert!(parse("2016-12-31T23:59:61Z").is_none());
    }

    #[test]
    fn times_that_are_none() {
        for text in [
            "",
            "2024-01-01T00:00:00",
            "2024-01-01",
            "2024-01-01 00:00:00Z",
            "2024-1-01T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00,5Z",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00+01:60",
            "2024-01-01T00:00:00+0100",
            "2024-01-01T00:00:00Z ",
            "-2024-01-01T00:00:00Z",
            "12024-01-01T00:00:00Z",
            "2024-01-01T00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_set_or_refused() {
        let mut leaf = None;
        let early = parse("0000-01-01T00:00:00Z").unwrap();
        let noon = parse("2026-01-01T12:00:00+01:00").unwrap();
        set(&mut leaf, Some(noon)).unwrap();
        assert_eq!(leaf.as_ref().unwrap().text, "2026-01-01T11:00:00Z");
        let before = leaf.clone();
        let refused = set(&mut leaf, Some(early)).unwrap_err();
        assert_eq!(refused.element, "timestamp");
        assert_eq!(leaf, before);
        for (text, stays) in [
            ("2026-01-01T12:00:00.000+01:00", true),
            ("2026-01-01t11:00:00z", false),
            ("2026-01-01T11:00:01Z", false),
        ] {
            let lang = Attribute::new(Name::new(namespace::XML, "lang"), "en");
            let attributes: Attributes = [lang].into_iter().collect();
            let text = text.to_owned().into();
            let mut leaf = Some(Leaf { text, attributes });
            let before = leaf.clone().unwrap();
            set(&mut leaf, Some(noon)).unwrap();
            let leaf = leaf.unwrap();
            assert_eq!(leaf.text == before.text, stays, "{}", before.text);
            assert_eq!(leaf.attributes, before.attributes);
            assert_eq!(parse(&leaf.text), Some(noon));
        }
        set(&mut leaf, None).unwrap();
        assert_eq!(leaf, None);
    }

    #[test]
    fn what_is_written_is_read() {
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.600Z",
            "2026-01-02T03:04:05.000600Z",
            "2026-01-02T03:04:05.000000001Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
        ] {
            assert_eq!(format(parse(text).unwrap()).as_deref(), Some(text));
        }
        let east = parse("2026-01-02T03:04:05+02:00").unwrap();
        assert_eq!(format(east).as_deref(), Some("2026-01-02T01:04:05Z"));
        let too_early = parse("0001-01-01T00:00:00+01:00").unwrap();
        assert_eq!(format(too_early), None);
    }
}
