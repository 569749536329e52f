//! What is supported and what is not, side by side.

use std::collections::HashSet;

use super::values::Token;
use super::{is_caps, named};
use crate::pidf::extension::ValueError;
use crate::pidf::lexical::is_language;
use crate::xml::{Element, trim};

/// Keeps others from implementing [`Capability`].
pub trait Sealed {}

/// A value of a list of capabilities: one of the enums of this module, a [`String`] (schemes and
/// languages) or a [`PriorityRange`](super::PriorityRange).
pub trait Capability: Sealed {
    /// What can be asked for in a list of them: the value itself; text for strings, whose case does
    /// not matter; a priority for ranges of priorities.
    type Question: ?Sized;

    /// Whether the value is, or covers, what is asked for.
    fn answers(&self, question: &Self::Question) -> bool;
}

/// How values are read and written.
///
/// `parent` is the name of the element around the lists.
pub(super) trait Listed: Capability + Sized {
    /// The value of an element of the list; none when it says nothing.
    fn read(element: &Element) -> Option<Self>;

    /// Whether a document may carry it.
    fn may_write(&self, parent: &'static str) -> Result<(), ValueError>;

    /// Puts all of them, which have been checked, into the list in the order of the schema.
    fn write_all(values: &[Self], parent: &'static str, out: &mut Element);
}

/// What is known to be supported and what is known not to be (RFC 5196, 4.1).
///
/// Each value is written once, those with a name in the order of the schema. Nothing is written of what
/// says nothing.
///
/// ```
/// use presentity::pidf::caps::{Method, Support};
///
/// let methods = Support::of([Method::Invite]).without([Method::Refer]);
/// assert_eq!(methods.supports(&Method::Invite), Some(true));
/// assert_eq!(methods.supports(&Method::Refer), Some(false));
/// assert_eq!(methods.supports(&Method::Message), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Support<V> {
    /// Said to be supported.
    pub supported: Vec<V>,
    /// Said not to be supported.
    pub notsupported: Vec<V>,
}

impl<V> Default for Support<V> {
    fn default() -> Self {
        Self {
            supported: Vec::new(),
            notsupported: Vec::new(),
        }
    }
}

impl<V> Support<V> {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// These are supported.
    pub fn of(supported: impl IntoIterator<Item = V>) -> Self {
        Self {
            supported: supported.into_iter().collect(),
            notsupported: Vec::new(),
        }
    }

    /// And these are not.
    #[must_use]
    pub fn without(mut self, notsupported: impl IntoIterator<Item = V>) -> Self {
        self.notsupported.extend(notsupported);
        self
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.supported.is_empty() && self.notsupported.is_empty()
    }
}

impl<V: Capability> Support<V> {
    /// Whether it is supported, as far as that is said. Of a contradiction the good news is
    /// believed (RFC 5196, 4.1).
    pub fn supports(&self, value: &V::Question) -> Option<bool> {
        let has = |list: &[V]| list.iter().any(|known| known.answers(value));
        if has(&self.supported) {
            Some(true)
        } else if has(&self.notsupported) {
            Some(false)
        } else {
            None
        }
    }
}

#[expect(
    private_bounds,
    reason = "how values are read and written is an inner matter"
)]
impl<V: Listed> Support<V> {
    /// Takes out what no document may carry.
    pub(super) fn drop_unlisted(&mut self, parent: &'static str) {
        self.supported
            .retain(|value| value.may_write(parent).is_ok());
        self.notsupported
            .retain(|value| value.may_write(parent).is_ok());
    }

    /// Takes what the element says, unless something has been said before.
    pub(super) fn read_first(&mut self, element: &Element) {
        if !self.is_empty() {
            return;
        }
        for list in element.elements().filter(|list| is_caps(list.namespace())) {
            let values = match list.local() {
                "supported" => &mut self.supported,
                "notsupported" => &mut self.notsupported,
                _ => continue,
            };
            if values.is_empty() {
                values.extend(list.elements().filter_map(V::read));
            }
        }
    }

    /// Puts the element `parent` with these lists at the end of `out`, if anything is said.
    pub(super) fn write(&self, parent: &'static str, out: &mut Element) -> Result<(), ValueError> {
        if self.is_empty() {
            return Ok(());
        }
        let mut element = named(parent);
        for (name, values) in [
            ("supported", &self.supported),
            ("notsupported", &self.notsupported),
        ] {
            if values.is_empty() {
                continue;
            }
            values
                .iter()
                .try_for_each(|value| value.may_write(parent))?;
            let mut list = named(name);
            V::write_all(values, parent, &mut list);
            element.push_child(list);
        }
        out.push_child(element);
        Ok(())
    }
}

impl Sealed for String {}

/// A scheme or a language.
impl Capability for String {
    type Question = str;

    fn answers(&self, question: &str) -> bool {
        self.eq_ignore_ascii_case(question)
    }
}

impl Token for String {
    fn from_token(token: &str) -> Self {
        token.to_owned()
    }

    fn token(&self) -> Option<&str> {
        Some(self)
    }
}

const SCHEMES: &str = "schemes";

impl Listed for String {
    fn read(element: &Element) -> Option<Self> {
        let fits: fn(&str) -> bool = match element.local() {
            "s" => is_scheme,
            "l" => is_language,
            _ => return None,
        };
        let text = element.text();
        let text = trim(&text);
        (is_caps(element.namespace()) && fits(text)).then(|| text.to_owned())
    }

    fn may_write(&self, parent: &'static str) -> Result<(), ValueError> {
        let (fits, expected) = if parent == SCHEMES {
            (is_scheme(self), "a URI scheme")
        } else {
            (is_language(self), "a language tag")
        };
        if fits {
            return Ok(());
        }
        Err(ValueError::new(parent, self, expected))
    }

