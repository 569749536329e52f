//! Who may see what, told apart from the library and as simply as can be.

use presentity::pidf::Presence;
use presentity::presence::{Composed, Composition, Moment, Part, Source};
use presentity::rules::{
    CompiledRules, Many, PresenceAttribute, Provided, Rule, Ruleset, ServiceSelector, SubHandling,
};
use time::OffsetDateTime;

use crate::dice::Dice;
use crate::facts::{CLOSED, Fact, NO_NOTE, PRIVATE, WAITING, WORK};

/// Seconds since 1970 when the runs begin.
pub const EPOCH: i64 = 1_900_000_000;

pub fn utc(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).expect("a time")
}

/// What rules give, each of it beside the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gives {
    pub everything: bool,
    pub all: bool,
    pub work: bool,
    pub private: bool,
    pub notes: bool,
}

impl Gives {
    pub const EVERYTHING: Self = Self {
        everything: true,
        all: true,
        work: true,
        private: true,
        notes: true,
    };

    fn or(self, other: Self) -> Self {
        Self {
            everything: self.everything || other.everything,
            all: self.all || other.all,
            work: self.work || other.work,
            private: self.private || other.private,
            notes: self.notes || other.notes,
        }
    }

    pub fn shows_class(self, class: &str) -> bool {
        self.everything
            || self.all
            || class == WORK && self.work
            || class == PRIVATE && self.private
    }

    pub fn shows_notes(self) -> bool {
        self.everything || self.notes
    }

    fn provided(self) -> Provided {
        if self.everything {
            return Provided::everything();
        }
        let mut provided = Provided::nothing();
        if self.all {
            provided = provided.with_all_services();
        }
        if self.work {
            provided = provided.with_services(ServiceSelector::Class(WORK.into()));
        }
        if self.private {
            provided = provided.with_services(ServiceSelector::Class(PRIVATE.into()));
        }
        if self.notes {
            provided = provided.with_attribute(PresenceAttribute::Note);
        }
        provided
    }

