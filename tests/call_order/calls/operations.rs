//! Operations on an agent, read from bytes: every text of bytes is some course of events.

use core::time::Duration;

use presentity::event::{
    Authorization, Decision, Failure, Protection, Reason, Rejection, ReplacePublications,
    Termination, View,
};
use presentity::presence::{
    AgentConfig, BlockedDocument, LastingState, PendingDocument, UnknownDocument,
};

/// Bytes of the setting, in front of the operations.
const SETTING: usize = 8;
/// Bytes of one operation: all have the same, so that one can be left out without changing the next.
const WIDTH: usize = 4;
/// More is not read.
const LONGEST: usize = 400;

/// What the course begins with. Zeros are the defaults.
#[derive(Debug, Clone)]
pub struct Setting {
    pub config: AgentConfig,
    pub seed: u64,
    /// What the policy says of each watcher and each presentity.
    pub rules: Vec<Rule>,
    /// How the policy wants the documents for each watcher of each presentity.
    pub protections: Vec<Demand>,
    /// Before the end the host does nothing of what takes long.
    pub idle_host: bool,
    /// At the end the subscriptions run out; else the application ends them.
    pub run_out: bool,
}

/// What is decided about a watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Pending,
    Full,
    Public,
    Hidden,
    PoliteBlock,
    Forbid,
    Decline,
    Challenge,
}

impl Rule {
    fn read(byte: u8) -> Self {
        match byte % 12 {
            0 => Self::Pending,
            1..=3 => Self::Full,
            4 | 5 => Self::Public,
            6 => Self::Hidden,
            7 | 8 => Self::PoliteBlock,
            9 => Self::Forbid,
            10 => Self::Decline,
            _ => Self::Challenge,
        }
    }

    pub fn decision(self) -> Decision {
        match self {
            Self::Full => Decision::Allow(View::full()),
            Self::Public => Decision::Allow(View::named("public")),
            Self::Hidden => Decision::Allow(View::named("hidden")),
            Self::PoliteBlock => Decision::PoliteBlock,
            Self::Forbid => Decision::Reject(Rejection::Forbidden),
            Self::Decline => Decision::Reject(Rejection::Decline),
            Self::Pending | Self::Challenge => Decision::Pending,
        }
    }

    pub fn authorization(self) -> Authorization {
        match self {
            Self::Challenge => Authorization::Challenge,
            other => other.decision().into(),
        }
    }
}

/// How the policy wants documents, and whether it insists where a watcher does not take them so.
pub type Demand = (Protection, bool);

fn demand(byte: u8) -> Demand {
    const PROTECTIONS: [Protection; 5] = [
        Protection::None,
        Protection::Signed,
        Protection::SignedMessage,
        Protection::Encrypted,
        Protection::SignedAndEncrypted,
    ];
    (PROTECTIONS[usize::from(byte) % 5], byte >= 160)
}

/// What a watcher takes besides plain documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepts {
    pub signed: bool,
    pub encrypted: bool,
}

impl Accepts {
    fn read(byte: u8) -> Self {
        let (signed, encrypted) = match byte % 8 {
            0 | 1 => (false, false),
            2 => (true, false),
            3 => (false, true),
            _ => (true, true),
        };
        Self { signed, encrypted }
    }
}

/// What the host makes of a document that is to be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Making {
    Right,
    Fails,
    // As bad as nothing.
    NoType,
    BrokenType,
    Empty,
}

impl Making {
    fn read(byte: u8) -> Self {
        match byte % 16 {
            0..=9 => Self::Right,
            10..=12 => Self::Fails,
            13 => Self::NoType,
            14 => Self::BrokenType,
            _ => Self::Empty,
        }
    }
}

/// What the host finds in a protected body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// What the request needs: a document for a PUBLISH, nothing for a SUBSCRIBE.
    Right,
    /// The request itself.
    Request,
    /// Another one, under the same header.
    OtherRequest {
        encrypted: bool,
    },
    Text,
    Error(u8),
}

/// Kinds of [`Within::Error`].
pub const OPEN_ERRORS: u8 = 12;

impl Within {
    fn read(byte: u8) -> Self {
        match byte % 32 {
            0..=12 => Self::Right,
            13..=15 => Self::Request,
            16 => Self::OtherRequest { encrypted: false },
            17 => Self::OtherRequest { encrypted: true },
            18..=19 => Self::Text,
            other => Self::Error((other - 20) % OPEN_ERRORS),
        }
    }
}

/// The value of Expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Absent,
    Seconds(u32),
}

