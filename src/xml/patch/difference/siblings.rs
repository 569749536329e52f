//! The children of one element while it is changed step by step, and how each can be told from the
//! others.

use std::collections::HashMap;

use crate::xml::{Element, Name};

/// What an element is known by among its siblings: equal numbers, equal names, or names and ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) name: u32,
    /// The name together with the attribute `id`, or with there being none.
    pub(super) key: u32,
}

/// What tells an element from its siblings, beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark<'e> {
    Nothing,
    Id(&'e str),
    Position(u32),
}

impl Mark<'_> {
    /// How long it is in a selector.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Id(id) => id.len().saturating_add("[@id='']".len()),
            Self::Position(at) => {
                let digits = at.checked_ilog10().unwrap_or(0).saturating_add(1);
                usize::try_from(digits).unwrap_or(0).saturating_add(2)
            }
        }
    }

    /// Names serve better than ids, and these better than positions.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Id(_) => 1,
            Self::Position(_) => 2,
        }
    }
}

/// Ids longer than this are not written into selectors.
const LONGEST_ID: usize = 128;

/// How often each name, and each name with an id, occurs in an element at a moment of its change: its
/// first children are as they will be, the others as they were.
#[derive(Debug, Default)]
pub(super) struct Siblings<'e> {
    names: HashMap<(&'e str, &'e str), u32>,
    keys: HashMap<(u32, Option<&'e str>), u32>,
    last: Option<(&'e Name, u32)>,
    /// Those that were there before, each with how often its key occurs after.
    before: Vec<Class>,
    /// Occurrences by the number of the name.
    by_name: Vec<u32>,
    /// Occurrences by the number of the key.
    by_key: Vec<u32>,
    /// Occurrences by the number of the name among the children that are as they will be.
    passed_by_name: Vec<u32>,
    passed: usize,
}

impl<'e> Siblings<'e> {
    /// These elements, none of them changed yet.
    pub(super) fn of(elements: impl Iterator<Item = &'e Element>) -> Self {
        let mut siblings = Self::default();
        for element in elements {
            let class = siblings.class(element);
            siblings.appear(class);
            siblings.before.push(class);
        }
        siblings
    }

    /// What an element is known by, whether it is there or not.
    pub(super) fn class(&mut self, element: &'e Element) -> Class {
        let name = element.name();
        let number = match self.last {
            Some((last, number)) if last == name => number,
            _ => {
                let next = number_of(self.names.len());
                let names = &mut self.names;
                let number = names.entry((name.namespace(), name.local()));
                *number.or_insert(next)
            }
        };
        self.last = Some((name, number));
        let next = number_of(self.keys.len());
        let key = self.keys.entry((number, element.attribute("id")));
        let key = *key.or_insert(next);
        self.by_name.resize(self.names.len(), 0);
        self.passed_by_name.resize(self.names.len(), 0);
        self.by_key.resize(self.keys.len(), 0);
        Class { name: number, key }
    }

    /// What the element at this place among those of before is known by.
    pub(super) fn before(&self, at: usize) -> Option<Class> {
        self.before.get(at).copied()
    }

    /// How many keys are known.
    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    fn appear(&mut self, class: Class) {
        change(&mut self.by_name, class.name, 1);
        change(&mut self.by_key, class.key, 1);
    }

    /// An element of before is gone.
    pub(super) fn remove(&mut self, class: Class) {
        change(&mut self.by_name, class.name, -1);
        change(&mut self.by_key, class.key, -1);
    }

    /// A new element stands behind those that are as they will be.
    pub(super) fn add(&mut self, class: Class) {
        self.appear(class);
        self.pass(class);
    }

    /// An element of before is as it will be, and so are all before it.
    pub(super) fn pass(&mut self, class: Class) {
        change(&mut self.passed_by_name, class.name, 1);
    }

    /// The same for all up to this place, where none came or went.
    pub(super) fn pass_to(&mut self, at: usize) {
        for at in self.passed..at {
            if let Some(class) = self.before(at) {
                self.pass(class);
            }
        }
        self.passed = self.passed.max(at);
    }

    /// What marks the next of the elements that are still as they were.
    pub(super) fn mark_of_next(&self, class: Class, element: &'e Element) -> Mark<'e> {
        self.mark(class, element, 1)
    }

    /// What marks the last of the elements that are as they will be.
    pub(super) fn mark_of_last(&self, class: Class, element: &'e Element) -> Mark<'e> {
        self.mark(class, element, 0)
    }

    fn mark(&self, class: Class, element: &'e Element, further: u32) -> Mark<'e> {
        if count(&self.by_name, class.name) <= 1 {
            return Mark::Nothing;
        }
        match element.attribute("id") {
            Some(id) if count(&self.by_key, class.key) <= 1 && is_quotable(id) => Mark::Id(id),
            _ => {
                let passed = count(&self.passed_by_name, class.name);
                Mark::Position(passed.saturating_add(further))
            }
        }
    }
}

/// Whether a selector can hold the value: it has no way to escape a quotation mark.
fn is_quotable(id: &str) -> bool {
    id.len() <= LONGEST_ID && !(id.contains('\'') && id.contains('"'))
}

fn number_of(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn count(counts: &[u32], number: u32) -> u32 {
    counts.get(place(number)).copied().unwrap_or(0)
}

fn change(counts: &mut [u32], number: u32, by: i32) {
    if let Some(count) = counts.get_mut(place(number)) {
        *count = count.saturating_add_signed(by);
    }
}
