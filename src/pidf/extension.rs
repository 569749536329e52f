//! Typed elements of other namespaces, and how they stand in what they extend.

use super::must_understand::Understood;
use super::{language, schema};
use crate::xml::{Element, excerpt};

/// A typed element that extends presence documents, of this crate or of its user.
///
/// Where it may stand is said by [`ExtensionOf`]. A document keeps elements as trees until
/// somebody asks for a type, and elements that nobody asks for stay what they were.
///
/// ```
/// use presentity::pidf::{Extension, ExtensionOf, Person, ValueError};
/// use presentity::xml::Element;
///
/// /// What somebody drinks.
/// #[derive(Debug, Clone, PartialEq)]
/// struct Drink(String);
///
/// impl Extension for Drink {
///     const NAMESPACE: &'static str = "urn:example:refreshments";
///     const LOCAL: &'static str = "drink";
///
///     fn read(element: &Element) -> Option<Self> {
///         Some(Self(element.attribute("kind")?.to_owned()))
///     }
///
///     fn to_element(&self) -> Result<Element, ValueError> {
///         Ok(Self::empty_element().with_attribute("kind", self.0.as_str()))
///     }
/// }
///
/// impl ExtensionOf<Person> for Drink {}
///
/// let person = Person::new("dora").with(&Drink("coffee".to_owned()))?;
/// assert_eq!(person.get::<Drink>(), Some(Drink("coffee".to_owned())));
/// # Ok::<(), ValueError>(())
/// ```
pub trait Extension: Sized {
    /// The namespace of the element.
    const NAMESPACE: &'static str;
    /// Its local name.
    const LOCAL: &'static str;

    /// The value of an element of that name; none when it says nothing usable.
    ///
    /// An element that a document has in something of a stated language has that language as its
    /// own attribute `xml:lang` here.
    fn read(element: &Element) -> Option<Self>;

    /// The element that stands for the value.
    ///
    /// # Errors
    ///
    /// The value may not be sent, for a reason that the error tells.
    fn to_element(&self) -> Result<Element, ValueError>;

    /// Which elements inside it are understood; one that must be and is not makes the whole
    /// extension unusable (RFC 3863, 4.2.3). By default those of its namespace; of one that this
    /// crate has types for only those that it is known to have.
    fn understands(namespace: &str, local: &str) -> bool {
        namespace == Self::NAMESPACE
            && (local == Self::LOCAL || schema::has_element(namespace, local))
    }

    /// Whether an element is one of this type, by its name. Of types that are met under names of
    /// older drafts too, those count as well when documents are read and elements replaced.
    fn is_named(element: &Element) -> bool {
        element.is(Self::NAMESPACE, Self::LOCAL)
    }

    /// An element of its name without content, to build on.
    fn empty_element() -> Element {
        Element::new(Self::NAMESPACE, Self::LOCAL)
    }
}

/// Says that an extension may stand in a `Parent`: a [`Presence`](super::Presence), a
/// [`Tuple`](super::Tuple), its [`Status`](super::Status), a [`Person`](super::Person) or a
/// [`Device`](super::Device).
pub trait ExtensionOf<Parent>: Extension {}

/// A value that no document may carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{element}: {value:?} is not {expected}")]
#[non_exhaustive]
pub struct ValueError {
    /// The element, or the attribute of it, that would carry the value.
    pub element: &'static str,
    /// The value, shortened.
    pub value: String,
    /// What it should have been.
    pub expected: &'static str,
}

impl ValueError {
    /// Says that `value` is not the `expected` that `element` asks for.
    pub fn new(element: &'static str, value: &str, expected: &'static str) -> Self {
        Self {
            element,
            value: excerpt(value),
            expected,
        }
    }
}

