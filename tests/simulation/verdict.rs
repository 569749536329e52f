//! What a SUBSCRIBE or a PUBLISH will be answered, and what it does to those that there are.

use presentity::event::{EndReason, JobOutcome};
use presentity::pidf::partial::Reconstruction;

use crate::ledger::Ledger;
use crate::model::{Publication, Rule};
use crate::network::SECOND;
use crate::record::{Record, Told};
use crate::terms::{AskedTerms, Condition, Filter};

pub const LEAST_EXPIRES: u32 = 60;
/// So long a request is remembered, to tell merged ones.
const MERGED: u64 = 32 * SECOND;
/// So long the application may think about a publication.
const THOUGHT: u64 = 16 * SECOND;

/// A SUBSCRIBE or PUBLISH, as far as the rules go.
#[derive(Debug)]
pub struct Asked {
    pub from: usize,
    /// It came with the credentials of who it comes from.
    pub known: bool,
    pub presentity: usize,
    pub entity: String,
    pub call_id: String,
    /// Of To, or of SIP-If-Match.
    pub tag: Option<String>,
    pub cseq: u32,
    pub expires: u32,
    /// The connection that it came by.
    pub flow: Option<u64>,
    pub terms: AskedTerms,
}

/// What the agent did with it, as far as its counters tell. The rules say whether it should have.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    pub taken: bool,
    pub deferred: bool,
    /// A subscription is gone without a word.
    pub removed: bool,
}

/// Statuses that may come; none when the application is asked first.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub statuses: Vec<u16>,
    /// The subscription that it makes.
    pub makes: Option<u64>,
    /// The subscription that is owed a NOTIFY when the answer is 200.
    pub conditional: Option<u64>,
}

impl Verdict {
    fn of(status: u16) -> Self {
        Self {
            statuses: vec![status],
            makes: None,
            conditional: None,
        }
    }
}

/// Whether a refresh brings no NOTIFY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spared {
    No,
    /// Documents that show the same may differ.
    Perhaps,
    Surely,
}

impl Record {
    /// What it asks for from now on.
    fn agree(&mut self, now: u64, terms: &AskedTerms) {
        let last = if self.open.is_some() {
            &self.on_its_way
        } else {
            &self.taken
        };
        let was_told = |tag: &String| last.as_ref().is_some_and(|it| it.tag != *tag);
        // What it said may be of before the last NOTIFY reached it.
        let is_overtaken = matches!(&terms.suppress, Some(Condition::Unless(tag)) if was_told(tag));
        self.condition = terms.suppress.clone().filter(|_| !is_overtaken);
        let filter: Filter = terms.filter.unwrap_or(self.filter);
        if (filter, terms.partial) != (self.filter, self.partial) {
            self.changed_at = now;
            self.taken = None;
            self.on_its_way = None;
        }
        self.filter = filter;
        self.partial = terms.partial;
        if self.pace != terms.pace {
            self.agreed_at = now;
        }
        self.pace = terms.pace;
    }
}

/// A publication that waits for the application.
#[derive(Debug)]
pub struct Deferred {
    presentity: usize,
    tag: Option<String>,
    expires: u32,
    mark: Option<u64>,
    pub deadline: u64,
}

impl Ledger {
    // ---- SUBSCRIBE --------------------------------------------------------------------------

    pub fn subscribe(&mut self, now: u64, asked: Asked, done: Done) -> Verdict {
        let verdict = match &asked.tag {
            Some(tag) => self.refresh(now, tag.clone(), &asked, done),
            None => self.subscribe_anew(now, asked, done),
        };
        assert_eq!(verdict.makes.is_some(), done.taken, "{verdict:?}");
        verdict
    }

