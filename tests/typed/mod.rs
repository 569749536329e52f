//! Presence documents made with nothing but the typed interface, as octets choose.
#![allow(dead_code, reason = "each user takes what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

use presentity::pidf::caps::{
    Actor, ClassOfUse, Description, Devcaps, Duplex, EventPackage, Method, Mobility, OptionTag,
    PriorityRange, Servcaps, Support,
};
use presentity::pidf::certs::Certs;
use presentity::pidf::cipid::{Card, DisplayName, Homepage, Icon, Map, Sound};
use presentity::pidf::rpid::{
    Activities, Activity, AudioConditions, Class, InputState, Mood, MoodValue, PlaceIs, PlaceKind,
    PlaceType, Privacy, Relationship, RelationshipKind, ServiceClass, ServiceKind, Sphere,
    SphereKind, StatusIcon, TextConditions, TimeOffset, UserInput, VideoConditions,
};
use presentity::pidf::{Basic, Contact, Device, DeviceId, Note, Person, Presence, Priority, Tuple};
use presentity::xml::{Attributes, Element, Name};
use time::{OffsetDateTime, UtcOffset};

/// A document, and what has to be found in it.
pub(crate) struct Typed {
    pub(crate) document: Presence,
    checks: Vec<Check>,
}

/// Looks for one value.
type Check = Box<dyn Fn(&Presence)>;

impl Typed {
    /// The document that the octets choose; none of them chooses the smallest.
    pub(crate) fn of(octets: &[u8]) -> Self {
        let mut choices = Choices { octets, ids: 0 };
        choices.document()
    }

    /// How many values were put in.
    pub(crate) fn values(&self) -> usize {
        self.checks.len()
    }

    /// That typed access to a document gives the values that were put into this one.
    pub(crate) fn check(&self, document: &Presence) {
        for check in &self.checks {
            check(document);
        }
    }
}

/// Leaves out what stands there already, in whatever case: it is not written again.
fn once_each(texts: &mut Vec<String>) {
    let mut known = std::collections::HashSet::new();
    texts.retain(|text| known.insert(text.to_ascii_lowercase()));
}

/// Where decisions come from.
struct Choices<'o> {
    octets: &'o [u8],
    ids: usize,
}

const LANGUAGES: [&str; 5] = ["en", "de-AT", "x-klingon", "abcdefgh-1-12345678", "i"];
const NO_LANGUAGES: [&str; 7] = ["", "en_GB", "1a", "en-", "toolonglanguage", "é", " en"];

#[rustfmt::skip]
const TEXTS: [&str; 36] = [
    "a", " ", "\t", "\n", "\r", "\r\n", "<", ">", "&", "\"", "'", "]]>", "-->", "?>", "&amp;", "&#0;", "<b/>",
    "é", "\u{7F}", "\u{85}", "\u{A0}", "\u{2028}", "\u{D7FF}", "\u{E000}", "\u{FEFF}", "\u{FFFD}", "\u{10000}",
    "\u{1F600}", "\u{10FFFF}", "x:y", "0", "true", "-1", "http://example.com/", "%", "#",
];

#[rustfmt::skip]
const URIS: [&str; 12] = [
    "sip:dora@example.com", "pres:dora@example.com", "http://example.com/a%20b?c=d&e", "tel:+49301234",
    "https://[2001:db8::1]:8443/x;y=(z)!$'*,", "urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    "data:image/png;base64,AAAA", "mailto:a@example.com?subject=%25", "x:.", "sips:d:pw@192.0.2.7:5061;lr",
    "a+b-c.d://~_/%41//", "urn:example:a:b",
];

const FOREIGN: [&str; 3] = ["urn:example:a", "urn:example:b", "http://example.com/ns#c"];

