//! Where in a slab an entry is, by 64 bits that are as good as random.

use super::ahead;

/// A power of two. Each shard grows by itself, so that none of the calls that make a table of a
/// million entries grow has to move more than a small part of it.
const SHARDS: usize = 64;
const FEWEST: usize = 8;

/// Places by a keyed hash, or by random bits that this library made itself.
///
/// Half of the bits choose the shard, the other half stand beside the place, so that neither
/// growing nor looking for what is not there touches the entries. What would be found can be asked
/// for ahead, which no table of a library allows.
#[derive(Debug)]
pub(crate) struct PlaceIndex {
    shards: Box<[Shard]>,
}

/// An open table: a place stands at the number that its bits tell, or behind it, with no gap
/// between.
#[derive(Debug, Default)]
struct Shard {
    /// None, or a power of two of them; a quarter at least is free.
    places: Vec<Place>,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    bits: u32,
    index: u32,
}

impl Place {
    const FREE: Self = Self {
        bits: 0,
        index: u32::MAX,
    };

    fn is_free(self) -> bool {
        self.index == Self::FREE.index
    }
}

impl Shard {
    /// Wraps a number around.
    fn at(&self, number: usize) -> usize {
        number & self.places.len().wrapping_sub(1)
    }

    fn home(&self, bits: u32) -> usize {
        self.at(bits as usize)
    }

    /// Where a place with these bits stands for which `is_it` holds.
    fn position(&self, bits: u32, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let mut position = self.home(bits);
        loop {
            let place = self.places.get(position)?;
            if place.is_free() {
                return None;
            }
            if place.bits == bits && is_it(place.index) {
                return Some(position);
            }
            position = self.at(position + 1);
        }
    }

    fn insert(&mut self, new: Place) {
        if (self.len + 1) * 4 > self.places.len() * 3 {
            self.grow();
        }
        let mut position = self.home(new.bits);
        while let Some(place) = self.places.get_mut(position) {
            if place.is_free() {
                *place = new;
                self.len += 1;
                return;
            }
            position = self.at(position + 1);
        }
    }

    fn grow(&mut self) {
        let room = (self.places.len() * 2).max(FEWEST);
        let old = core::mem::replace(&mut self.places, vec![Place::FREE; room]);
        self.len = 0;
        for place in old.into_iter().filter(|place| !place.is_free()) {
            self.insert(place);
        }
    }

    /// Those behind move up, unless they stand where they belong.
    fn remove(&mut self, position: usize) {
        let mut gap = position;
        let mut next = self.at(gap + 1);
        while let Some(place) = self.places.get(next).copied()
            && !place.is_free()
        {
            let from_home = self.at(next.wrapping_sub(self.home(place.bits)));
            let from_gap = self.at(next.wrapping_sub(gap));
            if from_home >= from_gap {
                if let Some(filled) = self.places.get_mut(gap) {
                    *filled = place;
                }
                gap = next;
            }
            next = self.at(next + 1);
        }
        if let Some(freed) = self.places.get_mut(gap) {
            *freed = Place::FREE;
            self.len -= 1;
        }
    }
}

/// The half that stands beside the place; the other half chooses the shard.
fn carried(bits: u64) -> u32 {
    bits as u32
}

impl PlaceIndex {
    pub(crate) fn new() -> Self {
        Self {
            shards: core::iter::repeat_with(Shard::default)
                .take(SHARDS)
                .collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len).sum()
    }

    fn shard(&self, bits: u64) -> Option<&Shard> {
        self.shards.get((bits >> 32) as usize % SHARDS)
    }

    fn shard_mut(&mut self, bits: u64) -> Option<&mut Shard> {
        self.shards.get_mut((bits >> 32) as usize % SHARDS)
    }

    /// These bits are looked for, or put in, soon.
    pub(crate) fn look_ahead(&self, bits: u64) {
        if let Some(shard) = self.shard(bits) {
            ahead::element(&shard.places, shard.home(carried(bits)));
        }
    }

    /// The place with these bits for which `is_it` holds; others may share their half of the bits.
    pub(crate) fn find(&self, bits: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let shard = self.shard(bits)?;
        let position = shard.position(carried(bits), is_it)?;
        shard.places.get(position).map(|place| place.index)
    }

    /// Bits are put in once for a place.
    pub(crate) fn insert(&mut self, bits: u64, index: u32) {
        if let Some(shard) = self.shard_mut(bits) {
            let bits = carried(bits);
            shard.insert(Place { bits, index });
        }
    }

    /// Without effect when it is not there.
    pub(crate) fn remove(&mut self, bits: u64, index: u32) {
        if let Some(shard) = self.shard_mut(bits)
            && let Some(position) = shard.position(carried(bits), |other| other == index)
        {
            shard.remove(position);
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
    fn those_who_crowd_are_found_whoever_leaves() {
        // Homes at the end of the table and over it, in every order of leaving.
        let homes = [6, 7, 7, 6, 0, 7];
        for first in 0..homes.len() {
            for step in [1, 5] {
                let mut index = PlaceIndex::new();
                for (number, home) in (0..).zip(homes) {
                    index.insert(home, number);
                }
                let order = (0..homes.len()).map(|turn| (first + turn * step) % homes.len());
                let mut left: Vec<usize> = (0..homes.len()).collect();
                for gone in order {
                    index.remove(homes[gone], gone as u32);
                    left.retain(|other| *other != gone);
                    for (number, home) in homes.iter().enumerate() {
                        let found = index.find(*home, |at| at as usize == number);
                        let is_there = left.contains(&number);
                        assert_eq!(found.is_some(), is_there, "{number} after {gone}");
                    }
                }
                assert!(index.shards.iter().all(|shard| shard.len == 0));
                let free = |shard: &super::Shard| shard.places.iter().all(|place| place.is_free());
                assert!(index.shards.iter().all(free));
            }
        }
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
