//! The language of what a document says to people (XML 1.0, 2.12; RFC 3863, 4.1.6).

use std::borrow::Cow;

use super::device::Device;
use super::lexical::{LONGEST_LANGUAGE, is_language};
use super::note::Note;
use super::person::Person;
use super::presence::Presence;
use super::tuple::{Status, Tuple};
use crate::xml::{Attributes, Element, Name, namespace, trim};

/// The language that these attributes state, unless it is longer than any may be.
pub(super) fn stated(attributes: &Attributes) -> Option<&str> {
    let tag = trim(attributes.get(namespace::XML, "lang")?);
    (tag.len() <= LONGEST_LANGUAGE).then_some(tag)
}

/// The element, saying itself that it is in the language around it when it says nothing else: itself,
/// or where it may not, its notes.
pub(super) fn within<'e>(element: &'e Element, around: Option<&str>) -> Cow<'e, Element> {
    let Some(tag) = around.filter(|tag| !tag.is_empty()) else {
        return Cow::Borrowed(element);
    };
    if states_any(&element.attributes) {
        return Cow::Borrowed(element);
    }
    match (element.namespace(), element.local()) {
        // They say nothing to people, and the schemas allow no attribute.
        (namespace::RPID, "class")
        | (namespace::DATA_MODEL, "deviceID")
        | (namespace::CIPID, "card" | "homepage" | "icon" | "map" | "sound") => {
            Cow::Borrowed(element)
        }
        _ if is_mute(element) => {
            let mut element = element.clone();
            for note in element.elements_mut().filter(|child| is_note(child)) {
                give(&mut note.attributes, tag);
            }
            Cow::Owned(element)
        }
        _ => {
            let mut element = element.clone();
            give(&mut element.attributes, tag);
            Cow::Owned(element)
        }
    }
}

/// Takes back from a new element what [`within`] gave to the one that it was made of: the language
/// around it goes without saying, unless the one before it said so.
pub(super) fn take_back(new: &mut Element, before: Option<&Element>, around: Option<&str>) {
    if around.is_none() {
        return;
    }
    let unless_said = |new: &mut Element, before: Option<&Element>| {
        let said_before = before.is_some_and(|before| states_any(&before.attributes));
        if stated(&new.attributes) == around && !said_before {
            new.attributes.remove(namespace::XML, "lang");
        }
    };
    unless_said(new, before);
    if is_mute(new) {
        let notes_before = before.into_iter().flat_map(notes);
        let mut notes_before = notes_before.map(Some).chain(core::iter::repeat(None));
        for note in new.elements_mut().filter(|child| is_note(child)) {
            unless_said(note, notes_before.next().flatten());
        }
    }
}

/// May not state a language itself, though its notes may.
fn is_mute(element: &Element) -> bool {
    element.namespace() == namespace::RPID
        && matches!(element.local(), "relationship" | "service-class")
}

fn is_note(element: &Element) -> bool {
    element.is(namespace::RPID, "note")
}

fn notes(element: &Element) -> impl Iterator<Item = &Element> {
    element.elements().filter(|child| is_note(child))
}

fn states_any(attributes: &Attributes) -> bool {
    attributes.get(namespace::XML, "lang").is_some()
}

fn give(attributes: &mut Attributes, tag: &str) {
    if !states_any(attributes) {
        attributes.set(Name::with_prefix(namespace::XML, "lang", "xml"), tag);
    }
}

/// The languages of what holds others.
macro_rules! languages {
    ($($holder:ty),+) => {$(
        impl $holder {
            /// The language of all in it that states no other: its attribute `xml:lang`, a tag of
            /// RFC 5646, without white space around it. Empty: explicitly none.
            ///
            /// None where it states none, so that what is around it decides, and where what it
            /// states has more octets than any tag, 35.
            ///
            /// ```
            /// use presentity::pidf::Presence;
            ///
            /// let document = Presence::read(
            ///     b"<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:dora@example.com'
            ///       xml:lang='de'><note>Bin essen</note></presence>",
            /// )?;
            /// let note = &document.notes[0];
            /// assert_eq!(note.lang.as_deref().or(document.language()), Some("de"));
            /// # Ok::<(), presentity::pidf::ReadError>(())
            /// ```
            pub fn language(&self) -> Option<&str> {
                $crate::pidf::language::stated(&self.attributes)
            }
        }
    )+};
}

languages!(
    super::Presence,
    super::Tuple,
    super::Status,
    super::Person,
    super::Device
);

impl Presence {
    /// Takes the language of the whole document off its root and gives it to each of its notes,
    /// tuples, persons, devices and extensions that states none of its own.
    ///
    /// For whoever moves parts of a document into another one, or looks at them by themselves. A
    /// language that is longer than any tag may be goes to nobody, and what is no tag to no note.
    ///
    /// ```
    /// use presentity::pidf::Presence;
    ///
    /// let mut document = Presence::read(
    ///     b"<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:dora@example.com'
    ///       xml:lang='de'><note>Bin essen</note><note xml:lang='en'>Lunch</note></presence>",
    /// )?;
    /// document.hand_down_language();
    /// assert_eq!(document.language(), None);
    /// assert_eq!(document.notes[0].lang.as_deref(), Some("de"));
    /// assert_eq!(document.notes[1].lang.as_deref(), Some("en"));
    /// # Ok::<(), presentity::pidf::ReadError>(())
    /// ```
    pub fn hand_down_language(&mut self) {
        let Some(taken) = self.attributes.remove(namespace::XML, "lang") else {
            return;
        };
        let tag = trim(&taken.value);
        if tag.is_empty() || tag.len() > LONGEST_LANGUAGE {
            return;
        }
        give_notes(&mut self.notes, tag);
        let tuples = self.tuples.iter_mut().map(|it| &mut it.attributes);
        let persons = self.persons.iter_mut().map(|it| &mut it.attributes);
        let devices = self.devices.iter_mut().map(|it| &mut it.attributes);
        let extensions = self.extensions.iter_mut().map(|it| &mut it.attributes);
        let parts = tuples.chain(persons).chain(devices).chain(extensions);
        parts.for_each(|attributes| give(attributes, tag));
    }
}

