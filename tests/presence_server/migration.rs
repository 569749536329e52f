//! Watchers that are sent to the presentity's own device.

use std::time::Duration;

use presentity::engine::ServerTransaction;
use presentity::event::{Assurance, Backlog, DirectRequest, Forwarded, Identity, RequestContext};
use presentity::presence::{AgentConfig, Migration};

use crate::common::{Message, response_field};
use crate::scene::{AGENT, ANA, BOB, CARLA, DORA, Scene, Told, document_of, shown, state};

/// A device that says that it is an agent.
const AGENT_AT_HAND: &str =
    "<sip:bob@192.0.2.10:5062>;methods=\"INVITE,SUBSCRIBE\";events=\"presence\"";
const DEVICE: &str = "sip:bob@192.0.2.10:5062";
/// One that says nothing.
const QUIET: &str = "<sip:bob@192.0.2.20>";
/// Those that say that they are none.
const DENIES: [&str; 3] = [
    "<sip:bob@192.0.2.30>;methods=\"INVITE,MESSAGE\"",
    "<sip:bob@192.0.2.30>;methods=\"SUBSCRIBE\";events=\"dialog\"",
    "<sip:bob@192.0.2.30>;methods=\"!SUBSCRIBE\"",
];

fn declared(config: &mut AgentConfig) {
    config.migration = Migration::ToDeclared;
    config.departures_per_second = 2;
}

fn scene() -> Scene {
    Scene::with(declared)
}

/// Asks for Bob's presence; where it is forwarded to.
fn asked(scene: &mut Scene, from: &str) -> Option<String> {
    let message = scene.subscribe(from, BOB);
    let told = scene.send(&message);
    match told.forwards()[..] {
        [forward] => {
            assert_eq!(&*forward.resource, "bob@example.com");
            assert!(told.responses().is_empty() && told.notifies().is_empty());
            Some(forward.target.to_string())
        }
        _ => {
            assert_eq!(told.status(), 200, "{told:?}");
            None
        }
    }
}

fn report(scene: &mut Scene, target: &str, status: Option<u16>) -> Forwarded {
    scene
        .agent
        .report_forwarded(scene.now, BOB, target, status)
        .unwrap()
}

/// When watchers were told to go, and who.
fn departures(told: &Told) -> Vec<(f64, String)> {
    let all = told.timed_notifies();
    let ends = all.filter(|(_, notify)| state(notify) == "terminated;reason=deactivated");
    ends.map(|(at, notify)| (at, notify.uri().to_owned()))
        .collect()
}

fn times(departures: &[(f64, String)]) -> Vec<f64> {
    departures.iter().map(|it| it.0).collect()
}

// SRV-01, SRV-20, SRV-21, SRV-22, SRV-25, SRV-27, PA-76
#[test]
fn watchers_go_to_the_one_device_that_says_it_is_an_agent_a_few_at_a_time() {
    let mut scene = scene();
    let watchers: Vec<String> = (0..10).map(|it| format!("sip:w{it}@example.net")).collect();
    let mut watches: Vec<_> = watchers.iter().map(|it| scene.watch(it, BOB)).collect();
    scene.watch(ANA, CARLA);
    scene.pass(10.0);
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    // The first departs at once, the others half a second apart.
    let mut gone = departures(&scene.pass(2.2));
    assert_eq!(times(&gone), [10.0, 10.5, 11.0, 11.5, 12.0]);
    // Who comes newly goes there, and so do those who ask but once.
    assert_eq!(asked(&mut scene, ANA).as_deref(), Some(DEVICE));
    let fetch = scene.subscribe(DORA, BOB).with("Expires", "0");
    assert_eq!(scene.send(&fetch).forwards().len(), 1);
    // Others do not, and those whose turn has not come are answered.
    assert_eq!(
        scene.watch(ANA, CARLA).notify.uri(),
        "sip:ana@phone.example.net:5062"
    );
    let refresh = watches[8].refresh();
    let answered = scene.send(&refresh);
    assert_eq!(answered.status(), 200);
    assert_eq!(state(answered.notify()), "active");
    gone.append(&mut departures(&scene.pass(20.0)));
    assert_eq!(gone.len(), 10);
    for ((_, uri), number) in gone.iter().zip(0..) {
        assert_eq!(*uri, format!("sip:w{number}@phone.example.net:5062"));
    }
    assert_eq!(gone[9].0, 14.5);
    assert_eq!(scene.live(), 2);
    // They come back, and go there.
    for watcher in &watchers {
        assert_eq!(asked(&mut scene, watcher).as_deref(), Some(DEVICE));
    }
    // What belongs to a dialog that is not known is known there no more.
    let late = watches[0].refresh();
    assert_eq!(scene.send(&late).status(), 481);
    // The registration runs out: all are served here.
    scene.pass(1000.0);
    assert_eq!(asked(&mut scene, ANA), None);
    scene.close();
}

