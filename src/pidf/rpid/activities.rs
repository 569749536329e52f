//! What somebody does.

use time::OffsetDateTime;

use super::{frame, values};
use crate::pidf::written::Written;
use crate::pidf::{Extension, ExtensionOf, Note, Person, ValueError};
use crate::xml::{Attributes, Element, namespace};

values::values! {
    /// One thing that somebody may do (RFC 4480, 3.2).
    pub enum Activity {
        /// Has an appointment of a kind that is not told.
        Appointment = "appointment",
        /// Is away from all devices that serve to communicate.
        Away = "away",
        /// Has the first meal of the day.
        Breakfast = "breakfast",
        /// Is busy with something that is not told.
        Busy = "busy",
        /// Has the main meal of the day.
        Dinner = "dinner",
        /// Keeps a public holiday.
        Holiday = "holiday",
        /// Rides in a vehicle without steering it.
        InTransit = "in-transit",
        /// Looks for paid work.
        LookingForWork = "looking-for-work",
        /// Has a meal, whichever. `lunch` is read as one: the text of RFC 4480 has it and its schema
        /// has not, so that strict readers refuse it.
        Meal = "meal" also "lunch",
        /// Meets other people.
        Meeting = "meeting",
        /// Talks on the telephone.
        OnThePhone = "on-the-phone",
        /// Is at a concert, a play, a film or a lecture, on either side of it.
        Performance = "performance",
        /// Will not be back for as long as anybody can tell.
        PermanentAbsence = "permanent-absence",
        /// Plays, or does sports.
        Playing = "playing",
        /// Gives a talk or takes part in a formal discussion.
        Presentation = "presentation",
        /// Is in shops.
        Shopping = "shopping",
        /// Sleeps.
        Sleeping = "sleeping",
        /// Watches an event, as of sports.
        Spectator = "spectator",
        /// Steers a vehicle, a ship or a plane.
        Steering = "steering",
        /// Is on a journey, though not necessarily moving.
        Travel = "travel",
        /// Watches television.
        Tv = "tv",
        /// Nobody can tell; stands alone.
        Unknown = "unknown",
        /// Is on leave.
        Vacation = "vacation",
        /// Works, typically for pay.
        Working = "working",
        /// Takes part in religious rites.
        Worship = "worship",
    }
    text Other;
    foreign Foreign;
}

/// What somebody does, perhaps several things at once (RFC 4480, 3.2).
///
/// An empty list may be written and is read: some clients publish one for somebody who does
/// nothing worth mentioning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Activities {
    /// What is done. Writing refuses [`Activity::Unknown`] beside others.
    pub values: Vec<Activity>,
    /// Comments (RFC 4480, 3.1). Writing refuses one with attributes, or in a language
    /// that is no tag.
    pub notes: Vec<Note>,
    /// From when it is so (RFC 4480, 3.1); none: ever since. Writing refuses a year that in UTC is not
    /// of 1 to 9999.
    pub from: Option<OffsetDateTime>,
    /// Until when it is so, that moment itself excluded; none: for good. Writing refuses the same
    /// years, and what is before `from`.
    pub until: Option<OffsetDateTime>,
    /// Its id, unique in the document (RFC 4480, 3.1). Any text when read; writing refuses what is no
    /// xs:ID.
    pub id: Option<String>,
    /// Attributes other than these and `xml:lang`, which writing refuses here.
    pub attributes: Attributes,
    pub(super) written: Written,
}

impl Activities {
    /// These activities.
    pub fn of(values: impl IntoIterator<Item = Activity>) -> Self {
        Self {
            values: values.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Whether this is among them.
    pub fn contains(&self, activity: &Activity) -> bool {
        self.values.contains(activity)
    }
}

impl Activities {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        let mut element = self.with_attributes()?;
        frame::put_notes(&mut element, &self.notes)?;
        values::put_list(&mut element, Self::LOCAL, &self.values)?;
        Ok(element)
    }
}

impl Extension for Activities {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "activities";

    fn read(element: &Element) -> Option<Self> {
        let mut activities = Self::read_attributes(element);
        activities.notes = frame::read_notes(element);
        activities.values = values::read_list(element);
        Some(activities)
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Person> for Activities {}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, refuses, tree, writes};
    use super::*;

    // PIDF-23, PIDF-27
    #[test]
    fn odd_lists_are_read() {
        let read: Activities = read(
            "<r:activities>text <r:busy/><r:zesty><r:away/></r:zesty><x:sailing/> \
             <r:note>n</r:note><r:other xml:lang='en'> reading </r:other><r:unknown/>\
             <all/><r:busy/></r:activities>",
        )
        .unwrap();
        assert_eq!(read.notes, [Note::new("n")]);
        assert_eq!(
            read.values,
            [
                Activity::Busy,
                Activity::Foreign(tree("<x:sailing/>")),
                Activity::other(Note::new(" reading ").in_language("en")),
                Activity::Busy,
            ]
        );
        writes(
            &read,
            "<r:activities><r:note>n</r:note><r:busy/><x:sailing/>\
             <r:other xml:lang='en'> reading </r:other><r:busy/></r:activities>",
        );
    }

    #[test]
    fn unknown_stands_alone() {
        let twice: Activities =
            read("<r:activities><r:unknown/><r:unknown/></r:activities>").unwrap();
        assert_eq!(twice, Activities::of([Activity::Unknown]));
        writes(&twice, "<r:activities><r:unknown/></r:activities>");
        let mixed = Activities::of([Activity::Unknown, Activity::Busy]);
        assert_eq!(
            refuses(&mixed),
            "activities: \"unknown\" is not a value that others stand beside"
        );
    }

    #[test]
    fn an_empty_list_is_one() {
        let none: Activities = read("<r:activities/>").unwrap();
        assert_eq!(none, Activities::default());
        writes(&none, "<r:activities/>");
    }

    // PIDF-36
    #[test]
    fn persons_have_activities() {
        let meeting = Activities::of([Activity::Meeting]).with_note("Board room");
        let mut person = Person::new("dora").with(&meeting).unwrap();
        assert_eq!(person.get::<Activities>(), Some(meeting));
        person.set(&Activities::of([Activity::Meal])).unwrap();
        let now = person.get::<Activities>().unwrap();
        assert!(now.contains(&Activity::Meal));
        assert!(!now.contains(&Activity::Meeting));
        assert!(
            person
                .add(&Activities::of([Activity::other(odd())]))
                .is_err()
        );
        assert_eq!(person.extensions.len(), 1);
    }

    // The text has it and the schema has not.
    #[test]
    fn lunch_is_a_meal() {
        let lunch: Activities = read("<r:activities><r:lunch/></r:activities>").unwrap();
        assert_eq!(lunch, Activities::of([Activity::Meal]));
        writes(&lunch, "<r:activities><r:meal/></r:activities>");
    }

    fn odd() -> Note {
        Note::new("x").in_language("")
    }

    // PIDF-24
    #[test]
    fn a_foreign_value_that_has_to_be_understood_hides_the_list() {
        let marked = "<r:activities><r:busy/><x:y p:mustUnderstand='1'/></r:activities>";
        let person = Person::new("dora").with_extension(tree(marked));
        assert_eq!(person.get::<Activities>(), None);
    }
}
