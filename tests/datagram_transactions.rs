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

#[test]
fn an_unanswered_request_is_repeated_ten_times_and_given_up_after_32_s() {
    let start = Instant::now();
    let mut clients = ClientTransactions::default();
    let request = notify();
    let id = request.transaction();
    let branch = clients.open(start, request, route());
    let mut sent = Vec::new();
    let given_up = loop {
        let at = clients.deadline().unwrap();
        assert_eq!(clients.poll(at - millis(1)), None);
        match clients.poll(at).unwrap() {
            Due::Repeat(repeated) => {
                assert_eq!(repeated, branch);
                sent.push((at - start).as_millis());
            }
            Due::Timeout(transaction) => {
                assert_eq!(transaction, id);
                break at - start;
            }
        }
    };
    let seconds = [3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5];
    let expected = [0.5, 1.5].into_iter().chain(seconds);
    let expected: Vec<u128> = expected.map(|s| (s * 1000.0) as u128).collect();
    assert_eq!(sent, expected);
    assert_eq!(given_up, Duration::from_secs(32));
    assert_eq!(clients.deadline(), None);
    assert_eq!(clients.close(branch, "NOTIFY"), None);
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
    assert_eq!(clients.close(branch.wrapping_add(1), "NOTIFY"), None);
    assert_eq!(clients.close(branch, "SUBSCRIBE"), None);
    assert_eq!(clients.close(branch, "NOTIFY"), Some(id));
    assert_eq!(clients.close(branch, "NOTIFY"), None);
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
