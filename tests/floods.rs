//! Floods against each bound in turn: who floods is refused and makes nothing, those who were there
//! before lose nothing, the others are served all the while, and when what filled the bound has ended
//! there is room again. Then watchers that answer nothing, by the thousand. What a single request too
//! many meets is in `limits.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use common::{Driver, Message, Outputs, body_of, response_field, seeded};
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Authorization, Decision, Failure, Identity, Limits, Output, PublishDecision,
    PublishQuery, RequestContext, ServerConfig, SubscribeQuery, View,
};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sip::{OutgoingRequest, ResponseRef};

const VERA: &str = "sip:vera@example.com";
const WOLF: &str = "sip:wolf@example.com";
/// The bound that is reached, without those who were there before.
const FILL: u32 = 20;
const FLOOD: u32 = 1_000;

/// Everybody may do everything; some publications are stored elsewhere first.
#[derive(Debug)]
struct Open;

impl Policy for Open {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        if query.resource().starts_with("stored") {
            PublishDecision::Defer
        } else {
            PublishDecision::Allow
        }
    }
}

type Server = Driver<Agent<Open>>;

fn server(configure: impl FnOnce(&mut ServerConfig)) -> Server {
    let mut config = AgentConfig::default();
    configure(&mut config.server);
    Driver::new(Agent::new(config, Open, seeded(37)))
}

fn document(of: &str, note: &str) -> String {
    let presence = Presence::new(of).with_tuple(Tuple::open("t").with_note(note));
    String::from_utf8(presence.write().unwrap().to_vec()).unwrap()
}

/// A request, and the last number of the address that it comes from.
type Sent = (Message, u8);

fn send(server: &mut Server, (message, address): &Sent) -> Outputs {
    let from = message.field("From");
    let uri = from.split(['<', '>']).nth(1).unwrap();
    let identity = Identity::of(uri, Assurance::Digest).unwrap();
    let source: IpAddr = Ipv4Addr::new(192, 0, 2, *address).into();
    let context = RequestContext::new(&identity, "sip:agent.example.com").with_source(source);
    server.send_with(message, &context)
}

fn status(outputs: &Outputs) -> Option<u16> {
    outputs.responses().first().map(|it| it.status())
}

fn user(name: &str, number: u32) -> String {
    format!("sip:{name}{number}@example.com")
}

fn subscribe(from: &str, uri: &str, number: u32) -> Message {
    Message::subscribe(from, uri, &format!("flood-{number}"))
}

fn publish(from: &str, number: u32, note: &str) -> Message {
    Message::publish(from, &format!("flood-{number}"), &document(from, note))
}

/// How one bound is flooded.
struct Flood {
    /// The field of [`Limits`].
    bound: &'static str,
    set: fn(&mut Limits),
    request: fn(u32) -> Sent,
    /// So many fit.
    within: u32,
    /// What the others get.
    refused: u16,
    /// What fits when there is room again.
    room: fn() -> Sent,
}

impl Flood {
    fn newcomers_may(&self, method: &str) -> bool {
        match self.bound {
            "subscriptions" => method != "SUBSCRIBE",
            "publications" => method != "PUBLISH",
            _ => true,
        }
    }
}

