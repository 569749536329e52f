//! Every bound reached once: the newcomer is told to come back, nothing that existed is lost, and
//! the others are served as before. Then the bounds on work, with watchers by the thousand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use common::{Driver, Message, Outputs, response_field, seeded, state_of};
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{
    Assurance, Authorization, Backlog, Decision, EndReason, Failure, Identity, Limits, Output,
    PublishDecision, PublishQuery, RequestContext, ServerConfig, ServerEvent, SubscribeQuery, View,
};
use presentity::filter::{Filter, FilterSet};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy};
use presentity::sip::{OutgoingRequest, ResponseRef};

const HENRI: &str = "sip:henri@example.com";
const INES: &str = "sip:ines@example.com";
const JUNO: &str = "sip:juno@example.com";
const KAI: &str = "sip:kai@example.com";

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
    Driver::new(Agent::new(config, Open, seeded(3)))
}

fn limited(limit: impl FnOnce(&mut Limits)) -> Server {
    server(|config| {
        config.retry_after = 21;
        limit(&mut config.limits);
    })
}

fn set(server: &mut Server, presentity: &str, note: &str) {
    let document = Presence::new(presentity).with_tuple(Tuple::open("t").with_note(note));
    server
        .role
        .set_presence(server.now, presentity, document)
        .unwrap();
}

fn document(note: &str) -> String {
    let presence = Presence::new(HENRI).with_note(note);
    String::from_utf8(presence.write().unwrap().to_vec()).unwrap()
}

/// A request, and the address that it comes from.
type Sent = (Message, IpAddr);

fn at(address: u8, message: Message) -> Sent {
    (message, Ipv4Addr::new(192, 0, 2, address).into())
}

fn send(server: &mut Server, (message, address): &Sent) -> Outputs {
    let from = message.field("From");
    let uri = from.split(['<', '>']).nth(1).unwrap();
    let identity = Identity::of(uri, Assurance::Digest).unwrap();
    let context = RequestContext::new(&identity, "sip:agent.example.com").with_source(*address);
    server.send_with(message, &context)
}

/// A limit of two: two requests fill it, a third is one too many, and one of others goes through.
struct Case {
    limit: fn(&mut Limits),
    within: [Sent; 2],
    beyond: Sent,
    others: Option<Sent>,
}

fn subscribe(from: &str, uri: &str, call: &str) -> Sent {
    at(1, Message::subscribe(from, uri, call))
}

fn publish(from: &str, call: &str) -> Sent {
    at(1, Message::publish(from, call, &document(call)))
}

fn cases() -> Vec<Case> {
    vec![
        Case {
            limit: |limits| limits.subscriptions = 2,
            within: [subscribe(HENRI, INES, "a"), subscribe(JUNO, KAI, "b")],
            beyond: subscribe(KAI, JUNO, "c"),
            others: None,
        },
        Case {
            limit: |limits| limits.subscriptions_per_resource = 2,
            within: [subscribe(HENRI, INES, "a"), subscribe(JUNO, INES, "b")],
            beyond: subscribe(KAI, INES, "c"),
            others: Some(subscribe(KAI, JUNO, "d")),
        },
        Case {
            limit: |limits| limits.subscriptions_per_watcher = 2,
            within: [subscribe(HENRI, INES, "a"), subscribe(HENRI, JUNO, "b")],
            beyond: subscribe(HENRI, KAI, "c"),
            others: Some(subscribe(JUNO, KAI, "d")),
        },
        Case {
            limit: |limits| limits.subscriptions_per_watcher_and_resource = 2,
            within: [subscribe(HENRI, INES, "a"), subscribe(HENRI, INES, "b")],
            beyond: subscribe(HENRI, INES, "c"),
            others: Some(subscribe(HENRI, JUNO, "d")),
        },
        Case {
            limit: |limits| limits.subscriptions_per_source = 2,
            within: [subscribe(HENRI, INES, "a"), subscribe(JUNO, KAI, "b")],
            beyond: subscribe(KAI, JUNO, "c"),
            others: Some(at(2, Message::subscribe(KAI, JUNO, "d"))),
        },
        Case {
            limit: |limits| limits.publications = 2,
            within: [publish(HENRI, "a"), publish(INES, "b")],
            beyond: publish(JUNO, "c"),
            others: Some(subscribe(JUNO, HENRI, "d")),
        },
        Case {
            limit: |limits| limits.publications_per_resource = 2,
            within: [publish(HENRI, "a"), publish(HENRI, "b")],
            beyond: publish(HENRI, "c"),
            others: Some(publish(INES, "d")),
        },
    ]
}

