//! How a subscription stands, and what makes it so (RFC 3857 section 4.7.1).

use presentity::event::{Decision, Reason, Rejection};

use crate::scene::{ROSA, Scene, allow, scene};

fn reject() -> Decision {
    Decision::Reject(Rejection::Forbidden)
}

/// What Rosa is told next.
fn lines(scene: &mut Scene) -> Vec<String> {
    let news = scene.news();
    assert!(news.iter().all(|it| !it.is_full()));
    news.iter()
        .flat_map(super::scene::Document::lines)
        .collect()
}

// SRV-64, SEC-35
#[test]
fn a_subscription_begins_as_the_policy_has_it() {
    let mut scene = scene();
    scene.rosa_watches();
    scene.knocks("ben");
    assert_eq!(lines(&mut scene), ["ben pending subscribe"]);
    scene.decide("cleo", allow());
    scene.knocks("cleo");
    assert_eq!(lines(&mut scene), ["cleo active subscribe"]);
    scene.decide("dan", reject());
    let message = scene.message("dan", "doors", 600);
    assert_eq!(scene.send(&message).status(), 403);
    assert!(scene.news().is_empty(), "what is refused never was");
}

// SRV-64
#[test]
fn a_decision_goes_both_ways() {
    let mut scene = scene();
    scene.rosa_watches();
    scene.knocks("ben");
    scene.knocks("cleo");
    scene.news();
    scene.decide("ben", allow());
    assert_eq!(lines(&mut scene), ["ben active approved"]);
    scene.decide("cleo", reject());
    assert_eq!(lines(&mut scene), ["cleo terminated rejected"]);
    scene.decide("ben", reject());
    assert_eq!(lines(&mut scene), ["ben terminated rejected"]);
    assert_eq!(scene.role.info.undecided(1).count(), 0);
}

// SRV-81
#[test]
fn a_permission_that_is_taken_back_makes_it_pending_again() {
    let mut scene = scene();
    scene.rosa_watches();
    scene.decide("ben", allow());
    scene.knocks("ben");
    scene.news();
    scene.decide("ben", Decision::Pending);
    assert_eq!(lines(&mut scene), ["ben pending subscribe"]);
    assert_eq!(scene.role.info.undecided(1).count(), 1);
    // Another view of the same is nobody's business.
    scene.decide("ben", allow());
    assert_eq!(lines(&mut scene), ["ben active approved"]);
    scene.decide(
        "ben",
        Decision::Allow(presentity::event::View::named("work")),
    );
    assert!(scene.news().is_empty());
}

// SRV-64
#[test]
fn each_end_has_its_event() {
    for (reason, from_active, from_pending) in [
        (
            Reason::Deactivated,
            "terminated deactivated",
            "terminated deactivated",
        ),
        (
            Reason::Probation,
            "terminated probation",
            "terminated probation",
        ),
        (
            Reason::Rejected,
            "terminated rejected",
            "terminated rejected",
        ),
        (
            Reason::NoResource,
            "terminated noresource",
            "terminated noresource",
        ),
        (Reason::Timeout, "terminated timeout", "waiting timeout"),
        (Reason::Invariant, "terminated timeout", "waiting timeout"),
        // From active there is no giving up.
        (Reason::GiveUp, "terminated timeout", "terminated giveup"),
    ] {
        let mut scene = scene();
        scene.rosa_watches();
        scene.decide("ben", allow());
        scene.knocks("ben");
        scene.knocks("cleo");
        scene.news();
        scene.end("ben", reason);
        scene.end("cleo", reason);
        let expected = [format!("ben {from_active}"), format!("cleo {from_pending}")];
        assert_eq!(lines(&mut scene), expected, "{reason}");
        let waits = usize::from(from_pending == "waiting timeout");
        assert_eq!(scene.role.info.undecided(1).count(), waits);
    }
}

// SRV-64, SRV-65
#[test]
fn what_runs_out_undecided_waits_and_what_was_decided_is_over() {
    let mut scene = scene();
    scene.rosa_watches();
    scene.decide("ben", allow());
    scene.subscribed("ben", "doors", 100);
    scene.subscribed("cleo", "doors", 100);
    scene.news();
    scene.after(100.0);
    assert_eq!(
        lines(&mut scene),
        ["ben terminated timeout", "cleo waiting timeout"]
    );
    // Those who look later see that one was there.
    let document = scene.fetches("rosa");
    assert_eq!(document.lines(), ["cleo waiting timeout"]);
    assert_eq!(document.entries[0].expiration, None);
}

// SRV-65
#[test]
fn it_waits_though_nobody_watches() {
    let mut scene = scene();
    scene.subscribed("cleo", "doors", 100);
    scene.after(200.0);
    assert!(!scene.role.doors.has_watchers(ROSA));
    let waiting: Vec<_> = scene.role.info.undecided(1).collect();
    assert_eq!(&**waiting[0].watcher, "cleo@example.com");
    assert_eq!(&**waiting[0].resource, ROSA);
    assert_eq!(scene.role.info.occupancy(1).unwrap().resources, 1);
    let (_, document) = scene.rosa_watches();
    assert_eq!(document.lines(), ["cleo waiting timeout"]);
}

