//! Watchers of one presentity whose own documents have the same token.

use presentity::event::{Decision, View};
use presentity::sdf::Request;

use crate::gate::{Gate, Sips, watch};
use crate::gate_bodies::bearing;
use crate::rules::{EMIL, NORA, OTTO, clock, milliseconds, plain, state, token};

fn call(watcher: &str) -> &str {
    watcher
        .trim_start_matches("pres:")
        .split('@')
        .next()
        .unwrap()
}

/// Subscribes by a document with the token `shared`; gives the dialog's tag and what else came.
fn subscribe(gate: &mut Gate, watcher: &str) -> (String, Sips) {
    let at = clock(gate.now) + milliseconds(1);
    let request = Request::subscribe(watcher, EMIL, at, &token("shared"), 600).unwrap();
    gate.subscribe(&bearing(watch(watcher, call(watcher)), &plain(&request)))
}

fn with_views() -> Gate {
    let mut gate = Gate::new();
    let rules = gate.service.agent_mut().policy_mut();
    for name in ["nora", "otto"] {
        let view = Decision::Allow(View::named(&format!("for {name}")));
        rules.each.insert(format!("{name}@example.org"), view);
    }
    gate
}

/// The last document in NOTIFYs to this watcher.
fn shown(sips: &Sips, watcher: &str) -> Vec<String> {
    let to = watcher.trim_start_matches("pres:");
    let notifies = sips.notifies.iter().filter(|it| {
        let field = crate::common::field(it, "To").unwrap();
        field.contains(to)
    });
    let notifies = notifies.cloned().collect();
    let only = Sips {
        notifies,
        ..Sips::default()
    };
    only.story()
}

// A token is the watcher's own: whoever has the same one sees nothing of what another is shown.
#[test]
fn a_token_that_two_watchers_have_shows_neither_the_view_of_the_other() {
    let mut gate = with_views();
    gate.set(state(EMIL, "away"));
    let (_, first) = subscribe(&mut gate, NORA);
    assert_eq!(first.story().last().unwrap(), "active: for nora: away");
    gate.pass(6.0);
    let (_, mut sips) = subscribe(&mut gate, OTTO);
    let more = gate.pass(12.0);
    sips.notifies.extend(more.notifies);
    let changed = gate.set(state(EMIL, "back"));
    sips.notifies.extend(changed.notifies);
    sips.notifies.extend(gate.pass(12.0).notifies);
    for (watcher, other) in [(NORA, "for otto"), (OTTO, "for nora")] {
        let shown = shown(&sips, watcher);
        assert!(!shown.iter().any(|it| it.contains(other)), "{shown:?}");
        assert!(shown.last().unwrap().ends_with("back"), "{shown:?}");
    }
}

#[test]
fn the_end_of_one_leaves_the_other_its_state() {
    let mut gate = with_views();
    gate.set(state(EMIL, "away"));
    let (nora, _) = subscribe(&mut gate, NORA);
    let (otto, _) = subscribe(&mut gate, OTTO);
    gate.pass(12.0);
    let bye = watch(NORA, call(NORA)).with("Expires", "0");
    assert_eq!(gate.send(&bye.in_dialog(&nora, 2)).status(), 200);
    // All is rendered anew for one more.
    gate.subscribe(&watch("pres:ruth@example.org", "ruth"));
    gate.tells = false;
    let refresh = watch(OTTO, call(OTTO)).in_dialog(&otto, 2);
    let sips = gate.send(&refresh);
    assert_eq!(sips.story(), ["active: for otto: away"]);
}