// SRV-21
#[test]
fn what_is_no_subscribe_for_presence_is_answered_here() {
    let mut scene = scene();
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    let message = scene.subscribe(ANA, BOB).with("Event", "dialog");
    let told = scene.send(&message);
    assert_eq!(told.status(), 489);
    let message = scene.subscribe(ANA, BOB).without("Event");
    assert_eq!(scene.send(&message).status(), 489);
    let unknown = scene.subscribe(ANA, BOB).in_dialog("nowhere", 2);
    assert_eq!(scene.send(&unknown).status(), 481);
    let message = scene.subscribe(ANA, BOB).with("CSeq", "x SUBSCRIBE");
    assert_eq!(scene.send(&message).status(), 400);
    let message = Message::new("CANCEL", ANA, BOB, "cancel");
    assert_eq!(scene.send(&message).status(), 200);
    scene.published(BOB, "desk", "here");
    assert_eq!(scene.known(BOB).len(), 2);
    scene.close();
}

// SRV-23, SRV-24
#[test]
fn a_device_that_is_no_agent_is_left_alone_while_it_is_registered() {
    for status in [405, 489] {
        let mut scene = scene();
        scene.register(BOB, &[(AGENT_AT_HAND, 100.0)]);
        let message = scene.subscribe(ANA, BOB);
        assert_eq!(scene.send(&message).forwards().len(), 1);
        assert_eq!(
            report(&mut scene, DEVICE, Some(status)),
            Forwarded::ServeHere
        );
        // Handed in again it is answered here, and so are all others.
        assert_eq!(scene.send(&message).status(), 200);
        assert_eq!(asked(&mut scene, CARLA), None);
        // Reported twice.
        assert_eq!(
            report(&mut scene, DEVICE, Some(status)),
            Forwarded::ServeHere
        );
        // Registered again, also with another contact meanwhile.
        scene.pass(70.0);
        scene.register(BOB, &[(AGENT_AT_HAND, 100.0)]);
        assert!(scene.settle().notifies().is_empty());
        scene.register(BOB, &[(AGENT_AT_HAND, 100.0), (QUIET, 10.0)]);
        scene.pass(20.0);
        assert_eq!(asked(&mut scene, DORA), None);
        // Gone, and back: perhaps it has learnt.
        scene.register(BOB, &[]);
        scene.settle();
        scene.register(BOB, &[(AGENT_AT_HAND, 100.0)]);
        assert!(!scene.settle().notifies().is_empty());
        assert_eq!(asked(&mut scene, DORA).as_deref(), Some(DEVICE));
        assert_eq!(
            report(&mut scene, DEVICE, Some(status)),
            Forwarded::ServeHere
        );
        // The same when it has run out by itself.
        scene.pass(101.0);
        scene.register(BOB, &[(AGENT_AT_HAND, 100.0)]);
        assert_eq!(asked(&mut scene, DORA).as_deref(), Some(DEVICE));
        scene.close();
    }
}

