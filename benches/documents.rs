//! Presence documents read and written, beside what others spend on the same octets.
//!
//! `cargo bench --bench documents` prints a table for documents of about 400 octets, 6 KB (ten
//! tuples with rich presence and capabilities) and 1 MB (some two thousand such tuples). Reading is
//! held against quick-xml's `NsReader`, which resolves names and builds nothing, and against
//! roxmltree, which builds a tree that borrows its text; `benches/beside_libxml2/run` adds libxml2
//! with a walk over the tree, the way C servers read presence.
//!
//! Contestants take turns, so that a busy moment of the machine hits all of them. Times are CPU
//! time of the thread: the least and the median of all turns. Allocations are counted by the benchmark
//! `memory`, since counting takes time.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "no part of the library; prints its findings"
)]

#[path = "common/documents.rs"]
mod documents;
#[path = "common/ns_reader.rs"]
mod ns_reader;

use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use cpu_time::ThreadTime;
use ns_reader::ns_reader;
use presentity::pidf::{Presence, ReadOptions};

fn roxmltree(document: &str) -> usize {
    let tree = roxmltree::Document::parse(document).expect("well-formed");
    black_box(&tree).descendants().count()
}

/// Runs long enough to be measured, and how long one takes.
struct Contestant<'d> {
    name: &'static str,
    run: Box<dyn FnMut() + 'd>,
    turns: Vec<Duration>,
}

impl<'d> Contestant<'d> {
    fn new(name: &'static str, mut run: impl FnMut() + 'd) -> Self {
        run();
        Self {
            name,
            run: Box::new(run),
            turns: Vec::new(),
        }
    }

    fn turn(&mut self, times: u32) {
        let start = ThreadTime::now();
        for _ in 0..times {
            (self.run)();
        }
        self.turns.push(start.elapsed() / times);
    }
}

const TURNS: usize = 41;

fn compete(size: &str, text: &str) {
    let octets = text.as_bytes();
    let document = Presence::read(octets).expect("readable");
    let strict = ReadOptions::strict();
    Presence::read_with(octets, &strict).expect("valid");
    let mut contestants = [
        Contestant::new("NsReader, events only", || {
            black_box(ns_reader(black_box(octets)));
        }),
        Contestant::new("Presence::read", || {
            black_box(Presence::read(black_box(octets)).expect("readable"));
        }),
        Contestant::new("the same, strict", || {
            black_box(Presence::read_with(black_box(octets), &strict).expect("valid"));
        }),
        Contestant::new("roxmltree, tree", || {
            black_box(roxmltree(black_box(text)));
        }),
        Contestant::new("Presence::write", || {
            black_box(black_box(&document).write().expect("writable"));
        }),
    ];
    let times = u32::try_from(4_000_000 / octets.len()).expect("few").max(1);
    for _ in 0..TURNS {
        for contestant in &mut contestants {
            contestant.turn(times);
        }
    }
    let least = |turns: &[Duration]| turns.iter().min().copied().unwrap_or_default();
    let baseline = least(&contestants[0].turns).as_nanos() as f64;
    for contestant in &mut contestants {
        contestant.turns.sort_unstable();
        let (best, median) = (least(&contestant.turns), contestant.turns[TURNS / 2]);
        println!(
            "{size:>8} {:<24} {:>10.2} {:>10.2} {:>8.2}",
            contestant.name,
            best.as_nanos() as f64 / 1_000.0,
            median.as_nanos() as f64 / 1_000.0,
            best.as_nanos() as f64 / baseline,
        );
    }
    if let Some(walk) = std::env::var_os("LIBXML2_WALK") {
        libxml2(size, octets, times, baseline, &PathBuf::from(walk));
    }
}

/// A program that prints the least and the median CPU time of its turns, in nanoseconds.
fn libxml2(size: &str, octets: &[u8], times: u32, baseline: f64, walk: &PathBuf) {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("document-{size}.xml"));
    std::fs::write(&file, octets).expect("written");
    let output = Command::new(walk)
        .arg(&file)
        .args([times.to_string(), TURNS.to_string()])
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let times: Vec<f64> = said
        .split_whitespace()
        .map(|number| number.parse().expect("a number"))
        .collect();
    println!(
        "{size:>8} {:<24} {:>10.2} {:>10.2} {:>8.2}",
        "libxml2, tree and walk",
        times[0] / 1_000.0,
        times[1] / 1_000.0,
        times[0] / baseline,
    );
}

fn main() {
    println!(
        "{:>8} {:<24} {:>10} {:>10} {:>8}",
        "octets", "", "least, us", "median", "to first"
    );
    for text in documents::all() {
        compete(&text.len().to_string(), &text);
    }
}