    fn throw(dice: &mut Dice) -> Self {
        if dice.chance(300) {
            return Self::EVERYTHING;
        }
        Self {
            everything: false,
            all: dice.chance(300),
            work: dice.chance(500),
            private: dice.chance(400),
            notes: dice.chance(600),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    One(String),
    Domain(&'static str),
    Everybody,
    EverybodyBut(String),
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub who: Who,
    pub sphere: Option<&'static str>,
    /// Seconds since 1970.
    pub within: Option<(i64, i64)>,
    pub handling: Option<SubHandling>,
    pub gives: Gives,
}

impl Line {
    pub fn throw(dice: &mut Dice, watchers: &[String], now: i64) -> Self {
        let one = |dice: &mut Dice| watchers[dice.roll(watchers.len() as u64) as usize].clone();
        let who = match dice.roll(5) {
            0 | 1 => Who::One(one(dice)),
            2 => Who::Domain(["example.com", "example.org"][dice.roll(2) as usize]),
            3 => Who::EverybodyBut(one(dice)),
            _ => Who::Everybody,
        };
        let sphere = match dice.roll(5) {
            0 => Some("work"),
            1 => Some("home"),
            _ => None,
        };
        let within = dice.chance(200).then(|| {
            let from = now - 1_800 + dice.roll(3_600) as i64;
            (from, from + 60 + dice.roll(5_000) as i64)
        });
        let handling = match dice.roll(8) {
            0 => None,
            1 => Some(SubHandling::Block),
            2 | 3 => Some(SubHandling::Confirm),
            4 => Some(SubHandling::PoliteBlock),
            _ => Some(SubHandling::Allow),
        };
        Self {
            who,
            sphere,
            within,
            handling,
            gives: Gives::throw(dice),
        }
    }

    fn holds(&self, watcher: &str, sphere: Option<&str>, now: Option<i64>) -> bool {
        let named = match &self.who {
            Who::One(name) => name == watcher,
            Who::Domain(domain) => watcher.ends_with(&format!("@{domain}")),
            Who::Everybody => true,
            Who::EverybodyBut(name) => name != watcher,
        };
        let in_sphere = self.sphere.is_none() || self.sphere == sphere;
        let in_time = match (self.within, now) {
            (None, _) => true,
            (Some((from, until)), Some(now)) => from <= now && now < until,
            (Some(_), None) => false,
        };
        named && in_sphere && in_time
    }

    fn rule(&self, number: usize) -> Rule {
        let mut rule = Rule::new(format!("r{number}")).providing(self.gives.provided());
        rule = match &self.who {
            Who::One(name) => rule.for_one(format!("sip:{name}")),
            Who::Domain(domain) => rule.for_domain(*domain),
            Who::Everybody => rule.for_many(Many::all()),
            Who::EverybodyBut(name) => rule.for_many(Many::all().except_one(format!("sip:{name}"))),
        };
        if let Some(sphere) = self.sphere {
            rule = rule.in_sphere(sphere);
        }
        if let Some((from, until)) = self.within {
            rule = rule.within(utc(from), utc(until)).expect("an interval");
        }
        match self.handling {
            Some(handling) => rule.handled(handling),
            None => rule,
        }
    }
}

/// What holds for a watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    pub handling: SubHandling,
    pub gives: Gives,
}

/// The rules of a presentity; without any nobody may.
#[derive(Debug, Clone, Default)]
pub struct Book(pub Option<Vec<Line>>);

impl Book {
    pub fn permit(&self, watcher: &str, sphere: Option<&str>, now: Option<i64>) -> Permit {
        let mut permit = Permit {
            handling: SubHandling::Block,
            gives: Gives::default(),
        };
        for line in self.0.iter().flatten() {
            if line.holds(watcher, sphere, now) {
                permit.handling = permit.handling.max(line.handling.unwrap_or_default());
                permit.gives = permit.gives.or(line.gives);
            }
        }
        permit
    }

    /// As the library takes them: written and read again.
    pub fn compiled(&self) -> Option<CompiledRules> {
        let lines = self.0.as_ref()?.iter().enumerate();
        let mut rules = Ruleset::new();
        rules.rules = lines.map(|(number, line)| line.rule(number)).collect();
        let written = rules.write().expect("rules");
        Some(CompiledRules::of(&Ruleset::read(&written).expect("rules")))
    }

    /// When time alone changes what they say.
    pub fn bounds(&self) -> impl Iterator<Item = i64> {
        let lines = self.0.iter().flatten().filter_map(|line| line.within);
        lines.flat_map(|(from, until)| [from, until])
    }
}

/// How the parts become one: side by side, all or without some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mixture {
    pub no_registrations: bool,
    pub no_persons: bool,
}

impl Composition for Mixture {
    fn compose(&self, parts: Vec<Part>, _: &Moment) -> Composed {
        let mut document = Presence::default();
        for part in parts {
            if self.no_registrations && part.source == Source::Registration {
                continue;
            }
            document.tuples.extend(part.document.tuples);
            if !self.no_persons {
                document.persons.extend(part.document.persons);
            }
        }
        Composed::new(document)
    }
}

/// All that a presentity's sources say, as the model knows it.
#[derive(Debug, Clone, Default)]
pub struct Said<'f> {
    pub facts: Vec<&'f Fact>,
    pub registered: usize,
    pub mixture: Mixture,
}

impl Said<'_> {
    pub fn sphere(&self) -> Option<&'static str> {
        let mut spheres: Vec<&str> = self.facts.iter().filter_map(|it| it.sphere).collect();
        spheres.sort_unstable();
        spheres.dedup();
        match *spheres {
            [only] if !self.mixture.no_persons => Some(only),
            _ => None,
        }
    }

    /// What a document is to show to one with this permission.
    pub fn shown(&self, permit: Permit) -> Option<Vec<String>> {
        let gives = permit.gives;
        let mut words = Vec::new();
        match permit.handling {
            SubHandling::Block => return None,
            SubHandling::Confirm => words.push(WAITING.to_owned()),
            SubHandling::PoliteBlock => words.push(CLOSED.to_owned()),
            SubHandling::Allow => {
                for fact in &self.facts {
                    if gives.shows_class(fact.class) {
                        words.push(match gives.shows_notes() {
                            true => fact.note(),
                            false => NO_NOTE.to_owned(),
                        });
                    }
                    if let Some(sphere) = fact.sphere.filter(|_| !self.mixture.no_persons)
                        && gives.everything
                    {
                        words.push(format!("sphere {sphere}"));
                    }
                }
                if (gives.everything || gives.all) && !self.mixture.no_registrations {
                    words.extend((0..self.registered).map(|_| NO_NOTE.to_owned()));
                }
            }
        }
        words.sort();
        Some(words)
    }
}
