//! A subscription to watcher information: what is asked for, what is taken, what follows.

use std::time::Duration;

use presentity::event::{NotifiedState, RefusedBody};
use presentity::winfo::{
    FollowOrder, InvalidWatcherInfoPackage, MEDIA_TYPE, WatcherInfoEvent, WatcherInfoSubscriber,
    WatcherInfoSubscriberConfig, WatcherStatus,
};

use crate::common::{field, seeded};
use crate::desk::{Desk, account};
use crate::made::{LENA, full, partial};
use WatcherStatus::{Active, Pending, Terminated};

// SRV-61
#[test]
fn what_is_asked_for() {
    let mut desk = Desk::new();
    let (key, subscribe) = desk.follow();
    assert_eq!((subscribe.method(), subscribe.uri()), ("SUBSCRIBE", LENA));
    assert_eq!(field(&subscribe, "Event"), Some("presence.winfo"));
    assert_eq!(field(&subscribe, "Expires"), Some("3600"));
    assert_eq!(field(&subscribe, "Accept"), Some(MEDIA_TYPE));
    assert_eq!(desk.rows(key), []);
    assert!(!desk.is_current(key));
}

#[test]
fn other_packages_and_watchers_of_watchers() {
    for event_type in ["dialog.winfo", "presence.winfo.winfo"] {
        let config = WatcherInfoSubscriberConfig::default();
        let subscriber = WatcherInfoSubscriber::of_event_type(event_type, config, seeded(1));
        let mut desk = Desk::of(subscriber.unwrap(), event_type);
        let (key, subscribe) = desk.follow();
        assert_eq!(field(&subscribe, "Event"), Some(event_type));
        desk.answer(&subscribe, 200);
        desk.tell(&subscribe, "n1", 1, &full(0, &[("a", Pending)]));
        assert_eq!(desk.rows(key), [("a", Pending)]);
        desk.event_type = "presence.winfo";
        let body = full(1, &[]).write().unwrap();
        assert_eq!(
            desk.notify(&subscribe, "n1", 2, "active", MEDIA_TYPE, &body),
            489
        );
    }
    for event_type in [
        "",
        "presence",
        ".winfo",
        "winfo",
        "pre sence.winfo",
        "a\r\nb.winfo",
    ] {
        let config = WatcherInfoSubscriberConfig::default();
        let subscriber = WatcherInfoSubscriber::of_event_type(event_type, config, seeded(1));
        let error = InvalidWatcherInfoPackage(event_type.to_owned());
        assert_eq!(subscriber.unwrap_err(), error);
    }
}

#[test]
fn who_asks_is_told_at_once() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(&subscribe, "n1", 1, &full(0, &[("a", Active)]));
    let state = NotifiedState::Active;
    assert!(matches!(
        &desk.events[0],
        WatcherInfoEvent::State { state: told, .. } if *told == state
    ));
    assert!(desk.is_current(key));
    desk.changes();
    desk.tell(&subscribe, "n1", 2, &partial(1, &[("b", Pending)]));
    let changes = desk.changes();
    assert_eq!(changes.len(), 1);
    let change = &changes[0].1;
    assert!(change.asks());
    assert_eq!(change.after.as_ref().unwrap().uri, "sip:b@example.org");
    let undecided: Vec<_> = (desk.subscriber.undecided(key))
        .map(|row| (row.resource, row.package, row.entry.id.as_str()))
        .collect();
    assert_eq!(undecided, [(LENA, "presence", "b")]);
    desk.tell(&subscribe, "n1", 3, &partial(2, &[("b", Terminated)]));
    assert_eq!(desk.rows(key), [("a", Active)]);
    assert_eq!(desk.requests, []);
}

#[test]
fn that_nobody_watches_is_told_once() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(&subscribe, "n1", 1, &full(0, &[]));
    desk.tell(&subscribe, "n1", 2, &full(1, &[]));
    let told = desk.events.iter().filter(|event| {
        matches!(event, WatcherInfoEvent::Changed { changes, is_complete: true, .. }
            if changes.is_empty())
    });
    assert_eq!(told.count(), 1);
    assert!(desk.is_current(key));
}

