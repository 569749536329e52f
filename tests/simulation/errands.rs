//! What the application and the host do of their own accord, at once or some time later.

use presentity::engine::{ClientTransaction, FlowId, Timestamp};
use presentity::event::{
    Job, JobKey, JobOutcome, NeedCredentials, PublishKind, Reason, Termination,
};
use presentity::pidf::Presence;

use crate::host::Host;
use crate::model::{self, Rule};
use crate::network::{Network, SECOND, Wake};

/// Something that is put off.
#[derive(Debug, Clone, Copy)]
pub enum Errand {
    /// A job is done, or has failed.
    Complete { key: JobKey, by: u64, success: bool },
    Provide {
        transaction: ClientTransaction,
        open: u64,
    },
    Decline {
        transaction: ClientTransaction,
        open: u64,
    },
    /// The host notices that a connection is gone.
    LoseFlow { watcher: usize, path: u64 },
}

impl Host {
    fn put_off(&mut self, network: &mut Network, wait: u64, errand: Errand) {
        self.next_errand += 1;
        self.errands.insert(self.next_errand, errand);
        network.wake(network.now + wait, 0, Wake::Task(self.next_errand));
    }

    pub fn run_errand(&mut self, network: &mut Network, number: u64) {
        let errand = self.errands.remove(&number).expect("an errand");
        network.say(|| format!("{errand:?}"));
        match errand {
            Errand::Complete { key, by, success } => self.complete(network, key, by, success),
            Errand::Provide { transaction, open } => self.provide(network, transaction, open),
            Errand::Decline { transaction, open } => self.decline(network, transaction, open),
            Errand::LoseFlow { watcher, path } => self.tell_flow_lost(network, watcher, path),
        }
        self.stirred = true;
    }

    // ---- deferred publications --------------------------------------------------------------

    pub fn begin_job(&mut self, network: &mut Network, job: &Job) {
        let by = self.deferring.pop_front().expect("a publication");
        let deferred = &self.ledger.deferred[&by];
        assert_eq!(
            job.deadline,
            Timestamp::from_nanos(deferred.deadline),
            "{job:?}"
        );
        let has_body = matches!(job.kind, PublishKind::Initial | PublishKind::Modify);
        assert_eq!(has_body, !job.body.is_empty(), "{job:?}");
        let presentity = model::presentity(&job.resource);
        assert!(self.ledger.is_deferred_for(presentity));
        let key = job.key;
        let (sluggish, dice) = (self.manners.sluggish, &mut network.dice);
        let errand = |success| Errand::Complete { key, by, success };
        match dice.roll(if sluggish { 10 } else { 3 }) {
            0 => self.complete(network, key, by, true),
            1..=3 => {
                let wait = dice.roll(SECOND / 2);
                self.put_off(network, wait, errand(true));
            }
            4 => {
                let wait = dice.roll(20 * SECOND);
                self.put_off(network, wait, errand(true));
            }
            5 => self.complete(network, key, by, false),
            6 => self.put_off(network, 9 * SECOND, errand(false)),
            7 => {
                // Twice, and by different tongues.
                self.put_off(network, 2 * SECOND, errand(true));
                self.put_off(network, 2 * SECOND, errand(false));
                self.put_off(network, 40 * SECOND, errand(true));
            }
            8 => self.put_off(network, 16 * SECOND, errand(true)),
            _ => network.say(|| format!("job of {by} is never done")),
        }
    }

    fn complete(&mut self, network: &mut Network, key: JobKey, by: u64, success: bool) {
        let now = self.at(network);
        let outcome = self.agent.complete_job(now, key, success);
        network.say(|| format!("job of {by}, {success}: {outcome:?}"));
        match outcome {
            JobOutcome::Over => self.course.jobs_over += 1,
            _ => self.course.jobs_done += 1,
        }
        let ledger = &mut self.ledger;
        if let Some(status) = ledger.completed(self.reached, by, success, outcome) {
            self.will_answer(by, status);
        }
        self.stirred = true;
    }

    // ---- credentials ------------------------------------------------------------------------

    pub fn give_credentials(&mut self, network: &mut Network, need: &NeedCredentials) {
        let transaction = need.transaction();
        let open = self.challenged.remove(&transaction.as_u64());
        let open = open.expect("one that was challenged");
        self.ledger.asked(open);
        let (sluggish, dice) = (self.manners.sluggish, &mut network.dice);
        match dice.roll(if sluggish { 8 } else { 2 }) {
            0 => self.provide(network, transaction, open),
            1 | 2 => {
                let wait = dice.roll(6 * SECOND);
                self.put_off(network, wait, Errand::Provide { transaction, open });
            }
            3 => self.put_off(network, 63 * SECOND, Errand::Provide { transaction, open }),
            4 => self.decline(network, transaction, open),
            5 => self.put_off(network, SECOND, Errand::Decline { transaction, open }),
            6 => {
                // It changes its mind.
                self.put_off(network, SECOND, Errand::Decline { transaction, open });
                self.put_off(network, 2 * SECOND, Errand::Provide { transaction, open });
            }
            _ => network.say(|| format!("no credentials for {open}, and no word of it")),
        }
    }

