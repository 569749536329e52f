//! How many requests may be open at once, and how the unanswered are kept from holding up the rest.

use core::time::Duration;

use super::Timestamp;
use super::slab::{Key, Links, List, Slab};

/// An open client transaction.
#[derive(Debug)]
pub(crate) struct Open<T> {
    links: Links,
    since: Timestamp,
    slow: bool,
    pub(crate) about: T,
}

fn links<T>(open: &mut Open<T>) -> &mut Links {
    &mut open.links
}

/// Open client transactions in two classes by age.
///
/// A transaction starts in the fast class. When it stays unanswered for `slow_after` it moves to
/// the slow class, as long as there is room, and makes way for others; so a thousand dead peers
/// delay the living for moments only. Both classes are bounded.
#[derive(Debug)]
pub(crate) struct Window<T> {
    open: Slab<Open<T>>,
    fast: List,
    slow: List,
    fast_limit: usize,
    slow_limit: usize,
    slow_after: Duration,
    /// After this long the host has forgotten the transaction: it is taken as timed out.
    abandoned_after: Duration,
}

impl<T> Window<T> {
    pub(crate) fn new(
        fast_limit: usize,
        slow_limit: usize,
        slow_after: Duration,
        abandoned_after: Duration,
    ) -> Self {
        Self {
            open: Slab::default(),
            fast: List::default(),
            slow: List::default(),
            fast_limit: fast_limit.max(1),
            slow_limit,
            slow_after,
            abandoned_after,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.fast.len() < self.fast_limit
    }

    #[inline]
    pub(crate) fn open(&mut self, now: Timestamp, about: T) -> Key {
        let entry = Open {
            links: Links::default(),
            since: now,
            slow: false,
            about,
        };
        let key = self.open.insert(entry);
        self.fast.push_back(&mut self.open, key.index, links);
        key
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.open.get(key).map(|open| &open.about)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.open.get_mut(key).map(|open| &mut open.about)
    }

    pub(crate) fn key_at(&self, index: u32) -> Option<Key> {
        self.open.key_at(index)
    }

    /// The transaction is over; nothing when it was not open.
    pub(crate) fn close(&mut self, key: Key) -> Option<T> {
        let slow = self.open.get(key)?.slow;
        let list = if slow { &mut self.slow } else { &mut self.fast };
        list.unlink(&mut self.open, key.index, links);
        self.open.remove(key).map(|open| open.about)
    }

    /// Moves the transactions that are due to the slow class.
    pub(crate) fn age(&mut self, now: Timestamp, budget: &mut u32) {
        while let Some(index) = self.next_to_age(now) {
            let Some(rest) = budget.checked_sub(1) else {
                return;
            };
            *budget = rest;
            self.fast.unlink(&mut self.open, index, links);
            if let Some(open) = self.open.at_mut(index) {
                open.slow = true;
            }
            self.slow.push_back(&mut self.open, index, links);
        }
    }

    fn next_to_age(&self, now: Timestamp) -> Option<u32> {
        let index = self
            .fast
            .first()
            .filter(|_| self.slow.len() < self.slow_limit)?;
        let open = self.open.at(index)?;
        (open.since + self.slow_after <= now).then_some(index)
    }

    /// One transaction that the host will not report any more.
    pub(crate) fn abandoned(&self, now: Timestamp) -> Option<Key> {
        let due = |index: u32| {
            let open = self.open.at(index)?;
            (open.since + self.abandoned_after <= now).then_some(index)
        };
        let index = self
            .slow
            .first()
            .and_then(due)
            .or_else(|| self.fast.first().and_then(due))?;
        self.open.key_at(index)
    }

    /// When [`age`](Self::age) or [`abandoned`](Self::abandoned) has something to do.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let since = |list: &List| list.first().and_then(|index| self.open.at(index));
        let aging = since(&self.fast)
            .filter(|_| self.slow.len() < self.slow_limit)
            .map(|open| open.since + self.slow_after);
        let forgotten = [&self.fast, &self.slow]
            .into_iter()
            .filter_map(since)
            .map(|open| open.since + self.abandoned_after)
            .min();
        aging.into_iter().chain(forgotten).min()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::Window;
    use crate::engine::Timestamp;

    fn window() -> Window<u32> {
        Window::new(2, 1, Duration::from_secs(2), Duration::from_secs(40))
    }

    #[test]
    fn the_unanswered_make_way_up_to_the_bound() {
        let mut window = window();
        let first = window.open(Timestamp::ZERO, 1);
        window.open(Timestamp::ZERO, 2);
        assert!(!window.has_room());
        window.age(Timestamp::from_millis(1999), &mut 10);
        assert!(!window.has_room());
        assert_eq!(window.next(), Some(Timestamp::from_secs(2)));
        window.age(Timestamp::from_secs(2), &mut 10);
        assert!(window.has_room(), "one moved to the slow class");
        window.open(Timestamp::from_secs(2), 3);
        window.age(Timestamp::from_secs(9), &mut 10);
        assert!(!window.has_room(), "the slow class is full");
        assert_eq!(window.close(first), Some(1));
        assert_eq!(window.close(first), None);
        window.age(Timestamp::from_secs(9), &mut 10);
        assert!(window.has_room());
    }

    #[test]
    fn what_the_host_forgot_is_found() {
        let mut window = window();
        let first = window.open(Timestamp::ZERO, 1);
        assert_eq!(window.abandoned(Timestamp::from_secs(39)), None);
        window.age(Timestamp::from_secs(39), &mut 10);
        assert_eq!(window.next(), Some(Timestamp::from_secs(40)));
        assert_eq!(window.abandoned(Timestamp::from_secs(40)), Some(first));
        window.close(first);
        assert_eq!((window.len(), window.next()), (0, None));
    }
}
