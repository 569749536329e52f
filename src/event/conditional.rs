//! Entity-tags of what subscriptions show, and conditions by them (RFC 5839).

use core::fmt::Write as _;
use std::borrow::Cow;

use super::package::Package;
use super::refusal::Refusal;
use super::server::Server;
use super::subscription::Subscription;
use crate::engine::slab::Key;
use crate::sip::{HeaderName, RequestRef, parse_entity_tag};

/// When a watcher wants to be told nothing (RFC 5839 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Whatever there is (`*`).
    Always,
    /// While it is the document of this fingerprint; of 0, which none has, never.
    Unless(u64),
}

impl Condition {
    /// Whether a document is not to be told.
    pub(super) fn holds_for(self, fingerprint: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Unless(known) => known == fingerprint && known != 0,
        }
    }
}

impl Subscription {
    /// Whether a watcher that says to have one document was sent another one: it may have got that after it
    /// spoke. What it has then is not what it said.
    pub(super) fn has_overtaken(&self, condition: Option<Condition>) -> bool {
        match condition {
            Some(Condition::Unless(known)) => self.delivered != 0 && self.delivered != known,
            Some(Condition::Always) | None => false,
        }
    }
}

impl<P: Package> Server<P> {
    /// What a SUBSCRIBE asks for; a tag that cannot be ours is the one of no document.
    pub(super) fn read_condition(
        &self,
        request: &RequestRef<'_>,
    ) -> Result<Option<Condition>, Refusal> {
        let Some(text) = request.single(HeaderName::SuppressIfMatch)? else {
            return Ok(None);
        };
        let tag = parse_entity_tag(HeaderName::SuppressIfMatch, text)?;
        if !self.tells_entity_tags() {
            return Ok(None);
        }
        Ok(Some(match tag {
            "*" => Condition::Always,
            tag => Condition::Unless(fingerprint_of(tag).unwrap_or(0)),
        }))
    }

    pub(super) fn tells_entity_tags(&self) -> bool {
        self.config.entity_tags && !self.is_personal
    }

    /// The fields of every NOTIFY, and the entity-tag of the document that it tells.
    pub(super) fn fields_with_tag(&self, fingerprint: u64) -> Cow<'_, str> {
        if !self.tells_entity_tags() || fingerprint == 0 {
            return Cow::Borrowed(&self.added_fields);
        }
        let mut fields = String::with_capacity(self.added_fields.len() + 32);
        fields.push_str(&self.added_fields);
        let name = HeaderName::SipEtag.as_str();
        let _ = write!(fields, "{name}: {fingerprint:016x}\r\n");
        Cow::Owned(fields)
    }

    /// Whether a refresh is answered by 204: what its watcher says to have is what there is to tell
    /// (RFC 5839 section 6.3).
    ///
    /// `is_overtaken` tells that something else was sent to it, and has reached it perhaps after it said so.
    pub(super) fn suppresses_notify(
        &mut self,
        key: Key,
        condition: Option<Condition>,
        is_overtaken: bool,
    ) -> bool {
        let Some(condition) = condition else {
            return false;
        };
        let Some(subscription) = self.subscriptions.get(key) else {
            return false;
        };
        // What is owed for another reason leaves, without a body.
        if subscription.owed {
            return false;
        }
        let (variant, is_open) = (subscription.variant, subscription.open.is_some());
        let known = match condition {
            Condition::Always => return true,
            Condition::Unless(_) if is_overtaken && !is_open => return false,
            Condition::Unless(known) => known,
        };
        let document = match self.is_protected(variant) {
            true => self.protected_document(variant),
            false => self.document(variant),
        };
        if document.is_none_or(|document| !condition.holds_for(document.fingerprint)) {
            return false;
        }
        let mut held = 0;
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            if is_open {
                if subscription.delivered != known {
                    // Another one is on its way, and this one has to follow it, whatever it changes.
                    subscription.behind = true;
                    subscription.delivered = 0;
                    subscription
                        .rare_mut()
                        .terms
                        .get_or_insert_default()
                        .condition = None;
                }
                return true;
            }
            // What has come by another way than the numbers is followed by everything.
            if core::mem::replace(&mut subscription.delivered, known) == known {
                held = subscription.terms().map_or(0, |terms| terms.held);
            }
        }
        self.hold_document(key, held);
        self.hold_seen(key, true);
        true
    }
}

/// The fingerprint that an entity-tag tells, as written here and in no other way.
fn fingerprint_of(tag: &str) -> Option<u64> {
    let is_ours = tag.len() == 16
        && tag
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_ours.then(|| u64::from_str_radix(tag, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::{Condition, fingerprint_of};

    #[test]
    fn a_tag_has_one_spelling() {
        assert_eq!(fingerprint_of("00000000000000ff"), Some(255));
        for tag in ["ff", "00000000000000FF", "+0000000000000ff", "", "*", "x"] {
            assert_eq!(fingerprint_of(tag), None, "{tag}");
        }
    }

    #[test]
    fn what_nobody_has_is_no_condition() {
        assert!(!Condition::Unless(0).holds_for(0));
        assert!(Condition::Unless(7).holds_for(7));
        assert!(!Condition::Unless(7).holds_for(8));
        assert!(Condition::Always.holds_for(0));
    }
}