    fn provide(&mut self, network: &mut Network, transaction: ClientTransaction, open: u64) {
        let now = self.at(network);
        let given = self
            .agent
            .provide_credentials(now, transaction, "Digest agent");
        let awaited = self.ledger.awaits_credentials(open);
        let gone = self.ledger.is_gone(open);
        assert_eq!(given, awaited && !gone);
        if awaited && gone {
            self.ledger.closed(self.reached, open);
        } else if given {
            self.course.credentials += 1;
            self.ledger.provided(self.reached, open);
        }
        self.stirred = true;
    }

    fn decline(&mut self, network: &mut Network, transaction: ClientTransaction, open: u64) {
        let now = self.at(network);
        let taken = self.agent.decline_credentials(now, transaction);
        assert_eq!(taken, self.ledger.awaits_credentials(open));
        if taken {
            self.ledger.declined(self.reached, open);
        }
        self.stirred = true;
    }

    // ---- connections ------------------------------------------------------------------------

    /// A watcher's way to the agent is lost, and with it what was on it.
    pub fn lose_flow(&mut self, network: &mut Network, watcher: usize) {
        let path = network.lose_path(watcher);
        network.say(|| format!("the connection {path} of {watcher} is lost"));
        let errand = Errand::LoseFlow { watcher, path };
        let of_watcher = self.ledger.by_watcher.get(&watcher);
        let opens: Vec<u64> = of_watcher
            .into_iter()
            .flatten()
            .filter_map(|id| self.ledger.records[id].open)
            .collect();
        let manner = network.dice.roll(3);
        if manner == 0 {
            let wait = network.dice.roll(2 * SECOND);
            self.put_off(network, wait, errand);
        } else if manner == 1 {
            self.tell_flow_lost(network, watcher, path);
        }
        // On UDP nobody notices what is lost.
        if network.is_stream(watcher) && network.dice.chance(700) {
            for key in opens
                .iter()
                .filter_map(|open| self.keys.get(open).cloned())
                .collect::<Vec<_>>()
            {
                let incoming = self.endpoint.fail(network, &key);
                self.take(network, incoming);
            }
        }
        if manner == 2 {
            self.tell_flow_lost(network, watcher, path);
        }
    }

    fn tell_flow_lost(&mut self, network: &mut Network, watcher: usize, path: u64) {
        self.course.flows_lost += 1;
        self.ledger.lose_flow(watcher, path);
        let now = self.at(network);
        self.agent.handle_flow_lost(now, FlowId(path));
        self.stirred = true;
    }

    // ---- its clock, and its sleep -----------------------------------------------------------

    /// Its clock leaps ahead, or steps back.
    pub fn turn_clock(&mut self, network: &mut Network, nanos: i64) {
        self.drain(network);
        network.say(|| format!("the host's clock leaps by {} s", nanos / SECOND as i64));
        self.skew += nanos;
        let now = network.now.saturating_add_signed(self.skew);
        if nanos > 0 {
            self.ledger.lateness.was_blind(self.reached, now);
        }
    }

    /// It takes no outputs for so long.
    pub fn stall(&mut self, network: &mut Network, nanos: u64) {
        self.drain(network);
        network.say(|| format!("the host stalls for {} s", nanos / SECOND));
        let since = self.stalled.map_or(self.reached, |(since, _)| since);
        self.stalled = Some((since, network.now + nanos));
    }

    /// From now on all goes well with it.
    pub fn calm(&mut self, network: &mut Network) {
        if let Some((_, until)) = &mut self.stalled {
            *until = network.now;
        }
        self.wake(network);
        // A clock that stepped back is set right.
        let behind = self
            .reached
            .saturating_sub(network.now.saturating_add_signed(self.skew));
        self.skew += behind as i64;
        self.manners.unsendable = 0;
        self.manners.forgetful = 0;
        self.manners.sluggish = false;
    }

    // ---- the application --------------------------------------------------------------------

