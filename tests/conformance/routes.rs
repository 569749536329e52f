//! Route sets: NOTIFY goes back the way that Record-Route wrote down (RFC 3261 section 12).

use presentity::sip::OutgoingRequest;

use crate::common::Message;
use crate::scene::{ANA, BOB, Scene, Watch};

fn routed(scene: &mut Scene, record_routes: &[&str]) -> Watch {
    let mut message = scene.subscribe(ANA, BOB);
    for value in record_routes {
        message = message.and("Record-Route", value);
    }
    scene.watch_by(message)
}

fn routes(request: &OutgoingRequest) -> Vec<&str> {
    request
        .fields()
        .filter(|(name, _)| *name == "Route")
        .map(|(_, value)| value)
        .collect()
}

const TARGET: &str = "sip:ana@phone.example.net:5062";

// PA-59
#[test]
fn without_record_route_there_is_no_route() {
    let mut scene = Scene::new();
    let watch = routed(&mut scene, &[]);
    assert!(routes(&watch.notify).is_empty());
    assert_eq!(watch.notify.uri(), TARGET);
    assert_eq!(watch.notify.next_hop(), TARGET);
    scene.close();
}

// PA-59: in the order of the request, with all that belongs to the URIs.
#[test]
fn loose_routers_are_passed_in_the_order_of_record_route() {
    let mut scene = Scene::new();
    let watch = routed(
        &mut scene,
        &[
            "\"near\" <sip:p3.example.com;lr;transport=tcp;ftag=1>;x=y , <sip:p2.example.com;lr=on>",
            "<sip:192.0.2.9:5070;LR>",
        ],
    );
    assert_eq!(
        routes(&watch.notify),
        [
            "<sip:p3.example.com;lr;transport=tcp;ftag=1>",
            "<sip:p2.example.com;lr=on>",
            "<sip:192.0.2.9:5070;LR>",
        ]
    );
    assert_eq!(watch.notify.uri(), TARGET);
    assert_eq!(
        watch.notify.next_hop(),
        "sip:p3.example.com;lr;transport=tcp;ftag=1"
    );
    scene.close();
}

// PA-59
#[test]
fn a_strict_router_finds_itself_in_the_request_uri() {
    let mut scene = Scene::new();
    let watch = routed(
        &mut scene,
        &["<sip:strict.example.com>", "<sip:loose.example.com;lr>"],
    );
    assert_eq!(watch.notify.uri(), "sip:strict.example.com");
    assert_eq!(
        routes(&watch.notify),
        ["<sip:loose.example.com;lr>", &format!("<{TARGET}>")]
    );
    scene.close();
}

// PA-59
#[test]
fn a_strict_router_alone_leaves_the_target_as_the_only_route() {
    let mut scene = Scene::new();
    let watch = routed(&mut scene, &["<sip:strict.example.com:5070>"]);
    assert_eq!(watch.notify.uri(), "sip:strict.example.com:5070");
    assert_eq!(routes(&watch.notify), [format!("<{TARGET}>")]);
    scene.close();
}

// PA-59
#[test]
fn a_strict_router_behind_a_loose_one_is_a_route_like_any() {
    let mut scene = Scene::new();
    let watch = routed(
        &mut scene,
        &["<sip:loose.example.com;lr>, <sip:strict.example.com>"],
    );
    assert_eq!(watch.notify.uri(), TARGET);
    assert_eq!(
        routes(&watch.notify),
        ["<sip:loose.example.com;lr>", "<sip:strict.example.com>"]
    );
    scene.close();
}

// PA-59: what no Request-URI has does not get into one.
#[test]
fn a_target_or_router_with_what_no_request_uri_has_is_malformed() {
    let mut scene = Scene::new();
    let strange = [
        "<sip:x.example.com;method=INVITE>",
        "<sip:x.example.com;lr;METHOD=INVITE>",
        "<sip:x.example.com;lr?Subject=x>",
        "<sip:x.example.com?Replaces=x&From=y>",
    ];
    for uri in strange {
        let message = scene.subscribe(ANA, BOB).with("Contact", uri);
        assert_eq!(scene.send(&message).status(), 400, "{uri}");
        for value in [uri.to_owned(), format!("<sip:p1.example.com;lr>, {uri}")] {
            let message = scene.subscribe(ANA, BOB).with("Record-Route", &value);
            assert_eq!(scene.send(&message).status(), 400, "{value}");
        }
    }
    scene.empty();
}

