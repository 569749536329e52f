//! Names that many entries share, each with a count and a list of those entries.

use core::hash::{BuildHasher, Hash};
use std::hash::RandomState;

use hashbrown::HashTable;

use super::slab::{Key, Slab};

/// Entries found by a name that a stranger may have chosen: hashed with a random key, and never
/// walked in hash order.
#[derive(Debug)]
pub(crate) struct Interned<T> {
    entries: Slab<T>,
    index: HashTable<Key>,
    hasher: RandomState,
}

/// An entry that carries its own name.
pub(crate) trait Named {
    type Name: ?Sized + Hash + Eq;
    fn name(&self) -> &Self::Name;
}

impl<T: Named> Interned<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Slab::default(),
            index: HashTable::new(),
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn find(&self, name: &T::Name) -> Option<Key> {
        let hash = self.hasher.hash_one(name);
        let named = |key: &Key| {
            self.entries
                .get(*key)
                .is_some_and(|entry| entry.name() == name)
        };
        self.index.find(hash, named).copied()
    }

    pub(crate) fn find_or_insert(&mut self, name: &T::Name, make: impl FnOnce() -> T) -> Key {
        if let Some(key) = self.find(name) {
            return key;
        }
        let hash = self.hasher.hash_one(name);
        let key = self.entries.insert(make());
        let Self {
            entries,
            index,
            hasher,
        } = self;
        index.insert_unique(hash, key, |key| {
            entries
                .get(*key)
                .map_or(0, |entry| hasher.hash_one(entry.name()))
        });
        key
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.entries.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.entries.get_mut(key)
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let hash = self.hasher.hash_one(self.entries.get(key)?.name());
        if let Ok(found) = self.index.find_entry(hash, |other| *other == key) {
            found.remove();
        }
        self.entries.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::{Interned, Named};

    struct Entry(String);

    impl Named for Entry {
        type Name = str;
        fn name(&self) -> &str {
            &self.0
        }
    }

    #[test]
    fn one_entry_a_name() {
        let mut table = Interned::new();
        let names: Vec<String> = (0..1000).map(|n| format!("name {n}")).collect();
        let keys: Vec<_> = names
            .iter()
            .map(|name| table.find_or_insert(name.as_str(), || Entry(name.clone())))
            .collect();
        for (name, key) in names.iter().zip(&keys) {
            assert_eq!(
                table.find_or_insert(name.as_str(), || Entry(String::new())),
                *key
            );
        }
        assert_eq!(table.len(), 1000);
        for (name, key) in names.iter().zip(&keys) {
            assert!(table.remove(*key).is_some());
            assert_eq!(table.find(name.as_str()), None);
        }
        assert_eq!(table.len(), 0);
    }
}
