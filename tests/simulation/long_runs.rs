//! What piles up over many NOTIFYs or over days would show here.

use crate::from_environment;
use crate::manners::Manners;
use crate::network::{MILLI, SECOND, Weather};
use crate::plan::{self, Ending, OPERATION, Setting};
use crate::terms::Extensions;
use crate::world::{Size, World};

fn setting(weather: Weather, manners: Manners, extensions: Extensions) -> Setting {
    Setting {
        weather,
        manners,
        streams: true,
        extensions,
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
    let size = Size {
        watchers,
        publishers: 4,
        presentities: 3,
    };
    let setting = setting(Weather::CLEAR, Manners::default(), Extensions::default());
    let mut world = World::new(&setting, size);
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
fn coming_and_going(size: Size, hours: u64, manners: Manners, pace: u64) {
    let mut world = World::new(&setting(ROUGH, manners, Extensions::ALL), size);
    let begin = world.network.now;
    let end = begin + hours * 3_600 * SECOND;
    let vast = world.is_vast();
    let mut dice = crate::dice::Dice::new(hours);
    if vast {
        world.everybody_comes();
        world.pass(600 * SECOND);
    }
    let (mut looks, mut full) = (0, 0);
    while world.network.now < end {
        let bytes: [u8; OPERATION] = std::array::from_fn(|_| dice.roll(256) as u8);
        let mut operation = plan::operation(&bytes);
        operation.who = dice.roll(1 << 20) as usize;
        world.pass(operation.wait / pace);
        world.act(operation);
        looks += 1;
        full += u64::from(world.host.ledger.tally.live >= 10_000);
    }
    world.calm();
    let settled = world.check_everybody();
    let mut course = world.end();
    course.settled = settled;
    println!("{looks} operations, {full} of them among 10,000 subscriptions");
    println!("{course:#?}");
    let watchers = size.watchers as u64;
    assert!(course.subscriptions > 3 * watchers && settled > watchers / 3);
    if vast {
        assert!(full * 10 > looks * 9 && course.host.interrupted > 0);
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
    let size = Size {
        watchers: 12,
        publishers: 4,
        presentities: 3,
    };
    let manners = Manners {
        digest: true,
        sluggish: true,
        unsendable: 10,
        forgetful: 10,
        ..Manners::default()
    };
    coming_and_going(size, 2, manners, 1);
}

#[test]
fn nothing_is_left_after_36_hours_of_coming_and_going() {
    if asked_for_long_runs() {
        let size = Size {
            watchers: from_environment("PRESENTITY_WATCHERS", 12_000) as usize,
            publishers: 60,
            presentities: 100,
        };
        let manners = Manners {
            crowded: 12 * SECOND,
            digest: true,
            sluggish: true,
            unsendable: 2,
            forgetful: 2,
            ..Manners::default()
        };
        coming_and_going(size, from_environment("PRESENTITY_HOURS", 36), manners, 6);
    }
}
