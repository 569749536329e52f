//! What SIP watchers see of presentities beyond the gateway.

use presentity::event::{Decision, View};
use presentity::sdf::Operation;

use crate::common::{body_of, field, state_of};
use crate::gate::{Gate, watch};
use crate::rules::{EMIL, NORA, OTTO, RUTH, state};

// SDF-31: what the service tells arrives octet for octet.
#[test]
fn pending_until_the_service_has_answered_then_the_document() {
    let mut gate = Gate::new();
    gate.carries = false;
    gate.set(state(EMIL, "away"));
    let (_, sips) = gate.subscribe(&watch(NORA, "n"));
    assert_eq!(sips.story(), ["pending"]);
    let order = gate.waiting[0].clone();
    assert_eq!(order.operation, Operation::Subscribe);
    assert_eq!(
        [&*order.watcher, &*order.presentity],
        [NORA, EMIL],
        "{order:?}"
    );
    let request = presentity::sdf::Request::read(&order.body).unwrap();
    assert_eq!([request.from(), request.to()], [NORA, EMIL]);
    assert_eq!(request.token(), Some(&*order.token));
    assert_eq!(request.duration(), 600);
    let sips = gate.release();
    let shown: Vec<_> = sips
        .notifies
        .iter()
        .filter(|it| !it.body().is_empty())
        .collect();
    assert_eq!(shown.len(), 1);
    assert!(state_of(shown[0]).starts_with("active"));
    let agent = gate.service.agent_mut();
    let document = agent.presence(EMIL).unwrap().unwrap();
    assert_eq!(document.tuples[0].notes[0].text, "away");
    assert!(body_of(shown[0]).contains("away"));
}

// PIDF-28
#[test]
fn octets_are_not_looked_at() {
    let mut gate = Gate::new();
    gate.tells = false;
    gate.subscribe(&watch(NORA, "n"));
    let token = gate.orders[0].token.clone();
    for odd in ["\u{FEFF}<?xml?>\r\n", "", "anything", "\0"] {
        gate.pass(6.0);
        let body = bytes::Bytes::copy_from_slice(odd.as_bytes());
        let media_type = "Application/PIDF+XML; charset=utf-8";
        assert!(
            gate.gateway
                .handle_notification(gate.now, NORA, EMIL, &token, media_type, &body)
        );
        let sips = gate.settle();
        assert_eq!(sips.notify().body(), &body);
    }
}

#[test]
fn each_watcher_sees_its_own_view() {
    let mut gate = Gate::new();
    let rules = gate.service.agent_mut().policy_mut();
    for name in ["nora", "otto"] {
        let view = Decision::Allow(View::named(&format!("for {name}")));
        rules.each.insert(format!("{name}@example.org"), view);
    }
    gate.set(state(EMIL, "away"));
    gate.set(state(RUTH, "in"));
    let (_, nora) = gate.subscribe(&watch(NORA, "n"));
    gate.pass(6.0);
    let (_, otto) = gate.subscribe(&watch(OTTO, "o"));
    assert_eq!(nora.story().last().unwrap(), "active: for nora: away");
    let mut last = otto.story();
    last.append(&mut gate.pass(6.0).story());
    assert_eq!(last.last().unwrap(), "active: for otto: away");
    assert!(!last.iter().any(|it| it.contains("nora")));
    let mut story = gate.set(state(EMIL, "back")).story();
    story.append(&mut gate.pass(12.0).story());
    story.sort();
    assert_eq!(story, ["active: for nora: back", "active: for otto: back"]);
    assert_eq!(gate.pass(1.0).story(), [""; 0]);
}

