//! The transactions over datagrams that the examples have: what is repeated, when, and for how long.
#![allow(clippy::unwrap_used, reason = "test code may fail loudly")]

mod common;

#[path = "../examples/adapter/transactions.rs"]
#[allow(dead_code, reason = "not all of it is reached from here")]
mod transactions;

use common::{Driver, Message, seeded};
use presentity::event::{Authorization, Decision, SubscribeQuery, View};
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sip::OutgoingRequest;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use transactions::{ClientTransactions, Due, Route, Seen, ServerTransactions};

#[derive(Debug)]
struct OpenHouse;

impl Policy for OpenHouse {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }
}

fn notify() -> OutgoingRequest {
    let agent = Agent::new(AgentConfig::default(), OpenHouse, seeded(7));
    let subscribe = Message::subscribe("sip:nora@example.org", "sip:ivo@example.com", "one");
    Driver::new(agent).send(&subscribe).notify().clone()
}

fn route() -> Route {
    Route {
        listener: 0,
        destination: "192.0.2.9:5060".parse().unwrap(),
    }
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// When a request is sent again and given up, in milliseconds, that gets a 100 at this time.
fn repetitions(provisional: Option<u64>) -> (Vec<u128>, u128) {
    let start = Instant::now();
    let mut clients = ClientTransactions::default();
    let request = notify();
    let id = request.transaction();
    let branch = clients.open(start, request, route());
    let mut provisional = provisional.map(|after| start + millis(after));
    let mut sent = Vec::new();
    loop {
        let at = clients.deadline().unwrap();
        if provisional.take_if(|early| *early < at).is_some() {
            assert_eq!(clients.close(branch, "NOTIFY", 100), None);
            continue;
        }
        assert_eq!(clients.poll(at - millis(1)), None);
        match clients.poll(at).unwrap() {
            Due::Repeat(repeated) => {
                assert_eq!(repeated, branch);
                sent.push((at - start).as_millis());
            }
            Due::Timeout(transaction) => {
                assert_eq!(transaction, id);
                assert_eq!(clients.deadline(), None);
                assert_eq!(clients.close(branch, "NOTIFY", 200), None);
                return (sent, (at - start).as_millis());
            }
        }
    }
}

#[test]
fn an_unanswered_request_is_repeated_ten_times_and_given_up_after_32_s() {
    let all = [
        500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500,
    ];
    assert_eq!(repetitions(None), (all.to_vec(), 32_000));
}

#[test]
fn after_a_provisional_response_a_request_is_repeated_every_4_s_and_given_up_as_early() {
    let early = [500, 4500, 8500, 12500, 16500, 20500, 24500, 28500];
    assert_eq!(repetitions(Some(200)), (early.to_vec(), 32_000));
    let late = [500, 1500, 5500, 9500, 13500, 17500, 21500, 25500, 29500];
    assert_eq!(repetitions(Some(1000)), (late.to_vec(), 32_000));
}

#[test]
fn a_provisional_response_with_another_method_slows_nothing_down() {
    let now = Instant::now();
    let mut clients = ClientTransactions::default();
    let branch = clients.open(now, notify(), route());
    assert_eq!(clients.close(branch, "SUBSCRIBE", 100), None);
    assert_eq!(clients.poll(now + millis(500)), Some(Due::Repeat(branch)));
    assert_eq!(clients.deadline(), Some(now + millis(1500)));
}

#[test]
fn only_the_branch_and_method_of_a_request_answer_it_and_only_once() {
    let now = Instant::now();
    let mut clients = ClientTransactions::default();
    let request = notify();
    let id = request.transaction();
    let branch = clients.open(now, request.clone(), route());
    let other = clients.open(now, request, route());
    assert_ne!(branch, other);
    assert_eq!(clients.close(branch.wrapping_add(1), "NOTIFY", 200), None);
    assert_eq!(clients.close(branch, "SUBSCRIBE", 200), None);
    assert_eq!(clients.close(branch, "NOTIFY", 200), Some(id));
    assert_eq!(clients.close(branch, "NOTIFY", 200), None);
    // The other is repeated still, the answered one is not.
    let later = now + millis(600);
    assert_eq!(clients.poll(later), Some(Due::Repeat(other)));
    assert_eq!(clients.poll(later), None);
    clients.forget(other);
    assert_eq!(clients.deadline(), None);
}

#[test]
fn a_repeated_request_gets_the_same_answer_for_32_s() {
    let now = Instant::now();
    let mut servers = ServerTransactions::default();
    let (key, other): (Arc<str>, Arc<str>) = ("SUBSCRIBE a".into(), "SUBSCRIBE b".into());
    assert_eq!(servers.open(&key), Seen::New);
    assert_eq!(servers.open(&key), Seen::Pending);
    assert_eq!(servers.open(&other), Seen::New);
    let answer: Arc<[u8]> = b"SIP/2.0 200 OK".to_vec().into();
    servers.answer(now, &key, answer.clone());
    servers.expire(now + Duration::from_secs(31));
    assert_eq!(servers.open(&key), Seen::Answered(&answer));
    assert_eq!(servers.open(&other), Seen::Pending);
    servers.expire(now + Duration::from_secs(32));
    assert!(!servers.knows(&key));
    assert!(servers.knows(&other));
}

#[test]
fn a_second_answer_changes_nothing() {
    let now = Instant::now();
    let mut servers = ServerTransactions::default();
    let key: Arc<str> = "SUBSCRIBE a".into();
    assert_eq!(servers.open(&key), Seen::New);
    let first: Arc<[u8]> = b"SIP/2.0 200 OK".to_vec().into();
    servers.answer(now, &key, first.clone());
    servers.answer(now + millis(9), &key, b"SIP/2.0 500 Oh".to_vec().into());
    assert_eq!(servers.open(&key), Seen::Answered(&first));
}

#[test]
fn a_flood_of_branches_takes_no_more_room_than_there_is_and_only_the_oldest_are_forgotten() {
    let now = Instant::now();
    let mut servers = ServerTransactions::default();
    // As long as a datagram, and shared, so that the test itself needs little.
    let answer: Arc<[u8]> = vec![b'x'; 65_000].into();
    let key = |number: usize| -> Arc<str> { format!("OPTIONS {number}").into() };
    let pending = key(100_000);
    assert_eq!(servers.open(&pending), Seen::New);
    for number in 0..10_000 {
        assert_eq!(servers.open(&key(number)), Seen::New);
        servers.answer(now, &key(number), answer.clone());
    }
    let kept: Vec<bool> = (0..10_000).map(|n| servers.knows(&key(n))).collect();
    let first = kept.iter().position(|kept| *kept).unwrap();
    assert!(kept.iter().skip(first).all(|kept| *kept));
    let octets = (10_000 - first) * answer.len();
    assert!((200 << 20..=256 << 20).contains(&octets), "{octets}");
    assert_eq!(servers.open(&pending), Seen::Pending);
    servers.expire(now + Duration::from_secs(32));
    assert!(!servers.knows(&key(9_999)));
    assert_eq!(servers.open(&pending), Seen::Pending);
}
