//! What follows from each answer to a SUBSCRIBE.

use std::collections::BTreeSet;
use std::time::Duration;

use presentity::event::{Failure, OwnSubscriptionPhase, SubscribeFailure, SubscriptionEnd};
use presentity::presence::WatcherEvent;

use crate::common::field;
use crate::phone::{BOB, Notifier, Phone, document};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DIGEST: [(&str, &str); 1] = [("WWW-Authenticate", "Digest realm=\"x\", nonce=\"1\"")];
const BY_PROXY: [(&str, &str); 1] = [("Proxy-Authenticate", "Digest realm=\"p\", nonce=\"1\"")];

// SUB-15
#[test]
fn every_success_is_one() {
    for status in [200, 202, 299] {
        let mut phone = Phone::new();
        let (key, subscribe) = phone.watch();
        assert!(
            phone
                .answer(&subscribe, status, &[("Expires", "600")])
                .nothing()
        );
        let mut notifier = Notifier::of(&subscribe, "pa1");
        phone.notify(&notifier.tell("pending;expires=600", &document("open", "x")));
        assert_eq!(phone.note(key).as_deref(), Some("x"), "{status}");
    }
}

// SUB-18 SUB-55
#[test]
fn challenges_are_answered_and_the_request_repeated() {
    let mut phone = Phone::new();
    let (key, first) = phone.watch();
    let by_proxy = phone.answer(&first, 407, &BY_PROXY);
    let wish = &by_proxy.wishes[0];
    assert_eq!(
        (wish.status(), wish.method(), wish.uri()),
        (407, "SUBSCRIBE", BOB)
    );
    assert_eq!(wish.from(), crate::phone::ANA);
    // While the application thinks no timer gives up.
    assert!(phone.pass(SECOND * 40).nothing());
    let transaction = wish.transaction();
    assert!(
        phone
            .watcher
            .provide_credentials(phone.now, transaction, "Digest a")
    );
    let second = phone.take().request().clone();
    assert_eq!(field(&second, "CSeq"), Some("2 SUBSCRIBE"));
    for name in ["Call-ID", "From", "To"] {
        assert_eq!(field(&second, name), field(&first, name));
    }
    assert_eq!(field(&second, "Proxy-Authorization"), Some("Digest a"));
    let by_server = phone.answer(&second, 401, &DIGEST);
    let transaction = by_server.wishes[0].transaction();
    assert!(
        phone
            .watcher
            .provide_credentials(phone.now, transaction, "Digest b")
    );
    let third = phone.take().request().clone();
    assert_eq!(field(&third, "Proxy-Authorization"), Some("Digest a"));
    assert_eq!(field(&third, "Authorization"), Some("Digest b"));
    // Not twice.
    assert!(
        !phone
            .watcher
            .provide_credentials(phone.now, transaction, "Digest b")
    );
    let mut notifier = Notifier::of(&third, "pa1");
    phone.notify(&notifier.notify("active;expires=600"));
    phone.accept(&third, "pa1", 600);

    // A refresh may be challenged as well.
    let refresh = phone.pass_until_something(HOUR).request().clone();
    assert_eq!(field(&refresh, "CSeq"), Some("4 SUBSCRIBE"));
    assert_eq!(field(&refresh, "Authorization"), None);
    let taken = phone.answer(&refresh, 401, &DIGEST);
    let transaction = taken.wishes[0].transaction();
    assert!(phone.pass(SECOND * 40).nothing());
    assert!(
        phone
            .watcher
            .provide_credentials(phone.now, transaction, "Digest c")
    );
    let repeated = phone.take().request().clone();
    assert_eq!(field(&repeated, "CSeq"), Some("5 SUBSCRIBE"));
    assert_eq!(field(&repeated, "Authorization"), Some("Digest c"));
    assert_eq!(repeated.uri(), notifier.contact);
    phone.accept(&repeated, "pa1", 600);
    assert!(matches!(phone.phase(key), OwnSubscriptionPhase::Held(_)));
}

