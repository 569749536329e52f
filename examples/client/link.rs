//! A role that subscribes, joined to the stack: what the stack has goes in, and time with it. What comes
//! out is the program's to take, after each [`turn`](Link::turn) until there is none.

use std::collections::HashMap;

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{Backlog, Failure, Identity, NeedCredentials, RequestContext};
use presentity::presence::Watcher;
use presentity::sip::{OutgoingRequest, RequestRef, Response, ResponseRef};
use presentity::winfo::WatcherInfoSubscriber;
use rsipstack::sip::Method;
use rsipstack::transaction::{Transaction, TransactionReceiver};
use tokio::time::{Instant, sleep_until};

use super::answers::Answers;
use super::digest::{Credentials, Declined};
use super::endpoint::{Endpoint, Outcome};
use crate::adapter::{Reply, message};

/// What the stack has to tell a role that subscribes.
pub(crate) trait Role {
    fn take_request(
        &mut self,
        now: Timestamp,
        transaction: ServerTransaction,
        request: &RequestRef<'_>,
        context: &RequestContext<'_>,
    ) -> Result<(), Backlog>;
    fn take_response(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        response: &ResponseRef<'_>,
    );
    fn take_failure(&mut self, now: Timestamp, transaction: ClientTransaction, failure: Failure);
    /// The value that answers a challenge, or nothing, where there is none; whether it is waited for.
    fn take_credentials(
        &mut self,
        now: Timestamp,
        transaction: ClientTransaction,
        value: Option<&str>,
    ) -> bool;
    fn take_time(&mut self, now: Timestamp);
    fn deadline(&self) -> Option<Timestamp>;
}

macro_rules! roles {
    ($($role:ty),*) => {$(
        impl Role for $role {
            fn take_request(
                &mut self,
                now: Timestamp,
                transaction: ServerTransaction,
                request: &RequestRef<'_>,
                context: &RequestContext<'_>,
            ) -> Result<(), Backlog> {
                self.handle_request(now, transaction, request, context)
            }

            fn take_response(
                &mut self,
                now: Timestamp,
                transaction: ClientTransaction,
                response: &ResponseRef<'_>,
            ) {
                self.handle_response(now, transaction, response);
            }

            fn take_failure(
                &mut self,
                now: Timestamp,
                transaction: ClientTransaction,
                failure: Failure,
            ) {
                self.handle_failure(now, transaction, failure);
            }

            fn take_credentials(
                &mut self,
                now: Timestamp,
                transaction: ClientTransaction,
                value: Option<&str>,
            ) -> bool {
                match value {
                    Some(value) => self.provide_credentials(now, transaction, value),
                    None => self.decline_credentials(now, transaction),
                }
            }

            fn take_time(&mut self, now: Timestamp) {
                self.handle_timeout(now);
            }

            fn deadline(&self) -> Option<Timestamp> {
                self.poll_timeout()
            }
        }
    )*};
}

roles!(Watcher, WatcherInfoSubscriber);

/// Why a challenge was declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("credentials are asked for")]
    NoCredentials,
    #[error(transparent)]
    Declined(Declined),
}

/// A role on the stack.
pub(crate) struct Link<R> {
    pub(crate) role: R,
    pub(crate) endpoint: Endpoint,
    requests: TransactionReceiver,
    answers: Option<Answers>,
    /// The role's time is counted from here.
    epoch: Instant,
    /// The name of the next server transaction.
    next: u64,
    /// Requests that the role has not answered yet, which it does at once unless it has something
    /// opened first.
    asked: HashMap<u64, Transaction>,
}

impl<R: Role> Link<R> {
    pub(crate) fn new(
        role: R,
        stack: (Endpoint, TransactionReceiver),
        credentials: Option<Credentials>,
    ) -> Self {
        let (endpoint, requests) = stack;
        Self {
            role,
            endpoint,
            requests,
            answers: credentials.map(Answers::new),
            epoch: Instant::now(),
            next: 0,
            asked: HashMap::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_elapsed(self.epoch.elapsed())
    }

    /// Waits until the stack has something, or the role's deadline comes, and tells the role. Nothing is
    /// lost when it is not waited for to the end.
    pub(crate) async fn turn(&mut self) {
        let deadline = self.role.deadline();
        let deadline =
            deadline.and_then(|t| (self.epoch).checked_add(t.saturating_since(Timestamp::ZERO)));
        tokio::select! {
            (transaction, outcome) = self.endpoint.outcome() => {
                self.handle_outcome(transaction, outcome);
            }
            Some(transaction) = self.requests.recv() => self.handle_request(transaction),
            () = sleep_until(deadline.unwrap_or(self.epoch)), if deadline.is_some() => {
                let now = self.now();
                self.role.take_time(now);
            }
        }
    }

    fn handle_outcome(&mut self, transaction: ClientTransaction, outcome: Outcome) {
        let now = self.now();
        if let Some(answers) = &mut self.answers {
            answers.outcome(transaction, &outcome);
        }
        match outcome {
            Ok(mut response) => {
                let body = Bytes::from(std::mem::take(&mut response.body));
                let response = message::response_ref(&response, &body);
                self.role.take_response(now, transaction, &response);
            }
            Err(failure) => self.role.take_failure(now, transaction, failure),
        }
    }

    /// NOTIFYs; the role refuses whatever else comes.
    fn handle_request(&mut self, mut transaction: Transaction) {
        if transaction.original.method == Method::Ack {
            return;
        }
        let now = self.now();
        let id = ServerTransaction(self.next);
        self.next = self.next.wrapping_add(1);
        let body = Bytes::from(std::mem::take(&mut transaction.original.body));
        let uri = message::uri_text(&transaction.original.uri);
        let request = message::request_ref(&transaction.original, &uri, &body);
        // Nobody proves who they are to this program.
        let nobody = Identity::nobody();
        let context = RequestContext::new(&nobody, &uri);
        match self.role.take_request(now, id, &request, &context) {
            Ok(()) => {
                self.asked.insert(id.0, transaction);
            }
            Err(backlog) => {
                let seconds = backlog.retry_after.to_string();
                let reply = Reply::new(503).with("Retry-After", seconds);
                self.endpoint.reply(transaction, &reply);
            }
        }
    }

    /// Sends a request of the role's.
    pub(crate) fn send(&mut self, request: OutgoingRequest) {
        if let Some(answers) = &mut self.answers {
            answers.sent(&request);
        }
        self.endpoint.send(request);
    }

    /// Sends a response of the role's.
    pub(crate) fn respond(&mut self, response: &Response) {
        if let Some(transaction) = self.asked.remove(&response.transaction().0) {
            self.endpoint.respond(transaction, response);
        }
    }

    /// Answers a challenge, or declines to.
    ///
    /// # Errors
    /// Why it was declined.
    pub(crate) fn answer(&mut self, need: &NeedCredentials) -> Result<(), Unanswered> {
        let now = self.now();
        let transaction = need.transaction();
        let answer = match &mut self.answers {
            None => Err(Unanswered::NoCredentials),
            Some(answers) => answers.answer(need).map_err(Unanswered::Declined),
        };
        let value = answer.as_deref().ok();
        let answered = self.role.take_credentials(now, transaction, value);
        if !answered && value.is_some() {
            self.role.take_credentials(now, transaction, None);
        }
        answer.map(|_| ())
    }
}
