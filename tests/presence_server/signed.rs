//! Publications that their publisher has signed for the watchers.

use std::time::Duration;

use bytes::Bytes;
use presentity::event::{Authorization, Decision, Output, Protection, View};
use presentity::mime::Written;
use presentity::presence::{AgentConfig, SignedPublications};
use presentity::rules::{Provided, Rule, Ruleset};
use presentity::sip::OutgoingRequest;

use crate::common::{Message, field};
use crate::scene::{ANA, BOB, CARLA, DORA, Scene, Told, document_of, etag, shown, written};
use crate::wrapping::{PIDF, Pen, carrying, open, seal, sign};

const BOTH: &str = "application/pidf+xml, multipart/signed";

fn scene_with(change: impl FnOnce(&mut AgentConfig)) -> Scene {
    let mut scene = Scene::with(|config| {
        config.server.opens_bodies = true;
        config.server.notify_interval = Duration::ZERO;
        change(config);
    });
    scene.house().protection = Protection::AsPublished;
    scene
}

fn scene() -> Scene {
    scene_with(|_| {})
}

/// Bob's document, signed by him.
fn signed(id: &str, note: &str) -> Written {
    sign(&Pen::of(BOB), PIDF, &written(BOB, id, note))
}

fn publish(scene: &mut Scene, body: &Written, tag: Option<&str>) -> Message {
    let message = carrying(scene.publish(BOB, "x", "y"), body);
    match tag {
        Some(tag) => message.with("SIP-If-Match", tag),
        None => message,
    }
}

/// Hands a PUBLISH in, and opens its body.
fn published(scene: &mut Scene, body: &Written, tag: Option<&str>) -> (String, Told) {
    let message = publish(scene, body, tag);
    let told = scene.send(&message);
    let [at] = &told.0[..] else {
        panic!("{told:?}");
    };
    let Output::Open(opening) = &at.output else {
        panic!("{told:?}");
    };
    let opened = open(&opening.content_type, &opening.body);
    let now = scene.now;
    assert!(scene.agent.complete_opening(now, opening.key, opened));
    let mut told = scene.take();
    let tag = etag(&told);
    told.0.append(&mut scene.settle().0);
    (tag, told)
}

fn remove(scene: &mut Scene, tag: &str) -> Told {
    let message = Message::publish(BOB, &scene.call(), "")
        .without("Content-Type")
        .with("SIP-If-Match", tag)
        .with("Expires", "0");
    let mut told = scene.send(&message);
    told.0.append(&mut scene.settle().0);
    told
}

fn watch(scene: &mut Scene, from: &str, accept: &str) -> OutgoingRequest {
    let message = scene.subscribe(from, BOB).with("Accept", accept);
    let told = scene.send(&message);
    assert_eq!(told.status(), 200, "{told:?}");
    told.notify().clone()
}

fn is_as(notify: &OutgoingRequest, body: &Written) -> bool {
    field(notify, "Content-Type") == Some(&body.content_type) && *notify.body() == body.body
}

fn to<'a>(told: &'a Told, user: &str) -> &'a OutgoingRequest {
    let user = user.split('@').next().unwrap();
    let all = told.notifies();
    let found = all
        .into_iter()
        .find(|it| it.uri().starts_with(&format!("{user}@")));
    found.unwrap_or_else(|| panic!("{told:?}"))
}

