//! When presentities are to be looked at again though nobody says anything.

use std::sync::Arc;

use crate::engine::Timestamp;
use crate::engine::interned::{Interned, Named};
use crate::engine::slab::Key;
use crate::engine::timer_wheel::TimerWheel;

/// Why a presentity is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// One of its sources ends.
    Source,
    /// Its document holds no longer.
    Composition,
    /// The policy may answer something else by then.
    Policy,
    /// The state that the policy goes by may come to something else by then.
    State,
}

impl Cause {
    const COUNT: usize = 4;

    /// Its place among the deadlines.
    const fn of<T>(self, all: &[T; Self::COUNT]) -> &T {
        let [source, composition, policy, state] = all;
        match self {
            Self::Source => source,
            Self::Composition => composition,
            Self::Policy => policy,
            Self::State => state,
        }
    }

    const fn of_mut<T>(self, all: &mut [T; Self::COUNT]) -> &mut T {
        let [source, composition, policy, state] = all;
        match self {
            Self::Source => source,
            Self::Composition => composition,
            Self::Policy => policy,
            Self::State => state,
        }
    }
}

/// At most one deadline for each presentity and cause, and one timer for each presentity.
#[derive(Debug)]
pub(super) struct Alarms {
    wheel: TimerWheel<Key>,
    alarms: Interned<Alarm>,
}

#[derive(Debug)]
struct Alarm {
    presentity: Arc<str>,
    deadlines: [Option<Timestamp>; Cause::COUNT],
    timer: Option<(Key, Timestamp)>,
}

impl Named for Alarm {
    type Name = str;

    fn name(&self) -> &str {
        &self.presentity
    }
}

/// Which deadlines of a presentity have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed([bool; Cause::COUNT]);

impl Passed {
    pub(super) fn has(self, cause: Cause) -> bool {
        *cause.of(&self.0)
    }
}

impl Alarms {
    pub(super) fn new() -> Self {
        Self {
            wheel: TimerWheel::new(),
            alarms: Interned::new(),
        }
    }

    /// From now on there is this deadline, or none.
    pub(super) fn set(&mut self, presentity: &str, cause: Cause, deadline: Option<Timestamp>) {
        let key = match (self.alarms.find(presentity), deadline) {
            (Some(key), _) => key,
            (None, None) => return,
            (None, Some(_)) => self.alarms.find_or_insert(presentity, || Alarm {
                presentity: presentity.into(),
                deadlines: [None; Cause::COUNT],
                timer: None,
            }),
        };
        if let Some(alarm) = self.alarms.get_mut(key) {
            *cause.of_mut(&mut alarm.deadlines) = deadline;
        }
        self.rearm(key);
    }

    /// Whether a deadline has passed that nobody has been told of.
    pub(super) fn is_due(&self, presentity: &str, cause: Cause, now: Timestamp) -> bool {
        let key = self.alarms.find(presentity);
        let alarm = key.and_then(|key| self.alarms.get(key));
        alarm.is_some_and(|alarm| {
            let passed = alarm.deadlines.map(|it| it.is_some_and(|at| at <= now));
            Passed(passed).has(cause)
        })
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.wheel.next()
    }

    /// Whether any deadline has passed.
    pub(super) fn is_due_by(&self, now: Timestamp) -> bool {
        self.wheel.len() > 0 && self.wheel.next().is_some_and(|next| next <= now)
    }

    pub(super) fn len(&self) -> usize {
        self.wheel.len()
    }

    /// A presentity with a deadline that has passed.
    pub(super) fn pop(&mut self, now: Timestamp, budget: &mut u32) -> Option<(Arc<str>, Passed)> {
        let key = self.wheel.pop(now, budget)?;
        let alarm = self.alarms.get_mut(key)?;
        alarm.timer = None;
        let presentity = Arc::clone(&alarm.presentity);
        let passed = alarm.deadlines.each_mut().map(|deadline| {
            let has_passed = deadline.is_some_and(|at| at <= now);
            if has_passed {
                *deadline = None;
            }
            has_passed
        });
        self.rearm(key);
        Some((presentity, Passed(passed)))
    }

    fn rearm(&mut self, key: Key) {
        let Some(alarm) = self.alarms.get_mut(key) else {
            return;
        };
        let next = alarm.deadlines.iter().flatten().min().copied();
        if alarm.timer.map(|(_, at)| at) != next {
            if let Some((timer, _)) = alarm.timer.take() {
                self.wheel.cancel(timer);
            }
            alarm.timer = next.map(|at| (self.wheel.arm(at, key), at));
        }
        if next.is_none() {
            self.alarms.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Alarms, Cause};
    use crate::engine::Timestamp;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn each_presentity_has_one_timer_and_tells_which_deadlines_passed() {
        let mut alarms = Alarms::new();
        alarms.set("ana@example.com", Cause::Source, Some(at(20)));
        alarms.set("ana@example.com", Cause::Policy, Some(at(10)));
        alarms.set("bob@example.com", Cause::Composition, None);
        // It may want to be woken sooner, to see that there is nothing yet, and be a tick late.
        assert!(alarms.len() == 1 && alarms.next() <= Some(at(10)));
        assert_eq!(alarms.pop(at(9), &mut 8), None);
        let (name, passed) = alarms.pop(at(11), &mut 8).unwrap();
        assert_eq!(&*name, "ana@example.com");
        assert!(passed.has(Cause::Policy) && !passed.has(Cause::Source));
        assert!(alarms.len() == 1 && alarms.next() > Some(at(11)));
        alarms.set("ana@example.com", Cause::Source, Some(at(15)));
        alarms.set("ana@example.com", Cause::State, Some(at(18)));
        assert_eq!(alarms.pop(at(14), &mut 8), None);
        assert_eq!(alarms.len(), 1);
        let (_, passed) = alarms.pop(at(16), &mut 8).unwrap();
        assert!(passed.has(Cause::Source) && !passed.has(Cause::State));
        alarms.set("ana@example.com", Cause::State, None);
        assert_eq!((alarms.len(), alarms.next()), (0, None));
        assert!(alarms.alarms.len() == 0);
    }
}
