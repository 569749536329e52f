//! Any course of operations against a model of what must live, and of what must be answered and told.

use std::collections::{BTreeMap, VecDeque};

use presentity::engine::ClientTransaction;
use presentity::event::{Decision, Delivery, View};
use presentity::sdf::{Failure, Operation, Output};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::scene::{
    EMIL, NORA, OTTO, Outputs, RUTH, Scene, allowed, forbidden, known, nobody, shown, viewing,
};

const WATCHERS: [&str; 2] = [NORA, OTTO];
const PRESENTITIES: [&str; 2] = [EMIL, RUTH];
const TOKENS: [&str; 2] = ["a", "b"];
/// Subscriptions of one watcher, at most.
const ROOM: usize = 3;
const QUARTER: u64 = 250;

type Name = (usize, usize, usize);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    Allow,
    View,
    Pending,
    Polite,
    Forbid,
    Challenge,
}

const RULES: [Rule; 6] = [
    Rule::Allow,
    Rule::View,
    Rule::Pending,
    Rule::Polite,
    Rule::Forbid,
    Rule::Challenge,
];

impl Rule {
    fn shows(self, state: Option<u8>) -> String {
        match (self, state) {
            (Self::Pending, _) => crate::scene::PENDING.to_owned(),
            (Self::Polite, _) => "offline".to_owned(),
            (_, None) => "unknown".to_owned(),
            (Self::View, Some(state)) => format!("work: {state}"),
            (_, Some(state)) => state.to_string(),
        }
    }