// SRV-65
#[test]
fn a_fetch_that_nobody_decided_waits_and_one_that_was_allowed_never_was() {
    let mut scene = scene();
    scene.rosa_watches();
    scene.subscribed("cleo", "doors", 0);
    assert_eq!(lines(&mut scene), ["cleo waiting timeout"]);
    assert_eq!(scene.role.info.undecided(1).count(), 1);
}

// SRV-67
#[test]
fn what_lasts_no_time_is_not_told() {
    let mut scene = scene();
    scene.rosa_watches();
    scene.decide("ben", allow());
    scene.subscribed("ben", "doors", 0);
    assert!(scene.news().is_empty());
    // Nor what begins and ends between two documents.
    scene.knocks("ben");
    scene.news();
    scene.knocks("dan");
    let (mut held, _) = scene.subscribed("ben", "doors", 600);
    scene.again(&mut held, 0);
    scene.decide("dan", reject());
    // The first had its document already: it is told how that went on.
    let lines = lines(&mut scene);
    assert_eq!(lines, ["dan pending subscribe", "dan terminated rejected"]);
}

// SRV-65
#[test]
fn a_new_subscription_ends_the_one_that_waits() {
    let mut scene = scene();
    scene.rosa_watches();
    scene.subscribed("cleo", "doors", 0);
    let first = scene.one();
    scene.knocks("cleo");
    let news = scene.one();
    let lines = news.lines();
    assert_eq!(lines, ["cleo pending subscribe", "cleo terminated giveup"]);
    assert_eq!(news.entries[1].id, first.entries[0].id);
    assert_ne!(news.entries[0].id, first.entries[0].id);
    assert_eq!(scene.role.info.undecided(1).count(), 1);
    // Two that run out one after the other leave one that waits.
    scene.subscribed("cleo", "doors", 0);
    scene.after(700.0);
    assert_eq!(scene.fetches("rosa").lines(), ["cleo waiting timeout"]);
    assert_eq!(scene.role.info.undecided(1).count(), 1);
    // One by another watcher is another.
    scene.subscribed("dan", "doors", 0);
    assert_eq!(scene.role.info.undecided(1).count(), 2);
    // And one that is let in is a decision.
    scene.news();
    scene.role.doors.package_mut().others = allow();
    scene.knocks("dan");
    let news = scene.one();
    assert_eq!(
        news.lines(),
        ["dan active subscribe", "dan terminated approved"]
    );
}

// SRV-64, SRV-65
#[test]
fn a_decision_ends_what_waits() {
    let mut scene = scene();
    scene.rosa_watches();
    scene.subscribed("cleo", "doors", 0);
    scene.subscribed("dan", "doors", 0);
    scene.subscribed("eve", "doors", 0);
    scene.news();
    scene.decide("cleo", allow());
    assert_eq!(lines(&mut scene), ["cleo terminated approved"]);
    scene.decide("dan", reject());
    assert_eq!(lines(&mut scene), ["dan terminated rejected"]);
    scene.decide("eve", Decision::Pending);
    assert!(scene.news().is_empty());
    scene.decide("eve", Decision::PoliteBlock);
    assert_eq!(lines(&mut scene), ["eve terminated approved"]);
    assert_eq!(scene.role.info.undecided(1).count(), 0);
    let now = scene.now;
    let again = scene
        .role
        .info
        .decided(now, "eve@example.com", ROSA, &allow());
    assert_eq!(again, 0);
}

// SRV-74
#[test]
fn one_who_is_politely_blocked_looks_like_any_other() {
    let mut scene = scene();
    scene.decide("ben", Decision::PoliteBlock);
    scene.decide("cleo", allow());
    scene.knocks("ben");
    scene.knocks("cleo");
    scene.knocks("dan");
    let (_, document) = scene.rosa_watches();
    let expected = [
        "dan pending subscribe",
        "ben active subscribe",
        "cleo active subscribe",
    ];
    assert_eq!(document.lines(), expected);
    let (_, own) = scene.watches("ben");
    assert_eq!(own.lines(), ["ben active subscribe"]);
    let (_, own) = scene.watches("dan");
    assert_eq!(own.lines(), ["dan pending subscribe"]);
    scene.decide("dan", Decision::PoliteBlock);
    scene.decide("cleo", Decision::PoliteBlock);
    let news = scene.news();
    let lines: Vec<_> = news.iter().map(super::scene::Document::lines).collect();
    // Rosa and Dan are told alike; of Cleo there is nothing to tell.
    assert_eq!(lines, [["dan active approved"], ["dan active approved"]]);
}
