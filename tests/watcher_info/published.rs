//! Documents that others published, and what a schema says of ours.
//!
//! They are no part of this project; the tests run when `PRESENTITY_SPEC` names the folder of
//! `vectors/` and `schemas/`.

use std::collections::BTreeMap;

use presentity::winfo::{
    DocumentOrder, ReadWatcherInfoOptions, WatcherInfo, WatcherInfoFault, WatcherInfoFaultKind,
    WatcherList, WatcherStatus, WatcherTable,
};
use presentity::xml::Layout;

use crate::made::{LENA, entry, full, info};
use crate::schemas::{complaints, spec};

fn published() -> Option<BTreeMap<String, WatcherInfo>> {
    let vectors = spec()?.join("vectors");
    let options = ReadWatcherInfoOptions::default();
    let mut all = BTreeMap::new();
    for file in std::fs::read_dir(vectors).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".xml") {
            continue;
        }
        let is_ours = name.contains("watcherinfo") || name.contains("winfo-empty");
        let read = WatcherInfo::read_with(&std::fs::read(&path).unwrap(), &options);
        assert_eq!(read.is_ok(), is_ours, "{name}: {read:?}");
        if let Ok((info, faults)) = read {
            // The schema cannot say that ids are unique.
            let repeats = name.starts_with("rfc4660-");
            let is_tolerable = |it: &WatcherInfoFault| {
                repeats && matches!(it.kind, WatcherInfoFaultKind::Repeated { .. })
            };
            assert!(faults.iter().all(is_tolerable), "{name}: {faults:?}");
            all.insert(name, info);
        }
    }
    assert!(all.len() >= 9, "{}", all.len());
    Some(all)
}

#[test]
fn documents_of_others_are_read_and_written_as_valid_ones() {
    let Some(all) = published() else {
        return;
    };
    let mut written = BTreeMap::new();
    for (name, info) in &all {
        let octets = info.write_as(Layout::Pretty).unwrap();
        assert_eq!(WatcherInfo::read(&octets).as_ref(), Ok(info), "{name}");
        written.insert(name.clone(), octets.to_vec());
    }
    let mut every = entry("w-1.!%*_+`'~", WatcherStatus::Waiting);
    every.uri = "sip:n%20o'a;b=%25@example.org".to_owned();
    every.display_name = Some("<A> & \"B\"\n".to_owned());
    every.language = Some("de-AT".to_owned());
    (every.expiration, every.duration_subscribed) = (Some(u64::MAX), Some(0));
    let mut named = WatcherList::new(LENA, "presence.winfo");
    named.watchers.push(every);
    for (name, info) in [
        ("own-full.xml", info(u32::MAX, true, vec![named])),
        ("own-empty-list.xml", full(0, &[])),
        ("own-empty.xml", info(1, false, Vec::new())),
    ] {
        written.insert(name.to_owned(), info.write().unwrap().to_vec());
    }
    let verdicts = complaints(&spec().unwrap(), &written);
    assert_eq!(verdicts.len(), written.len());
    let invalid: Vec<_> = verdicts.iter().filter(|(_, said)| said.is_some()).collect();
    assert!(invalid.is_empty(), "{invalid:?}");
}

#[test]
fn a_flow_of_documents_ends_with_what_its_author_says() {
    let Some(all) = published() else {
        return;
    };
    let mut table = WatcherTable::default();
    let first = table.apply(all["rfc3857-s5-07-watcherinfo.xml"].clone());
    assert_eq!(first.order, DocumentOrder::First);
    assert!(first.changes.iter().any(|change| change.asks()));
    let next = table.apply(all["rfc3857-s5-10-watcherinfo.xml"].clone());
    assert_eq!(next.order, DocumentOrder::Next);
    assert_eq!(table.undecided().count(), 0);
    let statuses: Vec<_> = table.rows().map(|row| row.entry.status).collect();
    assert_eq!(statuses, [WatcherStatus::Active]);
}
