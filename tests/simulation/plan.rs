//! What is done in a run, decoded from bytes: those of a seed, or a fuzzer's.

use presentity::event::Reason;

use crate::dice::Dice;
use crate::ledger::TICK;
use crate::manners::{Bounds, Manners};
use crate::model::Rule;
use crate::network::{MILLI, SECOND, Weather};
use crate::terms::Extensions;
use crate::watcher::Mood;

#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub weather: Weather,
    pub manners: Manners,
    /// Every second one comes by a connection.
    pub streams: bool,
    pub extensions: Extensions,
    pub network_seed: u64,
    pub ending: Ending,
}

/// How all comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everybody takes leave.
    Farewell,
    /// Nobody says a word more.
    Silence,
    /// The application ends the subscriptions.
    Closing,
}

#[derive(Debug, Clone, Copy)]
pub enum Act {
    Subscribe,
    /// The same, and asks for something else from now on.
    Ask,
    /// Asks for more time at the deadline, this much later.
    Edge(i64),
    Fetch,
    /// Leaves what it has as it is, and watches another presentity from now on.
    Elsewhere(usize),
    Unsubscribe,
    Expires(u32),
    Lapse,
    Vanish,
    /// Comes back at once under a new Call-ID, with what it has or without.
    Return(bool),
    Mood(Mood),
    Publish,
    Refresh,
    Remove,
    /// Refreshes at the deadline, this much later.
    EdgeOfPublication(i64),
    PublishFor(u32),
    Forget,
    SetPresence(usize),
    ClearPresence(usize),
    Rule(Rule),
    Decide(Rule),
    /// For all that a watcher has to its presentity.
    DecideWatcher(Rule),
    /// The brief view shows something else.
    TurnView,
    /// Whether the application is asked about what a publisher publishes.
    Defer(bool),
    /// All credentials are void.
    NewNonce,
    Terminate(Reason),
    /// All subscriptions to a presentity.
    TerminatePresentity(Reason),
    TerminateAll(Reason),
    /// The host takes no outputs for this long.
    Stall(u64),
    /// Nor does it take messages: they are lost.
    Suspend(u64),
    /// The host's clock goes forward or back.
    TurnClock(i64),
    /// Nothing gets through to or from it for this long.
    Cut(u64),
    /// Its connection is lost.
    LoseFlow,
    /// Some changes in a row, this far apart.
    Burst(u64),
}

#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// How long nothing is done before.
    pub wait: u64,
    pub act: Act,
    /// Whose act it is.
    pub who: usize,
}

/// Octets of the setting, and of one operation.
pub const SETTING: usize = 12;
pub const OPERATION: usize = 4;

/// The bytes that a seed stands for.
pub fn bytes_of(seed: u64, operations: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let length = SETTING + operations * OPERATION;
    (0..length).map(|_| dice.roll(256) as u8).collect()
}

/// Any bytes mean something.
pub fn decode(bytes: &[u8]) -> (Setting, Vec<Operation>) {
    let mut setting = [0; SETTING];
    let (head, rest) = bytes.split_at(bytes.len().min(SETTING));
    setting[..head.len()].copy_from_slice(head);
    let operations = rest.chunks_exact(OPERATION).map(operation).collect();
    (setting_of(setting), operations)
}

fn setting_of(bytes: [u8; SETTING]) -> Setting {
    let [
        weather,
        lateness,
        host,
        window,
        ending,
        bounds,
        sending,
        way,
        seed @ ..,
    ] = bytes;
    let weather = match weather % 6 {
        0 => Weather::CLEAR,
        1 => Weather {
            lost: 100,
            doubled: 50,
            delay: (MILLI, 300 * MILLI),
            stragglers: 20,
        },
        2 => Weather {
            lost: 350,
            doubled: 20,
            delay: (MILLI, 200 * MILLI),
            stragglers: 0,
        },
        3 => Weather {
            lost: 20,
            doubled: 600,
            delay: (0, 450 * MILLI),
            stragglers: 0,
        },
        // Copies outlive the transactions that they are of.
        4 => Weather {
            lost: 150,
            doubled: 300,
            delay: (0, 4 * SECOND),
            stragglers: 100,
        },
        _ => Weather {
            lost: 550,
            doubled: 100,
            delay: (MILLI, 900 * MILLI),
            stragglers: 10,
        },
    };
    let bounds = usize::from(bounds).checked_sub(100);
    let bounds = bounds.map_or(Bounds::None, |it| Bounds::ALL[it % Bounds::ALL.len()]);
    let manners = Manners {
        window: [None, None, None, Some(1), Some(3)][usize::from(window) % 5],
        timers_per_call: if host & 1 == 0 { 512 } else { 1 },
        lateness: [0, 0, 20 * MILLI, 700 * MILLI][usize::from(lateness) % 4],
        crowded: 0,
        lazy: if host & 2 == 0 { 0 } else { 500 },
        spurious: if host & 4 == 0 { 0 } else { 200 },
        flows: host & 8 == 0,
        digest: host & 16 == 0,
        sluggish: host & 32 == 0,
        unsendable: [0, 0, 0, 30, 200][usize::from(sending) % 5],
        forgetful: [0, 0, 0, 30][usize::from(sending / 5) % 4],
        bounds,
    };
    let ending = [Ending::Farewell, Ending::Silence, Ending::Closing][usize::from(ending) % 3];
    let network_seed = seed.iter().fold(0, |all, it| all << 8 | u64::from(*it));
    Setting {
        weather,
        manners,
        streams: way % 3 == 0,
        extensions: Extensions::of(usize::from(way / 3)),
        network_seed,
        ending,
    }
}