    fn write_all(values: &[Self], parent: &'static str, out: &mut Element) {
        let member = if parent == SCHEMES { "s" } else { "l" };
        let mut known = HashSet::new();
        for value in values {
            if known.insert(value.to_ascii_lowercase()) {
                out.push_child(named(member).with_text(value.as_str()));
            }
        }
    }
}

/// RFC 3986, 3.1.
fn is_scheme(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::element;
    use super::super::{Actor, Method};
    use super::*;

    fn methods(content: &str) -> Support<Method> {
        let mut methods = Support::new();
        methods.read_first(&element("methods", content));
        methods
    }

    fn written<V: Listed>(
        support: &Support<V>,
        parent: &'static str,
    ) -> Result<String, ValueError> {
        let mut out = named("servcaps");
        support.write(parent, &mut out)?;
        let names = out.elements().flat_map(|parent| {
            let lists = parent.elements().flat_map(|list| {
                let members = list
                    .elements()
                    .map(|member| format!(" {}{}", member.local(), member.text()));
                core::iter::once(format!(" {}:", list.local())).chain(members)
            });
            core::iter::once(parent.local().to_owned()).chain(lists)
        });
        Ok(names.collect())
    }

    // PIDF-45
    #[test]
    fn lists_are_read_in_any_order() {
        let read = methods(
            "<c:notsupported><c:REFER/></c:notsupported> text <x:supported><c:ACK/></x:supported>\
             <c:supported><c:UPDATE>ignored</c:UPDATE><x:PING a='b'/><c:ACK/><c:PONG/></c:supported>\
             <c:supported><c:BYE/></c:supported><c:else/>",
        );
        assert_eq!(read.notsupported, [Method::Refer]);
        let ping = Element::new("urn:example:x", "PING").with_attribute("a", "b");
        assert_eq!(
            read.supported,
            [Method::Update, Method::Foreign(ping.clone()), Method::Ack,]
        );
        assert_eq!(read.supports(&Method::Foreign(ping)), Some(true));
        assert_eq!(read.supports(&Method::from("PONG")), None);
        assert_eq!(read.supports(&Method::Refer), Some(false));
        assert_eq!(read.supports(&Method::Bye), None);
    }

    // PIDF-49
    #[test]
    fn supported_wins() {
        let both = methods(
            "<c:notsupported><c:ACK/><c:BYE/></c:notsupported><c:supported><c:ACK/></c:supported>",
        );
        assert_eq!(both.supports(&Method::Ack), Some(true));
        assert_eq!(both.supports(&Method::Bye), Some(false));
    }

    // PIDF-45
    #[test]
    fn lists_are_written_in_order_and_once() {
        let ping = Element::new("urn:example:x", "PING");
        let support = Support::of([
            Method::Foreign(ping),
            Method::Update,
            Method::Ack,
            Method::Update,
        ])
        .without([Method::Refer]);
        assert_eq!(
            written(&support, "methods").unwrap(),
            "methods supported: ACK UPDATE PING notsupported: REFER"
        );
        assert_eq!(written(&Support::<Method>::new(), "methods").unwrap(), "");
        let only_not = Support::new().without([Actor::Principal]);
        assert_eq!(
            written(&only_not, "actor").unwrap(),
            "actor notsupported: principal"
        );
    }

    #[test]
    fn what_may_not_be_written_can_be_left_out() {
        let mut support = Support::of([Method::from("PONG"), Method::Ack])
            .without([Method::Foreign(named("ACK")), Method::Bye]);
        assert!(written(&support, "methods").is_err());
        support.drop_unlisted("methods");
        assert_eq!(support, Support::of([Method::Ack]).without([Method::Bye]));
    }

    // PIDF-46
    #[test]
    fn schemes_and_languages_are_strings() {
        let mut schemes: Support<String> = Support::new();
        schemes.read_first(&element(
            "schemes",
            "<c:supported><c:s> SIP </c:s><c:s/><c:s>te l</c:s><c:s>tel</c:s><x:s>xmpp</x:s><c:z>xmpp</c:z></c:supported>\
             <c:notsupported><c:s>h323</c:s></c:notsupported>",
        ));
        assert_eq!(schemes.supported, ["SIP", "tel"]);
        assert_eq!(schemes.supports("sip"), Some(true));
        assert_eq!(schemes.supports("H323"), Some(false));
        assert_eq!(schemes.supports("xmpp"), None);

        let strings = |texts: &[&str]| -> Support<String> {
            Support::of(texts.iter().map(|text| (*text).to_owned()))
        };
        assert_eq!(
            written(&strings(&["tel", "sip", "TEL"]), "schemes").unwrap(),
            "schemes supported: stel ssip"
        );
        assert_eq!(
            written(&strings(&["en", "de-AT"]), "languages").unwrap(),
            "languages supported: len lde-AT"
        );
        for (text, parent) in [
            ("", "schemes"),
            ("1a", "schemes"),
            ("si p", "schemes"),
            ("sip:", "schemes"),
            ("", "languages"),
            ("de_AT", "languages"),
            ("en,de", "languages"),
        ] {
            let refused = written(&strings(&[text]), parent).unwrap_err();
            assert_eq!((refused.element, refused.value.as_str()), (parent, text));
        }
    }

    #[test]
    fn long_lists_take_one_pass() {
        let many: Vec<String> = (0..10_000).map(|n| format!("s{n}")).collect();
        let support = Support::of(many.clone()).without(many);
        assert!(written(&support, "schemes").is_ok());
    }
}