    fn decision(self) -> Option<Decision> {
        match self {
            Self::Allow => Some(Decision::Allow(View::full())),
            Self::View => Some(viewing("work")),
            Self::Pending => Some(Decision::Pending),
            Self::Polite => Some(Decision::PoliteBlock),
            Self::Forbid => Some(forbidden()),
            Self::Challenge => None,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Ask {
        name: Name,
        duration: u32,
    },
    Fetch {
        watcher: usize,
        presentity: usize,
    },
    /// The last request of somebody once more.
    Repeat {
        by: Option<usize>,
    },
    Steal {
        name: Name,
    },
    Rule {
        watcher: usize,
        rule: Rule,
    },
    Decide {
        watcher: usize,
        presentity: usize,
        rule: Rule,
    },
    Set {
        presentity: usize,
        state: u8,
    },
    Report {
        oldest: bool,
        delivery: Delivery,
    },
    Pass {
        seconds: u16,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let name = (0..2usize, 0..2usize, 0..2usize);
    let rule = prop::sample::select(&RULES[..]);
    let delivery =
        prop::sample::select(&[Delivery::Done, Delivery::Failed, Delivery::Unwanted][..]);
    let duration = prop::sample::select(&[0, 30, 60, 61, 300, 600][..]);
    prop_oneof![
        6 => (name.clone(), duration).prop_map(|(name, duration)| Step::Ask { name, duration }),
        2 => (0..2usize, 0..2usize)
            .prop_map(|(watcher, presentity)| Step::Fetch { watcher, presentity }),
        1 => prop::option::of(0..2usize).prop_map(|by| Step::Repeat { by }),
        1 => name.prop_map(|name| Step::Steal { name }),
        2 => (0..2usize, rule.clone()).prop_map(|(watcher, rule)| Step::Rule { watcher, rule }),
        2 => (0..2usize, 0..2usize, rule)
            .prop_map(|(watcher, presentity, rule)| Step::Decide { watcher, presentity, rule }),
        4 => (0..2usize, 0..4u8).prop_map(|(presentity, state)| Step::Set { presentity, state }),
        5 => (any::<bool>(), delivery)
            .prop_map(|(oldest, delivery)| Step::Report { oldest, delivery }),
        4 => prop::sample::select(&[1u16, 4, 6, 59, 61, 300][..])
            .prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// A subscription that must live.
#[derive(Debug)]
struct Live {
    /// In milliseconds after the beginning.
    end: u64,
    rule: Rule,
    open: Option<ClientTransaction>,
    /// What was brought last; nothing after a failure.
    seen: Option<String>,
}

struct Course {
    scene: Scene,
    millis: u64,
    live: BTreeMap<Name, Live>,
    rules: [Rule; 2],
    states: [Option<u8>; 2],
    open: VecDeque<(Name, ClientTransaction)>,
    last: Option<(usize, presentity::sdf::Request, bool)>,
}

impl Course {
    fn new() -> Self {
        let mut scene = Scene::configured(|agent, _| {
            agent.server.limits.subscriptions_per_watcher = ROOM;
            // Each is reported in the end.
            agent.server.forgotten_after = std::time::Duration::from_secs(1_000_000);
        });
        scene.brings = false;
        Self {
            scene,
            millis: 0,
            live: BTreeMap::new(),
            rules: [Rule::Allow; 2],
            states: [None; 2],
            open: VecDeque::new(),
            last: None,
        }
    }

    fn name(watcher: &str, presentity: &str, token: &str) -> Name {
        let place = |list: &[&str], it: &str| list.iter().position(|other| *other == it).unwrap();
        (
            place(&WATCHERS, watcher),
            place(&PRESENTITIES, presentity),
            place(&TOKENS, token),
        )
    }

    /// Whatever leaves is for one that lives, shows what it may see, and is alone on its way.
    fn take(&mut self, outputs: &Outputs) {
        for output in &outputs.all {
            match output {
                Output::Notify(it) => {
                    let Some(token) = it.token() else {
                        continue;
                    };
                    let name = Self::name(&it.watcher(), it.presentity(), token);
                    let live = self.live.get_mut(&name).expect("for one that lives");
                    assert_eq!(live.open, None, "{name:?} has one that is open");
                    assert!(self.millis < live.end + QUARTER, "{name:?} is over");
                    let left = live.end.saturating_sub(self.millis) / 1_000;
                    let told = u64::from(it.duration().expect("no fetch"));
                    assert!((left..=left + 1).contains(&told), "{told} of {left}");
                    assert_eq!(shown(it.body()), live.rule.shows(self.states[name.1]));
                    assert_eq!(it.is_pending(), live.rule == Rule::Pending);
                    live.open = it.transaction();
                    live.seen = Some(shown(it.body()));
                    self.open
                        .push_back((name, it.transaction().expect("no fetch")));
                }
                Output::Ended(it) => {
                    let presentity = format!("pres:{}", it.presentity);
                    let name = Self::name(&it.watcher, &presentity, &it.token);
                    let has_run_out = |live: &Live| live.end <= self.millis;
                    let live = self.live.remove(&name);
                    assert!(live.is_none_or(|live| has_run_out(&live)), "{name:?} lives");
                }
                _ => {}
            }
        }
    }

    fn take_step(&mut self, step: &Step) {
        match *step {
            Step::Ask { name, duration } => self.ask(name, duration),
            Step::Fetch {
                watcher,
                presentity,
            } => self.fetch(watcher, presentity),
            Step::Repeat { by } => self.repeat(by),
            Step::Steal {
                name: (watcher, presentity, token),
            } => {
                let (from, to) = (WATCHERS[watcher], PRESENTITIES[presentity]);
                let request = self.scene.request(from, to, TOKENS[token], 0);
                let outputs = self.scene.send(&request, &known(WATCHERS[1 - watcher]));
                assert_eq!(outputs.failure(), Failure::WrongSender);
                assert_eq!(outputs.all.len(), 1);
            }
            Step::Rule { watcher, rule } => {
                self.rules[watcher] = rule;
                match rule.decision() {
                    Some(decision) => self.scene.rule(WATCHERS[watcher], decision),
                    None => self.scene.rule(
                        WATCHERS[watcher],
                        presentity::event::Authorization::Challenge,
                    ),
                }
            }
            Step::Decide {
                watcher,
                presentity,
                rule,
            } => self.decide(watcher, presentity, rule),
            Step::Set { presentity, state } => {
                self.states[presentity] = Some(state);
                let outputs = self.scene.set(PRESENTITIES[presentity], &state.to_string());
                self.take(&outputs);
            }
            Step::Report { oldest, delivery } => self.report(oldest, delivery),
            Step::Pass { seconds } => self.pass(u64::from(seconds) * 1_000),
        }
        let mut expected: Vec<Name> = self.live.keys().copied().collect();
        let agent = self.scene.service.agent();
        let mut found: Vec<Name> = agent
            .subscriptions()
            .filter(|it| it.expires_at > self.scene.now)
            .map(|it| {
                let direct = it.direct.expect("names");
                Self::name(&direct.watcher(), it.entity, direct.id())
            })
            .collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(expected, found);
    }

    fn ask(&mut self, name: Name, duration: u32) {
        let (watcher, presentity, token) = name;
        let (from, to) = (WATCHERS[watcher], PRESENTITIES[presentity]);
        let request = self.scene.request(from, to, TOKENS[token], duration);
        let outputs = self.scene.send(&request, &known(from));
        let rule = self.rules[watcher];
        let of_watcher = self.live.keys().filter(|it| it.0 == watcher).count();
        let lives = self.live.contains_key(&name);
        let expected = match (duration, lives, rule) {
            (0, true, _) => Ok(Operation::Cancel),
            (0, false, _) => Err(Failure::UnknownSubscription),
            (1..60, _, _) => Err(Failure::TooBrief(60)),
            (_, _, Rule::Challenge) => Err(Failure::Unidentified),
            (_, _, Rule::Forbid) => Err(Failure::Rejected(presentity::event::Rejection::Forbidden)),
            (_, true, _) => Ok(Operation::Extend),
            (_, false, _) if of_watcher >= ROOM => Err(Failure::Busy(10)),
            (_, false, _) => Ok(Operation::Subscribe),
        };
        let answer = outputs.answer();
        assert_eq!(answer.clone().map(|granted| granted.operation), expected);
        self.last = Some((watcher, request, expected.is_ok()));
        match expected {
            Ok(Operation::Cancel) => {
                self.live.remove(&name);
                assert_eq!(outputs.notifications().len(), 0);
            }
            Ok(_) => {
                let end = self.millis + u64::from(duration) * 1_000;
                let live = self.live.entry(name).or_insert(Live {
                    end,
                    rule,
                    open: None,
                    seen: None,
                });
                live.end = end;
                if rule != Rule::Pending {
                    live.rule = rule;
                }
                let granted = answer.unwrap();
                assert_eq!(granted.duration, duration);
                assert_eq!(granted.pending, live.rule == Rule::Pending);
                // It is told at once, unless one is on its way.
                let is_told = usize::from(live.open.is_none());
                assert_eq!(outputs.notifications().len(), is_told);
            }
            Err(Failure::Rejected(_)) if lives => {
                self.live.remove(&name);
                assert_eq!(outputs.ended().len(), 1);
            }
            Err(_) => assert_eq!(outputs.all.len(), 1),
        }
        self.take(&outputs);
    }

    fn fetch(&mut self, watcher: usize, presentity: usize) {
        let outputs = self
            .scene
            .fetch(WATCHERS[watcher], PRESENTITIES[presentity]);
        match self.rules[watcher] {
            Rule::Challenge => assert_eq!(outputs.failure(), Failure::Unidentified),
            Rule::Forbid => assert!(matches!(outputs.failure(), Failure::Rejected(_))),
            rule => {
                assert_eq!(outputs.granted().operation, Operation::Fetch);
                assert_eq!(outputs.shown(), [rule.shows(self.states[presentity])]);
                assert_eq!(outputs.notification().token(), None);
            }
        }
    }

    fn repeat(&mut self, by: Option<usize>) {
        let Some((watcher, request, true)) = self.last.clone() else {
            return;
        };
        let identity = by.map_or_else(nobody, |by| known(WATCHERS[by]));
        let failure = self.scene.send(&request, &identity).failure();
        // Each of the checks stands in its way, whichever comes first.
        match by {
            Some(by) if by == watcher => {
                assert!(
                    matches!(failure, Failure::Replayed | Failure::Stale),
                    "{failure}"
                );
            }
            Some(_) => assert!(
                matches!(
                    failure,
                    Failure::WrongSender | Failure::Replayed | Failure::Stale
                ),
                "{failure}"
            ),
            // Nobody has no subscription to cancel, and is let in nowhere.
            None => assert!(
                matches!(
                    failure,
                    Failure::Unidentified | Failure::UnknownSubscription | Failure::Stale
                ),
                "{failure}"
            ),
        }
    }

    fn decide(&mut self, watcher: usize, presentity: usize, rule: Rule) {
        let Some(decision) = rule.decision() else {
            return;
        };
        let concerned = |name: &Name| name.0 == watcher && name.1 == presentity;
        let many = self.live.keys().filter(|name| concerned(name)).count();
        let agent = self.scene.service.agent_mut();
        let (from, to) = (WATCHERS[watcher], PRESENTITIES[presentity]);
        let decided = agent.decide_watcher(self.scene.now, from, to, &decision);
        assert_eq!(decided, Ok(many));
        if rule == Rule::Forbid {
            self.live.retain(|name, _| !concerned(name));
        } else {
            self.live
                .iter_mut()
                .filter(|(name, _)| concerned(name))
                .for_each(|(_, live)| {
                    live.rule = rule;
                });
        }
        let outputs = self.scene.drain();
        let ended = if rule == Rule::Forbid { many } else { 0 };
        assert_eq!(outputs.ended().len(), ended);
        self.take(&outputs);
    }

    fn report(&mut self, oldest: bool, delivery: Delivery) {
        let next = if oldest {
            self.open.pop_front()
        } else {
            self.open.pop_back()
        };
        let Some((name, transaction)) = next else {
            return;
        };
        if let Some(live) = self.live.get_mut(&name)
            && live.open == Some(transaction)
        {
            live.open = None;
            match delivery {
                Delivery::Unwanted => {
                    self.live.remove(&name);
                }
                Delivery::Failed => live.seen = None,
                _ => {}
            }
        }
        let outputs = self.scene.report(transaction, delivery);
        self.take(&outputs);
        // Once is all.
        assert_eq!(self.scene.report(transaction, Delivery::Unwanted).all, []);
    }

    /// Quarter by quarter of a second, so that what runs out and what leaves are in step.
    fn pass(&mut self, millis: u64) {
        let end = self.millis + millis;
        while self.millis < end {
            self.tick(QUARTER);
        }
        // What has run out is gone when the next request comes.
        let lapsed = |scene: &Scene| {
            let mut all = scene.service.agent().subscriptions();
            all.any(|it| it.expires_at <= scene.now)
        };
        while lapsed(&self.scene) {
            self.tick(10);
        }
    }

    fn tick(&mut self, millis: u64) {
        self.millis += millis;
        let outputs = self.scene.pass(millis as f64 / 1_000.0);
        self.take(&outputs);
        self.live.retain(|_, live| live.end > self.millis);
    }

    /// In the end, everyone who lives has seen what it may see, and nothing stays behind.
    fn finish(mut self) {
        for _ in 0..20 {
            while !self.open.is_empty() {
                self.report(true, Delivery::Done);
            }
            self.pass(5_250);
        }
        self.scene.brings = true;
        for (watcher, rule) in [(0, Rule::Allow), (1, Rule::Allow)] {
            self.rules[watcher] = rule;
            self.scene.rule(WATCHERS[watcher], allowed());
        }
        let names: Vec<Name> = self.live.keys().copied().collect();
        for name in names {
            let live = &self.live[&name];
            assert_eq!(live.open, None);
            if let Some(seen) = &live.seen {
                assert_eq!(*seen, live.rule.shows(self.states[name.1]), "{name:?}");
            }
            let (from, to) = (WATCHERS[name.0], PRESENTITIES[name.1]);
            let outputs = self.scene.cancel(from, to, TOKENS[name.2]);
            assert_eq!(outputs.granted().operation, Operation::Cancel);
        }
        self.scene.empty();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // SDF-11, SDF-13, SDF-14, SDF-16, SDF-17, SDF-18, SDF-20, SDF-21, SDF-22, SDF-36
    #[test]
    fn any_course_of_operations_is_that_of_the_model(steps in vec(step(), 1..60)) {
        let mut course = Course::new();
        for step in &steps {
            course.take_step(step);
        }
        course.finish();
    }
}
