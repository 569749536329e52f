//! Accept: which media types the other side takes (RFC 3261 section 20.1).

use core::fmt;

use super::grammar::{Parsed, each_member};
use super::media_type::media_type;
use super::params::unquote;
use super::{HeaderError, HeaderName, MediaType};

/// What the Accept fields of a message hold.
///
/// No field at all is not the same as an empty one: without a field the event package's own type
/// is taken ([`is_absent`](Self::is_absent)), with an empty one nothing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept<'a> {
    /// `None` without a field.
    ranges: Option<Vec<Range<'a>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range<'a> {
    media: MediaType<'a>,
    /// In thousandths.
    quality: u16,
    /// Whether it asks for a character set other than UTF-8.
    foreign_charset: bool,
}

impl<'a> Accept<'a> {
    /// Reads the values of all Accept fields of a message, in time that grows with their length.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`] when a member is no media range or its `q` is no quality.
    pub fn parse<I>(values: I) -> Result<Self, HeaderError>
    where
        I: IntoIterator<Item = &'a str>,
    {
        let mut ranges = None;
        for value in values {
            let list = ranges.get_or_insert_with(Vec::new);
            each_member(Some(HeaderName::Accept), value, range, |range| {
                list.push(range)
            })?;
        }
        Ok(Self { ranges })
    }

    /// Whether there was no field.
    pub fn is_absent(&self) -> bool {
        self.ranges.is_none()
    }

    /// How welcome a body of this type (`type/subtype`, without parameters, UTF-8) is, in
    /// thousandths; 0 when it is not acceptable. Without an Accept field everything is, by 1000.
    ///
    /// The most specific range decides, the type itself before `type/*` before `*/*`; of equal
    /// ones the most welcoming. Parameters do not count, but a range that asks for a character set
    /// other than UTF-8 does not speak of our bodies.
    pub fn quality(&self, essence: &str) -> u16 {
        let Some(ranges) = &self.ranges else {
            return 1000;
        };
        let Some((type_, _)) = essence.split_once('/') else {
            return 0;
        };
        let mut best = (0_u8, 0_u16);
        for range in ranges.iter().filter(|range| !range.foreign_charset) {
            let media = range.media;
            let specific = if media.essence_eq(essence) {
                3
            } else if media.subtype != "*" {
                continue;
            } else if media.type_.eq_ignore_ascii_case(type_) {
                2
            } else if media.type_ == "*" {
                1
            } else {
                continue;
            };
            best = best.max((specific, range.quality));
        }
        best.1
    }
}

/// The ranges as one list; nothing when there was no field.
impl fmt::Display for Accept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.ranges.iter().flatten().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", range.media)?;
        }
        Ok(())
    }
}

fn range(input: &str) -> Parsed<'_, Range<'_>> {
    let mut quality = None;
    let mut foreign_charset = false;
    let (rest, media) = media_type(input, |name, value| {
        let value = value.unwrap_or_default();
        if name.eq_ignore_ascii_case("q") {
            if quality.is_some() {
                return Err("a single quality");
            }
            quality = Some(parse_quality(value).ok_or("a quality from 0 to 1")?);
        } else if name.eq_ignore_ascii_case("charset") {
            foreign_charset = !unquote(value).eq_ignore_ascii_case("utf-8");
        }
        Ok(())
    })?;
    Ok((
        rest,
        Range {
            media,
            quality: quality.unwrap_or(1000),
            foreign_charset,
        },
    ))
}

/// `0`, `1` or a decimal between them, with three decimals at most, in thousandths.
fn parse_quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let mut thousandths = 0_u16;
    for place in 0..3 {
        let digit = decimals
            .as_bytes()
            .get(place)
            .map_or(0, |digit| digit.wrapping_sub(b'0'));
        thousandths = thousandths * 10 + u16::from(digit);
    }
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}
