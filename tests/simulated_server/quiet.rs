//! What must be true when it has become quiet, and at the end.

use presentity::event::{Decision, NotifiedState, OwnSubscriptionPhase, Rejection};
use presentity::rules::SubHandling;
use presentity::winfo::WatcherStatus;

use crate::books::{Book, EPOCH, Permit};
use crate::device::Manner;
use crate::facts::shown;
use crate::network::SECOND;
use crate::node::at;
use crate::server::{Pair, Registered, is_server};
use crate::world::{DEVICES, MINUTE, PRESENTITIES, World};

impl World {
    // ---- quiet ----------------------------------------------------------------------------

    /// Nothing goes wrong any more, and users ask again for what was refused.
    pub fn calm(&mut self) {
        self.network.say(|| "calm".to_owned());
        self.network.heal();
        if self.server.draining {
            self.server.stop_draining(&mut self.network);
        }
        for address in self.network.stuck() {
            self.network.lose_path(address);
        }
        for presentity in 0..PRESENTITIES {
            if self.network.dice.chance(700) {
                self.register(presentity, 3 * 60 * MINUTE);
            }
            let node = &mut self.programs[presentity];
            node.user.follow(at(&self.network));
            node.settle(&mut self.network);
        }
        for presentity in 0..PRESENTITIES {
            for watcher in 0..self.watchers.len() {
                if self.network.dice.chance(600) {
                    self.watch(watcher, presentity);
                }
            }
            let handling = [None, Some(SubHandling::Confirm), Some(SubHandling::Allow)];
            let handling = handling[self.network.dice.roll(3) as usize];
            self.say_of_everybody(presentity, handling);
        }
        if self.network.dice.chance(600) {
            self.leave_it_to_a_device();
        }
        for step in 0..24 {
            self.pass(5 * MINUTE);
            if step % 3 == 2 {
                self.ask_again();
                self.register_again();
            }
            self.decide_all();
        }
        // Time alone changes nothing while everybody settles.
        while self.next_bound() < self.network.now + 10 * MINUTE {
            self.pass(2 * MINUTE);
        }
        self.register_again();
        self.pass(30 * SECOND);
        self.decide_all();
        self.ask_again();
        self.pass(2 * MINUTE);
        self.decide_all();
        self.pass(MINUTE);
    }

    /// The last presentity has one device, which may serve its watchers itself, and no other source.
    fn leave_it_to_a_device(&mut self) {
        let (presentity, now) = (PRESENTITIES - 1, at(&self.network));
        for device in (0..DEVICES).filter(|device| device % PRESENTITIES == presentity) {
            self.server
                .follow(&mut self.network, presentity, device + 1, false);
            let node = &mut self.devices[device];
            node.user.unpublish(now);
            node.settle(&mut self.network);
        }
        self.server.register(&mut self.network, presentity, &[]);
        self.pass(20 * MINUTE);
        let only = Registered {
            device: presentity + 1,
            until: self.network.now + 5 * 60 * MINUTE,
            declares: true,
        };
        self.server.register(&mut self.network, presentity, &[only]);
    }

    fn ask_again(&mut self) {
        let now = at(&self.network);
        for node in &mut self.watchers {
            node.user.ask_again(now);
            node.settle(&mut self.network);
        }
        for node in &mut self.programs {
            node.user.ask_again(now);
            node.settle(&mut self.network);
        }
    }

    fn decide_all(&mut self) {
        for presentity in 0..PRESENTITIES {
            if !self.programs[presentity].user.is_lazy {
                self.decide(presentity, true, true);
            }
        }
    }

    /// The registrar says once more what is registered.
    fn register_again(&mut self) {
        for presentity in 0..PRESENTITIES {
            let now = self.network.now;
            let contacts = &self.server.desks[presentity].contacts;
            let contacts = contacts.iter().filter(|it| now < it.until).copied();
            let contacts: Vec<_> = contacts.collect();
            self.server
                .register(&mut self.network, presentity, &contacts);
        }
    }

    /// When something ends that was told to the server, or rules say something else.
    fn next_bound(&self) -> u64 {
        let now = self.network.now;
        let ahead = self.server.clock.unwrap_or(0);
        let desks = self.server.desks.iter();
        let bounds = desks.flat_map(|desk| {
            let rules = desk.book.bounds().map(|bound| {
                let seconds = bound - EPOCH - ahead;
                u64::try_from(seconds).unwrap_or(0) * SECOND
            });
            let sources = desk.sources.values().filter_map(|(_, until)| *until);
            let contacts = desk.contacts.iter().map(|it| it.until);
            rules.chain(sources).chain(contacts).collect::<Vec<_>>()
        });
        let info = self.server.agent.watcher_info().expect("it is served");
        let waiting = info.undecided(1).map(|it| it.gives_up.as_nanos());
        let ahead = bounds.chain(waiting).filter(|bound| *bound >= now);
        ahead.min().unwrap_or(u64::MAX)
    }

