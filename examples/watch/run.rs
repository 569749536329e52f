//! The task that owns the watcher: polls it until nothing is left to do, then sleeps until input or a
//! deadline.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use presentity::engine::Timestamp;
use presentity::event::{Opening, OpeningKey, OpeningOutcome, OwnSubscriptionKey, RefusedBody};
use presentity::mime::OpenError;
use presentity::presence::{
    PresenceChange, Protection, WatchOrder, Watcher, WatcherConfig, WatcherEvent, WatcherOutput,
};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};

use crate::adapter::workers::Workers;
use crate::adapter::{self, wall_clock};
use crate::args::Args;
use crate::client::endpoint::Endpoint;
use crate::client::link::Link;
use crate::kept_file::KeptFile;
use crate::report::Report;
use crate::signers::Seal;
use crate::smime::Keys;
use crate::subscription::{
    CLOSING_LIMIT, DELAYED, UNCONFIRMED, account, how_over, phase_name, why_ended, why_failed,
    why_refused, why_unanswered,
};
use crate::summary::{Summary, changes, one_line};
use crate::table::{self, Row, Table};
use crate::terminal::{say, told_to_stop};

/// The type of what `--filter` names.
const FILTER: &str = "application/simple-filter+xml";

/// A presentity, in the order of the command line.
struct Watched {
    /// As it is shown.
    uri: String,
    /// As it is watched.
    resource: String,
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
    link: Link<Watcher>,
    watched: Vec<Watched>,
    view: View,
    keys: Option<Arc<Keys>>,
    opened: Workers<(OpeningKey, OpeningOutcome)>,
    /// What documents have to be to be believed.
    demand: Protection,
    /// What is left to the next run.
    kept: Option<KeptFile>,
}