// SUB-18
#[test]
fn without_credentials_it_stays_refused() {
    let mut phone = Phone::new();
    let (key, first) = phone.watch();
    let wish = phone.answer(&first, 401, &DIGEST).wishes[0].transaction();
    assert!(
        !phone
            .watcher
            .provide_credentials(phone.now, wish, "a\r\nb: c")
    );
    assert!(phone.watcher.decline_credentials(phone.now, wish));
    let taken = phone.take();
    assert_eq!(
        taken.failure(),
        (SubscribeFailure::Refused { status: 401 }, false, None)
    );
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
    assert!(phone.pass(HOUR * 48).nothing());
    // When the user has another password.
    assert!(phone.watcher.renew(phone.now, key));
    let again = phone.take().request().clone();
    assert_ne!(field(&again, "Call-ID"), field(&first, "Call-ID"));
    // Nobody answers: it counts as declined.
    phone.answer(&again, 401, &DIGEST);
    let taken = phone.pass_until_something(HOUR);
    assert_eq!(taken.failure().0, SubscribeFailure::Refused { status: 401 });

    // The same credentials are refused again and again: it ends.
    let mut phone = Phone::new();
    let (key, mut request) = phone.watch();
    let mut asked = 0;
    loop {
        let taken = phone.answer(&request, 401, &DIGEST);
        let Some(wish) = taken.wishes.first() else {
            break;
        };
        asked += 1;
        assert!(asked < 5);
        assert!(
            phone
                .watcher
                .provide_credentials(phone.now, wish.transaction(), "Digest x")
        );
        request = phone.take().request().clone();
    }
    assert_eq!(asked, 2);
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
}

// SUB-19
#[test]
fn a_longer_time_is_asked_for_where_the_server_wants_it() {
    let mut phone = Phone::new();
    let (key, first) = phone.watch();
    let taken = phone.answer(&first, 423, &[("Min-Expires", "7200")]);
    let second = taken.request().clone();
    assert_eq!(field(&second, "Expires"), Some("7200"));
    assert_eq!(field(&second, "CSeq"), Some("2 SUBSCRIBE"));
    // Nothing that is no more than was asked for, nothing absurd, and not for ever.
    for least in ["7200", "99999999", "soon"] {
        let mut phone = Phone::new();
        let (key, first) = phone.watch();
        let taken = phone.answer(&first, 423, &[("Min-Expires", "7200")]);
        let taken = phone.answer(taken.request(), 423, &[("Min-Expires", least)]);
        assert!(taken.requests.is_empty(), "{least}");
        assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
    }
    let mut request = second;
    for least in 7201..7210_u32 {
        let least = least.to_string();
        let taken = phone.answer(&request, 423, &[("Min-Expires", &least)]);
        match taken.requests.first() {
            Some(next) => request = next.clone(),
            None => {
                assert_eq!(phone.phase(key), OwnSubscriptionPhase::Refused);
                return;
            }
        }
    }
    panic!("asked for ever");
}

// SUB-17 SUB-22
#[test]
fn every_status_settles() {
    let patient: BTreeSet<u16> = [408, 480, 486, 491, 500, 502, 503, 504, 600].into();
    for status in 300..=699_u16 {
        let mut phone = Phone::new();
        let (key, subscribe) = phone.watch();
        let taken = phone.answer(&subscribe, status, &[]);
        let (failure, is_refresh, retry_in) = taken.failure();
        assert_eq!(failure, SubscribeFailure::Refused { status });
        assert!(!is_refresh && taken.requests.is_empty());
        assert_eq!(retry_in.is_some(), patient.contains(&status), "{status}");
        // No NOTIFY is believed after it.
        let mut late = Notifier::of(&subscribe, "pa1");
        assert_eq!(
            phone.notify(&late.notify("active;expires=60")).status(),
            481
        );
        let mut sent = 0;
        let end = phone.now + HOUR;
        while phone.now < end {
            for request in phone.pass_until_something(SECOND * 600).requests {
                sent += 1;
                phone.answer(&request, status, &[]);
            }
        }
        assert_eq!(sent > 0, patient.contains(&status), "{status}");
        assert!(sent <= 14, "{status}: {sent}");
        phone.watcher.end(phone.now, key).unwrap();
        // A proxy that got no answer does not know what has become of it.
        let known = !matches!(status, 408 | 504);
        assert_eq!(phone.take().over(), Some(known), "{status}");
        assert!(phone.is_empty());
    }
}