    /// Something else is true of everybody.
    pub fn change_all(&mut self) {
        for device in 0..DEVICES {
            let now = at(&self.network);
            let mut own = self.devices[device].user.own.clone();
            own.mark = self.mark();
            let published = self.devices[device].user.publication.clone();
            let mark = self.mark();
            let node = &mut self.devices[device];
            node.user.say(now, own);
            if let Some((_, mut fact)) = published {
                fact.mark = mark;
                node.user.publish(now, fact);
            }
            node.settle(&mut self.network);
        }
    }

    // ---- what must be true ------------------------------------------------------------------

    /// Devices that the server is subscribed to.
    fn is_followed(&self, device: usize) -> bool {
        let mut watchers = self.devices[device].user.agent.subscriptions();
        watchers.any(|it| is_server(it.watcher))
    }

    /// The device that is to serve a presentity's watchers.
    fn device_for(&self, presentity: usize) -> Option<usize> {
        let now = self.network.now;
        let desk = &self.server.desks[presentity];
        let mut live = desk.contacts.iter().filter(|it| now < it.until);
        let (Some(only), None) = (live.next(), live.next()) else {
            return None;
        };
        let of_it = (0..DEVICES).filter(|device| device % PRESENTITIES == presentity);
        let mut followed = of_it.filter(|device| self.is_followed(*device));
        let is_composed = desk.publications.len() > 1
            || self.server.said(now, presentity).facts.len() > desk.publications.len()
            || followed.next().is_some();
        let is_refused = desk.refused.contains(&only.device);
        (only.declares && !is_composed && !is_refused).then_some(only.device - 1)
    }

    /// Every watcher holds what it may see, and every program knows who watches.
    pub fn check_everybody(&mut self) {
        let now = self.network.now;
        let mut served = 0;
        self.check_sources();
        for node in &self.watchers {
            for presentity in node.user.watches.keys().copied() {
                let pair = (node.user.name.clone(), presentity);
                let phase = node.user.phase(presentity).expect("a watch");
                let about = format!("{pair:?} {phase:?}");
                let here = self.server.decisions(&pair);
                let devices = self.devices.iter().filter(|device| {
                    let mut watchers = device.user.agent.subscriptions();
                    device.user.presentity == presentity
                        && watchers.any(|it| it.watcher == Some(&*pair.0))
                });
                let there: Vec<_> = devices.collect();
                let permit = self.server.permit(now, &pair);
                let device = self.device_for(presentity);
                match (&*here, &*there) {
                    ([], []) => {
                        assert_eq!(phase, OwnSubscriptionPhase::Refused, "{about}");
                        assert_eq!(permit.handling, SubHandling::Block, "{about}");
                        assert_eq!(device, None, "{about}");
                        self.course.refused += 1;
                    }
                    ([decision], []) => {
                        assert_eq!(device, None, "it was not sent away: {about}");
                        let permit = self.standing(&pair, permit, decision);
                        let state = match permit.handling {
                            SubHandling::Confirm => NotifiedState::Pending,
                            _ => NotifiedState::Active,
                        };
                        assert_eq!(phase, OwnSubscriptionPhase::Held(state), "{about}");
                        let known = node.user.known(presentity);
                        let known = shown(known.unwrap_or_else(|| panic!("nothing: {about}")));
                        assert_eq!(known, self.expected(presentity, permit), "{about}");
                        self.course.held += 1;
                        served += 1;
                    }
                    ([], [device]) => {
                        let held = OwnSubscriptionPhase::Held(NotifiedState::Active);
                        assert_eq!(phase, held, "{about}");
                        let known = node.user.known(presentity);
                        let known = shown(known.unwrap_or_else(|| panic!("nothing: {about}")));
                        assert_eq!(known, [device.user.own.note()], "{about}");
                        self.course.at_devices += 1;
                    }
                    _ => panic!("served twice: {about}, {here:?}, {}", there.len()),
                }
            }
        }
        assert_eq!(self.server.agent.subscriptions().count(), served);
        self.check_rows();
    }

    /// What holds for a subscription: what the rules say, or what the presentity has decided of one who
    /// waited.
    fn standing(&self, pair: &Pair, permit: Permit, decision: &Decision) -> Permit {
        let decided = self.server.decided.get(pair).copied();
        let standing = match (permit.handling, decision) {
            (SubHandling::Confirm, Decision::Pending) => permit,
            (SubHandling::Confirm, _) => decided.expect("a decision"),
            _ => permit,
        };
        let same = match decision {
            Decision::Pending => standing.handling == SubHandling::Confirm,
            Decision::PoliteBlock => standing.handling == SubHandling::PoliteBlock,
            Decision::Allow(_) => standing.handling == SubHandling::Allow,
            _ => false,
        };
        assert!(same, "{pair:?}: {standing:?}, {decision:?}");
        standing
    }

