//! The clocks of this machine, which the library does not read.

use presentity::engine::Timestamp;
use time::OffsetDateTime;
use tokio::time::Instant;

/// Time as the library wants it told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(crate) fn now(self) -> Timestamp {
        Timestamp::from_elapsed(self.start.elapsed())
    }

    /// When that will be.
    pub(crate) fn instant(self, at: Timestamp) -> Instant {
        let after = at.saturating_since(Timestamp::ZERO);
        // What is that far off is as good as never.
        self.start
            .checked_add(after)
            .unwrap_or_else(|| Instant::now() + FAR)
    }
}

const FAR: std::time::Duration = std::time::Duration::from_secs(86_400);

/// The time of day.
pub(crate) fn utc() -> OffsetDateTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "the library reads no clock; a program does"
    )]
    OffsetDateTime::now_utc()
}
