//! Heap per active subscription, live and at the peak, and allocations per message.
//!
//! `cargo bench --bench memory` prints a table. Counted are the octets that were asked of the
//! allocator; what the system's allocator adds for its own purposes is left out.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "no part of the library; prints its findings"
)]

#[path = "common/buddies.rs"]
mod buddies;
mod common;
#[path = "common/documents.rs"]
mod documents;
#[path = "common/requests.rs"]
mod requests;

use allocation_counter::{AllocationInfo, measure};
use buddies::{Buddies, written};
use common::{Dialog, Population, REFERENCE, VIA};
use presentity::event::Output;
use presentity::pidf::Presence;
use presentity::sdf::Operation;

/// Runs something and tells what it gave and what it took.
fn measured<T>(run: impl FnOnce() -> T) -> (T, AllocationInfo) {
    let mut value = None;
    let info = measure(|| value = Some(run()));
    (value.into_iter().next().expect("it ran"), info)
}

/// Makes the subscriptions of a population and ends them. What watchers keep is not counted.
fn subscriptions(count: u64, per_presentity: u64) {
    let presentities = count / per_presentity;
    let configure = |config: &mut presentity::presence::AgentConfig| {
        // None runs out in the making.
        config.server.max_expires = 1_000_000;
    };
    let (mut population, state) = measured(|| Population::new(presentities, configure));
    let mut dialogs: Vec<Dialog> = Vec::with_capacity(count as usize);
    let ((), info) = measured(|| {
        for number in 0..count {
            let mut dialog = population.newcomer(number % presentities);
            population.join(&mut dialog);
            dialogs.push(dialog);
        }
        population.rest();
    });
    let ((), end) = measured(|| {
        for dialog in &mut dialogs {
            population.leave(dialog);
        }
        population.rest();
    });
    let per = |octets: i64, count: u64| octets as f64 / count as f64;
    println!(
        "{count:>13} {per_presentity:>14} {:>8.1} {:>8.1} {:>8.2} {:>10.1} {:>17.1}",
        per(info.bytes_current, count),
        per(info.bytes_max as i64, count),
        per(info.count_current, count),
        per(info.bytes_current + end.bytes_current, count),
        per(state.bytes_current, presentities),
    );
}

/// Allocations of one exchange, in the steady state.
fn allocations() {
    const ROUNDS: u64 = 1_000;
    let tell = |what: &str, info: AllocationInfo, rounds: u64| {
        println!(
            "{what:<62} {:>6.2}",
            info.count_total as f64 / rounds as f64
        );
    };
    let mut population = Population::with_subscriptions(1_000, 10_000);
    let mut dialogs: Vec<Dialog> = (0..ROUNDS).map(|n| population.newcomer(n)).collect();
    let requests: Vec<_> = dialogs.iter().map(Population::initial).collect();
    let mut done = Vec::with_capacity(requests.len());
    let ((), info) = measured(|| {
        for request in &requests {
            done.push(population.exchange(&request.view(), request));
        }
    });
    tell("SUBSCRIBE with its view, 200 and NOTIFY", info, ROUNDS);
    let ((), info) = measured(|| {
        for (_, transaction) in &done {
            population.answer(*transaction);
        }
    });
    tell("the answer to a NOTIFY", info, ROUNDS);
    for (dialog, (tag, _)) in dialogs.iter_mut().zip(done) {
        Population::enter(dialog, tag);
    }

    let requests: Vec<_> = dialogs
        .iter_mut()
        .map(|dialog| Population::again(dialog, false))
        .collect();
    let mut done = Vec::with_capacity(requests.len());
    let ((), info) = measured(|| {
        for request in &requests {
            done.push(population.exchange(&request.view(), request));
        }
    });
    tell("a refresh with its view, 200 and NOTIFY", info, ROUNDS);
    for (_, transaction) in done {
        population.answer(transaction);
    }

    for _ in 0..ROUNDS {
        population.grow(0);
    }
    population.rest();
    let ((), info) = measured(|| population.change(0));
    tell("a change of state", info, 1);
    let mut buffer = Vec::with_capacity(4_096);
    let mut notifies = 0;
    let ((), info) = measured(|| {
        while let Some(output) = population.agent.poll_output() {
            if let Output::Send(request) = output {
                buffer.clear();
                request.write_to(VIA, &mut buffer);
                notifies += 1;
            }
        }
    });
    assert_eq!(buffer.len(), REFERENCE);
    tell(
        "a NOTIFY of a fan-out, written, its document apart",
        info,
        notifies,
    );
}

