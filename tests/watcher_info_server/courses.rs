//! Courses of random events: who puts the documents together always has the truth in the end.

use std::collections::BTreeMap;

use presentity::event::{Decision, Reason, Rejection};

use crate::common::{Outputs, Role, body_of, field};
use crate::scene::{Document, Held, ROSA, Scene, allow, read, scene_with};

/// Numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % most
    }
}

/// What one who watches makes of its documents (RFC 3858 section 4).
#[derive(Debug, Default)]
struct Reader {
    next_version: u32,
    rows: BTreeMap<String, (String, String)>,
}

impl Reader {
    fn take(&mut self, document: &Document) {
        assert_eq!(document.version, self.next_version);
        self.next_version += 1;
        if document.is_full() {
            self.rows.clear();
        }
        assert!(document.entries.len() <= 3);
        for it in &document.entries {
            if it.status == "terminated" {
                assert!(!document.is_full());
                // One that went on before its turn came may have been told to nobody.
                self.rows.remove(&it.id);
            } else {
                let row = (it.uri.clone(), it.status.clone());
                self.rows.insert(it.id.clone(), row);
            }
        }
    }
}

struct Course {
    scene: Scene,
    dice: Dice,
    /// By who it is.
    readers: BTreeMap<&'static str, Reader>,
    held: Vec<(&'static str, Held)>,
}

const WATCHERS: [&str; 5] = ["ana", "ben", "cleo", "dan", "eve"];

impl Course {
    fn new(seed: u64) -> Self {
        let mut scene = scene_with(|config| {
            config.entries_per_document = 3;
            config.terminated_per_resource = 3;
            config.undecided_per_resource = 4;
            config.give_up_after = std::time::Duration::from_secs(400);
        });
        scene.role.doors.package_mut().others = Decision::Pending;
        Self {
            scene,
            dice: Dice(seed * 2_654_435_769 + 1),
            readers: BTreeMap::new(),
            held: Vec::new(),
        }
    }

    /// Answers everything, to those who watch with an error now and then.
    fn answer(&mut self, mut outputs: Outputs, is_reliable: bool) {
        while !outputs.all.is_empty() {
            let mut next = Outputs::default();
            for notify in outputs.requests() {
                let mut status = 200;
                if field(notify, "Event") == Some("doors.winfo") {
                    let to = field(notify, "To").unwrap();
                    let is_rosa = to.contains("rosa");
                    let who = if is_rosa { "rosa" } else { "ben" };
                    let reader = self.readers.entry(who).or_default();
                    if is_reliable || self.dice.below(5) > 0 {
                        reader.take(&read(body_of(notify)));
                    } else {
                        status = 500;
                        reader.next_version += 1;
                    }
                }
                next.all
                    .extend(self.scene.answer_with(notify, status, &[]).all);
            }
            outputs = next;
        }
    }

    fn subscribe(&mut self, who: &'static str, seconds: u32) {
        let message = self.scene.message(who, "doors", seconds);
        let outputs = self.scene.send(&message);
        let response = outputs.responses()[0];
        if response.status() == 200 && seconds > 0 {
            let tag = response.to_tag().unwrap().to_owned();
            self.held.push((who, Held::new(message, tag)));
        }
        self.answer(outputs, false);
    }

    fn pass(&mut self, seconds: u64, is_reliable: bool) {
        let end = self.scene.now + std::time::Duration::from_secs(seconds);
        while let Some(deadline) = self.scene.role.deadline().filter(|it| *it <= end) {
            self.scene.now = self.scene.now.max(deadline);
            let now = self.scene.now;
            self.scene.role.timeout(now);
            let outputs = self.scene.drain();
            self.answer(outputs, is_reliable);
        }
        self.scene.now = end;
        self.scene.role.timeout(end);
        let outputs = self.scene.drain();
        self.answer(outputs, is_reliable);
    }

