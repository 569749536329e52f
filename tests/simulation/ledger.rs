//! What is known of every subscription and publication from what went over the wire: every NOTIFY
//! is held against the rules, and so is every silence.
//!
//! Its time is the agent's, which stands still when the host's clock steps back.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use presentity::event::{EndReason, Limits, Reason, SubscriptionKey};

use crate::lateness::Lateness;
use crate::model::{Rule, Rules, Shown, State};
use crate::network::SECOND;
use crate::record::Record;
use crate::tally::Tally;
use crate::terms::{Filter, PIDF_DIFF};
use crate::verdict::Deferred;

pub const INTERVAL: u64 = 5 * SECOND;
/// The agent's timers fire on a tick, up to this late.
pub const TICK: u64 = 1 << 26;
/// So long the agent waits for the host to say what became of a NOTIFY.
const PATIENCE: u64 = 64 * SECOND;
/// Challenges that are answered in a row.
const ATTEMPTS: u8 = 2;

/// A NOTIFY, as far as the rules go.
#[derive(Debug)]
pub struct Notify<'a> {
    pub tag: &'a str,
    pub cseq: u32,
    pub state: &'a str,
    pub with_credentials: bool,
    pub content_type: Option<&'a str>,
    pub entity_tag: Option<&'a str>,
    pub body: &'a Bytes,
}

/// What became of a NOTIFY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The status and Retry-After of the answer.
    Answered(u16, Option<u32>),
    /// It is asked for credentials.
    Challenged,
    Unanswered,
    Unsent,
    /// The host never said.
    Forgotten,
}

/// Partial documents that were told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Partial {
    pub full: u64,
    pub changes: u64,
}

#[derive(Debug)]
struct Open {
    id: u64,
    at: u64,
}

#[derive(Debug)]
pub struct Ledger {
    pub rules: Rules,
    pub states: Vec<State>,
    pub limits: Limits,
    pub lateness: Lateness,
    /// NOTIFYs that may be open at once.
    pub window: usize,
    /// The agent has left off with outputs waiting, since filters and differences took what one poll may do.
    leaves_off: bool,
    pub records: BTreeMap<u64, Record>,
    pub tally: Tally,
    pub next: u64,
    pub by_tag: HashMap<String, u64>,
    by_key: HashMap<SubscriptionKey, u64>,
    pub by_call: HashMap<String, u64>,
    pub by_watcher: BTreeMap<usize, BTreeSet<u64>>,
    pub by_presentity: BTreeMap<usize, BTreeSet<u64>>,
    /// Those whose beginning the agent has yet to tell.
    starting: VecDeque<u64>,
    pub requests: HashMap<(String, u32), u64>,
    pub requests_in_order: VecDeque<(u64, (String, u32))>,
    /// When watchers were last refused for lack of room.
    pub refused: BTreeMap<usize, u64>,
    /// Publications that wait for the application, by their server transaction.
    pub deferred: BTreeMap<u64, Deferred>,
    /// Documents that were read before, by presentity, rule, filter, and whether they name it by pres.
    pub read: BTreeMap<(usize, Rule, Filter, bool), (u64, Bytes)>,
    /// What the document of an entity-tag shows.
    pub tags: HashMap<String, Shown>,
    pub partial: Partial,
    /// SUBSCRIBEs that brought nothing.
    pub spared: u64,
    /// NOTIFYs without the document that the watcher said to have, and such as said the same again.
    pub suppressed: u64,
    pub repeated: u64,
    /// NOTIFYs that are open, in the order they left.
    opens: BTreeMap<u64, Open>,
    next_open: u64,
    /// Challenged ones that the host is yet to be asked about.
    asking: BTreeSet<u64>,
    /// Records that something happened to, and those that are to be looked at some time.
    touched: Vec<u64>,
    looks: BTreeSet<(u64, u64)>,
    /// When all who watch a presentity are to be up to date.
    presentity_looks: BTreeMap<usize, u64>,
    pub notifies: u64,
    pub notifies_failed: u64,
    /// NOTIFYs that only a change was the reason for.
    pub changes: u64,
}

