//! Stretches of time.

use std::collections::BTreeMap;

use time::OffsetDateTime;

/// From when until when, the end excluded; in nanoseconds, open ends at the limits of the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    from: i128,
    until: i128,
}

impl Period {
    pub(super) fn new(from: Option<OffsetDateTime>, until: Option<OffsetDateTime>) -> Self {
        Self {
            from: from.map_or(i128::MIN, OffsetDateTime::unix_timestamp_nanos),
            until: until.map_or(i128::MAX, OffsetDateTime::unix_timestamp_nanos),
        }
    }

    /// Whether it has no moment at all.
    fn is_empty(self) -> bool {
        self.from >= self.until
    }
}

/// The moments of several periods.
#[derive(Debug, Default)]
pub(super) struct Moments {
    /// Ends by beginnings, of stretches that do not touch.
    stretches: BTreeMap<i128, i128>,
}

impl Moments {
    /// Whether a period has any of these moments.
    pub(super) fn meets(&self, period: Period) -> bool {
        if period.is_empty() {
            return false;
        }
        // The last that begins before its end is the last to end as well.
        let last = self.stretches.range(..period.until).next_back();
        last.is_some_and(|(_, until)| *until > period.from)
    }

    /// Adds those of a period.
    pub(super) fn add(&mut self, period: Period) {
        if period.is_empty() {
            return;
        }
        let Period {
            mut from,
            mut until,
        } = period;
        while let Some((&start, &end)) = self.stretches.range(..=until).next_back()
            && end >= from
        {
            self.stretches.remove(&start);
            from = from.min(start);
            until = until.max(end);
        }
        self.stretches.insert(from, until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn period(from: i128, until: i128) -> Period {
        Period { from, until }
    }

    #[test]
    fn periods_that_only_touch_do_not_meet() {
        let mut moments = Moments::default();
        assert!(!moments.meets(Period::new(None, None)));
        moments.add(period(10, 20));
        moments.add(period(30, 40));
        for (from, until, meets) in [
            (0, 10, false),
            (0, 11, true),
            (12, 15, true),
            (19, 20, true),
            (20, 30, false),
            (20, 31, true),
            (40, 50, false),
            (0, 50, true),
            (15, 15, false),
            (18, 12, false),
        ] {
            assert_eq!(moments.meets(period(from, until)), meets, "{from} {until}");
        }
        assert!(moments.meets(Period::new(None, None)));
    }

    #[test]
    fn stretches_grow_together() {
        let mut moments = Moments::default();
        for from in [50, 10, 30, 20, 5] {
            moments.add(period(from, from + 10));
        }
        moments.add(period(70, 60));
        assert_eq!(
            moments.stretches.into_iter().collect::<Vec<_>>(),
            [(5, 40), (50, 60)]
        );
        let mut moments = Moments::default();
        moments.add(period(10, 20));
        moments.add(period(30, 40));
        moments.add(period(0, 100));
        assert_eq!(moments.stretches.len(), 1);
        moments.add(period(50, 60));
        assert_eq!(moments.stretches.get(&0), Some(&100));
    }
}
