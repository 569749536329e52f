//! Watcher information of watcher information.

use presentity::event::{Authorization, Decision, Reason, SubscribeQuery, Termination, View};
use presentity::winfo::InfoPolicy;

use crate::common::response_field;
use crate::scene::{ROSA, allow, read, scene, scene_with, with};

// SRV-60, SRV-63
#[test]
fn rosa_sees_who_watches_her_watchers() {
    let mut scene = scene();
    scene.decide("ben", allow());
    scene.knocks("ben");
    scene.rosa_watches();
    let (mut above, _) = scene.subscribed("rosa", "doors.winfo.winfo", 3600);
    let (level, notify) = scene.role.sent.pop().unwrap();
    assert_eq!(level, 2);
    assert_eq!(notify.transaction().role(), 5);
    let document = read(crate::common::body_of(&notify));
    assert_eq!(document.package, "doors.winfo");
    assert_eq!(document.lines(), ["rosa active subscribe"]);
    let (mut own, _) = scene.watches("ben");
    let news = scene.one();
    assert_eq!(news.package, "doors.winfo");
    assert_eq!(news.lines(), ["ben active subscribe"]);
    assert_eq!(news.version, 1);
    scene.again(&mut own, 0);
    scene.role.sent.retain(|(level, _)| *level == 2);
    assert_eq!(scene.one().lines(), ["ben terminated timeout"]);
    // What lasts no time is not told here either.
    scene.fetches("ben");
    scene.role.sent.clear();
    assert!(scene.news().is_empty());
    let last = scene.looks_again(&mut above, 0);
    assert_eq!(last.lines(), ["rosa active subscribe"]);
    assert_eq!(scene.role.info.occupancy(2), Some(Default::default()));
}

// SRV-60
#[test]
fn as_many_levels_are_served_as_are_wanted() {
    for levels in [0, 1, 2, 3] {
        let mut scene = scene_with(|config| config.levels = levels);
        let served: Vec<String> = scene.role.info.event_types().map(Into::into).collect();
        assert_eq!(served.len(), usize::from(levels.max(1)));
        for (depth, event) in served.iter().enumerate() {
            assert_eq!(*event, format!("doors{}", ".winfo".repeat(depth + 1)));
            let message = scene.message("rosa", event, 600);
            let view = message.view();
            assert!(scene.role.info.owns(&view));
            let outputs = scene.send(&message);
            assert_eq!(outputs.status(), 200);
            let allowed = response_field(outputs.response(), "Allow-Events").unwrap();
            let mut allowed: Vec<&str> = allowed.split(", ").collect();
            allowed.sort_unstable();
            let mut all = vec!["doors"];
            all.extend(served.iter().map(String::as_str));
            assert_eq!(allowed, all);
        }
        let event = format!("doors{}", ".winfo".repeat(served.len() + 1));
        let message = scene.message("rosa", &event, 600);
        assert!(!scene.role.info.owns(&message.view()));
        assert_eq!(scene.send(&message).status(), 489);
        assert_eq!(scene.role.info.occupancy(levels.max(1) + 1), None);
        assert_eq!(scene.role.info.occupancy(0), None);
    }
}

/// Everybody may look, once somebody has said so.
#[derive(Debug, Clone)]
struct AskFirst;

impl InfoPolicy for AskFirst {
    fn subscribe(&mut self, _: u8, query: &SubscribeQuery<'_>) -> Authorization {
        match query.watcher() {
            Some(ROSA) => Decision::Allow(View::full()).into(),
            _ => Decision::Pending.into(),
        }
    }
}

// SRV-65, SRV-66
#[test]
fn what_waits_at_one_level_is_seen_and_given_up_at_the_next() {
    let mut scene = with(AskFirst, |config| {
        config.undecided_per_watcher = 2;
        config.give_up_after = std::time::Duration::from_secs(1000);
    });
    scene.subscribed("rosa", "doors.winfo.winfo", 3600);
    scene.role.sent.clear();
    scene.subscribed("ben", "doors.winfo", 0);
    let news = scene.news();
    assert_eq!(news[1].lines(), ["ben waiting timeout"]);
    let now = scene.now;
    let decided = scene
        .role
        .info
        .decide_watcher(now, 1, "ben@example.com", ROSA, &allow());
    assert_eq!(decided, 1);
    assert_eq!(scene.one().lines(), ["ben terminated approved"]);

    // One that lives is ended by its own server.
    scene.subscribed("cleo", "doors.winfo", 3600);
    scene.role.sent.clear();
    scene.after(1010.0);
    let sent = std::mem::take(&mut scene.role.sent);
    let states: Vec<&str> = sent
        .iter()
        .map(|(_, it)| crate::common::state_of(it))
        .collect();
    assert_eq!(states[0], "terminated;reason=giveup");
    assert_eq!(sent[1].0, 2);
    let news = read(crate::common::body_of(&sent[1].1));
    assert_eq!(news.lines(), ["cleo terminated giveup"]);
    assert_eq!(scene.role.info.subscriptions(1).count(), 0);
    assert!(scene.role.given_up.is_empty());
    assert_eq!(scene.role.info.own_counters().given_up, 1);
}

#[test]
fn all_levels_can_be_ended() {
    let mut scene = scene();
    scene.rosa_watches();
    scene.subscribed("rosa", "doors.winfo.winfo", 3600);
    let key = scene.role.info.subscriptions(2).next().unwrap().key;
    let (now, end) = (scene.now, Termination::new(Reason::Deactivated));
    let info = &mut scene.role.info;
    assert!(info.terminate(now, 3, key, end).is_err());
    assert!(info.terminate(now, 2, key, end).is_ok());
    assert!(info.terminate(now, 2, key, end).is_err());
    assert_eq!(info.terminate_all(now, end), 1);
    scene.after(1.0);
    for level in [1, 2] {
        assert_eq!(scene.role.info.occupancy(level), Some(Default::default()));
    }
}
