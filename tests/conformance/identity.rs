//! Who somebody is: what the host has established, and never what From says.

use presentity::event::{Assurance, Authorization, Decision, Identity, Output, View};

use crate::common::{Outputs, response_field};
use crate::scene::{ANA, BOB, CARLA, MALLORY, Scene, Watch, document, story};

fn proven(uri: &str) -> Identity {
    Identity::of(uri, Assurance::Digest).unwrap()
}

fn is_challenge(outputs: &Outputs) -> bool {
    matches!(&outputs.all[..], [Output::Challenge(response)] if response.status() == 401)
}

// SEC-01, SEC-07
#[test]
fn every_request_of_nobody_is_challenged() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let tag = scene.published(BOB, &document("t", "x"));
    let requests = [
        scene.subscribe(ANA, BOB),
        scene.subscribe(ANA, BOB).with("Expires", "0"),
        watch.refresh(),
        watch.unsubscribe(),
        scene.publish(BOB, &document("t", "x")),
        scene.publish(BOB, "").with("SIP-If-Match", &tag),
        scene
            .publish(BOB, "")
            .with("SIP-If-Match", &tag)
            .with("Expires", "0"),
    ];
    for request in requests {
        let outputs = scene.send_from_nobody(&request);
        assert!(is_challenge(&outputs), "{outputs:?}");
        // The host adds the challenge itself.
        assert_eq!(outputs.response().fields().count(), 0);
    }
    assert_eq!((scene.live(), scene.role.publications().count()), (1, 1));
    scene.close();
}

// SEC-01, SEC-02
#[test]
fn the_request_that_answers_a_challenge_is_taken() {
    let mut scene = Scene::new();
    let message = scene.subscribe(ANA, BOB);
    assert!(is_challenge(&scene.send_from_nobody(&message)));
    let message = message
        .with_cseq(2)
        .with("Authorization", "Digest username=\"ana\"");
    let outputs = scene.send_from(&message, ANA);
    assert_eq!(
        story(&outputs),
        ["200", "started allowed", "active;expires=600"]
    );
    scene.answer_all(&outputs);
    scene.close();
}

// SEC-01: credentials that the host did not verify are words.
#[test]
fn unverified_credentials_prove_nothing() {
    let mut scene = Scene::new();
    for name in [
        "Authorization",
        "Proxy-Authorization",
        "P-Asserted-Identity",
    ] {
        let message = scene
            .subscribe(ANA, BOB)
            .with(name, "<sip:ana@example.com>");
        assert!(is_challenge(&scene.send_from_nobody(&message)), "{name}");
    }
    scene.empty();
}

// SEC-09, SEC-35: RFC 2779, 5.1.12.
#[test]
fn from_is_no_evidence() {
    let mut scene = Scene::deciding(Decision::Reject(presentity::event::Rejection::Forbidden));
    let allow = Decision::Allow(View::full());
    scene
        .rules()
        .each
        .insert("ana@example.com".into(), allow.into());
    // Mallory writes Ana into From.
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send_from(&message, MALLORY);
    assert_eq!(story(&outputs), ["403"]);
    let asked = &scene.rules().asked[0];
    assert_eq!(asked.watcher.as_deref(), Some("mallory@example.org"));
    // Ana writes somebody else into From, and is Ana.
    let message = scene.subscribe(MALLORY, BOB);
    let outputs = scene.send_from(&message, ANA);
    assert_eq!(outputs.status(), 200);
    let watcher = scene.role.subscriptions().next().unwrap().watcher;
    assert_eq!(watcher, Some("ana@example.com"));
    scene.close();
}

