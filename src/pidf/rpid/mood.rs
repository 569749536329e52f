//! How somebody feels.

use time::OffsetDateTime;

use super::{frame, values};
use crate::pidf::written::Written;
use crate::pidf::{Extension, ExtensionOf, Note, Person, ValueError};
use crate::xml::{Attributes, Element, namespace};

values::values! {
    /// One way to feel (RFC 4480, 3.5).
    pub enum MoodValue {
        Afraid = "afraid",
        Amazed = "amazed",
        Angry = "angry",
        Annoyed = "annoyed",
        Anxious = "anxious",
        Ashamed = "ashamed",
        Bored = "bored",
        Brave = "brave",
        Calm = "calm",
        Cold = "cold",
        Confused = "confused",
        Contented = "contented",
        Cranky = "cranky",
        Curious = "curious",
        Depressed = "depressed",
        Disappointed = "disappointed",
        Disgusted = "disgusted",
        Distracted = "distracted",
        Embarrassed = "embarrassed",
        Excited = "excited",
        Flirtatious = "flirtatious",
        Frustrated = "frustrated",
        Grumpy = "grumpy",
        Guilty = "guilty",
        Happy = "happy",
        Hot = "hot",
        Humbled = "humbled",
        Humiliated = "humiliated",
        Hungry = "hungry",
        Hurt = "hurt",
        Impressed = "impressed",
        InAwe = "in_awe",
        InLove = "in_love",
        Indignant = "indignant",
        Interested = "interested",
        Invincible = "invincible",
        Jealous = "jealous",
        Lonely = "lonely",
        Mean = "mean",
        Moody = "moody",
        Nervous = "nervous",
        Neutral = "neutral",
        Offended = "offended",
        Playful = "playful",
        Proud = "proud",
        Relieved = "relieved",
        Remorseful = "remorseful",
        Restless = "restless",
        Sad = "sad",
        Sarcastic = "sarcastic",
        Serious = "serious",
        Shocked = "shocked",
        Shy = "shy",
        Sick = "sick",
        Sleepy = "sleepy",
        Stressed = "stressed",
        Surprised = "surprised",
        Thirsty = "thirsty",
        /// Nobody can tell; stands alone.
        Unknown = "unknown",
        Worried = "worried",
    }
    text Other;
    foreign Foreign;
}

/// How somebody feels, perhaps in several ways at once (RFC 4480, 3.5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Mood {
    /// The moods. Writing refuses none at all, and [`MoodValue::Unknown`] beside others. Of an element
    /// with nothing but comments it is [`MoodValue::Unknown`].
    pub values: Vec<MoodValue>,
    /// Comments, such as the reason (RFC 4480, 3.1). Writing refuses one with attributes, or in a language
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

impl Mood {
    /// These moods.
    pub fn of(values: impl IntoIterator<Item = MoodValue>) -> Self {
        Self {
            values: values.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Whether this is among them.
    pub fn contains(&self, value: &MoodValue) -> bool {
        self.values.contains(value)
    }
}

impl Mood {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        if self.values.is_empty() {
            return Err(ValueError::new(Self::LOCAL, "", "one value or more"));
        }
        let mut element = self.with_attributes()?;
        frame::put_notes(&mut element, &self.notes)?;
        values::put_list(&mut element, Self::LOCAL, &self.values)?;
        Ok(element)
    }
}

impl Extension for Mood {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "mood";

    fn read(element: &Element) -> Option<Self> {
        let mut mood = Self::read_attributes(element);
        mood.notes = frame::read_notes(element);
        mood.values = values::read_list(element);
        // A comment without a mood says that there is one, which the schema has a value for.
        if mood.values.is_empty() && !mood.notes.is_empty() {
            mood.values.push(MoodValue::Unknown);
        }
        (!mood.values.is_empty()).then_some(mood)
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Person> for Mood {}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, refuses, writes};
    use super::*;

    #[test]
    fn moods_are_read_and_written() {
        let mood: Mood = read(
            "<r:mood id='m'>\n<r:in_awe/><r:note>of the sea</r:note><r:other>salty</r:other>\
             <r:unknown/><r:in-awe/></r:mood>",
        )
        .unwrap();
        assert!(mood.contains(&MoodValue::InAwe));
        let expected = Mood::of([MoodValue::InAwe, MoodValue::other("salty")])
            .with_note("of the sea")
            .with_id("m");
        assert_eq!(mood, expected);
        writes(
            &mood,
            "<r:mood id='m'><r:note>of the sea</r:note><r:in_awe/><r:other>salty</r:other></r:mood>",
        );
    }

    #[test]
    fn a_mood_has_a_value() {
        assert_eq!(
            read::<Mood>("<r:mood from='2026-03-01T09:00:00Z'><r:zesty/></r:mood>"),
            None
        );
        let noted: Mood = read("<r:mood><r:note>zesty</r:note></r:mood>").unwrap();
        assert_eq!(noted, Mood::of([MoodValue::Unknown]).with_note("zesty"));
        writes(
            &noted,
            "<r:mood><r:note>zesty</r:note><r:unknown/></r:mood>",
        );
        let none = refuses(&Mood::default().with_note("zesty"));
        assert_eq!(none, "mood: \"\" is not one value or more");
        refuses(&Mood::of([MoodValue::Sad, MoodValue::Unknown]));
        writes(
            &Mood::of([MoodValue::Unknown]),
            "<r:mood><r:unknown/></r:mood>",
        );
    }
}
