//! What is done to everybody, by the dice.

use presentity::event::{Decision, Rejection};

use crate::books::{Book, Gives, Line, Mixture, Who};
use crate::facts::{Fact, PRIVATE, WORK};
use crate::network::{MILLI, SECOND, Weather};
use crate::node::at;
use crate::server::{Registered, allow};
use crate::world::{DEVICES, MINUTE, PRESENTITIES, World};
use presentity::rules::SubHandling;

/// A network as bad as it may be, or better.
pub fn weather(world: &mut World) -> Weather {
    let dice = &mut world.network.dice;
    let slow = [30 * MILLI, 300 * MILLI, 1_500 * MILLI][dice.roll(3) as usize];
    Weather {
        lost: dice.roll(251),
        doubled: dice.roll(201),
        delay: (MILLI, slow),
        stragglers: dice.roll(30),
    }
}

impl World {
    pub fn fact(&mut self, origin: String, may_place: bool) -> Fact {
        let mark = self.mark();
        let dice = &mut self.network.dice;
        let sphere = match dice.roll(6) {
            0 if may_place => Some("home"),
            1 | 2 if may_place => Some("work"),
            _ => None,
        };
        Fact {
            origin,
            mark,
            class: [WORK, PRIVATE][dice.roll(2) as usize],
            sphere,
        }
    }

    /// Most watch most, and each presentity has rules.
    pub fn gather(&mut self) {
        if self.network.dice.chance(800) {
            self.server.set_clock(&mut self.network, 0);
        }
        for presentity in 0..PRESENTITIES {
            self.program(presentity, |program, now| program.follow(now));
            let handling = [SubHandling::Confirm, SubHandling::Allow];
            let handling = handling[self.network.dice.roll(2) as usize];
            self.say_of_everybody(presentity, Some(handling));
            for _ in 0..2 {
                self.change_rules(presentity);
            }
            for watcher in 0..self.watchers.len() {
                if self.network.dice.chance(800) {
                    self.watch(watcher, presentity);
                }
            }
        }
        for device in 0..DEVICES - 1 {
            self.publish(device);
        }
    }

    fn program(
        &mut self,
        presentity: usize,
        done: impl FnOnce(&mut crate::program::Program, presentity::engine::Timestamp),
    ) {
        let node = &mut self.programs[presentity];
        done(&mut node.user, at(&self.network));
        node.settle(&mut self.network);
    }

    /// One more rule, for all.
    pub fn say_of_everybody(&mut self, presentity: usize, handling: Option<SubHandling>) {
        let desk = &self.server.desks[presentity];
        let mut lines = desk.book.0.clone().unwrap_or_default();
        lines.push(Line {
            who: Who::Everybody,
            sphere: None,
            within: None,
            handling,
            gives: Gives {
                work: true,
                notes: true,
                ..Gives::default()
            },
        });
        let book = Book(Some(lines));
        self.server.set_book(&mut self.network, presentity, book);
    }

    pub fn watch(&mut self, watcher: usize, presentity: usize) {
        let node = &mut self.watchers[watcher];
        let name = &self.names[presentity];
        node.user.watch(at(&self.network), presentity, name);
        node.settle(&mut self.network);
    }

    pub fn publish(&mut self, device: usize) {
        let origin = format!("pub{}", device + 1);
        let fact = self.fact(origin, true);
        let node = &mut self.devices[device];
        let now = at(&self.network);
        node.user.publish(now, fact);
        node.settle(&mut self.network);
    }

    pub fn change_rules(&mut self, presentity: usize) {
        let now = self.server.seconds(&self.network);
        let dice = &mut self.network.dice;
        let mut lines = self.server.desks[presentity]
            .book
            .0
            .clone()
            .unwrap_or_default();
        let place = dice.roll(lines.len() as u64 + 1) as usize;
        match dice.roll(10) {
            0 => {
                let none = Book(None);
                return self.server.set_book(&mut self.network, presentity, none);
            }
            1 | 2 if place < lines.len() => {
                lines.remove(place);
            }
            3 if place < lines.len() => lines[place].gives = Gives::EVERYTHING,
            // The same again.
            4 => {}
            _ => {
                let line = Line::throw(dice, &self.server.watchers, now);
                match lines.len() < 6 {
                    true => lines.push(line),
                    false => lines[place % 6] = line,
                }
            }
        }
        let book = Book(Some(lines));
        self.server.set_book(&mut self.network, presentity, book);
    }

