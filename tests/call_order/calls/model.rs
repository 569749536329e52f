//! What a course of events should have led to, as far as a watcher and a publisher can tell.

use core::time::Duration;
use std::collections::BTreeSet;

use bytes::Bytes;
use presentity::engine::{ClientTransaction, FlowId, Timestamp};
use presentity::event::{
    Authorization, Decision, EndReason, JobKey, Protection, ProtectionQuery, PublicationKey,
    PublishDecision, PublishKind, PublishQuery, SubscribeQuery, SubscriptionKey, View,
};
use presentity::pidf::{Basic, Note, Presence, Tuple};
use presentity::presence::Policy;
use presentity::sip::{Rate, Rates};

use super::operations::{Demand, Rule};
use super::parts::Parts;
use super::protecting::Signing;

/// The last one is nobody.
pub const WATCHERS: [&str; 5] = [
    "sip:ana@example.com",
    "sip:bruno@example.com",
    "sip:carla@example.com",
    "sip:dmitri@example.com",
    "sip:guest@example.com",
];
pub const NOBODY: usize = 4;
/// By canonical name. Publications of the last one are deferred.
pub const PRESENTITIES: [&str; 3] = ["pia@example.com", "quinn@example.com", "rosa@example.com"];
pub const DEFERRED: usize = 2;

pub fn watcher_name(watcher: usize) -> Option<&'static str> {
    (watcher != NOBODY).then(|| WATCHERS[watcher].trim_start_matches("sip:"))
}

/// The rules that the agent and the model both go by.
#[derive(Debug, Clone)]
pub struct Table {
    pub rules: Vec<Rule>,
    pub protections: Vec<Demand>,
}

impl Table {
    pub fn demand(&self, watcher: usize, presentity: usize) -> Demand {
        self.protections[watcher * PRESENTITIES.len() + presentity]
    }

    pub fn set_demand(&mut self, watcher: usize, presentity: usize, demand: Demand) {
        self.protections[watcher * PRESENTITIES.len() + presentity] = demand;
    }

    pub fn rule(&self, watcher: usize, presentity: usize) -> Rule {
        self.rules[watcher * PRESENTITIES.len() + presentity]
    }

    pub fn set(&mut self, watcher: usize, presentity: usize, rule: Rule) {
        self.rules[watcher * PRESENTITIES.len() + presentity] = rule;
    }
}

/// The places of a watcher and a presentity by their names.
fn places(watcher: Option<&str>, resource: &str) -> (usize, usize) {
    let named = |place: &usize| watcher_name(*place) == watcher;
    let watcher = (0..WATCHERS.len()).find(named).expect("a known watcher");
    let presentity = PRESENTITIES.iter().position(|name| *name == resource);
    (watcher, presentity.expect("a known presentity"))
}

impl Policy for Table {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let (watcher, presentity) = places(query.watcher(), query.resource());
        self.rule(watcher, presentity).authorization()
    }

    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        let (watcher, presentity) = places(query.watcher(), query.resource);
        match self.demand(watcher, presentity) {
            (protection, false) if !query.accepts(protection) => Protection::None,
            (protection, _) => protection,
        }
    }

    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        match query.identity().primary() {
            None => PublishDecision::Challenge,
            Some(name) if name != query.resource() => PublishDecision::Forbid,
            Some(name) if name == PRESENTITIES[DEFERRED] => PublishDecision::Defer,
            Some(_) => PublishDecision::Allow,
        }
    }

    fn apply_view(&self, view: &View, _: &str, document: &mut Presence) {
        document.notes.clear();
        if view.name() == Some("public") {
            let is_public =
                |tuple: &Tuple| tuple.notes.iter().any(|note| note.text.ends_with("public"));
            document.tuples.retain(is_public);
        } else {
            document.tuples.clear();
        }
    }
}

/// More of it stays than changes.
fn tuple(id: &str, note: &str) -> Tuple {
    let contact = format!("sip:{id}@{}.example.com", "long.".repeat(30));
    Tuple::open(id).with_contact(contact).with_note(note)
}

/// A document with a mark in each of its parts. Ids are the same in all, so that they clash.
pub fn document(presentity: usize, mark: u32) -> Presence {
    Presence::new(format!("sip:{}", PRESENTITIES[presentity]))
        .with_tuple(tuple("desk", &format!("{mark} public")))
        .with_tuple(tuple("home", &format!("{mark} private")))
        .with_note(format!("{mark} remark").as_str())
}

