//! Which NOTIFYs are believed, and how each is answered.

use std::time::Duration;

use presentity::event::{
    NotifiedState, OwnSubscriptionPhase, RefusedBody, SubscribeFailure, SubscriptionEnd,
};
use presentity::presence::WatcherEvent;
use presentity::sip::HeaderName;

use crate::common::{Message, field};
use crate::phone::{BOB, Notifier, Phone, document};

const SECOND: Duration = Duration::from_secs(1);

// SUB-23 SUB-28
#[test]
fn a_notify_may_come_before_the_answer_and_makes_the_dialog() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    let mut notifier = Notifier::of(&subscribe, "pa1");
    let first = notifier
        .tell("active;expires=3600", &document("open", "early"))
        .with(
            "Record-Route",
            "<sip:p1.example.org;lr>, <sip:p2.example.org;lr>",
        );
    let taken = phone.notify(&first);
    assert_eq!(taken.status(), 200);
    assert_eq!(phone.note(key).as_deref(), Some("early"));
    // Its route set counts, not that of the answer.
    let fields = [
        ("To", "<sip:bob@example.org>;tag=pa1"),
        ("Expires", "600"),
        ("Contact", "<sip:other@198.51.100.9>"),
        ("Record-Route", "<sip:p9.example.org;lr>"),
    ];
    assert!(phone.answer(&subscribe, 200, &fields).nothing());
    // The shorter time that the answer grants counts.
    let refresh = phone.pass_until_something(SECOND * 601).request().clone();
    assert_eq!(refresh.uri(), notifier.contact);
    assert_eq!(refresh.next_hop(), "sip:p1.example.org;lr");
    let routes: Vec<_> = (refresh.fields())
        .filter(|(name, _)| *name == "Route")
        .map(|(_, value)| value)
        .collect();
    assert_eq!(
        routes,
        ["<sip:p1.example.org;lr>", "<sip:p2.example.org;lr>"]
    );
}

// SUB-28
#[test]
fn a_strict_router_finds_itself_in_the_request_uri() {
    let mut phone = Phone::new();
    let (_, subscribe) = phone.watch();
    let mut notifier = Notifier::of(&subscribe, "pa1");
    let notify = notifier.notify("active;expires=3600").with(
        "Record-Route",
        "<sip:strict.example.org>, <sip:p2.example.org;lr>",
    );
    assert_eq!(phone.notify(&notify).status(), 200);
    let refresh = phone.pass_until_something(SECOND * 3600).request().clone();
    assert_eq!(refresh.uri(), "sip:strict.example.org");
    let routes: Vec<_> = (refresh.fields())
        .filter(|(name, _)| *name == "Route")
        .map(|(_, value)| value)
        .collect();
    assert_eq!(routes, ["<sip:p2.example.org;lr>", "<sip:pa@198.51.100.3>"]);
}

// SUB-28
#[test]
fn a_terminated_notify_makes_no_dialog() {
    let mut phone = Phone::new();
    let (_, subscribe) = phone.watch();
    let mut notifier = Notifier::of(&subscribe, "pa1");
    let homeless = notifier.notify("active").without("Contact");
    assert_eq!(phone.notify(&homeless).status(), 400);
    let (key, subscribe) = phone.watch();
    let mut notifier = Notifier::of(&subscribe, "pa1");
    // It needs no way back.
    phone.accept(&subscribe, "pa1", 3600);
    let last = notifier.notify("terminated;reason=rejected");
    let taken = phone.notify(&last.without("Contact"));
    assert_eq!(taken.status(), 200);
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
    assert_eq!(
        phone.notify(&notifier.notify("active;expires=60")).status(),
        481
    );
    assert_eq!(phone.watcher.occupancy()[2], 0);
}

