//! Tables made of documents in every order.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use presentity::winfo::{
    DocumentOrder, TableUpdate, WatcherChangeKind, WatcherInfo, WatcherStatus, WatcherTable,
};

use crate::made::{LENA, entry, full, info, list, partial};
use WatcherStatus::{Active, Pending, Terminated, Waiting};

/// Ids and statuses in the order of the rows.
fn rows(table: &WatcherTable) -> Vec<(&str, WatcherStatus)> {
    let rows = table.watchers(LENA, "presence");
    rows.map(|row| (row.id.as_str(), row.status)).collect()
}

type Told<'a> = (&'a str, Option<WatcherStatus>, Option<WatcherStatus>);

fn told(update: &TableUpdate) -> Vec<Told<'_>> {
    let changes = update.changes.iter();
    changes
        .map(|change| {
            let entry = change.after.as_ref().or(change.before.as_ref()).unwrap();
            (entry.id.as_str(), change.old_status(), change.new_status())
        })
        .collect()
}

// SUB-63
#[test]
fn the_first_document_tells_where_versions_begin() {
    for version in [0, 17, u32::MAX] {
        let mut table = WatcherTable::default();
        assert_eq!((table.version(), table.is_complete()), (None, false));
        let update = table.apply(full(version, &[("a", Pending), ("b", Active)]));
        assert_eq!(update.order, DocumentOrder::First);
        assert_eq!(
            told(&update),
            [("a", None, Some(Pending)), ("b", None, Some(Active))]
        );
        assert_eq!(
            (table.version(), table.is_complete(), update.needs_refresh),
            (Some(version), true, false)
        );
        assert_eq!(rows(&table), [("a", Pending), ("b", Active)]);
    }
}

// SUB-63
#[test]
fn a_first_document_that_does_not_tell_everything_counts() {
    let mut table = WatcherTable::default();
    let update = table.apply(partial(4, &[("a", Pending)]));
    assert_eq!(told(&update), [("a", None, Some(Pending))]);
    assert!(update.needs_refresh && !table.is_complete());
    let update = table.apply(partial(5, &[("b", Pending)]));
    assert!(!update.needs_refresh && !table.is_complete());
    table.apply(full(6, &[("b", Pending)]));
    assert!(table.is_complete());
    assert_eq!(rows(&table), [("b", Pending)]);
}

