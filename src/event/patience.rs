//! How long to wait: before a refresh, and after a failure.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::engine::{Entropy, Timestamp};
use crate::sip::{HeaderName, ResponseRef, RetryAfter, Tag, parse_delta_seconds};

/// A server's wish for patience is heard up to here.
const LONGEST_HOLD: u32 = 24 * 3600;
/// Time that a refresh needs when its first attempt is lost: Timer F is 32 s.
const SAFETY: Duration = Duration::from_secs(40);
/// Answers 423 in a row that are heard.
pub(super) const TOO_BRIEF: u8 = 3;
/// Next hops that are remembered to be busy; more are not, and are asked at once.
const HOPS: usize = 4096;

/// When what was granted for a number of seconds is to be renewed: a tenth of the time before its
/// end, or 40 s if that is more, but not in its first half. Up to a twentieth of it sooner, so that what
/// began together does not stay together. Never sooner than
/// after `least`: what is granted for less runs out.
pub(super) fn refresh_after(granted: u32, least: Duration, entropy: &mut dyn Entropy) -> Duration {
    let granted = Duration::from_secs(granted.into());
    let margin = (granted / 10).max(SAFETY).min(granted / 2);
    granted
        .saturating_sub(margin)
        .saturating_sub(up_to(granted / 20, entropy))
        .max(least)
}

/// Waiting after failures in a row: twice as long each time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
}

impl Backoff {
    /// After the failure of this number, the first being 1. Three quarters of it at least.
    pub(super) fn wait(self, failures: u32, entropy: &mut dyn Entropy) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let wait = self
            .shortest
            .saturating_mul(1 << doublings)
            .min(self.longest);
        wait.saturating_sub(up_to(wait / 4, entropy))
    }
}

fn up_to(most: Duration, entropy: &mut dyn Entropy) -> Duration {
    let share = Tag::random_bits(entropy) >> 48;
    most.mul_f64(share as f64 / 65_536.0)
}

/// The Retry-After of a response, if it has one that can be read.
pub(super) fn retry_after(response: &ResponseRef<'_>) -> Option<Duration> {
    let value = response.first(HeaderName::RetryAfter)?;
    Some(patience(RetryAfter::parse(value).ok()?.seconds))
}

/// The wait that a peer asks for, as far as it is heard.
pub(super) fn patience(seconds: u32) -> Duration {
    Duration::from_secs(seconds.min(LONGEST_HOLD).into())
}

/// The seconds in a field of a response, if it has one that can be read.
pub(super) fn seconds(response: &ResponseRef<'_>, name: HeaderName) -> Option<u32> {
    let value = response.single(name).ok().flatten()?;
    parse_delta_seconds(name, value).ok()
}

/// Whether a request that was refused by this status may succeed later as it is. A 2xx counts as a
/// refusal when it grants nothing.
pub(super) fn may_pass_status(status: u16) -> bool {
    matches!(
        status,
        200..300 | 408 | 480 | 486 | 491 | 500 | 502 | 503 | 504 | 600
    )
}

/// Next hops that said 503 with Retry-After: nothing is sent to them until then (RFC 3261 section
/// 21.5.4).
#[derive(Debug, Default)]
pub(super) struct Holds {
    until: BTreeMap<Box<str>, Timestamp>,
}

impl Holds {
    pub(super) fn hold(&mut self, hop: &str, until: Timestamp, now: Timestamp) {
        if self.until.len() >= HOPS {
            self.until.retain(|_, until| *until > now);
        }
        if let Some(known) = self.until.get_mut(hop) {
            *known = until.max(*known);
        } else if self.until.len() < HOPS {
            self.until.insert(hop.into(), until);
        }
    }

    /// When something may be sent to this hop again; nothing when it may be now.
    pub(super) fn until(&mut self, hop: &str, now: Timestamp) -> Option<Timestamp> {
        let until = *self.until.get(hop)?;
        if until > now {
            return Some(until);
        }
        self.until.remove(hop);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_leaves_time_for_a_second_attempt_and_comes_in_the_second_half() {
        for (granted, latest, earliest) in [
            (3600, 3240, 3060),
            (600, 540, 510),
            (300, 260, 245),
            (60, 30, 27),
            (12, 6, 5),
            (10, 5, 5),
            (1, 5, 5),
            (0, 5, 5),
        ] {
            for fill in [0x00, 0xff] {
                let wait = refresh_after(
                    granted,
                    Duration::from_secs(5),
                    &mut |bytes: &mut [u8]| bytes.fill(fill),
                );
                assert!(wait.as_secs() <= latest, "{granted}: {wait:?}");
                assert!(wait.as_secs() >= earliest, "{granted}: {wait:?}");
            }
        }
    }

    #[test]
    fn waiting_doubles_up_to_an_end() {
        let backoff = Backoff {
            shortest: Duration::from_secs(10),
            longest: Duration::from_secs(100),
        };
        let wait = |failures| backoff.wait(failures, &mut |bytes: &mut [u8]| bytes.fill(0));
        let waits: Vec<u64> = (0..7).map(|failures| wait(failures).as_secs()).collect();
        assert_eq!(waits, [10, 10, 20, 40, 80, 100, 100]);
        assert_eq!(wait(u32::MAX).as_secs(), 100);
        let hasty = backoff.wait(1, &mut |bytes: &mut [u8]| bytes.fill(0xff));
        assert!(hasty < Duration::from_secs(8) && hasty >= Duration::from_millis(7_500));
    }

    #[test]
    fn a_busy_hop_is_left_alone_until_its_time() {
        let mut holds = Holds::default();
        let at = Timestamp::from_secs;
        holds.hold("sip:a.example.com", at(10), at(0));
        assert_eq!(holds.until("sip:a.example.com", at(9)), Some(at(10)));
        assert_eq!(holds.until("sip:b.example.com", at(9)), None);
        assert_eq!(holds.until("sip:a.example.com", at(10)), None);
        assert!(holds.until.is_empty());
        for hop in 0..HOPS as u64 + 10 {
            holds.hold(&format!("sip:{hop}"), at(20), at(10));
        }
        assert_eq!(holds.until.len(), HOPS);
        holds.hold("sip:late", at(40), at(30));
        assert_eq!(holds.until.len(), 1);
    }
}