    fn subscribe_anew(&mut self, now: u64, asked: Asked, done: Done) -> Verdict {
        if self.is_merged(now, &asked) {
            return Verdict::of(482);
        }
        if 0 < asked.expires && asked.expires < LEAST_EXPIRES {
            return Verdict::of(423);
        }
        if !asked.known {
            return Verdict::of(401);
        }
        let rule = self.rules.get(asked.from, asked.presentity);
        if rule == Rule::Refuse {
            return Verdict::of(403);
        }
        if !is_taken(self.room(now, &asked), done.taken) {
            self.refused.insert(asked.from, now);
            return Verdict::of(503);
        }
        let fetch = asked.expires == 0;
        let record = Record {
            watcher: asked.from,
            presentity: asked.presentity,
            entity: asked.entity,
            call_id: asked.call_id,
            tag: None,
            key: None,
            rule,
            expires_at: if fetch {
                u64::MAX
            } else {
                now + u64::from(asked.expires) * SECOND
            },
            flow: asked.flow,
            remote_cseq: asked.cseq,
            local_cseq: 0,
            live: !fetch,
            ended: fetch.then_some(EndReason::Fetched),
            retry_after: None,
            end_told: false,
            farewell: false,
            withheld: false,
            gone: false,
            open: None,
            attempts: 0,
            challenged: false,
            repeats: false,
            last_word: None,
            owed: true,
            spoken: false,
            held_until: None,
            changed_at: now,
            settled_at: now,
            last_change: None,
            on_its_way: None,
            taken: None,
            excused: false,
            partial: asked.terms.partial,
            filter: asked.terms.filter.unwrap_or_default(),
            pace: asked.terms.pace,
            condition: asked.terms.suppress,
            unanswered: false,
            claim: None,
            claims_open: false,
            agreed_at: now,
            last_sent: None,
            number: 0,
            copy: Reconstruction::new(),
            copy_before: None,
            taken_before: None,
            look_at: None,
        };
        let makes = Some(self.enter(record));
        Verdict {
            makes,
            ..Verdict::of(200)
        }
    }

    /// Whether there is room for one more, for sure and perhaps.
    fn room(&self, now: u64, asked: &Asked) -> (bool, bool) {
        let limits = &self.limits;
        let others = self.tally.held < limits.subscriptions
            && self.tally.of_presentity(asked.presentity) < limits.subscriptions_per_resource
            && self.tally.of_watcher(asked.from) < limits.subscriptions_per_watcher;
        let of_both = self.live(Some(asked.from), Some(asked.presentity));
        // The agent may know that one has run out, and not have said so.
        let surely = of_both
            .iter()
            .filter(|id| now < self.records[id].expires_at);
        let limit = limits.subscriptions_per_watcher_and_resource;
        let (most, least) = (of_both.len(), surely.count());
        (others && most < limit, others && least < limit)
    }

    /// Whether a watcher that is not subscribed would be refused for lack of room, or was a moment
    /// ago and is to come back.
    pub fn is_full(&self, now: u64, watcher: usize, presentity: usize) -> bool {
        let refused = self.refused.get(&watcher);
        if refused.is_some_and(|at| now < at + 12 * SECOND) {
            return true;
        }
        let limits = &self.limits;
        let both = limits.subscriptions_per_watcher_and_resource;
        self.tally.held >= limits.subscriptions
            || self.tally.of_presentity(presentity) >= limits.subscriptions_per_resource
            || self.tally.of_watcher(watcher) >= limits.subscriptions_per_watcher
            || self.live(Some(watcher), Some(presentity)).len() >= both
    }

    fn refresh(&mut self, now: u64, tag: String, asked: &Asked, done: Done) -> Verdict {
        let rule = self.rules.get(asked.from, asked.presentity);
        let Some(id) = self.by_tag.get(&tag).copied() else {
            return Verdict::of(481);
        };
        let record = &self.records[&id];
        if !record.live {
            return Verdict::of(481);
        }
        assert_eq!(record.watcher, asked.from);
        let out_of_order = asked.cseq <= record.remote_cseq;
        if now >= record.expires_at {
            // The agent need not have noticed.
            let mut statuses = vec![481];
            if !asked.known {
                statuses.push(401);
            } else if out_of_order {
                statuses.push(500);
            }
            return Verdict {
                statuses,
                ..Verdict::of(481)
            };
        }
        if !asked.known {
            return Verdict::of(401);
        }
        if out_of_order {
            return Verdict::of(500);
        }
        let spared = self.is_spared(now, id, rule, asked);
        assert!(!done.removed || spared != Spared::No, "{asked:?}");
        let claim = self.claim(now, id, asked);
        let status = self.change(id, |record| {
            record.remote_cseq = asked.cseq;
            if 0 < asked.expires && asked.expires < LEAST_EXPIRES {
                return 423;
            }
            if rule == Rule::Refuse {
                record.end(EndReason::Rejected);
                return 403;
            }
            if rule != Rule::Wait && rule != record.rule {
                record.rule = rule;
                record.changed_at = now;
            }
            record.spoken = true;
            record.flow = asked.flow;
            record.agree(now, &asked.terms);
            let is_conditional = spared != Spared::No && !done.removed;
            if done.removed {
                record.drop(EndReason::Unsubscribed);
                return 204;
            } else if asked.expires == 0 {
                record.end(EndReason::Unsubscribed);
            } else if is_conditional {
                let has_it =
                    |told: &Told| record.condition == Some(Condition::Unless(told.tag.clone()));
                record.claims_open =
                    record.open.is_some() && record.on_its_way.as_ref().is_some_and(has_it);
                record.claim = claim.filter(|_| record.open.is_none());
                record.unanswered = true;
                record.expires_at = now + u64::from(asked.expires) * SECOND;
            } else {
                record.owed = true;
                record.held_until = None;
                record.expires_at = now + u64::from(asked.expires) * SECOND;
            }
            200
        });
        if status != 200 || asked.expires == 0 {
            assert!(
                asked.expires > 0 || status == 204 || spared != Spared::Surely,
                "{asked:?}"
            );
            return Verdict::of(status);
        }
        let statuses = match spared {
            Spared::No => return Verdict::of(200),
            Spared::Perhaps => vec![200, 204],
            Spared::Surely => vec![204],
        };
        Verdict {
            statuses,
            conditional: Some(id),
            ..Verdict::of(200)
        }
    }