/// Watches until told to stop.
pub(crate) async fn run(
    args: Args,
    keys: Option<Arc<Keys>>,
    filter: Option<Vec<u8>>,
    kept: Option<KeptFile>,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut stop = std::pin::pin!(told_to_stop()?);
    let stack = Endpoint::listen(args.transport).await?;
    let mut config = WatcherConfig::default();
    config.subscriber.opens_bodies = keys.is_some();
    config.protection = args.demand;
    let mut watcher = Watcher::new(config, adapter::entropy()?);
    watcher.set_wall_clock(Timestamp::ZERO, wall_clock());
    let mut link = Link::new(watcher, stack, args.credentials.clone());
    let mut watched = Vec::new();
    for uri in &args.uris {
        let account = tokio::select! {
            account = account(&args, uri, &link.endpoint) => account?,
            () = &mut stop => return Ok(ExitCode::SUCCESS),
        };
        let now = link.now();
        let mut order = WatchOrder::new(&account, uri);
        order.expires = args.expires;
        order.rates = args.rates;
        order.partial = Some(args.partial);
        order.body = filter.clone().map(|filter| (FILTER, filter.into()));
        order.resume = kept.as_ref().and_then(|kept| kept.of(uri)).cloned();
        let presence = order.resume.as_ref().map(|it| Summary::of(it.presence()));
        let key = match args.fetch {
            true => link.role.fetch(now, order)?,
            false => link.role.watch(now, order)?,
        };
        watched.push(Watched {
            uri: one_line(uri),
            key,
            resource: uri.clone(),
            presence,
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
        link,
        watched,
        view,
        keys,
        opened: Workers::new(),
        demand: args.demand,
        kept,
    };
    watching.resumed();
    let mut closing = None;
    loop {
        // The drain rule: nothing may be left in the watcher before this task sleeps.
        while let Some(output) = watching.link.role.poll_output() {
            watching.perform(output);
        }
        watching.draw();
        let is_late = closing.is_some_and(|closing| Instant::now() >= closing);
        if is_late || watching.watched.iter().all(|it| it.is_over) {
            break;
        }
        if !is_table && closing.is_none() && watching.is_hopeless() {
            watching.write_kept();
            watching.link.endpoint.close().await;
            return Ok(ExitCode::FAILURE);
        }
        tokio::select! {
            () = watching.link.turn() => {}
            (key, outcome) = watching.opened.result() => {
                let now = watching.link.now();
                watching.link.role.complete_opening(now, key, outcome);
            }
            () = sleep_until(closing.unwrap_or_else(Instant::now)), if closing.is_some() => {}
            () = &mut stop, if closing.is_none() => {
                closing = Instant::now().checked_add(CLOSING_LIMIT);
                watching.end()?;
            }
        }
    }
    watching.leave();
    watching.write_kept();
    watching.link.endpoint.close().await;
    let fetched = watching.watched.iter().all(|it| it.was_answered);
    Ok(match args.fetch && !fetched {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

impl Watching {
    fn perform(&mut self, output: WatcherOutput) {
        match output {
            WatcherOutput::Send(request) => self.link.send(request),
            WatcherOutput::Respond(response) => self.link.respond(&response),
            WatcherOutput::NeedCredentials(need) => {
                if let Err(why) = self.link.answer(&need) {
                    self.complain(why_unanswered(why));
                }
            }
            WatcherOutput::Resolve(resolve) => {
                // A host with a resolver asks for the SRV records of `srv_name` here.
                let now = self.link.now();
                self.link.role.provide_targets(now, resolve.key, &[]);
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

    fn handle_event(&mut self, event: &WatcherEvent) {
        match event {
            WatcherEvent::Changed(change) => {
                self.keep(change.key);
                self.changed(change);
            }
            WatcherEvent::Confirmed { key } => {
                self.keep(*key);
                self.remark(*key, String::new());
                self.report(*key, "confirmed", None, None);
            }
            WatcherEvent::State { key, .. } => {
                self.remark(*key, String::new());
                self.report(*key, "state", None, None);
            }
            WatcherEvent::Unreadable { key, error } => {
                self.report(*key, "unreadable", Some(error.to_string()), None);
            }
            WatcherEvent::Unpatched { key, error, .. } => {
                self.report(*key, "unpatched", Some(error.to_string()), None);
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
                self.refuse(*key, "refused-body", why_refused(body));
            }
            WatcherEvent::Ended { key, end, retry_in } => {
                let reason = why_ended(end);
                self.remark(*key, reason.clone());
                self.report(*key, "ended", Some(reason), *retry_in);
            }
            WatcherEvent::Failed {
                key,
                failure,
                retry_in,
                ..
            } => {
                let reason = why_failed(failure);
                self.remark(*key, reason.clone());
                self.report(*key, "failed", Some(reason), *retry_in);
            }
            WatcherEvent::Delayed { key, retry_in } => {
                let reason = DELAYED.to_owned();
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
                let reason = how_over(*was_fetch, *confirmed).to_owned();
                self.report(*key, "over", Some(reason), None);
            }
            other => self.complain(other.to_string()),
        }
    }

    /// What an earlier run has left is shown, until it is known what has become of it.
    fn resumed(&mut self) {
        let known = self.watched.iter().filter(|it| it.presence.is_some());
        for key in known.map(|watched| watched.key).collect::<Vec<_>>() {
            self.remark(key, "from the last time".to_owned());
            self.report(key, "resumed", None, None);
        }
    }

    /// Remembers what is known now for the next run.
    fn keep(&mut self, key: OwnSubscriptionKey) {
        let now = self.link.role.resumption(key);
        let watched = self.watched.iter().find(|watched| watched.key == key);
        if let (Some(kept), Some(watched)) = (&mut self.kept, watched) {
            kept.replace(&watched.resource, now);
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
        let rates = self.link.role.presentity(change.key);
        let rates = rates.and_then(|info| info.subscription.rates);
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
            rates,
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
        state_of(&self.link.role, key)
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
        let rates = self.link.role.presentity(key);
        let rates = rates.and_then(|info| info.subscription.rates);
        self.show(&Report {
            uri: &uri,
            event,
            state,
            rates,
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
                "presence" | "resumed" | "confirmed" | "state" => last.clear(),
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
        let watcher = &self.link.role;
        let rows = self.watched.iter().map(|watched| Row {
            uri: &watched.uri,
            presence: watched.presence.as_ref(),
            since: watched.since,
            state: state_of(watcher, watched.key),
            remark: &watched.remark,
        });
        table.draw(table::lines(&rows.collect::<Vec<_>>(), last));
    }

    /// Nobody will be watched any more.
    fn is_hopeless(&self) -> bool {
        let mut watched = self.watched.iter();
        watched.all(|watched| watched.is_over || self.state(watched.key) == "refused")
    }

    fn end(&mut self) -> Result<(), presentity::event::SubscribeError> {
        let now = self.link.now();
        let open = self.watched.iter().filter(|watched| !watched.is_over);
        for key in open.map(|watched| watched.key).collect::<Vec<_>>() {
            // It may have another name since it was told.
            self.keep(key);
            self.link.role.end(now, key)?;
        }
        Ok(())
    }

    fn write_kept(&mut self) {
        let written = self.kept.as_ref().map(KeptFile::write);
        if let Some(Err(error)) = written {
            self.complain(format!("what is known could not be kept: {error}"));
        }
    }

    /// Says what was not ended in time.
    fn leave(&mut self) {
        let open = self.watched.iter().filter(|watched| !watched.is_over);
        for key in open.map(|watched| watched.key).collect::<Vec<_>>() {
            let reason = UNCONFIRMED;
            self.report(key, "over", Some(reason.to_owned()), None);
        }
        self.draw();
    }
}

fn state_of(watcher: &Watcher, key: OwnSubscriptionKey) -> &'static str {
    phase_name(watcher.presentity(key).map(|info| info.subscription.phase))
}
