//! Watchers that are judged again when the policy, the time or the presentity's state has changed.

use core::time::Duration;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use time::OffsetDateTime;

use super::{Agent, UnknownPresentity, name_of};
use crate::engine::Timestamp;
use crate::event::{SubscribeBodies, SubscriptionKey};
use crate::pidf::Presence;
use crate::pidf::rpid::period_of;
use crate::presence::alarms::Cause;
use crate::presence::policy::Policy;
use crate::presence::rules_policy::RulesPolicy;
use crate::rules::{Affected, CompiledRules, sphere_of};

/// Watchers that one poll judges; some hundred microseconds. Fewer where one costs more.
const WATCHERS_PER_POLL: u32 = 256;

/// Those who are still to be judged. Whose turn to be told comes before that is judged then.
#[derive(Debug, Default)]
pub(super) struct Reviews {
    /// The presentities in their order, each once.
    turns: VecDeque<Arc<str>>,
    watchers: BTreeMap<Arc<str>, std::vec::IntoIter<SubscriptionKey>>,
}

impl Reviews {
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.watchers.values().map(ExactSizeIterator::len).sum()
    }

    /// Whether watchers of a presentity are still to be judged.
    fn has(&self, presentity: &str) -> bool {
        self.watchers.contains_key(presentity)
    }

    /// All of these are to be judged; who was of them before.
    fn put(
        &mut self,
        presentity: &str,
        keys: Vec<SubscriptionKey>,
    ) -> impl Iterator<Item = SubscriptionKey> + use<> {
        let keys = keys.into_iter();
        match self.watchers.get_mut(presentity) {
            Some(known) => core::mem::replace(known, keys),
            None if keys.len() == 0 => keys,
            None => {
                let name: Arc<str> = presentity.into();
                self.turns.push_back(Arc::clone(&name));
                self.watchers.insert(name, keys);
                Vec::new().into_iter()
            }
        }
    }

    /// The next to be judged.
    fn next(&mut self) -> Option<SubscriptionKey> {
        while let Some(presentity) = self.turns.front() {
            if let Some(key) = self.watchers.get_mut(presentity).and_then(Iterator::next) {
                return Some(key);
            }
            self.watchers.remove(presentity);
            self.turns.pop_front();
        }
        None
    }
}

impl<P: Policy, B: SubscribeBodies> Agent<P, B> {
    /// Has the policy judge every watcher of a presentity again ([`Policy::review`]), since it has changed.
    /// Those for whom something else holds are told. A few are judged with each
    /// [`poll_output`](Self::poll_output).
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn review(&mut self, now: Timestamp, presentity: &str) -> Result<(), UnknownPresentity> {
        self.advance(now);
        let name = self.presentity(presentity)?;
        self.review_named(now, &name);
        Ok(())
    }

    /// The same for the subscriptions of one watcher, at once; tells for how many something else holds.
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn review_watcher(
        &mut self,
        now: Timestamp,
        watcher: &str,
        presentity: &str,
    ) -> Result<usize, UnknownPresentity> {
        self.advance(now);
        let presentity = self.presentity(presentity)?;
        Ok(name_of(watcher).map_or(0, |watcher| self.judge_watcher(now, &watcher, &presentity)))
    }

    fn judge_watcher(&mut self, now: Timestamp, watcher: &str, presentity: &str) -> usize {
        let keys = self.server.keys_of_watcher_to_judge(watcher, presentity);
        let changed = keys.into_iter().filter(|key| self.judge(now, *key));
        changed.count()
    }

    pub(super) fn review_named(&mut self, now: Timestamp, presentity: &str) {
        self.begin_review(now, presentity);
        let keys = self.server.keys_to_judge(presentity);
        // Who was still to be judged is among them, or has gone.
        let before = self.reviews.put(presentity, keys.clone());
        let unjudged = &mut self.server.package_mut().unjudged;
        for key in before {
            unjudged.remove(&key);
        }
        unjudged.extend(keys);
    }

    /// Judges some of those who are to be judged.
    pub(super) fn go_on_reviewing(&mut self) {
        let mut budget = WATCHERS_PER_POLL;
        while budget > 0 {
            let presentity = self.reviews.turns.front();
            let cost = presentity.map_or(1, |name| self.policy().review_cost(name));
            budget = budget.saturating_sub(cost.max(1));
            let Some(key) = self.reviews.next() else {
                self.server.package_mut().unjudged.shrink_to_fit();
                return;
            };
            // Unless it was its turn to be told before.
            if self.server.package().unjudged.contains(&key) {
                self.judge(self.server.now(), key);
            }
        }
    }

