//! The caller's monotonic time.

use core::ops::Add;
use core::time::Duration;

/// A moment on the caller's monotonic clock, in nanoseconds since an epoch of the caller's choice.
///
/// The library never reads a clock. The caller passes the same kind of `Timestamp` to every call;
/// a value lower than one seen before is taken as the latest one seen, so time never runs backwards.
/// 64 bits of nanoseconds last for more than 580 years.
///
/// ```
/// use presentity::engine::Timestamp;
/// use std::time::Duration;
///
/// let start = Timestamp::from_secs(10);
/// let later = start + Duration::from_millis(1500);
/// assert_eq!(later.saturating_since(start), Duration::from_millis(1500));
/// assert_eq!(start.saturating_since(later), Duration::ZERO);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The caller's epoch.
    pub const ZERO: Self = Self(0);
    /// The last moment that can be expressed; a deadline here never comes.
    pub const MAX: Self = Self(u64::MAX);

    /// A moment `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A moment `millis` milliseconds after the epoch, at most [`Timestamp::MAX`].
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// A moment `secs` seconds after the epoch, at most [`Timestamp::MAX`].
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// The moment `elapsed` after the epoch, as `Instant::elapsed` gives it.
    pub fn from_elapsed(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time since `earlier`, zero when `earlier` is later than this.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Saturates at [`Timestamp::MAX`].
impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        let nanos = u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}
