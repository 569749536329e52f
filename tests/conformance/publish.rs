//! PUBLISH (RFC 3903): the checks in their order, entity-tags, durations, who may.

use core::time::Duration;

use presentity::event::{PublishKind, ServerEvent};
use presentity::pidf::Presence;

use crate::common::{Message, Outputs, response_field};
use crate::scene::{ANA, BOB, CARLA, MALLORY, Scene, document, etag, follow, ids, notes, story};

fn expires(outputs: &Outputs) -> &str {
    response_field(outputs.response(), "Expires").expect("a duration")
}

/// The notes that a fetch shows.
fn shown(scene: &mut Scene) -> Vec<String> {
    let message = scene.subscribe(ANA, BOB).with("Expires", "0");
    let outputs = scene.send(&message);
    scene.answer_all(&outputs);
    notes(outputs.notify())
}

// SRV-48
#[test]
fn a_publication_is_answered_by_its_duration_and_entity_tag() {
    let mut scene = Scene::new();
    let message = scene.publish(BOB, &document("t", "here"));
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["200", "published Initial"]);
    let response = outputs.response();
    let names: Vec<_> = response.fields().map(|(name, _)| name).collect();
    assert_eq!(names, ["Expires", "SIP-ETag"]);
    assert_eq!(expires(&outputs), "600");
    assert!(response.to_tag().is_some());
    assert!(response.body().is_empty());
    assert_eq!(shown(&mut scene), ["here"]);
    scene.close();
}

// SRV-40
#[test]
fn contact_and_record_route_are_passed_over() {
    let mut scene = Scene::new();
    for (name, value) in [
        ("Contact", "<sip:bob@192.0.2.7>"),
        ("Contact", "*"),
        ("Contact", "nonsense <"),
        ("Record-Route", "<sip:p1.example.com;lr>"),
        ("Record-Route", "nonsense <"),
    ] {
        let message = scene.publish(BOB, &document("t", "x")).and(name, value);
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), 200, "{name}: {value}");
        assert!(!outputs.response().copies_record_route());
        assert_eq!(response_field(outputs.response(), "Contact"), None);
    }
    scene.close();
}

// SRV-42, SRV-43, SRV-44, SRV-45, SRV-46
#[test]
fn the_steps_come_in_order_and_the_first_that_fails_answers() {
    let mut scene = Scene::configured(|config| config.domains = vec!["example.com".into()]);
    let mut message = Message::publish(BOB, "order", &document("t", "x"))
        .with("Require", "flying")
        .with("Event", "dialog")
        .with("SIP-If-Match", "a, b")
        .with("Expires", "1")
        .with("Content-Type", "text/plain");
    message.uri = "sip:bob@example.org".into();
    type Repair = fn(Message) -> Message;
    let steps: [(u16, Repair); 7] = [
        (404, |mut it| {
            it.uri = BOB.into();
            it
        }),
        (420, |it| it.without("Require")),
        (489, |it| it.with("Event", "presence")),
        (400, |it| it.with("SIP-If-Match", "unknown")),
        (412, |it| it.without("SIP-If-Match")),
        (423, |it| it.with("Expires", "600")),
        (415, |it| it.with("Content-Type", "application/pidf+xml")),
    ];
    for (number, (status, repair)) in (1..).zip(steps) {
        message = message.with_cseq(number);
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), [status.to_string()]);
        message = repair(message);
    }
    assert_eq!(scene.role.occupancy(), Default::default());
    message = message.with_cseq(20);
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SRV-42
#[test]
fn a_resource_of_another_domain_is_not_found() {
    let mut scene = Scene::configured(|config| config.domains = vec!["example.com".into()]);
    let message = scene.publish(MALLORY, &document("t", "x"));
    assert_eq!(story(&scene.send(&message)), ["404"]);
    scene.empty();
}

