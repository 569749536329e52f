//! Expanded names: a namespace and a local name, with a prefix that is no more than a hint.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;
use std::sync::Arc;

use super::known_names;
use super::namespace::{NamespaceId, find_known};

/// Text that is either a constant or shared, so that cloning never copies it.
#[derive(Clone)]
pub(crate) enum SharedStr {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Deref for SharedStr {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl PartialEq for SharedStr {
    fn eq(&self, other: &Self) -> bool {
        are_equal(self, other)
    }
}

impl Eq for SharedStr {}

/// Whether two texts are equal. Comparing no octets at all takes processors long, since an empty text may
/// stand where there is no memory; and most names have no namespace.
#[inline]
fn are_equal(one: &str, other: &str) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}

impl fmt::Debug for SharedStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl SharedStr {
    /// A local name, not copied when it is a well-known one.
    #[inline]
    pub(super) fn local_name(name: &str) -> Self {
        match known_names::find(name) {
            Some(known) => Self::Static(known),
            None => Self::from(name),
        }
    }
}

impl From<&str> for SharedStr {
    fn from(text: &str) -> Self {
        Self::Shared(Arc::from(text))
    }
}

/// A namespace together with the prefix it is (or was) written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Qualifier {
    pub(super) namespace: SharedStr,
    pub(super) prefix: SharedStr,
}

/// A [`Qualifier`] that many names share: a shared one is never that of a known namespace.
#[derive(Debug, Clone)]
pub(super) enum QualifierRef {
    Known(NamespaceId),
    Shared(Arc<Qualifier>),
}

impl QualifierRef {
    /// Whether the namespaces are the same, whatever the prefixes.
    #[inline]
    fn has_namespace_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => one == other,
            (Self::Shared(one), Self::Shared(other)) => one.namespace == other.namespace,
            _ => false,
        }
    }
}

impl Deref for QualifierRef {
    type Target = Qualifier;

    fn deref(&self) -> &Qualifier {
        match self {
            Self::Known(id) => id.qualifier(),
            Self::Shared(qualifier) => qualifier,
        }
    }
}

impl QualifierRef {
    pub(super) fn new(namespace: &str, prefix: &str) -> Self {
        match find_known(namespace) {
            Some(known) => Self::Known(known),
            None => Self::Shared(Arc::new(Qualifier {
                namespace: namespace.into(),
                prefix: prefix.into(),
            })),
        }
    }
}

/// An expanded name: a namespace name and a local name (Namespaces in XML 1.0, 2.1).
///
/// Two names are equal when both parts are; the prefix says nothing and is not compared.
#[derive(Clone)]
pub struct Name {
    pub(super) qualifier: QualifierRef,
    pub(super) local: SharedStr,
}

impl Name {
    /// The name `local` in `namespace`; an empty `namespace` means no namespace at all.
    ///
    /// Nothing is checked here: writing refuses a local name that XML does not allow.
    pub fn new(namespace: &str, local: &str) -> Self {
        Self::with_prefix(namespace, local, "")
    }

    /// The same, with the prefix it should be written with where that is possible.
    ///
    /// Well-known namespaces are written with their customary prefix whatever is given here.
    pub fn with_prefix(namespace: &str, local: &str, prefix: &str) -> Self {
        Self {
            qualifier: QualifierRef::new(namespace, prefix),
            local: SharedStr::local_name(local),
        }
    }

    /// The local name of another one, in this one's namespace.
    pub(super) fn with_local_of(&self, other: &Self) -> Self {
        Self {
            qualifier: self.qualifier.clone(),
            local: other.local.clone(),
        }
    }

    /// The namespace name, empty for a name in no namespace.
    pub fn namespace(&self) -> &str {
        &self.qualifier.namespace
    }

    /// The local name.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The prefix it was written with, or its namespace's customary one; empty for none.
    ///
    /// A hint for writing, without meaning.
    pub fn prefix(&self) -> &str {
        &self.qualifier.prefix
    }

    /// The number of its namespace, when that is a known one.
    #[inline]
    pub(crate) fn known_namespace(&self) -> Option<NamespaceId> {
        match &self.qualifier {
            QualifierRef::Known(id) => Some(*id),
            QualifierRef::Shared(_) => None,
        }
    }