/// The request that ends what a request made.
fn ended((message, address): &Sent, outputs: &Outputs) -> Sent {
    let response = outputs.response();
    let message = match message.method.as_str() {
        "PUBLISH" => message
            .clone()
            .with(
                "SIP-If-Match",
                response_field(response, "SIP-ETag").unwrap(),
            )
            .with("Expires", "0")
            .with("Call-ID", "end")
            .with_body(""),
        _ => {
            let ended = message.clone().with("Expires", "0");
            ended.in_dialog(response.to_tag().unwrap(), 2)
        }
    };
    (message, *address)
}

// SEC-31
#[test]
fn over_a_limit_the_newcomer_alone_is_sent_away() {
    for (number, case) in cases().into_iter().enumerate() {
        let mut server = limited(case.limit);
        let mut made = Vec::new();
        for sent in &case.within {
            let outputs = send(&mut server, sent);
            assert_eq!(outputs.status(), 200, "{number}");
            server.answer_all(&outputs);
            made.push(outputs);
        }

        let before = server.role.occupancy();
        for _ in 0..3 {
            let outputs = send(&mut server, &case.beyond);
            assert_eq!(outputs.status(), 503, "{number}");
            assert_eq!(
                response_field(outputs.response(), "Retry-After"),
                Some("21")
            );
            assert_eq!(outputs.all.len(), 1, "{number}: {outputs:?}");
            assert_eq!(server.role.occupancy(), before, "{number}");
            // Not merged with itself: another call each time, as a client makes it.
            server.pass(32.1);
        }
        if let Some(others) = &case.others {
            let outputs = send(&mut server, others);
            assert_eq!(outputs.status(), 200, "{number}");
            server.answer_all(&outputs);
        }

        // What was there is told of changes, and its place is free when it has ended.
        for presentity in [HENRI, INES, KAI] {
            set(&mut server, presentity, "changed");
        }
        let outputs = server.drain();
        let subscribed = case.within[0].0.method == "SUBSCRIBE";
        assert!(!subscribed || outputs.requests().len() >= 2, "{number}");
        server.answer_all(&outputs);
        let outputs = send(&mut server, &ended(&case.within[0], &made[0]));
        assert_eq!(outputs.status(), 200, "{number}");
        server.answer_all(&outputs);
        assert_eq!(send(&mut server, &case.beyond).status(), 200, "{number}");
    }
}

// SEC-31
#[test]
fn a_publication_over_a_limit_may_still_be_refreshed_and_changed() {
    let mut server = limited(|limits| limits.publications = 1);
    let made = send(&mut server, &publish(HENRI, "a"));
    let tag = response_field(made.response(), "SIP-ETag").unwrap();
    let modify = Message::publish(HENRI, "b", &document("other")).with("SIP-If-Match", tag);
    let outputs = server.send(&modify);
    assert_eq!(outputs.status(), 200);
    let tag = response_field(outputs.response(), "SIP-ETag").unwrap();
    let refresh = Message::publish(HENRI, "c", "").with("SIP-If-Match", tag);
    assert_eq!(server.send(&refresh).status(), 200);
    assert_eq!(server.role.occupancy().publications, 1);
}

// SEC-31: what is published for one presentity becomes one document.
#[test]
fn the_publications_of_one_presentity_have_a_bound_together() {
    let mut server = limited(|limits| limits.published = 800);
    let body = document(&"x".repeat(400 - document("").len()));
    let made = server.send(&Message::publish(HENRI, "a", &body));
    assert_eq!(made.status(), 200);
    assert_eq!(
        server.send(&Message::publish(HENRI, "b", &body)).status(),
        200
    );
    assert_eq!(
        server
            .send(&Message::publish(HENRI, "c", &document("")))
            .status(),
        413
    );
    assert_eq!(
        server.send(&Message::publish(INES, "d", &body)).status(),
        200
    );

    // One of them may not grow, but change, shrink and make room.
    let tag = response_field(made.response(), "SIP-ETag").unwrap();
    let larger = body.replace("xx", "xxx");
    let modify =
        |call, body: &str, tag| Message::publish(HENRI, call, body).with("SIP-If-Match", tag);
    assert_eq!(server.send(&modify("e", &larger, tag)).status(), 413);
    let changed = server.send(&modify("f", &body.replace("xx", "yy"), tag));
    assert_eq!(changed.status(), 200);
    let tag = response_field(changed.response(), "SIP-ETag").unwrap();
    assert_eq!(server.send(&modify("g", &document("y"), tag)).status(), 200);
    assert_eq!(
        server
            .send(&Message::publish(HENRI, "h", &document("")))
            .status(),
        200
    );
    assert_eq!(server.role.occupancy().publications, 4);
}