// SRV-23
#[test]
fn a_device_that_cannot_be_reached_is_spared_for_a_minute() {
    for status in [None, Some(408), Some(480), Some(500), Some(503), Some(599)] {
        let mut scene = scene();
        scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
        let message = scene.subscribe(ANA, BOB);
        assert_eq!(scene.send(&message).forwards().len(), 1);
        assert_eq!(report(&mut scene, DEVICE, status), Forwarded::ServeHere);
        assert_eq!(scene.send(&message).status(), 200);
        scene.pass(59.0);
        assert_eq!(asked(&mut scene, CARLA), None, "{status:?}");
        // Who is served here meanwhile is sent there again.
        let sent = departures(&scene.pass(2.0));
        assert_eq!(sent.len(), 2, "{sent:?}");
        assert_eq!(asked(&mut scene, DORA).as_deref(), Some(DEVICE));
        scene.close();
    }
    let mut scene = scene();
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    for status in [
        100, 200, 202, 302, 401, 403, 404, 423, 481, 603, 699, 65_535,
    ] {
        assert_eq!(report(&mut scene, DEVICE, Some(status)), Forwarded::PassOn);
        assert_eq!(asked(&mut scene, ANA).as_deref(), Some(DEVICE), "{status}");
    }
    scene.close();
}

// SRV-26
#[test]
fn nobody_is_sent_away_while_several_sources_are_composed() {
    let mut scene = scene();
    scene.watch(ANA, BOB);
    let stays = |scene: &mut Scene| {
        let told = scene.pass(10.0);
        let ends = told.notifies().into_iter().map(state);
        let stays = ends.filter(|it| it.starts_with("terminated")).count() == 0;
        stays && asked(scene, CARLA).is_none()
    };
    // Two contacts, an application's source, two publications.
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0), (QUIET, 1000.0)]);
    assert!(stays(&mut scene));
    scene.source(BOB, "car", "driving", None);
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    assert!(stays(&mut scene));
    let first = scene.published(BOB, "desk", "here");
    scene.published(BOB, "pocket", "there");
    scene.settle();
    scene.agent.remove_source(scene.now, BOB, "car").unwrap();
    assert!(stays(&mut scene));
    assert_eq!(scene.live(), 4);
    // One publication and what lasts do not count: it is the device's own, and what is beneath.
    let lasting = document_of(BOB, "rest", "always");
    scene.agent.set_presence(scene.now, BOB, lasting).unwrap();
    let remove = Message::publish(BOB, &scene.call(), "")
        .without("Content-Type")
        .with("SIP-If-Match", &first)
        .with("Expires", "0");
    assert_eq!(scene.send(&remove).status(), 200);
    scene.pass(10.0);
    assert_eq!(scene.live(), 0);
    assert_eq!(asked(&mut scene, CARLA).as_deref(), Some(DEVICE));
    scene.close();
}

// SRV-20, SRV-26
#[test]
fn removing_a_source_of_the_applications_sends_watchers_on_their_way() {
    let mut scene = scene();
    scene.source(BOB, "car", "driving", Some(30.0));
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    scene.watch(ANA, BOB);
    let told = scene.pass(29.0);
    assert!(told.notifies().is_empty());
    let told = scene.pass(5.0);
    assert_eq!(times(&departures(&told)), [30.0]);
    // So it is when the application takes it back.
    scene.register(BOB, &[]);
    scene.source(BOB, "car", "driving", None);
    scene.watch(ANA, BOB);
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    assert!(departures(&scene.pass(10.0)).is_empty());
    scene.agent.remove_source(scene.now, BOB, "car").unwrap();
    assert_eq!(departures(&scene.settle()).len(), 1);
    scene.close();
}

