//! Operations of the subscription service, at a thousand to a million live subscriptions, and the heap
//! that these take.
//!
//! `cargo bench --bench subscription_service` prints a table. Ten watchers for each presentity, every
//! watcher another one. What is timed begins with the octets of a document and ends when `poll_output`
//! has nothing more; beside it stands what reading the same documents takes by itself, in the same turn.
//! Times are CPU time of the thread, least and median of all turns.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

mod common;

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use common::{Open, Random, document, entropy};
use cpu_time::ThreadTime;
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{Assurance, Delivery, Identity};
use presentity::presence::AgentConfig;
use presentity::sdf::{
    MEDIA_TYPE, Operation, Output, Request, RequestContext, Service, ServiceConfig, Token,
};
use time::OffsetDateTime;

const PER_PRESENTITY: u64 = 10;
const BATCH: u64 = 64;
const TURNS: usize = 201;
const START: i64 = 1_800_000_000;

struct Population {
    service: Service<Open>,
    now: Timestamp,
    tick: u64,
    random: Random,
}

/// A request and who sends it.
struct Sent {
    octets: Bytes,
    identity: Identity,
}

impl Population {
    fn new(subscriptions: u64) -> Self {
        let mut agent = AgentConfig::default();
        agent.server.max_expires = 1_000_000;
        let mut service = ServiceConfig::default();
        service.checks.remembered = 4_000_000;
        let mut this = Self {
            service: Service::new(agent, service, Open, entropy()),
            now: Timestamp::ZERO,
            tick: 0,
            random: Random::new(1),
        };
        for presentity in 0..subscriptions / PER_PRESENTITY {
            let set = this.service.agent_mut().set_presence(
                this.now,
                &presentity_uri(presentity),
                document(presentity, false),
            );
            set.expect("a presentity");
        }
        this
    }

    fn fill(&mut self, subscriptions: u64) {
        for watcher in 0..subscriptions {
            let sent = self.request(watcher, subscriptions, Operation::Subscribe);
            self.carry_out(&sent);
        }
    }

    /// A request of this watcher, made now; a tenth of a millisecond passes.
    fn request(&mut self, watcher: u64, subscriptions: u64, operation: Operation) -> Sent {
        self.tick += 1;
        let utc = self.set_clock();
        let from = format!("pres:watcher{watcher}@example.org");
        let to = presentity_uri(watcher % (subscriptions / PER_PRESENTITY));
        let token = Token::new(&format!("{watcher:026}")).expect("a token");
        let request = match operation {
            Operation::Subscribe | Operation::Extend => {
                Request::subscribe(&from, &to, utc, &token, 900_000)
            }
            Operation::Cancel => Request::cancel(&from, &to, utc, &token),
            _ => Request::fetch(&from, &to, utc),
        };
        Sent {
            octets: request.expect("right").octets().clone(),
            identity: Identity::of(&from, Assurance::Transport).expect("a watcher"),
        }
    }

    fn set_clock(&mut self) -> OffsetDateTime {
        self.now = Timestamp::from_nanos(self.tick * 100_000);
        let utc = OffsetDateTime::from_unix_timestamp(START).expect("a time")
            + time::Duration::microseconds(self.tick as i64 * 100);
        self.service.set_wall_clock(self.now, utc);
        utc
    }

    fn carry_out(&mut self, sent: &Sent) {
        let context = RequestContext::new(&sent.identity);
        let transaction = ServerTransaction(self.tick);
        self.service
            .handle_request(self.now, transaction, MEDIA_TYPE, &sent.octets, &context)
            .expect("room");
        while let Some(output) = self.service.poll_output() {
            match output {
                Output::Respond { result, .. } => {
                    black_box(result.expect("granted"));
                }
                Output::Notify(notification) => {
                    if let Some(transaction) = notification.transaction() {
                        self.service
                            .handle_delivery(self.now, transaction, Delivery::Done);
                    }
                }
                _ => {}
            }
        }
    }

    fn time(&mut self, requests: &[Sent]) -> Duration {
        let start = ThreadTime::now();
        for sent in requests {
            self.carry_out(sent);
        }
        start.elapsed()
    }
}

fn presentity_uri(presentity: u64) -> String {
    format!("pres:presentity{presentity}@example.com")
}

fn reading(requests: &[Sent]) -> Duration {
    let start = ThreadTime::now();
    for sent in requests {
        black_box(Request::read(&sent.octets).expect("right"));
    }
    start.elapsed()
}

