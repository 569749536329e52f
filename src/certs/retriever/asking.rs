//! Sources: taken up, asked, asked again, given up.

use super::{Due, Retriever};
use crate::certs::config::SHORTEST_POLL;
use crate::certs::followed::Candidate;
use crate::certs::output::{Loss, RetrieveFailure};
use crate::certs::source::{Fetched, Source, Subscribed, Way, Word};
use crate::certs::web_address::AddressFault;
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::pidf::certs::CertificateSource;
use crate::sip::Uri;

impl Retriever {
    /// A source is wanted by somebody; it is asked unless it was.
    pub(super) fn acquire(
        &mut self,
        user: Key,
        candidate: &Candidate,
    ) -> Result<Key, RetrieveFailure> {
        let (id, way) = self.way_to(candidate)?;
        if let Some(key) = self.by_id.get(&*id) {
            if let Some(source) = self.sources.get_mut(*key) {
                source.users.insert(user);
            }
            return Ok(*key);
        }
        let limit = self.config.limits.sources;
        if self.sources.len() >= limit {
            return Err(RetrieveFailure::TooMany { limit });
        }
        let mut source = Source::new(&id, &candidate.spec, way);
        source.users.insert(user);
        let key = self.sources.insert(source);
        self.by_id.insert(id.into(), key);
        self.ask(key);
        Ok(key)
    }

    /// What a source is known by, and how it is asked.
    fn way_to(&self, candidate: &Candidate) -> Result<(String, Way), RetrieveFailure> {
        match &candidate.spec {
            CertificateSource::Subscribe { uri } => {
                let parsed = Uri::parse(uri).map_err(|_| AddressFault::Malformed)?;
                if !candidate.is_own {
                    self.config.web.check_sip(&parsed)?;
                }
                let asked = parsed.address_of_record();
                let asked = asked.ok_or(AddressFault::Malformed)?;
                // Of the parameters all but `gr` only say how to get there.
                let mut id = parsed.bare();
                if let Uri::Sip(sip) = &parsed
                    && let Some(instance) = sip.params().get("gr")
                {
                    id.push_str(";gr=");
                    id.push_str(instance.unwrap_or_default());
                }
                let way = Way::Sip(Subscribed {
                    uri: match candidate.is_own {
                        true => uri.clone(),
                        false => id.clone(),
                    },
                    asked,
                    subscription: None,
                    is_heard: false,
                    is_refused: false,
                    is_leaving: false,
                });
                Ok((id, way))
            }
            CertificateSource::Fetch { url } => {
                let url = self.config.web.check(url)?;
                let id = url.as_str().to_owned();
                let way = Way::Web(Box::new(Fetched {
                    url,
                    run: None,
                    failures: 0,
                }));
                Ok((id, way))
            }
        }
    }

    /// A source is not wanted by somebody any more.
    pub(super) fn release(&mut self, key: Key, user: Key) {
        let Some(source) = self.sources.get_mut(key) else {
            return;
        };
        source.users.remove(&user);
        if !source.users.is_empty() {
            return;
        }
        source.held = None;
        source.loss = None;
        source.again_at = None;
        source.word = Word::Awaited;
        self.drop_arrival(key);
        let subscription = match self.sources.get_mut(key).map(|it| &mut it.way) {
            Some(Way::Sip(sip)) if !sip.is_leaving => {
                sip.is_leaving = sip.subscription.is_some();
                sip.subscription
            }
            // It goes when it has left.
            Some(Way::Sip(_)) => return,
            Some(Way::Web(_)) | None => None,
        };
        match subscription {
            Some(subscription) if self.subscriber.end(self.now, subscription).is_ok() => {
                self.rearm(key);
            }
            _ => self.remove(key),
        }
    }

    /// Nothing is left of a source.
    pub(super) fn remove(&mut self, key: Key) {
        self.drop_arrival(key);
        self.end_run(key);
        let Some(source) = self.sources.remove(key) else {
            return;
        };
        if let Some((timer, _)) = source.alarm {
            self.wheel.cancel(timer);
        }
        self.by_id.remove(&source.id);
        if let Way::Sip(sip) = &source.way
            && let Some(subscription) = sip.subscription
        {
            self.by_subscription.remove(&subscription);
        }
    }

