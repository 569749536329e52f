//! One subscription and what it hangs on.

use core::net::IpAddr;
use std::sync::Arc;

use hashbrown::Equivalent;

use super::authorization::{Decision, Reason, Signature};
use super::body::Carrier;
use super::dialog::Dialog;
use super::direct::Direct;
use super::identity::{Assurance, Identity};
use super::narrowing::Narrowing;
use super::partial::Memory;
use super::personal::Told;
use super::protection::{Protection, Sealing, Waits};
use super::terms::Terms;
use crate::engine::interned::Named;
use crate::engine::slab::{Key, Links, List};
use crate::engine::{FlowId, Timestamp, ahead};
use crate::sip::{Content, HeaderName};

/// A subscription from its SUBSCRIBE to the answer to its last NOTIFY.
///
/// The order of the fields is that of the memory: those that are looked at ahead come first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Subscription {
    pub(super) by_resource: Links,
    /// A NOTIFY is due whatever the watcher has.
    pub(super) owed: bool,
    /// Its watcher has sent a SUBSCRIBE since the last NOTIFY.
    pub(super) spoken: bool,
    /// It stands in a queue.
    pub(super) queued: bool,
    /// A round passed while a NOTIFY was open.
    pub(super) behind: bool,
    pub(super) last_result: NotifyResult,
    pub(super) waits: Waits,
    /// The NOTIFY that is owed tells a change, for which it had to wait longer than its round.
    pub(super) tells_change: bool,
    /// The round comes back to it when its document is ready.
    pub(super) passed_over: bool,
    /// The best that its watcher's requests have shown.
    pub(super) signature: Signature,
    /// How it was established who its watcher is.
    pub(super) assurance: Option<Assurance>,
    pub(super) way: Way,
    pub(super) phase: Phase,
    pub(super) variant: Key,
    pub(super) resource: Key,
    pub(super) watcher: Option<Key>,
    pub(super) source: Option<Key>,
    pub(super) flow: Option<Key>,
    pub(super) expires_at: Timestamp,
    /// The NOTIFY that is open; there is one at the most.
    pub(super) open: Option<Key>,
    /// The fingerprint of the document that the watcher has, or is being sent; 0 is none.
    pub(super) delivered: u64,
    pub(super) timer: Option<Key>,
    /// What few have.
    pub(super) rare: Option<Box<Rare>>,
    pub(super) by_watcher: Links,
}

/// What few subscriptions have.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// The watcher asked for patience (Retry-After): the timer that ends it.
    pub(super) hold: Option<Key>,
    /// The NOTIFY that is owed answers a challenge.
    pub(super) repetition: Option<Box<Repetition>>,
    pub(super) carrier: Option<Carrier>,
    /// Who watches, where that has more than one name.
    pub(super) identity: Option<Box<Identity>>,
    /// What documents of its own have told it.
    pub(super) told: Option<Box<Told>>,
    /// What its watcher has asked for beyond the ordinary.
    pub(super) terms: Option<Box<Terms>>,
}

/// How a subscription came, and how its watcher is reached.
#[derive(Debug)]
pub(super) enum Way {
    /// By a SUBSCRIBE, which made a dialog.
    Dialog(Dialog),
    /// By a call.
    Direct(Direct),
}

impl Way {
    pub(super) fn dialog(&self) -> Option<&Dialog> {
        match self {
            Self::Dialog(dialog) => Some(dialog),
            Self::Direct(_) => None,
        }
    }

    pub(super) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match self {
            Self::Dialog(dialog) => Some(dialog),
            Self::Direct(_) => None,
        }
    }

    pub(super) fn direct(&self) -> Option<&Direct> {
        match self {
            Self::Dialog(_) => None,
            Self::Direct(direct) => Some(direct),
        }
    }

    /// What it is looked up by.
    pub(super) fn bits(&self) -> u64 {
        match self {
            Self::Dialog(dialog) => dialog.local_tag,
            Self::Direct(direct) => direct.bits,
        }
    }

    /// What is needed for a notification.
    fn text(&self) -> &str {
        match self {
            Self::Dialog(dialog) => dialog.head.text(),
            Self::Direct(direct) => direct.name.id(),
        }
    }
}

