//! Composition: what several sources say of a presentity becomes one document (RFC 3856 section 6.11.1).
//!
//! How is the policy of the presentity and its provider: a [`Composition`]. A [`Compositor`] is one by
//! settings, of which three are usual. Ana has a desk phone and a laptop, which publish what they know,
//! and a mobile phone, which only registers, as the laptop does too. At ten o'clock her sources say:
//!
//! ```text
//!            registrar         desk phone             laptop
//! service    mobile, q 0.5     desk                   laptop, "muted"
//!            laptop, q 1
//! device     mobile            desk: idle since 7:50  laptop: active
//!            laptop
//! person                       8:05: away, calm       9:30: meeting until 11:00
//! ```
//!
//! Of which the three make:
//!
//! ```text
//!            union             by_device              newest_person
//! service    mobile, q 0.5     mobile, q 0.5          mobile, q 0.5
//!            laptop, q 1       laptop, q 1, "muted"   laptop, q 1, "muted"
//!            desk              desk                   desk
//!            laptop, "muted"
//! device     mobile            mobile                 mobile
//!            laptop            laptop: active         laptop: active
//!            desk: idle        desk: idle             desk: idle
//!            laptop: active
//! person     away, calm        away, calm             meeting until 11:00, calm
//!            meeting           meeting
//!
//! at 11:00   the same          second person empty    away, calm
//! ```
//!
//! The same in code:
//!
//! ```
//! use presentity::engine::Timestamp;
//! use presentity::pidf::rpid::{Activities, Activity, Mood, MoodValue, UserInput};
//! use presentity::pidf::{Device, DeviceId, Person, Presence, Priority, Tuple};
//! use presentity::presence::composition::{
//!     Composed, Composition, Compositor, Moment, Part, Source,
//! };
//! use presentity::presence::{RegisteredContact, Registrations};
//! use time::{Duration, OffsetDateTime};
//!
//! const ANA: &str = "sip:ana@example.com";
//! let ten = Timestamp::from_secs(36_000);
//! let clock = |hours, minutes| {
//!     OffsetDateTime::UNIX_EPOCH + Duration::hours(hours) + Duration::minutes(minutes)
//! };
//! let [desk, laptop, mobile] = [
//!     "urn:uuid:8a4f0c4e-58a5-4f0e-9d5c-0b7f5a3f4c01",
//!     "urn:uuid:8a4f0c4e-58a5-4f0e-9d5c-0b7f5a3f4c02",
//!     "urn:uuid:8a4f0c4e-58a5-4f0e-9d5c-0b7f5a3f4c03",
//! ].map(|urn| DeviceId::new(urn).unwrap());
//!
//! let mut contacts = Vec::new();
//! for (uri, q, instance) in [
//!     ("sip:ana@198.51.100.4", 500, &mobile),
//!     ("sip:ana@192.0.2.7", 1000, &laptop),
//! ] {
//!     let mut contact = RegisteredContact::new(uri, Timestamp::from_secs(39_600));
//!     contact.q = Priority::from_thousandths(q);
//!     contact.instance = Some(instance.clone());
//!     contacts.push(contact);
//! }
//! let registered = Registrations::default().presence(ten, ANA, &contacts)?;
//!
//! let idle = UserInput::idle().with_last_input(clock(7, 50));
//! let of_desk_phone = Presence::new(ANA)
//!     .with_tuple(Tuple::open("desk").with_contact(ANA).with(&desk)?)
//!     .with_device(Device::new("d1", desk).with(&idle)?)
//!     .with_person(
//!         Person::new("p1")
//!             .with(&Activities::of([Activity::Away]))?
//!             .with(&Mood::of([MoodValue::Calm]))?
//!             .with_timestamp(clock(8, 5))?,
//!     );
//! let meeting = Activities::of([Activity::Meeting]).until(clock(11, 0));
//! let of_laptop = Presence::new(ANA)
//!     .with_tuple(Tuple::open("laptop").with_contact(ANA).with(&laptop)?.with_note("muted"))
//!     .with_device(Device::new("d2", laptop).with(&UserInput::active())?)
//!     .with_person(Person::new("p2").with(&meeting)?.with_timestamp(clock(9, 30))?);
//!
//! let parts = vec![
//!     Part::new(Source::Registration, 1, registered, ten),
//!     Part::new(Source::Publication, 2, of_desk_phone, Timestamp::from_secs(29_100)),
//!     Part::new(Source::Publication, 3, of_laptop, Timestamp::from_secs(34_200)),
//! ];
//! let at_ten = Moment::new(ten, Some(clock(10, 0)));
//! let compose = |compositor: Compositor| compositor.compose(parts.clone(), &at_ten);
//! let sizes = |composed: &Composed| {
//!     let document = &composed.document;
//!     [document.tuples.len(), document.devices.len(), document.persons.len()]
//! };
//!
//! let union = compose(Compositor::union());
//! assert_eq!(sizes(&union), [4, 4, 2]);
//! assert_eq!(union.holds_for, None);
//!
//! let by_device = compose(Compositor::by_device());
//! assert_eq!(sizes(&by_device), [3, 3, 2]);
//! let on_laptop = &by_device.document.tuples[1];
//! assert_eq!(on_laptop.priority(), Priority::HIGHEST);
//! assert_eq!(on_laptop.notes[0].text, "muted");
//!
//! let newest_person = compose(Compositor::newest_person());
//! assert_eq!(sizes(&newest_person), [3, 3, 1]);
//! let ana = &newest_person.document.persons[0];
//! assert_eq!(ana.get::<Activities>(), Some(meeting));
//! assert_eq!(ana.get::<Mood>(), Some(Mood::of([MoodValue::Calm])));
//!
//! // The meeting ends.
//! let in_an_hour = newest_person.holds_for.unwrap();
//! assert_eq!(in_an_hour.as_secs(), 3600);
//! let at_eleven = Moment::new(ten + in_an_hour, Some(clock(11, 0)));
//! let later = Compositor::newest_person().compose(parts.clone(), &at_eleven);
//! let ana = &later.document.persons[0];
//! assert_eq!(ana.get::<Activities>(), Some(Activities::of([Activity::Away])));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compositor;
mod device_key;
mod periods;
mod ranking;
mod settings;
mod statement;
mod union;

