//! What tells the elements of two lists from each other: names and ids, or all that they contain.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::alignment::Item;
use super::siblings::{Class, Siblings};
use crate::xml::Element;
use crate::xml::element::Content;

/// How many nodes and blocks of text are looked at once more to tell siblings by their content. Over it
/// they are told by name alone. Twice what a document may have by default.
const MOST_DIGESTS: usize = 1 << 21;

/// What elements of two lists are to their alignment.
pub(super) struct Items {
    /// Whether a key occurs no more than once on either side.
    single: Vec<bool>,
    /// Those of other keys by what they contain.
    by_content: HashMap<(u32, u64), u32>,
}

impl Items {
    pub(super) fn new(siblings: &Siblings<'_>, old: usize, new: &[Class]) -> Self {
        let mut counts = vec![(0_u32, 0_u32); siblings.keys()];
        let mut count = |class: Class, of_new: bool| {
            let at = usize::try_from(class.key).unwrap_or(usize::MAX);
            if let Some((old, new)) = counts.get_mut(at) {
                let count = if of_new { new } else { old };
                *count = count.saturating_add(1);
            }
        };
        for class in (0..old).filter_map(|at| siblings.before(at)) {
            count(class, false);
        }
        for &class in new {
            count(class, true);
        }
        let single = counts.iter().map(|&(old, new)| old <= 1 && new <= 1);
        Self {
            single: single.collect(),
            by_content: HashMap::new(),
        }
    }

    pub(super) fn item(&mut self, class: Class, element: &Element, digests: &mut Digests) -> Item {
        let at = usize::try_from(class.key).unwrap_or(usize::MAX);
        let exact = if self.single.get(at).copied().unwrap_or(false) {
            class.key
        } else {
            let next = self.single.len().saturating_add(self.by_content.len());
            let next = u32::try_from(next).unwrap_or(u32::MAX);
            let digest = digests.of(element);
            *self.by_content.entry((class.key, digest)).or_insert(next)
        };
        Item {
            exact,
            kind: class.key,
        }
    }
}

/// Tells elements by their content, as long as it has not taken too much.
pub(super) struct Digests {
    left: usize,
}

impl Digests {
    pub(super) fn new() -> Self {
        Self { left: MOST_DIGESTS }
    }

    fn of(&mut self, element: &Element) -> u64 {
        // The same in every process: what comes of it is seen from outside.
        let mut hasher = DefaultHasher::new();
        element.name().hash(&mut hasher);
        let mut attributes = 0_u64;
        for attribute in &element.attributes {
            self.spend(attribute.value.len());
            let mut hasher = DefaultHasher::new();
            attribute.name.hash(&mut hasher);
            attribute.value.hash(&mut hasher);
            // Their order means nothing.
            attributes = attributes.wrapping_add(hasher.finish());
        }
        attributes.hash(&mut hasher);
        for content in element.content() {
            if self.left == 0 {
                break;
            }
            match content {
                Content::Element(element) => self.of(element).hash(&mut hasher),
                Content::Text(text) => {
                    self.spend(text.len());
                    text.hash(&mut hasher);
                }
            }
        }
        self.spend(0);
        hasher.finish()
    }

    fn spend(&mut self, len: usize) {
        let spent = len.checked_div(64).unwrap_or(0).saturating_add(1);
        self.left = self.left.saturating_sub(spent);
    }
}