// SRV-52
#[test]
fn what_is_signed_is_passed_on_octet_for_octet_to_who_takes_it() {
    let mut scene = scene();
    // What else there is stands back.
    scene.source(BOB, "car", "driving", None);
    let lasting = document_of(BOB, "rest", "always");
    scene.agent.set_presence(scene.now, BOB, lasting).unwrap();
    scene.published(BOB, "pocket", "plain");
    let first = watch(&mut scene, ANA, BOTH);
    assert_eq!(field(&first, "Content-Type"), Some(PIDF));
    let _ = watch(&mut scene, CARLA, "application/pidf+xml");
    let body = signed("desk", "sealed");
    let (tag, told) = published(&mut scene, &body, None);
    assert!(is_as(to(&told, ANA), &body));
    let plain = to(&told, CARLA);
    assert_eq!(field(plain, "Content-Type"), Some(PIDF));
    assert_eq!(shown(plain), ["desk: sealed"]);
    // Who comes later, and who asks once.
    assert!(is_as(&watch(&mut scene, DORA, BOTH), &body));
    let fetch = scene
        .subscribe(DORA, BOB)
        .with("Accept", BOTH)
        .with("Expires", "0");
    assert!(is_as(scene.send(&fetch).notify(), &body));
    assert_eq!(shown(&watch(&mut scene, DORA, PIDF)), ["desk: sealed"]);
    // Other sources change nothing of it.
    scene.source(BOB, "car", "parked", None);
    assert!(scene.settle().notifies().is_empty());
    // Another one takes its place, and without it the rest is shown again.
    let body = signed("desk", "sealed again");
    let (tag, told) = published(&mut scene, &body, Some(&tag));
    assert!(is_as(to(&told, ANA), &body));
    assert_eq!(shown(to(&told, CARLA)), ["desk: sealed again"]);
    let told = remove(&mut scene, &tag);
    let all = shown(to(&told, ANA));
    assert_eq!(all.len(), 2);
    assert_eq!(field(to(&told, ANA), "Content-Type"), Some(PIDF));
    assert_eq!(shown(to(&told, CARLA)), all);
    scene.close();
}

// SRV-52
#[test]
fn the_newest_of_several_is_passed_on() {
    let mut scene = scene();
    let _ = watch(&mut scene, ANA, BOTH);
    let (desk, pocket) = (signed("desk", "one"), signed("pocket", "two"));
    let (tag, _) = published(&mut scene, &desk, None);
    scene.pass(10.0);
    let (other, told) = published(&mut scene, &pocket, None);
    assert!(is_as(told.notify(), &pocket), "one only: {told:?}");
    scene.pass(10.0);
    let newer = signed("desk", "three");
    let (tag, told) = published(&mut scene, &newer, Some(&tag));
    assert!(is_as(told.notify(), &newer));
    // The same once more, or prolonged, is not newer.
    scene.pass(10.0);
    let (_, told) = published(&mut scene, &pocket, Some(&other));
    assert!(told.notifies().is_empty(), "{told:?}");
    let told = remove(&mut scene, &tag);
    assert!(is_as(told.notify(), &pocket));
    // It runs out by itself.
    let told = scene.pass(3_700.0);
    assert!(
        told.notifies()
            .iter()
            .any(|it| shown_or_none(it).is_empty())
    );
    assert!(scene.known(BOB).is_empty());
    scene.close();
}

fn shown_or_none(notify: &OutgoingRequest) -> Vec<String> {
    match field(notify, "Content-Type") {
        Some(PIDF) => shown(notify),
        Some(_) => vec!["signed".to_owned()],
        None => Vec::new(),
    }
}

// SRV-52, SRV-82
#[test]
fn who_may_see_a_part_sees_nothing_of_what_is_signed() {
    let mut scene = scene();
    let view = Decision::Allow(View::named("bare"));
    scene.house().everybody = Authorization::Decided(view);
    published(&mut scene, &signed("desk", "sealed"), None);
    let first = watch(&mut scene, ANA, BOTH);
    assert!(shown(&first).is_empty());
    assert!(!String::from_utf8_lossy(first.body()).contains("desk"));
    // By rules, too; and pending or politely blocked ones.
    let some = Provided::nothing().with_all_services();
    let rules = Ruleset::new()
        .with_rule(Rule::new("a").for_one(ANA).allow().providing(some))
        .with_rule(
            Rule::new("b")
                .for_one(CARLA)
                .handled(presentity::rules::SubHandling::Confirm),
        )
        .with_rule(
            Rule::new("c")
                .for_one(DORA)
                .handled(presentity::rules::SubHandling::PoliteBlock),
        );
    scene.set_rules(BOB, rules);
    scene.settle();
    for from in [ANA, CARLA, DORA] {
        let notify = watch(&mut scene, from, BOTH);
        let text = String::from_utf8_lossy(notify.body());
        assert!(!text.contains("desk") && !text.contains("sealed"), "{text}");
        assert_eq!(field(&notify, "Content-Type"), Some(PIDF));
    }
    // Who is given everything later gets it as it was signed.
    let all = Ruleset::new().with_rule(Rule::new("all").allow().with_everything());
    scene.set_rules(BOB, all);
    let told = scene.settle();
    let signed = told.notifies().into_iter().map(shown_or_none);
    assert_eq!(signed.filter(|it| it == &["signed"]).count(), 4);
    scene.close();
}

