//! Parts and moments for the tests, all on one clock: the host's time in seconds is that of day.

use presentity::engine::Timestamp;
use presentity::pidf::{Device, DeviceId, Person, Presence, Tuple};
use presentity::presence::composition::{Composed, Composition, Compositor, Moment, Part, Source};
use presentity::xml::Element;
use time::{Duration, OffsetDateTime};

pub const ENTITY: &str = "sip:ana@example.com";
/// When the tests compose.
pub const NOON: i64 = 43_200;

pub fn utc(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds)
}

pub fn at(seconds: i64) -> Moment {
    Moment::new(host(seconds), Some(utc(seconds)))
}

pub fn host(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds.try_into().unwrap())
}

pub fn document() -> Presence {
    Presence::new(ENTITY)
}

/// A publication that has said so since some seconds before noon.
pub fn published(serial: u64, ago: i64, document: Presence) -> Part {
    Part::new(Source::Publication, serial, document, host(NOON - ago))
}

pub fn compose(compositor: &Compositor, parts: &[Part]) -> Presence {
    composed(compositor, parts, &at(NOON)).document
}

pub fn composed(compositor: &Compositor, parts: &[Part], moment: &Moment) -> Composed {
    let composed = compositor.compose(parts.to_vec(), moment);
    composed.document.write().expect("it can be written");
    let mut reversed = parts.to_vec();
    reversed.reverse();
    let other = compositor.compose(reversed, moment);
    assert_eq!(
        other, composed,
        "the order of the parts makes no difference"
    );
    composed
}

pub fn device_id(name: &str) -> DeviceId {
    DeviceId::new(format!("urn:example:{name}")).unwrap()
}

pub fn device(id: &str, name: &str) -> Device {
    Device::new(id, device_id(name))
}

/// An open tuple on a device.
pub fn on(id: &str, name: &str) -> Tuple {
    Tuple::open(id).with(&device_id(name)).unwrap()
}

pub fn person(id: &str) -> Person {
    Person::new(id)
}

pub fn foreign(local: &str, text: &str) -> Element {
    Element::new("urn:example:foreign", local).with_text(text)
}

/// The foreign elements with their texts.
pub fn foreigners(elements: &[Element]) -> Vec<String> {
    let all = elements.iter();
    let all = all.filter(|element| element.namespace() == "urn:example:foreign");
    all.map(|element| format!("{}={}", element.local(), element.text()))
        .collect()
}

pub fn tuple_ids(document: &Presence) -> Vec<&str> {
    document.tuples.iter().map(|it| it.id.as_str()).collect()
}

pub fn person_ids(document: &Presence) -> Vec<&str> {
    document.persons.iter().map(|it| it.id.as_str()).collect()
}

pub fn device_ids(document: &Presence) -> Vec<&str> {
    document.devices.iter().map(|it| it.id.as_str()).collect()
}
