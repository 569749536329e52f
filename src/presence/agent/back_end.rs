//! Presence user agents that the agent subscribes to, to compose what they say (RFC 3856 section 6.11.1).

use std::collections::{BTreeMap, HashMap};

use super::{Agent, UnknownPresentity};
use crate::engine::{ClientTransaction, ServerTransaction, Timestamp};
use crate::event::{
    Account, Backlog, NotifiedState, Output, OwnSubscriptionKey, Package, RequestContext,
    SubscribeBodies, SubscribeError,
};
use crate::pidf::Presence;
use crate::presence::composition::Source;
use crate::presence::policy::Policy;
use crate::presence::watcher::Watcher;
use crate::presence::watcher_events::{WatcherEvent, WatcherOutput};
use crate::presence::watcher_order::WatchOrder;
use crate::sip::{Reason, RequestRef, Uri};

/// An agent that cannot be subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The text names no presentity of this agent.
    #[error(transparent)]
    Presentity(#[from] UnknownPresentity),
    /// There is nothing to subscribe with: see [`Agent::set_back_end`].
    #[error("the agent has no back end")]
    NoBackEnd,
    /// Only what has a SIP URI can be subscribed to here.
    #[error("{0:?} is no SIP URI")]
    Uri(String),
    /// It is the presentity itself, whose agent this one is.
    #[error("the presentity's own address leads back here")]
    Itself,
    /// The subscription is refused by the watcher's own settings.
    #[error(transparent)]
    Order(#[from] SubscribeError),
}

/// The number of a role is used already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the number of the role is taken")]
pub struct RoleTaken;

/// A watcher of the agent's own, and what it watches.
#[derive(Debug)]
pub(super) struct BackEnd {
    pub(super) watcher: Watcher,
    account: Account,
    by_key: HashMap<OwnSubscriptionKey, Followed>,
    by_name: BTreeMap<Followed, (OwnSubscriptionKey, Why)>,
}

/// Whose state is asked for, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Followed {
    presentity: String,
    uri: String,
}

/// Who wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Application,
    Registration,
}

impl<P: Policy, B: SubscribeBodies> Agent<P, B> {
    /// Gives the agent a watcher with which it subscribes to presence user agents that are presence agents
    /// themselves, and the account on whose behalf. Its requests and wishes are the agent's from now on. A
    /// back end that was there before ends at once, with what it knew; contacts that are registered are
    /// followed anew. Give the new one another role than the one before if requests of that are still open,
    /// or their outcomes are taken for its own.
    ///
    /// # Errors
    /// When the watcher's [role](crate::event::SubscriberConfig::role) is one of the agent's own, by which
    /// transactions are told apart.
    pub fn set_back_end(
        &mut self,
        now: Timestamp,
        watcher: Watcher,
        account: &Account,
    ) -> Result<(), RoleTaken> {
        self.advance(now);
        if self.has_role(watcher.role()) {
            return Err(RoleTaken);
        }
        if let Some(before) = self.back_end.take() {
            for followed in before.by_name.into_keys() {
                let name = (Source::Subscription, &*followed.uri);
                self.drop_source(now, &followed.presentity, name);
            }
        }
        self.back_end = Some(Box::new(BackEnd {
            watcher,
            account: account.clone(),
            by_key: HashMap::new(),
            by_name: BTreeMap::new(),
        }));
        if self.follows_agents {
            let names: Vec<String> = (self.server.resource_names()).map(str::to_owned).collect();
            for name in names {
                self.follow_agents(now, &name);
            }
        }
        Ok(())
    }

    /// The watcher that was given with [`set_back_end`](Self::set_back_end), to look at.
    pub fn back_end(&self) -> Option<&Watcher> {
        self.back_end.as_deref().map(|back_end| &back_end.watcher)
    }

    /// Subscribes to what a presence user agent at this URI says of a presentity. It is one source of the
    /// presentity's document for as long as the subscription lives. One that has refused is asked again when
    /// this is called again, and when the presentity registers.
    ///
    /// # Errors
    /// See [`FollowError`].
    pub fn follow_source(
        &mut self,
        now: Timestamp,
        presentity: &str,
        uri: &str,
    ) -> Result<(), FollowError> {
        self.advance(now);
        let presentity = self.presentity(presentity)?;
        self.follow_named(now, presentity.clone(), uri, Why::Application)?;
        self.ask_again(now, &presentity);
        Ok(())
    }

