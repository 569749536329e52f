//! The agent serves watcher information: who may know learns who watches, and answers.

use std::time::Duration;

use presentity::event::{Decision, Identity, View};
use presentity::presence::RoleTaken;
use presentity::rules::{Rule, Ruleset};
use presentity::sip::OutgoingRequest;
use presentity::winfo::{
    WatcherEntry, WatcherEvent, WatcherInfo, WatcherInfoConfig, WatcherStatus,
};

use super::scene::{ANA, BOB, CARLA, Scene, Told, Watch};
use crate::common::{Message, body_of, field, response_field, seeded, state_of};

fn config() -> WatcherInfoConfig {
    let mut config = WatcherInfoConfig::default();
    config.server.role = 20;
    config
}

/// Whoever is not known waits for a word; watcher information is served.
fn asking() -> Scene {
    let mut scene = Scene::new();
    scene.house().everybody = Decision::Pending.into();
    scene.agent.serve_watcher_info(config(), seeded(9)).unwrap();
    scene
}

fn of_info(message: Message) -> Message {
    let message = message.with("Event", "presence.winfo");
    message.with("Accept", "application/watcherinfo+xml")
}

fn info_of(notify: &OutgoingRequest) -> WatcherInfo {
    WatcherInfo::read(body_of(notify).as_bytes()).unwrap()
}

/// The watchers of the only list: URI, status, event.
fn rows(notify: &OutgoingRequest) -> Vec<(String, WatcherStatus, WatcherEvent)> {
    let info = info_of(notify);
    let lists = info.lists.iter().flat_map(|list| &list.watchers);
    let row = |it: &WatcherEntry| (it.uri.clone(), it.status, it.event);
    lists.map(row).collect()
}

/// The NOTIFYs with watcher information.
fn infos(told: &Told) -> Vec<&OutgoingRequest> {
    let mut all = told.notifies();
    all.retain(|it| field(it, "Event") == Some("presence.winfo"));
    all
}

#[track_caller]
fn follow(scene: &mut Scene, from: &str, uri: &str) -> (Watch, OutgoingRequest) {
    let message = of_info(scene.subscribe(from, uri));
    let told = scene.send(&message);
    assert_eq!(told.status(), 200, "{told:?}");
    let watch = Watch {
        tag: told.response().to_tag().unwrap().to_owned(),
        message,
        cseq: 1,
        notify: told.notify().clone(),
    };
    let notify = watch.notify.clone();
    (watch, notify)
}

fn end(scene: &mut Scene) {
    let gone = presentity::event::Termination::new(presentity::event::Reason::NoResource);
    let now = scene.now;
    scene
        .agent
        .watcher_info_mut()
        .unwrap()
        .terminate_all(now, gone);
    scene.settle();
}

// SRV-12, SRV-60, SRV-61, SRV-68, SEC-35
#[test]
fn a_presentity_sees_who_asks_and_answers() {
    let mut scene = asking();
    let (_, first) = follow(&mut scene, ANA, ANA);
    let info = info_of(&first);
    assert_eq!((info.version, info.is_full), (0, true));
    assert_eq!(rows(&first), []);
    scene.pass(60.0);

    let message = scene.subscribe(BOB, ANA);
    let told = scene.send(&message);
    let asked = infos(&told);
    assert_eq!(asked.len(), 1, "{told:?}");
    assert_eq!(
        rows(asked[0]),
        [(BOB.into(), WatcherStatus::Pending, WatcherEvent::Subscribe)]
    );
    let info = info_of(asked[0]);
    assert_eq!((info.version, info.is_full), (1, false));

    let allowed = Decision::Allow(View::full());
    let decided = scene.agent.decide_watcher(scene.now, BOB, ANA, &allowed);
    assert_eq!(decided, Ok(1));
    let told = scene.pass(10.0);
    let states: Vec<&str> = told.notifies().into_iter().map(state_of).collect();
    assert_eq!(
        states.len(),
        2,
        "one to the watcher, one to the presentity: {told:?}"
    );
    assert_eq!(
        rows(infos(&told)[0]),
        [(BOB.into(), WatcherStatus::Active, WatcherEvent::Approved)]
    );
    end(&mut scene);
    scene.close();
}

// SRV-63, SRV-72, SRV-74, SEC-35
#[test]
fn others_learn_about_themselves_alone_and_nobody_nothing() {
    let mut scene = asking();
    scene.house().everybody = Decision::PoliteBlock.into();
    scene.watch(BOB, ANA);
    scene.watch(CARLA, ANA);
    let (_, notify) = follow(&mut scene, BOB, ANA);
    // That it is blocked is what it must not learn.
    assert_eq!(
        rows(&notify),
        [(BOB.into(), WatcherStatus::Active, WatcherEvent::Subscribe)]
    );
    let deeper = scene
        .subscribe(BOB, ANA)
        .with("Event", "presence.winfo.winfo");
    let deeper = deeper.with("Accept", "application/watcherinfo+xml");
    assert_eq!(scene.send(&deeper).status(), 403);
    let own = scene
        .subscribe(ANA, ANA)
        .with("Event", "presence.winfo.winfo");
    let told = scene.send(&own.with("Accept", "application/watcherinfo+xml"));
    assert_eq!(
        rows(told.notify()),
        [(BOB.into(), WatcherStatus::Active, WatcherEvent::Subscribe)]
    );
    let nobody = of_info(scene.subscribe(BOB, ANA));
    assert_eq!(scene.send_as(&nobody, &Identity::nobody()).status(), 401);
    end(&mut scene);
    scene.close();
}

