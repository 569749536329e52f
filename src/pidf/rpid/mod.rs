//! Rich presence (RFC 4480): what persons do and feel, where they are, and what their services
//! and devices are like.
//!
//! Each element is an [`Extension`](super::Extension) of the parts of a document that may carry it
//! (RFC 4480, 3.1, table 1), asked for with `get` and put there with `set` or `with`. Reading
//! passes over what is not known and takes elements in any order; writing follows the schema and
//! refuses values that it has no room for. Attributes of other namespaces are kept.
//!
//! Those that may say from when until when they are so can occur several times: [`in_force`]
//! finds the one that counts. The others occur once.
//!
//! The device that a service runs on is a [`DeviceId`](super::DeviceId).
//!
//! ```
//! use presentity::pidf::rpid::{Activities, Activity, InputState, Mood, MoodValue, UserInput};
//! use presentity::pidf::{Person, Tuple};
//! use time::OffsetDateTime;
//!
//! let noon = OffsetDateTime::from_unix_timestamp(1_772_366_400).unwrap();
//! let meeting = Activities::of([Activity::Meeting])
//!     .with_note("Board room")
//!     .until(noon);
//! let person = Person::new("dora").with(&meeting)?;
//!
//! let now = person.get::<Activities>().unwrap_or_default();
//! assert!(now.contains(&Activity::Meeting));
//! assert!(!now.is_in_force(noon));
//! assert_eq!(person.get::<Mood>(), None);
//! let person = person.with(&Mood::of([MoodValue::Calm, MoodValue::other("caffeinated")]))?;
//! assert!(person.get::<Mood>().is_some_and(|mood| mood.contains(&MoodValue::Calm)));
//!
//! let tuple = Tuple::open("im").with(&UserInput::idle().with_idle_threshold(600))?;
//! assert!(tuple.get::<UserInput>().is_some_and(|input| input.state == InputState::Idle));
//! # Ok::<(), presentity::pidf::ValueError>(())
//! ```
//!
//! A document may carry an element only where it belongs:
//!
//! ```compile_fail
//! use presentity::pidf::rpid::{Mood, MoodValue};
//! use presentity::pidf::Tuple;
//!
//! let tuple = Tuple::open("im").with(&Mood::of([MoodValue::Calm]));
//! ```

mod activities;
mod class;
pub(super) mod frame;
mod mood;
mod place_is;
mod place_type;
mod privacy;
mod relationship;
mod service_class;
mod sphere;
mod status_icon;
mod time_offset;
mod timed;
mod user_input;
mod values;

pub use activities::{Activities, Activity};
pub use class::Class;
pub use mood::{Mood, MoodValue};
pub use place_is::{AudioConditions, PlaceIs, TextConditions, VideoConditions};
pub use place_type::{PlaceKind, PlaceType};
pub use privacy::Privacy;
pub use relationship::{Relationship, RelationshipKind};
pub use service_class::{ServiceClass, ServiceKind};
pub use sphere::{Sphere, SphereKind};
pub use status_icon::StatusIcon;
pub use time_offset::TimeOffset;
pub use timed::{Timed, in_force};
pub use user_input::{InputState, UserInput};
