//! When parts of a document changed (RFC 3863 section 4.1.7).

use std::collections::HashMap;

use crate::engine::Timestamp;
use crate::engine::wall_clock::WallClock;
use crate::pidf::{Device, Person, Presence, Tuple};
use time::OffsetDateTime;

/// Gives timestamps.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    clock: WallClock,
}

/// A document as the application gave it, and with timestamps.
#[derive(Debug, Clone)]
pub(super) struct Stamped {
    given: Presence,
    stamped: Presence,
    /// The newest timestamp in it or in one before it.
    newest: Option<OffsetDateTime>,
}

impl Stamped {
    pub(super) fn document(&self) -> &Presence {
        &self.stamped
    }
}

/// What bears a timestamp and an id.
trait Part: PartialEq {
    fn id(&self) -> &str;
    fn timestamp(&self) -> Option<OffsetDateTime>;
    fn has_timestamp(&self) -> bool;
    fn stamp(&mut self, at: OffsetDateTime);
}

macro_rules! parts {
    ($($part:ty),+) => {$(
        impl Part for $part {
            fn id(&self) -> &str {
                &self.id
            }

            fn timestamp(&self) -> Option<OffsetDateTime> {
                self.timestamp()
            }

            fn has_timestamp(&self) -> bool {
                self.timestamp_text().is_some()
            }

            fn stamp(&mut self, at: OffsetDateTime) {
                // A year that no document can carry leaves it without.
                let _ = self.set_timestamp(Some(at));
            }
        }
    )+};
}

parts!(Tuple, Person, Device);

impl Stamps {
    pub(super) fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) {
        self.clock.set(now, utc);
    }

    /// Timestamps for what has changed since the document before and bears none of its own. What has
    /// not changed keeps the one it had.
    pub(super) fn stamp(
        &self,
        now: Timestamp,
        before: Option<&Stamped>,
        given: Presence,
    ) -> Stamped {
        if let Some(before) = before
            && before.given == given
        {
            return before.clone();
        }
        let mut stamped = given.clone();
        let newest_before = before.and_then(|before| before.newest);
        if let Some(at) = self.next(now, newest_before) {
            let old = before.map(|before| (&before.given, &before.stamped));
            let tuples = old.map(|(given, stamped)| (&*given.tuples, &*stamped.tuples));
            let mut fresh = restamp(&mut stamped.tuples, tuples, at);
            let persons = old.map(|(given, stamped)| (&*given.persons, &*stamped.persons));
            fresh |= restamp(&mut stamped.persons, persons, at);
            let devices = old.map(|(given, stamped)| (&*given.devices, &*stamped.devices));
            fresh |= restamp(&mut stamped.devices, devices, at);
            // Something has changed that bears no timestamp, and documents whose newest one is the
            // same may not follow each other.
            let mut own = given.tuples.iter().zip(&mut stamped.tuples);
            if !fresh && let Some((_, tuple)) = own.find(|(given, _)| !given.has_timestamp()) {
                tuple.stamp(at);
            }
        }
        let newest = newest_before.max(newest(&stamped));
        Stamped {
            given,
            stamped,
            newest,
        }
    }

    /// The time of day.
    pub(super) fn utc(&self, now: Timestamp) -> Option<OffsetDateTime> {
        self.clock.at(now)
    }

    /// The time of day, in whole seconds.
    pub(super) fn at(&self, now: Timestamp) -> Option<OffsetDateTime> {
        let at = self.clock.at(now)?.to_offset(time::UtcOffset::UTC);
        at.replace_nanosecond(0).ok()
    }

    /// The time of day, in whole seconds unless that is not newer than what there was.
    fn next(&self, now: Timestamp, newest: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
        let at = self.at(now)?;
        match newest {
            Some(newest) if at <= newest => newest.checked_add(time::Duration::MILLISECOND),
            _ => Some(at),
        }
    }
}

/// The newest timestamp of whatever may bear one.
pub(super) fn newest(document: &Presence) -> Option<OffsetDateTime> {
    let tuples = document.tuples.iter().map(Tuple::timestamp);
    let persons = document.persons.iter().map(Person::timestamp);
    let devices = document.devices.iter().map(Device::timestamp);
    tuples.chain(persons).chain(devices).flatten().max()
}

/// Tells whether any part got a new timestamp.
fn restamp<P: Part>(parts: &mut [P], before: Option<(&[P], &[P])>, at: OffsetDateTime) -> bool {
    let mut fresh = false;
    let (given, stamped) = before.unwrap_or_default();
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (place, part) in parts.iter_mut().enumerate() {
        if part.has_timestamp() {
            continue;
        }
        // Parts that are where they were are found at once.
        let same_place = given.get(place).filter(|it| it.id() == part.id());
        let old = match same_place {
            Some(_) => Some(place),
            None => {
                if by_id.is_empty() {
                    let all = given.iter().enumerate();
                    by_id.extend(all.map(|(place, part)| (part.id(), place)));
                }
                by_id.get(part.id()).copied()
            }
        };
        let unchanged = old
            .filter(|old| given.get(*old).is_some_and(|old| *old == *part))
            .and_then(|old| stamped.get(old)?.timestamp());
        fresh |= unchanged.is_none();
        part.stamp(unchanged.unwrap_or(at));
    }
    fresh
}
