//! Openings that end in any order, early, late and not at all, among everything else: each request is
//! answered once, states go forward, and nothing is left.

use std::collections::BTreeSet;
use std::time::Duration;

use presentity::event::{Opening, Output, PublishDecision};
use presentity::mime::{DecryptError, OpenError, VerifyError};
use presentity::presence::WatcherEvent;

use crate::agent::{ANA, BOB, Desk};
use crate::common::{Message, Outputs, response_field};
use crate::notifies::{ACTIVE, opens, protected};
use crate::phone::{Notifier, Taken, document};
use crate::wrapping::{PIDF, Pen, as_opened, carrying, open, sign};

/// Numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

fn fault(dice: &mut Dice) -> OpenError {
    match dice.roll(4) {
        0 => OpenError::Decrypt(DecryptError::Undecipherable),
        1 => OpenError::Signature(VerifyError::Wrong),
        2 => OpenError::Unsupported,
        _ => OpenError::TooDeep,
    }
}

/// What a watcher has told, and how many responses it has given.
#[derive(Default)]
struct Told {
    last: usize,
    responses: BTreeSet<u64>,
    asked: usize,
}

impl Told {
    fn take(&mut self, taken: &Taken) {
        for response in &taken.responses {
            assert!(self.responses.insert(response.transaction().0), "twice");
        }
        for event in &taken.events {
            if let WatcherEvent::Changed(change) = event
                && let Some(after) = &change.after
            {
                let number = after.tuples[0].notes[0].text.parse().unwrap();
                assert!(self.last < number, "{number} after {}", self.last);
                self.last = number;
            }
        }
    }
}

// SUB-50
#[test]
fn what_a_watcher_knows_goes_forward_whatever_is_opened_first() {
    for seed in 0..100 {
        let mut dice = Dice(seed);
        let mut phone = opens();
        let (key, subscribe) = phone.watch();
        let mut told = Told::default();
        told.take(&phone.accept(&subscribe, "n0", 3600));
        let mut notifier = Notifier::of(&subscribe, "n0");
        told.asked += 1;
        told.take(&phone.notify(&notifier.notify(ACTIVE)));
        let mut waiting: Vec<Opening> = Vec::new();
        let (mut newest, mut dialogs) = (0, 0);
        for number in 1..40 {
            let taken = match dice.roll(10) {
                0..=2 => {
                    told.asked += 1;
                    newest = number;
                    let text = document("open", &number.to_string());
                    phone.notify(&notifier.tell(ACTIVE, &text))
                }
                3..=5 => {
                    told.asked += 1;
                    let body = protected(&number.to_string());
                    phone.notify(&carrying(notifier.notify(ACTIVE), &body))
                }
                6 if dice.roll(4) == 0 => {
                    told.asked += 1;
                    let body = protected(&number.to_string());
                    let end = notifier.notify("terminated;reason=deactivated");
                    let mut taken = phone.notify(&carrying(end, &body));
                    waiting.append(&mut taken.openings);
                    while taken.requests.is_empty() {
                        told.take(&taken);
                        taken = phone.pass_until_something(Duration::from_secs(4_000));
                    }
                    dialogs += 1;
                    let tag = format!("n{dialogs}");
                    let subscribe = taken.requests[0].clone();
                    notifier = Notifier::of(&subscribe, &tag);
                    told.take(&phone.accept(&subscribe, &tag, 3600));
                    told.asked += 1;
                    told.take(&phone.notify(&notifier.notify(ACTIVE)));
                    taken
                }
                6..=8 if !waiting.is_empty() => {
                    let place = dice.roll(waiting.len());
                    let asked = waiting.remove(place);
                    let outcome = match dice.roll(4) {
                        0 => Err(fault(&mut dice)),
                        1 => Ok(as_opened("text/plain", "x")),
                        _ => open(&asked.content_type, &asked.body),
                    };
                    phone
                        .watcher
                        .complete_opening(phone.now, asked.key, outcome);
                    phone.take()
                }
                _ => {
                    let seconds = dice.roll(12);
                    phone.pass(Duration::from_secs(seconds.try_into().unwrap()))
                }
            };
            waiting.extend(taken.openings.iter().cloned());
            told.take(&taken);
        }
        told.take(&phone.pass(Duration::from_secs(17)));
        assert_eq!(told.responses.len(), told.asked, "{seed}");
        assert!(told.last >= newest, "{seed}");
        assert_eq!(phone.watcher.occupancy()[6], 0);
        phone.watcher.abandon(phone.now, key);
        for asked in waiting {
            let late = Ok(as_opened(PIDF, "x"));
            assert!(!phone.watcher.complete_opening(phone.now, asked.key, late));
        }
        while phone.take().requests.len() + phone.watcher.occupancy()[3] > 0 {
            phone.pass(Duration::from_secs(65));
        }
        assert!(phone.is_empty(), "{seed} {:?}", phone.watcher.occupancy());
    }
}

