//! Sources that are fetched by http or https.

use core::time::Duration;
use std::collections::HashSet;

use super::Retriever;
use crate::certs::config::SHORTEST_POLL;
use crate::certs::fetching::{CertificateForm, Fetch, FetchFailure, FetchKey, FetchResponse};
use crate::certs::output::RetrieveFailure;
use crate::certs::profile::PKIX_CERT;
use crate::certs::source::{Arrival, Run, Source};
use crate::certs::web_address::AddressFault;
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::mime::PKCS7_MIME;
use crate::sip::MediaType;

const ACCEPT_BUNDLES: &str = "application/pkix-cert, application/pkcs7-mime";

impl From<FetchFailure> for RetrieveFailure {
    fn from(failure: FetchFailure) -> Self {
        Self::Fetch(failure)
    }
}

impl Retriever {
    /// A URL is to be fetched, unless it is being.
    pub(super) fn begin_fetch(&mut self, key: Key) {
        if let Some(fetched) = self.sources.get_mut(key).and_then(Source::fetched)
            && fetched.run.is_none()
        {
            fetched.run = Some(Run::to(&fetched.url));
            self.queue_fetch(key);
        }
        self.rearm(key);
    }

    fn queue_fetch(&mut self, key: Key) {
        self.to_fetch.push_back(key);
        // Those that are of no interest any more do not pile up where all places are taken.
        if self.to_fetch.len() > 2 * self.sources.len() + 16 {
            let sources = &self.sources;
            let mut known = HashSet::new();
            self.to_fetch.retain(|key| {
                let run = sources.get(*key).and_then(Source::run);
                run.is_some_and(|run| run.is_queued) && known.insert(*key)
            });
        }
    }

    /// The fetch under way is of no interest any more.
    pub(super) fn end_run(&mut self, key: Key) -> Option<Run> {
        let fetched = self.sources.get_mut(key).and_then(Source::fetched)?;
        let mut run = fetched.run.take()?;
        if let Some((job, _)) = run.job.take() {
            self.fetches.remove(job);
        }
        Some(run)
    }

    /// The next URL to be fetched, if there is room for another.
    pub(super) fn next_fetch(&mut self) -> Option<Fetch> {
        while self.fetches.len() < self.config.limits.fetches {
            let key = self.to_fetch.pop_front()?;
            let fetched = self.sources.get_mut(key).and_then(Source::fetched);
            let run = fetched.and_then(|fetched| fetched.run.as_mut());
            let Some(run) = run.filter(|run| run.is_queued) else {
                continue;
            };
            let web = &self.config.web;
            let deadline = self.now + web.max_time;
            let job = self.fetches.insert(key);
            run.is_queued = false;
            run.job = Some((job, deadline));
            let fetch = Fetch {
                key: FetchKey(job),
                url: run.current.as_str().to_owned(),
                accept: match web.allow_bundles {
                    true => ACCEPT_BUNDLES,
                    false => PKIX_CERT,
                },
                max_len: web.max_len,
                deadline,
            };
            self.rearm(key);
            return Some(fetch);
        }
        None
    }

    /// A fetch was answered. False when nothing waits for it any more.
    pub fn complete_fetch(
        &mut self,
        now: Timestamp,
        key: FetchKey,
        response: FetchResponse,
    ) -> bool {
        self.advance(now);
        let Some(key) = self.fetches.remove(key.0) else {
            return false;
        };
        let wait = response
            .retry_after
            .map(|seconds| Duration::from_secs(seconds.into()));
        match self.answered(key, response) {
            Ok(()) => {}
            Err(failure) => self.fetch_failed(key, failure, wait),
        }
        self.settle();
        true
    }

    /// A fetch has no answer. False when nothing waits for it any more.
    pub fn fail_fetch(&mut self, now: Timestamp, key: FetchKey, failure: FetchFailure) -> bool {
        self.advance(now);
        let Some(key) = self.fetches.remove(key.0) else {
            return false;
        };
        self.fetch_failed(key, failure.into(), None);
        self.settle();
        true
    }

