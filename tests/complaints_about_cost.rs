//! What users of other presence systems complain about in public, as far as it is about cost: work
//! that grows with all there is, memory that only grows. Each test names the thread
//! (owner/repository#number) that it is about; the others are in `complaints.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use common::{Driver, Message, Outputs, body_of, seeded, state_of};
use cpu_time::ThreadTime;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Authorization, Decision, Failure, Identity, Occupancy, Output, PublishDecision,
    PublishQuery, RequestContext, ServerConfig, ServerEvent, SubscribeQuery, View,
};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sip::{OutgoingRequest, ResponseRef};

const PIPPA: &str = "sip:pippa@example.com";

/// Everybody may do everything.
#[derive(Debug)]
struct Open;

impl Policy for Open {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, _: &PublishQuery<'_>) -> PublishDecision {
        PublishDecision::Allow
    }
}

type Server = Driver<Agent<Open>>;

fn configured(configure: impl FnOnce(&mut ServerConfig)) -> Server {
    let mut config = AgentConfig::default();
    configure(&mut config.server);
    Driver::new(Agent::new(config, Open, seeded(31)))
}

fn server() -> Server {
    configured(|_| ())
}

fn subscribe(number: usize) -> Message {
    let watcher = format!("sip:w{number}@example.com");
    Message::subscribe(&watcher, PIPPA, &format!("call-{number}"))
}

fn populate(server: &mut Server, count: usize) {
    for number in 0..count {
        server.subscribed(&subscribe(number));
    }
}

fn document(of: &str, note: &str) -> String {
    let presence = Presence::new(of).with_tuple(Tuple::open("t").with_note(note));
    String::from_utf8(presence.write().unwrap().to_vec()).unwrap()
}

fn set(server: &mut Server, note: &str) {
    let document = Presence::read(document(PIPPA, note).as_bytes()).unwrap();
    server
        .role
        .set_presence(server.now, PIPPA, document)
        .unwrap();
}

fn ok(server: &mut Server, request: &OutgoingRequest) {
    let body = Bytes::new();
    let response = ResponseRef::new(200, [], &body);
    server
        .role
        .handle_response(server.now, request.transaction(), &response);
}

/// Polls, and answers as it goes, until there is nothing more; tells how many NOTIFYs there were.
fn serve(server: &mut Server) -> usize {
    let mut sent = 0;
    while let Some(output) = server.role.poll_output() {
        if let Output::Send(request) = output {
            sent += 1;
            ok(server, &request);
        }
    }
    sent
}

// kamailio/kamailio#1609: a burst of things that run out takes all memory. (Subscriptions are in
// `limits.rs`.)
#[test]
fn publications_that_run_out_on_one_tick_are_spread_out_and_none_is_lost() {
    const COUNT: usize = 10_000;
    const WATCHED: usize = 200;
    const PER_CALL: usize = 512;
    let mut server = server();
    for number in 0..COUNT {
        let user = format!("sip:p{number}@example.com");
        let call = format!("p{number}");
        let message = Message::publish(&user, &call, &document(&user, "x"));
        assert_eq!(server.send(&message).status(), 200);
        if number % (COUNT / WATCHED) == 0 {
            let message = Message::subscribe("sip:w@example.com", &user, &format!("w{number}"));
            server.subscribed(&message.with("Expires", "3600"));
        }
    }
    let now = server.now + Duration::from_secs(601);
    server.now = now;
    let mut gone = Vec::new();
    let mut told = 0;
    let mut calls = 0;
    while server.role.poll_timeout().is_some_and(|due| due <= now) {
        server.role.handle_timeout(now);
        let waiting = server.role.occupancy().outputs;
        assert!(waiting <= 2 * PER_CALL, "{waiting} after one call");
        let outputs = server.drain();
        for event in outputs.events() {
            let ServerEvent::PublicationExpired { key, .. } = event else {
                panic!("{event:?}");
            };
            gone.push(*key);
        }
        told += outputs.requests().len();
        server.answer_all(&outputs);
        if calls == 3 {
            let outputs = server.send(&subscribe(0));
            assert_eq!(outputs.status(), 200, "others are served in between");
            server.answer_all(&outputs);
        }
        calls += 1;
        assert!(calls < 1_000);
    }
    assert!(calls >= COUNT / PER_CALL);
    assert_eq!(gone.len(), COUNT);
    // Each of them once, and in the order they were made.
    assert_eq!(gone.iter().collect::<BTreeSet<_>>().len(), COUNT);
    assert!(gone.is_sorted());
    assert_eq!(told, WATCHED);
    assert_eq!(server.role.occupancy().publications, 0);
}