#[test]
fn what_is_not_answered_or_not_sent_is_tried_again() {
    for (failure, told) in [
        (Failure::Timeout, SubscribeFailure::Timeout),
        (Failure::Transport, SubscribeFailure::Transport),
    ] {
        let mut phone = Phone::new();
        let (key, mut request) = phone.watch();
        let mut before = Duration::ZERO;
        for turn in 0..12 {
            let taken = phone.fail(&request, failure);
            let (why, _, retry_in) = taken.failure();
            assert_eq!(why, told);
            let wait = retry_in.unwrap();
            assert!(wait >= SECOND * 7 && wait <= SECOND * 1800, "{wait:?}");
            assert!(turn > 6 || wait > before, "{turn}: {wait:?}");
            before = wait;
            request = phone.pass_until_something(HOUR).request().clone();
        }
        // A success ends the row.
        let mut notifier = Notifier::of(&request, "pa1");
        phone.notify(&notifier.notify("active;expires=600"));
        assert!(matches!(phone.phase(key), OwnSubscriptionPhase::Held(_)));
        // Late, it says nothing any more.
        assert!(phone.fail(&request, failure).nothing());
        assert!(matches!(phone.phase(key), OwnSubscriptionPhase::Held(_)));
    }
}

#[test]
fn what_the_host_forgot_counts_as_failed() {
    let mut phone = Phone::of_subscriber(|config| config.timer_n = SECOND * 100);
    let (_, _) = phone.watch();
    let taken = phone.pass_until_something(SECOND * 70);
    assert_eq!(taken.failure().0, SubscribeFailure::Forgotten);
}

// SUB-44 SUB-45
#[test]
fn a_refresh_that_is_refused_ends_the_subscription_or_not() {
    let ends: BTreeSet<u16> = (480..=485)
        .chain([404, 405, 410, 416, 489, 501, 604])
        .collect();
    for status in 300..=699_u16 {
        let mut phone = Phone::new();
        let (key, mut notifier) = phone.watching();
        let refresh = phone.pass_until_something(HOUR).request().clone();
        let taken = phone.answer(&refresh, status, &[]);
        if ends.contains(&status) {
            assert_eq!(
                taken.end(),
                (SubscriptionEnd::Unknown { status }, Some(Duration::ZERO))
            );
            let anew = taken.request();
            assert_eq!(anew.uri(), BOB);
            assert_ne!(field(anew, "Call-ID"), field(&refresh, "Call-ID"));
            assert_ne!(field(anew, "From"), field(&refresh, "From"));
            assert!(!field(anew, "To").unwrap().contains("tag="));
            assert_eq!(phone.notify(&notifier.notify("active")).status(), 481);
            // What was known stays, though it may be out of date.
            let info = phone.watcher.presentity(key).unwrap();
            assert!(info.presence.is_some() && !info.is_current);
        } else {
            let (failure, is_refresh, retry_in) = taken.failure();
            assert_eq!(
                (failure, is_refresh),
                (SubscribeFailure::Refused { status }, true)
            );
            assert!(retry_in.is_some() && taken.requests.is_empty(), "{status}");
            assert_eq!(phone.notify(&notifier.notify("active")).status(), 200);
            // Tried again in the dialog, until its time is over; then anew.
            let again = phone.pass_until_something(HOUR).request().clone();
            assert_eq!(field(&again, "Call-ID"), field(&refresh, "Call-ID"));
            let mut last = again;
            let mut tries = 0;
            let before = phone.now;
            loop {
                let taken = phone.answer(&last, status, &[]);
                assert!(taken.requests.is_empty());
                let taken = phone.pass_until_something(HOUR);
                last = taken.request().clone();
                tries += 1;
                assert!(tries < 10);
                if field(&last, "Call-ID") != field(&refresh, "Call-ID") {
                    assert_eq!(taken.end().0, SubscriptionEnd::Expired);
                    let late = phone.now.saturating_since(before);
                    assert!(late < SECOND * 600, "{status} {late:?}");
                    break;
                }
            }
        }
    }
}

