//! Long deterministic runs: what piles up over days or over many NOTIFYs would show here.

use core::time::Duration;
use std::collections::BTreeMap;

use presentity::event::{
    Authorization, Decision, Occupancy, PublishDecision, PublishQuery, SubscribeQuery, View,
};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{Agent, AgentConfig, Policy};

use crate::common::{Driver, Message, Outputs, field, seeded, state_of};

/// Everybody sees everybody and publishes for himself.
#[derive(Debug)]
struct Open;

impl Policy for Open {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        if query.identity().includes(query.resource()) {
            PublishDecision::Allow
        } else {
            PublishDecision::Forbid
        }
    }
}

fn driver() -> Driver<Agent<Open>> {
    Driver::new(Agent::new(AgentConfig::default(), Open, seeded(36)))
}

/// Small numbers that look random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) % sides
    }
}

/// Answers NOTIFYs, mostly by 200, and the NOTIFYs that follow from that.
fn answer(driver: &mut Driver<Agent<Open>>, dice: &mut Dice, mut outputs: Outputs) {
    while !outputs.requests().is_empty() {
        let mut next = Outputs::default();
        for request in outputs.requests() {
            let mut more = match dice.roll(60) {
                0 => driver.answer(request, 481),
                1 => driver.answer(request, 500),
                2 => driver.answer_with(request, 503, &[("Retry-After", "20")]),
                // Nobody ever says what became of it.
                3 => continue,
                _ => driver.answer(request, 200),
            };
            next.all.append(&mut more.all);
        }
        outputs = next;
    }
}

#[test]
fn nothing_is_left_after_36_hours_of_coming_and_going() {
    let mut driver = driver();
    let mut dice = Dice(0x1234_5678_9abc_def1);
    // A watcher's dialog: its SUBSCRIBE and the agent's tag, CSeq.
    let mut dialogs: Vec<(Message, String, u32)> = Vec::new();
    let mut tags: BTreeMap<u64, String> = BTreeMap::new();
    let end = driver.now + Duration::from_secs(36 * 3600);
    let mut calls = 0;
    let mut most = 0;
    while driver.now < end {
        calls += 1;
        let user = format!("sip:user{}@example.com", dice.roll(12));
        let presentity = dice.roll(6);
        let uri = format!("sip:presentity{presentity}@example.com");
        let outputs = match dice.roll(10) {
            0..=2 => {
                let expires = [0, 60, 600, 3600][dice.roll(4) as usize].to_string();
                let message = Message::subscribe(&user, &uri, &format!("call-{calls}"))
                    .with("Expires", &expires);
                let outputs = driver.send(&message);
                let tag = outputs.response().to_tag().expect("a tag").to_owned();
                dialogs.push((message, tag, 1));
                outputs
            }
            3..=5 if !dialogs.is_empty() => {
                let place = dice.roll(dialogs.len() as u64) as usize;
                let leaves = dice.roll(3) == 0;
                let (message, tag, cseq) = &mut dialogs[place];
                *cseq += 1;
                let expires = if leaves { "0" } else { "900" };
                let message = message
                    .clone()
                    .with("Expires", expires)
                    .in_dialog(tag, *cseq);
                let outputs = driver.send(&message);
                if outputs.status() != 200 || leaves {
                    dialogs.swap_remove(place);
                }
                outputs
            }
            6..=8 => {
                let body = Presence::new(uri.as_str())
                    .with_tuple(Tuple::open("phone").with_note(format!("{calls}").as_str()));
                let body = String::from_utf8(body.write().expect("written").to_vec());
                let mut message =
                    Message::publish(&uri, &format!("call-{calls}"), &body.expect("text"));
                if let Some(tag) = tags.get(&presentity) {
                    message = message.with("SIP-If-Match", tag);
                }
                let outputs = driver.send(&message);
                tags.remove(&presentity);
                if outputs.status() == 200 {
                    let response = outputs.response();
                    let tag = crate::common::response_field(response, "SIP-ETag");
                    tags.insert(presentity, tag.expect("a tag").to_owned());
                }
                outputs
            }
            _ => Outputs::default(),
        };
        answer(&mut driver, &mut dice, outputs);
        let seconds = dice.roll(100) as f64;
        let outputs = driver.pass(seconds);
        answer(&mut driver, &mut dice, outputs);
        most = most.max(driver.role.occupancy().subscriptions);
    }
    assert!(calls > 2_000 && most > 10, "{calls} {most}");
    // What was held, forgotten or published runs out.
    for _ in 0..3 {
        let outputs = driver.pass(3700.0);
        for request in outputs.requests() {
            driver.answer(request, 200);
        }
        driver.drain();
    }
    assert_eq!(driver.role.occupancy(), Occupancy::default());
    assert_eq!(driver.role.poll_timeout(), None);
    let counters = driver.role.counters();
    assert!(counters.subscriptions_started() > 500);
    assert_eq!(
        counters.subscriptions_started(),
        counters.subscriptions_ended()
    );
}

#[test]
fn a_hundred_thousand_notifies_leave_no_trace() {
    const WATCHERS: u32 = 10;
    const CHANGES: u32 = 10_000;
    let mut driver = driver();
    let watching = |number: u32| {
        let watcher = format!("sip:user{number}@example.com");
        Message::subscribe(&watcher, "sip:pia@example.com", &format!("call-{number}"))
            .with("Expires", "3600")
    };
    let tags: Vec<String> = (0..WATCHERS)
        .map(|number| driver.subscribed(&watching(number)))
        .collect();
    let mut steady = None;
    let mut refreshes = 0;
    for change in 0..CHANGES {
        let document = Presence::new("sip:pia@example.com")
            .with_tuple(Tuple::open("desk").with_note(format!("{change}").as_str()));
        driver
            .role
            .set_presence(driver.now, "sip:pia@example.com", document)
            .expect("a presentity");
        // The interval, and a tick of the timers.
        driver.now = driver.now + Duration::from_millis(5_100);
        driver.role.handle_timeout(driver.now);
        let outputs = driver.drain();
        assert_eq!(outputs.all.len(), WATCHERS as usize);
        for notify in outputs.requests() {
            assert!(state_of(notify).starts_with("active;expires="));
            let cseq = format!("{} NOTIFY", change + 2 + refreshes);
            assert_eq!(field(notify, "CSeq"), Some(cseq.as_str()));
        }
        driver.answer_all(&outputs);
        let occupancy = driver.role.occupancy();
        assert_eq!(*steady.get_or_insert(occupancy), occupancy, "at {change}");
        if change % 500 == 499 {
            refreshes += 1;
            for (number, tag) in (0..WATCHERS).zip(&tags) {
                let outputs = driver.send(&watching(number).in_dialog(tag, 1 + refreshes));
                assert_eq!(outputs.status(), 200);
                driver.answer_all(&outputs);
            }
        }
    }
    let sent = u64::from(WATCHERS * (CHANGES + 1 + refreshes));
    assert!(sent > 100_000);
    assert_eq!(driver.role.counters().notifies_sent(), sent);
}
