//! Documents that tell what has changed of another, numbered for each subscription (RFC 5263), and those of
//! the past that it takes.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::document::Document;
use super::package::Package;
use super::server::Server;
use super::subscription::Variant;
use crate::engine::slab::Key;
use crate::sip::Content;

/// A document with a gap for the number that it has in a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    head: Bytes,
    tail: Bytes,
}

impl Numbered {
    /// What stands before the number, and what behind it.
    pub fn new(head: Bytes, tail: Bytes) -> Self {
        Self { head, tail }
    }

    /// Octets without the number.
    fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// The document of this number.
    fn with_number(&self, number: u32) -> Bytes {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number);
        let mut octets = BytesMut::with_capacity(self.len() + digits.len());
        octets.put_slice(&self.head);
        octets.put_slice(digits.as_bytes());
        octets.put_slice(&self.tail);
        octets.freeze()
    }
}

/// Documents of one variant that watchers have, to tell what has changed since; each as long as one of them
/// has it, and there is room.
#[derive(Debug, Default)]
struct History {
    entries: VecDeque<Held>,
    octets: usize,
}

#[derive(Debug)]
struct Held {
    fingerprint: u64,
    body: Bytes,
    watchers: u32,
}

impl History {
    fn get(&self, fingerprint: u64) -> Option<&Bytes> {
        let mut entries = self.entries.iter();
        Some(&entries.find(|it| it.fingerprint == fingerprint)?.body)
    }

    /// Another watcher has this document. Over the limit the oldest go: whoever has those is told everything.
    fn enter(&mut self, fingerprint: u64, body: &Bytes, limit: usize) {
        let mut entries = self.entries.iter_mut();
        if let Some(held) = entries.find(|it| it.fingerprint == fingerprint) {
            held.watchers += 1;
            return;
        }
        self.octets += body.len();
        self.entries.push_back(Held {
            fingerprint,
            body: body.clone(),
            watchers: 1,
        });
        while self.entries.len() > MOST_HELD || self.octets > limit {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.octets -= oldest.body.len();
        }
    }

    fn leave(&mut self, fingerprint: u64) {
        let mut places = self.entries.iter();
        let Some(place) = places.position(|it| it.fingerprint == fingerprint) else {
            return;
        };
        if let Some(held) = self.entries.get_mut(place) {
            held.watchers -= 1;
            if held.watchers == 0 {
                self.octets -= held.body.len();
                self.entries.remove(place);
            }
        }
    }
}

/// Documents, and what was found of two of them, that a variant remembers at once: each is looked for one
/// after the other.
const MOST_HELD: usize = 32;

/// What a variant remembers of the past.
#[derive(Debug, Default)]
pub(super) struct Memory {
    documents: History,
    /// Before they were narrowed.
    raws: History,
    /// What has changed between two documents, where that is smaller than all of it.
    differences: VecDeque<(u64, u64, Option<Numbered>)>,
    full: Option<(u64, Option<Numbered>)>,
    /// What was numbered last, from which document, to which.
    last: Option<(u64, u64, u32, Arc<Content>)>,
    /// Whether a change between two documents is one to be told of.
    fires: VecDeque<(u64, u64, bool)>,
}

impl Memory {
    /// Keeps what was found of two documents, and nothing of any that is over.
    fn remember<T>(list: &mut VecDeque<(u64, u64, T)>, from: u64, to: u64, found: T) {
        list.retain(|(_, known, _)| *known == to);
        if list.len() >= MOST_HELD {
            list.pop_front();
        }
        list.push_back((from, to, found));
    }
}

impl Variant {
    fn memory(&mut self) -> &mut Memory {
        self.memory.get_or_insert_default()
    }
}

impl<P: Package> Server<P> {
    /// Whether a subscription gets documents that tell what has changed.
    pub(super) fn is_partial(&self, key: Key) -> bool {
        let variant = self.subscriptions.get(key).map(|it| it.variant);
        let variant = variant.and_then(|key| self.variants.get(key));
        variant.is_some_and(|variant| self.is_partial_type(variant.name.media_type))
    }

    pub(super) fn is_partial_type(&self, media_type: u8) -> bool {
        usize::from(media_type) >= self.package.profile().media_types.len()
    }

    /// A document as the next one that a subscription is told: what has changed since `before`, or all of it;
    /// with its number. Nothing where there is no document.
    pub(super) fn numbered(
        &mut self,
        key: Key,
        document: &Document,
        before: u64,
        number: u32,
    ) -> Option<(Arc<Content>, u32)> {
        let body = document.content.body().clone();
        let media_type = self.package.profile().partial_type?;
        if body.is_empty() {
            return None;
        }
        let number = number.checked_add(1)?;
        let fingerprint = document.fingerprint;
        let before = match number {
            // A subscription begins with all of it.
            1 => 0,
            _ => before,
        };
        let variant = self.variants.get_mut(key)?;
        if let Some((from, to, of, content)) = &variant.memory().last
            && (*from, *to, *of) == (before, fingerprint, number)
        {
            return Some((Arc::clone(content), number));
        }
        let numbered = self
            .difference(key, before, fingerprint, &body)
            .or_else(|| self.full(key, fingerprint, &body))?;
        let fields = self.fields_with_tag(fingerprint);
        let octets = numbered.with_number(number);
        let content = Arc::new(Content::new(&fields, Some(media_type), octets));
        let variant = self.variants.get_mut(key)?;
        variant.memory().last = Some((before, fingerprint, number, Arc::clone(&content)));
        Some((content, number))
    }

    fn full(&mut self, key: Key, fingerprint: u64, body: &Bytes) -> Option<Numbered> {
        let variant = self.variants.get_mut(key)?;
        if let Some((of, full)) = &variant.memory().full
            && *of == fingerprint
        {
            return full.clone();
        }
        let full = self.package.full(body);
        variant.memory().full = Some((fingerprint, full.clone()));
        full
    }