    /// Whether a refresh is answered by 204: its watcher is to have what there is to see.
    fn is_spared(&self, now: u64, id: u64, rule: Rule, asked: &Asked) -> Spared {
        let record = &self.records[&id];
        let Some(condition) = &asked.terms.suppress else {
            return Spared::No;
        };
        if record.owed || rule != Rule::Wait && rule != record.rule {
            return Spared::No;
        }
        // What its pace brings about may be owed already.
        let perhaps_owed = !record.pace.is_none();
        let Condition::Unless(tag) = condition else {
            return if perhaps_owed {
                Spared::Perhaps
            } else {
                Spared::Surely
            };
        };
        let Some(shown) = self.tags.get(tag) else {
            return Spared::No;
        };
        let state = &self.states[record.presentity];
        let filter = asked.terms.filter.unwrap_or(record.filter);
        let expected = filter.of(state.shown(record.rule, self.rules.brief(record.presentity)));
        if state.is_unsure(now) {
            return Spared::Perhaps;
        }
        if *shown != expected {
            return Spared::No;
        }
        if record.open.is_some() {
            return Spared::Perhaps;
        }
        match &record.taken {
            // Something else has reached it since it said so.
            Some(taken) if taken.tag != *tag => Spared::No,
            Some(taken)
                if taken.version == state.version
                    && filter == record.filter
                    && asked.terms.partial == record.partial
                    && !perhaps_owed =>
            {
                Spared::Surely
            }
            _ => Spared::Perhaps,
        }
    }

    /// What its watcher has, if what it says is so.
    fn claim(&self, now: u64, id: u64, asked: &Asked) -> Option<Told> {
        let Some(Condition::Unless(tag)) = &asked.terms.suppress else {
            return None;
        };
        let record = &self.records[&id];
        let state = &self.states[record.presentity];
        let brief = self.rules.brief(record.presentity);
        let is_sure = !state.is_unsure(now);
        Some(Told {
            shown: self.tags.get(tag)?.clone(),
            basics: is_sure.then(|| state.basics(record.rule, brief)),
            tag: tag.clone(),
            version: state.version,
            members: state.members,
        })
    }

    fn is_merged(&mut self, now: u64, asked: &Asked) -> bool {
        while let Some((when, request)) = self.requests_in_order.front()
            && when + MERGED <= now
        {
            self.requests.remove(request);
            self.requests_in_order.pop_front();
        }
        let request = (asked.call_id.clone(), asked.cseq);
        if self.requests.contains_key(&request) {
            return true;
        }
        self.requests.insert(request.clone(), now);
        self.requests_in_order.push_back((now, request));
        false
    }

    // ---- PUBLISH ----------------------------------------------------------------------------

    /// `by` is its server transaction, `mark` what its document says.
    pub fn publish(
        &mut self,
        now: u64,
        by: u64,
        asked: &Asked,
        mark: Option<u64>,
        done: Done,
    ) -> Verdict {
        let status = self.answer_publish(now, by, asked, mark, done);
        assert_eq!(done.taken, status == Some(200), "{asked:?}: {status:?}");
        assert_eq!(done.deferred, status.is_none(), "{asked:?}");
        Verdict {
            statuses: Vec::from_iter(status),
            makes: None,
            conditional: None,
        }
    }

