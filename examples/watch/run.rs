//! The task that owns the watcher: polls it until nothing is left to do, then sleeps until input or a
//! deadline.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ClientTransaction, ServerTransaction, Timestamp};
use presentity::event::{
    Account, Identity, NeedCredentials, NotifiedState, Opening, OpeningKey, OpeningOutcome,
    OwnSubscriptionKey, OwnSubscriptionPhase, RefusedBody, RequestContext, SubscribeFailure,
    SubscriptionEnd,
};
use presentity::mime::OpenError;
use presentity::presence::{
    PresenceChange, Protection, WatchOrder, Watcher, WatcherConfig, WatcherEvent, WatcherOutput,
};
use presentity::sip::{Response, Uri};
use rsipstack::sip::Method;
use rsipstack::transaction::Transaction;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};

use crate::adapter::workers::Workers;
use crate::adapter::{self, Reply, message, wall_clock};
use crate::args::Args;
use crate::client::answers::Answers;
use crate::client::endpoint::{Endpoint, Outcome};
use crate::report::Report;
use crate::signers::Seal;
use crate::smime::Keys;
use crate::summary::{Summary, changes, one_line};
use crate::table::{Row, Table};
use crate::terminal::{say, told_to_stop};

/// How long the last words may take; the rest of three seconds is for the way out.
const CLOSING_LIMIT: Duration = Duration::from_millis(2500);

/// A presentity, in the order of the command line.
struct Watched {
    uri: String,
    key: OwnSubscriptionKey,
    presence: Option<Summary>,
    /// When it became open or closed, as far as is known.
    since: Option<OffsetDateTime>,
    /// What the subscription's state has come from.
    remark: String,
    /// Nothing more will come.
    is_over: bool,
    /// Of a fetch.
    was_answered: bool,
    /// A document has come that is not believed.
    was_refused: bool,
}

/// How it is shown.
enum View {
    Table(Table, String),
    Lines,
    Json,
}

/// The loop's belongings.
struct Watching {
    watcher: Watcher,
    endpoint: Endpoint,
    answers: Option<Answers>,
    watched: Vec<Watched>,
    view: View,
    /// The watcher's time is counted from here.
    epoch: Instant,
    /// The name of the next server transaction.
    next: u64,
    /// Requests that the watcher has not answered yet, which it does at once unless it has something
    /// opened first.
    asked: HashMap<u64, Transaction>,
    keys: Option<Arc<Keys>>,
    opened: Workers<(OpeningKey, OpeningOutcome)>,
    /// What documents have to be to be believed.
    demand: Protection,
}

