//! What users of other presence systems complain about in public, tried here: each test names the
//! thread (owner/repository#number) that it is about. Those about documents are in
//! `complaints_about_documents.rs`, those about time and memory in `complaints_about_cost.rs`. What is
//! proved elsewhere already:
//!
//! | thread | file and test |
//! | --- | --- |
//! | pjsip/pjproject#307 | `pidf_reading`: `six_spellings_of_one_document` |
//! | pjsip/pjproject#938 | `pidf_writing`: `ids_are_names_and_occur_once`, `the_entity_is_a_bare_uri`; `conformance`: `odd_ids_are_put_right_and_missing_ones_made` |
//! | asterisk/asterisk#1898 | `client_messages`: `all_watch_one_presentity_and_get_the_same_octets`; `conformance`: `all_watchers_share_one_body` |
//! | pjsip/pjproject#1895, OpenSIPS/opensips#380 | `conformance`: `what_says_that_nobody_is_there_removes_the_subscription_in_silence`, `other_errors_keep_the_subscription`, `a_408_is_no_answer_of_the_watcher`; `credentials`: `without_credentials_it_goes_on_at_once_or_after_a_while` |
//! | kamailio/kamailio#2048 | `conformance`: `an_old_entity_tag_is_good_for_nothing`, `two_jobs_for_one_entity_tag_do_not_both_succeed` |
//! | kamailio/kamailio#276 | `conformance`: `the_first_notify_has_the_state_of_the_moment`, `a_refresh_yields_a_notify_with_the_whole_state`, `every_change_is_told_with_the_whole_document` |
//! | BelledonneCommunications/linphone-sdk#16 | `conformance`: `one_without_accept_and_with_an_empty_supported`, `a_watcher_that_takes_no_document_there_is_gets_406` |
//! | tafia/quick-xml#968 | `xml_reading`: `every_reference_at_every_boundary`, `no_document_type_and_no_entities_of_ones_own`; `pidf_writing`: `any_note_survives` |
//! | kamailio/kamailio#1609 | `limits`: `a_hundred_thousand_ends_at_once_are_spread_out_and_none_is_lost` |
//! | asterisk/asterisk#793 | `call_order`: `nothing_is_left_after_36_hours_of_coming_and_going`; `simulation`: `everybody_comes_to_hold_the_newest_state_and_nothing_is_left` |
//! | thevoiceguy/siphon-ai#521 | `call_order`: `a_hundred_thousand_notifies_leave_no_trace` |
//! | signalwire/freeswitch#3056 | `conformance`: `the_first_number_is_the_hosts_to_set`, `the_numbers_of_notifies_rise_by_one` |
//! | pjsip/pjproject#1367 | `pidf_reading`: `without_any_node_or_attribute` |
//! | quinn-rs/quinn#924 | `call_order`: `calls_for_nothing_change_nothing` |
//! | rustls/rustls#713 | `limits`: `a_host_that_does_not_poll_is_refused_and_loses_nothing` |
//! | kamailio/kamailio#2188 | `conformance`: `the_application_sees_how_the_last_notify_fared`, `every_refusal_is_counted_by_its_reason` |
//! | pjsip/pjproject#574 | `conformance`: `an_undecided_subscribe_is_answered_at_once`, `one_who_is_let_in_gets_the_document_of_now_at_once`, `the_host_may_add_fields` |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;

use std::time::Duration;

use common::{Driver, Message, Outputs, body_of, field, response_field, seeded, state_of};
use presentity::engine::FlowId;
use presentity::event::{
    Assurance, Authorization, Decision, EndReason, Failure, Identity, Occupancy, PublishDecision,
    PublishQuery, Reason, Rejection, ReplacePublications, RequestContext, ServerEvent,
    SubscribeQuery, SubscriptionKey, Termination, View,
};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy};

const NORA: &str = "sip:nora@example.com";
const OLAF: &str = "sip:olaf@example.com";

/// Everybody may do what is not forbidden.
#[derive(Debug, Default)]
struct Rules {
    forbidden: bool,
    challenged: bool,
}

