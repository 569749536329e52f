//! A table with small generational keys.

use core::num::NonZeroU32;

use super::ahead;

const CHUNK_BITS: u32 = 8;
const CHUNK: usize = 1 << CHUNK_BITS;
const NIL: u32 = u32::MAX;

/// Names one entry of a [`Slab`]; stale once that entry is gone, even when its place is used again.
///
/// It takes eight octets, be it optional or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) generation: NonZeroU32,
}

impl Key {
    #[cfg(test)]
    pub(crate) const fn first(index: u32) -> Self {
        Self {
            index,
            generation: NonZeroU32::MIN,
        }
    }
}

const _: () = assert!(size_of::<Option<Key>>() == 8);

// The generation tells whether the rest is worth a look.
#[derive(Debug)]
#[repr(C)]
struct Slot<T> {
    generation: NonZeroU32,
    entry: Entry<T>,
}

#[derive(Debug)]
enum Entry<T> {
    Vacant { next: u32 },
    Occupied(T),
}

/// Entries in chunks, so that growing never copies what is there nor doubles the memory in use.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Slot<T>>>,
    free: u32,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            free: NIL,
            len: 0,
        }
    }
}

impl<T> Slab<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        self.chunks
            .get((index >> CHUNK_BITS) as usize)?
            .get(index as usize & (CHUNK - 1))
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<T>> {
        self.chunks
            .get_mut((index >> CHUNK_BITS) as usize)?
            .get_mut(index as usize & (CHUNK - 1))
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        let index = self.free;
        if let Some(slot) = self.slot_mut(index)
            && let Entry::Vacant { next } = slot.entry
        {
            slot.entry = Entry::Occupied(value);
            let generation = slot.generation;
            self.free = next;
            self.len += 1;
            return Key { index, generation };
        }
        let full = self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK);
        if full {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let chunk = self.chunks.len() - 1;
        let mut index = 0;
        if let Some(last) = self.chunks.last_mut() {
            // Limits keep every table far below 2^32 entries.
            index = ((chunk << CHUNK_BITS) + last.len()) as u32;
            last.push(Slot {
                generation: NonZeroU32::MIN,
                entry: Entry::Occupied(value),
            });
        }
        self.len += 1;
        Key {
            index,
            generation: NonZeroU32::MIN,
        }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        match self.slot(key.index)? {
            Slot {
                generation,
                entry: Entry::Occupied(value),
            } if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.slot_mut(key.index)? {
            Slot {
                generation,
                entry: Entry::Occupied(value),
            } if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The entry at a place, whatever its generation: for links between entries that are kept true.
    pub(crate) fn at(&self, index: u32) -> Option<&T> {
        match &self.slot(index)?.entry {
            Entry::Occupied(value) => Some(value),
            Entry::Vacant { .. } => None,
        }
    }

    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        match &mut self.slot_mut(index)?.entry {
            Entry::Occupied(value) => Some(value),
            Entry::Vacant { .. } => None,
        }
    }

    /// This place is looked at soon.
    pub(crate) fn look_ahead(&self, index: u32) {
        if let Some(chunk) = self.chunks.get((index >> CHUNK_BITS) as usize) {
            ahead::element(chunk, index as usize & (CHUNK - 1));
        }
    }

    /// The same with its key.
    pub(crate) fn entry(&self, index: u32) -> Option<(Key, &T)> {
        let slot = self.slot(index)?;
        match &slot.entry {
            Entry::Occupied(value) => Some((
                Key {
                    index,
                    generation: slot.generation,
                },
                value,
            )),
            Entry::Vacant { .. } => None,
        }
    }

    pub(crate) fn key_at(&self, index: u32) -> Option<Key> {
        self.entry(index).map(|(key, _)| key)
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let free = self.free;
        let slot = self.slot_mut(key.index)?;
        slot.generation = slot.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let entry = core::mem::replace(&mut slot.entry, Entry::Vacant { next: free });
        self.free = key.index;
        self.len -= 1;
        match entry {
            Entry::Occupied(value) => Some(value),
            Entry::Vacant { .. } => None,
        }
    }

    /// All entries by place: an order that depends on nothing but the calls made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.chunks
            .iter()
            .flatten()
            .zip(0u32..)
            .filter_map(|(slot, index)| match &slot.entry {
                Entry::Occupied(value) => Some((
                    Key {
                        index,
                        generation: slot.generation,
                    },
                    value,
                )),
                Entry::Vacant { .. } => None,
            })
    }
}

