//! Names that many entries share, each with a count and a list of those entries.

use core::hash::{BuildHasher, Hash};
use std::hash::RandomState;

use hashbrown::Equivalent;

use super::place_index::PlaceIndex;
use super::slab::{Key, Slab};

/// Entries found by a name that a stranger may have chosen: hashed with a random key, and never
/// walked in hash order.
#[derive(Debug)]
pub(crate) struct Interned<T> {
    entries: Slab<T>,
    index: PlaceIndex,
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
            index: PlaceIndex::new(),
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn find<N>(&self, name: &N) -> Option<Key>
    where
        N: ?Sized + Hash + Equivalent<T::Name>,
    {
        self.find_hashed(self.hasher.hash_one(name), name)
    }

    fn find_hashed<N>(&self, hash: u64, name: &N) -> Option<Key>
    where
        N: ?Sized + Equivalent<T::Name>,
    {
        let named = |index| {
            self.entries
                .at(index)
                .is_some_and(|entry| name.equivalent(entry.name()))
        };
        self.entries.key_at(self.index.find(hash, named)?)
    }

    pub(crate) fn find_or_insert<N>(&mut self, name: &N, make: impl FnOnce() -> T) -> Key
    where
        N: ?Sized + Hash + Equivalent<T::Name>,
    {
        let hash = self.hasher.hash_one(name);
        match self.find_hashed(hash, name) {
            Some(key) => key,
            None => self.insert_hashed(hash, make()),
        }
    }

    /// An entry whose name was looked for and not found.
    pub(crate) fn insert_new(&mut self, entry: T) -> Key {
        self.insert_hashed(self.hasher.hash_one(entry.name()), entry)
    }

    fn insert_hashed(&mut self, hash: u64, entry: T) -> Key {
        let key = self.entries.insert(entry);
        self.index.insert(hash, key.index);
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
        self.index.remove(hash, key.index);
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
