//! The order in which outputs leave.

use std::collections::VecDeque;

use super::slab::Key;

/// Two lanes of output.
///
/// In the first, finished outputs and requests that are owed to a peer leave in the order they were
/// put in; what is owed is made only when its turn has come, and waits aside while the window of
/// open requests is full, so that finished outputs need not wait for it. In the second, things in
/// change take turns, one request of each. The two lanes take turns in what they send, too.
#[derive(Debug)]
pub(crate) struct Lanes<O> {
    first: VecDeque<Item<O>>,
    /// Owed, but the window was full, or it was a round's turn.
    waiting: VecDeque<Key>,
    rounds: VecDeque<Key>,
    /// The last place went to what was owed.
    waited_last: bool,
}

#[derive(Debug)]
enum Item<O> {
    Output(O),
    Owed(Key),
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn<O> {
    /// Hand this out.
    Output(O),
    /// Make the request that is owed here, if it still is.
    Owed(Key),
    /// Make the next request of this round; [`Lanes::enter_round`] again if there was one.
    Round(Key),
}

impl<O> Lanes<O> {
    pub(crate) fn new() -> Self {
        Self {
            first: VecDeque::new(),
            waiting: VecDeque::new(),
            rounds: VecDeque::new(),
            waited_last: false,
        }
    }

    /// Entries of the first lane.
    pub(crate) fn queued(&self) -> usize {
        self.first.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.waiting.len() + self.rounds.len()
    }

    pub(crate) fn output(&mut self, output: O) {
        self.first.push_back(Item::Output(output));
    }

    /// The caller sees to it that a key stands here once.
    pub(crate) fn owe(&mut self, key: Key) {
        self.first.push_back(Item::Owed(key));
    }

    /// The caller sees to it that a key stands here once.
    pub(crate) fn enter_round(&mut self, key: Key) {
        self.rounds.push_back(key);
    }

    /// Takes what comes next; `room` tells whether another request may be opened.
    pub(crate) fn next(&mut self, room: bool) -> Option<Turn<O>> {
        loop {
            match self.first.pop_front() {
                Some(Item::Output(output)) => return Some(Turn::Output(output)),
                Some(Item::Owed(key)) => {
                    // Behind those who came before. A round has its turn when the lane is empty:
                    // it may end the poll, and what is finished is not to wait for the next one.
                    self.waiting.push_back(key);
                    if room && !self.is_turn_of_rounds() {
                        return self.next_request();
                    }
                }
                None if !room => return None,
                None => return self.next_request(),
            }
        }
    }

    /// Takes turns: where more is owed than the window lets through, be it to peers that answer
    /// nothing, those who wait for a change would wait for ever.
    fn next_request(&mut self) -> Option<Turn<O>> {
        let owed = match self.is_turn_of_rounds() {
            true => None,
            false => self.waiting.pop_front(),
        };
        self.waited_last = owed.is_some();
        let owed = owed.map(Turn::Owed);
        owed.or_else(|| self.rounds.pop_front().map(Turn::Round))
    }

    fn is_turn_of_rounds(&self) -> bool {
        self.waited_last && !self.rounds.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Lanes, Turn};
    use crate::engine::slab::Key;

    #[test]
    fn what_is_finished_does_not_wait_for_the_window() {
        let mut lanes = Lanes::new();
        lanes.enter_round(Key::first(9));
        lanes.output('a');
        lanes.owe(Key::first(1));
        lanes.output('b');
        lanes.owe(Key::first(2));
        assert_eq!(lanes.next(false), Some(Turn::Output('a')));
        assert_eq!(lanes.next(false), Some(Turn::Output('b')));
        assert_eq!(lanes.next(false), None);
        assert_eq!(lanes.len(), 3);
        assert_eq!(lanes.next(true), Some(Turn::Owed(Key::first(1))));
        assert_eq!(lanes.next(true), Some(Turn::Round(Key::first(9))));
        assert_eq!(lanes.next(true), Some(Turn::Owed(Key::first(2))));
        assert_eq!(lanes.next(true), None);
    }

    #[test]
    fn what_is_owed_and_rounds_take_turns() {
        let mut lanes: Lanes<()> = Lanes::new();
        lanes.enter_round(Key::first(9));
        for number in 1..=3 {
            lanes.owe(Key::first(number));
        }
        assert_eq!(lanes.next(true), Some(Turn::Owed(Key::first(1))));
        assert_eq!(lanes.next(true), Some(Turn::Round(Key::first(9))));
        // Without a round nobody yields.
        assert_eq!(lanes.next(true), Some(Turn::Owed(Key::first(2))));
        assert_eq!(lanes.next(true), Some(Turn::Owed(Key::first(3))));
        assert_eq!(lanes.next(true), None);
    }

    #[test]
    fn what_is_finished_does_not_wait_for_a_round() {
        let mut lanes = Lanes::new();
        lanes.enter_round(Key::first(9));
        for number in 1..=2 {
            lanes.owe(Key::first(number));
            lanes.output(number);
        }
        assert_eq!(lanes.next(true), Some(Turn::Owed(Key::first(1))));
        assert_eq!(lanes.next(true), Some(Turn::Output(1)));
        assert_eq!(lanes.next(true), Some(Turn::Output(2)));
        assert_eq!(lanes.next(true), Some(Turn::Round(Key::first(9))));
        assert_eq!(lanes.next(true), Some(Turn::Owed(Key::first(2))));
    }

    #[test]
    fn rounds_take_turns() {
        let mut lanes: Lanes<()> = Lanes::new();
        lanes.enter_round(Key::first(1));
        lanes.enter_round(Key::first(2));
        assert_eq!(lanes.next(true), Some(Turn::Round(Key::first(1))));
        lanes.enter_round(Key::first(1));
        assert_eq!(lanes.next(true), Some(Turn::Round(Key::first(2))));
        assert_eq!(lanes.next(true), Some(Turn::Round(Key::first(1))));
    }
}
