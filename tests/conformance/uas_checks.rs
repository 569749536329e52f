//! What every request goes through before the event package has a say (RFC 3261 section 8.2), and
//! the methods that are none of presence's business.

use presentity::event::{Authorization, Identity, Output};
use presentity::presence::AgentConfig;

use crate::common::{Message, field, response_field};
use crate::scene::{ANA, BOB, CARLA, Scene, allowed, forbidden, story};

/// Sends it as Ana and tells the status; nothing must have come of it but the response.
fn refused(scene: &mut Scene, message: &Message) -> u16 {
    let outputs = scene.send_from(message, ANA);
    assert_eq!(outputs.all.len(), 1, "{outputs:?}");
    outputs.status()
}

// PA-12, PA-26
#[test]
fn the_checks_come_in_order_and_the_first_that_fails_answers() {
    let mut scene = Scene::configured(|config| config.domains = vec!["example.com".into()]);
    scene.rules().everybody = forbidden().into();
    let mut message = Message::subscribe(ANA, "http://example.com/bob", "order")
        .with("Require", "flying")
        .with("Event", "dialog")
        .with("Content-Type", "text/plain")
        .with_body("hello")
        .with("Accept", "text/plain")
        .with("Expires", "1")
        .without("Contact")
        .without("From");
    type Repair = fn(Message) -> Message;
    let steps: [(u16, Repair); 9] = [
        (400, |it| it.with("From", "<sip:ana@example.com>;tag=t")),
        (416, |mut it| {
            it.uri = "sip:bob@example.org".into();
            it
        }),
        (404, |mut it| {
            it.uri = BOB.into();
            it
        }),
        (420, |it| it.without("Require")),
        (489, |it| it.with("Event", "presence")),
        (415, |it| it.with_body("")),
        (406, |it| it.with("Accept", "application/pidf+xml")),
        (423, |it| it.with("Expires", "600")),
        (400, |it| it.with("Contact", "<sip:ana@192.0.2.7>")),
    ];
    for (number, (status, repair)) in (1..).zip(steps) {
        // Each attempt is a request of its own.
        message = message.with_cseq(number);
        assert_eq!(refused(&mut scene, &message), status);
        message = repair(message);
    }
    message = message.with_cseq(20);
    let outputs = scene.send_from_nobody(&message);
    assert_eq!(story(&outputs), ["challenge 401"]);
    message = message.with_cseq(21);
    assert_eq!(refused(&mut scene, &message), 403);
    scene.rules().everybody = allowed();
    message = message.with_cseq(22);
    assert_eq!(scene.send_from(&message, ANA).status(), 200);
    scene.close();
}

// PA-12
#[test]
fn a_merged_request_is_told_before_its_extensions_are_looked_at() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).with("Require", "flying");
    assert_eq!(refused(&mut scene, &message), 420);
    assert_eq!(refused(&mut scene, &message), 482);
    scene.empty();
}

// PA-12
#[test]
fn each_mandatory_field_is_missed() {
    let mut scene = Scene::new();
    for name in ["From", "To", "Call-ID", "CSeq", "Contact"] {
        let message = scene.subscribe(ANA, BOB).without(name);
        assert_eq!(refused(&mut scene, &message), 400, "{name}");
    }
    scene.empty();
}

// PA-12
#[test]
fn fields_that_an_agent_can_do_without_may_be_missing() {
    let mut scene = Scene::new();
    for name in ["Via", "Max-Forwards", "Expires"] {
        let message = scene.subscribe(ANA, BOB).without(name);
        assert_eq!(scene.send_from(&message, ANA).status(), 200, "{name}");
    }
    scene.close();
}

// PA-12
#[test]
fn a_field_that_may_stand_once_stands_twice() {
    let mut scene = Scene::new();
    for name in ["From", "To", "Call-ID", "CSeq", "Event", "Expires"] {
        let message = scene.subscribe(ANA, BOB);
        let value = message.field(name).to_owned();
        let message = message.and(name, &value);
        assert_eq!(refused(&mut scene, &message), 400, "{name}");
    }
    scene.empty();
}