// SUB-24 SUB-25 SUB-30
#[test]
fn what_belongs_to_nothing_is_refused_and_not_read() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let told = |notifier: &mut Notifier| {
        notifier.tell("terminated;reason=rejected", &document("closed", "forged"))
    };
    let (_, subscribe) = phone.watch();
    let stranger = Notifier::of(&subscribe, "pa1");
    let good = told(&mut notifier);
    let to = good.field("To").to_owned();
    let forged = [
        // Another Call-ID, or that of another subscription.
        good.clone().with("Call-ID", "somebody-else"),
        good.clone()
            .with("Call-ID", told(&mut stranger.clone()).field("Call-ID")),
        // A tag that is none of ours, in form and in fact; and none at all.
        good.clone().with("To", "<sip:ana@example.com>;tag=x1"),
        good.clone()
            .with("To", "<sip:ana@example.com>;tag=aaaaaaaaaaaaa"),
        good.clone().with("To", to.split(';').next().unwrap()),
        // Another notifier, and another id of the event.
        good.clone().with("From", "<sip:bob@example.org>;tag=pa2"),
        good.clone().with("Event", "presence;id=7"),
    ];
    for message in forged {
        let taken = phone.notify(&message);
        assert_eq!(taken.status(), 481, "{message:?}");
        assert!(taken.events.is_empty(), "{taken:?}");
    }
    let foreign = good.clone().with("Event", "dialog");
    let taken = phone.notify(&foreign);
    assert_eq!(taken.status(), 489);
    let fields: Vec<_> = taken.responses[0].fields().collect();
    assert_eq!(fields, [("Allow-Events", "presence")]);
    assert_eq!(phone.note(key).as_deref(), Some("at my desk"));
    // What belongs to it is believed.
    assert!(phone.notify(&good).events.len() >= 2);
}

// SUB-29
#[test]
fn what_is_malformed_is_refused() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let mut notify = || notifier.tell("active;expires=60", &document("closed", "odd"));
    let odd = [
        notify().without("Subscription-State"),
        notify().with("Subscription-State", ""),
        notify().with("Subscription-State", "active;expires=soon"),
        notify().and("Subscription-State", "pending"),
        notify().without("Event"),
        notify().without("CSeq"),
        notify().with("CSeq", "7 SUBSCRIBE"),
        notify().without("From"),
        notify().with("Contact", "<tel:+15550100>"),
        notify().with("Contact", "<sip:x@example.org?Route=evil>"),
    ];
    for message in odd {
        let taken = phone.notify(&message);
        assert_eq!(taken.status(), 400, "{message:?}");
        assert!(taken.events.is_empty());
    }
    let extended = notify().with("Require", "eventlist");
    let taken = phone.notify(&extended);
    assert_eq!(taken.status(), 420);
    let fields: Vec<_> = taken.responses[0].fields().collect();
    assert_eq!(fields, [("Unsupported", "eventlist")]);
    let long = notify()
        .with("Subject", "x")
        .with("Contact", &"x".repeat(20_000));
    assert_eq!(phone.notify(&long).status(), 513);
    assert_eq!(phone.note(key).as_deref(), Some("at my desk"));
}

// SUB-31 SUB-50 SUB-51
#[test]
fn what_is_out_of_order_is_refused_and_not_taken() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let older = notifier.tell("active", &document("closed", "older"));
    let newer = notifier.tell("active", &document("open", "newer"));
    assert_eq!(phone.notify(&newer).status(), 200);
    for message in [&older, &newer] {
        let taken = phone.notify(message);
        assert_eq!(taken.status(), 500);
        assert!(taken.events.is_empty());
    }
    assert_eq!(phone.note(key).as_deref(), Some("newer"));
    // One without a document leaves that of the one before.
    assert_eq!(phone.notify(&notifier.notify("active")).status(), 200);
    assert_eq!(phone.note(key).as_deref(), Some("newer"));
    // Its number counts all the same, and gaps do no harm.
    assert_eq!(phone.notify(&older.with_cseq(notifier.cseq)).status(), 500);
    notifier.cseq += 1_000;
    assert_eq!(
        phone
            .notify(&notifier.tell("active", &document("open", "later")))
            .status(),
        200
    );
    assert_eq!(phone.note(key).as_deref(), Some("later"));
}

#[test]
fn a_notifier_that_moves_is_asked_where_it_is() {
    let mut phone = Phone::new();
    let (_, mut notifier) = phone.watching();
    notifier.contact = "sip:pa@203.0.113.77;transport=tcp".to_owned();
    phone.notify(&notifier.notify("active"));
    let refresh = phone.pass_until_something(SECOND * 3600).request().clone();
    assert_eq!(refresh.uri(), notifier.contact);
}

