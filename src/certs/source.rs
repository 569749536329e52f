//! One place that is asked, and what it has said.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;
use url::Url;

use super::fetching::CertificateForm;
use super::output::Loss;
use super::vouching::Origin;
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::event::OwnSubscriptionKey;
use crate::mime::CertificateInfo;
use crate::pidf::certs::CertificateSource;

/// A place that is asked for one certificate, by whoever follows somebody who names it.
#[derive(Debug)]
pub(super) struct Source {
    /// What it is found by.
    pub(super) id: Box<str>,
    /// As the first one named it who wanted it asked.
    pub(super) spec: CertificateSource,
    /// Those who follow it.
    pub(super) users: BTreeSet<Key>,
    pub(super) way: Way,
    pub(super) word: Word,
    pub(super) held: Option<Held>,
    /// What came last and is not read yet.
    pub(super) arrival: Option<Arrival>,
    /// Why what was held is not any more.
    pub(super) loss: Option<Loss>,
    /// When it was asked last.
    pub(super) asked_at: Option<Timestamp>,
    /// When it is asked again.
    pub(super) again_at: Option<Timestamp>,
    /// The running timer.
    pub(super) alarm: Option<(Key, Timestamp)>,
}

/// What a source has said so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Nothing yet.
    Awaited,
    /// It has said something, or failed to.
    Spoken,
    /// It has said that there is no certificate.
    Absent,
}

#[derive(Debug)]
pub(super) enum Way {
    Sip(Subscribed),
    Web(Box<Fetched>),
}

/// A subscription to the package.
#[derive(Debug)]
pub(super) struct Subscribed {
    /// Where it is asked: without what else a document says of how to get there, since all who name the
    /// resource have this subscription in common.
    pub(super) uri: String,
    /// The canonical address of record of its URI.
    pub(super) asked: String,
    pub(super) subscription: Option<OwnSubscriptionKey>,
    /// Whether a NOTIFY has come since it was asked for.
    pub(super) is_heard: bool,
    /// The next NOTIFY had a body that was refused, and is not to be taken for an empty one.
    pub(super) is_refused: bool,
    /// It is being ended. Whoever wants it meanwhile waits: there is one at a time.
    pub(super) is_leaving: bool,
}

#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) url: Url,
    /// The fetch under way.
    pub(super) run: Option<Run>,
    /// Those in a row that failed.
    pub(super) failures: u32,
}

/// A fetch with its redirections.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) current: Url,
    pub(super) seen: Vec<Url>,
    /// Whether it stands in the queue.
    pub(super) is_queued: bool,
    /// The request that is open.
    pub(super) job: Option<(Key, Timestamp)>,
}

impl Run {
    pub(super) fn to(url: &Url) -> Self {
        Self {
            current: url.clone(),
            seen: vec![url.clone()],
            is_queued: true,
            job: None,
        }
    }

    pub(super) fn origin(&self) -> Origin {
        let hosts = self.seen.iter().filter_map(Url::host_str);
        Origin::Fetched {
            is_secure: self.seen.iter().all(|url| url.scheme() == "https"),
            hosts: hosts.map(str::to_owned).collect(),
        }
    }
}

/// A certificate that was read.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) info: Arc<CertificateInfo>,
    pub(super) origin: Origin,
    /// Until when it is kept without another word.
    pub(super) until: Timestamp,
}

impl Held {
    /// When its validity begins or ends next.
    pub(super) fn next_edge(&self, now: Timestamp, utc: OffsetDateTime) -> Option<Timestamp> {
        // What is valid until a moment is valid at that moment.
        let after = self
            .info
            .not_after
            .checked_add(time::Duration::milliseconds(1));
        let edges = [Some(self.info.not_before), after];
        let mut ahead = edges.into_iter().flatten().filter(|edge| *edge > utc);
        let wait = core::time::Duration::try_from(ahead.next()? - utc).ok()?;
        Some(now + wait)
    }
}

/// Octets that came, until they are read.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) octets: Bytes,
    pub(super) form: CertificateForm,
    pub(super) origin: Origin,
    pub(super) until: Timestamp,
    /// Whether it stands in the queue.
    pub(super) is_queued: bool,
    /// The reading that is open.
    pub(super) job: Option<(Key, Timestamp)>,
}

impl Source {
    pub(super) fn new(id: &str, spec: &CertificateSource, way: Way) -> Self {
        Self {
            id: id.into(),
            spec: spec.clone(),
            users: BTreeSet::new(),
            way,
            word: Word::Awaited,
            held: None,
            arrival: None,
            loss: None,
            asked_at: None,
            again_at: None,
            alarm: None,
        }
    }

    pub(super) fn subscribed(&mut self) -> Option<&mut Subscribed> {
        match &mut self.way {
            Way::Sip(subscribed) => Some(subscribed),
            Way::Web(_) => None,
        }
    }

    pub(super) fn fetched(&mut self) -> Option<&mut Fetched> {
        match &mut self.way {
            Way::Web(fetched) => Some(fetched),
            Way::Sip(_) => None,
        }
    }

    pub(super) fn run(&self) -> Option<&Run> {
        match &self.way {
            Way::Web(fetched) => fetched.run.as_ref(),
            Way::Sip(_) => None,
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(&self.way, Way::Sip(subscribed) if subscribed.is_leaving)
    }

    /// What is held is not to be used any more.
    pub(super) fn lose(&mut self, loss: Loss) {
        if self.held.take().is_some() {
            self.loss = Some(loss);
        }
    }

    /// What came is not kept longer than that.
    pub(super) fn keep_until(&mut self, latest: Timestamp) {
        if let Some(held) = &mut self.held {
            held.until = held.until.min(latest);
        }
        if let Some(arrival) = &mut self.arrival {
            arrival.until = arrival.until.min(latest);
        }
    }

    /// When something is due.
    pub(super) fn deadline(
        &self,
        now: Timestamp,
        utc: Option<OffsetDateTime>,
    ) -> Option<Timestamp> {
        let held = self.held.as_ref();
        let reading = self.arrival.as_ref().and_then(|arrival| arrival.job);
        let fetch = self.run().and_then(|run| run.job);
        let deadlines = [
            held.map(|held| held.until),
            held.and_then(|held| held.next_edge(now, utc?)),
            reading.map(|(_, deadline)| deadline),
            fetch.map(|(_, deadline)| deadline),
            self.again_at,
        ];
        deadlines.into_iter().flatten().min()
    }
}