// PA-12
#[test]
fn a_malformed_field_is_answered_by_400() {
    let mut scene = Scene::new();
    for (name, value) in [
        ("From", ""),
        ("From", "nobody"),
        ("From", "<sip:ana@example.com>"),
        ("From", "<sip:ana@example.com>;tag="),
        ("From", "<sip:ana@example.com>;tag=a;tag=b"),
        ("From", "<sip:ana@example.com;tag=1"),
        ("To", ""),
        ("To", "bob"),
        ("To", "<sip:bob@example.com>;tag"),
        ("Call-ID", ""),
        ("Call-ID", "a b"),
        ("Call-ID", "a@b@c"),
        ("CSeq", ""),
        ("CSeq", "1"),
        ("CSeq", "SUBSCRIBE"),
        ("CSeq", "1 NOTIFY"),
        ("CSeq", "1 subscribe"),
        ("CSeq", "-1 SUBSCRIBE"),
        ("CSeq", "4294967296 SUBSCRIBE"),
        ("Event", ""),
        ("Event", "presence, presence"),
        ("Event", "presence dialog"),
        ("Event", "presence;id="),
        ("Event", "presence;id=a;id=b"),
        ("Event", ".presence"),
        ("Event", "presence."),
        ("Require", "a b"),
        ("Accept", "application"),
        ("Accept", "application/pidf+xml;q=2"),
        ("Record-Route", "sip:proxy.example.com;lr"),
        ("Record-Route", "<sip:proxy.example.com;lr"),
    ] {
        let message = scene.subscribe(ANA, BOB).with(name, value);
        assert_eq!(refused(&mut scene, &message), 400, "{name}: {value:?}");
    }
    scene.empty();
}

// PA-12
#[test]
fn what_would_make_a_header_field_of_its_own_is_refused() {
    let mut scene = Scene::new();
    for (name, value) in [
        ("Call-ID", "a\r\nEvil: 1"),
        ("Expires", "600\r\nEvil: 1"),
        ("Accept", "application/pidf+xml\n"),
        ("Event", "presence\0"),
        ("Supported", "a\rb"),
    ] {
        let message = scene.subscribe(ANA, BOB).with(name, value);
        assert_eq!(refused(&mut scene, &message), 400, "{name}: {value:?}");
    }
    let mut message = scene.subscribe(ANA, BOB);
    message.uri = "sip:bob@example.com\r\nEvil: 1".into();
    assert_eq!(refused(&mut scene, &message), 400);
    scene.empty();
}

// PA-12
#[test]
fn folded_fields_are_read() {
    let mut scene = Scene::new();
    let message = scene
        .subscribe(ANA, BOB)
        .with("From", "\"Ana\r\n B.\" <sip:ana@example.com>\r\n ;tag=f")
        .with("Event", "\r\n presence")
        .with("Accept", "text/plain,\r\n\tapplication/pidf+xml");
    assert_eq!(scene.send_from(&message, ANA).status(), 200);
    scene.close();
}

// PA-12
#[test]
fn an_unknown_extension_is_refused_and_named() {
    let mut scene = Scene::new();
    for (values, unsupported) in [
        (&["eventlist"][..], "eventlist"),
        (&["a,b"], "a, b"),
        (&["a", "b , c"], "a, b, c"),
        (&["", "gruu"], "gruu"),
    ] {
        let mut message = scene.subscribe(ANA, BOB);
        for value in values {
            message = message.and("Require", value);
        }
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), ["420"], "{values:?}");
        assert_eq!(
            response_field(outputs.response(), "Unsupported"),
            Some(unsupported)
        );
    }
    scene.empty();
}

// PA-12
#[test]
fn what_asks_nothing_of_the_agent_is_no_extension_to_refuse() {
    let mut scene = Scene::new();
    for (name, value) in [
        ("Require", ""),
        ("Require", " , "),
        ("Proxy-Require", "flying"),
        ("Supported", ""),
        ("Supported", "eventlist, flying"),
        ("Subject", "a:b;c, d"),
        ("X-Unheard", "\"<("),
    ] {
        let message = scene.subscribe(ANA, BOB).with(name, value);
        assert_eq!(scene.send(&message).status(), 200, "{name}: {value:?}");
    }
    scene.close();
}

// PA-12
#[test]
fn what_is_too_large_is_told_so() {
    let mut scene = Scene::new();
    let long = "a".repeat(17_000);
    let message = scene.subscribe(ANA, BOB).with("Accept", &long);
    assert_eq!(refused(&mut scene, &message), 513);
    let mut message = scene.subscribe(ANA, BOB);
    message.uri = format!("sip:{}@example.com", "b".repeat(1_100));
    assert_eq!(refused(&mut scene, &message), 414);
    let contact = format!("<sip:{}@192.0.2.7>", "c".repeat(8_150));
    let message = scene.subscribe(ANA, BOB).with("Contact", &contact);
    assert_eq!(refused(&mut scene, &message), 513);
    let message = scene.subscribe(ANA, BOB).with_body(&"d".repeat(70_000));
    assert_eq!(refused(&mut scene, &message), 413);
    scene.empty();
}

