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

    /// Whether a range names this very type, which says that the other side knows it.
    pub fn names(&self, essence: &str) -> bool {
        let mut ranges = self.ranges.iter().flatten();
        ranges.any(|range| !range.foreign_charset && range.media.essence_eq(essence))
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
        let Some((type_, subtype)) = essence.split_once('/') else {
            return 0;
        };
        let mut best = (0_u8, 0_u16);
        for range in ranges.iter().filter(|range| !range.foreign_charset) {
            let media = range.media;
            let specific = if media.is(type_, subtype) {
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
pub(super) fn parse_quality(text: &str) -> Option<u16> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const PIDF: &str = "application/pidf+xml";

    fn accept<'a>(values: &[&'a str]) -> Accept<'a> {
        Accept::parse(values.iter().copied()).unwrap_or_else(|error| panic!("{values:?}: {error}"))
    }

    // PA-20: no field is not an empty field.
    #[test]
    fn an_absent_field_and_an_empty_one_differ() {
        let absent = accept(&[]);
        assert!(absent.is_absent());
        assert_eq!(absent.quality(PIDF), 1000);
        for empty in [&[""][..], &[" "], &["", ""], &[","]] {
            assert!(!accept(empty).is_absent(), "{empty:?}");
            assert_eq!(accept(empty).quality(PIDF), 0, "{empty:?}");
        }
    }

    // PA-23
    #[test]
    fn the_most_specific_range_decides() {
        for (text, quality) in [
            ("application/pidf+xml", 1000),
            ("APPLICATION/PIDF+XML;q=0.5", 500),
            ("application / pidf+xml ; Q = 0.001", 1),
            ("application/*", 1000),
            ("*/*;q=0.3", 300),
            ("*/pidf+xml", 0),
            ("text/*", 0),
            ("text/plain", 0),
            ("application/pidf+xml;q=0", 0),
            ("application/pidf+xml;q=0, */*", 0),
            ("*/*, application/*;q=0.2, application/pidf+xml;q=0.1", 100),
            ("*/*;q=0.9, application/*;q=0.2", 200),
            (
                "application/pidf+xml;q=0.2, application/pidf+xml;q=0.4;x=y",
                400,
            ),
            ("application/pidf+xml;version=1", 1000),
            ("application/pidf+xml;charset=\"UTF-8\"", 1000),
            ("application/pidf+xml;charset=utf-16", 0),
            ("application/pidf+xml;charset=utf-16, */*;q=0.1", 100),
            ("text/plain , , \r\n application/pidf+xml;q=1.000", 1000),
        ] {
            assert_eq!(accept(&[text]).quality(PIDF), quality, "{text:?}");
        }
        assert_eq!(
            accept(&["text/plain", "application/pidf+xml;q=0.7"]).quality(PIDF),
            700
        );
        assert_eq!(accept(&["*/*"]).quality("nonsense"), 0);
    }

    #[test]
    fn a_broken_field_is_refused() {
        for text in [
            "application",
            "*",
            "application/pidf+xml;q",
            "application/pidf+xml;q=",
            "a/b;q=2",
            "a/b;q=1.1",
            "a/b;q=1.001",
            "a/b;q=0.1234",
            "a/b;q=-1",
            "a/b;q=.5",
            "a/b;q=0.x",
            "a/b;q=\"1\"",
            "a/b;q=1;q=1",
            "a/b c/d",
            "a/b;",
            "a/b,c",
            "a/b\r\n",
            "a/b;x=\"",
            "a/b;q=0.5é",
        ] {
            let error = Accept::parse([text]).unwrap_err();
            assert_eq!(error.name(), Some(HeaderName::Accept), "{text:?}");
        }
        for (text, quality) in [("a/b;q=1.", 1000), ("a/b;q=0.", 0), ("a/b;q=0.01", 10)] {
            assert_eq!(accept(&[text]).quality("a/b"), quality, "{text:?}");
        }
    }

    // CVE-2018-7284
    #[test]
    fn any_number_of_values_is_read_in_one_pass() {
        for count in [0, 1, 33, 10_000] {
            let fields = vec!["text/x;q=0.1"; count];
            assert_eq!(
                accept(&fields).quality("text/x"),
                if count == 0 { 1000 } else { 100 }
            );
            let mut list = "text/x,".repeat(count);
            list.push_str(PIDF);
            assert_eq!(accept(&[&list]).quality(PIDF), 1000);
        }
    }

    #[test]
    fn it_is_written_as_one_list() {
        let values = ["text/plain ;q=0.5,application/*", "*/*;q=0"];
        assert_eq!(
            accept(&values).to_string(),
            "text/plain;q=0.5, application/*, */*;q=0"
        );
        assert_eq!(accept(&[]).to_string(), "");
    }
}
