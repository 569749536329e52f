//! What a watcher may ask for beyond the ordinary, and what is to come of it, told as simply as can be:
//! partial documents, filters, a pace of its own, conditions.

use crate::dice::Dice;
use crate::model::Shown;
use crate::network::SECOND;

pub const PIDF: &str = "application/pidf+xml";
pub const PIDF_DIFF: &str = "application/pidf-diff+xml";

/// Which of these are used in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions {
    pub partial: bool,
    pub filters: bool,
    pub rates: bool,
    pub conditions: bool,
    /// Partial publications.
    pub publications: bool,
}

impl Extensions {
    pub const ALL: Self = Self {
        partial: true,
        filters: true,
        rates: true,
        conditions: true,
        publications: true,
    };

    /// None, one of them, or all.
    pub fn of(number: usize) -> Self {
        let mut only = Self::default();
        match number % 9 {
            0 => {}
            1 => only.partial = true,
            2 => only.filters = true,
            3 => only.rates = true,
            4 => only.conditions = true,
            5 => only.publications = true,
            _ => return Self::ALL,
        }
        only
    }
}

/// What of a document is wanted, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Filter {
    /// All of it, at each change.
    #[default]
    None,
    /// Nothing but the basic status of each tuple.
    Basic,
    /// The tuples that are open.
    Open,
    /// No notes.
    NoNotes,
    /// All of it, when a basic status has changed.
    WhenBasic,
    /// No notes, when a basic status has changed.
    NoNotesWhenBasic,
}

const NO_NOTES: &str = "<what><exclude>//p:note</exclude></what>";
const WHEN_BASIC: &str = "<trigger><changed>//p:basic</changed></trigger>\
    <trigger><added>//p:basic</added></trigger><trigger><removed>//p:basic</removed></trigger>";

impl Filter {
    const ALL: [Self; 6] = [
        Self::None,
        Self::Basic,
        Self::Open,
        Self::NoNotes,
        Self::WhenBasic,
        Self::NoNotesWhenBasic,
    ];

    fn content(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Basic => "<what><include>//p:basic</include></what>".to_owned(),
            Self::Open => "<what><include>/p:presence/p:tuple[p:status/p:basic=\"open\"]\
                 </include></what>"
                .to_owned(),
            Self::NoNotes => NO_NOTES.to_owned(),
            Self::WhenBasic => WHEN_BASIC.to_owned(),
            Self::NoNotesWhenBasic => format!("{NO_NOTES}{WHEN_BASIC}"),
        }
    }

    /// The body of a SUBSCRIBE that asks for it; filters are put out of force in two ways.
    pub fn body(self, removes: bool) -> String {
        let how = match self {
            Self::None if removes => " remove=\"true\"",
            Self::None => " enabled=\"false\"",
            _ => "",
        };
        let content = self.content();
        format!(
            "<filter-set xmlns=\"urn:ietf:params:xml:ns:simple-filter\" package=\"presence\">\
             <ns-bindings><ns-binding prefix=\"p\" urn=\"urn:ietf:params:xml:ns:pidf\"/></ns-bindings>\
             <filter id=\"one\"{how}>{content}</filter></filter-set>"
        )
    }

    /// What a body asks for.
    pub fn of_body(body: &[u8]) -> Self {
        let is_it = |filter: &Self| {
            [false, true]
                .into_iter()
                .any(|removes| filter.body(removes).as_bytes() == body)
        };
        let found = Self::ALL.into_iter().find(is_it);
        found.expect("one of these filters")
    }

    /// Whether only some changes are told.
    pub fn has_trigger(self) -> bool {
        matches!(self, Self::WhenBasic | Self::NoNotesWhenBasic)
    }

    /// What it leaves of a document, be it told or not.
    fn content_only(self) -> Self {
        match self {
            Self::WhenBasic => Self::None,
            Self::NoNotesWhenBasic => Self::NoNotes,
            other => other,
        }
    }

    /// What of a document is seen through it.
    pub fn of(self, shown: Shown) -> Shown {
        let Shown::Parts {
            mut notes,
            mut tuples,
        } = shown
        else {
            return shown;
        };
        let without_notes = |tuple: &mut String| {
            tuple.truncate(tuple.find(' ').unwrap_or(tuple.len()));
        };
        match self.content_only() {
            Self::Basic => {
                notes.clear();
                tuples.iter_mut().for_each(without_notes);
            }
            Self::Open => {
                notes.clear();
                tuples.retain(|tuple| tuple.starts_with("open"));
            }
            Self::NoNotes => {
                notes.clear();
                tuples.iter_mut().for_each(without_notes);
                return Shown::Parts { notes, tuples };
            }
            _ => return Shown::Parts { notes, tuples },
        }
        if tuples.is_empty() {
            return Shown::Nothing;
        }
        Shown::Parts { notes, tuples }
    }

    /// The documents that the agent makes for a watcher through it, the last one told, each made of the
    /// one before: by filter and whether in parts.
    pub fn documents(self, partial: bool) -> Vec<(Self, bool)> {
        let mut all = vec![(Self::None, false)];
        for step in [(self.content_only(), false), (self, false), (self, partial)] {
            if !all.contains(&step) {
                all.push(step);
            }
        }
        all
    }
}

