//! What a service can do.

use super::{
    Actor, ClassOfUse, Description, Duplex, EventPackage, Method, OptionTag, PriorityRange,
    Support, attributes_but_language, check_foreign, is_caps, is_foreign, named, understands,
};
use crate::pidf::certs::Certs;
use crate::pidf::extension::{Extension, ExtensionOf, ValueError};
use crate::pidf::lexical;
use crate::pidf::rpid::frame;
use crate::pidf::tuple::Tuple;
use crate::pidf::written::Written;
use crate::xml::{Attributes, Element, namespace, trim};

/// Capabilities of a service (RFC 5196, 3.2).
///
/// Of elements that may occur once the first that says something usable is taken. Elements and
/// names that RFC 5196 does not know are passed over (RFC 3863, 4.2.3); a document keeps them as long
/// as nobody replaces the whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Servcaps {
    /// Who or what answers (3.2.19).
    pub actor: Support<Actor>,
    /// Whether it takes the media type `application` as a stream (3.2.3).
    pub application: Option<bool>,
    /// Whether it takes audio as a stream (3.2.2).
    pub audio: Option<bool>,
    /// Whether a machine answers (3.2.10).
    pub automata: Option<bool>,
    /// What it is used for (3.2.11).
    pub class: Support<ClassOfUse>,
    /// Whether it takes the media type `control` as a stream (3.2.5).
    pub control: Option<bool>,
    /// Whether it takes the media type `data` as a stream (3.2.4).
    pub data: Option<bool>,
    /// What it is, in words, in as many languages as one likes (3.2.13).
    pub descriptions: Vec<Description>,
    /// In which directions media can go (3.2.12).
    pub duplex: Support<Duplex>,
    /// Packages of events that can be subscribed to (3.2.14).
    pub event_packages: Support<EventPackage>,
    /// Extensions of SIP (3.2.17): the element `extensions`.
    pub option_tags: Support<OptionTag>,
    /// Whether it is the focus of a conference (3.2.20).
    pub isfocus: Option<bool>,
    /// Whether it takes messages as a stream (3.2.8).
    pub message: Option<bool>,
    /// SIP methods whose requests it takes (3.2.16).
    pub methods: Support<Method>,
    /// Human languages, as tags or subtags of RFC 5646 (3.2.21); case does not matter. Writing
    /// refuses others, reading passes them over.
    pub languages: Support<String>,
    /// Priorities of calls that it handles (3.2.15).
    pub priority: Support<PriorityRange>,
    /// Schemes of URIs that it can deal with, without colon (3.2.18; RFC 3986, 3.1); case does not
    /// matter. Writing refuses others, reading passes them over.
    pub schemes: Support<String>,
    /// Whether it takes text as a stream (3.2.7).
    pub text: Option<bool>,
    /// Media types of bodies that it takes, as `type/subtype` in lower case (3.2.9). Writing
    /// refuses others, reading passes them over.
    pub types: Vec<String>,
    /// Whether it takes video as a stream (3.2.6).
    pub video: Option<bool>,
    /// Elements of other namespaces, in their order, without `certs`.
    pub extensions: Vec<Element>,
    /// That and how its certificate can be had, the usable ones in their order. They are written
    /// behind all else.
    pub certs: Vec<Certs>,
    /// Its attributes other than `xml:lang`, which goes to what is in that language.
    pub attributes: Attributes,
    written: Written,
}

/// What the schema has, in its order (RFC 5196, 6).
const ORDER: &[&str] = &[
    "actor",
    "application",
    "audio",
    "automata",
    "class",
    "control",
    "data",
    "description",
    "duplex",
    "event-packages",
    "extensions",
    "isfocus",
    "message",
    "methods",
    "languages",
    "priority",
    "schemes",
    "text",
    "type",
    "video",
];

/// Builders of what is true, false or not known.
macro_rules! with_booleans {
    ($($builder:ident sets $field:ident: $says:literal,)+) => {$(
        #[doc = concat!("With it said whether ", $says, ".")]
        #[must_use]
        pub fn $builder(mut self, value: bool) -> Self {
            self.$field = Some(value);
            self
        }
    )+};
}

/// Builders of what is said to be supported.
macro_rules! with_supported {
    ($($builder:ident sets $field:ident of $value:ty: $says:literal,)+) => {$(
        #[doc = concat!("With these as the ", $says, " that it supports, and no others.")]
        #[must_use]
        pub fn $builder(mut self, supported: impl IntoIterator<Item = $value>) -> Self {
            self.$field.supported = supported.into_iter().map(Into::into).collect();
            self
        }
    )+};
}

