//! What the schemas of known extensions allow, for strict reading.
//!
//! Elements that nobody here has a schema for are passed over, but not what is known inside them.

mod caps;
pub(crate) mod required;
mod rpid;

use super::{certs, lexical, timestamp, uri};
use crate::xml::{
    Attribute, Element, Name, NodeRef, excerpt, is_blank, is_nc_name, namespace, trim,
};

/// What an element may carry.
#[derive(Debug)]
struct Rule {
    content: Content,
    attributes: &'static [Named],
    others: Others,
}

/// Which attributes an element may have beside those that its rule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    None,
    /// Those of other namespaces than its own, and not of none.
    Foreign,
    Any,
}

/// An attribute without namespace.
#[derive(Debug)]
struct Named {
    local: &'static str,
    value: Value,
    required: bool,
}

#[derive(Debug)]
enum Content {
    /// Nothing, not even white space.
    Nothing,
    /// Text.
    Value(Value),
    /// Elements, as one of these sequences wants them.
    Elements(&'static [&'static [Slot]]),
}

/// A place in a sequence of elements.
#[derive(Debug)]
struct Slot {
    /// Elements of the parent's namespace that may stand here.
    choice: &'static [(&'static str, &'static Rule)],
    /// Whether those of other namespaces may.
    foreign: bool,
    least: usize,
    most: usize,
}

#[derive(Debug, Clone, Copy)]
enum Value {
    Text,
    Boolean,
    Integer,
    PositiveInteger,
    Time,
    Id,
    Language,
    Uri,
    OneOf(&'static [&'static str]),
    /// Where a certificate is.
    Source,
}

impl Rule {
    /// Text of this kind, and no attributes.
    const fn value(value: Value) -> Self {
        Self {
            content: Content::Value(value),
            attributes: &[],
            others: Others::None,
        }
    }

    /// These elements, and no attributes.
    const fn elements(sequences: &'static [&'static [Slot]]) -> Self {
        Self {
            content: Content::Elements(sequences),
            attributes: &[],
            others: Others::None,
        }
    }
}

impl Slot {
    /// Up to one of the elements.
    const fn optional(choice: &'static [(&'static str, &'static Rule)]) -> Self {
        Self {
            choice,
            foreign: false,
            least: 0,
            most: 1,
        }
    }

    /// Exactly one of them.
    const fn one(choice: &'static [(&'static str, &'static Rule)]) -> Self {
        Self {
            choice,
            foreign: false,
            least: 1,
            most: 1,
        }
    }

    /// Any number of them.
    const fn many(choice: &'static [(&'static str, &'static Rule)]) -> Self {
        Self {
            choice,
            foreign: false,
            least: 0,
            most: usize::MAX,
        }
    }

    /// Elements of other namespaces.
    const fn foreign(least: usize) -> Self {
        Self {
            choice: &[],
            foreign: true,
            least,
            most: usize::MAX,
        }
    }
}

static NOTHING: Rule = Rule {
    content: Content::Nothing,
    attributes: &[],
    others: Others::None,
};

static TEXT: Rule = Rule::value(Value::Text);

static URI: Rule = Rule::value(Value::Uri);

static BOOLEAN: Rule = Rule::value(Value::Boolean);

/// A text for people, perhaps in a stated language: that attribute is allowed everywhere here.
static NOTE: Rule = Rule::value(Value::Text);

static CERTS: Rule = Rule {
    content: Content::Elements(&[&[Slot::foreign(0)]]),
    attributes: &[Named {
        local: "src",
        value: Value::Source,
        required: false,
    }],
    others: Others::Foreign,
};

/// A person or device where none is looked for, such as inside a tuple.
const fn component(sequences: &'static [&'static [Slot]]) -> Rule {
    Rule {
        content: Content::Elements(sequences),
        attributes: &[Named {
            local: "id",
            value: Value::Id,
            required: true,
        }],
        others: Others::None,
    }
}

static PERSON: Rule = component(&[&[
    Slot::foreign(0),
    Slot::many(&[("note", &NOTE)]),
    Slot::optional(&[("timestamp", &TIME)]),
]]);