// PA-60
#[test]
fn a_new_target_is_reached_by_the_same_loose_routers() {
    let mut scene = Scene::new();
    let mut watch = routed(
        &mut scene,
        &["<sip:p2.example.com;lr>, <sip:p1.example.com;lr>"],
    );
    let message = watch.refresh().with("Contact", "<sip:new@192.0.2.8>");
    let outputs = scene.send(&message);
    assert_eq!(outputs.notify().uri(), "sip:new@192.0.2.8");
    assert_eq!(
        routes(outputs.notify()),
        ["<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"]
    );
    scene.answer_all(&outputs);
    scene.close();
}

// PA-60
#[test]
fn a_new_target_is_reached_by_the_same_strict_router() {
    for record_routes in [
        &["<sip:strict.example.com>"][..],
        &["<sip:strict.example.com>, <sip:other.example.com;lr>"],
    ] {
        let mut scene = Scene::new();
        let mut watch = routed(&mut scene, record_routes);
        let kept = routes(&watch.notify).len() - 1;
        let before: Vec<String> = routes(&watch.notify)[..kept]
            .iter()
            .map(|route| route.to_string())
            .collect();
        for target in ["sip:a-much-longer-name@192.0.2.8:5099", "sip:a@192.0.2.9"] {
            let contact = format!("<{target}>");
            let outputs = scene.send(&watch.refresh().with("Contact", &contact));
            assert_eq!(outputs.notify().uri(), "sip:strict.example.com");
            let after = routes(outputs.notify());
            assert_eq!(after[..kept], before);
            assert_eq!(after[kept..], [contact]);
            // The rest of the head is as it was.
            assert_eq!(
                outputs.notify().fields().count(),
                watch.notify.fields().count()
            );
            scene.answer_all(&outputs);
        }
        scene.close();
    }
}

// PA-59: the route set is the one of the first SUBSCRIBE.
#[test]
fn record_route_in_a_refresh_changes_nothing() {
    let mut scene = Scene::new();
    let mut watch = routed(&mut scene, &["<sip:p1.example.com;lr>"]);
    let message = watch
        .refresh()
        .without("Record-Route")
        .with("Record-Route", "<sip:other.example.com;lr>");
    let outputs = scene.send(&message);
    assert_eq!(routes(outputs.notify()), ["<sip:p1.example.com;lr>"]);
    scene.answer_all(&outputs);
    let outputs = scene.send(&watch.refresh().without("Record-Route"));
    assert_eq!(routes(outputs.notify()), ["<sip:p1.example.com;lr>"]);
    scene.answer_all(&outputs);
    scene.close();
}

// PA-12
#[test]
fn record_route_that_is_none_is_malformed() {
    let mut scene = Scene::new();
    for value in [
        "",
        "p1",
        "<p1>",
        "<>",
        "sip:p1.example.com;lr",
        "<sip:p1;lr",
        "<sip:p1>x",
    ] {
        let message = scene.subscribe(ANA, BOB).with("Record-Route", value);
        let outputs = scene.send(&message);
        let accepted = value.is_empty();
        assert_eq!(
            outputs.status(),
            if accepted { 200 } else { 400 },
            "{value:?}"
        );
        scene.answer_all(&outputs);
    }
    scene.close();
}

// PA-59: nothing but SIP routers route SIP.
#[test]
fn a_router_that_does_not_speak_sip_is_malformed() {
    let mut scene = Scene::new();
    for value in ["<http://p1.example.com/;lr>", "<tel:+15550100>", "<sip:>"] {
        let message = scene.subscribe(ANA, BOB).with("Record-Route", value);
        assert_eq!(scene.send(&message).status(), 400, "{value:?}");
    }
    scene.empty();
}

#[test]
fn as_many_routers_as_there_may_be_hops_are_kept() {
    let mut scene = Scene::new();
    let mut message: Message = scene.subscribe(ANA, BOB);
    for hop in 0..70 {
        message = message.and("Record-Route", &format!("<sip:p{hop}.example.com;lr>"));
    }
    let watch = scene.watch_by(message);
    assert_eq!(routes(&watch.notify).len(), 70);
    assert_eq!(routes(&watch.notify)[69], "<sip:p69.example.com;lr>");
    scene.close();
}
