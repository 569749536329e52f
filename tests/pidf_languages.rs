//! The languages of presence documents: where they are stated, and what they are the languages of.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod reading;

use presentity::pidf::caps::{Description, Devcaps, Servcaps};
use presentity::pidf::cipid::DisplayName;
use presentity::pidf::rpid::{
    Activities, Activity, Class, Mood, Relationship, ServiceClass, Sphere, UserInput,
};
use presentity::pidf::{DeviceId, Fault, Person, Presence, Tuple};
use presentity::xml::{Element, namespace};
use reading::{OPEN, check_fault, document, model, read, strictly, tolerate};

// PIDF-18
#[test]
fn languages_stay_where_they_are_written() {
    let text = model(
        "<tuple id='t' xml:lang='fr'><status xml:lang='it'><basic>open</basic><x:s/></status><x:e/><x:f xml:lang='es'/>\
         <note>1</note><note xml:lang='en'>2</note><note xml:lang=''>3</note></tuple>\
         <tuple id='u'><status><basic>open</basic></status><note>4</note></tuple>\
         <note>5</note><d:person id='p' xml:lang='pt'><x:e/><d:note>6</d:note></d:person>\
         <d:device id='d' xml:lang='da'><d:deviceID>urn:example:d</d:deviceID><d:note>7</d:note></d:device><x:g/>",
    )
    .replace("entity=", "xml:lang='de' entity=");
    let (presence, faults) = tolerate(&text);
    assert_eq!(faults, []);
    let languages = |presence: &Presence| {
        let [t, u] = &presence.tuples[..] else {
            panic!("{presence:?}");
        };
        let (person, device) = (&presence.persons[0], &presence.devices[0]);
        [
            presence.language(),
            t.language(),
            t.status.language(),
            u.language(),
            u.status.language(),
            person.language(),
            device.language(),
        ]
        .map(|tag| tag.map(str::to_owned))
    };
    let notes = |notes: &[presentity::pidf::Note]| -> Vec<Option<String>> {
        notes.iter().map(|note| note.lang.clone()).collect()
    };
    let stated = |tags: &[&str]| -> Vec<Option<String>> {
        let tags = tags.iter();
        tags.map(|tag| (*tag != "-").then(|| (*tag).to_owned()))
            .collect()
    };
    let lang = |element: &Element| element.attributes.get(namespace::XML, "lang").is_some();
    let check = |presence: &Presence| {
        let expected = stated(&["de", "fr", "it", "-", "-", "pt", "da"]);
        assert_eq!(languages(presence)[..], expected);
        let [t, u] = &presence.tuples[..] else {
            panic!("{presence:?}");
        };
        assert_eq!(notes(&t.notes), stated(&["-", "en", ""]));
        assert_eq!(notes(&u.notes), stated(&["-"]));
        assert_eq!(notes(&presence.notes), stated(&["-"]));
        assert_eq!(notes(&presence.persons[0].notes), stated(&["-"]));
        assert_eq!(notes(&presence.devices[0].notes), stated(&["-"]));
        let extensions: Vec<bool> = presence.extensions_of_all().map(lang).collect();
        assert_eq!(extensions, [false, false, true, false, false]);
    };
    check(&presence);
    // They are written where they were read, and once each.
    let written = String::from_utf8(presence.write().unwrap().to_vec()).unwrap();
    assert_eq!(written.matches("xml:lang=").count(), 8);
    let again = read(&written);
    assert_eq!(again, presence);
    check(&again);
    assert_eq!(strictly(&text), Ok(presence));
}