#[test]
fn a_refresh_asks_for_more_where_that_is_wanted() {
    let mut phone = Phone::new();
    let (_, _) = phone.watching();
    let refresh = phone.pass_until_something(HOUR).request().clone();
    let taken = phone.answer(&refresh, 423, &[("Min-Expires", "4000")]);
    let longer = taken.request().clone();
    assert_eq!(field(&longer, "Expires"), Some("4000"));
    assert_eq!(field(&longer, "CSeq"), Some("3 SUBSCRIBE"));
    assert_eq!(field(&longer, "Call-ID"), field(&refresh, "Call-ID"));
}

// SUB-21
#[test]
fn who_is_busy_is_not_asked_until_then() {
    let mut phone = Phone::new();
    let (_, held) = phone.watching();
    drop(held);
    let (key, subscribe) = phone.watch();
    let taken = phone.answer(&subscribe, 503, &[("Retry-After", "120 (maintenance)")]);
    let (_, _, retry_in) = taken.failure();
    assert_eq!(retry_in, Some(SECOND * 120));
    // Another one to the same next hop waits as well, and is not dropped.
    let account = crate::phone::account();
    let other = presentity::presence::WatchOrder::new(&account, "sip:eve@example.org");
    let other = phone.watcher.watch(phone.now, other).unwrap();
    let taken = phone.take();
    assert!(taken.requests.is_empty());
    let [
        WatcherEvent::Delayed {
            key: told,
            retry_in,
        },
    ] = taken.events[..]
    else {
        panic!("{taken:?}");
    };
    assert!(told == other && retry_in >= SECOND * 120 && retry_in <= SECOND * 132);
    assert_eq!(phone.phase(other), OwnSubscriptionPhase::Waiting);
    let info = phone.watcher.presentity(other).unwrap().subscription;
    assert_eq!(info.retry_at, Some(phone.now + retry_in));
    // An impatient application changes nothing about that.
    assert!(phone.watcher.renew(phone.now, key));
    assert!(phone.take().nothing());
    assert!(phone.pass(SECOND * 119).nothing());
    let mut sent = phone.pass(SECOND * 1).requests;
    sent.extend(phone.pass(SECOND * 12).requests);
    let mut uris: Vec<_> = sent.iter().map(|request| request.uri()).collect();
    uris.sort_unstable();
    assert_eq!(uris, [BOB, "sip:eve@example.org"]);
}

// SUB-21
#[test]
fn a_refresh_heeds_a_busy_server_too() {
    let mut phone = Phone::new();
    let (_, _) = phone.watching();
    let refresh = phone.pass_until_something(HOUR).request().clone();
    let taken = phone.answer(&refresh, 503, &[("Retry-After", "90")]);
    assert_eq!(taken.failure().2, Some(SECOND * 90));
    assert!(phone.pass(SECOND * 89).nothing());
    let again = phone.pass(SECOND * 12).request().clone();
    assert_eq!(field(&again, "Call-ID"), field(&refresh, "Call-ID"));
}

// SUB-46
#[test]
fn an_end_is_an_end_whatever_is_answered() {
    for status in [200, 400, 403, 408, 423, 481, 500, 503] {
        let mut phone = Phone::new();
        let (key, _) = phone.watching();
        phone.watcher.end(phone.now, key).unwrap();
        phone.watcher.end(phone.now, key).unwrap();
        let leave = phone.take().request().clone();
        let mut taken = phone.answer(&leave, status, &[("Retry-After", "9")]);
        if status == 200 {
            assert_eq!(taken.over(), None);
            // The last NOTIFY never comes.
            taken = phone.pass_until_something(HOUR);
        }
        let expected = (status == 481).then_some(true).or(Some(false));
        assert_eq!(taken.over(), expected, "{status}");
        assert!(phone.is_empty(), "{status} {:?}", phone.watcher.occupancy());
        assert!(phone.watcher.end(phone.now, key).is_err());
    }
}

