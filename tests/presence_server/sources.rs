//! What is known of a presentity from the application, the registrar and publishers.

use std::time::Duration;

use presentity::engine::FlowId;
use presentity::event::{Assurance, Identity, ReplacePublications, RequestContext};
use presentity::pidf::caps::{Method, Servcaps};
use presentity::pidf::{Basic, Note, Presence, Tuple};
use presentity::presence::{
    ContactShown, LastingState, RegisteredContact, RegisteredError, RegisteredState,
    SetPresenceError, SetRegistrationError,
};

use crate::common::Message;
use crate::scene::{AGENT, ANA, BOB, CARLA, Scene, document_of, etag, read, shown};

/// One with what it says it can do.
const DESK: &str = "<sip:bob@192.0.2.10:5062>;q=0.7;methods=\"INVITE,MESSAGE\";+sip.instance=\"<urn:uuid:4fd5e1a0-8f0b-4a59-9d5c-2f6f0a7b9c11>\"";
const POCKET: &str = "<sip:bob@198.51.100.20>;q=0.2";

// SRV-02, SRV-03, SRV-05, SRV-09, SRV-36
#[test]
fn all_sources_make_one_document_and_each_leaves_alone() {
    let mut scene = Scene::with(|config| config.server.notify_interval = Duration::ZERO);
    let watch = scene.watch(ANA, BOB);
    assert!(shown(&watch.notify).is_empty());
    scene.source(BOB, "door", "at the door", None);
    scene.source(BOB, "car", "on the road", None);
    scene.register(BOB, &[(POCKET, 3000.0)]);
    let message = scene.publish(BOB, "desk", "at the desk");
    let told = scene.send(&message);
    let tag = etag(&told);
    let all = shown(told.notifies().last().unwrap());
    assert_eq!(all.len(), 4, "{all:?}");
    for part in ["door: at the door", "car: on the road", "desk: at the desk"] {
        assert!(all.iter().any(|it| it == part), "{all:?}");
    }
    let without = |all: &[String], part: &str| {
        let kept = all.iter().filter(|it| !it.starts_with(part));
        kept.cloned().collect::<Vec<_>>()
    };
    // One after the other; nothing else changes.
    assert_eq!(
        scene.agent.remove_source(scene.now, BOB, "car"),
        Ok(true),
        "it was there"
    );
    let left = without(&all, "car");
    assert_eq!(shown(scene.settle().notify()), left);
    assert_eq!(scene.agent.remove_source(scene.now, BOB, "car"), Ok(false));
    assert!(scene.settle().is_nothing());
    let message = Message::publish(BOB, &scene.call(), "")
        .without("Content-Type")
        .with("SIP-If-Match", &tag)
        .with("Expires", "0");
    let mut told = scene.send(&message);
    told.0.append(&mut scene.settle().0);
    let left = without(&left, "desk");
    assert_eq!(shown(told.notify()), left);
    scene.register(BOB, &[]);
    assert_eq!(shown(scene.settle().notify()), ["door: at the door"]);
    assert_eq!(scene.agent.remove_source(scene.now, BOB, "door"), Ok(true));
    assert!(shown(scene.settle().notify()).is_empty());
    scene.close();
}

// SRV-02
#[test]
fn a_source_ends_to_the_second_and_may_be_prolonged_or_made_lasting() {
    let mut scene = Scene::with(|config| config.server.notify_interval = Duration::ZERO);
    scene.watch(ANA, BOB);
    scene.pass(10.0);
    scene.source(BOB, "a", "ten seconds", Some(10.0));
    scene.source(BOB, "b", "prolonged", Some(10.0));
    scene.source(BOB, "c", "made lasting", Some(10.0));
    scene.source(BOB, "d", "made short", None);
    scene.settle();
    scene.pass(5.0);
    scene.source(BOB, "b", "prolonged", Some(10.0));
    scene.source(BOB, "c", "made lasting", None);
    scene.source(BOB, "d", "made short", Some(15.0));
    // Nobody is told of a new lifetime.
    assert!(scene.settle().is_nothing());
    let told = scene.pass(60.0);
    assert_eq!(told.times(), [20.0, 25.0, 30.0]);
    let seen: Vec<Vec<String>> = told.notifies().into_iter().map(shown).collect();
    assert_eq!(seen[0].len(), 3);
    assert!(!seen[0].iter().any(|it| it.starts_with("a:")));
    assert_eq!(seen[1], ["c: made lasting", "d: made short"]);
    assert_eq!(seen[2], ["c: made lasting"]);
    scene.close();
}