// PIDF-18, PIDF-38, PIDF-48: typed access knows the language around an extension.
#[test]
fn extensions_are_read_in_the_language_around_them() {
    let rpid = "xmlns:r='urn:ietf:params:xml:ns:pidf:rpid'";
    let caps = "xmlns:c='urn:ietf:params:xml:ns:pidf:caps'";
    let cipid = "xmlns:i='urn:ietf:params:xml:ns:pidf:cipid'";
    let presence = read(model(&format!(
        "<tuple id='t' xml:lang=' fr '>{OPEN}<c:servcaps {caps}><c:description>un</c:description>\
         <c:description xml:lang='en'>two</c:description><c:description xml:lang=''>3</c:description>\
         <x:e>quatre</x:e></c:servcaps></tuple>\
         <d:person id='p' xml:lang='pt'><r:mood {rpid}><r:note>bom</r:note><r:happy/></r:mood>\
         <r:activities {rpid} xml:lang='es'><r:note>uno</r:note></r:activities>\
         <i:display-name {cipid}>Dora</i:display-name>\
         <i:display-name {cipid} xml:lang=''>D</i:display-name></d:person>\
         <d:device id='d' xml:lang='da'><c:devcaps {caps}><c:description>en</c:description></c:devcaps>\
         <d:deviceID>urn:example:d</d:deviceID></d:device>\
         <d:device id='e'><c:devcaps {caps} xml:lang='it'><c:description>uno</c:description></c:devcaps>\
         <d:deviceID>urn:example:e</d:deviceID></d:device>"
    )));
    let servcaps = presence.tuples[0].get::<Servcaps>().unwrap();
    let tags = |descriptions: &[Description]| -> Vec<String> {
        let tags = descriptions.iter().map(|one| one.lang.clone());
        tags.map(Option::unwrap_or_default).collect()
    };
    assert_eq!(tags(&servcaps.descriptions), ["fr", "en", ""]);
    let inside = servcaps.extensions[0]
        .attributes
        .get(namespace::XML, "lang");
    assert_eq!(inside, Some("fr"));
    let person = &presence.persons[0];
    let mood = person.get::<Mood>().unwrap();
    assert_eq!(mood.notes[0].lang.as_deref(), Some("pt"));
    let activities = person.get::<Activities>().unwrap();
    assert_eq!(activities.notes[0].lang.as_deref(), Some("es"));
    let names: Vec<Option<String>> = person.all::<DisplayName>().map(|name| name.lang).collect();
    assert_eq!(names, [Some("pt".to_owned()), None]);
    for (device, tag) in presence.devices.iter().zip(["da", "it"]) {
        let devcaps = device.get::<Devcaps>().unwrap();
        assert_eq!(tags(&devcaps.descriptions), [tag]);
    }
    // Put where nothing is said of language it says the same.
    let elsewhere = Tuple::open("t").with(&servcaps).unwrap();
    assert_eq!(elsewhere.get::<Servcaps>(), Some(servcaps));
}

// SEC-39: what is said once of many is written once.
#[test]
fn a_language_makes_no_large_document_of_a_small_one() {
    let (longest, longer) = ("x-abcdefgh-abcdefgh-abcdefgh-abcdef", "x".repeat(64));
    assert_eq!(longest.len(), 35);
    let with = |lang: &str, inside: &str| {
        let root = format!("xml:lang='{lang}' entity='sip:dora@example.com'");
        document(inside).replace("entity='sip:dora@example.com'", &root)
    };
    let flood = "<note></note><x:e/>".repeat(4_000);
    for lang in [longest, &longer, &"x".repeat(40_000)] {
        let text = with(lang, &flood);
        let written = read(&text).write().unwrap();
        assert!(written.len() < text.len() + 500, "{}", written.len());
        // Nor does it where it is handed down, when it is longer than one may be.
        let mut presence = read(&text);
        presence.hand_down_language();
        let most = text.len() + if lang == longest { 8_000 * 50 } else { 500 };
        assert!(presence.write().unwrap().len() < most);
    }
    assert_eq!(
        strictly(with(longest, "")).unwrap().language(),
        Some(longest)
    );
    let endless = "x".repeat(65);
    let fault = Fault::BadLanguage {
        value: format!("{}…", &endless[..64]),
    };
    for text in [
        with(&endless, "<note>1</note><x:e/>"),
        document(&format!(
            "<tuple id='t' xml:lang='{endless}'>{OPEN}<x:e/></tuple>"
        )),
        document(&format!(
            "<tuple id='t'><status xml:lang='{endless}'><basic>open</basic><x:e/></status></tuple>"
        )),
    ] {
        // It stays what it was, and counts as none.
        let presence = check_fault(&text, &fault);
        assert_eq!(presence.language(), None);
        assert!(
            presence
                .tuples
                .iter()
                .all(|tuple| { tuple.language().is_none() && tuple.status.language().is_none() })
        );
        assert_eq!(read(presence.write().unwrap()), presence);
    }
    // A note's own language goes nowhere.
    let presence = read(document(&format!("<note xml:lang='{endless}'>1</note>")));
    assert_eq!(presence.notes[0].lang.as_ref(), Some(&endless));
}