// SEC-04, SEC-06, SEC-09, SRV-10: how it was established is for the policy to judge.
#[test]
fn the_policy_learns_how_an_identity_was_established() {
    let mut scene = Scene::new();
    for assurance in [
        Assurance::Claimed,
        Assurance::Digest,
        Assurance::Transport,
        Assurance::Asserted,
        Assurance::Signed,
        Assurance::Smime,
    ] {
        let identity = Identity::of("sip:Ana@EXAMPLE.com;x=y", assurance)
            .unwrap()
            .and("pres:ana.b@example.com", Assurance::Asserted)
            .unwrap();
        let message = scene.subscribe(ANA, BOB);
        let outputs = scene.send_as(&message, &identity);
        assert_eq!(outputs.status(), 200);
        scene.answer_all(&outputs);
        let asked = scene.rules().asked.pop().unwrap();
        assert_eq!(asked.watcher.as_deref(), Some("Ana@example.com"));
        assert_eq!(
            asked.claims,
            [
                ("Ana@example.com".to_owned(), assurance),
                ("ana.b@example.com".to_owned(), Assurance::Asserted)
            ]
        );
    }
    scene.close();
}

// SEC-08, SEC-35: RFC 2779, 5.1.14: the anonymous are refused unless a policy lets them in.
#[test]
fn nobody_watches_where_the_policy_lets_nobody_in() {
    let mut scene = Scene::new();
    scene.rules().nobody = Decision::Reject(presentity::event::Rejection::Forbidden).into();
    let message = scene
        .subscribe("sip:anonymous@anonymous.invalid", BOB)
        .with("Authorization", "Digest username=\"anonymous\"");
    assert_eq!(story(&scene.send_from_nobody(&message)), ["403"]);
    scene.rules().nobody = Decision::PoliteBlock.into();
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send_from_nobody(&message);
    assert_eq!(outputs.status(), 200);
    let info = scene.role.subscriptions().next().unwrap();
    assert_eq!(info.watcher, None);
    let mut watch = Watch::begun(message, &outputs);
    scene.answer_all(&outputs);
    // Whoever knows the dialog is nobody too.
    let outputs = scene.send_from_nobody(&watch.refresh());
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    let outputs = scene.send_from_nobody(&watch.unsubscribe());
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    scene.empty();
}

// SEC-35: RFC 2779, 5.1.8: nobody else cancels.
#[test]
fn a_dialog_belongs_to_the_one_who_began_it() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    for expires in ["600", "0", "1"] {
        let message = watch
            .refresh()
            .with("Expires", expires)
            .with("Contact", "<sip:mallory@192.0.2.66>");
        let outputs = scene.send_from(&message, MALLORY);
        assert_eq!(story(&outputs), ["403"]);
        let outputs = scene.send_from_nobody(&message);
        assert!(is_challenge(&outputs));
    }
    assert_eq!(scene.rules().asked.len(), 1, "it is no matter of policy");
    let outputs = scene.set("for Ana");
    assert_eq!(outputs.notify().uri(), "sip:ana@phone.example.net:5062");
    scene.answer_all(&outputs);
    scene.close();
}

// SEC-35: and it does not use up the numbers of the dialog.
#[test]
fn a_stranger_cannot_make_the_watchers_requests_late() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let high = watch.refresh().with_cseq(u32::MAX);
    assert_eq!(story(&scene.send_from(&high, MALLORY)), ["403"]);
    assert!(is_challenge(&scene.send_from_nobody(&high)));
    let outputs = scene.send(&watch.refresh().with_cseq(2));
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    scene.close();
}

// SEC-35
#[test]
fn one_who_has_several_names_may_go_on_under_any_request_that_has_the_first() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    let both = proven(CARLA).and(ANA, Assurance::Asserted).unwrap();
    let outputs = scene.send_as(&watch.refresh(), &both);
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    let same = proven("sip:%61na@EXAMPLE.COM;transport=tls");
    let outputs = scene.send_as(&watch.refresh(), &same);
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    let other = proven("sip:Ana@example.com");
    assert_eq!(story(&scene.send_as(&watch.refresh(), &other)), ["403"]);
    scene.close();
}