fn floods() -> Vec<Flood> {
    let fill = FILL as usize;
    assert_eq!(fill, 20);
    vec![
        Flood {
            bound: "subscriptions",
            set: |limits| limits.subscriptions = 21,
            request: |n| (subscribe(&user("a", n), &user("p", n), n), n as u8),
            within: FILL,
            refused: 503,
            room: || (subscribe(VERA, &user("p", 0), 5_000), 1),
        },
        Flood {
            bound: "subscriptions_per_resource",
            set: |limits| limits.subscriptions_per_resource = 20,
            request: |n| (subscribe(&user("a", n), &user("p", 0), n), n as u8),
            within: FILL,
            refused: 503,
            room: || (subscribe(VERA, &user("p", 0), 5_000), 1),
        },
        Flood {
            bound: "subscriptions_per_watcher",
            set: |limits| limits.subscriptions_per_watcher = 20,
            request: |n| (subscribe(&user("a", 0), &user("p", n), n), n as u8),
            within: FILL,
            refused: 503,
            room: || (subscribe(&user("a", 0), WOLF, 5_000), 1),
        },
        Flood {
            bound: "subscriptions_per_watcher_and_resource",
            set: |limits| limits.subscriptions_per_watcher_and_resource = 20,
            request: |n| (subscribe(&user("a", 0), WOLF, n), n as u8),
            within: FILL,
            refused: 503,
            room: || (subscribe(&user("a", 0), WOLF, 5_000), 1),
        },
        Flood {
            bound: "subscriptions_per_source",
            set: |limits| limits.subscriptions_per_source = 20,
            request: |n| (subscribe(&user("a", n), &user("p", n), n), 66),
            within: FILL,
            refused: 503,
            room: || (subscribe(VERA, WOLF, 5_000), 66),
        },
        Flood {
            bound: "publications",
            set: |limits| limits.publications = 21,
            request: |n| (publish(&user("a", n), n, "x"), n as u8),
            within: FILL,
            refused: 503,
            room: || (publish(VERA, 5_000, "x"), 1),
        },
        Flood {
            bound: "publications_per_resource",
            set: |limits| limits.publications_per_resource = 20,
            request: |n| (publish(&user("a", 0), n, "x"), n as u8),
            within: FILL,
            refused: 503,
            room: || (publish(&user("a", 0), 5_000, "x"), 1),
        },
        Flood {
            // Of a presentity that stays when the flood has ebbed away.
            bound: "published",
            set: |limits| limits.published = 20_500,
            request: |n| {
                let empty = document(WOLF, "").len();
                (publish(WOLF, n, &"x".repeat(1_000 - empty)), n as u8)
            },
            within: FILL,
            refused: 413,
            room: || {
                let fits = "x".repeat(19_000);
                (publish(WOLF, 5_000, &fits), 1)
            },
        },
        Flood {
            bound: "body",
            set: |limits| limits.body = 500,
            request: |n| match n % 2 {
                0 => (publish(&user("a", n), n, &"x".repeat(500)), n as u8),
                _ => {
                    let message = subscribe(&user("a", n), WOLF, n);
                    let message = message.with("Content-Type", "text/plain");
                    (message.with_body(&"x".repeat(501)), n as u8)
                }
            },
            within: 0,
            refused: 413,
            room: || (publish(&user("a", 0), 5_000, "x"), 1),
        },
        Flood {
            bound: "dialog",
            set: |limits| limits.dialog = 400,
            request: |n| {
                let contact = format!("<sip:{}@example.net>", "x".repeat(400));
                let message = subscribe(&user("a", n), WOLF, n);
                (message.with("Contact", &contact), n as u8)
            },
            within: 0,
            refused: 513,
            room: || (subscribe(&user("a", 0), WOLF, 5_000), 1),
        },
        Flood {
            bound: "name",
            set: |limits| limits.name = 40,
            request: |n| {
                let long = user(&"x".repeat(40), n);
                match n % 2 {
                    0 => (publish(&long, n, "x"), n as u8),
                    _ => (subscribe(&user("a", n), &long, n), n as u8),
                }
            },
            within: 0,
            refused: 414,
            room: || (subscribe(&user("a", 0), WOLF, 5_000), 1),
        },
        Flood {
            bound: "jobs",
            set: |limits| limits.jobs = 20,
            request: |n| (publish(&user("stored", n), n, "x"), n as u8),
            within: FILL,
            refused: 503,
            room: || (publish(&user("stored", 0), 5_000, "x"), 1),
        },
        Flood {
            // Over it the oldest make way, and nobody is refused.
            bound: "remembered_requests",
            set: |limits| limits.remembered_requests = 20,
            request: |n| {
                let message = subscribe(&user("a", n), WOLF, n);
                (message.with("Expires", "0"), n as u8)
            },
            within: FLOOD,
            refused: 0,
            room: || (subscribe(&user("a", 0), WOLF, 5_000), 1),
        },
    ]
}

/// Those who were there before: one publishes and another watches.
struct Before {
    subscribe: Message,
    tag: String,
    cseq: u32,
    etag: String,
    step: u32,
}

fn etag(outputs: &Outputs) -> String {
    let tag = response_field(outputs.response(), "SIP-ETag");
    tag.unwrap().to_owned()
}