// SUB-46 SUB-57
#[test]
fn an_end_waits_for_what_is_under_way() {
    // The SUBSCRIBE is not answered yet: it cannot be cancelled (RFC 6665 section 4.6).
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    phone.watcher.end(phone.now, key).unwrap();
    assert!(phone.take().nothing());
    assert!(phone.accept(&subscribe, "pa1", 3600).nothing());
    let mut notifier = Notifier::of(&subscribe, "pa1");
    let taken = phone.notify(&notifier.notify("active;expires=3600"));
    let leave = taken.request().clone();
    assert_eq!(field(&leave, "Expires"), Some("0"));
    assert_eq!(taken.status(), 200);
    // Another NOTIFY crosses it, with a document that still counts.
    let taken = phone.notify(&notifier.tell("active", &document("open", "crossing")));
    assert!(taken.requests.is_empty());
    phone.accept(&leave, "pa1", 0);
    let last = notifier.tell("terminated;reason=timeout", &document("open", "last"));
    let taken = phone.notify(&last);
    assert_eq!(taken.over(), Some(true));
    assert_eq!(
        taken.change(),
        Some((Some("crossing".into()), Some("last".into())))
    );
    assert!(phone.is_empty());

    // A refresh is open.
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let refresh = phone.pass_until_something(HOUR).request().clone();
    phone.watcher.end(phone.now, key).unwrap();
    assert!(phone.take().nothing());
    let leave = phone.accept(&refresh, "pa1", 3600).request().clone();
    assert_eq!(field(&leave, "Expires"), Some("0"));
    phone.accept(&leave, "pa1", 0);
    assert_eq!(
        phone.notify(&notifier.notify("terminated")).over(),
        Some(true)
    );

    // It was refused meanwhile, or never answered: there is nothing to end.
    for status in [401, 403, 503] {
        let mut phone = Phone::new();
        let (key, subscribe) = phone.watch();
        phone.watcher.end(phone.now, key).unwrap();
        assert_eq!(phone.answer(&subscribe, status, &DIGEST).over(), Some(true));
        assert!(phone.is_empty());
    }
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    phone.watcher.end(phone.now, key).unwrap();
    assert_eq!(phone.pass_until_something(HOUR).over(), Some(false));
    assert!(phone.fail(&subscribe, Failure::Timeout).nothing());
    assert!(phone.is_empty());
}

// SUB-47
#[test]
fn a_fetch_asks_once() {
    let mut phone = Phone::new();
    let (key, fetch) = phone.fetch();
    assert_eq!(field(&fetch, "Expires"), Some("0"));
    assert!(phone.accept(&fetch, "pa1", 0).nothing());
    let mut notifier = Notifier::of(&fetch, "pa1");
    let told = notifier.tell("terminated;reason=timeout", &document("open", "once"));
    let taken = phone.notify(&told);
    assert_eq!(taken.change(), Some((None, Some("once".into()))));
    assert_eq!((taken.over(), taken.requests.len()), (Some(true), 0));
    assert!(phone.is_empty());
    assert!(phone.watcher.presentity(key).is_none());

    // Some call it active.
    let (_, fetch) = phone.fetch();
    let mut notifier = Notifier::of(&fetch, "pa1");
    let taken = phone.notify(&notifier.tell("active;expires=0", &document("open", "x")));
    assert_eq!((taken.over(), taken.requests.len()), (Some(true), 0));
    assert!(phone.accept(&fetch, "pa1", 0).nothing());
    assert!(phone.is_empty());

    // Failing, it is over.
    let (_, fetch) = phone.fetch();
    let taken = phone.answer(&fetch, 500, &[]);
    assert_eq!(taken.failure().2, None);
    assert_eq!(taken.over(), Some(false));
    let (_, fetch) = phone.fetch();
    phone.accept(&fetch, "pa1", 0);
    assert_eq!(phone.pass_until_something(HOUR).over(), Some(false));
    assert!(phone.is_empty());

    // Challenged, it is repeated.
    let (_, fetch) = phone.fetch();
    let wish = phone.answer(&fetch, 401, &DIGEST).wishes[0].transaction();
    assert!(
        phone
            .watcher
            .provide_credentials(phone.now, wish, "Digest x")
    );
    assert_eq!(field(phone.take().request(), "Expires"), Some("0"));
}

// SUB-48
#[test]
fn the_state_is_asked_for_within_a_subscription() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    phone.pass(SECOND * 1_000);
    assert!(phone.watcher.request_state(phone.now, key));
    assert!(phone.watcher.request_state(phone.now, key));
    let request = phone.take().request().clone();
    assert_eq!(field(&request, "Expires"), Some("2600"));
    assert_eq!(request.uri(), notifier.contact);
    phone.accept(&request, "pa1", 2600);
    phone.notify(&notifier.tell("active;expires=2600", &document("open", "again")));
    assert_eq!(phone.note(key).as_deref(), Some("again"));
    assert_eq!(phone.watcher.occupancy(), [1, 1, 1, 0, 1, 0, 0, 1]);
}