    /// A presentity's program decides about one who waits, or about all.
    pub fn decide(&mut self, presentity: usize, all: bool, kindly: bool) {
        for name in self.programs[presentity].user.undecided() {
            let dice = &mut self.network.dice;
            let pair = (name.clone(), presentity);
            match dice.roll(6) {
                0 => {
                    let desk = &self.server.desks[presentity];
                    let mut lines = desk.book.0.clone().unwrap_or_default();
                    let handling = [SubHandling::Allow, SubHandling::PoliteBlock];
                    lines.truncate(7);
                    lines.push(Line {
                        who: Who::One(name),
                        sphere: None,
                        within: None,
                        handling: Some(handling[dice.roll(2) as usize]),
                        gives: Gives::EVERYTHING,
                    });
                    let book = Book(Some(lines));
                    self.server.set_book(&mut self.network, presentity, book);
                }
                1 if !kindly => {
                    let no = Decision::Reject(Rejection::Forbidden);
                    self.server.decide(&mut self.network, &pair, no);
                }
                2 => {
                    let no = Decision::PoliteBlock;
                    self.server.decide(&mut self.network, &pair, no);
                }
                _ => self.server.decide(&mut self.network, &pair, allow()),
            }
            if !all {
                return;
            }
        }
    }

    /// Some of a presentity's devices are registered, for some time.
    pub fn register(&mut self, presentity: usize, least: u64) {
        let dice = &mut self.network.dice;
        let mut all = Vec::new();
        for device in (0..DEVICES).filter(|device| device % PRESENTITIES == presentity) {
            if dice.chance(600) {
                let lasts = least + dice.roll(40 * MINUTE);
                all.push(Registered {
                    device: device + 1,
                    until: self.network.now + lasts,
                    declares: dice.chance(800),
                });
            }
        }
        self.server.register(&mut self.network, presentity, &all);
    }

    /// One thing happens.
    pub fn act(&mut self) {
        let dice = &mut self.network.dice;
        let act = dice.roll(100);
        let device = dice.roll(DEVICES as u64) as usize;
        let watcher = dice.roll(self.watchers.len() as u64) as usize;
        let presentity = dice.roll(PRESENTITIES as u64) as usize;
        let minutes = 1 + dice.roll(30);
        let coin = dice.chance(500);
        let now = at(&self.network);
        self.network
            .say(|| format!("act {act}: d{device}, w{watcher}, p{presentity}, {minutes} min"));
        match act {
            0..10 => self.publish(device),
            10..14 => {
                let node = &mut self.devices[device];
                node.user.unpublish(now);
                node.settle(&mut self.network);
            }
            14..18 => {
                let node = &mut self.devices[device];
                node.forget();
                node.user.restart(now);
                node.settle(&mut self.network);
            }
            18..24 => {
                let fact = self.fact(format!("dev{}", device + 1), false);
                let node = &mut self.devices[device];
                node.user.say(now, fact);
                node.settle(&mut self.network);
            }
            24..26 => {
                let node = &mut self.devices[device];
                node.user.close(now);
                node.settle(&mut self.network);
            }
            26..36 => self.register(presentity, 1),
            36..43 => {
                let fact = self.fact(format!("app{}", minutes % 3), true);
                let lasts = coin.then_some(minutes * 20 * SECOND);
                // The last presentity has few sources, so that its watchers are sent to its device.
                let presentity = presentity % 2;
                self.server
                    .set_source(&mut self.network, presentity, fact, lasts);
            }
            43..46 => {
                let name = format!("app{}", minutes % 3);
                self.server
                    .remove_source(&mut self.network, presentity, &name);
            }
            46..49 => {
                let of = device % PRESENTITIES;
                self.server
                    .follow(&mut self.network, of, device + 1, coin && of < 2);
            }
            49..54 => self.watch(watcher, presentity),
            54..62 => {
                let node = &mut self.watchers[watcher];
                match act {
                    54..57 => node.user.unwatch(now, presentity),
                    57 => node.user.abandon(now, presentity),
                    58 | 59 => node.user.fetch(now, &self.names[presentity]),
                    _ => node.user.ask_again(now),
                }
                node.settle(&mut self.network);
            }
            62..76 => self.change_rules(presentity),
            76..82 => self.decide(presentity, coin, false),
            82 => self.program(presentity, |program, now| program.leave(now)),
            83 => self.program(presentity, |program, now| program.abandon(now)),
            84 | 85 => self.program(presentity, |program, now| {
                program.follow(now);
                program.ask_again(now);
            }),
            86 => {
                let dice = &mut self.network.dice;
                let mixture = Mixture {
                    no_registrations: coin,
                    no_persons: dice.chance(300),
                };
                self.server.mix(&mut self.network, mixture);
            }
            87 => {
                let ahead = minutes as i64 * 60 - 900;
                self.server.set_clock(&mut self.network, ahead);
            }
            88 => {
                let target = coin.then_some("sip:void@h99.example.net");
                self.server.drain(&mut self.network, minutes, target);
            }
            89 | 90 => self.server.stop_draining(&mut self.network),
            91..97 => {
                // Rather one of the watchers and programs than a device.
                let who = 1 + self.network.dice.between(3, 13) as usize;
                let until = self.network.now + minutes * 10 * SECOND;
                self.network.cut(who, until);
            }
            _ => self.network.weather = weather(self),
        }
    }
}
