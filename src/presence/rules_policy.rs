//! Presence rules as a policy (RFC 5025).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;

use super::policy::Policy;
use crate::engine::Timestamp;
use crate::engine::wall_clock::WallClock;
use crate::event::{
    Authorization, Decision, Protection, ProtectionQuery, PublishDecision, PublishQuery, Rejection,
    SubscribeQuery, View,
};
use crate::pidf::Presence;
use crate::rules::{Affected, CompiledRules, Permissions, Provided, Query, SubHandling, sphere_of};

/// Begins the names of views that rules have made, so that they are taken for no others.
const VIEW: &str = "rules ";

/// Lets presence rules decide for those presentities that have some, and another policy for the rest.
///
/// A watcher gets what the rules give to all the names that it has proved (RFC 5025 section 3.1.1): it is
/// refused, waits for the presentity's word, is blocked politely, or sees what the transformations
/// provide. Watchers to whom the same is provided share one view, and so one document. Who has proved
/// nothing is asked to. The presentity itself sees everything.
///
/// Rules are changed with [`Agent::set_rules`](super::Agent::set_rules), at any time. Who publishes, how
/// documents are protected, and aliases are the other policy's business. Rules that go by the time of day
/// match nobody before [`Agent::set_wall_clock`](super::Agent::set_wall_clock).
///
/// ```
/// use presentity::presence::{DenyAll, RulesPolicy};
///
/// // Nobody sees a presentity that has no rules.
/// let policy = RulesPolicy::new(DenyAll);
/// ```
#[derive(Debug)]
pub struct RulesPolicy<F> {
    fallback: F,
    books: BTreeMap<String, Book>,
    clock: WallClock,
    /// By which watchers were reviewed: it may have been set a little at a time since.
    reviewed_by: WallClock,
}

/// So many rules are looked at in a microsecond or some.
const RULES_PER_COST: usize = 16;

/// The rules of one presentity.
#[derive(Debug)]
struct Book {
    current: Standing,
    /// What watchers were judged by last.
    judged: Option<Standing>,
    /// What those were judged by who are still to be judged; nothing when that is not known.
    before: Option<Standing>,
}

/// What answers depend on.
#[derive(Debug, Clone)]
struct Standing {
    rules: Arc<CompiledRules>,
    decided: Decided,
    sphere: Option<String>,
    /// When watchers were judged.
    utc: Option<OffsetDateTime>,
}

/// Decisions by the rules that match, made once: many watchers have the same, and one may take long.
#[derive(Debug, Clone, Default)]
struct Decided(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    by_rules: BTreeMap<Vec<u32>, Decision>,
    octets: usize,
}

/// Octets of the decisions that are kept of one presentity, about.
const MOST_DECIDED: usize = 16 * 1024;

impl Decided {
    /// The decision where these rules match.
    fn decision(&self, rules: &CompiledRules, matching: Vec<u32>) -> Decision {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(decision) = kept.by_rules.get(&matching) {
            return decision.clone();
        }
        let decision = decision_of(&rules.given_by(&matching));
        let name = match &decision {
            Decision::Allow(view) => view.name().map_or(0, str::len),
            _ => 0,
        };
        let octets = size_of::<(Vec<u32>, Decision)>() + size_of_val(&*matching) + name;
        // The last one is kept whatever its size is.
        if kept.octets.saturating_add(octets) > MOST_DECIDED {
            *kept = Kept::default();
        }
        kept.octets += octets;
        kept.by_rules.insert(matching, decision.clone());
        decision
    }
}

impl Standing {
    fn decision(&self, query: &SubscribeQuery<'_>, utc: Option<OffsetDateTime>) -> Decision {
        let names: Vec<&str> = query.identity().claims().map(|(name, _)| name).collect();
        let mut asked = Query::default();
        if let Some((first, further)) = names.split_first() {
            asked = Query::of(first).known_as(further);
        }
        asked.sphere = self.sphere.as_deref();
        asked.utc = utc;
        let matching = self.rules.matching(&asked);
        self.decided.decision(&self.rules, matching)
    }
}

impl<F> RulesPolicy<F> {
    /// Rules for nobody so far, and the policy for those who have none.
    pub fn new(fallback: F) -> Self {
        Self {
            fallback,
            books: BTreeMap::new(),
            clock: WallClock::default(),
            reviewed_by: WallClock::default(),
        }
    }

    /// The policy for those who have no rules.
    pub fn fallback(&self) -> &F {
        &self.fallback
    }

    /// The same, to change what it decides by.
    pub fn fallback_mut(&mut self) -> &mut F {
        &mut self.fallback
    }

    /// The rules of a presentity, by its canonical name.
    pub fn rules(&self, presentity: &str) -> Option<&CompiledRules> {
        let book = self.books.get(presentity)?;
        Some(&book.current.rules)
    }