    /// A source is asked now.
    pub(super) fn ask(&mut self, key: Key) {
        let now = self.now;
        let Some(source) = self.sources.get_mut(key) else {
            return;
        };
        source.again_at = None;
        source.asked_at = Some(now);
        let Some(sip) = source.subscribed() else {
            self.begin_fetch(key);
            return;
        };
        if sip.is_leaving {
            return;
        }
        if let Some(subscription) = sip.subscription {
            if !self.subscriber.request_state(now, subscription) {
                self.subscriber.renew(now, subscription);
            }
            self.rearm(key);
            return;
        }
        sip.is_heard = false;
        sip.is_refused = false;
        let uri = sip.uri.clone();
        match self.subscribe(&uri) {
            Ok(subscription) => {
                self.by_subscription.insert(subscription, key);
                if let Some(sip) = self.sources.get_mut(key).and_then(Source::subscribed) {
                    sip.subscription = Some(subscription);
                }
                self.rearm(key);
            }
            Err(error) => self.failed(key, RetrieveFailure::Order(error), None),
        }
    }

    /// A source is asked again, but not more often than may be.
    pub(super) fn ask_soon(&mut self, key: Key) {
        let now = self.now;
        let Some(source) = self.sources.get_mut(key) else {
            return;
        };
        let earliest = source.asked_at.map_or(now, |asked| asked + SHORTEST_POLL);
        if earliest <= now {
            self.ask(key);
        } else {
            source.again_at = Some(source.again_at.map_or(earliest, |at| at.min(earliest)));
            self.rearm(key);
        }
    }

    /// Something is due at a source.
    pub(super) fn source_is_due(&mut self, key: Key) {
        let now = self.now;
        let is_due = |deadline: Timestamp| deadline <= now;
        let Some(source) = self.sources.get(key) else {
            return;
        };
        let reading = source.arrival.as_ref().and_then(|arrival| arrival.job);
        let fetch = source.run().and_then(|run| run.job);
        if reading.is_some_and(|(_, deadline)| is_due(deadline)) {
            self.not_inspected(key);
        }
        if fetch.is_some_and(|(_, deadline)| is_due(deadline)) {
            self.fetch_failed(
                key,
                crate::certs::fetching::FetchFailure::Timeout.into(),
                None,
            );
        }
        let Some(source) = self.sources.get_mut(key) else {
            return;
        };
        if source.held.as_ref().is_some_and(|held| is_due(held.until)) {
            source.lose(Loss::Lapsed);
            // What is never kept is no reason to ask elsewhere.
            if self.config.cache_time.is_zero() {
                source.word = Word::Awaited;
            }
        }
        if source.again_at.is_some_and(is_due) {
            self.ask(key);
        }
        self.dirty_users(key);
        self.rearm(key);
    }

    /// What a source has given is not to be used, and it is to be asked for another.
    pub(super) fn lose(&mut self, key: Key, loss: Loss) {
        self.drop_arrival(key);
        if let Some(source) = self.sources.get_mut(key) {
            source.lose(loss);
            source.word = Word::Awaited;
        }
        self.dirty_users(key);
        self.rearm(key);
    }

    /// Sets the timer of a source.
    pub(super) fn rearm(&mut self, key: Key) {
        let (now, utc) = (self.now, self.clock.at(self.now));
        let Some(source) = self.sources.get_mut(key) else {
            return;
        };
        let deadline = source.deadline(now, utc);
        match (source.alarm, deadline) {
            (Some((_, at)), Some(deadline)) if at == deadline => return,
            (Some((running, _)), _) => self.wheel.cancel(running),
            (None, _) => {}
        }
        source.alarm =
            deadline.map(|deadline| (self.wheel.arm(deadline, Due::Source(key)), deadline));
    }

    /// Those who follow a source are to be looked at anew.
    pub(super) fn dirty_users(&mut self, key: Key) {
        if let Some(source) = self.sources.get(key) {
            self.dirty.extend(source.users.iter().copied());
        }
    }
}
