//! A document with something of everything, and a second opinion of what is shown of it.

use presentity::pidf::{Presence, Tuple};
use presentity::rules::{
    DeviceSelector, InputDetail, PersonSelector, PresenceAttribute, Provided, ServiceSelector,
};
use presentity::sip::Uri;
use presentity::xml::{Element, namespace};

const DOCUMENT: &str = "<presence xmlns='urn:ietf:params:xml:ns:pidf' \
    xmlns:d='urn:ietf:params:xml:ns:pidf:data-model' xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' \
    xmlns:c='urn:ietf:params:xml:ns:pidf:caps' xmlns:i='urn:ietf:params:xml:ns:pidf:cipid' \
    xmlns:x='urn:example:x' entity='sip:dora@example.com' xml:lang='en' x:secret='0'>\
    <tuple id='t1' x:secret='1' xml:lang='de'><status x:secret='2'><basic x:secret='3'>open</basic>\
    <x:mode>quiet</x:mode><r:mood><r:happy/></r:mood></status>\
    <r:class>work</r:class><r:privacy><r:audio/></r:privacy><r:relationship><r:self/></r:relationship>\
    <r:service-class x:secret='4'><r:electronic/></r:service-class><r:status-icon>https://example.com/i</r:status-icon>\
    <r:user-input id='u1' idle-threshold='600' last-input='2026-03-01T09:00:00Z' since='9' x:secret='5'>idle</r:user-input>\
    <d:deviceID>urn:uuid:7c9e6679-7425-40de-944b-e07fc1f90ae7</d:deviceID>\
    <c:servcaps><c:audio>true</c:audio></c:servcaps><x:foo><x:bar/></x:foo><x:bar/>\
    <contact priority='0.8' x:secret='6'>sip:dora@example.com</contact><note>at my desk</note>\
    <note>or not</note><timestamp x:secret='7'>2026-03-01T09:00:00Z</timestamp></tuple>\
    <tuple id='t2'><status><basic>closed</basic></status><r:class>home</r:class>\
    <contact>mailto:dora@example.org</contact></tuple>\
    <tuple id='t3'><status><x:mode>loud</x:mode></status><x:foo/></tuple>\
    <note>on the way</note>\
    <d:person id='p1' x:secret='8'><r:activities><r:note>n</r:note><r:meeting/></r:activities>\
    <r:class>work</r:class><r:mood><r:happy/></r:mood><r:place-is><r:audio><r:noisy/></r:audio></r:place-is>\
    <r:place-type><r:other>boat</r:other></r:place-type><r:privacy><r:text/></r:privacy>\
    <r:sphere><r:work/></r:sphere><r:status-icon>https://example.com/p</r:status-icon>\
    <r:time-offset>60</r:time-offset><r:user-input idle-threshold='60'>active</r:user-input>\
    <i:homepage>https://example.com/</i:homepage><x:foo/><d:note>back soon</d:note>\
    <d:timestamp x:secret='9'>2026-03-01T09:00:01Z</d:timestamp></d:person>\
    <d:person id='p2'><r:class>home</r:class><r:user-input>since nine</r:user-input></d:person>\
    <d:device id='d1' x:secret='10'><r:class>mobile</r:class>\
    <r:user-input last-input='2026-03-01T09:00:00Z'>active</r:user-input>\
    <c:devcaps><c:mobility><c:supported><c:mobile/></c:supported></c:mobility></c:devcaps>\
    <d:deviceID x:secret='11'>urn:uuid:7c9e6679-7425-40de-944b-e07fc1f90ae7</d:deviceID>\
    <d:note>shared</d:note><d:timestamp>2026-03-01T09:00:02Z</d:timestamp></d:device>\
    <d:device id='d2'><x:foo/><d:deviceID>urn:example:d2</d:deviceID></d:device>\
    <x:foo>of the document</x:foo><x:bar/></presence>";

/// The document.
pub(crate) fn rich() -> Presence {
    Presence::read(DOCUMENT.as_bytes()).expect("it can be read")
}

fn class_of(extensions: &[Element]) -> Option<String> {
    let class = extensions.iter().find(|it| it.is(namespace::RPID, "class"));
    class.map(|class| class.text().into_owned())
}

fn shows_tuple(provided: &Provided, tuple: &Tuple) -> bool {
    provided.services().is_all()
        || provided.services().iter().any(|selector| match selector {
            ServiceSelector::Class(class) => class_of(&tuple.extensions).as_ref() == Some(class),
            ServiceSelector::OccurrenceId(id) => tuple.id == *id,
            ServiceSelector::Uri(uri) => tuple.contact.as_ref().is_some_and(|it| {
                let contact = Uri::parse(&it.uri).expect("a URI");
                Uri::parse(uri).is_ok_and(|uri| uri.equivalent(&contact))
            }),
            ServiceSelector::UriScheme(scheme) => tuple
                .contact
                .as_ref()
                .is_some_and(|it| it.uri.split(':').next() == Some(scheme)),
            _ => false,
        })
}