// algesten/str0m#1009, #922: woken for nothing, and each time a walk through everything.
#[test]
fn an_idle_agent_is_woken_for_nothing() {
    let mut server = server();
    populate(&mut server, 3_000);
    let mut wakes = 0;
    let quiet = server.now + Duration::from_secs(599);
    while let Some(due) = server.role.poll_timeout().filter(|due| *due <= quiet) {
        server.now = due;
        server.role.handle_timeout(due);
        assert!(server.role.poll_output().is_none());
        wakes += 1;
    }
    // To move timers to finer slots, 512 of them a call.
    assert!(wakes <= 5 * 3_000 / 512, "{wakes} times");
}

// algesten/str0m#1009: the cost of a call for nothing.
#[test]
fn a_call_for_nothing_costs_the_same_with_many_subscriptions_and_allocates_nothing() {
    let cost = |count: usize| {
        let mut server = server();
        populate(&mut server, count);
        server.now = server.now + Duration::from_secs(1);
        let mut idle = || {
            server.role.handle_timeout(server.now);
            assert!(server.role.poll_output().is_none());
            assert!(server.role.poll_timeout().is_some());
            assert!(server.role.has_watchers(PIPPA));
        };
        idle();
        let mut best = Duration::MAX;
        for _ in 0..20 {
            let began = ThreadTime::now();
            (0..100).for_each(|_| idle());
            best = best.min(began.elapsed());
        }
        let info = measure(|| {
            server.role.handle_timeout(server.now);
            assert!(server.role.poll_output().is_none());
            assert!(server.role.poll_timeout().is_some());
        });
        assert_eq!(info.count_total, 0, "{count}");
        best
    };
    let (few, many) = (cost(10), cost(5_000));
    // A walk through them would take hundreds of times as long.
    assert!(many < few * 20, "{few:?} {many:?}");
}

// signalwire/freeswitch#1720: a NOTIFY above the size of a packet was lost; and one body for each.
#[test]
fn ten_thousand_watchers_share_one_body_and_each_notify_tells_its_size() {
    const COUNT: usize = 10_000;
    const OCTETS: usize = 50_000;
    let mut server = configured(|config| config.window = 2 * COUNT);
    populate(&mut server, COUNT);
    set(&mut server, &"x".repeat(OCTETS));
    let mut all = Vec::with_capacity(COUNT);
    let info = measure(|| all.extend(std::iter::from_fn(|| server.role.poll_output())));
    let outputs = Outputs { all };
    let requests = outputs.requests();
    assert_eq!(requests.len(), COUNT);
    let body = requests[0].body();
    assert!(body.len() > OCTETS);
    let same = |request: &&OutgoingRequest| request.body().as_ptr() == body.as_ptr();
    assert!(requests.iter().all(same), "one body");
    // All allocations together take no more than the tables of the open ones, 300 octets each, and
    // a few copies of the body in the making of it.
    assert!(info.count_total < 500, "{}", info.count_total);
    let room = 300 * COUNT + 10 * OCTETS;
    assert!(info.bytes_max < room as u64, "{}", info.bytes_max);

    // The host knows before it sends whether a datagram will do.
    let via = "Via: SIP/2.0/UDP agent.example.com;branch=z9hG4bK1\r\n";
    for request in [requests[0], requests[COUNT - 1]] {
        let mut written = Vec::new();
        request.write_to(via, &mut written);
        assert_eq!(request.encoded_len(via.len()), written.len());
        assert!(request.encoded_len(via.len()) > OCTETS);
    }
}

