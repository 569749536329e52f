//! NOTIFYs that are lost, refused, challenged, too many, or to those who have moved.

use presentity::engine::FlowId;
use presentity::event::{Assurance, Failure, Identity, Output, Reason, RequestContext};

use crate::common::{body_of, state_of};
use crate::scene::{ROSA, allow, read, scene, scene_with};

// SRV-68, SRV-70
#[test]
fn after_one_that_was_refused_comes_everything() {
    let mut scene = scene();
    let (_, first) = scene.rosa_watches();
    assert_eq!(first.version, 0);
    scene.knocks("ben");
    scene.news();
    scene.decide("ben", allow());
    let outputs = scene.drain();
    let notify = outputs.requests().pop().unwrap().clone();
    scene.driver_answer(outputs.requests()[0], 200);
    let partial = read(body_of(&notify));
    assert_eq!((partial.version, partial.is_full()), (2, false));
    scene.driver_answer(&notify, 500);
    scene.after(60.0);
    scene.role.sent.clear();
    scene.knocks("cleo");
    let news = scene.one();
    assert!(news.is_full());
    assert_eq!(news.version, 3);
    assert_eq!(
        news.lines(),
        ["ben active approved", "cleo pending subscribe"]
    );
    scene.knocks("dan");
    assert!(!scene.one().is_full());
}

// SRV-68, SRV-70
#[test]
fn a_challenged_one_comes_again_with_everything() {
    let mut scene = scene();
    scene.knocks("ben");
    scene.rosa_watches();
    scene.decide("ben", allow());
    let outputs = scene.drain();
    let notify = outputs.requests().pop().unwrap().clone();
    let challenge = [(
        "WWW-Authenticate",
        "Digest realm=\"example.com\", nonce=\"n\"",
    )];
    let outputs = scene.answer_with(&notify, 401, &challenge);
    let [Output::NeedCredentials(need)] = &outputs.all[..] else {
        panic!("{outputs:?}");
    };
    scene.role.sent.clear();
    let (now, transaction) = (scene.now, need.transaction());
    let info = &mut scene.role.info;
    assert!(!info.provide_credentials(now, transaction, "a\r\nb"));
    assert!(info.provide_credentials(now, transaction, "Digest username=\"x\""));
    let news = scene.one();
    assert_eq!((news.version, news.is_full()), (2, true));
    assert_eq!(news.lines(), ["ben active approved"]);

    scene.knocks("cleo");
    let notify = scene.role.sent.pop();
    assert!(notify.is_none_or(|(_, it)| body_of(&it).contains("cleo")));
    let info = &mut scene.role.info;
    assert!(!info.decline_credentials(now, transaction), "it is over");
}

#[test]
fn one_who_does_not_answer_watches_no_more() {
    let mut scene = scene();
    scene.rosa_watches();
    let message = scene.message("ben", "doors", 600);
    let outputs = scene.send(&message);
    let notify = outputs.requests().pop().unwrap();
    let (now, transaction) = (scene.now, notify.transaction());
    let info = &mut scene.role.info;
    assert!(info.owns_transaction(transaction));
    info.handle_failure(now, transaction, Failure::Timeout);
    scene.drain();
    assert_eq!(scene.role.info.subscriptions(1).count(), 0);
    // What waits for a decision is still held, and nothing else.
    let occupancy = scene.role.info.occupancy(1).unwrap();
    assert_eq!((occupancy.resources, occupancy.subscriptions), (1, 0));
    scene.decide("ben", allow());
    scene.drain();
    assert_eq!(scene.role.info.occupancy(1), Some(Default::default()));
    // An outcome of the doors' is none of this server's.
    let other = outputs.requests().remove(0);
    assert!(!scene.role.info.owns_transaction(other.transaction()));
}

// SRV-69
#[test]
fn changes_are_told_once_in_five_seconds() {
    let mut scene = scene();
    scene.rosa_watches();
    scene.knocks("w0");
    assert_eq!(scene.role.sent.len(), 1, "the first at once");
    for number in 1..10 {
        scene.knocks(&format!("w{number}"));
        scene.after(0.4);
    }
    assert_eq!(scene.role.sent.len(), 1);
    scene.role.sent.clear();
    scene.after(1.5);
    let sent = std::mem::take(&mut scene.role.sent);
    assert_eq!(sent.len(), 1);
    assert_eq!(read(body_of(&sent[0].1)).entries.len(), 9);
    // Many changes of one are told as one.
    scene.knocks("x");
    scene.decide("x", allow());
    scene.end("x", Reason::Deactivated);
    assert!(scene.news().is_empty(), "it came and went in between");
    scene.decide("w1", allow());
    assert_eq!(scene.one().lines(), ["w1 active approved"]);
}