impl Policy for Rules {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        match self {
            Self {
                forbidden: true, ..
            } => Decision::Reject(Rejection::Forbidden).into(),
            Self {
                challenged: true, ..
            } => Authorization::Challenge,
            Self { .. } => Decision::Allow(View::full()).into(),
        }
    }

    fn publish(&mut self, _: &PublishQuery<'_>) -> PublishDecision {
        match self {
            Self {
                forbidden: true, ..
            } => PublishDecision::Forbid,
            Self {
                challenged: true, ..
            } => PublishDecision::Challenge,
            Self { .. } => PublishDecision::Allow,
        }
    }
}

type Server = Driver<Agent<Rules>>;

fn configured(configure: impl FnOnce(&mut AgentConfig)) -> Server {
    let mut config = AgentConfig::default();
    configure(&mut config);
    Driver::new(Agent::new(config, Rules::default(), seeded(29)))
}

fn server() -> Server {
    configured(|_| ())
}

fn subscribe(call: &str) -> Message {
    Message::subscribe(NORA, OLAF, call)
}

fn document(note: &str) -> String {
    let presence = Presence::new(OLAF).with_tuple(Tuple::open("t").with_note(note));
    String::from_utf8(presence.write().unwrap().to_vec()).unwrap()
}

fn set(server: &mut Server, note: &str) {
    let document = Presence::read(document(note).as_bytes()).unwrap();
    server
        .role
        .set_presence(server.now, OLAF, document)
        .unwrap();
}

/// What the tuples of a document say.
fn notes(body: &str) -> Vec<String> {
    let presence = Presence::read(body.as_bytes()).unwrap();
    let notes = presence.tuples.iter().map(|tuple| &tuple.notes[0].text);
    notes.cloned().collect()
}

fn ends(outputs: &Outputs) -> Vec<(SubscriptionKey, EndReason)> {
    let end = |event: &ServerEvent| match event {
        ServerEvent::SubscriptionEnded { subject, reason } => Some((subject.key, *reason)),
        _ => None,
    };
    outputs.events().into_iter().filter_map(end).collect()
}

/// Sends by a connection, and answers the NOTIFYs of it.
fn publish_by_flow(server: &mut Server, message: &Message) -> Outputs {
    let olaf = Identity::of(OLAF, Assurance::Digest).unwrap();
    let context = RequestContext::new(&olaf, "sip:agent.example.com").with_flow(FlowId(3));
    let outputs = server.send_with(message, &context);
    server.answer_all(&outputs);
    outputs
}

// OpenSIPS/opensips#2249: after a 412 the old tuple stays, and two contradict each other for ever.
#[test]
fn what_was_published_before_a_412_runs_out_or_is_replaced_as_configured() {
    for replace in [ReplacePublications::Never, ReplacePublications::SameFlow] {
        let replaces = replace == ReplacePublications::SameFlow;
        let mut server = configured(|config| config.server.replace_publications = replace);
        server.subscribed(&subscribe("w").with("Expires", "3600"));
        let publish = |call: &str, note: &str| Message::publish(OLAF, call, &document(note));
        publish_by_flow(&mut server, &publish("a", "busy"));
        server.pass(100.0);
        let lost = publish("b", "free").with("SIP-If-Match", "nosuchthing");
        let refused = publish_by_flow(&mut server, &lost);
        assert_eq!((refused.status(), refused.all.len()), (412, 1));

        let anew = publish_by_flow(&mut server, &publish("c", "free"));
        assert_eq!(anew.status(), 200);
        let told = notes(body_of(anew.notify()));
        if replaces {
            assert_eq!(told, ["free"]);
        } else {
            assert_eq!(told, ["busy", "free"]);
        }
        assert_eq!(server.role.publications().count(), told.len());
        // The orphan is gone when it said it would be, 600 s after it was made, and not later.
        let outputs = server.pass(500.2);
        if replaces {
            assert!(outputs.all.is_empty());
        } else {
            assert_eq!(notes(body_of(outputs.notify())), ["free"]);
            server.answer_all(&outputs);
        }
        assert_eq!(server.role.publications().count(), 1);
        let outputs = server.pass(100.0);
        assert_eq!(notes(body_of(outputs.notify())), Vec::<String>::new());
        server.answer_all(&outputs);
        assert_eq!(server.role.occupancy().publications, 0);
    }
}

