//! Requests that were accepted lately, so that none of them is accepted again.

use core::hash::{BuildHasher, Hasher};
use core::time::Duration;
use std::hash::RandomState;

use hashbrown::HashTable;

use super::Request;
use crate::engine::Timestamp;

/// Each shard grows by itself, so that no call has to move more than a small part of a million entries.
const SHARDS: usize = 64;

/// The newest accepted request about each subscription, and the fetches, each for as long as its time
/// could still pass for fresh.
///
/// They are kept in two ages: when the younger one is as old as its requests must be kept, the elder one
/// goes as a whole. Names are 64 bits under a random key: strangers cannot make two of them look the same.
#[derive(Debug)]
pub(super) struct Replays {
    hasher: RandomState,
    young: Age,
    old: Age,
    /// When the younger age began.
    since: Timestamp,
    keep: Duration,
    limit: usize,
    /// What was accepted and is forgotten is not newer than this: a clock set back does not make it
    /// new again.
    forgotten: i64,
}

#[derive(Debug)]
struct Age {
    shards: Box<[HashTable<Receipt>]>,
    len: usize,
    newest: i64,
}

/// What is remembered of a request once it is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Receipt {
    name: u64,
    /// Nanoseconds since 1970.
    at: i64,
}

impl Age {
    fn new() -> Self {
        Self {
            shards: core::iter::repeat_with(HashTable::new)
                .take(SHARDS)
                .collect(),
            len: 0,
            newest: i64::MIN,
        }
    }

    fn find(&self, name: u64) -> Option<&Receipt> {
        let shard = self.shards.get((name >> 32) as usize % SHARDS)?;
        shard.find(name, |other| other.name == name)
    }

    fn record(&mut self, receipt: Receipt) {
        self.newest = self.newest.max(receipt.at);
        let name = receipt.name;
        let Some(shard) = self.shards.get_mut((name >> 32) as usize % SHARDS) else {
            return;
        };
        match shard.find_mut(name, |other| other.name == name) {
            Some(known) => known.at = known.at.max(receipt.at),
            None => {
                shard.insert_unique(name, receipt, |receipt| receipt.name);
                self.len += 1;
            }
        }
    }
}