// SRV-64, SRV-65
#[test]
fn who_has_run_out_undecided_is_still_to_be_seen_until_somebody_decides() {
    let mut scene = asking();
    let message = scene.subscribe(BOB, ANA).with("Expires", "60");
    assert_eq!(scene.send(&message).status(), 200);
    let fetch = scene.subscribe(CARLA, ANA).with("Expires", "0");
    assert_eq!(scene.send(&fetch).status(), 200);
    scene.pass(100.0);
    assert_eq!(scene.live(), 0);
    let (_, notify) = follow(&mut scene, ANA, ANA);
    let waiting = |who: &str| {
        (
            who.to_owned(),
            WatcherStatus::Waiting,
            WatcherEvent::Timeout,
        )
    };
    let mut seen = rows(&notify);
    seen.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(seen, [waiting(BOB), waiting(CARLA)]);
    scene.pass(10.0);

    // One is decided by name, the other by rules.
    let refused = Decision::Reject(presentity::event::Rejection::Forbidden);
    let decided = scene.agent.decide_watcher(scene.now, BOB, ANA, &refused);
    assert_eq!(decided, Ok(1));
    let rules = Ruleset::new().with_rule(Rule::new("c").for_one(CARLA).allow().with_everything());
    scene.set_rules(ANA, rules);
    let told = scene.pass(10.0);
    let mut seen: Vec<_> = infos(&told).into_iter().flat_map(rows).collect();
    seen.sort_by(|one, other| one.0.cmp(&other.0));
    let over = |who: &str, event| (who.to_owned(), WatcherStatus::Terminated, event);
    assert_eq!(
        seen,
        [
            over(BOB, WatcherEvent::Rejected),
            over(CARLA, WatcherEvent::Approved)
        ]
    );
    assert_eq!(scene.agent.watcher_info().unwrap().undecided(1).count(), 0);
    end(&mut scene);
    scene.close();
}

// SRV-66
#[test]
fn who_waits_for_too_long_is_given_up() {
    let mut scene = Scene::new();
    scene.house().everybody = Decision::Pending.into();
    let mut config = config();
    config.give_up_after = std::time::Duration::from_secs(600);
    scene.agent.serve_watcher_info(config, seeded(9)).unwrap();
    scene.watch(BOB, ANA);
    let told = scene.pass(700.0);
    assert_eq!(state_of(told.notify()), "terminated;reason=giveup");
    assert_eq!(scene.live(), 0);
    scene.close();
}

#[test]
fn an_agent_with_watcher_information_says_so_and_names_presentities_alike() {
    let mut scene = asking();
    let told = scene.send(&Message::new("SUBSCRIBE", BOB, ANA, "odd").with("Event", "dialog"));
    assert_eq!(told.status(), 489);
    let known = response_field(told.response(), "Allow-Events").unwrap();
    assert_eq!(known, "presence, presence.winfo, presence.winfo.winfo");
    // A domain that is not served has no watchers either.
    let mut elsewhere = Scene::with(|config| config.domains = vec!["example.com".into()]);
    let agent = &mut elsewhere.agent;
    agent.serve_watcher_info(config(), seeded(9)).unwrap();
    let message = of_info(elsewhere.subscribe(ANA, "sip:ana@example.net"));
    assert_eq!(elsewhere.send(&message).status(), 404);
    elsewhere.close();
    scene.close();
}

#[test]
fn numbers_of_roles_are_kept_apart() {
    let mut scene = Scene::new();
    let mut clashing = config();
    clashing.server.role = 0;
    let served = scene.agent.serve_watcher_info(clashing.clone(), seeded(9));
    assert_eq!(served, Err(RoleTaken));
    // The second level would have the agent's.
    clashing.server.role = 255;
    let served = scene.agent.serve_watcher_info(clashing, seeded(9));
    assert_eq!(served, Err(RoleTaken));
    assert!(scene.agent.watcher_info().is_none());
    scene.close();
}

// PA-76
#[test]
fn an_agent_that_is_emptied_serves_no_watcher_information() {
    let mut scene = asking();
    scene.house().everybody = Decision::Allow(View::full()).into();
    let message = of_info(scene.subscribe(ANA, ANA));
    assert_eq!(scene.send(&message).status(), 200);
    scene.watch(BOB, CARLA);
    let over = Duration::from_secs(10);
    assert_eq!(scene.agent.drain(scene.now, over, None, 30), Ok(2));
    let told = scene.pass(11.0);
    let states: Vec<_> = told.notifies().into_iter().map(state_of).collect();
    assert_eq!(states, ["terminated;reason=deactivated"; 2]);
    let events = told.notifies().into_iter();
    let events: Vec<_> = events
        .map(|it| it.fields().find(|it| it.0 == "Event").unwrap().1)
        .collect();
    assert_eq!(events, ["presence.winfo", "presence"]);
    let message = of_info(scene.subscribe(ANA, ANA));
    assert_eq!(scene.send(&message).status(), 503);
    assert!(scene.agent.stop_draining());
    let message = of_info(scene.subscribe(ANA, ANA)).with("Expires", "0");
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}
