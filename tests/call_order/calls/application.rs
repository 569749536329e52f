//! What the application decides.

use presentity::event::{Decision, EndReason, Reason};

use super::course::Course;
use super::model::{PRESENTITIES, Phase, Subscription, document, watcher_name};
use super::operations::{End, termination};
use super::requests;

impl Course {
    pub(super) fn decide(&mut self, pick: usize, decision: Decision) {
        let keyed: Vec<usize> = (0..self.subscriptions.len())
            .filter(|place| self.subscriptions[*place].key.is_some())
            .collect();
        let Some(place) = keyed.get(pick % keyed.len().max(1)).copied() else {
            return;
        };
        let now = self.time();
        let key = self.subscriptions[place].key.expect("a key");
        let result = self.agent.decide(now, key, decision.clone());
        assert_eq!(
            result.is_ok(),
            self.subscriptions[place].is_live(),
            "a decision at step {}",
            self.step
        );
        if result.is_ok() {
            self.decided(place, decision);
        }
    }

    pub(super) fn decided(&mut self, place: usize, decision: Decision) {
        let subscription = &mut self.subscriptions[place];
        if subscription.decision == decision {
            return;
        }
        if let Decision::Reject(_) = decision {
            subscription.end("reason=rejected".into(), false, EndReason::Rejected);
            return;
        }
        subscription.decision = decision.clone();
        subscription.owed = true;
        self.changes.push_back((place, decision));
    }

    pub(super) fn decide_watcher(&mut self, watcher: usize, presentity: usize, decision: Decision) {
        let Some(name) = watcher_name(watcher) else {
            return;
        };
        let now = self.time();
        let uri = format!("pres:{}", PRESENTITIES[presentity]);
        let count = self.agent.decide_watcher(now, name, &uri, &decision);
        let matching: Vec<usize> = (0..self.subscriptions.len())
            .filter(|place| {
                let one = &self.subscriptions[*place];
                one.is_live() && one.watcher == watcher && one.presentity == presentity
            })
            .collect();
        assert_eq!(count, Ok(matching.len()), "decisions at step {}", self.step);
        // Who leaves is told nothing that something else holds for by now; what is being signed is said.
        for one in &mut self.subscriptions {
            let is_theirs = one.watcher == watcher && one.presentity == presentity;
            if let Phase::Ending(word) = &mut one.phase
                && is_theirs
                && one.signing.is_none()
            {
                word.with_state &= one.decision == decision;
            }
        }
        for place in matching {
            self.decided(place, decision.clone());
        }
    }

    pub(super) fn set_presence(&mut self, presentity: usize, same: bool) {
        self.changed_at[presentity] = self.clock.max(self.now);
        let mark = match self.lasting[presentity] {
            Some(mark) if same => mark,
            _ => {
                self.next_mark += 1;
                self.next_mark
            }
        };
        let now = self.time();
        let uri = requests::entity(presentity, mark as usize % 3);
        let set = self
            .agent
            .set_presence(now, &uri, document(presentity, mark));
        assert_eq!(set, Ok(()));
        self.lasting[presentity] = Some(mark);
    }

    pub(super) fn clear_presence(&mut self, presentity: usize) {
        let now = self.time();
        self.changed_at[presentity] = self.clock;
        let cleared = self.agent.clear_presence(now, PRESENTITIES[presentity]);
        assert_eq!(cleared, Ok(self.lasting[presentity].take().is_some()));
    }

    pub(super) fn terminate(&mut self, pick: usize, end: End) {
        let keyed: Vec<usize> = (0..self.subscriptions.len())
            .filter(|place| self.subscriptions[*place].key.is_some())
            .collect();
        let Some(place) = keyed.get(pick % keyed.len().max(1)).copied() else {
            return;
        };
        let now = self.time();
        let key = self.subscriptions[place].key.expect("a key");
        let result = self.agent.terminate(now, key, termination(end));
        let live = self.subscriptions[place].is_live();
        assert_eq!(result.is_ok(), live, "an end at step {}", self.step);
        if live {
            self.subscriptions[place].end_by(end);
        }
    }

    pub(super) fn ended_by_application(
        &mut self,
        count: usize,
        end: End,
        which: impl Fn(&Subscription) -> bool,
    ) {
        let mut ended = 0;
        for subscription in &mut self.subscriptions {
            if subscription.is_live() && which(subscription) {
                subscription.end_by(end);
                ended += 1;
            }
        }
        assert_eq!(count, ended, "ends at step {}", self.step);
    }
}

impl Subscription {
    fn end_by(&mut self, (reason, retry_after): End) {
        let mut told = format!("reason={reason}");
        // Who is to keep the state gets it.
        let last_state = reason == Reason::Invariant;
        if let Some(seconds) = retry_after {
            told.push_str(&format!(";retry-after={seconds}"));
        }
        self.end(told, last_state, EndReason::Terminated(reason));
    }
}
