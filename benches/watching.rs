//! What a watcher costs: a NOTIFY beside the reading of its document alone, and the refresh of each of 10⁵
//! subscriptions.
//!
//! `cargo bench --bench watching` prints tables. Times are CPU time of the thread; contestants take turns,
//! so that a busy moment of the machine hits all of them. What the notifiers of the benchmark do is part
//! of a refresh: it makes the NOTIFY. Heap is counted by the benchmark `memory`.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "no part of the library; prints its findings"
)]

#[path = "common/buddies.rs"]
mod buddies;
mod common;

use std::hint::black_box;
use std::time::Duration;

use buddies::{Buddies, Notify, written};
use cpu_time::ThreadTime;
use presentity::pidf::Presence;

const ROUNDS: usize = 1_000;
const EACH: usize = 64;
const MANY: u64 = 100_000;

fn timed(run: impl FnOnce()) -> Duration {
    let begin = ThreadTime::now();
    run();
    begin.elapsed()
}

fn main() {
    // `cargo test` compiles benchmarks and runs them with this.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    notifies();
    refreshes();
}

fn notifies() {
    let mut buddies = Buddies::new();
    buddies.grow(EACH as u64, true);
    let bodies: Vec<[_; 2]> = (0..EACH as u64)
        .map(|buddy| [written(buddy, false), written(buddy, true)])
        .collect();
    let octets = bodies[0][0].len();
    let mut times = [const { Vec::new() }; 4];
    for round in 0..ROUNDS {
        let odd = usize::from(round % 2 == 0);
        let body = |buddy: usize| bodies[buddy][odd].clone();
        times[0].push(timed(|| {
            for pair in &bodies {
                black_box(Presence::read(&pair[odd]).expect("well-formed"));
            }
        }));
        let made = |buddies: &mut Buddies, empty: bool| -> Vec<Notify> {
            let body = |buddy| {
                if empty {
                    Default::default()
                } else {
                    body(buddy)
                }
            };
            (0..EACH)
                .map(|buddy| buddies.notify(buddy, body(buddy)))
                .collect()
        };
        for (place, empty) in [(1, false), (2, false), (3, true)] {
            let before = buddies.changes;
            let all = made(&mut buddies, empty);
            times[place].push(timed(|| {
                for notify in &all {
                    buddies.take(&notify.view());
                }
            }));
            let changed = buddies.changes - before;
            assert_eq!(changed, if place == 1 { EACH as u64 } else { 0 });
        }
    }
    println!("a document of {octets} octets             least  median   of reading");
    let names = [
        "read alone",
        "NOTIFY with it, changed",
        "NOTIFY with it, the same",
        "NOTIFY without it",
    ];
    let mut reading = 0.0;
    for (name, mut times) in names.into_iter().zip(times) {
        times.sort_unstable();
        let each = |time: Duration| time.as_secs_f64() * 1e6 / EACH as f64;
        let (least, median) = (each(times[0]), each(times[times.len() / 2]));
        if reading == 0.0 {
            reading = least;
        }
        println!(
            "{name:<32} {least:>6.2} {median:>6.2} µs  {:>6.2}",
            least / reading
        );
    }
}

fn refreshes() {
    let mut buddies = Buddies::new();
    buddies.grow(MANY, true);
    println!("\n{MANY} subscriptions, a refresh of each, with the notifier's part");
    for (name, odd) in [("the document changed", true), ("the same document", true)] {
        let mut refreshed = 0;
        let time = timed(|| refreshed = buddies.refresh_all(|buddy| written(buddy, odd)));
        assert_eq!(refreshed, MANY);
        let each = time.as_secs_f64() * 1e6 / refreshed as f64;
        println!("{name:<32} {each:>6.2} µs");
    }
    println!("tables: {:?}", buddies.watcher.occupancy());
}
