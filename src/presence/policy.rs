//! Who may watch and who may publish, as the application says.

use crate::engine::Timestamp;
use crate::event::{
    Authorization, Decision, Protection, ProtectionQuery, PublishDecision, PublishQuery, Rejection,
    SubscribeQuery, View,
};
use crate::pidf::Presence;
use time::OffsetDateTime;

/// The application's rules. Each answer is given at once; what only a person can decide is
/// [`Decision::Pending`] until [`Agent::decide`](crate::presence::Agent::decide) is called.
///
/// What is to outlive a subscription (a user's standing permission) is the policy's to remember.
///
/// ```
/// use presentity::event::{Authorization, Decision, SubscribeQuery, View};
/// use presentity::presence::Policy;
///
/// /// Users of one domain see each other; everybody else has to ask.
/// struct Colleagues;
///
/// impl Policy for Colleagues {
///     fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
///         match query.watcher() {
///             None => Authorization::Challenge,
///             Some(watcher) if watcher.ends_with("@example.com") => {
///                 Decision::Allow(View::full()).into()
///             }
///             Some(_) => Decision::Pending.into(),
///         }
///     }
/// }
/// ```
pub trait Policy {
    /// Who may watch a presentity, asked for each SUBSCRIBE, refreshes included.
    ///
    /// An unknown presentity is to be answered like one that refuses, so that nobody learns who
    /// exists.
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization;

    /// Who may publish for a presentity. By default nobody.
    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        let _ = query;
        PublishDecision::Forbid
    }

    /// What holds from now on for a watcher whose subscription is live, asked when the application says that
    /// the policy has changed ([`Agent::review`](crate::presence::Agent::review)); nothing leaves it as it
    /// is. Of who asks the query knows the names that were proved last; of one who
    /// [waits](crate::presence::Agent::watcher_info) after its subscription has run out, the one that it is
    /// listed under.
    ///
    /// It is asked at the latest before the watcher is told anything more.
    ///
    /// By default what [`subscribe`](Self::subscribe) answers, as to a refresh: what is not decided, and
    /// [`Decision::Pending`], leave the subscription as it is.
    fn review(&mut self, query: &SubscribeQuery<'_>) -> Option<Decision> {
        match self.subscribe(query) {
            Authorization::Decided(Decision::Pending)
            | Authorization::Challenge
            | Authorization::SignatureRequired(_) => None,
            Authorization::Decided(decision) => Some(decision),
        }
    }

    /// What time of day it is, as [`Agent::set_wall_clock`](crate::presence::Agent::set_wall_clock) was
    /// told. Returns the presentities, by their canonical names, about whose watchers the policy may answer
    /// something else for that; they are reviewed. By default it is of no account.
    fn set_wall_clock(&mut self, now: Timestamp, utc: OffsetDateTime) -> Vec<String> {
        let _ = (now, utc);
        Vec::new()
    }

    /// The watchers of a presentity are about to be reviewed, one after the other. Returns when time alone
    /// makes the policy answer something else about them: they are reviewed again then.
    /// `all_were_judged` tells whether the review before came to its end. By default never.
    fn begin_review(
        &mut self,
        presentity: &str,
        now: Timestamp,
        all_were_judged: bool,
    ) -> Option<Timestamp> {
        let _ = (presentity, now, all_were_judged);
        None
    }

    /// How much work it is to [judge](Self::review) one watcher of a presentity, in some microseconds: the
    /// more, the fewer are judged with each [`poll_output`](crate::presence::Agent::poll_output). By default 1.
    fn review_cost(&self, presentity: &str) -> u32 {
        let _ = presentity;
        1
    }

    /// Whether the answers about watchers of a presentity depend on its own state, such as its sphere. Then
    /// [`state_changed`](Self::state_changed) is called. By default they do not.
    fn goes_by_state(&self, presentity: &str) -> bool {
        let _ = presentity;
        false
    }

    /// The state of a presentity that the policy goes by, after it has changed; whether watchers are to be
    /// reviewed for that.
    fn state_changed(
        &mut self,
        presentity: &str,
        now: Timestamp,
        state: Option<&Presence>,
    ) -> bool {
        let _ = (presentity, now, state);
        false
    }

    /// How a watcher's documents are protected: signed by the presentity's domain, encrypted for the
    /// watcher (RFC 3856 section 6.7), asked for each SUBSCRIBE that is accepted. By default they are
    /// not.
    ///
    /// To sign wherever the watcher takes it is
    /// `if query.accepts(Protection::Signed) { Protection::Signed } else { Protection::None }`. A
    /// protection that the watcher does not accept gets it 406. It is not asked for what leaves without a
    /// dialog of SIP, to clients of other protocols: such documents are never protected.
    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        let _ = query;
        Protection::None
    }

    /// Takes out of a document what a view does not show. It is called for each state and named
    /// view once, not for each watcher; the full view is not asked about.
    ///
    /// By default a named view shows nothing of the document.
    fn apply_view(&self, view: &View, presentity: &str, document: &mut Presence) {
        let _ = (view, presentity);
        let entity = core::mem::take(&mut document.entity);
        *document = Presence::new(entity);
    }

    /// Another canonical name for the same presentity, such as one without a port; nothing when
    /// the name is right as it is.
    fn alias(&self, presentity: &str) -> Option<String> {
        let _ = presentity;
        None
    }
}

/// The policy that lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DenyAll;

impl Policy for DenyAll {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Reject(Rejection::Forbidden).into()
    }
}
