//! Watchers that are sent to somebody else (RFC 3856 section 6.11.2).

use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Agent, UnknownPresentity};
use crate::engine::{ServerTransaction, Timestamp};
use crate::event::{
    Forward, Forwarded, Output, Reason, SubscribeBodies, SubscriptionKey, Termination,
};
use crate::presence::composition::Source;
use crate::presence::config::Migration;
use crate::presence::policy::Policy;
use crate::sip::{HeaderName, RequestRef, Uri};

/// How long nobody is sent to a contact that could not be reached.
const SPARED: Duration = Duration::from_secs(60);
/// Departures that are later than this are not made up for.
const LATEST: Duration = Duration::from_secs(1);
/// Watchers that one call sends away.
const DEPARTURES_PER_CALL: usize = 64;

/// Those who are still to be sent away.
#[derive(Debug)]
pub(super) struct Departures {
    migration: Migration,
    /// The time between two of them that are sent to a device.
    spacing: Duration,
    leaving: VecDeque<Leaving>,
    /// Presentities whose watchers are among them on the way to a device.
    presentities: BTreeSet<Arc<str>>,
    next: Option<Timestamp>,
    drain: Option<Drain>,
}

/// Some who leave together.
#[derive(Debug)]
struct Leaving {
    /// Whose device they go to, if it is still there; nothing for those who go where the agent's successor
    /// is.
    presentity: Option<Arc<str>>,
    keys: std::vec::IntoIter<Leaver>,
}

/// One who is to leave.
#[derive(Debug, Clone, Copy)]
enum Leaver {
    Watcher(SubscriptionKey),
    /// Of watcher information, by its level.
    OfInfo(u8, SubscriptionKey),
}

/// The whole agent is being emptied.
#[derive(Debug)]
struct Drain {
    spacing: Duration,
    target: Option<Arc<str>>,
    retry_after: u32,
}

impl Departures {
    pub(super) fn new(migration: Migration, per_second: u32) -> Self {
        Self {
            migration,
            spacing: Duration::from_secs(1) / per_second.max(1),
            leaving: VecDeque::new(),
            presentities: BTreeSet::new(),
            next: None,
            drain: None,
        }
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    pub(super) fn len(&self) -> usize {
        self.leaving.iter().map(|leaving| leaving.keys.len()).sum()
    }

    fn spacing(&self) -> Duration {
        self.drain.as_ref().map_or(self.spacing, |it| it.spacing)
    }
}

impl<P: Policy, B: SubscribeBodies> Agent<P, B> {
    /// Empties the agent, for maintenance: its subscriptions, those to watcher information first, are ended with `deactivated`, evenly over this
    /// time, and a SUBSCRIBE that would make a new one is forwarded to `target`, or, without one,
    /// answered 503 with this Retry-After in seconds. Refreshes are answered until a subscription's turn
    /// has come. Publications stay. Tells how many subscriptions there are.
    ///
    /// # Errors
    /// When the target is no SIP URI.
    pub fn drain(
        &mut self,
        now: Timestamp,
        over: Duration,
        target: Option<&str>,
        retry_after: u32,
    ) -> Result<usize, InvalidTarget> {
        if !target.is_none_or(|text| matches!(Uri::parse(text), Ok(Uri::Sip(_)))) {
            return Err(InvalidTarget);
        }
        self.advance(now);
        let mut keys: Vec<Leaver> = Vec::new();
        if let Some(info) = self.watcher_info() {
            // Or they would be told of all the others that leave.
            for (level, _) in (1..=u8::MAX).zip(info.event_types()) {
                let all = info.subscriptions(level);
                keys.extend(all.map(|it| Leaver::OfInfo(level, it.key)));
            }
        }
        let watchers = self.server.subscriptions();
        keys.extend(watchers.map(|it| Leaver::Watcher(it.key)));
        let count = keys.len();
        let steps = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        self.departures.drain = Some(Drain {
            spacing: over / steps,
            target: target.map(Arc::from),
            retry_after,
        });
        self.departures.presentities.clear();
        self.departures.leaving = VecDeque::from([Leaving {
            presentity: None,
            keys: keys.into_iter(),
        }]);
        self.departures.next = (count > 0).then_some(now);
        Ok(count)
    }