fn answer_all(server: &mut Server, outputs: &Outputs) {
    let mut todo = server.answer_all(outputs);
    while !todo.requests().is_empty() {
        todo = server.answer_all(&todo);
    }
}

impl Before {
    fn new(server: &mut Server) -> Self {
        let message = Message::publish(WOLF, "before", &document(WOLF, "0"));
        let outputs = send(server, &(message.with("Expires", "3600"), 9));
        let etag = etag(&outputs);
        let subscribe = Message::subscribe(VERA, WOLF, "before-w").with("Expires", "3600");
        let outputs = send(server, &(subscribe.clone(), 9));
        let tag = outputs.response().to_tag().unwrap().to_owned();
        answer_all(server, &outputs);
        Self {
            subscribe,
            tag,
            cseq: 1,
            etag,
            step: 0,
        }
    }

    /// All that they do works as if they were alone.
    fn go_on(&mut self, server: &mut Server, flood: &Flood) {
        self.step += 1;
        let bound = flood.bound;
        let note = format!("step {}", self.step);
        let modify = Message::publish(WOLF, &format!("m{}", self.step), &document(WOLF, &note))
            .with("SIP-If-Match", &self.etag)
            .with("Expires", "3600");
        let outputs = send(server, &(modify, 9));
        assert_eq!(outputs.status(), 200, "{bound}");
        self.etag = etag(&outputs);
        let told = |outputs: &Outputs| {
            let vera = |it: &&&OutgoingRequest| it.uri() == common::contact_of(VERA);
            let requests = outputs.requests();
            let bodies = requests.iter().filter(vera).map(|it| body_of(it));
            bodies.filter(|body| body.contains(&note)).count()
        };
        assert_eq!(told(&outputs), 1, "{bound}");
        answer_all(server, &outputs);

        self.cseq += 1;
        let refresh = self.subscribe.clone().in_dialog(&self.tag, self.cseq);
        let outputs = send(server, &(refresh, 9));
        assert_eq!(outputs.status(), 200, "{bound}");
        assert_eq!(told(&outputs), 1, "{bound}");
        answer_all(server, &outputs);

        // Newcomers, as far as it is not the whole that is full.
        if flood.newcomers_may("SUBSCRIBE") {
            let newcomer = user("new", self.step);
            let call = format!("n{}", self.step);
            let fetch = Message::subscribe(&newcomer, WOLF, &call).with("Expires", "0");
            let outputs = send(server, &(fetch, 8));
            assert_eq!(outputs.status(), 200, "{bound}");
            assert!(body_of(outputs.notify()).contains(&note));
            answer_all(server, &outputs);
        }
        if flood.newcomers_may("PUBLISH") {
            let newcomer = user("new", self.step);
            let call = format!("np{}", self.step);
            let message = Message::publish(&newcomer, &call, &document(&newcomer, "x"));
            let outputs = send(server, &(message.clone(), 8));
            assert_eq!(outputs.status(), 200, "{bound}");
            let end = message
                .with("Call-ID", &format!("{call}-end"))
                .with("SIP-If-Match", &etag(&outputs))
                .with("Expires", "0");
            assert_eq!(send(server, &(end, 8)).status(), 200, "{bound}");
        }
    }
}

/// The names of all bounds, by what they are shown as.
fn bounds() -> Vec<String> {
    let shown = format!("{:?}", Limits::default());
    let fields = shown.trim_start_matches("Limits {").trim_end_matches('}');
    let name = |field: &str| field.split(':').next().unwrap().trim().to_owned();
    fields.split(',').map(name).collect()
}

#[test]
fn every_bound_is_flooded_here() {
    let mut flooded: Vec<_> = floods().iter().map(|flood| flood.bound).collect();
    // In the test of its own below.
    flooded.push("outputs");
    // Nobody is refused over the one of the past: who had what was forgotten is told everything.
    let bounds: Vec<_> = bounds().into_iter().filter(|it| it != "history").collect();
    assert_eq!(flooded, bounds);
}