// SUB-26 SUB-53
#[test]
fn the_first_notifier_is_the_only_one() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    let mut first = Notifier::of(&subscribe, "pa1");
    let mut second = Notifier::of(&subscribe, "pa2");
    assert_eq!(
        phone
            .notify(&first.tell("active;expires=3600", &document("open", "one")))
            .status(),
        200
    );
    assert_eq!(
        phone
            .notify(&second.tell("active;expires=3600", &document("open", "two")))
            .status(),
        481
    );
    // Nor is the answer of the other one believed.
    assert!(phone.accept(&subscribe, "pa2", 60).nothing());
    assert!(phone.pass_until_something(SECOND * 3000).nothing());
    assert_eq!(
        phone
            .notify(&second.notify("terminated;reason=rejected"))
            .status(),
        481
    );
    assert_eq!(phone.note(key).as_deref(), Some("one"));
    let refresh = phone.pass_until_something(SECOND * 600).request().clone();
    assert!(field(&refresh, "To").unwrap().ends_with(";tag=pa1"));
}

// SUB-32
#[test]
fn the_time_that_the_notifier_tells_counts() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let expires_at = |phone: &Phone| {
        let info = phone.watcher.presentity(key).unwrap();
        info.subscription
            .expires_at
            .unwrap()
            .saturating_since(phone.now)
    };
    assert_eq!(expires_at(&phone), SECOND * 3600);
    phone.pass(SECOND * 10);
    assert!(
        phone
            .notify(&notifier.notify("active;expires=300"))
            .requests
            .is_empty()
    );
    assert_eq!(expires_at(&phone), SECOND * 300);
    // Without a word of it, what is known is kept; beyond what was asked for nothing is believed.
    phone.pass(SECOND * 10);
    phone.notify(&notifier.notify("active"));
    assert_eq!(expires_at(&phone), SECOND * 290);
    phone.notify(&notifier.notify("pending;expires=400000000"));
    assert_eq!(expires_at(&phone), SECOND * 3600);
    // About to end: it runs out, and is asked for anew.
    let taken = phone.notify(&notifier.notify("active;expires=0"));
    assert!(taken.requests.is_empty());
    let taken = phone.pass(SECOND * 3);
    assert_eq!(taken.end().0, SubscriptionEnd::Expired);
    assert_eq!(taken.request().uri(), BOB);
}

// SUB-16 SUB-32
#[test]
fn what_a_notify_said_since_counts_where_the_answer_says_nothing() {
    let mut phone = Phone::new();
    let (_, mut notifier) = phone.watching();
    let refresh = phone.pass_until_something(SECOND * 3600).request().clone();
    phone.notify(&notifier.notify("active;expires=600"));
    assert!(phone.answer(&refresh, 200, &[]).nothing());
    let begin = phone.now;
    assert_eq!(phone.pass_until_something(SECOND * 3600).requests.len(), 1);
    let after = phone.now.saturating_since(begin);
    assert!(after < SECOND * 600, "{after:?}");
    // While one is under way its answer tells whether it has ended.
    phone.notify(&notifier.notify("active;expires=0"));
    assert!(phone.pass(SECOND * 5).nothing());
}

// SUB-26
#[test]
fn a_branch_that_says_no_leaves_it_to_the_others() {
    // Before the answer, which is that of the other branch.
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    let mut no = Notifier::of(&subscribe, "pa1");
    let mut yes = Notifier::of(&subscribe, "pa2");
    let refusal = no.notify("terminated;reason=noresource");
    assert_eq!(phone.notify(&refusal).status(), 200);
    // With it the branch is through.
    for again in [refusal, no.notify("active")] {
        assert_eq!(phone.notify(&again).status(), 481);
    }
    assert!(phone.accept(&subscribe, "pa2", 3600).nothing());
    let told = yes.tell("active;expires=3600", &document("open", "two"));
    assert_eq!(phone.notify(&told).status(), 200);
    assert_eq!(phone.note(key).as_deref(), Some("two"));
    // After it.
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    phone.accept(&subscribe, "pa2", 3600);
    let mut no = Notifier::of(&subscribe, "pa1");
    let refusal = no.notify("terminated;reason=noresource");
    assert!(phone.notify(&refusal).requests.is_empty());
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Trying);
    // Nobody else comes: then it was the last word.
    let taken = phone.pass_until_something(SECOND * 33);
    assert_eq!(taken.end().1, None);
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
    // It is its own answer.
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    let mut no = Notifier::of(&subscribe, "pa1");
    phone.notify(&no.notify("terminated;reason=rejected"));
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Trying);
    assert_eq!(phone.accept(&subscribe, "pa1", 3600).end().1, None);
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
}

