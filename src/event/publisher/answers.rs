//! What becomes of a PUBLISH, and what follows from it (RFC 3903 section 5).

use core::time::Duration;

use super::partial::Form;
use super::publication::Phase;
use super::{
    EventPublicationAgent, OpenPublish, OwnPublicationKey, PublishFailure, PublisherEvent,
    PublisherOutput, SHORTEST_RETRY,
};
use crate::engine::slab::Key;
use crate::engine::{ClientTransaction, Timestamp};
use crate::event::account::redirections;
use crate::event::open_requests::challenge_status;
use crate::event::patience::{TOO_BRIEF, may_pass_status, refresh_after, retry_after, seconds};
use crate::event::{Failure, PublishKind};
use crate::sip::{HeaderName, ResponseRef, parse_entity_tag};

/// Redirections that are followed in a row.
const REDIRECTIONS: u8 = 5;
/// Attempts to remove what may be gone by itself sooner.
const REMOVALS: u32 = 3;

impl EventPublicationAgent {
    /// The final response to a request of this role; provisional ones and those to transactions
    /// that are not open have no effect.
    pub fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.advance(now);
        let status = response.status();
        if status < 200 {
            return;
        }
        let Some(place) = self.open.outcome(transaction) else {
            return;
        };
        if self.ask_credentials(place, response) {
            return;
        }
        let Some(open) = self.open.close(place) else {
            return;
        };
        let Some(publication) = self.publications.get_mut(open.publication) else {
            return;
        };
        publication.phase = Phase::Idle;
        if !matches!(status, 401 | 407) {
            publication.in_a_row.challenges = [0; 2];
        }
        let key = open.publication;
        match status {
            200..300 => self.succeed(&open, response),
            // 305 names a proxy, not a target.
            300..400 if status != 305 && self.redirect(key, response) => self.go_on(key),
            415 if open.form != Form::Plain => self.fall_back(key),
            // It was changed by nothing, and a whole state may do. A 500 that asks for patience is not about
            // the difference.
            400 | 500 if self.refuses_difference(&open, response) => self.go_on(key),
            412 if open.kind != PublishKind::Initial => self.lose(&open),
            423 if open.kind != PublishKind::Remove && self.ask_for_more(key, response) => {
                self.go_on(key);
            }
            _ => {
                let wait = retry_after(response);
                if let (503, Some(wait)) = (status, wait)
                    && let Some(publication) = self.publications.get(key)
                {
                    let hop = publication.next_hop();
                    self.holds.hold(&hop, self.now + wait, self.now);
                }
                self.fail(&open, refused(response), wait);
            }
        }
    }

    /// A request of this role got no final response.
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        failure: Failure,
    ) {
        self.advance(now);
        let outcome = self.open.outcome(transaction);
        if let Some(open) = outcome.and_then(|place| self.open.close(place)) {
            let failure = match failure {
                Failure::Timeout => PublishFailure::Timeout,
                Failure::Transport => PublishFailure::Transport,
            };
            self.fail(&open, failure, None);
        }
    }

    /// Repeats a challenged PUBLISH with these credentials, the value of Authorization or
    /// Proxy-Authorization. False when nothing waits for them any more, or they hold a control
    /// character.
    pub fn provide_credentials(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        value: &str,
    ) -> bool {
        self.advance(now);
        let Some((open, credentials)) = self.open.answered(transaction, value) else {
            return false;
        };
        let Some(publication) = self.publications.get_mut(open.publication) else {
            return false;
        };
        publication.credentials = credentials;
        publication.phase = Phase::Idle;
        self.go_on(open.publication);
        true
    }

    /// There are no credentials for a challenged PUBLISH: it stays refused. False when nothing waits
    /// for credentials any more.
    pub fn decline_credentials(&mut self, now: Timestamp, transaction: ClientTransaction) -> bool {
        self.advance(now);
        let Some((open, name)) = self.open.declined(transaction) else {
            return false;
        };
        self.fail(&open, declined(name), None);
        true
    }

    // ---- outcomes ---------------------------------------------------------------------------

    /// Whether the host is asked for credentials; the PUBLISH stays open until it has answered.
    fn ask_credentials(&mut self, place: Key, response: &ResponseRef<'_>) -> bool {
        let key = self.open.about(place).map(|open| open.publication);
        let Some(publication) = key.and_then(|key| self.publications.get_mut(key)) else {
            return false;
        };
        let challenges = &mut publication.in_a_row.challenges;
        let uris = [publication.head.uri(), publication.account.uri()];
        let need = (self.open).challenge(place, "PUBLISH", uris, response, challenges);
        if let Some(need) = need {
            self.lanes.output(PublisherOutput::NeedCredentials(need));
            return true;
        }
        false
    }

    fn succeed(&mut self, open: &OpenPublish, response: &ResponseRef<'_>) {
        let key = open.publication;
        if open.kind == PublishKind::Remove {
            self.finish_if_known(key);
            return;
        }
        let Some(publication) = self.publications.get_mut(key) else {
            return;
        };
        // What it grants beyond what was asked for is not to be trusted.
        let asked = publication.expires;
        let expires = seconds(response, HeaderName::Expires)
            .unwrap_or(asked)
            .min(asked);
        if expires == 0 {
            publication.forget_state();
            self.fail(open, refused(response), None);
            return;
        }
        let tag = response.single(HeaderName::SipEtag).ok().flatten();
        let tag = tag.and_then(|tag| parse_entity_tag(HeaderName::SipEtag, tag).ok());
        let tag = tag.filter(|tag| tag.len() <= self.config.head);
        publication.expires_at = self.now + Duration::from_secs(expires.into());
        match tag {
            Some(tag) => publication.entity_tag = Some(tag.into()),
            // The one that it was sent with may hold; else 412 will tell.
            None if open.kind != PublishKind::Initial => {}
            None => {
                publication.entity_tag = None;
                publication.perhaps_until = publication.perhaps_until.max(publication.expires_at);
            }
        }
        publication.confirmed = Some(open.version);
        if let Some(partial) = &mut publication.partial
            && open.kind != PublishKind::Refresh
        {
            match tag {
                Some(_) => partial.taken(&open.form),
                // What the old one stands for now is not known.
                None => partial.forget(),
            }
        }
        publication.refresh_due = false;
        publication.credentials.clear();
        let losses = match open.kind {
            PublishKind::Initial => publication.in_a_row.losses,
            PublishKind::Refresh | PublishKind::Modify | PublishKind::Remove => 0,
        };
        publication.in_a_row = super::InARow {
            losses,
            ..super::InARow::default()
        };
        // Without a tag there is nothing to refresh: it is published anew when it has run out.
        let until = match publication.entity_tag {
            Some(_) => self.now + refresh_after(expires, SHORTEST_RETRY, &mut *self.entropy),
            None => publication.expires_at.max(self.now + SHORTEST_RETRY),
        };
        self.rest(key, Phase::Idle, until);
        self.event(PublisherEvent::Published {
            key: OwnPublicationKey(key),
            kind: open.kind,
            expires,
        });
        self.go_on(key);
    }

    /// 412: the server has nothing under the tag (RFC 3903 section 5).
    fn lose(&mut self, open: &OpenPublish) {
        let key = open.publication;
        if open.kind == PublishKind::Remove {
            self.finish_if_known(key);
            return;
        }
        let Some(publication) = self.publications.get_mut(key) else {
            return;
        };
        publication.forget_state();
        if publication.removing {
            self.go_on(key);
            return;
        }
        publication.in_a_row.losses = publication.in_a_row.losses.saturating_add(1);
        let losses = publication.in_a_row.losses;
        let key_of_event = OwnPublicationKey(key);
        self.event(PublisherEvent::Lost { key: key_of_event });
        // A server that forgets again and again is not to be flooded.
        match losses {
            ..=1 => self.go_on(key),
            _ => {
                let wait = self.backoff().wait(losses - 1, &mut *self.entropy);
                self.rest(key, Phase::Waiting { asked: true }, self.now + wait);
            }
        }
    }

    /// 415 to a partial publication: the base type is understood everywhere.
    fn fall_back(&mut self, key: Key) {
        if let Some(publication) = self.publications.get_mut(key) {
            publication.partial = None;
            let key = OwnPublicationKey(key);
            self.event(PublisherEvent::PartialRefused { key });
        }
        self.go_on(key);
    }

    /// Whether it is the difference that was refused, so that the whole state may be taken (RFC 5264
    /// section 4.3.2); at most once for each.
    fn refuses_difference(&mut self, open: &OpenPublish, response: &ResponseRef<'_>) -> bool {
        let is_difference = matches!(open.form, Form::Difference(_));
        if !is_difference || retry_after(response).is_some() {
            return false;
        }
        let publication = self.publications.get_mut(open.publication);
        let partial = publication.and_then(|publication| publication.partial.as_mut());
        if let Some(partial) = partial {
            partial.difference_refused();
        }
        true
    }

    /// 423: whether the server is asked for the longer time that it wants.
    fn ask_for_more(&mut self, key: Key, response: &ResponseRef<'_>) -> bool {
        let Some(publication) = self.publications.get_mut(key) else {
            return false;
        };
        let least = seconds(response, HeaderName::MinExpires).unwrap_or(0);
        let reasonable = least > publication.expires && least <= self.config.longest_expires;
        if !reasonable || publication.in_a_row.too_brief >= TOO_BRIEF {
            return false;
        }
        publication.in_a_row.too_brief += 1;
        publication.expires = least;
        true
    }

    /// 3xx: whether there is another target to try (RFC 3261 section 8.1.3.4).
    fn redirect(&mut self, key: Key, response: &ResponseRef<'_>) -> bool {
        let Some(publication) = self.publications.get(key) else {
            return false;
        };
        let targets = redirections(response, &publication.resource, publication.head.uri());
        let followed = publication.in_a_row.redirections;
        let best = targets.first().filter(|_| followed < REDIRECTIONS);
        let Some(target) = best else {
            return false;
        };
        let renamed = self.rename(key, target);
        if renamed && let Some(publication) = self.publications.get_mut(key) {
            // The tag stays: should the other server know nothing of it, it says 412.
            publication.in_a_row.redirections += 1;
        }
        renamed
    }

    /// A PUBLISH has failed; `wait` is the patience that the server asks for.
    pub(super) fn fail(
        &mut self,
        open: &OpenPublish,
        failure: PublishFailure,
        wait: Option<Duration>,
    ) {
        let key = open.publication;
        let Some(publication) = self.publications.get_mut(key) else {
            return;
        };
        publication.phase = Phase::Idle;
        publication.credentials.clear();
        if !matches!(
            failure,
            PublishFailure::Refused {
                status: 401 | 407,
                ..
            }
        ) {
            publication.in_a_row.challenges = [0; 2];
        }
        // A proxy says these when it knows no more than that.
        let answered = match &failure {
            PublishFailure::Refused { status, .. } => !matches!(status, 408 | 504),
            PublishFailure::Timeout | PublishFailure::Transport | PublishFailure::Forgotten => {
                false
            }
        };
        if !answered && open.kind != PublishKind::Remove {
            let until = self.now + Duration::from_secs(publication.expires.into());
            publication.perhaps_until = publication.perhaps_until.max(until);
            if open.kind != PublishKind::Refresh {
                publication.forget_base();
            }
        }
        publication.in_a_row.failures = publication.in_a_row.failures.saturating_add(1);
        let failures = publication.in_a_row.failures;
        let may_pass = wait.is_some() || may_pass(&failure);
        if open.kind == PublishKind::Remove && (!may_pass || failures >= REMOVALS) {
            self.finish(key, false);
            return;
        }
        let retry_in = may_pass.then(|| {
            let own = self.backoff().wait(failures, &mut *self.entropy);
            wait.unwrap_or_default().max(own)
        });
        self.return_from_redirection(key);
        match retry_in {
            Some(retry_in) => {
                let asked = wait.is_some();
                let until = self.now + retry_in;
                let until = self
                    .publications
                    .get(key)
                    .map_or(until, |publication| publication.patience(until));
                self.rest(key, Phase::Waiting { asked }, until);
            }
            None => self.settle(key, open.version),
        }
        self.event(PublisherEvent::Failed {
            key: OwnPublicationKey(key),
            kind: open.kind,
            failure,
            retry_in,
        });
        // What was to be removed was perhaps never there.
        self.go_on(key);
    }

    /// Nothing more is asked for by itself, unless the application wants something else by now.
    fn settle(&mut self, key: Key, refused: u32) {
        if let Some(publication) = self.publications.get_mut(key) {
            let is_newest = publication.version == refused;
            publication.phase = match publication.removing || !is_newest {
                true => Phase::Idle,
                false => Phase::Refused,
            };
            if !is_newest {
                publication.in_a_row = super::InARow::default();
            }
            if let Some(timer) = publication.timer.take() {
                self.wheel.cancel(timer);
            }
        }
    }
}

/// Whether the same request may succeed later.
fn may_pass(failure: &PublishFailure) -> bool {
    match failure {
        PublishFailure::Refused { status, .. } => *status == 412 || may_pass_status(*status),
        PublishFailure::Timeout | PublishFailure::Transport | PublishFailure::Forgotten => true,
    }
}

/// A challenge without credentials for this field.
pub(super) fn declined(field: HeaderName) -> PublishFailure {
    PublishFailure::Refused {
        status: challenge_status(field),
        accept: None,
    }
}

fn refused(response: &ResponseRef<'_>) -> PublishFailure {
    let status = response.status();
    let accept = match status {
        415 => {
            let values: Vec<&str> = response.values(HeaderName::Accept).collect();
            (!values.is_empty()).then(|| values.join(", "))
        }
        _ => None,
    };
    PublishFailure::Refused { status, accept }
}
