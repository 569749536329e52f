//! All levels of watcher information over one server.

use std::sync::{Arc, Mutex, PoisonError};

use super::config::WatcherInfoConfig;
use super::counters::{UndecidedInfo, WatcherInfoCounters};
use super::level::Level;
use super::package::{InfoPackage, TEMPLATE};
use super::policy::InfoPolicy;
use crate::engine::{ClientTransaction, Entropy, FlowId, ServerTransaction, Timestamp};
use crate::event::{
    Backlog, Counters, Decision, Failure, Occupancy, Output, Package, Reason, RequestContext,
    Server, ServerEvent, SubscriptionInfo, SubscriptionKey, Termination, UnknownSubscription,
};
use crate::sip::{RequestRef, ResponseRef};

/// One thing for the host to do, taken with
/// [`poll_output`](WatcherInfoServer::poll_output) until there is none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "what is not done is lost"]
pub enum WatcherInfoServerOutput {
    /// To be done as for any other server; keys in it are those of the level.
    Serve {
        /// 1 for `.winfo`, 2 for `.winfo.winfo`, and so on.
        level: u8,
        /// What to do.
        output: Output,
    },
    /// A pending subscription of the watched server has waited for a decision too long, or there are
    /// too many of them: it is to be ended there with
    /// [`Reason::GiveUp`](crate::event::Reason::GiveUp).
    GiveUp(SubscriptionKey),
}

/// The notifier of watcher information (RFC 3857) over the server of another package: who subscribes to
/// what there, and how that stands. It is applied to itself as deep as its
/// [configuration](WatcherInfoConfig::levels) says.
///
/// Documents are full after a SUBSCRIBE, and tell changes after that, not more often than once in the
/// [interval](crate::event::ServerConfig::notify_interval). Nothing is kept of resources that nobody
/// watches so, but for subscriptions that wait for a decision: these outlast their end as `waiting`,
/// until a decision or the time to give up comes.
///
/// It is driven as a [`Server`] is, beside the watched one:
///
/// - Requests that it [`owns`](Self::owns) are its own; outcomes of its client transactions go to it by
///   their [role](ClientTransaction::role).
/// - Each event that the watched server puts out goes to [`observe`](Self::observe) at once. Its outputs
///   are all taken before those of this one: so what is over as soon as it began is told to nobody.
/// - What is decided of a watcher is told to both servers, here by [`decided`](Self::decided).
///
/// ```
/// use presentity::event::{Output, Package, Server};
/// use presentity::engine::Timestamp;
/// use presentity::winfo::{InfoPolicy, WatcherInfoServerOutput, WatcherInfoServer};
///
/// fn next<P: Package, I: InfoPolicy>(
///     now: Timestamp,
///     server: &mut Server<P>,
///     info: &mut WatcherInfoServer<I>,
/// ) -> Option<Output> {
///     if let Some(output) = server.poll_output() {
///         if let Output::Event(event) = &output {
///             info.observe(now, event);
///         }
///         return Some(output);
///     }
///     match info.poll_output(server)? {
///         WatcherInfoServerOutput::Serve { output, .. } => Some(output),
///         WatcherInfoServerOutput::GiveUp(key) => {
///             let end = WatcherInfoServer::<I>::give_up();
///             let _ = server.terminate(now, key, end);
///             next(now, server, info)
///         }
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug)]
pub struct WatcherInfoServer<P: InfoPolicy> {
    /// The first is never missing.
    first: Level<P>,
    deeper: Vec<Level<P>>,
    role: u8,
    now: Timestamp,
}

/// Bytes for several levels from one source.
struct SharedEntropy<E>(Arc<Mutex<E>>);

impl<E: Entropy> Entropy for SharedEntropy<E> {
    fn fill(&mut self, buffer: &mut [u8]) {
        let mut source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        source.fill(buffer);
    }
}

impl<P: InfoPolicy> WatcherInfoServer<P> {
    /// Watcher information for the package of this event type, such as `presence`.
    pub fn new(
        event_type: &str,
        policy: P,
        config: WatcherInfoConfig,
        entropy: impl Entropy + Send + 'static,
    ) -> Self {
        let config = config.in_range();
        let role = config.server.role;
        let entropy = Arc::new(Mutex::new(entropy));
        let mut types = vec![event_type.to_owned()];
        for _ in 0..config.levels {
            let name = types.last().map_or("", String::as_str);
            types.push([name, TEMPLATE].concat());
        }
        let level = |number: u8, watched: &str| {
            let most = config.entries_per_document;
            let package = InfoPackage::new(policy.clone(), number, watched, most);
            let mut server = config.server.clone();
            server.role = role.wrapping_add(number - 1);
            let others = types
                .iter()
                .filter(|it| **it != package.profile().event_type);
            server.other_event_types.extend(others.cloned());
            let entropy = SharedEntropy(Arc::clone(&entropy));
            Level::new(package, server, &config, entropy)
        };
        let mut levels = (1..=config.levels).zip(&types);
        levels.next();
        Self {
            first: level(1, event_type),
            deeper: levels
                .map(|(number, watched)| level(number, watched))
                .collect(),
            role,
            now: Timestamp::ZERO,
        }
    }

