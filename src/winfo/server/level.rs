//! One level: who watches the subscriptions of one package, and how those stand.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use super::config::WatcherInfoConfig;
use super::package::{InfoPackage, uri_of};
use super::policy::InfoPolicy;
use super::table::{Sight, Table};
use super::undecided::UndecidedTable;
use crate::engine::{Entropy, Timestamp};
use crate::event::{
    Decision, EndReason, Output, Package, Reason, Server, ServerConfig, ServerEvent, Subject,
    SubscriptionInfo, SubscriptionKey,
};
use crate::winfo::{WatcherEntry, WatcherEvent, WatcherStatus};

/// What one level has done that its server does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) left_out: u64,
    pub(super) given_up: u64,
}

#[derive(Debug)]
pub(super) struct Level<P: InfoPolicy> {
    pub(super) server: Server<InfoPackage<P>>,
    pub(super) undecided: UndecidedTable,
    pub(super) tally: Tally,
    /// Pending subscriptions of the watched package that are given up.
    pub(super) overdue: VecDeque<SubscriptionKey>,
    /// Rows that are new, of which is not known yet when they run out.
    fresh: VecDeque<(Arc<str>, SubscriptionKey)>,
    give_up_after: Duration,
    terminated: usize,
    uri: usize,
    timers_per_call: usize,
}

/// New rows whose end is looked up with the next poll. Who never polls learns of no ends.
const MOST_FRESH: usize = 65_536;

impl<P: InfoPolicy> Level<P> {
    pub(super) fn new(
        package: InfoPackage<P>,
        server: ServerConfig,
        config: &WatcherInfoConfig,
        entropy: impl Entropy + Send + 'static,
    ) -> Self {
        let timers_per_call = usize::try_from(server.timers_per_call).unwrap_or(usize::MAX);
        Self {
            server: Server::new(package, server, entropy),
            undecided: UndecidedTable::new(config),
            tally: Tally::default(),
            overdue: VecDeque::new(),
            fresh: VecDeque::new(),
            give_up_after: config.give_up_after,
            terminated: config.terminated_per_resource,
            uri: config.uri,
            timers_per_call: timers_per_call.max(1),
        }
    }

    // ---- what happens to the subscriptions that are watched ---------------------------------

    pub(super) fn observe(&mut self, now: Timestamp, event: &ServerEvent) {
        match event {
            ServerEvent::SubscriptionStarted { subject, decision } => {
                self.began(now, subject, decision);
            }
            ServerEvent::SubscriptionChanged { subject, decision } => {
                self.changed(now, subject, decision);
            }
            ServerEvent::SubscriptionEnded { subject, reason } => {
                self.ended(now, subject, *reason);
            }
            _ => {}
        }
    }

    fn began(&mut self, now: Timestamp, subject: &Subject, decision: &Decision) {
        let is_pending = match decision {
            Decision::Pending => true,
            Decision::Allow(_) | Decision::PoliteBlock => false,
            Decision::Reject(_) => return,
        };
        // Most are watched by nobody.
        if !is_pending && !self.server.has_resource(&subject.resource) {
            return;
        }
        let Some(watcher) = self.watcher_of(subject) else {
            self.tally.left_out += 1;
            return;
        };
        let (key, resource) = (subject.key, Arc::clone(&subject.resource));
        let mut superseded = Vec::new();
        self.server.update_state(now, &resource, |table| {
            superseded = table.waiting_of(&watcher);
            let is_known = table.row(key).is_some();
            if is_known || !(is_pending || table.shows(&watcher)) {
                return false;
            }
            let status = match is_pending {
                true => WatcherStatus::Pending,
                false => WatcherStatus::Active,
            };
            table.insert(key, &watcher, status, WatcherEvent::Subscribe);
            table.shows(&watcher)
        });
        let why = match is_pending {
            true => WatcherEvent::GiveUp,
            false => WatcherEvent::Approved,
        };
        for earlier in superseded {
            self.end(now, &resource, earlier, why);
        }
        self.look_up_later(&resource, key);
        if is_pending {
            self.wait(now, key, &watcher, &resource);
        }
    }