// SRV-43
#[test]
fn a_publish_of_another_package_or_none_gets_489() {
    let mut scene = Scene::new();
    for event in [
        Some("dialog"),
        Some("Presence"),
        Some("presence.winfo"),
        None,
    ] {
        let message = scene.publish(BOB, &document("t", "x"));
        let message = match event {
            Some(event) => message.with("Event", event),
            None => message.without("Event"),
        };
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), ["489"], "{event:?}");
        assert_eq!(
            response_field(outputs.response(), "Allow-Events"),
            Some("presence")
        );
    }
    scene.empty();
}

/// The status and the Expires or Min-Expires of the answer to a wish.
fn granted(scene: &mut Scene, wish: &str) -> (u16, Option<String>) {
    let message = scene
        .publish(BOB, &document("t", "x"))
        .with("Expires", wish);
    let outputs = scene.send(&message);
    let response = outputs.response();
    let name = if response.status() == 423 {
        "Min-Expires"
    } else {
        "Expires"
    };
    let value = response_field(response, name).map(str::to_owned);
    (response.status(), value)
}

// SRV-45, SRV-48
#[test]
fn a_wish_is_granted_cut_or_refused() {
    let mut scene = Scene::configured(|config| {
        config.server.limits.publications_per_resource = 100;
    });
    for (wish, status, value) in [
        ("0", 200, Some("0")),
        ("1", 423, Some("60")),
        (" 5 ", 423, Some("60")),
        ("59", 423, Some("60")),
        ("60", 200, Some("60")),
        ("3599", 200, Some("3599")),
        ("3600", 200, Some("3600")),
        ("3601", 200, Some("3600")),
        ("4294967295", 200, Some("3600")),
        ("4294967296", 200, Some("3600")),
        ("abc", 400, None),
        ("-1", 400, None),
        ("", 400, None),
        ("60.0", 400, None),
    ] {
        let expected = (status, value.map(str::to_owned));
        assert_eq!(granted(&mut scene, wish), expected, "{wish:?}");
    }
    scene.close();
}

// SRV-45: other than for SUBSCRIBE, an hour may be too brief.
#[test]
fn any_wish_below_the_minimum_is_refused() {
    let mut scene = Scene::configured(|config| {
        config.server.publish_min_expires = 7_200;
        config.server.publish_default_expires = 7_200;
        config.server.publish_max_expires = 86_400;
    });
    for (wish, status, value) in [
        ("0", 200, "0"),
        ("3600", 423, "7200"),
        ("7199", 423, "7200"),
        ("7200", 200, "7200"),
        ("86401", 200, "86400"),
    ] {
        let expected = (status, Some(value.to_owned()));
        assert_eq!(granted(&mut scene, wish), expected, "{wish:?}");
    }
    scene.pass(90_000.0);
    scene.close();
}

// SRV-45
#[test]
fn without_a_wish_the_server_chooses() {
    for (default, maximum, granted) in [
        (3600, 3600, "3600"),
        (1800, 3600, "1800"),
        (7200, 900, "900"),
    ] {
        let mut scene = Scene::configured(|config| {
            config.server.publish_default_expires = default;
            config.server.publish_max_expires = maximum;
        });
        let message = scene.publish(BOB, &document("t", "x")).without("Expires");
        assert_eq!(expires(&scene.send(&message)), granted);
        scene.close();
    }
}

// SRV-45: a publisher that leaves the duration to the server cannot have asked for too little.
#[test]
fn the_servers_own_choice_is_never_too_brief() {
    let mut scene = Scene::configured(|config| {
        config.server.publish_default_expires = 30;
        config.server.publish_min_expires = 60;
    });
    let message = scene.publish(BOB, &document("t", "x")).without("Expires");
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SRV-46
#[test]
fn a_type_that_is_not_presence_gets_415_with_those_that_are() {
    let mut scene = Scene::new();
    for content_type in [
        "text/plain",
        "application/xml",
        "application/pidf",
        "text/pidf+xml",
        "multipart/signed;protocol=x;boundary=y",
    ] {
        let message = scene
            .publish(BOB, &document("t", "x"))
            .with("Content-Type", content_type);
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), ["415"], "{content_type}");
        assert_eq!(
            response_field(outputs.response(), "Accept"),
            Some("application/pidf+xml, application/cpim-pidf+xml, application/pidf-diff+xml")
        );
    }
    scene.empty();
}

