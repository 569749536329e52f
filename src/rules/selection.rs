//! Which persons, devices and services a watcher sees at all.

use std::collections::BTreeSet;

/// What identifies services that are shown (RFC 5025 section 3.3.1.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ServiceSelector {
    /// Those with this class, letter by letter.
    Class(String),
    /// The tuple with this id, letter by letter.
    OccurrenceId(String),
    /// Those whose contact is [equivalent](crate::sip::Uri::equivalent) to this URI.
    Uri(String),
    /// Those whose contact has this scheme, letter by letter.
    UriScheme(String),
}

/// What identifies devices that are shown (RFC 5025 section 3.3.1.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeviceSelector {
    /// Those with this class, letter by letter.
    Class(String),
    /// Those with this identifier: of a URN its scheme and namespace are compared without case, and all of
    /// one in the namespace `uuid`.
    DeviceId(String),
    /// The one with this id, letter by letter.
    OccurrenceId(String),
}

/// What identifies persons that are shown (RFC 5025 section 3.3.1.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PersonSelector {
    /// Those with this class, letter by letter.
    Class(String),
    /// The one with this id, letter by letter.
    OccurrenceId(String),
}

/// All of a kind of component, or those that something in a set identifies; none by default.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selection<S> {
    is_all: bool,
    /// Empty when it is all.
    only: BTreeSet<S>,
}

impl<S> Default for Selection<S> {
    fn default() -> Self {
        Self {
            is_all: false,
            only: BTreeSet::new(),
        }
    }
}

impl<S> Selection<S> {
    /// Whether all are shown.
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        !self.is_all && self.only.is_empty()
    }

    /// What identifies those that are shown, sorted; nothing where all are.
    pub fn iter(&self) -> impl Iterator<Item = &S> {
        self.only.iter()
    }

    pub(super) fn select_all(&mut self) {
        self.is_all = true;
        self.only.clear();
    }
}

impl<S: Ord> Selection<S> {
    pub(super) fn contains(&self, selector: &S) -> bool {
        self.only.contains(selector)
    }

    pub(super) fn insert(&mut self, selector: S) {
        if !self.is_all {
            self.only.insert(selector);
        }
    }
}

impl<S: Ord + Clone> Selection<S> {
    pub(super) fn merge(&mut self, other: &Self) {
        if other.is_all {
            self.select_all();
        } else if !self.is_all {
            self.only.extend(other.only.iter().cloned());
        }
    }
}

/// The text as an xs:token: words with single spaces between them (XML Schema part 2, 3.3.2).
pub(super) fn token(text: &str) -> String {
    let words = text.split([' ', '\t', '\n', '\r']);
    let mut token = String::with_capacity(text.len());
    for word in words.filter(|word| !word.is_empty()) {
        if !token.is_empty() {
            token.push(' ');
        }
        token.push_str(word);
    }
    token
}

/// What a selector is made of.
pub(super) trait Selector: Ord + Clone + Sized {
    /// The element that grants all.
    const ALL: &'static str;
    /// The element that holds them.
    const PERMISSION: &'static str;

    /// The selector that an element of this name holds, if there is such a one.
    fn of(local: &str, value: String) -> Option<Self>;

    /// The element's name and its value.
    fn parts(&self) -> (&'static str, &str);

    /// It, in the one way in which its value is kept; nothing for one that identifies nothing.
    fn normal(&self) -> Option<Self> {
        let (local, value) = self.parts();
        let value = token(value);
        if value.is_empty() {
            return None;
        }
        Self::of(local, value)
    }
}

/// Takes a selector in, unless it identifies nothing.
pub(super) fn insert_normal<S: Selector>(selection: &mut Selection<S>, selector: &S) {
    if let Some(normal) = selector.normal() {
        selection.insert(normal);
    }
}

impl Selector for ServiceSelector {
    const ALL: &'static str = "all-services";
    const PERMISSION: &'static str = "provide-services";

    fn of(local: &str, value: String) -> Option<Self> {
        Some(match local {
            "class" => Self::Class(value),
            "occurrence-id" => Self::OccurrenceId(value),
            "service-uri" => Self::Uri(value),
            "service-uri-scheme" => Self::UriScheme(value),
            _ => return None,
        })
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Class(value) => ("class", value),
            Self::OccurrenceId(value) => ("occurrence-id", value),
            Self::Uri(value) => ("service-uri", value),
            Self::UriScheme(value) => ("service-uri-scheme", value),
        }
    }
}

impl Selector for DeviceSelector {
    const ALL: &'static str = "all-devices";
    const PERMISSION: &'static str = "provide-devices";

    fn of(local: &str, value: String) -> Option<Self> {
        Some(match local {
            "class" => Self::Class(value),
            "deviceID" => Self::DeviceId(value),
            "occurrence-id" => Self::OccurrenceId(value),
            _ => return None,
        })
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Class(value) => ("class", value),
            Self::DeviceId(value) => ("deviceID", value),
            Self::OccurrenceId(value) => ("occurrence-id", value),
        }
    }
}

impl Selector for PersonSelector {
    const ALL: &'static str = "all-persons";
    const PERMISSION: &'static str = "provide-persons";

    fn of(local: &str, value: String) -> Option<Self> {
        Some(match local {
            "class" => Self::Class(value),
            "occurrence-id" => Self::OccurrenceId(value),
            _ => return None,
        })
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Class(value) => ("class", value),
            Self::OccurrenceId(value) => ("occurrence-id", value),
        }
    }
}