    fn changed(&mut self, now: Timestamp, subject: &Subject, decision: &Decision) {
        if *decision != Decision::Pending && !self.server.has_resource(&subject.resource) {
            return;
        }
        let Some(watcher) = self.watcher_of(subject) else {
            return;
        };
        let (key, resource) = (subject.key, Arc::clone(&subject.resource));
        match decision {
            Decision::Pending => {
                // RFC 5025 takes a permission back to where it was before.
                self.set(now, &resource, key, &watcher, WatcherStatus::Pending);
                self.wait(now, key, &watcher, &resource);
            }
            Decision::Allow(_) | Decision::PoliteBlock => {
                self.undecided.leave(key);
                self.set(now, &resource, key, &watcher, WatcherStatus::Active);
            }
            // Its end is told next.
            Decision::Reject(_) => {}
        }
    }

    /// A subscription goes on as pending or active; other changes of what it shows concern nobody.
    fn set(
        &mut self,
        now: Timestamp,
        resource: &Arc<str>,
        key: SubscriptionKey,
        watcher: &Arc<str>,
        status: WatcherStatus,
    ) {
        let is_active = status == WatcherStatus::Active;
        let event = match is_active {
            true => WatcherEvent::Approved,
            false => WatcherEvent::Subscribe,
        };
        self.server.update_state(now, resource, |table| {
            let is_shown = table.shows(watcher);
            match table.row(key).map(|row| row.status) {
                Some(before) if before == status => false,
                Some(_) if is_active && !is_shown => {
                    table.remove(key);
                    false
                }
                Some(_) => table.change(key, status, event) && is_shown,
                None if is_active && !is_shown => false,
                None => {
                    table.insert(key, watcher, status, event);
                    is_shown
                }
            }
        });
    }

    fn ended(&mut self, now: Timestamp, subject: &Subject, reason: EndReason) {
        if !self.server.has_resource(&subject.resource) {
            return;
        }
        let (key, resource) = (subject.key, Arc::clone(&subject.resource));
        let event = event_of(reason);
        let mut waits = None;
        self.server.update_state(now, &resource, |table| {
            let row = table.row(key);
            let pending = row.filter(|row| row.status == WatcherStatus::Pending);
            let Some(row) = pending.filter(|_| event == WatcherEvent::Timeout) else {
                return false;
            };
            let watcher = Arc::clone(&row.watcher);
            let earlier = table.waiting_of(&watcher);
            let is_shown = table.shows(&watcher);
            table.change(key, WatcherStatus::Waiting, event);
            waits = Some((watcher, earlier));
            is_shown
        });
        let Some((watcher, earlier)) = waits else {
            self.end(now, &resource, key, event);
            return;
        };
        for earlier in earlier {
            self.end(now, &resource, earlier, WatcherEvent::GiveUp);
        }
        self.wait(now, key, &watcher, &resource);
    }

    /// One is over for those who watch.
    fn end(&mut self, now: Timestamp, resource: &str, key: SubscriptionKey, event: WatcherEvent) {
        self.undecided.leave(key);
        let most = self.terminated;
        self.server.update_state(now, resource, |table| {
            let status = table.row(key).map(|row| row.status);
            // From `active` nothing leads to giving up (RFC 3857 section 4.7.1).
            let event = match (status, event) {
                (Some(WatcherStatus::Active), WatcherEvent::GiveUp) => WatcherEvent::Timeout,
                (_, event) => event,
            };
            table.end_row(key, event, most)
        });
    }

    /// The watcher by the name that documents have for it; nothing when it has none.
    fn watcher_of(&self, subject: &Subject) -> Option<Arc<str>> {
        let watcher = subject.watcher.as_ref()?;
        fits(watcher, self.uri).then(|| Arc::clone(watcher))
    }

    // ---- decisions --------------------------------------------------------------------------