/// What a watcher sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    Nothing,
    /// That it has to wait.
    Waiting,
    /// One closed tuple and nothing else.
    Offline,
    /// The texts of all notes.
    Notes(BTreeSet<String>),
}

impl Shown {
    /// What a body shows; it must be a document about `entity`.
    pub fn read(body: &Bytes, entity: &str) -> Self {
        if body.is_empty() {
            return Self::Nothing;
        }
        let (about, shown) = Self::read_any(body);
        assert_eq!(about, entity);
        shown
    }

    /// Whom a document is about, and what it shows.
    pub fn read_any(body: &Bytes) -> (String, Self) {
        let document = Presence::read(body).expect("a document");
        let entity = document.entity.clone();
        (entity, Self::in_document(&document))
    }

    fn in_document(document: &Presence) -> Self {
        let closed =
            |tuple: &Tuple| tuple.status.basic() == Some(Basic::Closed) && tuple.notes.is_empty();
        if document.notes.is_empty() && document.tuples.len() == 1 && closed(&document.tuples[0]) {
            return Self::Offline;
        }
        let notes = document.tuples.iter().flat_map(|tuple| &tuple.notes);
        let notes: Vec<&Note> = notes.chain(&document.notes).collect();
        if document.tuples.is_empty()
            && notes.len() == 1
            && notes[0].text == "Waiting for permission"
        {
            return Self::Waiting;
        }
        assert!(document.tuples.iter().all(|tuple| !tuple.notes.is_empty()));
        Self::Notes(notes.into_iter().map(|note| note.text.clone()).collect())
    }

    fn parts(view: &View) -> &'static [&'static str] {
        match view.name() {
            None => &["public", "private", "remark"],
            Some("public") => &["public"],
            Some(_) => &[],
        }
    }

    /// Whether somebody with this view may see it, at one time or another.
    pub fn is_within(&self, view: &View) -> bool {
        let parts = Self::parts(view);
        match self {
            Self::Nothing => true,
            Self::Notes(texts) => texts
                .iter()
                .all(|text| parts.iter().any(|part| text.ends_with(part))),
            Self::Waiting | Self::Offline => false,
        }
    }

    /// What documents with these marks show under a view.
    pub fn notes(marks: impl Iterator<Item = u32>, view: &View) -> Self {
        let parts = Self::parts(view);
        let texts = marks.flat_map(|mark| parts.iter().map(move |part| format!("{mark} {part}")));
        Self::Notes(texts.collect())
    }
}

/// How far a subscription has come.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    Live,
    /// Its last NOTIFY is due.
    Ending(LastWord),
    /// Its last NOTIFY has left.
    Last(LastWord),
    Gone,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LastWord {
    /// What follows `terminated;`.
    pub told: String,
    pub with_state: bool,
}

#[derive(Debug)]
pub struct Open {
    pub transaction: ClientTransaction,
    pub since: Timestamp,
    pub attempts: u8,
    /// The field that credentials go into.
    pub challenged: Option<&'static str>,
    pub credentials: Credentials,
    pub body: Bytes,
}

/// Fields that credentials stand in, with their values.
pub type Credentials = Vec<(&'static str, String)>;

#[derive(Debug)]
pub struct Retry {
    pub credentials: Credentials,
    pub attempts: u8,
}

/// How far apart NOTIFYs are, where a watcher has asked for that: those of changes, and any.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Intervals {
    pub shortest: Option<Duration>,
    pub longest: Option<Duration>,
}

impl Intervals {
    /// As Subscription-State tells them.
    pub fn told(self) -> String {
        let mut rates = Rates::NONE;
        rates.max = self.shortest.map(Rate::per);
        rates.min = self.longest.map(Rate::per);
        rates.to_string()
    }
}

