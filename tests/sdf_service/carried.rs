//! Requests in the bodies of SUBSCRIBE.

use bytes::Bytes;
use presentity::event::{Assurance, Output as AgentOutput, Signature};
use presentity::mime::{Part, Sign, Signed, VerifyError, Written};
use presentity::presence::AgentConfig;
use presentity::sdf::{Failure, MEDIA_TYPE, Operation, Output, Request, ServiceConfig};
use time::Duration;

use crate::common::{Message, seeded};
use crate::scene::{EMIL, NORA, OTTO, RUTH, Scene, authority, known, nobody, written};
use crate::signing::KeyHolder;

pub const SIP_NORA: &str = "sip:nora@example.org";
pub const SIP_EMIL: &str = "sip:emil@example.com";
pub const GATEWAY: &str = "sip:gateway@example.net";

/// A SUBSCRIBE of a new call around a request, with the seconds that it asks for.
pub fn carrying(scene: &mut Scene, request: &Request) -> Message {
    let message = scene.message(SIP_NORA, SIP_EMIL);
    around(message, request)
}

pub fn around(message: Message, request: &Request) -> Message {
    let mut message = message
        .with("Expires", &request.duration().to_string())
        .with("Content-Type", MEDIA_TYPE);
    message.body = request.octets().clone();
    message
}

pub fn around_signed(message: Message, written: &Written) -> Message {
    let mut message = message.with("Content-Type", &written.content_type);
    message.body = written.body.clone();
    message
}

pub fn of_nora() -> KeyHolder {
    authority().signer(&[NORA])
}

/// A SUBSCRIBE for ten minutes with a request that she has signed.
fn signed(scene: &mut Scene, token: &str) -> Message {
    let request = scene.request(NORA, EMIL, token, 600);
    let message = scene.message(GATEWAY, SIP_EMIL);
    let written = scene.signed(&request, &of_nora());
    around_signed(message, &written)
}

fn ask(scene: &mut Scene) -> Message {
    let request = scene.request(NORA, EMIL, "a", 600);
    carrying(scene, &request)
}

// SDF-10, SDF-12: it is an ordinary subscription of SIP.
#[test]
fn a_request_that_agrees_with_its_carrier_passes() {
    let mut scene = Scene::new();
    scene.set(EMIL, "x");
    let message = ask(&mut scene);
    let outputs = scene.sip(&message, &known(SIP_NORA));
    assert_eq!(outputs.story(), ["sip 200", "sip active: x"]);
    assert_eq!(outputs.field("Expires"), Some("600"));
    let asked = scene.rules().asked.pop().unwrap();
    assert_eq!(asked.watcher.as_deref(), Some("nora@example.org"));
    assert_eq!((asked.signature, asked.expires), (Signature::None, 600));
    assert_eq!(scene.service.agent().bodies().remembered(), 1);
    // A fetch, too.
    let fetch = scene.request(NORA, EMIL, "", 0);
    let fetch = carrying(&mut scene, &fetch);
    let outputs = scene.sip(&fetch, &known(SIP_NORA));
    assert_eq!(outputs.story(), ["sip 200", "sip terminated: x"]);
    assert_eq!(scene.live(), 1);
    scene.close();
}

// SDF-37: other spellings of the Request-URI, and the length that holds without Expires.
#[test]
fn what_means_the_same_agrees() {
    let mut scene = Scene::new();
    for uri in [
        "sip:emil@EXAMPLE.com",
        "pres:emil@example.com",
        "sip:%65mil@example.com;x=y",
    ] {
        let mut message = ask(&mut scene);
        message.uri = uri.into();
        assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 200, "{uri}");
    }
    let request = scene.request(NORA, EMIL, "b", 3600);
    let message = carrying(&mut scene, &request).without("Expires");
    let outputs = scene.sip(&message, &known(NORA));
    assert_eq!(
        (outputs.status(), outputs.field("Expires")),
        (200, Some("3600"))
    );
    let message = ask(&mut scene).with(
        "Content-Type",
        "Application/CPIM-subscription;charset=UTF-8",
    );
    assert_eq!(scene.sip(&message, &known(NORA)).status(), 200);
    scene.close();
}