    /// What a watcher with this permission is to hold that the agent serves: what was published, set,
    /// registered, and what devices said.
    fn expected(&self, presentity: usize, permit: Permit) -> Vec<String> {
        let mut said = self.server.said(self.network.now, presentity);
        let devices = self.devices.iter().enumerate();
        let of_it = devices.filter(|(_, node)| node.user.presentity == presentity);
        let followed = of_it.filter(|(place, _)| self.is_followed(*place));
        said.facts.extend(followed.map(|(_, node)| &node.user.own));
        said.shown(permit).expect("something")
    }

    /// What devices publish is what the server has; and it follows whom it should.
    fn check_sources(&mut self) {
        for (place, node) in self.devices.iter().enumerate() {
            node.user.check();
            let desk = &self.server.desks[node.user.presentity];
            let published = desk.publications.iter().map(|(_, fact)| fact);
            let own = format!("pub{}", place + 1);
            let published: Vec<_> = published.filter(|fact| fact.origin == own).collect();
            let wanted = node.user.publication.as_ref().map(|(_, fact)| fact);
            assert_eq!(published, wanted.into_iter().collect::<Vec<_>>(), "{own}");
            let now = self.network.now;
            let mut contacts = desk.contacts.iter().filter(|it| now < it.until);
            let registered = contacts.any(|it| it.device == place + 1 && it.declares);
            let serves_itself = self.device_for(node.user.presentity) == Some(place);
            let is_agent = registered && self.server.follows_agents && !serves_itself;
            let is_wanted = desk.followed.contains(&(place + 1)) || is_agent;
            let is_followed = self.is_followed(place);
            if node.user.manner == Manner::Serves {
                assert_eq!(is_followed, is_wanted, "device {}", place + 1);
            }
            self.course.followed += u64::from(is_followed);
        }
        let published = self
            .devices
            .iter()
            .filter(|it| it.user.publication.is_some());
        let published = published.count();
        assert_eq!(self.server.agent.publications().count(), published);
    }

    /// Who watches and who waits is what each program knows.
    fn check_rows(&mut self) {
        for (presentity, node) in self.programs.iter().enumerate() {
            let name = &self.names[presentity];
            let live = self.server.agent.subscriptions();
            let live = live.filter(|it| it.resource == name).map(|it| {
                let status = match it.decision {
                    Decision::Pending => WatcherStatus::Pending,
                    _ => WatcherStatus::Active,
                };
                (format!("sip:{}", it.watcher.expect("somebody")), status)
            });
            let waiting = self.server.waiting.keys();
            let waiting = waiting.filter(|(_, of)| *of == presentity);
            let waiting =
                waiting.map(|(watcher, _)| (format!("sip:{watcher}"), WatcherStatus::Waiting));
            let mut rows: Vec<(String, WatcherStatus)> = live.chain(waiting).collect();
            rows.sort_by_key(|(name, status)| (name.clone(), status.to_string()));
            assert_eq!(node.user.rows(), rows, "{name}");
            let undecided = rows
                .iter()
                .filter(|(_, status)| *status != WatcherStatus::Active);
            self.course.undecided += undecided.count() as u64;
            self.course.rows += rows.len() as u64;
        }
    }

    // ---- the end ----------------------------------------------------------------------------

    /// All comes to an end, and nothing is left.
    pub fn end(&mut self) {
        self.network.say(|| "the end".to_owned());
        let now = at(&self.network);
        for node in &mut self.watchers {
            for presentity in 0..PRESENTITIES {
                node.user.unwatch(now, presentity);
            }
            node.settle(&mut self.network);
        }
        for node in &mut self.devices {
            node.user.unpublish(now);
            node.settle(&mut self.network);
        }
        for presentity in 0..PRESENTITIES {
            for device in 1..=DEVICES {
                self.server
                    .follow(&mut self.network, presentity, device, false);
            }
            let sources = self.server.desks[presentity].sources.keys();
            for source in sources.cloned().collect::<Vec<_>>() {
                self.server
                    .remove_source(&mut self.network, presentity, &source);
            }
            self.server.register(&mut self.network, presentity, &[]);
        }
        self.pass(MINUTE);
        // Everybody has left at once.
        self.check_rows();
        for pair in self.server.waiting.keys().cloned().collect::<Vec<_>>() {
            let no = Decision::Reject(Rejection::Forbidden);
            self.server.decide(&mut self.network, &pair, no);
        }
        for presentity in 0..PRESENTITIES {
            self.server
                .set_book(&mut self.network, presentity, Book(None));
        }
        self.pass(MINUTE);
        for node in &mut self.programs {
            node.user.leave(at(&self.network));
            node.settle(&mut self.network);
        }
        self.pass(5 * MINUTE);
        for node in &self.devices {
            node.check_empty();
        }
        for node in &self.watchers {
            node.check_empty();
        }
        for node in &self.programs {
            node.check_empty();
        }
        self.server.check_empty();
    }
}