// OpenSIPS/opensips#2249: a client that loses its entity-tag each time.
#[test]
fn a_publisher_that_never_learns_its_entity_tags_is_bounded() {
    for replace in [ReplacePublications::Never, ReplacePublications::SameFlow] {
        let replaces = replace == ReplacePublications::SameFlow;
        let mut server = configured(|config| config.server.replace_publications = replace);
        let mut statuses = Vec::new();
        for number in 0..100 {
            let message = Message::publish(OLAF, &format!("c{number}"), &document("x"));
            statuses.push(publish_by_flow(&mut server, &message).status());
            server.pass(1.0);
        }
        let kept = server.role.publications().count();
        if replaces {
            assert!(statuses.iter().all(|status| *status == 200));
            assert_eq!(kept, 1);
        } else {
            assert!(statuses[..32].iter().all(|status| *status == 200));
            assert!(statuses[32..].iter().all(|status| *status == 503));
            assert_eq!(kept, 32);
        }
        server.pass(601.0);
        assert_eq!(server.role.occupancy(), Occupancy::default());
    }
}

// restsend/rustpbx#257, siphon-project/siphon-sip#90, OpenSIPS/opensips#117: a refresh made a second
// entry, its 200 another tag; a repeated SUBSCRIBE was malformed.
#[test]
fn a_thousand_refreshes_are_one_subscription_under_one_tag() {
    let mut server = server();
    let message = subscribe("a");
    let outputs = server.send(&message);
    let tag = outputs.response().to_tag().unwrap().to_owned();
    let own = format!("<{OLAF}>;tag={tag}");
    assert_eq!(field(outputs.notify(), "From"), Some(&*own));
    server.answer_all(&outputs);
    let key = server.role.subscriptions().next().unwrap().key;
    let before = server.role.occupancy();
    for cseq in 2..1_002 {
        server.pass(300.0);
        let refresh = message.clone().in_dialog(&tag, cseq);
        let outputs = server.send(&refresh);
        assert_eq!(outputs.status(), 200);
        // The request has the tag; a second one would be another dialog.
        assert_eq!(outputs.response().to_tag(), None);
        let mut written = Vec::new();
        outputs
            .response()
            .write_to(&refresh.view(), "", &mut written);
        let written = String::from_utf8(written).unwrap();
        assert!(written.contains(&format!("\r\nTo: {own}\r\n")), "{written}");
        assert_eq!(field(outputs.notify(), "From"), Some(&*own));
        assert_eq!(ends(&outputs), []);
        server.answer_all(&outputs);
        // Again, by a host that does not absorb it: late, but not malformed, and no harm done.
        let again = server.send(&refresh);
        assert_eq!((again.status(), again.all.len()), (500, 1));
        assert_eq!(server.role.occupancy(), before, "{cseq}");
    }
    let again = server.send(&message);
    assert_eq!(again.status(), 200);
    server.answer_all(&again);
    assert_eq!(server.role.subscriptions().next().unwrap().key, key);
}