/// Watches until told to stop.
pub(crate) async fn run(
    args: Args,
    keys: Option<Arc<Keys>>,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut stop = std::pin::pin!(told_to_stop()?);
    let (endpoint, mut requests) = Endpoint::listen(args.transport).await?;
    let mut config = WatcherConfig::default();
    config.subscriber.opens_bodies = keys.is_some();
    config.protection = args.demand;
    let mut watcher = Watcher::new(config, adapter::entropy()?);
    let (epoch, now) = (Instant::now(), Timestamp::ZERO);
    watcher.set_wall_clock(now, wall_clock());
    let mut watched = Vec::new();
    for uri in &args.uris {
        let account = tokio::select! {
            account = account(&args, uri, &endpoint) => account?,
            () = &mut stop => return Ok(ExitCode::SUCCESS),
        };
        let mut order = WatchOrder::new(&account, uri);
        order.expires = args.expires;
        let key = match args.fetch {
            true => watcher.fetch(now, order)?,
            false => watcher.watch(now, order)?,
        };
        watched.push(Watched {
            uri: one_line(uri),
            key,
            presence: None,
            since: None,
            remark: String::new(),
            is_over: false,
            was_answered: false,
            was_refused: false,
        });
    }
    let view = match (args.json, std::io::stdout().is_terminal()) {
        (true, _) => View::Json,
        (false, true) => View::Table(Table::default(), String::new()),
        (false, false) => View::Lines,
    };
    let is_table = matches!(view, View::Table(..));
    let mut watching = Watching {
        watcher,
        endpoint,
        answers: args.credentials.map(Answers::new),
        watched,
        view,
        epoch,
        next: 0,
        asked: HashMap::new(),
        keys,
        opened: Workers::new(),
        demand: args.demand,
    };
    let mut closing = None;
    loop {
        // The drain rule: nothing may be left in the watcher before this task sleeps.
        while let Some(output) = watching.watcher.poll_output() {
            watching.perform(output);
        }
        watching.draw();
        let is_late = closing.is_some_and(|closing| Instant::now() >= closing);
        if is_late || watching.watched.iter().all(|it| it.is_over) {
            break;
        }
        if !is_table && closing.is_none() && watching.is_hopeless() {
            watching.endpoint.close().await;
            return Ok(ExitCode::FAILURE);
        }
        let deadline = watching.watcher.poll_timeout();
        let deadline =
            deadline.and_then(|t| epoch.checked_add(t.saturating_since(Timestamp::ZERO)));
        let deadline = [deadline, closing].into_iter().flatten().min();
        tokio::select! {
            (transaction, outcome) = watching.endpoint.outcome() => {
                watching.handle_outcome(transaction, outcome);
            }
            Some(transaction) = requests.recv() => watching.handle_request(transaction),
            (key, outcome) = watching.opened.result() => {
                let now = watching.now();
                watching.watcher.complete_opening(now, key, outcome);
            }
            () = sleep_until(deadline.unwrap_or(epoch)), if deadline.is_some() => {
                let now = watching.now();
                watching.watcher.handle_timeout(now);
            }
            () = &mut stop, if closing.is_none() => {
                closing = Instant::now().checked_add(CLOSING_LIMIT);
                watching.end()?;
            }
        }
    }
    watching.leave();
    watching.endpoint.close().await;
    let fetched = watching.watched.iter().all(|it| it.was_answered);
    Ok(match args.fetch && !fetched {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// On whose behalf somebody is watched, to be reached from where that one's server is.
async fn account(
    args: &Args,
    uri: &str,
    endpoint: &Endpoint,
) -> Result<Account, Box<dyn std::error::Error>> {
    let user = match Uri::parse(&args.from) {
        Ok(Uri::Sip(from)) => from.user().unwrap_or("watch").to_owned(),
        _ => "watch".to_owned(),
    };
    let towards = match (&args.proxy, Uri::parse(uri)) {
        (Some(proxy), _) => proxy.clone(),
        (None, Ok(Uri::Pres(uri))) => format!("sip:{}", uri.domain()),
        (None, _) => uri.to_owned(),
    };
    let contact = endpoint.contact(&user, &towards).await;
    let contact = contact.ok_or("this machine has no address")?;
    let account = Account::new(&args.from)?.with_contact(&contact)?;
    Ok(match &args.proxy {
        Some(proxy) => account.with_route(proxy)?,
        None => account,
    })
}

impl Watching {
    fn now(&self) -> Timestamp {
        Timestamp::from_elapsed(self.epoch.elapsed())
    }

    fn perform(&mut self, output: WatcherOutput) {
        match output {
            WatcherOutput::Send(request) => {
                if let Some(answers) = &mut self.answers {
                    answers.sent(&request);
                }
                self.endpoint.send(request);
            }
            WatcherOutput::Respond(response) => self.respond(&response),
            WatcherOutput::NeedCredentials(need) => self.answer(&need),
            WatcherOutput::Resolve(resolve) => {
                // A host with a resolver asks for the SRV records of `srv_name` here.
                let now = self.now();
                self.watcher.provide_targets(now, resolve.key, &[]);
            }
            WatcherOutput::Open(opening) => self.open(opening),
            WatcherOutput::Event(event) => self.handle_event(&event),
            _ => {}
        }
    }

    /// Opens a body where nobody waits for it.
    fn open(&mut self, opening: Opening) {
        let keys = self.keys.clone();
        self.opened.start(move || {
            let keys = keys.ok_or(OpenError::Unsupported);
            let outcome = keys.and_then(|keys| keys.open(&opening));
            (opening.key, outcome)
        });
    }

    fn answer(&mut self, need: &NeedCredentials) {
        let now = self.now();
        let transaction = need.transaction();
        let answer = match &mut self.answers {
            None => Err("credentials are asked for: give --auth USER:PASSWORD".to_owned()),
            Some(answers) => answers
                .answer(need)
                .map_err(|declined| declined.to_string()),
        };
        let answered = match answer {
            Ok(value) => self.watcher.provide_credentials(now, transaction, &value),
            Err(problem) => {
                self.complain(problem);
                false
            }
        };
        if !answered {
            self.watcher.decline_credentials(now, transaction);
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
                self.watcher.handle_response(now, transaction, &response);
            }
            Err(failure) => self.watcher.handle_failure(now, transaction, failure),
        }
    }

    /// NOTIFYs; the watcher refuses whatever else comes.
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
        match self.watcher.handle_request(now, id, &request, &context) {
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

    fn respond(&mut self, response: &Response) {
        if let Some(transaction) = self.asked.remove(&response.transaction().0) {
            self.endpoint.respond(transaction, response);
        }
    }

    fn handle_event(&mut self, event: &WatcherEvent) {
        match event {
            WatcherEvent::Changed(change) => self.changed(change),
            WatcherEvent::State { key, .. } => {
                self.remark(*key, String::new());
                self.report(*key, "state", None, None);
            }
            WatcherEvent::Unreadable { key, error } => {
                self.report(*key, "unreadable", Some(error.to_string()), None);
            }
            WatcherEvent::Outdated { key, outdated } => {
                self.report(*key, "outdated", Some(outdated.to_string()), None);
            }
            WatcherEvent::Unprotected { key, why } => self.refuse(*key, "refused", why.to_string()),
            WatcherEvent::BodyRefused {
                key,
                body: RefusedBody::Unopened(error),
            } => self.refuse(*key, "refused", error.to_string()),
            WatcherEvent::BodyRefused { key, body } => {
                let reason = match body {
                    RefusedBody::Type(name) => format!("of type {name:?}"),
                    RefusedBody::Length(octets) => format!("of {octets} octets"),
                    _ => format!("{body:?}"),
                };
                self.refuse(*key, "refused-body", reason);
            }
            WatcherEvent::Ended { key, end, retry_in } => {
                let reason = match end {
                    SubscriptionEnd::Unknown { status } => with_phrase(end, *status),
                    _ => end.to_string(),
                };
                self.remark(*key, reason.clone());
                self.report(*key, "ended", Some(reason), *retry_in);
            }
            WatcherEvent::Failed {
                key,
                failure,
                retry_in,
                ..
            } => {
                let reason = match failure {
                    SubscribeFailure::Refused { status } => with_phrase(failure, *status),
                    _ => failure.to_string(),
                };
                self.remark(*key, reason.clone());
                self.report(*key, "failed", Some(reason), *retry_in);
            }
            WatcherEvent::Delayed { key, retry_in } => {
                let reason = "the server has asked to wait".to_owned();
                self.remark(*key, reason.clone());
                self.report(*key, "delayed", Some(reason), Some(*retry_in));
            }
            WatcherEvent::Over {
                key,
                was_fetch,
                confirmed,
            } => {
                let is_demanding = self.demand != Protection::None;
                if let Some(watched) = self.find(*key) {
                    watched.is_over = true;
                    let was_believed = match &watched.presence {
                        Some(_) => true,
                        None => !is_demanding && !watched.was_refused,
                    };
                    watched.was_answered = *was_fetch && *confirmed && was_believed;
                }
                let reason = match (was_fetch, confirmed) {
                    (true, true) => "answered",
                    (true, false) => "not answered",
                    (false, true) => "ended",
                    (false, false) => "not confirmed; it runs out by itself",
                };
                self.report(*key, "over", Some(reason.to_owned()), None);
            }
            other => self.complain(other.to_string()),
        }
    }

    /// A document is not believed; what was known stays.
    fn refuse(&mut self, key: OwnSubscriptionKey, event: &'static str, reason: String) {
        if let Some(watched) = self.find(key) {
            watched.was_refused = true;
            watched.remark = one_line(&format!("refused: {reason}"));
        }
        self.report(key, event, Some(reason), None);
    }

    fn changed(&mut self, change: &PresenceChange) {
        let Some(after) = change.after.as_deref() else {
            if let Some(watched) = self.find(change.key) {
                watched.presence = None;
                watched.since = Some(wall_clock());
            }
            return self.report(change.key, "presence", None, None);
        };
        let summary = Summary::of(after);
        let before = change.before.as_deref();
        let changes = changes(before, after);
        let state = self.state(change.key);
        let Some(watched) = self.find(change.key) else {
            return;
        };
        let was = watched.presence.as_ref().map(|it| it.basic);
        if was != Some(summary.basic) {
            let now = wall_clock();
            // Nobody knows what will be.
            let said = summary.changed.filter(|at| *at <= now);
            watched.since = Some(said.unwrap_or(now));
        }
        watched.presence = Some(summary);
        let seal = Seal::of(change);
        watched.remark = seal.in_words();
        let uri = watched.uri.clone();
        let presence = watched.presence.clone();
        self.show(&Report {
            uri: &uri,
            event: "presence",
            state,
            presence: presence.as_ref(),
            changes: &changes,
            seal: Some(&seal),
            ..Report::default()
        });
    }

    fn find(&mut self, key: OwnSubscriptionKey) -> Option<&mut Watched> {
        self.watched.iter_mut().find(|watched| watched.key == key)
    }

    fn remark(&mut self, key: OwnSubscriptionKey, remark: String) {
        if let Some(watched) = self.find(key) {
            watched.remark = one_line(&remark);
        }
    }

    /// The state of a subscription in a word.
    fn state(&self, key: OwnSubscriptionKey) -> &'static str {
        state_of(&self.watcher, key)
    }

    fn report(
        &mut self,
        key: OwnSubscriptionKey,
        event: &'static str,
        reason: Option<String>,
        retry_in: Option<Duration>,
    ) {
        let state = self.state(key);
        let reason = reason.map(|reason| one_line(&reason));
        let Some(watched) = self.find(key) else {
            return;
        };
        let uri = watched.uri.clone();
        let presence = watched.presence.clone();
        self.show(&Report {
            uri: &uri,
            event,
            state,
            presence: presence.as_ref(),
            reason: reason.as_deref(),
            retry_in,
            ..Report::default()
        });
    }

    fn show(&mut self, report: &Report<'_>) {
        match &mut self.view {
            View::Lines => say(report.line()),
            View::Json => say(report.json()),
            View::Table(_, last) => match report.event {
                "presence" | "state" => last.clear(),
                _ => *last = report.line(),
            },
        }
    }

    fn complain(&mut self, problem: String) {
        match &mut self.view {
            View::Table(_, last) => *last = one_line(&problem),
            _ => eprintln!("watch: {}", one_line(&problem)),
        }
    }

    fn draw(&mut self) {
        let View::Table(table, last) = &mut self.view else {
            return;
        };
        let watcher = &self.watcher;
        let rows = self.watched.iter().map(|watched| Row {
            uri: &watched.uri,
            presence: watched.presence.as_ref(),
            since: watched.since,
            state: state_of(watcher, watched.key),
            remark: &watched.remark,
        });
        table.draw(rows, last);
    }

    /// Nobody will be watched any more.
    fn is_hopeless(&self) -> bool {
        let mut watched = self.watched.iter();
        watched.all(|watched| watched.is_over || self.state(watched.key) == "refused")
    }

    fn end(&mut self) -> Result<(), presentity::event::SubscribeError> {
        let now = self.now();
        for watched in self.watched.iter().filter(|watched| !watched.is_over) {
            self.watcher.end(now, watched.key)?;
        }
        Ok(())
    }

    /// Says what was not ended in time.
    fn leave(&mut self) {
        let open = self.watched.iter().filter(|watched| !watched.is_over);
        for key in open.map(|watched| watched.key).collect::<Vec<_>>() {
            let reason = "not confirmed in time; it runs out by itself";
            self.report(key, "over", Some(reason.to_owned()), None);
        }
        self.draw();
    }
}

fn state_of(watcher: &Watcher, key: OwnSubscriptionKey) -> &'static str {
    let phase = watcher.presentity(key).map(|info| info.subscription.phase);
    match phase {
        Some(OwnSubscriptionPhase::Trying) => "trying",
        Some(OwnSubscriptionPhase::Held(NotifiedState::Pending)) => "pending",
        Some(OwnSubscriptionPhase::Held(NotifiedState::Active)) => "active",
        Some(OwnSubscriptionPhase::Waiting) => "waiting",
        Some(OwnSubscriptionPhase::Refused) => "refused",
        Some(OwnSubscriptionPhase::Leaving) => "leaving",
        Some(_) => "held",
        None => "over",
    }
}

fn with_phrase(what: &impl std::fmt::Display, status: u16) -> String {
    format!("{what} {}", message::reason_phrase(status))
}
