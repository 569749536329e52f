//! An extension of somebody else's: where a person is, with typed access through the public traits
//! alone. Like the location objects of RFC 4119 it has content of a second namespace, and rules for
//! what may be done with it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "test code may fail loudly"
)]

use presentity::pidf::{
    Device, Extension, ExtensionOf, Fault, Person, Presence, ReadOptions, Status, Strictness,
    Tuple, Understood, ValueError,
};
use presentity::xml::{Element, Layout, Name, NodeRef, namespace};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const PLACES: &str = "urn:example:places";
const ADDRESS: &str = "urn:example:places:address";

// ---- the extension --------------------------------------------------------------------------

/// Where somebody or something is.
#[derive(Debug, Clone, PartialEq)]
struct Whereabouts {
    /// How it is known.
    method: Option<String>,
    /// The parts of an address, in order: which, and what.
    address: Vec<(String, String)>,
    /// How to find it, text with elements in it, as it was written.
    directions: Option<Element>,
    rules: Rules,
}

/// What may be done with it.
#[derive(Debug, Clone, PartialEq)]
struct Rules {
    pass_on: bool,
    keep_until: Option<OffsetDateTime>,
}

impl Whereabouts {
    fn at(address: &[(&str, &str)]) -> Self {
        let owned = |(part, value): &(&str, &str)| ((*part).to_owned(), (*value).to_owned());
        Self {
            method: None,
            address: address.iter().map(owned).collect(),
            directions: None,
            rules: Rules {
                pass_on: false,
                keep_until: None,
            },
        }
    }

