//! What elements of rich presence have around their values: ids, notes and foreign attributes.

use crate::pidf::lexical::is_language;
use crate::pidf::{Note, ValueError};
use crate::xml::{Attributes, Element, Name, excerpt, is_nc_name, namespace, trim};

/// The id of an element, whatever it is (RFC 4480, 3.1).
pub(super) fn read_id(element: &Element) -> Option<String> {
    let id = trim(element.attribute("id")?);
    (!id.is_empty()).then(|| id.to_owned())
}

/// Writes the id, which has to be an xs:ID.
pub(super) fn put_id(element: &mut Element, id: Option<&str>) -> Result<(), ValueError> {
    let Some(id) = id else {
        return Ok(());
    };
    if !is_nc_name(id) {
        return Err(ValueError::new("id", id, "an xs:ID"));
    }
    element.attributes.set(Name::new("", "id"), id);
    Ok(())
}

/// The attributes that nobody asked for. The language goes to what is in that language; and those
/// that say how a schema is to be applied stay with the element.
pub(super) fn read_others(element: &Element, own: &[&str]) -> Attributes {
    let others = element.attributes.iter();
    others
        .filter(|attribute| is_other(&attribute.name, own))
        .cloned()
        .collect()
}

/// Writes the attributes that have no field of their own.
pub(super) fn put_others(
    element: &mut Element,
    others: &Attributes,
    own: &[&str],
) -> Result<(), ValueError> {
    for attribute in others {
        if !is_other(&attribute.name, own) {
            let name = attribute.name.to_string();
            let expected = "the name of an attribute without a field of its own";
            return Err(ValueError::new("attributes", &name, expected));
        }
        let value = attribute.value.as_str();
        element.attributes.set(attribute.name.clone(), value);
    }
    Ok(())
}

fn is_other(name: &Name, own: &[&str]) -> bool {
    match (name.namespace(), name.local()) {
        ("", local) => !own.contains(&local),
        (namespace::XML, "lang") | (namespace::XSI, _) => false,
        _ => true,
    }
}

/// The language of an element's content, if it says so.
pub(in crate::pidf) fn lang(element: &Element) -> Option<&str> {
    read_lang(element.attributes.get(namespace::XML, "lang")?)
}

fn read_lang(text: &str) -> Option<&str> {
    Some(trim(text)).filter(|tag| is_language(tag))
}

/// Text for people with its language, or that of the element around it.
pub(super) fn read_note(element: &Element, around: Option<&str>) -> Note {
    let mut note = Note::new(element.text());
    note.lang = match element.attributes.get(namespace::XML, "lang") {
        Some(own) => read_lang(own),
        None => around,
    }
    .map(str::to_owned);
    note
}

/// The element `local` with text for people in it, which has no attributes but its language.
pub(super) fn note_element(local: &'static str, note: &Note) -> Result<Element, ValueError> {
    if let Some(attribute) = note.attributes.iter().next() {
        let name = attribute.name.to_string();
        return Err(ValueError::new(local, &name, "an attribute it may have"));
    }
    let mut element = Element::new(namespace::RPID, local).with_text(note.text.as_str());
    put_lang(&mut element, note.lang.as_deref())?;
    Ok(element)
}

/// Writes the language of an element's text.
pub(in crate::pidf) fn put_lang(
    element: &mut Element,
    lang: Option<&str>,
) -> Result<(), ValueError> {
    let Some(tag) = lang else {
        return Ok(());
    };
    if !is_language(tag) {
        return Err(ValueError::new("xml:lang", tag, "a language tag"));
    }
    let name = Name::with_prefix(namespace::XML, "lang", "xml");
    element.attributes.set(name, tag);
    Ok(())
}

/// The notes in an element (RFC 4480, 3.1).
pub(super) fn read_notes(element: &Element) -> Vec<Note> {
    let around = lang(element);
    element
        .elements_named(namespace::RPID, "note")
        .map(|note| read_note(note, around))
        .collect()
}

/// Writes notes, which come before everything else in an element.
pub(super) fn put_notes(element: &mut Element, notes: &[Note]) -> Result<(), ValueError> {
    for note in notes {
        element.push_child(note_element("note", note)?);
    }
    Ok(())
}

/// Whether the element is of another namespace.
pub(super) fn is_foreign(element: &Element) -> bool {
    !matches!(element.namespace(), "" | namespace::RPID)
}

/// An element of another namespace. Its content is in the language around it when nothing else
/// is said.
pub(in crate::pidf) fn read_foreign(element: &Element, around: Option<&str>) -> Element {
    let mut foreign = element.clone();
    if let Some(lang) = around
        && element.children().next().is_some()
        && element.attributes.get(namespace::XML, "lang").is_none()
    {
        let name = Name::with_prefix(namespace::XML, "lang", "xml");
        foreign.attributes.set(name, lang);
    }
    foreign
}

/// An element of another namespace, where `within` takes such.
pub(super) fn put_foreign(within: &'static str, element: &Element) -> Result<Element, ValueError> {
    if !is_foreign(element) || !is_nc_name(element.local()) {
        let name = excerpt(&element.name().to_string());
        let expected = "the name of an element of another namespace";
        return Err(ValueError::new(within, &name, expected));
    }
    Ok(element.clone())
}

