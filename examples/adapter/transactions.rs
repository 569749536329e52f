//! Transactions over datagrams, without INVITE (RFC 3261 sections 17.1.2 and 17.2.2): what is repeated
//! on the way in is absorbed, what is not answered on the way out is repeated.
//!
//! An INVITE, which the agent has no use for, is refused as a stateless server would do it
//! (section 8.2.7): its response is repeated when the INVITE is, and its ACK is ignored.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use presentity::engine::ClientTransaction;
use presentity::sip::OutgoingRequest;
use tokio::time::Instant;

/// Timer J, for how long a request may be repeated: 64 x T1.
const REPEATED_FOR: Duration = Duration::from_secs(32);
/// Answered requests that are remembered; beyond it the oldest are forgotten early.
const MAX_ANSWERED: usize = 1 << 18;
/// Timer E by the number of times that a request has been sent, in half seconds: from T1 doubling to
/// T2. After the last comes Timer F, at 32 s. A provisional response changes nothing, as a server may
/// send one only when Timer E has come to T2 (RFC 4320 section 4.1).
const WAITS: [u8; 11] = [1, 2, 4, 8, 8, 8, 8, 8, 8, 8, 1];

/// A request of a client that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen<'a> {
    /// For the first time.
    New,
    /// Again, before its answer.
    Pending,
    /// Again, after it.
    Answered(&'a Arc<[u8]>),
}

/// Requests that came.
#[derive(Debug, Default)]
pub(crate) struct ServerTransactions {
    known: HashMap<Arc<str>, Option<Arc<[u8]>>>,
    answered: VecDeque<(Instant, Arc<str>)>,
}

impl ServerTransactions {
    /// Looks up a request, and remembers it when it is new.
    pub(crate) fn open(&mut self, key: &Arc<str>) -> Seen<'_> {
        if !self.known.contains_key(key) {
            self.known.insert(key.clone(), None);
            return Seen::New;
        }
        match self.known.get(key) {
            Some(Some(response)) => Seen::Answered(response),
            _ => Seen::Pending,
        }
    }

    pub(crate) fn knows(&self, key: &str) -> bool {
        self.known.contains_key(key)
    }

    /// Remembers the answer.
    pub(crate) fn answer(&mut self, now: Instant, key: &Arc<str>, response: Arc<[u8]>) {
        if let Some(known) = self.known.get_mut(key) {
            *known = Some(response);
            self.answered.push_back((now, key.clone()));
        }
    }

    /// Forgets what is not repeated any more.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((since, key)) = self.answered.front() {
            let old = now.saturating_duration_since(*since) >= REPEATED_FOR;
            if !old && self.answered.len() <= MAX_ANSWERED {
                break;
            }
            self.known.remove(key);
            self.answered.pop_front();
        }
    }
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    /// The socket, by its place among those that are listened on.
    pub(crate) listener: usize,
    pub(crate) destination: SocketAddr,
}

/// A request of ours that has no final response.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) request: OutgoingRequest,
    pub(crate) route: Route,
    sendings: usize,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// To be sent again.
    Repeat(u64),
    /// Timer F.
    Timeout(ClientTransaction),
}

/// Requests of ours.
#[derive(Debug, Default)]
pub(crate) struct ClientTransactions {
    open: HashMap<u64, OpenRequest>,
    /// One queue for each wait that there is, so that each is in order of time.
    due: [VecDeque<(Instant, u64)>; 4],
    branches: RandomState,
    next: u64,
}

/// The queue of those who wait for so many half seconds.
fn queue_of(wait: u8) -> usize {
    usize::try_from(wait.trailing_zeros()).unwrap_or_default()
}

impl ClientTransactions {
    /// Opens a transaction; returns its branch, which nobody can guess.
    pub(crate) fn open(&mut self, now: Instant, request: OutgoingRequest, route: Route) -> u64 {
        let branch = loop {
            self.next = self.next.wrapping_add(1);
            let branch = self.branches.hash_one(self.next);
            if !self.open.contains_key(&branch) {
                break branch;
            }
        };
        self.open.insert(
            branch,
            OpenRequest {
                request,
                route,
                sendings: 1,
            },
        );
        self.arm(now, branch, 1);
        branch
    }

    pub(crate) fn opened(&self, branch: u64) -> Option<&OpenRequest> {
        self.open.get(&branch)
    }

    /// Ends the transaction that a response with this branch and method answers. What comes for it
    /// later is dropped, which is all that Timer K is for.
    pub(crate) fn close(&mut self, branch: u64, method: &str) -> Option<ClientTransaction> {
        self.opened(branch)
            .filter(|open| open.request.method() == method)?;
        self.forget(branch)
    }

    /// Ends a transaction that has no response.
    pub(crate) fn forget(&mut self, branch: u64) -> Option<ClientTransaction> {
        self.open
            .remove(&branch)
            .map(|open| open.request.transaction())
    }

    fn arm(&mut self, now: Instant, branch: u64, sendings: usize) {
        let wait = WAITS.get(sendings - 1).copied().unwrap_or(1);
        if let Some(queue) = self.due.get_mut(queue_of(wait)) {
            queue.push_back((now + Duration::from_millis(500) * u32::from(wait), branch));
        }
    }

    /// The next thing that is due, until there is nothing.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Due> {
        let branch = loop {
            let mut queues = self.due.iter_mut();
            let queue = queues.find(|queue| queue.front().is_some_and(|(at, _)| *at <= now))?;
            let (_, branch) = queue.pop_front()?;
            if self.open.contains_key(&branch) {
                break branch;
            }
        };
        let open = self.open.get_mut(&branch)?;
        if open.sendings == WAITS.len() {
            return self.forget(branch).map(Due::Timeout);
        }
        open.sendings += 1;
        let sendings = open.sendings;
        self.arm(now, branch, sendings);
        Some(Due::Repeat(branch))
    }

    /// When [`poll`](Self::poll) may next have something.
    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        for queue in &mut self.due {
            while let Some((_, branch)) = queue.front()
                && !self.open.contains_key(branch)
            {
                queue.pop_front();
            }
        }
        let fronts = self.due.iter().filter_map(VecDeque::front);
        fronts.map(|(at, _)| *at).min()
    }
}