// SEC-31: what counts is what watchers would get, not what it takes to say it.
#[test]
fn what_grows_when_it_is_written_counts_as_it_is_written() {
    let mut server = limited(|limits| limits.published = 4_000);
    // Within apostrophes a quotation mark is one octet, written it is six.
    let quoted = document("x").replace("<note", &format!("<note quoted='{}'", "\"".repeat(700)));
    assert!(quoted.len() < 1_000);
    let publish = Message::publish(HENRI, "a", &quoted);
    assert_eq!(server.send(&publish).status(), 413);
    // A language is written for each that it goes to, as soon as there is a second publication.
    let lang = "<presence xml:lang='de-CH-1996' xmlns:x='urn:example:x' ";
    let many = format!("{}</presence>", "<x:e/>".repeat(300));
    let spread = document("x")
        .replace("<presence ", lang)
        .replace("</presence>", &many);
    assert!(spread.len() < 2_500);
    let publish = Message::publish(HENRI, "b", &spread);
    assert_eq!(server.send(&publish).status(), 413);
    let few = format!("{}</presence>", "<x:e/>".repeat(30));
    let spread = document("x")
        .replace("<presence ", lang)
        .replace("</presence>", &few);
    let publish = Message::publish(HENRI, "c", &spread);
    assert_eq!(server.send(&publish).status(), 200);
}

#[test]
fn a_body_has_a_bound() {
    let mut server = limited(|limits| limits.body = 300);
    let fits = document(&"x".repeat(300 - document("").len()));
    assert_eq!(fits.len(), 300);
    assert_eq!(
        server.send(&Message::publish(HENRI, "a", &fits)).status(),
        200
    );
    let large = document(&"x".repeat(301 - document("").len()));
    assert_eq!(
        server.send(&Message::publish(HENRI, "b", &large)).status(),
        413
    );
    let body = Message::subscribe(HENRI, INES, "c").with("Content-Type", "text/plain");
    let body = body.with_body(&"x".repeat(301));
    assert_eq!(server.send(&body).status(), 413);
    assert_eq!(server.role.occupancy().publications, 1);
    assert_eq!(server.role.occupancy().subscriptions, 0);
}

#[test]
fn a_dialog_has_a_bound_and_keeps_its_target_when_a_new_one_does_not_fit() {
    let mut server = limited(|limits| limits.dialog = 400);
    let long = format!("<sip:{}@example.net>", "x".repeat(400));
    let message = Message::subscribe(HENRI, INES, "a");
    assert_eq!(
        server
            .send(&message.clone().with("Contact", &long))
            .status(),
        513
    );
    let routed = message
        .clone()
        .and("Record-Route", &format!("<sip:{}.net;lr>", "p".repeat(400)));
    assert_eq!(server.send(&routed.with("Call-ID", "r")).status(), 513);
    assert_eq!(server.role.occupancy().subscriptions, 0);

    let message = message.with("Call-ID", "b");
    let tag = server.subscribed(&message);
    let moved = message.clone().with("Contact", &long).in_dialog(&tag, 2);
    assert_eq!(server.send(&moved).status(), 513);
    let outputs = server.send(&message.in_dialog(&tag, 3));
    assert_eq!(outputs.status(), 200);
    assert_eq!(outputs.notify().uri(), "sip:henri@phone.example.net:5062");
}

#[test]
fn names_have_a_bound() {
    let mut server = limited(|limits| limits.name = 40);
    let long = format!("sip:{}@example.com", "n".repeat(60));
    let to_long = Message::subscribe(HENRI, &long, "a");
    assert_eq!(server.send(&to_long).status(), 414);
    let from_long = Message::subscribe(&long, HENRI, "b");
    assert_eq!(server.send(&from_long).status(), 513);
    assert_eq!(
        server
            .send(&Message::publish(&long, "c", &document("x")))
            .status(),
        414
    );
    assert_eq!(server.role.occupancy(), Default::default());
    assert_eq!(
        server.send(&Message::subscribe(HENRI, INES, "d")).status(),
        200
    );
}

