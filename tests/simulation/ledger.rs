//! What is known of every subscription and publication from what went over the wire: it foretells
//! each answer of the agent and holds every NOTIFY against the rules.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use presentity::event::{EndReason, Reason, SubscriptionKey};

use crate::model::{Publication, Rule, Rules, Shown, State};
use crate::network::SECOND;

pub const INTERVAL: u64 = 5 * SECOND;
/// The agent's timers fire on a tick, up to this late.
pub const TICK: u64 = 1 << 26;
pub const LEAST_EXPIRES: u32 = 60;
/// So long a request is remembered, to tell merged ones.
const MERGED: u64 = 32 * SECOND;

/// A subscription, as it should be at the agent.
#[derive(Debug)]
pub struct Record {
    pub watcher: usize,
    pub presentity: usize,
    pub entity: String,
    pub call_id: String,
    /// The agent's tag, when it is known.
    pub tag: Option<String>,
    pub key: Option<SubscriptionKey>,
    pub rule: Rule,
    pub expires_at: u64,
    /// The connection that it came by is there.
    pub flow: bool,
    pub remote_cseq: u32,
    pub local_cseq: u32,
    pub live: bool,
    /// Why it is over, and whether the agent has said so.
    pub ended: Option<EndReason>,
    pub end_told: bool,
    /// The watcher has been told the end.
    pub farewell: bool,
    pub open: bool,
    /// It is to get a NOTIFY whatever it has.
    pub owed: bool,
    /// The watcher sent a SUBSCRIBE since the last NOTIFY.
    pub spoken: bool,
    pub held_until: Option<u64>,
    pub changed_at: u64,
    pub settled_at: u64,
    /// When the last NOTIFY left that nothing but a change was the reason for.
    pub last_change: Option<u64>,
    pub on_its_way: Option<Shown>,
    /// What the watcher said 200 to.
    pub taken: Option<Shown>,
    /// The watcher refused the last one and gets the next change.
    pub excused: bool,
}

/// A NOTIFY, as far as the rules go.
#[derive(Debug)]
pub struct Notify<'a> {
    pub tag: &'a str,
    pub cseq: u32,
    pub state: &'a str,
    pub body: &'a Bytes,
}

#[derive(Debug, Default)]
pub struct Ledger {
    pub rules: Rules,
    pub states: [State; 3],
    pub records: BTreeMap<u64, Record>,
    next: u64,
    by_tag: HashMap<String, u64>,
    by_key: HashMap<SubscriptionKey, u64>,
    /// Those whose beginning the agent has yet to tell.
    starting: VecDeque<u64>,
    requests: HashMap<(String, u32), u64>,
    requests_in_order: VecDeque<(u64, (String, u32))>,
    /// Documents that were read before, by presentity, rule and entity.
    read: BTreeMap<(usize, Rule, String), (u64, Bytes)>,
    pub notifies: u64,
    /// NOTIFYs that only a change was the reason for.
    pub changes: u64,
}

/// A SUBSCRIBE or PUBLISH, as far as the rules go.
#[derive(Debug)]
pub struct Asked {
    pub from: usize,
    pub presentity: usize,
    pub entity: String,
    pub call_id: String,
    pub tag: Option<String>,
    pub cseq: u32,
    pub expires: u32,
}

impl Ledger {
    // ---- what will be answered ------------------------------------------------------------

    /// The status of the answer to a SUBSCRIBE and the subscription that it makes.
    pub fn subscribe(&mut self, now: u64, asked: Asked) -> (u16, Option<u64>) {
        match &asked.tag {
            Some(tag) => (self.refresh(now, tag.clone(), &asked), None),
            None => self.subscribe_anew(now, asked),
        }
    }

    fn subscribe_anew(&mut self, now: u64, asked: Asked) -> (u16, Option<u64>) {
        if self.is_merged(now, &asked) {
            return (482, None);
        }
        if 0 < asked.expires && asked.expires < LEAST_EXPIRES {
            return (423, None);
        }
        let rule = self.rules.get(asked.from, asked.presentity);
        if rule == Rule::Refuse {
            return (403, None);
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
            flow: true,
            remote_cseq: asked.cseq,
            local_cseq: 0,
            live: !fetch,
            ended: fetch.then_some(EndReason::Fetched),
            end_told: false,
            farewell: false,
            open: false,
            owed: true,
            spoken: false,
            held_until: None,
            changed_at: now,
            settled_at: now,
            last_change: None,
            on_its_way: None,
            taken: None,
            excused: false,
        };
        self.next += 1;
        self.records.insert(self.next, record);
        (200, Some(self.next))
    }