// SUB-63, SUB-64
#[test]
fn the_next_document_adds_and_updates() {
    let mut table = WatcherTable::default();
    table.apply(full(7, &[("a", Pending), ("b", Active)]));
    let update = table.apply(partial(8, &[("c", Pending), ("a", Active)]));
    assert_eq!(update.order, DocumentOrder::Next);
    assert_eq!(
        told(&update),
        [
            ("c", None, Some(Pending)),
            ("a", Some(Pending), Some(Active))
        ]
    );
    assert_eq!(
        update
            .changes
            .iter()
            .map(|it| it.asks())
            .collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(rows(&table), [("a", Active), ("b", Active), ("c", Pending)]);
    assert!(table.is_complete() && !update.needs_refresh);
}

// SUB-63
#[test]
fn a_gap_is_processed_and_asks_for_a_refresh() {
    let mut table = WatcherTable::default();
    table.apply(full(1, &[("a", Pending)]));
    let update = table.apply(partial(5, &[("b", Waiting)]));
    assert_eq!(update.order, DocumentOrder::Gap { missing: 3 });
    assert_eq!(told(&update), [("b", None, Some(Waiting))]);
    assert!(update.needs_refresh);
    assert_eq!((table.version(), table.is_complete()), (Some(5), false));
    // Those behind it do not heal it, and do not ask again.
    let update = table.apply(partial(6, &[("a", Active)]));
    assert!(!update.needs_refresh && !table.is_complete());
    // What tells everything does.
    let update = table.apply(full(9, &[("a", Active)]));
    assert_eq!(update.order, DocumentOrder::Gap { missing: 2 });
    assert_eq!(told(&update), [("b", Some(Waiting), None)]);
    assert!(!update.needs_refresh && table.is_complete());
}

// SUB-63
#[test]
fn what_is_not_newer_is_dropped() {
    let mut table = WatcherTable::default();
    table.apply(full(5, &[("a", Pending)]));
    let before = format!("{:?}", table.rows().collect::<Vec<_>>());
    for version in [5, 4, 0] {
        for document in [
            full(version, &[("x", Active)]),
            partial(version, &[("a", Active)]),
        ] {
            let update = table.apply(document);
            assert_eq!(update.order, DocumentOrder::Old { known: 5 });
            assert_eq!(update.changes, []);
            assert!(!update.needs_refresh);
        }
    }
    assert_eq!(format!("{:?}", table.rows().collect::<Vec<_>>()), before);
    assert_eq!((table.version(), table.is_complete()), (Some(5), true));
}

// SUB-63, SRV-70
#[test]
fn versions_do_not_wrap() {
    let mut table = WatcherTable::default();
    table.apply(full(u32::MAX - 1, &[("a", Pending)]));
    let update = table.apply(partial(u32::MAX, &[("a", Active)]));
    assert_eq!(update.order, DocumentOrder::Next);
    for version in [0, 1, u32::MAX] {
        let update = table.apply(full(version, &[]));
        assert_eq!(update.order, DocumentOrder::Old { known: u32::MAX });
    }
    assert_eq!(rows(&table), [("a", Active)]);
    let mut table = WatcherTable::default();
    table.apply(full(0, &[]));
    let update = table.apply(full(u32::MAX, &[]));
    assert_eq!(
        update.order,
        DocumentOrder::Gap {
            missing: u32::MAX - 1
        }
    );
}

// SUB-64
#[test]
fn a_full_document_replaces_everything() {
    let mut table = WatcherTable::default();
    let other = list("sip:other@example.com", &[("o", Pending)]);
    let both = vec![
        list(LENA, &[("a", Pending), ("b", Active), ("c", Active)]),
        other,
    ];
    table.apply(info(0, true, both));
    let update = table.apply(full(1, &[("c", Active), ("b", Pending), ("d", Active)]));
    assert_eq!(
        told(&update),
        [
            ("b", Some(Active), Some(Pending)),
            ("d", None, Some(Active)),
            ("a", Some(Pending), None),
            ("o", Some(Pending), None),
        ]
    );
    let kinds: Vec<_> = update.changes.iter().map(|it| it.kind()).collect();
    use WatcherChangeKind::{Added, Changed, Gone};
    assert_eq!(kinds, [Changed, Added, Gone, Gone]);
    assert_eq!(rows(&table), [("c", Active), ("b", Pending), ("d", Active)]);
    let named: Vec<_> = table.resources().collect();
    assert_eq!(named, [(LENA, "presence")]);
    assert_eq!(table.len(), 3);
    let update = table.apply(info(2, true, Vec::new()));
    assert_eq!((update.changes.len(), table.len()), (3, 0));
    assert!(table.is_empty() && table.is_complete());
}

// SUB-64
#[test]
fn those_that_end_are_told_once_and_not_kept() {
    let mut table = WatcherTable::default();
    // What ended before is nobody's news.
    let update = table.apply(full(
        0,
        &[("old", Terminated), ("a", Pending), ("b", Active)],
    ));
    assert_eq!(update.changes.len(), 2);
    let update = table.apply(partial(1, &[("a", Terminated), ("new", Terminated)]));
    assert_eq!(
        told(&update),
        [
            ("a", Some(Pending), Some(Terminated)),
            ("new", None, Some(Terminated))
        ]
    );
    assert!(
        update
            .changes
            .iter()
            .all(|it| it.kind() == WatcherChangeKind::Gone)
    );
    assert_eq!(rows(&table), [("b", Active)]);
    let update = table.apply(full(2, &[("a", Terminated), ("b", Terminated)]));
    assert_eq!(told(&update), [("b", Some(Active), Some(Terminated))]);
    assert!(table.is_empty());
    let update = table.apply(full(3, &[("a", Terminated), ("b", Terminated)]));
    assert_eq!(update.changes, []);
}

#[test]
fn that_time_passes_is_no_change() {
    let mut table = WatcherTable::default();
    let timed = |version, seconds| {
        let mut document = full(version, &[("a", Active)]);
        let row = &mut document.lists[0].watchers[0];
        row.expiration = Some(600 - seconds);
        row.duration_subscribed = Some(seconds);
        document
    };
    table.apply(timed(0, 10));
    let update = table.apply(timed(1, 70));
    assert_eq!(update.changes, []);
    let row = table.get(LENA, "presence", "a").unwrap();
    assert_eq!(
        (row.expiration, row.duration_subscribed),
        (Some(530), Some(70))
    );
    let mut named = timed(2, 80);
    named.lists[0].watchers[0].display_name = Some("A.".to_owned());
    named.is_full = false;
    assert_eq!(
        told(&table.apply(named)),
        [("a", Some(Active), Some(Active))]
    );
}

// SUB-63
#[test]
fn resources_and_packages_have_tables_of_their_own() {
    const OMAR: &str = "sip:omar@example.com";
    let mut of_winfo = list(LENA, &[("a", Waiting)]);
    of_winfo.package = "presence.winfo".to_owned();
    let mut table = WatcherTable::default();
    table.apply(info(
        0,
        true,
        vec![
            list(LENA, &[("a", Pending)]),
            list(OMAR, &[("a", Active)]),
            of_winfo,
        ],
    ));
    assert_eq!(table.len(), 3);
    let update = table.apply(info(1, false, vec![list(OMAR, &[("a", Terminated)])]));
    assert_eq!(
        (&*update.changes[0].resource, &*update.changes[0].package),
        (OMAR, "presence")
    );
    let status = |resource, package| table.get(resource, package, "a").map(|row| row.status);
    assert_eq!(status(LENA, "presence"), Some(Pending));
    assert_eq!(status(LENA, "presence.winfo"), Some(Waiting));
    assert_eq!(status(OMAR, "presence"), None);
    assert_eq!(status(OMAR, "presence.winfo"), None);
    assert_eq!(table.undecided().count(), 2);
    // Nobody is left, which is known.
    assert_eq!(table.resources().count(), 3);
    // Two lists of one name are one.
    let twice = vec![
        list(OMAR, &[("x", Pending)]),
        list(OMAR, &[("x", Active), ("y", Active)]),
    ];
    let update = table.apply(info(2, true, twice));
    assert_eq!(table.watchers(OMAR, "presence").count(), 2);
    let of_x = told(&update).into_iter().filter(|it| it.0 == "x");
    assert_eq!(
        of_x.collect::<Vec<_>>(),
        [
            ("x", None, Some(Pending)),
            ("x", Some(Pending), Some(Active))
        ]
    );
}

#[test]
fn another_subscription_begins_anew() {
    let mut table = WatcherTable::default();
    table.apply(full(40, &[("a", Pending), ("b", Active)]));
    table.restart();
    assert_eq!((table.len(), table.is_complete()), (2, false));
    // The same ones are no news, and neither is another id for somebody a decision that was asked for.
    let mut document = full(0, &[("a", Pending), ("b", Active)]);
    document.lists[0].watchers[0].uri = "sip:else@example.org".to_owned();
    let update = table.apply(document);
    assert_eq!(update.order, DocumentOrder::First);
    assert_eq!(told(&update), [("a", Some(Pending), Some(Pending))]);
    assert!(update.changes[0].asks());
    assert!(table.is_complete());
    // Its ids are others: what does not tell everything cannot be put upon what was known.
    table.restart();
    let update = table.apply(partial(0, &[("a", Active)]));
    assert_eq!(
        told(&update),
        [
            ("a", Some(Pending), None),
            ("b", Some(Active), None),
            ("a", None, Some(Active))
        ]
    );
    assert_eq!(rows(&table), [("a", Active)]);
    assert!(update.needs_refresh);
}

/// The rules of RFC 3858 section 4, told as plainly as can be.
#[derive(Default)]
struct Plain {
    version: Option<u32>,
    rows: BTreeMap<(String, String), WatcherStatus>,
}

impl Plain {
    fn apply(&mut self, document: &WatcherInfo) {
        if self.version.is_some_and(|known| document.version <= known) {
            return;
        }
        self.version = Some(document.version);
        if document.is_full {
            self.rows.clear();
        }
        for list in &document.lists {
            for entry in &list.watchers {
                let name = (list.resource.clone(), entry.id.clone());
                match entry.status {
                    Terminated => self.rows.remove(&name),
                    status => self.rows.insert(name, status),
                };
            }
        }
    }
}

fn any_document() -> impl Strategy<Value = WatcherInfo> {
    let status = proptest::sample::select(vec![Pending, Active, Waiting, Terminated]);
    let entry = (0..6u8, status).prop_map(|(id, status)| entry(&format!("i{id}"), status));
    let list = (0..3u8, vec(entry, 0..5)).prop_map(|(resource, watchers)| {
        let mut list = list(&format!("sip:r{resource}@example.com"), &[]);
        list.watchers = watchers;
        list
    });
    (0..12u32, any::<bool>(), vec(list, 0..4))
        .prop_map(|(version, is_full, lists)| info(version, is_full, lists))
}

proptest! {
    // SUB-63, SUB-64
    #[test]
    fn documents_in_any_order(documents in vec(any_document(), 0..12)) {
        let (mut table, mut plain) = (WatcherTable::default(), Plain::default());
        // What somebody holds who heeds the changes alone.
        let mut held = BTreeMap::new();
        for document in documents {
            plain.apply(&document);
            let update = table.apply(document);
            for change in update.changes {
                let entry = change.after.as_ref().or(change.before.as_ref()).unwrap();
                let name = (change.resource.to_string(), entry.id.clone());
                prop_assert_eq!(held.get(&name).copied(), change.old_status());
                match change.new_status().filter(|status| *status != Terminated) {
                    Some(status) => held.insert(name, status),
                    None => held.remove(&name),
                };
            }
            let rows = table.rows();
            let rows: BTreeMap<_, _> = rows
                .map(|row| ((row.resource.to_owned(), row.entry.id.clone()), row.entry.status))
                .collect();
            prop_assert_eq!(table.version(), plain.version);
            prop_assert_eq!(&rows, &plain.rows);
            prop_assert_eq!(&held, &plain.rows);
            prop_assert_eq!(table.len(), rows.len());
            for (resource, package) in table.resources() {
                for row in table.watchers(resource, package) {
                    prop_assert_eq!(table.get(resource, package, &row.id), Some(row));
                }
            }
        }
    }
}
