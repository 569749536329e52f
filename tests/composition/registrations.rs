//! Presence of what is registered.

use core::slice::from_ref;

use presentity::engine::Timestamp;
use presentity::pidf::caps::{Devcaps, Method, Mobility, Servcaps};
use presentity::pidf::{Basic, Contact, DeviceId, Presence, Priority};
use presentity::presence::{ContactShown, RegisteredContact, RegisteredError, Registrations};
use presentity::sip::NameAddr;

const ANA: &str = "sip:ana@example.com";
const NOW: Timestamp = Timestamp::from_secs(1000);
const UUID: &str = "urn:uuid:4fd5e1a0-8f0b-4a59-9d5c-2f6f0a7b9c11";

fn read(contact: &str) -> RegisteredContact {
    let contact = NameAddr::parse(contact).unwrap();
    RegisteredContact::read(&contact, Timestamp::from_secs(4600)).unwrap()
}

fn presence(contacts: &[RegisteredContact]) -> Presence {
    let document = Registrations::default()
        .presence(NOW, ANA, contacts)
        .unwrap();
    let written = document.write().unwrap();
    assert_eq!(Presence::read(&written).unwrap(), document);
    document
}

fn ids(document: &Presence) -> Vec<String> {
    document.tuples.iter().map(|it| it.id.clone()).collect()
}

// SRV-30, SRV-31, SRV-32, SRV-36
#[test]
fn each_contact_is_one_open_tuple() {
    let contacts = [read("<sip:ana@192.0.2.7>"), read("<tel:+15550100>")];
    let document = presence(&contacts);
    assert_eq!(document.entity, ANA);
    assert_eq!(document.tuples.len(), 2);
    for tuple in &document.tuples {
        assert_eq!(tuple.status.basic(), Some(Basic::Open));
        assert_eq!(tuple.contact, Some(Contact::new(ANA)));
    }
    assert!(document.devices.is_empty() && document.persons.is_empty());
    let mut registrations = Registrations::default();
    registrations.shown = ContactShown::Registered;
    let shown = registrations.presence(NOW, ANA, &contacts).unwrap();
    let uris: Vec<_> = shown
        .tuples
        .iter()
        .map(|it| it.contact.clone().unwrap().uri)
        .collect();
    assert_eq!(uris, ["sip:ana@192.0.2.7", "tel:+15550100"]);
    assert_eq!(ids(&shown), ids(&document));
    assert!(presence(&[]).tuples.is_empty());
}

// SRV-33
#[test]
fn preferences_become_priorities() {
    let contacts = [
        read("<sip:a@192.0.2.7>;q=0.25"),
        read("<sip:b@192.0.2.7>"),
        read("<sip:c@192.0.2.7>;q=0"),
        read("<sip:d@192.0.2.7>;q=high"),
    ];
    let document = presence(&contacts);
    let priorities: Vec<_> = document
        .tuples
        .iter()
        .map(|it| it.priority().thousandths())
        .collect();
    assert_eq!(priorities, [250, 1000, 0, 1000]);
    assert_eq!(document.tuples_by_priority()[3].id, ids(&document)[2]);
    // Where nobody prefers anything, nothing is said.
    let document = presence(&contacts[1..2]);
    assert_eq!(
        document.tuples[0].contact.as_ref().unwrap().priority(),
        None
    );
    assert_eq!(contacts[0].q, Priority::from_thousandths(250));
}

// SRV-34
#[test]
fn capabilities_are_shown_of_service_and_device() {
    let contact = read(&format!(
        "<sip:ana@192.0.2.7>;audio;methods=\"MESSAGE,BREW\";mobility=\"mobile\";+sip.instance=\"<{UUID}>\""
    ));
    let other = read(&format!(
        "<sip:ana@192.0.2.8>;video;reg-id=2;+sip.instance=\"<{UUID}>\""
    ));
    let document = presence(&[contact, other]);
    let service = document.tuples[0].get::<Servcaps>().unwrap();
    assert_eq!(service.audio, Some(true));
    assert_eq!(service.methods.supported, [Method::Message]);
    let service = document.tuples[1].get::<Servcaps>().unwrap();
    assert_eq!((service.audio, service.video), (None, Some(true)));
    let [device] = &document.devices[..] else {
        panic!("{document:?}");
    };
    assert_eq!(device.device_id_text(), Some(UUID));
    let caps = device.get::<Devcaps>().unwrap();
    assert_eq!(caps.mobility.supports(&Mobility::Mobile), Some(true));
    assert_eq!(document.services_of(device).count(), 2);
    // Of whom nothing is known nothing is said.
    let document = presence(&[read("<sip:ana@192.0.2.7>;mobility=\"mobile\"")]);
    assert!(document.devices.is_empty() && document.tuples[0].extensions.is_empty());
}

