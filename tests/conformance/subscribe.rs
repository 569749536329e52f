//! New subscriptions and fetches: how long they last, what answers them, what follows at once.

use presentity::event::{EndReason, ServerEvent};
use presentity::presence::AgentConfig;

use crate::common::{Message, field, response_field, state_of};
use crate::scene::{ANA, BOB, CARLA, Scene, allowed, at, end_of, notes, read, story};

// PA-01
#[test]
fn a_subscription_is_taken_kept_and_told_of_changes() {
    let mut scene = Scene::new();
    scene.set("at the desk");
    let watch = scene.watch();
    assert_eq!(notes(&watch.notify), ["at the desk"]);
    let outputs = scene.set("gone home");
    assert_eq!(notes(outputs.notify()), ["gone home"]);
    scene.answer_all(&outputs);
    scene.pass(400.0);
    let outputs = scene.set("asleep");
    assert_eq!(notes(outputs.notify()), ["asleep"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-02, SRV-02, SRV-03: what the application sets, what others publish.
#[test]
fn the_agent_knows_what_presence_user_agents_say() {
    let mut scene = Scene::new();
    scene.set("set");
    let watch = scene.watch();
    assert_eq!(notes(&watch.notify), ["set"]);
    let message = scene.publish(BOB, &crate::scene::document("t", "published"));
    let outputs = scene.send(&message);
    assert_eq!(notes(outputs.notify()), ["published"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-03
#[test]
fn every_form_of_a_presentity_is_the_same_presentity() {
    let mut scene = Scene::new();
    scene.set("here");
    for uri in [
        "sip:bob@example.com",
        "sip:%62ob@EXAMPLE.com:5060;transport=tcp",
        "pres:bob@example.com",
        "sip:bob:secret@example.com?subject=x",
    ] {
        let message = scene.subscribe(ANA, uri);
        let outputs = scene.send(&message);
        assert_eq!(notes(outputs.notify()), ["here"], "{uri}");
        scene.answer_all(&outputs);
    }
    for other in [
        "sip:Bob@example.com",
        "sip:bob@example.com:5070",
        "sip:example.com",
    ] {
        let message = scene.subscribe(ANA, other);
        let outputs = scene.send(&message);
        assert!(notes(outputs.notify()).is_empty(), "{other}");
        scene.answer_all(&outputs);
    }
    scene.close();
}

// PA-04
#[test]
fn two_agents_of_one_state_notify_alike() {
    let bodies = [1, 2].map(|seed| {
        let mut scene = Scene::seeded(AgentConfig::default(), allowed(), seed);
        scene.set("here");
        scene.published(BOB, &crate::scene::document("t", "one"));
        scene.published(BOB, &crate::scene::document("t", "two"));
        let watch = scene.watch();
        scene.close();
        watch.notify.body().clone()
    });
    assert_eq!(bodies[0], bodies[1]);
    assert!(!bodies[0].is_empty());
}

// PA-16
#[test]
fn without_a_wish_it_lasts_an_hour() {
    let mut scene = Scene::configured(|config| config.server.max_expires = 100_000);
    let message = scene.subscribe(ANA, BOB).without("Expires");
    let outputs = scene.send(&message);
    assert_eq!(response_field(outputs.response(), "Expires"), Some("3600"));
    assert_eq!(state_of(outputs.notify()), "active;expires=3600");
    scene.answer_all(&outputs);
    let outputs = scene.pass(3599.9);
    assert!(outputs.all.is_empty());
    let outputs = scene.pass(0.2);
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    scene.answer_all(&outputs);
    scene.empty();
}

/// The status and the Expires or Min-Expires of the answer to a wish.
fn granted(scene: &mut Scene, wish: &str) -> (u16, Option<String>) {
    let message = scene.subscribe(ANA, BOB).with("Expires", wish);
    let outputs = scene.send(&message);
    let response = outputs.response();
    let name = if response.status() == 423 {
        "Min-Expires"
    } else {
        "Expires"
    };
    let value = response_field(response, name).map(str::to_owned);
    let status = response.status();
    if status == 200 {
        let granted = value.as_deref().expect("PA-17: every 2xx has it");
        let told = if granted == "0" {
            "terminated;reason=timeout".into()
        } else {
            format!("active;expires={granted}")
        };
        assert_eq!(state_of(outputs.notify()), told);
    } else {
        assert!(outputs.requests().is_empty());
    }
    scene.answer_all(&outputs);
    (status, value)
}

fn check_wishes(scene: &mut Scene, wishes: &[(&str, u16, Option<&str>)]) {
    for (wish, status, value) in wishes {
        let expected = (*status, value.map(str::to_owned));
        assert_eq!(granted(scene, wish), expected, "{wish:?}");
    }
}

// PA-17, PA-18
#[test]
fn a_wish_is_granted_cut_or_refused() {
    let mut scene = Scene::new();
    check_wishes(
        &mut scene,
        &[
            ("0", 200, Some("0")),
            ("1", 423, Some("60")),
            (" 5 ", 423, Some("60")),
            ("59", 423, Some("60")),
            ("60", 200, Some("60")),
            ("61", 200, Some("61")),
            ("0600", 200, Some("600")),
            (" 600 ", 200, Some("600")),
            ("3599", 200, Some("3599")),
            ("3600", 200, Some("3600")),
            ("3601", 200, Some("3600")),
            ("4294967295", 200, Some("3600")),
            ("4294967296", 200, Some("3600")),
            ("99999999999999999999999", 200, Some("3600")),
        ],
    );
    scene.close();
}

// PA-12: a wish that is no number.
#[test]
fn a_wish_that_is_no_number_is_malformed() {
    let mut scene = Scene::new();
    check_wishes(
        &mut scene,
        &[
            ("", 400, None),
            (" ", 400, None),
            ("abc", 400, None),
            ("-1", 400, None),
            ("+60", 400, None),
            ("60.5", 400, None),
            ("60;x=y", 400, None),
            ("60, 120", 400, None),
            ("0x3c", 400, None),
        ],
    );
    scene.empty();
}

// PA-18: an hour is never too brief.
#[test]
fn no_wish_of_an_hour_or_more_is_too_brief() {
    let mut scene = Scene::configured(|config| {
        config.server.min_expires = 7_200;
        config.server.max_expires = 86_400;
    });
    check_wishes(
        &mut scene,
        &[
            ("0", 200, Some("0")),
            ("1", 423, Some("7200")),
            ("3599", 423, Some("7200")),
            ("3600", 200, Some("3600")),
            ("7199", 200, Some("7199")),
            ("86400", 200, Some("86400")),
            ("86401", 200, Some("86400")),
        ],
    );
    scene.close();
}

// PA-17
#[test]
fn the_longest_duration_is_the_applications() {
    let mut scene = Scene::configured(|config| config.server.max_expires = 300);
    check_wishes(
        &mut scene,
        &[
            ("299", 200, Some("299")),
            ("300", 200, Some("300")),
            ("301", 200, Some("300")),
            ("3600", 200, Some("300")),
        ],
    );
    let message = scene.subscribe(ANA, BOB).without("Expires");
    let outputs = scene.send(&message);
    assert_eq!(response_field(outputs.response(), "Expires"), Some("300"));
    scene.close();
}

// PA-18
#[test]
fn without_a_minimum_the_briefest_is_granted() {
    let mut scene = Scene::configured(|config| config.server.min_expires = 0);
    check_wishes(&mut scene, &[("1", 200, Some("1")), ("0", 200, Some("0"))]);
    scene.close();
}

// PA-17: what is told is what holds.
#[test]
fn a_subscription_ends_when_its_answer_said() {
    for (wish, granted) in [("60", 60), ("600", 600), ("5000", 3600)] {
        let mut scene = Scene::new();
        let message = scene.subscribe(ANA, BOB).with("Expires", wish);
        let watch = scene.watch_by(message);
        assert_eq!(state_of(&watch.notify), format!("active;expires={granted}"));
        assert_eq!(
            scene.role.subscription(scene.key()).unwrap().expires_at,
            at(granted)
        );
        let outputs = scene.pass(granted as f64 - 0.001);
        assert!(outputs.all.is_empty());
        let outputs = scene.pass(0.101);
        assert_eq!(end_of(&outputs), EndReason::Expired);
        scene.answer_all(&outputs);
        scene.empty();
    }
}

// PA-19
#[test]
fn expires_of_contact_means_nothing() {
    let mut scene = Scene::new();
    for (contact, expires, granted) in [
        ("<sip:ana@192.0.2.7>;expires=60", "600", "600"),
        ("<sip:ana@192.0.2.7>;expires=0", "600", "600"),
        ("<sip:ana@192.0.2.7>;expires=600", "0", "0"),
        ("<sip:ana@192.0.2.7>;expires=1", "60", "60"),
    ] {
        let message = scene
            .subscribe(ANA, BOB)
            .with("Contact", contact)
            .with("Expires", expires);
        let outputs = scene.send(&message);
        assert_eq!(response_field(outputs.response(), "Expires"), Some(granted));
        scene.answer_all(&outputs);
    }
    let message = scene
        .subscribe(ANA, BOB)
        .with("Contact", "<sip:ana@192.0.2.7>;expires=100")
        .without("Expires");
    let outputs = scene.send(&message);
    assert_eq!(response_field(outputs.response(), "Expires"), Some("3600"));
    scene.close();
}

// PA-24, PA-25: the answer, then the NOTIFY, without any other input.
#[test]
fn the_answer_is_followed_at_once_by_a_notify() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&message);
    assert_eq!(
        story(&outputs),
        ["200", "started allowed", "active;expires=600"]
    );
    scene.close();
}

// PA-25
#[test]
fn every_kind_of_accepted_subscribe_is_followed_by_a_notify() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let outputs = scene.send(&watch.refresh());
    assert_eq!(story(&outputs), ["200", "active;expires=600"]);
    scene.answer_all(&outputs);
    let fetch = scene.subscribe(ANA, CARLA).with("Expires", "0");
    let outputs = scene.send(&fetch);
    assert_eq!(
        story(&outputs),
        [
            "200",
            "started allowed",
            "ended: fetched",
            "terminated;reason=timeout"
        ]
    );
    scene.answer_all(&outputs);
    let outputs = scene.send(&watch.unsubscribe());
    assert_eq!(
        story(&outputs),
        ["200", "ended: unsubscribed", "terminated;reason=timeout"]
    );
    scene.answer_all(&outputs);
    scene.empty();
}

// PA-25: the state of the moment it leaves.
#[test]
fn the_first_notify_has_the_state_of_the_moment() {
    let mut scene = Scene::new();
    scene.set("first");
    scene.set("second");
    let watch = scene.watch();
    assert_eq!(notes(&watch.notify), ["second"]);
    scene.close();
}

// PA-17, PA-66
#[test]
fn the_answer_has_what_a_dialog_needs() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&message);
    let response = outputs.response();
    let fields: Vec<_> = response.fields().collect();
    assert_eq!(
        fields,
        [
            ("Expires", "600"),
            ("Contact", "<sip:agent.example.com>"),
            ("Allow-Events", "presence"),
        ]
    );
    assert!(response.copies_record_route());
    assert!(response.body().is_empty());
    // The tag of the answer is the one of the NOTIFY.
    let tag = response.to_tag().unwrap();
    let from = field(outputs.notify(), "From").unwrap();
    assert_eq!(from, format!("<{BOB}>;tag={tag}"));
    scene.close();
}

#[test]
fn the_answer_is_written_with_what_it_copies() {
    let mut scene = Scene::new();
    let message = scene
        .subscribe(ANA, BOB)
        .with("Via", "SIP/2.0/UDP one.example.net;branch=z9hG4bK1")
        .and("Via", "SIP/2.0/UDP two.example.net;branch=z9hG4bK2")
        .and("Record-Route", "<sip:p2.example.com;lr>")
        .and("Record-Route", "<sip:p1.example.com;lr>");
    let outputs = scene.send(&message);
    let mut bytes = Vec::new();
    let response = outputs.response();
    response.write_to(&message.view(), "Server: test\r\n", &mut bytes);
    let tag = response.to_tag().unwrap();
    let expected = format!(
        "SIP/2.0 200 OK\r\n\
         Via: SIP/2.0/UDP one.example.net;branch=z9hG4bK1\r\n\
         Via: SIP/2.0/UDP two.example.net;branch=z9hG4bK2\r\n\
         From: <sip:ana@example.com>;tag=tag-call-1\r\n\
         To: <sip:bob@example.com>;tag={tag}\r\n\
         Call-ID: call-1\r\n\
         CSeq: 1 SUBSCRIBE\r\n\
         Record-Route: <sip:p2.example.com;lr>\r\n\
         Record-Route: <sip:p1.example.com;lr>\r\n\
         Expires: 600\r\n\
         Contact: <sip:agent.example.com>\r\n\
         Allow-Events: presence\r\n\
         Server: test\r\n\
         Content-Length: 0\r\n\r\n"
    );
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    scene.close();
}

#[test]
fn tags_are_never_the_same() {
    let mut scene = Scene::new();
    let mut tags: Vec<String> = (0..50)
        .map(|_| scene.watch_as(CARLA).tag)
        .take(30)
        .collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 30);
    scene.close();
}

