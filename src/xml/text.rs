//! The text of elements and the values of attributes.

use core::fmt;
use core::ops::Deref;
use std::borrow::Cow;

use compact_str::CompactString;

/// Text in a tree: a `str` that takes no memory of its own while it is short.
///
/// Most texts and values of presence documents are a word, a number or a time: up to
/// [`Text::SHORT`] octets stand in the tree itself.
///
/// ```
/// use presentity::xml::Text;
///
/// let mut text = Text::from("open");
/// assert_eq!(text, "open");
/// text.push_str("ed");
/// assert!(text.starts_with("opened"));
/// assert_eq!(String::from(text), "opened");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(CompactString);

impl Text {
    /// Octets of the longest text that takes no memory of its own: three pointers, 24 on most machines.
    pub const SHORT: usize = size_of::<CompactString>();

    /// No text.
    pub const fn new() -> Self {
        Self(CompactString::const_new(""))
    }

    /// As a slice.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts more at the end.
    pub fn push_str(&mut self, more: &str) {
        self.0.push_str(more);
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<Cow<'_, str>> for Text {
    #[inline]
    fn from(text: Cow<'_, str>) -> Self {
        Self(text.into())
    }
}

impl From<&Text> for Text {
    fn from(text: &Text) -> Self {
        text.clone()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0.into()
    }
}

impl From<&Text> for String {
    fn from(text: &Text) -> Self {
        text.as_str().to_owned()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        *self == **other
    }
}

impl PartialEq<Text> for String {
    fn eq(&self, other: &Text) -> bool {
        **self == *other
    }
}

impl PartialEq<Text> for str {
    fn eq(&self, other: &Text) -> bool {
        *other == *self
    }
}

impl PartialEq<Text> for &str {
    fn eq(&self, other: &Text) -> bool {
        *other == **self
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use core::hash::{Hash, Hasher};
    use std::collections::hash_map::DefaultHasher;

    use super::*;

    fn hash(value: &(impl Hash + ?Sized)) -> u64 {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn text_of_every_length_is_what_was_put_in() {
        let long = "é123456789 123456789 123456789 123456789";
        let ends = (0..=long.len()).filter(|&end| long.is_char_boundary(end));
        for (text, rest) in ends.map(|end| long.split_at(end)) {
            let held = Text::from(text);
            assert_eq!(held.0.is_heap_allocated(), text.len() > Text::SHORT);
            assert_eq!((held.as_str(), held.len()), (text, text.len()));
            assert_eq!(held.is_empty(), text.is_empty());
            assert_eq!(held, Text::from(text.to_owned()));
            assert_eq!(
                (held.to_string(), hash(&held)),
                (text.to_owned(), hash(text))
            );
            assert_eq!(format!("{held:?}"), format!("{text:?}"));
            let mut all = held.clone();
            all.push_str(rest);
            assert_eq!(all, *long);
            assert_eq!(held == all, rest.is_empty());
            assert_eq!(String::from(held), text);
            assert_eq!(String::from(all), long);
        }
    }

    #[test]
    fn text_is_ordered_as_slices_are() {
        let mut texts =
            ["b", "", "a longer text than stands in the tree", "é", "a"].map(Text::from);
        texts.sort();
        assert_eq!(
            texts,
            ["", "a", "a longer text than stands in the tree", "b", "é"]
        );
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn text_takes_little_room() {
        assert_eq!(size_of::<Text>(), 24);
        // Nor does it widen what it stands in.
        assert_eq!(size_of::<crate::xml::Element>(), 96);
    }
}