fn operations(subscriptions: u64) {
    let mut population = Population::new(subscriptions);
    population.fill(subscriptions);
    for (name, operation) in [
        ("subscribe", Operation::Subscribe),
        ("extend", Operation::Extend),
        ("fetch", Operation::Fetch),
        ("cancel", Operation::Cancel),
    ] {
        let mut turns = Vec::with_capacity(TURNS);
        for _ in 0..TURNS {
            let first = population.random.below(subscriptions as usize) as u64;
            let any = |number: u64| (first + number * 7_919) % subscriptions;
            let newcomer = |number: u64| subscriptions + any(number);
            let mut make =
                |watcher, operation| population.request(watcher, subscriptions, operation);
            // The population stays what it is.
            let (before, requests, after): (Vec<_>, Vec<_>, Vec<_>) = match operation {
                Operation::Subscribe => (
                    vec![],
                    (0..BATCH).map(|n| make(newcomer(n), operation)).collect(),
                    (0..BATCH)
                        .map(|n| make(newcomer(n), Operation::Cancel))
                        .collect(),
                ),
                Operation::Cancel => (
                    (0..BATCH)
                        .map(|n| make(newcomer(n), Operation::Subscribe))
                        .collect(),
                    (0..BATCH).map(|n| make(newcomer(n), operation)).collect(),
                    vec![],
                ),
                _ => (
                    vec![],
                    (0..BATCH).map(|n| make(any(n), operation)).collect(),
                    vec![],
                ),
            };
            for sent in &before {
                population.carry_out(sent);
            }
            let read = reading(&requests);
            turns.push((population.time(&requests), read));
            for sent in &after {
                population.carry_out(sent);
            }
            let now = population.now;
            population.service.handle_timeout(now);
        }
        let us = |duration: Duration| duration.as_nanos() as f64 / 1_000.0 / BATCH as f64;
        let mut whole: Vec<f64> = turns.iter().map(|turn| us(turn.0)).collect();
        let mut rest: Vec<f64> = turns
            .iter()
            .map(|turn| us(turn.0.saturating_sub(turn.1)))
            .collect();
        whole.sort_unstable_by(f64::total_cmp);
        rest.sort_unstable_by(f64::total_cmp);
        println!(
            "{subscriptions:>13} {name:<10} {:>8.2} {:>8.2} {:>16.2} {:>8.2}",
            whole[0],
            whole[TURNS / 2],
            rest[0],
            rest[TURNS / 2],
        );
    }
}

fn heap(subscriptions: u64) {
    let mut population = Population::new(subscriptions);
    let mut requests = Vec::with_capacity(subscriptions as usize);
    for watcher in 0..subscriptions {
        requests.push(population.request(watcher, subscriptions, Operation::Subscribe));
    }
    let info = allocation_counter::measure(|| {
        for sent in &requests {
            population.carry_out(sent);
        }
    });
    let remembered = population.service.agent().bodies().remembered();
    // What is remembered against replays is forgotten when its time cannot be fresh any more.
    let forgotten = allocation_counter::measure(|| {
        for _ in 0..2 {
            population.tick += 13_000_000;
            let utc = population.set_clock();
            let identity = Identity::of("pres:late@example.org", Assurance::Transport);
            let fetch = Request::fetch("pres:late@example.org", &presentity_uri(0), utc);
            let sent = Sent {
                octets: fetch.expect("right").octets().clone(),
                identity: identity.expect("a watcher"),
            };
            population.carry_out(&sent);
        }
    });
    let per = |octets: i64| octets as f64 / subscriptions as f64;
    println!(
        "{subscriptions:>13} {:>12.1} {:>12.1} {remembered:>12} {:>12} {:>12.1}",
        per(info.bytes_current),
        per(info.bytes_max as i64),
        population.service.agent().bodies().remembered(),
        per(info.bytes_current + forgotten.bytes_current),
    );
}

fn main() {
    println!(
        "{:>13} {:<10} {:>8} {:>8} {:>16} {:>8}",
        "subscriptions", "us each", "least", "median", "without reading", "median"
    );
    for subscriptions in [1_000, 100_000, 1_000_000] {
        operations(subscriptions);
    }
    println!(
        "\n{:>13} {:>12} {:>12} {:>12} {:>12} {:>12}",
        "heap octets", "each", "peak", "remembered", "later", "each"
    );
    for subscriptions in [1_000, 100_000, 1_000_000] {
        heap(subscriptions);
    }
}
