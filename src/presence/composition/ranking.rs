//! Who is right where sources contradict each other.

use core::cmp::Reverse;
use core::time::Duration;

use time::OffsetDateTime;

use super::settings::Conflicts;
use super::statement::{Input, Statement};
use super::{Moment, Part, Source};
use crate::pidf::Presence;

/// Every source, the one that is nearest to the presentity's devices first.
const SOURCES: [Source; 5] = [
    Source::Publication,
    Source::Subscription,
    Source::Registration,
    Source::Application,
    Source::Lasting,
];

/// The time of day while a document is composed, which notes when the next thing happens.
#[derive(Debug)]
pub(super) struct Clock {
    moment: Moment,
    next: Option<Duration>,
}

impl Clock {
    pub(super) const fn new(moment: Moment) -> Self {
        Self { moment, next: None }
    }

    pub(super) const fn utc(&self) -> Option<OffsetDateTime> {
        self.moment.utc
    }

    /// Whether it is that time or later; never without a time of day.
    pub(super) fn has_reached(&mut self, at: OffsetDateTime) -> bool {
        let Some(utc) = self.moment.utc else {
            return false;
        };
        if utc >= at {
            return true;
        }
        let wait = (at - utc).unsigned_abs();
        self.next = Some(self.next.map_or(wait, |next| next.min(wait)));
        false
    }

    /// Whether something has lasted for that long since then.
    pub(super) fn has_passed(&mut self, since: OffsetDateTime, duration: Duration) -> bool {
        let end = time::Duration::try_from(duration)
            .ok()
            .and_then(|duration| since.checked_add(duration));
        end.is_some_and(|end| self.has_reached(end))
    }

    /// The time of day when a part began to say what it says.
    fn since(&self, part: &Part) -> Option<OffsetDateTime> {
        let Moment { now, utc } = self.moment;
        let ago = time::Duration::try_from(now.saturating_since(part.since)).ok()?;
        // A host may ask about a moment before.
        let ahead = time::Duration::try_from(part.since.saturating_since(now)).ok()?;
        utc?.checked_sub(ago)?.checked_add(ahead)
    }

    /// How long nothing else happens.
    pub(super) const fn next(&self) -> Option<Duration> {
        self.next
    }
}

/// What there is to know of a part whose document is taken apart.
#[derive(Debug)]
pub(super) struct Origin {
    /// Its place among the sources, the best first.
    place: usize,
    serial: u64,
    since: i128,
    /// The time of day of that.
    pub(super) since_utc: Option<OffsetDateTime>,
    /// What its document says of user input.
    input: Option<Input>,
    /// Whether what it says of persons does not count beside others.
    yields: bool,
}

impl Origin {
    pub(super) fn new(
        part: &Part,
        conflicts: &Conflicts,
        idle_yields: Option<Duration>,
        clock: &mut Clock,
    ) -> Self {
        let since_utc = clock.since(part);
        let place = match conflicts {
            Conflicts::BySource(order) => place_in(order, part.source),
            Conflicts::Newest | Conflicts::ByInput => 0,
        };
        let input = match conflicts {
            Conflicts::ByInput => inputs(&part.document).map(|(input, _)| input).max(),
            Conflicts::Newest | Conflicts::BySource(_) => None,
        };
        let yields = idle_yields.is_some_and(|limit| {
            let since = idle_since(&part.document, since_utc);
            since.is_some_and(|since| clock.has_passed(since, limit))
        });
        Self {
            place,
            serial: part.serial,
            since: i128::from(part.since.as_nanos()),
            since_utc,
            input,
            yields,
        }
    }
}

fn place_in(order: &[Source], source: Source) -> usize {
    let listed = order.iter().position(|known| *known == source);
    listed.unwrap_or_else(|| {
        let place = SOURCES.iter().position(|known| *known == source);
        order.len().saturating_add(place.unwrap_or(SOURCES.len()))
    })
}

/// What a document says of user input, and when that was said where it bears a timestamp.
fn inputs(document: &Presence) -> impl Iterator<Item = (Input, Option<OffsetDateTime>)> {
    fn of<S: Statement>(part: &S) -> Option<(Input, Option<OffsetDateTime>)> {
        Some((Input::of(part.extensions())?, part.time()))
    }
    let tuples = document.tuples.iter().filter_map(of);
    let persons = document.persons.iter().filter_map(of);
    let devices = document.devices.iter().filter_map(of);
    tuples.chain(persons).chain(devices)
}

/// Since when nobody has used what a document is about; none if somebody does, or nothing is said.
/// What is idle since nobody knows when is so since that was said.
fn idle_since(document: &Presence, said_since: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    let mut since = None;
    for (input, said) in inputs(document) {
        if input.is_active {
            return None;
        }
        since = since.max(input.last.or(said).or(said_since));
    }
    since
}

/// A part of a document, and who says it.
#[derive(Debug)]
pub(super) struct Said<S> {
    pub(super) what: S,
    /// The number of its document.
    pub(super) by: usize,
    /// Whether it is too old to be believed.
    pub(super) is_aged: bool,
}

/// Puts those who are right first.
pub(super) fn rank<S: Statement>(
    group: &mut [Said<S>],
    origins: &[Origin],
    conflicts: &Conflicts,
    has_utc: bool,
) {
    // Timestamps and the host's time are not the same time.
    let by_timestamp = has_utc || group.iter().all(|said| said.what.time().is_some());
    group.sort_by_cached_key(|said| {
        let origin = origins.get(said.by)?;
        let when = if by_timestamp {
            let at = said.what.time().or(origin.since_utc);
            at.map_or(i128::MIN, OffsetDateTime::unix_timestamp_nanos)
        } else {
            origin.since
        };
        let input = match conflicts {
            Conflicts::ByInput => Input::of(said.what.extensions()).or(origin.input),
            Conflicts::Newest | Conflicts::BySource(_) => None,
        };
        Some((
            S::MAY_YIELD && origin.yields,
            origin.place,
            Reverse(input),
            Reverse(when),
            Reverse(origin.serial),
            Reverse(said.by),
        ))
    });
}

/// The numbers of the documents, those who are right first.
pub(super) fn ranked(origins: &[Origin]) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..origins.len()).collect();
    numbers.sort_by_cached_key(|number| {
        let origin = origins.get(*number)?;
        Some((
            origin.place,
            Reverse(origin.input),
            Reverse(origin.since),
            Reverse(origin.serial),
            Reverse(*number),
        ))
    });
    numbers
}
