//! The publisher beside our own agent: what is published is what watchers see, over a host that loses
//! messages and a server that forgets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Message, body_of, field, seeded};
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{
    Account, Assurance, Authorization, Decision, Failure, Identity, Output, OwnPublicationKey,
    PublishDecision, PublishQuery, PublisherConfig, PublisherEvent, PublisherOutput,
    RequestContext, SubscribeQuery, View,
};
use presentity::pidf::{Note, Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy, Publisher};
use presentity::sip::{OutgoingRequest, RequestRef, ResponseRef};
use proptest::prelude::*;

const DORA: &str = "sip:dora@example.com";
const EMIL: &str = "sip:emil@example.com";

/// Everybody sees everything, and publishes about himself.
struct Open;

impl Policy for Open {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        let _ = query;
        PublishDecision::Allow
    }
}

/// What becomes of one request on its way there and back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Arrives,
    /// The request is lost.
    Lost,
    /// The answer is lost.
    Unanswered,
}

/// A phone that publishes, and a server.
struct World {
    phone: Publisher,
    server: Agent<Open>,
    now: Timestamp,
    transactions: u64,
    servers: u64,
    events: Vec<PublisherEvent>,
    notifies: Vec<OutgoingRequest>,
    sent: usize,
}

fn server(number: u64) -> Agent<Open> {
    Agent::new(AgentConfig::default(), Open, seeded(1_000 + number))
}

fn state(note: &str) -> Presence {
    Presence::new(DORA).with_tuple(Tuple::open("phone").with_note(Note::new(note)))
}

impl World {
    fn new() -> Self {
        Self {
            phone: Publisher::new(PublisherConfig::default(), seeded(1)),
            server: server(0),
            now: Timestamp::from_secs(1_000),
            transactions: 0,
            servers: 0,
            events: Vec::new(),
            notifies: Vec::new(),
            sent: 0,
        }
    }

    fn publish(&mut self, document: Presence) -> OwnPublicationKey {
        let account = Account::new(DORA).unwrap();
        self.phone.publish(self.now, &account, document).unwrap()
    }

    /// The server has lost all that it knew.
    fn restart(&mut self) {
        self.servers += 1;
        self.server = server(self.servers);
    }

    /// Hands a request to the server as its user's; its final answer.
    fn ask(&mut self, request: &RequestRef<'_>) -> (u16, Vec<(String, String)>) {
        self.transactions += 1;
        let transaction = ServerTransaction(self.transactions);
        let from = request.first(presentity::sip::HeaderName::From).unwrap();
        let user = from.split(['<', '>']).nth(1).unwrap();
        let identity = Identity::of(user, Assurance::Digest).unwrap();
        let context = RequestContext::new(&identity, "sip:server.example.com");
        self.server
            .handle_request(self.now, transaction, request, &context)
            .unwrap();
        self.take_from_server().expect("an answer")
    }

    /// Every NOTIFY arrives.
    fn take_from_server(&mut self) -> Option<(u16, Vec<(String, String)>)> {
        let (mut answer, none) = (None, Bytes::new());
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Respond(response) => {
                    let fields = response.fields();
                    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
                    answer = Some((response.status(), fields.collect()));
                }
                Output::Send(notify) => {
                    let ok = ResponseRef::new(200, [], &none);
                    self.server
                        .handle_response(self.now, notify.transaction(), &ok);
                    self.notifies.push(notify);
                }
                _ => {}
            }
        }
        answer
    }

    /// Lets everything happen that happens now.
    fn settle(&mut self, mut fate: impl FnMut() -> Fate) {
        while let Some(output) = self.phone.poll_output() {
            match output {
                PublisherOutput::Send(request) => self.carry(&request, fate()),
                PublisherOutput::Event(event) => self.events.push(event),
                other => panic!("{other:?}"),
            }
        }
    }

    fn carry(&mut self, request: &OutgoingRequest, fate: Fate) {
        self.sent += 1;
        let answer = (fate != Fate::Lost).then(|| {
            let view = RequestRef::new(
                request.method(),
                request.uri(),
                request.fields(),
                request.body(),
            );
            self.ask(&view)
        });
        match answer.filter(|_| fate == Fate::Arrives) {
            Some((status, fields)) => {
                let none = Bytes::new();
                let fields = fields.iter().map(|(name, value)| (&**name, &**value));
                let response = ResponseRef::new(status, fields, &none);
                self.phone
                    .handle_response(self.now, request.transaction(), &response);
            }
            None => {
                self.now = self.now + Duration::from_secs(32);
                self.phone
                    .handle_failure(self.now, request.transaction(), Failure::Timeout);
            }
        }
    }

    fn pass(&mut self, time: Duration, mut fate: impl FnMut() -> Fate) {
        let end = self.now + time;
        loop {
            self.settle(&mut fate);
            let deadlines = [self.phone.poll_timeout(), self.server.poll_timeout()];
            let next = deadlines.into_iter().flatten().min();
            self.now = self.now.max(next.unwrap_or(end).min(end));
            if self.now >= end {
                break;
            }
            self.phone.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.take_from_server();
        }
        self.server.handle_timeout(self.now);
        self.take_from_server();
    }

    fn notes_at_server(&mut self) -> Vec<String> {
        let document = self.server.presence(DORA).unwrap();
        let tuples = document.map(|it| it.tuples).unwrap_or_default();
        let notes = tuples.iter().flat_map(|it| &it.notes);
        notes.map(|note| note.text.clone()).collect()
    }
}

fn well() -> Fate {
    Fate::Arrives
}

