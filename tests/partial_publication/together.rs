//! The publisher of differences beside our own agent, over a network that loses and a server that forgets.

use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{Entropy, ServerTransaction, Timestamp};
use presentity::event::{
    Account, Assurance, Authorization, Decision, Failure, Identity, Output, OwnPublicationKey,
    PublishDecision, PublishQuery, PublisherConfig, PublisherEvent, PublisherOutput, RefusalReason,
    RequestContext, SubscribeQuery, View,
};
use presentity::pidf::rpid::{Activities, Activity};
use presentity::pidf::{Basic, Device, DeviceId, Note, Person, Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy, Publisher};
use presentity::sip::{OutgoingRequest, RequestRef, ResponseRef};
use presentity::xml::Element;
use proptest::prelude::*;

use crate::common::{body_of, field, seeded};

const DORA: &str = "sip:dora@example.com";

struct Open;

impl Policy for Open {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, _: &PublishQuery<'_>) -> PublishDecision {
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

struct World {
    phone: Publisher,
    server: Agent<Open>,
    config: AgentConfig,
    now: Timestamp,
    transactions: u64,
    servers: u64,
    events: Vec<PublisherEvent>,
    /// What left: whether as a difference, and its length.
    bodies: Vec<(bool, usize)>,
    /// Differences that were refused.
    misfits: u64,
}

impl World {
    fn new(config: AgentConfig) -> Self {
        Self {
            phone: Publisher::new(PublisherConfig::default(), seeded(1)),
            server: Agent::new(config.clone(), Open, seeded(1_000)),
            config,
            now: Timestamp::from_secs(1_000),
            transactions: 0,
            servers: 0,
            events: Vec::new(),
            bodies: Vec::new(),
            misfits: 0,
        }
    }

    fn publish(&mut self, document: Presence) -> OwnPublicationKey {
        let account = Account::new(DORA).unwrap();
        let published = self.phone.publish_partially(self.now, &account, document);
        published.unwrap()
    }

    /// The server has lost all that it knew.
    fn restart(&mut self) {
        self.servers += 1;
        self.misfits += self.refusals();
        let entropy = seeded(1_000 + self.servers);
        self.server = Agent::new(self.config.clone(), Open, entropy);
    }

    fn refusals(&self) -> u64 {
        let counters = self.server.counters();
        let reasons = [RefusalReason::Malformed, RefusalReason::Unprocessed];
        reasons.map(|reason| counters.refused(reason)).iter().sum()
    }

    fn ask(&mut self, request: &RequestRef<'_>) -> (u16, Vec<(String, String)>) {
        self.transactions += 1;
        let transaction = ServerTransaction(self.transactions);
        let identity = Identity::of(DORA, Assurance::Digest).unwrap();
        let context = RequestContext::new(&identity, "sip:server.example.com");
        let now = self.now;
        let handled = self
            .server
            .handle_request(now, transaction, request, &context);
        handled.unwrap();
        let mut answer = None;
        while let Some(output) = self.server.poll_output() {
            if let Output::Respond(response) = output {
                let fields = response.fields();
                let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
                answer = Some((response.status(), fields.collect()));
            }
        }
        answer.expect("an answer")
    }

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
        if !request.body().is_empty() {
            let is_difference = body_of(request).contains("pidf-diff ");
            self.bodies.push((is_difference, request.body().len()));
        }
        let answer = (fate != Fate::Lost).then(|| {
            let (method, uri) = (request.method(), request.uri());
            self.ask(&RequestRef::new(
                method,
                uri,
                request.fields(),
                request.body(),
            ))
        });
        match answer.filter(|_| fate == Fate::Arrives) {
            Some((status, fields)) => {
                let none = Bytes::new();
                let fields = fields.iter().map(|(name, value)| (&**name, &**value));
                let response = ResponseRef::new(status, fields, &none);
                let transaction = request.transaction();
                self.phone.handle_response(self.now, transaction, &response);
            }
            None => {
                self.now = self.now + Duration::from_secs(32);
                let transaction = request.transaction();
                self.phone
                    .handle_failure(self.now, transaction, Failure::Timeout);
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
            while self.server.poll_output().is_some() {}
        }
        self.server.handle_timeout(self.now);
    }

