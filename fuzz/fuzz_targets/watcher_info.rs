//! Documents of watcher information, one after the other, each ended by an octet that no document has:
//! what can be written is read as what it was, and a table holds what its changes tell.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use presentity::winfo::{
    DocumentOrder, ReadWatcherInfoOptions, WatcherInfo, WatcherStatus, WatcherTable,
    WatcherTableLimits,
};
use presentity::xml::Layout;

fuzz_target!(|data: &[u8]| {
    let mut narrow = WatcherTableLimits::default();
    narrow.rows = 5;
    narrow.octets = 2_000;
    let mut tables = [
        Followed::new(WatcherTableLimits::default()),
        Followed::new(narrow),
    ];
    for octets in data.split(|octet| *octet == 0xFF) {
        if octets.is_empty() {
            tables.iter_mut().for_each(|it| it.table.restart());
            continue;
        }
        if let Some(info) = read(octets) {
            written(&info);
            for followed in &mut tables {
                followed.apply(&info);
            }
        }
    }
    for mut followed in tables {
        let rows = followed.table.len();
        assert_eq!(followed.table.clear().len(), rows);
        assert!(followed.table.is_empty());
    }
});

fn read(octets: &[u8]) -> Option<WatcherInfo> {
    let mut options = ReadWatcherInfoOptions::default();
    options.lists = 8;
    options.entries = 16;
    match WatcherInfo::read_with(octets, &options) {
        Ok((info, faults)) => {
            assert!(faults.len() <= options.reports && info.lists.len() <= options.lists);
            for fault in faults {
                assert!(fault.to_string().len() < 4096);
                assert!(fault.location.line >= 1 && fault.location.column >= 1);
            }
            for list in &info.lists {
                let ids = list.watchers.iter().map(|it| it.id.as_str());
                let unique: std::collections::BTreeSet<_> = ids.collect();
                assert_eq!(unique.len(), list.watchers.len());
            }
            Some(info)
        }
        Err(error) => {
            assert!(error.to_string().len() < 4096);
            assert!(error.location().line >= 1 && error.location().column >= 1);
            None
        }
    }
}

fn written(info: &WatcherInfo) {
    for layout in [Layout::Compact, Layout::Pretty] {
        match info.write_as(layout) {
            Ok(octets) => {
                let options = ReadWatcherInfoOptions::default();
                let (again, faults) =
                    WatcherInfo::read_with(&octets, &options).expect("it was written");
                assert_eq!(&again, info);
                assert_eq!(faults, []);
                assert_eq!(again.write_as(layout).as_ref(), Ok(&octets));
            }
            Err(error) => assert!(error.to_string().len() < 4096),
        }
    }
}

/// A table, and what somebody holds who heeds its changes alone.
struct Followed {
    table: WatcherTable,
    limits: WatcherTableLimits,
    held: BTreeMap<(String, String, String), WatcherStatus>,
}

impl Followed {
    fn new(limits: WatcherTableLimits) -> Self {
        Self {
            table: WatcherTable::new(limits),
            limits,
            held: BTreeMap::new(),
        }
    }

    fn apply(&mut self, info: &WatcherInfo) {
        let before = self.table.version();
        let update = self.table.apply(info.clone());
        match update.order {
            DocumentOrder::First => assert_eq!(before, None),
            DocumentOrder::Next => assert_eq!(before, info.version.checked_sub(1)),
            DocumentOrder::Gap { missing } => {
                assert!(missing > 0);
                assert_eq!(before, info.version.checked_sub(missing + 1));
            }
            DocumentOrder::Old { known } => {
                assert_eq!((before, self.table.version()), (Some(known), Some(known)));
                assert!(info.version <= known && update.changes.is_empty());
                return;
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(self.table.version(), Some(info.version));
        assert!(!self.table.is_complete() || update.left_out == 0);
        assert!(!update.needs_refresh || !self.table.is_complete());
        for change in &update.changes {
            let entry = change.after.as_ref().or(change.before.as_ref());
            let entry = entry.expect("something has changed");
            let name = (
                change.resource.to_string(),
                change.package.to_string(),
                entry.id.clone(),
            );
            assert_eq!(self.held.get(&name).copied(), change.old_status());
            match change.new_status() {
                None | Some(WatcherStatus::Terminated) => self.held.remove(&name),
                Some(status) => self.held.insert(name, status),
            };
        }
        let rows = self.table.rows().map(|row| {
            let name = (
                row.resource.into(),
                row.package.into(),
                row.entry.id.clone(),
            );
            (name, row.entry.status)
        });
        let rows: BTreeMap<_, _> = rows.collect();
        assert_eq!(rows.len(), self.table.len());
        assert!(rows.len() + self.table.resources().count() <= self.limits.rows);
        // What found no room is not told.
        if update.left_out == 0 {
            assert_eq!(rows, self.held);
        }
        self.held = rows;
        for (resource, package) in self.table.resources() {
            for row in self.table.watchers(resource, package) {
                assert!(row.status != WatcherStatus::Terminated);
                assert_eq!(self.table.get(resource, package, &row.id), Some(row));
            }
        }
    }
}
