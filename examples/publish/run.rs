//! The task that owns the publisher: polls it until nothing is left to do, then sleeps until input or a
//! deadline.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use presentity::engine::{ClientTransaction, Timestamp};
use presentity::event::{
    Account, NeedCredentials, OwnPublicationKey, PublishFailure, PublishKind, PublisherConfig,
    PublisherEvent, PublisherOutput,
};
use presentity::presence::Publisher;
use presentity::sip::OutgoingRequest;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::adapter::{self, Reply, message, wall_clock};
use crate::args::{self, Args, Wish};
use crate::client::digest::{Challenged, Credentials};
use crate::client::endpoint::{Endpoint, Outcome};
use crate::state::State;
use crate::terminal::{read_lines, say, told_to_stop};

/// How long the removal may take; the rest of three seconds is for the way out.
const CLOSING_LIMIT: Duration = Duration::from_millis(2500);

/// A publication on its way.
struct Publishing {
    publisher: Publisher,
    endpoint: Endpoint,
    credentials: Option<Credentials>,
    key: OwnPublicationKey,
    uri: String,
    state: State,
    /// The publisher's time is counted from here.
    epoch: Instant,
    /// The server has had it.
    was_published: bool,
    /// What the program ends with, once it is over.
    over: Option<ExitCode>,
    watch_stdin: bool,
    verbose: bool,
}

/// Publishes until told to stop.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut stop = std::pin::pin!(told_to_stop()?);
    let (endpoint, mut requests) = Endpoint::start(args.transport).await?;
    let mut account = Account::new(&args.uri)?;
    if let Some(proxy) = &args.proxy {
        account = account.with_route(proxy)?;
    }
    let mut config = PublisherConfig::default();
    config.expires = args.expires;
    let mut publisher = Publisher::new(config, adapter::entropy()?);
    let (epoch, now) = (Instant::now(), Timestamp::ZERO);
    publisher.set_wall_clock(now, wall_clock());
    let document = args.state.document(&args.uri)?;
    let key = match args.partial {
        true => publisher.publish_partially(now, &account, document)?,
        false => publisher.publish(now, &account, document)?,
    };
    let mut publishing = Publishing {
        publisher,
        endpoint,
        credentials: args.credentials,
        key,
        uri: args.uri,
        state: args.state,
        epoch,
        was_published: false,
        over: None,
        watch_stdin: args.watch_stdin,
        verbose: args.verbose,
    };
    let (lines, mut wishes) = mpsc::channel(16);
    let mut watch_stdin = args.watch_stdin;
    if watch_stdin {
        read_lines(move |line| match args::parse_line(line) {
            Ok(Some(wish)) => lines.blocking_send(wish).is_ok(),
            Ok(None) => true,
            Err(problem) => {
                eprintln!("publish: {problem}");
                true
            }
        });
    }
    let mut closing = None;
    loop {
        // The drain rule: nothing may be left in the publisher before this task sleeps.
        while let Some(output) = publishing.publisher.poll_output() {
            publishing.perform(output);
        }
        if let Some(over) = publishing.over {
            publishing.endpoint.close().await;
            return Ok(over);
        }
        let deadline = publishing.publisher.poll_timeout();
        let deadline =
            deadline.and_then(|t| epoch.checked_add(t.saturating_since(Timestamp::ZERO)));
        let deadline = [deadline, closing].into_iter().flatten().min();
        let end = tokio::select! {
            (transaction, outcome) = publishing.endpoint.outcome() => {
                publishing.handle_outcome(transaction, outcome);
                false
            }
            Some(transaction) = requests.recv() => {
                // Nobody has a reason to ask this program for anything.
                publishing.endpoint.reply(transaction, &Reply::new(405));
                false
            }
            wish = wishes.recv(), if watch_stdin => match wish {
                Some(Wish::Quit) | None => true,
                Some(wish) => {
                    publishing.change(wish);
                    false
                }
            },
            () = sleep_until(deadline.unwrap_or(epoch)), if deadline.is_some() => {
                let now = publishing.now();
                publishing.publisher.handle_timeout(now);
                if closing.is_some_and(|closing| Instant::now() >= closing) {
                    publishing.give_up();
                }
                false
            }
            () = &mut stop, if closing.is_none() => true,
        };
        if end {
            watch_stdin = false;
            closing = closing.or(Instant::now().checked_add(CLOSING_LIMIT));
            let now = publishing.now();
            publishing.publisher.remove(now, key)?;
        }
    }
}