impl Wish {
    fn read(byte: u8) -> Self {
        match byte % 10 {
            0..=2 => Self::Seconds(600),
            3 => Self::Seconds(60),
            4 => Self::Seconds(90),
            5 => Self::Seconds(0),
            6 => Self::Seconds(5),
            7 => Self::Seconds(u32::MAX),
            8 => Self::Seconds(3600),
            _ => Self::Absent,
        }
    }
}

/// What is wrong, or only unusual, in a SUBSCRIBE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    None,
    // Unusual, and right.
    EventId,
    CompactNames,
    EmptySupported,
    RecordRoute,
    OptionalBody,
    OldType,
    BothTypes,
    /// It takes what has changed, and would rather have all.
    UnwantedParts,
    /// It says to have what nobody has.
    NobodysTag,
    /// A filter that is not in force.
    IdleFilter,
    /// What has changed is enough.
    Parts,
    /// The same, but not often.
    RareParts,
    /// Not often.
    Rarely,
    /// Often, be there news or not.
    Often,
    // Wrong.
    NoRate,
    TwoConditions,
    BrokenFilter,
    NoEvent,
    OtherEvent,
    WatcherInfo,
    UnknownAccept,
    Extension,
    UnknownBody,
    NoContact,
    TwoContacts,
    HugeContact,
    MethodMismatch,
    ExpiresNoNumber,
    TwoExpires,
    NoFromTag,
    NoCallId,
    ManyFields,
    UnknownDialog,
    OtherScheme,
    OtherDomain,
    BrokenUri,
    Repeated,
    // Wrong inside a dialog.
    OldSequence,
    OtherIdentity,
    NobodyNow,
    OtherRemoteTag,
    // Other methods.
    Notify,
    Cancel,
    Options,
    Ack,
}

const ODDITIES: [Oddity; 42] = [
    Oddity::None,
    Oddity::EventId,
    Oddity::CompactNames,
    Oddity::EmptySupported,
    Oddity::RecordRoute,
    Oddity::OptionalBody,
    Oddity::OldType,
    Oddity::BothTypes,
    Oddity::NoEvent,
    Oddity::OtherEvent,
    Oddity::WatcherInfo,
    Oddity::UnknownAccept,
    Oddity::Extension,
    Oddity::UnknownBody,
    Oddity::NoContact,
    Oddity::TwoContacts,
    Oddity::HugeContact,
    Oddity::MethodMismatch,
    Oddity::ExpiresNoNumber,
    Oddity::TwoExpires,
    Oddity::NoFromTag,
    Oddity::NoCallId,
    Oddity::ManyFields,
    Oddity::UnknownDialog,
    Oddity::OtherScheme,
    Oddity::OtherDomain,
    Oddity::BrokenUri,
    Oddity::Repeated,
    Oddity::OldSequence,
    Oddity::OtherIdentity,
    Oddity::NobodyNow,
    Oddity::OtherRemoteTag,
    Oddity::Notify,
    Oddity::Cancel,
    Oddity::Options,
    Oddity::Ack,
    Oddity::UnwantedParts,
    Oddity::NobodysTag,
    Oddity::IdleFilter,
    Oddity::NoRate,
    Oddity::TwoConditions,
    Oddity::BrokenFilter,
];

impl Oddity {
    fn read(byte: u8) -> Self {
        // Most requests are in order.
        const ODD: u8 = 255 - 2 * 41;
        match byte {
            130..=142 => Self::Parts,
            143..=152 => Self::RareParts,
            153..=162 => Self::Rarely,
            163..ODD => Self::Often,
            _ => {
                let place = usize::from(byte.saturating_sub(ODD) / 2);
                ODDITIES.get(place).copied().unwrap_or(Self::None)
            }
        }
    }
}

/// What is wrong in a PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishFault {
    None,
    OtherUser,
    Nobody,
    NoBodyNorTag,
    TwoTags,
    UnknownType,
    NoType,
    Encoded,
    BrokenDocument,
    HugeBody,
    OtherEvent,
    InDialog,
    Extension,
    OtherDomain,
    Repeated,
}

const PUBLISH_FAULTS: [PublishFault; 15] = [
    PublishFault::None,
    PublishFault::OtherUser,
    PublishFault::Nobody,
    PublishFault::NoBodyNorTag,
    PublishFault::TwoTags,
    PublishFault::UnknownType,
    PublishFault::NoType,
    PublishFault::Encoded,
    PublishFault::BrokenDocument,
    PublishFault::HugeBody,
    PublishFault::OtherEvent,
    PublishFault::InDialog,
    PublishFault::Extension,
    PublishFault::OtherDomain,
    PublishFault::Repeated,
];