    fn step(&mut self) {
        let who = WATCHERS[self.dice.below(5) as usize];
        match self.dice.below(10) {
            0..=2 => {
                let seconds = [0, 60, 100, 600][self.dice.below(4) as usize];
                self.subscribe(who, seconds);
            }
            3 if !self.held.is_empty() => {
                let place = self.dice.below(self.held.len() as u64) as usize;
                let (who, mut held) = self.held.swap_remove(place);
                let seconds = [0, 60, 300][self.dice.below(3) as usize];
                let message = held.next(seconds);
                let outputs = self.scene.send(&message);
                if outputs.responses()[0].status() == 200 && seconds > 0 {
                    self.held.push((who, held));
                }
                self.answer(outputs, false);
            }
            4..=6 => {
                let decision = match self.dice.below(4) {
                    0 => allow(),
                    1 => Decision::PoliteBlock,
                    2 => Decision::Pending,
                    _ => Decision::Reject(Rejection::Forbidden),
                };
                self.scene.decide(who, decision);
                let outputs = self.scene.drain();
                self.answer(outputs, false);
            }
            7 => {
                let doors = &self.scene.role.doors;
                if doors
                    .subscriptions()
                    .any(|it| it.watcher.is_some_and(|it| it.starts_with(who)))
                {
                    let reasons = [Reason::Deactivated, Reason::NoResource, Reason::Timeout];
                    let reason = reasons[self.dice.below(3) as usize];
                    self.scene.end(who, reason);
                    let outputs = self.scene.drain();
                    self.answer(outputs, false);
                }
            }
            _ => {
                let seconds = self.dice.below(40);
                self.pass(seconds, false);
            }
        }
    }

    /// Who is there by the servers' own account.
    fn truth(&self, who: Option<&str>) -> BTreeMap<String, (String, String)> {
        let house = &self.scene.role;
        let live = house.doors.subscriptions().map(|it| {
            let status = match it.decision {
                Decision::Pending => "pending",
                _ => "active",
            };
            (it.key, it.watcher.unwrap().to_owned(), status)
        });
        let gone = house.info.undecided(1);
        let gone = gone.filter(|it| house.doors.subscription(it.key).is_none());
        let gone = gone.map(|it| (it.key, it.watcher.to_string(), "waiting"));
        live.chain(gone)
            .filter(|(_, watcher, _)| who.is_none_or(|who| watcher == who))
            .map(|(key, watcher, status)| {
                (
                    key.to_string(),
                    (format!("sip:{watcher}"), status.to_owned()),
                )
            })
            .collect()
    }

    fn watch(&mut self, who: &'static str) {
        let message = self.scene.message(who, "doors.winfo", 3600);
        self.readers.insert(who, Reader::default());
        let outputs = self.scene.send(&message);
        assert_eq!(outputs.responses()[0].status(), 200);
        self.answer(outputs, true);
    }
}

// SRV-64, SRV-65, SRV-67, SRV-68, SRV-70
#[test]
fn who_watches_has_the_truth_in_the_end() {
    for seed in 1..=60 {
        let mut course = Course::new(seed);
        for _ in 0..seed % 7 {
            course.step();
        }
        course.watch("rosa");
        course.watch("ben");
        for _ in 0..60 {
            course.step();
        }
        // What was refused is made good with the next change.
        for who in ["zoe", "ben"] {
            course.scene.decide(who, allow());
            course.subscribe(who, 3600);
            course.pass(6, true);
        }
        course.scene.end("zoe", Reason::Deactivated);
        course.pass(1, true);
        course.pass(60, true);
        let own = course.readers.remove("ben").unwrap().rows;
        assert_eq!(own, course.truth(Some("ben@example.com")), "seed {seed}");
        let all = course.readers.remove("rosa").unwrap().rows;
        assert_eq!(all, course.truth(None), "seed {seed}");

        // When all is over nothing is left.
        let now = course.scene.now;
        let end = presentity::event::Termination::new(Reason::Deactivated);
        let house = &mut course.scene.role;
        house.info.terminate_all(now, end);
        house.doors.terminate_resource(now, ROSA, end);
        let outputs = course.scene.drain();
        course.scene.answer(outputs);
        course.scene.after(1000.0);
        let house = &course.scene.role;
        assert_eq!(
            house.info.occupancy(1),
            Some(Default::default()),
            "seed {seed}"
        );
        assert_eq!(house.doors.occupancy(), Default::default(), "seed {seed}");
        assert_eq!(house.info.poll_timeout(), None);
    }
}