// PA-06, PA-09: an event type has a case.
#[test]
fn another_event_package_is_not_understood() {
    let mut scene = Scene::new();
    for event in [
        "dialog",
        "Presence",
        "PRESENCE",
        "presence2",
        "presence.list",
        "message-summary;id=1",
    ] {
        let message = scene.subscribe(ANA, BOB).with("Event", event);
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), ["489"], "{event}");
        assert_eq!(
            response_field(outputs.response(), "Allow-Events"),
            Some("presence")
        );
    }
    scene.empty();
}

// PA-08
#[test]
fn a_subscribe_that_names_no_event_package_gets_489() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).without("Event");
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["489"]);
    assert_eq!(
        response_field(outputs.response(), "Allow-Events"),
        Some("presence")
    );
    scene.empty();
}

// PA-69
#[test]
fn watcher_information_is_not_offered() {
    let mut scene = Scene::new();
    let message = scene.subscribe(BOB, BOB).with("Event", "presence.winfo");
    let outputs = scene.send(&message);
    assert_eq!(story(&outputs), ["489"]);
    assert_eq!(
        response_field(outputs.response(), "Allow-Events"),
        Some("presence")
    );
    scene.empty();
}

// PA-66: the packages of the whole user agent, as the application tells them.
#[test]
fn allow_events_lists_every_package_of_the_user_agent() {
    let mut scene = Scene::configured(|config| {
        let types = ["dialog", "a b", "", "x\r\nEvil: 1", "reg;id=1", "reg"];
        config.server.other_event_types = types.map(str::to_owned).to_vec();
    });
    let all = "presence, dialog, reg";
    assert_eq!(scene.role.allow_events(), all);
    let watch = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&watch);
    assert_eq!(
        response_field(outputs.response(), "Allow-Events"),
        Some(all)
    );
    let message = scene.subscribe(ANA, BOB).with("Event", "refer");
    let outputs = scene.send(&message);
    assert_eq!(
        response_field(outputs.response(), "Allow-Events"),
        Some(all)
    );
    scene.close();
}

// PA-07
#[test]
fn parameters_of_event_say_nothing() {
    let mut scene = Scene::new();
    for event in [
        "presence;unheard",
        "presence;max-rate=0.5",
        "presence ; a=\"b;c\" ; d",
    ] {
        let message = scene.subscribe(ANA, BOB).with("Event", event);
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), 200, "{event}");
        assert_eq!(field(outputs.notify(), "Event"), Some("presence"));
    }
    scene.close();
}

// PA-07: with them or without, it is the same subscription.
#[test]
fn parameters_of_event_play_no_part_in_matching() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    for event in ["presence;unheard=1", "presence;UNHEARD=2;more", "presence"] {
        let message = watch.refresh().with("Event", event);
        let outputs = scene.send(&message);
        assert_eq!(outputs.status(), 200, "{event}");
        scene.answer_all(&outputs);
    }
    assert_eq!(scene.live(), 1);
    scene.close();
}

// PA-11
#[test]
fn a_domain_that_is_not_served_is_not_found() {
    let mut scene = Scene::configured(|config| {
        config.domains = vec!["example.com".into(), "Example.NET".into()]
    });
    for uri in [
        "sip:bob@example.org",
        "sip:bob@sub.example.com",
        "sip:bob@example.com.example.org",
        "pres:bob@example.org",
        "sip:example.org",
    ] {
        let message = scene.subscribe(ANA, uri);
        assert_eq!(refused(&mut scene, &message), 404, "{uri}");
    }
    for uri in ["sip:bob@EXAMPLE.com", "sips:x@example.net;a=b", BOB] {
        let scheme = uri.split(':').next().unwrap();
        let contact = format!("<{}:ana@192.0.2.7>", scheme);
        let message = scene.subscribe(ANA, uri).with("Contact", &contact);
        assert_eq!(scene.send(&message).status(), 200, "{uri}");
    }
    scene.close();
}