/// Whose entity-tag a PUBLISH has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagChoice {
    None,
    /// The newest one that was told for some publication.
    Right,
    /// An older one, or one of a publication that is gone.
    Stale,
    /// One of another presentity.
    Elsewhere,
    Nonsense,
    /// Formed like the agent's own.
    Guessed,
    /// The right one in another spelling.
    Respelled,
}

/// What became of a NOTIFY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Status(u16),
    RetryAfter(u16, u32),
    Challenge(u16),
    Failure(Failure),
}

impl Outcome {
    fn read(byte: u8) -> Self {
        match byte % 24 {
            0..=8 => Self::Status(200),
            9 => Self::Status(202),
            10 => Self::Status(100),
            11 => Self::Status(481),
            12 => Self::Status(404),
            13 => Self::Status(500),
            14 => Self::Status(408),
            15 => Self::RetryAfter(503, 7),
            16 => Self::RetryAfter(500, 30),
            17 => Self::RetryAfter(480, 3),
            18 => Self::RetryAfter(503, u32::MAX),
            19 => Self::Challenge(401),
            20 => Self::Challenge(407),
            21 => Self::Status(401),
            22 => Self::Failure(Failure::Timeout),
            _ => Self::Failure(Failure::Transport),
        }
    }
}

/// How the application ends subscriptions: a reason, and when to come back.
pub type End = (Reason, Option<u32>);

pub fn termination((reason, retry_after): End) -> Termination {
    let termination = Termination::new(reason);
    match retry_after {
        Some(seconds) => termination.with_retry_after(seconds),
        None => termination,
    }
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Takes so many outputs.
    Poll(usize),
    /// Takes all there is.
    Drain,
    Subscribe {
        watcher: usize,
        presentity: usize,
        form: usize,
        wish: Wish,
        flow: Option<u64>,
        oddity: Oddity,
        accepts: Accepts,
    },
    Refresh {
        pick: usize,
        wish: Wish,
        flow: Option<u64>,
        oddity: Oddity,
        accepts: Accepts,
    },
    /// The same with a protected body.
    SubscribeSealed {
        watcher: usize,
        presentity: usize,
        wish: Wish,
        flow: Option<u64>,
        accepts: Accepts,
        optional: bool,
    },
    RefreshSealed {
        pick: usize,
        wish: Wish,
        flow: Option<u64>,
        accepts: Accepts,
        optional: bool,
    },
    PublishSealed {
        presentity: usize,
        tag: TagChoice,
        pick: usize,
        wish: Wish,
        flow: Option<u64>,
    },
    CompleteOpening {
        pick: usize,
        within: Within,
    },
    /// The policy wants documents protected otherwise from now on.
    Protect {
        watcher: usize,
        presentity: usize,
        demand: Demand,
    },
    CompleteProtection {
        pick: usize,
        making: Making,
    },
    Publish {
        presentity: usize,
        tag: TagChoice,
        pick: usize,
        body: bool,
        same_body: bool,
        wish: Wish,
        flow: Option<u64>,
        fault: PublishFault,
    },
    Answer {
        pick: usize,
        outcome: Outcome,
    },
    AnswerAll(Outcome),
    /// The outcome of a transaction that is over, or never was.
    StrayOutcome {
        pick: usize,
        made_up: bool,
        outcome: Outcome,
    },
    FlowLost(u64),
    Decide {
        pick: usize,
        rule: Rule,
    },
    DecideWatcher {
        watcher: usize,
        presentity: usize,
        rule: Rule,
    },
    /// The policy thinks otherwise from now on.
    Rule {
        watcher: usize,
        presentity: usize,
        rule: Rule,
    },
    SetPresence {
        presentity: usize,
        same: bool,
    },
    ClearPresence(usize),
    SetUnknownPresence,
    ViewsChanged(usize),
    Terminate {
        pick: usize,
        end: End,
    },
    TerminatePresentity {
        presentity: usize,
        end: End,
    },
    TerminateAll(End),
    CompleteJob {
        pick: usize,
        success: bool,
    },
    Credentials {
        pick: usize,
        clean: bool,
        stray: bool,
    },
    DeclineCredentials(usize),
    /// Time passes; nobody is told.
    Step(Duration),
    /// The next call has a time before the last one.
    StepBack(Duration),
    /// At the time that it is.
    Timeout,
    /// At the deadline, or behind it.
    TimeoutAtDeadline(Duration),
    /// From deadline to deadline, with everything polled.
    Pass(Duration),
    /// Looks at everything.
    Inspect,
    /// Nothing but answers for a while: then everybody must have the state.
    Quiet,
}