/// How often a watcher wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Parameters of Event, and what is granted.
    pub text: &'static str,
    /// Changes are told no faster, in nanoseconds.
    pub shortest: Option<u64>,
    /// The same is told again after so long, in nanoseconds.
    pub longest: Option<u64>,
    /// The same is told again now and then.
    pub adaptive: bool,
}

impl Pace {
    pub const NONE: Self = Self {
        text: "",
        shortest: None,
        longest: None,
        adaptive: false,
    };

    pub const ALL: [Self; 5] = [
        Self::NONE,
        Self {
            text: ";max-rate=0.05",
            shortest: Some(20 * SECOND),
            ..Self::NONE
        },
        Self {
            text: ";min-rate=0.04",
            longest: Some(25 * SECOND),
            ..Self::NONE
        },
        Self {
            text: ";adaptive-min-rate=0.05",
            adaptive: true,
            ..Self::NONE
        },
        Self {
            text: ";max-rate=0.05;min-rate=0.02",
            shortest: Some(20 * SECOND),
            longest: Some(50 * SECOND),
            ..Self::NONE
        },
    ];

    /// The longest time that a change waits for it.
    pub const LONGEST: u64 = 20 * SECOND;

    /// What the parameters of an Event ask for.
    pub fn of_event(event: &str) -> Self {
        let text = event.strip_prefix("presence").expect("our package");
        let found = Self::ALL.into_iter().find(|it| it.text == text);
        found.expect("one of these paces")
    }

    pub fn is_none(&self) -> bool {
        self.text.is_empty()
    }
}

/// By what a watcher wants to be spared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suppress {
    Nothing,
    /// What it has.
    Held,
    /// Everything.
    All,
}

/// What a watcher asks for with its next SUBSCRIBE.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub partial: bool,
    pub filter: Filter,
    pub pace: Pace,
    pub suppress: Suppress,
}

impl Terms {
    pub const ORDINARY: Self = Self {
        partial: false,
        filter: Filter::None,
        pace: Pace::NONE,
        suppress: Suppress::Nothing,
    };

    pub fn thrown(dice: &mut Dice, extensions: Extensions) -> Self {
        let mut terms = Self::ORDINARY;
        if extensions.partial {
            terms.partial = dice.chance(600);
        }
        if extensions.filters && dice.chance(600) {
            terms.filter = Filter::ALL[dice.roll(6) as usize];
        }
        if extensions.rates && dice.chance(500) {
            terms.pace = Pace::ALL[dice.roll(5) as usize];
        }
        if extensions.conditions {
            terms.suppress = match dice.roll(10) {
                0..=2 => Suppress::Nothing,
                9 => Suppress::All,
                _ => Suppress::Held,
            };
        }
        terms
    }
}

/// What a SUBSCRIBE asks for, as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedTerms {
    pub partial: bool,
    /// Nothing leaves the filter as it is.
    pub filter: Option<Filter>,
    pub pace: Pace,
    pub suppress: Option<Condition>,
}

impl AskedTerms {
    pub const ORDINARY: Self = Self {
        partial: false,
        filter: None,
        pace: Pace::NONE,
        suppress: None,
    };
}

/// When a watcher wants to be told nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Always,
    /// While this is the entity-tag.
    Unless(String),
}

impl Condition {
    pub fn of_field(value: &str) -> Self {
        match value {
            "*" => Self::Always,
            tag => Self::Unless(tag.to_owned()),
        }
    }
}
