//! Deadlines by the million: arming, cancelling and asking for the next are O(1).

use super::Timestamp;
use super::slab::{Key, Links, List, Slab};

/// 2^26 ns, some 67 ms: a timer fires at the first tick that is not before its deadline.
const TICK_BITS: u32 = 26;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// Seven levels of six bits hold every tick that a `Timestamp` can express.
const LEVELS: usize = 7;

#[derive(Debug)]
struct Timer<T> {
    tick: u64,
    links: Links,
    level: u8,
    slot: u8,
    payload: T,
}

/// A hierarchical wheel: a timer waits in a coarse slot and moves to finer ones as its time nears.
#[derive(Debug)]
pub(crate) struct TimerWheel<T> {
    timers: Slab<Timer<T>>,
    slots: Box<[[List; SLOTS]; LEVELS]>,
    /// One bit for each slot that holds something.
    occupied: [u64; LEVELS],
    /// No timer waits for a tick before this one, but in slots that are being emptied.
    elapsed: u64,
}

fn links<T>(timer: &mut Timer<T>) -> &mut Links {
    &mut timer.links
}

impl<T: Copy> TimerWheel<T> {
    pub(crate) fn new() -> Self {
        Self {
            timers: Slab::default(),
            slots: Box::new([[List::default(); SLOTS]; LEVELS]),
            occupied: [0; LEVELS],
            elapsed: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.timers.len()
    }

    pub(crate) fn arm(&mut self, deadline: Timestamp, payload: T) -> Key {
        // Rounded up: a timer is never early.
        let tick = deadline.as_nanos().div_ceil(1 << TICK_BITS);
        let timer = Timer {
            tick,
            links: Links::default(),
            level: 0,
            slot: 0,
            payload,
        };
        let key = self.timers.insert(timer);
        self.place(key.index);
        key
    }

    /// Without effect when the timer has fired or was cancelled.
    pub(crate) fn cancel(&mut self, key: Key) {
        if self.timers.get(key).is_some() {
            self.take_out(key.index);
            self.timers.remove(key);
        }
    }

    /// A timer is cancelled soon.
    pub(crate) fn look_ahead(&self, key: Key) {
        self.timers.look_ahead(key.index);
    }

    /// When to look again. Not later than the next deadline's tick; it may be earlier, when timers
    /// have to move to finer slots.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let (_, _, start) = self.earliest()?;
        Some(Timestamp::from_nanos(start.saturating_mul(1 << TICK_BITS)))
    }

    /// Takes one timer that is due. Each step, moves to finer slots included, costs one of `budget`.
    pub(crate) fn pop(&mut self, now: Timestamp, budget: &mut u32) -> Option<T> {
        let target = now.as_nanos() >> TICK_BITS;
        loop {
            let due = self.earliest().filter(|(_, _, start)| *start <= target);
            let Some((level, slot, start)) = due else {
                self.elapsed = self.elapsed.max(target);
                return None;
            };
            *budget = budget.checked_sub(1)?;
            self.elapsed = self.elapsed.max(start);
            let index = self.slots.get(level)?.get(slot)?.first()?;
            self.take_out(index);
            let key = self.timers.key_at(index)?;
            if self.timers.get(key)?.tick <= self.elapsed {
                return self.timers.remove(key).map(|timer| timer.payload);
            }
            self.place(index);
        }
    }

    fn earliest(&self) -> Option<(usize, usize, u64)> {
        let mut best: Option<(usize, usize, u64)> = None;
        for (level, occupied) in self.occupied.iter().enumerate() {
            if *occupied == 0 {
                continue;
            }
            let shift = SLOT_BITS * level as u32;
            // Slots before the current one belong to a turn that is over, so the lowest bit counts.
            let slot = occupied.trailing_zeros();
            let turn = (self.elapsed >> shift >> SLOT_BITS) << SLOT_BITS << shift;
            let start = turn | (u64::from(slot) << shift);
            if best.is_none_or(|(_, _, other)| start < other) {
                best = Some((level, slot as usize, start));
            }
        }
        best
    }

    fn place(&mut self, index: u32) {
        let Some(timer) = self.timers.at_mut(index) else {
            return;
        };
        let tick = timer.tick.max(self.elapsed);
        let differing = tick ^ self.elapsed;
        let level = (63 - (differing | 1).leading_zeros()) / SLOT_BITS;
        let slot = (tick >> (level * SLOT_BITS)) as usize & (SLOTS - 1);
        timer.level = level as u8;
        timer.slot = slot as u8;
        let level = level as usize;
        if let Some(list) = self
            .slots
            .get_mut(level)
            .and_then(|slots| slots.get_mut(slot))
        {
            list.push_back(&mut self.timers, index, links);
        }
        if let Some(occupied) = self.occupied.get_mut(level) {
            *occupied |= 1 << slot;
        }
    }

