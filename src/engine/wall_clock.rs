//! What time of day it is, as far as the caller has said it.

use time::OffsetDateTime;

use super::Timestamp;

/// The time of day at one moment of the caller's clock; none until it is told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WallClock(Option<(Timestamp, OffsetDateTime)>);

impl WallClock {
    pub(crate) fn set(&mut self, now: Timestamp, utc: OffsetDateTime) {
        self.0 = Some((now, utc));
    }

    /// Whether a time of day is another than the one that was told, by more than a second.
    pub(crate) fn differs(&self, now: Timestamp, utc: OffsetDateTime) -> bool {
        let known = self.at(now);
        known.is_none_or(|known| (known - utc).abs() > time::Duration::SECOND)
    }

    /// Nothing when it was never told, or beyond the years that a calendar has.
    pub(crate) fn at(&self, now: Timestamp) -> Option<OffsetDateTime> {
        let (since, utc) = self.0?;
        let elapsed = time::Duration::try_from(now.saturating_since(since)).ok()?;
        utc.checked_add(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::WallClock;
    use crate::engine::Timestamp;
    use time::{Duration, OffsetDateTime};

    #[test]
    fn time_passes_from_when_it_was_told() {
        let mut clock = WallClock::default();
        assert_eq!(clock.at(Timestamp::from_secs(1)), None);
        clock.set(Timestamp::from_secs(10), OffsetDateTime::UNIX_EPOCH);
        let later = OffsetDateTime::UNIX_EPOCH + Duration::seconds(5);
        assert_eq!(clock.at(Timestamp::from_secs(15)), Some(later));
        let before = clock.at(Timestamp::ZERO);
        assert_eq!(before, Some(OffsetDateTime::UNIX_EPOCH));
        let at = Timestamp::from_secs(15);
        assert!(!clock.differs(at, later + Duration::SECOND));
        assert!(clock.differs(at, later - Duration::milliseconds(1_001)));
        assert!(WallClock::default().differs(at, later));
        clock.set(Timestamp::ZERO, time::PrimitiveDateTime::MAX.assume_utc());
        assert_eq!(clock.at(Timestamp::from_secs(1)), None);
    }
}