// PA-11
#[test]
fn an_unknown_scheme_is_told_so() {
    let mut scene = Scene::new();
    for uri in [
        "http://example.com/bob",
        "tel:+15550100",
        "xmpp:bob@example.com",
        "im:bob@example.com",
        "urn:service:sos",
    ] {
        let message = scene.subscribe(ANA, uri);
        assert_eq!(refused(&mut scene, &message), 416, "{uri}");
    }
    scene.empty();
}

// PA-11
#[test]
fn telephone_numbers_are_presentities_where_they_are_told_to_be() {
    let mut scene = Scene::configured(|config| config.telephone_numbers = true);
    let message = scene.subscribe(ANA, "tel:+1-555-0100");
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    let names: Vec<_> = scene
        .role
        .subscriptions()
        .map(|it| it.resource.to_owned())
        .collect();
    assert_eq!(names, ["tel:+15550100"]);
    scene.close();
}

// PA-11, PA-12
#[test]
fn a_request_uri_that_is_none_is_malformed() {
    let mut scene = Scene::new();
    for uri in [
        "",
        "bob",
        "bob@example.com",
        "sip:",
        "sip:@example.com",
        "sip:bob@",
        "sip:bob@exa mple.com",
        "sip:bob@example.com:port",
        "sip:bob@example.com:65536",
        "sip:b%zzb@example.com",
        "pres:bob",
        "<sip:bob@example.com>",
    ] {
        let mut message = scene.subscribe(ANA, BOB);
        message.uri = uri.into();
        assert_eq!(refused(&mut scene, &message), 400, "{uri:?}");
    }
    scene.empty();
}

// PA-10
#[test]
fn the_request_uri_names_the_presentity_whatever_to_says() {
    let mut scene = Scene::new();
    scene.set("bob's");
    scene.set_for(CARLA, "carla's");
    let message = scene
        .subscribe(ANA, BOB)
        .with("To", "\"Carla\" <sip:carla@example.com>");
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    assert_eq!(crate::scene::notes(outputs.notify()), ["bob's"]);
    assert_eq!(scene.rules().asked[0].resource, "bob@example.com");
    // The dialog is the one of To and From all the same.
    let from = field(outputs.notify(), "From").unwrap();
    assert!(from.starts_with("<sip:carla@example.com>;tag="), "{from}");
    scene.close();
}

// PA-13
#[test]
fn a_body_that_is_not_understood_is_refused_with_the_types_that_are() {
    let mut scene = Scene::new();
    for content_type in [
        "text/plain",
        "application/simple-filter",
        "application/cpim-subscription",
        "application/pidf+xml",
        "multipart/mixed;boundary=x",
    ] {
        let message = scene
            .subscribe(ANA, BOB)
            .with("Content-Type", content_type)
            .with_body("anything");
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), ["415"], "{content_type}");
        let types = response_field(outputs.response(), "Accept");
        assert_eq!(types, Some("application/simple-filter+xml"));
    }
    scene.empty();
}

// PA-13
#[test]
fn a_body_that_need_not_be_understood_is_passed_over() {
    let mut scene = Scene::new();
    for disposition in ["render;handling=optional", "x;Handling=OPTIONAL;y=z"] {
        let message = scene
            .subscribe(ANA, BOB)
            .with("Content-Type", "application/unheard")
            .with("Content-Disposition", disposition)
            .with_body("anything");
        assert_eq!(scene.send(&message).status(), 200, "{disposition}");
    }
    for disposition in ["render", "render;handling=required", "signal;handling=x"] {
        let message = scene
            .subscribe(ANA, BOB)
            .with("Content-Type", "application/unheard")
            .with("Content-Disposition", disposition)
            .with_body("anything");
        assert_eq!(refused(&mut scene, &message), 415, "{disposition}");
    }
    scene.close();
}

// PA-13
#[test]
fn a_body_of_no_stated_type_is_malformed() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).with_body("anything");
    assert_eq!(refused(&mut scene, &message), 400);
    for content_type in ["", "text", "/plain", "text/plain;", "text/plain text/html"] {
        let message = scene
            .subscribe(ANA, BOB)
            .with("Content-Type", content_type)
            .with_body("anything");
        assert_eq!(refused(&mut scene, &message), 400, "{content_type:?}");
    }
    scene.empty();
}

