//! How late the agent may be with what the clock brings about.

use crate::ledger::TICK;

#[derive(Debug, Clone, Copy)]
pub struct Lateness {
    slack: u64,
    /// NOTIFYs may have to wait for others to be answered.
    unbounded: bool,
    /// The host did not let it speak, or its clock leapt: from when to when.
    blind: (u64, u64),
}

impl Lateness {
    pub fn new(slack: u64, unbounded: bool) -> Self {
        Self {
            slack: slack + 2 * TICK,
            unbounded,
            blind: (0, 0),
        }
    }

    pub fn is_unbounded(&self) -> bool {
        self.unbounded
    }

    /// The agent could do nothing meanwhile.
    pub fn was_blind(&mut self, from: u64, until: u64) {
        let (begin, end) = self.blind;
        let adjoins = from <= self.after(end);
        let begin = if adjoins { begin.min(from) } else { from };
        self.blind = (begin, until.max(end));
    }

    fn after(&self, at: u64) -> u64 {
        at.saturating_add(self.slack)
    }

    /// What is due then has been done by this time.
    pub fn latest(&self, at: u64) -> u64 {
        let (begin, end) = self.blind;
        let fell_in = at <= end && begin <= self.after(at);
        self.after(if fell_in { at.max(end) } else { at })
    }

    pub fn is_late(&self, now: u64, at: u64) -> bool {
        self.latest(at) < now
    }
}
