//! What piles up over many NOTIFYs or over days would show here.

use crate::from_environment;
use crate::host::HostSetting;
use crate::network::{MILLI, SECOND, Weather};
use crate::plan::{self, Ending, OPERATION, Setting};
use crate::world::World;

fn setting(weather: Weather, thorough: bool) -> Setting {
    let host = HostSetting {
        thorough,
        ..HostSetting::default()
    };
    Setting {
        weather,
        host,
        network_seed: 36,
        ending: Ending::Farewell,
    }
}

fn asked_for_long_runs() -> bool {
    let asked = from_environment("PRESENTITY_LONG", 0) == 1;
    if !asked {
        println!("not asked for: set PRESENTITY_LONG=1");
    }
    asked
}

/// Nothing ever goes wrong: so many watchers of one presentity, and so many changes.
fn nothing_goes_wrong(watchers: usize, changes: u64) {
    let mut world = World::new(&setting(Weather::CLEAR, watchers < 100), watchers);
    for watcher in &mut world.watchers {
        watcher.watch(0);
        watcher.expires = 3600;
        watcher.subscribe(&mut world.network);
    }
    world.pass(SECOND);
    let count = watchers as u64;
    let mut steady = None;
    for change in 0..changes {
        let before = world.host.ledger.changes;
        world.change(0);
        world.pass(5 * SECOND + 200 * MILLI);
        assert_eq!(world.host.ledger.changes, before + count, "at {change}");
        let occupancy = world.host.agent.occupancy();
        let in_flight = (occupancy.open_notifies, occupancy.outputs);
        if in_flight == (0, 0) {
            assert_eq!(*steady.get_or_insert(occupancy), occupancy, "at {change}");
        }
    }
    assert!(steady.is_some());
    world.check_documents();
    let counters = world.host.agent.counters();
    assert_eq!(counters.subscriptions_started(), count);
    assert_eq!(
        counters.subscriptions_ended() + counters.notifies_failed(),
        0
    );
    assert_eq!(world.host.ledger.changes, changes * count);
    world.end();
}

#[test]
fn nothing_is_left_when_nothing_goes_wrong() {
    nothing_goes_wrong(20, 50);
}

#[test]
fn a_million_notifies_leave_no_trace() {
    if asked_for_long_runs() {
        nothing_goes_wrong(1_000, 1_000);
    }
}

/// Operations of all kinds, until so much time has passed.
fn coming_and_going(watchers: usize, hours: u64, weather: Weather, pace: u64) {
    let mut world = World::new(&setting(weather, watchers < 100), watchers);
    let end = world.network.now + hours * 3_600 * SECOND;
    let mut dice = crate::dice::Dice::new(hours);
    while world.network.now < end {
        let bytes: [u8; OPERATION] = std::array::from_fn(|_| dice.roll(256) as u8);
        let mut operation = plan::operation(&bytes);
        operation.who = dice.roll(1 << 20) as usize;
        world.pass(operation.wait / pace);
        world.act(operation);
    }
    world.calm();
    let settled = world.check_everybody();
    let mut course = world.end();
    course.settled = settled;
    println!("{course:?}");
    assert!(course.subscriptions > 3 * watchers as u64 && settled > watchers as u64 / 3);
    if hours == 36 {
        assert!(course.subscriptions > 10_000);
    }
}

const ROUGH: Weather = Weather {
    lost: 60,
    doubled: 40,
    delay: (MILLI, 300 * MILLI),
    stragglers: 10,
};

#[test]
fn nothing_is_left_after_two_hours_of_coming_and_going() {
    coming_and_going(12, 2, ROUGH, 1);
}

#[test]
fn nothing_is_left_after_36_hours_of_coming_and_going() {
    if asked_for_long_runs() {
        coming_and_going(150, 36, ROUGH, 2);
    }
}
