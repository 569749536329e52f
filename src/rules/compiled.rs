//! Rules made ready to answer.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::condition::{Condition, Except, Many, Who};
use super::handling::SubHandling;
use super::provided::Provided;
use super::query::{Permissions, Query};
use super::rule::Rule;
use super::ruleset::Ruleset;
use super::{domain, lookup};

/// Rules in a form that answers for one watcher at the cost of those rules that may match it, however many
/// others there are.
///
/// The rules that may match are those that list the watcher, those that list its domain, and those that
/// list neither watchers nor domains.
///
/// ```
/// use presentity::rules::{CompiledRules, Query, Rule, Ruleset, SubHandling};
///
/// let rules = Ruleset::new().with_rule(Rule::new("a").for_one("sip:bob@example.com").allow());
/// let compiled = CompiledRules::of(&rules);
/// assert_eq!(compiled.evaluate(&Query::of("bob@example.com")).handling, SubHandling::Allow);
/// assert_eq!(compiled.evaluate(&Query::of("carol@example.com")).handling, SubHandling::Block);
/// ```
#[derive(Debug, Clone, Default)]
pub struct CompiledRules {
    /// In the order of their keys. Rules that never match or give nothing are not there.
    pub(super) rules: Vec<CompiledRule>,
    /// Places of the rules that list somebody.
    by_watcher: HashMap<Box<str>, Vec<u32>>,
    /// Places of the rules that list a domain.
    by_domain: HashMap<Box<str>, Vec<u32>>,
    /// Places of the rules that may match anybody.
    by_nothing: Vec<u32>,
    /// The most rules of one name, and of one domain.
    most_listed: [usize; 2],
    uses_sphere: bool,
    uses_time: bool,
}

/// One rule.
#[derive(Debug, Clone)]
pub(super) struct CompiledRule {
    /// Number of the document, and the rule's id in it.
    pub(super) key: (usize, String),
    /// Each has to have the watcher.
    pub(super) circles: Vec<Circle>,
    /// What else it says.
    pub(super) grant: Grant,
}

/// What a rule says, but for whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Grant {
    /// The presentity has to be in one of each of these spheres, in lower case.
    spheres: Vec<Vec<String>>,
    /// It has to be one of each of these times, which do not touch and are in order.
    times: Vec<Vec<(OffsetDateTime, OffsetDateTime)>>,
    handling: SubHandling,
    provided: Provided,
}

/// Who an identity condition lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Circle {
    /// Sorted.
    pub(super) ones: Vec<String>,
    pub(super) crowds: Vec<Crowd>,
}

/// Who a `many` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crowd {
    domain: Option<String>,
    /// Sorted.
    except_ones: Vec<String>,
    /// Sorted.
    except_domains: Vec<String>,
}

impl CompiledRules {
    /// The rules of one document.
    pub fn of(rules: &Ruleset) -> Self {
        Self::of_all([rules])
    }