impl Ledger {
    pub fn new(presentities: usize, limits: Limits, window: usize, lateness: Lateness) -> Self {
        Self {
            rules: Rules::default(),
            states: (0..presentities).map(|_| State::default()).collect(),
            limits,
            lateness,
            window,
            leaves_off: false,
            records: BTreeMap::new(),
            tally: Tally::default(),
            next: 0,
            by_tag: HashMap::new(),
            by_key: HashMap::new(),
            by_call: HashMap::new(),
            by_watcher: BTreeMap::new(),
            by_presentity: BTreeMap::new(),
            starting: VecDeque::new(),
            requests: HashMap::new(),
            requests_in_order: VecDeque::new(),
            refused: BTreeMap::new(),
            deferred: BTreeMap::new(),
            read: BTreeMap::new(),
            tags: HashMap::new(),
            partial: Partial::default(),
            spared: 0,
            suppressed: 0,
            repeated: 0,
            opens: BTreeMap::new(),
            next_open: 0,
            asking: BTreeSet::new(),
            touched: Vec::new(),
            looks: BTreeSet::new(),
            presentity_looks: BTreeMap::new(),
            notifies: 0,
            notifies_failed: 0,
            changes: 0,
        }
    }

    // ---- records ----------------------------------------------------------------------------

    /// Every change of a record goes this way, so that the tally is right.
    pub fn change<R>(&mut self, id: u64, change: impl FnOnce(&mut Record) -> R) -> R {
        let record = self.records.get_mut(&id).expect("it lasts");
        self.tally.leave(record);
        let result = change(record);
        self.tally.enter(record);
        self.touched.push(id);
        result
    }

    pub fn enter(&mut self, record: Record) -> u64 {
        self.next += 1;
        let id = self.next;
        self.tally.enter(&record);
        self.by_call.insert(record.call_id.clone(), id);
        self.by_watcher
            .entry(record.watcher)
            .or_default()
            .insert(id);
        let of_presentity = self.by_presentity.entry(record.presentity).or_default();
        of_presentity.insert(id);
        self.records.insert(id, record);
        self.touched.push(id);
        id
    }

    fn forget(&mut self, id: u64) {
        let record = self.records.remove(&id).expect("it lasts");
        self.tally.leave(&record);
        if let Some(tag) = &record.tag {
            self.by_tag.remove(tag);
        }
        if self.by_call.get(&record.call_id) == Some(&id) {
            self.by_call.remove(&record.call_id);
        }
        if let Some(of_watcher) = self.by_watcher.get_mut(&record.watcher) {
            of_watcher.remove(&id);
        }
        if let Some(of_presentity) = self.by_presentity.get_mut(&record.presentity) {
            of_presentity.remove(&id);
        }
        if let Some(at) = record.look_at {
            self.looks.remove(&(at, id));
        }
        assert!(record.open.is_none());
    }

    /// The live subscription of a watcher's dialog, by its Call-ID and the agent's tag as far as it
    /// is known: a late copy of the SUBSCRIBE may have made another one of the same call.
    pub fn of_dialog(&self, (call_id, tag): (&str, Option<&str>)) -> Option<(u64, &Record)> {
        let id = match tag {
            Some(tag) => self.by_tag.get(tag)?,
            None => self.by_call.get(call_id)?,
        };
        let record = self.records.get(id).filter(|record| record.live)?;
        Some((*id, record))
    }

    /// Live subscriptions, of one watcher, to one presentity, or all of them.
    pub fn live(&self, watcher: Option<usize>, presentity: Option<usize>) -> Vec<u64> {
        let is_it = |id: &u64| {
            let record = &self.records[id];
            record.live && presentity.is_none_or(|presentity| record.presentity == presentity)
        };
        match watcher.map(|watcher| self.by_watcher.get(&watcher)) {
            Some(ids) => ids.into_iter().flatten().copied().filter(is_it).collect(),
            None => self.records.keys().copied().filter(is_it).collect(),
        }
    }

    pub fn state_changed(&mut self, now: u64, presentity: usize) {
        self.states[presentity].touch(now);
        self.presentity_looks.insert(presentity, now + INTERVAL);
    }

    // ---- what the application does ----------------------------------------------------------

    pub fn set(&mut self, now: u64, presentity: usize, mark: Option<u64>) {
        let state = &mut self.states[presentity];
        if state.set != mark {
            state.set = mark;
            self.state_changed(now, presentity);
        }
    }