impl Servcaps {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    with_booleans! {
        with_application sets application: "it takes the media type `application`",
        with_audio sets audio: "it takes audio",
        with_automata sets automata: "a machine answers",
        with_control sets control: "it takes the media type `control`",
        with_data sets data: "it takes the media type `data`",
        with_isfocus sets isfocus: "it is the focus of a conference",
        with_message sets message: "it takes messages as a stream",
        with_text sets text: "it takes text as a stream",
        with_video sets video: "it takes video",
    }

    with_supported! {
        with_actor sets actor of Actor: "kinds of who or what answers",
        with_class sets class of ClassOfUse: "classes of use",
        with_duplex sets duplex of Duplex: "directions of media",
        with_event_packages sets event_packages of EventPackage: "packages of events",
        with_option_tags sets option_tags of OptionTag: "extensions of SIP",
        with_methods sets methods of Method: "methods",
        with_languages sets languages of impl Into<String>: "human languages",
        with_priority sets priority of PriorityRange: "priorities",
        with_schemes sets schemes of impl Into<String>: "schemes of URIs",
    }

    /// With one more description.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<Description>) -> Self {
        self.descriptions.push(description.into());
        self
    }

    /// With one more media type, which is put into lower case.
    #[must_use]
    pub fn with_type(mut self, media_type: &str) -> Self {
        self.types.push(media_type.to_ascii_lowercase());
        self
    }

    /// With the statement that signalling can be secured by S/MIME, and where its certificate is.
    #[must_use]
    pub fn with_certs(mut self, certs: Certs) -> Self {
        self.certs.push(certs);
        self
    }

    /// With one more element of another namespace.
    #[must_use]
    pub fn with_extension(mut self, extension: Element) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Without those values of its lists that no document may carry, which a Contact may have
    /// brought in: names that RFC 5196 does not list, schemes, languages and media types that
    /// are none.
    #[must_use]
    pub fn without_unlisted(mut self) -> Self {
        self.actor.drop_unlisted("actor");
        self.class.drop_unlisted("class");
        self.duplex.drop_unlisted("duplex");
        self.event_packages.drop_unlisted("event-packages");
        self.option_tags.drop_unlisted("extensions");
        self.methods.drop_unlisted("methods");
        self.languages.drop_unlisted("languages");
        self.priority.drop_unlisted("priority");
        self.schemes.drop_unlisted("schemes");
        self.types.retain(|media_type| is_media_type(media_type));
        self
    }

    fn boolean_mut(&mut self, local: &str) -> Option<&mut Option<bool>> {
        Some(match local {
            "application" => &mut self.application,
            "audio" => &mut self.audio,
            "automata" => &mut self.automata,
            "control" => &mut self.control,
            "data" => &mut self.data,
            "isfocus" => &mut self.isfocus,
            "message" => &mut self.message,
            "text" => &mut self.text,
            "video" => &mut self.video,
            _ => return None,
        })
    }

    fn take(&mut self, child: &Element, lang: Option<&str>) {
        if let Some(value) = self.boolean_mut(child.local()) {
            *value = value.or_else(|| lexical::boolean(&child.text()));
            return;
        }
        match child.local() {
            "actor" => self.actor.read_first(child),
            "class" => self.class.read_first(child),
            "description" => self.descriptions.push(Description::read(child, lang)),
            "duplex" => self.duplex.read_first(child),
            "event-packages" => self.event_packages.read_first(child),
            "extensions" => self.option_tags.read_first(child),
            "methods" => self.methods.read_first(child),
            "languages" => self.languages.read_first(child),
            "priority" => self.priority.read_first(child),
            "schemes" => self.schemes.read_first(child),
            "type" => {
                let text = trim(&child.text()).to_ascii_lowercase();
                if is_media_type(&text) {
                    self.types.push(text);
                }
            }
            _ => {}
        }
    }
}

impl Servcaps {
    /// Its element, written anew.
    fn fresh(&self) -> Result<Element, ValueError> {
        let mut element = Self::empty_element();
        element.attributes = self.attributes.clone();
        let out = &mut element;
        self.actor.write("actor", out)?;
        write_boolean("application", self.application, out);
        write_boolean("audio", self.audio, out);
        write_boolean("automata", self.automata, out);
        self.class.write("class", out)?;
        write_boolean("control", self.control, out);
        write_boolean("data", self.data, out);
        for description in &self.descriptions {
            out.push_child(description.to_element()?);
        }
        self.duplex.write("duplex", out)?;
        self.event_packages.write("event-packages", out)?;
        self.option_tags.write("extensions", out)?;
        write_boolean("isfocus", self.isfocus, out);
        write_boolean("message", self.message, out);
        self.methods.write("methods", out)?;
        self.languages.write("languages", out)?;
        self.priority.write("priority", out)?;
        self.schemes.write("schemes", out)?;
        write_boolean("text", self.text, out);
        for media_type in &self.types {
            let media_type = media_type.to_ascii_lowercase();
            if !is_media_type(&media_type) {
                return Err(ValueError::new("type", &media_type, "a type and a subtype"));
            }
            out.push_child(named("type").with_text(media_type));
        }
        write_boolean("video", self.video, out);
        for extension in &self.extensions {
            check_foreign(extension, Self::LOCAL)?;
            out.push_child(extension.clone());
        }
        for certs in &self.certs {
            out.push_child(certs.to_element()?);
        }
        Ok(element)
    }
}