// SEC-31
#[test]
fn a_flood_against_any_bound_harms_nobody_else_and_ends_with_its_cause() {
    for flood in floods() {
        let bound = flood.bound;
        let mut server = server(|config| {
            config.notify_interval = Duration::ZERO;
            (flood.set)(&mut config.limits);
        });
        let mut before = Before::new(&mut server);
        let alone = server.role.occupancy();
        let mut full = None;
        for number in 0..FLOOD {
            let outputs = send(&mut server, &(flood.request)(number));
            if number < flood.within {
                let deferred = matches!(&*outputs.all, [Output::Job(_)]);
                assert!(deferred || status(&outputs) == Some(200), "{bound}");
                answer_all(&mut server, &outputs);
            } else {
                assert_eq!(status(&outputs), Some(flood.refused), "{bound} {number}");
                assert_eq!(outputs.all.len(), 1, "{bound}: nothing but the answer");
                let wait = response_field(outputs.response(), "Retry-After");
                assert_eq!(wait.is_some(), flood.refused == 503, "{bound}");
                let now = server.role.occupancy();
                assert_eq!(*full.get_or_insert(now), now, "{bound} {number}");
            }
            if number % 100 == 99 {
                before.go_on(&mut server, &flood);
            }
        }
        let filled = full.unwrap_or(alone);
        let grown = filled.subscriptions + filled.publications + filled.jobs
            - alone.subscriptions
            - alone.publications;
        let fills = !matches!(bound, "body" | "dialog" | "name" | "remembered_requests");
        assert_eq!(grown, if fills { FILL as usize } else { 0 }, "{bound}");

        // What filled it runs out.
        let outputs = server.pass(601.0);
        answer_all(&mut server, &outputs);
        before.go_on(&mut server, &flood);
        assert_eq!(server.role.occupancy(), alone, "{bound}");
        let outputs = send(&mut server, &(flood.room)());
        let deferred = matches!(&*outputs.all, [Output::Job(_)]);
        assert!(deferred || status(&outputs) == Some(200), "{bound}");
    }
}

// SEC-31: the bound on what waits for the host.
#[test]
fn a_flood_that_the_host_does_not_look_at_is_refused_and_then_forgotten() {
    let mut server = server(|config| {
        config.notify_interval = Duration::ZERO;
        config.limits.outputs = 20;
    });
    let mut before = Before::new(&mut server);
    let alone = server.role.occupancy();
    let nothing = Flood {
        bound: "outputs",
        set: |_| (),
        request: |n| (subscribe(&user("a", n), WOLF, n), 1),
        within: 0,
        refused: 503,
        room: || (subscribe(VERA, WOLF, 5_000), 1),
    };
    let mut refused = 0;
    for wave in 0..10 {
        for number in 0..100 {
            let (message, _) = (nothing.request)(wave * 100 + number);
            let identity = Identity::of(&user("a", number), Assurance::Digest).unwrap();
            let context = RequestContext::new(&identity, "sip:agent.example.com");
            let transaction = ServerTransaction(u64::from(100_000 + wave * 100 + number));
            let held = server.role.occupancy();
            let taken = server.role.handle_request(
                server.now,
                transaction,
                &message.with("Expires", "0").view(),
                &context,
            );
            if taken.is_err() {
                refused += 1;
                assert_eq!(server.role.occupancy(), held);
            }
        }
        // Then it does, and everybody is served.
        let outputs = server.drain();
        assert!(!outputs.responses().is_empty());
        answer_all(&mut server, &outputs);
        before.go_on(&mut server, &nothing);
        assert_eq!(server.role.occupancy(), alone);
    }
    assert_eq!(refused, server.role.counters().backlogs());
    assert!(refused > 900, "{refused}");
}

// ---- those who answer nothing -----------------------------------------------------------------

/// A host whose dead watchers give no answer: Timer F reports each after 32 s.
struct Host {
    server: Server,
    silent: Vec<(Timestamp, ClientTransaction)>,
    /// The last note that each living watcher was told, and when.
    told: BTreeMap<String, (String, Timestamp)>,
}

impl Host {
    fn new(configure: impl FnOnce(&mut ServerConfig)) -> Self {
        Self {
            server: server(configure),
            silent: Vec::new(),
            told: BTreeMap::new(),
        }
    }