/// The typed values among the elements, which are in this language unless they say otherwise,
/// without those that may not be used by whoever understands what the type does and this.
pub(super) fn all<T: Extension>(
    elements: &[Element],
    language: Option<&str>,
    understood: Option<&Understood>,
) -> impl Iterator<Item = T> {
    let understands = move |namespace: &str, local: &str| {
        T::understands(namespace, local)
            || understood.is_some_and(|it| it.contains(namespace, local))
    };
    elements.iter().filter_map(move |element| {
        let usable = T::is_named(element) && Understood::may_use_by(element, &understands);
        usable.then(|| T::read(&language::within(element, language)))?
    })
}

/// Puts the elements where the first of their name was, or at the end; others of the name go.
pub(super) fn set<T: Extension>(
    elements: &mut Vec<Element>,
    new: Vec<Element>,
    language: Option<&str>,
) {
    let at = elements.iter().position(T::is_named);
    let mut before = Vec::new();
    elements.retain(|element| {
        let goes = T::is_named(element);
        if goes {
            before.push(element.clone());
        }
        !goes
    });
    let mut before = before.iter();
    let new = new.into_iter().map(|mut new| {
        language::take_back(&mut new, before.next(), language);
        new
    });
    let at = at.unwrap_or(elements.len());
    elements.splice(at..at, new);
}

/// Takes all elements of the name out and tells how many there were.
pub(super) fn remove<T: Extension>(elements: &mut Vec<Element>) -> usize {
    let before = elements.len();
    elements.retain(|element| !T::is_named(element));
    before.saturating_sub(elements.len())
}

/// Typed access to the field `extensions` of the types named.
macro_rules! typed_access {
    ($($parent:ty),+) => {$(
        impl $parent {
            /// The first extension of this type that says something usable.
            pub fn get<T: ExtensionOf<Self>>(&self) -> Option<T> {
                self.all::<T>().next()
            }

            /// All extensions of this type that say something usable, in their order.
            ///
            /// One that states no language (`xml:lang`) is read as if it stated that of what it
            /// stands in.
            pub fn all<T: ExtensionOf<Self>>(&self) -> impl Iterator<Item = T> {
                $crate::pidf::extension::all::<T>(&self.extensions, self.language(), None)
            }

            /// The first extension of this type that says something usable to a caller who
            /// understands more than the type does.
            pub fn get_with<T: ExtensionOf<Self>>(&self, understood: &Understood) -> Option<T> {
                self.all_with::<T>(understood).next()
            }

            /// All such extensions, in their order: [`Understood`] says what the caller looks at
            /// besides, in the fields of the type that keep elements of other namespaces.
            pub fn all_with<T: ExtensionOf<Self>>(
                &self,
                understood: &Understood,
            ) -> impl Iterator<Item = T> {
                let (extensions, language) = (&self.extensions, self.language());
                $crate::pidf::extension::all::<T>(extensions, language, Some(understood))
            }

            /// Its extensions of this expanded name, as trees, in their order.
            pub fn extensions_named<'a>(
                &'a self,
                namespace: &'a str,
                local: &'a str,
            ) -> impl Iterator<Item = &'a Element> {
                let extensions = self.extensions.iter();
                extensions.filter(move |extension| extension.is(namespace, local))
            }

            /// Puts the extension in the place of all those of its name, or at the end. Where several
            /// of a name may stand ([`all`](Self::all)), all but this one are gone then:
            /// [`set_all`](Self::set_all) keeps them.
            ///
            /// # Errors
            ///
            /// The value may not be sent; nothing is changed then.
            pub fn set<T: ExtensionOf<Self>>(&mut self, value: &T) -> Result<(), ValueError> {
                self.set_all(core::slice::from_ref(value))
            }

            /// Puts these extensions in the place of all those of their name, or at the end: what
            /// [`all`](Self::all) gave, with one of them changed, say.
            ///
            /// # Errors
            ///
            /// One of the values may not be sent; nothing is changed then.
            pub fn set_all<T: ExtensionOf<Self>>(&mut self, values: &[T]) -> Result<(), ValueError> {
                let elements: Result<Vec<_>, _> = values.iter().map(T::to_element).collect();
                let language = self.language().map(str::to_owned);
                let extensions = &mut self.extensions;
                $crate::pidf::extension::set::<T>(extensions, elements?, language.as_deref());
                Ok(())
            }

            /// Puts the extension at the end, beside those of its name.
            ///
            /// # Errors
            ///
            /// The value may not be sent; nothing is changed then.
            pub fn add<T: ExtensionOf<Self>>(&mut self, value: &T) -> Result<(), ValueError> {
                let mut element = value.to_element()?;
                $crate::pidf::language::take_back(&mut element, None, self.language());
                self.extensions.push(element);
                Ok(())
            }

            /// Takes out all extensions of this type, also those that say nothing usable, and
            /// tells how many there were.
            pub fn remove<T: ExtensionOf<Self>>(&mut self) -> usize {
                $crate::pidf::extension::remove::<T>(&mut self.extensions)
            }

            /// The same with the extension in the place of all those of its name.
            ///
            /// # Errors
            ///
            /// The value may not be sent.
            pub fn with<T: ExtensionOf<Self>>(mut self, value: &T) -> Result<Self, ValueError> {
                self.set(value)?;
                Ok(self)
            }
        }
    )+};
}