    /// How to end what is given up.
    pub const fn give_up() -> Termination {
        Termination::new(Reason::GiveUp)
    }

    /// The event types that are served, the first level first.
    pub fn event_types(&self) -> impl Iterator<Item = &str> {
        self.levels()
            .map(|level| &*level.server.package().profile().event_type)
    }

    /// The policy of a level.
    pub fn policy_mut(&mut self, level: u8) -> Option<&mut P> {
        let level = self.level_mut(level)?;
        Some(&mut level.server.package_mut().policy)
    }

    fn levels(&self) -> impl Iterator<Item = &Level<P>> {
        core::iter::once(&self.first).chain(&self.deeper)
    }

    fn levels_mut(&mut self) -> impl Iterator<Item = &mut Level<P>> {
        core::iter::once(&mut self.first).chain(&mut self.deeper)
    }

    fn level(&self, level: u8) -> Option<&Level<P>> {
        self.levels().nth(usize::from(level.checked_sub(1)?))
    }

    fn level_mut(&mut self, level: u8) -> Option<&mut Level<P>> {
        self.levels_mut().nth(usize::from(level.checked_sub(1)?))
    }

    fn level_of(&mut self, transaction: ClientTransaction) -> Option<&mut Level<P>> {
        let level = transaction.role().wrapping_sub(self.role).checked_add(1)?;
        self.level_mut(level)
    }

    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    // ---- requests ---------------------------------------------------------------------------

    /// Whether a request is for this server: it belongs to a dialog here or, outside dialogs, names one
    /// of its [event types](Self::event_types).
    pub fn owns(&self, request: &RequestRef<'_>) -> bool {
        self.levels().any(|level| level.server.owns(request))
    }

    /// Whether outcomes of this client transaction are for this server.
    pub fn owns_transaction(&self, transaction: ClientTransaction) -> bool {
        self.owns_role(transaction.role())
    }

    /// Whether this is the number of one of its levels.
    pub fn owns_role(&self, role: u8) -> bool {
        usize::from(role.wrapping_sub(self.role)) <= self.deeper.len()
    }

    /// A request that opened a server transaction, as for [`Server::handle_request`]. One that is not
    /// [owned](Self::owns) is refused.
    ///
    /// # Errors
    /// [`Backlog`] when nothing happened and the host answers 503 itself.
    pub fn handle_request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Backlog> {
        self.advance(now);
        let place = self
            .deeper
            .iter_mut()
            .find(|level| level.server.owns(request));
        let level = place.unwrap_or(&mut self.first);
        level
            .server
            .handle_request(now, transaction, request, context)
    }