// SRV-51
#[test]
fn jobs_have_a_bound_and_others_publish_meanwhile() {
    let mut server = limited(|limits| limits.jobs = 1);
    let stored = |call| Message::publish("sip:stored@example.com", call, &document(call));
    let outputs = server.send(&stored("a"));
    let [Output::Job(job)] = outputs.all.as_slice() else {
        panic!("{outputs:?}");
    };
    assert_eq!(server.send(&stored("b")).status(), 503);
    assert_eq!(
        server
            .send(&Message::publish(HENRI, "c", &document("c")))
            .status(),
        200
    );
    server.role.complete_job(server.now, job.key, true);
    assert_eq!(server.drain().status(), 200);
    assert_eq!(server.role.occupancy().publications, 2);
}

// PA-65
#[test]
fn of_the_remembered_requests_the_oldest_are_forgotten() {
    let mut server = limited(|limits| limits.remembered_requests = 100);
    let mut ask = |number: u32| {
        let watcher = format!("sip:watcher-{number}@example.com");
        let message = Message::subscribe(&watcher, INES, &format!("call-{number}"));
        server.send(&message).status()
    };
    for number in 0..200 {
        assert_eq!(ask(number), 200);
    }
    assert_eq!(ask(199), 482);
    assert_eq!(ask(101), 482);
    // The bound costs an agent no more than this: a branch that came late makes a dialog.
    assert_eq!(ask(0), 200);
}