    fn answered(&mut self, key: Key, response: FetchResponse) -> Result<(), RetrieveFailure> {
        let status = response.status;
        match status {
            200 => {
                let form = self.form_of(&response)?;
                let max_len = self.config.web.max_len;
                if response.body.len() > max_len {
                    return Err(FetchFailure::TooLarge.into());
                }
                if response.body.is_empty() {
                    return Err(RetrieveFailure::Empty);
                }
                let until = self.now + self.config.cache_time;
                let Some(run) = self.end_run(key) else {
                    return Ok(());
                };
                if let Some(fetched) = self.sources.get_mut(key).and_then(Source::fetched) {
                    fetched.failures = 0;
                }
                self.again_before(key, Some(until));
                self.arrived(
                    key,
                    Arrival {
                        octets: response.body,
                        form,
                        origin: run.origin(),
                        until,
                        is_queued: false,
                        job: None,
                    },
                );
                Ok(())
            }
            301 | 302 | 303 | 307 | 308 => self.redirected(key, response.location.as_deref()),
            404 | 410 => {
                self.end_run(key);
                let wait = self.config.cache_time.max(SHORTEST_POLL);
                let at = self.now + wait;
                if let Some(source) = self.sources.get_mut(key) {
                    source.again_at = Some(at);
                }
                self.withdrawn(key);
                Ok(())
            }
            _ => Err(RetrieveFailure::Status { status }),
        }
    }

    /// What a body is, if it is something to be taken.
    fn form_of(&self, response: &FetchResponse) -> Result<CertificateForm, RetrieveFailure> {
        let written = response.content_type.as_deref().unwrap_or_default();
        let shown = || written.chars().take(100).collect();
        let foreign = || RetrieveFailure::ContentType(shown());
        let media_type = MediaType::parse(written).map_err(|_| foreign())?;
        if media_type.essence_eq(PKIX_CERT) {
            return Ok(CertificateForm::Der);
        }
        let kind = media_type.param("smime-type").unwrap_or_default();
        let is_bundle =
            media_type.essence_eq(PKCS7_MIME) && kind.eq_ignore_ascii_case("certs-only");
        match is_bundle && self.config.web.allow_bundles {
            true => Ok(CertificateForm::Bundle),
            false => Err(foreign()),
        }
    }

    fn redirected(&mut self, key: Key, location: Option<&str>) -> Result<(), RetrieveFailure> {
        let location = location.ok_or(AddressFault::Nowhere)?;
        let web = &self.config.web;
        let fetched = self.sources.get_mut(key).and_then(Source::fetched);
        let Some(run) = fetched.and_then(|fetched| fetched.run.as_mut()) else {
            return Ok(());
        };
        run.job = None;
        let next = web.follow(&run.current, location)?;
        if run.seen.contains(&next) {
            return Err(AddressFault::Circle.into());
        }
        if run.seen.len() > web.redirects {
            return Err(AddressFault::TooManyRedirects.into());
        }
        run.seen.push(next.clone());
        run.current = next;
        run.is_queued = true;
        self.queue_fetch(key);
        self.rearm(key);
        Ok(())
    }

    /// A fetch is over without a certificate; it is tried again later.
    pub(super) fn fetch_failed(
        &mut self,
        key: Key,
        failure: RetrieveFailure,
        wish: Option<Duration>,
    ) {
        self.end_run(key);
        let first = self.config.web.retry_after;
        let longest = self.config.cache_time.max(first);
        let Some(source) = self.sources.get_mut(key) else {
            return;
        };
        let Some(fetched) = source.fetched() else {
            return;
        };
        fetched.failures = fetched.failures.saturating_add(1);
        let doublings = fetched.failures.saturating_sub(1).min(20);
        let own = first.saturating_mul(1 << doublings);
        let wait = own.max(wish.unwrap_or_default()).min(longest);
        let at: Timestamp = self.now + wait;
        source.again_at = Some(at);
        self.failed(key, failure, Some(wait));
    }
}