#[test]
fn the_second_flow_may_be_the_one_that_tells_of_the_device() {
    let silent = read(&format!("<sip:a@192.0.2.7>;+sip.instance=\"<{UUID}>\""));
    let telling = read(&format!(
        "<sip:b@192.0.2.7>;mobility=\"fixed\";+sip.instance=\"<{UUID}>\""
    ));
    let document = presence(&[silent, telling]);
    assert!(document.devices[0].get::<Devcaps>().is_some());
}

#[test]
fn ids_stay_over_registrations_and_tell_nothing() {
    let instance = format!(";+sip.instance=\"<{UUID}>\"");
    let first = read(&format!("<sip:ana@192.0.2.7:1025>{instance};reg-id=1"));
    let moved = read(&format!(
        "<sip:ana@192.0.2.7:4711>{instance};reg-id=1;q=0.3"
    ));
    let flow = read(&format!("<sip:ana@192.0.2.7:1026>{instance};reg-id=2"));
    let other = read("<sip:ana@198.51.100.4>");
    let [id] = &ids(&presence(from_ref(&first)))[..] else {
        panic!("one contact, one tuple");
    };
    let after = presence(&[other.clone(), flow, moved]);
    let [of_other, of_flow, of_moved] = &ids(&after)[..] else {
        panic!("{after:?}");
    };
    assert_eq!(id, of_moved);
    assert!(id != of_other && id != of_flow && of_other != of_flow);
    assert_eq!(&ids(&presence(from_ref(&other)))[0], of_other);
    for id in after.ids() {
        assert!(!id.1.contains("ana") && !id.1.contains("4fd5") && !id.1.contains("198"));
    }
    let mut secret = Registrations::default();
    secret.secret = 7;
    let with_secret = secret.presence(NOW, ANA, &[other]).unwrap();
    assert_ne!(&ids(&with_secret)[0], of_other);
}

#[test]
fn ids_are_unique_whatever_the_order() {
    let instance = format!(";+sip.instance=\"<{UUID}>\"");
    let all: Vec<RegisteredContact> = ["a", "b", "c"]
        .map(|user| read(&format!("<sip:{user}@192.0.2.7>{instance}")))
        .into();
    let one_way = ids(&presence(&all));
    let reversed: Vec<_> = all.iter().rev().cloned().collect();
    let mut other_way = ids(&presence(&reversed));
    other_way.reverse();
    assert_eq!(one_way, other_way);
    assert!(one_way[0] != one_way[1] && one_way[1] != one_way[2] && one_way[0] != one_way[2]);
    // The same one twice is two all the same.
    let twice = presence(&[all[0].clone(), all[0].clone(), all[0].clone()]);
    assert_eq!(twice.tuples.len(), 3);
}

#[test]
fn what_has_run_out_is_not_shown() {
    let mut ending = read("<sip:a@192.0.2.7>;q=0.5");
    let staying = read("<sip:b@192.0.2.7>");
    ending.expires_at = Timestamp::from_secs(1001);
    let contacts = [ending, staying];
    let registrations = Registrations::default();
    let at = |now| registrations.presence(now, ANA, &contacts).unwrap();
    assert_eq!(at(NOW).tuples.len(), 2);
    let end = Registrations::next_expiry(NOW, &contacts).unwrap();
    assert_eq!(end, Timestamp::from_secs(1001));
    let after = at(end);
    assert_eq!(ids(&after), ids(&at(NOW))[1..]);
    assert_eq!(after.tuples[0].contact, Some(Contact::new(ANA)));
    assert_eq!(
        Registrations::next_expiry(end, &contacts),
        Some(Timestamp::from_secs(4600))
    );
    assert_eq!(Registrations::next_expiry(Timestamp::MAX, &contacts), None);
}