impl Replays {
    /// Each is kept for `keep` at least, and twice that at most.
    pub(super) fn new(limit: usize, keep: Duration) -> Self {
        Self {
            hasher: RandomState::new(),
            young: Age::new(),
            old: Age::new(),
            since: Timestamp::ZERO,
            keep,
            limit,
            forgotten: i64::MIN,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.young.len + self.old.len
    }

    /// Requests about one subscription have one name, and must be newer each time; each fetch has its
    /// own. Those of a watcher who is known have other names than those of whoever calls himself so: he
    /// could send a later time ahead of the watcher's own.
    pub(super) fn receipt(&self, request: &Request, presentity: &str, is_known: bool) -> Receipt {
        let at = request.date_time().unix_timestamp_nanos();
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        let mut hasher = self.hasher.build_hasher();
        let last = match request.token() {
            Some(token) => token.as_bytes(),
            None => request.octets(),
        };
        let watcher = request.watcher();
        for part in [watcher.as_bytes(), presentity.as_bytes(), last] {
            hasher.write(part);
            // It ends the part: no URI has it within, and the last part needs no end.
            hasher.write_u8(0xff);
        }
        hasher.write_u8(request.token().is_some().into());
        hasher.write_u8(is_known.into());
        Receipt {
            name: hasher.finish(),
            at,
        }
    }

    pub(super) fn is_replay(&self, receipt: Receipt) -> bool {
        let ages = [&self.young, &self.old];
        let known = ages.iter().filter_map(|age| age.find(receipt.name));
        let newest = known.map(|known| known.at).max();
        newest.is_some_and(|newest| receipt.at <= newest)
    }

    /// Whether it may be one that was accepted and is forgotten.
    pub(super) fn is_forgotten(&self, receipt: Receipt) -> bool {
        receipt.at <= self.forgotten
    }

    /// Whether a request could be remembered; one of a known subscription always can.
    pub(super) fn has_room(&mut self, now: Timestamp, receipt: Receipt) -> bool {
        self.grow_old(now);
        let ages = [&self.young, &self.old];
        self.len() < self.limit || ages.iter().any(|age| age.find(receipt.name).is_some())
    }

    pub(super) fn record(&mut self, now: Timestamp, receipt: Receipt) {
        self.grow_old(now);
        self.young.record(receipt);
    }

    fn grow_old(&mut self, now: Timestamp) {
        // Twice, when nothing has come for long.
        for _ in 0..2 {
            if now.saturating_since(self.since) < self.keep {
                return;
            }
            let old = core::mem::replace(&mut self.young, Age::new());
            let gone = core::mem::replace(&mut self.old, old);
            self.forgotten = self.forgotten.max(gone.newest);
            self.since = self.since + self.keep;
        }
        if now.saturating_since(self.since) >= self.keep {
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdf::Token;
    use time::OffsetDateTime;

    const KEEP: Duration = Duration::from_secs(600);

    fn replays(limit: usize) -> Replays {
        Replays::new(limit, KEEP)
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(seconds)
    }

    fn receipt(replays: &Replays, seconds: i64, token: Option<&str>) -> Receipt {
        let (from, to) = ("pres:ana@example.com", "pres:bea@example.com");
        let request = match token {
            Some(token) => {
                let token = Token::new(token).unwrap();
                Request::subscribe(from, to, at(seconds), &token, 60)
            }
            None => Request::fetch(from, to, at(seconds)),
        };
        replays.receipt(&request.unwrap(), "bea@example.com", true)
    }

    // SDF-36
    #[test]
    fn each_request_of_a_subscription_is_newer_than_the_one_before() {
        let mut replays = replays(10);
        let now = Timestamp::ZERO;
        replays.record(now, receipt(&replays, 100, Some("a")));
        assert!(replays.is_replay(receipt(&replays, 100, Some("a"))));
        assert!(replays.is_replay(receipt(&replays, 99, Some("a"))));
        assert!(!replays.is_replay(receipt(&replays, 101, Some("a"))));
        assert!(!replays.is_replay(receipt(&replays, 100, Some("b"))));
        assert!(!replays.is_replay(receipt(&replays, 100, None)));
        replays.record(now, receipt(&replays, 100, None));
        assert!(replays.is_replay(receipt(&replays, 100, None)));
        assert!(!replays.is_replay(receipt(&replays, 99, None)));
    }

    #[test]
    fn what_is_forgotten_is_no_newer_for_that() {
        let mut replays = replays(1);
        let first = receipt(&replays, 100, Some("a"));
        let other = receipt(&replays, 200, Some("b"));
        let start = Timestamp::from_secs(5_000);
        assert!(replays.has_room(start, first));
        replays.record(start, first);
        assert!(replays.has_room(start, first));
        for kept in [1, 599] {
            assert!(!replays.has_room(Timestamp::from_secs(5_000 + kept), other));
            assert!(replays.is_replay(first));
        }
        assert!(replays.has_room(Timestamp::from_secs(6_200), other));
        assert_eq!(replays.len(), 0);
        assert!(!replays.is_replay(first) && replays.is_forgotten(first));
        assert!(replays.is_forgotten(receipt(&replays, 100, Some("c"))));
        assert!(!replays.is_forgotten(receipt(&replays, 101, Some("a"))));
    }

    #[test]
    fn one_that_is_used_again_is_remembered_for_longer() {
        let mut replays = replays(3);
        let [a, b, c] = ["a", "b", "c"].map(|token| receipt(&replays, 100, Some(token)));
        replays.record(Timestamp::ZERO, a);
        replays.record(Timestamp::ZERO, b);
        let newer = receipt(&replays, 150, Some("a"));
        for _ in 0..100 {
            replays.record(Timestamp::from_secs(700), newer);
        }
        assert_eq!(replays.len(), 3);
        assert!(replays.is_replay(newer) && replays.is_replay(a) && replays.is_replay(b));
        assert!(!replays.has_room(Timestamp::from_secs(1_199), c));
        assert!(replays.has_room(Timestamp::from_secs(1_199), b));
        assert!(replays.has_room(Timestamp::from_secs(1_200), c));
        assert_eq!(replays.len(), 1);
        assert!(replays.is_replay(newer) && replays.is_forgotten(b));
    }

    #[test]
    fn a_long_rest_leaves_nothing() {
        let mut replays = replays(10);
        let some = receipt(&replays, 100, Some("a"));
        replays.record(Timestamp::ZERO, some);
        let late = Timestamp::from_secs(1_000_000);
        assert!(replays.has_room(late, some));
        assert_eq!((replays.len(), replays.since), (0, late));
    }
}