// PA-57
#[test]
fn a_fetch_gets_the_state_once_and_leaves_nothing() {
    let mut scene = Scene::new();
    scene.set("here");
    let message = scene.subscribe(ANA, BOB).with("Expires", "0");
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    assert_eq!(response_field(outputs.response(), "Expires"), Some("0"));
    assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    assert_eq!(notes(outputs.notify()), ["here"]);
    assert_eq!(end_of(&outputs), EndReason::Fetched);
    assert_eq!(scene.live(), 0);
    scene.answer_all(&outputs);
    assert!(scene.set("elsewhere").all.is_empty());
    scene.empty();
}

// PA-57
#[test]
fn a_fetch_whose_notify_fails_leaves_nothing() {
    for status in [200, 202, 302, 404, 481, 500, 503, 603] {
        let mut scene = Scene::new();
        let message = scene.subscribe(ANA, BOB).with("Expires", "0");
        let outputs = scene.send(&message);
        let outputs = scene.answer_with(outputs.notify(), status, &[("Retry-After", "5")]);
        assert!(outputs.all.is_empty(), "{status}: {outputs:?}");
        scene.empty();
    }
}

// PA-57
#[test]
fn nothing_happens_in_the_dialog_of_a_fetch() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).with("Expires", "0");
    let outputs = scene.send(&message);
    let tag = outputs.response().to_tag().unwrap().to_owned();
    let again = message.in_dialog(&tag, 2).with("Expires", "600");
    assert_eq!(scene.send(&again).status(), 481);
    scene.answer_all(&outputs);
    assert_eq!(scene.send(&again.with_cseq(3)).status(), 481);
    scene.empty();
}