    /// Puts other rules in force, or none; for whom they may say something else.
    pub(super) fn replace(
        &mut self,
        presentity: &str,
        rules: Option<CompiledRules>,
        sphere: Option<String>,
    ) -> Affected {
        let Some(rules) = rules else {
            return match self.books.remove(presentity) {
                Some(_) => Affected::Everybody,
                None => Affected::Nobody,
            };
        };
        let rules = Arc::new(rules);
        match self.books.get_mut(presentity) {
            Some(book) => {
                let affected = match book.current.sphere == sphere {
                    true => book.current.rules.affected_by(&rules),
                    false => Affected::Everybody,
                };
                book.current.rules = rules;
                book.current.decided = Decided::default();
                book.current.sphere = sphere;
                affected
            }
            None => {
                let current = Standing {
                    rules,
                    decided: Decided::default(),
                    sphere,
                    utc: None,
                };
                let book = Book {
                    current,
                    judged: None,
                    before: None,
                };
                self.books.insert(presentity.to_owned(), book);
                Affected::Everybody
            }
        }
    }
}

/// What permissions come to.
fn decision_of(permissions: &Permissions) -> Decision {
    match permissions.handling {
        SubHandling::Block => Decision::Reject(Rejection::Forbidden),
        SubHandling::Confirm => Decision::Pending,
        SubHandling::PoliteBlock => Decision::PoliteBlock,
        SubHandling::Allow if permissions.provided.is_everything() => Decision::Allow(View::full()),
        SubHandling::Allow => {
            let name = format!("{VIEW}{}", permissions.provided.to_name());
            Decision::Allow(View::named(&name))
        }
    }
}

impl<F: Policy> Policy for RulesPolicy<F> {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let Some(book) = self.books.get(query.resource()) else {
            return self.fallback.subscribe(query);
        };
        if query.identity().is_nobody() {
            return Authorization::Challenge;
        }
        if query.identity().includes(query.resource()) {
            return Decision::Allow(View::full()).into();
        }
        let utc = self.clock.at(query.now());
        book.current.decision(query, utc).into()
    }

    /// What the rules have said before and say again does not undo what the application has decided since.
    fn review(&mut self, query: &SubscribeQuery<'_>) -> Option<Decision> {
        let Some(book) = self.books.get(query.resource()) else {
            return self.fallback.review(query);
        };
        let utc = self.clock.at(query.now());
        let decision = if query.identity().is_nobody() {
            Decision::Reject(Rejection::Forbidden)
        } else if query.identity().includes(query.resource()) {
            Decision::Allow(View::full())
        } else {
            book.current.decision(query, utc)
        };
        let before = book.before.as_ref();
        let before = before.map(|it| it.decision(query, it.utc));
        (before.as_ref() != Some(&decision)).then_some(decision)
    }

    fn begin_review(
        &mut self,
        presentity: &str,
        now: Timestamp,
        all_were_judged: bool,
    ) -> Option<Timestamp> {
        let utc = self.clock.at(now);
        let Some(book) = self.books.get_mut(presentity) else {
            return (self.fallback).begin_review(presentity, now, all_were_judged);
        };
        book.before = book.judged.take().filter(|_| all_were_judged);
        book.judged = Some(Standing {
            utc,
            ..book.current.clone()
        });
        let bound = book.current.rules.next_bound(utc?)?;
        let wait = core::time::Duration::try_from(bound - utc?).ok()?;
        Some(now + wait)
    }

    fn review_cost(&self, presentity: &str) -> u32 {
        let Some(book) = self.books.get(presentity) else {
            return self.fallback.review_cost(presentity);
        };
        let before = book.before.as_ref();
        let candidates = before.map_or(0, |it| it.rules.most_candidates());
        let candidates = candidates.saturating_add(book.current.rules.most_candidates());
        u32::try_from(candidates / RULES_PER_COST).map_or(u32::MAX, |cost| cost.saturating_add(1))
    }

    fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) -> Vec<String> {
        let mut affected = self.fallback.set_wall_clock(now, utc);
        self.clock.set(now, utc);
        if self.reviewed_by.differs(now, utc) {
            self.reviewed_by.set(now, utc);
            let books = self.books.iter();
            let timed = books.filter(|(_, book)| book.current.rules.uses_time());
            affected.extend(timed.map(|(name, _)| name.clone()));
        }
        affected
    }

    fn goes_by_state(&self, presentity: &str) -> bool {
        match self.books.get(presentity) {
            Some(book) => book.current.rules.uses_sphere(),
            None => self.fallback.goes_by_state(presentity),
        }
    }

    fn state_changed(
        &mut self,
        presentity: &str,
        now: Timestamp,
        state: Option<&Presence>,
    ) -> bool {
        let sphere = sphere_of(state, self.clock.at(now));
        match self.books.get_mut(presentity) {
            Some(book) => {
                let differs = book.current.sphere != sphere;
                book.current.sphere = sphere;
                differs
            }
            None => self.fallback.state_changed(presentity, now, state),
        }
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        self.fallback.publish(query)
    }

    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        self.fallback.protection(query)
    }

    fn apply_view(&self, view: &View, presentity: &str, document: &mut Presence) {
        match view.name().and_then(|name| name.strip_prefix(VIEW)) {
            // One that cannot be read shows nothing.
            Some(name) => Provided::from_name(name)
                .unwrap_or_else(Provided::nothing)
                .apply(document),
            None => self.fallback.apply_view(view, presentity, document),
        }
    }

    fn alias(&self, presentity: &str) -> Option<String> {
        self.fallback.alias(presentity)
    }
}
