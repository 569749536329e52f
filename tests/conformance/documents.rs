//! What a document is made of: the application's state, what is published, and how ids are kept.

use presentity::pidf::{Basic, Presence};
use presentity::presence::LastingState;

use crate::common::body_of;
use crate::scene::{ANA, BOB, Scene, document, etag, ids, notes, read, story};

/// Publishes as Bob; the entity-tag, and the document that Ana gets for it, if she gets one.
fn publish(scene: &mut Scene, tag: Option<&str>, body: &str) -> (String, Option<Presence>) {
    scene.pass(10.0);
    let mut message = scene.publish(BOB, body);
    if let Some(tag) = tag {
        message = message.with("SIP-If-Match", tag);
    }
    let outputs = scene.send(&message);
    scene.answer_all(&outputs);
    let document = outputs.requests().first().map(|request| read(request));
    (etag(&outputs), document)
}

fn ids_in(document: &Presence) -> Vec<&str> {
    document.tuples.iter().map(|tuple| &*tuple.id).collect()
}

// SRV-05, SRV-07, SRV-09: all parts in one document.
#[test]
fn the_document_unites_what_is_published() {
    let mut scene = Scene::new();
    for (id, note) in [("a", "one"), ("b", "two"), ("c", "three")] {
        scene.published(BOB, &document(id, note));
    }
    let watch = scene.watch();
    assert_eq!(ids(&watch.notify), ["a", "b", "c"]);
    assert_eq!(notes(&watch.notify), ["one", "two", "three"]);
    scene.close();
}

// SRV-09, PIDF-09: one id in several publications, and each keeps the name it got.
#[test]
fn ids_that_clash_are_renamed_and_stay_so() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).with("Expires", "3600");
    scene.watch_by(message);
    let (first, _) = publish(&mut scene, None, &document("t", "desk"));
    let (second, united) = publish(&mut scene, None, &document("t", "mobile"));
    let united = united.unwrap();
    let renamed = united.tuples[1].id.clone();
    assert_eq!(united.tuples[0].id, "t");
    assert_ne!(renamed, "t");

    // A change of either leaves the ids.
    let (first, changed) = publish(&mut scene, Some(&first), &document("t", "desk 2"));
    assert_eq!(ids_in(&changed.unwrap()), ["t", &renamed]);
    let (second, changed) = publish(&mut scene, Some(&second), &document("t", "mobile 2"));
    assert_eq!(ids_in(&changed.unwrap()), ["t", &renamed]);

    // A third gets a name of its own, and the end of the first gives nobody its name.
    let (third, changed) = publish(&mut scene, None, &document("t", "car"));
    let changed = changed.unwrap();
    assert_eq!(ids_in(&changed)[..2], ["t", &renamed]);
    let third_id = changed.tuples[2].id.clone();
    scene.pass(10.0);
    let removal = scene
        .publish(BOB, "")
        .with("SIP-If-Match", &first)
        .with("Expires", "0");
    let outputs = scene.send(&removal);
    assert_eq!(ids(outputs.notify()), [renamed.clone(), third_id]);
    scene.answer_all(&outputs);
    for tag in [second, third] {
        let message = scene.publish(BOB, "").with("SIP-If-Match", &tag);
        assert_eq!(scene.send(&message).status(), 200);
    }
    scene.close();
}

// SRV-09
#[test]
fn nobody_can_take_the_name_that_another_was_given() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.published(BOB, &document("t", "x"));
    }
    let watch = scene.watch();
    let made = ids(&watch.notify);
    for id in &made {
        scene.published(BOB, &document(id, "sly"));
    }
    let watch = scene.watch();
    let all = ids(&watch.notify);
    assert_eq!(all[..3], made);
    let mut unique = all.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 6, "{all:?}");
    scene.close();
}

// SRV-06: which sources take part is a setting.
#[test]
fn what_the_application_set_is_shown_alone_or_always() {
    for (lasting, expected) in [
        (LastingState::WhenAlone, &["published"][..]),
        (LastingState::Always, &["set", "published"]),
    ] {
        let mut scene = Scene::configured(|config| config.lasting = lasting);
        scene.set("set");
        let watch = scene.watch();
        assert_eq!(notes(&watch.notify), ["set"]);
        scene.pass(10.0);
        let message = scene.publish(BOB, &document("t", "published"));
        let outputs = scene.send(&message);
        let tag = etag(&outputs);
        assert_eq!(notes(outputs.notify()), expected);
        scene.answer_all(&outputs);
        scene.pass(10.0);
        let message = scene
            .publish(BOB, "")
            .with("SIP-If-Match", &tag)
            .with("Expires", "0");
        let outputs = scene.send(&message);
        assert_eq!(notes(outputs.notify()), ["set"]);
        scene.answer_all(&outputs);
        scene.close();
    }
}

