//! Which document type a watcher gets.

use crate::common::{field, response_field};
use crate::scene::{ANA, BOB, Scene, notes, story};

const PIDF: &str = "application/pidf+xml";
const CPIM: &str = "application/cpim-pidf+xml";

// PA-20, PA-21, PA-23
#[test]
fn the_document_is_of_the_type_that_suits_the_watcher_best() {
    let mut scene = Scene::new();
    scene.set("here");
    for (accept, content_type) in [
        (&[][..], PIDF),
        (&[PIDF], PIDF),
        (&["APPLICATION/Pidf+XML"], PIDF),
        (&["application/xpidf+xml, application/pidf+xml"], PIDF),
        (
            &["application/xpidf+xml", "application/pidf+xml;q=0.1"],
            PIDF,
        ),
        (&[CPIM], CPIM),
        (&["application/cpim-pidf+xml, application/pidf+xml"], PIDF),
        (
            &["application/cpim-pidf+xml;q=0.9, application/pidf+xml;q=0.3"],
            CPIM,
        ),
        (&["*/*"], PIDF),
        (&["application/*"], PIDF),
        (&["text/plain, */*;q=0.1"], PIDF),
        (&["application/pidf+xml;q=0, */*"], CPIM),
        (
            &["application/pidf+xml;q=0, application/cpim-pidf+xml"],
            CPIM,
        ),
        (&["application/cpim-pidf+xml;q=0, */*"], PIDF),
        (&["application/pidf+xml;charset=\"UTF-8\""], PIDF),
        (
            &["multipart/related, application/rlmi+xml, application/pidf+xml"],
            PIDF,
        ),
    ] {
        let mut message = scene.subscribe(ANA, BOB);
        for value in accept {
            message = message.and("Accept", value);
        }
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), 200, "{accept:?}");
        let notify = outputs.notify();
        assert_eq!(
            field(notify, "Content-Type"),
            Some(content_type),
            "{accept:?}"
        );
        assert_eq!(notes(notify), ["here"]);
        scene.answer_all(&outputs);
    }
    scene.close();
}

// PA-22, PA-23
#[test]
fn a_watcher_that_takes_no_document_there_is_gets_406() {
    let mut scene = Scene::new();
    for accept in [
        "",
        " , ",
        "text/plain",
        "text/*",
        "application/xpidf+xml",
        "application/pidf-diff+xml;q=0",
        "application/pidf+xml;q=0",
        "application/*;q=0",
        "*/*;q=0.0",
        "application/pidf+xml;charset=utf-16",
    ] {
        let message = scene.subscribe(ANA, BOB).with("Accept", accept);
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), ["406"], "{accept:?}");
        assert_eq!(
            response_field(outputs.response(), "Accept"),
            Some("application/pidf+xml, application/cpim-pidf+xml")
        );
    }
    scene.empty();
}

// PA-23, CVE-2018-7284
#[test]
fn many_accepted_types_are_all_looked_at() {
    let mut scene = Scene::new();
    for count in [1, 32, 33, 200] {
        let mut message = scene.subscribe(ANA, BOB);
        for _ in 0..count {
            message = message.and("Accept", "text/plain");
        }
        let outputs = scene.send(&message.clone());
        assert_eq!(outputs.status(), 406);
        let message = message.with_cseq(2).and("Accept", PIDF);
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), 200, "{count}");
        scene.answer_all(&outputs);
    }
    let message = scene.subscribe(ANA, BOB);
    let long = "text/x,".repeat(2_000) + PIDF;
    let message = message.with("Accept", &long);
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// PA-20: the most recent SUBSCRIBE of the dialog counts.
#[test]
fn a_refresh_may_change_the_document_type() {
    let mut scene = Scene::new();
    scene.set("one");
    let message = scene.subscribe(ANA, BOB).with("Accept", CPIM);
    let mut watch = scene.watch_by(message);
    assert_eq!(field(&watch.notify, "Content-Type"), Some(CPIM));
    let outputs = scene.set("two");
    assert_eq!(field(outputs.notify(), "Content-Type"), Some(CPIM));
    scene.answer_all(&outputs);

    let outputs = scene.send(&watch.refresh().with("Accept", PIDF));
    assert_eq!(field(outputs.notify(), "Content-Type"), Some(PIDF));
    scene.answer_all(&outputs);
    scene.pass(10.0);
    let outputs = scene.set("three");
    assert_eq!(field(outputs.notify(), "Content-Type"), Some(PIDF));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-20: no Accept in it means PIDF, whatever the first one said.
#[test]
fn a_refresh_without_accept_means_pidf_again() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).with("Accept", CPIM);
    let mut watch = scene.watch_by(message);
    let outputs = scene.send(&watch.refresh().without("Accept"));
    assert_eq!(field(outputs.notify(), "Content-Type"), Some(PIDF));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-22
#[test]
fn a_refresh_that_accepts_nothing_leaves_the_subscription_as_it_was() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).with("Accept", CPIM);
    let mut watch = scene.watch_by(message);
    let refresh = watch.refresh().with("Accept", "text/plain");
    assert_eq!(story(&scene.send(&refresh)), ["406"]);
    let outputs = scene.set("still told");
    assert_eq!(field(outputs.notify(), "Content-Type"), Some(CPIM));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-21: some clients compare the whole value.
#[test]
fn the_content_type_has_no_parameters() {
    let mut scene = Scene::new();
    let message = scene
        .subscribe(ANA, BOB)
        .with("Accept", "application/pidf+xml;charset=UTF-8;x=y");
    let outputs = scene.send(&message);
    assert_eq!(field(outputs.notify(), "Content-Type"), Some(PIDF));
    scene.close();
}

#[test]
fn watchers_of_both_types_get_one_document() {
    let mut scene = Scene::new();
    scene.set("here");
    let new = scene.watch();
    let message = scene.subscribe(ANA, BOB).with("Accept", CPIM);
    let old = scene.watch_by(message);
    assert_eq!(new.notify.body(), old.notify.body());
    scene.close();
}