static DEVICE: Rule = component(&[&[
    Slot::foreign(0),
    Slot::one(&[("deviceID", &URI)]),
    Slot::many(&[("note", &NOTE)]),
    Slot::optional(&[("timestamp", &TIME)]),
]]);

static TIME: Rule = Rule::value(Value::Time);

/// What an extension stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    Presence,
    Tuple,
    Status,
    Person,
    Device,
}

/// Whether a known extension stands where its RFC has it (RFC 4479, 5.1; RFC 4480, 5; RFC 4482, 1;
/// RFC 5196, 3.2). `certs` is no RFC's and may stand anywhere.
pub(super) fn is_in_place(element: &Element, parent: Parent) -> bool {
    use Parent::{Device, Person, Tuple};
    let parents: &[Parent] = match (element.namespace(), element.local()) {
        (
            namespace::RPID,
            "activities" | "mood" | "place-is" | "place-type" | "sphere" | "time-offset",
        ) => &[Person],
        (namespace::RPID, "class" | "user-input") => &[Person, Tuple, Device],
        (namespace::RPID, "privacy" | "status-icon") => &[Person, Tuple],
        (namespace::RPID, "relationship" | "service-class") => &[Tuple],
        (namespace::CIPID, _) => &[Person, Tuple],
        (namespace::CAPS, "servcaps") | (namespace::DATA_MODEL, "deviceID") => &[Tuple],
        (namespace::CAPS, "devcaps") => &[Device],
        _ => return true,
    };
    parents.contains(&parent)
}

/// What no two extensions of one parent may have in common, for those that may stand alone only:
/// those of rich presence that have neither `from` nor `until` (RFC 4480, 5), those of contact
/// information, of which names for display may be in several languages (RFC 4482, 7), and those that
/// hold all capabilities (RFC 5196, 3.2 and 3.3). That times of rich presence should not overlap is
/// advice (RFC 4480, 3.1).
pub(super) fn place_of_one(element: &Element) -> Option<String> {
    let (namespace, local) = (element.namespace(), element.local());
    let lang = match (namespace, local) {
        (namespace::RPID, _) => {
            let has = |time: &str| element.attribute(time).is_some();
            if has("from") || has("until") {
                return None;
            }
            None
        }
        (namespace::CIPID, "display-name") => element.attributes.get(namespace::XML, "lang"),
        (namespace::CIPID, _) | (namespace::CAPS, "servcaps" | "devcaps") => None,
        _ => return None,
    };
    let lang = lang.map_or("-", trim);
    Some(format!("{namespace} {local} {lang}"))
}

/// A departure from a schema.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// The element, as `{namespace}local`.
    pub(super) element: String,
    /// What was expected of it.
    pub(super) expected: String,
    /// Where it shows: how many child elements to pass over at each step from the extension.
    pub(super) way: Vec<usize>,
}

impl Violation {
    /// The same, seen from the parent.
    fn in_child(mut self, number: usize) -> Self {
        self.way.insert(0, number);
        self
    }
}

/// A violation, and how far a sequence was followed until then.
struct Stop {
    violation: Violation,
    /// Children that were as they should be, twice; one more for a child that may stand where it
    /// does but is wrong inside.
    reached: usize,
}

/// Checks an extension and all that is known inside it.
pub(super) fn check(element: &Element) -> Result<(), Violation> {
    if element.namespace().is_empty() {
        return Err(violation(element, "a namespace".to_owned()));
    }
    check_inside(element)
}

fn check_inside(element: &Element) -> Result<(), Violation> {
    match rule_for(element) {
        Some(rule) => check_by(element, rule),
        // Extensions that were read are nested no deeper than the reader's bound.
        None => {
            for attribute in &element.attributes {
                if let Some(value) = global(&attribute.name) {
                    value.check(element, attribute)?;
                }
            }
            let mut children = element.elements().enumerate();
            children.try_for_each(|(number, child)| {
                check_inside(child).map_err(|violation| violation.in_child(number))
            })
        }
    }
}

/// What attributes that may stand anywhere have to be.
fn global(name: &Name) -> Option<Value> {
    match (name.namespace(), name.local()) {
        (namespace::PIDF, "mustUnderstand") => Some(Value::Boolean),
        (namespace::XML, "lang") => Some(Value::Language),
        _ => None,
    }
}