// SRV-06, SRV-52
#[test]
fn signed_publications_are_composed_where_the_settings_say_so() {
    let mut scene = scene_with(|config| {
        config.signed_publications = SignedPublications::Compose;
    });
    let _ = watch(&mut scene, ANA, BOTH);
    let body = signed("desk", "sealed");
    let (tag, told) = published(&mut scene, &body, None);
    // It is all there is.
    assert!(is_as(told.notify(), &body));
    scene.source(BOB, "car", "driving", None);
    let told = scene.settle();
    assert_eq!(field(told.notify(), "Content-Type"), Some(PIDF));
    assert_eq!(shown(told.notify()), ["car: driving", "desk: sealed"]);
    scene.agent.remove_source(scene.now, BOB, "car").unwrap();
    assert!(is_as(scene.settle().notify(), &body));
    let told = remove(&mut scene, &tag);
    assert!(shown(told.notify()).is_empty());
    scene.close();
}

// SRV-52
#[test]
fn what_was_encrypted_or_not_signed_is_no_signed_publication() {
    let mut scene = scene();
    scene.source(BOB, "car", "driving", None);
    let _ = watch(&mut scene, ANA, BOTH);
    let inner = signed("desk", "sealed");
    let secret = seal(&inner.content_type, &inner.body);
    let (tag, told) = published(&mut scene, &secret, None);
    assert_eq!(shown(told.notify()), ["car: driving", "desk: sealed"]);
    // From signed to plain, and back.
    let (tag, told) = published(&mut scene, &inner, Some(&tag));
    assert!(is_as(told.notify(), &inner));
    let plain = scene
        .publish(BOB, "desk", "sealed")
        .with("SIP-If-Match", &tag);
    let mut told = scene.send(&plain);
    let tag = etag(&told);
    told.0.append(&mut scene.settle().0);
    assert_eq!(shown(told.notify()), ["car: driving", "desk: sealed"]);
    let (_, told) = published(&mut scene, &inner, Some(&tag));
    assert!(is_as(told.notify(), &inner));
    scene.close();
}

// SRV-52
#[test]
fn openings_that_come_late_twice_or_wrong_change_nothing() {
    let mut scene = scene();
    let _ = watch(&mut scene, ANA, BOTH);
    let body = signed("desk", "sealed");
    let message = publish(&mut scene, &body, None);
    let told = scene.send(&message);
    let Output::Open(opening) = told.0[0].output.clone() else {
        panic!("{told:?}");
    };
    // Nobody opens it.
    let told = scene.pass(20.0);
    assert_eq!(told.status(), 504);
    let opened = open(&opening.content_type, &opening.body);
    let now = scene.now;
    assert!(!scene.agent.complete_opening(now, opening.key, opened));
    assert!(scene.settle().is_nothing());
    // Who signs for others is none: what is signed has to be a document.
    let nonsense = sign(&Pen::of(BOB), PIDF, "no document");
    let message = publish(&mut scene, &nonsense, None);
    let told = scene.send(&message);
    let Output::Open(opening) = told.0[0].output.clone() else {
        panic!("{told:?}");
    };
    let opened = open(
        &opening.content_type,
        &Bytes::copy_from_slice(&opening.body),
    );
    assert!(scene.agent.complete_opening(now, opening.key, opened));
    assert_eq!(scene.take().status(), 400);
    assert!(scene.known(BOB).is_empty());
    scene.close();
}