#[derive(Debug)]
pub struct Subscription {
    pub watcher: usize,
    pub presentity: usize,
    /// In To.
    pub named: String,
    /// The same without parameters, as its document says.
    pub entity: String,
    pub call_id: String,
    /// From the response, when it is there.
    pub local_tag: Option<String>,
    pub contact: String,
    pub route: Option<String>,
    pub event_id: Option<&'static str>,
    pub old_type: bool,
    /// It is told what has changed, where that need not be protected.
    pub is_partial: bool,
    pub parts: Parts,
    pub intervals: Intervals,
    /// When the last NOTIFY left.
    pub sent: Option<Timestamp>,
    pub remote_cseq: u32,
    pub flow: Option<FlowId>,
    pub key: Option<SubscriptionKey>,
    pub decision: Decision,
    pub expires_at: Timestamp,
    pub phase: Phase,
    /// A NOTIFY is due whatever the watcher has.
    pub owed: bool,
    pub held_until: Option<Timestamp>,
    pub open: Option<Open>,
    pub retry: Option<Retry>,
    pub protection: Protection,
    /// Its document could not be protected since it got the last one.
    pub denied: bool,
    /// A NOTIFY that is signed before it leaves.
    pub signing: Option<Signing>,
    /// Those that were given up meanwhile.
    pub late: Vec<Signing>,
    pub cseq: u32,
    /// Its watcher has refreshed or ended it since the last NOTIFY.
    pub spoken: bool,
    /// When the last NOTIFY for a change of the presentity left.
    pub change_sent: Option<Timestamp>,
    /// The body of the last NOTIFY that was taken.
    pub taken: Option<Bytes>,
    /// The last one was not taken.
    pub unsure: bool,
    pub started: bool,
    pub end_reasons: Vec<EndReason>,
    pub ended: bool,
}

impl Subscription {
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// Whether the agent may have given up the open NOTIFY.
    pub fn may_be_forgotten(&self, clock: Timestamp, after: core::time::Duration) -> bool {
        let signing = self.signing.as_ref().map(|signing| signing.since);
        let since = self.open.as_ref().map(|open| open.since).or(signing);
        since.is_some_and(|since| since + after <= clock)
    }

    /// Whether its NOTIFYs tell what has changed.
    pub fn tells_parts(&self) -> bool {
        self.is_partial && self.protection == Protection::None
    }

    /// Whether documents for it are made before its NOTIFYs.
    pub fn awaits_documents(&self) -> bool {
        !matches!(
            self.protection,
            Protection::None | Protection::SignedMessage
        )
    }

    pub fn end(&mut self, told: String, with_state: bool, reason: EndReason) {
        self.phase = Phase::Ending(LastWord { told, with_state });
        self.end_reasons = vec![reason];
        self.owed = true;
    }

    /// No answer came: it is over, unless its watcher has spoken since.
    pub fn fail(&mut self, reason: EndReason) {
        if self.spoken {
            self.late.extend(self.signing.take());
            self.parts.is_unsure();
            self.open = None;
            self.unsure = true;
        } else {
            self.drop_silently(reason);
        }
    }

    /// It is over without a word.
    pub fn drop_silently(&mut self, reason: EndReason) {
        if self.is_live() {
            self.end_reasons = vec![reason];
        }
        self.late.extend(self.signing.take());
        self.phase = Phase::Gone;
        self.owed = false;
        self.open = None;
        self.retry = None;
    }
}

#[derive(Debug)]
pub struct Publication {
    pub presentity: usize,
    pub flow: Option<FlowId>,
    pub mark: u32,
    pub expires_at: Timestamp,
    pub tag: Option<String>,
    pub old_tags: Vec<String>,
    pub key: PublicationKey,
    pub alive: bool,
    /// A newer one took its place.
    pub replaced: bool,
}

#[derive(Debug)]
pub struct PendingJob {
    pub transaction: u64,
    pub presentity: usize,
    pub flow: Option<FlowId>,
    pub kind: PublishKind,
    pub tag: Option<String>,
    pub mark: Option<u32>,
    pub expires: u32,
    pub deadline: Timestamp,
    pub key: Option<JobKey>,
    /// The deadline may have ended it.
    pub may_be_over: bool,
    pub over: bool,
}

/// What a request should be answered by.
#[derive(Debug)]
pub struct Expected {
    pub statuses: Vec<u16>,
    pub of: ExpectedOf,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ExpectedOf {
    Other,
    /// A new subscription, or a refresh; with the seconds granted.
    Subscription {
        place: usize,
        new: bool,
        granted: u32,
    },
    /// What came of a publication; none when it is removed.
    Publication {
        place: Option<usize>,
        granted: u32,
    },
    Job(usize),
    /// It waits for its body.
    Opening(usize),
}