    pub fn set_presence(&mut self, network: &mut Network, presentity: usize, mark: Option<u64>) {
        let name = model::name(presentity);
        network.say(|| format!("the state of {name} is {mark:?}"));
        let now = self.at(network);
        self.ledger.set(self.reached, presentity, mark);
        match mark {
            Some(mark) => {
                let text = model::document(presentity, mark);
                let document = Presence::read(text.as_bytes()).expect("a document");
                let set = self.agent.set_presence(now, &name, document);
                assert_eq!(set, Ok(()));
            }
            None => {
                self.agent.clear_presence(now, &name).expect("one of ours");
            }
        }
        self.stirred = true;
    }

    /// The brief view of a presentity becomes another one.
    pub fn turn_view(&mut self, network: &mut Network, presentity: usize) {
        network.say(|| format!("another brief view of {presentity}"));
        let now = self.at(network);
        self.ledger.rules.turn_view(presentity);
        self.ledger.state_changed(self.reached, presentity);
        self.agent.policy_mut().turn_view(presentity);
        let name = model::name(presentity);
        assert_eq!(self.agent.views_changed(now, &name), Ok(()));
        self.stirred = true;
    }

    pub fn set_rule(&mut self, watcher: usize, presentity: usize, rule: Rule) {
        self.ledger.rules.set(watcher, presentity, rule);
        self.agent.policy_mut().set(watcher, presentity, rule);
    }

    pub fn set_deferred(&mut self, publisher: usize, deferred: bool) {
        self.ledger.rules.set_deferred(publisher, deferred);
        self.agent.policy_mut().set_deferred(publisher, deferred);
    }

    /// One of the live subscriptions.
    fn choose(&self, number: usize) -> Option<u64> {
        let live = self.ledger.live(None, None);
        let id = *live.get(number % live.len().max(1))?;
        // What has run out may be over by now.
        let record = &self.ledger.records[&id];
        let lasts = self.reached < record.expires_at && record.key.is_some();
        lasts.then_some(id)
    }

    /// Whether what is known of the subscriptions is all that there is to know.
    fn is_certain(&mut self, network: &mut Network) -> bool {
        self.drain(network);
        self.stalled.is_none()
    }

    pub fn decide(&mut self, network: &mut Network, number: usize, rule: Rule) {
        if !self.is_certain(network) {
            return;
        }
        let Some(id) = self.choose(number) else {
            return;
        };
        network.say(|| format!("{id} is to be {rule:?}"));
        let now = self.at(network);
        let key = self.ledger.records[&id].key.expect("it has begun");
        self.ledger.decide(self.reached, id, rule);
        let decided = self.agent.decide(now, key, rule.decision());
        assert_eq!(decided, Ok(()));
        self.stirred = true;
    }

    /// The same for all that a watcher has to a presentity.
    pub fn decide_watcher(
        &mut self,
        network: &mut Network,
        watcher: usize,
        presentity: usize,
        rule: Rule,
    ) {
        if !self.is_certain(network) {
            return;
        }
        network.say(|| format!("{watcher} is to be {rule:?} to {presentity}"));
        let now = self.at(network);
        let ids = self.ledger.live(Some(watcher), Some(presentity));
        for id in &ids {
            self.ledger.decide(self.reached, *id, rule);
        }
        (self.ledger).decide_for_those_who_leave(watcher, presentity, rule);
        let (user, name) = (model::user(watcher), model::name(presentity));
        let decision = rule.decision();
        let decided = self.agent.decide_watcher(now, &user, &name, &decision);
        assert_eq!(decided, Ok(ids.len()));
        self.stirred = true;
    }

    pub fn terminate(&mut self, network: &mut Network, number: usize, reason: Reason) {
        if !self.is_certain(network) {
            return;
        }
        let Some(id) = self.choose(number) else {
            return;
        };
        network.say(|| format!("{id} is to end: {reason}"));
        let now = self.at(network);
        let key = self.ledger.records[&id].key.expect("it has begun");
        self.ledger.terminate(id, reason, Some(7));
        let termination = Termination::new(reason).with_retry_after(7);
        let ended = self.agent.terminate(now, key, termination);
        assert_eq!(ended, Ok(()));
        self.stirred = true;
    }

    /// Ends all subscriptions, or all to a presentity.
    pub fn terminate_all(
        &mut self,
        network: &mut Network,
        presentity: Option<usize>,
        reason: Reason,
    ) {
        if !self.is_certain(network) {
            return;
        }
        network.say(|| format!("all to {presentity:?} are to end: {reason}"));
        let now = self.at(network);
        let ids = self.ledger.live(None, presentity);
        for id in &ids {
            self.ledger.terminate(*id, reason, None);
        }
        let termination = Termination::new(reason);
        let count = match presentity.map(model::name) {
            Some(name) => self.agent.terminate_presentity(now, &name, termination),
            None => Ok(self.agent.terminate_all(now, termination)),
        };
        assert_eq!(count, Ok(ids.len()));
        self.stirred = true;
    }
}
