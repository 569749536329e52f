//! What a watcher knows of a presentity, and which documents it takes.

use std::hash::BuildHasher;
use std::sync::Arc;

use super::protection::{Guard, Refused, authority_of};
use super::watcher::Watcher;
use super::watcher_config::OutdatedDocuments;
use super::watcher_events::{PresenceChange, WatcherEvent};
use super::watcher_partial::Partial;
use super::watcher_resumption::Resumption;
use crate::event::{
    Identity, NotifiedBody, NotifiedState, NotifierKey, OwnSubscriptionInfo, OwnSubscriptionKey,
};
use crate::pidf::partial::MEDIA_TYPE;
use crate::pidf::{Presence, Staleness};

/// What is known of a presentity.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Kept here since a fetch is over before its document is read.
    pub(super) resource: Box<str>,
    pub(super) state: Option<NotifiedState>,
    pub(super) document: Option<Arc<Presence>>,
    /// Of the octets that the document was read from; nothing when a part of them was left aside.
    pub(super) fingerprint: Option<u64>,
    /// Who sent the document that is known.
    pub(super) notifier: Option<NotifierKey>,
    /// Who has said something of it last, be it believed or not.
    pub(super) heard: Option<NotifierKey>,
    /// Who sent the last document, be it taken or not.
    pub(super) told_by: Option<NotifierKey>,
    /// The entity-tag of the document that is known, as a whole.
    pub(super) entity_tag: Option<Box<str>>,
    /// What partial documents lead to, where they are asked for.
    pub(super) partial: Option<Box<Partial>>,
    /// Notifiers were told that no document is wanted for now.
    pub(super) is_quiet: bool,
    pub(super) guard: Guard,
}

/// How much is known of a presentity, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct WatchInfo<'a> {
    /// The subscription.
    pub subscription: OwnSubscriptionInfo<'a>,
    /// The document; nothing while nothing is known.
    pub presence: Option<&'a Presence>,
    /// Whether the notifier that now has the subscription has sent it, or said that it is unchanged, and
    /// nothing since that was not believed. If not it may be out of date, as it is while the watcher is
    /// [quiet](Watcher::set_quiet).
    pub is_current: bool,
}

impl Known {
    pub(super) fn of(
        resource: &str,
        guard: Guard,
        resume: Option<&Resumption>,
        is_partial: bool,
    ) -> Self {
        Self {
            partial: is_partial.then(|| Box::new(Partial::new())),
            resource: resource.into(),
            guard,
            document: resume.map(Resumption::shared),
            entity_tag: resume.map(|resume| resume.entity_tag().into()),
            ..Self::default()
        }
    }

    /// Whether the notifier that was heard last has the document that is known.
    pub(super) fn is_current(&self) -> bool {
        !self.is_quiet && self.notifier.is_some() && self.notifier == self.heard
    }
}

impl Watcher {
    /// Nothing is known of a presentity that may not be watched any more.
    pub(super) fn forget(&mut self, key: OwnSubscriptionKey) {
        if let Some(known) = self.known.get_mut(&key)
            && let Some(before) = known.document.take()
        {
            known.notifier = None;
            known.fingerprint = None;
            known.forget_partial();
            known.entity_tag = None;
            self.subscriber.hold(self.now, key, None, None);
            self.more.push_back(WatcherEvent::Changed(PresenceChange {
                key,
                before: Some(before),
                after: None,
                sender: Identity::nobody(),
                signed_by: Vec::new(),
                authority: None,
                is_encrypted: false,
            }));
        }
    }