    /// From now on one waits for a decision.
    fn wait(
        &mut self,
        now: Timestamp,
        key: SubscriptionKey,
        watcher: &Arc<str>,
        resource: &Arc<str>,
    ) {
        let gives_up = now + self.give_up_after;
        self.undecided.enter(key, gives_up, watcher, resource);
        while let Some(oldest) = self.undecided.surplus(watcher, resource) {
            self.give_up(now, oldest);
        }
    }

    fn give_up(&mut self, now: Timestamp, key: SubscriptionKey) {
        let Some(undecided) = self.undecided.leave(key) else {
            return;
        };
        self.tally.given_up += 1;
        let mut is_live = false;
        self.server.update_state(now, &undecided.resource, |table| {
            let row = table.row(key);
            is_live = row.is_some_and(|row| row.status == WatcherStatus::Pending);
            false
        });
        if is_live {
            // It is over when its own server says so.
            self.overdue.push_back(key);
        } else {
            self.end(now, &undecided.resource, key, WatcherEvent::GiveUp);
        }
    }

    /// The decision about those of a watcher that ran out without one; tells how many there were.
    pub(super) fn decided(
        &mut self,
        now: Timestamp,
        watcher: &str,
        resource: &str,
        decision: &Decision,
    ) -> usize {
        let event = match decision {
            Decision::Allow(_) | Decision::PoliteBlock => WatcherEvent::Approved,
            Decision::Reject(_) => WatcherEvent::Rejected,
            Decision::Pending => return 0,
        };
        if !self.server.has_resource(resource) {
            return 0;
        }
        let mut waiting = Vec::new();
        self.server.update_state(now, resource, |table| {
            waiting = table.waiting_of(watcher);
            false
        });
        for key in &waiting {
            self.end(now, resource, *key, event);
        }
        waiting.len()
    }

    /// Gives up those whose time is over; a bounded piece of work.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        self.server.handle_timeout(now);
        for _ in 0..self.timers_per_call {
            let Some(key) = self.undecided.due(now) else {
                break;
            };
            self.give_up(now, key);
        }
    }

    // ---- those who watch --------------------------------------------------------------------

    /// The next output of the server, whose documents are complete by then.
    pub(super) fn poll<Q: Package>(
        &mut self,
        now: Timestamp,
        parent: &Server<Q>,
    ) -> Option<Output> {
        self.look_up(now, parent);
        let output = self.server.poll_output()?;
        if let Output::Event(
            ServerEvent::SubscriptionStarted { subject, decision }
            | ServerEvent::SubscriptionChanged { subject, decision },
        ) = &output
        {
            self.attend(now, subject, decision, parent);
        }
        Some(output)
    }

    /// Somebody watches from now on, or sees something else. The NOTIFY for it comes after the event.
    fn attend<Q: Package>(
        &mut self,
        now: Timestamp,
        subject: &Subject,
        decision: &Decision,
        parent: &Server<Q>,
    ) {
        let sight = match (decision, &subject.watcher) {
            (Decision::Allow(view), _) if view.name().is_none() => Sight::Everybody,
            (Decision::Allow(_), Some(watcher)) => Sight::Own(Arc::clone(watcher)),
            (Decision::Allow(_) | Decision::PoliteBlock | Decision::Pending, _) => Sight::Nobody,
            (Decision::Reject(_), _) => return,
        };
        let resource = &subject.resource;
        let most = self.uri;
        let (mut left_out, mut pending) = (0, Vec::new());
        self.server.update_state(now, resource, |table| {
            let was_complete = table.is_complete();
            table.admit(subject.key, sight.clone());
            let add = |it: SubscriptionInfo<'_>| match it.watcher {
                Some(watcher) if fits(watcher, most) => {
                    if fill(table, &it) {
                        pending.push((it.key, Arc::from(watcher)));
                    }
                }
                _ => left_out += 1,
            };
            match &sight {
                _ if was_complete => {}
                Sight::Everybody => parent.subscriptions_of_resource(resource).for_each(add),
                Sight::Own(watcher) => parent
                    .subscriptions_of_watcher(watcher, resource)
                    .for_each(add),
                Sight::Nobody => {}
            }
            false
        });
        for (key, watcher) in pending {
            self.wait(now, key, &watcher, resource);
        }
        self.tally.left_out += left_out;
    }

    /// When a new row runs out.
    fn look_up_later(&mut self, resource: &Arc<str>, key: SubscriptionKey) {
        if self.fresh.len() < MOST_FRESH {
            self.fresh.push_back((Arc::clone(resource), key));
        }
    }

    /// Learns when subscriptions run out: new ones, and those that somebody is told of who has prolonged
    /// its own.
    fn look_up<Q: Package>(&mut self, now: Timestamp, parent: &Server<Q>) {
        while let Some((resource, key)) = self.fresh.pop_front() {
            let Some(info) = parent.subscription(key) else {
                continue;
            };
            if self.server.has_resource(&resource) {
                self.server.update_state(now, &resource, |table| {
                    table.set_expiry(key, info.expires_at);
                    false
                });
            }
        }
        while let Some((resource, key)) = self.server.package_mut().asked.pop_front() {
            if !self.server.has_resource(&resource) {
                continue;
            }
            self.server.update_state(now, &resource, |table| {
                match table.sight(key).cloned() {
                    Some(Sight::Everybody) => parent
                        .subscriptions_of_resource(&resource)
                        .for_each(|it| table.set_expiry(it.key, it.expires_at)),
                    Some(Sight::Own(watcher)) => parent
                        .subscriptions_of_watcher(&watcher, &resource)
                        .for_each(|it| table.set_expiry(it.key, it.expires_at)),
                    Some(Sight::Nobody) | None => {}
                }
                false
            });
        }
    }
}