struct Course {
    desk: Desk,
    openings: Vec<Opening>,
    jobs: Vec<presentity::event::Job>,
    tags: Vec<String>,
    answered: usize,
    asked: usize,
}

impl Course {
    fn take(&mut self, outputs: &Outputs) {
        for output in &outputs.all {
            match output {
                Output::Open(opening) => self.openings.push(opening.clone()),
                Output::Job(job) => self.jobs.push(job.clone()),
                _ => {}
            }
        }
        for response in outputs.responses() {
            self.answered += 1;
            self.tags
                .extend(response_field(response, "SIP-ETag").map(str::to_owned));
        }
        let more = self.desk.driver.answer_all(outputs);
        if !more.all.is_empty() {
            self.take(&more);
        }
    }

    fn send(&mut self, message: &Message) {
        self.asked += 1;
        let outputs = self.desk.driver.send(message);
        self.take(&outputs);
    }
}

#[test]
fn each_request_of_an_agent_is_answered_once() {
    for seed in 0..80 {
        let mut dice = Dice(seed);
        let mut desk = Desk::with(|config| config.server.limits.jobs = 5);
        if seed % 2 == 0 {
            desk.rules().publish = PublishDecision::Defer;
        }
        let mut course = Course {
            desk,
            openings: Vec::new(),
            jobs: Vec::new(),
            tags: Vec::new(),
            answered: 0,
            asked: 0,
        };
        for number in 0..60 {
            let call = (number - dice.roll(2).min(number)).to_string();
            match dice.roll(10) {
                0..=2 => {
                    let text = document("open", &call);
                    let body = sign(&Pen::of(BOB), PIDF, &text);
                    let mut message = carrying(Message::publish(BOB, &call, "x"), &body);
                    if dice.roll(2) == 0 && !course.tags.is_empty() {
                        let place = dice.roll(course.tags.len());
                        message = message.with("SIP-If-Match", &course.tags[place].clone());
                    }
                    if dice.roll(6) == 0 {
                        message = message.with("Expires", "0");
                    }
                    course.send(&message);
                }
                3 => {
                    let body = protected(&call);
                    course.send(&carrying(Message::subscribe(ANA, BOB, &call), &body));
                }
                4 => course.send(&Message::subscribe(ANA, BOB, &call)),
                5 | 6 if !course.openings.is_empty() => {
                    let place = dice.roll(course.openings.len());
                    let asked = course.openings.remove(place);
                    let outcome = match dice.roll(4) {
                        0 => Err(fault(&mut dice)),
                        1 => Ok(as_opened(PIDF, "")),
                        _ => open(&asked.content_type, &asked.body),
                    };
                    let again = outcome.clone();
                    let now = course.desk.driver.now;
                    course
                        .desk
                        .agent()
                        .complete_opening(now, asked.key, outcome);
                    assert!(!course.desk.agent().complete_opening(now, asked.key, again));
                    let outputs = course.desk.driver.drain();
                    course.take(&outputs);
                }
                7 if !course.jobs.is_empty() => {
                    let place = dice.roll(course.jobs.len());
                    let job = course.jobs.remove(place);
                    let now = course.desk.driver.now;
                    let success = dice.roll(3) > 0;
                    let _ = course.desk.agent().complete_job(now, job.key, success);
                    let outputs = course.desk.driver.drain();
                    course.take(&outputs);
                }
                _ => {
                    let seconds = f64::from(u32::try_from(dice.roll(90)).unwrap()) / 10.0;
                    let outputs = course.desk.driver.pass(seconds);
                    course.take(&outputs);
                }
            }
            let waiting = course.asked - course.answered;
            assert_eq!(course.desk.jobs(), waiting, "{seed}");
            assert!(waiting <= 10);
        }
        let outputs = course.desk.driver.pass(31.0);
        course.take(&outputs);
        assert_eq!(course.answered, course.asked, "{seed}");
        for _ in 0..3 {
            let outputs = course.desk.driver.pass(700.0);
            course.take(&outputs);
        }
        let occupancy = course.desk.agent().occupancy();
        assert_eq!(occupancy, Default::default(), "{seed}");
    }
}