    fn serve(&mut self) {
        while let Some(output) = self.server.role.poll_output() {
            if let Output::Send(request) = output {
                self.take(&request);
            }
        }
    }

    fn take(&mut self, request: &OutgoingRequest) {
        let now = self.server.now;
        if request.uri().starts_with("sip:dead") {
            self.silent.push((now, request.transaction()));
            return;
        }
        if request.uri().starts_with("sip:living") {
            let note = body_of(request).split(['<', '>']).rev().nth(6);
            let note = note.unwrap_or_default().to_owned();
            self.told.insert(request.uri().to_owned(), (note, now));
        }
        let body = Bytes::new();
        let ok = ResponseRef::new(200, [], &body);
        self.server
            .role
            .handle_response(now, request.transaction(), &ok);
    }

    /// Lets time pass in steps of a tenth of a second.
    fn pass(&mut self, tenths: u32) {
        for _ in 0..tenths {
            self.server.now = self.server.now + Duration::from_millis(100);
            let now = self.server.now;
            let over = |since: Timestamp| since + Duration::from_secs(32) <= now;
            let count = self.silent.iter().take_while(|it| over(it.0)).count();
            for (_, transaction) in self.silent.drain(..count) {
                self.server
                    .role
                    .handle_failure(now, transaction, Failure::Timeout);
            }
            self.wake();
        }
    }

    /// All that is due now.
    fn wake(&mut self) {
        let now = self.server.now;
        self.serve();
        let mut calls = 0;
        while self.server.role.poll_timeout().is_some_and(|at| at <= now) {
            self.server.role.handle_timeout(now);
            self.serve();
            calls += 1;
            assert!(calls < 1_000, "no call makes headway");
        }
    }

    fn join(&mut self, name: &str, number: usize, expires: &str) {
        let watcher = format!("sip:{name}{number}@example.com");
        let message = Message::subscribe(&watcher, WOLF, &format!("{name}-{number}"));
        let outputs = self.server.send(&message.with("Expires", expires));
        assert_eq!(outputs.status(), 200);
        for request in outputs.requests() {
            self.take(request);
        }
    }

    fn change(&mut self, note: &str) -> Timestamp {
        let document = Presence::new(WOLF).with_tuple(Tuple::open("t").with_note(note));
        let now = self.server.now;
        self.server.role.set_presence(now, WOLF, document).unwrap();
        self.wake();
        now
    }