    /// What has changed since a document, where that is remembered, and the change is smaller than what came
    /// of it.
    fn difference(
        &mut self,
        key: Key,
        before: u64,
        fingerprint: u64,
        body: &Bytes,
    ) -> Option<Numbered> {
        let variant = self.variants.get_mut(key)?;
        let memory = variant.memory();
        let mut known = memory.differences.iter();
        if let Some((.., difference)) =
            known.find(|(from, to, _)| (*from, *to) == (before, fingerprint))
        {
            return difference.clone();
        }
        let held = memory.documents.get(before)?.clone();
        let difference = self.package.difference(&held, body);
        let difference = difference.filter(|it| it.len() < body.len());
        let known = &mut variant.memory().differences;
        Memory::remember(known, before, fingerprint, difference.clone());
        difference
    }

    /// Whether what has changed since a watcher was told something is what it wants to be told of.
    pub(super) fn fires(&mut self, key: Key, seen: u64) -> bool {
        let Some((fingerprint, body)) = self.raw(key) else {
            return false;
        };
        if fingerprint == seen {
            return false;
        }
        let Some(variant) = self.variants.get_mut(key) else {
            return false;
        };
        let Some(narrowing) = variant.name.narrowing.clone() else {
            return true;
        };
        let memory = variant.memory();
        let mut known = memory.fires.iter();
        if let Some((.., fires)) = known.find(|(from, to, _)| (*from, *to) == (seen, fingerprint)) {
            return *fires;
        }
        let Some(before) = memory.raws.get(seen).cloned() else {
            // What it had is not known any more: better once too often.
            return true;
        };
        let fires = self.package.fires(&narrowing, &before, &body);
        self.evaluations = self.evaluations.saturating_add(1);
        Memory::remember(&mut variant.memory().fires, seen, fingerprint, fires);
        fires
    }

    /// The document of a variant before it was narrowed.
    fn raw(&mut self, key: Key) -> Option<(u64, Bytes)> {
        let mut source = key;
        while let Some(next) = self.variants.get(source)?.source {
            source = next;
        }
        let document = self.document(source)?;
        Some((document.fingerprint, document.content.body().clone()))
    }

    /// From now on a watcher has the document of this fingerprint, which is the current one of its variant, by
    /// the numbers; 0 is none.
    pub(super) fn hold_document(&mut self, key: Key, fingerprint: u64) {
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        let variant = subscription.variant;
        let Some(held) = subscription.terms().map(|terms| terms.held) else {
            return;
        };
        let limit = self.config.limits.history;
        let is_partial = self.is_partial(key);
        let Some(variant) = self.variants.get_mut(variant).filter(|_| is_partial) else {
            return;
        };
        let body = variant.content.as_ref().map(|it| it.body().clone());
        let documents = &mut variant.memory().documents;
        let mut holds = 0;
        // First the one that comes: what stays is not forgotten in between.
        if let Some(body) = body.filter(|_| fingerprint != 0) {
            documents.enter(fingerprint, &body, limit);
            holds = fingerprint;
        }
        documents.leave(held);
        if let Some(subscription) = self.subscriptions.get_mut(key)
            && let Some(terms) = subscription.terms_mut()
        {
            terms.held = holds;
        }
    }

    /// From now on changes are compared with the current document, where a watcher waits for some; or with
    /// none.
    pub(super) fn hold_seen(&mut self, key: Key, is_told: bool) {
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        let variant_key = subscription.variant;
        let Some(seen) = subscription.terms().map(|terms| terms.seen) else {
            return;
        };
        let variant = self.variants.get(variant_key);
        if !variant.is_some_and(Variant::has_triggers) {
            return;
        }
        let raw = match is_told {
            true => self.raw(variant_key),
            false => None,
        };
        let limit = self.config.limits.history;
        let Some(variant) = self.variants.get_mut(variant_key) else {
            return;
        };
        let raws = &mut variant.memory().raws;
        let mut sees = 0;
        if let Some((fingerprint, raw)) = &raw {
            raws.enter(*fingerprint, raw, limit);
            sees = *fingerprint;
        }
        raws.leave(seen);
        if let Some(subscription) = self.subscriptions.get_mut(key)
            && let Some(terms) = subscription.terms_mut()
        {
            terms.seen = sees;
        }
    }

    /// Nothing is remembered for a watcher any more.
    pub(super) fn hold_nothing(&mut self, key: Key) {
        self.hold_document(key, 0);
        self.hold_seen(key, false);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{History, Numbered};

    #[test]
    fn a_number_fills_the_gap() {
        let numbered = Numbered::new(Bytes::from_static(b"<a v='"), Bytes::from_static(b"'/>"));
        assert_eq!(numbered.with_number(17), "<a v='17'/>");
    }

    #[test]
    fn documents_are_kept_while_somebody_has_them() {
        let body = Bytes::from_static(b"0123456789");
        let mut history = History::default();
        history.enter(1, &body, 25);
        history.enter(1, &body, 25);
        history.enter(2, &body, 25);
        history.leave(1);
        assert!(history.get(1).is_some());
        history.leave(1);
        assert_eq!((history.get(1), history.octets), (None, 10));
        // Nobody has it any more: nothing happens.
        history.leave(1);
        history.enter(3, &body, 25);
        history.enter(4, &body, 25);
        assert_eq!(history.octets, 20);
        assert!(history.get(2).is_none(), "the oldest goes");
        assert!(history.get(3).is_some() && history.get(4).is_some());
        history.enter(5, &Bytes::from(vec![0; 30]), 25);
        assert_eq!((history.entries.len(), history.octets), (0, 0));
    }
}