    pub fn decide(&mut self, now: u64, id: u64, rule: Rule) {
        self.change(id, |record| {
            if record.rule == rule {
                return;
            }
            if rule == Rule::Refuse {
                record.end(EndReason::Rejected);
            } else {
                record.rule = rule;
                record.changed_at = now;
                record.owed = true;
            }
        });
    }

    /// The same for those of a watcher that are over, and whose last NOTIFY has not left.
    pub fn decide_for_those_who_leave(&mut self, watcher: usize, presentity: usize, rule: Rule) {
        let records = self.records.values_mut();
        let leaving = records.filter(|it| !it.live && !it.farewell && !it.gone);
        for record in leaving.filter(|it| (it.watcher, it.presentity) == (watcher, presentity)) {
            record.withheld |= record.rule != rule;
        }
    }

    pub fn lose_flow(&mut self, watcher: usize, flow: u64) {
        let ids = self.by_watcher.get(&watcher).cloned().unwrap_or_default();
        for id in ids {
            self.change(id, |record| {
                record.flow = record.flow.filter(|it| *it != flow);
            });
        }
    }

    pub fn terminate(&mut self, id: u64, reason: Reason, retry_after: Option<u32>) {
        self.change(id, |record| {
            record.end(EndReason::Terminated(reason));
            record.retry_after = retry_after;
        });
    }

    // ---- what the agent says ----------------------------------------------------------------

    /// The 2xx that a subscription began with.
    pub fn begun(&mut self, id: u64, tag: &str) {
        self.change(id, |record| record.tag = Some(tag.to_owned()));
        assert!(self.by_tag.insert(tag.to_owned(), id).is_none());
        self.starting.push_back(id);
    }

    pub fn published(&mut self, by: u64, tag: &str) {
        let publications = self.states.iter_mut().flat_map(|it| &mut it.publications);
        if let Some(publication) = publications.into_iter().find(|it| it.by == by) {
            publication.tag = Some(tag.to_owned());
        }
    }

    pub fn publication_expired(&mut self, now: u64, presentity: usize) {
        let state = &mut self.states[presentity];
        let first =
            (0..state.publications.len()).min_by_key(|it| state.publications[*it].expires_at);
        let publication = state.publications.remove(first.expect("a publication"));
        state.members += 1;
        let at = publication.expires_at;
        assert!(
            at <= now && !self.lateness.is_late(now, at),
            "{now} is no time for {publication:?}"
        );
        self.state_changed(now, presentity);
    }

    pub fn started(&mut self, key: SubscriptionKey) {
        let id = self.starting.pop_front().expect("a 2xx before");
        self.by_key.insert(key, id);
        // It may be over already.
        if self.records.contains_key(&id) {
            self.change(id, |record| record.key = Some(key));
        }
    }

    pub fn ended(&mut self, now: u64, key: SubscriptionKey, reason: EndReason) {
        let id = self.by_key.remove(&key);
        let id = id.expect("it has begun and not ended");
        let Some(record) = self.records.get(&id) else {
            // It was over for its watcher before the application was told.
            return;
        };
        let had_run_out = record.gone && record.expires_at <= record.settled_at;
        if record.ended.is_none() && reason == EndReason::Expired {
            let at = record.expires_at;
            assert!(
                at <= now && !self.lateness.is_late(now, at),
                "{now} is not the end of {record:#?}"
            );
            self.change(id, |record| record.end(reason));
        }
        if had_run_out && reason == EndReason::Expired {
            // The agent had seen that, and not said so, before its NOTIFY failed.
            self.change(id, |record| record.ended = Some(reason));
        }
        let gone = self.change(id, |record| {
            assert_eq!(record.ended, Some(reason), "{record:#?}");
            assert!(!record.end_told);
            record.end_told = true;
            record.gone && record.open.is_none()
        });
        if gone {
            self.forget(id);
        }
    }

