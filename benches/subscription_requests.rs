//! Subscription requests read and written, beside what quick-xml spends on looking at the same octets.
//!
//! `cargo bench --bench subscription_requests` prints a table for a request to subscribe of about 250
//! octets. Contestants take turns; times are CPU time of the thread, the least and the median of all
//! turns, in microseconds. Allocations are counted apart.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "no part of the library; prints its findings"
)]

#[path = "common/ns_reader.rs"]
mod ns_reader;

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use cpu_time::ThreadTime;
use ns_reader::ns_reader;
use presentity::sdf::{ReadOptions, Request, Token};
use quick_xml::events::Event;
use quick_xml::reader::Reader;

fn reader(document: &[u8]) -> usize {
    let mut reader = Reader::from_reader(document);
    let mut events = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Eof => return events,
            event => {
                black_box(event);
                events += 1;
            }
        }
    }
}

/// Something to be measured, and how long it took in each turn.
struct Contestant<'d> {
    name: &'static str,
    run: Box<dyn FnMut() + 'd>,
    turns: Vec<Duration>,
}

impl<'d> Contestant<'d> {
    fn new(name: &'static str, run: impl FnMut() + 'd) -> Self {
        Self {
            name,
            run: Box::new(run),
            turns: Vec::new(),
        }
    }
}

const TURNS: usize = 41;
const TIMES: u32 = 10_000;

fn main() {
    let document = Bytes::from_static(
        b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Subscribe>\n  <From>pres:nora@example.org</From>\n  \
          <To>pres:emil@example.com</To>\n  <DateTime>2026-03-01T09:30:00+01:00</DateTime>\n  \
          <Token>u3kd7aqhm2ovx5yzc6tbw4nefp</Token>\n  <Duration>3600</Duration>\n</Subscribe>\n",
    );
    let request = Request::read(&document).expect("right");
    let token = Token::new(request.token().expect("a token")).expect("right");
    let at = request.date_time();
    let tolerant = ReadOptions::tolerant();
    let mut contestants = [
        Contestant::new("quick-xml Reader, events", || {
            black_box(reader(black_box(&document)));
        }),
        Contestant::new("quick-xml NsReader", || {
            black_box(ns_reader(black_box(&document)));
        }),
        Contestant::new("Request::read", || {
            black_box(Request::read(black_box(&document)).expect("right"));
        }),
        Contestant::new("the same, tolerant", || {
            black_box(Request::read_with(black_box(&document), &tolerant).expect("right"));
        }),
        Contestant::new("Request::subscribe", || {
            let (from, to) = (request.from(), request.to());
            let made = Request::subscribe(from, to, at, black_box(&token), 3600);
            black_box(made.expect("right"));
        }),
        Contestant::new("watcher and presentity", || {
            black_box((request.watcher(), request.presentity()));
        }),
    ];
    for _ in 0..TURNS {
        for contestant in &mut contestants {
            let start = ThreadTime::now();
            for _ in 0..TIMES {
                (contestant.run)();
            }
            contestant.turns.push(start.elapsed() / TIMES);
        }
    }
    println!("{} octets", document.len());
    println!("{:<26} {:>10} {:>10}", "", "least, us", "median");
    for contestant in &mut contestants {
        contestant.turns.sort_unstable();
        let (least, median) = (contestant.turns[0], contestant.turns[TURNS / 2]);
        println!(
            "{:<26} {:>10.3} {:>10.3}",
            contestant.name,
            least.as_nanos() as f64 / 1_000.0,
            median.as_nanos() as f64 / 1_000.0,
        );
    }
    for (name, info) in [
        (
            "reading",
            allocation_counter::measure(|| {
                black_box(Request::read(&document).expect("right"));
            }),
        ),
        (
            "making",
            allocation_counter::measure(|| {
                let (from, to) = (request.from(), request.to());
                let made = Request::subscribe(from, to, at, &token, 3600);
                black_box(made.expect("right"));
            }),
        ),
    ] {
        println!(
            "{name}: {} allocations, {} octets",
            info.count_total, info.bytes_total
        );
    }
}