    /// How long the last of the living has waited for this.
    fn longest(&self, note: &str, since: Timestamp) -> Option<Duration> {
        let waits = self.told.values().map(|(told, at)| {
            let knows = told == note;
            knows.then(|| at.saturating_since(since))
        });
        waits.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

// PA-64: with the window as it is by default. The bound: a NOTIFY holds its place for 2 s, and 4,096
// hold one; so 5,000 of the dead cost the living one turn, 2 s and the tick of the clock that ends
// it. After that turn the dead have an open NOTIFY each and cost nothing. (Changes come every 8 s,
// since the interval runs from the last NOTIFY of a round, which was 2 s late.)
#[test]
fn five_thousand_dead_delay_one_change_by_two_seconds_and_others_by_nothing() {
    const DEAD: usize = 5_000;
    const LIVING: usize = 1_000;
    let mut host = Host::new(|_| ());
    // Those who will be dead answer the first time. They stand before the living.
    for number in 0..DEAD {
        host.join("dead", number, "3600");
    }
    for (_, transaction) in std::mem::take(&mut host.silent) {
        let body = Bytes::new();
        let ok = ResponseRef::new(200, [], &body);
        let now = host.server.now;
        host.server.role.handle_response(now, transaction, &ok);
    }
    for number in 0..LIVING {
        host.join("living", number, "3600");
    }
    assert_eq!(host.told.len(), LIVING);
    host.pass(100);
    let mut waits = Vec::new();
    for round in 0..8 {
        let note = format!("change {round}");
        let since = host.change(&note);
        host.pass(80);
        let wait = host.longest(&note, since);
        waits.push(wait.unwrap_or_else(|| panic!("{round}: not all of them are told")));
        // Newcomers do not wait either.
        host.join("new", round, "0");
    }
    assert!(waits[0] > Duration::ZERO, "the dead do fill the window");
    assert!(waits[0] <= Duration::from_millis(2_200), "{waits:?}");
    let later = waits[1..].iter().max().unwrap();
    assert_eq!(*later, Duration::ZERO, "{waits:?}");
    // The dead are gone by now, and leave nothing; the living are all there.
    let occupancy = host.server.role.occupancy();
    assert_eq!(occupancy.subscriptions, LIVING);
    assert_eq!(occupancy.open_notifies, 0);
    assert_eq!(host.server.role.counters().notifies_failed(), DEAD as u64);
}

/// Dead newcomers come all the time, so many each tenth of a second; tells the longest wait of the
/// living for each change. A tenth of the window is open that there is by default: 410 places for 2 s
/// each let 205 newcomers in a second through.
fn waits_among_dead_newcomers(each_tenth: usize) -> Vec<Duration> {
    let mut host = Host::new(|config| {
        config.window = 410;
        config.slow_window = 6_554;
    });
    for number in 0..100 {
        host.join("living", number, "3600");
    }
    host.pass(100);
    let mut number = 0;
    let mut waits = Vec::new();
    for round in 0..10 {
        let note = format!("change {round}");
        let since = host.change(&note);
        for _ in 0..51 {
            for _ in 0..each_tenth {
                number += 1;
                host.join("dead", number, if number % 2 == 0 { "0" } else { "600" });
            }
            host.pass(1);
        }
        let wait = host.longest(&note, since);
        waits.push(wait.unwrap_or_else(|| panic!("{round}: not all of them are told: {waits:?}")));
    }
    host.pass(1_200);
    assert_eq!(host.server.role.occupancy().subscriptions, 100);
    assert_eq!(host.server.role.occupancy().open_notifies, 0);
    waits
}

// PA-64: fewer than the window lets through.
#[test]
fn dead_newcomers_all_the_time_do_not_hold_up_the_living() {
    let waits = waits_among_dead_newcomers(15);
    let longest = waits.iter().max().unwrap();
    assert!(*longest <= Duration::from_millis(2_200), "{waits:?}");
}

// PA-64: more than that. Newcomers wait, for ever longer; a change gets every other place that
// becomes free, and has reached all the living before the next one comes, 5 s later.
#[test]
fn more_dead_newcomers_than_can_be_told_do_not_starve_the_living() {
    let waits = waits_among_dead_newcomers(25);
    let longest = waits.iter().max().unwrap();
    assert!(*longest <= Duration::from_secs(5), "{waits:?}");
}

// PA-64: a host that takes in an answer and a SUBSCRIBE between two polls has a NOTIFY owed whenever a
// place becomes free.
#[test]
fn newcomers_who_take_each_free_place_do_not_starve_the_others() {
    const LIVING: usize = 10;
    let mut server = server(|config| config.window = 4);
    for number in 0..LIVING as u32 {
        let message = subscribe(&user("living", number), WOLF, number);
        server.subscribed(&message);
    }
    server.pass(10.0);
    let mut open: Vec<ClientTransaction> = Vec::new();
    let mut told = 0;
    for number in 100..500u32 {
        if number == 120 {
            let document = Presence::new(WOLF).with_tuple(Tuple::open("t").with_note("change"));
            server
                .role
                .set_presence(server.now, WOLF, document)
                .unwrap();
        }
        if open.len() >= 4 {
            let (now, body) = (server.now, Bytes::new());
            let response = ResponseRef::new(200, [], &body);
            server.role.handle_response(now, open.remove(0), &response);
        }
        let (from, to) = (user("new", number), user("other", number));
        let identity = Identity::of(&from, Assurance::Digest).unwrap();
        let context = RequestContext::new(&identity, "sip:agent.example.com");
        let message = subscribe(&from, &to, number);
        let transaction = ServerTransaction(u64::from(number));
        let taken = server
            .role
            .handle_request(server.now, transaction, &message.view(), &context);
        taken.unwrap();
        while let Some(output) = server.role.poll_output() {
            if let Output::Send(request) = output {
                told += usize::from(body_of(&request).contains("change"));
                open.push(request.transaction());
            }
        }
    }
    assert_eq!(told, LIVING);
}
