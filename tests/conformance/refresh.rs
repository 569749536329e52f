//! SUBSCRIBE in a dialog: refreshes, ends, what does not belong there.

use core::time::Duration;

use presentity::engine::FlowId;
use presentity::event::{
    Assurance, Decision, EndReason, Identity, NotifyResult, Rejection, RequestContext,
};

use crate::common::{field, response_field, state_of};
use crate::scene::{AGENT, ANA, BOB, Scene, at, end_of, notes, story};

// PA-52
#[test]
fn a_refresh_restarts_the_duration() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    scene.pass(500.0);
    let outputs = scene.send(&watch.refresh());
    assert_eq!(response_field(outputs.response(), "Expires"), Some("600"));
    assert_eq!(state_of(outputs.notify()), "active;expires=600");
    scene.answer_all(&outputs);
    let outputs = scene.pass(599.9);
    assert!(outputs.all.is_empty());
    let outputs = scene.pass(0.2);
    assert_eq!(end_of(&outputs), EndReason::Expired);
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-52
#[test]
fn a_refresh_may_shorten_the_duration() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let outputs = scene.send(&watch.refresh().with("Expires", "60"));
    assert_eq!(state_of(outputs.notify()), "active;expires=60");
    scene.answer_all(&outputs);
    let outputs = scene.pass(60.1);
    assert_eq!(end_of(&outputs), EndReason::Expired);
    scene.answer_all(&outputs);
    let outputs = scene.pass(1_000.0);
    assert!(outputs.all.is_empty());
    scene.empty();
}

// PA-16, PA-52
#[test]
fn a_refresh_without_a_wish_lasts_the_default() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let outputs = scene.send(&watch.refresh().without("Expires"));
    assert_eq!(response_field(outputs.response(), "Expires"), Some("3600"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-25, PA-52: unchanged as it is.
#[test]
fn a_refresh_yields_a_notify_with_the_whole_state() {
    let mut scene = Scene::new();
    scene.set("here");
    let mut watch = scene.watch();
    for _ in 0..3 {
        let outputs = scene.send(&watch.refresh());
        assert_eq!(story(&outputs), ["200", "active;expires=600"]);
        assert_eq!(notes(outputs.notify()), ["here"]);
        scene.answer_all(&outputs);
    }
    scene.close();
}

#[test]
fn a_thousand_refreshes_keep_one_subscription() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let before = scene.role.occupancy();
    for _ in 0..1_000 {
        scene.pass(1.0);
        let outputs = scene.send(&watch.refresh());
        scene.answer_all(&outputs);
    }
    assert_eq!(scene.role.occupancy(), before);
    let outputs = scene.send(&watch.unsubscribe());
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-52
#[test]
fn a_refresh_is_authorized_again() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let outputs = scene.send(&watch.refresh());
    scene.answer_all(&outputs);
    let asked = scene.rules().asked.clone();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].current, None);
    assert_eq!(asked[1].current, Some(Decision::Allow(Default::default())));
    assert_eq!(asked[1].resource, "bob@example.com");
    assert_eq!(asked[1].uri, BOB, "not the Request-URI of the refresh");
    scene.close();
}

// PA-52
#[test]
fn a_refresh_that_is_not_allowed_any_more_ends_the_subscription() {
    for (rejection, status) in [(Rejection::Forbidden, 403), (Rejection::Decline, 603)] {
        let mut scene = Scene::new();
        let mut watch = scene.watch();
        scene.rules().everybody = Decision::Reject(rejection).into();
        let outputs = scene.send(&watch.refresh());
        assert_eq!(
            story(&outputs),
            [
                status.to_string().as_str(),
                "ended: rejected",
                "terminated;reason=rejected"
            ]
        );
        assert!(outputs.notify().body().is_empty());
        scene.answer_all(&outputs);
        scene.empty();
    }
}

