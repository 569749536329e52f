//! What comes in the dialog of a SUBSCRIBE that had a request in its body.

use presentity::event::{Assurance, Decision, Identity, Signature};
use presentity::sdf::Request;

use crate::carried::{GATEWAY, SIP_EMIL, SIP_NORA, around, around_signed, carrying, of_nora};
use crate::common::Message;
use crate::scene::{
    EMIL, NORA, OTTO, Outputs, RUTH, Scene, allowed, authority, forbidden, known, nobody,
};

/// A dialog from the watcher's side.
struct Dialog {
    message: Message,
    tag: String,
    cseq: u32,
}

impl Dialog {
    fn begun(message: Message, outputs: &Outputs) -> Self {
        assert_eq!(outputs.status(), 200, "{outputs:?}");
        let tag = outputs.response().to_tag().expect("a tag").to_owned();
        Self {
            message,
            tag,
            cseq: 1,
        }
    }

    /// The next request, without a body.
    fn next(&mut self) -> Message {
        self.cseq += 1;
        let mut message = self.message.clone().without("Content-Type").with_body("");
        message.uri = "sip:agent.example.com".into();
        message
            .in_dialog(&self.tag, self.cseq)
            .with("Expires", "600")
    }

    fn around(&mut self, request: &Request) -> Message {
        around(self.next(), request)
    }
}

/// Nora's "a", by herself.
fn own(scene: &mut Scene) -> Dialog {
    let request = scene.request(NORA, EMIL, "a", 600);
    let message = carrying(scene, &request);
    let outputs = scene.sip(&message, &known(SIP_NORA));
    Dialog::begun(message, &outputs)
}

/// The same, signed, and brought by somebody.
fn brought(scene: &mut Scene, by: &Identity) -> Dialog {
    let request = scene.request(NORA, EMIL, "a", 600);
    let request = scene.signed(&request, &of_nora());
    let message = around_signed(scene.message(GATEWAY, SIP_EMIL), &request);
    let outputs = scene.sip(&message, by);
    Dialog::begun(message, &outputs)
}

#[test]
fn refreshes_without_body_are_the_watchers_alone() {
    let mut scene = Scene::new();
    let mut dialog = own(&mut scene);
    for (who, status) in [
        (known(SIP_NORA), 200),
        (known(OTTO), 403),
        (nobody(), 401),
        (known(NORA), 200),
    ] {
        let refresh = dialog.next();
        assert_eq!(scene.sip(&refresh, &who).status(), status);
    }
    let end = dialog.next().with("Expires", "0");
    assert_eq!(scene.sip(&end, &known(SIP_NORA)).status(), 200);
    scene.empty();
}

// A gateway's stack refreshes by itself, and has nothing that the watcher has signed.
#[test]
fn who_brought_the_first_request_may_refresh_without_body() {
    let mut scene = Scene::new();
    let mut dialog = brought(&mut scene, &known(GATEWAY));
    let refreshes = [
        (known(GATEWAY), 200),
        (known(SIP_NORA), 200),
        (known(OTTO), 403),
        (known("sip:other@example.net"), 403),
        (nobody(), 401),
    ];
    for (who, status) in refreshes {
        let refresh = dialog.next();
        assert_eq!(scene.sip(&refresh, &who).status(), status, "{who:?}");
    }
    let end = dialog.next().with("Expires", "0");
    assert_eq!(
        scene.sip(&end, &known(GATEWAY)).story(),
        ["sip 200", "sip terminated: unknown"]
    );
    scene.empty();
}

// SDF-30, SDF-32: the policy is asked about the watcher, and about what the watcher has signed.
#[test]
fn a_refresh_by_the_gateway_is_the_watchers() {
    let mut scene = Scene::new();
    scene.rules().signature = Signature::Bound;
    scene.rules().everybody = forbidden().into();
    scene.rule(NORA, allowed());
    let mut dialog = brought(&mut scene, &known(GATEWAY));
    let first = scene.rules().asked.pop().unwrap();
    let refresh = dialog.next();
    assert_eq!(scene.sip(&refresh, &known(GATEWAY)).status(), 200);
    let second = scene.rules().asked.pop().unwrap();
    assert_eq!(second.watcher.as_deref(), Some("nora@example.org"));
    assert_eq!(
        (second.signature, &second.claims),
        (Signature::Bound, &first.claims)
    );
    assert_eq!(scene.live(), 1);
    // What is decided for her holds for it.
    scene.rule(NORA, forbidden());
    let refresh = dialog.next();
    let outputs = scene.sip(&refresh, &known(GATEWAY));
    assert_eq!(outputs.status(), 403);
    assert_eq!(scene.live(), 0);
    scene.empty();
}