use core::time::Duration;

use time::OffsetDateTime;

use crate::engine::Timestamp;
use crate::pidf::Presence;

pub use compositor::Compositor;
pub use settings::{Aged, Conflicts, Devices, Periods, Persons, Remarks, Services};
pub(in crate::presence) use union::{PartRef, Renamed, keep_apart, unite};

/// Where a part of a presentity's state comes from. A later one is nearer to the presentity's devices of
/// now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Source {
    /// What the application has set for as long as nobody else says anything.
    Lasting,
    /// What the application has set.
    Application,
    /// A contact that was registered (RFC 3856 section 7.2).
    Registration,
    /// A presence user agent that this one has subscribed to (RFC 3856 section 6.11.1).
    Subscription,
    /// A publication (RFC 3903).
    Publication,
}

/// What one source says.
///
/// No two parts have an id in common, and what the root of one said of language stands at its
/// children.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// Whose it is.
    pub source: Source,
    /// Names the source; the same for its life, and higher than those of sources that began before.
    pub serial: u64,
    /// What it says.
    pub document: Presence,
    /// Since when it says so.
    pub since: Timestamp,
}

impl Part {
    /// What a source says since a time.
    pub const fn new(source: Source, serial: u64, document: Presence, since: Timestamp) -> Self {
        Self {
            source,
            serial,
            document,
            since,
        }
    }
}

/// When a document is composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moment {
    /// The host's time.
    pub now: Timestamp,
    /// The time of day, if the host has said it.
    pub utc: Option<OffsetDateTime>,
}

impl Moment {
    /// A time, and the time of day if it is known.
    pub const fn new(now: Timestamp, utc: Option<OffsetDateTime>) -> Self {
        Self { now, utc }
    }
}

/// One document of several.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Composed {
    /// The document. Its entity is of no account.
    pub document: Presence,
    /// For how long that is what the same parts come to; nothing for as long as they stay the same. Less
    /// than a second counts as one.
    pub holds_for: Option<Duration>,
}

impl Composed {
    /// What holds for as long as the parts stay the same.
    pub const fn new(document: Presence) -> Self {
        Self {
            document,
            holds_for: None,
        }
    }
}

/// How what several sources say becomes one document: the presentity's or the provider's policy
/// (RFC 3856 section 6.11.1).
///
/// It is asked once for each state, not for each watcher, and only when something has changed or
/// [`Composed::holds_for`] is over. The same parts at the same moment have to come to the same document.
pub trait Composition: core::fmt::Debug {
    /// One document of these parts, which are in the order of [`Source`], and within that of their
    /// serial numbers. There is at least one.
    fn compose(&self, parts: Vec<Part>, moment: &Moment) -> Composed;

    /// Whether a part that is alone is the document as it is. By default it is composed like several.
    fn keeps_single(&self) -> bool {
        false
    }
}
