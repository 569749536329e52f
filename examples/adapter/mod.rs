//! A presence agent on sockets: connections by the SIP stack `rsipstack`, datagrams by a small
//! transport of its own. To embed the agent in a server of your own, copy this directory, or the part
//! that fits, and write a [`Host`] and a [`Policy`].
//!
//! - [`Adapter`] here is the one task that owns the agent: it reads datagrams itself, all other input
//!   comes to it through channels; it polls the agent until nothing is left to do, then sleeps until
//!   input or a deadline. Every host has this loop in some form.
//! - [`message`] turns the messages of agent and stack into each other's, without copying on the way
//!   in. A host with a stack of its own, which has UDP and transactions, takes it as the model and
//!   leaves out the rest.
//! - [`transport`] has the stack, names connections for the agent and finds them again, tells when one
//!   is lost, and chooses the way of each request.
//! - [`tls`] listens by TLS for a host that has a certificate; the connections are the stack's then.
//! - [`datagram`] reads messages in datagrams as far as transactions need it, [`transactions`] absorbs
//!   what is repeated and repeats what is not answered, [`udp`] has the sockets, which [`bind`] makes,
//!   and [`exchange`] passes requests and responses between them and the agent. A small appliance with
//!   UDP alone takes these and the loop.
//! - [`forward`] sends on, as a proxy, what others are to answer, for a host that wants it, and
//!   [`outgoing`] is what is sent as a client: that, and the agent's own.
//! - [`workers`] has threads for what takes long: to sign and encrypt documents, where a policy asks for
//!   it, and to open what others have signed or encrypted.
//!
//! Datagrams go past the stack, which would spend some 100 µs on a SUBSCRIBE and its NOTIFY, several
//! times what the agent takes. A server lives by its datagrams, so that these go from socket to agent
//! and back without a task, a copy of each field, or a channel in between.
//!
//! Left out: TLS towards others, so that requests go by TLS to clients alone, on the connections that these
//! have made, and neither over proxies nor to any other sips URI. The stack could connect, but it takes any
//! connection from the same address for one to the name that was asked for, and verifies nothing then. Also
//! NAPTR and SRV records (RFC 3263), names being looked up as addresses only; STUN on the SIP port, which is
//! not answered; INVITE beyond its refusal.
//!
//! Take along the last lines of this project's Cargo.toml, too: with overflow checks, which a debug
//! build has, a Content-Length of the peer's choice can end the task of a connection in version 0.7.14 of
//! the stack.

pub(crate) mod bind;
pub(crate) mod datagram;
pub(crate) mod exchange;
pub(crate) mod forward;
pub(crate) mod message;
pub(crate) mod outgoing;
pub(crate) mod tls;
pub(crate) mod transactions;
pub(crate) mod transport;
pub(crate) mod udp;
pub(crate) mod workers;

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{
    Failure, Identity, Opening, OpeningKey, OpeningOutcome, Output, ProtectError, ProtectionJob,
    ProtectionKey, Reason, RequestContext, ServerEvent, Termination,
};
use presentity::mime::{OpenError, SignError, Written};
use presentity::presence::{Agent, Policy};
use presentity::sip::{self, RequestRef};
use rsipstack::sip::Header;
use rsipstack::transaction::{Transaction, TransactionReceiver};
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

use datagram::Echo;
use forward::{Kept, Passed};
use outgoing::{Outgoing, Sender};
use transactions::{ClientRequest as _, Route};
use transport::{Arrival, Opened, Path, Stack, Way};
use workers::Workers;

/// How many outputs and datagrams are taken in turns.
const BURST: usize = 32;

/// How long a response may take to leave; only a peer that does not read its connection needs it.
const RESPONSE_LIMIT: Duration = Duration::from_secs(10);
/// Above Timer F of the stack (64 x T1), for requests that hang in a connection before it starts.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(33);
/// The same for what is forwarded: its sender does not wait longer than 32 s for an answer from here.
const FORWARD_LIMIT: Duration = Duration::from_secs(8);
/// How long the last NOTIFYs of subscriptions that end at shutdown may take.
const CLOSING_LIMIT: Duration = Duration::from_secs(2);
/// How often the agent is told the time of day: somebody may set the clock.
const CLOCK_INTERVAL: Duration = Duration::from_secs(60);