/// Says what a request carries.
fn report(request: &OutgoingRequest) {
    let mut fields = request.fields();
    match fields.find(|(name, _)| *name == "Content-Type") {
        Some((_, media_type)) => {
            let octets = request.body().len();
            say(format_args!("sending {octets} octets of {media_type}"));
        }
        None => say("sending no state"),
    }
}

impl Publishing {
    fn now(&self) -> Timestamp {
        Timestamp::from_elapsed(self.epoch.elapsed())
    }

    fn perform(&mut self, output: PublisherOutput) {
        match output {
            PublisherOutput::Send(request) => {
                if self.verbose {
                    report(&request);
                }
                self.endpoint.send(request);
            }
            PublisherOutput::NeedCredentials(need) => self.answer(&need),
            PublisherOutput::Event(event) => self.handle_event(&event),
            _ => {}
        }
    }

    fn answer(&mut self, need: &NeedCredentials) {
        let now = self.now();
        let request = Challenged {
            status: need.status(),
            method: need.method(),
            uri: need.uri(),
        };
        let transaction = need.transaction();
        let answer = match &mut self.credentials {
            None => Err("credentials are asked for: give --auth USER:PASSWORD".to_owned()),
            Some(credentials) => credentials
                .answer(request, need.challenges())
                .map_err(|declined| declined.to_string()),
        };
        let answered = match answer {
            Ok(value) => self.publisher.provide_credentials(now, transaction, &value),
            Err(problem) => {
                eprintln!("publish: {problem}");
                false
            }
        };
        if !answered {
            self.publisher.decline_credentials(now, transaction);
        }
    }

    fn handle_outcome(&mut self, transaction: ClientTransaction, outcome: Outcome) {
        let now = self.now();
        match outcome {
            Ok(mut response) => {
                let body = Bytes::from(std::mem::take(&mut response.body));
                let response = message::response_ref(&response, &body);
                self.publisher.handle_response(now, transaction, &response);
            }
            Err(failure) => self.publisher.handle_failure(now, transaction, failure),
        }
    }

    fn handle_event(&mut self, event: &PublisherEvent) {
        if let Some(credentials) = &mut self.credentials {
            credentials.settled();
        }
        match event {
            PublisherEvent::Published { kind, expires, .. } => {
                self.was_published = true;
                let done = match kind {
                    PublishKind::Refresh => "refreshed",
                    PublishKind::Modify => "changed",
                    _ => "published",
                };
                say(format_args!("{done}, expires in {expires} s"));
            }
            PublisherEvent::Lost { .. } => {
                say("lost: the server has forgotten it; it is published anew");
            }
            PublisherEvent::PartialRefused { .. } => {
                say("the server wants everything each time; it gets that from now on");
            }
            PublisherEvent::Failed {
                failure, retry_in, ..
            } => self.handle_failure(failure, *retry_in),
            PublisherEvent::Removed { confirmed, .. } => match confirmed {
                true => {
                    say("removed");
                    self.over.get_or_insert(ExitCode::SUCCESS);
                }
                false => self.give_up(),
            },
            other => say(other),
        }
    }

    fn handle_failure(&mut self, failure: &PublishFailure, retry_in: Option<Duration>) {
        let reason = match failure {
            PublishFailure::Refused { status, .. } => {
                format!("{failure} {}", message::reason_phrase(*status))
            }
            _ => failure.to_string(),
        };
        match retry_in {
            Some(wait) => say(format_args!(
                "failed: {reason}; again in {} s",
                wait.as_secs()
            )),
            None => say(format_args!("failed: {reason}")),
        }
        // Later on another state may do better, if there will be one.
        let hopeless = !self.was_published || !self.watch_stdin;
        if retry_in.is_none() && hopeless && self.over.is_none() {
            eprintln!("publish: {reason}");
            self.over = Some(ExitCode::FAILURE);
        }
    }

    /// The removal was not confirmed.
    fn give_up(&mut self) {
        say("not removed: the server has not confirmed that, and what it has runs out by itself");
        self.over.get_or_insert(ExitCode::SUCCESS);
    }

    fn change(&mut self, wish: Wish) {
        let mut state = self.state.clone();
        match wish {
            Wish::Become(basic, note) => (state.basic, state.note) = (basic, note),
            Wish::Do(activity) => state.activity = activity,
            Wish::Quit => return,
        }
        let now = self.now();
        // It may have been set since.
        self.publisher.set_wall_clock(now, wall_clock());
        let document = match state.document(&self.uri) {
            Ok(document) => document,
            Err(problem) => return eprintln!("publish: {problem}"),
        };
        match self.publisher.update(now, self.key, document) {
            Ok(()) => self.state = state,
            Err(problem) => eprintln!("publish: {problem}"),
        }
    }
}
