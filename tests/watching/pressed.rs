//! Servers that press, applications that are in a hurry, and calls that cross what is under way.

use std::time::Duration;

use presentity::event::{
    Account, Failure, OwnSubscriptionKey, OwnSubscriptionPhase, SrvRecord, SubscribeError,
    SubscribeFailure, SubscriptionEnd,
};
use presentity::presence::{WatchOrder, WatcherEvent};

use crate::common::field;
use crate::phone::{ANA, Notifier, Phone, account, document};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DIGEST: [(&str, &str); 1] = [("WWW-Authenticate", "Digest realm=\"x\", nonce=\"1\"")];

/// Requests of an hour at a server that grants so little.
fn asked_in_an_hour(granted: u32) -> u32 {
    let mut phone = Phone::new();
    let (_, first) = phone.watch();
    let begin = phone.now;
    let (mut open, mut sent) = (vec![first], 0);
    let mut notifier = None;
    while phone.now.saturating_since(begin) < HOUR {
        while let Some(request) = open.pop() {
            sent += 1;
            let is_new = !field(&request, "To").unwrap().contains("tag=");
            if is_new {
                notifier = Some(Notifier::of(&request, "pa"));
            }
            phone.accept(&request, "pa", granted);
            let state = format!("active;expires={granted}");
            open.extend(
                phone
                    .notify(&notifier.as_mut().unwrap().notify(&state))
                    .requests,
            );
        }
        open.extend(phone.pass_until_something(SECOND * 600).requests);
    }
    sent
}

#[test]
fn what_is_granted_for_moments_is_not_renewed_every_moment() {
    for granted in [0, 1, 2] {
        let sent = asked_in_an_hour(granted);
        assert!(sent > 2 && sent < 30, "{granted}: {sent}");
    }
    // Ten seconds are what the server wants.
    let sent = asked_in_an_hour(10);
    assert!(sent > 300 && sent <= 721, "{sent}");
    // A notifier alone cannot drive it either.
    let mut phone = Phone::new();
    let (_, mut notifier) = phone.watching();
    let mut sent = 0;
    for _ in 0..1_000 {
        sent += phone
            .notify(&notifier.notify("active;expires=1"))
            .requests
            .len();
        sent += phone.pass(SECOND / 2).requests.len();
    }
    assert!(sent < 5, "{sent}");
}

#[test]
fn a_redirection_leads_to_some_places_and_no_more() {
    let mut phone = Phone::new();
    let (_, first) = phone.watch();
    let begin = phone.now;
    let (mut open, mut sent) = (vec![first], 0_u32);
    while phone.now.saturating_since(begin) < HOUR {
        while let Some(request) = open.pop() {
            sent += 1;
            let contacts: Vec<_> = (0..16)
                .map(|number| format!("<sip:b@x{sent}-{number}.example.net>"))
                .collect();
            let fields = [("Contact", &*contacts.join(", ")), ("Retry-After", "1")];
            let status = if sent % 3 == 0 { 302 } else { 480 };
            open.extend(phone.answer(&request, status, &fields).requests);
        }
        open.extend(phone.pass_until_something(SECOND * 600).requests);
    }
    assert!(sent < 150, "{sent}");
}

// SUB-02
#[test]
fn another_account_finds_the_way_of_a_pres_uri_again() {
    let pres = "pres:bob@example.org";
    let record = SrvRecord {
        priority: 1,
        weight: 0,
        port: 5070,
        target: "a.example.net".into(),
    };
    let moved = Account::new(ANA).unwrap();
    let moved = moved.with_contact("sip:ana@192.0.2.99").unwrap();
    let mut phone = Phone::new();
    let account = account();
    let key = phone
        .watcher
        .watch(phone.now, WatchOrder::new(&account, pres))
        .unwrap();
    phone.take();
    phone
        .watcher
        .provide_targets(phone.now, key, std::slice::from_ref(&record));
    // It has not left yet.
    phone.watcher.set_account(phone.now, key, &moved).unwrap();
    let taken = phone.take();
    assert_eq!((taken.requests.len(), taken.resolve.len()), (0, 1));
    phone
        .watcher
        .provide_targets(phone.now, key, std::slice::from_ref(&record));
    let request = phone.take().request().clone();
    assert_eq!(request.next_hop(), "sip:a.example.net:5070");
    // It has, and is challenged.
    let wish = phone.answer(&request, 401, &DIGEST).wishes[0].transaction();
    phone.watcher.set_account(phone.now, key, &account).unwrap();
    assert!(
        phone
            .watcher
            .provide_credentials(phone.now, wish, "Digest x")
    );
    let request = phone.take().request().clone();
    assert_eq!(request.next_hop(), "sip:a.example.net:5070");
    assert_eq!(field(&request, "Contact"), Some("<sip:ana@192.0.2.7>"));
}