// SDF-23, SDF-35, SDF-36, SDF-37: each contradiction has its status and says why.
#[test]
fn contradictions_are_refused() {
    type Change = fn(&mut Scene) -> Message;
    let cases: [(u16, &str, Change); 12] = [
        (400, "To of the subscription request", |scene| {
            let request = scene.request(NORA, RUTH, "a", 600);
            carrying(scene, &request)
        }),
        (400, "contradicts", |scene| {
            ask(scene).with("Expires", "601")
        }),
        (400, "contradicts", |scene| ask(scene).with("Expires", "0")),
        (400, "contradicts", |scene| ask(scene).without("Expires")),
        (400, "contradicts", |scene| {
            let request = scene.request(NORA, EMIL, "", 0);
            carrying(scene, &request).with("Expires", "600")
        }),
        // To cancel what this dialog cannot be.
        (400, "contradicts", |scene| {
            let request = scene.request(NORA, EMIL, "a", 0);
            carrying(scene, &request)
        }),
        (403, "is not the sender", |scene| {
            let request = scene.request(OTTO, EMIL, "a", 600);
            carrying(scene, &request)
        }),
        (403, "stale", |scene| {
            let at = scene.today() + Duration::seconds(301);
            let request = written(NORA, EMIL, at, "a", 600);
            carrying(scene, &request)
        }),
        (403, "stale", |scene| {
            let at = scene.today() - Duration::seconds(301);
            let request = written(NORA, EMIL, at, "a", 600);
            carrying(scene, &request)
        }),
        (400, "unreadable", |scene| {
            ask(scene).with_body("<Subscribe/>")
        }),
        (400, "unreadable", |scene| ask(scene).with_body("\u{0}")),
        (400, "unreadable", |scene| {
            ask(scene).with("Content-Type", "multipart/signed; boundary=x")
        }),
    ];
    for (status, why, change) in cases {
        let mut scene = Scene::new();
        let message = change(&mut scene);
        let outputs = scene.sip(&message, &known(SIP_NORA));
        assert_eq!(outputs.status(), status, "{why}");
        let warning = outputs.field("Warning").expect("why");
        assert!(
            warning.starts_with("399 ") && warning.contains(why),
            "{warning}"
        );
        assert_eq!((outputs.all.len(), scene.live()), (1, 0));
        assert_eq!(scene.service.agent().bodies().remembered(), 0);
        assert_eq!(scene.rules().asked.len(), 0);
        scene.empty();
    }
}

#[test]
fn without_the_time_of_day_bodies_are_the_servers_trouble() {
    let mut scene = Scene::without_clock(AgentConfig::default(), ServiceConfig::default());
    let message = ask(&mut scene);
    assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 500);
    scene.empty();
}

// SDF-38, SEC-37: what From says is no proof, and there is a way to give one.
#[test]
fn who_is_nobody_is_challenged_and_may_come_again() {
    let mut scene = Scene::new();
    scene.rules().nobody = crate::scene::allowed();
    let message = ask(&mut scene);
    let outputs = scene.sip(&message, &nobody());
    assert_eq!(outputs.story(), ["sip challenge 401"]);
    let message = message.with_cseq(2);
    assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 200);
    scene.close();
}

#[test]
fn bodies_of_other_types_are_refused_with_those_that_are_read() {
    let mut scene = Scene::new();
    let accept = "application/cpim-subscription, multipart/signed, application/simple-filter+xml";
    for kind in [
        "application/pidf+xml",
        "multipart/mixed;boundary=x",
        "text/plain",
    ] {
        let message = ask(&mut scene).with("Content-Type", kind);
        let outputs = scene.sip(&message, &known(SIP_NORA));
        assert_eq!(
            (outputs.status(), outputs.field("Accept")),
            (415, Some(accept))
        );
    }
    let message = ask(&mut scene).with("Content-Encoding", "gzip");
    let outputs = scene.sip(&message, &known(SIP_NORA));
    assert_eq!(
        (outputs.status(), outputs.field("Accept-Encoding")),
        (415, Some("identity"))
    );
    // And of those within a signature.
    let part = Part::new("application/pidf+xml", &Bytes::from_static(b"<x/>")).unwrap();
    let signature = of_nora().sign(part.octets()).unwrap();
    let around = Signed::write(part.octets(), &signature, &mut seeded(1));
    let message = around_signed(scene.message(SIP_NORA, SIP_EMIL), &around);
    let outputs = scene.sip(&message, &known(SIP_NORA));
    assert_eq!(
        (outputs.status(), outputs.field("Accept")),
        (415, Some(accept))
    );
    assert!(outputs.field("Warning").is_some());
    let message = ask(&mut scene).without("Content-Type");
    assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 400);
    let message = ask(&mut scene).with_body(&"x".repeat(70_000));
    assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 413);
    scene.empty();
}