/// Only what a note may state: one that states anything else was read so, or is not written.
fn give_notes(notes: &mut [Note], tag: &str) {
    if is_language(tag) {
        for note in notes {
            note.lang.get_or_insert_with(|| tag.to_owned());
        }
    }
}

/// The language of a part, taken off it and given to its notes and extensions that state none of their
/// own.
fn hand_down(
    attributes: &mut Attributes,
    notes: &mut [Note],
    extensions: &mut [Element],
) -> Option<String> {
    let taken = attributes.remove(namespace::XML, "lang")?;
    let tag = trim(&taken.value);
    if tag.is_empty() || tag.len() > LONGEST_LANGUAGE {
        return None;
    }
    give_notes(notes, tag);
    for extension in extensions {
        if let Cow::Owned(spoken) = within(extension, Some(tag)) {
            *extension = spoken;
        }
    }
    Some(tag.to_owned())
}

impl Tuple {
    /// Takes the language of the tuple off it and gives it to what is in it, so that this may be moved
    /// to another one.
    pub(crate) fn hand_down_language(&mut self) {
        let tag = hand_down(&mut self.attributes, &mut self.notes, &mut self.extensions);
        if let Some(tag) = tag {
            give(&mut self.status.attributes, &tag);
        }
        self.status.hand_down_language();
    }
}

impl Status {
    fn hand_down_language(&mut self) {
        hand_down(&mut self.attributes, &mut [], &mut self.extensions);
    }
}

impl Person {
    /// Takes the language of the person off it and gives it to what is in it.
    pub(crate) fn hand_down_language(&mut self) {
        hand_down(&mut self.attributes, &mut self.notes, &mut self.extensions);
    }
}

impl Device {
    /// Takes the language of the device off it and gives it to what is in it.
    pub(crate) fn hand_down_language(&mut self) {
        hand_down(&mut self.attributes, &mut self.notes, &mut self.extensions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pidf::DeviceId;

    fn spoken(attributes: &mut Attributes, tag: &str) {
        attributes.set(Name::new(namespace::XML, "lang"), tag);
    }

    /// Two of everything, the second of which is in English.
    fn document(tag: &str) -> Presence {
        let mut document = Presence::new("sip:dora@example.com")
            .with_note("1")
            .with_note(Note::new("2").in_language("en"));
        for id in ["1", "2"] {
            let device = Device::new(id, DeviceId::new("urn:example:desk").unwrap());
            document.tuples.push(Tuple::open(id));
            document.persons.push(Person::new(id));
            document.devices.push(device);
            document.extensions.push(Element::new("urn:example:x", "e"));
        }
        spoken(&mut document.tuples[1].attributes, "en");
        spoken(&mut document.persons[1].attributes, "en");
        spoken(&mut document.devices[1].attributes, "en");
        spoken(&mut document.extensions[1].attributes, "en");
        spoken(&mut document.attributes, tag);
        document
    }

    fn languages(document: &Presence) -> Vec<Option<&str>> {
        let notes = document.notes.iter().map(|note| note.lang.as_deref());
        let tuples = document.tuples.iter().map(Tuple::language);
        let persons = document.persons.iter().map(Person::language);
        let devices = document.devices.iter().map(Device::language);
        let extensions = document.extensions.iter().map(|it| stated(&it.attributes));
        let parts = tuples.chain(persons).chain(devices).chain(extensions);
        notes.chain(parts).collect()
    }

    // PIDF-18
    #[test]
    fn a_language_goes_to_whatever_states_none() {
        let mut spoken = document(" de\n");
        assert_eq!(spoken.language(), Some("de"));
        assert_eq!(languages(&spoken), [None, Some("en")].repeat(5));
        spoken.hand_down_language();
        assert_eq!(spoken.language(), None);
        assert!(spoken.attributes.is_empty());
        assert_eq!(languages(&spoken), [Some("de"), Some("en")].repeat(5));
        let before = spoken.clone();
        spoken.hand_down_language();
        assert_eq!(spoken, before);
    }

    // SEC-39
    #[test]
    fn an_odd_language_keeps_no_document_from_being_written() {
        let mut spoken = document("en_GB");
        spoken.tuples[0].notes.push(Note::new("3"));
        spoken.persons[0].notes.push(Note::new("4"));
        spoken.repair();
        assert!(spoken.write().is_ok());
        spoken.hand_down_language();
        assert!(spoken.write().is_ok());
        spoken.tuples[0].hand_down_language();
        spoken.persons[0].hand_down_language();
        spoken.devices[0].hand_down_language();
        assert!(spoken.write().is_ok());
    }

    // SEC-39
    #[test]
    fn what_is_no_language_goes_to_nobody() {
        for tag in ["", " ", &"x".repeat(36), &"x".repeat(64)] {
            let mut spoken = document(tag);
            spoken.hand_down_language();
            assert!(spoken.attributes.is_empty());
            assert_eq!(languages(&spoken), [None, Some("en")].repeat(5));
        }
        assert_eq!(document(&"x".repeat(36)).language(), None);
        assert_eq!(document("").language(), Some(""));
    }
}