/// Methods of the types named, which have notes.
macro_rules! noted {
    ($($owner:ty),+) => {$(
        impl $owner {
            /// The same with one more note.
            #[must_use]
            pub fn with_note(mut self, note: impl Into<$crate::pidf::Note>) -> Self {
                self.notes.push(note.into());
                self
            }
        }
    )+};
}

noted!(
    super::Activities,
    super::Mood,
    super::PlaceIs,
    super::PlaceType,
    super::Privacy,
    super::Relationship,
    super::ServiceClass
);

/// Methods of the types named, which have elements of other namespaces.
macro_rules! extended {
    ($($owner:ty),+) => {$(
        impl $owner {
            /// The same with one more element of another namespace.
            #[must_use]
            pub fn with_extension(mut self, extension: Element) -> Self {
                self.extensions.push(extension);
                self
            }
        }
    )+};
}

extended!(
    super::Privacy,
    super::Relationship,
    super::ServiceClass,
    super::Sphere
);

#[cfg(test)]
pub(in crate::pidf) mod testing {
    use crate::pidf::Extension;
    use crate::xml::{Element, XmlLimits};

    /// An element in a document that binds `r`, `x`, `lt`, `c` and `p` to namespaces.
    pub(in crate::pidf) fn tree(inside: &str) -> Element {
        let document = format!(
            "<all xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' xmlns:x='urn:example:x' \
             xmlns:lt='urn:ietf:params:xml:ns:location-type' \
             xmlns:c='urn:ietf:params:xml:ns:pidf:cipid' \
             xmlns:p='urn:ietf:params:xml:ns:pidf'>{inside}</all>"
        );
        let all = Element::read(document.as_bytes(), &XmlLimits::default()).unwrap();
        all.elements().next().unwrap().clone()
    }

    pub(in crate::pidf) fn read<T: Extension>(inside: &str) -> Option<T> {
        T::read(&tree(inside))
    }

    /// What is written of it is this element, and means the same.
    pub(in crate::pidf) fn writes<T>(value: &T, expected: &str)
    where
        T: Extension + PartialEq + std::fmt::Debug,
    {
        let element = value.to_element().unwrap();
        assert_eq!(element, tree(expected));
        assert_eq!(T::read(&element).as_ref(), Some(value));
    }

    pub(in crate::pidf) fn refuses<T: Extension>(value: &T) -> String {
        match value.to_element() {
            Err(refused) => refused.to_string(),
            Ok(element) => panic!("{element:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{read, refuses, tree, writes};
    use super::*;
    use crate::pidf::rpid::{Activities, Activity, StatusIcon};

    #[test]
    fn notes_are_in_the_language_around_them_or_in_their_own() {
        let read: Activities = read(
            "<r:activities xml:lang='de'><r:busy/><r:note>eins</r:note>\
             <r:note xml:lang=' en '>two</r:note><r:note xml:lang=''>3</r:note>\
             <p:note>not of this namespace</p:note></r:activities>",
        )
        .unwrap();
        let notes: Vec<_> = read
            .notes
            .iter()
            .map(|note| (note.text.as_str(), note.lang.as_deref()))
            .collect();
        assert_eq!(
            notes,
            [("eins", Some("de")), ("two", Some("en")), ("3", None)]
        );
        writes(
            &read,
            "<r:activities><r:note xml:lang='de'>eins</r:note><r:note xml:lang='en'>two</r:note>\
             <r:note>3</r:note><r:busy/><p:note xml:lang='de'>not of this namespace</p:note>\
             </r:activities>",
        );
    }

    #[test]
    fn foreign_attributes_stay() {
        let icon: StatusIcon = read(
            "<r:status-icon x:size='9' plain='1' id=' i1 ' \
             xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='x:y' \
             xml:lang='?'>https://example.com/</r:status-icon>",
        )
        .unwrap();
        assert_eq!(icon.id.as_deref(), Some("i1"));
        assert_eq!(icon.attributes.len(), 2);
        writes(
            &icon,
            "<r:status-icon x:size='9' plain='1' id=' i1 ' \
             xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='x:y'>\
             https://example.com/</r:status-icon>",
        );
    }

    #[test]
    fn what_may_not_be_written() {
        let busy = || Activities::of([Activity::Busy]);
        let refused = refuses(&busy().with_note(Note::new("x").in_language("e n")));
        assert_eq!(refused, "xml:lang: \"e n\" is not a language tag");
        assert_eq!(refuses(&busy().with_id("1")), "id: \"1\" is not an xs:ID");
        let mut note = Note::new("x");
        note.attributes.set(Name::new("", "kind"), "y");
        assert!(refuses(&busy().with_note(note)).starts_with("note"));
        for element in ["<r:zesty/>", "<all xmlns=''/>"] {
            let foreign = Activity::Foreign(tree(element));
            assert!(refuses(&Activities::of([foreign])).starts_with("activities"));
        }
        let unnamed = Element::new("urn:example:x", "a b");
        refuses(&Activities::of([Activity::Foreign(unnamed)]));
        // What has a field of its own is not taken from elsewhere, nor is a language.
        for name in [Name::new("", "id"), Name::new(namespace::XML, "lang")] {
            let mut twice = busy().with_id("a");
            twice.attributes.set(name, "b");
            assert!(refuses(&twice).starts_with("attributes"));
        }
    }
}