// irontec/ivozprovider#1904: each SUBSCRIBE to a user who does not exist cost a row.
#[test]
fn a_refusal_of_any_kind_leaves_no_entry() {
    type Refused = (u16, Message);
    let cases = || -> Vec<Refused> {
        let publish = |call| Message::publish(OLAF, call, &document("x"));
        vec![
            (400, subscribe("a").without("Contact")),
            (400, subscribe("b").with("Contact", "<sip:>")),
            (400, subscribe("c").with("Expires", "soon")),
            (400, subscribe("d").without("CSeq")),
            (404, Message::subscribe(NORA, "sip:olaf@example.net", "e")),
            (406, subscribe("f").with("Accept", "text/plain")),
            (
                415,
                subscribe("g").with("Content-Type", "a/b").with_body("x"),
            ),
            (416, Message::subscribe(NORA, "tel:+15550100", "h")),
            (420, subscribe("i").with("Require", "eventlist")),
            (423, subscribe("j").with("Expires", "1")),
            (481, subscribe("k").in_dialog("nosuchtag", 2)),
            (489, subscribe("l").with("Event", "dialog")),
            (
                513,
                subscribe("m").with(
                    "Record-Route",
                    &vec![format!("<sip:{}@example.net;lr>", "x".repeat(900)); 10].join(","),
                ),
            ),
            (400, publish("n").with_body("<presence")),
            (400, publish("o").with_body("")),
            (412, publish("p").with("SIP-If-Match", "nosuchtag")),
            (413, publish("q").with_body(&"x".repeat(70_000))),
            (415, publish("r").with("Content-Type", "text/plain")),
            (415, publish("s").with("Content-Encoding", "gzip")),
            (423, publish("t").with("Expires", "1")),
            (489, publish("u").with("Event", "dialog")),
            (481, publish("v").in_dialog("nosuchtag", 1)),
            (405, Message::new("MESSAGE", NORA, OLAF, "w")),
        ]
    };
    let mut server = configured(|config| config.domains = vec!["example.com".into()]);
    for (status, message) in cases() {
        let outputs = server.send(&message);
        assert_eq!(outputs.status(), status, "{}", message.field("Call-ID"));
        assert_eq!(outputs.all.len(), 1, "nothing but the answer: {outputs:?}");
        assert_eq!(server.role.occupancy(), Occupancy::default(), "{status}");
        assert_eq!(server.role.poll_timeout(), None, "{status}");
    }
    for (status, rules) in [
        (
            403,
            Rules {
                forbidden: true,
                challenged: false,
            },
        ),
        (
            401,
            Rules {
                forbidden: false,
                challenged: true,
            },
        ),
    ] {
        *server.role.policy_mut() = rules;
        for number in 0..1_000 {
            let user = format!("sip:user{number}@example.com");
            let call = format!("{status}-{number}");
            let wish = Message::subscribe(NORA, &user, &call);
            assert_eq!(server.send(&wish).status(), status);
            let wish = Message::publish(&user, &format!("p{call}"), &document("x"));
            assert_eq!(server.send(&wish).status(), status);
            assert!(!server.role.has_watchers(&user));
        }
        assert_eq!(server.role.occupancy(), Occupancy::default(), "{status}");
    }
}

// pjsip/pjproject#1885: the timer fires while a refresh is dealt with.
#[test]
fn a_refresh_a_nanosecond_around_the_deadline_in_either_order() {
    for nanos in [-1, 0, 1] {
        for timer_first in [false, true] {
            let mut server = server();
            let message = subscribe("a");
            let tag = server.subscribed(&message);
            let key = server.role.subscriptions().next().unwrap().key;
            let deadline = server.role.subscription(key).unwrap().expires_at;
            assert_eq!(deadline, server.now + Duration::from_secs(600));
            server.now = match nanos {
                -1 => server.now + Duration::from_nanos(599_999_999_999),
                0 => deadline,
                _ => deadline + Duration::from_nanos(1),
            };
            let refresh = message.in_dialog(&tag, 2);
            let mut all = Outputs::default();
            for step in 0..2 {
                if (step == 0) == timer_first {
                    server.role.handle_timeout(server.now);
                    all.all.append(&mut server.drain().all);
                } else {
                    all.all.append(&mut server.send(&refresh).all);
                }
            }
            let in_time = nanos < 0;
            assert_eq!(all.status(), if in_time { 200 } else { 481 });
            server.answer_all(&all);
            // The old deadline passes, and all that may be left of its timer.
            let mut later = server.pass(599.0);
            assert_eq!(server.role.subscription(key).is_some(), in_time);
            server.answer_all(&later);
            all.all.append(&mut later.all);
            let expected = if in_time {
                vec![]
            } else {
                vec![(key, EndReason::Expired)]
            };
            assert_eq!(ends(&all), expected, "{nanos} {timer_first}");
            let outputs = server.pass(2.0);
            server.answer_all(&outputs);
            assert_eq!(server.role.occupancy(), Occupancy::default());
        }
    }
}

