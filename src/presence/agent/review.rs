//! Watchers that are judged again when the policy, the time or the presentity's state has changed.

use core::time::Duration;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::{Agent, UnknownPresentity, name_of};
use crate::engine::Timestamp;
use crate::event::{SubscribeBodies, SubscriptionKey};
use crate::pidf::Presence;
use crate::presence::alarms::Cause;
use crate::presence::policy::Policy;
use crate::presence::rules_policy::RulesPolicy;
use crate::rules::{Affected, CompiledRules, next_sphere_bound, sphere_of};

/// Watchers that one poll judges; some hundred microseconds.
const WATCHERS_PER_POLL: usize = 256;

/// Those who are still to be judged.
#[derive(Debug, Default)]
pub(super) struct Reviews(VecDeque<Review>);

/// The watchers of one presentity.
#[derive(Debug)]
struct Review {
    presentity: Arc<str>,
    keys: std::vec::IntoIter<SubscriptionKey>,
}

impl Reviews {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|review| review.keys.len()).sum()
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
        let keys = self.server.keys_to_review_of(watcher, presentity);
        let changed = keys.into_iter().filter(|key| self.judge(now, *key));
        changed.count()
    }

    pub(super) fn review_named(&mut self, now: Timestamp, presentity: &str) {
        self.begin_review(now, presentity);
        let keys = self.server.keys_to_review(presentity);
        // Who was still to be judged is among them.
        (self.reviews.0).retain(|review| *review.presentity != *presentity);
        if !keys.is_empty() {
            self.reviews.0.push_back(Review {
                presentity: presentity.into(),
                keys: keys.into_iter(),
            });
        }
    }

    /// Judges some of those who are to be judged.
    pub(super) fn go_on_reviewing(&mut self) {
        for _ in 0..WATCHERS_PER_POLL {
            let Some(review) = self.reviews.0.front_mut() else {
                return;
            };
            match review.keys.next() {
                Some(key) => {
                    self.judge(self.server.now(), key);
                }
                None => {
                    self.reviews.0.pop_front();
                }
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

    /// The policy goes by what a presentity's parts come to, and by its sphere, which may be something else
    /// by then.
    fn wake_for(&mut self, now: Timestamp, presentity: &str, state: Option<&Presence>) {
        let until = (self.server).look_at(presentity, |_, (_, state, _)| state.composed_until);
        let package = self.server.package_mut();
        package.wake_for(presentity, now, until.flatten());
        let known = package.stamps.utc(now).zip(state);
        let wait = known.and_then(|(utc, state)| {
            let bound = next_sphere_bound(state, utc)?;
            Duration::try_from(bound - utc).ok()
        });
        let at = wait.map(|wait| now + wait);
        package.alarms.set(presentity, Cause::Sphere, at);
    }

    fn is_reviewed(&self, presentity: &str) -> bool {
        let mut reviews = self.reviews.0.iter();
        reviews.any(|review| *review.presentity == *presentity)
    }

    fn judge(&mut self, now: Timestamp, key: SubscriptionKey) -> bool {
        let judged = (self.server).review(now, key, |package, query| package.policy.review(query));
        // Who has gone meanwhile is not judged.
        judged.unwrap_or(false)
    }

    fn begin_review(&mut self, now: Timestamp, presentity: &str) {
        let all_were_judged = !self.is_reviewed(presentity);
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
            package.alarms.set(&name, Cause::Sphere, None);
        }
        match &affected {
            // The time has come for others as well, and they have not been looked at yet.
            _ if is_due => self.review_named(now, &name),
            // Who is still to be judged has been judged by neither.
            Affected::Watchers(_) if self.is_reviewed(&name) => self.review_named(now, &name),
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