    /// Ends that; tells whether it was followed.
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn unfollow_source(
        &mut self,
        now: Timestamp,
        presentity: &str,
        uri: &str,
    ) -> Result<bool, UnknownPresentity> {
        self.advance(now);
        let presentity = self.presentity(presentity)?;
        let uri = uri.to_owned();
        Ok(self.unfollow_named(now, &Followed { presentity, uri }))
    }

    fn follow_named(
        &mut self,
        now: Timestamp,
        presentity: String,
        uri: &str,
        why: Why,
    ) -> Result<(), FollowError> {
        let Ok(parsed @ Uri::Sip(_)) = Uri::parse(uri) else {
            return Err(FollowError::Uri(uri.to_owned()));
        };
        let package = self.server.package();
        let is_own = package.resource(&parsed).ok().as_ref() == Some(&presentity);
        // The application knows what it does; who registers may mean harm.
        let is_trap = why == Why::Registration && package.leads_back(&parsed, &presentity);
        if is_own || is_trap {
            return Err(FollowError::Itself);
        }
        let back_end = self.back_end.as_mut().ok_or(FollowError::NoBackEnd)?;
        let uri = uri.to_owned();
        let followed = Followed { presentity, uri };
        if let Some((_, known)) = back_end.by_name.get_mut(&followed) {
            if why == Why::Application {
                *known = why;
            }
            return Ok(());
        }
        let order = WatchOrder::new(&back_end.account, &followed.uri);
        let key = back_end.watcher.watch(now, order)?;
        back_end.by_key.insert(key, followed.clone());
        back_end.by_name.insert(followed, (key, why));
        Ok(())
    }

    /// Asks those again who have refused, or could not be reached: the presentity is there.
    pub(super) fn ask_again(&mut self, now: Timestamp, presentity: &str) {
        let Some(back_end) = &mut self.back_end else {
            return;
        };
        let first = Followed {
            presentity: presentity.to_owned(),
            uri: String::new(),
        };
        let known = back_end.by_name.range(first..);
        for (_, (key, _)) in known.take_while(|(followed, _)| followed.presentity == presentity) {
            back_end.watcher.renew(now, *key);
        }
    }

    fn unfollow_named(&mut self, now: Timestamp, followed: &Followed) -> bool {
        let Some(back_end) = &mut self.back_end else {
            return false;
        };
        let Some((key, _)) = back_end.by_name.remove(followed) else {
            return false;
        };
        back_end.by_key.remove(&key);
        // One that is over already is over.
        let _ = back_end.watcher.end(now, key);
        let name = (Source::Subscription, &*followed.uri);
        self.drop_source(now, &followed.presentity, name);
        true
    }

    /// Follows those contacts of a presentity that are presence agents, unless its watchers go there, and no
    /// others.
    pub(super) fn follow_agents(&mut self, now: Timestamp, presentity: &str) {
        self.reconsider_migration(now, presentity);
        let Some(back_end) = &self.back_end else {
            return;
        };
        let first = Followed {
            presentity: presentity.to_owned(),
            uri: String::new(),
        };
        let known = back_end.by_name.range(first..);
        let known = known.take_while(|(followed, _)| followed.presentity == presentity);
        let known = known.filter(|(_, (_, why))| *why == Why::Registration);
        let known: Vec<Followed> = known.map(|(followed, _)| followed.clone()).collect();
        let mut wanted: Vec<String> = Vec::new();
        if self.follows_agents && self.device_of(now, presentity).is_none() {
            let contacts = self.server.look_at(presentity, |_, (_, state, _)| {
                let contacts = state.sources.contacts.iter();
                let agents = contacts.filter(|contact| contact.declares_presence_agent());
                agents.map(|contact| contact.uri.clone()).collect()
            });
            wanted = contacts.unwrap_or_default();
        }
        for followed in known.iter().filter(|it| !wanted.contains(&it.uri)) {
            self.unfollow_named(now, followed);
        }
        for uri in wanted {
            // A contact that leads back here, or that nothing can be asked of, is none to follow.
            let _ = self.follow_named(now, presentity.to_owned(), &uri, Why::Registration);
        }
    }

