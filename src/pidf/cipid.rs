//! Contact information (RFC 4482): the lasting things about somebody, such as a name to show, a
//! picture and a business card.
//!
//! It stands in a person, or in a tuple that is
//! [about somebody else](super::Tuple::is_about_another). Everything occurs once, but for names in
//! several languages.
//!
//! ```
//! use presentity::pidf::Person;
//! use presentity::pidf::cipid::{DisplayName, Icon};
//!
//! let mut person = Person::new("dora")
//!     .with(&Icon::new("https://example.com/dora.png"))?
//!     .with(&DisplayName::new("Dora").in_language("en"))?;
//! person.add(&DisplayName::new("Дора").in_language("ru"))?;
//! assert_eq!(person.all::<DisplayName>().count(), 2);
//! # Ok::<(), presentity::pidf::ValueError>(())
//! ```

use super::rpid::frame;
use super::written::Written;
use super::{Extension, ExtensionOf, Person, Tuple, ValueError, uri};
use crate::xml::{Element, namespace, trim};

/// Makes elements that are a URI.
macro_rules! uris {
    ($($(#[$meta:meta])* $name:ident = $local:literal;)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub struct $name {
            /// An absolute URI, perhaps with a fragment; writing refuses anything else.
            pub uri: String,
            written: Written,
        }

        impl $name {
            /// The one at this URI.
            pub fn new(uri: impl Into<String>) -> Self {
                Self {
                    uri: uri.into(),
                    written: Written::default(),
                }
            }
        }

        impl $name {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
                if !uri::is_uri(&self.uri) {
                    return Err(ValueError::new(Self::LOCAL, &self.uri, "an absolute URI"));
                }
                Ok(Self::empty_element().with_text(self.uri.as_str()))
            }
}

impl Extension for $name {
            const NAMESPACE: &'static str = namespace::CIPID;
            const LOCAL: &'static str = $local;

            fn read(element: &Element) -> Option<Self> {
                Some(Self {
                    uri: uri::of_any_uri(&element.text())?,
                    written: Written::of(element),
                })
            }

            fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
        }

        impl ExtensionOf<Person> for $name {}
        impl ExtensionOf<Tuple> for $name {}
    )+};
}

uris! {
    /// Where a business card is, such as a vCard (RFC 4482, 3.1).
    Card = "card";
    /// Where there is more about somebody, mostly a web page (RFC 4482, 3.3).
    Homepage = "homepage";
    /// Where an image of somebody is, for a user interface (RFC 4482, 3.4).
    Icon = "icon";
    /// Where a map is, as an image or a document (RFC 4482, 3.5).
    Map = "map";
    /// Where a sound is that stands for somebody, or tells how the name is spoken
    /// (RFC 4482, 3.6).
    Sound = "sound";
}

/// The name to show for somebody (RFC 4482, 3.2).
///
/// Several may stand beside each other when each is in another language. The schema of RFC 4482
/// has no language, though its text does: a name in a stated language does not pass that schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DisplayName {
    /// The name. Writing refuses none, and white space around it.
    pub text: String,
    /// Its language (`xml:lang`, a tag of RFC 5646), or that of the elements around it in the
    /// document it was read from.
    pub lang: Option<String>,
    written: Written,
}

impl DisplayName {
    /// A name in no stated language; white space around it is dropped.
    pub fn new(text: &str) -> Self {
        Self {
            text: trim(text).to_owned(),
            lang: None,
            written: Written::default(),
        }
    }

    /// The name, said to be in a language.
    #[must_use]
    pub fn in_language(mut self, tag: impl Into<String>) -> Self {
        self.lang = Some(tag.into());
        self
    }
}

impl DisplayName {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        if self.text.is_empty() || trim(&self.text) != self.text {
            let expected = "a name without white space around it";
            return Err(ValueError::new(Self::LOCAL, &self.text, expected));
        }
        let mut element = Self::empty_element().with_text(self.text.as_str());
        frame::put_lang(&mut element, self.lang.as_deref())?;
        Ok(element)
    }
}

impl Extension for DisplayName {
    const NAMESPACE: &'static str = namespace::CIPID;
    const LOCAL: &'static str = "display-name";

    fn read(element: &Element) -> Option<Self> {
        let mut name = Self::new(&element.text());
        name.lang = frame::lang(element).map(str::to_owned);
        name.written = Written::of(element);
        (!name.text.is_empty()).then_some(name)
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Person> for DisplayName {}
impl ExtensionOf<Tuple> for DisplayName {}

#[cfg(test)]
mod tests {
    use super::frame::testing::{read, refuses, tree, writes};
    use super::*;

    #[test]
    fn uris_are_read_and_written() {
        let card: Card = read("<c:card x:y='z'> https://example.com/%41#1\n</c:card>").unwrap();
        assert_eq!(card, Card::new("https://example.com/%41#1"));
        writes(&card, "<c:card>https://example.com/%41#1</c:card>");
        writes(
            &Homepage::new("https://a.example/"),
            "<c:homepage>https://a.example/</c:homepage>",
        );
        writes(
            &Icon::new("cid:a@example.com"),
            "<c:icon>cid:a@example.com</c:icon>",
        );
        writes(&Map::new("geo:48.2,16.37"), "<c:map>geo:48.2,16.37</c:map>");
        writes(&Sound::new("data:,x"), "<c:sound>data:,x</c:sound>");
        for nothing in ["", "card.vcf", "https://example.com/%zz"] {
            assert_eq!(read::<Card>(&format!("<c:card>{nothing}</c:card>")), None);
            refuses(&Card::new(nothing));
        }
        assert_eq!(
            refuses(&Icon::new("a b")),
            "icon: \"a b\" is not an absolute URI"
        );
    }

    // PIDF-38
    #[test]
    fn names_are_read_and_written() {
        let name: DisplayName =
            read("<c:display-name xml:lang='en'>\n Dora <x:y/></c:display-name>").unwrap();
        assert_eq!(name, DisplayName::new("Dora").in_language("en"));
        writes(&name, "<c:display-name xml:lang='en'>Dora</c:display-name>");
        writes(
            &DisplayName::new(" a  b "),
            "<c:display-name>a  b</c:display-name>",
        );
        assert_eq!(
            read::<DisplayName>("<c:display-name> </c:display-name>"),
            None
        );
        refuses(&DisplayName::new(" "));
        refuses(&DisplayName::new("Dora").in_language("?"));
        let mut spaced = DisplayName::new("Dora");
        spaced.text.push(' ');
        refuses(&spaced);
        let odd: DisplayName = read("<c:display-name xml:lang=''>Dora</c:display-name>").unwrap();
        assert_eq!(odd, DisplayName::new("Dora"));
    }

    #[test]
    fn the_first_that_is_usable_counts() {
        let person = Person::new("dora")
            .with_extension(tree("<c:icon>icon.png</c:icon>"))
            .with_extension(tree("<c:icon>https://example.com/1</c:icon>"))
            .with_extension(tree("<c:icon>https://example.com/2</c:icon>"));
        assert_eq!(person.get(), Some(Icon::new("https://example.com/1")));
    }
}