    fn at_server(&mut self) -> Option<Presence> {
        self.server.presence(DORA).unwrap()
    }
}

fn well() -> Fate {
    Fate::Arrives
}

/// A user with many phones, as big as a document of a real one.
fn state(note: &str) -> Presence {
    let tuple = |at: u32| {
        let contact = format!("sip:phone-{at}@dora.example.com");
        Tuple::open(format!("phone-{at}")).with_contact(contact)
    };
    let tuples = (0..20)
        .map(tuple)
        .fold(Presence::new(DORA), Presence::with_tuple);
    tuples.with_note(Note::new(note))
}

// PUA-25, SRV-53
#[test]
fn a_small_change_of_a_large_document_is_a_small_request() {
    let mut world = World::new(AgentConfig::default());
    let key = world.publish(state("at home"));
    world.pass(Duration::from_secs(10), well);
    for note in ["away", "in the garden"] {
        world.phone.update(world.now, key, state(note)).unwrap();
        world.pass(Duration::from_secs(10), well);
        assert_eq!(world.at_server(), Some(state(note)));
    }
    let [(false, whole), (true, one), (true, other)] = world.bodies[..] else {
        panic!("{:?}", world.bodies);
    };
    assert!(
        whole > 2_000 && one < 250 && other < 250,
        "{:?}",
        world.bodies
    );
    assert!(world.phone.publication(key).unwrap().is_partial);
    world.phone.remove(world.now, key).unwrap();
    world.pass(Duration::from_secs(1), well);
    assert_eq!(world.at_server(), None);
    assert_eq!(world.phone.occupancy(), [0; 4]);
}

// PUA-25: RFC 5264 section 4.2.
#[test]
fn a_document_that_is_quite_another_goes_whole() {
    let mut world = World::new(AgentConfig::default());
    let key = world.publish(state("at home"));
    world.pass(Duration::from_secs(10), well);
    let other = Presence::new(DORA).with_tuple(Tuple::closed("other"));
    world.phone.update(world.now, key, other.clone()).unwrap();
    world.pass(Duration::from_secs(10), well);
    assert_eq!(world.at_server(), Some(other));
    assert!(!world.bodies[1].0);
}

// PUA-25, SRV-53: RFC 5264 section 4.1.
#[test]
fn a_server_that_does_not_know_it_is_told_as_ever() {
    let mut config = AgentConfig::default();
    config.partial_publications = false;
    let mut world = World::new(config);
    let key = world.publish(state("at home"));
    world.pass(Duration::from_secs(10), well);
    world.phone.update(world.now, key, state("away")).unwrap();
    world.pass(Duration::from_secs(10), well);
    assert_eq!(world.at_server(), Some(state("away")));
    let refused = PublisherEvent::PartialRefused { key };
    let refused = world.events.iter().filter(|event| **event == refused);
    assert_eq!(refused.count(), 1);
    assert_eq!(world.bodies.len(), 3);
    assert!(world.bodies.iter().all(|(is_difference, _)| !is_difference));
}

// PUA-25, PUA-18
#[test]
fn a_server_that_restarts_is_told_all_and_then_differences_again() {
    let mut world = World::new(AgentConfig::default());
    let key = world.publish(state("at home"));
    world.pass(Duration::from_secs(10), well);
    world.restart();
    world.phone.update(world.now, key, state("away")).unwrap();
    world.pass(Duration::from_secs(10), well);
    assert_eq!(world.at_server(), Some(state("away")));
    world.phone.update(world.now, key, state("back")).unwrap();
    world.pass(Duration::from_secs(10), well);
    assert_eq!(world.at_server(), Some(state("back")));
    let kinds: Vec<bool> = world.bodies.iter().map(|(it, _)| *it).collect();
    assert_eq!(kinds, [false, true, false, true]);
    assert_eq!(world.misfits + world.refusals(), 0);
}

// PUA-25
#[test]
fn what_is_published_partially_has_the_right_type() {
    let mut world = World::new(AgentConfig::default());
    let key = world.publish(Presence::new(""));
    let Some(PublisherOutput::Send(request)) = world.phone.poll_output() else {
        panic!("nothing left");
    };
    assert_eq!(
        field(&request, "Content-Type"),
        Some("application/pidf-diff+xml")
    );
    assert!(body_of(&request).contains("pidf-full"));
    assert!(body_of(&request).contains(DORA));
    assert!(!body_of(&request).contains("version=\"1\""));
    assert!(world.phone.abandon(world.now, key));
}

/// One change of what a user is and has, as the bytes say.
fn edit(document: &mut Presence, mut next: impl FnMut(u8) -> u8) {
    let words = [
        "away",
        "<&\"'>",
        "in  two\nlines",
        "",
        "  ",
        "ä€𝄞",
        "at home",
    ];
    let word = words[usize::from(next(7))].to_owned();
    let count = u8::try_from(document.tuples.len()).unwrap();
    match next(12) {
        0 | 1 if count < 12 => {
            let mut number = 0;
            while document.tuple(&format!("t{number}")).is_some() {
                number += 1;
            }
            let tuple =
                Tuple::open(format!("t{number}")).with_contact("sip:dora@phone.example.com");
            let at = next(count + 1);
            document.tuples.insert(usize::from(at), tuple);
        }
        2 if count > 0 => drop(document.tuples.remove(usize::from(next(count)))),
        3 if count > 0 => {
            let tuple = &mut document.tuples[usize::from(next(count))];
            let other = match tuple.status.basic() {
                Some(Basic::Open) => Basic::Closed,
                _ => Basic::Open,
            };
            tuple.status.set_basic(Some(other));
        }
        4 if count > 0 => {
            let tuple = &mut document.tuples[usize::from(next(count))];
            tuple.notes.push(Note::new(word).in_language("en"));
            tuple.notes.truncate(3);
        }
        5 if count > 0 => {
            let tuple = &mut document.tuples[usize::from(next(count))];
            let extension = Element::new("urn:example:own", "mood");
            let extension = extension.with_attribute("of", &word).with_text(&word);
            tuple.extensions.push(extension);
            tuple.extensions.truncate(2);
        }
        6 if count > 1 => document.tuples.swap(0, usize::from(count) - 1),
        7 => document.notes.push(Note::new(word)),
        8 => document.notes.clear(),
        9 => {
            let activities = Activities::of(
                [Activity::Away, Activity::Busy][usize::from(next(2))..]
                    .iter()
                    .cloned(),
            );
            document.persons = vec![Person::new("person").with(&activities).unwrap()];
        }
        10 => {
            let id = DeviceId::new("urn:uuid:48662e19-5fbf-43fc-a2fd-d23002787599");
            document.devices = vec![Device::new("device", id.unwrap())];
        }
        _ => {
            document.persons.clear();
            document.devices.clear();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is lost, and whenever the server restarts: when all is quiet it has what the application
    /// wants, once, and no difference was ever one that did not fit.
    // PUA-25, SRV-53
    #[test]
    fn in_the_end_the_server_has_what_the_application_wants(seed in any::<u64>()) {
        let mut world = World::new(AgentConfig::default());
        let mut random = seeded(seed);
        let mut dice = move |sides: u8| {
            let mut byte = [0];
            random.fill(&mut byte);
            byte[0] % sides
        };
        let mut wanted = state("at home");
        let key = world.publish(wanted.clone());
        for _ in 0..40 {
            if dice(10) == 0 {
                world.restart();
            }
            for _ in 0..dice(4) {
                edit(&mut wanted, &mut dice);
                world.phone.update(world.now, key, wanted.clone()).unwrap();
                if dice(3) == 0 {
                    world.settle(well);
                }
            }
            let fates: Vec<Fate> = (0..64)
                .map(|_| match dice(12) {
                    0..=1 => Fate::Lost,
                    2..=3 => Fate::Unanswered,
                    _ => Fate::Arrives,
                })
                .collect();
            let mut fates = fates.into_iter().cycle();
            let time = Duration::from_secs(u64::from(dice(200)) * 10);
            world.pass(time, move || fates.next().unwrap());
        }
        edit(&mut wanted, &mut dice);
        world.phone.update(world.now, key, wanted.clone()).unwrap();
        // As long as a wait, and what is left of publications that nobody knows the tag of.
        world.pass(Duration::from_secs(1800 + 3600), well);
        prop_assert_eq!(world.at_server(), world.phone.document(key).cloned());
        prop_assert_eq!(world.misfits + world.refusals(), 0);
        let differences = world.bodies.iter().filter(|(is_difference, _)| *is_difference);
        prop_assert!(differences.count() > 5);
        world.phone.remove(world.now, key).unwrap();
        world.pass(Duration::from_secs(60), well);
        prop_assert_eq!(world.phone.occupancy(), [0; 4]);
        prop_assert_eq!(world.at_server(), None);
    }
}
