//! Signed documents on their way through a gateway that nobody beyond it trusts.

use presentity::event::{Identity, Signature, SubscribeFailure};
use presentity::mime::{Signed, Verify};
use presentity::sdf::{Failure, Operation};

use crate::common::field;
use crate::notifier::{Notifier, Nowhere};
use crate::rules::{EMIL, NORA, OTTO, authority, known, signed, signed_by, state};
use crate::scene::{Fate, GATEWAY, Scene};

// SDF-30, SDF-31, SEC-36: what the watcher has signed reaches the far end octet for octet; there it says
// who asks, though the gateway has sent it, or nobody knows who has.
#[test]
fn signed_requests_verify_beyond_the_gateway() {
    for sender in [known(GATEWAY), Identity::nobody()] {
        let mut scene = Scene::of_strangers();
        scene.sender = sender;
        scene.far.agent_mut().policy_mut().wants = Signature::Bound;
        scene.set(state(EMIL, "away"));
        let request = scene.hold("a", 600);
        let document = signed(&request);
        let told = scene.ask(&document);
        assert_eq!(told.story(), ["Subscribe 600", "a: away"]);
        let sent = scene.subscribes.last().unwrap();
        assert_eq!(field(sent, "Content-Type"), Some(&*document.0));
        assert_eq!(sent.body(), &document.1);
        let carried = Signed::read(field(sent, "Content-Type").unwrap(), sent.body()).unwrap();
        let signers = authority().verifier().verify(&carried).unwrap();
        assert_eq!(signers[0].names(), [NORA]);
        let asked = &scene.far.agent().policy().asked;
        assert_eq!(
            asked[..],
            [("nora@example.org".to_owned(), Signature::Bound)]
        );

        scene.pass(60.0);
        let request = scene.hold("a", 900);
        let document = signed(&request);
        let told = scene.ask(&document);
        assert_eq!(told.granted().operation, Operation::Extend);
        assert_eq!(told.granted().duration, 900);
        assert_eq!(scene.subscribes.last().unwrap().body(), &document.1);
        assert!((899.0..=900.0).contains(&scene.left_there()));

        let request = scene.fetch();
        let told = scene.ask(&signed(&request));
        assert_eq!(told.story(), ["Fetch 0", "once: away"]);

        let request = scene.cancel("a");
        let document = signed(&request);
        let told = scene.ask(&document);
        assert_eq!(told.granted().operation, Operation::Cancel);
        assert_eq!(scene.subscribes.last().unwrap().body(), &document.1);
        scene.nothing_is_left();
    }
}

// SDF-31: one octet makes the difference, and leaves no trace.
#[test]
fn what_is_altered_on_the_way_is_refused() {
    let mut scene = Scene::of_strangers();
    scene.fates.push_back(Fate::Altered);
    let request = scene.hold("a", 600);
    let document = signed(&request);
    let told = scene.ask(&document);
    let refused = Failure::Sip(SubscribeFailure::Refused { status: 403 });
    assert_eq!(told.failure(), refused);
    assert_eq!(told.all.len(), 1);
    assert!(scene.far.agent().policy().asked.is_empty());
    scene.nothing_is_left();
    // As it was it passes.
    assert_eq!(scene.ask(&document).granted().duration, 600);

    // An extension that is altered leaves the end as it is.
    scene.fates.push_back(Fate::Altered);
    let request = scene.hold("a", 5000);
    assert_eq!(scene.ask(&signed(&request)).failure(), refused);
    assert!(scene.left_there() < 600.0);
    // And a cancellation is one here; the far end goes on until it hears of it.
    scene.fates.push_back(Fate::Altered);
    let request = scene.cancel("a");
    let told = scene.ask(&signed(&request));
    assert_eq!(told.granted().operation, Operation::Cancel);
    scene.nothing_is_left_here();
    assert_eq!(scene.live(), 1);
    assert_eq!(scene.set(state(EMIL, "x")).story(), [""; 0]);
    scene.nothing_is_left();
}

// SEC-36: the gateway looks at signatures as well.
#[test]
fn what_is_badly_signed_does_not_leave_the_gateway() {
    let mut scene = Scene::of_strangers();
    let request = scene.hold("a", 600);
    let (content_type, body) = signed(&request);
    let bad = (content_type, crate::rules::altered(&body));
    assert!(matches!(scene.ask(&bad).failure(), Failure::Signature(_)));
    let others = signed_by(&authority().signer(&[OTTO]), &request);
    assert_eq!(scene.ask(&others).failure(), Failure::Misbound);
    let stranger = crate::signing::Authority::new("Elsewhere").signer(&[NORA]);
    let untrusted = signed_by(&stranger, &request);
    assert!(matches!(
        scene.ask(&untrusted).failure(),
        Failure::Untrusted(_)
    ));
    assert!(scene.subscribes.is_empty());
    scene.nothing_is_left();
    assert_eq!(scene.ask(&signed(&request)).granted().duration, 600);
}

