//! Watcher information of a hundred thousand watchers: written, read, and kept in a table.
//!
//! `cargo bench --bench watcher_info` prints a table. A full document tells of all of them, a partial
//! one of ten. Beside reading stands what quick-xml's `NsReader` spends on merely looking at the same
//! octets. Contestants take turns; times are CPU time of the thread, least and median of all turns.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use presentity::winfo::{
    WatcherEntry, WatcherEvent, WatcherInfo, WatcherList, WatcherStatus, WatcherTable,
};
use quick_xml::NsReader;
use quick_xml::events::Event;

const MANY: usize = 100_000;
const FEW: usize = 10;
const TURNS: usize = 21;

/// Watchers from the first on, so many, with this status.
fn document(version: u32, is_full: bool, count: usize, status: WatcherStatus) -> WatcherInfo {
    let mut list = WatcherList::new("sip:lena@example.com", "presence");
    list.watchers = (0..count)
        .map(|number| {
            let id = format!(
                "{:016x}",
                (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            );
            let uri = format!("sip:watcher-{number}@example.org");
            let mut entry = WatcherEntry::new(id, uri, status, WatcherEvent::Approved);
            entry.expiration = Some(3_600 - number as u64 % 3_600);
            entry.duration_subscribed = Some(number as u64);
            entry
        })
        .collect();
    let mut info = WatcherInfo::default();
    info.version = version;
    info.is_full = is_full;
    info.lists.push(list);
    info
}

fn ns_reader(document: &[u8]) -> usize {
    let mut reader = NsReader::from_reader(document);
    let mut elements = 0;
    loop {
        match reader.read_resolved_event().expect("well-formed") {
            (_, Event::Eof) => return elements,
            (name, Event::Start(tag) | Event::Empty(tag)) => {
                for attribute in tag.attributes() {
                    black_box(attribute.expect("well-formed"));
                }
                black_box(name);
                elements += 1;
            }
            (_, event) => {
                black_box(event);
            }
        }
    }
}

/// Times `run` on what `make` gives, which is not timed and neither is dropping it.
fn measure<T, R>(name: &str, turns: usize, mut make: impl FnMut() -> T, run: impl Fn(&mut T) -> R) {
    let mut times = Vec::with_capacity(turns);
    for _ in 0..turns {
        let mut on = make();
        let start = ThreadTime::now();
        let result = run(&mut on);
        times.push(start.elapsed());
        black_box(result);
    }
    print(name, times);
}

fn print(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let us = |time: Duration| time.as_nanos() as f64 / 1_000.0;
    let median = times[times.len() / 2];
    println!("{name:<44} {:>12.1} {:>12.1}", us(times[0]), us(median));
}

fn main() {
    use WatcherStatus::{Active, Pending};
    let full = document(0, true, MANY, Active);
    let few = document(1, false, FEW, Pending);
    let (octets, few_octets) = (full.write().expect("right"), few.write().expect("right"));
    println!(
        "full: {} octets, partial: {}",
        octets.len(),
        few_octets.len()
    );
    println!("{:<44} {:>12} {:>12}", "", "least, us", "median, us");
    measure("write, 100,000 entries", TURNS, || (), |()| full.write());
    measure(
        "NsReader, 100,000 entries",
        TURNS,
        || (),
        |()| ns_reader(&octets),
    );
    measure(
        "read, 100,000 entries",
        TURNS,
        || (),
        |()| WatcherInfo::read(&octets),
    );
    measure("write, 10 entries", 2_001, || (), |()| few.write());
    measure(
        "NsReader, 10 entries",
        2_001,
        || (),
        |()| ns_reader(&few_octets),
    );
    measure(
        "read, 10 entries",
        2_001,
        || (),
        |()| WatcherInfo::read(&few_octets),
    );

    let mut filled = WatcherTable::default();
    filled.apply(full.clone());
    measure(
        "table: first full document",
        TURNS,
        || (WatcherTable::default(), Some(full.clone())),
        |(table, document)| document.take().map(|document| table.apply(document)),
    );
    let mut next = full.clone();
    next.version = 1;
    measure(
        "table: full document that changes nothing",
        TURNS,
        || (filled.clone(), Some(next.clone())),
        |(table, document)| document.take().map(|document| table.apply(document)),
    );
    let mut table = filled.clone();
    let mut times = Vec::new();
    for version in 1..=2_001 {
        let status = if version % 2 == 0 { Active } else { Pending };
        let next = document(version, false, FEW, status);
        let start = ThreadTime::now();
        let update = table.apply(next);
        times.push(start.elapsed());
        assert_eq!(update.changes.len(), FEW);
    }
    print("table: partial of 10 among 100,000", times);
    measure(
        "table: all rows that are undecided",
        TURNS,
        || (),
        |()| table.undecided().count(),
    );
}