typed_access!(
    super::Presence,
    super::Tuple,
    super::Status,
    super::Person,
    super::Device
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pidf::caps::{Devcaps, Servcaps};
    use crate::pidf::rpid::{Mood, PlaceType};
    use crate::pidf::{Device, Person, Presence, Tuple};
    use crate::xml::namespace;

    #[derive(Debug, PartialEq)]
    struct Number(u8);

    impl Extension for Number {
        const NAMESPACE: &'static str = "urn:example:number";
        const LOCAL: &'static str = "number";

        fn read(element: &Element) -> Option<Self> {
            element.text().parse().ok().map(Self)
        }

        fn to_element(&self) -> Result<Element, ValueError> {
            if self.0 > 100 {
                return Err(ValueError::new(
                    "number",
                    &self.0.to_string(),
                    "a number up to 100",
                ));
            }
            Ok(Self::empty_element().with_text(self.0.to_string()))
        }
    }

    impl ExtensionOf<Tuple> for Number {}
    impl ExtensionOf<Presence> for Number {}

    fn number(text: &str) -> Element {
        Number::empty_element().with_text(text)
    }

    #[test]
    fn the_first_usable_value_is_taken_and_the_place_kept() {
        let other = Element::new("urn:example:other", "number").with_text("1");
        let mut tuple = Tuple::open("a");
        tuple.extensions = vec![
            other.clone(),
            number("x"),
            number("2"),
            other.clone(),
            number("3"),
        ];
        assert_eq!(tuple.get::<Number>(), Some(Number(2)));
        let all: Vec<Number> = tuple.all().collect();
        assert_eq!(all, [Number(2), Number(3)]);
        let named = tuple.extensions_named(Number::NAMESPACE, Number::LOCAL);
        let texts: Vec<String> = named.map(|element| element.text().into_owned()).collect();
        assert_eq!(texts, ["x", "2", "3"]);

        let before = tuple.clone();
        let refused = tuple.set(&Number(101)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "number: \"101\" is not a number up to 100"
        );
        assert_eq!(tuple, before);
        assert!(tuple.add(&Number(101)).is_err());
        assert_eq!(tuple, before);

        tuple.set(&Number(4)).unwrap();
        assert_eq!(
            tuple.extensions,
            [other.clone(), number("4"), other.clone()]
        );
        tuple.add(&Number(5)).unwrap();
        assert_eq!(tuple.extensions.len(), 4);
        assert_eq!(tuple.remove::<Number>(), 2);
        assert_eq!(tuple.extensions, [other.clone(), other]);
        assert_eq!(tuple.get::<Number>(), None);
    }

    // PIDF-24, PIDF-25
    #[test]
    fn who_understands_more_than_the_type_may_use_more() {
        let mut marked = Element::new("urn:example:more", "precision");
        Understood::require(&mut marked);
        let mut tuple = Tuple::open("a");
        tuple.extensions = vec![number("1").with_child(marked), number("2")];
        let more = Understood::core().with_element("urn:example:more", "precision");
        assert_eq!(tuple.get::<Number>(), Some(Number(2)));
        assert_eq!(
            tuple.get_with::<Number>(&Understood::core()),
            Some(Number(2))
        );
        assert_eq!(tuple.get_with::<Number>(&more), Some(Number(1)));
        assert_eq!(tuple.all_with::<Number>(&more).count(), 2);
    }

    // PIDF-24: of a known namespace a type does not understand what that does not have.
    #[test]
    fn types_of_known_namespaces_understand_known_names() {
        let person = |value: &str| {
            let mut value = Element::new(namespace::RPID, value);
            Understood::require(&mut value);
            let happy = Element::new(namespace::RPID, "happy");
            let mood = Element::new(namespace::RPID, "mood").with_child(happy);
            Person::new("a").with_extension(mood.with_child(value))
        };
        assert!(person("sad").get::<Mood>().is_some());
        assert_eq!(person("zesty").get::<Mood>(), None);
        let more = Understood::core().with_namespace(namespace::RPID);
        assert!(person("zesty").get_with::<Mood>(&more).is_some());

        let caps = |local: &str, child: Element| {
            let mut child = child;
            Understood::require(&mut child);
            Element::new(namespace::CAPS, local).with_child(child)
        };
        for (namespace, local, understood) in [
            (namespace::CAPS, "video", true),
            (namespace::CAPS, "zesty", false),
            (namespace::CERTS, "certs", true),
            (namespace::CERTS, "zesty", false),
        ] {
            let caps = caps("servcaps", Element::new(namespace, local));
            let tuple = Tuple::open("a").with_extension(caps);
            assert_eq!(tuple.get::<Servcaps>().is_some(), understood, "{local}");
        }
        let certs = Element::new(namespace::CERTS, "certs");
        let zesty = Element::new(namespace::CAPS, "zesty");
        let hidden = caps("servcaps", zesty).with_child(certs);
        let tuple = Tuple::open("a").with_extension(hidden);
        assert_eq!(tuple.certs().count(), 0);
        for (local, understood) in [("mobility", true), ("zesty", false)] {
            let caps = caps("devcaps", Element::new(namespace::CAPS, local));
            let device = Device::default().with_extension(caps);
            assert_eq!(device.get::<Devcaps>().is_some(), understood, "{local}");
        }
        for (namespace, local, understood) in [
            (namespace::RPID, "other", true),
            (namespace::RPID, "zesty", false),
            (namespace::LOCATION_TYPE, "zesty", true),
        ] {
            let mut place = Element::new(namespace, local);
            Understood::require(&mut place);
            let bus = Element::new(namespace::LOCATION_TYPE, "bus");
            let places = Element::new(namespace::RPID, "place-type").with_child(bus);
            let person = Person::new("a").with_extension(places.with_child(place));
            assert_eq!(person.get::<PlaceType>().is_some(), understood, "{local}");
        }
    }

    // PIDF-24
    #[test]
    fn what_has_to_be_understood_and_is_not_hides_the_extension_around_it() {
        let mut marked = Element::new("urn:example:more", "precision");
        Understood::require(&mut marked);
        let mut presence = Presence::new("sip:dora@example.com");
        presence.extensions = vec![number("1").with_child(marked.clone()), number("2")];
        assert_eq!(presence.get::<Number>(), Some(Number(2)));
        assert_eq!(
            marked.attributes.get(namespace::PIDF, "mustUnderstand"),
            Some("true")
        );
    }
}
