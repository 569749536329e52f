//! Commands on standard input, lines on standard output.

use std::time::Duration;

use presentity::engine::Timestamp;
use presentity::event::{Decision, NotifyResult, Reason, Rejection, Termination, View};
use presentity::pidf::{Basic, Presence, Tuple};
use presentity::presence::RulesPolicy;
use presentity::sip::Uri;
use tokio::sync::mpsc;

use crate::adapter::Command;
use crate::host::{Server, ServerAgent};
use crate::policy::ServerPolicy;
use crate::terminal::{read_lines, say};

const HELP: &str = "\
list                                      subscriptions and publications
decide WATCHER PRESENTITY DECISION        allow, block or polite-block; remembered, but
                                          for presentities with rules, as long as the
                                          subscription lasts
winfo                                     who watches whom, who waits for a decision,
                                          and who watches that
rules                                     read the presence rules again
drain SECONDS [TARGET]                    end all subscriptions, evenly over this time;
                                          new ones go to the SIP URI TARGET, or nowhere
serve                                     serve again
set PRESENTITY open|closed [NOTE]         state that lasts, set by the server itself
end PRESENTITY REASON                     end the subscriptions: deactivated, probation,
                                          rejected, timeout, giveup or noresource
stats                                     what was counted
quit                                      end all subscriptions and stop
help                                      this";

/// What is done in the task of the agent.
pub(crate) type ServerCommand = Command<RulesPolicy<ServerPolicy>, Server>;

/// Reads commands until input ends, which is no reason to stop.
pub(crate) fn start(
    commands: mpsc::Sender<ServerCommand>,
    quit: mpsc::Sender<()>,
    rules: Option<mpsc::Sender<()>>,
) {
    read_lines(move |line| match parse(line) {
        Ok(Some(Parsed::Quit)) => {
            // Behind the commands before it.
            let quit = quit.clone();
            let last: ServerCommand = Box::new(move |_, _, _| {
                let _ = quit.try_send(());
            });
            commands.blocking_send(last).is_ok()
        }
        Ok(Some(Parsed::ReadRules)) => {
            match &rules {
                // One that waits already will do.
                Some(rules) => drop(rules.try_send(())),
                None => say("error: there are none (see --rules)"),
            }
            true
        }
        Ok(Some(Parsed::Do(command))) => commands.blocking_send(command).is_ok(),
        Ok(None) => true,
        Err(problem) => {
            say(format_args!("error: {problem} (try help)"));
            true
        }
    });
}

enum Parsed {
    Quit,
    ReadRules,
    Do(ServerCommand),
}

fn parse(line: &str) -> Result<Option<Parsed>, String> {
    let mut words = line.split_whitespace();
    let Some(verb) = words.next() else {
        return Ok(None);
    };
    let mut argument = |name: &str| words.next().ok_or(format!("{verb}: {name} is missing"));
    let command: ServerCommand = match verb {
        "list" => Box::new(|agent, _, now| list(agent, now)),
        "stats" => Box::new(|agent, server, _| stats(agent, server)),
        "decide" => {
            let watcher = address_of_record(argument("WATCHER")?)?;
            let presentity = address_of_record(argument("PRESENTITY")?)?;
            let decision = match argument("DECISION")? {
                "allow" => Decision::Allow(View::full()),
                "block" => Decision::Reject(Rejection::Forbidden),
                "polite-block" => Decision::PoliteBlock,
                other => return Err(format!("decide: no decision is named {other:?}")),
            };
            Box::new(move |agent, server, now| {
                let watcher = server.folded(watcher);
                let presentity = server.folded(presentity);
                if !agent.policy_mut().fallback_mut().remember(
                    &watcher,
                    &presentity,
                    decision.clone(),
                ) {
                    return say("error: too many decisions are remembered");
                }
                match agent.decide_watcher(now, &watcher, &presentity, &decision) {
                    Ok(count) => say(format_args!("decided, {count} subscriptions concerned")),
                    Err(problem) => say(format_args!("error: {problem}")),
                }
            })
        }
        "set" => {
            let presentity = address_of_record(argument("PRESENTITY")?)?;
            let basic = match argument("open or closed")? {
                "open" => Basic::Open,
                "closed" => Basic::Closed,
                other => return Err(format!("set: neither open nor closed: {other:?}")),
            };
            let note = words.collect::<Vec<_>>().join(" ");
            Box::new(move |agent, _, now| {
                let presence = document(&presentity, basic, &note);
                match agent.set_presence(now, &presentity, presence) {
                    Ok(()) => say("set"),
                    Err(problem) => say(format_args!("error: {problem}")),
                }
            })
        }
        "end" => {
            let presentity = address_of_record(argument("PRESENTITY")?)?;
            let reason = argument("REASON")?;
            let reason =
                Reason::parse(reason).ok_or(format!("end: no reason is named {reason:?}"))?;
            Box::new(move |agent, _, now| {
                match agent.terminate_presentity(now, &presentity, Termination::new(reason)) {
                    Ok(count) => say(format_args!("ended {count} subscriptions")),
                    Err(problem) => say(format_args!("error: {problem}")),
                }
            })
        }
        "winfo" => Box::new(|agent, _, now| watchers(agent, now)),
        "rules" => return Ok(Some(Parsed::ReadRules)),
        "drain" => {
            let seconds = argument("SECONDS")?;
            let seconds: u32 = seconds
                .parse()
                .map_err(|_| format!("drain: no number of seconds: {seconds:?}"))?;
            let target = words.next().map(str::to_owned);
            Box::new(move |agent, server, now| {
                let over = Duration::from_secs(seconds.into());
                match agent.drain(now, over, target.as_deref(), seconds.max(1)) {
                    Ok(count) => {
                        server.drains = target.is_some();
                        say(format_args!("draining {count} subscriptions"));
                    }
                    Err(problem) => say(format_args!("error: {problem}")),
                }
            })
        }
        "serve" => Box::new(|agent, server, _| {
            server.drains = false;
            match agent.stop_draining() {
                true => say("serving again"),
                false => say("serving as before"),
            }
        }),
        "quit" => return Ok(Some(Parsed::Quit)),
        "help" => {
            say(HELP);
            return Ok(None);
        }
        other => return Err(format!("no command is named {other:?}")),
    };
    Ok(Some(Parsed::Do(command)))
}

