//! Requests of the last 32 s, to tell merged ones (RFC 3261 section 8.2.2.2).

use core::hash::{BuildHasher, Hasher};
use core::time::Duration;
use std::collections::VecDeque;
use std::hash::RandomState;

use hashbrown::HashTable;

use crate::engine::Timestamp;

/// Timer F: for longer no branch of a request is under way.
const REMEMBERED_FOR: Duration = Duration::from_secs(32);

/// Call-ID, From tag, CSeq and method of recent requests outside dialogs, as keyed hashes.
#[derive(Debug)]
pub(super) struct RememberedRequests {
    hasher: RandomState,
    known: HashTable<u64>,
    order: VecDeque<(Timestamp, u64)>,
    limit: usize,
    /// What is hashed: in one piece that takes half of the time that its parts do.
    name: Vec<u8>,
}

impl RememberedRequests {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            known: HashTable::new(),
            order: VecDeque::new(),
            limit: limit.max(1),
            name: Vec::new(),
        }
    }

    /// Whether the same request was here before; if not, it is remembered now.
    pub(super) fn is_merged(
        &mut self,
        now: Timestamp,
        call_id: &str,
        from_tag: &str,
        cseq: u32,
        method: &str,
    ) -> bool {
        self.forget(now);
        // 64 bits under a random key: strangers cannot make two requests look the same.
        let hash = self.hash(call_id, from_tag, cseq, method);
        if self.known.find(hash, |other| *other == hash).is_some() {
            return true;
        }
        if self.order.len() >= self.limit {
            self.forget_oldest();
        }
        self.known.insert_unique(hash, hash, |hash| *hash);
        self.order.push_back((now, hash));
        false
    }

    fn hash(&mut self, call_id: &str, from_tag: &str, cseq: u32, method: &str) -> u64 {
        self.name.clear();
        for part in [call_id, from_tag, method] {
            self.name.extend_from_slice(part.as_bytes());
            // It ends the part, since none has it within.
            self.name.push(0);
        }
        self.name.extend_from_slice(&cseq.to_le_bytes());
        let mut hasher = self.hasher.build_hasher();
        hasher.write(&self.name);
        hasher.finish()
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((when, _)) = self.order.front()
            && *when + REMEMBERED_FOR <= now
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, hash)) = self.order.pop_front()
            && let Ok(entry) = self.known.find_entry(hash, |other| *other == hash)
        {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RememberedRequests;
    use crate::engine::Timestamp;

    #[test]
    fn a_request_is_merged_for_32_seconds() {
        let mut requests = RememberedRequests::new(10);
        let mut ask = |secs, cseq| {
            requests.is_merged(Timestamp::from_secs(secs), "call", "tag", cseq, "SUBSCRIBE")
        };
        assert!(!ask(0, 1));
        assert!(ask(31, 1));
        assert!(!ask(31, 2));
        assert!(!ask(32, 1));
        assert!(ask(32, 1));
    }

    #[test]
    fn over_the_limit_the_oldest_is_forgotten() {
        let mut requests = RememberedRequests::new(2);
        let mut ask = |cseq| requests.is_merged(Timestamp::ZERO, "call", "tag", cseq, "SUBSCRIBE");
        assert!(!ask(1));
        assert!(!ask(2));
        assert!(!ask(3));
        assert!(ask(3));
        assert!(ask(2));
        assert!(!ask(1));
    }
}