// SRV-46
#[test]
fn both_names_of_the_document_type_are_taken() {
    let mut scene = Scene::new();
    for content_type in [
        "application/pidf+xml",
        "APPLICATION/PIDF+XML",
        "application/pidf+xml;charset=\"UTF-8\"",
        "application/cpim-pidf+xml",
        "application / pidf+xml ; x=y",
    ] {
        let message = scene
            .publish(BOB, &document("t", "x"))
            .with("Content-Type", content_type);
        assert_eq!(scene.send(&message).status(), 200, "{content_type}");
    }
    scene.close();
}

// SRV-46: CVE-2026-45084.
#[test]
fn a_body_of_no_stated_type_is_malformed() {
    let mut scene = Scene::new();
    let message = scene
        .publish(BOB, &document("t", "x"))
        .without("Content-Type");
    assert_eq!(story(&scene.send(&message)), ["400"]);
    for content_type in [
        "",
        "x",
        "application/",
        "/",
        "application/pidf+xml;",
        "a/b, c/d",
    ] {
        let message = scene
            .publish(BOB, &document("t", "x"))
            .with("Content-Type", content_type);
        assert_eq!(story(&scene.send(&message)), ["400"], "{content_type:?}");
    }
    let message = scene
        .publish(BOB, &document("t", "x"))
        .and("Content-Type", "application/pidf+xml");
    assert_eq!(story(&scene.send(&message)), ["400"]);
    scene.empty();
}

// SRV-46
#[test]
fn an_encoded_body_is_refused_with_the_encoding_that_is_known() {
    let mut scene = Scene::new();
    for (encoding, status) in [
        ("gzip", 415),
        ("identity", 200),
        ("Identity", 200),
        ("gzip, identity", 415),
    ] {
        let message = scene
            .publish(BOB, &document("t", "x"))
            .with("Content-Encoding", encoding);
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), status, "{encoding}");
        if status == 415 {
            assert_eq!(
                response_field(outputs.response(), "Accept-Encoding"),
                Some("identity")
            );
        }
    }
    scene.close();
}

// SRV-46
#[test]
fn a_publish_with_neither_body_nor_tag_is_malformed() {
    let mut scene = Scene::new();
    for expires in ["600", "0"] {
        let message = scene.publish(BOB, "").with("Expires", expires);
        assert_eq!(story(&scene.send(&message)), ["400"]);
    }
    scene.empty();
}

// SRV-46
#[test]
fn a_body_that_cannot_be_read_is_malformed() {
    let mut scene = Scene::new();
    for body in [
        "hello",
        " ",
        "<presence/>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:bob@example.com'>",
        "<other xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:bob@example.com'/>",
        "<!DOCTYPE presence><presence xmlns='urn:ietf:params:xml:ns:pidf' entity='a:b'/>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='a:b'><![CDATA[",
    ] {
        let message = scene.publish(BOB, body);
        assert_eq!(story(&scene.send(&message)), ["400"], "{body}");
    }
    scene.empty();
}

// PIDF-03
#[test]
fn the_charset_of_the_content_type_wins_over_what_the_body_declares() {
    let mut scene = Scene::new();
    let body = "<?xml version='1.0' encoding='ISO-8859-1'?>\
        <presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:bob@example.com'>\
        <tuple id='a'><status><basic>open</basic></status><note>zu Hause, müde</note></tuple></presence>";
    for (charset, answer) in [
        ("", "400"),
        (";charset=ISO-8859-1", "400"),
        (";charset=utf-8", "200"),
        (";charset=\"UTF-8\"", "200"),
    ] {
        let message = scene
            .publish(BOB, body)
            .with("Content-Type", &format!("application/pidf+xml{charset}"));
        assert_eq!(story(&scene.send(&message))[0], answer, "{charset}");
    }
    scene.close();
}

