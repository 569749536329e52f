//! How long subscriptions of SIP watchers last at the service, and how they end.

use std::time::Duration;

use bytes::Bytes;
use presentity::event::{Decision, Failure, Identity, Reason, Rejection, Termination};
use presentity::sdf::gateway::{FromSipConfig, OrderRefused};
use presentity::sdf::{Operation, Request};
use presentity::sip::ResponseRef;

use crate::common::Message;
use crate::gate::{Gate, watch};
use crate::rules::{EMIL, NORA, OTTO, clock, known, state};

fn refresh(call: &str, tag: &str, cseq: u32, seconds: u32) -> Message {
    let message = watch(NORA, call).with("Expires", &seconds.to_string());
    message.in_dialog(tag, cseq)
}

#[test]
fn refreshes_extend_and_the_end_cancels() {
    let mut gate = Gate::new();
    let (tag, _) = gate.subscribe(&watch(NORA, "n"));
    gate.pass(100.0);
    assert_eq!(gate.send(&refresh("n", &tag, 2, 900)).status(), 200);
    assert_eq!(gate.ordered(), ["Subscribe", "Extend"]);
    let left = gate.service.agent().subscriptions().next().unwrap();
    assert_eq!(
        left.expires_at.saturating_since(gate.now),
        Duration::from_secs(900)
    );
    let sips = gate.send(&refresh("n", &tag, 3, 0));
    assert_eq!(sips.story(), ["terminated;reason=timeout: nothing"]);
    assert_eq!(gate.ordered(), ["Subscribe", "Extend", "Cancel"]);
    let tokens: Vec<_> = gate.orders.iter().map(|it| it.token.clone()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    gate.nothing_is_left();
}

/// The documents of one subscription are each newer than the last, though no time passes between them.
#[test]
fn documents_written_in_one_instant_are_in_order() {
    let mut gate = Gate::new();
    let nora = known(NORA);
    let sips = gate.send_at_once(&watch(NORA, "n"), &nora);
    let tag = sips.responses[0].to_tag().unwrap().to_owned();
    gate.send_at_once(&refresh("n", &tag, 2, 900), &nora);
    gate.send_at_once(&refresh("n", &tag, 3, 0), &nora);
    assert_eq!(gate.ordered(), ["Subscribe", "Extend", "Cancel"]);
    assert!(gate.results.iter().all(Result::is_ok), "{:?}", gate.results);
    gate.nothing_is_left();
}

#[test]
fn what_runs_out_is_cancelled() {
    let mut gate = Gate::new();
    gate.subscribe(&watch(NORA, "n"));
    let sips = gate.pass(601.0);
    assert_eq!(sips.story().last().unwrap(), "terminated;reason=timeout");
    gate.pass(1.0);
    gate.nothing_is_left();
}

#[test]
fn whom_the_service_refuses_is_rejected() {
    let mut gate = Gate::new();
    let rules = gate.service.agent_mut().policy_mut();
    let no = Decision::Reject(Rejection::Forbidden);
    rules.each.insert("nora@example.org".to_owned(), no);
    let (_, sips) = gate.subscribe(&watch(NORA, "n"));
    assert_eq!(sips.story().last().unwrap(), "terminated;reason=rejected");
    assert_eq!(gate.ordered(), ["Subscribe"], "there is nothing to cancel");
    gate.nothing_is_left();
    // And at an extension.
    let (tag, _) = gate.subscribe(&watch(OTTO, "o"));
    let rules = gate.service.agent_mut().policy_mut();
    let no = Decision::Reject(Rejection::Forbidden);
    rules.each.insert("otto@example.org".to_owned(), no);
    let again = watch(OTTO, "o").in_dialog(&tag, 2);
    let sips = gate.send(&again);
    assert_eq!(sips.status(), 200);
    assert_eq!(sips.story().last().unwrap(), "terminated;reason=rejected");
    gate.nothing_is_left_here();
}

#[test]
fn a_service_that_fails_is_tried_again_later() {
    let mut gate = Gate::new();
    gate.carries = false;
    gate.subscribe(&watch(NORA, "n"));
    let order = gate.waiting.pop_front().unwrap();
    let failed = Err(OrderRefused::Failed);
    assert!(gate.gateway.complete_order(gate.now, order.key, failed));
    let probation = "terminated;reason=probation;retry-after=60";
    assert_eq!(gate.settle().story(), [probation]);
    gate.nothing_is_left();
    // A second answer says nothing.
    assert!(!gate.gateway.complete_order(gate.now, order.key, Ok(600)));
    // To grant nothing is to fail.
    gate.subscribe(&watch(NORA, "m"));
    let order = gate.waiting.pop_front().unwrap();
    assert!(gate.gateway.complete_order(gate.now, order.key, Ok(0)));
    assert_eq!(gate.settle().story(), [probation]);
    gate.nothing_is_left();
}

/// A service that has not answered may have it all the same.
#[test]
fn a_silent_service_is_told_the_end() {
    let mut gate = Gate::new();
    gate.carries = false;
    gate.subscribe(&watch(NORA, "n"));
    let sips = gate.pass(33.0);
    let probation = "terminated;reason=probation;retry-after=60";
    assert_eq!(sips.story(), [probation]);
    assert_eq!(gate.ordered(), ["Subscribe", "Cancel"]);
    let first = gate.waiting.pop_front().unwrap();
    assert!(!gate.gateway.complete_order(gate.now, first.key, Ok(600)));
    // Both arrive late.
    gate.bring(first);
    assert!(gate.settle().notifies.is_empty());
    assert_eq!(gate.live(), 1);
    gate.release();
    gate.nothing_is_left();
    // Or never.
    gate.subscribe(&watch(NORA, "m"));
    gate.pass(70.0);
    gate.nothing_is_left();
}

#[test]
fn a_failed_extension_leaves_what_was_granted() {
    let mut gate = Gate::new();
    let (tag, _) = gate.subscribe(&watch(NORA, "n"));
    gate.carries = false;
    gate.pass(100.0);
    gate.send(&refresh("n", &tag, 2, 900));
    let order = gate.waiting.pop_front().unwrap();
    assert_eq!(order.operation, Operation::Extend);
    let failed = Err(OrderRefused::Failed);
    assert!(gate.gateway.complete_order(gate.now, order.key, failed));
    assert!(gate.settle().notifies.is_empty());
    let sips = gate.pass(499.0);
    assert!(sips.notifies.is_empty(), "{:?}", sips.story());
    let sips = gate.pass(2.0);
    assert_eq!(sips.story(), ["terminated;reason=probation;retry-after=60"]);
    gate.nothing_is_left();
}

#[test]
fn more_is_asked_for_in_time_where_the_service_grants_less() {
    let mut gate = Gate::with(FromSipConfig::default(), |config| {
        config.server.max_expires = 100;
    });
    gate.subscribe(&watch(NORA, "n"));
    let sips = gate.pass(590.0);
    assert!(sips.notifies.is_empty(), "{:?}", sips.story());
    assert_eq!((gate.live(), gate.gateway.len()), (1, 1));
    let extends = gate.ordered()[1..].to_vec();
    assert!((6..=8).contains(&extends.len()), "{extends:?}");
    assert!(extends.iter().all(|it| it == "Extend"));
    let sips = gate.pass(11.0);
    assert_eq!(sips.story().last().unwrap(), "terminated;reason=timeout");
    gate.pass(1.0);
    gate.nothing_is_left();
}

#[test]
fn what_the_service_grants_beyond_is_given_back() {
    let mut gate = Gate::new();
    gate.carries = false;
    gate.subscribe(&watch(NORA, "n"));
    let order = gate.waiting.pop_front().unwrap();
    assert!(
        gate.gateway
            .complete_order(gate.now, order.key, Ok(u32::MAX))
    );
    assert_eq!(gate.settle().story(), ["active"]);
    gate.pass(601.0);
    assert_eq!(gate.ordered(), ["Subscribe", "Cancel"]);
    let cancel = gate.waiting.pop_front().unwrap();
    assert!(gate.gateway.complete_order(gate.now, cancel.key, Ok(0)));
    gate.settle();
    gate.nothing_is_left();
}

#[test]
fn a_watcher_that_goes_before_the_answer_is_cancelled_after_it() {
    let mut gate = Gate::new();
    gate.carries = false;
    let (tag, _) = gate.subscribe(&watch(NORA, "n"));
    let sips = gate.send(&refresh("n", &tag, 2, 0));
    assert_eq!(sips.status(), 200);
    assert_eq!(gate.ordered(), ["Subscribe"]);
    assert_eq!(gate.gateway.len(), 1);
    gate.carries = true;
    let sips = gate.release();
    assert!(sips.notifies.is_empty(), "{sips:?}");
    assert_eq!(gate.ordered(), ["Subscribe", "Cancel"]);
    gate.nothing_is_left();
    // Refused, it is not cancelled.
    gate.carries = false;
    let (tag, _) = gate.subscribe(&watch(NORA, "m"));
    gate.send(&refresh("m", &tag, 2, 0));
    let order = gate.waiting.pop_front().unwrap();
    let rejected = Err(OrderRefused::Rejected);
    assert!(gate.gateway.complete_order(gate.now, order.key, rejected));
    gate.settle();
    assert_eq!(gate.orders.len(), 3);
    gate.nothing_is_left();
}

#[test]
fn of_many_refreshes_the_last_counts() {
    let mut gate = Gate::new();
    let (tag, _) = gate.subscribe(&watch(NORA, "n"));
    gate.carries = false;
    for (cseq, seconds) in [(2, 700), (3, 800), (4, 900)] {
        gate.send(&refresh("n", &tag, cseq, seconds));
    }
    assert_eq!(gate.ordered(), ["Subscribe", "Extend"]);
    gate.release();
    let last = gate.waiting.pop_front().unwrap();
    let request = Request::read(&last.body).unwrap();
    assert_eq!(request.duration(), 900);
    gate.bring(last);
    gate.settle();
    assert_eq!(gate.ordered(), ["Subscribe", "Extend", "Extend"]);
}

#[test]
fn a_watcher_that_does_not_answer_is_cancelled() {
    let mut gate = Gate::new();
    gate.subscribe(&watch(NORA, "n"));
    // Its connection is gone: the next NOTIFY fails.
    gate.pass(6.0);
    let agent = gate.service.agent_mut();
    agent
        .set_presence(gate.now, EMIL, state(EMIL, "x"))
        .unwrap();
    let notify = gate.next_notify();
    let gone = Failure::Timeout;
    gate.gateway
        .handle_failure(gate.now, notify.transaction(), gone);
    gate.settle();
    assert_eq!(gate.ordered(), ["Subscribe", "Cancel"]);
    gate.nothing_is_left();
}

/// An answer to a NOTIFY, or none, tells what time it is: what is ordered for it is written at that time,
/// and waited for from then on.
#[test]
fn what_follows_from_an_answer_is_ordered_at_the_time_of_that_answer() {
    for is_answered in [true, false] {
        let mut gate = Gate::new();
        gate.subscribe(&watch(NORA, "n"));
        gate.pass(6.0);
        let agent = gate.service.agent_mut();
        agent
            .set_presence(gate.now, EMIL, state(EMIL, "x"))
            .unwrap();
        let notify = gate.next_notify().transaction();
        gate.now = gate.now + Duration::from_secs(40);
        let (now, body) = (gate.now, Bytes::new());
        if is_answered {
            let unknown = ResponseRef::new(481, [], &body);
            gate.gateway.handle_response(now, notify, &unknown);
        } else {
            gate.gateway.handle_failure(now, notify, Failure::Timeout);
        }
        gate.settle();
        assert_eq!(gate.ordered(), ["Subscribe", "Cancel"]);
        let order = &gate.orders[1];
        assert_eq!(order.deadline, now + Duration::from_secs(32));
        let request = Request::read(&order.body).unwrap();
        assert_eq!(request.date_time(), clock(now));
        gate.nothing_is_left();
    }
}

#[test]
fn the_service_ends_it_by_itself() {
    let mut gate = Gate::new();
    gate.subscribe(&watch(NORA, "n"));
    let key = gate.service.agent().subscriptions().next().unwrap().key;
    let over = Termination::new(Reason::Deactivated);
    let (now, agent) = (gate.now, gate.service.agent_mut());
    agent.terminate(now, key, over).unwrap();
    let sips = gate.settle();
    assert_eq!(sips.story(), ["terminated;reason=deactivated"]);
    assert_eq!(gate.ordered(), ["Subscribe"]);
    gate.nothing_is_left();
    let token = gate.orders[0].token.clone();
    let reason = Reason::Deactivated;
    assert!(!gate.gateway.handle_end(now, NORA, EMIL, &token, reason));
}

#[test]
fn a_cancellation_that_the_service_refuses_is_the_end_here() {
    for result in [
        Ok(0),
        Ok(5),
        Err(OrderRefused::Rejected),
        Err(OrderRefused::Failed),
    ] {
        let mut gate = Gate::new();
        let (tag, _) = gate.subscribe(&watch(NORA, "n"));
        gate.carries = false;
        gate.send(&refresh("n", &tag, 2, 0));
        let order = gate.waiting.pop_front().unwrap();
        assert!(gate.gateway.complete_order(gate.now, order.key, result));
        assert!(!gate.gateway.complete_order(gate.now, order.key, result));
        gate.settle();
        gate.nothing_is_left_here();
    }
}

#[test]
fn without_a_clock_nothing_is_asked_for() {
    let mut gate = Gate::new();
    gate.gateway =
        presentity::sdf::gateway::FromSip::new(FromSipConfig::default(), crate::common::seeded(8));
    let (_, sips) = gate.subscribe(&watch(NORA, "n"));
    assert_eq!(
        sips.story().last().unwrap(),
        "terminated;reason=probation;retry-after=60"
    );
    assert!(gate.orders.is_empty());
    gate.nothing_is_left();
}

#[test]
fn many_come_and_go() {
    let mut gate = Gate::new();
    gate.set(state(EMIL, "away"));
    let mut tags = Vec::new();
    for number in 0..300 {
        let user = format!("pres:w{}@example.org", number % 100);
        let (tag, _) = gate.subscribe(&watch(&user, &format!("c{number}")));
        tags.push((user, tag));
    }
    assert_eq!((gate.gateway.len(), gate.live()), (300, 300));
    gate.pass(6.0);
    gate.set(state(EMIL, "back"));
    gate.pass(30.0);
    for (number, (user, tag)) in tags.iter().enumerate() {
        if number % 3 > 0 {
            let message = watch(user, &format!("c{number}")).with("Expires", "0");
            gate.send(&message.in_dialog(tag, 2));
        }
    }
    assert_eq!((gate.gateway.len(), gate.live()), (100, 100));
    gate.pass(700.0);
    gate.nothing_is_left();
}

#[test]
fn a_request_by_another_does_not_extend_it() {
    let mut gate = Gate::new();
    let (tag, _) = gate.subscribe(&watch(NORA, "n"));
    for (sender, status) in [(known(OTTO), 403), (Identity::nobody(), 401)] {
        let sips = gate.send_as(&refresh("n", &tag, 2, 0), &sender);
        assert_eq!(sips.status(), status);
    }
    assert_eq!(gate.ordered(), ["Subscribe"]);
    assert_eq!((gate.live(), gate.gateway.len()), (1, 1));
}

/// Watchers that come and go faster than the service answers do not fill the gateway.
#[test]
fn ends_that_are_not_confirmed_count_as_subscriptions() {
    let mut config = FromSipConfig::default();
    config.server.limits.subscriptions = 3;
    let mut gate = Gate::with(config, |_| ());
    gate.carries = false;
    for round in 0..10 {
        let message = watch(NORA, &format!("n{round}"));
        let (tag, sips) = gate.subscribe(&message);
        if round >= 3 {
            let told = "terminated;reason=probation;retry-after=60";
            assert_eq!(sips.story().last().unwrap(), told);
        } else {
            let bye = message.with("Expires", "0").in_dialog(&tag, 2);
            assert_eq!(gate.send(&bye).status(), 200);
        }
        assert_eq!(gate.gateway.len(), 3.min(round + 1));
    }
    gate.pass(100.0);
    gate.nothing_is_left();
}
