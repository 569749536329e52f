//! A SUBSCRIBE that reaches several notifiers.

use presentity::winfo::{MEDIA_TYPE, WatcherInfoEvent, WatcherStatus};

use crate::common::field;
use crate::desk::Desk;
use crate::made::{full, partial};
use WatcherStatus::{Active, Pending, Terminated};

// SUB-62, SUB-63
#[test]
fn each_notifier_has_a_table_of_its_own() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(
        &subscribe,
        "n1",
        1,
        &full(0, &[("a", Pending), ("b", Active)]),
    );
    // The same id, another watcher; other versions.
    desk.tell(
        &subscribe,
        "n2",
        70,
        &full(33, &[("a", Active), ("c", Pending)]),
    );
    let changes = desk.changes();
    assert_eq!(changes.len(), 4);
    assert_ne!(changes[0].0, changes[3].0);
    let all = [("a", Pending), ("b", Active), ("a", Active), ("c", Pending)];
    assert_eq!(desk.rows(key), all);
    assert_eq!(desk.subscriber.undecided(key).count(), 2);
    let info = desk.subscriber.resource(key).unwrap();
    assert_eq!(
        (info.rows, info.subscription.notifiers, info.is_current),
        (4, 2, true)
    );

    // A full document of one empties its own table alone.
    desk.tell(&subscribe, "n1", 2, &full(1, &[("d", Active)]));
    assert_eq!(
        desk.rows(key),
        [("d", Active), ("a", Active), ("c", Pending)]
    );
    desk.tell(&subscribe, "n2", 71, &partial(34, &[("a", Terminated)]));
    assert_eq!(desk.rows(key), [("d", Active), ("c", Pending)]);
    let versions: Vec<_> = (desk.subscriber.tables(key))
        .map(|(_, table)| table.version())
        .collect();
    assert_eq!(versions, [Some(1), Some(34)]);
    assert_eq!(desk.requests, []);
}

// SUB-62
#[test]
fn one_that_ends_takes_its_table_with_it() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(&subscribe, "n1", 1, &full(0, &[("a", Pending)]));
    desk.tell(&subscribe, "n2", 1, &full(0, &[("b", Pending)]));
    desk.events.clear();
    let state = "terminated;reason=deactivated";
    assert_eq!(
        desk.notify(&subscribe, "n1", 2, state, MEDIA_TYPE, b""),
        200
    );
    let [
        WatcherInfoEvent::Changed { changes, .. },
        WatcherInfoEvent::Ended { retry_in: None, .. },
    ] = &desk.events[..]
    else {
        panic!("{:?}", desk.events);
    };
    assert_eq!(changes[0].old_status(), Some(Pending));
    assert_eq!(changes[0].new_status(), None);
    assert_eq!(desk.rows(key), [("b", Pending)]);
    assert!(desk.is_current(key));
    assert_eq!(
        desk.notify(&subscribe, "n2", 2, state, MEDIA_TYPE, b""),
        200
    );
    assert_eq!(desk.rows(key), [("b", Pending)]);
    assert!(!desk.is_current(key));
}

// SUB-62, SUB-63
#[test]
fn a_gap_at_one_of_them_is_healed_by_both() {
    let (mut desk, key, subscribe) = Desk::following();
    desk.tell(&subscribe, "n1", 1, &full(0, &[]));
    desk.tell(&subscribe, "n2", 1, &full(0, &[]));
    desk.tell(&subscribe, "n2", 2, &partial(2, &[("b", Pending)]));
    assert!(!desk.is_current(key));
    let asked: Vec<_> = desk.requests.drain(..).collect();
    let tags: Vec<_> = (asked.iter())
        .map(|it| field(it, "To").unwrap().rsplit('=').next().unwrap())
        .collect();
    assert_eq!(tags, ["n1", "n2"]);
    for refresh in &asked {
        desk.answer(refresh, 200);
    }
    desk.tell(&subscribe, "n1", 2, &full(1, &[]));
    desk.tell(
        &subscribe,
        "n2",
        3,
        &full(3, &[("b", Pending), ("c", Pending)]),
    );
    assert!(desk.is_current(key));
    desk.pass(30);
    assert_eq!(desk.requests, []);
    assert_eq!(desk.rows(key), [("b", Pending), ("c", Pending)]);
}