    /// Whether this is the name `local` in no namespace.
    #[inline]
    pub(super) fn is_without_namespace(&self, local: &str) -> bool {
        matches!(self.qualifier, QualifierRef::Known(NamespaceId::NONE)) && *self.local == *local
    }

    /// Whether the local name is one that XML allows.
    #[inline]
    pub(super) fn is_writable(&self) -> bool {
        // Well-known ones are.
        matches!(self.local, SharedStr::Static(_)) || is_nc_name(&self.local)
    }

    /// Whether this is the name `local` in `namespace`.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        are_equal(&self.local, local) && are_equal(&self.qualifier.namespace, namespace)
    }
}

impl PartialEq for Name {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let has_local_of = match (&self.local, &other.local) {
            // Each of the well-known names is one constant.
            (SharedStr::Static(one), SharedStr::Static(other)) => core::ptr::eq(*one, *other),
            (one, other) => one == other,
        };
        has_local_of && self.qualifier.has_namespace_of(&other.qualifier)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.namespace().hash(state);
        self.local().hash(state);
    }
}

/// As `{namespace}local`, or only the local name when there is no namespace.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace().is_empty() {
            f.write_str(self.local())
        } else {
            write!(f, "{{{}}}{}", self.namespace(), self.local())
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// NameStartChar without the colon (XML 1.0, 2.3; Namespaces in XML 1.0, 3).
pub(crate) fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}'
        | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

/// NameChar without the colon (XML 1.0, 2.3).
pub(crate) fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c,
            '-' | '.' | '0'..='9' | '\u{B7}'
            | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether `text` is an NCName: a name without a colon, which is also what an xs:ID must be.
pub(crate) fn is_nc_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let plain = bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if plain {
        return true;
    }
    let mut chars = text.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

/// Whether XML 1.0 allows the character at all (2.2).
pub(crate) fn is_xml_char(c: char) -> bool {
    matches!(c,
        '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// White space as XML counts it (2.3): nothing beyond these four.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether the text is nothing but XML white space.
pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes().all(is_space)
}

/// The text without XML white space at its ends.
pub(crate) fn trim(text: &str) -> &str {
    let ends = (text.as_bytes().first(), text.as_bytes().last());
    if let (Some(&first), Some(&last)) = ends
        && (is_space(first) || is_space(last))
    {
        return text.trim_matches([' ', '\t', '\n', '\r']);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::namespace;

    #[test]
    fn names_compare_by_namespace_and_local_name_only() {
        assert_eq!(
            Name::with_prefix("urn:example:a", "x", "p"),
            Name::with_prefix("urn:example:a", "x", "q")
        );
        assert_ne!(
            Name::new("urn:example:a", "x"),
            Name::new("urn:example:b", "x")
        );
        assert_ne!(
            Name::new("urn:example:a", "x"),
            Name::new("urn:example:a", "y")
        );
    }

    #[test]
    fn well_known_names_differ_by_either_part() {
        let name = Name::new(namespace::PIDF, "note");
        assert_eq!(name, Name::new(namespace::PIDF, &String::from("note")));
        for (namespace, local) in [
            (namespace::DATA_MODEL, "note"),
            (namespace::PIDF, "mood"),
            (namespace::PIDF, "notes"),
            ("urn:example:a", "note"),
            ("", "note"),
        ] {
            assert_ne!(name, Name::new(namespace, local));
            assert!(!name.is(namespace, local));
        }
        assert!(name.is(namespace::PIDF, "note"));
        assert!(Name::new("", "id").is("", "id"));
    }

    #[test]
    fn nc_names() {
        for good in ["a", "_", "a-1.b_c", "é", "tuple·1", "a\u{10000}"] {
            assert!(is_nc_name(good), "{good}");
        }
        for bad in ["", "1a", "-a", ".a", "a:b", "a b", "a\u{D7}", "·a", "a/b"] {
            assert!(!is_nc_name(bad), "{bad}");
        }
    }

    #[test]
    fn characters_of_xml() {
        for good in [
            '\t',
            '\n',
            '\r',
            ' ',
            '\u{7F}',
            '\u{85}',
            '\u{FFFD}',
            '\u{10FFFF}',
        ] {
            assert!(is_xml_char(good), "{good:?}");
        }
        for bad in ['\0', '\u{1}', '\u{B}', '\u{1F}', '\u{FFFE}', '\u{FFFF}'] {
            assert!(!is_xml_char(bad), "{bad:?}");
        }
    }
}