/// What the server around the agent has to know and decide.
pub(crate) trait Host<P: Policy> {
    /// Who sent the request: from Digest, from TLS, from a trusted proxy, or nobody.
    fn identify(&mut self, request: &RequestRef<'_>) -> Caller;
    /// The values of WWW-Authenticate for a 401 to this caller, the preferred one first.
    fn challenge(&mut self, caller: &Caller) -> Vec<String>;
    /// Answers a request that is not the agent's: REGISTER, OPTIONS and whatever else comes.
    fn answer(
        &mut self,
        now: Timestamp,
        request: &RequestRef<'_>,
        caller: &Caller,
        agent: &mut Agent<P>,
    ) -> Reply;
    /// Hears what happened to subscriptions and publications.
    fn event(&mut self, event: &ServerEvent);
    /// Whether SUBSCRIBEs may have to be forwarded, which are kept as they came then until they are answered.
    fn forwards(&self) -> bool {
        false
    }
    /// What signs or encrypts a document, to be done elsewhere; for a policy that asks for it.
    fn protect(&mut self, job: ProtectionJob) -> Protect {
        drop(job);
        Box::new(|| Err(SignError::NoKey.into()))
    }
    /// What opens a signed or encrypted body, to be done elsewhere; for an agent that is told to have it
    /// opened.
    fn open(&mut self, opening: Opening) -> Open {
        drop(opening);
        Box::new(|| Err(OpenError::Unsupported))
    }
}

/// Work that protects a document.
pub(crate) type Protect = Box<dyn FnOnce() -> Result<Written, ProtectError> + Send>;
/// Work that opens a body.
pub(crate) type Open = Box<dyn FnOnce() -> OpeningOutcome + Send>;

/// Work that is done.
enum Done {
    Protected(ProtectionKey, Result<Written, ProtectError>),
    Opened(OpeningKey, OpeningOutcome),
}

/// Who sent a request.
#[derive(Debug)]
pub(crate) struct Caller {
    /// For the agent.
    pub(crate) identity: Identity,
    /// The credentials were right but their nonce is too old: ask again without asking the user.
    pub(crate) stale: bool,
}

/// An answer of the host's own.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status code.
    pub(crate) status: u16,
    /// Header fields to add.
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            fields: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

/// Something to do in the task that owns the agent.
pub(crate) type Command<P, H> = Box<dyn FnOnce(&mut Agent<P>, &mut H, Timestamp) + Send>;

/// A request that the agent has not answered yet.
struct Unanswered {
    origin: Origin,
    caller: Caller,
    kept: Option<Kept>,
}

/// Where a request came from, and its response goes.
enum Origin {
    /// A connection.
    Stream(Box<Transaction>, Option<OwnedSemaphorePermit>),
    /// A datagram, at this socket.
    Datagram(usize, Echo),
}

/// Whether the agent has taken a request, or what the host answers.
type Taken = Result<(ServerTransaction, Caller), Reply>;

/// What became of a request that was sent.
enum Outcome {
    Response(rsipstack::sip::Response),
    Failure(Failure),
    /// There is no connection: it goes in a datagram.
    Datagram(Box<Outgoing>, Route),
}

/// The task that owns the agent.
pub(crate) struct Adapter<P: Policy, H: Host<P>> {
    agent: Agent<P>,
    host: H,
    stack: Stack,
    /// The agent's time is counted from here.
    epoch: Instant,
    unanswered: HashMap<u64, Unanswered>,
    /// The name of the next server transaction.
    next: u64,
    /// Requests of ours whose outcome is open, those included that were forwarded.
    under_way: usize,
    /// Those that were forwarded.
    forwarded: usize,
    outcomes: Outcomes,
    commands: Commands<P, H>,
    workers: Workers<Done>,
    /// When the agent is told the time of day.
    clock_due: Instant,
}

type Outcomes = (
    mpsc::UnboundedSender<(Sender, Outcome)>,
    mpsc::UnboundedReceiver<(Sender, Outcome)>,
);
type Commands<P, H> = (mpsc::Sender<Command<P, H>>, mpsc::Receiver<Command<P, H>>);

impl<P: Policy, H: Host<P>> Adapter<P, H> {
    pub(crate) fn new(agent: Agent<P>, host: H, stack: Stack) -> Self {
        let epoch = Instant::now();
        Self {
            agent,
            host,
            stack,
            epoch,
            unanswered: HashMap::new(),
            next: 0,
            under_way: 0,
            forwarded: 0,
            outcomes: mpsc::unbounded_channel(),
            commands: mpsc::channel(16),
            workers: Workers::new(),
            clock_due: epoch,
        }
    }

    /// Where to send what is to be done in the agent's task.
    pub(crate) fn commands(&self) -> mpsc::Sender<Command<P, H>> {
        self.commands.0.clone()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_elapsed(self.epoch.elapsed())
    }

