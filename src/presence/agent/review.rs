//! Watchers that are judged again when the policy, the time or the presentity's state has changed.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::{Agent, UnknownPresentity, name_of};
use crate::engine::Timestamp;
use crate::event::{SubscribeBodies, SubscriptionKey};
use crate::presence::alarms::Cause;
use crate::presence::policy::Policy;

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
        let presentity = self.presentity(presentity)?;
        self.expect_policy_change(now, &presentity);
        let Some(watcher) = name_of(watcher) else {
            return Ok(0);
        };
        let keys = self.server.keys_of_watcher(&watcher, &presentity);
        let changed = keys.into_iter().filter(|key| self.judge(now, *key));
        Ok(changed.count())
    }

    pub(super) fn review_named(&mut self, now: Timestamp, presentity: &str) {
        self.expect_policy_change(now, presentity);
        let keys = self.server.keys_of_resource(presentity);
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
        let state = (self.server).look_at(presentity, |package, at| {
            let (version, state, publications) = at;
            let whole = package.whole(now, version, state, publications);
            whole.map(Cow::into_owned)
        });
        let state = state.flatten();
        if self.policy_mut().state_changed(presentity, state.as_ref()) {
            self.review_named(now, presentity);
        }
    }

    fn judge(&mut self, now: Timestamp, key: SubscriptionKey) -> bool {
        let judged = (self.server).review(now, key, |package, query| package.policy.review(query));
        // Who has gone meanwhile is not judged.
        judged.unwrap_or(false)
    }

    /// Time alone may change what the policy says.
    fn expect_policy_change(&mut self, now: Timestamp, presentity: &str) {
        let package = self.server.package_mut();
        let at = package.policy.changes_at(presentity, now);
        package.alarms.set(presentity, Cause::Policy, at);
    }
}
