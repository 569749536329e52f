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
/// For all answers together, in octets. Beyond it the oldest are forgotten early; their requests,
/// repeated, come to the agent as new ones, which tells them by Call-ID, From tag and CSeq and answers
/// 482: a client whose 200 was lost takes that for a refusal.
const MAX_ANSWERS: usize = 256 << 20;
/// What the tables take for an answer beside its octets, about.
const ANSWER: usize = 160;
/// The unit of the timers of a client: T1.
const T1: Duration = Duration::from_millis(500);
/// The longest Timer E, in T1.
const T2: u8 = 8;
/// Timer F, in T1.
const TIMER_F: u8 = 64;

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
///
/// Those that wait for their answer are not counted here: the agent answers each, and takes no more
/// than it has room for.
#[derive(Debug, Default)]
pub(crate) struct ServerTransactions {
    known: HashMap<Arc<str>, Option<Arc<[u8]>>>,
    answered: VecDeque<(Instant, Arc<str>)>,
    /// What the answered ones take.
    octets: usize,
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
        if let Some(known @ None) = self.known.get_mut(key) {
            self.octets += ANSWER + key.len() + response.len();
            *known = Some(response);
            self.answered.push_back((now, key.clone()));
        }
        while self.octets > MAX_ANSWERS {
            self.forget_oldest();
        }
    }

    /// Forgets what is not repeated any more.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((since, _)) = self.answered.front()
            && now.saturating_duration_since(*since) >= REPEATED_FOR
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.answered.pop_front()
            && let Some(Some(response)) = self.known.remove(&key)
        {
            self.octets -= ANSWER + key.len() + response.len();
        }
    }
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    /// The socket, by its place among those that are listened on.
    pub(crate) listener: usize,
    pub(crate) destination: SocketAddr,
}

/// A request as its transaction knows it.
pub(crate) trait ClientRequest {
    /// What the outcome is reported under.
    type Id: Copy;

    fn id(&self) -> Self::Id;

    fn method(&self) -> &str;

    /// For how long it is repeated until it is given up, in T1.
    fn patience(&self) -> u8 {
        TIMER_F
    }
}

impl ClientRequest for OutgoingRequest {
    type Id = ClientTransaction;

    fn id(&self) -> ClientTransaction {
        self.transaction()
    }

    fn method(&self) -> &str {
        self.method()
    }
}

/// A request of ours that has no final response.
#[derive(Debug)]
pub(crate) struct OpenRequest<R> {
    pub(crate) request: R,
    pub(crate) route: Route,
    /// The time since it was first sent, when it is next due, in T1.
    age: u8,
    /// Timer E, in T1.
    wait: u8,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due<I> {
    /// To be sent again.
    Repeat(u64),
    /// Timer F.
    Timeout(I),
}

/// Requests of ours.
#[derive(Debug)]
pub(crate) struct ClientTransactions<R> {
    open: HashMap<u64, OpenRequest<R>>,
    /// One queue for each wait that there is, from T1 to T2, so that each is in order of time.
    due: [VecDeque<(Instant, u64)>; T2 as usize],
    branches: RandomState,
    next: u64,
}

impl<R> Default for ClientTransactions<R> {
    fn default() -> Self {
        Self {
            open: HashMap::new(),
            due: Default::default(),
            branches: RandomState::new(),
            next: 0,
        }
    }
}

impl<R: ClientRequest> ClientTransactions<R> {
    /// Opens a transaction; returns its branch, which nobody can guess.
    pub(crate) fn open(&mut self, now: Instant, request: R, route: Route) -> u64 {
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
                age: 1,
                wait: 1,
            },
        );
        self.arm(now, branch, 1);
        branch
    }

    pub(crate) fn opened(&self, branch: u64) -> Option<&OpenRequest<R>> {
        self.open.get(&branch)
    }

    /// Takes a response with this branch, method and status; returns the transaction that it ends.
    /// What comes later is dropped, which is all that Timer K is for.
    pub(crate) fn close(&mut self, branch: u64, method: &str, status: u16) -> Option<R::Id> {
        let open = self.open.get_mut(&branch)?;
        if open.request.method() != method {
            return None;
        }
        if status < 200 {
            // The server has it: the next repetition comes when it is due, all others after T2.
            open.wait = T2;
            return None;
        }
        self.forget(branch)
    }

    /// Ends a transaction that has no response.
    pub(crate) fn forget(&mut self, branch: u64) -> Option<R::Id> {
        self.open.remove(&branch).map(|open| open.request.id())
    }

    fn arm(&mut self, now: Instant, branch: u64, wait: u8) {
        if let Some(queue) = self.due.get_mut(usize::from(wait - 1)) {
            queue.push_back((now + T1 * u32::from(wait), branch));
        }
    }

    /// The next thing that is due, until there is nothing.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Due<R::Id>> {
        let branch = loop {
            let mut queues = self.due.iter_mut();
            let queue = queues.find(|queue| queue.front().is_some_and(|(at, _)| *at <= now))?;
            let (_, branch) = queue.pop_front()?;
            if self.open.contains_key(&branch) {
                break branch;
            }
        };
        let open = self.open.get_mut(&branch)?;
        let patience = open.request.patience();
        if open.age >= patience {
            return self.forget(branch).map(Due::Timeout);
        }
        open.wait = (2 * open.wait).min(T2);
        let wait = open.wait.min(patience - open.age);
        open.age += wait;
        self.arm(now, branch, wait);
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
