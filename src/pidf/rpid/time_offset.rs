//! The local time.

use time::{OffsetDateTime, UtcOffset};

use super::frame;
use crate::pidf::written::Written;
use crate::pidf::{Extension, ExtensionOf, Person, ValueError, lexical};
use crate::xml::{Attributes, Element, Name, namespace};

/// How far the clocks where somebody is are from UTC (RFC 4480, 3.13).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TimeOffset {
    /// Minutes that local time is ahead of UTC, or behind it when negative. An offset that is too
    /// large for the type is not read.
    pub minutes: i32,
    /// Words for people, such as the name of the time zone.
    pub description: Option<String>,
    /// The language of the description (`xml:lang`, a tag of RFC 5646), or that of the elements
    /// around it in the document it was read from.
    pub lang: Option<String>,
    /// From when it is so (RFC 4480, 3.1); none: ever since. Writing refuses a year that in UTC is not
    /// of 1 to 9999.
    pub from: Option<OffsetDateTime>,
    /// Until when it is so, that moment itself excluded; none: for good. Writing refuses the same
    /// years, and what is before `from`.
    pub until: Option<OffsetDateTime>,
    /// Its id, unique in the document (RFC 4480, 3.1). Any text when read; writing refuses what is no
    /// xs:ID.
    pub id: Option<String>,
    /// Attributes other than these and `xml:lang`, which writing refuses here.
    pub attributes: Attributes,
    pub(super) written: Written,
}

impl TimeOffset {
    /// Local time is so many minutes ahead of UTC, or behind it when negative.
    pub fn new(minutes: i32) -> Self {
        Self {
            minutes,
            ..Self::default()
        }
    }

    /// The same with words for people.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The same with the description said to be in a language.
    #[must_use]
    pub fn in_language(mut self, tag: impl Into<String>) -> Self {
        self.lang = Some(tag.into());
        self
    }

    /// The same to reckon with; none from 26 hours on, which are nowhere.
    pub fn offset(&self) -> Option<UtcOffset> {
        UtcOffset::from_whole_seconds(self.minutes.checked_mul(60)?).ok()
    }
}

impl TimeOffset {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        let mut element = self.with_attributes()?;
        if let Some(description) = &self.description {
            let name = Name::new("", "description");
            element.attributes.set(name, description.as_str());
        }
        frame::put_lang(&mut element, self.lang.as_deref())?;
        Ok(element.with_text(self.minutes.to_string()))
    }
}

impl Extension for TimeOffset {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "time-offset";

    fn read(element: &Element) -> Option<Self> {
        let minutes = lexical::integer(&element.text())?;
        Some(Self {
            minutes: i32::try_from(minutes).ok()?,
            description: element.attribute("description").map(str::to_owned),
            lang: frame::lang(element).map(str::to_owned),
            ..Self::read_attributes(element)
        })
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Person> for TimeOffset {}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, refuses, writes};
    use super::*;

    #[test]
    fn offsets_are_read_and_written() {
        let read_offset: TimeOffset =
            read("<r:time-offset description=' Somewhere' xml:lang='en' x:y='z'>\n -0300 </r:time-offset>")
                .unwrap();
        assert_eq!(read_offset.offset(), UtcOffset::from_hms(-5, 0, 0).ok());
        writes(
            &read_offset,
            "<r:time-offset description=' Somewhere' xml:lang='en' x:y='z'>\n -0300 </r:time-offset>",
        );
        writes(
            &TimeOffset::new(-300),
            "<r:time-offset>-300</r:time-offset>",
        );
        writes(
            &TimeOffset::new(i32::MIN).with_description(""),
            "<r:time-offset description=''>-2147483648</r:time-offset>",
        );
        refuses(&TimeOffset::new(0).in_language(""));
        assert_eq!(TimeOffset::new(i32::MIN).offset(), None);
        assert_eq!(TimeOffset::new(26 * 60).offset(), None);
        for nothing in ["", "+1:00", "1.5", "2147483648", "one"] {
            let document = format!("<r:time-offset>{nothing}</r:time-offset>");
            assert_eq!(read::<TimeOffset>(&document), None, "{nothing}");
        }
    }
}