/// What a watcher holds of each presentity, and what its NOTIFYs allocate.
fn watchers() {
    println!("Octets of heap for each subscription of a watcher: nothing known, and a document");
    for count in [1_000, 100_000] {
        let [bare, told] = [false, true].map(|with_document| {
            let mut buddies = Buddies::new();
            buddies.grow(count, with_document);
            let ((), gone) = measured(|| drop(buddies.watcher));
            -gone.bytes_current as f64 / count as f64
        });
        println!("{count:>13} {bare:>8.1} {told:>8.1}");
    }
    let mut buddies = Buddies::new();
    buddies.grow(100, true);
    let mut allocations = |what: &str, body: &dyn Fn(u64) -> bytes::Bytes| {
        let all: Vec<_> = (0..100)
            .map(|buddy| buddies.notify(buddy, body(buddy as u64)))
            .collect();
        let ((), info) = measured(|| {
            for notify in &all {
                buddies.take(&notify.view());
            }
        });
        println!("{what:<62} {:>6.2}", info.count_total as f64 / 100.0);
    };
    allocations("a NOTIFY with another document", &|buddy| {
        written(buddy, true)
    });
    allocations("a NOTIFY with the same document", &|buddy| {
        written(buddy, true)
    });
    allocations("a NOTIFY without a document", &|_| bytes::Bytes::new());
    println!();
}

/// Allocations of a document read and written.
fn of_documents() {
    println!("Allocations for a document, by its octets: read, written");
    for text in documents::all() {
        let (document, read) = measured(|| Presence::read(text.as_bytes()).expect("readable"));
        let (_, written) = measured(|| document.write().expect("writable"));
        println!(
            "{:>8} {:>8} {:>8}",
            text.len(),
            read.count_total,
            written.count_total
        );
    }
    println!();
}

/// What subscriptions take that documents have made, with what is remembered of these documents, and
/// later without.
fn of_requests() {
    println!(
        "Octets of heap for each subscription of the service: at first, later, and requests remembered"
    );
    for count in [1_000, 100_000, 1_000_000] {
        let mut population = requests::Population::new(count);
        let all: Vec<_> = (0..count)
            .map(|watcher| population.request(watcher, count, Operation::Subscribe))
            .collect();
        let ((), first) = measured(|| {
            for sent in &all {
                population.carry_out(sent);
            }
        });
        let remembered = population.service.agent().bodies().remembered();
        let ((), later) = measured(|| {
            for _ in 0..2 {
                // More than they are remembered for.
                population.tick += 13_000_000;
                let fetch = population.request(0, count, Operation::Fetch);
                population.carry_out(&fetch);
            }
        });
        let per = |octets: i64| octets as f64 / count as f64;
        println!(
            "{count:>13} {:>8.1} {:>8.1} {remembered:>10}",
            per(first.bytes_current),
            per(first.bytes_current + later.bytes_current),
        );
    }
    println!();
}

fn main() {
    of_documents();
    of_requests();
    watchers();
    println!("Allocations for");
    allocations();
    println!();
    println!("Octets of heap for each subscription; documents of presentities included");
    println!(
        "subscriptions to each person     live     peak   blocks when ended state of a person"
    );
    for count in [100_000, 1_000_000] {
        for per_presentity in [1, 10] {
            subscriptions(count, per_presentity);
        }
    }
}