impl Extension for Servcaps {
    const NAMESPACE: &'static str = namespace::CAPS;
    const LOCAL: &'static str = "servcaps";

    fn read(element: &Element) -> Option<Self> {
        let lang = frame::lang(element);
        let mut caps = Self {
            attributes: attributes_but_language(element),
            written: Written::of(element),
            ..Self::default()
        };
        for child in element.elements() {
            if is_caps(child.namespace()) {
                caps.take(child, lang);
            } else if Certs::is_named(child) {
                caps.certs.extend(Certs::read(child));
            } else if is_foreign(child) {
                caps.extensions.push(frame::read_foreign(child, lang));
            }
        }
        Some(caps)
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        self.written.apply_in_order(self, ORDER, Self::fresh)
    }

    fn understands(namespace: &str, local: &str) -> bool {
        understands(namespace, local) || Certs::understands(namespace, local)
    }

    fn is_named(element: &Element) -> bool {
        is_caps(element.namespace()) && element.local() == Self::LOCAL
    }
}

impl ExtensionOf<Tuple> for Servcaps {}

fn write_boolean(local: &'static str, value: Option<bool>, out: &mut Element) {
    if let Some(value) = value {
        let text = if value { "true" } else { "false" };
        out.push_child(named(local).with_text(text));
    }
}

/// `type/subtype`, without parameters (RFC 2045, 5.1; RFC 6838, 4.2).
pub(super) fn is_media_type(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*%'`{|}~".contains(&b))
    };
    text.split_once('/')
        .is_some_and(|(kind, subtype)| is_part(kind) && is_part(subtype))
}

#[cfg(test)]
mod tests {
    use super::super::DRAFT_NAMESPACE;
    use super::super::fixtures::{assert_round_trip, element_of, read, written};
    use super::*;
    use crate::pidf::Understood;
    use crate::xml::{Name, XmlLimits};

    /// Something in every field.
    fn full() -> Servcaps {
        let mut caps = Servcaps::new()
            .with_actor([Actor::MsgTaker])
            .with_application(false)
            .with_audio(true)
            .with_automata(false)
            .with_class([ClassOfUse::Personal])
            .with_control(false)
            .with_data(true)
            .with_description("Softphone")
            .with_description(Description::new("Telefon").in_language("de"))
            .with_duplex([Duplex::Full, Duplex::ReceiveOnly])
            .with_event_packages([EventPackage::Presence, EventPackage::Winfo])
            .with_option_tags([OptionTag::Rel100, OptionTag::Gruu])
            .with_isfocus(false)
            .with_message(true)
            .with_methods([Method::Invite, Method::Message])
            .with_languages(["de", "en-GB"])
            .with_priority([PriorityRange::Equals(20), PriorityRange::HigherThan(30)])
            .with_schemes(["sip", "tel"])
            .with_text(true)
            .with_type("text/plain")
            .with_type("Application/PIDF+xml")
            .with_video(false)
            .with_extension(Element::new("urn:example:x", "y"))
            .with_certs(Certs::new());
        caps.actor = caps.actor.without([Actor::Principal]);
        caps.attributes.set(Name::new("urn:example:x", "a"), "1");
        caps
    }

    // PIDF-42
    #[test]
    fn everything_is_written_in_the_order_of_the_schema() {
        let caps = full();
        let element = caps.to_element().unwrap();
        let names: Vec<&str> = element.elements().map(Element::local).collect();
        assert_eq!(
            names.join(" "),
            "actor application audio automata class control data description description duplex \
             event-packages extensions isfocus message methods languages priority schemes text \
             type type video y certs"
        );
        assert_round_trip(&caps);
        assert_round_trip(&Servcaps::new());
    }

    // PIDF-42
    #[test]
    fn any_order_is_read() {
        let mut element = full().to_element().unwrap();
        element.children_mut().reverse();
        let mut expected = full();
        expected.descriptions.reverse();
        expected.types.reverse();
        assert_eq!(Servcaps::read(&element), Some(expected));
    }

