//! What is known of a presentity beside its publications, each part with its lifetime.

use crate::engine::Timestamp;
use crate::pidf::Presence;

use super::composition::Source;
use super::registered::RegisteredContact;

/// Serial numbers of these parts, apart from those of publications.
const FIRST_SERIAL: u64 = 1 << 32;

/// Parts of a presentity's state that did not come by PUBLISH, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Sources {
    parts: Vec<OwnPart>,
    begun: u64,
    /// What the registration part was made of.
    pub(super) contacts: Vec<RegisteredContact>,
    /// URIs of contacts that have turned out not to be presence agents.
    pub(super) refused: Vec<String>,
    /// Nobody is sent to the contact before.
    pub(super) spared_until: Option<Timestamp>,
}

/// One part.
#[derive(Debug)]
pub(super) struct OwnPart {
    pub(super) source: Source,
    /// Tells parts of one kind apart.
    pub(super) name: String,
    pub(super) serial: u64,
    pub(super) document: Presence,
    pub(super) since: Timestamp,
    /// When it ends by itself.
    pub(super) until: Option<Timestamp>,
}

impl Sources {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.contacts.is_empty()
    }

    /// Parts of a kind.
    pub(super) fn of(&self, source: Source) -> impl Iterator<Item = &OwnPart> {
        self.parts.iter().filter(move |part| part.source == source)
    }

    /// How many there are, the registration aside.
    pub(super) fn len(&self) -> usize {
        let counts = |part: &&OwnPart| part.source != Source::Registration;
        self.parts.iter().filter(counts).count()
    }

    pub(super) fn has(&self, source: Source, name: &str) -> bool {
        self.of(source).any(|part| part.name == name)
    }

    /// Puts a part in place of the one with its name; whether the state is another now.
    pub(super) fn set(
        &mut self,
        now: Timestamp,
        (source, name): (Source, &str),
        document: Presence,
        until: Option<Timestamp>,
    ) -> bool {
        let mut known = self.parts.iter_mut();
        let known = known.find(|part| part.source == source && part.name == name);
        if let Some(part) = known {
            part.until = until;
            let differs = part.document != document;
            if differs {
                part.document = document;
                part.since = now;
            }
            return differs;
        }
        self.begun += 1;
        self.parts.push(OwnPart {
            source,
            name: name.to_owned(),
            serial: FIRST_SERIAL + self.begun,
            document,
            since: now,
            until,
        });
        true
    }

    /// Whether there was such a part.
    pub(super) fn remove(&mut self, source: Source, name: &str) -> bool {
        let before = self.parts.len();
        self.parts
            .retain(|part| part.source != source || part.name != name);
        self.parts.len() < before
    }

    /// Drops what has run out; whether there was any. Contacts are not looked at.
    pub(super) fn expire(&mut self, now: Timestamp) -> bool {
        let before = self.parts.len();
        self.parts
            .retain(|part| part.until.is_none_or(|until| now < until));
        self.parts.len() < before
    }

    /// When the next of them runs out.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        let parts = self.parts.iter().filter_map(|part| part.until);
        let contacts = self.contacts.iter().map(|contact| contact.expires_at);
        parts.chain(contacts).chain(self.spared_until).min()
    }
}