// PA-13, PA-15: without a body there is no filter.
#[test]
fn a_content_type_without_a_body_asks_for_nothing() {
    let mut scene = Scene::new();
    scene.set("all of it");
    let message = scene
        .subscribe(ANA, BOB)
        .with("Content-Type", "application/simple-filter+xml")
        .with("Content-Length", "0");
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    assert_eq!(crate::scene::notes(outputs.notify()), ["all of it"]);
    scene.close();
}

// PA-67
#[test]
fn a_cancel_is_answered_and_has_no_effect() {
    let mut scene = Scene::new();
    let watch = scene.watch();
    let mut cancel = watch.message.clone().with("CSeq", "1 CANCEL");
    cancel.method = "CANCEL".into();
    assert!(scene.role.accepts(&cancel.view()));
    let outputs = scene.send(&cancel);
    assert_eq!(story(&outputs), ["200"]);
    assert_eq!(scene.live(), 1);
    scene.set("still told");
    scene.close();
}

#[test]
fn an_ack_is_never_answered() {
    let mut scene = Scene::new();
    let message = Message::new("ACK", ANA, BOB, "a");
    assert!(scene.send(&message).all.is_empty());
    scene.empty();
}

#[test]
fn other_methods_are_not_of_this_role() {
    let mut scene = Scene::new();
    for method in ["INVITE", "MESSAGE", "REGISTER", "OPTIONS", "subscribe"] {
        let message = Message::new(method, ANA, BOB, method);
        assert!(!scene.role.accepts(&message.view()), "{method}");
        let outputs = scene.send(&message);
        assert_eq!(story(&outputs), ["405"], "{method}");
        assert_eq!(
            response_field(outputs.response(), "Allow"),
            Some("SUBSCRIBE, PUBLISH")
        );
    }
    scene.empty();
}

// PA-53
#[test]
fn other_methods_in_a_dialog_that_is_none_find_nothing() {
    let mut scene = Scene::new();
    for method in ["INVITE", "OPTIONS", "BYE", "REFER"] {
        let message = Message::new(method, ANA, BOB, method).in_dialog("unknown", 2);
        assert_eq!(refused(&mut scene, &message), 481, "{method}");
    }
    scene.empty();
}

// PA-06: a host with several packages asks each of them.
#[test]
fn an_agent_owns_what_is_for_its_package_or_its_dialogs() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let owned = [
        scene.subscribe(ANA, BOB),
        scene.publish(BOB, "x"),
        watch.refresh(),
        watch.refresh().with("Event", "dialog"),
    ];
    for message in owned {
        assert!(scene.role.owns(&message.view()), "{message:?}");
    }
    let foreign = [
        scene.subscribe(ANA, BOB).with("Event", "dialog"),
        scene.subscribe(ANA, BOB).with("Event", "Presence"),
        scene.subscribe(ANA, BOB).without("Event"),
        scene.subscribe(ANA, BOB).without("From"),
        watch.refresh().with("Call-ID", "another"),
        Message::new("NOTIFY", ANA, BOB, "n").with("Event", "presence"),
    ];
    for message in foreign {
        assert!(!scene.role.owns(&message.view()), "{message:?}");
    }
    scene.close();
}

#[test]
fn a_notify_finds_no_subscription_of_an_agent() {
    let mut scene = Scene::new();
    let message = Message::new("NOTIFY", ANA, BOB, "n");
    assert!(!scene.role.accepts(&message.view()));
    assert_eq!(refused(&mut scene, &message), 481);
    scene.empty();
}

// PA-66, SRV-50: what a host answers OPTIONS with.
#[test]
fn the_host_learns_what_to_tell_in_options() {
    let scene = Scene::new();
    assert_eq!(scene.role.allow(), "SUBSCRIBE, PUBLISH");
    assert_eq!(scene.role.allow_events(), "presence");
    scene.empty();
}

// PA-65
#[test]
fn the_same_request_by_another_path_is_merged() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    let first = scene.send(&message);
    assert_eq!(first.status(), 200);
    let second = message
        .clone()
        .with("Via", "SIP/2.0/UDP other.example.net;branch=z9hG4bKother");
    assert_eq!(refused(&mut scene, &second), 482);
    // With another Request-URI too: a proxy may have forked it.
    let mut third = second.clone();
    third.uri = CARLA.into();
    assert_eq!(refused(&mut scene, &third), 482);
    assert_eq!(scene.live(), 1);
    scene.answer_all(&first);
    scene.close();
}