// SRV-02
#[test]
fn lifetimes_that_are_odd_harm_nobody() {
    let mut scene = Scene::with(|config| config.server.notify_interval = Duration::ZERO);
    let document = document_of(BOB, "x", "y");
    let agent = &mut scene.agent;
    let lasts = [Duration::MAX, Duration::from_secs(u64::MAX / 2)];
    for (name, lasts) in ["a", "b"].into_iter().zip(lasts) {
        agent
            .set_source(scene.now, BOB, name, document.clone(), Some(lasts))
            .unwrap();
    }
    // No time at all is one second.
    agent
        .set_source(scene.now, BOB, "c", document, Some(Duration::ZERO))
        .unwrap();
    assert_eq!(scene.known(BOB).len(), 3);
    scene.pass(0.9);
    assert_eq!(scene.known(BOB).len(), 3);
    scene.pass(0.2);
    assert_eq!(scene.known(BOB).len(), 2);
    scene.pass(100_000.0);
    assert_eq!(scene.known(BOB).len(), 2);
    for name in ["a", "b"] {
        assert_eq!(scene.agent.remove_source(scene.now, BOB, name), Ok(true));
    }
    scene.close();
}

// SRV-02, SRV-09
#[test]
fn what_is_too_much_or_no_document_changes_nothing() {
    let mut scene = Scene::with(|config| config.sources = 2);
    scene.source(BOB, "a", "one", None);
    scene.source(BOB, "b", "two", None);
    scene.settle();
    let before = scene.known(BOB);
    let (now, document) = (scene.now, document_of(BOB, "c", "three"));
    let agent = &mut scene.agent;
    assert_eq!(
        agent.set_source(now, BOB, "c", document.clone(), None),
        Err(SetPresenceError::TooManySources)
    );
    // Those that are there may say something else, and other presentities have their own room.
    assert!(
        agent
            .set_source(now, BOB, "b", document.clone(), None)
            .is_ok()
    );
    assert!(agent.set_source(now, CARLA, "c", document, None).is_ok());
    assert_ne!(scene.known(BOB), before);
    let bad = Presence::new(BOB).with_tuple(Tuple::open("a").with_note(Note::new("a\u{1}b")));
    let refused = scene.agent.set_source(now, BOB, "a", bad.clone(), None);
    let kept = scene.known(BOB);
    match refused {
        Err(SetPresenceError::Document(_)) => assert_eq!(kept[0], "a: one"),
        // What can be put right is.
        other => assert!(
            other.is_ok() && !kept[0].contains('\u{1}'),
            "{other:?} {kept:?}"
        ),
    }
    for nonsense in ["", "tel:+1", "sip:", "not a user@", "https://example.com"] {
        let refused = scene
            .agent
            .set_source(now, nonsense, "a", bad.clone(), None);
        assert!(refused.is_err(), "{nonsense}");
        assert!(scene.agent.remove_source(now, nonsense, "a").is_err());
    }
    assert_eq!(scene.agent.remove_source(now, CARLA, "c"), Ok(true));
    scene.close();
}