    pub(super) fn is_for_back_end(&self, request: &RequestRef<'_>) -> bool {
        let back_end = self.back_end.as_ref();
        back_end.is_some_and(|back_end| back_end.watcher.owns(request))
    }

    pub(super) fn notify_back_end(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Backlog> {
        match &mut self.back_end {
            Some(back_end) => (back_end.watcher).handle_request(now, transaction, request, context),
            None => Ok(()),
        }
    }

    /// The back end, if a transaction is one of its own.
    pub(super) fn back_end_of(&mut self, transaction: ClientTransaction) -> Option<&mut BackEnd> {
        let back_end = self.back_end.as_deref_mut()?;
        (back_end.watcher.role() == transaction.role()).then_some(back_end)
    }

    /// Takes what the back end has to say, until something comes out.
    pub(super) fn poll_back_end(&mut self) {
        while self.outbox.is_empty() {
            let Some(output) = (self.back_end.as_mut()).and_then(|it| it.watcher.poll_output())
            else {
                return;
            };
            match output {
                WatcherOutput::Respond(response) => {
                    self.outbox.push_back(Output::Respond(response));
                }
                WatcherOutput::Send(request) => self.outbox.push_back(Output::Send(request)),
                WatcherOutput::NeedCredentials(need) => {
                    self.outbox.push_back(Output::NeedCredentials(need));
                }
                WatcherOutput::Event(event) => self.heed_back_end(event),
                WatcherOutput::Resolve(resolve) => {
                    // No pres URI is watched here.
                    if let Some(back_end) = &mut self.back_end {
                        back_end
                            .watcher
                            .decline_targets(self.server.now(), resolve.key);
                    }
                }
                // Its key could be taken for one of the server's: such bodies wait until they are late.
                WatcherOutput::Open(_) => {}
            }
        }
    }

    fn heed_back_end(&mut self, event: WatcherEvent) {
        let now = self.server.now();
        match event {
            WatcherEvent::Changed(change) => {
                self.take_from_back_end(now, change.key, change.after.as_deref().cloned());
            }
            // It may have been lost, and be the same again.
            WatcherEvent::Confirmed { key }
            | WatcherEvent::State {
                key,
                state: NotifiedState::Active,
            } => {
                let known = (self.back_end.as_ref()).and_then(|it| it.watcher.presence(key));
                if let Some(known) = known.cloned() {
                    self.take_from_back_end(now, key, Some(known));
                }
            }
            WatcherEvent::Ended { key, end, .. } => {
                if end.reason() != Some(Reason::Invariant) {
                    self.take_from_back_end(now, key, None);
                }
            }
            WatcherEvent::Over { key, .. } => {
                self.take_from_back_end(now, key, None);
                if let Some(back_end) = &mut self.back_end
                    && let Some(followed) = back_end.by_key.remove(&key)
                {
                    back_end.by_name.remove(&followed);
                }
            }
            WatcherEvent::State { .. }
            | WatcherEvent::Unreadable { .. }
            | WatcherEvent::Unpatched { .. }
            | WatcherEvent::Outdated { .. }
            | WatcherEvent::Unprotected { .. }
            | WatcherEvent::BodyRefused { .. }
            | WatcherEvent::Failed { .. }
            | WatcherEvent::Delayed { .. } => {}
        }
    }

    fn take_from_back_end(
        &mut self,
        now: Timestamp,
        key: OwnSubscriptionKey,
        document: Option<Presence>,
    ) {
        let followed = self.back_end.as_ref().and_then(|it| it.by_key.get(&key));
        let Some(Followed { presentity, uri }) = followed.cloned() else {
            return;
        };
        let name = (Source::Subscription, &*uri);
        match document {
            // Without room for it, it is no part.
            Some(document) => drop(self.put_source(now, &presentity, name, document, None)),
            None => drop(self.drop_source(now, &presentity, name)),
        }
        self.reconsider_migration(now, &presentity);
    }
}