    /// A document has come.
    pub(super) fn take(
        &mut self,
        key: OwnSubscriptionKey,
        notifier: Option<NotifierKey>,
        sender: Identity,
        body: NotifiedBody,
        entity_tag: Option<&str>,
    ) {
        let Some(known) = self.known.get_mut(&key) else {
            return;
        };
        let was_current = known.is_current();
        known.heard = notifier;
        let told_by = core::mem::replace(&mut known.told_by, notifier);
        let is_first = notifier.is_none() || told_by != notifier;
        let utc = self.clock.at(self.now);
        let vetted = match known.guard.vet(&body, self.max_signature_age, utc) {
            Ok(vetted) => vetted,
            Err(why) => {
                known.notifier = None;
                self.more.push_back(WatcherEvent::Unprotected { key, why });
                return;
            }
        };
        let is_partial = body.media_type == MEDIA_TYPE;
        if !is_partial {
            known.type_changed(notifier);
        }
        let is_strict = known.guard.is_strict();
        let fingerprint = self.fingerprints.hash_one((&body.bytes[..], &body.charset));
        let is_repeated = known.document.is_some() && known.fingerprint == Some(fingerprint);
        if is_repeated && !is_strict {
            known.notifier = notifier;
            self.has_state(key, notifier, entity_tag);
            self.still(key, was_current);
            return;
        }
        self.read.charset.clone_from(&body.charset);
        // What is signed says itself whom it is about.
        if is_strict {
            self.read.default_entity = None;
        } else {
            let entity = self.read.default_entity.get_or_insert_default();
            entity.clear();
            entity.push_str(&known.resource);
        }
        let mut document = if is_partial {
            match self.put_together(key, notifier, &body.bytes) {
                Some(document) => document,
                None => return,
            }
        } else {
            match Presence::read_with(&body.bytes, &self.read) {
                Ok((document, _)) => document,
                Err(error) => {
                    self.more.push_back(WatcherEvent::Unreadable { key, error });
                    return;
                }
            }
        };
        let Some(known) = self.known.get_mut(&key) else {
            return;
        };
        let mut is_whole = true;
        if is_strict {
            match known.guard.admit(vetted, &mut document, utc) {
                Ok(whole) => is_whole = whole,
                Err(refused) => {
                    known.notifier = None;
                    self.more.push_back(match refused {
                        Refused::Unprotected(why) => WatcherEvent::Unprotected { key, why },
                        Refused::Outdated(outdated) => WatcherEvent::Outdated { key, outdated },
                    });
                    return;
                }
            }
        } else if let Some(before) = known.document.as_deref()
            && is_first
            && self.outdated == OutdatedDocuments::Refuse
        {
            let mut staleness = Staleness::default();
            let known_already = staleness.admit(&mut before.clone(), utc).is_ok();
            if known_already {
                match staleness.admit(&mut document, utc) {
                    Ok(left_aside) => is_whole = left_aside.is_empty(),
                    Err(outdated) => {
                        self.more
                            .push_back(WatcherEvent::Outdated { key, outdated });
                        self.subscriber.request_state(self.now, key);
                        return;
                    }
                }
            }
        }
        // What was left aside is taken when the notifier says it again, as it is asked to.
        known.fingerprint = (is_whole && !is_partial).then_some(fingerprint);
        if is_whole {
            known.notifier = notifier;
        } else if !is_strict {
            self.subscriber.request_state(self.now, key);
        }
        let same = known.document.as_deref();
        let is_same = same.is_some_and(|before| before.difference(&document).is_empty());
        // What is known otherwise is no state of the notifier's.
        self.has_state(key, notifier, entity_tag.filter(|_| is_whole));
        if is_same {
            if is_whole {
                self.still(key, was_current);
            }
            return;
        }
        let Some(known) = self.known.get_mut(&key) else {
            return;
        };
        let after = Arc::new(document);
        let before = known.document.replace(Arc::clone(&after));
        self.more.push_back(WatcherEvent::Changed(PresenceChange {
            key,
            before,
            after: Some(after),
            sender,
            authority: authority_of(&known.guard.names, &body.signers).map(|it| it.1),
            signed_by: body.signers,
            is_encrypted: body.is_encrypted,
        }));
    }

    /// The notifier has said that the state is the one that is known, by its entity-tag.
    pub(super) fn confirmed(&mut self, key: OwnSubscriptionKey, notifier: Option<NotifierKey>) {
        let Some(known) = self.known.get_mut(&key) else {
            return;
        };
        // What has to be proved is not proved by silence.
        if known.guard.is_demanding() || known.document.is_none() {
            return;
        }
        let was_current = known.is_current();
        known.heard = notifier;
        known.notifier = notifier;
        self.still(key, was_current);
    }

    /// The document that is known is the state still, or again.
    fn still(&mut self, key: OwnSubscriptionKey, was_current: bool) {
        let is_quiet = self.known.get(&key).is_some_and(|known| known.is_quiet);
        if !was_current && !is_quiet {
            self.more.push_back(WatcherEvent::Confirmed { key });
        }
    }

    /// The state with this entity-tag is known from now on, or one that has none.
    fn has_state(
        &mut self,
        key: OwnSubscriptionKey,
        notifier: Option<NotifierKey>,
        entity_tag: Option<&str>,
    ) {
        if let Some(known) = self.known.get_mut(&key) {
            if known.entity_tag.as_deref() != entity_tag {
                known.entity_tag = entity_tag.map(Into::into);
            }
            self.subscriber.hold(self.now, key, notifier, entity_tag);
        }
    }
}