    /// Something of what is known of a presentity has changed.
    pub(super) fn state_changed(&mut self, now: Timestamp, presentity: &str) {
        if !self.policy().goes_by_state(presentity) {
            return;
        }
        let state = self.state_of(now, presentity);
        self.wake_for(now, presentity, state.as_ref());
        if (self.policy_mut()).state_changed(presentity, now, state.as_ref()) {
            self.review_named(now, presentity);
        }
    }

    /// Everything that is known of a presentity.
    pub(super) fn state_of(&mut self, now: Timestamp, presentity: &str) -> Option<Presence> {
        let state = (self.server).look_at(presentity, |package, at| {
            let (version, state, publications) = at;
            let whole = package.whole(now, version, state, publications);
            whole.map(Cow::into_owned)
        });
        state.flatten()
    }

    /// The policy goes by what a presentity's parts come to, which may be something else by then, and by what
    /// is said there to hold for a time.
    fn wake_for(&mut self, now: Timestamp, presentity: &str, state: Option<&Presence>) {
        let until = (self.server).look_at(presentity, |_, (_, state, _)| state.composed_until);
        let package = self.server.package_mut();
        package.wake_for(presentity, now, until.flatten());
        let utc = package.stamps.utc(now);
        let bound = utc.zip(state).and_then(|(utc, state)| {
            let wait = next_bound(state, utc)? - utc;
            Some(now + Duration::try_from(wait).ok()?)
        });
        package.alarms.set(presentity, Cause::State, bound);
    }

    fn judge(&mut self, now: Timestamp, key: SubscriptionKey) -> bool {
        let judged = (self.server).review(now, key, |package, query| package.policy.review(query));
        self.settled(key);
        // Who has gone meanwhile is not judged.
        judged.unwrap_or(false)
    }

    /// What holds for a subscription holds by the policy of now, or by the application's word.
    pub(super) fn settled(&mut self, key: SubscriptionKey) {
        self.server.package_mut().unjudged.remove(&key);
    }

    fn begin_review(&mut self, now: Timestamp, presentity: &str) {
        let all_were_judged = !self.reviews.has(presentity);
        let package = self.server.package_mut();
        let at = (package.policy).begin_review(presentity, now, all_were_judged);
        package.alarms.set(presentity, Cause::Policy, at);
        self.review_waiting(now, presentity);
    }
}

impl<F: Policy, B: SubscribeBodies> Agent<RulesPolicy<F>, B> {
    /// Puts other rules in force for a presentity, or none, in whose place the policy for those without
    /// rules decides. Those watchers to whom they give something else are told, and only those are looked
    /// at for whom the rules that differ may matter: the ones that are named there at once, all, when such a
    /// rule is for many, a few with each [`poll_output`](Self::poll_output).
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn set_rules(
        &mut self,
        now: Timestamp,
        presentity: &str,
        rules: Option<CompiledRules>,
    ) -> Result<Affected, UnknownPresentity> {
        self.advance(now);
        let name = self.presentity(presentity)?;
        let uses_sphere = rules.as_ref().is_some_and(CompiledRules::uses_sphere);
        let state = uses_sphere.then(|| self.state_of(now, &name)).flatten();
        let package = self.server.package_mut();
        let sphere = sphere_of(&state, package.stamps.utc(now));
        let affected = package.policy.replace(&name, rules, sphere);
        let is_due = package.alarms.is_due(&name, Cause::Policy, now);
        if uses_sphere {
            self.wake_for(now, &name, state.as_ref());
        } else {
            package.alarms.set(&name, Cause::State, None);
        }
        match &affected {
            // The time has come for others as well, and they have not been looked at yet.
            _ if is_due => self.review_named(now, &name),
            // Who is still to be judged has been judged by neither.
            Affected::Watchers(_) if self.reviews.has(&name) => self.review_named(now, &name),
            Affected::Watchers(watchers) => {
                self.begin_review(now, &name);
                for watcher in watchers {
                    self.judge_watcher(now, watcher, &name);
                }
                for key in self.server.keys_of_further_names(watchers, &name) {
                    self.judge(now, key);
                }
            }
            Affected::Everybody => self.review_named(now, &name),
            Affected::Nobody => {}
        }
        Ok(affected)
    }
}

/// When something of what is said of persons begins or ceases to hold.
fn next_bound(state: &Presence, utc: OffsetDateTime) -> Option<OffsetDateTime> {
    let elements = state.persons.iter().flat_map(|person| &person.extensions);
    let periods = elements.filter_map(period_of);
    let bounds = periods.flat_map(|(from, until)| [from, until]);
    bounds.flatten().filter(|bound| *bound > utc).min()
}