// PA-52: what was decided stays decided when the policy does not know.
#[test]
fn a_refresh_does_not_undo_the_applications_decision() {
    let mut scene = Scene::deciding(Decision::Pending);
    let mut watch = scene.watch();
    let outputs = scene.decide(Decision::Allow(Default::default()));
    scene.answer_all(&outputs);
    let outputs = scene.send(&watch.refresh());
    assert_eq!(story(&outputs), ["200", "active;expires=600"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-52
#[test]
fn a_refresh_may_change_what_the_watcher_sees() {
    let mut scene = Scene::new();
    scene.set("here");
    let mut watch = scene.watch();
    scene.rules().everybody = Decision::PoliteBlock.into();
    let outputs = scene.send(&watch.refresh());
    assert_eq!(
        story(&outputs),
        ["200", "changed polite", "active;expires=600"]
    );
    assert!(notes(outputs.notify()).is_empty());
    scene.answer_all(&outputs);
    scene.close();
}

// PA-18: a refresh too brief is refused, and what there was stays.
#[test]
fn a_refresh_that_is_too_brief_changes_nothing() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    scene.pass(300.0);
    let outputs = scene.send(&watch.refresh().with("Expires", "59"));
    assert_eq!(story(&outputs), ["423"]);
    assert_eq!(
        response_field(outputs.response(), "Min-Expires"),
        Some("60")
    );
    assert!(scene.pass(299.0).all.is_empty());
    let outputs = scene.pass(2.0);
    assert_eq!(end_of(&outputs), EndReason::Expired);
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-52: an error in a refresh is an error of the refresh.
#[test]
fn a_refresh_that_is_refused_for_its_form_leaves_the_subscription() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    for (name, value, status) in [
        ("Require", "flying", 420),
        ("Event", "dialog", 489),
        ("Event", "presence;id=", 400),
        ("Accept", "text/plain", 406),
        ("Expires", "soon", 400),
        ("Expires", "1", 423),
        ("Contact", "*", 400),
        ("Contact", "<sip:a@192.0.2.1>, <sip:b@192.0.2.1>", 400),
        ("Contact", "<tel:+15550100>", 400),
    ] {
        let message = watch.refresh().with(name, value);
        assert_eq!(scene.send(&message).status(), status, "{name}: {value}");
    }
    let message = watch.refresh().without("Event");
    assert_eq!(scene.send(&message).status(), 489);
    let message = watch
        .refresh()
        .with("Content-Type", "text/plain")
        .with_body("x");
    assert_eq!(scene.send(&message).status(), 415);
    let info = scene.role.subscription(scene.key()).unwrap();
    assert_eq!(info.expires_at, at(600));
    let outputs = scene.set("still told");
    assert_eq!(outputs.notify().uri(), "sip:ana@phone.example.net:5062");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-53
#[test]
fn a_dialog_that_is_not_known_gets_481() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let refresh = watch.refresh();
    let upper = watch.tag.to_ascii_uppercase();
    for message in [
        refresh
            .clone()
            .with("To", "<sip:bob@example.com>;tag=unknown"),
        refresh
            .clone()
            .with("To", "<sip:bob@example.com>;tag=aaaaaaaaaaaaa"),
        refresh
            .clone()
            .with("To", &format!("<sip:bob@example.com>;tag={upper}")),
        refresh.clone().with("From", "<sip:ana@example.com>;tag=x"),
        refresh.clone().with("Call-ID", "another"),
        refresh.clone().with("Call-ID", "CALL-1"),
        refresh.clone().with("Expires", "0").with("Call-ID", "x"),
    ] {
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), ["481"], "{message:?}");
    }
    let outputs = scene.send(&refresh);
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-53: the host answers it, or this role does.
#[test]
fn a_publish_in_a_dialog_gets_481() {
    let mut scene = Scene::new();
    let watch = scene.watch_as(BOB);
    let message = scene
        .publish(BOB, &crate::scene::document("t", "x"))
        .with("Call-ID", watch.message.field("Call-ID"))
        .in_dialog(&watch.tag, 2);
    assert_eq!(story(&scene.send(&message)), ["481"]);
    scene.close();
}

// PA-53
#[test]
fn a_lower_number_in_the_dialog_gets_500() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).with_cseq(100);
    let mut watch = scene.watch_by(message);
    for number in [0, 1, 99, 100] {
        let message = watch.refresh().with_cseq(number);
        assert_eq!(story(&scene.send(&message)), ["500"], "{number}");
    }
    for number in [101, 103, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let message = watch.refresh().with_cseq(number);
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), 200, "{number}");
        scene.answer_all(&outputs);
        assert_eq!(story(&scene.send(&message)), ["500"]);
    }
    let message = watch.refresh().with("CSeq", "4294967296 SUBSCRIBE");
    assert_eq!(story(&scene.send(&message)), ["400"]);
    assert_eq!(scene.live(), 1);
    scene.close();
}

