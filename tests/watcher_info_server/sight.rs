//! Who may see what.

use presentity::event::{
    Assurance, Authorization, Decision, Identity, RefusalReason, Rejection, SubscribeQuery, View,
};
use presentity::winfo::{InfoPolicy, own_entries};

use crate::common::{body_of, state_of};
use crate::scene::{ROSA, allow, read, scene, with};

// SRV-62, SRV-72
#[test]
fn nobody_has_to_say_who_it_is() {
    let mut scene = scene();
    scene.role.doors.package_mut().others = allow();
    for event in ["doors.winfo", "doors.winfo.winfo"] {
        let message = scene.message("rosa", event, 600);
        let outputs = scene.send_as(&message, &Identity::nobody());
        assert_eq!(outputs.status(), 401);
        assert!(outputs.requests().is_empty());
    }
    let counters = scene.role.info.counters(1).unwrap();
    assert_eq!(counters.refused(RefusalReason::Challenged), 1);
    // And one that nobody made is shown to nobody, nor kept.
    let message = scene.message("ghost", "doors", 600);
    let outputs = scene.send_as(&message, &Identity::nobody());
    scene.answer(outputs);
    let (_, document) = scene.rosa_watches();
    assert_eq!(document.lines(), [""; 0]);
    let message = scene.message("ghost", "doors", 600);
    scene.role.doors.package_mut().others = Decision::Pending;
    let outputs = scene.send_as(&message, &Identity::nobody());
    scene.answer(outputs);
    assert!(scene.news().is_empty());
    assert_eq!(scene.role.info.undecided(1).count(), 0);
    assert_eq!(scene.role.info.own_counters().left_out, 2);
}

// SRV-63, SEC-35
#[test]
fn users_see_all_and_others_themselves() {
    let mut scene = scene();
    scene.decide("ben", allow());
    scene.knocks("ben");
    scene.knocks("cleo");
    let (_, all) = scene.rosa_watches();
    assert_eq!(all.entries.len(), 2);
    let (mut held, own) = scene.watches("cleo");
    assert_eq!(own.lines(), ["cleo pending subscribe"]);
    // Though the doors are open to him, he sees no more.
    let (_, own) = scene.watches("ben");
    assert_eq!(own.lines(), ["ben active subscribe"]);
    let (_, none) = scene.watches("stranger");
    assert!(none.is_full());
    assert_eq!(none.lines(), [""; 0]);

    // A change of one is told to two.
    scene.decide("cleo", allow());
    let news = scene.news();
    assert_eq!(news.len(), 2);
    assert_eq!(news[0], news[1]);
    assert_eq!(news[0].lines(), ["cleo active approved"]);
    scene.knocks("stranger");
    let news = scene.news();
    assert_eq!(news.len(), 2);
    assert_eq!(news[1].lines(), ["stranger pending subscribe"]);
    assert_eq!(
        scene.looks_again(&mut held, 600).lines(),
        ["cleo active approved"]
    );
    assert_eq!(scene.fetches("ben").lines(), ["ben active subscribe"]);
}

// SRV-63
#[test]
fn for_one_who_sees_itself_no_other_is_kept() {
    let mut scene = scene();
    scene.role.doors.package_mut().others = allow();
    for number in 0..20 {
        scene.knocks(&format!("w{number}"));
    }
    let (mut held, own) = scene.watches("w7");
    assert_eq!(own.lines(), ["w7 active subscribe"]);
    scene.knocks("w7");
    assert_eq!(scene.one().lines(), ["w7 active subscribe"]);
    scene.knocks("w8");
    assert!(scene.news().is_empty());
    // When everybody is seen all are there, and stay right for the one.
    let (mut all, document) = scene.rosa_watches();
    assert_eq!(document.entries.len(), 22);
    scene.again(&mut all, 0);
    scene.end("w7", presentity::event::Reason::Deactivated);
    scene.end("w8", presentity::event::Reason::Deactivated);
    let ends = ["w7 terminated deactivated", "w7 terminated deactivated"];
    scene.role.sent.clear();
    assert_eq!(scene.one().lines(), ends);
    scene.again(&mut held, 0);
    assert_eq!(scene.role.info.occupancy(1), Some(Default::default()));
}