fn rule_for(element: &Element) -> Option<&'static Rule> {
    match (element.namespace(), element.local()) {
        (namespace::RPID, local) => find(rpid::GLOBAL, local),
        (namespace::CAPS, local) => find(caps::GLOBAL, local),
        (namespace::CIPID, "display-name") => Some(&NOTE),
        (namespace::CIPID, "card" | "homepage" | "icon" | "map" | "sound")
        | (namespace::DATA_MODEL, "deviceID") => Some(&URI),
        (namespace::DATA_MODEL, "person") => Some(&PERSON),
        (namespace::DATA_MODEL, "device") => Some(&DEVICE),
        (namespace::CERTS, "certs") => Some(&CERTS),
        _ => None,
    }
}

/// Whether the namespace has an element of this name, so far as it is known which it has: of
/// namespaces that are not known, and of location types, which anybody may register, it may.
pub(super) fn has_element(namespace: &str, local: &str) -> bool {
    match namespace {
        namespace::RPID => occurs(rpid::GLOBAL, local),
        namespace::CAPS => occurs(caps::GLOBAL, local),
        namespace::CIPID => matches!(
            local,
            "card" | "display-name" | "homepage" | "icon" | "map" | "sound"
        ),
        namespace::DATA_MODEL => matches!(
            local,
            "person" | "device" | "deviceID" | "note" | "timestamp"
        ),
        namespace::CERTS => local == "certs",
        _ => true,
    }
}