// SRV-46
#[test]
fn a_body_that_is_too_large_gets_413() {
    let mut scene = Scene::configured(|config| config.server.limits.body = 1_000);
    let small = document("t", "x");
    let fits = format!("{small}{}", " ".repeat(1_000 - small.len()));
    let message = scene.publish(BOB, &fits);
    assert_eq!(scene.send(&message).status(), 200);
    let message = scene.publish(BOB, &format!("{fits} "));
    assert_eq!(story(&scene.send(&message)), ["413"]);
    scene.close();
}

// SRV-46: the document that unites them all is bounded.
#[test]
fn publications_of_one_presentity_are_bounded_together() {
    let body = |id: &str| document(id, &"x".repeat(1_000));
    let size = body("a").len();
    // What counts is what would be written of it.
    let written = Presence::read(body("a").as_bytes())
        .unwrap()
        .write()
        .unwrap()
        .len();
    let mut scene = Scene::configured(|config| config.server.limits.published = 2 * written + 10);
    let first = scene.published(BOB, &body("a"));
    let second = scene.published(BOB, &body("b"));
    let message = scene.publish(BOB, &body("c"));
    assert_eq!(story(&scene.send(&message)), ["413"]);
    let message = follow(
        &mut scene,
        &second,
        &body("b").replace("xx</note>", &format!("{}</note>", "x".repeat(13))),
    );
    assert_eq!(story(&scene.send(&message)), ["413"]);
    let message = follow(
        &mut scene,
        &second,
        &body("b").replace(
            "xx</note>",
            &format!("{}</note>{}", "x".repeat(12), " ".repeat(99)),
        ),
    );
    assert_eq!(scene.send(&message).status(), 200);
    let message = scene.publish(CARLA, &body("c"));
    assert_eq!(scene.send(&message).status(), 200, "each by itself");
    // What goes makes room.
    let message = follow(&mut scene, &first, "").with("Expires", "0");
    assert_eq!(scene.send(&message).status(), 200);
    let message = scene.publish(BOB, &body("c")[..size - 10]);
    assert_eq!(story(&scene.send(&message)), ["400"], "it is not whole");
    let message = scene.publish(BOB, &document("c", "x"));
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SRV-46
#[test]
fn a_refresh_keeps_the_state_for_longer() {
    let mut scene = Scene::new();
    let tag = scene.published(BOB, &document("t", "here"));
    scene.pass(500.0);
    let message = follow(&mut scene, &tag, "");
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["200", "published Refresh"]);
    assert_eq!(expires(&outputs), "600");
    let tag = etag(&outputs);
    scene.pass(500.0);
    // Behind the end that the publication had at first.
    let message = follow(&mut scene, &tag, "");
    assert_eq!(scene.send(&message).status(), 200);
    scene.pass(599.0);
    assert_eq!(shown(&mut scene), ["here"]);
    let outputs = scene.pass(1.5);
    assert_eq!(story(&outputs), ["publication expired"]);
    assert!(shown(&mut scene).is_empty());
    scene.empty();
}

// SRV-46: as one client refreshes.
#[test]
fn a_refresh_may_state_the_type_of_the_body_that_it_has_not() {
    let mut scene = Scene::new();
    let tag = scene.published(BOB, &document("t", "here"));
    let message = follow(&mut scene, &tag, "").with("Content-Length", "0");
    assert_eq!(message.field("Content-Type"), "application/pidf+xml");
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["200", "published Refresh"]);
    let tag = etag(&outputs);
    let message = follow(&mut scene, &tag, "").with("Content-Type", "text/plain");
    assert_eq!(scene.send(&message).status(), 200);
    assert_eq!(shown(&mut scene), ["here"]);
    scene.close();
}

// SRV-46
#[test]
fn a_modification_replaces_the_state() {
    let mut scene = Scene::new();
    scene.watch();
    let tag = scene.published(BOB, &document("t", "one"));
    scene.pass(10.0);
    let message = follow(&mut scene, &tag, &document("u", "two"));
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    assert_eq!(ids(outputs.notify()), ["u"]);
    assert_eq!(notes(outputs.notify()), ["two"]);
    scene.answer_all(&outputs);
    assert_eq!(scene.role.publications().count(), 1);
    scene.close();
}