// asterisk/asterisk#793: 2,490 subscriptions of no duration piled up, and NOTIFYs stopped.
#[test]
fn fetches_that_nobody_answers_do_not_pile_up() {
    let mut server = server();
    server.subscribed(&subscribe(9_999).with("Expires", "3600"));
    let before = server.role.occupancy();
    for number in 0..2_490 {
        let fetch = subscribe(number).with("Expires", "0");
        let outputs = server.send(&fetch);
        assert_eq!(outputs.status(), 200);
        assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
    }
    assert_eq!(server.role.occupancy().subscriptions, 2_491);
    // The others are told as ever meanwhile.
    set(&mut server, "there");
    let outputs = server.drain();
    assert!(body_of(outputs.notify()).contains("there"));
    server.answer_all(&outputs);
    assert!(server.pass(66.0).all.is_empty());
    server.role.clear_presence(server.now, PIPPA).unwrap();
    assert_eq!(serve(&mut server), 1);
    assert_eq!(server.role.occupancy(), before);
    let counters = server.role.counters();
    assert_eq!(counters.subscriptions_started(), 2_491);
    assert_eq!(counters.subscriptions_ended(), 2_490);
}

// thevoiceguy/siphon-ai#521: what succeeded was never removed.
#[test]
fn notifies_that_succeed_leave_memory_as_it_was() {
    let mut server = configured(|config| config.notify_interval = Duration::ZERO);
    populate(&mut server, 50);
    let mut change = |number: usize| {
        // As long each time.
        set(&mut server, &format!("{number:08}"));
        assert_eq!(serve(&mut server), 50);
    };
    (0..10).for_each(&mut change);
    let info = measure(|| (10..410).for_each(&mut change));
    assert_eq!((info.bytes_current, info.count_current), (0, 0));

    // Nor does a dialog that comes and goes.
    let mut server = configured(|config| config.limits.remembered_requests = 50);
    let mut come_and_go = |number: usize| {
        let message = subscribe(number % 7).with("Call-ID", &format!("{number:08}"));
        let tag = server.subscribed(&message);
        let end = message.with("Expires", "0").in_dialog(&tag, 2);
        let outputs = server.send(&end);
        assert_eq!(outputs.status(), 200);
        server.answer_all(&outputs);
    };
    // Tables that are reached by random numbers have had their time to be touched everywhere.
    (0..2_000).for_each(&mut come_and_go);
    let info = measure(|| (2_000..3_000).for_each(&mut come_and_go));
    assert_eq!((info.bytes_current, info.count_current), (0, 0));
}

/// Everything that is done to an agent in a row, with `between` called before each poll; it gets the
/// transactions that are over.
fn course(mut between: impl FnMut(&mut Server, &[ClientTransaction])) -> Vec<Output> {
    let mut server = server();
    let mut answered = Vec::new();
    let mut all = Vec::new();
    let mut tags: Vec<String> = Vec::new();
    for step in 0..400_usize {
        let identity = Identity::of(PIPPA, Assurance::Digest).unwrap();
        let watcher = Identity::of("sip:w1@example.com", Assurance::Digest).unwrap();
        let transaction = ServerTransaction(step as u64);
        let message = match step % 4 {
            0 => Some((subscribe(1).with("Call-ID", &format!("{step}")), &watcher)),
            1 => {
                let call = format!("p{step}");
                let note = document(PIPPA, &call);
                Some((Message::publish(PIPPA, &call, &note), &identity))
            }
            2 => tags.pop().map(|tag| {
                let call = format!("{}", step - 2);
                let message = subscribe(1).with("Call-ID", &call).in_dialog(&tag, 2);
                (message, &watcher)
            }),
            _ => None,
        };
        between(&mut server, &answered);
        match message {
            Some((message, identity)) => {
                let context = RequestContext::new(identity, "sip:agent.example.com");
                let now = server.now;
                let view = message.view();
                let taken = server
                    .role
                    .handle_request(now, transaction, &view, &context);
                taken.unwrap();
            }
            None => {
                server.now = server.now + Duration::from_secs(3);
                server.role.handle_timeout(server.now);
            }
        }
        loop {
            between(&mut server, &answered);
            let Some(output) = server.role.poll_output() else {
                break;
            };
            match &output {
                Output::Respond(response) => tags.extend(response.to_tag().map(str::to_owned)),
                Output::Send(request) if step % 7 > 0 => {
                    ok(&mut server, request);
                    answered.push(request.transaction());
                }
                _ => {}
            }
            all.push(output);
        }
        between(&mut server, &answered);
    }
    assert!(all.len() > 500, "{}", all.len());
    all
}