fn duration(choice: u8, more: u8) -> Duration {
    const MILLIS: [u64; 16] = [
        0, 1, 30, 500, 1_000, 2_000, 4_990, 5_000, 8_000, 16_000, 33_000, 59_900, 65_000, 600_000,
        3_600_000, 7_200_000,
    ];
    let millis = MILLIS[usize::from(choice) % MILLIS.len()];
    Duration::from_millis(millis + u64::from(more % 8) * 7)
}

fn end(byte: u8) -> End {
    const REASONS: [Reason; 8] = [
        Reason::Deactivated,
        Reason::Probation,
        Reason::Rejected,
        Reason::Timeout,
        Reason::GiveUp,
        Reason::NoResource,
        Reason::Invariant,
        Reason::BadFilter,
    ];
    let reason = REASONS[usize::from(byte) % REASONS.len()];
    (reason, (byte >= 128).then_some(u32::from(byte)))
}

impl Operation {
    #[allow(clippy::too_many_lines)]
    fn read([kind, a, b, c]: [u8; WIDTH]) -> Self {
        let pick = usize::from(a);
        let watcher = match a % 16 {
            15 => 4,
            other => usize::from(other % 4),
        };
        let presentity = usize::from(a >> 4) % 3;
        let flow = match b % 4 {
            0 => None,
            other => Some(u64::from(other)),
        };
        let outcome = Outcome::read(b);
        // Where a request is odd it is plain otherwise.
        let accepts = match Oddity::read(c) {
            Oddity::None => Accepts::read(c),
            _ => Accepts::default(),
        };
        let tag = match a % 16 {
            0..=6 => TagChoice::None,
            7..=10 => TagChoice::Right,
            11 => TagChoice::Stale,
            12 => TagChoice::Elsewhere,
            13 => TagChoice::Nonsense,
            14 => TagChoice::Guessed,
            _ => TagChoice::Respelled,
        };
        match kind % 48 {
            0..=3 => Self::Poll(pick % 6),
            4 | 5 => Self::Drain,
            6..=10 => Self::Subscribe {
                watcher,
                presentity,
                form: usize::from(b >> 6),
                wish: Wish::read(b >> 2),
                flow,
                oddity: Oddity::read(c),
                accepts,
            },
            11..=13 => Self::Refresh {
                pick,
                wish: Wish::read(b >> 2),
                flow,
                oddity: Oddity::read(c),
                accepts,
            },
            14..=17 => Self::Publish {
                presentity,
                tag,
                pick: usize::from(b),
                body: a % 16 < 7 || b & 1 == 1,
                same_body: b & 6 == 6,
                wish: Wish::read(b >> 3),
                flow: [None, Some(1), Some(2), None][usize::from(b >> 6)],
                fault: PUBLISH_FAULTS
                    .get(usize::from(c.saturating_sub(255 - 4 * 14) / 4))
                    .copied()
                    .unwrap_or(PublishFault::None),
            },
            18..=20 => Self::Answer { pick, outcome },
            21 | 22 => Self::AnswerAll(if c < 128 {
                Outcome::Status(200)
            } else {
                outcome
            }),
            23 => Self::StrayOutcome {
                pick,
                made_up: c & 1 == 1,
                outcome,
            },
            24 => Self::FlowLost(u64::from(a % 4)),
            25 => Self::Decide {
                pick,
                rule: Rule::read(b),
            },
            26 => match c % 3 {
                0 => Self::DecideWatcher {
                    watcher,
                    presentity,
                    rule: Rule::read(b),
                },
                _ => Self::Rule {
                    watcher,
                    presentity,
                    rule: Rule::read(b),
                },
            },
            27 => match b % 8 {
                0..=4 => Self::SetPresence {
                    presentity,
                    same: c & 3 == 3,
                },
                5 => Self::ClearPresence(presentity),
                6 => Self::ViewsChanged(presentity),
                _ => Self::SetUnknownPresence,
            },
            28 => match b % 16 {
                15 => Self::TerminateAll(end(c)),
                13 | 14 => Self::TerminatePresentity {
                    presentity,
                    end: end(c),
                },
                _ => Self::Terminate { pick, end: end(c) },
            },
            29 | 30 => Self::CompleteJob {
                pick,
                success: b % 4 != 3,
            },
            31 if c % 8 == 6 => Self::DeclineCredentials(pick),
            31 => Self::Credentials {
                pick,
                clean: b % 8 != 7,
                stray: c % 8 == 7,
            },
            32 => Self::Step(duration(a, b)),
            33 => Self::StepBack(duration(a, b)),
            34 => Self::Timeout,
            35 | 36 => Self::TimeoutAtDeadline(duration(a % 9, b)),
            37 | 38 => Self::Pass(duration(a, b)),
            39 if a < 96 => Self::Inspect,
            39 => Self::Quiet,
            40 | 41 => Self::Protect {
                watcher,
                presentity,
                demand: demand(b),
            },
            42..=44 => Self::CompleteProtection {
                pick,
                making: Making::read(b),
            },
            45 => match c % 4 {
                0 => Self::SubscribeSealed {
                    watcher,
                    presentity,
                    wish: Wish::read(b >> 2),
                    flow,
                    accepts: Accepts::read(c >> 2),
                    optional: c >= 128,
                },
                1 => Self::RefreshSealed {
                    pick,
                    wish: Wish::read(b >> 2),
                    flow,
                    accepts: Accepts::read(c >> 2),
                    optional: c >= 128,
                },
                _ => Self::PublishSealed {
                    presentity,
                    tag,
                    pick: usize::from(b),
                    wish: Wish::read(b >> 3),
                    flow: [None, Some(1), Some(2), None][usize::from(b >> 6)],
                },
            },
            _ => Self::CompleteOpening {
                pick,
                within: Within::read(b),
            },
        }
    }
}

