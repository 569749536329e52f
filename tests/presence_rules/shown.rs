//! What is shown of a document: each permission granted and not.

use presentity::pidf::Presence;
use presentity::rules::{
    DeviceSelector, InputDetail, PersonSelector, PresenceAttribute, Provided, ServiceSelector,
};
use presentity::xml::namespace;

use super::rich::{check, rich};

fn shown(provided: &Provided) -> Presence {
    check(provided);
    let mut document = rich();
    provided.apply(&mut document);
    let mut again = document.clone();
    provided.apply(&mut again);
    let by_class =
        provided.to_name().contains("c=") && !provided.has_attribute(PresenceAttribute::Class);
    if !by_class {
        assert_eq!(again, document, "{}", provided.to_name());
    }
    document
}

fn components() -> Provided {
    Provided::nothing()
        .with_all_services()
        .with_all_devices()
        .with_all_persons()
}

fn text(document: &Presence) -> String {
    String::from_utf8(document.write().unwrap().to_vec()).unwrap()
}

fn count(document: &Presence, namespace: &str, local: &str) -> usize {
    document
        .extensions_of_all()
        .filter(|it| it.is(namespace, local))
        .count()
}

// SRV-82, PA-37
#[test]
fn nothing_is_shown_by_default() {
    let document = shown(&Provided::nothing());
    let empty = Presence::new("sip:dora@example.com");
    assert_eq!(document.entity, empty.entity);
    assert!(
        document.tuples.is_empty() && document.persons.is_empty() && document.devices.is_empty()
    );
    assert!(document.notes.is_empty() && document.extensions.is_empty());
    assert_eq!(document.attributes.len(), 1);
    // Attributes show nothing where no component is shown.
    let document = shown(&Provided::nothing().with_all_attributes());
    assert!(
        document.tuples.is_empty() && document.persons.is_empty() && document.devices.is_empty()
    );
    assert_eq!(document.notes.len(), 1);
    assert!(document.extensions.is_empty());
}

// SRV-82
#[test]
fn everything_is_as_it_was() {
    assert_eq!(shown(&Provided::everything()), rich());
}

// SRV-82: what each component that is shown always shows, and no more.
#[test]
fn what_components_always_show() {
    let document = shown(&components());
    assert_eq!(
        text(&document),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         entity=\"sip:dora@example.com\" xml:lang=\"en\">\
         <tuple id=\"t1\" xml:lang=\"de\"><status><basic>open</basic></status>\
         <rpid:service-class><rpid:electronic/></rpid:service-class>\
         <contact priority=\"0.8\">sip:dora@example.com</contact>\
         <timestamp>2026-03-01T09:00:00Z</timestamp></tuple>\
         <tuple id=\"t2\"><status><basic>closed</basic></status>\
         <contact>mailto:dora@example.org</contact></tuple>\
         <dm:person id=\"p1\"><dm:timestamp>2026-03-01T09:00:01Z</dm:timestamp></dm:person>\
         <dm:person id=\"p2\"></dm:person>\
         <dm:device id=\"d1\"><dm:deviceID>urn:uuid:7c9e6679-7425-40de-944b-e07fc1f90ae7</dm:deviceID>\
         <dm:timestamp>2026-03-01T09:00:02Z</dm:timestamp></dm:device>\
         <dm:device id=\"d2\"><dm:deviceID>urn:example:d2</dm:deviceID></dm:device></presence>\n"
    );
}

// SRV-82
#[test]
fn each_attribute_is_shown_by_its_permission_alone() {
    for attribute in PresenceAttribute::NAMED {
        let document = shown(&components().with_attribute(*attribute));
        for other in PresenceAttribute::NAMED {
            let (namespace, local) = match other {
                PresenceAttribute::DeviceId => (namespace::DATA_MODEL, "deviceID"),
                PresenceAttribute::Note => continue,
                _ => (namespace::RPID, other.as_str()),
            };
            let in_all = count(&rich(), namespace, local);
            assert!(in_all > 0, "{other:?}");
            let expected = if attribute == other { in_all } else { 0 };
            assert_eq!(
                count(&document, namespace, local),
                expected,
                "{attribute:?} {other:?}"
            );
        }
        let is_note = *attribute == PresenceAttribute::Note;
        let notes = |all: &Presence| {
            all.notes.len()
                + all.tuples.iter().map(|it| it.notes.len()).sum::<usize>()
                + all.persons.iter().map(|it| it.notes.len()).sum::<usize>()
                + all.devices.iter().map(|it| it.notes.len()).sum::<usize>()
        };
        assert_eq!(notes(&document), if is_note { notes(&rich()) } else { 0 });
    }
    // Notes inside of an attribute go with it.
    let document = shown(&components().with_attribute(PresenceAttribute::Activities));
    assert!(text(&document).contains("<rpid:note>n</rpid:note>"));
    assert!(!text(&document).contains("back soon"));
}

