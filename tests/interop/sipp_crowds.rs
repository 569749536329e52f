//! SIPp as many watchers of one presentity, and as watchers that answer nothing.

use crate::server::Server;
use crate::sipp::{GO_ON, ONCE, Run};
use crate::{Folder, Transport, asked_for};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn each_of_many_watchers_learns_of_a_change() {
    const WATCHERS: u32 = 600;
    if !asked_for("sipp") {
        return;
    }
    let (mut server, folder) = (Server::open_to_all(), Folder::new("crowd"));
    let watchers = Run {
        scenario: "crowd",
        calls: WATCHERS,
        options: GO_ON,
        ..ONCE
    };
    let watchers = watchers.start(server.port, &folder);
    let all = format!("{WATCHERS} there");
    let within = Duration::from_secs(40);
    server.wait_until_it_answers("stats", &["subscriptions:", &all], within);
    // Until nobody waits for a repeated NOTIFY any more.
    thread::sleep(Duration::from_millis(3000));
    let publisher = Run {
        scenario: "publish_and_leave",
        ..ONCE
    };
    publisher.run(server.port, &folder);
    watchers.finish();
    server.wait_until_gone(&["ingrid"]);
    let from = server.said();
    server.tell("stats");
    // To each: when it came, when the state changed, when it went.
    let sent = format!("NOTIFYs: {} sent, 0 failed, 0 under way", 3 * WATCHERS);
    server.wait_for(from, &[&sent]);
}

#[test]
fn watchers_that_answer_nothing_hold_up_nobody_and_are_forgotten() {
    const SILENT: [(Transport, u32); 2] = [(Transport::Udp, 60), (Transport::Tcp, 20)];
    /// How long a NOTIFY goes unanswered before it counts as failed (RFC 3261, Timer F).
    const TIMER_F: Duration = Duration::from_secs(32);
    if !asked_for("sipp") {
        return;
    }
    let (mut server, folder) = (Server::open_to_all(), Folder::new("silent"));
    let silent = SILENT.map(|(transport, calls)| {
        let run = Run {
            scenario: "silent",
            transport,
            watcher: transport.name(),
            calls,
            options: GO_ON,
            ..ONCE
        };
        run.start(server.port, &folder)
    });
    server.wait_until_it_answers(
        "stats",
        &["subscriptions:", "80 there"],
        Duration::from_secs(10),
    );
    let all_there = Instant::now();

    for transport in Transport::BOTH {
        let watcher = Run {
            scenario: "watch",
            transport,
            ..ONCE
        };
        let publisher = Run {
            scenario: "publish",
            transport,
            ..ONCE
        };
        let from = server.said();
        let watcher = watcher.start(server.port, &folder);
        server.wait_for(from, &["ingrid@example.org", "tomas@example.com"]);
        publisher.run(server.port, &folder);
        watcher.finish();
    }
    assert!(all_there.elapsed() < TIMER_F - Duration::from_secs(5));
    let from = server.said();
    server.tell("stats");
    server.wait_for(from, &["subscriptions:", "80 there"]);

    thread::sleep(TIMER_F.saturating_sub(all_there.elapsed()));
    server.wait_until_it_answers(
        "stats",
        &["subscriptions:", " 0 there"],
        Duration::from_secs(5),
    );
    server.wait_until_gone(&["udp", "tcp"]);
    let ended = |line: &&str| line.ends_with("ended: NOTIFY not answered");
    assert_eq!(server.output().lines().filter(ended).count(), 80);
    let from = server.said();
    server.tell("stats");
    server.wait_for(from, &["NOTIFYs:", "80 failed, 0 under way"]);
    for sipp in silent {
        sipp.finish();
    }
}