// PUA-01, PUA-05
#[test]
fn watchers_see_what_is_published_until_it_is_removed() {
    let mut world = World::new();
    let subscribe = Message::subscribe(EMIL, DORA, "watch");
    assert_eq!(world.ask(&subscribe.view()).0, 200);
    let key = world.publish(state("at home"));
    world.pass(Duration::from_secs(10), well);
    assert!(body_of(world.notifies.last().unwrap()).contains("at home"));
    world.phone.update(world.now, key, state("away")).unwrap();
    world.pass(Duration::from_secs(400), well);
    assert!(body_of(world.notifies.last().unwrap()).contains("away"));
    assert_eq!(world.notes_at_server(), ["away"]);
    world.phone.remove(world.now, key).unwrap();
    world.pass(Duration::from_secs(10), well);
    assert!(!body_of(world.notifies.last().unwrap()).contains("away"));
    assert!(world.notes_at_server().is_empty());
    assert_eq!(world.phone.occupancy(), [0; 4]);
}

// PUA-24: 36 hours of refreshes make nothing new.
#[test]
fn what_is_refreshed_stays() {
    let mut world = World::new();
    let key = world.publish(state("at home"));
    world.pass(Duration::from_secs(36 * 3600), well);
    assert_eq!(world.notes_at_server(), ["at home"]);
    assert!((36..=44).contains(&world.sent), "{}", world.sent);
    assert_eq!(world.server.occupancy().publications, 1);
    assert!(world.phone.publication(key).unwrap().is_current);
}

// PUA-18
#[test]
fn a_server_that_restarts_has_it_again_after_the_next_refresh() {
    let mut world = World::new();
    world.publish(state("at home"));
    world.pass(Duration::from_secs(10), well);
    world.restart();
    world.pass(Duration::from_secs(3600), well);
    assert_eq!(world.notes_at_server(), ["at home"]);
    assert!(
        world
            .events
            .iter()
            .any(|event| matches!(event, PublisherEvent::Lost { .. }))
    );
}

// PUA-02: each device has its part.
#[test]
fn several_publishers_of_one_presentity_do_not_touch_each_other() {
    let mut world = World::new();
    let desk = world.publish(state("desk"));
    let cell = world.publish(state("cell"));
    world.pass(Duration::from_secs(10), well);
    let mut notes = world.notes_at_server();
    notes.sort();
    assert_eq!(notes, ["cell", "desk"]);
    world.phone.remove(world.now, desk).unwrap();
    world.pass(Duration::from_secs(10), well);
    assert_eq!(world.notes_at_server(), ["cell"]);
    assert!(world.phone.abandon(world.now, cell));
    world.pass(Duration::from_secs(3700), well);
    assert!(world.notes_at_server().is_empty());
}

// PUA-03, PUA-06, SRV-03: a phone that is the agent of its own state, an edge presence server.
#[test]
fn a_presence_user_agent_may_be_the_agent_of_its_own_state() {
    let mut world = World::new();
    let key = world.publish(state("at home"));
    world.pass(Duration::from_secs(1), well);
    // Beside the publisher, which takes no requests, stands an agent with the same document.
    let mut own = Agent::new(AgentConfig::default(), Open, seeded(5));
    let document = world.phone.document(key).unwrap().clone();
    own.set_presence(world.now, DORA, document).unwrap();
    std::mem::swap(&mut own, &mut world.server);
    let subscribe = Message::subscribe("sip:server@example.com", DORA, "collect");
    assert_eq!(world.ask(&subscribe.view()).0, 200);
    let notify = world.notifies.last().unwrap();
    assert!(body_of(notify).contains("at home"));
    assert!(
        field(notify, "Subscription-State")
            .unwrap()
            .starts_with("active")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is lost, and whenever the server restarts: when all is quiet, it has the newest state
    /// once and nothing else, and after the removal nothing.
    #[test]
    fn in_the_end_the_server_has_the_newest_state_once(seed in any::<u64>()) {
        let mut world = World::new();
        let mut random = seeded(seed);
        let mut dice = move |sides: u8| {
            let mut byte = [0];
            presentity::engine::Entropy::fill(&mut random, &mut byte);
            byte[0] % sides
        };
        let key = world.publish(state("0"));
        for change in 0..40 {
            match dice(10) {
                0 => world.restart(),
                1..=5 => {
                    let note = change.to_string();
                    world.phone.update(world.now, key, state(&note)).unwrap();
                }
                _ => {}
            }
            let fates: Vec<Fate> = (0..64)
                .map(|_| match dice(10) {
                    0..=2 => Fate::Lost,
                    3..=4 => Fate::Unanswered,
                    _ => Fate::Arrives,
                })
                .collect();
            let mut fates = fates.into_iter().cycle();
            let time = Duration::from_secs(u64::from(dice(200)) * 10);
            world.pass(time, move || fates.next().unwrap());
        }
        world.phone.update(world.now, key, state("newest")).unwrap();
        // As long as a wait, and what is left of publications that nobody knows the tag of.
        world.pass(Duration::from_secs(1800 + 3600), well);
        prop_assert_eq!(world.notes_at_server(), ["newest"]);
        prop_assert!(world.sent < 400, "{}", world.sent);
        prop_assert_eq!(world.phone.occupancy(), [1, 0, 1, 0]);
        world.phone.remove(world.now, key).unwrap();
        world.pass(Duration::from_secs(60), well);
        prop_assert_eq!(world.phone.occupancy(), [0; 4]);
        prop_assert!(world.notes_at_server().is_empty());
    }
}