    /// A NOTIFY leaves; whose it is, and its number among those that are open.
    pub fn notify(&mut self, now: u64, notify: &Notify<'_>) -> (u64, u64) {
        self.notifies += 1;
        let id = self.by_tag.get(notify.tag);
        let id = *id.expect("a subscription that has not ended");
        let mut record = self.records.remove(&id).expect("it lasts");
        self.tally.leave(&record);
        let now_or_then = record.last_word.take().filter(|_| record.farewell);
        check_turn(now, notify, &record);
        record.local_cseq = notify.cseq;

        let with_state = if let Some(expires) = notify
            .state
            .strip_prefix("active;expires=")
            .filter(|_| record.rule != Rule::Wait)
            .or(notify.state.strip_prefix("pending;expires="))
        {
            assert!(
                record.live && now < record.expires_at,
                "not live: {notify:?} to {record:#?}"
            );
            let left = (record.expires_at - now) / SECOND;
            assert_eq!(
                expires,
                format!("{left}{}", record.pace.text),
                "{record:#?}"
            );
            let pending = notify.state.starts_with("pending");
            assert_eq!(
                pending,
                record.rule == Rule::Wait,
                "{notify:?} to {record:#?}"
            );
            true
        } else {
            if record.live && record.expires_at <= now {
                // A place that it had in the queue may bring it out before the event.
                record.end(EndReason::Expired);
            }
            let said = record.last_state();
            assert_eq!(
                said.as_deref(),
                Some(notify.state),
                "not so: {notify:?} to {record:#?}"
            );
            record.farewell = true;
            record.last_word = Some(notify.body.clone());
            record.ends_with_state()
        };
        let mut told = None;
        if let Some(said) = now_or_then {
            assert_eq!(said, notify.body, "not the same again: {record:#?}");
        } else if with_state {
            told = self.told(now, notify, &mut record);
        } else {
            assert!(notify.body.is_empty(), "{notify:?} to {record:#?}");
        }
        if !record.owed {
            self.changes += 1;
            self.check_reason(now, notify, &record, told.as_ref());
            record.last_change = Some(now);
        }
        if !record.repeats {
            record.attempts = 0;
        }
        self.next_open += 1;
        self.opens.insert(self.next_open, Open { id, at: now });
        record.open = Some(self.next_open);
        record.repeats = false;
        record.owed = false;
        record.spoken = false;
        record.excused = false;
        record.held_until = None;
        record.on_its_way = told;
        if notify.content_type != Some(PIDF_DIFF) {
            record.copy_before = None;
        }
        record.claims_open = false;
        record.last_sent = Some(now);
        self.tally.enter(&record);
        self.records.insert(id, record);
        self.touched.push(id);
        (id, self.next_open)
    }

    // ---- what becomes of a NOTIFY -----------------------------------------------------------

    /// Whether an open one could be asked about for credentials.
    pub fn may_be_challenged(&self, open: u64) -> bool {
        let id = self.opens.get(&open).map(|open| open.id);
        id.is_some_and(|id| {
            let record = &self.records[&id];
            record.attempts < ATTEMPTS && !record.gone
        })
    }

    /// The host is asked for credentials.
    pub fn asked(&mut self, open: u64) {
        assert!(self.asking.remove(&open), "no reason to ask");
    }

    /// Whether the host may still give credentials, or say that there are none.
    pub fn awaits_credentials(&self, open: u64) -> bool {
        let id = self.opens.get(&open).map(|open| open.id);
        id.is_some_and(|id| self.records[&id].challenged)
    }

    /// Whether its subscription is gone, so that nobody is left to give credentials for.
    pub fn is_gone(&self, open: u64) -> bool {
        let id = self.opens.get(&open).map(|open| open.id);
        id.is_some_and(|id| self.records[&id].gone)
    }

    /// One is not waited for any more.
    pub fn closed(&mut self, now: u64, open: u64) {
        let Open { id, .. } = self.opens.remove(&open).expect("it is open");
        self.change(id, |record| record.challenged = false);
        self.settle(now, id, Outcome::Unsent);
    }

    pub fn provided(&mut self, now: u64, open: u64) {
        let Open { id, .. } = self.opens.remove(&open).expect("it is open");
        self.change(id, |record| {
            record.open = None;
            record.challenged = false;
            record.repeats = true;
            record.owed = true;
            if let Some(taken) = record.taken.take() {
                record.taken_before = Some(taken);
            }
            record.settled_at = now;
        });
    }

    pub fn declined(&mut self, now: u64, open: u64) {
        let Open { id, .. } = self.opens.remove(&open).expect("it is open");
        self.notifies_failed += 1;
        self.change(id, |record| record.challenged = false);
        self.settle(now, id, Outcome::Answered(401, None));
    }