// PA-57
#[test]
fn a_fetch_while_subscribed_does_not_disturb_the_subscription() {
    let mut scene = Scene::new();
    scene.set("here");
    let watch = scene.watch();
    let before = scene.role.subscription(scene.key()).unwrap().expires_at;
    let fetch = scene.subscribe(ANA, BOB).with("Expires", "0");
    let outputs = scene.send(&fetch);
    scene.answer_all(&outputs);
    assert_eq!(
        scene.role.subscription(scene.key()).unwrap().expires_at,
        before
    );
    let outputs = scene.set("elsewhere");
    assert_eq!(outputs.requests().len(), 1);
    assert_eq!(
        field(outputs.notify(), "Call-ID"),
        Some(watch.message.field("Call-ID"))
    );
    scene.answer_all(&outputs);
    scene.close();
}

// PA-57
#[test]
fn a_thousand_fetches_leave_nothing() {
    let mut scene = Scene::new();
    for number in 0..1_000 {
        let call = format!("fetch-{number}");
        let message = Message::subscribe(ANA, BOB, &call).with("Expires", "0");
        let outputs = scene.send(&message);
        scene.answer_all(&outputs);
    }
    scene.empty();
}

// PA-34
#[test]
fn a_presentity_without_state_is_shown_without_tuples() {
    let mut scene = Scene::new();
    let watch = scene.watch();
    let document = read(&watch.notify);
    assert_eq!(document.entity, BOB);
    assert!(document.tuples.is_empty() && document.notes.is_empty());
    scene.close();
}