// PIDF-18
#[test]
fn a_value_that_is_put_back_leaves_the_languages_as_they_were() {
    let text = model(
        "<tuple id='t' xml:lang='de'><status><basic>open</basic></status><d:deviceID>urn:example:d</d:deviceID>\
         <r:class>x</r:class><r:relationship><r:friend/></r:relationship>\
         <r:service-class><r:note>Post</r:note><r:postal/></r:service-class><r:user-input>idle</r:user-input>\
         <c:servcaps><c:audio>true</c:audio><c:description>Telefon</c:description></c:servcaps></tuple>\
         <d:person id='p' xml:lang='de'><r:activities><r:note>Essen</r:note><r:meal/></r:activities>\
         <r:activities xml:lang='de' from='2026-03-04T05:06:07Z'><r:away/></r:activities>\
         <r:sphere><r:work/></r:sphere></d:person>",
    )
    .replace("entity=", "xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' xmlns:c='urn:ietf:params:xml:ns:pidf:caps' entity=");
    let original = read(&text);
    let mut presence = original.clone();
    macro_rules! put_back {
        ($part:expr, $($type:ty),+) => {$(
            let all: Vec<$type> = $part.all().collect();
            assert!(!all.is_empty());
            $part.set_all(&all).unwrap();
            assert_eq!(presence, original, "{}", stringify!($type));
        )+};
    }
    put_back!(
        presence.tuples[0],
        DeviceId,
        Class,
        Relationship,
        ServiceClass,
        UserInput,
        Servcaps
    );
    put_back!(presence.persons[0], Activities, Sphere);

    // Elsewhere the language goes with them, where it may be said.
    let (from, mut to) = (&original.tuples[0], Tuple::open("u"));
    to.set(&from.get::<Class>().unwrap()).unwrap();
    to.set(&from.get::<DeviceId>().unwrap()).unwrap();
    to.set(&from.get::<ServiceClass>().unwrap()).unwrap();
    to.set(&from.get::<UserInput>().unwrap()).unwrap();
    let languages: Vec<Option<&str>> = to
        .extensions
        .iter()
        .map(|it| it.attributes.get(namespace::XML, "lang"))
        .collect();
    assert_eq!(languages, [None, None, None, Some("de")]);
    let note = to.extensions[2].first(namespace::RPID, "note").unwrap();
    assert_eq!(note.attributes.get(namespace::XML, "lang"), Some("de"));
}

#[test]
fn several_of_a_name_are_changed_together() {
    let mut person = Person::new("p");
    for activity in [Activity::Busy, Activity::Away] {
        person.add(&Activities::of([activity])).unwrap();
    }
    let mut all: Vec<Activities> = person.all().collect();
    all[1] = Activities::of([Activity::Meal]);
    person.set_all(&all).unwrap();
    let after: Vec<Activities> = person.all().collect();
    assert_eq!(after, all);
    person.set_all::<Activities>(&[]).unwrap();
    assert!(person.extensions.is_empty());
}
