//! Conditional notification (RFC 5839 section 5): what the application has already is not sent again.

use std::sync::Arc;

use super::rare::Rarely;
use super::subscription::{Dialog, Subscription, Turn, Wish};
use super::{
    NotifiedState, NotifierKey, OpenSubscribe, OwnSubscriptionKey, Subscriber, SubscriberEvent,
    SubscriptionEnd, Within,
};
use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::event::package::Forks;
use crate::sip::{HeaderName, RequestRef, parse_entity_tag};

/// Octets of an entity-tag; a longer one is as none. Those of hash functions have a hundred.
const LONGEST_TAG: usize = 256;

/// The condition of a SUBSCRIBE, in Suppress-If-Match: what is not to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// The state with this entity-tag.
    Tag(Arc<str>),
    /// Any state.
    Any,
}

impl Condition {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag,
            Self::Any => "*",
        }
    }
}

/// What is known by its entity-tag, and what was asked for on that account.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Claim {
    /// The entity-tag of the state that the application has: of the subscription, or of a dialog where
    /// each notifier has its own.
    pub(super) held: Option<Arc<str>>,
    /// The condition of the last SUBSCRIBE, which holds until the next.
    pub(super) condition: Option<Condition>,
}

/// What the conditions of one subscription follow from.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// Whether a new dialog may be asked by what another one has brought.
    pub(super) is_resumable: bool,
    /// No state is wanted for now.
    pub(super) is_quiet: bool,
    pub(super) standing: Standing,
}

/// Whether those on the way and at the notifier know what to do with conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Standing {
    /// Nothing speaks against it.
    #[default]
    Good,
    /// A SUBSCRIBE with a condition was refused, be it for that or because somebody was unwell. There is
    /// none in this dialog any more.
    Suspect { is_taken_without: bool },
    /// It was taken without one; now conditions are tried once more, in another dialog.
    OnTrial,
    /// They do not.
    GivenUp,
}

impl Subscriber {
    /// Says which state of the resource the application has: that of the NOTIFY with this entity-tag, or
    /// none that has one. To be called with what
    /// [`SubscriberEvent::Notified`] tells after each body that was taken; one that was not changes
    /// nothing.
    ///
    /// From then on SUBSCRIBEs carry it as their condition, and the state is not sent again while it
    /// stays the same (RFC 5839 section 5.6); [`SubscriberEvent::Confirmed`] tells that it is. Where
    /// nothing is held nothing is asked on a condition, so whoever never calls this has each state sent
    /// as ever.
    ///
    /// False when it has no effect: there is no such subscription, or no such dialog any more where the
    /// package allows several, or the text is no entity-tag or a very long one.
    pub fn hold(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        notifier: Option<NotifierKey>,
        entity_tag: Option<&str>,
    ) -> bool {
        self.advance(now);
        let Some(subscription) = self.subscriptions.get_mut(key.0) else {
            return false;
        };
        let held = entity_tag.filter(|tag| is_entity_tag(tag));
        let is_known = held.is_some() || entity_tag.is_none();
        match self.profile.forks {
            Forks::One => subscription.rare.hold(held),
            Forks::Several => {
                let dialog = notifier.and_then(|notifier| self.dialogs.get_mut(notifier.0));
                let Some(dialog) = dialog.filter(|dialog| dialog.subscription == key.0) else {
                    return false;
                };
                dialog.rare.hold(held);
            }
        }
        is_known
    }

    /// Whether the state of the resource is of no interest for now: then notifiers are asked for nothing
    /// but what becomes of the subscription itself, by the condition `*` (RFC 5839 section 5.2). They are
    /// told at once. When it is of interest again the state is sent if it is not the one that is
    /// [held](Self::hold).
    ///
    /// A notifier that does not know of conditions sends the state as ever, and so does one that has
    /// refused a condition until there is another dialog. False when it has no effect: there is no such
    /// subscription, or it is no lasting one, or conditions are not used
    /// ([`SubscriberConfig::conditional`](super::SubscriberConfig::conditional)) or have been given up for
    /// it.
    pub fn set_quiet(&mut self, now: Timestamp, key: OwnSubscriptionKey, is_quiet: bool) -> bool {
        self.advance(now);
        let subscription = self.subscriptions.get_mut(key.0);
        let Some(subscription) = subscription.filter(|it| it.wish == Wish::Watch) else {
            return false;
        };
        subscription.conditions.is_quiet = is_quiet;
        let standing = subscription.conditions.standing;
        let has_effect = self.config.conditional && standing != Standing::GivenUp;
        for dialog in self.dialogs_of(key.0) {
            self.see_to_quiet(dialog);
        }
        has_effect
    }