impl Choices<'_> {
    // ---- octets -----------------------------------------------------------------------------

    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.octets.split_first() else {
            return 0;
        };
        self.octets = rest;
        *first
    }

    fn below(&mut self, many: usize) -> usize {
        usize::from(self.octet()) % many.max(1)
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn number(&mut self) -> i64 {
        i64::from_be_bytes(std::array::from_fn(|_| self.octet()))
    }

    fn flag(&mut self) -> bool {
        self.octet() % 2 == 1
    }

    fn perhaps<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| make(self))
    }

    fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let many = self.below(most + 1);
        (0..many).map(|_| make(self)).collect()
    }

    // ---- values -----------------------------------------------------------------------------

    fn text(&mut self) -> String {
        let pieces = self.some(6, |it| match it.octet() {
            0..=63 => {
                let code = it.number().unsigned_abs() % 0x11_0000;
                // Others cannot be written at all.
                let c = char::from_u32(u32::try_from(code).unwrap());
                let c = c.filter(|&c| {
                    !matches!(c, '\u{FFFE}' | '\u{FFFF}')
                        && (c >= ' ' || matches!(c, '\t' | '\n' | '\r'))
                });
                c.unwrap_or('?').to_string()
            }
            _ => it.one_of(&TEXTS).to_owned(),
        });
        pieces.concat()
    }

    fn uri(&mut self) -> String {
        self.one_of(&URIS).to_owned()
    }

    /// Perhaps none.
    fn any_uri(&mut self) -> String {
        match self.below(4) {
            0 => self.text(),
            1 => format!("{}{}", self.uri(), self.text()),
            _ => self.uri(),
        }
    }

    fn language(&mut self) -> String {
        self.one_of(&LANGUAGES).to_owned()
    }

    fn any_language(&mut self) -> String {
        if self.below(8) == 7 {
            return self.one_of(&NO_LANGUAGES).to_owned();
        }
        self.language()
    }

    fn time(&mut self) -> OffsetDateTime {
        // From the year 1 to 9999, and a little beyond.
        let seconds = match self.below(4) {
            0 => 1_772_600_767,
            1 => self.one_of(&[
                -62_135_596_800,
                -62_135_596_801,
                253_402_300_799,
                -62_167_219_200,
                0,
            ]),
            _ => self.number() % 253_402_300_800,
        };
        let time = OffsetDateTime::from_unix_timestamp(seconds);
        let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let nanosecond = self.one_of(&[0, 1, 999_999_999, 500_000_000, 123_456_000, 7_000_000]);
        let time = time.replace_nanosecond(nanosecond).unwrap();
        let minutes = i32::try_from(self.number() % (24 * 60)).unwrap();
        let offset = UtcOffset::from_whole_seconds(minutes * 60 * i32::from(self.flag())).unwrap();
        time.checked_to_offset(offset).unwrap_or(time)
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        let beginning = self.one_of(&["t", "_", "é", "Z.-_9", "ü·", "id"]);
        format!("{beginning}{}", self.ids)
    }

    /// Perhaps none, but never one that there is.
    fn any_id(&mut self) -> String {
        match self.below(6) {
            5 => format!("{}{}", self.text(), self.id()),
            _ => self.id(),
        }
    }

    fn note(&mut self) -> Note {
        let mut note = Note::new(self.text());
        note.lang = self.perhaps(Self::language);
        note
    }

    fn any_note(&mut self) -> Note {
        let mut note = Note::new(self.text());
        note.lang = self.perhaps(Self::any_language);
        note
    }

    /// Of a namespace that nothing here knows.
    fn foreign(&mut self, levels: usize) -> Element {
        let namespace = self.one_of(&FOREIGN);
        let prefix = self.one_of(&["", "x", "dm", "ns", "rpid", "é"]);
        let local = self.one_of(&["thing", "note", "a.b-c_d", "é", "tuple"]);
        let mut element = Element::named(Name::with_prefix(namespace, local, prefix));
        element.attributes = self.attributes();
        for _ in 0..self.below(4) {
            match self.below(3) {
                0 => {
                    let text = self.text();
                    element.push_text(text);
                }
                1 if levels > 0 => {
                    let child = self.foreign(levels - 1);
                    element.push_child(child);
                }
                _ => element.push_child(Element::new("", "bare").with_attribute("a", "1")),
            }
        }
        element
    }

    fn attributes(&mut self) -> Attributes {
        let mut attributes = Attributes::new();
        for _ in 0..self.below(3) {
            let namespace = self.one_of(&FOREIGN);
            let local = self.one_of(&["a", "b", "id", "from"]);
            attributes.set(Name::with_prefix(namespace, local, "x"), self.text());
        }
        attributes
    }

    // ---- rich presence ----------------------------------------------------------------------

    fn values<T: Clone>(
        &mut self,
        named: &[T],
        other: impl Fn(&mut Self) -> T,
        foreign: fn(Element) -> T,
    ) -> Vec<T> {
        self.some(4, |it| match it.below(6) {
            0 => other(it),
            1 => foreign(it.foreign(1)),
            _ => it.one_of(named),
        })
    }

    fn activities(&mut self) -> Activities {
        let other = |it: &mut Self| Activity::other(it.any_note());
        let mut made = Activities::of(self.values(Activity::NAMED, other, Activity::Foreign));
        made.notes = self.some(2, Self::any_note);
        made.from = self.perhaps(Self::time);
        made.until = self.perhaps(Self::time);
        made.id = self.perhaps(Self::any_id);
        made.attributes = self.attributes();
        made
    }

    fn mood(&mut self) -> Mood {
        let other = |it: &mut Self| MoodValue::other(it.any_note());
        let mut made = Mood::of(self.values(MoodValue::NAMED, other, MoodValue::Foreign));
        made.notes = self.some(2, Self::any_note);
        made.from = self.perhaps(Self::time);
        made.until = self.perhaps(Self::time);
        made.id = self.perhaps(Self::any_id);
        made.attributes = self.attributes();
        made
    }

    fn place_is(&mut self) -> PlaceIs {
        let mut made = PlaceIs::new();
        made.audio = self.perhaps(|it| it.one_of(AudioConditions::NAMED));
        made.video = self.perhaps(|it| it.one_of(VideoConditions::NAMED));
        made.text = self.perhaps(|it| it.one_of(TextConditions::NAMED));
        made.notes = self.some(2, Self::any_note);
        made.from = self.perhaps(Self::time);
        made.id = self.perhaps(Self::any_id);
        made.attributes = self.attributes();
        made
    }

    fn place_type(&mut self) -> PlaceType {
        let named = ["office", "car", "theater"].map(PlaceKind::location);
        let other = |it: &mut Self| PlaceKind::other(it.any_note());
        let mut made = PlaceType::of(self.values(&named, other, PlaceKind::Foreign));
        made.notes = self.some(2, Self::any_note);
        made.until = self.perhaps(Self::time);
        made.id = self.perhaps(Self::any_id);
        made.attributes = self.attributes();
        made
    }

    fn privacy(&mut self) -> Privacy {
        let mut made = Privacy::new();
        made.unknown = self.below(4) == 3;
        made.audio = self.flag();
        made.text = self.flag();
        made.video = self.flag();
        made.extensions = self.some(2, |it| it.foreign(1));
        made.notes = self.some(2, Self::any_note);
        made.from = self.perhaps(Self::time);
        made.until = self.perhaps(Self::time);
        made.id = self.perhaps(Self::any_id);
        made.attributes = self.attributes();
        made
    }

    fn relationship(&mut self) -> Relationship {
        let kind = match self.below(4) {
            0 => RelationshipKind::other(self.any_note()),
            1 => RelationshipKind::Foreign(self.foreign(1)),
            _ => self.one_of(RelationshipKind::NAMED),
        };
        let mut made = Relationship::new(kind);
        made.extensions = self.some(1, |it| it.foreign(1));
        made.notes = self.some(2, Self::any_note);
        made
    }

    fn service_class(&mut self) -> ServiceClass {
        let kind = match self.below(3) {
            0 => ServiceKind::Foreign(self.foreign(1)),
            _ => self.one_of(ServiceKind::NAMED),
        };
        let mut made = ServiceClass::new(kind);
        made.extensions = self.some(1, |it| it.foreign(1));
        made.notes = self.some(2, Self::any_note);
        made
    }

    fn sphere(&mut self) -> Sphere {
        let kind = match self.below(3) {
            0 => SphereKind::Foreign(self.foreign(1)),
            _ => self.one_of(SphereKind::NAMED),
        };
        let mut made = Sphere::new(kind);
        made.extensions = self.some(1, |it| it.foreign(1));
        made.from = self.perhaps(Self::time);
        made.until = self.perhaps(Self::time);
        made.id = self.perhaps(Self::any_id);
        made.attributes = self.attributes();
        made
    }

    fn status_icon(&mut self) -> StatusIcon {
        let mut made = StatusIcon::new(self.any_uri());
        made.from = self.perhaps(Self::time);
        made.until = self.perhaps(Self::time);
        made.id = self.perhaps(Self::any_id);
        made.attributes = self.attributes();
        made
    }

    fn time_offset(&mut self) -> TimeOffset {
        let minutes = self.number();
        let mut made = TimeOffset::new(i32::try_from(minutes % 2000).unwrap());
        if self.below(8) == 7 {
            made.minutes = self.one_of(&[i32::MIN, i32::MAX]);
        }
        made.description = self.perhaps(Self::text);
        made.lang = self.perhaps(Self::any_language);
        made.from = self.perhaps(Self::time);
        made.until = self.perhaps(Self::time);
        made.id = self.perhaps(Self::any_id);
        made.attributes = self.attributes();
        made
    }

    fn user_input(&mut self) -> UserInput {
        let mut made = UserInput::new(self.one_of(&[InputState::Active, InputState::Idle]));
        made.idle_threshold = self.perhaps(|it| it.one_of(&[0, 1, 600, u32::MAX]));
        made.last_input = self.perhaps(Self::time);
        made.id = self.perhaps(Self::any_id);
        made.attributes = self.attributes();
        made
    }

    // ---- contact information ----------------------------------------------------------------

    /// The schema gives it no language.
    fn display_name(&mut self) -> DisplayName {
        let mut made = DisplayName::new(&self.text());
        if self.below(8) == 7 {
            made.text = self.text();
        }
        made
    }

    // ---- capabilities -----------------------------------------------------------------------

    fn support<V: Clone>(
        &mut self,
        named: &[V],
        further: impl Fn(&mut Self) -> Option<V>,
    ) -> Support<V> {
        let mut lists = [(); 2].map(|()| {
            // The order in a document is that of the schema.
            let mut list: Vec<V> = Vec::new();
            if self.flag() {
                let chosen = self.number();
                let bits = named.iter().enumerate();
                let chosen = bits.filter(|(at, _)| chosen >> at & 1 == 1);
                list.extend(chosen.map(|(_, value)| value.clone()));
            }
            for _ in 0..self.below(3) {
                list.extend(further(self));
            }
            list
        });
        let [supported, notsupported] = &mut lists;
        Support::of(std::mem::take(supported)).without(std::mem::take(notsupported))
    }

    fn ranges(&mut self) -> Support<PriorityRange> {
        let mut kinds = Vec::new();
        for kind in 0..4 {
            kinds.extend(self.some(2, |it| {
                let (one, other) = (it.number(), it.number());
                match kind {
                    0 => PriorityRange::Equals(one),
                    1 => PriorityRange::HigherThan(one),
                    2 => PriorityRange::LowerThan(one),
                    _ => PriorityRange::Range {
                        min: one.min(other),
                        // Now and then the wrong way round.
                        max: if it.below(8) == 7 {
                            i64::MIN
                        } else {
                            one.max(other)
                        },
                    },
                }
            }));
        }
        kinds.extend(self.some(1, |it| PriorityRange::Foreign(it.foreign(0))));
        let few = Support::of(kinds);
        if self.flag() {
            return Support::new().without(few.supported);
        }
        few
    }

    fn certs(&mut self) -> Certs {
        let mut made = Certs::new();
        made.source = self.perhaps(|it| match it.below(3) {
            0 => it.any_uri(),
            1 => "https://example.com/dora.cer".to_owned(),
            _ => "sips:dora@example.com".to_owned(),
        });
        made.extensions = self.some(1, |it| it.foreign(0));
        made.attributes = self.attributes();
        made
    }

    fn description(&mut self) -> Description {
        let mut made = Description::new(self.text());
        made.lang = self.perhaps(Self::any_language);
        made
    }

    fn servcaps(&mut self) -> Servcaps {
        // The names of each list as the schema has them, in its order.
        fn all<V>(names: &str, named: fn(&str) -> Option<V>) -> Vec<V> {
            names.split_whitespace().filter_map(named).collect()
        }
        macro_rules! list {
            ($type:ident, $names:literal) => {
                self.support(&all($names, $type::from_name), |it| match it.below(4) {
                    0 => Some($type::Foreign(it.foreign(0))),
                    1 if it.below(8) == 7 => Some($type::Other(it.text())),
                    _ => None,
                })
            };
        }
        let mut made = Servcaps::new();
        made.actor = list!(Actor, "attendant information msg-taker principal");
        made.class = list!(ClassOfUse, "business personal");
        made.duplex = list!(Duplex, "full half receive-only send-only");
        made.event_packages = list!(
            EventPackage,
            "conference dialog kpml message-summary poc-settings presence reg refer \
             Siemens-RTP-Stats spirits-INDPs spirits-user-prof winfo"
        );
        made.option_tags = list!(
            OptionTag,
            "rel100 early-session eventlist from-change gruu hist-info join norefersub path \
             precondition pref privacy recipient-list-invite recipient-list-subscribe replaces \
             resource-priority sdp-anat sec-agree tdialog timer"
        );
        made.methods = list!(
            Method,
            "ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER \
             SUBSCRIBE UPDATE"
        );
        let named = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        made.languages = self.support(&named(&LANGUAGES), |it| {
            (it.below(8) == 7).then(|| it.any_language() + "-q")
        });
        made.schemes = self.support(&named(&["sip", "tel", "a+b-c.d", "X"]), |it| {
            (it.below(8) == 7).then(|| it.text())
        });
        for texts in [&mut made.languages, &mut made.schemes] {
            once_each(&mut texts.supported);
            once_each(&mut texts.notsupported);
        }
        made.priority = self.ranges();
        for value in [
            &mut made.application,
            &mut made.audio,
            &mut made.automata,
            &mut made.control,
            &mut made.data,
            &mut made.isfocus,
            &mut made.message,
            &mut made.text,
            &mut made.video,
        ] {
            *value = self.perhaps(Self::flag);
        }
        made.descriptions = self.some(2, Self::description);
        for _ in 0..self.below(3) {
            let media_type = match self.below(8) {
                7 => self.text(),
                _ => self
                    .one_of(&["text/plain", "application/SDP", "a/b+c.d-e", "!#/$&"])
                    .to_owned(),
            };
            made = made.with_type(&media_type);
        }
        made.extensions = self.some(1, |it| it.foreign(1));
        made.certs = self.some(1, Self::certs);
        made.attributes = self.attributes();
        made
    }

    fn devcaps(&mut self) -> Devcaps {
        let mut made = Devcaps::new();
        made.descriptions = self.some(2, Self::description);
        made.mobility = self.support(&[Mobility::Fixed, Mobility::Mobile], |it| {
            it.perhaps(|it| Mobility::Foreign(it.foreign(0)))
        });
        made.extensions = self.some(1, |it| it.foreign(1));
        made.attributes = self.attributes();
        made
    }

    // ---- documents --------------------------------------------------------------------------

    fn document(&mut self) -> Typed {
        /// The iterator, of what the value is.
        fn like<T, I: Iterator<Item = T>>(_: &T, all: I) -> I {
            all
        }
        let mut typed = Typed {
            document: Presence::new(self.uri()),
            checks: Vec::new(),
        };
        // Puts the value in, unless that is refused, and has it looked for.
        macro_rules! add {
            ($list:ident, $value:expr) => {{
                let value = $value;
                let at = typed.document.$list.len() - 1;
                let parent = &mut typed.document.$list[at];
                let nth = like(&value, parent.all()).count();
                let added = parent.add(&value).is_ok();
                // No builder sees those that are there already.
                if added && repeats_another(&parent.extensions) {
                    parent.extensions.pop();
                } else if added {
                    typed.checks.push(Box::new(move |presence: &Presence| {
                        let mut found = like(&value, presence.$list[at].all());
                        assert_eq!(found.nth(nth), Some(value.clone()));
                    }));
                }
            }};
        }
        for _ in 0..self.below(4) {
            let mut tuple = Tuple::new(self.id());
            match self.below(3) {
                0 => tuple = tuple.with_basic(Basic::Open),
                1 => tuple = tuple.with_basic(Basic::Closed),
                _ => tuple.status.extensions.push(self.foreign(2)),
            }
            tuple
                .status
                .extensions
                .extend(self.some(2, |it| it.foreign(2)));
            tuple.contact = self.perhaps(|it| {
                let uri = if it.below(8) == 7 {
                    String::new()
                } else {
                    it.uri()
                };
                let mut contact = Contact::new(uri);
                let thousandths = it.perhaps(|it| it.number().unsigned_abs() % 1001);
                contact.set_priority(thousandths.and_then(|thousandths| {
                    Priority::from_thousandths(u16::try_from(thousandths).unwrap())
                }));
                contact
            });
            tuple.notes = self.some(2, Self::note);
            let changed = self.perhaps(Self::time);
            let _ = tuple.set_timestamp(changed);
            typed.document.tuples.push(tuple);
            // Contact information stands in tuples of somebody else only, which no builder sees.
            if self.below(2) == 0 {
                let mut relationship = self.relationship();
                if relationship.kind == RelationshipKind::Oneself {
                    relationship.kind = RelationshipKind::Friend;
                }
                add!(tuples, relationship);
            }
            let tuple = typed.document.tuples.last();
            let of_another = tuple.is_some_and(|it| it.get::<Relationship>().is_some());
            for _ in 0..self.below(5) {
                match self.below(15) {
                    8..=13 if !of_another => {}
                    0 => add!(tuples, self.servcaps()),
                    1 => add!(tuples, self.relationship()),
                    2 => add!(tuples, self.service_class()),
                    3 => add!(tuples, self.privacy()),
                    4 => add!(tuples, self.user_input()),
                    5 => add!(tuples, self.status_icon()),
                    6 => add!(tuples, Class::new(self.text())),
                    7 => {
                        if let Ok(id) = DeviceId::new(self.any_uri()) {
                            add!(tuples, id);
                        }
                    }
                    8 => add!(tuples, self.display_name()),
                    9 => add!(tuples, Card::new(self.any_uri())),
                    10 => add!(tuples, Homepage::new(self.any_uri())),
                    11 => add!(tuples, Icon::new(self.any_uri())),
                    12 => add!(tuples, Map::new(self.any_uri())),
                    13 => add!(tuples, Sound::new(self.any_uri())),
                    _ => {
                        let extension = self.foreign(2);
                        let tuple = typed.document.tuples.last_mut().unwrap();
                        tuple.extensions.push(extension);
                    }
                }
            }
            // No builder sees both.
            if let Some(tuple) = typed.document.tuples.last_mut()
                && !tuple.contact_suits_service_class()
            {
                tuple.contact = None;
            }
        }
        for _ in 0..self.below(4) {
            let mut person = Person::new(self.id());
            person.notes = self.some(2, Self::note);
            let changed = self.perhaps(Self::time);
            let _ = person.set_timestamp(changed);
            typed.document.persons.push(person);
            for _ in 0..self.below(6) {
                match self.below(19) {
                    0 => add!(persons, self.activities()),
                    1 => add!(persons, self.mood()),
                    2 => add!(persons, self.place_is()),
                    3 => add!(persons, self.place_type()),
                    4 => add!(persons, self.privacy()),
                    5 => add!(persons, self.sphere()),
                    6 => add!(persons, self.status_icon()),
                    7 => add!(persons, self.time_offset()),
                    8 => add!(persons, self.user_input()),
                    9 => add!(persons, Class::new(self.text())),
                    10 => add!(persons, self.display_name()),
                    11 => add!(persons, Card::new(self.any_uri())),
                    12 => add!(persons, Homepage::new(self.any_uri())),
                    13 => add!(persons, Icon::new(self.any_uri())),
                    14 => add!(persons, Map::new(self.any_uri())),
                    15 => add!(persons, Sound::new(self.any_uri())),
                    _ => {
                        let extension = self.foreign(2);
                        let person = typed.document.persons.last_mut().unwrap();
                        person.extensions.push(extension);
                    }
                }
            }
        }
        for _ in 0..self.below(3) {
            let mut device = Device::new(self.id(), DeviceId::new(self.uri()).unwrap());
            device.notes = self.some(2, Self::note);
            let changed = self.perhaps(Self::time);
            let _ = device.set_timestamp(changed);
            typed.document.devices.push(device);
            for _ in 0..self.below(4) {
                match self.below(4) {
                    0 => add!(devices, self.devcaps()),
                    1 => add!(devices, self.user_input()),
                    2 => add!(devices, Class::new(self.text())),
                    _ => {
                        let extension = self.foreign(2);
                        let device = typed.document.devices.last_mut().unwrap();
                        device.extensions.push(extension);
                    }
                }
            }
        }
        typed.document.notes = self.some(3, Self::note);
        typed.document.extensions = self.some(2, |it| it.foreign(3));
        typed
    }
}

/// Whether the last element may not stand beside one of the others.
fn repeats_another(extensions: &[Element]) -> bool {
    let Some((last, others)) = extensions.split_last() else {
        return false;
    };
    let alone = match last.namespace() {
        presentity::xml::namespace::RPID => {
            last.attribute("from").or(last.attribute("until")).is_none()
        }
        presentity::xml::namespace::CIPID | presentity::xml::namespace::CAPS => true,
        _ => false,
    };
    let is_like_it = |other: &&Element| {
        let timed = other
            .attribute("from")
            .or(other.attribute("until"))
            .is_some();
        other.name() == last.name() && !timed
    };
    alone && others.iter().any(|other| is_like_it(&other))
}