// SUB-14 SUB-16
#[test]
fn an_answer_grants_what_it_says_up_to_what_was_asked_for() {
    for (granted, earliest, latest) in [
        (Some("300"), 200, 301),
        (Some("4294967295"), 3000, 3600),
        (None, 3000, 3600),
        (Some("soon"), 3000, 3600),
    ] {
        let mut phone = Phone::new();
        let (_, subscribe) = phone.watch();
        let mut fields = vec![("To", "<sip:bob@example.org>;tag=pa1")];
        fields.extend(granted.map(|granted| ("Expires", granted)));
        phone.answer(&subscribe, 200, &fields);
        let mut notifier = Notifier::of(&subscribe, "pa1");
        phone.notify(&notifier.notify("active"));
        let begin = phone.now;
        assert_eq!(phone.pass_until_something(SECOND * 3600).requests.len(), 1);
        let after = phone.now.saturating_since(begin).as_secs();
        assert!(after >= earliest && after <= latest, "{granted:?}: {after}");
    }
}

// SUB-42
#[test]
fn an_unknown_state_keeps_the_subscription() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let taken = phone.notify(&notifier.notify("resting;expires=3600"));
    assert_eq!(taken.status(), 200);
    let state = NotifiedState::Other;
    assert_eq!(taken.events, [WatcherEvent::State { key, state }]);
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Held(state));
    assert_eq!(phone.pass_until_something(SECOND * 3600).requests.len(), 1);
}

// SUB-30
#[test]
fn bodies_that_nobody_asked_for_are_refused_and_the_state_is_heard() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let types = [
        "text/plain",
        "multipart/related;type=\"application/rlmi+xml\";boundary=b",
        "application/pidf-diff+xml",
        "application/pidf+xml;",
        "",
    ];
    for written in types {
        let notify = notifier
            .tell("pending", "anything")
            .with("Content-Type", written);
        let taken = phone.notify(&notify);
        assert_eq!(taken.status(), 415, "{written}");
        let accept = "application/pidf+xml, application/cpim-pidf+xml";
        let fields: Vec<_> = taken.responses[0].fields().collect();
        assert_eq!(fields, [("Accept", accept)]);
        let body = RefusedBody::Type(written.to_owned());
        assert!(
            taken
                .events
                .contains(&WatcherEvent::BodyRefused { key, body })
        );
        assert_eq!(
            phone.phase(key),
            OwnSubscriptionPhase::Held(NotifiedState::Pending)
        );
        phone.notify(&notifier.notify("active"));
    }
    let coded = notifier
        .tell("active", &document("open", "zipped"))
        .with("Content-Encoding", "gzip");
    let taken = phone.notify(&coded);
    assert_eq!(taken.status(), 415);
    let fields: Vec<_> = taken.responses[0].fields().collect();
    assert_eq!(fields, [(HeaderName::AcceptEncoding.as_str(), "identity")]);
    let long = "x".repeat(1_048_577);
    assert_eq!(phone.notify(&notifier.tell("active", &long)).status(), 413);
    // The types of documents compare without case, and parameters do not matter.
    let shouted = notifier
        .tell("active", &document("open", "shouted"))
        .with("Content-Type", "Application/PIDF+xml;charset=\"UTF-8\"");
    assert_eq!(phone.notify(&shouted).status(), 200);
    assert_eq!(phone.note(key).as_deref(), Some("shouted"));
}

