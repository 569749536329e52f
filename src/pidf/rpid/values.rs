//! Values that are elements: a table of names, text for people, elements of other namespaces.

use super::frame;
use crate::pidf::{Note, ValueError};
use crate::xml::{Element, namespace};

/// A value that is written as an element.
pub(super) trait Value: Sized {
    /// The value of an element, in this language unless it says otherwise. None for a name that
    /// is not known, which is passed over (RFC 3863, 4.2.3).
    fn read(element: &Element, lang: Option<&str>) -> Option<Self>;

    /// The element, to stand in the element `within`.
    fn to_element(&self, within: &'static str) -> Result<Element, ValueError>;
}

/// Makes an enumeration of elements of the namespace of rich presence, with their names.
macro_rules! values {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$doc:meta])* $variant:ident = $wire:literal $(also $alias:literal)?,)+
        }
        $(text $text:ident;)?
        $(foreign $foreign:ident;)?
    ) => {
        $crate::pidf::named_values::named_values! {
            $(#[$meta])*
            pub enum $name {
                $($(#[$doc])* $variant = $wire $(also $alias)?,)+
            }
            $(
                /// `other`: what none of the names says, in words for people.
                $text($crate::pidf::Note) as $crate::pidf::rpid::values::name_of_text;
            )?
            $(
                /// An element of another namespace (RFC 4480, 6).
                $foreign($crate::xml::Element) as $crate::xml::Element::local;
            )?
        }

        $(
            impl $name {
                /// What none of the names says, in words for people.
                pub fn other(text: impl Into<$crate::pidf::Note>) -> Self {
                    Self::$text(text.into())
                }
            }
        )?

        impl $crate::pidf::rpid::values::Value for $name {
            fn read(element: &$crate::xml::Element, _lang: Option<&str>) -> Option<Self> {
                const FOREIGN: &[fn($crate::xml::Element) -> $name] = &[$($name::$foreign)?];
                match (element.namespace(), element.local()) {
                    $(($crate::xml::namespace::RPID, "other") => {
                        let note = $crate::pidf::rpid::frame::read_note(element, _lang);
                        Some(Self::$text(note))
                    })?
                    ($crate::xml::namespace::RPID, name) => Self::from_name(name),
                    ("", _) => None,
                    _ => FOREIGN.first().map(|foreign| {
 foreign($crate::pidf::rpid::frame::read_foreign(element, _lang))
 }),
                }
            }

            fn to_element(
                &self,
                _within: &'static str,
            ) -> Result<$crate::xml::Element, $crate::pidf::ValueError> {
                match self {
                    $(Self::$text(note) => {
                        $crate::pidf::rpid::frame::note_element("other", note)
                    })?
                    $(Self::$foreign(element) => {
                        $crate::pidf::rpid::frame::put_foreign(_within, element)
                    })?
                    named => Ok($crate::xml::Element::new(
                        $crate::xml::namespace::RPID,
                        named.as_str(),
                    )),
                }
            }
        }
    };
}

pub(super) use values;

/// Of all texts for people.
pub(super) fn name_of_text(_: &Note) -> &str {
    "other"
}

/// The values in an element that takes a list of them. `unknown` beside others says nothing.
pub(super) fn read_list<V: Value>(element: &Element) -> Vec<V> {
    let lang = frame::lang(element);
    let mut values = Vec::new();
    let mut unknown = None;
    for child in element.elements() {
        let value = V::read(child, lang);
        if is_unknown(child) {
            unknown = unknown.or(value);
        } else {
            values.extend(value);
        }
    }
    if values.is_empty() {
        values.extend(unknown);
    }
    values
}

/// Writes a list of values.
pub(super) fn put_list<V: Value>(
    element: &mut Element,
    within: &'static str,
    values: &[V],
) -> Result<(), ValueError> {
    for value in values {
        let child = value.to_element(within)?;
        if is_unknown(&child) && values.len() > 1 {
            let expected = "a value that others stand beside";
            return Err(ValueError::new(within, "unknown", expected));
        }
        element.push_child(child);
    }
    Ok(())
}

fn is_unknown(element: &Element) -> bool {
    element.is(namespace::RPID, "unknown")
}

/// The first value in an element that takes one of them; when it is of another namespace, the
/// elements of other namespaces after it as well.
pub(super) fn read_choice<V: Value>(element: &Element) -> Option<(V, Vec<Element>)> {
    let lang = frame::lang(element);
    let mut children = element.elements();
    let (value, is_foreign) = children.find_map(|child| {
        let value = V::read(child, lang)?;
        Some((value, frame::is_foreign(child)))
    })?;
    let extensions = children
        .filter(|child| is_foreign && frame::is_foreign(child))
        .map(|child| frame::read_foreign(child, lang))
        .collect();
    Some((value, extensions))
}

/// Writes one value and, when it is of another namespace, further such elements.
pub(super) fn put_choice<V: Value>(
    element: &mut Element,
    within: &'static str,
    value: &V,
    extensions: &[Element],
) -> Result<(), ValueError> {
    let child = value.to_element(within)?;
    if !frame::is_foreign(&child) && !extensions.is_empty() {
        let expected = "a value that others stand beside";
        return Err(ValueError::new(within, child.local(), expected));
    }
    element.push_child(child);
    for more in extensions {
        element.push_child(frame::put_foreign(within, more)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pidf::rpid::{
        Activity, AudioConditions, MoodValue, RelationshipKind, ServiceKind, SphereKind,
        TextConditions, VideoConditions,
    };

    fn all_names<V: Value + PartialEq + std::fmt::Debug>(
        named: &[V],
        name: impl Fn(&V) -> &str,
    ) -> usize {
        let mut names: Vec<&str> = Vec::new();
        for value in named {
            let element = value.to_element("x").unwrap();
            assert_eq!(element, Element::new(namespace::RPID, name(value)));
            assert_eq!(V::read(&element, None).as_ref(), Some(value));
            assert!(!names.contains(&name(value)));
            names.push(name(value));
        }
        for no_value in [
            Element::new(namespace::RPID, "note"),
            Element::new(namespace::RPID, "zesty"),
            Element::new("", names[0]),
        ] {
            assert_eq!(V::read(&no_value, None), None);
        }
        names.len()
    }

    #[test]
    fn every_name_is_written_and_read() {
        assert_eq!(all_names(Activity::NAMED, Activity::as_str), 25);
        assert_eq!(all_names(MoodValue::NAMED, MoodValue::as_str), 60);
        assert_eq!(
            all_names(AudioConditions::NAMED, AudioConditions::as_str),
            4
        );
        assert_eq!(
            all_names(VideoConditions::NAMED, VideoConditions::as_str),
            4
        );
        assert_eq!(all_names(TextConditions::NAMED, TextConditions::as_str), 4);
        assert_eq!(
            all_names(RelationshipKind::NAMED, RelationshipKind::as_str),
            7
        );
        assert_eq!(all_names(ServiceKind::NAMED, ServiceKind::as_str), 6);
        assert_eq!(all_names(SphereKind::NAMED, SphereKind::as_str), 3);
    }

    #[test]
    fn a_list_of_names_alone_takes_no_other_elements() {
        let foreign = Element::new("urn:example:x", "ok");
        assert_eq!(<AudioConditions as Value>::read(&foreign, None), None);
        let foreign = <Activity as Value>::read(&foreign, None).unwrap();
        assert_eq!(foreign.as_str(), "ok");
        assert_eq!(Activity::from_name("other"), None);
    }
}