    /// A subscription began while the agent is being emptied.
    pub(super) fn drain_one(&mut self, key: SubscriptionKey) {
        let now = self.server.now();
        let departures = &mut self.departures;
        if departures.drain.is_some() {
            departures.leaving.push_back(Leaving {
                presentity: None,
                keys: vec![Leaver::Watcher(key)].into_iter(),
            });
            departures.next.get_or_insert(now);
        }
    }

    /// Goes back to serving. Who was sent away stays away until it comes back. Tells whether the agent was
    /// being emptied, or is empty for that.
    pub fn stop_draining(&mut self) -> bool {
        let departures = &mut self.departures;
        let was_draining = departures.drain.take().is_some();
        if was_draining {
            departures.leaving.clear();
            departures.next = None;
            if departures.migration != Migration::Never {
                // Whose device has come meanwhile, or whose watchers were on their way to it.
                let now = self.server.now();
                let names: Vec<String> =
                    (self.server.resource_names()).map(str::to_owned).collect();
                for name in names {
                    self.reconsider_migration(now, &name);
                }
            }
        }
        was_draining
    }

    /// What became of a SUBSCRIBE that was forwarded: its final status, or nothing when there was none.
    /// What it tells says who answers the watcher.
    ///
    /// 405 and 489 say that a contact is no presence agent, which is remembered for as long as it is
    /// registered (RFC 3856 section 6.11.2); one that cannot be reached, or fails, is left alone for a
    /// minute.
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn report_forwarded(
        &mut self,
        now: Timestamp,
        presentity: &str,
        target: &str,
        status: Option<u16>,
    ) -> Result<Forwarded, UnknownPresentity> {
        self.advance(now);
        let name = self.presentity(presentity)?;
        let is_no_agent = matches!(status, Some(405 | 489));
        let is_absent = matches!(status, None | Some(408 | 430 | 480 | 500..=599));
        let drain = self.departures.drain.as_ref();
        let is_successor = drain.is_some_and(|drain| drain.target.as_deref() == Some(target));
        if is_successor || (!is_no_agent && !is_absent) {
            // Whom the successor turns away nobody else takes.
            return Ok(Forwarded::PassOn);
        }
        let mut is_contact = false;
        self.change_sources(now, &name, |state| {
            let sources = &mut state.sources;
            is_contact = sources.contacts.iter().any(|contact| contact.uri == target);
            if is_contact && is_no_agent && !sources.refused.iter().any(|uri| uri == target) {
                sources.refused.push(target.to_owned());
            }
            if is_contact && is_absent {
                sources.spared_until = Some(now + SPARED);
            }
            false
        });
        // What another server or a contact that is gone says is for the watcher to hear.
        Ok(match is_contact || self.departures.drain.is_none() {
            true => Forwarded::ServeHere,
            false => Forwarded::PassOn,
        })
    }

    /// Whether somebody else is to answer a request. If so it has been dealt with.
    pub(super) fn send_on(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
    ) -> bool {
        let departures = &self.departures;
        if departures.drain.is_none() && departures.migration == Migration::Never {
            return false;
        }
        let Some((resource, target)) = self.other_agent(now, request) else {
            return false;
        };
        match target {
            Some(target) => self.outbox.push_back(Output::Forward(Forward {
                transaction,
                resource: resource.into(),
                target,
                keeps_uri: self.departures.drain.is_some(),
            })),
            None => {
                let drain = self.departures.drain.as_ref();
                let retry_after = drain.map_or(0, |drain| drain.retry_after);
                self.server
                    .turn_away(now, transaction, request, retry_after);
            }
        }
        true
    }

    /// Whose presence a new SUBSCRIBE asks for, and where to ask; nowhere for now when there is no target.
    fn other_agent(
        &mut self,
        now: Timestamp,
        request: &RequestRef<'_>,
    ) -> Option<(String, Option<Arc<str>>)> {
        if request.method() != "SUBSCRIBE" || request.is_malformed() {
            return None;
        }
        let to = request.single(HeaderName::To).ok()??;
        let is_new = crate::sip::NameAddr::parse(to)
            .ok()?
            .params()
            .get("tag")
            .is_none();
        let is_own = self.server.owns(request)
            || (self.departures.drain.is_some()
                && (self.watcher_info()).is_some_and(|info| info.owns(request)));
        if !is_new || !is_own {
            return None;
        }
        let resource = self.presentity(request.uri()).ok()?;
        if let Some(drain) = &self.departures.drain {
            return Some((resource, drain.target.clone()));
        }
        let target = self.device_of(now, &resource)?;
        Some((resource, Some(target)))
    }