// SRV-63
#[test]
fn one_who_looks_away_takes_nothing_from_others() {
    let mut scene = scene();
    scene.role.doors.package_mut().others = allow();
    scene.knocks("ben");
    let (mut held, _) = scene.watches("ben");
    scene.rosa_watches();
    scene.again(&mut held, 0);
    scene.role.sent.clear();
    scene.end("ben", presentity::event::Reason::Deactivated);
    assert_eq!(scene.one().lines(), ["ben terminated deactivated"]);
}

// SRV-63
#[test]
fn only_users_see_who_watches_their_watchers() {
    let mut scene = scene();
    scene.role.doors.package_mut().others = allow();
    let message = scene.message("ben", "doors.winfo.winfo", 600);
    assert_eq!(scene.send(&message).status(), 403);
    let message = scene.message("rosa", "doors.winfo.winfo", 600);
    assert_eq!(scene.send(&message).status(), 200);
    let message = scene.message("rosa", "doors.winfo.winfo.winfo", 600);
    assert_eq!(scene.send(&message).status(), 489);
}

// SRV-63
#[test]
fn users_are_known_by_each_of_their_names() {
    let mut scene = scene();
    scene.knocks("ben");
    let identity = Identity::of("sip:r.rose@example.com", Assurance::Digest).unwrap();
    let identity = identity
        .and("sip:rosa@example.com", Assurance::Asserted)
        .unwrap();
    let message = scene.message("rosa", "doors.winfo", 600);
    let outputs = scene.send_as(&message, &identity);
    assert_eq!(read(body_of(outputs.notify())).entries.len(), 1);
    // By somebody else's dialog nothing is to be had.
    let tag = outputs.response().to_tag().unwrap().to_owned();
    let message = message
        .with("From", "<sip:rosa@example.com>;tag=tag-c2")
        .in_dialog(&tag, 2);
    let other = Identity::of("sip:eve@example.com", Assurance::Digest).unwrap();
    assert_eq!(scene.send_as(&message, &other).status(), 403);
}

/// A guard who wants to be asked.
#[derive(Debug, Clone)]
struct Guard;

impl InfoPolicy for Guard {
    fn subscribe(&mut self, level: u8, query: &SubscribeQuery<'_>) -> Authorization {
        match (level, query.watcher()) {
            (1, Some("lord@example.com")) => Decision::Allow(View::full()),
            (1, Some("block@example.com")) => Decision::PoliteBlock,
            (1, Some(_)) => Decision::Pending,
            _ => Decision::Reject(Rejection::Forbidden),
        }
        .into()
    }
}

#[test]
fn another_policy_may_ask_first_and_show_more_or_less_later() {
    let mut scene = with(Guard, |_| ());
    scene.knocks("ben");
    scene.knocks("cleo");
    let (_, document) = scene.watches("lord");
    assert_eq!(document.entries.len(), 2);
    let message = scene.message("ben", "doors.winfo", 600);
    let outputs = scene.send(&message);
    assert!(state_of(outputs.notify()).starts_with("pending"));
    assert_eq!(read(body_of(outputs.notify())).entries.len(), 0);
    scene.answer(outputs);
    let (_, hidden) = scene.watches("block");
    assert_eq!(hidden.entries.len(), 0);
    scene.knocks("dan");
    assert_eq!(scene.news().len(), 1, "the lord's alone");
    let show = |scene: &mut super::scene::Scene<Guard>, view: View| {
        let (now, ben) = (scene.now, "ben@example.com");
        let decision = Decision::Allow(view);
        let info = &mut scene.role.info;
        assert_eq!(info.decide_watcher(now, 1, ben, ROSA, &decision), 1);
        scene.one()
    };
    let own = show(&mut scene, own_entries());
    assert!(own.is_full());
    assert_eq!(own.lines(), ["ben pending subscribe"]);
    assert_eq!(show(&mut scene, View::full()).entries.len(), 3);
    let own = show(&mut scene, View::named("whatever"));
    assert_eq!(own.lines(), ["ben pending subscribe"]);
    assert_eq!(own.version, 3);
}