    /// The final response to a request of this server's.
    pub fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    ) {
        self.advance(now);
        if let Some(level) = self.level_of(transaction) {
            level.server.handle_response(now, transaction, response);
        }
    }

    /// A request of this server's got no final response.
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        failure: Failure,
    ) {
        self.advance(now);
        if let Some(level) = self.level_of(transaction) {
            level.server.handle_failure(now, transaction, failure);
        }
    }

    /// The credentials for a challenged NOTIFY, as for [`Server::provide_credentials`].
    pub fn provide_credentials(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        value: &str,
    ) -> bool {
        self.advance(now);
        self.level_of(transaction)
            .is_some_and(|level| level.server.provide_credentials(now, transaction, value))
    }

    /// There are no credentials for a challenged NOTIFY, as for [`Server::decline_credentials`].
    pub fn decline_credentials(&mut self, now: Timestamp, transaction: ClientTransaction) -> bool {
        self.advance(now);
        self.level_of(transaction)
            .is_some_and(|level| level.server.decline_credentials(now, transaction))
    }

    /// A connection is lost: requests to those who came by it go to their Contact from now on.
    pub fn handle_flow_lost(&mut self, now: Timestamp, flow: FlowId) {
        self.advance(now);
        for level in self.levels_mut() {
            level.server.handle_flow_lost(now, flow);
        }
    }

    // ---- time and outputs -------------------------------------------------------------------

    /// Time has passed. To be called at the deadline; earlier or more often does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        let now = self.now;
        for level in self.levels_mut() {
            level.handle_timeout(now);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); nothing when there is no deadline.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.levels()
            .flat_map(|level| [level.server.poll_timeout(), level.undecided.next()])
            .flatten()
            .min()
    }

    /// The next thing to do, `parent` being the watched server. Before the host sleeps it polls until
    /// there is none.
    pub fn poll_output<Q: Package>(
        &mut self,
        parent: &Server<Q>,
    ) -> Option<WatcherInfoServerOutput> {
        let now = self.now;
        while let Some(key) = self.first.overdue.pop_front() {
            // A fetch is over already.
            if parent.subscription(key).is_some() {
                return Some(WatcherInfoServerOutput::GiveUp(key));
            }
        }
        self.end_given_up();
        let mut output = self.first.poll(now, parent);
        let (mut level, mut above) = (1, &mut self.first);
        for below in &mut self.deeper {
            if let Some(output) = &output {
                if let Output::Event(event) = output {
                    below.observe(now, event);
                }
                break;
            }
            output = below.poll(now, &above.server);
            level += 1;
            above = below;
        }
        output.map(|output| WatcherInfoServerOutput::Serve { level, output })
    }

    /// Ends what deeper levels have given up, which are subscriptions here.
    fn end_given_up(&mut self) {
        let mut above = &mut self.first;
        for below in &mut self.deeper {
            while let Some(key) = below.overdue.pop_front() {
                let _ = above.server.terminate(self.now, key, Self::give_up());
            }
            above = below;
        }
    }

    // ---- what happens in the watched server -------------------------------------------------

    /// Something happened in the watched server.
    pub fn observe(&mut self, now: Timestamp, event: &ServerEvent) {
        self.advance(now);
        self.first.observe(self.now, event);
    }

    /// What was decided of a watcher, both named canonically: its subscriptions to the resource that ran
    /// out before are over with it. Tells how many there were. To be told beside
    /// [`Server::decide_watcher`], which is for those that live.
    pub fn decided(
        &mut self,
        now: Timestamp,
        watcher: &str,
        resource: &str,
        decision: &Decision,
    ) -> usize {
        self.advance(now);
        self.first.decided(self.now, watcher, resource, decision)
    }

    // ---- what happens to those who watch ----------------------------------------------------

    /// The decision about the subscriptions of a watcher to watcher information, as for
    /// [`Server::decide_watcher`]; tells how many there are.
    pub fn decide_watcher(
        &mut self,
        now: Timestamp,
        level: u8,
        watcher: &str,
        resource: &str,
        decision: &Decision,
    ) -> usize {
        self.advance(now);
        let now = self.now;
        let Some(own) = self.level_mut(level) else {
            return 0;
        };
        let live = own.server.decide_watcher(now, watcher, resource, decision);
        let waiting = self
            .level_mut(level.saturating_add(1))
            .map_or(0, |below| below.decided(now, watcher, resource, decision));
        live + waiting
    }

    /// Ends a subscription to watcher information.
    ///
    /// # Errors
    /// When there is no such subscription (any more).
    pub fn terminate(
        &mut self,
        now: Timestamp,
        level: u8,
        key: SubscriptionKey,
        termination: Termination,
    ) -> Result<(), UnknownSubscription> {
        self.advance(now);
        let level = self.level_mut(level).ok_or(UnknownSubscription)?;
        level.server.terminate(now, key, termination)
    }

    /// Ends every subscription to watcher information; tells how many there were.
    pub fn terminate_all(&mut self, now: Timestamp, termination: Termination) -> usize {
        self.advance(now);
        self.levels_mut()
            .map(|level| level.server.terminate_all(now, termination))
            .sum()
    }

    // ---- to look at -------------------------------------------------------------------------

    /// The live subscriptions of a level.
    pub fn subscriptions(&self, level: u8) -> impl Iterator<Item = SubscriptionInfo<'_>> {
        let level = self.level(level);
        level
            .into_iter()
            .flat_map(|level| level.server.subscriptions())
    }

    /// The subscriptions of the watched package, or of the level above, that wait for a decision; those
    /// that are given up first come first.
    pub fn undecided(&self, level: u8) -> impl Iterator<Item = UndecidedInfo<'_>> {
        let waiting = self.level(level).into_iter();
        waiting
            .flat_map(|level| level.undecided.iter())
            .map(UndecidedInfo::of)
    }

    /// Those of them to one resource, named canonically.
    pub fn undecided_of<'a>(
        &'a self,
        level: u8,
        resource: &str,
    ) -> impl Iterator<Item = UndecidedInfo<'a>> + use<'a, P> {
        let level = self.level(level);
        let waiting = level.map(|level| level.undecided.of_resource(resource));
        waiting.into_iter().flatten().map(UndecidedInfo::of)
    }

    /// How full the tables of a level are. Its resources are those that somebody watches so, or that
    /// have a subscription that waits for a decision.
    pub fn occupancy(&self, level: u8) -> Option<Occupancy> {
        self.level(level).map(|level| level.server.occupancy())
    }

    /// What happened so far at one level.
    pub fn counters(&self, level: u8) -> Option<&Counters> {
        self.level(level).map(|level| level.server.counters())
    }

    /// What happened so far, beside that.
    pub fn own_counters(&self) -> WatcherInfoCounters {
        let mut sum = WatcherInfoCounters::default();
        for level in self.levels() {
            sum.left_out += level.tally.left_out;
            sum.given_up += level.tally.given_up;
            sum.cut += level.server.package().cut;
        }
        sum
    }
}
