//! What is done to everybody, by the dice.

use presentity::event::{Reason, Termination};

use crate::device::Device;
use crate::model::Rule;
use crate::network::{MILLI, SECOND, Wake, Weather};
use crate::server::{Mute, until};
use crate::world::World;

const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// How long nonces last at least: more than one change in the course of one request looks like
/// credentials that are wrong.
const NONCE_LASTS: u64 = 5 * MINUTE;

/// Reasons to end a subscription.
const REASONS: [Reason; 7] = [
    Reason::Deactivated,
    Reason::Probation,
    Reason::Rejected,
    Reason::Timeout,
    Reason::GiveUp,
    Reason::NoResource,
    Reason::Invariant,
];
/// Those after which a watcher comes back.
const COME_BACK: [Reason; 4] = [
    Reason::Deactivated,
    Reason::Probation,
    Reason::Timeout,
    Reason::GiveUp,
];

/// A network as bad as it may be, or better.
pub fn weather(world: &mut World) -> Weather {
    let dice = &mut world.network.dice;
    let slow = [30 * MILLI, 300 * MILLI, 1_500 * MILLI][dice.roll(3) as usize];
    Weather {
        lost: dice.roll(301),
        doubled: dice.roll(201),
        delay: (MILLI, slow),
        stragglers: dice.roll(30),
    }
}

impl World {
    /// One thing happens.
    pub fn act(&mut self) {
        let presentities = self.presentities as u64;
        let network = &mut self.network;
        let device = network.dice.roll(self.devices.len() as u64) as usize;
        let presentity = network.dice.roll(presentities) as usize;
        let mut choose = |sides| network.dice.roll(sides);
        let act = choose(100);
        let minutes = 1 + choose(45);
        let retry_after = [None, Some(30), Some(1 + choose(900) as u32)][choose(3) as usize];
        let device: &mut Device = &mut self.devices[device];
        let (address, server) = (device.address, &mut self.server);
        let lasting = until(network, minutes * MINUTE);
        network.say(|| format!("act {act} on {address}, p{presentity}, {minutes} min"));
        match act {
            0..20 => {
                self.marks += 1;
                device.publish(network, self.marks);
            }
            20..23 => device.unpublish(network),
            23..31 => device.watch(network, presentity),
            31..34 => device.unwatch(network, presentity),
            34 => device.abandon(network, presentity),
            35..38 => device.fetch(network, presentity),
            38..40 => device.request_state(network, presentity),
            40..50 => {
                let rule = Rule::ALL[network.dice.roll(5) as usize];
                let at_once = network.dice.chance(600);
                server.set_rule(network, address, presentity, rule, at_once);
            }
            50..53 => server.turn_view(network, presentity),
            53..58 => {
                let reason = REASONS[network.dice.roll(7) as usize];
                let mut termination = Termination::new(reason);
                if let Some(seconds) = retry_after {
                    termination = termination.with_retry_after(seconds);
                }
                let one = network.dice.chance(700).then_some(presentity);
                server.terminate(network, one, termination);
            }
            58..62 => server.restart(),
            62..65 => {
                device.jump(minutes * 4 * MINUTE);
                if network.dice.chance(500) {
                    device.set_clock(network);
                }
            }
            65 => server.jump(minutes * 2 * MINUTE),
            66..70 => {
                let hours = if network.dice.chance(200) { HOUR } else { 0 };
                device.sleep(network, minutes * MINUTE + hours);
            }
            70..78 => {
                match act {
                    70..74 => server.faults.flooded = Some((lasting, retry_after)),
                    _ => server.faults.forgets = lasting,
                }
                if network.dice.chance(500) {
                    device.restless_until = lasting;
                    network.wake(network.now, address, Wake::Kick);
                }
            }
            78..82 => {
                let mutes = [Mute::Swallowed, Mute::Lost, Mute::Unsent];
                let mute = mutes[network.dice.roll(3) as usize];
                server.faults.mute = Some((lasting, mute));
            }
            82..85 => {
                let reason = COME_BACK[network.dice.roll(4) as usize];
                server.faults.slays = Some((lasting, reason, retry_after));
            }
            85..89 => {
                let lasting = until(network, minutes * 4 * SECOND);
                server.faults.rogue = Some((lasting, network.dice.chance(500)));
                network.wake(network.now, 0, Wake::Task(0));
            }
            89..93 => {
                let (from, to) = match network.dice.chance(500) {
                    true => (0, address),
                    false => (address, 0),
                };
                network.cut_one_way(from, to, lasting);
            }
            93..95 => network.cut(address, lasting),
            95..97 => {
                if self.nonce_at + NONCE_LASTS <= network.now {
                    self.nonce_at = network.now;
                    network.nonce += 1;
                }
            }
            _ => self.network.weather = weather(self),
        }
    }

    /// A restless user's turn.
    pub fn fidget(&mut self, address: usize) {
        let network = &mut self.network;
        let device = &mut self.devices[address - 1];
        if network.now < device.restless_until {
            if network.dice.chance(150) {
                device.unpublish(network);
            }
            self.marks += 1;
            device.publish(network, self.marks);
            let next = network.now + 10 * SECOND + network.dice.roll(30 * SECOND);
            network.wake(next, address, Wake::Kick);
        }
    }

    /// The rogue's turn.
    pub fn rogue(&mut self) {
        let network = &mut self.network;
        if let Some((until, _)) = self.server.faults.rogue
            && network.now < until
        {
            self.server.repeat(network);
            let next = network.now + 200 * MILLI + network.dice.roll(2 * SECOND);
            network.wake(next, 0, Wake::Task(0));
        }
    }
}