// PA-53: the refused request was there, and had its number.
#[test]
fn a_refused_refresh_takes_its_number_with_it() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let message = watch.refresh().with("Expires", "1");
    assert_eq!(scene.send(&message).status(), 423);
    let same = message.with("Expires", "600");
    assert_eq!(scene.send(&same).status(), 500);
    let outputs = scene.send(&watch.refresh());
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-54
#[test]
fn a_subscription_that_is_not_refreshed_is_removed_and_told_so() {
    let mut scene = Scene::new();
    scene.set("here");
    let watch = scene.watch();
    let outputs = scene.pass(600.1);
    assert_eq!(
        story(&outputs),
        ["ended: expired", "terminated;reason=timeout"]
    );
    assert_eq!(
        field(outputs.notify(), "Call-ID"),
        Some(watch.message.field("Call-ID"))
    );
    assert!(outputs.notify().body().is_empty());
    scene.answer_all(&outputs);
    assert!(scene.set("elsewhere").all.is_empty());
    scene.empty();
}

// PA-53, PA-54: to the nanosecond, although the timer has a coarser tick.
#[test]
fn a_refresh_at_the_last_moment_is_in_time_and_later_it_is_not() {
    let second = 1_000_000_000;
    for (nanos, in_time) in [
        (600 * second - 1, true),
        (600 * second, false),
        (600 * second + 1, false),
    ] {
        let mut scene = Scene::new();
        let mut watch = scene.watch();
        scene.now = scene.now + Duration::from_nanos(nanos);
        let outputs = scene.send(&watch.refresh());
        if in_time {
            assert_eq!(story(&outputs), ["200", "active;expires=600"]);
            scene.answer_all(&outputs);
            assert!(scene.pass(1.0).all.is_empty());
        } else {
            assert_eq!(story(&outputs), ["481"]);
            let outputs = scene.pass(0.1);
            assert_eq!(
                story(&outputs),
                ["ended: expired", "terminated;reason=timeout"]
            );
            scene.answer_all(&outputs);
        }
        assert_eq!(scene.live(), usize::from(in_time));
        scene.close();
    }
}

// PA-53, PA-54: in whichever order the host calls.
#[test]
fn a_refresh_and_the_deadline_may_come_in_either_order() {
    for late in [false, true] {
        for timeout_first in [false, true] {
            let mut scene = Scene::new();
            let mut watch = scene.watch();
            scene.now = scene.now + Duration::from_millis(if late { 600_100 } else { 599_900 });
            let now = scene.now;
            let mut all = Vec::new();
            let mut open = Vec::new();
            for step in 0..2 {
                let outputs = if (step == 0) == timeout_first {
                    scene.role.handle_timeout(now);
                    scene.drain()
                } else {
                    scene.send(&watch.refresh())
                };
                all.extend(story(&outputs));
                open.push(outputs);
            }
            let ended = ["ended: expired", "terminated;reason=timeout"];
            let expected: Vec<&str> = match (late, timeout_first) {
                (false, _) => vec!["200", "active;expires=600"],
                (true, true) => ended.into_iter().chain(["481"]).collect(),
                (true, false) => ["481"].into_iter().chain(ended).collect(),
            };
            assert_eq!(all, expected);
            for outputs in &open {
                scene.answer_all(outputs);
            }
            assert_eq!(scene.live(), usize::from(!late));
            scene.close();
        }
    }
}

