//! What stands beside tuples, persons and devices.

use presentity::pidf::Tuple;
use presentity::presence::composition::{Compositor, Part, Remarks, Source};
use presentity::xml::{Name, namespace};

use crate::scene::{NOON, compose, document, foreign, foreigners, host, published};

fn parts() -> Vec<Part> {
    let old = document()
        .with_note("old")
        .with_extension(foreign("a", "1"))
        .with_extension(foreign("b", "2"));
    let new = document()
        .with_note("new")
        .with_note("newer")
        .with_extension(foreign("b", "3"))
        .with_extension(foreign("b", "4"));
    vec![
        published(1, 60, old),
        published(2, 30, new),
        published(3, 10, document()),
    ]
}

// SRV-09
#[test]
fn all_of_them_are_kept_or_those_of_one_source() {
    let notes = |compositor: &Compositor| {
        let composed = compose(compositor, &parts());
        let notes: Vec<_> = composed.notes.into_iter().map(|note| note.text).collect();
        (notes.join(" "), foreigners(&composed.extensions).join(" "))
    };
    let mut compositor = Compositor::newest_person();
    let (all, extensions) = notes(&compositor);
    assert_eq!(
        (all.as_str(), extensions.as_str()),
        ("old new newer", "a=1 b=2 b=3 b=4")
    );
    compositor.notes = Remarks::OfOneSource;
    let (one, extensions) = notes(&compositor);
    assert_eq!(
        (one.as_str(), extensions.as_str()),
        ("new newer", "a=1 b=2 b=3 b=4")
    );
    compositor.extensions = Remarks::OfOneSource;
    let (_, extensions) = notes(&compositor);
    assert_eq!(extensions, "b=3 b=4 a=1");
}

#[test]
fn the_one_source_is_the_one_that_is_right() {
    let mut compositor = Compositor::union();
    compositor.notes = Remarks::OfOneSource;
    compositor.conflicts =
        presentity::presence::composition::Conflicts::BySource(vec![Source::Application]);
    let set = document().with_note("set");
    let mut parts = parts();
    parts.push(Part::new(Source::Application, 9, set, host(NOON - 900)));
    let composed = compose(&compositor, &parts);
    assert_eq!(composed.notes.len(), 1);
    assert_eq!(composed.notes[0].text, "set");
}

// PIDF-18
#[test]
fn what_one_root_says_is_not_said_of_others() {
    let spoken = |id: &str, tag: &str| {
        let mut document = document().with_tuple(Tuple::open(id)).with_note(id);
        let name = Name::new(namespace::XML, "lang");
        document.attributes.set(name, tag);
        let name = Name::new("urn:example:foreign", "x");
        document.attributes.set(name, id);
        let name = Name::new("urn:example:foreign", id);
        document.attributes.set(name, id);
        document
    };
    let parts = [
        published(1, 60, spoken("a", "de")),
        published(2, 30, spoken("b", "nl")),
    ];
    let composed = compose(&Compositor::union(), &parts);
    assert_eq!(composed.language(), None);
    let languages: Vec<_> = composed.tuples.iter().map(Tuple::language).collect();
    assert_eq!(languages, [Some("de"), Some("nl")]);
    assert_eq!(composed.notes[1].lang.as_deref(), Some("nl"));
    let values = ["x", "a", "b"].map(|it| composed.attributes.get("urn:example:foreign", it));
    assert_eq!(values, [Some("a"), Some("a"), Some("b")]);
}

#[test]
fn ids_that_were_not_kept_apart_are_put_right() {
    let parts = [
        published(1, 60, document().with_tuple(Tuple::open("a"))),
        published(2, 30, document().with_tuple(Tuple::open("a"))),
    ];
    let composed = compose(&Compositor::union(), &parts);
    assert_eq!(crate::scene::tuple_ids(&composed), ["a", "a-2"]);
}