#[test]
fn what_is_bad_is_refused_as_a_whole() {
    let good = read("<sip:ana@192.0.2.7>");
    let presence = |aor: &str, uris: &[&str]| {
        let later = Timestamp::from_secs(4600);
        let contacts = uris.iter().map(|uri| RegisteredContact::new(*uri, later));
        let contacts: Vec<_> = core::iter::once(good.clone()).chain(contacts).collect();
        let mut registrations = Registrations::default();
        registrations.shown = ContactShown::Registered;
        registrations.presence(NOW, aor, &contacts)
    };
    let long = format!("sip:{}@example.com", "a".repeat(10_000));
    for bad in ["ana", "", "sip:ana@", "<sip:ana@example.com>", &long] {
        let error = presence(ANA, &["sip:b@192.0.2.7", bad]).unwrap_err();
        assert!(
            matches!(error, RegisteredError::Contact { number: 2, .. }),
            "{error}"
        );
        let error = presence(bad, &[]).unwrap_err();
        assert!(
            matches!(error, RegisteredError::AddressOfRecord(_)),
            "{error}"
        );
    }
    let error = presence(ANA, &["https://example.com/#a"]).unwrap_err();
    assert!(matches!(error, RegisteredError::Document(_)), "{error}");
    assert!(presence(ANA, &["sip:b@192.0.2.7"]).is_ok());
    let contact = NameAddr::parse("<sip:ana@>").unwrap();
    assert!(RegisteredContact::read(&contact, NOW).is_err());
}

#[test]
fn there_are_bounds() {
    let mut registrations = Registrations::default();
    let contact = |n: usize| {
        RegisteredContact::new(format!("sip:ana@192.0.2.7:{n}"), Timestamp::from_secs(4600))
    };
    let mut contacts: Vec<_> = (1..=100).map(contact).collect();
    let document = registrations.presence(NOW, ANA, &contacts).unwrap();
    assert_eq!(document.tuples.len(), 100);
    contacts.push(contact(101));
    let limit = 100;
    let refused = Err(RegisteredError::TooManyContacts { limit });
    assert_eq!(registrations.presence(NOW, ANA, &contacts), refused);
    registrations.max_contacts = 101;
    assert!(registrations.presence(NOW, ANA, &contacts).is_ok());
}

// SRV-22, SRV-25
#[test]
fn a_presence_agent_says_so_by_method_and_event() {
    for (parameters, is_agent) in [
        (";methods=\"SUBSCRIBE,NOTIFY\";events=\"presence\"", true),
        (";events=\"dialog,presence\";methods=\"subscribe\"", true),
        (";methods=\"SUBSCRIBE\"", false),
        (";events=\"presence\"", false),
        (";methods=\"!SUBSCRIBE\";events=\"presence\"", false),
        (";methods=\"SUBSCRIBE\";events=\"!presence\"", false),
        (";methods=\"SUBSCRIBE\";events=\"presence.winfo\"", false),
        ("", false),
    ] {
        let contact = read(&format!("<sip:ana@192.0.2.7>{parameters}"));
        assert_eq!(contact.declares_presence_agent(), is_agent, "{parameters}");
    }
}

// SRV-34
#[test]
fn a_device_that_is_none_is_passed_over() {
    for instance in [
        "",
        ";+sip.instance",
        ";+sip.instance=\"<x>\"",
        ";+sip.instance=\"urn:x:y\"",
    ] {
        let contact = read(&format!("<sip:ana@192.0.2.7>{instance}"));
        assert_eq!(contact.instance, None, "{instance}");
    }
    let contact = read(&format!(
        "<sip:ana@192.0.2.7>;+sip.instance=\"<{UUID}>\";reg-id=7"
    ));
    assert_eq!(contact.instance, DeviceId::new(UUID).ok());
    assert_eq!(contact.flow, Some(7));
}