/// What it takes to send a NOTIFY again when it is challenged, beside its state.
#[derive(Debug, Default)]
pub(super) struct Repetition {
    /// Challenges answered in a row.
    pub(super) attempts: u8,
    /// One value for each field that was asked for so far.
    pub(super) credentials: Vec<(HeaderName, String)>,
    /// The field that is waited for while the NOTIFY is open.
    pub(super) awaited: Option<HeaderName>,
    /// What a last NOTIFY has: its lists have been left when it has to be repeated.
    pub(super) last: Option<Arc<Content>>,
    /// The resource by whose domain a last NOTIFY is signed as a whole.
    pub(super) signed_for: Option<Arc<str>>,
}

/// How far a subscription has come; pending and active are told by the variant's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Live,
    /// The last NOTIFY is owed; SUBSCRIBE finds no subscription here any more.
    Ending(Ending),
    /// The last NOTIFY is open.
    Ended(Ending),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) told: Reason,
    pub(super) retry_after: Option<u32>,
    /// The last NOTIFY has the document.
    pub(super) with_state: bool,
}

impl Phase {
    /// Whether the next NOTIFY has the document.
    pub(super) fn tells_state(self) -> bool {
        match self {
            Self::Live => true,
            Self::Ending(ending) => ending.with_state,
            Self::Ended(_) => false,
        }
    }
}

/// What became of the last NOTIFY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotifyResult {
    /// None was sent so far.
    None,
    /// It is open.
    Open,
    /// It was answered by this status code.
    Answered(u16),
    /// It was not answered, or could not be sent, but the watcher has spoken since.
    Failed,
}

impl Subscription {
    /// Its turn comes soon.
    pub(super) fn look_ahead(&self) {
        ahead::text(self.way.text());
        ahead::field(&self.variant);
        ahead::field(&self.delivered);
    }

    /// The watcher asked for patience: the timer that ends it.
    pub(super) fn hold(&self) -> Option<Key> {
        self.rare.as_ref()?.hold
    }

    pub(super) fn take_hold(&mut self) -> Option<Key> {
        self.rare.as_mut()?.hold.take()
    }

    /// Whether a last NOTIFY that is to be repeated is signed as a whole.
    pub(super) fn repeats_signed(&self) -> bool {
        let repetition = self.rare.as_ref().and_then(|rare| rare.repetition.as_ref());
        repetition.is_some_and(|it| it.signed_for.is_some())
    }

    /// Whether the next NOTIFY comes in place of one that was challenged.
    pub(super) fn is_repetition(&self) -> bool {
        self.rare.as_ref().is_some_and(|it| it.repetition.is_some())
    }

    pub(super) fn take_repetition(&mut self) -> Option<Box<Repetition>> {
        self.rare.as_mut()?.repetition.take()
    }

    pub(super) fn told_mut(&mut self) -> Option<&mut Told> {
        self.rare.as_mut()?.told.as_deref_mut()
    }

    pub(super) fn identity(&self) -> Option<&Identity> {
        self.rare.as_ref()?.identity.as_deref()
    }

    pub(super) fn carrier(&self) -> Option<&Carrier> {
        self.rare.as_ref()?.carrier.as_ref()
    }

    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(super) fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }
}

/// Those watchers of a resource who see the very same document.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) name: VariantName,
    pub(super) subscriptions: u32,
    pub(super) content: Option<Arc<Content>>,
    /// The document's, kept for each watcher in place of it: who has a state that comes back is
    /// told nothing, however it went in between.
    pub(super) fingerprint: u64,
    /// The resource's version that the document was last made for; 0 is never.
    pub(super) rendered: u64,
    /// How far the content is that is protected; nothing for one that is not.
    pub(super) sealing: Option<Box<Sealing>>,
    /// The variant whose document this one is made of, where it is the same or a part of it.
    pub(super) source: Option<Key>,
    /// Where it matters what its watchers had before.
    pub(super) memory: Option<Box<Memory>>,
}

impl Variant {
    pub(super) fn new(name: VariantName) -> Self {
        let is_sealed = name.protection.is_of_document();
        Self {
            sealing: is_sealed.then(Box::default),
            name,
            subscriptions: 0,
            content: None,
            fingerprint: 0,
            rendered: 0,
            source: None,
            memory: None,
        }
    }

    /// Whether its watchers are told of some changes only.
    pub(super) fn has_triggers(&self) -> bool {
        let narrowing = self.name.narrowing.as_ref();
        narrowing.is_some_and(Narrowing::has_triggers)
    }
}