// To bring the watcher's requests is not to be the watcher.
#[test]
fn a_request_of_the_gateways_own_is_not_the_watchers() {
    let mut scene = Scene::new();
    let mut dialog = brought(&mut scene, &known(GATEWAY));
    let gateway = GATEWAY.replace("sip:", "pres:");
    for seconds in [900, 0] {
        let request = scene.request(&gateway, EMIL, "a", seconds);
        let refresh = dialog.around(&request);
        assert_eq!(scene.sip(&refresh, &known(GATEWAY)).status(), 403);
        assert_eq!(scene.live(), 1);
    }
    let request = scene.request(NORA, EMIL, "a", 900);
    let refresh = dialog.around(&request);
    assert_eq!(scene.sip(&refresh, &known(SIP_NORA)).status(), 200);
    let end = dialog.next().with("Expires", "0");
    assert_eq!(scene.sip(&end, &known(GATEWAY)).status(), 200);
    scene.empty();
}

// Of several names of a sender it is the one in From that counts from then on.
#[test]
fn other_names_of_the_watcher_are_not_the_watchers() {
    let mut scene = Scene::new();
    let both = known(GATEWAY).and(NORA, Assurance::Asserted).unwrap();
    let request = scene.request(NORA, EMIL, "a", 600);
    let message = carrying(&mut scene, &request);
    let outputs = scene.sip(&message, &both);
    let mut dialog = Dialog::begun(message, &outputs);
    let refresh = dialog.next();
    assert_eq!(scene.sip(&refresh, &both).status(), 200);
    for asked in &scene.rules().asked {
        assert_eq!(asked.watcher.as_deref(), Some("nora@example.org"));
    }
    // Many may share the other one.
    let refresh = dialog.next().with("Expires", "0");
    assert_eq!(scene.sip(&refresh, &known(GATEWAY)).status(), 403);
    let others = known(GATEWAY).and(OTTO, Assurance::Asserted).unwrap();
    let refresh = dialog.next().with("Expires", "0");
    assert_eq!(scene.sip(&refresh, &others).status(), 403);
    // Its owner asks for itself by it, and not for the watcher.
    let request = scene.request(&GATEWAY.replace("sip:", "pres:"), EMIL, "a", 0);
    let end = dialog.around(&request);
    assert_eq!(scene.sip(&end, &both).status(), 403);
    assert_eq!(scene.live(), 1);
    let end = dialog.next().with("Expires", "0");
    assert_eq!(scene.sip(&end, &both).status(), 200);
    scene.empty();
}

// Whoever it was, nobody is no proof.
#[test]
fn who_was_brought_by_nobody_signs_again() {
    let mut scene = Scene::new();
    let mut dialog = brought(&mut scene, &nobody());
    for who in [nobody(), known(OTTO)] {
        let refresh = dialog.next();
        assert!(matches!(scene.sip(&refresh, &who).status(), 401 | 403));
    }
    let request = scene.request(NORA, EMIL, "a", 600);
    let request = scene.signed(&request, &of_nora());
    let refresh = around_signed(dialog.next(), &request);
    assert_eq!(
        scene.sip(&refresh, &nobody()).story()[..2],
        ["sip verify", "sip 200"]
    );
    scene.close();
}

// SDF-18, SDF-19, SDF-16
#[test]
fn a_request_in_the_dialog_extends_and_ends_it() {
    let mut scene = Scene::new();
    let mut dialog = own(&mut scene);
    scene.pass(300.0);
    let request = scene.request(NORA, EMIL, "a", 1200);
    let refresh = dialog.around(&request);
    let outputs = scene.sip(&refresh, &known(SIP_NORA));
    assert_eq!(
        (outputs.status(), outputs.field("Expires")),
        (200, Some("1200"))
    );
    // It counts as used.
    let again = dialog.around(&request);
    assert_eq!(scene.sip(&again, &known(SIP_NORA)).status(), 403);
    assert_eq!(scene.pass(1199.0).story(), [""; 0]);
    let request = scene.request(NORA, EMIL, "a", 0);
    let end = dialog.around(&request);
    assert_eq!(scene.sip(&end, &known(SIP_NORA)).status(), 200);
    assert_eq!(scene.live(), 0);
    scene.empty();
}

// SDF-14, SDF-17, SDF-37: a dialog is one subscription.
#[test]
fn a_request_about_something_else_is_refused_in_the_dialog() {
    let mut scene = Scene::new();
    let mut dialog = own(&mut scene);
    let others = [
        (NORA, EMIL, "b", 600, 400),
        (NORA, EMIL, "b", 0, 400),
        (NORA, EMIL, "", 0, 400),
        (NORA, RUTH, "a", 600, 400),
        (OTTO, EMIL, "a", 600, 403),
    ];
    for (from, to, token, duration, status) in others {
        let request = scene.request(from, to, token, duration);
        let refresh = dialog.around(&request);
        let outputs = scene.sip(&refresh, &known(SIP_NORA));
        assert_eq!(outputs.status(), status, "{token}");
    }
    let request = scene.request(NORA, EMIL, "a", 600);
    let refresh = dialog.around(&request).with("Expires", "599");
    assert_eq!(scene.sip(&refresh, &known(SIP_NORA)).status(), 400);
    // Otto's own, right as it is, has no business here.
    let request = scene.request(OTTO, EMIL, "a", 600);
    let refresh = dialog.around(&request);
    assert_eq!(scene.sip(&refresh, &known(OTTO)).status(), 403);
    let signed = scene.signed(&request, &authority().signer(&[OTTO]));
    let refresh = around_signed(dialog.next(), &signed);
    assert_eq!(scene.sip(&refresh, &nobody()).status(), 403);
    assert_eq!(scene.service.agent().bodies().remembered(), 1);
    // None of it has done any harm.
    let refresh = dialog.next();
    assert_eq!(scene.sip(&refresh, &known(SIP_NORA)).status(), 200);
    scene.close();
}