    /// The rules of several documents, which add up (RFC 5025 section 9.7).
    pub fn of_all<'r>(documents: impl IntoIterator<Item = &'r Ruleset>) -> Self {
        let mut this = Self::default();
        for (number, document) in documents.into_iter().enumerate() {
            let rules = document.rules.iter();
            this.rules
                .extend(rules.filter_map(|rule| CompiledRule::of(number, rule)));
        }
        this.rules.sort_by(|one, other| one.key.cmp(&other.key));
        for (place, rule) in this.rules.iter().enumerate() {
            let Ok(place) = u32::try_from(place) else {
                break;
            };
            this.uses_sphere |= !rule.grant.spheres.is_empty();
            this.uses_time |= !rule.grant.times.is_empty();
            // Whom the first condition does not have, the rule does not match.
            let Some(circle) = rule.circles.first() else {
                this.by_nothing.push(place);
                continue;
            };
            for name in &circle.ones {
                let listed = note(&mut this.by_watcher, name, place);
                let [most, _] = &mut this.most_listed;
                *most = listed.max(*most);
            }
            for crowd in &circle.crowds {
                match &crowd.domain {
                    Some(domain) => {
                        let listed = note(&mut this.by_domain, domain, place);
                        let [_, most] = &mut this.most_listed;
                        *most = listed.max(*most);
                    }
                    None if this.by_nothing.last() == Some(&place) => {}
                    None => this.by_nothing.push(place),
                }
            }
        }
        this
    }

    /// What the rules give to a watcher: the most that any of those that match gives of everything
    /// (RFC 4745 section 10.2), and to be blocked and see nothing when there is none.
    pub fn evaluate(&self, query: &Query<'_>) -> Permissions {
        let mut permissions = Permissions::default();
        self.for_each_candidate(query, |rule, _| rule.add(query, &mut permissions));
        permissions
    }

    /// Places of the rules that match a watcher, in order.
    pub(crate) fn matching(&self, query: &Query<'_>) -> Vec<u32> {
        let mut matching = Vec::new();
        self.for_each_candidate(query, |rule, place| {
            if rule.matches(query) {
                matching.push(place);
            }
        });
        matching.sort_unstable();
        matching.dedup();
        matching
    }

    /// What the rules at these places give together.
    pub(crate) fn given_by(&self, places: &[u32]) -> Permissions {
        let mut permissions = Permissions::default();
        for rule in places.iter().filter_map(|place| self.rule(*place)) {
            permissions.handling = permissions.handling.max(rule.grant.handling);
            permissions.provided.merge(&rule.grant.provided);
        }
        permissions
    }

    /// Calls back with each rule that may match a watcher, some more than once.
    fn for_each_candidate<'r>(
        &'r self,
        query: &Query<'_>,
        mut then: impl FnMut(&'r CompiledRule, u32),
    ) {
        let mut all = |places: &[u32]| {
            for place in places {
                if let Some(rule) = self.rule(*place) {
                    then(rule, *place);
                }
            }
        };
        all(&self.by_nothing);
        for name in query.names() {
            if let Some(places) = self.by_watcher.get(name) {
                all(places);
            }
            if !self.by_domain.is_empty()
                && let Some(domain) = domain::of(name)
                && let Some(places) = self.by_domain.get(&*domain)
            {
                all(places);
            }
        }
    }

    fn rule(&self, place: u32) -> Option<&CompiledRule> {
        self.rules.get(usize::try_from(place).ok()?)
    }

    /// The first moment after `utc` at which any of the rules begins or ceases to hold.
    pub fn next_bound(&self, utc: OffsetDateTime) -> Option<OffsetDateTime> {
        let bounds = self.rules.iter().map(|rule| rule.grant.next_bound(utc));
        bounds.flatten().min()
    }

    /// The most rules that are looked at for one name of a watcher.
    pub(crate) fn most_candidates(&self) -> usize {
        let [of_one, of_domain] = self.most_listed;
        (self.by_nothing.len())
            .saturating_add(of_one)
            .saturating_add(of_domain)
    }

    /// Whether an answer may change with the sphere that the presentity is in.
    pub fn uses_sphere(&self) -> bool {
        self.uses_sphere
    }

    /// Whether an answer may change with the time.
    pub fn uses_time(&self) -> bool {
        self.uses_time
    }

    /// How many rules may give something to somebody.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether no rule gives anything: everybody is blocked.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// How many there are of the name by now.
fn note(index: &mut HashMap<Box<str>, Vec<u32>>, name: &str, place: u32) -> usize {
    let places = match index.get_mut(name) {
        Some(places) => places,
        None => index.entry(name.into()).or_default(),
    };
    if places.last() != Some(&place) {
        places.push(place);
    }
    places.len()
}

impl CompiledRule {
    /// The rule, unless it never matches or gives nothing.
    fn of(document: usize, rule: &Rule) -> Option<Self> {
        let handling = rule.handling.unwrap_or_default();
        if handling == SubHandling::Block && rule.provided.is_nothing() {
            return None;
        }
        let mut grant = Grant {
            handling,
            provided: rule.provided.clone(),
            ..Grant::default()
        };
        let mut circles = Vec::new();
        for condition in &rule.conditions {
            match condition {
                Condition::Identity(list) => circles.push(Circle::of(list)?),
                Condition::Sphere(value) => {
                    let words = Condition::spheres(value).map(str::to_lowercase);
                    let words = lookup::sorted(words);
                    grant.spheres.push(words);
                }
                Condition::Validity(intervals) => {
                    let intervals = intervals.iter().filter_map(|interval| {
                        let (from, until) = (interval.from()?, interval.until()?);
                        (from < until).then_some((from, until))
                    });
                    grant.times.push(apart(intervals.collect()));
                }
                Condition::Other(_) => return None,
            }
        }
        let can_hold = grant.spheres.iter().all(|words| !words.is_empty())
            && grant.times.iter().all(|times| !times.is_empty());
        can_hold.then(|| Self {
            key: (document, rule.id.clone()),
            circles,
            grant,
        })
    }

    fn matches(&self, query: &Query<'_>) -> bool {
        let grant = &self.grant;
        let is_time = || query.utc.is_some_and(|utc| grant.is_in_time(utc));
        self.circles.iter().all(|circle| circle.has(query))
            && grant.is_in_sphere(query)
            && (grant.times.is_empty() || is_time())
    }