    /// The host has never said what became of so many of them.
    pub fn forgotten(&mut self, now: u64, count: u64) {
        for _ in 0..count {
            let (number, open) = self.opens.pop_first().expect("an open NOTIFY");
            assert!(open.at + PATIENCE <= now, "{number} is forgotten too soon");
            self.notifies_failed += 1;
            let challenged = self.change(open.id, |record| core::mem::take(&mut record.challenged));
            let outcome = if challenged {
                Outcome::Answered(401, None)
            } else {
                Outcome::Forgotten
            };
            self.settle(now, open.id, outcome);
        }
    }

    /// Whether it was awaited.
    pub fn outcome(&mut self, now: u64, open: u64, outcome: Outcome) -> bool {
        let id = self.opens.get(&open).map(|open| open.id);
        let Some(id) = id.filter(|id| !self.records[id].challenged) else {
            return false;
        };
        if outcome == Outcome::Challenged {
            self.asking.insert(open);
            self.change(id, |record| {
                record.challenged = true;
                record.attempts += 1;
                record.take_back();
            });
            return true;
        }
        self.opens.remove(&open);
        match outcome {
            Outcome::Answered(200..300, _) => {}
            Outcome::Answered(..) if self.records[&id].farewell => {}
            _ => self.notifies_failed += 1,
        }
        self.settle(now, id, outcome);
        true
    }

    fn settle(&mut self, now: u64, id: u64, outcome: Outcome) {
        let (farewell, gone) = self.change(id, |record| {
            record.open = None;
            record.settled_at = now;
            (record.farewell, record.gone && record.end_told)
        });
        if gone {
            self.forget(id);
            return;
        }
        if farewell {
            let record = &self.records[&id];
            // A place that it had in the queue may bring out the word to the watcher first.
            assert!(
                record.end_told || record.ended == Some(EndReason::Expired),
                "an end that the application was not told: {record:#?}"
            );
            self.forget(id);
            return;
        }
        let over = self.change(id, |record| {
            record.taken = None;
            record.taken_before = None;
            if let Outcome::Answered(401 | 407, _) = outcome {
                record.take_back();
            }
            record.excused = core::mem::take(&mut record.claims_open);
            let unless_spoken = |reason| (!record.spoken).then_some(reason);
            let reason = match outcome {
                Outcome::Answered(200..300, _) => {
                    record.excused = false;
                    record.taken = record.on_its_way.take();
                    None
                }
                Outcome::Answered(481, _) => Some(EndReason::NotifyRejected(481)),
                Outcome::Answered(_, Some(seconds)) => {
                    if record.live {
                        record.owed = true;
                        let patience = (u64::from(seconds) * SECOND).max(INTERVAL);
                        record.held_until = Some(now + patience);
                    }
                    None
                }
                Outcome::Answered(_, None) => {
                    record.excused = true;
                    None
                }
                Outcome::Challenged => None,
                Outcome::Unanswered => unless_spoken(EndReason::NotifyTimeout),
                Outcome::Unsent => unless_spoken(EndReason::NotifyUnsent),
                Outcome::Forgotten => unless_spoken(EndReason::NotifyForgotten),
            };
            let was_live = record.live;
            if let Some(reason) = reason.filter(|_| was_live) {
                record.drop(reason);
            }
            reason.is_some() && !was_live
        });
        if over {
            // It is over already, and the watcher is not there to be told.
            self.forget(id);
        }
    }

    // ---- what must hold when the agent has nothing more to do -------------------------------

    pub fn check_idle(&mut self, now: u64, leaves_off: bool) {
        self.leaves_off = leaves_off;
        assert!(self.starting.is_empty() && self.asking.is_empty());
        assert_eq!(
            self.by_key.len(),
            self.tally.live,
            "an end that was not told"
        );
        let open = self.opens.values().next();
        if let Some(open) = open.filter(|it| self.lateness.is_late(now, it.at + PATIENCE)) {
            panic!("open for ever: {:#?}", self.records[&open.id]);
        }
        self.check_deferred(now);
        let looks = &self.presentity_looks;
        let due = |at: &u64| self.lateness.is_late(now, *at);
        let due: Vec<usize> = looks
            .iter()
            .filter(|(_, at)| due(at))
            .map(|(presentity, _)| *presentity)
            .collect();
        for presentity in due {
            self.presentity_looks.remove(&presentity);
            let ids = self.by_presentity.get(&presentity);
            self.touched.extend(ids.into_iter().flatten());
        }
        while let Some((at, id)) = self.looks.first().copied().filter(|(at, _)| *at <= now) {
            self.looks.remove(&(at, id));
            if let Some(record) = self.records.get_mut(&id) {
                record.look_at = None;
                self.touched.push(id);
            }
        }
        let mut touched = core::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        for id in &touched {
            self.look(now, *id);
        }
        touched.clear();
        self.touched = touched;
    }