// SRV-30, SRV-31, SRV-33, SRV-34
#[test]
fn each_contact_is_a_tuple_for_its_time() {
    let mut scene = Scene::with(|config| config.server.notify_interval = Duration::ZERO);
    scene.watch(ANA, BOB);
    assert!(scene.register(BOB, &[(DESK, 100.0), (POCKET, 50.0)]));
    let told = scene.settle();
    let document = read(told.notify());
    assert_eq!(document.tuples.len(), 2);
    let q = |tuple: &Tuple| {
        let contact = tuple.contact.as_ref().unwrap();
        contact.priority().map(|q| q.thousandths())
    };
    let find = |document: &Presence, wanted: u16| {
        let mut tuples = document.tuples.iter();
        tuples.find(|it| q(it) == Some(wanted)).unwrap().clone()
    };
    let (desk, pocket) = (find(&document, 700), find(&document, 200));
    let caps: Servcaps = desk.get().expect("what it can do");
    assert_eq!(caps.methods.supports(&Method::Message), Some(true));
    assert!(pocket.get::<Servcaps>().is_none());
    for tuple in &document.tuples {
        assert_eq!(tuple.status.basic(), Some(Basic::Open));
        // Where the phones are is nobody's business.
        assert_eq!(tuple.contact.as_ref().unwrap().uri, BOB);
    }
    assert_eq!(document.devices.len(), 1);
    // Registered again, the same: no NOTIFY. The times count from then.
    scene.pass(20.0);
    assert!(!scene.register(BOB, &[(DESK, 100.0), (POCKET, 50.0)]));
    assert!(scene.settle().is_nothing());
    let told = scene.pass(200.0);
    assert_eq!(told.times(), [70.0, 120.0]);
    let left = read(told.notifies()[0]);
    assert_eq!(left.tuples.len(), 1);
    assert_eq!(left.tuples[0].id, desk.id, "its id stays");
    assert!(read(told.notifies()[1]).tuples.is_empty());
    scene.close();
}

// SRV-31
#[test]
fn the_list_of_contacts_is_replaced_as_a_whole() {
    let mut scene = Scene::with(|config| config.server.notify_interval = Duration::ZERO);
    scene.watch(ANA, BOB);
    scene.register(BOB, &[(DESK, 1000.0), (POCKET, 1000.0)]);
    scene.settle();
    assert!(scene.register(BOB, &[(POCKET, 30.0)]));
    assert_eq!(read(scene.settle().notify()).tuples.len(), 1);
    // One that has run out already is none.
    assert!(scene.register(BOB, &[(POCKET, 0.0)]));
    assert!(read(scene.settle().notify()).tuples.is_empty());
    assert!(!scene.register(BOB, &[]));
    assert!(scene.settle().is_nothing());
    assert_eq!(
        scene.agent.occupancy().timers,
        1,
        "the subscription's alone"
    );
    scene.close();
}

// SRV-35
#[test]
fn who_has_not_proved_to_be_anybody_registers_nothing() {
    let mut scene = Scene::new();
    let nobody = Identity::nobody();
    let contacts = [RegisteredContact::new("sip:bob@192.0.2.1", scene.at(500.0))];
    let agent = &mut scene.agent;
    let refused = agent.set_registration(scene.now, BOB, &nobody, &contacts);
    assert_eq!(refused, Err(SetRegistrationError::NotAuthenticated));
    assert_eq!(agent.presence(BOB), Ok(None));
    assert_eq!(agent.occupancy(), Default::default());
    // That nothing is registered any more needs no proof.
    scene.register(BOB, &[(DESK, 500.0)]);
    let gone = scene.agent.set_registration(scene.now, BOB, &nobody, &[]);
    assert_eq!(gone, Ok(true));
    scene.close();
}