// SRV-23, SRV-25
#[test]
fn a_contact_that_says_nothing_is_tried_where_the_settings_say_so() {
    let mut scene = Scene::with(|config| config.migration = Migration::ToDeclared);
    scene.register(BOB, &[(QUIET, 1000.0)]);
    assert_eq!(asked(&mut scene, ANA), None);
    scene.close();
    let mut scene = Scene::with(|config| config.migration = Migration::ToAny);
    scene.register(BOB, &[(QUIET, 1000.0)]);
    assert_eq!(
        asked(&mut scene, ANA).as_deref(),
        Some("sip:bob@192.0.2.20")
    );
    for denies in DENIES {
        scene.register(BOB, &[(denies, 1000.0)]);
        assert_eq!(asked(&mut scene, ANA), None, "{denies}");
    }
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    assert_eq!(asked(&mut scene, ANA).as_deref(), Some(DEVICE));
    scene.close();
    let mut scene = Scene::new();
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    assert_eq!(asked(&mut scene, ANA), None);
    scene.close();
}

// SRV-20, SRV-27
#[test]
fn those_whose_turn_has_not_come_stay_when_the_device_goes() {
    let mut scene = scene();
    for number in 0..10 {
        scene.watch(&format!("sip:w{number}@example.net"), BOB);
    }
    // It runs out after two seconds.
    scene.register(BOB, &[(AGENT_AT_HAND, 2.2)]);
    assert_eq!(departures(&scene.pass(30.0)).len(), 5);
    assert_eq!(scene.live(), 5);
    assert_eq!(asked(&mut scene, ANA), None);
    // It comes back, and is no agent in the middle of it.
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    scene.pass(0.7);
    assert_eq!(scene.live(), 4);
    report(&mut scene, DEVICE, Some(489));
    scene.pass(30.0);
    assert_eq!(scene.live(), 4);
    assert_eq!(scene.agent.occupancy().outputs, 0);
    scene.close();
}

// SRV-27
#[test]
fn a_host_that_was_late_does_not_send_all_away_at_once() {
    let mut scene = scene();
    for number in 0..20 {
        scene.watch(&format!("sip:w{number}@example.net"), BOB);
    }
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    assert_eq!(departures(&scene.settle()).len(), 1);
    scene.now = scene.now + Duration::from_secs(60);
    let gone = departures(&scene.pass(0.9));
    assert_eq!(times(&gone), [60.0, 60.5]);
    // Half a second is made up for.
    scene.now = scene.now + Duration::from_millis(700);
    assert_eq!(departures(&scene.settle()).len(), 2);
    scene.close();
}