    fn refresh(&mut self, now: u64, tag: String, asked: &Asked) -> u16 {
        let rule = self.rules.get(asked.from, asked.presentity);
        let id = self.by_tag.get(&tag);
        let Some(record) = id.and_then(|id| self.records.get_mut(id)) else {
            return 481;
        };
        if !record.live {
            return 481;
        }
        assert_eq!(record.watcher, asked.from);
        if asked.cseq <= record.remote_cseq {
            return 500;
        }
        if now >= record.expires_at {
            return 481;
        }
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
        record.flow = true;
        if asked.expires == 0 {
            record.end(EndReason::Unsubscribed);
        } else {
            record.owed = true;
            record.held_until = None;
            record.expires_at = now + u64::from(asked.expires) * SECOND;
        }
        200
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

    /// The status of the answer to a PUBLISH. `asked.tag` is that of SIP-If-Match.
    pub fn publish(&mut self, now: u64, by: u64, asked: &Asked, mark: Option<u64>) -> u16 {
        if self.is_merged(now, asked) {
            return 482;
        }
        let expires_at = now + u64::from(asked.expires) * SECOND;
        let state = &mut self.states[asked.presentity];
        if asked.tag.is_none() {
            let mark = mark.expect("a document");
            state.publications.push(Publication {
                by,
                tag: None,
                mark,
                expires_at,
            });
            state.touch(now);
            return 200;
        }
        let place = state
            .publications
            .iter()
            .position(|it| it.tag == asked.tag && now < it.expires_at);
        let Some(place) = place else {
            return 412;
        };
        if asked.expires == 0 {
            state.publications.remove(place);
            state.touch(now);
            return 200;
        }
        let publication = &mut state.publications[place];
        publication.tag = None;
        publication.by = by;
        publication.expires_at = expires_at;
        if let Some(mark) = mark
            && mark != publication.mark
        {
            publication.mark = mark;
            state.touch(now);
        }
        200
    }

    // ---- what the application does --------------------------------------------------------

    pub fn set(&mut self, now: u64, presentity: usize, mark: Option<u64>) {
        let state = &mut self.states[presentity];
        if state.set != mark {
            state.set = mark;
            state.touch(now);
        }
    }

    pub fn decide(&mut self, now: u64, id: u64, rule: Rule) {
        let record = self.records.get_mut(&id).expect("a subscription");
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
    }

    pub fn lose_flow(&mut self, watcher: usize) {
        let records = self.records.values_mut();
        for record in records.filter(|it| it.watcher == watcher) {
            record.flow = false;
        }
    }

    pub fn terminate(&mut self, id: u64, reason: Reason) {
        let record = self.records.get_mut(&id).expect("a subscription");
        record.end(EndReason::Terminated(reason));
    }

    // ---- what the agent says --------------------------------------------------------------

    /// The 2xx that a subscription began with.
    pub fn begun(&mut self, id: u64, tag: &str) {
        self.records.get_mut(&id).expect("it lasts").tag = Some(tag.to_owned());
        assert!(self.by_tag.insert(tag.to_owned(), id).is_none());
        self.starting.push_back(id);
    }

    pub fn published(&mut self, by: u64, tag: &str) {
        let publications = self.states.iter_mut().flat_map(|it| &mut it.publications);
        if let Some(publication) = publications.into_iter().find(|it| it.by == by) {
            publication.tag = Some(tag.to_owned());
        }
    }

    pub fn publication_expired(&mut self, now: u64, presentity: usize, slack: u64) {
        let state = &mut self.states[presentity];
        let first =
            (0..state.publications.len()).min_by_key(|it| state.publications[*it].expires_at);
        let publication = state.publications.remove(first.expect("a publication"));
        let at = publication.expires_at;
        assert!(
            (at..=at + slack).contains(&now),
            "{now} is no time for {publication:?}"
        );
        state.touch(now);
    }

    pub fn started(&mut self, key: SubscriptionKey) {
        let id = self.starting.pop_front().expect("a 2xx before");
        self.records.get_mut(&id).expect("it lasts").key = Some(key);
        self.by_key.insert(key, id);
    }

    pub fn ended(&mut self, now: u64, key: SubscriptionKey, reason: EndReason, slack: u64) {
        let id = self
            .by_key
            .remove(&key)
            .expect("it has begun and not ended");
        let Some(record) = self.records.get_mut(&id) else {
            // It was over for its watcher before the application was told.
            return;
        };
        if record.ended.is_none() && reason == EndReason::Expired {
            let at = record.expires_at;
            assert!(
                (at..=at + slack).contains(&now),
                "{now} is not the end of {record:#?}"
            );
            record.end(reason);
        }
        assert_eq!(record.ended, Some(reason), "{record:#?}");
        assert!(!record.end_told);
        record.end_told = true;
        if let EndReason::NotifyRejected(_) | EndReason::NotifyTimeout = reason {
            self.forget(id);
        }
    }

    /// A NOTIFY leaves; whose it is.
    pub fn notify(&mut self, now: u64, notify: &Notify<'_>) -> u64 {
        self.notifies += 1;
        let id = *self
            .by_tag
            .get(notify.tag)
            .expect("a subscription that has not ended");
        let record = self.records.get_mut(&id).expect("it lasts");
        assert!(
            !record.open,
            "two NOTIFYs at a time: {notify:?} to {record:#?}"
        );
        assert!(
            !record.farewell,
            "a NOTIFY after the end: {notify:?} to {record:#?}"
        );
        assert!(
            notify.cseq > record.local_cseq,
            "CSeq: {notify:?} to {record:#?}"
        );
        let impatient = record.held_until.is_some_and(|until| now < until);
        assert!(!impatient, "before Retry-After: {notify:?} to {record:#?}");
        record.local_cseq = notify.cseq;

        let state = &self.states[record.presentity];
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
            assert_eq!(expires, ((record.expires_at - now) / SECOND).to_string());
            let pending = notify.state.starts_with("pending");
            assert_eq!(
                pending,
                record.rule == Rule::Wait,
                "{notify:?} to {record:#?}"
            );
            true
        } else {
            let reason = notify.state.strip_prefix("terminated;reason=");
            let reason = reason.expect("active, pending or terminated");
            if record.live && reason == "timeout" && record.expires_at <= now {
                // A place that it had in the queue may bring it out before the event.
                record.end(EndReason::Expired);
            }
            let ended = record
                .ended
                .is_some_and(|it| word(it) == reason.split(';').next());
            assert!(ended, "not so: {notify:?} to {record:#?}");
            record.farewell = true;
            matches!(
                record.ended,
                Some(
                    EndReason::Fetched
                        | EndReason::Unsubscribed
                        | EndReason::Terminated(Reason::Invariant)
                )
            )
        };
        assert_eq!(
            with_state,
            !notify.body.is_empty(),
            "{notify:?} to {record:#?}"
        );
        let mut shown = None;
        if with_state {
            let expected = state.shown(record.rule);
            let name = (record.presentity, record.rule, record.entity.clone());
            let known = self.read.get(&name).is_some_and(|(version, body)| {
                *version == state.version && body.as_ptr() == notify.body.as_ptr()
            });
            if !known {
                let read = Shown::read(notify.body, &record.entity);
                if !state.is_unsure(now) {
                    assert_eq!(
                        read, expected,
                        "not the newest state: {notify:?} to {record:#?}"
                    );
                    self.read.insert(name, (state.version, notify.body.clone()));
                    shown = Some(read);
                }
            } else {
                shown = Some(expected);
            }
        }
        if !record.owed {
            self.changes += 1;
            let since = record.last_change.map(|last| now - last);
            assert!(
                since.is_none_or(|it| it >= INTERVAL),
                "too fast: {notify:?} to {record:#?}"
            );
            assert!(
                shown.is_none() || shown != record.taken,
                "nothing new: {notify:?} to {record:#?}"
            );
            record.last_change = Some(now);
        }
        record.open = true;
        record.owed = false;
        record.spoken = false;
        record.excused = false;
        record.held_until = None;
        record.on_its_way = shown;
        id
    }