    /// Serves until `stop`, then ends all subscriptions in an orderly way.
    pub(crate) async fn run(
        mut self,
        stop: impl Future<Output = ()>,
        requests: TransactionReceiver,
    ) {
        let mut requests = requests;
        let mut stop = std::pin::pin!(stop);
        let mut closing = None;
        let mut alarm = std::pin::pin!(sleep_until(Instant::now()));
        let mut buffer = vec![0; udp::MAX_LEN];
        let mut turns = 0_usize;
        loop {
            self.tell_time();
            // The drain rule: nothing may be left in the agent before this task sleeps. What has come
            // is read in between, so that the answers to many NOTIFYs need no room in the system.
            let mut idle = true;
            for _ in 0..BURST {
                let Some(output) = self.agent.poll_output() else {
                    break;
                };
                self.perform(output);
                idle = false;
            }
            for _ in 0..BURST {
                let Some(received) = self.stack.udp.receive(&mut buffer) else {
                    break;
                };
                if let Some(datagram) = buffer.get(..received.len) {
                    self.handle_datagram(&received, datagram, closing.is_some());
                }
                idle = false;
            }
            // Connections and their tasks have their turn under load, too.
            turns = turns.wrapping_add(1);
            if !idle && !turns.is_multiple_of(8) {
                continue;
            }
            self.stack.udp.flush();
            if self.handle_due() {
                // What was given up may give the agent something to say.
                continue;
            }
            let open = self.under_way + self.workers.under_way();
            if idle && closing.is_some() && open == 0 {
                break;
            }
            let deadline = self
                .agent
                .poll_timeout()
                .and_then(|t| self.epoch.checked_add(t.saturating_since(Timestamp::ZERO)));
            let deadline = [deadline, self.stack.udp.clients.deadline(), closing]
                .into_iter()
                .flatten()
                .min();
            // Too early does no harm, and to set it anew has its cost.
            if let Some(deadline) = deadline
                && (deadline < alarm.deadline() || alarm.is_elapsed())
            {
                alarm.as_mut().reset(deadline);
            }
            tokio::select! {
                Some(transaction) = requests.recv() => {
                    if closing.is_none() && let Some(arrival) = self.arrival(&transaction).await {
                        self.handle_transaction(transaction, arrival);
                    }
                }
                Some((sender, outcome)) = self.outcomes.1.recv() => {
                    self.handle_outcome(sender, outcome);
                }
                done = self.workers.result() => {
                    let now = self.now();
                    match done {
                        Done::Protected(key, result) => {
                            self.agent.complete_protection(now, key, result);
                        }
                        Done::Opened(key, outcome) => {
                            self.agent.complete_opening(now, key, outcome);
                        }
                    }
                }
                closed = self.stack.changed() => {
                    let now = self.now();
                    if let Some(flow) = closed.and_then(|closed| self.stack.forget(&closed)) {
                        self.agent.handle_flow_lost(now, flow);
                    }
                }
                Some(command) = self.commands.1.recv() => {
                    let now = self.now();
                    command(&mut self.agent, &mut self.host, now);
                }
                () = &mut alarm, if deadline.is_some() => {
                    let now = self.now();
                    self.agent.handle_timeout(now);
                    if closing.is_some_and(|closing| Instant::now() >= closing) {
                        break;
                    }
                }
                () = &mut stop, if closing.is_none() => {
                    // Of all reasons this is the one after which clients come back.
                    let now = self.now();
                    let end = Termination::new(Reason::Deactivated);
                    self.agent.terminate_all(now, end);
                    closing = Instant::now().checked_add(CLOSING_LIMIT);
                }
                () = tokio::task::yield_now(), if !idle => {}
            }
        }
        self.stack.close();
    }

    fn tell_time(&mut self) {
        let now = Instant::now();
        if now >= self.clock_due {
            let elapsed = now.saturating_duration_since(self.epoch);
            let now_here = Timestamp::from_elapsed(elapsed);
            self.agent.set_wall_clock(now_here, wall_clock());
            self.clock_due = now + CLOCK_INTERVAL;
        }
    }

    /// How a request came in; nothing when its sender does not read the responses it has got.
    async fn arrival(&mut self, transaction: &Transaction) -> Option<Arrival> {
        if let Ok(arrival) = self.stack.arrival(transaction) {
            return Some(arrival);
        }
        // Who sends many requests at once and reads the answers is another matter: these leave now.
        tokio::task::yield_now().await;
        self.stack.arrival(transaction).ok()
    }