pub fn operation(bytes: &[u8]) -> Operation {
    let &[kind, who, how, wait] = bytes else {
        panic!("a whole operation");
    };
    let at = usize::from(how);
    let tick = TICK as i64;
    let act = match kind % 63 {
        0..=9 if at % 2 == 0 => Act::Ask,
        0..=9 => Act::Subscribe,
        10 => Act::Edge([-tick, -1, 0, 1, tick][at % 5]),
        11 => Act::Edge([-1, 0][at % 2]),
        12 | 13 => Act::Fetch,
        14 | 15 => Act::Unsubscribe,
        16 => Act::Expires([60, 61, 90, 300, 30][at % 5]),
        17 => Act::Lapse,
        18 => Act::Vanish,
        19 => Act::Return(at % 3 > 0),
        20 => Act::Mood(Mood::Slow(
            [200 * MILLI, 3 * SECOND, 20 * SECOND, 40 * SECOND][at % 4],
        )),
        21 => Act::Mood(Mood::Dead),
        22 => Act::Mood(Mood::Refusing(503, Some([0, 1, 8, 45][at % 4]))),
        23 => Act::Mood(Mood::Refusing([481, 500][at % 2], None)),
        24 | 25 => Act::Mood(Mood::Asking(at % 4 == 0)),
        26 | 27 => Act::Mood(Mood::Honest),
        28..=30 => Act::Publish,
        31 => Act::Refresh,
        32 => Act::Remove,
        33 => Act::PublishFor([60, 61, 120][at % 3]),
        34 => Act::Forget,
        35 | 36 => Act::SetPresence(at % 3),
        37 => Act::ClearPresence(at % 3),
        38 => Act::Rule(Rule::ALL[at % 5]),
        39 | 40 => Act::Decide(Rule::ALL[at % 5]),
        41 => Act::DecideWatcher(Rule::ALL[at % 5]),
        42 => Act::TurnView,
        43 | 44 => Act::Defer(at % 3 > 0),
        45 => Act::NewNonce,
        46 | 47 => Act::Terminate(reason(at)),
        48 => Act::TerminatePresentity(reason(at)),
        49 if at % 8 == 0 => Act::TerminateAll(reason(at / 8)),
        49 | 50 => Act::Cut([SECOND, 10 * SECOND, 40 * SECOND, 120 * SECOND][at % 4]),
        51 | 52 => Act::LoseFlow,
        53 | 58 => Act::Stall([300 * MILLI, 2 * SECOND, 4 * SECOND, 9 * SECOND][at % 4]),
        54 => Act::Suspend([5 * SECOND, 40 * SECOND, 200 * SECOND, 700 * SECOND][at % 4]),
        60 => Act::Elsewhere(at % 3),
        61 => Act::EdgeOfPublication([-1, 0, 1, tick][at % 4]),
        55 => Act::TurnClock([-1, 1, -SECOND_LONG, -20 * SECOND_LONG][at % 4]),
        56 => Act::TurnClock([10, 40, 90, 3_700][at % 4] * SECOND_LONG),
        _ => Act::Burst([1, 300 * MILLI, 2 * SECOND][at % 3]),
    };
    let wait = match wait % 16 {
        0..=2 => 0,
        3 => 1,
        4 => 30 * MILLI,
        5 | 6 => 200 * MILLI,
        7 | 8 => SECOND,
        9 => 4_900 * MILLI,
        10 => 5 * SECOND,
        11 => 5_100 * MILLI,
        12 => 12 * SECOND,
        13 => 33 * SECOND,
        14 => 60 * SECOND - u64::from(how) * MILLI,
        _ => u64::from(how) * 100 * MILLI,
    };
    Operation {
        wait,
        act,
        who: usize::from(who),
    }
}

const SECOND_LONG: i64 = SECOND as i64;

fn reason(number: usize) -> Reason {
    [
        Reason::Deactivated,
        Reason::Probation,
        Reason::Rejected,
        Reason::GiveUp,
        Reason::Invariant,
        Reason::Timeout,
    ][number % 6]
}