// kamailio/kamailio#3074: those whose time is over were told of changes all the same.
#[test]
fn nothing_is_told_behind_the_deadline() {
    /// What keeps a NOTIFY back until then.
    #[derive(Debug, Clone, Copy)]
    enum Kept {
        Nothing,
        Pace,
        Open,
        Patience,
        Poll,
        /// Owed for a decision, and not polled for.
        Owed,
    }
    for nanos in [0, 1, 1_000_000_000] {
        for kept in [
            Kept::Nothing,
            Kept::Pace,
            Kept::Open,
            Kept::Patience,
            Kept::Poll,
            Kept::Owed,
        ] {
            let mut server = server();
            let first = server.send(&subscribe("a"));
            let start = server.now;
            let end = start + Duration::from_secs(600);
            match kept {
                Kept::Open => {}
                Kept::Patience => {
                    let fields = [("Retry-After", "3600")];
                    server.answer_with(first.notify(), 503, &fields);
                }
                Kept::Nothing | Kept::Pace | Kept::Poll | Kept::Owed => {
                    server.answer_all(&first);
                }
            }
            server.now = start + Duration::from_secs(599);
            set(&mut server, "before");
            match kept {
                Kept::Nothing | Kept::Pace => {
                    let outputs = server.drain();
                    assert!(state_of(outputs.notify()).starts_with("active"));
                    server.answer_all(&outputs);
                }
                Kept::Owed => {
                    let key = server.role.subscriptions().next().unwrap().key;
                    let decided = server.role.decide(server.now, key, Decision::PoliteBlock);
                    assert_eq!(decided, Ok(()));
                }
                Kept::Open | Kept::Patience | Kept::Poll => {}
            }
            // The clock's tick has not come: all else has to see for itself.
            server.now = end + Duration::from_nanos(nanos);
            set(&mut server, "after");
            let mut outputs = server.drain();
            if let Kept::Open = kept {
                outputs
                    .all
                    .append(&mut server.answer(first.notify(), 200).all);
            }
            assert_eq!(outputs.requests().len(), 0, "{nanos} {kept:?}");
            let outputs = server.pass(2.0);
            assert_eq!(ends(&outputs).len(), 1, "{nanos} {kept:?}");
            assert_eq!(state_of(outputs.notify()), "terminated;reason=timeout");
            assert!(outputs.notify().body().is_empty());
            server.answer_all(&outputs);
            set(&mut server, "long after");
            assert!(server.pass(10.0).all.is_empty());
            assert_eq!(server.role.occupancy().subscriptions, 0);
        }
    }
}

// OpenSIPS/opensips#3514, signalwire/freeswitch#2277: phones that start anew under another Call-ID.
#[test]
fn a_phone_that_starts_anew_a_thousand_times_meets_a_cap() {
    let mut server = server();
    let (mut taken, mut refused) = (Vec::new(), 0);
    for number in 0..1_000 {
        let outputs = server.send(&subscribe(&format!("start-{number}")));
        match outputs.status() {
            200 => taken.push(number),
            _ => {
                assert_eq!(outputs.status(), 503);
                assert!(response_field(outputs.response(), "Retry-After").is_some());
                refused += 1;
            }
        }
        server.answer_all(&outputs);
    }
    // The first stay: nothing that exists makes way for something new.
    assert_eq!(taken, (0..32).collect::<Vec<_>>());
    assert_eq!(refused, 968);
    set(&mut server, "x");
    let outputs = server.drain();
    assert_eq!(outputs.requests().len(), 32);
    // Those that the phone knows no more it says so of, and they go; then there is room.
    for (place, request) in outputs.requests().into_iter().enumerate() {
        server.answer(request, if place == 31 { 200 } else { 481 });
    }
    assert_eq!(server.role.subscriptions().count(), 1);
    assert_eq!(server.send(&subscribe("at-last")).status(), 200);
}