// SEC-01: a policy may ask for more proof in a refresh; the subscription waits for it.
#[test]
fn a_refresh_may_be_challenged() {
    let mut scene = Scene::new();
    let mut watch = scene.watch();
    scene.rules().everybody = Authorization::Challenge;
    assert!(is_challenge(&scene.send(&watch.refresh())));
    assert_eq!(scene.live(), 1);
    scene.rules().everybody = crate::scene::allowed();
    let outputs = scene.send(&watch.refresh());
    assert_eq!(outputs.status(), 200);
    scene.answer_all(&outputs);
    scene.close();
}

// SEC-05, SEC-15
#[test]
fn a_sips_presentity_is_watched_by_sips() {
    let mut scene = Scene::new();
    scene.set("here");
    let message = scene
        .subscribe("sips:ana@example.com", "sips:bob@example.com")
        .with("Contact", "<sips:ana@192.0.2.7:5061>");
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    assert_eq!(outputs.notify().uri(), "sips:ana@192.0.2.7:5061");
    let document = crate::scene::read(outputs.notify());
    assert_eq!(document.entity, "sips:bob@example.com");
    assert_eq!(document.tuples.len(), 1, "it is the same Bob");
    scene.answer_all(&outputs);
    scene.close();
}

// SEC-05: a NOTIFY must not leave what TLS protects.
#[test]
fn a_sips_presentity_demands_a_sips_contact() {
    let mut scene = Scene::new();
    for contact in [
        "<sip:ana@192.0.2.7>",
        "<sip:ana@192.0.2.7;transport=tls>",
        "sip:sips@x",
    ] {
        let message = scene
            .subscribe(ANA, "sips:bob@example.com")
            .with("Contact", contact);
        assert_eq!(story(&scene.send(&message)), ["400"], "{contact}");
    }
    scene.empty();
}

// SEC-05: in every SUBSCRIBE of the dialog.
#[test]
fn a_refresh_does_not_lead_a_sips_subscription_astray() {
    let mut scene = Scene::new();
    let message = scene
        .subscribe(ANA, "sips:bob@example.com")
        .with("Contact", "<sips:ana@192.0.2.7>");
    let mut watch = scene.watch_by(message);
    let refresh = watch.refresh().with("Contact", "<sip:ana@192.0.2.7>");
    assert_eq!(story(&scene.send(&refresh)), ["400"]);
    for refresh in [
        watch.refresh().with("Contact", "<sips:ana@192.0.2.8>"),
        watch.refresh().without("Contact"),
    ] {
        let outputs = scene.send(&refresh);
        assert_eq!(outputs.notify().uri(), "sips:ana@192.0.2.8");
        scene.answer_all(&outputs);
    }
    scene.close();
}

// SEC-15
#[test]
fn a_sip_presentity_may_be_watched_from_a_sips_contact() {
    let mut scene = Scene::new();
    let message = scene
        .subscribe(ANA, BOB)
        .with("Contact", "<sips:ana@192.0.2.7>");
    let outputs = scene.send(&message);
    assert_eq!(outputs.status(), 200);
    assert_eq!(outputs.notify().uri(), "sips:ana@192.0.2.7");
    scene.answer_all(&outputs);
    scene.close();
}

// SEC-01: what names nobody is no identity.
#[test]
fn an_identity_is_a_uri_that_names_somebody() {
    for uri in [
        "",
        "ana",
        "sip:",
        "ana@example.com",
        "<sip:ana@example.com>",
    ] {
        assert!(Identity::of(uri, Assurance::Digest).is_err(), "{uri}");
    }
    let identity = proven("tel:+1-555-0100");
    assert_eq!(identity.primary(), Some("tel:+15550100"));
    assert!(identity.includes("tel:+15550100") && !identity.is_nobody());
}

#[test]
fn a_refusal_tells_no_more_than_it_must() {
    let mut scene = Scene::deciding(Decision::Reject(presentity::event::Rejection::Decline));
    let message = scene.subscribe(ANA, BOB);
    let outputs = scene.send(&message);
    assert_eq!(outputs.response().fields().count(), 0);
    assert_eq!(response_field(outputs.response(), "Contact"), None);
    assert!(!outputs.response().copies_record_route());
    scene.empty();
}