// PA-55
#[test]
fn unsubscribing_ends_it_at_once_with_the_latest_state() {
    let mut scene = Scene::new();
    scene.set("here");
    let mut watch = scene.watch();
    let outputs = scene.send(&watch.unsubscribe());
    assert_eq!(
        story(&outputs),
        ["200", "ended: unsubscribed", "terminated;reason=timeout"]
    );
    assert_eq!(response_field(outputs.response(), "Expires"), Some("0"));
    assert_eq!(notes(outputs.notify()), ["here"]);
    assert_eq!(scene.live(), 0);
    assert!(!scene.role.has_watchers(BOB));
    scene.answer_all(&outputs);
    assert!(scene.set("elsewhere").all.is_empty());
    scene.empty();
}

// PA-55
#[test]
fn after_unsubscribing_the_dialog_is_gone() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let outputs = scene.send(&watch.unsubscribe());
    for message in [watch.refresh(), watch.unsubscribe()] {
        assert_eq!(story(&scene.send(&message)), ["481"]);
    }
    scene.answer_all(&outputs);
    assert_eq!(story(&scene.send(&watch.refresh())), ["481"]);
    scene.empty();
}

// PA-55: what a client answers when it leaves is no error.
#[test]
fn any_answer_to_the_last_notify_is_the_end() {
    for status in [200, 202, 300, 401, 404, 407, 408, 481, 500, 503, 600] {
        let mut scene = Scene::new();
        let mut watch = scene.watch();
        let outputs = scene.send(&watch.unsubscribe());
        let failed = scene.role.counters().notifies_failed();
        let fields = [("Retry-After", "100")];
        let after = scene.answer_with(outputs.notify(), status, &fields);
        assert!(after.all.is_empty(), "{status}: {after:?}");
        assert_eq!(scene.role.counters().notifies_failed(), failed, "{status}");
        scene.empty();
    }
}

// PA-56
#[test]
fn a_pending_subscription_may_be_ended_and_fetched_like_any_other() {
    let mut scene = Scene::deciding(Decision::Pending);
    scene.set("here");
    let mut watch = scene.watch();
    assert_eq!(state_of(&watch.notify), "pending;expires=600");
    let outputs = scene.send(&watch.unsubscribe());
    assert_eq!(
        story(&outputs),
        ["200", "ended: unsubscribed", "terminated;reason=timeout"]
    );
    assert!(notes(outputs.notify()).is_empty());
    scene.answer_all(&outputs);

    let fetch = scene.subscribe(ANA, BOB).with("Expires", "0");
    let outputs = scene.send(&fetch);
    assert_eq!(
        story(&outputs),
        [
            "200",
            "started pending",
            "ended: fetched",
            "terminated;reason=timeout"
        ]
    );
    assert!(notes(outputs.notify()).is_empty());
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-60
#[test]
fn a_refresh_with_a_new_contact_moves_the_target() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    assert_eq!(watch.notify.uri(), "sip:ana@phone.example.net:5062");
    let contact = "\"Ana\" <sip:ana@192.0.2.77:5080;transport=tcp;ob>;expires=3;q=0.2";
    let outputs = scene.send(&watch.refresh().with("Contact", contact));
    let target = "sip:ana@192.0.2.77:5080;transport=tcp;ob";
    assert_eq!(outputs.notify().uri(), target);
    scene.answer_all(&outputs);
    let outputs = scene.set("here");
    assert_eq!(outputs.notify().uri(), target);
    assert_eq!(outputs.notify().next_hop(), target);
    scene.answer_all(&outputs);
    let outputs = scene.send(&watch.unsubscribe().with("Contact", "<sip:a@192.0.2.78>"));
    assert_eq!(outputs.notify().uri(), "sip:a@192.0.2.78");
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-60
#[test]
fn a_refresh_without_contact_keeps_the_target() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let outputs = scene.send(&watch.refresh().without("Contact"));
    assert_eq!(outputs.status(), 200);
    assert_eq!(outputs.notify().uri(), "sip:ana@phone.example.net:5062");
    scene.answer_all(&outputs);
    scene.close();
}

