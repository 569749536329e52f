//! For whom and when a rule holds.

use time::OffsetDateTime;

use crate::pidf::{ValueError, timestamp};
use crate::xml::{Element, trim};

/// A condition of a rule, all of which have to hold (RFC 4745 section 7).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// The watcher is proven to be one of these.
    Identity(Vec<Who>),
    /// The presentity is in one of these spheres: words between white space, compared without case.
    Sphere(String),
    /// It is one of these times.
    Validity(Vec<Interval>),
    /// Anything else, known conditions that are malformed among them: it never holds.
    Other(Element),
}

impl Condition {
    /// The words of a sphere's condition.
    pub(super) fn spheres(value: &str) -> impl Iterator<Item = &str> {
        value
            .split([' ', '\t', '\n', '\r'])
            .filter(|word| !word.is_empty())
    }
}

/// Somebody that an identity condition lists (RFC 4745 section 7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Who {
    /// The one that this URI names. What is no URI names nobody.
    One(String),
    /// All that are proven to be somebody, or those of a domain, with exceptions.
    Many(Many),
    /// Anything else, known members that are malformed or hold what is not known among them: it names
    /// nobody.
    Other(Element),
}

/// Everybody, or everybody of a domain, but for some (RFC 4745 section 7.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Many {
    /// The domain; of any when there is none. Compared as RFC 4745 section 7.1.3 has it: escapes
    /// resolved, without case, names of other scripts in their form for DNS. Subdomains are not meant.
    pub domain: Option<String>,
    /// Who is left out.
    pub except: Vec<Except>,
}

impl Many {
    /// Everybody who is proven to be somebody.
    pub fn all() -> Self {
        Self::default()
    }

    /// Everybody of a domain.
    pub fn of_domain(domain: impl Into<String>) -> Self {
        Self {
            domain: Some(domain.into()),
            except: Vec::new(),
        }
    }

    /// The same without the one that this URI names.
    #[must_use]
    pub fn except_one(mut self, uri: impl Into<String>) -> Self {
        self.except.push(Except::One(uri.into()));
        self
    }

    /// The same without those of a domain.
    #[must_use]
    pub fn except_domain(mut self, domain: impl Into<String>) -> Self {
        self.except.push(Except::Domain(domain.into()));
        self
    }
}

/// Who is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Except {
    /// The one that this URI names. What is no URI counts as a SIP URI without its scheme; when it is none
    /// of those either, nobody knows who was meant, and nobody is let in.
    One(String),
    /// Everybody of a domain; when it is none, nobody is let in.
    Domain(String),
}

/// A time from and until when a rule holds (RFC 4745 section 7.4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interval {
    /// As it is written, whatever it is.
    pub from_text: String,
    /// As it is written, whatever it is.
    pub until_text: String,
}

impl Interval {
    /// From one moment on until before another, written in UTC.
    ///
    /// # Errors
    ///
    /// In UTC the year of one of them is not of 1 to 9999, of which alone documents can tell.
    pub fn new(from: OffsetDateTime, until: OffsetDateTime) -> Result<Self, ValueError> {
        let text = |element, moment: OffsetDateTime| {
            let expected = "a time of the years 1 to 9999";
            timestamp::format(moment)
                .ok_or_else(|| ValueError::new(element, &moment.to_string(), expected))
        };
        Ok(Self {
            from_text: text("from", from)?,
            until_text: text("until", until)?,
        })
    }

    /// The first moment; none when it is no time with an offset from UTC.
    pub fn from(&self) -> Option<OffsetDateTime> {
        timestamp::parse(trim(&self.from_text))
    }

    /// The first moment after it; none when it is no time with an offset from UTC.
    pub fn until(&self) -> Option<OffsetDateTime> {
        timestamp::parse(trim(&self.until_text))
    }
}
