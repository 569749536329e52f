//! A watcher beside a notifier that spares what it can: whatever happens, in the end the watcher holds what
//! the notifier has.

use std::time::Duration;

use bytes::Bytes;
use presentity::event::{Failure, OwnSubscriptionKey, OwnSubscriptionPhase};
use presentity::pidf::partial::{MEDIA_TYPE, Numbered};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::{WatchOrder, WatcherConfig, WatcherEvent};
use presentity::sip::{OutgoingRequest, Rate, Rates};

use crate::common::field;
use crate::phone::{BOB, Notifier, Phone, Taken, account};

const SECOND: Duration = Duration::from_secs(1);

/// Small numbers, the same for a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }
}

fn document(state: u64) -> Bytes {
    let tuple = Tuple::open("desk").with_note(format!("state {state}"));
    let document = Presence::new(BOB).with_tuple(tuple);
    // What stays is what changes are spared for.
    let document = document.with_tuple(Tuple::closed("cell"));
    document.write().unwrap()
}

/// What the notifier has of a subscription.
struct Dialog {
    notifier: Notifier,
    condition: Option<String>,
    takes_parts: bool,
    version: u32,
    /// The state that was sent last in it, as a part.
    sent: Option<u64>,
}

struct World {
    phone: Phone,
    key: OwnSubscriptionKey,
    dice: Dice,
    state: u64,
    dialog: Option<Dialog>,
    dialogs: u32,
    /// Whether it names states and heeds conditions.
    is_conditional: bool,
    confirmed: u32,
    spared: u32,
    parts: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut config = WatcherConfig::default();
        config.partial = dice.below(2) == 0;
        let mut phone = Phone::with(config);
        let account = account();
        let order = WatchOrder::new(&account, BOB);
        let key = phone.watcher.watch(phone.now, order).unwrap();
        let is_conditional = dice.below(8) > 0;
        Self {
            phone,
            key,
            dice,
            state: 1,
            dialog: None,
            dialogs: 0,
            is_conditional,
            confirmed: 0,
            spared: 0,
            parts: 0,
        }
    }

    fn matches(&self, condition: Option<&str>) -> bool {
        let tag = format!("s{}", self.state);
        self.is_conditional && condition.is_some_and(|it| it == "*" || it == tag)
    }

    /// All that follows, until nothing does.
    fn settle(&mut self, mut taken: Taken, may_lose: bool) {
        for _ in 0..50 {
            let confirmed = |event: &&WatcherEvent| matches!(event, WatcherEvent::Confirmed { .. });
            self.confirmed += taken.events.iter().filter(confirmed).count() as u32;
            if taken.requests.is_empty() {
                return;
            }
            let mut next = Taken::default();
            for request in core::mem::take(&mut taken.requests) {
                let mut more = self.asked(&request, may_lose);
                next.requests.append(&mut more.requests);
                next.events.append(&mut more.events);
            }
            taken = next;
        }
        panic!("it never ends");
    }

    fn asked(&mut self, request: &OutgoingRequest, may_lose: bool) -> Taken {
        if may_lose && self.dice.below(12) == 0 {
            return self.phone.fail(request, Failure::Timeout);
        }
        if may_lose && self.dice.below(12) == 0 {
            return self.phone.answer(request, 500, &[]);
        }
        let condition = field(request, "Suppress-If-Match").map(str::to_owned);
        let expires = field(request, "Expires").unwrap().to_owned();
        let takes_parts = field(request, "Accept").unwrap().contains(MEDIA_TYPE);
        let tag = field(request, "To").unwrap().split_once(";tag=");
        let tag = tag.map(|(_, tag)| tag.to_owned());
        let matches = self.matches(condition.as_deref());
        let Some(tag) = tag else {
            self.dialogs += 1;
            let tag = format!("pa{}", self.dialogs);
            self.dialog = Some(Dialog {
                notifier: Notifier::of(request, &tag),
                condition,
                takes_parts,
                version: 0,
                sent: None,
            });
            let mut taken = self.phone.accept(request, &tag, expires.parse().unwrap());
            let mut more = self.tell(!matches);
            taken.requests.append(&mut more.requests);
            taken.events.append(&mut more.events);
            return taken;
        };
        let of_this = self.dialog.as_mut().filter(|it| it.notifier.tag == tag);
        let Some(dialog) = of_this else {
            return self.phone.answer(request, 481, &[]);
        };
        dialog.condition = condition;
        dialog.takes_parts = takes_parts;
        if matches {
            self.spared += 1;
            return self.phone.answer(request, 204, &[("Expires", &expires)]);
        }
        // What answers a SUBSCRIBE is whole.
        dialog.sent = None;
        // Either may come first.
        if self.dice.below(2) == 0 {
            let mut taken = self.tell(true);
            let mut more = self.phone.accept(request, &tag, expires.parse().unwrap());
            taken.requests.append(&mut more.requests);
            taken.events.append(&mut more.events);
            return taken;
        }
        let mut taken = self.phone.accept(request, &tag, expires.parse().unwrap());
        let mut more = self.tell(true);
        taken.requests.append(&mut more.requests);
        taken.events.append(&mut more.events);
        taken
    }

    /// A NOTIFY, with the state or without.
    fn tell(&mut self, with_state: bool) -> Taken {
        let (state, is_conditional) = (self.state, self.is_conditional);
        let dialog = self.dialog.as_mut().unwrap();
        let mut message = dialog.notifier.notify("active;expires=3600");
        if is_conditional {
            message = message.with("SIP-ETag", &format!("s{state}"));
        }
        if with_state {
            let (media_type, octets) = match (dialog.takes_parts, dialog.sent) {
                (false, _) => ("application/pidf+xml", document(state)),
                (true, sent) => {
                    dialog.version += 1;
                    let numbered = match sent {
                        Some(before) => {
                            self.parts += 1;
                            Numbered::difference(&document(before), &document(state))
                        }
                        None => Numbered::full(&document(state)),
                    };
                    (MEDIA_TYPE, numbered.unwrap().with_version(dialog.version))
                }
            };
            dialog.sent = dialog.takes_parts.then_some(state);
            let text = String::from_utf8(octets.to_vec()).unwrap();
            message = message.with("Content-Type", media_type).with_body(&text);
        }
        let taken = self.phone.notify(&message);
        assert_eq!(taken.responses[0].status(), 200);
        taken
    }

    fn change(&mut self, may_lose: bool) {
        self.state += 1;
        let Some(dialog) = &self.dialog else {
            return;
        };
        if self.matches(dialog.condition.clone().as_deref()) {
            return;
        }
        if may_lose && self.dice.below(10) == 0 {
            // It was written, and never came: the next one tells of a gap.
            let dialog = self.dialog.as_mut().unwrap();
            dialog.version += 1;
            dialog.sent = dialog.takes_parts.then_some(self.state);
            return;
        }
        let taken = self.tell(true);
        self.settle(taken, may_lose);
    }

    fn step(&mut self) {
        let (now, key) = (self.phone.now, self.key);
        let taken = match self.dice.below(9) {
            0..3 => return self.change(true),
            3 => self.phone.pass_until_something(SECOND * 3600),
            4 => self.phone.pass(SECOND * (1 + self.dice.below(100)) as u32),
            5 => {
                self.phone.watcher.request_state(now, key);
                self.phone.take()
            }
            6 => {
                let is_quiet = self.dice.below(2) == 0;
                self.phone.watcher.set_quiet(now, key, is_quiet);
                self.phone.take()
            }
            7 => {
                let interval = SECOND * (1 + self.dice.below(5)) as u32;
                let rates = Rates::at_most(Rate::per(interval));
                self.phone.watcher.set_rates(now, key, rates).unwrap();
                self.phone.take()
            }
            _ => match self.dialog.take() {
                Some(mut dialog) if self.dice.below(2) == 0 => {
                    let end = dialog.notifier.notify("terminated;reason=deactivated");
                    self.phone.notify(&end)
                }
                // It has lost it without a word.
                _ => return,
            },
        };
        self.settle(taken, true);
    }

    fn check(&mut self) {
        let quiet = self.phone.watcher.presentity(self.key).unwrap();
        let OwnSubscriptionPhase::Held(_) = quiet.subscription.phase else {
            panic!("{quiet:?}");
        };
        let known = self.phone.watcher.presence(self.key).cloned();
        assert_eq!(known, Presence::read(&document(self.state)).ok());
        assert!(self.phone.watcher.presentity(self.key).unwrap().is_current);
    }
}

