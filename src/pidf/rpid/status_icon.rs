//! A picture of a status.

use time::OffsetDateTime;

use crate::pidf::written::Written;
use crate::pidf::{Extension, ExtensionOf, Person, Tuple, ValueError, uri};
use crate::xml::{Attributes, Element, namespace};

/// Where an image of somebody's or of a service's present status is (RFC 4480, 3.12).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StatusIcon {
    /// An absolute URI, perhaps with a fragment; writing refuses anything else.
    pub uri: String,
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

impl StatusIcon {
    /// The image at this URI.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            ..Self::default()
        }
    }
}

impl StatusIcon {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        if !uri::is_uri(&self.uri) {
            return Err(ValueError::new(Self::LOCAL, &self.uri, "an absolute URI"));
        }
        Ok(self.with_attributes()?.with_text(self.uri.as_str()))
    }
}

impl Extension for StatusIcon {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "status-icon";

    fn read(element: &Element) -> Option<Self> {
        Some(Self {
            uri: uri::of_any_uri(&element.text())?,
            ..Self::read_attributes(element)
        })
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Person> for StatusIcon {}
impl ExtensionOf<Tuple> for StatusIcon {}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, refuses, writes};
    use super::*;

    #[test]
    fn icons_are_read_and_written() {
        let icon: StatusIcon = read(
            "<r:status-icon id='i'>\n https://example.com/a b.png#x<!-- --> \n<r:note>n</r:note>\
             </r:status-icon>",
        )
        .unwrap();
        let expected = StatusIcon::new("https://example.com/a%20b.png#x").with_id("i");
        assert_eq!(icon, expected);
        writes(
            &icon,
            "<r:status-icon id='i'>https://example.com/a%20b.png#x</r:status-icon>",
        );
        for nothing in [
            "<r:status-icon/>",
            "<r:status-icon>a.png</r:status-icon>",
            "<r:status-icon><r:note>https://example.com/</r:note></r:status-icon>",
        ] {
            assert_eq!(read::<StatusIcon>(nothing), None);
        }
        assert_eq!(
            refuses(&StatusIcon::new("a.png")),
            "status-icon: \"a.png\" is not an absolute URI"
        );
        refuses(&StatusIcon::new("https://example.com/a b.png"));
    }
}