// SDF-31
#[test]
fn a_challenged_request_is_repeated_with_the_same_document() {
    let mut scene = Scene::of_strangers();
    scene.credentials = Some("Digest username=\"gateway\"");
    scene.far.agent_mut().policy_mut().challenges = 1;
    let request = scene.hold("a", 600);
    let document = signed(&request);
    assert_eq!(scene.ask(&document).granted().duration, 600);
    assert_eq!(scene.subscribes.len(), 2);
    for sent in &scene.subscribes {
        assert_eq!(sent.body(), &document.1);
        assert_eq!(field(sent, "Content-Type"), Some(&*document.0));
    }
    assert!(field(&scene.subscribes[1], "Authorization").is_some());

    // Within the dialog, too.
    scene.subscribes.clear();
    scene.far.agent_mut().policy_mut().challenges = 1;
    let request = scene.hold("a", 900);
    let document = signed(&request);
    let told = scene.ask(&document);
    assert_eq!(told.granted().duration, 900);
    let bodies: Vec<_> = scene.subscribes.iter().map(|it| it.body()).collect();
    assert_eq!(bodies, [&document.1, &document.1]);

    scene.subscribes.clear();
    scene.far.agent_mut().policy_mut().challenges = 1;
    let request = scene.cancel("a");
    let document = signed(&request);
    let told = scene.ask(&document);
    assert_eq!(told.granted().operation, Operation::Cancel);
    let bodies: Vec<_> = scene.subscribes.iter().map(|it| it.body()).collect();
    assert_eq!(bodies, [&document.1, &document.1]);
    scene.nothing_is_left();
}

#[test]
fn without_credentials_a_challenge_is_a_refusal() {
    let mut scene = Scene::of_strangers();
    scene.far.agent_mut().policy_mut().challenges = 10;
    let request = scene.hold("a", 600);
    let told = scene.ask(&signed(&request));
    assert_eq!(told.failure().status(), 401);
    scene.nothing_is_left();
}

// SDF-30: refreshes, which nobody has signed, pass where the signed request came by the same gateway.
#[test]
fn refreshes_of_the_gateway_pass_where_its_request_did() {
    let mut scene = Scene::of_strangers();
    scene.far.agent_mut().policy_mut().wants = Signature::Bound;
    let request = scene.hold("a", 3600);
    scene.ask(&signed(&request));
    let told = scene.pass(3599.0);
    assert_eq!(told.answers().len() + told.ends().len(), 0);
    assert!(scene.subscribes.len() > 1);
    assert_eq!(scene.live(), 1);
    assert_eq!(scene.pass(3.0).ends(), [None]);
    scene.pass(40.0);
    scene.nothing_is_left();
}

// PIDF-28, SDF-31: the other direction.
#[test]
fn notifications_come_as_they_were_sent() {
    let mut scene: Scene<Nowhere> = Scene::with(Default::default(), Nowhere);
    scene.fates.push_back(Fate::Held);
    scene.subscribe("a", 600);
    let request = scene.held.pop_front().unwrap();
    let mut notifier = Notifier::of(&request, "pa");
    let odd = "<?xml version='1.0'?>\r\n<!-- \u{E9} --><p:presence \
               xmlns:p='urn:ietf:params:xml:ns:pidf'\n  entity = \"pres:emil@example.com\"/>\r\n\r\n";
    let told = scene.bring(&notifier.tell("active;expires=500", odd));
    assert_eq!(told.granted().duration, 500);
    assert_eq!(told.states()[0].body, odd.as_bytes());
    assert_eq!(told.states()[0].media_type, "application/pidf+xml");
    assert_eq!(told.states()[0].token.as_deref(), Some("a"));
    // Nobody looks at it here.
    let told = scene.bring(&notifier.tell("active;expires=500", "\u{FEFF}not at all"));
    assert_eq!(told.states()[0].body, "\u{FEFF}not at all".as_bytes());
    // What is of a strange type is none, and the subscription goes on.
    let strange = notifier
        .tell("active;expires=500", "x")
        .with("Content-Type", "text/plain");
    assert_eq!(scene.bring(&strange).story(), [""; 0]);
    assert_eq!(scene.gateway.len(), 1);
    let told = scene.bring(&notifier.tell("terminated;reason=noresource", odd));
    assert_eq!(told.states().len(), 1);
    assert_eq!(told.states()[0].duration, Some(0));
    assert_eq!(told.ends().len(), 1);
    assert!(scene.gateway.is_empty());
}
