//! The role that somebody plays.

use time::OffsetDateTime;

use super::values;
use crate::pidf::written::Written;
use crate::pidf::{Extension, ExtensionOf, Person, ValueError};
use crate::xml::{Attributes, Element, namespace};

values::values! {
    /// A role that somebody may play (RFC 4480, 3.11). Roles of other namespaces are elements;
    /// there is no free text.
    #[derive(Default)]
    pub enum SphereKind {
        /// At home.
        Home = "home",
        /// At work.
        Work = "work",
        /// Nobody can tell.
        #[default]
        Unknown = "unknown",
    }
    foreign Foreign;
}

/// The role that somebody plays at present, which may decide who gets to see what
/// (RFC 4480, 3.11).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Sphere {
    /// The role.
    pub kind: SphereKind,
    /// Further elements of other namespaces, in their order; only when `kind` is one.
    pub extensions: Vec<Element>,
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

impl Sphere {
    /// This role.
    pub fn new(kind: SphereKind) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }
}

impl Sphere {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        let mut element = self.with_attributes()?;
        values::put_choice(&mut element, Self::LOCAL, &self.kind, &self.extensions)?;
        Ok(element)
    }
}

impl Extension for Sphere {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "sphere";

    fn read(element: &Element) -> Option<Self> {
        let (kind, extensions) = values::read_choice(element)?;
        Some(Self {
            kind,
            extensions,
            ..Self::read_attributes(element)
        })
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Person> for Sphere {}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, refuses, tree, writes};
    use super::*;

    #[test]
    fn spheres_are_read_and_written() {
        let work: Sphere =
            read("<r:sphere id='s' x:y='z'>at <r:note>n</r:note><r:work/><r:home/></r:sphere>")
                .unwrap();
        assert_eq!(work.kind, SphereKind::Work);
        writes(&work, "<r:sphere id='s' x:y='z'><r:work/></r:sphere>");
        let club: Sphere = read("<r:sphere><x:chess/><x:club>9</x:club></r:sphere>").unwrap();
        writes(&club, "<r:sphere><x:chess/><x:club>9</x:club></r:sphere>");
        for nothing in ["<r:sphere/>", "<r:sphere>chess club</r:sphere>"] {
            assert_eq!(read::<Sphere>(nothing), None);
        }
        let mut both = Sphere::new(SphereKind::Home);
        both.extensions.push(tree("<x:chess/>"));
        refuses(&both);
        both = Sphere::new(SphereKind::Foreign(tree("<x:chess/>")));
        both.extensions.push(tree("<r:home/>"));
        refuses(&both);
    }
}