    /// Tells a notifier when the state is of no interest any more, or again.
    pub(super) fn see_to_quiet(&mut self, key: Key) {
        let Some(dialog) = self.dialogs.get(key) else {
            return;
        };
        let Some(subscription) = self.subscriptions.get(dialog.subscription) else {
            return;
        };
        let wanted = self.is_conditional(subscription) && subscription.conditions.is_quiet;
        let is_told = dialog.rare.condition() == Some(&Condition::Any);
        if subscription.wish == Wish::Watch && wanted != is_told {
            self.queue_dialog(key);
        }
    }

    fn is_conditional(&self, subscription: &Subscription) -> bool {
        let standing = subscription.conditions.standing;
        self.config.conditional && matches!(standing, Standing::Good | Standing::OnTrial)
    }

    /// That of the next SUBSCRIBE outside dialogs.
    pub(super) fn condition_outside(&self, subscription: &Subscription) -> Option<Condition> {
        if !self.is_conditional(subscription) {
            return None;
        }
        match subscription.conditions.is_quiet {
            true => Some(Condition::Any),
            false => subscription.rare.held().cloned().map(Condition::Tag),
        }
    }

    /// That of the next SUBSCRIBE of a dialog.
    pub(super) fn condition_within(
        &self,
        subscription: &Subscription,
        dialog: &Dialog,
    ) -> Option<Condition> {
        let wants_state = dialog.state_only || dialog.unconditional;
        let wants_state = wants_state && !subscription.is_leaving();
        if !self.is_conditional(subscription) || wants_state || dialog.ordered.is_some() {
            return None;
        }
        match subscription.conditions.is_quiet {
            true => Some(Condition::Any),
            false => self.held(subscription, dialog).map(Condition::Tag),
        }
    }

    fn held(&self, subscription: &Subscription, dialog: &Dialog) -> Option<Arc<str>> {
        let held = match self.profile.forks {
            Forks::One => subscription.rare.held(),
            Forks::Several => dialog.rare.held(),
        };
        held.cloned()
    }

    /// Whether a refused SUBSCRIBE is sent again without its condition, which something on the way may
    /// not have understood (RFC 5839 section 5.8). There are no more conditions in this dialog then; in
    /// the next one they are tried once more if they were to blame, which shows when the same is taken
    /// without.
    pub(super) fn gives_conditions_up(&mut self, open: &OpenSubscribe, status: u16) -> bool {
        if open.condition.is_none() || !may_be_about_condition(status) {
            return false;
        }
        if let Some(subscription) = self.subscriptions.get_mut(open.subscription) {
            let standing = &mut subscription.conditions.standing;
            *standing = match *standing {
                Standing::Good => Standing::Suspect {
                    is_taken_without: false,
                },
                // It left before, in another dialog.
                Standing::Suspect { .. } => *standing,
                Standing::OnTrial | Standing::GivenUp => Standing::GivenUp,
            };
        }
        true
    }

    /// A SUBSCRIBE was taken.
    pub(super) fn heed_success(&mut self, open: &OpenSubscribe) {
        if let Some(subscription) = self.subscriptions.get_mut(open.subscription) {
            let standing = &mut subscription.conditions.standing;
            match (*standing, &open.condition) {
                (Standing::Suspect { .. }, None) => {
                    *standing = Standing::Suspect {
                        is_taken_without: true,
                    };
                }
                (Standing::OnTrial, Some(_)) => *standing = Standing::Good,
                _ => {}
            }
        }
    }

