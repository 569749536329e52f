//! Whether somebody uses a service or a device.

use time::OffsetDateTime;

use super::frame;
use super::timed::{put_time, read_time};
use crate::pidf::written::Written;
use crate::pidf::{Device, Extension, ExtensionOf, Person, Tuple, ValueError, lexical};
use crate::xml::{Attributes, Element, Name, namespace, trim};

/// Whether there was input of late (RFC 4480, 3.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the element has two values by design, RFC 4480 section 3.14"
)]
pub enum InputState {
    /// There was, within the threshold.
    Active,
    /// There was none for longer than that.
    Idle,
}

impl InputState {
    /// Both of them.
    pub const NAMED: &'static [Self] = &[Self::Active, Self::Idle];

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "active" => Some(Self::Active),
            "idle" => Some(Self::Idle),
            _ => None,
        }
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
        }
    }
}

/// Whether somebody uses a service or a device; in a person, any of them (RFC 4480, 3.14).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserInput {
    /// In use or not.
    pub state: InputState,
    /// Seconds without input until somebody counts as idle, from 1 on; writing refuses 0. More than
    /// there is room for is read as none, and written again as it was.
    pub idle_threshold: Option<u32>,
    /// When the last input was, which people must be able not to tell. Writing refuses a year that in
    /// UTC is not of 1 to 9999.
    pub last_input: Option<OffsetDateTime>,
    /// Its id, unique in the document (RFC 4480, 3.1). Any text when read; writing refuses what is no
    /// xs:ID.
    pub id: Option<String>,
    /// Attributes other than these and `xml:lang`, which writing refuses here.
    pub attributes: Attributes,
    written: Written,
}

impl UserInput {
    const OWN: &'static [&'static str] = &["id", "idle-threshold", "last-input"];

    /// In use or not.
    pub fn new(state: InputState) -> Self {
        Self {
            state,
            idle_threshold: None,
            last_input: None,
            id: None,
            attributes: Attributes::new(),
            written: Written::default(),
        }
    }

    /// In use.
    pub fn active() -> Self {
        Self::new(InputState::Active)
    }

    /// Not in use.
    pub fn idle() -> Self {
        Self::new(InputState::Idle)
    }

    /// The same with the seconds without input until somebody counts as idle, from 1 on.
    #[must_use]
    pub fn with_idle_threshold(mut self, seconds: u32) -> Self {
        self.idle_threshold = Some(seconds);
        self
    }

    /// The same with the time of the last input.
    #[must_use]
    pub fn with_last_input(mut self, time: OffsetDateTime) -> Self {
        self.last_input = Some(time);
        self
    }

    /// The same with an id, which has to be an xs:ID and unique in the document.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
}

/// In use or not, and when the last input was, of an element that says so.
pub(crate) fn input_of(element: &Element) -> Option<(InputState, Option<OffsetDateTime>)> {
    if !element.is(namespace::RPID, UserInput::LOCAL) {
        return None;
    }
    let state = InputState::from_name(trim(&element.text()))?;
    Some((state, read_time(element, "last-input")))
}

fn read_threshold(element: &Element) -> Option<u32> {
    let seconds = lexical::integer(element.attribute("idle-threshold")?)?;
    u32::try_from(seconds).ok().filter(|seconds| *seconds > 0)
}

impl UserInput {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        let mut element = Self::empty_element().with_text(self.state.as_str());
        frame::put_id(&mut element, self.id.as_deref())?;
        if let Some(seconds) = self.idle_threshold {
            let text = seconds.to_string();
            if seconds == 0 {
                return Err(ValueError::new("idle-threshold", &text, "a second or more"));
            }
            let name = Name::new("", "idle-threshold");
            element.attributes.set(name, text);
        }
        put_time(&mut element, "last-input", self.last_input)?;
        frame::put_others(&mut element, &self.attributes, Self::OWN)?;
        Ok(element)
    }
}

impl Extension for UserInput {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "user-input";

    fn read(element: &Element) -> Option<Self> {
        Some(Self {
            state: InputState::from_name(trim(&element.text()))?,
            idle_threshold: read_threshold(element),
            last_input: read_time(element, "last-input"),
            id: frame::read_id(element),
            attributes: frame::read_others(element, Self::OWN),
            written: Written::of(element),
        })
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Person> for UserInput {}
impl ExtensionOf<Tuple> for UserInput {}
impl ExtensionOf<Device> for UserInput {}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, refuses, writes};
    use super::*;
    use crate::pidf::timestamp;

    #[test]
    fn input_is_read_and_written() {
        let idle: UserInput = read(
            "<r:user-input idle-threshold=' +0600 ' last-input='2026-03-01T09:00:00.500+01:00' \
             id='u' x:y='z'> idle\n</r:user-input>",
        )
        .unwrap();
        assert_eq!(idle.idle_threshold, Some(600));
        assert_eq!(idle.last_input, timestamp::parse("2026-03-01T08:00:00.5Z"));
        writes(
            &idle,
            "<r:user-input idle-threshold=' +0600 ' last-input='2026-03-01T09:00:00.500+01:00' \
             id='u' x:y='z'> idle\n</r:user-input>",
        );
        writes(
            &UserInput::idle()
                .with_idle_threshold(600)
                .with_last_input(timestamp::parse("2026-03-01T09:00:00.5+01:00").unwrap()),
            "<r:user-input idle-threshold='600' last-input='2026-03-01T08:00:00.500Z'>idle\
             </r:user-input>",
        );
        for state in InputState::NAMED {
            assert_eq!(InputState::from_name(state.as_str()), Some(*state));
        }
        writes(&UserInput::active(), "<r:user-input>active</r:user-input>");
        for nothing in ["", "Idle", "away"] {
            let document = format!("<r:user-input>{nothing}</r:user-input>");
            assert_eq!(read::<UserInput>(&document), None, "{nothing}");
        }
    }

    #[test]
    fn odd_attributes_say_nothing() {
        for odd in [
            "idle-threshold='0'",
            "idle-threshold='-5'",
            "idle-threshold='4294967296'",
            "idle-threshold='PT10M'",
            "last-input='yesterday'",
        ] {
            let document = format!("<r:user-input {odd}>idle</r:user-input>");
            assert_eq!(read(&document), Some(UserInput::idle()), "{odd}");
        }
        assert_eq!(
            refuses(&UserInput::idle().with_idle_threshold(0)),
            "idle-threshold: \"0\" is not a second or more"
        );
        let year_0 = timestamp::parse("0000-01-01T00:00:00Z").unwrap();
        assert!(refuses(&UserInput::idle().with_last_input(year_0)).starts_with("last-input"));
        assert!(refuses(&UserInput::idle().with_id("")).starts_with("id"));
    }
}
