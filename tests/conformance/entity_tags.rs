//! Entity-tags of publications: which are known, and that none comes twice.

use std::collections::BTreeSet;

use crate::common::Message;
use crate::scene::{BOB, CARLA, Scene, document, etag, follow, story};

// SRV-44
#[test]
fn a_condition_that_is_not_one_entity_tag_is_malformed() {
    let mut scene = Scene::new();
    let tag = scene.published(BOB, &document("t", "x"));
    for value in [
        "",
        "a b",
        "a, b",
        "*",
        "\"quoted\"",
        "W/\"a\"",
        "a;b",
        &format!("{tag}, {tag}"),
    ] {
        let message = follow(&mut scene, value, "");
        assert_eq!(story(&scene.send(&message)), ["400"], "{value:?}");
    }
    let message = follow(&mut scene, &tag, "").and("SIP-If-Match", &tag);
    assert_eq!(story(&scene.send(&message)), ["400"]);
    scene.close();
}

// SRV-44: they compare byte by byte.
#[test]
fn an_entity_tag_that_is_not_known_gets_412() {
    let mut scene = Scene::new();
    // Enough of them for the count in them to have a digit that is a letter.
    let mut tag = scene.published(BOB, &document("t", "x"));
    for _ in 0..11 {
        tag = scene.published(BOB, &document("t", "x"));
    }
    let (random, count) = tag.split_once('.').unwrap();
    let upper = count.to_ascii_uppercase();
    assert_ne!(upper, count);
    for unknown in [
        "unknown",
        ".",
        "x.1",
        "aaaaaaaaaaaaa.0",
        "aaaaaaaaaaaaa.1",
        random,
        &format!("{random}."),
        &format!("{random}.{upper}"),
        &format!("{random}.0{count}"),
        &format!("{random}.{count}0"),
        &format!("{random}.{count}.{count}"),
        &format!("{}.{count}", random.to_ascii_uppercase()),
        &format!("{random}.{}", "f".repeat(40)),
    ] {
        for (body, expires) in [("", "600"), ("", "0"), (&*document("t", "y"), "600")] {
            let message = follow(&mut scene, unknown, body).with("Expires", expires);
            assert_eq!(story(&scene.send(&message)), ["412"], "{unknown} {expires}");
        }
    }
    let message = follow(&mut scene, &tag, "");
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SRV-44, SEC-35: one user's entity-tag is nothing to another.
#[test]
fn an_entity_tag_of_another_presentity_gets_412() {
    let mut scene = Scene::new();
    let bobs = scene.published(BOB, &document("t", "bob's"));
    let carlas = scene.published(CARLA, &document("t", "carla's"));
    for expires in ["600", "0"] {
        let message = follow(&mut scene, &carlas, "").with("Expires", expires);
        assert_eq!(story(&scene.send(&message)), ["412"]);
        let message = scene
            .publish(CARLA, "")
            .with("SIP-If-Match", &bobs)
            .with("Expires", expires);
        assert_eq!(story(&scene.send(&message)), ["412"]);
    }
    assert_eq!(scene.role.publications().count(), 2);
    scene.close();
}

// SRV-44: whichever way the presentity is named.
#[test]
fn an_entity_tag_is_good_for_all_names_of_the_presentity() {
    let mut scene = Scene::new();
    let tag = scene.published(BOB, &document("t", "x"));
    let mut message = follow(&mut scene, &tag, "");
    message.uri = "pres:bob@EXAMPLE.com".into();
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SRV-48
#[test]
fn an_old_entity_tag_is_good_for_nothing() {
    let mut scene = Scene::new();
    let first = scene.published(BOB, &document("t", "x"));
    let message = follow(&mut scene, &first, "");
    let second = etag(&scene.send(&message));
    assert_ne!(first, second);
    let message = follow(&mut scene, &first, "");
    assert_eq!(story(&scene.send(&message)), ["412"]);
    let message = follow(&mut scene, &second, &document("t", "y"));
    let third = etag(&scene.send(&message));
    for old in [&first, &second] {
        let message = follow(&mut scene, old, "").with("Expires", "0");
        assert_eq!(story(&scene.send(&message)), ["412"]);
    }
    let message = follow(&mut scene, &third, "").with("Expires", "0");
    assert_eq!(scene.send(&message).status(), 200);
    let message = follow(&mut scene, &third, "");
    assert_eq!(story(&scene.send(&message)), ["412"]);
    scene.empty();
}

// SRV-48
#[test]
fn entity_tags_are_never_repeated() {
    let mut scene = Scene::new();
    let mut tags = BTreeSet::new();
    let mut count = 0;
    for round in 0..100 {
        let mut tag = scene.published(BOB, &document("t", "x"));
        count += 1;
        assert!(tags.insert(tag.clone()));
        for body in ["", &*document("t", &format!("round {round}")), ""] {
            let message = follow(&mut scene, &tag, body);
            tag = etag(&scene.send(&message));
            count += 1;
            assert!(tags.insert(tag.clone()));
        }
        let message = follow(&mut scene, &tag, "").with("Expires", "0");
        let outputs = scene.send(&message);
        count += 1;
        assert!(tags.insert(etag(&outputs)));
    }
    assert_eq!(tags.len(), count);
    scene.empty();
}

// SRV-48: not even if the entropy repeats itself.
#[test]
fn entity_tags_differ_whatever_the_entropy() {
    use presentity::event::PublishDecision;
    use presentity::presence::{Agent, AgentConfig, Policy};
    struct Open;
    impl Policy for Open {
        fn subscribe(
            &mut self,
            _: &presentity::event::SubscribeQuery<'_>,
        ) -> presentity::event::Authorization {
            crate::scene::allowed()
        }
        fn publish(&mut self, _: &presentity::event::PublishQuery<'_>) -> PublishDecision {
            PublishDecision::Allow
        }
    }
    let stuck = |buffer: &mut [u8]| buffer.fill(7);
    let agent = Agent::new(AgentConfig::default(), Open, stuck);
    let mut driver = crate::common::Driver::new(agent);
    let tags: BTreeSet<String> = (0..20)
        .map(|call| {
            let message = Message::publish(BOB, &format!("c{call}"), &document("t", "x"));
            etag(&driver.send(&message))
        })
        .collect();
    assert_eq!(tags.len(), 20);
}
