//! Requests that were accepted lately, so that none of them is accepted again.

use core::hash::{BuildHasher, Hasher};
use core::time::Duration;
use std::collections::VecDeque;
use std::hash::RandomState;

use hashbrown::HashTable;

use super::Request;
use crate::engine::Timestamp;

/// Entries looked at by one call.
const AT_ONCE: usize = 64;

/// The newest accepted request about each subscription, and the fetches, each for as long as its time
/// could still pass for fresh.
///
/// Names are 64 bits under a random key: strangers cannot make two of them look the same.
#[derive(Debug)]
pub(super) struct Replays {
    hasher: RandomState,
    known: HashTable<Accepted>,
    /// Each name that is known, once.
    order: VecDeque<u64>,
    limit: usize,
    /// What was accepted and is forgotten is not newer than this: a clock set back does not make it
    /// new again.
    forgotten: i128,
}

#[derive(Debug, Clone, Copy)]
struct Accepted {
    name: u64,
    /// Nanoseconds since 1970.
    at: i128,
    until: Timestamp,
}

/// What is remembered of a request once it is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    name: u64,
    at: i128,
}

impl Replays {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            known: HashTable::new(),
            order: VecDeque::new(),
            limit,
            forgotten: i128::MIN,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Requests about one subscription have one name, and must be newer each time; each fetch has its
    /// own. Those of a watcher who is known have other names than those of whoever calls himself so: he
    /// could send a later time ahead of the watcher's own.
    pub(super) fn receipt(&self, request: &Request, is_known: bool) -> Receipt {
        let (watcher, presentity) = (request.watcher(), request.presentity());
        let at = request.date_time().unix_timestamp_nanos();
        let mut hasher = self.hasher.build_hasher();
        let last = match request.token() {
            Some(token) => token.as_bytes(),
            None => {
                hasher.write(&at.to_le_bytes());
                request.octets()
            }
        };
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
        self.find(receipt.name)
            .is_some_and(|accepted| receipt.at <= accepted.at)
    }

    /// Whether it may be one that was accepted and is forgotten.
    pub(super) fn is_forgotten(&self, receipt: Receipt) -> bool {
        receipt.at <= self.forgotten
    }

    /// Whether a request could be remembered; one of a known subscription always can.
    pub(super) fn has_room(&mut self, now: Timestamp, receipt: Receipt) -> bool {
        self.forget(now);
        self.known.len() < self.limit || self.find(receipt.name).is_some()
    }

    pub(super) fn record(&mut self, now: Timestamp, receipt: Receipt, keep: Duration) {
        let Receipt { name, at } = receipt;
        let until = now + keep;
        let known = self.known.find_mut(name, |other| other.name == name);
        if let Some(accepted) = known {
            accepted.at = accepted.at.max(at);
            accepted.until = until;
            return;
        }
        let accepted = Accepted { name, at, until };
        self.known
            .insert_unique(name, accepted, |accepted| accepted.name);
        self.order.push_back(name);
    }

    fn find(&self, name: u64) -> Option<&Accepted> {
        self.known.find(name, |other| other.name == name)
    }

    /// A name that has been used since it came in goes to the back. While all room is taken, the search
    /// does not end there.
    fn forget(&mut self, now: Timestamp) {
        for _ in 0..AT_ONCE {
            let Some(&name) = self.order.front() else {
                return;
            };
            match self.known.find_entry(name, |other| other.name == name) {
                Ok(entry) if entry.get().until > now => {
                    // Those behind it came later, unless it was renewed.
                    let renewed = self.order.pop_front();
                    self.order.extend(renewed);
                    if self.known.len() < self.limit {
                        return;
                    }
                    continue;
                }
                Ok(entry) => {
                    let (gone, _) = entry.remove();
                    self.forgotten = self.forgotten.max(gone.at);
                }
                Err(_) => {}
            }
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdf::Token;
    use time::OffsetDateTime;

    const KEEP: Duration = Duration::from_secs(600);

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
        replays.receipt(&request.unwrap(), true)
    }

    // SDF-36
    #[test]
    fn each_request_of_a_subscription_is_newer_than_the_one_before() {
        let mut replays = Replays::new(10);
        let now = Timestamp::ZERO;
        replays.record(now, receipt(&replays, 100, Some("a")), KEEP);
        assert!(replays.is_replay(receipt(&replays, 100, Some("a"))));
        assert!(replays.is_replay(receipt(&replays, 99, Some("a"))));
        assert!(!replays.is_replay(receipt(&replays, 101, Some("a"))));
        assert!(!replays.is_replay(receipt(&replays, 100, Some("b"))));
        assert!(!replays.is_replay(receipt(&replays, 100, None)));
        replays.record(now, receipt(&replays, 100, None), KEEP);
        assert!(replays.is_replay(receipt(&replays, 100, None)));
        assert!(!replays.is_replay(receipt(&replays, 99, None)));
    }

    #[test]
    fn what_is_forgotten_is_no_newer_for_that() {
        let mut replays = Replays::new(1);
        let first = receipt(&replays, 100, Some("a"));
        let other = receipt(&replays, 200, Some("b"));
        assert!(replays.has_room(Timestamp::ZERO, first));
        replays.record(Timestamp::ZERO, first, KEEP);
        assert!(replays.has_room(Timestamp::ZERO, first));
        assert!(!replays.has_room(Timestamp::from_secs(599), other));
        assert!(replays.has_room(Timestamp::from_secs(600), other));
        assert_eq!((replays.len(), replays.order.len()), (0, 0));
        assert!(replays.is_forgotten(first));
        assert!(replays.is_forgotten(receipt(&replays, 100, Some("c"))));
        assert!(!replays.is_forgotten(receipt(&replays, 101, Some("a"))));
    }

    #[test]
    fn one_that_is_used_again_stays_and_stands_once() {
        let mut replays = Replays::new(2);
        let [a, b, c] = ["a", "b", "c"].map(|token| receipt(&replays, 100, Some(token)));
        replays.record(Timestamp::ZERO, a, KEEP);
        replays.record(Timestamp::ZERO, b, KEEP);
        let newer = receipt(&replays, 150, Some("a"));
        for _ in 0..100 {
            replays.record(Timestamp::from_secs(500), newer, KEEP);
        }
        assert_eq!(replays.order.len(), 2);
        // While all room is taken, one look puts the renewed one behind and finds the other.
        assert!(replays.has_room(Timestamp::from_secs(600), c));
        assert!(replays.is_replay(newer) && replays.is_forgotten(b));
        assert_eq!((replays.len(), replays.order.len()), (1, 1));
    }
}