// SUB-63
#[test]
fn a_gap_makes_one_refresh_at_once_and_the_next_not_too_soon() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(&subscribe, "n1", 1, &full(0, &[("a", Pending)]));
    desk.tell(&subscribe, "n1", 2, &partial(2, &[("b", Pending)]));
    let refresh = desk.request();
    assert_eq!(refresh.method(), "SUBSCRIBE");
    assert!(field(&refresh, "To").unwrap().contains("tag=n1"));
    assert_ne!(field(&refresh, "Expires"), Some("0"));
    assert!(matches!(
        desk.events.last(),
        Some(WatcherInfoEvent::Missed { .. })
    ));
    assert_eq!(desk.rows(key), [("a", Pending), ("b", Pending)]);
    assert!(!desk.is_current(key));
    desk.answer(&refresh, 200);
    // It goes on like that.
    for (cseq, version) in [(3, 4), (4, 6), (5, 8)] {
        desk.tell(&subscribe, "n1", cseq, &partial(version, &[("c", Pending)]));
        assert_eq!(desk.requests, []);
    }
    let soon = desk.now + Duration::from_secs(5);
    assert_eq!(desk.subscriber.poll_timeout(), Some(soon));
    desk.pass(4);
    assert_eq!(desk.requests, []);
    desk.pass(1);
    let refresh = desk.request();
    desk.answer(&refresh, 200);
    desk.tell(&subscribe, "n1", 6, &full(9, &[("c", Pending)]));
    assert!(desk.is_current(key));
    desk.pass(60);
    assert_eq!(desk.requests, []);
}

// SUB-63
#[test]
fn a_refresh_that_is_not_needed_any_more_is_spared() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(&subscribe, "n1", 1, &partial(7, &[("a", Pending)]));
    let refresh = desk.request();
    desk.answer(&refresh, 200);
    desk.tell(&subscribe, "n1", 2, &partial(9, &[("b", Pending)]));
    assert_eq!(desk.subscriber.occupancy()[7], 1);
    let waiting = desk.subscriber.poll_timeout();
    desk.tell(&subscribe, "n1", 3, &full(10, &[("a", Pending)]));
    assert_ne!(desk.subscriber.poll_timeout(), waiting);
    desk.pass(30);
    assert_eq!(desk.requests, []);
    assert_eq!(desk.rows(key), [("a", Pending)]);
}

// SUB-63
#[test]
fn a_document_of_before_is_left_aside() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(&subscribe, "n1", 1, &full(4, &[("a", Pending)]));
    desk.events.clear();
    for (cseq, version) in [(2, 4), (3, 3)] {
        desk.tell(&subscribe, "n1", cseq, &full(version, &[]));
        let event = desk.events.pop().unwrap();
        assert!(matches!(
            event,
            WatcherInfoEvent::Outdated { version: told, known: 4, .. } if told == version
        ));
    }
    assert_eq!(desk.rows(key), [("a", Pending)]);
    assert_eq!((desk.events.len(), desk.requests.len()), (0, 0));
}

// SRV-61
#[test]
fn bodies_of_other_types_and_unreadable_ones() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(&subscribe, "n1", 1, &full(0, &[("a", Pending)]));
    desk.events.clear();
    let state = "active;expires=3000";
    let body = full(1, &[]).write().unwrap();
    let pidf = "application/pidf+xml";
    assert_eq!(desk.notify(&subscribe, "n1", 2, state, pidf, &body), 415);
    assert!(matches!(
        &desk.events[0],
        WatcherInfoEvent::BodyRefused { body: RefusedBody::Type(name), .. } if name == pidf
    ));
    desk.events.clear();
    assert_eq!(
        desk.notify(&subscribe, "n1", 3, state, MEDIA_TYPE, b"<watcherinfo/>"),
        200
    );
    assert!(matches!(
        desk.events[..],
        [WatcherInfoEvent::Unreadable { .. }]
    ));
    assert_eq!(
        desk.notify(&subscribe, "n1", 4, state, MEDIA_TYPE, b""),
        200
    );
    assert_eq!(desk.rows(key), [("a", Pending)]);
    let odd = "<watcherinfo xmlns='urn:ietf:params:xml:ns:watcherinfo' version='1' state='partial'>\
        <watcher-list resource='sip:lena@example.com' package='presence'><watcher id='b'/>\
        </watcher-list></watcherinfo>";
    desk.events.clear();
    let coded = "application/watcherinfo+xml;charset=utf-8";
    assert_eq!(
        desk.notify(&subscribe, "n1", 5, state, coded, odd.as_bytes()),
        200
    );
    assert!(
        matches!(&desk.events[..], [WatcherInfoEvent::Tolerated { faults, .. }]
        if faults.len() == 2)
    );
}