#[test]
fn a_new_address_is_told_even_if_the_first_answer_is_not_there_yet() {
    let moved = Account::new(ANA).unwrap();
    let moved = moved.with_contact("sip:ana@192.0.2.99").unwrap();
    let contact = Some("<sip:ana@192.0.2.99>");
    // The NOTIFY comes all the same.
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    phone.watcher.set_account(phone.now, key, &moved).unwrap();
    assert!(phone.take().nothing());
    let mut notifier = Notifier::of(&subscribe, "pa1");
    let taken = phone.notify(&notifier.notify("active;expires=3600"));
    // One at a time.
    assert!(taken.requests.is_empty());
    let taken = phone.accept(&subscribe, "pa1", 3600);
    assert_eq!(field(taken.request(), "Contact"), contact);
    // It cannot.
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    phone.watcher.set_account(phone.now, key, &moved).unwrap();
    let taken = phone.accept(&subscribe, "pa1", 3600);
    let anew = taken.request();
    assert_eq!(field(anew, "Contact"), contact);
    assert_ne!(field(anew, "Call-ID"), field(&subscribe, "Call-ID"));
}

// SUB-46
#[test]
fn what_is_to_be_ended_is_not_asked_for_elsewhere() {
    let detours: [(u16, [(&str, &str); 1]); 4] = [
        (302, [("Contact", "<sip:b@x.example.net>")]),
        (423, [("Min-Expires", "7200")]),
        (503, [("Retry-After", "80000")]),
        (401, DIGEST),
    ];
    for (status, fields) in detours {
        let mut phone = Phone::new();
        let (key, subscribe) = phone.watch();
        phone.watcher.end(phone.now, key).unwrap();
        let taken = phone.answer(&subscribe, status, &fields);
        assert_eq!(
            (taken.requests.len(), taken.over()),
            (0, Some(true)),
            "{status}"
        );
        assert!(phone.is_empty());
    }
    // Its server is heard all the same.
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    phone.watcher.end(phone.now, key).unwrap();
    phone.answer(&subscribe, 503, &[("Retry-After", "300")]);
    let account = account();
    let order = WatchOrder::new(&account, crate::phone::BOB);
    phone.watcher.watch(phone.now, order).unwrap();
    assert!(phone.take().requests.is_empty());
    // And if the attempt was given up by then.
    let mut phone = Phone::new();
    let (_, subscribe) = phone.watch();
    phone.pass(SECOND * 33);
    phone.answer(&subscribe, 503, &[("Retry-After", "300")]);
    assert!(phone.pass(SECOND * 60).requests.is_empty());
    // One that is being ended is left alone.
    let mut phone = Phone::new();
    let (key, _) = phone.watching();
    phone.watcher.end(phone.now, key).unwrap();
    assert_eq!(phone.take().requests.len(), 1);
    assert!(!phone.watcher.request_state(phone.now, key));
    let refused = phone.watcher.set_account(phone.now, key, &account);
    assert_eq!(refused, Err(SubscribeError::Unknown));
    assert!(phone.take().nothing());
}

#[test]
fn whether_a_notifier_may_have_it_yet_does_not_depend_on_when_it_was_ended() {
    let over = |first: fn(&mut Phone, OwnSubscriptionKey),
                second: fn(&mut Phone, OwnSubscriptionKey)| {
        let mut phone = Phone::new();
        let (key, _) = phone.watch();
        first(&mut phone, key);
        let mut taken = phone.take();
        second(&mut phone, key);
        taken.events.extend(phone.take().events);
        taken.over()
    };
    let end: fn(&mut Phone, OwnSubscriptionKey) =
        |phone, key| phone.watcher.end(phone.now, key).unwrap();
    let time_out: fn(&mut Phone, OwnSubscriptionKey) = |phone, _| {
        phone.now = phone.now + SECOND * 33;
        phone.watcher.handle_timeout(phone.now);
    };
    assert_eq!(over(end, time_out), Some(false));
    assert_eq!(over(time_out, end), Some(false));
    // After as much time as was asked for nobody has it any more.
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    phone.fail(&subscribe, Failure::Timeout);
    let request = phone_request(&mut phone);
    let (_, _, retry_in) = phone.fail(&request, Failure::Transport).failure();
    assert!(retry_in.is_some());
    phone.now = phone.now + HOUR * 2;
    phone.watcher.end(phone.now, key).unwrap();
    assert_eq!(phone.take().over(), Some(true));
}