// PA-60
#[test]
fn the_local_target_follows_the_host() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let identity = Identity::of(ANA, Assurance::Digest).unwrap();
    let context = RequestContext::new(&identity, "sip:192.0.2.1:5061;transport=tls");
    let outputs = scene.send_with(&watch.refresh(), &context);
    let contact = Some("<sip:192.0.2.1:5061;transport=tls>");
    assert_eq!(response_field(outputs.response(), "Contact"), contact);
    assert_eq!(field(outputs.notify(), "Contact"), contact);
    scene.answer_all(&outputs);
    let outputs = scene.set("here");
    assert_eq!(field(outputs.notify(), "Contact"), contact);
    assert_ne!(contact, Some(AGENT));
    scene.answer_all(&outputs);
    scene.close();
}

#[test]
fn notifies_go_the_way_that_the_last_subscribe_came() {
    let mut scene = Scene::new();
    let identity = Identity::of(ANA, Assurance::Digest).unwrap();
    let context = |flow| RequestContext::new(&identity, AGENT).with_flow(FlowId(flow));
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send_with(&message, &context(1));
    assert_eq!(outputs.notify().flow(), Some(FlowId(1)));
    let mut watch = crate::scene::Watch::begun(message, &outputs);
    scene.answer_all(&outputs);
    let outputs = scene.send_with(&watch.refresh(), &context(2));
    assert_eq!(outputs.notify().flow(), Some(FlowId(2)));
    scene.answer_all(&outputs);
    assert_eq!(scene.role.occupancy().flows, 1);
    // A connection that is lost is not used any more; the old one was forgotten before.
    let now = scene.now;
    scene.role.handle_flow_lost(now, FlowId(1));
    let outputs = scene.set("one");
    assert_eq!(outputs.notify().flow(), Some(FlowId(2)));
    scene.answer_all(&outputs);
    scene.role.handle_flow_lost(now, FlowId(2));
    scene.pass(10.0);
    let outputs = scene.set("two");
    assert_eq!(outputs.notify().flow(), None);
    scene.answer_all(&outputs);
    let outputs = scene.send(&watch.unsubscribe());
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-62, PA-52
#[test]
fn the_id_of_event_belongs_to_the_subscription() {
    let mut scene = Scene::new();
    let message = scene
        .subscribe(ANA, BOB)
        .with("Event", "presence;id=Ab1;other=x");
    let mut watch = scene.watch_by(message);
    assert_eq!(field(&watch.notify, "Event"), Some("presence;id=Ab1"));
    let outputs = scene.send(&watch.refresh());
    assert_eq!(outputs.status(), 200);
    assert_eq!(field(outputs.notify(), "Event"), Some("presence;id=Ab1"));
    scene.answer_all(&outputs);
    scene.close();
}

// PA-68
#[test]
fn a_second_subscription_in_a_dialog_is_refused_and_the_first_stays() {
    for (first, second) in [
        ("presence", "presence;id=2"),
        ("presence;id=1", "presence;id=2"),
        ("presence;id=1", "presence"),
        ("presence;id=a", "presence;id=A"),
    ] {
        let mut scene = Scene::new();
        let message = scene.subscribe(ANA, BOB).with("Event", first);
        let mut watch = scene.watch_by(message);
        for expires in ["600", "0"] {
            let message = watch
                .refresh()
                .with("Event", second)
                .with("Expires", expires);
            assert_eq!(story(&scene.send(&message)), ["403"], "{first} {second}");
        }
        assert_eq!(scene.live(), 1);
        let outputs = scene.send(&watch.refresh());
        assert_eq!(outputs.status(), 200);
        scene.answer_all(&outputs);
        scene.close();
    }
}

#[test]
fn the_application_sees_how_the_last_notify_fared() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&message);
    let result = |scene: &Scene| scene.role.subscription(scene.key()).unwrap().last_result;
    assert_eq!(result(&scene), NotifyResult::Open);
    scene.answer_all(&outputs);
    assert_eq!(result(&scene), NotifyResult::Answered(200));
    scene.close();
}
