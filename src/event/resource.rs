//! One resource: its state, who watches it, who publishes for it, and its pace.

use std::sync::Arc;

use super::package::Package;
use crate::engine::interned::Named;
use crate::engine::slab::{Key, Links, List, Slab};
use crate::engine::{FlowId, Timestamp};

/// A resource that somebody watches, publishes for, or has set a state of.
///
/// The order of the fields is that of the memory: those that a SUBSCRIBE looks at ahead come first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Resource<P: Package> {
    pub(super) name: Arc<str>,
    /// Subscriptions whose last NOTIFY is not yet sent, in the order they came.
    pub(super) subscriptions: List,
    /// Deferred publications.
    pub(super) jobs: u32,
    /// The variant that was entered last, which is what the next one is likely to enter.
    pub(super) usual: Option<Key>,
    /// Those of the subscriptions that have not ended.
    pub(super) live: usize,
    /// Rises with each change of the state; begins at 1.
    pub(super) version: u64,
    pub(super) round: Round,
    /// The round waits for a document to be signed.
    pub(super) is_paused: bool,
    /// A document of a state that was over already passes for current until the next round.
    pub(super) is_overtaken: bool,
    /// When a round last sent something. A round may take long, so its beginning would not keep two
    /// NOTIFYs of one watcher apart.
    pub(super) last_round: Option<Timestamp>,
    /// In the order they were first made.
    pub(super) publications: List,
    /// Octets of their bodies.
    pub(super) published: usize,
    /// Of the subscriptions those whose watcher has more than one name.
    pub(super) several_names: usize,
    pub(super) next_serial: u64,
    pub(super) state: P::State,
}

/// Where the NOTIFYs for a change of state are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// Nobody waits for any.
    Idle,
    /// They wait for the interval to pass.
    Due { timer: Key },
    /// They are going out: `next` is whose turn it is, a place in the list of subscriptions, after
    /// `seen` others; then `again` from the beginning. Those whose document is not ready are passed over
    /// at first: nobody else waits for it.
    Walking {
        next: Option<u32>,
        again: bool,
        seen: u32,
        has_passed_over: bool,
        /// It comes back to them.
        comes_back: bool,
    },
}

impl<P: Package> Resource<P> {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            state: P::State::default(),
            subscriptions: List::default(),
            live: 0,
            usual: None,
            publications: List::default(),
            published: 0,
            several_names: 0,
            next_serial: 0,
            jobs: 0,
            version: 1,
            round: Round::Idle,
            is_paused: false,
            is_overtaken: false,
            last_round: None,
        }
    }
}

impl<P: Package> Named for Resource<P> {
    type Name = str;

    fn name(&self) -> &str {
        &self.name
    }
}

/// A publication (RFC 3903): one publisher's part of a resource's state.
#[derive(Debug)]
pub(super) struct Publication<P: Package> {
    pub(super) resource: Key,
    pub(super) by_resource: Links,
    /// Stays the same for the publication's life.
    pub(super) serial: u64,
    /// The current entity-tag: bits that are looked up, and a number that is never used twice.
    pub(super) tag: EntityTag,
    /// Octets of its body.
    pub(super) octets: usize,
    pub(super) expires_at: Timestamp,
    /// Nothing only while it is being made.
    pub(super) timer: Option<Key>,
    pub(super) publisher: Option<Arc<str>>,
    /// The connection that it came by last.
    pub(super) flow: Option<FlowId>,
    pub(super) content: P::Publication,
}

/// What a resource's publications hold, from its first one on, each with its serial number.
pub(super) fn contents<P: Package>(
    publications: &Slab<Publication<P>>,
    first: Option<u32>,
) -> Vec<(u64, &P::Publication)> {
    let mut contents = Vec::new();
    let mut next = first;
    while let Some(publication) = next.and_then(|index| publications.at(index)) {
        contents.push((publication.serial, &publication.content));
        next = publication.by_resource.next();
    }
    contents
}

/// An entity-tag: random bits against guessing, and a count so that none is ever used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntityTag {
    pub(super) random: u64,
    pub(super) count: u64,
}

impl EntityTag {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (random, count) = text.split_once('.')?;
        let random = crate::sip::Tag::parse_bits(random)?;
        // Tags are compared byte by byte: another spelling of a number is another tag.
        let is_ours = !count.starts_with('0')
            && count
                .bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let count = is_ours.then_some(count)?;
        Some(Self {
            random,
            count: u64::from_str_radix(count, 16).ok()?,
        })
    }
}

impl core::fmt::Display for EntityTag {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{}.{:x}",
            crate::sip::Tag::from_bits(self.random),
            self.count
        )
    }
}

pub(super) fn by_resource<P: Package>(publication: &mut Publication<P>) -> &mut Links {
    &mut publication.by_resource
}
