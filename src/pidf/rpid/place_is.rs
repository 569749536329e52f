//! What a place is good for.

use time::OffsetDateTime;

use super::values::Value;
use super::{frame, values};
use crate::pidf::written::Written;
use crate::pidf::{Extension, ExtensionOf, Note, Person, ValueError};
use crate::xml::{Attributes, Element, namespace};

values::values! {
    /// How a place suits talking (RFC 4480, 3.6).
    pub enum AudioConditions {
        /// Too loud to talk easily.
        Noisy = "noisy",
        /// Suitable.
        Ok = "ok",
        /// A place where people are expected not to talk.
        Quiet = "quiet",
        /// Nobody can tell.
        Unknown = "unknown",
    }
}

values::values! {
    /// How a place suits being seen (RFC 4480, 3.6).
    pub enum VideoConditions {
        /// Bright.
        TooBright = "toobright",
        /// Suitable.
        Ok = "ok",
        /// Too dark for a camera.
        Dark = "dark",
        /// Nobody can tell.
        Unknown = "unknown",
    }
}

values::values! {
    /// How a place suits typing (RFC 4480, 3.6).
    pub enum TextConditions {
        /// Typing is awkward.
        Uncomfortable = "uncomfortable",
        /// Typing would be out of place.
        Inappropriate = "inappropriate",
        /// Suitable.
        Ok = "ok",
        /// Nobody can tell.
        Unknown = "unknown",
    }
}

/// What the place where somebody is is good for (RFC 4480, 3.6). What is not told is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PlaceIs {
    /// For talking.
    pub audio: Option<AudioConditions>,
    /// For being seen.
    pub video: Option<VideoConditions>,
    /// For typing.
    pub text: Option<TextConditions>,
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

impl PlaceIs {
    /// A place of which nothing is told yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with how it suits talking.
    #[must_use]
    pub fn with_audio(mut self, audio: AudioConditions) -> Self {
        self.audio = Some(audio);
        self
    }

    /// The same with how it suits being seen.
    #[must_use]
    pub fn with_video(mut self, video: VideoConditions) -> Self {
        self.video = Some(video);
        self
    }

    /// The same with how it suits typing.
    #[must_use]
    pub fn with_text(mut self, text: TextConditions) -> Self {
        self.text = Some(text);
        self
    }
}

/// The first value that an element of this name has.
fn read_one<V: Value>(element: &Element, local: &str) -> Option<V> {
    let mut properties = element.elements_named(namespace::RPID, local);
    properties.find_map(|property| property.elements().find_map(|value| V::read(value, None)))
}

fn put_one<V: Value>(
    element: &mut Element,
    local: &'static str,
    value: Option<&V>,
) -> Result<(), ValueError> {
    if let Some(value) = value {
        let property = Element::new(namespace::RPID, local);
        element.push_child(property.with_child(value.to_element(local)?));
    }
    Ok(())
}

impl PlaceIs {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        let mut element = self.with_attributes()?;
        frame::put_notes(&mut element, &self.notes)?;
        put_one(&mut element, "audio", self.audio.as_ref())?;
        put_one(&mut element, "video", self.video.as_ref())?;
        put_one(&mut element, "text", self.text.as_ref())?;
        Ok(element)
    }
}

impl Extension for PlaceIs {
    const NAMESPACE: &'static str = namespace::RPID;
    const LOCAL: &'static str = "place-is";

    fn read(element: &Element) -> Option<Self> {
        let mut place = Self::read_attributes(element);
        place.notes = frame::read_notes(element);
        place.audio = read_one(element, "audio");
        place.video = read_one(element, "video");
        place.text = read_one(element, "text");
        Some(place)
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply(self, Self::fresh)
    }
}

impl ExtensionOf<Person> for PlaceIs {}

#[cfg(test)]
mod tests {
    use super::super::frame::testing::{read, writes};
    use super::*;

    #[test]
    fn places_are_read_and_written() {
        let place: PlaceIs = read(
            "<r:place-is> <r:text><r:ok/><r:unknown/></r:text><r:note>train</r:note>\
             <r:audio><r:loud/></r:audio><r:audio> <r:noisy/> </r:audio>\
             <r:audio><r:ok/></r:audio><r:video><x:ok/></r:video><x:smell/></r:place-is>",
        )
        .unwrap();
        let expected = PlaceIs::new()
            .with_audio(AudioConditions::Noisy)
            .with_text(TextConditions::Ok)
            .with_note("train");
        assert_eq!(place, expected);
        writes(
            &place.with_video(VideoConditions::TooBright),
            "<r:place-is><r:note>train</r:note><r:audio><r:noisy/></r:audio>\
             <r:video><r:toobright/></r:video><r:text><r:ok/></r:text></r:place-is>",
        );
        writes(&PlaceIs::new(), "<r:place-is/>");
    }
}
