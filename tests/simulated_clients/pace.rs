//! How often a server is asked, for each subscription and each publication.

use std::collections::{BTreeMap, VecDeque};

use crate::network::SECOND;

const HOUR: u64 = 3_600 * SECOND;
/// Requests for one subscription or publication in any hour, repetitions with credentials not counted.
///
/// Backing off from 10 s to 30 min makes about ten in the first hour of a failure that lasts; the rest are
/// refreshes of short durations, and what each new failure begins anew.
/// An application that changes what it publishes is another matter: each change may be one request more.
const MOST_IN_AN_HOUR: usize = 60;
/// The same for answers that a publication is not known any more, whatever the application does.
const MOST_LOSSES_IN_AN_HOUR: usize = 30;

/// What happened in the last hour, by what it was about.
#[derive(Debug, Default)]
pub struct Pace {
    sent: Hourly,
    lost: Hourly,
    wanted: Hourly,
    /// The most requests in an hour that there were, and the most answers 412.
    pub most: [usize; 2],
}

#[derive(Debug, Default)]
struct Hourly(BTreeMap<String, VecDeque<u64>>);

impl Hourly {
    fn add(&mut self, now: u64, what: &str) {
        let all = self.0.entry(what.to_owned()).or_default();
        all.push_back(now);
    }

    fn count(&mut self, now: u64, what: &str) -> usize {
        let Some(all) = self.0.get_mut(what) else {
            return 0;
        };
        while all.front().is_some_and(|at| at + HOUR <= now) {
            all.pop_front();
        }
        all.len()
    }
}

impl Pace {
    /// The application wants a request.
    pub fn wanted(&mut self, now: u64, what: &str) {
        self.wanted.add(now, what);
    }

    pub fn sent(&mut self, now: u64, what: &str) {
        self.sent.add(now, what);
        let wanted = self.wanted.count(now, what);
        let unasked = self.sent.count(now, what).saturating_sub(wanted);
        self.most[0] = self.most[0].max(unasked);
        assert!(unasked <= MOST_IN_AN_HOUR, "too often in an hour: {what}");
    }

    pub fn lost(&mut self, now: u64, what: &str) {
        self.lost.add(now, what);
        let lost = self.lost.count(now, what);
        self.most[1] = self.most[1].max(lost);
        let few = lost <= MOST_LOSSES_IN_AN_HOUR;
        assert!(few, "too often not known in an hour: {what}");
    }
}