// SRV-09: what this library does not know is passed on.
#[test]
fn foreign_elements_of_all_parts_are_kept() {
    let mut scene = Scene::new();
    for (prefix, name) in [("p", "one"), ("q", "two")] {
        let body = format!(
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:{prefix}='urn:example:{name}' \
             entity='sip:bob@example.com'>\
             <tuple id='t'><status><basic>open</basic><{prefix}:deep>{name}</{prefix}:deep></status>\
             <{prefix}:mood level='3'>{name} &amp; more</{prefix}:mood></tuple>\
             <note xml:lang='en'>{name}</note>\
             <{prefix}:person id='p'><{prefix}:x/></{prefix}:person></presence>"
        );
        scene.published(BOB, &body);
    }
    let watch = scene.watch();
    let document = read(&watch.notify);
    assert_eq!(document.tuples.len(), 2);
    assert_eq!(document.extensions.len(), 2);
    assert_eq!(document.notes.len(), 2);
    for (place, name) in ["one", "two"].iter().enumerate() {
        let space = format!("urn:example:{name}");
        assert_eq!(document.extensions[place].namespace(), space);
        assert_eq!(document.tuples[place].extensions[0].namespace(), space);
        assert_eq!(
            document.tuples[place].status.extensions[0].namespace(),
            space
        );
        assert_eq!(document.notes[place].text, *name);
    }
    assert!(body_of(&watch.notify).contains("one &amp; more"));
    scene.close();
}

// PA-37: an odd document of one publisher does not spoil what others see.
#[test]
fn odd_ids_are_put_right_and_missing_ones_made() {
    let mut scene = Scene::new();
    let body = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:bob@example.com'>\
        <tuple id='4 2'><status><basic>open</basic></status><note>one</note></tuple>\
        <tuple id=''><status><basic>open</basic></status><note>two</note></tuple>\
        <tuple id='t'><status><basic>open</basic></status><note>three</note></tuple>\
        <tuple id='t'><status><basic>open</basic></status><note>four</note></tuple>\
        <tuple id='empty'><status/></tuple></presence>";
    let message = scene.publish(BOB, body);
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["200", "published Initial"]);
    scene.published(BOB, &document("t", "five"));
    let watch = scene.watch();
    assert_eq!(
        notes(&watch.notify),
        ["one", "two", "three", "four", "five"]
    );
    scene.close();
}

// PIDF-11, SRV-06: nobody decides here which of them is right.
#[test]
fn parts_that_contradict_each_other_are_all_shown() {
    let mut scene = Scene::new();
    let open = document("a", "here").replace("</status>", "</status><contact>sip:bob@x</contact>");
    let closed = open
        .replace("open", "closed")
        .replace("id=\"a\"", "id=\"b\"");
    scene.published(BOB, &open);
    scene.published(BOB, &closed);
    let watch = scene.watch();
    let document = read(&watch.notify);
    let said: Vec<_> = document
        .tuples
        .iter()
        .map(|tuple| {
            (
                tuple.contact.as_ref().unwrap().uri.as_str(),
                tuple.status.basic(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("sip:bob@x", Some(Basic::Open)),
            ("sip:bob@x", Some(Basic::Closed))
        ]
    );
    scene.close();
}

#[test]
fn the_order_of_publications_is_the_one_they_were_first_made_in() {
    let mut scene = Scene::new();
    let first = scene.published(BOB, &document("a", "1"));
    scene.published(BOB, &document("b", "2"));
    let message = scene
        .publish(BOB, &document("a", "1 again"))
        .with("SIP-If-Match", &first);
    scene.send(&message);
    let watch = scene.watch();
    assert_eq!(notes(&watch.notify), ["1 again", "2"]);
    scene.close();
}

// PA-03
#[test]
fn the_application_may_name_the_presentity_in_any_form() {
    let mut scene = Scene::configured(|config| config.domains = vec!["example.com".into()]);
    let now = scene.now;
    for name in [
        "bob@example.com",
        "sips:bob@Example.COM",
        "pres:bob@example.com",
        BOB,
    ] {
        scene.set_document(name, crate::scene::state(name));
        let watch = scene.watch();
        assert_eq!(notes(&watch.notify), [name]);
    }
    for name in ["", "bob", "sip:bob@example.org", "tel:+15550100", "bob@"] {
        let state = crate::scene::state("x");
        assert!(scene.role.set_presence(now, name, state).is_err(), "{name}");
        assert!(scene.role.clear_presence(now, name).is_err(), "{name}");
        assert!(!scene.role.has_watchers(name), "{name}");
    }
    scene.close();
}

// What cannot be written is to be refused, and not to take what there was away.
#[test]
fn a_state_that_no_document_can_hold_is_refused() {
    let mut scene = Scene::new();
    scene.set("here");
    let now = scene.now;
    for text in ["\u{1}", "\u{0}", "a\u{fffe}"] {
        let state = crate::scene::state(text);
        assert!(
            scene.role.set_presence(now, BOB, state).is_err(),
            "{text:?}"
        );
        let watch = scene.watch();
        assert_eq!(notes(&watch.notify), ["here"]);
    }
    scene.close();
}

// The whole of it can be asked for, without a watcher.
#[test]
fn the_application_can_look_at_a_presentitys_state() {
    let mut scene = Scene::new();
    assert_eq!(scene.role.presence(BOB), Ok(None));
    assert!(scene.role.presence("mailto:bob@example.com").is_err());
    scene.published(BOB, &document("t", "desk"));
    scene.published(BOB, &document("t", "mobile"));
    let whole = scene.role.presence(BOB).unwrap().unwrap();
    let watch = scene.watch();
    assert_eq!(whole, read(&watch.notify));
    assert_eq!(whole.tuples.len(), 2);

    // The lasting state shows when nothing is published any more.
    scene.set("at home");
    assert_eq!(scene.role.presence("bob@example.com").unwrap(), Some(whole));
    scene.pass(10_000.0);
    let whole = scene.role.presence(BOB).unwrap().unwrap();
    assert_eq!(whole.entity, BOB);
    assert_eq!(whole.tuples.len(), 1);
    scene.close();
}