    /// The contact that is a presentity's presence agent, if it is to be that (RFC 3856 section 6.11.2).
    pub(super) fn device_of(&mut self, now: Timestamp, presentity: &str) -> Option<Arc<str>> {
        let migration = self.departures.migration;
        if migration == Migration::Never {
            return None;
        }
        let target = self
            .server
            .look_at(presentity, |package, (_, state, publications)| {
                let sources = &state.sources;
                let [contact] = &*sources.contacts else {
                    return None;
                };
                // What is followed at the contact itself it will tell by itself.
                let mut followed = sources.of(Source::Subscription);
                let is_composed = publications.len() > 1
                    || sources.of(Source::Application).next().is_some()
                    || followed.any(|part| part.name != contact.uri);
                let is_agent = match migration {
                    Migration::Never => false,
                    Migration::ToDeclared => contact.declares_presence_agent(),
                    Migration::ToAny => !contact.denies_presence_agent(),
                };
                let is_refused = sources.refused.contains(&contact.uri);
                let is_spared = sources.spared_until.is_some_and(|until| now < until);
                let is_over = contact.expires_at <= now;
                let leads_back = Uri::parse(&contact.uri)
                    .is_ok_and(|contact| package.leads_back(&contact, presentity));
                (is_agent && !leads_back && !is_composed && !is_refused && !is_spared && !is_over)
                    .then(|| Arc::from(&*contact.uri))
            });
        target.flatten()
    }

    /// What is registered or published for a presentity has changed: its watchers may be better served by
    /// its device.
    pub(super) fn reconsider_migration(&mut self, now: Timestamp, presentity: &str) {
        let is_busy = self.departures.drain.is_some();
        let is_leaving = self.departures.presentities.contains(presentity);
        if is_busy || is_leaving || self.device_of(now, presentity).is_none() {
            return;
        }
        let keys = self.server.keys_of_resource(presentity);
        if keys.is_empty() {
            return;
        }
        let name: Arc<str> = presentity.into();
        self.departures.presentities.insert(Arc::clone(&name));
        let keys: Vec<Leaver> = keys.into_iter().map(Leaver::Watcher).collect();
        self.departures.leaving.push_back(Leaving {
            presentity: Some(name),
            keys: keys.into_iter(),
        });
        self.departures.next.get_or_insert(now);
    }

    /// Sends away those whose time has come.
    pub(super) fn depart(&mut self, now: Timestamp) {
        for _ in 0..DEPARTURES_PER_CALL {
            let Some(at) = self.departures.next.filter(|at| *at <= now) else {
                return;
            };
            // A host that was late does not send them away all at once.
            let at = match now.saturating_since(at) > LATEST {
                true => now,
                false => at,
            };
            let Some(first) = self.departures.leaving.front_mut() else {
                self.departures.next = None;
                return;
            };
            let (presentity, key) = (first.presentity.clone(), first.keys.next());
            let has_device = match &presentity {
                Some(presentity) => self.device_of(now, presentity).is_some(),
                None => true,
            };
            let Some(key) = key.filter(|_| has_device) else {
                self.departures.leaving.pop_front();
                if let Some(presentity) = presentity {
                    self.departures.presentities.remove(&presentity);
                }
                continue;
            };
            let termination = Termination::new(Reason::Deactivated);
            let sent = match key {
                Leaver::Watcher(key) => self.server.terminate(now, key, termination).is_ok(),
                Leaver::OfInfo(level, key) => self
                    .watcher_info_mut()
                    .is_some_and(|info| info.terminate(now, level, key, termination).is_ok()),
            };
            // Who has gone already takes no time.
            let spacing = self.departures.spacing();
            self.departures.next = Some(if sent { at + spacing } else { at });
        }
    }
}

/// The text is no URI of SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no SIP URI")]
pub struct InvalidTarget;