// SRV-32
#[test]
fn the_contact_itself_is_shown_when_told_to() {
    let mut scene = Scene::with(|config| {
        config.registrations.shown = ContactShown::Registered;
        config.registrations.max_contacts = 2;
    });
    scene.register(BOB, &[(POCKET, 500.0)]);
    let document = scene.agent.presence(BOB).unwrap().unwrap();
    let uri = &document.tuples[0].contact.as_ref().unwrap().uri;
    assert_eq!(uri, "sip:bob@198.51.100.20");
    // Too many change nothing, and neither does one that is none.
    let bob = Identity::of(BOB, Assurance::Digest).unwrap();
    let until = scene.at(900.0);
    let three = ["sip:a@x.example", "sip:b@x.example", "sip:c@x.example"];
    let three = three.map(|uri| RegisteredContact::new(uri, until));
    let refused = scene.agent.set_registration(scene.now, BOB, &bob, &three);
    let limit = RegisteredError::TooManyContacts { limit: 2 };
    assert_eq!(refused, Err(SetRegistrationError::Contacts(limit)));
    let bad = [RegisteredContact::new("no URI", until)];
    let refused = scene.agent.set_registration(scene.now, BOB, &bob, &bad);
    assert!(matches!(refused, Err(SetRegistrationError::Contacts(_))));
    assert_eq!(scene.agent.presence(BOB), Ok(Some(document)));
    scene.pass(500.1);
    assert_eq!(scene.agent.presence(BOB), Ok(None));
    scene.close();
}

// SRV-02, SRV-06
#[test]
fn what_lasts_is_beneath_all_others() {
    for always in [false, true] {
        let mut scene = Scene::with(|config| {
            config.server.notify_interval = Duration::ZERO;
            if always {
                config.lasting = LastingState::Always;
            }
        });
        let lasting = document_of(BOB, "rest", "always");
        scene.agent.set_presence(scene.now, BOB, lasting).unwrap();
        let watch = scene.watch(ANA, BOB);
        assert_eq!(shown(&watch.notify), ["rest: always"]);
        let beside = |parts: &[&str]| {
            let rest = always.then_some("rest: always");
            let all = rest.into_iter().chain(parts.iter().copied());
            all.map(str::to_owned).collect::<Vec<_>>()
        };
        scene.source(BOB, "car", "driving", Some(20.0));
        assert_eq!(shown(scene.settle().notify()), beside(&["car: driving"]));
        assert_eq!(shown(scene.pass(20.1).notify()), ["rest: always"]);
        scene.register(BOB, &[(POCKET, 30.0)]);
        let seen = shown(scene.settle().notify());
        assert_eq!(seen.len(), 1 + usize::from(always));
        assert_eq!(shown(scene.pass(30.1).notify()), ["rest: always"]);
        scene.close();
    }
}

// SRV-09, SRV-48
#[test]
fn a_publication_that_was_lost_and_made_anew_leaves_nothing_stuck() {
    for replaced in [true, false] {
        let mut scene = Scene::with(|config| {
            config.server.notify_interval = Duration::ZERO;
            if replaced {
                config.server.replace_publications = ReplacePublications::SameFlow;
            }
        });
        scene.source(BOB, "car", "driving", None);
        scene.watch(ANA, BOB);
        let bob = Identity::of(BOB, Assurance::Digest).unwrap();
        let context = RequestContext::new(&bob, AGENT).with_flow(FlowId(7));
        let first = scene.publish(BOB, "desk", "busy");
        etag(&scene.send_with(&first, &context));
        scene.settle();
        // The tag is lost; so is one after the other.
        for (number, note) in ["free", "away", "back"].into_iter().enumerate() {
            scene.pass(100.0);
            let wrong = scene
                .publish(BOB, "desk", note)
                .with("SIP-If-Match", "forgotten");
            assert_eq!(scene.send_with(&wrong, &context).status(), 412);
            let anew = scene.publish(BOB, "desk", note);
            let mut told = scene.send_with(&anew, &context);
            etag(&told);
            told.0.append(&mut scene.settle().0);
            let seen = shown(told.notify());
            let publications = if replaced { 1 } else { number + 2 };
            assert_eq!(seen.len(), 1 + publications, "{seen:?}");
            assert!(seen.iter().any(|it| it.ends_with(note)));
            assert!(replaced != seen.iter().any(|it| it.ends_with("busy")));
        }
        // In the end nothing of any of them is left, and the source is.
        scene.pass(3301.0);
        let publications = scene.agent.publications().count();
        assert_eq!(publications, if replaced { 1 } else { 3 });
        scene.pass(301.0);
        assert_eq!(scene.agent.publications().count(), 0);
        assert_eq!(scene.known(BOB), ["car: driving"]);
        scene.close();
    }
}

