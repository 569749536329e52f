//! A label that groups parts of a document.

use crate::pidf::written::Written;
use crate::pidf::{Device, Extension, ExtensionOf, Person, Tuple, ValueError};
use crate::xml::{Element, namespace};

/// A label that groups persons, services or devices, of the presentity's own making
/// (RFC 4480, 3.3). Servers may filter and authorize by it; watchers rarely see it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Class {
    /// The label. Writing refuses none, and white space other than single spaces between words.
    pub name: String,
    written: Written,
}

impl Class {
    /// This label.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            written: Written::default(),
        }
    }
}

/// The text as an xs:token: words with single spaces between them (XML Schema part 2, 3.3.2).
fn token(text: &str) -> String {
    let words = text.split([' ', '\t', '\n', '\r']);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

impl Class {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        if self.name.is_empty() || token(&self.name) != self.name {
            let expected = "words with single spaces between them";
            return Err(ValueError::new(Self::LOCAL, &self.name, expected));
        }
        Ok(Self::empty_element().with_text(self.name.as_str()))
    }
}

impl Extension for Class {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "class";

    fn read(element: &Element) -> Option<Self> {
        let name = token(&element.text());
        (!name.is_empty()).then(|| Self {
            name,
            written: Written::of(element),
        })
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Person> for Class {}
impl ExtensionOf<Tuple> for Class {}
impl ExtensionOf<Device> for Class {}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, refuses, writes};
    use super::*;

    #[test]
    fn classes_are_read_and_written() {
        let class: Class =
            read("<r:class id='c' xml:lang='en'>\n two \t words<r:x/></r:class>").unwrap();
        assert_eq!(class, Class::new("two words"));
        writes(&class, "<r:class>two words</r:class>");
        writes(&Class::new("\u{A0}x"), "<r:class>\u{A0}x</r:class>");
        for nothing in ["", " \n"] {
            assert_eq!(
                read::<Class>(&format!("<r:class>{nothing}</r:class>")),
                None
            );
        }
        for bad in ["", " ", " x", "x ", "a  b", "a\tb"] {
            refuses(&Class::new(bad));
        }
    }
}
