//! The text of elements and the values of attributes.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;
use std::borrow::Cow;

use super::byte_search::first_word;

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
#[derive(Clone)]
pub struct Text(Held);

#[derive(Clone)]
enum Held {
    Short { len: u8, octets: Octets },
    Long(String),
}

/// Aligned, so that they are moved in whole words.
#[derive(Clone)]
#[repr(align(8))]
struct Octets([u8; Text::SHORT]);

impl Text {
    /// Octets of the longest text that takes no memory of its own.
    pub const SHORT: usize = 24;

    /// No text.
    pub const fn new() -> Self {
        Self(Held::Short {
            len: 0,
            octets: Octets([0; Self::SHORT]),
        })
    }

    /// The same when it is short enough to stand here.
    #[inline]
    fn short(text: &str) -> Option<Self> {
        if text.len() > Self::SHORT {
            return None;
        }
        let len = u8::try_from(text.len()).ok()?;
        // Word by word: copies of any other length are slow to move on.
        let mut rest = text.as_bytes();
        let mut octets = Octets([0; Self::SHORT]);
        for to in octets.0.as_chunks_mut::<8>().0 {
            *to = first_word(rest).to_le_bytes();
            rest = rest.get(8..).unwrap_or_default();
        }
        Some(Self(Held::Short { len, octets }))
    }

    /// As a slice.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // What was put in is valid.
            Held::Short { .. } => core::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Held::Long(text) => text,
        }
    }

    /// As octets, in UTF-8.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Held::Short { octets, .. } => octets.0.get(..self.len()).unwrap_or_default(),
            Held::Long(text) => text.as_bytes(),
        }
    }

    /// How many octets it has.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Short { len, .. } => usize::from(*len),
            Held::Long(text) => text.len(),
        }
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts more at the end.
    pub fn push_str(&mut self, more: &str) {
        match &mut self.0 {
            Held::Long(text) => text.push_str(more),
            Held::Short { .. } => {
                let text = self.as_str();
                let mut all = String::with_capacity(text.len().saturating_add(more.len()));
                all.push_str(text);
                all.push_str(more);
                *self = all.into();
            }
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
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
        Self::short(text).unwrap_or_else(|| Self(Held::Long(text.to_owned())))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::short(&text).unwrap_or(Self(Held::Long(text)))
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
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<&Text> for Text {
    fn from(text: &Text) -> Self {
        text.clone()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text.0 {
            Held::Short { .. } => text.as_str().to_owned(),
            Held::Long(text) => text,
        }
    }
}

impl From<&Text> for String {
    fn from(text: &Text) -> Self {
        text.as_str().to_owned()
    }
}

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && (self.is_empty() || self.as_bytes() == other.as_bytes())
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
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

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    /// As slices are ordered: by octets.
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Text {
    /// As slices are hashed.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
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
            assert_eq!(matches!(held.0, Held::Short { .. }), text.len() <= 24);
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

    #[test]
    fn text_takes_little_room() {
        assert_eq!(size_of::<Text>(), 32);
        // Nor does it widen what it stands in.
        assert_eq!(size_of::<crate::xml::Element>(), 96);
    }
}