// SRV-82
#[test]
fn user_input_has_levels() {
    let inputs = |detail| {
        let document = shown(&components().with_user_input(detail));
        let all: Vec<String> = document
            .extensions_of_all()
            .filter(|it| it.is(namespace::RPID, "user-input"))
            .map(|it| {
                let mut names: Vec<&str> = it.attributes.iter().map(|it| it.name.local()).collect();
                names.sort_unstable();
                format!("{} {}", it.text(), names.join(" "))
            })
            .collect();
        all
    };
    assert!(inputs(InputDetail::Nothing).is_empty());
    assert_eq!(inputs(InputDetail::Bare), ["idle id", "active ", "active "]);
    assert_eq!(
        inputs(InputDetail::Thresholds),
        ["idle id idle-threshold", "active idle-threshold", "active "]
    );
    assert_eq!(
        inputs(InputDetail::Full),
        [
            "idle id idle-threshold last-input secret since",
            "active idle-threshold",
            "since nine ",
            "active last-input"
        ]
    );
}

// SRV-82
#[test]
fn unknown_attributes_are_shown_by_name() {
    let foo = components().with_unknown_attribute("urn:example:x", "foo");
    let document = shown(&foo);
    assert_eq!(count(&document, "urn:example:x", "foo"), 4);
    assert_eq!(count(&document, "urn:example:x", "bar"), 0);
    assert!(text(&document).contains("<x:foo><x:bar/></x:foo>"));
    assert_eq!(document.extensions.len(), 1);
    // In a status too; and without it, nothing is left of the third tuple.
    assert_eq!(document.tuples.len(), 2);
    let mode = shown(&components().with_unknown_attribute("urn:example:x", "mode"));
    assert_eq!(mode.tuples.len(), 3);
    assert_eq!(count(&mode, "urn:example:x", "mode"), 2);
    let caps = shown(&components().with_unknown_attribute(namespace::CAPS, "servcaps"));
    assert_eq!(count(&caps, namespace::CAPS, "servcaps"), 1);
    assert_eq!(count(&caps, namespace::CAPS, "devcaps"), 0);
    // Another namespace is another name, and rich presence has permissions of its own.
    for (namespace, local) in [
        ("urn:example:y", "foo"),
        (namespace::RPID, "mood"),
        (namespace::RPID, "user-input"),
        (namespace::DATA_MODEL, "deviceID"),
        (namespace::DATA_MODEL, "note"),
    ] {
        let document = shown(&components().with_unknown_attribute(namespace, local));
        assert_eq!(document, shown(&components()), "{namespace} {local}");
    }
}

// SRV-82
#[test]
fn all_attributes_are_those_of_what_is_shown() {
    let of = |provided: Provided| shown(&provided.with_all_attributes());
    let services = of(Provided::nothing().with_all_services());
    assert_eq!(services.tuples, rich().tuples);
    assert!(services.persons.is_empty() && services.devices.is_empty());
    assert!(services.extensions.is_empty());
    let persons = of(Provided::nothing().with_all_persons());
    assert_eq!(persons.persons, rich().persons);
    let devices = of(Provided::nothing().with_all_devices());
    assert_eq!(devices.devices, rich().devices);
}

fn services(selector: ServiceSelector) -> Vec<String> {
    let document = shown(&Provided::nothing().with_services(selector));
    assert!(document.persons.is_empty() && document.devices.is_empty());
    document.tuples.into_iter().map(|it| it.id).collect()
}

