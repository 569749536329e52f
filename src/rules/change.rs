//! Whom a change of rules may touch.

use core::cmp::Ordering;

use super::compiled::{Circle, CompiledRule, CompiledRules};
use super::lookup;

/// The watchers for whom rules may answer otherwise than others did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Affected {
    /// The answers are the same for all.
    Nobody,
    /// These, sorted, by their canonical [addresses of record](crate::sip::Uri::address_of_record). The
    /// answers for all others are the same.
    Watchers(Vec<String>),
    /// Anybody.
    Everybody,
}

impl CompiledRules {
    /// For which watchers these rules may answer otherwise than `new` ones.
    ///
    /// Rules are told apart by their ids, and of one that lists other watchers than before only those are
    /// meant that are not in both. This takes one look at each rule, and more at those that differ.
    pub fn affected_by(&self, new: &Self) -> Affected {
        let mut names = Names::default();
        let (mut old, mut new) = (self.rules.iter().peekable(), new.rules.iter().peekable());
        while !names.are_all {
            let order = match (old.peek(), new.peek()) {
                (Some(old), Some(new)) => old.key.cmp(&new.key),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            match order {
                Ordering::Less => old.next().into_iter().for_each(|rule| names.add(rule)),
                Ordering::Greater => new.next().into_iter().for_each(|rule| names.add(rule)),
                Ordering::Equal => {
                    if let (Some(old), Some(new)) = (old.next(), new.next()) {
                        names.add_difference(old, new);
                    }
                }
            }
        }
        if names.are_all {
            return Affected::Everybody;
        }
        let names = lookup::sorted(names.names);
        if names.is_empty() {
            Affected::Nobody
        } else {
            Affected::Watchers(names)
        }
    }
}

#[derive(Default)]
struct Names {
    names: Vec<String>,
    are_all: bool,
}

impl Names {
    /// Those that a rule may match.
    fn add(&mut self, rule: &CompiledRule) {
        let mut circles = rule.circles.iter();
        match circles.find(|circle| circle.crowds.is_empty()) {
            Some(circle) => self.names.extend(circle.ones.iter().cloned()),
            None => self.are_all = true,
        }
    }

    /// Those that one of two rules may match, or that both give different things.
    fn add_difference(&mut self, old: &CompiledRule, new: &CompiledRule) {
        if old.grant != new.grant {
            self.add(old);
            self.add(new);
            return;
        }
        if old.circles == new.circles {
            return;
        }
        match (old.circles.as_slice(), new.circles.as_slice()) {
            ([old], [new]) if old.crowds == new.crowds => self.add_distinct(old, new),
            _ => {
                self.add(old);
                self.add(new);
            }
        }
    }

    /// Those that are in one list only.
    fn add_distinct(&mut self, old: &Circle, new: &Circle) {
        let only = |these: &Circle, others: &Circle| {
            let these = these.ones.iter();
            let only = these.filter(|name| !lookup::has(&others.ones, name));
            only.cloned().collect::<Vec<_>>()
        };
        self.names.extend(only(old, new));
        self.names.extend(only(new, old));
    }
}