/// Whether the name is among these or in what one of them may hold.
fn occurs(names: &[(&str, &'static Rule)], local: &str) -> bool {
    names.iter().any(|(name, rule)| {
        let sequences = match rule.content {
            Content::Elements(sequences) => sequences,
            Content::Nothing | Content::Value(_) => &[],
        };
        let mut slots = sequences.iter().copied().flatten();
        *name == local || slots.any(|slot| occurs(slot.choice, local))
    })
}

fn find(names: &[(&str, &'static Rule)], local: &str) -> Option<&'static Rule> {
    let mut names = names.iter();
    let found = names.find(|(name, _)| *name == local);
    found.map(|(_, rule)| *rule)
}

fn check_by(element: &Element, rule: &Rule) -> Result<(), Violation> {
    for attribute in &element.attributes {
        check_attribute(element, rule, attribute)?;
    }
    let mut required = rule.attributes.iter().filter(|named| named.required);
    if let Some(missing) = required.find(|named| element.attribute(named.local).is_none()) {
        return Err(violation(element, format!("attribute {}", missing.local)));
    }
    match &rule.content {
        Content::Nothing if element.children().next().is_none() => Ok(()),
        Content::Nothing => Err(violation(element, "no content".to_owned())),
        Content::Value(value) => {
            if let Some(child) = element.elements().next() {
                return Err(unexpected(element, child, 0));
            }
            match value.expects(&element.text()) {
                None => Ok(()),
                Some(expected) => Err(violation(element, expected)),
            }
        }
        Content::Elements(sequences) => check_elements(element, sequences),
    }
}

fn check_attribute(element: &Element, rule: &Rule, attribute: &Attribute) -> Result<(), Violation> {
    let name = &attribute.name;
    let value = match (name.namespace(), name.local()) {
        ("", local) => match rule.attributes.iter().find(|named| named.local == local) {
            Some(named) => named.value,
            None if rule.others == Others::Any => return Ok(()),
            None => {
                return Err(violation(
                    element,
                    format!("no attribute {}", excerpt(local)),
                ));
            }
        },
        (namespace::XML | namespace::XSI, _) | (namespace::PIDF, "mustUnderstand") => {
            match global(name) {
                Some(value) => value,
                None => return Ok(()),
            }
        }
        _ if rule.others == Others::Any => return Ok(()),
        (namespace, _) if rule.others == Others::Foreign && namespace != element.namespace() => {
            return Ok(());
        }
        _ => {
            return Err(violation(
                element,
                format!("no attribute {}", excerpt(&name.to_string())),
            ));
        }
    };
    value.check(element, attribute)
}

fn check_elements(element: &Element, sequences: &[&[Slot]]) -> Result<(), Violation> {
    let text = element.children().find_map(|node| match node {
        NodeRef::Text(text) if !is_blank(text) => Some(text),
        _ => None,
    });
    if text.is_some() {
        return Err(violation(element, "no text beside elements".to_owned()));
    }
    // What the writer meant is likely what fits longest.
    let mut furthest: Option<Stop> = None;
    for sequence in sequences {
        match check_sequence(element, sequence) {
            Ok(()) => return Ok(()),
            Err(stop) => {
                if furthest.as_ref().is_none_or(|it| it.reached < stop.reached) {
                    furthest = Some(stop);
                }
            }
        }
    }
    furthest.map_or(Ok(()), |stop| Err(stop.violation))
}

fn check_sequence(element: &Element, sequence: &[Slot]) -> Result<(), Stop> {
    let mut children = element.elements().enumerate().peekable();
    let at = |number: usize| {
        move |violation| Stop {
            violation,
            reached: number.saturating_mul(2),
        }
    };
    let inside = |number: usize| {
        move |violation: Violation| Stop {
            violation: violation.in_child(number),
            reached: number.saturating_mul(2).saturating_add(1),
        }
    };
    let all = element.elements().count();
    for slot in sequence {
        let mut found = 0usize;
        while found < slot.most
            && let Some(&(number, child)) = children.peek()
        {
            if child.namespace() == element.namespace() {
                let Some(rule) = find(slot.choice, child.local()) else {
                    break;
                };
                check_by(child, rule).map_err(inside(number))?;
            } else if slot.foreign && !child.namespace().is_empty() {
                check_inside(child).map_err(inside(number))?;
            } else {
                break;
            }
            found = found.saturating_add(1);
            children.next();
        }
        if found < slot.least {
            let expected = match slot.choice {
                [] => "an element of another namespace".to_owned(),
                [(name, _)] => format!("the element {name}"),
                _ => "one of its values".to_owned(),
            };
            let number = children.peek().map_or(all, |&(number, _)| number);
            return Err(at(number)(violation(element, expected)));
        }
    }
    match children.next() {
        None => Ok(()),
        Some((number, child)) => Err(at(number)(unexpected(element, child, number))),
    }
}

fn violation(element: &Element, expected: String) -> Violation {
    Violation {
        element: excerpt(&element.name().to_string()),
        expected,
        way: Vec::new(),
    }
}

fn unexpected(element: &Element, child: &Element, number: usize) -> Violation {
    let child = excerpt(&child.name().to_string());
    violation(element, format!("no element {child} at its place")).in_child(number)
}

impl Value {
    fn check(self, element: &Element, attribute: &Attribute) -> Result<(), Violation> {
        match self.expects(&attribute.value) {
            None => Ok(()),
            Some(expected) => {
                let local = attribute.name.local();
                Err(violation(
                    element,
                    format!("{expected} as attribute {local}"),
                ))
            }
        }
    }

    /// What was expected, if the text is not that.
    fn expects(self, text: &str) -> Option<String> {
        let text = trim(text);
        let (good, expected) = match self {
            Self::Text => (true, ""),
            Self::Boolean => (lexical::boolean(text).is_some(), "true or false"),
            Self::Integer => (lexical::is_integer(text), "an integer"),
            Self::PositiveInteger => {
                let positive = text.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
                let good = lexical::is_integer(text) && positive && !text.starts_with('-');
                (good, "a positive integer")
            }
            // The schema does not ask for an offset.
            Self::Time => {
                let good = timestamp::is_valid(text) || timestamp::is_valid(&format!("{text}Z"));
                (good, "a date and time")
            }
            Self::Id => (is_nc_name(text), "a name"),
            Self::Language => (
                text.is_empty() || lexical::is_language(text),
                "a language tag",
            ),
            Self::Uri => (uri::is_reference(text), "a URI"),
            Self::OneOf(values) => {
                let good = values.contains(&text);
                return (!good).then(|| values.join(" or "));
            }
            Self::Source => (
                certs::check_source(text).is_ok(),
                "an absolute URI of scheme sip, sips, http or https",
            ),
        };
        (!good).then(|| expected.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::XmlLimits;

    fn checked(inside: &str) -> Result<(), String> {
        let document = format!(
            "<outer xmlns='urn:example:outer' xmlns:r='{}' xmlns:c='{}' xmlns:ci='{}' \
             xmlns:dm='{}' xmlns:cert='{}' xmlns:p='{}' xmlns:x='urn:example:x'>{inside}</outer>",
            namespace::RPID,
            namespace::CAPS,
            namespace::CIPID,
            namespace::DATA_MODEL,
            namespace::CERTS,
            namespace::PIDF,
        );
        let tree = Element::read(document.as_bytes(), &XmlLimits::default()).unwrap();
        check(&tree).map_err(|violation| violation.expected)
    }

    // PIDF-22: the wildcards of the schemas take elements of other namespaces, not of none.
    #[test]
    fn an_extension_has_a_namespace() {
        assert_eq!(check(&Element::new("urn:example:x", "a")), Ok(()));
        assert!(check(&Element::new("", "a")).is_err());
    }

    // PIDF-36, PIDF-38, PIDF-42, PIDF-43, PIDF-45
    #[test]
    fn what_the_schemas_allow() {
        for inside in [
            "<r:activities/>",
            "<r:activities><r:note>x</r:note><r:unknown/></r:activities>",
            "<r:activities r:id='1' id='a' from='2026-01-01T00:00:00' x:y=''><r:busy/><x:y/><r:other>z</r:other></r:activities>",
            "<r:mood><r:in_awe/></r:mood>",
            "<r:class> any </r:class>",
            "<r:place-is><r:audio><r:ok/></r:audio><r:text><r:unknown/></r:text></r:place-is>",
            "<r:place-type><x:hall/><x:way/></r:place-type>",
            "<r:privacy><r:audio/><r:video/><x:y/></r:privacy>",
            "<r:relationship/>",
            "<r:relationship><r:other xml:lang='en'>kin</r:other></r:relationship>",
            "<r:service-class><r:postal/></r:service-class>",
            "<r:sphere/>",
            "<r:sphere><x:y><r:sphere><r:home/></r:sphere></x:y></r:sphere>",
            "<r:status-icon until='2026-01-01T00:00:00+01:00'>http://example.com/#a</r:status-icon>",
            "<r:time-offset description='x'>-0060</r:time-offset>",
            "<r:user-input idle-threshold='600' last-input='2026-01-01T00:00:00Z'>idle</r:user-input>",
            "<c:servcaps a='1'><c:audio> 1 </c:audio><c:type>text/plain</c:type><c:type/><x:y/></c:servcaps>",
            "<c:servcaps><c:class><c:supported><c:business/><x:y/></c:supported></c:class></c:servcaps>",
            "<c:servcaps><c:languages><c:notsupported><c:l>en</c:l><c:l>de</c:l></c:notsupported></c:languages></c:servcaps>",
            "<c:servcaps><c:priority><c:supported><c:equals value='1'/><c:range minvalue='1' maxvalue='+2'/></c:supported></c:priority></c:servcaps>",
            "<c:devcaps><c:description xml:lang='en'>x</c:description><c:mobility/></c:devcaps>",
            "<ci:card>http://example.com/card</ci:card><ci:display-name xml:lang='en'>D</ci:display-name>",
            "<dm:deviceID>urn:example:a</dm:deviceID>",
            "<cert:certs/><cert:certs src='SIPS:dora@example.com' x:y=''><x:y/></cert:certs>",
            "<c:other><anything/></c:other>",
            "<x:y xml:lang='de-1996' p:mustUnderstand=' 1 '><y xml:lang=''/></x:y>",
            "<r:mood xml:lang='' p:mustUnderstand='true'><r:happy xml:lang='en'/></r:mood>",
            "<x:y><dm:person id='a'><x:y/><dm:note xml:lang='en'>x</dm:note><dm:timestamp>2026-01-01T00:00:00Z</dm:timestamp></dm:person></x:y>",
            "<dm:device id='a'><x:y/><dm:deviceID>urn:example:a</dm:deviceID><dm:note/></dm:device>",
            "<ci:card>http://[2001:db8::1]/a:b?c#d</ci:card><ci:icon>./a:b</ci:icon><ci:map>?a:b</ci:map>",
        ] {
            assert_eq!(checked(inside), Ok(()), "{inside}");
        }
    }

    // PIDF-36, PIDF-38, PIDF-42, PIDF-43, PIDF-45, CERT-05, CERT-06
    #[test]
    fn what_the_schemas_refuse() {
        for inside in [
            "<r:activities>text</r:activities>",
            "<r:activities><r:lunch/></r:activities>",
            "<r:activities><r:unknown/><r:busy/></r:activities>",
            "<r:activities><r:busy/><r:note>x</r:note></r:activities>",
            "<r:activities><r:busy>x</r:busy></r:activities>",
            "<r:activities><r:busy a=''/></r:activities>",
            "<r:activities><none xmlns=''/></r:activities>",
            "<r:activities from='now'><r:busy/></r:activities>",
            "<r:activities id='1'><r:busy/></r:activities>",
            "<r:mood/>",
            "<r:class a=''>x</r:class>",
            "<r:class><r:x/></r:class>",
            "<r:place-is><r:audio/></r:place-is>",
            "<r:place-is><r:audio><r:dark/></r:audio></r:place-is>",
            "<r:place-is><r:text><r:ok/></r:text><r:audio><r:ok/></r:audio></r:place-is>",
            "<r:place-type/>",
            "<r:privacy><r:unknown/><r:audio/></r:privacy>",
            "<r:relationship><r:friend/><r:self/></r:relationship>",
            "<r:relationship from='2026-01-01T00:00:00Z'/>",
            "<r:service-class/>",
            "<r:sphere>bowling</r:sphere>",
            "<r:sphere><r:home/><r:work/></r:sphere>",
            "<r:time-offset>1.5</r:time-offset>",
            "<r:user-input>busy</r:user-input>",
            "<r:user-input idle-threshold='0'>idle</r:user-input>",
            "<x:y><r:sphere>deep</r:sphere></x:y>",
            "<c:servcaps><c:audio>yes</c:audio></c:servcaps>",
            "<c:servcaps><c:video>true</c:video><c:audio>true</c:audio></c:servcaps>",
            "<c:servcaps><c:audio>true</c:audio><c:audio>true</c:audio></c:servcaps>",
            "<c:servcaps><x:y/><c:audio>true</c:audio></c:servcaps>",
            "<c:servcaps><c:methods><c:supported><c:BYE/><c:ACK/></c:supported></c:methods></c:servcaps>",
            "<c:servcaps><c:methods><c:notsupported/><c:supported/></c:methods></c:servcaps>",
            "<c:servcaps><c:schemes><c:supported/></c:schemes></c:servcaps>",
            "<c:servcaps><c:priority><c:supported><c:equals/></c:supported></c:priority></c:servcaps>",
            "<c:servcaps><c:priority><c:supported><c:higherhan minvalue='1'/></c:supported></c:priority></c:servcaps>",
            "<c:devcaps><c:mobility/><c:description/></c:devcaps>",
            "<ci:card>not a URI</ci:card>",
            "<ci:display-name><x:y/></ci:display-name>",
            "<dm:deviceID>a b</dm:deviceID>",
            "<cert:certs src='mailto:dora@example.com'/>",
            "<cert:certs src='dora.cer'/>",
            "<cert:certs>text</cert:certs>",
            "<cert:certs a=''/>",
            "<cert:certs cert:a=''/>",
            "<x:y xml:lang='en_GB'/>",
            "<x:y><y p:mustUnderstand='yes'/></x:y>",
            "<r:mood p:mustUnderstand='yes'><r:happy/></r:mood>",
            "<r:mood><r:note xml:lang='1'>x</r:note><r:happy/></r:mood>",
            "<c:devcaps><c:description xml:lang='-'/></c:devcaps>",
            "<x:y><dm:person><dm:note/></dm:person></x:y>",
            "<x:y><dm:person id='a'><dm:note/><x:y/></dm:person></x:y>",
            "<dm:device id='a'><x:y/><dm:note/></dm:device>",
            "<ci:card>a:</ci:card><ci:card>1:b</ci:card>",
            "<ci:card>http://example.com/[a]</ci:card>",
            "<ci:card>#[a]</ci:card>",
        ] {
            assert!(checked(inside).is_err(), "{inside}");
        }
    }
}