#[test]
fn without_a_body_it_is_an_ordinary_subscribe() {
    let mut scene = Scene::new();
    let plain = scene.message(SIP_NORA, SIP_EMIL);
    let outputs = scene.sip(&plain, &known(SIP_NORA));
    assert_eq!(outputs.status(), 200);
    // A body that may be passed over is.
    let optional = ask(&mut scene)
        .with("Content-Type", "text/plain")
        .with("Content-Disposition", "render;handling=optional");
    assert_eq!(scene.sip(&optional, &known(OTTO)).status(), 200);
    let required = ask(&mut scene)
        .with("Content-Type", "text/plain")
        .with("Content-Disposition", "render;handling=required");
    assert_eq!(scene.sip(&required, &known(OTTO)).status(), 415);
    assert_eq!(scene.service.agent().bodies().remembered(), 0);
    // One that is known is read all the same.
    let known_type = ask(&mut scene)
        .with("Expires", "700")
        .with("Content-Disposition", "render;handling=optional");
    assert_eq!(scene.sip(&known_type, &known(SIP_NORA)).status(), 400);
    scene.close();
}

// SDF-30, SDF-33, SDF-34, SEC-36: the signature tells who asks, through whoever carries it.
#[test]
fn who_has_signed_needs_no_other_proof() {
    for carrier in [nobody(), known(GATEWAY), known(SIP_NORA)] {
        let mut scene = Scene::new();
        scene.rules().signature = Signature::Bound;
        scene.rule(GATEWAY, crate::scene::forbidden());
        let message = signed(&mut scene, "a");
        let outputs = scene.sip(&message, &carrier);
        assert_eq!(
            outputs.story(),
            ["sip verify", "sip 200", "sip active: unknown"]
        );
        let asked = scene.rules().asked.pop().unwrap();
        assert_eq!(asked.watcher.as_deref(), Some("nora@example.org"));
        assert_eq!(asked.signature, Signature::Bound);
        assert!(
            asked
                .claims
                .contains(&("nora@example.org".into(), Assurance::Smime))
        );
        let agent = scene.service.agent();
        let watchers: Vec<_> = agent.subscriptions().map(|it| it.watcher).collect();
        assert_eq!(watchers, [Some("nora@example.org")]);
        scene.close();
    }
}

// SDF-32: without signature where the policy asks for one.
#[test]
fn what_is_not_signed_is_refused_where_it_must_be() {
    let mut scene = Scene::new();
    scene.rules().signature = Signature::Bound;
    let message = ask(&mut scene);
    assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 403);
    let plain = scene.message(SIP_NORA, SIP_EMIL);
    assert_eq!(scene.sip(&plain, &known(SIP_NORA)).status(), 403);
    assert_eq!(scene.live(), 0);
    scene.empty();
}

// SDF-35
#[test]
fn wrong_signatures_are_refused() {
    let keys = [
        (authority().signer(&[OTTO]), "does not name the watcher"),
        (KeyHolder::self_signed(&[NORA]), "not trusted"),
        (
            authority().signer(&[OTTO]).with_certificate_of(&of_nora()),
            "signature refused",
        ),
    ];
    for (key, why) in keys {
        let mut scene = Scene::new();
        let request = scene.request(NORA, EMIL, "a", 600);
        let written = scene.signed(&request, &key);
        let message = around_signed(scene.message(SIP_NORA, SIP_EMIL), &written);
        let outputs = scene.sip(&message, &known(SIP_NORA));
        assert_eq!(outputs.status(), 403);
        assert!(outputs.field("Warning").unwrap().contains(why));
        assert_eq!(
            (scene.live(), scene.service.agent().bodies().remembered()),
            (0, 0)
        );
        scene.empty();
    }
}

fn held(scene: &mut Scene, message: &Message) -> presentity::event::Verification {
    scene.verifies = false;
    let outputs = scene.sip(message, &nobody());
    assert_eq!(outputs.story(), ["sip verify"]);
    outputs.sip_verification().clone()
}

#[test]
fn a_subscribe_waits_for_the_verdict_and_then_is_answered_once() {
    let mut scene = Scene::new();
    let message = signed(&mut scene, "a");
    let waiting = held(&mut scene, &message);
    assert_eq!(scene.service.agent().occupancy().jobs, 1);
    scene.pass(15.9);
    let verdict = scene.verdict(&waiting.signed);
    let agent = scene.service.agent_mut();
    assert!(agent.complete_verification(scene.now, waiting.key, &verdict));
    assert!(!agent.complete_verification(scene.now, waiting.key, &Err(VerifyError::Wrong)));
    assert_eq!(scene.drain().story(), ["sip 200", "sip active: unknown"]);
    assert_eq!(scene.service.agent().occupancy().jobs, 0);
    scene.close();
}

#[test]
fn a_subscribe_without_a_verdict_in_time_gets_504() {
    let mut scene = Scene::new();
    let message = signed(&mut scene, "a");
    let waiting = held(&mut scene, &message);
    assert_eq!(
        waiting.deadline,
        scene.now + std::time::Duration::from_secs(16)
    );
    assert_eq!(scene.pass(15.999).story(), [""; 0]);
    assert_eq!(scene.pass(0.1).story(), ["sip 504"]);
    let verdict = scene.verdict(&waiting.signed);
    let agent = scene.service.agent_mut();
    assert!(!agent.complete_verification(scene.now, waiting.key, &verdict));
    assert_eq!((scene.drain().story(), scene.live()), (vec![], 0));
    scene.verifies = true;
    let again = message.with_cseq(2);
    assert_eq!(scene.sip(&again, &nobody()).status(), 200);
    scene.close();
}