// PA-65
#[test]
fn what_differs_in_call_tag_or_number_is_not_merged() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    for other in [
        message.clone(),
        message.clone().with("Call-ID", "another"),
        message
            .clone()
            .with("From", "<sip:ana@example.com>;tag=another"),
        message.clone().with_cseq(2),
    ] {
        assert_eq!(scene.send(&other).status(), 200);
    }
    assert_eq!(scene.live(), 4);
    scene.close();
}

// PA-65: as long as a branch of it may be under way.
#[test]
fn a_request_is_remembered_for_32_seconds() {
    for (seconds, status) in [(31.9, 482), (32.1, 200)] {
        let mut scene = Scene::new();
        let message = scene.subscribe(ANA, BOB);
        let outputs = scene.send(&message);
        scene.answer_all(&outputs);
        scene.pass(seconds);
        assert_eq!(scene.send(&message).status(), status, "{seconds}");
        scene.close();
    }
}

// PA-65: a refused one too, or the proof of who somebody is could be had twice.
#[test]
fn a_refused_request_is_merged_all_the_same() {
    let mut scene = Scene::with(AgentConfig::default(), Authorization::Challenge);
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send_as(&message, &Identity::nobody());
    assert!(matches!(outputs.all[..], [Output::Challenge(_)]));
    assert_eq!(refused(&mut scene, &message), 482);
    scene.empty();
}

#[test]
fn the_response_has_a_tag_unless_the_request_had() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB).with("Event", "other");
    assert!(scene.send(&message).response().to_tag().is_some());
    let message = scene.subscribe(ANA, BOB).in_dialog("unknown", 2);
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 481);
    assert_eq!(outputs.response().to_tag(), None);
    scene.empty();
}

// PA-63
#[test]
fn no_response_has_an_event_field() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let refresh = watch.refresh();
    let cases = [
        scene.subscribe(ANA, BOB),
        scene.subscribe(ANA, BOB).with("Expires", "0"),
        scene.subscribe(ANA, BOB).with("Expires", "1"),
        scene.subscribe(ANA, BOB).with("Event", "dialog"),
        scene.subscribe(ANA, BOB).without("Event"),
        refresh,
        scene.publish(ANA, &crate::scene::document("a", "b")),
    ];
    for message in cases {
        let outputs = scene.send(&message);
        let names: Vec<_> = outputs.response().fields().map(|(name, _)| name).collect();
        assert!(!names.contains(&"Event"), "{outputs:?}");
        assert!(!names.contains(&"Subscription-State"), "{outputs:?}");
        scene.answer_all(&outputs);
    }
    scene.close();
}

// PA-61: the host's GRUU, where it has one, is the local target of the dialog.
#[test]
fn the_local_contact_is_the_one_that_the_host_gives() {
    let mut scene = Scene::new();
    let gruu = "sip:agent@example.com;gr=urn:uuid:0c67446e";
    let message = scene.subscribe(ANA, BOB);
    let identity = Identity::of(ANA, presentity::event::Assurance::Digest).unwrap();
    let context = presentity::event::RequestContext::new(&identity, gruu);
    let outputs = scene.send_with(&message, &context);
    let bracketed = format!("<{gruu}>");
    assert_eq!(
        response_field(outputs.response(), "Contact"),
        Some(&*bracketed)
    );
    assert_eq!(field(outputs.notify(), "Contact"), Some(&*bracketed));
    scene.close();
}

#[test]
fn a_host_without_a_contact_of_its_own_gets_nothing_begun() {
    let mut scene = Scene::new();
    let identity = Identity::of(ANA, presentity::event::Assurance::Digest).unwrap();
    let mut watch = scene.watch();
    for broken in ["", "sip:agent@example.com>", "sip:agent\r\nX: y"] {
        let context = presentity::event::RequestContext::new(&identity, broken);
        let message = scene.subscribe(ANA, BOB);
        let outputs = scene.send_with(&message, &context);
        assert_eq!(outputs.status(), 500, "{broken:?}");
        assert_eq!(scene.live(), 1);
        // The dialog's CSeq is not used up by it.
        let refresh = watch.refresh();
        assert_eq!(scene.send_with(&refresh, &context).status(), 500);
        let outputs = scene.send(&refresh);
        assert_eq!(outputs.status(), 200);
        scene.answer_all(&outputs);
    }
    let counted = scene
        .role
        .counters()
        .refused(presentity::event::RefusalReason::LocalContact);
    assert_eq!(counted, 6);
    scene.close();
}