#[test]
fn what_was_known_stays_until_another_subscription_tells_it_anew() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(
        &subscribe,
        "n1",
        1,
        &full(8, &[("a", Pending), ("b", Active)]),
    );
    desk.events.clear();
    let state = "terminated;reason=deactivated";
    assert_eq!(
        desk.notify(&subscribe, "n1", 2, state, MEDIA_TYPE, b""),
        200
    );
    assert!(matches!(
        desk.events[..],
        [WatcherInfoEvent::Ended {
            retry_in: Some(_),
            ..
        }]
    ));
    desk.events.clear();
    assert_eq!(desk.rows(key), [("a", Pending), ("b", Active)]);
    assert!(!desk.is_current(key));
    let again = desk.request();
    desk.answer(&again, 200);
    desk.tell(&again, "n2", 1, &full(0, &[("a", Pending), ("c", Active)]));
    let changes = desk.changes();
    // Who has asked before does not ask again.
    let told: Vec<_> = (changes.iter())
        .map(|(_, change)| (change.old_status(), change.new_status(), change.asks()))
        .collect();
    assert_eq!(
        told,
        [(None, Some(Active), false), (Some(Active), None, false)]
    );
    assert_eq!(desk.rows(key), [("a", Pending), ("c", Active)]);
    assert!(desk.is_current(key));
}

#[test]
fn a_refusal_forgets_what_was_known() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(
        &subscribe,
        "n1",
        1,
        &full(8, &[("a", Pending), ("b", Active)]),
    );
    desk.events.clear();
    let state = "terminated;reason=rejected";
    assert_eq!(
        desk.notify(&subscribe, "n1", 2, state, MEDIA_TYPE, b""),
        200
    );
    let changes = desk.changes();
    assert!(
        changes
            .iter()
            .all(|(_, change)| change.new_status().is_none())
    );
    assert_eq!((changes.len(), desk.rows(key).len()), (2, 0));
}

#[test]
fn a_fetch_tells_and_is_over() {
    let mut desk = Desk::new();
    let account = account();
    let key = (desk.subscriber)
        .fetch(desk.now, FollowOrder::new(&account, LENA))
        .unwrap();
    desk.poll();
    let subscribe = desk.request();
    assert_eq!(field(&subscribe, "Expires"), Some("0"));
    desk.answer(&subscribe, 200);
    let body = full(0, &[("a", Pending)]).write().unwrap();
    let state = "terminated;reason=timeout";
    assert_eq!(
        desk.notify(&subscribe, "n1", 1, state, MEDIA_TYPE, &body),
        200
    );
    let [
        WatcherInfoEvent::Changed { changes, .. },
        WatcherInfoEvent::Over {
            was_fetch: true, ..
        },
    ] = &desk.events[..]
    else {
        panic!("{:?}", desk.events);
    };
    assert!(changes[0].asks());
    assert_eq!(desk.rows(key), []);
    desk.pass(120);
    assert_eq!(desk.subscriber.occupancy(), [0; 8]);
}

#[test]
fn nothing_is_left_of_what_was_ended() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(&subscribe, "n1", 1, &partial(7, &[("a", Pending)]));
    let refresh = desk.request();
    desk.answer(&refresh, 200);
    desk.tell(&subscribe, "n1", 2, &partial(9, &[("a", Active)]));
    // A refresh waits for its time.
    desk.subscriber.end(desk.now, key).unwrap();
    desk.poll();
    let end = desk.request();
    assert_eq!(field(&end, "Expires"), Some("0"));
    desk.answer(&end, 200);
    let state = "terminated;reason=timeout";
    assert_eq!(
        desk.notify(&subscribe, "n1", 3, state, MEDIA_TYPE, b""),
        200
    );
    assert!(matches!(
        desk.events.last(),
        Some(WatcherInfoEvent::Over { .. })
    ));
    desk.pass(120);
    assert_eq!(desk.requests, []);
    assert_eq!(desk.subscriber.occupancy(), [0; 8]);
    assert_eq!(desk.subscriber.poll_timeout(), None);
    // The same of one that is abandoned.
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(&subscribe, "n1", 1, &full(7, &[("a", Pending)]));
    assert!(desk.subscriber.abandon(desk.now, key));
    assert!(!desk.subscriber.abandon(desk.now, key));
    desk.pass(4_000);
    assert_eq!(desk.subscriber.occupancy(), [0; 8]);
    assert_eq!(desk.rows(key), []);
}