// SRV-09
#[test]
fn however_fast_sources_change_watchers_are_told_every_five_seconds() {
    let mut scene = Scene::new();
    scene.watch(ANA, BOB);
    scene.watch(CARLA, BOB);
    let mut times = Vec::new();
    for number in 0..120 {
        scene.source(BOB, "car", &format!("kilometre {number}"), Some(1.0));
        scene.register(BOB, &[(POCKET, 100.0 + f64::from(number))]);
        let lasting = document_of(BOB, "rest", &number.to_string());
        scene.agent.set_presence(scene.now, BOB, lasting).unwrap();
        let told = scene.pass(0.25);
        times.extend(told.times());
    }
    let told = scene.pass(20.0);
    times.extend(told.times());
    let last = shown(told.notifies().last().unwrap()).join(" ");
    // Both get each.
    let each: Vec<f64> = times.chunks(2).map(|pair| pair[0]).collect();
    assert!(times.chunks(2).all(|pair| pair[0] == pair[1]), "{times:?}");
    assert!(
        each.windows(2).all(|two| two[1] - two[0] >= 5.0),
        "{each:?}"
    );
    assert!(each.len() >= 6, "{each:?}");
    // The latest state has won: the source ran out, the contact is there.
    assert!(!last.contains("kilometre"), "{last}");
    scene.close();
}

// SRV-05, SRV-31
#[test]
fn presentities_do_not_disturb_each_other() {
    let mut scene = Scene::with(|config| config.server.notify_interval = Duration::ZERO);
    scene.watch(ANA, BOB);
    scene.watch(ANA, CARLA);
    for presentity in [BOB, CARLA] {
        scene.source(presentity, "car", "driving", Some(100.0));
        scene.register(presentity, &[(POCKET, 200.0)]);
    }
    scene.settle();
    let carla = scene.known(CARLA);
    scene.source(BOB, "car", "parked", Some(10.0));
    scene.register(BOB, &[]);
    scene.published(BOB, "desk", "here");
    let told = scene.pass(50.0);
    assert!(!told.notifies().is_empty());
    for notify in told.notifies() {
        assert_eq!(read(notify).entity, BOB);
    }
    assert_eq!(scene.known(CARLA), carla);
    assert_eq!(scene.known(BOB), ["desk: here"]);
    let told = scene.pass(60.0);
    assert_eq!(told.times(), [100.0]);
    assert_eq!(read(told.notify()).entity, CARLA);
    // Names are folded: it is the same presentity.
    scene.source("sips:carla@EXAMPLE.com", "car", "again", None);
    assert_eq!(scene.known("pres:carla@example.com").len(), 2);
    scene.close();
}

// SRV-31
#[test]
fn who_publishes_need_not_be_shown_as_registered_too() {
    let mut scene = Scene::with(|config| config.registered = RegisteredState::WhenUnpublished);
    scene.register(BOB, &[(POCKET, 3000.0)]);
    let registered = scene.known(BOB);
    assert_eq!(registered.len(), 1);
    scene.source(BOB, "car", "on the road", None);
    assert_eq!(scene.known(BOB).len(), 2);
    let tag = scene.published(BOB, "desk", "closed for today");
    assert_eq!(
        scene.known(BOB),
        ["car: on the road", "desk: closed for today"]
    );
    let message = scene.publish(BOB, "desk", "").without("Expires");
    let message = message.with("SIP-If-Match", &tag).with("Expires", "0");
    assert_eq!(scene.send(&message).status(), 200);
    assert_eq!(scene.known(BOB).len(), 2);
    scene.close();
}