    // ---- what becomes of a NOTIFY ---------------------------------------------------------

    /// The status and Retry-After of the answer, or nothing for none.
    pub fn outcome(&mut self, now: u64, id: u64, answer: Option<(u16, Option<u32>)>) {
        let record = self.records.get_mut(&id).expect("it lasts");
        assert!(record.open);
        record.open = false;
        record.settled_at = now;
        if record.farewell {
            assert!(
                record.end_told,
                "an end that the application was not told: {record:#?}"
            );
            self.forget(id);
            return;
        }
        record.taken = None;
        let dead = match answer {
            Some((200..300, _)) => {
                // Without it the state was in doubt when it left.
                record.excused = record.on_its_way.is_none();
                record.taken = record.on_its_way.take();
                None
            }
            Some((481, _)) => Some(EndReason::NotifyRejected(481)),
            Some((_, Some(seconds))) => {
                if record.live {
                    record.owed = true;
                    let patience = (u64::from(seconds) * SECOND).max(INTERVAL);
                    record.held_until = Some(now + patience);
                }
                None
            }
            Some((_, None)) => {
                record.excused = true;
                None
            }
            None => (!record.spoken).then_some(EndReason::NotifyTimeout),
        };
        if let Some(reason) = dead {
            if record.live {
                record.end(reason);
                record.owed = false;
            } else {
                // It is over already, and the watcher is not there to be told.
                self.forget(id);
            }
        }
    }

