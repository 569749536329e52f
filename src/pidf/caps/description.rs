//! Descriptions of services and devices, for people to read.

use super::named;
use crate::pidf::extension::ValueError;
use crate::pidf::lexical::is_language;
use crate::xml::{Element, Name, namespace, trim};

/// What a service or a device is, in words (RFC 5196, 3.2.13 and 3.3.3).
///
/// ```
/// use presentity::pidf::caps::Description;
///
/// let description = Description::new("Telefon").in_language("de");
/// assert_eq!(description.lang.as_deref(), Some("de"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Description {
    /// The words, white space and all.
    pub text: String,
    /// Their language (`xml:lang`, a tag of RFC 5646), or that of the capabilities around them in
    /// the document they were read from. Without it they are for everybody, as far as that can be:
    /// `i-default` (RFC 2277, 4.5). Reading passes over what is no tag of up to 35 letters, writing
    /// refuses it.
    pub lang: Option<String>,
}

impl Description {
    /// A description in no stated language.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            lang: None,
        }
    }

    /// The description, said to be in a language.
    #[must_use]
    pub fn in_language(mut self, tag: impl Into<String>) -> Self {
        self.lang = Some(tag.into());
        self
    }

    /// The description that the element holds, in the language around it unless it states one.
    pub(super) fn read(element: &Element, around: Option<&str>) -> Self {
        let lang = match element.attributes.get(namespace::XML, "lang") {
            Some(own) => Some(trim(own)).filter(|lang| is_language(lang)),
            None => around,
        };
        Self {
            text: element.text().into_owned(),
            lang: lang.map(str::to_owned),
        }
    }

    pub(super) fn to_element(&self) -> Result<Element, ValueError> {
        let mut element = named("description").with_text(self.text.as_str());
        if let Some(lang) = &self.lang {
            if !is_language(lang) {
                return Err(ValueError::new("xml:lang", lang, "a language tag"));
            }
            let name = Name::with_prefix(namespace::XML, "lang", "xml");
            element.attributes.set(name, lang.as_str());
        }
        Ok(element)
    }
}

impl From<&str> for Description {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Description {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // PIDF-48
    #[test]
    fn languages_are_kept_when_they_are_ones() {
        for (tag, good) in [
            ("en", true),
            ("zh-Hant-TW", true),
            ("i-default", true),
            ("de-1996", true),
            ("", false),
            ("english", true),
            ("en_US", false),
            ("1a", false),
            ("en-", false),
            ("-en", false),
            ("abcdefghi", false),
            ("é", false),
        ] {
            let description = Description::new("x").in_language(tag);
            match description.to_element() {
                Ok(element) => {
                    assert!(good, "{tag:?}");
                    assert_eq!(Description::read(&element, None), description);
                }
                Err(error) => {
                    assert!(!good, "{tag:?}");
                    assert_eq!(error.element, "xml:lang");
                }
            }
            let mut element = named("description").with_text("x");
            element
                .attributes
                .set(Name::new(namespace::XML, "lang"), tag);
            assert_eq!(
                Description::read(&element, None).lang.is_some(),
                good,
                "{tag:?}"
            );
        }
    }
}
