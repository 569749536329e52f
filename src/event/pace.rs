//! The pace of one watcher's notifications, where it has asked for one (RFC 6446).

use core::time::Duration;

use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::sip::{Rate, Rates};

/// Time is told in so many parts of the period over which an adaptive rate is seen.
const PARTS: usize = 16;
/// How many notifications of the adaptive rate fall into its period (RFC 6446 section 7.4 wants several).
const PERIOD: u32 = 8;

/// What the notifier grants of what is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Changes are told no faster, whatever is asked.
    pub(super) shortest: Duration,
    /// Nor is repeated what is known already.
    pub(super) shortest_repeat: Duration,
    /// Of the subscription.
    pub(super) expires: Duration,
}

/// The pace of one subscription.
#[derive(Debug)]
pub(super) struct Pace {
    granted: Rates,
    shortest: Duration,
    shortest_repeat: Duration,
    sent: Option<Timestamp>,
    /// When it was due to say again what the watcher wants to be spared.
    spared: Option<Timestamp>,
    adaptive: Option<Box<Adaptive>>,
    /// A change waits for its time.
    pub(super) is_late: bool,
    /// The NOTIFY that is owed tells a change that has waited, and nothing else.
    pub(super) owes_change: bool,
    pub(super) timer: Option<Key>,
}

impl Pace {
    /// Grants what can be granted (RFC 6446 sections 5.3, 6.3, 7.3 and 8).
    pub(super) fn grant(asked: Rates, bounds: Bounds) -> Self {
        let slower = |rate: Rate, interval| rate.min(Rate::per(interval));
        // Something is told before the subscription is over.
        let slowest = Rate::per(bounds.expires.max(bounds.shortest));
        let max = asked
            .max
            .map(|rate| slower(rate.max(slowest), bounds.shortest));
        let below_max = |rate| max.map_or(rate, |max: Rate| max.min(rate));
        let repeated = |rate| below_max(slower(rate, bounds.shortest_repeat.max(bounds.shortest)));
        let adaptive_min = asked.adaptive_min.map(repeated);
        let min = asked.min.map(repeated);
        let min = min.filter(|min| adaptive_min.is_none_or(|adaptive| *min < adaptive));
        let mut granted = Rates::NONE;
        granted.max = max;
        granted.min = min;
        granted.adaptive_min = adaptive_min;
        Self {
            granted,
            shortest: bounds.shortest,
            shortest_repeat: bounds.shortest_repeat,
            sent: None,
            spared: None,
            adaptive: None,
            is_late: false,
            owes_change: false,
            timer: None,
        }
    }

    /// The same watcher asks for something else.
    pub(super) fn regrant(&mut self, asked: Rates, bounds: Bounds) {
        let new = Self::grant(asked, bounds);
        let keeps_history = new.granted.adaptive_min == self.granted.adaptive_min;
        let adaptive = self.adaptive.take().filter(|_| keeps_history);
        *self = Self {
            sent: self.sent,
            spared: self.spared,
            is_late: self.is_late,
            owes_change: self.owes_change,
            timer: self.timer,
            adaptive,
            ..new
        };
    }

    pub(super) fn granted(&self) -> Rates {
        self.granted
    }

    /// When the next change may be told.
    pub(super) fn earliest(&self) -> Timestamp {
        let interval = self.granted.max.map_or(self.shortest, Rate::interval);
        self.sent.map_or(Timestamp::ZERO, |sent| sent + interval)
    }

    /// When the state is told without a change.
    pub(super) fn repeat_at(&self) -> Option<Timestamp> {
        let sent = self.sent.max(self.spared)?;
        let min = self.granted.min.map(Rate::interval);
        let adaptive = self.adaptive.as_ref().map(|it| it.timeout());
        let least = self.granted.max.map_or(self.shortest, Rate::interval);
        let least = least.max(self.shortest_repeat);
        let adaptive = adaptive.map(|timeout| timeout.max(least));
        let interval = min.into_iter().chain(adaptive).min()?;
        Some(sent + interval)
    }

    /// When to look at the subscription again.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let late = self.is_late.then(|| self.earliest());
        late.into_iter().chain(self.repeat_at()).min()
    }

    /// It is in force from now on: the watcher has been told, if not at this pace.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.sent.get_or_insert(now);
        if let Some(rate) = self.granted.adaptive_min {
            self.adaptive
                .get_or_insert_with(|| Box::new(Adaptive::new(rate, now)));
        }
    }

    /// It is time to tell the same again, and the watcher wants to be spared that.
    pub(super) fn spare(&mut self, now: Timestamp) {
        self.spared = Some(now);
        self.is_late = false;
    }

    /// A notification leaves.
    pub(super) fn sent(&mut self, now: Timestamp) {
        self.sent = Some(now);
        self.is_late = false;
        self.owes_change = false;
        if let Some(rate) = self.granted.adaptive_min {
            let adaptive = self
                .adaptive
                .get_or_insert_with(|| Box::new(Adaptive::new(rate, now)));
            adaptive.sent(now);
        }
    }
}

/// How often a watcher was notified of late (RFC 6446 section 7.4): told in parts of the period, which
/// is exact enough and takes the same room whatever the rate.
#[derive(Debug)]
struct Adaptive {
    interval: Duration,
    /// The part that `counts` ends with, counted since the beginning of time.
    last: u64,
    counts: [u16; PARTS],
}

