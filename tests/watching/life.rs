//! The life of a subscription: asked for, held, refreshed, ended.

use std::time::Duration;

use presentity::event::{NotifiedState, OwnSubscriptionPhase, SubscriptionEnd};
use presentity::presence::WatcherEvent;

use crate::common::field;
use crate::phone::{BOB, CONTACT, Notifier, Phone, document};

const SECOND: Duration = Duration::from_secs(1);

// SUB-01 SUB-06 SUB-07 SUB-08 SUB-09
#[test]
fn a_subscribe_says_what_is_wanted() {
    let mut phone = Phone::new();
    let (_, request) = phone.watch();
    assert_eq!((request.method(), request.uri()), ("SUBSCRIBE", BOB));
    assert_eq!(field(&request, "Event"), Some("presence"));
    assert_eq!(field(&request, "Expires"), Some("3600"));
    assert_eq!(field(&request, "CSeq"), Some("1 SUBSCRIBE"));
    assert_eq!(field(&request, "Contact"), Some(&*format!("<{CONTACT}>")));
    assert_eq!(field(&request, "To"), Some(&*format!("<{BOB}>")));
    let accept = field(&request, "Accept").unwrap();
    assert!(accept.starts_with("application/pidf+xml"), "{accept}");
    assert!(request.body().is_empty());
}

// SUB-11 SUB-52
#[test]
fn from_nothing_to_pending_to_active_to_the_end() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Trying);
    assert_eq!(phone.watcher.presence(key), None);
    phone.accept(&subscribe, "pa1", 3600);
    // Before the first NOTIFY nothing is known.
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Trying);
    let mut notifier = Notifier::of(&subscribe, "pa1");
    let taken = phone.notify(&notifier.notify("pending;expires=3600"));
    assert_eq!(taken.status(), 200);
    let pending = NotifiedState::Pending;
    assert_eq!(
        taken.events,
        [WatcherEvent::State {
            key,
            state: pending
        }]
    );
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Held(pending));
    assert_eq!(phone.watcher.presence(key), None);
    let taken = phone.notify(&notifier.tell("active", &document("open", "here")));
    assert_eq!(taken.change(), Some((None, Some("here".into()))));
    let active = OwnSubscriptionPhase::Held(NotifiedState::Active);
    assert_eq!(phone.phase(key), active);

    phone.watcher.end(phone.now, key).unwrap();
    let leave = phone.take().request().clone();
    assert_eq!(field(&leave, "Expires"), Some("0"));
    assert_eq!(field(&leave, "CSeq"), Some("2 SUBSCRIBE"));
    assert!(phone.accept(&leave, "pa1", 0).nothing());
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Leaving);
    let taken = phone.notify(&notifier.notify("terminated;reason=timeout"));
    assert_eq!((taken.status(), taken.over()), (200, Some(true)));
    assert!(phone.is_empty(), "{:?}", phone.watcher.occupancy());
}

// SUB-43
#[test]
fn a_thousand_refreshes_leave_one_of_everything() {
    let mut phone = Phone::new();
    let (key, mut notifier) = phone.watching();
    let begin = phone.now;
    for turn in 0..1_000_u32 {
        let taken = phone.pass_until_something(SECOND * 3600);
        let refresh = taken.request().clone();
        assert_eq!(refresh.uri(), notifier.contact);
        assert_eq!(
            field(&refresh, "CSeq"),
            Some(&*format!("{} SUBSCRIBE", turn + 2))
        );
        assert!(field(&refresh, "To").unwrap().ends_with(";tag=pa1"));
        assert_eq!(field(&refresh, "Event"), Some("presence"));
        let notify = notifier.tell("active;expires=3600", &document("open", "at my desk"));
        // Either may come first.
        if turn % 2 == 0 {
            assert!(phone.accept(&refresh, "pa1", 3600).nothing());
            assert_eq!(phone.notify(&notify).status(), 200);
        } else {
            assert_eq!(phone.notify(&notify).status(), 200);
            assert!(phone.accept(&refresh, "pa1", 3600).nothing());
        }
        assert_eq!(phone.watcher.occupancy(), [1, 1, 1, 0, 1, 0, 0, 1]);
    }
    let each = phone.now.saturating_since(begin) / 1_000;
    assert!(each > SECOND * 3060 && each < SECOND * 3240, "{each:?}");
    assert_eq!(phone.note(key).as_deref(), Some("at my desk"));
}

// SUB-12 SUB-27
#[test]
fn without_a_notify_there_is_no_subscription() {
    let mut phone = Phone::new();
    let (key, subscribe) = phone.watch();
    phone.accept(&subscribe, "pa1", 3600);
    assert!(phone.pass(SECOND * 31).nothing());
    let taken = phone.pass(SECOND * 2);
    assert_eq!(
        taken.failure().0,
        presentity::event::SubscribeFailure::Silent
    );
    assert_eq!(phone.phase(key), OwnSubscriptionPhase::Waiting);
    // Late, it makes nothing.
    let mut late = Notifier::of(&subscribe, "pa1");
    assert_eq!(
        phone.notify(&late.notify("active;expires=3600")).status(),
        481
    );

    // A refresh without one ends what there was.
    let mut phone = Phone::new();
    let (_, _) = phone.watching();
    let refresh = phone.pass_until_something(SECOND * 3600).request().clone();
    assert!(phone.accept(&refresh, "pa1", 3600).nothing());
    let taken = phone.pass_until_something(SECOND * 33);
    let (end, retry_in) = taken.end();
    assert_eq!(end, SubscriptionEnd::Silent);
    assert_eq!(retry_in, Some(Duration::ZERO));
    assert_eq!(taken.request().uri(), BOB);
    assert_ne!(
        field(taken.request(), "Call-ID"),
        field(&refresh, "Call-ID")
    );
}