#[test]
fn two_subscriptions_of_one_watcher_are_two() {
    let mut gate = Gate::new();
    gate.subscribe(&watch(NORA, "n1"));
    let (tag, _) = gate.subscribe(&watch(NORA, "n2"));
    assert_eq!((gate.gateway.len(), gate.live()), (2, 2));
    assert_ne!(gate.orders[0].token, gate.orders[1].token);
    let bye = watch(NORA, "n2").with("Expires", "0").in_dialog(&tag, 2);
    assert_eq!(gate.send(&bye).status(), 200);
    assert_eq!((gate.gateway.len(), gate.live()), (1, 1));
    gate.pass(6.0);
    assert_eq!(gate.set(state(EMIL, "x")).story(), ["active: x"]);
}

#[test]
fn notifications_for_nobody_have_no_effect() {
    let mut gate = Gate::new();
    gate.tells = false;
    let (tag, _) = gate.subscribe(&watch(NORA, "n"));
    let token = gate.orders[0].token.clone();
    let body = bytes::Bytes::from_static(b"<presence/>");
    let pidf = "application/pidf+xml";
    let now = gate.now;
    let tell = |gate: &mut Gate, watcher: &str, to: &str, token: &str, media_type: &str| {
        (gate.gateway).handle_notification(now, watcher, to, token, media_type, &body)
    };
    assert!(!tell(&mut gate, OTTO, EMIL, &token, pidf));
    assert!(!tell(&mut gate, NORA, RUTH, &token, pidf));
    assert!(!tell(&mut gate, NORA, EMIL, "another", pidf));
    assert!(!tell(&mut gate, NORA, EMIL, "", pidf));
    assert!(!tell(&mut gate, "nobody", EMIL, &token, pidf));
    assert!(!tell(&mut gate, NORA, "", &token, pidf));
    assert!(!tell(&mut gate, NORA, EMIL, &token, "text/plain"));
    assert!(!tell(&mut gate, NORA, EMIL, &token, ""));
    assert!(gate.settle().notifies.is_empty());
    // Names are canonical, tokens are not.
    assert!(tell(&mut gate, "sip:nora@EXAMPLE.org", EMIL, &token, pidf));
    assert_eq!(gate.settle().notify().body(), &body);
    let bye = watch(NORA, "n").with("Expires", "0").in_dialog(&tag, 2);
    gate.send(&bye);
    assert!(!tell(&mut gate, NORA, EMIL, &token, pidf));
    assert!(gate.settle().notifies.is_empty());
    gate.nothing_is_left();
}

#[test]
fn what_is_told_before_the_answer_is_shown_after_it() {
    let mut gate = Gate::new();
    gate.carries = false;
    gate.tells = false;
    let (_, sips) = gate.subscribe(&watch(NORA, "n"));
    assert_eq!(sips.story(), ["pending"]);
    let order = gate.waiting.pop_front().unwrap();
    let body = bytes::Bytes::from_static(b"<presence/>");
    // By its older name.
    let pidf = "application/cpim-pidf+xml";
    assert!((gate.gateway).handle_notification(gate.now, NORA, EMIL, &order.token, pidf, &body));
    let early = gate.pass(6.0);
    assert!(early.notifies.iter().all(|it| it.body().is_empty()));
    assert!(gate.gateway.complete_order(gate.now, order.key, Ok(600)));
    let sips = gate.settle();
    assert_eq!(sips.notify().body(), &body);
    assert!(state_of(sips.notify()).starts_with("active"));
}

#[test]
fn who_is_not_identified_is_asked_who_he_is() {
    let mut gate = Gate::new();
    let sips = gate.send_as(&watch(NORA, "n"), &presentity::event::Identity::nobody());
    assert_eq!(sips.status(), 401);
    assert!(gate.orders.is_empty());
    gate.nothing_is_left();
}

#[test]
fn a_state_is_not_fetched() {
    let mut gate = Gate::new();
    gate.set(state(EMIL, "away"));
    let sips = gate.send(&watch(NORA, "n").with("Expires", "0"));
    assert_eq!(sips.status(), 200);
    assert!(
        field(sips.notify(), "Subscription-State")
            .unwrap()
            .starts_with("terminated")
    );
    assert!(sips.notify().body().is_empty());
    assert!(gate.orders.is_empty());
    gate.nothing_is_left();
}