/// The canonical form of a presentity or watcher: a URI, or a name as `list` has it, in which a
/// colon stands before a port or in a host alone.
fn address_of_record(text: &str) -> Result<String, String> {
    let user = text.split_once('@').map_or("", |(user, _)| user);
    let uri = if user.contains(':') || !text.contains('@') && text.contains(':') {
        text.to_owned()
    } else {
        format!("sip:{text}")
    };
    let address = Uri::parse(&uri)
        .ok()
        .and_then(|uri| uri.address_of_record());
    address.ok_or_else(|| format!("{text:?} is no address like bob@example.com"))
}

/// The state of a presentity with one tuple, by which it is reached at its own address.
fn document(presentity: &str, basic: Basic, note: &str) -> Presence {
    let uri = format!("sip:{presentity}");
    let tuple = Tuple::new("console")
        .with_basic(basic)
        .with_contact(uri.as_str());
    let presence = Presence::new(uri).with_tuple(tuple);
    if note.is_empty() {
        presence
    } else {
        presence.with_note(note)
    }
}

/// Who watches whom.
fn watchers(agent: &ServerAgent, now: Timestamp) {
    let mut none = true;
    for subscription in agent.subscriptions() {
        none = false;
        let watcher = subscription.watcher.unwrap_or("nobody");
        let state = state_of(subscription.decision);
        say(format_args!(
            "{watcher} watches {}: {state}",
            subscription.resource
        ));
    }
    if let Some(info) = agent.watcher_info() {
        for undecided in info.undecided(1) {
            none = false;
            let left = undecided.gives_up.saturating_since(now).as_secs();
            let (watcher, resource) = (undecided.watcher, undecided.resource);
            say(format_args!(
                "{watcher} waits for the word of {resource}, for {left} s more"
            ));
        }
        for (level, what) in [(1, "the watchers"), (2, "who watches the watchers")] {
            for subscription in info.subscriptions(level) {
                none = false;
                let watcher = subscription.watcher.unwrap_or("nobody");
                let state = state_of(subscription.decision);
                let resource = subscription.resource;
                say(format_args!(
                    "{watcher} watches {what} of {resource}: {state}"
                ));
            }
        }
    }
    if none {
        say("nobody watches anybody");
    }
}

fn state_of(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allow(_) => "active",
        Decision::Pending => "pending",
        Decision::PoliteBlock => "politely blocked",
        _ => "rejected",
    }
}

fn list(agent: &ServerAgent, now: Timestamp) {
    let mut none = true;
    for subscription in agent.subscriptions() {
        none = false;
        let state = state_of(subscription.decision);
        let notify = match subscription.last_result {
            NotifyResult::Answered(status) => format!("last NOTIFY answered {status}"),
            NotifyResult::Open => "NOTIFY under way".to_owned(),
            NotifyResult::None => "no NOTIFY yet".to_owned(),
            _ => "last NOTIFY failed".to_owned(),
        };
        say(format_args!(
            "subscription {}: {} to {}, {state}, {} s left, {notify}",
            subscription.key,
            subscription.watcher.unwrap_or("nobody"),
            subscription.resource,
            subscription.expires_at.saturating_since(now).as_secs(),
        ));
    }
    for publication in agent.publications() {
        none = false;
        say(format_args!(
            "publication {}: {} for {}, {} s left",
            publication.key,
            publication.publisher.unwrap_or("nobody"),
            publication.resource,
            publication.expires_at.saturating_since(now).as_secs(),
        ));
    }
    if none {
        say("no subscription and no publication");
    }
}

fn stats(agent: &ServerAgent, server: &Server) {
    let (counters, occupancy) = (agent.counters(), agent.occupancy());
    say(format_args!(
        "subscriptions: {} started, {} ended, {} there",
        counters.subscriptions_started(),
        counters.subscriptions_ended(),
        occupancy.subscriptions,
    ));
    say(format_args!(
        "publications: {} taken, {} there",
        counters.publications_taken(),
        occupancy.publications,
    ));
    say(format_args!(
        "NOTIFYs: {} sent, {} failed, {} under way",
        counters.notifies_sent(),
        counters.notifies_failed(),
        occupancy.open_notifies,
    ));
    for (reason, count) in counters.refusals().filter(|(_, count)| *count > 0) {
        say(format_args!("refused, {reason}: {count}"));
    }
    say(format_args!(
        "addresses registered: {}",
        server.registrar.len()
    ));
}