#[test]
fn stray_and_provisional_answers_have_no_effect() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    assert!(phone.answer(&subscribe, 100, &[]).nothing());
    assert!(phone.answer(&subscribe, 183, &[]).nothing());
    phone.accept(&subscribe, "pa1", 600);
    for status in [200, 403, 481] {
        assert!(phone.answer(&subscribe, status, &[]).nothing());
    }
    assert_eq!(phone.watcher.stray_outcomes(), 3);
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Trying);
}

// SUB-17
#[test]
fn what_a_notifier_says_counts_more_than_a_late_refusal() {
    for status in [401, 403, 408, 481, 500, 503] {
        let mut phone = Phone::new();
        let (key, subscribe) = phone.watch();
        let mut notifier = Notifier::of(&subscribe, "pa1");
        phone.notify(&notifier.tell("active;expires=600", &document("open", "here")));
        assert!(
            phone.answer(&subscribe, status, &DIGEST).nothing(),
            "{status}"
        );
        assert!(matches!(phone.phase(key), OwnSubscriptionPhase::Held(_)));
        assert_eq!(phone.notify(&notifier.notify("active")).status(), 200);
    }
}

// SUB-21
#[test]
fn those_behind_a_busy_proxy_wait_and_do_not_come_back_together() {
    let mut phone = Phone::new();
    let account = crate::phone::account()
        .with_route("sip:proxy.example.com;lr")
        .unwrap();
    let watch = |phone: &mut Phone, uri: &str| {
        let order = presentity::presence::WatchOrder::new(&account, uri);
        phone.watcher.watch(phone.now, order).unwrap();
        phone.take()
    };
    let first = watch(&mut phone, BOB).request().clone();
    phone.answer(&first, 503, &[("Retry-After", "100")]);
    for number in 0..20 {
        // Of another domain, but by the same way.
        let uri = format!("sip:eve{number}@example.net");
        assert!(watch(&mut phone, &uri).requests.is_empty());
    }
    assert!(phone.pass(SECOND * 99).nothing());
    let at_once = phone.pass(SECOND + SECOND / 10).requests.len();
    assert!(at_once < 10, "{at_once}");
    let later = phone.pass(SECOND * 15).requests.len();
    assert_eq!(at_once + later, 21);

    // A dialog's next hop counts likewise.
    let mut phone = Phone::new();
    let (_, notifier) = phone.watching();
    let refresh = phone.pass_until_something(HOUR).request().clone();
    phone.answer(&refresh, 503, &[("Retry-After", "90")]);
    let account = crate::phone::account();
    let order = presentity::presence::WatchOrder::new(&account, &notifier.contact);
    phone.watcher.watch(phone.now, order).unwrap();
    assert!(phone.take().requests.is_empty());
}

#[test]
fn who_asked_to_wait_is_not_asked_sooner() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    phone.answer(&subscribe, 500, &[("Retry-After", "100")]);
    assert!(phone.watcher.renew(phone.now, key));
    assert!(phone.take().nothing());
    // Whom it was to spare may be asked when the user wants it.
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    phone.answer(&subscribe, 500, &[]);
    assert!(phone.watcher.renew(phone.now, key));
    assert_eq!(phone.take().requests.len(), 1);
}

// SUB-46
#[test]
fn an_end_that_is_never_confirmed_ends_by_timer_n() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    phone.watcher.end(phone.now, key).unwrap();
    let leave = phone.take().request().clone();
    phone.accept(&leave, "pa1", 0);
    // A NOTIFY that crossed it is not the last one, and nothing begins anew.
    phone.notify(&notifier.notify("active;expires=3600"));
    let begin = phone.now;
    assert_eq!(phone.pass_until_something(HOUR).over(), Some(false));
    let after = phone.now.saturating_since(begin);
    assert!(after > SECOND * 30 && after < SECOND * 40, "{after:?}");
    assert!(phone.is_empty());
}