    // PIDF-43
    #[test]
    fn booleans() {
        for (text, value) in [
            ("true", Some(true)),
            ("1", Some(true)),
            (" false\n", Some(false)),
            ("0", Some(false)),
            ("yes", None),
            ("", None),
            ("TRUE", None),
        ] {
            let caps: Servcaps = read(&format!("<c:isfocus>{text}</c:isfocus>"));
            assert_eq!(caps.isfocus, value, "{text:?}");
        }
        let caps: Servcaps = read(
            "<x:audio>1</x:audio><c:audio>?</c:audio><c:audio>0</c:audio><c:audio>1</c:audio>",
        );
        assert_eq!(caps.audio, Some(false));
        assert_eq!(
            written(&Servcaps::new().with_audio(true).with_video(false)),
            "<audio>true</audio><video>false</video>"
        );
    }

    // PIDF-33
    #[test]
    fn absence_says_nothing() {
        let caps: Servcaps = read("<c:unheard-of>true</c:unheard-of><c:methods/>");
        assert_eq!(caps, Servcaps::new());
        assert_eq!(caps.audio, None);
        assert_eq!(caps.methods.supports(&Method::Ack), None);
    }

    // PIDF-44
    #[test]
    fn types_are_pairs_in_lower_case() {
        let caps: Servcaps = read(
            "<c:type> Text/Plain </c:type><c:type>text</c:type><c:type/><c:type>a/b/c</c:type>\
             <c:type>text/plain;charset=utf-8</c:type><c:type>image/*</c:type>",
        );
        assert_eq!(caps.types, ["text/plain", "image/*"]);
        for bad in [
            "text",
            "",
            "/",
            "text/",
            "/plain",
            "a/b/c",
            "text/html; x=y",
            "te xt/html",
        ] {
            let refused = Servcaps::new().with_type(bad).to_element().unwrap_err();
            assert_eq!((refused.element, refused.value.as_str()), ("type", bad));
        }
    }

    // PIDF-40, PIDF-41
    #[test]
    fn the_namespace_of_a_draft_is_read_and_replaced() {
        let old = element_of(
            DRAFT_NAMESPACE,
            "servcaps",
            "<c:audio>true</c:audio><c:methods><c:supported><c:INVITE/></c:supported></c:methods>",
        );
        let other = Element::new("urn:example:x", "servcaps");
        let mut tuple = Tuple::open("t")
            .with_extension(old.clone())
            .with_extension(other.clone());
        let caps = tuple.get::<Servcaps>().unwrap();
        assert_eq!(caps.audio, Some(true));
        assert_eq!(caps.methods.supports(&Method::Invite), Some(true));
        tuple.add(&caps).unwrap();
        assert_eq!(tuple.all::<Servcaps>().count(), 2);
        tuple.set(&caps).unwrap();
        assert_eq!(
            tuple.extensions,
            [caps.to_element().unwrap(), other.clone()]
        );
        assert_eq!(tuple.remove::<Servcaps>(), 1);
        assert_eq!(tuple.extensions, [other]);
    }

    // PIDF-24
    #[test]
    fn what_has_to_be_understood_and_is_not_hides_all() {
        let mut marked = Element::new("urn:example:x", "y");
        Understood::require(&mut marked);
        let caps = full().with_extension(marked);
        let tuple = Tuple::open("t").with(&caps).unwrap();
        assert_eq!(tuple.get::<Servcaps>(), None);
        let mut element = full().to_element().unwrap();
        element.elements_mut().for_each(Understood::require);
        element
            .children_mut()
            .retain(|node| !matches!(node, crate::xml::Node::Element(y) if y.local() == "y"));
        let tuple = Tuple::open("t").with_extension(element);
        assert!(tuple.get::<Servcaps>().is_some());
    }

    #[test]
    fn what_no_document_may_carry_is_refused_or_left_out() {
        let odd = Servcaps::new()
            .with_methods([Method::from("PONG"), Method::Ack])
            .with_schemes(["s p"])
            .with_type("text")
            .with_priority([PriorityRange::Range { min: 1, max: 0 }])
            .with_audio(true);
        assert!(odd.to_element().is_err());
        assert_eq!(
            odd.without_unlisted(),
            Servcaps::new().with_methods([Method::Ack]).with_audio(true)
        );
        let own = Servcaps::new().with_extension(Element::new("", "y"));
        assert!(own.to_element().is_err());
    }

    #[test]
    fn elements_where_text_belongs_do_no_harm() {
        let deep = "<c:audio>".repeat(20) + &"</c:audio>".repeat(20);
        let caps: Servcaps = read(&format!("<c:audio>tr<c:x/>ue</c:audio>{deep}"));
        assert_eq!(caps.audio, Some(true));
        let empty = Element::read(b"<servcaps/>", &XmlLimits::default()).unwrap();
        assert!(!Servcaps::is_named(&empty));
    }
}
