//! What few subscriptions have: where an extension is asked for, or a notifier knows of one.

use std::sync::Arc;

use super::condition::{Claim, HasClaim};
use crate::sip::{Content, Rates};

/// Something that is nearly always as it is by default, and takes the room of a pointer then.
#[derive(Debug, Default)]
pub(super) struct Rarely<T>(Option<Box<T>>);

/// What few subscriptions have.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rare {
    /// What new dialogs had before the body that they have now, until a notifier has said that it takes
    /// that.
    pub(super) content_before: Option<Option<Arc<Content>>>,
    /// What is asked for.
    pub(super) rates: Rates,
    /// What the notifier that was heard last says of them.
    pub(super) granted_rates: Option<Rates>,
    /// The types that are asked for, best first, unless those of the profile are.
    pub(super) media_types: Option<&'static [&'static str]>,
    /// Those that were asked for before, until a notifier has heard of it.
    pub(super) media_types_before: &'static [&'static str],
    /// The state that the application has, unless each dialog has its own; and the condition of the last
    /// SUBSCRIBE outside dialogs.
    pub(super) claim: Claim,
}

impl HasClaim for Rare {
    fn claim(&self) -> &Claim {
        &self.claim
    }

    fn claim_mut(&mut self) -> &mut Claim {
        &mut self.claim
    }
}

impl<T: Default + PartialEq> Rarely<T> {
    pub(super) fn new(value: T) -> Self {
        let is_usual = value == T::default();
        Self((!is_usual).then(|| Box::new(value)))
    }

    /// Nothing when it is as it is by default.
    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    /// Changes it. What is left of it takes room when it is not the default.
    pub(super) fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        let Some(value) = &mut self.0 else {
            let mut value = T::default();
            let result = change(&mut value);
            *self = Self::new(value);
            return result;
        };
        let result = change(value);
        if **value == T::default() {
            self.0 = None;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_usual_takes_no_room() {
        let mut rare = Rarely::new(Rare::default());
        assert!(rare.get().is_none());
        rare.change(|it| it.claim.held = None);
        assert!(rare.get().is_none());

        rare.change(|it| it.claim.held = Some("a7".into()));
        assert_eq!(
            rare.get().and_then(|it| it.claim.held.as_deref()),
            Some("a7")
        );
        rare.change(|it| it.media_types = Some(&["text/plain"]));
        let held = rare.change(|it| it.claim.held.take());
        assert_eq!(held.as_deref(), Some("a7"));
        assert!(rare.get().is_some());
        rare.change(|it| it.media_types = None);
        assert!(rare.get().is_none());
    }
}
