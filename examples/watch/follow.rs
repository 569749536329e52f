//! The task that follows who watches its user, and writes down what the user says about them.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use presentity::event::OwnSubscriptionKey;
use presentity::rules::SubHandling;
use presentity::winfo::{
    FollowOrder, WatcherChange, WatcherInfoEvent, WatcherInfoOutput, WatcherInfoSubscriber,
    WatcherInfoSubscriberConfig,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::adapter::{self, wall_clock};
use crate::args::Args;
use crate::client::endpoint::Endpoint;
use crate::client::link::Link;
use crate::command::{self, Command};
use crate::json::{member, string};
use crate::question::{Question, Unclear};
use crate::roll::{PACKAGE, Roll};
use crate::rules_file::{Answer, RulesFile, Somebody};
use crate::subscription::{
    CLOSING_LIMIT, DELAYED, UNCONFIRMED, account, how_over, phase_name, why_ended, why_failed,
    why_refused, why_unanswered,
};
use crate::summary::one_line;
use crate::table::Table;
use crate::terminal::{read_lines, say, told_to_stop};
use crate::watcher_report::{self, WatcherReport};

/// How it is shown.
enum View {
    Table(Table, String),
    Lines,
    Json,
}

/// The loop's belongings.
struct Following {
    link: Link<WatcherInfoSubscriber>,
    key: OwnSubscriptionKey,
    uri: String,
    view: View,
    roll: Roll,
    /// Everything is known that the server has told.
    is_complete: bool,
    /// What the subscription's state has come from.
    remark: String,
    /// Where answers go.
    rules: Option<RulesFile>,
    question: Question,
    /// Nothing more will come.
    is_over: bool,
    /// Of a fetch.
    was_answered: bool,
}

/// Follows until told to stop.
pub(crate) async fn run(
    args: Args,
    uri: &str,
    rules: Option<RulesFile>,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut stop = std::pin::pin!(told_to_stop()?);
    let stack = Endpoint::listen(args.transport).await?;
    let config = WatcherInfoSubscriberConfig::default();
    let subscriber = WatcherInfoSubscriber::new(config, adapter::entropy()?);
    let mut link = Link::new(subscriber, stack, args.credentials.clone());
    let account = tokio::select! {
        account = account(&args, uri, &link.endpoint) => account?,
        () = &mut stop => return Ok(ExitCode::SUCCESS),
    };
    let mut order = FollowOrder::new(&account, uri);
    order.expires = args.expires;
    let now = link.now();
    let key = match args.fetch {
        true => link.role.fetch(now, order)?,
        false => link.role.follow(now, order)?,
    };
    let view = match (
        args.json,
        std::io::stdout().is_terminal() && rules.is_none(),
    ) {
        (true, _) => View::Json,
        (false, true) => View::Table(Table::default(), String::new()),
        // What is typed would go into a table.
        (false, false) => View::Lines,
    };
    let is_table = matches!(view, View::Table(..));
    let (lines, mut commands) = mpsc::channel(16);
    if rules.is_some() {
        read_lines(move |line| {
            command::parse(line).is_none_or(|command| lines.blocking_send(command).is_ok())
        });
    }
    let mut following = Following {
        link,
        key,
        uri: one_line(uri),
        view,
        roll: Roll::default(),
        is_complete: false,
        remark: String::new(),
        rules,
        question: Question::default(),
        is_over: false,
        was_answered: false,
    };
    let mut closing = None;
    loop {
        // The drain rule: nothing may be left in the subscriber before this task sleeps.
        while let Some(output) = following.link.role.poll_output() {
            following.perform(output);
        }
        following.draw();
        following.ask();
        let is_late = closing.is_some_and(|closing| Instant::now() >= closing);
        if is_late || following.is_over {
            break;
        }
        if !is_table && closing.is_none() && following.state() == "refused" {
            following.link.endpoint.close().await;
            return Ok(ExitCode::FAILURE);
        }
        let ends = tokio::select! {
            () = following.link.turn() => false,
            // The end of input is no reason to stop.
            Some(command) = commands.recv() => following.obey(command),
            () = sleep_until(closing.unwrap_or_else(Instant::now)), if closing.is_some() => false,
            () = &mut stop, if closing.is_none() => true,
        };
        if ends && closing.is_none() {
            closing = Instant::now().checked_add(CLOSING_LIMIT);
            let now = following.link.now();
            following.link.role.end(now, key)?;
        }
    }
    if !following.is_over {
        following.report("over", Some(UNCONFIRMED.to_owned()), None);
        following.draw();
    }
    following.link.endpoint.close().await;
    Ok(match args.fetch && !following.was_answered {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

impl Following {
    fn perform(&mut self, output: WatcherInfoOutput) {
        match output {
            WatcherInfoOutput::Send(request) => self.link.send(request),
            WatcherInfoOutput::Respond(response) => self.link.respond(&response),
            WatcherInfoOutput::NeedCredentials(need) => {
                if let Err(why) = self.link.answer(&need) {
                    self.complain(&why_unanswered(why));
                }
            }
            WatcherInfoOutput::Resolve(resolve) => {
                // A host with a resolver asks for the SRV records of `srv_name` here.
                let now = self.link.now();
                self.link.role.provide_targets(now, resolve.key, &[]);
            }
            WatcherInfoOutput::Event(event) => self.handle_event(&event),
            _ => {}
        }
    }

    fn handle_event(&mut self, event: &WatcherInfoEvent) {
        match event {
            WatcherInfoEvent::Changed {
                changes,
                is_complete,
                ..
            } => self.changed(changes, *is_complete),
            WatcherInfoEvent::State { .. } => {
                self.remark.clear();
                self.report("state", None, None);
            }
            WatcherInfoEvent::Missed { .. } => {
                let reason = "the server is asked for everything".to_owned();
                self.report("missed", Some(reason), None);
            }
            WatcherInfoEvent::Outdated { version, known, .. } => {
                let reason = format!("version {version} follows {known}");
                self.report("outdated", Some(reason), None);
            }
            WatcherInfoEvent::Unreadable { error, .. } => {
                self.report("unreadable", Some(error.to_string()), None);
            }
            WatcherInfoEvent::Tolerated { faults, .. } => {
                let reason = faults.first().map(ToString::to_string);
                self.report("tolerated", reason, None);
            }
            WatcherInfoEvent::Overfull { left_out, .. } => {
                let reason = format!("no room for {left_out}");
                self.report("overfull", Some(reason), None);
            }
            WatcherInfoEvent::BodyRefused { body, .. } => {
                self.report("refused-body", Some(why_refused(body)), None);
            }
            WatcherInfoEvent::Ended { end, retry_in, .. } => {
                self.remember("ended", why_ended(end), *retry_in);
            }
            WatcherInfoEvent::Failed {
                failure, retry_in, ..
            } => self.remember("failed", why_failed(failure), *retry_in),
            WatcherInfoEvent::Delayed { retry_in, .. } => {
                self.remember("delayed", DELAYED.to_owned(), Some(*retry_in));
            }
            WatcherInfoEvent::Over {
                was_fetch,
                confirmed,
                ..
            } => {
                self.is_over = true;
                self.was_answered = *was_fetch && *confirmed;
                let reason = how_over(*was_fetch, *confirmed);
                self.report("over", Some(reason.to_owned()), None);
            }
            other => self.complain(&other.to_string()),
        }
    }

    fn changed(&mut self, changes: &[WatcherChange], is_complete: bool) {
        self.is_complete = is_complete;
        self.look();
        for change in changes.iter().filter(|it| *it.package == *PACKAGE) {
            if change.asks()
                && let Some(somebody) =
                    (change.after.as_ref()).and_then(|entry| Somebody::parse(&entry.uri))
            {
                self.question.asked_again(&somebody);
            }
            let (words, members) = watcher_report::change(change, wall_clock());
            self.tell("watcher", words, members);
        }
        let (words, members) = watcher_report::count(&self.roll.entries, is_complete);
        self.tell("watchers", words, members);
    }

    /// Asks the user about the next one who waits for a word.
    fn ask(&mut self) {
        if self.rules.is_none() || self.is_over {
            return;
        }
        let waiting = self.roll.undecided();
        let waiting = waiting.filter_map(|it| Somebody::parse(&it.uri));
        let next = self.question.next(Instant::now(), waiting);
        if let (View::Lines, Some(somebody)) = (&self.view, next) {
            say(format_args!(
                "May {} watch {}? allow, block, polite-block or later",
                somebody.uri, self.uri
            ));
        }
    }

    /// Whom an answer without a name is about; a program has to name somebody.
    fn meant(&self) -> Result<Somebody, Unclear> {
        match self.view {
            View::Json => Err(Unclear::Nobody),
            _ => self.question.meant(Instant::now()),
        }
    }

    /// Does what the user says; whether that is to stop.
    fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Quit => return true,
            Command::Help => say(command::HELP),
            Command::List => match self.view {
                View::Json => {
                    let members = watcher_report::list(&self.roll.entries);
                    self.tell("list", String::new(), members);
                }
                _ => say(watcher_report::rows(&self.roll.entries).join("\n")),
            },
            Command::Odd(problem) => self.error(problem),
            Command::Answer(answer, somebody) => match somebody.map_or_else(|| self.meant(), Ok) {
                Ok(somebody) => self.answer(&somebody, answer),
                Err(problem) => self.error(format!("{}: {problem}", answer.as_str())),
            },
        }
        false
    }

    fn answer(&mut self, somebody: &Somebody, answer: Answer) {
        let Some(rules) = &self.rules else {
            return;
        };
        let in_force = match rules.answer(somebody, answer) {
            Ok(in_force) => in_force,
            Err(problem) => return self.error(problem.to_string()),
        };
        self.question.answered(somebody);
        let wanted = answer.handling();
        let mut words = format!("{} {}: written", answer.as_str(), somebody.uri);
        match (wanted, in_force) {
            (Some(wanted), in_force) if wanted != in_force => {
                words.push_str(&format!(
                    ", but other rules there say {}",
                    in_force.as_str()
                ));
            }
            (None, in_force) if in_force != SubHandling::Confirm => {
                words.push_str(&format!(", and the rules there say {}", in_force.as_str()));
            }
            _ => {}
        }
        let members = vec![
            member("watcher", &string(&somebody.uri)),
            member("answer", &string(answer.as_str())),
            member("in_force", &string(in_force.as_str())),
        ];
        self.tell("answered", words, members);
    }

    fn remember(&mut self, event: &'static str, reason: String, retry_in: Option<Duration>) {
        self.remark = one_line(&reason);
        self.report(event, Some(reason), retry_in);
    }

    fn report(&mut self, event: &'static str, reason: Option<String>, retry_in: Option<Duration>) {
        let reason = reason.map(|reason| one_line(&reason));
        let uri = self.uri.clone();
        self.show(&WatcherReport {
            uri: &uri,
            event,
            state: self.state(),
            reason: reason.as_deref(),
            retry_in,
            ..WatcherReport::default()
        });
    }

    fn tell(&mut self, event: &'static str, words: String, members: Vec<String>) {
        let uri = self.uri.clone();
        self.show(&WatcherReport {
            uri: &uri,
            event,
            state: self.state(),
            words,
            members,
            ..WatcherReport::default()
        });
    }

    /// Something that the user asked for cannot be done.
    fn error(&mut self, problem: String) {
        self.report("error", Some(problem), None);
    }

    fn show(&mut self, report: &WatcherReport<'_>) {
        match &mut self.view {
            View::Lines => say(report.line()),
            View::Json => say(report.json()),
            View::Table(_, last) => match report.event {
                "watcher" | "watchers" | "state" => last.clear(),
                _ => *last = report.line(),
            },
        }
    }

    fn complain(&mut self, problem: &str) {
        match &mut self.view {
            View::Table(_, last) => *last = one_line(problem),
            _ => eprintln!("watch: {}", one_line(problem)),
        }
    }

    fn look(&mut self) {
        let tables = self.link.role.tables(self.key);
        self.roll.update(wall_clock(), tables);
    }

    fn draw(&mut self) {
        // What was known last stays on the screen.
        if !self.is_over {
            self.look();
        }
        let state = self.state();
        let View::Table(table, last) = &mut self.view else {
            return;
        };
        let entries = &self.roll.entries;
        let (count, _) = watcher_report::count(entries, self.is_complete);
        let mut first = format!("{} [{state}] {count}", self.uri);
        if !self.remark.is_empty() {
            first.push_str(&format!(" ({})", self.remark));
        }
        table.draw(watcher_report::screen(entries, &first, last));
    }

    /// The state of the subscription in a word.
    fn state(&self) -> &'static str {
        let info = self.link.role.resource(self.key);
        phase_name(info.map(|info| info.subscription.phase))
    }
}