#[test]
fn an_ordinary_subscription_has_no_token() {
    let mut scene = Scene::new();
    let plain = scene.message(SIP_NORA, SIP_EMIL);
    let outputs = scene.sip(&plain, &known(SIP_NORA));
    let mut dialog = Dialog::begun(plain, &outputs);
    for (token, duration) in [("a", 600), ("", 0)] {
        let request = scene.request(NORA, EMIL, token, duration);
        let refresh = dialog.around(&request);
        assert_eq!(scene.sip(&refresh, &known(SIP_NORA)).status(), 400);
    }
    scene.close();
}

// SDF-32: a better proof may come later, and lasts.
#[test]
fn what_was_signed_once_counts_from_then_on() {
    let mut scene = Scene::new();
    let mut dialog = own(&mut scene);
    scene.rules().signature = Signature::Bound;
    let refresh = dialog.next();
    assert_eq!(scene.sip(&refresh, &known(SIP_NORA)).status(), 403);
    assert_eq!(scene.live(), 1);
    let request = scene.request(NORA, EMIL, "a", 600);
    let request = scene.signed(&request, &of_nora());
    let refresh = around_signed(dialog.next(), &request);
    assert_eq!(scene.sip(&refresh, &known(SIP_NORA)).status(), 200);
    let refresh = dialog.next();
    assert_eq!(scene.sip(&refresh, &known(SIP_NORA)).status(), 200);
    assert_eq!(
        scene.rules().asked.pop().unwrap().signature,
        Signature::Bound
    );
    scene.close();
}

// SDF-36: of two in one dialog that wait, and when the dialog ends meanwhile.
#[test]
fn refreshes_that_wait_for_a_verdict_are_checked_again() {
    let mut scene = Scene::new();
    let mut dialog = brought(&mut scene, &nobody());
    scene.verifies = false;
    let mut wait = |scene: &mut Scene| {
        let request = scene.request(NORA, EMIL, "a", 600);
        let request = scene.signed(&request, &of_nora());
        let refresh = around_signed(dialog.next(), &request);
        let first = scene.sip(&refresh, &nobody()).sip_verification().clone();
        let second = scene.sip(&refresh, &nobody()).sip_verification().clone();
        (first, second)
    };
    let complete = |scene: &mut Scene, it: &presentity::event::Verification| {
        let verdict = scene.verdict(&it.signed);
        let agent = scene.service.agent_mut();
        assert!(agent.complete_verification(scene.now, it.key, &verdict));
        scene.drain()
    };
    let (first, second) = wait(&mut scene);
    assert_eq!(complete(&mut scene, &first).status(), 200);
    assert_eq!(complete(&mut scene, &second).status(), 403);

    let (first, second) = wait(&mut scene);
    let key = scene.service.agent().subscriptions().next().unwrap().key;
    let agent = scene.service.agent_mut();
    agent.decide(scene.now, key, forbidden()).unwrap();
    assert_eq!(scene.drain().story(), ["sip terminated: nothing"]);
    for it in [first, second] {
        assert_eq!(complete(&mut scene, &it).status(), 481);
    }
    scene.empty();
}

#[test]
fn a_refresh_out_of_order_is_not_remembered() {
    let mut scene = Scene::new();
    let mut dialog = own(&mut scene);
    let request = scene.request(NORA, EMIL, "a", 600);
    let late = dialog.around(&request);
    let refresh = dialog.next();
    assert_eq!(scene.sip(&refresh, &known(SIP_NORA)).status(), 200);
    assert_eq!(scene.sip(&late, &known(SIP_NORA)).status(), 500);
    let again = dialog.around(&request);
    assert_eq!(scene.sip(&again, &known(SIP_NORA)).status(), 200);
    scene.close();
}

// The watcher is the one in From, whichever of the sender's names comes first.
#[test]
fn the_watcher_of_a_body_is_listed_under_its_own_name() {
    let mut scene = Scene::new();
    let sender = known("sip:reception@example.org")
        .and(NORA, Assurance::Asserted)
        .unwrap();
    let request = scene.request(NORA, EMIL, "a", 600);
    let message = carrying(&mut scene, &request);
    let outputs = scene.sip(&message, &sender);
    let mut dialog = Dialog::begun(message, &outputs);
    let agent = scene.service.agent();
    assert_eq!(
        agent.subscriptions().next().unwrap().watcher,
        Some("nora@example.org")
    );
    let outputs = scene.decide(NORA, EMIL, Decision::PoliteBlock);
    assert_eq!(outputs.story(), ["sip active: offline"]);
    let refresh = dialog.next();
    assert_eq!(scene.sip(&refresh, &sender).status(), 200);
    scene.close();
}
