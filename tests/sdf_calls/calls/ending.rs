//! The end of a course: quiet, in which all come to hold what they may see, and then nothing.

use std::time::Duration;

use bytes::Bytes;
use presentity::event::{Decision, Delivery};
use presentity::presence::Agent;
use presentity::sdf::Checks;
use presentity::sip::ResponseRef;

use super::course::Course;
use super::rules::{PRESENTITIES, Rules};

impl Course {
    fn agent(&mut self) -> &mut Agent<Rules, Checks> {
        self.service.agent_mut()
    }

    /// Everything is brought and answered, until no more comes.
    fn bring(&mut self) {
        for _ in 0..1_000 {
            self.drain();
            let open = self.known.values().filter_map(|it| it.open);
            let open: Vec<_> = open.map(|(transaction, _)| transaction).collect();
            let sends = std::mem::take(&mut self.sends);
            if open.is_empty() && sends.is_empty() {
                return;
            }
            for transaction in open {
                self.report_one(transaction, Delivery::Done);
            }
            let (now, body) = (self.now, Bytes::new());
            for transaction in sends {
                let response = ResponseRef::new(200, [], &body);
                self.agent().handle_response(now, transaction, &response);
            }
        }
        panic!("no end of notifications");
    }

    fn pass_quietly(&mut self, time: Duration) {
        let end = self.now + time;
        let mut rounds = 0;
        self.bring();
        while let Some(deadline) = self.service.poll_timeout().filter(|it| *it <= end) {
            self.advance(deadline.saturating_since(self.now));
            let now = self.said();
            self.service.handle_timeout(now);
            self.bring();
            rounds += 1;
            assert!(rounds < 20_000, "time stands still");
        }
        self.advance(end.saturating_since(self.now));
    }

    pub fn end(&mut self) {
        self.step += 1;
        // What was on its way for long is given up first.
        let now = self.said();
        self.service.handle_timeout(now);
        self.pass_quietly(Duration::from_secs(130));
        assert!(self.asked.is_empty(), "not answered: {:?}", self.asked);
        assert!(self.carried.is_empty(), "not answered: {:?}", self.carried);
        self.change(0, 7);
        self.change(1, 7);
        self.pass_quietly(Duration::from_secs(130));
        self.check_all_have_the_state();

        self.pass_quietly(Duration::from_secs(90_000));
        for (_, uri) in PRESENTITIES {
            let now = self.now;
            self.agent().clear_presence(now, uri).expect("a presentity");
        }
        self.drain();
        assert_eq!(self.service.agent().occupancy(), Default::default());
        assert_eq!(self.service.waiting(), 0);
        assert_eq!(self.service.poll_timeout(), None);
        assert!(self.known.is_empty() && self.fetches.is_empty());
        // Each accepted request is newer than those before it of its name.
        for (name, all) in &mut self.accepted {
            all.sort_unstable();
            let newer = all.windows(2).all(|two| two[0].1 < two[1].1);
            assert!(newer, "{name:?} was accepted again: {all:?}");
        }
    }

    fn check_all_have_the_state(&self) {
        for it in self.service.agent().subscriptions() {
            let Some(known) = self.known.get(&it.key) else {
                assert!(it.direct.is_none(), "{it:?}");
                continue;
            };
            assert_eq!(known.open, None);
            let presentity = PRESENTITIES
                .iter()
                .position(|(name, _)| *name == it.resource);
            let state = self.states[presentity.expect("a presentity")];
            if let (Decision::Allow(view), Some(state)) = (it.decision, state) {
                let view = view.name().expect("a view");
                assert!(known.has_it, "{it:?}");
                assert_eq!(known.sent, Some(format!("{view}|{state}")), "{it:?}");
            }
        }
    }
}