// SRV-46
#[test]
fn a_removal_takes_the_state_away_at_once() {
    let mut scene = Scene::new();
    scene.watch();
    let tag = scene.published(BOB, &document("t", "one"));
    scene.pass(10.0);
    let message = follow(&mut scene, &tag, "").with("Expires", "0");
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    assert_eq!(expires(&outputs), "0");
    assert!(notes(outputs.notify()).is_empty());
    scene.answer_all(&outputs);
    assert_eq!(scene.role.publications().count(), 0);
    scene.close();
}

// SRV-46: a body in it is of no account.
#[test]
fn a_removal_may_have_a_body() {
    let mut scene = Scene::new();
    for (content_type, body) in [
        ("application/pidf+xml", document("t", "other")),
        ("application/pidf+xml", "garbage".to_owned()),
        ("text/plain", "x".to_owned()),
    ] {
        let tag = scene.published(BOB, &document("t", "one"));
        let message = follow(&mut scene, &tag, &body)
            .with("Expires", "0")
            .with("Content-Type", content_type);
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), ["200", "published Remove"]);
    }
    scene.empty();
}

// SRV-46: nothing is stored for a publication of no duration.
#[test]
fn a_publication_of_no_duration_comes_to_nothing() {
    let mut scene = Scene::new();
    scene.watch();
    let message = scene.publish(BOB, &document("t", "x")).with("Expires", "0");
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["200"]);
    assert_eq!(expires(&outputs), "0");
    let tag = etag(&outputs);
    let message = follow(&mut scene, &tag, "");
    assert_eq!(story(&scene.send(&message)), ["412"]);
    assert_eq!(scene.role.publications().count(), 0);
    scene.close();
}

