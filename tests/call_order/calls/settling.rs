//! The end of a course: quiet, in which everybody must come to have the state, and the end of all.

use core::time::Duration;
use std::collections::BTreeMap;

use presentity::event::{Occupancy, Protection, Reason, Termination};

use super::course::{Course, TICK};
use super::model::{DEFERRED, PRESENTITIES, Phase, Shown};
use super::operations::{Outcome, PublishFault, Wish};

/// Longer than any interval, twice.
const QUIET: Duration = Duration::from_secs(65);
/// Longer than anything lasts.
const FOREVER: Duration = Duration::from_secs(2 * 3600 + 100);
const OK: Outcome = Outcome::Status(200);

impl Course {
    pub(super) fn settle_and_end(&mut self) {
        self.step += 1;
        if self.setting.idle_host {
            self.wait_in_vain();
        }
        self.quiet();

        self.step += 1;
        let before: Vec<Shown> = self
            .subscriptions
            .iter()
            .map(|one| self.shown(one))
            .collect();
        let changed: Vec<bool> = (0..PRESENTITIES.len())
            .map(|presentity| self.change(presentity))
            .collect();
        // What could not be protected is the same, or another one: only that is tried again.
        for (place, before) in before.iter().enumerate() {
            self.subscriptions[place].denied &= *before == self.shown(&self.subscriptions[place]);
        }
        self.pass(QUIET, Some(OK));
        self.compare();
        self.check_everybody_has_the_state(|presentity, unsure| changed[presentity] || !unsure);

        self.step += 1;
        self.end_all();
        self.check_nothing_is_left();
    }

    pub(super) fn quiet(&mut self) {
        self.pass(QUIET, Some(OK));
        self.compare();
        self.check_everybody_has_the_state(|_, unsure| !unsure);
    }

    /// Answers what there is to answer until nothing more comes.
    pub(super) fn answer_everything(&mut self, outcome: Outcome) {
        for _ in 0..10_000 {
            let mut busy = false;
            for place in 0..self.subscriptions.len() {
                if let Some(open) = &self.subscriptions[place].open {
                    busy = true;
                    if open.challenged.is_some() {
                        self.provide(place, true);
                    } else {
                        self.answer(place, outcome);
                    }
                }
            }
            for place in 0..self.jobs.len() {
                if !self.jobs[place].over && !self.jobs[place].may_be_over {
                    busy = true;
                    self.complete(place, true);
                }
            }
            busy |= self.do_chores();
            self.drain();
            if !busy {
                return;
            }
        }
        panic!("there is no end of NOTIFYs");
    }

    /// Changes the state of a presentity, if that can be done now.
    fn change(&mut self, presentity: usize) -> bool {
        let own = self.publications.iter();
        let alive: Vec<_> = own
            .filter(|it| it.alive && it.presentity == presentity)
            .collect();
        if alive.iter().any(|it| it.expires_at <= self.clock) {
            return false;
        }
        let Some(tag) = alive.first().map(|it| it.tag.clone().expect("it was told")) else {
            self.set_presence(presentity, false);
            return true;
        };
        let mark = self.mark(presentity, false);
        self.publish(
            presentity,
            Some(tag),
            Some(mark),
            Wish::Seconds(600),
            None,
            PublishFault::None,
        );
        if presentity == DEFERRED {
            self.drain();
            let job = self.jobs.len() - 1;
            self.complete(job, true);
        }
        true
    }

    fn check_everybody_has_the_state(&self, counts: impl Fn(usize, bool) -> bool) {
        let mut bodies = BTreeMap::new();
        for one in self.subscriptions.iter().filter(|one| one.is_live()) {
            let held = one.held_until.is_some();
            // Its document is being made, or waits for room, as long as the deadline lets an idle host.
            let is_delayed = one.protection != Protection::None
                && self.setting.idle_host
                && self.is_protecting();
            let interval = self.setting.config.server.notify_interval;
            let interval = interval.max(one.intervals.shortest.unwrap_or_default());
            let in_change = self.clock <= self.changed_at[one.presentity] + interval + 2 * TICK;
            if held
                || is_delayed
                || in_change
                || self.clock >= one.expires_at
                || one.denied
                || !counts(one.presentity, one.unsure)
            {
                continue;
            }
            assert!(
                !one.owed && one.open.is_none() && one.signing.is_none(),
                "{one:#?}"
            );
            if let Some(longest) = one.intervals.longest {
                let since = one.sent.map(|sent| self.clock.saturating_since(sent));
                assert!(since <= Some(longest + 2 * TICK), "in vain: {one:#?}");
            }
            let body = one
                .taken
                .clone()
                .unwrap_or_else(|| panic!("no NOTIFY: {one:#?}"));
            assert_eq!(
                Shown::read(&body, &one.entity),
                self.shown(one),
                "a watcher is behind: {one:#?}"
            );
            let media_type = (one.old_type, one.tells_parts());
            let variant = (&one.entity, format!("{:?}", one.decision), media_type);
            let same = bodies.entry(variant).or_insert_with(|| body.clone());
            if !one.awaits_documents() {
                assert_eq!(*same, body, "two documents of one state");
            }
        }
    }

    fn end_all(&mut self) {
        for presentity in 0..PRESENTITIES.len() {
            self.clear_presence(presentity);
        }
        if self.setting.run_out {
            self.pass(FOREVER, Some(OK));
            return;
        }
        let termination = Termination::new(Reason::Deactivated);
        let now = self.time();
        let count = self.agent.terminate_all(now, termination);
        self.ended_by_application(count, (Reason::Deactivated, None), |_| true);
        self.drain();
        self.answer_everything(OK);
        for place in 0..self.publications.len() {
            let publication = &self.publications[place];
            if publication.alive && self.clock < publication.expires_at {
                let (presentity, tag) = (publication.presentity, publication.tag.clone());
                assert!(tag.is_some());
                self.publish(
                    presentity,
                    tag,
                    None,
                    Wish::Seconds(0),
                    None,
                    PublishFault::None,
                );
                self.drain();
                self.answer_everything(OK);
            }
        }
        // Publications that ran out this moment.
        self.pass(Duration::from_secs(1), Some(OK));
    }

    fn check_nothing_is_left(&mut self) {
        self.compare();
        for one in &self.subscriptions {
            assert!(one.started && one.ended, "{one:#?}");
            assert_eq!(one.phase, Phase::Gone, "{one:#?}");
        }
        assert!(self.expected.is_empty(), "unanswered: {:?}", self.expected);
        assert!(self.starting.is_empty() && self.published.is_empty());
        assert!(self.changes.is_empty() && self.deferring.is_empty());
        assert!(self.opening.is_empty());
        assert_eq!(self.agent.occupancy(), Occupancy::default());
        assert_eq!(self.agent.poll_timeout(), None);
        let counters = self.agent.counters();
        let count = self.subscriptions.len() as u64;
        assert_eq!(counters.subscriptions_started(), count);
        assert_eq!(counters.subscriptions_ended(), count);
    }
}