    fn look(&mut self, now: u64, id: u64) {
        let Some(record) = self.records.get(&id) else {
            return;
        };
        let lateness = self.lateness;
        if record
            .held_until
            .is_some_and(|until| lateness.latest(until) <= now)
        {
            self.change(id, |record| record.held_until = None);
        }
        let record = &self.records[&id];
        assert_eq!(record.ended.is_some(), record.end_told, "{record:#?}");
        if lateness.is_unbounded() {
            // Only that patience ends.
            self.look_again(id, record.held_until);
            return;
        }
        let late = record.live && record.expires_at <= now;
        assert!(
            !late || !lateness.is_late(now, record.expires_at),
            "outlived: {record:#?}"
        );
        let is_open = record.open.is_some() || record.unanswered;
        let waits = is_open || late || record.held_until.is_some();
        if record.owed && !waits && (self.leaves_off || self.tally.open >= self.window) {
            // Its turn comes with the next poll, or when others have been answered.
            self.look_again(id, Some(now));
            return;
        }
        assert!(
            !record.owed || waits,
            "owed, and nothing comes: {record:#?}"
        );
        let state = &self.states[record.presentity];
        let excused = record.excused && state.changed_at <= record.settled_at;
        let mut up_to_date_at = None;
        let may_be_told = record.live && !waits && !self.is_spared_for_now(record, state);
        if may_be_told && !excused && !state.is_unsure(now) {
            let since = state
                .changed_at
                .max(record.changed_at)
                .max(record.settled_at);
            let paced = record.pace.shortest.zip(record.last_sent);
            let paced = paced.map_or(0, |(shortest, last)| last.max(record.agreed_at) + shortest);
            let due = (since + INTERVAL).max(paced);
            if lateness.is_late(now, due) {
                assert!(self.is_up_to_date(record, state), "behind: {record:#?}");
            } else {
                up_to_date_at = Some(due);
            }
        }
        let repeat_at = self.repeat_at(record).filter(|_| may_be_told);
        if let Some(at) = repeat_at {
            assert!(!lateness.is_late(now, at), "not told again: {record:#?}");
        }
        let ends_at = record.live.then_some(record.expires_at);
        let times = [ends_at, record.held_until, up_to_date_at, repeat_at];
        self.look_again(id, times.into_iter().flatten().min());
    }

    /// When this time has passed, however late the agent may be.
    fn look_again(&mut self, id: u64, at: Option<u64>) {
        let Some(record) = self.records.get_mut(&id) else {
            return;
        };
        let at = at.map(|at| self.lateness.latest(at).saturating_add(1));
        if let Some(before) = core::mem::replace(&mut record.look_at, at) {
            self.looks.remove(&(before, id));
        }
        self.looks.extend(at.map(|at| (at, id)));
    }

    /// Every subscription that began has been said to be over.
    pub fn all_ended(&self) -> bool {
        self.by_key.is_empty()
            && self.by_tag.is_empty()
            && self.starting.is_empty()
            && self.opens.is_empty()
            && self.deferred.is_empty()
            && self.tally.held == 0
    }
}

/// Whether a NOTIFY may leave at all.
fn check_turn(now: u64, notify: &Notify<'_>, record: &Record) {
    assert!(
        record.open.is_none(),
        "two NOTIFYs at a time: {notify:?} to {record:#?}"
    );
    assert!(
        !record.farewell || record.repeats,
        "a NOTIFY after the end: {notify:?} to {record:#?}"
    );
    assert!(
        notify.cseq > record.local_cseq,
        "CSeq: {notify:?} to {record:#?}"
    );
    let impatient = record.held_until.is_some_and(|until| now < until);
    assert!(!impatient, "before Retry-After: {notify:?} to {record:#?}");
    assert_eq!(
        notify.with_credentials, record.repeats,
        "{notify:?} to {record:#?}"
    );
}