// SRV-46, SRV-44
#[test]
fn a_publication_that_ran_out_is_gone() {
    let mut scene = Scene::new();
    let tag = scene.published(BOB, &document("t", "x"));
    let outputs = scene.pass(600.1);
    let [ServerEvent::PublicationExpired { resource, .. }] = outputs.events()[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(&**resource, "bob@example.com");
    let message = follow(&mut scene, &tag, "");
    assert_eq!(story(&scene.send(&message)), ["412"]);
    scene.empty();
}

// SRV-44: in whichever order the host calls.
#[test]
fn a_refresh_at_the_last_moment_is_in_time_and_later_it_is_not() {
    let second = 1_000_000_000;
    for (nanos, status) in [(600 * second - 1, 200), (600 * second, 412)] {
        let mut scene = Scene::new();
        let tag = scene.published(BOB, &document("t", "x"));
        scene.now = scene.now + Duration::from_nanos(nanos);
        let message = follow(&mut scene, &tag, "");
        assert_eq!(scene.send(&message).status(), status);
        let outputs = scene.pass(0.1);
        assert_eq!(outputs.events().len(), usize::from(status == 412));
        scene.close();
    }
}

// SRV-49, SRV-09, PUA-02
#[test]
fn publications_of_several_publishers_are_apart() {
    let mut scene = Scene::new();
    scene.watch();
    let desk = scene.published(BOB, &document("t", "desk"));
    scene.pass(10.0);
    let message = scene.publish(BOB, &document("t", "mobile"));
    let outputs = scene.send(&message);
    let mobile = etag(&outputs);
    assert_eq!(notes(outputs.notify()), ["desk", "mobile"]);
    scene.answer_all(&outputs);

    scene.pass(10.0);
    let message = follow(&mut scene, &mobile, &document("t", "in the train"));
    let outputs = scene.send(&message);
    let mobile = etag(&outputs);
    assert_eq!(notes(outputs.notify()), ["desk", "in the train"]);
    scene.answer_all(&outputs);

    scene.pass(10.0);
    let message = follow(&mut scene, &desk, "").with("Expires", "0");
    let outputs = scene.send(&message);
    assert_eq!(notes(outputs.notify()), ["in the train"]);
    scene.answer_all(&outputs);
    let message = follow(&mut scene, &mobile, "");
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SRV-49: Call-ID, From tag and CSeq tell publications neither apart nor together.
#[test]
fn publications_are_told_apart_by_their_entity_tags_alone() {
    let mut scene = Scene::new();
    let first = Message::publish(BOB, "same", &document("a", "one"));
    let one = etag(&scene.send(&first));
    let second = first.clone().with_cseq(2).with_body(&document("b", "two"));
    etag(&scene.send(&second));
    assert_eq!(scene.role.publications().count(), 2);
    // A new call, another tag and a lower number are nothing.
    let third = follow(&mut scene, &one, &document("a", "three"));
    assert_eq!(scene.send(&third).status(), 200);
    assert_eq!(shown(&mut scene), ["three", "two"]);
    scene.close();
}

// SRV-41: whole, or not at all.
#[test]
fn a_refused_modification_changes_nothing() {
    let mut scene = Scene::new();
    let tag = scene.published(BOB, &document("t", "one"));
    scene.pass(100.0);
    for (name, value, body, status) in [
        ("Content-Type", "text/plain", document("t", "two"), 415),
        (
            "Content-Type",
            "application/pidf+xml",
            "garbage".to_owned(),
            400,
        ),
        ("Expires", "1", document("t", "two"), 423),
        ("Expires", "x", document("t", "two"), 400),
        ("Require", "x", document("t", "two"), 420),
        ("Event", "x", document("t", "two"), 489),
    ] {
        let message = follow(&mut scene, &tag, &body).with(name, value);
        assert_eq!(story(&scene.send(&message)), [status.to_string()]);
    }
    assert_eq!(shown(&mut scene), ["one"]);
    let end = scene.role.publications().next().unwrap().expires_at;
    assert_eq!(end, crate::scene::at(600), "none of them gave it more time");
    let message = follow(&mut scene, &tag, &document("t", "two"));
    assert_eq!(scene.send(&message).status(), 200);
    scene.close();
}

// SRV-41
#[test]
fn publications_take_effect_in_the_order_they_came() {
    let mut scene = Scene::new();
    let mut tag = scene.published(BOB, &document("t", "0"));
    for number in 1..50 {
        let message = follow(&mut scene, &tag, &document("t", &number.to_string()));
        tag = etag(&scene.send(&message));
        assert_eq!(shown(&mut scene), [number.to_string()]);
    }
    scene.close();
}

// SRV-41, PA-65
#[test]
fn a_publish_that_came_by_two_paths_is_taken_once() {
    let mut scene = Scene::new();
    let message = scene.publish(BOB, &document("t", "x"));
    assert_eq!(scene.send(&message).status(), 200);
    assert_eq!(story(&scene.send(&message)), ["482"]);
    assert_eq!(scene.role.publications().count(), 1);
    scene.close();
}

// PA-38: as another client refreshes.
#[test]
fn the_same_document_again_is_no_change() {
    let mut scene = Scene::new();
    let mut tag = scene.published(BOB, &document("t", "here"));
    scene.watch();
    for _ in 0..5 {
        scene.pass(10.0);
        let message = follow(&mut scene, &tag, &document("t", "here"));
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), ["200", "published Modify"]);
        tag = etag(&outputs);
    }
    scene.close();
}

// SRV-51
#[test]
fn too_many_publications_are_told_to_come_back() {
    let mut scene = Scene::configured(|config| {
        config.server.limits.publications_per_resource = 2;
        config.server.retry_after = 30;
    });
    let tag = scene.published(BOB, &document("t", "one"));
    scene.published(BOB, &document("t", "two"));
    let message = scene.publish(BOB, &document("t", "three"));
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["503"]);
    assert_eq!(
        response_field(outputs.response(), "Retry-After"),
        Some("30")
    );
    // What is there stays usable, and others have room.
    let message = follow(&mut scene, &tag, &document("t", "four"));
    assert_eq!(scene.send(&message).status(), 200);
    scene.published(CARLA, &document("t", "x"));
    assert_eq!(shown(&mut scene), ["four", "two"]);
    scene.close();
}