// SRV-27
#[test]
fn watchers_of_several_presentities_take_turns() {
    let mut scene = Scene::with(|config| {
        declared(config);
        config.departures_per_second = 0;
    });
    for number in 0..3 {
        let watcher = format!("sip:w{number}@example.net");
        scene.watch(&watcher, BOB);
        scene.watch(&watcher, CARLA);
    }
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    scene.register(
        CARLA,
        &[(
            "<sip:carla@192.0.2.3>;methods=\"SUBSCRIBE\";events=\"presence\"",
            1000.0,
        )],
    );
    // Said again and again, which begins nothing anew.
    for _ in 0..10 {
        scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    }
    // None in a second counts as one.
    assert_eq!(times(&departures(&scene.settle())), [0.0]);
    assert_eq!(scene.agent.occupancy().outputs, 5, "each waits once");
    let told = scene.pass(30.0);
    assert_eq!(times(&departures(&told)), [1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(scene.live(), 0);
    scene.close();
}

// SRV-20
#[test]
fn draining_spreads_departures_and_turns_newcomers_away() {
    let mut scene = Scene::new();
    for number in 0..10 {
        scene.watch(&format!("sip:w{number}@example.net"), BOB);
    }
    let mut last = scene.watch(ANA, CARLA);
    let tag = scene.published(BOB, "desk", "here");
    scene.pass(10.0);
    let over = Duration::from_secs(110);
    assert_eq!(scene.agent.drain(scene.now, over, None, 17), Ok(11));
    let told = scene.pass(65.0);
    assert_eq!(told.times(), [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0]);
    for notify in told.notifies() {
        assert_eq!(state(notify), "terminated;reason=deactivated");
    }
    for expires in ["600", "0"] {
        let message = scene.subscribe(DORA, BOB).with("Expires", expires);
        let told = scene.send(&message);
        assert_eq!(told.status(), 503);
        assert_eq!(response_field(told.response(), "Retry-After"), Some("17"));
    }
    // Refreshes and publications are taken.
    let refresh = last.refresh();
    assert_eq!(scene.send(&refresh).status(), 200);
    let publish = scene
        .publish(BOB, "desk", "there")
        .with("SIP-If-Match", &tag);
    assert_eq!(scene.send(&publish).status(), 200);
    // Enough.
    assert!(scene.agent.stop_draining());
    assert!(!scene.agent.stop_draining());
    scene.pass(100.0);
    assert_eq!(scene.live(), 4);
    assert_eq!(asked(&mut scene, DORA), None);
    scene.close();
}

// SRV-20, SRV-21
#[test]
fn draining_may_send_everybody_to_another_server() {
    let mut scene = Scene::with(declared);
    let target = "sip:presence2.example.com;transport=tcp";
    for bad in ["", "tel:+1", "pres:bob@example.com", "x y"] {
        let refused = scene.agent.drain(scene.now, Duration::ZERO, Some(bad), 1);
        assert!(refused.is_err(), "{bad}");
    }
    assert_eq!(asked(&mut scene, ANA), None);
    scene.register(BOB, &[(QUIET, 1000.0)]);
    let count = scene
        .agent
        .drain(scene.now, Duration::ZERO, Some(target), 1);
    assert_eq!(count, Ok(1));
    let told = scene.settle();
    let ends = told.notifies().into_iter().map(state);
    assert!(ends.last().unwrap().starts_with("terminated"));
    assert_eq!(scene.live(), 0);
    let message = scene.subscribe(ANA, BOB);
    let told = scene.send(&message);
    // The other one is asked for the same presentity.
    assert_eq!(&*told.forwards()[0].target, target);
    assert!(told.forwards()[0].keeps_uri);
    // Even for whom there is a device.
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    assert_eq!(asked(&mut scene, ANA).as_deref(), Some(target));
    // What the other one says is for the watcher to hear, while it is so.
    assert_eq!(report(&mut scene, target, Some(503)), Forwarded::PassOn);
    assert_eq!(report(&mut scene, target, None), Forwarded::PassOn);
    assert!(scene.agent.stop_draining());
    assert_eq!(report(&mut scene, target, Some(503)), Forwarded::ServeHere);
    assert_eq!(asked(&mut scene, ANA).as_deref(), Some(DEVICE));
    // Twice: the second time counts.
    for over in [1000, 10] {
        let over = Duration::from_secs(over);
        scene.agent.drain(scene.now, over, None, 1).unwrap();
    }
    scene.pass(20.0);
    assert_eq!(scene.live(), 0);
    scene.close();
}

// SRV-20
#[test]
fn a_successor_that_is_a_registered_contact_as_well_is_not_asked_for_ever() {
    let mut scene = Scene::with(declared);
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    let drained = (scene.agent).drain(scene.now, Duration::ZERO, Some(DEVICE), 1);
    assert_eq!(drained, Ok(0));
    for status in [405, 489, 503] {
        assert_eq!(asked(&mut scene, ANA).as_deref(), Some(DEVICE));
        assert_eq!(report(&mut scene, DEVICE, Some(status)), Forwarded::PassOn);
    }
    assert!(scene.agent.stop_draining());
    scene.close();
}

// SRV-20
#[test]
fn who_comes_without_a_dialog_while_an_agent_is_emptied_leaves_too() {
    let mut scene = Scene::new();
    let over = Duration::from_secs(10);
    assert_eq!(scene.agent.drain(scene.now, over, None, 1), Ok(0));
    let anna = Identity::of(ANA, Assurance::Digest).unwrap();
    let direct = DirectRequest::fetch(ANA, BOB, &anna).with_subscription("7", 600);
    let taken = scene.agent.handle_direct(scene.now, &direct);
    assert!(taken.is_ok(), "{taken:?}");
    assert_eq!(scene.live(), 1);
    scene.pass(15.0);
    assert_eq!(scene.live(), 0);
    assert!(scene.agent.stop_draining());
    scene.close();
}

// SRV-20
#[test]
fn draining_over_any_time_ends() {
    for over in [Duration::MAX, Duration::from_nanos(1), Duration::ZERO] {
        let mut scene = Scene::new();
        assert_eq!(scene.agent.drain(scene.now, over, None, u32::MAX), Ok(0));
        assert_eq!(scene.agent.poll_timeout(), None);
        scene.agent.stop_draining();
        for number in 0..200 {
            scene.watch(&format!("sip:w{number}@example.net"), BOB);
        }
        assert_eq!(scene.agent.drain(scene.now, over, None, 0), Ok(200));
        scene.pass(1.0);
        let left = if over == Duration::MAX { 199 } else { 0 };
        assert_eq!(scene.live(), left);
        scene.close();
    }
}

// SRV-20
#[test]
fn forwards_that_nobody_takes_are_bounded() {
    let mut scene = Scene::with(|config| {
        declared(config);
        config.server.limits.outputs = 8;
        config.server.retry_after = 3;
    });
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    let ana = Identity::of(ANA, Assurance::Digest).unwrap();
    let context = RequestContext::new(&ana, AGENT);
    let mut refused = 0;
    for number in 0..20 {
        let message = scene.subscribe(ANA, BOB);
        let transaction = ServerTransaction(1_000 + number);
        let now = scene.now;
        let outcome = scene
            .agent
            .handle_request(now, transaction, &message.view(), &context);
        match outcome {
            Ok(()) => {}
            Err(Backlog { retry_after }) => {
                assert_eq!(retry_after, 3);
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 12);
    let told = scene.take();
    let transactions: Vec<u64> = told.forwards().iter().map(|it| it.transaction.0).collect();
    assert_eq!(transactions, (1_000..1_008).collect::<Vec<_>>());
    assert_eq!(asked(&mut scene, ANA).as_deref(), Some(DEVICE));
    scene.close();
}

// SRV-22
#[test]
fn what_names_nobody_or_nothing_changes_nothing() {
    let mut scene = scene();
    let now = scene.now;
    for nonsense in ["", "tel:+1", "sip:"] {
        let refused = scene.agent.report_forwarded(now, nonsense, DEVICE, None);
        assert!(refused.is_err());
    }
    // Nobody has been forwarded there; nothing is remembered.
    assert_eq!(report(&mut scene, DEVICE, Some(405)), Forwarded::ServeHere);
    assert_eq!(report(&mut scene, "nonsense", None), Forwarded::ServeHere);
    assert_eq!(scene.agent.occupancy(), Default::default());
    assert!(!scene.agent.stop_draining());
    scene.register(BOB, &[(AGENT_AT_HAND, 1000.0)]);
    assert_eq!(asked(&mut scene, ANA).as_deref(), Some(DEVICE));
    let watch = shown(&scene.watch(ANA, CARLA).notify);
    assert!(watch.is_empty());
    scene.close();
}

// SRV-22, PA-76
#[test]
fn who_was_on_the_way_to_a_device_before_an_agent_was_emptied_goes_there_after() {
    let mut scene = Scene::with(|config| config.migration = Migration::ToDeclared);
    scene.watch(ANA, BOB);
    scene.watch(CARLA, BOB);
    let over = Duration::from_secs(1_000);
    assert_eq!(scene.agent.drain(scene.now, over, None, 30), Ok(2));
    assert_eq!(scene.pass(1.0).notifies().len(), 1);
    let device = "<sip:bob@192.0.2.10>;methods=\"SUBSCRIBE\";events=\"presence\"";
    scene.register(BOB, &[(device, 3_600.0)]);
    assert!(scene.agent.stop_draining());
    let told = scene.pass(1.0);
    let last = told.notifies().pop().unwrap();
    assert_eq!(state(last), "terminated;reason=deactivated");
    assert_eq!(scene.live(), 0);
    scene.close();
}