/// A place in a [`List`], held by the entry itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links {
    prev: u32,
    next: u32,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            prev: NIL,
            next: NIL,
        }
    }
}

/// A doubly linked list through entries of a [`Slab`]; an entry tells its links by a function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    head: u32,
    tail: u32,
    len: u32,
}

impl Default for List {
    fn default() -> Self {
        Self {
            head: NIL,
            tail: NIL,
            len: 0,
        }
    }
}

impl List {
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn first(&self) -> Option<u32> {
        (self.head != NIL).then_some(self.head)
    }

    pub(crate) fn last(&self) -> Option<u32> {
        (self.tail != NIL).then_some(self.tail)
    }

    pub(crate) fn push_back<T>(
        &mut self,
        slab: &mut Slab<T>,
        index: u32,
        links: fn(&mut T) -> &mut Links,
    ) {
        let Some(entry) = slab.at_mut(index) else {
            return;
        };
        *links(entry) = Links {
            prev: self.tail,
            next: NIL,
        };
        match slab.at_mut(self.tail) {
            Some(last) => links(last).next = index,
            None => self.head = index,
        }
        self.tail = index;
        self.len += 1;
    }

    /// Takes an entry out that is in this list.
    pub(crate) fn unlink<T>(
        &mut self,
        slab: &mut Slab<T>,
        index: u32,
        links: fn(&mut T) -> &mut Links,
    ) {
        let Some(entry) = slab.at_mut(index) else {
            return;
        };
        let own = core::mem::take(links(entry));
        match slab.at_mut(own.prev) {
            Some(previous) => links(previous).next = own.next,
            None => self.head = own.next,
        }
        match slab.at_mut(own.next) {
            Some(next) => links(next).prev = own.prev,
            None => self.tail = own.prev,
        }
        self.len -= 1;
    }
}

impl Links {
    pub(crate) fn next(&self) -> Option<u32> {
        (self.next != NIL).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Links, List, Slab};

    #[test]
    fn a_key_is_stale_when_its_place_is_used_again() {
        let mut slab = Slab::default();
        let first = slab.insert("first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_eq!(second.index, first.index);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&"second"));
    }

    #[test]
    fn entries_survive_growth_over_many_chunks() {
        let mut slab = Slab::default();
        let keys: Vec<Key> = (0..2000u32).map(|n| slab.insert(n)).collect();
        assert_eq!(slab.len(), 2000);
        for (n, key) in (0..2000u32).zip(&keys) {
            assert_eq!(slab.get(*key), Some(&n));
        }
        for key in keys.iter().step_by(2) {
            slab.remove(*key);
        }
        assert_eq!(slab.iter().count(), 1000);
        assert!(slab.iter().all(|(_, n)| n % 2 == 1));
    }

    struct Node {
        links: Links,
    }

    #[test]
    fn a_list_keeps_its_order_when_entries_leave() {
        let mut slab = Slab::default();
        let mut list = List::default();
        let keys: Vec<Key> = (0..5)
            .map(|_| {
                slab.insert(Node {
                    links: Links::default(),
                })
            })
            .collect();
        for key in &keys {
            list.push_back(&mut slab, key.index, |node| &mut node.links);
        }
        for gone in [0, 4, 2] {
            list.unlink(&mut slab, keys[gone].index, |node| &mut node.links);
        }
        let mut seen = Vec::new();
        let mut place = list.first();
        while let Some(index) = place {
            seen.push(index);
            place = slab.at(index).unwrap().links.next();
        }
        assert_eq!(seen, [keys[1].index, keys[3].index]);
        assert_eq!(list.len(), 2);
    }
}
