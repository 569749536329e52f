//! A watcher, or a proxy before it, challenges NOTIFYs.
#![allow(clippy::panic, reason = "test code may fail loudly")]

mod common;

use common::{Driver, Message, Outputs, field, seeded, state_of};
use presentity::event::{
    Authorization, Decision, EndReason, Failure, NeedCredentials, Output, ServerEvent,
    SubscribeQuery, Termination, View,
};
use presentity::presence::{Agent, AgentConfig, Policy};

struct Anyone;

impl Policy for Anyone {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }
}

const CHALLENGE: [(&str, &str); 1] = [("WWW-Authenticate", "Digest realm=\"w\", nonce=\"1\"")];

fn challenged() -> (Driver<Agent<Anyone>>, NeedCredentials) {
    let mut driver = Driver::new(Agent::new(AgentConfig::default(), Anyone, seeded(5)));
    let outputs = driver.send(&Message::subscribe(
        "sip:ana@example.com",
        "sip:ivo@example.com",
        "w",
    ));
    let outputs = driver.answer_with(outputs.notify(), 401, &CHALLENGE);
    let need = wish(&outputs);
    (driver, need)
}

fn wish(outputs: &Outputs) -> NeedCredentials {
    match outputs.all.as_slice() {
        [Output::NeedCredentials(need)] => need.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn with_credentials_the_notify_is_repeated_with_a_new_cseq() {
    // PA-50, SEC-27
    let (mut driver, need) = challenged();
    assert_eq!((need.status(), need.method()), (401, "NOTIFY"));
    assert_eq!(need.uri(), "sip:ana@phone.example.net:5062");
    assert_eq!(need.from(), "sip:ivo@example.com");
    assert_eq!(need.challenges().collect::<Vec<_>>(), [CHALLENGE[0].1]);
    assert!(
        !driver
            .role
            .provide_credentials(driver.now, need.transaction(), "Digest\r\nX: y")
    );
    assert!(
        driver
            .role
            .provide_credentials(driver.now, need.transaction(), "Digest right")
    );
    let outputs = driver.drain();
    let notify = outputs.notify();
    assert_eq!(field(notify, "Authorization"), Some("Digest right"));
    assert_eq!(field(notify, "CSeq"), Some("2 NOTIFY"));
    assert!(
        !driver
            .role
            .provide_credentials(driver.now, need.transaction(), "Digest right")
    );
    driver.answer(notify, 200);
    assert_eq!(driver.role.subscriptions().count(), 1);
    assert_eq!(driver.role.occupancy().open_notifies, 0);
}

#[test]
fn a_third_challenge_in_a_row_is_a_refusal() {
    let (mut driver, mut need) = challenged();
    for round in 0..2 {
        assert!(
            driver
                .role
                .provide_credentials(driver.now, need.transaction(), "Digest x")
        );
        let outputs = driver.drain();
        let outputs = driver.answer_with(outputs.notify(), 401, &CHALLENGE);
        if round == 0 {
            need = wish(&outputs);
        } else {
            assert!(matches!(
                outputs.events()[..],
                [ServerEvent::NotifyRefused { status: 401, .. }]
            ));
        }
    }
    assert_eq!(driver.role.subscriptions().count(), 1, "it goes on");
}

#[test]
fn without_credentials_it_goes_on_at_once_or_after_a_while() {
    for declined in [true, false] {
        let (mut driver, need) = challenged();
        if declined {
            assert!(
                driver
                    .role
                    .decline_credentials(driver.now, need.transaction())
            );
            assert!(
                !driver
                    .role
                    .decline_credentials(driver.now, need.transaction())
            );
        } else {
            driver.pass(65.0);
        }
        assert_eq!(driver.role.occupancy().open_notifies, 0);
        let document = presentity::pidf::Presence::new("sip:ivo@example.com").with_note("in");
        driver
            .role
            .set_presence(driver.now, "sip:ivo@example.com", document)
            .unwrap();
        assert_eq!(field(driver.drain().notify(), "CSeq"), Some("2 NOTIFY"));
    }
}

#[test]
fn a_late_failure_of_the_challenged_one_is_a_stray() {
    let (mut driver, need) = challenged();
    driver
        .role
        .handle_failure(driver.now, need.transaction(), Failure::Timeout);
    assert_eq!(driver.role.counters().stray_outcomes(), 1);
    assert_eq!(driver.role.subscriptions().count(), 1);
}

#[test]
fn the_last_notify_may_be_challenged_too() {
    let mut driver = Driver::new(Agent::new(AgentConfig::default(), Anyone, seeded(5)));
    driver.subscribed(&Message::subscribe(
        "sip:ana@example.com",
        "sip:ivo@example.com",
        "w",
    ));
    driver.role.terminate_all(
        driver.now,
        Termination::new(presentity::event::Reason::NoResource),
    );
    let outputs = driver.drain();
    assert!(matches!(
        outputs.events()[..],
        [ServerEvent::SubscriptionEnded {
            reason: EndReason::Terminated(_),
            ..
        }]
    ));
    let outputs = driver.answer_with(outputs.notify(), 407, &[("Proxy-Authenticate", "Digest z")]);
    let need = wish(&outputs);
    assert!(
        driver
            .role
            .provide_credentials(driver.now, need.transaction(), "Digest y")
    );
    let outputs = driver.drain();
    assert_eq!(
        field(outputs.notify(), "Proxy-Authorization"),
        Some("Digest y")
    );
    assert_eq!(state_of(outputs.notify()), "terminated;reason=noresource");
    driver.answer(outputs.notify(), 200);
    assert_eq!(driver.role.occupancy(), Default::default());
}