// PA-70, PA-71, SUB-13, SUB-59
#[test]
fn whatever_is_spared_the_watcher_holds_what_the_notifier_has() {
    let mut sums = [0; 3];
    for seed in 1..=200 {
        let mut world = World::new(seed);
        println!("seed {seed}");
        let taken = world.phone.take();
        world.settle(taken, true);
        for _ in 0..60 {
            world.step();
        }
        // Nobody loses anything from here on, and somebody looks again.
        world
            .phone
            .watcher
            .set_quiet(world.phone.now, world.key, false);
        let taken = world.phone.take();
        world.settle(taken, false);
        for _ in 0..6 {
            let taken = world.phone.pass_until_something(SECOND * 4_000);
            world.settle(taken, false);
        }
        world.check();
        world.change(false);
        world.check();
        world.phone.watcher.end(world.phone.now, world.key).unwrap();
        let leave = world.phone.take().request().clone();
        let taken = if field(&leave, "Suppress-If-Match").is_some() && world.is_conditional {
            world.phone.answer(&leave, 204, &[("Expires", "0")])
        } else {
            world.phone.accept(&leave, "x", 0);
            let dialog = world.dialog.as_mut().unwrap();
            let end = dialog.notifier.notify("terminated;reason=timeout");
            world.phone.notify(&end)
        };
        assert_eq!(taken.over(), Some(true), "{taken:?}");
        assert!(world.phone.is_empty());
        for (sum, one) in sums
            .iter_mut()
            .zip([world.confirmed, world.spared, world.parts])
        {
            *sum += one;
        }
    }
    // It did happen.
    assert!(sums.iter().all(|sum| *sum > 150), "{sums:?}");
}