// SRV-82
#[test]
fn services_are_identified() {
    let class = |it: &str| services(ServiceSelector::Class(it.to_owned()));
    let uri = |it: &str| services(ServiceSelector::Uri(it.to_owned()));
    let scheme = |it: &str| services(ServiceSelector::UriScheme(it.to_owned()));
    let id = |it: &str| services(ServiceSelector::OccurrenceId(it.to_owned()));
    assert_eq!(class("work"), ["t1"]);
    assert_eq!(class("home"), ["t2"]);
    assert!(class("Work").is_empty());
    assert_eq!(id("t2"), ["t2"]);
    assert!(id("T2").is_empty());
    // It is of the person.
    assert!(id("p1").is_empty());
    assert_eq!(uri("sip:%64ora@EXAMPLE.com;lr"), ["t1"]);
    assert_eq!(uri("mailto:dora@example.org"), ["t2"]);
    for other in [
        "sips:dora@example.com",
        "pres:dora@example.com",
        "sip:Dora@example.com",
        "sip:dora@example.com;transport=tcp",
        "dora",
    ] {
        assert!(uri(other).is_empty(), "{other}");
    }
    assert_eq!(scheme("sip"), ["t1"]);
    assert_eq!(scheme("mailto"), ["t2"]);
    for other in ["SIP", "sips", "sip:", "mail"] {
        assert!(scheme(other).is_empty(), "{other}");
    }
    // The third has no contact, and nothing in its status is granted.
    assert!(id("t3").is_empty());
    let third = Provided::nothing()
        .with_services(ServiceSelector::OccurrenceId("t3".to_owned()))
        .with_unknown_attribute("urn:example:x", "mode");
    assert_eq!(shown(&third).tuples.len(), 1);
}

// SRV-82
#[test]
fn many_uris_of_one_address_do_not_take_for_ever() {
    let mut provided = Provided::nothing();
    for n in 0..4096 {
        let uri = format!("sip:dora@example.com;method=M{n}");
        provided = provided.with_services(ServiceSelector::Uri(uri));
    }
    let mut document = rich();
    let first = document.tuples[0].clone();
    document.tuples = vec![first; 1000];
    let begin = cpu_time::ThreadTime::now();
    provided.apply(&mut document);
    assert!(document.tuples.is_empty());
    assert!(
        begin.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
}

// SRV-82
#[test]
fn devices_are_identified() {
    let of = |selector| {
        let document = shown(&Provided::nothing().with_devices(selector));
        assert!(document.persons.is_empty() && document.tuples.is_empty());
        let ids: Vec<String> = document.devices.into_iter().map(|it| it.id).collect();
        ids.join(" ")
    };
    let class = |it: &str| of(DeviceSelector::Class(it.to_owned()));
    let device_id = |it: &str| of(DeviceSelector::DeviceId(it.to_owned()));
    let id = |it: &str| of(DeviceSelector::OccurrenceId(it.to_owned()));
    assert_eq!(class("mobile"), "d1");
    assert_eq!(class("Mobile"), "");
    assert_eq!(
        device_id("URN:UUID:7C9E6679-7425-40de-944b-e07fc1f90ae7"),
        "d1"
    );
    assert_eq!(device_id("urn:example:d2"), "d2");
    assert_eq!(device_id("urn:example:d"), "");
    assert_eq!(id("d2"), "d2");
    assert_eq!(id("D2"), "");
}

// SRV-82
#[test]
fn persons_are_identified() {
    let of = |selector| {
        let document = shown(&Provided::nothing().with_persons(selector));
        assert!(document.devices.is_empty() && document.tuples.is_empty());
        let ids: Vec<String> = document.persons.into_iter().map(|it| it.id).collect();
        ids.join(" ")
    };
    let class = |it: &str| of(PersonSelector::Class(it.to_owned()));
    let id = |it: &str| of(PersonSelector::OccurrenceId(it.to_owned()));
    assert_eq!(class("work"), "p1");
    assert_eq!(class("home"), "p2");
    assert_eq!(class("HOME"), "");
    assert_eq!(id("p2"), "p2");
    assert_eq!(id("t1"), "");
}