// SRV-51
#[test]
fn publications_in_all_are_bounded_too() {
    let mut scene = Scene::configured(|config| config.server.limits.publications = 3);
    for presentity in [ANA, BOB, CARLA] {
        scene.published(presentity, &document("t", "x"));
    }
    let message = scene.publish("sip:dan@example.com", &document("t", "x"));
    assert_eq!(story(&scene.send(&message)), ["503"]);
    scene.close();
}

// SEC-33, SEC-35: RFC 2779, 5.3.1.
#[test]
fn only_the_presentity_publishes_for_itself() {
    let mut scene = Scene::new();
    for body in [document("t", "x"), "garbage".to_owned()] {
        let message = scene.publish(BOB, &body);
        let outputs = scene.send_from(&message, MALLORY);
        assert_eq!(story(&outputs), ["403"]);
        let message = scene.publish(BOB, &body);
        let outputs = scene.send_from_nobody(&message);
        assert_eq!(story(&outputs), ["challenge 401"]);
    }
    scene.empty();
}

// SEC-33: a stranger does not learn which entity-tags there are, or what can be read.
#[test]
fn a_stranger_gets_the_same_answer_whatever_he_names() {
    let mut scene = Scene::new();
    let tag = scene.published(BOB, &document("t", "x"));
    for (condition, body) in [
        (&*tag, ""),
        ("unknown", ""),
        (&*tag, "garbage"),
        ("unknown", "garbage"),
    ] {
        for expires in ["600", "0"] {
            let message = follow(&mut scene, condition, body).with("Expires", expires);
            let outputs = scene.send_from(&message, MALLORY);
            assert_eq!(story(&outputs), ["403"]);
        }
    }
    assert_eq!(scene.role.publications().count(), 1);
    scene.close();
}

// SEC-33
#[test]
fn the_policy_learns_what_is_to_be_done() {
    let mut scene = Scene::new();
    let tag = scene.published(BOB, &document("t", "x"));
    let message = follow(&mut scene, &tag, "");
    let tag = etag(&scene.send(&message));
    let message = follow(&mut scene, &tag, &document("t", "y"));
    let tag = etag(&scene.send(&message));
    let message = follow(&mut scene, &tag, "").with("Expires", "0");
    etag(&scene.send(&message));
    assert_eq!(
        scene.rules().published,
        [
            PublishKind::Initial,
            PublishKind::Refresh,
            PublishKind::Modify,
            PublishKind::Remove
        ]
    );
    scene.empty();
}

#[test]
fn the_application_sees_who_published_until_when() {
    let mut scene = Scene::new();
    scene.published(BOB, &document("t", "x"));
    let all: Vec<_> = scene.role.publications().collect();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].publisher, Some("bob@example.com"));
    assert_eq!(all[0].resource, "bob@example.com");
    assert_eq!(all[0].expires_at, crate::scene::at(600));
    assert_eq!(scene.role.counters().publications_taken(), 1);
    scene.close();
}

// SRV-46
#[test]
fn the_answer_leaves_before_what_follows_from_it() {
    let mut scene = Scene::new();
    scene.watch();
    let message = scene.publish(BOB, &document("t", "x"));
    let outputs = scene.send(&message);
    assert_eq!(
        story(&outputs),
        ["200", "published Initial", "active;expires=600"]
    );
    scene.answer_all(&outputs);
    scene.close();
}

// SEC-35: RFC 2779, 5.3.3: what a publisher claims about somebody else is not passed on.
#[test]
fn a_document_about_somebody_else_is_shown_as_the_publishers_own() {
    let mut scene = Scene::new();
    let body = document("t", "x").replace("sip:bob@example.com", "sip:carla@example.com");
    let message = scene.publish(BOB, &body);
    assert_eq!(scene.send(&message).status(), 200);
    let message = scene.subscribe(ANA, CARLA).with("Expires", "0");
    let outputs = scene.send(&message);
    assert!(crate::scene::read(outputs.notify()).tuples.is_empty());
    scene.answer_all(&outputs);
    let message = scene.subscribe(ANA, BOB).with("Expires", "0");
    let outputs = scene.send(&message);
    assert_eq!(crate::scene::read(outputs.notify()).entity, BOB);
    scene.answer_all(&outputs);
    scene.close();
}