// SRV-69
#[test]
fn a_subscribe_does_not_wait_for_the_pace_of_changes() {
    let mut scene = scene();
    let (mut held, _) = scene.rosa_watches();
    scene.knocks("ben");
    scene.knocks("cleo");
    let document = scene.looks_again(&mut held, 3600);
    assert_eq!(document.entries.len(), 2);
    assert!(scene.news().is_empty(), "there is nothing left to tell");
}

#[test]
fn an_end_that_one_has_missed_is_told_by_everything() {
    let mut scene = scene_with(|config| config.terminated_per_resource = 2);
    for number in 0..6 {
        scene.knocks(&format!("w{number}"));
    }
    scene.rosa_watches();
    // Two are remembered, and told as changes.
    scene.end("w0", Reason::Deactivated);
    scene.end("w1", Reason::Deactivated);
    assert_eq!(
        scene
            .news()
            .iter()
            .map(|it| it.entries.len())
            .sum::<usize>(),
        2
    );
    for number in 2..5 {
        scene.end(&format!("w{number}"), Reason::Deactivated);
    }
    let news = scene.news();
    let last = news.last().unwrap();
    assert!(last.is_full(), "{news:#?}");
    assert_eq!(last.lines(), ["w5 pending subscribe"]);
    scene.knocks("w6");
    assert!(!scene.one().is_full());
}

#[test]
fn what_was_told_to_nobody_pushes_out_nothing() {
    let mut scene = scene_with(|config| config.terminated_per_resource = 2);
    scene.role.doors.package_mut().others = allow();
    for number in 0..6 {
        scene.knocks(&format!("w{number}"));
    }
    scene.rosa_watches();
    scene.watches("w5");
    scene.end("w0", Reason::Deactivated);
    scene.news();
    // Fetches come and go between two documents.
    scene.knocks("x");
    scene.end("w1", Reason::Deactivated);
    for _ in 0..10 {
        scene.subscribed("y", "doors", 0);
    }
    let news = scene.news();
    assert!(news.iter().all(|it| !it.is_full()), "{news:#?}");
    assert_eq!(news.last().unwrap().lines(), ["w1 terminated deactivated"]);
    // Nor does what one who sees only itself had no part in.
    for number in 2..5 {
        scene.end(&format!("w{number}"), Reason::Deactivated);
        scene.news();
    }
    scene.knocks("w5");
    let news = scene.news();
    assert_eq!(news.len(), 2);
    assert!(news.iter().all(|it| !it.is_full()), "{news:#?}");
}

#[test]
fn with_a_lost_connection_they_go_to_the_contact() {
    let mut scene = scene();
    let message = scene.message("rosa", "doors.winfo", 600);
    let rosa = Identity::of("sip:rosa@example.com", Assurance::Digest).unwrap();
    let context = RequestContext::new(&rosa, "sip:agent.example.com").with_flow(FlowId(7));
    let outputs = scene.send_with(&message, &context);
    assert_eq!(outputs.notify().flow(), Some(FlowId(7)));
    scene.answer(outputs);
    scene.role.sent.clear();
    scene.flow_lost(FlowId(7));
    scene.knocks("ben");
    let (_, notify) = scene.role.sent.pop().unwrap();
    assert_eq!(notify.flow(), None);
}

#[test]
fn the_end_of_one_who_watches_is_told_without_document() {
    let mut scene = scene();
    scene.knocks("ben");
    let (_, _) = scene.subscribed("rosa", "doors.winfo", 100);
    scene.role.sent.clear();
    scene.after(101.0);
    let (_, notify) = scene.role.sent.pop().unwrap();
    assert_eq!(state_of(&notify), "terminated;reason=timeout");
    assert_eq!(body_of(&notify), "");
    assert!(
        !scene
            .role
            .info
            .subscriptions(1)
            .any(|it| it.resource == ROSA)
    );
}