    /// Adds what the rule gives. To do so twice changes nothing.
    fn add(&self, query: &Query<'_>, permissions: &mut Permissions) {
        let grant = &self.grant;
        if !self.circles.iter().all(|circle| circle.has(query)) || !grant.is_in_sphere(query) {
            return;
        }
        if !grant.times.is_empty() {
            let Some(utc) = query.utc else {
                return;
            };
            let next = grant.next_bound(utc);
            permissions.holds_until = match (permissions.holds_until, next) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            if !grant.is_in_time(utc) {
                return;
            }
        }
        permissions.handling = permissions.handling.max(grant.handling);
        permissions.provided.merge(&grant.provided);
    }
}

impl Grant {
    fn is_in_sphere(&self, query: &Query<'_>) -> bool {
        if self.spheres.is_empty() {
            return true;
        }
        let Some(sphere) = query.sphere else {
            return false;
        };
        let sphere = sphere.to_lowercase();
        let mut spheres = self.spheres.iter();
        spheres.all(|words| lookup::has(words, &sphere))
    }

    fn is_in_time(&self, utc: OffsetDateTime) -> bool {
        self.times.iter().all(|times| {
            let next = times.partition_point(|(_, until)| *until <= utc);
            times.get(next).is_some_and(|(from, _)| *from <= utc)
        })
    }

    fn next_bound(&self, utc: OffsetDateTime) -> Option<OffsetDateTime> {
        let bounds = self.times.iter().filter_map(|times| {
            let next = times.partition_point(|(_, until)| *until <= utc);
            let (from, until) = *times.get(next)?;
            Some(if from > utc { from } else { until })
        });
        bounds.min()
    }
}

/// The same times in order, those made one that touch.
fn apart(
    mut times: Vec<(OffsetDateTime, OffsetDateTime)>,
) -> Vec<(OffsetDateTime, OffsetDateTime)> {
    times.sort_unstable();
    times.dedup_by(|later, earlier| {
        let touches = later.0 <= earlier.1;
        if touches {
            earlier.1 = earlier.1.max(later.1);
        }
        touches
    });
    times
}

impl Circle {
    /// Those that the condition lists; nothing when they are none.
    fn of(list: &[Who]) -> Option<Self> {
        let mut ones = Vec::new();
        let mut crowds = Vec::new();
        for who in list {
            match who {
                Who::One(uri) => ones.extend(domain::person(uri)),
                Who::Many(many) => crowds.extend(Crowd::of(many)),
                Who::Other(_) => {}
            }
        }
        if ones.is_empty() && crowds.is_empty() {
            return None;
        }
        Some(Self {
            ones: lookup::sorted(ones),
            crowds,
        })
    }

    fn has(&self, query: &Query<'_>) -> bool {
        query.names().any(|name| lookup::has(&self.ones, name))
            || self.crowds.iter().any(|crowd| crowd.has(query))
    }
}

impl Crowd {
    /// Nothing when nobody knows who is left out, or of which domain they are.
    fn of(many: &Many) -> Option<Self> {
        let domain = match &many.domain {
            Some(domain) => Some(domain::key(domain)?),
            None => None,
        };
        let (mut ones, mut domains) = (Vec::new(), Vec::new());
        for except in &many.except {
            match except {
                Except::One(uri) => ones.push(domain::exception(uri)?),
                Except::Domain(domain) => domains.push(domain::key(domain)?),
            }
        }
        Some(Self {
            domain,
            except_ones: lookup::sorted(ones),
            except_domains: lookup::sorted(domains),
        })
    }

    fn has(&self, query: &Query<'_>) -> bool {
        let mut is_member = false;
        for name in query.names() {
            let domain = domain::of(name);
            let domain = domain.as_deref();
            if lookup::has(&self.except_ones, name)
                || domain.is_some_and(|domain| lookup::has(&self.except_domains, domain))
            {
                return false;
            }
            is_member |= self.domain.is_none() || self.domain.as_deref() == domain;
        }
        is_member
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::{Grant, apart};

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(seconds)
    }

    #[test]
    fn times_that_touch_are_one_and_are_searched_in_order() {
        let times = [(30, 40), (5, 20), (0, 10), (10, 15), (20, 25), (35, 36)];
        let times = times.map(|(from, until)| (at(from), at(until)));
        let grant = Grant {
            times: vec![apart(times.to_vec())],
            ..Grant::default()
        };
        assert_eq!(grant.times, [[(at(0), at(25)), (at(30), at(40))]]);
        for (now, holds, next) in [
            (-1, false, Some(0)),
            (0, true, Some(25)),
            (24, true, Some(25)),
            (25, false, Some(30)),
            (30, true, Some(40)),
            (40, false, None),
        ] {
            assert_eq!(grant.is_in_time(at(now)), holds, "{now}");
            assert_eq!(grant.next_bound(at(now)), next.map(at), "{now}");
        }
    }
}
