//! Partial documents (RFC 5263 section 4.5): what a watcher puts together of one notifier, and what it does
//! when that fails.

use core::time::Duration;

use super::watcher::Watcher;
use super::watcher_documents::Known;
use super::watcher_events::WatcherEvent;
use crate::engine::Timestamp;
use crate::event::{NotifierKey, OwnSubscriptionKey};
use crate::pidf::partial::{MEDIA_TYPE, PartialError, Reconstruction, Taken};
use crate::pidf::{Presence, ReadOptions};
use crate::xml::patch::Steps;

/// What is asked for, best first (RFC 5263 section 4.2).
pub(super) const MEDIA_TYPES: &[&str] = &[
    MEDIA_TYPE,
    "application/pidf+xml",
    "application/cpim-pidf+xml",
];

/// Faults of a notifier's partial documents after which whole ones are asked for.
const MOST_FAULTS: u8 = 2;
/// Faults that are so far back are forgiven when changes could be used since. Without that time a notifier
/// that errs in turns would be asked for its document without end.
const FORGIVEN_AFTER: Duration = Duration::from_secs(60);

/// What was put together of the documents of one notifier.
#[derive(Debug)]
pub(super) struct Partial {
    /// Versions are those of a dialog.
    notifier: Option<NotifierKey>,
    copy: Reconstruction,
    faults: u8,
    /// When the last of them was.
    faulty_at: Timestamp,
}

impl Partial {
    pub(super) fn new() -> Self {
        Self {
            notifier: None,
            copy: Reconstruction::new(),
            faults: 0,
            faulty_at: Timestamp::ZERO,
        }
    }

    /// A document of this notifier; nothing when it is older than what is known. What comes of it is no
    /// longer than a body may be.
    fn take(
        &mut self,
        now: Timestamp,
        notifier: Option<NotifierKey>,
        octets: &[u8],
        options: &ReadOptions,
        longest: usize,
    ) -> Result<Option<Presence>, PartialError> {
        if self.notifier != notifier {
            self.notifier = notifier;
            let mut limits = options.limits.xml;
            limits.bytes = limits.bytes.min(longest);
            self.copy = Reconstruction::within(limits, Steps::DEFAULT);
            self.faults = 0;
        }
        let taken = self.copy.take(octets)?;
        if taken == Taken::Stale {
            return Ok(None);
        }
        let read = self.copy.presence(options);
        match (&read, taken) {
            // What changes may have made of it is no base for others.
            (Err(_), _) => self.copy.type_changed(),
            (Ok(_), Taken::Changed) if now.saturating_since(self.faulty_at) >= FORGIVEN_AFTER => {
                self.faults = 0;
            }
            (Ok(_), _) => {}
        }
        read.map(Some)
    }
}

impl Known {
    /// What was put together is not needed any more.
    pub(super) fn forget_partial(&mut self) {
        if let Some(partial) = &mut self.partial {
            partial.notifier = None;
            partial.copy.type_changed();
        }
    }

    /// A whole document has come: what is told of changes next has to begin with another (RFC 5263
    /// section 4.5).
    pub(super) fn type_changed(&mut self, notifier: Option<NotifierKey>) {
        if let Some(partial) = &mut self.partial
            && partial.notifier == notifier
        {
            partial.copy.type_changed();
        }
    }
}

impl Watcher {
    /// The document that a partial one leads to. Nothing when there is none: then the notifier has been
    /// asked for all of it, or, after several faults, for whole documents from now on.
    pub(super) fn put_together(
        &mut self,
        key: OwnSubscriptionKey,
        notifier: Option<NotifierKey>,
        octets: &[u8],
    ) -> Option<Presence> {
        let known = self.known.get_mut(&key)?;
        let Some(partial) = &mut known.partial else {
            // Whole ones are under way.
            known.notifier = None;
            return None;
        };
        let error = match partial.take(self.now, notifier, octets, &self.read, self.longest) {
            Ok(Some(document)) => return Some(document),
            // A fault of the notifier's, though nothing is missing for it (RFC 5263 section 4.5).
            Ok(None) => None,
            Err(error) => Some(error),
        };
        partial.faults = partial.faults.saturating_add(1);
        partial.faulty_at = self.now;
        let is_given_up = partial.faults >= MOST_FAULTS;
        if is_given_up {
            known.partial = None;
            // There is no such subscription when this was its last word.
            let _ = self.subscriber.set_media_types(self.now, key, None);
        } else if error.is_some() {
            self.subscriber.request_state(self.now, key);
        }
        if let Some(error) = error {
            // What has changed is not known.
            known.notifier = None;
            self.more.push_back(WatcherEvent::Unpatched {
                key,
                error,
                is_given_up,
            });
        }
        None
    }
}
