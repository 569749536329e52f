//! What kind of place somebody is at.

use time::OffsetDateTime;

use super::values::Value;
use super::{frame, values};
use crate::pidf::written::Written;
use crate::pidf::{Extension, ExtensionOf, Note, Person, ValueError, schema};
use crate::xml::{Attributes, Element, namespace};

/// One kind of place (RFC 4480, 3.7).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlaceKind {
    /// `other`: what none of the names says, in words for people.
    Other(Note),
    /// An element of another namespace, mostly a location type (RFC 4589).
    Foreign(Element),
}

impl PlaceKind {
    /// The location type of this name, such as `street` or `office` (RFC 4589, 3).
    pub fn location(name: &str) -> Self {
        Self::Foreign(Element::new(namespace::LOCATION_TYPE, name))
    }

    /// The name of the location type, if it is one.
    pub fn location_name(&self) -> Option<&str> {
        match self {
            Self::Foreign(element) if element.namespace() == namespace::LOCATION_TYPE => {
                Some(element.local())
            }
            _ => None,
        }
    }

    /// The name of its element: `other`, or the local one.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(_) => "other",
            Self::Foreign(element) => element.local(),
        }
    }

    /// What none of the names says, in words for people.
    pub fn other(text: impl Into<Note>) -> Self {
        Self::Other(text.into())
    }
}

impl Value for PlaceKind {
    fn read(element: &Element, lang: Option<&str>) -> Option<Self> {
        match (element.namespace(), element.local()) {
            (namespace::RPID, "other") => Some(Self::Other(frame::read_note(element, lang))),
            (namespace::RPID | "", _) => None,
            _ => Some(Self::Foreign(frame::read_foreign(element, lang))),
        }
    }

    fn to_element(&self, within: &'static str) -> Result<Element, ValueError> {
        match self {
            Self::Other(note) => frame::note_element("other", note),
            Self::Foreign(element) => frame::put_foreign(within, element),
        }
    }
}

/// What kind of place somebody is at (RFC 4480, 3.7).
///
/// ```
/// use presentity::pidf::Person;
/// use presentity::pidf::rpid::PlaceType;
///
/// let person = Person::new("dora").with(&PlaceType::location("library"))?;
/// let place = person.get::<PlaceType>().unwrap_or_default();
/// assert!(place.is_location("library"));
/// # Ok::<(), presentity::pidf::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PlaceType {
    /// The kinds that it is of. Writing refuses none at all, and [`PlaceKind::Other`] beside others.
    /// Of an element with nothing but comments it is a [`PlaceKind::Other`] without words.
    pub values: Vec<PlaceKind>,
    /// Comments (RFC 4480, 3.1). Writing refuses one with attributes, or in a language
    /// that is no tag.
    pub notes: Vec<Note>,
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

impl PlaceType {
    /// A place of these kinds.
    pub fn of(values: impl IntoIterator<Item = PlaceKind>) -> Self {
        Self {
            values: values.into_iter().collect(),
            ..Self::default()
        }
    }

    /// A place of the location type of this name (RFC 4589, 3).
    pub fn location(name: &str) -> Self {
        Self::of([PlaceKind::location(name)])
    }

    /// Whether the location type of this name is among its kinds.
    pub fn is_location(&self, name: &str) -> bool {
        let mut values = self.values.iter();
        values.any(|value| value.location_name() == Some(name))
    }
}

impl PlaceType {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        if self.values.is_empty() {
            return Err(ValueError::new(Self::LOCAL, "", "one value or more"));
        }
        let is_other = |value: &PlaceKind| matches!(value, PlaceKind::Other(_));
        if self.values.len() > 1 && self.values.iter().any(is_other) {
            let expected = "a value that others stand beside";
            return Err(ValueError::new(Self::LOCAL, "other", expected));
        }
        let mut element = self.with_attributes()?;
        frame::put_notes(&mut element, &self.notes)?;
        values::put_list(&mut element, Self::LOCAL, &self.values)?;
        Ok(element)
    }
}

impl Extension for PlaceType {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "place-type";

    fn read(element: &Element) -> Option<Self> {
        let mut place = Self::read_attributes(element);
        place.notes = frame::read_notes(element);
        place.values = values::read_list(element);
        if let Some(PlaceKind::Other(_)) = place.values.first() {
            place.values.truncate(1);
        }
        let values = &mut place.values;
        let stays_alone = values.len() == 1;
        values.retain(|value| stays_alone || !matches!(value, PlaceKind::Other(_)));
        // A comment without a kind says that there is one, which the schema has a value for.
        if place.values.is_empty() && !place.notes.is_empty() {
            place.values.push(PlaceKind::other(""));
        }
        (!place.values.is_empty()).then_some(place)
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }

    fn understands(namespace: &str, local: &str) -> bool {
        matches!(namespace, namespace::RPID | namespace::LOCATION_TYPE)
            && schema::has_element(namespace, local)
    }
}

impl ExtensionOf<Person> for PlaceType {}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, refuses, tree, writes};
    use super::*;

    #[test]
    fn places_are_read_and_written() {
        let place: PlaceType = read(
            "<r:place-type xml:lang='en'><lt:bus/><r:note xml:lang=''>line 9</r:note>\
             <r:bus/><r:other>moving</r:other><x:vehicle wheels='6'/></r:place-type>",
        )
        .unwrap();
        // It has no content that could be in a language.
        assert_eq!(place.values[0], PlaceKind::location("bus"));
        assert!(place.is_location("bus") && !place.is_location("vehicle"));
        let names: Vec<&str> = place.values.iter().map(PlaceKind::as_str).collect();
        assert_eq!(names, ["bus", "vehicle"]);
        assert_eq!(PlaceKind::other("x").as_str(), "other");
        writes(
            &place,
            "<r:place-type><r:note>line 9</r:note><lt:bus/><x:vehicle wheels='6'/></r:place-type>",
        );
        let other: PlaceType =
            read("<r:place-type><r:other>moving</r:other><lt:bus/></r:place-type>").unwrap();
        assert_eq!(other, PlaceType::of([PlaceKind::other("moving")]));
        writes(
            &other,
            "<r:place-type><r:other>moving</r:other></r:place-type>",
        );
    }

    #[test]
    fn a_place_has_a_kind() {
        assert_eq!(read::<PlaceType>("<r:place-type>bus</r:place-type>"), None);
        let noted: PlaceType = read("<r:place-type><r:note>9</r:note></r:place-type>").unwrap();
        assert_eq!(noted, PlaceType::of([PlaceKind::other("")]).with_note("9"));
        writes(
            &noted,
            "<r:place-type><r:note>9</r:note><r:other/></r:place-type>",
        );
        assert!(refuses(&PlaceType::default()).starts_with("place-type"));
        refuses(&PlaceType::location("a b"));
        let both = [PlaceKind::location("bus"), PlaceKind::other("x")];
        assert_eq!(
            refuses(&PlaceType::of(both)),
            "place-type: \"other\" is not a value that others stand beside"
        );
    }

    #[test]
    fn location_types_are_understood() {
        let marked = tree("<r:place-type><lt:bus p:mustUnderstand='1'/></r:place-type>");
        let person = Person::new("dora").with_extension(marked);
        assert!(person.get::<PlaceType>().unwrap().is_location("bus"));
    }
}