/// What an extension of a component is to be.
fn shown(provided: &Provided, extension: &Element) -> Option<Element> {
    if provided.all_attributes() {
        return Some(extension.clone());
    }
    let (ns, local) = (extension.namespace(), extension.local());
    let mut extension = extension.clone();
    let granted = match (ns, local) {
        (namespace::RPID, "service-class") => {
            extension.attributes.remove("urn:example:x", "secret");
            true
        }
        (namespace::RPID, "user-input") => {
            extension
                .attributes
                .remove("", "last-input")
                .into_iter()
                .for_each(drop);
            extension
                .attributes
                .remove("", "since")
                .into_iter()
                .for_each(drop);
            extension.attributes.remove("urn:example:x", "secret");
            match provided.user_input() {
                InputDetail::Nothing => false,
                InputDetail::Bare => {
                    extension.attributes.remove("", "idle-threshold");
                    extension.text() != "since nine"
                }
                InputDetail::Thresholds => extension.text() != "since nine",
                InputDetail::Full => return Some(extension_as_it_was(&extension)),
            }
        }
        (namespace::RPID, _) => provided.has_attribute(PresenceAttribute::from_name(local)?),
        (namespace::DATA_MODEL, "deviceID") => provided.has_attribute(PresenceAttribute::DeviceId),
        _ => provided.unknown_attributes().any(|it| it == (ns, local)),
    };
    granted.then_some(extension)
}

/// The user input of the document that this was made of.
fn extension_as_it_was(reduced: &Element) -> Element {
    let document = rich();
    let all = document.extensions_of_all();
    let mut inputs = all.filter(|it| it.is(namespace::RPID, "user-input"));
    let same = |it: &&Element| {
        it.text() == reduced.text()
            && it.attribute("id") == reduced.attribute("id")
            && it.attribute("idle-threshold") == reduced.attribute("idle-threshold")
    };
    inputs.find(same).cloned().expect("it is of the document")
}

fn all_shown(provided: &Provided, extensions: &[Element]) -> Vec<Element> {
    extensions
        .iter()
        .filter_map(|it| shown(provided, it))
        .collect()
}

/// Holds what is shown of the document against what should be, element by element.
pub(crate) fn check(provided: &Provided) {
    let before = rich();
    let mut after = before.clone();
    provided.apply(&mut after);
    if provided.is_everything() {
        assert_eq!(after, before);
        return;
    }
    let text =
        String::from_utf8(after.write().expect("it can be written").to_vec()).expect("UTF-8");
    // What is granted by name stays with all it holds; no such thing has a secret here.
    let secrets = text.matches("secret=").count();
    let full = provided.user_input() == InputDetail::Full;
    if !provided.all_attributes() {
        assert!(secrets <= usize::from(full), "{text}");
    }
    let notes = provided.has_attribute(PresenceAttribute::Note);
    assert_eq!(after.notes.len(), usize::from(notes));
    assert!(after.extensions.iter().all(|it| {
        let mut named = provided.unknown_attributes();
        named.any(|name| name == (it.namespace(), it.local()))
    }));

    let mut tuples = after.tuples.iter();
    for tuple in &before.tuples {
        let inside = all_shown(provided, &tuple.extensions);
        let status = all_shown(provided, &tuple.status.extensions);
        if !shows_tuple(provided, tuple) || (status.is_empty() && tuple.status.basic().is_none()) {
            continue;
        }
        let kept = tuples.next().expect("it is shown");
        assert_eq!(kept.id, tuple.id);
        assert_eq!(kept.status.basic(), tuple.status.basic());
        let uri = |tuple: &Tuple| {
            tuple
                .contact
                .as_ref()
                .map(|it| (it.uri.clone(), it.priority()))
        };
        assert_eq!(uri(kept), uri(tuple));
        assert_eq!(kept.timestamp(), tuple.timestamp());
        assert_eq!(kept.extensions, inside);
        assert_eq!(kept.status.extensions, status);
        assert_eq!(kept.notes.len(), if notes { tuple.notes.len() } else { 0 });
        assert_eq!(kept.language(), tuple.language());
    }
    assert_eq!(tuples.next(), None);

    let mut persons = after.persons.iter();
    for person in &before.persons {
        let wanted = provided.persons().is_all()
            || provided.persons().iter().any(|selector| match selector {
                PersonSelector::Class(class) => {
                    class_of(&person.extensions).as_ref() == Some(class)
                }
                PersonSelector::OccurrenceId(id) => person.id == *id,
                _ => false,
            });
        if wanted {
            let kept = persons.next().expect("it is shown");
            assert_eq!(kept.id, person.id);
            assert_eq!(kept.timestamp(), person.timestamp());
            assert_eq!(kept.extensions, all_shown(provided, &person.extensions));
            assert_eq!(kept.notes.len(), if notes { person.notes.len() } else { 0 });
        }
    }
    assert_eq!(persons.next(), None);

    let mut devices = after.devices.iter();
    for device in &before.devices {
        let wanted = provided.devices().is_all()
            || provided.devices().iter().any(|selector| match selector {
                DeviceSelector::Class(class) => {
                    class_of(&device.extensions).as_ref() == Some(class)
                }
                DeviceSelector::OccurrenceId(id) => device.id == *id,
                DeviceSelector::DeviceId(id) => device
                    .device_id_text()
                    .is_some_and(|it| it.eq_ignore_ascii_case(id)),
                _ => false,
            });
        if wanted {
            let kept = devices.next().expect("it is shown");
            assert_eq!(kept.id, device.id);
            assert_eq!(kept.device_id_text(), device.device_id_text());
            assert_eq!(kept.timestamp(), device.timestamp());
            assert_eq!(kept.extensions, all_shown(provided, &device.extensions));
            assert_eq!(kept.notes.len(), if notes { device.notes.len() } else { 0 });
        }
    }
    assert_eq!(devices.next(), None);
}
