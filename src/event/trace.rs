//! The trace hook: what was decided, for operators (feature `tracing`).

use super::output::ServerEvent;
use super::refusal::RefusalReason;

/// Tells of an event. Without `uris` a subscription is named by its key alone, for who watches whom
/// is nobody's business who only reads the log.
#[cfg(feature = "tracing")]
pub(super) fn event(event: &ServerEvent, uris: bool) {
    if uris {
        tracing::debug!(target: "presentity", "{event}");
        return;
    }
    match event {
        ServerEvent::SubscriptionStarted { subject, decision } => {
            let state = super::output::describe(decision);
            tracing::debug!(target: "presentity", subscription = %subject.key, state, "started");
        }
        ServerEvent::SubscriptionChanged { subject, decision } => {
            let state = super::output::describe(decision);
            tracing::debug!(target: "presentity", subscription = %subject.key, state, "changed");
        }
        ServerEvent::SubscriptionEnded { subject, reason } => {
            tracing::debug!(target: "presentity", subscription = %subject.key, %reason, "ended");
        }
        ServerEvent::Published { key, kind, .. } => {
            tracing::debug!(target: "presentity", publication = %key, ?kind, "published");
        }
        ServerEvent::PublicationExpired { key, .. } => {
            tracing::debug!(target: "presentity", publication = %key, "expired");
        }
        ServerEvent::PublicationReplaced { key, .. } => {
            tracing::debug!(target: "presentity", publication = %key, "replaced");
        }
        ServerEvent::ProtectionFailed { error, .. } => {
            tracing::debug!(target: "presentity", %error, "not protected");
        }
        ServerEvent::NotifyRefused { subject, status } => {
            tracing::debug!(target: "presentity", subscription = %subject.key, status, "NOTIFY refused");
        }
    }
}

/// Tells of an event of a publication or subscription of ours, which it names by its key alone.
#[cfg(feature = "tracing")]
pub(super) fn told(event: &impl core::fmt::Display) {
    tracing::debug!(target: "presentity", "{event}");
}

#[cfg(not(feature = "tracing"))]
pub(super) fn told<T>(_: &T) {}

/// Tells why the body of a publication could not be read.
#[cfg(feature = "tracing")]
pub(super) fn unreadable(why: &super::package::Unreadable) {
    tracing::debug!(target: "presentity", "{why}");
}

#[cfg(not(feature = "tracing"))]
pub(super) fn unreadable(_: &super::package::Unreadable) {}

/// Tells of a refused request.
#[cfg(feature = "tracing")]
pub(super) fn refusal(status: u16, reason: RefusalReason) {
    tracing::debug!(target: "presentity", status, %reason, "request refused");
}

#[cfg(not(feature = "tracing"))]
pub(super) fn event(_: &ServerEvent, _: bool) {}

#[cfg(not(feature = "tracing"))]
pub(super) fn refusal(_: u16, _: RefusalReason) {}
