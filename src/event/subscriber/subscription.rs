//! One subscription, as its subscriber holds it: the wish, the attempt under way, the dialogs.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::event::account::{Account, hop_of};
use crate::event::open_requests::{Challenges, Credentials};
use crate::event::subscriber::SubscriptionEnd;
use crate::event::subscriber::condition::{Claim, Conditions};
use crate::event::subscriber::rare::{Rare, Rarely};
use crate::sip::Content;

/// What is to be watched, on whose behalf, and how far it has come.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) account: Account,
    /// The resource, as To names it.
    pub(super) resource: Box<str>,
    pub(super) event_id: Option<Box<str>>,
    /// The body of SUBSCRIBEs that make a dialog.
    pub(super) content: Option<Arc<Content>>,
    /// A notifier does not take the body, and it is not asked again by itself.
    pub(super) body_is_refused: bool,
    /// To the notifier an event with rates is another event.
    pub(super) rates_have_failed: bool,
    pub(super) conditions: Conditions,
    pub(super) rare: Rarely<Rare>,
    pub(super) wish: Wish,
    /// The seconds to ask for.
    pub(super) expires: u32,
    pub(super) phase: Phase,
    pub(super) attempt: Option<Attempt>,
    /// One at most, unless the package allows several.
    pub(super) dialogs: Vec<Key>,
    pub(super) timer: Alarm,
    /// Where the requests outside dialogs go, when not to the resource by the account's way.
    pub(super) ways: Ways,
    /// When it was last asked for anew.
    pub(super) since: Timestamp,
    pub(super) credentials: Credentials,
    pub(super) in_a_row: InARow,
    /// The account is another one than that of the SUBSCRIBE under way.
    pub(super) has_moved: bool,
    /// What else the SUBSCRIBE under way says is not what it is to say.
    pub(super) news: News,
    /// Until then some notifier may have it without our knowing: nobody has confirmed the end of what
    /// was asked for.
    pub(super) perhaps_until: Timestamp,
    /// The tag of the 2xx, until there is a dialog.
    pub(super) accepted_by: Option<Box<str>>,
    /// A notifier has ended it by its first NOTIFY, and another one may have it yet.
    pub(super) first_no: Option<Box<FirstNo>>,
}

/// What a notifier has to be told in the dialog that is being made.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct News {
    /// Rates or types.
    pub(super) terms: bool,
    pub(super) body: bool,
}

/// An end that made no dialog, until it is known whether it is that of all.
#[derive(Debug)]
pub(super) struct FirstNo {
    pub(super) tag: Box<str>,
    pub(super) end: SubscriptionEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// To be kept.
    Watch,
    /// To have the state once.
    Fetch,
    /// To be ended. The state was asked for once before.
    Leave { was_fetch: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The host looks up where to send it.
    Resolving,
    /// A SUBSCRIBE leaves when its turn has come.
    Queued,
    /// A SUBSCRIBE has left, and no NOTIFY has come.
    Trying,
    /// There are dialogs.
    Held,
    /// Until the timer; and until when the server has asked to be spared.
    Waiting { asked: Option<Timestamp> },
    /// Nothing to do until the application asks for it.
    Refused,
}

/// The names of a SUBSCRIBE outside dialogs, and of its repetitions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    /// The From tag, which is ours alone and names it.
    pub(super) from_tag: u64,
    pub(super) call_id: u64,
    pub(super) cseq: u32,
    /// Whether its SUBSCRIBE waits for its outcome.
    pub(super) is_open: bool,
    /// Whether the 2xx has come.
    pub(super) is_accepted: bool,
    /// What it granted.
    pub(super) granted: Option<u32>,
    /// Until then NOTIFYs may make dialogs (RFC 6665 section 4.1.2.4).
    pub(super) until: Timestamp,
}

/// A place that requests outside dialogs may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// A next hop of a pres URI.
    Hop(Box<str>),
    /// A Request-URI that a redirection named.
    Target(Box<str>),
}

#[derive(Debug, Default)]
pub(super) struct Ways {
    pub(super) current: Option<Way>,
    /// Those that were not tried yet.
    pub(super) rest: VecDeque<Way>,
}

impl Ways {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Goes on to the next; false when there is none.
    pub(super) fn advance(&mut self) -> bool {
        self.current = self.rest.pop_front();
        self.current.is_some()
    }
}

/// What has happened several times without success between.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InARow {
    pub(super) failures: u32,
    pub(super) challenges: Challenges,
    pub(super) too_brief: u8,
    /// Places tried that a redirection named.
    pub(super) redirected: u8,
    /// Subscriptions that ended soon.
    pub(super) short_lives: u32,
}