// PA-34
#[test]
fn a_presentity_without_state_may_be_shown_by_an_empty_notify() {
    let mut scene = Scene::configured(|config| {
        config.unknown = presentity::presence::UnknownDocument::Nothing;
    });
    let watch = scene.watch();
    assert!(watch.notify.body().is_empty());
    assert_eq!(field(&watch.notify, "Content-Type"), None);
    assert_eq!(field(&watch.notify, "Content-Length"), Some("0"));
    let outputs = scene.set("here");
    assert_eq!(notes(outputs.notify()), ["here"]);
    scene.answer_all(&outputs);
    scene.close();
}

#[test]
fn the_application_learns_who_subscribed_to_whom() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&message);
    let events = outputs.events();
    let [ServerEvent::SubscriptionStarted { subject, .. }] = events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(subject.watcher.as_deref(), Some("ana@example.com"));
    assert_eq!(&*subject.resource, "bob@example.com");
    assert_eq!(subject.key, scene.key());
    scene.answer_all(&outputs);
    scene.close();
}

// CVE-2010-2840
#[test]
fn a_contact_that_cannot_be_notified_is_refused() {
    let mut scene = Scene::new();
    for contact in [
        "",
        "*",
        "ana",
        "<>",
        "<sip:>",
        "<sip:ana@192.0.2.7>, <sip:ana@192.0.2.8>",
        "<sip:ana@192.0.2.7",
        "<pres:ana@example.com>",
        "<tel:+15550100>",
        "<http://192.0.2.7/>",
        "<sip:ana@192.0.2.7:99999>",
        "<sip:ana@192.0.2.7>;expires=\"",
    ] {
        let message = scene.subscribe(ANA, BOB).with("Contact", contact);
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), ["400"], "{contact:?}");
    }
    let message = scene
        .subscribe(ANA, BOB)
        .with("Contact", "<sip:ana@192.0.2.7>")
        .and("Contact", "<sip:ana@192.0.2.8>");
    assert_eq!(story(&scene.send(&message)), ["400"]);
    let message = scene
        .subscribe(ANA, BOB)
        .with("Contact", "*")
        .and("Contact", "<sip:ana@192.0.2.8>");
    assert_eq!(story(&scene.send(&message)), ["400"]);
    scene.empty();
}