#[test]
fn only_so_many_wait_for_a_verdict() {
    let mut scene = Scene::configured(|agent, _| agent.server.limits.jobs = 1);
    let (first, second) = (signed(&mut scene, "a"), signed(&mut scene, "b"));
    held(&mut scene, &first);
    let outputs = scene.sip(&second, &nobody());
    assert_eq!(
        (outputs.status(), outputs.field("Retry-After")),
        (503, Some("10"))
    );
    assert_eq!(scene.pass(17.0).story(), ["sip 504"]);
    scene.empty();
}

// The same SUBSCRIBE by two paths, and the same body in two calls, while the first is verified.
#[test]
fn of_two_that_are_the_same_one_passes() {
    let mut scene = Scene::new();
    let message = signed(&mut scene, "a");
    let first = held(&mut scene, &message);
    assert_eq!(scene.sip(&message, &nobody()).status(), 482);
    let other = scene
        .message(GATEWAY, SIP_EMIL)
        .with("Content-Type", message.field("Content-Type"));
    let mut other = other;
    other.body = message.body.clone();
    let second = held(&mut scene, &other);
    let verdict = scene.verdict(&first.signed);
    for (key, status) in [(second.key, 200), (first.key, 403)] {
        let agent = scene.service.agent_mut();
        assert!(agent.complete_verification(scene.now, key, &verdict));
        assert_eq!(scene.drain().status(), status);
    }
    assert_eq!(scene.live(), 1);
    scene.close();
}

// SDF-36: by whichever way.
#[test]
fn what_was_accepted_by_one_way_is_not_by_the_other() {
    for (token, duration) in [("a", 600), ("", 0)] {
        let mut scene = Scene::new();
        let request = scene.request(NORA, EMIL, token, duration);
        let carried = carrying(&mut scene, &request);
        assert_eq!(scene.sip(&carried, &known(SIP_NORA)).status(), 200);
        assert_eq!(
            scene.send(&request, &known(NORA)).failure(),
            Failure::Replayed
        );

        let request = scene.request(NORA, EMIL, token, duration);
        assert!(scene.send(&request, &known(NORA)).answer().is_ok());
        let carried = carrying(&mut scene, &request);
        let outputs = scene.sip(&carried, &known(SIP_NORA));
        assert_eq!(outputs.status(), 403);
        assert!(outputs.field("Warning").unwrap().contains("not newer"));
        // The same body in another call.
        let message = ask(&mut scene);
        assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 200);
        let mut again = scene
            .message(SIP_NORA, SIP_EMIL)
            .with("Content-Type", MEDIA_TYPE);
        again.body = message.body.clone();
        assert_eq!(scene.sip(&again, &known(SIP_NORA)).status(), 403);
        scene.close();
    }
}

// SDF-14: those of SIP and the others have nothing to do with each other.
#[test]
fn a_subscription_of_sip_is_not_ended_by_the_other_way() {
    let mut scene = Scene::new();
    let message = ask(&mut scene);
    assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 200);
    assert_eq!(
        scene.cancel(NORA, EMIL, "a").failure(),
        Failure::UnknownSubscription
    );
    let granted = scene.subscribe(NORA, EMIL, "a", 600).granted();
    assert_eq!(granted.operation, Operation::Subscribe);
    assert_eq!(scene.live(), 2);
    scene.cancel(NORA, EMIL, "a");
    assert_eq!(scene.live(), 1);
    scene.close();
}

// SDF-36: what was refused after the body was read may come again.
#[test]
fn refused_subscribes_are_not_remembered() {
    let mut scene = Scene::configured(|agent, _| agent.server.limits.subscriptions = 1);
    scene.subscribe(OTTO, EMIL, "z", 600);
    let message = ask(&mut scene);
    assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 503);
    scene.cancel(OTTO, EMIL, "z");
    scene.rule(NORA, crate::scene::forbidden());
    let message = message.with_cseq(2);
    assert_eq!(scene.sip(&message, &known(SIP_NORA)).status(), 403);
    scene.rule(NORA, crate::scene::allowed());
    let message = message.with_cseq(3);
    let outputs = scene.sip(&message, &known(SIP_NORA));
    assert_eq!(outputs.status(), 200);
    let is_notify = |it: &&Output| matches!(it, Output::Agent(AgentOutput::Send(_)));
    assert_eq!(outputs.all.iter().filter(is_notify).count(), 1);
    scene.close();
}