    fn forget(&mut self, id: u64) {
        let record = self.records.remove(&id).expect("it lasts");
        if let Some(tag) = &record.tag {
            self.by_tag.remove(tag);
        }
    }

    // ---- what must hold when the agent has nothing more to do ------------------------------

    pub fn check_idle(&mut self, now: u64, slack: Option<u64>) {
        assert!(self.starting.is_empty());
        for record in self.records.values_mut() {
            let patience = record.held_until.map(|until| until + slack.unwrap_or(0));
            if patience.is_some_and(|until| until <= now) {
                record.held_until = None;
            }
            assert_eq!(record.ended.is_some(), record.end_told, "{record:#?}");
            let Some(slack) = slack else {
                continue;
            };
            let late = record.live && record.expires_at <= now;
            assert!(
                !late || now <= record.expires_at + slack,
                "outlived: {record:#?}"
            );
            let waits = record.open || late || record.held_until.is_some();
            assert!(
                !record.owed || waits,
                "owed, and nothing comes: {record:#?}"
            );
            let state = &self.states[record.presentity];
            let excused = record.excused && state.changed_at <= record.settled_at;
            if !record.live || waits || excused || state.is_unsure(now) {
                continue;
            }
            let since = state
                .changed_at
                .max(record.changed_at)
                .max(record.settled_at);
            if now > since + INTERVAL + slack {
                let expected = Some(state.shown(record.rule));
                assert_eq!(record.taken, expected, "behind: {record:#?}");
            }
        }
    }

    /// Every subscription that began has been said to be over.
    pub fn all_ended(&self) -> bool {
        self.by_key.is_empty() && self.by_tag.is_empty() && self.starting.is_empty()
    }

    /// The subscription that a watcher's call made.
    pub fn of_call(&self, call_id: &str) -> Option<(u64, &Record)> {
        let mut records = self.records.iter();
        let found = records.find(|(_, it)| it.live && it.call_id == call_id);
        found.map(|(id, record)| (*id, record))
    }
}

impl Record {
    fn end(&mut self, reason: EndReason) {
        self.live = false;
        self.ended = Some(reason);
        self.owed = true;
        self.held_until = None;
    }
}

/// The reason that a watcher is told.
fn word(reason: EndReason) -> Option<&'static str> {
    Some(match reason {
        EndReason::Unsubscribed | EndReason::Fetched | EndReason::Expired => "timeout",
        EndReason::Rejected => "rejected",
        EndReason::Terminated(reason) => reason.as_str(),
        _ => return None,
    })
}
