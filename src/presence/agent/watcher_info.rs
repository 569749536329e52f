//! Who watches a presentity, to those who may know (RFC 3857).

use std::sync::{Arc, Mutex, PoisonError};

use super::{Agent, RoleTaken};
use crate::engine::{Entropy, Timestamp};
use crate::event::{
    Authorization, Decision, Output, Package, ServerEvent, SubscribeBodies, SubscribeQuery,
    Unserved,
};
use crate::presence::policy::Policy;
use crate::sip::{RequestRef, Uri};
use crate::winfo::{
    InfoPolicy, RecommendedInfoPolicy, WatcherInfoConfig, WatcherInfoServer,
    WatcherInfoServerOutput,
};

/// Who may learn who watches, as an agent's application says it.
///
/// It names presentities as the agent does.
#[derive(Clone)]
pub struct AgentInfoPolicy {
    decide: Arc<Mutex<Decide>>,
    /// What the agent makes of the Request-URI of the request that is being dealt with.
    named: Arc<Mutex<Option<Result<String, Unserved>>>>,
}

type Decide = dyn FnMut(u8, &SubscribeQuery<'_>) -> Authorization + Send;

impl core::fmt::Debug for AgentInfoPolicy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AgentInfoPolicy").finish_non_exhaustive()
    }
}

impl InfoPolicy for AgentInfoPolicy {
    fn subscribe(&mut self, level: u8, query: &SubscribeQuery<'_>) -> Authorization {
        let mut decide = self.decide.lock().unwrap_or_else(PoisonError::into_inner);
        decide(level, query)
    }

    fn resource(&self, _: &Uri<'_>) -> Result<String, Unserved> {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.clone().unwrap_or(Err(Unserved::NotHere))
    }
}

/// Watcher information over the agent's own server.
#[derive(Debug)]
pub(super) struct Info {
    pub(super) server: WatcherInfoServer<AgentInfoPolicy>,
    named: Arc<Mutex<Option<Result<String, Unserved>>>>,
}

impl<P: Policy, B: SubscribeBodies> Agent<P, B> {
    /// Has the agent serve watcher information too (RFC 3857): who has proved to be a presentity learns who
    /// watches it and who waits for its word, others about themselves alone
    /// ([`RecommendedInfoPolicy`]). What was served before ends without a word.
    ///
    /// Who decides for the presentity answers with [`decide_watcher`](Self::decide_watcher), or with other
    /// [rules](Self::set_rules).
    ///
    /// # Errors
    /// When one of the numbers of [roles](crate::event::ServerConfig::role), one for each level, is one of
    /// the agent's own.
    pub fn serve_watcher_info(
        &mut self,
        config: WatcherInfoConfig,
        entropy: impl Entropy + Send + 'static,
    ) -> Result<(), RoleTaken> {
        let mut policy = RecommendedInfoPolicy;
        let decide = move |level, query: &SubscribeQuery<'_>| policy.subscribe(level, query);
        self.serve_watcher_info_by(config, decide, entropy)
    }

    /// The same, where the application says who may learn what: see [`InfoPolicy::subscribe`].
    ///
    /// # Errors
    /// As for [`serve_watcher_info`](Self::serve_watcher_info).
    pub fn serve_watcher_info_by(
        &mut self,
        config: WatcherInfoConfig,
        decide: impl FnMut(u8, &SubscribeQuery<'_>) -> Authorization + Send + 'static,
        entropy: impl Entropy + Send + 'static,
    ) -> Result<(), RoleTaken> {
        let named = Arc::new(Mutex::new(None));
        let policy = AgentInfoPolicy {
            decide: Arc::new(Mutex::new(decide)),
            named: Arc::clone(&named),
        };
        let event_type = &self.server.package().profile().event_type;
        let server = WatcherInfoServer::new(event_type, policy, config, entropy);
        let others = self.back_end.as_ref().map(|it| it.watcher.role());
        let mut others = others.into_iter().chain([self.role]);
        if others.any(|role| server.owns_role(role)) {
            return Err(RoleTaken);
        }
        self.server.tell_of_events(server.event_types());
        self.info = Some(Box::new(Info { server, named }));
        Ok(())
    }

    /// What serves watcher information, to look at and to decide with.
    pub fn watcher_info(&self) -> Option<&WatcherInfoServer<AgentInfoPolicy>> {
        self.info.as_deref().map(|info| &info.server)
    }

    /// The same, to decide about those who ask for it and to end their subscriptions.
    pub fn watcher_info_mut(&mut self) -> Option<&mut WatcherInfoServer<AgentInfoPolicy>> {
        self.info.as_deref_mut().map(|info| &mut info.server)
    }

    /// What serves watcher information, if a request is for it; it has been told whom that is about.
    pub(super) fn info_for(
        &mut self,
        request: &RequestRef<'_>,
    ) -> Option<&mut WatcherInfoServer<AgentInfoPolicy>> {
        let info = self.info.as_deref_mut()?;
        if !info.server.owns(request) {
            return None;
        }
        let uri = Uri::parse(request.uri()).ok();
        let named = uri.map(|uri| self.server.package().resource(&uri));
        *info.named.lock().unwrap_or_else(PoisonError::into_inner) = named;
        Some(&mut info.server)
    }

    /// The next thing that watcher information has to say.
    pub(super) fn poll_info(&mut self) -> Option<Output> {
        loop {
            let info = self.info.as_deref_mut()?;
            match info.server.poll_output(&self.server)? {
                // Its keys are not those of the agent's subscriptions.
                WatcherInfoServerOutput::Serve {
                    output: Output::Event(_),
                    ..
                } => {}
                WatcherInfoServerOutput::Serve { output, .. } => return Some(output),
                WatcherInfoServerOutput::GiveUp(key) => {
                    let end = WatcherInfoServer::<AgentInfoPolicy>::give_up();
                    // Who is gone already has given up itself.
                    let _ = self.server.terminate(self.server.now(), key, end);
                    if let Some(output) = self.poll_server() {
                        return Some(output);
                    }
                }
            }
        }
    }

    /// Something happened to a subscription.
    pub(super) fn tell_info(&mut self, now: Timestamp, event: &ServerEvent) {
        if let Some(info) = self.info.as_deref_mut() {
            info.server.observe(now, event);
        }
    }

    /// What is decided of a watcher holds for those of its subscriptions too that have run out meanwhile.
    pub(super) fn tell_decision(
        &mut self,
        now: Timestamp,
        watcher: &str,
        presentity: &str,
        decision: &Decision,
    ) -> usize {
        let info = self.info.as_deref_mut();
        info.map_or(0, |info| {
            info.server.decided(now, watcher, presentity, decision)
        })
    }

    /// The rules of a presentity have changed: those who wait for a decision may have one.
    pub(super) fn review_waiting(&mut self, now: Timestamp, presentity: &str) {
        let Some(info) = self.info.as_deref() else {
            return;
        };
        let waiting = info.server.undecided_of(1, presentity);
        let waiting = waiting.filter(|it| self.server.subscription(it.key).is_none());
        let watchers: Vec<String> = waiting.map(|it| it.watcher.to_string()).collect();
        for watcher in watchers {
            let judged = self
                .server
                .review_absent(now, &watcher, presentity, |package, query| {
                    package.policy.review(query)
                });
            if let Some(decision) = judged.filter(|decision| *decision != Decision::Pending) {
                self.tell_decision(now, &watcher, presentity, &decision);
            }
        }
    }
}
