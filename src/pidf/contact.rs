//! Communication addresses and their priority.

use core::fmt;

use super::as_read::AsRead;
use super::extension::ValueError;
use super::uri;
use crate::xml::Attributes;

/// The address of a tuple (RFC 3863, 4.1.5).
///
/// ```
/// use presentity::pidf::{Contact, Priority};
///
/// let contact = Contact::new("sip:dora@example.com").with_priority(Priority::from_thousandths(800).unwrap());
/// assert_eq!(contact.priority_text(), Some("0.8"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Contact {
    /// An absolute URI (RFC 3986, 4.3). May be empty: some rich presence values demand that
    /// (RFC 4480, 3.10). Any text when read, without white space at its ends, which is written again;
    /// writing refuses what was put in and is neither.
    pub uri: String,
    /// As written.
    pub(super) priority: Option<String>,
    /// Attributes other than `priority`.
    pub attributes: Attributes,
    as_read: AsRead,
}

impl Contact {
    /// A contact without priority. Writing the document refuses a URI that is neither absolute nor
    /// empty.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            ..Self::default()
        }
    }

    /// The contact with a priority.
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.set_priority(Some(priority));
        self
    }

    /// Sets or removes the priority. One that is the same already stays as it is written.
    pub fn set_priority(&mut self, priority: Option<Priority>) {
        if priority.is_none() || priority != self.priority() {
            self.priority = priority.map(|priority| priority.to_string());
        }
    }

    /// The priority; none when there is none or what is written is no priority, which is to be
    /// treated alike: as the lowest.
    pub fn priority(&self) -> Option<Priority> {
        self.priority.as_deref().and_then(Priority::parse)
    }

    /// The priority as it is written, whatever it is.
    pub fn priority_text(&self) -> Option<&str> {
        self.priority.as_deref()
    }

    /// One that was read; `is_odd` when no builder would take its URI.
    pub(super) fn read(
        uri: &str,
        is_odd: bool,
        priority: Option<String>,
        attributes: Attributes,
    ) -> Self {
        Self {
            uri: uri.to_owned(),
            priority,
            attributes,
            as_read: AsRead::unless(!is_odd, uri),
        }
    }

    /// Whether it may be written.
    pub(super) fn check(&self) -> Result<(), ValueError> {
        if self.uri.is_empty() || uri::is_absolute(&self.uri) || self.as_read.is(&self.uri) {
            return Ok(());
        }
        let expected = "an absolute URI, or empty";
        Err(ValueError::new("contact", &self.uri, expected))
    }
}

impl From<&str> for Contact {
    fn from(uri: &str) -> Self {
        Self::new(uri)
    }
}

impl From<String> for Contact {
    fn from(uri: String) -> Self {
        Self::new(uri)
    }
}

/// A contact's priority: a number from 0 to 1 in steps of a thousandth; higher is preferred
/// (RFC 3863, 4.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Priority(u16);

impl Priority {
    /// 0, which is also what a contact without priority has.
    pub const LOWEST: Self = Self(0);
    /// 1.
    pub const HIGHEST: Self = Self(1000);

    /// A priority of this many thousandths, none above 1000.
    pub const fn from_thousandths(thousandths: u16) -> Option<Self> {
        if thousandths <= 1000 {
            Some(Self(thousandths))
        } else {
            None
        }
    }

    /// How many thousandths it is, 0 to 1000.
    pub const fn thousandths(self) -> u16 {
        self.0
    }

    /// Reads `0` or `1`, perhaps with a point and up to three decimals, not exceeding 1.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let whole = match whole {
            "0" => 0,
            "1" => 1000,
            _ => return None,
        };
        if decimals.len() > 3 {
            return None;
        }
        let mut fraction = 0u16;
        for place in 0..3 {
            let digit = match decimals.as_bytes().get(place) {
                Some(byte) => char::from(*byte).to_digit(10)?,
                None => 0,
            };
            let digit = u16::try_from(digit).ok()?;
            fraction = fraction.saturating_mul(10).saturating_add(digit);
        }
        Self::from_thousandths(fraction.saturating_add(whole))
    }
}

/// In the shortest form: `0`, `0.8`, `0.025`, `1`.
impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0"),
            1000.. => f.write_str("1"),
            thousandths => {
                let decimals = format!("{thousandths:03}");
                write!(f, "0.{}", decimals.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // PIDF-14
    #[test]
    fn what_is_a_priority() {
        for (text, thousandths) in [
            ("0", 0),
            ("0.", 0),
            ("0.021", 21),
            ("0.5", 500),
            ("0.80", 800),
            ("0.999", 999),
            ("1", 1000),
            ("1.", 1000),
            ("1.00", 1000),
            ("1.000", 1000),
        ] {
            let priority = Priority::parse(text).map(Priority::thousandths);
            assert_eq!(priority, Some(thousandths), "{text}");
        }
        for text in [
            "", ".", ".5", "00", "09", "0.1234", "1.001", "1.5", "2", "-0", "+1", "0,5", "0.5 ",
            "1.0000", "0.5.1", "0.٣", "1e0", "0x1",
        ] {
            assert_eq!(Priority::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_same_priority_stays_as_it_is_written() {
        let mut contact =
            Contact::read("sip:a@x", false, Some("0.80".to_owned()), Attributes::new());
        contact.set_priority(contact.priority());
        assert_eq!(contact.priority_text(), Some("0.80"));
        contact.set_priority(Some(Priority::HIGHEST));
        assert_eq!(contact.priority_text(), Some("1"));
        contact.priority = Some("high".to_owned());
        contact.set_priority(contact.priority());
        assert_eq!(contact.priority_text(), None);
    }

    // PIDF-13: strict reading refuses what is no URI.
    #[test]
    fn an_address_is_a_uri_unless_it_was_read_so() {
        for (uri, good) in [
            ("sip:dora@example.com", true),
            ("", true),
            ("dora@example.com", false),
            ("sip:do ra@example.com", false),
            (" ", false),
        ] {
            assert_eq!(Contact::new(uri).check().is_ok(), good, "{uri:?}");
            let mut read = Contact::read(uri, !good, None, Attributes::new());
            assert_eq!(read.check(), Ok(()), "{uri:?}");
            assert_eq!(read, Contact::new(uri));
            read.uri.push(' ');
            assert!(read.check().is_err(), "{uri:?}");
        }
    }

    #[test]
    fn what_is_displayed_is_read() {
        for thousandths in 0..=1000 {
            let priority = Priority::from_thousandths(thousandths).unwrap();
            assert_eq!(Priority::parse(&priority.to_string()), Some(priority));
        }
        assert_eq!(Priority::from_thousandths(1001), None);
        assert_eq!(Priority::from_thousandths(800).unwrap().to_string(), "0.8");
        assert_eq!(Priority::from_thousandths(25).unwrap().to_string(), "0.025");
    }
}