    fn take_out(&mut self, index: u32) {
        let Some(timer) = self.timers.at(index) else {
            return;
        };
        let (level, slot) = (usize::from(timer.level), usize::from(timer.slot));
        let Some(list) = self
            .slots
            .get_mut(level)
            .and_then(|slots| slots.get_mut(slot))
        else {
            return;
        };
        list.unlink(&mut self.timers, index, links);
        if list.is_empty()
            && let Some(occupied) = self.occupied.get_mut(level)
        {
            *occupied &= !(1 << slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TICK_BITS, TimerWheel};
    use crate::engine::Timestamp;

    fn drain(wheel: &mut TimerWheel<u64>, now: Timestamp) -> Vec<u64> {
        let mut budget = u32::MAX;
        core::iter::from_fn(|| wheel.pop(now, &mut budget)).collect()
    }

    #[test]
    fn a_timer_fires_at_its_tick_and_never_before() {
        for deadline in [
            0,
            1,
            1 << TICK_BITS,
            7_000_000_000,
            3_600_000_000_001,
            90_000_000_000_000,
        ] {
            let mut wheel = TimerWheel::new();
            wheel.arm(Timestamp::from_nanos(deadline), 1);
            let mut now = Timestamp::ZERO;
            let mut wakes = 0;
            loop {
                let fired = drain(&mut wheel, now);
                if !fired.is_empty() {
                    break;
                }
                now = wheel.next().unwrap();
                wakes += 1;
                assert!(wakes < 10, "{deadline}");
            }
            assert!(now.as_nanos() >= deadline);
            assert!(
                now.as_nanos() < deadline + (1 << TICK_BITS),
                "{deadline} {now:?}"
            );
            assert_eq!(wheel.next(), None);
        }
    }

    #[test]
    fn agrees_with_a_sorted_list() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut wheel = TimerWheel::new();
        let mut model: Vec<(u64, u64, super::Key)> = Vec::new();
        let mut now = 0;
        for id in 0..20_000 {
            let deadline = now + random() % 10_000_000_000_000;
            let key = wheel.arm(Timestamp::from_nanos(deadline), id);
            model.push((deadline, id, key));
            if random() % 3 == 0 {
                let gone = model.swap_remove((random() % model.len() as u64) as usize);
                wheel.cancel(gone.2);
            }
            if random() % 5 == 0 {
                now += random() % 1_000_000_000_000;
                let mut fired = drain(&mut wheel, Timestamp::from_nanos(now));
                fired.sort_unstable();
                let ticks = now >> TICK_BITS;
                let due = |deadline: u64| deadline.div_ceil(1 << TICK_BITS) <= ticks;
                let mut expected: Vec<u64> = model
                    .iter()
                    .filter(|entry| due(entry.0))
                    .map(|entry| entry.1)
                    .collect();
                expected.sort_unstable();
                model.retain(|entry| !due(entry.0));
                assert_eq!(fired, expected);
            }
        }
        assert_eq!(wheel.len(), model.len());
    }

    #[test]
    fn a_small_budget_delays_but_loses_nothing() {
        let mut wheel = TimerWheel::new();
        for id in 0..1000 {
            wheel.arm(Timestamp::from_secs(3600 + id % 3), id);
        }
        let now = Timestamp::from_secs(4000);
        let mut fired = Vec::new();
        for _ in 0..10_000 {
            let mut budget = 7;
            while let Some(id) = wheel.pop(now, &mut budget) {
                fired.push(id);
            }
            if wheel.len() == 0 {
                break;
            }
            assert!(
                wheel.next().unwrap() <= now,
                "more is due, and the wheel says so"
            );
        }
        // Due first, fired first.
        assert!(fired.windows(2).all(|pair| pair[0] % 3 <= pair[1] % 3));
        assert_eq!(fired.len(), 1000);
    }

    #[test]
    fn cancelling_twice_or_late_is_nothing() {
        let mut wheel = TimerWheel::new();
        let key = wheel.arm(Timestamp::from_secs(1), 1);
        assert_eq!(drain(&mut wheel, Timestamp::from_secs(2)), [1]);
        let other = wheel.arm(Timestamp::from_secs(3), 2);
        wheel.cancel(key);
        assert_eq!(wheel.len(), 1);
        wheel.cancel(other);
        wheel.cancel(other);
        assert_eq!(wheel.next(), None);
    }
}
