//! Whoever takes part: a role of the library on sockets of its own, and the loop that every host has in
//! some form.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{Backlog, Failure, RequestContext};
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};
use rsipstack::sip::{Method, Request, Transport};
use rsipstack::transaction::{Transaction, TransactionReceiver};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::Outcome;
use crate::adapter::{Reply, message};
use crate::client::endpoint::{self, Endpoint};
use crate::roles::identity;

/// All that is waited for takes milliseconds, but this may be a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was done elsewhere, to be told to the role.
pub(crate) type Done<R> = Box<dyn FnOnce(&mut R, Timestamp) + Send>;

/// What a role wants done.
pub(crate) enum Step<R: Role> {
    Respond(Response),
    Send(OutgoingRequest),
    Event(R::Event),
    /// Something that computes: a signature to make, a body to open, a certificate to read. The loop does
    /// not wait for it.
    Compute(Box<dyn FnOnce() -> Done<R> + Send>),
    /// Something that waits for others.
    Await(Pin<Box<dyn Future<Output = Done<R>> + Send>>),
    /// Nothing that matters here.
    Nothing,
}

/// What all roles of the library have in common.
pub(crate) trait Role: Sized + Send + 'static {
    type Event;
    fn handle_request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Backlog>;
    fn handle_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    );
    fn handle_failure(&mut self, now: Timestamp, transaction: ClientTransaction, failure: Failure);
    fn handle_timeout(&mut self, now: Timestamp);
    fn poll_timeout(&self) -> Option<Timestamp>;
    fn poll(&mut self, now: Timestamp) -> Option<Step<Self>>;
}

/// A role on sockets.
pub(crate) struct Party<R: Role> {
    pub(crate) role: R,
    pub(crate) endpoint: Endpoint,
    requests: TransactionReceiver,
    /// Where it is reached.
    pub(crate) contact: String,
    /// The role's time is counted from here.
    epoch: Instant,
    /// The name of the next server transaction.
    next: u64,
    unanswered: HashMap<u64, Transaction>,
    under_way: JoinSet<Done<R>>,
    events: VecDeque<R::Event>,
}

/// Sockets on 127.0.0.1, the requests that come there, and the URI for Contact.
pub(crate) async fn sockets(user: &str) -> Outcome<(Endpoint, TransactionReceiver, String)> {
    let (endpoint, requests) = Endpoint::on_loopback(Transport::Udp)
        .await
        .map_err(|error| error.to_string())?;
    let contact = endpoint.contact(user, "sip:127.0.0.1").await;
    let contact = contact.ok_or("no address on loopback")?;
    Ok((endpoint, requests, contact))
}

impl<R: Role> Party<R> {
    /// The role, made by somebody who knows its Contact.
    pub(crate) async fn new(user: &str, role: impl FnOnce(&str) -> Outcome<R>) -> Outcome<Self> {
        let (endpoint, requests, contact) = sockets(user).await?;
        Ok(Self {
            role: role(&contact)?,
            endpoint,
            requests,
            contact,
            epoch: Instant::now(),
            next: 0,
            unanswered: HashMap::new(),
            under_way: JoinSet::new(),
            events: VecDeque::new(),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_elapsed(self.epoch.elapsed())
    }

    /// A URI to route by, for requests that are to come here.
    pub(crate) fn route(&self) -> String {
        route(&self.contact)
    }

    /// Asks for something in a request of the application's own.
    pub(crate) async fn ask(&self, request: Request, uri: &str) -> endpoint::Outcome {
        self.endpoint.ask(request, uri.to_owned()).await
    }

    /// Goes on in the background.
    pub(crate) fn serve(mut self)
    where
        R::Event: Send,
    {
        tokio::spawn(async move { self.run(|_| None::<()>).await });
    }

    /// Goes on until an event that fits.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        pick: impl FnMut(R::Event) -> Option<Outcome<T>>,
    ) -> Outcome<T> {
        match timeout(PATIENCE, self.run(pick)).await {
            Ok(picked) => picked,
            Err(_) => Err(format!("in {} s nothing came of: {what}", PATIENCE.as_secs()).into()),
        }
    }

    async fn run<T>(&mut self, mut pick: impl FnMut(R::Event) -> Option<T>) -> T {
        loop {
            // The drain rule: nothing may be left in the role before this task sleeps.
            while let Some(step) = self.role.poll(self.now()) {
                self.perform(step);
            }
            while let Some(event) = self.events.pop_front() {
                if let Some(picked) = pick(event) {
                    return picked;
                }
            }
            let deadline = self.role.poll_timeout();
            let epoch = self.epoch;
            let deadline =
                deadline.and_then(|t| epoch.checked_add(t.saturating_since(Timestamp::ZERO)));
            tokio::select! {
                (transaction, outcome) = self.endpoint.outcome() => {
                    self.handle_outcome(transaction, outcome);
                }
                Some(transaction) = self.requests.recv() => self.handle_request(transaction),
                Some(Ok(done)) = self.under_way.join_next() => done(&mut self.role, Timestamp::from_elapsed(epoch.elapsed())),
                () = sleep_until(deadline.unwrap_or(epoch)), if deadline.is_some() => {
                    let now = self.now();
                    self.role.handle_timeout(now);
                }
            }
        }
    }

    fn perform(&mut self, step: Step<R>) {
        match step {
            Step::Respond(response) => {
                if let Some(transaction) = self.unanswered.remove(&response.transaction().0) {
                    self.endpoint.respond(transaction, &response);
                }
            }
            Step::Send(request) => self.endpoint.send(request),
            Step::Event(event) => self.events.push_back(event),
            Step::Compute(work) => {
                self.under_way.spawn_blocking(work);
            }
            Step::Await(work) => {
                self.under_way.spawn(work);
            }
            Step::Nothing => {}
        }
    }

    fn handle_outcome(&mut self, transaction: ClientTransaction, outcome: endpoint::Outcome) {
        let now = self.now();
        match outcome {
            Ok(mut response) => {
                let body = Bytes::from(std::mem::take(&mut response.body));
                let response = message::response_ref(&response, &body);
                self.role.handle_response(now, transaction, &response);
            }
            Err(failure) => self.role.handle_failure(now, transaction, failure),
        }
    }

    fn handle_request(&mut self, mut transaction: Transaction) {
        if transaction.original.method == Method::Ack {
            return;
        }
        let now = self.now();
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let body = Bytes::from(std::mem::take(&mut transaction.original.body));
        let uri = message::uri_text(&transaction.original.uri);
        let request = message::request_ref(&transaction.original, &uri, &body);
        let identity = identity(&request);
        let context = RequestContext::new(&identity, &self.contact);
        let taken = (self.role).handle_request(now, ServerTransaction(id), &request, &context);
        match taken {
            Ok(()) => {
                self.unanswered.insert(id, transaction);
            }
            Err(backlog) => {
                let seconds = backlog.retry_after.to_string();
                let reply = Reply::new(503).with("Retry-After", seconds);
                self.endpoint.reply(transaction, &reply);
            }
        }
    }
}

/// A URI to route by, from a Contact.
pub(crate) fn route(contact: &str) -> String {
    let host = contact.rsplit_once('@').map_or(contact, |(_, host)| host);
    format!("sip:{host};lr")
}