    fn handle_transaction(&mut self, mut transaction: Transaction, arrival: Arrival) {
        // The body moves, all else is borrowed.
        let body = Bytes::from(std::mem::take(&mut transaction.original.body));
        let uri = message::uri_text(&transaction.original.uri);
        let request = message::request_ref(&transaction.original, &uri, &body);
        let taken = self.handle_request(&request, &arrival);
        let fields = || message::fields(&transaction.original.headers);
        let kept = self.keep(&request, fields, &arrival, &taken);
        let origin = Origin::Stream(Box::new(transaction), arrival.permit);
        self.settle(origin, taken, kept);
    }

    fn handle_request(&mut self, request: &RequestRef<'_>, arrival: &Arrival) -> Taken {
        let now = self.now();
        let caller = self.host.identify(request);
        if !self.agent.accepts(request) {
            return Err(self.host.answer(now, request, &caller, &mut self.agent));
        }
        let mut context = RequestContext::new(&caller.identity, &arrival.local_contact);
        if let Some(flow) = arrival.flow {
            context = context.with_flow(flow);
        }
        if let Some(source) = arrival.source {
            context = context.with_source(source);
        }
        let id = ServerTransaction(self.next);
        self.next = self.next.wrapping_add(1);
        let taken = self.agent.handle_request(now, id, request, &context);
        match taken {
            Ok(()) => Ok((id, caller)),
            Err(backlog) => {
                let seconds = backlog.retry_after.to_string();
                Err(Reply::new(503).with("Retry-After", seconds))
            }
        }
    }

    /// A request that was taken and may have to be forwarded, as it came.
    fn keep<'f, F: Iterator<Item = (&'f str, &'f str)>>(
        &self,
        request: &RequestRef<'_>,
        fields: impl FnOnce() -> F,
        arrival: &Arrival,
        taken: &Taken,
    ) -> Option<Kept> {
        let may_be = taken.is_ok() && request.method() == "SUBSCRIBE" && self.host.forwards();
        let line = (request.method(), request.uri());
        may_be.then(|| Kept::new(line, fields(), request.body(), arrival))
    }

    fn settle(&mut self, origin: Origin, taken: Taken, kept: Option<Kept>) {
        match taken {
            Ok((id, caller)) => {
                let entry = Unanswered {
                    origin,
                    caller,
                    kept,
                };
                self.unanswered.insert(id.0, entry);
            }
            Err(reply) => self.reply(origin, &reply),
        }
    }

    fn handle_outcome(&mut self, sender: Sender, outcome: Outcome) {
        let now = self.now();
        if let Outcome::Datagram(request, route) = outcome {
            return self.send_datagram(*request, route);
        }
        self.under_way = self.under_way.saturating_sub(1);
        match (sender, outcome) {
            (Sender::Agent(transaction), Outcome::Response(mut response)) => {
                let body = Bytes::from(std::mem::take(&mut response.body));
                let response = message::response_ref(&response, &body);
                self.agent.handle_response(now, transaction, &response);
            }
            (Sender::Agent(transaction), Outcome::Failure(failure)) => {
                self.agent.handle_failure(now, transaction, failure);
            }
            (Sender::Forwarder(id), Outcome::Response(mut response)) => {
                let body = Bytes::from(std::mem::take(&mut response.body));
                let status = response.status_code.code();
                let passed = Passed::new(status, message::fields(&response.headers), body);
                self.handle_forwarded(id, Ok(passed));
            }
            (Sender::Forwarder(id), Outcome::Failure(failure)) => {
                self.handle_forwarded(id, Err(failure));
            }
            (_, Outcome::Datagram(..)) => {}
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Respond(response) => self.respond(&response, |_, _| Vec::new()),
            Output::Challenge(response) => {
                self.respond(&response, |host, caller| host.challenge(caller));
            }
            Output::Send(request) => self.send(Outgoing::Own(request)),
            Output::Forward(forward) => self.forward(forward),
            Output::Event(event) => self.host.event(&event),
            // This server has no credentials for anybody.
            Output::NeedCredentials(need) => {
                let now = self.now();
                self.agent.decline_credentials(now, need.transaction());
            }
            Output::Protect(job) => {
                let key = job.key;
                let work = self.host.protect(*job);
                self.workers.start(move || Done::Protected(key, work()));
            }
            Output::Open(opening) => {
                let key = opening.key;
                let work = self.host.open(opening);
                self.workers.start(move || Done::Opened(key, work()));
            }
            // Jobs come only from a policy that defers publications.
            _ => {}
        }
    }