/// The next request that leaves.
fn phone_request(phone: &mut Phone) -> presentity::sip::OutgoingRequest {
    phone.pass_until_something(HOUR).request().clone()
}

// SUB-35 SUB-38
#[test]
fn a_wish_to_wait_is_heard_for_a_day_at_most() {
    let mut phone = Phone::new();
    let (_, mut notifier) = phone.watching();
    let state = "terminated;reason=probation;retry-after=4294967295";
    let taken = phone.notify(&notifier.notify(state));
    assert_eq!(taken.end().1, Some(HOUR * 24));
}

// SUB-12
#[test]
fn silence_is_told_apart_from_no_answer() {
    let mut phone = Phone::new();
    let (_, _) = phone.watch();
    let taken = phone.pass_until_something(SECOND * 33);
    assert_eq!(taken.failure().0, SubscribeFailure::Timeout);
    let mut phone = Phone::new();
    let (_, subscribe) = phone.watch();
    phone.accept(&subscribe, "pa1", 600);
    let taken = phone.pass_until_something(SECOND * 33);
    assert_eq!(taken.failure().0, SubscribeFailure::Silent);
}

#[test]
fn an_application_may_insist_but_for_what_a_server_asked() {
    // The own patience has become long, the server's is short.
    let mut phone = Phone::new();
    let (key, mut request) = phone.watch();
    for _ in 0..8 {
        phone.answer(&request, 500, &[("Retry-After", "2")]);
        request = phone_request(&mut phone);
    }
    phone.answer(&request, 500, &[("Retry-After", "2")]);
    assert!(phone.watcher.renew(phone.now, key));
    assert!(phone.take().requests.is_empty());
    assert_eq!(phone.pass(SECOND * 3).requests.len(), 1);
    // Refreshes that fail are tried again when the network is back.
    let mut phone = Phone::new();
    let (key, _) = phone.watching();
    assert!(phone.watcher.renew(phone.now, key));
    assert!(phone.take().nothing());
    let refresh = phone_request(&mut phone);
    phone.fail(&refresh, Failure::Transport);
    assert!(phone.watcher.renew(phone.now, key));
    assert_eq!(phone.take().requests.len(), 1);
}

// SUB-21
#[test]
fn a_busy_place_does_not_hide_the_free_ones() {
    let record = |priority, target: &str| SrvRecord {
        priority,
        weight: 0,
        port: 5070,
        target: target.into(),
    };
    let records = [record(1, "a.example.net"), record(2, "b.example.net")];
    let mut phone = Phone::new();
    let account = account();
    for user in ["bob", "eve"] {
        let uri = format!("pres:{user}@example.org");
        let order = WatchOrder::new(&account, &uri);
        let key = phone.watcher.watch(phone.now, order).unwrap();
        phone.take();
        phone.watcher.provide_targets(phone.now, key, &records);
        let mut request = phone.take().request().clone();
        if user == "bob" {
            assert_eq!(request.next_hop(), "sip:a.example.net:5070");
            let taken = phone.answer(&request, 503, &[("Retry-After", "3600")]);
            request = taken.request().clone();
        }
        assert_eq!(request.next_hop(), "sip:b.example.net:5070");
    }
    // A fetch waits for the same time, be the server known to be busy or not.
    let mut phone = Phone::new();
    let (first, request) = phone.fetch();
    let taken = phone.answer(&request, 503, &[("Retry-After", "60")]);
    assert_eq!(taken.failure().2, Some(SECOND * 60));
    let order = WatchOrder::new(&account, crate::phone::BOB);
    let second = phone.watcher.fetch(phone.now, order).unwrap();
    phone.take();
    for key in [first, second] {
        assert_eq!(phone.phase(key), OwnSubscriptionPhase::Waiting);
    }
    let mut sent = phone.pass(SECOND * 61).requests.len();
    sent += phone.pass(SECOND * 30).requests.len();
    assert_eq!(sent, 2);
}

// SUB-21
#[test]
fn dialogs_behind_a_busy_hop_do_not_come_back_together() {
    let mut phone = Phone::new();
    let mut refreshes = Vec::new();
    for _ in 0..40 {
        phone.watching();
    }
    while refreshes.len() < 40 {
        refreshes.extend(phone.pass_until_something(HOUR).requests);
    }
    for refresh in &refreshes {
        phone.answer(refresh, 503, &[("Retry-After", "300")]);
    }
    phone.pass(SECOND * 299);
    let at_once = phone.pass(SECOND * 2).requests.len();
    assert!(at_once < 20, "{at_once}");
}