/// The course that the bytes stand for.
pub fn decode(bytes: &[u8]) -> (Setting, Vec<Operation>) {
    let mut head = [0; SETTING];
    for (place, byte) in head.iter_mut().zip(bytes) {
        *place = *byte;
    }
    let rest = bytes.get(SETTING..).unwrap_or_default();
    let operations = rest
        .chunks_exact(WIDTH)
        .take(LONGEST)
        .map(|chunk| Operation::read([chunk[0], chunk[1], chunk[2], chunk[3]]))
        .collect();
    (setting(head), operations)
}

fn setting([a, b, c, d, e, f, g, h]: [u8; SETTING]) -> Setting {
    let mut config = AgentConfig::default();
    config.domains = vec!["example.com".into()];
    let server = &mut config.server;
    server.window = [4096, 1, 2, 3][usize::from(a & 3)];
    server.slow_window = [65_536, 0, 1, 2][usize::from(a >> 2 & 3)];
    server.timers_per_call = [512, 1, 2, 7][usize::from(a >> 4 & 3)];
    server.notify_interval = Duration::from_secs([5, 1, 0, 30][usize::from(a >> 6)]);
    server.limits.outputs = [65_536, 65_536, 3, 8][usize::from(b & 3)];
    server.limits.subscriptions_per_watcher_and_resource = [32, 2][usize::from(b >> 2 & 1)];
    server.limits.publications_per_resource = [32, 2][usize::from(b >> 3 & 1)];
    server.limits.remembered_requests = [262_144, 2][usize::from(b >> 4 & 1)];
    server.limits.jobs = [1024, 1][usize::from(b >> 5 & 1)];
    server.draft08 = b >> 6 & 1 == 1;
    server.initial_cseq = [0, 4711][usize::from(b >> 7)];
    server.max_expires = [3600, 90][usize::from(c & 1)];
    if c >> 5 & 1 == 1 {
        server.replace_publications = ReplacePublications::SameFlow;
    }
    config.lasting = [LastingState::WhenAlone, LastingState::Always][usize::from(c >> 1 & 1)];
    config.unknown = [UnknownDocument::Empty, UnknownDocument::Nothing][usize::from(c >> 2 & 1)];
    config.blocked = [BlockedDocument::Offline, BlockedDocument::Unknown][usize::from(c >> 6 & 1)];
    config.pending = match c >> 3 & 3 {
        0 | 1 => PendingDocument::default(),
        2 => PendingDocument::Nothing,
        _ => PendingDocument::Offline,
    };
    let mut rules = Vec::new();
    for watcher in 0..5u8 {
        for presentity in 0..3u8 {
            let byte = [e, f, g][usize::from(presentity)].wrapping_add(watcher.wrapping_mul(h));
            // Most watchers see something from the beginning.
            rules.push(match watcher {
                4 => Rule::Challenge,
                _ if byte == 0 => Rule::Full,
                _ => Rule::read(byte),
            });
        }
    }
    // An even number is one of an agent that protects nothing, until it is told to.
    let is_protecting = d & 1 == 1;
    config.server.opens_bodies = d & 2 == 2;
    let protections = (0..15u8).map(|place| match is_protecting {
        true => demand((d >> 3).wrapping_add(place.wrapping_mul(h)).wrapping_mul(7)),
        false => demand(0),
    });
    Setting {
        config,
        seed: u64::from(d),
        rules,
        protections: protections.collect(),
        idle_host: d & 4 == 4,
        run_out: c >> 7 == 1,
    }
}