    fn answer_publish(
        &mut self,
        now: u64,
        by: u64,
        asked: &Asked,
        mark: Option<u64>,
        done: Done,
    ) -> Option<u16> {
        if self.is_merged(now, asked) {
            return Some(482);
        }
        if !asked.known {
            return Some(401);
        }
        let deferred = Deferred {
            presentity: asked.presentity,
            tag: asked.tag.clone(),
            expires: asked.expires,
            mark,
            deadline: now + THOUGHT,
        };
        if !self.rules.is_deferred(asked.from) {
            return Some(self.commit(now, by, &deferred, done.taken));
        }
        if deferred.tag.is_some() && self.find_publication(now, &deferred).is_none() {
            return Some(412);
        }
        // The agent may have given up some without having said so.
        let limit = self.limits.jobs;
        let surely = self.deferred.values().filter(|it| now < it.deadline);
        let room = (self.deferred.len() < limit, surely.count() < limit);
        if !is_taken(room, done.deferred) {
            return Some(503);
        }
        self.deferred.insert(by, deferred);
        None
    }

    fn find_publication(&self, now: u64, asked: &Deferred) -> Option<usize> {
        let publications = &self.states[asked.presentity].publications;
        let mut publications = publications.iter();
        publications.position(|it| it.tag == asked.tag && now < it.expires_at)
    }

    fn commit(&mut self, now: u64, by: u64, asked: &Deferred, taken: bool) -> u16 {
        let expires_at = now + u64::from(asked.expires) * SECOND;
        if asked.tag.is_none() {
            if !is_taken(self.room_to_publish(now, asked.presentity), taken) {
                return 503;
            }
            let publication = Publication {
                id: by,
                by,
                tag: None,
                mark: asked.mark.expect("a document"),
                expires_at,
            };
            self.states[asked.presentity].publications.push(publication);
            self.states[asked.presentity].members += 1;
            self.state_changed(now, asked.presentity);
            return 200;
        }
        let Some(place) = self.find_publication(now, asked) else {
            return 412;
        };
        let publications = &mut self.states[asked.presentity].publications;
        if asked.expires == 0 {
            publications.remove(place);
            self.states[asked.presentity].members += 1;
            self.state_changed(now, asked.presentity);
            return 200;
        }
        let publication = &mut publications[place];
        publication.tag = None;
        publication.by = by;
        publication.expires_at = expires_at;
        if let Some(mark) = asked.mark
            && mark != publication.mark
        {
            publication.mark = mark;
            self.state_changed(now, asked.presentity);
        }
        200
    }

    /// Whether there is room for one more, for sure and perhaps.
    fn room_to_publish(&self, now: u64, presentity: usize) -> (bool, bool) {
        let all = || self.states.iter().flat_map(|it| &it.publications);
        let own = || self.states[presentity].publications.iter();
        let holds = |it: &&Publication| now < it.expires_at;
        let limits = &self.limits;
        let room = |all: usize, own: usize| {
            all < limits.publications && own < limits.publications_per_resource
        };
        (
            room(all().count(), own().count()),
            room(all().filter(holds).count(), own().filter(holds).count()),
        )
    }

    // ---- deferred publications --------------------------------------------------------------

    /// The application has said what is to become of one; the statuses that may come of it.
    pub fn completed(
        &mut self,
        now: u64,
        by: u64,
        success: bool,
        outcome: JobOutcome,
    ) -> Option<u16> {
        if outcome == JobOutcome::Over {
            let deferred = self.deferred.get(&by);
            assert!(
                deferred.is_none_or(|it| it.deadline <= now),
                "over before its time: {deferred:?}"
            );
            return None;
        }
        let deferred = self.deferred.remove(&by).expect("one that is not over");
        let taken = outcome == JobOutcome::Done;
        let status = if success {
            self.commit(now, by, &deferred, taken)
        } else {
            504
        };
        let said = match outcome {
            JobOutcome::Refused(status) => status,
            _ => 200,
        };
        assert_eq!(said, status, "{deferred:?}");
        Some(status)
    }

    /// The agent has waited for one long enough.
    pub fn gave_up(&mut self, now: u64, by: u64) {
        let deferred = self.deferred.remove(&by).expect("one that is not over");
        assert!(
            deferred.deadline <= now && !self.lateness.is_late(now, deferred.deadline),
            "{deferred:?}"
        );
    }

    /// Whether a publication for a presentity waits for the application.
    pub fn is_deferred_for(&self, presentity: usize) -> bool {
        self.deferred.values().any(|it| it.presentity == presentity)
    }

    pub fn check_deferred(&self, now: u64) {
        let mut deferred = self.deferred.values();
        let late = deferred.find(|it| self.lateness.is_late(now, it.deadline));
        assert!(late.is_none(), "never answered: {late:?}");
    }
}

/// What there was room for, for sure or perhaps, is to be taken; no more than that.
fn is_taken((surely, perhaps): (bool, bool), taken: bool) -> bool {
    assert!(!surely || taken, "refused while there was room");
    assert!(perhaps || !taken, "taken beyond the limit");
    taken
}