    /// Nothing is asked on a condition any more: what went wrong was worse than a refusal.
    pub(super) fn condition_has_failed(&mut self, key: Key) {
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.conditions.standing = Standing::GivenUp;
        }
    }

    /// What follows from a NOTIFY without body, by the entity-tag that it names: the notifier has left
    /// out what is held already, or it has left out what is not, and is asked for it once (RFC 5839
    /// sections 5.5 and 5.8).
    pub(super) fn heed_omission(
        &mut self,
        key: Key,
        dialog_key: Option<Key>,
        state: NotifiedState,
        entity_tag: Option<&str>,
    ) {
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        let dialog = dialog_key.and_then(|key| self.dialogs.get(key));
        let (condition, held) = match dialog {
            Some(dialog) => (dialog.rare.condition(), self.held(subscription, dialog)),
            None => (
                subscription.rare.condition(),
                subscription.rare.held().cloned(),
            ),
        };
        let Some(condition) = condition else {
            return;
        };
        if held.is_some() && held.as_deref() == entity_tag {
            self.event(SubscriberEvent::Confirmed {
                key: OwnSubscriptionKey(key),
                notifier: dialog_key.map(NotifierKey),
            });
        } else if state == NotifiedState::Active && *condition != Condition::Any {
            self.condition_has_failed(key);
            if let Some(dialog) = dialog_key {
                self.ask_state(dialog);
            }
        }
    }

    /// 204 to a SUBSCRIBE with a condition: nothing has changed (RFC 5839 section 5.2). True when it was
    /// the last word of the dialog.
    pub(super) fn unchanged(&mut self, open: &OpenSubscribe, key: Key) -> bool {
        let (Some(subscription), Some(dialog)) = (
            self.subscriptions.get(open.subscription),
            self.dialogs.get(key),
        ) else {
            return false;
        };
        let held = self.held(subscription, dialog).map(Condition::Tag);
        if subscription.is_leaving() && open.asked == 0 {
            let end = SubscriptionEnd::ByNotifier {
                reason: None,
                retry_after: None,
            };
            self.end_dialog(key, end);
            return true;
        }
        if held.is_some() && held == open.condition {
            self.event(SubscriberEvent::Confirmed {
                key: OwnSubscriptionKey(open.subscription),
                notifier: Some(NotifierKey(key)),
            });
        }
        false
    }

    /// The next SUBSCRIBE of a dialog brings the state, whatever is held.
    pub(super) fn ask_state(&mut self, key: Key) {
        let Some(dialog) = self.dialogs.get_mut(key) else {
            return;
        };
        match dialog.turn {
            Turn::None => {
                dialog.state_only |= !dialog.again;
                dialog.unconditional = true;
                self.queue_dialog(key);
            }
            // A refresh brings it as well.
            Turn::Queued => dialog.unconditional = true,
            Turn::Open(_) if dialog.rare.condition().is_none() && dialog.notify_by.is_some() => {}
            Turn::Open(_) => {
                dialog.state_only |= !dialog.again && dialog.ordered.is_none();
                dialog.unconditional = true;
                dialog.again = true;
            }
        }
    }
}

impl Conditions {
    /// Another dialog is asked for. There is one trial for each at most, so that one who errs in turns is
    /// not asked without end.
    pub(super) fn begin_anew(&mut self) {
        let is_taken_without = Standing::Suspect {
            is_taken_without: true,
        };
        if self.standing == is_taken_without {
            self.standing = Standing::OnTrial;
        }
    }
}

/// What has a claim, which few do.
pub(super) trait HasClaim {
    fn claim(&self) -> &Claim;
    fn claim_mut(&mut self) -> &mut Claim;
}

impl HasClaim for Claim {
    fn claim(&self) -> &Claim {
        self
    }

    fn claim_mut(&mut self) -> &mut Claim {
        self
    }
}

impl<T: Default + PartialEq + HasClaim> Rarely<T> {
    /// The entity-tag of the state that the application has.
    pub(super) fn held(&self) -> Option<&Arc<str>> {
        self.get()?.claim().held.as_ref()
    }

    pub(super) fn hold(&mut self, held: Option<&str>) {
        if self.held().map(AsRef::as_ref) != held {
            self.change(|it| it.claim_mut().held = held.map(Into::into));
        }
    }

    /// The condition of the last SUBSCRIBE.
    pub(super) fn condition(&self) -> Option<&Condition> {
        self.get()?.claim().condition.as_ref()
    }

    pub(super) fn set_condition(&mut self, condition: Option<&Condition>) {
        if self.condition() != condition {
            self.change(|it| it.claim_mut().condition = condition.cloned());
        }
    }
}

impl Dialog {
    /// What was asked for by a SUBSCRIBE that has failed is asked for by the next.
    pub(super) fn ask_again(&mut self, open: &OpenSubscribe) {
        self.unconditional |= open.condition.is_none() && matches!(open.within, Within::Dialog(_));
    }
}

/// The entity-tag of a NOTIFY. One that is none is of no use, and no reason to refuse the rest.
pub(super) fn entity_tag<'a>(request: &RequestRef<'a>) -> Option<&'a str> {
    let text = request.single(HeaderName::SipEtag).ok().flatten()?;
    let tag = parse_entity_tag(HeaderName::SipEtag, text).ok()?;
    is_entity_tag(tag).then_some(tag)
}

/// Whether the text is an entity-tag that can be held.
pub(crate) fn is_entity_tag(text: &str) -> bool {
    text.len() <= LONGEST_TAG && parse_entity_tag(HeaderName::SipEtag, text) == Ok(text)
}

/// Whether a status may come from somebody who does not know the condition, or expects a NOTIFY in any
/// case. Those that say what is wrong otherwise do not.
fn may_be_about_condition(status: u16) -> bool {
    match status {
        400 | 412 | 420 => true,
        // Others of 5xx speak of the way there.
        500 | 501 | 502 | 513 => true,
        _ => false,
    }
}