/// A dialog with a notifier.
#[derive(Debug)]
pub(super) struct Dialog {
    pub(super) subscription: Key,
    pub(super) remote_tag: Box<str>,
    pub(super) target: Box<str>,
    /// URIs of the route set, in order.
    pub(super) routes: Box<[Box<str>]>,
    pub(super) local_cseq: u32,
    pub(super) remote_cseq: u32,
    pub(super) state: super::NotifiedState,
    pub(super) turn: Turn,
    /// The next SUBSCRIBE asks for the state, not for more time.
    pub(super) state_only: bool,
    /// The next SUBSCRIBE has no condition.
    pub(super) unconditional: bool,
    pub(super) rare: Rarely<Claim>,
    /// Another SUBSCRIBE is to follow the one under way.
    pub(super) again: bool,
    /// The SUBSCRIBE that ends it has left.
    pub(super) is_ending: bool,
    pub(super) expires_at: Timestamp,
    /// When a SUBSCRIBE is due, if none is under way.
    pub(super) refresh_at: Option<Timestamp>,
    /// Timer N.
    pub(super) notify_by: Option<Timestamp>,
    pub(super) timer: Alarm,
    pub(super) failures: u32,
    pub(super) challenges: Challenges,
    pub(super) credentials: Credentials,
    /// What the application sends with the next SUBSCRIBE, until that has its outcome.
    pub(super) ordered: Option<Ordered>,
}

/// A SUBSCRIBE of the application's.
#[derive(Debug, Clone)]
pub(super) struct Ordered {
    pub(super) content: Arc<Content>,
    /// The seconds to ask for, unless it ends the subscription.
    pub(super) expires: u32,
    pub(super) purpose: Purpose,
}

/// Why the application sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To ask for another duration, and to hear what has become of that.
    Duration,
    /// To change what is watched.
    Body,
}

/// Where the SUBSCRIBE of a dialog is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    None,
    Queued,
    Open(Key),
}

/// A timer that is set again only when it has to go off at another time.
#[derive(Debug, Default)]
pub(super) struct Alarm(pub(super) Option<(Key, Timestamp)>);

/// A NOTIFY may be on its way when the time is over.
const GRACE: Duration = Duration::from_secs(2);

impl Dialog {
    /// When it is over by itself. While a SUBSCRIBE is open its answer tells whether it is, or Timer N.
    fn expiry(&self) -> Option<Timestamp> {
        match self.turn {
            Turn::None | Turn::Queued => Some(self.expires_at + GRACE),
            Turn::Open(_) => None,
        }
    }

    /// When something is to be done by itself.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let deadlines = [self.expiry(), self.refresh_at, self.notify_by];
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.expiry().is_some_and(|expiry| expiry <= now)
    }

    pub(super) fn seconds_left(&self, now: Timestamp) -> u32 {
        let left = self.expires_at.saturating_since(now).as_secs();
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// The next hop of its requests, without what tells users apart.
    pub(super) fn next_hop(&self) -> String {
        hop_of(self.routes.first().unwrap_or(&self.target))
    }
}

impl Subscription {
    /// The Request-URI of SUBSCRIBEs outside dialogs.
    pub(super) fn request_uri(&self) -> &str {
        match &self.ways.current {
            Some(Way::Target(uri)) => uri,
            Some(Way::Hop(_)) | None => &self.resource,
        }
    }

    /// The next hop of SUBSCRIBEs outside dialogs, without what tells users apart.
    pub(super) fn next_hop(&self) -> String {
        let hop = match (&self.ways.current, self.account.first_route()) {
            (_, Some(route)) => route,
            (Some(Way::Hop(hop)), None) => hop,
            (Some(Way::Target(_)) | None, None) => self.request_uri(),
        };
        hop_of(hop)
    }

    /// What the next SUBSCRIBE outside dialogs asks for.
    pub(super) fn asked(&self) -> u32 {
        match self.wish {
            Wish::Watch => self.expires,
            Wish::Fetch | Wish::Leave { .. } => 0,
        }
    }

    /// What a SUBSCRIBE under way asks for, though its end be wanted by now.
    pub(super) fn asked_before(&self) -> u32 {
        match self.wish {
            Wish::Watch | Wish::Leave { was_fetch: false } => self.expires,
            Wish::Fetch | Wish::Leave { was_fetch: true } => 0,
        }
    }

    /// Whether NOTIFYs may still make dialogs of the SUBSCRIBE that has left.
    pub(super) fn may_make_dialogs(&self, now: Timestamp) -> bool {
        let attempt = self.attempt;
        self.phase == Phase::Trying || attempt.is_some_and(|attempt| now < attempt.until)
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.wish, Wish::Leave { .. })
    }
}