/// Whether the URI of a watcher has no more octets than it may, and none that no document can hold.
fn fits(watcher: &str, most: usize) -> bool {
    let uri = uri_of(watcher);
    let shown = uri.len() <= most;
    shown
        && WatcherEntry::new("w", uri, WatcherStatus::Active, WatcherEvent::Subscribe)
            .check()
            .is_ok()
}

/// A row for a subscription that was there before anybody watched; tells whether it waits for a decision.
fn fill(table: &mut Table, info: &SubscriptionInfo<'_>) -> bool {
    let (Some(watcher), None) = (info.watcher, table.row(info.key)) else {
        table.set_expiry(info.key, info.expires_at);
        return false;
    };
    let is_pending = *info.decision == Decision::Pending;
    let status = match is_pending {
        true => WatcherStatus::Pending,
        false => WatcherStatus::Active,
    };
    let watcher = Arc::from(watcher);
    table.insert(info.key, &watcher, status, WatcherEvent::Subscribe);
    table.set_expiry(info.key, info.expires_at);
    is_pending
}

/// What the end of a subscription is in the model of RFC 3857 section 4.7.1.
fn event_of(reason: EndReason) -> WatcherEvent {
    match reason {
        EndReason::Rejected | EndReason::Terminated(Reason::Rejected) => WatcherEvent::Rejected,
        EndReason::Terminated(Reason::Deactivated) => WatcherEvent::Deactivated,
        EndReason::Terminated(Reason::Probation) => WatcherEvent::Probation,
        EndReason::Terminated(Reason::GiveUp) => WatcherEvent::GiveUp,
        EndReason::Terminated(Reason::NoResource) => WatcherEvent::NoResource,
        EndReason::Terminated(Reason::Timeout | Reason::Invariant | Reason::BadFilter)
        | EndReason::Unsubscribed
        | EndReason::Fetched
        | EndReason::Expired
        | EndReason::NotifyRejected(_)
        | EndReason::NotifyTimeout
        | EndReason::NotifyUnsent
        | EndReason::NotifyForgotten => WatcherEvent::Timeout,
    }
}