// SEC-31, SRV-51
#[test]
fn a_host_that_does_not_poll_is_refused_and_loses_nothing() {
    let mut server = limited(|limits| limits.outputs = 10);
    let identity = Identity::of(HENRI, Assurance::Digest).unwrap();
    let context = RequestContext::new(&identity, "sip:agent.example.com");
    let mut taken = 0_u64;
    let mut refused = 0;
    for number in 0..100 {
        let message = Message::subscribe(HENRI, INES, &format!("call-{number}"));
        let before = server.role.occupancy();
        let transaction = ServerTransaction(number);
        match server
            .role
            .handle_request(server.now, transaction, &message.view(), &context)
        {
            Ok(()) => taken += 1,
            Err(Backlog { retry_after }) => {
                assert_eq!(retry_after, 21);
                assert_eq!(server.role.occupancy(), before, "nothing happened");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, server.role.counters().backlogs());
    assert_eq!((taken, taken + refused), (4, 100));
    // Nor do deadlines add to it.
    let deadline = server.now + Duration::from_secs(700);
    server.role.handle_timeout(deadline);
    assert!(server.role.occupancy().outputs <= 12);
    assert!(server.role.poll_timeout().unwrap() <= deadline);
    server.now = deadline;

    let outputs = server.drain();
    let answered: BTreeSet<_> = outputs
        .responses()
        .iter()
        .map(|it| it.transaction())
        .collect();
    assert_eq!(answered, (0..4).map(ServerTransaction).collect());
    // A NOTIFY behind the deadline has nothing to say any more but that this is the end.
    let outputs = server.pass(1.0);
    assert_eq!(outputs.requests().len(), 4);
    for notify in outputs.requests() {
        assert_eq!(state_of(notify), "terminated;reason=timeout");
    }
    // The refused may come again, with the same request: it is not merged with itself.
    let message = Message::subscribe(HENRI, INES, "call-99");
    assert_eq!(server.send(&message).status(), 200);
}

// ---- the window -------------------------------------------------------------------------------

/// Subscribes so many to a presentity, each another one; their first NOTIFYs are answered.
fn populate(server: &mut Server, presentity: &str, group: &str, count: usize) {
    for number in 0..count {
        let watcher = format!("sip:{group}-{number}@example.com");
        let call = format!("{group}-{number}");
        let outputs = server.send(&Message::subscribe(&watcher, presentity, &call));
        assert_eq!(outputs.status(), 200);
        server.answer_all(&outputs);
    }
}

fn is_of(request: &OutgoingRequest, group: &str) -> bool {
    request.uri().starts_with(&format!("sip:{group}-"))
}

/// Polls and answers those who live, until nothing more leaves; tells how many of them there were.
fn serve(server: &mut Server, outputs: Outputs, living: &str) -> usize {
    let mut reached = 0;
    let mut todo = outputs;
    loop {
        let mut next = Outputs::default();
        for request in todo.requests() {
            if is_of(request, living) {
                reached += 1;
                next.all.append(&mut server.answer(request, 200).all);
            }
        }
        if next.all.is_empty() {
            return reached;
        }
        todo = next;
    }
}

// PA-64
#[test]
fn dead_watchers_by_the_thousand_do_not_hold_up_the_living() {
    let mut server = server(|config| {
        config.window = 1_024;
        config.slow_window = 16_384;
    });
    set(&mut server, HENRI, "first");
    // The dead were there first, and stand before the living in the list.
    populate(&mut server, HENRI, "dead", 4_000);
    populate(&mut server, HENRI, "living", 50);
    set(&mut server, INES, "first");
    populate(&mut server, INES, "other", 50);
    server.pass(60.0);

    let began = server.now;
    set(&mut server, HENRI, "second");
    let outputs = server.drain();
    assert_eq!(outputs.requests().len(), 1_024, "the window");
    assert_eq!(serve(&mut server, outputs, "living"), 0);
    // Who watches somebody else waits for no more than a place in the window.
    set(&mut server, INES, "second");
    assert!(server.drain().all.is_empty());
    let outputs = server.pass(2.1);
    let others = outputs
        .requests()
        .iter()
        .filter(|it| is_of(it, "other"))
        .count();
    assert_eq!(others, 50, "in turn with the dead");
    for request in outputs.requests() {
        if is_of(request, "other") {
            server.answer(request, 200);
        }
    }
    let mut reached = serve(&mut server, outputs, "living");
    while reached < 50 {
        let outputs = server.pass(0.5);
        reached += serve(&mut server, outputs, "living");
        assert!(
            server.now < began + Duration::from_secs(10),
            "{reached} reached"
        );
    }
    assert_eq!(reached, 50);
    assert_eq!(server.role.occupancy().open_notifies, 4_000);

    // The dead are found to be so, and go; the living are all there.
    let dead: Vec<_> = server
        .role
        .subscriptions()
        .map(|it| it.key)
        .take(4_000)
        .collect();
    server.pass(65.0);
    assert_eq!(server.role.occupancy().open_notifies, 0);
    assert_eq!(server.role.occupancy().subscriptions, 100);
    assert!(
        dead.iter()
            .all(|key| server.role.subscription(*key).is_none())
    );
}

/// The slow class has a bound too. Behind it everybody waits until the host reports.
#[test]
fn a_state_that_came_back_costs_no_walk_for_each_answer() {
    let mut server = server(|_| ());
    populate(&mut server, HENRI, "w", 50);
    set(&mut server, HENRI, "a");
    let open = server.drain();
    assert_eq!(open.requests().len(), 50);
    server.pass(6.0);
    set(&mut server, HENRI, "b");
    assert!(server.drain().all.is_empty(), "each has one that is open");
    set(&mut server, HENRI, "a");
    assert!(server.drain().all.is_empty());
    let body = bytes::Bytes::new();
    for request in open.requests() {
        let response = ResponseRef::new(200, [], &body);
        server
            .role
            .handle_response(server.now, request.transaction(), &response);
        assert_eq!(server.role.occupancy().outputs, 0, "no round begins");
    }
}

#[test]
fn one_poll_looks_at_so_many_watchers_and_no_more() {
    let mut server = server(|config| config.notify_interval = Duration::from_secs(60));
    populate(&mut server, HENRI, "w", 10_000);
    set(&mut server, HENRI, "a");
    // Nobody is told: it is another state for a moment only.
    server.role.clear_presence(server.now, HENRI).unwrap();
    let mut polls = 0;
    while server.role.poll_timeout() == Some(server.now) || polls == 0 {
        assert!(server.role.poll_output().is_none());
        server.role.handle_timeout(server.now);
        polls += 1;
        assert!(polls < 10);
    }
    assert_eq!(polls, 3);
    assert_eq!(server.role.occupancy().outputs, 0);
    // That was work: the next walk comes after the interval.
    set(&mut server, HENRI, "b");
    assert!(server.drain().all.is_empty());
    let mut outputs = server.pass(61.0);
    let mut told = 0;
    while !outputs.requests().is_empty() {
        told += outputs.requests().len();
        outputs = server.answer_all(&outputs);
    }
    assert_eq!(told, 10_000);
}

/// Subscribes so many to a presentity, each with a filter that no other one has, which shows no notes.
fn populate_with_filters(server: &mut Server, presentity: &str, event: &str, count: usize) {
    for number in 0..count {
        let watcher = format!("sip:f-{number}@example.com");
        let own = format!("//q{number}");
        let filter = Filter::new("1").include("//pidf:basic").include(&own);
        let filters = FilterSet::of_presence().with(filter).write().unwrap();
        let message = Message::subscribe(&watcher, presentity, &format!("f-{number}"))
            .with("Event", event)
            .with("Content-Type", "application/simple-filter+xml")
            .with_body(std::str::from_utf8(&filters).unwrap());
        let outputs = server.send(&message);
        assert_eq!(outputs.status(), 200);
        server.answer_all(&outputs);
    }
}

#[test]
fn one_poll_works_out_so_many_filters_and_no_more() {
    let mut server = server(|_| {});
    set(&mut server, HENRI, "a");
    populate_with_filters(&mut server, HENRI, "presence", 96);
    server.pass(6.0);
    let document = Presence::new(HENRI).with_tuple(Tuple::open("t").with_note("b"));
    server
        .role
        .set_presence(server.now, HENRI, document)
        .unwrap();
    let mut polls = 0;
    while server.role.poll_timeout() == Some(server.now) || polls == 0 {
        assert!(server.role.poll_output().is_none(), "no filter shows it");
        polls += 1;
        assert!(polls < 100);
    }
    assert!((12..=14).contains(&polls), "{polls}");
    // Whoever sees the same shares it, and what is worked out already costs nothing more.
    set(&mut server, HENRI, "a");
    assert!(server.drain().all.is_empty());
}

#[test]
fn one_call_works_out_so_many_filters_and_no_more() {
    let mut server = server(|_| {});
    set(&mut server, HENRI, "a");
    let event = "presence;max-rate=0.05";
    populate_with_filters(&mut server, HENRI, event, 96);
    server.pass(6.0);
    set(&mut server, HENRI, "b");
    assert!(server.drain().all.is_empty(), "it has to wait");
    // It is time for all of them at once.
    let now = server.now + Duration::from_secs(30);
    let mut calls = 0;
    while server.role.poll_timeout().is_some_and(|due| due <= now) {
        server.role.handle_timeout(now);
        assert!(server.drain().all.is_empty(), "no filter shows it");
        calls += 1;
        assert!(calls < 1_000);
    }
    assert!(calls >= 12, "{calls}");
}

#[test]
fn both_classes_of_open_notifies_are_bounded_and_nobody_is_lost() {
    let mut server = server(|config| {
        config.window = 20;
        config.slow_window = 30;
    });
    set(&mut server, HENRI, "first");
    populate(&mut server, HENRI, "dead", 100);
    populate(&mut server, HENRI, "living", 10);
    server.pass(60.0);
    set(&mut server, HENRI, "second");
    let mut open: Vec<OutgoingRequest> = Vec::new();
    let mut reached = 0;
    let mut rounds = 0;
    while reached < 10 {
        let outputs = server.pass(8.0);
        let outputs = {
            let mut all = server.drain();
            all.all.splice(0..0, outputs.all);
            all
        };
        open.extend(
            outputs
                .requests()
                .into_iter()
                .filter(|it| is_of(it, "dead"))
                .cloned(),
        );
        reached += serve(&mut server, outputs, "living");
        assert!(server.role.occupancy().open_notifies <= 50);
        rounds += 1;
        if rounds % 4 == 0 {
            // Timer F of those that are open: the host reports them.
            for request in open.drain(..) {
                let transaction = request.transaction();
                server
                    .role
                    .handle_failure(server.now, transaction, Failure::Timeout);
            }
        }
        assert!(rounds < 40, "{reached} reached");
    }
    assert_eq!(reached, 10);
    let living = server.role.subscriptions().filter(|it| {
        it.watcher
            .is_some_and(|watcher| watcher.starts_with("living"))
    });
    assert_eq!(living.count(), 10);
}

// PA-48
#[test]
fn what_the_host_forgot_frees_its_place() {
    let mut server = server(|config| {
        config.window = 5;
        config.slow_window = 0;
        config.forgotten_after = Duration::from_secs(40);
    });
    set(&mut server, HENRI, "first");
    populate(&mut server, HENRI, "dead", 5);
    populate(&mut server, HENRI, "living", 5);
    set(&mut server, HENRI, "second");
    assert_eq!(server.drain().requests().len(), 5);
    assert!(server.pass(39.0).all.is_empty());
    let outputs = server.pass(1.1);
    let ended = outputs.events().into_iter().filter(|event| {
        matches!(
            event,
            ServerEvent::SubscriptionEnded {
                reason: EndReason::NotifyForgotten,
                ..
            }
        )
    });
    assert_eq!(ended.count(), 5);
    assert_eq!(serve(&mut server, outputs, "living"), 5);
    assert_eq!(server.role.occupancy().subscriptions, 5);
    assert_eq!(server.role.occupancy().open_notifies, 0);
}

// ---- deadlines --------------------------------------------------------------------------------

/// Kamailio ran out of memory here.
#[test]
fn a_hundred_thousand_ends_at_once_are_spread_out_and_none_is_lost() {
    const EACH: usize = 50_000;
    const PER_CALL: usize = 512;
    let mut server = server(|config| config.window = 1_000);
    let start = server.now;
    populate(&mut server, HENRI, "early", EACH);
    server.now = start + Duration::from_secs(1);
    populate(&mut server, HENRI, "late", EACH);
    populate(&mut server, INES, "other", 1);
    let now = start + Duration::from_secs(602);
    server.now = now;
    let mut ends = Vec::new();
    let mut calls = 0;
    while server.role.poll_timeout().is_some_and(|due| due <= now) {
        server.role.handle_timeout(now);
        calls += 1;
        let outputs = server.drain();
        let before = ends.len();
        for event in outputs.events() {
            if let ServerEvent::SubscriptionEnded { subject, reason } = event {
                assert_eq!(*reason, EndReason::Expired);
                ends.push(subject.watcher.as_deref().unwrap().to_owned());
            }
        }
        assert!(
            ends.len() - before <= PER_CALL,
            "{} in one call",
            ends.len() - before
        );
        for notify in outputs.requests() {
            assert_eq!(state_of(notify), "terminated;reason=timeout");
        }
        let more = answer_and_poll(&mut server, outputs);
        assert!(more <= 2 * PER_CALL, "{more} NOTIFYs for one call");
        if calls == 5 {
            // In the middle of it others are served.
            let outputs = server.send(&Message::subscribe(KAI, INES, "newcomer"));
            assert_eq!(outputs.status(), 200);
            server.answer_all(&outputs);
        }
        assert!(calls < 1_000);
    }
    assert!(calls >= 2 * EACH / PER_CALL, "{calls}");
    assert_eq!(ends.len(), 2 * EACH + 1);
    let unlike: BTreeSet<_> = ends.iter().collect();
    assert_eq!(unlike.len(), ends.len(), "each of them once");
    // Due first, ended first.
    assert!(
        ends[..EACH]
            .iter()
            .all(|watcher| watcher.starts_with("early"))
    );
    assert_eq!(server.role.occupancy().subscriptions, 1, "the newcomer");
    assert_eq!(server.role.occupancy().timers, 1);
}

/// Answers what was sent until nothing more comes; tells how much there was.
fn answer_and_poll(server: &mut Server, outputs: Outputs) -> usize {
    let mut sent = 0;
    let mut todo = outputs;
    while !todo.requests().is_empty() {
        sent += todo.requests().len();
        todo = server.answer_all(&todo);
    }
    sent
}

/// One call of `handle_timeout` deals with so many deadlines and says when there are more.
#[test]
fn the_work_of_one_call_is_bounded() {
    let mut server = server(|config| config.timers_per_call = 10);
    populate(&mut server, HENRI, "w", 95);
    let now = server.now + Duration::from_secs(700);
    let mut calls = 0;
    let mut ended = 0;
    while server.role.poll_timeout().is_some_and(|due| due <= now) {
        server.role.handle_timeout(now);
        let events = server.drain().events().len();
        assert!(events <= 10);
        ended += events;
        calls += 1;
        assert!(calls < 1_000);
    }
    assert_eq!(ended, 95);
    server.now = now;
    assert!(
        server
            .role
            .poll_timeout()
            .is_some_and(|due| due > Timestamp::ZERO)
    );
}
