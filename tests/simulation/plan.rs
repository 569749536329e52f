//! What is done in a run, decoded from bytes: those of a seed, or a fuzzer's.

use presentity::event::Reason;

use crate::dice::Dice;
use crate::host::HostSetting;
use crate::ledger::TICK;
use crate::model::Rule;
use crate::network::{MILLI, SECOND, Weather};
use crate::watcher::Mood;

#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub weather: Weather,
    pub host: HostSetting,
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
    /// Asks for more time at the deadline, this much later.
    Edge(i64),
    Fetch,
    Unsubscribe,
    Expires(u32),
    Lapse,
    Vanish,
    /// Comes back at once under a new Call-ID.
    Return,
    Mood(Mood),
    Publish,
    Refresh,
    Remove,
    PublishFor(u32),
    Forget,
    SetPresence(usize),
    ClearPresence(usize),
    Rule(Rule),
    Decide(Rule),
    Terminate(Reason),
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
pub const SETTING: usize = 8;
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

fn setting_of([weather, lateness, host, window, ending, seed @ ..]: [u8; SETTING]) -> Setting {
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
    let host = HostSetting {
        window: [None, None, None, Some(1), Some(3)][usize::from(window) % 5],
        timers_per_call: if host & 1 == 0 { 512 } else { 1 },
        lateness: [0, 0, 20 * MILLI, 700 * MILLI][usize::from(lateness) % 4],
        lazy: if host & 2 == 0 { 0 } else { 500 },
        spurious: if host & 4 == 0 { 0 } else { 200 },
        flows: host & 8 == 0,
        thorough: true,
    };
    let ending = [Ending::Farewell, Ending::Silence, Ending::Closing][usize::from(ending) % 3];
    let network_seed = seed.iter().fold(0, |all, it| all << 8 | u64::from(*it));
    Setting {
        weather,
        host,
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
    let act = match kind % 41 {
        0..=7 => Act::Subscribe,
        8 => Act::Edge([-tick, -1, 0, 1, tick][at % 5]),
        9 => Act::Edge([-1, 0][at % 2]),
        10 | 11 => Act::Fetch,
        12 | 13 => Act::Unsubscribe,
        14 => Act::Expires([60, 61, 90, 300, 30][at % 5]),
        15 => Act::Lapse,
        16 => Act::Vanish,
        17 => Act::Return,
        18 => Act::Mood(Mood::Slow(
            [200 * MILLI, 3 * SECOND, 20 * SECOND, 40 * SECOND][at % 4],
        )),
        19 => Act::Mood(Mood::Dead),
        20 => Act::Mood(Mood::Refusing(503, Some([0, 1, 8, 45][at % 4]))),
        21 => Act::Mood(Mood::Refusing([481, 500][at % 2], None)),
        22 | 23 => Act::Mood(Mood::Honest),
        24..=26 => Act::Publish,
        27 => Act::Refresh,
        28 => Act::Remove,
        29 => Act::PublishFor([60, 61, 120][at % 3]),
        30 => Act::Forget,
        31 | 32 => Act::SetPresence(at % 3),
        33 => Act::ClearPresence(at % 3),
        34 => Act::Rule(Rule::ALL[at % 5]),
        35 | 36 => Act::Decide(Rule::ALL[at % 5]),
        37 => Act::Terminate(
            [
                Reason::Deactivated,
                Reason::Probation,
                Reason::Rejected,
                Reason::GiveUp,
                Reason::Invariant,
                Reason::Timeout,
            ][at % 6],
        ),
        38 => Act::Cut([SECOND, 10 * SECOND, 40 * SECOND, 120 * SECOND][at % 4]),
        39 => Act::LoseFlow,
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