// kamailio/kamailio#2188, #2540: subscriptions that were gone, and nobody could see why.
#[test]
fn each_way_to_end_gives_one_reason_and_leaves_nothing() {
    type Way = Box<dyn Fn(&mut Server, SubscriptionKey, &Outputs, &Message) -> Outputs>;
    let mut ways: Vec<(EndReason, Way)> = Vec::new();
    let mut way = |reason, way: Way| ways.push((reason, way));
    way(
        EndReason::Unsubscribed,
        Box::new(|server, _, first, message| {
            server.answer_all(first);
            let tag = first.response().to_tag().unwrap();
            server.send(&message.clone().with("Expires", "0").in_dialog(tag, 2))
        }),
    );
    way(
        EndReason::Expired,
        Box::new(|server, _, first, _| {
            server.answer_all(first);
            server.pass(601.0)
        }),
    );
    way(
        EndReason::Rejected,
        Box::new(|server, key, first, _| {
            let decision = Decision::Reject(Rejection::Forbidden);
            server.role.decide(server.now, key, decision).unwrap();
            server.answer_all(first)
        }),
    );
    way(
        EndReason::Rejected,
        Box::new(|server, _, first, message| {
            server.answer_all(first);
            server.role.policy_mut().forbidden = true;
            let tag = first.response().to_tag().unwrap();
            server.send(&message.clone().in_dialog(tag, 2))
        }),
    );
    for reason in [
        Reason::Deactivated,
        Reason::Probation,
        Reason::Rejected,
        Reason::Timeout,
        Reason::GiveUp,
        Reason::NoResource,
        Reason::Invariant,
    ] {
        let told = EndReason::Terminated(reason);
        let termination = Termination::new(reason).with_retry_after(30);
        way(
            told,
            Box::new(move |server, key, first, _| {
                server.answer_all(first);
                server.role.terminate(server.now, key, termination).unwrap();
                server.drain()
            }),
        );
        way(
            told,
            Box::new(move |server, _, first, _| {
                let ended = server
                    .role
                    .terminate_presentity(server.now, OLAF, termination);
                assert_eq!(ended, Ok(1));
                server.answer_all(first)
            }),
        );
        way(
            told,
            Box::new(move |server, _, first, _| {
                assert_eq!(server.role.terminate_all(server.now, termination), 1);
                server.answer_all(first)
            }),
        );
    }
    for status in [
        404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604,
    ] {
        way(
            EndReason::NotifyRejected(status),
            Box::new(move |server, _, first, _| server.answer(first.notify(), status)),
        );
    }
    way(
        EndReason::NotifyTimeout,
        Box::new(|server, _, first, _| server.answer(first.notify(), 408)),
    );
    for (failure, reason) in [
        (Failure::Timeout, EndReason::NotifyTimeout),
        (Failure::Transport, EndReason::NotifyUnsent),
    ] {
        way(
            reason,
            Box::new(move |server, _, first, _| {
                let transaction = first.notify().transaction();
                server.role.handle_failure(server.now, transaction, failure);
                server.drain()
            }),
        );
    }
    way(
        EndReason::NotifyForgotten,
        Box::new(|server, _, _, _| server.pass(65.0)),
    );

    for (number, (expected, way)) in ways.into_iter().enumerate() {
        let mut server = server();
        let message = subscribe("a");
        let first = server.send(&message);
        let key = server.role.subscriptions().next().unwrap().key;
        let mut all = way(&mut server, key, &first, &message);
        // Nothing after it either: not from an answer to the last NOTIFY, not from time.
        let mut more = server.answer_all(&all);
        all.all.append(&mut more.all);
        set(&mut server, "x");
        all.all.append(&mut server.pass(700.0).all);
        assert_eq!(ends(&all), [(key, expected)], "{number}");
        assert!(!expected.to_string().is_empty());
        assert_eq!(server.role.subscription(key), None);
        assert_eq!(server.role.clear_presence(server.now, OLAF), Ok(true));
        assert_eq!(server.role.occupancy(), Occupancy::default(), "{number}");
        let counters = server.role.counters();
        assert_eq!(counters.subscriptions_started(), 1);
        assert_eq!(counters.subscriptions_ended(), 1);
    }
    // A fetch is over before it can be named.
    let mut server = server();
    let fetched = server.send(&subscribe("a").with("Expires", "0"));
    let reasons: Vec<_> = ends(&fetched)
        .into_iter()
        .map(|(_, reason)| reason)
        .collect();
    assert_eq!(reasons, [EndReason::Fetched]);
    server.answer_all(&fetched);
    assert_eq!(server.role.occupancy(), Occupancy::default());
}