// SUB-12 SUB-28
#[test]
fn a_notify_whose_body_is_refused_is_one_that_came() {
    // Timer N waits for the receipt of a NOTIFY, whatever the answer (RFC 6665 sections 4.1.2.2 and
    // 4.1.2.4), and a dialog begins when its transaction is complete, not when it went well (section
    // 4.4.1). None of the statuses that a body is answered by lets the notifier drop its subscription
    // (section 4.2.2): if this side did, it would leave one behind every 32 s.
    let foreign = |notify: Message| notify.with("Content-Type", "text/plain");
    let zipped = |notify: Message| notify.with("Content-Encoding", "gzip");
    let long = |notify: Message| notify.with_body(&"x".repeat(1_048_577));
    let refusals: [(&dyn Fn(Message) -> Message, u16); 3] =
        [(&foreign, 415), (&zipped, 415), (&long, 413)];
    for (refused, status) in refusals {
        let mut phone = Phone::new();
        let (key, subscribe) = phone.watch();
        let mut notifier = Notifier::of(&subscribe, "pa1");
        assert!(phone.accept(&subscribe, "pa1", 3600).nothing());
        let first = refused(notifier.tell("active;expires=3600", "anything"));
        assert_eq!(phone.notify(&first).status(), status);
        let held = OwnSubscriptionPhase::Held(NotifiedState::Active);
        assert_eq!(phone.phase(key), held);
        assert!(phone.pass(SECOND * 40).nothing());
        assert_eq!(phone.phase(key), held);
        let mut other = Notifier::of(&subscribe, "pa2");
        assert_eq!(phone.notify(&other.notify("active")).status(), 481);
        let next = notifier.tell("active;expires=3500", &document("open", "at last"));
        assert_eq!(phone.notify(&next).status(), 200);
        assert_eq!(phone.note(key).as_deref(), Some("at last"));

        // So it is with what follows a refresh.
        let refresh = phone.pass_until_something(SECOND * 3600).request().clone();
        assert!(phone.accept(&refresh, "pa1", 3600).nothing());
        let next = refused(notifier.tell("active;expires=3600", "anything"));
        assert_eq!(phone.notify(&next).status(), status);
        assert!(phone.pass(SECOND * 40).nothing());
        assert_eq!(phone.phase(key), held);
    }
}

// SUB-12 SUB-28 SUB-51
#[test]
fn a_notify_that_is_not_understood_is_none_that_came() {
    // What it says of the subscription is not known, or is older than the refresh.
    let refusals: [(&dyn Fn(Message) -> Message, u16); 3] = [
        (&|notify| notify.without("Subscription-State"), 400),
        (&|notify| notify.with("Require", "eventlist"), 420),
        (&|notify| notify.with("CSeq", "1 NOTIFY"), 500),
    ];
    for (refused, status) in refusals {
        let mut phone = Phone::new();
        let (key, mut notifier) = phone.watching();
        let refresh = phone.pass_until_something(SECOND * 3600).request().clone();
        assert!(phone.accept(&refresh, "pa1", 3600).nothing());
        let next = refused(notifier.notify("active;expires=3600"));
        assert_eq!(phone.notify(&next).status(), status);
        let taken = phone.pass_until_something(SECOND * 33);
        assert_eq!(taken.end().0, SubscriptionEnd::Silent, "{status}");
        if status == 500 {
            continue;
        }

        // It makes no dialog either.
        let subscribe = taken.request().clone();
        let mut notifier = Notifier::of(&subscribe, "pa2");
        assert!(phone.accept(&subscribe, "pa2", 3600).nothing());
        let first = refused(notifier.notify("active;expires=3600"));
        assert_eq!(phone.notify(&first).status(), status);
        assert_eq!(phone.phase(key), OwnSubscriptionPhase::Trying);
        let taken = phone.pass_until_something(SECOND * 33);
        assert_eq!(taken.failure().0, SubscribeFailure::Silent, "{status}");
    }
}

#[test]
fn other_methods_are_answered() {
    let mut phone = Phone::new();
    let (_, mut notifier) = phone.watching();
    let mut of = |method: &str| {
        let mut message = notifier.notify("active");
        method.clone_into(&mut message.method);
        message.with("CSeq", &format!("77 {method}"))
    };
    assert_eq!(phone.notify(&of("CANCEL")).status(), 200);
    assert_eq!(phone.notify(&of("BYE")).status(), 481);
    assert!(phone.notify(&of("ACK")).nothing());
    let outside = of("OPTIONS").with("To", "<sip:ana@example.com>");
    let taken = phone.notify(&outside);
    assert_eq!(taken.status(), 405);
    assert_eq!(
        taken.responses[0].fields().next(),
        Some(("Allow", "NOTIFY"))
    );
    assert!(taken.responses[0].to_tag().is_some());
}