// SUB-60
#[test]
fn what_is_watched_securely_stays_so() {
    let secure = Account::new(ANA).unwrap();
    let secure = secure.with_contact("sips:ana@192.0.2.7").unwrap();
    let by_proxy = |uri: &str| secure.clone().with_route(uri).unwrap();
    for uri in ["sips:bob@example.org", "SIPS:bob@example.org"] {
        let mut phone = Phone::new();
        let open = by_proxy("sip:p.example.com;lr");
        let refused = phone.watcher.watch(phone.now, WatchOrder::new(&open, uri));
        assert_eq!(refused, Err(SubscribeError::InsecureRoute));
        let closed = by_proxy("sip:p.example.com;transport=tls;lr");
        phone
            .watcher
            .watch(phone.now, WatchOrder::new(&closed, uri))
            .unwrap();
        let subscribe = phone.take().request().clone();
        let contact = [("Contact", "<sip:b@x.example.net>")];
        assert!(phone.answer(&subscribe, 302, &contact).requests.is_empty());

        let mut phone = Phone::new();
        phone
            .watcher
            .watch(phone.now, WatchOrder::new(&secure, uri))
            .unwrap();
        let subscribe = phone.take().request().clone();
        let mut notifier = Notifier::of(&subscribe, "pa1");
        let told = notifier.tell("active;expires=3600", &document("open", "x"));
        assert_eq!(phone.notify(&told).status(), 400);
        notifier.contact = "sips:pa@198.51.100.3".into();
        let told = notifier.notify("active;expires=3600");
        let led = told.clone().with("Record-Route", "<sip:p.example.org;lr>");
        assert_eq!(phone.notify(&led).status(), 400);
        let told = told.with("Record-Route", "<sips:p.example.org;lr>");
        assert_eq!(phone.notify(&told).status(), 200);
    }
}

#[test]
fn a_whole_list_behind_a_busy_hop_is_dealt_with_bit_by_bit() {
    let mut phone = Phone::new();
    let (_, subscribe) = phone.watch();
    phone.answer(&subscribe, 503, &[("Retry-After", "600")]);
    let account = account();
    for number in 0..5_000 {
        let uri = format!("sip:x{number}@example.org");
        let order = WatchOrder::new(&account, &uri);
        phone.watcher.watch(phone.now, order).unwrap();
    }
    let (mut polls, mut delayed) = (0, 0);
    loop {
        let taken = phone.take();
        polls += 1;
        delayed += taken.events.len();
        assert!(taken.requests.is_empty());
        if phone.watcher.poll_timeout() > Some(phone.now) {
            break;
        }
    }
    assert_eq!(delayed, 5_000);
    assert!(polls > 2);
}

// SUB-45
#[test]
fn an_end_is_told_before_what_follows_from_it() {
    let mut phone = Phone::new();
    let (key, _) = phone.watching();
    let refresh = phone_request(&mut phone);
    let none = bytes::Bytes::new();
    let response = presentity::sip::ResponseRef::new(481, [], &none);
    phone
        .watcher
        .handle_response(phone.now, refresh.transaction(), &response);
    let first = phone.watcher.poll_output();
    let Some(presentity::presence::WatcherOutput::Event(WatcherEvent::Ended {
        key: of, end, ..
    })) = first
    else {
        panic!("{first:?}");
    };
    assert_eq!((of, end), (key, SubscriptionEnd::Unknown { status: 481 }));
}

// SUB-46
#[test]
fn an_end_does_not_wait_for_credentials_for_ever() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    let wish = phone.answer(&subscribe, 401, &DIGEST).wishes[0].transaction();
    phone.watcher.end(phone.now, key).unwrap();
    let mut taken = phone.take();
    taken.events.extend(phone.pass(SECOND * 65).events);
    assert_eq!(taken.over(), Some(true));
    assert!(
        !phone
            .watcher
            .provide_credentials(phone.now, wish, "Digest x")
    );
    assert!(phone.is_empty());
}

// SUB-46
#[test]
fn credentials_that_a_dialog_has_overtaken_hold_nothing_up() {
    for provided in [true, false] {
        let mut phone = Phone::new();
        let (key, subscribe) = phone.watch();
        let wish = phone.answer(&subscribe, 401, &DIGEST).wishes[0].transaction();
        let mut notifier = Notifier::of(&subscribe, "pa1");
        phone.notify(&notifier.notify("active;expires=3600"));
        phone.watcher.end(phone.now, key).unwrap();
        assert!(phone.take().nothing());
        let watcher = &mut phone.watcher;
        if provided {
            // There is nothing to repeat.
            assert!(!watcher.provide_credentials(phone.now, wish, "Digest x"));
        } else {
            assert!(watcher.decline_credentials(phone.now, wish));
        }
        let leave = phone.take().request().clone();
        assert_eq!(field(&leave, "Expires"), Some("0"));
    }
}
