//! One publication, as its publisher holds it.

use std::sync::Arc;

use super::partial::{Form, Partial};
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::event::PublishKind;
use crate::event::account::{Account, hop_of};
use crate::event::open_requests::{Challenges, Credentials};
use crate::sip::{Content, Head};

/// What is published, for whom, and how far it has come.
#[derive(Debug)]
pub(super) struct OwnPublication {
    pub(super) account: Account,
    /// The resource, as To names it.
    pub(super) resource: Box<str>,
    /// Whole lines, each ended by CRLF.
    pub(super) event: Box<str>,
    pub(super) media_type: Box<str>,
    pub(super) head: Head,
    pub(super) cseq: u32,
    /// What the application wants to be published.
    pub(super) content: Arc<Content>,
    /// How the server is told what has changed, as long as it takes that.
    pub(super) partial: Option<Partial>,
    /// Counts the bodies.
    pub(super) version: u32,
    /// The body that the server has.
    pub(super) confirmed: Option<u32>,
    /// The seconds to ask for.
    pub(super) expires: u32,
    pub(super) entity_tag: Option<Box<str>>,
    /// When what the server has runs out there.
    pub(super) expires_at: Timestamp,
    pub(super) phase: Phase,
    /// For a refresh while idle, for another attempt while waiting.
    pub(super) timer: Option<Key>,
    pub(super) refresh_due: bool,
    pub(super) removing: bool,
    /// Until then the server may have something of it that nobody can name: an attempt was not
    /// answered and may have succeeded, or was answered without a tag.
    pub(super) perhaps_until: Timestamp,
    pub(super) last_sent: Timestamp,
    pub(super) credentials: Credentials,
    pub(super) in_a_row: InARow,
}

/// What has happened several times without success between.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InARow {
    pub(super) failures: u32,
    pub(super) challenges: Challenges,
    pub(super) too_brief: u8,
    pub(super) redirections: u8,
    /// Ended by a success of a request that named a tag, not by one that made it anew.
    pub(super) losses: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing to do until the timer.
    Idle,
    /// A request leaves when its turn has come.
    Queued,
    /// A request is open.
    Open(Key),
    /// After a failure, until the timer; whether that is the server's wish, or to spare it.
    Waiting { asked: bool },
    /// Nothing to do until the application wants something else.
    Refused,
}

impl OwnPublication {
    /// What is to be asked for now, if anything.
    pub(super) fn next_kind(&mut self, now: Timestamp) -> Option<PublishKind> {
        // What has run out there is not to be named any more (RFC 3903 section 4.2).
        if self.confirmed.is_some() && now >= self.expires_at {
            self.forget_state();
        }
        let has_newest = self.confirmed == Some(self.version);
        match (&self.entity_tag, self.removing) {
            (Some(_), true) => Some(PublishKind::Remove),
            (None, true) => None,
            (None, false) => (!has_newest).then_some(PublishKind::Initial),
            (Some(_), false) if !has_newest => Some(PublishKind::Modify),
            (Some(_), false) => self.refresh_due.then_some(PublishKind::Refresh),
        }
    }

    /// The server has nothing of it (any more).
    pub(super) fn forget_state(&mut self) {
        self.entity_tag = None;
        self.confirmed = None;
        self.forget_base();
    }

    /// Nobody knows what exactly the server has: no difference is told from it.
    pub(super) fn forget_base(&mut self) {
        if let Some(partial) = &mut self.partial {
            partial.forget();
        }
    }

    /// What tells the server the newest state.
    pub(super) fn told(&self, kind: PublishKind) -> (Arc<Content>, Form) {
        let partial = self.partial.as_ref();
        let body = partial.and_then(|it| Some((it, it.body(kind, self.content.body())?)));
        match body {
            Some((partial, (body, form))) => {
                let content = Content::new("", Some(partial.media_type()), body);
                (Arc::new(content), form)
            }
            None => (Arc::clone(&self.content), Form::Plain),
        }
    }

    /// When to go on after a wait until then: what is to be removed goes by itself in time.
    pub(super) fn patience(&self, until: Timestamp) -> Timestamp {
        match self.removing {
            true => until.min(self.expires_at),
            false => until,
        }
    }

    /// The next hop of its requests, without what tells users apart.
    pub(super) fn next_hop(&self) -> String {
        hop_of(self.account.first_route().unwrap_or(self.head.uri()))
    }
}
