//! Who may watch the watchers.

use crate::event::{Authorization, Decision, Rejection, SubscribeQuery, Unserved, View};
use crate::sip::Uri;

/// What a subscription to watcher information shows.
///
/// [`View::full`] shows every watcher. Every other view shows a watcher its own subscriptions alone;
/// this is its name.
pub fn own_entries() -> View {
    View::named("own")
}

/// Decides who may learn who watches, and of which resources. It is cloned for each level; what is to be
/// changed later is behind a pointer that the clones share.
pub trait InfoPolicy: Clone {
    /// Who may subscribe to the watcher information of a resource. `level` is 1 for watchers of the
    /// resource, 2 for those who watch its watcher information, and so on.
    ///
    /// Allowed, it sees everybody with [`View::full`], and itself with [`own_entries`]. Pending or
    /// politely blocked, it sees nobody.
    fn subscribe(&mut self, level: u8, query: &SubscribeQuery<'_>) -> Authorization;

    /// The canonical name of the resource that a Request-URI means: the same that the watched package
    /// gives it, with its aliases and domains. By default the address of record of every SIP, pres and
    /// telephone URI.
    ///
    /// # Errors
    /// When there can be no such resource here.
    fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
        match uri {
            Uri::Sip(_) | Uri::Pres(_) | Uri::Tel(_) => {
                uri.address_of_record().ok_or(Unserved::NotHere)
            }
            Uri::Other(_) => Err(Unserved::Scheme),
        }
    }
}

/// The recommendations of RFC 3857 section 4.6: who has not proved who it is gets 401. Users see all
/// that concerns their own address of record, at every level. Others see their own subscriptions, at the
/// first level only. What the policy of the watched package allows is of no account.
///
/// A user is known by the canonical name of the resource among those of its
/// [`Identity`](crate::event::Identity).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RecommendedInfoPolicy;

impl InfoPolicy for RecommendedInfoPolicy {
    fn subscribe(&mut self, level: u8, query: &SubscribeQuery<'_>) -> Authorization {
        if query.identity().is_nobody() {
            return Authorization::Challenge;
        }
        let decision = if query.identity().includes(query.resource()) {
            Decision::Allow(View::full())
        } else if level <= 1 {
            Decision::Allow(own_entries())
        } else {
            Decision::Reject(Rejection::Forbidden)
        };
        decision.into()
    }
}