    fn part(&self, name: &str) -> Option<&str> {
        let mut parts = self.address.iter();
        let found = parts.find(|(part, _)| part == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Extension for Whereabouts {
    const NAMESPACE: &'static str = PLACES;
    const LOCAL: &'static str = "whereabouts";

    fn read(element: &Element) -> Option<Self> {
        let rules = element.first(PLACES, "rules")?;
        let text = |local| rules.first(PLACES, local).map(Element::text);
        let keep_until = match text("keep-until") {
            Some(text) => Some(OffsetDateTime::parse(text.trim(), &Rfc3339).ok()?),
            None => None,
        };
        let address = element.first(ADDRESS, "address")?;
        Some(Self {
            method: element.attribute("method").map(str::to_owned),
            address: address
                .elements()
                .filter(|part| part.namespace() == ADDRESS)
                .map(|part| (part.local().to_owned(), part.text().trim().to_owned()))
                .collect(),
            directions: element.first(PLACES, "directions").cloned(),
            rules: Rules {
                pass_on: text("pass-on").is_some_and(|text| text.trim() == "yes"),
                keep_until,
            },
        })
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        if self.address.is_empty() {
            return Err(ValueError::new("whereabouts", "", "a place"));
        }
        let mut address = Element::named(Name::with_prefix(ADDRESS, "address", "ad"));
        for (part, value) in &self.address {
            address.push_child(Element::new(ADDRESS, part).with_text(value.as_str()));
        }
        // Who cannot tell what the rules are may not use the place.
        let mut rules = Element::new(PLACES, "rules");
        Understood::require(&mut rules);
        let pass_on = if self.rules.pass_on { "yes" } else { "no" };
        rules.push_child(Element::new(PLACES, "pass-on").with_text(pass_on));
        if let Some(time) = self.rules.keep_until {
            let text = time.format(&Rfc3339);
            let text = text.map_err(|_| ValueError::new("keep-until", "", "a time"))?;
            rules.push_child(Element::new(PLACES, "keep-until").with_text(text));
        }
        let mut element = Element::named(Name::with_prefix(PLACES, Self::LOCAL, "pl"));
        if let Some(method) = &self.method {
            element = element.with_attribute("method", method.as_str());
        }
        element.push_child(address);
        if let Some(directions) = &self.directions {
            element.push_child(directions.clone());
        }
        Ok(element.with_child(rules))
    }

    fn understands(namespace: &str, _local: &str) -> bool {
        matches!(namespace, PLACES | ADDRESS)
    }
}

impl ExtensionOf<Presence> for Whereabouts {}
impl ExtensionOf<Tuple> for Whereabouts {}
impl ExtensionOf<Status> for Whereabouts {}
impl ExtensionOf<Person> for Whereabouts {}
impl ExtensionOf<Device> for Whereabouts {}

// ---- documents ------------------------------------------------------------------------------

/// Every parent has one, none with the prefix of another.
const DOCUMENT: &str = r#"<?xml version="1.0"?>
<pl:presence xmlns:pl="urn:ietf:params:xml:ns:pidf" entity="pres:ines@example.org"
             xmlns:address="urn:example:places">
  <pl:tuple id="t">
    <pl:status>
      <address:whereabouts method="wire">
        <c:address xmlns:c="urn:example:places:address"><c:country>PT</c:country><c:city> Porto </c:city>
          <c:room>2.14 &amp; 2.15</c:room></c:address>
        <address:directions xml:lang="en" address:kind="walk">Up <address:b>two</address:b> stairs,
          past <x:lift xmlns:x="urn:example:buildings" x:floor="2"/> to the left &lt;here&gt;</address:directions>
        <address:rules pl:mustUnderstand="1"><address:pass-on>yes</address:pass-on>
          <address:keep-until>2026-05-06T07:08:09Z</address:keep-until></address:rules>
      </address:whereabouts>
    </pl:status>
    <whereabouts xmlns="urn:example:places" xmlns:pidf="urn:example:places:address"><pidf:address><pidf:city>Lisboa</pidf:city></pidf:address><rules/></whereabouts>
    <pl:contact>sip:ines@example.org</pl:contact>
  </pl:tuple>
  <dm:person id="p" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model">
    <dm1:whereabouts xmlns:dm1="urn:example:places"><dm1:rules/><a:address xmlns:a="urn:example:places:address"><a:city>Faro</a:city></a:address></dm1:whereabouts>
  </dm:person>
  <address:whereabouts><address:rules/><ns:address xmlns:ns="urn:example:places:address"><ns:city>Braga</ns:city></ns:address></address:whereabouts>
  <dm:device xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" id="d">
    <q:whereabouts xmlns:q="urn:example:places"><q:rules/><r:address xmlns:r="urn:example:places:address"><r:city>Évora</r:city></r:address></q:whereabouts>
    <dm:deviceID>urn:example:device:1</dm:deviceID>
  </dm:device>
</pl:presence>"#;

fn at(time: &str) -> OffsetDateTime {
    OffsetDateTime::parse(time, &Rfc3339).unwrap()
}

fn read(document: &str) -> Presence {
    Presence::read(document.as_bytes()).unwrap()
}

fn strictly(document: &[u8]) -> Presence {
    let (presence, tolerated) = Presence::read_with(document, &ReadOptions::strict()).unwrap();
    assert!(
        tolerated
            .iter()
            .all(|one| matches!(one.fault, Fault::NotUnderstood { .. })),
        "{tolerated:?}"
    );
    presence
}

/// Reads of the written document what is equal, in both layouts, and gives the compact one.
fn written(presence: &Presence) -> String {
    let compact = presence.write().unwrap();
    assert_eq!(strictly(&compact), *presence);
    let pretty = presence.write_as(Layout::Pretty).unwrap();
    assert_eq!(strictly(&pretty), *presence);
    assert_eq!(strictly(&compact).write().unwrap(), compact);
    String::from_utf8(compact.to_vec()).unwrap()
}

fn city<T>(found: Option<Whereabouts>, _: &T) -> Option<String> {
    found?.part("city").map(str::to_owned)
}

// ---- reading --------------------------------------------------------------------------------

// PIDF-22, PIDF-24
#[test]
fn it_is_read_wherever_it_may_stand_and_whatever_its_prefix() {
    let presence = read(DOCUMENT);
    let tuple = &presence.tuples[0];
    let found = tuple.status.get::<Whereabouts>().unwrap();
    assert_eq!(found.method.as_deref(), Some("wire"));
    let address: Vec<(&str, &str)> = found
        .address
        .iter()
        .map(|(part, value)| (part.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        address,
        [
            ("country", "PT"),
            ("city", "Porto"),
            ("room", "2.14 & 2.15")
        ]
    );
    assert_eq!(
        found.rules,
        Rules {
            pass_on: true,
            keep_until: Some(at("2026-05-06T07:08:09Z")),
        }
    );
    let directions = found.directions.unwrap();
    assert_eq!(directions.attributes.get(PLACES, "kind"), Some("walk"));
    assert_eq!(
        directions.attributes.get(namespace::XML, "lang"),
        Some("en")
    );
    let parts: Vec<String> = directions
        .children()
        .map(|node| match node {
            NodeRef::Text(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
            NodeRef::Element(element) => format!("[{} {}]", element.local(), element.text()),
            _ => String::new(),
        })
        .collect();
    assert_eq!(
        parts,
        [
            "Up",
            "[b two]",
            "stairs, past",
            "[lift ]",
            "to the left <here>"
        ]
    );

    assert_eq!(city(tuple.get(), tuple).as_deref(), Some("Lisboa"));
    let person = &presence.persons[0];
    assert_eq!(city(person.get(), person).as_deref(), Some("Faro"));
    let device = &presence.devices[0];
    assert_eq!(city(device.get(), device).as_deref(), Some("Évora"));
    assert_eq!(city(presence.get(), &presence).as_deref(), Some("Braga"));
    assert_eq!(presence.extensions_of_all().count(), 5);
}

#[test]
fn what_says_nothing_usable_is_passed_over() {
    let document = DOCUMENT.replace("2026-05-06T07:08:09Z", "tomorrow");
    let presence = read(&document);
    let status = &presence.tuples[0].status;
    assert_eq!(status.get::<Whereabouts>(), None);
    assert_eq!(status.extensions.len(), 1);
    assert!(written(&presence).contains("tomorrow"));
}

// ---- changing and writing -------------------------------------------------------------------

#[test]
fn it_is_changed_written_and_read_again() {
    let mut presence = read(DOCUMENT);
    let status = &mut presence.tuples[0].status;
    let mut found = status.get::<Whereabouts>().unwrap();
    found.address.push(("floor".to_owned(), "<2>".to_owned()));
    found.rules.keep_until = Some(at("2027-01-01T00:00:00Z"));
    let directions = found.directions.as_mut().unwrap();
    directions.push_text(" & mind the step");
    status.set(&found).unwrap();
    assert_eq!(status.extensions.len(), 1);

    let tuple = &mut presence.tuples[0];
    tuple.add(&Whereabouts::at(&[("city", "Coimbra")])).unwrap();
    presence.persons[0].remove::<Whereabouts>();
    let mut aveiro = Whereabouts::at(&[("city", "Aveiro")]);
    aveiro.method = Some("\"guess\"\n".to_owned());
    let device = presence.devices.remove(0);
    presence.devices.push(device.with(&aveiro).unwrap());

    let text = written(&presence);
    let again = strictly(text.as_bytes());
    assert_eq!(again.tuples[0].status.get::<Whereabouts>(), Some(found));
    let cities: Vec<Option<String>> = again.tuples[0]
        .all::<Whereabouts>()
        .map(|found| found.part("city").map(str::to_owned))
        .collect();
    assert_eq!(
        cities,
        [Some("Lisboa".to_owned()), Some("Coimbra".to_owned())]
    );
    assert_eq!(again.persons[0].get::<Whereabouts>(), None);
    assert_eq!(again.devices[0].get::<Whereabouts>(), Some(aveiro));
    assert_eq!(city(again.get(), &again).as_deref(), Some("Braga"));
    // Both namespaces are declared at the root, by the prefixes that they ask for.
    let (root, _) = text.split_once("<tuple").unwrap();
    assert!(root.contains("xmlns:pl=\"urn:example:places\""), "{text}");
    assert!(
        root.contains("xmlns:ad=\"urn:example:places:address\""),
        "{text}"
    );
}

#[test]
fn a_value_that_may_not_be_sent_changes_nothing() {
    let mut presence = read(DOCUMENT);
    let before = presence.clone();
    let nowhere = Whereabouts::at(&[]);
    assert!(presence.set(&nowhere).is_err());
    assert!(presence.add(&nowhere).is_err());
    assert!(presence.tuples[0].status.set(&nowhere).is_err());
    assert!(presence.persons[0].add(&nowhere).is_err());
    assert!(presence.devices[0].set(&nowhere).is_err());
    assert_eq!(presence, before);
    let error = Person::new("p").with(&nowhere).unwrap_err();
    assert_eq!(error.to_string(), "whereabouts: \"\" is not a place");
    // The element can be built, the document not written.
    let person = Person::new("p").with(&Whereabouts::at(&[("a b", "c")]));
    let document = Presence::new("sip:ines@example.org").with_person(person.unwrap());
    assert!(document.write().is_err());
}

#[test]
fn it_is_written_with_the_prefixes_it_asks_for() {
    let place = Whereabouts::at(&[("city", "Porto")]);
    let tuple = Tuple::open("t").with(&place).unwrap();
    let document = Presence::new("sip:ines@example.org").with_tuple(tuple);
    let text = written(&document);
    assert!(text.contains("<pl:whereabouts>"), "{text}");
    assert!(text.contains("<ad:address>"), "{text}");
    // A prefix that stands for something else makes way.
    let other = Element::named(Name::with_prefix("urn:example:plants", "oak", "pl"));
    let text = written(&document.with_extension(other));
    assert!(text.contains("<pl:whereabouts>"), "{text}");
    assert!(text.contains("<pl1:oak/>"), "{text}");
}

// ---- what must be understood ----------------------------------------------------------------

/// The same extension for somebody who knows nothing of addresses, nor of rules.
#[derive(Debug, PartialEq)]
struct Somewhere;

impl Extension for Somewhere {
    const NAMESPACE: &'static str = PLACES;
    const LOCAL: &'static str = "whereabouts";

    fn read(_: &Element) -> Option<Self> {
        Some(Self)
    }

    fn to_element(&self) -> Result<Element, ValueError> {
        Ok(Self::empty_element())
    }

    fn understands(namespace: &str, local: &str) -> bool {
        namespace == PLACES && local != "rules"
    }
}

impl ExtensionOf<Status> for Somewhere {}
impl ExtensionOf<Tuple> for Somewhere {}

// PIDF-24: the mark hides the extension from who does not understand what is marked, in typed access.
#[test]
fn marked_rules_are_for_those_who_understand_them() {
    let presence = read(DOCUMENT);
    let tuple = &presence.tuples[0];
    assert!(tuple.status.get::<Whereabouts>().is_some());
    assert_eq!(tuple.status.get::<Somewhere>(), None);
    // Here the rules are not marked, and the address never is.
    assert_eq!(tuple.get::<Somewhere>(), Some(Somewhere));
    // PIDF-21: the basic status means what it means, with or without an extension.
    assert_eq!(tuple.status.basic(), None);

    // A mark within what is passed over means nothing.
    let deeper = DOCUMENT.replace(
        "<address:rules pl:mustUnderstand=\"1\">",
        "<address:rules pl:mustUnderstand=\"0\"><x:y xmlns:x=\"urn:example:z\" pl:mustUnderstand=\"1\"/>",
    );
    assert_ne!(deeper, DOCUMENT);
    let status = &read(&deeper).tuples[0].status;
    assert_eq!(status.get::<Somewhere>(), Some(Somewhere));
    // But for who understands the rules it is within them.
    assert_eq!(status.get::<Whereabouts>(), None);
}

// PIDF-24, PIDF-25
#[test]
fn rules_are_marked_when_written_and_the_mark_is_obeyed() {
    let place = Whereabouts::at(&[("city", "Porto")]);
    let mut tuple = Tuple::open("t");
    tuple.status.set(&place).unwrap();
    let document = Presence::new("sip:ines@example.org").with_tuple(tuple);
    let text = written(&document);
    assert!(
        text.contains("<pl:rules pidf:mustUnderstand=\"true\">"),
        "{text}"
    );
    let again = read(&text);
    let status = &again.tuples[0].status;
    assert_eq!(status.get::<Whereabouts>(), Some(place));
    assert_eq!(status.get::<Somewhere>(), None);
    // The document stands without it.
    assert_eq!(again, document);
}

// PIDF-24
#[test]
fn a_reader_is_told_what_it_does_not_understand() {
    let not_understood = |understood: Understood| -> Vec<String> {
        let mut options = ReadOptions::strict();
        options.understood = understood;
        // The document is not at fault.
        let strict = Presence::read_with(DOCUMENT.as_bytes(), &options).unwrap();
        options.strictness = Strictness::Tolerant;
        let tolerant = Presence::read_with(DOCUMENT.as_bytes(), &options).unwrap();
        assert_eq!(strict, tolerant);
        let (_, tolerated) = strict;
        let faults = tolerated.into_iter().map(|one| one.fault);
        faults
            .filter_map(|fault| match fault {
                Fault::NotUnderstood { element } => Some(element),
                _ => None,
            })
            .collect()
    };
    // Who does not know the extension at all has nothing to obey: it is passed over.
    assert!(not_understood(Understood::standard()).is_empty());
    assert!(not_understood(Understood::core()).is_empty());
    let all = Understood::standard()
        .with_namespace(PLACES)
        .with_namespace(ADDRESS);
    assert!(not_understood(all).is_empty());
    assert!(not_understood(Understood::core().with_namespace(PLACES)).is_empty());
    let without_rules = Understood::core().with_element(PLACES, "whereabouts");
    assert_eq!(
        not_understood(without_rules),
        ["{urn:example:places}whereabouts"]
    );
}

// ---- what nobody claims ---------------------------------------------------------------------

// PIDF-21, PIDF-23
#[test]
fn what_nobody_claims_stays_in_its_place() {
    const FOREIGN: &str = "urn:example:gardens";
    let garden = |number: usize| {
        format!(
            "<g:garden xmlns:g='{FOREIGN}' xmlns:k='urn:example:kinds' number='{number}' g:kind='k:alpine'>\
             In <g:bed g:sun='all day'>the <k:rose/> bed</g:bed> and <![CDATA[<not> a tag]]> beside it </g:garden>"
        )
    };
    let before = Presence::read(
        format!(
            "<presence xmlns='{}' entity='sip:ines@example.org'><tuple id='t'><status>{}{}{}</status></tuple>{}{}{}</presence>",
            namespace::PIDF,
            garden(1),
            "<w:whereabouts xmlns:w='urn:example:places'/>",
            garden(2),
            garden(3),
            "<w:whereabouts xmlns:w='urn:example:places'/>",
            garden(4),
        )
        .as_bytes(),
    )
    .unwrap();
    let mut after = before.clone();
    let place = Whereabouts::at(&[("city", "Porto")]);
    after.tuples[0].status.set(&place).unwrap();
    after.set(&place).unwrap();

    let gardens = |list: &[Element]| -> Vec<(usize, String)> {
        let all = list.iter().enumerate();
        all.filter(|(_, element)| element.namespace() == FOREIGN)
            .map(|(at, element)| (at, element.attribute("number").unwrap().to_owned()))
            .collect()
    };
    let text = written(&after);
    let again = read(&text);
    let expected = |first: &str, second: &str| [(0, first.to_owned()), (2, second.to_owned())];
    assert_eq!(
        gardens(&again.tuples[0].status.extensions),
        expected("1", "2")
    );
    assert_eq!(gardens(&again.extensions), expected("3", "4"));
    for (was, is) in before.extensions_of_all().zip(again.extensions_of_all()) {
        if was.namespace() == FOREIGN {
            assert_eq!(was, is);
        }
    }
    let first = &again.extensions[0];
    assert_eq!(first.attributes.get(FOREIGN, "kind"), Some("k:alpine"));
    // The prefix in the value still means what it meant.
    assert!(text.contains("xmlns:k=\"urn:example:kinds\""), "{text}");
    assert!(text.contains("<g:garden "), "{text}");
    assert!(
        text.contains("In <g:bed g:sun=\"all day\">the <k:rose/> bed</g:bed> and &lt;not&gt; a tag beside it </g:garden>"),
        "{text}"
    );
    assert_eq!(after.tuples[0].status.remove::<Whereabouts>(), 1);
    assert_eq!(after.tuples[0].status.extensions.len(), 2);
}