    fn respond(
        &mut self,
        response: &sip::Response,
        challenge: impl FnOnce(&mut H, &Caller) -> Vec<String>,
    ) {
        let Some(entry) = self.unanswered.remove(&response.transaction().0) else {
            return;
        };
        let challenges = challenge(&mut self.host, &entry.caller);
        match entry.origin {
            Origin::Stream(transaction, permit) => {
                let mut message = message::response(response, &transaction);
                for value in challenges {
                    message.headers.push(Header::WwwAuthenticate(value.into()));
                }
                send_response(*transaction, permit, message);
            }
            Origin::Datagram(listener, echo) => {
                let added = challenges.iter().map(|v| ("WWW-Authenticate", v.as_str()));
                let octets = echo.write(
                    (response.status(), response.reason_phrase()),
                    response.to_tag(),
                    response.fields().chain(added),
                    response.body(),
                    response.copies_record_route(),
                );
                self.answer(listener, &echo, octets);
            }
        }
    }

    fn reply(&mut self, origin: Origin, reply: &Reply) {
        match origin {
            Origin::Stream(transaction, permit) => {
                let message = message::reply(reply, &transaction);
                send_response(*transaction, permit, message);
            }
            Origin::Datagram(listener, echo) => {
                let reason = message::reason_phrase(reply.status);
                let tag = rsipstack::transaction::make_tag();
                let tag = (!echo.has_to_tag()).then_some(tag.value());
                let fields = reply.fields.iter().map(|(name, v)| (*name, v.as_str()));
                let octets = echo.write((reply.status, &reason), tag, fields, &[], false);
                self.answer(listener, &echo, octets);
            }
        }
    }

    fn send(&mut self, request: Outgoing) {
        self.under_way += 1;
        let path = match self.stack.way(&request) {
            Way::Datagram(route) => return self.send_datagram(request, route),
            Way::Path(path) => path,
        };
        let sender = request.id();
        let limit = match sender {
            Sender::Agent(_) => REQUEST_LIMIT,
            Sender::Forwarder(_) => FORWARD_LIMIT,
        };
        let outcomes = self.outcomes.0.clone();
        tokio::spawn(async move {
            let outcome = match timeout(limit, send_request(request, *path)).await {
                Ok(outcome) => outcome,
                Err(_) => Outcome::Failure(Failure::Timeout),
            };
            // The receiver is gone only after the server has closed.
            let _ = outcomes.send((sender, outcome));
        });
    }
}

/// Sends a response in a task of its own, so that a peer that does not read holds up nobody else.
///
/// Tasks start in the order in which they were spawned on a current-thread runtime, which keeps a
/// 200 before its NOTIFY on a connection; on another kind of runtime give each connection a queue.
pub(crate) fn send_response(
    mut transaction: Transaction,
    permit: Option<OwnedSemaphorePermit>,
    response: rsipstack::sip::Response,
) {
    tokio::spawn(async move {
        // A response that cannot be sent is as good as lost on the way.
        let _ = timeout(RESPONSE_LIMIT, transaction.respond(response)).await;
        drop(permit);
    });
}

async fn send_request(request: Outgoing, path: Path) -> Outcome {
    let transaction = match path.open(&request).await {
        Some(Opened::Transaction(transaction)) => transaction,
        Some(Opened::Datagram(route)) => return Outcome::Datagram(Box::new(request), route),
        None => return Outcome::Failure(Failure::Transport),
    };
    match final_response(*transaction).await {
        Ok(response) => Outcome::Response(response),
        Err(failure) => Outcome::Failure(failure),
    }
}

/// Sends the request of a client transaction of the stack's: the final response, or why there is none.
pub(crate) async fn final_response(
    mut transaction: Transaction,
) -> Result<rsipstack::sip::Response, Failure> {
    if transaction.send().await.is_err() {
        return Err(Failure::Transport);
    }
    while let Some(message) = transaction.receive().await {
        let rsipstack::sip::SipMessage::Response(response) = message else {
            continue;
        };
        if response.status_code.code() < 200 {
            continue;
        }
        return match message::local_failure(&response) {
            Some(failure) => Err(failure),
            None => Ok(response),
        };
    }
    Err(Failure::Transport)
}

/// The operating system's random generator: what the agent makes of it must not be guessed.
///
/// It is asked here once whether it works; to go on without it later would be worse than to stop.
pub(crate) fn entropy() -> Result<impl FnMut(&mut [u8]) + Send + 'static, getrandom::Error> {
    getrandom::fill(&mut [0; 8])?;
    Ok(|buffer: &mut [u8]| {
        if getrandom::fill(buffer).is_err() {
            std::process::abort();
        }
    })
}

/// The time of day, which the library does not read.
pub(crate) fn wall_clock() -> OffsetDateTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "the library reads no clock; a program does"
    )]
    OffsetDateTime::now_utc()
}