/// What a document depends on besides the state.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct VariantName {
    pub(super) resource: Key,
    /// Place in the profile's media types.
    pub(super) media_type: u8,
    /// What holds for those who see it.
    pub(super) decision: Decision,
    pub(super) entity: Arc<str>,
    pub(super) protection: Protection,
    /// The watcher for whom alone it is encrypted.
    pub(super) recipient: Option<Key>,
    /// What of it is shown, and when.
    pub(super) narrowing: Option<Narrowing>,
}

/// The same in other words, to look for. It hashes alike.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct VariantQuery<'a> {
    pub(super) resource: Key,
    pub(super) media_type: u8,
    pub(super) decision: &'a Decision,
    pub(super) entity: &'a str,
    pub(super) protection: Protection,
    pub(super) recipient: Option<Key>,
    pub(super) narrowing: Option<&'a Narrowing>,
}

impl VariantQuery<'_> {
    pub(super) fn to_name(self) -> VariantName {
        VariantName {
            resource: self.resource,
            media_type: self.media_type,
            decision: self.decision.clone(),
            entity: self.entity.into(),
            protection: self.protection,
            recipient: self.recipient,
            narrowing: self.narrowing.cloned(),
        }
    }
}

impl Equivalent<VariantName> for VariantQuery<'_> {
    fn equivalent(&self, name: &VariantName) -> bool {
        self.resource == name.resource
            && self.media_type == name.media_type
            && *self.decision == name.decision
            && *self.entity == *name.entity
            && self.protection == name.protection
            && self.recipient == name.recipient
            && self.narrowing == name.narrowing.as_ref()
    }
}

impl Named for Variant {
    type Name = VariantName;

    fn name(&self) -> &VariantName {
        &self.name
    }
}

/// Somebody who watches, under one canonical address of record.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) name: Arc<str>,
    pub(super) subscriptions: List,
}

impl Watcher {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            subscriptions: List::default(),
        }
    }
}

impl Named for Watcher {
    type Name = str;

    fn name(&self) -> &str {
        &self.name
    }
}

/// An address that subscriptions came from.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) address: IpAddr,
    pub(super) subscriptions: usize,
}

impl Source {
    pub(super) fn new(address: IpAddr) -> Self {
        Self {
            address,
            subscriptions: 0,
        }
    }
}

impl Named for Source {
    type Name = IpAddr;

    fn name(&self) -> &IpAddr {
        &self.address
    }
}

/// A connection that subscriptions came by.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) id: FlowId,
    pub(super) subscriptions: usize,
}

impl Named for Flow {
    type Name = FlowId;

    fn name(&self) -> &FlowId {
        &self.id
    }
}

pub(super) fn by_resource(subscription: &mut Subscription) -> &mut Links {
    &mut subscription.by_resource
}

pub(super) fn by_watcher(subscription: &mut Subscription) -> &mut Links {
    &mut subscription.by_watcher
}

#[cfg(test)]
mod tests {
    use super::{Variant, VariantQuery};
    use crate::engine::interned::Interned;
    use crate::engine::slab::Key;
    use crate::event::{Decision, Narrowing, Protection, View};

    #[test]
    fn a_variant_is_found_by_a_query_in_its_words_and_no_other() {
        let resource = Key::first(3);
        let decision = Decision::Allow(View::named("work"));
        let query = VariantQuery {
            resource,
            media_type: 1,
            decision: &decision,
            entity: "sip:ana@example.com",
            protection: Protection::Signed,
            recipient: None,
            narrowing: None,
        };
        let mut variants = Interned::new();
        let key = variants.find_or_insert(&query, || Variant::new(query.to_name()));
        assert_eq!(variants.find(&query), Some(key));
        let others = [
            VariantQuery {
                media_type: 0,
                ..query
            },
            VariantQuery {
                decision: &Decision::Pending,
                ..query
            },
            VariantQuery {
                entity: "sip:bob@example.com",
                ..query
            },
            VariantQuery {
                resource: Key::first(4),
                ..query
            },
            VariantQuery {
                protection: Protection::None,
                ..query
            },
            VariantQuery {
                recipient: Some(Key::first(1)),
                ..query
            },
            VariantQuery {
                narrowing: Some(&Narrowing::new("basic", ())),
                ..query
            },
        ];
        for other in others {
            assert_eq!(variants.find(&other), None, "{other:?}");
        }
    }
}