impl Adaptive {
    /// With a history of as many as the rate asks for.
    fn new(rate: Rate, now: Timestamp) -> Self {
        let mut counts = [0; PARTS];
        let step = PARTS / PERIOD as usize;
        for count in counts.iter_mut().step_by(step) {
            *count = 1;
        }
        let mut new = Self {
            interval: rate.interval(),
            last: 0,
            counts,
        };
        new.last = new.part_of(now);
        new
    }

    fn period(&self) -> Duration {
        self.interval * PERIOD
    }

    fn part_of(&self, now: Timestamp) -> u64 {
        let part = (self.period() / PARTS as u32).as_nanos().max(1);
        let since = now.saturating_since(Timestamp::ZERO).as_nanos();
        u64::try_from(since / part).unwrap_or(u64::MAX)
    }

    fn sent(&mut self, now: Timestamp) {
        let part = self.part_of(now);
        let passed = usize::try_from(part.saturating_sub(self.last)).unwrap_or(PARTS);
        let passed = passed.min(PARTS);
        self.counts.rotate_left(passed % PARTS);
        for count in self.counts.iter_mut().rev().take(passed) {
            *count = 0;
        }
        self.last = self.last.max(part);
        if let Some(count) = self.counts.last_mut() {
            *count = count.saturating_add(1);
        }
    }

    /// count / (rate^2 * period), where rate * interval is 1.
    fn timeout(&self) -> Duration {
        let count: u32 = self.counts.iter().map(|it| u32::from(*it)).sum();
        self.interval.saturating_mul(count) / PERIOD
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{Bounds, Pace};
    use crate::engine::Timestamp;
    use crate::sip::{Rate, Rates};

    const BOUNDS: Bounds = Bounds {
        shortest: Duration::from_secs(5),
        shortest_repeat: Duration::from_secs(10),
        expires: Duration::from_secs(600),
    };

    fn every(seconds: u64) -> Rate {
        Rate::per(Duration::from_secs(seconds))
    }

    fn granted(asked: Rates) -> Rates {
        Pace::grant(asked, BOUNDS).granted()
    }

    #[test]
    fn what_is_granted_is_what_can_be_held() {
        // Faster than changes are told, and slower than the subscription lasts.
        assert_eq!(granted(Rates::at_most(every(1))).max, Some(every(5)));
        assert_eq!(granted(Rates::at_most(every(60))).max, Some(every(60)));
        assert_eq!(granted(Rates::at_most(every(900))).max, Some(every(600)));
        let min = Rates::NONE.at_least(every(2));
        assert_eq!(granted(min).min, Some(every(10)));
        // Not above the highest.
        let both = Rates::at_most(every(60)).at_least(every(20));
        assert_eq!(granted(both).min, Some(every(60)));
        // A floor above the adaptive one is none.
        let floors = |min, adaptive| {
            let asked = Rates::NONE.at_least(every(min));
            granted(asked.at_least_over_time(every(adaptive)))
        };
        assert_eq!(floors(20, 40).min, None);
        assert_eq!(floors(40, 20).min, Some(every(40)));
        assert_eq!(floors(40, 20).adaptive_min, Some(every(20)));
    }

    #[test]
    fn changes_wait_and_nothing_else_is_repeated() {
        let mut pace = Pace::grant(Rates::at_most(every(25)), BOUNDS);
        assert_eq!(pace.earliest(), Timestamp::ZERO);
        pace.sent(Timestamp::from_secs(100));
        assert_eq!(pace.earliest(), Timestamp::from_secs(125));
        assert_eq!(pace.next(), None);
        pace.is_late = true;
        assert_eq!(pace.next(), Some(Timestamp::from_secs(125)));
        pace.sent(Timestamp::from_secs(125));
        assert_eq!(pace.next(), None);
    }

    #[test]
    fn an_adaptive_floor_goes_by_what_was_sent() {
        let asked = Rates::NONE.at_least_over_time(every(20));
        let mut pace = Pace::grant(asked, BOUNDS);
        let mut now = Timestamp::from_secs(1_000);
        pace.sent(now);
        // The history that it begins with is that of the rate itself.
        let first = pace.repeat_at().unwrap().saturating_since(now);
        assert!((20..=23).contains(&first.as_secs()), "{first:?}");
        // Many changes let it rest longer.
        for _ in 0..20 {
            now = now + Duration::from_secs(5);
            pace.sent(now);
        }
        let rest = pace.repeat_at().unwrap().saturating_since(now);
        assert!(rest > Duration::from_secs(45), "{rest:?}");
        // It comes back to the rate by itself.
        let mut sent = 0;
        let end = now + Duration::from_secs(2_000);
        while let Some(next) = pace.repeat_at().filter(|next| *next < end) {
            pace.sent(next);
            sent += 1;
        }
        assert!((85..=105).contains(&sent), "{sent} in 2000 s");
    }

    #[test]
    fn a_wish_that_is_repeated_keeps_what_was_sent() {
        let asked = Rates::at_most(every(25)).at_least_over_time(every(60));
        let mut pace = Pace::grant(asked, BOUNDS);
        pace.sent(Timestamp::from_secs(100));
        let before = pace.repeat_at();
        pace.regrant(asked, BOUNDS);
        assert_eq!(pace.repeat_at(), before);
        assert_eq!(pace.earliest(), Timestamp::from_secs(125));
        pace.regrant(Rates::NONE, BOUNDS);
        assert_eq!((pace.next(), pace.granted()), (None, Rates::NONE));
    }
}
