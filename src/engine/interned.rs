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

/// A name, and what its table hashes it to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashed<N> {
    name: N,
    bits: u64,
}

impl<N: Copy> Hashed<N> {
    pub(crate) fn name(&self) -> N {
        self.name
    }
}

impl<N> Hashed<N> {
    /// What is left to look ahead with when the name itself is gone.
    pub(crate) fn without_name(self) -> Hashed<&'static str> {
        Hashed {
            name: "",
            bits: self.bits,
        }
    }
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

    /// A name made ready to be looked for in this table.
    pub(crate) fn hash<'a, N>(&self, name: &'a N) -> Hashed<&'a N>
    where
        N: ?Sized + Hash,
    {
        let bits = self.hasher.hash_one(name);
        Hashed { name, bits }
    }

    /// A name is looked for soon: asks for its place, ahead.
    pub(crate) fn look_for<N>(&self, name: &Hashed<&N>)
    where
        N: ?Sized,
    {
        self.index.look_ahead(name.bits);
    }

    /// Then for the entry at that place.
    pub(crate) fn look_at<N>(&self, name: &Hashed<&N>)
    where
        N: ?Sized,
    {
        if let Some(index) = self.index.find(name.bits, |_| true) {
            self.entries.look_ahead(index);
        }
    }

    /// The entry that has this name, unless two names are alike in half of their bits: good for
    /// looking ahead only.
    pub(crate) fn likely<N>(&self, name: &Hashed<&N>) -> Option<&T>
    where
        N: ?Sized,
    {
        self.entries.at(self.index.find(name.bits, |_| true)?)
    }

    /// An entry is looked at soon.
    pub(crate) fn look_ahead(&self, key: Key) {
        self.entries.look_ahead(key.index);
    }

    pub(crate) fn find<N>(&self, name: &N) -> Option<Key>
    where
        N: ?Sized + Hash + Equivalent<T::Name>,
    {
        self.find_hashed(&self.hash(name))
    }

    pub(crate) fn find_hashed<N>(&self, name: &Hashed<&N>) -> Option<Key>
    where
        N: ?Sized + Equivalent<T::Name>,
    {
        let named = |index| {
            self.entries
                .at(index)
                .is_some_and(|entry| name.name.equivalent(entry.name()))
        };
        self.entries.key_at(self.index.find(name.bits, named)?)
    }

    pub(crate) fn find_or_insert<N>(&mut self, name: &N, make: impl FnOnce() -> T) -> Key
    where
        N: ?Sized + Hash + Equivalent<T::Name>,
    {
        let name = self.hash(name);
        match self.find_hashed(&name) {
            Some(key) => key,
            None => self.insert_hashed(&name, make()),
        }
    }

    /// An entry of this name, which was looked for and not found.
    pub(crate) fn insert_hashed<N>(&mut self, name: &Hashed<&N>, entry: T) -> Key
    where
        N: ?Sized,
    {
        let key = self.entries.insert(entry);
        self.index.insert(name.bits, key.index);
        key
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.entries.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.entries.get_mut(key)
    }

    /// In an order that depends on nothing but the calls made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries.iter()
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
