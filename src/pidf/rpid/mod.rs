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
pub(crate) use timed::period_of;
pub use timed::{Timed, in_force};
pub(crate) use user_input::input_of;
pub use user_input::{InputState, UserInput};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::frame::testing::tree;
    use super::*;
    use crate::pidf::{Device, DeviceId, Extension, ExtensionOf, Person, Tuple, schema};
    use crate::xml::Element;

    const NAMES: &[&str] = &[
        "activities",
        "class",
        "mood",
        "place-is",
        "place-type",
        "privacy",
        "relationship",
        "service-class",
        "sphere",
        "status-icon",
        "time-offset",
        "user-input",
    ];
    const ATTRIBUTES: &[&str] = &[
        "id='a'",
        "id='1'",
        "from='2026-03-01T09:00:00Z'",
        "from='x'",
        "until='2026-03-01T09:00:00+01:00'",
        "until='9999-12-31T23:59:59.5-02:00'",
        "xml:lang='de'",
        "xml:lang=''",
        "x:y='z'",
        "plain='1'",
        "description='d'",
        "idle-threshold='60'",
        "idle-threshold='0'",
        "last-input='2026-03-01T09:00:00Z'",
    ];
    const CONTENT: &[&str] = &[
        "<r:note>n</r:note>",
        "<r:note xml:lang=''>n</r:note>",
        "<r:note xml:lang='en' x:y='z'><x:b/></r:note>",
        "<r:other xml:lang='e n'>o</r:other>",
        "<r:other/>",
        "<r:unknown/>",
        "<r:busy id='b'>x</r:busy>",
        "<r:sad/>",
        "<r:friend/>",
        "<r:home/>",
        "<r:postal/>",
        "<r:audio/>",
        "<r:audio><r:ok/></r:audio>",
        "<r:text><x:z/><r:ok x:y='z'/></r:text>",
        "<r:video><r:dark/><r:ok/></r:video>",
        "<x:a/>",
        "<x:a xml:lang='fr'>1<r:busy/></x:a>",
        "<lt:bus>2</lt:bus>",
        "<all/>",
        " ",
        "idle",
        " -60\n",
        "https://example.com/",
    ];

    prop_compose! {
        fn documents()(
            name in select(NAMES),
            attributes in subsequence(ATTRIBUTES, 0..5),
            content in subsequence(CONTENT, 0..5).prop_shuffle(),
        ) -> String {
            let mut names = Vec::new();
            let attributes: Vec<&str> = attributes
                .into_iter()
                .filter(|attribute| {
                    let name = attribute.split('=').next();
                    let is_new = !names.contains(&name);
                    names.push(name);
                    is_new
                })
                .collect();
            format!("<r:{name} {}>{}</r:{name}>", attributes.join(" "), content.concat())
        }
    }

    fn means_the_same<T: Extension + PartialEq + std::fmt::Debug>(element: &Element) {
        if element.local() != T::LOCAL {
            return;
        }
        let is_valid = schema::check(element).is_ok();
        let Some(value) = T::read(element) else {
            return;
        };
        match value.to_element() {
            Ok(written) => {
                assert_eq!(T::read(&written), Some(value));
                assert_eq!(written.name(), element.name());
                assert_eq!(schema::check(&written), Ok(()));
                assert!(!is_valid || written == *element, "{written:?}");
            }
            Err(refused) => assert!(!is_valid, "{refused}"),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_means_what_was_read(document in documents()) {
            let element = tree(&document);
            means_the_same::<Activities>(&element);
            means_the_same::<Class>(&element);
            means_the_same::<Mood>(&element);
            means_the_same::<PlaceIs>(&element);
            means_the_same::<PlaceType>(&element);
            means_the_same::<Privacy>(&element);
            means_the_same::<Relationship>(&element);
            means_the_same::<ServiceClass>(&element);
            means_the_same::<Sphere>(&element);
            means_the_same::<StatusIcon>(&element);
            means_the_same::<TimeOffset>(&element);
            means_the_same::<UserInput>(&element);
        }
    }

    // PIDF-36
    #[test]
    fn everything_stands_where_it_belongs() {
        fn person<T: ExtensionOf<Person>>() {}
        fn tuple<T: ExtensionOf<Tuple>>() {}
        fn device<T: ExtensionOf<Device>>() {}
        person::<Activities>();
        person::<Class>();
        tuple::<Class>();
        device::<Class>();
        tuple::<DeviceId>();
        person::<Mood>();
        person::<PlaceIs>();
        person::<PlaceType>();
        person::<Privacy>();
        tuple::<Privacy>();
        tuple::<Relationship>();
        tuple::<ServiceClass>();
        person::<Sphere>();
        person::<StatusIcon>();
        tuple::<StatusIcon>();
        person::<TimeOffset>();
        person::<UserInput>();
        tuple::<UserInput>();
        device::<UserInput>();
    }
}
