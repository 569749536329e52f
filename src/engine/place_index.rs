//! Where in a slab an entry is, by 64 bits that are as good as random.

use hashbrown::HashTable;

/// A power of two. Each shard grows by itself, so that none of the calls that make a table of a
/// million entries grow has to move more than a small part of it.
const SHARDS: usize = 64;

/// Places by a keyed hash, or by random bits that this library made itself.
///
/// A place carries half of its bits, so that growing does not touch the entries.
#[derive(Debug)]
pub(crate) struct PlaceIndex {
    shards: Box<[HashTable<Place>]>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    bits: u32,
    index: u32,
}

impl Place {
    /// The table looks at the lowest and the highest bits.
    fn hash(self) -> u64 {
        spread(self.bits)
    }
}

fn spread(bits: u32) -> u64 {
    u64::from(bits) << 32 | u64::from(bits)
}

/// The half that a place carries; the other half chooses the shard.
fn carried(bits: u64) -> u32 {
    bits as u32
}

impl PlaceIndex {
    pub(crate) fn new() -> Self {
        Self {
            shards: core::iter::repeat_with(HashTable::new)
                .take(SHARDS)
                .collect(),
        }
    }

    fn shard(&self, bits: u64) -> Option<&HashTable<Place>> {
        self.shards.get((bits >> 32) as usize % SHARDS)
    }

    fn shard_mut(&mut self, bits: u64) -> Option<&mut HashTable<Place>> {
        self.shards.get_mut((bits >> 32) as usize % SHARDS)
    }

    /// The place with these bits for which `is_it` holds; others may share their half of the bits.
    pub(crate) fn find(&self, bits: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let half = carried(bits);
        let found = self.shard(bits)?.find(spread(half), |place| {
            place.bits == half && is_it(place.index)
        });
        found.map(|place| place.index)
    }

    pub(crate) fn insert(&mut self, bits: u64, index: u32) {
        let place = Place {
            bits: carried(bits),
            index,
        };
        if let Some(shard) = self.shard_mut(bits) {
            shard.insert_unique(place.hash(), place, |place| place.hash());
        }
    }

    /// Without effect when it is not there.
    pub(crate) fn remove(&mut self, bits: u64, index: u32) {
        let half = carried(bits);
        if let Some(shard) = self.shard_mut(bits)
            && let Ok(found) = shard.find_entry(spread(half), |place| place.index == index)
        {
            found.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PlaceIndex;

    fn bits(number: u32) -> u64 {
        u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn what_was_put_in_is_found_until_it_is_taken_out() {
        let mut index = PlaceIndex::new();
        for number in 0..10_000 {
            index.insert(bits(number), number);
        }
        for number in (0..10_000).step_by(2) {
            index.remove(bits(number), number);
            index.remove(bits(number), number);
        }
        for number in 0..10_000 {
            let found = index.find(bits(number), |at| at == number);
            assert_eq!(found, (number % 2 == 1).then_some(number));
        }
        assert_eq!(index.find(bits(10_001), |_| true), None);
    }

    #[test]
    fn places_with_the_same_bits_are_told_apart() {
        let mut index = PlaceIndex::new();
        for number in 0..3 {
            index.insert(7, number);
        }
        assert_eq!(index.find(7, |at| at == 1), Some(1));
        index.remove(7, 1);
        assert_eq!(index.find(7, |at| at == 1), None);
        assert_eq!(index.find(7, |at| at == 2), Some(2));
        // Those that share half of their bits only are looked at, and no others.
        assert_eq!(index.find(7 | 1 << 32, |_| true), None);
        assert_eq!(index.find(8, |_| true), None);
    }
}