// quinn-rs/quinn#924: which calls are wanted after which, and do calls for nothing do harm?
#[test]
fn calls_for_nothing_in_the_midst_of_polling_change_nothing() {
    let disturb = |server: &mut Server, over: &[ClientTransaction]| {
        let now = server.now;
        let due = server.role.poll_timeout().is_some_and(|due| due <= now);
        assert!(!due, "what is due was done");
        server.role.handle_timeout(now);
        server.role.handle_timeout(now);
        for stray in over.iter().rev().take(3).copied() {
            server.role.handle_failure(now, stray, Failure::Timeout);
            let body = Bytes::new();
            let response = ResponseRef::new(481, [], &body);
            server.role.handle_response(now, stray, &response);
            assert!(!server.role.provide_credentials(now, stray, "x"));
            assert!(!server.role.decline_credentials(now, stray));
        }
        // Behind all others: the clock does not go back.
        server.role.handle_timeout(Timestamp::ZERO);
        assert!(server.role.subscriptions().count() <= 100);
        assert!(server.role.occupancy().subscriptions <= 100);
    };
    let undisturbed = course(|_, _| ());
    let disturbed = course(disturb);
    for (place, (one, other)) in undisturbed.iter().zip(&disturbed).enumerate() {
        assert_eq!(one, other, "{place}");
    }
    assert_eq!(undisturbed.len(), disturbed.len());
}

// rustls/rustls#713, #2031: a buffer without bound, for a peer that sends and never reads.
#[test]
fn an_agent_that_is_never_drained_stays_within_its_memory() {
    let mut server = configured(|config| {
        config.limits.outputs = 1_000;
        config.limits.remembered_requests = 1_000;
    });
    populate(&mut server, 300);
    set(&mut server, "before");
    let open: Vec<_> = std::iter::from_fn(|| server.role.poll_output()).collect();
    assert_eq!(open.len(), 300);
    let identity = Identity::of(PIPPA, Assurance::Digest).unwrap();
    let context = RequestContext::new(&identity, "sip:agent.example.com");
    let mut number = 0_u64;
    let mut refused = 0;
    let mut flood = |server: &mut Server| {
        for _ in 0..500 {
            number += 1;
            let call = format!("{number:06}");
            let message = match number % 3 {
                0 => Message::publish(PIPPA, &call, &document(PIPPA, &call)),
                1 => Message::subscribe(PIPPA, "sip:w0@example.com", &call),
                _ => Message::subscribe(PIPPA, PIPPA, &call).with("Event", "dialog"),
            };
            let view = message.view();
            let transaction = ServerTransaction(number);
            let taken = server
                .role
                .handle_request(server.now, transaction, &view, &context);
            refused += u64::from(taken.is_err());
            set(server, &call);
            server.now = server.now + Duration::from_millis(100);
            server.role.handle_timeout(server.now);
        }
    };
    let fill = measure(|| (0..10).for_each(|_| flood(&mut server)));
    let most = server.role.occupancy().outputs;
    assert!(most <= 1_000 + 512 + 300, "{most}");
    assert!(fill.bytes_max < 4_000_000, "{}", fill.bytes_max);
    // Full, it takes no more, whatever comes and however long.
    let more = measure(|| (0..30).for_each(|_| flood(&mut server)));
    assert!(more.bytes_current <= 0, "{}", more.bytes_current);
    assert!(refused > 15_000, "{refused}");
    assert_eq!(server.role.counters().backlogs(), refused);

    // And when it is drained at last it goes on: what was taken is answered, the ends are told.
    let mut outputs = server.drain();
    assert!(outputs.responses().len() > 300, "{}", outputs.all.len());
    for _ in 0..3 {
        server.answer_all(&outputs);
        outputs.all.clear();
        outputs.all.append(&mut server.pass(700.0).all);
    }
    server.role.clear_presence(server.now, PIPPA).unwrap();
    assert_eq!(server.role.occupancy(), Occupancy::default());
    assert_eq!(
        server.role.counters().subscriptions_started(),
        server.role.counters().subscriptions_ended()
    );
}
